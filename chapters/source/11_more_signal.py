# ---
# jupyter:
#   minibert:
#     title: More signal
#     question: Fifty labels are not enough. Where else can a model learn your task from?
#     minutes: 90
#     seconds: 110
#     memory_mb: 1000
#     needs: ["chapter 05 (masked words)", "chapter 06 (fine-tuning)"]
#     skip: "what is marked optional: the end of section 2 (tasks mixed), section 3, the exercise 11.suspects, and one of the two builds, 11.consistency or 11.distil (about 55 minutes in all). Where you leave out an exercise, run its cells: the library's function takes over"
#     papers:
#       - "Phang et al. (2018), Sentence Encoders on STILTs, arXiv:1811.01088"
#       - "Xie et al. (2019), Unsupervised Data Augmentation for Consistency Training, arXiv:1904.12848"
#       - "Hinton, Vinyals & Dean (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531"
#       - "Ratner et al. (2016), Data Programming: Creating Large Training Sets, Quickly, arXiv:1605.07723"
# ---

# %% [markdown]
r"""
# 11 · More signal: fifty labels are not enough. Where else can a model learn your task from?

{{head}}

Labels are expensive, and nearly everything else is cheap: texts without labels, labels for another
question, other models, and what you know about the task yourself. This chapter takes one task with
fifty labels, on which fine-tuning fails, and adds one source of signal after the other. Each stands
beside the cheapest thing that could explain its gain. Some help a lot, some do not help here, and
you will know which.

You build two training loops, **consistency training** and **distillation**, and you write rules
that label three thousand sentences in a second.
"""

# %%
import copy
import random
import re
from collections import Counter, defaultdict

import numpy as np
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.text.masking import mask_tokens
from minibert.training.optim import adamw, linear
from minibert.world.tasksets.base import Example

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
bert = mb.BERT.from_pretrained("minibert-bert")
tokenizer, device = bert.tokenizer, next(bert.parameters()).device

# %% [markdown]
r"""
## 1. Fifty labels

The task: one sentence of a review. Does it say something **good** or something **bad**? The world
knows the answer, and also *how* the sentence says it:

- it **says** it: *The waiter was dreadful.*
- it **denies** the opposite: *Nobody could call the acting weak.*
- it **tells** what happened: *My brother took it out of my hands before I had finished.*

Sentences with both sides are left out. No sentence stands in two of the parts: `pool`, of which
fifty sentences get a label, `valid` and `test`.
"""

# %%
SIDES = ("bad", "good")


def judgements(seed, tokens):
    """Sentences of reviews, each with its side, how it is said, and the stars of its review."""
    found = {}
    for review in mb.world.generate(tokens=tokens, seed=seed, kinds="review").documents:
        said = defaultdict(set)
        for number, _, side, how in review.notes["aspects"]:
            said[number].add((side, how))
        for number, notes in said.items():
            if len({side for side, _ in notes}) == 1:
                how = min(how for _, how in notes)  # denies, says, tells
                info = {"how": how, "stars": review.notes["stars"]}
                text = review.lines()[number]
                found[text] = Example(text=text, label=min(notes)[0], info=info)
    return list(found.values())


everything = judgements(1, 12_000 if SMOKE else 120_000)
random.Random(0).shuffle(everything)
sizes = (60, 60) if SMOKE else (300, 300)
test, valid = everything[: sizes[0]], everything[sizes[0] : sum(sizes)]
pool = everything[sum(sizes) :]
print(f"{len(pool):,} sentences in the pool, {len(valid)} to choose by, {len(test)} to test on")
for how in ("says", "denies", "tells"):
    print(f"{how:>7}:", *[f"[{e.label}] {e.text}" for e in pool if e.info["how"] == how][:3])

# %% [markdown]
r"""
Training is that of chapter 06: AdamW, a short warm-up, then down to zero. A *head* (the encoder
with one new layer) is trained by itself, or as part of a larger `model` that gives it further
losses. That is all that changes in this chapter: what the loss is made of, and which batches come.
"""

# %%
def classifier(start, seed):
    """A fresh layer for good and bad on a copy of a model."""
    mb.seed_everything(seed)
    return mb.heads.SequenceClassifier(copy.deepcopy(start), SIDES).to(device)


def in_batches(head, some, labels=None, size=16, seed=0):
    """Batches of sentences with their own labels, or with others."""
    given = [e.label for e in some] if labels is None else labels
    return head.batches(head.examples([e.text for e in some], given), size, seed=seed)


