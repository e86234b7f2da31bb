"""What there is to know of a solver, said once, and the one list that everything else reads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mmvsolvers.data import MMVData
from mmvsolvers.result import SolverResult, row_scores
from mmvsolvers.validation import did_you_mean

ENTRY_POINTS = "mmvsolvers.solvers"


class Need(NamedTuple):
    """Something that a solver may have to be told besides A and Y.

    Attributes
    ----------
    help : str
        What it is.
    example : Any
        Its value in a scenario of noise 0.1, unit channels and activity 0.1; None where there is none.
    """

    help: str
    example: Any


# ``MMVData`` knows all but the threshold, which training data give.
NEEDS: Mapping[str, Need] = {
    "noise_var": Need("σ² of one complex entry of Y", 0.1),
    "activity_prob": Need("ε, the probability that a device is active", 0.1),
    "channel_var": Need("g, the variance of a device's channel", 1.0),
    "groups": Need("label of every device's group", None),
    "threshold": Need("Scores above it mean active", 0.3),
}
OF_ITS_FUNCTION = ("*",)
# What holds for a solver unless its record says why not; the tests check every one of them.
PROPERTIES = ("permutation", "rotation", "scaling", "silence", "field")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solver:
    """A solver and what there is to know of it.

    Only ``run`` must be given: a user's own solver gets its name and what it needs from its function.

    Attributes
    ----------
    run : callable
        The public function, ``run(A, Y, ..., **options) -> SolverResult``.
    name : str
        What it is called on the command line and in ``SOLVERS``: by default the name of its function.
    label : str
        What figures and tables call it: by default its name.
    needs : tuple of str
        What it must be told besides A and Y, of ``NEEDS``: by default what its function has arguments for.
    recovers_signal : bool
        Whether it estimates X; all of them score the devices.
    estimates, minimises, reference : str
        What it estimates, the function that it minimises, and where it comes from, for tables.
    paper_iterations : int or None
        Iterations it is given in Cui, Li, Zhang, 2021, section V; for solvers that are not there, those of the closest
        one that is. None leaves them to the solver.
    tuning : mapping of str to str
        The options that a comparison may set, each with its help.
    example_options : mapping of str to Any
        Arguments that have no default and that no data give: what tests and benchmarks call it with.
    precise_options : mapping of str to Any
        Those that bring its answer so close to the end that two ways to it can be compared, to 1e-4; they name all that
        ``powers`` names besides what it needs.
    powers : mapping of str to int
        Y multiplied by s gives the same problem if the arguments are multiplied by these powers of s; "score" is the
        power that the scores have then.
    lacks : mapping of str to str
        Which of ``PROPERTIES`` it has not, and why.
    variants : mapping of str to mapping
        Options with which comparisons show it once more, by the name of the variant; see :meth:`variant`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> def strongest(A, Y, noise_var):
    ...     return np.linalg.norm(A.conj().T @ Y, axis=-1)
    ...
    >>> solver = mmv.Solver(run=strongest, label="matched filter")
    >>> solver.name, solver.needs
    ('strongest', ('noise_var',))
    """

    run: Callable[..., SolverResult]
    name: str = ""
    label: str = ""
    needs: tuple[str, ...] = OF_ITS_FUNCTION
    recovers_signal: bool = False
    estimates: str = ""
    minimises: str = ""
    reference: str = ""
    paper_iterations: int | None = None
    tuning: Mapping[str, str] = field(default_factory=dict)
    example_options: Mapping[str, Any] = field(default_factory=dict)
    precise_options: Mapping[str, Any] = field(default_factory=dict)
    powers: Mapping[str, int] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill in what the function says, and refuse a record that contradicts it."""
        name = self.name or getattr(self.run, "__name__", type(self.run).__name__)
        if not re.fullmatch(r"[^\W\d][\w-]*", name):
            raise ValueError(f"name must be a word, of letters, digits, _ and -; got {name!r}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "label", self.label or name)
        if self.needs is OF_ITS_FUNCTION:
            object.__setattr__(self, "needs", tuple(option for option in self.options if option in NEEDS))
        unknown = [need for need in self.needs if need not in NEEDS]
        if unknown:
            raise ValueError(f"needs must be among {', '.join(NEEDS)}; {name} needs {', '.join(unknown)}")
        missing = [option for option in self.required if option not in NEEDS and option not in self.example_options]
        if missing:
            raise ValueError(f"{name} has arguments without a default that no data give: {', '.join(missing)}")

    def variant(self, name: str) -> Solver:
        """Return the record of this solver with the options of a variant, or told the groups.

        Parameters
        ----------
        name : str
            One of ``variants``, or "groups" where the solver takes groups that it is not told unasked.

        Returns
        -------
        Solver
            Its name is this one's, a hyphen and the variant's.

        Raises
        ------
        ValueError
            If there is no such variant.
        """
        if name == "groups" and self.takes_groups:
            needs, options = (*self.needs, "groups"), {}
        elif name in self.variants:
            needs, options = self.needs, dict(self.variants[name])
        else:
            known = [*self.variants, *(["groups"] if self.takes_groups else [])]
            raise ValueError(f"{self.name} has no variant {name!r}; it has {', '.join(known) or 'none'}")
        label = f"{self.label}, {name.replace('-', ' ')}"
        run = partial(self.run, **options) if options else self.run
        return replace(self, run=run, name=f"{self.name}-{name}", label=label, needs=needs, variants={})

    @property
    def takes_groups(self) -> bool:
        """Whether it can be told who wakes together, and is not unasked."""
        return "groups" in self.options and "groups" not in self.needs

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the arguments besides A and Y, needs included."""
        return tuple(parameter.name for parameter in self._arguments())

    @property
    def required(self) -> tuple[str, ...]:
        """Names of those that have no default."""
        return tuple(argument.name for argument in self._arguments() if argument.default is Parameter.empty)

    @property
    def example(self) -> dict[str, Any]:
        """All arguments besides A and Y that tests and benchmarks call it with."""
        known = {need: NEEDS[need].example for need in self.needs}
        return {name: value for name, value in known.items() if value is not None} | dict(self.example_options)

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
        known = {name: getattr(data, name, None) for name in self.needs if name not in options}
        known = {name: value for name, value in known.items() if value is not None}
        return self.run(data.A, data.Y, **known, **options)

    def _arguments(self) -> list[Parameter]:
        arguments = list(signature(self.run).parameters.values())[2:]
        return [argument for argument in arguments if argument.kind is not Parameter.VAR_KEYWORD]


class _Registry(Mapping[str, Solver]):
    """Solvers by name, in the order of their registration; those of installed packages join at the first look."""

    def __init__(self) -> None:
        self._solvers: dict[str, Solver] = {}
        self._found_installed = False

    def add(self, solver: Solver) -> None:
        if solver.name in self._solvers:
            raise ValueError(f"a solver is called {solver.name!r} already; give this one another name")
        self._solvers[solver.name] = solver

    def __getitem__(self, name: str) -> Solver:
        if name not in self._solvers:
            self._find_installed()
        return self._solvers[name]

    def __iter__(self) -> Iterator[str]:
        self._find_installed()
        return iter(self._solvers)

    def __len__(self) -> int:
        self._find_installed()
        return len(self._solvers)

    def _find_installed(self) -> None:
        if self._found_installed:
            return
        self._found_installed = True
        from importlib.metadata import entry_points

        for entry in entry_points(group=ENTRY_POINTS):
            try:
                self.add(as_solver(entry.load(), entry.name))
            except Exception as error:  # one broken package must not take all solvers away
                warnings.warn(f"the solver {entry.name} of {entry.value} cannot be loaded: {error}", stacklevel=4)


_REGISTRY = _Registry()
SOLVERS: Mapping[str, Solver] = _REGISTRY


def register(solver: Solver | Callable[..., Any]) -> Solver:
    """Put a solver into ``SOLVERS``, for everything that reads it.

    An installed package does the same by an entry point of the group ``mmvsolvers.solvers``.

    Parameters
    ----------
    solver : Solver or callable
        A record, or a function ``f(A, Y, ...)`` that returns a ``SolverResult``, scores (..., N) or signals
        (..., N, M). Of a function, arguments called ``noise_var``, ``activity_prob``, ``channel_var``, ``groups`` and
        ``threshold`` are given what the data know.

    Returns
    -------
    Solver
        The record that was registered.

    Raises
    ------
    TypeError, ValueError
        For what is no solver, and for a name that is taken.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv
    >>> def matched_filter(A, Y):
    ...     return np.linalg.norm(A.conj().T @ Y, axis=-1) ** 2
    ...
    >>> solver = mmv.register(matched_filter)
    >>> "matched_filter" in mmv.SOLVERS
    True
    """
    record = as_solver(solver)
    _REGISTRY.add(record)
    return record


def as_solver(value: Any, name: str = "") -> Solver:
    """Return a record for what a user calls a solver: a record, or a function ``f(A, Y, ...)``.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, Solver):
        return value
    if not callable(value):
        raise TypeError(f"a solver must be a Solver or a function f(A, Y, ...); got {type(value).__name__}")
    arguments = list(signature(value).parameters)
    if len(arguments) < 2:
        raise TypeError(f"a solver must take A and Y; got a function of {', '.join(arguments) or 'nothing'}")
    return Solver(run=_returning_result(value), name=name)


