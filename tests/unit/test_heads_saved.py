"""Every head on every encoder comes back from its folder as it was, or is refused in a sentence."""

import inspect

import pytest
import torch

import minibert as mb
from minibert.heads import files
from minibert.models.bert.left_to_right import LeftToRight

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
    "PairClassifier": {"labels": NAMES, "compared": 5, "dropout": 0.1},
}
ON_WORDS = ("Tagger", "PairClassifier")


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


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", HEADS)
def test_each_head_comes_back_from_each_encoder(head, encoder, tmp_path):
    on_words = ("Table", "ContextEncoder", "Live")
    if encoder not in on_words if head in ON_WORDS else encoder in on_words[1:]:
        with pytest.raises(ValueError, match=r"stands on a model|word vectors"):
            made(head, encoder)
        return
    model = made(head, encoder).eval()
    with torch.no_grad():
        for tensor in model.parameters():  # nothing must come back only because it was drawn so
            tensor.add_(torch.randn_like(tensor) * 0.1)
    model.save_pretrained(tmp_path)
    for again in (type(model).from_pretrained(tmp_path), mb.heads.load(tmp_path)):
        assert type(again) is type(model) and not again.training
        assert again.settings == model.settings
        assert getattr(again.encoder, "settings", 0) == getattr(model.encoder, "settings", 0)
        wanted = [p.requires_grad for p in model.parameters()]
        assert [p.requires_grad for p in again.parameters()] == wanted
        for found, want in zip(
            flat(again(**batch(again))), flat(model(**batch(model))), strict=True
        ):
            assert torch.equal(found, want)


def test_the_table_of_heads_is_the_public_one():
    heads = {name for name in HEADS if name in files.HEADS}
    assert heads == set(HEADS) and set(files.HEADS) <= set(dir(mb.heads))
