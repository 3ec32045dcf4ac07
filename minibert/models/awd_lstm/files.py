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

Nothing of a file is executed: tensors are read with ``weights_only=True``, and of the words' pickle
only the instructions that make a list and strings are followed.
"""

import pickletools
import re
from collections import Counter
from pathlib import Path

import torch

from minibert.models.awd_lstm.model import AWDLSTM, AWDLSTMConfig
from minibert.storage.bundled import find
from minibert.storage.checked import config_from, filled
from minibert.storage.checkpoint import load_folder, save_folder
from minibert.storage.torch_files import read_tensors
from minibert.text.vocab import PAD, UNK, Vocab

VOCAB = "vocab.tsv"
TENSORS, WORDS = (".pth", ".h5", ".pt"), ".pkl"
RENAMED = {"xxunk": UNK, "_unk_": UNK, "xxpad": PAD, "_pad_": PAD}
STARTS = ("xxbos", "xbos")  # what stands before a text
STRINGS = """UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING
SHORT_BINSTRING""".split()
MOST_TEXT = 20  # times the size of the pickle: all words together
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
    return filled(lambda: AWDLSTM(config, vocab), mapped, weights, config.layers)


def convert(tensors, source="the file"):
    """fastai's tensors by our names. Raises ValueError naming those unknown, missing, or twice.

    The word vectors that stand there again must be the same.
    """
    mapped, copies, unknown, twice = {}, {}, [], []
    plain = {"0.encoder.weight": "embedding.weight", "1.decoder.bias": "decoder.bias"}
    plain["1.decoder.weight"] = "decoder.weight"
    for name, tensor in tensors.items():
        layer = _LAYER.fullmatch(name)
        if layer:
            ours = f"layers.{layer[1]}.{layer[2]}"
            dropped = layer[2] == "weight_hh" and not layer[3]  # what stands for the raw one
            table = copies if dropped else mapped
            twice += [name] if ours in table else []
            table[ours] = tensor.float()
        elif name in plain:
            mapped[plain[name]] = tensor.float()
        elif name not in _AGAIN:
            unknown.append(name)
        elif not _same(tensor, tensors.get("0.encoder.weight")):
            twice.append(name)
    mapped = {**copies, **mapped}
    if unknown:
        raise ValueError(f"{source} has tensors that no AWD-LSTM has: {', '.join(unknown[:5])}")
    if "embedding.weight" not in mapped:
        raise ValueError(f"{source} has no tensor 0.encoder.weight: it is no AWD-LSTM of fastai")
    if twice:
        raise ValueError(f"{source} has two different tensors for one: {', '.join(twice[:5])}")
    mapped.setdefault("decoder.weight", mapped["embedding.weight"])
    mapped.setdefault("decoder.bias", torch.zeros(len(mapped["embedding.weight"])))
    return mapped


def _same(tensor, other):
    return other is not None and tensor.shape == other.shape and torch.equal(tensor, other)


def config_of(mapped, direction="forward", start_id=0):
    """The `AWDLSTMConfig` that the shapes of the tensors tell."""
    recurrent = [name for name in mapped if name.endswith(".weight_hh")]
    if not recurrent:
        raise ValueError("expected the recurrent matrix of at least one layer, got none")
    shapes = [mapped["embedding.weight"].shape, *(mapped[name].shape for name in recurrent)]
    if any(len(shape) != 2 for shape in shapes):
        raise ValueError(f"expected matrices of words and of recurrent weights, got {shapes}")
    words, dim = mapped["embedding.weight"].shape
    tied = torch.equal(mapped["embedding.weight"], mapped["decoder.weight"])
    width = mapped.get("layers.0.weight_hh", mapped[recurrent[0]]).shape[1]
    return AWDLSTMConfig(
        words, dim, width, len(recurrent), tied=tied, direction=direction, start_id=start_id
    )


def read_itos(path):
    """The words of a pickled list of strings; ValueError for a pickle of anything else."""
    data = Path(path).read_bytes()
    try:
        words = _list_of_strings(data)
    except Exception as error:  # whatever a damaged file leads the reader of instructions to
        raise ValueError(f"{path} is no pickled list of words: {error}") from None
    if type(words) is not list or not words or not all(type(word) is str for word in words):
        raise ValueError(f"expected a list of strings in {path}, got {type(words).__name__}")
    if sum(map(len, words)) > MOST_TEXT * len(data):
        raise ValueError(f"{path} repeats its words to {MOST_TEXT} times its size and more")
    return words


def _list_of_strings(data):
    """What a pickle of lists and strings makes, its instructions followed one by one.

    Python's own reader would set aside as much memory as a number in the file says.
    """
    stack, memo, mark = [], {}, object()
    for code, value, place in pickletools.genops(data):
        name = code.name
        if (name == "PROTO" and value > 5) or (name == "FRAME" and place + 9 + value > len(data)):
            raise ValueError(f"it says {name} {value}, which it cannot be")
        if name in STRINGS:
            stack.append(value)
        elif name in ("EMPTY_LIST", "MARK"):
            stack.append([] if name == "EMPTY_LIST" else mark)
        elif name in ("LIST", "APPENDS"):
            start = len(stack) - 1 - stack[::-1].index(mark)
            items = stack[start + 1 :]
            del stack[start:]
            stack.append(items) if name == "LIST" else stack[-1].extend(items)
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else value] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[value])
        elif name not in ("PROTO", "FRAME", "STOP"):
            named = value or ".".join(map(str, stack[-2:]))  # a class or a function, as a rule
            what = f"for {named.replace(' ', '.')[:60]}" if "GLOBAL" in name else f"to {name}"
            raise ValueError(f"it asks {what}, which a list of words does not need")
    if len(stack) != 1 or any(type(word) is not str for word in stack[0]):
        raise ValueError("it makes something else")
    return stack[0]


def _load_folder(path):
    config, tensors = load_folder(path)
    config = config_from(AWDLSTMConfig, config, path)
    vocab = Vocab.load(path / VOCAB) if (path / VOCAB).is_file() else None
    return filled(lambda: AWDLSTM(config, vocab), tensors, path, config.layers)


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
