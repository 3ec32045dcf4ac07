"""The checks of chapter 07: right answers pass, and known mistakes are called by their names."""

import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.course.learn.exercise import Right, Wrong, find
from minibert.course.learn.exercises import ch07
from minibert.text.merges import merge


def bpe(symbols, merges, order=1):
    for pair in merges[::order]:
        symbols = merge(symbols, pair, "".join(pair))
    return symbols


def lm_loss(logits, ids, mask, ahead=1, wanted=None, reduction="mean"):
    given, targets = logits[:, : ids.shape[1] - ahead], ids[:, ahead:]
    wanted = mask[:, ahead:].bool() if wanted is None else wanted
    return F.cross_entropy(given[wanted], targets[wanted], reduction=reduction)


def backwards(logits, ids, mask):
    wanted = mask[:, 1:].bool()
    return F.cross_entropy(logits[:, 1:][wanted], ids[:, :-1][wanted])


def nucleus(p, top_p, short=False, scaled=True, placed=True):
    ordered, order = p.sort(descending=True)
    total = ordered.cumsum(0)
    ordered = ordered.masked_fill(total > top_p if short else total - ordered >= top_p, 0.0)
    p = torch.zeros_like(p).scatter(0, order, ordered) if placed else ordered
    return p / p.sum() if scaled else p


def softened(p, top_p):
    return p.masked_fill(nucleus(p, top_p) == 0, -torch.inf).softmax(0)


def lowest(p, top_p):
    ordered, order = p.sort()
    kept = torch.zeros_like(p).scatter(0, order, ordered * (ordered.cumsum(0) - ordered < top_p))
    return kept / kept.sum()


def misplaced(p, top_p):
    ordered, _ = p.sort(descending=True)
    kept = p * (ordered.cumsum(0) - ordered < top_p)
    return kept / kept.sum()


def in_place(p, top_p):
    p.copy_(nucleus(p, top_p))
    return p


def choices(context, answers, start, delimiter, extract):
    return [[start, *context, delimiter, *answer, extract] for answer in answers]


def joint(scores, labels, words, ids, mask, auxiliary=0.5, targets=None, ignore=-100):
    targets = ids.masked_fill(mask == 0, -100)[:, 1:] if targets is None else targets(ids)
    each = F.cross_entropy(words[:, :-1].mT, targets, ignore_index=ignore)
    return F.cross_entropy(scores, labels) + auxiliary * each


SOLVED = {
    "07.bpe": bpe,
    "07.lm_loss": lm_loss,
    "07.nucleus": nucleus,
    "07.choices": choices,
    "07.find_the_bug": joint,
}
STUBS = {
    "07.bpe": lambda symbols, merges: list(symbols),
    "07.lm_loss": lambda *_: torch.tensor(0.0),
    "07.nucleus": lambda p, top_p: p.clone(),
    "07.choices": lambda *_: [],
    "07.find_the_bug": lambda scores, labels, words, ids, mask: (
        F.cross_entropy(scores, labels, ignore_index=0)
        + 0.5 * F.cross_entropy(words[:, :-1].mT, ids[:, 1:], ignore_index=0)
    ),
}


@pytest.mark.parametrize("name", SOLVED)
def test_right_answers_pass_and_stubs_are_untouched(name):
    exercise = find(name)
    assert isinstance(exercise.check(SOLVED[name]), Right)
    assert exercise.untouched(STUBS[name]) and not exercise.untouched(SOLVED[name])
    assert isinstance(exercise.check(STUBS[name]), Wrong)


FIRST = ch07.Encode.first_place


@pytest.mark.parametrize(
    ("name", "answer", "told", "points"),
    [
        ("bpe", lambda s, m: ch07.Encode.longest(s), "as WordPiece has it", 1),
        ("bpe", lambda s, m: FIRST(s), "wherever it stands", 1),
        ("bpe", lambda s, m: bpe(s, m, -1), "learned *first*", 1),
        ("bpe", lambda s, m: "".join(s), "a list of pieces", 0),
        ("lm_loss", lambda a, b, m: lm_loss(a, b, m, ahead=0), "nothing is shifted", 1),
        ("lm_loss", backwards, "the wrong way", 1),
        ("lm_loss", lambda a, b, m: lm_loss(a, b, torch.ones_like(m)), "padding is among", 1),
        ("lm_loss", lambda a, b, m: lm_loss(a, b, m, 1, m[:, :-1] > 0), "mask must be shifted", 2),
        ("lm_loss", lambda a, b, m: lm_loss(a, b, m, 1, b[:, 1:] > 0), "token 0 is left out", 2),
        ("lm_loss", lambda a, b, m: lm_loss(a, b, m, reduction="sum"), "the sum", 2),
        (
            "lm_loss",
            lambda a, b, m: lm_loss(a, b, m, reduction="sum") / m[:, 1:].numel(),
            "divided by all places",
            2,
        ),
        ("nucleus", lambda p, t: nucleus(p, t, short=True), "crosses the line", 2),
        ("nucleus", lambda p, t: nucleus(p, t, scaled=False), "adds up to one", 2),
        ("nucleus", lambda p, t: nucleus(p, t, placed=False), "but sorted", 2),
        ("nucleus", in_place, "have changed", 3),
        ("nucleus", softened, "a softmax of probabilities", 2),
        ("nucleus", lowest, "unlikeliest were kept", 1),
        ("nucleus", misplaced, "give it back its places", 2),
        ("choices", lambda *a: [row[:-1] for row in choices(*a)], "extract token is missing", 2),
        ("choices", lambda *a: [row[1:] for row in choices(*a)], "start token is missing", 2),
        ("choices", lambda c, a, s, d, e: [[s, *c, *b, e] for b in a], "delimiter does", 2),
        ("choices", lambda c, a, s, d, e: choices(c, a, s, e, d), "have changed places", 2),
        ("choices", lambda c, a, s, d, e: [[s, *b, d, *c, e] for b in a], "context comes first", 2),
        ("find_the_bug", lambda *a: joint(*a, targets=lambda i: i[:, 1:]), "padding is among", 2),
        ("find_the_bug", lambda *a: joint(*a, auxiliary=1.0), "not multiplied", 2),
        ("find_the_bug", lambda *a: joint(*a, auxiliary=0.0), "is gone", 1),
        (
            "find_the_bug",
            lambda *a: joint(*a, targets=lambda i: i[:, 1:], ignore=0),
            "taken for padding",
            2,
        ),
    ],
)
def test_mistakes_are_named(name, answer, told, points):
    verdict = find(f"07.{name}").check(answer)
    assert isinstance(verdict, Wrong) and told in verdict.message and verdict.points == points


def test_the_checks_agree_with_the_library():
    pieces = {*"lowerban", "r</w>", "a</w>"}
    pieces |= {"".join(pair) for pair in ch07.MERGES} | {s for p in ch07.MERGES for s in p}
    ids = {piece: i for i, piece in enumerate(sorted(pieces))}
    library = mb.text.BPE(ids, ch07.MERGES, "words")
    for word in ("lower", "banana", "er"):
        assert library.pieces(word) == ch07.Encode.merged([*word[:-1], word[-1] + "</w>"])
    p = ch07.Nucleus.p
    for top_p in (0.3, 0.6, 0.8, 1.0):
        found = mb.models.gpt.generation.distribution(p.log(), top_p=top_p)
        assert torch.allclose(found, ch07.Nucleus.limited(top_p), atol=1e-6)
