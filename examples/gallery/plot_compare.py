"""
Which solver?
=============

Error rate and mean squared error against the pilot length, every threshold learned on samples of its own. This is what
``mmv compare`` does with all solvers and more samples.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

activity = mmv.IndependentActivity(0.1, ratio=3)
lengths = (8, 12, 16, 20)
styles = {"group_lasso_bcd": "o-", "amp_mmse": "s--", "ml_mmse": "^-.", "map_cd": "D:"}
found = {name: [] for name in styles}
for L in lengths:
    scenario = mmv.Scenario(N=100, L=L, M=4, noise_var=0.1, activity=activity)
    rng = np.random.default_rng(L)
    train = scenario.draw(rng, 200)
    test = scenario.draw(rng, 300, pilots=train.A)
    for name in styles:
        found[name].append(mmv.evaluate(mmv.SOLVERS[name], train, test))

# %%
# Intervals are over the samples, for one draw of the pilots. MAP estimates no channels.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, style in styles.items():
    for ax, figures in ((left, [e.mse for e in found[name]]), (right, [e.error_rate for e in found[name]])):
        if None not in figures:
            mean = np.array([figure.mean for figure in figures])
            low = mean - [figure.low for figure in figures]
            high = [figure.high for figure in figures] - mean
            ax.errorbar(lengths, mean, (low, high), fmt=style, capsize=3, label=mmv.SOLVERS[name].label)
for ax, quantity in ((left, "mean squared error a device"), (right, "error rate")):
    ax.set(xlabel="pilot length L", ylabel=quantity, yscale="log", xticks=lengths)
    ax.legend()
right.set_ylim(1e-3, 0.2)
plt.show()
