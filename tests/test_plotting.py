import math

import pytest

from mmvsolvers import Estimate, plotting
from mmvsolvers.paper.figures import SCHEMES
from mmvsolvers.plotting import COLOURS, Curve, Panel, curve, draw_panels, figure, finish, save, styles
from mmvsolvers.registry import all_solvers


def style(line):
    return line.get_color(), line.get_marker(), line.get_linestyle()


def test_curves_show_means_and_intervals():
    with figure(1) as (_, (ax,)):
        curve(ax, [8, 12], [Estimate(0.4, 0.3, 0.6, 5), Estimate(0.2, 0.1, 0.25, 5)], "mine", 0)
    (bars,) = ax.containers
    line, _, (vertical,) = bars
    assert line.get_xydata().tolist() == [[8, 0.4], [12, 0.2]]
    ends = [segment[:, 1].tolist() for segment in vertical.get_segments()]
    assert ends == [pytest.approx([0.3, 0.6]), pytest.approx([0.1, 0.25])]


def test_what_is_unknown_is_left_out():
    unbounded = Estimate(0.2, 0.0, math.inf, 1)
    with figure(1) as (_, (ax,)):
        curve(ax, [8, 12], [None, unbounded], "some", 0)
        curve(ax, [8, 12], [None, None], "none", 1)
        finish(ax, "L", "MSE")
    (bars,) = ax.containers
    assert bars[0].get_xydata().tolist() == [[12, 0.2]]
    assert all(math.isfinite(limit) for limit in ax.get_ylim())


def test_every_curve_has_a_style_of_its_own():
    with figure(1) as (_, (ax,)):
        for index in range(5 * len(COLOURS)):
            curve(ax, [1.0], [Estimate(1.0, 0.5, 1.5, 3)], str(index), index)
    styles = {style(bars[0]) for bars in ax.containers}
    assert len(styles) == 5 * len(COLOURS)


@pytest.mark.parametrize(("mean", "high", "scale"), [(0.1, 0.2, "log"), (0.0, 0.2, "log"), (0.0, 0.0, "linear")])
def test_the_error_axis_is_logarithmic_where_it_can_be(mean, high, scale):
    with figure(1) as (_, (ax,)):
        curve(ax, [8], [Estimate(mean, 0.0, high, 5)], "mine", 0)
        finish(ax, "L", "error rate")
    assert ax.get_yscale() == scale
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("L", "error rate")


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_saves_in_the_format_of_the_suffix(tmp_path, suffix, start):
    path = tmp_path / f"a{suffix}"
    with figure(2) as (canvas, _):
        save(canvas, path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_leaves_the_global_style_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with figure(1):
        pass
    assert dict(mpl.rcParams) == before


def test_a_scheme_looks_alike_whoever_is_beside_it():
    assert styles(["mine", "ml_cd", "yours"])[1] == styles(["ml_cd"])[0]
    assert len(set(styles(["mine", "ml_cd", "yours"]))) == 3


def test_no_two_schemes_look_alike():
    solvers = [solver.name for solver in all_solvers(True)]
    paper = [name for name in SCHEMES if name not in ("group_lasso", "amp", "ml", "map")]  # which are solvers
    names = list(dict.fromkeys(solvers + paper))
    indices = styles(names)
    assert max(indices) < 100, "every one has a place of its own"
    looks = {(k % len(COLOURS), k % len(plotting.MARKERS), k % len(plotting.LINES)) for k in indices}
    assert len(looks) == len(names)


@pytest.fixture
def drawn(monkeypatch):
    """The canvases that are saved."""
    found = []
    monkeypatch.setattr(plotting, "save", lambda canvas, path: found.append(canvas))
    return found


ONE = Estimate(0.1, 0.05, 0.2, 9)


def test_panels_have_ticks_where_it_was_measured_and_none_is_empty(drawn, tmp_path):
    full = Panel([Curve("ml_cd", "ML", [16, 8, 12], 3 * [ONE])], "L", "error rate", "N=100")
    empty = Panel([Curve("ml_cd", "ML", [8, 12], [None, None])], "L", "MSE")
    words = Panel([Curve("mine", "mine", ["qpsk", "gaussian"], [ONE, ONE])], "pilots", "error rate", linear=True)
    draw_panels(tmp_path / "a.png", [full, empty, words], "title")
    first, second = drawn[0].axes
    assert first.get_xticks().tolist() == [16, 8, 12]
    assert first.containers[0][0].get_xdata().tolist() == [8, 12, 16]
    assert [label.get_text() for label in second.get_xticklabels()] == ["qpsk", "gaussian"]
    assert (first.get_yscale(), second.get_yscale(), first.get_xscale()) == ("log", "linear", "linear")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["ML", "mine"]


def test_the_legend_takes_a_free_place(drawn, tmp_path):
    panel = Panel([Curve("ml_cd", "ML", [1, 100], [ONE, ONE])], "N", "error rate")
    draw_panels(tmp_path / "a.png", 5 * [panel], "title")
    assert len(drawn[0].axes) == 6
    assert drawn[0].axes[5].get_legend() is not None
    assert not drawn[0].legends
    assert drawn[0].axes[0].get_xscale() == "log"
