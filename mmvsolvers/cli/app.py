"""The application that the commands plug into."""

import typer

from mmvsolvers.cli.compare import compare
from mmvsolvers.cli.errors import OneLineErrors
from mmvsolvers.cli.evaluate import evaluate
from mmvsolvers.cli.export import export
from mmvsolvers.cli.solve import solve
from mmvsolvers.cli.train import train

main = typer.Typer(
    name="mmv",
    cls=OneLineErrors,
    help="Jointly sparse recovery and grant-free random access: compare solvers, solve problems, learn decoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (compare, solve, train, evaluate, export):
    main.command()(command)
