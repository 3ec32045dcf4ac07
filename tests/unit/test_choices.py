"""GPT's fine-tuning: framed inputs, the heads on them, the auxiliary loss."""

import pytest
import torch

import minibert as mb
from minibert.heads.last_token import framed, last_places
from minibert.text import BPE, FramedBatches, Framing, PaddedBatches

S, D, E = 20, 21, 22


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = mb.GPTConfig(20, dim=16, layers=2, heads=2, hidden=32, max_length=24, dropout=0.0)
    config.attention_dropout = 0.0
    return framed(mb.GPT(config))[0]


@pytest.fixture
def framing():
    return Framing(BPE({letter: i for i, letter in enumerate("abcdefghij")}, []), S, 12)


def test_each_task_as_sequences(framing):
    assert framing.text("abc", 1) == {"input_ids": [S, 0, 1, 2, E], "labels": 1}
    assert framing.pair("ab", "c")["input_ids"] == [S, 0, 1, D, 2, E]
    assert framing.similar("a", "b")["input_ids"] == [[S, 0, D, 1, E], [S, 1, D, 0, E]]
    assert framing.choices("a", "bc", 1)["input_ids"] == [[S, 0, D, 1, E], [S, 0, D, 2, E]]


def test_long_texts_lose_their_ends_and_keep_the_frame(framing):
    assert framing.text("a" * 50)["input_ids"] == [S, *[0] * 10, E]
    assert framing.pair("a" * 50, "b" * 50)["input_ids"] == [S, *[0] * 5, D, *[1] * 4, E]
    assert framing.pair("a" * 50, "b")["input_ids"] == [S, *[0] * 8, D, 1, E]
    assert framing.pair("a", "b" * 50)["input_ids"] == [S, 0, D, *[1] * 8, E]


def test_three_tokens_more_and_the_others_as_they_were():
    plain = mb.GPT(mb.GPTConfig(20, dim=16, layers=1, heads=2, hidden=32)).eval()
    model, first = framed(plain)
    assert (first, model.config.vocab_size, len(model.embeddings.word.weight)) == (20, 23, 23)
    ids = torch.tensor([[3, 1, 4]])
    assert torch.equal(model(ids).last_hidden_state, plain(ids).last_hidden_state)
    wide = framed(mb.GPT(mb.GPTConfig(20, dim=600, layers=1, heads=2, hidden=8, init_std=0.3)))[0]
    assert wide.embeddings.word.weight[20:].std().item() == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("tied", [True, False])
def test_a_frozen_model_with_more_tokens_stays_frozen(tied):
    config = mb.GPTConfig(20, dim=16, layers=1, heads=2, hidden=32, tied=tied)
    for learns in (True, False):
        longer = framed(mb.GPT(config).requires_grad_(learns))[0]
        assert {p.requires_grad for p in longer.parameters()} == {learns}


def test_the_label_is_read_at_the_last_token(model):
    head = mb.heads.LastToken(model, labels=3).eval()
    rows = [[S, 1, 2, 3, E], [S, 4, E]]
    (batch,) = PaddedBatches(
        [{"input_ids": row} for row in rows], 2, shuffle=False, by_length=False
    )
    assert last_places(batch["attention_mask"]).nonzero().tolist() == [[0, 4], [1, 2]]
    in_front = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]])
    assert last_places(in_front).nonzero().tolist() == [[0, 3], [1, 1]]
    alone = [head.output(model(torch.tensor([row])).last_hidden_state[0, -1]) for row in rows]
    assert torch.allclose(head(**batch), torch.stack(alone), atol=1e-5)


def test_the_auxiliary_loss_is_lambda_times_the_mean_loss_of_a_token(model):
    head = mb.heads.LastToken(model, auxiliary=0.5, dropout=0.0).train()
    examples = [
        {"input_ids": [S, 1, 2, E], "labels": 1},
        {"input_ids": [S, 4, 5, 6, E], "labels": 0},
    ]
    (batch,) = PaddedBatches(examples, 2, shuffle=False)
    both, count = head.loss(batch)
    words, tokens = model.loss({k: batch[k] for k in ("input_ids", "attention_mask")})
    task, _ = head.eval().loss(batch)
    assert (count, tokens) == (2, 7)
    assert both.item() == pytest.approx((task + 0.5 * 2 * words / 7).item(), rel=1e-5)
    head.auxiliary = 0
    assert head.train().loss(batch)[0].item() == pytest.approx(task.item(), rel=1e-5)


def test_similarity_does_not_ask_for_the_order(model, framing):
    head = mb.heads.Similarity(model).eval()
    one, other = framing.similar("abc", "de", 0), framing.similar("de", "abc", 1)
    (batch,) = FramedBatches([one, other], 2, shuffle=False, by_length=False)
    assert batch["input_ids"].shape == (4, 8) and batch["labels"].tolist() == [0, 1]
    first, second = head(batch["input_ids"], batch["attention_mask"])
    assert torch.allclose(first, second, atol=1e-5)


def test_choices_are_scored_one_by_one(model, framing):
    head = mb.heads.MultipleChoice(model, choices=3).eval()
    examples = [framing.choices("ab", ["c", "defg", "h"], 2), framing.choices("j", "abc", 0)]
    (batch,) = FramedBatches(examples, 2, shuffle=False, by_length=False)
    logits = head(batch["input_ids"], batch["attention_mask"])
    assert logits.shape == (2, 3)
    alone = head.output(model(torch.tensor([examples[0]["input_ids"][1]])).last_hidden_state[0, -1])
    assert logits[0, 1].item() == pytest.approx(alone.item(), abs=1e-5)
    loss, count = head.loss(batch)
    assert count == 2 and loss.item() > 0


def test_a_task_is_learned(framing):
    """Which of the two answers comes first in the alphabet?"""
    torch.manual_seed(0)
    config = mb.GPTConfig(20, dim=32, layers=2, heads=2, hidden=64, max_length=24, init_std=0.1)
    head = mb.heads.MultipleChoice(framed(mb.GPT(config))[0], choices=2)
    letters = "abcdef"
    pairs = [(a, b) for a in letters for b in letters if a != b]
    examples = [framing.choices("j", [a, b], int(b < a)) for a, b in pairs]
    batches = FramedBatches(examples, 20)
    mb.fit(head, batches, steps=150, optimizer=mb.optim.adamw(head, 0.003), progress=False)
    right = [
        (head(b["input_ids"], b["attention_mask"]).argmax(1) == b["labels"]).float().mean()
        for b in FramedBatches(examples, 60, shuffle=False)
    ]
    assert min(right) == 1


def test_examples_with_different_numbers_of_sequences_are_refused():
    with pytest.raises(ValueError, match="expected 2 sequences in each example, as in the first"):
        FramedBatches([{"input_ids": [[1], [2]]}, {"input_ids": [[1]]}], 2)
