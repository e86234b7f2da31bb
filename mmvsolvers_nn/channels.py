"""The channels of 3GPP TR 38.901, through Sionna: they need torch, so they are not in the core.

`Sionna <https://nvlabs.github.io/sionna/>`_ computes them in torch: ``pip install sionna-no-rt``.

References
----------
3GPP TR 38.901, "Study on channel model for frequencies from 0.5 to 100 GHz". J. Hoydis et al., "Sionna: an open-source
library for next-generation physical layer research", arXiv 2203.11854, 2022.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmvsolvers.validation import POSITIVE, as_choice, as_count, as_generator, as_scalar

# Heights of the base stations, in metres, by Tables 7.2-1 and 7.2-3.
_HEIGHTS = {"umi": 10.0, "uma": 25.0, "rma": 35.0}
_DEVICE_HEIGHT = 1.5
# Devices that Sionna computes at a time: some 20 MB for each antenna.
_AT_A_TIME = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class TR38901:
    """Urban micro, urban macro or rural macro cells of 3GPP TR 38.901, narrow band, uplink.

    Devices stand outdoors, 1.5 m high, on a disc around a uniform linear array of half a wavelength. In every sample
    every active device has a place, a line of sight or none, and paths of its own; the sum of its paths is its channel.

    Parameters
    ----------
    environment : {"umi", "uma", "rma"}, default "umi"
        Urban micro, urban macro, rural macro.
    carrier_hz : float, default 3.5e9
        Carrier frequency.
    radius, min_distance : float, default 0.2 and 0.035
        Largest and smallest distance from the base station, on the ground, in km.
    normalised : bool, default True
        Whether power control makes up for path loss and shadowing, g = 1. If not, g is the path gain, 1e-17 … 1e-7, of
        a place that every device is given once for all samples; its paths are then still those of places drawn anew.

    Raises
    ------
    TypeError, ValueError
        For values that are not real or outside their range.
    ImportError
        From the methods, without Sionna.

    Notes
    -----
    Sionna has one seed for the process. It is set from the Generator while channels are drawn, and what it was before
    is set again afterwards, from which Sionna begins anew.
    """

    environment: str = "umi"
    carrier_hz: float = 3.5e9
    radius: float = 0.2
    min_distance: float = 0.035
    normalised: bool = True

    def __post_init__(self) -> None:
        """Reject values outside their range."""
        as_choice("environment", self.environment, tuple(_HEIGHTS))
        for name in ("carrier_hz", "radius", "min_distance"):
            as_scalar(name, getattr(self, name), POSITIVE)
        if self.min_distance >= self.radius:
            raise ValueError(f"min_distance must be below radius={self.radius:g}; got {self.min_distance:g}")

    def variance(self, rng: np.random.Generator, N: int) -> NDArray[np.float64]:
        """Draw g, shape (N,): ones, or path gains of places drawn for N devices."""
        if self.normalised:
            return np.ones(as_count("N", N))
        with _seeded(as_generator(rng)):
            model = self._model(1, large_scale=True)
            self._place(model, rng, as_count("N", N))
            # Sionna keeps both to itself; indoors, which no device is, there would be a third loss.
            loss_db, shadowing = model._scenario.basic_pathloss, model._lsp.sf
            gains = (10 ** (-loss_db.double() / 10) * shadowing.double()).reshape(-1)
        return np.asarray(gains.numpy())

    def draw(
        self, rng: np.random.Generator, active: NDArray[np.bool_], variance: NDArray[np.float64], M: int
    ) -> NDArray[np.complex128]:
        """Draw X (T, N, M): paths of mean power g_n where ``active`` (T, N), zero elsewhere."""
        device = np.nonzero(active)[1]
        rows = np.empty((device.size, as_count("M", M)), np.complex128)
        with _seeded(as_generator(rng)):
            for first in range(0, device.size, _AT_A_TIME):
                chunk = rows[first : first + _AT_A_TIME]
                model = self._model(M, large_scale=False)
                self._place(model, rng, len(chunk))
                paths, _ = model(num_time_samples=1, sampling_frequency=1.0)
                chunk[:] = paths[:, 0, :, 0, 0, :, 0].sum(dim=-1).numpy()
        X = np.zeros((*active.shape, M), np.complex128)
        X[active] = np.sqrt(variance[device])[:, np.newaxis] * rows
        return X

    def _model(self, M: int, large_scale: bool) -> Any:
        from sionna.phy.channel import tr38901

        device, station = (
            tr38901.PanelArray(
                num_rows_per_panel=1,
                num_cols_per_panel=columns,
                polarization="single",
                polarization_type="V",
                antenna_pattern="omni",
                carrier_frequency=self.carrier_hz,
            )
            for columns in (1, M)
        )
        kind = {"umi": tr38901.UMi, "uma": tr38901.UMa, "rma": tr38901.RMa}[self.environment]
        indoors = {} if self.environment == "rma" else {"o2i_model": "low"}
        return kind(
            carrier_frequency=self.carrier_hz,
            ut_array=device,
            bs_array=station,
            direction="uplink",
            enable_pathloss=large_scale,
            enable_shadow_fading=large_scale,
            device="cpu",
            **indoors,
        )

    def _place(self, model: Any, rng: np.random.Generator, n_devices: int) -> None:
        """Put each device on a disc of its own, so that none shadows another."""
        distance = 1e3 * np.sqrt(rng.uniform(self.min_distance**2, self.radius**2, n_devices))
        angle = rng.uniform(0, 2 * np.pi, n_devices)
        height = np.full(n_devices, _DEVICE_HEIGHT)
        places = np.stack([distance * np.cos(angle), distance * np.sin(angle), height], axis=-1)
        at_rest = torch.zeros(n_devices, 1, 3)
        model.set_topology(
            ut_loc=torch.from_numpy(places).float()[:, None],
            bs_loc=torch.tensor([0.0, 0.0, _HEIGHTS[self.environment]]).repeat(n_devices, 1, 1),
            ut_orientations=at_rest,
            bs_orientations=at_rest,
            ut_velocities=at_rest,
            in_state=torch.zeros(n_devices, 1, dtype=torch.bool),
        )


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """Seed Sionna from a Generator for a while, on one thread, and leave torch's own state as it was."""
    # Sionna seeds torch already when it is imported.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            from sionna.phy import config
        except ImportError as error:
            raise ImportError(f"TR38901 needs Sionna: pip install sionna-no-rt ({error})") from error
        before, n_threads = config.seed, torch.get_num_threads()
        config.seed = int(rng.integers(2**63))
        torch.set_num_threads(1)  # hundreds of small operations, which wait for each other's threads on a busy machine
        try:
            yield
        finally:
            config.seed = before
            torch.set_num_threads(n_threads)
