"""`mmv export`: what a learned scheme learned, for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from mmvsolvers.cli.outputs import Overwrite
from mmvsolvers.cli.packages import require


def export(
    weights: Annotated[Path, typer.Argument(help="Directory of a training run.")],
    out: Annotated[Path, typer.Argument(help="File to write: .mat, .npz, .h5 or .hdf5.")],
    overwrite: Overwrite = False,
) -> None:
    """Write the pilots A, the threshold and what the unrolled iterations learned, such as ε or λ, to a file."""
    require("torch", "safetensors")
    from mmvsolvers.files import check_destination, save_arrays
    from mmvsolvers_nn import load_weights

    check_destination(out, overwrite)
    model, _ = load_weights(weights)
    arrays = model.exported()
    save_arrays(out, arrays, overwrite=overwrite)
    typer.echo(f"wrote {', '.join(arrays)} to {out}")
