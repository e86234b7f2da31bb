import numpy as np
import pytest
import torch

from mmvsolvers import draw_pilots
from mmvsolvers_nn.layers import (
    AMP,
    MAP,
    Calibration,
    CorrectionPart,
    Covariance,
    FixedPilots,
    GroupLassoADMM,
    PilotEncoder,
    Threshold,
    transmit,
)


def problem(seed=0, N=12, L=5, M=3, T=4):
    rng = np.random.default_rng(seed)
    A = torch.from_numpy(draw_pilots(rng, L, N).astype(np.complex64))
    Y = torch.from_numpy(draw_pilots(rng, T * L, M).astype(np.complex64).reshape(T, L, M))
    return A, Y


def test_learned_columns_have_norm_sqrt_length_whatever_the_optimiser_did():
    encoder = PilotEncoder(draw_pilots(np.random.default_rng(0), 7, 20))
    with torch.no_grad():
        encoder.columns.mul_(torch.rand_like(encoder.columns) * 1e3)
    norms = torch.linalg.vector_norm(encoder().detach(), dim=0)
    torch.testing.assert_close(norms, torch.full((20,), 7**0.5), rtol=1e-6, atol=0)


def test_a_column_driven_to_zero_leaves_pilots_and_gradients_finite():
    encoder = PilotEncoder(draw_pilots(np.random.default_rng(0), 4, 6))
    with torch.no_grad():
        encoder.columns[:, 2] = 0
    A = encoder()
    (A.real.sum() + A.imag.sum()).backward()
    assert torch.view_as_real(A).isfinite().all()
    assert encoder.columns.grad.isfinite().all()


def test_fixed_pilots_are_the_given_ones_and_have_no_parameters():
    A = draw_pilots(np.random.default_rng(0), 4, 6).astype(np.complex64)
    A.flags.writeable = False  # which torch warns of
    encoder = FixedPilots(A)
    np.testing.assert_array_equal(encoder().numpy(), A)
    assert not list(encoder.parameters())


def test_pilots_reject_a_zero_column_by_name():
    A = draw_pilots(np.random.default_rng(0), 4, 6)
    A[:, 3] = 0
    with pytest.raises(ValueError, match=r"A must have no zero column; got zero column\(s\) \[3\]"):
        PilotEncoder(A)


def test_transmission_is_the_real_valued_model_of_the_paper():
    A, Z = problem()
    X = torch.from_numpy(draw_pilots(np.random.default_rng(1), 48, 3).astype(np.complex64).reshape(4, 12, 3))
    Y = transmit(A, X, Z)
    torch.testing.assert_close(Y.real, A.real @ X.real - A.imag @ X.imag + Z.real)
    torch.testing.assert_close(Y.imag, A.real @ X.imag + A.imag @ X.real + Z.imag)


@pytest.mark.parametrize(
    "part",
    [GroupLassoADMM(4, lam=0.7, rho=2.0), AMP(4, np.full(12, 0.2)), MAP(2, 0.3, np.full(12, 0.2))],
    ids=lambda part: type(part).__name__,
)
def test_every_trainable_hyperparameter_gets_a_gradient_and_starts_where_it_was_told(part):
    A, Y = problem()
    out = part(A, Y)
    torch.view_as_real(out).square().sum().backward() if out.is_complex() else out.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters())
    told = {"lam": 0.7, "rho": 2.0, "activity_prob": 0.2}
    for name, value in part.hyperparameters().items():
        torch.testing.assert_close(value, torch.full_like(value, told[name]))


@pytest.mark.parametrize("step", [-400.0, -40.0, 40.0, 400.0])
def test_hyperparameters_stay_admissible_however_far_they_are_moved(step):
    A, Y = problem()
    for part in (GroupLassoADMM(2, lam=1.0, rho=1.0), AMP(2, np.full(12, 0.1))):
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.add_(step / 4)
        assert torch.view_as_real(part(A, Y)).isfinite().all()


