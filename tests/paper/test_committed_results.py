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


@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: f"fig{figure.number}")
def test_every_figure_is_there_and_drawn_from_the_results_alone(figure, table, tmp_path):
    assert (table["figure"] == figure.number).any()
    assert (FOLDER / f"fig{figure.number}.png").is_file()
    drawing.draw(figure, table, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("number", "letters"), [(3, "abcd"), (4, "abc"), (8, "abcd"), (9, "abcd")])
def test_with_a_hundred_devices_every_scheme_is_measured_at_three_abscissas(number, letters, table):
    for letter in letters:
        for scheme in FIGURES[number].schemes:
            rows = table[(table["figure"] == number) & (table["panel"] == letter) & (table["scheme"] == scheme)]
            wanted = FIGURES[number].panels[0].quantity
            assert rows[rows["quantity"] == wanted]["mean"].notna().sum() >= 3