def train(model, batches, steps, rate=1e-3, callbacks=()):
    """Train whatever has a loss."""
    steps = 4 if SMOKE else steps
    mb.fit(model, batches, steps=steps, optimizer=adamw(model, rate), progress=False,
           schedule=linear(steps, steps // 10), callbacks=callbacks)


def hits(head, some):
    """For each sentence, whether the head finds its label."""
    said = head.predict([e.text for e in some]).labels
    return [a == e.label for a, e in zip(said, some, strict=True)]


def accuracy(head, some=None):
    right = hits(head, test if some is None else some)
    return sum(right) / len(right)


# %% [markdown]
r"""
Which fifty sentences get a label is a matter of luck, so we draw three times. *Predict before you
run:* how many of the test sentences does the fine-tuned model get right? A coin gets half of them.
"""

# %%
FEW, draws = 50, [random.Random(seed).sample(pool, 50) for seed in range(3)]
results, tuned = {"word counts": [], "fine-tuned": []}, []
for seed, few in enumerate(draws):
    head = classifier(bert, seed)
    train(head, in_batches(head, few, seed=seed), 60)
    tuned.append(head)
    results["fine-tuned"].append(accuracy(head))
    words = mb.models.cheap.WordCounts().fit(few, valid)
    results["word counts"].append(words.score(test))
majority = mb.models.cheap.Majority().fit(pool).score(test)
for name, shares in results.items():
    print(f"{name:>12}: " + "  ".join(f"{share:.1%}" for share in shares))
print(f"always the same answer: {majority:.1%}")

# %% [markdown]
r"""
Neither is far from a coin. (With 300 test sentences a share is uncertain by about three points, one
standard error, from the choice of the sentences alone. Keep that in mind for every number below.)
The reason is plain: fifty sentences hold a few dozen words of praise or blame, and the test
sentences hold others. Pre-training did not teach the model to sort them into good and bad. So where
else could it learn that? The map shows the sources, and the section that uses each.
"""

# %% tags=["hide-input"]
fig, ax = mb.show.new("Where signal comes from", size=(8.8, 4.4))
ax.set_axis_off()
sources = {
    (0.5, 3.6): ("another task\nwith free labels", 2), (3.2, 3.9): ("a language model\nbeside it", 3),
    (6.1, 3.6): ("kinds of examples\nthat go wrong", 4), (0.5, 0.5): ("texts without labels,\nchanged", 5),
    (3.2, 0.15): ("several models,\none student", 6), (6.1, 0.5): ("what you know:\nrules", 7),
}
colours = [mb.show.PALETTE[name] for name in ("sky", "green", "orange", "purple", "blue", "vermillion")]
ax.text(3.2, 2.05, "your task:\nfifty labels", ha="center", va="center", fontsize=12,
        bbox={"boxstyle": "round,pad=0.7", "facecolor": "#eeeeee", "edgecolor": "#5f5f5f"})
for ((x, y), (name, section)), colour in zip(sources.items(), colours, strict=True):
    ax.annotate("", (3.2 + 0.27 * (x - 3.2), 2.05 + 0.24 * (y - 2.05)), (x, y),
                arrowprops={"arrowstyle": "-|>", "color": "#5f5f5f", "shrinkA": 26})
    ax.text(x, y, f"{name}\n(section {section})", ha="center", va="center", fontsize=9.5,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour,
                  "linewidth": 2.5})
ax.set(xlim=(-0.9, 7.5), ylim=(-0.5, 4.5))
mb.show.figure(fig, alt="A map: arrows from six sources to the task with fifty labels: another task, "
               "a language model, kinds of examples that go wrong, changed texts without labels, "
               "several models, and rules.")

# %% [markdown]
r"""
## 2. Another task first, or beside

Whoever writes a review gives it stars. So each sentence comes with a label that nobody had to pay
for: are there more than three stars? It is the label of another question, and often wrong for ours.
A bad review praises the soup, too. The cell prints how often the two agree.

Phang et al. (2018) call this *supplementary training on intermediate labelled-data tasks* (STILTs):
after pre-training, train on a task with many labels, and then on your own. They tried four tasks,
two of them natural language inference. BERT's GLUE score rose by 1.4 points to 81.8, and the gain
was larger where the target had little data.

The cheapest baseline reads the same stars: word counts, each word and each two in a row. Its one
setting is tuned on the stars of the validation sentences, so it sees no label of ours either.
"""

# %%
def relabelled(some, labels):
    """The same sentences with other labels."""
    pairs = zip(some, labels, strict=True)
    return [Example(text=e.text, label=label, info=e.info) for e, label in pairs]


def by_stars(some):
    return [SIDES[e.info["stars"] > 3] for e in some]


def pairs_counted(labels, checked):
    """Word counts with pairs of words, from these labels of the pool and of `valid`."""
    counts = mb.models.cheap.WordCounts(bigrams=True)
    return counts.fit(relabelled(pool, labels), relabelled(valid, checked)).score(test)

# %%
stars = by_stars(pool)
agree = sum(s == e.label for s, e in zip(stars, pool, strict=True)) / len(pool)
print(f"stars and side agree in {agree:.0%} of the pool")
starred = classifier(bert, 0)
train(starred, in_batches(starred, pool, stars), 150)
no_gold = accuracy(starred)
star_words = pairs_counted(stars, by_stars(valid))
print(f"trained on stars alone, no label of ours: {no_gold:.1%} of the test sentences; "
      f"word counts {star_words:.1%}")

# %% [markdown]
r"""
The word counts are ahead. The network has read each sentence at most once, and with more updates
it would get closer. Keep this baseline in mind: what beats *fifty labels* need not beat it.

Now the fifty labels, on the model that has read stars, with a fresh last layer. Two more baselines
belong beside it: the stars alone (above), and as many updates on the fifty labels alone as both
stages had together.
"""

# %%
results["stars first"] = []
for seed, few in enumerate(draws):
    head = classifier(starred.encoder, seed)
    train(head, in_batches(head, few, seed=seed), 40, rate=5e-4)
    results["stars first"].append(accuracy(head))
longer = classifier(bert, 0)
train(longer, in_batches(longer, draws[0]), 190)
print("stars first, then fifty labels: " + "  ".join(f"{s:.1%}" for s in results["stars first"]))
print(f"fifty labels for as long: {accuracy(longer):.1%} (the first draw)")

# %% [markdown]
r"""
The free labels of another question bring far more than training for longer. But compare with *the
stars alone*, which needed no label of ours: on average the fifty labels add nothing to them. What
helped is not a better start for learning from few labels. The other task is nearly the same task.
Always print this baseline: the model of the other task, as it is. The table in section 8 has it
too, and another control: a task that has nothing to do with the target, which falls far behind.

### Tasks mixed (optional)

The two tasks may also be learned *at the same time*: one encoder, one new layer for each task, and
batches of both, shuffled. But how often does each come? In proportion to its size, fifty labels are
drowned by three thousand. So the size $N_i$ gets an exponent,

$$
p_i = \frac{N_i^\alpha}{\sum_j N_j^\alpha},
$$

with $\alpha = 1$ for proportional sampling and $\alpha = 0.5$ for the square root. Stickland &
Murray (2019) let $\alpha$ fall from epoch to epoch, $\alpha = 1 - 0.8\,\frac{e - 1}{E - 1}$ for
epoch $e$ of $E$, so that the end of training treats all tasks nearly alike.

{{exercise 11.chances}}

(Optional.) Write `chances(sizes, first, last, epoch, epochs)`: `sizes` is a tensor of whole
numbers, the result a float tensor of the same shape that adds up to 1. In epoch 0 the exponent is
`first`, in epoch `epochs - 1` it is `last`, and it moves in even steps. With a single epoch it is
`first`.
"""

# %%
def chances(sizes, first, last, epoch, epochs):
    """The chance that a batch is drawn from each task."""
    shares = torch.full((len(sizes),), 1 / len(sizes))
    ### BEGIN SOLUTION
    alpha = first + (last - first) * epoch / max(1, epochs - 1)
    weights = sizes.float() ** alpha
    shares = weights / weights.sum()
    ### END SOLUTION
    return shares


# %%
mb.course.check("11.chances", chances)

# %%
chances = mb.course.use("11.chances", chances)

# %% tags=["nbval-check-output"]
sizes = torch.tensor([3000, 50])
for name, first, last in (("proportional", 1, 1), ("square root", 0.5, 0.5), ("annealed", 1, 0.2)):
    shares = [chances(sizes, first, last, epoch, 5)[1].item() for epoch in range(5)]
    print(f"{name:>12}: the small task in epochs 1 to 5: "
          + "  ".join(f"{share:4.0%}" for share in shares))

# %% [markdown]
r"""
The library's `MixedBatches` draws so (`how="proportional"`, `"root"` or `"annealed"`, or a
dictionary of chances), and `Multitask` gives each batch to the head of its task. Here your chances
decide. The last thirty updates belong to the target alone.
"""

# %%
head = classifier(bert, 0)
other = mb.heads.SequenceClassifier(head.encoder, SIDES).to(device)
parts = {"stars": in_batches(other, pool, stars), "side": in_batches(head, draws[0])}
p_stars, p_side = chances(torch.tensor([len(pool), FEW]), 0.5, 0.5, 0, 1).tolist()
mixed = mb.transfer.MixedBatches(parts, {"stars": p_stars, "side": p_side})
losses = mb.transfer.LossByTask()
train(mb.transfer.Multitask({"stars": other, "side": head}), mixed, 130, callbacks=[losses])
before = accuracy(head)
train(head, in_batches(head, draws[0]), 30, rate=3e-4)
print(f"mixed: {before:.1%}; after the last stretch: {accuracy(head):.1%} "
      f"(stars first: {results['stars first'][0]:.1%})")

# %% tags=["hide-input"]
fig, ax = mb.show.new("The loss of each task", "update", "loss (nats per sentence)")
for (name, history), look in zip(losses.histories.items(), ("-", "--"), strict=False):
    smooth = np.convolve(history.loss, np.ones(8) / 8, "valid") if len(history.loss) > 8 else history.loss
    ax.plot(history.step[-len(smooth):], smooth, look, label=name)
ax.set_ylim(0)
ax.legend()
mb.show.figure(fig, alt="Loss by update of the two tasks, each the mean of its last eight batches: " +
               ", ".join(f"{name} ends at {h.loss[-1]:.2f}" for name, h in losses.histories.items()) + ".")

# %% [markdown]
r"""
Each line is the mean of the last eight batches of its task. A coin has a loss of
$\ln 2 \approx 0.69$. The stars hardly get below it, although nearly nine updates in ten are theirs.
The fifty labels have one update in nine, and yet the network begins to learn them by heart. Mixed,
the tasks did worse here than one after the other. One run cannot say why, nor that mixing is worse
in general. The table in section 8 gives both tasks twice as many updates, in five draws.

Move the sizes and the exponent in the next picture, and watch how often a small task comes. The
button trains one encoder on three other tasks of the world at once, and shows the loss of each.
"""

# %%
tasks = {name: mb.world.task(name, seed=0) for name in ("topic", "nli", "word_in_context")}
mb.show.TaskMixer(bert, tasks, {"topic": 600, "nli": 200, "word_in_context": 40}, steps=60)

# %% [markdown]
r"""
## 3. A language model beside it (optional)

The texts themselves are a signal, too. Rei (2017) let a tagger also predict the next and the
previous word, and it became better, without a pre-trained language model. SiATL (Chronopoulou et
al. 2019) fine-tunes a pre-trained language model and keeps its old task as an **auxiliary loss**,
so that the model does not forget its language while it learns from a few labels:

$$
L = L_\text{task} + \gamma_t\, L_\text{LM}, \qquad
\gamma_t = \gamma_0 \left(\frac{\gamma_T}{\gamma_0}\right)^{t / T}.
$$

The weight $\gamma$ falls exponentially (from 0.2 to 0.1 in the paper). Here BERT predicts masked
words of *unlabelled* sentences of the pool beside the fifty labels.
"""

# %%
def masked_batches(words, some, count, size=16, seed=0):
    """Batches in which 15 % of the pieces are hidden, their ids the labels."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        texts = [e.text for e in random.Random(int(rng.integers(1 << 30))).sample(some, size)]
        ids = [tokenizer.encode(text, specials=True) for text in texts]
        longest = max(map(len, ids))
        rows = np.array([one + [tokenizer.pad_id] * (longest - len(one)) for one in ids])
        maskable = ~np.isin(rows, list(tokenizer.special_ids))
        seen, labels = mask_tokens(rows, maskable, tokenizer, rng)
        found.append({"input_ids": torch.from_numpy(seen), "labels": torch.from_numpy(labels),
                      "attention_mask": torch.from_numpy((rows != tokenizer.pad_id).astype(int))})
    return found


head = classifier(bert, 0)
words = mb.heads.MaskedLM(head.encoder).to(device)
both = mb.transfer.WithLanguageModel(head, words, 0.2)
beside = mb.transfer.SideBySide(in_batches(head, draws[0]), masked_batches(words, pool, 60))
falling = mb.transfer.Annealed("auxiliary", mb.transfer.exponential(60, 0.2, 0.1))
train(both, beside, 60, callbacks=[falling])
print(f"with a language model beside: {accuracy(head):.1%} "
      f"(without: {results['fine-tuned'][0]:.1%}, the same fifty labels)")

# %% [markdown]
r"""
The language model tells the network how such sentences go on, but not which of them are good. On
this task one run shows no clear gain. The papers' gains are on other tasks: Rei's on labels of
words, where each sentence has many, and SiATL's on whole texts. Section 8 tries labels of words.
"""

# %% [markdown]
r"""
## 4. Slices: kinds of examples that go wrong

An average hides who pays for it. A **slice** is a part of the data that matters or that goes wrong:
short texts, questions, negations, one group of people. There are two ways to find slices. One is
**error analysis**: look at the mistakes on validation sentences, and ask what they have in common.
The other is a **heuristic**, a guess that comes from knowing the language.

Error analysis needs a model that is right most of the time, so this section lends us a thousand
labels. First by code: which words go with mistakes?

{{exercise 11.suspects}}

(Optional.) Write `suspects(texts, right, least)`: `texts` are lists of words, `right` says of each
text whether it was judged rightly. For each word that stands in at least `least` texts, take the
share of wrong answers among the texts that contain it, minus the share of wrong answers among all
texts. Give a list of pairs `(word, excess)`, the largest excess first, equals by the alphabet.
"""

# %%
def suspects(texts, right, least):
    """Words, and how much more often than usual a text with the word is misjudged."""
    found = []
    ### BEGIN SOLUTION
    seen, wrong = Counter(), Counter()
    for words, hit in zip(texts, right, strict=True):
        for word in set(words):
            seen[word] += 1
            wrong[word] += not hit
    whole = sum(not hit for hit in right) / len(right)
    found = [(word, wrong[word] / n - whole) for word, n in seen.items() if n >= least]
    found.sort(key=lambda one: (-one[1], one[0]))
    ### END SOLUTION
    return found


# %%
mb.course.check("11.suspects", suspects)

# %%
suspects = mb.course.use("11.suspects", suspects)

# %%
many = pool[: 100 if SMOKE else 1000]
plain = classifier(bert, 0)
train(plain, in_batches(plain, many), 150)
right = hits(plain, valid)
cut = [[word.lower() for word in mb.text.tokenise(e.text)] for e in valid]
print(f"a thousand labels: {sum(right) / len(right):.1%} of the validation sentences; misjudged")
for word, excess in suspects(cut, right, 3 if SMOKE else 8)[:8]:
    print(f"  {excess:+.0%} more often than usual with {word!r}")

# %% [markdown]
r"""
*Before you read on:* what do these words have in common? Look at some of the sentences that go
wrong, too:
"""

# %%
wrong = [e for e, hit in zip(valid, right, strict=True) if not hit]
for e in wrong[:8]:
    print(f"  is {e.label}: {e.text}")

# %% [markdown]
r"""
Two words of the list belong together: *not* and *n't*. Some sentences that go wrong **deny**.
*Nobody could call the acting weak* has a word of blame and is praise. Other words of the list, such
as nouns, stand in few sentences and got there by luck: with so many words, some must. What you
would guess from the language agrees with *not*, so we write a slicing function. It may be wrong at
times, and the network asks it only in training. Chen et al. (2019) give each slice an *indicator*,
which learns whether a text belongs to it, and an *expert*, which is trained on the slice alone.
Attention over the experts then makes the state that is classified. A cheap alternative stands
beside it: the plain head, which sees each sentence of the slice twice.
"""

# %%
TURNED = re.compile(r"\b(not|nobody|never|neither|nor|hardly|far from|by no means)\b|n't\b")
slices = {"denies": lambda text: bool(TURNED.search(text.lower()))}
twice = many + [e for e in many if slices["denies"](e.text)]
mb.seed_everything(0)
sliced = mb.transfer.SlicedClassifier(copy.deepcopy(bert), slices, SIDES).to(device)
train(sliced, in_batches(sliced, many), 150)
doubled = classifier(bert, 0)
train(doubled, in_batches(doubled, twice), 150)
counts = mb.models.cheap.WordCounts(bigrams=True).fit(many, valid)
texts = [e.text for e in test]
by_words = [a == e.label for a, e in zip(counts.predict(test), test, strict=True)]
for name, right in {"plain": hits(plain, test), "slice of its own": hits(sliced, test),
                    "seen twice": hits(doubled, test), "word counts": by_words}.items():
    told = mb.transfer.score_by_slice(slices, texts, right)
    print(f"{name:>17}: all {told['all']:.1%}, denies {told['denies']:.1%}")
print(f"{sum(map(slices['denies'], texts))} of the {len(texts)} test sentences deny")

# %% [markdown]
r"""
The slice is real: each of the models is far worse on sentences that deny, word counts with pairs of
words among them. (With a thousand labels those do about as well as the network, by the way.)
Whether a head of its own mends the slice, one run cannot say. The slice has so few test sentences
that its share is uncertain by six or seven points. So look first whether the new head is further
from the plain one than that, and then whether *seen twice*, which costs nothing, does as well.
Naming a slice is worth its trouble in any case: the average did not show it.

## 5. Consistency: texts without labels

Nobody knows the label of an unlabelled sentence. But if a few of its words are hidden, its label
should stay as it is. **Consistency training** asks just that (Xie et al. 2019, UDA): what the model
says of a text, $p = p_\theta(y \mid x)$, is the target for what it says of a changed one,
$q = p_\theta(y \mid \hat x)$:

$$
L = \underbrace{-\log p_\theta(y^* \mid x^*)}_{\text{fifty labelled sentences}} \;+\; \lambda\;
\underbrace{\mathbb{1}\big[\max_y p(y) > \beta\big]\;
\mathrm{KL}\big(p \,\Vert\, q\big)}_{\text{sentences of the pool}}, \qquad
\mathrm{KL}(p \,\Vert\, q) = \sum_y p(y) \log \frac{p(y)}{q(y)} .
$$

The target stands still: no gradient flows through $p$. And it counts only where the model is sure
of it, above $\beta$. The paper changes texts by translating them there and back; words left
out, hidden or swapped for synonyms are cheaper. On IMDb, UDA reaches an error of 4.20 % with 20
labels, lower than the best model until then, which had learned from all 25,000. UDA began
with BERT-large, trained further on those reviews. Ours is small: see what is left of it.

{{exercise 11.consistency}}

Write `consistent(predict, weights, labelled, unlabelled, change, rate, weight, confidence)`.
`predict(batch)` gives logits (texts, classes), computed from the tensors in `weights`.
`labelled` is a list of pairs (batch, labels), and `unlabelled` a list of as many batches.
`change(batch)` gives such a batch with its texts changed; call it once for each batch of
`unlabelled`.

1. One `torch.optim.AdamW(weights, lr=rate)`, and one update for each pair of batches.
2. The labelled loss is the mean cross-entropy.
3. The consistency loss is the mean of $\mathbb{1}[\max p > \beta]\, \mathrm{KL}(p \Vert q)$
over *all* texts of the unlabelled batch; $\beta$ is `confidence`.
4. The update goes down the labelled loss + `weight` times the consistency loss.
5. Give a list with a pair of numbers for each update: (labelled loss, consistency loss).
"""

# %%
def consistent(predict, weights, labelled, unlabelled, change, rate, weight, confidence):
    """Train on labels, and on texts that should keep theirs when they are changed."""
    losses = []
    ### BEGIN SOLUTION
    optimizer = torch.optim.AdamW(weights, lr=rate)
    for (batch, labels), free in zip(labelled, unlabelled, strict=True):
        own = F.cross_entropy(predict(batch), labels)
        with torch.no_grad():
            p = predict(free).softmax(-1)
            sure = p.amax(-1) > confidence
        log_q = predict(change(free)).log_softmax(-1)
        gaps = (p * (p.log() - log_q)).sum(-1)  # (texts,)
        extra = (gaps * sure).mean()
        optimizer.zero_grad()
        (own + weight * extra).backward()
        optimizer.step()
        losses.append((own.item(), extra.item()))
    ### END SOLUTION
    return losses


# %%
mb.course.check("11.consistency", consistent)

# %%
consistent = mb.course.use("11.consistency", consistent)

# %% [markdown]
r"""
The change: each piece of a sentence is hidden behind `[MASK]` with a chance of one in seven. The
model starts from the stars of section 2, because a target is worth something only if it is right
more often than a coin. The baseline is the same loop with `weight = 0`.
"""

# %%
special = torch.tensor(sorted(tokenizer.special_ids), device=device)


def hide(batch, share=1 / 7):
    """The batch with some pieces hidden."""
    ids = batch["input_ids"]
    hidden = (torch.rand(ids.shape, device=ids.device) < share) & ~torch.isin(ids, special)
    return {**batch, "input_ids": ids.masked_fill(hidden, tokenizer.mask_id)}


def on_device(batches, count):
    """So many batches, one epoch after the other."""
    found = []
    while len(found) < count:
        found += [{k: v.to(device) for k, v in batch.items()} for batch in batches]
    return found[:count]


# %%
steps, together = 4 if SMOKE else 40, {}
for name, weight in (("labels alone", 0.0), ("and consistency", 1.0)):
    head = classifier(starred.encoder, 0).train()
    own = [(batch, batch["labels"]) for batch in on_device(in_batches(head, draws[0]), steps)]
    free = on_device(head.batches(head.examples([e.text for e in pool]), 16), steps)
    together[name] = consistent(head.output_of, list(head.parameters()), own, free, hide,
                                3e-4, weight, 0.8)
    agreed = accuracy(head.eval())
    print(f"{name:>16}: {agreed:.1%}; consistency loss at the end "
          f"{np.mean([extra for _, extra in together[name][-10:]] or [0]):.4f} nats")

# %% [markdown]
r"""
This does not help: the two shares differ by less than the test set can tell, and even the
consistency loss at the end is hardly smaller. The likely reason: a model that is right six times in
ten is a poor teacher of itself, and to be *sure* is not to be right. The change has a weakness,
too. A single word decides about such a sentence. Where this word is hidden, the label is gone, and
the model learns to agree with itself on what it cannot know. But one piece in seven is hidden, so
most sentences keep their word.

The table of section 8 has published weights and real sentences on films. There this loss lost
points on average, with an interval so wide that neither gain nor harm is shown. So your loop is
right, and its use on a small model with few labels is not shown here. What it did in the paper
rests on a much better model to start with, and section 8 tries another task. The library has this
loss as `mb.transfer.Consistency`, with `word_dropout`, masking and `synonyms`. """

# %% [markdown]
r"""
## 6. Several models, and one student

Fine-tuning on few labels depends on luck: another seed or another order of the batches gives
another model. An **ensemble** averages what several models say. It is an old way to gain a little,
and it costs as many models as it has, each time it is used. **Distillation** (Hinton et al. 2015)
pays once: one **student** learns from what the ensemble says of unlabelled texts. The teachers'
probabilities tell more than their choice: a sentence that is good with 0.6 teaches something else
than one with 0.99. A *temperature* $T$ above 1 makes the small probabilities larger. With $z$ the
student's logits and $v_k$ those of teacher $k$,

$$
p = \frac{1}{K} \sum_k \mathrm{softmax}(v_k / T), \quad q = \mathrm{softmax}(z / T), \quad
L = g \cdot \mathrm{CE}\big(\mathrm{softmax}(z), y\big) + (1 - g)\, T^2\, \mathrm{KL}(p
\,\Vert\, q).
$$

The gradient of the KL is about $1/T^2$ as large as that of the first term, hence the factor
$T^2$. $g$ is the share of the gold labels, where there are some.

{{exercise 11.distil}}

Write `distil(student, weights, teachers, batches, rate, temperature, gold)`. `student(batch)` gives
logits, computed from the tensors in `weights`; `teachers` is a list of functions that give theirs.
`batches` is a list of pairs (batch, labels), where labels may be None: then the soft part,
$T^2\, \mathrm{KL}$, is the whole loss. Both parts are means over the texts. One
`torch.optim.AdamW(weights, lr=rate)`, one update for each pair. The teachers learn nothing.
Give the list of the losses, one number for each update.
"""

# %%
def distil(student, weights, teachers, batches, rate, temperature, gold):
    """Train a student on what its teachers say; the loss of every update."""
    losses = []
    ### BEGIN SOLUTION
    optimizer = torch.optim.AdamW(weights, lr=rate)
    for batch, labels in batches:
        with torch.no_grad():
            shares = [(teacher(batch) / temperature).softmax(-1) for teacher in teachers]
            p = torch.stack(shares).mean(0)
        logits = student(batch)
        log_q = (logits / temperature).log_softmax(-1)
        soft = temperature**2 * (p * (p.log() - log_q)).sum(-1).mean()
        loss = soft
        if labels is not None:
            loss = gold * F.cross_entropy(logits, labels) + (1 - gold) * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ### END SOLUTION
    return losses


# %%
mb.course.check("11.distil", distil)

# %%
distil = mb.course.use("11.distil", distil)

# %% [markdown]
r"""
The formula with numbers: two teachers, one text, three classes. A high temperature brings out that
the second class is likelier than the third. The gradient of the soft part, factor and all, is
$T\,(q - p)$. A higher $T$ brings $q$ and $p$ closer together, so the product keeps its size.
"""

# %% tags=["nbval-check-output"]
v = torch.tensor([[4.0, 1.0, -1.0], [3.0, 1.5, -2.0]])
for T in (1.0, 2.0, 5.0):
    p = (v / T).softmax(-1).mean(0)
    print(f"T = {T:.0f}: " + "  ".join(f"{x:.3f}" for x in p.tolist()))
z = torch.zeros(1, 3, requires_grad=True)
p = (v / 2).softmax(-1).mean(0)
loss = 4 * (p * (p.log() - (z / 2).log_softmax(-1))).sum()
(slope,) = torch.autograd.grad(loss, z)
assert torch.allclose(slope, 2 * ((z / 2).softmax(-1) - p), atol=1e-6)
print("the gradient of the soft part is T (q - p)")

# %% [markdown]
r"""
Three teachers are at hand: the models of section 4, which learned from the same thousand labels in
three ways. The student begins again from BERT and sees no label, only what the teachers say of the
pool. *Predict before you run:* does it become as good as its teachers? And what about the student
of a *single* teacher, on the same unlabelled sentences?
"""

# %%
teachers = [plain.eval(), sliced.eval(), doubled.eval()]
single = [accuracy(head) for head in teachers]
both = mb.heads.averaged([head.predict(texts) for head in teachers]).labels
ensemble = sum(a == e.label for a, e in zip(both, test, strict=True)) / len(test)
students, steps = {}, 4 if SMOKE else 100
for name, some in {"of three": teachers, "of one": teachers[:1]}.items():
    head = classifier(bert, 50).train()
    free = on_device(head.batches(head.examples([e.text for e in pool]), 16), steps)
    distil(head.output_of, list(head.parameters()), [one.output_of for one in some],
           [(batch, None) for batch in free], 5e-4, 2.0, 0.0)
    students[name] = accuracy(head.eval())
print(f"the teachers: {'  '.join(f'{s:.1%}' for s in single)}; mean {np.mean(single):.1%}")
print(f"together:     {ensemble:.1%}")
print(f"the student of three: {students['of three']:.1%}; of one: {students['of one']:.1%}")

# %% [markdown]
r"""
Two things to see. Together, the three are a little better than their mean, and no better than the
best of them: within what 300 sentences can tell. And a student does not get its teachers' score for
nothing. It never saw a label, it had fewer updates than its teachers, and it stays behind them. The
student of three should be the better one, but look: three hundred sentences and one run cannot show
it. It is one network instead of three. (Section 8 has students that catch up, in five draws of
another task.) The library's
`mb.transfer.Distilled` has your loss, for words and language models, too.

## 7. Rules as labels

You know something that none of these models knows: what *lovely* means. A **labelling function** is
a rule of thumb in code. It looks at a text and says good, bad, or nothing. Rules are often wrong,
and mostly silent. But they cost nothing per sentence, and a network trained on what they say can go
beyond them (Ratner et al. 2016).

First the votes of several rules have to be counted, and there is a bug in the way.

{{exercise 11.find_the_bug}}

`votes` (texts, functions) holds the number of the class that each function names, or -1 where
it says nothing. `vote_shares(votes, classes)` should give each class its share of the votes *cast*
(texts, classes), and equal shares to all classes where no vote is cast. It runs without an error.
But sentences of which nothing is known come out as *good*.
"""

# %%
def vote_shares(votes, classes):
    """The share of the votes of each text that each class has."""
    shares = torch.zeros(len(votes), classes)
    for row, said in enumerate(votes.tolist()):
        for vote in said:
            shares[row, vote] += 1
    shares = shares / shares.sum(1, keepdim=True)
    ### BEGIN SOLUTION
    shares = torch.zeros(len(votes), classes)
    for row, said in enumerate(votes.tolist()):
        for vote in said:
            if vote >= 0:
                shares[row, vote] += 1
    shares[shares.sum(1) == 0] = 1.0  # no vote: all classes alike
    shares = shares / shares.sum(1, keepdim=True)
    ### END SOLUTION
    return shares


# %%
mb.course.check("11.find_the_bug", vote_shares)

# %%
vote_shares = mb.course.use("11.find_the_bug", vote_shares)

# %% [markdown]
r"""
Now your rules. Read thirty sentences of the pool, without their labels, and write down what gives a
side away.
"""

# %%
for e in random.Random(3).sample(pool, 30):
    print(e.text)

# %% [markdown]
r"""
{{exercise 11.rules}}

Write `rules(text)`. It gives a list with what each of your rules says of the text: `"good"`,
`"bad"` or None, where a rule is silent. The list is always of the same length, four or more.
Each rule must be able to say both. The label model below judges a rule by comparing it with the
others, and a rule that only ever says *good* misleads it.

The check tries the rules on sentences that you have not seen. It asks for these things: some rule
speaks on at least 30 % of them, the majority is right on at least 80 % of those, each rule is right
on at least 60 % of its own and says both sides, and no two rules always vote alike. (It knows the
labels. In real life you would label a few dozen sentences to see whether the rules are any good.)

The library's rules, which run until yours are right, had an advantage: their words were chosen by
somebody who had counted which words go with which side. Whoever has no label at all knows less.
"""

# %%
STRONG_PRAISE = STRONG_BLAME = PRAISE = BLAME = ""  # words, with spaces between them
### BEGIN SOLUTION
STRONG_PRAISE = "excellent wonderful perfect lovely splendid superb delightful marvellous"
STRONG_BLAME = "terrible awful dreadful horrible hopeless miserable appalling shocking"
PRAISE = """good nice kind friendly polite cheerful helpful clean fresh tasty delicious warm
    comfortable clear clever interesting exciting fair reasonable cheap honest strong beautiful
    funny moving modest quick"""
BLAME = """bad poor ugly dirty rude unfriendly slow boring dull silly weak cold dark noisy gloomy
    expensive tasteless clumsy unfair heavy shabby thin salty high dear careless"""
### END SOLUTION


# %%
def rules(text):
    """What each rule says: "good", "bad" or None."""
    said = []
    ### BEGIN SOLUTION
    lower = text.lower()
    words, lists = re.findall(r"[\w'-]+", lower), (STRONG_PRAISE, STRONG_BLAME, PRAISE, BLAME)
    strong_praise, strong_blame, praise, blame = (set(words) & set(x.split()) for x in lists)
    turned = bool(re.search(r"\b(not|nobody|never|n?either|nor|hardly|far from)\b|n't\b", lower))

    def side(good, bad, turned=False):
        said = "good" if bool(good) != turned else "bad"
        return said if bool(good) != bool(bad) else None

    said = [
        side(strong_praise, strong_blame, turned),
        side(praise, blame, turned),
        side(re.search(r"to be fair|at least|must admit|anyone could wish", lower),
             re.search(r"a little|complaint|pity|exactly|\btoo\b", lower)),
        side(re.search(r"\w{3,}(ful|ly|some)\b", lower),
             re.search(r"\b(un|im|dis)\w{5,}|\w{3,}less\b", lower), turned),
        side(re.search(r"\b(again|smile\w*|every|laughed|all|surprised)\b", lower),
             re.search(r"\b(wait(ed|ing)|broke\w*|twice|only|no longer|half)\b", lower)),
    ]
    ### END SOLUTION
    return said


# %%
mb.course.check("11.rules", rules)

# %%
rules = mb.course.use("11.rules", rules)

# %% [markdown]
r"""
One more function looks at the stars of the review, so that something speaks on every sentence. The
table has shares of all sentences: where the function speaks (*covers*), where another one speaks,
too (*overlaps*), and where another one says the opposite (*contradicted*). The last column is the
share of its own votes that are right. It needs the gold labels: we look at it here, and use it
nowhere.
"""

# %%
functions = [lambda e, k=k: rules(e.text)[k] for k in range(len(rules("")))]
functions.append(lambda e: SIDES[e.info["stars"] > 3])
votes = mb.transfer.votes(functions, pool, SIDES)
spoken = (votes >= 0).any(0)  # a function that never votes is left out
functions, votes = [f for f, s in zip(functions, spoken, strict=True) if s], votes[:, spoken]
gold = np.array([SIDES.index(e.label) for e in pool])


def true_accuracy(votes, gold):
    """How often each function is right where it votes."""
    return [(column == gold)[column >= 0].mean() for column in votes.T]


print("function  covers  overlaps  contradicted  right")
for number, (rates, share) in enumerate(zip(mb.transfer.vote_rates(votes),
                                            true_accuracy(votes, gold), strict=True)):
    name = "stars" if number == len(functions) - 1 else f"rule {number}"
    print(f"{name:>8}  {rates.coverage:6.0%}  {rates.overlap:8.0%}  {rates.conflict:12.0%}  "
          f"{share:5.0%}")

# %% [markdown]
r"""
The majority gives each function one vote, a good rule as well as a poor one. A **label model**
weighs them. It assumes that each function has its own accuracy $a_j$ and errs independently of
the others, given the class $y$ (one of $K$):

$$
p(y \mid \text{votes}) \propto p(y) \prod_{j \text{ votes}}
\begin{cases} a_j & \text{if } j \text{ says } y \\ (1 - a_j) / (K - 1) & \text{if not.} \end{cases}
$$

Where do the $a_j$ come from, without a single label? From agreement. Two functions that are right
most of the time agree with each other, and a poor one agrees with neither. The EM algorithm turns
this round and round: from accuracies to labels, from labels to accuracies (Dawid & Skene 1979).
*Predict before you run:* how near do the estimates come?
"""

# %%
def right_share(shares, gold):
    """How often the likeliest class is the gold one; a tie counts half."""
    best = np.isclose(shares, shares.max(1, keepdims=True))
    return (best[np.arange(len(gold)), gold] / best.sum(1)).mean()


believed = mb.transfer.LabelModel.fit(votes, 2)
posterior = believed.posterior(votes)
print("believed:", *[f"{a:5.0%}" for a in believed.accuracy])
print("true:    ", *[f"{a:5.0%}" for a in true_accuracy(votes, gold)])
for name, shares in {"stars alone": np.eye(2)[votes[:, -1]],
                     "majority": vote_shares(torch.from_numpy(votes), 2).numpy(),
                     "label model": posterior}.items():
    print(f"{name:>12}: {right_share(shares, gold):.1%} of the pool labelled rightly")

# %% [markdown]
r"""
With the library's rules the model has found out, without one label, roughly which functions to
trust. With yours it may go wrong at once: then the stars are believed to 100 %, and the label model
only repeats them. Five other draws of reviews, with the same functions, and then what happens when
one function votes three times:
"""

# %%
for seed in range(2, 4 if SMOKE else 7):
    more = judgements(seed, 12_000 if SMOKE else 50_000)
    cast = mb.transfer.votes(functions, more, SIDES)
    cast = cast[:, (cast >= 0).any(0)]
    truth = np.array([SIDES.index(e.label) for e in more])
    model = mb.transfer.LabelModel.fit(cast, 2)
    equal = vote_shares(torch.from_numpy(cast), 2).numpy()
    print(f"draw {seed}: majority {right_share(equal, truth):.1%}, label model "
          f"{right_share(model.posterior(cast), truth):.1%}; "
          f"it believes the stars to {model.accuracy[-1]:.0%}")
copied = np.concatenate((votes, votes[:, -1:], votes[:, -1:]), 1)
model = mb.transfer.LabelModel.fit(copied, 2)
print(f"three times the stars: it believes them to {model.accuracy[-1]:.0%}, "
      f"{right_share(model.posterior(copied), gold):.1%} right")

# %% [markdown]
r"""
Copies agree with each other perfectly, and that looks like the truth: the label model then repeats
the stars. Even without copies this happens in some draws, as you see above (look for 100 %). The
stars are the only function that speaks everywhere, and few sentences have two other votes to hold
against it. The label model is then worse than the majority. One sign is a function that speaks
everywhere and is believed to 100 %: nothing else is heard any more. So do not trust a label model
blindly: look at its accuracies, and label a few dozen sentences to check.

## It works: trained on no gold label, and better than two hundred

Now a network learns from the label model's opinions, on the whole pool, with the loss of section 6:
soft labels, no gold. (Where the label model believes the stars to 100 %, the shares of the votes
take its place.) Three questions belong beside it. How far do gold labels get: 50, 200, 1,000? Do
the rules know as much by themselves? (Half of the sentences on which they are silent count as
right; *rules, else stars* asks the network of section 2 about those.) And does it take a network at
all? *Word counts*, with pairs of words, read the same labels: the stars, those from the rules, and
a thousand gold ones.
"""

# %%
def opinions_on(votes):
    """Shares of the classes: the label model's, or the votes' where it only repeats the stars."""
    if believed.accuracy[-1] < 0.99:
        return believed.posterior(votes)
    return vote_shares(torch.from_numpy(votes), 2).numpy()


def likeliest(shares):
    return [SIDES[k] for k in shares.argmax(1)]


taught = classifier(bert, 0)
opinions = opinions_on(votes)
examples = mb.transfer.soft_examples(taught, [e.text for e in pool], opinions)
distilled = mb.transfer.Distilled(taught, temperature=1.0, weight=1.0)
train(distilled, taught.batches(examples, 16, seed=0), 180)
on_valid = opinions_on(mb.transfer.votes(functions, valid, SIDES))
rule_words = pairs_counted(likeliest(opinions), likeliest(on_valid))
some = classifier(bert, 1)
train(some, in_batches(some, many[:200]), 80)

# %%
by_rules = mb.transfer.votes(functions[:-1], test, SIDES)
own = vote_shares(torch.from_numpy(by_rules), 2).numpy()
truth = np.array([SIDES.index(e.label) for e in test])
silent = (by_rules < 0).all(1)
fallback = np.where(silent[:, None], np.array(starred.predict(texts).probabilities.tolist()), own)
bars = {"50 gold": np.mean(results["fine-tuned"]), "200 gold": accuracy(some),
        "1,000 gold": accuracy(plain), "1,000 gold, words": counts.score(test),
        "stars alone": no_gold, "stars, words": star_words,
        "the rules themselves": right_share(own, truth),
        "rules, else stars": right_share(fallback, truth),
        "taught by rules": accuracy(taught), "rules, words": rule_words}
rest = [e for e, s in zip(test, silent, strict=True) if s]
spoken = [e for e, s in zip(test, silent, strict=True) if not s]
for name, some in (("silent", rest), ("heard", spoken)):
    if some:
        print(f"rules {name} ({len(some)} sentences): taught by rules {accuracy(taught, some):.1%},"
              f" stars alone {accuracy(starred, some):.1%}")
if spoken:
    print(f"rules heard: the rules themselves {right_share(own[~silent], truth[~silent]):.1%}")

# %%
fig, ax = mb.show.new("Sentences judged rightly", "", "share right", size=(8.8, 3.6))
palette = [mb.show.PALETTE[name] for name in ("sky", "orange", "vermillion")]
colours = np.repeat(np.array(["#bdbdbd", *palette], object), (4, 2, 2, 2))
drawn = ax.bar(range(len(bars)), bars.values(), color=colours, edgecolor="#5f5f5f",
               hatch=["//" if "words" in name else "" for name in bars])
ax.bar_label(drawn, [f"{share:.0%}" for share in bars.values()], padding=2)
ax.axhline(majority, color="#5f5f5f", linestyle=":")
ax.set_xticks(range(len(bars)), [re.sub("(, |the rules |taught |stars )", r"\1\n", name)
                                   for name in bars], fontsize=8)
ax.set_ylim(0, 1.08)
mb.show.figure(fig, alt="Bars, share of test sentences judged rightly: " + ", ".join(
    f"{name} {share:.0%}" for name, share in bars.items()) +
    f"; always the same answer {majority:.0%}.")

# %% [markdown]
r"""
The colours say where the labels come from: gold, stars, the rules as they are, rules and stars.
Word counts are hatched. Trained on no gold label, rules and stars bring far more than two hundred
gold labels, and come near to a thousand. That is the strongest gain of the chapter. (It is not
quite free: whoever writes rules has looked at sentences.) Who brings it?

- **The labels, not the network.** Compare the hatched bars with their neighbours: from the same
  labels word counts learn at least as much. The task is decided by words, and counting is enough.
- **Rules and stars together.** Word counts that read the stars alone are a strong baseline. Compare
  *stars, words* with *rules, words*: that difference is what the rules bring.
- **The rules where they speak.** There the network that they taught is no better than they are.
  Where they are silent, it is about as good as the network of the stars, and on the whole about as
  good as *rules, else stars*, which trains nothing more. It has what its teachers know, no more.

Here are six sentences of our own, with the true side, what the first rule that speaks says, and
which share of the probability the networks give to *good*, after fifty labels and after the rules:
"""

# %%
said = ["The soup was wonderful.", "Nobody could call the soup cold.", "The soup was not warm.",
        "The landlord carried our bags upstairs.", "The chair broke on the second day.",
        "The waiter had forgotten us."]
sides = ["good", "good", "bad", "good", "bad", "bad"]
before, after = (head.predict(said).probabilities[:, 1].tolist() for head in (tuned[0], taught))
print("is     fifty labels   rules   after the rules")
for text, side, a, b in zip(said, sides, before, after, strict=True):
    spoke = [one for one in rules(text) if one] or ["-"]
    print(f"{side:4}   {a:12.0%}   {spoke[0]:>5}   {b:15.0%}   {text}")

# %% [markdown]
r"""
After fifty labels the network is very sure and often wrong: it knows its fifty sentences by heart,
and its probabilities mean little. After the rules it is more modest, and it may still be wrong.
Look at *not warm*: the rules understand the negation, and the network is undecided. Look at the
last three sentences, too, which *tell* what happened. There the rules mostly say nothing. Only the
stars teach, and they are wrong about nearly one sentence in four.
"""

# %% [markdown]
r"""
## 8. Which of it helped?

Everything of this chapter in one picture: the same task, and the number of gold labels in each
name. Each dot is one run; rows with three dots have one for each draw of fifty. *Words* are word
counts.
"""

# %% tags=["hide-input"]
rows = {"50 gold labels": results["fine-tuned"], "50, words": results["word counts"],
        "50, for as long": [accuracy(longer)], "0, stars alone": [no_gold],
        "0, stars, words": [star_words], "50, stars first": results["stars first"],
        "50, stars, consistency": [agreed],
        "0, taught by rules": [bars["taught by rules"]], "0, rules, words": [rule_words],
        "1,000 gold labels": [single[0]], "1,000, words": [bars["1,000 gold, words"]],
        "1,000, three models": [ensemble], "1,000, their student": [students["of three"]]}
fig, ax = mb.show.new("Where the signal came from", "share of test sentences judged rightly", "",
                      size=(8.2, 4.8))
for row, shares in enumerate(rows.values()):
    ax.plot(shares, [row] * len(shares), "o", color=mb.show.PALETTE["blue"], alpha=0.7)
ax.axvline(majority, color="#5f5f5f", linestyle=":")
ax.set_yticks(range(len(rows)), list(rows))
ax.invert_yaxis()
mb.show.figure(fig, alt="Dots, share of sentences judged rightly: " + "; ".join(
    f"{name} {np.mean(shares):.0%}" for name, shares in rows.items()) + ".")

# %% [markdown]
r"""
Two sources changed the picture on this task: free labels of a related question, and rules. Both
bring something that is in none of the fifty sentences, namely which words are good and which are
bad. Given such labels, counting words does as well as the network or better. Consistency, a
language model and several models can only make the most of what is known already, and here that was
nothing, or little. That is the question to ask of any source of signal before you spend a week on
it: *what does it know that my model does not?*

One run shows little. The first table repeats section 2 with five draws of the world and three
restarts each. The target is the same; the other task is the *verdict* (did the writer of the review
like it?), and the unrelated one is what a sentence is about.

{{findings 11
| the verdict first beats the target alone | intermediate.related - intermediate.plain | percent | helps, most with little data (STILTs) |
| ... and the target alone for as long | intermediate.related - intermediate.longer | percent | - |
| ... and an unrelated task first | intermediate.related - intermediate.unrelated | percent | - |
| ... and word counts on the same labels | intermediate.related - intermediate.words | percent | - |
| ... and the model of the verdict as it is, without any label of the target | intermediate.related - intermediate.direct | percent | - |
| ... and word counts (with pairs) on the verdicts, without any label of the target | intermediate.related - counted.pairs | percent | - |
| restarts differ less after the verdict | intermediate.plain_spread - intermediate.related_spread | percent | steadier (STILTs) |
}}

Read the last three rows with care. The model of the verdict has seen no label of the target. That
fifty of them, learned afterwards, make it better is not shown. So here the other task *replaces*
the target's labels; it does not make them worth more. Word counts on the verdicts, {{finding 11 counted.pairs mean .1%}}
of the sentences, show that the free labels did it, not the network. And that restarts get steadier
is not shown: plain fine-tuning is near chance in every run, and steady for that reason.

The second table repeats the other sections, each with five draws. Sections 2, 4 and 7 keep the good
and bad sentences. *Labels of words* are fifty sentences with parts of speech, on the GPT of
chapter 07. *Kinds of text* are sentences of articles, letters, reviews and others, of which a few
of each kind are labelled: a task that no single word decides.

{{findings 11
| tasks mixed, then the target: the verdict beside beats the target alone for as long | multitask.annealed - multitask.alone | percent | - |
| ... and an unrelated task beside | multitask.annealed - multitask.unrelated | percent | - |
| ... chances that are annealed beat chances in proportion to size | multitask.annealed - multitask.proportional | percent | better (Stickland & Murray 2019) |
| labels of words: a language model beside, from random weights, same texts | auxiliary.scratch_lm - auxiliary.scratch_plain | percent | helps (Rei 2017) |
| ... from random weights, on further texts | auxiliary.scratch_more - auxiliary.scratch_plain | percent | - |
| ... on the pre-trained GPT, same texts | auxiliary.pretrained_lm - auxiliary.pretrained_plain | percent | helps (SiATL) |
| slices: a head of its own, on the sentences that deny | slices.sliced_negated - slices.plain_negated | percent | - |
| ... and the same sentences seen twice | slices.sliced_negated - slices.doubled_negated | percent | - |
| kinds of text, 2 labels of each: consistency beats plain fine-tuning | consistency.uda_2 - consistency.plain_2 | percent | large (UDA) |
| ... 5 labels of each | consistency.uda_5 - consistency.plain_5 | percent | - |
| ... 20 labels of each | consistency.uda_20 - consistency.plain_20 | percent | - |
| kinds of text: five models together beat one | ensemble.seeds - ensemble.single | percent | a little |
| ... their student beats one | ensemble.student - ensemble.single | percent | keeps most of the gain (Hinton 2015) |
| ... and the student of a single teacher | ensemble.student - ensemble.self_taught | percent | - |
| rules and stars without a gold label beat 200 gold labels | rules.trained_model - rules.gold_200 | percent | - |
| ... and the rules, or else the network of the stars | rules.trained_model - rules.rules_else_stars | percent | - |
| ... and word counts on the same labels | rules.trained_model - rules.words_model | percent | - |
| labels by the label model beat labels by majority | rules.labels_model - rules.labels_vote | percent | yes (Ratner et al. 2016) |
}}

What the tasks share decides: the verdict helps, first or beside, and an unrelated task does not.
How the tasks are mixed matters little here. A language model beside a network from random weights
helps if it reads *further* texts. On the labelled texts alone this is not shown, and the
pre-trained GPT, which knows the language already, loses by it. Five models gain two points, and one
student of them has the same two; that the student of a single teacher would be behind is not shown.
Consistency loses a little at each of the three sizes, and neither gain nor harm is shown. (We tried
weights, confidences, hidden and dropped words and synonyms on another draw, and took what did
best.) And the last four rows bear out the moment of this chapter, with its limits. Labels from
rules and stars bring ten points more than two hundred gold labels. But neither the network nor the
label model is shown to add anything: in two of the five draws the label model believes the stars to
100 %.

The third table is **the real thing**: MiniLM's published weights (BERT, 6 layers, already trained
on a billion pairs of sentences) and real sentences about films. Is a sentence a judgement, or does
it tell the plot? There are twenty labels, only three draws of them, and no setting was tuned: do
not read the decimals, and a "no" may be ours.

