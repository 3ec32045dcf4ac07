"""What the checks of chapter 00 know of n-grams: right tables and probabilities, and wrong ones."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from minibert.course.learn.compare import compare, mistaken
from minibert.course.learn.exercise import Right, Wrong

EOD = "<eod>"
NOWHERE = ("a history that no table has",)
History = tuple[str, ...]
Pairs = Iterable[tuple[History, str]]  # of a history and the token that follows it
Table = dict[History, dict[str, int]]
Known = list[tuple]  # (value, message, points) of mistakes: see `compare`


def grams(tokens: list[str], n: int) -> list[tuple[History, str]]:
    """(history of n - 1 tokens, token) for each token, in order."""
    padded = [EOD] * (n - 1) + list(tokens)
    return [(tuple(padded[i - n + 1 : i]), padded[i]) for i in range(n - 1, len(padded))]


def table_of(pairs: Pairs) -> Table:
    """The table {history: {token: count}} of (history, token) pairs."""
    table: Table = {}
    for history, token in pairs:
        after = table.setdefault(history, {})
        after[token] = after.get(token, 0) + 1
    return table


def wrong_table(got: Any, tokens: list[str], n: int) -> Right | Wrong | None:
    """`Wrong` for a table of ``tokens`` that is not right, or None."""
    if not isinstance(got, dict):
        return compare(got, {}, what="the table")
    if not all(isinstance(after, dict) for after in got.values()):
        return Wrong("each history needs a dictionary of its own: {history: {token: count}}.", 1)
    kinds = {type(history).__name__ for history in got} - {"tuple"}
    if kinds:
        message = f"a history is a tuple of {n - 1} tokens, but one of yours is a {kinds.pop()}."
        return Wrong(message, 2)
    table = {history: dict(after) for history, after in got.items()}
    want = table_of(grams(tokens, n))
    if table == want:
        return None
    marks = {token for history in table for token in history} - {*tokens, EOD}
    if len(marks) == 1:  # perhaps only the mark is another
        mark = marks.pop()
        if {tuple(EOD if t == mark else t for t in h): a for h, a in table.items()} == want:
            return Wrong(f'before the text stands "<eod>", but yours is {mark!r}.', 2)
    known = miscounts(tokens, n, want) + misplaced(tokens, n)
    return mistaken(table, known) or unknown_table(table, n)


def unknown_table(table: Table, n: int) -> Wrong:
    """What is seen to be wrong with a table that no known mistake gives."""
    lengths = sorted({len(history) for history in table} - {n - 1})
    if lengths:
        message = f"with n = {n} a history has {n - 1} tokens, but one of yours has"
        return Wrong(f"{message} {lengths[-1]}.", 1)
    if any(c == 0 for after in table.values() for c in after.values()):
        return Wrong("a token that never followed stands there with 0: leave it out.", 2)
    return Wrong(f"the table for n = {n} is not right: print it for a short text.")


def miscounts(tokens: list[str], n: int, want: Table) -> Known:
    """(table, message, points) of known mistakes in a table of ``tokens``."""
    pairs = grams(tokens, n)
    once = {history: dict.fromkeys(after, 1) for history, after in want.items()}
    shares = {
        history: {token: c / sum(after.values()) for token, c in after.items()}
        for history, after in want.items()
    }
    higher = {h: {token: c + 1 for token, c in after.items()} for h, after in want.items()}
    return [
        (table_of(pairs[n - 1 :]), 'the first tokens are missing: put "<eod>" before them.', 2),
        (table_of(pairs[:-1]), "the last token of the text is missing.", 2),
        (once, "each follower counts once: add one each time that it comes.", 2),
        (higher, "each count is one too high: begin with 0.", 2),
        (table_of(grams([t.lower() for t in tokens], n)), "yours is in lower case: keep the "
         "capitals.", 2),
        (table_of(across(tokens, n)), 'the history starts again after an "<eod>" inside the '
         "text: that is a token like any other.", 2),
        (shares, "these are shares: the table holds counts.", 2),
        (table_of((h[::-1], t) for h, t in pairs), "the history is in reverse order.", 2),
        (table_of(grams(tokens, n + 1)), "the history has n tokens: it should have n - 1.", 2),
        (table_of((h, h[-1] if h else t) for h, t in pairs), "the history's last token is "
         "counted, not the token that follows it.", 1),
        (table_of(((*h[1:], t), t) for h, t in pairs), "the history contains the token "
         "itself: let the slice end before it.", 2),
        (table_of(grams(tokens, n - 1)) if n > 1 else None, "the history is one token too "
         "short: it should have n - 1.", 2),
        (table_of(grams(tokens, 1)), "every history is empty: use the argument `n`.", 1),
    ]  # fmt: skip


def across(tokens: list[str], n: int) -> list[tuple[History, str]]:
    """`grams` of each document by itself, as if nothing stood before it."""
    ends = [i + 1 for i, token in enumerate(tokens) if token == EOD]
    cuts = zip([0, *ends], [*ends, len(tokens)], strict=True)
    return [pair for start, end in cuts for pair in grams(tokens[start:end], n)]


def misplaced(tokens: list[str], n: int) -> Known:
    """(table, message, points) of known mistakes with marks, sides and inner dictionaries."""
    pairs = grams(tokens, n)
    padded = [EOD] * (n - 1) + tokens
    early = [(tuple(padded[i - n + 1 : i]), EOD) for i in range(n - 1)]  # these slices are empty
    growing = [(tuple(padded[:i]), EOD) for i in range(n - 1)]
    after = tokens + [EOD] * (n - 1)
    right = [(tuple(after[i + 1 : i + n]), token) for i, token in enumerate(tokens)]
    counted: Table = {}
    for h, t in pairs:
        counted[h] = {t: counted.get(h, {}).get(t, 0) + 1}
    overwritten = (
        "each new follower overwrites those before: keep one inner dictionary for a history."
    )
    single = 'only one "<eod>" stands before the text: put n - 1 of them.'
    padding = 'the "<eod>" put first are counted, too: begin at position n - 1.'
    ended = 'an "<eod>" was put after the text: they belong only before it.'
    backward = "the history comes from the right: take the tokens before, not those after."
    return [
        ({h: {t: 1} for h, t in pairs}, overwritten, 1),
        (counted, overwritten, 1),
        (table_of(pairs[n - 2 :]) if n > 2 else None, single, 2),
        (table_of([((), tokens[0]), *pairs[n - 2 :]]) if n > 2 else None, single, 2),
        (table_of([*early, *pairs]), padding, 2),
        (table_of([((EOD,) * (n - 1), EOD), *pairs]), padding, 2),
        (table_of([*growing, *pairs]), padding, 2),
        (table_of(grams([*tokens, EOD], n)), ended, 2),
        (table_of(grams(after, n)), ended, 2),
        (table_of(grams(after, n)[n - 1 :]), ended, 2),
        (table_of(right), backward, 1),
        (table_of(grams(tokens[::-1], n)), backward, 1),
    ]


def witten_bell(
    token: str,
    history: History,
    tables: list[Table],
    size: int,
    *,
    first: float | None = None,
    cut: Callable[[History, int], History] | None = None,
) -> float:
    """p(token | history), from the shortest history to the longest."""
    p = 1 / size if first is None else first
    for k, table in enumerate(tables):
        after = table.get(tuple(cut(history, k) if cut else history[len(history) - k :]), {})
        total, different = sum(after.values()), len(after)
        p = (after.get(token, 0) + different * p) / (total + different) if total else p
    return p


def wrong_probability(
    got: Any, token: str, history: History, tables: list[Table], *, size: int
) -> Wrong | None:
    """`Wrong` if ``got`` is not p(token | history), or None."""
    asked = token, history, tables, size
    verdict = compare(
        got,
        witten_bell(*asked),
        misjudged(*asked),
        what=f"p({token} | {' '.join(history)}) with {len(tables)} tables and V = {size}",
    )
    return None if isinstance(verdict, Right) else verdict


def misjudged(token: str, history: History, tables: list[Table], size: int) -> Known:
    """(probability, message, points) of known mistakes in p(token | history)."""
    longest = tables[-1].get(history[len(history) - len(tables) + 1 :], {})
    total = sum(longest.values())

    def whole(history: History, k: int) -> History:
        return history[-k:]

    def seen(history: History, k: int) -> History:
        last = history[len(history) - k :]
        return last if token in tables[k].get(last, {}) else NOWHERE

    asked = token, history, tables, size

    def given(**changes: Any) -> float:
        return witten_bell(token, history, tables, size, **changes)

    return [
        (given(cut=seen), "a word that never followed a history must lose by it, too: mix "
         "wherever the history was seen.", 2),
        (given(cut=whole), "round 0 found nothing: `history[-0:]` is the whole history (use "
         "`history[len(history) - k:]`), or the loop leaves `tables[0]` out.", 2),
        (given(first=0.0), "a word that was never seen gets 0: begin with 1 / V.", 2),
        (given(first=1.0), "begin with 1 / V, not with 1.", 2),
        (given(first=1 / len(tables[0][()])), "begin with 1 / V: the argument `V` is not used.",
         2),
        (given(cut=lambda h, k: h[:k]), "these are the first k tokens of the history: take "
         "the last k.", 2),
        (given(cut=lambda h, k: h[len(tables) - 1 - k :]), "the history may be longer than the "
         "longest of the tables: count from its end.", 2),
        (witten_bell(token, history[::-1], tables, size), "the history is in reverse order.", 2),
        (witten_bell(token, history, tables[:-1], size), "the longest history is left out.", 2),
        (witten_bell(token, history, tables[:1], size), "only the first table was used.", 1),
        (longest.get(token, 0) / total if total else 0.0, "only the longest history speaks: "
         "hand the `p` of each round on to the next.", 1),
        (backwards(token, history, tables, size), "from the longest history to the shortest: "
         "begin with the shortest.", 1),
        (alone(token, history, tables, size), "each round mixes with 1 / V: mix with the `p` "
         "of the round before.", 2),
        *miscounted(asked),
    ]  # fmt: skip


def miscounted(asked: tuple) -> Known:
    """(probability, message, points) of known mistakes with c(h), T(h) and the histories."""
    return [
        (math.log(witten_bell(*asked)), "this is the logarithm: give the probability itself.", 2),
        (mixed(asked, lambda total, different, _: (different, total)), "c(h) and T(h) are "
         "swapped: the sum of the counts comes first, then the number of followers.", 2),
        (mixed(asked, lambda total, _, table: (total, len(table))), "T(h) is the number of "
         "tokens that followed this history, not of all histories.", 2),
        (1 / asked[-1], "no history was found: round k looks up the last k tokens, a tuple, "
         "and the first round is k = 0.", 1),
    ]  # fmt: skip


def mixed(asked: tuple, counts: Callable[[int, int, Table], tuple[int, int]]) -> float:
    """`witten_bell` with other numbers for c(h) and T(h)."""
    token, history, tables, size = asked
    p = 1 / size
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        total, different = counts(sum(after.values()), len(after), table)
        p = (after.get(token, 0) + different * p) / (total + different) if total else p
    return p


def backwards(token: str, history: History, tables: list[Table], size: int) -> float:
    """`witten_bell` that begins with the longest history."""
    p = 1 / size
    for k in reversed(range(len(tables))):
        after = tables[k].get(tuple(history[len(history) - k :]), {})
        total, different = sum(after.values()), len(after)
        p = (after.get(token, 0) + different * p) / (total + different) if total else p
    return p


def alone(token: str, history: History, tables: list[Table], size: int) -> float:
    """What the last history that was seen gives, mixed with 1 / V at once."""
    found = 1 / size  # overwritten by each history that was seen
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        total, different = sum(after.values()), len(after)
        if total:
            found = (after.get(token, 0) + different / size) / (total + different)
    return found


def wrongly_asked(asked: list, want: list[tuple[History, str]], n: int) -> Wrong | None:
    """`Wrong` where ``p`` was asked for other tokens and histories than it should be."""
    if not asked:
        return Wrong("`p` was never called.")
    if any(isinstance(token, tuple) for _, token in asked):
        return Wrong("`p` takes the token first, and then the history.", 2)
    other = next((h for h, _ in asked if not isinstance(h, tuple)), ())
    if not isinstance(other, tuple):
        return Wrong(f"a history is a tuple, but yours is a {type(other).__name__}.", 2)
    times, asked = len(asked), list(dict.fromkeys(asked))  # asking twice is no mistake
    if asked == want:
        return None
    if len(asked) > len(want):
        return Wrong('too many tokens are charged: the "<eod>" put first cost nothing.', 1)
    if [t for _, t in asked] == [t for _, t in want[n - 1 :]] and n > 1:
        return Wrong('the first tokens are not charged: put "<eod>" before them.', 1)
    if times < len(want):
        return Wrong(f"{times} tokens are charged, but the text has {len(want)}.", 1)
    if all(h and h[-1] == t for h, t in asked):
        return Wrong("the history ends with the token itself: the model sees the answer.", 1)
    for history, token in asked:
        if len(history) != n - 1:
            message = f"with n = {n} a history has {n - 1} tokens, but that of {token!r} has"
            return Wrong(f"{message} {len(history)}.", 1)
    history, token = next(pair for pair, right in zip(asked, want, strict=False) if pair != right)
    return Wrong(f"`p` was asked for {token!r} after {history}: these do not go together.", 1)


def made_up(token: str, history: History) -> float:
    """A probability for the checks, which depends on both."""
    if isinstance(token, tuple) or not all(isinstance(t, str) for t in (token, *history)):
        return 0.5  # asked in a wrong way, which is told later
    return (1 + sum(map(ord, "".join(history) * 2 + token)) % 7) / 9


def wrong_prices(got: Any, wanted: Pairs) -> Wrong | None:
    """`Wrong` where the numbers are not the surprises at the (history, token) pairs, or None."""
    p = [made_up(token, history) for history, token in wanted]
    want = [-math.log(x) for x in p]
    mistakes: Known = [
        (p, "these are probabilities: the surprise is minus their logarithm.", 1),
        ([-x for x in want], "the logarithm of a probability is negative: turn the sign.", 2),
        ([x / math.log(2) for x in want], "this is in bits: take the natural logarithm.", 2),
        (sum(want), "this is the sum: return the list of all surprises.", 2),
        (sum(want) / len(want), "this is the mean: return the list of all surprises.", 2),
        (math.exp(sum(want) / len(want)), "this is the perplexity: return the list.", 1),
        (want[-1], "only the last surprise: return the list of all of them.", 1),
        (want[::-1], "these begin with the last token: keep the order of the text.", 2),
        (sorted(want), "these are sorted: keep the order of the text.", 2),
        ([x / math.log(10) for x in want], "this is to the base 10: take the natural one.", 2),
        ([1 / x for x in p], "these are 1 / p: the surprise is minus the logarithm of p.", 1),
        ([1 - x for x in p], "these are 1 - p: the surprise is minus the logarithm of p.", 1),
        (
            [x * w for x, w in zip(p, want, strict=True)],
            "each is multiplied by p: here the text does the weighing, so add no weight.",
            1,
        ),
    ]
    if isinstance(got, list | tuple) and len(got) == len(want) > 1:
        running = [math.fsum(want[: i + 1]) for i in range(len(want))]
        mistakes.append((running, "these add up from token to token: one surprise each.", 2))
    verdict = compare(got, want, mistakes, what="the list of surprises")
    return None if isinstance(verdict, Right) else verdict


def wrong_price(price: Callable[..., Any], tokens: list[str], n: int) -> Wrong | None:
    """`Wrong` for a price of ``tokens`` that is not right, or None."""
    asked: list[tuple[History, str]] = []
    given = list(tokens)

    def p(token: str, history: History) -> float:
        asked.append((history, token))
        return made_up(token, history)

    got = price(given, p, n)
    if given != tokens:
        return Wrong("your function has changed the list `tokens` itself: make a copy.", 2)
    wanted = grams(tokens, n)
    return wrongly_asked(asked, wanted, n) or wrong_prices(got, wanted)
