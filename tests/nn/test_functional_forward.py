"""The unrolled iterations are those of the numpy references."""

import functional_cases as cases
import pytest
import torch

import mmvsolvers as mmv
from mmvsolvers_nn import functional

TOLERANCE = {torch.complex128: 1e-9, torch.complex64: 1e-3}
N_ITER = 6


# Where AMP diverges, both return their best iterate.
@pytest.mark.filterwarnings("ignore::mmvsolvers.DivergenceWarning")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", cases.SHAPES)
@pytest.mark.parametrize("name", cases.SOLVERS)
def test_agrees_with_numpy(name, shape, dtype):
    N, L, M, leading = cases.SHAPES[shape]
    A, Y = cases.problem(N, L, M, leading, dtype)
    hyper = cases.hyperparameters(name, A, leading)
    options = {"threshold": 0.3} if name == "ml_mmse" else {}
    expected = getattr(mmv, name)(
        A.numpy(), Y.numpy(), **{key: value.numpy() for key, value in hyper.items()}, **options, max_iter=N_ITER, tol=0
    )
    found = getattr(cases.functional, name)(A, Y, **hyper, **options, n_iter=N_ITER)
    assert found.score.dtype == A.real.dtype
    assert cases.error_ratio(found.score, torch.as_tensor(expected.score)) < TOLERANCE[dtype]
    if expected.X is None:
        assert found.X is None
    else:
        assert found.X.dtype == dtype
        assert cases.error_ratio(found.X, torch.as_tensor(expected.X)) < TOLERANCE[dtype]


@pytest.mark.parametrize(
    "option", [{"damping": 0.7}, {"onsager": "printed"}, {"column_scaling": "sqrt_length"}], ids=str
)
def test_amp_options_agree_with_numpy(option):
    A, Y = cases.problem(30, 15, 4, (3,), torch.complex128)
    expected = mmv.amp_mmse(A.numpy(), Y.numpy(), 0.2, **option, max_iter=30, tol=0)
    found = cases.functional.amp_mmse(A, Y, 0.2, **option, n_iter=30)
    assert cases.error_ratio(found.X, torch.as_tensor(expected.X)) < 1e-9


@pytest.mark.parametrize("damping", ["adaptive", 1.0])
def test_amp_averages_its_iterates_by_what_their_residuals_say(damping):
    A, Y = cases.problem(40, 5, 4, (3,), torch.complex128)
    options = {"damping": damping, "column_scaling": "sqrt_length"}
    X, weight = torch.zeros(3, 40, 4), torch.zeros(3, 1, 1)
    for n_iter in range(12):
        # the second problem blows up at last without damping, and stands still from there
        now = cases.functional.amp_mmse(A, Y, 0.2, **options, n_iter=n_iter)
        iterate, residual = now.state[:2]
        share = residual.abs().square().mean(dim=(1, 2), keepdim=True) ** -4
        X, weight = X + share * iterate, weight + share
        found = cases.functional.amp_mmse(A, Y, 0.2, **options, averaged=True, n_iter=n_iter)
        assert cases.error_ratio(found.X, X / weight) < 1e-9


def test_amp_averages_nothing_at_all():
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex64)
    found = cases.functional.amp_mmse(A, 0 * Y, 0.2, averaged=True, n_iter=3)
    assert found.X.abs().max() == 0


@pytest.mark.filterwarnings("ignore::mmvsolvers.DivergenceWarning")
def test_diverging_amp_returns_the_same_iterate():
    A, Y = cases.problem(40, 5, 4, (3,), torch.complex128)
    expected = mmv.amp_mmse(A.numpy(), Y.numpy(), 0.2, damping=1.0, max_iter=30, tol=0)
    assert expected.diverged.tolist() == [False, True, False]
    found = cases.functional.amp_mmse(A, Y, 0.2, damping=1.0, n_iter=30)
    assert cases.error_ratio(found.X, torch.as_tensor(expected.X)) < 1e-9


