"""The exercises and the quiz of chapter 05, how BERT is pre-trained."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong

PIECES = {"un", "una", "##aff", "##a", "##able", "##ble", "##ffa", "a", "play", "##ing", "##s"}
PIECES |= {"##i", "##n", "##g", "p", "##l", "##y", "##f", "##b", "##e", "u"}


class Pieces(Exercise):
    id = "05.wordpiece"
    title = "A word in pieces"
    minutes, difficulty, importance, points = 12, 2, 4, 3
    hints = (
        "Begin with `start = 0`. As long as `start < len(word)`, look for the longest piece there.",
        "Try `end` from `len(word)` down to `start + 1`; a piece that is not at the beginning of "
        "the word has `##` in front.",
        "If no piece fits at some place, the answer for the *whole* word is `['[UNK]']`.",
    )
    default: list = []
    example = ("playing", {"play", "##ing"})

    def check(self, cut: Callable[[str, set[str]], list[str]]) -> Right | Wrong:
        for word in ("playing", "unaffable", "plays", "a"):
            got, want = list(cut(word, set(PIECES))), self.cut(word)
            if got == want:
                continue
            return mistaken(got, [
                ([piece.removeprefix("##") for piece in want],
                 f"{word!r}: a piece that goes on with a word is written with `##`.", 1),
                (self.cut(word, shortest=True),
                 f"{word!r}: the longest piece wins, and {got} are the shortest.", 1),
                (["[UNK]"], f"{word!r} can be cut into {want}: what goes on with a word stands in "
                 "the vocabulary with `##` in front, and has to be looked for so.", 1),
                (want[:1], f"{word!r}: only the first piece is there; go on after it.", 1),
            ]) or Wrong(f"expected {want} for {word!r}, got {got}.", 1)  # fmt: skip
        unknown = list(cut("playx", set(PIECES)))
        if unknown != ["[UNK]"]:
            return Wrong(
                f"right where every letter is known; but 'playx' should be ['[UNK]'], the whole "
                f"word, because nothing fits at 'x', and is {unknown}.", 2
            )  # fmt: skip
        return Right(
            "`unaffable` is `una ##ffa ##ble`: greedy, so not always what a linguist says."
        )

    @staticmethod
    def cut(word: str, shortest: bool = False) -> list[str]:
        found, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            for end in reversed(ends) if shortest else ends:
                if mark + word[start:end] in PIECES:
                    found.append(mark + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return found


class Mask(Exercise):
    id = "05.mask"
    title = "Hide some words"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "`labels` first: `torch.where(chosen, ids, -100)`.",
        "Then what the model sees: below 0.8 it is `mask_id`, from 0.8 to below 0.9 the random "
        "word, and otherwise the word itself, each only where `chosen`.",
        "Two `torch.where`, one after the other; `&` joins conditions, each in brackets.",
    )

    def case(self) -> tuple:
        generator, shape = torch.Generator().manual_seed(5), (3, 40)
        ids = torch.randint(10, 50, shape, generator=generator)
        chosen = torch.rand(shape, generator=generator) < 0.5
        fate = torch.rand(shape, generator=generator)
        drawn, mask_id = torch.randint(60, 90, shape, generator=generator), 4
        return ids, chosen, fate, drawn, mask_id

    def untouched(self, hide: Callable[..., tuple[Tensor, Tensor]]) -> bool:
        got, ids = hide(*self.case()), self.case()[0]
        if got is None or got is Ellipsis:
            return True
        return same(got[0], ids) and same(got[1], torch.full_like(ids, -100))

    @staticmethod
    def hide(case: tuple, split: tuple[float, float] = (0.8, 0.9)) -> tuple[Tensor, Tensor]:
        ids, chosen, fate, drawn, mask_id = case  # (batch, length) each, and a number
        seen = torch.where(chosen & (fate < split[0]), mask_id, ids)
        seen = torch.where(chosen & (fate >= split[0]) & (fate < split[1]), drawn, seen)
        return seen, torch.where(chosen, ids, -100)

    def check(self, hide: Callable[..., tuple[Tensor, Tensor]]) -> Right | Wrong:
        case, (given, *rest) = self.case(), self.case()
        ids, chosen, _, _, mask_id = case
        got = hide(given, *rest)
        if not isinstance(got, tuple) or len(got) != 2:
            return Wrong("expected two tensors, what the model sees and the labels.")
        seen, labels = got
        want, wanted = self.hide(case)
        if not same(given, ids):
            return Wrong("the ids that were given have changed: work on a copy (`torch.where`).", 1)
        told = compare(labels, wanted, [
            (ids, "every place has a label: the model would be asked for words that it sees.", 1),
            (torch.where(seen == mask_id, ids, -100),
             "only the places with [MASK] have a label: the random and the kept words are to be "
             "guessed, too.", 1),
            (torch.where(chosen, want, -100),
             "the labels are what the model sees: they should be what stood there.", 1),
            (torch.where(chosen, -100, ids),
             "turned round: -100 belongs where nothing was chosen.", 1),
            (want, "the two results have changed places: what the model sees comes first.", 2),
        ], what="the labels")  # fmt: skip
        if not isinstance(told, Right):
            return told
        fits = torch.is_tensor(seen) and seen.shape == ids.shape
        if fits and not same(seen[~chosen], ids[~chosen]):
            return Wrong("words that were not chosen have changed: add `chosen &`.", 1)
        return compare(seen, want, [
            (torch.where(chosen, mask_id, ids), "all of them are [MASK]: 80 % should be.", 1),
            (self.hide(case, (0.8, 1.0))[0],
             "one in five is a random word: half of these should stay as they are.", 1),
            (self.hide(case, (0.1, 0.2))[0],
             "only one in ten is [MASK]: the shares are mixed up.", 1),
            (self.hide(case, (0.8, 0.8))[0],
             "no random word: from 0.8 to below 0.9 it is `drawn`.", 1),
        ], what="what the model sees")  # fmt: skip


class MaskedLoss(Exercise):
    id = "05.mlm_loss"
    title = "A loss at some places"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "`wanted = labels != -100` is a boolean tensor (batch, length).",
        "`hidden[wanted]` has the shape (n, dim): only these rows are multiplied by the table.",
        "`F.cross_entropy(logits, labels[wanted])` is the mean over the n places.",
    )

    def case(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(2)
        hidden = torch.randn(3, 7, 6, generator=generator)
        table, bias = torch.randn(11, 6, generator=generator), torch.randn(11, generator=generator)
        labels = torch.full((3, 7), -100)
        labels[0, 2], labels[0, 5], labels[2, 1] = 4, 0, 9
        return hidden, table, bias, labels

    def untouched(self, loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> bool:
        return same(loss(*self.case()), 0.0)

    def check(self, loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        hidden, table, bias, labels = self.case()
        wanted = labels != -100
        logits = hidden @ table.T + bias
        each = F.cross_entropy(logits[wanted], labels[wanted], reduction="none")
        as_zero = F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())
        return compare(loss(hidden, table, bias, labels), each.mean(), [
            (each.sum(), "the sum over the masked places: divide by how many there are.", 2),
            (each.sum() / labels.numel(), "divided by all places: only the masked ones count.", 2),
            (each.sum() / len(labels), "divided by the number of sequences.", 2),
            (as_zero, "the places without a label count as word 0: leave them out.", 1),
            (F.cross_entropy(logits[labels > 0], labels[labels > 0]),
             "word 0 is left out: `labels > 0` drops a word that may well be masked.", 2),
            (F.cross_entropy((logits - bias)[wanted], labels[wanted]), "the bias is missing.", 2),
            (F.cross_entropy(logits[wanted].softmax(-1), labels[wanted]),
             "`F.cross_entropy` wants logits, and takes the softmax itself.", 2),
        ], what="the loss")  # fmt: skip


class FindTheBug(Exercise):
    id = "05.find_the_bug"
    title = "Find the bug: the mask that does nothing"
    minutes, difficulty, importance, points = 15, 3, 5, 3
    hints = (
        "Change a label where the weight is 0: the loss should not move.",
        "What is the shape of what `nn.CrossEntropyLoss()` returns? And of the weights?",
        "A mean that is multiplied by the weights and divided by their sum is the same mean. Take "
        "`reduction='none'`, weigh each place, and only then add up.",
    )

    @staticmethod
    def case() -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(3)
        words = torch.randn(2, 4, 9, generator=generator)
        labels = torch.tensor([[3, 5, 0, 0], [7, 1, 2, 0]])
        weights = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
        pairs, follows = torch.randn(2, 2, generator=generator), torch.tensor([1, 0])
        return words, labels, weights, pairs, follows

    @staticmethod
    def losses(case: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        words, labels, weights, pairs, follows = case  # words: (batch, length, vocabulary)
        each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
        return each, weights.flatten(), F.cross_entropy(pairs, follows)

    def untouched(self, loss: Callable[..., Tensor]) -> bool:
        each, _, pair = self.losses(self.case())
        return same(loss(*self.case()), each.mean() + pair)

    def check(self, loss: Callable[..., Tensor]) -> Right | Wrong:
        each, weights, pair = self.losses(self.case())
        words = (each * weights).sum() / weights.sum()
        logits, labels, _, pairs, follows = case = self.case()
        words_only = F.cross_entropy(logits.mT, labels, ignore_index=0)
        rows = (each * weights).view(2, 4).sum(1) / weights.view(2, 4).sum(1)
        pair_1 = F.cross_entropy(pairs, follows, ignore_index=0)
        told = compare(loss(*self.case()), words + pair, [
            (words, "the loss of the next sentence is missing.", 1),
            ((each * weights).mean() + pair,
             "nearly: divide by the sum of the weights, not by the number of places.", 2),
            (rows.mean() + pair,
             "a mean for each text, then their mean: all real places count alike.", 2),
            (words_only + pair_1, "`ignore_index=0` for both losses: it drops word 0 wherever it "
             "stands, and next sentences with the label 0, too. The weights say what is padding.",
             1),
            ((each * weights).sum() + pair, "divide the sum by the sum of the weights.", 2),
            (words_only + pair, "`ignore_index=0` drops word 0 wherever it stands: right here by "
             "chance, if 0 is [PAD]; the weights say what is padding.", 2),
        ], what="the loss")  # fmt: skip
        if not isinstance(told, Right):
            return told
        labels[0, 0] = 0  # word 0, masked for real
        each, weights, pair = self.losses(case)
        if not same(loss(*case), (each * weights).sum() / weights.sum() + pair):
            return Wrong("right here, but not where word 0 is masked for real: use the weights.", 2)
        return Right(
            "The places without a word no longer count. Before, a model that learned to answer "
            "[PAD] where nothing was asked looked better from batch to batch."
        )


class Parameters(Exercise):
    id = "05.parameters"
    title = "110 million, counted"
    minutes, difficulty, importance, points = 12, 2, 3, 3
    hints = (
        "Three tables, `(V + places + 2) * dim`, and one LayerNorm, `2 * dim`.",
        "A block: four linear layers `dim * dim + dim`, the two of the feed-forward network, and "
        "two LayerNorms.",
        "The pooler is one more linear layer, `dim * dim + dim`.",
    )
    default = 0
    example = (30_522, 768, 12, 3072)

    @staticmethod
    def count(V: int, dim: int, layers: int, hidden: int, *, no: str = "", tables: int = 3) -> int:
        b, n = int(no != "biases"), 2 * dim * int(no != "norms")
        rows = V + (512 if tables > 1 else 0) + (2 if tables > 2 else 0)
        square = dim * dim + b * dim
        block = 4 * square + 2 * dim * hidden + b * (hidden + dim) + 2 * n
        return rows * dim + n + layers * block + (square if no != "pooler" else 0)

    def check(self, parameters: Callable[[int, int, int, int], int]) -> Right | Wrong:
        base = V, dim, layers, hidden = 30_522, 768, 12, 3072
        want, less = self.count(*base), partial(self.count, *base)
        told = compare(parameters(*base), want, [
            (less(no="pooler"), "the pooler is missing: one more linear layer on top.", 2),
            (less(no="biases"), "the biases are missing: every linear layer has one a column.", 1),
            (less(no="norms"), "the LayerNorms are missing: each has a scale and a shift.", 1),
            (less(tables=2), "two vectors are missing: the segment table's two rows, or scale and "
             "shift of the embeddings' LayerNorm.", 2),
            (less(tables=1), "the tables of positions and segments are missing.", 1),
            (want - layers * 2 * dim, "a block has two LayerNorms, one after each sublayer.", 2),
            (want - layers * (dim * dim + dim), "attention has four linear layers: query, key, "
             "value and output.", 1),
            (want + layers * (hidden - dim), "the second layer of the feed-forward network has "
             "`dim` biases, one a column of its result.", 2),
            (want + V * dim, "the head for masked words is counted: its table is that of the "
             "words.", 2),
            (want + V, "the bias of the softmax is counted: it belongs to the head.", 2),
        ], tolerance=0.0, what="the number for BERT-base")  # fmt: skip
        if not isinstance(told, Right):
            return told
        small = 1000, 32, 2, 64
        if parameters(*small) != self.count(*small):
            return Wrong("right for BERT-base, but not for a small one: is a number fixed?", 2)
        return Right(
            f"{self.count(*base):,}; BERT-large has {self.count(30_522, 1024, 24, 4096):,}."
        )


class WhyMask(Written):
    id = "05.why_mask"
    title = "Why not simply the next word?"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "What would a layer that looks to both sides see, if the next word were to be guessed?",
        "[MASK] never stands in a text that the model is used on.",
    )
    rubric = """
