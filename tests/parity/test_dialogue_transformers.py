"""Kinds of tokens in a GPT beside `transformers`: their vectors are those of words, added."""

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
KINDS = {"openai-gpt": "OpenAIGPT", "gpt2": "GPT2"}


@pytest.mark.parametrize("kind", KINDS)
def test_double_heads_with_kinds_of_tokens(kind, tmp_path):
    torch.manual_seed(0)
    config = getattr(transformers, f"{KINDS[kind]}Config")(**SMALL, **STILL)
    theirs = getattr(transformers, f"{KINDS[kind]}DoubleHeadsModel")(config)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.normal_(float("ln_" in name and name.endswith("weight")), 0.2)
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.DoubleHeads.from_pretrained(tmp_path).train()
    ids, kinds = torch.randint(1, 41, (2, 4, 12)).unbind()
    mask = (torch.arange(12) < torch.tensor([12, 3, 7, 10])[:, None]).long()
    labels = ids.masked_fill((mask == 0) | (torch.arange(12) < 2), -100)
    right = theirs(  # no token sees the padding behind it, so they need no mask
        ids.view(2, 2, -1),
        token_type_ids=kinds.view(2, 2, -1),
        mc_token_ids=(mask.sum(1) - 1).view(2, 2),
        labels=labels.view(2, 2, -1),
        mc_labels=torch.tensor([1, 0]),
    )
    logits, choices = ours(ids, mask, token_type_ids=kinds)
    real = mask.bool().view(2, 2, -1)
    assert torch.allclose(logits[real], right.logits[real], atol=1e-5)
    assert torch.allclose(choices, right.mc_logits.view(2, 2), atol=1e-5)
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
    batch |= {"lm_labels": labels, "labels": torch.tensor([1, 0])}
    words, task, _ = ours.losses(batch)
    assert words.item() == pytest.approx(right.loss.item(), rel=1e-5)
    assert task.item() == pytest.approx(right.mc_loss.item(), rel=1e-5)
    (right.mc_loss + 0.5 * right.loss).backward()
    (total, examples), wanted = ours.loss(batch), dict(theirs.named_parameters())
    (total / examples).backward()
    table = f"transformer.{'tokens_embed' if kind == 'openai-gpt' else 'wte'}.weight"
    grad = ours.encoder.embeddings.word.weight.grad
    assert torch.allclose(grad, wanted[table].grad, atol=1e-5)
