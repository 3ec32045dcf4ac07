"""Published folders that ask for what these classes cannot do: one sentence, and no model."""

import json

import h5py
import pytest
import safetensors.torch
import torch

import minibert as mb
from minibert.models.elmo import files as elmo
from minibert.storage.checked import check_known
from minibert.text import BPE, WordPiece

SMALL = {"dim": 8, "layers": 2, "heads": 2, "hidden": 32, "max_length": 6, "dropout": 0.0}
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"]
IDS = {"a": 0, "b": 1, "ab": 2}


def bert(folder, **changes):
    torch.manual_seed(0)
    model = mb.BERT(mb.BERTConfig(9, **SMALL), WordPiece(PIECES))
    model.save_pretrained(folder)
    merge(folder / "config.json", changes)
    return model


def gpt(folder, **changes):
    torch.manual_seed(0)
    norm = {} if "afn" in changes else {"norm": "pre"}
    model = mb.GPT(mb.GPTConfig(9, **SMALL, **norm), BPE(IDS, [("a", "b")]))
    model.save_pretrained(folder)
    merge(folder / "config.json", changes)
    return model


def merge(path, changes):
    told = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**told, **changes}))


def sentence(error):
    """The message is one line of text."""
    return "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize("change", [
    {"position_embedding_type": "relative_key_query"}, {"is_decoder": 1},
    {"add_cross_attention": True}, {"pruned_heads": {"1": [0]}}, {"is_encoder_decoder": True},
    {"embedding_size": 4}, {"quantization_config": {"load_in_8bit": True}}, {"rope_theta": 1e4},
    {"auto_map": {"AutoModel": "modeling.Mine"}}, {"directionality": "left"},
    {"tie_word_embeddings": "yes"}, {"hidden_act": "quick_gelu"}, {"pad_token_id": "0"},
    {"model_type": "roberta"}])  # fmt: skip
def test_a_config_of_bert_that_asks_for_something_else(change, tmp_path):
    bert(tmp_path, **change)
    name = {"model_type": "of type 'bert'", "pad_token_id": "pad_id must be a whole number"}
    said = next(iter(change))
    with pytest.raises(ValueError, match=name.get(said, said)) as error:
        mb.BERT.from_pretrained(tmp_path)
    assert sentence(error)


@pytest.mark.parametrize("change", [
    {"add_cross_attention": True}, {"pruned_heads": {"0": [1]}}, {"activation_function": "silu"},
    {"scale_attn_weights": "no"}, {"scale_attn_by_inverse_layer_idx": 2}, {"window_size": 256},
    {"tie_word_embeddings": 0}, {"embd_pdrop": "much"}, {"num_attention_heads": 4},
    {"rotary_dim": 4}, {"afn": "gelu", "scale_attn_weights": False},
    {"afn": "gelu", "scale_attn_by_inverse_layer_idx": True}])  # fmt: skip
def test_a_config_of_gpt_that_asks_for_something_else(change, tmp_path):
    gpt(tmp_path, **change)
    name = {"embd_pdrop": "embedding_dropout", "tie_word_embeddings": "tied"}
    said = list(change)[-1]
    with pytest.raises(ValueError, match=name.get(said, said)) as error:
        mb.GPT.from_pretrained(tmp_path)
    assert sentence(error)


@pytest.mark.parametrize("change", [
    {"use_cache": True}, {"torch_dtype": "float16"}, {"task_specific_params": {"a": 1}},
    {"new_switch": False}, {"new_list": []}, {"new_number": None},
    {"id2label": {"0": "a"}}, {"bos_token_id": 3}, {"gradient_checkpointing": True}])  # fmt: skip
def test_keys_that_change_nothing_are_left_out(change, tmp_path):
    model = bert(tmp_path, **change)
    assert mb.BERT.from_pretrained(tmp_path).config == model.config
    model = gpt(tmp_path / "gpt", **change)
    assert mb.GPT.from_pretrained(tmp_path / "gpt").config == model.config


