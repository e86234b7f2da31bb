import numpy as np
import pandas as pd
import pytest

from mmvsolvers import Estimate
from mmvsolvers.paper import results
from mmvsolvers.paper.claims import (
    CLAIMS,
    FAILS,
    HOLDS,
    UNDECIDED,
    UNKNOWN,
    beside_the_optimum,
    check,
    report,
    without_the_optimum,
)
from mmvsolvers.paper.evidence import CONFIRMED, OPEN, REVERSED, Comparison, flat, gain, less
from mmvsolvers.paper.figures import FIGURES


def around(mean: float, half_width: float) -> Estimate:
    return Estimate(mean, mean - half_width, mean + half_width, 100)


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        (around(1, 0.1), around(2, 0.1), CONFIRMED),
        (around(2, 0.1), around(1, 0.1), REVERSED),
        (around(1, 0.8), around(2, 0.8), OPEN),
        (around(2, 0.8), around(1, 0.8), OPEN),
        (Estimate(1, 0.2, 1.1, 9), Estimate(2, 1.9, 4, 9), CONFIRMED),
        (around(1, 0), around(1, 0), OPEN),
    ],
)
def test_a_difference_must_exceed_both_intervals(a, b, outcome):
    assert less(a, b, "").outcome == outcome


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        (around(1, 0.01), around(1.05, 0.01), CONFIRMED),
        (around(1, 0.01), around(1.5, 0.01), REVERSED),
        (around(1, 0.4), around(1.5, 0.4), OPEN),
    ],
)
def test_equal_is_within_a_tenth_and_different_beyond_the_intervals(a, b, outcome):
    assert flat(a, b, "").outcome == outcome


def test_the_interval_of_a_gain_covers_the_quotient():
    rng = np.random.default_rng(0)
    quotients = rng.normal(3.0, 0.03, 100_000) / rng.normal(2.0, 0.04, 100_000)
    found = gain(around(3.0, 1.96 * 0.03), around(2.0, 1.96 * 0.04))
    assert found.mean == pytest.approx(1.5)
    assert np.mean((quotients > found.low) & (quotients < found.high)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "mostly"),
    [
        ([], UNKNOWN, UNKNOWN),
        ([OPEN], UNDECIDED, UNDECIDED),
        ([CONFIRMED, OPEN], HOLDS, HOLDS),
        ([CONFIRMED, OPEN, OPEN], UNDECIDED, UNDECIDED),
        ([CONFIRMED, CONFIRMED, REVERSED], FAILS, HOLDS),
        ([CONFIRMED, REVERSED, REVERSED], FAILS, FAILS),
    ],
)
def test_verdicts(outcomes, verdict, mostly):
    comparisons = [Comparison("", outcome) for outcome in outcomes]
    by_name = {claim.name: claim for claim in CLAIMS}
    assert by_name["C4"].verdict(comparisons) == verdict
    assert by_name["C8"].verdict(comparisons) == mostly


def table(value) -> pd.DataFrame:
    """A table in which ``value(figure, panel, x, scheme, quantity)`` was measured, to a thousandth."""
    rows = []
    for figure in FIGURES.values():
        for N in figure.N:
            for panel in figure.panels:
                for x in figure.abscissas(N, panel, "quick"):
                    for scheme in figure.schemes:
                        for quantity in {panel.quantity, "coherence", "block_coherence", "sub_coherence"}:
                            mean = value(figure.number, panel.letter, x, scheme, quantity)
                            rows.append(
                                dict.fromkeys(results.COLUMNS, 1)
                                | {"figure": figure.number, "panel": panel.letter, "x": x, "N": N, "scheme": scheme}
                                | {"quantity": quantity, "mean": mean, "low": 0.999 * mean, "high": 1.001 * mean}
                                | {"scale": "quick", "versions": "none"}
                            )
    return pd.DataFrame(rows)


def verdicts(value) -> dict[str, str]:
    return {claim.name: verdict for claim, verdict, _ in check(table(value))}


def test_learned_schemes_below_their_baselines_satisfy_the_claims_that_say_so():
    found = verdicts(lambda figure, panel, x, scheme, quantity: 1.0 if scheme.endswith("nn") else 2.0)
    assert (found["C4"], found["C9"]) == (HOLDS, HOLDS)
    worse = verdicts(lambda figure, panel, x, scheme, quantity: 2.0 if scheme.endswith("nn") else 1.0)
    assert (worse["C4"], worse["C9"]) == (FAILS, FAILS)


