"""The exercises and the quiz of chapter 06, BERT: fine-tuning."""

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong
from minibert.heads.spans import normalise_answer
from minibert.text.batches import IGNORE


class Pair(Exercise):
    id = "06.pair"
    title = "Two texts in one sequence"
    minutes, difficulty, importance, points = 8, 1, 4, 3
    hints = (
        "There are three special pieces: one `cls_id` at the very beginning, one `sep_id` after "
        "each of the two texts.",
        "The segment of everything up to and including the first `sep_id` is 0, of the rest 1.",
        "Both lists are equally long: `len(first) + 2` zeros, `len(second) + 1` ones.",
    )
    default: tuple[list, list] = ([], [])
    example = ([7], [8], 1, 2)

    def check(self, pair: Callable[..., Sequence[Sequence[int]]]) -> Right | Wrong:
        first, second, cls_id, sep_id = [11, 12, 13], [21, 22], 2, 3
        got = pair(list(first), list(second), cls_id, sep_id)
        if not isinstance(got, tuple | list) or len(got) != 2:
            return Wrong("expected two lists: the ids, and the segment of each.")
        ids, segments = (list(part) for part in got)
        want = [cls_id, *first, sep_id, *second, sep_id]
        if ids == want[:-1]:
            return Wrong("the last [SEP] is missing: the second text is closed as well.", 1)
        if ids == [cls_id, *first, sep_id, cls_id, *second, sep_id]:
            return Wrong("there is one [CLS] only, at the very beginning.", 1)
        if ids != want:
            return Wrong(f"the ids should be {want}, but are {ids}.")
        right = [0, 0, 0, 0, 0, 1, 1, 1]
        if len(segments) != len(ids):
            return Wrong(f"expected a segment for each of {len(ids)} ids, got {len(segments)}.", 1)
        if segments == [*right[1:], 1]:
            return Wrong("the first [SEP] belongs to the first text: its segment is 0.", 2)
        if segments == [1 - value for value in right]:
            return Wrong("the segments are swapped: 0 is the first text.", 2)
        if segments != right:
            return Wrong(f"the segments should be {right}, but are {segments}.", 1)
        if [list(part) for part in pair([5], [6], 0, 9)] != [[0, 5, 9, 6, 9], [0, 0, 0, 1, 1]]:
            return Wrong("right for these two texts, but not for others.", 2)
        return Right("Every token of one text can look at every token of the other, in all layers.")


class Align(Exercise):
    id = "06.align"
    title = "A label for each word, pieces of words"
    minutes, difficulty, importance, points = 12, 3, 5, 4
    hints = (
        "Go through the words; `encode(word)` gives the list of its pieces.",
        "Append all pieces to the ids; to the labels append the word's label once, and "
        "`IGNORE` for each further piece.",
        "`[CLS]` and `[SEP]` have no label either: `IGNORE` at both ends.",
    )
    default: tuple[list, list] = ([], [])

    @staticmethod
    def encode(word: str) -> list[int]:
        """Pieces of two letters, numbered by the place of the first in the alphabet."""
        return [10 + ord(word[i]) - ord("a") for i in range(0, len(word), 2)]

    example = (["ab"], [1], encode, 1, 2)

    def check(self, align: Callable[..., Sequence[list[int]]]) -> Right | Wrong:
        words, labels, cls_id, sep_id = ["kit", "in", "wolds"], [0, 2, 5], 2, 3
        got = align(list(words), list(labels), self.encode, cls_id, sep_id)
        if not isinstance(got, tuple | list) or len(got) != 2:
            return Wrong("expected two lists: the ids, and the labels.")
        ids, marks = (list(part) for part in got)
        flat = [i for word in words for i in self.encode(word)]
        if ids == flat:
            return Wrong("the ids lack [CLS] and [SEP].", 1)
        if ids == [cls_id, *(self.encode(word)[0] for word in words), sep_id]:
            return Wrong("only the first piece of each word is read: the model needs all.", 1)
        if ids != [cls_id, *flat, sep_id]:
            return Wrong(f"the ids should be {[cls_id, *flat, sep_id]}, but are {ids}.")
        if len(marks) != len(ids):
            return Wrong(f"expected a label for each of {len(ids)} ids, got {len(marks)}.", 1)
        no = IGNORE  # of "kit" there are two pieces, of "in" one, of "wolds" three
        first, every, last = [0, no, 2, 5, no, no], [0, 0, 2, 5, 5, 5], [no, 0, 2, no, no, 5]
        right = [IGNORE, *first, IGNORE]
        if marks == right:
            return Right(
                "The loss leaves -100 out. The other pieces are read all the same: they tell the "
                "first one what word it begins."
            )
        off = "the labels are one place off: [CLS] takes the first place."
        told = mistaken(marks, [
            ([IGNORE, *every, IGNORE], "every piece has the word's label, so long words count more "
             "than short ones, and B- is said twice: label the first piece.", 2),
            ([IGNORE, *last, IGNORE],
             "the label stands at the last piece: put it at the first.", 2),
            ([IGNORE, 0, 0, 2, 5, 0, 0, IGNORE],
             "the further pieces have the label 0, which is one: -100 is none.", 2),
            ([*first, IGNORE, IGNORE], off, 2), ([IGNORE, IGNORE, *first], off, 2),
        ])  # fmt: skip
        if not told and 0 in (marks[0], marks[-1]):
            return Wrong("[CLS] and [SEP] are no words: 0 is a label, -100 is none.", 2)
        return told or Wrong(f"the labels should be {right}, but are {marks}.", 1)


