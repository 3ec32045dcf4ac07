"""Chapter 04: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`).

An answer is an expression, or code whose last definition is the answer. It finds ``torch``, ``nn``,
``F``, ``math``, ``mb`` and ``solution``, the exercise's reference answer; here also ``attention``
and ``split_heads``, which the chapter has by then.
"""

from torch import nn

from minibert.course.learn.exercises.ch04_attention import Attention
from minibert.course.learn.exercises.ch04_heads import Mask
from minibert.models.transformer import FeedForward


class Heads(nn.Module):
    """The chapter's `MultiHead`."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, mask=None):
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        return self.output(Attention.solve(q, k, v, mask).transpose(1, 2).flatten(2))


class PreBlock(nn.Module):
    """The chapter's block, repaired."""

    def __init__(self, dim, attend, feed):
        super().__init__()
        self.attend, self.feed = attend, feed
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x, *mask):
        x = x + self.attend(self.norm_1(x), *mask)
        return x + self.feed(self.norm_2(x))


GIVEN = {"MultiHead": Heads, "PreBlock": PreBlock, "FeedForward": FeedForward}
GIVEN |= {"both_masks": Mask.solve}
BLOCK = "PreBlock(dim, MultiHead(dim, 4), FeedForward(dim, 4 * dim))"
BLOCKS = f"nn.ModuleList({BLOCK} for _ in range(2))"
READER = """
class Reader(nn.Module):
    def __init__(self, marks, causal=False):
        super().__init__()
        self.marks, self.causal, dim = marks, causal, marks.shape[1]
        self.embedding, self.norm = nn.Embedding(25, dim), nn.LayerNorm(dim)
        self.blocks, self.output = {blocks}, nn.Linear(dim, 2)
{extra}
    def forward(self, input_ids):
        real = input_ids != 0
        mask = {causal} if self.causal else {mask}
        x = {x}
        {loop}
        x = {norm}
        mean = {mean}
        return {value}

    def loss(self, batch):
        logits = {logits}
        total = {total}
        return {loss}
"""


def lookup(forward, layers=None):
    """A class `Lookup` with this last part of ``forward``; x and q are what they should be."""
    return f"""
class Lookup(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.words = nn.Embedding(87, dim)
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, 10)
        {layers or "pass"}

    def forward(self, input_ids, asked):
        x = self.words(input_ids).sum(2)
        q = self.query(self.words(asked))[:, None]
        {forward}
"""


def multi_head(forward, split="split_heads"):
    """A class like `MultiHead`; q, k and v are the heads' queries, keys and values."""
    return f"""
class Many(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, mask=None):
        q, k, v = ({split}(part(x), self.heads) for part in (self.query, self.key, self.value))
        {forward}
"""


def block(forward):
    """A class like `PreBlock` with these lines in ``forward``."""
    return f"""
class Mended(nn.Module):
    def __init__(self, dim, attend, feed):
        super().__init__()
        self.attend, self.feed = attend, feed
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x, *mask):
        {forward}
"""


def reader(*, init=(), blocks=BLOCKS, **changes):
    """A class `Reader` in which ``init`` is added to the layers, and these parts are others."""
    usual = {"mask": "real[:, None, None, :]", "causal": "both_masks(real.long())[:, None]"}
    usual |= {"x": "self.embedding(input_ids) + self.marks[: input_ids.shape[1]]"}
    usual |= {"loop": "for block in self.blocks: x = block(x, mask)", "norm": "self.norm(x)"}
    usual |= {"mean": "(x * real[..., None]).sum(1) / real.sum(1, keepdim=True)"}
    usual |= {"value": "self.output(mean)", "logits": "self(batch['input_ids'])"}
    usual |= {"total": "F.cross_entropy(logits, batch['labels'], reduction='sum')"}
    usual |= {"loss": "total, len(logits)"}
    extra = "".join(f"        {line}\n" for line in init)
    return READER.format(blocks=blocks, extra=extra, **{**usual, **changes})


def scores(rest, scale="/ math.sqrt(k.shape[-1])"):
    """A function `attention` whose scores are right; ``rest`` makes what it gives back."""
    return f"""
def looked(q, k, v, mask=None):
    s = q @ k.mT {scale}
    {rest}
"""


HIDE = "s = s if mask is None else s.masked_fill(~mask, -torch.inf)\n    "
WRITE = """
def greedy(next_scores, start_id, end_id, steps):
    ids = [start_id]
    for _ in range(steps):
        best = int(next_scores({seen}).{pick}())
        if {stop}:
            break
        ids.append(best)
    return {back}
"""
RIGHTLY = {"seen": "ids", "pick": "argmax", "stop": "best == end_id", "back": "ids[1:]"}


def write(**changed):
    return WRITE.format(**RIGHTLY | changed)


def clock(rate="10_000 ** (-torch.arange(0, dim, 2) / dim)", first=0, parts="a.sin(), a.cos()"):
    """A function `sinusoids`, woven of two parts."""
    return f"""
def sinusoids(length, dim):
    a = torch.arange({first}, {first} + length)[:, None] * {rate}
    return torch.stack(({parts}), -1).flatten(1)
"""


OUTPUT = "return self.output(attention(q, self.key(x), self.value(x))[:, 0])"
JOINED = "return self.output(attention(q, k, v, mask).transpose(1, 2).flatten(2))"
LOOK_BACK = """
def look_back(steps, dim):
    a = steps * 10_000 ** {rate}
    {rest}
"""
NEARLY_GREEDY = """
def greedy(next_scores, start_id, end_id, steps{more}):
    ids = [start_id]
    {rest}
"""

ONE_EACH = "m = mask if mask is None or mask.ndim == 2 else mask[:, 0]\n        "
LOOP = """parts = [attention(q[:, h], k[:, h], v[:, h], {mask}) for h in range(self.heads)]
        return self.output(torch.cat(parts, -1))"""

