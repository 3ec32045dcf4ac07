"""ELMo in AllenNLP's layout: options.json and weights.hdf5, and beside them what they leave out.

The HDF5 file has the character network, the LSTMs of both directions, and no softmax. Its arrays
are TensorFlow's: matrices (in, out), the gates of an LSTM in the order i, g, f, o, input and
recurrent weights in one matrix, and a forget bias that is one lower than what is used. `save` puts
the softmax (or a table of words) into ``softmax.safetensors``, the vocabulary into ``vocab.tsv``.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch

from minibert.models.elmo.model import ELMo, ELMoConfig
from minibert.storage import layout
from minibert.storage.bundled import find
from minibert.storage.checked import config_from, filled
from minibert.storage.checkpoint import pack, unpack
from minibert.storage.known_keys import check_known
from minibert.storage.safe_files import atomic, read_json, write
from minibert.text.characters import ALPHABET, LENGTH
from minibert.text.vocab import Vocab

OPTIONS, WEIGHTS = "options.json", "weights.hdf5"
SOFTMAX, VOCAB = "softmax.safetensors", "vocab.tsv"
CELL = "RNN_{}/RNN/MultiRNNCell/Cell{}/LSTMCell"
EXTRA = ("input", "dropout", "softmax", "negatives")  # of the config, under "minibert" in the file
# What options.json may hold beside what is read: how the published models were trained.
TRAINED = """all_clip_norm_val batch_size n_epochs n_gpus n_train_tokens n_tokens_vocab
unroll_steps n_negative_samples_batch sample_softmax""".split()
TOP = {"bidirectional": (True,), "share_embedding_softmax": (False,)}
FIELDS = {  # of options.json -> of ELMoConfig
    "lstm": {
        "dim": "dim",
        "projection_dim": "projection",
        "n_layers": "layers",
        "use_skip_connections": "skip",
        "cell_clip": "cell_clip",
        "proj_clip": "proj_clip",
    },
    "char_cnn": {
        "filters": "filters",
        "n_highway": "highway",
        "activation": "activation",
        "max_characters_per_token": "max_characters",
    },
}
UNSAID = {"use_skip_connections": False, "cell_clip": None, "proj_clip": None}
UNSAID |= {"max_characters_per_token": LENGTH}
DEEPEST = 20  # groups in each other
MOST_UNPACKED, RATIO = 1 << 24, 20  # bytes; how many times its size a file's arrays may be


def load(source):
    """A `minibert.ELMo` from a folder, or from the name of a bundled checkpoint; in eval mode.

    The folder holds one ``*options.json`` and one ``*weights.hdf5``, as published. Raises
    FileNotFoundError naming what is missing, and ValueError naming what does not fit: an option, or
    the tensors that are missing, left over, or of another shape.
    """
    folder = find(source)
    options, weights = _one(folder, OPTIONS), _one(folder, WEIGHTS)
    vocab = Vocab.load(folder / VOCAB) if (folder / VOCAB).is_file() else None
    try:
        config = config_of(read_json(options), 0 if vocab is None else len(vocab))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{options} does not describe an ELMo: {error!r}") from error
    arrays = _read(weights)
    if (folder / SOFTMAX).is_file():
        try:
            softmax = unpack((folder / SOFTMAX).read_bytes())
        except ValueError as error:
            raise ValueError(f"{folder / SOFTMAX} is damaged: {error}") from error
        arrays |= {name: tensor.float().numpy() for name, tensor in softmax.items()}
    layers = max(config.layers, config.highway, len(config.filters))
    own = partial(_ready, source=folder)
    return filled(lambda: ELMo(config, vocab), arrays, options, layers, own=own)


def save(model, folder):
    """Write a model as `load` reads it; the numbers keep their precision."""
    import h5py

    folder, arrays = Path(folder), {}
    for name, (key, to_file, _) in names(model).items():
        array = model.state_dict()[name].detach().cpu().numpy()
        arrays.setdefault(key, []).append(to_file(array))
    whole = {  # of several tensors in one array, first the input's rows, then the recurrent ones
        key: np.concatenate(parts) if len(parts) > 1 else parts[0] for key, parts in arrays.items()
    }
    extra = [key for key in whole if key.startswith("minibert")]
    with atomic(folder / WEIGHTS) as file, h5py.File(file, "w") as stored:
        for key, array in whole.items():
            if key not in extra:
                stored[key] = array
    if extra:
        write(folder / SOFTMAX, pack({key: torch.from_numpy(whole[key].copy()) for key in extra}))
    if model.vocab is not None:
        model.vocab.save(folder / VOCAB)
    options = json.dumps(options_of(model.config), indent=2)
    write(folder / OPTIONS, options.encode() + b"\n")


def config_of(options, vocab_size=0):
    """The `ELMoConfig` of a published options.json, a dict. Raises KeyError for what is missing."""
    lstm, cnn, own = options["lstm"], options["char_cnn"], options.get("minibert", {})
    taken = (*FIELDS, "minibert", "dropout")
    check_known(options, OPTIONS, taken=taken, fixed=TOP, ignored=TRAINED)
    check_known(lstm, f"lstm in {OPTIONS}", taken=FIELDS["lstm"])
    taken = (*FIELDS["char_cnn"], "n_characters", "embedding")
    check_known(cnn, f"char_cnn in {OPTIONS}", taken=taken)
    check_known(cnn["embedding"], f"embedding in {OPTIONS}", taken=("dim",))
    check_known(own, f"minibert in {OPTIONS}", taken=EXTRA)
    layout.flag(lstm, "use_skip_connections", False, OPTIONS)
    if cnn["n_characters"] not in (ALPHABET - 1, ALPHABET):
        raise ValueError(f"expected {ALPHABET} characters, got {cnn['n_characters']}")
    given = {"vocab_size": vocab_size, "char_dim": cnn["embedding"]["dim"]}
    for part, fields in FIELDS.items():
        told = UNSAID | options[part]
        given |= {ours: told[theirs] for theirs, ours in fields.items()}
    given |= {clip: given[clip] or None for clip in ("cell_clip", "proj_clip")}
    given |= {"dropout": options["dropout"]} if "dropout" in options else {}
    given |= {name: own[name] for name in EXTRA if name in own}
    return config_from(ELMoConfig, given, OPTIONS)


def options_of(config):
    """The options.json of a config, as a dict; `EXTRA` stands under "minibert"."""
    found = {
        part: {theirs: getattr(config, ours) for theirs, ours in fields.items()}
        for part, fields in FIELDS.items()
    }
    found["char_cnn"] |= {"embedding": {"dim": config.char_dim}, "n_characters": ALPHABET}
    return {**found, "minibert": {name: getattr(config, name) for name in EXTRA}}


def names(model):
    """Name in our state_dict -> (name in the file, ours to the file's, the file's to ours).

    Several of our tensors may share one of the file's; `save` puts them together, `_part` cuts it.
    """
    table = {}
    for name in model.state_dict():
        first, *rest = name.split(".")
        if first == "output" or name == "encoder.weight":
            table[name] = (f"minibert.{name}", _same, _same)
        elif first == "encoder":
            table[name] = _of_characters(rest)
        else:
            direction = ("forward_layers", "backward_layers").index(first)
            table[name] = _of_lstm(CELL.format(direction, rest[0]), rest[1:])
    return table


def _of_characters(rest):
    kind, *_ = rest
    if kind == "embedding":  # row 0, "no symbol", is not in the file
        return "char_embed", lambda a: a[1:], lambda a: np.concatenate([0 * a[:1], a])
    if kind == "convolutions":
        if rest[2] == "bias":
            return f"CNN/b_cnn_{rest[1]}", _same, _same
        # ours (filters, char_dim, width), theirs (1, width, char_dim, filters)
        return f"CNN/W_cnn_{rest[1]}", lambda a: a.T[None], lambda a: a[0].T
    if kind == "highway":  # what TensorFlow's file calls the carry gate lets the transform through
        part = {"transform": "transform", "gate": "carry"}[rest[2]]
        letter = {"weight": "W", "bias": "b"}[rest[3]]
        return f"CNN_high_{rest[1]}/{letter}_{part}", np.transpose, np.transpose
    letter = {"weight": "W", "bias": "b"}[rest[1]]
    return f"CNN_proj/{letter}_proj", np.transpose, np.transpose


def _of_lstm(cell, rest):
    if rest == ["projection", "weight"]:
        return f"{cell}/W_P_0", np.transpose, np.transpose
    if rest == ["input", "bias"]:
        return f"{cell}/B", _bias_to_file, _bias_from_file
    return f"{cell}/W_0", lambda a: _swapped(a).T, lambda a: _swapped(a.T)


def _part(name, array, width):
    """The rows of W_0 that a tensor of ours is: first the input's, then the recurrent ones."""
    if name.endswith(".input.weight"):
        return array[:width]
    return array[width:] if name.endswith(".recurrent.weight") else array