def test_known_keys_by_hand():
    check_known({"a": 1, "b": 2, "c": 3, "d": 0}, "x", taken="a", fixed={"b": (2, 3)}, ignored="c")
    with pytest.raises(ValueError, match="x has b=4, which minibert cannot follow: it knows only"):
        check_known({"b": 4}, "x", fixed={"b": (2, 3)})
    with pytest.raises(ValueError, match="x has the key 'd', which minibert does not know"):
        check_known({"d": 1}, "x")
    with pytest.raises(ValueError, match="expected an object in x, got list"):
        check_known([], "x")


def in_shards(folder):
    """A BERT in two files; its index."""
    bert(folder)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {n: f"model-{i % 2 + 1}.safetensors" for i, n in enumerate(tensors)}
    for file in set(places.values()):
        part = {name: t for name, t in tensors.items() if places[name] == file}
        safetensors.torch.save_file(part, folder / file)
    return folder / "model.safetensors.index.json", places


@pytest.mark.parametrize("file", ["../m.safetensors", "/m.safetensors", "a/b.safetensors", "..",
                                  "c:m.safetensors", "a\\m.safetensors", "", "model.bin", 3, None,
                                  "pytorch_model.bin", "a\0.safetensors"])  # fmt: skip
def test_an_index_that_names_a_file_elsewhere(file, tmp_path):
    index, places = in_shards(tmp_path / "in")
    (tmp_path / "m.safetensors").write_bytes((tmp_path / "in" / "model-1.safetensors").read_bytes())
    places[next(iter(places))] = file
    index.write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match="expected the plain name of a .safetensors file") as error:
        mb.BERT.from_pretrained(tmp_path / "in")
    assert sentence(error)


def test_shards_that_are_missing_damaged_or_of_another_model(tmp_path):
    index, places = in_shards(tmp_path)
    index.write_text(json.dumps({"weight_map": places}))
    mb.BERT.from_pretrained(tmp_path)
    one = tmp_path / "model-1.safetensors"
    whole = one.read_bytes()
    one.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="model-1.safetensors is damaged"):
        mb.BERT.from_pretrained(tmp_path)
    one.unlink()
    with pytest.raises(FileNotFoundError, match="has no model-1.safetensors, which model.safe"):
        mb.BERT.from_pretrained(tmp_path)
    one.write_bytes(whole)
    for change in ({"extra": "model-1.safetensors"}, {next(iter(places)): "model-2.safetensors"}):
        index.write_text(json.dumps({"weight_map": {**places, **change}}))
        with pytest.raises(ValueError, match="they do not belong together"):
            mb.BERT.from_pretrained(tmp_path)
    some = dict(list(places.items())[1:])  # a tensor that the index does not list
    index.write_text(json.dumps({"weight_map": some}))
    with pytest.raises(ValueError, match="they do not belong together"):
        mb.BERT.from_pretrained(tmp_path)
    for told in ({}, [], {"weight_map": []}, {"weight_map": {}}):
        index.write_text(json.dumps(told))
        with pytest.raises(ValueError, match="expected a weight_map"):
            mb.BERT.from_pretrained(tmp_path)


