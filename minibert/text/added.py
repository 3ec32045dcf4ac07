"""Tokens that are found whole in a text, before it is cut into pieces.

A vocabulary that was trained can be given more tokens, such as ``<user>`` or a product's name. They
are looked for first; only what stands between them is tokenised (`AddedVocabulary` in Hugging
Face's tokenizers).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple


class Added(NamedTuple):
    """``special``: it stands for no text, and is found only where special tokens are asked for.
    ``normalized``: it is looked for in the normalised text, in an uncased one with any capitals.
    """

    content: str
    special: bool = False
    normalized: bool = True


def added_of(given: Iterable[str | Added]) -> tuple[Added, ...]:
    """Strings as tokens that are not special; each token once, the last one that was given."""
    tokens = (one if isinstance(one, Added) else Added(one) for one in given)
    found = {token.content: token for token in tokens}
    if "" in found:
        raise ValueError("expected added tokens to have at least one character")
    return tuple(found.values())


class Finder:
    """Cuts a text at added tokens: of those that begin at one place the longest, from the left.

    ``align``: text to the place in it that each character of ``normalise(text)`` comes from. Tokens
    that are not ``normalized`` go first.
    """

    def __init__(
        self,
        added: Iterable[Added],
        ids: Mapping[str, int],
        normalise: Callable[[str], str] = str,
        align: Callable[[str], Iterable[int]] = lambda text: range(len(text)),
    ) -> None:
        self.normalise, self.align, self.patterns = normalise, align, {}
        for specials in (False, True):
            tables: tuple[dict[str, int], dict[str, int]] = {}, {}  # as it is, normalised
            for token in added:
                if specials or not token.special:
                    name = normalise(token.content) if token.normalized else token.content
                    if name:
                        tables[token.normalized].setdefault(name, ids[token.content])
            self.patterns[specials] = [_pattern(table) for table in tables]
        self.finds = {key: any(pattern for pattern, _ in two) for key, two in self.patterns.items()}

    def any(self, specials: bool = False) -> bool:
        """Whether there is a token to be found."""
        return self.finds[specials]

    def cut(self, text: str, specials: bool = False) -> Iterator[tuple[int, int, int | None]]:
        """(start, end, id) of each stretch of ``text``; the id is None between added tokens."""
        raw, normal = self.patterns[specials]
        for start, end, found in _cut(text, range(len(text)), text, *raw):
            if found is not None or normal[0] is None:
                yield start, end, found
                continue
            part = text[start:end]
            for a, b, inner in _cut(part, self.align(part), self.normalise(part), *normal):
                yield start + a, start + b, inner


def _pattern(table):
    """(a compiled pattern of these tokens, the longest first, or None; their ids)."""
    names = sorted(table, key=len, reverse=True)
    return (re.compile("|".join(map(re.escape, names))) if names else None), table


def _cut(text, origin, searched, pattern, ids):
    """(start, end, id or None) of stretches of ``text``; ``searched`` is from ``origin`` in it."""
    done = 0
    for match in pattern.finditer(searched) if pattern else ():
        start, end = origin[match.start()], origin[match.end() - 1] + 1
        if start > done:
            yield done, start, None
        yield start, end, ids[match[0]]
        done = end
    if done < len(text):
        yield done, len(text), None
