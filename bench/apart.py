"""What a network owes to its pilots, and what to its decoder: ``python -m bench.apart``.

Reads what ``bench.optimum`` measured, and measures nothing: the optimum over Gaussian pilots, the optimum over those
that a network learned, and the network itself. The first difference is what the pilots gained, the second what the
decoder leaves. The table goes into ``README.md``.
"""

import mmvsolvers as mmv
from bench.markdown import insert, table
from bench.optimum import CASES, ERRORS, read

POSTERIORS = "exact", "gibbs, groups", "gibbs"


def mean_of(rows, decoders, key):
    """Return the mean over the draws of the first decoder that has several."""
    for decoder in decoders:
        found = [float(row[key]) for row in rows if row["decoder"] == decoder and row[key]]
        if len(found) > 1:
            return mmv.Estimate.of(found)
    return None


def written(figure):
    """Return a mean with its 95 % interval and the number of draws, as text."""
    return "" if figure is None else f"{figure.mean:.3g} ± {(figure.high - figure.low) / 2:.2g} ({figure.n})"


def main():
    """Put the table into the page."""
    rows = read(ERRORS)
    lines = []
    for name, case in CASES.items():
        own = [row for row in rows if row["case"] == name]
        scheme = next((row["decoder"] for row in own if row["decoder"].endswith("_nn")), None)
        if not case.weights or mean_of(own, (scheme,), "error_rate") is None:
            continue
        plain = [row for row in rows if row["case"] == name.partition(",")[0] and row["L"] == own[0]["L"]]
        for key, measure in (("error_rate", "errors"), ("mse", "MSE")):
            parts = (plain, POSTERIORS), (own, POSTERIORS), (own, (scheme,))
            lines.append((case.weights, measure, *(written(mean_of(here, who, key)) for here, who in parts)))
    heads = "weights", "measure", "optimum, Gaussian pilots", "optimum, learned pilots", "network"
    insert("apart", table(heads, lines))


if __name__ == "__main__":
    main()
