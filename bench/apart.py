"""What a network owes to its pilots, and what to its decoder: ``python -m bench.apart``.

Reads what ``bench.optimum`` measured, and measures nothing: the optimum over Gaussian pilots, the optimum over those
that a network learned, and the network itself. The first difference is what the pilots gained, the second what the
decoder leaves. The table goes into ``README.md``.
"""

import numpy as np

from bench.markdown import insert, table
from bench.optimum import CASES, ERRORS, read

POSTERIORS = "exact", "gibbs, groups", "gibbs"


def mean_of(rows, decoders, key):
    """Return mean and half width of the 95 % interval over the draws, of the first decoder that there is."""
    from scipy.stats import t

    for decoder in decoders:
        found = np.array([float(row[key]) for row in rows if row["decoder"] == decoder and row[key]])
        if found.size > 1:
            return found.mean(), t.ppf(0.975, found.size - 1) * found.std(ddof=1) / np.sqrt(found.size), found.size
    return None


def written(figure):
    """Return a mean with its interval and the number of draws, as text."""
    return "" if figure is None else f"{figure[0]:.3g} ± {figure[1]:.2g} ({figure[2]})"


def main():
    """Put the table into the page."""
    rows = read(ERRORS)
    lines = []
    for name, case in CASES.items():
        own = [row for row in rows if row["case"] == name]
        if not case.weights or not own:
            continue
        plain = [row for row in rows if row["case"] == name.partition(",")[0] and row["L"] == own[0]["L"]]
        (scheme,) = {row["decoder"] for row in own if row["decoder"].endswith("_nn")}
        for key, measure in (("error_rate", "errors"), ("mse", "MSE")):
            parts = (plain, POSTERIORS), (own, POSTERIORS), (own, (scheme,))
            lines.append((case.weights, measure, *(written(mean_of(here, who, key)) for here, who in parts)))
    heads = "weights", "measure", "optimum, Gaussian pilots", "optimum, learned pilots", "network"
    insert("apart", table(heads, lines))


if __name__ == "__main__":
    main()
