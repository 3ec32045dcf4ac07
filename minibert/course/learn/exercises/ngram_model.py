"""Chapter 00: the build, a language model from counts as a class, in five steps."""

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ngrams import (
    EOD,
    History,
    grams,
    table_of,
    witten_bell,
    wrong_price,
    wrong_probability,
    wrong_table,
)

METHODS = ("probability", "price", "likeliest", "write")
TEXT = "a b c a b d a b c b b c a d a b a".split()
WORDS = ["d", "a", "c", "e", "b", EOD]
NEW = "a b b e c a".split()
SEED = 8  # with it, an end mark is drawn in the middle
LISTS = (
    "the text holds lists: `draw.choices` gives a list of one word, so take its first, or add it "
    "with `+=`."
)
Asked = Callable[..., Any]  # (what, (tokens, n, words), arguments) -> what a model of them gives


class Recording(random.Random):
    """Random numbers that remember what `choices` drew: (words, weights, word) each time."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.drawn: list[tuple[list, list | None, Any]] = []

    def choices(self, population: Any, weights: Any = None, **options: Any) -> list:
        summed = [float(x) for x in options.pop("cum_weights", None) or ()]
        if summed:
            weights = [x - y for x, y in zip(summed, [0.0, *summed], strict=False)]
        listed = None if weights is None else [float(x) for x in weights]
        words = super().choices(list(population), listed, **options)
        self.drawn.append((list(population), listed, words[0]))
        return words


def asked(made: Any, what: str, about: tuple, *given: Any) -> Any:
    """What a model of (tokens, n, words) gives: its parts, or what a method answers."""
    tokens, n, words = about
    if what == "methods":
        if made.__init__ is object.__init__ and not any(hasattr(made, name) for name in METHODS):
            return None
        model = made(list(tokens), n, list(words))
        return [name for name in METHODS if hasattr(model, name)]
    model = made(list(tokens), n, list(words))
    if what == "parts":
        return [getattr(model, name, None) for name in ("n", "words", "tables")]
    if what == "changed":  # by any of the methods
        held = [list(tokens), list(words), list(NEW)]
        model = made(held[0], n, held[1])
        model.price(held[2])
        model.likeliest(tuple(tokens[: n - 1]), 3)
        model.write(3, Recording(1))
        return held != [tokens, words, NEW]
    if what == "write":
        draw = Recording(given[1])
        return model.write(given[0], draw), draw.drawn
    if what == "priced":  # by another model
        model.probability = given[1]
        return model.price(given[0])
    return getattr(model, what)(*given)


class Model(Exercise):
    id = "00.model"
    title = "Build: a language model that counts"
    minutes, difficulty, importance, points = 15, 3, 5, 5
    hints = (
        "`[count(tokens, length) for length in range(1, n + 1)]` makes the tables. "
        "`len(self.words)` is V.",
        'For `price`, put `n - 1` times `"<eod>"` before the text, as in `count`. Then every '
        "token has a history: the slice of `n - 1` tokens that ends before it, made a tuple.",
        "`sorted(self.words, key=..., reverse=True)[:k]`: the key of a word is its probability.",
        "In `write`, the history is the end of the text so far: "
        "`tuple(text[len(text) - self.n + 1:])`. At the end, leave the `<eod>` put first out.",
    )

    def as_functions(self, made: Any) -> tuple:
        return (partial(asked, made),)

    def untouched(self, asked: Asked) -> bool:
        return asked("methods", (TEXT, 2, WORDS)) is None

    def check(self, asked: Asked) -> Right | Wrong:
        for n, words in ((3, WORDS), (1, WORDS), (2, [*WORDS, "f"])):
            told = wrong_model(asked, TEXT, n, words)
            if told:
                return told
        return Right("It prices any text, and it writes: a language model is both.")


def wrong_model(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The first mistake in a model of ``tokens``, in the order of the steps."""
    told, methods = wrong_parts(asked, tokens, n, words), asked("methods", (tokens, n, words))
    steps = (probabilities, prices, likeliest, written)
    for number, (name, step) in enumerate(zip(METHODS, steps, strict=True)):
        if told:
            return told
        if name not in methods:
            return Wrong(f"right so far. Step {number + 2} is next: the method `{name}`.", number)
        told = step(asked, tokens, n, words)
    if not told and asked("changed", (tokens, n, words)):
        return Wrong("a method changes the list that it was given, `tokens` or `words`: make a "
                     "new list.", 4)  # fmt: skip
    return told


