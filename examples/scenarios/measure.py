"""All solvers along a named scenario's sweep, or on `umi`: python examples/scenarios/measure.py [NAME ...].

Where two cores would take hours, the sizes are cut, as the column `cut` of the table says: N and K by one factor, L by
its root, for the covariance sees K against L².
"""

import sys
from pathlib import Path

import mmvsolvers as mmv
from mmvsolvers.comparison import Samples, compare, draw_figure
from mmvsolvers.registry import all_solvers
from mmvsolvers.sweep import grid
from mmvsolvers.tables import records, write_csv

HERE = Path(__file__).parent
TOL, MAX_ITER = 1e-3, 100
# What varies, the sizes that are cut, and the samples for each of three draws of the pilots.
PLANS = {
    "cui2021": ({"L": (8, 12, 16, 20)}, {}, 60),
    "cui2021-single-group": ({"L": (8, 12, 16, 20)}, {}, 60),
    "cui2021-groups": ({"L": (8, 12, 16, 20)}, {}, 60),
    "cui2021-n1000": ({"L": (90, 150)}, {}, 2),
    "cui2021-n1000-single-group": ({"L": (90, 150)}, {}, 2),
    "cui2021-n1000-groups": ({"L": (90, 150)}, {}, 2),
    "fengler2021": ({"M": (25, 100)}, {"n_active": 75, "N": 500, "L": 50}, 3),
    "marata2024": ({"L": (32, 64)}, {}, 6),
    "fast-cd": ({"L": (60, 100)}, {}, 4),
    "li2022": ({"L": (7, 8)}, {}, 60),
    "liu2018": ({"M": (16, 64)}, {"n_active": 50, "N": 1000, "L": 48}, 3),
    "umi": ({"L": (8, 12, 16)}, {}, 200),
}


def scenario_of(name):
    if name != "umi":
        return mmv.named_scenario(name).scenario
    from mmvsolvers_nn.channels import TR38901

    return mmv.Scenario(N=100, L=12, M=8, activity=mmv.IndependentActivity(0.1), channel=TR38901(), noise_var=0.1)


def measure(name):
    sweep, cut, n_samples = PLANS[name]
    (scenario,) = grid(scenario_of(name), {field: [value] for field, value in cut.items()})
    samples = Samples(n_train=n_samples, n_test=n_samples, n_draws=3)
    options = {solver.name: {"tol": TOL, "max_iter": MAX_ITER} for solver in all_solvers(groups=True)}
    rows = []
    for row in compare(grid(scenario, sweep), samples, options=options):
        rows.append(row)
        print(name, row.scenario.describe(), row.solver.name, row.evaluation.error_rate, flush=True)
    said = {"scenario": name, "cut": " ".join(f"{field}={value}" for field, value in cut.items()) or "none"}
    write_csv(HERE / f"{name}.csv", [said | record for record in records(rows, samples)])
    draw_figure(HERE / f"{name}.png", rows, list(sweep))


if __name__ == "__main__":
    for name in sys.argv[1:] or PLANS:
        measure(name)
