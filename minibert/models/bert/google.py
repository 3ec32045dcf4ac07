"""BERT as Google released it: google-research/bert, read without TensorFlow.

A folder has ``bert_config.json``, ``vocab.txt``, and the checkpoint ``bert_model.ckpt`` in two
files. Names, theirs on the left, and what they become (see `minibert.models.bert.files`)::

    bert/embeddings/word_embeddings                    bert.embeddings.word_embeddings.weight
    bert/encoder/layer_0/attention/self/query/kernel   ... .layer.0.attention.self.query.weight
    bert/encoder/layer_0/output/LayerNorm/gamma        ... .layer.0.output.LayerNorm.weight
    cls/predictions/output_bias                        cls.predictions.bias
    cls/seq_relationship/output_weights                cls.seq_relationship.weight

A kernel is (in, out) and is turned. What Google's scripts fine-tune is read as well: a classifier
(``output_weights``), answers' spans (``cls/squad``). The activation "gelu" is the exact one.
"""

from pathlib import Path

from minibert.storage import authors
from minibert.storage.safe_files import read_json

CONFIG, CHECKPOINT, VOCAB = "bert_config.json", "bert_model.ckpt", "vocab.txt"
TABLES = "word_embeddings", "position_embeddings", "token_type_embeddings"
DENSE = [f"attention/self/{part}" for part in ("query", "key", "value")]
DENSE += ["attention/output/dense", "intermediate/dense", "output/dense"]
NORMS = "attention/output/LayerNorm", "output/LayerNorm"
TRANSFORM = "cls/predictions/transform"
HEADS = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
}
ENDS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}


def is_here(folder: str | Path) -> bool:
    """Whether a folder is one of Google's, by its files' names, and not Hugging Face's as well."""
    folder = Path(folder)
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def read(folder: str | Path) -> tuple[dict, dict]:
    """(config, tensors by their names in Hugging Face's layout) of Google's folder, without Adam's.

    Raises FileNotFoundError; ValueError for damage, and for missing or unknown variables, by name.
    """
    config, bundle, found = _found(folder)
    tensors = authors.tensors(found, bundle, folder)
    turned = {ours for name, ours in found.items() if name.endswith("/kernel")}
    return config, {n: t.t().contiguous() if n in turned else t for n, t in tensors.items()}


def lowercase(folder: str | Path) -> bool:
    """Whether the vocabulary is an uncased one, which no file says.

    It is when no entry has a capital letter: the published uncased vocabularies were learned from
    text in lower case. Entries in brackets, such as ``[CLS]`` and ``<S>``, do not count.
    """
    text = (Path(folder) / VOCAB).read_bytes().decode(errors="replace")
    words = (line for line in text.splitlines() if line[:1] + line[-1:] not in ("[]", "<>"))
    return all(word == word.lower() for word in words)


def _found(folder):
    """(config, the checkpoint, the published names of its variables)."""
    folder = Path(folder)
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise ValueError(f"expected an object in {folder / CONFIG}, got {type(config).__name__}")
    layers = authors.size(config, "num_hidden_layers", folder / CONFIG)
    bundle = authors.bundle(folder, CHECKPOINT, layers)
    encoder = dict(_encoder(layers))
    above = "bert/pooler/dense", f"{TRANSFORM}/dense", f"{TRANSFORM}/LayerNorm"
    wanted = {**encoder, **HEADS, **dict(pair for part in above for pair in _pair(part))}
    return config, bundle, authors.places(bundle.shapes, wanted, folder, required=encoder)


def _encoder(layers):
    """(their name, Hugging Face's) of each variable below the pooler."""
    for name in TABLES:
        yield f"bert/embeddings/{name}", f"bert.embeddings.{name}.weight"
    yield from _pair("bert/embeddings/LayerNorm")
    for i in range(layers):
        for part in (*DENSE, *NORMS):
            yield from _pair(f"bert/encoder/layer_{i}/{part}")


def _pair(part):
    """The two variables of a dense layer or a norm."""
    ends = ("gamma", "beta") if part.endswith("LayerNorm") else ("kernel", "bias")
    published = part.replace("layer_", "layer.").replace("/", ".")
    return [(f"{part}/{end}", f"{published}.{ENDS[end]}") for end in ends]
