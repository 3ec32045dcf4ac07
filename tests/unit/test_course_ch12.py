"""The checks of chapter 12 agree with the library. (Wrong answers: see `tests/answers/ch12.py`.)"""

import torch

import minibert as mb
from minibert.course.learn.exercises.ch12 import Biaffine, Cross, Hits, Layout, ReadLong
from minibert.course.learn.exercises.ch12_reading import document
from minibert.course.learn.exercises.ch12_tried import like
from minibert.heads.dialogue import Script, hits_at_1, mean_reciprocal_rank
from minibert.heads.parser import Biaffine as TheLibrarys
from minibert.heads.spans import Window, _reading
from minibert.models.transformer.attention import MultiHeadAttention


def test_long_documents_are_read_as_the_library_reads_them():
    for seed in range(6):
        windows, threshold = document(seed), (-4.0, 0.0, 5.0)[seed % 3]
        parts = [
            (
                Window([], [], one["first"], one["offsets"], one["central"]),
                one["starts"],
                one["ends"],
            )
            for one in windows
        ]
        reading = _reading("x" * 100, parts, 7, 3, True, threshold)
        answers, said = ReadLong.solve(windows, 3, 7, threshold)
        theirs = [(a.score, a.start, a.end) for a in reading.answers if a.start is not None]
        assert like(answers, theirs)
        assert said == (
            None if reading.best.start is None else (reading.best.start, reading.best.end)
        )


def test_a_dialogue_is_laid_out_as_the_library_does():
    gpt = mb.heads.talking(mb.GPT.from_pretrained("minibert-gpt"))
    ids = {name: gpt.tokenizer.ids[name] for name in ("<bos>", "<eos>", "<speaker1>", "<speaker2>")}
    persona = ["I live in Ilsey.", "I love honey."]
    history = [(1, "Hello!"), (2, "Where do you live?")]
    encode = gpt.tokenizer.encode
    found = Layout.solve(encode, persona, history, "In Ilsey.", True, 5, ids)
    assert [found] == Script(gpt).rows(persona, history, ["In Ilsey."])


def test_replies_are_ranked_as_the_library_ranks_them():
    rows = [[0.5, 0.5, 0.1], [0.2, 0.9, 1.0], [3.0, 2.0, 1.0]]
    scores = [torch.tensor(row) for row in rows]
    assert Hits.solve(rows, [2] * 3) == (hits_at_1(scores), mean_reciprocal_rank(scores))


def test_cross_attention_is_that_of_the_library():
    torch.manual_seed(0)
    attention = MultiHeadAttention(6, 2).requires_grad_(False)
    states, memory = torch.randn(2, 3, 6), torch.randn(2, 4, 6)
    seen = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]) > 0
    layers = attention.query, attention.key, attention.value, attention.output
    theirs, _, _ = attention(states, memory, seen[:, None, None, :])
    assert torch.allclose(Cross.solve(states, memory, seen, *layers, 2), theirs, atol=1e-5)


def test_arcs_are_scored_as_the_library_scores_them():
    x, y, U = Biaffine.case(3, 4, 5, 3)
    layer = TheLibrarys(3, 1, both=False)
    layer.weight.data = U[None]
    assert torch.allclose(Biaffine.solve(x, y, U), layer(x[None], y[None])[0, ..., 0], atol=1e-5)
