"""The figures, from the table of results alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mmvsolvers.paper.figures import SCHEMES, Figure, Panel
from mmvsolvers.paper.results import estimate_of
from mmvsolvers.plotting import Curve, draw_panels
from mmvsolvers.plotting import Panel as DrawnPanel

_LABELS = {
    "mse": "MSE",
    "error_rate": "error rate",
    "epsilon_ratio": "learned ε₁/ε₂",
    "coherence": "coherence of A",
    "block_coherence": "block-coherence of A",
    "sub_coherence": "sub-coherence of A",
    "seconds_per_sample": "seconds a sample",
}
_AXES = {
    "L/N": "pilot length over devices, L/N",
    "p": "activity probability p",
    "M": "antennas M",
    "ratio": "p₁/p₂",
    "G": "groups G",
}
_SYMBOLS = {"L": "L", "activity.p": "p", "M": "M", "activity.ratio": "p₁/p₂", "activity.n_groups": "G"}
# Of the pilots, and the same for all schemes that share them.
_OF_PILOTS = ("coherence", "block_coherence", "sub_coherence")
# Not errors: a logarithmic axis would hide how they relate.
_LINEAR = ("epsilon_ratio", *_OF_PILOTS)


def draw(figure: Figure, table: pd.DataFrame, path: Path) -> None:
    """Draw a figure's own schemes and the optimum to ``path``; the classical ones and the extras to "..._extras"."""
    measured = set(table["scheme"][(table["figure"] == figure.number) & table["mean"].notna()])
    optimum = [scheme for scheme in figure.extras if scheme == "optimum" and scheme in measured]
    _draw(figure, table, (*figure.schemes, *optimum), path)
    if figure.extras:
        classical = [name for name in figure.schemes if not SCHEMES[name].is_learned]
        _draw(figure, table, (*classical, *figure.extras), path.with_stem(f"{path.stem}_extras"))


def _draw(figure: Figure, table: pd.DataFrame, schemes: Sequence[str], path: Path) -> None:
    shown = table[(table["figure"] == figure.number) & table["scheme"].isin(schemes)]
    panels = [
        _panel(figure, panel, N, shown[(shown["panel"] == panel.letter) & (shown["N"] == N)], schemes)
        for N in figure.N
        for panel in figure.panels
    ]
    draw_panels(path, panels, f"Fig. {figure.number}: {figure.title}\n{_measured(figure, shown)}")


def _panel(figure: Figure, panel: Panel, N: int, rows: pd.DataFrame, schemes: Sequence[str]) -> DrawnPanel:
    rows = rows[rows["quantity"] == panel.quantity]
    fixed = [f"N={N}"] if len(figure.N) > 1 else []
    for name, symbol in _SYMBOLS.items():
        values = rows[name].dropna().unique().tolist() if name in rows else []
        if len(values) == 1:
            fixed.append(f"{symbol}={values[0]:g}")
    curves = _of_pilots(rows, schemes) if panel.quantity in _OF_PILOTS else _of_schemes(rows, schemes)
    return DrawnPanel(
        list(curves),
        _AXES[panel.x],
        _LABELS[panel.quantity],
        f"({panel.letter})  {', '.join(fixed)}",
        linear=panel.quantity in _LINEAR,
    )


def _of_schemes(rows: pd.DataFrame, schemes: Sequence[str]) -> Iterator[Curve]:
    for scheme in schemes:
        # other pilots may do better than the optimum over these
        label = "optimum, Gaussian pilots" if scheme == "optimum" else SCHEMES[scheme].label
        yield _curve(scheme, label, rows[rows["scheme"] == scheme])


def _of_pilots(rows: pd.DataFrame, schemes: Sequence[str]) -> Iterator[Curve]:
    """Yield one curve for all schemes with the same pilots, and one for each with pilots of its own."""
    found = dict.fromkeys(SCHEMES[scheme].pilots for scheme in schemes if not SCHEMES[scheme].is_learned)
    for pilots in found:
        first = next(scheme for scheme in schemes if SCHEMES[scheme].pilots == pilots)
        label = f"{pilots.replace('_', '-').replace('gaussian', 'Gaussian')} pilots"
        yield _curve(f"{pilots} pilots", label, rows[rows["scheme"] == first])
    yield from _of_schemes(rows, [scheme for scheme in schemes if SCHEMES[scheme].is_learned])


def _curve(name: str, label: str, rows: pd.DataFrame) -> Curve:
    return Curve(name, label, rows["x"].tolist(), [estimate_of(row) for _, row in rows.iterrows()])


def _measured(figure: Figure, rows: pd.DataFrame) -> str:
    """Return the noise, and how carefully it was measured."""
    measured = rows[rows["mean"].notna()]
    noise = [f"σ²={value:g}" for value in rows["noise_var"].dropna().unique()]
    noise += [f"SNR={value:g} dB" for value in rows["snr_db"].dropna().unique()]
    words = [*noise, f"scale {', '.join(sorted(set(rows['scale'])))}"]
    if measured.empty:
        return ", ".join([*words, "not yet measured"])
    samples = " to ".join(f"{int(n):d}" for n in dict.fromkeys((measured["samples"].min(), measured["samples"].max())))
    if figure.panels[0].quantity == "seconds_per_sample":
        return ", ".join([*words, f"medians and ranges of runs of {samples} samples"])
    return ", ".join([*words, f"{samples} test samples a point, 95 % intervals"])
