# ---
# jupyter:
#   minibert:
#     title: Attention and the Transformer
#     question: How can a word find the words that matter to it?
#     minutes: 90
#     seconds: 60
#     memory_mb: 900
#     needs: ["chapter 00 (cross-entropy, the embedded world)", "a matrix product, a softmax"]
#     skip: "everything marked optional, about 95 minutes together: the exercises 04.order, 04.sinusoids and 04.reader (the build), the head by hand in section 6, sections 8, 9 and 12, and the second parts of sections 10 and 11"
#     papers:
#       - "Vaswani et al. (2017), Attention Is All You Need, arXiv:1706.03762"
#       - "Xiong et al. (2020), On Layer Normalization in the Transformer Architecture, arXiv:2002.04745"
# ---

# %% [markdown]
r"""
# 04 · Attention and the Transformer: how can a word find the words that matter to it?

{{head}}

In *the dog that chased the three cats was tired*, the subject of *was* is *dog*, six words back.
An LSTM (chapters 02 and 03) carries the dog through all the words between, step by step, in one
vector. **Attention** lets *was* look straight at *dog*, and at every other word, in one step.

You build attention from a lookup in a table. Section 3 then answers the question of the title: you
train a reader on it, and compare it with an LSTM over growing distances. After that you add what
makes a Transformer: masks, heads, positions and blocks. Chapters 05 to 07, and nearly every
language model since 2018, are made of these parts.
"""

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.transformer import (
    Block,
    FeedForward,
    MultiHeadAttention,
    Stack,
    TransformerConfig,
    attend,
    causal_mask,
    padding_mask,
)

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. From a lookup table to attention

A table has **keys** and **values**. You come with a **query**; where a key equals it, you get that
key's value.
"""

# %%
table = {"morning": 9, "noon": 20, "evening": 15, "night": 6}  # degrees outside
table["noon"]

# %% [markdown]
r"""
Now the same with vectors. Each key is a row of a matrix $K$, each value a row of $V$. Here a key is
the hand of a clock that turns once a day. Compare the query $q$ with all keys by dot products. Turn
the comparison into weights: 1 at the best match, 0 elsewhere. The weighted sum of the values is the
result of the lookup.
"""

# %%
def hand(hour):
    """The hand of a clock with 24 hours, as a vector of length 1."""
    angle = torch.as_tensor(hour) * (2 * math.pi / 24)
    return torch.stack((angle.cos(), angle.sin()), -1)


key = hand([6.0, 12.0, 18.0, 0.0])  # (keys, d): morning, noon, evening, night
value = torch.tensor([[9.0], [20.0], [15.0], [6.0]])  # (keys, d_v)
query = hand(12.0)  # (d,)

scores = key @ query  # (keys, d) @ (d,) -> (keys,)
weights = F.one_hot(scores.argmax(), 4).float()  # all or nothing
weights @ value  # (keys,) @ (keys, d_v) -> (d_v,)

# %% [markdown]
r"""
Two things are missing. What is the temperature at two in the afternoon, which is not a key? And
how could a network *learn* what to ask for? A small change of the query changes nothing, until
suddenly it changes everything: the choice of all or nothing has no gradient. So we make it soft,
with a softmax in place of the maximum. Every key gets some weight, and more if it fits better.
"""

# %%
query = hand(14.0)
for sharpness in (0.5, 2, 5, 50):
    weights = (sharpness * (key @ query)).softmax(0)  # (keys,)
    shares = ", ".join(f"{w:.2f}" for w in weights)
    print(f"scores x {sharpness:<4}: weights {shares}  ->  {float(weights @ value):4.1f} degrees")

# %% [markdown]
r"""
With large scores the soft lookup becomes the hard one, and answers with noon alone. With smaller
ones it mixes noon and evening. And it has a gradient: training can move the query towards the key
that would have helped.

## 2. Scaled dot-product attention

Many queries at once are the rows of a matrix $Q$, `(length, d_k)`. The keys $K$, `(keys, d_k)`, are
as wide as the queries. The values $V$, `(keys, d_v)`, need not be. One formula holds it all, with a
softmax over each row (Vaswani et al. 2017, equation 1):

$$
\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V
$$

In **self-attention** queries, keys and values come from the same words, through three learned
matrices. The picture follows one word, *was*, through the formula. Its query meets all four keys.
(The four weights are made up.)
"""

# %%
def diagram(title, boxes, arrows, alt, height=3.0):
    """Boxes {name: (x, y, text, colour)} on a plane ten units wide, and arrows between them."""
    fig, ax = mb.show.new(title, size=(7.6, height))
    ax.set(xlim=(0, 10), ylim=(0, 10 * height / 7.6))
    ax.axis("off")
    patches = {}
    for name, (x, y, text, colour) in boxes.items():
        style = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "#5f5f5f"}
        patches[name] = ax.text(x, y, text, ha="center", va="center", fontsize=10, bbox=style)
    fig.canvas.draw()
    for start, end, *bend in arrows:
        between = {"arrowstyle": "->", "color": "#5f5f5f", "lw": 1.3}
        between |= {"patchA": patches[start].get_bbox_patch(), "shrinkA": 0}
        between |= {"patchB": patches[end].get_bbox_patch(), "shrinkB": 0}
        between |= {"connectionstyle": bend[0]} if bend else {}
        ax.annotate("", boxes[end][:2], boxes[start][:2], arrowprops=between)
    mb.show.figure(fig, alt=alt)


PALE = {"word": "white", "q": "#cfe8f7", "k": "#fde3c8", "v": "#cdeee2", "sum": "#f3dbe8"}

# %%
boxes = {"q": (9.2, 2.45, "query of “was”\n$q = x W^Q$", PALE["q"]),
         "sum": (4.2, 5.8, "what “was” finds: the weighted sum of the four values", PALE["sum"])}
arrows = [("w3", "q")]
for i, (word, weight) in enumerate({"the": 0.05, "dog": 0.8, "that": 0.05, "was": 0.1}.items()):
    x, n = 1 + 2 * i, i + 1
    boxes |= {f"w{i}": (x, 0.4, word, PALE["word"]), f"k{i}": (x - 0.5, 1.7, f"key $k_{n}$", PALE["k"]),
              f"v{i}": (x + 0.5, 1.7, f"value $v_{n}$", PALE["v"]),
              f"s{i}": (x - 0.4, 3.35, f"$q \\cdot k_{n}/\\sqrt{{d}}$\n$w_{n}$ = {weight}", "white"),
              f"p{i}": (x + 0.2, 4.6, f"{weight} · $v_{n}$", PALE["v"])}
    arrows += [(f"w{i}", f"k{i}"), (f"w{i}", f"v{i}"), (f"k{i}", f"s{i}"), (f"s{i}", f"p{i}"),
               (f"v{i}", f"p{i}"), (f"p{i}", "sum"), ("q", f"s{i}", "angle,angleA=180,angleB=90")]
diagram("One word looks: scores, weights, a mixture of values", boxes, arrows, height=4.7,
        alt="Each of four words gives a key and a value. The word was also gives a query. Query times "
            "key is a score, a softmax makes weights of the scores, and the weighted sum of the values "
            "is what was finds: here mostly dog.")

# %% [markdown]
r"""
A query says what a word looks for, a key what it can be found by, a value what it hands over.

Sometimes a query must not see a key (section 4 says when). For that there is a **mask**: boolean,
`(length, keys)`, and `True` means *may be looked at*. A hidden score becomes $-\infty$ before the
softmax, so that its weight is 0.

{{exercise 04.attention}}

Write `attention(query, key, value, mask=None)`: `query` is `(..., length, d)`, `key` is
`(..., keys, d)`, and `value` is `(..., keys, d_v)`. The dots stand for any dimensions in front,
such as a batch.
"""

# %%
def attention(query, key, value, mask=None):
    """What each query finds: (..., length, d_v)."""
    found = torch.zeros(*query.shape[:-1], value.shape[-1])
    ### BEGIN SOLUTION
    scores = query @ key.mT / math.sqrt(key.shape[-1])  # (..., length, keys)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    found = scores.softmax(-1) @ value  # (..., length, d_v)
    ### END SOLUTION
    return found


# %%
mb.course.check("04.attention", attention)

# %% [markdown]
r"""
From here on the chapter runs on what you write. The next line takes your function if it passes its
check, or else the library's version, and says which one runs.
"""

# %%
attention = mb.course.use("04.attention", attention)

# %% [markdown]
r"""
Four versions side by side: this one; plain loops; the library's `attend`, which also returns the
weights; and the class of the book *Dive into Deep Learning* (d2l).
"""

# %% tags=["nbval-check-output"]
q, k, v = torch.randn(2, 4, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 6)  # (batch, length, d)
found = attention(q, k, v)

slow = torch.zeros(2, 4, 6)
for b in range(2):
    for i in range(4):
        scores = [float(q[b, i] @ k[b, j]) / math.sqrt(8) for j in range(5)]
        total = sum(math.exp(score) for score in scores)
        for j in range(5):
            slow[b, i] += math.exp(scores[j]) / total * v[b, j]

d2l = mb.course.d2l()
theirs = d2l.DotProductAttention(dropout=0)(q, k, v)
for name, other in (("loops", slow), ("the library", attend(q, k, v)[0]), ("d2l", theirs)):
    assert torch.allclose(found, other, atol=1e-5), name
    print(f"the same, by {name}")

# %% [markdown]
r"""
### Why divide by $\sqrt{d}$?

A dot product of two vectors is a sum of $d$ products. If their numbers are independent, with mean 0
and variance 1, the sum has variance $d$. So scores grow like $\sqrt{d}$.

