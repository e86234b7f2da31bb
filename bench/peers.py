"""GROUP LASSO beside the packages on PyPI that solve it exactly: ``python -m bench.peers``.

Each package has a virtual environment of its own, for their pins clash: pip makes it in ``bench/environments`` where it
is not there yet. Every answer, ours too, has its relative duality gap of 1e-6 checked here, in double precision, before
its time is given.
"""

import csv
import subprocess
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench import peer
from bench.conditions import conditions
from mmvsolvers._blas import one_thread

OUTPUT = Path(__file__).parent / "results" / "peers.csv"
ENVIRONMENTS = Path(__file__).parent / "environments"
COLUMNS = ("problem", "lam", "package", "version", "ratio", "seconds", "gap", "note")
# What pip is asked for, where it is not the package's name alone. mne uses the two others where it finds them.
DISTRIBUTIONS = {"sklearn": ("scikit-learn",), "mne": ("mne", "scikit-learn", "numba")}
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


def environment(package: str) -> tuple[str, str]:
    """Return the interpreter of the package's own environment, made at need, and the package's version."""
    folder, wanted = ENVIRONMENTS / package, DISTRIBUTIONS.get(package, (package,))
    python = str(folder / "bin" / "python")
    code = f"from importlib.metadata import version; print(version({wanted[0]!r}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True) if folder.exists() else None
    if found is None or found.returncode:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return python, found.stdout.strip()


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
    problem: tuple[str, float, np.ndarray, np.ndarray, float], environments: dict[str, tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Yield our line, and one for each package; the ratio is its time over ours."""
    name, fraction, A, Y, lam = problem
    common = {"problem": name, "lam": f"{fraction:g} lambda_max"}
    X, base = ours(A, Y, lam)
    yield common | checked(A, Y, X, lam, base, base) | {"package": "mmvsolvers", "version": mmv.__version__}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, A=A, Y=Y, lam=lam)
        for package, (python, version) in environments.items():
            if name == "complex" and package in REAL_ONLY:
                continue
            answer = theirs(python, package, path)
            yield (
                common
                | {"package": package, "version": version}
                | ({"note": answer} if isinstance(answer, str) else checked(A, Y, answer[0], lam, answer[1], base))
            )


def checked(A: np.ndarray, Y: np.ndarray, X: np.ndarray, lam: float, seconds: float, base: float) -> dict[str, Any]:
    """Return the time of an answer, if it is one."""
    gap = peer.relative_gap(A, Y, X, lam)
    if not gap <= peer.GAP:
        return {"gap": gap, "note": "the gap was not reached"}
    return {"ratio": seconds / base, "seconds": seconds, "gap": gap}


def main() -> None:
    environments = {package: environment(package) for package in peer.PACKAGES}
    found = []
    for problem in problems():
        for row in rows_of(problem, environments):
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
