"""BERT under a causal mask: it sees nothing that comes later, and learns what does."""

import pytest
import torch

import minibert as mb
from minibert.models.bert.left_to_right import LeftToRight, NextTokenBatches

TEXTS = [["the cat sat on the mat .", "it slept ."], ["a dog ran to the door .", "it was late ."]]


@pytest.fixture(scope="module")
def tokenizer():
    return mb.text.WordPiece.train([line for lines in TEXTS for line in lines] * 3, 70)


def config_of(tokenizer):
    return mb.BERTConfig(len(tokenizer), dim=16, layers=2, heads=2, hidden=32, max_length=24)


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    return LeftToRight(config_of(tokenizer), tokenizer).eval()


def test_a_later_token_changes_nothing_before_it(model):
    ids = torch.randint(5, model.config.vocab_size, (2, 9))
    other = ids.clone()
    other[:, 6:] = 5
    before, after = (model(x).last_hidden_state for x in (ids, other))
    assert torch.equal(before[:, :6], after[:, :6]) and not torch.equal(before[:, 6:], after[:, 6:])
    bert = mb.BERT(model.config).eval()
    bert.load_state_dict(model.state_dict())
    assert not torch.allclose(bert(ids).last_hidden_state[:, :6], before[:, :6])
    last = torch.zeros_like(ids, dtype=torch.bool)
    last[:, -1] = True
    assert torch.allclose(model.states_at(ids, wanted=last), before[:, -1], atol=1e-5)


def test_the_fast_path_is_the_readable_one(model):
    ids = torch.randint(5, model.config.vocab_size, (3, 9))
    mask = (torch.arange(9) < torch.tensor([[9], [4], [6]])).long()
    wanted = (torch.rand(3, 9, generator=torch.Generator().manual_seed(0)) < 0.5) & (mask == 1)
    assert mb.models.transformer.fast.suits(model, ids)
    whole = model(ids, mask).last_hidden_state[wanted]
    assert torch.allclose(model.states_at(ids, mask, wanted=wanted), whole, atol=1e-5)


def test_padding_is_not_seen(model):
    ids = torch.randint(5, model.config.vocab_size, (1, 6))
    padded = torch.cat((torch.full((1, 2), 3), ids, torch.zeros(1, 3, dtype=torch.long)), 1)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]])
    one = model(padded, mask).last_hidden_state
    padded[:, :2] = 7
    assert torch.equal(model(padded, mask).last_hidden_state[:, 2:8], one[:, 2:8])


def test_the_labels_are_the_next_tokens(tokenizer):
    made = mb.text.PretrainingBatches(TEXTS, tokenizer, 2, 20, next_sentence=False, seed=1)
    for masked, plain in zip(made.of_epoch(0), NextTokenBatches(made).of_epoch(0), strict=True):
        ids, labels = plain["input_ids"], plain["labels"]
        hidden = masked["labels"] != -100
        assert (ids[hidden] == masked["labels"][hidden]).all()
        assert (ids[~hidden] == masked["input_ids"][~hidden]).all()
        for row, wanted, length in zip(ids, labels, plain["attention_mask"].sum(1), strict=True):
            assert wanted[: length - 1].tolist() == row[1:length].tolist()
            assert row[0] == tokenizer.cls_id and row[length - 1] == tokenizer.sep_id
            assert (wanted[length - 1 :] == -100).all()


def test_it_learns_what_comes_next(tokenizer):
    made = mb.text.PretrainingBatches(TEXTS * 4, tokenizer, 4, 20, next_sentence=False)
    torch.manual_seed(0)
    head = mb.heads.MaskedLM(LeftToRight(config_of(tokenizer), tokenizer))
    batches = NextTokenBatches(made)
    optimizer = mb.optim.adamw(head, 0.01)
    history = mb.fit(head, batches, steps=60, optimizer=optimizer, progress=False)
    assert history.loss[-1] < 0.5 * history.loss[0]
