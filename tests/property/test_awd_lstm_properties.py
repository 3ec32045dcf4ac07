"""BPT3C and gradual unfreezing for sizes nobody chose."""

import torch
from hypothesis import given
from hypothesis import strategies as st

import minibert as mb
from minibert.heads.pooling import PoolingClassifier
from minibert.training.optim import slanted_triangular

DIRECTIONS = st.sampled_from(mb.models.awd_lstm.DIRECTIONS)


def encoder(direction):
    torch.manual_seed(0)
    model = mb.AWDLSTM(mb.AWDLSTMConfig(15, 4, 6, 2, direction=direction))
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -0.8, 0.8)
    return model


@given(
    direction=DIRECTIONS,
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    bptt=st.integers(1, 12),
    windows=st.integers(1, 4),
    pad=st.integers(0, 5),
)
@torch.no_grad()
def test_however_a_text_is_cut_its_pooled_states_are_those_of_the_whole(
    direction, lengths, bptt, windows, pad
):
    model = encoder(direction)
    made = PoolingClassifier(model, labels=2, bptt=bptt, max_len=bptt * windows).eval()
    generator = torch.Generator().manual_seed(sum(lengths))
    ids = torch.randint(0, 15, (len(lengths), max(lengths) + pad), generator=generator)
    mask = (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]).long()
    for row, length, found in zip(ids, lengths, made.pooled(ids, mask), strict=True):
        hidden = model(row[None, :length]).last_hidden_state[0]  # (length, 4)
        last = hidden[0 if direction == "backward" else -1]
        expected = torch.cat([last, hidden.amax(0), hidden.mean(0)])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@given(
    direction=DIRECTIONS,
    length=st.integers(2, 60),
    bptt=st.integers(1, 20),
    chunk=st.integers(1, 20),
)
def test_windows_and_chunks_do_not_change_what_a_text_costs(direction, length, bptt, chunk):
    model = encoder(direction)
    ids = torch.randint(0, 15, (length,), generator=torch.Generator().manual_seed(length)).numpy()
    given_first = ids[-1] if direction == "backward" else ids[0]
    rest = ids[:-1] if direction == "backward" else ids[1:]
    model.config.start_id = int(given_first)
    loss = mb.training.evaluate(model, model.batches(ids, batch_size=1, bptt=bptt))
    assert abs(loss + model.log_probs(rest, chunk=chunk).mean()) < 1e-4


@given(
    steps=st.integers(1, 500),
    cut=st.floats(0.01, 0.99),
    ratio=st.floats(1, 100),
)
def test_the_triangle_stays_between_its_ends(steps, cut, ratio):
    factors = [slanted_triangular(steps, cut, ratio)(step) for step in range(steps + 3)]
    assert all(1 / ratio - 1e-9 <= f <= 1 + 1e-9 for f in factors)
    assert abs(factors[-1] - 1 / ratio) < 1e-9
    if steps * cut >= 1:
        assert abs(max(factors) - 1) < 1e-9
