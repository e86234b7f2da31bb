import io
import os
import time

import pytest
import rich.console
from typer.testing import CliRunner

from mmvsolvers import comparison
from mmvsolvers._compilation import on_compilation
from mmvsolvers.cli import main, waiting
from mmvsolvers.cli.compiling_ahead import _n_cores, compiled_ahead
from mmvsolvers.cli.waiting import Forecast, clock, counted, foreseen


def test_the_forecast_does_not_jump():
    """Costs of a thousand to one, guesses that are wrong by one factor, and scenes that grow."""
    costs = {"slow": 40.0, "fast": 0.04, "middle": 2.0, "slower": 90.0}
    for order in (list(costs), list(costs)[::-1]):
        tasks = [(kind, costs[kind] * growth) for growth in (1.0, 1.2, 1.4) for kind in order]
        forecast = Forecast([kind for kind, _ in tasks], {kind: 1.9 * cost for kind, cost in costs.items()})
        truth = sum(seconds for _, seconds in tasks)
        for kind, seconds in tasks[:-1]:
            before = forecast.left
            forecast.finish(seconds)
            truth -= seconds
            assert 0.7 * truth <= forecast.left <= 1.01 * truth, kind
            assert forecast.left <= before
    assert Forecast(["a", "b", "a"], {"a": 1.0, "b": 2.0}).left == 4.0


def test_a_clock_is_read_as_one():
    assert [clock(seconds) for seconds in (0.4, 59.6, 3600, 4000.2)] == ["0:00", "1:00", "1:00:00", "1:06:40"]


@pytest.fixture
def terminal(monkeypatch):
    """What is shown, on a terminal of fixed width."""
    shown = io.StringIO()
    console = rich.console.Console

    def fake(**options):
        return console(file=shown, force_terminal=True, width=120, color_system=None)

    monkeypatch.setattr(rich.console, "Console", fake)
    return shown


def test_compilation_is_called_so_and_is_in_no_forecast(terminal, monkeypatch):
    events = []
    monkeypatch.setattr(waiting, "on_compilation", lambda tell: events.append(tell) or on_compilation(tell))
    probed = []

    def probe(kind):
        events[0](True)
        probed.append(kind)
        events[0](False)
        return 100.0

    found = list(foreseen(iter(range(4)), "working", ["a", "b"] * 2, probe))
    assert found == [0, 1, 2, 3]
    assert probed == ["a", "b"]
    assert "working" in terminal.getvalue()
    assert list(counted(iter("xyz"), "counting", 3)) == ["x", "y", "z"]
    assert "3/3" in terminal.getvalue()


def test_numba_says_when_it_compiles():
    import numba

    told = []
    with on_compilation(told.append):
        numba.njit(lambda x: x + 1)(1)
    numba.njit(lambda x: x + 2)(1)
    assert told == [True, False]


def test_another_process_goes_through_the_last_from_the_first_compilation_on(tmp_path):
    import numba

    first, last = tmp_path / "first", tmp_path / "last"
    with compiled_ahead(os.mkdir, [str(first), str(last)]):
        assert not list(tmp_path.iterdir())
        numba.njit(lambda x: x + 3)(1)
        for _ in range(6000):
            if first.exists():
                break
            time.sleep(0.01)
    assert first.exists() == last.exists() == (_n_cores() > 1)


def test_what_cannot_be_pickled_is_compiled_here_alone():
    import numba

    with compiled_ahead(lambda kind: None, ["a", "b"]):
        assert numba.njit(lambda x: x + 4)(1) == 5


def test_numbers_are_not_lost_to_an_error_in_the_figure(tmp_path, monkeypatch):
    def fail(*arguments):
        raise ValueError("no font")

    monkeypatch.setattr(comparison, "draw_figure", fail)
    path = tmp_path / "a.png"
    quick = ["-N", "20", "-L", "6", "--samples", "5", "--train-samples", "10", "--pilot-draws", "1", "-s", "ml_cd"]
    found = CliRunner().invoke(main, ["compare", *quick, "--output", str(path)])
    assert found.exit_code == 1
    assert found.stderr.strip() == "Error: no font"
    assert len(path.with_suffix(".csv").read_text().splitlines()) == 2
    assert not path.exists()


@pytest.mark.parametrize("columns", ["20", "40"])
def test_a_narrow_terminal_loses_no_column(tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    quick = ["-N", "20", "-L", "6", "--samples", "5", "--train-samples", "10", "--pilot-draws", "2", "-s", "ml_cd"]
    found = CliRunner().invoke(main, ["compare", *quick, "--output", str(tmp_path / "a.png")])
    assert found.exit_code == 0
    (header,) = (line for line in found.stdout.splitlines() if line.lstrip().startswith("solver"))
    assert header.split() == ["solver", "MSE", "error", "rate", "PM", "PF", "ms", "open", "div."]
    assert "…" not in found.stdout


def test_a_bar_counts_what_has_no_known_end(terminal):
    assert list(counted(iter(range(3)), "working")) == [0, 1, 2]
    assert "3/?" in terminal.getvalue()
