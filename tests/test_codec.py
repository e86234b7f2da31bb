"""Scenarios as text: what comes back is equal, and nothing but models is ever taken from a text."""

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mmvsolvers as mmv
from mmvsolvers.codec import FORMAT, decode, encode

SCENARIO = mmv.Scenario(N=8, L=5, M=3, activity=mmv.IndependentActivity(0.1, 3.0), noise_var=0.1)
WEIGHTS = Path(__file__).parent.parent / "examples" / "weights"


@dataclass(frozen=True)
class Half:
    """Every device but a share of them is idle."""

    share: float = 0.5
    shifts: tuple[int, ...] = ()

    def draw(self, rng, N, T):
        return rng.random((T, N)) < self.share

    def marginal(self, N):
        return np.full(N, self.share)


class Remembers(Half):
    pass


class Plain:
    def draw(self, rng, N, T):
        return np.ones((T, N), bool)

    def marginal(self, N):
        return np.ones(N)

    def __eq__(self, other):
        return isinstance(other, Plain)

    __hash__ = None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activity": mmv.SingleActiveGroup(0.25)},
        {"activity": mmv.GroupActivity(0.2, 4), "noise_var": None, "snr_db": 3.0},
        {"channel": mmv.Rayleigh(tuple(np.linspace(0.1, 1, 8)), 0.3), "pilots": "unit_norm"},
        {"pilots": np.random.default_rng(0).standard_normal((5, 8)) / 3},
        {"pilots": (np.random.default_rng(0).standard_normal((5, 8)) * (1 - 3j) / 7).astype(np.complex64)},
        {"activity": Half(0.3, (1, 2))},
        {"activity": Plain()},
    ],
    ids=lambda changes: ", ".join(changes) or "default",
)
def test_scenarios_come_back_equal(changes):
    wanted = replace(SCENARIO, **changes)
    found = mmv.from_json(mmv.to_json(wanted))
    assert found == wanted
    assert np.asarray(found.pilots).dtype == np.asarray(wanted.pilots).dtype


def test_own_classes_are_written_by_module_and_name():
    assert encode(replace(SCENARIO, activity=Half()))["activity"] == {
        "model": f"{__name__}:Half", "share": 0.5, "shifts": [],
    }  # fmt: skip
    assert encode(SCENARIO)["activity"] == {"model": "IndependentActivity", "p": 0.1, "ratio": 3.0}


def test_what_could_not_be_read_back_is_not_written():
    class Local(Half):
        pass

    stateful = Plain()
    stateful.seen = 3
    for activity, words in ((Local(), "at the top of a module"), (stateful, "make it a dataclass")):
        with pytest.raises(TypeError, match=words):
            mmv.to_json(replace(SCENARIO, activity=activity))
    with pytest.raises(TypeError, match=r"Half.shifts cannot be written: JSON does not know a Fraction"):
        mmv.to_json(replace(SCENARIO, activity=Half(0.5, (Fraction(1, 2),))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": FORMAT + 1}, f"the scenario is of format {FORMAT + 1}; this version reads up to {FORMAT}"),
        ({"activity": {"model": "subprocess:Popen", "args": ["true"]}}, "no ActivityModel of the name 'Popen'"),
        ({"activity": {"model": "os:system"}}, "module os has no ActivityModel of the name 'system'"),
        ({"activity": {"model": "Rayleigh"}}, "mmvsolvers has no ActivityModel of the name 'Rayleigh'"),
        ({"activity": {"model": "no_such_module:A"}}, "the module 'no_such_module' of an own class cannot be imported"),
        ({"activity": {"model": "IndependentActivity", "q": 1}}, "unexpected keyword argument 'q'"),
        ({"activity": 0.1}, "activity must have a 'model'; got 0.1"),
        ({"colour": 1}, "unknown fields: colour"),
        ({"N": 0}, "N must be at least 1"),
    ],
)
def test_other_texts_are_refused(changes, words):
    text = json.dumps(encode(SCENARIO) | changes)
    with pytest.raises(ValueError, match="not a scenario") as caught:
        mmv.from_json(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "3", "{}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match="not a scenario"):
        mmv.from_json(text)


@pytest.mark.parametrize("folder", sorted(path.name for path in WEIGHTS.iterdir() if path.is_dir()))
def test_committed_configurations_still_load(folder):
    fields = json.loads((WEIGHTS / folder / "configuration.json").read_text())["scenario"]
    found = decode(fields)
    assert (found.N, found.L, found.M, found.noise_var) == tuple(fields[name] for name in ("N", "L", "M", "noise_var"))
    assert encode(found)["activity"] == fields["activity"]
