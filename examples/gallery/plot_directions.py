"""
Not only wireless: directions of arrival
========================================

Three sources, ten sensors, forty snapshots: the same model with a dictionary of steering vectors. Two sources are
closer than the beam of the array is wide.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(2)
n_sensors, n_snapshots, noise_var = 10, 40, 0.1
angles = np.linspace(-90, 90, 181)


def steering(degrees):
    """Columns of a uniform line array, half a wavelength apart."""
    return np.exp(1j * np.pi * np.arange(n_sensors)[:, None] * np.sin(np.deg2rad(degrees)))


truth = np.array([-20.0, 10.0, 18.0])
shape = (truth.size, n_snapshots)
sources = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
shape = (n_sensors, n_snapshots)
noise = np.sqrt(noise_var / 2) * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
A, Y = steering(angles), steering(truth) @ sources + noise

# %%
# Conventional beamforming sees two sources; sparse methods see three.

beam = np.square(np.abs(A.conj().T @ Y)).mean(axis=1) / n_sensors**2
power = mmv.ml_cd(A, Y, noise_var, max_iter=5000).score
rows = mmv.group_lasso_bcd(A, Y, lam=0.15 * mmv.lambda_max(A, Y)).score

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(angles, 10 * np.log10(beam / beam.max()), color="0.6", label="beamformer")
for score, marker, label in ((power, "o", "ML"), (rows, "x", "GROUP LASSO")):
    shown = score > 1e-3 * score.max()
    ax.plot(angles[shown], 10 * np.log10(score[shown] / score.max()), marker, label=label)
for angle in truth:
    ax.axvline(angle, color="black", linestyle=":", linewidth=0.8)
ax.set(xlabel="direction [degrees]", ylabel="power [dB]", ylim=(-32, 2))
ax.legend(loc="lower left")
plt.show()
