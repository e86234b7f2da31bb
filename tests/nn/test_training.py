import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmvsolvers import GroupActivity, IndependentActivity, Scenario, SingleActiveGroup
from mmvsolvers_nn import training
from mmvsolvers_nn.autoencoders import MAPNN
from mmvsolvers_nn.configuration import Architecture, Configuration, Optimisation, build
from mmvsolvers_nn.distributed import Processes
from mmvsolvers_nn.evaluation import LearnedSolver
from mmvsolvers_nn.files import load_checkpoint, load_weights
from mmvsolvers_nn.reporting import Reporter
from mmvsolvers_nn.sampling import Sampler
from mmvsolvers_nn.schemes import SCHEMES, Scheme
from mmvsolvers_nn.steps import TrainingStep
from mmvsolvers_nn.training import TrainingError, train

SCENARIO = Scenario(N=12, L=5, M=2, activity=SingleActiveGroup(0.25), noise_var=0.05)
QUICK = Optimisation(
    fresh=True, n_train=256, n_validation=200, batch_size=32, learning_rate=1e-2, max_epochs=4, clip_norm=1.0
)


def configuration(scheme: str = "amp_nn", optimisation: Optimisation = QUICK, **options) -> Configuration:
    if "U" in SCHEMES[scheme].options:
        options.setdefault("U", 3)
    return Configuration(
        scenario=SCENARIO, architecture=Architecture(scheme=scheme, **options), optimisation=optimisation
    )


