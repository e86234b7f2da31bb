"""One table of what was found, of all tasks of some figures."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from mmvsolvers.evaluation import over_draws
from mmvsolvers.paper.figures import SCHEMES, Figure, Panel
from mmvsolvers.paper.results import COLUMNS
from mmvsolvers.sweep import columns_of
from mmvsolvers_nn.paper.run import Findings, points_of
from mmvsolvers_nn.paper.scales import Scale
from mmvsolvers_nn.paper.tasks import PROTOCOL, RATES, SEED, Finding, Timing


def tabulate(figures: Sequence[Figure], findings: Findings, scale: Scale) -> pd.DataFrame:
    """Return the table of some figures; what was not measured has a row with no mean.

    ``low`` and ``high`` are a 95 % interval: over the pilot draws of a classical scheme, whose standard deviation is
    ``spread``, and over the samples of a learned one, for its one training. Of times they are the least and the most.
    """
    rows: list[dict[str, Any]] = []
    for figure in figures:
        for N in figure.N:
            for panel in figure.panels:
                for x in figure.abscissas(N, panel, scale.name):
                    for scheme in (*figure.schemes, *figure.extras):
                        rows += _rows(figure, N, panel, x, scheme, findings, scale)
    others = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    return pd.DataFrame(rows, columns=[*COLUMNS, *others])


def _rows(
    figure: Figure, N: int, panel: Panel, x: float, scheme: str, findings: Findings, scale: Scale
) -> list[dict[str, Any]]:
    scenario = figure.scenario(N, panel, x)
    common = {
        "figure": figure.number, "panel": panel.letter, "x_name": panel.x, "x": x, "case": figure.case,
        **columns_of(scenario), "scheme": scheme, "pilots": SCHEMES[scheme].pilots, "seed": SEED, "scale": scale.name,
        "protocol": PROTOCOL,
    }  # fmt: skip
    if panel.quantity == "seconds_per_sample":
        timing = findings.get(Timing(scenario, figure.schemes))
        found = [timing[scheme]] if timing else []
    else:
        tasks = points_of(scenario, scheme, scale)
        found = [findings[task][scheme] for task in tasks if task in findings]
        found = found if len(found) == len(tasks) else []
    if not found:
        return [common | {"quantity": panel.quantity, "draws": 0}]
    # Findings that were kept may be of a version that measured less.
    shared = [name for name in found[0].quantities if all(name in one.quantities for one in found)]
    return [common | _row(quantity, found) for quantity in shared]


def _row(quantity: str, found: Sequence[Finding]) -> dict[str, Any]:
    draws = [finding.quantities[quantity] for finding in found]
    estimate = over_draws(draws, most=1.0 if quantity in RATES else inf)
    return {
        "quantity": quantity,
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "samples": sum(finding.samples for finding in found),
        "draws": len(draws),
        "spread": float(np.std([draw.mean for draw in draws], ddof=1)) if len(draws) > 1 else np.nan,
        "seconds": sum(finding.seconds for finding in found),
        "versions": found[0].versions,
    }
