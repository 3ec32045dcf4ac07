"""Talking: a persona, what was said and a reply as one text, read by a GPT with two heads.

Wolf et al. (2019), "TransferTransfo", arXiv:1901.08149, laid out as in their program
(huggingface/transfer-learning-conv-ai)::

    <bos> persona <speaker2> said by the other <speaker1> own <speaker2> ... <speaker1> reply <eos>

Each token is also of a kind, `<speaker1>` in the persona and in what was said by who replies now,
`<speaker2>` in what the other said, and the vector of that token is added to its embedding. The
second head judges a reply at `<eos>`: is it the right one among several?
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.data.dialogues import Exchange, Turn
from minibert.heads.causal import CausalLM, DoubleHeads
from minibert.heads.head import base_of, last_places
from minibert.heads.last_token import framed
from minibert.heads.reading import listed
from minibert.models.gpt.model import GPT, next_tokens
from minibert.models.softmax import check_scores
from minibert.text.added import Added
from minibert.text.batches import IGNORE, PaddedBatches
from minibert.text.bpe import BPE
from minibert.text.framing import ROWS, Example
from minibert.training.modes import evaluating

SPECIALS = "<bos>", "<eos>", "<speaker1>", "<speaker2>"
Row = tuple[list[int], list[int]]  # ids and their kinds
OfCandidates = Float[Tensor, " candidates"]


def talking(model: GPT) -> GPT:
    """A copy of a `minibert.GPT` that has the four special tokens, in its tokenizer too.

    Raises ValueError for a model without a tokenizer.
    """
    old = model.tokenizer
    if old is None:
        raise ValueError("expected a GPT with a tokenizer, to be given the tokens of speakers")
    new = [name for name in SPECIALS if name not in old]
    ids = {**old.ids, **{name: len(old) + i for i, name in enumerate(new)}}
    added = [*old.added, *(Added(name, True, False) for name in new)]
    named = {"unk": old.unk, "end": old.end}
    model, _ = framed(model, max(0, len(ids) - model.config.vocab_size))
    model.tokenizer = BPE(ids, old.merges, old.kind, (), added=added, digits=old.digits, **named)
    return model


class Script:
    """Dialogues as the ids that a GPT made by `talking` reads.

    utterances: how many of the history are read at most, the latest ones; 3 to 5 in the paper.
    Where the model has no room for all, the history loses its beginning, the oldest utterance
    first, then a reply its end; ``cut`` of all ``replies`` did. A persona is never cut.
    """

    def __init__(self, model: GPT, utterances: int = 5) -> None:
        tokenizer = getattr(model, "tokenizer", None)
        if tokenizer is None or not all(name in tokenizer for name in SPECIALS):
            raise ValueError(
                f"expected a GPT with the tokens {' '.join(SPECIALS)}: mb.heads.talking(gpt) is one"
            )
        if utterances < 1:
            raise ValueError(f"expected at least one utterance to be read, got {utterances}")
        self.tokenizer, self.utterances = tokenizer, utterances
        self.specials = [tokenizer.ids[name] for name in SPECIALS]
        self.bos, self.eos, self.own, self.other = self.specials
        self.max_length, self.replies, self.cut = model.config.max_length, 0, 0

    def room(self, persona: Sequence[str]) -> int:
        """The tokens of a reply that the model can read after this persona and no history.

        Raises ValueError where there would be none.
        """
        about = self.tokenizer.encode(_joined(persona))
        room = self.max_length - len(about) - 3  # <bos>, <speaker1>, <eos>
        if room < 1:
            told = f"the model reads {self.max_length} tokens, and the persona has {len(about)}"
            raise ValueError(f"expected a persona that leaves room for a reply: {told}")
        return room

    def prompt(self, persona: Sequence[str], history: Sequence[Turn], spare: int = 1) -> Row:
        """All up to the reply's first token, with room for ``spare`` of them and the end.

        Raises ValueError where the model has no room for so many.
        """
        left = self.room(persona) - spare
        if left < 0:
            raise ValueError(f"expected room for {spare} tokens of a reply, got {spare + left}")
        said = [self._utterance(*turn) for turn in history[-self.utterances :]]
        while (over := sum(1 + len(ids) for _, ids in said) - left) > 0:
            speaker, ids = said.pop(0)
            if over < len(ids):
                said.insert(0, (speaker, ids[over:]))
        about = [self.bos, *self.tokenizer.encode(_joined(persona))]
        parts = [(self.own, about), *((who, [who, *ids]) for who, ids in said)]
        parts.append((self.own, [self.own]))
        return [i for _, ids in parts for i in ids], [who for who, ids in parts for _ in ids]

    def rows(
        self, persona: Sequence[str], history: Sequence[Turn], replies: Iterable[str]
    ) -> list[Example]:
        """The example of each reply; all have the same history in front.

        ``input_ids``, ``token_type_ids``; ``lm_labels``: the reply and its end, -100 before it.
        """
        room, ends = self.room(persona), list[list[int]]()
        for reply in replies:
            ids = self.tokenizer.encode(reply)
            self.replies, self.cut = self.replies + 1, self.cut + (len(ids) > room)
            ends.append([*ids[:room], self.eos])
        ids, kinds = self.prompt(persona, history, max(map(len, ends)) - 1)
        before = [IGNORE] * len(ids)
        each = [(ids + end, kinds + [self.own] * len(end), before + end) for end in ends]
        return [dict(zip(ROWS, row, strict=True)) for row in each]

    def warn(self) -> None:
        """Say how many of the replies were cut, if any were."""
        if self.cut:
            told = "are longer than the room beside their persona: what is beyond it was left out"
            warnings.warn(f"{self.cut} of {self.replies} replies {told}", stacklevel=3)

    def _utterance(self, who, text):
        if who not in (1, 2):
            raise ValueError(f"expected speaker 1, who replies, or 2, the other, got {who!r:.40}")
        return (self.own if who == 1 else self.other), self.tokenizer.encode(text)


def dialogue_examples(
    head: CausalLM | DoubleHeads, exchanges: Sequence[Exchange], utterances: int = 5
) -> list[Example]:
    """What a head on a GPT made by `talking` learns from; ``head.batches`` takes them.

    A `DoubleHeads` reads all candidates, the right one last, and learns to choose it; its language
    model, like a `CausalLM`, learns the right reply alone. exchanges: see
    `minibert.data.dialogues`. Raises ValueError for another number of candidates than the head has.
    """
    script, found = Script(base_of(head), utterances), list[Example]()
    for one in exchanges:
        if isinstance(head, CausalLM):
            (row,) = script.rows(one.persona, one.history, [one.reply])
            row["labels"] = row.pop("lm_labels")
            found.append(row)
            continue
        if len(one.others) + 1 != head.labels:
            got = f"{len(one.others) + 1}: mb.data.Dialogues.exchanges({head.labels}) draws them"
            raise ValueError(f"expected {head.labels} candidates for this head, got {got}")
        *wrong, right = script.rows(one.persona, one.history, (*one.others, one.reply))
        wrong = [{**row, "lm_labels": [IGNORE] * len(row["lm_labels"])} for row in wrong]
        found.append({name: [row[name] for row in (*wrong, right)] for name in ROWS})
        found[-1]["labels"] = len(wrong)
    script.warn()
    return found


@dataclass(frozen=True)
class Ranked:
    """What a head makes of the candidates of an exchange, ``replies``, the right one last.

    ``choice``: their scores of the second head, None without one. ``log_p``: of each its
    log-probability in nats, all ``tokens`` with the end added up; ``words``: the mean of them, by
    which a language model alone ranks replies of different lengths.
    """

    replies: tuple[str, ...]
    choice: OfCandidates | None
    log_p: OfCandidates
    tokens: OfCandidates

    @property
    def words(self) -> OfCandidates:
        return self.log_p / self.tokens


def rank_replies(
    head: CausalLM | DoubleHeads,
    exchanges: Sequence[Exchange],
    batch_size: int = 32,
    utterances: int = 5,
) -> list[Ranked]:
    """A `Ranked` for each exchange, of any number of candidates; the head is left as it was.

    Raises ValueError for another head, or a model without one.
    """
    if not isinstance(head, CausalLM | DoubleHeads):
        raise ValueError(f"expected a CausalLM or a DoubleHeads, got a {type(head).__name__}")
    script, rows = Script(base_of(head), utterances), list[Example]()
    replies = [(*one.others, one.reply) for one in exchanges]
    for one, candidates in zip(exchanges, replies, strict=True):
        rows += script.rows(one.persona, one.history, candidates)
    script.warn()
    if not rows:
        return []
    batches = PaddedBatches(rows, batch_size, script.eos, shuffle=False)
    found, device = torch.zeros(len(rows), 3, dtype=torch.float64), next(head.parameters()).device
    with evaluating(head):
        for places, batch in zip(batches.plan(0), batches.of_epoch(0), strict=True):
            on_device = {name: tensor.to(device) for name, tensor in batch.items()}
            found[torch.from_numpy(places)] = _judged(head, on_device).cpu().double()
    each = found.split([len(candidates) for candidates in replies])
    two = isinstance(head, DoubleHeads)
    return [
        Ranked(candidates, rows[:, 0] if two else None, rows[:, 1], rows[:, 2])
        for candidates, rows in zip(replies, each, strict=True)
    ]


def _judged(head, batch):
    """(rows, 3): the second head's score, the reply's log-probability and its tokens."""
    spoken, targets = next_tokens({**batch, "labels": batch["lm_labels"]})
    ends = last_places(batch["attention_mask"])
    read = spoken | ends
    states = head.states_at(batch, read)  # (n, width), row by row
    logits = head.encoder.logits(states[spoken[read]]).float()  # (tokens of replies, V)
    log_p = -F.cross_entropy(logits, targets, reduction="none")
    row = spoken.nonzero()[:, 0]
    words = log_p.new_zeros(len(spoken)).index_add(0, row, log_p)
    two = isinstance(head, DoubleHeads)
    choice = head.output(states[ends[read]])[:, 0] if two else words
    return torch.stack((choice.float(), words, spoken.sum(1).float()), 1)


def rank_of_last(scores: OfCandidates) -> int:
    """The rank of the last score, 1 for the highest; it comes after those that it ties with.

    Raises FloatingPointError for scores that are not finite.
    """
    check_scores(scores)
    return 1 + int((scores[:-1] >= scores[-1]).sum())


def hits_at_1(scores: Iterable[OfCandidates]) -> float:
    """The share of rows in which the last score, the right one's, is the highest; a tie is none."""
    return _mean([float(rank_of_last(row) == 1) for row in scores])


