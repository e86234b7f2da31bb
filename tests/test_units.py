"""Answers know no units: physical ones, tiny and huge ones, and those that no precision holds."""

import numpy as np
import pytest
from conftest import make_problem, relative_error

import mmvsolvers as mmv
from mmvsolvers.batch import Batch

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning", "ignore::mmvsolvers.DivergenceWarning")
# Arguments of every solver, and the powers of the units of A and Y that each is in, and those of the objective's.
CASES = {
    "group_lasso_bcd": ({"lam": 2.0}, {"lam": (1, 1)}, 2),
    "group_lasso_admm": ({"lam": 2.0}, {"lam": (1, 1)}, 2),
    "amp_mmse": ({"activity_prob": 0.1, "channel_var": 1.0}, {"channel_var": (-2, 2)}, 2),
    "ml_cd": ({"noise_var": 0.1}, {"noise_var": (0, 2)}, 0),
    "ml_psca": ({"noise_var": 0.1}, {"noise_var": (0, 2)}, 0),
    "map_psca": (
        {"noise_var": 0.1, "activity_prob": 0.1, "channel_var": 1.0},
        {"noise_var": (0, 2), "channel_var": (-2, 2)},
        0,
    ),
    "em_ep": ({}, {}, 0),
    "map_cd": (
        {"noise_var": 0.1, "activity_prob": 0.1, "channel_var": 1.0},
        {"noise_var": (0, 2), "channel_var": (-2, 2)},
        0,
    ),
    "covariance_lasso": ({"lam": 2.0, "noise_var": 0.1}, {"lam": (2, 2), "noise_var": (0, 2)}, 4),
    "ml_mmse": (
        {"noise_var": 0.1, "threshold": 0.3, "channel_var": 1.0},
        {"noise_var": (0, 2), "threshold": (-2, 2), "channel_var": (-2, 2)},
        0,
    ),
    "somp": ({"noise_var": 0.1}, {"noise_var": (0, 2)}, 2),
    "m_sbl": ({"noise_var": 0.1}, {"noise_var": (0, 2)}, 0),
    "gibbs": (
        {"noise_var": 0.1, "activity_prob": 0.1, "channel_var": 1.0, "max_iter": 20},
        {"noise_var": (0, 2), "channel_var": (-2, 2)},
        0,
    ),
}
PURE_SCORES = ("map_cd", "map_psca", "gibbs", "em_ep")
every_solver = pytest.mark.parametrize("name", CASES)


def run(name, A, Y, of_A=0, of_Y=0):
    options, powers, _ = CASES[name]
    scaled = {key: np.ldexp(value, np.dot(powers.get(key, (0, 0)), (of_A, of_Y))) for key, value in options.items()}
    scaled = {key: int(value) if key == "max_iter" else value for key, value in scaled.items()}
    return getattr(mmv, name)(A * A.dtype.type(2.0**of_A), Y * Y.dtype.type(2.0**of_Y), **scaled)


def test_no_solver_is_forgotten():
    assert CASES.keys() == mmv.SOLVERS.keys()


@every_solver
@pytest.mark.parametrize(
    ("dtype", "of_A", "of_Y"),
    [
        (np.complex64, 0, -28),
        (np.complex64, 25, 13),
        (np.float32, -20, -25),
        (np.complex128, 0, -200),
        (np.complex128, -180, 60),
    ],
)
def test_the_answer_is_the_same_in_all_units(name, dtype, of_A, of_Y):
    A, Y, _ = make_problem(30, 20, 4, p=0.1, dtype=dtype)
    plain, scaled = run(name, A, Y), run(name, A, Y, of_A, of_Y)
    power = 0 if name in PURE_SCORES else 2 * (of_Y - of_A)
    close = 1e-4 if np.finfo(dtype).bits == 32 and name in ("ml_cd", "map_cd", "ml_mmse") else 1e-6
    assert plain.score.any()
    assert relative_error(np.ldexp(scaled.score.astype(float), -power), plain.score) < close
    if plain.X is not None:
        undone = scaled.X.astype(complex) * 2.0 ** (of_A - of_Y)
        assert relative_error(undone, plain.X) < close
    np.testing.assert_array_equal(scaled.converged, plain.converged)
    if CASES[name][2]:
        np.testing.assert_allclose(np.ldexp(scaled.objective.astype(float), -CASES[name][2] * of_Y), plain.objective)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.float32, np.float64])
