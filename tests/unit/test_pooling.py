"""ULMFiT's classifier: pooling by hand, padding, documents of any length."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.heads.pooling import Ensemble, PoolingClassifier
from minibert.text import PaddedBatches

DIRECTIONS = mb.models.awd_lstm.DIRECTIONS


def encoder(seed=0, **options):
    torch.manual_seed(seed)
    made = mb.AWDLSTM(mb.AWDLSTMConfig(20, 6, 10, 2, **options))
    for parameter in made.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return made


def classifier(bptt=4, max_len=8, **options):
    made = PoolingClassifier(encoder(**options), labels=3, bptt=bptt, max_len=max_len)
    for module in made.head:
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return made.eval()


def texts(*lengths):
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(0, 20, (n,), generator=generator).tolist() for n in lengths]


def batch_of(rows, pad=0, fill=0):
    longest = max(map(len, rows)) + pad
    ids = torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


class Adding(nn.Module):
    """An encoder to do by hand: a token's state is (minus its id, the sum of the ids so far)."""

    width = 2

    def __init__(self, direction):
        super().__init__()
        self.backward_reader = direction == "backward"

    def read(self, input_ids, state=None):
        before = 0.0 if state is None else state[0][0][0]  # (batch, 1)
        sums = input_ids.float().cumsum(1) + before
        return [torch.stack([-input_ids.float(), sums], -1)], [(sums[None, :, -1:],)]


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [
        ("forward", [[-13, 35, -1, 35, -5, 17], [-8, 10, -2, 10, -5, 6]]),
        ("backward", [[-7, 35, -1, 35, -5, 23], [-2, 10, -2, 10, -5, 9]]),
    ],
)
def test_last_maximum_and_mean_by_hand(direction, wanted):
    """Howard & Ruder (2018), section 3.3: h_c = [h_T, maxpool(H), meanpool(H)].

    Of the first text four tokens are skimmed. Read forward, its sums are 7, 9, 13, 14, 19, 22, 35
    with a mean of 17; backward they are 13, 16, 21, 22, 26, 28, 35 with a mean of 23.
    """
    model = PoolingClassifier(Adding(direction), labels=2, bptt=2, max_len=3)
    batch = batch_of([[7, 2, 4, 1, 5, 3, 13], [2, 8]], pad=1)
    assert model.pooled(*batch.values()).tolist() == wanted


LENGTHS = (1, 3, 8, 9, 12, 13, 29)


@pytest.mark.parametrize("direction", DIRECTIONS)
@torch.no_grad()
def test_streamed_pooling_equals_pooling_of_the_whole_text(direction):
    batch = batch_of(texts(*LENGTHS)).values()
    streamed = classifier(direction=direction).pooled(*batch)
    torch.testing.assert_close(streamed, classifier(direction=direction, max_len=29).pooled(*batch))


@pytest.mark.parametrize("direction", DIRECTIONS)
@torch.no_grad()
def test_logits_are_the_same_alone_and_in_a_padded_batch(direction):
    model, rows = classifier(direction=direction), texts(*LENGTHS)
    together = model(**batch_of(rows, pad=6, fill=11))
    for row, logits in zip(rows, together, strict=True):
        torch.testing.assert_close(model(**batch_of([row]))[0], logits)
    torch.testing.assert_close(model(**batch_of(rows, pad=1, fill=3)), together)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradients_reach_the_last_tokens_alone(direction):
    """Of 29 tokens, 24 are skimmed (6 windows of 4), so that at most 8, here 5, are left."""
    model = classifier(direction=direction, tied=False)
    row = list(range(20)) + [0] * 9 if direction == "backward" else [0] * 9 + list(range(20))
    model(**batch_of([row, row])).sum().backward()
    touched = model.encoder.embedding.weight.grad.abs().sum(1).nonzero()[:, 0].tolist()
    assert touched == (list(range(5)) if direction == "backward" else list(range(15, 20)))


@pytest.mark.parametrize("max_len", [8, 10])
@torch.no_grad()
def test_between_max_len_and_a_window_less_is_learned_from(max_len):
    model, lengths = classifier(max_len=max_len), torch.arange(1, 60)
    windows = (lengths - max_len + 3).clamp(min=0) // 4
    rest = lengths - windows * 4
    assert (rest <= max_len).all() and (rest >= 1).all()
    assert (rest[lengths > max_len] > max_len - 4).all()
    ids = torch.zeros(len(lengths), 60, dtype=torch.long)
    mask = (torch.arange(60) < lengths[:, None]).long()
    assert model(ids, mask).isfinite().all()


