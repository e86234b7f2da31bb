"""
How long must pilots be?
========================

The error rate over pilot length and activity: a phase diagram by simulation. Below the line, the best threshold is
hardly better than calling everybody silent; above it errors vanish within a few symbols.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

import mmvsolvers as mmv

N, M, T = 64, 8, 100
lengths, probabilities = np.arange(4, 21, 2), np.linspace(0.04, 0.24, 6)
rates = np.empty((len(lengths), len(probabilities)))
for i, L in enumerate(lengths):
    for j, p in enumerate(probabilities):
        rng = np.random.default_rng((i, j))
        activity = mmv.IndependentActivity(p)
        data = mmv.generate(rng, N=N, L=int(L), M=M, T=T, noise_var=0.1, activity=activity)
        score = mmv.ml_cd(data.A, data.Y, data.noise_var).score
        rates[i, j] = mmv.error_rate(score > mmv.best_threshold(score, data.activity), data.activity).mean

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
image = ax.pcolormesh(probabilities, lengths, np.maximum(rates, 1e-4), norm=LogNorm(1e-4, 0.3), cmap="cividis")
lines = ax.contour(probabilities, lengths, np.maximum(rates, 1e-4), levels=[1e-3, 1e-2, 1e-1], colors="white")
ax.clabel(lines, fmt="%g")
ax.set(xlabel="activity probability p", ylabel="pilot length L", title=f"error rate of ML, N={N}, M={M}, σ²=0.1")
fig.colorbar(image)
plt.show()
