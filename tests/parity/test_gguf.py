"""GGUF files beside the ``gguf`` package that wrote them: numbers, a tiny Llama, damage."""

import os
import struct

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import torch
from their_gguf import llama_of

import minibert as mb
from minibert.storage import gguf as ours
from minibert.text import BPE

gguf = pytest.importorskip("gguf", reason="the gguf package, which writes these files, is missing")
quants = pytest.importorskip("gguf.quants")

KINDS = {"F32": 0, "Q4_1": 3, "Q8_0": 8}
SIZES = {"vocab_size": 288, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32}
TEXTS = ["there are 12 cats, 3 dogs and 456 other animals in the 7 rooms"] * 3


def write(path, tensors, settings=lambda writer: None, kind="llama"):
    """A file with these tensors: name -> (array, name of its kind)."""
    writer = gguf.GGUFWriter(path, kind)
    settings(writer)
    for name, (array, how) in tensors.items():
        number = gguf.GGMLQuantizationType(KINDS.get(how, how))
        data = np.asarray(array, np.float32)
        writer.add_tensor(name, quants.quantize(data, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def arrays():
    drawn = np.random.default_rng(0)
    big = drawn.normal(0, 3, (5, 96)).astype(np.float32)
    big[1], big[2, :32], big[3] = 0, 7, np.abs(big[3]) * 1e4
    return {f"{how}.weight": (big, how) for how in KINDS} | {"row": (drawn.normal(size=7), "F32")}


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "some.gguf", arrays(), several)


def several(writer):
    writer.add_uint8("a.byte", 200)
    writer.add_int16("a.short", -3)
    writer.add_uint32("a.whole", 1 << 31)
    writer.add_int64("a.long", -(1 << 40))
    writer.add_float32("a.float", 0.1)
    writer.add_float64("a.double", 0.1)
    writer.add_bool("a.flag", True)
    writer.add_string("a.text", "größer 東京")
    writer.add_array("a.list", [1, 2, 70_000])
    writer.add_array("a.texts", ["x", "", "é"])


def test_numbers_are_those_of_the_package(file):
    settings, found = ours.read(file)
    theirs = gguf.GGUFReader(file).tensors
    assert [tensor.name for tensor in theirs] == list(found)
    for tensor in theirs:
        wanted = quants.dequantize(tensor.data, tensor.tensor_type)
        assert found[tensor.name].dtype == torch.float32
        assert np.array_equal(found[tensor.name].numpy(), wanted), tensor.name
    for how in KINDS:  # a sixteenth of the widest block, as four bits allow
        step = float(np.ptp(arrays()["F32.weight"][0], axis=1).max()) / 15
        assert np.abs(found[f"{how}.weight"].numpy() - found["F32.weight"].numpy()).max() < step
    _, low = ours.read(file, torch.bfloat16)
    assert all(torch.equal(low[name], tensor.bfloat16()) for name, tensor in found.items())
    assert settings == ours.read_settings(file)


def test_settings_of_every_kind(file):
    settings = ours.read_settings(file)
    own = {name[2:]: value for name, value in settings.items() if name.startswith("a.")}
    assert own == {
        "byte": 200, "short": -3, "whole": 1 << 31, "long": -(1 << 40), "double": 0.1,
        "float": float(np.float32(0.1)), "flag": True, "text": "größer 東京",
        "list": [1, 2, 70_000], "texts": ["x", "", "é"],
    }  # fmt: skip


def test_a_file_cut_anywhere_is_refused_in_one_sentence(file):
    whole = file.read_bytes()
    for end in [*range(0, 400), *range(400, len(whole) - 31, 97)]:
        file.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="no whole GGUF file that minibert reads: ") as error:
            ours.read(file)
        assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_bytes_changed_anywhere_do_no_more_than_be_refused(file):
    whole, drawn = file.read_bytes(), np.random.default_rng(1)
    for at in range(4, 900, 3):
        changed = bytearray(whole)
        changed[at] = drawn.integers(256)
        file.write_bytes(bytes(changed))
        try:
            ours.read(file)
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 400


