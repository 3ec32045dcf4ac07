"""Chapter 06: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from minibert.course.learn.exercises.ch06_rate import rate_at
from minibert.course.learn.exercises.ch06_score import normalise
from minibert.course.learn.exercises.ch06_spans import BestSpan

GIVEN = {"normalise": normalise, "best_span": BestSpan.solve, "rate_at": rate_at, "IGNORE": -100}

RATE = """
def rate(step, steps, top):
    warmup = {warmup}
    up, down = {up}, {down}
    return {value}
"""
TUNE = """
def fine_tune(weights, loss, batches, top, passes):
    matrices = [w for w in weights if {many}]
    others = [w for w in weights if not ({many})]
    groups = [{{"params": matrices, "weight_decay": {first}}},
              {{"params": others, "weight_decay": {second}}}]
    optimizer, losses, step = torch.optim.{kind}(groups, lr=top), [], {begin}
    for number in range({passes}):
        {reset}
        for batch in {batches}:
            for group in optimizer.param_groups:
                group["lr"] = {rate}
            total, count = loss(batch)
            mean = {mean}
            {zero}
            {backward}
            {clip}
            {update}
            losses.append({noted})
            step += 1
    return {value}
"""
ALIGN = """
def align(words, labels, encode, cls_id, sep_id):
    ids, marks = [cls_id], [{cls}]
    for word, label in zip(words, labels):
        pieces = encode(word)
        ids += {ids}
        marks += {marks}
    return {value}
"""
NAMES_IN = """
def names(labels):
    found, start, kind = set(), None, None
    for i, label in enumerate({labels}):
        mark, _, here = label.partition("-")
        if kind and {closes}:
            found.add({name})
            kind = None
        if {opens}:
            start, kind = i, here
    return {value}
"""
PAIR = """
def pair(first, second, cls_id, sep_id):
    ids = {ids}
    kinds = {kinds}
    return {value}
"""
LOSS = """
def span_loss(states, mask, S, E, first, last):
    starts, ends = states @ {S}, states @ {E}
    starts, ends = ({cover} for x in (starts, ends))
    return {value}
"""
SPAN = """
def span_of(starts, ends, longest):
    found, best = {found}, {best}
    for i in range(len(starts)):
        for j in {ends}:
            if {score} > best:
                found, best = {pair}, {score}
    return found
"""
NONE = """
def answer_or_none(starts, ends, passage, longest, tau):
    i, j = best_span(starts[{begin}:{stop}], ends[{begin}:{stop}], {longest})
    i, j = {shift}
    best, nothing = {best}, {nothing}
    return (i, j) if {answers} else None
"""
F1 = """
def f1(said, true):
    said, true = {said}, {true}
    if {empty}:
        return {none}
    same = sum(({bag}(said) & {bag}(true)).values())
    return {value}
"""
BUG = """
def classify(hidden, mask, weight):
    real = mask[..., None].to(hidden.dtype)
    total, count = (hidden * real).sum(1), real.sum(1)
    return {value}
"""


def made(template, usual, **changes):
    return template.format(**{**usual, **changes})


def rate(**changes):
    usual = {"warmup": "steps // 10", "up": "(step + 1) / (warmup + 1)"}
    usual |= {"down": "(steps - step) / (steps - warmup)", "value": "top * min(1, up, down)"}
    return made(RATE, usual, **changes)


def tune(**changes):
    usual = {"many": "w.ndim > 1", "first": "0.01", "second": "0.0", "kind": "AdamW"}
    usual |= {"passes": "passes", "reset": "pass", "batches": "batches", "begin": "0"}
    usual |= {"rate": "rate_at(step, passes * len(batches), top)", "mean": "total / count"}
    usual |= {"zero": "optimizer.zero_grad()", "backward": "mean.backward()"}
    usual |= {"clip": "torch.nn.utils.clip_grad_norm_(weights, 1.0)", "update": "optimizer.step()"}
    return made(TUNE, usual | {"noted": "mean.item()", "value": "losses"}, **changes)


def align(**changes):
    usual = {"cls": "-100", "ids": "pieces", "marks": "[label] + [-100] * (len(pieces) - 1)"}
    return made(ALIGN, usual | {"value": "ids + [sep_id], marks + [-100]"}, **changes)


def names_in(**changes):
    usual = {"labels": "[*labels, 'O']", "closes": "(mark != 'I' or here != kind)"}
    usual |= {"name": "(start, i, kind)", "opens": "not kind and mark != 'O'", "value": "found"}
    return made(NAMES_IN, usual, **changes)


def pair(**changes):
    usual = {"ids": "[cls_id, *first, sep_id, *second, sep_id]", "value": "ids, kinds"}
    usual |= {"kinds": "[0] * (len(first) + 2) + [1] * (len(second) + 1)"}
    return made(PAIR, usual, **changes)


def loss(**changes):
    usual = {"S": "S", "E": "E", "cover": "x.masked_fill(mask == 0, -torch.inf)"}
    usual |= {"value": "(F.cross_entropy(starts, first) + F.cross_entropy(ends, last)) / 2"}
    return made(LOSS, usual, **changes)


def span(**changes):
    usual = {"found": "(0, 0)", "best": "-math.inf", "score": "starts[i] + ends[j]"}
    usual |= {"ends": "range(i, min(len(ends), i + longest))", "pair": "(i, j)"}
    return made(SPAN, usual, **changes)


def none(**changes):
    usual = {"begin": "passage", "stop": "-1", "longest": "longest"}
    usual |= {"answers": "best > nothing + tau"}
    usual |= {"shift": "i + passage, j + passage", "nothing": "starts[0] + ends[0]"}
    return made(NONE, usual | {"best": "starts[i] + ends[j]"}, **changes)


def f1(**changes):
    usual = {"said": "normalise(said)", "true": "normalise(true)", "bag": "Counter", "none": "1.0"}
    usual |= {"empty": "not said and not true", "value": "2 * same / (len(said) + len(true))"}
    return made(F1, usual, **changes)


def bug(value):
    return BUG.format(value=value)


CHANGED_WORDS = """
def align(words, labels, encode, cls_id, sep_id):
    found = solution(words, labels, encode, cls_id, sep_id)
    labels.insert(0, -100)
    return found
