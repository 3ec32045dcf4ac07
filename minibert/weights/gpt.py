"""GPT and GPT-2 in Hugging Face's layout, both ways.

A folder has ``config.json``, ``model.safetensors`` (or ``pytorch_model.bin``), and ``vocab.json``
with ``merges.txt`` if the model has a tokenizer. Names of tensors, theirs on the left::

    transformer.wte.weight    or tokens_embed.weight          embeddings.word.weight
    transformer.wpe.weight    or positions_embed.weight       embeddings.position.weight
    transformer.h.0.attn.c_attn.weight  (dim, 3 * dim)        stack.blocks.0.attention.query.weight,
                                                              key.weight, value.weight, transposed
    transformer.h.0.mlp.c_fc.weight     (dim, hidden)         stack.blocks.0.ffn.inner.weight
    transformer.ln_f.weight             (GPT-2 only)          stack.norm.weight

``transformer.`` is absent in a file of the encoder alone. A pickle is read with
``weights_only=True``: nothing in it is executed.
"""

from pathlib import Path

import torch

from minibert.built import built, config_from
from minibert.checkpoint import check_tensors, load_tensors, save_folder
from minibert.gpt import GPT, GPTConfig
from minibert.text.bpe import MERGES, VOCAB
from minibert.weights import gpt_openai as openai
from minibert.weights.bert import read_files
from minibert.weights.hub import find_or_fetch

FIELDS = {  # of config.json -> of GPTConfig
    "vocab_size": "vocab_size",
    "n_embd": "dim",
    "n_layer": "layers",
    "n_head": "heads",
    "n_positions": "max_length",
    "resid_pdrop": "dropout",
    "attn_pdrop": "attention_dropout",
    "layer_norm_epsilon": "norm_eps",
    "initializer_range": "init_std",
}
KINDS = {  # model_type -> norm, names of the embeddings, name of the activation's field
    "openai-gpt": ("post", "tokens_embed", "positions_embed", "afn"),
    "gpt2": ("pre", "wte", "wpe", "activation_function"),
}
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
IN_BLOCK = {  # ours -> theirs; linear layers are stored the other way round
    "attention.output": "attn.c_proj",
    "attention_norm": "ln_1",
    "ffn.inner": "mlp.c_fc",
    "ffn.outer": "mlp.c_proj",
    "ffn_norm": "ln_2",
}
PARTS = ("attention.query", "attention.key", "attention.value")  # of attn.c_attn, in this order


def load(source):
    """A `minibert.GPT` from a folder, a bundled name or a hub id; in eval mode.

    The folder may be OpenAI's own, too (see `minibert.weights.gpt_openai`).
    Raises FileNotFoundError for a missing file; ValueError for tensors that are missing, unknown or
    of another shape, and for a configuration that this class cannot follow.
    """
    path = find_or_fetch(source, (VOCAB, MERGES))
    config, tensors = (openai.read if openai.is_here(path) else read_files)(path)
    settings, words = to_config(config, path), tokenizer(path)
    if settings.layers > len(tensors):
        raise ValueError(
            f"{path} says {settings.layers:,} layers, and has {len(tensors):,} tensors"
        )
    ours = from_published(tensors, settings)
    model = built(lambda: GPT(settings, words), lambda m: check_tensors(m, ours, path), path)
    load_tensors(model, ours, path)
    return model.eval()


def save(model, folder):
    """Write a folder that `load` reads, and transformers' GPT or GPT-2 too."""
    config = to_published(model.config)
    save_folder(folder, config, published(model))
    if model.tokenizer is not None:
        model.tokenizer.save(folder)


