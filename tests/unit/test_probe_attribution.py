"""Attribution of a score to tokens: axioms, slow versions, every model, and what is refused."""

import warnings

import pytest
import torch

import minibert as mb
from minibert.probe import attribution
from tests.unit.test_probe_changes import NAMES

WORDS = "the baker opened the door .".split()


@pytest.fixture(scope="module")
def models():
    return {name: kind.from_pretrained(name).eval() for name, kind in NAMES.items()}


def inputs_of(model):
    ids = mb.probe.tokens_of(model, WORDS)[0]
    more = torch.zeros_like(ids)  # a second row, half of it padding
    more[:, :3] = ids[:, :3]
    mask = torch.ones(2, ids.shape[1], dtype=torch.long)
    mask[1, 3:] = 0
    return {"input_ids": torch.cat((ids, more)), "attention_mask": mask}


def first(out):
    """A bounded score of the first token's last state: (rows,)."""
    return out.last_hidden_state[:, 0].tanh().mean(-1)


def whole(out):
    """A score that all tokens have a part in, padding apart, and that bends a lot."""
    return out.last_hidden_state[:, :3].sin().sum((1, 2))


def score(out):
    """The same, straighter."""
    return out.last_hidden_state[:, :3, :5].tanh().sum((1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_integrated_gradients_are_complete(models, name):
    model, given = models[name], inputs_of(models[name])
    near = 0.8 * attribution.embedded(model, given)  # a short way: the score bends a lot
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mb.probe.integrated_gradients(model, given, score, near, steps=20)
    with torch.no_grad(), mb.probe.changed(model, 0, value=near):
        below = score(model(**given))
    fell = score(model(**given)) - below
    torch.testing.assert_close(found.sum(1), fell.detach(), rtol=0.01, atol=1e-3)
    assert not found[1, 3:].any() and bool((found[0] != 0).any())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_erasure_is_one_token_after_the_other(models, name):
    model, given = models[name], inputs_of(models[name])
    found = mb.probe.erasure(model, given, whole)
    with torch.no_grad():
        before = whole(model(**given))
        for token in range(3):
            with mb.probe.changed(model, 0, tokens=[token]):
                fell = before - whole(model(**given))
            torch.testing.assert_close(found[:, token], fell, rtol=1e-4, atol=1e-4)
    assert not found[1, 3:].any()


def test_where_the_score_is_linear_all_ways_agree():
    torch.manual_seed(0)
    model = mb.Word2Vec(mb.Word2VecConfig(9, 4))
    torch.nn.init.normal_(model.input.weight)
    weight, ids = torch.randn(4), torch.tensor([[1, 2, 3, 4, 5]])
    wanted = model.vectors[ids] @ weight
    given = {"input_ids": ids}

    def score(out):
        return (out.last_hidden_state @ weight).sum(1)

    for way in (mb.probe.gradient_times_input, mb.probe.integrated_gradients, mb.probe.erasure):
        torch.testing.assert_close(way(model, given, score), wanted, rtol=1e-4, atol=1e-5)
    base = torch.full((1, 5), 7)
    for way in (mb.probe.integrated_gradients, mb.probe.erasure):
        found = way(model, given, score, base)
        torch.testing.assert_close(
            found, wanted - model.vectors[base] @ weight, atol=1e-5, rtol=1e-4
        )
    found = mb.probe.integrated_gradients(model, given, score, torch.ones(4))
    torch.testing.assert_close(found, wanted - weight.sum(), atol=1e-5, rtol=1e-4)


def test_gradient_times_input_is_a_derivative(models):
    """Of the score as the embedding of one token is stretched."""
    model, small = mb.BERT.from_pretrained("minibert-bert").double(), 1e-5
    given = inputs_of(model)
    found = mb.probe.gradient_times_input(model, given, whole)
    x = attribution.embedded(model, given)
    told = []
    for sign in (1, -1):
        with (
            torch.no_grad(),
            mb.probe.changed(model, 0, tokens=[1], value=x[:, 1:2] * (1 + sign * small)),
        ):
            told.append(whole(model(**given)))
    torch.testing.assert_close(found[:, 1], (told[0] - told[1]) / (2 * small), rtol=1e-4, atol=1e-6)


def test_a_score_that_bends_too_much_is_told(models):
    model, given = models["minibert-bert"], inputs_of(models["minibert-bert"])
    with pytest.warns(UserWarning, match="not complete: row .* take more steps than 1"):
        mb.probe.integrated_gradients(model, given, whole, steps=1)


def test_heads_have_attributions_and_are_left_as_they_were(models):
    head = mb.heads.SequenceClassifier(models["minibert-bert"], 3).train()
    given = inputs_of(models["minibert-bert"])
    found = mb.probe.gradient_times_input(head, given, lambda logits: logits[:, 1])
    assert found.shape == given["input_ids"].shape and not found[1, 3:].any()
    assert head.training and head.encoder.training and torch.is_grad_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in head.modules())
    head.eval()


@pytest.mark.parametrize("name", ["minibert-bert", "minibert-gpt"])
def test_rollout_is_the_product_of_the_layers(models, name):
    model, given = models[name], inputs_of(models[name])
    with torch.no_grad():
        attentions = model(**given, output_attentions=True).attentions
    found = mb.probe.rollout(attentions)
    length = found.shape[-1]
    for row in range(2):
        product = torch.eye(length)
        for weights in attentions:
            mixed = torch.zeros(length, length)
            for i in range(length):
                for j in range(length):
                    one = sum(float(w[i, j]) for w in weights[row]) / len(weights[row])
                    mixed[i, j] = 0.5 * one + 0.5 * (i == j)
            product = mixed @ product
        torch.testing.assert_close(found[row], product, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[0].sum(-1), torch.ones(length))
    assert not found[1, :3, 3:].any()  # padding reaches nothing
    if name == "minibert-gpt":
        assert torch.equal(found[0], found[0].tril())


def test_ranks_agree_or_not():
    a = [torch.tensor([1.0, 2, 3]), torch.tensor([3.0, 2, 1, 0]), torch.tensor([5.0])]
    b = [torch.tensor([10.0, 20, 21]), torch.tensor([0.0, 1, 2, 3]), torch.tensor([1.0])]
    c = [torch.tensor([1.0, 1, 1]), torch.tensor([3.0, 2, 1, 0]), torch.tensor([0.0])]
    found = mb.probe.rank_agreement({"a": a, "b": b, "c": c})
    assert found["a", "b"] == pytest.approx(0) and found["a", "c"] == pytest.approx(1)
    assert found["b", "c"] == pytest.approx(-1) and len(found) == 3
    with pytest.raises(ValueError, match="as many scores of a as of b in each sentence"):
        mb.probe.rank_agreement({"a": a, "b": b[:2]})


def test_what_does_not_fit_is_refused(models):
    model, given = models["minibert-bert"], inputs_of(models["minibert-bert"])
    ask = mb.probe.integrated_gradients
    for arguments, told in [
        ((lambda out: out.last_hidden_state,), "one number for each of 2 rows, got .2, "),
        ((lambda out: 3.0,), "one number for each of 2 rows, got float"),
        ((first, torch.ones(3)), "a baseline that broadcasts to .2, "),
        ((first, torch.ones(1, 2, dtype=torch.long)), "baseline ids of the shape .2, "),
    ]:
        with pytest.raises(ValueError, match=told):
            ask(model, given, *arguments)
    with pytest.raises(ValueError, match="at least one step"):
        ask(model, given, first, steps=0)
    with pytest.raises(ValueError, match="expected the attentions of each layer"):
        mb.probe.rollout(None)
