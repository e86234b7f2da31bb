"""How far the solvers are from the optimum, and what they gain for free: ``python -m bench.optimum``.

N=100, M=4, p=0.1, σ²=0.1; Gaussian pilots, and the learned ones of ``examples/weights``. Errors go to
``results/optimum.csv``, and how often devices of each posterior probability were active to ``results/calibration.csv``.
Every decoder on every draw of the pilots, or of fresh samples over learned ones, is a row as soon as it is measured; a
run that was stopped goes on where it was, and a row that was taken out is measured again. Ratios are on the same data,
their 95 % intervals from a jackknife over the draws. ``python -m bench.optimum report`` prints what the files say, and
puts what was aimed at into ``README.md``; ``python -m bench.optimum groups "groups, NN's pilots"`` measures these cases
only.
"""

import csv
import inspect
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions
from mmvsolvers.writing import write_table, write_text

RESULTS = Path(__file__).parent / "results"
WEIGHTS = Path(__file__).parents[1] / "examples" / "weights"
ERRORS, CALIBRATION = RESULTS / "optimum.csv", RESULTS / "calibration.csv"
N_DRAWS, N_TRAIN, N_TEST = 8, 500, 1300
# Chains agree whose probabilities differ by no more.
TOL = inspect.signature(mmv.gibbs).parameters["tol"].default
# Posterior probabilities are judged between these.
EDGES = np.array([0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1])
# Fewer active devices than this have no Gaussian's spread.
FEW = 100
PLACE = ("case", "L", "draw", "decoder", "seed")
CONDITIONS = ("date", "commit", "processor", "cores", "load", "python", "numpy", "numba", "scipy", "mmvsolvers")
COLUMNS = (*PLACE, "samples", "error_rate", "mse", "cpu_ms", "agree", "expected_error_rate", "tol", *CONDITIONS)
SUMS = ("decisions", "expected", "variance", "active")
BIN_COLUMNS = (*PLACE, "agree", "bin", *SUMS, "tol", *CONDITIONS)


class Case(NamedTuple):
    """Who is active, at which pilot lengths, and whose pilots: Gaussian, shared by groups, or those of weights."""

    activity: mmv.ActivityModel
    lengths: tuple[int, ...]
    pilots: str = ""

    @property
    def weights(self):
        """The weights whose pilots they are, if any."""
        return self.pilots.removeprefix("shared")


INDEPENDENT, GROUPS, SINGLE = (
    mmv.IndependentActivity(0.1, ratio=3.0),
    mmv.GroupActivity(0.1, 20),
    mmv.SingleActiveGroup(0.1),
)
CASES = {
    "independent": Case(INDEPENDENT, (8, 12, 16, 20)),
    "groups": Case(GROUPS, (12,)),
    "single group": Case(SINGLE, (8, 12, 20)),
    "single group, AMP-NN's pilots": Case(SINGLE, (12,), "amp_nn-single-group"),
    "single group, GROUP LASSO-NN's pilots": Case(SINGLE, (12,), "group_lasso_nn-single-group"),
    "groups, NN's pilots": Case(GROUPS, (12,), "covariance_nn-groups"),
    "groups, MAP-NN's pilots": Case(GROUPS, (12,), "map_nn-groups"),
    "independent, AMP-NN's pilots": Case(INDEPENDENT, (12,), "amp_nn-independent"),
    "independent, GROUP LASSO-NN's pilots": Case(INDEPENDENT, (12,), "group_lasso_nn-independent"),
    "independent, NN's pilots": Case(INDEPENDENT, (12,), "covariance_nn-independent"),
    "independent, MAP-NN's pilots": Case(INDEPENDENT, (12,), "map_nn-independent"),
    "groups, shared pilots": Case(GROUPS, (12,), "shared"),
    "groups, COUPLED-MAP-NN's pilots": Case(GROUPS, (12,), "coupled_map_nn-groups"),
    "single group, COUPLED-AMP-NN's pilots": Case(SINGLE, (12,), "coupled_amp_nn-single-group"),
    "single group, COUPLED-MMSE-NN's pilots": Case(SINGLE, (12,), "coupled_mmse_nn-single-group"),
    "independent, COUPLED-MMSE-NN's pilots": Case(INDEPENDENT, (12,), "coupled_mmse_nn-independent"),
}
# These are measured first.
FIRST = ("independent", "single group", "groups", "groups, shared pilots", "groups, NN's pilots")


