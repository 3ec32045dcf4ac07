"""AWD-LSTM in files: this project's folders, and fastai's published language models.

fastai's models of WikiText-103 are a dict of tensors (``.pth``, in the old days also named ``.h5``)
and a pickled list of words, ``itos``. Three generations name the tensors differently::

    0.encoder.weight                    (V, dim)               word vectors
    0.encoder_with_dropout.embed.weight, 0.encoder_dp.emb.weight       the same again, left out
    0.rnns.0.module.weight_ih_l0        (4 * width, inputs)    layer 0, gates i, f, g, o
    0.rnns.0.module.weight_hh_l0_raw or 0.rnns.0.weight_hh_l0_raw      its recurrent matrix
    0.rnns.0.module.weight_hh_l0        a copy of it, dropped at random, used only where it is alone
    0.rnns.0.module.bias_ih_l0, 0.rnns.0.module.bias_hh_l0     (4 * width,)
    1.decoder.weight, 1.decoder.bias    (V, dim) tied to the word vectors, (V,); the oldest: no bias

Nothing of a file is executed: tensors are read with ``weights_only=True``, words by an unpickler
that knows lists and strings and nothing else.
"""

import pickle
import re
from collections import Counter
from pathlib import Path

import torch

from minibert.awd_lstm import AWDLSTM, AWDLSTMConfig
from minibert.checkpoint import load_folder, load_tensors, save_folder
from minibert.text.vocab import PAD, UNK, Vocab
from minibert.weights import find

VOCAB = "vocab.tsv"
TENSORS, WORDS = (".pth", ".h5", ".pt"), ".pkl"
RENAMED = {"xxunk": UNK, "_unk_": UNK, "xxpad": PAD, "_pad_": PAD}
STARTS = ("xxbos", "xbos")  # what stands before a text
_LAYER = re.compile(r"0\.rnns\.(\d+)\.(?:module\.)?(weight_ih|weight_hh|bias_ih|bias_hh)_l0(_raw)?")
_AGAIN = ("0.encoder_with_dropout.embed.weight", "0.encoder_dp.emb.weight")


def load(source):
    """A `minibert.AWDLSTM` from a folder, a bundled name, or fastai's files; in eval mode.

    source: a folder that `save` wrote, or one with a ``.pth`` and a ``.pkl`` of fastai, or the path
    of that ``.pth``. A name with "bwd" or "backward" in it means a model that reads backward.
    """
    path = find(source)
    if path.is_dir() and (path / "config.json").is_file():
        return _load_folder(path)
    return load_fastai(path)


def save(model, folder):
    """Write config.json, model.safetensors and, if the model has words, vocab.tsv."""
    save_folder(folder, model.config, model.state_dict())
    if model.vocab is not None:
        model.vocab.save(Path(folder) / VOCAB)


def load_fastai(path):
    """fastai's language model from a ``.pth`` (or the folder it is in) with its ``itos`` beside it.

    ``xxunk`` and ``xxpad`` are read as ``<unk>`` and ``<pad>``; a word that is listed twice, such
    as the filler ``xxfake``, gets a number. Raises FileNotFoundError where a file is missing;
    ValueError for tensors that are missing, unknown or of another shape, and for an ``itos`` that
    is anything but a list of strings.
    """
    weights, words = _files(Path(path))
    tensors = read_tensors(weights)
    mapped = convert(tensors, weights)
    itos = read_itos(words)
    if len(itos) != len(mapped["embedding.weight"]):
        raise ValueError(
            f"{words} has {len(itos):,} words and {weights} vectors for "
            f"{len(mapped['embedding.weight']):,}: they do not belong together"
        )
    vocab = Vocab(_unique(itos), specials=(UNK, PAD, *STARTS))
    start = next((vocab.ids[word] for word in STARTS if word in vocab), 0)
    backward = re.search("bwd|backward", weights.stem)
    config = config_of(mapped, "backward" if backward else "forward", start)
    model = AWDLSTM(config, vocab)
    load_tensors(model, mapped, weights)
    return model.eval()


