import sys

import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning")
SOLVERS = {
    "ml_cd": {},
    "map_cd": {"activity_prob": 0.1},
    "covariance_lasso": {},
    "ml_mmse": {"threshold": 0.3},
}
every_estimator = pytest.mark.parametrize("name", SOLVERS)


def run(name, A, Y, **changes):
    return mmv.SOLVERS[name].run(A, Y, noise_var="estimate", **{**SOLVERS[name], **changes})


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(20, 12, 3), (12, 16, 4)])
def test_moves_the_noise_as_one_more_coordinate(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found, mapped = run("ml_cd", A, Y, max_iter=3, tol=0), run("map_cd", A, Y, activity_prob=0.2, max_iter=3, tol=0)
    for t in range(len(Y)):
        for answer, prob in ((found, 0.5), (mapped, 0.2)):
            value, noise_var = oracles.map_cd_in_noise(A.astype(complex), Y[t].astype(complex), 3, prob)
            assert relative_error(answer.score[t], value) < max(TOLERANCE[dtype], 1e-6)
            assert answer.noise_var[t] == pytest.approx(noise_var, rel=max(TOLERANCE[dtype], 1e-6))
    assert found.noise_var.dtype == found.score.dtype == np.dtype(dtype).type(0).real.dtype
    assert (found.n_iter == 3).all()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(20, 12, 3), (12, 16, 4)])
def test_the_noise_is_a_coordinate_of_the_covariance_lasso_too(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, dtype=dtype)
    found = run("covariance_lasso", A, Y, lam=2.0, max_iter=5, tol=0)
    for t in range(len(Y)):
        r, noise_var = oracles.covariance_lasso_in_noise(A.astype(complex), Y[t].astype(complex), 2.0, 5)
        assert relative_error(found.score[t], r) < TOLERANCE[dtype]
        assert found.noise_var[t] == pytest.approx(noise_var, rel=TOLERANCE[dtype], abs=1e-6)
        objective = oracles.covariance_lasso_objective(A, Y[t], r, 2.0, noise_var)
        assert found.objective[t] == pytest.approx(objective, rel=max(TOLERANCE[dtype], 1e-6))


@pytest.mark.parametrize("gram_limit", [4096, 0])
def test_the_gap_certifies_the_covariance_lasso(gram_limit, monkeypatch):
    monkeypatch.setattr(sys.modules["mmvsolvers.covariance_lasso"], "GRAM_LIMIT", gram_limit)
    A, Y, _ = make_problem(40, 12, 4, T=6, p=0.1)
    exact = run("covariance_lasso", A, Y, lam=5.0, tol=1e-12, max_iter=100_000)
    assert exact.converged.all()
    rough = run("covariance_lasso", A, Y, lam=5.0, tol=1e-2)
    assert (rough.objective - exact.objective <= rough.optimality * rough.objective * (1 + 1e-9)).all()
    assert (rough.objective >= exact.objective * (1 - 1e-9)).all()
    for t in range(6):
        # no smaller objective around σ², and none at any r that the known noise allows
        for other in (0.9 * exact.noise_var[t], 1.1 * exact.noise_var[t] + 1e-3):
            there = mmv.covariance_lasso(A, Y[t], 5.0, noise_var=other, tol=1e-10, max_iter=100_000)
            assert there.objective >= exact.objective[t] * (1 - 1e-9)


@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_the_gap_is_that_of_a_dual_point(sweeps):
    A, Y, _ = make_problem(40, 12, 4, T=4, p=0.1)
    lam, squares = 5.0, np.linalg.norm(A, axis=0) ** 2
    found = run("covariance_lasso", A, Y, lam=lam, max_iter=sweeps, tol=0)
    for t in range(4):
        S, _, _ = oracles.covariance_lasso_parts(A, Y[t], 0.0)
        E = S - (A * found.score[t]) @ A.conj().T - found.noise_var[t] * np.eye(12)
        slopes = np.einsum("ln,lk,kn->n", A.conj(), E, A).real
        theta = E - max(0.0, np.trace(E).real / 12, ((slopes - lam) / squares).max()) * np.eye(12)
        assert np.trace(theta).real < 1e-9
        dual = np.vdot(theta, S).real - 0.5 * np.linalg.norm(theta) ** 2
        assert found.optimality[t] * found.objective[t] == pytest.approx(found.objective[t] - dual, rel=1e-8)


def test_r_is_zero_from_the_largest_lam_on():
    A, Y, _ = make_problem(30, 12, 4, T=3)
    silent = np.array([np.linalg.norm(y) ** 2 / y.size for y in Y])
    largest = [oracles.covariance_lasso_parts(A, y, s)[2].max() for y, s in zip(Y, silent, strict=True)]
    above = run("covariance_lasso", A, Y, lam=1.001 * np.array(largest))
    assert not above.score.any()
    np.testing.assert_allclose(above.noise_var, silent)
    assert run("covariance_lasso", A, Y, lam=0.99 * np.array(largest)).score.any(axis=1).all()


