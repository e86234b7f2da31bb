from pathlib import Path

import pytest

from mmvsolvers import plotting
from mmvsolvers.paper import results
from mmvsolvers.paper.drawing import draw
from mmvsolvers.paper.figures import FIGURES

COMMITTED = Path(__file__).parents[2] / "examples" / "paper" / "results.csv"


@pytest.fixture
def drawn(monkeypatch):
    """The canvases that are saved, by the name of their file."""
    found = {}
    monkeypatch.setattr(plotting, "save", lambda canvas, path: found.update({path.name: canvas}))
    return found


def test_figures_say_what_is_fixed_and_how_it_was_measured(drawn):
    draw(FIGURES[6], results.read(COMMITTED), Path("fig6.png"))
    assert list(drawn) == ["fig6.png", "fig6_extras.png"]
    canvas = drawn["fig6.png"]
    title = canvas.get_suptitle()
    assert title.startswith("Fig. 6: Channel estimation, a single active group, N=1000\nσ²=0.1, scale quick, ")
    assert title.endswith(" test samples a point, 95 % intervals")
    # however many numbers of samples there are
    assert max(map(len, title.splitlines())) < 100
    assert canvas.axes[2].get_title("left") == "(c)  L=110, p=0.1"
    assert canvas.axes[2].get_xticks().tolist() == [8, 16, 24]


def test_schemes_with_the_same_pilots_share_the_curve_of_their_coherence(drawn):
    draw(FIGURES[6], results.read(COMMITTED), Path("fig6.png"))
    coherence = drawn["fig6_extras.png"].axes[3]
    assert coherence.get_ylabel() == "block-coherence of A"
    assert [container.get_label() for container in coherence.containers] == ["Gaussian pilots"]


def test_no_panel_is_empty(drawn):
    table = results.read(COMMITTED)
    table.loc[(table["figure"] == 9) & (table["panel"] == "b"), "mean"] = float("nan")
    draw(FIGURES[9], table, Path("fig9.png"))
    titles = [ax.get_title("left")[:3] for ax in drawn["fig9.png"].axes if ax.axison]
    assert titles == ["(a)", "(c)", "(d)"]
