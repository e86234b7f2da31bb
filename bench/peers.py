"""GROUP LASSO beside the packages on PyPI that solve it exactly: ``python -m bench.peers``.

A package is looked for in this environment, and in others that are named, for pins that clash:
``python -m bench.peers --python peers/bin/python --python adelie/bin/python``. Every answer, ours too, has its relative
duality gap of 1e-6 checked here, in double precision, before its time is given.
"""

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench import peer
from bench.conditions import conditions
from mmvsolvers._blas import one_thread

OUTPUT = Path(__file__).parent / "results" / "peers.csv"
COLUMNS = ("problem", "lam", "package", "version", "ratio", "seconds", "gap", "note")
# The distribution that a package comes in, where it has another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
REAL_ONLY = ("sklearn", "celer", "mne")


def problems() -> Iterator[tuple[str, float, np.ndarray, np.ndarray, float]]:
    """Yield the complex problem and, of the same size, a real one; the latter's packages take 2M real columns."""
    data = mmv.generate(
        np.random.default_rng(0), N=1000, L=150, M=16, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.1)
    )
    Y = data.Y[0]
    A = np.sqrt(2) * data.A.real
    real_Y = A @ data.X[0] + (Y - data.A @ data.X[0])
    for name, B, Z in (("complex", data.A, Y), ("real", A, np.hstack([real_Y.real, real_Y.imag]))):
        for fraction in (0.3, 0.1):
            yield name, fraction, B, Z, fraction * float(mmv.lambda_max(B, Z))


def ours(A: np.ndarray, Y: np.ndarray, lam: float) -> tuple[np.ndarray, float]:
    """Return our answer and the median time."""
    with one_thread():
        X = mmv.group_lasso_bcd(A, Y, lam, tol=peer.GAP).X
        seconds = []
        for _ in range(peer.RUNS):
            start = time.perf_counter()
            mmv.group_lasso_bcd(A, Y, lam, tol=peer.GAP)
            seconds.append(time.perf_counter() - start)
    return X, float(np.median(seconds))


def version_in(python: str, package: str) -> str | None:
    """Return the version of a package in an environment, or None."""
    distribution = DISTRIBUTIONS.get(package, package)
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def theirs(python: str, package: str, problem: Path) -> tuple[np.ndarray, float] | str:
    """Return a package's answer and its median time, or why there is none."""
    answer = problem.with_name("answer.npz")
    command = [python, peer.__file__, package, str(problem), str(answer)]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    except subprocess.CalledProcessError as error:
        return error.stderr.strip().splitlines()[-1]
    except subprocess.TimeoutExpired:
        return "no answer in 300 s"
    with np.load(answer) as arrays:
        return arrays["X"], float(np.median(arrays["seconds"]))


def rows_of(
    problem: tuple[str, float, np.ndarray, np.ndarray, float], pythons: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield our line, and one for each package; the ratio is its time over ours."""
    name, fraction, A, Y, lam = problem
    common = {"problem": name, "lam": f"{fraction:g} lambda_max"}
    X, base = ours(A, Y, lam)
    yield common | checked(A, Y, X, lam, base, base) | {"package": "mmvsolvers", "version": mmv.__version__}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, A=A, Y=Y, lam=lam)
        for package in peer.PACKAGES:
            if name == "complex" and package in REAL_ONLY:
                continue
            found = [(python, version_in(python, package)) for python in pythons]
            python, version = next((pair for pair in found if pair[1]), ("", None))
            line = common | {"package": package, "version": version}
            if version is None:
                yield line | {"note": "not installed"}
                continue
            answer = theirs(python, package, path)
            yield line | (
                {"note": answer} if isinstance(answer, str) else checked(A, Y, answer[0], lam, answer[1], base)
            )


def checked(A: np.ndarray, Y: np.ndarray, X: np.ndarray, lam: float, seconds: float, base: float) -> dict[str, Any]:
    """Return the time of an answer, if it is one."""
    gap = peer.relative_gap(A, Y, X, lam)
    if not gap <= peer.GAP:
        return {"gap": gap, "note": "the gap was not reached"}
    return {"ratio": seconds / base, "seconds": seconds, "gap": gap}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], help="interpreter of an environment with packages")
    pythons = [sys.executable, *parser.parse_args().python]
    found = []
    for problem in problems():
        for row in rows_of(problem, pythons):
            found.append(row)
            print(
                *(f"{value:.3g}" if isinstance(value, float) else value for value in row.values()),
                sep="   ",
                flush=True,
            )
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
