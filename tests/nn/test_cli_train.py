import csv

import numpy as np
import pytest
from typer.testing import CliRunner

import mmvsolvers as mmv
from mmvsolvers.cli import main
from mmvsolvers.files import save_arrays
from mmvsolvers_nn.files import read_configuration

SCHEME = """
import torch

import mmvsolvers_nn as mmvnn
from mmvsolvers_nn.autoencoders import SupportDecoder, encoder_of
from mmvsolvers_nn.layers import ApproximationPart, CorrectionPart


class Energy(ApproximationPart):
    def forward(self, A, Y):
        return (A.mH @ Y).abs().square().mean(dim=-1)


class EnergyNN(mmvnn.AutoEncoder):
    def __init__(self, A, *, V, width, learn_pilots, correction):
        N = A.shape[1]
        layers = CorrectionPart(N, N, V, width or N, network=correction)
        super().__init__(encoder_of(A, learn_pilots), SupportDecoder(Energy(), layers, torch.nn.Identity()))


ENERGY_NN = mmvnn.Scheme(name="energy", label="Energy-NN", model=EnergyNN, options={"V": 2}, compared_with=("ml_cd",))
"""
QUICK = ["--train-samples", "64", "--validation-samples", "20", "--max-epochs", "1", "--device", "cpu"]
SMALL = ["-N", "20", "-L", "6", "-M", "2"]
OWN = """
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Cycle:
    p: float = 0.1

    def draw(self, rng, N, T):
        return (np.arange(N) + rng.integers(0, N, (T, 1))) % N < self.p * N

    def marginal(self, N):
        return np.full(N, self.p)


class Flat:
    def variance(self, rng, N):
        return np.ones(N)

    def draw(self, rng, active, variance, M):
        return active[..., None] * np.exp(2j * np.pi * rng.random((*active.shape, M)))


class Net(torch.nn.Linear):
    pass
"""


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def trained(directory, *arguments, scheme="covariance_nn"):
    found = invoke("train", scheme, "-o", directory, *SMALL, *QUICK, *arguments)
    assert found.exit_code == 0, found.stderr
    return read_configuration(directory)


def test_the_papers_scenario_is_trained_on_unless_another_is_named(tmp_path):
    assert trained(tmp_path / "papers").scenario == mmv.Scenario(
        N=20, L=6, M=2, activity=mmv.IndependentActivity(0.1, ratio=3.0), noise_var=0.1
    )
    found = trained(tmp_path / "other", "--scenario", "cui2021-groups", "--groups", 5, "-p", 0.2, "--snr-db", 5)
    assert found.scenario == mmv.Scenario(N=20, L=6, M=2, activity=mmv.GroupActivity(0.2, 5), snr_db=5.0)


def test_own_classes_are_trained_and_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes_of_mine.py").write_text(OWN)
    mine = "classes_of_mine.py"
    own = ("--activity", f"{mine}:Cycle(p=0.2)", "--channel", f"{mine}:Flat", "--correction", f"{mine}:Net")
    found = trained(tmp_path / "run", *own)
    assert found.scenario.activity.p == 0.2
    assert type(found.scenario.channel).__name__ == "Flat"
    assert found.architecture.correction == "classes_of_mine:Net"
    few = ["--samples", "20", "--train-samples", "20", "--pilot-draws", "2"]
    found = invoke("evaluate", tmp_path / "run", *few)
    assert found.exit_code == 0, found.stderr
    assert "Cycle" in found.stdout


def test_an_own_scheme_is_one_record(tmp_path, monkeypatch):
    (tmp_path / "scheme_of_mine.py").write_text(SCHEME)
    monkeypatch.chdir(tmp_path)
    found = trained(tmp_path / "run", "--V", 1, scheme=f"{tmp_path}/scheme_of_mine.py:ENERGY_NN")
    assert (found.architecture.scheme, found.architecture.V) == ("scheme_of_mine:ENERGY_NN", 1)
    few = ["--samples", "20", "--train-samples", "20", "--pilot-draws", "2"]
    found = invoke("evaluate", tmp_path / "run", *few)
    assert found.exit_code == 0, found.stderr
    assert "Energy-NN" in found.stdout


