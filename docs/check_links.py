"""Check every link within the built site: ``python docs/check_links.py build/site``."""

import html
import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINK = re.compile(r'(?:href|src)="([^"]+)"')


@cache
def anchors(page: Path) -> set[str]:
    """Return what links may point to within a page."""
    return set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8")))


def dangling(site: Path) -> list[str]:
    """Return the links of the site's pages to files and places that are not there."""
    found = []
    for page in sorted(site.rglob("*.html")):
        if "_static" in page.parts:
            continue
        for link in dict.fromkeys(LINK.findall(page.read_text(encoding="utf-8"))):
            parts = urlsplit(html.unescape(link))
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            place = unquote(parts.fragment)
            if not target.exists() or (place and target.suffix == ".html" and place not in anchors(target)):
                found.append(f"{page.relative_to(site)}: {link}")
    return found


if __name__ == "__main__":
    missing = dangling(Path(sys.argv[1]).resolve())
    sys.exit("\n".join(["links that lead nowhere:", *missing]) if missing else 0)
