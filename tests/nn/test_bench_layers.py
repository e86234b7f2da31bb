import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from mmvsolvers import SOLVERS

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.layers import CASES, COLUMNS, Case, difference, rows_of


@dataclass(frozen=True)
class Wrong(Case):
    """A function whose answers, or only gradients, are a little off."""

    scale: float = 1.0
    gradient_scale: float = 1.0

    def layer(self, A, Y, **backend):
        found = super().layer(A, Y, **backend)
        if not backend:
            found = found * self.scale + (self.gradient_scale - 1.0) * (found - found.detach())
        return found


def rows(**wrong):
    case = Wrong("ml_cd", 2, (0.1,), **wrong)
    return list(rows_of(case, "cpu", torch.complex128))


def test_times_come_with_right_answers_and_gradients():
    forward, both = rows()
    assert set(forward) | set(both) <= set(COLUMNS)
    assert min(forward["seconds"], both["seconds"], both["of_plain_autograd"]) > 0
    assert forward["error"] < 1e-9


@pytest.mark.parametrize(
    ("wrong", "note"),
    [
        ({"scale": 1.001}, "another answer than the solver's"),
        ({"gradient_scale": 1.001}, "other gradients than autograd's"),
    ],
)
def test_no_time_is_given_for_wrong_ones(wrong, note):
    last = rows(**wrong)[-1]
    assert last["note"] == note
    assert "seconds" not in last


def test_every_function_is_measured():
    assert {case.name for case in CASES} <= set(SOLVERS)


def test_difference_is_relative():
    a = torch.tensor([3.0, 4.0])
    assert difference(1.1 * a, a) == pytest.approx(0.1)
