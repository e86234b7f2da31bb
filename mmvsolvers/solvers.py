"""All solvers, one record each: to add one, write its function, its kernel, its test and its record here."""

from mmvsolvers.amp_mmse import amp_mmse
from mmvsolvers.covariance_lasso import covariance_lasso
from mmvsolvers.em_ep import em_ep
from mmvsolvers.gibbs import gibbs
from mmvsolvers.group_lasso_admm import group_lasso_admm
from mmvsolvers.group_lasso_bcd import group_lasso_bcd
from mmvsolvers.m_sbl import m_sbl
from mmvsolvers.map_cd import map_cd
from mmvsolvers.map_psca import map_psca
from mmvsolvers.ml_cd import ml_cd
from mmvsolvers.ml_mmse import ml_mmse
from mmvsolvers.ml_psca import ml_psca
from mmvsolvers.registry import Solver, register
from mmvsolvers.somp import somp

__all__ = [
    "amp_mmse",
    "covariance_lasso",
    "em_ep",
    "gibbs",
    "group_lasso_admm",
    "group_lasso_bcd",
    "m_sbl",
    "map_cd",
    "map_psca",
    "ml_cd",
    "ml_mmse",
    "ml_psca",
    "somp",
]

_LAM = "λ of GROUP LASSO [by rule]."
_GROUP_LASSO = "½‖AX−Y‖² + λ Σ‖X_n‖"
_LIKELIHOOD = "log|Σ| + tr(Σ⁻¹YYᴴ)/M"
_POSTERIOR = f"{_LIKELIHOOD} − Σ log p(α_n)/M"
_UPPER = {"upper": "Largest α of MAP [none]."}
_SHORT_CHAIN = {"max_iter": 60}

register(
    Solver(
        run=group_lasso_bcd,
        label="GROUP LASSO BCD",
        needs=(),
        recovers_signal=True,
        estimates="X",
        minimises=_GROUP_LASSO,
        reference="block coordinate descent with working sets",
        variants={"own-weights": {"weights": "own"}},
        paper_iterations=200,
        tuning={"lam": _LAM},
        precise_options={"lam": 2.0, "tol": 1e-12},
        powers={"lam": 1, "score": 2},
    )
)
register(
    Solver(
        run=group_lasso_admm,
        label="GROUP LASSO ADMM",
        needs=(),
        recovers_signal=True,
        estimates="X",
        minimises=_GROUP_LASSO,
        reference="ADMM in sharing form, [1] Algorithm 1",
        paper_iterations=200,
        tuning={"lam": _LAM, "rho": "ρ of ADMM, or adaptive [by rule]."},
        precise_options={"lam": 2.0, "tol": 1e-11, "max_iter": 50_000},
        powers={"lam": 1, "score": 2},
    )
)
register(
    Solver(
        run=amp_mmse,
        label="AMP",
        needs=("activity_prob", "channel_var"),
        recovers_signal=True,
        estimates="X",
        reference="AMP with the MMSE denoiser and the M×M Onsager term, [1] Algorithm 2",
        paper_iterations=50,
        tuning={
            "damping": "Of AMP, a number or adaptive [adaptive].",
            "onsager": "Term of AMP, matrix or printed [matrix].",
            "column_scaling": "Of AMP, own or sqrt_length [own].",
        },
        # It need not converge: answers are compared after a fixed number of iterations.
        precise_options={"tol": 0.0, "max_iter": 6},
        powers={"channel_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=ml_cd,
        label="ML",
        needs=("noise_var",),
        estimates="powers γ",
        minimises=_LIKELIHOOD,
        reference="maximum likelihood by coordinate descent [2]",
        variants={"dense-start": {"gamma0": "dense"}},
        paper_iterations=55,
        precise_options={"tol": 1e-7},
        powers={"noise_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=map_cd,
        label="MAP",
        needs=("noise_var", "activity_prob", "channel_var"),
        estimates="activities α",
        minimises=_POSTERIOR,
        reference="maximum a posteriori by coordinate descent, [1] Algorithm 3",
        paper_iterations=55,
        tuning=_UPPER,
        precise_options={"tol": 1e-7},
        powers={"noise_var": 2, "channel_var": 2, "score": 0},
    )
)
register(
    Solver(
        run=ml_psca,
        label="ML, parallel",
        needs=("noise_var",),
        estimates="powers γ",
        minimises=_LIKELIHOOD,
        reference="maximum likelihood, all devices at once by successive convex approximation [4]",
        paper_iterations=55,
        precise_options={"tol": 1e-7},
        powers={"noise_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=map_psca,
        label="MAP, parallel",
        needs=("noise_var", "activity_prob", "channel_var"),
        estimates="activities α",
        minimises=_POSTERIOR,
        reference="maximum a posteriori, all devices at once by successive convex approximation [4]",
        paper_iterations=55,
        tuning=_UPPER,
        precise_options={"tol": 1e-7},
        powers={"noise_var": 2, "channel_var": 2, "score": 0},
    )
)
register(
    Solver(
        run=covariance_lasso,
        label="covariance LASSO",
        needs=("noise_var",),
        estimates="powers r",
        minimises="½‖vec(YYᴴ/M − σ²I) − (A*⊙A)r‖² + λ Σ r_n",
        reference="LASSO on the covariance [3]",
        paper_iterations=200,
        # λ is in other units than that of GROUP LASSO, which a comparison sets
        precise_options={"lam": 2.0, "tol": 1e-11, "max_iter": 20_000},
        powers={"lam": 2, "noise_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=ml_mmse,
        label="ML-MMSE",
        needs=("noise_var", "channel_var", "threshold"),
        recovers_signal=True,
        estimates="X",
        minimises=_LIKELIHOOD,
        reference="`ml_cd`, then linear MMSE on the support",
        paper_iterations=55,
        precise_options={"tol": 1e-7},
        powers={"noise_var": 2, "threshold": 2, "channel_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=somp,
        label="SOMP",
        needs=("noise_var",),
        recovers_signal=True,
        estimates="X",
        minimises="‖Y − AX‖² over few rows",
        reference="simultaneous orthogonal matching pursuit",
        powers={"noise_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=m_sbl,
        label="M-SBL",
        needs=("noise_var",),
        recovers_signal=True,
        estimates="powers γ, X",
        minimises=_LIKELIHOOD,
        reference="sparse Bayesian learning by fixed-point updates, from a dense start",
        tuning={"update": "Of M-SBL, ratio or root [ratio]."},
        precise_options={"tol": 0.0, "max_iter": 50},
        powers={"noise_var": 2, "score": 2},
    )
)
register(
    Solver(
        run=gibbs,
        label="Gibbs",
        # nobody is told the groups unasked
        needs=("noise_var", "activity_prob", "channel_var"),
        recovers_signal=True,
        estimates="P(active), X",
        reference="the posterior itself, by Gibbs sampling",
        paper_iterations=400,
        example_options=_SHORT_CHAIN,
        precise_options=_SHORT_CHAIN,
        powers={"noise_var": 2, "channel_var": 2, "score": 0},
        lacks={
            "permutation": "random numbers follow the devices' order",
            "silence": "a silent device may have been active with a weak channel",
            "field": "real data have the likelihood of real Gaussians",
        },
    )
)
register(
    Solver(
        run=em_ep,
        label="EM-EP",
        needs=(),
        recovers_signal=True,
        estimates="P(active), X, σ²",
        reference="expectation propagation; σ², ε and g learned by EM",
        # It need not converge: answers are compared after a fixed number of iterations.
        precise_options={"tol": 0.0, "max_iter": 20},
        powers={"score": 0},
    )
)
