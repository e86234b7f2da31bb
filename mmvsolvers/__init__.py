"""NumPy and Numba reference solvers for jointly sparse recovery and grant-free random access."""

from mmvsolvers.coherence import block_coherence, coherence, sub_coherence
from mmvsolvers.metrics import ROC, Estimate, error_rate, false_alarm, missed_detection, mse, nmse_db, roc
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
from mmvsolvers.state_evolution import StateEvolution, state_evolution
from mmvsolvers.thresholds import best_threshold

__version__ = "0.1.0"
__all__ = [
    "ROC",
    "ActivityModel",
    "ConvergenceWarning",
    "DivergenceWarning",
    "Estimate",
    "GroupActivity",
    "IndependentActivity",
    "MMVData",
    "SingleActiveGroup",
    "SolverResult",
    "StateEvolution",
    "__version__",
    "best_threshold",
    "block_coherence",
    "coherence",
    "draw_pilots",
    "error_rate",
    "false_alarm",
    "generate",
    "missed_detection",
    "mse",
    "nmse_db",
    "roc",
    "state_evolution",
    "sub_coherence",
]