def posteriors(case, data):
    """Return the decoders of a case whose scores are posterior probabilities, by name: functions of the data."""

    def gibbs(sweeps, groups=None):
        return lambda d: mmv.gibbs(d.A, d.Y, d.noise_var, d.activity_prob, groups=groups, max_iter=sweeps)

    if case.pilots == "shared":
        return {}
    if case.activity is SINGLE:
        return {"exact": partial(mmv.bayes, SINGLE)}
    if case.activity is GROUPS:
        return {"gibbs, groups": gibbs(400, data.groups)}
    return {"gibbs": gibbs(400)} | ({} if case.weights or len(data.A) < 12 else {"gibbs, 1600 sweeps": gibbs(1600)})


def decoders(case, data):
    """Return the other decoders of a case, by name: functions of the data."""
    told = {"groups": data.groups}

    def plain_map(d, **told):
        return mmv.map_cd(d.A, d.Y, d.noise_var, d.activity_prob, **told)

    def shared_map(d):
        return mmv.map_shared(d.A, d.Y, d.noise_var, d.activity_prob, **told)

    if case.pilots == "shared":
        return {"map_cd, virtual devices": shared_map}
    chosen = {
        "map_cd": plain_map,
        "amp_mmse": lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob),
        # its mean squared error is that of ML-MMSE
        "ml_cd": lambda d: mmv.ml_cd(d.A, d.Y, d.noise_var),
    }
    if case.weights:
        chosen[case.weights.rpartition("-")[0].removesuffix("-single")] = learned(case.weights).solve
    if case.activity is GROUPS:
        chosen["map_cd, groups"] = partial(plain_map, **told)
    if case.activity is not INDEPENDENT and not case.weights:
        chosen["amp_mmse, groups"] = lambda d: mmv.amp_mmse(d.A, d.Y, d.activity_prob, **told)
        chosen["group_lasso_bcd"] = lambda d: mmv.group_lasso_bcd(d.A, d.Y)
        chosen["group_lasso_bcd, groups"] = lambda d: mmv.group_lasso_bcd(d.A, d.Y, **told)
    if case.activity is INDEPENDENT:
        chosen["group_lasso_bcd"] = lambda d: mmv.group_lasso_bcd(d.A, d.Y)
        chosen["group_lasso_bcd, own weights"] = lambda d: mmv.group_lasso_bcd(d.A, d.Y, weights="own")
        if not case.weights:
            chosen["ml_cd, dense start"] = lambda d: mmv.ml_cd(d.A, d.Y, d.noise_var, gamma0="dense")
    return chosen


def learned(name):
    """Return a trained scheme as a solver."""
    from mmvsolvers_nn import load_weights
    from mmvsolvers_nn.evaluation import LearnedSolver

    return LearnedSolver(*load_weights(WEIGHTS / name))


def seed_of(name, L, k):
    """Return the seed of the k-th pilots of a case and of their samples."""
    return list(CASES).index(name), L, k


def draw(name, L, k):
    """Return training and test data over the k-th pilots of a case."""
    case = CASES[name]
    rng = np.random.default_rng(seed_of(name, L, k))
    pilots = learned(case.weights).pilots if case.weights else "gaussian"
    if case.pilots == "shared":
        pilots = mmv.draw_shared_pilots(rng, L, case.activity.groups(100))
    scenario = mmv.Scenario(N=100, L=L, M=4, noise_var=0.1, activity=case.activity, pilots=pilots)
    train = scenario.draw(rng, N_TRAIN)
    return train, scenario.draw(rng, N_TEST, pilots=train.A)


