"""Steps that several kernels take: complex tiles as pairs of a real and an imaginary part, and their launch."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor


def real_view(tensor: Tensor) -> Tensor:
    """Return a contiguous real view (..., 2) of a complex tensor, copied where it must be."""
    return torch.view_as_real(tensor.detach().resolve_conj().contiguous())


def padded(**sizes: int) -> dict[str, int]:
    """Return the tile sizes BLOCK_... that hold the given sizes: powers of two, as tiles must be."""
    return {f"BLOCK_{name}": triton.next_power_of_2(size) for name, size in sizes.items()}


def launch(kernel: Any, like: Tensor, *arguments: Any, on_chip: int, **constants: int) -> None:
    """Run a kernel on the device of ``like``, one program for every entry of its first axis.

    Parameters
    ----------
    on_chip : int
        How many real numbers of the precision of ``like`` a program holds. So many warps share them that a thread has
        64 bytes or, with as many warps as there can be, more.
    """
    precision = like.real.dtype if like.is_complex() else like.dtype
    warps = min(max(on_chip * precision.itemsize // (32 * 64), 1), 32)
    with torch.cuda.device_of(like):
        kernel[(len(like),)](*arguments, num_warps=warps, **constants)


@triton.jit
def load_complex(pointer, offsets, mask):
    """Load complex numbers; zeros where the mask is not set."""
    re = tl.load(pointer + 2 * offsets, mask=mask, other=0.0)
    im = tl.load(pointer + 2 * offsets + 1, mask=mask, other=0.0)
    return re, im


@triton.jit
def store_complex(pointer, offsets, re, im, mask):
    """Store complex numbers."""
    tl.store(pointer + 2 * offsets, re, mask=mask)
    tl.store(pointer + 2 * offsets + 1, im, mask=mask)


@triton.jit
def accumulate_complex(pointer, offsets, re, im, mask):
    """Add to complex numbers in memory that no other program touches."""
    old_re, old_im = load_complex(pointer, offsets, mask)
    store_complex(pointer, offsets, old_re + re, old_im + im, mask)


@triton.jit
def product(P_re, P_im, x_re, x_im):
    """Return P·x."""
    re = tl.sum(P_re * x_re[None, :] - P_im * x_im[None, :], axis=1)
    im = tl.sum(P_re * x_im[None, :] + P_im * x_re[None, :], axis=1)
    return re, im


@triton.jit
def adjoint_product(Q_re, Q_im, x_re, x_im):
    """Return Qᴴ·x."""
    re = tl.sum(Q_re * x_re[:, None] + Q_im * x_im[:, None], axis=0)
    im = tl.sum(Q_re * x_im[:, None] - Q_im * x_re[:, None], axis=0)
    return re, im


@triton.jit
def outer(x_re, x_im, y_re, y_im):
    """Return x·yᴴ."""
    re = x_re[:, None] * y_re[None, :] + x_im[:, None] * y_im[None, :]
    im = x_im[:, None] * y_re[None, :] - x_re[:, None] * y_im[None, :]
    return re, im


@triton.jit
def real_inner(x_re, x_im, y_re, y_im):
    """Return Re⟨x, y⟩."""
    return tl.sum(x_re * y_re + x_im * y_im)
