"""Complex Gaussian numbers."""

import numpy as np
from numpy.typing import NDArray


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    """Draw i.i.d. CN(0, 1) entries."""
    parts = rng.standard_normal((*shape, 2))
    parts *= np.sqrt(0.5)
    entries: NDArray[np.complex128] = parts.view(np.complex128)[..., 0]
    return entries