WRONG = [
    # (exercise, answer, words that the message must contain)
    ("04.attention", scores(HIDE + "return s.softmax(-1) @ v", scale=""), "not divided by sqrt"),
    (
        "04.attention",
        scores("return s.softmax(-1) @ v", scale="/ k.shape[-1]"),
        "divided by d",
    ),
    ("04.attention", scores("return s.softmax(-1) @ v"), "the mask is ignored"),
    ("04.attention", scores("return s.softmax(-2) @ v"), "runs over the queries"),
    ("04.attention", scores("return s @ v"), "the softmax is missing"),
    ("04.attention", scores("return s.softmax(-1) @ k"), "mix the values"),
    ("04.attention", scores("return s.softmax(-1)"), "these are the weights"),
    ("04.attention", scores("return v[s.argmax(-1)]"), "the best value alone"),
    (
        "04.attention",
        scores("return s.softmax(-1) @ v", scale="/ math.sqrt(v.shape[-1])"),
        "not of a value",
    ),
    ("04.attention", scores("return s.softmax(-1) @ v", "/ 8 ** 0.5"), "right for four queries"),
    (
        "04.attention",
        scores(
            "return s.masked_fill(mask, -torch.inf).softmax(-1) @ v if mask is not None else "
            "s.softmax(-1) @ v"
        ),
        "turned round",
    ),
    (
        "04.attention",
        scores("w = s.softmax(-1)\n    return (w if mask is None else w * mask) @ v"),
        "after the softmax",
    ),
    (
        "04.attention",
        scores("return (s if mask is None else s * mask).softmax(-1) @ v"),
        "still gets some weight",
    ),
    (
        "04.attention",
        scores("return (s if mask is None else s.masked_fill(~mask, -10.0)).softmax(-1) @ v"),
        "some weight is left",
    ),
    (
        "04.attention",
        """
def looked(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(k.shape[-1])
    if mask is not None:
        s[~mask] = -torch.inf
    return s.softmax(-1) @ v
""",
        "a mask as large as the scores",
    ),
    (
        "04.attention",
        "lambda q, k, v, mask=None: solution(q.double(), k.double(), v.double(), mask)",
        "float64",
    ),
    ("04.attention", "lambda q, k, v, mask=None: solution(q, k, v, mask).numpy()", "NumPy"),
    ("04.attention", "lambda q, k, v, mask=None: solution(q, k, v, mask).detach()", "no gradient"),
    (
        "04.attention",
        "lambda q, k, v, mask=None: solution(q, k.detach(), v, mask)",
        "no gradient reaches key",
    ),
    (
        "04.attention",
        "lambda q, k, v, mask=None: solution(q, k, v.mul_(1.5) / 1.5, mask)",
        "changes",
    ),
    (
        "04.attention",
        """
def looked(q, k, v, mask=None):
    s = q @ k.T / math.sqrt(k.shape[-1])
    return (s if mask is None else s.masked_fill(~mask, -torch.inf)).softmax(-1) @ v
""",
        "a batch and heads in front",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), self.value(x)))"),
        "only row",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), self.value(x))[:, 0]).softmax(-1)"),
        "these are probabilities",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), self.value(x))[:, 0]).argmax(-1)"),
        "the best number",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), x)[:, 0])"),
        "`value` is not",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, x, self.value(x))[:, 0])"),
        "`key` is not",
    ),
    (
        "04.lookup",
        lookup(
            "q = self.words(asked)[:, None]\n        "
            "return self.output(attention(q, self.key(x), self.value(x))[:, 0])"
        ),
        "`query` is not",
    ),
    (
        "04.lookup",
        lookup(
            "x = x / 2\n        return self.output(attention(q, self.key(x), self.value(x))[:, 0])"
        ),
        "averaged",
    ),
    (
        "04.lookup",
        lookup(
            "x = self.words(input_ids[:, :, 0])\n        "
            "return self.output(attention(q, self.key(x), self.value(x))[:, 0])"
        ),
        "only the first word",
    ),
    ("04.lookup", lookup("return self.output(self.value(x).mean(1))"), "no influence"),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), self.value(x))[:, 0]).detach()"),
        "no gradient",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q.detach(), self.key(x), self.value(x))[:, 0])"),
        "no gradient reaches query",
    ),
    (
        "04.lookup",
        lookup(
            "w = (q @ self.key(x).mT).softmax(-1)\n        "
            "return self.output((w @ self.value(x))[:, 0])"
        ),
        "not divided by sqrt",
    ),
    (
        "04.lookup",
        lookup(
            "return self.output(attention(q, self.key(x), self.value(x))[:, 0])",
            layers="del self.output; self.last = nn.Linear(dim, 10)",
        ),
        "no layer called output",
    ),
    ("04.mask", "lambda mask: ~solution(mask)", "turned round"),
    ("04.mask", "lambda mask: solution(mask).float()", "boolean"),
    ("04.mask", "lambda mask: torch.where(solution(mask), 0.0, -torch.inf)", "added to the scores"),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, None].expand(-1, mask.shape[1], -1)",
        "the future can",
    ),
    (
        "04.mask",
        "lambda mask: torch.ones(len(mask), *[mask.shape[1]] * 2, dtype=torch.bool).tril()",
        "padding can still",
    ),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, None] & ~solution(torch.ones_like(mask))",
        "shows the future",
    ),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, :, None] & solution(torch.ones_like(mask))",
        "about what is looked *at*",
    ),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, None] | solution(torch.ones_like(mask))",
        "both must allow",
    ),
    (
        "04.mask",
        "lambda mask: solution(mask) | torch.eye(mask.shape[1], dtype=torch.bool)",
        "by itself",
    ),
    ("04.mask", "lambda mask: solution(mask).tril(-1)", "a position may see itself"),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, None] & torch.ones(4, 4, dtype=torch.bool).tril()"
        " if mask.shape[1] == 4 else torch.ones(2, 6, 6, dtype=torch.bool)",
        "is a 4 written in it",
    ),
    ("04.split_heads", "lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1)", "scrambled"),
    ("04.split_heads", "lambda x, heads: x.unflatten(-1, (heads, -1))", "come before the length"),
    (
        "04.split_heads",
        "lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)",
        "every third number",
    ),
    (
        "04.split_heads",
        "lambda x, heads: torch.stack(x.chunk(heads, -1))",
        "before the batch",
    ),
    ("04.split_heads", "lambda x, heads: solution(x, heads).mT", "the last two are turned"),
    (
        "04.split_heads",
        "lambda x, heads: x[:, None].expand(-1, heads, -1, -1)",
        "the whole vector",
    ),
    ("04.split_heads", "lambda x, heads: solution(x, heads).flip(1)", "reverse order"),
    (
        "04.split_heads",
        "lambda x, heads: solution(x, heads)[:, :1].expand(-1, heads, -1, -1)",
        "the part of the first",
    ),
    (
        "04.split_heads",
        "lambda x, heads: x.transpose(1, 2).reshape(len(x), heads, x.shape[1], -1)",
        "transposed before the cut",
    ),
    ("04.split_heads", "lambda x, heads: solution(x, heads).detach()", "no gradient"),
    ("04.split_heads", "lambda x, heads: solution(x, 3)", "is a number written"),
    ("04.split_heads", "lambda x, heads: solution(x.add_(1) - 1, heads)", "changes"),
    (
        "04.multi_head",
        multi_head("return attention(q, k, v, mask).transpose(1, 2).flatten(2)"),
        "`output`, is missing",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(attention(q, k, v).transpose(1, 2).flatten(2))"),
        "the mask is not passed on",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(attention(q, k, v, mask).reshape(x.shape))"),
        "scrambled",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(attention(k, q, v, mask).transpose(1, 2).flatten(2))"),
        "changed places",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(attention(q, k, k, mask).transpose(1, 2).flatten(2))"),
        "mix the values",
    ),
    (
        "04.multi_head",
        multi_head("return x + self.output(attention(q, k, v, mask).transpose(1, 2).flatten(2))"),
        "x is added",
    ),
    (
        "04.multi_head",
        multi_head(
            "return self.output(attention(q, k, v, mask)[:, 0])",
            split="(lambda y, heads: y[:, None])",
        ),
        "one head as wide as all",
    ),
    (
        "04.multi_head",
        multi_head(
            "found = attention(q, k, v, None if mask is None else mask.mT)\n        "
            "return self.output(found.transpose(1, 2).flatten(2))"
        ),
        "turned round",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(attention(q, k, v, mask).permute(0, 2, 3, 1).flatten(2))"),
        "interleaved",
    ),
    (
        "04.multi_head",
        multi_head(
            "found = attention(q, k, v, mask).detach()\n        "
            "return self.output(found.transpose(1, 2).flatten(2))"
        ),
        "no gradient reaches query, key, value",
    ),
    ("04.multi_head", multi_head(LOOP.format(mask="mask")), "a mask for each"),
    (
        "04.multi_head",
        multi_head(
            "m = mask if mask is None else torch.ones_like(mask).tril()\n        "
            "return self.output(attention(q, k, v, m).transpose(1, 2).flatten(2))"
        ),
        "whatever the mask says",
    ),
    (
        "04.multi_head",
        multi_head(
            "m = mask if mask is None else mask.reshape(-1, *mask.shape[-2:])[0]\n        "
            "return self.output(attention(q, k, v, m).transpose(1, 2).flatten(2))"
        ),
        "a mask for each",
    ),
    ("04.sinusoids", "lambda length, dim: solution(length, dim).double()", "float64"),
    ("04.sinusoids", "lambda length, dim: solution(length, dim).numpy()", "NumPy"),
    ("04.sinusoids", clock(first=1), "number 0"),
    ("04.sinusoids", clock(parts="a.cos(), a.sin()"), "changed places"),
    ("04.sinusoids", clock(parts="a.sin(), a.sin()"), "odd columns are cosines"),
    ("04.sinusoids", clock("10_000 ** (-torch.arange(dim // 2) / dim)"), "half as far"),
    ("04.sinusoids", clock("10_000 ** (torch.arange(0, dim, 2) / dim)"), "grow instead"),
    (
        "04.sinusoids",
        clock(
            "10_000 ** (-torch.arange(0, dim, 2) / dim)",
            parts="a.deg2rad().sin(), a.deg2rad().cos()",
        ),
        "degrees",
    ),
    (
        "04.sinusoids",
        """
def sinusoids(length, dim):
    a = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(0, dim, 2) / dim)
    return torch.cat((a.sin(), a.cos()), 1)
""",
        "all sines, then all cosines",
    ),
    (
        "04.sinusoids",
        """
def sinusoids(length, dim):
    a = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, a.sin(), a.cos())
""",
        "of the even column",
    ),
    (
        "04.sinusoids",
        """
def sinusoids(length, dim):
    a = torch.arange(length)[:, None] * 10_000 ** (-2 * torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, a.sin(), a.cos())
""",
        "counts pairs",
    ),
    ("04.sinusoids", "lambda length, dim: solution(9, 6)", "use both arguments"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).T", "looks ahead"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).double()", "float64"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).numpy()", "NumPy"),
    (
        "04.look_back",
        "lambda steps, dim: solution(steps, dim) if dim < 9 else torch.eye(dim)",
        "should be",
    ),
    ("04.look_back", "lambda steps, dim: solution(-steps, dim)", "looks ahead"),
    ("04.look_back", "lambda steps, dim: solution(1, dim)", "use `steps`"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).abs()", "needs a minus"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).diag().diag()", "sines are missing"),
    ("04.look_back", "lambda steps, dim: torch.eye(dim).roll(-steps, 0)", "moves columns"),
    (
        "04.look_back",
        "lambda steps, dim: torch.block_diag(*[solution(steps, dim)[:2, :2]] * (dim // 2))",
        "each has its own",
    ),
    ("04.look_back", "lambda steps, dim: solution(steps, dim)[None]", "shape"),
    ("04.look_back", "lambda steps, dim: solution(steps, 8)", "shape"),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x)); x = self.norm_2(x); return x + self.feed(x)"),
        "the second has the same mistake",
    ),
    (
        "04.find_the_bug",
        block("x = self.norm_1(x); x = x + self.attend(x); return x + self.feed(self.norm_2(x))"),
        "look at the first, too",
    ),
    (
        "04.find_the_bug",
        block("x = self.norm_1(x + self.attend(x)); return self.norm_2(x + self.feed(x))"),
        "post-LN",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(x); return x + self.feed(x)"),
        "the norms are gone",
    ),
    (
        "04.find_the_bug",
        block("y = x + self.attend(self.norm_1(x)); return x + self.feed(self.norm_2(y))"),
        "starts from the old x",
    ),
    (
        "04.find_the_bug",
        block("y = x + self.attend(self.norm_1(x)); return y + self.feed(self.norm_2(x))"),
        "what the first has added",
    ),
    (
        "04.find_the_bug",
        block("x = self.attend(self.norm_1(x)); return self.feed(self.norm_2(x))"),
        "residual sums are gone",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x)); return x + self.feed(self.norm_1(x))"),
        "the first norm is used twice",
    ),
    (
        "04.find_the_bug",
        block(
            "x = x + self.attend(self.norm_1(x)); return self.norm_2(x + self.feed(self.norm_2(x)))"
        ),
        "at the end of the block",
    ),
    (
        "04.find_the_bug",
        block("y = x + self.attend(self.norm_1(x)); return x + y + self.feed(self.norm_2(y))"),
        "added twice",
    ),
    (
        "04.find_the_bug",
        block(
            "x = x.detach() + self.attend(self.norm_1(x.detach())); "
            "return x + self.feed(self.norm_2(x))"
        ),
        "no gradient reaches the bottom",
    ),
    (
        "04.find_the_bug",
        block("x += self.attend(self.norm_1(x)); x += self.feed(self.norm_2(x)); return x"),
        "changes what it was given",
    ),
    (
        "04.find_the_bug",
        block(
            "x = x + self.attend(self.norm_1(x)).detach(); "
            "return x + self.feed(self.norm_2(x)).detach()"
        ),
        "no gradient reaches attend and feed",
    ),
    (
        "04.greedy",
        """
def greedy(next_scores, start_id, end_id, steps):
    ids = [start_id]
    while True:
        ids.append(int(next_scores(ids).argmax()))
    return ids[1:-1]
""",
        "does not stop after `steps` words",
    ),
    (
        "04.greedy",
        """
def greedy(next_scores, start_id, end_id, steps):
    ids = [start_id]
    while ids[-1] != end_id:
        ids.append(int(next_scores(ids).argmax()))
    return ids[1:-1]
""",
        "steps=3",
    ),
    ("04.greedy", write(seen="torch.tensor(ids)"), "takes a list of ids"),
    ("04.greedy", write(back="ids"), "the start is in it"),
    ("04.greedy", write(stop="False", back="ids[1:]"), "does not stop at the end"),
    ("04.greedy", write(seen="ids[-1:]"), "sees too little"),
    ("04.greedy", write(seen="ids[:1]"), "same input"),
    ("04.greedy", write(seen="ids[1:]"), "is the start"),
    ("04.greedy", write(pick="argmin"), "argmax, not argmin"),
    ("04.greedy", write(stop="best == end_id or len(ids) > 1"), "only one word"),
    ("04.greedy", write(stop="best == 2"), "use `end_id`"),
    (
        "04.greedy",
        "lambda next_scores, start, end, steps: solution(next_scores, start, end, 10)",
        "steps=3",
    ),
    (
        "04.greedy",
        "lambda next_scores, start, end, steps: [*solution(next_scores, start, end, steps), end]",
        "the end is in it",
    ),
    (
        "04.greedy",
        "lambda next_scores, start, end, steps: "
        "list(dict.fromkeys(solution(next_scores, start, end, steps)))",
        "it may come twice",
    ),
    (
        "04.attention",
        scores("return (s if mask is None else s.masked_fill(~mask, -20.0)).softmax(-1) @ v"),
        "right for small scores",
    ),
    (
        "04.attention",
        scores("return (s if mask is None else s + mask).softmax(-1) @ v"),
        "as ones and zeros",
    ),
    (
        "04.attention",
        scores(
            "return (s if mask is None else s.masked_fill(~mask.mT, -torch.inf)).softmax(-1) @ v"
        ),
        "its rows are queries",
    ),
    (
        "04.attention",
        scores(
            "m = torch.ones(s.shape[-2:], dtype=torch.bool).tril()\n    "
            "return (s if mask is None else s.masked_fill(~m, -torch.inf)).softmax(-1) @ v"
        ),
        "whatever the mask says",
    ),
    (
        "04.attention",
        scores(
            "m = torch.ones(s.shape[-2:], dtype=torch.bool).tril()\n    "
            "return s.masked_fill(~m, -torch.inf).softmax(-1) @ v"
        ),
        "although no mask was given",
    ),
    ("04.attention", scores(HIDE + "w = s.softmax(-1)\n    return w @ v, w"), "is a tuple"),
    ("04.attention", scores(HIDE + "return F.dropout(s.softmax(-1), 0.1) @ v"), "is there dropout"),
    (
        "04.attention",
        scores(HIDE + "return s.flatten(-2).softmax(-1).unflatten(-1, s.shape[-2:]) @ v"),
        "one softmax over all",
    ),
    ("04.attention", scores(HIDE + "return s.sigmoid() @ v"), "not a sigmoid"),
    ("04.attention", scores(HIDE + "return s.exp() @ v"), "not divided by their sum"),
    (
        "04.attention",
        scores(HIDE + "return s / s.sum(-1, keepdim=True) @ v"),
        "weights can be negative",
    ),
    ("04.attention", scores(HIDE + "return s.log_softmax(-1) @ v"), "these are logarithms"),
    (
        "04.attention",
        scores(HIDE + "return v.mean(-2, keepdim=True).expand(*s.shape[:-1], -1)"),
        "the same weight",
    ),
    (
        "04.attention",
        scores(HIDE + "return v[..., -1:, :].expand(*s.shape[:-1], -1)"),
        "the last value",
    ),
    (
        "04.attention",
        scores(HIDE + "return s.softmax(-1) @ v", scale="* math.sqrt(k.shape[-1])"),
        "multiplied by sqrt",
    ),
    ("04.lookup", lookup(OUTPUT.replace("[:, 0]", ".squeeze()")), "a batch of one"),
    (
        "04.lookup",
        lookup(
            "q = self.words(asked) @ self.query.weight.T\n        "
            "k, v = x @ self.key.weight.T, x @ self.value.weight.T\n        "
            "return self.output(attention(q[:, None], k, v)[:, 0])"
        ),
        "of `value` and `query`",
    ),
    (
        "04.lookup",
        lookup("return attention(q, self.key(x), self.value(x))[:, 0] @ self.output.weight.T"),
        "the bias of `output`",
    ),
    (
        "04.lookup",
        lookup(OUTPUT, layers="self.query = nn.Linear(dim, dim, bias=False)"),
        "`query` has no bias",
    ),
    (
        "04.lookup",
        lookup(
            "a, b = self.words(input_ids).unbind(2)\n        "
            "return self.output(attention(q, self.key(a), self.value(b))[:, 0])"
        ),
        "that works, too",
    ),
    (
        "04.lookup",
        lookup("x = self.words(input_ids[:, :, 1])\n        " + OUTPUT),
        "only the second word",
    ),
    (
        "04.lookup",
        lookup("q = self.query(x.mean(1, keepdim=True))\n        " + OUTPUT),
        "comes from the text",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(self.query(x), self.key(x), self.value(x)).mean(1))"),
        "ask one another",
    ),
    (
        "04.lookup",
        lookup("return self.output(self.value(x)[:, -1])"),
        "the value at the last position",
    ),
    ("04.lookup", lookup(OUTPUT + ".relu()"), "no ReLU"),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.key(x), self.value(x))[:, 0] + q[:, 0])"),
        "the query is added",
    ),
    (
        "04.lookup",
        lookup(
            "q = self.words(asked)[:, None]\n        return self.output(attention(q, x, x)[:, 0])"
        ),
        "`key` and `value` are not used",
    ),
    (
        "04.lookup",
        lookup("return self.output(attention(q, self.value(x), self.key(x))[:, 0])"),
        "keys and values have changed",
    ),
    (
        "04.lookup",
        lookup("q = self.key(self.words(asked))[:, None]\n        " + OUTPUT),
        "goes through `key`",
    ),
    (
        "04.lookup",
        lookup(
            "w = q @ self.key(x).mT\n        "
            "return self.output(self.value(x)[torch.arange(len(x)), w[:, 0].argmax(-1)])"
        ),
        "the best position alone",
    ),
    (
        "04.lookup",
        lookup(
            "return F.dropout(self.output(attention(q, self.key(x), self.value(x))[:, 0]), 0.3)"
        ),
        "is there dropout",
    ),
    ("04.mask", "lambda mask: solution(mask).numpy()", "NumPy"),
    ("04.mask", "lambda mask: solution(mask).tolist()", "is a list"),
    ("04.mask", "lambda mask: solution(mask)[:, None]", "which is for heads"),
    ("04.mask", "lambda mask: solution(mask).mT", "rows are positions that look"),
    (
        "04.mask",
        "lambda mask: mask.bool()[:, None] & torch.ones(len(mask[0]), len(mask[0])).tril(1).bool()",
        "can still see the next",
    ),
    (
        "04.mask",
        "lambda mask: ~mask.bool()[:, None] & solution(torch.ones_like(mask))",
        "shows padding",
    ),
    (
        "04.mask",
        "lambda mask: (mask[:, None] * mask[:, :, None]).bool()",
        "the rows of padding are hidden",
    ),
    ("04.split_heads", "lambda x, heads: solution(x, heads).double()", "float64"),
    ("04.split_heads", "lambda x, heads: list(x.chunk(heads, -1))", "before the batch"),
    (
        "04.split_heads",
        "lambda x, heads: x.view(heads, len(x), x.shape[1], -1).transpose(0, 1)",
        "cuts *across*",
    ),
    (
        "04.split_heads",
        "lambda x, heads: x.unflatten(-1, (-1, 4 if heads == 3 else 3)).transpose(1, 2)",
        "right for 3 heads",
    ),
    (
        "04.multi_head",
        multi_head(JOINED).replace("nn.Linear(dim, dim)", "nn.Linear(dim, dim, bias=False)"),
        "`query` has no bias",
    ),
    (
        "04.multi_head",
        multi_head(
            "q, k, v = (split_heads(x @ m.weight.T, self.heads) for m in "
            "(self.query, self.key, self.value))\n        "
            "found = attention(q, k, v, mask)\n        "
            "return found.transpose(1, 2).flatten(2) @ self.output.weight.T"
        ),
        "the biases are left out",
    ),
    (
        "04.multi_head",
        multi_head(
            "found = attention(q, k, v, mask)\n        "
            "return found.transpose(1, 2).flatten(2) @ self.output.weight.T"
        ),
        "the bias of `output`",
    ),
    (
        "04.multi_head",
        multi_head(JOINED.replace("q, k, v, mask", "q, q, v, mask")),
        "`query` makes the keys",
    ),
    (
        "04.multi_head",
        multi_head(JOINED.replace("q, k, v, mask", "k, k, v, mask")),
        "`key` makes the queries",
    ),
    (
        "04.multi_head",
        multi_head(JOINED.replace("q, k, v, mask", "q, k, q, mask")),
        "queries are mixed",
    ),
    (
        "04.multi_head",
        multi_head("q = split_heads(x, self.heads)\n        " + JOINED),
        "`query` is not used",
    ),
    (
        "04.multi_head",
        multi_head("k = split_heads(x, self.heads)\n        " + JOINED),
        "`key` is not used",
    ),
    (
        "04.multi_head",
        multi_head(
            "m = mask if mask is not None else torch.ones(4, 4, dtype=torch.bool).tril()\n        "
            + JOINED.replace("mask", "m")
        ),
        "although no mask was given",
    ),
    (
        "04.multi_head",
        multi_head("m = None if mask is None else ~mask\n        " + JOINED.replace("mask", "m")),
        "True means",
    ),
    (
        "04.multi_head",
        multi_head(JOINED, split="(lambda y, h: y.reshape(y.shape[0], h, y.shape[1], -1))"),
        "across the tokens",
    ),
    (
        "04.multi_head",
        multi_head(JOINED, split="(lambda y, h: y.unflatten(-1, (-1, h)).permute(0, 3, 1, 2))"),
        "every n-th number",
    ),
    (
        "04.multi_head",
        multi_head(
            "return self.output(attention(q, k, v, mask).flatten(2))",
            split="(lambda y, h: y.unflatten(-1, (h, -1)))",
        ),
        "look at one another",
    ),
    (
        "04.multi_head",
        multi_head(
            "return self.output(attention(q, k, v, mask).flip(1).transpose(1, 2).flatten(2))"
        ),
        "in reverse order",
    ),
    (
        "04.multi_head",
        multi_head(
            "found = attention(q, k, v, mask)[:, :1].expand_as(q)\n        "
            "return self.output(found.transpose(1, 2).flatten(2))"
        ),
        "in for all the others",
    ),
    (
        "04.multi_head",
        multi_head("return self.output(v.transpose(1, 2).flatten(2))"),
        "the attention is missing",
    ),
    ("04.multi_head", multi_head(JOINED + ", v"), "is a tuple"),
    (
        "04.multi_head",
        multi_head(
            "found = F.dropout(attention(q, k, v, mask), 0.3)\n        "
            "return self.output(found.transpose(1, 2).flatten(2))"
        ),
        "is there dropout",
    ),
    ("04.sinusoids", "lambda length, dim: solution(length, dim).tolist()", "is a list"),
    ("04.sinusoids", clock("1_000 ** (-torch.arange(0, dim, 2) / dim)"), "is not the base"),
    (
        "04.sinusoids",
        clock("10_000 ** (-torch.arange(0, dim, 2) / (dim - 1))"),
        "not 2i / (dim - 1)",
    ),
    (
        "04.sinusoids",
        clock("10_000 ** (-torch.arange(dim // 2) / max(dim // 2 - 1, 1))"),
        "as in some libraries",
    ),
    ("04.sinusoids", clock("10_000 ** (-2 * torch.arange(0, dim, 2) / dim)"), "twice too large"),
    ("04.sinusoids", clock("10_000 ** (-(torch.arange(0, dim, 2) + 2) / dim)"), "its rate is 1"),
    ("04.sinusoids", clock("10_000 ** (-(torch.arange(0, dim, 2) // dim))"), "drops the fraction"),
    ("04.sinusoids", clock(parts="(2 * math.pi * a).sin(), (2 * math.pi * a).cos()"), "no 2 pi"),
    (
        "04.sinusoids",
        clock(parts="(a / length).sin(), (a / length).cos()"),
        "divided by the length",
    ),
    ("04.sinusoids", clock(parts="a.sin(), -a.cos()"), "no minus"),
    (
        "04.look_back",
        LOOK_BACK.format(
            rate="(-torch.arange(dim // 2) / dim)",
            rest="c, s = a.cos(), a.sin()\n    "
            "return torch.block_diag(*torch.stack((c, s, -s, c), -1).view(-1, 2, 2))",
        ),
        "the rates of `sinusoids`",
    ),
    (
        "04.look_back",
        LOOK_BACK.format(
            rate="(-torch.arange(0, dim, 2) / dim)",
            rest="c, s = a.cos().diag(), a.sin().diag()\n    "
            "return torch.cat((torch.cat((c, s), 1), torch.cat((-s, c), 1)))",
        ),
        "all sines first",
    ),
    ("04.look_back", "lambda steps, dim: steps * solution(1, dim)", "makes the marks larger"),
    ("04.look_back", "lambda steps, dim: solution(steps, dim).triu()", "half of the matrix"),
    (
        "04.find_the_bug",
        block("x = x + self.norm_1(self.attend(x)); return x + self.norm_2(self.feed(x))"),
        "stand behind the sublayers",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x)); return x + self.feed(x)"),
        "the second norm is gone",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(x); return x + self.feed(self.norm_2(x))"),
        "the first norm is gone",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.feed(self.norm_2(x)); return x + self.attend(self.norm_1(x))"),
        "sublayers have changed places",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_2(x)); return x + self.feed(self.norm_1(x))"),
        "two norms have changed",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_2(x)); return x + self.feed(self.norm_2(x))"),
        "the second norm is used twice",
    ),
    (
        "04.find_the_bug",
        block(
            "n = lambda y: F.layer_norm(y, y.shape[-1:])\n        "
            "x = x + self.attend(n(x)); return x + self.feed(n(x))"
        ),
        "without learned weights",
    ),
    (
        "04.find_the_bug",
        block(
            "x = self.norm_1(x + self.attend(self.norm_1(x))); return x + self.feed(self.norm_2(x))"
        ),
        "between the two halves",
    ),
    (
        "04.find_the_bug",
        block("n = self.norm_1(x); x = x + self.attend(n); return x + self.feed(self.norm_2(n))"),
        "gets the output of the first",
    ),
    (
        "04.find_the_bug",
        block("y = self.attend(self.norm_1(x)); return x + self.feed(self.norm_2(y))"),
        "never reaches the stream",
    ),
    (
        "04.find_the_bug",
        block("y = self.attend(self.norm_1(x)); return x + y + self.feed(self.norm_2(y))"),
        "reads only what the attention",
    ),
    ("04.find_the_bug", block("return x + self.attend(self.norm_1(x))"), "`feed`, is gone"),
    ("04.find_the_bug", block("return x + self.feed(self.norm_2(x))"), "`attend`, is gone"),
    (
        "04.find_the_bug",
        block(
            "x = x.clone(); x += self.attend(self.norm_1(x)); return x + self.feed(self.norm_2(x))"
        ),
        "writes over",
    ),
    (
        "04.find_the_bug",
        block(
            "x = x + F.dropout(self.attend(self.norm_1(x)), 0.3); "
            "return x + self.feed(self.norm_2(x))"
        ),
        "is there dropout",
    ),
    ("04.greedy", write().replace("range(steps)", "range(steps - 1)"), "is the start counted"),
    ("04.greedy", write(back="ids[2:]"), "the first word is missing"),
    ("04.greedy", write(back="ids[1:-1]"), "needs no cutting off"),
    ("04.greedy", write(back="ids[-1]"), "the last word alone"),
    ("04.greedy", write().replace("ids = [start_id]", "ids = [1]"), "use `start_id`"),
    (
        "04.greedy",
        NEARLY_GREEDY.format(
            more="",
            rest="""best = int(next_scores(ids).argmax())
    for _ in range(steps):
        ids.append(best)
        best = int(next_scores(ids).argmax())
        if best == end_id:
            break
    return ids[1:]""",
        ),
        "before you append it",
    ),
    (
        "04.greedy",
        NEARLY_GREEDY.format(
            more=", ids=[]",
            rest="ids = known\n    "
            "for _ in range(steps):\n        "
            "best = int(next_scores([start_id, *ids]).argmax())\n        "
            "if best == end_id:\n            "
            "break\n        "
            "ids.append(best)\n    "
            "return ids",
        ).replace("ids=[]", "known=[]"),
        "begin with a new list",
    ),
    (
        "04.greedy",
        NEARLY_GREEDY.format(
            more="",
            rest="for _ in range(steps):\n        "
            "best = 3 + int(next_scores(ids)[3:7].softmax(-1).multinomial(1))\n        "
            "if best == end_id:\n            "
            "break\n        "
            "ids.append(best)\n    "
            "return ids[1:]",
        ),
        "no random one",
    ),
    (
        "04.greedy",
        NEARLY_GREEDY.format(
            more="",
            rest="for _ in range(steps):\n        "
            "ids.append(int(next_scores(ids).max()))\n    "
            "return ids[1:]",
        ),
        "argmax, not max",
    ),
    (
        "04.reader",
        reader(blocks=f"[{BLOCK}, {BLOCK}]"),
        "nn.ModuleList",
    ),
    (
        "04.reader",
        reader(blocks=f"nn.ModuleList([{BLOCK}] * 2)"),
        "share all weights",
    ),
    (
        "04.reader",
        reader(blocks=f"nn.ModuleList([{BLOCK}])"),
        "there is no layer called `blocks.1`",
    ),
    (
        "04.reader",
        reader(blocks=BLOCKS.replace("range(2)", "range(3)")),
        "more than two blocks",
    ),
    (
        "04.reader",
        reader(init=["self.marks = nn.Parameter(marks)"]),
        "the marks are learned",
    ),
    (
        "04.reader",
        reader(init=["self.last = nn.Linear(dim, dim)"]),
        "no part of the plan has",
    ),
    (
        "04.reader",
        reader(init=["self.output = nn.Linear(dim, 25)"]),
        "should have the shape (2, 8)",
    ),
    (
        "04.reader",
        reader(blocks=BLOCKS.replace("4 * dim", "2 * dim")),
        "should have the shape (32, 8)",
    ),
    (
        "04.reader",
        reader(init=["del self.norm"], norm="x"),
        "no layer called `norm`",
    ),
    (
        "04.reader",
        reader(blocks=BLOCKS.replace("dim, 4)", "dim, 2)")),
        "it has 2 heads",
    ),
    (
        "04.reader",
        reader(x="self.embedding(input_ids)"),
        "the marks are missing",
    ),
    (
        "04.reader",
        reader(x="self.embedding(input_ids) * self.marks[: input_ids.shape[1]]"),
        "multiplied with the vectors",
    ),
    (
        "04.reader",
        reader(
            loop="for block in self.blocks: x = block(x + self.marks[: x.shape[1]], mask)",
            x="self.embedding(input_ids)",
        ),
        "added again before the second block",
    ),
    (
        "04.reader",
        reader(loop="x = self.blocks[0](x, mask)"),
        "only the first block is used",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: y = block(x, mask)", norm="self.norm(y)"),
        "only the second block is used",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: block(x, mask)"),
        "no block is used",
    ),
    (
        "04.reader",
        reader(norm="x"),
        "the last norm is missing",
    ),
    (
        "04.reader",
        reader(norm="x", value="self.output(self.norm(mean))"),
        "stands behind the mean",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: x = self.norm(block(x, mask))", norm="x"),
        "used after each block",
    ),
    (
        "04.reader",
        reader(mean="(x * real[..., None]).sum(1)"),
        "that is a sum of the states",
    ),
    (
        "04.reader",
        reader(mean="x[:, -1]"),
        "only the last state is read",
    ),
    (
        "04.reader",
        reader(mean="x[:, 0]"),
        "only the first state is read",
    ),
    (
        "04.reader",
        reader(mean="x.amax(1)"),
        "the largest number",
    ),
    (
        "04.reader",
        reader(mean="x"),
        "logits for each position",
    ),
    (
        "04.reader",
        reader(value="self.output(mean).softmax(-1)"),
        "these are probabilities",
    ),
    (
        "04.reader",
        reader(value="self.output(F.dropout(mean))"),
        "each call gives another result",
    ),
    (
        "04.reader",
        reader(mask="both_masks(real.long())[:, None]"),
        "although `causal` is False",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: x = block(x)"),
        "the letters look at the padding: give each block",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: x = block(x)", mean="x.mean(1)"),
        "hide it in both places",
    ),
    (
        "04.reader",
        reader(mean="x.mean(1)"),
        "the mean counts the padding",
    ),
    (
        "04.reader",
        reader(mean="(x * real[..., None]).mean(1)"),
        "divided by the whole length",
    ),
    (
        "04.reader",
        reader(mask="~real[:, None, None, :]"),
        "turned round",
    ),
    (
        "04.reader",
        reader(mean="(x * real[..., None]).sum(1) / real.sum()"),
        "one mean over the whole batch",
    ),
    (
        "04.reader",
        reader(causal="real[:, None, None, :]"),
        "`causal` has no influence",
    ),
    (
        "04.reader",
        reader(total="F.cross_entropy(logits, batch['labels'])"),
        "the loss is a mean",
    ),
    (
        "04.reader",
        reader(total="F.cross_entropy(logits, batch['labels'], reduction='none')"),
        "a loss for each text",
    ),
    (
        "04.reader",
        reader(total="F.cross_entropy(logits.softmax(1), batch['labels'], reduction='sum')"),
        "takes the softmax itself",
    ),
    (
        "04.reader",
        reader(loss="total"),
        "should give two things",
    ),
    (
        "04.reader",
        reader(loss="total, 1"),
        "the number of texts",
    ),
    (
        "04.reader",
        reader(loss="total.detach(), len(logits)"),
        "no gradient reaches",
    ),
    (
        "04.reader",
        reader(x="self.embedding(input_ids).detach() + self.marks[: input_ids.shape[1]]"),
        "no gradient reaches embedding",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x)); return x + self.feed(self.norm_2(x))"),
        "must go on to `attend`",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x)); return x + self.feed(self.norm_2(x))").replace(
            ", *mask", ""
        ),
        "must go on to `attend`",
    ),
    (
        "04.reader",
        reader(init=["a = MultiHead(dim, 4)", "for b in self.blocks: b.attend = a"]),
        "the blocks share `blocks.1.attend",
    ),
    (
        "04.reader",
        reader(x="self.embedding(input_ids) + self.marks[1 : input_ids.shape[1] + 1]"),
        "one position off",
    ),
    ("04.reader", reader(x="self.embedding(input_ids) + self.marks[0]"), "gets the same mark"),
    (
        "04.reader",
        reader(x="self.embedding(input_ids) + self.marks[-input_ids.shape[1] :]"),
        "the last marks",
    ),
    (
        "04.reader",
        reader(loop="for block in self.blocks: x = x + block(x, mask)"),
        "a block adds `x` itself",
    ),
    (
        "04.reader",
        reader(x="self.norm(self.embedding(input_ids) + self.marks[: real.shape[1]])"),
        "below the blocks, too",
    ),
    ("04.reader", reader(value="torch.zeros(len(input_ids), 2)"), "now write `forward`"),
    ("04.reader", reader(mask="real[:, None, :, None]"), "its last axis"),
    (
        "04.reader",
        reader(causal="(both_masks(real.long()).tril(-1))[:, None]"),
        "a letter may look at itself",
    ),
    ("04.reader", reader(causal="torch.ones(6, 6).tril().bool()"), "size of tensor a (6)"),
    (
        "04.reader",
        reader(total="F.cross_entropy(logits, batch.pop('labels'), reduction='sum')"),
        "changes what it was given",
    ),
    (
        "04.reader",
        reader(x="self.embedding(input_ids.clamp_(min=1)) + self.marks[: len(real[0])]"),
        "changes what it was given",
    ),
    (
        "04.reader",
        reader(value="(self.marks.zero_(), self.output(mean))[1]"),
        "changes what it was given",
    ),
    ("04.reader", reader(loss="len(logits), total"), "the sum comes first"),
    ("04.reader", reader(loss="total.item(), len(logits)"), "no gradient reaches any layer"),
    ("04.reader", reader(loss="total, len(batch)"), "the number of texts"),
    (
        "04.reader",
        reader(total="F.nll_loss(logits, batch['labels'], reduction='sum')"),
        "wants log-probabilities",
    ),
    ("04.reader", reader(value="self.output(mean).argmax(-1)"), "should have the shape (3, 2)"),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x), mask); return x + self.feed(self.norm_2(x))"),
        "must go on to `attend`",
    ),
]