def test_a_tensor_twice_and_whole_numbers_for_weights(tmp_path):
    bert(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = "bert.encoder.layer.0.output.dense.bias"
    safetensors.torch.save_file({**tensors, f"module.{name}": tensors[name] + 1}, path)
    with pytest.raises(ValueError, match=f"{name} twice: (module.)?{name}, (module.)?{name}$"):
        mb.BERT.from_pretrained(tmp_path)
    safetensors.torch.save_file({**tensors, name: torch.ones(8, dtype=torch.int8)}, path)
    with pytest.raises(ValueError, match=f"another kind: {name} is torch.int8"):
        mb.BERT.from_pretrained(tmp_path)
    safetensors.torch.save_file({**tensors, "lm_head.weight": torch.ones(9, 8)}, path)
    with pytest.raises(ValueError, match="unexpected: lm_head.weight"):
        mb.BERT.from_pretrained(tmp_path)


def test_a_tied_file_with_two_biases(tmp_path):
    torch.manual_seed(0)
    head = mb.heads.MaskedLM(mb.BERT(mb.BERTConfig(9, **SMALL)))
    head.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    tensors["cls.predictions.decoder.bias"] = torch.ones(9)
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(ValueError, match="decoder.bias unlike its cls.predictions.bias"):
        mb.heads.MaskedLM.from_pretrained(tmp_path)
    merge(tmp_path / "config.json", {"tie_word_embeddings": False})
    with pytest.raises(ValueError, match="missing: cls.predictions.decoder.weight"):
        mb.heads.MaskedLM.from_pretrained(tmp_path)


def test_an_untied_gpt_without_its_output_layer(tmp_path):
    gpt(tmp_path, tie_word_embeddings=False)
    with pytest.raises(ValueError, match="has no lm_head.weight, although"):
        mb.GPT.from_pretrained(tmp_path)


def test_rows_of_the_table_beyond_the_vocabulary_are_never_drawn(tmp_path):
    model = gpt(tmp_path)
    with torch.no_grad():  # the spare rows are by far the likeliest
        model.embeddings.word.weight[3:] = 50 * model.stack.norm.weight
        model.embeddings.word.weight[:3] = 0
        model.stack.norm.bias.fill_(1.0)
    model.save_pretrained(tmp_path)
    model = mb.GPT.from_pretrained(tmp_path)
    logits = model.logits(model(torch.tensor([[0]])).last_hidden_state)
    assert logits.shape[-1] == 9 and logits.argmax() >= 3  # read whole
    for options in ({"temperature": 0}, {"seed": 0}, {"seed": 1, "top_k": 5}, {"top_p": 0.5},
                    {"seed": 2, "repetition_penalty": 1.5}):  # fmt: skip
        assert set(model.generate([0], 4, **options)) <= {0, 1, 2}
        assert set(model.generate("a", 4, **options)) <= {"a", "b"}
    loss, count = model.loss({"input_ids": torch.tensor([[0, 1, 2]])})
    want = torch.nn.functional.cross_entropy(
        model.logits(model(torch.tensor([[0, 1]])).last_hidden_state[0]), torch.tensor([1, 2])
    )
    torch.testing.assert_close(loss / count, want)  # over the whole table, as transformers has it


def one_file(folder, **changes):
    """A tokenizer.json of WordPiece, changed."""
    pieces = {piece: i for i, piece in enumerate(PIECES)}
    told = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "lowercase": True,
                       "handle_chinese_chars": True, "strip_accents": None},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": pieces},
    }  # fmt: skip
    for name, value in changes.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) else value
    (folder / "tokenizer.json").write_text(json.dumps(told))
    return folder


