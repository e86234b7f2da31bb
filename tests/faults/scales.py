"""Problems of any scale that the precision holds: ``python -m tests.faults.scales``.

Every solver is given problems whose pilots, signals and parameters are scaled over all exponents, together or one
against the others. It may refuse them by a ValueError that names an argument. What it claims of the others is computed
again in plain double-precision NumPy, in units in which the numbers are ordinary.
"""

import argparse
import re
import warnings
from collections import Counter

import numpy as np

import mmvsolvers as mmv

N, L, M, T = 12, 8, 2, 2
P = 0.2
# Solver and arguments.
CASES = {
    "group_lasso_bcd": ("group_lasso_bcd", {"lam": 2.0}),
    "group_lasso_bcd, weights": ("group_lasso_bcd", {"lam": 2.0, "weights": "own"}),
    "group_lasso_bcd, λ=0": ("group_lasso_bcd", {"lam": 0.0}),
    "group_lasso_admm": ("group_lasso_admm", {"lam": 2.0}),
    "amp_mmse": ("amp_mmse", {"activity_prob": P, "channel_var": 1.0}),
    "ml_cd": ("ml_cd", {"noise_var": 0.1}),
    "map_cd": ("map_cd", {"noise_var": 0.1, "activity_prob": P, "channel_var": 1.0}),
    "map_cd, groups": (
        "map_cd",
        {"noise_var": 0.1, "activity_prob": P, "channel_var": 1.0, "groups": np.arange(N) // 2},
    ),
    "ml_psca": ("ml_psca", {"noise_var": 0.1}),
    "map_psca": ("map_psca", {"noise_var": 0.1, "activity_prob": P, "channel_var": 1.0}),
    "covariance_lasso": ("covariance_lasso", {"lam": 2.0, "noise_var": 0.1}),
    "ml_mmse": ("ml_mmse", {"noise_var": 0.1, "threshold": 0.3, "channel_var": 1.0}),
    "somp": ("somp", {"noise_var": 0.1}),
    "m_sbl": ("m_sbl", {"noise_var": 0.1}),
    "gibbs": ("gibbs", {"noise_var": 0.1, "activity_prob": P, "channel_var": 1.0, "max_iter": 20}),
    "em_ep": ("em_ep", {}),
    "em_ep, told": ("em_ep", {"noise_var": 0.1, "activity_prob": P, "channel_var": 1.0}),
    "ml_cd, dense": ("ml_cd", {"noise_var": 0.1, "gamma0": "dense"}),
}
POWERS = {"lam": (1, 1), "noise_var": (0, 2), "channel_var": (-2, 2), "threshold": (-2, 2)}
DTYPES = (np.complex64, np.complex128, np.float32, np.float64)
NAMED = re.compile(r"\b(A|Y|lam|noise_var|channel_var|threshold|weights)\b.* must ", re.DOTALL)
TOL = {"ml_cd": 1e-3, "map_cd": 1e-3, "ml_psca": 1e-3, "map_psca": 1e-3, "m_sbl": 1e-3, "ml_mmse": 1e-3, "somp": 1e-6}


def powers_of(function, options):
    """Return the powers of A's and of Y's scale that the arguments are in."""
    if function == "covariance_lasso":
        return {**POWERS, "lam": (2, 2)}
    return {**POWERS, "lam": (0, 1)} if "weights" in options else POWERS


def draw(rng, name, dtype, apart):
    """Return the function's name, A, Y and arguments, all scaled by powers of two, and the powers."""
    function, options = CASES[name]
    parts = rng.standard_normal((2, L, N)), rng.standard_normal((2, T, N, M)), rng.standard_normal((2, T, L, M))
    A, X, Z = (part[0] if np.dtype(dtype).kind == "f" else (part[0] + 1j * part[1]) / np.sqrt(2) for part in parts)
    active = rng.random((T, N, 1)) < P
    Y = A @ (active * X) + np.sqrt(0.1) * Z
    limits = np.finfo(dtype)
    of_A, of_Y = (int(rng.integers(limits.minexp, limits.maxexp)) // (1 if rng.random() < 0.3 else 3) for _ in "AY")
    powers = powers_of(function, options)
    scale = {key: float(np.dot(powers[key], (of_A, of_Y))) for key in options if key in powers}
    if apart and scale:
        scale[rng.choice(list(scale))] += rng.uniform(limits.minexp, limits.maxexp) / rng.choice([1, 4, 16])
    with np.errstate(all="ignore"):
        A, Y = A.astype(dtype) * dtype(2.0**of_A), Y.astype(dtype) * dtype(2.0**of_Y)
        if apart and rng.random() < 0.3:
            A[:, rng.integers(N)] *= dtype(2.0 ** (rng.uniform(limits.minexp, 0) / rng.choice([1, 4])))
        told = {
            key: value * 2.0 ** np.clip(scale.get(key, 0), -1200, 1023) if key in scale else value
            for key, value in options.items()
        }
    return function, A, Y, told


class Reference:
    """A problem in ordinary units, as float64, and the exponents of these."""

    def __init__(self, function, A, Y, options):
        wide = np.result_type(A, np.float64)
        self.a, self.y = (int(np.frexp(np.abs(part.astype(wide)).max())[1]) for part in (A, Y))
        self.A, self.Y = (lift(part.astype(wide), -unit) for part, unit in ((A, self.a), (Y, self.y)))
        powers = powers_of(function, options)
        with np.errstate(over="ignore", under="ignore"):
            self.options = {
                key: np.ldexp(value, -int(np.dot(powers[key], (self.a, self.y)))) if key in powers else value
                for key, value in options.items()
            }

    def X(self, result):
        return lift(result.X.astype(np.result_type(result.X, np.float64)), self.a - self.y)

    def power(self, score):
        return np.ldexp(score.astype(np.float64), 2 * (self.a - self.y))


def lift(array, power):
    """Multiply by a power of two, in two steps where one would leave the exponents."""
    half = power // 2
    return array * 2.0**half * 2.0 ** (power - half)


def group_lasso(reference, t, result):
    A, Y, X, lam = reference.A, reference.Y[t], reference.X(result)[t], reference.options["lam"]
    weights = np.ones(N)
    if "weights" in reference.options:
        weights = np.linalg.norm(A, axis=0) / np.sqrt(L)
    R = Y - A @ X
    primal = 0.5 * np.linalg.norm(R) ** 2 + lam * (weights * np.linalg.norm(X, axis=1)).sum()
    largest = (np.linalg.norm(A.conj().T @ R, axis=1) / weights).max()
    theta = R * min(1.0, lam / largest) if largest > 0 else R
    dual = np.vdot(theta, Y).real - 0.5 * np.linalg.norm(theta) ** 2
    if lam == 0:
        return primal, (primal - 0.5 * np.linalg.norm(Y - A @ np.linalg.pinv(A) @ Y) ** 2) / (
            0.5 * np.linalg.norm(Y) ** 2
        )
    return primal, (primal - dual) / primal if primal > 0 else 0.0


def whitened(reference, gamma, noise_var, t):
    # the spectrum of Σ without forming it: all that does not overflow is exact, however weak the noise
    active = gamma > 0
    basis, sizes, _ = np.linalg.svd(reference.A[:, active] * np.sqrt(gamma[active]), full_matrices=active.sum() < L)
    spectrum = np.full(L, noise_var)
    spectrum[: sizes.size] += sizes**2
    whitener = basis.conj().T / np.sqrt(spectrum)[:, None]
    return np.log(spectrum).sum(), whitener @ reference.Y[t], whitener @ reference.A


def likelihood(reference, t, result):
    """Return the objective in the user's units, and the largest scaled exact step, of γ or of α."""
    options = reference.options
    noise_var, gain = options["noise_var"], options.get("channel_var", 1.0)
    value = result.score[t].astype(float) if "channel_var" in options else reference.power(result.score)[t]
    log_det, Z, W = whitened(reference, gain * value, noise_var, t)
    objective = log_det + np.linalg.norm(Z) ** 2 / M + 2 * L * np.log(2) * reference.y
    c = 0.0
    if "activity_prob" in options:
        c = np.log(P / (1 - P)) / M
        objective -= c * value.sum() + N * np.log(1 - P) / M
    W = W * np.sqrt(gain)
    q, r = np.linalg.norm(W, axis=0) ** 2, np.linalg.norm(Z.conj().T @ W, axis=0) ** 2 / M
    with np.errstate(all="ignore"):
        # q² may overflow
        u = 2 * (r / q) / (1 + np.sqrt(1 - 4 * (c / q) * (r / q)))
        step = np.maximum(u - 1, -value * q)
    return objective, np.abs(np.where(q > 0, step, 0)).max()


def binary(reference, t, result):
    """Return the objective at α of 0 and 1, and what the best flip of a group still gains."""

    def at(alpha):
        log_det, Z, _ = whitened(reference, reference.options["channel_var"] * alpha, reference.options["noise_var"], t)
        flips = alpha[::2]
        prior = flips * np.log(P) + (1 - flips) * np.log(1 - P)
        return log_det + 2 * L * np.log(2) * reference.y + (np.linalg.norm(Z) ** 2 - prior.sum()) / M

    alpha = result.score[t].astype(float)
    here = at(alpha)
    flipped = [at(np.where(reference.options["groups"] == g, 1 - alpha, alpha)) for g in range(N // 2)]
    return here, max(here - min(flipped), 0.0)


def covariance_lasso(reference, t, result):
    A, lam, r = reference.A, reference.options["lam"], reference.power(result.score)[t]
    S = reference.Y[t] @ reference.Y[t].conj().T / M - reference.options["noise_var"] * np.eye(L)
    E = S - (A * r) @ A.conj().T
    objective = 0.5 * np.linalg.norm(E) ** 2 + lam * r.sum()
    gradient, squares = np.einsum("ln,lk,kn->n", A.conj(), E, A).real, np.linalg.norm(A, axis=0) ** 2
    mu = max(((gradient - lam) / squares).max(), 0.0)
    return objective, ((r * (lam - gradient + mu * squares)).sum() + 0.5 * L * mu**2) / objective


def somp(reference, t, result):
    A, Y, X = reference.A, reference.Y[t], reference.X(result)[t]
    R = Y - A @ X
    left, free = np.linalg.norm(R) ** 2, ~X.any(axis=1)
    if left <= L * M * reference.options["noise_var"] * (1 + 1e-5) or not free.any():
        return left, 0.0
    pull = np.linalg.norm(A.conj().T @ R, axis=1) ** 2 / np.linalg.norm(A, axis=0) ** 2
    return left, pull[free].max() / np.linalg.norm(Y) ** 2


# What computes an objective and its optimality again, and the power of Y's unit that the objective is in.
CHECKS = {
    "group_lasso_bcd": (group_lasso, 2),
    "group_lasso_admm": (group_lasso, 2),
    "ml_cd": (likelihood, 0),
    "map_cd": (likelihood, 0),
    "ml_psca": (likelihood, 0),
    "map_psca": (likelihood, 0),
    "m_sbl": (likelihood, 0),
    "covariance_lasso": (covariance_lasso, 4),
    "somp": (somp, 2),
}


def judge(name, function, A, Y, options):
    """Return what became of a problem, and what was wrong with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = getattr(mmv, function)(A, Y, **options)
        except ValueError as error:
            return ("refused", "") if NAMED.search(str(error)) else ("refused", f"nothing named: {error}")
        except Exception as error:
            return "raised", f"{type(error).__name__}: {error}"
    odd = [w for w in caught if not issubclass(w.category, mmv.ConvergenceWarning | mmv.DivergenceWarning)]
    if odd:
        return "warned", f"{odd[0].category.__name__}: {odd[0].message}"
    finite = np.isfinite(result.objective) & np.isfinite(result.score).all(axis=-1)
    if result.X is not None:
        finite &= np.isfinite(result.X).all(axis=(-1, -2))
    if (result.converged & ~finite).any():
        return "solved", "converged, but not finite"
    if not result.converged.all() and function not in ("gibbs",) and not caught:
        return "solved", "not converged, without a warning"
    wrong = [claim for t in np.flatnonzero(finite) if (claim := false_claim(name, function, A, Y, options, result, t))]
    return "converged" if result.converged.all() else "not converged", "; ".join(wrong)


def false_claim(name, function, A, Y, options, result, t):
    """Compare what is claimed of problem t with what it is."""
    if function not in CHECKS:
        return ""
    check, power = CHECKS[function]
    if name == "map_cd, groups":
        check = binary
    reference = Reference(function, A, Y, options)
    with np.errstate(all="ignore"):
        objective, optimality = check(reference, t, result)
    single = np.finfo(A.dtype).bits == 32
    claimed = float(np.ldexp(np.float64(result.objective[t]), -power * reference.y))
    close = 1e-3 if single else 1e-6
    # what rounding leaves of a residual that is 0, or of the terms of a likelihood
    least = 10 * np.finfo(A.dtype).eps * np.linalg.norm(reference.Y[t]) ** power if power else close
    if not abs(claimed - objective) <= close * abs(objective) + least:
        return f"objective {claimed:.6g}, truly {objective:.6g}"
    tol = TOL.get(function, 1e-5)
    if result.converged[t] and not optimality <= 1.5 * tol + (1e-4 if single else 1e-9):
        return f"optimality {result.optimality[t]:.3g}, truly {optimality:.3g}"
    return ""


def run(draws, seed, names=tuple(CASES), dtypes=DTYPES):
    """Judge the draws of every case; return a count of what became of them, and the faults."""
    outcomes, faults = Counter(), []
    for k in range(draws):
        for name in names:
            for dtype in dtypes:
                rng = np.random.default_rng((seed, k, list(CASES).index(name), DTYPES.index(dtype)))
                outcome, fault = judge(name, *draw(rng, name, dtype, apart=k % 2 == 1))
                outcomes[name, outcome] += 1
                if fault:
                    faults.append(f"{name}, {np.dtype(dtype).name}, draw {k}: {fault}")
    return outcomes, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20, help="of every solver in every precision")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--dtype", action="append", choices=[np.dtype(dtype).name for dtype in DTYPES])
    options = parser.parse_args()
    dtypes = [dtype for dtype in DTYPES if np.dtype(dtype).name in (options.dtype or [np.dtype(dtype).name])]
    outcomes, faults = run(options.draws, options.seed, options.case or tuple(CASES), dtypes)
    for name in options.case or CASES:
        print(f"{name}: " + ", ".join(f"{n} {what}" for (of, what), n in sorted(outcomes.items()) if of == name))
    print("\n".join(faults))
    print(f"{sum(outcomes.values())} problems, {len(faults)} faults")


if __name__ == "__main__":
    main()