def test_evaluation_elsewhere_than_in_training(tmp_path):
    trained(tmp_path / "run", scheme="amp_nn")
    few = ["--samples", "50", "--train-samples", "50", "--pilot-draws", "2"]
    changes = ["-M", "3", "-p", "0.3", "--ratio", "1", "--channel", "Rician(3.0)", "--snr-db", "20"]
    found = invoke("evaluate", tmp_path / "run", *few, *changes)
    assert found.exit_code == 0, found.stderr
    changed = mmv.Scenario(N=20, L=6, M=3, activity=mmv.IndependentActivity(0.3), channel=mmv.Rician(3.0), snr_db=20.0)
    assert str(changed) in found.stdout
    assert invoke("evaluate", tmp_path / "run", "-N", 30).exit_code == 2


def test_an_evaluation_writes_the_table_of_a_comparison(tmp_path):
    trained(tmp_path / "run", scheme="map_nn")
    few = ["--samples", "20", "--train-samples", "20", "--pilot-draws", "2"]
    found = invoke("evaluate", tmp_path / "run", *few, "-o", tmp_path / "table.csv")
    assert found.exit_code == 0, found.stderr
    with (tmp_path / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["solver"], row["pilots"], row["told"]) for row in rows[:3]] == [
        ("map_nn", "learned", ""), ("ml_cd", "learned", "noise_var"), ("ml_cd", "Gaussian", "noise_var")
    ]  # fmt: skip
    assert all(row["N"] == "20" and row["samples"] == "20" and "torch" in row["versions"] for row in rows)
    assert invoke("evaluate", tmp_path / "run", *few, "-o", tmp_path / "table.csv").exit_code == 1


def test_own_pilots_are_kept(tmp_path):
    A = mmv.draw_pilots(np.random.default_rng(0), 6, 20)
    save_arrays(tmp_path / "own.npz", {"A": A})
    found = trained(tmp_path / "run", "--pilots", f"{tmp_path / 'own.npz'}:A")
    assert found.architecture.pilots == "given"
    np.testing.assert_array_equal(found.scenario.pilots, A)
    assert trained(tmp_path / "kind", "--pilots", "unit-norm").architecture.pilots == "unit_norm"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map_n",), "no scheme is called 'map_n'; did you mean 'map_nn'?"),
        (("os.py:path",), "no such file: os.py"),
        (("os:path",), "an own scheme must be a mmvsolvers_nn.Scheme; os:path is a module"),
        (("map_nn", "--rho", 2), "rho is no option of MAP-NN"),
        (("map_nn", "-L", "8,12"), "-L must be one pilot length here; got '8,12'"),
        (("map_nn", "--pilots", "good"), "--pilots must be one of gaussian"),
        (("map_nn", "--noise-var", 1, "--snr-db", 1), "--noise-var and --snr-db exclude each other"),
        (("map_nn", "--curriculum", "5"), "--curriculum must be iterations:epochs"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_said_in_a_line(arguments, message, tmp_path):
    found = invoke("train", *arguments, "-o", tmp_path)
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: ")
    assert message in found.stderr


@pytest.mark.parametrize("columns", ["30", "200"])
def test_an_evaluation_shows_the_columns_of_a_comparison(columns, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    trained(tmp_path / "run", scheme="map_nn")
    found = invoke("evaluate", tmp_path / "run", "--samples", "20", "--train-samples", "20", "--pilot-draws", "2")
    assert found.exit_code == 0, found.stderr
    (header,) = (line for line in found.stdout.splitlines() if line.lstrip().startswith("solver"))
    assert header.split() == ["solver", "pilots", "MSE", "error", "rate", "PM", "PF", "ms", "open", "div."]
    assert "…" not in found.stdout
    assert "told noise_var, activity_prob, channel_var: MAP" in found.stdout
