"""Heads in files: what is saved, in which file, and how it is found again.

A folder is laid out in one of four ways.

1. As published. What Hugging Face's transformers has too, a `minibert.BERT` or a `minibert.GPT`
   with one of its heads, stands in its layout: see `minibert.models.bert.files` and
   `minibert.models.gpt.head_files`. ``architectures`` in ``config.json`` says which head it is. The
   `CausalLM` of an `AWDLSTM` has nothing of its own, so its folder is the model's.
2. Ours, for every other head. ``head.json`` describes it from the outside in: each part's class
   and settings, which are the arguments of its constructor, and below "inside" what it stands on::

       {"class": "CNNClassifier", "settings": {"labels": 2, ...}, "inside":
           {"class": "LayerMix", "settings": {"how": "concat", ...}, "inside": {"class": "GPT"}}}

   The model at the bottom has the folder ``encoder``. All other tensors are in
   ``head.safetensors``, and the words of a `Table` in ``vocab.tsv``.
3. An `Ensemble` has a ``head.json`` with their number, and its classifiers in folders 0, 1, 2, ...
4. A head on a model that rests, by `minibert.transfer.save_added`: its ``head.json``, and in
   ``added.json`` and ``added.safetensors`` what was learned. The model itself, the base, is not in
   the folder, and is found by its name.

Nothing is made before its description is checked, and a class must be in `PARTS` or `MODELS`.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from torch import Tensor, nn

from minibert import heads
from minibert.data.published import located
from minibert.heads.head import Saved, base_of, plain
from minibert.heads.reading import innermost
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.base import check_nothing_added
from minibert.models.bert import files as bert
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.bert.model import BERT
from minibert.models.elmo.model import ELMo
from minibert.models.gpt import files as gpt
from minibert.models.gpt import head_files as gpt_heads
from minibert.models.gpt.model import GPT
from minibert.storage.bundled import BUNDLED
from minibert.storage.checked import filled
from minibert.storage.checkpoint import CONFIG, pack, unpack
from minibert.storage.hub import find_or_fetch
from minibert.storage.safe_files import read_json, write
from minibert.text.vocab import Vocab

HEAD, TENSORS, VOCAB, ENCODER = "head.json", "head.safetensors", "vocab.tsv", "encoder"
ADDED = "added.json"
# what reads a folder with one stands in a room above, and is asked for by name when it is needed
LOAD_ADDED = "minibert.transfer.saved:load_head"
MODELS = {cls.__name__: cls for cls in (BERT, LeftToRight, GPT, AWDLSTM, ELMo)}
HEADS = """SequenceClassifier TokenClassifier SpanExtractor MaskedLM NextSentence Pretraining
CausalLM DoubleHeads LastToken Similarity MultipleChoice PoolingClassifier CNNClassifier
RNNClassifier Tagger PairClassifier Parser""".split()
# what may stand in head.json: a class of `minibert.heads`, and its argument for what is inside
PARTS = dict.fromkeys(HEADS, "encoder")
PARTS |= {"LayerMix": "model", "Live": "model", "ContextEncoder": "contextual", "Table": ""}


def save(head: Saved, folder: str | Path) -> None:
    """Write a head with its encoder; ValueError for what no folder can hold."""
    folder = Path(folder)
    if isinstance(head, heads.Ensemble):
        for number, one in enumerate(head.classifiers):
            one.save_pretrained(folder / str(number))
        return _write({"class": "Ensemble", "classifiers": len(head.classifiers)}, folder)
    _check_unchanged(head)
    check_nothing_added(base_of(head))
    (folder / ADDED).unlink(missing_ok=True)
    if type(head) is heads.CausalLM and type(head.encoder) is AWDLSTM:
        head.encoder.save_pretrained(folder)
    elif bert.holds(head):
        bert.save(head, folder)
    elif gpt_heads.holds(head):
        gpt_heads.save(head, folder)
    else:
        return _save_ours(head, folder)
    (folder / HEAD).unlink(missing_ok=True)


def load(source: str | Path, cls: type | None = None, base: Any = None) -> Any:
    """The head that a folder holds, of the class ``cls`` if one is given; in eval mode.

    source: what `save` wrote, or a bundled name; or a folder, a name or a hub id of a published
    BERT or GPT with a head or, for a `CausalLM`, of an AWD-LSTM. base: only for what
    `minibert.transfer.save_added` wrote, see `minibert.transfer.load_head`. Raises
    FileNotFoundError for a missing file; ValueError where the folder holds another head, or names,
    settings or tensors that do not belong there.
    """
    path = next((one for one in (Path(source), BUNDLED / source) if one.exists()), Path(source))
    added = (path / ADDED).is_file() and (path / HEAD).is_file()
    if base is not None and not added:
        raise ValueError(
            f"{source} has its own model: base is for what mb.transfer.save_added wrote"
        )
    if not (path / HEAD).is_file():
        return _load_published(source, cls)
    told = read_json(path / HEAD)
    name = told.get("class") if isinstance(told, dict) else None
    wanted = [*HEADS, "Ensemble"] if cls is None else [cls.__name__]
    if name not in wanted:
        raise ValueError(
            f"expected a {' or '.join(wanted)} in {path / HEAD}, got the class {name!r:.60}"
        )
    if added:
        return resolve_name(LOAD_ADDED)(path, base)
    return _load_ensemble(told, path) if name == "Ensemble" else _load_ours(told, path)


# 1. as published


def _load_published(source, cls):
    path = find_or_fetch(located(source, "BERT"), (*bert.FILES, gpt.VOCAB, gpt.MERGES))
    other = gpt.openai.is_here(path) or gpt.llama_gguf.is_here(path)
    described = (path / CONFIG).is_file()
    config = read_json(path / CONFIG) if described else {}
    config = config if isinstance(config, dict) else {}
    fastai = not described and not other
    if cls is heads.CausalLM and (fastai or "weight_dropout" in config):
        return cls(AWDLSTM.from_pretrained(path)).eval()
    is_gpt = other or config.get("model_type") in (*gpt.KINDS, gpt.llama.TYPE)
    known = (gpt_heads if is_gpt else bert).HEADS
    if cls is None:
        told = (config.get("architectures") or [None])[0]  # such as BertForMaskedLM
        named = (name for name in known if name in HEADS and str(told).endswith(known[name][0]))
        if (name := next(named, None)) is None:
            raise ValueError(
                f"{path} holds no head that predicts: expected {HEAD}, or its class as "
                f"`architectures` in {CONFIG}, got {told!r:.60}"
            )
        cls = getattr(heads, name)
    if cls.__name__ not in known:
        raise FileNotFoundError(f"{path} holds no {cls.__name__}: it has no {HEAD}")
    return gpt_heads.load(cls, *gpt.read(path)) if is_gpt else bert.load_head(cls, path)


# 2. ours


def _save_ours(head, folder):
    told = _described(head)
    model = innermost(getattr(head.encoder, "contextual", None) or head.encoder)
    model = model if type(model) in MODELS.values() else None
    if model is not None:
        model.save_pretrained(folder / ENCODER)
    elsewhere = _tensors_of(model, head)
    if "tied" in told["settings"]:
        told["settings"] = {**told["settings"], "tied": "output.decoder.weight" in elsewhere}
    own = {name: t for name, t in head.state_dict().items() if name not in elsewhere}
    write(folder / TENSORS, pack(own))
    (folder / VOCAB).unlink(missing_ok=True)
    if (table := _table(head)) is not None and table.vocab is not None:
        table.vocab.save(folder / VOCAB)
    _write(told, folder)


def _load_ours(told, path):
    parts, model = _checked(told, path / HEAD)
    model = model and model.from_pretrained(path / ENCODER)

    def own(head, tensors):
        return tensors | _tensors_of(model, head)

    tensors = unpack((path / TENSORS).read_bytes())
    head = filled(lambda: _made(parts, model), tensors, path / HEAD, own=own)
    table = _table(head)
    if table is not None and (path / VOCAB).is_file():
        table.vocab, rows = Vocab.load(path / VOCAB), table.embedding.num_embeddings
        if len(table.vocab) != rows:
            raise ValueError(f"{path} has {len(table.vocab)} words and vectors for {rows}")
    return head


def _described(part):
    """A part as ``head.json`` has it."""
    name = type(part).__name__
    if MODELS.get(name) is type(part):
        return {"class": name}
    if name not in PARTS or getattr(heads, name) is not type(part):
        known = ", ".join([*MODELS, *PARTS])
        raise ValueError(f"a {name} cannot be saved with a head; what can is one of {known}")
    told = {"class": name, "settings": part.settings}
    inside = getattr(part, PARTS[name], None)
    return told if inside is None else {**told, "inside": _described(inside)}


def _checked(told, source):
    """The parts, (name, settings) from the outside in, and the model's class or None."""
    parts = []
    while True:
        name = told.get("class") if isinstance(told, dict) else None
        if name in [*MODELS] and set(told) == {"class"}:
            return parts, MODELS[name]
        if name not in [*PARTS] or not isinstance(told.get("settings"), dict):
            raise ValueError(f"{source} describes no part of a head: {told!r:.80}")
        if odd := sorted(set(told) - {"class", "settings", "inside"}):
            raise ValueError(f"{source} has the key {odd[0]!r:.60}, which minibert does not know")
        parameters = inspect.signature(getattr(heads, name)).parameters
        for key, value in told["settings"].items():
            if key not in parameters or not _alike(value, parameters[key].default):
                raise ValueError(f"{source} has a {name} with {key[:60]}={value!r:.60}")
        parts.append((name, told["settings"]))
        if "inside" not in told:
            return parts, None
        told = told["inside"]


