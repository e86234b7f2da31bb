"""Compiled code is kept on disk while the disk is sound, and never older than its sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.registry import cpu_target

KERNEL = """
from compiling import entry
from other import addend
@entry()
def kernel(x):
    return x + addend()
"""
OTHER = """
from compiling import entry, njit
@njit()
def addend():
    return {}
"""
CALL = "import kernel; print(kernel.kernel(1), sum(kernel.kernel.stats.cache_hits.values()))"


@pytest.fixture
def folder(tmp_path):
    """A package of two kernels, one of which calls the other, and how to call it in a new process."""
    source = Path(__file__).parents[1] / "mmvsolvers" / "kernels" / "compiling.py"
    shutil.copy(source, tmp_path)
    (tmp_path / "kernel.py").write_text(KERNEL)
    (tmp_path / "other.py").write_text(OTHER.format(1))
    return tmp_path


def call(folder, before=""):
    ran = subprocess.run([sys.executable, "-c", before + CALL], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_code_is_kept_until_any_source_changes(folder):
    assert call(folder) == ["2", "0"]
    assert call(folder) == ["2", "1"]
    (folder / "other.py").write_text(OTHER.format(10))
    assert call(folder) == ["11", "0"]
    assert call(folder) == ["11", "1"]


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\x80\x04K\x01."], ids=["empty", "rubbish", "another pickle"])
def test_a_damaged_cache_is_replaced(folder, kind, rubbish):
    call(folder)
    for file in (folder / "__pycache__").glob(kind):
        file.write_bytes(rubbish)
    assert call(folder) == ["2", "0"]
    assert call(folder)[0] == "2"


HANDED_OVER = """
from collections import namedtuple
from compiling import entry, njit
Kind = namedtuple("Kind", "name act")
@njit()
def double(x):
    return 2 * x
@njit()
def square(x):
    return x * x
@njit()
def apply(kind, function, x):
    return kind.act(x) + function(x)
@entry()
def kernel(x):
    return apply(Kind(0, double), square, x) + apply(Kind(0, square), double, x)
