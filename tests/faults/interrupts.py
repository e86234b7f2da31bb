"""Ctrl-C at random moments: ``python -m tests.faults.interrupts``.

Processes of their own are interrupted while they load, compile and solve. What must come of it is KeyboardInterrupt,
after which the process solves on, or, of the command line, the exit status 130 and one line.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

# Solves until it is interrupted, as often as it is told; then shows that it can still solve.
PROGRAM = """
import sys
import numpy as np
import mmvsolvers as mmv
rng = np.random.default_rng(0)
N, L, M, T = {shape}
A = rng.standard_normal((L, N)) + 1j * rng.standard_normal((L, N))
Y = rng.standard_normal((T, L, M)) + 1j * rng.standard_normal((T, L, M))
def solve(n=N, T=T, **changes):
    mmv.{solver}(A[:, :n], Y[:T], **{{**{options}, **changes}})
def solve_briefly():
    solve(n=64, T=2, max_iter=2)
if {warm}:
    solve_briefly()
print("ready", flush=True)
for _ in range({times}):
    try:
        while True:
            solve()
    except KeyboardInterrupt:
        print("KeyboardInterrupt", flush=True)
solve_briefly()
print("done", flush=True)
"""
PRIOR = "noise_var=0.1, activity_prob=0.1"
GROUPS = "groups=np.arange(n) // 4"
# Arguments for n devices: of batches, and of single problems that take minutes and more.
BATCHES = {
    "group_lasso_bcd": ["lam=2.0, tol=0.0, max_iter=20"],
    "group_lasso_admm": ["lam=2.0, tol=0.0, max_iter=50"],
    "ml_cd": ["noise_var=0.1"],
    "covariance_lasso": ["lam=2.0"],
    "somp": ["noise_var=0.1"],
    "map_psca": [PRIOR],
    "m_sbl": ["noise_var=0.1"],
    "gibbs": [PRIOR],
    "em_ep": [""],
}
ENDLESS = "tol=0.0, max_iter=10**6"
SINGLE = {
    "ml_cd": [f"noise_var=0.1, {ENDLESS}"],
    "map_cd": [f"noise_var='estimate', activity_prob=0.1, {ENDLESS}", f"{PRIOR}, {GROUPS}, {ENDLESS}"],
    "map_psca": [f"{PRIOR}, {ENDLESS}"],
    "covariance_lasso": [f"lam=2.0, {ENDLESS}"],
    "group_lasso_bcd": [f"lam=2.0, {ENDLESS}", f"lam=2.0, {GROUPS}, {ENDLESS}"],
    "group_lasso_admm": [f"lam=2.0, {ENDLESS}", f"lam=2.0, {GROUPS}, {ENDLESS}"],
    "amp_mmse": [f"activity_prob=0.1, {ENDLESS}"],
    "somp": [f"noise_var=0.0, {ENDLESS}"],
    "m_sbl": [f"noise_var=0.1, {ENDLESS}"],
    "gibbs": [f"{PRIOR}, {ENDLESS}", f"{PRIOR}, {GROUPS}, {ENDLESS}"],
    "em_ep": [ENDLESS],
    "ml_mmse": [f"noise_var=0.1, threshold=0.0, {ENDLESS}"],
}
# devices, pilots' length, antennas, problems
BATCH, ONE = (200, 30, 4, 4000), (20_000, 300, 16, 1)
LIMIT = 300


def start(command):
    # without what tests may have set, such as an ignored SIGINT
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def program(solver, options, shape, *, warm, times):
    code = PROGRAM.format(solver=solver, options=f"dict({options})", warm=warm, times=times, shape=shape)
    return [sys.executable, "-W", "ignore", "-c", code]


def interrupted_calls(solver, options, shape, rng, *, warm, times, longest):
    """Interrupt one process several times; return an outcome and the seconds to the answer of each."""
    process = start(program(solver, options, shape, warm=warm, times=times))
    found = []
    line = process.stdout.readline()
    while line and line != "done\n":
        if len(found) == times:
            line = process.stdout.readline()
            continue
        time.sleep(rng.uniform(0, longest))
        sent = time.perf_counter()
        process.send_signal(signal.SIGINT)
        line = process.stdout.readline()
        found.append((line.strip() or "crash", time.perf_counter() - sent))
    _, errors = process.communicate(timeout=LIMIT)
    if process.returncode or line != "done\n":
        found.append((f"crash {process.returncode}: {errors[-300:]}", np.inf))
    return found


def command_seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, capture_output=True, timeout=LIMIT)
    return time.perf_counter() - begin


def interrupted_command(command, moment):
    """Interrupt a command after ``moment`` seconds; return the outcome and the seconds to the end."""
    process = start(command)
    time.sleep(moment)
    sent = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT)
    spent = time.perf_counter() - sent
    told = [line for line in errors.splitlines() if not line.startswith(("compiling", "\r"))]
    if process.returncode == 130 and told[-1:] == ["Interrupted"] and "Traceback" not in errors:
        return "130, one line", spent
    if process.returncode == 0:
        return "done before", spent
    if process.returncode == -signal.SIGINT and "mmvsolvers" not in errors.replace("mmvsolvers_command", ""):
        return "Python had not begun", spent
    return f"{process.returncode}: {errors[-300:]}", spent


def commands(folder, max_iter=20):
    """Return the command lines that are interrupted; ``mmv solve`` takes as long as ``max_iter`` sweeps."""
    rng = np.random.default_rng(0)
    A, Y = (rng.standard_normal((*shape, 2)) @ [1, 1j] for shape in ((30, 200), (3000, 30, 4)))
    np.savez(Path(folder) / "data.npz", A=A, Y=Y)
    mmv = [sys.executable, "-c", "from mmvsolvers_command import main; main()"]
    return {
        "mmv compare": [
            *mmv, "compare", "-N", "100", "-L", "12", "-M", "4", "--samples", "500",
            "-s", "ml_cd", "-s", "amp_mmse", "-s", "group_lasso_bcd", "-o", f"{folder}/out.png", "--overwrite",
        ],
        "mmv solve": [
            *mmv, "solve", f"{folder}/data.npz", "-s", "group_lasso_bcd", "--max-iter", str(max_iter), "--tol", "0",
            "-o", f"{folder}/out.npz", "--overwrite",
        ],
    }  # fmt: skip


def report(name, found):
    outcomes = Counter(outcome for outcome, _ in found)
    waits = np.sort([seconds for _, seconds in found])
    print(f"{name}: {len(found)} interrupts; " + ", ".join(f"{n} × {what}" for what, n in outcomes.items()))
    print(f"  answered within {np.median(waits):.2f} s (median), {waits[-1]:.2f} s (longest)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", type=int, default=30, help="processes interrupted from their first solve on")
    parser.add_argument("--warm", type=int, default=60, help="interrupts of processes that have solved before")
    parser.add_argument("--single", type=int, default=60, help="interrupts of single problems that take minutes")
    parser.add_argument("--command", type=int, default=30, help="interrupts of each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    batches, single = (
        [(solver, arguments) for solver, each in cases.items() for arguments in each] for cases in (BATCHES, SINGLE)
    )
    found = []
    for k in range(options.fresh):
        found += interrupted_calls(*batches[k % len(batches)], BATCH, rng, warm=False, times=1, longest=4.0)
    if found:
        report("API, from the first solve on", found)
    for name, times, cases, shape in (
        ("API, batches", options.warm, batches, BATCH),
        ("API, one long problem", options.single, single, ONE),
    ):
        found = []
        for case in cases if times else ():
            here = interrupted_calls(*case, shape, rng, warm=True, times=-(-times // len(cases)), longest=1.5)
            print(f"  {case[0]}({case[1]}): {max(seconds for _, seconds in here):.2f} s", flush=True)
            found += here
        if found:
            report(name, found)
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(folder).items() if options.command else ():
            command_seconds(command)  # it may compile
            seconds = command_seconds(command)
            moments = rng.uniform(0, seconds, options.command)
            report(f"{name} ({seconds:.1f} s)", [interrupted_command(command, moment) for moment in moments])


if __name__ == "__main__":
    main()
