"""Between torch tensors and the arrays that compiled loops take."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def array(tensor: Tensor) -> NDArray[Any]:
    """Return a contiguous array of a CPU tensor's values; its memory is shared where it can be."""
    # Lazy conjugates and negatives have no counterpart in numpy.
    return np.ascontiguousarray(tensor.detach().resolve_conj().resolve_neg().numpy())


def double(tensor: Tensor) -> Tensor:
    """Return a real or complex tensor in double precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float64))
