"""What devices gain at N=1000 by telling each other what they saw: ``python -m bench.thousand``.

L=110 and 150, M=16, p=0.1, σ²=0.1; a single group of 100 active devices, and 200 groups of five. The networks are
trained here, in two to four minutes of one core each, and kept in ``--runs`` only: a million couplings take 4 MB.
Classical solvers see Gaussian pilots, as many draws of them as ``--draws``; AMP is told ε, ML σ². Rows go to
``results/thousand.csv`` as soon as they are measured, and their table into ``README.md`` at the end; a run that was
stopped goes on where it was.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np

import mmvsolvers as mmv
from bench.markdown import insert, table
from bench.recipes import width
from mmvsolvers.metrics import rate_of_counts, squared_errors
from mmvsolvers.writing import write_table

TABLE = Path(__file__).parent / "results" / "thousand.csv"
CASES = {"single group": mmv.SingleActiveGroup(0.1), "groups": mmv.GroupActivity(0.1, 200)}
LENGTHS = 110, 150
COLUMNS = (
    *("case", "L", "decoder", "pilots", "samples", "errors", "error_rate", "error_low", "error_high"),
    *("mse", "mse_width", "cpu_ms"),
)
# Couplings start from the correlation of 10,000 activities, as a log of the past shows them; pilots from random ones.
ARCHITECTURES = {
    "coupled_mmse_nn": {"coupling": "correlation"},
    "amp_nn": {"U": 50, "averaged": False},
}
TRAINING = {
    "fresh": True,
    "schedule": "cosine",
    "clip_norm": 1.0,
    "batch_size": 8,
    "n_train": 80,
    "n_validation": 40,
    "max_epochs": 15,
    "patience": 15,
    "learning_rate": 5e-4,
    "pilot_learning_rate": 2e-2,
}
STAGES = {"amp_nn": ((12, 14),)}


def configuration(scheme, case, L):
    """Return what is trained."""
    from mmvsolvers_nn import Architecture, Configuration, Optimisation

    return Configuration(
        scenario=mmv.Scenario(N=1000, L=L, M=16, activity=CASES[case], noise_var=0.1),
        architecture=Architecture(scheme=scheme, start="unit_norm", **ARCHITECTURES[scheme]),
        optimisation=Optimisation(**TRAINING, curriculum=STAGES.get(scheme, ())),
    )


def trained(runs, scheme, case, L):
    """Return a network as a solver."""
    from mmvsolvers_nn import train
    from mmvsolvers_nn.evaluation import LearnedSolver

    wanted = configuration(scheme, case, L)
    return LearnedSolver(train(wanted, runs / f"{scheme}-{case}-{L}".replace(" ", "-"), device="cpu"), wanted)


def measure(solve, scenario, pilots, n_train, n_test, seed):
    """Return wrong decisions and squared error of every test sample, and the processor time of one, in ms."""
    errors, squares, spent = [], [], 0.0
    for k, A in enumerate(pilots):
        rng = np.random.default_rng((seed, k))
        train, test = (scenario.draw(rng, T // len(pilots), pilots=A, dtype=np.complex64) for T in (n_train, n_test))
        threshold = mmv.best_threshold(solve(train).score, train.activity)
        start = time.process_time()
        found = solve(test)
        spent += time.process_time() - start
        errors.append(np.sum((found.score > threshold) != test.activity, axis=1))
        # What is found is judged as it is; of a detector, the signals that are likeliest where it sees devices.
        X = mmv.mmse_estimate(test.A, test.Y, 0.1, found.score > threshold) if found.X is None else found.X
        squares.append(squared_errors(X, test.X))
    return np.concatenate(errors), np.concatenate(squares), 1e3 * spent / n_test


def row_of(errors, squares, spent):
    """Return the columns that hold figures; the error rate with its 95 % interval over samples."""
    rate = rate_of_counts(errors.astype(float), np.full(errors.size, 1000.0))
    return {
        "samples": errors.size,
        "errors": int(errors.sum()),
        "error_rate": f"{rate.mean:.3g}",
        "error_low": f"{rate.low:.3g}",
        "error_high": f"{rate.high:.3g}",
        "mse": f"{squares.mean():.5g}",
        "mse_width": f"{width(squares):.2g}",
        "cpu_ms": f"{spent:.3g}",
    }


def classical(case):
    """Return the classical decoders, by name: functions of the data."""
    return {
        "ML": lambda d: mmv.ml_cd(d.A, d.Y, d.noise_var),
        "AMP": lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob),
        "AMP, groups": lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob, groups=d.groups),
    }


LABELS = {"coupled_mmse_nn": "coupled MMSE-NN", "amp_nn": "AMP-NN"}


def report(rows):
    """Put the table into ``README.md``."""
    heads = ("case", "L", "decoder", "pilots", "samples", "wrong decisions", "error rate, 95 %", "MSE", "processor ms")
    lines = []
    for row in sorted(rows, key=lambda row: (row["case"] != "single group", int(row["L"]))):
        errors = f"{row['error_rate']} [{row['error_low']}, {row['error_high']}]"
        mse = f"{row['mse']} ± {row['mse_width']}"
        place = row["case"], row["L"], LABELS.get(row["decoder"], row["decoder"]), row["pilots"]
        lines.append((*place, row["samples"], row["errors"], errors, mse, row["cpu_ms"]))
    insert("thousand", table(heads, lines))


def main():
    """Train and measure what is missing in the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("thousand"), help="folder of the trainings")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--threshold-samples", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4, help="of Gaussian pilots")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    rows = list(csv.DictReader(TABLE.open())) if TABLE.exists() else []
    done = {(row["case"], int(row["L"]), row["decoder"]) for row in rows}
    decoders = ("coupled_mmse_nn", "ML", "amp_nn", "AMP", "AMP, groups")
    tasks = [(case, L, name) for name in decoders for L in LENGTHS for case in CASES]
    for case, L, name in tasks:
        if (case, L, name) in done:
            continue
        scenario = mmv.Scenario(N=1000, L=L, M=16, activity=CASES[case], noise_var=0.1)
        place = {"case": case, "L": L, "decoder": name, "pilots": "Gaussian"}
        rng = np.random.default_rng(L)
        pilots = [mmv.draw_pilots(rng, L, 1000) for _ in range(chosen.draws)]
        if name in ARCHITECTURES:
            learned = trained(chosen.runs, name, case, L)
            place["pilots"], solve, pilots = "learned", learned.solve, [learned.pilots]
        else:
            solve = classical(case)[name]
        sizes = chosen.threshold_samples, chosen.samples
        place |= row_of(*measure(solve, scenario, pilots, *sizes, seed=L))
        print(place, flush=True)
        rows.append(place)
        write_table(TABLE, COLUMNS, ([row.get(column, "") for column in COLUMNS] for row in rows))
    report(rows)


if __name__ == "__main__":
    main()
