"""The differentiable functions beside the solvers they repeat and beside plain autograd: ``python -m bench.layers``.

On the CPU, and on a CUDA device where there is one; where there is none, its lines say "not measured". No time is given
before the answer was found equal to the solver's, and the gradients to those of the plain version.
"""

import csv
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mmvsolvers as mmv
from bench.conditions import conditions
from mmvsolvers_nn import Architecture, Configuration, Optimisation, build, functional
from mmvsolvers_nn.distributed import processes
from mmvsolvers_nn.sampling import Sampler
from mmvsolvers_nn.schemes import SCHEMES
from mmvsolvers_nn.steps import TrainingStep, captured

OUTPUT = Path(__file__).parent / "results" / "layers.csv"
COLUMNS = ("what", "device", "dtype", "pass", "batch", "seconds", "of_the_solver", "of_plain_autograd", "error", "note")
N, L, M = 100, 12, 4
RUNS = 5
BATCH = {"cpu": 32, "cuda": 512}
# By how much root mean squares of answers and gradients may differ, relative to their own.
TOLERANCE = {torch.complex128: 1e-9, torch.complex64: 1e-3}


@dataclass(frozen=True)
class Case:
    """One function: what it takes besides A and Y, and how many iterations it makes here."""

    name: str
    n_iter: int
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    solver_options: dict[str, Any] = field(default_factory=dict)
    has_plain_version: bool = True

    def layer(self, A: Tensor, Y: Tensor, **backend: str) -> Tensor:
        run = getattr(functional, self.name)
        found = run(A, Y, *self.arguments, **self.options, n_iter=self.n_iter, **backend)
        return found.score if found.X is None else torch.view_as_real(found.X)

    def solver(self, A: np.ndarray, Y: np.ndarray) -> np.ndarray:
        run = getattr(mmv, self.name)
        found = run(A, Y, *self.arguments, **self.options, **self.solver_options, max_iter=self.n_iter, tol=0)
        return found.score if found.X is None else found.X[..., None].view(found.score.dtype)


CASES = (
    Case("group_lasso_bcd", 20, (2.0,)),
    Case("group_lasso_admm", 200, (2.0,), {"rho": 1.5}, has_plain_version=False),
    Case("amp_mmse", 50, (0.1,), {"damping": 0.5}, has_plain_version=False),
    Case("ml_cd", 10, (0.1,)),
    Case("map_cd", 10, (0.1, 0.1)),
    Case("ml_psca", 20, (0.1,), has_plain_version=False),
    Case("map_psca", 20, (0.1, 0.1), has_plain_version=False),
    Case("covariance_lasso", 20, (2.0,), {"noise_var": 0.1}),
    Case("ml_mmse", 10, (0.1,), {"threshold": 0.3}),
)


