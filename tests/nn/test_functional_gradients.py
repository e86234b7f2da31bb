"""Derivatives: against finite differences, between backends, at the kinks, and what they cost in memory."""

import functional_cases as cases
import pytest
import torch

from mmvsolvers_nn import functional


def leaves(name, A, Y, leading):
    """Return A, Y and every hyper-parameter as leaves, and the function of them that gives all estimates."""
    hyper = cases.hyperparameters(name, A, leading)
    if name == "amp_mmse":
        hyper["damping"] = torch.tensor(0.8, dtype=torch.float64)
    tensors = [tensor.clone().requires_grad_() for tensor in (A, Y, *hyper.values())]

    def estimates(A, Y, *values, **options):
        recovery = cases.run(name, A, Y, **dict(zip(hyper, values, strict=True)), **options)
        return recovery.score if recovery.X is None else (recovery.X, recovery.score)

    return tensors, estimates


def gradients(outputs, tensors):
    """Return the derivatives by all tensors of a fixed random combination of the outputs."""
    generator = torch.Generator().manual_seed(1)
    outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
    weights = [torch.randn(part.shape, dtype=torch.complex128, generator=generator) for part in outputs]
    loss = sum((part * weight.conj()).real.sum() for part, weight in zip(outputs, weights, strict=True))
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_gradcheck(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    tensors, estimates = leaves(name, A, Y, (2,))
    assert torch.autograd.gradcheck(lambda *args: estimates(*args, n_iter=2), tensors)


@pytest.mark.parametrize("name", ["group_lasso_bcd", "map_cd", "covariance_lasso"])
def test_gradcheck_by_the_start_point(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    (start,) = cases.run(name, A, Y, **cases.hyperparameters(name, A, (2,)), n_iter=1).state
    hyper = cases.hyperparameters(name, A, (2,))
    start = (start + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cases.run(name, A, Y, **hyper, n_iter=2, start=(x,)).score, (start,))


def test_gradcheck_of_averaged_iterates():
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    tensors, estimates = leaves("amp_mmse", A, Y, (2,))
    assert torch.autograd.gradcheck(lambda *args: estimates(*args, averaged=True, n_iter=3), tensors)


@pytest.mark.parametrize("name", ["ml_psca", "map_psca"])
def test_gradcheck_by_the_step_of_every_iteration(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    hyper = cases.hyperparameters(name, A, (2,))
    step = torch.tensor([0.7, 1.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda step: cases.run(name, A, Y, **hyper, n_iter=3, step=step).score, (step,))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex128, 1e-9), (torch.complex64, 1e-3)], ids=str)
@pytest.mark.parametrize("shape", cases.SHAPES)
@pytest.mark.parametrize("name", cases.SEQUENTIAL)
def test_backends_agree(name, shape, dtype, tolerance):
    N, L, M, leading = cases.SHAPES[shape]
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    tensors, estimates = leaves(name, A, Y, leading)
    expected = gradients(estimates(*tensors, n_iter=3, backend="reference"), tensors)
    tensors = [
        tensor.detach().to(dtype if tensor.is_complex() else tensor.dtype).requires_grad_() for tensor in tensors
    ]
    found = gradients(estimates(*tensors, n_iter=3, backend="numba"), tensors)
    for value, reference in zip(found, expected, strict=True):
        assert cases.error_ratio(value, reference) < tolerance


@pytest.mark.parametrize("name", cases.SEQUENTIAL)
def test_splitting_the_sweeps_leaves_the_gradient(name):
    A, Y = cases.problem(13, 7, 3, (2,), torch.complex128)
    tensors, estimates = leaves(name, A, Y, (2,))
    expected = gradients(estimates(*tensors, n_iter=4), tensors)
    hyper = dict(zip(cases.hyperparameters(name, A, (2,)), tensors[2:], strict=True))
    half = cases.run(name, *tensors[:2], **hyper, n_iter=1)
    found = gradients(estimates(*tensors, n_iter=3, start=half.state), tensors)
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_silence_has_finite_gradients(name):
    """Y = 0 leaves every row of X at zero, where norms have no derivative."""
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    tensors, estimates = leaves(name, A, torch.zeros_like(Y), (2,))
    for value in gradients(estimates(*tensors, n_iter=3), tensors):
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("name", ["group_lasso_bcd", "map_cd", "covariance_lasso"])
def test_opcheck(name):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    arguments = operator_arguments(name, A, Y)
    operator = getattr(torch.ops.mmvsolvers, name).default
    torch.library.opcheck(operator, (*arguments, 2, True, "numba"))
    *tensors, start = (tensor.detach() for tensor in arguments)
    value, history = operator(*tensors, start, 2, True, "numba")
    backward = getattr(torch.ops.mmvsolvers, f"{name}_backward").default
    torch.library.opcheck(backward, (torch.ones_like(value), *tensors, value, history, "numba"))


def operator_arguments(name, A, Y):
    """Return what an operator takes: its tensors, as leaves."""
    T, N, real = len(Y), A.shape[1], A.real.dtype
    weights = torch.linspace(0.5, 1.0, T, dtype=real)
    log_odds = torch.linspace(-0.3, 0.3, T * N, dtype=real).reshape(T, N)
    tensors = {
        "group_lasso_bcd": (A, Y, weights, torch.zeros(T, N, Y.shape[2], dtype=A.dtype)),
        "map_cd": (A, Y, weights, log_odds, torch.ones_like(log_odds), torch.zeros_like(log_odds)),
        "covariance_lasso": (
            (A.mH @ A).abs().square(),
            (A.mH @ Y).abs().square().mean(2),
            weights,
            torch.zeros(T, N).to(real),
        ),
    }[name]
    return [tensor.clone().requires_grad_() for tensor in tensors]


def test_single_precision_suffices_at_small_noise():
    """Where σ² is small, derivatives are what is left of large terms; the same sweeps are differentiated twice."""
    A, Y = cases.problem(40, 10, 4, (3,), torch.complex128)
    arguments = [tensor.detach() for tensor in operator_arguments("map_cd", A, Y)]
    arguments[2] = torch.full_like(arguments[2], 1e-4)
    arguments = [tensor.to(torch.complex64 if tensor.is_complex() else torch.float32) for tensor in arguments]
    value, history = torch.ops.mmvsolvers.map_cd(*arguments, 20, True, "numba")
    tensors = (torch.ones_like(value), *arguments[:-1], value, history)
    found = torch.ops.mmvsolvers.map_cd_backward(*tensors, "numba")
    double = [tensor.to(torch.promote_types(tensor.dtype, torch.float64)) for tensor in tensors]
    for part, expected in zip(found, torch.ops.mmvsolvers.map_cd_backward(*double, "numba"), strict=True):
        assert cases.error_ratio(part, expected) < 1e-4


@pytest.mark.parametrize("name", ["ml_cd", "map_cd"])
def test_nothing_of_a_sweep_is_kept_but_its_values(name):
    """What the graph holds grows by N real numbers per problem and sweep."""
    N, L, M, T = 20, 8, 2, 3
    A, Y = cases.problem(N, L, M, (T,), torch.complex128)
    tensors, estimates = leaves(name, A, Y, (T,))

    def kept(n_iter):
        sizes = {}

        def pack(tensor):
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            estimates(*tensors, n_iter=n_iter)
        return sum(sizes.values())

    assert kept(12) - kept(2) == 10 * T * N * A.real.element_size()


def test_inference_records_nothing():
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    arguments = [tensor.detach() for tensor in operator_arguments("map_cd", A, Y)]
    _, history = torch.ops.mmvsolvers.map_cd(*arguments, 5, False, "numba")
    assert history.numel() == 0


@pytest.mark.parametrize("backend", ["numba", "blocked"])
@pytest.mark.parametrize("name", ["map_cd", "group_lasso_bcd"])
def test_compiles_without_a_graph_break(name, backend):
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex128)
    tensors, estimates = leaves(name, A, Y, (2,))

    def run(*args):
        return estimates(*args, n_iter=2, backend=backend)

    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*tensors), run(*tensors))
    expected = gradients(run(*tensors), tensors)
    for value, reference in zip(gradients(compiled(*tensors), tensors), expected, strict=True):
        torch.testing.assert_close(value, reference)


