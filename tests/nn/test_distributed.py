"""Several processes: who reads, who writes, who computes where."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_run_files import CONFIGURATION

from mmvsolvers_nn.distributed import Processes, as_device, gpu_for
from mmvsolvers_nn.reporting import Reporter
from mmvsolvers_nn.training import train

# Each process runs the code, with `group` at hand and a folder of its own.
PRELUDE = """
import sys, pathlib, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from test_run_files import CONFIGURATION, train
from mmvsolvers_nn.distributed import processes
own = pathlib.Path(sys.argv[2])
"""


def in_two_processes(code: str, tmp_path: Path) -> list[str]:
    """Run code in two processes that gloo joins, and return what each printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    joined = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-c", PRELUDE + code, str(Path(__file__).parent)]
    running = [
        subprocess.Popen(
            [*command, str(tmp_path / f"rank{rank}")],
            env=os.environ | joined | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, outputs, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [printed for printed, _ in outputs]


def test_the_first_process_decides_for_all(tmp_path):
    code = """
with processes(torch.device("cpu")) as group:
    print(group.agree(lambda: f"of {group.rank}"))
    def refuse():
        raise ValueError(f"refused by {group.rank}")
    try:
        group.agree(refuse)
    except ValueError as error:
        print(error)
    values = [torch.full((2,), float(group.rank)), torch.tensor(3.0 - group.rank)]
    group.average(values)
    print([value.tolist() for value in values])
"""
    first, second = in_two_processes(code, tmp_path)
    assert first == second
    assert first.splitlines() == ["of 0", "refused by 0", "[[0.5, 0.5], 2.5]"]


def test_an_error_of_the_first_process_ends_all(tmp_path):
    (tmp_path / "rank0").mkdir()
    (tmp_path / "rank0" / "checkpoint.pt").write_text("no checkpoint")
    code = """
try:
    train(CONFIGURATION, own, device="cpu")
except ValueError as error:
    print(error)
"""
    first, second = in_two_processes(code, tmp_path)
    assert first == second
    assert "checkpoint.pt is no checkpoint of this run" in first


def test_only_the_first_process_needs_the_checkpoint(tmp_path, monkeypatch):
    class PowerFailure(BaseException):
        pass

    def fail_after_the_first_epoch(report, **record):
        if record["epoch"] == 2:
            raise PowerFailure

    monkeypatch.setattr(Reporter, "epoch", fail_after_the_first_epoch)
    with pytest.raises(PowerFailure):
        train(CONFIGURATION, tmp_path / "rank0", device="cpu")
    assert torch.load(tmp_path / "rank0" / "checkpoint.pt", weights_only=True)["step"] == 4
    code = """
torch.set_printoptions(precision=9)
model = train(CONFIGURATION, own, device="cpu")
print([value.sum() for value in model.state_dict().values()])
"""
    first, second = in_two_processes(code, tmp_path)
    assert first == second
    assert (tmp_path / "rank0" / "weights.safetensors").exists()
    assert not (tmp_path / "rank1").exists()


def test_one_process_agrees_with_itself():
    assert Processes().agree(lambda: 3) == 3


@pytest.mark.parametrize(
    ("name", "n_gpus", "environment", "wanted"),
    [
        (None, 0, {}, "cpu"),
        ("cpu", 4, {}, "cpu"),
        (None, 2, {}, "cuda:0"),
        ("cuda", 2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, "cuda:1"),
        (None, 2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, "cuda:1"),
        ("cuda:1", 2, {}, "cuda:1"),
        ("cuda:1", 1, {}, "device must be one of cpu, cuda, cuda:0; got 'cuda:1'"),
        ("cuda", 0, {}, "device must be one of cpu; got 'cuda'"),
        ("cuda", 2, {"LOCAL_RANK": "2"}, "process 2 of this machine finds no GPU of its own: there are 2"),
        ("cuda:0", 2, {"LOCAL_WORLD_SIZE": "2"}, "device must be 'cuda' with several processes"),
    ],
)
def test_every_process_has_a_device_of_its_own(monkeypatch, name, n_gpus, environment, wanted):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    for variable in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    if wanted.startswith(("cpu", "cuda")):
        assert str(as_device(name)) == wanted
    else:
        with pytest.raises(ValueError, match=wanted):
            as_device(name)


def test_trainings_are_spread_over_the_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert {gpu_for(f"scene {k}") for k in range(30)} == {"cuda:0", "cuda:1", "cuda:2"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert gpu_for("scene") is None
