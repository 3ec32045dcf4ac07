"""Heads on a BERT come back from their folder as they were, or are refused in one sentence."""

import json

import pytest
import torch

import minibert as mb

ARGUMENTS = [
    (mb.heads.SequenceClassifier, {"labels": 3, "pooling": "mean", "dropout": 0.5}),
    (mb.heads.SequenceClassifier, {"labels": 2, "pooling": "last", "dropout": 0.0}),
    (mb.heads.SequenceClassifier, {"regression": True, "dropout": 0.3}),
    (mb.heads.TokenClassifier, {"labels": 4, "lstm": 5, "dropout": 0.2}),
    (mb.heads.TokenClassifier, {"labels": 4}),
]


def bert():
    torch.manual_seed(0)
    return mb.BERT(mb.BERTConfig(40, dim=8, layers=2, heads=2, hidden=16, max_length=16))


@pytest.mark.parametrize(("kind", "arguments"), ARGUMENTS)
def test_a_head_comes_back_as_it_was(tmp_path, kind, arguments):
    model = kind(bert(), **arguments).eval()
    model.save_pretrained(tmp_path)
    found = kind.from_pretrained(tmp_path)
    ids = torch.randint(1, 40, (3, 9))
    assert torch.equal(found(ids), model(ids))
    assert found.dropout.p == model.dropout.p and found.labels == model.labels
    assert getattr(found, "pooling", None) == getattr(model, "pooling", None)


def test_what_a_folder_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    config = mb.GPTConfig(40, dim=8, layers=1, heads=2)
    for model in (
        mb.heads.SequenceClassifier(mb.GPT(config), 2, pooling="last"),
        mb.heads.Similarity(mb.GPT(config)),
    ):
        with pytest.raises(
            ValueError, match="on a GPT cannot be saved; only these heads on a BERT"
        ):
            model.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("own", [{"pooling": 3}, {"lstm": "5"}, {"depth": 1}, [1]])
def test_arguments_of_a_damaged_file_are_refused(tmp_path, own):
    mb.heads.SequenceClassifier(bert(), 2).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"minibert": own}))
    with pytest.raises(ValueError, match="expected 'minibert' to hold pooling and lstm"):
        mb.heads.SequenceClassifier.from_pretrained(tmp_path)