def test_compiles_with_a_number_in_the_place_of_a_tensor():
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex64)

    def run(A, Y):
        return functional.ml_cd(A, Y, 0.1, n_iter=3).score

    assert torch.equal(torch.compile(run, backend="aot_eager", fullgraph=True)(A, Y), run(A, Y))


@pytest.mark.parametrize("name", ["map_cd", "group_lasso_bcd"])
def test_compiles_with_the_way_back(name):
    A, Y = cases.problem(37, 4, 3, (2,), torch.complex128)
    wanted, estimates = leaves(name, A, Y, (2,))
    found, _ = leaves(name, A, Y, (2,))

    def step(*args):
        estimated = estimates(*args, n_iter=3, backend="blocked")
        parts = estimated if isinstance(estimated, tuple) else (estimated,)
        sum(part.abs().square().sum() for part in parts).backward()

    step(*wanted)
    with torch._dynamo.config.patch(compiled_autograd=True):
        torch.compile(step, backend="aot_eager")(*found)
    for value, reference in zip(found, wanted, strict=True):
        torch.testing.assert_close(value.grad, reference.grad)


@pytest.mark.parametrize("backend", ["reference", "numba", "blocked"])
def test_a_device_at_its_bound_follows_the_bound_alone(backend):
    """A bound that is no power of two: from where a device starts, the step to it may miss it by a rounding error."""
    by_Y, by_upper = cases.ended_at_a_bound(backend)
    assert not by_Y.any()
    assert by_upper == 99
