"""
A network that learns who wakes together
========================================

Devices of a group wake together, but nobody says so. A decoder with one trainable number for every pair of devices
finds out from samples: the matrix that it learns shows the groups.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv
from mmvsolvers_nn import Architecture, Configuration, Optimisation, read_prior, train

scenario = mmv.Scenario(N=20, L=6, M=2, noise_var=0.1, activity=mmv.GroupActivity(0.2, n_groups=5))
configuration = Configuration(
    scenario=scenario,
    architecture=Architecture(scheme="coupled_amp_nn", U=4),
    optimisation=Optimisation(n_train=3200, n_validation=200, learning_rate=1e-2, max_epochs=8),
)
with TemporaryDirectory() as folder:
    model = train(configuration, Path(folder), device="cpu")
learned = model.exported()["coupling"]

# %%
# Entry (n, m) is the share of the evidence for device m that is added to the log-odds of device n. A device's own
# evidence counts anyway, so the diagonal has nothing to add.

truth = scenario.activity.groups(scenario.N)
known = (truth[:, None] == truth) & ~np.eye(scenario.N, dtype=bool)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained", sharey=True)
known = (truth[:, None] == truth) & (truth[:, None] >= 0)
for ax, matrix, title in (
    (axes[0], known, "the groups, which nobody told"),
    (axes[1], learned, "the learned coupling"),
):
    image = ax.imshow(matrix, cmap="cividis", vmin=-0.2, vmax=1)
    ax.set(title=title, xlabel="evidence for device m", xticks=range(0, 20, 4), yticks=range(0, 20, 4))
axes[0].set_ylabel("acts on device n")
fig.colorbar(image, label="coupling")
plt.show()

# %%
# The groups can be read from it, and told to solvers that have never been trained. ``mmv coupling`` does the same with
# a training on disk.

prior = read_prior(model)
print("groups found:", prior.groups)
data = scenario.draw(np.random.default_rng(0), 500, pilots=model.exported()["A"])
for name, told in (("alone", {"activity_prob": prior.activity_prob}), ("told the groups", prior.told("groups"))):
    score = mmv.map_cd(data.A, data.Y, data.noise_var, **told).score
    print(f"MAP {name}: error rate {np.mean((score > 0.5) != data.activity):.4f}")