def _alike(value, default):
    """Whether a value may stand for an argument with this default."""
    if default is None or default is inspect.Parameter.empty:
        return True
    if isinstance(default, tuple):
        return isinstance(value, list) and all(_alike(one, default[0]) for one in value)
    return type(value) is type(default) or (type(default) is float and type(value) is int)


def _made(parts, made):
    """The outermost of the parts, each made on the one inside it; ``made`` is the model."""
    for name, settings in reversed(parts):
        below = {} if made is None else {PARTS[name]: made}
        made = getattr(heads, name)(**settings, **below)
    return made


def _check_unchanged(head):
    """Refuse a head with attributes that are no longer those that it was made with."""
    for name, value in head.settings.items():
        now = plain(vars(head).get(name, value))
        if type(now) is type(value) and now != value:
            raise ValueError(
                f"this {type(head).__name__} was made with {name}={value!r:.60}, and has "
                f"{now!r:.60} now; make one with that, so that its folder says so"
            )


def _tensors_of(model, head):
    """The tensors of a head that are its model's, by the head's names, tied ones among them."""
    inside = set() if model is None else {id(t) for t in model.state_dict(keep_vars=True).values()}
    return {n: t for n, t in head.state_dict(keep_vars=True).items() if id(t) in inside}


def _table(head):
    """The part that has word vectors and their vocabulary, or None."""
    kinds = (heads.Table, heads.ContextEncoder)
    return next((part for part in head.modules() if type(part) in kinds), None)


