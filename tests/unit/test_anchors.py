"""Anchors: what was learned before holds on to a model, exactly as the formulas say."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.training.loop import evaluate
from minibert.transfer import EWC, L2SP, LwF, anchored, fisher

SIZE, WIDE = 20, {"dim": 8, "layers": 1, "heads": 2, "hidden": 8}
VOCAB = mb.text.Vocab(["<S>", "</S>", *map(str, range(SIZE - 2))], specials=["<S>", "</S>"])
IDS = [[5, 6, 7, 8], [9, 3, 4], [2, 11, 5, 7, 6]]


def bert():
    torch.manual_seed(0)
    return mb.BERT(mb.BERTConfig(SIZE, **WIDE))


def gpt():
    torch.manual_seed(0)
    return mb.GPT(mb.GPTConfig(SIZE, **WIDE))


def awd_lstm():
    torch.manual_seed(0)
    return mb.AWDLSTM(mb.AWDLSTMConfig(SIZE, 8, 12, 2, tied=False), VOCAB)


def elmo():
    torch.manual_seed(0)
    return mb.ELMo(mb.ELMoConfig(SIZE, input="words", dim=8, projection=4), VOCAB)


def word2vec():
    torch.manual_seed(0)
    model = mb.Word2Vec(mb.Word2VecConfig(SIZE, dim=4, loss="full", subsample=0), VOCAB)
    nn.init.normal_(model.output.weight)
    return model


def classifier(encoder=bert, **options):
    return mb.heads.SequenceClassifier(encoder(), 3, **options)


def rows(size=3, labels=(0, 2, 1), **options):
    made = [{"input_ids": ids, "labels": y} for ids, y in zip(IDS, labels, strict=True)]
    return list(mb.text.PaddedBatches(made, size, shuffle=False, by_length=False, **options))


def by_word(size=3):
    return rows(size, [[i % 3 for i in ids] for ids in IDS])


def masked(size=3):
    """The second word of each text is to be guessed, but for a text of three words: none of it."""
    labels = [[-100, ids[1] if len(ids) > 3 else -100, *[-100] * (len(ids) - 2)] for ids in IDS]
    return rows(size, labels)


def texts(size=3):
    made = [{"input_ids": ids} for ids in IDS]
    return list(mb.text.PaddedBatches(made, size, shuffle=False, by_length=False))


def stream(size=3):
    ids = torch.tensor(np.random.default_rng(0).integers(2, SIZE, (3, 6)))
    given = ids.split(size)
    return [{"input_ids": x[:, :-1], "targets": x[:, 1:], "reset": True} for x in given]


def both_ways(size=3):
    sentences = [[str(i) for i in ids] for ids in IDS]
    return list(mb.text.BidirectionalBatches(sentences, VOCAB, 2, 4, spelled=False))


def windows(size=3):
    ids = torch.tensor([[3], [5], [9]]).split(size)
    ones = [torch.ones_like(x) for x in ids]
    targets = torch.tensor([7, 2, 4]).split(size)
    names = "input_ids", "attention_mask", "targets"
    return [dict(zip(names, row, strict=True)) for row in zip(ids, ones, targets, strict=True)]


def choices(size=3):
    made = [{"input_ids": [ids, ids[::-1]], "labels": len(ids) % 2} for ids in IDS]
    return list(mb.text.FramedBatches(made, size, shuffle=False))


MODELS = {  # what `fit` trains, and its batches; each of the five systems, and kinds of heads
    "bert": (classifier, rows),
    "gpt": (lambda: classifier(gpt, pooling="last"), rows),
    "words": (lambda: mb.heads.TokenClassifier(bert(), 3), by_word),
    "masked words": (lambda: mb.heads.MaskedLM(bert()), masked),
    "choices": (lambda: mb.heads.MultipleChoice(gpt(), 2), choices),
    "gpt alone": (gpt, texts),
    "causal": (lambda: mb.heads.CausalLM(gpt()), texts),
    "awd-lstm alone": (awd_lstm, stream),
    "awd-lstm": (lambda: mb.heads.PoolingClassifier(awd_lstm(), 3, dropout=(0, 0)), rows),
    "elmo alone": (elmo, both_ways),
    "elmo": (lambda: mb.heads.PoolingClassifier(elmo(), 3), rows),
    "word2vec alone": (word2vec, windows),
    "word2vec": (lambda: mb.heads.CNNClassifier(word2vec(), 3), rows),
}
every = pytest.mark.parametrize("kind", MODELS)


def part_of(model):
    return getattr(model, "encoder", model) if isinstance(model, mb.heads.head.Head) else model


def moved(part, scale=0.1):
    """Move all weights of a part from where they were."""
    torch.manual_seed(5)
    with torch.no_grad():
        for p in part.parameters():
            p.add_(torch.randn_like(p), alpha=scale)


def one_update(model, batches, *anchors, **options):
    """The weights after one update, by default with plain gradient descent, and the loss."""
    torch.manual_seed(1)
    settings = {"optimizer": torch.optim.SGD(model.parameters(), 0.1), **options}
    settings |= {"progress": False, "device": "cpu", "clip": None, "steps": 1}
    with anchored(model, *anchors):
        history = mb.fit(model, batches, **settings)
    return {name: p.detach() for name, p in model.named_parameters()}, history.loss[0]


@every
def test_weight_0_is_plain_training_and_the_model_is_given_back(kind):
    make, batches = MODELS[kind]
    model, plain = make(), make()
    told = part_of(model)
    free = {name: torch.ones_like(p) for name, p in told.named_parameters()}
    decayed = [{"optimizer": mb.optim.adamw(one, weight_decay=0.1)} for one in (model, plain)]
    found, loss = one_update(model, batches(), L2SP(told, 0.0), EWC(told, free, 0.0), **decayed[0])
    expected, plain_loss = one_update(plain, batches(), **decayed[1])
    assert loss == plain_loss and all(torch.equal(found[name], p) for name, p in expected.items())
    assert vars(model).keys() == vars(plain).keys() and list(found) == list(expected)


@every
def test_l2_sp_pulls_the_old_part_to_its_start_and_matrices_of_the_new_one_to_0(kind):
    make, batches = MODELS[kind]
    model = make()
    anchor = L2SP(part_of(model), 0.5, new=0.25)
    start = {name: p.clone() for name, p in part_of(model).named_parameters()}
    moved(model)
    plain = copy.deepcopy(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    found, loss = one_update(model, batches(), anchor)
    expected, plain_loss = one_update(plain, batches())
    penalty = 0.0
    for name, p in before.items():
        own = name if part_of(model) is model else name.removeprefix("encoder.")
        old = own in start and (part_of(model) is model or name != own)
        pull = 0.5 * (p - start[own]) if old else 0.25 * p if p.ndim > 1 else 0 * p
        penalty += float((pull * (p - start[own] if old else p)).sum().detach()) / 2
        torch.testing.assert_close(found[name], expected[name] - 0.1 * pull)
    assert loss == pytest.approx(plain_loss + penalty, rel=1e-5)


def test_penalties_are_added_to_the_mean_however_targets_fall_into_batches():
    x, y = torch.randn(5, 2), torch.tensor([0, 1, 1, 0, 1])
    found = []
    for sizes in ([5], [1, 4], [2, 2, 1]):
        model = Logistic([1.0, -0.5])
        anchor = L2SP(model, 3.0)
        moved(model)
        parts = zip(x.split(sizes), y.split(sizes), strict=True)
        batches = [{"x": x, "labels": y} for x, y in parts]
        found.append(one_update(model, batches, anchor, accumulate=len(sizes)))
    for weights, loss in found[1:]:
        torch.testing.assert_close(weights, found[0][0])
        assert loss == pytest.approx(found[0][1])


def test_validation_and_what_was_forgotten_are_losses_without_penalty():
    model, (batch,) = classifier(), rows()
    anchor = L2SP(model.encoder, 5.0)
    moved(model)
    with anchored(model, anchor):
        inside = evaluate(model, [batch])
        model.train()
        penalised = model.loss(batch)[0].item()
    assert inside == evaluate(model, [batch]) and penalised > 3 * inside


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()], ids=repr)
def test_anchors_stand_around_each_other_and_come_off_whatever_is_raised(error):
    model, (batch,) = classifier(dropout=0.0), rows()
    plain, kinds = model.loss, vars(model).keys() - {"_"}

    class One:
        def begin(self, model):
            pass

        def penalty(self, model, batch):
            return 1.0

    model.train()
    torch.manual_seed(3)
    alone = model.loss(batch)[0].item()
    with pytest.raises(type(error)), anchored(model, One()):
        with anchored(model, One(), One()):
            torch.manual_seed(3)
            assert model.loss(batch)[0].item() == pytest.approx(alone + 9)
        torch.manual_seed(3)
        assert model.loss(batch)[0].item() == pytest.approx(alone + 3)
        raise error
    assert model.loss == plain and vars(model).keys() == kinds


class Logistic(nn.Module):
    """Two classes with logits 0 and w x: log p(y) has the gradient (y - p) x."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def output_of(self, batch):
        score = batch["x"] @ self.weight  # (batch,)
        return torch.stack((torch.zeros_like(score), score), 1)

    def loss(self, batch):
        loss = F.cross_entropy(self.output_of(batch), batch["labels"], reduction="sum")
        return loss, len(batch["labels"])


