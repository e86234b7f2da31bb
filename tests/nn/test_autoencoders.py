import json

import numpy as np
import pytest
import torch

from mmvsolvers import Scenario, SingleActiveGroup, draw_pilots
from mmvsolvers_nn import functional
from mmvsolvers_nn.autoencoders import AMPNN, MAPNN, AutoEncoder, CovarianceNN, GroupLassoNN
from mmvsolvers_nn.configuration import Architecture, Configuration, build
from mmvsolvers_nn.schemes import SCHEMES

N, L, M, T = 20, 8, 3, 6
SCENARIO = Scenario(N=N, L=L, M=M, activity=SingleActiveGroup(0.2), noise_var=0.05)
# What the scheme without iterations has no use for.
FOREIGN = ("U", "residual")


def make(scheme: str, **options) -> AutoEncoder:
    options = {name: value for name, value in options.items() if not (name in FOREIGN and scheme == "covariance_nn")}
    return build(Configuration(scenario=SCENARIO, architecture=Architecture(scheme=scheme, **options)))


def received(model: AutoEncoder, seed: int = 3) -> torch.Tensor:
    A = model.encoder().detach().numpy()
    return torch.from_numpy(SCENARIO.draw(np.random.default_rng(seed), T, pilots=A, dtype=np.complex64).Y)


def unrolled(scheme: str, A: torch.Tensor, Y: torch.Tensor, U: int) -> functional.Recovery:
    if scheme == "group_lasso_nn":
        return functional.group_lasso_admm(A, Y, 2.0, rho=1.0, n_iter=U)
    if SCHEMES[scheme].unrolls == "amp_mmse":
        known = SCHEMES[scheme].options
        options = {name: known[name] for name in ("damping", "averaged") if name in known}
        return functional.amp_mmse(A, Y, 0.2, **options, n_iter=U)
    if scheme == "psca_nn":
        return functional.map_psca(A, Y, 0.05, 0.2, step=1.0, n_iter=U)
    return functional.map_cd(A, Y, 0.05, 0.2, n_iter=U)


