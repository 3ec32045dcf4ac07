"""Heads in files: every head on every encoder, in one kind of folder.

What Hugging Face's transformers has (a `minibert.BERT` or a `minibert.GPT` with one of its heads)
stands in its layout, see `minibert.models.bert.files` and `minibert.models.gpt.head_files`.
Everything else is a folder with

- ``head.json``: the class of the head, the other arguments of its constructor, and below
  ``inside`` the same of what it stands on: a `LayerMix`, a `Table`, a model such as `minibert.GPT`;
- ``head.safetensors``: all tensors but those of that model;
- ``vocab.tsv``: the words of a table;
- ``encoder``: the model's own folder.

Classes are looked up in `PARTS` and `MODELS` only.
"""

import inspect
import json
from pathlib import Path

from torch import nn

from minibert import heads
from minibert.data.published import located
from minibert.heads.context_encoder import ContextEncoder
from minibert.heads.head import plain
from minibert.heads.reading import innermost
from minibert.heads.vector_classifiers import Table
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
from minibert.storage.safe_files import read_json, write
from minibert.text.vocab import Vocab

HEAD, TENSORS, VOCAB, ENCODER = "head.json", "head.safetensors", "vocab.tsv", "encoder"
MODELS = {cls.__name__: cls for cls in (BERT, LeftToRight, GPT, AWDLSTM, ELMo)}
HEADS = """SequenceClassifier TokenClassifier SpanExtractor MaskedLM NextSentence Pretraining
CausalLM DoubleHeads LastToken Similarity MultipleChoice PoolingClassifier CNNClassifier
RNNClassifier Tagger PairClassifier""".split()
# what a folder may describe: a class of `minibert.heads`, and its argument for what is inside
PARTS = {"LayerMix": "model", "Live": "model", "Table": None, "ContextEncoder": "contextual"}
PARTS |= dict.fromkeys(HEADS, "encoder")


def save(head: nn.Module, folder: str | Path) -> None:
    """Write a head with its encoder; the classifiers of an `Ensemble` into folders 0, 1, 2, ..."""
    folder = Path(folder)
    if isinstance(head, heads.Ensemble):
        for number, one in enumerate(head.classifiers):
            one.save_pretrained(folder / str(number))
        return _write({"class": "Ensemble", "classifiers": len(head.classifiers)}, folder)
    _check_unchanged(head)
    if type(head) is heads.CausalLM and type(head.encoder) is AWDLSTM:
        head.encoder.save_pretrained(folder)
        return (folder / HEAD).unlink(missing_ok=True)
    for layout in (bert, gpt_heads):
        if layout.holds(head):
            layout.save(head, folder)
            return (folder / HEAD).unlink(missing_ok=True)
    told, model = _described(head), _model(head)
    if model is not None:
        model.save_pretrained(folder / ENCODER)
    below = _below(head, model)
    if "tied" in told["settings"]:
        told["settings"] = {**told["settings"], "tied": "output.decoder.weight" in below}
    own = {name: t for name, t in head.state_dict().items() if name not in below}
    write(folder / TENSORS, pack(own))
    (folder / VOCAB).unlink(missing_ok=True)
    for table in _tables(head):
        if table.vocab is not None:
            table.vocab.save(folder / VOCAB)
    _write(told, folder)


def _check_unchanged(head):
    """Refuse a head with attributes that are no longer those that it was made with."""
    for name, value in head.settings.items():
        now = plain(vars(head).get(name, value))
        if type(now) is type(value) and now != value:
            raise ValueError(
                f"this {type(head).__name__} was made with {name}={value!r:.60}, and has "
                f"{now!r:.60} now; make one with that, so that its folder says so"
            )


def load(source: str | Path, cls: type | None = None) -> nn.Module:
    """The head that a folder holds, of the class ``cls`` if one is given; in eval mode.

    source: what `save` wrote; or a folder, a name or a hub id of a published BERT or GPT with a
    head or, for a `CausalLM`, of an AWD-LSTM. Raises FileNotFoundError for a missing file;
    ValueError where the folder holds another head, or names, settings or tensors that do not belong
    there.
    """
    path = Path(source)
    if not (path / HEAD).is_file():
        return _published(source, cls)
    told = read_json(path / HEAD)
    name = told.get("class") if isinstance(told, dict) else None
    wanted = [*HEADS, "Ensemble"] if cls is None else [cls.__name__]
    if name not in wanted:
        raise ValueError(
            f"expected a {' or '.join(wanted)} in {path / HEAD}, got the class {name!r:.60}"
        )
    if name == "Ensemble":
        return _ensemble(told, path)
    kind = _checked(told, path / HEAD)
    model = None if kind is None else MODELS[kind].from_pretrained(path / ENCODER)
    tensors = unpack((path / TENSORS).read_bytes())
    head = filled(
        lambda: _made(told, model),
        tensors,
        path / HEAD,
        own=lambda head, found: found | _below(head, model),
    )
    for table in _tables(head) if (path / VOCAB).is_file() else ():
        table.vocab, rows = Vocab.load(path / VOCAB), table.embedding.num_embeddings
        if len(table.vocab) != rows:
            raise ValueError(f"{path} has {len(table.vocab)} words and vectors for {rows}")
    return head


