"""Devices in the order of their groups."""

import numpy as np
from numpy.typing import NDArray


def by_group(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the devices group by group, and where each group begins there, with N behind (G + 1,).

    ``group`` (N,) holds the groups 0 … G-1 of the devices.
    """
    order = np.argsort(group, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(group[order], prepend=-1)), group.size)