def _same(array):
    return array


def _swapped(array):
    """Gates i, f, g, o <-> i, g, f, o along the first dimension."""
    i, second, third, o = np.split(array, 4)
    return np.concatenate([i, third, second, o])


def _bias_to_file(bias):
    """In double precision, so that adding the one again gives the very same number."""
    i, f, g, o = np.split(bias.astype(np.float64), 4)
    return np.concatenate([i, g, f - 1, o])


def _bias_from_file(bias):
    i, g, f, o = np.split(bias, 4)
    return np.concatenate([i, f + 1, g, o])


def _one(folder, ending):
    """The file of a folder with this ending; published names have more before it."""
    found = sorted(Path(folder).glob(f"*{ending}")) if Path(folder).is_dir() else []
    if len(found) != 1:
        told = f"{len(found)} of them" if found else "none"
        raise FileNotFoundError(f"expected a folder with one file *{ending}; {folder} has {told}")
    return found[0]


def _read(path):
    """Every array of an HDF5 file by its full name.

    Numbers that stand in this file, and no more of them than it can hold.
    """
    import h5py

    found, left = {}, max(MOST_UNPACKED, RATIO * path.stat().st_size)

    def visit(name, item):
        if name.count("/") > DEEPEST:  # each one takes longer to find than the one before
            raise ValueError(f"{name[:60]}... lies too deep")
        if isinstance(item, h5py.Dataset):
            found[name] = item

    try:
        with h5py.File(path, "r") as stored:
            stored.visititems(visit)
            for name, item in found.items():
                if item.dtype.kind != "f" or item.shape is None:
                    raise ValueError(f"{name} holds no floating-point numbers")
                if item.external or item.is_virtual:
                    raise ValueError(f"{name} lies in another file")
                left -= item.size * item.dtype.itemsize
                if left < 0:
                    raise ValueError(f"its arrays are more than {RATIO} times its size")
            return {name: item[...] for name, item in found.items()}
    except Exception as error:  # whatever a damaged file leads the library to
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no whole HDF5 file of ELMo: {reason}") from error


def _ready(model, arrays, source):
    """Tensors by our names from the file's arrays; ValueError where one does not fit the model."""
    own, known = model.state_dict(), names(model)
    faults, ready, width = [], {}, model.config.projection
    for name, (key, _, from_file) in known.items():
        if key not in arrays:
            faults.append(f"{key} is missing")
            continue
        try:
            array = from_file(_part(name, arrays[key], width))
        except (ValueError, IndexError):  # it cannot be cut as it should
            array = arrays[key]
        if array.shape != tuple(own[name].shape):
            faults.append(
                f"{key} is {arrays[key].shape} and does not give {tuple(own[name].shape)}"
            )
        ready[name] = torch.from_numpy(np.array(array, np.float32))
    left = sorted(set(arrays) - {key for key, *_ in known.values()})
    faults += [f"{key} belongs to nothing" for key in left]
    if faults:
        shown = "; ".join(faults[:8]) + (f"; and {len(faults) - 8} more" if len(faults) > 8 else "")
        raise ValueError(f"the weights in {source} do not fit its options: {shown}")
    return ready