def test_the_fisher_of_logistic_regression_is_known():
    model, x = Logistic([1.0, -0.5]), torch.tensor([[1.0, 2.0], [-3.0, 0.5], [0.2, 0.1]])
    p = (x @ model.weight.detach()).sigmoid()
    exact = (p * (1 - p))[:, None] * x.square()  # the diagonal of p (1 - p) x x^T, by example
    for labels in ([0, 1, 1], [1, 0, 0]):
        y = torch.tensor(labels)
        found = fisher(model, [{"x": x, "labels": y}])["weight"]
        torch.testing.assert_close(found, ((y - p).square()[:, None] * x.square()).mean(0))
    sides = [fisher(model, [{"x": x[:1], "labels": torch.tensor([y])}])["weight"] for y in (0, 1)]
    torch.testing.assert_close((1 - p[0]) * sides[0] + p[0] * sides[1], exact[0])
    y = (p > 0.5).long()
    wrong = {"x": x, "labels": 1 - y}
    found = fisher(model, [wrong], labels="likely")["weight"]
    torch.testing.assert_close(found, ((y - p).square()[:, None] * x.square()).mean(0))
    even = Logistic([0.0, 0.0])  # p = 1/2, where whatever is drawn has the same square
    for labels in ("true", "model", "likely"):
        found = fisher(even, [wrong], labels=labels)["weight"]
        torch.testing.assert_close(found, x.square().mean(0) / 4)


