"""
What learned pilots look like
=============================

Pilots trained together with a decoder, for one active group of ten at a time, beside random ones: the devices of a
group may resemble each other, different groups must not.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv
from mmvsolvers_nn import load_weights

weights = next(folder / "weights" for folder in Path.cwd().resolve().parents if (folder / "weights").is_dir())
model, configuration = load_weights(weights / "amp_nn-single-group")
learned = model.exported()["A"]
random = mmv.draw_pilots(np.random.default_rng(0), *learned.shape)

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, A, name in zip(axes, (random, learned), ("random", "learned"), strict=True):
    unit = A / np.linalg.norm(A, axis=0)
    image = ax.imshow(np.abs(unit.conj().T @ unit), vmin=0, vmax=1, cmap="cividis")
    found = mmv.coherence(A), mmv.block_coherence(A, 10), mmv.sub_coherence(A, 10)
    ax.set(title="{}: coherence {:.2f}\nacross groups {:.2f}, within {:.2f}".format(name, *found), xlabel="device")
axes[0].set_ylabel("device")
fig.colorbar(image, label="|inner product|")
plt.show()