def mean_reciprocal_rank(scores: Iterable[OfCandidates]) -> float:
    """The mean of 1 / `rank_of_last`."""
    return _mean([1 / rank_of_last(row) for row in scores])


def _mean(values):
    if not values:
        raise ValueError("expected at least one exchange, got none")
    return math.fsum(values) / len(values)


def dialogue_scores(ranked: Sequence[Ranked]) -> dict[str, float]:
    """How good the replies are that a head chooses and expects.

    "hits@1" and "mrr" of the second head; "lm hits@1" and "lm mrr" where the language model alone
    ranks; "perplexity": of a token of the right replies. What there is nothing to rank by, or
    among, is left out.
    """
    found, several = dict[str, float](), all(len(one.replies) > 1 for one in ranked)
    if several and all(one.choice is not None for one in ranked):
        choice = [one.choice for one in ranked if one.choice is not None]
        found |= {"hits@1": hits_at_1(choice), "mrr": mean_reciprocal_rank(choice)}
    if several:
        words = [one.words for one in ranked]
        found |= {"lm hits@1": hits_at_1(words), "lm mrr": mean_reciprocal_rank(words)}
    log_p = math.fsum(float(one.log_p[-1]) for one in ranked)
    return {**found, "perplexity": math.exp(-log_p / sum(float(one.tokens[-1]) for one in ranked))}


