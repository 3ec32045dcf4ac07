"""Heads in files: every head on every encoder, in one kind of folder.

What Hugging Face's transformers has (a `minibert.BERT` or a `minibert.GPT` with one of its heads)
stands in its layout, see `minibert.models.bert.files` and `minibert.models.gpt.head_files`.
Everything else is a folder with

- ``head.json``: the class of the head, the other arguments of its constructor, and below
  ``inside`` the same of what it stands on: a `LayerMix`, a `Table`, a model such as `minibert.GPT`;
- ``head.safetensors``: all tensors but those of that model;
- ``vocab.tsv``: the words of a table;
- ``encoder``: the model's own folder.

Classes are looked up in `PARTS` and `MODELS` only; nothing is imported by a name in a file.
"""

import inspect
import json
from pathlib import Path

from torch import nn

from minibert.data.published import located
from minibert.heads import causal, classify, language, last_token, pair, pooling, spans, tagger
from minibert.heads import vector_classifiers as vectors
from minibert.heads.context_encoder import ContextEncoder, Live
from minibert.heads.features import LayerMix
from minibert.heads.head import Head
from minibert.heads.reading import innermost
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.bert import files as bert
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.bert.model import BERT
from minibert.models.elmo.model import ELMo
from minibert.models.gpt import files as gpt
from minibert.models.gpt import head_files as gpt_heads
from minibert.models.gpt.model import GPT
from minibert.storage.checked import filled
from minibert.storage.checkpoint import CONFIG, pack, unpack
from minibert.storage.hub import find_or_fetch
from minibert.storage.safe_files import atomic, read_json
from minibert.text.vocab import Vocab

HEAD, TENSORS, VOCAB, ENCODER = "head.json", "head.safetensors", "vocab.tsv", "encoder"
MODELS = {cls.__name__: cls for cls in (BERT, LeftToRight, GPT, AWDLSTM, ELMo)}
HEADS = {
    cls.__name__: cls
    for cls in (
        classify.SequenceClassifier,
        classify.TokenClassifier,
        causal.CausalLM,
        causal.DoubleHeads,
        language.MaskedLM,
        language.NextSentence,
        language.Pretraining,
        last_token.LastToken,
        last_token.Similarity,
        last_token.MultipleChoice,
        spans.SpanExtractor,
        vectors.CNNClassifier,
        vectors.RNNClassifier,
        pooling.PoolingClassifier,
        tagger.Tagger,
        pair.PairClassifier,
    )
}
# what a folder may describe: class, and the argument (and attribute) that holds what is inside
PARTS = {name: (cls, "encoder") for name, cls in HEADS.items()}
PARTS |= {"LayerMix": (LayerMix, "model"), "Live": (Live, "model"), "Table": (vectors.Table, None)}
PARTS["ContextEncoder"] = (ContextEncoder, "contextual")
ENSEMBLE = pooling.Ensemble.__name__


def save(head: Head, folder: str | Path) -> None:
    """Write a head with its encoder. Raises ValueError for what no folder can hold."""
    folder = Path(folder)
    theirs = next((layout for layout in (bert, gpt_heads) if layout.holds(head)), None)
    if theirs is not None:
        theirs.save(head, folder)
        (folder / HEAD).unlink(missing_ok=True)
        return
    told, model = _described(head), _model(head)
    if model is not None:
        model.save_pretrained(folder / ENCODER)
    with atomic(folder / TENSORS) as file:
        file.write(pack(_tensors(head, model)[0]))
    (folder / VOCAB).unlink(missing_ok=True)
    vocab = next((part.vocab for part in head.modules() if _has_words(part)), None)
    if vocab is not None:
        vocab.save(folder / VOCAB)
    _write(told, folder)


def save_ensemble(ensemble: nn.Module, folder: str | Path) -> None:
    """Write the classifiers of an `Ensemble` into folders that are called 0, 1, 2, ..."""
    for number, head in enumerate(ensemble.classifiers):
        head.save_pretrained(Path(folder) / str(number))
    _write({"class": ENSEMBLE, "classifiers": len(ensemble.classifiers)}, Path(folder))


def load(source: str | Path, cls: type | None = None) -> nn.Module:
    """The head that a folder holds, of the class ``cls`` if one is given; in eval mode.

    source: what `save` wrote, or a folder, a name or a hub id of a published BERT or GPT with a
    head.
    Raises FileNotFoundError for a missing file; ValueError where the folder holds another head, or
    names, settings or tensors that do not belong there.
    """
    path = Path(source)
    if not (path / HEAD).is_file():
        return _published(source, cls)
    told = read_json(path / HEAD)
    name = told.get("class") if isinstance(told, dict) else None
    wanted = name if cls is None else cls.__name__
    if name == ENSEMBLE == wanted:
        return _ensemble(told, path)
    if name != wanted or not isinstance(name, str) or name not in HEADS:
        expected = f"a {wanted}" if cls else f"one of {', '.join([*HEADS, ENSEMBLE])}"
        raise ValueError(f"expected {expected} in {path / HEAD}, got the class {name!r:.60}")
    kind = _checked(told, path / HEAD)
    model = None if kind is None else MODELS[kind].from_pretrained(path / ENCODER)
    vocab = Vocab.load(path / VOCAB) if (path / VOCAB).is_file() else None
    tensors = unpack((path / TENSORS).read_bytes())

    def own(head, tensors):
        theirs, rest = _tensors(head, model)
        return {n: t for n, t in tensors.items() if n in theirs or n not in rest} | rest

    head = filled(lambda: _made(told, model), tensors, path / HEAD, own=own)
    for part in head.modules():
        if _has_words(part):
            part.vocab = _fitting(vocab, part, path)
    return head


