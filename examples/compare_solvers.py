"""A detector's whole life in ten lines: scenario, solver, threshold, error rate."""

import numpy as np

import mmvsolvers as mmv

rng = np.random.default_rng(0)
scene = {"N": 100, "L": 16, "M": 4, "noise_var": 0.1, "activity": mmv.IndependentActivity(0.1, ratio=3)}
train = mmv.generate(rng, T=500, **scene)
test = mmv.generate(rng, T=500, pilots=train.A, **scene)

for name, solver in mmv.SOLVERS.items():
    found = mmv.evaluate(solver, train, test)
    error = "" if found.mse is None else f"MSE {found.mse}"
    print(f"{name:18s} error rate {found.error_rate!s:24s} {error}")