def all_solvers(groups: bool) -> list[Solver]:
    """Return all solvers with their variants, those told the groups among them where there are ``groups``."""
    found = []
    for solver in SOLVERS.values():
        names = [*solver.variants, *(["groups"] if groups and solver.takes_groups else [])]
        found += [solver, *(solver.variant(name) for name in names)]
    return found


def find_solver(name: str) -> Solver:
    """Return the solver of that name, a variant as "map_cd-groups", or a user's own at ``file.py:object``.

    Raises
    ------
    ValueError
        If there is none; the message suggests one.
    """
    if ":" in name:
        from mmvsolvers.loading import load_object

        return as_solver(load_object(name))
    base, _, variant = name.partition("-")
    if name not in SOLVERS and variant and base in SOLVERS:
        return SOLVERS[base].variant(variant)
    if name not in SOLVERS:
        hint = did_you_mean(name, SOLVERS) or f"there are {', '.join(SOLVERS)}"
        raise ValueError(f"no solver is called {name!r}; {hint}")
    return SOLVERS[name]


def _returning_result(function: Callable[..., Any]) -> Callable[..., SolverResult]:
    """Wrap a function so that it returns a result where it returned an array of scores or of signals."""

    @wraps(function)
    def run(A: ArrayLike, Y: ArrayLike, *arguments: Any, **options: Any) -> SolverResult:
        found = function(np.asarray(A), Y, *arguments, **options)
        if isinstance(found, SolverResult):
            return found
        array, received, N = np.asarray(found), np.shape(Y), np.shape(A)[1]
        scores, signals = (*received[:-2], N), (*received[:-2], N, received[-1])
        if array.shape == signals:
            return SolverResult.unoptimised(array, row_scores(array))
        if array.shape == scores and array.dtype.kind in "biuf":
            return SolverResult.unoptimised(None, array if array.dtype.kind == "f" else array.astype(float))
        raise TypeError(
            f"a solver must return a SolverResult, real scores {scores} or signals {signals}; "
            f"{getattr(function, '__name__', 'this one')} returned {array.dtype.name}{array.shape}"
        )

    return run
