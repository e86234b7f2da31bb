"""Bad arguments raise errors that name them."""

import functional_cases as cases
import numpy as np
import pytest
import torch

from mmvsolvers_nn import functional

GENERATOR = torch.Generator().manual_seed(0)
A = torch.randn(4, 6, dtype=torch.complex64, generator=GENERATOR)
Y = torch.randn(2, 4, 3, dtype=torch.complex64, generator=GENERATOR)
ZERO_COLUMN = A * (torch.arange(6) != 2)

BAD_PROBLEMS = {
    "array": (A.numpy(), Y, TypeError, "A must be a torch.Tensor; got ndarray"),
    "real": (A.real, Y, TypeError, "A must be complex64 or complex128; got torch.float32"),
    "precisions": (A, Y.to(torch.complex128), TypeError, "Y must have the dtype of A"),
    "devices": (A, Y.to("meta"), ValueError, "Y must be on the device of A, cpu; got meta"),
    "batched_pilots": (A[None], Y, ValueError, r"A must have shape \(L, N\)"),
    "no_device": (A[:, :0], Y, ValueError, r"A must have shape \(L, N\) with L, N >= 1; got \(4, 0\)"),
    "length": (A, Y[:, :3], ValueError, r"Y must have shape \(..., 4, M\)"),
    "vector": (A, Y[0, :, 0], ValueError, r"Y must have shape \(..., 4, M\)"),
    "no_antenna": (A, Y[..., :0], ValueError, r"Y must have shape \(..., 4, M\).*no empty axis"),
    "nan": (A, Y * torch.nan, ValueError, "Y must be finite; got 24 NaN or infinite entries"),
    "inf": (A * torch.inf, Y, ValueError, "A must be finite"),
    "zero_column": (ZERO_COLUMN, Y, ValueError, r"A must have no zero column; got zero column\(s\) \[2\]"),
}

BAD_OPTIONS = {
    "lam_negative": ("group_lasso_bcd", {"lam": -1.0}, ValueError, "lam must be finite and non-negative; got -1"),
    "lam_shape": ("group_lasso_bcd", {"lam": torch.ones(6)}, ValueError, r"lam must be a scalar or have shape \(2,\)"),
    "lam_complex": ("covariance_lasso", {"lam": torch.ones(2, dtype=torch.complex64)}, TypeError, "lam must be real"),
    "lam_integer": (
        "group_lasso_admm",
        {"lam": torch.ones(2, dtype=torch.int64), "rho": 1.0},
        TypeError,
        "lam must be",
    ),
    "lam_list": ("group_lasso_bcd", {"lam": [1.0, 2.0]}, TypeError, "lam must be a number or a tensor; got list"),
    "rho": ("group_lasso_admm", {"lam": 1.0, "rho": 0.0}, ValueError, "rho must be finite and positive; got 0"),
    "noise_var": (
        "ml_cd",
        {"noise_var": torch.tensor(0.0)},
        ValueError,
        "noise_var must be finite and positive; got 0",
    ),
    "probability": ("amp_mmse", {"activity_prob": 1.0}, ValueError, "activity_prob must be .* between 0 and 1; got 1"),
    "probability_shape": (
        "map_cd",
        {"noise_var": 1.0, "activity_prob": torch.rand(2)},
        ValueError,
        "activity_prob must",
    ),
    "channel_var": (
        "amp_mmse",
        {"activity_prob": 0.1, "channel_var": torch.zeros(6)},
        ValueError,
        "channel_var must be",
    ),
    "upper": ("map_cd", {"noise_var": 1.0, "activity_prob": 0.1, "upper": -1.0}, ValueError, "upper must be"),
    "damping": (
        "amp_mmse",
        {"activity_prob": 0.1, "damping": 1.5},
        ValueError,
        "damping must be above 0 and at most 1; got 1.5",
    ),
    "damping_rule": ("amp_mmse", {"activity_prob": 0.1, "damping": "auto"}, ValueError, "damping must be .*'adaptive'"),
    "onsager": ("amp_mmse", {"activity_prob": 0.1, "onsager": "scalar"}, ValueError, "onsager must be one of 'matrix'"),
    "scaling": ("amp_mmse", {"activity_prob": 0.1, "column_scaling": "none"}, ValueError, "column_scaling must be one"),
    "threshold": ("ml_mmse", {"noise_var": 1.0, "threshold": -0.1}, ValueError, "threshold must be"),
    "backend": (
        "ml_cd",
        {"noise_var": 1.0, "backend": "cuda"},
        ValueError,
        "backend must be one of 'auto', 'reference'",
    ),
    "start": (
        "ml_cd",
        {"noise_var": 1.0, "start": (torch.zeros(6),)},
        ValueError,
        "start must be the state of an earlier",
    ),
    "upper_infinite": (
        "map_cd",
        {"noise_var": 1.0, "activity_prob": 0.8, "upper": torch.inf},
        ValueError,
        "upper must be finite where activity_prob > 0.5",
    ),
    "upper_infinite_at_one": (
        "map_psca",
        {"noise_var": 1.0, "activity_prob": 0.8, "upper": torch.tensor([1.0, 1.0, 1.0, torch.inf, 1.0, 1.0])},
        ValueError,
        "upper must be finite where activity_prob > 0.5",
    ),
    "probability_in_single_precision": (
        "map_psca",
        {"noise_var": 1.0, "activity_prob": torch.tensor(1.0 - 1e-9, dtype=torch.float64)},
        ValueError,
        "activity_prob must be strictly between 0 and 1, in float32 too; got 0.999999999",
    ),
    "noise_var_in_single_precision": (
        "ml_cd",
        {"noise_var": 1e-50},
        ValueError,
        "noise_var must be finite and positive, in float32 too; got 1",
    ),
    "start_integers": (
        "ml_cd",
        {"noise_var": 1.0, "start": (torch.zeros(2, 6, dtype=torch.int64),)},
        TypeError,
        "start must be torch.float32 where A is torch.complex64; got torch.int64",
    ),
    "start_double": (
        "group_lasso_bcd",
        {"lam": 1.0, "start": (torch.zeros(2, 6, 3, dtype=torch.complex128),)},
        TypeError,
        "start must be torch.complex64",
    ),
    "start_elsewhere": (
        "ml_psca",
        {"noise_var": 1.0, "start": (torch.zeros(2, 6, device="meta"),)},
        ValueError,
        "start must be on the device of A, cpu; got meta",
    ),
    "start_arrays": (
        "ml_cd",
        {"noise_var": 1.0, "start": (np.zeros((2, 6), np.float32),)},
        ValueError,
        "start must be the state of",
    ),
    "start_recovery": (
        "ml_cd",
        {"noise_var": 1.0, "start": functional.ml_cd(A, Y, 1.0, n_iter=1)},
        ValueError,
        "start must be the state of",
    ),
    "start_negative": (
        "covariance_lasso",
        {"lam": 1.0, "start": (torch.full((2, 6), -1.0),)},
        ValueError,
        "start must be finite and non-negative; got -1",
    ),
    "start_values": ("ml_cd", {"noise_var": 1.0, "start": torch.zeros(2, 6)}, ValueError, "start must be the state of"),
}