@pytest.mark.parametrize("spread", [2, 4])
@pytest.mark.parametrize("noise_var", [None, 2.0**-24, 2.0**24 * (1 - 2**-53)])
def test_ordinary_problems_pass_all_checks_that_they_are_spared(dtype, spread, noise_var, monkeypatch):
    least, most = 2.0**-12, float(np.nextafter(np.float32(2.0**12), np.float32(0)))
    told = {"objective": 4, "spread": spread, "noise_var": None if noise_var is None else np.full(2, noise_var)}
    for of_A in ((least, most), (least, least), (most, most)):
        for of_Y in (least, most):
            A, Y = np.array([of_A, of_A], dtype), np.full((2, 2, 1), of_Y, dtype)
            batch = Batch.of(A, Y)
            assert batch.is_ordinary(told["noise_var"])
            assert batch.in_units(**told) is batch
            with monkeypatch.context() as patch:
                patch.setattr(Batch, "is_ordinary", lambda *_: False)
                checked = batch.in_units(**told)
            assert checked.units.pilots == 0
            assert not checked.units.received.any()
            assert checked.A is batch.A
            assert checked.Y is batch.Y


@pytest.mark.parametrize(("of_A", "of_Y", "noise_var"), [(2.0**13, 1, 1), (1, 2.0**12, 1), (1, 1, 2.0**-26)])
def test_other_problems_are_spared_none(of_A, of_Y, noise_var):
    A, Y = of_A * np.eye(2), of_Y * np.ones((3, 2, 1))
    assert not Batch.of(A, Y).is_ordinary(np.array([1.0, noise_var, 1.0]))


def test_groups_have_units():
    A, Y, _ = make_problem(20, 12, 3, T=3)
    groups, scale = np.arange(20) // 2, np.ldexp(1.0, [-60, 0, 60])[:, None, None]
    told = {"activity_prob": 0.1, "groups": groups}
    plain = mmv.map_cd(A, Y, 0.1, **told)
    scaled = [mmv.map_cd(A, s * Y, s * s * 0.1, channel_var=s * s, **told) for s in scale[:, 0, 0]]
    for t, (s, found) in enumerate(zip(scale[:, 0, 0], scaled, strict=True)):
        np.testing.assert_array_equal(found.score, plain.score)
        np.testing.assert_allclose(found.objective - 2 * 12 * np.log(s), plain.objective, rtol=1e-9)
        # the unit of each problem is its own
        together = mmv.map_cd(A, scale * Y, scale[:, 0, 0] ** 2 * 0.1, channel_var=s * s, **told)
        np.testing.assert_array_equal(together.score[t], found.score[t])
        sampled = mmv.gibbs(A, scale * Y, scale[:, 0, 0] ** 2 * 0.1, channel_var=s * s, max_iter=20, **told)
        alone = mmv.gibbs(A, s * Y[t], s * s * 0.1, channel_var=s * s, max_iter=20, **told)
        np.testing.assert_array_equal(sampled.score[t], alone.score)


def test_weights_have_no_units():
    A, Y, _ = make_problem(20, 12, 3)
    w = np.linspace(0.5, 2.0, 20)
    plain = mmv.group_lasso_bcd(A, Y, 2.0, weights=w)
    scaled = mmv.group_lasso_bcd(A, Y, 2.0 * 2.0**-400, weights=w * 2.0**400)
    assert relative_error(scaled.X, plain.X) < 1e-9


def test_thermal_noise_is_no_silence():
    A, Y, X = make_problem(200, 40, 8, T=1, p=0.05, dtype=np.complex64)
    root = np.sqrt(np.float32(5e-17))
    plain, physical = mmv.ml_cd(A, Y, 0.1), mmv.ml_cd(A, Y * root, 5e-18)
    assert physical.converged.all()
    assert relative_error(physical.score / 5e-17, plain.score) < 1e-3
    assert physical.objective == pytest.approx(plain.objective + 40 * np.log(5e-17), rel=1e-5)
    likelihood = mmv.negative_log_likelihood(A, Y * root, 5e-18, physical.score)
    assert physical.objective == pytest.approx(likelihood, rel=1e-5)
    known = (X != 0).any(axis=-1)
    estimate = mmv.mmse_estimate(A, Y * root, 5e-18, known, channel_var=5e-17)
    assert relative_error(estimate / root, mmv.mmse_estimate(A, Y, 0.1, known)) < 1e-4


def test_gaps_and_penalties_have_units():
    A, Y, X = make_problem(30, 20, 4)
    lam = 0.1 * mmv.lambda_max(A, Y)
    s = 2.0**400
    np.testing.assert_array_equal(mmv.lambda_max(A, s * Y), s * mmv.lambda_max(A, Y))
    np.testing.assert_allclose(mmv.duality_gap(A, s * Y, s * X, s * lam), s * s * mmv.duality_gap(A, Y, X, lam))
    path = mmv.group_lasso_path(A, s * Y, n_lams=3)
    np.testing.assert_array_equal(path.X, s * mmv.group_lasso_path(A, Y, n_lams=3).X)


@every_solver
def test_problems_of_a_batch_have_units_of_their_own(name):
    A, Y, _ = make_problem(20, 12, 3, T=3, dtype=np.complex64)
    Y *= np.ldexp(np.float32(1), [-18, 0, 22])[:, None, None]
    options = {key: value for key, value in CASES[name][0].items() if key != "lam"}
    together = getattr(mmv, name)(A, Y, **options)
    for t in range(3):
        alone = getattr(mmv, name)(A, Y[t], **options)
        np.testing.assert_array_equal(alone.score, together.score[t])
        np.testing.assert_array_equal(alone.objective, together.objective[t])


