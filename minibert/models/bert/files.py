"""BERT in Hugging Face's layout, both ways.

A folder has ``config.json``, the tensors (see `minibert.storage.layout`), and ``vocab.txt`` or
``tokenizer.json`` if the model has a tokenizer. Names of tensors, theirs on the left::

    bert.embeddings.word_embeddings.weight                    embeddings.word.weight
    bert.encoder.layer.0.attention.self.query.weight          stack.blocks.0.attention.query.weight
    bert.encoder.layer.0.output.LayerNorm.weight              stack.blocks.0.ffn_norm.weight
    cls.predictions.transform.dense.weight                    output.dense.weight

``bert.`` is absent in a file of the encoder alone, and LayerNorm's tensors are ``gamma`` and
``beta`` in files of 2018.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minibert.data.published import located
from minibert.models.bert import google
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.bert.model import BERT, BERTConfig
from minibert.storage import layout
from minibert.storage.checked import check_known, config_from, filled
from minibert.storage.checkpoint import CONFIG, save_folder
from minibert.storage.hub import find_or_fetch
from minibert.storage.safe_files import remove
from minibert.text.tokenizer_files import JSON, OTHERS

Tensors = dict[str, Tensor]
VOCAB, SETTINGS = "vocab.txt", "tokenizer_config.json"
FILES = VOCAB, JSON, *OTHERS  # beside configuration and weights

FIELDS = {  # of config.json -> of BERTConfig
    "vocab_size": "vocab_size", "hidden_size": "dim", "num_hidden_layers": "layers",
    "num_attention_heads": "heads", "intermediate_size": "hidden", "hidden_act": "activation",
    "hidden_dropout_prob": "dropout", "attention_probs_dropout_prob": "attention_dropout",
    "max_position_embeddings": "max_length", "layer_norm_eps": "norm_eps",
    "initializer_range": "init_std", "type_vocab_size": "segments", "pad_token_id": "pad_id",
}  # fmt: skip
FIXED = layout.ALWAYS | {  # keys of config.json that may have one value only
    "position_embedding_type": ("absolute", None),
    "directionality": ("bidi",),
    "pooler_type": ("first_token_transform",),
}
POOLER = ("pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers")
IGNORED = layout.NOTES | layout.TASK | {*POOLER, "pooler_size_per_head", "tie_word_embeddings"}
EMBEDDED = "bert.embeddings"
NAMES = {  # beginnings of names: ours -> theirs
    "embeddings.word.": f"{EMBEDDED}.word_embeddings.", "pooler.dense.": "bert.pooler.dense.",
    "embeddings.position.": f"{EMBEDDED}.position_embeddings.",
    "embeddings.segment.": f"{EMBEDDED}.token_type_embeddings.",
    "embeddings.norm.": f"{EMBEDDED}.LayerNorm.",
}  # fmt: skip
IN_BLOCK = {
    **{f"attention.{part}.": f"attention.self.{part}." for part in ("query", "key", "value")},
    "attention.output.": "attention.output.dense.",
    "attention_norm.": "attention.output.LayerNorm.",
    "ffn.inner.": "intermediate.dense.", "ffn.outer.": "output.dense.",
    "ffn_norm.": "output.LayerNorm.",
}  # fmt: skip
WORDS = {
    "output.dense.": "cls.predictions.transform.dense.",
    "output.norm.": "cls.predictions.transform.LayerNorm.",
    "output.decoder.weight": "cls.predictions.decoder.weight",
    "output.decoder.bias": "cls.predictions.bias",
}
NEXT = {"next.": "cls.seq_relationship."}
TABLE = "bert.embeddings.word_embeddings.weight"
DECODER = "cls.predictions.decoder."
HEADS = {  # class -> (its name in config.json, beginnings of names)
    "BERT": ("BertModel", {}),
    "MaskedLM": ("BertForMaskedLM", WORDS),
    "CausalLM": ("BertLMHeadModel", WORDS),
    "NextSentence": ("BertForNextSentencePrediction", NEXT),
    "Pretraining": ("BertForPreTraining", {**WORDS, **NEXT}),
    "SequenceClassifier": ("BertForSequenceClassification", {"output.": "classifier."}),
    "TokenClassifier": ("BertForTokenClassification", {"output.": "classifier."}),
    "SpanExtractor": ("BertForQuestionAnswering", {"output.": "qa_outputs."}),
}
TOPS = ("cls.", "classifier.", "qa_outputs.")  # what a file may hold beside the encoder


def load(source: Path | str, cls: type[BERT] = BERT) -> BERT:
    """A `minibert.BERT` from a folder, a bundled or published name, or a hub id; in eval mode.

    cls: `BERT` or `LeftToRight`, which a file with ``is_decoder`` gives in any case. The folder may
    be Google's own, too. Heads in the file are left out (see `load_head`); without a pooler in it,
    the model has none. Raises FileNotFoundError for a missing file; ValueError for tensors that are
    missing, unknown or of another shape, each named as in the file, and for an unknown
    configuration.
    """
    path = find_or_fetch(located(source, "BERT"), FILES)
    config, tensors = read(path)
    make = _encoder(path, config, tensors, cls)
    tensors = {name: t for name, t in tensors.items() if not name.startswith(TOPS)}
    return _filled(make, tensors, path, config)


def load_head(cls: Any, source: Path | str) -> Any:
    """A head of the class ``cls`` with its encoder; raises as `load`, and without that head."""
    path = find_or_fetch(located(source, "BERT"), FILES)
    config, tensors = read(path)
    encoder, extra = _encoder(path, config, tensors), {}
    if cls.__name__ in ("SequenceClassifier", "TokenClassifier"):
        if "classifier.weight" not in tensors:
            raise ValueError(f"{path} has no tensor classifier.weight: it holds no {cls.__name__}")
        count = sum(tensors["classifier.weight"].shape[:1])
        labels = layout.labels_in(config, count, path)
        extra = {"labels": labels, **_arguments(config, path)}
        if cls.__name__ == "SequenceClassifier":
            extra["problem"] = layout.problem_in(config, count)
    elif cls.__name__ in ("MaskedLM", "CausalLM", "Pretraining"):
        extra = {"tied": bool(config.get("tie_word_embeddings", True))}
    own = tuple(HEADS[cls.__name__][1].values())
    kept = {n: t for n, t in tensors.items() if n.startswith(own) or not n.startswith(TOPS)}
    return _filled(lambda: cls(encoder(), **extra), kept, path, config)


def holds(model: Any) -> bool:
    """Whether `save` can write this head: one on a BERT, as transformers has it."""
    fits = _kind(model) in HEADS and type(model.encoder) in (BERT, LeftToRight)
    return fits and not getattr(model, "settings", {}).get("vocab_size")


def _arguments(config, source):
    """What a head was made with, besides its labels: dropout, and what only minibert has."""
    names = ("classifier_dropout", "hidden_dropout_prob")
    own = layout.own_keys(config, {"pooling": str, "lstm": int}, source)
    return {"dropout": layout.dropout_in(config, names, 0.1, source), **own}


def save(model: Any, folder: Path | str) -> None:
    """Write an encoder, or a head with its encoder, as a folder that transformers reads too."""
    encoder = getattr(model, "encoder", model)
    architecture, _ = HEADS[_kind(model)]
    config = {**to_published(encoder.config), "architectures": [architecture]}
    if isinstance(encoder, LeftToRight):
        config["is_decoder"] = True
    if hasattr(model, "output") and hasattr(model.output, "decoder"):
        tied = model.output.decoder.weight is encoder.embeddings.word.weight
        config["tie_word_embeddings"] = tied
    settings = getattr(model, "settings", {})
    if "labels" in settings:
        config |= layout.label_keys(settings["labels"], settings.get("problem"))
        config["classifier_dropout"] = settings["dropout"]
        own = {name: settings[name] for name in ("pooling", "lstm") if settings.get(name)}
        config["minibert"] = own
        if "lstm" in own or own.get("pooling", "first") != "first":
            config["model_type"] = "minibert-bert"  # transformers would compute something else
    tensors = {published(model, name): tensor for name, tensor in model.state_dict().items()}
    if config.get("tie_word_embeddings") is False:  # transformers adds the one called decoder's
        tensors[f"{DECODER}bias"] = tensors["cls.predictions.bias"].clone()
    save_folder(folder, config, tensors)
    if encoder.tokenizer is not None:
        encoder.tokenizer.save(Path(folder) / VOCAB)
    else:
        remove(folder, FILES)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(config as a dict, tensors by their newest published names) of a folder."""
    config, tensors = (google.read if google.is_here(path) else layout.read_files)(path)
    return config, settled(layout.renamed(tensors, _today, path), config, path)