@pytest.mark.parametrize(("pilots", "received", "error", "message"), BAD_PROBLEMS.values(), ids=BAD_PROBLEMS)
@pytest.mark.parametrize("name", cases.SOLVERS)
def test_bad_problem(name, pilots, received, error, message):
    hyper = cases.hyperparameters(name, A, (2,))
    with pytest.raises(error, match=message):
        cases.run(name, pilots, received, **hyper, n_iter=1)


@pytest.mark.parametrize(("name", "options", "error", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_option(name, options, error, message):
    with pytest.raises(error, match=message):
        cases.run(name, A, Y, **options, n_iter=1)


@pytest.mark.parametrize(("n_iter", "error"), [(-1, ValueError), (2.0, TypeError), (True, TypeError)])
@pytest.mark.parametrize("name", cases.SOLVERS)
def test_bad_count(name, n_iter, error):
    with pytest.raises(error, match="n_iter must be"):
        cases.run(name, A, Y, **cases.hyperparameters(name, A, (2,)), n_iter=n_iter)


def test_missing_backends(monkeypatch):
    with pytest.raises(ValueError, match="backend='triton' needs tensors on a CUDA device; got cpu"):
        functional.ml_cd(A, Y, 0.1, n_iter=1, backend="triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr("mmvsolvers_nn.functional._operator.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="backend='triton' needs the package triton"):
        functional.ml_cd(A, Y, 0.1, n_iter=1, backend="triton")
    with pytest.raises(ValueError, match="backend='numba' needs tensors on the CPU; got meta"):
        functional.ml_cd(A.to("meta"), Y.to("meta"), 0.1, n_iter=1, backend="numba")


def test_probabilities_end_at_one():
    with pytest.raises(ValueError, match=r"probability must be between 0 and 1; got 1\.5"):
        functional.conditional_mean(A, Y, 0.1, torch.full((2, 6), 1.5))


def test_hyperparameters_may_have_any_precision():
    found = functional.ml_cd(A, Y, torch.tensor(0.5, dtype=torch.bfloat16), n_iter=2).score
    assert torch.equal(found, functional.ml_cd(A, Y, 0.5, n_iter=2).score)


@pytest.mark.parametrize("backend", ["numba", "blocked"])
def test_there_is_no_silent_forward_mode(backend):
    def score(scale):
        return functional.ml_cd(A, scale * Y, 0.1, n_iter=2, backend=backend).score

    with pytest.raises(NotImplementedError, match="sweeps have derivatives by reverse mode alone"):
        torch.func.jvp(score, (torch.tensor(1.0),), (torch.tensor(1.0),))


NEEDING_NOISE = {
    "ml_cd": lambda A, Y, s: functional.ml_cd(A, Y, s, n_iter=2),
    "ml_psca": lambda A, Y, s: functional.ml_psca(A, Y, s, n_iter=2),
    "map_cd": lambda A, Y, s: functional.map_cd(A, Y, s, 0.1, n_iter=2),
    "ml_mmse": lambda A, Y, s: functional.ml_mmse(A, Y, s, threshold=0.1, n_iter=2),
    "likelihood_ratio": lambda A, Y, s: functional.likelihood_ratio(A, Y, s, torch.zeros(2, 6, dtype=Y.real.dtype)),
}


@pytest.mark.parametrize("name", NEEDING_NOISE)
def test_noise_that_single_precision_loses(name, recwarn):
    """Σ of power 1 with σ² = 1e-9 is singular in single precision: scores were wrong by any factor, without a word."""
    run = NEEDING_NOISE[name]
    with pytest.warns(RuntimeWarning, match=r"noise_var=1e-09 is lost .* torch.complex64 .* use complex128"):
        run(A, Y, 1e-9)
    run(A.to(torch.complex128), Y.to(torch.complex128), 1e-9)
    run(A, Y, 1e-3)
    assert not [found for found in recwarn if "is lost" in str(found.message)]
