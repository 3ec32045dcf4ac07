"""Chapter 12: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

SUREST = """
def surest(windows, longest):
    best, found = {start}, None
    for one in windows:
        inside = slice(one["first"], one["first"] + len(one["offsets"]))
        starts, ends = one["starts"][inside], one["ends"][inside]
        {change}
        scores = {scores}
        allowed = torch.ones_like(scores).triu().tril(longest - 1) > 0
        scores = scores.masked_fill(~allowed, -torch.inf)
        if {better}:
            best = scores.max()
            i, j = divmod(int(scores.argmax()), len(ends))
            found = one["offsets"][i][0], one["offsets"][j][1]
    return {value}
"""


def surest(change="pass", **changed):
    """`surest`, in which these parts are others."""
    usual = {"scores": "starts[:, None] + ends[None, :]", "better": "scores.max() > best"}
    usual |= {"start": "-math.inf", "value": "found"}
    return SUREST.format(change=change, **usual | changed)


def each(change):
    """`surest`, in which both scores become ``change``, with x for the scores."""
    return surest(f"starts, ends = ({change} for x in (starts, ends))")


POOLED = """
def surest(windows, longest):
    cut = [slice(w["first"], w["first"] + len(w["offsets"])) for w in windows]
    starts = torch.cat([w["starts"][c] for w, c in zip(windows, cut)]).softmax(0)
    ends = torch.cat([w["ends"][c] for w, c in zip(windows, cut)]).softmax(0)
    best, found, at = -1.0, None, 0
    for w in windows:
        n = len(w["offsets"])
        for i in range(n):
            for j in range(i, min(n, i + longest)):
                p = float(starts[at + i]) * float(ends[at + j])
                if p > best:
                    best, found = p, (w["offsets"][i][0], w["offsets"][j][1])
        at += n
    return found
"""

READ = """
def read_long(windows, longest, n_best, threshold):
    answers, nulls, said = [], [], None
    for one in windows:
        first, offsets, central = one["first"], one["offsets"], one["central"]
        nulls.append({null})
        starts, ends = one["starts"], one["ends"]
        {own}
        for i in range(len(offsets)):
            for j in range({begin}, {stop}):
                score = {score}
                if {kept}:
                    answers.append((score, offsets[i][0], offsets[j]{last}))
        {after}
    answers = {ranked}
    nothing = {nothing}
    if {say}:
        said = answers[0][1:]
    return {value}
"""


def read(**changed):
    """`read_long`, in which these parts are others."""
    usual = {"null": "float(one['starts'][0] + one['ends'][0])", "own": "pass", "begin": "i"}
    usual |= {"stop": "min(len(offsets), i + longest)", "kept": "central[i] and score > -math.inf"}
    usual |= {"score": "float(starts[first + i] + ends[first + j])", "last": "[1]"}
    usual |= {"after": "pass", "ranked": "sorted(answers, reverse=True)[:n_best]"}
    usual |= {"nothing": "min(nulls)", "value": "(answers, said)"}
    usual |= {"say": "answers and nothing - answers[0][0] <= threshold"}
    return READ.format(**usual | changed)


INSIDE = (
    "starts, ends = starts.clone(), ends.clone(); "
    "part = slice(first, first + len(offsets)); "
    "starts[part] = starts[part].{0}(0); ends[part] = ends[part].{0}(0)"
)

LAYOUT = """
def layout(encode, persona, history, reply, gold, latest, ids):
    one, two = ids["<speaker1>"], ids["<speaker2>"]
    name = {names}
    turns = {turns}
    row = {row}
    kinds = {kinds}
    for who, text in turns:
        ids_of = {said}
        row += ids_of
        kinds += {kind}
    {more}
    row, kinds = row + {own}, kinds + [one] * len({own})
    end = {end}
    before = {before}
    return {value}
