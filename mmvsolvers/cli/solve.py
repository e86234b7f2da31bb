"""`mmv solve`: a user's own pilots and received signals."""

import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mmvsolvers.cli.layout import Layout
from mmvsolvers.cli.outputs import PANEL as OUTPUT
from mmvsolvers.cli.outputs import Overwrite
from mmvsolvers.cli.parsing import value_of
from mmvsolvers.cli.solver_options import PANEL, SolverOptions, chosen_options, flag, with_tuning
from mmvsolvers.registry import NEEDS, Solver, find_solver

if TYPE_CHECKING:
    from mmvsolvers.result import SolverResult
    from mmvsolvers.scenario import Scenario

_SIDE = "What the solver must know"
_LAYOUT = "Layout of the file"
# Simulated samples that a threshold is found on.
CALIBRATION_SAMPLES = 1000
# Runs are repeated until they have taken so many seconds, or as often as this.
_SHORT, _MOST_RUNS = 0.2, 5


def _of(need: str) -> str:
    return f"{NEEDS[need].help}: a number, or a variable of the file [{need}, if it is there]."


@with_tuning
def solve(
    file: Annotated[Path, typer.Argument(help="A .mat (v5 and v7.3), .npz, .h5 or .hdf5 file.")],
    solver: Annotated[
        str, typer.Option("--solver", "-s", help="A name, such as ml_cd, or your own at file.py:object.")
    ],
    noise_var: Annotated[
        str | None, typer.Option(help=f"{_of('noise_var')} 'estimate' estimates it.", rich_help_panel=_SIDE)
    ] = None,
    activity_prob: Annotated[
        str | None, typer.Option("--activity-prob", "-p", help=_of("activity_prob"), rich_help_panel=_SIDE)
    ] = None,
    channel_var: Annotated[str | None, typer.Option(help=_of("channel_var"), rich_help_panel=_SIDE)] = None,
    groups: Annotated[
        str | None,
        typer.Option(help=f"{NEEDS['groups'].help}: a variable of the file [not told].", rich_help_panel=_SIDE),
    ] = None,
    couplings: Annotated[
        str | None,
        typer.Option(
            help="log-odds c_nm that devices add to each other's: a variable of the file [not told].",
            rich_help_panel=_SIDE,
        ),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help=f"{NEEDS['threshold'].help}.", rich_help_panel=_SIDE)] = None,
    false_alarm: Annotated[
        float | None,
        typer.Option(help="Find the threshold: simulate over A, hold this rate.", rich_help_panel=_SIDE),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="What --false-alarm simulates: a name, such as fengler2021, file.json or file.py:object.",
            rich_help_panel=_SIDE,
        ),
    ] = None,
    option: SolverOptions = None,
    max_iter: Annotated[int | None, typer.Option(help="Most iterations.", rich_help_panel=PANEL)] = None,
    tol: Annotated[float | None, typer.Option(help="Tolerance; 0 for a fixed count.", rich_help_panel=PANEL)] = None,
    pilots_name: Annotated[str, typer.Option(help="Variable with the pilots.", rich_help_panel=_LAYOUT)] = "A",
    received_name: Annotated[str, typer.Option(help="Variable with the signals.", rich_help_panel=_LAYOUT)] = "Y",
    pilots_axes: Annotated[str, typer.Option(help="LN or NL.", rich_help_panel=_LAYOUT)] = "LN",
    received_axes: Annotated[
        str | None,
        typer.Option(
            help="Such as LM, TLM or LMT: L, M and a letter for each batch axis [LM, TLM].", rich_help_panel=_LAYOUT
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="[FILE.SOLVER.suffix]", rich_help_panel=OUTPUT)
    ] = None,
    overwrite: Overwrite = False,
    **tuning: str | None,
) -> None:
    """Solve the problems in FILE and write the estimate beside it, in the same format and axis order.

    With Y of the axes LMT, X has the axes NMT, score has NT, and objective, optimality, n_iter, converged and diverged
    have T; in the same way for any other order. With a threshold there are also active, of the axes of score, and
    active_list, with a row for each active device: the number of the problem, if there are several, and of the device.
    Numbers begin at 1 in .mat files, where it is called active_list_from_1, and at 0 in others: active_list_from_0.
    """
    from mmvsolvers.files import is_matlab73

    entry = find_solver(solver)
    output = output or file.with_name(f"{file.stem}.{entry.name}{file.suffix}")
    _check_output(file, output, overwrite)
    if threshold is not None and np.isnan(threshold):
        raise ValueError("--threshold must be a number; got nan")
    options: dict[str, Any] = {
        name: value for name, value in (("max_iter", max_iter), ("tol", tol)) if value is not None
    }
    options |= {name: value_of(text) for name, text in tuning.items() if text is not None}
    options |= chosen_options([entry], {}, option or ())[entry.name]
    if "threshold" in entry.needs and threshold is not None:
        options["threshold"] = threshold
    given = {"noise_var": noise_var, "activity_prob": activity_prob, "channel_var": channel_var}
    given |= {"groups": groups, "couplings": couplings}
    A, Y, told = _read(file, pilots_name, received_name, _sources(entry, given, file))
    options |= told
    layout = Layout.of(pilots_axes, received_axes, Y)
    if file.suffix.lower() == ".mat" and Y.ndim < len(layout.received):
        Y = Y.reshape(Y.shape + (1,) * (len(layout.received) - Y.ndim))  # MATLAB drops them
    pilots, received = layout.standard(A, Y)
    if false_alarm is not None:
        if threshold is not None:
            raise ValueError("--threshold and --false-alarm exclude each other")
        threshold = _calibrated(entry, pilots, received, options, false_alarm, scenario)
        typer.echo(f"threshold {threshold:.6g} for a false alarm of {false_alarm:g}")
        if "threshold" in entry.needs:
            options["threshold"] = max(threshold, 0.0)
        options = {name: value for name, value in options.items() if name in entry.options or name not in NEEDS}
    _check_options(entry, options)
    result, seconds = _solve(entry, pilots, received, options)

    matlab = output.suffix.lower() == ".mat"
    estimate = _estimate(layout, result, threshold, first=1 if matlab else 0)
    _save(output, estimate, overwrite, matlab73=matlab and file.suffix.lower() == ".mat" and is_matlab73(file))
    size = result.converged.size
    each = f", {_duration(seconds / size)} each" if size > 1 else ""
    active = "" if threshold is None else f", {estimate['active'].sum()} devices active"
    written = ", ".join(f"{name} {value.shape}" for name, value in estimate.items())
    typer.echo(f"understood as {layout.describe(A, Y)}")
    typer.echo(f"{entry.label}: {result.converged.sum()} of {size} converged in {_duration(seconds)}{each}{active}")
    typer.echo(f"wrote {written} to {output}")