"""
LOOKED_UP = """
def align(words, labels, encode, cls_id, sep_id):
    ids, marks = [cls_id], [-100]
    for word in words:
        pieces = encode(word)
        ids += pieces
        marks += [labels[words.index(word)]] + [-100] * (len(pieces) - 1)
    return ids + [sep_id], marks + [-100]
"""
CHANGED_FIRST = """
def pair(first, second, cls_id, sep_id):
    first.insert(0, cls_id)
    first.append(sep_id)
    second.append(sep_id)
    return first + second, [0] * len(first) + [1] * len(second)
"""
CHANGED_STATES = """
def span_loss(states, mask, S, E, first, last):
    found = solution(states, mask, S, E, first, last)
    mask[mask == 0] = 5
    return found
"""
CHANGED_STARTS = """
def span_of(starts, ends, longest):
    found = solution(starts, ends, longest)
    starts[found[0]] = -torch.inf
    return found
"""
CHANGED_SCORES = """
def answer_or_none(starts, ends, passage, longest, tau):
    found = solution(starts, ends, passage, longest, tau)
    starts[:passage] = -torch.inf
    return found
"""
CHANGED_HIDDEN = """
def classify(hidden, mask, weight):
    hidden[mask == 0] = 0
    return hidden.sum(1) / mask.sum(1, keepdim=True) @ weight
"""
JOINT = """
def span_loss(states, mask, S, E, first, last):
    starts, ends = ((states @ x).masked_fill(mask == 0, -torch.inf) for x in (S, E))
    sums = starts[:, :, None] + ends[:, None, :]
    sums = sums.masked_fill(torch.ones_like(sums).triu() == 0, -torch.inf).flatten(1)
    return F.cross_entropy(sums, first * states.shape[1] + last)
"""
BY_LOG_SOFTMAX = """
def span_loss(states, mask, S, E, first, last):
    rows = torch.arange(len(states))
    low = torch.tensor(-math.inf)
    logs = [(states @ x).where(mask.bool(), low).log_softmax(-1) for x in (S, E)]
    return -(logs[0][rows, first] + logs[1][rows, last]).mean() / 2
"""
BY_ROWS = """
def span_loss(states, mask, S, E, first, last):
    total = 0
    for row in range(len(states)):
        real = states[row][mask[row] > 0]
        total = total - (real @ S).log_softmax(0)[first[row]] - (real @ E).log_softmax(0)[last[row]]
    return total / (2 * len(states))
"""
TENSORS = """
def span_of(starts, ends, longest):
    sums = starts[:, None] + ends[None, :]
    allowed = torch.ones_like(sums).triu().tril(longest - 1) > 0
    return divmod(int(sums.masked_fill(~allowed, -torch.inf).argmax()), len(ends))
"""
MULTIPLIED = TENSORS.replace(".masked_fill(~allowed, -torch.inf)", ".mul(allowed)")
SOFTMAXED = """
def span_of(starts, ends, longest):
    sums = starts.softmax(0)[:, None] * ends.softmax(0)[None, :]
    allowed = torch.ones_like(sums).triu().tril(longest - 1)
    return divmod(int((sums * allowed).argmax()), len(ends))
"""
GREEDY = """
def span_of(starts, ends, longest):
    i = int(starts.argmax())
    return i, i + int(ends[i : i + longest].argmax())
"""
GREEDY_END = """
def span_of(starts, ends, longest):
    j = int(ends.argmax())
    i = max(0, j - longest + 1)
    return i + int(starts[i : j + 1].argmax()), j
"""
HARMONIC = """
def f1(said, true):
    said, true = normalise(said), normalise(true)
    if not said or not true:
        return float(said == true)
    same = sum((Counter(said) & Counter(true)).values())
    if same == 0:
        return 0
    precision, recall = same / len(said), same / len(true)
    return 2 * precision * recall / (precision + recall)
"""
NO_ZERO = HARMONIC.replace("    if same == 0:\n        return 0\n", "")
ONE_BY_ONE = """
def classify(hidden, mask, weight):
    rows = [text[: int(real.sum())].mean(0) @ weight for text, real in zip(hidden, mask)]
    return torch.stack(rows)