def test_trends_are_seen():
    def falling(figure, panel, x, scheme, quantity):
        return x if panel in "bd" else 1 / x

    def rising(figure, panel, x, scheme, quantity):
        return 1 / x if panel in "bd" else x

    assert (verdicts(falling)["C1"], verdicts(falling)["C2"]) == (HOLDS, HOLDS)
    assert (verdicts(rising)["C1"], verdicts(rising)["C2"]) == (FAILS, FAILS)


def test_an_error_that_sums_over_the_antennas_is_judged_for_each_of_them():
    def summed(figure, panel, x, scheme, quantity):
        return x**0.5 if panel == "c" and quantity == "mse" else 1 / x

    found = {claim.name: comparisons for claim, _, comparisons in check(table(summed))}["C2"]
    assert {comparison.outcome for comparison in found} == {CONFIRMED}
    assert any("for each antenna at 8 and 2" in comparison.text for comparison in found)


def test_the_page_says_by_which_protocol_figures_were_measured():
    old = table(lambda *_: 1.0)
    new = old.copy()
    new["protocol"] = 2
    page = report(pd.concat([old, new.iloc[:5]]))
    assert f"{len(old)} figures of protocol 1: AMP is told every device's own ε(n)" in page
    assert "5 figures of protocol 2: AMP is told the average activity p" in page
    assert "| by protocol 2 alone |" in page
    assert page.count("| not measured |") == len(CLAIMS)


def test_a_gain_of_learned_schemes_is_not_judged_by_their_baselines_alone():
    found = table(lambda *_: 1.0)
    found.loc[found["scheme"].str.endswith("_nn"), "mean"] = np.nan
    assert {claim.name: verdict for claim, verdict, _ in check(found)}["C5"] == UNKNOWN


def test_what_was_not_measured_decides_nothing():
    found = table(lambda *_: np.nan)
    assert {verdict for _, verdict, _ in check(found)} == {UNKNOWN}
    assert "nothing measured" in report(found)


def test_every_claim_has_evidence():
    for _, _, comparisons in check(table(lambda *_: 1.0)):
        assert comparisons


def test_schemes_are_held_against_the_optimum_where_both_were_measured():
    found = [
        ("a", 0.08, "optimum", "mse", 0.1), ("a", 0.08, "amp", "mse", 0.3), ("a", 0.08, "amp", "error_rate", 0.9),
        ("a", 0.12, "optimum", "mse", 0.02), ("a", 0.12, "amp", "mse", 0.2), ("a", 0.12, "ml_mmse", "mse", 0.05),
        ("a", 0.20, "optimum", "mse", np.nan), ("a", 0.20, "amp", "mse", 0.001),
        ("a", 0.08, "optimum", "error_rate", 0.1),
    ]  # fmt: skip
    table = pd.DataFrame(found, columns=["panel", "x", "scheme", "quantity", "mean"]).assign(figure=4)
    lines = beside_the_optimum(table)
    assert lines[-2:] == ["| 4 | AMP | 3 | 10 |", "| 4 | ML-MMSE | 2.5 | 2.5 |"]
    assert beside_the_optimum(table[table["scheme"] != "optimum"]) == []


def test_the_page_says_where_the_optimum_is_not_known_and_what_it_costs():
    found = [
        (10, "a", 90, "groups", np.nan, np.nan, np.nan), (10, "b", 8, "groups", np.nan, np.nan, np.nan),
        (10, "b", 24, "groups", np.nan, np.nan, np.nan), (10, "c", 3, "groups", 0.1, 50, 100),
        (4, "a", 1, "single_group", 0.1, 50, 1),
    ]  # fmt: skip
    table = pd.DataFrame(found, columns=["figure", "panel", "x", "case", "mean", "seconds", "samples"])
    table = table.assign(scheme="optimum", quantity="mse", N=1000)
    text = " ".join(without_the_optimum(table))
    assert "not measured in Fig. 10 (a at 90; b at 8, 24). With" in text
    assert "for each test sample, 0.5 to 0.5 s with 1000 devices." in text
    assert without_the_optimum(table[table["mean"].notna()]) == []