def test_problems_of_a_batch_have_a_precision_of_their_own():
    A, Y, _ = make_problem(60, 30, 4, T=2, dtype=np.complex64)
    levels = np.array([0.1, 1e-6])
    together = mmv.ml_cd(A, Y, levels)
    for t in range(2):
        np.testing.assert_array_equal(mmv.ml_cd(A, Y[t], levels[t]).score, together.score[t])


@pytest.mark.parametrize(
    ("name", "of_A", "of_Y", "options", "words"),
    [
        ("group_lasso_bcd", 1, 1e160, {}, "A and Y must be in units.*float64"),
        ("covariance_lasso", 1, 1e100, {}, "A and Y must be in units.*objective"),
        ("group_lasso_bcd", 1, 1, {"lam": 1e-320}, "lam must not leave the exponents"),
        ("ml_cd", 1, 1e100, {"noise_var": 1e-200}, "noise_var must not be so small beside Y"),
        ("ml_cd", 1, 1e100, {"noise_var": 0.1}, "noise_var must not be so small beside Y"),
        ("gibbs", 1e200, 1, {"noise_var": 1e-200}, "noise_var must not be so small beside"),
        ("group_lasso_bcd", 1, 1, {"lam": 1.0, "weights": 1e-320}, "weights must not leave the exponents"),
        ("group_lasso_bcd", 1, 1, {"lam": 0.0, "weights": 1e-200}, "A and Y must be in units|weights must keep"),
        ("amp_mmse", 1, 1e-150, {"activity_prob": 0.1, "channel_var": 1e300}, "channel_var|units"),
    ],
)
def test_what_the_precision_cannot_hold_is_refused(name, of_A, of_Y, options, words):
    A, Y, _ = make_problem(10, 6, 2)
    with pytest.raises(ValueError, match=words):
        getattr(mmv, name)(of_A * A, of_Y * Y, **{**CASES[name][0], **options})


@pytest.mark.parametrize("name", [name for name in CASES if name != "gibbs"])
def test_a_pilot_that_vanishes_beside_the_others_is_refused(name):
    A, Y, _ = make_problem(10, 6, 2)
    A[:, 3] *= 1e-150
    with pytest.raises(ValueError, match=r"A must have columns.*from .*e-15"):
        getattr(mmv, name)(A, Y, **CASES[name][0])


@pytest.mark.parametrize("noise_var", [1e-12, 1e-16, 1e-20])
@pytest.mark.parametrize("seed", range(3))
def test_likelihoods_without_noise_claim_no_more_than_is_true(noise_var, seed):
    A, _, X = make_problem(40, 12, 4, seed=seed)
    found = mmv.ml_cd(A, A @ X, noise_var)
    for t in np.flatnonzero(np.isfinite(found.objective)):
        wanted = mmv.negative_log_likelihood(A, (A @ X)[t], noise_var, found.score[t])
        assert found.objective[t] == pytest.approx(wanted, rel=1e-3)
    better = mmv.ml_cd(A, A @ X, 1e-8, tol=1e-2)
    attained = mmv.negative_log_likelihood(A, A @ X, noise_var, better.score)
    assert not (found.converged & (found.objective > attained + 1.0)).any()


@pytest.mark.parametrize("name", ["group_lasso_bcd", "group_lasso_admm"])
@pytest.mark.parametrize("shape", [(8, 20, 4), (30, 10, 4), (10, 10, 2)])
def test_without_a_penalty_least_squares_is_recognised(name, shape):
    A, Y, _ = make_problem(*shape)
    found = getattr(mmv, name)(A, Y, 0.0, max_iter=50_000)
    least = 0.5 * np.linalg.norm(Y - A @ np.linalg.pinv(A) @ Y, axis=(1, 2)) ** 2
    assert found.converged.all()
    np.testing.assert_allclose(found.objective - least, 0, atol=1.1e-5 * 0.5 * np.linalg.norm(Y) ** 2)
    gap = mmv.duality_gap(A, Y, found.X, 0.0)
    np.testing.assert_allclose(gap, found.objective - least, atol=1e-9)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_variance_near_the_largest_number_is_held_beside_strong_pilots():
    A, Y, _ = make_problem(30, 12, 3)
    here = mmv.amp_mmse(A * 2.0**7, Y * 2.0**319, 0.1, channel_var=2.0**1023)
    ordinary = mmv.amp_mmse(A, Y, 0.1, channel_var=2.0 ** (1023 - 2 * (319 - 7)))
    np.testing.assert_array_equal(here.X, np.ldexp(1.0, 319 - 7) * ordinary.X)
