import numpy as np
import oracles
import pytest
from conftest import TOLERANCE, make_problem, relative_error

import mmvsolvers as mmv

pytestmark = pytest.mark.filterwarnings("ignore::mmvsolvers.ConvergenceWarning", "ignore::mmvsolvers.DivergenceWarning")
TRUTH = {"noise_var": 0.1, "activity_prob": 0.1, "channel_var": 1.0}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("known", [(), ("noise_var",), ("activity_prob", "channel_var"), tuple(TRUTH)], ids=str)
def test_makes_the_textbook_iterations(known, dtype):
    A, Y, _ = make_problem(30, 15, 4, p=0.1, dtype=dtype)
    told = {name: TRUTH[name] for name in known}
    found = mmv.em_ep(A, Y, max_iter=12, tol=0, **told)
    for t in range(len(Y)):
        X, active, sigma2, _, _ = oracles.em_ep(A.astype(complex), Y[t].astype(complex), 12, **told)
        assert relative_error(found.X[t], X) < TOLERANCE[dtype]
        assert relative_error(found.score[t], active) < TOLERANCE[dtype]
        if "noise_var" not in known:
            assert found.noise_var[t] == pytest.approx(sigma2, rel=TOLERANCE[dtype])
    assert found.X.dtype == dtype
    assert found.score.dtype == found.objective.dtype == np.dtype(dtype).type(0).real.dtype
    assert (found.n_iter == 12).all()


@pytest.mark.parametrize("noise_var", [1e-3, 0.1, 10.0])
def test_is_exact_where_devices_do_not_disturb_each_other(noise_var):
    rng = np.random.default_rng(0)
    A = np.diag([0.5, 1.0, 3.0, 7.0]).astype(complex)
    Y = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    prob, gain = np.array([0.1, 0.2, 0.5, 0.9]), np.array([1.0, 4.0, 0.5, 1.0])
    found = mmv.em_ep(A, Y, noise_var=noise_var, activity_prob=prob, channel_var=gain)
    rows = zip(np.linalg.solve(A, Y), noise_var / np.diag(A).real ** 2, prob, gain, strict=True)
    exact = [oracles.bernoulli_gaussian(*row) for row in rows]
    np.testing.assert_allclose(found.score, [one[0] for one in exact], rtol=1e-9)
    np.testing.assert_allclose(found.X, [one[1] for one in exact], rtol=1e-9, atol=1e-12)
    assert found.objective == pytest.approx(3 * sum(one[2] for one in exact) / 4, rel=1e-9)
    assert found.converged
    assert found.noise_var is None


def test_learns_noise_activity_and_power():
    A, Y, X = make_problem(60, 30, 8, T=40, p=0.1, noise_var=0.2)
    found = mmv.em_ep(A, 2 * Y)
    assert found.converged.mean() > 0.9
    assert found.noise_var.mean() == pytest.approx(0.8, rel=0.05)
    active = X.any(axis=-1)
    assert found.score.mean() == pytest.approx(active.mean(), rel=0.02)
    assert ((found.score > 0.5) != active).mean() < 1e-3
    error = mmv.mse(found.X, 2 * X).mean
    assert found.objective.mean() == pytest.approx(error, rel=0.1)
    told = mmv.em_ep(A, 2 * Y, noise_var=0.8, activity_prob=0.1, channel_var=4.0)
    assert error < 1.1 * mmv.mse(told.X, 2 * X).mean


def test_holds_at_pilots_that_are_too_short_for_amp():
    errors, settled = [], []
    for draw in range(3):
        rng = np.random.default_rng((0, 8, draw))
        scene = {"N": 100, "L": 8, "M": 4, "T": 60, "noise_var": 0.1, "activity": mmv.IndependentActivity(0.1)}
        data = mmv.generate(rng, **scene)
        answers = mmv.em_ep(data.A, data.Y), mmv.em_ep(data.A, data.Y, **TRUTH), mmv.amp_mmse(data.A, data.Y, 0.1)
        errors.append([mmv.mse(found.X, data.X).mean for found in answers])
        settled.append([found.converged.mean() for found in answers])
    learned, told, amp = np.mean(errors, axis=0)
    assert told < learned < 0.95 * amp
    assert (np.mean(settled, axis=0)[:2] > 0.7).all()


def test_noise_may_differ_between_problems():
    A, Y, _ = make_problem(30, 15, 4, T=3, p=0.1)
    levels = np.array([0.05, 0.1, 0.5])
    together = mmv.em_ep(A, Y, noise_var=levels, max_iter=20, tol=0)
    for t in range(3):
        alone = mmv.em_ep(A, Y[t], noise_var=levels[t], max_iter=20, tol=0)
        np.testing.assert_array_equal(alone.X, together.X[t])


@pytest.mark.parametrize("L", [5, 20])
def test_no_noise_is_no_trouble(L):
    A, Y, X = make_problem(12, L, 4, T=4, p=0.1, noise_var=0.0)
    found = mmv.em_ep(A, Y)
    assert np.isfinite(found.X).all()
    if L == 20:
        assert relative_error(found.X, X) < 1e-3
        assert (found.noise_var < 1e-4).all()


def test_says_when_it_did_not_converge():
    A, Y, _ = make_problem(40, 20, 6, T=3)
    with pytest.warns(mmv.ConvergenceWarning, match="em_ep: 3 of 3 problems"):
        assert not mmv.em_ep(A, Y, max_iter=1).converged.any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise_var": 0.0}, "noise_var must be finite and positive; got 0"),
        ({"activity_prob": 1.0}, "activity_prob must be strictly between 0 and 1; got 1"),
        ({"channel_var": -1.0}, "channel_var must be finite and positive; got -1"),
    ],
)
def test_names_what_is_wrong(options, words):
    A, Y, _ = make_problem(12, 8, 3)
    with pytest.raises(ValueError, match=words):
        mmv.em_ep(A, Y, **options)
