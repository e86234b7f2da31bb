"""Which ways of training make a network better than the solver that it unrolls: ``python -m bench.recipes``.

N=100, M=4, σ²=0.1. Every recipe trains a network anew, in ``--runs``, or takes one of ``examples/weights``, and is
measured on fresh samples beside the classical solver over the pilots that it learned; both see the same samples, so
that their difference has an interval of its own. Rows go to ``results/recipes.csv`` as soon as they are measured; a run
that was stopped goes on where it was.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np

import mmvsolvers as mmv
from bench.markdown import insert, table
from mmvsolvers.metrics import squared_errors
from mmvsolvers.writing import write_table

TABLE = Path(__file__).parent / "results" / "recipes.csv"
WEIGHTS = Path(__file__).parents[1] / "examples" / "weights"
COLUMNS = (
    *("case", "recipe", "seed", "cpu_s", "samples", "error_rate", "error_width"),
    *("solver", "solver_error_rate", "error_difference", "error_difference_width"),
    *("mse", "mse_width", "solver_mse", "mse_difference", "mse_difference_width"),
)
INDEPENDENT, SINGLE = mmv.IndependentActivity(0.1, ratio=3.0), mmv.SingleActiveGroup(0.1)
GROUPS, RARE = mmv.GroupActivity(0.1, n_groups=20), mmv.IndependentActivity(0.05, ratio=3.0)

# Scheme, activity, pilot length, solver, and what all recipes of a case share: architecture, optimisation.
AMP = {"U": 50, "averaged": False, "prior": "true"}, {"learning_rate": 0.03, "n_train": 4800, "curriculum": ((10, 19),)}
LASSO = {"U": 100, "rho": 1.5}, {"learning_rate": 0.03, "n_train": 4800, "curriculum": ((30, 19),)}
MAP = {"U": 20, "prior": "true"}, {"learning_rate": 0.004, "n_train": 3840, "curriculum": ((8, 19),)}
CASES = {
    "AMP-NN, independent": ("amp_nn", INDEPENDENT, 12, "amp_mmse", *AMP),
    "AMP-NN, single group": ("amp_nn", SINGLE, 12, "amp_mmse", {"U": 50, "averaged": False}, AMP[1]),
    "GROUP LASSO-NN, single group": ("group_lasso_nn", SINGLE, 12, "group_lasso_bcd", *LASSO),
    "GROUP LASSO-NN, independent": ("group_lasso_nn", INDEPENDENT, 12, "group_lasso_bcd", *LASSO),
    "MAP-NN, independent": ("map_nn", INDEPENDENT, 12, "map_cd", *MAP),
    "MAP-NN, groups": ("map_nn", GROUPS, 12, "map_cd", {"U": 20}, MAP[1]),
    "MAP-NN, independent, p=0.05": ("map_nn", RARE, 20, "ml_cd", *MAP),
    "coupled MMSE-NN, single group": ("coupled_mmse_nn", SINGLE, 12, "map_cd", {}, {}),
    "coupled MMSE-NN, independent": ("coupled_mmse_nn", INDEPENDENT, 12, "map_cd", {}, {}),
}
# At 0.03, the rate of the pilots, all units of a correction part's last hidden layer fall silent, for good.
SLOW = {"correction_learning_rate": 0.001}
# Where AMP does not converge it circles: a mean of its iterates errs less than any of them.
MEAN = {"averaged": True}
# What each recipe changes; or the name of weights that are there.
RECIPES = {
    "AMP-NN, single group": {
        "committed": "amp_nn-single-group",
        "50 iterations": ({}, {}),
        "200 iterations": ({"U": 200}, {}),
        "averaged, slow correction": (MEAN, SLOW),
        "averaged, 20 iterations": (MEAN | {"U": 20}, SLOW | {"curriculum": ()}),
        "averaged, slow correction, from Gaussian pilots": (MEAN | {"start": "gaussian"}, SLOW),
        "averaged, slow correction, from orthogonal groups": (MEAN | {"start": "orthogonal"}, SLOW),
    },
    "GROUP LASSO-NN, single group": {
        "committed": "group_lasso_nn-single-group",
        "30 iterations, slow correction": (
            {"U": 30},
            SLOW | {"learning_rate": 0.003, "pilot_learning_rate": 0.03, "curriculum": ()},
        ),
        "100 iterations, slow correction": ({}, SLOW),
    },
    "GROUP LASSO-NN, independent": {"committed": "group_lasso_nn-independent"},
    "AMP-NN, independent": {
        "committed": "amp_nn-independent",
        "averaged, slow correction": (MEAN, SLOW),
    },
    "MAP-NN, independent": {"committed": "map_nn-independent"},
    "MAP-NN, groups": {
        "committed": "map_nn-groups",
        "from Gaussian pilots": ({"start": "gaussian"}, {}),
        "committed, from pilots shared in groups": "map_nn-groups-shared",
    },
    "coupled MMSE-NN, single group": {"committed": "coupled_mmse_nn-single-group"},
    "coupled MMSE-NN, independent": {"committed": "coupled_mmse_nn-independent"},
    "MAP-NN, independent, p=0.05": {
        "20 sweeps": ({}, {}),
        "slow correction": ({}, SLOW),
        "20 sweeps, no correction": ({"V": 0}, {}),
    },
}


def configuration(case, recipe, seed):
    """Return what a recipe trains."""
    from mmvsolvers_nn import Architecture, Configuration, Optimisation

    scheme, activity, L, _, architecture, optimisation = CASES[case]
    shape, way = RECIPES[case][recipe]
    shape = {"scheme": scheme} | architecture | shape
    common = {"fresh": True, "batch_size": 64, "clip_norm": 1.0, "schedule": "cosine", "max_epochs": 20, "patience": 20}
    return Configuration(
        scenario=mmv.Scenario(N=100, L=L, M=4, activity=activity, noise_var=0.1),
        architecture=Architecture(**shape),
        optimisation=Optimisation(seed=seed, **common | optimisation | way),
    )


def trained(case, recipe, seed, runs):
    """Return a network made by a recipe, its configuration and how long its training took, in the processor's seconds.

    Nothing is trained for weights that are there.
    """
    from mmvsolvers_nn import load_weights, train

    if isinstance(RECIPES[case][recipe], str):
        return *load_weights(WEIGHTS / RECIPES[case][recipe]), ""
    wanted = configuration(case, recipe, seed)
    folder = f"{case}-{recipe}".replace(",", "").replace(" ", "-").replace("=", "").replace(".", "")
    start = time.process_time()
    model = train(wanted, runs / f"{folder}-{seed}", device="cpu")
    return model, wanted, round(time.process_time() - start)


def measure(learned, solver, scenario, n_train, n_test, seed):
    """Return the errors and squared errors of a network and of a solver over its pilots, a sample each."""
    rng = np.random.default_rng((seed, 2))
    train, test = (scenario.draw(rng, T, pilots=learned.pilots, dtype=np.complex64) for T in (n_train, n_test))
    found = []
    for decoder in (learned, solver):
        threshold = mmv.best_threshold(decoder.solve(train).score, train.activity)
        result = decoder.solve(test)
        errors = np.mean((result.score > threshold) != test.activity, axis=1)
        squares = None if result.X is None else squared_errors(result.X, test.X)
        found.append((errors, squares))
    return found


def width(values):
    """Return half the width of the 95 % interval of a mean."""
    found = mmv.Estimate.of(values)
    return (found.high - found.low) / 2


def row_of(found):
    """Return the columns that hold figures."""
    (errors, squares), (solver_errors, solver_squares) = found
    difference = errors - solver_errors
    row = {
        "samples": errors.size,
        "error_rate": errors.mean(),
        "error_width": width(errors),
        "solver_error_rate": solver_errors.mean(),
        "error_difference": difference.mean(),
        "error_difference_width": width(difference),
    }
    if squares is not None:
        row |= {"mse": squares.mean(), "mse_width": width(squares)}
    if squares is not None and solver_squares is not None:
        difference = squares - solver_squares
        row |= {"solver_mse": solver_squares.mean(), "mse_difference": difference.mean()}
        row["mse_difference_width"] = width(difference)
    return row


def report(rows):
    """Put the table into ``README.md``."""
    heads = ("case", "recipe", "training, s", "samples", "error rate", "less that of the solver", "MSE", "less")
    lines = []
    for row in rows:
        number = {name: float(row[name]) for name in COLUMNS[5:] if name != "solver" and row.get(name)}
        digits = 5 if number["error_rate"] > 1e-4 else 6
        error = f"{number['error_rate']:.{digits}f} ± {number['error_width']:.{digits}f}"
        error_less = f"{number['error_difference']:+.5f} ± {number['error_difference_width']:.5f} ({row['solver']})"
        mse = f"{number['mse']:.4f}" if "mse" in number else ""
        if "mse_width" in number:
            mse = f"{number['mse']:.5f} ± {number['mse_width']:.5f}"
        less = ""
        if "mse_difference" in number:
            less = f"{number['mse_difference']:+.4f} ± {number['mse_difference_width']:.4f}"
        lines.append((row["case"], row["recipe"], row["cpu_s"], row["samples"], error, error_less, mse, less))
    insert("recipes", table(heads, lines))


def main():
    """Train and measure what is missing in the table."""
    from mmvsolvers_nn.evaluation import LearnedSolver

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("recipes"), help="folder of the trainings")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases or recipes with this in their name")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    rows = list(csv.DictReader(TABLE.open())) if TABLE.exists() else []
    done = {(row["case"], row["recipe"], int(row["seed"])) for row in rows}
    for case, recipe in ((case, recipe) for case, recipes in RECIPES.items() for recipe in recipes):
        if (case, recipe, chosen.seed) in done or chosen.only not in f"{case}: {recipe}":
            continue
        print(f"{case}: {recipe}", flush=True)
        model, wanted, cpu_s = trained(case, recipe, chosen.seed, chosen.runs)
        place = {"case": case, "recipe": recipe, "seed": chosen.seed, "solver": CASES[case][3], "cpu_s": cpu_s}
        solver = mmv.SOLVERS[CASES[case][3]]
        found = measure(LearnedSolver(model, wanted), solver, wanted.scenario, 5000, chosen.samples, chosen.seed)
        figures = {name: f"{value:.6g}" for name, value in row_of(found).items()}
        print("   ", ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
        rows.append(place | figures)
        rows.sort(key=lambda row: list(CASES).index(row["case"]))
        write_table(TABLE, COLUMNS, ([row.get(column, "") for column in COLUMNS] for row in rows))
        report(rows)


if __name__ == "__main__":
    main()
