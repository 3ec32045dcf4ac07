"""Chapter 11: how often each task is drawn, and what the mistakes of a model have in common."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import called, foreign
from minibert.course.learn.exercises.kept import CHANGED

Texts = list[list[str]]


class Chances(Exercise):
    id = "11.chances"
    title = "How often each task is drawn"
    minutes, difficulty, importance, points = 8, 2, 4, 4
    hints = (
        "First the exponent: it goes from `first` to `last` in even steps, and is `first` where "
        "there is a single epoch.",
        "`sizes.float() ** alpha`, and then divide by the sum.",
    )
    default = torch.full((3,), 1 / 3)
    example = (torch.tensor([10, 20, 70]), 1.0, 0.2, 1, 5)

    def check(self, chances: Callable[..., Any]) -> Right | Wrong:
        for case in (
            (torch.tensor([1000, 200, 50, 50]), 0.8, 0.2, 1, 5),
            (torch.tensor([1000, 200, 50, 50]), 1.0, 0.2, 4, 5),
            (torch.tensor([900, 90, 10]), 0.5, 0.5, 2, 4),
            (torch.tensor([900, 90, 10]), 1.0, 0.5, 0, 1),
            (torch.tensor([6, 3, 1]), 0.8, 0.0, 2, 3),
        ):
            got, kept = called(chances, *case)
            if strange := foreign(got, "the result"):
                return strange
            what = "chances({}, {}, {}, {}, {})".format(case[0].tolist(), *case[1:])
            verdict = compare(got, self.solve(*case), self.mistakes(*case), what=what)
            if not isinstance(verdict, Right):
                return verdict
            if not kept:
                return Wrong(CHANGED, 2)
        return Right("At alpha = 1 the largest task rules; at alpha = 0 all tasks are alike.")

    @staticmethod
    def solve(sizes: Tensor, first: float, last: float, *when: int) -> Tensor:
        """The chance of each task; when: the epoch, and how many there are."""
        epoch, epochs = when
        alpha = first + (last - first) * epoch / max(1, epochs - 1)
        weights = sizes.double() ** alpha
        return (weights / weights.sum()).float()

    @classmethod
    def mistakes(cls, sizes: Tensor, first: float, last: float, *when: int) -> list[tuple]:
        """(what a mistake gives, message, points); when: as in `solve`."""
        epoch, epochs = when

        def at(alpha: float) -> Tensor:
            return sizes.double() ** alpha

        def share(x: Tensor) -> Tensor:
            return (x / x.sum()).float()

        done = epoch / max(1, epochs - 1)
        alpha, back = first + (last - first) * done, last + (first - last) * done
        return [
            (at(alpha).float(), "these do not add up to 1: divide by their sum.", 2),
            (share(at(1.0)), "in proportion to the sizes, whatever alpha is: `sizes ** alpha`.", 1),
            (share(at(first)), "alpha stays `first`: it moves to `last` with the epochs.", 2),
            (share(at(last)), "alpha is `last` from the start: it begins at `first`.", 2),
            (share(at(back)), "alpha goes from `last` to `first`: the other way.", 2),
            (share(at(first + (last - first) * epoch / epochs)),
             "alpha never reaches `last`: epochs count from 0, so the last is `epochs - 1`.", 3),
            (share(at(first + (last - first) * (epoch + 1) / epochs)),
             "alpha is one epoch ahead: in epoch 0 it is `first`.", 3),
            (share(at(-alpha)), "small tasks are drawn most: the exponent has the wrong sign.", 2),
            ((sizes / sizes.sum()).double().pow(alpha).float(),
             "divide after the power, not before: these do not add up to 1.", 2),
            (sizes.double().softmax(0).float(), "a softmax: powers, divided by their sum.", 1),
            ((alpha * sizes.double().log()).exp().softmax(0).float(),
             "a softmax of the powers: divide them by their sum.", 1),
            (at(alpha).float() / at(alpha).max().float(), "divided by the largest: by the sum.", 2),
            (share(at(1 / alpha if alpha else 1.0)), "1 / alpha is the exponent: alpha is.", 2),
        ]  # fmt: skip


class Suspects(Exercise):
    id = "11.suspects"
    title = "Error analysis: which words go with mistakes?"
    minutes, difficulty, importance, points = 12, 3, 4, 4
    hints = (
        "A word counts once for a text: go over `set(words)`.",
        "Two counters: in how many texts a word stands, and in how many of those the model is "
        "wrong.",
        "`sorted(found, key=lambda one: (-one[1], one[0]))` puts the largest first, and equals by "
        "the alphabet.",
    )  # fmt: skip
    default = []
    example = ([["cold", "soup"], ["cold"], ["soup"]], [True, False, True], 1)

    def check(self, suspects: Callable[..., Any]) -> Right | Wrong:
        for seed, least in ((1, 3), (2, 5), (3, 1), (4, 4)):
            texts, right = self.case(seed)
            got, before = suspects(texts, right, least), self.case(seed)
            if (texts, right) != before:
                return Wrong(CHANGED, 2)
            if wrong := self.judged(got, texts, right, least):
                return wrong
        return Right("A list like this is a guess where to look; the sentences decide.")

    @classmethod
    def judged(cls, got: Any, texts: Texts, right: list[bool], least: int) -> Wrong | None:
        """What is wrong with a result."""
        if isinstance(got, dict):
            return Wrong("a dictionary: give a sorted list of pairs (word, excess).", 1)
        if not isinstance(got, list | tuple) or any(
            not isinstance(one, list | tuple) or len(one) != 2 for one in got
        ):
            return Wrong("expected a list of pairs (word, excess): is there a `return`?")
        pairs = [(word, float(excess)) for word, excess in got]
        want = cls.solve(texts, right, least)
        if cls.equal(pairs, want):
            return None
        for message, how in cls.mistakes().items():
            if cls.equal(pairs, cls.solve(texts, right, least, **how)):
                return Wrong(message, 2)
        if cls.equal(sorted(pairs), sorted(want)):
            return Wrong("the pairs are right, but not their order: the largest excess first, "
                         "equals by the alphabet.", 3)  # fmt: skip
        if {word for word, _ in pairs} != {word for word, _ in want}:
            return Wrong(f"other words than expected: those that stand in at least {least} texts.",
                         1)  # fmt: skip
        return Wrong("the words are right, but not their numbers: the share of wrong answers among "
                     "the texts with the word, less that among all texts.", 1)  # fmt: skip

    @staticmethod
    def equal(a: list[tuple], b: list[tuple]) -> bool:
        """Whether two lists have the same words in the same order, and nearly the same numbers."""
        words = [one for one, _ in a] == [one for one, _ in b]
        return words and same([x for _, x in a], [x for _, x in b])

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how it goes wrong."""
        return {
            "a word counts several times in a text where it stands several times: once for each "
            "text.": {"often": True},
            "the share among all texts is not taken away.": {"whole": 0.0},
            "this is the share of *right* answers: of wrong ones.": {"right": True},
            "words in just `least` texts are missing: *at least* so many.": {"more": True},
            "rare words are not left out: a word must stand in at least `least` texts.":
                {"all": True},
            "the smallest excess comes first: the largest.": {"up": True},
            "divided by the number of all texts: by that of the texts with the word.":
                {"by": "texts"},
            "numbers of mistakes, not shares.": {"by": "none"},
            "divided by the number of all mistakes: of the texts with the word, which share is "
            "wrong?": {"by": "mistakes"},
            "the excess has lost its sign: a word may go with *fewer* mistakes.": {"abs": True},
            "words without a mistake are missing: theirs is below zero.": {"only": True},
            "compared with the texts *without* the word: with all texts.": {"others": True},
            "divided by the share among all texts: take it away.": {"ratio": True},
        }  # fmt: skip

    @staticmethod
    def solve(
        texts: Texts, right: list[bool], least: int, /, **how: Any
    ) -> list[tuple[str, float]]:
        """The words and their excess of mistakes, or what a mistake gives."""
        seen, wrong = Counter[str](), Counter[str]()
        for words, hit in zip(texts, right, strict=True):
            for word in words if how.get("often") else set(words):
                seen[word] += 1
                wrong[word] += hit if how.get("right") else not hit
        bad = sum(map(bool, right)) if how.get("right") else right.count(False)
        whole, found = how.get("whole", bad / len(texts)), []
        for word, count in seen.items():
            enough = count > least if how.get("more") else count >= least
            if not (enough or how.get("all")) or (how.get("only") and not wrong[word]):
                continue
            by = {"texts": len(texts), "none": 1, "mistakes": max(1, bad)}
            share = wrong[word] / by.get(how.get("by", ""), count)
            rest = (bad - wrong[word]) / max(1, len(texts) - count) if how.get("others") else whole
            excess = share / max(rest, 1e-9) if how.get("ratio") else share - rest
            found.append((word, abs(excess) if how.get("abs") else excess))
        sign = 1 if how.get("up") else -1
        return sorted(found, key=lambda one: (sign * round(one[1], 9), one[0]))

    @staticmethod
    def case(seed: int, count: int = 30) -> tuple[Texts, list[bool]]:
        """Texts of a few words, some twice in a text, and whether each was judged rightly."""
        draw = random.Random(seed)
        words = "the room was not warm cold nobody could call it far from clean".split()
        texts = [draw.choices(words, k=draw.randint(2, 7)) for _ in range(count)]
        odds = [0.3 if {"not", "nobody"} & set(one) else 0.8 for one in texts]
        odds = [1.0 if "clean" in one else odd for one, odd in zip(texts, odds, strict=True)]
        return texts, [draw.random() < odd for odd in odds]