@pytest.mark.parametrize("name", ["ml_cd", "map_cd"])
def test_ends_where_neither_devices_nor_noise_would_move(name):
    A, Y, _ = make_problem(40, 30, 8, T=3, p=0.1)
    found = run(name, A, Y, tol=1e-6)
    assert found.converged.all()
    known = mmv.SOLVERS[name].run(A, Y, 0.1, *SOLVERS[name].values(), tol=1e-6)
    assert (found.objective < known.objective).all()
    for t in range(3):
        assert found.noise_var[t] == pytest.approx(oracles.likeliest_noise(A, Y[t], found.score[t]), rel=1e-5)
        f = oracles.negative_log_likelihood(A, Y[t], found.noise_var[t], found.score[t])
        if name == "map_cd":
            f = oracles.map_objective(A, Y[t], found.noise_var[t], 0.1, found.score[t])
        assert found.objective[t] == pytest.approx(f, rel=1e-9)


def test_ml_mmse_finds_the_noise_given_who_is_active():
    A, Y, X = make_problem(40, 30, 8, T=20, p=0.1)
    found = run("ml_mmse", A, Y)
    for t in range(3):
        active = found.score[t] > 0.3
        assert found.noise_var[t] == pytest.approx(oracles.likeliest_noise(A, Y[t], 1.0 * active), rel=1e-6)
        X_t = oracles.mmse_given_support(A, Y[t], found.noise_var[t], active)
        assert relative_error(found.X[t], X_t) < 1e-9
    assert np.mean(found.noise_var) == pytest.approx(0.1, rel=0.1)
    assert mmv.mse(found.X, X).mean < 1.05 * mmv.mse(mmv.ml_mmse(A, Y, 0.1, threshold=0.3).X, X).mean


@every_estimator
def test_batches_scales_and_fields(name):
    A, Y, _ = make_problem(33, 20, 3, T=4, p=0.1)
    together = run(name, A, Y)
    for t in range(4):
        alone = run(name, A, Y[t])
        np.testing.assert_array_equal(alone.score, together.score[t])
        assert alone.noise_var == together.noise_var[t]
        assert alone.noise_var.shape == ()
    for exponent in (-300, -20, 20, 300):
        s = 2.0**exponent
        changes = {"channel_var": s**2} if name == "map_cd" else {}
        changes |= {"channel_var": s**2, "threshold": 0.3 * s**2} if name == "ml_mmse" else {}
        if name == "covariance_lasso" and abs(exponent) > 200:
            continue
        scaled = run(name, A, s * Y, **changes)
        np.testing.assert_allclose(scaled.noise_var / s**2, together.noise_var, rtol=1e-6)
    A, Y, _ = make_problem(33, 20, 3, T=4, p=0.1, dtype=np.float64)
    np.testing.assert_allclose(run(name, A, Y).noise_var, run(name, A + 0j, Y + 0j).noise_var, rtol=1e-6)


@every_estimator
def test_the_noise_is_told_where_it_was_estimated_alone(name):
    A, Y, _ = make_problem(12, 8, 3)
    assert mmv.SOLVERS[name].run(A, Y, noise_var=0.1, **SOLVERS[name]).noise_var is None
    assert run(name, A, Y).noise_var.shape == (2,)


def test_goes_on_from_where_it_is_told():
    A, Y, _ = make_problem(33, 20, 3, T=3, p=0.1)
    there = run("ml_cd", A, Y, tol=1e-6)
    again = run("ml_cd", A, Y, gamma0=there.score, tol=1e-5)
    assert (again.n_iter == 1).all()
    np.testing.assert_allclose(again.noise_var, there.noise_var, rtol=1e-3)


@pytest.mark.parametrize("name", ["ml_cd", "map_cd"])
def test_detects_as_well_as_with_the_noise_known(name):
    A, Y, X = make_problem(100, 20, 4, T=200, p=0.1)
    active = X.any(axis=-1)

    def errors(score):
        return mmv.error_rate(score > mmv.best_threshold(score, active), active).mean

    assert errors(run(name, A, Y).score) < 1.3 * errors(mmv.SOLVERS[name].run(A, Y, 0.1, *SOLVERS[name].values()).score)


def test_refuses_what_cannot_be_estimated():
    A, Y, _ = make_problem(12, 8, 3)
    with pytest.raises(TypeError, match="noise_var must be real; got 'guess'"):
        mmv.ml_cd(A, Y, "guess")
    with pytest.raises(ValueError, match="noise_var cannot be estimated where Y is zero, as in problem 1"):
        mmv.ml_cd(A, Y * np.array([1, 0])[:, None, None], "estimate")
    with pytest.raises(ValueError, match="noise_var must be known where groups or couplings are"):
        mmv.map_cd(A, Y, "estimate", 0.1, groups=np.arange(12) // 2)
    with pytest.raises(ValueError, match="gamma0 must be powers where noise_var is \"estimate\"; got 'dense'"):
        mmv.ml_cd(A, Y, "estimate", gamma0="dense")
    with pytest.raises(TypeError, match="noise_var must be real; got 'estimate'"):
        mmv.m_sbl(A, Y, "estimate")
    silent = mmv.covariance_lasso(A, 0 * Y, noise_var="estimate")
    assert not silent.noise_var.any()
    assert not silent.score.any()