def _published(source, cls):
    """A head in the layout of its model; its class is told by ``architectures``, if not given."""
    path = find_or_fetch(located(source, "BERT"), (*bert.FILES, gpt.VOCAB, gpt.MERGES))
    openai, described = gpt.openai.is_here(path), (path / CONFIG).is_file()
    told = read_json(path / CONFIG) if described else {}
    told = told if isinstance(told, dict) else {}
    fastai = not described and not openai
    if cls is heads.CausalLM and (fastai or "weight_dropout" in told):
        return cls(AWDLSTM.from_pretrained(path)).eval()
    is_gpt = openai or told.get("model_type") in tuple(gpt.KINDS)
    known = (gpt_heads if is_gpt else bert).HEADS
    if cls is None:
        name = (told.get("architectures") or [None])[0]
        kinds = [ours for ours in known if ours in HEADS and str(name).endswith(known[ours][0])]
        if not kinds:
            raise ValueError(
                f"{path} holds no head that predicts: expected {HEAD}, or its class as "
                f"`architectures` in {CONFIG}, got {name!r:.60}"
            )
        cls = getattr(heads, kinds[0])
    if cls.__name__ not in known:
        raise FileNotFoundError(f"{path} holds no {cls.__name__}: it has no {HEAD}")
    return gpt_heads.load(cls, *gpt.read(path)) if is_gpt else bert.load_head(cls, path)


def _model(head):
    """The model inside that has a folder of its own, or None."""
    found = innermost(getattr(head.encoder, "contextual", None) or head.encoder)
    return found if type(found) in MODELS.values() else None


def _below(head, model):
    """The tensors of a head that are its model's, by name, tied ones among them."""
    inside = set() if model is None else {id(t) for t in model.state_dict(keep_vars=True).values()}
    return {n: t for n, t in head.state_dict(keep_vars=True).items() if id(t) in inside}


def _tables(head):
    return [part for part in head.modules() if type(part) in (Table, ContextEncoder)]


def _described(part):
    """A part as JSON: its class and settings, and what is inside it."""
    name = type(part).__name__
    if MODELS.get(name) is type(part):
        return {"class": name}
    if name not in PARTS or getattr(heads, name) is not type(part):
        known = ", ".join([*MODELS, *PARTS])
        raise ValueError(f"a {name} cannot be saved with a head; what can is one of {known}")
    told = {"class": name, "settings": part.settings}
    inside = PARTS[name] and getattr(part, PARTS[name])
    return told if inside is None else {**told, "inside": _described(inside)}


def _checked(told, source):
    """The name of the model at the bottom, or None; ValueError for what `_made` cannot follow."""
    name = told.get("class") if isinstance(told, dict) else None
    if name in [*MODELS] and set(told) == {"class"}:
        return name
    if name not in [*PARTS] or not isinstance(told.get("settings"), dict):
        raise ValueError(f"{source} describes no part of a head: {told!r:.80}")
    if odd := sorted(set(told) - {"class", "settings", "inside"}):
        raise ValueError(f"{source} has the key {odd[0]!r:.60}, which minibert does not know")
    parameters = inspect.signature(getattr(heads, name)).parameters
    for key, value in told["settings"].items():
        if key not in parameters or not _alike(value, parameters[key].default):
            raise ValueError(f"{source} has a {name} with {key[:60]}={value!r:.60}")
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
    below = {PARTS[told["class"]]: _made(told["inside"], model)} if "inside" in told else {}
    return getattr(heads, told["class"])(**told["settings"], **below)


def _ensemble(told, path):
    count = told.get("classifiers")
    if type(count) is not int or count < 1 or set(told) != {"class", "classifiers"}:
        raise ValueError(f"expected a number of classifiers in {path / HEAD}, got {told!r:.80}")
    numbers = range(count) if (path / str(count - 1)).is_dir() else [count - 1]
    return heads.Ensemble([load(path / str(number)) for number in numbers]).eval()


def _write(told, folder):
    write(folder / HEAD, json.dumps(told, indent=2).encode() + b"\n")
