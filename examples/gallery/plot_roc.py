"""
Missed detections against false alarms
======================================

Every threshold trades one kind of error for the other. The curve of all of them compares detectors without choosing
one.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(0)
activity = mmv.IndependentActivity(0.1, ratio=3)
data = mmv.generate(rng, N=100, L=12, M=4, T=500, noise_var=0.1, activity=activity)

# %%
# What each solver must know is in its record, and the data have it.

fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for name, line in (("covariance_lasso", ":"), ("group_lasso_bcd", "-."), ("ml_cd", "--"), ("map_cd", "-")):
    solver = mmv.SOLVERS[name]
    roc = mmv.roc(solver.solve(data).score, data.activity)
    ax.loglog(roc.false_alarm, roc.missed_detection, line, label=f"{solver.label}, AUC {roc.auc:.3f}")
ax.set(xlabel="false alarm rate", ylabel="missed detection rate", xlim=(1e-4, 1), ylim=(1e-3, 1))
ax.grid(color="0.9")
ax.legend()
plt.show()
