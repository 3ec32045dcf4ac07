"""Folders that people have, beside `transformers`: shards, wrapped names, untied outputs, scales.

All models are tiny and random. Each is read from files and compared with the model that wrote them.
"""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import safetensors.torch
import torch

import minibert as mb
from minibert.models.bert.left_to_right import LeftToRight

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

BERT = {"vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}
BERT |= {"intermediate_size": 40, "max_position_embeddings": 20, "hidden_dropout_prob": 0.0}
GPT = {"vocab_size": 41, "n_embd": 24, "n_layer": 3, "n_head": 4, "n_positions": 20}
GPT |= {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}
IDS = torch.randint(0, 41, (3, 12), generator=torch.Generator().manual_seed(1))
FAMILY = {
    "bert": (transformers.BertConfig, BERT),
    "gpt2": (transformers.GPT2Config, GPT),
    "openai-gpt": (transformers.OpenAIGPTConfig, GPT),
}


def peer(cls, family="bert", **changes):
    """A random model of `transformers` with lively weights, in eval mode."""
    config, settings = FAMILY[family]
    torch.manual_seed(0)
    model = getattr(transformers, cls)(config(**{**settings, **changes}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "LayerNorm.weight" in name or ("ln_" in name and name.endswith("weight"))
            parameter.normal_(1.0 if norm else 0.0, 0.3)
    return model.eval()


def put(folder, tensors):
    """Other tensors into a folder's only file."""
    tensors = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def taken(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def logits(model, ids=IDS):
    """Of ours."""
    with torch.no_grad():
        out = model(ids)
        return model.logits(out.last_hidden_state) if isinstance(model, mb.GPT) else out


def theirs_logits(model, ids=IDS):
    with torch.no_grad():
        return model(ids).logits


def alike(ours, theirs, limit=2e-5):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= limit


def test_a_model_in_shards(tmp_path):
    for cls, ours, family in (
        ("BertForMaskedLM", mb.heads.MaskedLM, "bert"),
        ("GPT2LMHeadModel", mb.GPT, "gpt2"),
    ):
        theirs, folder = peer(cls, family), tmp_path / family
        theirs.save_pretrained(folder, max_shard_size="12KB")
        assert len(list(folder.glob("model-*.safetensors"))) > 2
        assert not (folder / "model.safetensors").exists()
        alike(logits(ours.from_pretrained(folder)), theirs_logits(theirs))


def test_a_pickle_in_shards(tmp_path):
    theirs = peer("GPT2LMHeadModel", "gpt2")
    theirs.config.save_pretrained(tmp_path)
    tensors, places = theirs.state_dict(), {}
    for i, name in enumerate(tensors):
        places[name] = f"pytorch_model-0000{i % 2 + 1}-of-00002.bin"
    for file in set(places.values()):
        part = {name: t for name, t in tensors.items() if places[name] == file}
        torch.save(part, tmp_path / file)
    index = {"metadata": {}, "weight_map": places}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    alike(logits(mb.GPT.from_pretrained(tmp_path)), theirs_logits(theirs))


@pytest.mark.parametrize("wrap", ["module.", "_orig_mod.", "module._orig_mod.", "model.",
                                  "_orig_mod.module.", "model.module."])  # fmt: skip
@pytest.mark.parametrize(("cls", "family"), [
    ("BertModel", "bert"), ("BertForMaskedLM", "bert"), ("GPT2Model", "gpt2"),
    ("GPT2LMHeadModel", "gpt2"), ("OpenAIGPTLMHeadModel", "openai-gpt")])  # fmt: skip
def test_names_as_wrappers_leave_them(cls, family, wrap, tmp_path):
    theirs = peer(cls, family)
    theirs.save_pretrained(tmp_path)
    put(tmp_path, {wrap + name: tensor for name, tensor in taken(tmp_path).items()})
    body = theirs.base_model
    ours = mb.BERT if family == "bert" else mb.GPT
    with torch.no_grad():
        want = body(IDS).last_hidden_state
        alike(ours.from_pretrained(tmp_path)(IDS).last_hidden_state, want)


def test_a_part_that_was_compiled_or_wrapped_alone(tmp_path):
    theirs = peer("BertForMaskedLM")
    theirs.save_pretrained(tmp_path)
    changed = {
        name.replace("bert.", "bert.module.").replace("layer.1.", "layer.1._orig_mod."): tensor
        for name, tensor in taken(tmp_path).items()
    }
    put(tmp_path, changed)
    alike(logits(mb.heads.MaskedLM.from_pretrained(tmp_path)), theirs_logits(theirs))


@pytest.mark.parametrize("family", ["gpt2", "openai-gpt"])
def test_an_output_layer_of_its_own_gpt(family, tmp_path):
    cls = {"gpt2": "GPT2LMHeadModel", "openai-gpt": "OpenAIGPTLMHeadModel"}[family]
    theirs = peer(cls, family, tie_word_embeddings=False)
    theirs.save_pretrained(tmp_path)
    ours = mb.GPT.from_pretrained(tmp_path)
    assert not ours.config.tied
    alike(logits(ours), theirs_logits(theirs))
    loss, count = ours.loss({"input_ids": IDS})
    alike(loss.detach() / count, theirs(IDS, labels=IDS).loss.detach())
    ours.save_pretrained(tmp_path / "again")
    again = mb.GPT.from_pretrained(tmp_path / "again")
    assert again.config == ours.config
    alike(logits(again), theirs_logits(theirs))
    back = getattr(transformers, cls).from_pretrained(tmp_path / "again")
    alike(theirs_logits(back), theirs_logits(theirs))


def test_an_untied_gpt_trains_its_output_and_grows_by_three_tokens(tmp_path):
    theirs = peer("GPT2LMHeadModel", "gpt2", tie_word_embeddings=False)
    theirs.save_pretrained(tmp_path)
    ours = mb.GPT.from_pretrained(tmp_path).train()
    loss, count = ours.loss({"input_ids": IDS})
    (loss / count).backward()
    theirs.train()(IDS, labels=IDS).loss.backward()
    alike(ours.output.weight.grad, theirs.lm_head.weight.grad)
    alike(ours.embeddings.word.weight.grad, theirs.transformer.wte.weight.grad)
    assert any(ours.output.weight is p for p in ours.layer_groups()[-1][-1].parameters())
    framed, first = mb.heads.framed(ours)
    assert first == 41 and logits(framed.eval()).shape[-1] == 44
    alike(logits(framed)[..., :41], theirs_logits(theirs.eval()))


@pytest.mark.parametrize("cls", ["BertForMaskedLM", "BertForPreTraining"])
def test_an_output_layer_of_its_own_bert(cls, tmp_path):
    def of(model):
        with torch.no_grad():
            out = model(IDS)
        if isinstance(out, tuple):
            return out[0]
        return out if torch.is_tensor(out) else getattr(out, "prediction_logits", out["logits"]
                                                        if "logits" in out else None)  # fmt: skip

    theirs = peer(cls, tie_word_embeddings=False)
    theirs.save_pretrained(tmp_path)
    kind = mb.heads.MaskedLM if "Masked" in cls else mb.heads.Pretraining
    ours = kind.from_pretrained(tmp_path)
    alike(of(ours), of(theirs))
    ours.save_pretrained(tmp_path / "again")
    back = getattr(transformers, cls).from_pretrained(tmp_path / "again").eval()
    alike(of(back), of(theirs))
    alike(of(kind.from_pretrained(tmp_path / "again")), of(theirs))


@pytest.mark.parametrize(("cls", "family", "table", "output"), [
    ("BertForMaskedLM", "bert", "bert.embeddings.word_embeddings.weight",
     "cls.predictions.decoder.weight"),
    ("GPT2LMHeadModel", "gpt2", "transformer.wte.weight", "lm_head.weight"),
    ("OpenAIGPTLMHeadModel", "openai-gpt", "transformer.tokens_embed.weight", "lm_head.weight"),
])  # fmt: skip
def test_a_tied_file_may_hold_either_name_or_both(cls, family, table, output, tmp_path):
    theirs = peer(cls, family)
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.MaskedLM if family == "bert" else mb.GPT
    tensors = taken(tmp_path)
    vectors = tensors.pop(table, None)
    vectors = tensors.pop(output) if vectors is None else vectors
    for names in ((table,), (output,), (table, output)):
        put(tmp_path, {**tensors, **dict.fromkeys(names, vectors)})
        alike(logits(ours.from_pretrained(tmp_path)), theirs_logits(theirs))
    put(tmp_path, {**tensors, table: vectors, output: vectors + 1})
    with pytest.raises(ValueError, match="an output layer unlike its word vectors"):
        ours.from_pretrained(tmp_path)


@pytest.mark.parametrize("changes", [
    {"scale_attn_weights": False},
    {"scale_attn_by_inverse_layer_idx": True},
    {"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True},
    {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
    {"n_inner": 50},
    {"activation_function": "gelu"},
    {"activation_function": "relu"},
    {"activation_function": "gelu_fast"},
    {"activation_function": "gelu_pytorch_tanh"},
    {"layer_norm_epsilon": 0.3},
    {"embd_pdrop": 0.4},
    {"vocab_size": 64},
])  # fmt: skip
def test_every_setting_of_gpt2_that_changes_the_function(changes, tmp_path):
    theirs = peer("GPT2LMHeadModel", "gpt2", **changes)
    theirs.save_pretrained(tmp_path)
    ours = mb.GPT.from_pretrained(tmp_path)
    alike(logits(ours), theirs_logits(theirs))
    plain = peer("GPT2LMHeadModel", "gpt2", **changes)  # written by us, read by them
    ours.save_pretrained(tmp_path / "again")
    back = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "again")
    alike(theirs_logits(back), theirs_logits(plain))
    assert back.config.embd_pdrop == theirs.config.embd_pdrop
    assert mb.GPT.from_pretrained(tmp_path / "again").config == ours.config


@pytest.mark.parametrize("changes", [
    {"pad_token_id": None}, {"pad_token_id": 7}, {"type_vocab_size": 3}, {"layer_norm_eps": 0.3},
    {"hidden_act": "gelu_fast"}, {"hidden_act": "gelu_python"}, {"vocab_size": 64},
    {"chunk_size_feed_forward": 4}])  # fmt: skip
def test_every_setting_of_bert_that_changes_the_function(changes, tmp_path):
    theirs = peer("BertForMaskedLM", **changes)
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.MaskedLM.from_pretrained(tmp_path)
    alike(logits(ours), theirs_logits(theirs))
    ours.save_pretrained(tmp_path / "again")
    back = transformers.BertForMaskedLM.from_pretrained(tmp_path / "again").eval()
    alike(theirs_logits(back), theirs_logits(theirs))
    assert back.config.pad_token_id == theirs.config.pad_token_id
    assert (
        mb.heads.MaskedLM.from_pretrained(tmp_path / "again").encoder.config == ours.encoder.config
    )


@pytest.mark.parametrize(("cls", "family"), [
    ("GPT2ForSequenceClassification", "gpt2"), ("GPT2ForTokenClassification", "gpt2"),
    ("GPT2ForQuestionAnswering", "gpt2"), ("GPT2DoubleHeadsModel", "gpt2"),
    ("OpenAIGPTForSequenceClassification", "openai-gpt")])  # fmt: skip
def test_the_encoder_of_a_gpt_with_another_head(cls, family, tmp_path):
    theirs = peer(cls, family, pad_token_id=0)
    theirs.save_pretrained(tmp_path)
    with torch.no_grad():
        want = theirs.transformer(IDS).last_hidden_state
    alike(mb.GPT.from_pretrained(tmp_path)(IDS).last_hidden_state, want)


def test_half_precision_is_read_in_single(tmp_path):
    theirs = peer("GPT2LMHeadModel", "gpt2").half()
    theirs.save_pretrained(tmp_path)
    ours = mb.GPT.from_pretrained(tmp_path)
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    alike(logits(ours), theirs_logits(theirs.float()))


def test_masks_and_positions_of_older_files(tmp_path):
    theirs = peer("GPT2LMHeadModel", "gpt2")
    theirs.save_pretrained(tmp_path)
    tensors = taken(tmp_path)
    for i in range(3):
        mask = torch.ones(1, 1, 20, 20).tril()
        tensors[f"transformer.h.{i}.attn.bias"] = mask.bool() if i else mask
        tensors[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    put(tmp_path, tensors)
    alike(logits(mb.GPT.from_pretrained(tmp_path)), theirs_logits(theirs))
    put(tmp_path, {**tensors, "transformer.h.1.attn.bias": torch.ones(1, 1, 20, 20).bool()})
    with pytest.raises(ValueError, match=r"an unusual h\.1\.attn\.bias"):
        mb.GPT.from_pretrained(tmp_path)
    theirs = peer("BertForMaskedLM")
    theirs.save_pretrained(tmp_path)
    tensors = {**taken(tmp_path), "bert.embeddings.position_ids": torch.arange(20)[None]}
    put(tmp_path, tensors)
    alike(logits(mb.heads.MaskedLM.from_pretrained(tmp_path)), theirs_logits(theirs))
    put(tmp_path, {**tensors, "bert.embeddings.position_ids": torch.arange(20).flip(0)[None]})
    with pytest.raises(ValueError, match=r"an unusual bert\.embeddings\.position_ids"):
        mb.heads.MaskedLM.from_pretrained(tmp_path)


def test_a_bert_that_reads_to_the_right_comes_back_as_one(tmp_path):
    theirs = peer("BertLMHeadModel", is_decoder=True)
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.MaskedLM.from_pretrained(tmp_path)
    assert type(ours.encoder) is LeftToRight
    alike(logits(ours), theirs_logits(theirs))
    assert type(mb.BERT.from_pretrained(tmp_path)) is LeftToRight
    ours.save_pretrained(tmp_path / "again")
    back = transformers.BertLMHeadModel.from_pretrained(tmp_path / "again").eval()
    assert back.config.is_decoder
    alike(theirs_logits(back), theirs_logits(theirs))
    ours.encoder.save_pretrained(tmp_path / "alone")
    again = LeftToRight.from_pretrained(tmp_path / "alone")
    assert type(again) is LeftToRight
    states = ours.encoder(IDS).last_hidden_state
    torch.testing.assert_close(again(IDS).last_hidden_state, states)
    peer("BertModel").save_pretrained(tmp_path / "both")  # eyes covered that were open
    assert type(LeftToRight.from_pretrained(tmp_path / "both")) is LeftToRight
    assert type(mb.BERT.from_pretrained(tmp_path / "both")) is mb.BERT