class BestSpan(Exercise):
    id = "06.best_span"
    title = "The best span"
    minutes, difficulty, importance, points = 15, 3, 5, 4
    hints = (
        "There are not many pairs: try all `i`, and for each all `j` from `i` to "
        "`i + longest - 1`.",
        "The score of a pair is `starts[i] + ends[j]`; keep the largest.",
        "With tensors: `starts[:, None] + ends[None, :]`, `-inf` outside of "
        "`ones.triu().tril(longest - 1)`, and `argmax`.",
    )

    def untouched(self, best_span: Callable[[Tensor, Tensor, int], tuple[int, int]]) -> bool:
        return all(tuple(map(int, best_span(*case))) == (0, 0) for case in self.cases()[:4])

    def check(self, best_span: Callable[[Tensor, Tensor, int], tuple[int, int]]) -> Right | Wrong:
        cases, found = self.cases(), []
        for starts, ends, longest in cases:
            got = best_span(starts.clone(), ends.clone(), longest)
            if not isinstance(got, tuple | list) or len(got) != 2:
                return Wrong("expected a pair: the first and the last token.")
            found.append(tuple(map(int, got)))
        right = sum(got == self.solve(*case) for got, case in zip(found, cases, strict=True))
        if right == len(cases):
            return Right("The best start alone and the best end alone may be no span at all.")
        kinds = zip(*(self.mistakes(*case) for case in cases), strict=True)  # in all cases each
        mistakes = [([pair for pair, *_ in kind], *kind[0][1:]) for kind in kinds]
        return mistaken(found, mistakes) or Wrong(f"right in {right} of {len(cases)} cases.")

    @classmethod
    def mistakes(cls, starts: Tensor, ends: Tensor, longest: int) -> list[tuple]:
        """[(the pair that a mistake gives, the message, points)]."""
        first, last = cls.solve(starts, ends, longest)
        start = int(starts.argmax())
        return [
            ((start, int(ends.argmax())),
             "the best start and the best end taken apart: the end may come first.", 1),
            ((start, start + int(ends[start : start + longest].argmax())),
             "the best start, then the best end for it: another start may give a better sum.", 2),
            (cls.solve(starts, ends, len(starts)),
             "right, but for the limit: a span has at most `longest` tokens.", 2),
            (cls.solve(starts, ends, longest + 1),
             "one token too many: j - i + 1 is the length.", 3),
            ((first, last + 1), "the end is the last token itself, not the place behind it.", 3),
        ]  # fmt: skip

    @staticmethod
    def cases() -> list[tuple[Tensor, Tensor, int]]:
        generator = torch.Generator().manual_seed(6)
        return [
            (torch.randn(12, generator=generator), torch.randn(12, generator=generator), longest)
            for longest in (1, 3, 5, 12) * 8
        ]

    @staticmethod
    def solve(starts: Tensor, ends: Tensor, longest: int) -> tuple[int, int]:
        pairs = [(i, j) for i in range(len(starts)) for j in range(i, min(len(ends), i + longest))]
        return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])


