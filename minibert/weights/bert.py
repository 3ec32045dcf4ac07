"""BERT in Hugging Face's layout, both ways.

A folder has ``config.json``, ``model.safetensors`` (or ``pytorch_model.bin``), and ``vocab.txt`` if
the model has a tokenizer. Names of tensors, theirs on the left::

    bert.embeddings.word_embeddings.weight                    embeddings.word.weight
    bert.encoder.layer.0.attention.self.query.weight          stack.blocks.0.attention.query.weight
    bert.encoder.layer.0.output.LayerNorm.weight              stack.blocks.0.ffn_norm.weight
    cls.predictions.transform.dense.weight                    output.dense.weight

``bert.`` is absent in a file of the encoder alone, and LayerNorm's tensors are ``gamma`` and
``beta`` in files of 2018. A pickle is read with ``weights_only=True``: nothing in it is executed.
"""

import json
from pathlib import Path

from minibert.bert import BERT, BERTConfig
from minibert.built import built, config_from
from minibert.checkpoint import CONFIG, WEIGHTS, _some, save_folder, unpack
from minibert.files import atomic, read_json
from minibert.weights import bert_google as google
from minibert.weights.awd_lstm import read_tensors
from minibert.weights.hub import find_or_fetch

PICKLE, VOCAB, TOKENIZER = "pytorch_model.bin", "vocab.txt", "tokenizer_config.json"
FILES = VOCAB, TOKENIZER  # beside configuration and weights

