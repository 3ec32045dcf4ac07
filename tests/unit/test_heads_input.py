"""What heads and models are given: padding anywhere, and what does not fit, for all of them."""

import inspect

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.baselines import LSTMConfig, LSTMLanguageModel
from minibert.models.bert.left_to_right import LeftToRight
from minibert.text import Vocab

heads = mb.heads
SIZES = {"dim": 8, "layers": 2, "heads": 2, "hidden": 16, "max_length": 16}
IDS = torch.randint(2, 40, (3, 9), generator=torch.Generator().manual_seed(0))
MASK = (torch.arange(9) < torch.tensor([[9], [4], [6]])).long()


def vectors():
    return torch.randn(40, 6, generator=torch.Generator().manual_seed(0))


def bert(kind=mb.BERT):
    return kind(mb.BERTConfig(40, **SIZES))


def mixed():
    return heads.LayerMix(bert(), (-1, -2))


def gpt():
    return mb.GPT(mb.GPTConfig(40, **SIZES))


def awd_lstm(direction="forward"):
    return mb.AWDLSTM(mb.AWDLSTMConfig(40, dim=8, hidden=12, layers=2, direction=direction))


def elmo():
    names = ["<S>", "</S>", *map(str, range(38))]
    config = mb.ELMoConfig(40, input="words", dim=8, projection=4, layers=2)
    return mb.ELMo(config, Vocab(names, specials=names[:2]))


def transformer():
    return mb.Transformer(mb.TransformerConfig(40, **SIZES))


def lstm():
    return LSTMLanguageModel(LSTMConfig(40, dim=6))


MODELS = {
    "BERT": bert,
    "LeftToRight": lambda: bert(LeftToRight),
    "GPT": gpt,
    "AWD-LSTM": awd_lstm,
    "AWD-LSTM, backward": lambda: awd_lstm("backward"),
    "ELMo": elmo,
    "Word2Vec": lambda: mb.Word2Vec(mb.Word2VecConfig(40, dim=5)),
    "Table": lambda: heads.Table(vectors()),
    "LayerMix": mixed,
}
OTHERS = {"Transformer": transformer, "LSTMLanguageModel": lstm}  # ids in, logits out
TEXTS = {  # an output for each text
    **{
        f"SequenceClassifier, {pooling}": lambda p=pooling: heads.SequenceClassifier(
            bert(), 3, pooling=p
        )
        for pooling in ("first", "last", "mean")
    },
    "SequenceClassifier of a GPT": lambda: heads.SequenceClassifier(gpt(), 3, pooling="last"),
    "SequenceClassifier of a LayerMix": lambda: heads.SequenceClassifier(mixed(), 3),
    "SequenceClassifier of an ELMo": lambda: heads.SequenceClassifier(elmo(), 3, pooling="mean"),
    "NextSentence": lambda: heads.NextSentence(bert()),
    "LastToken": lambda: heads.LastToken(gpt(), 3),
    "MultipleChoice": lambda: heads.MultipleChoice(gpt(), 3),
    "PoolingClassifier of a BERT": lambda: heads.PoolingClassifier(bert(), 3),
    "PoolingClassifier": lambda: heads.PoolingClassifier(awd_lstm(), 3, bptt=2, max_len=4),
    "PoolingClassifier, backward": lambda: heads.PoolingClassifier(awd_lstm("backward"), 3),
    "CNNClassifier": lambda: heads.CNNClassifier(vectors(), 3),
    "RNNClassifier": lambda: heads.RNNClassifier(vectors(), 3),
    "RNNClassifier of an AWD-LSTM": lambda: heads.RNNClassifier(awd_lstm(), 3),
    "PairClassifier": lambda: heads.PairClassifier(vectors(), 3),
}
WORDS = {  # an output for each token
    "TokenClassifier": lambda: heads.TokenClassifier(bert(), 3),
    "TokenClassifier, lstm": lambda: heads.TokenClassifier(bert(), 3, lstm=4),
    "TokenClassifier, lstm, LayerMix": lambda: heads.TokenClassifier(mixed(), 3, lstm=4),
    "Tagger": lambda: heads.Tagger(vectors(), 3),
    "Parser": lambda: heads.Parser(bert(), 3, 4, 4),
    "Parser, lstm": lambda: heads.Parser(heads.Table(vectors()), 3, 4, 4, lstm=4),
    "SpanExtractor": lambda: heads.SpanExtractor(bert()),
    "MaskedLM": lambda: heads.MaskedLM(bert()),
    "CausalLM": lambda: heads.CausalLM(gpt()),
    "CausalLM of a LeftToRight": lambda: heads.CausalLM(bert(LeftToRight)),
    "DoubleHeads": lambda: heads.DoubleHeads(gpt(), 3),
    "Pretraining": lambda: heads.Pretraining(bert()),
}
ALL = {**MODELS, **TEXTS, **WORDS}
WITH_OTHERS = {**ALL, **OTHERS}


