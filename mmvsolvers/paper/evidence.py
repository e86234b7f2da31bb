"""What the claims of Cui, Li, Zhang, 2021, rest on: comparisons of two measured figures each.

A comparison that comes out as claimed by more than the intervals of both figures is confirmed, one that comes out the
other way by more than that is reversed, and the others are open.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from mmvsolvers.metrics import Estimate
from mmvsolvers.paper.figures import FIGURES, SCHEMES, Figure
from mmvsolvers.paper.results import estimate_of

CONFIRMED, REVERSED, OPEN = "confirmed", "reversed", "open"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two figures, or one figure and what it should be, and how they compare.

    Attributes
    ----------
    text : str
        What is claimed of them, with the numbers.
    outcome : {"confirmed", "reversed", "open"}
        How it came out.
    """

    text: str
    outcome: str


class Results:
    """The table of results, asked for single figures.

    Parameters
    ----------
    table : DataFrame
        What `results.tabulate` returned.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        keys = ["figure", "N", "panel", "scheme", "quantity"]
        self._groups = {key: rows.sort_values("x") for key, rows in table.groupby(keys)}

    def curve(self, figure: int, panel: str, scheme: str, quantity: str, N: int | None = None) -> dict[float, Estimate]:
        """Return what was measured along a panel, by abscissa."""
        rows = self._groups.get((figure, N or FIGURES[figure].N[0], panel, scheme, quantity))
        if rows is None:
            return {}
        found = {row["x"]: estimate_of(row) for _, row in rows.iterrows()}
        return {x: estimate for x, estimate in found.items() if estimate is not None}


def less(a: Estimate, b: Estimate, text: str) -> Comparison:
    """Compare two figures of which the first is claimed to be less."""
    gap = (
        math.hypot(a.high - a.mean, b.mean - b.low) if a.mean < b.mean else math.hypot(a.mean - a.low, b.high - b.mean)
    )
    outcome = OPEN if abs(a.mean - b.mean) <= gap else CONFIRMED if a.mean < b.mean else REVERSED
    return Comparison(f"{text}: {a} < {b}", outcome)


def flat(a: Estimate, b: Estimate, text: str) -> Comparison:
    """Compare two figures that are claimed to be equal: within a tenth they are, beyond the intervals they are not."""
    equal = math.isclose(a.mean, b.mean, rel_tol=0.1)
    outcome = CONFIRMED if equal else OPEN if less(a, b, "").outcome == OPEN else REVERSED
    return Comparison(f"{text}: {a} ≈ {b}", outcome)


def gain(baseline: Estimate, learned: Estimate) -> Estimate:
    """Return how many times less the second is, with the interval of the quotient."""
    quotient = baseline.mean / learned.mean
    spread = [(e.high - e.low) / 2 / e.mean for e in (baseline, learned)]
    half_width = quotient * math.hypot(*spread)
    return Estimate(quotient, quotient - half_width, quotient + half_width, min(baseline.n, learned.n))


def _label(figure: int, panel: str, scheme: str) -> str:
    return f"Fig. {figure}{panel} {SCHEMES[scheme].label}"


def _quantity(figure: Figure) -> str:
    return figure.panels[0].quantity


def _trend(results: Results, figure: int, panel: str, scheme: str, *, falls: bool) -> Iterator[Comparison]:
    """Compare the ends of a curve."""
    yield from _ends(results.curve(figure, panel, scheme, _quantity(FIGURES[figure])), figure, panel, scheme, falls)


def _ends(
    curve: dict[float, Estimate], figure: int, panel: str, scheme: str, falls: bool, unit: str = ""
) -> Iterator[Comparison]:
    if len(curve) > 1:
        (x0, first), (x1, last) = (list(curve.items())[k] for k in (0, -1))
        low, high, at = (last, first, (x1, x0)) if falls else (first, last, (x0, x1))
        yield less(low, high, f"{_label(figure, panel, scheme)}{unit} at {at[0]:g} and {at[1]:g}")


def _below(
    results: Results,
    figure: int,
    panel: str,
    lower: str,
    higher: str,
    quantity: str | None = None,
    N: int | None = None,
) -> Iterator[Comparison]:
    """Compare two schemes at every abscissa that both have."""
    curves = [results.curve(figure, panel, s, quantity or _quantity(FIGURES[figure]), N) for s in (lower, higher)]
    for x in curves[0]:
        if x in curves[1]:
            text = f"{_label(figure, panel, lower)}, {SCHEMES[higher].label} at {x:g}" + (f", N={N}" if N else "")
            yield less(curves[0][x], curves[1][x], text)


def _best(results: Results, figure: int, scheme: str) -> Iterator[Comparison]:
    """Compare a scheme with all others of the figure, everywhere."""
    for panel in _error_panels(figure):
        for other in FIGURES[figure].schemes:
            if other != scheme:
                yield from _below(results, figure, panel, scheme, other)


def _error_panels(figure: int) -> list[str]:
    return [panel.letter for panel in FIGURES[figure].panels if panel.quantity in ("mse", "error_rate")]


def falls_with_length_rises_with_p(results: Results) -> Iterator[Comparison]:
    """Yield what decides C1."""
    for figure in (3, 4, 5, 6, 8, 9, 10, 11):
        for scheme in FIGURES[figure].schemes:
            yield from _trend(results, figure, "a", scheme, falls=True)
            yield from _trend(results, figure, "b", scheme, falls=False)


def falls_with_antennas(results: Results) -> Iterator[Comparison]:
    """Yield what decides C2."""
    for figure in (3, 4, 5, 6, 8, 9, 10, 11):
        for scheme in FIGURES[figure].schemes:
            if FIGURES[figure].N != (100,) or scheme not in ("amp", "amp_nn"):
                curve = results.curve(figure, "c", scheme, _quantity(FIGURES[figure]))
                sums_over_antennas = _quantity(FIGURES[figure]) == "mse"
                if sums_over_antennas:
                    curve = {M: _shared(estimate, M) for M, estimate in curve.items()}
                yield from _ends(curve, figure, "c", scheme, True, " for each antenna" if sums_over_antennas else "")


def _shared(estimate: Estimate, M: float) -> Estimate:
    """Return an antenna's share of an error that is summed over all M."""
    return Estimate(estimate.mean / M, estimate.low / M, estimate.high / M, estimate.n)


