"""What the covariance can tell, against a linear program, the information by differences, and ML on many antennas."""

import numpy as np
import pytest
from conftest import make_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear

import mmvsolvers as mmv
from mmvsolvers.identifiability import _nearest_in_cone


def pilots(rng, L, N, real=False):
    parts = rng.standard_normal((2, L, N))
    return parts[0] if real else parts[0] + 1j * parts[1]


def seen(A):
    """Σ_n x_n a_n a_nᴴ as a real matrix times x."""
    products = np.einsum("in,jn->ijn", A, A.conj()).reshape(-1, A.shape[1])
    return np.concatenate([products.real, products.imag])


def identifiable_by_linear_program(A, active):
    """No x but 0 that the covariance does not show and that is non-negative where devices are silent."""
    B = seen(A / np.linalg.norm(A, axis=0))
    if np.linalg.matrix_rank(B[:, active], tol=1e-9) < active.sum():
        return False
    bounds = [(None, None) if a else (0, 1) for a in active]
    found = linprog(-np.where(active, 0.0, 1.0), A_eq=B, b_eq=np.zeros(len(B)), bounds=bounds)
    return -found.fun < 1e-7


@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
def test_agrees_with_the_linear_program(real):
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(40):
        A, active = pilots(rng, 4, 24, real), rng.random(24) < rng.uniform(0.1, 0.6)
        verdicts.append(mmv.identifiable(A, active))
        assert verdicts[-1] == identifiable_by_linear_program(A, active)
    assert 5 < sum(verdicts) < 35


def test_all_supports_are_identifiable_where_the_pilots_products_are_independent():
    rng = np.random.default_rng(0)
    assert mmv.identifiable(pilots(rng, 5, 25), rng.random((2, 3, 25)) < 0.7).all()
    assert mmv.identifiable(pilots(rng, 5, 25), np.ones(25, bool))
    # 25 real symmetric products have only 15 entries
    assert not mmv.identifiable(pilots(rng, 5, 25, real=True), np.ones(25, bool))


def test_a_device_with_another_s_pilot_is_not_identifiable_beside_it():
    A = pilots(np.random.default_rng(0), 6, 10)
    A[:, 3] = 2j * A[:, 7]
    device = np.arange(10)
    active = np.array([device == 7, device < 0, device == 1])
    # with 3 and 7 both silent nothing can take power from the one and give it to the other
    assert mmv.identifiable(A, active).tolist() == [False, True, True]


@given(st.integers(0, 10**6), st.floats(-200, 200))
@settings(max_examples=15, deadline=None)
def test_the_scale_of_the_pilots_does_not_matter(seed, exponent):
    rng = np.random.default_rng(seed)
    A, active = pilots(rng, 3, 15), rng.random((3, 15)) < 0.3
    scales = 10.0 ** (exponent / 2 + rng.uniform(-2, 2, 15))
    np.testing.assert_array_equal(mmv.identifiable(A * scales, active), mmv.identifiable(A, active))


@pytest.mark.parametrize("dtype", [complex, float])
def test_the_information_is_the_curvature_of_the_mean_likelihood(dtype):
    A, _, _ = make_problem(5, 4, 1, dtype=dtype)
    gamma, noise_var, h = np.array([1.0, 0.0, 0.3, 2.0, 0.5]), 0.2, 1e-4

    def divergence(power):
        """Mean negative log-likelihood of one antenna at ``power`` where ``gamma`` is true, without constants."""
        true, other = ((A * p) @ A.conj().T + noise_var * np.eye(4) for p in (gamma, power))
        value = np.linalg.slogdet(other)[1] + np.trace(np.linalg.solve(other, true)).real
        return value if dtype is complex else value / 2

    found = mmv.fisher_information(A, gamma, noise_var)
    for m in range(5):
        for n in range(5):
            e, f = h * np.eye(5)[m], h * np.eye(5)[n]
            wanted = sum(s * u * divergence(gamma + s * e + u * f) for s in (1, -1) for u in (1, -1)) / (4 * h * h)
            assert found[m, n] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_the_projection_is_that_of_a_bounded_least_squares_solver():
    rng = np.random.default_rng(0)
    for D, N in [(30, 20), (16, 20)]:
        B, target, active = rng.standard_normal((D, N)), rng.standard_normal(D), rng.random(N) < 0.3
        found = _nearest_in_cone(B, target, active)
        lower = np.where(active, -np.inf, 0.0)
        wanted = lsq_linear(B, target, (lower, np.inf), method="bvls", tol=1e-14)
        assert (found >= lower).all()
        assert np.linalg.norm(B @ found - target) == pytest.approx(np.sqrt(2 * wanted.cost), rel=1e-9)


