"""The application that the commands plug into."""

from typing import Annotated

import typer

from mmvsolvers import __version__
from mmvsolvers.cli.compare import compare
from mmvsolvers.cli.errors import OneLineErrors
from mmvsolvers.cli.installed import add_installed
from mmvsolvers.cli.paper import claims, draw
from mmvsolvers.cli.plan import plan
from mmvsolvers.cli.roc import roc
from mmvsolvers.cli.solve import solve

main = typer.Typer(
    name="mmv",
    cls=OneLineErrors,
    help="Jointly sparse recovery and grant-free random access: compare solvers, solve problems, learn decoders.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode="markdown",  # rich's own would take defaults in brackets, such as [by rule], for its tags
)
for command in (compare, plan, roc, solve, draw, claims):
    main.command()(command)
add_installed(main)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmvsolvers {__version__}")
        raise typer.Exit


@main.callback(invoke_without_command=True)
def _without_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
