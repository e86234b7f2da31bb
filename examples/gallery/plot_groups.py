"""
What it is worth to know who wakes together
===========================================

Sensors of one machine report together. A detector that is told the groups sees them with the pilots of all members.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(0)
activity = mmv.GroupActivity(0.1, n_groups=20)
data = mmv.generate(rng, N=100, L=8, M=4, T=400, noise_var=0.1, activity=activity)
print(data.groups[:12])

# %%
# The labels are among the data; here they are withheld first, and told then.

known = {"noise_var": data.noise_var, "activity_prob": data.activity_prob}
scores = {
    "MAP": mmv.map_cd(data.A, data.Y, **known).score,
    "MAP, told the groups": mmv.map_cd(data.A, data.Y, **known, groups=data.groups).score,
    "Gibbs, told the groups": mmv.gibbs(data.A, data.Y, **known, groups=data.groups).score,
}

fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for (name, score), line in zip(scores.items(), ("-", "--", ":"), strict=True):
    roc = mmv.roc(score, data.activity)
    ax.loglog(roc.false_alarm, roc.missed_detection, line, linewidth=2, label=name)
ax.set(xlabel="false alarm rate", ylabel="missed detection rate", xlim=(1e-4, 1), ylim=(1e-4, 1))
ax.set_title("N=100, L=8, M=4, σ²=0.1: 20 groups, p=0.1")
ax.grid(color="0.9")
ax.legend()
plt.show()
