"""A GPT of today in the layout of Hugging Face's Llama, both ways.

The form (Touvron et al. 2023, arXiv:2302.13971): ``norm="pre"``, ``rms``, ``gated``, rotary
positions, SiLU, no biases, perhaps ``groups``. Names of tensors, theirs left, all as they are::

    model.embed_tokens.weight                   embeddings.word.weight
    model.layers.0.self_attn.q_proj.weight      stack.blocks.0.attention.query.weight
    model.layers.0.input_layernorm.weight       stack.blocks.0.attention_norm.weight
    model.layers.0.mlp.gate_proj.weight         stack.blocks.0.ffn.gate.weight
    model.norm.weight                           stack.norm.weight
    lm_head.weight                              output.weight, where it is untied

A configuration that asks for more than this form (scaled rotations, biases, windows, experts) is
refused by the name of the key.
"""

from itertools import product
from pathlib import Path
from typing import Any

from torch import Tensor

from minibert.models.gpt.model import GPT, GPTConfig
from minibert.storage import layout
from minibert.storage.checked import check_known, config_from

TYPE = "llama"
FORM: dict[str, Any] = {  # of GPTConfig, what all models of this layout have
    "norm": "pre", "rms": True, "gated": True, "bias": False, "activation": "silu",
    "position": "rotary", "dropout": 0.0,
}  # fmt: skip
FIELDS = {  # of config.json -> of GPTConfig
    "vocab_size": "vocab_size", "hidden_size": "dim", "num_hidden_layers": "layers",
    "num_attention_heads": "heads", "num_key_value_heads": "groups", "intermediate_size": "hidden",
    "max_position_embeddings": "max_length", "attention_dropout": "attention_dropout",
    "rms_norm_eps": "norm_eps", "initializer_range": "init_std", "rope_theta": "rope_base",
    "tie_word_embeddings": "tied", "pad_token_id": "pad_id",
}  # fmt: skip
USUAL = {  # what a config.json means that does not say it
    "vocab_size": 32_000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "intermediate_size": 11_008, "max_position_embeddings": 2048, "attention_dropout": 0.0,
    "rms_norm_eps": 1e-6, "initializer_range": 0.02, "rope_theta": 10_000.0,
    "tie_word_embeddings": False,
}  # fmt: skip
FIXED: dict[str, tuple] = layout.ALWAYS | {
    "hidden_act": ("silu",), "pretraining_tp": (1, None), "rope_scaling": (None,),
    **dict.fromkeys(("attention_bias", "mlp_bias", "rope_interleaved"), (False, None)),
}  # fmt: skip
IGNORED = layout.NOTES | layout.TASK | {"is_llama_config", "is_decoder", "transformers.js_config"}
NAMES = {
    "embed_tokens": "embeddings.word", "norm": "stack.norm", "lm_head": "output",
}  # fmt: skip
IN_BLOCK = {
    "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value", "self_attn.o_proj": "attention.output",
    "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn.gate", "mlp.up_proj": "ffn.inner", "mlp.down_proj": "ffn.outer",
}  # fmt: skip


def to_config(config: dict[str, Any], source: Path | str = "config.json") -> GPTConfig:
    """A `GPTConfig` from a published one. Raises ValueError for what this class cannot follow."""
    rope = config.get("rope_parameters") or {}  # where transformers 5 puts it
    where = f"the rope_parameters of {source}"
    check_known(rope, where, taken=("rope_theta",), fixed={"rope_type": ("default",)})
    config = {**USUAL, **config, **{k: v for k, v in rope.items() if k in FIELDS}}
    taken = (*FIELDS, "head_dim", "rope_parameters")
    check_known(config, source, taken=taken, fixed=FIXED, ignored=IGNORED)
    given = {ours: config[theirs] for theirs, ours in FIELDS.items() if theirs in config}
    found = config_from(GPTConfig, {**given, **FORM}, source)
    if config.get("head_dim") not in (None, found.dim // found.heads):
        told = f"a head_dim of {config['head_dim']!r:.40}, which minibert cannot follow"
        raise ValueError(f"{source} has {told}: expected {found.dim} / {found.heads}")
    return found


def to_published(config: GPTConfig) -> dict[str, Any]:
    """The published form of a `GPTConfig`, as a dict. Raises ValueError where there is none."""
    for name, value in {**FORM, "embedding_dropout": 0.0}.items():
        if (getattr(config, name) or value) != value:
            told = f"{name}={getattr(config, name)!r}, which only a form of its own could hold"
            raise ValueError(f"a model with {config.later[0]} has Llama's layout, got {told}")
    found = {theirs: getattr(config, ours) for theirs, ours in FIELDS.items()}
    found["num_key_value_heads"] = config.groups or config.heads
    kind = {"model_type": TYPE, "architectures": ["LlamaForCausalLM"], "hidden_act": "silu"}
    return {**found, **kind, "attention_bias": False, "mlp_bias": False}


def from_published(
    tensors: dict[str, Tensor], settings: GPTConfig, source: Path | str
) -> dict[str, Tensor]:
    """Published tensors by our names; ValueError where what the file says twice does not agree."""
    names, tensors = _names(settings.layers), layout.renamed(tensors, str, source)
    tensors = {name: t for name, t in tensors.items() if not name.startswith("score.")}
    tensors = layout.settle_output(tensors, "embed_tokens.weight", settings.tied, source)
    return {names.get(name, name): tensor for name, tensor in tensors.items()}


def published(model: GPT) -> dict[str, Tensor]:
    """The published tensors of a `GPT`, by name."""
    own, found = model.state_dict(), {}
    for theirs, ours in _names(model.config.layers).items():
        if ours in own:
            found[theirs if theirs.startswith("lm_head") else f"model.{theirs}"] = own[ours]
    return found


def _names(layers):
    """Their name, without ``model.``, -> ours of each tensor."""
    found = {f"{theirs}.weight": f"{ours}.weight" for theirs, ours in NAMES.items()}
    for i, (theirs, ours) in product(range(layers), IN_BLOCK.items()):
        found[f"layers.{i}.{theirs}.weight"] = f"stack.blocks.{i}.{ours}.weight"
    return found
