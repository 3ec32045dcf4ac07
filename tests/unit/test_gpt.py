"""GPT: its size, what it may see, the cache, padding on both sides, drawing text."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.models.gpt.generation import distribution, draw
from minibert.text import BPE

SMALL = {"vocab_size": 30, "dim": 16, "layers": 2, "heads": 2, "hidden": 64, "max_length": 24}


FORMS = {
    "post": mb.GPTConfig,
    "pre": partial(mb.GPTConfig, norm="pre"),
    "llama": partial(mb.GPTConfig.llama, groups=1),
}


@pytest.fixture(params=FORMS)
def model(request):
    torch.manual_seed(0)
    model = mb.GPT(FORMS[request.param](**SMALL)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def ids(rows=3, length=12, seed=0):
    return torch.randint(0, 30, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (mb.GPTConfig(), 116_534_784),
        (mb.GPTConfig.gpt2(), 124_439_808),
        (mb.GPTConfig.llama(), 134_515_008),
    ],
)
def test_the_published_sizes(config, count):
    with torch.device("meta"):
        model = mb.GPT(config)
    assert sum(p.numel() for p in model.parameters()) == count


def test_nobody_sees_what_comes_later(model):
    text, other = ids(), ids()
    other[:, 7:] = (other[:, 7:] + 1) % 30
    a, b = model(text).last_hidden_state, model(other).last_hidden_state
    assert torch.equal(a[:, :7], b[:, :7]) and not torch.allclose(a[:, 7:], b[:, 7:])


def test_going_on_from_the_cache_gives_the_same(model):
    text = ids()
    whole = model(text).last_hidden_state
    first = model(text[:, :5])
    rest = model(text[:, 5:9], past=first.past)
    last = model(text[:, 9:], past=rest.past)
    parts = [out.last_hidden_state for out in (first, rest, last)]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(model, side):
    rows = [ids(1, n, seed=n)[0] for n in (12, 7, 1)]
    padded, mask = torch.zeros(3, 12, dtype=torch.long), torch.zeros(3, 12, dtype=torch.long)
    for i, row in enumerate(rows):
        where = slice(12 - len(row), 12) if side == "left" else slice(0, len(row))
        padded[i, where], mask[i, where] = row, 1
    out = model(padded, mask).last_hidden_state
    packed = model.states_at(padded, mask, wanted=mask.bool())
    alone = torch.cat([model(row[None]).last_hidden_state[0] for row in rows])
    assert torch.allclose(out[mask.bool()], alone, atol=1e-5)
    assert torch.allclose(packed, alone, atol=1e-5)
    for weights in model(padded, mask, output_attentions=True).attentions:
        assert torch.allclose(weights.sum(-1), torch.ones(3, 2, 12))  # padding looks at itself
    total, count = model.loss({"input_ids": padded, "attention_mask": mask})
    each = [model.loss({"input_ids": row[None]}) for row in rows]
    assert count == sum(n for _, n in each) == 17
    assert torch.allclose(total, sum(loss for loss, _ in each), rtol=1e-5)


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("model", ["post", "pre"], indirect=True)
def test_the_fast_path_is_the_readable_one_with_gradients(model, kinds, monkeypatch):
    text, mask = ids(4, 12), (torch.arange(12) < torch.tensor([[12], [5], [11], [9]])).long()
    labels = text.masked_fill(
        torch.rand(4, 12, generator=torch.Generator().manual_seed(1)) < 0.5, -100
    )
    batch = {"input_ids": text, "attention_mask": mask, "labels": labels}
    batch |= {"token_type_ids": ids(4, 12, seed=2)} if kinds else {}
    found = []
    for suits in (lambda *_: True, lambda *_: False):
        monkeypatch.setattr(mb.models.transformer.fast, "suits", suits)
        model.zero_grad()
        loss, _ = model.loss(batch)
        loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in model.parameters())])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*found, strict=True))


def test_the_word_vector_of_a_tokens_kind_is_added(model):
    """By hand, in one pass and in parts, and where padding stands in front or behind."""
    text, kinds, places = ids(), ids(seed=1), torch.arange(12)
    x = model.embeddings.word(text) + model.embeddings.word(kinds)
    x, seen = x + model.embeddings.position(places), torch.ones(12, 12, dtype=torch.bool).tril()
    right = model.stack(x, seen, places=places)[0].last_hidden_state
    found = model(text, token_type_ids=kinds)
    torch.testing.assert_close(found.last_hidden_state, right, atol=1e-5, rtol=1e-4)
    first = model(text[:, :5], token_type_ids=kinds[:, :5])
    rest = model(text[:, 5:], past=first.past, token_type_ids=kinds[:, 5:])
    torch.testing.assert_close(rest.last_hidden_state, right[:, 5:], atol=1e-5, rtol=1e-4)
    for sides in ((0, 3), (3, 0)):
        longer = [F.pad(t, sides, value=7) for t in (text, kinds)]
        real = F.pad(torch.ones_like(text), sides)
        packed = model.states_at(longer[0], real, longer[1], wanted=real.bool())
        torch.testing.assert_close(packed, right.flatten(0, 1), atol=1e-5, rtol=1e-4)
    wanted = F.cross_entropy(model.logits(right[:, :-1]).mT, text[:, 1:], reduction="sum")
    loss, _ = model.loss({"input_ids": text, "token_type_ids": kinds})
    torch.testing.assert_close(loss, wanted, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model(text).last_hidden_state, right)


@pytest.mark.parametrize("cache", [True, False])
def test_what_is_written_is_of_the_last_tokens_kind(model, cache):
    """Greedy, against a whole pass for each token of each prompt."""
    prompts, kinds, whole = [[1, 2, 3], [4], [5, 6]], [[7, 7, 8], [9], [8, 9]], []
    for prompt, own in zip(prompts, kinds, strict=True):
        text = list(prompt)
        for _ in range(6):
            told = torch.tensor([own + own[-1:] * (len(text) - len(own))])
            state = model(torch.tensor([text]), token_type_ids=told).last_hidden_state[0, -1]
            text.append(int(model.logits(state).argmax()))
        whole.append(text)
    options = {"temperature": 0, "cache": cache}
    assert model.generate(prompts, 6, token_type_ids=kinds, **options) == whole
    alone = model.generate(torch.tensor([1, 2, 3]), 6, token_type_ids=torch.tensor([7, 7, 8]))
    assert len(alone) == 9
    assert model.generate([1, 2, 3], 6, token_type_ids=kinds[0], **options) == whole[0]
    assert model.generate(prompts, 6, **options) != whole


@pytest.mark.usefixtures("unchecked")
def test_kinds_that_do_not_fit_are_refused(model):
    text = ids()
    for kinds, told in (
        (text[:, 1:], r"token_type_ids of shape \(3, 12\), got \(3, 11\)"),
        (text + 30, "token_type_ids from 0 to below"),
        (text.tolist(), "token_type_ids as a tensor"),
    ):
        for go in (model, partial(model.states_at, wanted=text >= 0)):
            with pytest.raises(ValueError, match=told):
                go(text, token_type_ids=kinds)
        with pytest.raises(ValueError, match=told):
            model.loss({"input_ids": text, "token_type_ids": kinds})
    for prompt, kinds in (([1, 2], [3]), ([[1, 2], [3]], [[1], [1, 2]]), ([[1], [2]], [1, 1])):
        with pytest.raises(ValueError, match="token_type_ids of prompts of .* tokens, got"):
            model.generate(prompt, token_type_ids=kinds)
    with pytest.raises(ValueError, match="token_type_ids from 0 to below"):
        model.generate([1, 2], token_type_ids=[3, 30])


def test_log_probs_are_the_losses_and_long_texts_go_in_windows(model):
    text = ids(1, 20)
    loss, _ = model.loss({"input_ids": text})
    assert -model.log_probs(text[0]).sum() == pytest.approx(loss.item(), rel=1e-5)
    long = ids(1, 60)[0]
    found = model.log_probs(long)
    assert found.shape == (59,)
    start = 12 * 2  # the third window begins there
    window = model(long[None, start : start + 24]).last_hidden_state
    at = model.logits(window)[0, 15].log_softmax(-1)[long[start + 16]]
    assert found[start + 15] == pytest.approx(at.item(), rel=1e-4)


def test_prompts_of_different_lengths_go_on_as_each_alone(model):
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
    alone = [model.generate(prompt, 8, temperature=0) for prompt in prompts]
    for cache in (True, False):
        assert model.generate(prompts, 8, temperature=0, cache=cache) == alone


def test_padding_in_front_is_no_token_that_was_said_before(model, monkeypatch):
    scores = torch.zeros(30)
    scores[:2] = torch.tensor([1.0, 0.9])
    monkeypatch.setattr(model, "logits", lambda hidden: scores.expand(len(hidden), 30))
    found = model.generate([[2, 3, 4], [5]], 3, temperature=0, repetition_penalty=1.5)
    assert found == [[2, 3, 4, 0, 1, 0], [5, 0, 1, 0]]  # 0 pads the second, and counts as new


def test_embeddings_may_have_a_dropout_of_their_own():
    for own, want in ((0.3, 0.3), (0.0, 0.0), (None, 0.1)):
        made = mb.GPT(mb.GPTConfig(**SMALL, dropout=0.1, embedding_dropout=own))
        assert (made.embeddings.dropout.p, made.stack.blocks[0].dropout.p) == (want, 0.1)


def test_stop_tokens_end_a_text_and_are_streamed(model):
    greedy = model.generate([[1, 2, 3], [4]], 8, temperature=0)
    stop, seen = greedy[0][5], []
    found = model.generate([[1, 2, 3], [4]], 8, temperature=0, stop=stop, stream=seen.append)
    for text, whole, start in zip(found, greedy, (3, 1), strict=True):
        new = whole[start:]
        length = new.index(stop) + 1 if stop in new else len(new)
        assert text[start:] == new[:length]
    assert [ids[0] for ids in seen if ids[0] is not None] == found[0][3:]


def test_draws_follow_the_seed_and_the_distribution(model):
    assert model.generate([1], 8, seed=3) == model.generate([1], 8, seed=3)
    p = distribution(model.logits(model(torch.tensor([[1]])).last_hidden_state[:, -1]), top_k=4)[0]
    drawn = model.generate([[1]] * 4000, 1, top_k=4, seed=0)
    shares = torch.bincount(torch.tensor([text[1] for text in drawn]), minlength=30) / 4000
    assert torch.allclose(shares, p, atol=0.03) and int((shares > 0).sum()) == 4


def test_a_text_never_gets_longer_than_the_model_can_read(model):
    assert len(model.generate([1, 2], 100, temperature=0)) == 24


def test_nucleus_by_hand():
    p = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    assert distribution(p.log(), top_p=0.5).tolist() == [[1, 0, 0, 0]]
    assert torch.allclose(distribution(p.log(), top_p=0.6)[0], torch.tensor([0.625, 0.375, 0, 0]))
    assert torch.allclose(distribution(p.log(), top_k=2)[0], torch.tensor([0.625, 0.375, 0, 0]))
    cold = distribution(p.log(), temperature=0.5)[0]
    assert cold[0] == pytest.approx(0.25 / (0.25 + 0.09 + 0.0225 + 0.0025), rel=1e-5)


def test_saved_with_its_tokenizer_and_read_again(model, tmp_path):
    model.tokenizer = BPE({t: i for i, t in enumerate("abcdefgh")}, [])
    model.save_pretrained(tmp_path / "gpt")
    again = mb.GPT.from_pretrained(tmp_path / "gpt")
    assert again.config == model.config and again.tokenizer.ids == model.tokenizer.ids
    assert torch.equal(again(ids()).last_hidden_state, model(ids()).last_hidden_state)
    text = (
        again.generate("abc", 1, temperature=0, top_k=1) if again.config.vocab_size <= 8 else "abc"
    )
    assert text.startswith("abc")


def test_what_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="at most max_length=24 tokens, got 25"):
        model(torch.zeros(1, 25, dtype=torch.long))
    with pytest.raises(ValueError, match="below vocab_size=30, got 0 to 30"):
        model(torch.tensor([[0, 30]]))
    with pytest.raises(ValueError, match=r"attention_mask of shape \(1, 2\), got \(1, 3\)"):
        model(torch.tensor([[0, 1]]), torch.ones(1, 3))
    with pytest.raises(ValueError, match="at least one token each, got an empty one"):
        model.generate([[1], []])
    with pytest.raises(ValueError, match="the model has no tokenizer for texts"):
        model.generate("a")
    with pytest.raises(ValueError, match="top_p must be above 0 and at most 1, got 0"):
        model.generate([1], top_p=0)
    with pytest.raises(ValueError, match="expected prompts of fewer than 24 tokens, got 24"):
        model.generate([1] * 24)
    model.save_pretrained(tmp_path / "gpt")
    (tmp_path / "gpt" / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    with pytest.raises(ValueError, match="expected a model of type 'openai-gpt' or 'gpt2'"):
        mb.GPT.from_pretrained(tmp_path / "gpt")


def test_tokens_are_drawn_as_often_as_their_probability_says():
    p = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0]).repeat(40_000, 1)
    drawn = draw(p, torch.Generator().manual_seed(0))[:, 0]
    share = drawn.bincount(minlength=6) / len(drawn)
    assert share.tolist() == pytest.approx(p[0].tolist(), abs=0.01)  # four deviations
    assert not share[p[0] == 0].any()
