"""What lies in a training run's directory: held against a second run, and read with suspicion."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from mmvsolvers import Scenario, SingleActiveGroup
from mmvsolvers.cli import main
from mmvsolvers.files import load_arrays
from mmvsolvers.writing import sole_user
from mmvsolvers_nn import training
from mmvsolvers_nn.configuration import Architecture, Configuration, Optimisation
from mmvsolvers_nn.files import load_weights
from mmvsolvers_nn.training import TrainingError, train

# No approximation part, and so nothing to compile.
CONFIGURATION = Configuration(
    scenario=Scenario(N=12, L=4, M=2, activity=SingleActiveGroup(0.25), noise_var=0.05),
    architecture=Architecture(scheme="covariance_nn", V=2),
    optimisation=Optimisation(fresh=True, n_train=32, n_validation=20, batch_size=8, max_epochs=2, clip_norm=1.0),
)
WIDER = replace(CONFIGURATION, architecture=replace(CONFIGURATION.architecture, width=5))
NO_CHECKPOINT = r"checkpoint\.pt is no checkpoint of this run; remove it to begin anew"


@pytest.fixture
def finished(tmp_path) -> Path:
    directory = tmp_path / "run"
    train(CONFIGURATION, directory, device="cpu")
    return directory


def message(caught: pytest.ExceptionInfo) -> str:
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


def test_a_directory_is_held_against_a_second_training(tmp_path):
    code = (
        "import sys, pathlib; from mmvsolvers.writing import sole_user\n"
        "with sole_user(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    with pytest.raises(OSError, match=rf"is in use by process {holder.pid} on .*; wait for its end, or choose"):
        train(CONFIGURATION, tmp_path, device="cpu")
    assert not (tmp_path / "configuration.json").exists()
    (tmp_path / ".partial-of-a-killed-one").touch()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    train(CONFIGURATION, tmp_path, device="cpu")
    assert not list(tmp_path.glob(".partial-*"))


def test_two_trainings_at_once_in_one_directory_do_not_disturb_each_other(tmp_path):
    first = train(CONFIGURATION, tmp_path / "alone", device="cpu")
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from test_run_files import CONFIGURATION, train\n"
        "sys.stdin.readline(); train(CONFIGURATION, pathlib.Path(sys.argv[1]), device='cpu')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "both"), str(Path(__file__).parent)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]
    for process in both:
        process.stdin.write("\n")
    errors = [process.communicate()[1] for process in both]
    # Whoever comes second is told so, or finds the work done.
    assert any(process.returncode == 0 for process in both), errors
    for process, error in zip(both, errors, strict=True):
        assert process.returncode == 0 or "is in use by process" in error
    assert torch.equal(load_weights(tmp_path / "both")[0].encoder(), first.encoder())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(finished, share):
    path = finished / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=NO_CHECKPOINT) as caught:
        train(CONFIGURATION, finished, device="cpu")
    assert str(path) in message(caught)
    path.unlink()
    train(CONFIGURATION, finished, device="cpu")


@pytest.mark.parametrize("lost", ["model", "optimizer", "best_weights", "best_epoch", "best_loss", "step", "sums"])
def test_an_incomplete_checkpoint_is_named(finished, lost):
    state = torch.load(finished / "checkpoint.pt", weights_only=True)
    del state[lost]
    torch.save(state, finished / "checkpoint.pt")
    with pytest.raises(ValueError, match=NO_CHECKPOINT) as caught:
        train(CONFIGURATION, finished, device="cpu")
    assert lost in message(caught)


@pytest.mark.parametrize("whose", ["list", "wider", "wider_moments", "wider_best", "text"])
def test_a_foreign_checkpoint_is_named(finished, tmp_path, whose):
    path = finished / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    train(WIDER, tmp_path / "wider", device="cpu")
    other = torch.load(tmp_path / "wider" / "checkpoint.pt", weights_only=True)
    match whose:
        case "list":
            torch.save([state], path)
        case "wider":
            torch.save(other, path)
        case "wider_moments":
            torch.save(state | {"optimizer": other["optimizer"]}, path)
        case "wider_best":
            torch.save(state | {"best_weights": other["best_weights"]}, path)
        case _:
            path.write_text("not what it says")
    with pytest.raises(ValueError, match=NO_CHECKPOINT) as caught:
        train(CONFIGURATION, finished, device="cpu")
    message(caught)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights_are_named_at_the_command_line(finished, tmp_path, share):
    path = finished / "weights.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    for command in (["evaluate", str(finished)], ["export", str(finished), str(tmp_path / "a.npz")]):
        found = CliRunner().invoke(main, command)
        assert found.exit_code == 1
        assert f"{path} does not hold the weights of" in found.stderr
        assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "a.npz").exists()


def test_incomplete_and_foreign_weights_are_named(finished, tmp_path):
    path = finished / "weights.safetensors"
    tensors = load_file(path)
    train(WIDER, tmp_path / "wider", device="cpu")
    for wrong in (dict(list(tensors.items())[1:]), load_file(tmp_path / "wider" / "weights.safetensors"), {}):
        save_file(wrong, path)
        with pytest.raises(ValueError, match=r"weights\.safetensors does not hold the weights of") as caught:
            load_weights(finished)
        message(caught)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensor: tensor.double(), "must be torch.float32 of shape .*; got torch.float64"),
        (lambda tensor: tensor[None], r"must be torch.float32 of shape .*; got torch.float32 of shape \(1, "),
        (lambda tensor: tensor * torch.nan, "must be numbers; got NaN"),
    ],
    ids=["type", "shape", "NaN"],
)
def test_tensors_that_are_not_quite_the_weights_are_refused(finished, change, words):
    path = finished / "weights.safetensors"
    tensors = load_file(path)
    name = next(name for name, value in tensors.items() if value.ndim > 1)
    save_file(tensors | {name: change(tensors[name]).contiguous()}, path)
    with pytest.raises(ValueError, match=f"weights.safetensors does not hold .*{name} {words}"):
        load_weights(finished)


@pytest.mark.parametrize(
    ("part", "name", "value", "words"),
    [
        ("architecture", "V", ..., "architecture lacks V"),
        ("optimisation", "seed", ..., "optimisation lacks seed"),
        ("optimisation", "fresh", "no", "fresh must be True or False; got 'no'"),
        (None, "format", True, "format True"),
        (None, "format", -1, "format -1"),
    ],
)
def test_a_configuration_is_complete_and_says_yes_or_no(finished, part, name, value, words):
    path = finished / "configuration.json"
    fields = json.loads(path.read_text())
    held = fields[part] if part else fields
    if value is ...:
        del held[name]
    else:
        held[name] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=words):
        load_weights(finished)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scenario": 3}', "\udc80"])
def test_a_configuration_that_is_none_is_named(finished, text):
    (finished / "configuration.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"configuration\.json cannot be read") as caught:
        train(CONFIGURATION, finished, device="cpu")
    message(caught)


@pytest.mark.parametrize("line", [b"not JSON\n", b"[1]\n", b'{"step": 1}\n', b'{"epoch": "1"}\n', b"\xff\n"])
def test_a_log_that_is_none_is_named(finished, line):
    (finished / "checkpoint.pt").unlink()
    (finished / "log.jsonl").write_bytes(b'{"epoch": 0}\n' + line)
    with pytest.raises(ValueError, match=r"log\.jsonl is no log of a training; remove it") as caught:
        train(CONFIGURATION, finished, device="cpu")
    message(caught)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_an_exploding_training_ends_in_a_line_and_can_be_gone_on_with(tmp_path, monkeypatch, loss):
    losses = iter([0.6, 0.5, loss])
    monkeypatch.setattr(training._Run, "_validation_loss", lambda *_: next(losses))
    with pytest.raises(
        TrainingError, match=rf"{tmp_path} exploded: the validation loss of epoch 2 is {loss}"
    ) as caught:
        train(CONFIGURATION, tmp_path, device="cpu")
    assert "lower learning_rate=0.0001" in message(caught)
    assert [json.loads(line)["epoch"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1]
    monkeypatch.undo()
    assert train(CONFIGURATION, tmp_path, device="cpu").threshold.value.isfinite()


def test_an_exploding_training_ends_the_command_with_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(training._Run, "_validation_loss", lambda *_: float("nan"))
    scenario = ["-N", "12", "-L", "4", "-M", "2", "-p", "0.25", "--activity", "single-group"]
    run = ["--train-samples", "32", "--max-epochs", "1", "--device", "cpu", "--out", str(tmp_path)]
    found = CliRunner().invoke(main, ["train", "covariance_nn", *scenario, *run])
    assert found.exit_code == 1
    assert [line for line in found.stderr.splitlines() if line.startswith("Error: ")] == [
        f"Error: the training in {tmp_path} exploded: the validation loss of epoch 1 is nan; "
        "lower learning_rate=0.0001 or clip_norm=inf"
    ]


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_export_replaces_what_it_is_told_to_only(finished, tmp_path, suffix):
    out = tmp_path / f"learned{suffix}"
    out.write_bytes(b"mine")
    found = CliRunner().invoke(main, ["export", str(finished), str(out)])
    assert found.exit_code == 1
    assert found.stderr.startswith(f"Error: {out} is there already; choose another name, or allow to overwrite it")
    assert out.read_bytes() == b"mine"
    found = CliRunner().invoke(main, ["export", str(finished), str(out), "--overwrite"])
    assert found.exit_code == 0
    model, _ = load_weights(finished)
    assert torch.equal(torch.from_numpy(load_arrays(out, ["A"])["A"]), model.encoder().detach())


def test_export_checks_the_destination_before_it_reads(tmp_path):
    found = CliRunner().invoke(main, ["export", str(tmp_path / "nowhere"), str(tmp_path / "absent" / "a.npz")])
    assert found.exit_code == 1
    assert "no such folder" in found.stderr


def test_a_held_directory_is_free_again_after_an_error(tmp_path):
    with pytest.raises(KeyError), sole_user(tmp_path):
        raise KeyError
    with sole_user(tmp_path), pytest.raises(OSError, match="is in use by process"), sole_user(tmp_path):
        pass
