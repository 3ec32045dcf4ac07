"""Basic tokenisation: text into the words and punctuation that WordPiece then cuts into pieces.

What BERT does first (`BasicTokenizer` in google-research/bert, `BertNormalizer` and
`BertPreTokenizer` in Hugging Face's tokenizers; the paper, Devlin et al. 2019, does not say):

1. control characters go, white space separates;
2. uncased models take accents off and lower the letters: "Élan" becomes "elan";
3. every punctuation sign and every Chinese character is a word by itself (the latter can be
   switched off: ``tokenize_chinese_chars``).

The tables of characters are in `minibert.text.unicode8`.
"""

import re
import unicodedata

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


def normalise(text, lowercase=True, strip_accents=True):
    """``text`` without control characters and, if asked, without accents and capitals.

    Each character is lowered alone, so there is no Greek final sigma (`str.lower` would make it).
    """
    if text.isascii() and text.isprintable():
        return text.lower() if lowercase else text
    text = _DROPPED.sub("", text)
    if strip_accents:
        text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return text.replace("Σ", "σ").lower() if lowercase else text


def searchable(text, lowercase=True, strip_accents=True):
    """`normalise` with a plain space for each white space: where added tokens are looked for."""
    return _SPACE.sub(" ", normalise(text, lowercase, strip_accents))


def words(text, lowercase=True, strip_accents=True, tokenize_chinese_chars=True):
    """The words and punctuation marks of ``text``, a list of str.

    >>> words("Élan, don't 東京!")
    ['elan', ',', 'don', "'", 't', '東', '京', '!']
    """
    pattern = WORD if tokenize_chinese_chars else SIGNED_WORD
    return pattern.findall(normalise(text, lowercase, strip_accents))


def align(text, lowercase=True, strip_accents=True):
    """For each character of `normalise` (text), its position in ``text``."""
    if text.isascii() and text.isprintable():
        return range(len(text))
    return [
        place
        for place, character in enumerate(text)
        for _ in normalise(character, lowercase, strip_accents)
    ]


def join(words):
    """Words and punctuation as people write them; `words` of the result gives them back.

    >>> join(["don", "'", "t", "ask", "(", "well", "-", "known", ")", "3", ".", "14"])
    "don't ask (well-known) 3.14"
    """
    text = " ".join(words)
    text = _CLITIC.sub(r"\1", text)
    text = _HYPHEN.sub("-", text)
    text = _NUMBER.sub(lambda match: match[1] or match[2], text)
    return detokenise(text.split(" ")) if text else ""
