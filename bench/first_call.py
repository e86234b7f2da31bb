"""What importing and the first call of every solver cost, with and without a cache: ``python -m bench.first_call``.

Seconds are those of the processor, which other processes on the machine change little.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mmvsolvers as mmv
from bench.conditions import conditions

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


def run(code: str, *arguments: str, cache: str | None = None) -> list[float]:
    """Run code in a process of its own and return the numbers that it prints."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    run(IMPORT)
    imports = sorted(run(IMPORT)[0] for _ in range(5))[2]
    rows = [("import mmvsolvers", "", "", imports)]
    print(f"{'import mmvsolvers':20s} {'':>10s} {'':>10s} {imports:10.2f}")
    for name in mmv.SOLVERS:
        with tempfile.TemporaryDirectory() as cache:
            (cold, compiled), (warm, _) = (run(CALL, name, cache=cache) for _ in range(2))
        rows.append((name, f"{cold:.2f}", f"{compiled:.0f}", warm))
        print(f"{name:20s} {cold:10.1f} {compiled:10.0f} {warm:10.2f}", flush=True)
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.writer(stream)
        writer.writerow(["what", "seconds_without_cache", "functions_compiled", "seconds_with_cache"])
        writer.writerows((what, cold, compiled, f"{warm:.3f}") for what, cold, compiled, warm in rows)


if __name__ == "__main__":
    main()
