"""A BERT and a GPT-2 joined, beside `transformers`, on tiny random configurations."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb
from minibert.models.encoder_decoder import EncoderDecoder

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

BERT = {"vocab_size": 31, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 20, "max_position_embeddings": 16, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}  # fmt: skip
GPT2 = {"n_embd": 12, "n_layer": 3, "n_head": 3, "vocab_size": 23, "n_positions": 16,
        "resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}  # fmt: skip


def peer(width):
    """A random model of theirs with lively weights, whose encoder is ``width`` wide."""
    torch.manual_seed(0)
    told = transformers.GPT2Config(**GPT2, add_cross_attention=True, is_decoder=True)
    model = transformers.EncoderDecoderModel(
        encoder=transformers.BertModel(transformers.BertConfig(**{**BERT, "hidden_size": width})),
        decoder=transformers.GPT2LMHeadModel(told),
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = name.endswith("weight") and ("ln_" in name or "LayerNorm" in name)
            parameter.normal_(1.0 if norm else 0.0, 0.3)
    return model.eval()


def ours(theirs, folder):
    """The same weights here; their layer between two widths is in our keys and values."""
    theirs.encoder.save_pretrained(folder / "encoder")
    bare = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2))
    bare.load_state_dict(theirs.decoder.state_dict(), strict=False)
    bare.save_pretrained(folder / "decoder")
    reader = mb.BERT.from_pretrained(folder / "encoder")
    model = EncoderDecoder(reader, mb.GPT.from_pretrained(folder / "decoder"))
    bridge = getattr(theirs, "enc_to_dec_proj", None)
    found = {}
    for i, block in enumerate(theirs.decoder.transformer.h):
        attention = block.crossattention
        weights = [attention.q_attn.weight, *attention.c_attn.weight.chunk(2, 1)]
        biases = [attention.q_attn.bias, *attention.c_attn.bias.chunk(2)]
        weights, biases = [*weights, attention.c_proj.weight], [*biases, attention.c_proj.bias]
        for name, weight, bias in zip(
            ("query", "key", "value", "output"), weights, biases, strict=True
        ):
            weight = weight.T
            if bridge is not None and name in ("key", "value"):
                weight, bias = weight @ bridge.weight, weight @ bridge.bias + bias
            found |= {f"{i}.cross.{name}.weight": weight, f"{i}.cross.{name}.bias": bias}
        for kind in ("weight", "bias"):
            found[f"{i}.cross_norm.{kind}"] = getattr(block.ln_cross_attn, kind)
    model.new_layers.load_state_dict({n: t.detach() for n, t in found.items()})
    return model.eval()


@pytest.mark.parametrize("width", [12, 16])
def test_logits_loss_gradients_and_what_is_written(width, tmp_path):
    theirs = peer(width)
    model = ours(theirs, tmp_path)
    generator = torch.Generator().manual_seed(1)
    read = torch.randint(1, 31, (3, 9), generator=generator)
    mask = (torch.arange(9) < torch.tensor([9, 4, 6])[:, None]).long()
    written = torch.randint(1, 23, (3, 7), generator=generator)
    labels = torch.randint(1, 23, (3, 7), generator=generator)
    labels[1, 4:] = -100
    given = {"input_ids": read * mask, "attention_mask": mask}
    want = theirs(**given, decoder_input_ids=written, labels=labels)
    torch.testing.assert_close(
        model(decoder_ids=written, **given), want.logits, atol=1e-4, rtol=1e-4
    )
    loss, count = model.loss({**given, "decoder_ids": written, "labels": labels})
    torch.testing.assert_close(loss / count, want.loss)
    (loss / count).backward()
    want.loss.backward()
    for block, other in zip(model.decoder.stack.blocks, theirs.decoder.transformer.h, strict=True):
        for one, two in ((block.cross.output, other.crossattention.c_proj),
                         (block.cross.query, other.crossattention.q_attn),
                         (block.ffn.inner, other.mlp.c_fc)):  # fmt: skip
            torch.testing.assert_close(one.weight.grad, two.weight.grad.T, atol=1e-5, rtol=1e-3)
    words, others = model.encoder.embeddings.word, theirs.encoder.embeddings.word_embeddings
    torch.testing.assert_close(words.weight.grad[1:], others.weight.grad[1:], atol=1e-5, rtol=1e-3)
    ids = theirs.generate(
        **given, decoder_start_token_id=1, max_new_tokens=6, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    assert model.generate(**given, steps=6, start=1) == ids[:, 1:].tolist()
