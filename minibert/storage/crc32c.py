"""CRC-32C (Castagnoli's polynomial) in NumPy, at about a gigabyte per second.

A checksum is the remainder of a division by a polynomial whose coefficients are bits, which is
linear: the remainder of ``a xor b`` is that of ``a`` xor that of ``b``. So the words (32 bits) of a
message are laid out in rows of ``LANES``, and all columns are divided at once: "what stood here,
moved on by one row, xor the next row". The last row is folded in half until one word is left.
Moving on by n bytes of zeros is a linear map of 32 bits, held by a table for each half of a word.
`slow_crc32c` is the textbook's division, bit by bit; a test holds the two equal.
"""

from functools import cache, lru_cache

import numpy as np

POLYNOMIAL = 0x82F63B78  # bits in reverse, as in RFC 3720, appendix B.4
LANES = 1 << 14  # words in a row, a power of two
ONES = 0xFFFFFFFF


def crc32c(data: bytes | np.ndarray) -> int:
    """The CRC-32C of bytes, or of an array of uint8 with one dimension."""
    data = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    if not len(data):
        return 0
    lanes = min(LANES, 1 << ((len(data) - 1) // 4).bit_length())
    extra = len(data) % (4 * lanes)
    first = np.zeros(4 * lanes, np.uint8)  # zeros in front change nothing
    first[len(first) - extra :] = data[:extra]
    words = first.view("<u4")
    for row in data[extra:].view("<u4").reshape(-1, lanes):
        words = _moved(words, 4 * lanes) ^ row
    while lanes > 1:
        lanes //= 2
        words = _moved(words[:lanes], 4 * lanes) ^ words[lanes:]
    return _image(_columns(4), int(words[0])) ^ _image(_columns(len(data)), ONES) ^ ONES


def slow_crc32c(data: bytes) -> int:
    """The same, one bit after the other."""
    remainder = ONES
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (POLYNOMIAL if remainder & 1 else 0)
    return remainder ^ ONES


def _moved(words, count):
    """Each word after ``count`` bytes of zeros."""
    low, high = _tables(count)
    halves = np.ascontiguousarray(words, "<u4").view("<u2")
    return np.take(low, halves[0::2]) ^ np.take(high, halves[1::2])


@cache
def _tables(count):
    """What becomes of each lower and each upper half of a word after ``count`` bytes of zeros."""
    tables = []
    for columns in (_columns(count)[:16], _columns(count)[16:]):
        table = np.zeros(1, "<u4")
        for column in columns:
            table = np.concatenate([table, table ^ np.uint32(column)])
        tables.append(table)
    return tables


@lru_cache(1024)
def _columns(count):
    """What becomes of each of a word's 32 bits after ``count`` bytes of zeros, by squaring."""
    if not count:
        return [1 << bit for bit in range(32)]
    half = _columns(count // 2)
    found = [_image(half, column) for column in half]
    for _ in range(count % 2 * 8):
        found = [column >> 1 ^ (POLYNOMIAL if column & 1 else 0) for column in found]
    return found


def _image(columns, word):
    """The linear map of these columns, applied to one word."""
    found = 0
    for bit, column in enumerate(columns):
        if word >> bit & 1:
            found ^= column
    return found