def reply(
    model: nn.Module,
    persona: Sequence[str],
    history: Sequence[str | Turn],
    steps: int = 40,
    *,
    utterances: int = 5,
    top_p: float | None = 0.9,
    **options: Any,
) -> str:
    """What a GPT made by `talking`, or a head on it, says next, drawn from the nucleus ``top_p``.

    history: what was said, the latest last, as (1 for who replies or 2, text), or as texts alone,
    taken in turns, the last by the other. steps: tokens at most; a reply may end at once. options:
    those of `minibert.models.gpt.generation.generate`, ``seed`` for example.
    """
    gpt, turns = base_of(model), list[Turn]()
    for back, turn in enumerate(reversed(listed(history))):
        turns.insert(0, (1 if back % 2 else 2, turn) if isinstance(turn, str) else turn)
    script = Script(gpt, utterances)
    ids, kinds = script.prompt(persona, turns, min(steps, script.room(persona)))
    options = {"top_p": top_p, "stop": script.specials, **options}
    written: Any = gpt.generate(ids, steps, token_type_ids=kinds, **options)
    return gpt.tokenizer.decode(written[len(ids) :], skip_special_tokens=True)


def _joined(persona):
    """A persona as one text; ValueError for a text in place of a list of them."""
    if isinstance(persona, str):
        raise ValueError(f"expected a persona as a list of sentences, got {persona!r:.60}")
    return " ".join(persona)