def made(name):
    torch.manual_seed(0)
    return WITH_OTHERS[name]().eval()


def say(model, ids, mask, **more):
    """The output, as a tuple of tensors."""
    if isinstance(model, heads.PairClassifier):
        more["input_ids_b"] = IDS * MASK if len(ids) == 3 and len(ids[0]) < 12 else ids * mask
    if isinstance(model, mb.Transformer):
        more["decoder_ids"] = IDS[:, :2]
    if not isinstance(model, LSTMLanguageModel):
        more["attention_mask"] = mask
    out = model(input_ids=ids, **more)
    out = getattr(out, "last_hidden_state", out)
    if isinstance(model, heads.Parser):  # its columns are tokens too: only the root's stay
        out = out[0].softmax(-1)[..., 0], out[1][:, :, 0]
    return out if isinstance(out, tuple) else (out,)


def padded(lengths, at):
    """The first tokens of each row of `IDS` at the positions ``at(row, length)`` of 12."""
    ids, mask = torch.full((3, 12), 39), torch.zeros(3, 12, dtype=torch.long)
    for row, length in enumerate(lengths):
        places = at(row, length)
        ids[row, places], mask[row, places] = IDS[row, :length], 1
    return ids, mask


WHERE = {
    "behind": lambda row, n: list(range(n)),
    "in front": lambda row, n: list(range(12 - n, 12)),
    "on both sides": lambda row, n: list(range(row + 1, row + 1 + n)),
    "between": lambda row, n: [*range(1, n), n + 2],
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_padding_changes_nothing_wherever_it_stands(name, where):
    model = made(name)
    encoder = getattr(model, "encoder", model)
    if where == "between" and isinstance(encoder, mb.BERT | heads.LayerMix):
        pytest.skip("BERT's positions count a gap, as in transformers")
    ids, mask = padded((9, 4, 6), WHERE[where])
    together, lengths = say(model, ids, mask), (9, 4, 6)
    if name in ("MultipleChoice", "DoubleHeads"):  # the rows are one example
        behind = say(model, *padded(lengths, WHERE["behind"]))
        assert torch.allclose(together[-1], behind[-1], atol=1e-5)
        return
    for row, length in enumerate(lengths):
        alone = say(model, IDS[row : row + 1, :length], torch.ones(1, length, dtype=torch.long))
        for one, all_rows in zip(alone, together, strict=True):
            per_token = all_rows.shape[1:2] == (12,)
            found = all_rows[row][mask[row].bool()] if per_token else all_rows[row]
            assert torch.allclose(found, one[0], atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_row_without_a_token_is_refused(name):
    mask = MASK * torch.tensor([[1], [0], [1]])
    with pytest.raises(ValueError, match="at least one token in each row, row 1 has none"):
        say(made(name), IDS, mask)


BAD = {  # changes of the input -> what is said
    "a list": ({"ids": IDS.tolist()}, "expected input_ids as a tensor of int64"),
    "an array": ({"ids": IDS.numpy()}, "expected input_ids as a tensor of int64.*ndarray"),
    "floats": ({"ids": IDS.float()}, "expected input_ids as int64, got torch.float32"),
    "one row": ({"ids": IDS[0], "mask": MASK[0]}, r"\(batch, length\)"),
    "no row": ({"ids": IDS[:0], "mask": MASK[:0]}, r"at least one token, got.*\(0, 9\)"),
    "no token": ({"ids": IDS[:, :0], "mask": MASK[:, :0]}, r"at least one token, got.*\(3, 0\)"),
    "ids beyond": ({"ids": IDS + 40}, "expected ids from 0 to below vocab_size=40"),
    "ids below": ({"ids": IDS - 40}, "expected ids from 0 to below vocab_size=40"),
    "a list as mask": ({"mask": MASK.tolist()}, "expected attention_mask as a tensor"),
    "another mask": ({"mask": MASK[:, :4]}, r"attention_mask of.* shape.*\(3, 4\)"),
    "a mask of 2": ({"mask": 2 * MASK}, "attention_mask of 1 for a token and 0 for padding"),
    "kinds of text": ({"token_type_ids": IDS + 40}, "token_type_ids from 0 to below segments="),
    "kinds as a list": ({"token_type_ids": (IDS * 0).tolist()}, "token_type_ids as a tensor"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", WITH_OTHERS)
def test_what_does_not_fit_is_refused_in_one_sentence(name, what):
    changes, said = BAD[what]
    model = made(name)
    kinds = isinstance(getattr(model, "encoder", model), mb.BERT | mb.GPT)
    if "token_type_ids" in changes and not (
        kinds and "token_type_ids" in inspect.signature(model.forward).parameters
    ):
        pytest.skip("it does not tell texts apart")
    if name == "LSTMLanguageModel" and "ids" not in changes:
        pytest.skip("it takes no mask")
    given = {"ids": IDS, "mask": MASK, **changes}
    with pytest.raises(ValueError, match=said) as error:
        say(model, given.pop("ids"), given.pop("mask"), **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [torch.float32, torch.bool])
@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_a_mask_of_any_kind_of_number_will_do(name, kind):
    model = made(name)
    for one, other in zip(say(model, IDS, MASK.to(kind)), say(model, IDS, MASK), strict=True):
        assert torch.equal(one, other)


ONE = torch.tensor([0, 1, 2])
TARGETS = {
    **dict.fromkeys(TEXTS, {"labels": ONE}),
    **dict.fromkeys(WORDS, {"labels": (IDS % 3).masked_fill(MASK == 0, -100)}),
    "NextSentence": {"next_sentence_label": ONE % 2},
    "SpanExtractor": {"start_positions": ONE, "end_positions": ONE},
    **dict.fromkeys(("MultipleChoice", "DoubleHeads"), {"labels": ONE[:1]}),
    "PairClassifier": {"labels": ONE, "input_ids_b": IDS * MASK},
}
TARGETS |= {name: {**TARGETS[name], "heads": IDS * 0} for name in ("Parser", "Parser, lstm")}
TARGETS["Pretraining"] = {**TARGETS["MaskedLM"], "next_sentence_label": ONE % 2}
LABELS = {  # what becomes of labels -> what is said
    "beyond": (lambda t: t.where(t == -100, 99), "from 0 to below"),
    "below": (lambda t: t.where(t == -100, -1), "from 0 to below"),
    "one too few": (lambda t: t[:-1] if len(t) > 1 else t.repeat(2), "expected .* got"),
    "a list": (lambda t: t.tolist(), "as a tensor of int64"),
    "floats": (lambda t: t.float(), "as int64, got torch.float32"),
    "nothing": (lambda t: None, "in the batch, which has input_ids, attention_mask"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("what", LABELS)
@pytest.mark.parametrize("name", {**TEXTS, **WORDS})
def test_labels_that_do_not_fit_are_refused_in_one_sentence(name, what):
    model, targets = made(name).train(), TARGETS[name]
    change, said = LABELS[what]
    batch = {"input_ids": IDS, "attention_mask": MASK, **targets}
    assert model.loss(batch)[0].isfinite()
    for label in (label for label in targets if label != "input_ids_b"):
        with pytest.raises(ValueError, match=said) as error:
            model.loss({**batch, label: change(targets[label])})
        assert label in str(error.value)


@pytest.mark.parametrize("name", ["TokenClassifier", "TokenClassifier, lstm", "Tagger", "MaskedLM"])
def test_a_label_at_padding_is_refused(name, monkeypatch):
    monkeypatch.setattr(mb.models.transformer.fast, "suits", lambda *_: False)
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": IDS % 3}
    with pytest.raises(ValueError, match="got a place of padding"):
        made(name).loss(batch)
    batch = {"input_ids": IDS, "attention_mask": MASK, "start_positions": ONE + 5}
    with pytest.raises(ValueError, match="got a place of padding"):
        made("SpanExtractor").loss({**batch, "end_positions": ONE})


@pytest.mark.usefixtures("unchecked")
def test_one_dict_in_place_of_a_list_and_no_batch_at_all():
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": ONE}
    cnn, tagger, pair = (made(name) for name in ("CNNClassifier", "Tagger", "PairClassifier"))
    for given in (
        lambda: heads.predict(cnn, batch),
        lambda: heads.tagged(tagger, batch),
        lambda: heads.predict(pair, batch),
        lambda: heads.run(made("TokenClassifier"), {"input_ids": [1, 2]}),
    ):
        with pytest.raises(ValueError, match="got one dict|expected a list of examples"):
            given()
    assert heads.run(made("TokenClassifier"), []) == [] and len(heads.predict(cnn, [])) == 0
    with pytest.raises(ValueError, match="at least one labelled word, got none"):
        heads.share_right([], [])


def test_scores_that_are_not_finite_choose_nothing():
    tokenizer = mb.text.WordPiece.train(["who came ? anna came ."] * 3, 40)
    config = mb.BERTConfig(len(tokenizer), dim=8, layers=1, heads=2, hidden=16, max_length=32)
    model = heads.SpanExtractor(mb.BERT(config, tokenizer)).eval()
    asked = [("who came ?", "anna came .")]
    assert heads.answer(model, asked)[0].best.text
    for value in (np.nan, np.inf):
        torch.nn.init.constant_(model.output.bias, value)
        with pytest.raises(FloatingPointError, match="not finite, so nothing can be chosen"):
            heads.answer(model, asked)
    for wrong in (asked[0], [("who came ?",)]):
        with pytest.raises(ValueError, match=r"a pair \(text, other\), got"):
            heads.answer(model, wrong)
    for setting in ("n_best", "longest"):
        with pytest.raises(ValueError, match="expected n_best and longest >= 1"):
            heads.answer(model, asked, **{setting: 0})
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": ONE}
    batch["input_ids_b"] = IDS * MASK
    for name, act in (
        ("CNNClassifier", heads.predict),
        ("Tagger", lambda m, b: heads.tagged(m, [{**b[0], "labels": IDS % 3}])),
        ("PairClassifier", heads.predict),
    ):
        model = made(name)
        for parameter in model.output.parameters():
            torch.nn.init.constant_(parameter, np.nan)
        with pytest.raises(FloatingPointError, match="not finite, so nothing can be chosen"):
            act(model, [batch])
    writer = made("Transformer")
    torch.nn.init.constant_(writer.decoder.blocks[0].ffn.outer.bias, np.nan)
    with pytest.raises(FloatingPointError, match="not finite, so nothing can be chosen"):
        writer.generate(IDS, 3, start_id=1)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "texts",
    [{"text": "a film"}, {"a film"}, None, 5, b"a film", [5], [[4, 5]], [{"text": "a film"}]],
    ids=repr,
)
def test_what_is_no_list_of_texts_is_refused_by_predict(texts):
    words = ["<pad>", "<unk>", "a", "film"]
    vocab = Vocab(words, specials=words[:2])
    pieces = mb.text.WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words[2:]])
    encoder = mb.BERT(mb.BERTConfig(len(pieces), **SIZES), pieces)
    letters = mb.text.BPE.train(["a film"], 270)
    decoder = heads.framed(mb.GPT(mb.GPTConfig(len(letters), **SIZES), letters))[0]
    table = heads.Table(torch.randn(4, 6), vocab)
    for head in (
        heads.SequenceClassifier(encoder, 2),
        heads.TokenClassifier(encoder, 2),
        heads.SpanExtractor(encoder),
        heads.MaskedLM(encoder),
        heads.CausalLM(decoder),
        heads.MultipleChoice(decoder, 2),
        heads.DoubleHeads(decoder, 2),
        heads.Tagger(table, 2),
        heads.Parser(table, 2),
        heads.PairClassifier(table, 2),
    ):
        with pytest.raises(ValueError, match="expected") as error:
            head.predict(texts)
        assert "\n" not in str(error.value)
    for head in (heads.CausalLM(decoder), heads.Tagger(table, 2)):
        with pytest.raises(ValueError, match="a text of at least one token, got"):
            head.predict(["a film", ""])
    with pytest.raises(ValueError, match="at least one reading, got none"):
        heads.best_threshold([], [])