def test_activity_prob_out_of_range_is_named():
    with pytest.raises(ValueError, match="activity_prob must be strictly between 0 and 1; got 1"):
        AMP(2, np.array([0.5, 1.0]))


def test_covariance_features_are_those_of_the_sample_covariance():
    A, Y = problem()
    covariance = torch.einsum("tlm,tkm->tlk", Y, Y.conj()) / 3
    wanted = torch.cat([covariance.real.reshape(4, 25), covariance.imag.reshape(4, 25)], dim=1)
    torch.testing.assert_close(Covariance()(A, Y), wanted)


def test_correction_part_without_layers_or_untrained_with_residual_is_the_identity():
    features = torch.randn(3, 5)
    for part in (CorrectionPart(5, 5, 0, 8), CorrectionPart(5, 5, 3, 8)):
        assert torch.equal(part(features), features)
    assert not torch.equal(CorrectionPart(5, 5, 3, 8, residual=False)(features), features)


@pytest.mark.parametrize("V", [1, 2, 3])
def test_correction_part_has_the_layers_asked_for_and_relu_between_them(V):
    layers = CorrectionPart(5, 7, V, 11, residual=False).layers
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in linear] == [5, *[11] * (V - 1)]
    assert linear[-1].out_features == 7
    assert isinstance(layers[-1], torch.nn.Linear)
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in layers) == V - 1


@pytest.mark.parametrize(("V", "residual"), [(0, False), (2, True)])
def test_correction_part_cannot_pass_on_features_of_another_size(V, residual):
    with pytest.raises(ValueError, match="maps 5 features to 7"):
        CorrectionPart(5, 7, V, 4, residual=residual)


def test_calibration_rises_even_when_its_parameters_go_astray():
    calibration = Calibration(6.0, 0.5)
    assert calibration(torch.tensor(0.5)) == 0
    with torch.no_grad():
        calibration.log_slope.sub_(20)
    low, high = calibration(torch.tensor([0.0, 1.0]))
    assert low < high


def test_threshold_is_the_optimum_on_the_scores_it_was_fitted_on():
    threshold = Threshold()
    with pytest.raises(RuntimeError, match="must be fitted"):
        threshold(torch.zeros(3))
    threshold.fit(torch.tensor([0.9, 0.2, 0.6, 0.1]), torch.tensor([True, False, True, False]))
    assert threshold(torch.tensor([0.41, 0.39])).tolist() == [True, False]


@pytest.mark.parametrize("size", [1e-150, 1e-15, 1e22, 1e150])
def test_pilots_of_any_size_start_with_norm_sqrt_length(size):
    A = draw_pilots(np.random.default_rng(0), 7, 20)
    sizes = np.where(np.arange(20) % 2, size, 1.0)
    found = PilotEncoder(A * sizes)().detach().numpy()
    wanted = np.sqrt(7) * A / np.linalg.norm(A, axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1e-60, 1e60])
def test_fixed_pilots_must_fit_into_single_precision(size):
    with pytest.raises(ValueError, match="A must have columns that single precision can hold"):
        FixedPilots(size * draw_pilots(np.random.default_rng(0), 4, 6))


@pytest.mark.parametrize(
    "part", [AMP(2, np.full(12, 1 - 1e-9)), MAP(2, 0.1, np.full(12, 1 - 1e-9))], ids=["AMP", "MAP"]
)
@pytest.mark.parametrize("shift", [-300.0, 0.0, 300.0])
def test_probabilities_stay_between_0_and_1_in_single_precision(part, shift):
    A, Y = problem()
    with torch.no_grad():
        part.log_odds.add_(shift)
        found = part(A, Y)
        part.log_odds.sub_(shift)
    assert found.isfinite().all()


def test_threshold_of_double_precision_scores():
    threshold = Threshold()
    scores, activity = torch.tensor([0.1, 0.2], dtype=torch.float64), torch.tensor([True, True])
    threshold.fit(scores, activity)
    assert threshold(scores).all()