def seconds_of(run: Callable[[], Any], device: str) -> float:
    """Return the median time of a run that is warm."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def difference(found: Tensor, wanted: Tensor) -> float:
    """Return the root mean square of a difference over that of what was wanted."""
    a, b = found.detach().cpu().to(torch.complex128), wanted.detach().cpu().to(torch.complex128)
    return float((a - b).abs().square().sum().sqrt() / b.abs().square().sum().sqrt())


def gradients(case: Case, A: Tensor, Y: Tensor, **backend: str) -> list[Tensor]:
    """Return the derivatives of a fixed linear form of the answer by A and Y."""
    inputs = [part.clone().requires_grad_() for part in (A, Y)]
    value = case.layer(*inputs, **backend)
    weights = torch.linspace(-1, 1, value.numel(), dtype=value.dtype, device=value.device).view_as(value)
    return list(torch.autograd.grad((weights * value).sum(), inputs))


def rows_of(case: Case, device: str, dtype: torch.dtype) -> Iterator[dict[str, Any]]:
    data = mmv.generate(
        np.random.default_rng(0), N=N, L=L, M=M, T=BATCH[device], noise_var=0.1, activity=mmv.IndependentActivity(0.1)
    )
    precision = np.complex64 if dtype == torch.complex64 else np.complex128
    arrays = data.A.astype(precision), data.Y.astype(precision)
    A, Y = (torch.from_numpy(array).to(device) for array in arrays)
    wanted = torch.from_numpy(case.solver(data.A, data.Y))
    error = difference(case.layer(A, Y), wanted)
    common = {"what": case.name, "device": device, "dtype": str(dtype).removeprefix("torch."), "batch": BATCH[device]}
    if not error < TOLERANCE[dtype]:
        yield common | {"pass": "forward", "error": error, "note": "another answer than the solver's"}
        return
    with torch.no_grad():
        row = common | {"pass": "forward", "error": error, "seconds": seconds_of(lambda: case.layer(A, Y), device)}
        row["of_the_solver"] = seconds_of(lambda: case.solver(*arrays), "cpu") / row["seconds"]
        if case.has_plain_version:
            plain = seconds_of(lambda: case.layer(A, Y, backend="reference"), device)
            row["of_plain_autograd"] = plain / row["seconds"]
        yield row
    row = common | {"pass": "forward and backward"}
    if case.has_plain_version:
        plain = gradients(case, A, Y, backend="reference")
        found = gradients(case, A, Y)
        row["error"] = max(difference(a, b) for a, b in zip(found, plain, strict=True))
        if not row["error"] < 10 * TOLERANCE[dtype]:
            yield row | {"note": "other gradients than autograd's"}
            return
    row["seconds"] = seconds_of(lambda: gradients(case, A, Y), device)
    if case.has_plain_version:
        plain_seconds = seconds_of(lambda: gradients(case, A, Y, backend="reference"), device)
        row["of_plain_autograd"] = plain_seconds / row["seconds"]
    yield row


def step_rows(device: str) -> Iterator[dict[str, Any]]:
    """Time whole optimiser steps at the paper's sizes: eager, and on CUDA as a graph too."""
    for scheme in SCHEMES:
        options = Optimisation(fresh=True, clip_norm=1.0, batch_size=32)
        scenario = mmv.Scenario(N=N, L=L, M=M, activity=mmv.IndependentActivity(0.1, ratio=3.0), noise_var=0.1)
        configuration = Configuration(scenario=scenario, architecture=Architecture(scheme=scheme), optimisation=options)
        place = torch.device(device)
        model = build(configuration).to(place)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=torch.tensor(1e-4, device=place), fused=True, capturable=device == "cuda"
        )
        batch = Sampler(scenario, options).batch(0).to(place)
        common = {"what": f"step of {scheme}, U={configuration.architecture.U}", "device": device, "dtype": "complex64"}
        with processes(place) as group:
            step = TrainingStep(model, optimizer, 1.0, group)
            step(batch)
            eager = seconds_of(lambda: step(batch), device)  # noqa: B023
            yield common | {"pass": "optimiser step", "batch": 32, "seconds": eager}
            if device == "cuda":
                replay = captured(step, batch)
                graph = seconds_of(lambda: replay(batch), device)  # noqa: B023
                note = f"as a CUDA graph, {eager / graph:.1f} times as fast"
                yield common | {"pass": "optimiser step", "batch": 32, "seconds": graph, "note": note}


def rows() -> Iterator[dict[str, Any]]:
    for device in ("cpu", "cuda"):
        if device == "cuda" and not torch.cuda.is_available():
            yield {"what": "everything", "device": "cuda", "note": "not measured: no CUDA device"}
            return
        for case in CASES:
            for dtype in TOLERANCE:
                yield from rows_of(case, device, dtype)
        yield from step_rows(device)


def main() -> None:
    warnings.simplefilter("ignore")
    found = []
    for row in rows():
        found.append(row)
        shown = (f"{value:.3g}" if isinstance(value, float) else value for value in row.values())
        print(*shown, sep="   ", flush=True)
    with OUTPUT.open("w", newline="") as stream:
        described = conditions() | {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
        if torch.cuda.is_available():
            described["gpu"] = torch.cuda.get_device_name()
        stream.writelines(f"# {key}: {value}\n" for key, value in described.items())
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
