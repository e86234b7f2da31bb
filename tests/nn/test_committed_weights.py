"""The committed networks make the errors that stand beside them."""

import re
from pathlib import Path

import numpy as np
import pytest

import mmvsolvers as mmv
from mmvsolvers_nn import load_weights
from mmvsolvers_nn.evaluation import LearnedSolver

WEIGHTS = Path(__file__).parents[2] / "examples" / "weights"
ROW = re.compile(r"^\| `(psca_nn-\w+)` \| ([\d.]+) ± ([\d.]+) \|", re.MULTILINE)
TABLE = {name: (float(error), float(width)) for name, error, width in ROW.findall((WEIGHTS / "README.md").read_text())}
# A tenth of the table's samples: intervals √10 times as wide.
SAMPLES, WIDER = 2000, 10**0.5


@pytest.mark.parametrize("name", ["psca_nn-independent", "psca_nn-groups"])
def test_fresh_samples_give_the_error_of_the_table(name):
    model, configuration = load_weights(WEIGHTS / name)
    learned, (error, width) = LearnedSolver(model, configuration), TABLE[name]
    data = configuration.scenario.draw(np.random.default_rng(11), SAMPLES, pilots=learned.pilots, dtype=np.complex64)
    found = mmv.error_rate(learned.solve(data).score > float(model.threshold.value), data.activity)
    # twice the interval, so that no correct code fails
    assert abs(found.mean - error) <= 2 * (1 + WIDER) * width
