"""`mmv reproduce`: the figures of the paper, measured."""

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.packages import require
from mmvsolvers.cli.paper import Numbers, chosen_figures, draw_figures
from mmvsolvers.cli.scenario_options import PILOT_DRAWS, SAMPLES, TRAIN_SAMPLES, ScenarioOptions, with_scenario
from mmvsolvers.paper.figures import SCHEMES, Figure
from mmvsolvers.validation import as_choice
from mmvsolvers_nn.paper.scales import SCALES


@with_scenario("scenario", "N", "activity", "pilots")
def reproduce(
    said: ScenarioOptions,
    numbers: Numbers = None,
    all_figures: Annotated[bool, typer.Option("--all", help="All ten figures.")] = False,
    scale: Annotated[
        str,
        typer.Option(metavar="|".join(SCALES), help="smoke: minutes; quick: hours on two cores; paper: as published."),
    ] = "quick",
    panels: Annotated[str | None, typer.Option(help="Letters of panels, such as a,d [all].")] = None,
    at: Annotated[str | None, typer.Option(help="Abscissas, such as 0.12,0.2 [all of the scale].")] = None,
    schemes: Annotated[str | None, typer.Option(help="Names, such as ml,map,amp_nn [the paper's, and extras].")] = None,
    n_test: Annotated[int | None, SAMPLES] = None,
    n_train: Annotated[int | None, TRAIN_SAMPLES] = None,
    n_draws: Annotated[int | None, PILOT_DRAWS] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Directory; a second start goes on there [paper-SCALE; paper-SCALE-own if changed]."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on this machine [one a core].")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler to compute on instead, tcp://HOST:PORT; one thread a worker.")
    ] = None,
) -> None:
    """Measure figures of the paper, write their numbers to results.csv, and draw them.

    What has been measured in the directory is kept: a run that was killed goes on where it was, and other figures,
    panels and schemes stay in results.csv. What is said of the scenario holds wherever a panel does not vary it.
    """
    require("pandas", "joblib", "torch", "safetensors")
    from mmvsolvers.cli.waiting import bar
    from mmvsolvers.paper.results import merge, read, write
    from mmvsolvers_nn.paper.run import Store, run
    from mmvsolvers_nn.paper.table import tabulate

    said.only_length()
    drawn = {name: n for name, n in (("n_test", n_test), ("n_train", n_train), ("n_draws", n_draws)) if n is not None}
    how = SCALES[as_choice("--scale", scale, tuple(SCALES))].with_samples(**drawn)
    paper = chosen_figures(numbers or [], all_figures)
    figures = [at_abscissas(edited(figure, said, panels, schemes), at, scale) for figure in paper]
    refuse_unknown(at, paper)
    changed = drawn or panels or at or schemes or said != ScenarioOptions()
    directory = out or Path(f"paper-{scale}-own" if changed else f"paper-{scale}")
    path, store = directory / "results.csv", Store(directory, how)
    planned = tabulate(figures, {}, how)
    before = read(path) if path.exists() else planned
    merge(before, planned)  # refused before anything is measured
    with bar("measuring") as progress:
        findings = run(
            figures,
            store,
            workers=workers or os.cpu_count() or 1,
            cluster=cluster,
            report=lambda done, total: progress.update(progress.task_ids[0], completed=done, total=total),
        )
    table = merge(before, tabulate(figures, findings, how))
    write(path, table)
    typer.echo(f"wrote {path}")
    draw_figures([shown(*pair, set(table["scheme"])) for pair in zip(paper, figures, strict=True)], path, directory)


def edited(figure: Figure, said: ScenarioOptions, panels: str | None, schemes: str | None) -> Figure:
    """Return a figure of other scenarios, with some of its panels, and of some schemes."""
    if said != ScenarioOptions():
        figure = replace(figure, edit=said.over)
    if panels is not None:
        wanted = _known("--panels", panels, [panel.letter for panel in figure.panels], f"figure {figure.number}")
        figure = replace(figure, panels=tuple(panel for panel in figure.panels if panel.letter in wanted))
    if schemes is not None:
        figure = replace(figure, schemes=_known("--schemes", schemes, list(SCHEMES), "mmv reproduce"), extras=())
    return figure


def refuse_unknown(text: str | None, figures: Collection[Figure]) -> None:
    """Refuse abscissas that none of the figures has, at any scale."""
    panels = [(figure, N, panel) for figure in figures for N in figure.N for panel in figure.panels]
    known = {x for figure, N, panel in panels for scale in SCALES for x in figure.abscissas(N, panel, scale)}
    unknown = sorted(set(as_numbers("--at", text)) - known) if text is not None else []
    if unknown:
        raise ValueError(
            f"--at: there are {', '.join(f'{x:g}' for x in sorted(known))}; got {', '.join(f'{x:g}' for x in unknown)}"
        )


def at_abscissas(figure: Figure, text: str | None, scale: str) -> Figure:
    """Return a figure at some abscissas of a list; panels that have none of them are left out."""
    if text is None:
        return figure
    wanted = as_numbers("--at", text)
    of_panels = [(panel, {x for N in figure.N for x in figure.abscissas(N, panel, scale)}) for panel in figure.panels]
    panels = tuple(panel for panel, known in of_panels if known & set(wanted))
    if not panels:
        known = sorted(set().union(*(known for _, known in of_panels)))
        raise ValueError(f"--at: figure {figure.number} has {', '.join(f'{x:g}' for x in known)}; got {text}")
    return replace(figure, panels=panels, at=wanted)


def as_numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers of a list."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be numbers, separated by commas; got {text!r}") from None


def shown(figure: Figure, measured: Figure, schemes: Collection[str]) -> Figure:
    """Return a figure with all of its panels, of the schemes just measured, or of all where others are in the table."""
    own = set(schemes) <= {*measured.schemes, *measured.extras}
    return replace(measured if own else figure, panels=figure.panels)


def _known(option: str, text: str, known: list[str], where: str) -> tuple[str, ...]:
    """Return the names of a list, each once; refuse those that are not known."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{option}: {where} knows {', '.join(known)}; got {', '.join(unknown)}")
    return names
