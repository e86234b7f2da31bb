import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mmvsolvers import GroupActivity, IndependentActivity, Scenario
from mmvsolvers.cli import main
from mmvsolvers.files import load_arrays
from mmvsolvers_nn.configuration import Architecture, Configuration, build
from mmvsolvers_nn.evaluation import LearnedSolver
from mmvsolvers_nn.files import save_weights
from mmvsolvers_nn.learned_prior import compare_priors, read_prior

N = 24
# Devices of a group are not neighbours.
GROUPS = np.arange(N) % 6
SAME = (GROUPS[:, None] == GROUPS) & ~np.eye(N, dtype=bool)


class Scattered(GroupActivity):
    def draw(self, rng, N, T):
        return super().draw(rng, N, T)[:, np.argsort(np.argsort(GROUPS, kind="stable"))]


def trained(scheme="coupled_amp_nn", *, strength=0.3, noise=0.05, activity=None):
    """Return a scheme whose coupling is what a training ends at: ones between devices of a group, small and noisy."""
    scenario = Scenario(N=N, L=8, M=4, activity=activity or IndependentActivity(0.15), noise_var=0.1)
    wanted = Configuration(scenario=scenario, architecture=Architecture(scheme=scheme, U=3))
    model = build(wanted)
    rng = np.random.default_rng(0)
    coupling = strength * SAME + noise * rng.standard_normal((N, N))
    with torch.no_grad():
        model.decoder.approximation.coupling.copy_(torch.from_numpy(coupling))
        model.decoder.approximation.log_odds += torch.from_numpy(GROUPS / 10)
    model.threshold.value.fill_(0.5)
    return model, wanted


def test_groups_are_found_in_a_noisy_coupling():
    prior = read_prior(trained()[0])
    np.testing.assert_array_equal(prior.groups, GROUPS)
    np.testing.assert_array_equal(prior.strength, prior.strength.T)
    assert not prior.strength.diagonal().any()
    told = prior.told("groups")
    wanted = [prior.activity_prob[group == GROUPS].mean() for group in GROUPS]
    np.testing.assert_allclose(told["activity_prob"], wanted, rtol=1e-5)
    with pytest.raises(ValueError, match="form must be one of 'groups'"):
        prior.told("pairs")


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_there_are_no_groups_in_noise(noise):
    for scheme in ("coupled_amp_nn", "coupled_map_nn"):
        prior = read_prior(trained(scheme, strength=0.0, noise=noise)[0])
        np.testing.assert_array_equal(prior.groups, np.arange(N))
        np.testing.assert_allclose(prior.group_prob, prior.activity_prob, rtol=1e-6)


def test_a_scheme_without_coupling_holds_no_prior():
    model = build(Configuration(scenario=trained()[1].scenario, architecture=Architecture(scheme="amp_nn", U=2)))
    with pytest.raises(ValueError, match="only coupled schemes hold a prior; got AMPNN"):
        read_prior(model)


def test_the_prior_makes_classical_solvers_better():
    scenario = Scenario(N=N, L=8, M=4, activity=Scattered(0.15, n_groups=6), noise_var=0.1)
    model, wanted = trained("coupled_map_nn")
    rows = list(
        compare_priors(LearnedSolver(model, wanted), read_prior(model), scenario, n_train=200, n_test=200, seed=0)
    )
    found = {(row.label, row.pilots): row.evaluation.error_rate.mean for row in rows}
    assert ("ML", "ε alone") not in found, "ML takes no prior"
    assert found["MAP", "groups"] < 0.5 * found["MAP", "ε alone"]
    assert found["Gibbs", "groups"] < 0.5 * found["Gibbs", "ε alone"]
    assert ("Gibbs", "pairs") in found


def test_the_command_draws_finds_and_writes(tmp_path):
    model, wanted = trained()
    (tmp_path / "run").mkdir()
    save_weights(tmp_path / "run", model, wanted)
    few = ["--samples", "20", "--train-samples", "20"]
    arguments = ["coupling", str(tmp_path / "run"), "-o", str(tmp_path / "seen.pdf"), *few]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.stderr
    assert "groups found: 6 of 4 devices" in " ".join(found.stdout.split())
    assert (tmp_path / "seen.pdf").read_bytes().startswith(b"%PDF")
    np.testing.assert_array_equal(load_arrays(tmp_path / "seen.npz", ["groups"])["groups"], GROUPS)
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 1
    assert "seen.pdf" in again.stderr