@pytest.mark.parametrize(("V", "residual"), [(0, False), (3, True)], ids=["V=0", "residual"])
@pytest.mark.parametrize("scheme", ["group_lasso_nn", "amp_nn", "map_nn", "coupled_amp_nn", "psca_nn"])
@torch.no_grad()
def test_the_untrained_decoder_is_the_solver_that_it_unrolls(scheme, V, residual):
    model = make(scheme, U=5, V=V, residual=residual)
    Y = received(model)
    decoded, wanted = model.decode(Y), unrolled(scheme, model.encoder(), Y, U=5)
    torch.testing.assert_close(decoded.score, wanted.score, rtol=1e-5, atol=1e-7)
    if wanted.X is not None:
        torch.testing.assert_close(decoded.X, wanted.X, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("U", [0, 2])
@pytest.mark.parametrize("V", [0, 1, 3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_sizes_decode_but_nothing_at_all(scheme, U, V):
    data_driven = U == 0 or scheme == "covariance_nn"
    if data_driven and V == 0:
        with pytest.raises(ValueError, match="V must be positive"):
            make(scheme, U=U, V=V)
        return
    model = make(scheme, U=U, V=V)
    recovery = model.decode(received(model))
    assert recovery.score.shape == (T, N)
    assert (recovery.X is None) == (not SCHEMES[scheme].recovers_signal)
    if recovery.X is not None:
        assert recovery.X.shape == (T, N, M)
        if scheme != "coupled_mmse_nn":  # which scores by log-odds
            torch.testing.assert_close(recovery.score, recovery.X.abs().square().mean(dim=2))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_parameter_is_real_and_is_trained_by_the_loss(scheme):
    model = make(scheme, U=3, residual=False)
    data = SCENARIO.draw(np.random.default_rng(0), 40, dtype=np.complex64)
    Z = torch.zeros(40, L, M, dtype=torch.complex64)
    model.loss(torch.from_numpy(data.X), Z, torch.from_numpy(data.activity)).backward()
    for name, parameter in model.named_parameters():
        assert not parameter.is_complex(), name
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_signal_loss_is_the_squared_error_per_device_and_antenna():
    model = make("amp_nn", U=3)
    data = SCENARIO.draw(np.random.default_rng(0), T, dtype=np.complex64)
    X, Z = torch.from_numpy(data.X), torch.zeros(T, L, M, dtype=torch.complex64)
    with torch.no_grad():
        error = model(X, Z).X - X
        wanted = error.abs().square().sum() / (M * N * T)
        torch.testing.assert_close(model.loss(X, Z, torch.from_numpy(data.activity)), wanted)


def test_the_support_loss_is_the_cross_entropy_of_the_sigmoid_outputs():
    model = make("covariance_nn")
    data = SCENARIO.draw(np.random.default_rng(0), T, dtype=np.complex64)
    X, Z = torch.from_numpy(data.X), torch.zeros(T, L, M, dtype=torch.complex64)
    with torch.no_grad():
        probability = torch.sigmoid(model(X, Z).score).numpy()
        entropy = -np.where(data.activity, np.log(probability), np.log(1 - probability))
        loss = model.loss(X, Z, torch.from_numpy(data.activity))
    assert float(loss) == pytest.approx(entropy.mean(), rel=1e-5)


def test_the_correction_part_treats_all_antennas_alike():
    model = make("amp_nn", U=2, residual=False)
    Y = received(model)
    swapped = [2, 0, 1]
    with torch.no_grad():
        torch.testing.assert_close(model.decode(Y[..., swapped]).X, model.decode(Y).X[..., swapped], atol=1e-5, rtol=0)


def test_fixed_pilots_are_not_trained_and_keep_their_norms():
    A = draw_pilots(np.random.default_rng(0), L, N).astype(np.complex64)
    for model in (
        GroupLassoNN(A, U=2, learn_pilots=False),
        AMPNN(A, np.full(N, 0.1), U=2, learn_pilots=False),
        CovarianceNN(A, learn_pilots=False),
        MAPNN(A, 0.1, np.full(N, 0.1), U=2, learn_pilots=False),
    ):
        np.testing.assert_array_equal(model.exported()["A"], A)
        assert not [name for name, _ in model.named_parameters() if name.startswith("encoder")]


def test_leading_axes_of_the_received_signals_are_kept():
    model = make("map_nn", U=2)
    Y = received(model)
    with torch.no_grad():
        flat, nested = model.decode(Y).score, model.decode(Y.reshape(2, 3, L, M)).score
    torch.testing.assert_close(nested.reshape(T, N), flat)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_cannot_have_been_received_is_refused(scheme):
    model = make(scheme, **({"U": 2} if "U" in SCHEMES[scheme].options else {}))
    Y = received(model)
    with pytest.raises(ValueError, match="Y must be finite; got 1 NaN"):
        model.decode(Y.clone().index_fill_(0, torch.tensor(0), 0).put_(torch.tensor(0), torch.tensor(torch.nan + 0j)))
    with pytest.raises(ValueError, match="Y must have shape"):
        model.decode(Y[:0])
    with pytest.raises(ValueError, match="Y must have shape"):
        model.decode(Y[..., 1:, :])
    with pytest.raises(TypeError, match=r"Y must be complex64 or complex128; got torch\.float32"):
        model.decode(Y.real)


@pytest.mark.parametrize("scheme", ["group_lasso_nn", "amp_nn", "map_nn", "covariance_nn", "psca_nn"])
def test_scores_that_the_precision_does_not_hold_are_refused(scheme):
    model = make(scheme, **({"U": 2} if "U" in SCHEMES[scheme].options else {}))
    with pytest.raises(ValueError, match=r"Y must be of a size at which torch\.complex64 holds the scores"):
        model.decode(received(model) * 1e25)


def test_double_computes_in_complex128():
    model = make("amp_nn", U=2).double()
    recovery = model.decode(received(model).to(torch.complex128))
    assert recovery.X.dtype == torch.complex128
    assert recovery.score.dtype == torch.float64


def test_detection_uses_the_fitted_threshold():
    model = make("map_nn", U=3)
    data = SCENARIO.draw(np.random.default_rng(0), 200, pilots=model.encoder().detach().numpy(), dtype=np.complex64)
    with torch.no_grad():
        Y = torch.from_numpy(data.Y)
        model.threshold.fit(model.decode(Y).score, torch.from_numpy(data.activity))
        assert (model.detect(Y).numpy() != data.activity).mean() < 0.15


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        ("group_lasso_nn", {"A", "threshold", "lam", "rho"}),
        ("amp_nn", {"A", "threshold", "activity_prob"}),
        ("map_nn", {"A", "threshold", "activity_prob"}),
        ("psca_nn", {"A", "threshold", "activity_prob", "step"}),
        ("covariance_nn", {"A", "threshold"}),
    ],
)
def test_the_export_has_all_that_a_classical_solver_can_use(scheme, names):
    arrays = make(scheme, U=0 if scheme == "covariance_nn" else 2).exported()
    assert set(arrays) == names
    np.testing.assert_allclose(np.linalg.norm(arrays["A"], axis=0), L**0.5, rtol=1e-6)


@torch.no_grad()
def test_untrained_coupled_map_scores_by_the_posterior_log_odds_at_maps_answer():
    model = make("coupled_map_nn")
    Y, A = received(model), model.encoder()
    activity = Y.new_zeros(T, N).real
    for _ in range(3):
        activity = functional.map_cd(A, Y, 0.05, 0.2, upper=1.0, n_iter=1, start=(activity,)).score
    wanted = np.log(0.2 / 0.8) + functional.likelihood_ratio(A, Y, 0.05, activity)
    torch.testing.assert_close(model.decode(Y).score, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_untrained_parallel_map_is_map_psca_with_whole_steps_exactly():
    model = make("psca_nn", U=6, V=3)
    Y, part = received(model), model.decoder.approximation
    wanted = functional.map_psca(model.encoder(), Y, 0.05, part.log_odds.sigmoid(), step=1.0, n_iter=6)
    assert torch.equal(model.decode(Y).score, wanted.score)


@torch.no_grad()
def test_parallel_map_takes_the_first_steps_where_it_is_cut_short():
    model = make("psca_nn", U=4, V=0)
    part = model.decoder.approximation
    part.log_step.copy_(torch.tensor([0.5, 1.5, 1.0, 0.7]).log())
    part.U = 2
    Y, A = received(model), model.encoder()
    wanted = functional.map_psca(A, Y, 0.05, 0.2, step=torch.tensor([0.5, 1.5]), n_iter=2)
    torch.testing.assert_close(model.decode(Y).score, wanted.score, rtol=1e-5, atol=1e-7)


class Shrink(torch.nn.Module):
    """A correction that knows one number."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_out, self.share = n_out, torch.nn.Parameter(torch.tensor(0.25))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.share * features[..., : self.n_out]


def wrong_size(n_in: int, n_out: int) -> torch.nn.Module:
    return torch.nn.Linear(n_in, n_out + 1)


def no_module(n_in: int, n_out: int) -> int:
    return n_in


@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_an_own_network_takes_the_place_of_the_correction_part(scheme):
    model = make(scheme, U=2, residual=False, correction=Shrink)
    assert isinstance(model.decoder.correction.layers, Shrink)
    Y = received(model)
    if SCHEMES[scheme].recovers_signal:
        uncorrected = make(scheme, U=2, V=0)
        uncorrected.load_state_dict(model.state_dict(), strict=False)
        torch.testing.assert_close(model.decode(Y).X, 0.25 * uncorrected.decode(Y).X)
    else:
        features = model.decoder.approximation(model.encoder(), Y)
        torch.testing.assert_close(model.decode(Y).score, 0.25 * features[..., :N])


@torch.no_grad()
def test_an_own_network_is_added_to_its_input_by_a_residual_connection():
    plain, own = make("amp_nn", U=2, V=0), make("amp_nn", U=2, correction=f"{__name__}:Shrink")
    Y = received(plain)
    torch.testing.assert_close(own.decode(Y).X, 1.25 * plain.decode(Y).X)


def test_an_own_network_that_does_not_fit_is_refused():
    model = make("amp_nn", U=2, correction=wrong_size)
    Y = received(model)
    with pytest.raises(ValueError, match=r"Linear must map \(6, 3, 40\) to \(6, 3, 40\) in the correction part; got"):
        model.decode(Y)
    with pytest.raises(TypeError, match=r"correction\(n_in, n_out\) must return a torch.nn.Module; got int"):
        make("amp_nn", U=2, correction=no_module)
    with pytest.raises(ValueError, match="there is no 'os:nothing'"):
        Architecture(scheme="amp_nn", correction="os:nothing")
    with pytest.raises(TypeError, match="define it at the top of a module"):
        Architecture(scheme="amp_nn", correction=lambda n_in, n_out: torch.nn.Identity())


@pytest.mark.parametrize(
    ("scheme", "option", "message"),
    [
        ("covariance_nn", {"U": 2}, "U is no option of NN, which has V"),
        ("amp_nn", {"lam": 1.0}, "lam is no option of AMP-NN, which has U, V, residual, damping, averaged"),
        ("map_nn", {"damping": 0.5}, "damping is no option of MAP-NN"),
        ("amp_nn", {"coupling": "correlation"}, "coupling must be 'none' for AMP-NN; got 'correlation'"),
        ("covariance_nn", {"prior": "true"}, "prior must be 'average' for NN; got 'true'"),
    ],
    ids=str,
)
def test_options_of_other_schemes_are_refused(scheme, option, message):
    with pytest.raises(ValueError, match=message):
        Architecture(scheme=scheme, **option)


def test_the_first_format_said_all_options_of_all_schemes():
    text = Configuration(scenario=SCENARIO, architecture=Architecture(scheme="amp_nn")).to_json()
    fields = json.loads(text)
    fields["architecture"] |= {"lam": 2.0, "rho": 1.0}
    with pytest.raises(ValueError, match="lam is no option of AMP-NN"):
        Configuration.from_json(json.dumps(fields))
    for fields["format"] in (0, 1):
        assert Configuration.from_json(json.dumps(fields)).to_json() == text


def test_before_the_third_format_amp_nn_did_not_average():
    fields = json.loads(Configuration(scenario=SCENARIO, architecture=Architecture(scheme="amp_nn")).to_json())
    assert fields["architecture"].pop("averaged")
    with pytest.raises(ValueError, match="architecture lacks averaged"):
        Configuration.from_json(json.dumps(fields))
    for fields["format"] in (1, 2):
        assert not Configuration.from_json(json.dumps(fields)).architecture.averaged


def test_a_configuration_keeps_the_own_network_by_its_name():
    wanted = Configuration(scenario=SCENARIO, architecture=Architecture(scheme="map_nn", correction=Shrink))
    assert wanted.architecture.correction == f"{__name__}:Shrink"
    assert Configuration.from_json(wanted.to_json()) == wanted


@torch.no_grad()
def test_coupled_mmse_scores_by_the_evidence_of_coupled_map_and_estimates_by_it():
    detector, estimator = make("coupled_map_nn"), make("coupled_mmse_nn")
    Y, A = received(detector), detector.encoder()
    wanted, found = detector.decode(Y).score, estimator.decode(Y)
    torch.testing.assert_close(found.score, wanted)
    torch.testing.assert_close(found.X, functional.conditional_mean(A, Y, 0.05, wanted.sigmoid()))