- 1 point: a deep bidirectional network could read the word that it is to guess from the input (or,
  over two layers, through another place) and would copy; the input must be spoilt for it to learn.
- 1 point: the price: only 15 % of the tokens teach something in one pass, so it needs more passes;
  and `[MASK]` is a token that no task will show.
- 1 point: 10 % kept and 10 % random: the model cannot know which words it will be asked for, so it
  must keep a good state for every word, which matters most where states are used as they are.
"""


class WhichLoss(Quiz):
    id = "05.q1"
    question = "128 tokens, 19 of them masked. On how many places is the masked-word loss computed?"
    choices = (
        Choice("128", "An autoencoder would do that. BERT predicts only what was chosen."),
        Choice(
            "19",
            "Yes: the random and the unchanged ones among the chosen count, and nothing else.",
            right=True,
        ),
        Choice("15", "These show [MASK]; the other four chosen are to be guessed, too."),
    )


class WhySegments(Quiz):
    id = "05.q2"
    question = "How does BERT tell the word *river* at place 3 from the same word at place 9?"
    choices = (
        Choice("By its word vector.", "That is the same at both places."),
        Choice(
            "By the position vector that is added to it.",
            "Yes. Attention itself is blind to order, so the place must be in the vector.",
            right=True,
        ),
        Choice("By the order in which attention reads.", "Attention reads all places at once."),
    )


class WhatScales(Quiz):
    id = "05.q3"
    question = "Sequences twice as long, as many tokens in all. What grows?"
    choices = (
        Choice(
            "Only attention's share: each token looks at twice as many others.",
            "Yes. Linear layers cost the same a token, scores cost in proportion to the length.",
            right=True,
        ),
        Choice(
            "All of the cost, fourfold.", "Only the part with scores is quadratic in a sequence."
        ),
        Choice("The number of parameters.", "Only the position table has rows for places."),
    )
