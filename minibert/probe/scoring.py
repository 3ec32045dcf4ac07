"""How likely a model holds a sentence: log p of its tokens, whatever kind of model it is.

Causal models: the sum of log p(token | those before it). Masked models: the pseudo-log-likelihood,
the sum of log p(token | all others) (Salazar et al. 2020, arXiv:1910.14659). Counted models: as
causal ones. A token is never left out: the first one is scored after a start token.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from minibert.heads.causal import CausalLM
from minibert.heads.language import MaskedLM
from minibert.heads.reading import Reader, as_words, innermost, listed, reader_of
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.baselines import NEW, NGram, Predictor, Spelling, encode
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.bert.model import BERT
from minibert.models.gpt.model import GPT
from minibert.probe.word_states import batches
from minibert.text.tokens import tokenise
from minibert.training.modes import evaluating

HIDDEN = ("later", "word", "piece")
ROWS = 64  # of logits that are held at a time
Scores = Float64[np.ndarray, " sentences"]
Rows = Float[Tensor, "rows dim"]


@dataclass(frozen=True)
class Sentence:
    """``ids`` of its tokens without a frame; ``starts``: where its words begin among them."""

    ids: tuple[int, ...]
    starts: tuple[int, ...] = ()


def sentence_scores(
    model: Any,
    sentences: Iterable[str | Sequence[str]],
    *,
    hidden: str = "later",
    words: Any = None,
    start: int | None = None,
    batch_tokens: int = 2048,
) -> Scores:
    """log p of each sentence, in nats, float64: texts, or lists of words.

    model: a `GPT`, an `AWDLSTM` (either direction) or a `CausalLM`; a `MaskedLM` or `Pretraining`
    on a BERT; or what has ``log_probs(ids)``, such as `NGram`, with its ``words``: a tokenizer or
    the `Vocab` of `minibert.models.baselines.vocabulary`, whose unknown words are spelled.

    hidden: for masked models, what is masked together with the piece that is scored. "later", the
    later pieces of its word (Kauf & Ivanova 2023, arXiv:2305.10588), "word", all of its pieces, or
    "piece", nothing else (Salazar et al.): the pieces of a rare word then give each other away, and
    it scores too well. start: the token before the first, where a GPT's tokenizer has no end token.

    Equal sentences have equal scores, to the last bit. The model is left as it was. Raises
    ValueError for a sentence that is empty or longer than the model, which is never cut, and
    FloatingPointError for scores that are not finite.
    """
    if hidden not in HIDDEN:
        raise ValueError(f"hidden must be {' or '.join(map(repr, HIDDEN))}, got {hidden!r}")
    texts = listed(sentences)
    if isinstance(model, GPT | AWDLSTM | CausalLM):
        ids = [sentence(model, i, text).ids for i, text in enumerate(texts)]
        rows, score = [Sentence(one) for one in ids], partial(causal, model, start, batch_tokens)
    elif isinstance(model, MaskedLM) and _sees_both_sides(model):
        rows = [sentence(model, i, text) for i, text in enumerate(texts)]
        score = partial(masked, model, hidden, batch_tokens)
    elif isinstance(model, Predictor):
        rows, score = counted(model, texts, words)
    else:
        raise ValueError(_refused(model))
    different = list(dict.fromkeys(rows))
    found = dict(zip(different, score(different), strict=True)) if different else {}
    scores = np.array([found[row] for row in rows], np.float64)
    if not np.isfinite(scores).all():
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise FloatingPointError(f"the score of sentence {first} is not finite, {scores[first]}")
    return scores


def sentence(model: Any, i: int, text: Any) -> Sentence:
    """The tokens of sentence ``i``; ValueError for one that is empty."""
    reader: Reader = reader_of(getattr(model, "encoder", model))
    if isinstance(text, str) and not hasattr(reader, "lower"):
        ids = list(reader.ids(text))
        goes_on = getattr(reader.tokenizer, "continues", None)
        places = [p for p, one in enumerate(ids) if goes_on is None or not p or not goes_on[one]]
    else:
        ids, places = [], []
        for word in as_words(text):
            places.append(len(ids))
            ids += reader.word(word, len(places) == 1)
    if not ids or not isinstance(text, str) and not all(word.strip() for word in text):
        raise ValueError(f"sentence {i} or one of its words is empty, got {text!r:.80}")
    return Sentence(tuple(map(int, ids)), tuple(places))


def causal(model: Any, start: int | None, most: int, rows: Sequence[Sentence]) -> list[float]:
    """The sum of log p of each sentence's tokens given those read before."""
    encoder: Any = model.encoder if isinstance(model, CausalLM) else model
    first = start if start is not None else _start(innermost(encoder))
    limit = getattr(innermost(encoder).config, "max_length", None)
    back = getattr(innermost(encoder), "backward_reader", False)
    framed = [(*row.ids, first) if back else (first, *row.ids) for row in rows]
    _check_lengths(framed, limit, 1)
    found = [0.0] * len(rows)
    with evaluating(model):
        for batch in batches(list(map(len, framed)), most):
            ids, mask = _padded([framed[i] for i in batch], model)
            wanted, said = mask.clone(), ids.roll(1 if back else -1, 1)
            if back:  # each but the first says the one before it
                wanted[:, 0] = False
            else:
                wanted[:, :-1] &= mask[:, 1:]
                wanted[:, -1] = False
            if hasattr(encoder, "states_at"):
                states = encoder.states_at(ids, mask.long(), wanted=wanted)
            else:
                states = encoder(ids, attention_mask=mask.long()).last_hidden_state[wanted]
            told = log_p(_softmax(model), states, said[wanted])
            lengths = wanted.sum(1).tolist()
            for i, part in zip(batch, told.split(lengths), strict=True):
                found[i] = float(part.sum())
    return found


