"""Coupled decoders: with no coupling they are the solver, with known groups they are exact, and derivatives hold."""

import functional_cases as cases
import numpy as np
import pytest
import torch

from mmvsolvers import mmse_estimate
from mmvsolvers_nn import functional
from mmvsolvers_nn.coupled import CoupledAMP, CoupledMAP
from mmvsolvers_nn.functional._inputs import complex_rows, real_product, real_rows
from mmvsolvers_nn.functional.amp_mmse import Model, for_each_problem

N, L, M, T = 12, 6, 2, 3
EPS = np.linspace(0.05, 0.4, N)
SAME_GROUP = torch.arange(N)[:, None] // 3 == torch.arange(N)[None, :] // 3


@pytest.fixture
def problem():
    return cases.problem(N, L, M, (T,), torch.complex128)


def model(A, coupling):
    """Return AMP's problems with Y = 0, whose denoiser is looked at alone."""
    norms = A.abs().square().sum(0).sqrt()
    variance = torch.linspace(0.5, 2.0, N, dtype=torch.float64)
    log_odds, nothing = torch.logit(torch.tensor(EPS)), torch.zeros(T, M, 2 * L, dtype=torch.float64)
    return Model(
        real_product(A / norms),
        nothing,
        for_each_problem(log_odds, T),
        for_each_problem(variance, T),
        "matrix",
        coupling,
    )


def denoise(model, Q, R, tau2):
    """Return the posterior means and the Onsager term of complex rows."""
    return [complex_rows(part) for part in model.denoise(real_rows(Q), real_rows(R), tau2)]


