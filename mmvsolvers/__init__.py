"""NumPy and Numba reference solvers for jointly sparse recovery and grant-free random access."""

from mmvsolvers.result import ConvergenceWarning, DivergenceWarning, SolverResult

__version__ = "0.1.0"
__all__ = ["ConvergenceWarning", "DivergenceWarning", "SolverResult", "__version__"]