*Predict before you run:* take $d = 256$ and 16 random keys. How large is the largest of the 16
weights without the division? And how much of the gradient gets through the softmax? (The derivative
of the weight $w_i$ by the score $s_j$ is $w_i (\delta_{ij} - w_j)$, with $\delta_{ij}$ 1 for
$i = j$ and 0 otherwise.)
"""

# %%
def spread_of(d, scale, tries=20 if SMOKE else 400, keys=16):
    """(deviation of the scores, mean largest weight, mean slope of the softmax)."""
    generator = torch.Generator().manual_seed(d)
    q = torch.randn(tries, 1, d, generator=generator)
    k = torch.randn(tries, keys, d, generator=generator)
    scores = (q @ k.mT)[:, 0] * scale  # (tries, keys)
    w = scores.softmax(-1)
    slope = torch.diag_embed(w) - w[:, :, None] * w[:, None, :]  # (tries, keys, keys)
    return scores.std().item(), w.amax(-1).mean().item(), slope.abs().mean().item()


widths = [4, 16, 64, 256, 1024]
plain = torch.tensor([spread_of(d, 1.0) for d in widths])  # (widths, 3)
scaled = torch.tensor([spread_of(d, d**-0.5) for d in widths])
print("without the root (with it in brackets):")
for d, (deviation, most, slope), (_, less, steeper) in zip(widths, plain, scaled, strict=True):
    print(f"d = {d:4}: scores vary by {deviation:5.1f} (root of d: {d**0.5:4.1f}), largest weight "
          f"{most:.2f} ({less:.2f}), mean slope {slope:.4f} ({steeper:.4f})")

# %%
fig, axes = mb.show.new("Sixteen random keys, with and without the root", "width d", columns=2,
                        size=(7.6, 3.5))
titles = ("largest of the 16 weights", "mean slope of the softmax")
for ax, column, title in zip(axes, (1, 2), titles, strict=True):
    ax.plot(widths, plain[:, column], "s--", label="without")
    ax.plot(widths, scaled[:, column], "o-", label=r"divided by $\sqrt{d}$")
    ax.set(xscale="log", ylim=(0, None), ylabel=title)
axes[0].legend(loc="center right")
mb.show.figure(fig, alt="Without the division the largest weight nears 1 and the slope nears 0 as d grows.")

# %% [markdown]
r"""
The answer for $d = 256$ is in the fourth line: without the root, the largest weight is close to 1,
and the slope is a small part of what it is with the root. So an untrained attention has already
decided, at random, where to look, and little of the gradient gets through to change that. With the
root both figures stay the same at any width.

## 3. It works: who has which room?

Now the question of the title. A porter reads a guest list: *Ada 7, Ben 2*. Then come some words
that do not matter. Then somebody asks: *Ben?* The right answer is *2*. The list is new every time,
so nobody can learn the rooms by heart. The reader has to find the one entry that matters.

To keep things small, each position of the text holds a guest and a room together, or a word that
does not matter and a blank. Its vector is the sum of the two words' vectors.
"""

# %%
GUESTS = ("Ada Ben Cora Dan Eva Finn Gus Hana Ida Jon Kim Leo Mia Ned Olga Pia Quin Rosa Sam Tess Uma "
          "Vera Will Xena Yan Zoe").split()
OTHERS = ("a about after all and are at be but by can could for from had has have if in is it like may "
          "more no not of on one or out over so some than that the then there they this to up was were "
          "when which will with would").split()
WORDS = [*"0123456789", *GUESTS, *OTHERS, "-"]  # 10 + 26 + 50 + 1 = 87


def guest_list(count, pairs, gap, generator):
    """Texts (count, positions, 2), who is asked for (count,), the right room (count,)."""
    guests = torch.rand(count, 26, generator=generator).argsort(1)[:, :pairs] + 10
    rooms = torch.randint(0, 10, (count, pairs), generator=generator)
    others = torch.randint(36, 86, (count, gap), generator=generator)
    blanks = torch.full_like(others, 86)
    texts = torch.stack((torch.cat((guests, others), 1), torch.cat((rooms, blanks), 1)), 2)
    chosen = torch.randint(0, pairs, (count, 1), generator=generator)
    return texts, guests.gather(1, chosen)[:, 0], rooms.gather(1, chosen)[:, 0]


texts, asked, rooms = guest_list(2, pairs=2, gap=4, generator=torch.Generator().manual_seed(3))
for text, who, room in zip(texts.tolist(), asked.tolist(), rooms.tolist(), strict=True):
    print(", ".join(" ".join(WORDS[i] for i in pair) for pair in text), f"...  {WORDS[who]}?  {room}")

# %% [markdown]
r"""
{{exercise 04.lookup}}

Build the reader: a class `Lookup(dim)` with five layers. `words` is an `nn.Embedding(87, dim)`.
`query`, `key` and `value` are `nn.Linear(dim, dim)`, and `output` is `nn.Linear(dim, 10)`. The
vector of the guest who is asked for gives the one query; the positions of the text give the keys
and values. What your `attention` finds goes through `output`, to the logits of the ten rooms.
"""

# %%
class Lookup(nn.Module):
    """One attention answers a question about a text."""

    def __init__(self, dim=32):
        super().__init__()
        ### BEGIN SOLUTION
        self.words = nn.Embedding(87, dim)
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, 10)
        ### END SOLUTION

    def forward(self, input_ids, asked):
        """(batch, positions, 2), (batch,) -> logits (batch, 10)."""
        logits = torch.zeros(len(input_ids), 10)
        ### BEGIN SOLUTION
        x = self.words(input_ids).sum(2)  # (batch, positions, dim)
        q = self.query(self.words(asked))[:, None]  # (batch, 1, dim)
        found = attention(q, self.key(x), self.value(x))  # (batch, 1, dim)
        logits = self.output(found[:, 0])
        ### END SOLUTION
        return logits


# %%
mb.course.check("04.lookup", Lookup)

# %%
Lookup = mb.course.use("04.lookup", Lookup)

# %% [markdown]
r"""
The rival is an LSTM that reads the same vectors, and the question last. It gets what helps it: 64
cells (more than four times the weights of the attention), forget gates that begin open, so that it
remembers from the start, and the learning rate that was best for it. (Section 11 tries three.) A
third reader is the same LSTM, but it reads the question *first*.
"""

# %%
class LSTMReader(nn.Module):
    """The same, by an LSTM: the positions one by one, then the question."""

    def __init__(self, dim=32, hidden=64):
        super().__init__()
        self.words, self.lstm = nn.Embedding(87, dim), nn.LSTM(dim, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 10)
        with torch.no_grad():
            self.lstm.bias_hh_l0[hidden : 2 * hidden] += 3.0  # the forget gates

    def forward(self, input_ids, asked):
        x = torch.cat((self.words(input_ids).sum(2), self.words(asked)[:, None]), 1)
        return self.output(self.lstm(x)[0][:, -1])

# %%
class QuestionFirst(LSTMReader):
    """The same LSTM, but it knows the question before it reads."""

    def forward(self, input_ids, asked):
        x = torch.cat((self.words(asked)[:, None], self.words(input_ids).sum(2)), 1)
        return self.output(self.lstm(x)[0][:, -1])

# %%
def train(model, pairs, gap, rate, steps=5 if SMOKE else 400):
    """Train on new texts in each step, and give back the model."""
    generator, optimizer = torch.Generator().manual_seed(0), torch.optim.Adam(model.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        texts, asked, rooms = guest_list(64, pairs, gap, generator)
        loss = F.cross_entropy(model(texts, asked), rooms)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model

# %% [markdown]
r"""
*Predict before you run:* there are only two guests. How does the share of right answers fall with
the distance, for each of the three readers? And what share would a reader get by always naming the
last room?
"""

# %%
def score(model, pairs, gap, count=200 if SMOKE else 2000):
    """Share of right answers on new texts."""
    texts, asked, rooms = guest_list(count, pairs, gap, torch.Generator().manual_seed(1))
    with torch.no_grad():
        return (model(texts, asked).argmax(-1) == rooms).float().mean().item()

# %%
gaps = (0, 10, 20)
right = {"attention": [], "LSTM, question last": [], "LSTM, question first": [], "always the last room": []}
for gap in gaps:
    mb.seed_everything(0)
    reader = train(Lookup(), 2, gap, rate=0.01)
    right["attention"].append(score(reader, 2, gap))
    right["LSTM, question last"].append(score(train(LSTMReader(), 2, gap, rate=0.03), 2, gap))
    right["LSTM, question first"].append(score(train(QuestionFirst(), 2, gap, rate=0.01), 2, gap))
    texts, _, rooms = guest_list(2000, 2, gap, torch.Generator().manual_seed(1))
    right["always the last room"].append((texts[:, 1, 1] == rooms).float().mean().item())

for name, shares in right.items():
    print(f"{name:>20}:", ", ".join(f"{share:.2f} at {gap}" for gap, share in zip(gaps, shares, strict=True)))
for model in (Lookup(), LSTMReader()):
    print(f"{type(model).__name__} has {sum(p.numel() for p in model.parameters()):,} weights")

# %%
fig, ax = mb.show.new("Who has which room? Two guests, 400 steps",
                      "words that do not matter, after the list", "share of right answers")
for (name, shares), style in zip(right.items(), ("o-", "s--", "D-.", "^:"), strict=True):
    ax.plot(gaps, shares, style, label=name)
ax.axhline(0.1, color="grey", lw=1, label="chance")
ax.set(ylim=(0, 1.05), xticks=gaps)
ax.legend(loc="lower left", fontsize=9)
mb.show.figure(fig, alt="Share of right answers by distance: attention, two LSTMs, the last room.")

# %% [markdown]
r"""
Attention answers as well over twenty words as over none: to it, all positions are one step away.
The LSTM that reads the question last gets worse with the distance: it must keep both guests and
both rooms in one vector, because it does not know yet which it will need. Let it read the question
first, and it answers nearly all: now one room is all it has to keep. Attention does not need the
question first. It keeps every word, and chooses when the question comes.

