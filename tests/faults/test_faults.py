"""A quick share of the fault scripts; README.md tells what the whole of them found."""

import sys

import numpy as np
import pytest

import mmvsolvers as mmv
from faults import interrupts, processes, scales

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals between processes and fork")


@posix
def test_calls_can_be_interrupted():
    rng = np.random.default_rng(0)
    case = interrupts.BATCHES["group_lasso_admm"][0]
    found = interrupts.interrupted_calls(
        "group_lasso_admm", case, interrupts.BATCH, rng, warm=False, times=4, longest=1.0
    )
    assert [outcome for outcome, _ in found] == ["KeyboardInterrupt"] * 4


@posix
def test_a_command_can_be_interrupted(tmp_path):
    # so long that no machine is done before
    command = interrupts.commands(tmp_path, max_iter=5000)["mmv solve"]
    early, late = (interrupts.interrupted_command(command, moment)[0] for moment in (0.5, 4.0))
    assert early in ("130, one line", "Python had not begun")
    assert late == "130, one line"


def test_every_solver_is_tried_at_all_scales():
    assert {function for function, _ in scales.CASES.values()} == set(mmv.SOLVERS)


@pytest.mark.parametrize("name", ["ml_cd", "group_lasso_bcd, weights", "map_cd, groups", "somp", "em_ep"])
def test_claims_are_true_at_any_scale(name):
    outcomes, faults = scales.run(6, 1, (name,), (np.complex64, np.complex128))
    assert not faults
    assert outcomes[name, "converged"] > 0


@posix
@pytest.mark.parametrize("layer", processes.LAYERS)
def test_threads_and_forks_are_right(layer, tmp_path):
    for way in ("threads", "fork, parent solved"):
        assert processes.outcome(layer, way, fail=True, folder=tmp_path) == "right"
