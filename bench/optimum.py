"""How far the solvers are from the optimum: ``python -m bench.optimum`` writes ``bench/results/optimum.csv``.

N=100, M=4, p=0.1, σ²=0.1, Gaussian pilots. Every draw of the pilots is a row as soon as it is measured; a run that was
stopped goes on where it was. Ratios are on the same data, their 95 % intervals from a jackknife over the draws.
"""

import csv
import io
import time
import warnings
from pathlib import Path

import numpy as np

import mmvsolvers as mmv
from mmvsolvers.writing import write_text

PATH = Path(__file__).parent / "results" / "optimum.csv"
N_DRAWS, N_TRAIN, N_TEST = 8, 500, 1300
CASES = {
    "independent": (mmv.IndependentActivity(0.1, ratio=3.0), (12, 16, 20)),
    "groups": (mmv.GroupActivity(0.1, 20), (12,)),
    "single group": (mmv.SingleActiveGroup(0.1), (8, 12, 20)),
}
COLUMNS = ("case", "L", "draw", "decoder", "samples", "error_rate", "mse", "ms", "agree", "expected_error_rate")


def decoders(activity, data):
    """Return the decoders of a case, by name: functions of the data."""
    given = (data.noise_var, data.activity_prob)
    labels = data.groups

    def gibbs(sweeps, groups=None):
        return lambda d: mmv.gibbs(d.A, d.Y, *given, groups=groups, max_iter=sweeps)

    chosen = {
        "map_cd": lambda d: mmv.map_cd(d.A, d.Y, *given),
        "amp_mmse": lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob),
        "gibbs": gibbs(400),
        "gibbs, 1600 sweeps": gibbs(1600),
    }
    if labels is not None:
        told = {"groups": labels, "max_iter": 30, "tol": 0.0}
        chosen = {
            "map_cd": chosen["map_cd"],
            "amp_mmse": chosen["amp_mmse"],
            "amp_mmse, groups": lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob, damping=1.0, **told),
        }
        if isinstance(activity, mmv.SingleActiveGroup):
            return chosen | {"exact": lambda d: mmv.bayes(activity, d)}
        chosen |= {
            "map_cd, groups": lambda d: mmv.map_cd(d.A, d.Y, *given, groups=labels),
            "gibbs, groups": gibbs(400, labels),
        }
    return chosen


def measure(case, L, draw):
    """Return the rows of one draw of the pilots."""
    activity, _ = CASES[case]
    rng = np.random.default_rng((list(CASES).index(case), L, draw))
    scene = {"N": 100, "L": L, "M": 4, "noise_var": 0.1, "activity": activity}
    train = mmv.generate(rng, T=N_TRAIN, **scene)
    test = mmv.generate(rng, T=N_TEST, pilots=train.A, **scene)
    rows = []
    for name, decode in decoders(activity, train).items():
        sure = "gibbs" in name or name == "exact"
        threshold = 0.5 if sure else mmv.best_threshold(decode(train).score, train.activity)
        start = time.perf_counter()
        found = decode(test)
        spent = (time.perf_counter() - start) / test.T * 1e3
        X = found.X
        if X is None:
            X = mmv.mmse_estimate(test.A, test.Y, test.noise_var, found.score > threshold)
        rows.append(
            {
                "case": case,
                "L": L,
                "draw": draw,
                "decoder": name,
                "samples": test.T,
                "error_rate": np.mean((found.score > threshold) != test.activity),
                "mse": float(mmv.mse(X, test.X)),
                "ms": round(spent, 3),
                "agree": found.converged.mean() if "gibbs" in name else "",
                "expected_error_rate": np.minimum(found.score, 1 - found.score).mean() if sure else "",
            }
        )
    return rows


def ratio(found, wanted):
    """Return the ratio of two means over the draws, and the half width of its 95 % interval by the jackknife."""
    from scipy.stats import t

    n = found.size
    left_out = (found.sum() - found) / (wanted.sum() - wanted)
    spread = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    return found.sum() / wanted.sum(), t.ppf(0.975, n - 1) * spread


def report(rows):
    """Print means over the draws, and ratios to the first decoder of every case."""
    for case, L in dict.fromkeys((row["case"], int(row["L"])) for row in rows):
        here = [row for row in rows if (row["case"], int(row["L"])) == (case, L)]
        names = list(dict.fromkeys(row["decoder"] for row in here))
        column = {
            (name, key): np.array([float(row[key]) for row in here if row["decoder"] == name])
            for name in names
            for key in ("error_rate", "mse", "ms")
        }
        print(f"\n{case}, L={L}, {sum(int(row['samples']) for row in here if row['decoder'] == names[0])} samples")
        for name in names:
            error, width = ratio(column[name, "error_rate"], column[names[0], "error_rate"])
            mse, mse_width = ratio(column[name, "mse"], column["amp_mmse", "mse"])
            print(
                f"  {name:20} errors {column[name, 'error_rate'].mean():.5f}, of map_cd's {error:.3f} ± {width:.3f}; "
                f"MSE {column[name, 'mse'].mean():.4f}, of amp_mmse's {mse:.3f} ± {mse_width:.3f}; "
                f"{column[name, 'ms'].mean():.2f} ms"
            )


def main():
    """Measure what is missing in the file, then report."""
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    warnings.simplefilter("ignore", mmv.DivergenceWarning)
    rows = list(csv.DictReader(PATH.open())) if PATH.exists() else []
    done = {(row["case"], int(row["L"]), int(row["draw"])) for row in rows}
    tasks = [(case, L, draw) for draw in range(N_DRAWS) for case, (_, lengths) in CASES.items() for L in lengths]
    for task in tasks:
        if task not in done:
            print("measuring", *task, flush=True)
            rows += measure(*task)
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
            write_text(PATH, table.getvalue())
    report(rows)


if __name__ == "__main__":
    main()
