"""Tables that benchmarks put into pages."""

from pathlib import Path

from mmvsolvers.writing import write_text

README = Path(__file__).parent / "README.md"


def table(heads, rows):
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def insert(name, text, page=README):
    """Put text into a page between the comments that ``python -m bench.NAME`` keeps there."""
    begin, end = f"<!-- {name}: made by python -m bench.{name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} has no {begin} ... {end}")
    write_text(page, f"{before}{begin}\n\n{text}\n\n{end}{after}")
