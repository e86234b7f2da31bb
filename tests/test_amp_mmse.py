import warnings

import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

quiet = pytest.mark.filterwarnings("ignore::mmvsolvers.DivergenceWarning")


@quiet
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("N", "L", "M"), [(33, 12, 3), (70, 30, 4), (5, 8, 2), (1, 4, 3), (12, 10, 1), (400, 100, 8)])
def test_makes_the_textbook_iterations(N, L, M, dtype):
    A, Y, _ = make_problem(N, L, M, p=0.1, dtype=dtype)
    found = mmv.amp_mmse(A, Y, 0.1, damping=1.0, max_iter=8, tol=0)
    assert not found.diverged.all()
    for t in np.flatnonzero(~found.diverged):
        X, tau2 = oracles.amp_mmse(A.astype(complex), Y[t].astype(complex), 0.1, 8)
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
        assert found.objective[t] == pytest.approx(L * tau2[-1], rel=10 * TOLERANCE[dtype])
    assert found.X.dtype == dtype


@quiet
@pytest.mark.parametrize("onsager", ["matrix", "printed"])
@pytest.mark.parametrize("column_scaling", ["own", "sqrt_length"])
@pytest.mark.parametrize("damping", [1.0, 0.6])
def test_has_the_variants_of_the_paper(onsager, column_scaling, damping):
    A, Y, _ = make_problem(40, 20, 4, T=4, p=0.1)
    eps, gains = np.linspace(0.02, 0.3, 40), np.linspace(0.5, 2.0, 40)
    options = {"channel_var": gains, "damping": damping, "onsager": onsager, "column_scaling": column_scaling}
    found = mmv.amp_mmse(A, Y, eps, max_iter=12, tol=0, **options)
    assert not found.diverged.all()
    for t in np.flatnonzero(~found.diverged):
        X, _ = oracles.amp_mmse(A, Y[t], eps, 12, **options)
        assert relative_error(found.X[t], X) < 1e-8


def test_follows_state_evolution():
    N, L, M = 4000, 600, 8
    rng = np.random.default_rng(5)
    scene = {"N": N, "L": L, "M": M, "noise_var": 0.1}
    data = mmv.generate(rng, **scene, T=3, activity=mmv.IndependentActivity(0.1), pilots="unit_norm")
    predicted = mmv.state_evolution(**scene, activity_prob=0.1, n_iter=4)
    for k in range(4):
        found = mmv.amp_mmse(data.A, data.Y, 0.1, damping=1.0, max_iter=k + 1, tol=0)
        assert float(mmv.mse(found.X, data.X)) == pytest.approx(predicted.mse[k], rel=0.06)


@quiet
def test_the_matrix_onsager_term_is_the_right_one():
    data = mmv.generate(
        np.random.default_rng(0), N=1000, L=110, M=16, T=3, noise_var=0.1, activity=mmv.IndependentActivity(0.1)
    )
    errors = {
        onsager: float(mmv.mse(mmv.amp_mmse(data.A, data.Y, 0.1, onsager=onsager, max_iter=50, tol=0).X, data.X))
        for onsager in ("matrix", "printed")
    }
    assert errors["matrix"] < 0.2 * errors["printed"]


@quiet
@pytest.mark.parametrize(("N", "L", "M", "draws", "T"), [(100, 16, 4, 6, 60), (1000, 110, 16, 1, 8)])
def test_adaptive_damping_is_as_good_as_the_best_fixed_one(N, L, M, draws, T):
    rng = np.random.default_rng(1)
    activity = mmv.IndependentActivity(0.1, ratio=3)
    errors: dict[object, list[np.ndarray]] = {damping: [] for damping in (1.0, 0.7, 0.5, "adaptive")}
    for _ in range(draws):
        data = mmv.generate(rng, N=N, L=L, M=M, T=T, noise_var=0.1, activity=activity)
        for damping, found in errors.items():
            X = mmv.amp_mmse(data.A, data.Y, 0.1, damping=damping, max_iter=50, tol=0).X
            found.append(np.sum(np.abs(X - data.X) ** 2, axis=(1, 2)) / N)
    samples = {damping: np.concatenate(found) for damping, found in errors.items()}
    best = min((1.0, 0.7, 0.5), key=lambda damping: samples[damping].mean())
    # paired, and so much sharper than the spread of the samples
    difference = mmv.Estimate.of(samples["adaptive"] - samples[best])
    assert difference.low < 0.02 * samples[best].mean()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("damping", ["adaptive", 1.0, 0.3])
def test_says_that_it_diverged_and_stays_finite(seed, damping):
    A, Y, _ = make_problem(100, 8, 4, T=20, p=0.3, seed=seed)
    with pytest.warns(mmv.DivergenceWarning, match=r"amp_mmse: \d+ of 20 problems diverged"):
        found = mmv.amp_mmse(A, Y, 0.3, damping=damping, max_iter=50, tol=0)
    assert found.diverged.any()
    assert not found.converged[found.diverged].any()
    for figure in (found.X, found.score, found.objective, found.optimality):
        assert np.isfinite(figure).all()


