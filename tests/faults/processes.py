"""Threads and processes on numba's threading layers: ``python -m tests.faults.processes``.

On every layer the solvers are called from Python threads, from forked and from spawned processes, before and after the
parent has solved, with calls among them that fail. Answers must be those of a single call and thread limits stay as
they were; where GNU OpenMP does not survive a fork, the error must come at once and name the remedy.
"""

import argparse
import itertools
import os
import subprocess
import sys
from collections import Counter

LAYERS = ("omp", "workqueue")
WAYS = ("threads", "fork", "fork, parent solved", "spawn", "spawn, parent solved")
PROGRAM = """
import multiprocessing, sys, threading
import numpy as np
from threadpoolctl import threadpool_info
import mmvsolvers as mmv

def solve(fail):
    rng = np.random.default_rng(0)
    A, Y = rng.standard_normal((8, 20)), rng.standard_normal((40, 8, 2))
    try:
        if fail:
            mmv.group_lasso_admm(A, Y, -1.0)
    except ValueError:
        pass
    return float(mmv.group_lasso_admm(A, Y, 2.0).objective.sum())

def limits():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}

def in_child(fail):
    here, before = solve(fail), limits()
    return solve(fail) == here and limits() == before and here

def main(way, fail, times):
    import scipy.linalg.blas
    before = limits()
    if way == "threads":
        wanted, found = solve(False), []
        threads = [threading.Thread(target=lambda: found.extend(solve(fail) for _ in range(times))) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert found == [wanted] * 4 * times, found
    else:
        if way.endswith("solved"):
            solve(fail)
        with multiprocessing.get_context(way.partition(",")[0]).Pool(2) as pool:
            found = pool.map(in_child, [fail] * 4)
        wanted = solve(False)
        assert found == [wanted] * 4, found
    after = limits()
    assert all(after[name] == before[name] for name in before), (before, after)
    print("right")

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "fail", int(sys.argv[3]))
"""


def outcome(layer, way, fail, times=10, folder="."):
    """Return what became of a program: "right" or what it said."""
    path = os.path.join(folder, "program.py")
    with open(path, "w") as file:
        file.write(PROGRAM)
    try:
        ran = subprocess.run(
            [sys.executable, path, way, "fail" if fail else "", str(times)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "NUMBA_THREADING_LAYER": layer},
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    if ran.returncode == 0 and ran.stdout == "right\n":
        return "right"
    last = ran.stderr.strip().splitlines()[-1:] or [f"status {ran.returncode}"]
    return last[0]


def run(times, folder):
    """Return the counts of outcomes by layer and way, and those that are wrong."""
    counts, faults = Counter(), []
    for layer, way, fail in itertools.product(LAYERS, WAYS, (False, True)):
        found = outcome(layer, way, fail, times, folder)
        counts[layer, way, found] += 1
        if found != "right":
            faults.append(f"{layer}, {way}, {'failing' if fail else 'sound'} calls: {found}")
    return counts, faults


def main():
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="calls of each thread")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    total, faults = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeats):
            counts, wrong = run(options.times, folder)
            total.update(counts)
            faults += wrong
    for (layer, way, found), n in sorted(total.items()):
        print(f"{layer}, {way}: {n} × {found}")
    print("\n".join(faults))
    print(f"{total.total()} programs, {len(faults)} faults")


if __name__ == "__main__":
    main()