def _published(source, cls):
    """A head in Hugging Face's layout; its class is told by ``architectures``, if not given."""
    path = find_or_fetch(located(source, "BERT"), (*bert.FILES, gpt.VOCAB, gpt.MERGES))
    told = read_json(path / CONFIG) if (path / CONFIG).is_file() else {}
    told = told if isinstance(told, dict) else {}
    is_gpt = told.get("model_type") in tuple(gpt.KINDS) or gpt.openai.is_here(path)
    known = (gpt_heads if is_gpt else bert).HEADS
    if cls is None:
        name = (told.get("architectures") or [None])[0]
        kinds = (ours for ours in known if ours in HEADS and str(name).endswith(known[ours][0]))
        cls = HEADS.get(next(kinds, None))
        if cls is None:
            raise ValueError(f"{path} holds no head: it has no {HEAD}, and is a {name!r:.60}")
    if cls.__name__ not in known:
        raise FileNotFoundError(f"{path} holds no {cls.__name__}: it has no {HEAD}")
    return gpt_heads.load(cls, *gpt.read(path)) if is_gpt else bert.load_head(cls, path)


def _model(head):
    """The model inside that has a folder of its own, or None."""
    found = innermost(getattr(head.encoder, "contextual", None) or head.encoder)
    return found if type(found) in MODELS.values() else None


def _described(part):
    """A part as JSON: its class and settings, and what is inside it."""
    name = type(part).__name__
    if MODELS.get(name) is type(part):
        return {"class": name}
    cls, inside = PARTS.get(name, (None, None))
    if cls is not type(part):
        raise ValueError(
            f"a {name} cannot be saved with a head; what can is one of "
            f"{', '.join([*MODELS, *PARTS])}"
        )
    told, below = {"class": name, "settings": part.settings}, inside and getattr(part, inside)
    return told if below is None else {**told, "inside": _described(below)}


def _checked(told, source):
    """The name of the model at the bottom, or None; ValueError for what `_made` cannot follow."""
    known = isinstance(told, dict) and isinstance(told.get("class"), str)
    if known and told["class"] in MODELS and set(told) == {"class"}:
        return told["class"]
    if not known or told["class"] not in PARTS or not isinstance(told.get("settings"), dict):
        raise ValueError(f"{source} describes no part of a head: {told!r:.80}")
    if odd := sorted(set(told) - {"class", "settings", "inside"}):
        raise ValueError(f"{source} has the key {odd[0]!r:.60}, which minibert does not know")
    parameters = inspect.signature(PARTS[told["class"]][0]).parameters
    for name, value in told["settings"].items():
        default = parameters[name].default if name in parameters else None
        if name not in parameters and "options" not in parameters or not _alike(value, default):
            raise ValueError(f"{source} has a {told['class']} with {name[:60]}={value!r:.60}")
    return _checked(told["inside"], source) if "inside" in told else None


def _alike(value, default):
    """Whether a value may stand for an argument with this default."""
    if default is None or default is inspect.Parameter.empty:
        return True
    if isinstance(default, tuple):
        return isinstance(value, list) and all(_alike(one, default[0]) for one in value)
    return type(value) is type(default) or (type(default) is float and type(value) is int)


def _made(told, model):
    """The part that is described, on the model at its bottom."""
    if told["class"] in MODELS:
        return model
    cls, inside = PARTS[told["class"]]
    below = {inside: _made(told["inside"], model)} if "inside" in told else {}
    return cls(**told["settings"], **below)


def _tensors(head, model):
    """(the tensors of a head by name, those of the model in it), tied ones among the latter."""
    inside = set() if model is None else {id(t) for t in model.state_dict(keep_vars=True).values()}
    own, rest = {}, {}
    for name, tensor in head.state_dict(keep_vars=True).items():
        (rest if id(tensor) in inside else own)[name] = tensor
    return own, rest


def _has_words(part):
    return type(part) in (vectors.Table, ContextEncoder)


def _fitting(vocab, part, path):
    rows = part.embedding.num_embeddings
    if vocab is not None and len(vocab) != rows:
        raise ValueError(f"{path} has {len(vocab)} words and vectors for {rows}")
    return vocab


def _ensemble(told, path):
    count = told.get("classifiers")
    if type(count) is not int or count < 1 or set(told) != {"class", "classifiers"}:
        raise ValueError(f"expected a number of classifiers in {path / HEAD}, got {told!r:.80}")
    numbers = range(count) if (path / str(count - 1)).is_dir() else [count - 1]
    return pooling.Ensemble([load(path / str(number)) for number in numbers]).eval()


def _write(told, folder):
    with atomic(folder / HEAD) as file:
        file.write(json.dumps(told, indent=2).encode() + b"\n")
