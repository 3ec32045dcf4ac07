"""How answers are compared with the right ones: SQuAD's official script."""

import re
import string
from collections import Counter


def normalise_answer(text):
    """Lower case, without punctuation, articles and double spaces: SQuAD's official script."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer_f1(said, true):
    """F1 of the words of two answers; where one is empty, 1 if both are (official script, 2.0)."""
    said, true = normalise_answer(said).split(), normalise_answer(true).split()
    if not said or not true:
        return float(said == true)
    same = sum((Counter(said) & Counter(true)).values())
    return 2 * same / (len(said) + len(true))


def squad_scores(said, true):
    """{"exact match": ..., "f1": ...} in percent, as SQuAD's official script counts.

    said: answers, "" for none; true: for each question a list of answers that count as right (the
    best of them is taken), [] or [""] for none.
    """
    if len(said) != len(true) or not said:
        raise ValueError(f"expected one answer per question, got {len(said)} for {len(true)}")
    exact = f1 = 0.0
    for one, right in zip(said, true, strict=True):
        right = [text for text in right if normalise_answer(text)] or [""]
        exact += max(normalise_answer(one) == normalise_answer(text) for text in right)
        f1 += max(answer_f1(one, text) for text in right)
    return {"exact match": 100 * exact / len(said), "f1": 100 * f1 / len(said)}
