"""Solvers on a named scenario, or on `umi`: python examples/scenarios/measure.py NAME [SAMPLES [SOLVER ...]]."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import mmvsolvers as mmv
from mmvsolvers import plotting
from mmvsolvers.writing import write_table

DRAWS = 3


def scenarios(name):
    if name != "umi":
        found = mmv.named_scenario(name)
        varied = next(iter(found.sweep))
        return varied, dict(zip(found.sweep[varied], found.variants(varied), strict=True))
    from mmvsolvers_nn.channels import TR38901

    base = mmv.Scenario(N=100, L=8, M=8, activity=mmv.IndependentActivity(0.1), channel=TR38901(), noise_var=0.1)
    return "L", {L: replace(base, L=L) for L in (8, 12, 16)}


def measure(name, n_samples, solvers):
    varied, variants = scenarios(name)
    for value, scenario in variants.items():
        data = []
        for draw in range(DRAWS):
            rng = np.random.default_rng((0, value, draw))
            train = scenario.draw(rng, n_samples)
            data.append((train, scenario.draw(rng, n_samples, pilots=train.A)))
        for solver in solvers:
            yield varied, value, mmv.average([mmv.evaluate(mmv.SOLVERS[solver], *pair, tol=1e-3) for pair in data])


def main(name, n_samples, solvers):
    here, rows, table = Path(__file__).parent, [], []
    for varied, value, found in measure(name, n_samples, solvers):
        rows.append((varied, value, found))
        rate, error = found.error_rate, "" if found.mse is None else found.mse.mean
        table.append([varied, value, found.solver, n_samples, DRAWS, rate.mean, max(rate.low, 0), rate.high, error])
        print(varied, value, found.solver, rate, flush=True)
    columns = ["parameter", "value", "solver", "samples", "draws", "error_rate", "low", "high", "mse"]
    write_table(here / f"{name}.csv", columns, table)
    with plotting.figure(1) as (canvas, axes):
        axis = np.ravel(axes)[0]
        for index, solver in enumerate(solvers):
            points = {value: found.error_rate for _, value, found in rows if found.solver == solver}
            plotting.curve(axis, list(points), list(points.values()), mmv.SOLVERS[solver].label, index)
        plotting.finish(axis, rows[0][0], "error rate")
        canvas.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        plotting.save(canvas, here / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1], int((sys.argv[2:] or [100])[0]), sys.argv[3:] or list(mmv.SOLVERS))
