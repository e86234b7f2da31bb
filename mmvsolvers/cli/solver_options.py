"""Which solvers, and what they are told: options that the commands make from the solvers' records."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar

import typer

from mmvsolvers.cli.parsing import value_of
from mmvsolvers.registry import SOLVERS, Solver, find_solver

PANEL = "Solvers"
Command = TypeVar("Command", bound=Callable[..., None])

SolverNames = Annotated[
    list[str] | None,
    typer.Option(
        "--solver", "-s", help="A name, or your own at file.py:object; repeatable [all].", rich_help_panel=PANEL
    ),
]
SolverOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="[SOLVER.]NAME=VALUE",
        help="Any other argument of the solvers, or of one; repeatable.",
        rich_help_panel=PANEL,
    ),
]


def with_tuning(command: Command) -> Command:
    """Give a command, in the place of its ``**tuning``, an option for all that the records let users tune."""
    own = [
        parameter for parameter in signature(command).parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD
    ]
    tunable = {name: words for solver in SOLVERS.values() for name, words in solver.tuning.items()}
    made = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(flag(name), help=words, rich_help_panel=PANEL)],
        )
        for name, words in tunable.items()
    ]
    command.__signature__ = signature(command).replace(parameters=own + made)  # type: ignore[attr-defined]
    return command


def chosen_solvers(names: Sequence[str] | None) -> list[Solver]:
    """Return the solvers of these names, each once; all if there are none."""
    return [find_solver(name) for name in dict.fromkeys(names or SOLVERS)]


def chosen_options(
    solvers: Sequence[Solver], tuning: Mapping[str, str | None], others: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return what each solver is tuned by, by its name.

    Parameters
    ----------
    solvers : sequence of Solver
        Those that run.
    tuning : mapping of str to str or None
        Values of the records' options; each goes to the solvers that list it as theirs.
    others : sequence of str
        ``[SOLVER.]NAME=VALUE``, for the one solver or for all that take it.

    Raises
    ------
    ValueError
        For an option that none of the solvers takes.
    """
    chosen: dict[str, dict[str, Any]] = {solver.name: {} for solver in solvers}
    labels = ", ".join(solver.label for solver in solvers)
    for name, text in tuning.items():
        takers = [solver for solver in solvers if name in solver.tuning]
        if text is not None and not takers:
            raise ValueError(f"{flag(name)} is no option of what is compared: {labels}")
        for solver in takers if text is not None else ():
            chosen[solver.name][name] = value_of(str(text))
    for option in others:
        whose, name, text = _parsed(option)
        takers = [solver for solver in solvers if whose in ("", solver.name) and name in solver.options]
        if not takers:
            raise ValueError(f"--option {option}: {whose or labels} takes no {name}")
        for solver in takers:
            chosen[solver.name][name] = value_of(text)
    return chosen


def flag(name: str) -> str:
    """Return an argument's name as the command line spells it."""
    return f"--{name.replace('_', '-')}"


def _parsed(option: str) -> tuple[str, str, str]:
    """Split ``[SOLVER.]NAME=VALUE``."""
    target, equals, text = option.partition("=")
    whose, _, name = target.rpartition(".")
    if not equals or not name:
        raise ValueError(f"--option must be NAME=VALUE or SOLVER.NAME=VALUE; got {option!r}")
    return whose, name.replace("-", "_"), text
