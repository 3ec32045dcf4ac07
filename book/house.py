"""The picture of the house: the library's rooms from top to bottom, an arc for each import.

``python -m book.house`` reads the imports with grimp and writes ``docs/images/house.svg``.
"""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "house.svg"
STEP, WIDE, LEFT = 52, 540, 10  # pixels: from one room to the next; a box; the margin
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#8A6D00",
    "#56B4E9",
)  # safe when colour-blind


def rooms():
    """The rooms from top to bottom, as import-linter's contract in pyproject.toml orders them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [name.removeprefix("minibert.") for name in contract["layers"]]


def arrows():
    """(importing room, imported room) pairs, from top to bottom."""
    import grimp

    graph, names = grimp.build_graph("minibert", cache_dir=None), rooms()
    found = set()
    for above in graph.modules:
        for below in graph.find_modules_directly_imported_by(above):
            pair = tuple(f"{module}..".split(".")[1] for module in (above, below))
            if pair[0] != pair[1] and set(pair) <= set(names):
                found.add(pair)
    return sorted(found, key=lambda pair: [names.index(name) for name in pair])


def purpose(room):
    """The first line of a room's docstring."""
    path = ROOT / "minibert" / room
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.get_docstring(ast.parse(source.read_text("utf-8"))).splitlines()[0]


def drawn():
    """The picture as SVG, a text."""
    names = rooms()
    places = {name: 20 + STEP * i for i, name in enumerate(names)}
    parts = []
    for above, below in arrows():
        start, end = places[above] + 24, places[below] + 14
        edge, bend = LEFT + WIDE, 30 + 0.45 * (end - start)
        colour = COLOURS[names.index(above) % len(COLOURS)]
        parts.append(
            f'<g><path d="M{edge},{start} C{edge + bend:.0f},{start} {edge + bend:.0f},{end} '
            f'{edge + 2},{end}" stroke="{colour}" marker-end="url(#tip)"/></g>'
        )
    for name, top in places.items():
        line = purpose(name).replace("``", "").rstrip(".")
        parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{WIDE}" height="38" rx="5"/>'
            f'<text x="{LEFT + 10}" y="{top + 16}" font-weight="bold">{name}</text>'
            f'<text x="{LEFT + 10}" y="{top + 31}" font-size="11">{line}</text>'
        )
    height = 30 + STEP * len(names)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" font-size="13"'
            ' font-family="sans-serif" role="img" aria-label="The rooms of minibert">',
            '<defs><marker id="tip" markerWidth="7" markerHeight="6" refX="6" refY="3"'
            ' orient="auto">'
            '<path d="M0,0 L7,3 L0,6 z" stroke="none" fill="context-stroke"/></marker></defs>',
            f'<rect width="820" height="{height}" fill="white"/>',
            "<style>g path{fill:none;stroke-width:1.3} rect[rx]{fill:#f4f4f0;stroke:#555}</style>",
            *parts,
            "</svg>\n",
        )
    )


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(drawn(), encoding="utf-8")
