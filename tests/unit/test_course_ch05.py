"""Chapter 05: the exercises against the library and the paper (answers: `tests/answers`)."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.course.learn.exercise import find
from minibert.course.learn.exercises import (
    bert_cutting,
    bert_input,
    bert_losses,
    bert_training,
    ch05,
)


def test_the_pieces_are_what_the_library_cuts():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(bert_cutting.PIECES)]
    tokenizer = mb.text.WordPiece(tokens)
    for word in ("playing", "unaffable", "plays", "a", "playx", "straw"):
        cut = [tokenizer.tokens[i] for i in tokenizer.encode(word)]
        assert cut == bert_cutting.Pieces.cut(word)


def test_as_many_places_are_chosen_as_the_library_chooses():
    maskable, noise = find("05.choose").case()
    tokenizer = mb.text.WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"])
    ids = torch.full(maskable.shape, 5).numpy()
    rng = mb.text.PretrainingBatches([["a", "b"], ["b"]], tokenizer).rng(0)
    _, labels = mb.text.masking.mask_tokens(ids, maskable.numpy(), tokenizer, rng)
    chosen = bert_input.Choose.choose(maskable, noise).sum(1).tolist()
    assert chosen == (labels >= 0).sum(1).tolist()
    assert chosen[3] == 0 and chosen[2] == 1


def test_the_sum_is_what_the_library_embeds():
    exercise = find("05.embed")
    ids, segments, words, *_ = exercise.case()
    config = mb.BERTConfig(len(words), dim=8, layers=1, heads=2, hidden=8, max_length=10)
    model = mb.BERT(config).eval()
    tables = model.embeddings
    arguments = tables.word.weight, tables.position(torch.arange(10)), tables.segment.weight

    library = model(ids, token_type_ids=segments).hidden_states[0]
    assert torch.allclose(exercise.embed(ids, segments, *arguments), library, atol=1e-5)


def broken(words, labels, weights, pairs, follows):
    loss = nn.CrossEntropyLoss()
    mlm = loss(words.flatten(0, 1), labels.flatten()) * weights.flatten()
    return mlm.sum() / (weights.sum() + 1e-8) + loss(pairs, follows)


def mended(words, labels, weights, pairs, follows):
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    weights = weights.flatten()
    return (each * weights).sum() / weights.sum() + F.cross_entropy(pairs, follows)


def test_the_bug_is_d2ls():
    d2l = pytest.importorskip("minibert.course.learn.d2l").d2l()
    words, labels, weights, pairs, follows = bert_losses.FindTheBug.case()
    *_, theirs = d2l._get_batch_loss_bert(
        lambda *_: (None, words, pairs), nn.CrossEntropyLoss(), 9, None, None,
        torch.zeros(2), None, weights, labels, follows,
    )  # fmt: skip
    assert theirs.item() == pytest.approx(broken(words, labels, weights, pairs, follows).item())
    assert theirs.item() != pytest.approx(mended(words, labels, weights, pairs, follows).item())


def test_what_the_stubs_give_is_not_judged():
    for name, stub in (
        ("05.wordpiece", lambda word, pieces: []),
        ("05.embed", lambda *_: None),
        ("05.choose", lambda maskable, noise, share=0.15: None),
        ("05.mask", lambda ids, *_: (ids.clone(), torch.full_like(ids, -100))),
        ("05.mlm_loss", lambda *_: torch.tensor(0.0)),
        ("05.find_the_bug", broken),
        ("05.fill_in", lambda *_: []),
        ("05.parameters", lambda *_: 0),
    ):
        exercise = find(name)
        assert exercise.untouched(*exercise.as_functions(stub)), name


def test_parameters_are_those_of_the_paper():
    count = ch05.Parameters.count
    assert count(30_522, 768, 12, 3072) == 109_482_240
    assert count(30_522, 1024, 24, 4096) == 335_141_888


def test_a_wrong_number_of_parameters_is_told_in_full():
    exercise, count = find("05.parameters"), ch05.Parameters.count
    assert "be 109,482,240, but is" in exercise.check(lambda *sizes: count(*sizes) + 1).message


def test_quizzes_have_one_right_answer():
    for number in (1, 2, 3):
        quiz = getattr(ch05, ("WhichLoss", "WhySegments", "WhatScales")[number - 1])
        assert quiz.id == f"05.q{number}" and sum(choice.right for choice in quiz.choices) == 1


def test_the_small_model_of_the_loop_is_called_as_the_librarys_is():
    loop = bert_training.Pretrain
    _, (batch,), draw = loop.problem(1, 1)
    shape = {"dim": 8, "layers": 1, "heads": 2, "hidden": 16, "dropout": 0.0}
    config = mb.BERTConfig(bert_training.V, **shape, max_length=15, attention_dropout=0.0)
    model, (noise, fate, drawn) = mb.heads.Pretraining(mb.BERT(config)), draw(batch["input_ids"])
    chosen = bert_input.Choose.choose(batch["maskable"], noise)
    given = batch["input_ids"], chosen, fate, drawn, bert_training.MASK
    seen, labels = bert_input.Mask.hide(given)
    words, pairs, _ = model.losses({**batch, "input_ids": seen, "labels": labels})
    mine = loop.losses(model, batch, (noise, fate, drawn))
    assert torch.allclose(torch.stack((words, pairs)), torch.stack(mine), atol=1e-5)
