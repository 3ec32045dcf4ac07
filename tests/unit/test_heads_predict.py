"""Texts in, labels and probabilities out: for every head on every encoder that can read them."""

import pytest
import torch

import minibert as mb
from tests.unit.test_heads_saved import ENCODERS, HEADS, ON_WORDS, made

TEXTS = ["this is a good film", "bad", "This film is old"]
PAIRS = [("a good film", "this is good"), ("old", "new"), ("a film", "bad")]
ASKED = {
    "TokenClassifier": [TEXTS[0], ["bad", "film"], TEXTS[2]],
    "Tagger": [TEXTS[0], ["bad", "film"], TEXTS[2]],
    "MaskedLM": ["this is [MASK] film", "[MASK] [MASK]", "a [MASK]"],
    "MultipleChoice": [("a film", ["good", "bad"]), ("is", ["new", "old"]), ("a", ["film", "is"])],
}
ASKED |= dict.fromkeys(("NextSentence", "SpanExtractor", "Similarity", "PairClassifier"), PAIRS)
ASKED["Pretraining"] = ASKED["MaskedLM"]
WANT_PIECES = ("MaskedLM", "Pretraining", "SpanExtractor")
NO_PAIRS = {"Table", "ELMo of words", "LayerMix of Table"}


def answers(head, encoder):
    model = made(head, encoder)
    return model, model.predict(ASKED.get(head, TEXTS))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", HEADS)
def test_each_head_predicts_on_each_encoder(head, encoder, tmp_path):
    if (head in ON_WORDS) != (encoder in ("ContextEncoder", "Live")):
        return  # see test_heads_saved.py
    pieces = encoder in ("BERT", "LeftToRight", "LayerMix", "scalar")
    if head in WANT_PIECES and not pieces:
        with pytest.raises(ValueError, match="a model whose tokenizer has"):
            answers(head, encoder)
        return
    if encoder in NO_PAIRS and head in ("NextSentence", "Similarity", "MultipleChoice"):
        with pytest.raises(ValueError, match="no token that parts two texts"):
            answers(head, encoder)
        return
    model, found = answers(head, encoder)
    asked = ASKED.get(head, TEXTS)
    assert len(found) == len(found.labels) == len(found.probabilities) == 3
    assert model.training and str(found).startswith("3 predictions\n")
    model.eval()
    for i, one in enumerate(asked):  # in their order, whatever the batches
        alone = model.predict([one])
        assert alone.labels[0] == found.labels[i]
        torch.testing.assert_close(alone.probabilities[0], found.probabilities[i])
    model.save_pretrained(tmp_path)
    again = mb.heads.load(tmp_path).predict(asked, batch_size=2)
    assert again.labels == found.labels
    for p, q in zip(again.probabilities, found.probabilities, strict=True):
        torch.testing.assert_close(p, q)
    if head not in ("SpanExtractor", "RNNClassifier"):
        torch.testing.assert_close(
            torch.cat([p.reshape(-1, p.shape[-1]) for p in found.probabilities]).sum(-1),
            torch.ones(sum(p.reshape(-1, p.shape[-1]).shape[0] for p in found.probabilities)),
        )
