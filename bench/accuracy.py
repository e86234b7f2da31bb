"""How well the solvers do, beside an independent implementation: ``python -m bench.accuracy``.

N=100, M=4, p=0.1, p1/p2=3, σ²=0.1, i.i.d. CN(0, 1) pilots. The reference figures are those of an independent
implementation, one draw of the pilots, 100 samples, 15 to 60 sweeps, each threshold the best one for the very samples
it is judged on; so are ours here, over many draws. ``z``: by how many spreads of ours, over draws of 100 samples each,
a reference figure lies off our mean. The eight figures of one length come from one draw, and so err together.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions

LENGTHS = (8, 12, 16, 20)
ERROR_RATE, MSE = "error rate", "MSE"
# Reference figures at the four lengths, and how they are computed here. AMP is told p, not p1 and p2, as in the paper.
Solve = Callable[[mmv.MMVData], mmv.SolverResult]
AMP: Solve = lambda data: mmv.amp_mmse(  # noqa: E731
    data.A, data.Y, 0.1, max_iter=50, tol=0, damping=1.0, column_scaling="sqrt_length"
)
GROUP_LASSO: Solve = lambda data: mmv.group_lasso_bcd(data.A, data.Y, 2.0, max_iter=60, tol=0)  # noqa: E731
ML: Solve = lambda data: mmv.ml_cd(data.A, data.Y, 0.1, max_iter=60, tol=0)  # noqa: E731
REFERENCE: dict[tuple[str, str], tuple[Solve, tuple[float, ...]]] = {
    ("ML", ERROR_RATE): (ML, (0.083, 0.040, 0.005, 0.0005)),
    ("MAP (true ε)", ERROR_RATE): (
        lambda data: mmv.map_cd(data.A, data.Y, 0.1, data.activity_prob, max_iter=60, tol=0),
        (0.075, 0.035, 0.005, 0.0006),
    ),
    ("AMP (p)", ERROR_RATE): (AMP, (0.091, 0.086, 0.040, 0.017)),
    ("GROUP LASSO (λ=2)", ERROR_RATE): (GROUP_LASSO, (0.080, 0.060, 0.027, 0.014)),
    ("covariance LASSO", ERROR_RATE): (
        lambda data: mmv.covariance_lasso(data.A, data.Y, noise_var=0.1, max_iter=60, tol=0),
        (0.088, 0.078, 0.059, 0.051),
    ),
    ("ML-MMSE", MSE): (
        lambda data: mmv.ml_mmse(
            data.A, data.Y, 0.1, threshold=mmv.best_threshold(ML(data).score, data.activity), max_iter=60, tol=0
        ),
        (0.48, 0.20, 0.025, 0.0065),
    ),
    ("AMP (p)", MSE): (AMP, (0.37, 0.34, 0.139, 0.061)),
    ("GROUP LASSO (λ=2)", MSE): (GROUP_LASSO, (0.30, 0.23, 0.119, 0.084)),
}


def measure(solve: Solve, figure: str, data: mmv.MMVData) -> float:
    """Return one figure of a solver on one draw of the pilots."""
    result = solve(data)
    if figure == MSE:
        assert result.X is not None
        return float(mmv.mse(result.X, data.X))
    threshold = mmv.best_threshold(result.score, data.activity)
    return float(mmv.error_rate(result.score > threshold, data.activity))


def rows(n_draws: int, n_samples: int, seed: int) -> list[list[Any]]:
    """Measure all figures at all lengths."""
    activity = mmv.IndependentActivity(0.1, ratio=3)
    table: list[list[Any]] = []
    for position, L in enumerate(LENGTHS):
        rng = np.random.default_rng((seed, L))
        draws = [
            mmv.generate(rng, N=100, L=L, M=4, T=n_samples, noise_var=0.1, activity=activity) for _ in range(n_draws)
        ]
        for (name, figure), (solve, references) in REFERENCE.items():
            found = np.array([measure(solve, figure, data) for data in draws])
            estimate, spread = mmv.Estimate.of(found), found.std(ddof=1)
            reference = references[position]
            z = (reference - estimate.mean) / spread
            table.append([L, name, figure, reference, estimate.mean, estimate.low, estimate.high, spread, z])
            print(
                f"{L:3d}  {name:18s} {figure:10s} {reference:8.4g}  {estimate!s:22s} {spread:8.2g}  {z:5.1f}",
                flush=True,
            )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20, help="of the pilots")
    parser.add_argument("--samples", type=int, default=100, help="a draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "accuracy.csv")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", mmv.DivergenceWarning)
    print("  L  solver             figure     reference  measured, 95 %         spread      z")
    table = rows(chosen.draws, chosen.samples, chosen.seed)
    with chosen.output.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        stream.write(f"# command: {' '.join(['python -m bench.accuracy', *sys.argv[1:]])}\n")
        writer = csv.writer(stream)
        writer.writerow(["L", "solver", "figure", "reference", "mean", "low", "high", "spread_of_a_draw", "z"])
        writer.writerows(table)
    off = np.abs([row[-1] for row in table])
    print(f"of {len(off)} reference figures {(off <= 2).sum()} lie within 2 spreads, {(off <= 3).sum()} within 3")
    print(f"wrote {chosen.output}")


if __name__ == "__main__":
    main()
