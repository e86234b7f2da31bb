"""`mmv plan`: whether it can be done, and with which pilot length."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmvsolvers.cli.parsing import ACTIVITY_HELP, activity_model


def plan(
    N: Annotated[int, typer.Option("--devices", "-N", help="Number of devices N.")] = 100,
    M: Annotated[int, typer.Option("--antennas", "-M", help="Number of antennas M.")] = 4,
    case: Annotated[str, typer.Option("--activity", help=ACTIVITY_HELP)] = "independent",
    p: Annotated[float, typer.Option("--activity-prob", "-p", help="Average probability of being active.")] = 0.1,
    ratio: Annotated[float, typer.Option(help="p1/p2 of the two halves, of 'independent'.")] = 1.0,
    groups: Annotated[int, typer.Option(help="Number of groups, of 'groups'.")] = 20,
    noise_var: Annotated[float, typer.Option(help="σ² of an entry of Y.")] = 0.1,
    target: Annotated[float, typer.Option("--target-error", help="Error rate to reach.")] = 1e-2,
    solver: Annotated[str, typer.Option("--solver", "-s", help="Who detects: a name, or file.py:object.")] = "map_cd",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Figure, PNG, PDF or SVG.")] = Path("plan.png"),
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Find the pilot length that suffices: theory first, a short simulation second, and a phase diagram.

    The theory is that of maximum likelihood with many antennas, which is off where antennas are few, and AMP's
    state evolution for many devices. Channels are unit Rayleigh, pilots i.i.d. CN(0, 1).
    """
    import numpy as np

    from mmvsolvers import planning
    from mmvsolvers.registry import find_solver
    from mmvsolvers.writing import check_output

    if output.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--output must end in .png, .pdf or .svg; got {output}")
    check_output(output, overwrite)
    chosen = find_solver(solver)
    demand = planning.Demand(
        N=N, M=M, activity=activity_model(case, p, ratio, groups), noise_var=noise_var, target=target, seed=seed
    )
    found = planning.plan(demand, chosen)
    title = f"N={N}, M={M}, p={p:g}, σ²={noise_var:g}, error rate {target:g}"
    typer.echo(title)
    typer.echo(f"ML, theory with many antennas: {_answer(found.ml_length, found.ml)}")
    typer.echo(f"AMP, state evolution: {_answer(found.amp_length, found.amp)}")
    for L, rate in found.simulated.items():
        typer.echo(f"{chosen.label}, simulated, L = {L}: {rate}")
    typer.echo(f"{chosen.label}, simulated: {_answer(found.length, found.simulated)}")
    activities = np.geomspace(max(p / 4, 1 / N), min(4 * p, 0.5), 5)
    planning.draw_figure(output, demand, found, chosen, planning.phase_diagram(demand, activities), activities, title)
    typer.echo(f"wrote {output}")


def _answer(length: int | None, looked_at: dict[int, Any]) -> str:
    if not looked_at:
        return "not asked of so many devices"
    return f"no L up to {max(looked_at)} suffices" if length is None else f"L = {length} suffices"
