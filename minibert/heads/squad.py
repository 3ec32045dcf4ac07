"""How answers are compared with the right ones: SQuAD's official script."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and double spaces."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer_f1(said: str, true: str) -> float:
    """F1 of the words of two answers; where one is empty, 1 if both are (version 2.0)."""
    ours, theirs = normalise_answer(said).split(), normalise_answer(true).split()
    if not ours or not theirs:
        return float(ours == theirs)
    same = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs))


def counting(true: Iterable[str]) -> list[str]:
    """The right answers that count, those with a word; [""] where there is none."""
    return [text for text in true if normalise_answer(text)] or [""]


def squad_scores(said: Sequence[str], true: Sequence[Iterable[str]]) -> dict[str, float]:
    """{"exact match": ..., "f1": ...} in percent.

    said: answers, "" for none; true: for each question a list of answers that count as right (the
    best of them is taken), [] or [""] for none.
    """
    if len(said) != len(true) or not said:
        raise ValueError(f"expected one answer per question, got {len(said)} for {len(true)}")
    exact = f1 = 0.0
    for one, right in zip(said, map(counting, true), strict=True):
        exact += max(normalise_answer(one) == normalise_answer(text) for text in right)
        f1 += max(answer_f1(one, text) for text in right)
    return {"exact match": 100 * exact / len(said), "f1": 100 * f1 / len(said)}


def squad2_scores(said: Sequence[str], true: Sequence[Iterable[str]]) -> dict[str, float]:
    """`squad_scores` of version 2.0: of all questions, and of those with and without an answer.

    The latter are called "HasAns f1" and so on, as in the official script, and left out where there
    is no such question.
    """
    true = [list(right) for right in true]
    scores = squad_scores(said, true)
    for kind, has in (("HasAns", True), ("NoAns", False)):
        rows = [row for row in zip(said, true, strict=True) if any(row[1]) is has]
        if rows:
            part = squad_scores(*zip(*rows, strict=True))
            scores |= {f"{kind} {name}": score for name, score in part.items()}
    return scores
