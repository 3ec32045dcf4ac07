"""Chapter 11: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

import re

import numpy as np

GIVEN = {"re": re, "np": np}

CHANCES = """
def chances(sizes, first, last, epoch, epochs):
    alpha = {alpha}
    weights = {weights}
    return {value}
"""


def chances(**changed):
    """A function `chances` in which these parts are others."""
    usual = {"alpha": "first + (last - first) * epoch / max(1, epochs - 1)"}
    usual |= {"weights": "sizes.float() ** alpha", "value": "weights / weights.sum()"}
    return CHANCES.format(**usual | changed)


SUSPECTS = """
def suspects(texts, right, least):
    seen, wrong = Counter(), Counter()
    for words, hit in zip(texts, right):
        for word in {words}:
            seen[word] += 1
            wrong[word] += {wrong}
    whole = {whole}
    found = [(word, {excess}) for word, n in seen.items() if {enough}]
    return {value}
"""


def suspects(**changed):
    """A function `suspects` in which these parts are others."""
    usual = {"words": "set(words)", "wrong": "not hit", "enough": "n >= least"}
    usual |= {"whole": "sum(not hit for hit in right) / len(right)"}
    usual |= {"excess": "wrong[word] / n - whole"}
    usual |= {"value": "sorted(found, key=lambda one: (-one[1], one[0]))"}
    return SUSPECTS.format(**usual | changed)


CONSISTENT = """
def consistent(predict, weights, labelled, unlabelled, change, rate, weight, confidence):
    optimizer, losses = torch.optim.{kind}(weights, lr={lr}), []
    for (batch, labels), free in zip(labelled, unlabelled):
        {anew}
        own = {own}
        p = predict({plain}).softmax(-1){detach}
        sure = {sure}
        log_q = predict({changed}).log_softmax(-1)
        gaps = {gaps}
        extra = {extra}
        {zero}
        ({loss}).backward()
        optimizer.step()
        losses.append({note})
    return {value}
"""


def consistent(**changed):
    """A function `consistent` in which these parts are others."""
    usual = {"kind": "AdamW", "lr": "rate", "anew": "pass", "plain": "free", "detach": ".detach()"}
    usual |= {"own": "F.cross_entropy(predict(batch), labels)", "changed": "change(free)"}
    usual |= {"sure": "p.amax(-1) > confidence", "gaps": "(p * (p.log() - log_q)).sum(-1)"}
    usual |= {"extra": "(gaps * sure).mean()", "zero": "optimizer.zero_grad()"}
    usual |= {"loss": "own + weight * extra", "note": "(own.item(), extra.item())"}
    return CONSISTENT.format(**usual | {"value": "losses"} | changed)


DISTIL = """
def distil(student, weights, teachers, batches, rate, temperature, gold):
    optimizer, losses = torch.optim.{kind}(weights, lr=rate), []
    for batch, labels in {batches}:
        {anew}
        with {quiet}:
            shares = [{share} for teacher in {teachers}]
            p = {p}
        logits = student(batch)
        log_q = ({cool}).log_softmax(-1)
        soft = {factor} * {soft}
        loss = {none}
        if labels is not None:
            loss = {both}
        {zero}
        loss.backward()
        optimizer.step()
        losses.append({note})
    return {value}
"""


def distil(**changed):
    """A function `distil` in which these parts are others."""
    usual = {"kind": "AdamW", "batches": "batches", "anew": "pass", "quiet": "torch.no_grad()"}
    usual |= {"share": "(teacher(batch) / temperature).softmax(-1)", "teachers": "teachers"}
    usual |= {"p": "torch.stack(shares).mean(0)", "cool": "logits / temperature", "none": "soft"}
    usual |= {"factor": "temperature**2", "soft": "(p * (p.log() - log_q)).sum(-1).mean()"}
    usual |= {"both": "gold * F.cross_entropy(logits, labels) + (1 - gold) * soft"}
    usual |= {"zero": "optimizer.zero_grad()", "note": "loss.item()", "value": "losses"}
    return DISTIL.format(**usual | changed)


SHARES = """
def vote_shares(votes, classes):
    shares = torch.zeros(len(votes), classes)
    for row, said in enumerate(votes.tolist()):
        for vote in said:
            {count}
    {silent}
    return {value}
