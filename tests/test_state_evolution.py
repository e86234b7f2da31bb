"""The predicted error of AMP: its denoiser against direct integration and simulation, its recursion by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from mmvsolvers import state_evolution as public_state_evolution
from mmvsolvers.state_evolution import denoiser_mse, state_evolution

PAPER = {"N": 1000, "L": 150, "M": 16, "noise_var": 0.1, "activity_prob": 0.1}


def one(tau2, M, epsilon, g):
    return float(denoiser_mse(tau2, M, np.array([epsilon]), np.array([g]))[0])


def posterior_activity(norm2, tau2, M, epsilon, g):
    """Bayes' rule on the two densities of q given ‖q‖²."""
    active = -M * np.log(tau2 + g) - norm2 / (tau2 + g) + np.log(epsilon)
    idle = -M * np.log(tau2) - norm2 / tau2 + np.log1p(-epsilon)
    return 1 / (1 + np.exp(np.minimum(idle - active, 700)))


def integrated(tau2, M, epsilon, g):
    """E‖x‖² − E‖x̂‖² by adaptive integration over ‖q‖², with the law of q a mixture of idle and active."""
    idle, active = stats.gamma(M, scale=tau2), stats.gamma(M, scale=tau2 + g)

    def energy_density(norm2):
        estimate2 = (posterior_activity(norm2, tau2, M, epsilon, g) * g / (tau2 + g)) ** 2 * norm2
        return estimate2 * (epsilon * active.pdf(norm2) + (1 - epsilon) * idle.pdf(norm2))

    levels = [0, 1e-12, 1e-6, 1e-2, 0.3, 0.7, 0.99, 1 - 1e-6, 1 - 1e-12, 1 - 1e-15]
    edges = np.sort(np.concatenate([idle.ppf(levels), active.ppf(levels)]))
    options = {"epsabs": 1e-60, "epsrel": 1e-11, "limit": 200}
    energy = sum(integrate.quad(energy_density, low, high, **options)[0] for low, high in pairwise(edges))
    return epsilon * g * M - energy


@pytest.mark.parametrize("tau2", [1e-3, 0.02, 0.3, 5.0])
@pytest.mark.parametrize("M", [1, 4, 16, 64])
@pytest.mark.parametrize(("epsilon", "g"), [(0.1, 1.0), (0.7, 0.2), (1e-25, 1.0)])
def test_denoiser_error_matches_direct_integration(tau2, M, epsilon, g):
    assert one(tau2, M, epsilon, g) == pytest.approx(integrated(tau2, M, epsilon, g), rel=1e-7, abs=0)


@pytest.mark.parametrize(("tau2", "M", "epsilon", "g"), [(0.3, 2, 0.1, 1.0), (0.05, 8, 0.4, 2.5), (2.0, 16, 0.05, 1.0)])
def test_denoiser_error_matches_simulation(tau2, M, epsilon, g):
    rng = np.random.default_rng(0)
    T = 100_000
    normal = rng.standard_normal((2, T, M, 2)).view(np.complex128)[..., 0] * np.sqrt(0.5)
    x = np.sqrt(g) * normal[0] * (rng.random((T, 1)) < epsilon)
    q = x + np.sqrt(tau2) * normal[1]
    phi = posterior_activity(np.sum(np.abs(q) ** 2, axis=1), tau2, M, epsilon, g)
    error = np.sum(np.abs(x - (phi * g / (tau2 + g))[:, np.newaxis] * q) ** 2, axis=1)
    standard_error = error.std() / np.sqrt(T)
    assert abs(one(tau2, M, epsilon, g) - error.mean()) < 4 * standard_error


priors = st.tuples(st.integers(1, 64), st.floats(1e-4, 1 - 1e-4), st.floats(1e-3, 1e3))


@given(st.floats(1e-9, 1e6), priors)
def test_denoiser_error_lies_between_knowing_the_activity_and_guessing_zero(tau2, prior):
    M, epsilon, g = prior
    error = one(tau2, M, epsilon, g)
    assert epsilon * M * g * tau2 / (tau2 + g) * (1 - 1e-12) <= error <= epsilon * M * g * (1 + 1e-12)


