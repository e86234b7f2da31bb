"""Learned steps of parallel MAP beside fixed ones: ``python -m bench.psca_steps`` writes ``results/psca_steps.csv``.

N=100, L=12, M=4, p=0.1 with ratio 3, σ²=0.1, one draw of Gaussian pilots. Every rule makes U iterations on the same
10,000 samples; PSCA-NN without correction part learns a step for every iteration, and ε(n), for each U anew. A run
that was stopped goes on where it was.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import torch

import mmvsolvers as mmv
from bench.conditions import conditions
from mmvsolvers.writing import write_table
from mmvsolvers_nn import Architecture, Configuration, Optimisation, functional, train

PATH = Path(__file__).parent / "results" / "psca_steps.csv"
ITERATIONS = (2, 4, 6, 8, 12, 16)
RULES: dict[str, str | float] = {"search": "search", "step 1.5": 1.5, "step 1": 1.0, "step 0.7": 0.7, "step 0.5": 0.5}
SCENARIO = mmv.Scenario(N=100, L=12, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1, ratio=3.0))
OPTIMISATION = Optimisation(
    n_train=6400, n_validation=2000, batch_size=64, learning_rate=1e-2, schedule="cosine", max_epochs=8, fresh=True
)


def score(rule: str, U: int, data: mmv.MMVData) -> np.ndarray:
    """Return the activities that U iterations by a fixed rule find."""
    A, Y, prob = (torch.from_numpy(part) for part in (data.A, data.Y, data.activity_prob))
    chunks = [functional.map_psca(A, part, 0.1, prob, step=RULES[rule], n_iter=U).score for part in Y.split(1000)]
    return torch.cat(chunks).numpy()


def learned(U: int, data: list[mmv.MMVData]) -> list[np.ndarray]:
    """Train PSCA-NN over the same pilots; return the activities that it finds."""
    scenario = mmv.Scenario(
        N=100, L=12, M=4, noise_var=0.1, activity=SCENARIO.activity, pilots=data[0].A.astype(np.complex64)
    )
    architecture = Architecture(scheme="psca_nn", U=U, V=0, pilots="given")
    configuration = Configuration(scenario=scenario, architecture=architecture, optimisation=OPTIMISATION)
    with tempfile.TemporaryDirectory() as folder:
        model = train(configuration, Path(folder))
    print(f"U={U}: steps", np.round(model.exported()["step"], 2), flush=True)
    with torch.no_grad():
        return [
            torch.cat(
                [model.decode(part).score for part in torch.from_numpy(one.Y).to(torch.complex64).split(1000)]
            ).numpy()
            for one in data
        ]


def main() -> None:
    """Measure what is missing in the file, then print it."""
    rows = list(csv.DictReader(PATH.open())) if PATH.exists() else []
    done = {(row["rule"], int(row["U"])) for row in rows}
    rng = np.random.default_rng(0)
    training = SCENARIO.draw(rng, 4000)
    test = SCENARIO.draw(rng, 10_000, pilots=training.A)
    found = conditions()
    for U in ITERATIONS:
        for rule in (*RULES, "learned"):
            if (rule, U) in done:
                continue
            data = [training, test]
            scores = learned(U, data) if rule == "learned" else [score(rule, U, one) for one in data]
            threshold = mmv.best_threshold(scores[0], training.activity)
            error = mmv.error_rate(scores[1] > threshold, test.activity)
            row = {"rule": rule, "U": U, "error_rate": error.mean, "low": error.low, "high": error.high}
            rows.append({key: str(value) for key, value in (row | found).items()})
            write_table(PATH, list(rows[0]), ([one[key] for key in rows[0]] for one in rows))
            print(f"U={U:2} {rule:9} {error.mean:.4f} [{error.low:.4f}, {error.high:.4f}]", flush=True)


if __name__ == "__main__":
    main()
