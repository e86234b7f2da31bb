"""What a small call costs above its kernel, with a plain array and with prepared pilots: ``python -m bench.overhead``.

The kernels of a call are timed within it. The least of many interleaved calls is taken, which other work on the machine
does not touch, and the median beside it.
"""

import csv
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from unittest.mock import patch

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from mmvsolvers import kernels

OUTPUT = Path(__file__).parent / "results" / "overhead.csv"
N, L, M = 100, 12, 4
RUNS = 200
# Sweeps of every solver: the kernel's time is no matter here.
FEW = {"max_iter": 3, "tol": 0.0}


@contextmanager
def clocked(spent: list[float]) -> Iterator[None]:
    """Add the seconds of every call of a kernel to ``spent[0]``."""

    def timed(kernel: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(kernel)
        def run(*arguments: Any) -> Any:
            start = time.perf_counter()
            found = kernel(*arguments)
            spent[0] += time.perf_counter() - start
            return found

        return run

    modules = [import_module(f"{kernels.__name__}.{found.name}") for found in iter_modules(kernels.__path__)]
    patches = [
        patch.object(module, name, timed(kernel))
        for module in modules
        for name, kernel in vars(module).items()
        if name.endswith("_batch")
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def measured(solver: mmv.Solver, data: mmv.MMVData) -> tuple[list[float], list[float], float]:
    """Return the seconds above the kernel of calls with the array and with prepared pilots, and those of the kernel."""
    competitors = (data.A, mmv.Pilots(data.A))
    above: tuple[list[float], list[float]] = ([], [])
    options = solver.example | {name: value for name, value in FEW.items() if name in solver.options}
    for A in competitors:
        solver.run(A, data.Y, **options)
    spent, inside = [0.0], []
    with clocked(spent):
        for _ in range(RUNS):
            for A, found in zip(competitors, above, strict=True):
                spent[0] = 0.0
                start = time.perf_counter()
                solver.run(A, data.Y, **options)
                found.append(time.perf_counter() - start - spent[0])
                inside.append(spent[0])
    return *above, min(inside)


def main() -> None:
    rng = np.random.default_rng(0)
    data = mmv.generate(rng, N=N, L=L, M=M, T=1, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    columns = ["solver", "array_us", "prepared_us", "array_median_us", "prepared_median_us", "kernel_us"]
    rows = []
    print(("{:18s}" + 5 * "{:>20s}").format(*columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, solver in mmv.SOLVERS.items():
            array, prepared, inside = measured(solver, data)
            seconds = (min(array), min(prepared), np.median(array), np.median(prepared), inside)
            rows.append([name, *(f"{1e6 * found:.0f}" for found in seconds)])
            print(("{:18s}" + 5 * "{:>20s}").format(*rows[-1]), flush=True)
    with OUTPUT.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        stream.write(f"# N={N}, L={L}, M={M}, T=1, {FEW['max_iter']} iterations; least and median of {RUNS} calls\n")
        csv.writer(stream).writerows([columns, *rows])


if __name__ == "__main__":
    main()
