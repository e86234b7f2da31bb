"""Sweeps by blocks of devices: at full pilot lengths, and with the recursion's kernels interpreted and compiled."""

import functional_cases as cases
import pytest
import torch
from test_functional_gradients import gradients, leaves

from mmvsolvers_nn.functional._blocked import map_cd as blocked
from mmvsolvers_nn.functional._blocked import recursion, row_recursion
from mmvsolvers_nn.functional._operator import LONGEST_ON_CHIP, resolve_backend


@pytest.mark.parametrize("shape", [*cases.SHAPES.values(), (70, 20, 3, (2,))], ids=str)
@pytest.mark.parametrize("name", ["ml_cd", "map_cd", "group_lasso_bcd"])
def test_agrees_with_the_compiled_sweeps(name, shape):
    N, L, M, leading = shape
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    tensors, estimates = leaves(name, A, Y, leading)
    expected = estimates(*tensors, n_iter=3, backend="numba")
    found = estimates(*tensors, n_iter=3, backend="blocked")
    assert error_ratio(found, expected) < 1e-11
    for value, wanted in zip(gradients(found, tensors), gradients(expected, tensors), strict=True):
        assert cases.error_ratio(value, wanted) < 1e-9


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex128, 1e-8), (torch.complex64, 2e-2)], ids=str)
@pytest.mark.parametrize("L", [110, 150])
@pytest.mark.parametrize("name", ["map_cd", "group_lasso_bcd"])
def test_agrees_at_full_pilot_lengths(name, L, dtype, tolerance):
    """Single precision goes back in single precision here, where the compiled sweeps go back in double."""
    A, Y = cases.problem(400, L, 8, (2,), torch.complex128)
    tensors, estimates = leaves(name, A, Y, (2,))
    expected = estimates(*tensors, n_iter=2, backend="numba")
    by_expected = gradients(expected, tensors)
    tensors, estimates = leaves(name, A.to(dtype), Y.to(dtype), (2,))
    found = estimates(*tensors, n_iter=2, backend="blocked")
    assert error_ratio(found, expected) < tolerance
    for value, wanted in zip(gradients(found, tensors), by_expected, strict=True):
        assert cases.error_ratio(value, wanted) < tolerance


@pytest.mark.parametrize("name", ["map_cd", "group_lasso_bcd"])
def test_gradcheck_over_two_blocks(name, monkeypatch):
    monkeypatch.setattr(blocked, "BLOCK", 4)
    A, Y = cases.problem(7, 4, 2, (), torch.complex128)
    tensors, estimates = leaves(name, A, Y, ())
    assert torch.autograd.gradcheck(lambda *args: estimates(*args, n_iter=2, backend="blocked"), tensors)


@pytest.mark.parametrize("bound", [0.3, torch.inf])
def test_recursion_s_derivatives(bound):
    """The hand-made way back against autograd, where the steps end at bounds and where they do not."""
    *tensors, _ = block_of(6, 3, torch.complex128, bound)
    gradient = torch.linspace(-1.0, 1.0, 12, dtype=torch.float64).reshape(2, 6)
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    rows = leaves[0]
    steps = recursion.decide(rows @ rows.mH, *leaves[1:])
    expected = torch.autograd.grad(steps, leaves, gradient, allow_unused=True, materialize_grads=True)
    _, correlations, value, log_odds, upper = tensors
    after = torch.where(steps == upper - value, upper, value + steps).detach()
    by_gram, *found = recursion.decide_backward(
        gradient, tensors[0] @ tensors[0].mH, correlations, after, log_odds, upper, steps.detach()
    )
    for value, wanted in zip((2 * by_gram @ tensors[0], *found), expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)


def test_row_recursion_s_derivatives():
    """As above, for GROUP LASSO; a device's row is silent after its visit, and another's begins so."""
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(9, 6, dtype=torch.complex128, generator=generator)
    correlations, rows, gradient = (torch.randn(6, 2, 3, dtype=torch.complex128, generator=generator) for _ in range(3))
    rows[1] = 0.0
    lam = torch.tensor([4.0, 12.0], dtype=torch.float64)
    leaf = (4.0 * correlations).requires_grad_()
    found = row_recursion.threshold(A.mH @ A, leaf, rows, lam)
    silent = found.detach().norm(dim=2) == 0
    assert silent.any()
    assert not silent.all()
    (expected,) = torch.autograd.grad(found, leaf, gradient)
    by_correlations = row_recursion.threshold_backward(gradient, A.mH @ A, found.detach(), lam)
    torch.testing.assert_close(by_correlations, expected, rtol=1e-9, atol=1e-12)


def test_elimination_is_the_inverse_of_the_updated_covariance():
    rows, _, _, _, _, A = block_of(6, 3, torch.complex128, torch.inf)
    P, steps = torch.eye(9, dtype=rows.dtype).expand(2, -1, -1), torch.linspace(-0.05, 0.4, 12).double().reshape(2, 6)
    found = blocked.update(P, A.mH @ P, *recursion.eliminate(A.mH @ A, steps))
    expected = torch.linalg.inv(P + (A * steps.unsqueeze(1)) @ A.mH)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def error_ratio(found, expected):
    """Return the largest error ratio of all outputs."""
    outputs = [(one,) if isinstance(one, torch.Tensor) else one for one in (found, expected)]
    return max(cases.error_ratio(value.detach(), wanted.detach()) for value, wanted in zip(*outputs, strict=True))


def block_of(B, M, dtype, bound):
    """Draw two problems' rows before a block (their Gram matrix is rows·rowsᴴ), the rest of `decide`'s arguments, A."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2, B, 9, dtype=torch.complex128, generator=generator)
    correlations = 1.5 * rows @ torch.randn(2, 9, M, dtype=torch.complex128, generator=generator)
    value = torch.rand(2, B, dtype=torch.float64, generator=generator)
    value *= torch.rand(2, B, generator=generator) < 0.5
    value = value.clamp_max(bound)
    log_odds = torch.linspace(-0.3, -0.1, 2 * B, dtype=torch.float64).reshape(2, B)
    upper = torch.full_like(value, bound)
    real = dtype.to_real()
    return rows.to(dtype), correlations.to(dtype), value.to(real), log_odds.to(real), upper.to(real), rows.mH.to(dtype)


def test_automatic_choice_on_cuda():
    cuda = torch.device("cuda")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmvsolvers_nn.functional._operator.find_spec", lambda name: True)
        assert resolve_backend("auto", cuda, LONGEST_ON_CHIP) == "triton"
        assert resolve_backend("auto", cuda) == "triton"
    assert resolve_backend("auto", cuda, LONGEST_ON_CHIP + 1) == "blocked"
    assert resolve_backend("auto", torch.device("cpu"), 1000) == "numba"


def test_not_all_sweeps_come_in_blocks():
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    with pytest.raises(ValueError, match="backend='blocked' is for ml_cd, map_cd and group_lasso_bcd alone"):
        cases.functional.covariance_lasso(A, Y, 0.3, n_iter=1, backend="blocked")