def _write(told, folder):
    write(folder / HEAD, json.dumps(told, indent=2).encode() + b"\n")


# 3. an ensemble


def _load_ensemble(told, path):
    count = told.get("classifiers")
    if type(count) is not int or count < 1 or set(told) != {"class", "classifiers"}:
        raise ValueError(f"expected a number of classifiers in {path / HEAD}, got {told!r:.80}")
    numbers = range(count) if (path / str(count - 1)).is_dir() else [count - 1]
    return heads.Ensemble([load(path / str(number)) for number in numbers]).eval()


# 4. apart from its base


def describe(head: heads.head.Head, folder: str | Path) -> None:
    """Write only what a head is, ``head.json``; ValueError for one that cannot be described."""
    _check_unchanged(head)
    _write(_described(head), Path(folder))


def base_class(folder: str | Path) -> type:
    """The class of the model that a described head stands on; raises ValueError."""
    path = Path(folder) / HEAD
    _, model = _checked(read_json(path), path)
    if model is None:
        raise ValueError(f"{path} describes a head that stands on no model")
    return model


def on_base(folder: str | Path, base: nn.Module, tensors: Mapping[str, Tensor]) -> Any:
    """The head that ``head.json`` describes, on ``base``, with its own among the ``tensors``."""
    path = Path(folder) / HEAD
    parts, model = _checked(read_json(path), path)
    parts = parts if model else parts[:-1]  # without a model, the last part is the base itself

    def own(head, given):
        names = head.state_dict().keys() & given.keys()
        return {name: given[name] for name in names} | _tensors_of(base, head)

    return filled(lambda: _made(parts, base), tensors, path, own=own)
