"""A folder in Hugging Face's layout: its configuration, and its tensors from one file or many.

The tensors are in ``model.safetensors`` or, in older folders, in ``pytorch_model.bin``. A large
model is cut into several such files; ``model.safetensors.index.json`` says which tensor is in which
one. A pickle is read with ``weights_only=True``: nothing in it is executed.
"""

import re
from collections.abc import Callable
from pathlib import Path

import torch

from minibert.storage.checkpoint import CONFIG, WEIGHTS, unpack
from minibert.storage.safe_files import read_json
from minibert.storage.torch_files import read_tensors

Tensors = dict[str, torch.Tensor]
PICKLE, INDEX = "pytorch_model.bin", ".index.json"
FILES = (WEIGHTS, WEIGHTS + INDEX, PICKLE, PICKLE + INDEX)  # of the tensors, the best first
WRAPPERS = ("module", "_orig_mod")  # what DataParallel and torch.compile put into names
# Keys of a config.json that change nothing in what a model computes: notes, what is kept and given
# back, and how text was generated (written into every config.json until 2024).
NOTES = frozenset(
    """architectures model_type _name_or_path name_or_path transformers_version _commit_hash
    torch_dtype dtype use_bfloat16 tf_legacy_loss tokenizer_class use_cache output_past
    output_attentions output_hidden_states return_dict torchscript gradient_checkpointing
    _attn_implementation attn_implementation _attn_implementation_autoset chunk_size_feed_forward
    xla_device prefix bos_token_id eos_token_id sep_token_id decoder_start_token_id
    max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty
    temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size
    encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores
    return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values
    exponential_decay_length_penalty suppress_tokens begin_suppress_tokens minibert""".split()
)
# Keys that describe a head and what it is for; the encoder does not need them.
TASK = frozenset(
    """id2label label2id num_labels _num_labels problem_type classifier_dropout finetuning_task
    task_specific_params summary_type summary_use_proj summary_activation summary_proj_to_labels
    summary_first_dropout""".split()
)
ACTIVATIONS = {  # theirs -> ours; the first name of ours is the one written
    "gelu": "gelu",
    "relu": "relu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_python": "gelu",
}
ALWAYS = {  # keys that may have one value only
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "pruned_heads": ({}, None),
}


def read_files(path: str | Path) -> tuple[dict, Tensors]:
    """(config as a dict, tensors by name) of a folder in Hugging Face's layout.

    Raises FileNotFoundError naming what is missing; ValueError for a damaged file, and for an index
    that does not fit its files or names one outside of the folder.
    """
    path = Path(path)
    weights = next((path / name for name in FILES if (path / name).is_file()), None)
    missing = [] if (path / CONFIG).is_file() else [CONFIG]
    missing += [] if weights else [f"{WEIGHTS} or {PICKLE}"]
    if missing or weights is None:
        raise FileNotFoundError(f"{path} has no {' and no '.join(missing)}")
    config = read_json(path / CONFIG)
    if not isinstance(config, dict):
        raise ValueError(f"expected an object in {path / CONFIG}, got {type(config).__name__}")
    return config, _sharded(weights) if weights.name.endswith(INDEX) else _read(weights)


def flag(config: dict, name: str, usual: bool | None, source: object) -> bool | None:
    """A setting that is true or false, or ``usual``; ValueError where it is something else."""
    value = config.get(name, usual)
    if not isinstance(value, bool) and value is not usual:
        raise ValueError(f"expected {name} to be true or false in {source}")
    return value


def activation(name: object, field: str, source: object) -> str:
    """Our name of an activation; ValueError, naming the ``field``, for one that is not known."""
    if name not in tuple(ACTIVATIONS):
        expected = ", ".join(ACTIVATIONS)
        raise ValueError(f"expected {field} to be one of {expected} in {source}, got {name!r}")
    return ACTIVATIONS[name]


def shards(index: str | Path) -> dict[str, set[str]]:
    """The files that an index names, each with its tensors' names; ValueError for a damaged one."""
    found: dict[str, set[str]] = {}
    told = read_json(index)
    table = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(table, dict) or not table:
        raise ValueError(f"expected a weight_map, tensor to file, in {index}")
    ending = Path(str(index).removesuffix(INDEX)).suffix
    for name, file in table.items():
        if not isinstance(file, str) or set(file) & set("/\\:\0") or not file.endswith(ending):
            expected = f"expected the plain name of a {ending} file in the same folder"
            raise ValueError(f"{index} puts {name!r:.60} into {file!r:.60}: {expected}")
        found.setdefault(file, set()).add(name)
    return found