def test_labels_drawn_from_the_model_give_the_fisher_on_average():
    """With k of n labels 1, it is (k (1 - p)^2 + (n - k) p^2) / n; k / n comes near p."""
    model, n = Logistic([0.8]), 400
    p = float(torch.tensor(0.8).sigmoid())
    batches = [{"x": torch.ones(n, 1), "labels": torch.zeros(n, dtype=torch.long)}]
    found = [float(fisher(model, batches, "model", seed=seed)["weight"]) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    ones = (found[0] - p**2) * n / ((1 - p) ** 2 - p**2)
    assert ones == pytest.approx(round(ones), abs=1e-2)
    assert abs(ones / n - p) < 4 * (p * (1 - p) / n) ** 0.5
    before = torch.get_rng_state()
    fisher(model, batches, "model")
    assert torch.equal(torch.get_rng_state(), before)


def test_squares_are_added_up_in_float32():
    model = Logistic([0.0]).to(torch.bfloat16)
    batch = {"x": torch.tensor([[2.0], [1 / 16]]).bfloat16(), "labels": torch.tensor([0, 1])}
    found = fisher(model, [batch])["weight"]  # in bfloat16, 1 + 1 / 1024 would be 1
    torch.testing.assert_close(found, torch.tensor([(1 + 1 / 1024) / 2]), rtol=0, atol=0)


def test_gradients_are_squared_before_they_are_averaged():
    """Two examples whose gradients cancel: the square of their mean would be 0."""
    model = Logistic([0.0, 0.0])
    batch = {"x": torch.tensor([[1.0, 2.0]] * 2), "labels": torch.tensor([0, 1])}
    loss, count = model.loss(batch)
    (mean,) = torch.autograd.grad(loss / count, model.parameters())
    assert not mean.any()
    torch.testing.assert_close(fisher(model, [batch])["weight"], torch.tensor([0.25, 1.0]))


@every
def test_a_batch_is_taken_one_example_at_a_time(kind):
    make, batches = MODELS[kind]
    model = make().eval()
    if kind == "elmo alone":
        singles = [dict(batch) for batch in both_ways()]
        singles = [
            {k: v[i : i + 1] if torch.is_tensor(v) else v for k, v in batch.items()}
            | {"reset": True}
            for batch in singles
            for i in range(2)
        ]
    else:
        singles = batches(1)
    part = part_of(model)
    expected = {name: torch.zeros_like(p) for name, p in part.named_parameters()}
    seen = 0
    for single in singles:
        model.zero_grad()
        loss, count = model.loss(single)
        if not count:
            continue
        seen += 1
        loss.backward()
        for name, p in part.named_parameters():
            expected[name] += 0 if p.grad is None else p.grad.square()
    model.zero_grad()
    found = fisher(model, batches())
    assert found.keys() == expected.keys()
    for name, squares in expected.items():
        torch.testing.assert_close(found[name], squares / seen, rtol=1e-4, atol=1e-7)
    assert sum(float(f.sum()) for f in found.values()) > 0
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("kind", ["bert", "words", "masked words", "choices", "gpt alone"])
def test_the_likeliest_labels_are_those_of_the_scores(kind):
    make, batches = MODELS[kind]
    model, (batch,) = make().eval(), batches()
    with torch.no_grad():
        head = mb.heads.CausalLM(model) if kind == "gpt alone" else model
        scores = head.output_of(batch)
    if kind == "gpt alone":
        labels = torch.cat((batch["input_ids"][:, :1], scores.argmax(-1)[:, :-1]), 1)
        labels = labels.masked_fill(batch["attention_mask"] == 0, -100)
    else:
        labels = scores.argmax(-1).masked_fill(batch["labels"] == -100, -100)
    found = fisher(model, [batch], "likely")
    expected = fisher(model, [{**batch, "labels": labels}])
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    drawn = [fisher(model, [batch], "model", seed=seed) for seed in range(5)]
    assert any(not torch.equal(found[name], one[name]) for one in drawn for name in found)


def test_drawn_next_words_of_an_lstm():
    model, (batch,) = awd_lstm().eval(), stream()
    with torch.no_grad():
        likely = model.decoder(model(batch["input_ids"]).last_hidden_state).argmax(-1)
    found = fisher(model, [batch], "likely")
    expected = fisher(model, [{**batch, "targets": likely}])
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_model_is_as_it_was_before_its_fisher(breaks):
    model, (batch,) = awd_lstm().train(), stream()
    model.layers[0].eval()
    model.load_stream_state(
        carried := [(torch.ones(1, 3, n), torch.ones(1, 3, n)) for n in (12, 8)]
    )
    model.decoder.bias.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    if breaks:
        with pytest.raises(ValueError, match="targets"):
            fisher(model, [batch, {"input_ids": batch["input_ids"]}])
    else:
        found = fisher(model, [{**batch, "reset": False}])
        assert "decoder.bias" not in found and "decoder.weight" in found
    assert [module.training for module in model.modules()] == modes
    assert model.state is carried and torch.is_grad_enabled()
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_dropout_is_off_in_the_fisher():
    model = classifier().train()
    found = fisher(model, rows())
    assert all(torch.equal(found[name], f) for name, f in fisher(model, rows()).items())


def test_ewc_pulls_by_what_the_old_task_needs_below_another_head():
    encoder = bert().eval()
    old = mb.heads.MaskedLM(encoder)
    needed = fisher(old, masked())
    assert needed.keys() == dict(encoder.named_parameters()).keys()
    head = mb.heads.SequenceClassifier(encoder, 3)
    anchor, start = EWC(encoder, needed, 30.0), copy.deepcopy(encoder)
    moved(head)
    plain = copy.deepcopy(head)
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    found, loss = one_update(head, rows(), anchor)
    expected, plain_loss = one_update(plain, rows())
    penalty = 0.0
    for name, p in start.named_parameters():
        pull = 30 * needed[name] * (before[name] - p)
        penalty += float((pull * (before[name] - p)).sum().detach()) / 2
        name = f"encoder.{name}"
        torch.testing.assert_close(found[name], expected[name] - 0.1 * pull.detach())
    assert loss == pytest.approx(plain_loss + penalty, rel=1e-5)
    assert torch.equal(found["output.weight"], expected["output.weight"])


def test_what_fisher_does_not_name_is_free():
    model = gpt()
    (name, p), *_ = model.named_parameters()
    anchor = EWC(model, {name: torch.full_like(p, 2.0)})
    moved(model)
    with torch.no_grad():
        expected = (p - anchor.start[name]).square().sum()
        torch.testing.assert_close(anchor.penalty(model, {}), expected)


def test_the_whole_of_a_language_model_may_be_held():
    model = mb.heads.MaskedLM(bert())
    needed = fisher(model, masked(), part=model)
    assert needed.keys() == dict(model.named_parameters()).keys()
    assert needed["output.dense.weight"].any()
    EWC(model, needed).begin(model)


OLD = {
    "classes": classifier,
    "words": lambda: mb.heads.TokenClassifier(bert(), 3),
    "masked words": lambda: mb.heads.MaskedLM(bert()),
    "untied": lambda: mb.heads.MaskedLM(bert(), tied=False),
    "gpt": gpt,
    "awd-lstm": awd_lstm,
}


@pytest.mark.parametrize("kind", OLD)
def test_old_predictions_are_kept_by_the_formula(kind):
    old = OLD[kind]().eval()
    moved(old, 0.5)
    encoder = part_of(old)
    was = copy.deepcopy(old)
    model = mb.heads.SequenceClassifier(encoder, 2) if encoder is not old else old
    anchor, (batch,) = LwF(old, weight=3.0, temperature=2.0), rows()
    if kind == "awd-lstm":
        (batch,) = stream()
    anchor.begin(model)
    assert anchor.penalty(model.eval(), batch).item() == pytest.approx(0, abs=1e-5)
    moved(model)

    def output_of(one):
        return (mb.heads.CausalLM(one) if encoder is old else one).output_of(batch)

    with torch.no_grad():
        p, q = ((output_of(one) / 2).softmax(-1) for one in (was, old))
    divergence = (p * (p / q).log()).sum(-1)
    if divergence.ndim > 1:
        divergence = divergence[
            batch.get("attention_mask", torch.ones_like(batch["input_ids"])) == 1
        ]
    penalty = anchor.penalty(model, batch)
    assert penalty.item() == pytest.approx(3 * divergence.mean().item(), rel=1e-4)
    penalty.backward()
    learned = {id(p) for p in model.parameters()}
    assert any(p.grad.any() for p in encoder.parameters() if p.grad is not None)
    assert all(p.grad is None for p in old.parameters() if id(p) not in learned)
    assert all(p.grad is None for p in anchor.before.parameters())
    assert all(p.requires_grad for p in old.parameters())


def test_old_predictions_at_weight_0_are_plain_training():
    old = classifier()
    model = mb.heads.SequenceClassifier(old.encoder, 2)
    plain = copy.deepcopy(model)
    batches = rows(2, labels=(0, 1, 1))  # dropout of the second is drawn after the first
    found, loss = one_update(model, batches, LwF(old, 0.0), accumulate=2)
    expected, plain_loss = one_update(plain, batches, accumulate=2)
    assert loss == plain_loss and all(torch.equal(found[name], p) for name, p in expected.items())


def test_refused():
    model, (batch,) = classifier(), rows()
    small = mb.BERT(mb.BERTConfig(SIZE, **{**WIDE, "hidden": 4}))
    needed = {name: torch.ones_like(p) for name, p in small.named_parameters()}
    regression = mb.heads.SequenceClassifier(bert(), problem="regression")
    unlabelled = {name: value for name, value in batch.items() if name != "labels"}
    spans = mb.heads.SpanExtractor(bert())
    for call, told in {
        lambda: L2SP(model.encoder, -1.0): "expected a weight of 0 or more, got -1.0",
        lambda: L2SP(model.encoder, 1.0, new=-2): "expected a weight of 0 or more, got -2",
        lambda: L2SP(model.encoder, float("nan")): "expected a weight of 0 or more, got nan",
        lambda: EWC(model.encoder, {}, -1.0): "expected a weight of 0 or more",
        lambda: LwF(model, -1.0): "expected a weight of 0 or more",
        lambda: LwF(model, temperature=0): "expected a finite temperature above 0, got 0",
        lambda: LwF(model, temperature=float("inf")): "finite temperature above 0, got inf",
        lambda: LwF(mb.heads.Parser(bert(), 2)): "scores of classes, such as .* got a Parser",
        lambda: LwF(regression): "scores of classes, such as .* got a SequenceClassifier",
        lambda: LwF(bert()): "scores of classes, such as .* got a BERT",
        lambda: EWC(model.encoder, needed): r"the anchor is of other weights .* \(4, 8\) there",
        lambda: EWC(model.encoder, {"x": torch.ones(1)}): r"x is \(1,\) there and absent here",
        lambda: fisher(model, []): "at least one example and its label, got none",
        lambda: fisher(model, batch): "expected batches, got one dict: put it in a list",
        lambda: fisher(model, [unlabelled]): "expected labels in the batch, which has input_ids",
        lambda: fisher(model, [unlabelled], "model"): "expected labels in the batch",
        lambda: fisher(model, [batch], "their"): "labels must be one of true, model, likely, got",
        lambda: fisher(model, [batch], part=bert()): "a BERT that is no part of this Sequence",
        lambda: fisher(regression, [batch], "model"): "no scores of classes for its labels",
        lambda: fisher(elmo(), both_ways(), "likely"): 'a ELMo gives no scores .* labels="true"',
        lambda: fisher(model.requires_grad_(False), [batch]): "are they all frozen",
        lambda: LwF(spans).penalty(spans, batch): "one tensor of scores of classes, a SpanExtr",
    }.items():
        with pytest.raises(ValueError, match=told):
            call()


def test_an_anchor_of_another_model_is_refused_before_training():
    model = classifier()
    for anchor, told in {
        L2SP(bert()): "a BERT that is no part of this SequenceClassifier",
        LwF(classifier()): "its predictions would not change: build both heads on one encoder",
    }.items():
        with pytest.raises(ValueError, match=told), anchored(model, anchor):
            raise AssertionError("it was taken")
        assert "loss" not in vars(model)
    with pytest.raises(ValueError, match="a BERT has none"), anchored(model.encoder):
        raise AssertionError("it was taken")
    anchor = L2SP(model.encoder)
    mb.transfer.add(model, "lora", rank=2)
    with pytest.raises(ValueError, match="query.weight is .* there and absent here"):
        anchor.begin(model)
