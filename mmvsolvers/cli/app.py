"""The application that all commands belong to. They import what is slow to import when they run, not before."""

from typing import Annotated

import typer

from mmvsolvers import __version__
from mmvsolvers.cli.errors import OneLineErrors
from mmvsolvers.cli.evaluate import evaluate
from mmvsolvers.cli.train import train

app = typer.Typer(
    name="mmv",
    cls=OneLineErrors,
    help="Jointly sparse recovery and grant-free random access: compare solvers, solve problems, learn decoders.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for command in (train, evaluate):
    app.command(rich_help_panel="Learned decoders")(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmvsolvers {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _without_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)


def main() -> None:
    """Run ``mmv``; see ``OneLineErrors`` for how it ends."""
    app()
