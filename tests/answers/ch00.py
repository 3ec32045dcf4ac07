"""Chapter 00: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`).

An answer is an expression, or code whose last definition is the answer. It finds ``torch``, ``nn``,
``F``, ``math``, ``mb`` and ``solution``, the exercise's reference answer; and the names of `GIVEN`,
which the chapter has defined by then.
"""


def interpolate(together, total, different, shorter):
    return (together + different * shorter) / (total + different) if total else shorter


GIVEN = {"interpolate": interpolate}

ENTROPY = [
    ("lambda p: -(p * p.log()).sum()", "probability 0"),
    ("lambda p: solution(p) / math.log(2)", "bits"),
    ("lambda p: -solution(p)", "wrong sign"),
    ("lambda p: -p[p > 0].log().sum()", "every surprise counts the same"),
    ("lambda p: -p[p > 0].log().mean()", "a plain mean"),
    ("lambda p: solution(p) / len(p)", "divided by the number of outcomes"),
    ("lambda p: solution(p).exp()", "perplexity"),
    ("lambda p: torch.special.entr(p)", "shape"),
    ("lambda p: solution(p) / math.log(len(p))", "divided by log V"),
    ("lambda p: torch.tensor(1.142119)", "probability 0"),
    ("lambda p: solution(p.clone()) + 0 * p.zero_().sum()", "changed `p` itself"),
    ("lambda p: torch.special.entr(p[p > 0.04]).sum()", "leave out only 0"),
    ("lambda p: p.log().mul(p).mul(-1).mean() * math.nan", "NaN"),
]
PERPLEXITY = [
    ("lambda s: sum(s) / len(s)", "take its exponential"),
    ("lambda s: math.exp(-sum(s) / len(s))", "turned round"),
    ("lambda s: sum(math.exp(x) for x in s) / len(s)", "average first"),
    ("lambda s: math.exp(sum(s))", "not divided"),
    ("lambda s: 2 ** (sum(s) / len(s))", "base is e"),
    ("lambda s: math.exp(sum(s) / (len(s) - 1))", "n - 1"),
    ("lambda s: torch.tensor(s).quantile(0.5).exp()", "median"),
    ("lambda s: math.exp(min(s))", "smallest"),
    ("lambda s: solution([-math.log(x) for x in (0.5, 0.1, 0.02, 0.9, 0.05)])", "three tokens"),
    ("lambda s: math.exp(sum(s) / 5)", "three tokens"),
    ("lambda s: [math.exp(x) for x in s]", "shape"),
    ("lambda s: math.exp(s[-1])", "only the last surprise"),
    (
        """
def perplexity(surprises):
    result = solution(surprises)
    surprises.clear()
    return result
""",
        "changed the list",
    ),
]
COUNT = [
    ("lambda t, n: {h: dict.fromkeys(a, 1) for h, a in solution(t, n).items()}", "each time"),
    ("lambda t, n: {h[::-1]: a for h, a in solution(t, n).items()}", "turned round"),
    ("lambda t, n: solution(t, n + 1)", "should have n - 1"),
    ("lambda t, n: solution(t, n - 1 or 1)", "too short"),
    ("lambda t, n: solution(t, 3)", "should have n - 1"),
    ("lambda t, n: solution(t, 2)", "too short"),
    ("lambda t, n: solution(t[:-1], n)", "the last token"),
    ("lambda t, n: solution(t, 1)", "every history is empty"),
    ("lambda t, n: {' '.join(h): a for h, a in solution(t, n).items()}", "is a str"),
    (
        "lambda t, n: {(*h, w): c for h, a in solution(t, n).items() for w, c in a.items()}",
        "its own",
    ),
    (
        "lambda t, n: {h: {w: c / sum(a.values()) for w, c in a.items()} "
        "for h, a in solution(t, n).items()}",
        "shares",
    ),
    (
        """
def count(tokens, n):
    table = {}
    for i in range(n - 1, len(tokens)):
        after = table.setdefault(tuple(tokens[i - n + 1 : i]), {})
        after[tokens[i]] = after.get(tokens[i], 0) + 1
    return table
""",
        'put "<eod>" before',
    ),
    (
        """
def count(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        after = table.setdefault(tuple(padded[i - n + 2 : i + 1]), {})
        after[padded[i]] = after.get(padded[i], 0) + 1
    return table
""",
        "contains the token itself",
    ),
    (
        """
def count(tokens, n):
    table = solution(tokens, n)
    tokens[:0] = ["<eod>"] * (n - 1)
    return table
""",
        "changed the list",
    ),
]
INTERPOLATE = [
    ("lambda c, n, t, q: (c + t * q) / (n + t)", "divides by zero"),
    ("lambda c, n, t, q: c / n + t * q", "exceed 1"),
    ("lambda c, n, t, q: c / n if n else q", "only the counts"),
    ("lambda c, n, t, q: (c + t * q) / n if n else q", "missing below"),
    ("lambda c, n, t, q: (c + q) / (n + t) if n else q", "has the weight T(h)"),
    ("lambda c, n, t, q: (c + 1) / (n + t) if n else q", "adds one"),
    ("lambda c, n, t, q: c / (n + t) if n else q", "given to nobody"),
    ("lambda c, n, t, q: (c + q) / (n + 1)", "not 1"),
    ("lambda c, n, t, q: solution(c, n, t, q) if c else q", "new word after a history"),
    ("lambda c, n, t, q: (c + t * q) / (n + t) if n else 0.1", "should give `shorter`"),
    ("lambda c, n, t, q: c + t * q / (n + t)", "only the second part"),
    ("lambda c, n, t, q: (c + t * q) / n + t", "the sum below"),
    ("lambda c, n, t, q: c / (n + t) + t * q", "only the counts are divided"),
    ("lambda c, n, t, q: q + 0", "only the shorter history"),
    ("lambda c, n, t, q: (c + 4 * q) / (n + 4) if n else q", "for other arguments"),
]
PROBABILITY = [
    ("lambda w, h, tables, V: solution(w, h, tables[:-1], V)", "left out"),
    ("lambda w, h, tables, V: solution(w, h, tables[:1], V)", "only the first table"),
    ("lambda w, h, tables, V: solution(w, h[::-1], tables, V)", "turned round"),
    ("lambda w, h, tables, V: solution(w, h, tables, 1)", "not with 1"),
    ("lambda w, h, tables, V: solution(w, h, tables, len(tables[0][()]))", "is not used"),
    ("lambda w, h, tables, V: solution(w, h, tables, 1e18)", "gets 0"),
    ("lambda w, h, tables, V: math.log(solution(w, h, tables, V))", "logarithm"),
    ("lambda w, h, tables, V: solution(w, h, tables, 10)", "V = 25"),
    (
        """
def probability(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(history[-k:], {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
""",
        "round 0",
    ),
    (
        """
def probability(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table[tuple(history[len(history) - k :])]
        p = interpolate(after[token], sum(after.values()), len(after), p)
    return p
""",
        "with a default",
    ),
    (
        """
def probability(token, history, tables, V):
    after = tables[-1].get(history, {})
    return after.get(token, 0) / max(1, sum(after.values())) + 0.0
""",
        "only the longest",
    ),
    (
        """
def probability(token, history, tables, V):
    p = 1 / V
    for k in reversed(range(len(tables))):
        after = tables[k].get(tuple(history[len(history) - k :]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
""",
        "begin with the shortest",
    ),
    (
        """
def probability(token, history, tables, V):
    for k, table in enumerate(tables):
        after = table.setdefault(tuple(history[len(history) - k :]), {})
    return solution(token, history, tables, V)
""",
        "changed the tables",
    ),
]
MIXED_ALONE = """
def probability(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        if after:
            p = interpolate(after.get(token, 0), sum(after.values()), len(after), 1 / V)
    return p
"""
FIRST_TOKENS = """
def probability(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[:k]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
"""
PROBABILITY += [(MIXED_ALONE, "each round mixes"), (FIRST_TOKENS, "first k tokens")]
IF_SEEN = MIXED_ALONE.replace("if after:", "if token in after:").replace("1 / V)", "p)")
WITHOUT_FIRST = """
def probability(token, history, tables, V):
    p = 1 / V
    for k in range(1, len(tables)):
        after = tables[k].get(tuple(history[len(history) - k :]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
"""
FROM_THE_LEFT = FIRST_TOKENS.replace("history[:k]", "history[len(tables) - 1 - k :]")
PROBABILITY += [
    (IF_SEEN, "wherever the history was seen"),
    (WITHOUT_FIRST, "leaves `tables[0]` out"),
    (FROM_THE_LEFT, "count from its end"),
]
LAST_OF_HISTORY = """
def count(tokens, n):
    table = {}
    for history, after in solution(tokens, n).items():
        for token, times in after.items():
            token = history[-1] if history else token
            table.setdefault(history, Counter())[token] += times
    return table
"""
COUNT += [(LAST_OF_HISTORY, "last token is counted")]
COUNTING = """
def count(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        after = table.setdefault(tuple(padded[i - n + 1 : i]), {})
        after[padded[i]] = after.get(padded[i], 0) + 1
    return table
"""
SINGLE = COUNTING.replace("* (n - 1) + tokens", "+ tokens")
FROM_ZERO = COUNTING.replace("range(n - 1", "range(0")
ENDED = '["<eod>"] * (n - 1)'
COUNT += [
    (SINGLE, 'only one "<eod>"'),
    (SINGLE.replace("range(n - 1", "range(1"), 'only one "<eod>"'),
    (FROM_ZERO, "at position n - 1"),
    (FROM_ZERO.replace("i - n + 1 :", "max(0, i - n + 1) :"), "at position n - 1"),
    (COUNTING.replace("+ tokens", '+ tokens + ["<eod>"]'), "after the text"),
    (COUNTING.replace("+ tokens", f"+ tokens + {ENDED}"), "after the text"),
    (COUNTING.replace(f"{ENDED} + tokens", f"tokens + {ENDED}"), "after the text"),
    (COUNTING.replace("<eod>", "<bos>"), "but yours is '<bos>'"),
    ("lambda t, n: solution(t[::-1], n)", "from the right"),
    (
        """
def count(tokens, n):
    table, padded = {}, tokens + ["<eod>"] * (n - 1)
    for i, token in enumerate(tokens):
        after = table.setdefault(tuple(padded[i + 1 : i + n]), {})
        after[token] = after.get(token, 0) + 1
    return table
""",
        "from the right",
    ),
    (
        """
def count(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        table[tuple(padded[i - n + 1 : i])] = {padded[i]: 1}
    return table
""",
        "overwrites",
    ),
    (
        """
def count(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        history, token = tuple(padded[i - n + 1 : i]), padded[i]
        table[history] = {token: table.get(history, {}).get(token, 0) + 1}
    return table
""",
        "overwrites",
    ),
]
PRICE = [
    (
        """
def price(tokens, p, n):
    surprises, padded = [], ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        surprises.append(-math.log(p(padded[i], tuple(padded[:i]))))
    return surprises
""",
        "that of 'b' has 3",
    ),
    (
        """
def price(tokens, p, n):
    surprises, padded = [], ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        history = tuple(padded[i - n + 1 : i])
        history = history if "<eod>" in history else history[::-1]
        surprises.append(-math.log(p(padded[i], history)))
    return surprises
""",
        "asked for 'b' after ('b', 'a')",
    ),
    ("lambda t, p, n: [math.exp(-x) for x in solution(t, p, n)]", "these are probabilities"),
    ("lambda t, p, n: [-x for x in solution(t, p, n)]", "turn the sign"),
    ("lambda t, p, n: [x / math.log(2) for x in solution(t, p, n)]", "bits"),
    ("lambda t, p, n: sum(solution(t, p, n))", "this is the sum"),
    ("lambda t, p, n: sum(solution(t, p, n)) / len(t)", "this is the mean"),
    ("lambda t, p, n: math.exp(sum(solution(t, p, n)) / len(t))", "this is the perplexity"),
    ("lambda t, p, n: solution(t, p, n)[-1]", "only the last"),
    ("lambda t, p, n: solution(t, p, n + 1)", "a history has"),
    ("lambda t, p, n: solution(t, p, 3)", "a history has"),
    ("lambda t, p, n: solution(t, lambda w, h: p(w, list(h)), n)", "is a list"),
    ("lambda t, p, n: solution(t, lambda w, h: p(w, (*h[1:], w)), n)", "sees the answer"),
    ("lambda t, p, n: solution(t, lambda w, h: p(w, h[::-1]), n)", "do not go together"),
    ("lambda t, p, n: solution(t[:-1], p, n)", "tokens are charged"),
    ("lambda t, p, n: [1.0 for _ in t]", "never called"),
    ("lambda t, p, n: solution(['<eod>'] * (n - 1) + t, p, n)", "too many tokens"),
    (
        """
def price(tokens, p, n):
    places = range(n - 1, len(tokens))
    return [-math.log(p(tokens[i], tuple(tokens[i - n + 1 : i]))) for i in places]
""",
        "are not charged",
    ),
    (
        """
def price(tokens, p, n):
    surprises = solution(tokens, p, n)
    tokens[:0] = ["<eod>"]
    return surprises
""",
        "changed the list",
    ),
    (
        """
def price(tokens, p, n):
    total, running = 0, []
    for x in solution(tokens, p, n):
        total += x
        running.append(total)
    return running
""",
        "add up from token to token",
    ),
]
BUG = [
    ("lambda b: math.exp(sum(x / n for x, n in b) / len(b))", "every batch"),
    ("lambda b: sum(n * math.exp(x / n) for x, n in b) / sum(n for _, n in b)", "take exp last"),
    ("lambda b: sum(x for x, _ in b) / sum(n for _, n in b)", "take its exponential"),
    ("lambda b: math.exp(sum(x for x, _ in b) / len(b))", "number of batches"),
    ("lambda b: 2 ** (sum(x for x, _ in b) / sum(n for _, n in b))", "base is e"),
    ("lambda b: solution(b[:-1])", "last batch"),
    ("lambda b: math.exp(sum(x for x, _ in b))", "is not divided"),
    ("lambda b: min(math.exp(x / n) for x, n in b)", "best batch"),
    ("lambda b: 1 / solution(b)", "turned round"),
    ("lambda b: math.exp(41 / 15)", "for others"),
]
TABLE = {
    "entropy": ENTROPY,
    "perplexity": PERPLEXITY,
    "count": COUNT,
    "interpolate": INTERPOLATE,
    "probability": PROBABILITY,
    "price": PRICE,
    "find_the_bug": BUG,
}
WRONG = [(f"00.{name}", *row) for name, rows in TABLE.items() for row in rows]

