"""Chapter 05: what BERT reads: the sum of three vectors, and the masked words."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept


class Embed(Exercise):
    id = "05.embed"
    title = "The sum of three vectors"
    minutes, difficulty, importance, points = 10, 2, 4, 3
    hints = (
        "A table is indexed by a tensor of ids: `words[ids]` has the shape (batch, length, dim).",
        "The positions are 0, 1, 2, ... in every row, whatever the words are: the first `length` "
        "rows of their table.",
        "LayerNorm takes mean and variance over the last axis, of each token by itself: "
        "`F.layer_norm(x, x.shape[-1:], eps=1e-12)`.",
    )

    def other(self) -> tuple[Tensor, ...]:
        """Another length and width; the first text does not end at a [SEP]."""
        generator = torch.Generator().manual_seed(8)
        tables = (torch.randn(rows, 12, generator=generator) for rows in (11, 7, 2))
        return torch.tensor([[2, 7, 5, 9]]), torch.tensor([[0, 1, 1, 0]]), *tables

    @staticmethod
    def embed(*case: Tensor) -> Tensor:
        ids, segments, words, positions, kinds = case  # ids, segments: (batch, length)
        total = words[ids] + positions[: ids.shape[1]] + kinds[segments]  # (batch, length, dim)
        return F.layer_norm(total, total.shape[-1:], eps=1e-12)

    def case(self) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(7)
        ids = torch.tensor([[2, 7, 5, 3, 9, 3], [2, 8, 3, 5, 5, 3]])
        segments = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]])
        tables = (torch.randn(rows, 8, generator=generator) for rows in (11, 10, 2))
        return ids, segments, *tables

    def as_functions(self, embed: Any) -> tuple:
        return (partial(self.seen, embed),)

    @staticmethod
    def seen(embed: Any, *arguments: Tensor) -> dict:
        """The sum, whether an argument was changed, and which tables get a gradient."""
        free = [x.clone().requires_grad_() if x.is_floating_point() else x for x in arguments]
        got, changed = kept(embed, *(x * 1 for x in free))  # a leaf refuses every change
        if torch.is_tensor(got) and got.requires_grad:
            (got * torch.arange(got.numel()).view_as(got).sin()).sum().backward()
        tables = [x for x in free if x.is_floating_point()]
        flows = [x.grad is not None and bool(x.grad.any()) for x in tables]
        return {"loss": got, "changed": changed, "flows": flows}

    def untouched(self, embed: Any) -> bool:
        got = embed(*self.case())["loss"]
        return got is None or got is Ellipsis

    def check(self, embed: Any) -> Right | Wrong:
        found = embed(*self.case())
        if found["changed"]:
            return Wrong(CHANGED, 1)
        told = self.compared(found["loss"], self.case())
        if not isinstance(told, Right):
            return told
        if not all(found["flows"]):
            return Wrong("right, but no gradient can flow back to each of the three tables: give a "
                         "tensor, without `.detach()` and `torch.no_grad()`.", 1)  # fmt: skip
        if not same(embed(*self.other())["loss"], self.embed(*self.other()), 1e-4):
            return Wrong("right here, but not for another text: is a size fixed, or a segment "
                         "not looked up by `segments`?", 2)  # fmt: skip
        return told

    @staticmethod
    def compared(got: Any, case: tuple[Tensor, ...]) -> Right | Wrong:
        """The verdict on the numbers."""
        ids, segments, words, positions, kinds = case
        word, kind, position = words[ids], kinds[segments], positions[: ids.shape[1]]
        norm = partial(F.layer_norm, normalized_shape=words.shape[-1:], eps=1e-12)
        total = word + position + kind  # (batch, length, dim)
        one = torch.ones_like(ids).cumsum(1) - 1  # 0, 1, 2, ... in each row
        restart = torch.where(segments == 1, one - (segments == 0).sum(1, keepdim=True), one)
        centred = total - total.mean(-1, keepdim=True)
        return compare(got, norm(total), [
            (total, "the LayerNorm is missing: mean 0 and variance 1 for each token.", 2),
            (norm(word), "only the words are there: add position and segment.", 1),
            (norm(word + kind), "the positions are missing: *dog bites man* would be *man bites "
             "dog*.", 1),
            (norm(word + position), "the segments are missing.", 2),
            (norm(word + positions[ids.clamp(max=len(positions) - 1)] + kind),
             "the positions are looked up by the ids of the words: they are 0, 1, 2, ...", 1),
            (norm(word + positions[1 : ids.shape[1] + 1] + kind), "positions begin at 0.", 2),
            (norm(word + position.flip(0) + kind), "the positions run backwards.", 2),
            (norm(word + positions[restart] + kind), "the positions begin again in the second "
             "text: they count through the whole input.", 2),
            (norm(word + position + kinds[1 - segments]), "the segments are swapped.", 2),
            (norm(word * position * kind), "a product: it should be the sum.", 1),
            (F.normalize(total, dim=-1), "each token has length 1: it should have mean 0 and "
             "variance 1, so `F.layer_norm`.", 1),
            (F.normalize(centred, dim=-1), "each token has length 1: its variance should be 1.", 2),
            ((total - total.mean()) / total.std(), "one mean and variance for the whole batch: "
             "each token has its own.", 1),
            (norm(word) + norm(position) + norm(kind), "add first, then one LayerNorm.", 2),
            (total / 3, "a mean: it should be the sum, and a LayerNorm.", 1),
            (centred / total.std(-1, keepdim=True), "the variance divides by dim, not dim - 1: "
             "`unbiased=False`.", 2),
            (centred / total.var(-1, keepdim=True, unbiased=False),
             "divided by the variance: divide by its square root.", 2),
            (F.layer_norm(total, total.shape[-2:]), "the LayerNorm mixes the tokens of a text: "
             "mean and variance are over the last axis only.", 1),
            (centred, "the mean is 0, but the variance is not 1 yet.", 2),
        ], tolerance=1e-4, what="the sum",
            right="Three tables, one addition: the rest of the network sees nothing else.",
        )  # fmt: skip


class Choose(Exercise):
    id = "05.choose"
    title = "Choose 15 %"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "Give the positions that must not be chosen a noise that is never the lowest, 2.0 say (in "
        "a copy: `noise.masked_fill(~maskable, 2.0)`).",
        "`x.argsort(1).argsort(1)` is each position's rank in its row, 0 for the lowest.",
        "A position is chosen if its rank is below the row's quota, and if it may be chosen at "
        "all.",
    )

    def case(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(11)
        maskable = torch.ones(5, 32, dtype=torch.bool)
        maskable[:, 0] = maskable[:, 31] = False  # [CLS] and [SEP]
        maskable[0, 26:] = maskable[1, 17:] = maskable[2, 5:] = maskable[3, :] = False
        maskable[4, 28:] = False
        maskable[2, 2] = False  # two words are left: 15 % of them is less than a half
        return maskable, torch.rand(5, 32, generator=generator)

    def as_functions(self, choose: Any) -> tuple:
        return (partial(kept, choose),)

    def untouched(self, choose: Any) -> bool:
        got, _ = choose(*self.case())
        return got is None or got is Ellipsis

    @staticmethod
    def choose(maskable: Tensor, noise: Tensor, share: float = 0.15, least: int = 1) -> Tensor:
        rank = noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1)
        quota = (share * maskable.sum(1, keepdim=True)).round().clamp(min=least)  # (batch, 1)
        return (rank < quota) & maskable

    def check(self, choose: Any) -> Right | Wrong:
        maskable, noise = self.case()
        got, changed = choose(maskable, noise)
        if changed:
            return Wrong(CHANGED, 1)
        want = self.choose(maskable, noise)
        if not torch.is_tensor(got) or (got.shape == want.shape and got.dtype != torch.bool):
            return Wrong(
                "the answer should be a tensor of bool, True where a position is chosen.", 2
            )
        mistakes = self.mistakes(maskable, noise)
        if got.shape == want.shape and torch.equal(got.sum(1), (got & maskable).sum(1)):
            as_many = torch.equal(got.sum(1), want.sum(1))
            mistakes.append((got, "as many as there should be in each row, but not those with the "
                             "lowest `noise`." if as_many else "not the right number in each row: "
                             "max(1, round(share * n)), n of its own.", 1))  # fmt: skip
        told = compare(got, want, mistakes, what="`chosen`")
        if not isinstance(told, Right):
            return told
        more, _ = choose(maskable, noise, 0.4)
        if not same(more, self.choose(maskable, noise, 0.4)):
            return Wrong("right for 15 %, but not for `share=0.4`: is a number fixed?", 2)
        return Right("Each text is asked for as many words as its length allows, never for [SEP].")

    def mistakes(self, maskable: Tensor, noise: Tensor) -> list:
        """What known mistakes give."""
        anywhere, length = torch.ones_like(maskable), maskable.shape[1]
        whole = noise.masked_fill(~maskable, 2.0).flatten().argsort().argsort().view_as(noise)
        ranked = noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1)
        quota = (0.15 * maskable.sum(1, keepdim=True)).round().clamp(min=1)  # (batch, 1)
        want = self.choose(maskable, noise)
        return [
            (noise < 0.15, "each position is chosen by itself, special tokens among them: choose "
             "the row's quota of lowest noise, where `maskable`.", 1),
            ((noise < 0.15) & maskable, "each position is chosen by itself, so a row may have "
             "none: choose a fixed number in each row, those with the lowest noise.", 1),
            (self.choose(anywhere, noise), "[CLS], [SEP] or padding is chosen: mind `maskable`.",
             1),
            ((noise.argsort(1).argsort(1) < quota) & maskable,
             "the noise of positions that cannot be chosen takes part in the ranking: "
             "push these to the end first.", 1),
            ((ranked < round(0.15 * length)) & maskable, "the quota is 15 % of the whole length: "
             "it should be 15 % of the positions that can be chosen.", 1),
            (self.choose(maskable, noise, least=0), "a short text has nothing hidden: at least one "
             "position in each row that has any.", 2),
            (ranked < quota,
             "a row without any word has a chosen position: add `& maskable`.", 2),
            ((noise.masked_fill(~maskable, 2.0).argsort(1) < quota) & maskable, "one `argsort` "
             "gives positions in order of noise; the rank of each position takes a second one.", 1),
            ((ranked <= quota) & maskable, "one position too many: ranks begin at 0, so `<`.", 2),
            (want & False, "nothing is chosen.", 1),
            (self.choose(maskable, 1 - noise), "those with the highest noise are chosen.", 2),
            ((ranked < (0.15 * maskable.sum(1, keepdim=True)).floor().clamp(min=1)) & maskable,
             "the quota is cut off: round it.", 2),
            ((ranked < (0.15 * maskable.sum(1, keepdim=True)).ceil().clamp(min=1)) & maskable,
             "the quota is rounded up: round it to the nearest number.", 2),
            ((ranked > quota) & maskable, "turned round: a rank below the quota is chosen.", 1),
            ((whole < round(0.15 * int(maskable.sum()))) & maskable, "15 % of the whole batch: "
             "each row should have 15 % of its own.", 1),
            (~want & maskable, "turned round: True where a position is chosen.", 1),
        ]  # fmt: skip


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

    def case(self, mask_id: int = 4) -> tuple:
        generator, shape = torch.Generator().manual_seed(5), (3, 40)
        ids = torch.randint(10, 50, shape, generator=generator)
        chosen = torch.rand(shape, generator=generator) < 0.5
        fate = torch.rand(shape, generator=generator)
        drawn = torch.randint(60, 90, shape, generator=generator)
        return ids, chosen, fate, drawn, mask_id

    def as_functions(self, hide: Any) -> tuple:
        return (partial(kept, hide),)

    def untouched(self, hide: Any) -> bool:
        (got, _), ids = hide(*self.case()), self.case()[0]
        if got is None or got is Ellipsis:
            return True
        parts = isinstance(got, tuple | list) and len(got) == 2
        return parts and same(got[0], ids) and same(got[1], torch.full_like(ids, -100))

    @staticmethod
    def hide(case: tuple, split: tuple[float, float] = (0.8, 0.9)) -> tuple[Tensor, Tensor]:
        ids, chosen, fate, drawn, mask_id = case  # (batch, length) each, and a number
        seen = torch.where(chosen & (fate < split[0]), mask_id, ids)
        seen = torch.where(chosen & (fate >= split[0]) & (fate < split[1]), drawn, seen)
        return seen, torch.where(chosen, ids, -100)

    def check(self, hide: Any) -> Right | Wrong:
        ids, chosen, _, _, mask_id = case = self.case()
        got, changed = hide(*self.case())
        if changed:
            return Wrong(CHANGED, 1)
        if not isinstance(got, tuple | list) or len(got) != 2:
            return Wrong("expected two tensors, what the model sees and the labels.")
        seen, labels = got
        want, wanted = self.hide(case)
        told = compare(labels, wanted, [
            (ids, "every position has a label: the model would be asked for words that it sees.",
             1),
            (torch.where(want != ids, ids, -100),
             "only the positions that changed have a label: the words that were chosen and kept "
             "have to be predicted, too.", 1),
            (torch.where(want == mask_id, ids, -100),
             "only the positions with [MASK] have a label: the random and the kept words have "
             "to be predicted, too.", 1),
            (torch.where(chosen, want, -100),
             "the labels are what the model sees: they should be what stood there.", 1),
            (torch.where(chosen, -100, ids),
             "turned round: -100 belongs where nothing was chosen.", 1),
            (torch.where(chosen, ids, 0),
             "0 is a token like any other: -100 marks the positions that are not asked.", 1),
            (want, "the two results are swapped: what the model sees comes first.", 2),
            (chosen, "the labels only mark what was chosen: they should be the words there.", 1),
            *self.unmarked(labels, case),
        ], what="the labels")  # fmt: skip
        told = self.sees(seen, case) if isinstance(told, Right) else told
        if not isinstance(told, Right):
            return told
        if any(not torch.is_tensor(x) or x.dtype != ids.dtype for x in got):
            return Wrong("both results should be tensors of integers, as `ids` is.", 2)
        if not same(hide(*self.case(7))[0][0], self.hide(self.case(7))[0]):
            return Wrong("right where [MASK] has the number 4, but not for 7: use `mask_id`.", 2)
        return told

    @staticmethod
    def unmarked(labels: Any, case: tuple) -> list:
        """A mistake if the labels are right where chosen, and not -100 elsewhere."""
        ids, chosen = case[:2]
        if not torch.is_tensor(labels) or labels.shape != ids.shape:
            return []
        if not same(labels[chosen], ids[chosen]):
            return []
        return [(labels, "right where a word was chosen; but elsewhere the label should be -100, "
                 "which `F.cross_entropy` leaves out.", 2)]  # fmt: skip

    def sees(self, seen: Tensor, case: tuple) -> Right | Wrong:
        """The verdict on what the model sees."""
        ids, chosen, fate, drawn, mask_id = case
        fits = torch.is_tensor(seen) and seen.shape == ids.shape
        if fits and not same(seen[~chosen], ids[~chosen]):
            return Wrong("words that were not chosen have changed: add `chosen &`.", 1)
        return compare(seen, self.hide(case)[0], [
            (torch.where(chosen, mask_id, ids), "all of them are [MASK]: 80 % should be.", 1),
            (self.hide(case, (0.8, 1.0))[0],
             "one in five is a random word: half of these should stay as they are.", 1),
            (self.hide(case, (0.0, 0.9))[0],
             "no [MASK]: the second line overwrites [MASK]: begin at 0.8.", 2),
            (self.hide(case, (0.1, 0.2))[0],
             "only one in ten is [MASK]: the shares are mixed up.", 1),
            (self.hide(case, (0.8, 0.8))[0],
             "no random word: from 0.8 to below 0.9 it is `drawn`.", 1),
            (torch.where(chosen & (fate >= 0.9), drawn, self.hide(case, (0.8, 0.8))[0]),
             "random and kept are swapped: from 0.9 on the word stays.", 1),

            (ids, "nothing is hidden: the model sees every word that it is asked for.", 1),
            *([(seen, "right where nothing was chosen; where something was, `fate` decides what "
                "happens, and a random word is that of `drawn` at the same position.", 1)]
              if fits else []),
        ], what="what the model sees",
            right="The labels keep every chosen word, those that can still be read among them.",
        )  # fmt: skip
