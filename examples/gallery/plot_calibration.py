"""
Is a score a probability?
=========================

The Gibbs sampler returns the probability that a device is active, given what was received. MAP returns an activity
between 0 and 1 that looks like one. Of all devices with a score near 0.7, how many are active?
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(0)
data = mmv.generate(rng, N=50, L=8, M=4, T=400, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
known = {"noise_var": data.noise_var, "activity_prob": data.activity_prob}
scores = {
    "Gibbs": mmv.gibbs(data.A, data.Y, **known).score,
    "MAP": mmv.map_cd(data.A, data.Y, **known, upper=1.0).score,
}

# %%
# Devices in bins of their scores; a calibrated score lies on the diagonal.

edges = np.linspace(0, 1, 11)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.plot([0, 1], [0, 1], color="0.7", label="calibrated")
for (name, score), marker in zip(scores.items(), ("o-", "s--"), strict=True):
    place = np.digitize(score, edges[1:-1])
    count = np.bincount(place.ravel(), minlength=10)
    active = np.bincount(place.ravel(), data.activity.ravel(), minlength=10)
    mean = np.bincount(place.ravel(), score.ravel(), minlength=10)
    seen = count > 20
    left.plot(mean[seen] / count[seen], active[seen] / count[seen], marker, label=name)
    roc = mmv.roc(score, data.activity)
    right.loglog(roc.false_alarm, roc.missed_detection, marker[1:], label=f"{name}, AUC {roc.auc:.3f}")
left.set(xlabel="mean score in the bin", ylabel="share of active devices", title="N=50, L=8, M=4, σ²=0.1, p=0.1")
right.set(xlabel="false alarm rate", ylabel="missed detection rate", xlim=(1e-4, 1), ylim=(1e-3, 1))
for ax in (left, right):
    ax.legend()
plt.show()