def to_config(config, source="config.json"):
    """A `GPTConfig` from a published one. Raises ValueError for what this class cannot follow."""
    kind = config.get("model_type", "gpt2")
    if kind not in tuple(KINDS):
        expected = " or ".join(map(repr, KINDS))
        raise ValueError(f"expected a model of type {expected} in {source}, got {kind!r}")
    norm, *_, field = KINDS[kind]
    given = {ours: config[theirs] for theirs, ours in FIELDS.items() if theirs in config}
    # GPT's own "gelu" is the tanh approximation; only there does the name mean that.
    name = config.get(field, "gelu_new")
    name = "gelu_new" if kind == "openai-gpt" and name == "gelu" else name
    if name not in tuple(ACTIVATIONS):
        expected = ", ".join(ACTIVATIONS)
        raise ValueError(f"expected {field} to be one of {expected} in {source}, got {name!r}")
    for theirs in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        if config.get(theirs):
            raise ValueError(f"{source} asks for {theirs}, which GPT and GPT-2 have not")
    given |= {"norm": norm, "activation": ACTIVATIONS[name]}
    config_from(GPTConfig, given, source)  # before it is reckoned with
    given["hidden"] = config.get("n_inner") or 4 * given.get("dim", 768)
    return config_from(GPTConfig, given, source)


def to_published(config):
    """The published form of a `GPTConfig`, as a dict. Raises ValueError where there is none."""
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
    extra = {"embd_pdrop": config.dropout, "architectures": [name], "n_ctx": config.max_length}
    return {**found, **extra, KINDS[kind][-1]: activation, "model_type": kind}


def from_published(tensors, config):
    """Our tensors, by name, from published ones; what is left over keeps its name."""
    _, word, position, _ = next(kind for kind in KINDS.values() if kind[0] == config.norm)
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    for i in range(config.layers):  # masks, which are no parameters
        tensors.pop(f"h.{i}.attn.bias", None)
        tensors.pop(f"h.{i}.attn.masked_bias", None)
    tensors.pop("position_ids", None)
    tensors.pop("lm_head.weight", None)  # the word vectors once more
    found = {}

    def take(theirs, ours, change=lambda tensor: tensor):
        if theirs in tensors:
            found[ours] = change(tensors.pop(theirs)).contiguous()

    take(f"{word}.weight", "embeddings.word.weight")
    take(f"{position}.weight", "embeddings.position.weight")
    for kind in ("weight", "bias"):
        take(f"ln_f.{kind}", f"stack.norm.{kind}")
        for i in range(config.layers):
            for ours, theirs in IN_BLOCK.items():
                turn = _turned if "ln_" not in theirs else torch.clone
                take(f"h.{i}.{theirs}.{kind}", f"stack.blocks.{i}.{ours}.{kind}", turn)
            packed = tensors.pop(f"h.{i}.attn.c_attn.{kind}", None)
            if packed is not None and packed.dim() in (1, 2) and packed.shape[-1] % 3 == 0:
                for ours, part in zip(PARTS, packed.chunk(3, -1), strict=True):
                    found[f"stack.blocks.{i}.{ours}.{kind}"] = part.t().contiguous()
            elif packed is not None:
                found[f"h.{i}.attn.c_attn.{kind}"] = packed
    return {**found, **tensors}


def _turned(tensor):
    """A matrix turned; a vector is itself, and what is neither stays to be refused."""
    return tensor.t() if tensor.dim() <= 2 else tensor


def published(model):
    """The published tensors of a `GPT`, by name."""
    own, config = model.state_dict(), model.config
    _, word, position, _ = next(kind for kind in KINDS.values() if kind[0] == config.norm)
    found = {f"transformer.{word}.weight": own["embeddings.word.weight"]}
    found[f"transformer.{position}.weight"] = own["embeddings.position.weight"]
    for kind in ("weight", "bias"):
        if config.norm == "pre":
            found[f"transformer.ln_f.{kind}"] = own[f"stack.norm.{kind}"]
        for i in range(config.layers):
            for ours, theirs in IN_BLOCK.items():
                tensor = own[f"stack.blocks.{i}.{ours}.{kind}"]
                found[f"transformer.h.{i}.{theirs}.{kind}"] = tensor.t().contiguous()
            parts = [own[f"stack.blocks.{i}.{ours}.{kind}"].t() for ours in PARTS]
            found[f"transformer.h.{i}.attn.c_attn.{kind}"] = torch.cat(parts, -1).contiguous()
    return found


def tokenizer(path):
    """The `BPE` of ``vocab.json`` and ``merges.txt``, or OpenAI's own; None without them."""
    own = Path(path) / VOCAB, Path(path) / MERGES
    files = own if all(file.is_file() for file in own) else openai.tokenizer_files(path)
    if files is None:
        return None
    from minibert.text import BPE

    return BPE.load(*files)
