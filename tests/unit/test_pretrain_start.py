"""First weights for small budgets: frequencies in the softmax, heads that look beside."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.commands.pretrain.start import know_frequencies, look_beside

SHAPE = {"dim": 64, "layers": 2, "heads": 4, "hidden": 64, "max_length": 40, "init_std": 0.07}


@pytest.fixture
def encoder():
    mb.seed_everything(0)
    return mb.BERT(mb.BERTConfig(50, **SHAPE)).eval()


def beside(encoder, offset):
    """How much each head of the first layer looks at the place ``offset`` away: (heads,)."""
    ids = torch.randint(0, 50, (8, 40))
    with torch.no_grad():
        weights = encoder(ids, output_attentions=True).attentions[0]  # (8, heads, 40, 40)
    return weights.diagonal(offset, dim1=-2, dim2=-1).mean((0, 2))


def test_the_first_heads_look_beside_and_the_others_do_not(encoder):
    before = beside(encoder, -1)
    look_beside(encoder)
    back, ahead = beside(encoder, -1), beside(encoder, 1)
    assert before.max() < 0.05
    assert back[0] > 0.4 > 0.1 > ahead[0] and ahead[1] > 0.4 > 0.1 > back[1]
    assert back[2:].max() < 0.05 and ahead[2:].max() < 0.05


def test_other_offsets(encoder):
    look_beside(encoder, (-2, 2, 3))
    for head, offset in enumerate((-2, 2, 3)):
        found = {other: float(beside(encoder, other)[head]) for other in range(-4, 5)}
        assert max(found, key=found.get) == offset


def test_the_model_is_as_large_as_it_was_and_learns_on(encoder):
    look_beside(encoder)
    loss = encoder(torch.randint(0, 50, (2, 9))).last_hidden_state.square().sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None for n, p in encoder.named_parameters() if "pooler" not in n)


def test_heads_that_do_not_suffice(encoder):
    with pytest.raises(ValueError, match="expected at least 5 heads of even width, got 4 of"):
        look_beside(encoder, (-2, -1, 0, 1, 2))


def test_the_softmax_begins_at_the_frequencies(encoder):
    model = mb.heads.MaskedLM(encoder)
    ids = np.array([3] * 60 + [4] * 30 + [5] * 10)
    know_frequencies(model, ids)
    with torch.no_grad():
        model.output.norm.weight.zero_()  # what the encoder says
        share = model.output(torch.zeros(64)).softmax(-1)
    assert share[3].item() == pytest.approx(60.5 / 125) and share[4] > share[5] > share[6] > 0
