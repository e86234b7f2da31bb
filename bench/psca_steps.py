"""Learned steps of parallel MAP beside fixed ones: ``python -m bench.psca_steps`` writes ``results/psca_steps.csv``.

N=100, L=12, M=4, p=0.1 with ratio 3, σ²=0.1; one draw of Gaussian pilots, or those that PSCA-NN learned. Every rule
makes U iterations on the same samples; PSCA-NN without correction part learns a step for every iteration, and ε(n), for
each U anew. Over its own pilots stand the committed network and solvers that run until they have converged, too. A run
that was stopped goes on where it was.
"""

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.markdown import insert, table
from mmvsolvers.writing import write_table
from mmvsolvers_nn import Architecture, Configuration, Optimisation, functional, load_weights, train

PATH = Path(__file__).parent / "results" / "psca_steps.csv"
WEIGHTS = Path(__file__).parents[1] / "examples" / "weights" / "psca_nn-independent"
ITERATIONS = {"Gaussian": (2, 4, 6, 8, 12, 16), "learned": (10, 15, 20)}
SAMPLES = {"Gaussian": 10_000, "learned": 20_000}
RULES: dict[str, str | float] = {"search": "search", "step 1.5": 1.5, "step 1": 1.0, "step 0.7": 0.7, "step 0.5": 0.5}
# What is measured over the learned pilots.
FEW_RULES = ("search", "step 1", "step 0.7", "learned")
# What runs until it has converged, with the samples that it is measured on.
SOLVERS = {"ml_cd": 20_000, "map_cd": 20_000, "gibbs": 2_000}
SCENARIO = mmv.Scenario(N=100, L=12, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1, ratio=3.0))
OPTIMISATION = Optimisation(
    n_train=6400, n_validation=2000, batch_size=64, learning_rate=1e-2, schedule="cosine", max_epochs=8, fresh=True
)


def fixed(rule: str, U: int, data: mmv.MMVData) -> np.ndarray:
    """Return the activities that U iterations by a fixed rule find."""
    A, Y, prob = (torch.from_numpy(part) for part in (data.A, data.Y, data.activity_prob.astype(data.Y.real.dtype)))
    chunks = [functional.map_psca(A, part, 0.1, prob, step=RULES[rule], n_iter=U).score for part in Y.split(1000)]
    return torch.cat(chunks).numpy()


def decoded(model, data: mmv.MMVData) -> np.ndarray:
    """Return the scores of a network."""
    received = torch.from_numpy(data.Y).to(torch.complex64)
    with torch.no_grad():
        return torch.cat([model.decode(part).score for part in received.split(1000)]).numpy()


def learned(U: int, A: np.ndarray):
    """Train PSCA-NN without correction part over given pilots."""
    scenario = replace(SCENARIO, pilots=A.astype(np.complex64))
    architecture = Architecture(scheme="psca_nn", U=U, V=0, pilots="given", prior="true")
    configuration = Configuration(scenario=scenario, architecture=architecture, optimisation=OPTIMISATION)
    with tempfile.TemporaryDirectory() as folder:
        model = train(configuration, Path(folder))
    print(f"U={U}: steps", np.round(model.exported()["step"], 2), flush=True)
    return model


def scores(rule: str, U: int, data: list[mmv.MMVData]) -> list[np.ndarray]:
    """Return the scores of the training and of the test samples."""
    if rule in RULES:
        return [fixed(rule, U, one) for one in data]
    if rule in SOLVERS:
        return [mmv.SOLVERS[rule].solve(one).score for one in data]
    model = learned(U, data[0].A) if rule == "learned" else load_weights(WEIGHTS)[0]
    return [decoded(model, one) for one in data]


def wanted():
    """Yield the rules to measure: the pilots, the rule, U and the samples."""
    yield "learned", "committed network", 15, SAMPLES["learned"]
    for solver, samples in SOLVERS.items():
        yield "learned", solver, "", samples
    for pilots, iterations in ITERATIONS.items():
        for U in iterations:
            for rule in (*RULES, "learned") if pilots == "Gaussian" else FEW_RULES:
                yield pilots, rule, U, SAMPLES[pilots]


def report(rows: list[dict[str, str]]) -> None:
    """Put the table into ``README.md``."""
    heads = ("pilots", "U", *RULES, "learned")
    found = {(row["pilots"], row["U"], row["rule"]): f"{float(row['error_rate']):.4f}" for row in rows}
    lines = [
        (pilots, U, *(found.get((pilots, str(U), rule), "") for rule in heads[2:]))
        for pilots, iterations in ITERATIONS.items()
        for U in iterations
        if any((pilots, str(U), rule) in found for rule in heads[2:])
    ]
    others = [
        f"{row['rule']} {float(row['error_rate']):.4f} [{float(row['low']):.4f}, {float(row['high']):.4f}]"
        for row in rows
        if row["rule"] in ("committed network", *SOLVERS)
    ]
    told = f"\n\nOver the learned pilots: {', '.join(others)}." if others else ""
    insert("psca_steps", table(heads, lines) + told)


def main() -> None:
    """Measure what is missing in the file."""
    rows = list(csv.DictReader(PATH.open())) if PATH.exists() else []
    done = {(row["pilots"], row["rule"], row["U"]) for row in rows}
    rng = np.random.default_rng(0)
    data = {}
    for pilots, samples in SAMPLES.items():
        own = load_weights(WEIGHTS)[0].exported()["A"] if pilots == "learned" else None
        dtype = np.complex128 if own is None else np.complex64
        training = SCENARIO.draw(rng, 4000, pilots=own, dtype=dtype)
        data[pilots] = [training, SCENARIO.draw(rng, samples, pilots=training.A, dtype=dtype)]
    found = conditions()
    for pilots, rule, U, samples in wanted():
        if (pilots, rule, str(U)) in done:
            continue
        training, test = data[pilots]
        test = replace(test, X=test.X[:samples], Y=test.Y[:samples], activity=test.activity[:samples])
        on_training, on_test = scores(rule, U, [training, test])
        threshold = mmv.best_threshold(on_training, training.activity)
        error = mmv.error_rate(on_test > threshold, test.activity)
        row = {"pilots": pilots, "rule": rule, "U": U, "samples": samples}
        row |= {"error_rate": error.mean, "low": error.low, "high": error.high}
        rows.append({key: str(value) for key, value in (row | found).items()})
        write_table(PATH, list(rows[0]), ([one[key] for key in rows[0]] for one in rows))
        print(f"{pilots} U={U} {rule} {error.mean:.4f} [{error.low:.4f}, {error.high:.4f}]", flush=True)
        report(rows)


if __name__ == "__main__":
    main()
