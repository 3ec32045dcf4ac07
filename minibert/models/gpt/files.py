"""GPT and GPT-2 in Hugging Face's layout, both ways.

A folder has ``config.json``, the tensors (see `minibert.storage.layout`), and ``vocab.json`` with
``merges.txt``, or ``tokenizer.json``, if the model has a tokenizer. Names of tensors, theirs left::

    transformer.wte.weight    or tokens_embed.weight          embeddings.word.weight
    transformer.wpe.weight    or positions_embed.weight       embeddings.position.weight
    transformer.h.0.attn.c_attn.weight  (dim, 3 * dim)        stack.blocks.0.attention.query.weight,
                                                              key.weight, value.weight, transposed
    transformer.h.0.mlp.c_fc.weight     (dim, hidden)         stack.blocks.0.ffn.inner.weight
    transformer.ln_f.weight             (GPT-2 only)          stack.norm.weight
    lm_head.weight                      (where it is untied)  output.weight

A GPT in the form of Llama has the layout of `minibert.models.gpt.llama`.
``transformer.`` is absent in a file of the encoder alone. GPT-2 may scale scores otherwise
(``scale_attn_weights``, ``scale_attn_by_inverse_layer_idx``): such factors go into the query.
"""

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minibert.data.published import located
from minibert.models.gpt import llama, llama_gguf, openai
from minibert.models.gpt.model import GPT, GPTConfig
from minibert.storage import layout
from minibert.storage.checked import check_known, config_from, filled
from minibert.storage.checkpoint import save_folder
from minibert.storage.hub import find_or_fetch
from minibert.storage.safe_files import remove
from minibert.text.bpe import MERGES, VOCAB
from minibert.text.tokenizer_files import JSON, OTHERS

if TYPE_CHECKING:
    from minibert.text.bpe import BPE

FILES = VOCAB, MERGES, JSON, *OTHERS  # beside configuration and weights
FIELDS = {  # of config.json -> of GPTConfig
    "vocab_size": "vocab_size", "n_embd": "dim", "n_layer": "layers", "n_head": "heads",
    "n_positions": "max_length", "resid_pdrop": "dropout", "attn_pdrop": "attention_dropout",
    "layer_norm_epsilon": "norm_eps", "initializer_range": "init_std",
    "tie_word_embeddings": "tied", "pad_token_id": "pad_id",
}  # fmt: skip
ALIASES = {  # names that transformers takes too
    "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
}  # fmt: skip
SCALES = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}  # as GPT has them
# In float32, which all tensors are read in, reordering and upcasting change nothing.
IGNORED = layout.NOTES | layout.TASK | {"n_ctx", "n_special", "predict_special_tokens"}
IGNORED |= {"is_decoder", "reorder_and_upcast_attn"}
TOPS = ("score.", "classifier.", "qa_outputs.", "multiple_choice_head.")  # heads on an encoder
KINDS = {  # model_type -> norm, names of the embeddings, name of the activation's field
    "openai-gpt": ("post", "tokens_embed", "positions_embed", "afn"),
    "gpt2": ("pre", "wte", "wpe", "activation_function"),
}
IN_BLOCK = {  # ours -> theirs; linear layers are stored the other way round
    "attention.output": "attn.c_proj", "attention_norm": "ln_1", "ffn_norm": "ln_2",
    "ffn.inner": "mlp.c_fc", "ffn.outer": "mlp.c_proj",
}  # fmt: skip
PARTS = ("attention.query", "attention.key", "attention.value")  # of attn.c_attn, in this order


def load(source: Path | str) -> GPT:
    """A `minibert.GPT` from a folder, a bundled name or a hub id; in eval mode.

    The folder may be OpenAI's own, too (see `minibert.models.gpt.openai`), or hold one GGUF file
    (see `minibert.models.gpt.llama_gguf`). Heads in the file are left out. Raises FileNotFoundError
    for a missing file; ValueError for tensors that are missing, unknown or of another shape, and
    for a configuration that this class cannot follow.
    """
    return model_of(*read(source))


def read(source: Path | str) -> tuple[Path, dict[str, Any], dict[str, Tensor]]:
    """(folder, config as a dict, tensors as they are called there) of what `load` reads."""
    path = find_or_fetch(located(source, "GPT"), FILES)
    if llama_gguf.is_here(path):
        return path, *llama_gguf.read(path)
    return path, *(openai.read if openai.is_here(path) else layout.read_files)(path)


