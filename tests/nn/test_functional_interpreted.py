"""The backends' kernels as plain Python, each in a process of its own; and whether Triton compiles them."""

import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.mark.parametrize(
    ("backend", "switch"),
    [("numba", "NUMBA_DISABLE_JIT"), pytest.param("triton", "TRITON_INTERPRET", marks=needs_triton)],
)
def test_interpreted(backend, switch):
    file = Path(__file__).with_name("interpreted_backend.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        env={**os.environ, "BACKEND": backend, switch: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]


@needs_triton
@pytest.mark.parametrize("real", ["fp32", "fp64"])
@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        *product(("group_lasso_bcd", "map_cd", "covariance_lasso"), ("sweep", "reverse_sweep")),
        *product(("recursion",), ("decide_block", "eliminate_block", "reverse_block")),
        *product(("row_recursion",), ("threshold_block", "reverse_threshold_block")),
    ],
)
def test_compiles_for_cuda_without_a_gpu(name, kernel, real, tmp_path, monkeypatch):
    """The interpreter takes more than the compiler does."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assert "cubin" in compiled(name, kernel, real, 1)


@needs_triton
@pytest.mark.parametrize("name", ["group_lasso_bcd", "map_cd"])
def test_no_warp_reads_what_another_has_stored(name, tmp_path, monkeypatch):
    """A sweep is in place: between reading a device's value and storing the new one, the warps wait for each other."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    found = re.findall(r"ld\.global|st\.global|bar\.sync", compiled(name, "sweep", "fp32", 4)["ptx"])
    stores = [k for k, one in enumerate(found) if one == "st.global" and found[k - 1] != "st.global"]
    assert stores
    assert all(found[k - 1] == "bar.sync" for k in stores)


@needs_triton
def test_recursion_interpreted():
    """On CUDA the recursion on a block is a kernel, elsewhere plain torch: a process of its own compares the two."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("interpreted_recursion.py"))],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]


def compiled(name, kernel, real, num_warps):
    """Return what Triton makes of a kernel, by the kind of code."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = getattr(importlib.import_module(f"mmvsolvers_nn.functional._triton.{name}"), kernel)
    sizes = {"BLOCK_L": 16, "BLOCK_B": 32, "BLOCK_M": 1, "BLOCK_N": 32, "IS_FIRST": True}
    constants = {key: value for key, value in sizes.items() if key in function.arg_names}
    kinds = {"N": "i32", "B": "i32", "L": "i32", "M": "i32", "T": "i32", **dict.fromkeys(constants, "constexpr")}
    signature = {key: kinds.get(key, f"*{real}") for key in function.arg_names}
    source = ASTSource(fn=function, signature=signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": num_warps}).asm