def log_of(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def start(directory: Path, launcher: tuple[str, ...] = ()) -> subprocess.Popen:
    """Train in a process of its own what ``directory/../wanted.json`` says."""
    code = (
        "import sys, pathlib, torch; torch.set_num_threads(1)\n"
        "from mmvsolvers_nn.configuration import Configuration\n"
        "from mmvsolvers_nn.training import train\n"
        "directory = pathlib.Path(sys.argv[1])\n"
        "text = (directory.parent / 'wanted.json').read_text()\n"
        "train(Configuration.from_json(text), directory, device='cpu')\n"
    )
    script = directory.parent / "train_it.py"
    script.write_text(code)
    return subprocess.Popen([sys.executable, *launcher, str(script), str(directory)])


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "fixed"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_loss_of_each_scheme_falls(scheme, fresh, tmp_path):
    # Schemes that have a rate of their own take it; a transformer's first steps overshoot at that of a long training.
    own = SCHEMES[scheme].optimisation.get("learning_rate", QUICK.learning_rate)
    rate = 2e-4 if scheme == "transformer_nn" else own
    wanted = configuration(scheme, replace(QUICK, fresh=fresh, learning_rate=rate))
    samples = Sampler(SCENARIO, QUICK).validation()
    with torch.no_grad():
        before = float(build(wanted).loss(samples.X, samples.Z, samples.activity))
    train(wanted, tmp_path, device="cpu")
    losses = [line["validation_loss"] for line in log_of(tmp_path)]
    assert len(losses) == QUICK.max_epochs
    assert losses[0] < before
    assert losses[-1] < losses[0]


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    # Checkpoints come every 200 steps and at the end of an epoch: the one of step 200 is in the middle of the second.
    options = replace(QUICK, n_train=8 * 150, batch_size=8, max_epochs=3, patience=3)
    (tmp_path / "wanted.json").write_text(configuration(optimisation=options, U=1).to_json())
    process = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    while not (checkpoint.exists() and torch.load(checkpoint, weights_only=True)["step"] >= 200):
        assert process.poll() is None, "it must be killed while it trains"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 200 <= torch.load(checkpoint, weights_only=True)["step"] < 450

    for name in ("killed", "uninterrupted"):
        assert start(tmp_path / name).wait() == 0
    killed, uninterrupted = (tmp_path / name / "weights.safetensors" for name in ("killed", "uninterrupted"))
    assert killed.read_bytes() == uninterrupted.read_bytes()
    for a, b in zip(log_of(killed.parent), log_of(uninterrupted.parent), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_early_stopping_restores_the_best_weights(tmp_path, monkeypatch):
    losses = iter([0.6, 0.5, 0.2, 0.3, 0.4, 0.1])
    weights = []

    def validation_loss(run, samples):
        weights.append(run.model.encoder.columns.detach().clone())
        return next(losses)

    monkeypatch.setattr(training._Run, "_validation_loss", validation_loss)
    model = train(configuration(optimisation=replace(QUICK, max_epochs=100, patience=2)), tmp_path, device="cpu")
    assert [line["validation_loss"] for line in log_of(tmp_path)] == [0.5, 0.2, 0.3, 0.4]
    assert torch.equal(model.encoder.columns, weights[2])
    assert not torch.equal(weights[2], weights[-1])


def test_a_training_that_only_makes_it_worse_leaves_the_untrained_weights(tmp_path, monkeypatch):
    losses, weights = iter([0.1, 0.5, 0.2, 0.3]), []

    def validation_loss(run, samples):
        weights.append(run.model.encoder.columns.detach().clone())
        return next(losses)

    monkeypatch.setattr(training._Run, "_validation_loss", validation_loss)
    options = replace(QUICK, n_train=32, max_epochs=3, curriculum=((1, 1),))
    model = train(configuration(optimisation=options), tmp_path, device="cpu")
    assert torch.equal(model.encoder.columns, weights[0])
    assert not torch.equal(weights[0], weights[1])
    assert [line["best_epoch"] for line in log_of(tmp_path)] == [0, 0, 0]


def test_a_curriculum_begins_with_fewer_iterations_and_is_judged_by_its_last_stage(tmp_path, monkeypatch):
    losses, iterations = iter([0.9, 0.1, 0.2, 0.5, 0.4, 0.6]), []

    def validation_loss(run, samples):
        iterations.append(run.model.decoder.approximation.U)
        return next(losses)

    monkeypatch.setattr(training._Run, "_validation_loss", validation_loss)
    options = replace(QUICK, n_train=32, max_epochs=5, patience=1, curriculum=((1, 1), (2, 1)))
    model = train(configuration(optimisation=options, U=3), tmp_path, device="cpu")
    assert iterations == [3, 1, 2, 3, 3, 3]
    assert model.decoder.approximation.U == 3
    assert [line["best_epoch"] for line in log_of(tmp_path)] == [0, 0, 3, 4, 4]


def test_a_curriculum_has_no_more_iterations_than_the_scheme():
    options = replace(QUICK, curriculum=((4, 1), (2, 1), (5, 1)))
    with pytest.raises(ValueError, match="curriculum must have stages of at most U=3 iterations; got 4, 5"):
        configuration("coupled_amp_nn", options)
    assert configuration("coupled_amp_nn", options, U=5).optimisation is options


def two_sweeps(A, noise_var, activity_prob, **parts):
    """An own scheme's network, whose iterations are no option."""
    return MAPNN(A, noise_var, activity_prob, U=2, V=0, **parts)


OWN = Scheme(name="own", label="own", model=two_sweeps, needs=("noise_var", "activity_prob"))


def test_an_own_scheme_without_the_option_runs_its_own_iterations(tmp_path, monkeypatch):
    iterations = []

    def validation_loss(run, samples):
        iterations.append(run.model.decoder.approximation.U)
        return 1.0

    monkeypatch.setattr(training._Run, "_validation_loss", validation_loss)
    wanted = Configuration(
        scenario=SCENARIO,
        architecture=Architecture(scheme=f"{__name__}:OWN"),
        optimisation=replace(QUICK, n_train=32, max_epochs=3, curriculum=((1, 1),)),
    )
    model = train(wanted, tmp_path, device="cpu")
    assert iterations == [2, 1, 2, 2]
    assert model.decoder.approximation.U == 2
    solver = LearnedSolver(model, wanted)
    found = solver.solve(SCENARIO.draw(np.random.default_rng(0), 3, pilots=solver.pilots, dtype=np.complex64))
    assert (found.n_iter == 2).all()
    assert found.score.any()


def test_a_curriculum_leaves_an_epoch_for_the_last_stage():
    with pytest.raises(ValueError, match="max_epochs must leave one for the last stage, after 4 of curriculum; got 4"):
        replace(QUICK, curriculum=((1, 3), (2, 1)))


def test_log_lines_of_an_epoch_that_is_run_again_are_dropped(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n{"epo')
    with Reporter(tmp_path, configuration(), epoch=2, enabled=True, progress=False):
        pass
    assert [line["epoch"] for line in log_of(tmp_path)] == [1, 2]


def test_given_pilots_stay_while_the_decoder_is_trained(tmp_path):
    wanted = configuration(pilots="gaussian", optimisation=replace(QUICK, max_epochs=1))
    before, after = build(wanted), train(wanted, tmp_path, device="cpu")
    assert torch.equal(after.encoder(), before.encoder())
    assert not torch.equal(after.decoder.approximation.log_odds, before.decoder.approximation.log_odds)
    norms = torch.linalg.vector_norm(after.encoder(), dim=0)
    assert not torch.allclose(norms, torch.full_like(norms, SCENARIO.L**0.5))


@pytest.mark.parametrize("installed", [True, False])
def test_tensorboard_is_written_where_it_is_installed(installed, tmp_path, monkeypatch):
    if installed:
        pytest.importorskip("tensorboard")
    else:
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(configuration(optimisation=replace(QUICK, max_epochs=1)), tmp_path, device="cpu")
    assert (len(list(tmp_path.glob("tensorboard/events.*"))) > 0) == installed


def test_a_finished_run_is_not_trained_again(tmp_path):
    wanted = configuration(optimisation=replace(QUICK, max_epochs=1))
    first = train(wanted, tmp_path, device="cpu")
    log = (tmp_path / "log.jsonl").read_text()
    again = train(wanted, tmp_path, device="cpu")
    assert (tmp_path / "log.jsonl").read_text() == log
    assert torch.equal(first.encoder(), again.encoder())


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"device must be one of cpu.*; got 'cuda:99'"):
        train(configuration(), tmp_path, device="cuda:99")


def test_a_directory_with_another_run_is_left_alone(tmp_path):
    train(configuration(optimisation=replace(QUICK, max_epochs=1)), tmp_path, device="cpu")
    with pytest.raises(ValueError, match="holds a run of another configuration"):
        train(configuration(optimisation=replace(QUICK, max_epochs=2)), tmp_path, device="cpu")


def test_weights_come_back_with_configuration_and_threshold(tmp_path):
    wanted = configuration("map_nn", replace(QUICK, max_epochs=1))
    model = train(wanted, tmp_path, device="cpu")
    loaded, found = load_weights(tmp_path)
    assert found == wanted
    assert loaded.threshold.value.isfinite()
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_weights_of_another_architecture_are_refused(tmp_path):
    train(configuration(optimisation=replace(QUICK, max_epochs=1)), tmp_path, device="cpu")
    (tmp_path / "configuration.json").write_text(configuration(width=7).to_json())
    with pytest.raises(ValueError, match="does not hold the weights of"):
        load_weights(tmp_path)


@pytest.mark.parametrize("activity", [IndependentActivity(0.1, 3.0), SingleActiveGroup(0.25), GroupActivity(0.2, 4)])
def test_configurations_survive_json(activity):
    wanted = replace(configuration(), scenario=replace(SCENARIO, activity=activity))
    assert Configuration.from_json(wanted.to_json()) == wanted


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scenario": {"activity": {"model": "os.system"}}}'])
def test_text_that_is_no_configuration_is_refused(text):
    with pytest.raises(ValueError, match="not a training configuration"):
        Configuration.from_json(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"n_train": 16}, "n_train must be at least batch_size=32; got 16"),
        ({"schedule": "linear"}, "schedule must be one of 'constant', 'cosine'"),
        ({"clip_norm": 0.0}, "clip_norm must be positive; got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **options)


def test_the_cosine_schedule_falls_from_the_learning_rate_to_zero():
    options = replace(QUICK, schedule="cosine")
    rates = [options.learning_rate_at(step) for step in range(options.max_epochs * options.steps_per_epoch + 1)]
    assert rates[0] == options.learning_rate
    assert rates[-1] == pytest.approx(0)
    assert (np.diff(rates) < 0).all()


def make_step(clip_norm: float = np.inf) -> TrainingStep:
    model = build(configuration())
    return TrainingStep(
        model, torch.optim.Adam(model.parameters(), lr=torch.tensor(0.1), fused=True), clip_norm, Processes()
    )


def state_of(step: TrainingStep) -> list[torch.Tensor]:
    moments = [value for state in step.optimizer.state.values() for value in state.values()]
    return [value.detach().clone() for value in [*step.parameters, *moments]]


def test_a_step_with_a_gradient_that_is_not_finite_changes_nothing_and_is_counted():
    step, samples = make_step(), Sampler(SCENARIO, QUICK).batch(0)
    step(samples)
    before = state_of(step)
    step.model.encoder.columns.register_hook(lambda gradient: gradient * torch.nan)
    step(samples)
    assert step.n_skipped == 1
    assert step.loss_sum.isfinite()
    for old, new in zip(before, state_of(step), strict=True):
        assert torch.equal(old, new)


def test_an_epoch_of_such_steps_ends_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr("mmvsolvers_nn.training.build", _broken)
    with pytest.raises(TrainingError, match=r"8 of the 8 steps of epoch 1 .* lower learning_rate=0\.01"):
        train(configuration(), tmp_path, device="cpu")


def _broken(wanted: Configuration):
    model = build(wanted)
    model.encoder.columns.register_hook(lambda gradient: gradient * torch.nan)
    return model


def test_gradients_are_clipped():
    step = make_step(clip_norm=1e-3)
    step(Sampler(SCENARIO, QUICK).batch(0))
    norm = torch.stack([parameter.grad.square().sum() for parameter in step.parameters]).sum().sqrt()
    assert float(norm) == pytest.approx(1e-3, rel=1e-4)


def test_two_processes_train_what_one_does(tmp_path):
    (tmp_path / "wanted.json").write_text(configuration(optimisation=replace(QUICK, max_epochs=2)).to_json())
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert start(tmp_path / "two", torchrun).wait() == 0
    assert start(tmp_path / "one").wait() == 0
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert len(log_of(tmp_path / "two")) == 2


def test_fixed_samples_are_each_visited_once_an_epoch_with_fresh_noise():
    sampler = Sampler(SCENARIO, replace(QUICK, fresh=False))
    steps = QUICK.steps_per_epoch
    first, second = ([sampler.batch(epoch * steps + step) for step in range(steps)] for epoch in (0, 1))
    energies = [np.sort(torch.cat([batch.X for batch in epoch]).abs().sum(dim=(1, 2))) for epoch in (first, second)]
    np.testing.assert_array_equal(*energies)
    assert not torch.equal(first[0].X, second[0].X)
    assert not torch.equal(first[0].Z, second[0].Z)


def test_fresh_samples_never_repeat_and_follow_the_scenario():
    sampler = Sampler(SCENARIO, replace(QUICK, n_train=4096, batch_size=4096))
    one, two = sampler.batch(0), sampler.batch(1)
    assert not torch.equal(one.activity, two.activity)
    assert not torch.equal(one.Z, sampler.validation().Z[:1].expand_as(one.Z))
    assert float(one.Z.abs().square().mean()) == pytest.approx(SCENARIO.noise_var, rel=0.05)
    active_power = one.X[one.activity].abs().square().mean()
    assert float(active_power) == pytest.approx(1, rel=0.05)
    assert not one.X[~one.activity].any()


def test_shares_of_the_processes_make_up_the_batch():
    batch = Sampler(SCENARIO, QUICK).batch(5)
    parts = [batch.share(rank, 3).X for rank in range(3)]
    assert sum(map(len, parts)) == len(batch.X)
    assert torch.equal(parts[1][0], batch.X[1])


def test_a_resumed_run_steps_as_this_device_has_to(tmp_path):
    """Captured steps read learning rates on the device, and need the switch that another device's runs have not."""
    run = training._Run(configuration(), tmp_path, torch.device("cpu"), Processes())
    rates = [group["lr"] for group in run.optimizer.param_groups]
    for number in range(2):
        run.training_step(run.sampler.batch(number))
    run._save()
    state = load_checkpoint(tmp_path)
    for group in state["optimizer"]["param_groups"]:
        group |= {"lr": torch.zeros((), device="meta"), "capturable": True}
    resumed = training._Run(configuration(), tmp_path, torch.device("cpu"), Processes())
    resumed._load(state)
    for group, rate in zip(resumed.optimizer.param_groups, rates, strict=True):
        assert (group["lr"].device, group["lr"].dtype) == (rate.device, rate.dtype)
        assert not group["capturable"]
    for old, new in zip(state_of(run.training_step), state_of(resumed.training_step), strict=True):
        assert torch.equal(old, new)
    resumed.optimizer.param_groups[0]["lr"].fill_(0.1)
    before = [parameter.detach().clone() for parameter in resumed.optimizer.param_groups[0]["params"]]
    resumed.training_step(resumed.sampler.batch(2))
    after = resumed.optimizer.param_groups[0]["params"]
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_no_pickled_object_is_ever_loaded(tmp_path):
    class Mischief:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "mischief"),)

    wanted = configuration(optimisation=replace(QUICK, max_epochs=1))
    (tmp_path / "run").mkdir()
    torch.save({"model": Mischief()}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(ValueError, match="it is damaged, or holds more than tensors") as caught:
        train(wanted, tmp_path / "run", device="cpu")
    assert "weights_only" not in str(caught.value)  # torch's advice to unpickle it all the same
    assert not (tmp_path / "mischief").exists()


def test_pilots_have_a_learning_rate_of_their_own(tmp_path):
    options = replace(QUICK, max_epochs=1, pilot_learning_rate=0.0)
    wanted = configuration(optimisation=options)
    before, after = build(wanted), train(wanted, tmp_path, device="cpu")
    assert torch.equal(after.encoder.columns, before.encoder.columns)
    assert not torch.equal(after.decoder.approximation.log_odds, before.decoder.approximation.log_odds)
    assert options.learning_rate_at(3) == options.learning_rate
    assert replace(options, pilot_learning_rate=None).pilot_learning_rate_at(3) == options.learning_rate


def test_correction_parts_have_a_learning_rate_of_their_own(tmp_path):
    options = replace(QUICK, max_epochs=2, correction_learning_rate=0.0)
    wanted = configuration(optimisation=options)
    before, after = build(wanted), train(wanted, tmp_path, device="cpu")
    for held, kept in zip(before.decoder.correction.parameters(), after.decoder.correction.parameters(), strict=True):
        assert torch.equal(held, kept)
    assert not torch.equal(after.decoder.approximation.log_odds, before.decoder.approximation.log_odds)
    assert not torch.equal(after.encoder.columns, before.encoder.columns)
    moving = replace(options, correction_learning_rate=0.5, schedule="cosine")
    assert moving.correction_learning_rate_at(0) == 0.5 > moving.correction_learning_rate_at(1)
    assert replace(options, correction_learning_rate=None).correction_learning_rate_at(3) == options.learning_rate


def test_schemes_say_how_they_are_trained():
    assert Optimisation.of_scheme("map_nn") == Optimisation()
    coupled = Optimisation.of_scheme("coupled_map_nn", seed=3)
    assert (coupled.seed, coupled.schedule, coupled.fresh) == (3, "cosine", True)
    assert coupled.pilot_learning_rate_at(0) > coupled.learning_rate_at(0)