FIELDS = {  # of config.json -> of BERTConfig
    "vocab_size": "vocab_size",
    "hidden_size": "dim",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "hidden",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "hidden_act": "activation",
    "max_position_embeddings": "max_length",
    "layer_norm_eps": "norm_eps",
    "initializer_range": "init_std",
    "type_vocab_size": "segments",
    "pad_token_id": "pad_id",
}
ACTIVATIONS = {  # theirs -> ours; the first name of ours is the one written
    "gelu": "gelu",
    "relu": "relu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
NAMES = {  # beginnings of names: ours -> theirs
    "embeddings.word.": "bert.embeddings.word_embeddings.",
    "embeddings.position.": "bert.embeddings.position_embeddings.",
    "embeddings.segment.": "bert.embeddings.token_type_embeddings.",
    "embeddings.norm.": "bert.embeddings.LayerNorm.",
    "pooler.dense.": "bert.pooler.dense.",
}
IN_BLOCK = {
    "attention.query.": "attention.self.query.",
    "attention.key.": "attention.self.key.",
    "attention.value.": "attention.self.value.",
    "attention.output.": "attention.output.dense.",
    "attention_norm.": "attention.output.LayerNorm.",
    "ffn.inner.": "intermediate.dense.",
    "ffn.outer.": "output.dense.",
    "ffn_norm.": "output.LayerNorm.",
}
WORDS = {
    "output.dense.": "cls.predictions.transform.dense.",
    "output.norm.": "cls.predictions.transform.LayerNorm.",
    "output.decoder.weight": "cls.predictions.decoder.weight",
    "output.decoder.bias": "cls.predictions.bias",
}
NEXT = {"next.": "cls.seq_relationship."}
HEADS = {  # class -> (its name in config.json, beginnings of names)
    "BERT": ("BertModel", {}),
    "MaskedLM": ("BertForMaskedLM", WORDS),
    "NextSentence": ("BertForNextSentencePrediction", NEXT),
    "Pretraining": ("BertForPreTraining", {**WORDS, **NEXT}),
    "SequenceClassifier": ("BertForSequenceClassification", {"output.": "classifier."}),
    "TokenClassifier": ("BertForTokenClassification", {"output.": "classifier."}),
    "SpanExtractor": ("BertForQuestionAnswering", {"output.": "qa_outputs."}),
}
TOPS = ("cls.", "classifier.", "qa_outputs.")  # what a file may hold beside the encoder


def load(source):
    """A `minibert.BERT` from a folder, a bundled name or a hub id; in eval mode.

    The folder may be Google's own, too (see `minibert.weights.bert_google`).
    Heads in the file are left out (see `load_head`); where the file has no pooler, neither has the
    model. Raises FileNotFoundError for a missing file; ValueError for tensors that are missing,
    unknown or of another shape, each named as in the file, and for a configuration that this class
    cannot follow.
    """
    path = find_or_fetch(source, FILES)
    config, tensors = read(path)
    make = _encoder(path, config, tensors)
    tensors = {name: t for name, t in tensors.items() if not name.startswith(TOPS)}
    return _filled(make, tensors, path, config)


def load_head(cls, source):
    """A head of the class ``cls`` (such as `minibert.heads.MaskedLM`) with its encoder; eval mode.

    Raises as `load` does, and ValueError, naming what is missing, for a folder without that head.
    """
    path = find_or_fetch(source, FILES)
    config, tensors = read(path)
    encoder, extra = _encoder(path, config, tensors), {}
    if cls.__name__ in ("SequenceClassifier", "TokenClassifier"):
        if "classifier.weight" not in tensors:
            raise ValueError(f"{path} has no tensor classifier.weight: it holds no {cls.__name__}")
        regression = config.get("problem_type") == "regression"
        labels = tensors["classifier.weight"].shape[:1]
        extra = {"regression": True} if regression else {"labels": sum(labels)}
    elif cls.__name__ in ("MaskedLM", "Pretraining"):
        extra = {"tied": bool(config.get("tie_word_embeddings", True))}
    own = tuple(HEADS[cls.__name__][1].values())
    kept = {n: t for n, t in tensors.items() if n.startswith(own) or not n.startswith(TOPS)}
    return _filled(lambda: cls(encoder(), **extra), kept, path, config)


def save(model, folder):
    """Write an encoder, or a head with its encoder, as a folder that transformers reads too."""
    encoder = getattr(model, "encoder", model)
    architecture, _ = HEADS[type(model).__name__]
    config = {**to_published(encoder.config), "architectures": [architecture]}
    if hasattr(model, "output") and hasattr(model.output, "decoder"):
        tied = model.output.decoder.weight is encoder.embeddings.word.weight
        config["tie_word_embeddings"] = tied
    if hasattr(model, "labels"):
        config["id2label"] = {str(i): f"LABEL_{i}" for i in range(model.labels)}
        config["label2id"] = {name: int(i) for i, name in config["id2label"].items()}
        config["problem_type"] = "regression" if getattr(model, "regression", False) else None
    tensors = model.state_dict()
    save_folder(folder, config, {published(model, name): tensors[name] for name in tensors})
    if encoder.tokenizer is not None:
        encoder.tokenizer.save(Path(folder) / VOCAB)
        settings = {"do_lower_case": encoder.tokenizer.lowercase}
        with atomic(Path(folder) / TOKENIZER) as file:
            file.write(json.dumps(settings).encode() + b"\n")


def read(path):
    """(config as a dict, tensors by their newest published names) of a folder."""
    config, tensors = (google.read if google.is_here(path) else read_files)(path)
    return config, renamed(tensors)


def read_files(path):
    """(config as a dict, tensors by name) of a folder in Hugging Face's layout."""
    path = Path(path)
    weights = next((path / name for name in (WEIGHTS, PICKLE) if (path / name).is_file()), None)
    missing = [] if (path / CONFIG).is_file() else [CONFIG]
    missing += [] if weights else [f"{WEIGHTS} or {PICKLE}"]
    if missing:
        raise FileNotFoundError(f"{path} has no {' and no '.join(missing)}")
    config = read_json(path / CONFIG)
    if not isinstance(config, dict):
        raise ValueError(f"expected an object in {path / CONFIG}, got {type(config).__name__}")
    if weights.name == WEIGHTS:
        try:
            return config, unpack(weights.read_bytes())
        except ValueError as error:
            raise ValueError(f"{weights} is damaged: {error}") from error
    return config, read_tensors(weights)


def renamed(tensors):
    """The tensors of any generation by today's names, in float32, each once."""
    found = {}
    for name, tensor in tensors.items():
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        name = name.replace("LayerNorm.beta", "LayerNorm.bias")
        if name.startswith(("embeddings.", "encoder.", "pooler.")):
            name = f"bert.{name}"
        found[name] = tensor.float() if tensor.is_floating_point() else tensor
    found.pop("bert.embeddings.position_ids", None)  # 0, 1, 2, ...: a table of no use
    twice = found.pop("cls.predictions.decoder.bias", None)  # the same as cls.predictions.bias
    if twice is not None:
        found.setdefault("cls.predictions.bias", twice)
    return found


def to_config(config, source="config.json"):
    """A `BERTConfig` from a published one. Raises ValueError for what this class cannot follow."""
    kind = config.get("model_type", "bert")
    if kind not in ("bert", "minibert-bert"):
        raise ValueError(f"expected a model of type 'bert' in {source}, got {kind!r}")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise ValueError(f"{source} asks for relative positions or a decoder, which BERT has not")
    given = {ours: config[theirs] for theirs, ours in FIELDS.items() if theirs in config}
    given |= {name: config[name] for name in ("norm", "position") if name in config}
    name = given.get("activation", "gelu")
    if name not in tuple(ACTIVATIONS):
        expected = ", ".join(ACTIVATIONS)
        raise ValueError(f"expected hidden_act to be one of {expected} in {source}, got {name!r}")
    return config_from(BERTConfig, {**given, "activation": ACTIVATIONS[name]}, source)


def to_published(config):
    """The published form of a `BERTConfig`, as a dict.

    A model that transformers does not know (``norm="pre"``, other positions) gets a type of ours.
    """
    found = {theirs: getattr(config, ours) for theirs, ours in FIELDS.items()}
    found["hidden_act"] = next(k for k, v in ACTIVATIONS.items() if v == config.activation)
    if (config.norm, config.position) != ("post", "learned"):
        own = {"norm": config.norm, "position": config.position}
        return {**found, **own, "model_type": "minibert-bert"}
    return {**found, "model_type": "bert"}


def published(model, name):
    """The published name of a tensor of an encoder or a head."""
    if type(model).__name__ != "BERT":
        for ours, theirs in HEADS[type(model).__name__][1].items():
            if name.startswith(ours):
                return theirs + name[len(ours) :]
        name = name.removeprefix("encoder.")
    if name.startswith("stack.blocks."):
        number, rest = name.removeprefix("stack.blocks.").split(".", 1)
        ours = next(part for part in IN_BLOCK if rest.startswith(part))
        return f"bert.encoder.layer.{number}.{IN_BLOCK[ours]}{rest[len(ours) :]}"
    for ours, theirs in NAMES.items():
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return f"bert.{name}"  # only models of our own type have others


def fill(model, tensors, source, copy=True):
    """Copy tensors by their published names into a model, each name and shape checked first.

    ``copy=False`` only checks.
    """
    own = {published(model, name): (name, tensor) for name, tensor in model.state_dict().items()}
    table = "bert.embeddings.word_embeddings.weight"
    if hasattr(model, "output") and hasattr(model.output, "decoder") and table in tensors:
        if model.output.decoder.weight is model.encoder.embeddings.word.weight:
            tensors["cls.predictions.decoder.weight"] = tensors[table]
    wrong = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
        for name, (_, tensor) in own.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    faults = {
        "missing": [name for name in own if name not in tensors],
        "unexpected": [name for name in tensors if name not in own],
        "of another shape": wrong,
    }
    if any(faults.values()):
        found = "; ".join(f"{fault}: {_some(names)}" for fault, names in faults.items() if names)
        raise ValueError(f"the tensors of {source} do not fit {type(model).__name__}: {found}")
    if copy:
        model.load_state_dict({ours: tensors[name] for name, (ours, _) in own.items()})


def _encoder(path, config, tensors):
    """A function that makes a `BERT` of the right size, with the tokenizer that lies beside."""
    pooler = any(name.startswith("bert.pooler.") for name in tensors)
    settings, tokenizer = to_config(config, _config_file(path)), _tokenizer(path)
    return lambda: BERT(settings, tokenizer, pooler=pooler)


def _filled(make, tensors, path, config):
    """The model that ``make`` gives with these tensors, in eval mode."""

    def check(model):
        fill(model, tensors, path, copy=False)

    layers = config.get("num_hidden_layers", 0)
    model = built(make, check, _config_file(path), layers, tensors)
    fill(model, tensors, path)
    return model.eval()


def _config_file(path):
    return path / (google.CONFIG if google.is_here(path) else CONFIG)


def _tokenizer(path):
    """The `WordPiece` of ``vocab.txt``, or None without one."""
    if not (path / VOCAB).is_file():
        return None
    from minibert.text import WordPiece

    settings = read_json(path / TOKENIZER) if (path / TOKENIZER).is_file() else {}
    unsaid = google.lowercase(path) if google.is_here(path) else True
    lowercase = settings.get("do_lower_case", unsaid) if isinstance(settings, dict) else None
    if not isinstance(lowercase, bool):
        raise ValueError(f"expected do_lower_case to be true or false in {path / TOKENIZER}")
    return WordPiece.load(path / VOCAB, lowercase=lowercase)
