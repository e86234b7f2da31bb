"""The parallel solvers beside coordinate descent: ``python -m bench.psca [certify]``.

``certify`` solves 1000 random problems of each kind with both and compares the objectives, computed anew in double
precision. Where PSCA ends higher by more than 1e-6, relatively, both are solved again to 1e-7: if the difference stays,
they have found two local minima, and the problem's seed is named.
"""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import mmvsolvers as mmv
from bench.conditions import conditions

RESULTS = Path(__file__).parent / "results"
RIVALS = {"ml_psca": "ml_cd", "map_psca": "map_cd"}
SAME = 1e-6
Problem = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def random_problem(name: str, seed: int) -> Problem:
    """Return A (L, N), Y (L, M) and what else the solver needs, of random sizes, priors, noise and field."""
    rng = np.random.default_rng((seed, len(name)))
    N, L, M = int(rng.integers(10, 121)), int(rng.integers(4, 41)), int(rng.integers(1, 17))
    noise_var = 10 ** rng.uniform(-2, 0.5)
    data = mmv.generate(
        rng, N=N, L=L, M=M, T=1, noise_var=noise_var, activity=mmv.IndependentActivity(rng.uniform(0.02, 0.3))
    )
    A, Y = (data.A.real.copy(), data.Y[0].real.copy()) if rng.random() < 0.2 else (data.A, data.Y[0])
    options: dict[str, Any] = {"noise_var": noise_var}
    if name == "map_psca":
        options["activity_prob"] = rng.uniform(0.02, 0.45, N)
        options["channel_var"] = 10 ** rng.uniform(-0.5, 0.5, N)
        options["upper"] = rng.choice([1.0, 3.0, np.inf])
    return A, Y, options


def objective(name: str, problem: Problem, score: np.ndarray) -> float:
    """Return what both solvers minimise, without the prior's constant."""
    A, Y, options = problem
    value = float(mmv.negative_log_likelihood(A, Y, options["noise_var"], score * options.get("channel_var", 1.0)))
    if name == "map_psca":
        prob = options["activity_prob"]
        value -= float(score @ np.log(prob / (1 - prob))) / Y.shape[1]
    return value


def excess(name: str, problem: Problem, tol: float) -> tuple[float, bool]:
    """Return by how much PSCA ends above coordinate descent, relatively, and whether it converged."""
    A, Y, options = problem
    found = mmv.SOLVERS[name].run(A, Y, **options, tol=tol, max_iter=20_000)
    rival = mmv.SOLVERS[RIVALS[name]].run(A, Y, **options, tol=tol, max_iter=20_000)
    ours, theirs = (objective(name, problem, result.score) for result in (found, rival))
    return (ours - theirs) / max(abs(theirs), 1.0), bool(found.converged)


def certify(name: str, n_problems: int, seed: int) -> dict[str, Any]:
    """Compare the solver with coordinate descent; return the counts and the seeds of other minima."""
    same, lower, others, converged = 0, 0, [], 0
    for number in range(seed, seed + n_problems):
        problem = random_problem(name, number)
        above, done = excess(name, problem, 1e-4)
        converged += done
        if above > SAME:
            above, _ = excess(name, problem, 1e-7)
        same += above <= SAME
        lower += above < -SAME
        if above > SAME:
            others.append(number)
    return {
        "solver": name,
        "problems": n_problems,
        "converged": converged,
        "same or lower": same,
        "of these lower": lower,
        "other minimum": len(others),
        "seeds of other minima": " ".join(map(str, others)),
    }


def main() -> None:
    warnings.simplefilter("ignore", mmv.ConvergenceWarning)
    rows = []
    for name in RIVALS:
        rows.append(certify(name, n_problems=1000, seed=0))
        print(*(f"{key}: {value}" for key, value in rows[-1].items()), sep="   ", flush=True)
    with (RESULTS / "psca_certified.csv").open("w", newline="") as stream:
        stream.writelines(f"# {key}: {value}\n" for key, value in conditions().items())
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
