"""The checks of chapter 07 agree with the library. (Wrong answers: see `tests/answers/ch07.py`.)"""

import torch

import minibert as mb
from minibert.course.learn.exercises.gpt_pieces import MERGES, Encode, Learn
from minibert.course.learn.exercises.gpt_writing import Nucleus
from minibert.models.gpt.generation import distribution


def test_a_word_is_cut_as_the_library_cuts_it():
    pieces = {*"lowerban", "r</w>", "a</w>"}
    pieces |= {"".join(pair) for pair in MERGES} | {s for p in MERGES for s in p}
    ids = {piece: i for i, piece in enumerate(sorted(pieces))}
    library = mb.text.BPE(ids, MERGES, "words")
    for word in ("lower", "banana", "er"):
        assert library.pieces(word) == Encode.merged([*word[:-1], word[-1] + "</w>"])


def test_merges_are_learned_as_the_library_learns_them_where_no_two_pairs_are_equal():
    counts = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 6}
    text = " ".join(" ".join([word] * times) for word, times in counts.items())
    merges = Learn.learned(counts, 2)
    assert mb.text.BPE.train([text], size=100, kind="words").merges[:2] == merges


def test_the_nucleus_is_that_of_the_library():
    for top_p in (0.3, 0.6, 0.8, 1.0):
        found = distribution(Nucleus.p.log(), top_p=top_p)
        assert torch.allclose(found, Nucleus.limited(top_p), atol=1e-6)