def covariance_is_worse(results: Results) -> Iterator[Comparison]:
    """Yield what decides C3."""
    for figure in (8, 9, 10, 11):
        for scheme in ("group_lasso", "amp"):
            found = list(_below(results, figure, "c", scheme, "covariance_lasso"))
            yield from found[:1]


def learned_estimation(results: Results) -> Iterator[Comparison]:
    """Yield what decides C4."""
    for figure in (3, 4, 5, 6):
        for panel in _error_panels(figure):
            yield from _below(results, figure, panel, "group_lasso_nn", "group_lasso")
            yield from _below(results, figure, panel, "amp_nn", "amp")


def _gains(results: Results, figure: int, panel: str, baseline: str, learned: str) -> dict[float, Estimate]:
    curves = [results.curve(figure, panel, scheme, _quantity(FIGURES[figure])) for scheme in (baseline, learned)]
    both = [x for x in curves[0] if x in curves[1] and min(curve[x].mean for curve in curves) > 0]
    return {x: gain(curves[0][x], curves[1][x]) for x in both}


_UNROLLED = {
    3: (("group_lasso", "group_lasso_nn"), ("amp", "amp_nn")),
    8: (("ml", "map_nn"), ("amp", "amp_nn")),
}


def gain_grows_with_ratio(results: Results) -> Iterator[Comparison]:
    """Yield what decides C5, if anything learned was measured."""
    learned_ones = [*_gains_with_ratio(results), *_learned_ratios(results)]
    if learned_ones:
        yield from learned_ones
        yield from _flat_baselines(results)


def _gains_with_ratio(results: Results) -> Iterator[Comparison]:
    for figure, pairs in _UNROLLED.items():
        for baseline, learned in pairs:
            gains = _gains(results, figure, "d", baseline, learned)
            if len(gains) > 1:
                low, high = min(gains), max(gains)
                text = f"{_label(figure, 'd', learned)}, gain over {SCHEMES[baseline].label} at {low:g} and {high:g}"
                yield less(gains[low], gains[high], text)


def _flat_baselines(results: Results) -> Iterator[Comparison]:
    for figure, pairs in _UNROLLED.items():
        for baseline, _ in pairs:
            flat_curve = results.curve(figure, "d", baseline, _quantity(FIGURES[figure]))
            if len(flat_curve) > 1:
                ends = flat_curve[min(flat_curve)], flat_curve[max(flat_curve)]
                yield flat(*ends, f"{_label(figure, 'd', baseline)} at {min(flat_curve):g} and {max(flat_curve):g}")