def extra(**flags):
    return [{"id": 7, "content": "<x>", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": True, "special": False, **flags}]  # fmt: skip


STEPS = [{"type": "Lowercase"}, {"type": "StripAccents"}]


@pytest.mark.parametrize(("changes", "said"), [
    ({"normalizer": {"type": "NFC"}}, "the normalizer 'NFC'"),
    ({"normalizer": {"type": "Sequence", "normalizers": STEPS}}, "the normalizer 'Sequence'"),
    ({"normalizer": None}, "lacks a normalizer or a pre_tokenizer"),
    ({"normalizer": {"clean_text": False}}, "clean_text=False"),
    ({"normalizer": {"lowercase": "yes"}}, "to be true or false"),
    ({"normalizer": {"left": "x"}}, "the key 'left'"),
    ({"pre_tokenizer": {"type": "Whitespace"}}, "the pre_tokenizer 'Whitespace'"),
    ({"pre_tokenizer": None}, "lacks a normalizer or a pre_tokenizer"),
    ({"post_processor": {"type": "RobertaProcessing"}}, "a post_processor .'RobertaProcessing'"),
    ({"post_processor": {"cls": ["<s>", 2]}}, "that makes .CLS. A .SEP. of a text A"),
    ({"post_processor": {"cls": ["[CLS]", 3]}}, "that makes .CLS. A .SEP. of a text A"),
    ({"decoder": {"type": "Metaspace"}}, "the decoder 'Metaspace'"),
    ({"decoder": {"prefix": "@@"}}, "prefix='@@'"),
    ({"model": {"type": "Unigram"}}, "a WordPiece model in .*, got 'Unigram'"),
    ({"model": {"max_input_chars_per_word": 50}}, "max_input_chars_per_word=50"),
    ({"model": {"continuing_subword_prefix": "@@"}}, "continuing_subword_prefix='@@'"),
    ({"model": {"unk_token": "<unk>"}}, "unk_token='<unk>'"),
    ({"model": {"vocab": ["a"]}}, "no model with a vocab"),
    ({"post_processor": None, "model": {"vocab": {"[UNK]": 0, "a": 2}}},
     "expected the ids 0 to 1, each once"),
    ({"model": {"vocab": {"[UNK]": "0"}}}, "to be whole numbers"),
    ({"added_tokens": extra(lstrip=True)}, "'<x>' of .* has lstrip"),
    ({"added_tokens": extra(rstrip=True, special=True)}, "'<x>' of .* has rstrip"),
    ({"added_tokens": extra(single_word=True)}, "'<x>' of .* has single_word"),
    ({"added_tokens": extra(id=9)}, "'<x>' of .* has the id 9, expected 7"),
    ({"added_tokens": extra(content="a")}, "'a' of .* has the id 7, expected 5"),
    ({"added_tokens": [*extra(), *extra(id=8)]}, "'<x>' of .* has no one id"),
    ({"added_tokens": "none"}, "a list of added_tokens"),
])  # fmt: skip
def test_a_tokenizer_file_that_asks_for_another_wordpiece(changes, said, tmp_path):
    assert WordPiece.load(one_file(tmp_path)).encode("ab a") == [5, 6, 5]
    with pytest.raises(ValueError, match=said) as error:
        WordPiece.load(one_file(tmp_path, **changes))
    assert sentence(error)


def one_bpe_file(folder, **changes):
    told = {
        "added_tokens": [], "normalizer": None, "post_processor": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "byte_fallback": False,
                  "vocab": IDS, "merges": [["a", "b"]]},
    }  # fmt: skip
    for name, value in changes.items():
        told[name] = {**(told[name] or {}), **value} if isinstance(value, dict) else value
    (folder / "tokenizer.json").write_text(json.dumps(told))
    return folder


FRAME = [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]


@pytest.mark.parametrize(("changes", "said"), [
    ({"model": {"dropout": 0.1}}, "dropout=0.1"),
    ({"model": {"fuse_unk": True}}, "fuse_unk=True"),
    ({"model": {"byte_fallback": True}}, "byte_fallback=True"),
    ({"model": {"ignore_merges": True}}, "ignore_merges=True"),
    ({"model": {"continuing_subword_prefix": "##"}}, "continuing_subword_prefix='##'"),
    ({"model": {"end_of_word_suffix": "_"}}, "to end with '</w>' or nothing, got '_'"),
    ({"model": {"merges": [["a"]]}}, "expected a list of merges, pairs of pieces"),
    ({"model": {"merges": [["a", "c"]]}}, "needs 'c', which no id stands for"),
    ({"normalizer": {"type": "NFKC"}}, "the normalizer 'NFKC'"),
    ({"pre_tokenizer": {"add_prefix_space": True}}, "add_prefix_space=True"),
    ({"pre_tokenizer": {"use_regex": False}}, "use_regex=False"),
    ({"pre_tokenizer": {"type": "Split"}}, "the pre_tokenizer 'Split'"),
    ({"pre_tokenizer": None}, "has no pre_tokenizer"),
    ({"post_processor": {"type": "TemplateProcessing", "single": FRAME, "pair": FRAME}},
     "one that makes A of a text A"),
    ({"decoder": {"type": "Fuse"}}, "the decoder 'Fuse'"),
    ({"added_tokens": extra(id=3, lstrip=True)}, "has lstrip"),
])  # fmt: skip
def test_a_tokenizer_file_that_asks_for_another_bpe(changes, said, tmp_path):
    assert BPE.load(one_bpe_file(tmp_path)).encode("aba") == [2, 0]
    with pytest.raises(ValueError, match=said) as error:
        BPE.load(one_bpe_file(tmp_path, **changes))
    assert sentence(error)


@pytest.mark.parametrize(("settings", "said"), [
    ({"tokenizer_class": "BertJapaneseTokenizer"}, "asks for a 'BertJapaneseTokenizer'"),
    ({"do_basic_tokenize": False}, "do_basic_tokenize=False"),
    ({"never_split": ["a"]}, "never_split="),
    ({"word_tokenizer_type": "mecab"}, "the key 'word_tokenizer_type'"),
    ({"cls_token": "<s>"}, "calls its cls_token '<s>'"),
    ({"do_lower_case": "no"}, "do_lower_case to be true or false"),
    ({"tokenize_chinese_chars": None}, "tokenize_chinese_chars to be true or false"),
    ({"strip_accents": 1}, "strip_accents to be true or false"),
    ({"added_tokens_decoder": {"x": {}}}, "expected ids and tokens as added_tokens_decoder"),
    ({"added_tokens_decoder": {"7": {"content": "<x>", "rstrip": True}}}, "has rstrip"),
    ({"added_tokens_decoder": {"12": {"content": "<x>"}}}, "has the id 12, expected 7"),
])  # fmt: skip
def test_settings_beside_a_vocabulary_that_ask_for_another(settings, said, tmp_path):
    WordPiece(PIECES).save(tmp_path / "vocab.txt")
    merge(tmp_path / "tokenizer_config.json", settings)
    with pytest.raises(ValueError, match=said) as error:
        WordPiece.load(tmp_path / "vocab.txt")
    assert sentence(error)


def test_settings_and_one_file_that_do_not_belong_together(tmp_path):
    one_file(tmp_path)
    merge(tmp_path / "tokenizer_config.json", {"do_lower_case": False})
    with pytest.raises(ValueError, match="says do_lower_case=False, and tokenizer.json True"):
        WordPiece.load(tmp_path)


@pytest.mark.parametrize(("settings", "said"), [
    ({"add_prefix_space": True}, "add_prefix_space=True"),
    ({"add_bos_token": True}, "add_bos_token=True"),
    ({"tokenizer_class": "LlamaTokenizer"}, "asks for a 'LlamaTokenizer'"),
    ({"errors": "strict"}, "errors='strict'"),
])  # fmt: skip
def test_settings_beside_a_bpe_that_ask_for_another(settings, said, tmp_path):
    BPE(IDS, [("a", "b")]).save(tmp_path)
    merge(tmp_path / "tokenizer_config.json", settings)
    with pytest.raises(ValueError, match=said):
        BPE.load(tmp_path)


def test_saving_takes_away_what_would_overrule_it(tmp_path):
    one_file(tmp_path)
    tokenizer = WordPiece(PIECES, lowercase=False)
    tokenizer.save(tmp_path / "vocab.txt")
    again = WordPiece.load(tmp_path)
    assert not again.lowercase and not (tmp_path / "tokenizer.json").exists()


@pytest.mark.parametrize("names", [("one.txt", "two.txt"), ("v.one", "v.two")])
def test_two_vocabularies_in_one_folder_keep_their_own_settings(names, tmp_path):
    WordPiece(PIECES, True, False, tokenize_chinese_chars=False).save(tmp_path / names[0])
    WordPiece(PIECES, False).save(tmp_path / names[1])
    one, two = (WordPiece.load(tmp_path / name) for name in names)
    assert (one.lowercase, one.strip_accents, one.tokenize_chinese_chars) == (True, False, False)
    assert (two.lowercase, two.strip_accents, two.tokenize_chinese_chars) == (False, False, True)


def test_one_folder_is_no_place_for_two_kinds_of_tokenizer(tmp_path):
    WordPiece(PIECES, lowercase=False).save(tmp_path / "vocab.txt")
    BPE(IDS, [("a", "b")]).save(tmp_path)
    with pytest.raises(ValueError, match="asks for a 'GPT2Tokenizer', and minibert has a WordP"):
        WordPiece.load(tmp_path / "vocab.txt")


@pytest.mark.parametrize("kind", ["bytes", "words"])
def test_the_kind_of_a_bpe_and_its_unknown_token_are_kept(kind, tmp_path):
    """Whatever its pieces look like."""
    ids = {**IDS, "</w>": 3, "<u>": 4} if kind == "bytes" else IDS | {"<u>": 3}
    tokenizer = BPE(ids, [("a", "b")], kind, ["</w>", "<u>"], unk="<u>")
    tokenizer.save(tmp_path)
    again = BPE.load(tmp_path)
    assert (again.kind, again.unk_id) == (kind, tokenizer.unk_id)
    assert again.encode("ab x") == tokenizer.encode("ab x")


@pytest.mark.parametrize(("where", "change"), [
    (None, {"bidirectional": False}), (None, {"share_embedding_softmax": True}),
    (None, {"token_embedding": 3}), ("lstm", {"layer_norm": True}),
    ("lstm", {"use_skip_connections": "yes"}), ("char_cnn", {"max_pool": "k"}),
    ("embedding", {"trainable": 1}), ("minibert", {"input_dropout": 0.3})])  # fmt: skip
def test_options_of_elmo_that_ask_for_something_else(where, change, tmp_path):
    shape = {"dim": 4, "projection": 3, "layers": 1, "char_dim": 2, "filters": ((1, 3),)}
    elmo.save(mb.ELMo(mb.ELMoConfig(**shape)), tmp_path)
    elmo.load(tmp_path)
    path = tmp_path / "options.json"
    told = json.loads(path.read_text())
    inner = (
        told["char_cnn"]["embedding"] if where == "embedding" else told[where] if where else told
    )
    inner.update(change)
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=next(iter(change))):
        elmo.load(tmp_path)
    with h5py.File(tmp_path / "weights.hdf5") as file:
        assert "char_embed" in file