def saved_numbers(model, length):
    """How many numbers autograd keeps for one training step on texts of that length."""
    kept = 0

    def pack(tensor):
        nonlocal kept
        kept += tensor.numel()
        return tensor

    batch = {**batch_of(texts(length, length)), "labels": torch.tensor([0, 1])}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        model.train().loss(batch)
    return kept


def test_memory_does_not_grow_with_the_document():
    model = classifier(bptt=4, max_len=8)
    base = saved_numbers(model, 8)
    assert saved_numbers(model, 800) <= base * 1.1
    assert saved_numbers(classifier(bptt=4, max_len=800), 800) > base * 10


def test_the_head_is_two_blocks():
    model = classifier()
    kinds = [type(module).__name__ for module in model.head]
    block = ["BatchNorm1d", "Dropout", "Linear"]
    assert kinds == [*block, "ReLU", *block]
    assert model.head[2].weight.shape == (50, 18)


def test_the_loss_is_the_sum_of_the_cross_entropies():
    model = classifier()
    batch = {**batch_of(texts(3, 5)), "labels": torch.tensor([2, 0])}
    loss, count = model.loss(batch)
    logits = model(batch["input_ids"], batch["attention_mask"])
    torch.testing.assert_close(loss, F.cross_entropy(logits, batch["labels"], reduction="sum"))
    assert count == 2


def test_groups_run_from_the_word_vectors_to_the_head_without_the_decoder():
    model = classifier()
    encoder = model.encoder
    assert model.layer_groups() == [
        [encoder.embedding],
        [encoder.layers[0]],
        [encoder.layers[1]],
        [model.head],
    ]


@torch.no_grad()
def test_any_encoder_can_be_pooled():
    torch.manual_seed(0)
    words = mb.Word2Vec(mb.Word2VecConfig(20, dim=5))
    model = PoolingClassifier(words, labels=2).eval()
    rows = texts(3, 7)
    together = model(**batch_of(rows, pad=2))
    torch.testing.assert_close(model(**batch_of(rows[:1]))[0], together[0])
    assert model.head[2].in_features == 15


@torch.no_grad()
def test_an_ensemble_is_the_mean_of_the_probabilities():
    models, batch = [classifier(), classifier(direction="backward", seed=1)], batch_of(texts(4, 9))
    expected = sum(model(**batch).softmax(-1) for model in models) / 2
    torch.testing.assert_close(Ensemble(models)(**batch).exp(), expected)


def test_a_single_example_cannot_be_trained_on():
    with pytest.raises(ValueError, match="at least two examples"):
        classifier().train()(**batch_of(texts(5)))
    with pytest.raises(ValueError, match="bptt <= max_len"):
        classifier(bptt=9, max_len=8)


class OneHot(nn.Module):
    """An encoder whose state is the token itself: what is learned is learned from the pooling."""

    width = 20

    def read(self, input_ids, state=None):
        return [F.one_hot(input_ids, 20).float()], [(input_ids.new_zeros(1, len(input_ids), 1),)]


@pytest.mark.long
def test_it_learns_whether_a_word_is_anywhere_in_a_long_text():
    """Of 30 tokens, 20 are skimmed. (An LSTM learned this or not, as seed and processor had it.)"""
    mb.seed_everything(0)
    generator = torch.Generator().manual_seed(0)
    examples = []
    for i in range(200):
        row = torch.randint(2, 20, (30,), generator=generator).tolist()
        row[int(torch.randint(30, (1,), generator=generator))] = i % 2
        examples.append({"input_ids": row, "labels": i % 2})
    model = PoolingClassifier(OneHot(), labels=2, bptt=5, max_len=10)
    batches = PaddedBatches(examples, 20)
    mb.fit(model, batches, epochs=20, optimizer=mb.optim.adamw(model, 0.02), progress=False)
    right = mb.heads.predict(model, PaddedBatches(examples, 20, shuffle=False, by_length=False))
    assert right.tolist() == [example["labels"] for example in examples]
