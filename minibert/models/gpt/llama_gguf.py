"""A model of Llama's form in one GGUF file, with its tokenizer: SmolLM2 in 4 bits, for one.

`minibert.storage.gguf` reads the file; here its names become those of `minibert.models.gpt.llama`::

    token_embd.weight, output_norm.weight        model.embed_tokens.weight, model.norm.weight
    output.weight                                lm_head.weight, where it is untied
    blk.0.attn_q.weight, attn_k, attn_v          model.layers.0.self_attn.q_proj.weight, k_, v_
    blk.0.ffn_gate.weight, ffn_up, ffn_down      model.layers.0.mlp.gate_proj.weight, up_, down_

Rotary positions turn pairs of numbers: in llama.cpp numbers 2 i and 2 i + 1 of a head, in
transformers and here i and i + half. So the rows of queries and keys are put into our order.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from minibert.models.gpt.llama import TYPE
from minibert.storage import gguf
from minibert.storage.checked import check_known

if TYPE_CHECKING:
    from minibert.text.bpe import BPE

FIELDS = {  # of the file, after "llama." -> of config.json
    "vocab_size": "vocab_size", "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers", "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads", "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings", "rope.freq_base": "rope_theta",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps", "rope.dimension_count": "head_dim",
}  # fmt: skip
NEEDED = ("embedding_length", "block_count", "attention.head_count", "feed_forward_length")
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
IN_BLOCK = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
WORDS = {"smollm": True, "gpt-2": False}  # tokenizer.ggml.pre -> whether digits are split first
PLAIN, CONTROL, OWN = 1, 3, 4  # tokenizer.ggml.token_type: a piece, special, added by a user
TOKENIZER = "tokenizer.ggml."


def is_here(path: Path | str) -> bool:
    """Whether this is a GGUF file, or a folder of one that has no ``config.json``."""
    path = Path(path)
    if path.is_dir():
        return not (path / "config.json").is_file() and any(path.glob("*.gguf"))
    return path.suffix == ".gguf"


def read(path: Path | str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(config, tensors by their names in Hugging Face's layout) of a file, or of a folder of one.

    Raises ValueError for damage, for another architecture, and for settings without a meaning here.
    """
    settings, tensors = gguf.read(file := _file(path))
    config = _config(settings, file)
    config["tie_word_embeddings"] = "output.weight" not in tensors
    found = {}
    for name in [*tensors]:
        tensor, theirs = tensors.pop(name), _name(name)
        for part, heads in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if theirs.endswith(f".{part}.weight"):
                tensor = _our_rows(tensor, config.get(heads, config["num_attention_heads"]), file)
        found[theirs] = tensor
    return config, found


def tokenizer(path: Path | str) -> "BPE | None":
    """The `minibert.text.BPE` of the tables in the file; None where it has none.

    Raises ValueError for a tokenizer of another kind, and for tables that do not fit.
    """
    from minibert.text.added import Added
    from minibert.text.bpe import BPE

    settings = gguf.read_settings(file := _file(path))
    told = {k.removeprefix(TOKENIZER): v for k, v in settings.items() if k.startswith(TOKENIZER)}
    if "tokens" not in told:
        return None
    fixed: dict[str, tuple] = {"model": ("gpt2",), "pre": tuple(WORDS)}
    fixed |= dict.fromkeys(("add_bos_token", "add_space_prefix", "add_eos_token"), (False,))
    roles = tuple(f"{role}_token_id" for role in ("bos", "eos", "unknown", "padding"))
    tables = ("tokens", "token_type", "merges")
    check_known(told, f"the tokenizer in {file}", taken=(*tables, *roles), fixed=fixed)
    tokens, kinds, merges = (told.get(name, ()) for name in tables)
    if not _are_tables(tokens, kinds, merges, told.get("pre")):
        raise ValueError(f"expected tokens, their types, merges and `pre` of a BPE in {file}")
    unknown, end = (_token(told.get(role), tokens, file) for role in (roles[2], roles[1]))
    whole = [(t, kind) for t, kind in zip(tokens, kinds, strict=True) if kind != PLAIN]
    added = [Added(token, kind == CONTROL, False) for token, kind in whole]
    ids = {token: i for i, token in enumerate(tokens)}
    make = partial(BPE, ids, [tuple(m.split(" ")) for m in merges], specials=(), added=added)
    try:
        return make(digits=WORDS[told["pre"]], unk=unknown, end=end)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _file(path):
    """The one GGUF file that a path stands for."""
    found = sorted(Path(path).glob("*.gguf")) if Path(path).is_dir() else [Path(path)]
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:4])
        raise ValueError(f"expected one GGUF file in {path}, got {len(found)}: {names}")
    return found[0]


def _config(settings, file):
    """What the file says of the model, as Hugging Face's config.json has it."""
    kind = settings.get("general.architecture")
    if kind != TYPE:
        raise ValueError(f"expected a model of the architecture {TYPE!r} in {file}, got {kind!r}")
    own = {k.removeprefix("llama."): v for k, v in settings.items() if k.startswith("llama.")}
    check_known(own, file, taken=FIELDS)
    if missing := [f"llama.{name}" for name in NEEDED if type(own.get(name)) is not int]:
        raise ValueError(f"expected a whole number as {missing[0]} in {file}")
    config = {theirs: own[name] for name, theirs in FIELDS.items() if name in own}
    config.setdefault("vocab_size", len(settings.get(f"{TOKENIZER}tokens", ())))
    config["pad_token_id"] = settings.get(f"{TOKENIZER}padding_token_id")
    return {"model_type": TYPE, **config}


def _name(name):
    """Hugging Face's name of a tensor; a name that is not known stays, to be refused."""
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in IN_BLOCK:
        return f"model.layers.{parts[1]}.{IN_BLOCK[parts[2]]}.{parts[3]}"
    return ".".join([NAMES.get(parts[0], parts[0]), *parts[1:]])


def _our_rows(tensor, heads, file):
    """Rows 2 i and 2 i + 1 of each head to its rows i and i + half."""
    if tensor.dim() != 2 or type(heads) is not int or heads < 1 or len(tensor) % (2 * heads):
        raise ValueError(f"expected {heads!r:.20} heads of queries or keys in {file}")
    return tensor.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def _are_tables(tokens, kinds, merges, pre):
    """Whether these are the tables of a tokenizer, as long as each other."""
    lists = all(isinstance(one, list) for one in (tokens, kinds, merges))
    return (
        lists
        and all(isinstance(one, str) for one in [*tokens, *merges])
        and len(tokens) == len(kinds) == len(set(tokens))
        and all(kind in (PLAIN, CONTROL, OWN) for kind in kinds)
        and all(merge.count(" ") == 1 for merge in merges)
        and pre in WORDS
    )


def _token(place, tokens, file):
    """The token with this id; a name that no token has where the file gives none."""
    if place is None:
        return ""
    if type(place) is not int or not 0 <= place < len(tokens):
        raise ValueError(f"expected the id of a special token in {file}, got {place!r:.40}")
    return tokens[place]
