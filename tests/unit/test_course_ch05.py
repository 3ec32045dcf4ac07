"""The checks of chapter 05: right answers pass, and known mistakes are called by their names."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.course.learn.exercise import Right, Wrong, find
from minibert.course.learn.exercises import ch05


def verdict(name, answer):
    exercise = find(name)
    return None if exercise.untouched(answer) else exercise.check(answer)


def passed(name, answer):
    return isinstance(verdict(name, answer), Right)


def told(name, answer, words):
    found = verdict(name, answer)
    return isinstance(found, Wrong) and words in found.message


def cut(word, pieces, first=True):
    found, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = [e for e in range(start + 1, len(word) + 1) if mark + word[start:e] in pieces]
        if not ends:
            return ["[UNK]"]
        end = max(ends) if first else min(ends)
        found.append(mark + word[start:end])
        start = end
    return found


def test_pieces():
    assert passed("05.wordpiece", cut)
    assert verdict("05.wordpiece", lambda word, pieces: []) is None
    assert told("05.wordpiece", lambda w, p: cut(w, p, False), "the longest piece wins")
    bare = lambda w, p: [piece.removeprefix("##") for piece in cut(w, p)]  # noqa: E731
    assert told("05.wordpiece", bare, "written with `##`")
    assert told("05.wordpiece", lambda w, p: [w] if w in p else ["[UNK]"], "has to be looked for")
    assert told("05.wordpiece", lambda w, p: cut(w, p)[:1], "only the first piece")
    part = lambda w, p: cut("play", p) + ["[UNK]"] if w == "playx" else cut(w, p)  # noqa: E731
    assert told("05.wordpiece", part, "nothing fits at 'x'")


def test_the_pieces_are_what_the_library_cuts():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(ch05.PIECES)]
    tokenizer = mb.text.WordPiece(tokens)
    for word in ("playing", "unaffable", "plays", "a", "playx"):
        assert [tokenizer.tokens[i] for i in tokenizer.encode(word)] == ch05.Pieces.cut(word)


def hide(ids, chosen, fate, drawn, mask_id, low=0.8, high=0.9, kept=None):
    seen = torch.where(chosen & (fate < low), mask_id, ids)
    seen = torch.where(chosen & (fate >= low) & (fate < high), drawn, seen)
    labels = torch.where(chosen if kept is None else kept(seen, chosen, mask_id), ids, -100)
    return seen, labels


def test_masks():
    assert passed("05.mask", hide)
    assert verdict("05.mask", lambda ids, *_: (ids.clone(), torch.full_like(ids, -100))) is None
    for change, words in (
        ({"low": 1.0}, "80 % should be"),
        ({"high": 1.0}, "half of these should stay"),
        ({"high": 0.8}, "no random word"),
        ({"kept": lambda seen, chosen, mask_id: ~chosen}, "turned round"),
        ({"low": 0.1, "high": 0.2}, "only one in ten is [MASK]"),
        ({"kept": lambda seen, chosen, mask_id: seen == mask_id}, "only the places with [MASK]"),
        ({"kept": lambda seen, chosen, mask_id: torch.ones_like(chosen)}, "every place has"),
    ):
        assert told("05.mask", lambda *given, c=change: hide(*given, **c), words), words

    def everywhere(ids, chosen, fate, drawn, mask_id):
        seen, _ = hide(ids, torch.ones_like(chosen), fate, drawn, mask_id)
        return seen, torch.where(chosen, ids, -100)

    def in_place(ids, chosen, fate, drawn, mask_id):
        seen, labels = hide(ids, chosen, fate, drawn, mask_id)
        ids.copy_(seen)
        return ids, labels

    assert told("05.mask", everywhere, "were not chosen have changed")
    assert told("05.mask", in_place, "work on a copy")
    assert told("05.mask", lambda *given: hide(*given)[::-1], "changed places")


def mlm(hidden, table, bias, labels, reduction="mean", wanted=None):
    wanted = labels != -100 if wanted is None else wanted(labels)
    return F.cross_entropy(hidden[wanted] @ table.T + bias, labels[wanted], reduction=reduction)


def test_the_loss_at_some_places():
    assert passed("05.mlm_loss", mlm)
    assert verdict("05.mlm_loss", lambda *_: torch.tensor(0.0)) is None
    total = lambda *given: mlm(*given, reduction="sum")  # noqa: E731
    assert told("05.mlm_loss", total, "the sum over the masked places")
    assert told("05.mlm_loss", lambda *given: total(*given) / 21, "divided by all places")
    no_zero = lambda *given: mlm(*given, wanted=lambda labels: labels > 0)  # noqa: E731
    assert told("05.mlm_loss", no_zero, "word 0 is left out")
    assert told("05.mlm_loss", lambda h, t, b, y: mlm(h, t, b * 0, y), "the bias is missing")

    def twice(hidden, table, bias, labels):
        shares = (hidden @ table.T + bias)[labels >= 0].softmax(-1)
        return F.cross_entropy(shares, labels[labels >= 0])

    assert told("05.mlm_loss", twice, "takes the softmax itself")


def broken(words, labels, weights, pairs, follows):
    loss = nn.CrossEntropyLoss()
    mlm = loss(words.flatten(0, 1), labels.flatten()) * weights.flatten()
    return mlm.sum() / (weights.sum() + 1e-8) + loss(pairs, follows)


def mended(words, labels, weights, pairs, follows, by="weights"):
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    weights = weights.flatten()
    under = {"weights": weights.sum(), "places": len(each), "one": 1}[by]
    return (each * weights).sum() / under + F.cross_entropy(pairs, follows)


def test_the_bug():
    assert verdict("05.find_the_bug", broken) is None
    assert passed("05.find_the_bug", mended)
    assert told("05.find_the_bug", lambda *given: mended(*given, by="places"), "nearly")
    assert told("05.find_the_bug", lambda *given: mended(*given, by="one"), "divide the sum")

    def ignoring(words, labels, weights, pairs, follows):
        loss = F.cross_entropy(words.flatten(0, 1), labels.flatten(), ignore_index=0)
        return loss + F.cross_entropy(pairs, follows)

    assert told("05.find_the_bug", ignoring, "use the weights")

    def ignoring_twice(words, labels, weights, pairs, follows):
        loss = nn.CrossEntropyLoss(ignore_index=0)
        return loss(words.flatten(0, 1), labels.flatten()) + loss(pairs, follows)

    def by_rows(words, labels, weights, pairs, follows):
        each = F.cross_entropy(words.mT, labels, reduction="none")  # (batch, places)
        rows = (each * weights).sum(1) / weights.sum(1)
        return rows.mean() + F.cross_entropy(pairs, follows)

    assert told("05.find_the_bug", ignoring_twice, "for both losses")
    assert told("05.find_the_bug", by_rows, "a mean for each text")


def test_the_bug_is_d2ls():
    d2l = pytest.importorskip("minibert.course.learn.d2l").d2l()
    words, labels, weights, pairs, follows = ch05.FindTheBug.case()
    *_, theirs = d2l._get_batch_loss_bert(
        lambda *_: (None, words, pairs), nn.CrossEntropyLoss(), 9, None, None,
        torch.zeros(2), None, weights, labels, follows,
    )  # fmt: skip
    assert theirs.item() == pytest.approx(broken(words, labels, weights, pairs, follows).item())
    assert theirs.item() != pytest.approx(mended(words, labels, weights, pairs, follows).item())


def test_parameters():
    count = ch05.Parameters.count
    assert count(30_522, 768, 12, 3072) == 109_482_240
    assert count(30_522, 1024, 24, 4096) == 335_141_888
    assert passed("05.parameters", lambda *given: count(*given))
    assert verdict("05.parameters", lambda *_: 0) is None
    for change, words in (
        ({"no": "pooler"}, "the pooler is missing"),
        ({"no": "biases"}, "the biases are missing"),
        ({"no": "norms"}, "the LayerNorms are missing"),
        ({"tables": 2}, "the segment table's two rows"),
    ):
        assert told("05.parameters", lambda *given, c=change: count(*given, **c), words)
    fixed = lambda V, dim, layers, hidden: count(V, dim, layers, 3072)  # noqa: E731
    assert told("05.parameters", fixed, "is a number fixed?")
    assert told("05.parameters", lambda *given: count(*given) + 1, "be 109,482,240, but is")
    for more, words in (
        (lambda V, d, n, h: -n * 2 * d, "two LayerNorms"),
        (lambda V, d, n, h: -n * (d * d + d), "four linear layers"),
        (lambda V, d, n, h: n * (h - d), "one a column of its result"),
        (lambda V, d, n, h: V * d, "the head for masked words"),
        (lambda V, d, n, h: V, "belongs to the head"),
    ):
        assert told("05.parameters", lambda *given, m=more: count(*given) + m(*given), words)


def test_quizzes_have_one_right_answer():
    for number in (1, 2, 3):
        quiz = getattr(ch05, ("WhichLoss", "WhySegments", "WhatScales")[number - 1])
        assert quiz.id == f"05.q{number}" and sum(choice.right for choice in quiz.choices) == 1