def _check_output(file: Path, output: Path, overwrite: bool) -> None:
    from mmvsolvers.files import check_destination

    if output.exists() and file.exists() and output.samefile(file):
        raise ValueError(f"{output} would replace what is to be solved; choose another name")
    check_destination(output, overwrite)


def _calibrated(
    entry: Solver, A: NDArray[Any], Y: NDArray[Any], options: dict[str, Any], false_alarm: float, named: str | None
) -> float:
    """Return the threshold that holds the false alarm where the scenario is simulated over the user's own pilots."""
    from mmvsolvers.thresholds import threshold_at

    scenario = _simulated(A, Y, options, named)
    data = scenario.draw(np.random.default_rng(0), CALIBRATION_SAMPLES)
    told = {name: value for name, value in options.items() if name in entry.options}
    if "threshold" in entry.needs:
        told["threshold"] = 0.0
    return threshold_at(entry.solve(data, **told).score, data.activity, false_alarm=false_alarm)


def _simulated(A: NDArray[Any], Y: NDArray[Any], options: dict[str, Any], named: str | None) -> "Scenario":
    """Return the named scenario, or one of unit Rayleigh channels, with the user's pilots, antennas and noise."""
    from mmvsolvers.activity import IndependentActivity
    from mmvsolvers.cli.scenario_options import ScenarioOptions
    from mmvsolvers.scenario import Scenario

    p, noise_var = options.get("activity_prob"), options.get("noise_var")
    noise: dict[str, Any] = {}
    if noise_var is not None and not isinstance(noise_var, str) and not np.ndim(noise_var):
        noise = {"noise_var": float(noise_var), "snr_db": None}
    (L, N), M = A.shape, Y.shape[-1]
    if named is not None:
        return replace(ScenarioOptions(scenario=named).build(), N=N, L=L, M=M, pilots=A, **noise)
    if p is None or np.ndim(p) or not noise:
        raise ValueError(
            "--false-alarm simulates, which needs --activity-prob and --noise-var as numbers, or a --scenario"
        )
    return Scenario(N=N, L=L, M=M, activity=IndependentActivity(float(p)), pilots=A, **noise)


def _check_options(entry: Solver, given: dict[str, Any]) -> None:
    for name in given:
        if name not in entry.options:
            raise ValueError(f"{entry.name} has no option {flag(name)}; it takes {', '.join(map(flag, entry.options))}")
    missing = [name for name in entry.required if name not in given]
    if missing:
        raise ValueError(f"{entry.name} needs {' and '.join(map(flag, missing))}")


