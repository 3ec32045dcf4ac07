"""Ways to damage a file. Each takes a `random.Random`, which Hypothesis seeds, and bytes."""

import re

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
TOKENS = [
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"{}", b"[]", b'""', b"-1", b"0", b"1e999",
    b"1" * 30, b"9" * 5000, b'"\\ud800"', b'"\\udc00x"', b"\xe9", b"\x00", b"\xff\xfe", b"../evil",
    b"[" * 20_000, b'{"a":' * 20_000, b"\xed\xa0\x80", b"\t", b"\n", b"\r\n", b" ", b"0.5", b",",
]  # fmt: skip
NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def damaged(rng, data, others):
    """``data`` with one to three kinds of damage, or in its place a file of another format."""
    if rng.random() < 0.04:
        return rng.choice(others)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(DAMAGES)(rng, data)
    return data


def place(rng, data):
    """Anywhere, and more often near the ends, where headers stand."""
    near = min(len(data), 64)
    at = rng.randint(0, rng.choice((len(data), near, near)))
    return len(data) - at if rng.random() < 0.3 else at


def cut(rng, data):
    return data[: place(rng, data)]


def behead(rng, data):
    return data[place(rng, data) :]


def flip(rng, data):
    at = place(rng, data)
    if at >= len(data):
        return data + b"\x01"
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def overwrite_number(rng, data):
    """A length in a header, in one of the widths and orders in which they stand."""
    at, width = place(rng, data), rng.choice((1, 2, 4, 8))
    value = rng.choice(EXTREMES) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, rng.choice(("little", "big"))) + data[at + width :]


def change_number(rng, data):
    """A number that is written out."""
    found = list(NUMBER.finditer(data[:20_000]))
    if not found:
        return insert(rng, data)
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(TOKENS) + data[one.end() :]


def insert(rng, data):
    at = place(rng, data)
    more = rng.choice(TOKENS) if rng.random() < 0.5 else rng.randbytes(rng.randint(1, 20))
    return data[:at] + more + data[at:]


def remove(rng, data):
    at = place(rng, data)
    return data[:at] + data[at + rng.randint(1, 40) :]


def repeat(rng, data):
    at = place(rng, data)
    part = data[at : at + rng.randint(1, 200)]
    return data[:at] + part * rng.choice((2, 3, 50)) + data[at + len(part) :]


def swap(rng, data):
    a, b = sorted((place(rng, data), place(rng, data)))
    size = rng.randint(1, 30)
    if b < a + size:
        return data[a:] + data[:a]
    first, second = data[a : a + size], data[b : b + size]
    return data[:a] + second + data[a + size : b] + first + data[b + size :]


def swap_lines(rng, data):
    lines = data.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], rng.choice((lines[a], lines[b]))
    return b"\n".join(lines)


DAMAGES = [
    cut, behead, flip, flip, overwrite_number, overwrite_number, change_number, change_number,
    insert, remove, repeat, swap, swap_lines,
]  # fmt: skip
