"""`mmv solve`: a user's own pilots and received signals."""

import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mmvsolvers.cli.parsing import value_of
from mmvsolvers.cli.solver_options import PANEL, SolverOptions, chosen_options, flag, with_tuning
from mmvsolvers.registry import NEEDS, Solver, find_solver

_SIDE = "What the solver must know"
_LAYOUT = "Layout of the file"
_OUTPUT = "Output"
# Simulated samples that a threshold is found on.
CALIBRATION_SAMPLES = 1000


def _of(need: str) -> str:
    return f"{NEEDS[need].help}: a number, or a variable of the file [{need}, if it is there]."


@with_tuning
def solve(
    file: Annotated[Path, typer.Argument(help="A .mat (v5 or v7.3), .npz, .h5 or .hdf5 file.")],
    solver: Annotated[
        str, typer.Option("--solver", "-s", help="A name, such as ml_cd, or your own at file.py:object.")
    ],
    noise_var: Annotated[str | None, typer.Option(help=_of("noise_var"), rich_help_panel=_SIDE)] = None,
    activity_prob: Annotated[str | None, typer.Option(help=_of("activity_prob"), rich_help_panel=_SIDE)] = None,
    channel_var: Annotated[str | None, typer.Option(help=_of("channel_var"), rich_help_panel=_SIDE)] = None,
    groups: Annotated[str | None, typer.Option(help=_of("groups"), rich_help_panel=_SIDE)] = None,
    threshold: Annotated[float | None, typer.Option(help=f"{NEEDS['threshold'].help}.", rich_help_panel=_SIDE)] = None,
    false_alarm: Annotated[
        float | None,
        typer.Option(help="Find the threshold: simulate over A, hold this rate.", rich_help_panel=_SIDE),
    ] = None,
    option: SolverOptions = None,
    max_iter: Annotated[int | None, typer.Option(help="Most iterations.", rich_help_panel=PANEL)] = None,
    tol: Annotated[float | None, typer.Option(help="Tolerance; 0 for a fixed count.", rich_help_panel=PANEL)] = None,
    pilots_name: Annotated[str, typer.Option(help="Variable with the pilots.", rich_help_panel=_LAYOUT)] = "A",
    received_name: Annotated[str, typer.Option(help="Variable with the signals.", rich_help_panel=_LAYOUT)] = "Y",
    pilots_axes: Annotated[str, typer.Option(help="LN or NL.", rich_help_panel=_LAYOUT)] = "LN",
    received_axes: Annotated[
        str | None,
        typer.Option(help="Such as LM, TLM or LMT: L, M and a letter for each batch axis.", rich_help_panel=_LAYOUT),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="[FILE.SOLVER.suffix]", rich_help_panel=_OUTPUT)
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the output file.", rich_help_panel=_OUTPUT)] = False,
    **tuning: str | None,
) -> None:
    """Solve the problems in FILE and write the estimate beside it, in the same format and axis order.

    Written are X (N in the place of L), score, objective, optimality, n_iter, converged, diverged and, with a
    threshold, active.
    """
    from mmvsolvers.files import is_matlab73, load_arrays, refuse_to_overwrite, save_arrays

    entry = find_solver(solver)
    output = output or file.with_name(f"{file.stem}.{entry.name}{file.suffix}")
    refuse_to_overwrite(output, overwrite)
    arrays = load_arrays(file)
    A = _transposed(_variable(arrays, pilots_name, file), pilots_name, pilots_axes, "LN")
    axes = received_axes or _default_axes(_variable(arrays, received_name, file).ndim)
    batch = "".join(axis for axis in axes if axis not in "LM")
    Y = _transposed(_variable(arrays, received_name, file), received_name, axes, batch + "LM")

    given = {"noise_var": noise_var, "activity_prob": activity_prob, "channel_var": channel_var, "groups": groups}
    options: dict[str, Any] = _told(entry, given, arrays)
    options |= {name: value for name, value in (("max_iter", max_iter), ("tol", tol)) if value is not None}
    options |= {name: value_of(text) for name, text in tuning.items() if text is not None}
    options |= chosen_options([entry], {}, option or ())[entry.name]
    if "threshold" in entry.needs and threshold is not None:
        options["threshold"] = threshold
    if false_alarm is not None:
        if threshold is not None:
            raise ValueError("--threshold and --false-alarm exclude each other")
        threshold = _calibrated(entry, A, Y, options, false_alarm)
        typer.echo(f"threshold {threshold:.6g} for a false alarm of {false_alarm:g}")
        if "threshold" in entry.needs:
            options["threshold"] = max(threshold, 0.0)
        options = {name: value for name, value in options.items() if name in entry.options or name not in NEEDS}
    _check_options(entry, options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        result = entry.run(A, Y, **options)
        seconds = time.perf_counter() - start
    for warning in caught:
        typer.echo(f"Warning: {warning.message}", err=True)

    estimate: dict[str, Any] = {
        "score": result.score,
        "objective": result.objective,
        "optimality": result.optimality,
        "n_iter": result.n_iter,
        "converged": result.converged,
        "diverged": result.diverged,
    }
    if result.X is not None:
        estimate["X"] = np.transpose(result.X, [(batch + "LM").index(axis) for axis in axes])
    if threshold is not None:
        estimate["active"] = result.score > threshold
    matlab73 = file.suffix.lower() == ".mat" and is_matlab73(file)
    save_arrays(output, estimate, overwrite=overwrite, matlab73=matlab73)
    active = f", {estimate['active'].sum()} devices active" if threshold is not None else ""
    typer.echo(
        f"{entry.label}: {result.converged.sum()} of {result.converged.size} problems converged in {seconds:.3g} s"
        f"{active}; wrote {', '.join(estimate)} to {output}"
    )


def _variable(arrays: dict[str, NDArray[Any]], name: str, file: Path) -> NDArray[Any]:
    from mmvsolvers.files import describe

    if name not in arrays:
        raise ValueError(f"{file} has no variable {name!r}; it holds {describe(arrays)}")
    return arrays[name]


def _default_axes(ndim: int) -> str:
    if ndim > 3:
        raise ValueError(f"--received-axes is needed for a variable with {ndim} axes, such as STLM")
    return "TLM"[3 - ndim :]


def _transposed(array: NDArray[Any], name: str, axes: str, wanted: str) -> NDArray[Any]:
    """Bring an array whose axes are called ``axes`` into the order ``wanted``."""
    if sorted(axes) != sorted(wanted) or len(set(axes)) != len(axes) or not {"L"} < set(axes):
        raise ValueError(f"axes of {name} must be an order of {', '.join(wanted)}, each once; got {axes!r}")
    if array.ndim != len(axes):
        raise ValueError(f"{name} has shape {array.shape}, which does not fit the axes {axes!r}")
    if array.dtype.kind in "iub":
        raise TypeError(f"{name} is of integer type {array.dtype}; save it as double")
    return np.transpose(array, [axes.index(axis) for axis in wanted])


def _told(entry: Solver, given: dict[str, str | None], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return what the solver is told: as given, or what the file calls by the same name."""
    told = {}
    for name, text in given.items():
        if text is None and name in entry.needs and name in arrays:
            text = name
        if text is not None:
            told[name] = arrays[text].squeeze() if text in arrays else value_of(text)
    return told


def _calibrated(entry: Solver, A: NDArray[Any], Y: NDArray[Any], options: dict[str, Any], false_alarm: float) -> float:
    """Return the threshold that holds the false alarm on simulated Rayleigh channels over the user's own pilots."""
    from mmvsolvers.activity import IndependentActivity
    from mmvsolvers.scenario import Scenario
    from mmvsolvers.thresholds import threshold_at

    p, noise_var = options.get("activity_prob"), options.get("noise_var")
    if p is None or noise_var is None or np.ndim(p) or np.ndim(noise_var):
        raise ValueError("--false-alarm simulates, which needs --activity-prob and --noise-var as numbers")
    activity = IndependentActivity(float(p))
    L, N = A.shape
    scenario = Scenario(N=N, L=L, M=Y.shape[-1], activity=activity, noise_var=float(noise_var), pilots=A)
    data = scenario.draw(np.random.default_rng(0), CALIBRATION_SAMPLES)
    told = {name: value for name, value in options.items() if name in entry.options}
    if "threshold" in entry.needs:
        told["threshold"] = 0.0
    return threshold_at(entry.run(data.A, data.Y, **told).score, data.activity, false_alarm=false_alarm)


def _check_options(entry: Solver, given: dict[str, Any]) -> None:
    for name in given:
        if name not in entry.options:
            raise ValueError(f"{entry.name} has no option {flag(name)}; it takes {', '.join(map(flag, entry.options))}")
    missing = [name for name in entry.required if name not in given]
    if missing:
        raise ValueError(f"{entry.name} needs {' and '.join(map(flag, missing))}")