def _today(name):
    """A published name of any generation as it is today."""
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        name = name.removesuffix(old) + new if name.endswith(old) else name
    bare = name.startswith(("embeddings.", "encoder.", "pooler."))
    return f"bert.{name}" if bare else name


def settled(tensors: Tensors, config: dict[str, Any], source: Path | str) -> Tensors:
    """The tensors, each once, with what a file may say twice checked and taken out.

    A tied file may hold the word vectors as the output layer's only. The bias that is added to the
    logits is `cls.predictions.decoder.bias`; where there is none, it is `cls.predictions.bias`.
    """
    positions = "bert.embeddings.position_ids"
    layout.drop_table(tensors, positions, lambda t: torch.arange(t.numel()).view(t.shape), source)
    decoder, bias = f"{DECODER}weight", f"{DECODER}bias"
    tied, own = layout.flag(config, "tie_word_embeddings", True, source), tensors.pop(bias, None)
    other = tensors.get("cls.predictions.bias")
    if own is not None and other is not None and tied and not torch.equal(own, other):
        raise ValueError(
            f"{source} has a {bias} unlike its cls.predictions.bias, although its config.json says "
            "that the output layer is tied; set tie_word_embeddings to false if it is not"
        )
    if own is not None:
        tensors["cls.predictions.bias"] = own
    if tied and decoder in tensors:
        layout.check_tied(tensors.setdefault(TABLE, tensors[decoder]), tensors.pop(decoder), source)
    return tensors


