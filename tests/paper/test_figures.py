from dataclasses import replace

import pytest

from mmvsolvers import GroupActivity, to_json
from mmvsolvers.paper.figures import FIGURES, SCHEMES
from mmvsolvers.plotting import STYLES
from mmvsolvers.registry import SOLVERS
from mmvsolvers_nn.paper.run import tasks_of
from mmvsolvers_nn.paper.scales import SCALES
from mmvsolvers_nn.paper.tasks import Point, Timing, name_of
from mmvsolvers_nn.schemes import SCHEMES as LEARNED


def test_there_are_the_ten_figures_of_the_paper():
    assert list(FIGURES) == list(range(3, 13))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: f"fig{figure.number}")
def test_every_abscissa_is_a_scenario_of_its_own(figure, scale):
    for N in figure.N:
        for panel in figure.panels:
            xs = figure.abscissas(N, panel, scale)
            scenarios = [figure.scenario(N, panel, x) for x in xs]
            assert len(set(map(to_json, scenarios))) == len(xs) >= (2 if scale == "smoke" else 3)
            for x, scenario in zip(xs, scenarios, strict=True):
                assert scenario.activity.marginal(N).mean() == pytest.approx(x if panel.x == "p" else 0.1)
                assert 0 < scenario.L < N
                assert scenario.noise_var == 0.1


def test_an_edited_figure_varies_what_its_panels_vary():
    figure = replace(FIGURES[9], edit=lambda scenario: replace(scenario, M=6, activity=GroupActivity(0.1, 25)))
    by_length, by_antennas, by_groups = (
        figure.scenario(100, figure.panels[k], x) for k, x in ((0, 0.08), (2, 8), (3, 10))
    )
    assert (by_length.L, by_length.M, by_length.activity.n_groups) == (8, 6, 25)
    assert (by_antennas.M, by_antennas.activity.n_groups) == (8, 25)
    assert (by_groups.M, by_groups.activity.n_groups) == (6, 10)


def test_scenarios_have_names_for_files():
    names = [name_of(FIGURES[n].scenario(100, FIGURES[n].panels[0], 0.08)) for n in (3, 4, 9)]
    assert names == [
        "independent_N100_L8_M4_p0.1_ratio3", "single_group_N100_L8_M4_p0.1_G10", "groups_N100_L8_M4_p0.1_G20"
    ]  # fmt: skip


def test_figures_share_what_they_have_in_common():
    third, eighth = (
        {task.scenario for task in tasks_of(FIGURES[n], SCALES["quick"]) if task.scheme == "amp_nn"} for n in (3, 8)
    )
    assert third == eighth


def test_schemes_exist():
    for scheme in SCHEMES.values():
        assert scheme.solver in (LEARNED if scheme.is_learned else {*SOLVERS, "oracle_mmse", "optimum"})


def test_learned_schemes_are_called_and_look_the_same_everywhere():
    """The core, which draws the figures, must not import what trains; so both say the labels."""
    labels = {scheme.solver: scheme.label for scheme in SCHEMES.values() if scheme.is_learned}
    assert labels == {name: LEARNED[name].label for name in labels}
    assert set(LEARNED) <= set(STYLES)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_tasks_have_names_and_definitions_of_their_own(scale):
    tasks = {task for figure in FIGURES.values() for task in tasks_of(figure, scale)}
    assert len({task.key for task in tasks}) == len(tasks)
    assert len({(type(task), task.definition(scale)) for task in tasks}) == len(tasks)


def test_too_many_devices_are_not_trained_for_but_timed():
    tasks = [task for number in (5, 12) for task in tasks_of(FIGURES[number], SCALES["smoke"])]
    assert not any(task.is_training for task in tasks if isinstance(task, Point))
    assert any("map_nn" in task.schemes for task in tasks if isinstance(task, Timing) and task.scenario.N == 1000)
