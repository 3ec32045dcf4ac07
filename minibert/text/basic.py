"""Basic tokenisation: text into the words and punctuation that WordPiece then cuts into pieces.

What BERT does first (`BasicTokenizer` in google-research/bert; Devlin et al. 2019 does not say):
control characters go, white space separates; uncased models take accents off and lower the letters
("Élan" becomes "elan"); every punctuation sign is a word by itself, and, with
``tokenize_chinese_chars``, every Chinese character.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from minibert.text.tokens import detokenise
from minibert.text.unicode8 import DROPPED, IDEOGRAPHS, MARKS, PUNCTUATION, SPACES, inside

CHUNK = re.compile(f"[^{inside(SPACES)}]+")  # what lies between white space
_SPACE = re.compile(f"[{inside(SPACES)}]")
_DROPPED = re.compile(f"[{inside(DROPPED)}]+")
_MARKS = re.compile(f"[{inside(MARKS)}]+")
_ALONE = inside(PUNCTUATION, IDEOGRAPHS)
WORD = re.compile(f"[{_ALONE}]|[^{_ALONE}{inside(SPACES)}]+")
_SIGNS = inside(PUNCTUATION)
SIGNED_WORD = re.compile(f"[{_SIGNS}]|[^{_SIGNS}{inside(SPACES)}]+")  # Chinese is as other letters

# How people write what basic tokenisation splits: don't, well-known, 3.14, 1,200.
_CLITIC = re.compile(r"(?<=\w)(?<!\bn) (['’]) (?=(?:s|t|m|d|ll|re|ve)\b)", re.IGNORECASE)
_HYPHEN = re.compile(r"(?<=\w) - (?=\w)")
_NUMBER = re.compile(r"(?<=\d) (?:([.:])|(,)) (?=\d(?(2)\d\d\b))")


def normalise(text: str, lowercase: bool = True, strip_accents: bool = True) -> str:
    """``text`` without control characters and, if asked, accents and capitals; no final sigma."""
    if text.isascii() and text.isprintable():
        return text.lower() if lowercase else text
    text = _DROPPED.sub("", text)
    if strip_accents:
        text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return text.replace("Σ", "σ").lower() if lowercase else text


def searchable(text: str, lowercase: bool = True, strip_accents: bool = True) -> str:
    """`normalise` with a plain space for each white space: where added tokens are looked for."""
    return _SPACE.sub(" ", normalise(text, lowercase, strip_accents))


def words(
    text: str,
    lowercase: bool = True,
    strip_accents: bool = True,
    tokenize_chinese_chars: bool = True,
) -> list[str]:
    """The words and punctuation marks of ``text``.

    >>> words("Élan, don't 東京!")
    ['elan', ',', 'don', "'", 't', '東', '京', '!']
    """
    pattern = WORD if tokenize_chinese_chars else SIGNED_WORD
    return pattern.findall(normalise(text, lowercase, strip_accents))


def align(text: str, lowercase: bool = True, strip_accents: bool = True) -> Sequence[int]:
    """For each character of `normalise` (text), its position in ``text``."""
    if text.isascii() and text.isprintable():
        return range(len(text))
    options = lowercase, strip_accents
    return [place for place, one in enumerate(text) for _ in normalise(one, *options)]


def join(words: Iterable[str]) -> str:
    """Words and punctuation as people write them; `words` of the result gives them back.

    >>> join(["don", "'", "t", "ask", "(", "well", "-", "known", ")", "3", ".", "14"])
    "don't ask (well-known) 3.14"
    """
    text = _HYPHEN.sub("-", _CLITIC.sub(r"\1", " ".join(words)))
    text = _NUMBER.sub(lambda match: match[1] or match[2], text)
    return detokenise(text.split(" ")) if text else ""
