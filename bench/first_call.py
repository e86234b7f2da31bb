"""What importing and the first call of every solver cost, with and without a cache: ``python -m bench.first_call``."""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mmvsolvers as mmv
from bench.conditions import conditions

IMPORT = "import time; start = time.perf_counter(); import mmvsolvers; print(time.perf_counter() - start)"
CALL = """
import sys, time
import numpy as np
import mmvsolvers as mmv
rng = np.random.default_rng(0)
data = mmv.generate(rng, N=20, L=10, M=2, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
solver = mmv.SOLVERS[sys.argv[1]]
start = time.perf_counter()
solver.run(data.A, data.Y, **solver.example | {"max_iter": 2, "tol": 0.0})
print(time.perf_counter() - start)
"""
OUTPUT = Path(__file__).parent / "results" / "first_call.csv"


def seconds(code: str, *arguments: str, cache: str | None = None) -> float:
    """Run code in a process of its own and return the seconds that it prints."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return float(done.stdout)


def main() -> None:
    seconds(IMPORT)
    imports = sorted(seconds(IMPORT) for _ in range(5))[2]
    rows = [("import mmvsolvers", "", imports)]
    print(f"{'import mmvsolvers':20s} {'':>10s} {imports:10.2f}")
    for name in mmv.SOLVERS:
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = (seconds(CALL, name, cache=cache) for _ in range(2))
        rows.append((name, f"{cold:.2f}", warm))
        print(f"{name:20s} {cold:10.1f} {warm:10.2f}", flush=True)
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.writer(stream)
        writer.writerow(["what", "seconds_without_cache", "seconds_with_cache"])
        writer.writerows((what, cold, f"{warm:.3f}") for what, cold, warm in rows)


if __name__ == "__main__":
    main()
