"""The mixed-norm estimate of M/EEG sources, by our adapter and by MNE-Python: ``python -m bench.mixed_norm``.

Random gain, two sources, white noise; α as a share of the one at which all sources vanish. The least processor time of
interleaved runs on one thread counts, and only where neither objective is above the other's by more than 1e-7 of it.
"""

import csv
import time
from pathlib import Path

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from bench.conditions import conditions
from mmvsolvers.adapters.mne import mixed_norm_solver as ours

OUTPUT = Path(__file__).parent / "results" / "mixed_norm.csv"
SENSORS, POSITIONS, TIMES, RUNS = 60, 300, 50, 6
COLUMNS = ("orientations", "share", "active", "ours_ms", "mne_ms", "ratio", "excess")


def problem(n_orient):
    """Return whitened data (SENSORS, TIMES) and gain (SENSORS, POSITIONS * n_orient)."""
    rng = np.random.default_rng(n_orient)
    G = rng.standard_normal((SENSORS, POSITIONS * n_orient))
    X = np.zeros((POSITIONS, n_orient, TIMES))
    for position in (20, 150):
        X[position] = rng.standard_normal((n_orient, 1)) * np.sin(np.linspace(0, 6, TIMES) + position)
    return G @ X.reshape(-1, TIMES) + rng.standard_normal((SENSORS, TIMES)), G


def objective(M, G, alpha, n_orient, X, active_set):
    """Return ½‖M - GX‖² + α Σ ‖X_p‖ of what a solver returned."""
    lengths = np.linalg.norm(X.reshape(-1, n_orient * M.shape[1]), axis=1)
    return 0.5 * np.square(M - G[:, active_set] @ X).sum() + alpha * lengths.sum()


def contest(n_orient, share):
    """Return a row of the table."""
    from mne.inverse_sparse.mxne_optim import mixed_norm_solver as theirs

    M, G = problem(n_orient)
    alpha = share * np.linalg.norm((G.T @ M).reshape(POSITIONS, -1), axis=1).max()
    _, active_set, least = ours(M, G, alpha, n_orient=n_orient)
    runs = (
        lambda: ours(M, G, alpha, n_orient=n_orient, tol=1e-8)[:2],
        lambda: theirs(M, G, alpha, n_orient=n_orient, tol=1e-8 * least, debias=False, verbose=False)[:2],
    )
    spent = ([], [])
    for _ in range(RUNS):
        for run, seconds in zip(runs, spent, strict=True):
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
    reached = [objective(M, G, alpha, n_orient, *run()) for run in runs]
    excess = (reached[0] - reached[1]) / reached[1]
    if abs(excess) > 1e-7:
        raise RuntimeError(f"the objectives differ: {reached[0]!r} and {reached[1]!r}")
    milliseconds = [1e3 * min(seconds) for seconds in spent]
    ratio = milliseconds[1] / milliseconds[0]
    return (
        n_orient,
        share,
        int(active_set.sum()),
        *(f"{ms:.2f}" for ms in milliseconds),
        f"{ratio:.2f}",
        f"{excess:.1e}",
    )


def main():
    """Measure, print and write the table."""
    numba.set_num_threads(1)
    with threadpool_limits(1):
        rows = [contest(n_orient, share) for n_orient in (1, 3) for share in (0.5, 0.1)]
    for row in (COLUMNS, *rows):
        print(("{!s:>14}" * len(row)).format(*row))
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        csv.writer(stream).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
