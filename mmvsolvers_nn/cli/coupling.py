"""`mmv coupling`: what a coupled scheme learned of who wakes with whom."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmvsolvers.cli.outputs import PANEL, Overwrite, check_figure
from mmvsolvers.cli.packages import require
from mmvsolvers.cli.scenario_options import Seed, TestSamples, TrainSamples
from mmvsolvers.cli.tables import table_beside, wide_console

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def coupling(
    weights: Annotated[Path, typer.Argument(help="Directory of a training run of a coupled scheme.")],
    n_test: TestSamples = 1000,
    n_train: TrainSamples = 1000,
    seed: Seed = 1,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Figure, PNG, PDF or SVG; the prior goes to an .npz beside it.",
            rich_help_panel=PANEL,
        ),
    ] = Path("coupling.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw a trained coupling, find the groups in it, and see what classical solvers do that are told of them.

    The prior is written as `groups` with their `group_prob`, as `activity_prob` and, of coupled MAP-NN, `couplings`.
    """
    require("torch", "safetensors")
    from mmvsolvers.cli.waiting import counted
    from mmvsolvers.files import save_arrays
    from mmvsolvers_nn import load_weights
    from mmvsolvers_nn.evaluation import LearnedSolver
    from mmvsolvers_nn.learned_prior import compare_priors, draw_prior, read_prior

    file = check_figure(output, overwrite, ".npz")
    model, configuration = load_weights(weights)
    prior, learned, scenario = read_prior(model), LearnedSolver(model, configuration), configuration.scenario
    save_arrays(file, prior.arrays(), overwrite=overwrite)
    draw_prior(output, prior, f"{learned.label}: {scenario}")
    rows = compare_priors(learned, prior, scenario, n_train=n_train, n_test=n_test, seed=seed)
    shown = list(counted(rows, "evaluating"))
    groups = f"{scenario}; groups found: {_sizes(prior.groups)}"
    wide_console().print(groups, table_beside(shown, "told"), sep="\n")
    typer.echo(f"wrote {output} and {file}")


def _sizes(groups: "NDArray[np.int64]") -> str:
    """Say how many groups there are of every size, such as 8 of 5 devices."""
    sizes = Counter(Counter(groups.tolist()).values())
    words = [f"{count} of {size} devices" for size, count in sorted(sizes.items()) if size > 1]
    return ", ".join(words) or "none"
