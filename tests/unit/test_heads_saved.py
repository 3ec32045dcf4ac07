"""Every head on every encoder comes back from its folder as it was, or is refused in a sentence."""

import inspect
import json

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.heads import files
from minibert.models.bert.left_to_right import LeftToRight
from minibert.storage.checkpoint import pack, unpack

WORDS = ["<pad>", "<unk>", "<S>", "</S>", "a", "good", "bad", "film", "is", "this", "new", "old"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[4:], "##s"]
VOCAB = mb.text.Vocab(WORDS, specials=WORDS[:4])
PIECE = mb.text.WordPiece(PIECES)
BPE = mb.text.BPE.train(["this is a good film", "that is a bad film"], 280)
SMALL = {"dim": 8, "layers": 2, "heads": 2, "hidden": 32, "max_length": 24}
ELMO = {"dim": 6, "projection": 4, "char_dim": 3, "filters": ((1, 3), (3, 4))}


def bert(kind=mb.BERT):
    return kind(mb.BERTConfig(len(PIECE), **SMALL), PIECE)


def gpt():
    return mb.heads.framed(mb.GPT(mb.GPTConfig(len(BPE), **SMALL), BPE))[0]


def elmo(**options):
    return mb.ELMo(mb.ELMoConfig(len(VOCAB), **ELMO, **options), VOCAB)


def table():
    return mb.heads.Table(torch.randn(len(VOCAB), 6), VOCAB)


ENCODERS = {
    "BERT": bert,
    "LeftToRight": lambda: bert(LeftToRight),
    "GPT": gpt,
    "AWDLSTM": lambda: mb.AWDLSTM(mb.AWDLSTMConfig(len(VOCAB), 6, 10, 2, start_id=2), VOCAB),
    "backward": lambda: mb.AWDLSTM(
        mb.AWDLSTMConfig(len(VOCAB), 6, 10, 2, start_id=2, direction="backward"), VOCAB
    ),
    "ELMo": elmo,
    "ELMo of words": lambda: elmo(input="words"),
    "Table": table,
    "LayerMix": lambda: mb.heads.LayerMix(bert(), (-2, -1)),
    "scalar": lambda: mb.heads.LayerMix(bert(), range(-2, 0), "scalar", freeze=False),
    "LayerMix of GPT": lambda: mb.heads.LayerMix(gpt(), (-1,)),
    "LayerMix of ELMo": lambda: mb.heads.LayerMix(elmo(), (0, 1), "mean"),
    "LayerMix of Table": lambda: mb.heads.LayerMix(table(), (0,), "sum"),
    "ContextEncoder": lambda: mb.heads.ContextEncoder(table(), hidden=3, dropout=0.2),
    "Live": lambda: mb.heads.ContextEncoder(
        table(), mb.heads.Live(elmo()), at=("input", "output"), hidden=3
    ),
}
NAMES = ["negative", "positive", "neutral"]
HEADS = {  # class -> its arguments beside the encoder
    "SequenceClassifier": {"labels": NAMES, "pooling": "last", "dropout": 0.3},
    "TokenClassifier": {"labels": ["O", "B-X"], "lstm": 3, "dropout": 0.2},
    "MaskedLM": {"vocab_size": 13},
    "NextSentence": {},
    "Pretraining": {"vocab_size": 13, "tied": False},
    "SpanExtractor": {},
    "LastToken": {"labels": 3, "auxiliary": 0, "dropout": 0.25},
    "Similarity": {"labels": NAMES, "auxiliary": 0},
    "MultipleChoice": {"choices": 2, "auxiliary": 0},
    "PoolingClassifier": {"labels": NAMES, "hidden": 5, "dropout": (0.2, 0.3), "bptt": 4},
    "CNNClassifier": {"labels": 2, "widths": (2, 3), "channels": 4, "freeze": True},
    "RNNClassifier": {"labels": 2, "hidden": 4, "problem": "multi_label_classification"},
    "Tagger": {"labels": ["O", "B-X"]},
    "Parser": {"labels": NAMES, "arc": 6, "relation": 4, "dropout": 0.2, "lstm": 3},
    "PairClassifier": {"labels": NAMES, "compared": 5, "dropout": 0.1},
    "CausalLM": {"tied": False},
    "DoubleHeads": {"choices": 2, "auxiliary": 0.3, "dropout": 0.2},
}
ON_WORDS = ("ContextEncoder", "Live")


def made(head, encoder):
    torch.manual_seed(0)
    return getattr(mb.heads, head)(ENCODERS[encoder](), **HEADS[head])