"""


def layout(**changed):
    """`layout`, in which these parts are others."""
    usual = {"names": "{1: one, 2: two}", "turns": "history[-latest:]", "more": "pass"}
    usual |= {"row": "[ids['<bos>']] + encode(' '.join(persona))"}
    usual |= {"kinds": "[one] * len(row)", "said": "[name[who]] + encode(text)"}
    usual |= {"kind": "[name[who]] * len(ids_of)", "own": "[one]"}
    usual |= {"end": "encode(reply) + [ids['<eos>']]", "before": "[-100] * len(row)"}
    usual |= {
        "value": "{'input_ids': row + end, 'token_type_ids': kinds + [one] * len(end), "
        "'lm_labels': before + (end if gold else [-100] * len(end))}"
    }
    return LAYOUT.format(**usual | changed)


def labels(text):
    """`layout` with these labels."""
    return layout(
        value="{'input_ids': row + end, 'token_type_ids': kinds + [one] * len(end), "
        f"'lm_labels': {text}}}"
    )


def kinds(text):
    """`layout` with these kinds, all of the row."""
    return layout(
        value=f"{{'input_ids': row + end, 'token_type_ids': {text}, "
        "'lm_labels': before + (end if gold else [-100] * len(end))}"
    )


HITS = """
def hits_and_mrr(scores, right):
    places = []
    for row, at in zip(scores, right):
        {before}
        places.append({place})
    n = len(places)
    return {value}
"""


def hits(place="sum(s >= row[at] for s in row)", before="pass", value=None):
    usual = "sum(p == 1 for p in places) / n, sum(1 / p for p in places) / n"
    return HITS.format(place=place, before=before, value=value or usual)


CROSS = """
def cross_attention(states, memory, seen, query, key, value, output, heads):
    split = lambda x: x.unflatten(-1, (heads, -1)).transpose(1, 2)
    q, k, v = split(query({q})), split(key({k})), split(value({v}))
    scores = q @ k.transpose(-1, -2) / {scale}
    scores = {mask}
    weights = {weights}
    found = (weights @ v).transpose(1, 2).flatten(2)
    return {result}
"""


def cross(**changed):
    """`cross_attention`, in which these parts are others."""
    usual = {"q": "states", "k": "memory", "v": "memory", "scale": "math.sqrt(q.shape[-1])"}
    usual |= {"mask": "scores.masked_fill(~seen[:, None, None, :], -torch.inf)"}
    usual |= {"weights": "scores.softmax(-1)", "result": "output(found)"}
    return CROSS.format(**usual | changed)


SPLIT = "x.unflatten(-1, (heads, -1)).transpose(1, 2)"
SKIPPED = """
def read_long(windows, longest, n_best, threshold):
    ranked = []
    for one in windows:
        first, offsets = one["first"], one["offsets"]
        null = float(one["starts"][0] + one["ends"][0])
        for i in range(len(offsets)):
            for j in range(i, min(len(offsets), i + longest)):
                score = float(one["starts"][first + i] + one["ends"][first + j])
                if one["central"][i] and score > -math.inf:
                    ranked.append((score, offsets[i][0], offsets[j][1], null))
    ranked = sorted(ranked, reverse=True)[:n_best]
    said = ranked[0][1:3] if ranked and ranked[0][3] - ranked[0][0] <= threshold else None
    return [one[:3] for one in ranked], said
