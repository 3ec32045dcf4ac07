"""The exercises and the quiz of chapter 02, ELMo."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong


class Convolve(Exercise):
    id = "02.convolve"
    title = "One filter over the letters of a word"
    minutes, difficulty, importance, points = 10, 2, 4, 3
    hints = (
        "There are `len(x) - width + 1` places at which a filter of that width fits.",
        "At place `i` it sees `x[i : i + width]`, of shape `(width, dim)`, the shape of `weight`: "
        "multiply number by number, add everything up, add the bias.",
        "Max-pooling keeps the largest of these scores: where in the word it was is forgotten.",
    )
    default = 0.0
    example = (torch.ones(5, 2), torch.ones(3, 2), torch.tensor(0.0))

    def check(self, best_match: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Right | Wrong:
        generator = torch.Generator().manual_seed(3)
        x, weight = torch.randn(9, 4, generator=generator), torch.randn(3, 4, generator=generator)
        x[-3:] = 3 * weight  # the best match stands at the very end
        bias = torch.tensor(0.7)
        scores = self.scores(x, weight, bias)
        mistakes = [
            (scores.max() - bias, "the bias is missing.", 2),
            (scores[:-1].max(), "the last place is left out: `range` stops one before its end.", 2),
            (scores.mean(), "that is the mean over the places: keep the largest score.", 1),
            (scores.sum(), "that is the sum over the places: keep the largest score.", 1),
            (scores.min(), "that is the smallest score.", 1),
            (scores.abs().max(), "no absolute value: a strong mismatch is no match.", 2),
            (self.scores(x, weight.flip(0), bias).max(),
             "the filter is turned round: in deep learning a convolution does not flip it.", 2),
        ]  # fmt: skip
        verdict = compare(best_match(x, weight, bias), scores.max(), mistakes, what="the match")
        if not isinstance(verdict, Right):
            return verdict
        below = bias - 100  # now every score is below zero
        mistakes = [
            (0.0, "right where a score is above zero; when all are below, the best is the largest "
             "of them all the same: do not begin with 0 (the ReLU comes later).", 2),
        ]  # fmt: skip
        want = self.scores(x, weight, below).max()
        return compare(best_match(x, weight, below), want, mistakes, what="the match")

    @staticmethod
    def scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The scores, (positions,), of a filter (width, dim) over letters (length, dim)."""
        places = range(len(x) - len(weight) + 1)
        return torch.stack([(x[i : i + len(weight)] * weight).sum() + bias for i in places])


class BothWays(Exercise):
    id = "02.both_ways"
    title = "What each direction reads, and what it must say"
    minutes, difficulty, importance, points = 10, 2, 5, 3
    hints = (
        "Forward: read `<S> w1 ... wn`, say `w1 ... wn </S>`. Every word that is read must say the "
        "next one.",
        "Backward is the same game on the sentence turned round, `words[::-1]`, and there the "
        "sentence begins with `</S>` and ends with `<S>`.",
    )

    def untouched(self, both_ways: Callable[[list[str]], Sequence[list[str]]]) -> bool:
        return not any(len(part) for part in both_ways(["a", "b"]))

    def check(self, both_ways: Callable[[list[str]], Sequence[list[str]]]) -> Right | Wrong:
        words = ["the", "cat", "sat", "down"]
        got = both_ways(list(words))
        if not isinstance(got, tuple | list) or len(got) != 4:
            return Wrong("expected four lists: forward inputs and targets, backward the same.")
        want = self.solve(words)
        names = ("forward inputs", "forward targets", "backward inputs", "backward targets")
        for number, (name, mine, right) in enumerate(zip(names, got, want, strict=True)):
            mine, points = list(mine), 1 if number > 1 else 0  # a point for a right first half
            if mine == right:
                continue
            if len(mine) != len(right):
                return Wrong(f"{name}: expected {len(right)} words, got {len(mine)}.", points)
            if number > 1 and mine == want[number - 2]:
                return Wrong("backward is the same as forward: turn the sentence round.", points)
            swapped = {"<S>": "</S>", "</S>": "<S>"}
            if number > 1 and [swapped.get(word, word) for word in mine] == right:
                return Wrong(
                    f"{name}: the marks belong to the sentence and turn round with it; read from "
                    "the end, it begins with `</S>`.", points
                )  # fmt: skip
            if sorted(mine) == sorted(right):
                return Wrong(f"{name}: the right words in another order, {mine}.", points)
            return Wrong(f"{name}: expected {right}, got {mine}.", points)
        if [list(part) for part in both_ways(["yes"])] != self.solve(["yes"]):
            return Wrong("right for four words, but not for a sentence of one word.", 2)
        return Right(
            "n words give n + 1 guesses in each direction, and no guess can see its answer."
        )

    @staticmethod
    def solve(words: list[str]) -> list[list[str]]:
        """What the forward model reads and says, then the backward one."""
        back = words[::-1]
        return [["<S>", *words], [*words, "</S>"], ["</S>", *back], [*back, "<S>"]]


