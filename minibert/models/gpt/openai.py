"""GPT and GPT-2 as OpenAI released them, read without TensorFlow.

GPT (openai/finetune-transformer-lm, the folder ``model``): ``params_shapes.json`` has the shapes of
all arrays, positions first, and ``params_0.npy`` to ``params_9.npy`` their numbers in one row. The
number of heads stands in no file: there is one for every 64 numbers of width.

GPT-2 (openai/gpt-2): ``hparams.json`` and the checkpoint ``model.ckpt`` (see
`minibert.storage.tensor_bundle`). Names, theirs on the left (see `minibert.models.gpt.files`)::

    model/wte                    wte.weight
    model/h0/attn/c_attn/w       h.0.attn.c_attn.weight, without the first dimension, which is 1
    model/h0/ln_1/g              h.0.ln_1.weight
"""

import math
from itertools import accumulate
from pathlib import Path

import numpy as np

from minibert.storage import authors
from minibert.storage.safe_files import read_json

SHAPES, NUMBERS, FILES = "params_shapes.json", "params_{}.npy", 10
HPARAMS, CHECKPOINT = "hparams.json", "model.ckpt"
TOKENIZERS = ("encoder_bpe_40000.json", "vocab_40000.bpe"), ("encoder.json", "vocab.bpe")
HEAD = 64  # numbers of width for each of GPT's heads
FIELDS = {"n_vocab": "vocab_size", "n_ctx": "n_positions"}  # of hparams.json -> of config.json
FIELDS |= {name: name for name in ("n_embd", "n_head", "n_layer")}
IN_BLOCK = [  # the order of GPT's arrays, layer by layer
    *("attn/c_attn/w", "attn/c_attn/b", "attn/c_proj/w", "attn/c_proj/b", "ln_1/g", "ln_1/b"),
    *("mlp/c_fc/w", "mlp/c_fc/b", "mlp/c_proj/w", "mlp/c_proj/b", "ln_2/g", "ln_2/b"),
]
ENDS = {"w": "weight", "b": "bias", "g": "weight"}


def is_here(folder: str | Path) -> bool:
    """Whether a folder is one of OpenAI's, by its files' names, and not Hugging Face's as well."""
    here = [(Path(folder) / name).is_file() for name in ("config.json", SHAPES, HPARAMS)]
    return not here[0] and any(here)


def read(folder: str | Path) -> tuple[dict, dict]:
    """(config, tensors by their names in Hugging Face's layout) of OpenAI's folder, without Adam's.

    Raises FileNotFoundError; ValueError for damage, and for missing or unknown variables, by name.
    """
    config, arrays, found = _found(folder)
    return config, {
        name: tensor[0] if tensor.dim() == 3 and len(tensor) == 1 else tensor
        for name, tensor in authors.tensors(found, arrays, folder).items()
    }


def tokenizer_files(folder: str | Path) -> tuple[Path, Path] | None:
    """The two files of the tokenizer, where both are there; None otherwise."""
    pairs = [(Path(folder) / first, Path(folder) / second) for first, second in TOKENIZERS]
    return next((pair for pair in pairs if all(path.is_file() for path in pair)), None)


def _found(folder):
    """(config, arrays by name, the published names of these)."""
    folder = Path(folder)
    return _gpt(folder) if (folder / SHAPES).is_file() else _gpt2(folder)


def _gpt2(folder):
    given = read_json(folder / HPARAMS)
    if not isinstance(given, dict) or (unknown := sorted(set(given) - set(FIELDS))):
        told = f"the unknown {unknown[0]!r:.60}" if isinstance(given, dict) else "no object"
        raise ValueError(f"expected {', '.join(FIELDS)} in {folder / HPARAMS}, got {told}")
    sizes = {ours: authors.size(given, name, folder / HPARAMS) for name, ours in FIELDS.items()}
    bundle = authors.bundle(folder, CHECKPOINT, sizes["n_layer"])
    wanted = {"model/wpe": "wpe.weight", "model/wte": "wte.weight"}
    wanted |= {"model/ln_f/g": "ln_f.weight", "model/ln_f/b": "ln_f.bias"}
    wanted |= dict(_blocks(sizes["n_layer"]))
    config = {"model_type": "gpt2", "activation_function": "gelu_new", **sizes}
    return config, bundle, authors.places(bundle.shapes, wanted, folder, required=wanted)


def _gpt(folder):
    source = folder / SHAPES
    shapes = read_json(source)
    if not _are_shapes(shapes) or len(shapes) < 2 or (len(shapes) - 2) % len(IN_BLOCK):
        wanted = f"the shapes of positions and words, and of {len(IN_BLOCK)} arrays for each layer"
        raise ValueError(f"expected in {source} {wanted}")
    layers = (len(shapes) - 2) // len(IN_BLOCK)
    wanted = {"positions": "positions_embed.weight", "words": "tokens_embed.weight"}
    wanted |= dict(_blocks(layers))
    shapes = dict(zip(wanted, map(tuple, shapes), strict=True))
    if len(shapes["words"]) != 2 or len(shapes["positions"]) != 2:
        raise ValueError(f"expected two tables first in {source}")
    vocab_size, width = shapes["words"]
    if width % HEAD and width > HEAD:
        told = f"a width that is a multiple of {HEAD} in {source}, one head for each"
        raise ValueError(f"expected {told}, got {width}")
    sizes = {"vocab_size": vocab_size, "n_positions": shapes["positions"][0], "n_embd": width}
    sizes |= {"n_layer": layers, "n_head": max(1, width // HEAD)}
    config = {"model_type": "openai-gpt", "afn": "gelu", **sizes}
    return config, _arrays(folder, shapes), authors.places(shapes, wanted, folder, required=wanted)


def _are_shapes(shapes):
    return isinstance(shapes, list) and all(
        isinstance(shape, list) and shape and all(type(n) is int and n > 0 for n in shape)
        for shape in shapes
    )


def _blocks(layers):
    """(their name, Hugging Face's) of each array of the blocks, in the order of GPT's files."""
    for i in range(layers):
        for part in IN_BLOCK:
            name, end = part.rsplit("/", 1)
            yield f"model/h{i}/{part}", f"h.{i}.{name.replace('/', '.')}.{ENDS[end]}"


def _arrays(folder, shapes):
    """GPT's arrays by name, cut out of the row of numbers that its ten files make."""
    files = [folder / NUMBERS.format(i) for i in range(FILES)]
    if missing := [path.name for path in files if not path.is_file()]:
        raise FileNotFoundError(f"{folder} has no {' and no '.join(missing)}")
    parts, ends = [_part(path) for path in files], [*accumulate(map(math.prod, shapes.values()))]
    if (have := sum(map(len, parts))) != ends[-1]:
        told = f"{have:,} numbers in {files[0].name} to {files[-1].name}"
        raise ValueError(f"{folder} has {told}; its shapes take {ends[-1]:,}")
    cut = zip(shapes.items(), np.split(np.concatenate(parts), ends[:-1]), strict=True)
    return {name: array.reshape(shape) for (name, shape), array in cut}


def _part(path):
    """The numbers of one file, mapped into memory."""
    try:
        part = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever a damaged file leads NumPy to
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is no whole array of NumPy's: {reason}") from error
    if not isinstance(part, np.ndarray) or part.ndim != 1 or part.dtype.kind != "f":
        raise ValueError(f"expected a row of floating-point numbers in {path}")
    return part
