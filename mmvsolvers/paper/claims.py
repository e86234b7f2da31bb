"""The claims of Cui, Li, Zhang, 2021, each with a verdict and the numbers that it rests on."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmvsolvers.paper import evidence
from mmvsolvers.paper.evidence import CONFIRMED, OPEN, REVERSED, Comparison, Results
from mmvsolvers.paper.figures import FIGURES, SCHEMES
from mmvsolvers.paper.results import PROTOCOLS

HOLDS, FAILS, UNDECIDED, UNKNOWN = "holds", "does not hold", "undecided", "not measured"
Evidence = Callable[[Results], Iterator[Comparison]]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes
    ----------
    name, text : str
        "C1" ..., and what is claimed.
    evidence : callable
        Yields the comparisons that decide it.
    mostly : bool
        Whether up to half of them may be reversed.
    """

    name: str
    text: str
    evidence: Evidence
    mostly: bool = False

    def verdict(self, comparisons: Sequence[Comparison]) -> str:
        """Return "holds", "does not hold", "undecided" where intervals overlap too often, or "not measured"."""
        if not comparisons:
            return UNKNOWN
        counts = {outcome: sum(c.outcome == outcome for c in comparisons) for outcome in (CONFIRMED, REVERSED, OPEN)}
        if counts[REVERSED] > (len(comparisons) / 2 if self.mostly else 0):
            return FAILS
        return HOLDS if counts[CONFIRMED] >= len(comparisons) / 2 else UNDECIDED


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "Every scheme's MSE and error rate falls with L/N and rises with p.",
        evidence.falls_with_length_rises_with_p,
    ),
    Claim(
        "C2",
        "They fall with M, the MSE of each antenna, except those of AMP and AMP-NN at N=100.",
        evidence.falls_with_antennas,
    ),
    Claim("C3", "Covariance LASSO is far worse than GROUP LASSO and AMP at small M.", evidence.covariance_is_worse),
    Claim(
        "C4",
        "GROUP LASSO-NN is below GROUP LASSO and AMP-NN below AMP in MSE, everywhere.",
        evidence.learned_estimation,
    ),
    Claim(
        "C5",
        "The learned schemes' gain grows with p₁/p₂ while the baselines stay flat; the learned ε₁/ε₂ follows p₁/p₂.",
        evidence.gain_grows_with_ratio,
    ),
    Claim(
        "C6",
        "Gains are larger with a single active group than with independent devices.",
        evidence.gain_is_larger_with_a_group,
    ),
    Claim(
        "C7",
        "GROUP LASSO-NN is below AMP-NN at small N and L/N, and above at large ones.",
        evidence.lasso_small_amp_large,
    ),
    Claim(
        "C8",
        "ML-MMSE mostly has the smallest MSE in the independent case, AMP-NN at N=1000 with a single active group.",
        evidence.smallest_estimation,
        mostly=True,
    ),
    Claim("C9", "MAP-NN is below ML and AMP-NN below AMP in error rate, everywhere.", evidence.learned_detection),
    Claim(
        "C10",
        "At N=100 MAP-NN has the least error rate in the independent case and NN with independent groups.",
        evidence.best_detection_small,
    ),
    Claim(
        "C11",
        "The error rates of NN and MAP-NN rise with G, GROUP LASSO's does not change, and ML's falls.",
        evidence.groups,
    ),
    Claim(
        "C12",
        "At N=1000 ML has the least error rate in the independent case and AMP-NN with independent groups.",
        evidence.best_detection_large,
    ),
    Claim(
        "C13",
        "Learned pilots have smaller coherence and sub-coherence than Gaussian ones, and a larger block-coherence with "
        "a single active group.",
        evidence.coherences,
    ),
    Claim(
        "C14",
        "GROUP LASSO-NN is faster than GROUP LASSO; AMP and AMP-NN are the fastest; ML and GROUP LASSO are the slowest "
        "at N=1000; NN is the fastest detector at N=100.",
        evidence.times,
    ),
)


def check(table: pd.DataFrame) -> list[tuple[Claim, str, list[Comparison]]]:
    """Return every claim with its verdict and the comparisons that led to it."""
    results = Results(table)
    found = [(claim, list(claim.evidence(results))) for claim in CLAIMS]
    return [(claim, claim.verdict(comparisons), comparisons) for claim, comparisons in found]


def _protocols(table: pd.DataFrame) -> list[str]:
    """Return, as lines, how many figures were measured by which protocol."""
    counts = table.loc[table["mean"].notna(), "protocol"].value_counts().sort_index()
    return [f"\n{count} figures of protocol {number}: {PROTOCOLS[number]}." for number, count in counts.items()]


def _by_the_newest_protocol(table: pd.DataFrame) -> dict[str, str]:
    """Return, where there are several protocols, a column of what the newest decides alone; "" heads it."""
    protocols = set(table.loc[table["mean"].notna(), "protocol"])
    if len(protocols) < 2:
        return {}
    newest = max(protocols)
    verdicts = {claim.name: f" {verdict} |" for claim, verdict, _ in check(table[table["protocol"] == newest])}
    return {"": f" by protocol {newest} alone |"} | verdicts