def masked(model: MaskedLM, hidden: str, most: int, rows: Sequence[Sentence]) -> list[float]:
    """The pseudo-log-likelihood of each sentence: each of its pieces is hidden once."""
    encoder = innermost(model.encoder)
    tokenizer, limit = encoder.tokenizer, encoder.config.max_length
    if tokenizer.mask_id is None:
        raise ValueError("masked words are scored by a model whose tokenizer has [MASK]")
    framed = [(tokenizer.cls_id, *row.ids, tokenizer.sep_id) for row in rows]
    _check_lengths(framed, limit, 2)
    asked = [(i, place) for i, row in enumerate(rows) for place in range(len(row.ids))]
    found = torch.zeros(len(rows), dtype=torch.float64)
    with evaluating(model):
        for batch in batches([len(framed[i]) for i, _ in asked], most):
            some = [asked[one] for one in batch]
            ids, mask = _padded([framed[i] for i, _ in some], model)
            places = torch.tensor([place + 1 for _, place in some], device=ids.device)
            each = torch.arange(len(some), device=ids.device)
            targets = ids[each, places]
            for row, (i, place) in enumerate(some):
                first, end = _masks(rows[i], place, hidden)
                ids[row, first + 1 : end + 1] = tokenizer.mask_id
            wanted = torch.zeros_like(mask)
            wanted[each, places] = True
            text = {"input_ids": ids, "attention_mask": mask.long()}
            told = log_p(model.output, model.states_at(text, wanted), targets)
            found.index_add_(0, torch.tensor([i for i, _ in some]), told)
    return found.tolist()


