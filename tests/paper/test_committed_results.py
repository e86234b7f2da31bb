from pathlib import Path

import pytest

from mmvsolvers.paper import drawing, results
from mmvsolvers.paper.claims import report
from mmvsolvers.paper.figures import FIGURES

FOLDER = Path(__file__).parent.parent.parent / "examples" / "paper"


@pytest.fixture(scope="module")
def table():
    return results.read(FOLDER / "results.csv")


def test_the_page_of_claims_is_what_the_results_say(table):
    assert (FOLDER / "README.md").read_text() == report(table)


def test_every_figure_is_there(table):
    assert set(table["figure"]) == set(FIGURES)
    assert all((FOLDER / f"fig{number}.png").is_file() for number in FIGURES)


@pytest.mark.parametrize("number", [6, 7])
def test_figures_are_drawn_from_the_results_alone(number, table, tmp_path):
    drawing.draw(FIGURES[number], table, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("number", "letters"), [(3, "abcd"), (4, "abc"), (8, "abcd"), (9, "abcd")])
def test_with_a_hundred_devices_every_scheme_is_measured_at_three_abscissas(number, letters, table):
    for letter in letters:
        for scheme in FIGURES[number].schemes:
            rows = table[(table["figure"] == number) & (table["panel"] == letter) & (table["scheme"] == scheme)]
            wanted = FIGURES[number].panels[0].quantity
            assert rows[rows["quantity"] == wanted]["mean"].notna().sum() >= 3


@pytest.mark.parametrize(
    ("number", "schemes"),
    [(5, "group_lasso_nn amp_nn"), (6, "group_lasso_nn amp_nn"), (10, "amp_nn"), (11, "amp_nn map_nn")],
)
def test_with_a_thousand_devices_networks_are_measured_where_the_panels_meet(number, schemes, table):
    for scheme in schemes.split():
        rows = table[(table["figure"] == number) & (table["scheme"] == scheme) & (table["L"] == 110)]
        wanted = rows[(rows["quantity"] == FIGURES[number].panels[0].quantity) & rows["mean"].notna()]
        assert {("a", 0.11), ("c", 16)} <= set(zip(wanted["panel"], wanted["x"], strict=True))
        assert set(wanted["protocol"]) == {2}
