"""A transformer beside coordinate descent and the optimum: ``python -m bench.transformer``.

N=100, L=8, M=32 of ``mmv.named_scenario("li2022")``, over the one draw of Gaussian pilots that the weights in
``examples/weights/transformer_nn-cell`` were trained for; ``--run DIR`` adds larger ones, trained for the same pilots.
All decoders see the same fresh samples. Missed detections are compared where as many idle devices are called active.
Times are the processor's, on one thread, in batches.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from bench.markdown import insert, table
from mmvsolvers.writing import write_table

WEIGHTS = Path(__file__).parents[1] / "examples" / "weights" / "transformer_nn-cell"
TABLE = Path(__file__).parent / "results" / "transformer.csv"
FALSE_ALARMS = (0.01, 0.001)
CLASSICAL = ("ml_cd", "map_cd", "gibbs")


def transformers(folders):
    """Return the transformers in ``folders``, by their sizes, and the scenario that they share."""
    from mmvsolvers_nn import load_weights
    from mmvsolvers_nn.evaluation import LearnedSolver

    found = {}
    for folder in folders:
        model, configuration = load_weights(folder)
        width = configuration.architecture.width or model.decoder.approximation.width
        name = f"transformer, {configuration.architecture.U} layers of {width}"
        found[name] = LearnedSolver(model, configuration)
    first, *others = found.values()
    if not all(np.array_equal(first.pilots, other.pilots) for other in others):
        raise SystemExit(
            "all transformers must have the same pilots: train them from the same seed with --pilots gaussian"
        )
    return found, configuration.scenario


def measure(name, decoder, train, test):
    """Return the row of one decoder: at its own best threshold, then at each false alarm."""
    decoder.solve(train)  # compiles
    start = time.process_time()
    score = decoder.solve(test).score
    cpu_ms = 1e3 * (time.process_time() - start) / len(test.Y)
    error = mmv.error_rate(score > mmv.best_threshold(decoder.solve(train).score, train.activity), test.activity)
    row = {"decoder": name, "samples": len(test.Y), "cpu_ms": cpu_ms}
    row |= {"error_rate": error.mean, "error_low": error.low, "error_high": error.high}
    for rate in FALSE_ALARMS:
        missed = mmv.missed_detection(score > mmv.threshold_at(score, test.activity, false_alarm=rate), test.activity)
        row |= {f"missed_{rate}": missed.mean, f"missed_{rate}_low": missed.low, f"missed_{rate}_high": missed.high}
    return row


def report(rows):
    """Put the table into ``README.md``."""
    heads = ("decoder", "samples", "error rate", *(f"PM at PF={rate:g}" for rate in FALSE_ALARMS), "CPU, ms a sample")
    lines = []
    for row in rows:
        names = ("error", *(f"missed_{rate}" for rate in FALSE_ALARMS))
        means = (row["error_rate"], *(row[f"missed_{rate}"] for rate in FALSE_ALARMS))
        shown = [
            f"{mean:.5f} [{row[f'{name}_low']:.5f}, {row[f'{name}_high']:.5f}]"
            for name, mean in zip(names, means, strict=True)
        ]
        lines.append((row["decoder"], row["samples"], *shown, f"{row['cpu_ms']:.2g}"))
    insert("transformer", table(heads, lines))


def main():
    """Measure all decoders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--train-samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", action="append", default=[], type=Path, help="another transformer's directory")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    learned, scenario = transformers([WEIGHTS, *chosen.run])
    compared = learned | {name: mmv.SOLVERS[name] for name in CLASSICAL}
    pilots = next(iter(learned.values())).pilots
    rng = np.random.default_rng(chosen.seed)
    train, test = (
        scenario.draw(rng, T, pilots=pilots, dtype=np.complex64) for T in (chosen.train_samples, chosen.samples)
    )
    found, rows = conditions(), []
    for name, decoder in compared.items():
        rows.append(measure(name, decoder, train, test))
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    write_table(TABLE, [*rows[0], *found], ([*row.values(), *found.values()] for row in rows))
    report(rows)


if __name__ == "__main__":
    main()
