"""Where to begin when there is time for millions of words, not for billions.

A fresh BERT first learns how frequent each word is, and until its attention has found the positions
beside a gap it learns little else: the plateau in the loss of masked words (see chapter 05). Here
it gets first weights that know both; training is free to change them.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

from minibert.heads.language import MaskedLM, Pretraining
from minibert.models.bert.model import BERT
from minibert.models.transformer.model import Block


@torch.no_grad()
def know_frequencies(model: MaskedLM | Pretraining, ids: np.ndarray) -> None:
    """Let the softmax of a `MaskedLM` begin at how frequent each piece is in the text ``ids``."""
    size, piece = model.encoder.config.vocab_size, 1 << 20
    pieces = (ids[start : start + piece] for start in range(0, len(ids), piece))
    counts = sum((np.bincount(some, minlength=size) for some in pieces), np.full(size, 0.5))
    model.output.decoder.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


@torch.no_grad()
def look_beside(
    encoder: BERT, offsets: Sequence[int] = (-1, 1), sharpness: float = 2.0, gain: float = 2.0
) -> None:
    """Let the first heads of a `BERT`'s first layer begin by looking at the positions beside.

    The first d dimensions of the embeddings (d: the width of a head) are given to the positions
    alone: sines and cosines of d / 2 frequencies f. Head h compares keys p(s) with queries p(t +
    offset), which is p(t) turned by f * offset in each plane, so it looks from place t to t +
    offset. The attention's values and output are multiplied by ``gain``, so that what is found
    there is as loud as the word itself. sharpness: of the queries and of the keys.

    Raises ValueError where there are fewer heads than offsets, or heads of odd width.
    """
    config, block = encoder.config, encoder.stack.blocks[0]
    assert isinstance(block, Block)
    attention = block.attention
    d = config.dim // config.heads
    if len(offsets) > config.heads or d % 2:
        told = f"got {config.heads} of width {d}"
        raise ValueError(f"expected at least {len(offsets)} heads of even width, {told}")
    frequency = 100 ** (-torch.arange(0, d, 2) / d)  # (d / 2,) wavelengths from 6 to about 600
    angle = torch.arange(config.max_length)[:, None] * frequency  # (positions, d / 2)
    waves = torch.stack((angle.sin(), angle.cos()), -1).flatten(1)  # (positions, d)
    embeddings = encoder.embeddings
    loud = 2 * math.sqrt(2) * float(embeddings.word.weight.std())
    for table in (embeddings.word, embeddings.segment, embeddings.position):
        table.weight[:, :d] = 0
    embeddings.position.weight.zero_()[:, :d] = loud * waves
    for head, offset in enumerate(offsets):
        rows = slice(head * d, (head + 1) * d)
        turn = torch.zeros(d, d)
        for plane, f in enumerate((frequency * offset).tolist()):
            at = slice(2 * plane, 2 * plane + 2)
            cos, sin = math.cos(f), math.sin(f)
            turn[at, at] = torch.tensor([[cos, sin], [-sin, cos]])  # of a sine and its cosine
        for linear, weight in ((attention.query, turn), (attention.key, torch.eye(d))):
            linear.weight[rows] = 0
            linear.weight[rows, :d] = sharpness * weight
    attention.value.weight *= gain
    attention.output.weight *= gain