@pytest.mark.parametrize("dtype", [complex, float])
def test_with_all_devices_active_errors_have_the_inverse_information_as_covariance(dtype):
    A, _, _ = make_problem(6, 5, 1, dtype=dtype)
    gamma = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    draws = mmv.predict_ml(np.random.default_rng(0), A, np.tile(gamma, (20000, 1)), 0.1, M=50)
    wanted = np.linalg.inv(mmv.fisher_information(A, gamma, 0.1)) / 50
    spread = np.sqrt(np.diag(wanted))
    found = np.cov(draws.T)
    assert np.abs(found - wanted).max(initial=0) / spread.max() ** 2 < 0.05
    assert (np.abs(draws.mean(axis=0) - gamma) < 4 * spread / np.sqrt(20000)).all()


def test_maximum_likelihood_with_many_antennas_does_what_was_predicted():
    rng = np.random.default_rng(0)
    M, T = 512, 60
    data = mmv.generate(rng, N=60, L=8, M=M, T=T, activity=mmv.IndependentActivity(0.15), noise_var=0.1)
    found = mmv.ml_cd(data.A, data.Y, 0.1, tol=1e-6).score
    predicted = mmv.predict_ml(rng, data.A, 1.0 * np.repeat(data.activity, 10, axis=0), 0.1, M)
    silent = ~data.activity
    # the share of silent devices that get any power, and how much; how far off active ones are
    for figure in (lambda x: x > 0.0, lambda x: x, lambda x: x**2):
        by_sample = np.array([figure(f[s]).mean() for f, s in zip(found, silent, strict=True)])
        wanted = figure(predicted[np.repeat(silent, 10, axis=0)]).mean()
        assert abs(by_sample.mean() - wanted) < 4 * by_sample.std() / np.sqrt(T)
    error = (found - 1)[data.activity]
    wanted = (predicted - 1)[np.repeat(data.activity, 10, axis=0)]
    assert np.mean(error**2) == pytest.approx(np.mean(wanted**2), rel=0.2)


def test_the_same_seed_gives_the_same_draws_and_inputs_stay():
    A, _, _ = make_problem(8, 5, 1)
    gamma = np.array([[1.0, 0, 0, 0, 2, 0, 0, 0], [0] * 8])
    kept = A.copy(), gamma.copy()
    one, two = (mmv.predict_ml(np.random.default_rng(3), A, gamma, 0.1, 4) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (2, 8)
    np.testing.assert_array_equal(A, kept[0])
    np.testing.assert_array_equal(gamma, kept[1])


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_units_cancel(scale):
    A, _, _ = make_problem(12, 5, 1)
    gamma = np.where(np.arange(12) < 3, 1.0, 0.0)
    here = mmv.predict_ml(np.random.default_rng(3), A, gamma, 0.1, 4)
    there = mmv.predict_ml(np.random.default_rng(3), A * scale, gamma / scale, 0.1 * scale, 4)
    np.testing.assert_allclose(there * scale, here, rtol=1e-6, atol=1e-12)


A = np.eye(3) + 0.1
BAD = [
    (lambda: mmv.identifiable(A, [True, False]), r"active must have shape \(..., N\) with N = 3; got \(2,\)"),
    (lambda: mmv.identifiable(A, [0.5, 0, 1]), "active must be boolean"),
    (lambda: mmv.identifiable(A * [1, 0, 1], [1, 0, 1]), "A must have no zero column"),
    (lambda: mmv.fisher_information(A, [1.0, 2.0], 0.1), r"gamma must have shape .* N = 3; got \(2,\)"),
    (lambda: mmv.fisher_information(A, np.ones((2, 3)), 0.1), r"gamma must have shape \(N,\); got \(2, 3\)"),
    (lambda: mmv.fisher_information(A, np.ones(3), 0.0), "noise_var must be finite and positive; got 0"),
    (lambda: mmv.predict_ml(np.random.default_rng(0), A, -np.ones(3), 0.1, 4), "gamma must be .*non-negative; got -1"),
    (lambda: mmv.predict_ml(np.random.default_rng(0), A, np.ones(3), 0.1, 0), "M must be at least 1; got 0"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator"):
        mmv.predict_ml(0, A, np.ones(3), 0.1, 4)