def read_tensors(path):
    """The dict of tensors in a ``.pth``, taken out of ``{"model": ...}`` where it is in one.

    Raises ValueError for a file that holds anything else than tensors and plain containers.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is no file of tensors alone, it was not read: {reason}") from None
    found = found.get("model", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(map(torch.is_tensor, found.values())):
        raise ValueError(f"expected a dict of tensors in {path}, got {type(found).__name__}")
    return found


def convert(tensors, source="the file"):
    """fastai's tensors by our names. Raises ValueError naming those unknown or missing."""
    mapped, copies, unknown = {}, {}, []
    plain = {"0.encoder.weight": "embedding.weight", "1.decoder.bias": "decoder.bias"}
    plain["1.decoder.weight"] = "decoder.weight"
    for name, tensor in tensors.items():
        layer = _LAYER.fullmatch(name)
        if layer:
            ours = f"layers.{layer[1]}.{layer[2]}"
            dropped = layer[2] == "weight_hh" and not layer[3]  # what stands for the raw one
            (copies if dropped else mapped)[ours] = tensor.float()
        elif name in plain:
            mapped[plain[name]] = tensor.float()
        elif name not in _AGAIN:
            unknown.append(name)
    mapped = {**copies, **mapped}
    if unknown:
        raise ValueError(f"{source} has tensors that no AWD-LSTM has: {', '.join(unknown[:5])}")
    if "embedding.weight" not in mapped:
        raise ValueError(f"{source} has no tensor 0.encoder.weight: it is no AWD-LSTM of fastai")
    mapped.setdefault("decoder.weight", mapped["embedding.weight"])
    mapped.setdefault("decoder.bias", torch.zeros(len(mapped["embedding.weight"])))
    return mapped


def config_of(mapped, direction="forward", start_id=0):
    """The `AWDLSTMConfig` that the shapes of the tensors tell."""
    recurrent = [name for name in mapped if name.endswith(".weight_hh")]
    if not recurrent:
        raise ValueError("expected the recurrent matrix of at least one layer, got none")
    words, dim = mapped["embedding.weight"].shape
    tied = torch.equal(mapped["embedding.weight"], mapped["decoder.weight"])
    width = mapped.get("layers.0.weight_hh", mapped[recurrent[0]]).shape[1]
    return AWDLSTMConfig(
        words, dim, width, len(recurrent), tied=tied, direction=direction, start_id=start_id
    )


def read_itos(path):
    """The words of a pickled list of strings; ValueError for a pickle of anything else."""
    try:
        with open(path, "rb") as file:
            words = _Words(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise ValueError(f"{path} is no pickled list of words: {error}") from None
    except (AttributeError, TypeError, MemoryError, OverflowError) as error:  # made to mislead
        raise ValueError(f"{path} is no pickled list of words: it is damaged ({error})") from None
    if type(words) is not list or not all(type(word) is str for word in words):
        raise ValueError(f"expected a list of strings in {path}, got {type(words).__name__}")
    return words


class _Words(pickle.Unpickler):
    """Reads lists and strings; whatever names a class or a function is refused."""

    def find_class(self, module, name):
        raise ValueError(f"it asks for {module}.{name}, which a list of words does not need")


def _load_folder(path):
    config, tensors = load_folder(path)
    try:
        config = AWDLSTMConfig(**config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no AWDLSTM: {error}") from error
    vocab = Vocab.load(path / VOCAB) if (path / VOCAB).is_file() else None
    model = AWDLSTM(config, vocab)
    load_tensors(model, tensors, path)
    return model.eval()


def _files(path):
    """The file of tensors and the file of words."""
    folder = path if path.is_dir() else path.parent
    weights = (
        [path] if path.is_file() else sorted(p for p in folder.iterdir() if p.suffix in TENSORS)
    )
    words = sorted(folder.glob(f"*{WORDS}"))
    named = [p for p in words if weights and p.stem.startswith(weights[0].stem)]
    words = named if len(words) > 1 and named else words
    for found, what in ((weights, "file of tensors (.pth)"), (words, "itos (.pkl)")):
        if len(found) != 1:
            names = ", ".join(p.name for p in found) or "none"
            raise FileNotFoundError(f"expected one {what} in {folder}, got {names}")
    return weights[0], words[0]


def _unique(itos):
    """The words with ours for unknown and padding; repeated ones are numbered."""
    seen, words = Counter(), []
    for word in (RENAMED.get(word, word) for word in itos):
        seen[word] += 1
        words.append(word if seen[word] == 1 else f"{word}#{seen[word]}")
    return words