def test_a_tensor_of_fastai_that_stands_twice(tmp_path):
    from minibert.models.awd_lstm.files import convert

    vectors = torch.ones(3, 2)
    tensors = {"0.encoder.weight": vectors, "0.encoder_dp.emb.weight": vectors.clone()}
    convert(tensors)
    with pytest.raises(ValueError, match="two different tensors for one: 0.encoder_dp.emb.weight"):
        convert({**tensors, "0.encoder_dp.emb.weight": vectors + 1})
    bias = {"0.rnns.0.bias_ih_l0": torch.ones(8), "0.rnns.0.module.bias_ih_l0": torch.zeros(8)}
    with pytest.raises(ValueError, match="two different tensors for one: 0.rnns.0.module.bias_ih"):
        convert({**tensors, **bias})


JUNK = (None, True, 0, -1, 10**30, 0.5, "", "x", [], ["x"], [[]], {}, {"x": 1}, {"type": 3})


def spots(value, path=()):
    """Every place in a nest of JSON, as a path of keys."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from spots(value[key], (*path, key))


def replaced(value, path, junk):
    told = json.loads(json.dumps(value))
    inner = told
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return told


def test_junk_anywhere_in_the_files_is_refused_or_harmless(tmp_path):
    """Whatever stands anywhere in one of the files: a tokenizer, or one sentence."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for folder in (one, two, three):
        folder.mkdir()
    one_file(one, added_tokens=extra())
    one_bpe_file(two, added_tokens=extra(id=3))
    decoder = {"7": {k: v for k, v in extra()[0].items() if k != "id"}}
    WordPiece(PIECES).save(three / "vocab.txt")
    names = {"cls_token": {"content": "[CLS]"}, "additional_special_tokens": ["<y>"]}
    told = {"do_lower_case": True, "strip_accents": None, "added_tokens_decoder": decoder}
    merge(three / "tokenizer_config.json", {**told, **names})
    merge(three / "special_tokens_map.json", names)
    merge(three / "added_tokens.json", {"<x>": 7})
    tried = 0
    for file, read in (
        (one / "tokenizer.json", WordPiece.load),
        (two / "tokenizer.json", BPE.load),
        *((three / name, WordPiece.load) for name in ("tokenizer_config.json", "added_tokens.json",
                                                      "special_tokens_map.json")),
    ):  # fmt: skip
        good = json.loads(file.read_text())
        read(file.parent)
        for path in spots(good):
            for junk in JUNK:
                file.write_text(json.dumps(replaced(good, path, junk)))
                try:
                    read(file.parent).encode("ab <x>")
                except ValueError as error:
                    assert "\n" not in str(error) and type(error) is ValueError
                tried += 1
        file.write_text(json.dumps(good))
    assert tried > 1_000


def test_half_a_tokenizer(tmp_path):
    gpt(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(FileNotFoundError, match="half a tokenizer: there is no merges.txt"):
        mb.GPT.from_pretrained(tmp_path)
    (tmp_path / "vocab.json").unlink()
    (tmp_path / "tokenizer_config.json").unlink()
    assert mb.GPT.from_pretrained(tmp_path).tokenizer is None
