# ---
# jupyter:
#   minibert:
#     title: What to train, how, and when
#     question: A pre-trained model has millions of weights. Which of them should learn your task, in which order, and how fast?
#     minutes: 90
#     seconds: 100
#     memory_mb: 1500
#     needs: ["chapter 04 (the Transformer's block)", "chapter 06 (fine-tuning BERT)"]
#     skip: "what is marked optional: the exercises 10.chain_thaw and 10.choice, and section 9 (the real thing)"
#     papers:
#       - "Houlsby et al. (2019), Parameter-Efficient Transfer Learning for NLP, arXiv:1902.00751"
#       - "Hu et al. (2021), LoRA: Low-Rank Adaptation of Large Language Models, arXiv:2106.09685"
#       - "Peters, Ruder & Smith (2019), To Tune or Not to Tune?, arXiv:1903.05987"
#       - "Kirkpatrick et al. (2017), Overcoming Catastrophic Forgetting in Neural Networks, arXiv:1612.00796"
# ---

# %% [markdown]
r"""
# 10 · Which weights should learn your task, in which order, and how fast?

{{head}}

Chapter 06 trained every weight of BERT for every task. That works, and it costs: each task needs a
full copy of the model, the memory for training is several times the model, and what the model could
do before is partly lost. At the other end stands a frozen model with one new layer on top. It costs
almost nothing, and on some tasks it learns too little.

Most of this chapter lies between the two ends. You build an **adapter** and a **LoRA** layer and
put them into BERT, so that a few thousand new weights learn while millions rest, which means that
they are frozen. (Papers call the weights that learn *trainable parameters*.) You write a schedule
that says which layer learns when. You measure in nats what fine-tuning forgets, and build an
**anchor** against it: something that holds the old weights or the old predictions. At the end one
figure shows what all of this costs and what it gives, on real data.
"""

# %%
import copy
import itertools
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
device = mb.device()
base = mb.BERT.from_pretrained("minibert-bert").eval()  # chapter 05's: 4 layers of 192
names = mb.world.task("ner", seed=0)
few, test = names.train[: 40 if SMOKE else 200], names.test[: 40 if SMOKE else 300]

# %% [markdown]
r"""
## 1. All weights, no weights

The task of this chapter: find the names in a sentence, from two hundred labelled sentences. The
labels are those of chapter 06 (`B-PER` begins a person, `I-PER` continues it, `O` is no name), and
so is the score: F1 of whole names.

There are two classical ways to use a pre-trained model. In **fine-tuning** all its weights learn,
together with one new layer. With **features** the model is frozen, and only the new layer learns.
Beside them stand two rivals: the same network from random weights, and a list of words, which gives
each word the label that it had most often in the two hundred sentences.
"""

# %%
STEPS = 4 if SMOKE else 90  # updates of 16 sentences


def tagger(start, task=names):
    """A copy of a model, with one new layer for the labels of words."""
    mb.seed_everything(0)
    return mb.heads.TokenClassifier(copy.deepcopy(start), labels=task.labels)


def batches_of(head, sentences):
    examples = head.examples([e.tokens for e in sentences], [e.labels for e in sentences])
    return head.batches(examples, 16)


