"""
How time grows with the number of devices
=========================================

Least wall time of five, a problem of a batch of eight, with L = N/5. The first call compiles and is not counted.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

sizes = (50, 100, 200, 400)
names = ("group_lasso_bcd", "amp_mmse", "ml_cd", "covariance_lasso")
spent = {name: [] for name in names}
for N in sizes:
    rng = np.random.default_rng(0)
    activity = mmv.IndependentActivity(0.05)
    data = mmv.generate(rng, N=N, L=max(N // 5, 16), M=8, T=8, noise_var=0.1, activity=activity)
    for name in names:
        solver = mmv.SOLVERS[name]
        solver.solve(data)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            solver.solve(data)
            times.append(time.perf_counter() - start)
        spent[name].append(min(times) / data.T)

fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for marker, name in zip("os^D", names, strict=True):
    ax.loglog(sizes, 1e3 * np.array(spent[name]), marker=marker, label=mmv.SOLVERS[name].label)
ax.set(xlabel="devices N", ylabel="ms a problem", title="L = N/5, M = 8")
ax.set_xticks(sizes, [str(N) for N in sizes])
ax.minorticks_off()
ax.legend()
plt.show()