{{findings 11
| fine-tuned with twenty labels beats word counts | real_few.plain - real_few.words | percent | - |
| ... and frozen states with a logistic regression | real_few.plain - real_few.frozen | percent | - |
| three seeds together beat one | real_few.seeds - real_few.plain | percent | - |
| their student beats one | real_few.student - real_few.plain | percent | keeps most of the gain |
| ... and the student of a single teacher | real_few.student - real_few.self_taught | percent | - |
| consistency beats plain fine-tuning | real_few.consistency - real_few.plain | percent | large (UDA) |
| another task first (movie reviews: liked?) beats plain fine-tuning | real_few.intermediate - real_few.plain | percent | helps (STILTs) |
}}

A model that is good to begin with does nearly all of the work: that fine-tuning beats its frozen
states is not shown. Nor is a gain from consistency, which lost points on average (the interval is
so wide that harm is not shown either), nor one from a task that is *not* close: liked, or not, says
little about what is a judgement.

## 9. Summary

- **Another task first**: free labels of a related question can be worth more than your own. Beside
  it belong the target alone for as long, an unrelated task, and word counts on the same labels.
- **Mixed tasks**: sizes with an exponent decide how often each is drawn. Spend the last updates on
  the target alone. A related task beside helps as much as one before.
- **A language model beside it** is meant to keep the language, with a weight that falls. It helped
  a network from random weights, on further texts, and not one that was pre-trained.