def normalise(text: str) -> list[str]:
    """The words of an answer as SQuAD's script compares them."""
    return normalise_answer(text).split()


class Score(Exercise):
    id = "06.f1"
    title = "How right is an answer?"
    minutes, difficulty, importance, points = 10, 2, 4, 3
    hints = (
        "`Counter(a) & Counter(b)` has what both have, each word as often as in the poorer one.",
        "Precision is the shared words over those that were said, recall over those of the truth.",
        "F1 is `2 * precision * recall / (precision + recall)`, which is "
        "`2 * same / (len(said) + len(true))`.",
    )
    default = 0.0
    example = ("a cat", "the cat")

    def check(self, f1: Callable[[str, str], float]) -> Right | Wrong:
        cases = [
            ("The cat.", "a cat"), ("river Aire", "the Aire"), ("dog", "cat"),
            ("the old old mill", "old mill"), ("Ada Bell", "Bell, Ada"), ("in May 1912", "1912"),
        ]  # fmt: skip
        try:
            got = [float(f1(*case)) for case in cases]
        except ZeroDivisionError:
            return Wrong("divided by zero where no word is shared: F1 is 0 there.", 2)
        want = [self.solve(*case) for case in cases]
        said, true = ([len(normalise(case[part])) for case in cases] for part in (0, 1))
        same_words = [f * (a + b) / 2 for f, a, b in zip(want, said, true, strict=True)]
        raw = [self.solve(*case, clean=str.split) for case in cases]
        sets = [self.solve(*case, bag=lambda words: Counter(set(words))) for case in cases]
        exact = [float(normalise(a) == normalise(b)) for a, b in cases]
        letters = [self.solve(*case, clean=lambda t: [*" ".join(normalise(t))]) for case in cases]
        return compare(got, want, [
            (raw, "the words are compared as they stand: `normalise` both first.", 1),
            (sets, "a word that is said twice counts once: use a Counter, not a set.", 2),
            (exact, "that is the exact match: F1 gives a share for a part.", 1),
            (letters, "letters are compared: `normalise` gives a list of words.", 1),
            ([s / n for s, n in zip(same_words, said, strict=True)],
             "that is the precision: F1 is the harmonic mean of both.", 2),
            ([s / n for s, n in zip(same_words, true, strict=True)],
             "that is the recall: F1 is the harmonic mean of both.", 2),
            ([value / 2 for value in want], "half the right value: F1 has a factor 2.", 2),
        ], what="F1 of six answers")  # fmt: skip

    @staticmethod
    def solve(said: str, true: str, clean: Callable = normalise, bag: Callable = Counter) -> float:
        ours, theirs = bag(clean(said)), bag(clean(true))
        shared = sum((ours & theirs).values())
        total = sum(ours.values()) + sum(theirs.values())
        return 2 * shared / total if total else 1.0


