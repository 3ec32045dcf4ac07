"""Files of tokenizers beside `transformers` and `tokenizers`: one file or many, ids and offsets."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch

import minibert as mb
from minibert.text import BPE, WordPiece, tokenizer_files
from minibert.text.added import Added

hf = pytest.importorskip("tokenizers", reason="the peer that this compares with")
transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()

LETTERS = "abcdefghijklmnopqrstuvwxyzéöÖABCDEFGHIJKLMNOPQRSTUVWXYZ<>[]()@_-.,!'東京1ß"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
PIECES += ["schön", "schon", "new", "##er", "東京", "the"]
TEXTS = [
    "Schön, the NEWER schon!",
    "the 東京 new東京er 東 京",
    "a <New> <new> <NEW>b<new>, New-er",
    "xNewYorky new york NEW  YORK New\tYork new_york",
    "[MASK] the [CLS] <e1>the</e1> @User @user",
    "",
    "  <new>  ",
    "Größe ÉÉ éé e\u0301 <new>\u200b<new>",
]
CHOICES = [
    (lower, accents, chinese)
    for lower in (True, False)
    for accents in (None, True, False)
    for chinese in (True, False)
]


def bert(lower=True, accents=None, chinese=True, **more):
    return transformers.BertTokenizer(
        vocab={piece: i for i, piece in enumerate(PIECES)},
        do_lower_case=lower,
        strip_accents=accents,
        tokenize_chinese_chars=chinese,
        **more,
    )


def same(ours, theirs, texts=TEXTS):
    """Ids and offsets, with special tokens in a text taken as what they are, as theirs does."""
    for text in texts:
        right = theirs(text, add_special_tokens=False, return_offsets_mapping=True)
        pairs = [tuple(pair) for pair in right["offset_mapping"]]
        assert ours.encode(text, offsets=True, specials=True) == (right["input_ids"], pairs), text
    pair = theirs(TEXTS[0], TEXTS[1])
    found = ours.pair(TEXTS[0], TEXTS[1])
    assert found["input_ids"] == pair["input_ids"]
    assert found["token_type_ids"] == pair["token_type_ids"]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_wordpiece_in_one_file_and_in_two(choice, tmp_path):
    theirs = bert(*choice)
    theirs.save_pretrained(tmp_path / "one")
    assert not (tmp_path / "one" / "vocab.txt").exists()
    ours = WordPiece.load(tmp_path / "one")
    same(ours, theirs)
    (tmp_path / "one" / "tokenizer_config.json").unlink()  # all of it is in the other
    same(WordPiece.load(tmp_path / "one" / "tokenizer.json"), theirs)
    ours.save(tmp_path / "two" / "vocab.txt")
    same(WordPiece.load(tmp_path / "two" / "vocab.txt"), theirs)
    same(ours, transformers.BertTokenizer.from_pretrained(tmp_path / "two"))


@pytest.mark.parametrize("lower", [True, False])
def test_added_tokens_of_wordpiece(lower, tmp_path):
    theirs = bert(lower)
    theirs.add_tokens(["<New>", "New York", "newyork"])
    theirs.add_tokens([hf.AddedToken("@User", normalized=False), "東京er"])
    special = [hf.AddedToken(t, normalized=False, special=True) for t in ("<e1>", "</e1>")]
    theirs.add_special_tokens({"additional_special_tokens": special})
    theirs.save_pretrained(tmp_path / "one")
    ours = WordPiece.load(tmp_path / "one")
    same(ours, theirs)
    assert ours.special_ids == {0, 1, 2, 3, 4, ours.ids["<e1>"], ours.ids["</e1>"]}
    assert ours.encode("<e1>the") != ours.encode("<e1>the", specials=True)  # text, unless asked
    assert ours.ids["<New>"] in ours.encode("a <New>")
    assert "<New>" in ours.decode(ours.encode("the <New> the"))
    ours.save(tmp_path / "two" / "vocab.txt")
    again = WordPiece.load(tmp_path / "two")
    same(again, theirs)
    assert again.tokens == ours.tokens and again.special_ids == ours.special_ids
    same(ours, transformers.BertTokenizer.from_pretrained(tmp_path / "two"))
    torch.manual_seed(0)
    config = mb.BERTConfig(len(ours) + 9, dim=8, layers=1, heads=1, hidden=8, max_length=9)
    mb.BERT(config, ours).save_pretrained(tmp_path / "three")
    same(mb.BERT.from_pretrained(tmp_path / "three").tokenizer, theirs)


def test_added_tokens_of_older_folders(tmp_path):
    """``added_tokens.json`` beside a ``vocab.txt``, as `transformers` wrote until 2023."""
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", "utf-8")
    new = {"<new>": len(PIECES), "<e1>": len(PIECES) + 1}
    (tmp_path / "added_tokens.json").write_text(json.dumps(new), "utf-8")
    names = {"cls_token": "[CLS]", "additional_special_tokens": ["<e1>"]}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names), "utf-8")
    ours = WordPiece.load(tmp_path)
    assert ours.tokens == [*PIECES, *new] and ours.ids["<e1>"] in ours.special_ids
    theirs = bert()
    theirs.add_tokens(["<new>"])
    theirs.add_special_tokens({"additional_special_tokens": ["<e1>"]})
    same(ours, theirs)


def test_a_wordpiece_of_the_tokenizers_library(tmp_path):
    texts = ["the new newer newest schön 東京 low lower"] * 5
    theirs = hf.implementations.BertWordPieceTokenizer(lowercase=True)
    theirs.train_from_iterator(texts, 80, show_progress=False)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = WordPiece.load(tmp_path)
    for text in TEXTS:
        assert ours.encode(text, specials=True) == theirs.encode(text, add_special_tokens=False).ids


def bytes_bpe(**more):
    """GPT-2's kind, trained on a line; `transformers`' class."""
    model = BPE.train(["low lower lowest newer new york"] * 5, 275)
    model.ids["<|endoftext|>"] = len(model.ids)
    return transformers.GPT2Tokenizer(vocab=model.ids, merges=model.merges, **more)


def words_bpe():
    model = BPE.train(["low lower lowest newer new york < > @ user"] * 5, 50, "words")
    return transformers.OpenAIGPTTokenizer(vocab=model.ids, merges=model.merges)


def same_ids(ours, theirs, texts):
    for text in texts:
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"], text
    assert len(ours) == len(theirs)


KINDS = {"bytes": bytes_bpe, "words": words_bpe}
BPE_TEXTS = ["Lower lowest  new\n york", "a <New> <new> low<NEW>er<New>", "é 東京", "", " <New> ",
             "new york NEW YORK New\tYork", "@User @user low@User"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bpe_in_one_file_and_in_three(kind, tmp_path):
    theirs = KINDS[kind]()
    theirs.add_tokens(["<New>", "New York", hf.AddedToken("@User", normalized=False)])
    theirs.add_special_tokens({"pad_token": "<pad>"})
    theirs.save_pretrained(tmp_path / "one")
    assert not (tmp_path / "one" / "merges.txt").exists()
    ours = BPE.load(tmp_path / "one")
    assert ours.kind == kind
    same_ids(ours, theirs, BPE_TEXTS)
    assert ours.ids["<pad>"] in ours.special_ids
    assert ours.ids["<pad>"] not in ours.encode("<pad>")  # text like any other
    ours.save(tmp_path / "two")
    again = BPE.load(tmp_path / "two")
    same_ids(again, theirs, BPE_TEXTS)
    assert (again.ids, again.special_ids) == (ours.ids, ours.special_ids)
    assert (again.end_id, again.unk_id) == (ours.end_id, ours.unk_id)
    back = type(theirs).from_pretrained(tmp_path / "two")
    same_ids(ours, back, BPE_TEXTS)
    if kind == "bytes":
        for text in BPE_TEXTS:
            assert ours.decode(ours.encode(text)) == text


@pytest.mark.parametrize("kind", ["bytes", "words"])
def test_specials_of_a_trained_bpe_are_kept(kind, tmp_path):
    ours = BPE.train(["low lower <s>"] * 5, 300, kind, specials=("<s>", "</s>", "<|pad|>"))
    ours.save(tmp_path)
    again = BPE.load(tmp_path)
    assert again.special_ids == ours.special_ids
    assert {"<s>", "</s>", "<|pad|>"} <= {again.tokens[i] for i in again.special_ids}
    ids = [ours.ids["<s>"], *ours.encode("low"), ours.ids["</s>"]]
    assert again.decode(ids, skip_special_tokens=True) == "low"
    assert again.decode(ids) == ours.decode(ids)


def test_the_token_that_ends_a_text_has_the_name_of_the_file(tmp_path):
    theirs = bytes_bpe()
    theirs.add_special_tokens({"eos_token": "</s>", "bos_token": "<s>"})
    theirs.save_pretrained(tmp_path)
    ours = BPE.load(tmp_path)
    assert ours.end_id == theirs.eos_token_id != ours.ids["<|endoftext|>"]
    ours.save(tmp_path / "again")
    assert BPE.load(tmp_path / "again").end_id == theirs.eos_token_id


def test_a_model_with_one_tokenizer_file_reads_and_writes_text(tmp_path):
    theirs = bytes_bpe()
    config = transformers.GPT2Config(vocab_size=300, n_embd=8, n_layer=1, n_head=1, n_positions=30)
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path)
    model = mb.GPT.from_pretrained(tmp_path)
    assert len(model.tokenizer) == len(theirs) < model.config.vocab_size
    text = model.generate("low", 20, seed=0)
    assert text.startswith("low")
    transformers.BertModel(
        transformers.BertConfig(
            vocab_size=len(PIECES), hidden_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    ).save_pretrained(tmp_path / "bert")
    bert().save_pretrained(tmp_path / "bert")
    same(mb.BERT.from_pretrained(tmp_path / "bert").tokenizer, bert())


def test_added_tokens_by_hand(tmp_path):
    ours = WordPiece(PIECES, added=["New York", Added("@User", False, False)])
    assert ours.encode("new") == [ours.ids["new"]]
    york, user = ours.ids["New York"], ours.ids["@User"]
    assert (york, user) == (len(PIECES), len(PIECES) + 1)
    found, places = ours.encode("the NEW YORK@User", offsets=True)
    assert (found, places) == ([ours.ids["the"], york, user], [(0, 3), (4, 12), (12, 17)])
    assert user not in ours.encode("@user")
    for told, want in (  # a special token is looked for as it stands, unless the file says more
        ({"content": "<X>", "special": True}, Added("<X>", True, False)),
        ({"content": "<X>", "special": True, "normalized": True}, Added("<X>", True, True)),
        ({"content": "x"}, Added("x", False, True)),
    ):
        assert tokenizer_files._checked(told, tmp_path, "BPE") == want
