"""The one list of solvers, read by the command line, the benchmarks and the experiments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any

from mmvsolvers.amp_mmse import amp_mmse
from mmvsolvers.covariance_lasso import covariance_lasso
from mmvsolvers.group_lasso_admm import group_lasso_admm
from mmvsolvers.group_lasso_bcd import group_lasso_bcd
from mmvsolvers.map_cd import map_cd
from mmvsolvers.ml_cd import ml_cd
from mmvsolvers.ml_mmse import ml_mmse
from mmvsolvers.result import SolverResult
from mmvsolvers.scenarios import MMVData


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and what there is to know of it.

    Attributes
    ----------
    name : str
        The name of its function, its modules and its entry in ``SOLVERS``.
    run : callable
        The public function, ``run(A, Y, ..., **options) -> SolverResult``.
    label : str
        What figures and tables call it.
    needs : tuple of str
        What it must be told besides A and Y. ``MMVData`` knows all but the ``threshold``, which training data give.
    recovers_signal : bool
        Whether it estimates X; all of them score the devices.
    paper_iterations : int
        Iterations it is given in Cui, Li, Zhang, 2021, section V; for solvers that are not there, those of the closest
        one that is.
    """

    name: str
    run: Callable[..., SolverResult]
    label: str
    needs: tuple[str, ...]
    recovers_signal: bool
    paper_iterations: int

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the arguments besides A and Y, needs included."""
        return tuple(signature(self.run).parameters)[2:]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of those that have no default."""
        parameters = list(signature(self.run).parameters.values())[2:]
        return tuple(parameter.name for parameter in parameters if parameter.default is Parameter.empty)

    def solve(self, data: MMVData, **options: Any) -> SolverResult:
        """Solve all problems of ``data``.

        Parameters
        ----------
        data : MMVData
            The problems; what the solver needs besides A and Y is taken from here unless an option gives it.
        **options
            Keyword arguments of ``run``.

        Returns
        -------
        SolverResult
        """
        known = {name: getattr(data, name) for name in self.needs if name not in options and hasattr(data, name)}
        return self.run(data.A, data.Y, **known, **options)


_ALL = (
    Solver("group_lasso_bcd", group_lasso_bcd, "GROUP LASSO BCD", (), True, 200),
    Solver("group_lasso_admm", group_lasso_admm, "GROUP LASSO ADMM", (), True, 200),
    Solver("amp_mmse", amp_mmse, "AMP", ("activity_prob", "channel_var"), True, 50),
    Solver("ml_cd", ml_cd, "ML", ("noise_var",), False, 55),
    Solver("map_cd", map_cd, "MAP", ("noise_var", "activity_prob", "channel_var"), False, 55),
    Solver("covariance_lasso", covariance_lasso, "covariance LASSO", ("noise_var",), False, 200),
    Solver("ml_mmse", ml_mmse, "ML-MMSE", ("noise_var", "channel_var", "threshold"), True, 55),
)
SOLVERS: Mapping[str, Solver] = MappingProxyType({solver.name: solver for solver in _ALL})


def find_solver(name: str) -> Solver:
    """Return the solver of that name.

    Raises
    ------
    ValueError
        If there is none; the message suggests one.
    """
    if name not in SOLVERS:
        close = get_close_matches(name, SOLVERS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(SOLVERS)}"
        raise ValueError(f"no solver is called {name!r}; {hint}")
    return SOLVERS[name]
