"""Where one sentence ends and the next begins: a rule of thumb, good enough for cutting texts."""

import re

_ABBREVIATIONS = ("Mr", "Mrs", "Ms", "Dr", "St", "No", "vs", "etc", "Prof", "Capt", "Col", "Gen")
_NOT_AFTER = "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)
_BREAK = re.compile(
    rf"""(?: (?<=[.!?…]) | (?<=[.!?…]["'”’)]) )    # after a full stop, perhaps with a quote
         {_NOT_AFTER} (?<!\b[A-Z]\.)               # but not after Mr. or an initial
         \s+ (?=["'“‘(\[]*[A-Z0-9])                # before a capital or a number""",
    re.VERBOSE,
)


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph, a list of str; no character but white space is lost.

    >>> split_sentences('Dr. A. Bell came. "Is it late?" He left at 7.30.')
    ['Dr. A. Bell came.', '"Is it late?"', 'He left at 7.30.']
    """
    return [sentence for sentence in _BREAK.split(text.strip()) if sentence]