def _sharded(index):
    """All tensors of the files that an index names."""
    files, tensors = shards(index), {}
    if missing := sorted(file for file in files if not (index.parent / file).is_file()):
        names = ", ".join(missing[:8])
        raise FileNotFoundError(f"{index.parent} has no {names}, which {index.name} names")
    for file, names in sorted(files.items()):
        found = _read(index.parent / file)
        if odd := names.symmetric_difference(found):
            differ = f"differ in {', '.join(sorted(odd)[:3])}: they do not belong together"
            raise ValueError(f"{index.name} and {index.parent / file} {differ}")
        tensors |= found
    return tensors


def _read(weights):
    """The tensors of one file, in float32 where they are floating-point numbers."""
    if weights.suffix == Path(WEIGHTS).suffix:
        try:
            tensors = unpack(weights.read_bytes())
        except ValueError as error:
            raise ValueError(f"{weights} is damaged: {error}") from error
    else:
        tensors = read_tensors(weights)
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}


def renamed(tensors: Tensors, change: Callable[[str], str], source: object) -> Tensors:
    """The tensors by other names: no `WRAPPERS`, then ``change``; ValueError for a name twice."""
    names: dict[str, str] = {}  # new -> old
    for name in tensors:
        parts = [part for part in name.split(".") if part not in WRAPPERS]
        short = change(re.sub(r"^(model\.)+", "", ".".join(parts)))
        if short in names:
            raise ValueError(f"{source} has the tensor {short} twice: {names[short]}, {name}")
        names[short] = name
    return {short: tensors[name] for short, name in names.items()}


def labels_in(config: dict, count: int, source: object) -> int | list[str]:
    """The names in ``id2label``, or how many labels there are where it says nothing."""
    told = config.get("id2label")
    if told is None:
        return count
    places = [str(i) for i in range(count)]
    if not isinstance(told, dict) or sorted(told) != sorted(places):
        raise ValueError(f"expected id2label for {count} labels in {source}, got {told!r:.60}")
    names = [told[place] for place in places]
    return count if names == [f"LABEL_{i}" for i in range(count)] else names


def label_keys(labels: int | list[str], problem: str | None = None) -> dict:
    """What a configuration says of labels: `labels_in` and `problem_in` read it."""
    names = labels if isinstance(labels, list) else [f"LABEL_{i}" for i in range(labels)]
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
        "problem_type": problem,
    }


def problem_in(config: dict, count: int) -> str:
    """The ``problem_type``; one label without a word is a number, as transformers has it."""
    usual = "regression" if count == 1 else "single_label_classification"
    return config.get("problem_type") or usual


def dropout_in(config: dict, names: tuple[str, ...], usual: float, source: object) -> float:
    """The first dropout of these names that is given, or the usual one."""
    found = next((config[name] for name in names if config.get(name) is not None), usual)
    if type(found) not in (int, float) or not 0 <= found < 1:
        raise ValueError(f"expected a {names[0]} below 1 in {source}, got {found!r:.60}")
    return found


def own_keys(config: dict, kinds: dict[str, type], source: object) -> dict:
    """What only minibert has, by name; ValueError for another name or kind than in ``kinds``."""
    own = config.get("minibert", {})
    if not isinstance(own, dict) or not all(
        type(v) is kinds.get(k) or type(v) is int and kinds.get(k) is float for k, v in own.items()
    ):
        expected = " and ".join(kinds) or "nothing"
        raise ValueError(f"expected 'minibert' to hold {expected} in {source}, got {own!r:.60}")
    return own


def drop_table(tensors: Tensors, name: str, expected: Callable, source: object) -> None:
    """Take out a table that says nothing new; ValueError where it is not ``expected(tensor)``."""
    if (tensor := tensors.pop(name, None)) is None:
        return
    wanted = expected(tensor)
    if wanted.shape != tensor.shape or not torch.equal(wanted.to(tensor.dtype), tensor):
        raise ValueError(f"{source} has an unusual {name}, which minibert cannot follow")


def settle_output(tensors: Tensors, word: str, tied: bool, source: object) -> Tensors:
    """The tensors without a second copy of the table ``word`` as ``lm_head.weight``.

    Raises ValueError where the file says twice what does not agree, or lacks an output of its own.
    """
    if not tied and "lm_head.weight" not in tensors:
        raise ValueError(
            f"{source} has no lm_head.weight, although its config.json says that the output layer "
            "is not tied to the word vectors; set tie_word_embeddings to true if it is"
        )
    if tied and (output := tensors.pop("lm_head.weight", None)) is not None:
        check_tied(tensors.setdefault(word, output), output, source)
    return tensors


def check_tied(table: torch.Tensor, output: torch.Tensor, source: object) -> None:
    """Refuse an output layer unlike the word vectors that it should share."""
    if table.shape != output.shape or not torch.equal(table, output):
        raise ValueError(
            f"{source} has an output layer unlike its word vectors, although its config.json says "
            "that they are tied; set tie_word_embeddings to false if the layer has its own"
        )