@pytest.mark.parametrize("shape", cases.SHAPES)
@pytest.mark.parametrize("name", cases.SEQUENTIAL)
def test_backends_agree(name, shape):
    N, L, M, leading = cases.SHAPES[shape]
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    hyper = cases.hyperparameters(name, A, leading)
    reference = cases.run(name, A, Y, **hyper, n_iter=3, backend="reference").score
    assert cases.error_ratio(cases.run(name, A, Y, **hyper, n_iter=3, backend="numba").score, reference) < 1e-12


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_goes_on_from_its_state(name):
    N, L, M, leading = cases.SHAPES["odd"]
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    hyper = cases.hyperparameters(name, A, leading)
    whole = cases.run(name, A, Y, **hyper, n_iter=5)
    half = cases.run(name, A, Y, **hyper, n_iter=2)
    rest = cases.run(name, A, Y, **hyper, n_iter=3, start=half.state)
    for left, right in zip(rest.state, whole.state, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(rest.score, whole.score, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_batch_is_a_loop(name):
    N, L, M, leading = cases.SHAPES["odd"]
    A, Y = cases.problem(N, L, M, leading, torch.complex128)
    batch = cases.run(name, A, Y, **cases.hyperparameters(name, A, ()), n_iter=4).score
    for index in torch.cartesian_prod(*map(torch.arange, leading)):
        single = cases.run(name, A, Y[tuple(index)], **cases.hyperparameters(name, A, ()), n_iter=4).score
        torch.testing.assert_close(batch[tuple(index)], single, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_lazy_and_strided_views(name):
    A, Y = cases.problem(12, 6, 2, (3,), torch.complex128)
    hyper = cases.hyperparameters(name, A, (3,))
    expected = cases.run(name, A, Y, **hyper, n_iter=3).score
    views = A.conj().resolve_conj().conj(), Y.repeat_interleave(2, dim=0)[::2]
    before = [view.clone() for view in views]
    torch.testing.assert_close(cases.run(name, *views, **hyper, n_iter=3).score, expected)
    assert all(torch.equal(view, copy) for view, copy in zip(views, before, strict=True))


@pytest.mark.parametrize("name", cases.SOLVERS)
def test_no_iteration_returns_the_start(name):
    A, Y = cases.problem(12, 6, 2, (3,), torch.complex128)
    assert not cases.run(name, A, Y, **cases.hyperparameters(name, A, (3,)), n_iter=0).score.any()


@pytest.mark.parametrize("name", ["map_cd", "map_psca"])
def test_a_bound_may_be_infinite(name):
    A, Y = cases.problem(12, 6, 3, (2,), torch.complex128)
    told = {"noise_var": 0.1, "activity_prob": 0.1, "n_iter": 5}
    free = getattr(cases.functional, name)(A, Y, **told).score
    assert torch.equal(getattr(cases.functional, name)(A, Y, upper=torch.inf, **told).score, free)
    bounds = torch.full((12,), torch.inf, dtype=torch.float64)
    bounds[free.argmax(dim=-1)[0]] = 0.01
    found = getattr(cases.functional, name)(A, Y, upper=bounds, **told).score
    assert (found <= bounds).all()
    assert (found > 0.01).any()


def test_parallel_estimation_takes_a_prior_for_every_problem():
    A, Y = cases.problem(12, 6, 3, (2,), torch.complex128)
    prior = torch.linspace(0.05, 0.3, Y.shape[0] * 12, dtype=torch.float64).reshape(Y.shape[0], 12)
    together = cases.functional.map_psca(A, Y, 0.1, prior, n_iter=5).score
    for t, one in enumerate(prior):
        alone = cases.functional.map_psca(A, Y[t], 0.1, one, n_iter=5).score
        torch.testing.assert_close(together[t], alone, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", "numba", "blocked"])
@pytest.mark.parametrize("exponent", [-35, 35])
def test_powers_have_units(exponent, backend):
    """Powers of two change no digit, and squares of them would leave the exponents of single precision."""
    A, Y = cases.problem(6, 4, 2, (2,), torch.complex64)
    unit = 2.0**exponent
    ordinary = functional.ml_cd(A, Y, 0.1, n_iter=4, backend=backend).score
    found = functional.ml_cd(A, unit * Y, 0.1 * unit**2, n_iter=4, backend=backend)
    torch.testing.assert_close(found.score / unit**2, ordinary)
    assert ordinary.any()
    longer = functional.ml_cd(A, unit * Y, 0.1 * unit**2, n_iter=2, backend=backend, start=found.state).score
    torch.testing.assert_close(longer / unit**2, functional.ml_cd(A, Y, 0.1, n_iter=6, backend=backend).score)
    pilots = functional.ml_cd(A / unit, Y, 0.1, n_iter=4, backend=backend).score
    torch.testing.assert_close(pilots / unit**2, ordinary)
