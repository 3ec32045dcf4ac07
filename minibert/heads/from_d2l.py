"""d2l's ``BERTModel`` (*Dive into Deep Learning*, chapter 15.8) with its weights, as ours.

It differs from BERT: no LayerNorm and no dropout on the embeddings, ReLU in place of GELU, a
softmax of its own beside the word vectors, and class 1, not 0, for "is the next sentence".
"""

import torch
from torch import nn

from minibert.heads.language import Pretraining
from minibert.models.bert.model import BERT, BERTConfig

PARTS = {  # of a block: ours -> theirs
    "attention.query": "attention.W_q",
    "attention.key": "attention.W_k",
    "attention.value": "attention.W_v",
    "attention.output": "attention.W_o",
    "attention_norm": "addnorm1.ln",
    "ffn.inner": "ffn.dense1",
    "ffn.outer": "ffn.dense2",
    "ffn_norm": "addnorm2.ln",
}
TABLES = {
    f"encoder.{name}"
    for name in ("token_embedding.weight", "segment_embedding.weight", "pos_embedding")
}


def from_d2l(net):
    """A `minibert.heads.Pretraining` that computes what ``net``, a ``d2l.BERTModel``, computes.

    net: one that has been called once (its layers are lazy: they take their shapes from the first
    call). The weights are copies.

    Raises ValueError for a model that was never called, and for one with other layers.
    """
    theirs, blocks = net.state_dict(), net.encoder.blks
    if lazy := [name for name, t in theirs.items() if nn.parameter.is_lazy(t)]:
        raise ValueError(f"call the d2l.BERTModel once first: {lazy[0]} has no shape yet")
    model = Pretraining(BERT(config_of(net)), tied=False)
    embeddings = model.encoder.embeddings
    embeddings.norm, embeddings.dropout = nn.Identity(), nn.Identity()
    own = {
        "encoder.embeddings.word.weight": theirs["encoder.token_embedding.weight"],
        "encoder.embeddings.segment.weight": theirs["encoder.segment_embedding.weight"],
        "encoder.embeddings.position.weight": theirs["encoder.pos_embedding"][0],
    }
    pairs = {"encoder.pooler.dense": "hidden.0", "next": "nsp.output"}
    pairs |= {
        "output.dense": "mlm.mlp.0",
        "output.norm": "mlm.mlp.2",
        "output.decoder": "mlm.mlp.3",
    }
    for i in range(len(blocks)):
        for ours, part in PARTS.items():
            pairs[f"encoder.stack.blocks.{i}.{ours}"] = f"encoder.blks.{i}.{part}"
    read = {f"{part}.{kind}" for part in pairs.values() for kind in ("weight", "bias")} | TABLES
    if odd := sorted(read.symmetric_difference(theirs)):
        raise ValueError(f"expected the layers of a d2l.BERTModel, missing or unknown: {odd[0]}")
    for ours, part in pairs.items():
        for kind in ("weight", "bias"):
            own[f"{ours}.{kind}"] = theirs[f"{part}.{kind}"]
    for kind in ("weight", "bias"):
        own[f"next.{kind}"] = own[f"next.{kind}"].flip(0)
    model.load_state_dict({name: torch.clone(tensor) for name, tensor in own.items()})
    return model.train(net.training)


def config_of(net):
    """The `BERTConfig` with the sizes and rates of a ``d2l.BERTModel``."""
    first = net.encoder.blks[0]
    return BERTConfig(
        *net.encoder.token_embedding.weight.shape,
        layers=len(net.encoder.blks),
        heads=first.attention.num_heads,
        hidden=len(first.ffn.dense1.weight),
        dropout=first.addnorm1.dropout.p,
        attention_dropout=first.attention.attention.dropout.p,
        activation="relu",
        max_length=net.encoder.pos_embedding.shape[1],
        norm_eps=first.addnorm1.ln.eps,
    )
