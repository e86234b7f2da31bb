"""What importing and the first call of every solver cost, with and without a cache.

``python -m bench.first_call [REV]`` measures a revision too, in turns with the working tree: for where the machine is
another than that of earlier figures. Seconds are those of the processor, the least of all turns.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.revisions import ROOT, tree_of

IMPORT = "import time; start = time.process_time(); import mmvsolvers; print(time.process_time() - start)"
CALL = """
import sys, time
import numpy as np
import mmvsolvers as mmv
rng = np.random.default_rng(0)
data = mmv.generate(rng, N=20, L=10, M=2, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
solver = mmv.SOLVERS[sys.argv[1]]
start = time.process_time()
from numba.core import event
with event.install_recorder("numba:compile") as recorded:
    solver.run(data.A, data.Y, **solver.example | {"max_iter": 2, "tol": 0.0})
print(time.process_time() - start, sum(found.is_start for _, found in recorded.buffer))
"""
OUTPUT = Path(__file__).parent / "results" / "first_call.csv"


def run(code: str, *arguments: str, cache: str | None = None, tree: Path = ROOT) -> list[float]:
    """Run code in a process of its own and return the numbers that it prints."""
    environment = os.environ | {"PYTHONPATH": str(tree)} | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tree,
    )
    return [float(word) for word in done.stdout.split()]


def first_calls(name: str, tree: Path) -> tuple[float, float, float]:
    """Return the seconds of a solver's first call, the functions compiled for it, and the seconds with a cache."""
    with tempfile.TemporaryDirectory() as cache:
        (cold, compiled), (warm, _) = (run(CALL, name, cache=cache, tree=tree) for _ in range(2))
    return cold, compiled, warm


def columns(name: str, trees: list[Path], turns: int) -> list[str]:
    """Return the least times of several turns, and the number of functions compiled, in one tree after the other."""
    found = [[first_calls(name, tree) for tree in trees] for _ in range(turns)]
    words = []
    for calls in zip(*found, strict=True):
        cold, compiled, warm = map(min, zip(*calls, strict=True))
        words += [f"{cold:.2f}", f"{compiled:.0f}", f"{warm:.3f}"]
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?", help="measure it too, in turns with the working tree")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    trees = [ROOT, *([tree_of(options.revision)] if options.revision else [])]
    run(IMPORT)
    imports = sorted(run(IMPORT)[0] for _ in range(5))[2]
    rows = [["import mmvsolvers", "", "", f"{imports:.3f}"]]
    print(*rows[0])
    for name in mmv.SOLVERS:
        rows.append([name, *columns(name, trees, options.turns)])
        print(*rows[-1], flush=True)
    places = ["", *([f"_{options.revision}"] if options.revision else [])]
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.writer(stream)
        kinds = ("seconds_without_cache", "functions_compiled", "seconds_with_cache")
        writer.writerow(["what", *(kind + place for place in places for kind in kinds)])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