"""


def shares(**changed):
    """A function `vote_shares` in which these parts are others."""
    usual = {"count": "shares[row, vote] += vote >= 0", "silent": "shares[shares.sum(1) == 0] = 1"}
    return SHARES.format(**usual | {"value": "shares / shares.sum(1, keepdim=True)"} | changed)


AT_ONCE = """
def vote_shares(votes, classes):
    counts = (votes[:, :, None] == torch.arange(classes)).sum(1).float()
    counts = torch.where(counts.sum(1, keepdim=True) > 0, counts, torch.ones(()))
    return counts / counts.sum(1, keepdim=True)
"""

RULES = """
def rules(text):
    lower = text.lower()
    {words}
    turned = {turned}
    good, bad = ("bad", "good") if turned else ("good", "bad")
    return {value}
"""
LISTS = """
    a = set("excellent wonderful perfect lovely splendid superb delightful good kind".split())
    b = set("terrible awful dreadful horrible hopeless miserable bad ugly dirty rude dull".split())
    c = set("polite cheerful helpful clean fresh tasty warm clear fair reasonable strong".split())
    d = set("unfriendly slow silly weak cold dark noisy gloomy tasteless clumsy heavy".split())
    e = set("beautiful funny honest modest quick moving clever elegant sumptuous handy".split())
    f = set("shabby thin salty high careless unfair steep outrageous impolite flimsy".split())
    s = set(re.findall(r"[a-z'-]+", {text}))
    one = {one}
    two = bad if s & (b | d | f) else None
    praised = any(x in {text} for x in ("to be fair", "at least", "must admit"))
    blamed = any(x in {text} for x in ("a little", "complaint", "exactly"))
    three = "good" if praised else "bad" if blamed else None
    four = bad if re.search(r"\\b(unf|unre|unc[oh]|imp[ol]|dis)|[a-z]less\\b", {text}) else None
    five = good if re.search(r"as anyone could wish|[a-z]{{3}}ful", {text}) else None
"""
SPLIT = (
    'turned = bool(re.search(r"\\b(not|nobody|never|neither|nor|hardly|far from)\\b|n\'t", lower))'
)


def rules(**changed):
    """A function `rules` in which these parts are others."""
    usual = {"turned": SPLIT.removeprefix("turned = "), "value": "[one, two, three, four, five]"}
    lists = {"text": "lower", "one": "good if s & (a | c | e) else None"}
    for name in [*lists]:
        lists[name] = changed.pop(name, lists[name])
    order = LISTS.format(**lists).strip()
    found = RULES.format(**usual | {"words": "pass"} | changed)
    return found.replace("    return ", f"    {order}\n    return ")


DENIED = SPLIT.removeprefix("turned = ")
SUM_OVER = "(p * (p.log() - log_q))"
NO_GRAD = """
def consistent(predict, weights, labelled, unlabelled, change, rate, weight, confidence):
    optimizer, losses = torch.optim.AdamW(weights, lr=rate), []
    for pair, free in zip(labelled, unlabelled):
        with torch.no_grad():
            target = torch.softmax(predict(free), -1)
        kl = F.kl_div(predict(change(free)).log_softmax(-1), target, reduction="none").sum(-1)
        extra = kl[target.max(-1).values > confidence].sum() / len(target)
        own = F.cross_entropy(predict(pair[0]), pair[1])
        loss = own + weight * extra
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append([float(own), float(extra)])
    return losses