class Mix(Exercise):
    id = "02.mix"
    title = "The scalar mix"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "The weights are free numbers; their softmax `s` is positive and adds up to one.",
        "`layers` has the shape `(layers, length, width)` and `s` `(layers,)`: bring `s` to "
        "`(layers, 1, 1)`, multiply, and add up over the layers.",
        "`gamma` scales the result as a whole.",
    )
    default = torch.zeros(2, 3)
    example = (torch.ones(2, 2, 3), torch.zeros(2), 1.0)

    def check(self, mix: Callable[[Tensor, Tensor, float], Tensor]) -> Right | Wrong:
        generator = torch.Generator().manual_seed(5)
        layers = torch.randn(3, 4, 6, generator=generator)
        weights, gamma = torch.tensor([0.5, -1.0, 2.0]), 1.7
        s = torch.softmax(weights, 0)
        want = gamma * torch.einsum("l,lnd->nd", s, layers)
        mistakes = [
            (want / gamma, "gamma is missing.", 2),
            (gamma * torch.einsum("l,lnd->nd", weights, layers),
             "the weights are used as they are: take their softmax first.", 1),
            (gamma * torch.einsum("l,lnd->nd", weights / weights.sum(), layers),
             "divided by their sum, weights may still be negative: take the softmax.", 1),
            (gamma * layers.mean(0), "all layers count alike: where are the weights?", 1),
            (want / 3, "a mean in place of a sum: the shares add up to one already.", 2),
        ]  # fmt: skip
        return compare(mix(layers, weights, gamma), want, mistakes, what="the mixed vectors")


class Sense(Exercise):
    id = "02.sense"
    title = "Which sense is meant?"
    minutes, difficulty, importance, points = 10, 2, 4, 3
    hints = (
        "Compare directions, not lengths: the cosine of the vector with each mean.",
        "`F.cosine_similarity(vector, mean, dim=0)` is one number; `max(means, key=...)` gives the "
        "key with the largest.",
    )
    default = ""
    example = (torch.ones(2), {"x.one": torch.ones(2), "x.two": -torch.ones(2)})

    def check(self, nearest_sense: Callable[[Tensor, dict[str, Tensor]], str]) -> Right | Wrong:
        cosine = product = farthest = distance = 0
        for seed in range(30):
            generator = torch.Generator().manual_seed(seed)
            means = {
                f"bat.{name}": scale * torch.randn(5, generator=generator)
                for name, scale in (("animal", 0.2), ("club", 1.0), ("hit", 5.0))
            }
            vector = torch.randn(5, generator=generator)
            got = nearest_sense(vector.clone(), dict(means))
            if got not in means:
                return Wrong(f"expected one of the keys {list(means)}, got {got!r}.")
            of = {name: F.cosine_similarity(vector, mean, dim=0) for name, mean in means.items()}
            cosine += got == max(of, key=lambda name: of[name])
            farthest += got == min(of, key=lambda name: of[name])
            distance += got == min(means, key=lambda name: (means[name] - vector).norm())
            product += got == max(means, key=lambda name: means[name] @ vector)
        if cosine == 30:
            return Right("One mean a sense is all the training that this method has.")
        if product == 30:
            return Wrong(
                "long means win: divide by the lengths (cosine), not the product alone.", 2
            )
        if distance == 30:
            return Wrong("short means win: compare directions (cosine), not distances.", 2)
        if farthest == 30:
            return Wrong("that is the sense that is farthest away.", 1)
        return Wrong(f"right in {cosine} of 30 cases: is it the largest cosine?")


