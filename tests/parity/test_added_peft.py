"""What is added to a model beside `peft`, on the same weights: states, gradients, merging."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb

peft = pytest.importorskip("peft", reason="the peer that this compares with")
transformers = pytest.importorskip("transformers", reason="the peer of the models")
transformers.logging.set_verbosity_error()

SMALL = {"vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {"intermediate_size": 40, "max_position_embeddings": 20}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
IDS = torch.tensor([[2, 7, 9, 11, 3, 0], [2, 8, 30, 4, 5, 3]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]])


@pytest.fixture
def pair(tmp_path):
    """(ours, theirs): a BERT with the same random weights."""
    torch.manual_seed(0)
    theirs = transformers.BertModel(transformers.BertConfig(**SMALL, **STILL))
    theirs.save_pretrained(tmp_path)
    return mb.BERT.from_pretrained(tmp_path).train(), theirs.train()


def test_lora(pair):
    ours, theirs = pair
    mb.transfer.add(ours, "lora", rank=3, alpha=12)
    config = peft.LoraConfig(
        r=3, lora_alpha=12, target_modules=["query", "value"], lora_dropout=0.0
    )
    theirs = peft.get_peft_model(theirs, config)
    layers = theirs.base_model.model.encoder.layer
    beside = []  # (ours, theirs) of each layer
    for block, layer in zip(ours.stack.blocks, layers, strict=True):
        for name in ("query", "value"):
            beside.append((getattr(block.attention, name), getattr(layer.attention.self, name)))
    for lora, other in beside:
        for mine, its in ((lora.down, other.lora_A), (lora.up, other.lora_B)):
            torch.nn.init.normal_(its.default.weight)
            mine.weight.data.copy_(its.default.weight)
    out = ours(IDS, MASK).last_hidden_state[MASK.bool()]
    wanted = theirs(IDS, attention_mask=MASK).last_hidden_state[MASK.bool()]
    assert torch.allclose(out, wanted, atol=1e-5)

    out.square().sum().backward()
    wanted.square().sum().backward()
    for lora, other in beside:
        assert torch.allclose(lora.down.weight.grad, other.lora_A.default.weight.grad, atol=1e-3)
        assert torch.allclose(lora.up.weight.grad, other.lora_B.default.weight.grad, atol=1e-3)
    learning, every = theirs.get_nb_trainable_parameters()
    assert mb.transfer.counts(ours) == (learning, every)

    mb.transfer.merge(ours)
    for (lora, other), name in zip(beside, ("query", "value") * 2, strict=True):
        other.merge()
        weight = other.get_base_layer().weight
        assert torch.allclose(lora.linear.weight, weight, atol=1e-6), name


def test_soft_prompts_of_a_gpt(tmp_path):
    """Theirs stand in front of the embedded tokens and take positions; without any, both agree."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 41, "n_positions": 20, "n_embd": 24, "n_layer": 2, "n_head": 4}
    still = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **still)).eval()
    theirs.transformer.wpe.weight.data.zero_()
    theirs.save_pretrained(tmp_path)
    ours = mb.GPT.from_pretrained(tmp_path)
    mb.transfer.add(ours, "prompts", length=3)
    prompts = peft.PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(theirs, prompts)
    vectors = theirs.prompt_encoder.default.embedding.weight
    ours.stack.vectors.data.copy_(vectors)
    with torch.no_grad():
        wanted = theirs(IDS[1:]).logits[:, 3:]
        found = ours.logits(ours(IDS[1:]).last_hidden_state)
    assert torch.allclose(found, wanted, atol=1e-4)
