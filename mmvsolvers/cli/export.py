"""`mmv export`: what a learned scheme learned, for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.learned import require_torch


def export(
    weights: Annotated[Path, typer.Argument(help="Directory of a training run.")],
    out: Annotated[Path, typer.Argument(help="File to write: .mat or .npz.")],
) -> None:
    """Write the pilots A, the threshold and the trained ε or λ and ρ to a file."""
    require_torch()
    from mmvsolvers.files import save_arrays
    from mmvsolvers_nn import load_weights

    model, _ = load_weights(weights)
    arrays = model.exported()
    save_arrays(out, arrays)
    typer.echo(f"wrote {', '.join(arrays)} to {out}")
