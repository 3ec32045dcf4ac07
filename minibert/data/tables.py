"""Tables with a line of column names: CSV and TSV, read row by row."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from minibert.data.sources import Source, numbered, refusal


def rows(source: Source, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row as a dict) of a CSV or TSV file; its first line names the columns.

    What stands between the cells (a comma, a semicolon or a tab) is told by that line, which must
    name the ``wanted`` columns. A text in quotes may have line breaks. Raises ValueError, with file
    and line, for a row that is none.
    """
    _, first = next(numbered(source))
    marks = [m for m in ",;\t" if set(wanted) <= {name.strip(' "') for name in first.split(m)}]
    lines = (f"{line}\n" for line in source.lines())
    table, header = csv.reader(lines, delimiter=(*marks, ",")[0], strict=True), None
    while row := _next_row(table, source):
        number, cells = row
        if header is None:
            header = [cell.strip() for cell in cells]
            check_columns(source, number, header, wanted)
        elif len(cells) != len(header):
            expected = f"{len(header)} columns as in the first line (a text with commas in quotes)"
            raise refusal(source, number, expected, ",".join(cells))
        else:
            yield number, dict(zip(header, cells, strict=True))


def _next_row(table, source):
    """(line where it begins, cells) of the next row that is not blank, or None at the end."""
    while True:
        number = table.line_num + 1
        try:
            cells = next(table, None)
        except csv.Error as error:
            raise ValueError(
                f"{source.path}, line {number}: the row that begins here is no CSV ({error}): put "
                f"quotes around a text with commas or line breaks, and write a quote in it twice"
            ) from error
        if cells is None or any(cell.strip() for cell in cells):
            return cells and (number, cells)


def check_columns(source: Source, number: int, names: Iterable[str], wanted: Sequence[str]) -> None:
    """Raise ValueError, with file and line, where not each column that is wanted is there once."""
    names = list(names)
    if missing := [name for name in wanted if names.count(name) != 1]:
        told = (
            f"one column {missing[0]!r} (or say what it is called: text=..., label=...; "
            f"in a terminal --columns text=...,label=...)"
        )
        raise refusal(source, number, told, ", ".join(names))