def model_of(path: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> GPT:
    """The `GPT` of what `read` gives, in eval mode."""
    settings, words, count = to_config(config, path), tokenizer(path), len(tensors)
    if settings.layers > count:
        raise ValueError(f"{path} says {settings.layers:,} layers, and has {count:,} tensors")
    ours = from_published(tensors, settings, config, path)
    return filled(lambda: GPT(settings, words), ours, path, keep=bool(settings.later))


def save(model: GPT, folder: Path | str) -> None:
    """Write a folder that `load` reads, and transformers' GPT or GPT-2 too."""
    save_folder(folder, to_published(model.config), published(model))
    save_tokenizer(model, folder)


def save_tokenizer(model: GPT, folder: Path | str) -> None:
    """Write the tokenizer, or take away that of a model which stood there before."""
    if model.tokenizer is not None:
        model.tokenizer.save(folder)
    else:
        remove(folder, FILES)


def to_config(config: dict[str, Any], source: Path | str = "config.json") -> GPTConfig:
    """A `GPTConfig` from a published one. Raises ValueError for what this class cannot follow."""
    kind = config.get("model_type", "gpt2")
    if kind == llama.TYPE:
        return llama.to_config(config, source)
    if kind not in tuple(KINDS):
        expected = " or ".join(map(repr, (*KINDS, llama.TYPE)))
        raise ValueError(f"expected a model of type {expected} in {source}, got {kind!r}")
    norm, *_, field = KINDS[kind]
    scales = {} if kind == "gpt2" else {name: (usual,) for name, usual in SCALES.items()}
    taken = (*FIELDS, *ALIASES, field, "n_inner", "embd_pdrop", *(SCALES if not scales else ()))
    check_known(config, source, taken=taken, fixed=layout.ALWAYS | scales, ignored=IGNORED)
    for alias, theirs in ALIASES.items():
        if alias in config and config.setdefault(theirs, config[alias]) != config[alias]:
            raise ValueError(f"{source} has {alias} and another {theirs}, which are the same")
    given = {ours: config[theirs] for theirs, ours in FIELDS.items() if theirs in config}
    # GPT's own "gelu" is the tanh approximation; only there does the name mean that.
    name = config.get(field, "gelu_new")
    name = "gelu_new" if kind == "openai-gpt" and name == "gelu" else name
    given |= {"norm": norm, "activation": layout.activation(name, field, source)}
    for theirs, usual in SCALES.items():
        layout.flag(config, theirs, usual, source)
    embedded = config.get("embd_pdrop", 0.1)
    if embedded != given.get("dropout", 0.1):
        given["embedding_dropout"] = embedded
    config_from(GPTConfig, given, source)  # before it is reckoned with
    given["hidden"] = config.get("n_inner") or 4 * given.get("dim", 768)
    return config_from(GPTConfig, given, source)


def to_published(config: GPTConfig) -> dict[str, Any]:
    """The published form of a `GPTConfig`, as a dict. Raises ValueError where there is none."""
    if config.later:
        return llama.to_published(config)
    if config.position != "learned":
        raise ValueError(f"GPT's layout has learned positions only, got {config.position!r}")
    kind = "openai-gpt" if config.norm == "post" else "gpt2"
    found = {theirs: getattr(config, ours) for theirs, ours in FIELDS.items()}
    activation = {"gelu_tanh": "gelu_new"}.get(config.activation, config.activation)
    if kind == "openai-gpt":
        if config.hidden != 4 * config.dim or config.activation == "gelu":
            raise ValueError(
                "GPT's layout has hidden = 4 * dim and not the exact GELU, got "
                f"hidden={config.hidden}, dim={config.dim}, activation={config.activation!r}"
            )
        activation = {"gelu_new": "gelu"}.get(activation, activation)
    else:
        found["n_inner"] = config.hidden
    name = {"openai-gpt": "OpenAIGPTLMHeadModel", "gpt2": "GPT2LMHeadModel"}[kind]
    embedded = config.dropout if config.embedding_dropout is None else config.embedding_dropout
    extra = {"embd_pdrop": embedded, "architectures": [name], "n_ctx": config.max_length}
    return {**found, **extra, KINDS[kind][-1]: activation, "model_type": kind}


def from_published(
    tensors: dict[str, Tensor], settings: GPTConfig, config: dict[str, Any], source: Path | str
) -> dict[str, Tensor]:
    """Published tensors by our names; ValueError where what the file says twice does not agree."""
    if settings.later:
        return llama.from_published(tensors, settings, source)
    names = _names(settings)
    tensors, factors = _settled(tensors, settings, source), _query_factors(config, settings)
    found = {}
    for theirs in [name for name in tensors if name in names]:
        ours, turned = names[theirs]
        tensor = tensors.pop(theirs)
        turned = turned and tensor.dim() <= 2  # what is no matrix stays to be refused
        found[ours] = tensor.t().contiguous() if turned else tensor
    for i, kind in product(range(settings.layers), ("weight", "bias")):
        packed = tensors.get(f"h.{i}.attn.c_attn.{kind}")
        if packed is not None and packed.dim() in (1, 2) and packed.shape[-1] % 3 == 0:
            del tensors[f"h.{i}.attn.c_attn.{kind}"]
            for ours, part in zip(PARTS, packed.chunk(3, -1), strict=True):
                part = part * factors[i] if ours == "attention.query" else part
                found[f"stack.blocks.{i}.{ours}.{kind}"] = part.t().contiguous()
    return {**found, **tensors}


def _names(config):
    """Their name -> (ours, whether it is turned) of each tensor, but for the packed ones."""
    _, word, position, _ = next(kind for kind in KINDS.values() if kind[0] == config.norm)
    found = {f"{word}.weight": "embeddings.word.weight", "lm_head.weight": "output.weight"}
    found[f"{position}.weight"] = "embeddings.position.weight"
    found |= {f"ln_f.{kind}": f"stack.norm.{kind}" for kind in ("weight", "bias")}
    found = {theirs: (ours, False) for theirs, ours in found.items()}
    for i, (ours, theirs) in product(range(config.layers), IN_BLOCK.items()):
        for kind in ("weight", "bias"):
            turned = kind == "weight" and "ln_" not in theirs
            found[f"h.{i}.{theirs}.{kind}"] = f"stack.blocks.{i}.{ours}.{kind}", turned
    return found


def _settled(tensors, settings, source):
    """The tensors without prefix, heads and masks, and with what they say twice checked."""
    tensors = layout.renamed(tensors, lambda name: name.removeprefix("transformer."), source)
    tensors = {name: t for name, t in tensors.items() if not name.startswith(TOPS)}
    _drop_masks(tensors, settings, source)
    _, word, *_ = next(kind for kind in KINDS.values() if kind[0] == settings.norm)
    return layout.settle_output(tensors, f"{word}.weight", settings.tied, source)


def _drop_masks(tensors, settings, source):
    """Take out causal masks and numbers of positions, which are no parameters, each checked."""

    def triangle(tensor):
        return torch.ones(tensor.shape).tril() if tensor.dim() > 1 else tensor.new_ones(0)

    def numbers(tensor):
        return torch.arange(tensor.numel()).view(tensor.shape)

    layout.drop_table(tensors, "position_ids", numbers, source)
    for i in range(settings.layers):
        layout.drop_table(tensors, f"h.{i}.attn.bias", triangle, source)
        hidden = tensors.pop(f"h.{i}.attn.masked_bias", None)  # what masked scores are set to
        if hidden is not None and (hidden.numel() != 1 or hidden.item() > -1e4):
            raise ValueError(f"{source} has an unusual h.{i}.attn.masked_bias: {hidden}"[:200])


def _query_factors(config, settings):
    """What each layer's query is multiplied by, so that scores divided by the root are theirs."""
    whole = config.get("scale_attn_weights", True)
    factor = 1.0 if whole else math.sqrt(settings.dim // settings.heads)
    inverse = config.get("scale_attn_by_inverse_layer_idx", False)
    return [factor / (i + 1 if inverse else 1) for i in range(settings.layers)]


def published(model: GPT) -> dict[str, Tensor]:
    """The published tensors of a `GPT`, by name."""
    if model.config.later:
        return llama.published(model)
    own, found = model.state_dict(), {}
    for theirs, (ours, turned) in _names(model.config).items():
        if ours in own:  # GPT-2 alone has a last norm, an untied model alone its own output
            found[theirs] = own[ours].t().contiguous() if turned else own[ours]
    for i, kind in product(range(model.config.layers), ("weight", "bias")):
        parts = [own[f"stack.blocks.{i}.{ours}.{kind}"].t() for ours in PARTS]
        found[f"h.{i}.attn.c_attn.{kind}"] = torch.cat(parts, -1).contiguous()
    return {n if n == "lm_head.weight" else f"transformer.{n}": t for n, t in found.items()}


def tokenizer(path: Path) -> "BPE | None":
    """The `BPE` of ``tokenizer.json``, or of ``vocab.json`` and ``merges.txt``; or OpenAI's."""
    from minibert.text import BPE

    path = Path(path)
    if llama_gguf.is_here(path):
        return llama_gguf.tokenizer(path)
    if theirs := openai.tokenizer_files(path):
        return BPE.load(*theirs)
    missing = [name for name in (VOCAB, MERGES) if not (path / name).is_file()]
    if missing and not (path / JSON).is_file():
        if len(missing) == 1:
            raise FileNotFoundError(f"{path} has half a tokenizer: there is no {missing[0]}")
        return None
    return BPE.load(path)