def measure(decode, train, test, threshold):
    """Return error rate, mean squared error and processor time of a decoder, and its result."""
    learned = decode(train)  # compiles, too
    if threshold is None:
        threshold = mmv.best_threshold(learned.score, train.activity)
    start = time.process_time()
    found = decode(test)
    spent = (time.process_time() - start) / test.T * 1e3
    X = found.X
    if X is None:
        X = mmv.mmse_estimate(test.A, test.Y, test.noise_var, found.score > threshold)
    error = np.mean((found.score > threshold) != test.activity)
    return {"samples": test.T, "error_rate": error, "mse": float(mmv.mse(X, test.X)), "cpu_ms": round(spent, 3)}, found


def calibration(found, test):
    """Return how many devices of each probability were active where the chains agreed and where not.

    Devices that are always active together are one decision.
    """
    one_each = np.arange(test.N) if test.groups is None else np.unique(test.groups, return_index=True)[1]
    rows = []
    for agree in (True, False):
        P = found.score[found.converged == agree][:, one_each]
        active = test.activity[found.converged == agree][:, one_each]
        place = np.clip(np.searchsorted(EDGES, P, "right") - 1, 0, EDGES.size - 2)
        for k in np.unique(place):
            here = P[place == k]
            sums = {"decisions": here.size, "expected": here.sum(), "variance": (here * (1 - here)).sum()}
            rows.append({"agree": agree, "bin": EDGES[k], **sums, "active": np.sum(active[place == k])})
    return rows


def ratio(found, wanted):
    """Return the ratio of two means over the draws, and the half width of its 95 % interval by the jackknife."""
    from scipy.stats import t

    n = found.size
    left_out = (found.sum() - found) / (wanted.sum() - wanted)
    spread = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    return found.sum() / wanted.sum(), t.ppf(0.975, n - 1) * spread


def report(rows, bins):
    """Print means over the draws and ratios on the same data, then the calibration."""
    for case, L in dict.fromkeys((row["case"], row["L"]) for row in rows):
        here = [row for row in rows if (row["case"], row["L"]) == (case, L)]
        names = list(dict.fromkeys(row["decoder"] for row in here))
        column = {
            (name, key): {row["draw"]: float(row[key]) for row in here if row["decoder"] == name}
            for name in names
            for key in ("error_rate", "mse")
        }
        rivals = {"errors of map_cd's": ("error_rate", "map_cd"), "MSE of amp_mmse's": ("mse", "amp_mmse")}
        rivals |= {"MSE of exact's": ("mse", "exact")} if "exact" in names else {}
        print(f"\n{case}, L={L}")
        for name in names:
            errors, mse = column[name, "error_rate"], column[name, "mse"]
            words = [f"{np.mean([*errors.values()]):.5f} errors, MSE {np.mean([*mse.values()]):.4f}"]
            rival = {"group_lasso_bcd, own weights": "group_lasso_bcd", "ml_cd, dense start": "ml_cd"}.get(name)
            own = {f"errors of {rival}'s": ("error_rate", rival)} if rival else {}
            for what, (key, other) in ({} if name == "map_cd" else rivals | own).items():
                both = [k for k in column[name, key] if k in column.get((other, key), {})]
                found, wanted = (np.array([column[one, key][k] for k in both]) for one in (name, other))
                if len(both) > 1 and wanted.sum() > 0 and name != other:
                    words.append("{:.3f} ± {:.3f} ".format(*ratio(found, wanted)) + what)
            print(f"  {name:28} {len(errors)} × {here[0]['samples']}: {'; '.join(words)}")
    print("\nwhere the chains agree: probability, share active, and by how many standard errors they differ")
    for case, L, name in dict.fromkeys((row["case"], row["L"], row["decoder"]) for row in bins):
        here = [r for r in bins if (r["case"], r["L"], r["decoder"], str(r["agree"])) == (case, L, name, "True")]
        print(f"  {case}, L={L}, {name}")
        for low, n, expected, active, off in calibrated(here):
            print(f"    {low:5g}…  {expected:.4f} {active:.4f} {off:+.1f} of {n:.0f}")