def _learned_ratios(results: Results) -> Iterator[Comparison]:
    for figure, scheme in ((3, "amp_nn"), (8, "amp_nn"), (8, "map_nn")):
        followed = results.curve(figure, "e", scheme, "epsilon_ratio")
        for (x0, first), (x1, last) in pairwise(followed.items()):
            yield less(first, last, f"{_label(figure, 'e', scheme)}, learned ε₁/ε₂ at {x0:g} and {x1:g}")


def gain_is_larger_with_a_group(results: Results) -> Iterator[Comparison]:
    """Yield what decides C6."""
    for baseline, learned in _UNROLLED[3]:
        for small, large in ((3, 4), (5, 6)):
            gains = [_gains(results, figure, "a", baseline, learned) for figure in (small, large)]
            for x in gains[0]:
                if x in gains[1]:
                    text = f"{SCHEMES[learned].label}, gain over {SCHEMES[baseline].label} at {x:g}"
                    yield less(gains[0][x], gains[1][x], f"{text} in Fig. {small}a and {large}a")


def lasso_small_amp_large(results: Results) -> Iterator[Comparison]:
    """Yield what decides C7."""
    for figure in (3, 4):
        yield from list(_below(results, figure, "a", "group_lasso_nn", "amp_nn"))[:1]
        yield from list(_below(results, figure, "a", "amp_nn", "group_lasso_nn"))[1:][-1:]
    for figure in (5, 6):
        yield from _below(results, figure, "a", "amp_nn", "group_lasso_nn")


def smallest_estimation(results: Results) -> Iterator[Comparison]:
    """Yield what decides C8."""
    for figure in (3, 5):
        yield from _best(results, figure, "ml_mmse")
    yield from _best(results, 6, "amp_nn")


def learned_detection(results: Results) -> Iterator[Comparison]:
    """Yield what decides C9."""
    for figure in (8, 9, 10, 11):
        for panel in _error_panels(figure):
            yield from _below(results, figure, panel, "map_nn", "ml")
            yield from _below(results, figure, panel, "amp_nn", "amp")


def best_detection_small(results: Results) -> Iterator[Comparison]:
    """Yield what decides C10."""
    yield from _best(results, 8, "map_nn")
    yield from _best(results, 9, "covariance_nn")


def groups(results: Results) -> Iterator[Comparison]:
    """Yield what decides C11."""
    for figure in (9, 11):
        for scheme in ("covariance_nn", "map_nn"):
            yield from _trend(results, figure, "d", scheme, falls=False)
        yield from _trend(results, figure, "d", "ml", falls=True)
        curve = results.curve(figure, "d", "group_lasso", "error_rate")
        if len(curve) > 1:
            ends = curve[min(curve)], curve[max(curve)]
            yield flat(*ends, f"{_label(figure, 'd', 'group_lasso')} at {min(curve):g} and {max(curve):g}")


def best_detection_large(results: Results) -> Iterator[Comparison]:
    """Yield what decides C12."""
    yield from _best(results, 10, "ml")
    yield from _best(results, 11, "amp_nn")


def coherences(results: Results) -> Iterator[Comparison]:
    """Yield what decides C13."""
    for figure in (3, 4, 5, 6, 8, 9, 10, 11):
        for scheme in FIGURES[figure].schemes:
            if SCHEMES[scheme].is_learned:
                yield from _below(results, figure, "a", scheme, "group_lasso", "coherence")
                yield from _below(results, figure, "a", scheme, "group_lasso", "sub_coherence")
                if figure in (4, 6):
                    yield from _below(results, figure, "a", "group_lasso", scheme, "block_coherence")


def times(results: Results) -> Iterator[Comparison]:
    """Yield what decides C14."""

    def faster(figure: int, lower: str, higher: str, N: int) -> Iterator[Comparison]:
        return _below(results, figure, "a", lower, higher, "seconds_per_sample", N)

    for N in (100, 1000):
        yield from faster(7, "group_lasso_nn", "group_lasso", N)
        for fast in ("amp", "amp_nn"):
            for slow in ("group_lasso", "ml_mmse", "group_lasso_nn"):
                yield from faster(7, fast, slow, N)
    for slow in ("ml", "group_lasso"):
        for fast in ("amp", "amp_nn", "covariance_lasso", "covariance_nn"):
            yield from faster(12, fast, slow, 1000)
    for other in FIGURES[12].schemes:
        if other != "covariance_nn":
            yield from faster(12, "covariance_nn", other, 100)