def batch(model):
    """Rows of 9 and 5 tokens, padded at the end, as the head's encoder takes them."""
    torch.manual_seed(1)
    mask = (torch.arange(9) < torch.tensor([[9], [5]])).long()
    config = getattr(files.innermost(model.encoder), "config", None)
    spelled = getattr(config, "input", None) == "characters"
    ids = torch.randint(1, 12, (2, 9, 50) if spelled else (2, 9)) * mask.view(2, 9, *[1] * spelled)
    given = {"input_ids": ids, "attention_mask": mask}
    if isinstance(model, mb.heads.PairClassifier):
        given["input_ids_b"] = ids.flip(0)
    live = getattr(model.encoder, "contextual", None)
    for name in ("contextual_ids", "contextual_ids_b") if live else ():
        if name in inspect.signature(model.forward).parameters:
            rows = torch.tensor([live.spellings.encode(WORDS[:9])] * 2)
            given[name] = rows if name.endswith("_b") is False else rows.flip(0)
    return given


def flat(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


def refused(head, encoder):
    """What is said of a pair that cannot be, or None."""
    if head == "CausalLM" and encoder not in ("GPT", "AWDLSTM", "LeftToRight"):
        return "stands on a model that gives" if encoder in ON_WORDS else "reads from left to right"
    if head == "DoubleHeads" and encoder != "GPT":
        return (
            "stands on a model that gives"
            if encoder in ON_WORDS
            else "auxiliary=0.3 trains a|DoubleHeads stands on"
        )
    if head in ("Tagger", "PairClassifier"):
        return None if encoder in ("Table", *ON_WORDS) else "expected word vectors"
    return "stands on a model that gives" if encoder in ON_WORDS else None


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", HEADS)
def test_each_head_comes_back_from_each_encoder(head, encoder, tmp_path, request):
    if said := refused(head, encoder):
        request.getfixturevalue("unchecked")
        with pytest.raises(ValueError, match=said):
            made(head, encoder)
        return
    model = made(head, encoder).eval()
    with torch.no_grad():
        for tensor in model.parameters():  # nothing must come back only because it was drawn so
            tensor.add_(torch.randn_like(tensor) * 0.1)
    model.save_pretrained(tmp_path)
    found = [type(model).from_pretrained(tmp_path)]
    if (head, encoder) != ("CausalLM", "AWDLSTM"):  # there the folder is the model's own
        found.append(mb.heads.load(tmp_path))
    for again in found:
        assert type(again) is type(model) and not again.training
        if head != "CausalLM" or encoder == "LeftToRight":
            assert again.settings == model.settings
        assert getattr(again.encoder, "settings", 0) == getattr(model.encoder, "settings", 0)
        assert [p.requires_grad for p in again.parameters()] == [
            p.requires_grad for p in model.parameters()
        ]
        given, wanted = (flat(one(**batch(one))) for one in (again, model))
        assert all(map(torch.equal, given, wanted))


def test_the_table_of_heads_is_the_public_one():
    assert set(files.HEADS) == set(HEADS) <= set(dir(mb.heads))


def test_tied_vectors_stay_tied_and_are_stored_once(tmp_path):
    torch.manual_seed(0)
    head = mb.heads.MaskedLM(gpt())
    head.save_pretrained(tmp_path)
    again = mb.heads.MaskedLM.from_pretrained(tmp_path)
    assert again.output.decoder.weight is again.encoder.embeddings.word.weight
    assert "output.decoder.weight" not in unpack((tmp_path / files.TENSORS).read_bytes())
    assert again.encoder.tokenizer.ids == BPE.ids


def test_a_softmax_that_was_untied_later_stays_so(tmp_path):
    head = mb.heads.MaskedLM(gpt()).eval()
    head.output.decoder.weight = torch.nn.Parameter(torch.randn_like(head.output.decoder.weight))
    head.save_pretrained(tmp_path)
    again = mb.heads.load(tmp_path)
    assert torch.equal(again(**batch(head)), head(**batch(head)))


def test_a_head_that_was_changed_after_it_was_made_is_refused(tmp_path):
    for head in (made("SequenceClassifier", "BERT"), made("SequenceClassifier", "Table")):
        head.pooling = "mean"
        with pytest.raises(ValueError, match="made with pooling='last', and has 'mean' now"):
            head.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unchecked")
def test_arguments_of_numpy_are_saved(tmp_path):
    head = mb.heads.TokenClassifier(bert(), np.int64(3), np.float32(0.25), lstm=2)
    head.save_pretrained(tmp_path)
    assert mb.heads.load(tmp_path).settings == {"labels": 3, "dropout": 0.25, "lstm": 2}
    mixed = mb.heads.LayerMix(bert(), np.array([0, 1]))
    mb.heads.CNNClassifier(mixed, np.array(["no", "yes"])).save_pretrained(tmp_path / "cnn")
    again = mb.heads.load(tmp_path / "cnn")
    assert again.settings["labels"] == ["no", "yes"] and again.encoder.layers == (0, 1)


@pytest.mark.usefixtures("unchecked")
def test_sizes_of_numpy_are_saved_and_other_kinds_refused(tmp_path):
    sizes = {name: np.int64(size) for name, size in SMALL.items()}
    config = mb.GPTConfig(np.int64(20), **sizes, dropout=np.float32(0.25))
    mb.GPT(config).save_pretrained(tmp_path)
    assert mb.GPT.from_pretrained(tmp_path).config == config
    for wrong in ({"dim": 8.0}, {"dim": "8"}, {"layers": True}, {"pad_id": 1.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number"):
            mb.BERTConfig(20, **wrong)


def test_an_elmo_that_could_not_be_read_back_is_refused(tmp_path):
    elmo().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has words and no vocabulary"):
        mb.ELMo(elmo().config).save_pretrained(tmp_path)
    mb.ELMo(mb.ELMoConfig(**ELMO)).save_pretrained(tmp_path)
    again = mb.ELMo.from_pretrained(tmp_path)
    assert again.vocab is None and again.config.vocab_size == 0


@pytest.mark.parametrize("name", ["BERT", "GPT", "AWDLSTM"])
def test_a_model_without_words_does_not_take_those_of_an_earlier_one(name, tmp_path):
    model = ENCODERS[name]()
    model.save_pretrained(tmp_path)
    bare = type(model)(model.config)
    bare.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    assert getattr(again, "tokenizer", None) is getattr(again, "vocab", None) is None


def test_an_ensemble_comes_back(tmp_path):
    parts = [made("PoolingClassifier", name) for name in ("AWDLSTM", "backward")]
    model = mb.heads.Ensemble(parts).eval()
    model.save_pretrained(tmp_path)
    for again in (mb.heads.Ensemble.from_pretrained(tmp_path), mb.heads.load(tmp_path)):
        assert torch.equal(again(**batch(parts[0])), model(**batch(parts[0])))
    found, (one, other) = (
        again.predict(["a good film"]),
        [p.predict(["a good film"]) for p in parts],
    )
    torch.testing.assert_close(found.probabilities, (one.probabilities + other.probabilities) / 2)
    told = json.loads((tmp_path / "head.json").read_text())
    (tmp_path / "head.json").write_text(json.dumps(told | {"classifiers": 10**12}))
    with pytest.raises(FileNotFoundError):
        mb.heads.load(tmp_path)


class Own(torch.nn.Module):
    """A model that this library does not know."""

    def __init__(self):
        super().__init__()
        self.inner = table()

    def forward(self, input_ids, attention_mask=None):
        return self.inner(input_ids, attention_mask)


def remembered():
    found, _ = mb.heads.Remembered.of(elmo(), [["a", "film"]])
    return mb.heads.ContextEncoder(table(), found)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (lambda: mb.heads.CNNClassifier(Own(), 2), "a Own cannot be saved with a head"),
        (lambda: mb.heads.Tagger(remembered(), 2), "a Remembered cannot be saved with a head"),
        (
            lambda: mb.heads.LastToken(mb.GPT(mb.GPTConfig(30, position="sinusoidal", **SMALL))),
            "learned positions only",
        ),
    ],
)
def test_what_no_folder_can_hold_is_refused_before_anything_is_written(head, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        head().save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def saved(folder, head="CNNClassifier", encoder="Table"):
    made(head, encoder).save_pretrained(folder)
    return json.loads((folder / "head.json").read_text())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"class": "RNNClassifier"}, "expected a CNNClassifier in .*got the class 'RNNClassifier'"),
        ({"class": "os.system"}, "got the class 'os.system'"),
        ({"class": ["CNNClassifier"]}, "got the class"),
        ({"settings": []}, "describes no part of a head"),
        ({"extra": 1}, "has the key 'extra'"),
        ({"inside": {"class": "GPT", "settings": {}}}, "describes no part of a head"),
        ({"inside": {"class": "Tokenizer"}}, "describes no part of a head"),
        ({"inside": {"class": "Table", "settings": {"vectors": [13, 6]}}}, "do not fit"),
        ({"inside": {"class": "Table", "settings": {"vectors": [10**9, 6]}}}, "do not fit"),
        ({"inside": {"class": "Table", "settings": {"vectors": [-1, 6]}}}, "cannot be"),
        ({"inside": {"class": "Table", "settings": {"vectors": "all"}}}, "word vectors"),
    ],
)
def test_a_damaged_description_is_told(change, said, tmp_path):
    told = saved(tmp_path)
    (tmp_path / "head.json").write_text(json.dumps(told | change))
    with pytest.raises(ValueError, match=said):
        mb.heads.CNNClassifier.from_pretrained(tmp_path)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"depth": 3}, "with depth=3"),
        ({"freeze": "yes"}, "with freeze='yes'"),
        ({"dropout": None}, "with dropout=None"),
        ({"widths": [2, "3"]}, "with widths="),
        ({"labels": "two"}, "number of labels or a list of their names"),
        ({"labels": ["a", "a"]}, "each of them once"),
        ({"labels": 3}, r"do not fit CNNClassifier: .*output.weight is \(2, 8\)"),
        ({"problem": "guess"}, "problem must be"),
    ],
)
def test_settings_of_a_damaged_file_are_told(change, said, tmp_path):
    told = saved(tmp_path)
    told["settings"] |= change
    (tmp_path / "head.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=said):
        mb.heads.CNNClassifier.from_pretrained(tmp_path)


def test_tensors_and_words_that_do_not_belong_are_told(tmp_path):
    saved(tmp_path, "LastToken", "GPT")
    path = tmp_path / files.TENSORS
    own = unpack(path.read_bytes())
    name = "encoder.embeddings.word.weight"
    path.write_bytes(pack(own | {name: torch.zeros(3)}))  # the encoder's stand in its own folder
    assert torch.equal(
        mb.heads.load(tmp_path).encoder.embeddings.word.weight,
        mb.GPT.from_pretrained(tmp_path / "encoder").embeddings.word.weight,
    )
    path.write_bytes(pack({"output.bias": own["output.bias"]}))
    with pytest.raises(ValueError, match="missing: output.weight"):
        mb.heads.load(tmp_path)
    saved(tmp_path / "words")
    mb.text.Vocab(["a", "b"]).save(tmp_path / "words" / "vocab.tsv")
    with pytest.raises(ValueError, match="has 2 words and vectors for 12"):
        mb.heads.load(tmp_path / "words")


def test_a_folder_that_is_used_again_holds_the_last_head(tmp_path):
    saved(tmp_path, "LastToken", "BERT")
    head = made("SequenceClassifier", "BERT")
    head.save_pretrained(tmp_path)
    assert type(mb.heads.load(tmp_path)) is mb.heads.SequenceClassifier
    saved(tmp_path, "LastToken", "BERT")
    assert type(mb.heads.load(tmp_path)) is mb.heads.LastToken


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_names_and_problem_stand_in_the_published_layout(problem, tmp_path):
    head = mb.heads.SequenceClassifier(bert(), NAMES, problem)
    head.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "config.json").read_text())
    assert told["id2label"] == dict(zip("012", NAMES, strict=True))
    assert told["problem_type"] == problem and not (tmp_path / "head.json").exists()
    assert mb.heads.load(tmp_path).settings == head.settings
    for damaged in ({"0": "a"}, [], {"0": 1, "1": 2, "2": 3}):
        (tmp_path / "config.json").write_text(json.dumps(told | {"id2label": damaged}))
        with pytest.raises(ValueError, match="id2label|list of their names"):
            mb.heads.load(tmp_path)


@pytest.mark.parametrize("own", [{"pooling": 3}, {"lstm": "5"}, {"depth": 1}, [1]])
def test_arguments_of_a_damaged_file_are_refused(tmp_path, own):
    mb.heads.SequenceClassifier(bert(), 2).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"minibert": own}))
    with pytest.raises(ValueError, match="expected 'minibert' to hold pooling and lstm"):
        mb.heads.SequenceClassifier.from_pretrained(tmp_path)


def test_a_folder_without_this_head_is_told(tmp_path):
    bert().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds no head that predicts.*'BertModel'"):
        mb.heads.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no Similarity: it has no head.json"):
        mb.heads.Similarity.from_pretrained(tmp_path)
