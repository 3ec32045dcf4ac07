"""A language model for another text's words."""

import copy
from dataclasses import replace

import torch

from minibert.models.awd_lstm.model import AWDLSTM
from minibert.text.vocab import Vocab


@torch.no_grad()
def with_vocabulary(model: AWDLSTM, vocab: Vocab) -> AWDLSTM:
    """A copy of an `AWDLSTM` for the words of ``vocab``, as stage 2 of ULMFiT needs it.

    A word that the model knows keeps its vector and its output bias; one that it does not know
    begins with the mean of all vectors and biases (as in the authors' program). ``start_id``
    follows its word. Raises ValueError for a model without words, or a start that ``vocab`` lacks.
    """
    old = model.vocab
    if old is None:
        raise ValueError("this model has no vocabulary: it cannot be known which words it knows")
    start = old.tokens[model.config.start_id]
    if start not in vocab:
        raise ValueError(f"the new vocabulary lacks {start!r}, with which the model begins a text")
    config = replace(model.config, vocab_size=len(vocab), start_id=vocab.ids[start])
    new = AWDLSTM(config, vocab).to(model.embedding.weight.device)
    new.layers = copy.deepcopy(model.layers)
    known = torch.tensor([old.ids.get(token, -1) for token in vocab.tokens])  # (V,), -1 for none
    pairs = [(model.embedding.weight, new.embedding.weight), (model.decoder.bias, new.decoder.bias)]
    if not config.tied:
        pairs.append((model.decoder.weight, new.decoder.weight))
    for before, after in pairs:
        after.copy_(before[known.clamp(min=0)])
        after[known < 0] = before.mean(0)
    return new.train(model.training)