RIGHT = [
    ("00.entropy", "solution"),
    ("00.entropy", "lambda p: -torch.xlogy(p, p).sum()"),
    ("00.entropy", "lambda p: -sum(float(q) * math.log(q) for q in p if q > 0)"),
    ("00.entropy", "lambda p: torch.distributions.Categorical(p).entropy()"),
    ("00.perplexity", "solution"),
    ("00.perplexity", "lambda s: math.prod(math.exp(x) for x in s) ** (1 / len(s))"),
    ("00.perplexity", "lambda s: torch.tensor(s).mean().exp()"),
    ("00.count", "solution"),
    (
        "00.count",
        """
def count(tokens, n):
    table, history = {}, ("<eod>",) * (n - 1)
    for token in tokens:
        table.setdefault(history, Counter())[token] += 1
        history = (*history, token)[1:]
    return table
""",
    ),
    ("00.interpolate", "solution"),
    ("00.interpolate", "lambda c, n, t, q: (c + t * q) / (n + t) if n + t else q"),
    (
        "00.interpolate",
        "lambda c, n, t, q: q if not n else (c / n) * n / (n + t) + q * t / (n + t)",
    ),
    ("00.probability", "solution"),
    (
        "00.probability",
        """
def probability(token, history, tables, V):
    if not tables:
        return 1 / V
    *shorter, table = tables
    after = table.get(history[len(history) - len(shorter) :], {})
    p = probability(token, history, shorter, V)
    return interpolate(after.get(token, 0), sum(after.values()), len(after), p)
""",
    ),
    ("00.price", "solution"),
    ("00.price", "lambda t, p, n: torch.tensor(solution(t, p, n)).numpy()"),
    ("00.price", "lambda t, p, n: torch.tensor(solution(t, p, n))"),
    (
        "00.price",
        """
def price(tokens, p, n):
    history, surprises = ("<eod>",) * (n - 1), []
    for token in tokens:
        surprises.append(-math.log(p(token, history)) if p(token, history) else math.inf)
        history = (*history, token)[1:]
    return surprises
""",
    ),
    ("00.find_the_bug", "solution"),
    ("00.find_the_bug", "lambda b: math.exp(sum(x for x, _ in b) / sum(n for _, n in b))"),
]
