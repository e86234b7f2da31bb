"""
Who is active?
==============

A base station with eight antennas hears 100 devices that share pilots of sixteen symbols. One call tells who is awake.
"""

import matplotlib.pyplot as plt
import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(3)
activity = mmv.IndependentActivity(0.1)
data = mmv.generate(rng, N=100, L=16, M=8, T=200, noise_var=0.1, activity=activity)

# %%
# ``A`` is (L, N), ``Y`` is (T, L, M): two hundred problems are solved at once.

result = mmv.ml_cd(data.A, data.Y, data.noise_var)
threshold = mmv.best_threshold(result.score, data.activity)
print(result)
print("error rate", mmv.error_rate(result.score > threshold, data.activity))

# %%
# The first problem: a device's score is the power at which it was heard.

score, active = result.score[0], data.activity[0]
device = np.arange(data.N)
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.vlines(device[~active], 0, score[~active], color="0.6", label="silent")
ax.vlines(device[active], 0, score[active], color="tab:blue", label="active")
ax.plot(device[active], score[active], "o", color="tab:blue")
ax.axhline(threshold, color="black", linestyle="--", label="threshold")
ax.set(xlabel="device", ylabel="score γ")
ax.legend()
plt.show()