# What was aimed at: case, pilot lengths, decoder, its measure, and whose it is divided by ("" for the figure itself).
AIMS = (
    ("independent", {12: 0.85, 16: 0.65, 20: 0.4}, "gibbs", "error_rate", "map_cd"),
    ("independent", {12: 0.78, 16: 0.55, 20: 0.3}, "gibbs, 1600 sweeps", "error_rate", "map_cd"),
    ("independent", {12: 6, 16: 6, 20: 6}, "gibbs", "cpu_ms", ""),
    ("independent", {12: 0.6, 16: 0.6}, "gibbs", "mse", "amp_mmse"),
    ("independent", {12: 0.6, 16: 0.6}, "gibbs", "mse", "ml_cd"),
    ("independent", {12: 0.88, 16: 0.88}, "group_lasso_bcd, own weights", "error_rate", "group_lasso_bcd"),
    ("independent", {8: 1, 12: 1}, "ml_cd, dense start", "error_rate", "ml_cd"),
    ("single group", {8: 1.25, 12: 1.1, 20: 1.1}, "amp_mmse, groups", "mse", "exact"),
    ("groups", {12: 0.35}, "map_cd, groups", "error_rate", "map_cd"),
    ("groups", {12: 0.22}, "gibbs, groups", "error_rate", "map_cd"),
    ("groups, shared pilots", {12: 0.001}, "map_cd, virtual devices", "error_rate", ""),
    ("groups, NN's pilots", {12: 0.0005}, "map_cd, groups", "error_rate", ""),
    ("groups, NN's pilots", {12: 0.0005}, "gibbs, groups", "error_rate", ""),
)
MEASURES = {"error_rate": "errors", "mse": "MSE", "cpu_ms": "processor ms a sample"}
README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- optimum: made by python -m bench.optimum report -->", "<!-- end of optimum -->"


def table(rows, bins):
    """Return what was aimed at beside what was measured, and how well posteriors are calibrated, as Markdown."""
    lines = ["| case | L | decoder | measure | aim | measured, 95 % | samples | |", "|---|---|---|---|---|---|---|---|"]
    for case, lengths, decoder, key, rival in AIMS:
        for L, aim in lengths.items():
            draws = {
                name: {
                    row["draw"]: row for row in rows if (row["case"], row["L"], row["decoder"]) == (case, str(L), name)
                }
                for name in (decoder, rival)
            }
            both = [k for k in draws[decoder] if draws[decoder][k][key] and (not rival or k in draws[rival])]
            what = MEASURES[key] + (f", of {rival}'s" if rival else "")
            if len(both) < 2:
                lines.append(f"| {case} | {L} | {decoder} | {what} | ≤ {aim:g} | not measured | | |")
                continue
            found = np.array([float(draws[decoder][k][key]) for k in both])
            wanted = np.array([float(draws[rival][k][key]) for k in both]) if rival else np.ones(found.size)
            mean, width = ratio(found, wanted)
            met = "met" if mean <= aim and (aim != 1 or mean + width < 1) else "not met"
            samples = sum(int(draws[decoder][k]["samples"]) for k in both)
            figures = f"{mean:.3g} ± {width:.2g}"
            lines.append(f"| {case} | {L} | {decoder} | {what} | ≤ {aim:g} | {figures} | {samples} | {met} |")
    heads = "case | L | sampler | tol | chains agree | farthest bin | silent above 0.999 | expected"
    lines += ["", f"| {heads} | error rate expected | error rate |", "|---|---|---|---|---|---|---|---|---|---|"]
    for case, L, name in dict.fromkeys((row["case"], row["L"], row["decoder"]) for row in bins):
        mine = [row for row in rows if (row["case"], row["L"], row["decoder"]) == (case, L, name)]
        mean = {
            key: np.mean([float(row[key]) for row in mine]) for key in ("agree", "expected_error_rate", "error_rate")
        }
        here = [r for r in bins if (r["case"], r["L"], r["decoder"], str(r["agree"])) == (case, L, name, "True")]
        off = max(abs(off) for *_, off in calibrated(here))
        sure = [f"{n * (1 - active):.0f} | {n * (1 - P):.2g}" for low, n, P, active, _ in calibrated(here)][-1]
        rates = f"{mean['expected_error_rate']:.2g} | {mean['error_rate']:.2g}"
        figures = f"{mean['agree']:.3f} | {off:.1f} | {sure} | {rates}"
        lines.append(f"| {case} | {L} | {name} | {mine[0]['tol']} | {figures} |")
    return "\n".join(lines)


