"""A language model as a head: on each model that reads to the right, trained and kept."""

import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.models.bert.left_to_right import LeftToRight

SIZES = {"dim": 8, "layers": 2, "heads": 2, "hidden": 32, "max_length": 16}
IDS = torch.randint(1, 40, (3, 9), generator=torch.Generator().manual_seed(0))
MASK = (torch.arange(9) < torch.tensor([[9], [4], [6]])).long()


def encoders():
    torch.manual_seed(0)
    return {
        "gpt": mb.GPT(mb.GPTConfig(40, **SIZES)),
        "untied gpt": mb.GPT(mb.GPTConfig(40, **SIZES, tied=False)),
        "awd-lstm": mb.AWDLSTM(mb.AWDLSTMConfig(40, dim=8, hidden=12)),
        "left to right": LeftToRight(mb.BERTConfig(40, **SIZES)),
    }


@pytest.fixture(params=list(encoders()))
def model(request):
    return mb.heads.CausalLM(encoders()[request.param]).eval()


def expected(logits, labels):
    """The loss in one line: each token from the logits before it."""
    flat = logits[:, :-1].flatten(0, 1)
    return F.cross_entropy(flat, labels[:, 1:].flatten(), ignore_index=-100, reduction="sum")


def test_the_loss_is_that_of_the_next_tokens(model):
    logits = model(IDS, MASK)
    assert logits.shape == (3, 9, 40)
    loss, count = model.loss({"input_ids": IDS, "attention_mask": MASK})
    torch.testing.assert_close(loss, expected(logits, IDS.masked_fill(MASK == 0, -100)))
    assert count == 16
    labels = IDS.masked_fill(torch.arange(9) < 5, -100)
    loss, count = model.loss({"input_ids": IDS, "labels": labels})
    torch.testing.assert_close(loss, expected(model(IDS), labels))
    assert count == 12


def test_padding_changes_nothing_wherever_it_stands(model):
    alone, count = model.loss({"input_ids": IDS[1:2, :4]})
    for at in ([0, 1, 2, 3], [5, 6, 7, 8], [1, 2, 5, 7]):
        if at[-1] - at[0] > 3 and isinstance(model.encoder, LeftToRight):
            continue  # its positions count the gap
        ids, mask = torch.full((1, 9), 7), torch.zeros(1, 9, dtype=torch.long)
        ids[0, at], mask[0, at] = IDS[1, :4], 1
        loss, same = model.loss({"input_ids": ids, "attention_mask": mask})
        torch.testing.assert_close(loss, alone)
        assert same == count == 3


def test_it_learns_and_comes_back_from_its_folder(model, tmp_path):
    batch = {"input_ids": IDS, "attention_mask": MASK}
    before = model.loss(batch)[0].item()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    model.loss(batch)[0].backward()
    optimizer.step()
    assert model.loss(batch)[0].item() < before
    model.save_pretrained(tmp_path)
    again = mb.heads.CausalLM.from_pretrained(tmp_path)
    assert type(again.encoder) is type(model.encoder) and not again.training
    assert torch.equal(again(IDS, MASK), model(IDS, MASK))


def test_the_softmax_is_the_models_own():
    for name, encoder in encoders().items():
        head = mb.heads.CausalLM(encoder)
        new = {id(p) for p in head.parameters()} - {id(p) for p in encoder.parameters()}
        assert bool(new) == (name == "left to right")
        assert [p for group in head.layer_groups() for m in group for p in m.parameters()]
    tied, own = (mb.heads.CausalLM(encoder, tied=tied) for tied in (True, False))
    assert tied.output.decoder.weight is encoder.embeddings.word.weight
    assert own.output.decoder.weight is not encoder.embeddings.word.weight


def test_a_stream_is_left_to_the_model():
    encoder = encoders()["awd-lstm"]
    head = mb.heads.CausalLM(encoder).train()
    batch = next(iter(encoder.batches(torch.arange(39).numpy(), 2, 7)))
    torch.manual_seed(1)
    loss, count = head.loss(batch)
    torch.manual_seed(1)
    wanted, same = encoder.loss(batch)
    assert torch.equal(loss, wanted) and count == same and encoder.state is not None


def test_the_bundled_language_models_are_read():
    for name, kind in (("minibert-gpt", mb.GPT), ("minibert-awd-lstm-forward", mb.AWDLSTM)):
        assert type(mb.heads.CausalLM.from_pretrained(name).encoder) is kind


def test_a_model_that_sees_what_comes_is_refused(tmp_path):
    for encoder in (
        mb.BERT(mb.BERTConfig(40, **SIZES)),
        mb.AWDLSTM(mb.AWDLSTMConfig(40, dim=8, hidden=12, direction="backward")),
        mb.heads.LayerMix(encoders()["gpt"], (-1,)),
    ):
        with pytest.raises(ValueError, match="expected a model that reads from left to right"):
            mb.heads.CausalLM(encoder)
    mb.heads.MaskedLM(mb.BERT(mb.BERTConfig(40, **SIZES))).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="got a BERT"):
        mb.heads.CausalLM.from_pretrained(tmp_path)


def test_double_heads_are_a_multiple_choice_that_shows_its_words():
    gpt = encoders()["gpt"]
    both = mb.heads.DoubleHeads(gpt, choices=3, dropout=0.0)
    one = mb.heads.MultipleChoice(gpt, choices=3, dropout=0.0)
    one.load_state_dict(both.state_dict())
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor([1])}
    logits, choices = both.eval()(IDS, MASK)
    assert torch.allclose(choices, one.eval()(IDS, MASK), atol=1e-6)
    assert torch.equal(logits[0], mb.heads.CausalLM(gpt).eval()(IDS, MASK))
    for mode in (True, False):
        gpt.eval()
        both.training = one.training = mode
        torch.testing.assert_close(both.loss(batch)[0], one.loss(batch)[0])
    with pytest.raises(ValueError, match="mc_token_ids from 0 to below 9"):
        both(IDS, MASK, torch.tensor([0, 1, 9]))
    with pytest.raises(ValueError, match="mc_token_ids for 3 sequences, got 2"):
        both(IDS, MASK, torch.tensor([0, 1]))
