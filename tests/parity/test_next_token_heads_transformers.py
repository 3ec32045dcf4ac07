"""Next-token heads beside `transformers`, on tiny random configurations, with padding on each side.

Logits and losses, gradients of both losses together, folders read and written.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SMALL = {"vocab_size": 41, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 20}
STILL = {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "summary_first_dropout": 0.0}
GPTS = {
    "openai-gpt": (transformers.OpenAIGPTConfig, "OpenAIGPT"),
    "gpt2": (transformers.GPT2Config, "GPT2"),
}
BERT = transformers.BertConfig(
    vocab_size=41,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=32,
    max_position_embeddings=20,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    is_decoder=True,
)


def random(theirs):
    """A model of theirs with weights at which every part has something to say."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            norm = any(part in name for part in ("ln_", "LayerNorm")) and name.endswith("weight")
            parameter.normal_(1.0 if norm else 0.0, 0.2)
    return theirs


def of_gpt(kind, head, **changes):
    config, begin = GPTS[kind]
    return random(getattr(transformers, begin + head)(config(**SMALL, **STILL, **changes)))


def batch(rows=4, length=12, front=False):
    """Ids and a mask; the first row is whole, the others have padding at one side."""
    ids = torch.randint(1, 41, (rows, length), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([length, 3, 7, 10])[:, None]
    places = torch.arange(length)
    mask = (places >= length - lengths if front else places < lengths).long()
    return ids * mask, mask


def of_mask(mask):
    """Positions from each row's first token, as `generate` of transformers gives them."""
    return (mask.cumsum(1) - 1).clamp(min=0)


@pytest.mark.parametrize("kind", [*GPTS, "untied gpt2", "bert"])
@pytest.mark.parametrize("front", [False, True], ids=["behind", "in front"])
def test_a_language_model(kind, front, tmp_path):
    if kind == "bert":
        theirs = random(transformers.BertLMHeadModel(BERT))
    else:
        tied = not kind.startswith("untied")
        theirs = of_gpt(kind.split()[-1], "LMHeadModel", tie_word_embeddings=tied)
    theirs.eval().save_pretrained(tmp_path / "theirs")
    ours = mb.heads.CausalLM.from_pretrained(tmp_path / "theirs")
    ids, mask = batch(front=front)
    labels = ids.masked_fill(mask == 0, -100)
    if front:  # they would predict the first token from padding
        labels[1:] = labels[1:].masked_fill(mask[1:].cumsum(1) == 1, -100)
    right = theirs(ids, attention_mask=mask, position_ids=of_mask(mask), labels=labels)
    logits = ours(ids, mask)
    assert torch.allclose(logits[mask.bool()], right.logits[mask.bool()], atol=1e-5)
    loss, count = ours.loss({"input_ids": ids, "attention_mask": mask})
    assert count == int(mask.sum()) - len(mask)
    assert (loss / count).item() == pytest.approx(right.loss.item(), rel=1e-5)
    ours.save_pretrained(tmp_path / "ours")
    again = type(theirs).from_pretrained(tmp_path / "ours").eval()
    there = again(ids, attention_mask=mask, position_ids=of_mask(mask)).logits
    assert torch.allclose(there[mask.bool()], right.logits[mask.bool()], atol=1e-5)


@pytest.mark.parametrize("path", ["fast", "readable"])
@pytest.mark.parametrize("where", ["last", "given"])
@pytest.mark.parametrize("kind", GPTS)
def test_double_heads(kind, where, path, tmp_path, monkeypatch):
    if path == "readable":
        monkeypatch.setattr(mb.models.transformer.fast, "suits", lambda *_: False)
    theirs = of_gpt(kind, "DoubleHeadsModel")
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.DoubleHeads.from_pretrained(tmp_path).train()
    ids, mask = batch()
    at = mask.sum(1) - 1 if where == "last" else torch.tensor([4, 0, 5, 9])
    labels = ids.masked_fill(mask == 0, -100)
    right = theirs(  # no token sees the padding behind it, so they need no mask
        ids.view(2, 2, -1),
        mc_token_ids=at.view(2, 2),
        labels=labels.view(2, 2, -1),
        mc_labels=torch.tensor([1, 0]),
    )
    given = {} if where == "last" else {"mc_token_ids": at.view(2, 2)}
    logits, choices = ours(ids, mask, **given)
    real = mask.bool()
    assert logits.shape == right.logits.shape == (2, 2, 12, 41)
    assert torch.allclose(logits[real.view(2, 2, -1)], right.logits[real.view(2, 2, -1)], atol=1e-5)
    assert torch.allclose(choices, right.mc_logits.view(2, 2), atol=1e-5)
    batch_of = {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([1, 0])} | given
    words, task, count = ours.losses(batch_of)
    assert count == int(mask[:, 1:].sum())
    assert words.item() == pytest.approx(right.loss.item(), rel=1e-5)
    assert task.item() == pytest.approx(right.mc_loss.item(), rel=1e-5)
    (right.mc_loss + 0.5 * right.loss).backward()
    (total, examples), wanted = ours.loss(batch_of), dict(theirs.named_parameters())
    (total / examples).backward()
    assert torch.allclose(
        ours.encoder.embeddings.word.weight.grad,
        wanted[f"transformer.{'tokens_embed' if kind == 'openai-gpt' else 'wte'}.weight"].grad,
        atol=1e-5,
    )
    grad = wanted["multiple_choice_head.summary.weight"].grad
    assert torch.allclose(ours.output.weight.grad, grad, atol=1e-5)


@pytest.mark.parametrize("kind", GPTS)
def test_double_heads_that_we_write(kind, tmp_path):
    of_gpt(kind, "DoubleHeadsModel").save_pretrained(tmp_path / "theirs")
    ours = mb.heads.DoubleHeads.from_pretrained(tmp_path / "theirs")
    ours = mb.heads.DoubleHeads(ours.encoder, 4, dropout=0.0)
    ours.save_pretrained(tmp_path / "ours")
    theirs = getattr(transformers, GPTS[kind][1] + "DoubleHeadsModel")
    theirs, info = theirs.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()), info
    again = mb.heads.DoubleHeads.from_pretrained(tmp_path / "ours")
    assert (again.sequences, again.auxiliary, again.dropout.p) == (4, 0.5, 0.0)
    ids, mask = batch()
    right = theirs.eval()(ids[None], mc_token_ids=(mask.sum(1) - 1)[None])
    logits, choices = again(ids, mask)
    real = mask[None].bool()
    assert torch.allclose(logits[real], right.logits[real], atol=1e-5)
    assert torch.allclose(choices, right.mc_logits, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"summary_type": "first"},
        {"summary_activation": "tanh"},
        {"summary_use_proj": False},
        {"summary_proj_to_labels": False},
        {"summary_last_dropout": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", GPTS)
def test_another_choice_than_ours_is_refused(kind, changes, tmp_path):
    of_gpt(kind, "DoubleHeadsModel", **changes).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=next(iter(changes))):
        mb.heads.DoubleHeads.from_pretrained(tmp_path)


def test_a_language_model_is_no_double_heads(tmp_path):
    of_gpt("gpt2", "LMHeadModel").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="it holds no DoubleHeads"):
        mb.heads.DoubleHeads.from_pretrained(tmp_path)
