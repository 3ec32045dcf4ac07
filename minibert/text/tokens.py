"""Words out of text, and text out of words.

The conventions are the Penn Treebank's: punctuation and English clitics are tokens of their own
(``do n't``, ``Anna 's``, ``they 'll``), hyphenated words and numbers are one (``3-1``, ``1,200``,
``7.30``), so are ``Mr.`` and ``U.S.``. But quotes stay as they are typed, and ``cannot`` is one
word, so tokens can be turned back into their text.
"""

import re
from collections.abc import Iterable
from typing import Protocol

Spans = list[tuple[int, int]]  # (start, end) of each token, in characters of the text
Placed = tuple[list[int], Spans]  # ids, and where their tokens are in the text

TextOrIds = str | Iterable[int]


class Tokenizer(Protocol):
    """What every tokenizer here can do; some can do more."""

    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str: ...
    def __len__(self) -> int: ...


class Pieces:
    """What vocabularies share: ``tokens``, by their ids, and ``ids``, by token."""

    tokens: list[str]
    ids: dict[str, int]

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids


_CLITIC = r"['’](?i:s|m|d|ll|re|ve)(?!\w|-\w)"
_NOT = r"(?i:n['’]t)(?!\w|-\w)"

# No token contains white space or depends on what lies beyond it. A chunk between two spaces
# therefore always gives the same tokens: encoding a corpus looks at each distinct chunk only once.
_TOKEN = re.compile(
    rf"""
      [A-Za-z]++(?![-'’.\w])                       # a plain word: most of the text
    | (?:Mr|Mrs|Ms|Dr|St|Prof)\.                   # titles
    | (?:[A-Za-z]\.){{2,}}                         # U.S.  p.m.
    | <\w+>                                        # <unk> and its kind
    | {_NOT} | {_CLITIC}
    | \w+(?={_NOT})                                # do + n't
    | \w+(?:[.,:/](?<=\d.)\d+)*+(?:-\w+|(?!{_CLITIC})['’]\w+)*   # 1,200  lady's-maid  o'clock
    | \.{{2,}} | -{{2,}} | [^\w\s]                 # ...  --  and any other sign alone
    """,
    re.VERBOSE,
)

_ATTACHED_LEFT = re.compile(rf"[,.;:!?%)\]}}”’'…]|\.\.+|{_NOT}|{_CLITIC}")
_ATTACHED_RIGHT = frozenset("([{$£€#“‘")
_ATTACHED_BOTH = frozenset(("—", "--", "/"))


def tokenise(text: str) -> list[str]:
    """Split ``text`` into tokens, cased as they stand: all that is not white space, in order.

    >>> tokenise('Anna\\'s dog doesn\\'t bark at 7.30, "ever".')
    ['Anna', "'s", 'dog', 'does', "n't", 'bark', 'at', '7.30', ',', '"', 'ever', '"', '.']
    """
    return _TOKEN.findall(text)


def spans(text: str) -> Spans:
    """The tokens of ``text`` as pairs (start, end) of character positions."""
    return [match.span() for match in _TOKEN.finditer(text)]


def detokenise(tokens: Iterable[str]) -> str:
    """Join tokens as people write: the inverse of `tokenise` on well-formed prose.

    >>> detokenise(["She", "said", ",", '"', "I", "do", "n't", '"', "."])
    'She said, "I don\\'t".'
    """
    tokens = list(tokens)
    pieces, quoted, glue = [], False, True  # glue: no space before the next token
    for i, token in enumerate(tokens):
        if token == '"':
            opens = not quoted and (i == 0 or i < len(tokens) - 1)
            quoted = opens
        elif token == "'":
            opens = i == 0
        else:
            opens = token in _ATTACHED_RIGHT
        joined = token in _ATTACHED_BOTH
        left = joined or (not opens and (token == '"' or _ATTACHED_LEFT.fullmatch(token)))
        pieces.append(token if glue or left else " " + token)
        glue = joined or opens
    return "".join(pieces)


def checked(ids: Iterable[int], size: int) -> list[int]:
    """The ids as a list of int; ValueError for one that a vocabulary of ``size`` does not have."""
    found = [int(i) for i in ids]
    for i in found:
        if not 0 <= i < size:
            raise ValueError(f"expected ids from 0 to {size - 1}, got {i}")
    return found


def cut_pair(a: list[int], b: list[int], room: int) -> tuple[list[int], list[int]]:
    """Two lists cut at their ends to ``room`` items together; the longer one loses first."""
    if len(a) + len(b) > room:
        b = b[: max(room - len(a), room // 2)]
        a = a[: room - len(b)]
    return a, b