def wrong_parts(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The first step: n, the words and the tables."""
    size, known, tables = asked("parts", (tokens, n, words))
    if size != n:
        return Wrong(f"`self.n` should be {n}, the argument `n`, but is {size!r}.")
    if not isinstance(known, list | tuple) or list(known) != words:
        return Wrong("`self.words` should be the list `words`.")
    if isinstance(tables, dict):
        return Wrong("`self.tables` is one table: make a list of them, for 1, 2, ... up to `n`.")
    if not isinstance(tables, list | tuple):
        return Wrong("`self.tables` should be a list of tables, made by `count`.")
    if len(tables) != n:
        return Wrong(f"with n = {n} there are {n} tables, for 1 to {n} tokens; you have "
                     f"{len(tables)}: `range` stops before its end.")  # fmt: skip
    if n > 1 and list(tables)[::-1] == [table_of(grams(tokens, k + 1)) for k in range(n)]:
        return Wrong("the longest history stands first: begin with that of no token.")
    for k, table in enumerate(tables):
        wrong = wrong_table(table, tokens, k + 1)
        if wrong:
            return Wrong(f"`self.tables[{k}]`: {getattr(wrong, 'message', '')}")
    return None


def probability(tokens: list[str], n: int, words: list[str]) -> Callable[[str, History], float]:
    """The right model: p(token, history)."""
    tables = [table_of(grams(tokens, k + 1)) for k in range(n)]
    return lambda token, history: witten_bell(token, history, tables, len(words))


def probabilities(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The second step."""
    tables = [table_of(grams(tokens, k + 1)) for k in range(n)]
    for token, before in ((words[2], (*tokens[:2],)), (words[0], ("x", "y")), ("new", ("x", "a"))):
        history = before[len(before) - n + 1 :]
        got = asked("probability", (tokens, n, words), token, history)
        if got is None:
            return Wrong("`probability` gives None: is there a `return`?", 1)
        wrong = wrong_probability(got, token, history, tables, size=len(words))
        if wrong:
            return Wrong(wrong.message, 1)
    return None


def prices(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The third step; a mistake is named by what the method asks of another model."""
    p = probability(tokens, n, words)
    want = [-math.log(p(token, history)) for history, token in grams(NEW, n)]
    got = asked("price", (tokens, n, words), list(NEW))
    if same(got, want):
        return None

    def priced(text: list[str], by: Callable[..., float], order: int) -> Any:
        return asked("priced", (tokens, order, words), text, by)

    wrong = wrong_price(priced, NEW, n)
    if wrong and "never called" not in wrong.message:
        return Wrong(wrong.message, 2)
    verdict = compare(got, want, what="the list of surprises")
    return Wrong(getattr(verdict, "message", ""), 2)


def likeliest(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The fourth step."""
    history = tuple(tokens[: n - 1])
    p = probability(tokens, n, words)
    order = sorted(words, key=lambda word: p(word, history), reverse=True)
    for k in (2, 5):
        got = asked("likeliest", (tokens, n, words), history, k)
        if not isinstance(got, list | tuple):
            return Wrong(f"`likeliest` should give a list of {k} words.", 3)
        if any(isinstance(one, tuple | list) for one in got):
            return Wrong("`likeliest` gives the words alone, without their probabilities.", 3)
        shares = [p(word, history) for word in got if isinstance(word, str)]
        best = [p(word, history) for word in order]  # words may share a place
        if same(shares, best[:k]) and len({*got}) == k:
            continue
        if same(shares, best[::-1][:k]) or same(shares, best[:k][::-1]):
            return Wrong("the largest probability comes first: `reverse=True`.", 3)
        if len(got) != k:
            return Wrong(f"{k} words were asked for; `likeliest` gives {len(got)}. Take them from "
                         "all of `self.words`.", 3)  # fmt: skip
        if list(got) in (sorted(words)[:k], sorted(words)[::-1][:k]):
            return Wrong("the words are in the order of the alphabet: sort by probability.", 3)
        return Wrong(f"after {history} the likeliest are {order[:k]}, but yours are {got}.", 3)
    return None


def written(asked: Asked, tokens: list[str], n: int, words: list[str]) -> Wrong | None:
    """The last step: what was drawn from, and with which weights?"""
    length, p = 12, probability(tokens, n, words)
    try:
        text, drawn = asked("write", (tokens, n, words), length, SEED)
    except TypeError as error:
        if "unhashable" in str(error):
            return Wrong(LISTS, 4)
        raise
    if not isinstance(text, list | tuple):
        return Wrong("`write` gives a list of words: is there a `return`?", 4)
    if any(isinstance(word, list | tuple) for word in text):
        return Wrong(LISTS, 4)
    if len(text) == length + n - 1 > length:
        return Wrong('the "<eod>" put first are still in the text: leave them out.', 4)
    if len(text) != length:
        return Wrong(f"{length} words were asked for; `write` gives {len(text)}. (A drawn <eod> is "
                     "a word like any other.)", 4)  # fmt: skip
    if len(drawn) != length:
        return Wrong("draw each word by one call of `draw.choices(self.words, weights)`.", 4)
    if any(weights is None for _, weights, _ in drawn):
        return Wrong("every word is equally likely here: give `choices` the probabilities as "
                     "weights.", 4)  # fmt: skip
    if list(text) != [word for *_, word in drawn]:
        return Wrong("the words of the text are not those that were drawn.", 4)
    for (history, _), (known, weights, _) in zip(grams(list(text), n), drawn, strict=True):
        want = [p(word, history) for word in known]
        if same([x / sum(weights) for x in weights], [x / sum(want) for x in want]):
            continue
        first = [p(word, (EOD,) * (n - 1)) for word in known]
        if same(weights, first):
            return Wrong("each word is drawn after the same history: take the last n - 1 words of "
                         "the text so far.", 4)  # fmt: skip
        return Wrong(f"after {history} the weights should be the probabilities of all words, "
                     f"about {[round(x, 3) for x in want]}.", 4)  # fmt: skip
    if any(sorted(known) != sorted(words) for known, *_ in drawn):
        return Wrong("draw among all of `self.words`: the model may also leave the text that it "
                     "has read.", 4)  # fmt: skip
    return None