"""
BY_NAN = """
def classify(hidden, mask, weight):
    return hidden.masked_fill(mask[..., None] == 0, torch.nan).nanmean(1) @ weight
"""
LIBRARY_LOOP = """
def fine_tune(weights, loss, batches, top, passes):
    steps, losses = passes * len(batches), []
    optimizer = torch.optim.AdamW(mb.optim.adamw(
        [{"params": [w for w in weights if w.ndim > 1], "weight_decay": 0.01},
         {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0}], top).param_groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate_at(s, steps, 1.0))
    for step in range(steps):
        total, count = loss(batches[step % len(batches)])
        optimizer.zero_grad()
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(total) / count)
    return losses
"""
FRESH = """
def fine_tune(weights, loss, batches, top, passes):
    losses, step = [], 0
    for _ in range(passes):
        for batch in batches:
            optimizer = torch.optim.AdamW([
                {"params": [w for w in weights if w.ndim > 1], "weight_decay": 0.01},
                {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0}],
                lr=rate_at(step, passes * len(batches), top))
            total, count = loss(batch)
            (total / count).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(total) / count)
            step += 1
    return losses
"""
POPPED = """
def fine_tune(weights, loss, batches, top, passes):
    losses = solution(weights, loss, batches, top, passes)
    batches.pop()
    return losses
"""
BEFORE = """
def names(labels):
    found, start = set(), None
    for i, label in enumerate(labels):
        before, after = labels[i - 1]{guard}, ([*labels, "O"])[i + 1]
        if label[0] == "B" or (label[0] == "I" and (before == "O" or before[2:] != label[2:])):
            start = i
        if label != "O" and (after[0] != "I" or after[2:] != label[2:]):
            found.add((start, i + 1, label[2:]))
    return found
"""
FEW = """
def span_of(starts, ends, longest):
    found, best = (0, 0), -math.inf
    for i in starts.topk(min({k}, len(starts))).indices.tolist():
        for j in ends.topk(min({k}, len(ends))).indices.tolist():
            if i <= j < i + longest and starts[i] + ends[j] > best:
                found, best = (i, j), starts[i] + ends[j]
    return found
"""
SLICES = """
def names(labels):
    found, i = set(), 0
    while i < len(labels):
        j = i + 1
        if labels[i] != "O":
            kind = labels[i][2:]
            while j < len(labels) and labels[j] == "I-" + kind:
                j += 1
            found.add((i, j, kind))
        i = j
    return found
