"""`mmv evaluate`: a learned scheme beside the classical solvers that it stands on."""

from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.outputs import Overwrite
from mmvsolvers.cli.packages import require
from mmvsolvers.cli.scenario_options import PilotDraws, ScenarioOptions, Seed, TestSamples, TrainSamples, with_scenario
from mmvsolvers.cli.tables import notes, table_beside, wide_console


@with_scenario("scenario", "N", "L", "pilots")
def evaluate(
    said: ScenarioOptions,
    weights: Annotated[Path, typer.Argument(help="Directory of a training run.")],
    n_test: TestSamples = 1000,
    n_train: TrainSamples = 2000,
    n_draws: PilotDraws = 5,
    seed: Seed = 1,
    optimum: Annotated[
        bool, typer.Option("--optimum", help="Show what is possible over the same pilots; it may take minutes.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV file for the table, with every parameter.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare trained weights with classical solvers over learned and Gaussian pilots.

    The scenario is that of the training, but for what is said of it: the decoder knows nothing of the change.
    """
    require("torch", "safetensors")
    from mmvsolvers.cli.waiting import counted
    from mmvsolvers.comparison import Samples
    from mmvsolvers.tables import records, write_csv
    from mmvsolvers.writing import check_output
    from mmvsolvers_nn import load_weights
    from mmvsolvers_nn.evaluation import LearnedSolver, compare_with_classical

    if output is not None:
        check_output(output, overwrite)
    model, configuration = load_weights(weights)
    learned, scenario = LearnedSolver(model, configuration), said.over(configuration.scenario)
    rows = compare_with_classical(
        learned, scenario, n_train=n_train, n_test=n_test, n_draws=n_draws, seed=seed, optimum=optimum
    )
    n_rows = 1 + 2 * (len(learned.compared_with) + optimum)
    shown = list(counted(rows, "evaluating", n_rows))
    wide_console().print(str(scenario), table_beside(shown, "pilots"), sep="\n")
    for line in notes(shown):
        typer.echo(line)
    typer.echo(f"± is a 95 % interval: over {n_test} samples, for Gaussian pilots over {n_draws} draws of them.")
    if output is not None:
        write_csv(output, records(shown, Samples(n_train, n_test, n_draws, seed)))
        typer.echo(f"wrote {output}")
