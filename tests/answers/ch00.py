"""Chapter 00: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`).

An answer is an expression, or code whose last definition is the answer. It finds ``torch``, ``nn``,
``F``, ``math``, ``mb`` and ``solution``, the exercise's reference answer; and the names of `GIVEN`,
which the chapter has defined by then.
"""


def interpolate(together, total, different, shorter):
    return (together + different * shorter) / (total + different) if total else shorter


def count(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + list(tokens)
    for i in range(n - 1, len(padded)):
        after = table.setdefault(tuple(padded[i - n + 1 : i]), {})
        after[padded[i]] = after.get(padded[i], 0) + 1
    return table


def probability(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p


GIVEN = {"interpolate": interpolate, "count": count, "probability": probability}

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
    ("lambda s: math.exp(-sum(s) / len(s))", "sign is wrong"),
    ("lambda s: sum(math.exp(x) for x in s) / len(s)", "average first"),
    ("lambda s: math.exp(sum(s))", "not divided"),
    ("lambda s: 2 ** (sum(s) / len(s))", "base is e"),
    ("lambda s: math.exp(sum(s) / (len(s) - 1))", "n - 1"),
    ("lambda s: torch.tensor(s).quantile(0.5).exp()", "median"),
    ("lambda s: math.exp(min(s))", "smallest"),
    ("lambda s: solution([-math.log(x) for x in (0.5, 0.1, 0.02, 0.9, 0.05)])", "for five tokens"),
    ("lambda s: math.exp(sum(s) / 5)", "for five tokens"),
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
    ("lambda t, n: {h[::-1]: a for h, a in solution(t, n).items()}", "reverse order"),
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
def counted(tokens, n):
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
def counted(tokens, n):
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
def counted(tokens, n):
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
    ("lambda w, h, tables, V: solution(w, h[::-1], tables, V)", "reverse order"),
    ("lambda w, h, tables, V: solution(w, h, tables, 1)", "not with 1"),
    ("lambda w, h, tables, V: solution(w, h, tables, len(tables[0][()]))", "is not used"),
    ("lambda w, h, tables, V: solution(w, h, tables, 1e18)", "gets 0"),
    ("lambda w, h, tables, V: math.log(solution(w, h, tables, V))", "logarithm"),
    ("lambda w, h, tables, V: solution(w, h, tables, 10)", "V = 25"),
    (
        """
def chance(token, history, tables, V):
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
def chance(token, history, tables, V):
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
def chance(token, history, tables, V):
    after = tables[-1].get(history, {})
    return after.get(token, 0) / max(1, sum(after.values())) + 0.0
""",
        "only the longest",
    ),
    (
        """
def chance(token, history, tables, V):
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
def chance(token, history, tables, V):
    for k, table in enumerate(tables):
        after = table.setdefault(tuple(history[len(history) - k :]), {})
    return solution(token, history, tables, V)
""",
        "changed the tables",
    ),
]
MIXED_ALONE = """
def chance(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        if after:
            p = interpolate(after.get(token, 0), sum(after.values()), len(after), 1 / V)
    return p
"""
FIRST_TOKENS = """
def chance(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[:k]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
"""
PROBABILITY += [(MIXED_ALONE, "each round mixes"), (FIRST_TOKENS, "first k tokens")]
IF_SEEN = MIXED_ALONE.replace("if after:", "if token in after:").replace("1 / V)", "p)")
WITHOUT_FIRST = """
def chance(token, history, tables, V):
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
def counted(tokens, n):
    table = {}
    for history, after in solution(tokens, n).items():
        for token, times in after.items():
            token = history[-1] if history else token
            table.setdefault(history, Counter())[token] += times
    return table
"""
COUNT += [(LAST_OF_HISTORY, "last token is counted")]
COUNTING = """
def counted(tokens, n):
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
def counted(tokens, n):
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
def counted(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        table[tuple(padded[i - n + 1 : i])] = {padded[i]: 1}
    return table
""",
        "overwrites",
    ),
    (
        """
def counted(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for i in range(n - 1, len(padded)):
        history, token = tuple(padded[i - n + 1 : i]), padded[i]
        table[history] = {token: table.get(history, {}).get(token, 0) + 1}
    return table
""",
        "overwrites",
    ),
]
NGRAM = """
class NGram:
    def __init__(self, tokens, n, words):
        self.n, self.words = n, words
        self.tables = [count(tokens, length) for length in range(1, n + 1)]

    def probability(self, token, history):
        return probability(token, history, self.tables, len(self.words))

    def price(self, tokens):
        padded, surprises = ["<eod>"] * (self.n - 1) + list(tokens), []
        for i in range(self.n - 1, len(padded)):
            history = tuple(padded[i - self.n + 1 : i])
            surprises.append(-math.log(self.probability(padded[i], history)))
        return surprises

    def likeliest(self, history, k):
        p = {word: self.probability(word, history) for word in self.words}
        return sorted(p, key=p.get, reverse=True)[:k]

    def write(self, length, draw):
        text = ["<eod>"] * (self.n - 1)
        for _ in range(length):
            history = tuple(text[len(text) - self.n + 1 :])
            weights = [self.probability(word, history) for word in self.words]
            text += draw.choices(self.words, weights)
        return text[self.n - 1 :]
"""


