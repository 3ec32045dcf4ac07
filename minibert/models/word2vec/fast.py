"""Skip-gram with negative sampling, fast: the tricks, all in one place.

`minibert.models.word2vec` is the version to read. This one minimises the same loss (Mikolov et al.
2013b, equation 4) over the same windows, subsampling and noise, and differs in this:

1. **Blocks.** ``BLOCK`` neighbouring centres meet their surroundings in one matrix product; of the
   scores only the band is used where centre and context are within reach of each other.
2. **Shared noise.** The centres of a block share ``NOISE`` noise words. A centre with p pairs
   weighs each of them p * negatives / NOISE, which leaves the expected gradient as it is. A noise
   word that happens to be the right answer counts like any other: equation 4 as it stands.
3. **Many pairs a step**, gradients by hand. What a word's vector would move in many small steps, it
   moves in one, and too far if it is frequent: so its rate is damped (`descend`).
4. **Threads without locks** (Niu et al. 2011, "Hogwild!"): each reads its own part of the text, and
   all update the same two tables. An update is lost now and then, which does no harm.

Tests hold 1 and 2 equal to a plain loop. With one worker, a run is a function of the seed.
"""

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.models.word2vec.damped import descend, expected_terms, mean_square
from minibert.text.windows import keep_probability
from minibert.training.history import History
from minibert.training.optim import linear

if TYPE_CHECKING:
    from minibert.models.word2vec.model import Word2Vec

Words = Integer[np.ndarray, " words"]
Centres = Float[Tensor, "centres d"]  # vectors of a step
Answers = Float[Tensor, "answers d"]
Weights = Float[Tensor, "centres width"]
BLOCK = 32  # centres that meet their surroundings in one product
NOISE = 32  # noise words that the centres of a block share
STEP = 1024  # centres per step, at most; a multiple of BLOCK
CHUNK = 1 << 17  # words of text that a worker prepares at once
REPORTS = 200  # losses that the history gets
FLOOR = 1e-4  # the last rate, as a share of the first


def suits(model: "Word2Vec") -> bool:
    """True for what this module trains: skip-gram, negative sampling, a plain input table."""
    plain = type(model.input) is nn.Embedding
    return plain and (model.config.mode, model.config.loss) == ("skipgram", "negative")


def train(
    model: "Word2Vec", ids: Words, sentence: Words, epochs: int = 5, **options: Any
) -> History:
    """Train both tables of ``model``, which `suits`, in place; returns a `History`.

    ids: the text; sentence: never falling, the number of the sentence of each word. options: of
    `FastRun`. Ctrl-C ends training early: the model stays usable and the history so far is
    returned. Raises ValueError for an empty text, FloatingPointError when training diverges.
    """
    run = FastRun(model, ids, sentence, epochs, **options)
    threads, workers = torch.get_num_threads(), run.workers
    torch.set_num_threads(1)  # a worker is one thread, and needs no more
    try:
        run.tell("on_start")
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(run.work, number) for number in range(workers)]
            try:
                for worker in running:
                    worker.result()
                run.step = run.steps
            finally:
                run.stop()
    except KeyboardInterrupt:
        run.interrupted = True
        print(f"Interrupted: training stopped after step {run.step}; the model is usable as it is.")
    finally:
        torch.set_num_threads(threads)
        run.tell("on_end")
        model.eval()
    return run.history