A reader that knows both rooms but not whose they are scores like *always the last room*, about a
half. An LSTM *can* learn to read the question last, given enough steps. Section 11 has five seeds
and 600 steps in place of 400, and there the LSTM falls less. And, to be fair, this task suits
attention: the guest's own name stands in the text, so a comparison of vectors finds it.

Two more questions. The attention was trained on two guests and at most twenty words. What about
eight guests and a hundred words? And where does it look?
"""

# %%
print(f"the one trained at 20: eight guests, a hundred words between: {score(reader, 8, 100):.2f} right")

texts, *_ = guest_list(1, pairs=6, gap=6, generator=torch.Generator().manual_seed(5))
entries = [" ".join(WORDS[i] for i in pair if WORDS[i] != "-") for pair in texts[0].tolist()]
questions = texts[0, :6, 0]  # all six guests, one after the other
with torch.no_grad():
    x = reader.words(texts).sum(2)  # (1, positions, dim)
    q = reader.query(reader.words(questions))[None]  # (1, questions, dim)
    _, weights = attend(q, reader.key(x), reader.value(x))  # (1, questions, positions)
figure = mb.show.heatmap(weights[0], [f"{WORDS[i]}?" for i in questions], entries,
                         title="Where the reader looks", xlabel="the text", ylabel="the question",
                         unit="weight")
mb.show.figure(figure)

# %% [markdown]
r"""
The reader answers on texts far longer than any that it was trained on. Each question puts nearly
all its weight on the position of its guest. Nobody told the model to look there. It learned from
right answers alone that the query of *Ben* should fit the key of a position with *Ben* in it, and
that the value should tell the room. So this is the answer to the title: a word finds the words that
matter by a learned comparison.
"""

# %% [markdown]
r"""
## 4. Masks: what must not be seen

Two things must often be hidden. In a batch, short sentences are filled up with **padding**, which
means nothing. And a model that predicts the next word must not see it: that is the **causal** mask.

{{exercise 04.mask}}

Write `both_masks(attention_mask)`, for sentences that must see neither padding nor the future:
`attention_mask` is `(batch, length)`, 1 for a token and 0 for padding. Padding is never looked at,
not even by itself. (It always comes last here, so no row is empty.)
"""

# %%
def both_masks(attention_mask):
    """Boolean (batch, length, length): may position i of a sentence look at position j?"""
    length = attention_mask.shape[1]
    mask = torch.ones(len(attention_mask), length, length, dtype=torch.bool)
    ### BEGIN SOLUTION
    causal = torch.ones(length, length, dtype=torch.bool).tril()  # (length, length)
    mask = attention_mask.bool()[:, None, :] & causal  # (batch, length, length)
    ### END SOLUTION
    return mask


# %%
mb.course.check("04.mask", both_masks)

# %%
both_masks = mb.course.use("04.mask", both_masks)

# %%
words = ["the", "cat", "sat", ".", "<pad>", "<pad>"]
attention_mask = torch.tensor([[1, 1, 1, 1, 0, 0]])  # (batch, length)
masks = {
    "padding": padding_mask(attention_mask)[0, 0].expand(6, 6),  # (1, length) -> (length, length)
    "causal": causal_mask(6),
    "both": both_masks(attention_mask)[0],
}
fig, axes = mb.show.new("Who may look at whom? (light: may, dark: must not)", columns=3, size=(7.6, 3.3))
for ax, (name, mask) in zip(axes, masks.items(), strict=True):
    ax.imshow(mask, cmap="cividis", vmin=0, vmax=1)
    ax.set(title=name, xlabel="is looked at")
    ax.set_xticks(range(6), words, rotation=90)
    ax.set_yticks(range(6), words)
    ax.grid(False)
axes[0].set_ylabel("looks")
mb.show.figure(fig, alt="Three masks: padding hides the last columns, causal the upper triangle, both both.")

# %% [markdown]
r"""
Does the mask work? One test always tells: change what is hidden, and see that nothing changes.
"""

# %% tags=["nbval-check-output"]
x = torch.randn(1, 6, 8)
before = attention(x, x, x, masks["both"])
changed = x.clone()
changed[0, 4:] = 1000.0  # padding
changed[0, 3] += 5.0  # the future, for the first three
after = attention(changed, changed, changed, masks["both"])
assert torch.equal(before[:, :3], after[:, :3]) and not torch.equal(before[:, 3], after[:, 3])
print("the first three positions find the same; the fourth, which sees itself, does not")

# %% [markdown]
r"""
d2l takes lengths (`valid_lens`) instead of masks, and writes $-10^6$ in place of $-\infty$. As long
as something may be looked at, the two agree. Where *everything* is hidden they differ. d2l then
looks evenly at all that it should not see, while the library's `attend` finds zeros.
"""

# %% tags=["nbval-check-output"]
lengths = torch.tensor([4, 2, 0])  # the third sentence has no word at all
x = torch.randn(3, 5, 8)
theirs = d2l.DotProductAttention(dropout=0)
found = theirs(x, x, x, lengths)
ours, weights = attend(x, x, x, (torch.arange(5) < lengths[:, None])[:, None, :])
for row in range(3):
    same = torch.allclose(found[row], ours[row], atol=1e-5)
    assert same == (lengths[row] > 0)
    print(f"{lengths[row]} words: equal {same}; d2l {theirs.attention_weights[row, 0].tolist()[-1]:.2f}, "
          f"ours {weights[row, 0, -1]:.2f} on the last position")

# %% [markdown]
r"""
## 5. Many heads

One softmax gives one set of weights, and so one mixture. But *was* may need both *dog* and *tired*,
and must not mix them up. So several **heads** look in parallel, each with narrow queries, keys
and values of its own. Their results are put side by side (Vaswani et al. 2017, section 3.2.2):

$$
\mathrm{MultiHead}(X) = [\mathrm{head}_1; \dots; \mathrm{head}_h]\, W^O, \qquad
\mathrm{head}_i = \mathrm{Attention}(X W^Q_i,\; X W^K_i,\; X W^V_i)
$$

$X$ is `(length, d)`, each of a head's three matrices is $d \times d / h$, and $W^O$ is
$d \times d$. So $h$ narrow heads cost what one head of width $d$ would. In code there is one large
matrix in place of $h$ small ones, and its output is cut into heads.

{{exercise 04.split_heads}}

Write `split_heads(x, heads)`: from `(batch, length, dim)` to `(batch, heads, length, dim / heads)`.
The first head gets the first `dim / heads` numbers of each token.
"""

# %%
def split_heads(x, heads):
    """(batch, length, dim) -> (batch, heads, length, head)."""
    batch, length, dim = x.shape
    result = torch.zeros(batch, heads, length, dim // heads)
    ### BEGIN SOLUTION
    result = x.unflatten(-1, (heads, -1))  # (batch, length, heads, head)
    result = result.transpose(1, 2)  # (batch, heads, length, head)
    ### END SOLUTION
    return result


# %%
mb.course.check("04.split_heads", split_heads)

# %%
split_heads = mb.course.use("04.split_heads", split_heads)

# %% [markdown]
r"""
{{exercise 04.multi_head}}

Now build the layer: a class `MultiHead(dim, heads)` with four layers `nn.Linear(dim, dim)` called
`query`, `key`, `value` and `output`. Use your `split_heads` and your `attention`, which does all
heads at once. The mask is `(length, length)`, or `(batch, 1, length, length)`.
"""

# %%
class MultiHead(nn.Module):
    """Several attentions side by side."""

    def __init__(self, dim, heads):
        super().__init__()
        ### BEGIN SOLUTION
        self.heads = heads
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, dim)
        ### END SOLUTION

    def forward(self, x, mask=None):
        """(batch, length, dim) -> (batch, length, dim)."""
        result = torch.zeros_like(x)
        ### BEGIN SOLUTION
        query = split_heads(self.query(x), self.heads)  # (batch, heads, length, head)
        key = split_heads(self.key(x), self.heads)
        value = split_heads(self.value(x), self.heads)
        found = attention(query, key, value, mask)  # (batch, heads, length, head)
        result = self.output(found.transpose(1, 2).flatten(2))
        ### END SOLUTION
        return result


# %%
mb.course.check("04.multi_head", MultiHead)

# %%
MultiHead = mb.course.use("04.multi_head", MultiHead)

# %% [markdown]
r"""
The library's layer and d2l's, given the same weights, find the same. (d2l has no biases unless
asked, and puts the heads into the batch.)
"""

# %%
layer, library = MultiHead(24, 3), MultiHeadAttention(24, 3)
library.load_state_dict(layer.state_dict())
x = torch.randn(2, 5, 24)

theirs = d2l.MultiHeadAttention(24, 3, dropout=0, bias=True)
theirs(x, x, x, None)  # its layers are made when they first see something
for a, b in (("W_q", "query"), ("W_k", "key"), ("W_v", "value"), ("W_o", "output")):
    getattr(theirs, a).load_state_dict(getattr(layer, b).state_dict())
difference = (library(x)[0] - layer(x)).abs().max(), (theirs(x, x, x, None) - layer(x)).abs().max()
assert max(difference) < 1e-5
print(f"largest differences: library {difference[0]:.1e}, d2l {difference[1]:.1e}")

# %% tags=["nbval-check-output"]
for heads in (1, 2, 8):
    print(heads, "heads:", sum(p.numel() for p in MultiHeadAttention(512, heads).parameters()), "weights")

# %% [markdown]
r"""
The library's layer takes a second text, too: `layer(x, memory)`. Queries then come from `x`, keys
and values from `memory`, so that one text looks at another. A translator needs this
**cross-attention** (section 9).

