"""A step captured as a CUDA graph, with a recorder in the place of CUDA: what it must restore is the same."""

from contextlib import contextmanager, nullcontext
from unittest.mock import MagicMock

import pytest
import torch

from mmvsolvers import Scenario, SingleActiveGroup
from mmvsolvers_nn.configuration import Architecture, Configuration, Optimisation, build
from mmvsolvers_nn.distributed import Processes
from mmvsolvers_nn.sampling import Sampler
from mmvsolvers_nn.steps import TrainingStep, captured, held_moments

CONFIGURATION = Configuration(
    scenario=Scenario(N=12, L=4, M=2, activity=SingleActiveGroup(0.25), noise_var=0.05),
    architecture=Architecture(scheme="covariance_nn", V=2),
    optimisation=Optimisation(fresh=True, batch_size=8),
)
SAMPLER = Sampler(CONFIGURATION.scenario, CONFIGURATION.optimisation)


class RecordedStep(TrainingStep):
    """A step that is remembered, and not taken, while a graph is captured."""

    is_capturing, remembered = False, None

    def __call__(self, samples):
        if self.is_capturing:
            self.remembered = samples
        else:
            super().__call__(samples)


@pytest.fixture
def capture(monkeypatch):
    """Return `captured`, on CUDA as far as it can tell."""

    def run(step, samples):
        class Graph:
            def replay(self):
                step(step.remembered)

        @contextmanager
        def graph(_):
            step.is_capturing = True
            yield
            step.is_capturing = False

        monkeypatch.setattr(torch.cuda, "Stream", MagicMock())
        monkeypatch.setattr(torch.cuda, "current_stream", MagicMock())
        monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", graph)
        return captured(step, samples)

    return run


def make_step() -> RecordedStep:
    model = build(CONFIGURATION)
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01), fused=True)
    return RecordedStep(model, optimizer, 1.0, Processes())


def state_of(step: TrainingStep) -> list[torch.Tensor]:
    moments = [held_moments(step, parameter) for parameter in step.parameters]
    values = [moment for held in moments for _, moment in sorted(held.items())]
    return [parameter.detach().clone() for parameter in step.parameters] + values


@pytest.mark.parametrize("steps_before", [0, 1, 5])
def test_a_captured_step_goes_on_where_the_run_was(capture, steps_before):
    """Of a resumed run, and of every stage of a curriculum, Adam's moments stay what they were."""
    plain, recorded = make_step(), make_step()
    for number in range(steps_before):
        plain(SAMPLER.batch(number))
        recorded(SAMPLER.batch(number))
    replay = capture(recorded, SAMPLER.batch(steps_before))
    assert float(recorded.loss_sum) == float(recorded.n_skipped) == 0
    if steps_before:
        assert len(state_of(recorded)) == 4 * len(recorded.parameters)  # value, two moments, count
        for old, new in zip(state_of(plain), state_of(recorded), strict=True):
            assert torch.equal(old, new)
    plain.reset()
    for number in range(steps_before, steps_before + 3):
        plain(SAMPLER.batch(number))
        replay(SAMPLER.batch(number))
    for old, new in zip(state_of(plain), state_of(recorded), strict=True):
        assert torch.equal(old, new)
    assert torch.equal(plain.loss_sum, recorded.loss_sum)


def test_a_capture_keeps_the_addresses_that_the_graph_knows(capture):
    step = make_step()
    step(SAMPLER.batch(0))
    before = [parameter.data_ptr() for parameter in step.parameters]
    before += [value.data_ptr() for state in step.optimizer.state.values() for value in state.values()]
    capture(step, SAMPLER.batch(1))
    after = [parameter.data_ptr() for parameter in step.parameters]
    after += [value.data_ptr() for state in step.optimizer.state.values() for value in state.values()]
    assert before == after


def test_held_moments_are_copies():
    step = make_step()
    assert not any(held_moments(step, parameter) for parameter in step.parameters)
    step(SAMPLER.batch(0))
    held = held_moments(step, step.parameters[0])
    step(SAMPLER.batch(1))
    assert not torch.equal(held["exp_avg"], step.optimizer.state[step.parameters[0]]["exp_avg"])
