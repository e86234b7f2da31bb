"""`mmv train`: learn pilots and a decoder."""

import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from mmvsolvers.cli.packages import require
from mmvsolvers.cli.parsing import PILOT_KINDS, pilots_of, value_of
from mmvsolvers.cli.scenario_options import ScenarioOptions, Seed, with_scenario
from mmvsolvers_nn.schemes import SCHEMES

if TYPE_CHECKING:
    from mmvsolvers.scenario import Scenario


def _of(option: str) -> str:
    """Return the labels of the schemes that have an option."""
    return ", ".join(scheme.label for scheme in SCHEMES.values() if option in scheme.options)


@with_scenario("pilots")
def train(
    said: ScenarioOptions,
    scheme: Annotated[
        str, typer.Argument(metavar="SCHEME", help=f"{', '.join(SCHEMES)}, or your own record at file.py:object.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the run; the same command resumes it.")],
    U: Annotated[int | None, typer.Option("--U", help="Iterations of the approximation part [the scheme's].")] = None,
    V: Annotated[int | None, typer.Option("--V", help="Layers of the correction part [the scheme's].")] = None,
    width: Annotated[int | None, typer.Option(help="Hidden layers' size [2N for signals, 4N for support].")] = None,
    residual: Annotated[
        bool | None,
        typer.Option("--residual/--no-residual", help="Residual connection around the correction part [the scheme's]."),
    ] = None,
    pilots: Annotated[
        str,
        typer.Option(help=f"learned; or kept: {PILOT_KINDS}, or your own, as file.mat:A."),
    ] = "learned",
    start: Annotated[
        str, typer.Option("--start-pilots", help="What learned pilots start from; in groups also shared, orthogonal.")
    ] = "low_coherence",
    lam: Annotated[float | None, typer.Option(help=f"λ that {_of('lam')} starts from [2].")] = None,
    rho: Annotated[float | None, typer.Option(help=f"ρ that {_of('rho')} starts from [1].")] = None,
    damping: Annotated[
        str | None, typer.Option(help=f"Damping of {_of('damping')}: a number or adaptive [the scheme's].")
    ] = None,
    averaged: Annotated[
        bool | None,
        typer.Option("--averaged/--last", help=f"Whether {_of('averaged')} averages its iterates [the scheme's]."),
    ] = None,
    coupling: Annotated[
        str, typer.Option("--start-coupling", help="What a coupling starts from: none, or the activities' correlation.")
    ] = "none",
    prior: Annotated[
        str, typer.Option("--start-prior", help="The ε(n) to start from: average, or the true ones.")
    ] = "average",
    correction: Annotated[
        str | None, typer.Option(help="Own correction network at file.py:Class, called with (n_in, n_out).")
    ] = None,
    seed: Seed = 0,
    n_train: Annotated[
        int | None, typer.Option("--train-samples", help="Training samples of an epoch [9000, or the scheme's].")
    ] = None,
    n_validation: Annotated[int | None, typer.Option("--validation-samples", help="Validation samples [1000].")] = None,
    fresh: Annotated[
        bool | None, typer.Option("--fresh/--no-fresh", help="Draw training samples on the fly [no, or the scheme's].")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step [32, or the scheme's].")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam [1e-4, or the scheme's].")] = None,
    pilot_learning_rate: Annotated[float | None, typer.Option(help="That of the pilots [the same].")] = None,
    correction_learning_rate: Annotated[
        float | None, typer.Option(help="That of the correction part [the decoder's].")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="constant or cosine [constant, or the scheme's].")] = None,
    max_epochs: Annotated[int | None, typer.Option(help="Most epochs [100000, or the scheme's].")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without improvement before the end [5, or the scheme's].")
    ] = None,
    clip_norm: Annotated[float | None, typer.Option(help="Largest norm of a gradient [none, or the scheme's].")] = None,
    curriculum: Annotated[
        str | None, typer.Option(help="Stages to begin with, iterations:epochs,... such as 5:10,20:5 [none].")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... [a GPU if there is one].")] = None,
) -> None:
    """Train a learned scheme; defaults are the paper's, or the scheme's own. Killed runs go on where they were."""
    require("torch", "safetensors")
    from mmvsolvers.loading import load_object
    from mmvsolvers_nn import Architecture, Configuration, Optimisation
    from mmvsolvers_nn import train as run

    options = {
        "n_train": n_train,
        "n_validation": n_validation,
        "fresh": fresh,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "pilot_learning_rate": pilot_learning_rate,
        "correction_learning_rate": correction_learning_rate,
        "schedule": schedule,
        "max_epochs": max_epochs,
        "patience": patience,
        "clip_norm": clip_norm,
        "curriculum": None if curriculum is None else _stages(curriculum),
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    scenario, kind = scenario_of(said, pilots)
    configuration = Configuration(
        scenario=scenario,
        architecture=Architecture(
            scheme=scheme,
            U=U,
            V=V,
            width=width,
            residual=residual,
            pilots=kind,
            start=start.replace("-", "_"),
            lam=lam,
            rho=rho,
            damping=None if damping is None else value_of(damping),
            averaged=averaged,
            coupling=coupling,
            prior=prior,
            correction=None if correction is None else load_object(correction),
        ),
        optimisation=Optimisation.of_scheme(scheme, seed=seed, **chosen),
    )
    run(configuration, out, device=device, show_progress=True)
    said_by_file = (scheme, correction, said.activity, said.channel)
    own = {str(Path(name.partition(".py:")[0]).parent.resolve()) for name in said_by_file if name and ".py:" in name}
    found_in = f"PYTHONPATH={quote(os.pathsep.join(sorted(own)))} " if own else ""
    typer.echo(f"wrote {out}/weights.safetensors; compare with: {found_in}mmv evaluate {quote(str(out))}")


def _stages(text: str) -> tuple[tuple[int, int], ...]:
    try:
        pairs = [stage.split(":") for stage in text.split(",") if text]
        return tuple((int(iterations), int(epochs)) for iterations, epochs in pairs)
    except ValueError:
        raise ValueError(f"--curriculum must be iterations:epochs, separated by commas; got {text!r}") from None


def scenario_of(said: ScenarioOptions, pilots: str) -> "tuple[Scenario, str]":
    """Return the scenario that was asked for, and what an `Architecture` calls its pilots."""
    said.only_length()
    kind = pilots if pilots == "learned" else pilots_of(pilots)
    if isinstance(kind, str):
        return said.build(), kind
    return replace(said, pilots=pilots).build(), "given"
