import ast
import os
import subprocess
import sys
from pathlib import Path

import mmvsolvers


def python(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


HEAVY = ("torch", "numba", "scipy", "matplotlib", "h5py", "typer", "rich")
LOADED = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"


def test_importing_is_light():
    assert python(f"import mmvsolvers; {LOADED}") == []


def test_the_core_imports_neither_torch_nor_what_stands_on_it():
    """Not even inside functions: what needs both packages lives above both."""
    for path in Path(mmvsolvers.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in named:
                assert name.partition(".")[0] not in ("mmvsolvers_nn", "torch", "safetensors"), f"{path}:{node.lineno}"


def test_solving_and_comparing_need_no_torch():
    code = "import numpy as np, mmvsolvers as mmv; mmv.group_lasso_bcd(np.eye(2), np.eye(2), 0.1); "
    assert not {"torch", "matplotlib", "typer"} & set(python(code + LOADED))
    assert "torch" not in python(f"import mmvsolvers.cli.app, mmvsolvers.comparison, mmvsolvers.files; {LOADED}")


def test_a_second_process_does_not_compile():
    code = (
        "import numpy as np, mmvsolvers as mmv; from mmvsolvers import kernels\n"
        "mmv.group_lasso_admm(np.eye(2) + 0j, np.eye(2) + 0j, 0.1)\n"
        "stats = kernels.group_lasso_admm.solve_batch.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    python(code)
    assert python(code) == ["1", "0"]


def test_an_install_that_cannot_be_written_still_solves():
    # Numba keeps compiled code beside the source or, where that cannot be written, in the user's cache. Leave it none.
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "NUMBA_CACHE_LOCATOR_CLASSES": "UserWideCacheLocator"}
    code = (
        "import numpy as np, mmvsolvers as mmv; print(mmv.group_lasso_admm(np.eye(2), np.eye(2), 0.1).converged.all())"
    )
    assert python(code, env=os.environ | nowhere) == ["True"]


def test_one_thread_holds_a_blas_that_is_loaded_only_later():
    code = (
        "import numpy; from mmvsolvers._blas import one_thread\n"
        "with one_thread():\n"
        "    import scipy.linalg.blas; from threadpoolctl import threadpool_info\n"
        "    print(*[pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'])"
    )
    assert set(python(code)) == {"1"}
