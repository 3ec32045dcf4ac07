"""d2l's ``BERTModel`` (*Dive into Deep Learning*, chapter 15.8) with its weights, as ours.

It differs from BERT: no LayerNorm and no dropout on the embeddings, ReLU in place of GELU, a
softmax of its own beside the word vectors, and class 1, not 0, for "is the next sentence".
"""

from typing import Any

from torch import nn

from minibert.heads.language import Pretraining
from minibert.models.bert.model import BERT, BERTConfig

TABLES = {  # ours -> theirs, both in the encoder
    "embeddings.word.weight": "token_embedding.weight",
    "embeddings.segment.weight": "segment_embedding.weight",
    "embeddings.position.weight": "pos_embedding",
}
LAYERS = {
    "encoder.pooler.dense": "hidden.0", "next": "nsp.output",
    "output.dense": "mlm.mlp.0", "output.norm": "mlm.mlp.2", "output.decoder": "mlm.mlp.3",
}  # fmt: skip
IN_BLOCK = {
    "attention.query": "attention.W_q", "attention.key": "attention.W_k",
    "attention.value": "attention.W_v", "attention.output": "attention.W_o",
    "attention_norm": "addnorm1.ln", "ffn_norm": "addnorm2.ln",
    "ffn.inner": "ffn.dense1", "ffn.outer": "ffn.dense2",
}  # fmt: skip


def from_d2l(net: Any) -> Pretraining:
    """A `minibert.heads.Pretraining` that computes what ``net``, a ``d2l.BERTModel``, computes.

    The weights are copies. Raises ValueError for a net that was never called (its layers are lazy:
    they take their shapes from the first call), and for one with other layers.
    """
    theirs = net.state_dict()
    if lazy := [name for name, t in theirs.items() if nn.parameter.is_lazy(t)]:
        raise ValueError(f"call the d2l.BERTModel once first: {lazy[0]} has no shape yet")
    model = Pretraining(BERT(config_of(net)), tied=False)
    embeddings = model.encoder.embeddings
    embeddings.norm, embeddings.dropout = nn.Identity(), nn.Identity()
    layers = dict(LAYERS)
    for i in range(len(net.encoder.blks)):
        for ours, part in IN_BLOCK.items():
            layers[f"encoder.stack.blocks.{i}.{ours}"] = f"encoder.blks.{i}.{part}"
    names = {f"encoder.{ours}": f"encoder.{part}" for ours, part in TABLES.items()}
    for kind in ("weight", "bias"):
        names |= {f"{ours}.{kind}": f"{part}.{kind}" for ours, part in layers.items()}
    if odd := sorted({*names.values()} ^ {*theirs}):
        raise ValueError(f"expected the layers of a d2l.BERTModel, missing or unknown: {odd[0]}")
    own = {ours: theirs[part].clone() for ours, part in names.items()}
    own["encoder.embeddings.position.weight"].squeeze_(0)
    for kind in ("weight", "bias"):
        own[f"next.{kind}"] = own[f"next.{kind}"].flip(0)
    model.load_state_dict(own)
    return model.train(net.training)


def config_of(net: Any) -> BERTConfig:
    """The `BERTConfig` with the sizes and rates of a ``d2l.BERTModel``."""
    first = net.encoder.blks[0]
    vocab_size, dim = net.encoder.token_embedding.weight.shape
    return BERTConfig(
        vocab_size,
        dim,
        layers=len(net.encoder.blks),
        heads=first.attention.num_heads,
        hidden=len(first.ffn.dense1.weight),
        dropout=first.addnorm1.dropout.p,
        attention_dropout=first.attention.attention.dropout.p,
        activation="relu",
        max_length=net.encoder.pos_embedding.shape[1],
        norm_eps=first.addnorm1.ln.eps,
    )