def test_single_precision_makes_no_subnormal_numbers():
    """A processor takes many times as long for them; devices that are certainly silent are exactly so."""
    A, Y, _ = make_problem(100, 40, 8, p=0.1, dtype=np.complex64)
    parts = np.abs(mmv.amp_mmse(A, Y, 0.1).X.view(np.float32))
    assert np.mean(parts == 0) > 0.5
    assert parts[parts > 0].min() > 1e-15


def test_log_domain_survives_many_antennas():
    A, Y, X = make_problem(60, 40, 400, T=1, p=0.1)
    with np.errstate(all="raise"):
        found = mmv.amp_mmse(A, Y, 1e-6)
    assert found.converged.all()
    np.testing.assert_array_equal(found.score[0] > 0.1, X[0].any(axis=1))


@quiet
def test_knowing_a_single_active_group_comes_close_to_the_optimum():
    activity = mmv.SingleActiveGroup(0.1)
    data = mmv.generate(np.random.default_rng(1), N=100, L=16, M=4, T=300, activity=activity, noise_var=0.1)
    optimum = float(mmv.mse(mmv.bayes(activity, data).X, data.X))
    told = mmv.amp_mmse(data.A, data.Y, 0.1, groups=activity.groups(100), damping=1.0, max_iter=30, tol=0)
    plain = mmv.amp_mmse(data.A, data.Y, 0.1, max_iter=30, tol=0)
    assert float(mmv.mse(told.X, data.X)) < 1.1 * optimum
    assert float(mmv.mse(plain.X, data.X)) > 3 * optimum
    assert not told.diverged.any()


def test_the_defaults_come_close_to_the_optimum_at_short_pilots_too():
    activity = mmv.SingleActiveGroup(0.1)
    for L, most in ((8, 1.25), (12, 1.1)):
        data = mmv.generate(np.random.default_rng(0), N=100, L=L, M=4, T=400, noise_var=0.1, activity=activity)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mmv.ConvergenceWarning)
            told = mmv.amp_mmse(data.A, data.Y, 0.1, groups=data.groups)
        assert float(mmv.mse(told.X, data.X)) < most * float(mmv.mse(mmv.bayes(activity, data).X, data.X))
        assert not told.diverged.any()


def test_what_circles_is_averaged_over_the_second_half():
    activity = mmv.IndependentActivity(0.1)
    data = mmv.generate(np.random.default_rng(0), N=100, L=10, M=4, T=100, noise_var=0.1, activity=activity)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mmv.amp_mmse(data.A, data.Y, 0.1, damping=1.0, max_iter=20)
        course = [mmv.amp_mmse(data.A, data.Y, 0.1, damping=1.0, max_iter=k, tol=0) for k in range(11, 21)]
    kept = ~np.any([one.diverged for one in course], axis=0) & ~found.converged
    assert kept.sum() > 10
    average = np.mean([one.X for one in course], axis=0)
    np.testing.assert_allclose(found.X[kept], average[kept], atol=1e-9)
    np.testing.assert_allclose(found.objective[kept], np.mean([one.objective for one in course], axis=0)[kept])
    assert mmv.mse(average[kept], data.X[kept]).mean < mmv.mse(course[-1].X[kept], data.X[kept]).mean


def test_every_device_its_own_group_is_no_group(problem):
    A, Y, _ = problem
    plain, alone = mmv.amp_mmse(A, Y, 0.1), mmv.amp_mmse(A, Y, 0.1, groups=np.arange(A.shape[1])[::-1] * 7)
    np.testing.assert_allclose(alone.X, plain.X, atol=1e-12)


def test_follows_state_evolution_with_groups():
    N, L, M = 2000, 300, 2
    labels = np.arange(N) // 4
    activity = mmv.GroupActivity(0.1, N // 4)
    scene = {"N": N, "L": L, "M": M, "noise_var": 2.0}
    data = mmv.generate(np.random.default_rng(5), **scene, T=6, activity=activity, pilots="unit_norm")
    predicted = mmv.state_evolution(**scene, activity_prob=0.1, groups=labels, n_iter=4).mse
    plain = mmv.state_evolution(**scene, activity_prob=0.1, n_iter=4).mse
    for k in range(4):
        found = mmv.amp_mmse(data.A, data.Y, 0.1, groups=labels, damping=1.0, max_iter=k + 1, tol=0)
        assert float(mmv.mse(found.X, data.X)) == pytest.approx(predicted[k], rel=0.08)
    assert predicted[-1] < 0.8 * plain[-1]
