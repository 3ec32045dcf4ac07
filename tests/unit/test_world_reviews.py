"""Reviews: an exact probability, a label that shows, and the planted strengths of sentiment."""

from collections import Counter, defaultdict

import pytest

from minibert import world
from minibert.text import tokenise
from minibert.world import exact
from minibert.world.base import world as make_world
from minibert.world.generator import Mixture
from minibert.world.kinds import KINDS, review
from minibert.world.kinds.reviews.items import words
from minibert.world.writer import Phrase

DENIALS = {"not", "n't", "never", "far", "anything", "nobody", "neither", "no", "hardly"}


@pytest.fixture(scope="module")
def corpus():
    return world.generate(tokens=150_000, seed=11, kinds=["review"])


@pytest.fixture(scope="module")
def fixed():
    return make_world(0)


def phrases(sentence):
    """The templates of the phrases inside a sentence."""
    waiting = [form for form in sentence._forms if isinstance(form, Phrase)]
    for phrase in waiting:
        yield phrase
        waiting += [form for form in phrase.filled if isinstance(form, Phrase)]


def sides(document):
    """Which side each sentence about aspects speaks for: that of its last clause."""
    return list({at: side for at, _, side, _ in document.notes["aspects"]}.values())


def assert_one_derivation(document, fixed):
    found = exact.derivations(Mixture(["review"]), fixed, document.lines())
    assert found == [pytest.approx(document.log_prob, abs=1e-9)], document.text


def test_each_review_has_one_derivation_with_its_probability(corpus, fixed):
    short = [document for document in corpus.documents if len(document.lines()) <= 6]
    for document in short[:6]:
        assert_one_derivation(document, fixed)


@pytest.mark.slow
def test_many_reviews_have_one_derivation(corpus, fixed):
    for document in corpus.documents[100:180]:
        assert_one_derivation(document, fixed)


def assert_gold(documents):
    """Every sentence is a tree of its tokens, which its text gives back."""
    for document in documents:
        for sentence in document.sentences:
            assert tokenise(sentence.text) == sentence.tokens
            columns = (sentence.pos, sentence.lemma, sentence.head, sentence.relation)
            assert {len(column) for column in columns} == {len(sentence.tokens)}
            assert sentence.head.count(-1) == 1
            for at in range(len(sentence.head)):
                seen = set()
                while at >= 0:
                    assert at not in seen, f"a circle in {sentence.text!r}"
                    seen.add(at)
                    at = sentence.head[at]


def test_gold_is_a_tree_and_tokens_round_trip(corpus):
    assert_gold(corpus.documents[:500])


def test_no_verdict_is_shared_by_two_numbers_of_stars(fixed):
    groups = fixed.groups("review", KINDS["review"].templates)
    stars_of = defaultdict(set)
    for name, group in groups.items():
        if name.startswith("verdict."):
            for template in group.choice:
                stars_of[template.source].add(name.rpartition(".")[2])
    assert len(stars_of) > 40
    assert all(len(stars) == 1 for stars in stars_of.values())


def test_the_label_can_be_read_from_the_text(corpus, fixed):
    groups = fixed.groups("review", KINDS["review"].templates)
    stars_of = {
        template.source: name.rpartition(".")[2]
        for name, group in groups.items()
        if name.startswith("verdict.")
        for template in group.choice
    }
    for document in corpus.documents:
        templates = [document.sentences[at].template for at in document.notes["verdict"]]
        read = {stars_of[template] for template in templates if template in stars_of}
        assert read == {review.STAR_WORDS[document.notes["stars"]]}
        assert document.notes["label"] == review.LABELS[document.notes["stars"]]


def test_most_sentences_speak_for_the_label(corpus):
    for document in corpus.documents:
        side = review.SIDE[document.notes["label"]]
        spoken = sides(document)
        if side is not None:
            assert 2 * spoken.count(side) > len(spoken), document.text


def test_planted_strengths(corpus):
    manner, against, stars = Counter(), Counter(), Counter()
    for document in corpus.documents:
        manner.update(how for *_, how in document.notes["aspects"])
        stars[document.notes["stars"]] += 1
        side = review.SIDE[document.notes["label"]]
        if side is not None:
            against.update(spoken != side for spoken in sides(document))
    judged = manner["says"] + manner["denies"]
    assert 100 * manner["denies"] / judged == pytest.approx(review.NEGATED, abs=2)
    assert 100 * against[True] / against.total() == pytest.approx(15, abs=2)
    for number, percent in review.STARS.items():
        assert 100 * stars[number] / stars.total() == pytest.approx(percent, abs=3)


def test_denied_words_are_of_the_other_side(corpus, fixed):
    """The notes are honest: a denied clause has a denial and a word of the opposite side."""
    vocabulary = words(fixed.lexicon)
    known = defaultdict(set)  # (item, aspect, side): the words that say so
    for item in review.ITEMS:
        for aspect in item.aspects:
            for side in ("good", "bad"):
                for extreme in (False, True):
                    choice = vocabulary.choice(aspect, side, extreme) or ()
                    known[item.name, aspect.name, side].update(word.name for word in choice)
    checked = Counter()
    for document in corpus.documents:
        item = document.topic.removeprefix("review.")
        judged = Counter(at for at, *_, how in document.notes["aspects"])
        for at, name, side, how in document.notes["aspects"]:
            if how == "tells" or judged[at] > 1:
                continue
            clause = next(p for p in phrases(document.sentences[at]) if "adj" in p.fillers)
            side = review.OTHER[side] if how == "denies" else side
            assert clause.fillers["adj"].name in known[item, name, side], clause.text
            denial = DENIALS & {token.lower() for token in clause.tokens}
            assert (how == "denies") == bool(denial), clause.text
            checked[how] += 1
    assert checked["denies"] > 200 and checked["says"] > 1000


def test_no_word_is_on_both_sides_of_an_aspect(fixed):
    vocabulary = words(fixed.lexicon)
    for item in review.ITEMS:
        for aspect in item.aspects:
            found = Counter()
            for side in ("good", "bad"):
                for extreme in (False, True):
                    choice = vocabulary.choice(aspect, side, extreme)
                    found.update(word.name for word in choice or ())
            assert max(found.values()) == 1, aspect


def test_facts_in_reviews_are_true(corpus, fixed):
    known = set(fixed.facts)
    stated = [fact for document in corpus.documents for fact in document.facts]
    assert len(stated) > 500
    assert set(stated) <= known
