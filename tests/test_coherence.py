"""The coherences are those of their definitions, of known matrices, and have the known invariances."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvsolvers import coherence as coherence_function
from mmvsolvers.coherence import block_coherence, coherence, spread_apart, sub_coherence
from mmvsolvers.pilots import draw_pilots

seeds = st.integers(0, 2**32 - 1)


def pilots(seed, L=5, N=12):
    return draw_pilots(np.random.default_rng(seed), L, N)


def oracle(A, n_groups):
    """Write the three definitions as loops."""
    N = A.shape[1]
    d = N // n_groups
    D = np.array([A[:, n] / np.sqrt(np.vdot(A[:, n], A[:, n]).real) for n in range(N)]).T
    pairs = [(m, n) for m in range(N) for n in range(N) if m != n]
    inner = {pair: abs(np.vdot(D[:, pair[0]], D[:, pair[1]])) for pair in pairs}
    blocks = [D[:, g * d : (g + 1) * d] for g in range(n_groups)]
    spectral = [
        np.sqrt(np.linalg.eigvalsh((P.conj().T @ Q).conj().T @ (P.conj().T @ Q)).max())
        for i, P in enumerate(blocks)
        for j, Q in enumerate(blocks)
        if i != j
    ]
    within = [value for (m, n), value in inner.items() if m // d == n // d]
    return max(inner.values()), max(spectral, default=0.0) / d, max(within, default=0.0)


@given(seeds, st.sampled_from([1, 2, 3, 6, 12]), st.integers(1, 14))
def test_all_three_agree_with_their_definitions(seed, n_groups, L):
    A = pilots(seed, L)
    computed = coherence(A), block_coherence(A, n_groups), sub_coherence(A, n_groups)
    np.testing.assert_allclose(computed, oracle(A, n_groups), rtol=1e-9, atol=1e-12)


def test_tiles_cover_every_pair(monkeypatch):
    A = pilots(0, L=6, N=40)
    whole = coherence(A)
    for entries in (1, 120, 130, 1599):
        # By name: the package's attribute of that name is the function.
        monkeypatch.setattr(importlib.import_module("mmvsolvers.coherence"), "_TILE_ENTRIES", entries)
        assert coherence(A) == pytest.approx(whole, rel=1e-14)


@given(seeds)
def test_scaling_and_rotating_columns_changes_nothing(seed):
    A = pilots(seed)
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-200, 200, 12) * np.exp(2j * np.pi * rng.random(12))
    unitary = np.linalg.qr(pilots(seed + 1, 5, 5))[0]
    for measure in (coherence, lambda A: block_coherence(A, 4), lambda A: sub_coherence(A, 4)):
        assert measure(unitary @ A * scale) == pytest.approx(measure(A), rel=1e-9)


@given(seeds)
def test_order_of_the_groups_and_within_them_changes_nothing(seed):
    A = pilots(seed)
    rng = np.random.default_rng(seed)
    order = np.arange(12).reshape(4, 3)[rng.permutation(4)][:, rng.permutation(3)].ravel()
    assert block_coherence(A[:, order], 4) == pytest.approx(block_coherence(A, 4), rel=1e-12)
    assert sub_coherence(A[:, order], 4) == pytest.approx(sub_coherence(A, 4), rel=1e-12)


@given(seeds, st.integers(2, 12))
def test_coherence_is_above_the_welch_bound(seed, N):
    A = pilots(seed, L=5, N=N)
    assert np.sqrt(max(N - 5, 0) / (5 * (N - 1))) - 1e-12 <= coherence(A) <= 1


@given(seeds)
def test_neither_part_exceeds_the_coherence(seed):
    A = pilots(seed)
    assert block_coherence(A, 4) <= coherence(A) + 1e-12
    assert sub_coherence(A, 4) <= coherence(A) + 1e-12


def test_identity_and_fourier_bases_meet_at_one_over_root_L():
    A = np.hstack([np.eye(16), np.fft.fft(np.eye(16))])
    assert coherence(A) == pytest.approx(1 / 4, rel=1e-12)
    # Each basis is one orthonormal block of 16 columns, and their product is a unitary.
    assert block_coherence(A, 2) == pytest.approx(1 / 16, rel=1e-12)
    assert sub_coherence(A, 2) == pytest.approx(0, abs=1e-14)


def test_parallel_columns_have_coherence_one_and_not_above():
    a = pilots(0, L=7, N=1)
    assert coherence(np.hstack([a, 1j * a, -3 * a])) == pytest.approx(1, rel=1e-14)
    assert coherence(np.hstack([a, 1j * a, -3 * a])) <= 1


def test_without_a_pair_they_are_zero():
    A = pilots(0, N=6)
    assert coherence(A[:, :1]) == 0
    assert block_coherence(A, 1) == 0
    assert sub_coherence(A, 6) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_every_precision_is_taken_and_left_as_it_was(dtype):
    A = np.asfortranarray(pilots(0).real.astype(dtype))
    A.setflags(write=False)
    assert coherence(A) == pytest.approx(coherence(A.astype(np.complex128)), rel=1e-12)


def test_the_package_exports_the_function():
    assert coherence_function is coherence


@pytest.mark.parametrize(("L", "N"), [(4, 4), (6, 3), (1, 1), (5, 1)], ids=str)
def test_columns_that_fit_become_orthogonal(L, N):
    A = spread_apart(pilots(0, L=L, N=N))
    np.testing.assert_allclose(np.linalg.norm(A, axis=0), np.sqrt(L), rtol=1e-12)
    assert coherence(A) < 0.01


def test_spread_columns_come_near_the_welch_bound():
    L, N = 8, 40
    welch = np.sqrt((N - L) / (L * (N - 1)))
    assert welch <= coherence(spread_apart(pilots(0, L=L, N=N))) < 1.25 * welch


def test_on_a_line_there_is_no_way_apart():
    np.testing.assert_allclose(np.abs(spread_apart(pilots(0, L=1, N=5))), 1.0, rtol=1e-12)


BAD = [
    (lambda: coherence(np.ones(3)), ValueError, r"A must have shape \(L, N\)"),
    (lambda: coherence(np.zeros((2, 3))), ValueError, "A must have no zero column"),
    (lambda: coherence(np.ones((2, 3), int)), TypeError, "A must have one of the dtypes"),
    (lambda: block_coherence(np.ones((2, 6)), 4), ValueError, "N must be a multiple .* 4; got 6"),
    (lambda: sub_coherence(np.ones((2, 6)), 0), ValueError, "n_groups must be at least 1; got 0"),
    (lambda: sub_coherence(np.ones((2, 6)), 2.0), TypeError, "n_groups must be an integer; got 2.0"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