## 6. Order

*Predict before you run:* if we shuffle the words of a sentence, what happens to what self-attention
finds? And with a causal mask?
"""

# %% tags=["nbval-check-output"]
shuffled = torch.tensor([3, 0, 4, 1, 2])
for name, mask, expected in (("no mask", None, True), ("a causal mask", causal_mask(5), False)):
    found, found_shuffled = layer(x, mask), layer(x[:, shuffled], mask)
    same = torch.allclose(found[:, shuffled], found_shuffled, atol=1e-5)
    assert same == expected
    print(f"{name}: the same vectors, shuffled? {same}")

# %% [markdown]
r"""
Without a mask the answer is: the same vectors come out, in the new order. The proof is short. Let
the matrix $\Pi$, with a single 1 in each row and column, shuffle the rows. Then $Q' = \Pi Q$,
$K' = \Pi K$, $V' = \Pi V$, and (the root left out)

$$
\mathrm{softmax}\big(\Pi Q K^\top \Pi^\top\big) \Pi V
 = \Pi\, \mathrm{softmax}\big(Q K^\top\big) \Pi^\top \Pi V
 = \Pi\, \mathrm{softmax}\big(Q K^\top\big) V,
$$

since $\Pi^\top \Pi = I$, and a softmax over shuffled columns is the shuffled softmax. Everything
else in a Transformer works on each position alone. So without further help, *dog bites man* and
*man bites dog* are the same to it: a **bag of words**. With the causal mask they are not. Why?

{{exercise 04.order}}

Explain in three to five sentences why self-attention with a causal mask can tell order, although
nothing tells it the positions. Is there something that its first layer still cannot tell?
"""

# %% [markdown] written="04.order"
r"""
Without a mask every position looks at the same set of words, and a weighted sum does not depend on
their order. With the causal mask the first position sees one word, the second two, and so on: the
sets are nested, so moving a word changes which positions can see it. The state of a later word
therefore depends on which words came before it, and a position can, for example, notice whether an
A was already there. In the first layer the last position still sees the same set of plain words, in
whatever order the others stand. Only from the second layer on does it see *states* that know what
came before them. One can test it by shuffling all words but the last, and comparing the last state
after one layer and after two.
"""

# %% [markdown]
r"""
Without a mask, then, each position needs a mark of its own, a vector that is added to the word's.
The paper's marks are hands of clocks: pairs of a sine and a cosine, each pair turning slower than
the one before (section 3.5).

$$
P_{t,\,2i} = \sin\!\left(\frac{t}{10000^{2i/d}}\right), \qquad
P_{t,\,2i+1} = \cos\!\left(\frac{t}{10000^{2i/d}}\right)
$$

{{exercise 04.sinusoids}}

