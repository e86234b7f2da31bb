"""
Training pilots and decoder together
====================================

A run writes the losses of every epoch to ``log.jsonl``. Here pilots and a decoder that may couple devices are trained
for devices that wake in groups, which nobody tells it, and held against AMP with the pilots that the training began
with.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv
from mmvsolvers_nn import Architecture, Configuration, Optimisation, build, train

scenario = mmv.Scenario(N=20, L=10, M=4, noise_var=0.1, activity=mmv.GroupActivity(0.2, n_groups=5))
configuration = Configuration(
    scenario=scenario,
    architecture=Architecture(scheme="coupled_amp_nn", U=4),
    optimisation=Optimisation(n_train=3200, n_validation=400, learning_rate=1e-2, max_epochs=8),
)
with TemporaryDirectory() as folder:
    train(configuration, Path(folder), device="cpu")
    log = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
print(log[-1])

# %%
# AMP with the same pilots, not told and told the groups: what the training starts from, and what it could hope for
# without better pilots. AMP diverges in some problems as small as these, which it says; its best iterates count.

data = scenario.draw(np.random.default_rng(1), 400, pilots=build(configuration).exported()["A"])
given = {"activity_prob": data.activity_prob, "max_iter": 30, "tol": 0}
untold = mmv.mse(mmv.amp_mmse(data.A, data.Y, **given).X, data.X)
told = mmv.mse(mmv.amp_mmse(data.A, data.Y, **given, groups=data.groups).X, data.X)

epochs = range(1, len(log) + 1)
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.plot(epochs, [entry["train_loss"] for entry in log], "o-", label="training")
ax.plot(epochs, [entry["validation_loss"] for entry in log], "s--", label="validation")
for error, line, label in ((untold, ":", "AMP, first pilots"), (told, "-.", "the same, told the groups")):
    ax.axhline(error.mean / scenario.M, color="black", linestyle=line, label=label)
ax.set(xlabel="epoch", ylabel="squared error a device and antenna", ylim=(0, None))
ax.set_title(f"N={scenario.N}, L={scenario.L}, M={scenario.M}, five groups, σ²=0.1")
ax.legend()
plt.show()