def calibrated(bins):
    """Yield lower end, decisions, probability, share active and their difference in standard errors, bin by bin."""
    for low in sorted({float(row["bin"]) for row in bins}):
        mine = [row for row in bins if float(row["bin"]) == low]
        n, expected, variance, active = (sum(float(row[c]) for row in mine) for c in SUMS)
        yield low, n, expected / n, active / n, deviation(n, expected, variance, active)


def deviation(n, expected, variance, active):
    """Return by how many standard errors the number of active ones is off, positive where there are more.

    Where few are to be expected, it is where a Gaussian passes what its number does with the same probability.
    """
    from scipy.stats import binom, norm

    if variance >= FEW:
        return (active - expected) / np.sqrt(variance)
    # counted are those that are rarer: their probability is more precise
    silent = n < 2 * expected
    found, rate = (round(n - active), max(1 - expected / n, 0.0)) if silent else (round(active), expected / n)
    more = found > n * rate
    tail = binom.sf(found - 1, n, rate) if more else binom.cdf(found, n, rate)
    # half of a number's chances, or more, are no surprise
    return max(norm.isf(tail), 0.0) * (1 if more != silent else -1)


def read(path):
    """Return the rows of a table that may not exist yet."""
    return list(csv.DictReader(path.open())) if path.exists() else []


def main():
    """Measure what is missing in the files, then report."""
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    warnings.simplefilter("ignore", mmv.DivergenceWarning)
    rows, bins = read(ERRORS), read(CALIBRATION)
    done = {(row["case"], int(row["L"]), int(row["draw"]), row["decoder"]) for row in rows}
    others = [name for name in CASES if name not in FIRST]
    tasks = [(c, L, k) for names in (FIRST, others) for k in range(N_DRAWS) for c in names for L in CASES[c].lengths]
    wanted = sys.argv[1:] or CASES
    for name, L, k in (task for task in tasks if task[0] in wanted):
        train, test = draw(name, L, k)
        sure = posteriors(CASES[name], train)
        for decoder, decode in (decoders(CASES[name], train) | sure).items():
            if (name, L, k, decoder) in done:
                continue
            print("measuring", name, L, k, decoder, flush=True)
            row, found = measure(decode, train, test, 0.5 if decoder in sure else None)
            seed = " ".join(map(str, seed_of(name, L, k)))
            place = {"case": name, "L": L, "draw": k, "decoder": decoder, "seed": seed}
            if decoder in sure:
                row |= {
                    "agree": found.converged.mean(),
                    "tol": TOL,
                    "expected_error_rate": float(mmv.bayes_error(found.score)),
                }
                bins = [one for one in bins if any(one[c] != str(place[c]) for c in PLACE[:4])]
                bins += [place | one | {"tol": TOL} | conditions() for one in calibration(found, test)]
                write_table(CALIBRATION, BIN_COLUMNS, ([one.get(c, "") for c in BIN_COLUMNS] for one in bins))
            rows.append(place | row | conditions())
            write_table(ERRORS, COLUMNS, ([one.get(c, "") for c in COLUMNS] for one in rows))
    tables = [read(path) for path in (ERRORS, CALIBRATION)]
    report(*tables)
    text = README.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    write_text(README, f"{before}{BEGIN}\n\n{table(*tables)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
