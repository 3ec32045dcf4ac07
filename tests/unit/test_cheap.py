"""Cheap baselines against numbers worked by hand, on examples of both kinds."""

import math

import numpy as np
import pytest

from minibert.data.examples import Example
from minibert.models.cheap import Majority, MostFrequentTag, RandomVectors, WordCounts
from minibert.world.tasksets.base import Example as WorldExample


def texts(**labels):
    """An example for each keyword: its name with blanks is the text, its value the label."""
    return [Example(text=name.replace("_", " "), label=label) for name, label in labels.items()]


TAGGED = [
    Example(tokens=("the", "run", "is", "a", "run"), labels=("D", "N", "V", "D", "N")),
    Example(tokens=("run", "to", "it"), labels=("V", "P", "N")),
]


def test_the_majority_label_is_always_said():
    found = Majority().fit(texts(a="x", b="y", c="y"))
    assert found.predict(texts(d="x", e="y")) == ["y", "y"]
    assert found.score(texts(d="x", e="y", f="y", g="x")) == 0.5
    assert Majority().fit(texts(a="x", b="y")).label == "x"  # the first of two
    assert Majority().fit(TAGGED).predict(TAGGED[1:]) == [["N", "N", "N"]]


def test_each_word_has_the_tag_that_it_had_most_often():
    found = MostFrequentTag().fit(TAGGED)
    asked = [Example(tokens=("run", "to", "Rome"), labels=("V", "P", "N"))]
    assert found.predict(asked) == [["N", "P", "N"]]  # N is the most frequent of all
    assert found.score(asked) == pytest.approx(2 / 3)
    assert found.score(TAGGED) == pytest.approx(7 / 8)


def test_what_is_counted():
    example = Example(text="Big dog, big cat.")
    words = {"big": 2, "dog": 1, ",": 1, "cat": 1, ".": 1}
    assert WordCounts().counts(example) == words
    pairs = ("big dog", "dog ,", ", big", "big cat", "cat .")
    assert WordCounts(bigrams=True).counts(example) == words | dict.fromkeys(pairs, 1)
    pair = Example(text="a dog", text_b="A dog dog")
    assert WordCounts().counts(pair) == {
        "1 a": 1, "1 dog": 1, "2 a": 1, "2 dog": 2, "both a": 1, "both dog": 1,
    }  # fmt: skip
    assert WordCounts().counts(Example(tokens=("Big", "dog"))) == {"big": 1, "dog": 1}


def test_the_regression_is_the_penalised_one():
    """By hand: two words, each in one text. The weights are a and -a with a = C / (1 + exp a).

    The loss is 2 log(1 + exp -a) + (penalty / 2) 2 a a; its derivative is zero there.
    """
    train = texts(good="pos", bad="neg")
    for penalty, a in ((1.0, 0.40106), (0.1, 1.63350)):
        assert a == pytest.approx(1 / penalty / (1 + math.exp(a)), abs=1e-4)
        found = WordCounts(penalties=(penalty,)).fit(train)
        assert found.names == ["neg", "pos"] and found.penalty == penalty
        p = found.probabilities(texts(good=None, good_good=None, never_seen=None))[:, 1]
        assert p == pytest.approx([1 / (1 + math.exp(-n * a)) for n in (1, 2, 0)], abs=1e-3)


def test_the_penalty_is_tuned_on_valid_and_the_strongest_of_equals_is_kept():
    """The frequent "x" says a; the rare "z", which a strong penalty ignores, says b."""
    train = texts(x="a", x_x="a", x_x_x="a", x_z="b")
    weak = WordCounts(penalties=(100.0, 0.01)).fit(train, texts(x="a", x_z="b"))
    assert weak.penalty == 0.01 and weak.score(train) == 1.0
    strong = WordCounts(penalties=(100.0, 0.01)).fit(train, texts(x="a"))
    assert strong.penalty == 100.0 and strong.predict(texts(x_z=None)) == ["a"]
    assert WordCounts(penalties=(5.0, 2.0, 1.0)).fit(train).penalty == 2.0  # untuned


def test_random_vectors_are_the_same_for_a_word_and_their_mean_is_the_text():
    found = RandomVectors(dim=5, seed=3)
    a, b = found.vector("a"), found.vector("b")
    assert not np.allclose(a, b) and not np.allclose(a, RandomVectors(5, seed=4).vector("a"))
    assert np.allclose(a, RandomVectors(5, seed=3).vector("a"))
    (row,) = found.features([Example(text="a B b")])
    assert row == pytest.approx((a + 2 * b) / 3)
    (pair,) = found.features([Example(text="a", text_b="b")])
    assert pair == pytest.approx(np.concatenate([a, b, abs(a - b)]))
    assert found.features([Example(text="")]) == pytest.approx(np.zeros((1, 5)))


def test_random_vectors_learn_what_two_words_say():
    found = RandomVectors(dim=50).fit(texts(good="pos", bad="neg"))
    assert found.predict(texts(good_bad_good=None, bad=None)) == ["pos", "neg"]


@pytest.mark.parametrize("kind", [WordCounts, RandomVectors])
def test_one_label_no_examples_and_words(kind):
    alone = kind().fit(texts(a=1, b=1))
    assert alone.predict(texts(c=None)) == [1] and alone.predict([]) == []
    with pytest.raises(ValueError, match="at least one labelled"):
        alone.score([])
    with pytest.raises(ValueError, match="for words use MostFrequentTag"):
        kind().fit(TAGGED)


def test_examples_of_the_world_are_read():
    train = [WorldExample(text="Good.", label="pos"), WorldExample(text="Bad.", label="neg")]
    assert WordCounts().fit(train, train).score(train) == 1.0
    tagged = [WorldExample(tokens=("a", "b"), labels=("A", "B"))]
    assert MostFrequentTag().fit(tagged).score(tagged) == 1.0