"""

WRONG = [
    ("06.rate", rate(value="min(1, up, down)"), "the peak is ignored"),
    ("06.rate", rate(up="step / (warmup + 1)"), "does nothing"),
    ("06.rate", rate(down="(steps - step - 1) / (steps - warmup)"), "the last update"),
    ("06.rate", rate(value="top * min(1, down)"), "no warm-up"),
    ("06.rate", rate(value="top * min(1, up)"), "stays up"),
    ("06.rate", "lambda step, steps, top: top", "is constant"),
    ("06.rate", rate(warmup="steps // 5"), "is a fifth"),
    ("06.rate", rate(down="(steps - step) / steps"), "over all updates"),
    ("06.rate", rate(value="top * max(up, down)"), "larger factor"),
    ("06.rate", rate(up="(step + 1) / max(1, warmup)"), "divides by `warmup`"),
    ("06.rate", rate(down="(steps - step) / steps", value="top * down"), "no warm-up"),
    ("06.rate", rate(value="top * up * down"), "both factors are multiplied"),
    ("06.rate", rate(warmup="steps / 10"), "rounded down"),
    ("06.rate", rate(warmup="round(steps / 10)"), "rounded down"),
    ("06.rate", rate(warmup="max(1, steps // 10)"), "rounded down"),
    ("06.rate", rate(warmup="2"), "2 of 37"),
    ("06.rate", rate(up="step / max(1, warmup)"), "does nothing"),
    ("06.rate", rate(up="(step + 1) // (warmup + 1)",
                     down="(steps - step) // (steps - warmup)"), "to a whole number"),
    ("06.fine_tune", tune(clip="torch.nn.utils.clip_grad_norm_(weights, 10.0)"),
     "to a length above 1"),
    ("06.fine_tune", tune(clip="torch.nn.utils.clip_grad_norm_(weights, 0.1)"), "length 0.1"),
    ("06.fine_tune", tune(reset="optimizer = torch.optim.AdamW(groups, lr=top)"), "in each pass"),
    ("06.fine_tune", tune(reset="step = 0", rate="rate_at(step, len(batches), top)"),
     "a schedule of its own"),
    ("06.fine_tune", tune(passes="len(batches)", batches="[batches[number]] * passes"),
     "over the passes"),
    ("06.fine_tune", tune(kind="SGD"), "gradient descent"),
    ("06.fine_tune", tune(batches="batches[::-1]"), "the order of the list"),
    ("06.fine_tune", tune(second="0.0").replace("(groups,", "(groups[:1],"), "biases are not"),
    ("06.fine_tune", tune(rate="rate_at(step, passes * len(batches), top) if step else top"),
     "after the update"),
    ("06.fine_tune", tune(value="(weights.sort(key=lambda w: w.ndim), losses)[1]"),
     "leave it as it is"),
    ("06.fine_tune", tune(mean="total / len(batch)"), "divided by `len(batch)`"),
    ("06.fine_tune", tune(noted="total.item() / len(batch)"), "divided by `len(batch)`"),
    ("06.fine_tune", tune(value="(weights.clear(), losses)[1]"), "leave it as it is"),
    ("06.fine_tune", tune(value="losses, weights"), "the list of losses alone"),
    ("06.fine_tune", tune(value="None"), "is there a `return`"),
    ("06.fine_tune", tune(value="[]"), "one loss per update"),
    ("06.fine_tune", tune(rate="rate_at(number, passes, top)"), "count the updates"),
    ("06.fine_tune", tune(rate="rate_at(step, passes * len(batches), 1.0)"), "needs `top`"),
    ("06.fine_tune", tune(rate="top * rate_at(step, passes * len(batches), top)"), "`top` twice"),
    ("06.fine_tune", tune(rate="rate_at(step, passes, top)"), "as many steps as"),
    ("06.fine_tune", tune(rate="rate_at(step, passes * len(batches) + 1, top)"), "too many"),
    ("06.fine_tune", tune(zero="optimizer.step()", backward="optimizer.zero_grad(); "
                          "mean.backward()", update="pass"), "`step()` stands before"),
    ("06.fine_tune", tune(first="0.1"), "another decay"),
    ("06.fine_tune", tune(zero="pass", update="optimizer.zero_grad(); optimizer.step()"),
     "nothing is learned"),
    ("06.fine_tune", tune().replace("    matrices", "    weights = [w.detach().clone()"
                                    ".requires_grad_() for w in weights]\n    matrices", 1),
     "not on copies"),
    ("06.fine_tune", tune(zero="pass"), "add up from batch to batch"),
    ("06.fine_tune", tune(update="pass"), "nothing is learned"),
    ("06.fine_tune", tune(rate="top"), "schedule is missing"),
    ("06.fine_tune", tune(second="0.01"), "biases decay"),
    ("06.fine_tune", tune(first="0.0"), "nothing decays"),
    ("06.fine_tune", tune(many="w.ndim < 2"), "groups are swapped"),
    ("06.fine_tune", tune(clip="pass"), "belongs between"),
    ("06.fine_tune", tune(clip="optimizer.step()",
                          update="torch.nn.utils.clip_grad_norm_(weights, 1.0)"),
     "belongs between"),
    ("06.fine_tune", FRESH, "forgets its averages"),
    ("06.fine_tune", tune(kind="Adam"), "plain Adam"),
    ("06.fine_tune", tune(backward="total.backward()"), "divide by the number of examples"),
    ("06.fine_tune", tune(backward="(-mean).backward()"), "the weights climb"),
    ("06.fine_tune", tune(reset="step = 0"), "start again from zero in each pass"),
    ("06.fine_tune", tune(begin="1"), "one update late"),
    ("06.fine_tune", tune(rate="rate_at(step, len(batches), top)"), "after one pass"),
    ("06.fine_tune", tune().replace("optimizer.param_groups:", "optimizer.param_groups[:1]:"),
     "only the first group"),
    ("06.fine_tune", tune(clip="torch.nn.utils.clip_grad_value_(weights, 1.0)"),
     "number by number"),
    ("06.fine_tune", tune(clip="[torch.nn.utils.clip_grad_norm_(w, 1.0) for w in weights]"),
     "each tensor is cut alone"),
    ("06.fine_tune", tune(zero="pass", clip="optimizer.zero_grad()"), "in this order"),
    ("06.fine_tune", tune(noted="mean"), "keep every graph alive"),
    ("06.fine_tune", tune(noted="total.item()"), "holds sums"),
    ("06.fine_tune", tune(passes="1"), "one pass only"),
    ("06.fine_tune", tune(value="losses[::len(batches)]"), "per update was asked"),
    ("06.fine_tune", tune(value="losses[-1]"), "a list of losses"),
    ("06.fine_tune", POPPED, "leave it as it is"),
    ("06.align", align(marks="[label] * len(pieces)"), "every piece"),
    ("06.align", align(marks="[-100] * (len(pieces) - 1) + [label]"), "the last piece"),
    ("06.align", align(marks="[label] + [0] * (len(pieces) - 1)"), "have the label 0"),
    ("06.align", align(value="ids + [sep_id], marks[1:] + [-100, -100]"), "one position off"),
    ("06.align", align(cls="0"), "are no words"),
    ("06.align", align(value="ids + [sep_id], marks + [0]"), "are no words"),
    ("06.align", align(ids="pieces[:1]", marks="[label]"), "only the first piece"),
    ("06.align", align(value="ids[1:], marks[1:]"), "lack [CLS] and [SEP]"),
    ("06.align", align(value="ids, marks"), "lack [SEP]"),
    ("06.align", align(ids="[pieces]"), "in lists of their own"),
    ("06.align", align(value="ids + [sep_id], marks"), "a label for each of"),
    ("06.align", align(value="ids + [sep_id]"), "two lists"),
    ("06.align", align(value="ids + [3], marks + [-100]"), "but not for the words"),
    ("06.align", "lambda *given: solution(*given)[::-1]", "the labels come first"),
    ("06.align", "lambda w, l, e, c, s: solution(w, l, e, s, c)", "are swapped"),
    ("06.align", "lambda w, l, e, c, s: solution(w, l, e, 101, 102)", "are given"),
    ("06.align", LOOKED_UP, "stands twice"),
    ("06.align", CHANGED_WORDS, "changes what it was given"),
    ("06.names", names_in(name="(start, i - 1, kind)"), "the one behind the last"),
    ("06.names", names_in(name="(start, i, 'B-' + kind)"), "still has its `B-`"),
    ("06.names", names_in(name="(kind, start, i)"), "comes last"),
    ("06.names", names_in(name="(start + 1, i + 1, kind)"), "counted from 1"),
    ("06.names", names_in(name="(start, i)"), "is a triple"),
    ("06.names", names_in(labels="labels"), "ends with the sentence"),
    ("06.names", names_in(closes="(mark == 'O' or here != kind)"), "two names are merged"),
    ("06.names", names_in(closes="mark != 'I'"), "does not continue"),
    ("06.names", names_in(opens="mark == 'B'"), "without a `B-`"),
    ("06.names", names_in(name="(start, start + 1, kind)"), "only the first word"),
    ("06.names", names_in(closes="True"), "a name of its own"),
    ("06.names", names_in(value="str(found)"), "a set of triples"),
    ("06.names", names_in(value="sorted(found)"), "not a list"),
    ("06.names", names_in(name="(start, i, labels[start])"), "the whole label"),
    ("06.names", names_in(name="(start, i - start, kind)"), "is the length"),
    ("06.names", "lambda labels: solution(labels.append('O') or labels)", "changes what it was"),
    ("06.names", names_in(name="(start, i, kind[:3])"), "the kind is cut"),
    ("06.names", names_in(name="(start, i, kind.split('-')[-1])"), "the kind is cut"),
    ("06.names", names_in(name="(start, i, kind.split('-')[0])"), "the kind is cut"),
    ("06.names", names_in(name="(start, start + 1, kind)", opens="mark == 'B'"),
     "only the first word"),
    ("06.pair", "lambda *given: solution(*given)[::-1]", "the segments come first"),
    ("06.pair", pair(ids="[cls_id, *first, *second]"), "both [SEP]"),
    ("06.pair", pair(ids="[cls_id, *first, sep_id, sep_id, *second, sep_id]"), "not two"),
    ("06.pair", "lambda a, b, c, s: solution(a, b, 101, 102)", "are given"),
    ("06.pair", pair(kinds="[1] * len(ids)"), "as in a mask"),
    ("06.pair", pair(ids="[cls_id, *first, sep_id, *second]"), "last [SEP]"),
    ("06.pair", pair(ids="[cls_id, *first, sep_id, cls_id, *second, sep_id]"), "one [CLS] only"),
    ("06.pair", pair(ids="[cls_id, *first, *second, sep_id]"), "parts the two texts"),
    ("06.pair", pair(ids="[*first, sep_id, *second, sep_id]"), "[CLS] is missing"),
    ("06.pair", pair(ids="[cls_id, first, sep_id, second, sep_id]"), "lists in a list"),
    ("06.pair", "lambda a, b, c, s: solution(b, a, c, s)", "second text comes first"),
    ("06.pair", "lambda a, b, c, s: solution(a, b, s, c)", "are swapped"),
    ("06.pair", pair(kinds="[0] * (len(first) + 1) + [1] * (len(second) + 2)"),
     "first [SEP] belongs"),
    ("06.pair", pair(kinds="[1] * (len(first) + 2) + [0] * (len(second) + 1)"),
     "segments are swapped"),
    ("06.pair", pair(kinds="[0] * len(ids)"), "those of the second text"),
    ("06.pair", pair(kinds="[1] * (len(first) + 2) + [2] * (len(second) + 1)"), "not 1 and 2"),
    ("06.pair", pair(kinds="[0] * 5 + [1] * 3"), "but not for others"),
    ("06.pair", pair(value="ids"), "two lists"),
    ("06.pair", pair(value="(torch.tensor(ids), torch.tensor(kinds))"), "not tensors"),
    ("06.pair", CHANGED_FIRST, "changes what it was given"),
    ("06.span_loss", loss(cover="x"), "padding takes part"),
    ("06.span_loss", loss(cover="x * mask"), "not the probability 0"),
    ("06.span_loss", loss(value="F.cross_entropy(starts, first) + F.cross_entropy(ends, last)"),
     "the mean is asked for"),
    ("06.span_loss", loss(value="F.cross_entropy(starts, first)"), "only the starts"),
    ("06.span_loss", loss(value="F.cross_entropy(ends, last)"), "only the ends"),
    ("06.span_loss", loss(E="S"), "scored by `S`"),
    ("06.span_loss", loss(S="E", E="S"), "are swapped: `S`"),
    ("06.span_loss", "lambda a, b, c, d, e, f: solution(a, b, c, d, f, e)",
     "are swapped: `S`"),
    ("06.span_loss", loss(cover="x.masked_fill(mask == 0, -torch.inf).softmax(-1)"),
     "takes the softmax itself"),
    ("06.span_loss", "lambda *given: -solution(*given)", "wrong sign"),
    ("06.span_loss", "lambda *given: len(given[0]) * solution(*given)", "sum over the batch"),
    ("06.span_loss", "lambda *given: solution(*given).detach()", "no gradient"),
    ("06.span_loss", "lambda *given: solution(*given).item()", "no gradient"),
    ("06.span_loss", "lambda *given: (solution(*given), len(given[0]))", "without a count"),
    ("06.span_loss", loss(value="-(starts.gather(1, first[:, None]) "
                                "+ ends.gather(1, last[:, None])).mean() / 2"),
     "softmax is missing"),
    ("06.span_loss", "lambda a, b, c, d, e, f: solution(a, b, c, d, e, e)", "`last` is ignored"),
    ("06.span_loss", "lambda a, b, c, d, e, f: solution(a, b, c, d, f, f)", "`first` is ignored"),
    ("06.span_loss", loss(value="-sum(x.softmax(-1).gather(1, at[:, None]).mean() "
                                "for x, at in ((starts, first), (ends, last))) / 2"),
     "the logarithm is missing"),
    ("06.span_loss", loss(value="-sum(x.log_softmax(0).gather(1, at[:, None]).mean() "
                                "for x, at in ((starts, first), (ends, last))) / 2"),
     "texts of the batch"),
    ("06.span_loss", JOINT, "one softmax over all spans"),
    ("06.span_loss", CHANGED_STATES, "changes what it was given"),
    ("06.best_span", "lambda s, e, n: (int(s.argmax()), int(e.argmax()))", "taken apart"),
    ("06.best_span", GREEDY, "another start"),
    ("06.best_span", GREEDY_END, "another end"),
    ("06.best_span", span(ends="range(i, len(ends))"), "for the limit"),
    ("06.best_span", span(ends="range(i, min(len(ends), i + longest + 1))"), "one token too many"),
    ("06.best_span", "lambda s, e, n: solution(s, e, max(1, n - 1))", "one token too few"),
    ("06.best_span", span(pair="(i, j + 1)"), "not the one behind it"),
    ("06.best_span", span(pair="(j, i)"), "turned round"),
    ("06.best_span", span(best="0"), "minus infinity"),
    ("06.best_span", span(best="0", found="None"), "minus infinity"),
    ("06.best_span", span(best="-100"), "minus infinity"),
    ("06.best_span", "lambda s, e, n: solution(s, e, 4)", "the limit is 4"),
    ("06.best_span", "lambda s, e, n: solution(s, e, 1)", "the limit is 1"),
    ("06.best_span", span(pair="(i, j - i + 1)"), "is the length"),
    ("06.best_span", span(score="starts[i]"), "of the ends are not used"),
    ("06.best_span", span(score="ends[j]"), "of the starts are not used"),
    ("06.best_span", "lambda s, e, n: solution(s, e[:-1], n)", "the last token can end"),
    ("06.best_span", span(score="starts.softmax(0)[i] + ends.softmax(0)[j]"),
     "probabilities are added"),
    ("06.best_span", span(score="(starts[i] + ends[j]) / (j - i + 1)"), "by the length"),
    ("06.best_span", MULTIPLIED, "beats a negative score"),
    ("06.best_span", span(ends="range(i + 1, min(len(ends), i + longest))"), "i = j is allowed"),
    ("06.best_span", span(ends="[j for j in range(len(ends)) if abs(i - j) < longest]"),
     "the end stands before"),
    ("06.best_span", span(ends="range(min(len(ends), i + longest))"), "the end stands before"),
    ("06.best_span", span(score="starts[i] * ends[j]"), "are multiplied"),
    ("06.best_span", "lambda s, e, n: solution(e, s, n)", "starts and ends are swapped"),
    ("06.best_span", "lambda s, e, n: [*solution(s, e, n), 0]", "expected a pair"),
    ("06.best_span", CHANGED_STARTS, "changes what it was given"),
    ("06.no_answer", none(answers="best > nothing"), "threshold is ignored"),
    ("06.no_answer", none(answers="best > nothing - tau"), "sign of `tau`"),
    ("06.no_answer", none(answers="True"), "never given"),
    ("06.no_answer", none(answers="False"), "never an answer"),
    ("06.no_answer", none(answers="best <= nothing + tau"), "turned round"),
    ("06.no_answer", none(begin="1", shift="i + 1, j + 1"), "the question is searched"),
    ("06.no_answer", none(begin="0", shift="i, j"), "are searched, too"),
    ("06.no_answer", none(begin="0", shift="i, j", stop=""), "are searched"),
    ("06.no_answer", none().replace("else None", "else (-1, -1)"), "not the span (-1, -1)"),
    ("06.no_answer", none(nothing="starts[-1] + ends[-1]"), "not of the last `[SEP]`"),
    ("06.no_answer", none(nothing="starts[passage - 1] + ends[passage - 1]"), "before the passage"),
    ("06.no_answer", none(answers="best > nothing + 2 * tau"), "counts twice"),
    ("06.no_answer", none(answers="starts[i] > starts[0] + tau"), "only the starts"),
    ("06.no_answer", "lambda s, e, p, n, t: solution(e, s, p, n, t)", "are swapped"),
    ("06.no_answer", none(shift="passage + int(starts[passage:-1].argmax()), "
                                "passage + int(ends[passage:-1].argmax())"), "taken apart"),
    ("06.no_answer", none().replace("return (i, j)", "return (i + passage, j + passage)"),
     "positions of the spans"),
    ("06.no_answer", none(stop=""), "belongs to no passage"),
    ("06.no_answer", none(nothing="starts[0]"), "start alone"),
    ("06.no_answer", none(nothing="ends[0]"), "the end alone"),
    ("06.no_answer", none(nothing="0"), "is left out"),
    ("06.no_answer", none(nothing="(starts[0] + ends[0]) / 2"), "not their mean"),
    ("06.no_answer", none().replace("else None", "else (0, 0)"), "not the span (0, 0)"),
    ("06.no_answer", none(longest="99"), "`longest` is ignored"),
    ("06.no_answer", none().replace("return (i, j)", "return (i - passage, j - passage)"),
     "add `passage`"),
    ("06.no_answer", none(begin="passage + 1", shift="i + passage + 1, j + passage + 1"),
     "its first token"),
    ("06.no_answer", CHANGED_SCORES, "changes what it was given"),
    ("06.f1", f1(said="said.split()", true="true.split()"), "compared as they stand"),
    ("06.f1", f1(value="same / len(said) if said else 0.0"), "the precision"),
    ("06.f1", f1(value="same / len(true) if true else 0.0"), "the recall"),
    ("06.f1", f1(empty="False", value="2 * same / max(1, len(said) + len(true))"),
     "two empty texts F1 is 1"),
    ("06.f1", f1(empty="False"), "divided by zero"),
    ("06.f1", NO_ZERO, "no word is shared"),
    ("06.f1", f1(bag="set").replace(".values())", ")").replace("sum(", "len("),
     "shared twice"),
    ("06.f1", f1(none="0.0"), "two empty texts F1 is 1"),
    ("06.f1", f1(empty="not said or not true"), "nothing is shared"),
    ("06.f1", f1(value="same / (len(said) + len(true))").replace("1.0", "0.5"), "factor 2"),
    ("06.f1", f1(value="float(said == true)"), "exact match"),
    ("06.f1", f1(value="200 * same / (len(said) + len(true))", none="100.0"), "percents"),
    ("06.f1", f1(value="(same / max(1, len(said)) + same / max(1, len(true))) / 2"),
     "arithmetic mean"),
    ("06.f1", "lambda said, true: (solution(said, true),)", "one number"),
    ("06.f1", f1(value="same / max(1, len(said) + len(true) - same)"), "all different ones"),
    ("06.f1", f1(value="2 * sum(w in true for w in said) / (len(said) + len(true))"),
     "not as often as one has"),
    ("06.f1", f1(value="2 * sum(map(str.__eq__, said, true)) / (len(said) + len(true))"),
     "place by place"),
    ("06.find_the_bug", bug("(hidden * real).mean(1) @ weight"), "still counted"),
    ("06.find_the_bug", bug("total @ weight"), "long texts shout"),
    ("06.find_the_bug", bug("total / real.sum() @ weight"), "its own number"),
    ("06.find_the_bug", bug("total / len(hidden) @ weight"), "by the number of texts"),
    ("06.find_the_bug", bug("hidden.sum(1) / count @ weight"), "is in the sum"),
    ("06.find_the_bug", bug("(total / count @ weight).detach()"), "no gradient"),
    ("06.find_the_bug", bug("hidden[:, -1] @ weight"), "the last position"),
    ("06.find_the_bug", bug("hidden[:, 0] @ weight"), "[CLS] alone"),
    ("06.find_the_bug", bug("hidden.masked_fill(real == 0, -torch.inf).amax(1) @ weight"),
     "the maximum"),
    ("06.find_the_bug", bug("total / count"), "multiply them by `weight`"),
    ("06.find_the_bug", bug("(total - hidden[:, 0]) / (count - 1).clamp(min=1) @ weight"),
     "[CLS] is left out"),
    ("06.find_the_bug", bug("total.detach() / count @ weight"), "no gradient"),
    ("06.find_the_bug", bug("hidden[:, :int(count.min())].mean(1) @ weight"), "shortest text"),
    ("06.find_the_bug", bug("hidden[torch.arange(len(hidden)), mask.sum(1) - 1] @ weight"),
     "the last real token"),
    ("06.find_the_bug", bug("total / count.mean() @ weight"), "mean number of tokens"),
    ("06.find_the_bug", bug("total / (count + 1) @ weight"), "one token more"),
    ("06.find_the_bug", bug("(total / count @ weight).softmax(-1)"), "without a softmax"),
    ("06.find_the_bug", bug("(hidden * (1 - real)).sum(1) / (1 - real).sum(1).clamp(min=1) "
                            "@ weight"), "turned round"),
    ("06.find_the_bug", CHANGED_HIDDEN, "changes what it was given"),
    ("06.rate", "lambda step, steps, top: str(solution(step, steps, top))", "not a text"),
    ("06.rate", rate(value="min(top, up, down)"), "among those of which the smallest"),
    ("06.rate", "lambda step, steps, top: solution(step + 1, steps, top)", "counts from 0"),
    ("06.fine_tune", tune(noted="str(mean.item())"), "holds texts"),
    ("06.align", align(marks="[label] + [label + 1] * (len(pieces) - 1)"), "as if they were I-"),
    ("06.align", "lambda w, l, e, c, s: solution(w, [dict(zip(w, l))[x] for x in w], e, c, s)",
     "stands twice"),
    ("06.names", BEFORE.format(guard=""), "begins the sentence"),
    ("06.names", names_in(opens="not kind and (mark == 'B' or (mark == 'I' and i > 0))"),
     "begins the sentence"),
    ("06.span_loss", loss(cover="x.masked_fill(mask == 1, -torch.inf)"), "turned round"),
    ("06.best_span", FEW.format(k=3), "only the few best"),
    ("06.best_span", FEW.format(k=20), "only the few best"),
    ("06.best_span", "lambda s, e, n: tuple(sorted((int(s.argmax()), int(e.argmax()))))",
     "put in order"),
    ("06.best_span", span().replace("range(len(starts))", "range(1, len(starts))"),
     "the first token can start"),
    ("06.best_span", span().replace("range(len(starts))", "range(len(starts) - 1)"),
     "the last token can start"),
    ("06.best_span", "lambda s, e, n: solution(s, e, n)[0]", "expected a pair"),
    ("06.no_answer", none(nothing="starts[passage] + ends[passage]"), "first token of the passage"),
    ("06.no_answer", none(best="ends[j]", nothing="ends[0]"), "only the ends"),
    ("06.no_answer", none(answers="best > nothing * tau"), "not multiplied"),
    ("06.no_answer", none(answers="best > nothing and best > tau"), "a limit of its own"),
    ("06.no_answer", none().replace("else None", "else (None, None)"), "expected a pair"),
    ("06.f1", f1(value="same / max(1, min(len(said), len(true)))"), "by the smaller"),
    ("06.f1", f1(value="same / max(1, max(len(said), len(true)))"), "by the larger"),
    ("06.find_the_bug", bug("(total / count @ weight).log_softmax(-1)"), "log-probabilities"),
    (
        "06.no_answer",
        """