class FastRun:
    """One run, as its workers share it and its callbacks see it (compare the `Run` of `mb.fit`).

    rate: the first learning rate; it falls in a straight line to ``FLOOR`` of that. workers:
    threads. callbacks: as for `minibert.fit`, called about ``REPORTS`` times; each time the history
    gets one step's loss, in nats per pair.
    """

    unit, utilisation = "words", None  # of the history's speed; what is multiplied is not counted

    def __init__(
        self,
        model: "Word2Vec",
        ids: Words,
        sentence: Words,
        epochs: int,
        *,
        rate: float = 0.05,
        workers: int = 1,
        seed: int = 0,
        callbacks: Iterable[Any] = (),
    ) -> None:
        if not len(ids):
            raise ValueError("the text has no word of the model's vocabulary to train on")
        self.model, self.callbacks, self.history = model, list(callbacks), History()
        self.epochs, self.workers, self.seed, self.first_rate = epochs, workers, seed, rate
        self.text = Text(model, ids, sentence)
        self.total, self.words = epochs * len(ids), [0.0] * workers  # words to read; read by each
        self.size = min(STEP, max(1, self.total // 1000 // BLOCK) * BLOCK)
        self.steps = max(1, round(self.text.kept_share * self.total / self.size))
        self.schedule = linear(self.total, floor=FLOOR)
        self.tables = Tables(model, self.text, self.size, workers)
        self.step, self.rate, self.stopped, self.interrupted = 0, rate, False, False
        self.loss: float | None = None
        self.valid_loss = None
        self.reported: tuple[float, float] = (0, perf_counter())

    def tell(self, event: str) -> None:
        """Call the method ``event`` of each callback that has it."""
        for callback in self.callbacks:
            getattr(callback, event, lambda run: None)(self)

    def stop(self) -> None:
        """End the run after the steps that are being made."""
        self.stopped = True

    def work(self, number: int) -> None:
        """What one worker does: its share of the text, ``epochs`` times."""
        torch.set_num_threads(1)
        rng = np.random.default_rng([self.seed, number])
        start, stop = self.text.share(number, self.workers)
        read, before = 0.0, self.words[number]  # by this worker; before the run was interrupted
        for _ in range(self.epochs):
            for step in self.text.steps(start, stop, self.size, rng):
                if self.stopped:
                    return
                read += step.words
                if read <= before:
                    continue
                done = sum(self.words)
                rate = self.first_rate * self.schedule(done)
                if number == 0 and done * REPORTS >= len(self.history) * self.total:
                    self.report(step, rate, done)
                self.tables.update(step, rate)
                self.words[number] += step.words

    def report(self, step: "Step", rate: float, done: float) -> None:
        """Note the loss of a step that is about to be made, and tell the callbacks."""
        loss = self.tables.loss(step)
        if not math.isfinite(loss):
            told = f"the loss is {loss} after {done:,.0f} words"
            raise FloatingPointError(f"{told}; try a rate below {self.first_rate}")
        before, then = self.reported
        self.reported = done, perf_counter()
        self.rate, self.loss = rate, loss
        self.step = min(self.steps, 1 + int(done / self.total * self.steps))
        self.history.add(self.step, loss, rate, (done - before) / (self.reported[1] - then))
        if done:
            self.tell("on_step")


@dataclass
class Step:
    """What one step learns from, as ids.

    ``centre``, ``reach``: (blocks * BLOCK,), the latter rows of `reach_weights`. ``answer``:
    (blocks * width,), each block's surroundings, BLOCK + 2 * window words, and its NOISE noise
    words. ``words``: how many words of the text this stands for.
    """

    centre: Int[Tensor, " centres"]
    answer: Int[Tensor, " answers"]
    reach: Int[Tensor, " centres"]
    words: float


class Text:
    """The words of a text, and how steps are drawn from it."""

    def __init__(self, model: "Word2Vec", ids: Words, sentence: Words) -> None:
        self.ids, self.sentence, self.window = ids, sentence, model.config.window
        counts = np.bincount(ids, minlength=model.config.vocab_size)
        self.keep = keep_probability(counts, model.config.subsample)  # (V,)
        kept = counts * self.keep
        self.kept_share = kept.sum() / counts.sum()
        self.frequency = kept / kept.sum()  # (V,), of what subsampling leaves
        noise = model.noise.double().cpu().numpy()
        self.noise = noise / noise.sum()  # (V,)
        self.device = model.output.weight.device

    def share(self, number: int, workers: int) -> list[int]:
        """Where one worker's part of the text starts and stops."""
        return [len(self.ids) * i // workers for i in (number, number + 1)]

    def steps(self, start: int, stop: int, size: int, rng: np.random.Generator) -> Iterator["Step"]:
        """The `Step`s of a stretch of text, of ``size`` centres; the last of a chunk is padded."""
        for at in range(start, stop, CHUNK):
            part = slice(at, min(stop, at + CHUNK))
            kept = rng.random(part.stop - at) < self.keep[self.ids[part]]
            ids, sentence = self.ids[part][kept], self.sentence[part][kept]
            count = max(1, -(-len(ids) // size))
            arrays = self.prepare(ids, sentence, count * size, rng)
            rows = [torch.from_numpy(array).to(self.device).view(count, -1) for array in arrays]
            for centre, answer, reach in zip(*rows, strict=True):
                yield Step(centre, answer, reach, words=(part.stop - at) / count)

    def prepare(self, ids: Words, sentence: Words, length: int, rng: Any) -> list[np.ndarray]:
        """The arrays of `Step` for ``length`` centres at once; those past ``ids`` have no pair."""
        n, window = len(ids), self.window
        starts = np.flatnonzero(np.diff(sentence, prepend=-1))
        lengths = np.diff(starts, append=n)
        before = np.arange(n) - np.repeat(starts, lengths)  # (n,), words of the sentence so far
        after = np.repeat(lengths, lengths) - 1 - before
        reach = rng.integers(1, window + 1, n)
        left, right = np.zeros((2, length), np.int64)
        left[:n], right[:n] = np.minimum(reach, before), np.minimum(reach, after)
        padded = np.zeros(length + 2 * window, np.int64)
        padded[window : window + n] = ids
        around = np.lib.stride_tricks.sliding_window_view(padded, BLOCK + 2 * window)[::BLOCK]
        drawn = rng.multinomial(len(around) * NOISE, self.noise)  # (V,), how often each word
        noise = rng.permutation(np.repeat(np.arange(len(drawn)), drawn))
        answer = np.concatenate([around, noise.reshape(-1, NOISE)], axis=1)  # (blocks, width)
        rows = (left * (window + 1) + right) * BLOCK + np.arange(length) % BLOCK
        return [padded[window : window + length], answer, rows]


class Tables:
    """Both tables of vectors, and how a step changes them."""

    def __init__(self, model: "Word2Vec", text: Text, size: int, workers: int) -> None:
        self.input = model.input.get_parameter("weight").detach()
        self.output = model.output.weight.detach()
        weights = reach_weights(model.config.window, model.config.negatives)
        terms = expected_terms(text, size * workers, model.config.negatives)
        self.weights = weights.to(self.input)  # same device and type
        self.terms = [torch.from_numpy(t).to(self.input) for t in terms]

    def gather(self, step: Step) -> tuple[Centres, Answers, Weights]:
        """What `gradients` takes: the centres' vectors, the answers', and the weights."""
        v, u = self.input.index_select(0, step.centre), self.output.index_select(0, step.answer)
        return v, u, self.weights.index_select(0, step.reach)

    def loss(self, step: Step) -> float:
        """The loss of a step, in nats per pair."""
        v, u, weight = self.gather(step)
        pairs = weight[:, :-NOISE].sum().clamp(min=1)
        return float(step_loss(v, u, weight) / pairs)

    def update(self, step: Step, rate: float) -> None:
        """Make one step of gradient descent."""
        v, u, weight = self.gather(step)
        size_v, size_u = mean_square(v), mean_square(u)
        for_v, for_u = gradients(v, u, weight)
        descend(self.input, step.centre, for_v, rate, terms=self.terms[0], size=size_u)
        descend(self.output, step.answer, for_u, rate, terms=self.terms[1], size=size_v)


def reach_weights(window: int, negatives: int) -> Float[Tensor, "rows width"]:
    """How much each answer of its block counts for a centre.

    Row (left * (window + 1) + right) * BLOCK + t is for centre t of a block when it reaches
    ``left`` words back and ``right`` ahead: one for the words within reach, zero for itself and for
    the others, and for each noise word (left + right) * negatives / NOISE.
    """
    distance = torch.arange(BLOCK + 2 * window) - window - torch.arange(BLOCK)[:, None]
    reach = torch.arange(window + 1)
    ahead = distance <= reach[:, None, None]  # (right, BLOCK, BLOCK + 2 * window)
    back = -distance <= reach[:, None, None]  # (left, BLOCK, BLOCK + 2 * window)
    near = (back[:, None] & ahead & (distance != 0)).float()  # (left, right, BLOCK, ...)
    pairs = (reach[:, None] + reach)[:, :, None, None]  # (left, right, 1, 1)
    noise = (pairs * (negatives / NOISE)).expand(-1, -1, BLOCK, NOISE)
    return torch.cat([near, noise], dim=-1).flatten(0, 2)


def step_loss(v: Centres, u: Answers, weight: Weights) -> Float[Tensor, ""]:
    """The negative-sampling loss of one step, a sum in nats; weight: from `reach_weights`."""
    v, u, weight = _in_blocks(v, u, weight)
    scores = _products(v, u)  # (blocks, BLOCK, width)
    real, noise = F.logsigmoid(scores[..., :-NOISE]), F.logsigmoid(-scores[..., -NOISE:])
    return -(torch.cat([real, noise], dim=-1) * weight).sum()


def gradients(v: Centres, u: Answers, weight: Weights) -> tuple[Centres, Answers]:
    """The gradients of `step_loss`: sigmoid(x) - 1 at a real pair, sigmoid(x) at a noise word."""
    v, u, weight = _in_blocks(v, u, weight)
    error = _products(v, u).sigmoid_()  # (blocks, BLOCK, width)
    error[..., :-NOISE] -= 1
    error *= weight
    return torch.bmm(error, u).flatten(0, 1), torch.bmm(error.transpose(1, 2), v).flatten(0, 1)


def _in_blocks(v, u, weight):
    d, width = v.shape[1], weight.shape[1]
    return v.view(-1, BLOCK, d), u.view(-1, width, d), weight.view(-1, BLOCK, width)


def _products(a, b):
    """(batch, m, d), (batch, n, d) -> (batch, m, n); copying ``b`` first is faster on a CPU."""
    return torch.bmm(a, b.transpose(1, 2).contiguous())