- **Slices**: look at the mistakes, name what they have in common, and report it beside the average.
- **Consistency**: the answer to a text teaches the answer to a changed text. The target stands
  still, and the change must leave the label as it is. It did not help here.
- **Ensembles** gain a little, and one **student** can keep the gain. Its baseline is the student of
  a single teacher.
- **Rules** that vote, weighed by a label model, can label a whole pool. Look at the accuracies that
  it believes in, and ask whether word counts on these labels do as well as your network.

{{quiz 11.q1}}

{{quiz 11.q2}}

{{quiz 11.q3}}

{{quiz 11.q4}}

**A project.** Take a task of your own with a few hundred texts, and label fifty of them and another
hundred to test on. Write down first which of the six sources should help most, and why. Try three
of them, each beside word counts, plain fine-tuning with its own tuned rate, and as many updates on
the fifty labels alone; five draws of the fifty. (A good report states the guess first, shows every
draw, reports at least one slice, and says which source did not help.)
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Phang, Févry & Bowman (2018), *Sentence Encoders on STILTs*,
[arXiv:1811.01088](https://arxiv.org/abs/1811.01088). Stickland & Murray (2019), *BERT and PALs*,
[arXiv:1902.02671](https://arxiv.org/abs/1902.02671). Rei (2017), *Semi-supervised Multitask Learning
for Sequence Labeling*, [arXiv:1704.07156](https://arxiv.org/abs/1704.07156). Chronopoulou,
Baziotis & Potamianos (2019), SiATL, [arXiv:1902.10547](https://arxiv.org/abs/1902.10547). Chen et al.
(2019), *Slice-based Learning*, [arXiv:1909.06349](https://arxiv.org/abs/1909.06349). Xie et al. (2019),
[arXiv:1904.12848](https://arxiv.org/abs/1904.12848). Hinton, Vinyals & Dean (2015),
[arXiv:1503.02531](https://arxiv.org/abs/1503.02531). Dietterich (2000), *Ensemble Methods in Machine
Learning*. Ratner et al. (2016), [arXiv:1605.07723](https://arxiv.org/abs/1605.07723). Dawid & Skene
(1979), *Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm*.
"""
