"""The authors' own files, which TensorFlow wrote (`fixtures/authors/make.py`), read without it.

Each tensor is what TensorFlow read there; each model is that of `transformers` with the same
numbers, put into it here by hand.
"""

import gzip
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.bert import google as bert_google
from minibert.models.gpt import openai as gpt_openai
from minibert.storage import authors
from minibert.storage.crc32c import crc32c, slow_crc32c
from minibert.storage.tensor_bundle import TensorBundle

FILES = Path(__file__).parent / "fixtures/authors"
GOOGLE, GPT2 = FILES / "google", FILES / "gpt-2"
TOLD = json.loads((FILES / "read_by_tensorflow.json").read_text())
BUNDLES = {"google": "bert_model.ckpt", "gpt-2": "model.ckpt", "kinds": "kinds"}
REFUSED = {"sliced": "in slices", "complex": "is complex64", "text": "is text"}
WIDTH, ADAM = 8, ("/adam_m", "/adam_v")


# The checksum and the bundle


@pytest.mark.parametrize(
    "count", [0, 1, 3, 4, 5, 7, 8, 9, 31, 4097, 65_535, 65_536, 65_541, 140_003]
)
def test_the_checksum_is_the_textbooks(count):
    data = np.random.default_rng(count).bytes(count)
    assert crc32c(data) == slow_crc32c(data) == crc32c(np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    ("data", "expected"),  # RFC 3720, appendix B.4, and the usual check value
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
    ],
)
def test_known_checksums(data, expected):
    assert crc32c(data) == slow_crc32c(data) == expected


@pytest.mark.parametrize("where", BUNDLES)
def test_every_tensor_is_what_tensorflow_reads(where):
    bundle = TensorBundle(FILES / where / BUNDLES[where])
    wanted = {n: told for n, told in TOLD[where].items() if n not in REFUSED}
    assert set(bundle) == set(TOLD[where])
    for name, (kind, shape, digest) in wanted.items():
        array = bundle[name]
        assert array.dtype.name == ("float32" if kind in ("float16", "bfloat16") else kind)
        assert list(array.shape) == list(bundle.shapes[name]) == shape
        assert hashlib.sha256(array.tobytes()).hexdigest().startswith(digest)
    assert array.flags.writeable


def test_what_holds_no_numbers_or_lies_in_parts_is_refused_by_name():
    bundle = TensorBundle(FILES / "kinds/kinds")
    for name, reason in REFUSED.items():
        with pytest.raises(ValueError, match=f"^{name} in .* {reason}; expected "):
            bundle[name]
    with pytest.raises(KeyError):
        bundle["none"]
    with pytest.raises(ValueError, match=r"^.*two.index cannot be read: .* 2 data files; expected"):
        TensorBundle(FILES / "two-files/two")
    with pytest.raises(FileNotFoundError, match=r"has no three.index$"):
        TensorBundle(FILES / "two-files/three")