"""


def test_code_to_which_functions_are_handed_over_is_kept(folder):
    (folder / "kernel.py").write_text(HANDED_OVER)
    # of those that become parts of their callers nothing is left in any case
    apart = "import compiling; compiling.LONG = 0;"
    command = [sys.executable, "-c", apart + CALL.replace("kernel(1)", "kernel(3)")]
    for hits in ("0", "1"):
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert (ran.stdout.split(), ran.stderr) == (["30", hits], "")


def test_code_of_others_is_kept_when_a_source_changes(folder):
    (folder / "apart.py").write_text(OTHER.format(1).replace("@njit", "@entry"))
    apart = "import apart; apart.addend(); print(sum(apart.addend.stats.cache_hits.values()));"
    assert call(folder, apart) == ["0", "2", "0"]
    (folder / "kernel.py").write_text(KERNEL + "# another source")
    (folder / "other.py").write_text(OTHER.format(10))
    assert call(folder, apart) == ["1", "11", "0"]


def test_code_is_kept_where_its_sources_are_copied(folder):
    call(folder)
    for source in folder.glob("*.py"):
        os.utime(source, (0, 0))
    assert call(folder) == ["2", "1"]


def test_a_kernel_knows_the_sources_that_it_is_made_of():
    import mmvsolvers.kernels.m_sbl
    from mmvsolvers.kernels.compiling import _imported

    found = {file.name for file in _imported(Path(mmvsolvers.kernels.m_sbl.__file__))}
    beside = ("arrays", "compiling", "elementary", "interrupts", "map_cd", "products", "shared")
    assert found == {f"{name}.py" for name in beside}


def test_every_process_knows_the_same_sources(tmp_path):
    """Also where two files have one name: sets of paths come in another order in every process."""
    twice = ("arrays", "elementary", "interrupts", "map_cd", "shared")
    (tmp_path / "first.py").write_text("".join(f"import {name}, mmvsolvers.kernels.{name}\n" for name in twice))
    for name in twice:
        (tmp_path / f"{name}.py").touch()
    code = (
        "import first; from mmvsolvers.kernels.compiling import _digest, _imported; from pathlib import Path; "
        "print(len(_imported(Path(first.__file__))), _digest(Path(first.__file__)))"
    )
    places = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | places | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in "123"
    ]
    assert {int(sources) for sources, _ in found} == {2 * len(twice)}
    assert len({digest for _, digest in found}) == 1


def test_a_full_disk_is_done_without(folder):
    full = (
        "import errno, numba.core.caching as c\n"
        "def fail(*arguments): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "c.IndexDataCacheFile.save = fail\n"
    )
    assert call(folder, full) == ["2", "0"]


def test_parts_are_compiled_into_their_callers_alone(folder):
    """They are no functions for Python, which would jump nowhere, and leave nothing on disk."""
    call(folder)
    assert {file.name.split("-")[0] for file in (folder / "__pycache__").glob("*.nb?")} == {"kernel.kernel"}
    refused = "import other\ntry: other.addend()\nexcept TypeError as error: print('py_func' in str(error));"
    before = call(folder, refused + "\n")
    assert before == ["True", "2", "1"]
    after = "import kernel, other; kernel.kernel(1.0)\ntry: other.addend()\nexcept TypeError: print('no');\n"
    assert call(folder, after)[0] == "no"


@pytest.mark.parametrize("long", [0, 10**9], ids=["apart", "within callers"])
def test_long_and_short_functions_are_put_together(folder, long):
    """Those too that the entry does not call itself, and that several call."""
    other = "from compiling import njit\n@njit()\ndef double(x):\n    return 2 * x\n"
    other += "@njit()\ndef quadruple(x):\n    return double(double(x))\n"
    (folder / "other.py").write_text(other + "@njit()\ndef many(x):\n    return quadruple(double(x))\n")
    kernel = "from compiling import entry\nfrom other import many, quadruple\n"
    (folder / "kernel.py").write_text(kernel + "@entry()\ndef kernel(x):\n    return many(x) + quadruple(x)\n")
    before = f"import compiling; compiling.LONG = {long};"
    assert call(folder, before) == ["12", "0"]
    assert call(folder, before) == ["12", "1"]


def test_compiling_leaves_numba_and_the_collector_as_they_were(folder):
    before = "import gc, kernel; from numba.core.compiler import Flags; values = Flags.values; kernel.kernel(1.0);"
    assert call(folder, before + "print(gc.isenabled(), Flags.values is values);") == ["True", "True", "2", "0"]


def test_nothing_is_handed_over_that_is_not_used(folder):
    """Of an array's seven numbers and more, a function that reads its first entry gets one."""
    if not hasattr(cpu_target.target_context.codegen(), "_pass_builder"):
        pytest.skip("an LLVM before 20 has other passes")
    first = "from compiling import njit\n@njit()\ndef addend(x):\n    return x[0]\n"
    (folder / "other.py").write_text(first)
    (folder / "kernel.py").write_text(KERNEL.replace("addend()", "addend(x)").replace("x +", "x[0] +"))
    code = (
        "import compiling; compiling.LONG = 0\nimport re, numpy, kernel\nprint(kernel.kernel(numpy.ones(1)))\n"
        "[code] = kernel.kernel.inspect_llvm().values()\n"
        "[own] = [line for line in code.splitlines() if line.startswith('define') and 'addend' in line]\n"
        "print(len(re.findall('%', own)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["2.0", "2"], "")


def test_functions_of_others_call_those_of_numba_that_kernels_call(folder):
    """A part of a kernel is whole where it is put into code that is not of kernels."""
    code = (
        "import compiling, numba, numpy; compiling.LONG = 0\n"
        "def product(x): return numpy.dot(x, x)[0, 0] + x.sum()\n"
        "x = 2.0 * numpy.eye(3)\n"
        "print(compiling.entry()(product)(x), numba.njit(product)(x))"
    )
    (folder / "both.py").write_text(code)
    ran = subprocess.run([sys.executable, "both.py"], cwd=folder, capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["10.0", "10.0"], "")