class FindTheBug(Exercise):
    id = "06.find_the_bug"
    title = "Find the bug: the verdict that depends on the neighbours"
    minutes, difficulty, importance, points = 12, 3, 5, 3
    hints = (
        "Ask for the same text twice: alone, and in a batch with a longer one. What differs?",
        "The shorter text is padded. Which of the vectors in the mean are no words?",
        "Multiply by the mask, `(batch, length, 1)`, add up over the length, and divide by the "
        "number of real tokens.",
    )

    def untouched(self, classify: Callable[[Tensor, Tensor, Tensor], Tensor]) -> bool:
        hidden, mask, weight = self.parts()
        return same(classify(hidden, mask, weight), hidden.mean(1) @ weight)

    def check(self, classify: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        hidden, mask, weight = self.parts()
        real = mask[..., None].float()
        total, count = (hidden * real).sum(1), real.sum(1)
        return compare(classify(hidden, mask, weight), total / count @ weight, [
            (hidden.mean(1) @ weight, "still the same: padding is in the mean.", 0),
            ((hidden * real).mean(1) @ weight,
             "the padding is zero now, but it is still counted: divide by the real tokens.", 2),
            (total @ weight, "that is the sum: long texts shout. Divide by the real tokens.", 2),
            (total / real.sum() @ weight,
             "divided by the real tokens of all texts: each text has its own number.", 2),
            (hidden.sum(1) / count @ weight,
             "divided by the real tokens, but the padding is in the sum.", 1),
            (hidden[:, 0] @ weight, "that is [CLS] alone, another model; a mean was asked for.", 1),
        ], what="the logits",
           right="A test that would have found it: a text must get the same logits alone and in a "
                 "batch.",
        )  # fmt: skip

    @staticmethod
    def parts() -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(12)
        hidden = torch.randn(4, 6, 8, generator=generator)  # (batch, length, dim)
        mask = torch.arange(6) < torch.tensor([6, 3, 1, 4])[:, None]
        return hidden, mask.long(), torch.randn(8, 3, generator=generator)


class Luck(Written):
    id = "06.luck"
    title = "A table that you do not believe"
    minutes, difficulty, importance, points = 10, 3, 5, 3
    hints = (
        "What differs between two runs of one program with two seeds?",
        "The paper says that it restarted several times on small data sets, and took the best on "
        "the development set. What does that do to a comparison?",
    )
    rubric = """
- 1 point: names what a seed changes (first weights of the new layer, order of the data, dropout;
  perhaps the examples drawn), and that on small data the results spread widely or runs fail.
- 1 point: says that one run each, or the best of several against one run, proves nothing; the best
  of k grows with k, so both sides need the same number of tries, chosen on valid, told as such.
- 1 point: proposes what to ask for: several seeds on both sides, mean with spread (or the whole
  distribution), paired where possible, the test looked at once.
"""


class WhichWeights(Quiz):
    id = "06.q1"
    question = "Which weights change when BERT is fine-tuned on a task as in the paper?"
    choices = (
        Choice(
            "Those of the new layer only.",
            "That is the feature-based way, as ELMo's: the model below stays as it is.",
        ),
        Choice(
            "All of them: the new layer's and every one of the model.",
            "Yes, at a low rate and for a few passes. Each task gets its own copy of the model.",
            right=True,
        ),
        Choice(
            "Those of the last block and the new layer.",
            "One could (chapter 03 froze layers); the paper trains everything.",
        ),
    )


class WhyNotTest(Quiz):
    id = "06.q2"
    question = (
        "The threshold for “no answer” is tuned on validation questions. Why not on the test?"
    )
    choices = (
        Choice(
            "It would give the same threshold anyway.",
            "Not quite, and the difference always flatters.",
        ),
        Choice(
            "Because the test would then have taken part in making the system, and its score would "
            "be too good.",
            "Yes. Whatever is chosen by looking at a set is fitted to it, be it a single number.",
            right=True,
        ),
        Choice(
            "Because the test has too few questions.",
            "It would be wrong with a million questions, though by less.",
        ),
    )


class SpanScore(Quiz):
    id = "06.q3"
    question = (
        "A span extractor gives each token two scores. How many new weights does it have on a "
        "model of width 768?"
    )
    choices = (
        Choice(
            "About 1,500, whatever the length of the paragraph.",
            "Yes: two vectors of 768 numbers (and two biases), asked at every place.",
            right=True,
        ),
        Choice(
            "1,536 for every token of the paragraph.",
            "The same two vectors are used at all places, as a filter is.",
        ),
        Choice(
            "About 590,000: a matrix of 768 x 768.",
            "A bilinear score of pairs would have that many; the sum of two scores needs less.",
        ),
    )