WRONG = {
    "no GGUF": (lambda b: b"GGML" + b[4:], "does not begin with GGUF"),
    "old": (lambda b: b[:4] + struct.pack("<I", 1) + b[8:], "expected version 2 or 3.*got 1"),
    "of another order": (lambda b: b[:4] + struct.pack(">I", 3) + b[8:], "got 50331648"),
    "settings without end": (lambda b: b[:16] + struct.pack("<Q", 1 << 60) + b[24:], "GGUF file"),
    "tensors without end": (lambda b: b[:8] + struct.pack("<Q", 1 << 60) + b[16:], "GGUF file"),
    "not UTF-8": (lambda b: b.replace("größer".encode(), b"gr\xff\xffer\xff"), "utf-8"),
    "a setting twice": (lambda b: b.replace(b"a.short", b"a.whole"), "has 'a.whole' twice"),
    "a tensor twice": (lambda b: b.replace(b"Q8_0.weight", b"Q4_1.weight"), "'Q4_1.weight' twice"),
    "a kind of setting": (
        lambda b: b.replace(b"a.flag" + struct.pack("<I", 7), b"a.flag" + struct.pack("<I", 13)),
        "a setting of the unknown kind 13",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what, file):
    change, said = WRONG[what]
    assert change(file.read_bytes()) != file.read_bytes()
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(ValueError, match=said) as error:
        ours.read(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("how", "name"), [(1, "F16"), (2, "Q4_0"), (30, "BF16")])
def test_another_kind_of_numbers_is_refused_by_name(how, name, tmp_path):
    path = write(tmp_path / "a.gguf", {"t": (np.ones((2, 32)), how)})
    with pytest.raises(ValueError, match=f"numbers in {name}, and those known are F32, Q4_1, Q8_0"):
        ours.read(path)


# a model in such a file


def theirs_of(folder, tied):
    """A tiny Llama of transformers, and its tokenizer, as one GGUF file: (model, tokenizer)."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SIZES, tie_word_embeddings=tied, rms_norm_eps=1e-5)
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.12)
    words = BPE.train(TEXTS, 286, specials=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    plain = dict(words.ids) | {f"<{i}>": i for i in range(len(words), 288)}
    words = BPE(plain, words.merges, added=["<|im_start|>", "<|im_end|>"], digits=True)
    write(folder / "tiny.gguf", published(model, tied), settings_of(words))
    return model, words


def published(model, tied):
    """llama.cpp's names and kinds; queries and keys by its converter's order of rows."""
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    found = {}
    for name, tensor in model.state_dict().items():
        name = name.removesuffix(".weight")
        if tied and name == "lm_head":
            continue
        array = tensor.numpy()
        for part, heads in (("q_proj", 4), ("k_proj", 2)):
            if part in name:
                half = len(array) // heads // 2
                array = array.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(array.shape)
        for theirs, short in (
            ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
            ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
            ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
            ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
            ("model.layers", "blk"),
        ):  # fmt: skip
            name = name.replace(theirs, short)
        how = "F32" if "norm" in name else "Q8_0" if "token" in name or "out" in name else "Q4_1"
        found[f"{names.get(name, name)}.weight"] = array, how
    return found


def settings_of(words, **changes):
    def settings(writer):
        writer.add_block_count(2)
        writer.add_context_length(32)
        writer.add_embedding_length(64)
        writer.add_feed_forward_length(96)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
        writer.add_rope_freq_base(10_000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_dimension_count(changes.get("rotated", 16))
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(changes.get("pre", "smollm"))
        writer.add_token_list(changes.get("tokens", words.tokens))
        special = words.special_ids
        kinds = [3 if i in special or t.startswith("<|") else 1 for i, t in enumerate(words.tokens)]
        writer.add_token_types(
            changes.get("kinds", [4 if i > 285 else k for i, k in enumerate(kinds)])
        )
        writer.add_token_merges([" ".join(pair) for pair in words.merges])
        writer.add_eos_token_id(changes.get("end", 2))
        writer.add_unk_token_id(0)
        writer.add_pad_token_id(2)
        for key, value in changes.get("more", {}).items():
            (writer.add_bool if isinstance(value, bool) else writer.add_uint32)(key, value)

    return settings


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def tiny(request, tmp_path):
    return tmp_path, request.param, *theirs_of(tmp_path, request.param)


@torch.no_grad()
def test_a_tiny_llama_is_that_of_transformers(tiny):
    """transformers reads the same file; its q and k prove the order of the rows."""
    folder, tied, _, words = tiny
    model = mb.GPT.from_pretrained(folder)
    assert model.config.tied == tied and model.config.groups == 2 and model.config.pad_id == 2
    theirs = llama_of(str(folder / "tiny.gguf"))
    ids = torch.randint(3, 288, (3, 20), generator=torch.Generator().manual_seed(1))
    wanted = theirs(ids).logits
    found = model.logits(model(ids).last_hidden_state)
    assert (found - wanted).abs().max().item() < 1e-5
    alone = mb.GPT.from_pretrained(folder / "tiny.gguf")
    assert all(torch.equal(t, alone.state_dict()[n]) for n, t in model.state_dict().items())
    assert (model.tokenizer.ids, model.tokenizer.merges) == (words.ids, words.merges)
    assert model.tokenizer.digits and model.tokenizer.end_id == 2 and model.tokenizer.unk_id == 0


def test_it_can_be_saved_trained_and_loaded_again(tiny, tmp_path):
    folder, _, _, _ = tiny
    model = mb.GPT.from_pretrained(folder).train()
    model.loss({"input_ids": torch.arange(20)[None]})[0].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    model.save_pretrained(tmp_path / "again")
    again = mb.GPT.from_pretrained(tmp_path / "again")
    assert again.config == model.config
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in model.state_dict().items())
    for text in (*TEXTS, "1234  5\n 6 <|im_end|> <287>"):
        assert again.tokenizer.encode(text) == model.tokenizer.encode(text)
    assert vars(again.tokenizer)["added"] == model.tokenizer.added
    assert again.tokenizer.end == model.tokenizer.end == "<|im_end|>"
    assert (tmp_path / "again" / "tokenizer.json").is_file()
    assert not (tmp_path / "again" / "vocab.json").exists()
    head = mb.heads.load(mb_head(model, tmp_path / "head"))
    assert type(head) is mb.heads.CausalLM and head.encoder.config == model.config


def mb_head(model, folder):
    mb.heads.CausalLM(model.eval()).save_pretrained(folder)
    return folder


def test_transformers_reads_the_tokenizer_that_we_write(tiny, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = mb.GPT.from_pretrained(tiny[0]).tokenizer
    words.save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in (*TEXTS, "1234  5\n 6  cats' 7's 10² ½ ٣ <287>", "  \n 12", "x  "):
        assert words.encode(text) == theirs.encode(text, add_special_tokens=False).ids, text
    for i in (1, 2):
        assert theirs.decode([i], skip_special_tokens=True) == ""


CANNOT = {  # what differs in the file -> what is said
    "another architecture": ({"kind": "qwen2"}, "the architecture 'llama' in .*, got 'qwen2'"),
    "experts": ({"more": {"llama.expert_count": 4}}, "has the key 'expert_count'"),
    "scaled": ({"more": {"llama.rope.scaling.factor": 4}}, "has the key 'rope.scaling.factor'"),
    "narrow rotation": ({"rotated": 8}, "a head_dim of 8"),
    "a begin": ({"more": {"tokenizer.ggml.add_bos_token": True}}, "add_bos_token=True"),
    "words": ({"pre": "llama-bpe"}, "pre='llama-bpe'"),
    "fewer types": ({"kinds": [1, 3]}, "expected tokens, their types, merges"),
    "unknown types": ({"kinds": [2] * 288}, "expected tokens, their types, merges"),
    "a token twice": ({"tokens": ["a"] * 288}, "expected tokens, their types, merges"),
    "an end": ({"end": 288}, "the id of a special token in .*, got 288"),
}


@pytest.mark.parametrize("what", CANNOT)
def test_a_file_that_we_cannot_follow_is_refused_in_one_sentence(what, tmp_path):
    changes, said = CANNOT[what]
    model, words = theirs_of(tmp_path, True)
    settings = settings_of(words, **changes)
    write(tmp_path / "tiny.gguf", published(model, True), settings, changes.get("kind", "llama"))
    with pytest.raises(ValueError, match=said) as error:
        mb.GPT.from_pretrained(tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_tensors_and_files_that_do_not_fit(tmp_path):
    model, words = theirs_of(tmp_path, True)
    tensors = published(model, True)
    q = tensors.pop("blk.1.attn_q.weight")
    for change, said in (
        ({}, "missing: stack.blocks.1.attention.query.weight"),
        ({"blk.1.attn_q.weight": (q[0][:60], "F32")}, "expected 4 heads of queries or keys"),
        ({"blk.1.attn_q.weight": (q[0][:32], "F32")}, r"query.weight is \(32, 64\), expected"),
        ({"blk.1.attn_q.weight": q, "rope_freqs.weight": (np.ones(8), "F32")}, "unexpected: rope"),
    ):
        write(tmp_path / "tiny.gguf", tensors | change, settings_of(words))
        with pytest.raises(ValueError, match=said):
            mb.GPT.from_pretrained(tmp_path)
    (tmp_path / "other.gguf").write_bytes(b"")
    with pytest.raises(
        ValueError, match="expected one GGUF file in .*got 2: other.gguf, tiny.gguf"
    ):
        mb.GPT.from_pretrained(tmp_path)
