"""What the tests of `mmvsolvers_nn.functional` share: problems, hyper-parameters of every solver, and one measure."""

from inspect import signature

import torch
from torch import Tensor

import mmvsolvers
import mmvsolvers_nn.functional as functional

SOLVERS = tuple(name for name in mmvsolvers.SOLVERS if hasattr(functional, name))
# Those whose sweeps visit the devices one after the other, by a backend of the user's choice.
SEQUENTIAL = tuple(name for name in SOLVERS if "backend" in signature(getattr(functional, name)).parameters)
# (N, L, M, leading): more and fewer devices than a block of the compiled sweeps, one of everything, no batch axis.
SHAPES = {
    "batch": (40, 10, 4, (3,)),
    "odd": (13, 7, 3, (2, 2)),
    "one_antenna": (20, 8, 1, (2,)),
    "one_device": (1, 4, 2, (3,)),
    "one_pilot": (5, 1, 2, (2,)),
    "no_batch": (12, 6, 2, ()),
}


def ended_at_a_bound(backend: str) -> tuple[Tensor, Tensor]:
    """Return, from many starts that all end at the bound 0.9, the derivatives of MAP's values by Y and by the bound."""
    A = torch.ones(1, 1, dtype=torch.complex128)
    Y = torch.full((99, 1, 1), 3.0, dtype=torch.complex128, requires_grad=True)
    start = (torch.linspace(0.01, 0.89, 99, dtype=torch.float64).unsqueeze(1),)
    upper = torch.tensor([0.9], dtype=torch.float64, requires_grad=True)
    found = functional.map_cd(A, Y, 0.1, 0.3, upper=upper, n_iter=1, start=start, backend=backend).score
    by_Y, by_upper = torch.autograd.grad(found.sum(), [Y, upper])
    return by_Y, by_upper


def problem(
    N: int, L: int, M: int, leading: tuple[int, ...], dtype: torch.dtype, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Draw A (L, N) and Y (..., L, M), device 0 and a fifth of the others active, in double precision first."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.complex128, generator=generator)

    active = torch.rand(*leading, N, 1, generator=generator) < 0.2
    active[..., 0, :] = True
    A = normal(L, N)
    Y = A @ (active * normal(*leading, N, M)) + 0.3 * normal(*leading, L, M)
    return A.to(dtype), Y.to(dtype)


def hyperparameters(name: str, A: Tensor, leading: tuple[int, ...]) -> dict[str, Tensor]:
    """Return float64 hyper-parameters of a solver that differ wherever they may."""
    N = A.shape[1]
    T = torch.Size(leading).numel()

    def per_problem(low: float, high: float) -> Tensor:
        return torch.linspace(low, high, T, dtype=torch.float64).reshape(leading)

    def per_device(low: float, high: float) -> Tensor:
        return torch.linspace(low, high, N, dtype=torch.float64)

    return {
        "group_lasso_bcd": {"lam": per_problem(0.3, 1.0)},
        "group_lasso_admm": {"lam": per_problem(0.3, 1.0), "rho": per_problem(0.5, 1.5)},
        "amp_mmse": {"activity_prob": per_device(0.1, 0.6), "channel_var": per_device(0.5, 2.0)},
        "ml_cd": {"noise_var": per_problem(0.1, 0.3)},
        "map_cd": {
            "noise_var": per_problem(0.1, 0.3),
            "activity_prob": per_device(0.1, 0.7),
            "channel_var": per_device(0.5, 2.0),
            "upper": per_device(0.5, 1.5),
        },
        "ml_psca": {"noise_var": per_problem(0.1, 0.3)},
        "map_psca": {
            "noise_var": per_problem(0.1, 0.3),
            "activity_prob": per_device(0.1, 0.7),
            "channel_var": per_device(0.5, 2.0),
            "upper": per_device(0.5, 1.5),
        },
        "covariance_lasso": {"lam": per_problem(0.05, 0.1), "noise_var": per_problem(0.1, 0.3)},
        "ml_mmse": {"noise_var": per_problem(0.1, 0.3), "channel_var": per_device(0.5, 2.0)},
    }[name]


def run(name: str, A: Tensor, Y: Tensor, **options: object) -> functional.Recovery:
    """Run a solver, with the threshold that ml_mmse needs."""
    if name == "ml_mmse":
        options.setdefault("threshold", 0.3)
    return getattr(functional, name)(A, Y, **options)


def error_ratio(value: Tensor, reference: Tensor) -> float:
    """Return the ratio of the RMS error to the RMS of the reference, or the error itself where that is all zero."""
    value, reference = value.to(torch.complex128), reference.to(torch.complex128)
    size = reference.norm()
    return float((value - reference).norm() / torch.where(size > 0, size, 1.0))
