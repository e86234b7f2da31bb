"""NumPy and Numba reference solvers for jointly sparse recovery and grant-free random access."""

from mmvsolvers.result import ConvergenceWarning, DivergenceWarning, SolverResult
from mmvsolvers.scenarios import (
    ActivityModel,
    GroupActivity,
    IndependentActivity,
    MMVData,
    SingleActiveGroup,
    draw_pilots,
    generate,
)

__version__ = "0.1.0"
__all__ = [
    "ActivityModel",
    "ConvergenceWarning",
    "DivergenceWarning",
    "GroupActivity",
    "IndependentActivity",
    "MMVData",
    "SingleActiveGroup",
    "SolverResult",
    "__version__",
    "draw_pilots",
    "generate",
]
