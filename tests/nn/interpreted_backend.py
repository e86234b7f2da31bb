"""Tests of one backend's kernels as plain Python, with poisoned buffers; `test_functional_interpreted` runs this file.

The environment variable BACKEND names the backend, whose compiler is switched off by the variables that go with it.
"""

import os

import functional_cases as cases
import numpy as np
import pytest
import torch
from test_functional_gradients import gradients, leaves, operator_arguments
from torch._subclasses import FakeTensorMode

BACKEND = os.environ["BACKEND"]
SHAPES = {
    "odd": (7, 5, 3, (2,)),
    "one_antenna": (6, 4, 1, (2,)),
    "one_device": (1, 4, 2, (2,)),
    "one_pilot": (4, 1, 2, ()),
}


@pytest.fixture(autouse=True)
def poison(monkeypatch):
    """Fill every buffer that comes uninitialised with NaN, and those of integers with a useless number."""

    def poisoned(allocate):
        def wrapper(*args, **options):
            buffer = allocate(*args, **options)
            if isinstance(buffer, torch.Tensor):
                return buffer.fill_(torch.nan)
            buffer[...] = np.nan if buffer.dtype.kind in "fc" else np.iinfo(buffer.dtype).min
            return buffer

        return wrapper

    for owner, name in ((np, "empty"), (np, "empty_like"), (torch, "empty"), (torch, "empty_like")):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned(torch.Tensor.new_empty))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["group_lasso_bcd", "ml_cd", "map_cd", "covariance_lasso"])
def test_agrees_with_the_reference(name, shape):
    N, L, M, leading = SHAPES[shape]
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    check(name, A, Y, leading, 1e-9)


@pytest.mark.parametrize("name", ["group_lasso_bcd", "ml_cd", "map_cd", "covariance_lasso"])
def test_agrees_with_the_reference_in_single_precision(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex64)
    check(name, A, Y, (2,), 1e-3)


@pytest.mark.parametrize("name", ["group_lasso_bcd", "ml_cd", "map_cd", "covariance_lasso"])
def test_silence(name):
    A, Y = cases.problem(4, 3, 2, (2,), torch.complex128)
    check(name, A, torch.zeros_like(Y), (2,), 1e-9)


@pytest.mark.parametrize("name", ["group_lasso_bcd", "map_cd", "covariance_lasso"])
def test_differentiates_the_start_point(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    hyper = cases.hyperparameters(name, A, (2,))
    (start,) = cases.run(name, A, Y, **hyper, n_iter=1, backend="reference").state
    start = start.detach().requires_grad_()
    found, expected = (
        gradients(cases.run(name, A, Y, **hyper, n_iter=2, start=(start,), backend=backend).score, [start])[0]
        for backend in (BACKEND, "reference")
    )
    assert cases.error_ratio(found, expected) < 1e-9


def test_a_device_at_its_bound_follows_the_bound_alone():
    by_Y, by_upper = cases.ended_at_a_bound(BACKEND)
    assert not by_Y.any()
    assert by_upper == 99


@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize("name", ["group_lasso_bcd", "map_cd", "covariance_lasso"])
def test_results_are_laid_out_as_the_compiler_is_told(name, order):
    """What is traced with fake tensors of other strides would read the wrong numbers."""
    A, Y = cases.problem(4, 3, 2, (2,), torch.complex128)
    *tensors, start = (tensor.detach() for tensor in operator_arguments(name, A, Y))
    if order == "columns":
        tensors = [tensor.mT.contiguous().mT if tensor.ndim > 1 else tensor for tensor in tensors]
        start = start.mT.contiguous().mT
    forward = getattr(torch.ops.mmvsolvers, name).default
    backward = getattr(torch.ops.mmvsolvers, f"{name}_backward").default
    value, history = forward(*tensors, start, 2, True, BACKEND)
    gradient = torch.ones_like(start)
    found = (value, history, *backward(gradient, *tensors, value, history, BACKEND))
    torch.library.opcheck(forward, (*tensors, start, 2, True, BACKEND), test_utils=("test_schema", "test_faketensor"))
    with FakeTensorMode() as mode:
        *fakes, fake_start, fake_gradient = map(mode.from_tensor, (*tensors, start, gradient))
        fake_value, fake_history = forward(*fakes, fake_start, 2, True, BACKEND)
        fake_by = backward(fake_gradient, *fakes, fake_value, fake_history, BACKEND)
    for real, fake in zip(found, (fake_value, fake_history, *fake_by), strict=True):
        assert (real.shape, real.stride(), real.dtype) == (fake.shape, fake.stride(), fake.dtype)


def check(name, A, Y, leading, tolerance):
    """Compare estimates and all derivatives with the reference's in double precision."""
    tensors, estimates = leaves(name, A, Y, leading)
    found = estimates(*tensors, n_iter=2, backend=BACKEND)
    by_found = gradients(found, tensors)
    double = torch.complex128
    tensors, estimates = leaves(name, A.to(double), Y.to(double), leading)
    expected = estimates(*tensors, n_iter=2, backend="reference")
    by_expected = gradients(expected, tensors)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for value, reference in zip((*found, *by_found), (*expected, *by_expected), strict=True):
        assert cases.error_ratio(value.detach(), reference.detach()) < tolerance
