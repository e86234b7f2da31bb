"""Scenarios that papers measured on, by name: sizes, activity, channel, noise and what was varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmvsolvers.activity import ActivityModel, FixedActivity, GroupActivity, IndependentActivity, SingleActiveGroup
from mmvsolvers.channels import CellFading, Rayleigh
from mmvsolvers.scenario import Scenario
from mmvsolvers.sweep import grid
from mmvsolvers.validation import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScenario:
    """A scenario of the literature.

    Attributes
    ----------
    name : str
        What it is called.
    scenario : Scenario
        One point of it.
    sweep : mapping of str to tuple of numbers
        What is varied from there, one at a time, and through which values; K stands for the devices of FixedActivity.
    citation : str
        Where it comes from.
    advice : str
        How long solvers should run, and what a computer needs.
    chosen : str
        What had to be chosen here: these choices are not the paper's, or were not checked against it.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> found = mmv.named_scenario("cui2021")
    >>> [scenario.L for scenario in found.variants("L")]
    [8, 12, 16, 20]
    """

    name: str
    scenario: Scenario
    sweep: Mapping[str, tuple[int, ...]]
    citation: str
    advice: str
    chosen: str

    def variants(self, name: str) -> list[Scenario]:
        """Return the scenarios along the sweep of N, L, M or K.

        Raises
        ------
        ValueError
            If the paper varied something else.
        """
        return grid(self.scenario, {name: self.values(name)})

    def values(self, name: str) -> list[int]:
        """Return the values that N, L, M or K went through.

        Raises
        ------
        ValueError
            If the paper varied something else.
        """
        if name not in self.sweep:
            raise ValueError(f"{self.name} is swept over {' or '.join(self.sweep)}; got {name!r}")
        return list(self.sweep[name])


def named_scenario(name: str) -> NamedScenario:
    """Return the scenario of that name.

    Raises
    ------
    ValueError
        If there is none; the message suggests one.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> print(mmv.named_scenario("fengler2021").scenario)
    N=2000, L=100, M=50, fixed activity K=300, unit-norm pilots, SNR=0 dB
    """
    if name not in _SCENARIOS:
        hint = did_you_mean(name, _SCENARIOS) or f"there are {', '.join(_SCENARIOS)}"
        raise ValueError(f"no scenario is called {name!r}; {hint}")
    return _SCENARIOS[name]


def named_scenarios() -> Mapping[str, str]:
    """Return the names of all scenarios, each with its citation.

    Examples
    --------
    >>> import mmvsolvers as mmv
    >>> "fengler2021" in mmv.named_scenarios()
    True
    """
    return MappingProxyType({name: found.citation for name, found in _SCENARIOS.items()})


def _cui2021(suffix: str, N: int, activity: ActivityModel) -> NamedScenario:
    shares = (0.08, 0.12, 0.16, 0.20) if N == 100 else (0.09, 0.11, 0.13, 0.15)
    return NamedScenario(
        name=f"cui2021{suffix}",
        scenario=Scenario(N=N, L=round(shares[1] * N), M=4 if N == 100 else 16, activity=activity, noise_var=0.1),
        sweep={"L": tuple(round(share * N) for share in shares)},
        citation="Y. Cui, S. Li, W. Zhang, Jointly sparse signal recovery and support recovery via deep learning with "
        "applications in MIMO-based grant-free random access, IEEE JSAC, 2021",
        advice="The paper's counts of iterations, as the solvers' records have them: mmv compare --paper-iterations.",
        chosen="The values of L within the range that the figures cover.",
    )


_ALL = (
    _cui2021("", 100, IndependentActivity(0.1, ratio=3.0)),
    _cui2021("-single-group", 100, SingleActiveGroup(0.1)),
    _cui2021("-groups", 100, GroupActivity(0.1, n_groups=20)),
    _cui2021("-n1000", 1000, IndependentActivity(0.1, ratio=3.0)),
    _cui2021("-n1000-single-group", 1000, SingleActiveGroup(0.1)),
    _cui2021("-n1000-groups", 1000, GroupActivity(0.1, n_groups=200)),
    NamedScenario(
        name="fengler2021",
        scenario=Scenario(N=2000, L=100, M=50, activity=FixedActivity(300), snr_db=0.0, pilots="unit_norm"),
        sweep={"M": (50, 100, 200, 300, 400)},
        citation="A. Fengler, S. Haghighatshoar, P. Jung, G. Caire, Non-Bayesian activity detection, large-scale "
        "fading coefficient estimation, and unsourced random access with a massive MIMO receiver, IEEE Transactions on "
        "Information Theory, 2021",
        advice="K > L: for the covariance methods. Ten sweeps of ML and more; T = 100 samples at M = 400 are 1.3 GB.",
        chosen="Equal powers of all devices; pilots on the sphere.",
    ),
    NamedScenario(
        name="marata2024",
        scenario=Scenario(N=1000, L=64, M=40, activity=FixedActivity(20), snr_db=10.0, pilots="qpsk"),
        sweep={"L": (32, 48, 64, 80), "K": (10, 20, 30, 40, 50)},
        citation="L. Marata, E. Ollila, H. Alves, Activity detection for massive random access using covariance-based "
        "matching pursuit, arXiv 2405.02741, 2024",
        advice="Greedy methods take K steps; ML 10 to 50 sweeps.",
        chosen="The SNR of 10 dB and equal powers of all devices, where the code published with the paper spreads the "
        "SNRs of the devices from -15 to 0 dB; L and K where the other varies.",
    ),
    NamedScenario(
        name="fast-cd",
        scenario=Scenario(N=1000, L=100, M=15, activity=FixedActivity(100), channel=Rayleigh(10**-0.6), noise_var=1.0),
        sweep={"L": (60, 80, 100, 120)},
        citation="Z. Wang, Z. Chen, Y.-F. Liu, F. Sohrabi, W. Yu, An efficient active set algorithm for covariance "
        "based joint data and activity detection for massive random access with massive MIMO, arXiv 2102.03490, 2021: "
        "a setting of the kind that this literature on accelerated coordinate descent uses",
        advice="ML to a tolerance; what is compared is time.",
        chosen="All of it: N, K, L, M and the sweep are assumed, not checked against the paper's text. So is the power "
        "of all devices, -6 dB: 23 dBm over a path loss of 128 dB, as at 1 km, against a floor of -99 dBm, which are "
        "-169 dBm/Hz over 10 MHz.",
    ),
    NamedScenario(
        name="li2022",
        scenario=Scenario(
            N=100,
            L=8,
            M=32,
            activity=IndependentActivity(0.1),
            channel=CellFading(radius=0.25, power_control=True),
            noise_var=1.0,
        ),
        sweep={"L": (7, 8), "M": (32, 64)},
        citation="Y. Li, Z. Chen, Y. Wang, C. Yang, Y.-C. Wu, Heterogeneous transformer: a scale adaptable "
        "neural network architecture for device activity detection, arXiv 2112.10086",
        advice="ML and MAP to a tolerance.",
        chosen="An activity of 0.1, 23 dBm over 10 MHz, no shadowing, power control to the level of the cell's edge, "
        "Gaussian pilots.",
    ),
    NamedScenario(
        name="liu2018",
        scenario=Scenario(
            N=40_000,
            L=300,
            M=16,
            activity=FixedActivity(2000),
            channel=CellFading(bandwidth_hz=1e6),
            noise_var=1.0,
        ),
        sweep={"M": (16, 32, 64, 128)},
        citation="L. Liu, W. Yu, Massive connectivity with massive MIMO, part I: device activity detection and channel "
        "estimation, IEEE Transactions on Signal Processing, 2018",
        advice="K > L: hard for AMP. A sample takes 82 MB at M = 128, 41 MB in complex64: a few at a time.",
        chosen="A disc of 1 km, 23 dBm over 1 MHz, and the path loss of CellFading. The sizes go beyond the paper's.",
    ),
)
_SCENARIOS: Mapping[str, NamedScenario] = MappingProxyType({found.name: found for found in _ALL})
