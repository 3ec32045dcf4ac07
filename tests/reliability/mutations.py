"""Ways to damage a file, drawn by Hypothesis."""

import re

from hypothesis import strategies as st

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
TOKENS = [
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"{}", b"[]", b'""', b"-1", b"0", b"1e999",
    b"1" * 30, b"9" * 5000, b'"\\ud800"', b'"\\udc00x"', b"\xe9", b"\x00", b"\xff\xfe",
    b"[" * 20_000, b'{"a":' * 20_000, b"\xed\xa0\x80", b"\t", b"\n", b"\r\n", b" ", b"../../evil",
]  # fmt: skip
NUMBER = re.compile(rb"-?\d+(\.\d+)?")


@st.composite
def damaged(draw, data, others):
    """``data`` with one to three kinds of damage, or in its place a file of another format."""
    data = bytes(data)
    for _ in range(draw(st.integers(1, 3))):
        data = draw(st.sampled_from(DAMAGES))(draw, data)
    if others and draw(st.integers(0, 24)) == 0:
        data = draw(st.sampled_from(others))
    return data


def place(draw, data):
    """Anywhere, and more often near the ends, where headers stand."""
    most = len(data)
    near = draw(st.sampled_from((most, min(most, 64), -min(most, 64))))
    at = draw(st.integers(0, abs(near)))
    return max(0, most - at) if near < 0 else at


def cut(draw, data):
    return data[: place(draw, data)]


def behead(draw, data):
    return data[place(draw, data) :]


def flip(draw, data):
    at = place(draw, data)
    if at >= len(data):
        return data + b"\x01"
    return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]


def overwrite_number(draw, data):
    """A length in a header, in one of the widths and orders in which they stand."""
    at, width = place(draw, data), draw(st.sampled_from((1, 2, 4, 8)))
    value = draw(st.sampled_from(EXTREMES)) & ((1 << 8 * width) - 1)
    order = draw(st.sampled_from(("little", "big")))
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def change_number(draw, data):
    """A number that is written out."""
    found = list(NUMBER.finditer(data[:20_000]))
    if not found:
        return insert(draw, data)
    one = draw(st.sampled_from(found))
    return data[: one.start()] + draw(st.sampled_from(TOKENS)) + data[one.end() :]


def insert(draw, data):
    at = place(draw, data)
    more = draw(st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=20)))
    return data[:at] + more + data[at:]


def remove(draw, data):
    at = place(draw, data)
    return data[:at] + data[at + draw(st.integers(1, 40)) :]


def repeat(draw, data):
    at = place(draw, data)
    part = data[at : at + draw(st.integers(1, 200))]
    return data[:at] + part * draw(st.sampled_from((2, 3, 50))) + data[at + len(part) :]


def swap(draw, data):
    a, b = sorted((place(draw, data), place(draw, data)))
    size = draw(st.integers(1, 30))
    if b < a + size:
        return data[a:] + data[:a]
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def swap_lines(draw, data):
    lines = data.split(b"\n")
    a, b = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    lines[a], lines[b] = lines[b], lines[a] if draw(st.booleans()) else lines[b]
    return b"\n".join(lines)


DAMAGES = [
    cut, behead, flip, flip, overwrite_number, overwrite_number, change_number, change_number,
    insert, remove, repeat, swap, swap_lines,
]  # fmt: skip
