"""The directive ``leaderboard``: how far every decoder is from the optimum, from a committed CSV file."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

HEADER = ("decoder", "error rate", "over the optimum's", "MSE", "draws × samples")


def tables(rows: Sequence[dict[str, str]]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Return a title and rows under ``HEADER`` for every case and pilot length, the best decoder first.

    The optimum is the decoder that samples or enumerates the posterior, with the fewest errors; ratios are over the
    draws that both were measured on.
    """
    for case, L in dict.fromkeys((row["case"], row["L"]) for row in rows):
        here = [row for row in rows if (row["case"], row["L"]) == (case, L)]
        names = dict.fromkeys(row["decoder"] for row in here)
        errors = {n: {row["draw"]: float(row["error_rate"]) for row in here if row["decoder"] == n} for n in names}
        mse = {n: np.mean([float(row["mse"]) for row in here if row["decoder"] == n]) for n in names}
        mean = {name: float(np.mean([*found.values()])) for name, found in errors.items()}
        samplers = [row["decoder"] for row in here if row["agree"]]
        optimum = min(samplers, key=lambda name: mean[name]) if samplers else None
        yield (
            f"{case}, L={L}",
            [
                (
                    name,
                    f"{mean[name]:.4g}",
                    _ratio(errors[name], errors[optimum]) if optimum else "",
                    f"{mse[name]:.4g}",
                    f"{len(errors[name])} × {here[0]['samples']}",
                )
                for name in sorted(names, key=lambda name: mean[name])
            ],
        )


def _ratio(found: dict[str, float], optimum: dict[str, float]) -> str:
    both = found.keys() & optimum.keys()
    wanted = sum(optimum[draw] for draw in both)
    return f"{sum(found[draw] for draw in both) / wanted:.2f}" if wanted else ""


class Leaderboard(SphinxDirective):
    """``.. leaderboard:: FILE`` with the file relative to the documentation."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"command": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return a list-table for every case."""
        path = Path(self.env.srcdir, self.arguments[0]).resolve()
        self.env.note_dependency(str(path))
        if not path.is_file():
            return self._parse([f"Not measured yet: ``{self.options['command']}``."])
        lines: list[str] = []
        with path.open(newline="", encoding="utf-8") as file:
            for title, rows in tables(list(csv.DictReader(file))):
                lines += [f".. list-table:: {title}", "   :header-rows: 1", "   :widths: 36 14 18 14 18", ""]
                for first, *others in (HEADER, *rows):
                    lines += [f"   * - {first}", *(f"     - {entry}" for entry in others)]
                lines.append("")
        return self._parse(lines)

    def _parse(self, lines: list[str]) -> list[nodes.Node]:
        container = nodes.container()
        self.state.nested_parse(StringList(lines, self.arguments[0]), self.content_offset, container)
        return list(container.children)


def setup(app: Any) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("leaderboard", Leaderboard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