def model(old="", new="", code=NGRAM):
    """The class after a replacement."""
    assert old in code, old
    return code.replace(old, new) if old else code


BY_DEQUE = """
class Model:
    def __init__(self, tokens, n, words):
        self.n, self.words = n, tuple(words)
        self.tables = tuple(count(tokens, k + 1) for k in range(n))

    def probability(self, token, history):
        p = 1 / len(self.words)
        for k, table in enumerate(self.tables):
            after = table.get(tuple(history[len(history) - k :]), {})
            p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
        return p

    def price(self, tokens):
        history, surprises = ("<eod>",) * (self.n - 1), []
        for token in tokens:
            surprises.append(math.log(1 / self.probability(token, history)))
            history = (*history, token)[1:]
        return torch.tensor(surprises).numpy()

    def likeliest(self, history, k):
        p = Counter({word: self.probability(word, history) for word in self.words})
        return [word for word, _ in p.most_common(k)]

    def write(self, length, draw):
        history, text = ("<eod>",) * (self.n - 1), []
        for _ in range(length):
            weights = [100 * self.probability(word, history) for word in self.words]
            text.append(draw.choices(self.words, weights=weights, k=1)[0])
            history = (*history, text[-1])[1:]
        return text
"""
LEN = 'text = ["<eod>"] * (self.n - 1)'
MODEL = [
    (model("range(1, n + 1)", "range(1, n)"), "stops before its end"),
    (model("range(1, n + 1)", "range(n)"), "tables[0]"),
    (model("range(1, n + 1)", "range(n, 0, -1)"), "longest history stands first"),
    (model("[count(tokens, length) for length in range(1, n + 1)]", "count(tokens, n)"), "one tab"),
    (model("self.n, self.words = n, words", "self.n, self.words = n, set(words)"), "list `words`"),
    (model("self.n, self", "self.m, self").replace("self.n", "len(self.tables)"), "self.n` should"),
    (model("return probability(", "probability("), "is there a `return`"),
    (model("len(self.words))", "len(self.tables[0][()]))"), "is not used"),
    (model("self.tables, len", "self.tables[:1], len"), "only the first table"),
    (model("token, history, self", "token, history[::-1], self"), "reverse order"),
    (
        model("return probability(", "return math.log(probability(").replace("words))", "words)))"),
        "this is the logarithm",
    ),
    (model(code=NGRAM.split("    def price")[0]), "Step 3 is next"),
    (model(code=NGRAM.split("    def likeliest")[0]), "Step 4 is next"),
    (model(code=NGRAM.split("    def write")[0]), "Step 5 is next"),
    (model("-math.log(", "math.log("), "turn the sign"),
    (model("-math.log(", "-math.log2("), "in bits"),
    (
        model(
            "-math.log(self.probability(padded[i], history))",
            "self.probability(padded[i], history)",
        ),
        "these are probabilities",
    ),
    (model("return surprises", "return sum(surprises)"), "this is the sum"),
    (model("return surprises", "return sum(surprises) / len(surprises)"), "this is the mean"),
    (model("range(self.n - 1, len", "range(2 * self.n - 2, len"), "are not charged"),
    (model("range(self.n - 1, len", "range(len"), "too many tokens"),
    (model("i - self.n + 1 : i]", "i - self.n + 1 : i + 1]"), "sees the answer"),
    (model("tuple(padded[i - self.n + 1 : i])", "tuple(padded[:1])"), "a history has"),
    (model("list(tokens), []", "list(tokens)[:-1], []"), "tokens are charged"),
    (
        model("self.probability(padded[i], history)", "self.probability(history, padded[i])"),
        "the token first",
    ),
    (model(", reverse=True", ""), "largest probability comes first"),
    (model("[:k]", ""), "words were asked for"),
    (model("[:k]", "[:3]"), "words were asked for"),
    (model("sorted(p, key=p.get, reverse=True)", "sorted(p)"), "order of the alphabet"),
    (
        model(
            "sorted(p, key=p.get, reverse=True)",
            "sorted(p.items(), key=lambda x: x[1], reverse=True)",
        ),
        "the words alone",
    ),
    (
        model("return sorted(p, key=p.get, reverse=True)[:k]", "return max(p, key=p.get)"),
        "list of 2",
    ),
    (model("return text[self.n - 1 :]", "return text"), "are still in the text"),
    (
        model(
            "text += draw.choices(self.words, weights)",
            "text.append(draw.choices(self.words, weights))",
        ),
        "holds lists",
    ),
    (model("draw.choices(self.words, weights)", "draw.choices(self.words)"), "equally likely"),
    (
        model("self.words, weights)", "self.words, weights)[:0] + [self.words[0]]"),
        "not those that were drawn",
    ),
    (
        model("            history = tuple(text[len(text) - self.n + 1 :])\n", "").replace(
            LEN, LEN + "\n        history = tuple(text)"
        ),
        "same history",
    ),
    (model("len(text) - self.n + 1 :]", ": self.n - 1]"), "same history"),
    (
        model(
            "draw.choices(self.words, weights)",
            "[max(self.words, key=lambda w: self.probability(w, history))]",
        ),
        "by one call of",
    ),
    (model("        return text[self.n - 1 :]", "        pass"), "is there a `return`"),
    (model("range(length)", "range(length - 1)"), "words were asked for"),
    (
        model(
            "            text += draw.choices(self.words, weights)\n",
            "            text += draw.choices(self.words, weights)\n"
            "            if text[-1] == '<eod>': break\n",
        ),
        "like any other",
    ),
    (
        model("return text[self.n - 1 :]", "return [word for word in text if word != '<eod>']"),
        "like any other",
    ),
    (model("for word in self.words}", "for word in self.tables[0][()]}"), "from all of"),
    (model("len(self.words))", "6)"), "V = 7"),
    (
        model(
            'padded, surprises = ["<eod>"] * (self.n - 1) + list(tokens), []',
            "padded, surprises = tokens, []\n"
            "        for _ in range(self.n - 1):\n            tokens.insert(0, '<eod>')",
        ),
        "changes the list",
    ),
    (
        model(
            "return sorted(p, key=p.get, reverse=True)[:k]",
            "self.words.sort(key=p.get, reverse=True)\n        return self.words[:k]",
        ),
        "changes the list",
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
    ("lambda b: 1 / solution(b)", "sign is wrong"),
    ("lambda b: math.exp(41 / 15)", "for others"),
]
ENTROPY += [
    ("lambda p: torch.tensor(math.log(len(p)))", "the largest entropy possible"),
    ("lambda p: -(p[p > 0] * p[p > 0].log10()).sum()", "base 10"),
    ("lambda p: -p.max().log()", "only the likeliest outcome"),
    ("lambda p: F.cross_entropy(p, p)", "expects logits"),
    ("lambda p: torch.distributions.Categorical(logits=p).entropy()", "a softmax came first"),
    ("lambda p: 1 - (p**2).sum()", "sum of squares"),
    ("lambda p: -(p * p.clamp(min=1e-3).log()).sum()", "leave out only 0"),
    ("lambda p: -(p[p > 1e-2] * p[p > 1e-2].log()).sum()", "leave out only 0"),
    ("lambda p: solution(p[: p.argmin()] if (p == 0).any() else p)", "leave out only 0"),
]
PERPLEXITY += [
    ("lambda s: math.exp(max(s))", "only the largest surprise"),
    ("lambda s: math.exp(s[0])", "only the first surprise"),
    ("lambda s: len(s) / sum(math.exp(-x) for x in s)", "averages the probabilities"),
    ("lambda s: 10 ** (sum(s) / len(s))", "not 10"),
    ("lambda s: math.exp(sum(s) / (len(s) + 1))", "n + 1"),
    ("lambda s: sum(s)", "the sum of the surprises"),
    ("lambda s: math.log(sum(s) / len(s))", "logarithm of the mean"),
    ("lambda s: math.exp(sum(set(s)) / len(set(s)))", "for five tokens"),
]
COUNT += [
    (COUNTING.replace("* (n - 1) +", "* n +"), "at position n - 1"),
    (COUNTING.replace("get(padded[i], 0)", "get(padded[i], 1)"), "begin with 0"),
    (COUNTING.replace("+ tokens", "+ [t.lower() for t in tokens]"), "keep the capitals"),
    (COUNTING.replace("padded[i - n + 1 : i]", "padded[:i][-(n - 1) :]"), "n = 1 a history has 0"),
    ("lambda t, n: {h: c for k in range(n) for h, c in solution(t, k + 1).items()}", "has 1"),
    ("lambda t, n: solution(t, n) if n < 4 else {}", "n = 4 is not right"),
    (
        """
def counted(tokens, n):
    table = solution(tokens, n)
    return {h: dict.fromkeys(tokens, 0) | a for h, a in table.items()}
""",
        "leave it out",
    ),
    (
        """
def counted(tokens, n):
    table, history = {}, ("<eod>",) * (n - 1)
    for token in tokens:
        table.setdefault(history, Counter())[token] += 1
        history = (*history, token)[1:] if token != "<eod>" else ("<eod>",) * (n - 1)
    return table
""",
        "like any other",
    ),
]
INTERPOLATE += [
    ("lambda c, n, t, q: (c + n * q) / (n + t) if n else q", "not c(h)"),
    ("lambda c, n, t, q: (c + t * q) // (n + t) if n else q", "drops the fraction"),
    ("lambda c, n, t, q: t * q / (n + t) if n else q", "the counts are missing"),
    ("lambda c, n, t, q: (c / n + q) / 2 if n else q", "a plain mean"),
    ("lambda c, n, t, q: (t * c / n + n * q) / (n + t) if n else q", "weights are swapped"),
    ("lambda c, n, t, q: math.log((c + t * q) / (n + t)) if n else q", "the logarithm"),
    ("lambda c, n, t, q: (c + t * q) / (n + t) if n else 0", "should give `shorter`"),
]
STEP = """
def chance(token, history, tables, V):
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    return p
"""
PROBABILITY += [
    (STEP.replace("sum(after.values()), len(after)", "len(after), sum(after.values())"), "swapped"),
    (STEP.replace("len(after), p", "len(table), p"), "followed this history"),
    (STEP.replace("tuple(", "' '.join("), "no history was found"),
    (STEP.replace("enumerate(tables)", "enumerate(tables, 1)"), "no history was found"),
    (STEP.replace("- k :", "- k - 1 :"), "no history was found"),
    (STEP.replace("    return p", "        return p"), "only the first table"),
    (STEP.replace("p = 1 / V", "p = 0"), "begin with 1 / V"),
]
CHANGES = """
def evaluate(batches):
    losses = tokens = 0
    while batches:
        loss, number = batches.pop()
        losses, tokens = losses + loss, tokens + number
    return math.exp(losses / tokens)
"""
BUG += [
    (CHANGES, "changed the list"),
    ("lambda b: max(math.exp(x / n) for x, n in b)", "worst batch"),
    ("lambda b: math.exp(b[0][0] / b[0][1])", "first batch"),
    ("lambda b: math.exp(sum(x / n for x, n in b))", "mean losses are added"),
    ("lambda b: 10 ** (sum(x for x, _ in b) / sum(n for _, n in b))", "not 10"),
]
TABLE = {
    "entropy": ENTROPY,
    "perplexity": PERPLEXITY,
    "count": COUNT,
    "interpolate": INTERPOLATE,
    "probability": PROBABILITY,
    "model": MODEL,
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
def counted(tokens, n):
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
def chance(token, history, tables, V):
    if not tables:
        return 1 / V
    *shorter, table = tables
    after = table.get(history[len(history) - len(shorter) :], {})
    p = chance(token, history, shorter, V)
    return interpolate(after.get(token, 0), sum(after.values()), len(after), p)
""",
    ),
    ("00.model", "solution"),
    ("00.model", NGRAM),
    ("00.model", BY_DEQUE),
    (
        "00.model",
        model(
            "self.words, weights)",
            "self.words, cum_weights=[sum(weights[: i + 1]) for i in range(len(weights))])",
        ),
    ),
    ("00.model", model("return text[self.n - 1 :]", "return text[-length:]")),
    ("00.model", model("tuple(padded[i - self.n + 1 : i])", "tuple(padded[:i])")),
    ("00.model", model("[count(tokens, length) for", "[count(list(tokens), length) for")),
    ("00.find_the_bug", "solution"),
    ("00.find_the_bug", "lambda b: math.exp(sum(x for x, _ in b) / sum(n for _, n in b))"),
    (
        "00.find_the_bug",
        "lambda b: math.prod(math.exp(x / n) ** (n / sum(m for _, m in b)) for x, n in b)",
    ),
    ("00.entropy", "lambda p: -(p * p.log()).nansum()"),
    ("00.entropy", "lambda p: -(p * (p + 1e-9).log()).sum()"),
    ("00.perplexity", "lambda s: 2 ** (sum(s) / len(s) / math.log(2))"),
    (
        "00.count",
        """
def counted(tokens, n):
    table, padded = {}, ["<eod>"] * (n - 1) + tokens
    for *history, token in zip(*[padded[k:] for k in range(n)]):
        table.setdefault(tuple(history), Counter())[token] += 1
    return table
""",
    ),
    ("00.interpolate", "lambda c, n, t, q: (c + t * q) / (n + t) if t else q"),
    ("00.interpolate", "lambda c, n, t, q: (c + t * q) / max(1, n + t) or q"),
    ("00.probability", STEP.replace("history[len(history) - k :]", "history[-k:] if k else ()")),
    ("00.probability", STEP.replace("        p = i", "        if not after: break\n        p = i")),
]
