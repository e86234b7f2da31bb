import pytest

from mmvsolvers.paper.figures import FIGURES, SCHEMES, Scene
from mmvsolvers.registry import SOLVERS
from mmvsolvers_nn.paper.run import tasks_of
from mmvsolvers_nn.paper.scales import SCALES
from mmvsolvers_nn.paper.tasks import Point, Timing
from mmvsolvers_nn.schemes import SCHEMES as LEARNED


def test_there_are_the_ten_figures_of_the_paper():
    assert list(FIGURES) == list(range(3, 13))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: f"fig{figure.number}")
def test_every_abscissa_is_a_scene_that_can_be_drawn(figure, scale):
    for N in figure.N:
        for panel in figure.panels:
            xs = figure.abscissas(N, panel, scale)
            scenes = [figure.scene(N, panel, x) for x in xs]
            assert len(set(scenes)) == len(xs) >= (2 if scale == "smoke" else 3)
            for scene in scenes:
                assert scene.activity.marginal(N).mean() == pytest.approx(scene.p)
                assert 0 < scene.L < N


def test_scenes_forget_what_their_case_does_not_know():
    values = {"L/N": 0.12, "p": 0.1, "M": 4, "ratio": 3.0, "G": 20}
    assert Scene.at("independent", 100, values).G == 0
    assert Scene.at("single_group", 100, values) == Scene.at("single_group", 100, values | {"ratio": 9.0, "G": 50})
    assert Scene.at("groups", 100, values).G == 20


def test_figures_share_what_they_have_in_common():
    third, eighth = (
        {task.scene for task in tasks_of(FIGURES[n], SCALES["quick"]) if task.scheme == "amp_nn"} for n in (3, 8)
    )
    assert third == eighth


def test_schemes_exist():
    for scheme in SCHEMES.values():
        assert scheme.solver in (LEARNED if scheme.is_learned else {*SOLVERS, "oracle_mmse"})


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_tasks_have_names_and_definitions_of_their_own(scale):
    tasks = {task for figure in FIGURES.values() for task in tasks_of(figure, scale)}
    assert len({task.key for task in tasks}) == len(tasks)
    assert len({(type(task), task.definition(scale)) for task in tasks}) == len(tasks)


def test_too_many_devices_are_not_trained_for_but_timed():
    tasks = [task for number in (5, 12) for task in tasks_of(FIGURES[number], SCALES["quick"])]
    assert not any(task.is_training for task in tasks if isinstance(task, Point))
    assert any("map_nn" in task.schemes for task in tasks if isinstance(task, Timing) and task.scene.N == 1000)