@given(st.floats(1e-9, 1e6), st.floats(1, 100), priors)
def test_more_noise_never_helps(tau2, factor, prior):
    assert one(factor * tau2, *prior) >= one(tau2, *prior) * (1 - 1e-10)


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e6), priors)
def test_scaling_signal_and_noise_scales_the_error(tau2, scale, prior):
    M, epsilon, g = prior
    assert one(scale * tau2, M, epsilon, scale * g) == pytest.approx(scale * one(tau2, M, epsilon, g), rel=1e-9, abs=0)


@pytest.mark.parametrize("M", [1, 4, 64])
@pytest.mark.parametrize("tau2", [1e-8, 1e-3, 0.1, 10.0, 1e6])
def test_the_quadrature_has_converged(monkeypatch, M, tau2):
    coarse = one(tau2, M, 0.1, 1.0)
    nodes = np.polynomial.legendre.leggauss(600)
    monkeypatch.setitem(denoiser_mse.__globals__, "_legendre", lambda: nodes)
    assert coarse == pytest.approx(one(tau2, M, 0.1, 1.0), rel=1e-12, abs=0)


def test_the_recursion_is_that_of_the_theory():
    predicted = state_evolution(**PAPER, n_iter=4)
    tau2 = 0.1 / 150 + 1000 / 150 * 0.1
    for k in range(4):
        assert predicted.tau2[k] == pytest.approx(tau2, rel=1e-12)
        mse = one(tau2, 16, 0.1, 1.0)
        assert predicted.mse[k] == pytest.approx(mse, rel=1e-12)
        tau2 = 0.1 / 150 + 1000 / 150 * mse / 16


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 16),
    st.floats(1e-4, 10),
    st.floats(1e-3, 0.999),
    st.floats(0.01, 100),
)
def test_error_and_noise_fall_with_the_iterations(N, L, M, noise_var, activity_prob, channel_var):
    predicted = state_evolution(
        N=N, L=L, M=M, noise_var=noise_var, activity_prob=activity_prob, channel_var=channel_var, n_iter=20
    )
    assert predicted.tau2.shape == predicted.mse.shape == (20,)
    assert (np.diff(predicted.tau2) <= 1e-12 * predicted.tau2[:-1]).all()
    assert (np.diff(predicted.mse) <= 1e-12 * predicted.mse[:-1]).all()
    assert (predicted.tau2 >= noise_var / L).all()


def test_devices_are_averaged_in_any_order():
    rng = np.random.default_rng(0)
    epsilon, g = rng.uniform(0.05, 0.3, 40), rng.uniform(0.2, 3, 40)
    order = rng.permutation(40)
    arguments = {"N": 40, "L": 20, "M": 4, "noise_var": 0.1, "n_iter": 1}
    predicted = state_evolution(**arguments, activity_prob=epsilon, channel_var=g)
    permuted = state_evolution(**arguments, activity_prob=epsilon[order], channel_var=g[order])
    np.testing.assert_allclose(permuted.mse, predicted.mse, rtol=1e-13)
    assert predicted.tau2[0] == pytest.approx(0.1 / 20 + np.sum(epsilon * g) / 20, rel=1e-13)
    expected = np.mean([one(predicted.tau2[0], 4, *device) for device in zip(epsilon, g, strict=True)])
    assert predicted.mse[0] == pytest.approx(expected, rel=1e-13)


def test_a_scalar_is_the_same_for_every_device():
    spread = PAPER | {"activity_prob": np.full(1000, 0.1)}
    np.testing.assert_array_equal(
        state_evolution(**PAPER).mse, state_evolution(**spread, channel_var=np.ones(1000)).mse
    )


def test_the_package_exports_the_function():
    assert public_state_evolution is state_evolution


BAD = [
    ({"N": 0}, ValueError, "N must be at least 1; got 0"),
    ({"L": 1.5}, TypeError, "L must be an integer; got 1.5"),
    ({"n_iter": 0}, ValueError, "n_iter must be at least 1; got 0"),
    ({"noise_var": 0}, ValueError, "noise_var must be .*positive; got 0"),
    ({"activity_prob": 1.0}, ValueError, "activity_prob must be .*strictly between 0 and 1; got 1"),
    ({"activity_prob": np.full(3, 0.1)}, ValueError, r"activity_prob must be .* shape \(1000,\).*; got \(3,\)"),
    ({"channel_var": -1.0}, ValueError, "channel_var must be .*positive; got -1"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD)
def test_bad_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        state_evolution(**(PAPER | changes))