def train(head, sentences, rate, steps=STEPS, decay=0.01):
    """Train what learns: warm-up for a tenth of the updates, then down to zero."""
    optimizer = mb.optim.adamw(head, rate, weight_decay=decay)
    mb.fit(head, batches_of(head, sentences), steps=steps, progress=False, optimizer=optimizer,
           schedule=mb.optim.linear(steps, warmup=steps // 10))
    return head


def f1(head):
    """F1 of whole names on the test sentences."""
    said = head.predict([e.tokens for e in test]).labels
    return mb.heads.span_f1(said, [list(e.labels) for e in test])


# %% [markdown]
r"""
One detail decides whether such a comparison is fair: the **learning rate**. A few new weights need
a much higher rate than two million old ones. So each way gets its own, the best of three or four on
the validation sentences of two other draws of this task.

*Predict before you run:* how far behind fine-tuning are the features? And the network from scratch?
"""

# %%
RATES = {"all weights": 1e-3, "features": 1e-2, "from scratch": 1e-3, "adapters": 8e-3,
         "lora": 1e-2, "bitfit": 2e-2, "prompts": 2e-2, "pal": 1e-2}
frozen = copy.deepcopy(base).requires_grad_(False)
starts = {"all weights": base, "features": frozen, "from scratch": mb.BERT(base.config, base.tokenizer)}
heads, scores = {}, {}
for way, start in starts.items():
    heads[way] = train(tagger(start), few, RATES[way])
    scores[way] = f1(heads[way])
    counts = mb.transfer.counts(heads[way])
    print(f"{way:>13}: F1 {scores[way]:.3f}, {counts.learning:>9,} numbers learn")
listed = mb.models.cheap.MostFrequentTag().fit(few).predict(test)
print(f"list of words: F1 {mb.heads.span_f1(listed, [list(e.labels) for e in test]):.3f}")

# %% [markdown]
r"""
Pre-training makes the difference here: both ways of using it are far above the network from scratch
and above the list of words. Between features and fine-tuning there is a gap, and between their two
counts there is a factor of a thousand. The question of this chapter is what lies in that gap. Does
it take all weights to close it?

## 2. Three choices

Every method of this chapter answers three questions.

- **Structure.** Which numbers learn? Some of the old ones, or a few new ones that are put in
  between?
- **Order and rate.** When does each of them learn, and how fast?
- **Anchor.** What keeps the old weights near to where they were?

For the first question, the picture shows one block of BERT and the places where new numbers can go.
Read it from the bottom up. Grey is pre-trained and rests. A coloured box is new and learns. (Each
"sum" also takes in what went into the layers below it; that arrow is left out.)
"""

# %% tags=["hide-input"]
OLD, BOX = "#e4e4e4", {"boxstyle": "round,pad=0.35", "edgecolor": "#5f5f5f"}
COLOURS = {"LoRA": "sky", "adapter": "orange", "PAL": "purple", "prompts": "yellow"}


def box(ax, x, y, text, kind=None):
    """A box of the picture: grey, or in the colour of what is new."""
    colour = mb.show.PALETTE[COLOURS[kind]] if kind else OLD
    ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox={**BOX, "facecolor": colour})


def arrow(ax, start, end, **look):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#5f5f5f", **look})


# %% tags=["hide-input"]
ROAD = [(3.3, "attention of each head", None), (4.2, "output  $Wx + b$", None),
        (5.1, "adapter", "adapter"),
        (6.0, "sum, LayerNorm", None), (6.9, "inner  $Wx + b$, GELU", None),
        (7.8, "outer  $Wx + b$", None), (8.7, "adapter", "adapter"), (9.6, "sum, LayerNorm", None)]


def draw_road(ax):
    """The way up through a block, from query, key and value to the last norm."""
    for x, name in ((2.4, "query"), (4.3, "key"), (6.2, "value")):
        box(ax, x, 1.7, f"{name}  $Wx + b$")
        arrow(ax, (x, 2.1), (4.3, 2.9))
        arrow(ax, (4.3, 0.9), (x, 1.3))
    for (y, text, kind), above in zip(ROAD, [*ROAD[1:], None], strict=True):
        box(ax, 4.3, y, text, kind)
        if above:
            arrow(ax, (4.3, y + 0.33), (4.3, above[0] - 0.33))


# %% tags=["hide-input"]
fig, ax = mb.show.new("Where new weights can go into a block", size=(7.8, 6.2))
ax.set_axis_off()
ax.set(xlim=(0, 10), ylim=(-0.4, 10.4))
draw_road(ax)
for x, end, side in ((0.9, 2.0, 1), (7.7, 6.6, -1)):
    box(ax, x, 2.7, "LoRA  $BAx$", "LoRA")
    arrow(ax, (x + 0.5 * side, 2.35), (end, 2.05), linestyle=":")
box(ax, 4.3, 0.5, "states of the tokens")
box(ax, 1.2, 0.5, "prompts", "prompts")
arrow(ax, (2.0, 0.5), (2.9, 0.5))
box(ax, 9.1, 6.0, "PAL: down, narrow\nattention, up", "PAL")
arrow(ax, (5.5, 0.5), (9.1, 5.4), connectionstyle="angle,angleA=0,angleB=90,rad=12")
arrow(ax, (9.1, 6.6), (5.3, 9.6), connectionstyle="angle,angleA=90,angleB=0,rad=12")
ax.text(0.1, 7.2, "BitFit: each $b$ and each\nLayerNorm's bias learn,\nnothing is added", fontsize=9)
mb.show.figure(fig, alt="A block of BERT from bottom to top: states, query, key and value, heads, "
               "output, adapter, sum and norm, feed-forward layers, adapter, sum and norm. LoRA "
               "stands beside query and value, prompts in front of the tokens, and a projected "
               "attention layer beside the whole block.")

# %% [markdown]
r"""
## 3. Adapters

An **adapter** is a small network that is put behind a layer. It takes the layer's output down to
few numbers and up again, and adds the result to what came in:

$$
\mathrm{adapter}(h) = h + W_{\text{up}}\,\mathrm{GELU}(W_{\text{down}}\,h + b_{\text{down}})
                    + b_{\text{up}}
$$

With states of width $d$ and a **bottleneck** of $m$ numbers, $W_{\text{down}}$ is $(m, d)$ and
$W_{\text{up}}$ is $(d, m)$: together with the biases $2dm + d + m$ numbers. Houlsby et al. (2019)
put two of them into each block, behind attention and behind the feed-forward layers, both before
the sum. The LayerNorms learn, too. Everything else rests.

Where should it begin? The model below has been trained without any adapter, so a fresh one must not
disturb it. The weights are drawn close to zero. Then $\mathrm{adapter}(h) \approx h$, while the
gradient is not zero.

{{exercise 10.adapter}}

Build the class `Adapter(dim, size)` with two linear layers called `down` and `up`. Draw their
weights with a standard deviation of 0.01, and set the biases to zero. `forward` takes states
`(..., dim)`.
"""

# %%
class Adapter(nn.Module):
    """h + up(GELU(down(h))), near the identity at first."""

    def __init__(self, dim, size):
        super().__init__()
        ### BEGIN SOLUTION
        self.down, self.up = nn.Linear(dim, size), nn.Linear(size, dim)
        for layer in (self.down, self.up):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        ### END SOLUTION

    def forward(self, h):
        out = h
        ### BEGIN SOLUTION
        out = h + self.up(F.gelu(self.down(h)))
        ### END SOLUTION
        return out


# %%
mb.course.check("10.adapter", Adapter)

# %%
Adapter = mb.course.use("10.adapter", Adapter)

# %% [markdown]
r"""
To put it into BERT, we replace a layer by that layer with an adapter behind it. The library does
the same with `mb.transfer.add(model, "adapters", size=16)`. Here both are given the same weights,
far from zero, and compared.
"""

# %% tags=["nbval-check-output"]
with_adapters, theirs = copy.deepcopy(base), copy.deepcopy(base)
mb.transfer.add(theirs, "adapters", size=16)
for block, other in zip(with_adapters.stack.blocks, theirs.stack.blocks, strict=True):
    for owner, same, name in ((block.attention, other.attention, "output"),
                              (block.ffn, other.ffn, "outer")):
        mine = Adapter(192, 16)
        nn.init.normal_(mine.up.weight, std=0.5)
        setattr(owner, name, nn.Sequential(getattr(owner, name), mine))
        getattr(same, name).adapter.load_state_dict(mine.state_dict())
ids = torch.tensor([base.tokenizer.encode("Ada Pell lives in Wold.", specials=True)])
with torch.no_grad():
    found, wanted, plain = (m(ids).last_hidden_state for m in (with_adapters, theirs, base))
assert torch.allclose(found, wanted, atol=1e-4) and not torch.allclose(found, plain, atol=0.1)
print("by hand and by the library: the same states")
print(f"8 adapters of {sum(p.numel() for p in Adapter(192, 16).parameters()):,} numbers")

# %% [markdown]
r"""
## 4. LoRA

An adapter is one more step on the way up, in training and in every prediction. **LoRA** (low-rank
adaptation, Hu et al. 2021) changes the matrices themselves, and can be made to cost nothing at
prediction time. Its idea: what a task changes in a matrix $W$ of shape (out, in) may have a low
rank, so it can be written as a product of two thin matrices.

$$
y = W x + b + \tfrac{\alpha}{r}\, B A x, \qquad A: (r, \text{in}), \quad B: (\text{out}, r)
$$

$W$ and $b$ rest; $A$ and $B$ learn. $A$ starts at random and $B$ at zero, so that nothing is
changed at first. The scale $\alpha / r$ is there so that a rate chosen for one **rank** $r$ still
fits another one. The paper puts it beside the query and the value matrix of each block.

After training, $W + \frac{\alpha}{r} B A$ is a matrix of the same shape as $W$. It can take the
place of $W$: LoRA is **merged**, and the model is as quick as before.

{{exercise 10.lora}}

Build the class `LoRA(linear, rank, alpha)` for an `nn.Linear`, in two cells: what stands beside the
layer in the first, and how it is merged in the second.

1. The layer is kept as `self.linear`, and rests (`requires_grad_(False)`). `self.A` and `self.B`
   are two `nn.Parameter`; nothing else learns.
2. `forward(x)` gives $y$, for `x` of the shape `(..., in)`.
3. `merge()` adds the change to the layer's own matrix. From then on `forward` must not add it
   again. A second `merge` raises a `ValueError`.
4. `unmerge()` takes that back. The matrix is then bit for bit what it was, and the change stands
   beside it again. Where nothing is merged, it raises a `ValueError`.
"""

# %%
class Beside(nn.Module):
    """A linear layer that rests, and a change of low rank beside it."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        self.kept = None  # the layer's matrix before the change was merged into it
        ### BEGIN SOLUTION
        linear.requires_grad_(False)
        self.scale, like = alpha / rank, {"device": linear.weight.device}
        self.A = nn.Parameter(torch.randn(rank, linear.in_features, **like) * rank**-0.5)
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank, **like))
        ### END SOLUTION

    def forward(self, x):
        y = self.linear(x)
        ### BEGIN SOLUTION
        if self.kept is None:
            y = y + self.scale * (x @ self.A.T) @ self.B.T
        ### END SOLUTION
        return y


# %%
class LoRA(Beside):
    """The same, and the change can be merged into the layer's matrix."""

    def merge(self):
        ### BEGIN SOLUTION
        if self.kept is not None:
            raise ValueError("it is merged already: twice would count it twice")
        self.kept = self.linear.weight.detach().clone()
        with torch.no_grad():
            self.linear.weight += self.scale * self.B @ self.A
        ### END SOLUTION
        return self

    def unmerge(self):
        ### BEGIN SOLUTION
        if self.kept is None:
            raise ValueError("nothing is merged")
        with torch.no_grad():
            self.linear.weight.copy_(self.kept)
        self.kept = None
        ### END SOLUTION
        return self


# %%
mb.course.check("10.lora", LoRA)

# %%
LoRA = mb.course.use("10.lora", LoRA)

# %% [markdown]
r"""
Again the library's version, `mb.transfer.add(model, "lora", rank=4, alpha=8)`, gets the same
weights. (The project's tests hold that one equal to the `peft` library, too: outputs, gradients,
counts and merged matrices.)
"""

# %% tags=["nbval-check-output"]
with_lora, theirs, layers = copy.deepcopy(base), copy.deepcopy(base), []
mb.transfer.add(theirs, "lora", rank=4, alpha=8)
with torch.no_grad():
    for block, other in zip(with_lora.stack.blocks, theirs.stack.blocks, strict=True):
        for name in ("query", "value"):
            layers.append(LoRA(getattr(block.attention, name), rank=4, alpha=8))
            nn.init.normal_(layers[-1].B, std=0.05)
            setattr(block.attention, name, layers[-1])
            same = getattr(other.attention, name)
            same.down.weight.copy_(layers[-1].A)
            same.up.weight.copy_(layers[-1].B)
    found, wanted = (m(ids).last_hidden_state for m in (with_lora, theirs))
    assert torch.allclose(found, wanted, atol=1e-4) and not torch.allclose(found, plain, atol=0.1)
    print("by hand and by the library: the same states")
    for layer in layers:
        layer.merge()
    assert torch.allclose(with_lora(ids).last_hidden_state, found, atol=1e-3)
    for layer in layers:
        layer.unmerge()
print("merged: the same states. Unmerged, all matrices are bit for bit as before:",
      all(torch.equal(a.attention.query.linear.weight, b.attention.query.weight)
          for a, b in zip(with_lora.stack.blocks, base.stack.blocks, strict=True)))

# %% [markdown]
r"""
**Two ways to spoil a merge.** Merging twice counts the change twice; that is why the second
`merge` raises an error. The other one is harder to see. In many language models the output layer
is **tied**: its matrix *is* the table of word vectors at the input. As long as it stands beside
such a layer, LoRA changes the output alone. Merged into it, it changes what the model reads as
well.
"""

# %% tags=["nbval-check-output"]
tied = mb.heads.Pretraining.from_pretrained("minibert-bert").eval()
decoder = tied.output.decoder
print("one tensor:", decoder.weight is tied.encoder.embeddings.word.weight)
with torch.no_grad():
    before = tied.encoder(ids).last_hidden_state
    said = tied.output(before)
    tied.output.decoder = lora = LoRA(decoder, rank=4, alpha=4)
    nn.init.normal_(lora.B, std=0.1)
    print("beside the layer, the output stays as it was:",
          torch.allclose(tied.output(before), said, atol=0.1))
    print("beside the layer, the states stay:",
          torch.equal(tied.encoder(ids).last_hidden_state, before))
    lora.merge()
    print("merged, the states stay:",
          torch.allclose(tied.encoder(ids).last_hidden_state, before, atol=0.1))

# %% [markdown]
r"""
`mb.transfer.add` therefore goes into the blocks only, whose matrices nothing else shares.

## 5. Five ways between all and nothing

Three more methods need a paragraph each.

- **BitFit** (Ben Zaken et al. 2022): nothing is added. The biases learn, of the linear layers and
  of the LayerNorms, and no matrix does.
- **Soft prompts** (Lester et al. 2021): a few vectors are put in front of the text, as if they were
  embedded words. They alone learn. Every token can attend to them.
- **Projected attention layers** (PALs, Stickland & Murray 2019): beside each block runs a narrow
  attention of its own. The projections down to it and up again are shared by all blocks, so that
  each block adds little. They were made for several tasks on one BERT.

Each is one line: `mb.transfer.add(head, "bitfit")`, and with other names `"prompts"`, `"pal"`,
`"lora"`, `"adapters"`. The model below is frozen, what is added learns, and so does the head's new
layer. `mb.transfer.remove` takes everything off, and the model is bit for bit what it was.

*Predict before you run:* which of the five comes closest to fine-tuning all weights? And what is
the share of the weights that it trains?
"""

# %%
SETTINGS = {"bitfit": {}, "prompts": {"length": 10}, "lora": {"rank": 4},
            "adapters": {"size": 16}, "pal": {"size": 24, "heads": 4}}
folder = Path(tempfile.mkdtemp())
for way, settings in SETTINGS.items():
    heads[way] = tagger(base)
    mb.transfer.add(heads[way], way, **settings)
    scores[way] = f1(train(heads[way], few, RATES[way]))
for way in ("features", *SETTINGS):
    mb.transfer.save_added(heads[way], folder / way, base="minibert-bert")
heads["all weights"].save_pretrained(folder / "all weights")

# %%
points = {}
print(f"{'':>11}    F1  numbers that learn     share     file")
for way in ("features", *SETTINGS, "all weights"):
    counts = mb.transfer.counts(heads[way])
    size = sum(path.stat().st_size for path in (folder / way).iterdir()) / 1000
    points[way] = (counts.learning, scores[way])
    print(f"{way:>11} {scores[way]:.3f}  {counts.learning:>18,}  {counts.share:>8.2%} {size:>6,.0f} kB")

# %% [markdown]
r"""
Look at the column `share` first, and then at F1. Some methods that train less than one percent of
the weights come most of the way from features to fine-tuning, and what is saved for the task is a
small file instead of another copy of the model. (The counts include the head's new layer.) One
draw of two hundred sentences cannot order methods that lie two or three points apart; section 8
has several seeds and real data. Of the five, soft prompts train the fewest numbers, and Lester et
al. found that they catch up with fine-tuning only as models grow very large.

Which of these methods are worth a look at all? Not those for which another one trains no more
numbers *and* scores at least as well. The others form the **frontier**.

{{exercise 10.frontier}}

Write `frontier(points)`. `points` has for each name a pair `(numbers that learn, score)`. One
method beats another if it trains no more numbers and scores no worse, and is better in at least
one of the two. Return the list of the names that no other one beats, sorted by the numbers that
learn.
"""

# %%
def frontier(points):
    """The names that no other one beats, those with the fewest numbers first."""
    best = None
    ### BEGIN SOLUTION
    def beats(a, b):
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    best = [name for name, point in points.items()
            if not any(beats(other, point) for other in points.values())]
    best = sorted(best, key=lambda name: points[name][0])
    ### END SOLUTION
    return best


# %%
mb.course.check("10.frontier", frontier)

# %%
frontier = mb.course.use("10.frontier", frontier)
line = frontier(points)
fig, ax = mb.show.new("What learns, and what it gives", "numbers that learn", "F1 of names")
ax.plot(*zip(*(points[name] for name in line), strict=True), "--", color="#5f5f5f", label="frontier")
for name, (x, y) in points.items():
    ax.plot(x, y, "o" if name in line else "x", ms=8, mew=2,
            color=mb.show.PALETTE["blue" if name in line else "vermillion"])
    ax.annotate(name, (x, y), (0, 9), textcoords="offset points", ha="center", fontsize=9)
ax.set_xscale("log")
ax.margins(0.15)
ax.legend(loc="lower right")
told = ", ".join(f"{name} {y:.2f}" for name, (_, y) in points.items())
mb.show.figure(fig, alt=f"F1 against the numbers that learn, on a log axis: {told}. On the frontier: "
                        + ", ".join(line) + ".")

# %% [markdown]
r"""
A cross marks a method that another one beats, on this draw.

### It works: one base, many tasks

Here is what this buys. The next cell trains a second task on the same base: the part of speech of
each word. Then there is *one* model in memory, and two small files. Each file turns it into the
tagger of one task, and is taken off again. First one sentence, and then all test sentences.
"""

# %%
speech = mb.world.task("pos", seed=0)
second = tagger(base, speech)
mb.transfer.add(second, "lora", rank=4)
train(second, speech.train[: 40 if SMOKE else 200], RATES["lora"], STEPS * 2 // 3)
mb.transfer.save_added(second, folder / "speech", base="minibert-bert")
one = copy.deepcopy(base)  # the only full model from here on
sentence = test[3].tokens
columns, took = [sentence], []
for task in ("lora", "speech"):
    start = time.perf_counter()
    head = mb.heads.TokenClassifier.from_pretrained(folder / task, base=one)
    columns.append(head.predict([sentence]).labels[0])
    mb.transfer.remove(one)
    took.append(time.perf_counter() - start)
for row in zip(*columns, strict=True):
    print("".join(f"{cell:<14}" for cell in row))
print(f"put in, read, taken off: {max(took):.2f} seconds a task at most")

# %%
unseen, said = speech.test[: 40 if SMOKE else 300], {}
for task, sentences in (("lora", test), ("speech", unseen)):
    head = mb.heads.TokenClassifier.from_pretrained(folder / task, base=one)
    said[task] = head.predict([e.tokens for e in sentences]).labels
    mb.transfer.remove(one)
said["list"] = mb.models.cheap.MostFrequentTag().fit(speech.train[: len(few)]).predict(unseen)
again = mb.heads.span_f1(said["lora"], [list(e.labels) for e in test])
print(f"names: F1 {again:.3f} from the file, {scores['lora']:.3f} before it was saved")

def right(labels):
    """The share of words whose part of speech is right."""
    true = itertools.chain.from_iterable(e.labels for e in unseen)
    return np.mean([a == b for a, b in zip(itertools.chain(*labels), true, strict=True)])

print(f"parts of speech: {right(said['speech']):.1%} of the words right from the file, "
      f"{right(said['list']):.1%} with a list of words")
print("the base is bit for bit what it was:",
      mb.transfer.fingerprint(one) == mb.transfer.fingerprint(base))

# %% [markdown]
r"""
Both files bring back their tagger, each better than a list of words. With a hundred tasks, that is
one model and a hundred small files, instead of a hundred models. And since the base was never
changed, nothing can have been forgotten.

## 6. In which order, and how fast

The second question: *when* does each layer learn? Answers differ, and all of them fit into one
matrix with a row for each layer and a column for each update. It holds the learning rate, and NaN
where the layer is frozen. `mb.transfer.rates` makes such matrices.

- **All but the top frozen**: features. Nothing else ever learns.
- **Chain-thaw** (Felbo et al. 2017): the top alone; then each other layer alone, from the lowest
  up; then all.
- **Gradual unfreezing** (Howard & Ruder 2018; chapter 03): the top, then one more layer at a time.
- **Sequential unfreezing** (Chronopoulou et al. 2019): the top; then all but the embeddings; then
  all.
- **Discriminative rates**: each layer learns more slowly than the one above it.
- **Warm-up, then a fall** (a **triangle**): all layers from the start, but the rate rises first and
  then falls.
"""

# %%
ROWS = ["embeddings", "block 1", "block 2", "block 3", "block 4", "new layer"]
falling = mb.optim.slanted_triangular(60)
plans = {"all but the top frozen": mb.transfer.rates("top", 6, 60, 1e-3),
         "chain-thaw": mb.transfer.rates("chain-thaw", 6, 60, 1e-3),
         "gradual unfreezing": mb.transfer.rates("gradual", 6, 60, 1e-3),
         "sequential unfreezing": mb.transfer.rates("sequential", 6, 60, 1e-3),
         "discriminative rates": mb.transfer.rates("all", 6, 60, 1e-3, factor=2.6),
         "a triangle": mb.transfer.rates("all", 6, 60, 1e-3, schedule=falling)}
fig, axes = mb.show.new("Which layer learns when, and how fast", rows=2, columns=3, size=(8, 4.8),
                        sharex=True, sharey=True)
for number, (ax, (name, plan)) in enumerate(zip(axes.flat, plans.items(), strict=True)):
    image = ax.imshow(np.log10(plan), aspect="auto", origin="lower", cmap="cividis", vmin=-5,
                      vmax=-3, interpolation="nearest")
    ax.patch.set(facecolor="#dddddd", hatch="///", edgecolor="white")
    ax.set_title(name, fontsize=10)
    ax.set(xlabel="update" if number > 2 else "", ylabel="" if number % 3 else "layer")
    ax.set_yticks(range(6), ROWS)
    ax.grid(False)
fig.colorbar(image, ax=axes, label="log10 of the learning rate", shrink=0.8)
mb.show.figure(fig, alt="Six maps of layers by updates. Hatched layers are frozen: all but the top in "
               "the first; one after the other in chain-thaw; fewer and fewer in the next two. In "
               "the last two all learn, with lower rates below or with a rise and a fall.")

# %% [markdown]
r"""
{{exercise 10.chain_thaw}}

(Optional.) Write `chain_thaw(layers, steps, rate, share)`, a tensor `(layers, steps)`; row 0 is the
lowest layer, row `layers - 1` the top. The **stages**: the top alone; layer 0 alone, layer 1
alone, and so on up to layer `layers - 2`; then all layers. These are `layers` stages before the
last one. The last one begins at update `last = int(steps * share)`. Before that, the stage of
update `step` is number `step * layers // last`, counted from 0.
"""

# %%
def chain_thaw(layers, steps, rate, share):
    """The rate of each layer at each update; NaN where it is frozen."""
    found = torch.full((layers, steps), torch.nan)
    ### BEGIN SOLUTION
    top, everything = layers - 1, list(range(layers))
    stages = [[top], *([layer] for layer in everything[:-1]), everything]
    last = int(steps * share)
    for step in range(steps):
        stage = step * layers // last if step < last else layers
        found[stages[stage], step] = rate
    ### END SOLUTION
    return found


# %%
mb.course.check("10.chain_thaw", chain_thaw)

# %% [markdown]
r"""
Such a matrix is not only a picture: `mb.transfer.following` hands it to `mb.fit`, which follows it.
(Our model has a seventh group, the pooler, which no word's label needs. It gets the row of the new
layer.) *Predict before you run:* does either order help, compared with fine-tuning all weights from
the first update on?
"""

# %%
chain_thaw = mb.course.use("10.chain_thaw", chain_thaw)
assert np.allclose(chain_thaw(6, 60, 1e-3, 0.5), plans["chain-thaw"], equal_nan=True)
falling = mb.optim.linear(STEPS, warmup=STEPS // 10)
orders = {"chain-thaw": np.asarray(chain_thaw(6, STEPS, RATES["all weights"], 0.5)),
          "gradual, discriminative, falling": mb.transfer.rates(
              "gradual", 6, STEPS, RATES["all weights"], factor=1.3, schedule=falling)}
for name, plan in orders.items():
    head = tagger(base)
    plan = np.insert(plan, 5, plan[-1], axis=0)  # the pooler's row
    mb.fit(head, batches_of(head, few), progress=False, **mb.transfer.following(head, plan))
    print(f"{name:>33}: F1 {f1(head):.3f}")
print(f"{'all weights, warm-up and fall':>33}: F1 {scores['all weights']:.3f}")

# %% [markdown]
r"""
No difference worth the name shows on this draw. Each order was made against a danger: the first
gradients come through a new layer that knows nothing, and could spoil the layers below. A warm-up
and a rate that was tuned are another way to avoid that. The first orders were made for LSTMs, which
need such care more than Transformers do, or so it is said. So here are both, over
{{finding 10 order.bert_plain seeds}} seeds: BERT, and the AWD-LSTM of chapter 03, learn *topic* from
a hundred labels. Each order has the best of its rates on validation texts. "Spread" is the standard
deviation over restarts with the same labels; "lost" is what the score falls by at rates beside the
best one.

{{findings 10
| BERT: gradual unfreezing beats all layers at once | order.bert_gradual - order.bert_plain | percent | - |
| LSTM: gradual unfreezing beats all layers at once | order.lstm_gradual - order.lstm_plain | percent | yes (Howard & Ruder 2018) |
| BERT: discriminative rates beat one rate | order.bert_discriminative - order.bert_plain | percent | - |
| LSTM: discriminative rates beat one rate | order.lstm_discriminative - order.lstm_plain | percent | yes (Howard & Ruder 2018) |
| BERT: chain-thaw beats all layers at once | order.bert_chain - order.bert_plain | percent | - |
| LSTM: chain-thaw beats all layers at once | order.lstm_chain - order.lstm_plain | percent | yes (Felbo et al. 2017) |
| BERT: sequential unfreezing beats all layers at once | order.bert_sequential - order.bert_plain | percent | - |
| LSTM: sequential unfreezing beats all layers at once | order.lstm_sequential - order.lstm_plain | percent | - |
| the LSTM's scores spread more over restarts | order.lstm_spread - order.bert_spread | percent | Transformers are easier to fine-tune (Peters et al. 2019) |
| the LSTM loses more at other rates | order.lstm_lost - order.bert_lost | percent | the same |
| BERT beats counted words | order.bert_plain - order.words | percent | - |
| the LSTM beats counted words | order.lstm_plain - order.words | percent | - |
}}

The history would make you expect the opposite. Gradual unfreezing and discriminative rates help
BERT, for which they were not made; no order is shown to help the LSTM. Only its wider spread is as
expected.

And there is a warning. The rates were chosen on *one* draw, so that all layers at once may not have
had their best one. Their scores at other rates are stored, too. *Predict before you run:* what is
left of the two leads if all layers at once learn at a rate 3.2 times as high?
"""

# %%
from minibert.course.learn.finding import t_interval

measured = mb.course.findings("10")
higher = [at_rates[2] for at_rates in measured.values("order.bert_by_rate")]  # 3.2 times the rate
for rival, values in (("the chosen rate", measured.values("order.bert_plain")),
                      ("3.2 times that rate", higher)):
    print(f"all layers at once, {rival}: {np.mean(values):.1%}")
    for order in ("gradual", "discriminative"):
        ahead = [100 * (a - b) for a, b in
                 zip(measured.values(f"order.bert_{order}"), values, strict=True)]
        low, high = t_interval(ahead)
        print(f"    {order:>14} is ahead by {np.mean(ahead):.1f} points ({low:.1f} to {high:.1f})")

# %% [markdown]
r"""
At the higher rate all layers at once score no worse on the test texts, and neither lead is shown
any more. (Whoever looks for a rival's rate in test scores favours the rival. So this is a
doubt about the table, and no result of its own.) A claim about an order stands or falls with the
rate of its rival.
"""

# %% [markdown]
r"""
## 7. What is forgotten, and what holds it

The third question. Our tagger was once a language model: it filled gaps in sentences. Can it still?
We keep the masked-word output of chapter 05 and put it back on the fine-tuned encoder. The loss on
**old text**, sentences of the kind that it was pre-trained on, measures in nats per masked piece
what has been **forgotten**.
"""

# %%
def old_text(seed, tokens):
    """Batches of texts of the world with masked words."""
    corpus = mb.world.generate(tokens=tokens, seed=seed)
    documents = [document.lines() for document in corpus.documents]
    made = mb.text.PretrainingBatches(documents, base.tokenizer, 32, max_length=64,
                                      next_sentence=False, seed=1)
    return list(made.of_epoch(0))


held_out, remembered = old_text(501, 3_000 if SMOKE else 12_000), old_text(502, 6_000)


def both_heads():
    """(a tagger, a masked language model) on one and the same encoder."""
    whole = mb.heads.Pretraining.from_pretrained("minibert-bert").to(device)
    mb.seed_everything(0)
    head = mb.heads.TokenClassifier(whole.encoder, labels=names.labels).to(device)
    old = mb.heads.MaskedLM(whole.encoder)
    old.output = whole.output
    return head, old.eval()


# %%
def held(make_anchor=None, rate=RATES["all weights"], steps=STEPS * 2 // 3):
    """Fine-tune with an anchor, or none: (F1, loss on the old text afterwards)."""
    head, old = both_heads()
    if make_anchor is None:
        train(head, few, rate, steps, decay=0.0)
    else:
        with mb.transfer.anchored(head, make_anchor(head.encoder, old)):
            train(head, few, rate, steps, decay=0.0)
    return f1(head), mb.training.evaluate(old.eval(), held_out)


def by_frequency(counted):
    """The loss on the old text if each piece were predicted by its frequency in another text."""
    seen = [b["input_ids"].where(b["labels"] < 0, b["labels"])[b["attention_mask"].bool()]
            for b in counted]
    times = torch.cat(seen).bincount(minlength=len(base.tokenizer)) + 0.1
    masked = torch.cat([b["labels"][b["labels"] >= 0] for b in held_out])
    return -(times / times.sum()).log()[masked].mean().item()


# %%
_, old = both_heads()
before = mb.training.evaluate(old, held_out)
results = {"none, full rate": held(), "none, half the rate": held(rate=RATES["all weights"] / 2)}
print(f"before: {before:.2f} nats per masked piece")
guess = by_frequency(old_text(503, 3_000 if SMOKE else 40_000))
print(f"by the frequency of pieces alone: {guess:.2f}")
for name, (score, loss) in results.items():
    print(f"{name:>20}: F1 {score:.3f}, old text {loss:.2f}, perplexity {np.exp(loss):,.0f}")

# %% [markdown]
r"""
Two hundred sentences are enough to lose about half of what the language model knew beyond the
frequency of pieces. Nothing in the new loss asks to keep it, so each update goes wherever the
labels want. A lower rate forgets less and learns less. This is the cheap rival that an anchor has
to beat. (F1 is not that of section 1: there are fewer updates here, and no weight decay.)

### Pull every weight back: L2-SP

Weight decay pulls weights to zero. **L2-SP** pulls them to their **s**tarting **p**oint instead
(Li et al. 2018; for question answering Wiese et al. 2017). To the loss of the task it adds

$$
\frac{\lambda}{2} \sum_i (w_i - w_i^{\text{start}})^2 .
$$

All weights are pulled equally, whether the old task needs them or not.

### Pull those back that matter: EWC

**Elastic weight consolidation** (Kirkpatrick et al. 2017) pulls each weight as hard as the old task
needs it:

$$
\frac{\lambda}{2} \sum_i F_i\,(w_i - w_i^{\text{start}})^2, \qquad
F_i = \frac{1}{N} \sum_{n=1}^{N} \left(
  \frac{\partial \log p(y_n \mid x_n)}{\partial w_i} \right)^2
$$

$F$ is the diagonal of the **Fisher information**, here the *empirical* one, with the labels of the
data. $F_i$ is large if the likelihood of single old examples depends strongly on weight $i$.

Note the price: $F$ is computed on old text, which one must still have. L2-SP does not need it.

{{exercise 10.find_the_bug}}

This function was found in a public repository, and its anchors hold nothing. It has two mistakes.
`loss(example)` gives $-\log p$ of one example, a scalar; the result has a tensor for each weight of
the model by its name.
"""

# %%
def fisher(model, loss, examples):
    """The diagonal of the empirical Fisher information: {name: tensor}."""
    names, weights = zip(*model.named_parameters(), strict=True)
    mean = sum(loss(example) for example in examples) / len(examples)
    gradients = torch.autograd.grad(mean, weights, materialize_grads=True)
    found = {name: g.square() for name, g in zip(names, gradients, strict=True)}
    ### BEGIN SOLUTION
    was = model.training
    model.eval()  # no dropout
    found = {name: torch.zeros_like(w) for name, w in zip(names, weights, strict=True)}
    for example in examples:
        gradients = torch.autograd.grad(loss(example), weights, materialize_grads=True)
        for name, gradient in zip(names, gradients, strict=True):
            found[name] += gradient.square() / len(examples)
    model.train(was)
    ### END SOLUTION
    return found


# %%
mb.course.check("10.find_the_bug", fisher)

# %%
fisher = mb.course.use("10.find_the_bug", fisher)
rows = [{name: x[i : i + 1].to(device) for name, x in batch.items()}
        for batch in remembered for i in range(len(batch["input_ids"]))][: 10 if SMOKE else 60]
importance = fisher(old, lambda row: old.loss(row)[0], rows)
theirs = mb.transfer.fisher(old, rows, part=old)
assert all(torch.allclose(importance[n], f, rtol=1e-2, atol=1e-6) for n, f in theirs.items())
importance = {name.removeprefix("encoder."): f for name, f in importance.items()
              if name.startswith("encoder.")}
groups = {"embeddings": "embeddings", **{f"block {n + 1}": f"stack.blocks.{n}." for n in range(4)}}
for name, start in groups.items():
    some = torch.cat([f.flatten() for n, f in importance.items() if n.startswith(start)])
    print(f"{name:>11}: mean F {some.mean():.5f}; the upper 1 % hold "
          f"{some.sort(descending=True).values[: len(some) // 100].sum() / some.sum():.0%} of it")

# %% [markdown]
r"""
Importance is spread very unevenly: a hundredth of the weights holds a large part of it. That is
what EWC can use and L2-SP cannot.

{{exercise 10.ewc}}

Build the class `EWC(part, importance, strength)`. When it is made, it remembers the weights of
`part` (a module) as they are now. `penalty(model, batch)` gives
$\frac{\lambda}{2} \sum_i F_i (w_i - w_i^{\text{start}})^2$, a scalar tensor with a gradient;
`strength` is $\lambda$, and `importance` has a tensor for weights of `part` by name. Weights that
it does not name are free. (`begin` is called by the library before the training, and may stay
empty; `model` and `batch` are not needed.)
"""

# %%
class EWC:
    """An anchor: each weight is pulled back as hard as the old task needs it."""

    def __init__(self, part, importance, strength):
        self.part, self.importance, self.strength = part, importance, strength
        ### BEGIN SOLUTION
        self.start = {name: p.detach().clone() for name, p in part.named_parameters()}
        ### END SOLUTION

    def begin(self, model):
        pass

    def penalty(self, model, batch):
        total = 0.0
        ### BEGIN SOLUTION
        for name, p in self.part.named_parameters():
            if name in self.importance:
                total = total + (self.importance[name] * (p - self.start[name]) ** 2).sum()
        total = self.strength / 2 * total
        ### END SOLUTION
        return total


# %%
mb.course.check("10.ewc", EWC)

# %% [markdown]
r"""
### Keep the predictions: distillation to the old model

A third anchor leaves the weights alone. **Learning without forgetting** (LwF, Li & Hoiem 2016)
keeps a copy of the old model, lets both read the new sentences, and adds how far their predictions
differ: $\mathrm{KL}(p_{\text{old}} \,\|\, p_{\text{now}})$. By hand:
"""

# %%
EWC = mb.course.use("10.ewc", EWC)


class KeepPredictions:
    """An anchor: on the new texts, the old head predicts what it predicted before."""

    def __init__(self, old, strength):
        self.old, self.before, self.strength = old, copy.deepcopy(old).eval(), strength

    def begin(self, model):
        pass

    def penalty(self, model, batch):
        given = {name: batch[name] for name in ("input_ids", "attention_mask")}
        real = batch["attention_mask"].bool()
        now = self.old(**given)[real].log_softmax(-1)  # (tokens, V)
        with torch.no_grad():
            before = self.before(**given)[real].log_softmax(-1)
        return self.strength * F.kl_div(now, before, reduction="batchmean", log_target=True)


# %% [markdown]
r"""
EWC has a cheap rival of its own. Whoever has old text to compute $F$ can just as well go on
learning it: each update adds the loss of a batch of old text. This is **rehearsal**.
"""

# %%
class Rehearse:
    """No anchor, but used like one: each update learns a batch of the old text, too."""

    def __init__(self, old, batches):
        self.old, self.batches = old, itertools.cycle(batches)

    def begin(self, model):
        pass

    def penalty(self, model, batch):
        losses, count = self.old.loss({n: x.to(device) for n, x in next(self.batches).items()})
        return losses / count


# %% [markdown]
r"""
(The library's three are `mb.transfer.L2SP`, `EWC` and `LwF`; the last one has a temperature, too.)
*Predict before you run:* which anchor keeps most of the old text, and which costs most of the new
task?
"""

# %%
makers = {
    "L2-SP, 0.01": lambda part, old: mb.transfer.L2SP(part, weight=0.01),
    "L2-SP, 0.1": lambda part, old: mb.transfer.L2SP(part, weight=0.1),
    "EWC, 10": lambda part, old: EWC(part, importance, 10.0),
    "EWC, 50": lambda part, old: EWC(part, importance, 50.0),
    "LwF": lambda part, old: KeepPredictions(old, 1.0),
    "rehearsal": lambda part, old: Rehearse(old, remembered),
}
for name, maker in makers.items():
    results[name] = held(maker)
fig, ax = mb.show.new("What is learned, and what is forgotten", "loss on the old text (nats)",
                      "F1 of names")
for (name, (score, loss)), marker in zip(results.items(), "oossDDPX", strict=True):
    ax.plot(loss, score, marker, ms=9)
    ax.annotate(name, (loss, score), (0, -18 if "EWC" in name else 10),
                textcoords="offset points", ha="center", fontsize=9)
ax.axvline(before, color="#5f5f5f", linestyle="--")
ax.margins(0.18)
ax.text(before, ax.get_ylim()[1], " before", va="top", color="#5f5f5f")
told = "; ".join(f"{name}: F1 {s:.2f}, {loss:.2f} nats" for name, (s, loss) in results.items())
mb.show.figure(fig, alt=f"F1 against the loss on the old text. {told}. Before: {before:.2f} nats.")

# %% [markdown]
r"""
Up and to the left is good. The strength of an anchor moves it along a curve: the stronger, the
less is forgotten and the less is learned. The weak L2-SP forgets less than half the rate does, at
a higher F1; the strong one pays for what it keeps. The weak EWC forgets far less than either, at
an F1 between theirs. But rehearsal does as well, without any theory. Keeping the predictions
remembers most here, and needs no old text. There is a reason for caution: our new sentences come
from the same world as the old text, so the old model is asked about just what is to be kept. Each
of its updates also takes longer, since two more models read the batch.

Is that luck? Here the same was measured with another model and task, over
{{finding 10 forgetting.none_old seeds}} seeds: the GPT of the world learns *topic*. The strength of
each anchor and the lower rate were chosen on validation data: those that forget least at the cost
of at most a point there. (The Fisher information takes labels drawn from the model there. Rehearsal
was not measured.)

{{findings 10
| plain fine-tuning forgets | forgetting.none_old - forgetting.before_old | nats | - |
| a lower rate forgets less | forgetting.none_old - forgetting.slow_old | nats | - |
| L2-SP forgets less than a lower rate | forgetting.slow_old - forgetting.l2sp_old | nats | forgets less (Wiese et al. 2017) |
| EWC forgets less than L2-SP | forgetting.l2sp_old - forgetting.ewc_old | nats | forgets less than L2 (Kirkpatrick et al. 2017) |
| keeping the predictions forgets less than EWC | forgetting.ewc_old - forgetting.lwf_old | nats | - |
| EWC costs score on the new task | forgetting.none_new - forgetting.ewc_new | percent | - |
| keeping the predictions costs score on the new task | forgetting.none_new - forgetting.lwf_new | percent | - |
}}

Before you use any anchor, ask whether the model has to serve both tasks with *one* set of weights.
If not, section 5 has the simpler answer: leave the base at rest, and nothing is forgotten at all.
"""

# %% [markdown]
r"""
## 8. What does it cost, and what does it give?

Numbers that learn are one price. Time and memory are others, and they do not shrink as much: to
train an adapter in the lowest block, the gradient still has to pass through all blocks above it.
What is saved is the gradients of the weights that rest, and what the optimiser keeps for them (two
numbers for each weight, with AdamW).

So here is real English, with a published model: MiniLM, 6 layers of 384 numbers and 22.7 million
weights. (It was distilled from BERT and then trained on a billion pairs of sentences.) The tasks:
*names* in sentences of Wikipedia (WikiANN, 400 labelled sentences); sentences of film reviews that
are *subjective* or *objective* (256); and questions to a bank with twenty *intents* (400; the
first twenty of banking77's 77). Every method
gets the same number of updates, and a rate of its own for each task, tuned on validation data.
Memory is what one update holds beyond the weights. ("Features" of names are the last four layers
below a new network of LSTMs, as in section 5.3 of the BERT paper, so they train more weights than
the methods in between. Features of texts are one new layer on the mean of the last states.)

In the figure "full" is all weights, "scratch" the network from random weights, and bars are 95 %
intervals over the seeds. *Predict before you run:* on which of the tasks do the small methods come
within a point of all weights?
"""

# %%
stored = mb.show.stored_runs(mb.course.findings("10"))
mb.show.figure(mb.show.trade_off(stored))

# %% [markdown]
r"""
{{findings 10
| subjectivity: all weights beat the network from scratch | tradeoff_subjectivity.full_score - tradeoff_subjectivity.scratch_score | percent | - |
| subjectivity: all weights beat counted words | tradeoff_subjectivity.full_score - tradeoff_subjectivity.words_score | percent | - |
| subjectivity: all weights beat adapters | tradeoff_subjectivity.full_score - tradeoff_subjectivity.adapters_score | percent | +0.4 points on GLUE, adapters at 3.6 % of the weights (Houlsby et al. 2019) |
| subjectivity: all weights beat LoRA | tradeoff_subjectivity.full_score - tradeoff_subjectivity.lora_score | percent | - |
| subjectivity: all weights beat features | tradeoff_subjectivity.full_score - tradeoff_subjectivity.features_score | percent | fine-tuning wins on similar tasks (Peters et al. 2019) |
| intents: all weights beat counted words | tradeoff_banking77.full_score - tradeoff_banking77.words_score | percent | - |
| intents: all weights beat adapters | tradeoff_banking77.full_score - tradeoff_banking77.adapters_score | percent | +0.4 points on GLUE |
| intents: all weights beat LoRA | tradeoff_banking77.full_score - tradeoff_banking77.lora_score | percent | - |
| intents: all weights beat features | tradeoff_banking77.full_score - tradeoff_banking77.features_score | percent | fine-tuning wins on similar tasks (Peters et al. 2019) |
| names: all weights beat the network from scratch | tradeoff_wikiann.full_score - tradeoff_wikiann.scratch_score | percent | - |
| names: all weights beat a list of words | tradeoff_wikiann.full_score - tradeoff_wikiann.words_score | percent | - |
| names: all weights beat adapters | tradeoff_wikiann.full_score - tradeoff_wikiann.adapters_score | percent | +0.4 points on GLUE |
| names: all weights beat LoRA | tradeoff_wikiann.full_score - tradeoff_wikiann.lora_score | percent | - |
| names: features beat all weights | tradeoff_wikiann.features_score - tradeoff_wikiann.full_score | percent | features win on dissimilar tasks (Peters et al. 2019) |
}}

(The paper's figures are for far larger models and data. "No" means that these seeds do not show a
difference, not that there is none.)

On sentences of reviews adapters reach {{finding 10 tradeoff_subjectivity.adapters_score mean .1%}},
all weights {{finding 10 tradeoff_subjectivity.full_score mean .1%}}, and LoRA
{{finding 10 tradeoff_subjectivity.lora_score mean .1%}} with
{{finding 10 tradeoff_subjectivity.lora_share mean .2%}} of the weights. This is the paper's claim.
But features, the cheapest way of all, reach
{{finding 10 tradeoff_subjectivity.features_score mean .1%}}: before you choose among adapters, ask
whether you need any. On intents, which are nearest to what MiniLM was last trained for, features
are even ahead of all weights: {{finding 10 tradeoff_banking77.features_score mean .1%}} against
{{finding 10 tradeoff_banking77.full_score mean .1%}}, with adapters at
{{finding 10 tradeoff_banking77.adapters_score mean .1%}} and counted words at
{{finding 10 tradeoff_banking77.words_score mean .1%}}. On names the claim does not hold: adapters reach an F1 of
{{finding 10 tradeoff_wikiann.adapters_score mean .1%}}, all weights
{{finding 10 tradeoff_wikiann.full_score mean .1%}}. Finding names is far from what MiniLM was last
trained for, the meaning of whole sentences, and in as many updates as fine-tuning gets the small
methods do not catch up with it.

The small methods save memory. On names, one update of all weights holds
{{finding 10 tradeoff_wikiann.full_bytes mean ,.0f}} bytes beyond the weights, one of adapters
{{finding 10 tradeoff_wikiann.adapters_bytes mean ,.0f}}, one of LoRA
{{finding 10 tradeoff_wikiann.lora_bytes mean ,.0f}}, and nearly all of the last is the states that
the gradient needs on its way. Time they save less:
{{finding 10 tradeoff_wikiann.full_seconds mean .0f}} processor seconds of training for all weights,
{{finding 10 tradeoff_wikiann.lora_seconds mean .0f}} for LoRA. PALs save less still in our code, and
prompts even take longer than all weights,
{{finding 10 tradeoff_wikiann.prompts_seconds mean .0f}} seconds: they make every text longer, and
neither takes the path that skips padding.

The widget shows the same runs, one task and one measure at a time. It can also train: choose a
method, a rate, a size and how many blocks learn, and press the button. A small BERT learns *topic*
(chapter 06), and its point joins the picture. Try a method at a rate that is ten times too high or
too low.
"""

# %%
live = mb.show.LiveTraining(base, mb.world.task("topic"), examples=160, steps=30, seed=0)
mb.show.TradeOffExplorer(stored, live=live)

# %% [markdown]
r"""
## 9. The real thing (optional)

MiniLM and sentences of film reviews, if both are at hand: is a sentence *subjective*, or does it
*objectively* tell the plot? `minibert data get all-minilm-l6-v2` fetches the weights; the data lie
in the folder that the environment variable `MINIBERT_DATA` names. First the counts: the larger the
model, the smaller the share that a task needs.
"""

# %%
try:
    minilm = mb.BERT.from_pretrained("all-minilm-l6-v2")
    reviews = list(mb.data.load(Path(os.environ.get("MINIBERT_DATA", ""), "subjectivity.jsonl.xz")))
except (FileNotFoundError, ValueError) as error:
    minilm, reviews = None, []
    print(f"left out: {error}")
for way, settings in SETTINGS.items() if minilm is not None else ():
    mb.transfer.add(minilm, way, **({"size": 48, "heads": 12} if way == "pal" else settings))
    counts = mb.transfer.counts(minilm)
    print(f"{way:>9}: {counts.learning:>8,} of {counts.all:,} learn, {counts.share:.2%}")
    mb.transfer.remove(minilm)

# %%
def judged(way, seen, unseen, rate, steps=2 if SMOKE else 25):
    """The share of new sentences that are judged right after some updates of 8 sentences."""
    mb.seed_everything(0)
    labels = sorted({str(e.label) for e in seen})
    head = mb.heads.SequenceClassifier(minilm.requires_grad_(False), labels=labels, pooling="mean")
    if way == "lora":
        mb.transfer.add(head, way, rank=4)
    examples = head.examples([e.text for e in seen], [str(e.label) for e in seen])
    mb.fit(head, head.batches(examples, 8), steps=steps, progress=False,
           optimizer=mb.optim.adamw(head, rate), schedule=mb.optim.linear(steps, steps // 10))
    said = head.predict([e.text for e in unseen]).labels
    return sum(a == str(e.label) for a, e in zip(said, unseen, strict=True)) / len(unseen)


if minilm is not None:
    short = [e for e in reviews if len(e.text) < 120]
    seen, unseen = short[: 16 if SMOKE else 200], short[1_000 : 1_020 if SMOKE else 1_200]
    words = mb.models.cheap.WordCounts().fit(seen, short[400:600])
    print(f"counted words {words.score(unseen):.0%}, "
          f"features {judged('features', seen, unseen, 1e-2):.0%}, "
          f"LoRA {judged('lora', seen, unseen, 3e-3):.0%} right")

# %% [markdown]
r"""
One draw, and one pass over two hundred sentences, with rates that were not tuned here: look at how
the two ways stand to the counted words, and do not order them by this.
"""

# %% [markdown]
r"""
For data of your own there is a command. It learns in the chosen way, tries features, training from
scratch and counted words beside it, and saves what was learned apart from the base:

```bash
minibert finetune bert --task reviews.csv --start all-minilm-l6-v2 --method lora --size 8 --out mine
```

{{exercise 10.choice}}

(Optional.) Three customers ask for your advice. In two or three sentences each: which method, why,
and what would you measure to find out that you were wrong?

1. A hospital has eighty labelled letters and a laptop without a GPU.
2. A publisher has one model on a server and two hundred small tasks, one for each magazine. Every
   request names its task.
3. A company has one model that completes sentences in its editor. It is to mark names as well, with
   the same weights and in the same pass.
"""

# %% [markdown] written="10.choice"
r"""
1. Features first: the states are computed once, and eighty letters are too few to order better
   methods safely. The rival is counted words. If cross-validation shows that LoRA or adapters score
   more than features by more than the spread over folds, I was wrong.
2. Adapters or LoRA, not merged: one base in memory, and a small file for each task. I would measure
   the score of each against fine-tuning with its own rate on a few of the tasks, the largest and
   the one most unlike ordinary text, and the time to exchange two tasks.
3. One set of weights must do both, so a base at rest with something put on is no help in one pass,
   unless the new layer alone is enough. I would try features first, and then full fine-tuning with
   an anchor: predictions of the old model on the editor's own text, or EWC. To be measured: F1 of
   names and the loss of the language model on held-out text, both against a lower rate without an
   anchor.
"""

# %% [markdown]
r"""
## 10. Summary

- Between a frozen model and fine-tuning all weights there are methods that train a percent of the
  weights or less. **Adapters** are put behind layers, **LoRA** beside matrices, **PALs** beside
  blocks, **prompts** in front of the text; **BitFit** trains the biases.
- Near the identity at the start, and the base at rest: so they can be taken off, saved in a small
  file and exchanged. LoRA can be merged, once, and not into a matrix that something else shares.
- Compare methods only with a rate tuned for each, beside features and cheap baselines.
- Orders and rates of layers are matrices. They were made to protect old weights from the first
  gradients. Whether one helps depends on the model, and on how well its rival's rate was chosen.
- Fine-tuning forgets. A lower rate, L2-SP, EWC and the old predictions hold on to the old task,
  each at its own price. So does rehearsal, if the old text is at hand.
  {{claim 10 forgetting.slow_old forgetting.ewc_old | A lower rate forgets more nats than EWC}}
  The Fisher information squares the gradient of *each example*, and takes the mean afterwards.

{{quiz 10.q1}}

{{quiz 10.q2}}

{{quiz 10.q3}}

**A project.** Choose a task of the world or one of your own and a budget: at most 20,000 numbers
that learn. Find the best way to spend it. Which blocks need LoRA, and at which rank? Are adapters
in the upper half better than smaller ones in all blocks? (A good report tunes the rate of every
candidate on validation data, 3 points; shows word counts, features and fine-tuning beside them, 3;
gives five seeds with their spread, 2; and ends with a choice and with what would change it, 2.)
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Ruder et al. (2019), *Transfer Learning in Natural Language Processing*, a
tutorial, [NAACL](https://aclanthology.org/N19-5004/): structure, order and anchor are its plan.
Houlsby et al. (2019), [arXiv:1902.00751](https://arxiv.org/abs/1902.00751). Hu et al. (2021),
[arXiv:2106.09685](https://arxiv.org/abs/2106.09685). Stickland & Murray (2019), *BERT and PALs*,
[arXiv:1902.02671](https://arxiv.org/abs/1902.02671). Ben Zaken, Goldberg & Ravfogel (2022),
*BitFit*, [arXiv:2106.10199](https://arxiv.org/abs/2106.10199). Lester, Al-Rfou & Constant (2021),
[arXiv:2104.08691](https://arxiv.org/abs/2104.08691). Peters, Ruder & Smith (2019), *To Tune or Not
to Tune?*, [arXiv:1903.05987](https://arxiv.org/abs/1903.05987). Felbo et al. (2017), *Using millions
of emoji occurrences ...*, [arXiv:1708.00524](https://arxiv.org/abs/1708.00524): chain-thaw. Howard &
Ruder (2018), [arXiv:1801.06146](https://arxiv.org/abs/1801.06146). Chronopoulou, Baziotis &
Potamianos (2019), [arXiv:1902.10547](https://arxiv.org/abs/1902.10547). Wiese, Weissenborn & Neves
(2017), [arXiv:1706.03610](https://arxiv.org/abs/1706.03610). Li, Grandvalet & Davoine (2018),
*Explicit Inductive Bias for Transfer Learning*,
[arXiv:1802.01483](https://arxiv.org/abs/1802.01483). Kirkpatrick et al. (2017),
[arXiv:1612.00796](https://arxiv.org/abs/1612.00796). Kunstner, Balles & Hennig (2019), *Limitations
of the Empirical Fisher Approximation*, [arXiv:1905.12558](https://arxiv.org/abs/1905.12558). Li &
Hoiem (2016), *Learning without Forgetting*, [arXiv:1606.09282](https://arxiv.org/abs/1606.09282).
He et al. (2021), *Towards a Unified View of Parameter-Efficient Transfer Learning*,
[arXiv:2110.04366](https://arxiv.org/abs/2110.04366).
"""
