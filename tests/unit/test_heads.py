"""Small classifiers on word vectors: what they must not depend on, and what they can learn."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.text import PaddedBatches

KINDS = [mb.heads.CNNClassifier, mb.heads.RNNClassifier]


def vectors(seed=0):
    return torch.randn(12, 6, generator=torch.Generator().manual_seed(seed))


def batch_of(*texts, pad=0):
    longest = max(map(len, texts)) + pad
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(params=KINDS)
def model(request):
    torch.manual_seed(0)
    model = request.param(vectors(), labels=3).eval()
    for name, parameter in model.named_parameters():
        if "bias" in name:  # so that padding would have something to say
            torch.nn.init.normal_(parameter, 2.0)
    return model


@torch.no_grad()
def test_padding_changes_nothing(model):
    texts = [[3, 4, 5, 6, 7, 8], [9, 2], [5]]
    together = model(**batch_of(*texts, pad=4))
    for text, logits in zip(texts, together, strict=True):
        torch.testing.assert_close(model(**batch_of(text))[0], logits)
    other = batch_of(*texts, pad=4)
    other["input_ids"][other["attention_mask"] == 0] = 11
    torch.testing.assert_close(model(**other), together)


@torch.no_grad()
def test_the_order_of_words_matters(model):
    there, back = model(**batch_of([3, 4, 5, 6], [6, 5, 4, 3]))
    assert not torch.allclose(there, back, atol=1e-3)


def test_the_loss_is_the_sum_of_the_cross_entropies(model):
    batch = {**batch_of([3, 4], [5], [6, 7, 8]), "labels": torch.tensor([0, 2, 1])}
    logits = model(batch["input_ids"], batch["attention_mask"])
    loss, count = model.loss(batch)
    expected = -F.log_softmax(logits, dim=1)[[0, 1, 2], [0, 2, 1]].sum()
    torch.testing.assert_close(loss, expected)
    assert count == 3


@torch.no_grad()
def test_a_filter_gives_the_most_that_it_finds_anywhere():
    torch.manual_seed(0)
    model = mb.heads.CNNClassifier(vectors(), labels=2, widths=(2,), channels=1).eval()
    text = [3, 4, 5]
    weight, bias = model.filters[0].weight[0], model.filters[0].bias[0]  # (dim, 2), ()
    rows = F.pad(vectors()[text], (0, 0, 1, 1))  # a word before and after: zeros
    found = [float((rows[i : i + 2].T * weight).sum() + bias) for i in range(4)]
    feature = max(0.0, *found)
    expected = model.output.weight[:, 0] * feature + model.output.bias
    torch.testing.assert_close(model(**batch_of(text))[0], expected)


@torch.no_grad()
def test_the_lstm_is_read_at_the_end_of_each_direction():
    torch.manual_seed(0)
    model = mb.heads.RNNClassifier(vectors(), labels=2, hidden=4).eval()
    outputs, _ = model.lstm(vectors()[[3, 4, 5]][None])  # (1, 3, 2 * hidden), both directions
    ends = torch.cat([outputs[0, -1, :4], outputs[0, 0, 4:]])
    torch.testing.assert_close(model(**batch_of([3, 4, 5], [6]))[0], model.output(ends))


def negation(seed=0, count=240):
    """Texts of words 2 to 9; class 1 where word 10 stands right before word 11, else they swap."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        words = rng.integers(2, 10, 6).tolist()
        at = int(rng.integers(0, 6))
        words[at:at] = [10, 11] if i % 2 else [11, 10]
        yield {"input_ids": words, "labels": i % 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freeze", [True, False])
def test_it_learns_from_word_order_with_a_first_layer_frozen_or_tuned(kind, freeze):
    mb.seed_everything(0)
    start = vectors()
    model = kind(start, labels=2, freeze=freeze)
    batches = PaddedBatches(list(negation()), batch_size=16)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
    mb.fit(model, batches, epochs=12, optimizer=optimizer, progress=False)
    test = list(negation(seed=1, count=100))
    ordered = PaddedBatches(test, batch_size=16, shuffle=False, by_length=False)
    right = mb.heads.predict(model, ordered) == torch.tensor([t["labels"] for t in test])
    assert right.float().mean() > 0.9
    now = model.encoder.embedding.weight.detach()
    assert torch.equal(now, start) == freeze


def test_predicting_leaves_dropout_off_and_the_mode_as_it_was(model):
    batches = [batch_of([3, 4, 5], [6]), batch_of([7, 8])]
    model.train()
    first, again = (mb.heads.predict(model, batches) for _ in range(2))
    assert model.training and torch.equal(first, again) and first.shape == (3,)
    with torch.no_grad():
        expected = torch.cat([model.eval()(**batch).argmax(1) for batch in batches])
    assert torch.equal(first, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_any_model_with_the_common_interface_can_be_the_first_layer(kind):
    encoder = mb.Word2Vec(mb.Word2VecConfig(12, dim=5))
    model = kind(encoder, labels=2, freeze=True)
    batch = {**batch_of([3, 4, 5], [6]), "labels": torch.tensor([0, 1])}
    loss, _ = model.loss(batch)
    loss.backward()
    assert encoder.input.weight.grad is None
    assert next(model.output.parameters()).grad is not None


def test_the_given_vectors_are_copied():
    start = vectors()
    model = mb.heads.CNNClassifier(start, labels=2)
    torch.nn.init.zeros_(model.encoder.embedding.weight)
    assert torch.equal(start, vectors())


def test_the_modules_of_the_heads_are_there_whatever_was_used_before():
    code = "import minibert as mb; print(mb.heads.spans.normalise_answer('The mill'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "mill", done.stderr
