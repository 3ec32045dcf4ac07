"""Chapter 07: writing with a language model, the nucleus and the loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import compare
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.gpt_pieces import Watched
from minibert.course.learn.exercises.kept import CHANGED, NOT_A_TENSOR


class Nucleus(Watched):
    id = "07.nucleus"
    title = "The nucleus (optional)"
    minutes, difficulty, importance, points = 10, 3, 4, 4
    hints = (
        "Sort from the likeliest on, and remember the order: `p.sort(descending=True)` gives both.",
        "A token is spare if those *before* it already add up to `top_p`. A running sum "
        "(`cumsum`) tells how much stands before each.",
        "Set the spare ones to zero at their own places, in a copy, then divide by what is left.",
    )
    p = torch.tensor([0.05, 0.4, 0.1, 0.25, 0.2])
    halves = torch.tensor([0.125, 0.5, 0.25, 0.125])  # whose sums are exact

    def untouched(self, seen: Callable) -> bool:
        found = [seen(self.p.clone(), top_p)["value"] for top_p in (0.5, 0.7)]
        plain = [x is None or x is Ellipsis or _equal(x, self.p) for x in found]
        return all(plain)

    def check(self, seen: Callable) -> Right | Wrong:
        for top_p in (0.6, 0.3, 0.8, 1.0):
            found, want = seen(self.p.clone(), top_p), self.limited(top_p)
            what = f"the distribution for top_p = {top_p}"
            told = compare(found["value"], want, self.mistakes(top_p), what=what)
            if not isinstance(told, Right):
                return told
            if not torch.is_tensor(found["value"]):
                return Wrong(NOT_A_TENSOR, 3)
            if found["changed"]:
                return Wrong(CHANGED, 3)
        return self.fewest(seen) or Right(
            "With 0.3 the likeliest token alone is left, and it must be: nobody can draw from an "
            "empty nucleus."
        )

    def fewest(self, seen: Callable) -> Wrong | None:
        """Where the sum is reached exactly, and where two tokens are equally likely."""
        exact = seen(self.halves.clone(), 0.5)["value"]
        told = compare(exact, torch.tensor([0.0, 1.0, 0.0, 0.0]), [
            (torch.tensor([0.0, 2 / 3, 1 / 3, 0.0]), f"{self.halves.tolist()}, top_p = 0.5: one "
             "token too many: the first alone has a sum of *at least* 0.5.", 3),
        ], what=f"the distribution {self.halves.tolist()} with top_p = 0.5")  # fmt: skip
        if not isinstance(told, Right):
            return told
        equal = seen(self.halves.clone(), 0.8)["value"]
        if int((equal > 0).sum()) > 3:
            return Wrong("two tokens are equally likely, and one of them is enough: take the "
                         "*fewest*, not all that are as likely as the last.", 3)  # fmt: skip
        if not torch.allclose(equal.sort().values, torch.tensor([0.0, 1, 2, 4]) / 7, atol=1e-5):
            return Wrong("right where all tokens differ, but not where two are equally likely.", 3)
        return None

    def mistakes(self, top_p: float) -> list[tuple]:
        want, p = self.limited(top_p), self.p
        kept, first = want > 0, want.sort(descending=True).values > 0
        running, ordered = p.cumsum(0), p.sort(descending=True).values
        unsorted = p * (running - p < top_p)
        more = p * (p >= min(want[kept].min(), p[~kept].max() if len(p[~kept]) else 1.0))
        near = p * (p >= top_p * p.max())
        apart = p * (p >= top_p)
        return [
            (self.limited(top_p, short=True), "the token that crosses the line is missing: the "
             "fewest whose sum is *at least* top_p.", 2),
            (p * kept, "it no longer adds up to one: divide by the sum.", 2),
            (want.sort(descending=True).values, "right, but sorted: keep the places.", 2),
            ((p * kept).masked_fill(~kept, -torch.inf).softmax(0),
             "a softmax of probabilities: they need only be divided by their sum.", 2),
            ((p * kept).softmax(0), "a softmax makes zeros positive again: divide by the sum.", 2),
            (p * first / (p * first).sum(),
             "what is spare is known in sorted order: give it back its places (`order`).", 2),
            (self.limited(top_p, descending=False),
             "the unlikeliest were kept: sort with `descending=True`.", 1),
            (unsorted / unsorted.sum(), "the running sum goes through the tokens as they stand: "
             "sort them first, the likeliest in front.", 1),
            (apart / apart.sum(), "a limit for each token: it is their sum that counts.", 1),
            (apart, "a limit for each token: it is their sum that counts.", 1),
            (p * kept / top_p, "divided by `top_p`: divide by the sum of what is left.", 2),
            (near / near.sum(), "a limit for each token: it is their sum that counts.", 1),
            (p * ~kept / (p * ~kept).sum().clamp(min=1e-9), "what is to be kept is gone.", 1),
            (kept / kept.sum(), "all that are left are equally likely: keep their shares.", 2),
            (kept.float(), "this says which are left: their probabilities are asked for.", 1),
            (ordered * first, "sorted, and not divided by the sum.", 1),
            (self.limited(0.6), f"right for 0.6, but not for {top_p}: use `top_p`.", 1),
            (self.limited(0.9), "0.9 is written in: use `top_p`.", 1),
            (more / more.sum(), "one token too many: stop when the sum is at least top_p.", 2),
        ]  # fmt: skip

    @classmethod
    def limited(cls, top_p: float, short: bool = False, descending: bool = True) -> Tensor:
        ordered, order = cls.p.sort(descending=descending)
        total = ordered.cumsum(0)
        spare = total > top_p if short else total - ordered >= top_p
        p = cls.p.index_fill(0, order[spare], 0.0)
        return p / p.sum()


def _equal(found: Any, want: Tensor) -> bool:
    return torch.is_tensor(found) and found.shape == want.shape and torch.equal(found, want)


class Generate(Exercise):
    id = "07.generate"
    title = "Build: the loop that writes"
    minutes, difficulty, importance, points = 15, 3, 5, 7
    hints = (
        "The first call reads the whole prompt, with None for the past. What does each later call "
        "have to read, if the past is handed over?",
        "The order within a round: read, divide the logits by the temperature, softmax, nucleus, "
        "draw, append. Then look whether the token was `end`.",
        "Keep two variables: `new`, the ids that were not read yet, and `past`. After each draw "
        "`new` is a list of one.",
    )
    V, end = 6, 5
    prompt = (1, 3, 2)

    def as_functions(self, generate: Any) -> tuple:
        return (partial(self._seen, generate),)

    @classmethod
    def table(cls) -> Tensor:
        return 2 * torch.randn(cls.V, cls.V, generator=torch.Generator().manual_seed(11))

    @classmethod
    def _seen(cls, generate: Any, steps: int, temperature: float, top_p: float, end: int) -> dict:
        """The text, and how the model was read, drawn from and left, with a toy for a model."""
        table, reads, drawn, prompt = cls.table(), [], [], list(cls.prompt)
        tokens: list[int] = []

        def read(new: Any, past: Any) -> tuple[Tensor, Any]:
            new = [int(i) for i in (new if isinstance(new, list | tuple | Tensor) else [new])]
            known = [*(past or ()), *new]
            reads.append([len(new), len(past or ())])
            weights = 0.5 ** torch.arange(len(known) - 1, -1, -1.0)
            return (table[known] * weights[:, None]).sum(0), tuple(known)

        def draw(p: Tensor) -> int:  # the least likely of those that may be drawn
            drawn.append(p.detach().clone())
            tokens.append(int(p.masked_fill(p <= 0, 2.0).argmin()))
            return tokens[-1]

        text = generate(read, draw, prompt, steps, temperature, top_p, end)
        sums = [[float(p.sum()), float(p.min())] for p in drawn]
        return {
            "text": text, "reads": reads, "sums": sums, "changed": tuple(prompt) != cls.prompt,
            "tokens": tokens,
        }  # fmt: skip

    @classmethod
    def wanted(
        cls, steps: int, temperature: float, top_p: float, end: int | None, *, way: str = ""
    ) -> list[int]:
        """The text, or what a known mistake makes of it."""
        text, table, read = list(cls.prompt), cls.table(), list(cls.prompt)
        for _ in range(steps):
            weights = 0.5 ** torch.arange(len(read) - 1, -1, -1.0)
            logits = (table[read] * weights[:, None]).sum(0)
            scale = {"times": 1 / temperature, "no temperature": 1.0}.get(way, temperature)
            p = (logits / scale).softmax(0)
            if way == "before":
                p = cls.cut(logits / scale, top_p).softmax(0)
            elif way != "no nucleus":
                p = cls.cut(p, 0.9 if way == "constant" else top_p)
            p = p.softmax(0) if way == "softmax" else p
            token = int(p.masked_fill(p <= 0, 2.0).argmin())
            text.append(token)
            read = {"no past": [token], "twice": [*read, *text]}.get(way, [*read, token])
            if token == end:
                break
        return text

    @staticmethod
    def cut(p: Tensor, top_p: float) -> Tensor:
        ordered, order = p.sort(descending=True)
        p = p.index_fill(0, order[ordered.cumsum(0) - ordered >= top_p], 0.0)
        return p / p.sum()

    def untouched(self, seen: Callable) -> bool:
        text = seen(4, 1.0, 1.0, -1)["text"]
        return text is None or text is Ellipsis or list(text) in ([], list(self.prompt))

    def check(self, seen: Callable) -> Right | Wrong:
        told = (
            self._step(seen, 1, (4, 1.0, 1.0, -1), "four tokens, nothing limited", 1)
            or self.reading(seen(4, 1.0, 1.0, -1))
            or self._step(seen, 3, (5, 1.0, 0.7, -1), "top_p = 0.7", 3)
            or self._step(seen, 4, (5, 3.0, 0.7, -1), "temperature = 3 and top_p = 0.7", 4)
            or self.ending(seen)
        )
        return told or Right(
            "Each token was read once, whatever the length of the text: that is the cache."
        )

    def _step(
        self, seen: Callable, step: int, given: tuple, what: str, points: int
    ) -> Wrong | None:
        found, want = seen(*given), self.wanted(*given)
        text = found["text"]
        if not isinstance(text, list | tuple) or any(isinstance(i, list | tuple) for i in text):
            return Wrong(f"step {step}: expected a list of ids alone, got {type(text).__name__}.")
        if found["changed"]:
            return Wrong("the prompt was changed: begin with a copy, `list(ids)`.", 4)
        text, sums, start = [int(i) for i in text], found["sums"], list(self.prompt)
        if text == want:
            return None
        says = [
            (want[3:], "the prompt is missing: the text begins with it."),
            (want[:-1], "one token is missing: `steps` are added."),
            (start, "nothing was added."),
        ]  # fmt: skip
        ways = {
            "no past": "the past is not handed over: the model forgets what it has read.",
            "twice": "the past holds what was read: give only what is new.",
            "no nucleus": "the nucleus is not used.",
            "times": "the logits are *divided* by the temperature.",
            "constant": "use `top_p`, not 0.9.",
            "before": "the nucleus takes probabilities: first the softmax, then the nucleus.",
            "softmax": "a softmax after the nucleus makes its zeros positive again.",
            "no temperature": "the temperature is not used, or only after the nucleus: divide the "
            "logits by it first.",
        }
        says += [(self.wanted(*given, way=way), message) for way, message in ways.items()]
        for other, message in says:
            if text == other:
                return Wrong(f"step {step}, {what}: {message}", points - 1)
        if text[:3] == start and found["tokens"][: len(text) - 3] != text[3:]:
            return Wrong(f"step {step}: these are not the tokens that `draw` gave.", points - 1)
        if text == want[: len(text)]:
            return Wrong(f"step {step}: {given[0]} tokens are added, not fewer.", points - 1)
        if len(text) > len(want):
            return Wrong(f"step {step}: {given[0]} tokens are added, not more.", points - 1)
        if any(low < 0 or abs(total - 1) > 1e-3 for total, low in sums):
            return Wrong(f"step {step}: `draw` wants probabilities that add up to one.", points - 1)
        return Wrong(f"step {step}, {what}: expected {want}, got {text}.", points - 1)

    def reading(self, found: dict) -> Wrong | None:
        reads, n = found["reads"], len(self.prompt)
        later = [(new, past) for new, past in reads[1:] if past >= n or not past]
        if any(new > 1 and not past for new, past in later):
            return Wrong(
                "step 2: the text is right, but each round reads all of it again: hand over the "
                "past, and read only the new token.", 2,
            )  # fmt: skip
        if any(new > 1 for new, _ in later):
            return Wrong("step 2: the past holds what was read: give only what is new.", 2)
        if not all(past for _, past in later):
            return Wrong(
                "step 2: the past is not handed over: the model forgets what it has read.", 2
            )
        total = sum(new for new, _ in reads)
        if total > n + 3:
            return Wrong("step 2: the last token is read, too, and nobody asks what follows.", 2)
        before = [sum(new for new, _ in reads[:i]) for i in range(len(reads))]
        if total < n + 3 or [past for _, past in reads] != before:
            return Wrong("step 2: read the prompt, and then one new token a round.", 2)
        return None

    def ending(self, seen: Callable) -> Wrong | None:
        for length in (1, 3):
            whole = self.wanted(6, 1.0, 1.0, None)
            end = whole[2 + length]
            want = self.wanted(6, 1.0, 1.0, end)
            text = [int(i) for i in seen(6, 1.0, 1.0, end)["text"]]
            if text == want[:-1]:
                return Wrong("step 5: the text keeps the token that ends it.", 6)
            if text != want:
                return Wrong(f"step 5: token {end} ends the text: stop when it was drawn.", 5)
        end = self.prompt[1]  # the prompt may hold texts that have ended
        if [int(i) for i in seen(6, 1.0, 1.0, end)["text"]] != self.wanted(6, 1.0, 1.0, end):
            return Wrong("step 5: `end` in the prompt ends nothing: look at the token that was "
                         "drawn.", 6)  # fmt: skip
        if list(seen(0, 1.0, 1.0, -1)["text"]) != list(self.prompt):
            return Wrong("step 5: with no steps the prompt alone comes back.", 6)
        return None
