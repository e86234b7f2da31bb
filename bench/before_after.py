"""This working tree beside a revision of it: ``python -m bench.before_after REV``.

Every solver runs its fixed number of iterations on one thread, in two processes that take turns. The ratio of a case is
the median of the ratios of turns that follow each other; above 1, the working tree is slower than the revision. Beside
it stands the ratio of the least times, which other work on the machine does not touch.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.revisions import ROOT, tree_of

OUTPUT = Path(__file__).parent / "results" / "before_after.csv"
# N, L, M, T
SCENES = ((1000, 150, 16, 2), (1000, 150, 16, 1), (100, 12, 4, 100), (100, 12, 4, 1))
TURNS = 15
# Uses nothing but public functions and NumPy, so that any revision runs it. A turn is repeated until it takes so long.
WORKER = """
import json, sys, time, warnings
import numpy as np
import mmvsolvers as mmv
warnings.simplefilter("ignore")
LEAST = 0.02

def problem(N, L, M, T):
    rng = np.random.default_rng((N, L, M, T))
    normal = lambda *shape: (rng.standard_normal((*shape, 2)) @ [1, 1j]) / np.sqrt(2)
    A, active = normal(L, N), rng.random((T, N, 1)) < 0.1
    return A, A @ (active * normal(T, N, M)) + np.sqrt(0.1) * normal(T, L, M)

print(mmv.__file__, flush=True)
for line in sys.stdin:
    name, scene, options, repeats = json.loads(line)
    A, Y = problem(*scene)
    try:
        solve = getattr(mmv, name)
        if not repeats:
            solve(A, Y, **options)
            start = time.perf_counter()
            solve(A, Y, **options)
            print(max(1, round(LEAST / (time.perf_counter() - start))), flush=True)
            continue
        start = time.perf_counter()
        for _ in range(repeats):
            solve(A, Y, **options)
        print((time.perf_counter() - start) / repeats, flush=True)
    except (AttributeError, TypeError) as error:
        print("absent", flush=True)
"""


class Side:
    """A process that runs the solvers of one tree."""

    def __init__(self, tree: Path) -> None:
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = os.environ | dict.fromkeys(threads, "1") | {"PYTHONPATH": str(tree)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tree,
        )
        if not Path(self._line()).is_relative_to(tree):
            raise RuntimeError(f"the solvers of {tree} cannot be loaded")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self, *case: Any) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        return self._line()


def compare(
    before: Side, after: Side, name: str, scene: tuple[int, ...], turns: int, max_iter: int | None
) -> list[Any] | None:
    """Return the line of a case, or None where the revision lacks the solver."""
    solver = mmv.SOLVERS[name]
    options = solver.example | {"max_iter": max_iter or min(solver.paper_iterations or 50, 100), "tol": 0.0}
    case = (name, scene, options)
    repeats = [side.run(*case, 0) for side in (before, after)]
    if "absent" in repeats:
        return None
    times: list[list[float]] = []
    for turn in range(turns):
        order = (before, after) if turn % 2 else (after, before)
        spent = {side: float(side.run(*case, int(repeats[0]))) for side in order}
        times.append([spent[before], spent[after]])
    seconds = np.array(times)
    ratios = seconds[:, 1] / seconds[:, 0]
    low, high = np.quantile(ratios, [0.25, 0.75])
    sizes = "N={}, L={}, M={}, T={}".format(*scene)
    least = seconds.min(axis=0)
    found = [np.median(ratios), low, high, least[1] / least[0], *np.median(seconds, axis=0)]
    return [name, sizes, *(f"{number:.4g}" for number in found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--max-iter", type=int, help="in the place of the paper's iterations, or 50")
    parser.add_argument("--solver", action="append", choices=list(mmv.SOLVERS))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    tree = tree_of(options.revision)
    rows: list[list[Any]] = []
    with Side(tree) as before, Side(ROOT) as after:
        for scene in SCENES:
            for name in options.solver or mmv.SOLVERS:
                row = compare(before, after, name, scene, options.turns, options.max_iter)
                if row:
                    rows.append(row)
                    print(*row, sep="   ", flush=True)
    medians = [float(np.median([float(row[place]) for row in rows])) for place in (2, 5)]
    told = "{:.3f}, of the least times {:.3f}".format(*medians)
    print(f"median of {len(rows)} ratios: {told}")
    with options.output.open("w", newline="") as stream:
        known = conditions() | {"before": options.revision, "median of the ratios": told}
        stream.writelines(f"# {key}: {value}\n" for key, value in known.items())
        writer = csv.writer(stream)
        writer.writerow(
            ["solver", "scene", "ratio", "lower_quartile", "upper_quartile", "least", "before_s", "after_s"]
        )
        writer.writerows(rows)


if __name__ == "__main__":
    main()