def random_coupling(seed=0):
    return 0.3 * torch.randn(N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_no_coupling_is_amp(problem):
    A, Y = problem
    layer = CoupledAMP(5, EPS, damping=0.8).double()
    expected = functional.amp_mmse(A, Y, torch.tensor(EPS), damping=0.8, n_iter=5)
    torch.testing.assert_close(layer(A, Y), expected.X, rtol=1e-5, atol=1e-6)


def test_a_damping_for_every_iteration(problem):
    A, Y = problem
    found, step = functional.amp_mmse(A, Y, 0.2, damping=(0.9, 0.5, torch.tensor(0.7)), n_iter=3), None
    for share in (0.9, 0.5, 0.7):
        step = functional.amp_mmse(A, Y, 0.2, damping=share, n_iter=1, start=step and step.state)
    torch.testing.assert_close(found.X, step.X, rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="damping must be one share or n_iter=2 of them; got 3"):
        functional.amp_mmse(A, Y, 0.2, damping=[0.9, 0.5, 0.7], n_iter=2)


def test_certain_devices_make_no_subnormal_numbers():
    """A processor takes many times as long for them, backwards above all."""
    A, Y = torch.eye(8, dtype=torch.complex64), torch.full((8, 42), 1e-3, dtype=torch.complex64)
    Y[0] = 1.0  # beside it the others are active with probability exp(-92)
    parts = functional.amp_mmse(A, Y, 0.5, damping=1.0, n_iter=1).X[1:].abs()
    assert 1e-30 < parts.min() <= parts.max() < 1e-15


def test_zero_coupling_leaves_every_bit(problem):
    A, Y = problem
    plain = functional.amp_mmse(A, Y, 0.1, n_iter=5)
    coupled = functional.amp_mmse(A, Y, 0.1, coupling=torch.zeros(N, N, dtype=torch.float64), n_iter=5)
    assert torch.equal(plain.X, coupled.X)


def test_the_posterior_of_known_groups(problem):
    """Ones between the devices of a group: the group is active or not as a whole, with the product of all evidence."""
    A, _ = problem
    coupling = SAME_GROUP.double() - torch.eye(N, dtype=torch.float64)
    denoiser = model(A, coupling)
    Q = torch.randn(T, M, N, dtype=A.dtype, generator=torch.Generator().manual_seed(1))
    tau2 = torch.full((T, 1, 1), 0.7, dtype=torch.float64)
    mean, _ = denoise(denoiser, Q, torch.zeros(T, M, L, dtype=A.dtype), tau2)
    g, noise = denoiser.variance[0, 0].numpy(), 0.7
    power = np.square(np.abs(Q.numpy())).sum(axis=1)
    for n in range(N):
        group = SAME_GROUP[n].numpy()
        # the density of the group's rows, active over idle
        evidence = power * (1 / noise - 1 / (noise + g)) - M * np.log((noise + g) / noise)
        odds = EPS[n] / (1 - EPS[n]) * np.exp(evidence[:, group].sum(axis=1))
        expected = (odds / (1 + odds) * g[n] / (g[n] + noise))[:, None] * Q[:, :, n].numpy()
        np.testing.assert_allclose(mean[:, :, n].numpy(), expected, rtol=1e-10)


def test_the_onsager_term_is_the_denoisers_own_derivative(problem):
    """J_ij = Σ_n ∂η_n,j/∂q_n,i, the derivative that leaves the conjugate alone, here by differences."""
    A, _ = problem
    denoiser = model(A, random_coupling())
    Q = 0.5 * torch.randn(T, M, N, dtype=A.dtype, generator=torch.Generator().manual_seed(2))
    tau2 = torch.full((T, 1, 1), 0.7, dtype=torch.float64)
    identity = torch.eye(M, dtype=A.dtype).expand(T, M, M)
    _, J = denoise(denoiser, Q, identity, tau2)
    step, expected = 1e-6, torch.zeros(T, M, M, dtype=A.dtype)
    for n in range(N):
        for i in range(M):
            slopes = []
            for direction in (1.0, 1j):
                ahead, behind = Q.clone(), Q.clone()
                ahead[:, i, n] += step * direction
                behind[:, i, n] -= step * direction
                moved = denoise(denoiser, ahead, identity, tau2)[0] - denoise(denoiser, behind, identity, tau2)[0]
                slopes.append(moved[:, :, n] / (2 * step))
            expected[:, :, i] += (slopes[0] - 1j * slopes[1]) / 2
    torch.testing.assert_close(J, expected, rtol=1e-5, atol=1e-8)


def test_gradcheck_of_the_coupling(problem):
    A, Y = problem
    coupling = random_coupling().requires_grad_()

    def recover(C):
        return functional.amp_mmse(A, Y, torch.tensor(EPS), damping=0.8, coupling=C, n_iter=2).X

    assert torch.autograd.gradcheck(recover, (coupling,))


def test_likelihood_ratio(problem):
    """Against the likelihoods of both answers, for every device."""
    A, Y = problem
    generator = torch.Generator().manual_seed(3)
    activity = torch.rand(T, N, dtype=torch.float64, generator=generator)
    variance = torch.linspace(0.5, 2.0, N, dtype=torch.float64)
    found = functional.likelihood_ratio(A, Y, 0.3, activity, channel_var=variance)

    def log_likelihood(t, n, value):
        power = (activity[t] * variance).numpy()
        power[n] = value * variance[n]
        covariance = (A.numpy() * power) @ A.numpy().conj().T + 0.3 * np.eye(L)
        fit = np.vdot(Y[t].numpy(), np.linalg.solve(covariance, Y[t].numpy())).real
        return -M * np.linalg.slogdet(covariance)[1] - fit

    for t in range(T):
        for n in range(N):
            expected = log_likelihood(t, n, 1.0) - log_likelihood(t, n, 0.0)
            assert float(found[t, n]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_uncoupled_map_is_map_and_exact_evidence(problem):
    A, Y = problem
    layer = CoupledMAP(3, 0.1, EPS).double()
    activity = functional.map_cd(A, Y, 0.1, torch.tensor(EPS), upper=1.0, n_iter=3).score
    expected = torch.logit(torch.tensor(EPS)) + functional.likelihood_ratio(A, Y, 0.1, activity)
    torch.testing.assert_close(layer(A, Y), expected, rtol=1e-5, atol=1e-5)


def test_priors_of_their_own_for_every_problem(problem):
    A, Y = problem
    prior = torch.rand(T, N, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) * 0.8 + 0.1
    together = functional.map_cd(A, Y, 0.1, prior, n_iter=3).score
    alone = [functional.map_cd(A, Y[t], 0.1, prior[t], n_iter=3).score for t in range(T)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("layer", [CoupledAMP(3, EPS), CoupledMAP(3, 0.1, EPS)], ids=["amp", "map"])
def test_every_parameter_learns(layer, problem):
    A, Y = problem
    out = layer.double()(A, Y)
    torch.autograd.backward((torch.view_as_real(out) if out.is_complex() else out).square().mean())
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


@pytest.mark.parametrize("coupling", [torch.zeros(N), torch.zeros(N, N + 1), 0.0], ids=["vector", "oblong", "number"])
def test_bad_coupling(problem, coupling):
    A, Y = problem
    with pytest.raises(ValueError, match="coupling must be a tensor of shape"):
        functional.amp_mmse(A, Y, 0.1, coupling=coupling, n_iter=1)


def test_the_conditional_mean_is_the_mmse_estimate_where_the_support_is_sure(problem):
    A, Y = problem
    support = torch.rand(T, N, generator=torch.Generator().manual_seed(4)) < 0.4
    variance = torch.linspace(0.5, 2.0, N, dtype=torch.float64)
    found = functional.conditional_mean(A, Y, 0.3, support.double(), channel_var=variance)
    wanted = mmse_estimate(A.numpy(), Y.numpy(), 0.3, support.numpy(), channel_var=variance.numpy())
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_the_conditional_mean_weighs_what_is_expected_of_an_active_device(problem):
    A, Y = problem
    probability = torch.rand(T, N, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    found = functional.conditional_mean(A, Y, 0.3, probability)
    for n in range(N):
        others = probability.detach().clone()
        others[:, n] = 1.0
        wanted = probability[:, n, None] * functional.conditional_mean(A, Y, 0.3, others)[:, n]
        torch.testing.assert_close(found[:, n], wanted)
    assert torch.autograd.gradcheck(lambda phi: functional.conditional_mean(A, Y, 0.3, phi), (probability,))


@pytest.mark.parametrize("layer", [CoupledAMP, CoupledMAP])
def test_a_coupling_can_be_started_from(layer):
    given = (3, EPS) if layer is CoupledAMP else (3, 0.2, EPS)
    wanted = random_coupling().float()
    assert torch.equal(layer(*given, coupling=wanted.numpy()).coupling, wanted)
    with pytest.raises(ValueError, match=r"coupling must have shape \(12, 12\); got \(12, 3\)"):
        layer(*given, coupling=np.zeros((N, 3)))