def counted(model: Any, texts: list, words: Any) -> tuple[list, Callable[[list], list[float]]]:
    """(each text as what is scored, the function that scores) of a model that has ``log_probs``."""
    kind, size = type(model).__name__, getattr(model, "size", None)
    size = model.config.vocab_size if size is None and hasattr(model, "config") else size
    if words is None or size not in (None, len(words)):
        got = "none" if words is None else f"{len(words):,}"
        wanted = "its own" if size is None else f"{size:,}"
        raise ValueError(f"a {kind} does not know its words: expected {wanted} as words, got {got}")
    whole = hasattr(words, "specials") and NEW in words  # words, not pieces
    spelling = Spelling(words) if whole else None
    rows = []
    for i, text in enumerate(texts):
        tokens = as_words(text) if not isinstance(text, str) else tokenise(text)
        if not tokens:
            raise ValueError(f"sentence {i} is empty")
        joined = text if isinstance(text, str) else " ".join(text)
        rows.append(tuple(tokens) if whole else tuple(words.encode(joined)))

    def score(rows: list) -> list[float]:
        ids = [encode(row, words) if whole else np.array(row, np.int64) for row in rows]
        found = [float(part.sum()) for part in _log_probs(model, ids)]
        if spelling is not None:
            for i, row in enumerate(rows):
                found[i] -= sum(spelling(token) for token in row if token not in words)
        return found

    return rows, score


def log_p(softmax: Callable, states: Rows, targets: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """log p of each target after each state, float64, a few rows of logits at a time."""
    found = []
    for some, said in zip(states.split(ROWS), targets.split(ROWS), strict=True):
        told = softmax(some).float().log_softmax(-1).gather(1, said[:, None])
        found.append(told[:, 0].double().cpu())
    return torch.cat(found)


def _log_probs(model, rows):
    """log p of all tokens of each row; an n-gram model reads all rows at once."""
    if not isinstance(model, NGram):
        return [model.log_probs(row) for row in rows]
    gap = np.full(model.order - 1, model.start, np.int64)  # what stands before a text
    found = model.log_probs(np.concatenate([part for row in rows for part in (gap, row)]))
    ends = np.cumsum([len(gap) + len(row) for row in rows])
    return [found[end - len(row) : end] for end, row in zip(ends, rows, strict=True)]


def _masks(row, place, hidden):
    """(first, end) of the pieces that are hidden when the one at ``place`` is scored."""
    if hidden == "piece":
        return place, place + 1
    end = next((start for start in row.starts if start > place), len(row.ids))
    first = max(start for start in row.starts if start <= place)
    return (place if hidden == "later" else first), end


def _start(encoder):
    """The id that stands before the first token of a text."""
    if isinstance(encoder, AWDLSTM):
        return encoder.config.start_id
    token = getattr(encoder.tokenizer, "cls_id" if isinstance(encoder, LeftToRight) else "end_id")
    if token is None:
        told = "the tokenizer has no token to start from, so that the first word had no score"
        raise ValueError(f"{told}: say which id stands before it, start=...")
    return token


def _softmax(model):
    """States -> logits of a causal model."""
    if isinstance(model, CausalLM):
        if model.output is not None:
            return model.output
        return lambda states: torch.nn.functional.linear(states, *model.softmax)
    return model.logits if isinstance(model, GPT) else model.decoder


def _padded(rows, model):
    """(ids, bool mask) of rows of ids, (batch, length), on the model's device."""
    device = next(model.parameters()).device
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    mask = torch.arange(ids.shape[1]) < torch.tensor(list(map(len, rows)))[:, None]
    return ids.to(device), mask.to(device)


def _check_lengths(framed, limit, frame):
    """Refuse sentences longer than the model reads."""
    for row in framed:
        if limit is not None and len(row) > limit:
            told = f"expected at most {limit - frame} tokens a sentence, got one of"
            raise ValueError(f"{told} {len(row) - frame}: it is not cut, since its end counts too")


def _sees_both_sides(head):
    encoder = innermost(head.encoder)
    return isinstance(encoder, BERT) and not isinstance(encoder, LeftToRight)


def _refused(model):
    kind = type(model).__name__
    told = f"expected a GPT, an AWDLSTM, a CausalLM, a MaskedLM or an n-gram model, got a {kind}"
    if isinstance(model, MaskedLM):
        return f"{told} on a {type(innermost(model.encoder)).__name__}, which reads one side"
    return f"{told}; a BERT needs mb.heads.MaskedLM" if isinstance(model, BERT) else told