"""
KL_DIV = 'F.kl_div(log_q, p, reduction="batchmean")'

WRONG = [
    # (exercise, answer, words that the message must contain)
    ("11.chances", chances(value="weights"), "divide by their sum"),
    ("11.chances", chances(weights="sizes.float()"), "whatever alpha is"),
    ("11.chances", chances(alpha="first"), "alpha stays `first`"),
    ("11.chances", chances(alpha="last"), "it begins at `first`"),
    (
        "11.chances",
        chances(alpha="last + (first - last) * epoch / max(1, epochs - 1)"),
        "other way",
    ),
    ("11.chances", chances(alpha="first + (last - first) * epoch / epochs"), "never reaches"),
    (
        "11.chances",
        chances(alpha="first + (last - first) * (epoch + 1) / epochs"),
        "one epoch ahead",
    ),
    (
        "11.chances",
        chances(alpha="last if epochs == 1 else first + (last - first) * epoch / (epochs - 1)"),
        "it begins at `first`",
    ),
    ("11.chances", chances(weights="sizes.float() ** -alpha"), "wrong sign"),
    ("11.chances", chances(weights="sizes * alpha"), "whatever alpha is"),
    (
        "11.chances",
        chances(weights="(sizes / sizes.sum()) ** alpha", value="weights"),
        "after the power",
    ),
    ("11.chances", chances(value="weights.softmax(0)"), "a softmax"),
    ("11.chances", chances(value="weights / weights.max()"), "divided by the largest"),
    ("11.chances", chances(alpha="first + (last - first) * epoch / (epochs - 1)"), "division"),
    ("11.chances", chances(value="(weights / weights.sum()).tolist()"), "one tensor"),
    ("11.chances", chances(value="(weights / weights.sum()).numpy()"), "numpy"),
    ("11.suspects", suspects(words="words"), "several times"),
    ("11.suspects", suspects(whole="0.0"), "is not taken away"),
    ("11.suspects", suspects(enough="n > least"), "just `least` texts"),
    ("11.suspects", suspects(enough="True"), "rare words"),
    ("11.suspects", suspects(value="sorted(found, key=lambda one: (one[1], one[0]))"), "smallest"),
    ("11.suspects", suspects(excess="wrong[word] / len(texts) - whole"), "number of all texts"),
    ("11.suspects", suspects(excess="wrong[word] - whole"), "not shares"),
    ("11.suspects", suspects(excess="abs(wrong[word] / n - whole)"), "lost its sign"),
    ("11.suspects", suspects(excess="wrong[word] / n / whole"), "take it away"),
    ("11.suspects", suspects(value="found"), "order"),
    ("11.suspects", suspects(value="dict(found)"), "a dictionary"),
    ("11.suspects", suspects(wrong="hit", whole="sum(right) / len(right)"), "share of *right*"),
    ("11.suspects", suspects(enough="n >= least and wrong[word]"), "without a mistake"),
    (
        "11.suspects",
        suspects(excess="wrong[word] / right.count(False) - whole"),
        "number of all mistakes",
    ),
    ("11.suspects", suspects(value="sorted(found, key=lambda one: -one[1])[:1]"), "other words"),
    ("11.consistency", consistent(detach=""), "through the target"),
    (
        "11.consistency",
        consistent(gaps="(log_q.exp() * (log_q - p.log())).sum(-1)"),
        "wrong way round",
    ),
    ("11.consistency", consistent(sure="1.0"), "no confidence mask"),
    ("11.consistency", consistent(sure="p.amax(-1) < confidence"), "mask is turned round"),
    (
        "11.consistency",
        consistent(extra="(gaps * sure).sum() / sure.sum().clamp(min=1)"),
        "sure texts alone",
    ),
    ("11.consistency", consistent(extra="(gaps * sure).sum()"), "sum over the texts"),
    ("11.consistency", consistent(gaps=SUM_OVER + ".mean(-1)"), "mean over texts and classes"),
    ("11.consistency", consistent(changed="free", anew="change(free)"), "the same text"),
    ("11.consistency", consistent(plain="(c := change(free))", changed="c"), "the same text"),
    ("11.consistency", consistent(plain="change(free)", changed="free"), "roles are swapped"),
    (
        "11.consistency",
        consistent(own="F.cross_entropy(predict(change(batch)), labels)"),
        "labelled texts are",
    ),
    ("11.consistency", consistent(loss="own + extra"), "`weight` is not used"),
    ("11.consistency", consistent(loss="own"), "teach nothing"),
    (
        "11.consistency",
        consistent(gaps="(p * (p.log() - log_q.detach())).sum(-1)"),
        "flows through q",
    ),
    ("11.consistency", consistent(loss="weight * own + extra"), "not to the labelled one"),
    ("11.consistency", consistent(gaps="-(p * log_q).sum(-1)"), "takes p log p"),
    (
        "11.consistency",
        consistent(gaps="(p - log_q.exp()).square().sum(-1)"),
        "squared differences",
    ),
    (
        "11.consistency",
        consistent(extra="(gaps * (log_q.exp().amax(-1) > confidence)).mean()"),
        "it is p that must",
    ),
    ("11.consistency", consistent(zero="pass"), "zero_grad"),
    (
        "11.consistency",
        consistent(anew="optimizer = torch.optim.AdamW(weights, lr=rate)"),
        "new optimiser",
    ),
    ("11.consistency", consistent(kind="SGD"), "plain gradient descent"),
    ("11.consistency", consistent(lr="1e-3"), "the rate is not yours"),
    ("11.consistency", consistent(note="own.item()"), "labelled losses alone"),
    ("11.consistency", consistent(note="(extra.item(), own.item())"), "turned round"),
    (
        "11.consistency",
        consistent(note="(own.item(), weight * extra.item())"),
        "multiplied by `weight`",
    ),
    ("11.consistency", consistent(note="(own, extra)"), "tensors"),
    ("11.consistency", consistent(note="(own + weight * extra).item()"), "sums"),
    (
        "11.consistency",
        consistent(own="F.cross_entropy(predict(batch), labels, reduction='sum')"),
        "sum over its texts",
    ),
    ("11.consistency", consistent(value="losses and None"), "is there a `return`"),
    ("11.consistency", consistent(loss="-(own + weight * extra)"), "upside down"),
    ("11.consistency", consistent(anew="change(free)"), "just once"),
    ("11.distil", distil(factor="1"), "factor T² is missing"),
    ("11.distil", distil(factor="temperature"), "not its square"),
    ("11.distil", distil(cool="logits"), "student's logits are not divided"),
    ("11.distil", distil(share="teacher(batch).softmax(-1)"), "teachers' logits are not divided"),
    ("11.distil", distil(cool="logits", share="teacher(batch).softmax(-1)"), "no temperature"),
    (
        "11.distil",
        distil(soft="(log_q.exp() * (log_q - p.log())).sum(-1).mean()"),
        "wrong way round",
    ),
    (
        "11.distil",
        distil(both="gold * F.cross_entropy(logits / temperature, labels) + (1 - gold) * soft"),
        "learned at temperature",
    ),
    (
        "11.distil",
        distil(both="(1 - gold) * F.cross_entropy(logits, labels) + gold * soft"),
        "swapped",
    ),
    ("11.distil", distil(both="F.cross_entropy(logits, labels) * gold + soft"), "added whole"),
    ("11.distil", distil(both="soft"), "gold labels are never used"),
    ("11.distil", distil(none="(1 - gold) * soft"), "counts whole"),
    ("11.distil", distil(teachers="teachers[:1]"), "first teacher"),
    ("11.distil", distil(teachers="teachers[-1:]"), "last teacher"),
    (
        "11.distil",
        distil(share="teacher(batch) / temperature", p="torch.stack(shares).mean(0).softmax(-1)"),
        "average their probabilities",
    ),
    ("11.distil", distil(p="sum(shares)"), "added up, not averaged"),
    (
        "11.distil",
        distil(
            p="F.one_hot(torch.stack(shares).mean(0).argmax(-1), 5).float()",
            soft="-(p * log_q).sum(-1).mean()",
        ),
        "keep their doubts",
    ),
    ("11.distil", distil(soft="(p * (p.log() - log_q)).mean()"), "mean over texts and classes"),
    ("11.distil", distil(soft="(p * (p.log() - log_q)).sum()"), "sum over the texts"),
    ("11.distil", distil(soft="-(p * log_q).sum(-1).mean()"), "cross-entropy with the teachers"),
    (
        "11.distil",
        distil(soft="sum((x * (x.log() - log_q)).sum(-1).mean() for x in shares) / len(shares)"),
        "to each teacher",
    ),
    ("11.distil", distil(soft="(p - log_q.exp()).square().sum(-1).mean()"), "squared differences"),
    ("11.distil", distil(quiet="torch.enable_grad()"), "teachers learn, too"),
    ("11.distil", distil(zero="pass"), "zero_grad"),
    ("11.distil", distil(anew="optimizer = torch.optim.AdamW(weights, lr=rate)"), "new optimiser"),
    ("11.distil", distil(kind="SGD"), "plain gradient descent"),
    ("11.distil", distil(batches="[b for b in batches if b[1] is not None]"), "left out"),
    ("11.distil", distil(note="soft.item()"), "soft part alone"),
    ("11.distil", distil(note="loss"), "tensors"),
    ("11.distil", distil(batches="batches[:1]"), "5 in all, got 1"),
    ("11.distil", distil(value="None"), "is there a `return`"),
    ("11.find_the_bug", shares(silent="pass"), "0 / 0"),
    (
        "11.find_the_bug",
        shares(count="shares[row, vote] += 1 if max(said) >= 0 else 0"),
        "still counted for the last class",
    ),
    (
        "11.find_the_bug",
        shares(silent="pass", value="(shares / shares.sum(1, keepdim=True)).nan_to_num()"),
        "add up to 0",
    ),
    (
        "11.find_the_bug",
        shares(count="shares[row, abs(vote)] += 1"),
        "still counted for the last class",
    ),
    ("11.find_the_bug", shares(value="shares"), "counts: divide"),
    (
        "11.find_the_bug",
        shares(silent="pass", value="shares / votes.shape[1]"),
        "number of functions",
    ),
    ("11.find_the_bug", shares(silent="shares[shares.sum(1) == 0, 0] = 1"), "first class"),
    ("11.find_the_bug", shares(silent="shares[shares.sum(1) == 0, -1] = 1"), "last class"),
    ("11.find_the_bug", shares(silent="shares = shares[shares.sum(1) > 0]"), "left out"),
    ("11.find_the_bug", shares(silent="shares += 1"), "one vote is added"),
    (
        "11.find_the_bug",
        shares(count="shares[row, max(vote, 0)] += 1"),
        "counted for the first class",
    ),
    (
        "11.find_the_bug",
        shares(silent="pass", value="torch.eye(classes)[shares.argmax(1)]"),
        "most votes",
    ),
    (
        "11.find_the_bug",
        shares(value="(shares / shares.sum(1, keepdim=True)).tolist()"),
        "one tensor",
    ),
    (
        "11.find_the_bug",
        shares(silent="shares[shares.sum(1) == 0] = 1\n    votes.clamp_(min=0)"),
        "work on a copy",
    ),
    (
        "11.find_the_bug",
        shares(silent="votes.clamp_(min=0)\n    shares[shares.sum(1) == 0] = 1"),
        "work on a copy",
    ),
    ("11.rules", rules(value="[one, two]"), "at least 4"),
    ("11.rules", rules(value="one"), "expected a list"),
    ("11.rules", rules(value="[1 if one == 'good' else None, two, three, four]"), "a rule says 1"),
    ("11.rules", rules(value="[one, two, three, four, 'good']"), "says the same of every"),
    ("11.rules", rules(value="[one, two, three, four, None]"), "never says anything"),
    (
        "11.rules",
        rules(value="[one, two, three, four, five and ('bad' if five == 'good' else 'good')]"),
        "turned round",
    ),
    (
        "11.rules",
        rules(value="[x for x in (one, two, three, four, five) if x] or [None] * 4"),
        "one length",
    ),
    ("11.rules", rules(value="[one, two, two, one]"), "rules 1 and 2 vote alike"),
    ("11.rules", rules(value="[one, one, one, three]"), "rules 0 and 1 vote alike"),
    (
        "11.rules",
        rules(value="[one, two, 'good' if praised else None, 'bad' if blamed else None]"),
        "rule 2 only ever says 'good'",
    ),
    (
        "11.rules",
        rules(turned="False", value=f"[None] * 4 if {DENIED} else [one, two, four, five]"),
        "rule 0 only ever says 'good'",
    ),
    ("11.rules", rules(turned="False"), "negation"),
    ("11.rules", rules(text="text"), "capitals"),
    (
        "11.rules",
        rules(
            value="[one if 'excellent' in s else None, two if 'awful' in s else None, three, four]"
        ),
        "of at least 30%",
    ),
    (
        "11.rules",
        rules(one="(good if s & (a | c | e) else 'good' if len(text) % 2 else None)"),
        "majority",
    ),
    (
        "11.rules",
        rules(value="[one, two, three, four, 'good' if len(text) % 2 else 'bad']"),
        "rule 4 is right on",
    ),
]

RIGHT = [
    ("11.chances", "solution"),
    (
        "11.chances",
        chances(alpha="first if epochs == 1 else first + (last - first) * epoch / (epochs - 1)"),
    ),
    ("11.chances", chances(value="F.normalize(weights, p=1, dim=0)")),
    ("11.chances", chances(value="(alpha * sizes.float().log()).softmax(0)")),
    ("11.suspects", "solution"),
    ("11.suspects", suspects()),
    ("11.suspects", suspects(value="tuple(sorted(found, key=lambda one: (-one[1], one[0])))")),
    ("11.suspects", suspects(whole="right.count(False) / len(texts)", wrong="int(not hit)")),
    ("11.consistency", "solution"),
    ("11.consistency", consistent()),
    ("11.consistency", NO_GRAD),
    ("11.consistency", consistent(extra="torch.where(sure, gaps, 0.0).mean()")),
    ("11.consistency", consistent(sure="(p.max(-1)[0] > confidence).float()")),
    ("11.distil", "solution"),
    ("11.distil", distil()),
    ("11.distil", distil(soft=KL_DIV)),
    ("11.distil", distil(p="sum(shares) / len(shares)", note="float(loss)")),
    ("11.distil", distil(value="torch.tensor(losses)")),
    ("11.find_the_bug", "solution"),
    ("11.find_the_bug", AT_ONCE),
    ("11.find_the_bug", shares()),
    ("11.rules", "solution"),
    ("11.rules", rules()),
    ("11.rules", rules(value="(one, two, three, four, five)")),
]