def test_an_index_of_several_blocks(tmp_path):
    for path in (FILES / "many").glob("*.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    bundle = TensorBundle(tmp_path / "many")
    assert bundle.index.stat().st_size > 1.5 * (1 << 18)  # TensorFlow begins a block after 256 KB
    assert list(bundle) == [f"{i:04d}" + "/scope" * 120 for i in range(800)]
    assert [float(bundle[name]) for name in bundle] == [*range(800)]


# BERT


def put(model, pairs):
    """Numbers into the parameters of another library's model, each one exactly once."""
    left = dict(model.named_parameters())
    for name, array in pairs:
        assert tuple(left[name].shape) == array.shape, name
        left.pop(name).data.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    assert not left
    return model.eval()


def dense(theirs, ours, bundle):
    yield f"{theirs}.weight", bundle[f"{ours}/kernel"].T
    yield f"{theirs}.bias", bundle[f"{ours}/bias"]


def norm(theirs, ours, bundle):
    yield f"{theirs}.weight", bundle[f"{ours}/gamma"]
    yield f"{theirs}.bias", bundle[f"{ours}/beta"]


def their_bert():
    transformers = pytest.importorskip("transformers")
    config = json.loads((GOOGLE / "bert_config.json").read_text())
    b = TensorBundle(GOOGLE / "bert_model.ckpt")
    e, pairs = "bert.embeddings.", []
    for kind in ("word", "position", "token_type"):
        pairs.append((f"{e}{kind}_embeddings.weight", b[f"bert/embeddings/{kind}_embeddings"]))
    pairs += norm(f"{e}LayerNorm", "bert/embeddings/LayerNorm", b)
    for i in range(config["num_hidden_layers"]):
        to, of = f"bert.encoder.layer.{i}", f"bert/encoder/layer_{i}"
        for part in ("query", "key", "value"):
            pairs += dense(f"{to}.attention.self.{part}", f"{of}/attention/self/{part}", b)
        pairs += dense(f"{to}.attention.output.dense", f"{of}/attention/output/dense", b)
        pairs += norm(f"{to}.attention.output.LayerNorm", f"{of}/attention/output/LayerNorm", b)
        pairs += dense(f"{to}.intermediate.dense", f"{of}/intermediate/dense", b)
        pairs += dense(f"{to}.output.dense", f"{of}/output/dense", b)
        pairs += norm(f"{to}.output.LayerNorm", f"{of}/output/LayerNorm", b)
    pairs += dense("bert.pooler.dense", "bert/pooler/dense", b)
    p = "cls.predictions.transform"
    pairs += dense(f"{p}.dense", "cls/predictions/transform/dense", b)
    pairs += norm(f"{p}.LayerNorm", "cls/predictions/transform/LayerNorm", b)
    pairs.append(("cls.predictions.bias", b["cls/predictions/output_bias"]))
    pairs.append(("cls.seq_relationship.weight", b["cls/seq_relationship/output_weights"]))
    pairs.append(("cls.seq_relationship.bias", b["cls/seq_relationship/output_bias"]))
    return put(transformers.BertForPreTraining(transformers.BertConfig(**config)), pairs)


def close(ours, theirs):
    assert ours.shape == theirs.shape
    difference = (ours - theirs).abs().max().item()
    assert difference < 1e-5, difference


def ids(vocab_size, rows=3, length=10):
    return torch.randint(0, vocab_size, (rows, length), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_bert_says_what_transformers_does():
    theirs, encoder = their_bert(), mb.BERT.from_pretrained(GOOGLE)
    given = ids(encoder.config.vocab_size)
    types = (torch.arange(10) > 4).long().expand(3, 10)
    right = theirs(given, token_type_ids=types, output_hidden_states=True)
    left = encoder(given, token_type_ids=types)
    for ours, other in zip(left.hidden_states, right.hidden_states, strict=True):
        close(ours, other)
    close(left.pooled, theirs.bert(given, token_type_ids=types).pooler_output)
    both = mb.heads.Pretraining.from_pretrained(GOOGLE)(given, token_type_ids=types)
    close(both[0], right.prediction_logits)
    close(both[1], right.seq_relationship_logits)
    words = mb.heads.MaskedLM.from_pretrained(str(GOOGLE))
    close(words(given, token_type_ids=types), right.prediction_logits)
    pairs = mb.heads.NextSentence.from_pretrained(GOOGLE)
    close(pairs(given, token_type_ids=types), right.seq_relationship_logits)
    assert not encoder.training and not words.training


def test_bert_goes_on_as_any_other(tmp_path):
    model = mb.heads.Pretraining.from_pretrained(GOOGLE)
    model.save_pretrained(tmp_path)
    again = mb.heads.Pretraining.from_pretrained(tmp_path)
    assert all(torch.equal(p, again.state_dict()[n]) for n, p in model.state_dict().items())
    assert again.encoder.tokenizer.lowercase is False


def test_the_vocabulary_tells_whether_capitals_count(tmp_path):
    assert mb.BERT.from_pretrained(GOOGLE).tokenizer.encode("Anna sat") == [7, 8]  # cased
    shutil.copytree(GOOGLE, tmp_path, dirs_exist_ok=True)
    words = (GOOGLE / "vocab.txt").read_text().replace("Anna", "anna").replace("##ly", "<S>")
    (tmp_path / "vocab.txt").write_text(words.replace("ran", "\u2028"))  # as Google's Chinese has
    tokenizer = mb.BERT.from_pretrained(tmp_path).tokenizer
    assert tokenizer.lowercase and tokenizer.encode("ANNA sat É") == [7, 8, 18]
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert mb.BERT.from_pretrained(tmp_path).tokenizer.lowercase is False


# GPT-2 and GPT


def their_gpt2():
    transformers = pytest.importorskip("transformers")
    sizes = json.loads((GPT2 / "hparams.json").read_text())
    b = TensorBundle(GPT2 / "model.ckpt")
    pairs = [("transformer.wte.weight", b["model/wte"]), ("transformer.wpe.weight", b["model/wpe"])]
    for i in range(sizes["n_layer"]):
        for part in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"):
            to = f"transformer.h.{i}.{part.replace('/', '.')}"
            pairs.append((f"{to}.weight", b[f"model/h{i}/{part}/w"][0]))
            pairs.append((f"{to}.bias", b[f"model/h{i}/{part}/b"]))
        for part in ("ln_1", "ln_2"):
            pairs.append((f"transformer.h.{i}.{part}.weight", b[f"model/h{i}/{part}/g"]))
            pairs.append((f"transformer.h.{i}.{part}.bias", b[f"model/h{i}/{part}/b"]))
    pairs.append(("transformer.ln_f.weight", b["model/ln_f/g"]))
    pairs.append(("transformer.ln_f.bias", b["model/ln_f/b"]))
    config = transformers.GPT2Config(
        vocab_size=sizes["n_vocab"], n_positions=sizes["n_ctx"], n_embd=sizes["n_embd"],
        n_layer=sizes["n_layer"], n_head=sizes["n_head"],
    )  # fmt: skip
    return put(transformers.GPT2LMHeadModel(config), pairs)


def same_gpt(theirs, ours):
    given = ids(ours.config.vocab_size)
    right = theirs(given, output_hidden_states=True)
    left = ours(given)
    for mine, other in zip(left.hidden_states, right.hidden_states, strict=True):
        close(mine, other)
    close(ours.logits(left.last_hidden_state), right.logits)


@torch.no_grad()
def test_gpt2_says_what_transformers_does():
    ours = mb.GPT.from_pretrained(GPT2)
    assert (ours.config.norm, ours.config.heads, ours.config.max_length) == ("pre", 2, 12)
    same_gpt(their_gpt2(), ours)
    assert ours.tokenizer.encode("the cat") == [29, 33]  # "the", "Ġcat"
    assert ours.tokenizer.end_id == 34 and not ours.training


def make_gpt(folder, width=128, layers=2):
    """OpenAI's ten files, as its script cuts them; the arrays by transformers' names."""
    rng = np.random.default_rng(0)
    tokens = ["<unk>", "a", "b", "a</w>", "b</w>", "ab</w>"]
    linear = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width), "ln_1": ()}
    linear |= {"mlp.c_fc": (width, 4 * width), "mlp.c_proj": (4 * width, width), "ln_2": ()}
    shapes = {"positions_embed.weight": (12, width), "tokens_embed.weight": (len(tokens), width)}
    for i in range(layers):
        for name, shape in linear.items():
            shapes[f"h.{i}.{name}.weight"] = (1, *shape) if shape else (width,)
            shapes[f"h.{i}.{name}.bias"] = shape[1:] or (width,)
    arrays = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    row = np.concatenate([array.ravel() for array in arrays.values()])
    for i, part in enumerate(np.array_split(row, 10)):
        np.save(folder / f"params_{i}.npy", part)
    (folder / "params_shapes.json").write_text(json.dumps([*shapes.values()]))
    (folder / "encoder_bpe_40000.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "vocab_40000.bpe").write_text("#version: 0.2\na b</w>\n")
    return {name: a[0] if len(a) == 1 else a for name, a in arrays.items()}


@torch.no_grad()
def test_gpt_says_what_transformers_does(tmp_path):
    transformers = pytest.importorskip("transformers")
    arrays = make_gpt(tmp_path)
    config = transformers.OpenAIGPTConfig(
        vocab_size=6, n_positions=12, n_embd=128, n_layer=2, n_head=2
    )
    theirs = transformers.OpenAIGPTLMHeadModel(config)
    put(theirs, ((f"transformer.{name}", array) for name, array in arrays.items()))
    ours = mb.GPT.from_pretrained(tmp_path)
    assert (ours.config.norm, ours.config.heads, ours.config.layers) == ("post", 2, 2)
    same_gpt(theirs, ours)
    assert ours.tokenizer.encode("ab B") == [5, 4] and ours.tokenizer.kind == "words"


# What is left out, and what is refused


def test_adams_variables_are_left_out_and_the_rest_has_a_place():
    for module, folder in ((bert_google, GOOGLE), (gpt_openai, GPT2)):
        told, (_, _, found) = TOLD[folder.name], module._found(folder)
        out = [name for name in told if name not in found]
        assert sorted(out) == sorted(n for n in told if n.endswith(ADAM) or n == "global_step")
        assert set(found) < set(told)
    assert found["model/h1/attn/c_attn/w"] == "h.1.attn.c_attn.weight"


@pytest.mark.parametrize(
    ("name", "is_optimisers"),
    [
        ("global_step", True), ("beta1_power", True), ("good_steps", True), ("loss_scale", True),
        ("bert/pooler/dense/kernel/adam_m", True), ("bert/pooler/dense/kernel/Adam_1", True),
        ("bert/pooler/dense/kernel/AdamWeightDecayOptimizer", True),
        ("bert/pooler/dense/adam_m/kernel", False), ("Adam_2", False), ("my_global_step", False),
    ],
)  # fmt: skip
def test_what_counts_as_the_optimisers(name, is_optimisers):
    if is_optimisers:
        assert authors.places([name], {}, "here") == {}
    else:
        with pytest.raises(ValueError, match=f"^the variables of here .*: unknown: {name}$"):
            authors.places([name], {}, "here")


def test_whole_numbers_are_no_weights():
    found = authors.places(["a"], {"a": "ours"}, "here")
    with pytest.raises(ValueError, match="^a in here has no floating-point numbers$"):
        authors.tensors(found, {"a": np.zeros(2, int)}, "here")


def changed(path, **changes):
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 3}, "missing: bert/encoder/layer_2/attention/self/query/kernel"),
        ({"num_hidden_layers": 1}, "unknown: bert/encoder/layer_1/attention/output/LayerNorm/beta"),
        ({"num_hidden_layers": 10**9}, "says 1,000,000,000 layers, and has"),
        ({"num_hidden_layers": None}, "expected num_hidden_layers to be a positive whole number"),
        ({"hidden_size": 10}, r"is \(19, 8\), expected \(19, 10\)"),
        ({"hidden_act": "tanh"}, "expected hidden_act to be one of .*bert_config.json, got"),
        ({"num_attention_heads": 3}, "bert_config.json holds no BERT: .*heads"),
    ],
)
def test_a_configuration_that_does_not_fit_googles_variables(changes, message, tmp_path):
    shutil.copytree(GOOGLE, tmp_path, dirs_exist_ok=True)
    changed(tmp_path / "bert_config.json", **changes)
    with pytest.raises(ValueError, match=message) as error:
        mb.BERT.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": 3}, "missing: model/h2/attn/c_attn/w"),
        ({"n_layer": 1}, "unknown: model/h1/attn/c_attn/b"),
        ({"n_embd": 16}, "of another shape"),
        ({"n_head": None}, "expected n_head to be a positive whole number in .*, got nothing"),
        ({"n_head": True}, "expected n_head to be a positive whole number in .*, got True"),
        ({"precision": "int8"}, "got the unknown 'precision'"),
    ],
)
def test_hparams_that_do_not_fit_gpt2s_variables(changes, message, tmp_path):
    shutil.copytree(GPT2, tmp_path, dirs_exist_ok=True)
    changed(tmp_path / "hparams.json", **changes)
    with pytest.raises(ValueError, match=message):
        mb.GPT.from_pretrained(tmp_path)


