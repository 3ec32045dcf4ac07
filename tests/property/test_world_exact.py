"""The floor is exact: every choice shows in the text, and the probabilities add up to one."""

from math import exp, fsum
from random import Random

import pytest

from minibert.world import exact, phrases
from minibert.world.base import world as make_world
from minibert.world.document import Document
from minibert.world.generator import Mixture
from minibert.world.kinds import KINDS
from minibert.world.words import Choice
from minibert.world.writer import Group, Writer

DOCUMENTS = 6  # of each kind, replayed in search of a second derivation


@pytest.fixture(scope="module")
def fixed():
    return make_world(0)


def written(write, fixed, count, seed):
    """``count`` documents drawn by ``write``."""
    random = Random(f"exact {seed}").random
    for _ in range(count):
        writer = Writer(fixed, random)
        write(writer)
        yield Document(writer, writer.kind)


def enumerated(write, fixed):
    """{text: probability} of a small grammar, where no two choice sequences share a text."""
    pairs = list(exact.enumerate_texts(write, fixed))
    assert len({text for text, _ in pairs}) == len(pairs) > 1
    return {text: exp(log_prob) for text, log_prob in pairs}


def test_a_small_grammar_enumerated_sums_to_one(fixed):
    opening = Group(
        fixed.lexicon,
        """
        3| [nsubj The {a:season}] was {b:old_or_new} .
        1| [nsubj A {a:season}] *came [obl after the {c:season!a}] .
        """,
    )

    def write(w):
        slots = w.say(opening)
        other = w.word("meal", without=[w.pick(w.lexicon["meal"])]) if w.chance(30) else None
        if other is None and w.chance(50):
            w.say(opening, a=slots["a"])

    with pytest.raises(AssertionError):  # a meal is drawn and never named
        enumerated(write, fixed)

    def shown(w):
        slots = w.say(opening)
        for cls in w.each(("clock", "day_part"), least=1, stop=40):
            w.say(Group(fixed.lexicon, f"[nsubj It] was {{x:{cls}}} ."), **slots)

    texts = enumerated(shown, fixed)
    assert fsum(texts.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("family", phrases.CHAINS)
def test_the_agreeing_subjects_sum_to_one(fixed, family, monkeypatch):
    monkeypatch.setattr(phrases, "_LENGTH", Choice([0, 1], [40, 30]))  # one ring: few enough texts
    groups = fixed.groups("exact test", phrases.TEMPLATES)

    def write(w):
        w.groups = groups
        phrases.say_agreeing(w, family)

    assert fsum(enumerated(write, fixed).values()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_has_one_derivation(fixed, kind):
    for document in written(KINDS[kind], fixed, DOCUMENTS, seed=kind):
        found = exact.derivations(KINDS[kind], fixed, document.lines())
        assert len(found) == 1, f"{len(found)} derivations of {document.text}"
        assert found[0] == pytest.approx(document.log_prob, abs=1e-9)


def test_no_kind_can_write_what_another_has_written(fixed):
    for document in written(Mixture(), fixed, DOCUMENTS, seed=0):
        found = exact.derivations(Mixture(), fixed, document.lines())
        assert found == [pytest.approx(document.log_prob, abs=1e-9)], document.text


def test_pruning_finds_the_same_derivations(fixed):
    def write(w):
        word = w.word("season")
        w.say(Group(w.lexicon, "[nsubj {s}] *came [obl after {t:season!s}] ."), s=word)
        w.say(Group(w.lexicon, "[nsubj It] was {a:old_or_new} .\n[nsubj It] was late/ADJ ."))

    for document in written(write, fixed, 10, seed=1):
        lines = document.lines()
        slow = exact.derivations(write, fixed, lines, prune=False)
        assert exact.derivations(write, fixed, lines) == slow == [document.log_prob]


def test_a_hidden_choice_is_found_out(fixed):
    def write(w):
        w.chance(50)
        w.say(Group(w.lexicon, "[nsubj It] was {a:old_or_new} ."))

    document = next(written(write, fixed, 1, seed=2))
    assert len(exact.derivations(write, fixed, document.lines())) == 2
    with pytest.raises(AssertionError):
        enumerated(write, fixed)


def test_replays_are_limited(fixed):
    def write(w):
        for _ in range(30):
            w.say(Group(w.lexicon, "[nsubj It] was {a:old_or_new} ."))

    with pytest.raises(ValueError, match="more than 50 replays"):
        list(exact.enumerate_texts(write, fixed, limit=50))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_documents_have_one_derivation(fixed, kind):
    for document in written(KINDS[kind], fixed, 150, seed=f"many {kind}"):
        found = exact.derivations(KINDS[kind], fixed, document.lines())
        assert found == [pytest.approx(document.log_prob, abs=1e-9)], document.text
