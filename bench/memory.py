"""Peak memory of every solver at N=20,000, L=500, M=32 in complex128: ``python -m bench.memory``."""

import csv
import subprocess
import sys
from pathlib import Path

import mmvsolvers as mmv
from bench.conditions import conditions

OUTPUT = Path(__file__).parent / "results" / "memory.csv"
LIMIT_GB = 2.0
# Two iterations: work space is allocated once. The data are drawn in place, without the copies that `generate` makes.
CALL = """
import resource, sys, time
import numpy as np
import mmvsolvers as mmv
rng = np.random.default_rng(0)
L, N, M = 500, 20_000, 32
A = np.empty((L, N), complex)
for row in A:
    row.real, row.imag = rng.standard_normal((2, N)) / np.sqrt(2)
X = np.zeros((N, M), complex)
X[rng.choice(N, 200, replace=False)] = rng.standard_normal((200, M)) + 1j * rng.standard_normal((200, M))
Y = A @ X
Y += 0.3 * rng.standard_normal((L, M))
solver = mmv.SOLVERS[sys.argv[1]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
solver.run(A, Y, **solver.example | {"max_iter": 2, "tol": 0.0})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, before * 1024 / 1e9, time.perf_counter() - start)
"""


def main() -> None:
    rows = []
    print(f"{'solver':20s} {'peak GB':>8s} {'data GB':>8s} {'seconds':>8s}")
    for name in mmv.SOLVERS:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CALL, name], capture_output=True, text=True, check=True
        )
        peak, data, seconds = map(float, done.stdout.split())
        rows.append((name, f"{peak:.2f}", f"{data:.2f}", f"{seconds:.1f}", peak < LIMIT_GB))
        print(f"{name:20s} {peak:8.2f} {data:8.2f} {seconds:8.1f}", flush=True)
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.writer(stream)
        writer.writerow(["solver", "peak_gb", "python_and_data_gb", "seconds", "below_2_gb"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