def test_a_checkpoint_of_another_name_is_found_by_the_file_checkpoint(tmp_path):
    shutil.copytree(GPT2, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("model.ckpt.*"):
        path.rename(tmp_path / path.name.replace("model.ckpt", "model-1000"))
    with pytest.raises(FileNotFoundError, match=r"has no model.ckpt.index$"):
        mb.GPT.from_pretrained(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/home/me/model-1000"\n')
    ours, expected = mb.GPT.from_pretrained(tmp_path), mb.GPT.from_pretrained(GPT2)
    assert torch.equal(ours.embeddings.word.weight, expected.embeddings.word.weight)


@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
def test_a_missing_file_is_named(name, tmp_path):
    shutil.copytree(GOOGLE, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}$"):
        mb.BERT.from_pretrained(tmp_path)


def objects(folder):
    np.save(folder / "params_3.npy", np.array([{}], object), allow_pickle=True)


class Danger:
    """What must never be unpickled."""

    def __reduce__(self):
        return pytest.fail, ("the file was unpickled",)


def pickled(folder):
    (folder / "params_3.npy").write_bytes(pickle.dumps(Danger()))


def archive(folder):
    np.savez(folder / "params_3", a=np.zeros(3))
    (folder / "params_3.npz").rename(folder / "params_3.npy")


def shapes(change):
    def damage(folder):
        path = folder / "params_shapes.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "params_7.npy").unlink(), "has no params_7.npy"),
        (objects, "params_3.npy is no whole array"),
        (pickled, "params_3.npy is no whole array"),
        (lambda f: np.save(f / "params_3.npy", np.zeros(10**6)), "in params_0.npy to params_9"),
        (archive, "expected a row of floating-point numbers in .*params_3.npy"),
        (lambda f: np.save(f / "params_3.npy", np.zeros(5, int)), "row of floating-point numbers"),
        (lambda f: np.save(f / "params_3.npy", np.zeros(5)), "numbers in params_0.npy to params_9"),
        (shapes(lambda s: s[:-1]), "and of 12 arrays for each layer"),
        (shapes(lambda s: {}), "and of 12 arrays for each layer"),
        (shapes(lambda s: [[12, 1 << 62], *s[1:]]), "its shapes take"),
        (shapes(lambda s: [s[0], [8, 96], *s[2:]]), "a width that is a multiple of 64"),
        (shapes(lambda s: [*s[:-1], [-1]]), "and of 12 arrays for each layer"),
        (shapes(lambda s: [*s[:2], [128, 1, 384], *s[3:]]), "h.0.attn.c_attn.weight"),
    ],
)
def test_gpts_files_that_do_not_fit_each_other(damage, message, tmp_path):
    make_gpt(tmp_path)
    damage(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        mb.GPT.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)