"""
TABLE = """
def read_long(windows, longest, n_best, threshold):
    found, null = [], math.inf
    for w in windows:
        s, e = w["starts"], w["ends"]
        null = min(null, (s[0] + e[0]).item())
        n, f = len(w["offsets"]), w["first"]
        table = s[f : f + n, None] + e[None, f : f + n]
        kept = torch.ones(n, n).triu().tril(longest - 1) > 0
        kept &= torch.tensor(w["central"])[:, None]
        best, at = table.masked_fill(~kept, -torch.inf).flatten().topk(min(n_best, n * n))
        for score, k in zip(best.tolist(), at.tolist()):
            if score > -math.inf:
                found.append([score, w["offsets"][k // n][0], w["offsets"][k % n][1]])
    found = sorted(found, key=lambda a: a[0], reverse=True)[:n_best]
    if not found or null > found[0][0] + threshold:
        return found, None
    return found, found[0][1:]
"""
CHUNKS = """
def cross_attention(states, memory, seen, query, key, value, output, heads):
    out = []
    parts = (query(states), key(memory), value(memory))
    for q, k, v in zip(*(x.chunk(heads, -1) for x in parts)):
        scores = torch.einsum("btd,brd->btr", q, k) * q.shape[-1] ** -0.5
        scores = scores.masked_fill(seen.logical_not()[:, None], float("-inf"))
        out.append(scores.softmax(2) @ v)
    return output(torch.cat(out, -1))
"""
LOOP = """
def arc_scores(x, y, U):
    scores = torch.zeros(len(x), len(y))
    for i in range(len(x)):
        for j in range(len(y)):
            scores[i, j] = torch.cat((x[i], torch.ones(1))) @ U @ y[j]
    return scores
"""
ARCS = """
def arc_scores(x, y, U):
    one = torch.ones(len(x), 1)
    x1 = {x1}
    return {value}
"""


def arcs(value="x1 @ U @ y.T", x1="torch.cat((x, one), 1)"):
    return ARCS.format(value=value, x1=x1)


WRONG = [
    # (exercise, answer, words that the message must contain)
    (
        "12.find_the_bug",
        surest(
            "starts, ends = (one[n].softmax(0)[inside] for n in ('starts', 'ends'))",
            scores="starts[:, None] * ends[None, :]",
        ),
        "goes over `[CLS]` and the question now",
    ),
    ("12.find_the_bug", surest("starts = starts.softmax(0)"), "only one of the two scores"),
    ("12.find_the_bug", surest("ends = ends.softmax(0)"), "only one of the two scores"),
    ("12.find_the_bug", each("(x - x.mean()) / x.std()"), "divided by their spread"),
    ("12.find_the_bug", each("x - x.mean()"), "each window's mean"),
    ("12.find_the_bug", each("x - x.max()"), "each window's best score"),
    (
        "12.find_the_bug",
        surest("starts, ends = starts - one['starts'][0], ends - one['ends'][0]"),
        'each window\'s score of "no answer"',
    ),
    ("12.find_the_bug", each("x.sigmoid()"), "sigmoid"),
    ("12.find_the_bug", surest(scores="starts[:, None] * ends[None, :]"), "are multiplied"),
    ("12.find_the_bug", surest(better="True"), "the last window always wins"),
    ("12.find_the_bug", surest(better="found is None"), "the first window always wins"),
    ("12.find_the_bug", surest(value="found[0]"), "expected (start, end)"),
    ("12.find_the_bug", surest(start="0.0"), "begin with `-math.inf`"),
    ("12.find_the_bug", surest(start="-1.0"), "begin with `-math.inf`"),
    ("12.find_the_bug", each("x.log_softmax(0)"), "in logarithms"),
    ("12.find_the_bug", each("x.softmax(0)"), "are added in place of multiplied"),
    (
        "12.find_the_bug",
        surest(
            "starts, ends = (torch.cat((one[n][:1], one[n][inside])).log_softmax(0)[1:] "
            "for n in ('starts', 'ends'))"
        ),
        "`[CLS]` takes part",
    ),
    (
        "12.read_long",
        read(
            own=INSIDE.format("softmax"), score="float(starts[first + i]) * float(ends[first + j])"
        ),
        "its own softmax",
    ),
    ("12.read_long", read(own=INSIDE.format("log_softmax")), "its own `log_softmax`"),
    ("12.read_long", read(nothing="max(nulls)"), "*highest* score"),
    ("12.read_long", read(nothing="nulls[-1]"), "the last window only"),
    ("12.read_long", read(nothing="nulls[0]"), "the first window only"),
    ("12.read_long", read(nothing="sum(nulls) / len(nulls)"), "the mean score"),
    ("12.read_long", read(null="float(one['starts'][0])"), "the start alone"),
    (
        "12.read_long",
        read(say="answers and nothing <= answers[0][0]"),
        "the threshold is ignored",
    ),
    (
        "12.read_long",
        read(say="answers and nothing - answers[0][0] <= -threshold"),
        "the sign of the threshold",
    ),
    ("12.read_long", read(say="answers"), "there is always an answer"),
    (
        "12.read_long",
        read(say="answers and nothing - answers[0][0] > threshold"),
        "turned round",
    ),
    ("12.read_long", read(score="float(starts[i] + ends[j])"), "are not shifted"),
    ("12.read_long", read(stop="len(offsets)"), "longer than `longest`"),
    ("12.read_long", read(stop="min(len(offsets), i + longest + 1)"), "one token too many"),
    ("12.read_long", read(stop="min(len(offsets), i + longest - 1)"), "one token too few"),
    ("12.read_long", read(kept="score > -math.inf"), "`central` is not used"),
    ("12.read_long", read(kept="central[j] and score > -math.inf"), "of the last token"),
    ("12.read_long", read(begin="0"), "end before they start"),
    ("12.read_long", read(ranked="sorted(answers, reverse=True)"), "`n_best` is ignored"),
    ("12.read_long", read(ranked="sorted(answers)[:n_best]"), "the worst come first"),
    ("12.read_long", read(last="[0]"), "where the last token *begins*"),
    ("12.read_long", read(kept="central[i]"), "minus infinity"),
    (
        "12.read_long",
        read(
            say="nothing - answers[0][0] <= threshold if answers else None",
            kept="central[i]",
        ),
        "minus infinity",
    ),
    ("12.read_long", read(say="nothing - answers[0][0] <= threshold"), "IndexError"),
    ("12.read_long", read(value="answers"), "expected two things"),
    ("12.read_long", read(value="answers, answers[0] if answers else None"), "(start, end) in"),
    ("12.read_long", read(value="answers, said or (0, 0)"), "no answer is None"),
    ("12.read_long", read(score="float(starts[first + i])"), "only the starts"),
    ("12.read_long", SKIPPED, "the window with the best span"),
    ("12.read_long", read(score="float(ends[first + i] + starts[first + j])"), "exchanged"),
    ("12.read_long", read(begin="i + 1"), "two tokens or more"),
    (
        "12.read_long",
        read(own="starts, ends = starts.log_softmax(0), ends.log_softmax(0)"),
        "over all of its positions",
    ),
    ("12.read_long", read(value="(answers if said else [], said)"), "only what is said does"),
    ("12.read_long", read(say="answers and nothing <= threshold"), "the threshold alone"),
    (
        "12.read_long",
        read(value="([(s, a // 5, b // 5) for s, a, b in answers], said)"),
        "the scores are right, but not the places",
    ),
    (
        "12.read_long",
        read(nothing="sum(min(float(w[n][0]) for w in windows) for n in ('starts', 'ends'))"),
        "come from two windows",
    ),
    (
        "12.read_long",
        read(ranked="sorted(sorted(answers, reverse=True)[:n_best], key=lambda a: a[1:])")
        .replace("answers[0][0] <=", "max(answers)[0] <=")
        .replace("answers[0][1:]", "max(answers)[1:]"),
        "in the order of the text",
    ),
    (
        "12.read_long",
        read(
            kept="central[i] and score > -math.inf and offsets[j][1] - offsets[i][0] <= longest",
            stop="len(offsets)",
        ),
        "counted in characters",
    ),
    ("12.read_long", read(after="answers.append((nulls[-1], 0, 0))"), "stands in the list"),
    ("12.read_long", read(own="starts.sub_(starts.max())"), "changes what it was given"),
    (
        "12.read_long",
        read(kept="central[i] and -math.inf < score >= nulls[-1]"),
        "only where its own",
    ),
    ("12.layout", kinds("kinds + [two] * len(end)"), "the reply is of the kind"),
    ("12.layout", layout(kinds="[two] * len(row)"), "the persona is of the kind"),
    ("12.layout", layout(turns="history[-2 * latest :]"), "not pairs of turns"),
    ("12.layout", layout(said="encode(text) + [name[who]]"), "stands behind its words"),
    ("12.layout", labels("before + (end if gold else [None] * len(end))"), "not None"),
    (
        "12.layout",
        labels("before + (end if gold else [-100] * (len(end) - 1) + end[-1:])"),
        "of a wrong reply has a label",
    ),
    (
        "12.layout",
        layout(row="[i for s in persona for i in [ids['<bos>']] + encode(s)]"),
        "`input_ids` should have",
    ),
    ("12.layout", labels("before + end"), "a wrong reply teaches"),
    ("12.layout", labels("[-100] * len(row + end)"), "no reply teaches"),
    ("12.layout", labels("row + end if gold else [-100] * len(row + end)"), "the whole sequence"),
    (
        "12.layout",
        labels("before[:-1] + ([row[-1]] + end if gold else [-100] * (len(end) + 1))"),
        "has a label, but it is given",
    ),
    (
        "12.layout",
        labels("before + (end[:-1] if gold else [-100] * (len(end) - 1)) + [-100]"),
        "`<eos>` has no label",
    ),
    (
        "12.layout",
        labels("(before + (end if gold else [-100] * len(end)))[1:] + [-100]"),
        "shifted by one",
    ),
    ("12.layout", labels("[0] * len(row) + (end if gold else [0] * len(end))"), "not 0"),
    ("12.layout", layout(turns="history"), "`latest` is ignored"),
    ("12.layout", layout(turns="history[:latest]"), "the *first* turns"),
    ("12.layout", layout(turns="history[-latest:][::-1]"), "reverse order"),
    ("12.layout", layout(names="{1: two, 2: one}"), "of the history are exchanged"),
    ("12.layout", kinds("[one] * len(row + end)"), "the kinds of all tokens"),
    (
        "12.layout",
        kinds("kinds[:1] + kinds[:-1] + [kinds[-1]] * len(end)"),
        "the turn before",
    ),
    (
        "12.layout",
        kinds("[1 if k == one else 2 for k in kinds + [one] * len(end)]"),
        "are 1 and 2",
    ),
    (
        "12.layout",
        kinds("[0 if k == one else 1 for k in kinds + [one] * len(end)]"),
        "as BERT's",
    ),
    ("12.layout", layout(said="encode(text)"), "no token of their speaker"),
    (
        "12.layout",
        layout(row="encode(' '.join(persona))"),
        "`<bos>` is missing",
    ),
    ("12.layout", layout(end="encode(reply)"), "`<eos>` is missing"),
    ("12.layout", layout(said="[name[who]] + encode(text) + [ids['<eos>']]"), "every turn ends"),
    ("12.layout", layout(own="[]"), "no `<speaker1>` in front"),
    ("12.layout", layout(row="[ids['<bos>']]"), "the persona is missing"),
    (
        "12.layout",
        layout(row="[ids['<bos>']] + [i for s in persona for i in encode(s)]"),
        "encoded one by one",
    ),
    (
        "12.layout",
        layout(turns="[(2 - k % 2, t) for k, (_, t) in enumerate(history)][-latest:]"),
        "taken in turns",
    ),
    (
        "12.layout",
        layout(turns="[(2 - k % 2, t) for k, (_, t) in enumerate(history[-latest:])]"),
        "taken in turns",
    ),
    ("12.layout", layout(kinds="[ids['<bos>']] + [one] * (len(row) - 1)"), "`<bos>` has a kind"),
    ("12.layout", layout(own="[two]"), "in front of the reply is `<speaker2>`"),
    ("12.layout", layout(said="[name[3 - who]] + encode(text)"), "though not their kinds"),
    (
        "12.layout",
        layout(row="[ids['<bos>'], one] + encode(' '.join(persona))"),
        "in front of the persona",
    ),
    ("12.layout", layout(value="row + end"), "expected a dictionary"),
    (
        "12.layout",
        layout(value="{'input_ids': row + end, 'token_type_ids': kinds, 'lm_labels': row}"),
        "differ in length",
    ),
    ("12.hits", hits("1 + sum(s > row[at] for s in row)"), "a tie counts as a hit"),
    (
        "12.hits",
        hits("1 + sum(s > row[at] for s in row) + (row.count(row[at]) - 1) / 2"),
        "a tie counts half",
    ),
    (
        "12.hits",
        hits("1 + sorted(range(len(row)), key=lambda i: -row[i]).index(at)"),
        "of equal scores the first wins",
    ),
    (
        "12.hits",
        hits("1 + sorted(range(len(row)), key=lambda i: (-row[i], -i)).index(at)"),
        "of equal scores the last wins",
    ),
    ("12.hits", hits("sum(s <= row[at] for s in row)"), "turned round"),
    (
        "12.hits",
        hits(value="sum(p == 1 for p in places) / n, sum(places) / n"),
        "the mean place",
    ),
    (
        "12.hits",
        hits(value="sum(p == 1 for p in places) / n, n / sum(places)"),
        "one over the mean place",
    ),
    (
        "12.hits",
        hits(value="sum(p == 1 for p in places) / n, sum(p == 1 for p in places) / n"),
        "counts the first place only",
    ),
    (
        "12.hits",
        hits(value="sum(p == 1 for p in places), sum(1 / p for p in places) / n"),
        "the number of hits",
    ),
    (
        "12.hits",
        hits(value="100 * sum(p == 1 for p in places) / n, sum(1 / p for p in places) / n"),
        "no percent",
    ),
    ("12.hits", hits(before="at = -1"), "not always the last"),
    ("12.hits", hits(before="at = 0"), "not always the first"),
    (
        "12.hits",
        hits(value="sum(1 / p for p in places) / n, sum(p == 1 for p in places) / n"),
        "exchanged",
    ),
    (
        "12.hits",
        hits(value="sum(p <= 2 for p in places) / n, sum(1 / p for p in places) / n"),
        "hits@2",
    ),
    (
        "12.hits",
        hits(
            value="sum(p == 1 for p in places) / n, "
            "sum(1 / (1 + sum(s > r[a] for s in r)) for r, a in zip(scores, right)) / n"
        ),
        "for MRR it still counts",
    ),
    (
        "12.hits",
        hits(
            value="sum(row.index(max(row)) == at for row, at in zip(scores, right)) / n, "
            "sum(1 / p for p in places) / n"
        ),
        "the first is the hit",
    ),
    (
        "12.hits",
        hits(value="sum(p == 1 for p in places) / n, sum(1 / p for p in places)"),
        "divide the sum",
    ),
    ("12.hits", hits(value="sum(p == 1 for p in places) / n"), "expected two numbers"),
    ("12.hits", hits("1 + sum(s >= row[at] for s in row)"), "the *other* candidates"),
    (
        "12.hits",
        hits(
            before="n = len(row) if not places else n",
            value="sum(p == 1 for p in places) / n, sum(1 / p for p in places) / n",
        ).replace("    n = len(places)\n", ""),
        "the number of candidates",
    ),
    (
        "12.cross",
        cross(
            mask="scores.masked_fill(~(seen[:, None, None, :] & "
            "torch.ones(scores.shape[-2:]).tril().bool()), -torch.inf)"
        ),
        "a causal mask",
    ),
    ("12.cross", cross(mask="scores"), "padding is looked at"),
    ("12.cross", cross(mask="scores * seen[:, None, None, :]"), "are 0, not minus infinity"),
    ("12.cross", cross(q="memory"), "the queries come from the memory"),
    ("12.cross", cross(k="states", v="states"), "attention to itself"),
    ("12.cross", cross(k="states"), "the keys come from"),
    ("12.cross", cross(v="states"), "the values come from"),
    ("12.cross", cross(scale="1"), "are not divided"),
    ("12.cross", cross(scale="math.sqrt(states.shape[-1])"), "the whole width"),
    ("12.cross", cross(scale="q.shape[-1]"), "take its root"),
    ("12.cross", cross(weights="scores.softmax(-2).nan_to_num(0.0)"), "goes over the steps"),
    ("12.cross", cross(result="found"), "output layer is missing"),
    ("12.cross", cross(result="states + output(found)"), "the states are added"),
    ("12.cross", cross(result="output(found)[:, 0]"), "expected the shape"),
    (
        "12.cross",
        cross(mask="scores", weights="scores.softmax(-1) * seen[:, None, None, :]"),
        "after the softmax",
    ),
    (
        "12.cross",
        cross().replace(SPLIT, "x.reshape(len(x), heads, x.shape[1], -1)"),
        "heads are cut wrongly",
    ),
    (
        "12.cross",
        cross().replace(".transpose(1, 2).flatten(2)", ".reshape(states.shape)"),
        "heads are put together wrongly",
    ),
    (
        "12.cross",
        cross(mask="scores.masked_fill(~seen[:, None, None, :], 0)", weights="scores"),
        "softmax is missing",
    ),
    (
        "12.cross",
        cross(weights="(seen / seen.sum(-1, keepdim=True))[:, None, None, :].expand(scores.shape)"),
        "queries take no part",
    ),
    (
        "12.cross",
        cross(mask="scores.masked_fill(seen[:, None, None, :], -torch.inf)"),
        "the mask is turned round",
    ),
    ("12.cross", cross(weights="scores.softmax(-2)"), "goes over the steps"),
    ("12.cross", cross(weights="scores.softmax(1)"), "goes over the heads"),
    ("12.cross", cross(weights="scores.softmax(1).nan_to_num(0.0)"), "goes over the heads"),
    ("12.cross", cross().replace("query(states)", "states"), "`query` is left out"),
    ("12.cross", cross().replace("key(memory)", "memory"), "`key` is left out"),
    ("12.cross", cross().replace("value(memory)", "memory"), "`value` is left out"),
    (
        "12.cross",
        cross().replace(SPLIT, "x.unflatten(-1, (-1, heads)).movedim(-1, 1)"),
        "interleaved",
    ),
    (
        "12.cross",
        cross(mask="scores", k="memory * seen[..., None]", v="memory * seen[..., None]"),
        "still gets weight",
    ),
    ("12.cross", cross(result="output(found).detach()"), "no gradient"),
    ("12.cross", cross(k="memory.detach()", v="memory.detach()"), "no gradient"),
    ("12.biaffine", arcs("(x1 @ U @ y.T).detach()"), "no gradient"),
    ("12.biaffine", arcs("x @ U[:-1] @ y.T + (x @ U[-1])[:, None]"), "with the dependent"),
    ("12.biaffine", arcs("x1 @ U @ y.T + U[-1] @ y.T"), "counted twice"),
    ("12.biaffine", arcs("x @ U[:-1] @ y.T"), "the 1 is missing"),
    ("12.biaffine", arcs(x1="torch.cat((one, x), 1)"), "the 1 stands in front"),
    ("12.biaffine", arcs("(x1 @ U @ y.T).T"), "transposed"),
    ("12.biaffine", arcs("torch.cat((x @ U[:-1].T, one), 1)[:, :-1] @ y.T + U[-1] @ y.T"), "U is"),
    ("12.biaffine", arcs("(x1 @ U @ y.T).softmax(1)"), "no softmax"),
    ("12.biaffine", arcs("(x1 @ U @ y.T).softmax(0)"), "no softmax"),
    ("12.biaffine", arcs("F.pad(y, (0, 1), value=1.0) @ U @ x.T"), "are exchanged"),
    ("12.biaffine", arcs("(F.pad(y, (0, 1), value=1.0) @ U @ x.T).T"), "are exchanged"),
    ("12.biaffine", arcs("x1 @ U @ y.T / math.sqrt(y.shape[1])"), "that is attention"),
    ("12.biaffine", arcs("0 * x[:, :1] + U[-1] @ y.T"), "only the last row"),
    ("12.biaffine", arcs("x @ y.T"), "plain dot product"),
    ("12.biaffine", arcs("x1 @ U"), "with each head"),
    ("12.biaffine", arcs("-x1 @ U @ y.T"), "sign"),
    ("12.biaffine", arcs("(x1 @ U @ y.T).tolist()"), "expected a tensor"),
]

RIGHT = [
    ("12.find_the_bug", surest()),
    ("12.find_the_bug", POOLED),
    ("12.find_the_bug", "solution"),
    ("12.read_long", "solution"),
    ("12.read_long", read()),
    (
        "12.read_long",
        read(ranked="sorted(answers, key=lambda a: -a[0])[:n_best]", nothing="sorted(nulls)[0]"),
    ),
    ("12.read_long", TABLE),
    ("12.read_long", read(score="starts[first + i] + ends[first + j]")),
    ("12.read_long", read(value="(tuple(answers), said)")),
    ("12.find_the_bug", surest(better="scores.max() >= best")),
    ("12.layout", "solution"),
    ("12.layout", layout()),
    (
        "12.layout",
        layout(
            value="{'lm_labels': tuple(before + (end if gold else [-100] * len(end))), "
            "'input_ids': torch.tensor(row + end), 'token_type_ids': kinds + [one] * len(end)}"
        ),
    ),
    ("12.hits", "solution"),
    (
        "12.hits",
        hits(value="torch.tensor([sum(p == 1 for p in places), sum(1 / p for p in places)]) / n"),
    ),
    ("12.hits", hits()),
    (
        "12.hits",
        hits(
            value="torch.tensor([sum(p == 1 for p in places), sum(1 / p for p in places)])"
            ".div(n).numpy()"
        ),
    ),
    ("12.hits", hits("1 + sum(s >= row[at] for i, s in enumerate(row) if i != at)")),
    (
        "12.hits",
        "lambda scores, right: [sum(sorted(row)[::-1].index(row[at]) + row.count(row[at]) == 1 "
        "for row, at in zip(scores, right)) / len(right), "
        "sum(1 / (sorted(row)[::-1].index(row[at]) + row.count(row[at])) "
        "for row, at in zip(scores, right)) / len(right)]",
    ),
    ("12.cross", "solution"),
    ("12.cross", cross()),
    (
        "12.cross",
        cross(mask="scores + torch.where(seen, 0.0, -torch.inf)[:, None, None, :]"),
    ),
    ("12.cross", CHUNKS),
    (
        "12.cross",
        cross(weights="None").replace(
            "(weights @ v)",
            "F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])",
        ),
    ),
    ("12.cross", cross(mask="scores.masked_fill(~seen[:, None, None, :], -1e4)")),
    ("12.biaffine", LOOP),
    ("12.biaffine", "solution"),
    ("12.biaffine", arcs()),
    ("12.biaffine", arcs("x @ U[:-1] @ y.T + (y @ U[-1])[None]")),
    (
        "12.biaffine",
        "lambda x, y, U: torch.einsum('ia,ab,jb->ij', F.pad(x, (0, 1), value=1.0), U, y)",
    ),
]