def to_config(config: dict[str, Any], source: Path | str = "config.json") -> BERTConfig:
    """A `BERTConfig` from a published one. Raises ValueError for what this class cannot follow."""
    kind = config.get("model_type", "bert")
    if kind not in ("bert", "minibert-bert"):
        raise ValueError(f"expected a model of type 'bert' in {source}, got {kind!r}")
    own = ("norm", "position")  # of models that transformers does not know
    check_known(config, source, taken=(*FIELDS, *own, "is_decoder"), fixed=FIXED, ignored=IGNORED)
    given = {ours: config[theirs] for theirs, ours in FIELDS.items() if theirs in config}
    given |= {name: config[name] for name in own if name in config}
    name = layout.activation(given.get("activation", "gelu"), "hidden_act", source)
    return config_from(BERTConfig, {**given, "activation": name}, source)


def to_published(config: BERTConfig) -> dict[str, Any]:
    """The published form of a `BERTConfig`, as a dict.

    A model that transformers does not know (``norm="pre"``, other positions) gets a type of ours.
    Raises ValueError for one with what came after BERT, such as ``rms``, which has no layout.
    """
    if config.later:
        raise ValueError(f"BERT's layout cannot hold a model with {', '.join(config.later)}")
    found = {theirs: getattr(config, ours) for theirs, ours in FIELDS.items()}
    names = layout.ACTIVATIONS.items()
    found["hidden_act"] = next(theirs for theirs, ours in names if ours == config.activation)
    if (config.norm, config.position) != ("post", "learned"):
        own = {"norm": config.norm, "position": config.position}
        return {**found, **own, "model_type": "minibert-bert"}
    return {**found, "model_type": "bert"}


def _kind(model):
    """The name in `HEADS` of an encoder or a head."""
    return "BERT" if isinstance(model, BERT) else type(model).__name__


def published(model: nn.Module, name: str) -> str:
    """The published name of a tensor of an encoder or a head."""
    if _kind(model) != "BERT":
        for ours, theirs in HEADS[_kind(model)][1].items():
            if name.startswith(ours):
                return theirs + name[len(ours) :]
        name = name.removeprefix("encoder.")
    if name.startswith("stack.blocks."):
        number, rest = name.removeprefix("stack.blocks.").split(".", 1)
        ours = next(part for part in IN_BLOCK if rest.startswith(part))
        return f"bert.encoder.layer.{number}.{IN_BLOCK[ours]}{rest[len(ours) :]}"
    found = (theirs + name[len(ours) :] for ours, theirs in NAMES.items() if name.startswith(ours))
    return next(found, f"bert.{name}")  # only models of our own type have others


def _own(model, tensors):
    """Published tensors by our names; what the model does not have keeps its name."""
    ours = {published(model, name): name for name in model.state_dict()}
    found = {ours.get(name, name): tensor for name, tensor in tensors.items()}
    decoder = getattr(getattr(model, "output", None), "decoder", None)
    if decoder is not None and decoder.weight is model.encoder.embeddings.word.weight:
        if TABLE in tensors:
            found["output.decoder.weight"] = tensors[TABLE]
    return found


def _encoder(path, config, tensors, cls=BERT):
    """A function that makes a `BERT` of the right size, with the tokenizer that lies beside."""
    names = google.CONFIG if google.is_here(path) else CONFIG
    cls = LeftToRight if layout.flag(config, "is_decoder", None, path / names) else cls
    pooler = any(name.startswith("bert.pooler.") for name in tensors)
    settings, tokenizer = to_config(config, path / names), _tokenizer(path)
    return lambda: cls(settings, tokenizer, pooler=pooler)


def _filled(make, tensors, path, config):
    """The model that ``make`` gives with these tensors, in eval mode."""
    layers = config.get("num_hidden_layers", 0)
    return filled(make, tensors, path, layers, own=_own, named=published)


def _tokenizer(path):
    """The `WordPiece` of ``tokenizer.json`` or ``vocab.txt``, or None without both."""
    from minibert.text import WordPiece

    name = next((name for name in (JSON, VOCAB) if (path / name).is_file()), None)
    if name is None:
        return None
    unsaid = google.is_here(path) and not (path / SETTINGS).is_file()  # in no file of theirs
    return WordPiece.load(path / name, lowercase=google.lowercase(path) if unsaid else None)