RIGHT = [
    ("04.attention", "solution"),
    (
        "04.attention",
        "lambda q, k, v, mask=None: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)",
    ),
    (
        "04.attention",
        scores(
            "w = s.softmax(-1) if mask is None else s.softmax(-1) * mask\n    "
            "return w / w.sum(-1, keepdim=True) @ v"
        ),
    ),
    ("04.lookup", "solution"),
    (
        "04.lookup",
        lookup(
            "x = self.words(input_ids[..., 0]) + self.words(input_ids[..., 1])\n        "
            "return self.output(attention(q, self.key(x), self.value(x)).squeeze(1))"
        ),
    ),
    ("04.mask", "solution"),
    (
        "04.mask",
        """
def masks_of(attention_mask):
    batch, length = attention_mask.shape
    mask = torch.zeros(batch, length, length, dtype=torch.bool)
    for b in range(batch):
        for i in range(length):
            for j in range(i + 1):
                mask[b, i, j] = bool(attention_mask[b, j])
    return mask
""",
    ),
    ("04.split_heads", "solution"),
    ("04.split_heads", "lambda x, heads: torch.stack(x.chunk(heads, -1), 1)"),
    (
        "04.split_heads",
        "lambda x, heads: x.reshape(*x.shape[:2], heads, -1).permute(0, 2, 1, 3).contiguous()",
    ),
    ("04.multi_head", "solution"),
    (
        "04.multi_head",
        multi_head(ONE_EACH + LOOP.format(mask="m")),
    ),
    ("04.sinusoids", "solution"),
    ("04.sinusoids", clock("torch.exp(-torch.arange(0, dim, 2) * math.log(10_000) / dim)")),
    ("04.look_back", "solution"),
    (
        "04.look_back",
        """
def look_back(steps, dim):
    matrix = torch.zeros(dim, dim)
    for i in range(0, dim, 2):
        b = steps / 10_000 ** (i / dim)
        matrix[i : i + 2, i : i + 2] = torch.tensor(
            [[math.cos(b), math.sin(b)], [-math.sin(b), math.cos(b)]])
    return matrix
""",
    ),
    (
        "04.find_the_bug",
        block("x = x + self.attend(self.norm_1(x), *mask); return x + self.feed(self.norm_2(x))"),
    ),
    ("04.find_the_bug", "solution"),
    ("04.greedy", "solution"),
    ("04.greedy", write()),
    (
        "04.attention",
        scores("return (s if mask is None else s.masked_fill(~mask, -1e6)).softmax(-1) @ v"),
    ),
    (
        "04.attention",
        scores("return (s if mask is None else s + mask.float().log()).softmax(-1) @ v"),
    ),
    ("04.attention", scores(HIDE + "w = s.exp()\n    return w @ v / w.sum(-1, keepdim=True)")),
    ("04.lookup", lookup("return self.output(attention(q, self.key(x), self.value(x)))[:, 0, :]")),
    (
        "04.mask",
        "lambda mask: "
        "(mask[:, None] & torch.ones(len(mask[0]), len(mask[0])).tril().long()).bool()",
    ),
    ("04.mask", "lambda mask: mask.bool()[:, None].expand(-1, mask.shape[1], -1).tril()"),
    (
        "04.multi_head",
        multi_head("return self.output(torch.cat(list(attention(q, k, v, mask).unbind(1)), -1))"),
    ),
    ("04.look_back", "lambda steps, dim: torch.linalg.matrix_power(solution(1, dim), steps)"),
    (
        "04.find_the_bug",
        block(
            "a = self.attend(self.norm_1(x), *mask); return x + a + self.feed(self.norm_2(x + a))"
        ),
    ),
    ("04.greedy", write(seen="tuple(ids)")),
    ("04.reader", "solution"),
    ("04.reader", reader(causal="torch.ones(len(real[0]), len(real[0])).tril().bool()")),
    ("04.reader", reader(blocks=f"nn.Sequential({BLOCK}, {BLOCK})")),
    (
        "04.reader",
        reader(total="-logits.log_softmax(1)[range(len(logits)), batch['labels']].sum()"),
    ),
    (
        "04.reader",
        reader(
            init=["self.register_buffer('kept', marks)"],
            x="self.embedding(input_ids) + self.kept[None, : input_ids.shape[1]]",
        ),
    ),
    (
        "04.reader",
        reader(
            mean="torch.stack([row[kept].mean(0) for row, kept in zip(x, real)])",
            mask="real[:, None, None, :].expand(-1, 1, real.shape[1], -1)",
        ),
    ),
    ("04.reader", reader(mean="x.masked_fill(~real[..., None], 0).sum(1) / real.sum(1)[:, None]")),
    ("04.reader", reader(init=["self.marks = nn.Parameter(marks, requires_grad=False)"])),
    ("04.reader", reader(init=["self.embedding = nn.Embedding(25, dim, padding_idx=0)"])),
    (
        "04.reader",
        reader(
            mean="(self.output(x) * real[..., None]).sum(1) / real.sum(1)[:, None]", value="mean"
        ),
    ),
    (
        "04.reader",
        reader(
            x="self.embedding(input_ids)",
            loop="x += self.marks[: x.shape[1]]\n"
            "        for i in range(2): x = self.blocks[i](x, mask)",
        ),
    ),
    (
        "04.reader",
        reader(
            total="F.cross_entropy(logits, batch['labels']) * len(logits)",
            loss="[total, torch.tensor(len(logits))]",
        ),
    ),
    (
        "04.find_the_bug",
        block(
            "x = x + self.attend(self.norm_1(x), mask); return x + self.feed(self.norm_2(x))"
        ).replace("*mask", "mask=None"),
    ),
]
