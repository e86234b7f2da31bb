"""`mmv plan`: whether it can be done, and with which pilot length."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmvsolvers.cli.outputs import Overwrite, check_figure
from mmvsolvers.cli.scenario_options import ScenarioOptions, Seed, with_scenario


@with_scenario("L")
def plan(
    said: ScenarioOptions,
    target: Annotated[float, typer.Option("--target-error", help="Error rate to reach.")] = 1e-2,
    solver: Annotated[str, typer.Option("--solver", "-s", help="Who detects: a name, or file.py:object.")] = "map_cd",
    seed: Seed = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Figure, PNG, PDF or SVG.")] = Path("plan.png"),
    overwrite: Overwrite = False,
) -> None:
    """Find the pilot length that suffices: theory first, a short simulation second, and a phase diagram.

    The theory is that of maximum likelihood with many antennas, which is off where antennas are few, and AMP's
    state evolution for many devices. It is that of i.i.d. CN(0, 1) pilots and Rayleigh channels of the devices' average
    power; the simulation takes the scenario as it is.
    """
    from mmvsolvers import planning
    from mmvsolvers.registry import find_solver

    check_figure(output, overwrite)
    chosen = find_solver(solver)
    demand = planning.Demand(scenario=said.build(), target_error=target, seed=seed)
    found = planning.plan(demand, chosen)
    title = f"{demand.scenario.describe(('L',))}, error rate {target:g}"
    typer.echo(title)
    typer.echo(f"ML, theory with many antennas: {_answer(found.ml_length, found.ml)}")
    typer.echo(f"AMP, state evolution: {_answer(found.amp_length, found.amp)}")
    for L, rate in found.simulated.items():
        typer.echo(f"{chosen.label}, simulated, L = {L}: {rate}")
    typer.echo(f"{chosen.label}, simulated: {_answer(found.length, found.simulated)}")
    diagram = planning.phase_diagram(demand, demand.activities)
    planning.draw_figure(output, demand, found, chosen, diagram, demand.activities, title)
    typer.echo(f"wrote {output}")


def _answer(length: int | None, looked_at: dict[int, Any]) -> str:
    if not looked_at:
        return "not asked of so many devices"
    return f"no L up to {max(looked_at)} suffices" if length is None else f"L = {length} suffices"
