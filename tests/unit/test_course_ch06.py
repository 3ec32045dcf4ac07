"""The checks of chapter 06: right answers pass, and known mistakes are called by their names."""

from collections import Counter

import pytest
import torch

from minibert.course.learn.exercise import Right, Wrong, find
from minibert.course.learn.exercises import ch06


def pair(a, b, cls_id, sep_id):
    first, rest = [cls_id, *a, sep_id], [*b, sep_id]
    return first + rest, [0] * len(first) + [1] * len(rest)


def align(words, labels, encode, cls_id, sep_id, first=True, every=False):
    ids, marks = [cls_id], [-100]
    for word, label in zip(words, labels, strict=True):
        pieces = encode(word)
        ids += pieces
        rest = [label if every else -100] * (len(pieces) - 1)
        marks += [label, *rest] if first else [*rest, label]
    return [*ids, sep_id], [*marks, -100]


def zeros_inside(words, labels, encode, cls_id, sep_id):
    ids, marks = align(words, labels, encode, cls_id, sep_id)
    return ids, [-100, *(0 if mark == -100 else mark for mark in marks[1:-1]), -100]


def shared(said, true):
    return sum((Counter(ch06.normalise(said)) & Counter(ch06.normalise(true))).values())


def best_span(starts, ends, longest):
    scores = starts[:, None] + ends[None, :]
    allowed = torch.ones_like(scores).triu().tril(longest - 1) > 0
    place = scores.masked_fill(~allowed, -torch.inf).argmax()
    return divmod(int(place), len(ends))


def greedy(starts, ends, longest):
    first = int(starts.argmax())
    return first, first + int(ends[first : first + longest].argmax())


def f1(said, true, words=ch06.normalise, count=Counter):
    said, true = words(said), words(true)
    same = sum((count(said) & count(true)).values())
    return 2 * same / (sum(count(said).values()) + sum(count(true).values()))


def mean(hidden, mask, weight):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True) @ weight


SOLVED = {
    "06.pair": pair,
    "06.align": align,
    "06.best_span": best_span,
    "06.f1": f1,
    "06.find_the_bug": mean,
}
STUBS = {
    "06.pair": lambda *_: ([], []),
    "06.align": lambda *_: ([], []),
    "06.best_span": lambda *_: (0, 0),
    "06.f1": lambda *_: 0.0,
    "06.find_the_bug": lambda hidden, mask, weight: hidden.mean(1) @ weight,
}


@pytest.mark.parametrize("name", SOLVED)
def test_right_answers_pass_and_stubs_are_untouched(name):
    exercise = find(name)
    assert isinstance(exercise.check(SOLVED[name]), Right)
    assert exercise.untouched(STUBS[name]) and not exercise.untouched(SOLVED[name])
    assert isinstance(exercise.check(STUBS[name]), Wrong)


@pytest.mark.parametrize(
    ("name", "answer", "told", "points"),
    [
        ("pair", lambda a, b, c, s: (pair(a, b, c, s)[0][:-1], []), "last [SEP]", 1),
        ("pair", lambda a, b, c, s: ([c, *a, s, c, *b, s], []), "one [CLS] only", 1),
        (
            "pair",
            lambda a, b, c, s: (pair(a, b, c, s)[0], [0] * (len(a) + 1) + [1] * (len(b) + 2)),
            "first [SEP] belongs",
            2,
        ),
        ("align", lambda *a: align(*a, every=True), "every piece", 2),
        ("align", lambda *a: align(*a, first=False), "last piece", 2),
        ("align", zeros_inside, "further pieces have the label 0", 2),
        ("align", lambda *a: (align(*a)[0], align(*a)[1][1:] + [-100]), "one place off", 2),
        ("align", lambda *a: (align(*a)[0], [0, *align(*a)[1][1:]]), "0 is a label", 2),
        ("best_span", lambda s, e, n: (int(s.argmax()), int(e.argmax())), "taken apart", 1),
        ("best_span", lambda s, e, n: best_span(s, e, len(s)), "for the limit", 2),
        ("best_span", lambda s, e, n: best_span(s, e, n + 1), "one token too many", 3),
        ("best_span", greedy, "another start", 2),
        ("best_span", lambda *a: (best_span(*a)[0], best_span(*a)[1] + 1), "the place behind", 3),
        ("f1", lambda a, b: shared(a, b) / len(ch06.normalise(a)), "the precision", 2),
        ("f1", lambda a, b: shared(a, b) / len(ch06.normalise(b)), "the recall", 2),
        ("f1", lambda a, b: 2 / (1 / shared(a, b)), "divided by zero", 2),
        ("f1", lambda a, b: f1(a, b, str.split), "as they stand", 1),
        ("f1", lambda a, b: f1(a, b, count=lambda w: Counter(set(w))), "counts once", 2),
        ("f1", lambda a, b: float(ch06.normalise(a) == ch06.normalise(b)), "exact match", 1),
        ("f1", lambda a, b: f1(a, b) / 2, "factor 2", 2),
        ("find_the_bug", lambda h, m, w: (h * m[..., None]).mean(1) @ w, "still counted", 2),
        ("find_the_bug", lambda h, m, w: (h * m[..., None]).sum(1) @ w, "long texts shout", 2),
        ("find_the_bug", lambda h, m, w: h[:, 0] @ w, "[CLS] alone", 1),
        (
            "find_the_bug",
            lambda h, m, w: (h * m[..., None]).sum(1) / m.sum() @ w,
            "its own number",
            2,
        ),
    ],
)
def test_mistakes_are_named(name, answer, told, points):
    verdict = find(f"06.{name}").check(answer)
    assert isinstance(verdict, Wrong) and told in verdict.message and verdict.points == points


def test_the_checker_agrees_with_the_library():
    from minibert.heads.spans import answer_f1, normalise_answer

    for text in ("The cat's  an-tics!", "A.B. the 3 men", "", "theatre an"):
        assert " ".join(ch06.normalise(text)) == normalise_answer(text)
        for other in ("cats antics", "ab 3", ""):
            assert ch06.Score.solve(text, other) == answer_f1(text, other)
