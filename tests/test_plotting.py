import math

import pytest

from mmvsolvers import Estimate
from mmvsolvers.plotting import COLOURS, curve, figure, finish, save


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
