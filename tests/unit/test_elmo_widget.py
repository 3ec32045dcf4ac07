"""The layer explorer: what it shows for two words, and what it says when there is nothing."""

import numpy as np
import pytest
import torch

from minibert.models.outputs import ModelOutput
from minibert.show import layers
from minibert.show.layers import LayerExplorer

CORPUS = [
    ["a", "bat", "flew"],
    ["a", "bat", "flew"],
    ["she", "swung", "the", "bat"],
    ["<b>", "flew"],
    ["bats", "fly"],
]


class Toy:
    """Layer 0: the word alone; layer 1: the word and the one before it."""

    def encode(self, sentences):
        longest = max(map(len, sentences))
        found = torch.zeros(2, len(sentences), longest, 12)
        for row, words in enumerate(sentences):
            for i, word in enumerate(words):
                one, two = self.vector(word), self.vector(words[i - 1] if i else "")
                found[0, row, i], found[1, row, i] = one, one + 2 * two
        return ModelOutput(found[-1], tuple(found))

    @staticmethod
    def vector(word):
        seed = sum((i + 1) * ord(c) for i, c in enumerate(word))
        return torch.randn(12, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def explorer():
    return LayerExplorer(Toy(), CORPUS, ("a bat flew away", "bat"), ("swung the bat", "bat"))


def test_the_first_frame_compares_the_word_in_both_sentences(explorer):
    assert explorer.message == "" and explorer.png.startswith(b"\x89PNG")
    told = explorer.frame.text
    assert "“bat” in the first and “bat” in the second: word vector 1.00, layer 1 " in told
    toy = Toy()
    a = toy.vector("bat") + 2 * toy.vector("a")
    b = toy.vector("bat") + 2 * toy.vector("the")
    want = torch.cosine_similarity(a, b, 0).item()
    assert f"layer 1 {want:.2f}" in told
    bat, norm = toy.vector("bat"), torch.nn.functional.normalize
    one, two = (norm(x, dim=0) + norm(bat, dim=0) for x in (a, b))
    mixed = torch.cosine_similarity(one, two, 0).item()
    assert f"mix {mixed:.2f}" in told


def test_the_nearest_uses_follow_the_mix(explorer):
    rows = [row for row in explorer.frame.table if row[0] == "1: bat"]
    assert rows[0][1:] == ["1.00", "a [bat] flew"]
    assert [row[2] for row in rows].count("a [bat] flew") == 1  # a sentence is listed once
    explorer.set(layer_0=0.0, layer_1=1.0)
    half = len(explorer.frame.table) // 2 + 1
    assert explorer.frame.table[half][2] == "she swung the [bat]"
    explorer.set(layer_0=1.0, layer_1=0.0)
    ties = {row[2] for row in explorer.frame.table if row[1] == "1.00"}
    assert ties == {"a [bat] flew", "she swung the [bat]"}


def test_a_new_sentence_gives_new_words_and_keeps_the_chosen_one(explorer):
    explorer.set(text_a="they saw a bat")
    buttons = explorer.controls["word_a"]
    assert [word for word, _ in buttons.options] == ["they", "saw", "a", "bat"]
    assert buttons.value == 3 and explorer.message == ""
    explorer.set(text_a="no animal here")
    assert buttons.value == 0 and "“no”" in explorer.frame.text
    explorer.controls["word_a"].value = 2  # a click
    assert "“here”" in explorer.frame.text


def test_text_is_shown_as_it_is(explorer):
    explorer.set(text_a="<script>alert(1)</script> flew", text_b="<b> flew")
    shown = explorer._words.value + explorer._picture.value
    assert "<script>" not in shown and "&lt;" in shown


def test_what_cannot_be_shown_is_said(explorer):
    explorer.set(text_a="   ")
    assert "needs a sentence" in explorer.message
    explorer.set(text_a="a bat", layer_0=0.0, layer_1=0.0)
    assert "at least one layer" in explorer.message
    explorer.set(layer_0=0.5)
    assert explorer.message == ""


def test_the_first_shares_can_be_chosen():
    texts = ("a bat flew away", "bat"), ("swung the bat", "bat")
    explorer = LayerExplorer(Toy(), CORPUS, *texts, shares=(1.0, 0.0))
    assert "mix 1.00" in explorer.frame.text and explorer.values["layer_1"] == 0.0


def test_misuse():
    with pytest.raises(ValueError, match="needs sentences"):
        LayerExplorer(Toy(), [], ("a bat", "bat"), ("a bat", "bat"))
    with pytest.raises(ValueError, match="'dog' is not in"):
        LayerExplorer(Toy(), CORPUS, ("a bat", "dog"), ("a bat", "bat"))


def test_a_use_is_cut_to_its_surroundings():
    words = [str(i) for i in range(20)]
    assert layers.in_context(words, 10, 2) == "… 8 9 [10] 11 12 …"
    assert layers.in_context(words, 0, 2) == "[0] 1 2 …"
    assert layers.in_context(words, 19, 2) == "… 17 18 [19]"
    assert np.isclose(layers._cosine(np.ones(3), -np.ones(3)), -1.0)
