"""Slices with heads of their own: held against loops, and a plain classifier where they begin."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.transfer import SlicedClassifier, score_by_slice

TEXTS = ["is a cat old?", "the cat ran", "did the dog run?", "an old dog", "no", "a small cat"]
LABELS = ["c", "a", "b", "a", "c", "b"]
NAMES = ["a", "b", "c"]
SLICES = {"question": lambda text: "?" in text, "short": lambda text: len(text) < 12}
WIDE = {"dim": 8, "layers": 1, "heads": 2, "hidden": 16, "max_length": 32}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}
KINDS = ["BERT", "GPT", "AWDLSTM", "ELMo"]


def encoder(kind="BERT", seed=0):
    mb.seed_everything(seed)
    words = [mb.text.tokenise(text) for text in TEXTS]
    if kind == "AWDLSTM":
        vocab = mb.text.Vocab.train(words)
        return mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 8, 12, 2), vocab)
    if kind == "ELMo":
        vocab = mb.text.Vocab.train(words, specials=("<pad>", "<unk>", "<S>", "</S>"))
        sizes = {"dim": 7, "projection": 5, "char_dim": 3, "filters": ((1, 4), (2, 3))}
        return mb.ELMo(mb.ELMoConfig(len(vocab), **sizes), vocab)
    tokenizer = (mb.text.WordPiece if kind == "BERT" else mb.text.BPE).train(TEXTS, 270)
    config = getattr(mb, f"{kind}Config")(vocab_size=len(tokenizer), **WIDE, **STILL)
    return getattr(mb, kind)(config, tokenizer)


def sliced(kind="BERT", pooling="first", moved=True):
    head = SlicedClassifier(encoder(kind), SLICES, NAMES, dropout=0.0, pooling=pooling)
    if moved:
        for layer in (head.experts, head.indicators, head.shared, head.output):
            torch.nn.init.normal_(layer.weight, std=0.5)
    return head


def batch_of(head):
    return next(iter(head.batches(head.examples(TEXTS, LABELS), 6, shuffle=False)))


def slow(head, batch):
    """(logits, loss in training) by their definition: one text and one slice at a time."""
    plain = mb.heads.SequenceClassifier(head.encoder, NAMES, dropout=0.0, pooling=head.pooling)
    plain.output = torch.nn.Identity()
    states, logits, loss = plain(batch["input_ids"], batch["attention_mask"]), [], 0.0
    for x, label, inside in zip(states, batch["labels"], batch["slices"].tolist(), strict=True):
        weights, rows = [], []
        for i, belongs in enumerate([*inside, True]):
            own = head.experts.weight[i * len(x) : (i + 1) * len(x)]
            rows.append(x + own @ x)
            said = head.shared(rows[-1])
            first, second, _ = said.sort(descending=True).values
            indicator = head.indicators(x)[i]
            weights.append((indicator + first - second).exp())
            loss = loss - F.logsigmoid(indicator if belongs else -indicator)
            if belongs:
                loss = loss - said.log_softmax(-1)[label]
        mixed = sum(w * row for w, row in zip(weights, rows, strict=True)) / sum(weights)
        logits.append(head.output(mixed))
        loss = loss - logits[-1].log_softmax(-1)[label]
    return torch.stack(logits), loss


@pytest.mark.parametrize("kind, pooling", [("BERT", "first"), ("GPT", "last"), ("GPT", "mean")])
def test_logits_loss_and_gradient_are_those_of_the_definition(kind, pooling):
    head = sliced(kind, pooling)
    batch = batch_of(head)
    logits, wanted = slow(head, batch)
    loss, count = head.loss(batch)
    assert count == 6
    torch.testing.assert_close(head.output_of(batch), logits)
    torch.testing.assert_close(loss, wanted)
    learned = [p for p in head.parameters() if p.requires_grad]
    slowly, quickly = (torch.autograd.grad(x, learned, allow_unused=True) for x in (wanted, loss))
    for a, b in zip(slowly, quickly, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        plain, _ = head.eval().loss(batch)
        torch.testing.assert_close(plain, F.cross_entropy(logits, batch["labels"], reduction="sum"))


def test_labels_may_be_of_any_whole_numbers():
    head = sliced().train()
    batch = batch_of(head)
    loss, _ = head.loss({**batch, "labels": batch["labels"].int()})
    assert torch.equal(loss, head.loss(batch)[0])


def test_with_two_classes_the_confidence_is_the_papers():
    head = SlicedClassifier(encoder(), {"short": SLICES["short"]}, 2, dropout=0.0)
    for layer in (head.experts, head.shared):
        torch.nn.init.normal_(layer.weight, std=0.5)
    x = torch.randn(6, 8)
    seen = torch.stack([x + x @ head.experts.weight[i : i + 8].T for i in (0, 8)], 1)
    p = head.shared(seen) @ torch.tensor([-1.0, 1.0])  # one logit for each expert: (6, 2)
    weights = (head.indicators(x) + p.abs()).softmax(-1)
    mixed = (weights[..., None] * seen).sum(1)
    torch.testing.assert_close(head.judge(x)[:, :2], head.output(mixed))


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_as_a_plain_classifier(kind):
    head = sliced(kind, "mean", moved=False).eval()
    plain = mb.heads.SequenceClassifier(head.encoder, NAMES, pooling="mean").eval()
    plain.output = head.output
    batch = batch_of(head)
    torch.testing.assert_close(head.output_of(batch), plain.output_of(batch))
    assert head.predict(TEXTS).labels == plain.predict(TEXTS).labels
    batches = head.batches(head.examples(TEXTS, LABELS), 3)
    history = mb.fit(head, batches, progress=False, device="cpu")
    assert np.isfinite(history.loss).all() and head.predict("a cat").probabilities.shape == (1, 3)


def test_examples_say_where_they_belong_and_predictions_do_not_ask():
    head = sliced()
    marks = [example["slices"] for example in head.examples(TEXTS, LABELS)]
    assert marks[0] == [True, False] and marks[1] == [False, True] and marks[4] == [False, True]
    head.slices = {"never": lambda text: 1 / 0}
    assert len(head.predict(TEXTS)) == 6


def test_the_score_of_each_slice():
    right = [True, False, False, True, True, True]
    found = score_by_slice(SLICES, TEXTS, right)
    assert found == {"all": 4 / 6, "question": 0.5, "short": pytest.approx(0.75)}
    assert score_by_slice(SLICES, TEXTS, torch.tensor(right)) == found
    assert math.isclose(score_by_slice(SLICES, TEXTS, [0.5] * 6)["question"], 0.5)


def test_what_does_not_fit_is_refused(tmp_path):
    rare = {**SLICES, "rare": lambda text: "whale" in text}
    head = SlicedClassifier(encoder(), rare, NAMES)
    with pytest.raises(ValueError, match="an example in each slice, rare has none to learn from"):
        head.examples(TEXTS, LABELS)
    with pytest.raises(ValueError, match="a text in each slice, rare has none of 6"):
        score_by_slice(rare, TEXTS, [1.0] * 6)
    for scores in ([1.0], [[1.0] * 6]):
        with pytest.raises(ValueError, match="expected texts and a score for each"):
            score_by_slice(SLICES, TEXTS, scores)
    for slices in ({}, {"short": 3}):
        with pytest.raises(ValueError, match="functions of a text by name"):
            SlicedClassifier(encoder(), slices)
    with pytest.raises(ValueError, match="two classes or more, got 1"):
        SlicedClassifier(encoder(), SLICES, 1)
    with pytest.raises(ValueError, match="SlicedClassifier cannot be saved"):
        sliced().save_pretrained(tmp_path)
    plain = mb.heads.SequenceClassifier(encoder(), NAMES)
    with pytest.raises(ValueError, match="expected slices in the batch"):
        sliced().loss(batch_of(plain))
