"""Chapter 11: rules that vote, and how their votes are counted."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

import minibert as mb
from minibert.course.learn.compare import compare
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import called, foreign
from minibert.course.learn.exercises.kept import CHANGED

COVERED, PRECISE, EACH, RULES = 0.3, 0.8, 0.6, 4  # what the rules of a learner should reach


@lru_cache(maxsize=4)
def judgements(seed: int, tokens: int = 40_000) -> tuple[tuple[str, str], ...]:
    """(sentence, "good" or "bad") of reviews, where all that a sentence says is on one side."""
    found: dict[str, str] = {}
    for review in mb.world.generate(tokens=tokens, seed=seed, kinds="review").documents:
        sides: dict[int, set[str]] = {}
        for number, _, side, _ in review.notes["aspects"]:
            sides.setdefault(number, set()).add(side)
        lines = review.lines()
        found |= {lines[i]: min(said) for i, said in sides.items() if len(said) == 1}
    return tuple(found.items())


class FindTheBug(Exercise):
    id = "11.find_the_bug"
    title = "Find the bug: votes that nobody cast"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "What does `shares[row, -1]` mean in Python?",
        "Count one text by hand: votes `[0, -1, -1]` of two classes.",
        "When abstentions count nothing, a text without a vote has the sum 0. The statement says "
        "what its shares are.",
    )

    def untouched(self, vote_shares: Callable[..., Any]) -> bool:
        votes = torch.tensor([[0, -1, -1], [1, 1, 0], [-1, -1, -1]])
        got = vote_shares(votes.clone(), 3)
        return bool(isinstance(compare(got, self.solve(votes, 3, last=True)), Right))

    def check(self, vote_shares: Callable[..., Any]) -> Right | Wrong:
        for seed, classes in ((1, 2), (2, 3), (3, 4)):
            votes = self.case(seed, 8, 5, classes)
            got, kept = called(vote_shares, votes, classes)
            if strange := foreign(got, "the result"):
                return strange
            verdict = compare(got, self.solve(votes, classes), self.mistakes(votes, classes),
                              what="the shares")  # fmt: skip
            if not isinstance(verdict, Right):
                return verdict
            if not kept:
                return Wrong(CHANGED, 2)
        return Right("-1 is an index in Python. Nothing fails, and the last class is favoured.")

    @classmethod
    def mistakes(cls, votes: Tensor, classes: int) -> list[tuple]:
        """(what a mistake gives, message, points)."""
        good, spoken = cls.solve(votes, classes), (votes >= 0).any(1)
        counts = cls.counts(votes, classes)

        def silent(value: float) -> Tensor:
            return good.masked_fill(~spoken[:, None], value)

        def one(place: int) -> Tensor:
            found = good.clone()
            found[~spoken] = torch.eye(classes)[place]
            return found

        hard = torch.eye(classes)[counts.argmax(1)]
        still = torch.where(spoken[:, None], cls.solve(votes, classes, last=True), good)
        return [
            (still, "an abstention, -1, is still counted for the last class where others vote.", 1),
            (torch.where(spoken[:, None], counts, torch.ones(())), "these are counts: divide each "
             "row by its sum.", 2),
            (cls.solve(votes, classes, last=True), "an abstention, -1, is still counted for the "
             "last class: `shares[row, -1]` is its place.", 1),
            (silent(torch.nan), "a text without a vote becomes NaN, which is 0 / 0: give it equal "
             "shares.", 2),
            (silent(0.0), "the shares of a text without a vote add up to 0: equal shares.", 2),
            (silent(1.0), "a text without a vote gets 1 for each class: equal shares add up to 1.",
             2),
            (one(0), "a text without a vote goes to the first class: equal shares.", 2),
            (one(-1), "a text without a vote goes to the last class: equal shares.", 2),
            (good[spoken], "texts without a vote are left out: every text has a row.", 2),
            (counts, "these are counts: divide each row by its sum.", 2),
            (counts / votes.shape[1], "divided by the number of functions: by that of the votes "
             "cast.", 2),
            (hard, "only the class with the most votes is left: shares are wanted.", 2),
            ((counts + 1) / (counts + 1).sum(1, keepdim=True), "one vote is added to each class: "
             "the shares of the votes cast, as they are.", 2),
            (cls.solve(votes.clamp(min=0), classes), "an abstention is counted for the first "
             "class: it counts for none.", 1),
            (cls.counts(votes, classes, extra=True), "the abstentions have a column of their own: "
             "one column for each class.", 1),
        ]  # fmt: skip

    @staticmethod
    def counts(votes: Tensor, classes: int, extra: bool = False) -> Tensor:
        """How many votes each class has; with ``extra``, shares with the abstentions as one."""
        every = torch.cat((torch.arange(classes), torch.tensor([-1])))
        found = (votes[:, :, None] == every).sum(1).float()
        return found / found.sum(1, keepdim=True) if extra else found[:, :classes]

    @classmethod
    def solve(cls, votes: Tensor, classes: int, last: bool = False) -> Tensor:
        """The shares, or those of the bug."""
        cast = torch.where(votes < 0, classes - 1, votes) if last else votes
        counts = cls.counts(cast, classes)
        counts = torch.where(counts.sum(1, keepdim=True) > 0, counts, torch.ones(()))
        return counts / counts.sum(1, keepdim=True)

    @staticmethod
    def case(seed: int, texts: int, functions: int, classes: int) -> Tensor:
        """Votes (texts, functions): one text without any, one on which most are silent."""
        draw = torch.Generator().manual_seed(seed)
        votes = torch.randint(-1, classes, (texts, functions), generator=draw)
        votes[1], votes[3] = -1, -1
        votes[3, 0], votes[4, 1:] = 0, -1
        return votes


class Rules(Exercise):
    id = "11.rules"
    title = "Your own labelling functions"
    minutes, difficulty, importance, points = 20, 2, 5, 6
    hints = (
        "A rule gives one place of the list: `\"good\" if words & praise else \"bad\" if words & "
        "blame else None`, with two sets of many words.",
        "Compare whole words in lower case: *unfair* contains *fair*, and a sentence begins with "
        "a capital.",
        "*Not*, *nobody*, *never*, *hardly*, *far from* turn a judgement round: look for one of "
        "them first.",
        "Not only adjectives tell: *to be fair*, *at least*, *I must admit* introduce praise; "
        "*a little*, *only complaint* blame.",
    )  # fmt: skip

    def as_functions(self, rules: Callable[..., Any]) -> tuple:
        return (partial(self.tried, rules),)

    @staticmethod
    def tried(rules: Callable[..., Any], texts: Sequence[str]) -> Any:
        """What each rule says of each text: a list for each text, and what is no list as it is."""
        found = [rules(text) for text in texts]
        return [list(row) if isinstance(row, tuple) else row for row in found]

    def untouched(self, tried: Callable[..., Any]) -> bool:
        return tried(["The waiter was lovely."]) in ([[]], [None], [...])

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        said = tried(["The waiter was lovely."])[0]
        if not isinstance(said, list):
            return Wrong("expected a list with what each rule says of the text, such as "
                         "['good', None, None, 'bad']: is there a `return`?")  # fmt: skip
        pairs = judgements(7)
        found = tried([text for text, _ in pairs])
        if any(not isinstance(row, list) or len(row) != len(said) for row in found):
            return Wrong("the list is not always of one length: each rule has its own place in "
                         "it, and stands there as None where it is silent.", 1)  # fmt: skip
        if len(said) < RULES:
            return Wrong(f"{len(said)} rules: at least {RULES} are needed, so that they can be "
                         "compared with each other.", 1)  # fmt: skip
        for check in (self.labels, self.each, self.traps, self.apart):
            if wrong := check(tried, found, pairs):
                return wrong
        coverage, precision = self.measured(found, pairs)
        if precision < PRECISE:
            return Wrong(f"where the rules speak, their majority is right in {precision:.0%}: at "
                         f"least {PRECISE:.0%}. Which words mislead them?", 3)  # fmt: skip
        if coverage < COVERED:
            return Wrong(f"the rules say something of {coverage:.0%} of the sentences: of at "
                         f"least {COVERED:.0%}. More words, or other signs?", 4)  # fmt: skip
        return Right(f"Your rules speak on {coverage:.0%} of {len(pairs)} sentences, and their "
                     f"majority is right on {precision:.0%} of those.")  # fmt: skip

    @staticmethod
    def labels(tried: Any, found: list, pairs: tuple) -> Wrong | None:
        """What is wrong with what the rules give back."""
        said = {repr(one) for row in found for one in row} - {"'good'", "'bad'", "None"}
        if said:
            more = " (`None`, not `-1` or `False`, where it says nothing)"
            return Wrong(f"a rule says {min(said)}: 'good', 'bad' or None{more}.", 1)
        return None

    @staticmethod
    def each(tried: Any, found: list, pairs: tuple) -> Wrong | None:
        """What is wrong with a single rule."""
        for number in range(len(found[0])):
            votes = [(row[number], side) for row, (_, side) in zip(found, pairs, strict=True)]
            cast = [said == side for said, side in votes if said is not None]
            if not cast:
                return Wrong(f"rule {number} never says anything of {len(pairs)} sentences.", 2)
            if len(cast) == len(votes) and len({said for said, _ in votes}) == 1:
                return Wrong(f"rule {number} says the same of every sentence: it should be "
                             "silent where it knows nothing.", 2)  # fmt: skip
            share = sum(cast) / len(cast)
            if share < EACH:
                hint = " Is it turned round?" if share < 0.4 else ""
                return Wrong(f"rule {number} is right on {share:.0%} of the {len(cast)} sentences "
                             f"on which it votes: at least {EACH:.0%}.{hint}", 2)  # fmt: skip
        return None

    @staticmethod
    def apart(tried: Any, found: list, pairs: tuple) -> Wrong | None:
        """What is wrong with the rules beside each other: copies, and rules of one side."""
        columns = list(zip(*found, strict=True))
        for number, column in enumerate(columns):
            if (first := columns.index(column)) < number:
                return Wrong(f"rules {first} and {number} vote alike on all sentences: copies "
                             "agree perfectly, and that looks like the truth. Take another "
                             "sign.", 3)  # fmt: skip
        for number, column in enumerate(columns):
            if len(sides := set(column) - {None}) == 1:
                return Wrong(f"rule {number} only ever says {min(sides)!r}: let it say the other "
                             "side, too, or the label model cannot judge it. Praise and blame "
                             "of one kind make one rule.", 3)  # fmt: skip
        return None

    @classmethod
    def traps(cls, tried: Any, found: list, pairs: tuple) -> Wrong | None:
        """What is wrong on sentences that are made to mislead."""
        texts = [text for text, _ in pairs]
        upper = tried([text.upper() for text in texts])
        voted, loud = (sum(map(cls.speaks, rows)) for rows in (found, upper))
        if loud < 0.5 * voted:
            return Wrong("in capitals the rules fall silent, as at the beginning of a sentence: "
                         "compare in lower case.", 3)  # fmt: skip
        turned = [i for i, text in enumerate(texts)
                  if re.search(r"\b(not|nobody|neither|nor)\b|n't", text.lower())]  # fmt: skip
        share = cls.measured([found[i] for i in turned], tuple(pairs[i] for i in turned))
        if share[0] > 0.1 and share[1] < 0.55:
            return Wrong("sentences such as *The cover is not beautiful* are misread: "
                         f"{share[1]:.0%} of those with a negation are right. Turn the side "
                         "round, or be silent.", 3)  # fmt: skip
        return None

    @staticmethod
    def speaks(row: list) -> bool:
        """Whether any rule votes."""
        return any(one is not None for one in row)

    @staticmethod
    def measured(found: list, pairs: tuple) -> tuple[float, float]:
        """(share of sentences with a vote, share of those whose majority is right: half a tie)."""
        right = []
        for row, (_, side) in zip(found, pairs, strict=True):
            good, bad = row.count("good"), row.count("bad")
            if good or bad:
                right.append(0.5 if good == bad else float((good > bad) == (side == "good")))
        return len(right) / max(1, len(pairs)), sum(right) / max(1, len(right))
