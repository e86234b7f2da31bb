"""Does maximum likelihood err as its asymptotic theory says? ``python -m bench.prediction``.

p=0.1, σ²=0.1, g=1, i.i.d. CN(0, 1) pilots. Each threshold is the best for the samples it is judged on, of theory and
simulation alike; both see the same pilots and activities. ``identifiable`` is the share of the activities that antennas
without number would show; ± are 95 % intervals over the draws of the pilots.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions

P, NOISE_VAR = 0.1, 0.1
SIZES = ((100, 6), (100, 8), (100, 12), (200, 12), (200, 16), (400, 16), (400, 20))
ANTENNAS = (4, 16, 64, 256)


def own_error_rate(score: Any, data: mmv.MMVData) -> float:
    threshold = mmv.best_threshold(score, data.activity)
    return float(mmv.error_rate(score > threshold, data.activity))


def measure(N: int, L: int, M: int, n_draws: int, n_samples: int, seed: int) -> list[Any]:
    """Return predicted and simulated error rates of one size."""
    rng = np.random.default_rng((seed, N, L, M))
    share, predicted, simulated = [], [], []
    for _ in range(n_draws):
        data = mmv.generate(rng, N=N, L=L, M=M, T=n_samples, activity=mmv.IndependentActivity(P), noise_var=NOISE_VAR)
        share.append(mmv.identifiable(data.A, data.activity[: max(5, n_samples // 10)]).mean())
        predicted.append(own_error_rate(mmv.predict_ml(rng, data.A, 1.0 * data.activity, NOISE_VAR, M), data))
        simulated.append(own_error_rate(mmv.ml_cd(data.A, data.Y, NOISE_VAR).score, data))
    theory, found = mmv.Estimate.of(predicted), mmv.Estimate.of(simulated)
    ratio = found.mean / theory.mean if theory.mean else float("nan")
    print(f"{N:4d} {L:3d} {M:4d}  {np.mean(share):12.2f}  {theory!s:20s} {found!s:20s} {ratio:7.2f}", flush=True)
    return [N, L, M, np.mean(share), theory.mean, theory.low, theory.high, found.mean, found.low, found.high, ratio]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=8, help="of the pilots")
    parser.add_argument("--samples", type=int, default=100, help="a draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "prediction.csv")
    chosen = parser.parse_args()
    print("   N   L    M  identifiable  predicted            simulated             ratio")
    table = [measure(N, L, M, chosen.draws, chosen.samples, chosen.seed) for N, L in SIZES for M in ANTENNAS]
    with chosen.output.open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        stream.write(f"# command: {' '.join(['python -m bench.prediction', *sys.argv[1:]])}\n")
        writer = csv.writer(stream)
        intervals = [f"{figure}{end}" for figure in ("predicted", "simulated") for end in ("", "_low", "_high")]
        writer.writerow(["N", "L", "M", "identifiable", *intervals, "ratio"])
        writer.writerows(table)
    print(f"wrote {chosen.output}")


if __name__ == "__main__":
    main()
