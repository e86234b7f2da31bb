"""The reference solvers as differentiable functions of torch tensors, with a fixed number of iterations.

Each takes the arguments of the `mmvsolvers` function of the same name, on any device, in complex64 or complex128, and
returns a `Recovery`.
"""

from mmvsolvers_nn.functional._inputs import Recovery
from mmvsolvers_nn.functional.amp_mmse import amp_mmse
from mmvsolvers_nn.functional.conditional_mean import conditional_mean
from mmvsolvers_nn.functional.covariance_lasso import covariance_lasso
from mmvsolvers_nn.functional.group_lasso_admm import group_lasso_admm
from mmvsolvers_nn.functional.group_lasso_bcd import group_lasso_bcd
from mmvsolvers_nn.functional.likelihood_ratio import likelihood_ratio
from mmvsolvers_nn.functional.map_cd import map_cd
from mmvsolvers_nn.functional.map_psca import map_psca
from mmvsolvers_nn.functional.ml_cd import ml_cd
from mmvsolvers_nn.functional.ml_mmse import ml_mmse
from mmvsolvers_nn.functional.ml_psca import ml_psca

__all__ = [
    "Recovery",
    "amp_mmse",
    "conditional_mean",
    "covariance_lasso",
    "group_lasso_admm",
    "group_lasso_bcd",
    "likelihood_ratio",
    "map_cd",
    "map_psca",
    "ml_cd",
    "ml_mmse",
    "ml_psca",
]
