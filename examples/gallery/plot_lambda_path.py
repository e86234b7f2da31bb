"""
GROUP LASSO along λ, with its certificate
=========================================

Which λ? The path shows all of them, and the duality gap proves for each how close the answer is to the optimum.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(1)
activity = mmv.IndependentActivity(0.08)
data = mmv.generate(rng, N=100, L=30, M=4, T=1, noise_var=0.1, activity=activity)
A, Y, truth = data.A, data.Y[0], data.activity[0]

path = mmv.group_lasso_path(A, Y, n_lams=40, ratio=0.01)
relative = path.lams / mmv.lambda_max(A, Y)
lengths = np.linalg.norm(path.X, axis=-1)
error = np.square(np.abs(path.X - data.X[0])).sum(axis=(1, 2)) / data.N
gap = [float(result.optimality) for result in path.results]

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.semilogx(relative, lengths[:, ~truth], color="0.7", linewidth=0.8)
left.semilogx(relative, lengths[:, truth], color="tab:blue")
left.set(xlabel="λ / λ_max", ylabel="length of a row of X", title="active devices in blue")
right.loglog(relative, error, "o-", markersize=3, label="MSE")
right.loglog(relative, np.maximum(gap, 1e-16), "s--", markersize=3, label="relative duality gap")
right.set(xlabel="λ / λ_max", title="the best λ, and the proof")
right.legend()
plt.show()