def _sources(entry: Solver, given: dict[str, str | None], file: Path) -> dict[str, Any]:
    """Return what the solver is told: values as given, names of variables, or what the file calls by the same name."""
    from mmvsolvers.files import contents

    sources = {name: value_of(text) for name, text in given.items() if text is not None}
    silent = [name for name in given if name in entry.needs and name not in sources]
    held = contents(file) if silent else {}
    return sources | {name: name for name in silent if name in held}


def _read(
    file: Path, pilots_name: str, received_name: str, sources: dict[str, Any]
) -> tuple[NDArray[Any], NDArray[Any], dict[str, Any]]:
    """Return A, Y and what the solver is told, variables read from the file; nothing else is read."""
    from mmvsolvers.files import load_arrays
    from mmvsolvers.validation import ESTIMATE

    named = {name: value for name, value in sources.items() if isinstance(value, str)}
    if named.get("noise_var") == ESTIMATE:
        del named["noise_var"]
    arrays = load_arrays(file, dict.fromkeys([pilots_name, received_name, *named.values()]))
    for name in (pilots_name, received_name):
        if arrays[name].dtype.kind in "iub":
            raise TypeError(f"{name} is of integer type {arrays[name].dtype}; save it as double")
    told = {name: _told(name, arrays[value]) if name in named else value for name, value in sources.items()}
    return arrays[pilots_name], arrays[received_name], told


def _told(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return a variable without the axes of one that MATLAB adds, and labels as integers that it holds as doubles."""
    match name:
        case "couplings":
            return array
        case "groups":
            labels = np.atleast_1d(array.squeeze())
            whole = labels.dtype.kind == "f" and bool(np.all(labels == np.rint(labels)))
            return labels.astype(np.int64) if whole else labels
        case _:
            return array.squeeze()


def _solve(entry: Solver, A: NDArray[Any], Y: NDArray[Any], options: dict[str, Any]) -> tuple["SolverResult", float]:
    """Solve, and return the time it takes without compilation: one iteration on one problem comes first.

    A short time is the least of several, since threads that wake up cost more than it.
    """
    from mmvsolvers._compilation import on_compilation

    first = {name: _of_first_problem(value) if name == "noise_var" else value for name, value in options.items()}
    first |= {"max_iter": 1} if "max_iter" in entry.options else {}
    with on_compilation(_tell_of_compilation), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entry.run(A, Y.reshape(-1, *Y.shape[-2:])[:1], **first)
    spent: list[float] = []
    while not spent or (len(spent) < _MOST_RUNS and sum(spent) < _SHORT):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            result = entry.run(A, Y, **options)
            spent.append(time.perf_counter() - start)
    for warning in caught:
        typer.echo(f"Warning: {warning.message}", err=True)
    return result, min(spent)


def _tell_of_compilation(begins: bool) -> None:
    if begins:
        typer.echo("compiling, once ...", err=True)


def _estimate(layout: Layout, result: "SolverResult", threshold: float | None, first: int) -> dict[str, NDArray[Any]]:
    """Return what is written, in the axis order of the user's arrays."""
    found: dict[str, NDArray[Any]] = {}
    if result.X is not None:
        found["X"] = layout.original(result.X, layout.batch + "NM", layout.signals)
    found["score"] = layout.original(result.score, layout.batch + "N", layout.scores)
    for name in ("objective", "optimality", "n_iter", "converged", "diverged", "noise_var"):
        if getattr(result, name) is not None:
            found[name] = np.asarray(getattr(result, name))
    if threshold is not None:
        found["active"] = found["score"] > threshold
        found[f"active_list_from_{first}"] = np.argwhere(result.score > threshold) + first
    return found


def _save(output: Path, estimate: dict[str, NDArray[Any]], overwrite: bool, matlab73: bool) -> None:
    """Write the estimate, to the folder of temporary files if it cannot be written where it should be."""
    from mmvsolvers.files import save_arrays

    try:
        save_arrays(output, estimate, overwrite=overwrite, matlab73=matlab73)
    except OSError as error:
        rescued = Path(tempfile.mkdtemp(prefix="mmv-")) / output.name
        try:
            save_arrays(rescued, estimate, matlab73=matlab73)
        except OSError:
            rescued.parent.rmdir()
            raise error from None
        raise OSError(f"{error}; the estimate is in {rescued}") from error


def _of_first_problem(value: Any) -> Any:
    return np.ravel(value)[0]


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