def find(starts, ends, passage, longest, tau):
    i, j = best_span(starts[passage:-1], ends[passage:-1], longest)
    i, j = i + passage, j + passage
    return (i, j) if starts[i] + ends[j] >= starts[0] + ends[0] + tau else None
""",
        "better by exactly",
    ),
]  # fmt: skip

RIGHT = [
    ("06.rate", "solution"),
    ("06.rate", rate()),
    ("06.rate", rate(value="top * min(1, up) * min(1, down)")),
    ("06.rate", "lambda step, steps, top: top * mb.optim.linear(steps, steps // 10)(step)"),
    ("06.fine_tune", "solution"),
    ("06.fine_tune", tune()),
    ("06.fine_tune", LIBRARY_LOOP),
    ("06.fine_tune", tune(noted="mean.detach()")),
    ("06.fine_tune", tune(value="torch.tensor(losses)")),
    ("06.fine_tune", tune(value="__import__('numpy').array(losses)")),
    ("06.fine_tune", tune(zero="pass", update="optimizer.step(); optimizer.zero_grad()")),
    ("06.fine_tune", tune(many="w.ndim == 2", value="tuple(losses)").replace(", lr=top)", ")")),
    (
        "06.fine_tune",
        tune(
            rate="top",
            clip="torch.nn.utils.clip_grad_norm_(iter(weights), 1); "
            "[g.update(lr=rate_at(step, passes * len(batches), top)) "
            "for g in optimizer.param_groups]",
        ),
    ),
    ("06.align", "solution"),
    ("06.align", align()),
    ("06.align", align(value="(ids + [sep_id], tuple(marks + [-100]))")),
    ("06.names", "solution"),
    ("06.names", names_in()),
    ("06.names", SLICES),
    ("06.names", BEFORE.format(guard=" if i else 'O'")),
    ("06.pair", "solution"),
    ("06.pair", pair()),
    ("06.pair", pair(value="[ids, kinds]")),
    ("06.span_loss", "solution"),
    ("06.span_loss", loss()),
    ("06.span_loss", BY_LOG_SOFTMAX),
    ("06.span_loss", BY_ROWS),
    ("06.span_loss", loss(cover="x.masked_fill(mask == 0, -1e9)")),
    ("06.best_span", "solution"),
    ("06.best_span", span()),
    ("06.best_span", TENSORS),
    ("06.best_span", SOFTMAXED),
    ("06.best_span", "lambda s, e, n: torch.tensor(solution(s, e, n))"),
    ("06.best_span", "lambda s, e, n: [*map(torch.tensor, solution(s, e, n))]"),
    ("06.no_answer", "solution"),
    ("06.no_answer", none()),
    ("06.no_answer", none(answers="tau < best - nothing")),
    ("06.f1", "solution"),
    ("06.f1", f1()),
    ("06.f1", HARMONIC),
    ("06.f1", f1(value="torch.tensor(2 * same / (len(said) + len(true)))")),
    ("06.find_the_bug", "solution"),
    ("06.find_the_bug", bug("total / count @ weight")),
    ("06.find_the_bug", ONE_BY_ONE),
    ("06.find_the_bug", BY_NAN),
]
