"""What helps more, longer pilots or pilots that are less alike? The same solver on pilots of one's own."""

import numpy as np

import mmvsolvers as mmv

activity = mmv.IndependentActivity(0.1)
for L in (12, 16):
    for kind in ("gaussian", "unit_norm", "low_coherence"):
        rng = np.random.default_rng(1)
        pilots = mmv.draw_pilots(rng, L, 100, kind)
        train, test = (
            mmv.generate(rng, N=100, L=L, M=4, T=300, noise_var=0.1, activity=activity, pilots=pilots) for _ in range(2)
        )
        found = mmv.evaluate(mmv.SOLVERS["ml_cd"], train, test)
        print(f"L={L} {kind:13s} coherence {mmv.coherence(pilots):.2f}  error rate {found.error_rate}")