class FindTheBug(Exercise):
    id = "02.find_the_bug"
    title = "Find the bug: the model that knows the future"
    minutes, difficulty, importance, points = 15, 4, 5, 3
    hints = (
        "Say in words what `states[:, t]` has read, after the second `flip`.",
        "The LSTM has read the words `t`, `t + 1`, ... to the end when it gives `states[:, t]`. "
        "Which word may it be asked for?",
        "The state behind word `t + 1` must say word `t`: states from 1 on, words up to the last "
        "but one.",
    )

    def untouched(self, backward_loss: Callable[..., Tensor]) -> bool:
        lstm, output, vectors, ids = self.parts()
        return same(backward_loss(lstm, output, vectors, ids), self.peeking(*self.parts()))

    def check(self, backward_loss: Callable[..., Tensor]) -> Right | Wrong:
        lstm, output, vectors, ids = parts = self.parts()
        states = lstm(vectors(ids).flip(1))[0].flip(1)
        forward = lstm(vectors(ids))[0]

        def loss(states, targets):
            return F.cross_entropy(output(states).flatten(0, 1), targets.flatten())

        mistakes = [
            (self.peeking(*parts), "still the same: state `t` has read word `t` itself.", 0),
            (loss(states[:, :-1], ids[:, 1:]),
             "now state `t` must say word `t + 1`, which it has read before word `t`: it still "
             "sees its target.", 1),
            (loss(forward[:, :-1], ids[:, 1:]),
             "this is a forward model: right in itself, but the backward one was asked for.", 1),
            (loss(lstm(vectors(ids).flip(1))[0][:, :-1], ids[:, :-1]),
             "the states are in the order of reading, the words in the order of the text.", 1),
            (loss(lstm(vectors(ids).flip(1))[0][:, 1:], ids[:, :-1]),
             "the states are in the order of reading, the words in the order of the text.", 1),
        ]  # fmt: skip
        got = backward_loss(*parts)
        right = (
            "A loss that is too good to be true is a bug until the opposite is shown: change the "
            "target word and see whether its own prediction moves."
        )
        want = loss(states[:, 1:], ids[:, :-1])
        return compare(got, want, mistakes, what="the loss", right=right)

    @staticmethod
    def parts() -> tuple[nn.LSTM, nn.Linear, nn.Embedding, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(11)
            lstm = nn.LSTM(6, 5, batch_first=True)
            return lstm, nn.Linear(5, 9), nn.Embedding(9, 6), torch.randint(9, (3, 7))

    @staticmethod
    def peeking(lstm: nn.LSTM, output: nn.Linear, vectors: nn.Embedding, ids: Tensor) -> Tensor:
        """The loss as it was given: state ``t`` has read word ``t``; ids are (batch, length)."""
        states = lstm(vectors(ids).flip(1))[0].flip(1)
        logits = output(states[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())


class Layers(Written):
    id = "02.layers"
    title = "Why not simply the top layer?"
    minutes, difficulty, importance, points = 10, 3, 4, 3
    hints = (
        "What must the top layer be good at, whatever the task is that comes later?",
        "Two tasks want two mixes: think of one about grammar and of one about meaning.",
    )
    rubric = """
- 1 point: the top layer is shaped by the language models' own task (predict the next and the
  previous word); what another task needs may be clearer in a lower layer.
- 1 point: the layers hold different things (in the paper: word form and syntax lower, sense
  higher), and a learned mix lets each task choose; names an example of two tasks that differ.
- 1 point: says what the mix costs or how to see that it helps (layers + 1 parameters; compare
  the task's error with the top layer alone, on several seeds), or that it may be little.
"""


class WhyTwoModels(Quiz):
    id = "02.q1"
    question = "Why two LSTMs, and not one that reads the whole sentence before it answers?"
    choices = (
        Choice(
            "A model that has read the whole sentence has seen the word that it should predict.",
            "Yes. The task would be empty: copy the word. BERT's masks are another way out.",
            right=True,
        ),
        Choice(
            "Two small models are faster than a large one.",
            "They cost about the same; speed is not the reason.",
        ),
        Choice(
            "The backward model is needed for languages that are written from right to left.",
            "Both models read every sentence, whatever its script.",
        ),
    )


class WhatDiffers(Quiz):
    id = "02.q2"
    question = "In which layer do two uses of *bat* surely have the same vector?"
    choices = (
        Choice(
            "Layer 0, the output of the character network.",
            "Yes. It sees the letters of the word and nothing else.",
            right=True,
        ),
        Choice(
            "Layer 1, since it is close to the words.",
            "The first LSTM layer has read the neighbours already: its vectors differ.",
        ),
        Choice(
            "None: ELMo has no fixed vectors at all.",
            "Layer 0 depends on the spelling alone, so it is as fixed as a word2vec vector.",
        ),
    )


class WhatIsTrained(Quiz):
    id = "02.q3"
    question = "ELMo is added to a tagger, frozen, at its input. What is learned from the labels?"
    choices = (
        Choice(
            "All weights of ELMo, slowly, and the tagger.",
            "That is fine-tuning, the subject of chapter 03. Here ELMo stays as it is.",
        ),
        Choice(
            "The tagger, and a handful of numbers: the weights of the mix and gamma.",
            "Yes. So the vectors of every sentence can be computed once and kept.",
            right=True,
        ),
        Choice(
            "The tagger alone; the mix is the same for every task.",
            "The mix is learned with the task: that is what lets a task choose its layers.",
        ),
    )