Write `sinusoids(length, dim)`, for an even `dim`: one row for each position $t = 0, 1, 2, \dots$
(Without your answer, the next cells take the library's table.)
"""

# %%
def sinusoids(length, dim):
    """Sines in the even columns, cosines in the odd ones: (length, dim)."""
    table = torch.zeros(length, dim)
    ### BEGIN SOLUTION
    rate = 10_000 ** (-torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    angle = torch.arange(length)[:, None] * rate  # (length, dim / 2)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    ### END SOLUTION
    return table


# %%
mb.course.check("04.sinusoids", sinusoids)

# %%
sinusoids = mb.course.use("04.sinusoids", sinusoids)

marks = sinusoids(64, 32)  # (positions, dim)
theirs = d2l.PositionalEncoding(32, dropout=0).P[0, :64]
difference = (marks - theirs).abs().max()
assert difference < 1e-4
print(f"d2l differs by at most {difference:.1e}")

fig, (left, right) = mb.show.new("Sinusoidal positions", columns=2, size=(7.6, 3.6))
image = left.imshow(marks, aspect="auto", cmap="PuOr_r", vmin=-1, vmax=1)
left.set(xlabel="number within the vector", ylabel="position", title="the marks")
fig.colorbar(image, ax=left, label="value")
for position in (10, 25, 40):
    right.plot(marks @ marks[position], label=f"with position {position}")
right.set(xlabel="position", ylabel="dot product", title="how alike are two positions?")
right.legend(loc="lower left", fontsize=9)
right.set(ylim=(0, None))
for ax in (left, right):
    ax.grid(False)
mb.show.figure(fig, alt="Stripes that turn slower to the right; dot products peak at the position itself.")

# %% [markdown]
r"""
On the right, three positions have the same curve around them: the dot product of two marks depends
only on their **distance**. (For each pair of columns
$\sin s \sin t + \cos s \cos t = \cos(s - t)$.) So "three words back" can be learned once, for all
positions. The other way is to give every position a vector and to **learn** it, as BERT and GPT do.
The paper found both about equally good (table 3, row E: 25.7 learned and 25.8 sinusoidal, in BLEU,
a score for translations).

### A head by hand (optional)

"One word back" is so simple that you can write down the weights yourself. A query should be the
mark of the position before. To get it, turn each clock back by one step. That is a matrix, the same
at every position.

{{exercise 04.look_back}}

Write `look_back(steps, dim)`: a matrix, `(dim, dim)`, such that `marks[t] @ matrix` is
`marks[t - steps]` for the sinusoidal marks of every position $t$.
"""

# %%
def look_back(steps, dim):
    """A matrix that turns the mark of each position into the mark ``steps`` before: (dim, dim)."""
    matrix = torch.eye(dim)
    ### BEGIN SOLUTION
    angle = steps * 10_000 ** (-torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    even = torch.arange(0, dim, 2)  # the sines; the cosines stand at even + 1
    matrix[even, even] = angle.cos()  # sin(a - b) = sin a cos b - cos a sin b
    matrix[even + 1, even] = -angle.sin()
    matrix[even, even + 1] = angle.sin()  # cos(a - b) = sin a sin b + cos a cos b
    matrix[even + 1, even + 1] = angle.cos()
    ### END SOLUTION
    return matrix


# %%
mb.course.check("04.look_back", look_back)

# %% [markdown]
r"""
What is this head good for? In section 3 each position held a guest *and* a room. A real text comes
word by word: *Ada, 7, Ben, 2, ..., Ben?* Now a room stands next to its guest, and the reader that
you trained cannot know whose it is. Your head can tell it: at each room it fetches the word before,
and adds it. No weight is trained again, but we help in two ways by hand: the head is made sharp
(times 100), and the reader may look at the rooms alone. Two rivals stand beside it: the most
frequent of the eight rooms, without any reader, and a head that looks *three* words back, to the
guest of another room.
"""

# %%
look_back = mb.course.use("04.look_back", look_back)

pairs = 8
texts, asked, rooms = guest_list(1000, pairs, 0, torch.Generator().manual_seed(2))
plain = texts.flatten(1)  # (texts, 2 * pairs): guest, room, guest, room, ...
print(" ".join(WORDS[i] for i in plain[0].tolist()), f"...  {WORDS[asked[0]]}?  {rooms[0]}")
marks = sinusoids(2 * pairs, 32)
is_room = (torch.arange(2 * pairs) % 2 == 1)[None]  # (1, positions): the reader looks at these alone
with torch.no_grad():
    x = reader.words(plain)  # (texts, positions, dim)
    seen = {"without the head": x}
    for steps, name in ((3, "a head that looks 3 back"), (1, "a head that looks 1 back")):
        seen[name] = x + attention(100 * marks @ look_back(steps, 32), marks, x)  # 100: a sharp head
    for name, x in seen.items():
        q = reader.query(reader.words(asked))[:, None]
        found = attention(q, reader.key(x), reader.value(x), is_room)
        answers = reader.output(found[:, 0]).argmax(-1)
        print(f"{name:>24}: {(answers == rooms).float().mean():.2f} right")
frequent = F.one_hot(texts[:, :, 1], 10).sum(1).argmax(-1)  # (texts,)
print(f"{'the most frequent room':>24}: {(frequent == rooms).float().mean():.2f} right (chance is 0.10)")

# %% [markdown]
r"""
Without the head, or with one that looks to the wrong guest, the reader does no better than the most
frequent of the eight rooms. With the right head it reads plain text. Two attentions, one after
the other, do what one alone cannot: the first brings together what stands
side by side, and the second looks it up. Trained language models form such pairs of heads by
themselves, and much of their skill to repeat patterns rests on them (Olsson et al. 2022, *induction
heads*, [arXiv:2209.11895](https://arxiv.org/abs/2209.11895)). Section 10 looks for yours in BERT.

## 7. A block

Attention moves information *between* positions. After each attention every position works by
itself, in a **feed-forward network** of two layers, the same for all positions (section 3.3):

$$
\mathrm{FFN}(x) = \max(0,\, x W_1 + b_1)\, W_2 + b_2
$$

$W_1$ widens, usually to $4d$ numbers, and $W_2$ narrows again to $d$.

Around each of the two goes a **residual connection**: the output of the sublayer is *added* to what
came in. So one stream of vectors runs from the bottom to the top, and every sublayer reads from it
and writes into it. A **LayerNorm** keeps the numbers at a moderate size: it brings each vector to
mean 0 and variance 1 over its own numbers, then scales and shifts them by learned weights. Where
does it stand? There are two schools:

| | | |
|---|---|---|
| **post-LN**, the paper's and BERT's | $x \leftarrow \mathrm{LN}\big(x + f(x)\big)$ | the norm stands on the stream |
| **pre-LN**, GPT-2's and most since | $x \leftarrow x + f\big(\mathrm{LN}(x)\big)$ | beside it; one more norm at the very end |
"""

# %%
boxes, arrows = {}, []
for side, (x, beside) in {"post": (3.4, -2.0), "pre": (6.6, 2.0)}.items():
    order = (("f", "+", "n") if side == "post" else ("n", "f", "+")) * 2
    names = iter(["attention", "feed-forward"])
    boxes[f"{side}0"] = (x, 0.4, f"x  ({side}-LN)", PALE["word"])
    for i, kind in enumerate(order, 1):
        text = {"+": "+", "n": "LayerNorm"}.get(kind) or next(names)
        on_stream = kind == "+" or (side == "post" and kind == "n")
        colour = {"f": PALE["q"], "+": PALE["sum"], "n": PALE["k"]}[kind]
        boxes[f"{side}{i}"] = (x if on_stream else x + beside, 0.4 + 0.85 * i, text, colour)
    boxes[f"{side}7"] = (x, 6.35, "new x", PALE["word"])
    arrows += [(f"{side}{i}", f"{side}{i + 1}") for i in range(7)]
    plus = 2 if side == "post" else 3  # the stream goes past each sublayer, to its sum
    arrows += [(f"{side}0", f"{side}{plus}"), (f"{side}3", f"{side}{plus + 3}")]
diagram("One block, from the bottom to the top", boxes, arrows, height=5.2,
        alt="Two mirrored pictures. Post-LN: each sublayer stands beside the stream, sum and LayerNorm on "
            "it. Pre-LN: LayerNorm and sublayer stand beside the stream, on which there are only sums.")

# %% [markdown]
r"""
{{exercise 04.find_the_bug}}

A colleague has written a pre-LN block. "Everybody says that pre-LN needs no warm-up", he says, "but
mine does." (With a warm-up the learning rate begins near zero and rises; section 8 comes to it.)
Find what he did to the residual stream, and repair `forward`. (`*mask` is right: it hands a mask,
if there is one, on to the attention.)
"""

# %%
class PreBlock(nn.Module):
    """A pre-LN block around two sublayers, functions from (batch, length, dim) to the same."""

    def __init__(self, dim, attend, feed):
        super().__init__()
        self.attend, self.feed = attend, feed
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x, *mask):
        x = self.norm_1(x)
        x = x + self.attend(x, *mask)
        x = self.norm_2(x)
        x = x + self.feed(x)
        return x

    ### BEGIN SOLUTION
    def forward(self, x, *mask):
        x = x + self.attend(self.norm_1(x), *mask)  # the stream itself is never normalised
        x = x + self.feed(self.norm_2(x))
        return x
    ### END SOLUTION


# %%
mb.course.check("04.find_the_bug", PreBlock)

# %% [markdown]
r"""
Stacked, with the norm at the end, his blocks are post-LN in disguise: each norm stands on the
stream.

The library's `Block` has both schools as one switch, `norm`. With your attention and its own
feed-forward network, the repaired block computes the same.
"""

# %%
PreBlock = mb.course.use("04.find_the_bug", PreBlock)

# %%
library = Block(TransformerConfig(9, dim=24, heads=3, hidden=48, norm="pre", dropout=0.0))
heads = MultiHead(24, 3)
heads.load_state_dict(library.attention.state_dict())
mine = PreBlock(24, heads, library.ffn)
mine.norm_1, mine.norm_2 = library.attention_norm, library.ffn_norm
x = torch.randn(2, 5, 24)
difference = (mine(x) - library(x)[0]).abs().max()
assert difference < 1e-5
print(f"largest difference: {difference:.1e}")

# %%
mb.course.source(Block.forward)

# %% [markdown]
r"""
### A Transformer of your own

Now you put your parts together. The task is one in which only order matters. Among six to twelve
letters are one A and one B. Which comes first? Short rows are filled up with padding, which has the
id 0.
"""

# %%
def which_first(count, seed, longest=12):
    """Letters (3 to 24) with one A (1) and one B (2) among them; label 1 where A comes first."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(3, 25, (count, longest), generator=generator)
    lengths = torch.randint(6, longest + 1, (count, 1), generator=generator)
    padding = torch.arange(longest) >= lengths  # (count, longest)
    drawn = torch.rand(count, longest, generator=generator).masked_fill(padding, 2.0)
    positions = drawn.argsort(1)[:, :2]  # of A and of B
    letters.scatter_(1, positions, torch.tensor([[1, 2]]).expand(count, 2))
    return letters.masked_fill(padding, 0), (positions[:, 0] < positions[:, 1]).long()


letters, labels = which_first(3, seed=3)
for row, label in zip(letters.tolist(), labels.tolist(), strict=True):
    print("".join("_ABcdefghijklmnopqrstuvwxy"[i] for i in row), label)

# %% [markdown]
r"""
{{exercise 04.reader}}

(Optional. Without your answer, the next cells take the library's version.) Build the encoder in two
cells. In the first, `marks` (longest, dim) holds the vectors to be added, one for each position.
Make four layers:

- `embedding`, an `nn.Embedding(25, dim)`;
- `blocks`, an `nn.ModuleList` of two `PreBlock(dim, MultiHead(dim, 4), FeedForward(dim, 4 * dim))`;
- `norm`, an `nn.LayerNorm(dim)`;
- `output`, an `nn.Linear(dim, 2)`.

`mask(input_ids)` is True where a letter may look. It hides the padding, and if `causal` is True, it
also hides the future (your `both_masks`). Its shape is `(batch, 1, 1, length)` or
`(batch, 1, length, length)`; the 1 after the batch is for the heads.

In the second cell, `forward` goes from ids to logits in five steps:

1. Add the first `length` marks to the vectors of the letters.
2. Call one block after the other, `x = block(x, mask)`.
3. Use `norm`.
4. Take the mean of the states of each text, padding left out.
5. Give it to `output`.

`loss(batch)` gets a dict with `input_ids` and with `labels` of shape `(batch,)`. It returns two
things, as `mb.fit` wants them: the *sum* of the cross-entropies, and the number of texts. Leave the
arguments as they are.

The check tries the parts in this order: the layers; logits without padding, with padding, with
`causal`, and for another size; the loss and its gradients.
"""

# %%
class Layers(nn.Module):
    """The parts of the reader, and its mask."""

    def __init__(self, marks, causal=False):
        super().__init__()
        self.marks, self.causal = marks, causal
        ### BEGIN SOLUTION
        dim = marks.shape[1]
        self.embedding = nn.Embedding(25, dim)
        self.blocks = nn.ModuleList(
            PreBlock(dim, MultiHead(dim, 4), FeedForward(dim, 4 * dim)) for _ in range(2)
        )
        self.norm = nn.LayerNorm(dim)  # pre-LN: one more at the end
        self.output = nn.Linear(dim, 2)
        ### END SOLUTION

    def mask(self, input_ids):
        """What may be looked at: (batch, 1, 1 or length, length)."""
        mask = torch.ones(len(input_ids), 1, 1, input_ids.shape[1], dtype=torch.bool)
        ### BEGIN SOLUTION
        real = input_ids != 0  # (batch, length)
        mask = both_masks(real.long())[:, None] if self.causal else real[:, None, None, :]
        ### END SOLUTION
        return mask


# %%
class Reader(Layers):
    """Two blocks, and a label from the mean of their states."""

    def forward(self, input_ids):
        """(batch, length) -> logits (batch, 2)."""
        logits = torch.zeros(len(input_ids), 2)
        ### BEGIN SOLUTION
        mask, real = self.mask(input_ids), (input_ids != 0)[..., None]  # real: (batch, length, 1)
        x = self.embedding(input_ids) + self.marks[: input_ids.shape[1]]
        for block in self.blocks:
            x = block(x, mask)  # (batch, length, dim)
        x = self.norm(x)
        mean = (x * real).sum(1) / real.sum(1)  # (batch, dim)
        logits = self.output(mean)
        ### END SOLUTION
        return logits

    def loss(self, batch):
        """(Sum of the cross-entropies, number of texts)."""
        total, count = torch.tensor(0.0), 1
        ### BEGIN SOLUTION
        logits = self(batch["input_ids"])
        total, count = F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits)
        ### END SOLUTION
        return total, count


# %%
mb.course.check("04.reader", Reader)

# %% [markdown]
r"""
Three readers, which differ in marks and mask alone. *Predict before you run:* which of them can
tell whether A comes before B?
"""

# %%
Reader = mb.course.use("04.reader", Reader)

train_set, test = which_first(100 if SMOKE else 2000, 1), which_first(100 if SMOKE else 1000, 2)
none = torch.zeros(12, 32)
readers = {"no positions": Reader(none), "causal mask alone": Reader(none, causal=True),
           "sinusoidal positions": Reader(sinusoids(12, 32))}
right, steps = {}, 5 if SMOKE else 150
for name, model in readers.items():
    batches = mb.text.ArrayBatches(32, input_ids=train_set[0], labels=train_set[1])
    mb.fit(model, batches, steps=steps, optimizer=mb.optim.adamw(model, 0.003), device="cpu",
           schedule=mb.optim.linear(steps, steps // 10), progress=False)
    with torch.no_grad():
        right[name] = (model(test[0]).argmax(-1) == test[1]).float().mean().item()
mb.show.figure(mb.show.bars(right, "Does A come before B? (one seed; chance is 0.5)", "share right"))

# %% [markdown]
r"""
Your Transformer can tell order, by its marks or by the mask alone. With neither it stays at chance,
however long it trains: swapping A and B gives it the same bag of letters. Section 11 repeats this
over several seeds, on sentences, too.
"""

# %% [markdown]
r"""
## 8. Before or after? (optional)

The authors of the paper trained with a **warm-up**: the learning rate begins near zero, rises for
some thousand steps, and only then falls (section 5.3). Without it such models often do not train,
and for years nobody could say why. Xiong et al. (2020) looked at the gradients *before the first
step*.
Let us do the same, on a language model of letters: six blocks and a causal mask.
"""

# %%
class CausalLM(nn.Module):
    """Predicts each next letter: a stack of blocks that sees only what came before."""

    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions, self.stack = mb.models.transformer.Positions(config), Stack(config)
        self.output = nn.Linear(config.dim, config.vocab_size)
        mb.models.transformer.initialise(self)  # Glorot's uniform numbers, as in the paper's program
        nn.init.normal_(self.embedding.weight)

    def forward(self, input_ids):
        length = input_ids.shape[1]
        x = self.embedding(input_ids) + self.positions(torch.arange(length))
        return self.output(self.stack(x, causal_mask(length))[0].last_hidden_state)


text = mb.world.generate(tokens=3_000, seed=0).text()
number = {letter: i for i, letter in enumerate(sorted(set(text)))}
ids = torch.tensor([number[letter] for letter in text])
rows = ids[: 32 * 33].view(32, 33)  # 32 pieces of text
inputs, targets = rows[:, :-1], rows[:, 1:]
print(f"{len(number)} different letters; the first piece: {text[:33]!r}")

# %%
fig, ax = mb.show.new("Before the first step", "block, from the bottom", "norm of the gradient of $W_2$")
models = {}
for norm, style in (("post", "s--"), ("pre", "o-")):
    mb.seed_everything(0)  # both begin with the same weights
    models[norm] = model = CausalLM(TransformerConfig(
        len(number), dim=32, layers=6, heads=4, hidden=128, dropout=0.0, norm=norm, max_length=32))
    F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
    norms = [block.ffn.outer.weight.grad.norm().item() for block in model.stack.blocks]
    ax.plot(range(1, 7), norms, style, label=f"{norm}-LN")
ax.legend()
ax.set(ylim=(0, None))
mb.show.figure(fig, alt="Gradient norms by block before the first step, for post-LN and for pre-LN.")

# %% [markdown]
r"""
Before anything is learned, the two are already far apart. With post-LN the last LayerNorm stands
right behind the last sublayer, and the gradient there does not shrink in a deeper model. With
pre-LN the stream grows from block to block, and the one norm at the end divides by its size. So the
gradients of the last block are smaller, and they shrink as the model gets deeper: about
$1/\sqrt{L}$ for $L$ blocks. Xiong et al. connect the need for a warm-up with these large gradients
near the output.

That cannot be the whole reason. Adam, which everybody uses here, divides each gradient by its own
size. *Predict before you run:* whose first step is longer, with the same rate? And whose output
moves further?
"""

# %%
for norm, model in models.items():
    before = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        logits = model(inputs)
    torch.optim.Adam(model.parameters(), 0.003).step()  # along the gradients of the cell above
    moved = sum((p - old).square().sum() for p, old in zip(model.parameters(), before, strict=True))
    with torch.no_grad():
        change = (model(inputs) - logits).square().mean().sqrt()
    print(f"{norm}-LN: all weights together move by {moved**0.5:.2f}, a logit by {change:.2f}")

# %% [markdown]
r"""
The weights move equally far: the size of a gradient does not decide the size of Adam's step. But
the output of post-LN moves further. That fits what Liu et al. (2020,
[arXiv:2004.08249](https://arxiv.org/abs/2004.08249)) propose: each sublayer of post-LN depends
heavily on its own branch, so that small changes of the weights add up to large changes of the
output. One step of six small blocks is a hint, and no test; the cause is still debated.

The effect itself is not debated. The next figure holds many runs of such models: both schools,
three rates, with and without a warm-up (settings in `chapters/findings/04.py`). *Predict before you
look:* which of the four ends highest, at the middle rate?
"""

# %%
found = mb.course.findings("04")
settings = found.content["experiments"]["warmup"]["config"]
rates = settings["rates"]
fig, ax = mb.show.new(f"{settings['depth']} blocks, {settings['steps']} steps", "peak rate",
                      "held-out loss (nats per letter)", size=(7.6, 4.6))
ways = {"post_none": ("post-LN, no warm-up", "s--"), "post_warm": ("post-LN, warm-up", "s-"),
        "pre_none": ("pre-LN, no warm-up", "o--"), "pre_warm": ("pre-LN, warm-up", "o-")}
for way, (label, style) in ways.items():
    names = [f"warmup.{way}_d{settings['depth']}_r{n + 1}" for n in range(len(rates))]
    values = torch.tensor([found.values(name) for name in names])  # (rates, seeds)
    ax.errorbar(rates, values.mean(1), values.std(1), fmt=style, capsize=4, label=label)
ax.axhline(found.mean("warmup.unigram"), color="grey", ls=":", label="letters' frequencies alone")
ax.set(xscale="log")
ax.set_xticks(rates, [str(rate) for rate in rates])
ax.minorticks_off()
fig.legend(loc="outside lower center", ncols=3, fontsize=9, title="mean and standard deviation")
mb.show.figure(fig, alt="Loss by rate: post-LN and pre-LN, with and without warm-up.")

# %% [markdown]
r"""
A lower loss is better. On the dotted line a model has learned how frequent each letter is, and
nothing more. At the middle rate post-LN without a warm-up ends near that line in most runs, and a
warm-up helps it. At the highest rate it ends there in most runs even with a warm-up, which is too
short for that rate. Pre-LN needs none, at any of the three.

## 9. Encoder and decoder (optional)

The first Transformer was a translator. Its **encoder**, a stack without a causal mask, reads a
sentence. Its **decoder**, a stack with one, writes another, word by word. Each block of the decoder
has a second attention between the two sublayers that you know. In it the words written so far look
at what the encoder made of the sentence: **cross-attention**, with queries from the decoder, keys
and values from the encoder. BERT is an encoder alone, GPT a decoder alone (without the second
attention). All three are the one `Block`.
"""

# %%
boxes = {"read": (2.2, 0.4, "Timothy has planted the tree .", PALE["word"]),
         "encoder": (2.2, 2.2, "encoder: N blocks\nattention · feed-forward\nall see all", PALE["q"]),
         "memory": (2.2, 4.4, "memory: one vector per word", PALE["v"]),
         "written": (7.4, 0.4, "<s> Has Timothy", PALE["word"]),
         "decoder": (7.4, 2.9, "decoder: N blocks\nattention, causal mask\ncross-attention\nfeed-forward",
                     PALE["k"]),
         "next": (7.4, 5.0, "next word: planted", PALE["sum"])}
arrows = [("read", "encoder"), ("encoder", "memory"), ("memory", "decoder"), ("written", "decoder"),
          ("decoder", "next")]
diagram("The first Transformer: it reads with one stack and writes with another", boxes, arrows,
        height=4.2, alt="An encoder turns the sentence into a memory, one vector per word. A decoder looks "
                        "at the words written so far and at the memory, and gives the next word.")

# %% [markdown]
r"""
Our translation goes from statements to questions: *Timothy has planted the tree* becomes *Has
Timothy planted the tree?* The grammar of the world gives us pairs. The auxiliary moves to the
front. Where there is none, *do* comes in and takes the ending of the verb. The rest must be copied,
in order. A simple rule to compare with: move the first auxiliary to the front. (The word that came
first loses its capital, if it also occurs inside sentences.)
"""

# %%
from minibert.world.asking import pairs as asking_pairs

train_pairs = asking_pairs(mb.world.generate(tokens=10_000 if SMOKE else 300_000, seed=0))
known = {tuple(statement) for statement, _ in train_pairs}
words = mb.text.Vocab.train([a + b for a, b in train_pairs],
                            specials=("<pad>", "<unk>", "<s>", "</s>"))
fresh = asking_pairs(mb.world.generate(tokens=5_000 if SMOKE else 40_000, seed=1))
fresh = [(a, b) for a, b in fresh if tuple(a) not in known and all(w in words for w in a + b)]
print(len(train_pairs), "pairs to learn from,", len(fresh), "new statements,", len(words), "words")
for statement, question in fresh[:4]:
    print(f"{' '.join(statement):45} ->  {' '.join(question)}")

# %%
AUXILIARIES = set("is are was were has have had can could will would must may should".split())
inside = {word for statement, _ in train_pairs for word in statement[1:]}


def by_rule(statement):
    """The question by the rule, or None where there is no auxiliary."""
    at = next((i for i, word in enumerate(statement) if i and word in AUXILIARIES), None)
    if at is None:
        return None
    first = statement[0].lower() if statement[0].lower() in inside else statement[0]
    return [statement[at].capitalize(), first, *statement[1:at], *statement[at + 1 : -1], "?"]


with_do = sum(question[0] in ("Do", "Does", "Did") for _, question in fresh) / len(fresh)
right = sum(by_rule(statement) == question for statement, question in fresh) / len(fresh)
print(f"the first auxiliary to the front: {right:.0%} right; {with_do:.0%} of the questions need do")

# %% [markdown]
r"""
In training the decoder reads the right question, shifted by one: at each position it has the words
so far, and must predict the next one (**teacher forcing**). So all positions are computed at the
same time, where an LSTM has to go from one to the next. `<s>` begins what is written, `</s>` ends
it.
"""

# %%
def encode(statement, question):
    """What is read, what the decoder has before it, and what it must predict."""
    ids = words.encode(question)
    return {"input_ids": words.encode(statement), "decoder_ids": [words["<s>"], *ids],
            "labels": [*ids, words["</s>"]]}


mb.seed_everything(0)
model = mb.Transformer(TransformerConfig(len(words), dim=64, layers=2, heads=4, hidden=128,
                                         dropout=0.0, norm="pre", max_length=32))
batches = mb.text.PaddedBatches([encode(*pair) for pair in train_pairs], 64)
steps = 5 if SMOKE else 300
history = mb.fit(model, batches, steps=steps, device="cpu", progress=False,
                 optimizer=mb.optim.adamw(model, 0.005, betas=(0.9, 0.98)),
                 schedule=mb.optim.linear(steps, warmup=steps // 5))
figure = mb.show.loss_curve(history, title="Learning to ask", ylabel="loss (nats per word)")
mb.show.figure(figure)

# %% [markdown]
r"""
Now the trained model has to write without help: its own words so far take the place of the right
ones.

{{exercise 04.greedy}}

Write `greedy(next_scores, start_id, end_id, steps)`. `next_scores(written)` takes the list of all
ids so far and gives the scores of the next one, a vector. Begin with `[start_id]`, append the best
id each time, and stop at `end_id` or after `steps` words. Give back the list without start and end.
"""

# %%
def greedy(next_scores, start_id, end_id, steps):
    """The likeliest word in each step: a list of ids."""
    words_written = []
    ### BEGIN SOLUTION
    for _ in range(steps):
        best = int(next_scores([start_id, *words_written]).argmax())
        if best == end_id:
            break
        words_written.append(best)
    ### END SOLUTION
    return words_written


# %%
mb.course.check("04.greedy", greedy)

# %%
greedy = mb.course.use("04.greedy", greedy)


def ask(statement):
    """The question that the model writes, a list of words."""
    with torch.no_grad():
        memory = model.encode(torch.tensor([words.encode(statement)])).last_hidden_state

        def next_scores(written):
            states, _ = model.decode(torch.tensor([written]), memory)
            return model.output(states.last_hidden_state[0, -1])  # (V,)

        return [words.tokens[i] for i in greedy(next_scores, words["<s>"], words["</s>"], 15)]


asked = [ask(statement) for statement, _ in fresh]
exact = sum(mine == right for mine, (_, right) in zip(asked, fresh, strict=True)) / len(fresh)
print(f"{exact:.0%} of {len(fresh)} new statements: every word of the question right (one seed)")
for mine, (statement, right) in list(zip(asked, fresh, strict=True))[:12]:
    print("  " if mine == right else "x ", f"{' '.join(statement):45} ->  {' '.join(mine)}")

# %% [markdown]
r"""
The rule fails wherever a verb needs *do*, which is in more than half of the questions. The model
has learned both kinds, and its mistakes are mostly words that it copies wrongly.

Where does the decoder look while it writes? A hook notes what its last cross-attention was given,
and we ask that layer once more, for its weights. *Predict before you run:* where will it look when
it has to write *Did*? And when it has to write the verb?
"""

# %%
def cross_attention(statement, question):
    """Weights of the last block's cross-attention, mean over the heads: (written, read)."""
    example = encode(statement, question)
    layer, seen = model.decoder.blocks[-1].cross, []
    hook = layer.register_forward_pre_hook(lambda module, given: seen.append(given))
    with torch.no_grad():
        model(torch.tensor([example["input_ids"]]), torch.tensor([example["decoder_ids"]]))
        hook.remove()
        _, weights, _ = layer(*seen[0], output_attentions=True)  # (1, heads, written, read)
    return weights[0].mean(0)


right_ones = [pair for mine, pair in zip(asked, fresh, strict=True) if mine == pair[1]] or fresh
statement, question = max(right_ones, key=lambda pair: (pair[1][0] == "Did", len(pair[0]) <= 9,
                                                        len(pair[0])))
figure = mb.show.heatmap(cross_attention(statement, question), [*question, "(end)"], statement,
                         title="Where the decoder looks", xlabel="what was read",
                         ylabel="what is to be written", unit="weight", numbers="")
mb.show.figure(figure)

# %% [markdown]
r"""
In each row look for the lightest cell. For a word that is copied it stands, more often than not, at
that word. The verb looks at the form that it has to change. *Did* has no word of its own, and its
weight is spread. Nobody told the model which word of the question comes from where.

## 10. Touch it

Does a trained model have a head that looks one position back? (The optional part of section 6
writes one by hand.) BERT (chapter 05) is an encoder, and one comes with the library. For each of
its heads, this cell measures how much weight goes one position back, on sentences of the world.
"""

# %%
def back_weights(bert, sentences):
    """Mean weight on the position before, for each layer and head: (layers, heads)."""
    total, count = 0, 0
    for sentence in sentences:
        ids = torch.tensor([bert.tokenizer.pair(sentence)["input_ids"]])
        with torch.no_grad():
            found = torch.stack(bert(ids, output_attentions=True).attentions)[:, 0]
        back = found.diagonal(-1, dim1=-2, dim2=-1)[..., 1:]  # (layers, heads, length - 2)
        total, count = total + back.sum(-1), count + back.shape[-1]
    return total / count


bert = mb.BERT.from_pretrained("minibert-bert").eval()
some = [" ".join(s) for s in mb.world.generate(tokens=2_000, seed=5).sentences() if 5 < len(s) < 16]
back = back_weights(bert, some[:30])
layer, head = divmod(int(back.argmax()), back.shape[1])
names = [f"layer {i + 1}" for i in range(len(back))], [f"head {i + 1}" for i in range(back.shape[1])]
mb.show.figure(mb.show.heatmap(back, *names, title="How much of the weight goes one position back?",
                               xlabel="head", ylabel="layer", unit="mean weight"))

# %% [markdown]
r"""
With a dozen tokens, a head that looks everywhere equally would give about 0.08 to each. The widget
opens on the head with the highest figure. Type a sentence, touch a token, choose a layer and a
head (the screen counts both from 1). On the left is the whole head: each row is a token that looks,
and a lighter cell is a larger weight. On the right is the row of the token that you touched, with
its weights as bars. The temperature $T$ divides the scores before the softmax: a low one gives the
hard lookup of section 1, a high one looks everywhere equally (the dotted line).
"""

# %%
mb.show.AttentionExplorer(bert, "The windows of the library were empty.", token=6, layer=layer, head=head)

# %% [markdown]
r"""
A head that looks one position back goes from *were* to *library*, the word before, although it is
the windows that were empty. Grammar is not its business.

Things to try. Is there a head that looks one position *ahead*? One that looks mostly at `[SEP]`,
where there is nothing to find? Move a word to another position: do the weights follow the word or
the position?

### A weight is not an explanation (optional)

It is tempting to read such a picture as the reason for what a model says. Test it. In *The windows
of the library [MASK] empty*, the model has to choose between *were* and *was*. By the grammar the
subject, *windows*, decides. This small model often chooses wrongly; so the cell goes through a few
such sentences and takes the first in which it is right. For each word it then compares two figures:
how much weight the word gets from `[MASK]`, on average over all heads, and how much the choice
changes when that word is hidden. Each figure has its rank, 1 for the largest.
"""

# %%
filler = mb.heads.MaskedLM.from_pretrained("minibert-bert").eval()
tokens = bert.tokenizer
were, was = (tokens.encode(word)[0] for word in ("were", "was"))


def look(ids, gap):
    """The score of *were* minus that of *was* in the gap, and the gap's weights, mean of the heads."""
    with torch.no_grad():
        out = filler.encoder(torch.tensor([ids]), output_attentions=True)
        scores = filler.output(out.last_hidden_state[0, gap])  # (V,)
    return float(scores[were] - scores[was]), torch.stack(out.attentions)[:, 0, :, gap].mean((0, 1))


for sentence in ("The windows of the library [MASK] empty.", "The trees near the house [MASK] old.",
                 "The dogs of the weaver [MASK] old.", "The books in the library [MASK] old."):
    ids = tokens.pair(tokens.encode(sentence, specials=True))["input_ids"]
    gap = ids.index(tokens.mask_id)
    choice, weights = look(ids, gap)
    print(f"{sentence:42} score of were minus score of was: {choice:+.2f}")
    if choice > 0:  # right: all the subjects are plural
        break

# %%
positions = [i for i in range(1, len(ids) - 1) if i != gap]
changes = [look([tokens.mask_id if j == i else token for j, token in enumerate(ids)], gap)[0] - choice
           for i in positions]
for n, i in enumerate(positions):
    by_weight = 1 + sum(weights[j] > weights[i] for j in positions)
    by_change = 1 + sum(abs(change) > abs(changes[n]) for change in changes)
    print(f"{tokens.tokens[ids[i]]:>8}: weight {weights[i]:.2f} (rank {by_weight}); hidden, it changes the "
          f"choice by {changes[n]:+.2f} (rank {by_change})")

# %% [markdown]
r"""
Compare the two ranks. *trees* is among the words with small weights, and yet hiding it changes the
choice most. A weight says where vectors were fetched from, not what they did afterwards. To learn
what a model uses, change the input and see. (One sentence, chosen because the model is right, shows
that the two *can* differ; it does not show how often.)

Whether weights explain anything is disputed (Jain & Wallace 2019,
[arXiv:1902.10186](https://arxiv.org/abs/1902.10186); Wiegreffe & Pinter 2019,
[arXiv:1908.04626](https://arxiv.org/abs/1908.04626)).
"""

# %% [markdown]
r"""
## 11. How much of this is luck?

The full experiments ran over {{finding 04 lookup.attention_gap0 seeds}} seeds (`make findings CH=04`,
settings in `chapters/findings/04.py`). First the lookup of section 3. The LSTM gets its best of
three rates, chosen on separate validation texts.
"""

# %%
found = mb.course.findings("04")
gaps = found.content["experiments"]["lookup"]["config"]["gaps"]
fig, ax = mb.show.new("Who has which room?", "words between list and question", "share of right answers")
for name, label, style in (("attention", "attention", "o-"), ("lstm", "LSTM, best of three rates", "s--"),
                           ("last", "always the last room", "^:")):
    values = torch.tensor([found.values(f"lookup.{name}_gap{gap}") for gap in gaps])  # (gaps, seeds)
    ax.errorbar(gaps, values.mean(1), values.std(1), fmt=style, capsize=4, label=label)
longer = torch.tensor(found.values("lookup.lstm_longer"))
ax.errorbar(gaps[1:2], longer.mean(), longer.std(), fmt="D", capsize=4, label="LSTM, four times the steps")
ax.set(ylim=(0, 1.05), xticks=gaps)
ax.legend(loc="lower left", fontsize=9, title="mean and standard deviation")
mb.show.figure(fig, alt="Share of right answers by distance over the seeds: attention, LSTM, last room.")

# %% [markdown]
r"""
{{findings 04
| over 20 words, attention answers better than the LSTM | lookup.attention_gap20 - lookup.lstm_gap20 | percent | none: our own task |
| over 10 words, attention answers better than the LSTM | lookup.attention_gap10 - lookup.lstm_gap10 | percent | none |
| the LSTM is better over 0 words than over 20 | lookup.lstm_gap0 - lookup.lstm_gap20 | percent | none |
| over 20 words, the LSTM does better with the question first | question_first.first_gap20 - question_first.last_gap20 | percent | none |
| over 10 words, four times the steps help the LSTM | lookup.lstm_longer - lookup.lstm_gap10 | percent | none |
}}

Attention answers equally well at every distance, and the LSTM gets worse. With four times the steps
the LSTM is right in {{finding 04 lookup.lstm_longer mean .0%}} of the cases over ten words: it can learn
what attention learns, but later. And an LSTM that knows the question before it reads is right in
{{finding 04 question_first.first_gap20 mean .0%}} of the cases over twenty words, after 400 steps.

### Order, the norm and whole questions (optional)

First order. The letters are as in section 7, but twelve in every row. In every second sentence of
the world the words are reversed (except the first and the last): which sentences are as they were
written? In the test each sentence comes with its own reversal, and each row of letters with the
same row, A and B exchanged.
Without positions the two are one and the same input, so that model *must* be right half the time.

{{findings 04
| letters: a causal mask alone beats no positions | order.letters_causal - order.letters_none | percent | the direction (Haviv et al. 2022) |
| letters: sinusoidal positions beat none | order.letters_sinusoidal - order.letters_none | percent | none |
| sentences: a causal mask alone beats no positions | order.words_causal - order.words_none | percent | the direction (Haviv et al. 2022) |
| sentences: sinusoidal positions beat none | order.words_sinusoidal - order.words_none | percent | none |
| sentences: learned positions beat sinusoidal ones | order.words_learned - order.words_sinusoidal | percent | no difference: 25.7 and 25.8 BLEU |
}}

Then the norm, before the first step and after training (the runs of section 8).

{{findings 04
| in the last of 16 blocks, post-LN has the larger gradient | gradients.post_top_deep - gradients.pre_top_deep | norm | larger, by theorem 1 |
| with pre-LN, the last block's gradient is smaller in the deeper model | gradients.pre_top_shallow - gradients.pre_top_deep | norm | smaller, like 1 / √L |
| middle rate: post-LN ends higher without warm-up than with it | warmup.post_none_d6_r2 - warmup.post_warm_d6_r2 | nats | 8.45 against about 34 BLEU (IWSLT14) |
| middle rate, no warm-up: post-LN ends higher than pre-LN | warmup.post_none_d6_r2 - warmup.pre_none_d6_r2 | nats | pre-LN needs no warm-up |
| middle rate: warm-up gains more for post-LN than for pre-LN | warmup.post_gain_d6_r2 - warmup.pre_gain_d6_r2 | nats | the paper's claim |
| middle rate: warm-up gains post-LN more in six blocks than in two | warmup.post_gain_d6_r2 - warmup.post_gain_d2_r2 | nats | none |
| with warm-up, each at its best rate, post-LN ends higher than pre-LN | warmup.post_warm_best - warmup.pre_warm_best | nats | about equal |
| middle rate: warm-up helps pre-LN | warmup.pre_none_d6_r2 - warmup.pre_warm_d6_r2 | nats | no difference |
}}

The models of Xiong et al. are deeper and wider and were trained for far longer than these. Last,
whole questions without a mistake (section 9).

{{findings 04
| positions help | questions.full - questions.no_positions | percent | none |
| pre-LN beats post-LN, both with warm-up | questions.full - questions.post | percent | none |
}}

Without positions the encoder reads a bag of words. Yet the model is not quite blind: its decoder
has the causal mask, knows what it has written, and can often guess in which order such words stand.

## 12. The real thing (optional)

PyTorch ships an encoder layer of its own. With the same weights it computes the same.
"""

# %% tags=["nbval-check-output"]
block = Block(TransformerConfig(9, dim=24, heads=3, hidden=48, norm="pre", dropout=0.0)).eval()
theirs = nn.TransformerEncoderLayer(24, 3, 48, dropout=0.0, batch_first=True, norm_first=True).eval()
three = (block.attention.query, block.attention.key, block.attention.value)
theirs.self_attn.in_proj_weight.data = torch.cat([part.weight for part in three]).data
theirs.self_attn.in_proj_bias.data = torch.cat([part.bias for part in three]).data
for a, b in ((theirs.self_attn.out_proj, block.attention.output), (theirs.linear1, block.ffn.inner),
             (theirs.linear2, block.ffn.outer), (theirs.norm1, block.attention_norm),
             (theirs.norm2, block.ffn_norm)):
    a.load_state_dict(b.state_dict())
x = torch.randn(2, 5, 24)
with torch.no_grad():
    assert torch.allclose(block(x)[0], theirs(x), atol=1e-5)
print("torch's encoder layer, with the same weights, finds the same")

# %% [markdown]
r"""
And a head that looks back, in a model of real English: MiniLM, a BERT of six layers that was
distilled from a larger one and trained on a billion pairs of sentences.
`minibert data get all-minilm-l6-v2` fetches it (92 MB).
*Predict before you run:* does it have a head that looks one position back?
"""

# %%
try:
    minilm = mb.BERT.from_pretrained("all-minilm-l6-v2").eval()
except FileNotFoundError:
    print("MiniLM is not here: `minibert data get all-minilm-l6-v2` fetches it. The chapter goes on.")
else:
    english = ["The dog that chased the three cats was tired and slept under the table.",
               "When the train arrived, most of the passengers were reading their newspapers.",
               "Nobody in the small town could remember such a cold and windy spring.",
               "She opened the old book carefully, because some of its pages were loose."]
    real = back_weights(minilm, english)
    layer, head = divmod(int(real.argmax()), real.shape[1])
    names = [f"layer {i + 1}" for i in range(len(real))], [str(i + 1) for i in range(real.shape[1])]
    mb.show.figure(mb.show.heatmap(real, *names, title="MiniLM: weight that goes one position back",
                                   xlabel="head", ylabel="layer", unit="mean weight"))
    print(f"layer {layer + 1}, head {head + 1}: {real.max():.0%} of the weight, on average; "
          f"the median of all heads: {real.median():.0%}")

# %% [markdown]
r"""
Four sentences are few, but the lightest cell needs no more: where it is close to 1, training found
what section 6 writes by hand.

## 13. Summary

- Attention is a soft lookup: compare a query with all keys, turn the scores into weights, mix the
  values. Dividing by $\sqrt{d}$ keeps the softmax where it can learn.
- All positions are one step away. So a reader with one attention learned a lookup over any
  distance, where an LSTM that does not know the question in advance loses more, the longer it
  has to remember.
- A mask hides padding and the future. Heads look in parallel, each in its own way.
- Nothing in attention knows about order. Positions tell it, or the nested sets of a causal mask.
- A block is attention and a feed-forward network, each around a residual stream. Where the norm
  stands decides how gently training must begin.
- An encoder reads. A decoder writes, and looks at what was read. Chapter 05 trains the encoder
  alone on plain text, and calls it BERT.

{{quiz 04.q1}}

{{quiz 04.q2}}

{{quiz 04.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**A project.** Find where the lookup breaks: more guests, two guests with one name (the later room
counts), or a question by room (*7?*) that wants the guest. Train both readers, over at least five
seeds, and draw the shares with their spread. A good report tunes both rates on texts that it does
not report on (3 points), names a cheap baseline for its task (2), shows one attention map and one
case that the map does not explain (3), and says what it did not show (2).

**Further reading.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), and *The
Annotated Transformer* (Rush 2018; Huang et al. 2022), the paper with its code beside it. Bahdanau
et al. (2015), [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): attention before the Transformer. Ba et al. (2016), *Layer
normalization*, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450). Xiong et al. (2020), [arXiv:2002.04745](https://arxiv.org/abs/2002.04745). Haviv et al. (2022),
*Transformer language models without positional encodings still learn positional information*,
[arXiv:2203.16634](https://arxiv.org/abs/2203.16634). D2L, [chapter 11](https://d2l.ai/chapter_attention-mechanisms-and-transformers/index.html).
"""
