"""Own activity, channel, solver and correction network, taken through comparison, ROC, training and evaluation."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

import mmvsolvers as mmv
from mmvsolvers import comparison, roc_curves, sweep
from mmvsolvers_nn import Architecture, Configuration, Optimisation, train
from mmvsolvers_nn.evaluation import LearnedSolver, compare_with_classical


@dataclass(frozen=True)
class MarkovActivity:  # a Markov chain along the devices: an active one is likely to have an active neighbour
    p: float = 0.1
    stay: float = 0.7

    def draw(self, rng, N, T):
        active, wake = np.empty((T, N), bool), self.p * (1 - self.stay) / (1 - self.p)
        for n in range(N):
            active[:, n] = rng.random(T) < (np.where(active[:, n - 1], self.stay, wake) if n else self.p)
        return active

    def marginal(self, N):
        return np.full(N, self.p)


class PlaneWaves:  # every device is seen from one direction: all antennas of a linear array have the same power
    def variance(self, rng, N):
        return np.ones(N)

    def draw(self, rng, active, variance, M):
        phase, turn = 2 * np.pi * rng.random((2, *active.shape, 1))
        return active[..., None] * np.sqrt(variance)[:, None] * np.exp(1j * (phase + turn * np.arange(M)))


def beamformer(A, Y):  # the solver: of each device's matched filter, the energy in the strongest direction
    return np.abs(np.fft.fft(A.conj().T @ Y, 32)).max(axis=-1) ** 2


class Correction(torch.nn.Sequential):  # in the place of the fully connected layers; at the start it adds nothing
    def __init__(self, n_in, n_out):
        super().__init__(torch.nn.LayerNorm(n_in), torch.nn.Linear(n_in, n_out, bias=False), torch.nn.Tanh())
        torch.nn.init.zeros_(self[1].weight)


out, solvers = Path(mkdtemp()), [beamformer, mmv.SOLVERS["map_cd"]]
scenario = mmv.Scenario(N=20, L=8, M=4, activity=MarkovActivity(), channel=PlaneWaves(), snr_db=10)
samples = comparison.Samples(n_train=100, n_test=100, n_draws=2)
rows = list(comparison.compare(sweep.grid(scenario, {"stay": [0.3, 0.7]}), samples, solvers))
comparison.draw_figure(out / "compare.png", rows, ["stay"])
roc_curves.draw_figure(out / "roc.png", list(roc_curves.measure_curves(scenario, solvers, n_samples=200)), "own")
network, quick = Architecture(scheme="amp_nn", U=5, correction=Correction), Optimisation(n_train=320, max_epochs=2)
run = Configuration(scenario=scenario, architecture=network, optimisation=quick)
for row in compare_with_classical(LearnedSolver(train(run, out / "run"), run), scenario, n_draws=2):
    print(f"{row.label:8s} {row.pilots:8s} error rate {row.evaluation.error_rate}, wrote {out}")
