"""
AMP, and what state evolution says of it
========================================

In large systems the error of AMP follows a recursion of a single number. Here it is beside the algorithm.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

N, L, M, p, iterations = 1000, 200, 4, 0.1, 12
rng = np.random.default_rng(0)
scene = {"N": N, "L": L, "M": M, "noise_var": 0.1, "activity": mmv.IndependentActivity(p), "pilots": "unit_norm"}
data = mmv.generate(rng, T=10, **scene)
predicted = mmv.state_evolution(N=N, L=L, M=M, noise_var=0.1, activity_prob=p, n_iter=iterations)

# %%
# ``tol=0`` runs exactly ``max_iter`` iterations, so that the error can be looked at after each.

counts = range(1, iterations + 1)
runs = [mmv.amp_mmse(data.A, data.Y, p, max_iter=k, tol=0.0, damping=1.0).X for k in counts]
errors = np.array([np.square(np.abs(X - data.X)).sum(axis=(1, 2)) / N for X in runs])

fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
ax.semilogy(counts, errors, color="0.75", linewidth=0.8)
ax.semilogy(counts, errors.mean(axis=1), "o", label="AMP, mean of ten problems")
ax.semilogy(counts, predicted.mse, "k--", label="state evolution")
ax.set(xlabel="iteration", ylabel="MSE a device", title=f"N={N}, L={L}, M={M}, p={p}")
ax.legend()
plt.show()