def report(table: pd.DataFrame) -> str:
    """Return the claims, their verdicts and all numbers as Markdown."""
    checked = check(table)
    alone = _by_the_newest_protocol(table)
    versions = " · ".join(sorted(set(table["versions"].dropna())))
    scales = ", ".join(sorted(set(table["scale"])))
    measured = table.drop_duplicates(["figure", "N", "panel", "x", "scheme"])
    n_missing = int(measured["mean"].isna().sum())
    lines = [
        "# The claims of the paper, measured",
        "",
        "Y. Cui, S. Li, W. Zhang, “Jointly sparse signal recovery and support recovery via deep learning with",
        "applications in MIMO-based grant-free random access”, IEEE JSAC, 2021. This page is generated:",
        "",
        f"    mmv reproduce --all --scale {scales} --out paper",
        "    mmv claims paper/results.csv > README.md",
        "",
        f"Measured at scale “{scales}” with {versions}.",
        f"Of {len(measured)} points, {n_missing} were not measured.",
        "",
        "An interval is a 95 % interval: over draws of the pilots for a classical scheme, over samples for the one",
        "training of a learned scheme; of a time it is the range of the runs, and what one training alone can say,",
        "its coherences and its prior, has none. A comparison is *confirmed* or *reversed* if the difference exceeds",
        "both intervals together, and *open* otherwise. A claim holds if no comparison is reversed and at least half",
        "are confirmed; “mostly” allows up to half to be reversed. It is *undecided* where the intervals of too many",
        "comparisons overlap, and *not measured* where there is nothing to compare. The MSE sums over the antennas:",
        "how it depends on M is judged for each antenna.",
        *(_protocols(table)),
        "",
        f"| claim | | verdict | confirmed | open | reversed |{alone.get('', '')}",
        f"|---|---|---|---|---|---|{'---|' if alone else ''}",
    ]
    for claim, verdict, comparisons in checked:
        counts = [sum(c.outcome == outcome for c in comparisons) for outcome in (CONFIRMED, OPEN, REVERSED)]
        by_newest = alone.get(claim.name, "")
        lines.append(f"| {claim.name} | {claim.text} | **{verdict}** | {' | '.join(map(str, counts))} |{by_newest}")
    lines += beside_the_optimum(table)
    lines += without_the_optimum(table)
    for figure in sorted(set(table["figure"])):
        lines += ["", f"![Fig. {figure}](fig{figure}.png)"]
    for claim, verdict, comparisons in checked:
        lines += ["", f"## {claim.name}: {verdict}", "", claim.text, ""]
        lines += [f"- {c.outcome}: {c.text}" for c in comparisons] or ["- nothing measured"]
    return "\n".join(lines) + "\n"


def beside_the_optimum(table: pd.DataFrame) -> list[str]:
    """Return lines of Markdown that say how far every scheme is from the optimum: figures over the optimum's."""
    keys = ["figure", "panel", "x", "quantity"]
    measured = table[table["quantity"].isin(("mse", "error_rate")) & (table["mean"] > 0)]
    panels = {(figure.number, panel.letter): panel for figure in FIGURES.values() for panel in figure.panels}
    drawn = [
        panels.get((figure, letter)) is not None and panels[figure, letter].quantity == quantity
        for figure, letter, quantity in zip(*(measured[key] for key in keys if key != "x"), strict=True)
    ]
    measured = measured.loc[np.array(drawn, bool)]
    best = measured[measured["scheme"] == "optimum"].set_index(keys)["mean"]
    others = measured[measured["scheme"] != "optimum"].join(best.rename("optimum"), on=keys, how="inner")
    if others.empty:
        return []
    ratios = (others["mean"] / others["optimum"]).groupby([others["figure"], others["scheme"]], sort=False)
    lines = [
        "",
        "## Beside the optimum",
        "",
        "Each scheme's figure over that of the posterior itself, over Gaussian pilots: the best and the worst of the",
        "points where both were measured and the optimum made an error. Below 1 are other pilots, and chance.",
        "",
        "| Fig. | scheme | least | most |",
        "|---|---|---|---|",
    ]
    for (figure, scheme), found in ratios:
        lines.append(f"| {figure} | {SCHEMES[scheme].label} | {found.min():.3g} | {found.max():.3g} |")
    return lines


def without_the_optimum(table: pd.DataFrame) -> list[str]:
    """Return lines of Markdown that say where the optimum was not measured, and what it costs."""
    rows = table[table["scheme"] == "optimum"]
    missing = rows[rows["mean"].isna() & rows["quantity"].isin(("mse", "error_rate"))]
    if missing.empty:
        return []
    found = []
    for figure, ours in missing.groupby("figure"):
        at = (f"{panel} at {', '.join(f'{x:g}' for x in here['x'])}" for panel, here in ours.groupby("panel"))
        found.append(f"Fig. {figure} ({'; '.join(at)})")
    text = f"The optimum was not measured in {', '.join(found)}. With a single group it is exact and cheap."
    sampled = rows[rows["mean"].notna() & (rows["case"] != "single_group")]
    spent = (sampled["seconds"] / sampled["samples"]).groupby(sampled["N"]).agg(["min", "max"])
    times = [f"{low:.2g} to {high:.2g} s with {N} devices" for N, low, high in spent.itertuples()]
    if times:
        text += f" Elsewhere it is sampled, which took, for each test sample, {' and '.join(times)}."
    return ["", *textwrap.wrap(text, 110, break_on_hyphens=False)]
