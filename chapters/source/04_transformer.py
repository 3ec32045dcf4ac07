# ---
# jupyter:
#   minibert:
#     title: Attention and the Transformer
#     question: How can a word find the words that matter to it?
#     minutes: 90
#     seconds: 90
#     memory_mb: 900
#     needs: ["chapter 00 (cross-entropy, the embedded world)", "a matrix product, a softmax"]
#     skip: "section 8 (encoder and decoder), which chapters 05 to 07 do not need, and 10 (what the papers claim, measured here)"
#     papers:
#       - "Vaswani et al. (2017), Attention Is All You Need, arXiv:1706.03762"
#       - "Xiong et al. (2020), On Layer Normalization in the Transformer Architecture, arXiv:2002.04745"
# ---

# %% [markdown]
r"""
# 04 · Attention and the Transformer: how can a word find the words that matter to it?

{{head}}

In *the dog that chased the three cats was tired*, what is tired is seven words away. An LSTM, as in
chapters 02 and 03, has to carry the dog through all of them, one step after the other, in one
vector. **Attention** lets *was* look straight at *dog*, and at every other word, in a single step;
and since no step has to wait for the one before, all words can look at the same time. This chapter
builds it from a lookup in a table, and ends with a Transformer that turns statements into
questions. Chapters 05 to 07, and nearly every language model since, are made of nothing else.
"""

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.transformer import (
    Block,
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
table = {"dog": 4, "cat": 4, "bird": 2}  # how many legs?
table["cat"]

# %% [markdown]
r"""
The same as vectors. Each key is a row of a matrix $K$, each value a row of $V$. Compare the query
$q$ with all keys by dot products, turn the comparison into weights that are 1 at the best match and
0 elsewhere, and take the weighted sum of the values: that is a lookup.
"""

# %%
key = torch.eye(3)  # (keys, d): dog, cat, bird
value = torch.tensor([[4.0], [4.0], [2.0]])  # (keys, d_v)
query = torch.tensor([0.0, 1.0, 0.0])  # (d,): cat

scores = key @ query  # (keys, d) @ (d,) -> (keys,)
weights = F.one_hot(scores.argmax(), 3).float()  # all or nothing
weights @ value  # (keys,) @ (keys, d_v) -> (d_v,)

# %% [markdown]
r"""
Two things are missing. What if no key *equals* the query: how many legs has a kitten, or a bat? And
how could a network *learn* what to ask for, when the slightest change of the query changes nothing
at all, until suddenly it changes everything? The all-or-nothing choice has no gradient. So make it
soft: a softmax instead of the maximum. Every key gets some weight, the more the better it fits.
"""

# %%
query = torch.tensor([0.0, 2.0, 1.5])  # a bat: much of a small beast, something of a bird
for sharpness in (0.5, 1, 2, 20):
    weights = (sharpness * (key @ query)).softmax(0)  # (keys,)
    shares = ", ".join(f"{w:.2f}" for w in weights)
    print(f"scores x {sharpness:<4}: weights {shares}  ->  {float(weights @ value):.2f} legs")

# %% [markdown]
r"""
With scores that are large and far apart the soft lookup becomes the hard one. In between it answers
with a mixture, and it has a gradient: the query can be moved towards the key that would have
helped.

## 2. Scaled dot-product attention

Many queries at once are the rows of a matrix $Q$, `(length, d_k)`. The keys $K$, `(keys, d_k)`, are
as wide as they; the values $V$, `(keys, d_v)`, need not be. The whole of it is one formula, with a
softmax over each row (Vaswani et al. 2017, equation 1):

$$
\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V
$$

In **self-attention** queries, keys and values all come from the same words, by three learned
matrices: *what am I looking for*, *what am I found by*, and *what do I tell those who find me*.

{{exercise 04.attention}}

Write `attention(query, key, value)`: `query` is `(length, d)`, `key` `(keys, d)` and `value`
`(keys, d_v)`.
"""

# %%
def attention(query, key, value):
    """What each query finds: (length, d_v)."""
    found = torch.zeros(len(query), value.shape[-1])
    ### BEGIN SOLUTION
    scores = query @ key.T / math.sqrt(key.shape[-1])  # (length, keys)
    found = scores.softmax(-1) @ value  # (length, d_v)
    ### END SOLUTION
    return found


# %%
mb.course.check("04.attention", attention)

# %% [markdown]
r"""
The library's `attend` is the same with any number of dimensions in front, a mask (section 3), and
dropout on the weights. Here it is, one query at a time, beside it; and d2l's class.
"""

# %%
mb.course.source(attend)

# %% tags=["nbval-check-output"]
q, k, v = torch.randn(2, 4, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 6)  # (batch, length, d)
found, weights = attend(q, k, v)

slow = torch.zeros(2, 4, 6)
for b in range(2):
    for i in range(4):
        scores = [float(q[b, i] @ k[b, j]) / math.sqrt(8) for j in range(5)]
        total = sum(math.exp(score) for score in scores)
        for j in range(5):
            slow[b, i] += math.exp(scores[j]) / total * v[b, j]

d2l = mb.course.d2l()
theirs = d2l.DotProductAttention(dropout=0)(q, k, v)
print("by loops:", torch.allclose(found, slow, atol=1e-5))
print("d2l:     ", torch.allclose(found, theirs, atol=1e-6))
print("each row of the weights adds up to one:", torch.allclose(weights.sum(-1), torch.ones(2, 4)))

# %% [markdown]
r"""
### Why divide by $\sqrt{d}$?

A dot product of two vectors is a sum of $d$ products. If their numbers are independent, with mean 0
and variance 1, then the sum has variance $d$, so it grows like $\sqrt{d}$. *Predict before you
run:* for $d = 256$ and 16 keys, how large is the largest of the 16 weights without the division?
And how much of the gradient gets through the softmax, if the derivative of the weight $w_j$ by the
score $k$ is $w_j (\delta_{jk} - w_k)$, with $\delta_{jk}$ 1 for $j = k$ and 0 otherwise?
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
for d, (deviation, most, _) in zip(widths, plain, strict=True):
    print(f"d = {d:4}: scores vary by {deviation:5.1f} (root of d: {d**0.5:4.1f}), largest weight {most:.2f}")

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
Without the root, an untrained attention of width 1,024 has already decided, at random, where to
look; and the slope, which is what could teach it better, is next to nothing. With it both stay
where they are at any width.

## 3. Masks: what must not be seen

Two things must be hidden. In a batch, short sentences are filled up with **padding**, which means
nothing. And a model that predicts the next word must not see it: that is the **causal** mask. A
hidden place gets the score $-\infty$, thus the weight 0. In this library a mask is boolean, and
`True` means *may be looked at*.

{{exercise 04.mask}}

Write `both_masks(attention_mask)`, for sentences that must see neither padding nor the future:
`attention_mask` is `(batch, length)`, 1 for a token and 0 for padding.
"""

# %%
def both_masks(attention_mask):
    """Boolean (batch, length, length): may place i of a sentence look at place j?"""
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
words = ["the", "cat", "sat", ".", "<pad>", "<pad>"]
attention_mask = torch.tensor([[1, 1, 1, 1, 0, 0]])  # (batch, length)
masks = {
    "padding": padding_mask(attention_mask)[0, 0].expand(6, 6),  # (1, length) -> (length, length)
    "causal": causal_mask(6),
    "both": (padding_mask(attention_mask) & causal_mask(6))[0, 0],
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
Does the mask work? The test that never lies: change what is hidden, and see that nothing changes.
"""

# %% tags=["nbval-check-output"]
x = torch.randn(1, 6, 8)
mask = masks["both"]
before, weights = attend(x, x, x, mask)
changed = x.clone()
changed[0, 4:] = 1000.0  # padding
changed[0, 3] += 5.0  # the future, for the first three
after, _ = attend(changed, changed, changed, mask)
print("first three places unchanged:", torch.equal(before[:, :3], after[:, :3]))
print("weight on what is hidden:", float(weights[0][~mask].sum()))

# %% [markdown]
r"""
d2l says it with lengths (`valid_lens`) instead of masks, and writes $-10^6$ in place of $-\infty$.
As long as something may be looked at, the two agree. Where *everything* is hidden, they do not: d2l
then looks at all that it should not, evenly, while our `attend` finds zeros.
"""

# %% tags=["nbval-check-output"]
lengths = torch.tensor([4, 2, 0])  # the third sentence has no word at all
x = torch.randn(3, 5, 8)
theirs = d2l.DotProductAttention(dropout=0)
found = theirs(x, x, x, lengths)
ours, weights = attend(x, x, x, (torch.arange(5) < lengths[:, None])[:, None, :])
for row in range(3):
    same = torch.allclose(found[row], ours[row], atol=1e-5)
    print(f"{lengths[row]} words: equal {same}; d2l {theirs.attention_weights[row, 0].tolist()[-1]:.2f}, "
          f"ours {weights[row, 0, -1]:.2f} on the last place")

# %% [markdown]
r"""
## 4. Many heads

One softmax gives one set of weights, and one mixture. But *was* may want its subject and its
adverb, apart from each other. So let several **heads** look in parallel, each with its own narrow
queries, keys and values, and put what they find side by side (Vaswani et al. 2017, section 3.2.2):

$$
\mathrm{MultiHead}(X) = [\mathrm{head}_1; \dots; \mathrm{head}_h]\, W^O, \qquad
\mathrm{head}_i = \mathrm{Attention}(X W^Q_i,\; X W^K_i,\; X W^V_i)
$$

$X$ is `(length, d)`, each of a head's three matrices $d \times d / h$, and $W^O$ is $d \times d$,
so $h$ narrow heads cost what one head of width $d$ would. In code there are no $h$ small matrices
but one large one, whose output is cut into heads.

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

# %% [markdown]
r"""
Multi-head attention by hand, head by head, and the library's class with the same weights. And
d2l's, which has no biases unless asked, and puts the heads into the batch.
"""

# %%
layer = MultiHeadAttention(dim=24, heads=3)
x = torch.randn(2, 5, 24)
parts = []
for head in range(3):
    some = slice(8 * head, 8 * head + 8)  # this head's rows of each matrix
    q, k, v = (x @ part.weight[some].T + part.bias[some]
               for part in (layer.query, layer.key, layer.value))  # (batch, length, head)
    parts.append(attend(q, k, v)[0])
by_hand = layer.output(torch.cat(parts, -1))  # (batch, length, dim)

theirs = d2l.MultiHeadAttention(24, 3, dropout=0, bias=True)
theirs(x, x, x, None)  # its layers are made when they first see something
for a, b in (("W_q", "query"), ("W_k", "key"), ("W_v", "value"), ("W_o", "output")):
    getattr(theirs, a).load_state_dict(getattr(layer, b).state_dict())
difference = (by_hand - layer(x)[0]).abs().max(), (theirs(x, x, x, None) - layer(x)[0]).abs().max()
print(f"largest differences: by hand {difference[0]:.1e}, d2l {difference[1]:.1e}")

# %%
mb.course.source(MultiHeadAttention.forward)

# %% tags=["nbval-check-output"]
for heads in (1, 2, 8):
    print(heads, "heads:", sum(p.numel() for p in MultiHeadAttention(512, heads).parameters()), "weights")

# %% [markdown]
r"""
With a second argument, `layer(x, memory)`, queries come from `x`, keys and values from `memory`:
then one text looks at another. That is **cross-attention**, which a translator needs (section 8).

## 5. Order

*Predict before you run:* if we shuffle the words of a sentence, what happens to what self-attention
finds?
"""

# %% tags=["nbval-check-output"]
shuffled = torch.tensor([3, 0, 4, 1, 2])
found, _, _ = layer(x)
found_shuffled, _, _ = layer(x[:, shuffled])
print("the same, shuffled:", torch.allclose(found[:, shuffled], found_shuffled, atol=1e-5))

causal, _, _ = layer(x, mask=causal_mask(5))
causal_shuffled, _, _ = layer(x[:, shuffled], mask=causal_mask(5))
print("with a causal mask:", torch.allclose(causal[:, shuffled], causal_shuffled, atol=1e-5))

# %% [markdown]
r"""
The proof is short. Let the matrix $\Pi$, a single 1 in each row and column, shuffle the rows. Then
$Q' = \Pi Q$, $K' = \Pi K$, $V' = \Pi V$, and (the root left out)

$$
\mathrm{softmax}\big(\Pi Q K^\top \Pi^\top\big) \Pi V
 = \Pi\, \mathrm{softmax}\big(Q K^\top\big) \Pi^\top \Pi V
 = \Pi\, \mathrm{softmax}\big(Q K^\top\big) V,
$$

since $\Pi^\top \Pi = I$, and a softmax over shuffled columns is the shuffled softmax. Everything
else in a Transformer works on each place alone. So without further help *dog bites man* and *man
bites dog* are one and the same: a **bag of words**. With the causal mask they are not: why?

{{exercise 04.order}}

Explain in three to five sentences why self-attention with a causal mask can tell order, although
nothing tells it the places. Is there something that its first layer still cannot tell?
"""

# %% [markdown] written="04.order"
r"""
Without a mask every place looks at the same set of words, and a weighted sum does not depend on
their order. With the causal mask the first place sees one word, the second two, and so on: the sets
are nested, so moving a word changes which places can see it. The state of a later word therefore
depends on which words came before it, and a place can, for example, notice whether an A was already
there. In the first layer the last place still sees the same set of plain words whichever way the
others stand; only from the second layer on does it see *states* that know what came before them.
One can test it by shuffling all words but the last and comparing the last state after one layer and
after two.
"""

# %% [markdown]
r"""
So each place needs a mark of its own, a vector that is added to the word's. The paper's marks are
clock hands: pairs of a sine and a cosine, each pair turning slower than the one before (section
3.5).

$$
P_{t,\,2i} = \sin\!\left(\frac{t}{10000^{2i/d}}\right), \qquad
P_{t,\,2i+1} = \cos\!\left(\frac{t}{10000^{2i/d}}\right)
$$

{{exercise 04.sinusoids}}

Write `sinusoids(length, dim)`, for an even `dim`: one row for each place $t = 0, 1, 2, \dots$
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
marks = mb.models.transformer.sinusoids(64, 32)  # the library's: (places, dim)
theirs = d2l.PositionalEncoding(32, dropout=0).P[0, :64]
print(f"d2l differs by at most {(marks - theirs).abs().max():.1e}")

fig, (left, right) = mb.show.new("Sinusoidal positions", columns=2, size=(7.6, 3.6))
left.imshow(marks, aspect="auto", cmap="PuOr_r", vmin=-1, vmax=1)
left.set(xlabel="number within the vector", ylabel="place", title="the marks")
for place in (10, 25, 40):
    right.plot(marks @ marks[place], label=f"with place {place}")
right.set(xlabel="place", ylabel="dot product", title="how alike are two places?")
right.legend(loc="lower left", fontsize=9)
right.set(ylim=(0, None))
for ax in (left, right):
    ax.grid(False)
mb.show.figure(fig, alt="Stripes that turn slower to the right; dot products peak at the place itself.")

# %% [markdown]
r"""
On the right the same curve stands at three places: the dot product of two marks depends only on
their **distance**. (For each pair of columns $\sin s \sin t + \cos s \cos t = \cos(s - t)$.) So
"three words back" can be learned once, for all places. The other way is to give every place a
vector and **learn** it, as BERT and GPT do; the paper found both about equally good (table 3, row
E: a BLEU, the score of a translator, of 25.7 learned and 25.8 sinusoidal).

What is lost without them? A task where only order matters: twelve letters, one A and one B among
them. Which comes first? The four readers below differ in positions and mask alone; a `Stack` is a
pile of the blocks that section 6 opens.
"""

# %%
def which_first(count, seed, length=12):
    """Letters (3 to 24) with one A (1) and one B (2) among them; label 1 where A comes first."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(3, 25, (count, length), generator=generator)
    places = torch.rand(count, length, generator=generator).argsort(1)[:, :2]  # of A and of B
    letters.scatter_(1, places, torch.tensor([[1, 2]]).expand(count, 2))
    return letters, (places[:, 0] < places[:, 1]).long()


letters, labels = which_first(2, seed=0)
for row, label in zip(letters.tolist(), labels.tolist(), strict=True):
    print("".join("_ABcdefghijklmnopqrstuvwxy"[i] for i in row), label)

# %%
class Reader(nn.Module):
    """Two blocks, and a label from the mean of their states."""

    def __init__(self, position, causal=False, dim=32):
        super().__init__()
        config = TransformerConfig(25, dim=dim, layers=2, heads=4, hidden=4 * dim, dropout=0.0,
                                   norm="pre", position=position, max_length=32)
        self.causal, self.embedding = causal, nn.Embedding(25, dim)
        self.positions = mb.models.transformer.Positions(config)
        self.stack, self.output = Stack(config), nn.Linear(dim, 2)

    def forward(self, input_ids):
        length = input_ids.shape[1]
        x = self.embedding(input_ids) + self.positions(torch.arange(length))
        mask = causal_mask(length) if self.causal else None
        return self.output(self.stack(x, mask)[0].last_hidden_state.mean(1))  # (batch, 2)

    def loss(self, batch):
        logits = self(batch["input_ids"])
        return F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits)


# %%
train, test = which_first(100 if SMOKE else 2000, 1), which_first(100 if SMOKE else 1000, 2)
readers = {"no positions": Reader("none"), "causal mask alone": Reader("none", causal=True),
           "sinusoidal": Reader("sinusoidal"), "learned": Reader("learned")}
right = {}
for name, reader in readers.items():
    batches = mb.text.ArrayBatches(32, input_ids=train[0], labels=train[1])
    steps = 5 if SMOKE else 200
    mb.fit(reader, batches, steps=steps, optimizer=mb.optim.adamw(reader, 0.003), device="cpu",
           schedule=mb.optim.linear(steps, steps // 10), progress=False)
    with torch.no_grad():
        right[name] = (reader(test[0]).argmax(-1) == test[1]).float().mean().item()
mb.show.figure(mb.show.bars(right, "Does A come before B? (one seed; chance is 0.5)", "share right"))

# %% [markdown]
r"""
Without positions and without the mask, the model cannot do it, however long it trains: this is not
a matter of skill. Section 10 has the same on sentences of the world, over several seeds.

## 6. A block

Attention moves information *between* places. Between two attentions every place thinks by itself,
in a **feed-forward network** of two layers, the same for all places (section 3.3):

$$
\mathrm{FFN}(x) = \max(0,\, x W_1 + b_1)\, W_2 + b_2
$$

$W_1$ widens, to $4d$ numbers as a rule, and $W_2$ narrows again to $d$.

Around each of the two goes a **residual connection**: the sublayer's output is *added* to what came
in. So there is one stream of vectors from the bottom to the top, and every sublayer reads from it
and writes into it. A **LayerNorm** keeps the numbers at a moderate size: it brings each vector to
mean 0 and variance 1 over its own numbers, then scales and shifts them by learned weights. Where
does it stand? There are two schools:

| | | |
|---|---|---|
| **post-LN**, the paper's and BERT's | $x \leftarrow \mathrm{LN}\big(x + f(x)\big)$ | the norm stands on the stream |
| **pre-LN**, GPT-2's and most since | $x \leftarrow x + f\big(\mathrm{LN}(x)\big)$ | beside it; one more norm at the very end |

Both by hand, and the library's `Block`, where it is one switch:
"""

# %%
for norm in ("post", "pre"):
    block = Block(TransformerConfig(9, dim=24, heads=3, hidden=48, norm=norm, dropout=0.0))
    x = torch.randn(2, 5, 24)  # (batch, length, dim)
    look, think = block.attention, block.ffn  # the two sublayers
    n1, n2 = block.attention_norm, block.ffn_norm
    if norm == "post":
        y = n1(x + look(x)[0])
        y = n2(y + think(y))
    else:
        y = x + look(n1(x))[0]
        y = y + think(n2(y))
    print(f"{norm}: largest difference {(y - block(x)[0]).abs().max():.1e}")

# %%
mb.course.source(Block)

# %% [markdown]
r"""
{{exercise 04.find_the_bug}}

A colleague has written a pre-LN block. "It trains", he says, "but the more layers I add, the worse
it gets, and warm-up does not help." Find what he did to the residual stream, and mend `forward`.
"""

# %%
class PreBlock(nn.Module):
    """A pre-LN block around two sublayers, functions from (batch, length, dim) to the same."""

    def __init__(self, dim, attend, feed):
        super().__init__()
        self.attend, self.feed = attend, feed
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x):
        x = self.norm_1(x)
        x = x + self.attend(x)
        x = self.norm_2(x)
        x = x + self.feed(x)
        return x

    ### BEGIN SOLUTION
    def forward(self, x):
        x = x + self.attend(self.norm_1(x))  # the stream itself is never normalised
        x = x + self.feed(self.norm_2(x))
        return x
    ### END SOLUTION


# %%
mb.course.check("04.find_the_bug", PreBlock)

# %% [markdown]
r"""
## 7. Before or after?

The paper's authors trained with a **warm-up**: the learning rate begins near zero, rises for some
thousand steps, and only then falls (section 5.3). Without it their model does not train, and for
three years hardly anyone could say why. Xiong et al. (2020) looked at the gradients *before the
first step*. Let us do the same, on a language model of letters: some blocks and a causal mask.
"""

# %%
class CausalLM(nn.Module):
    """Predicts each next letter: a stack of blocks that sees only what came before."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.positions, self.stack = mb.models.transformer.Positions(config), Stack(config)
        self.output = nn.Linear(config.dim, config.vocab_size)
        mb.models.transformer.initialise(self)  # Glorot's uniform numbers, as in the paper's program
        nn.init.normal_(self.embedding.weight)

    def forward(self, input_ids):
        length = input_ids.shape[1]
        x = self.embedding(input_ids) + self.positions(torch.arange(length))
        return self.output(self.stack(x, causal_mask(length))[0].last_hidden_state)

    def loss(self, batch):
        logits = self(batch["input_ids"]).flatten(0, 1)  # (batch * length, V)
        targets = batch["targets"].flatten()  # -100: nothing to predict
        loss = F.cross_entropy(logits, targets, reduction="sum")
        return loss, int((targets >= 0).sum())


# %%
text = mb.world.generate(tokens=3_000 if SMOKE else 15_000, seed=0).text()
held_out = mb.world.generate(tokens=1_000 if SMOKE else 2_000, seed=1).text()
number = {letter: i for i, letter in enumerate(sorted(set(text)), 1)}  # 0: a new one
ids, held_out = (torch.tensor([number.get(c, 0) for c in part]).numpy() for part in (text, held_out))
DEPTH = 3 if SMOKE else 6
print(f"{len(ids):,} letters, {len(number)} different ones")


def language_model(norm, depth=DEPTH):
    """An untrained model, the same numbers at each call."""
    mb.seed_everything(0)
    return CausalLM(TransformerConfig(len(number) + 1, dim=32, layers=depth, heads=4, hidden=128,
                                      dropout=0.0, norm=norm, max_length=32))


# %%
batch = next(iter(mb.text.BPTTBatches(ids, 32, 32)))
fig, ax = mb.show.new("Before the first step", "block, from the bottom", "norm of the gradient of $W_2$")
for norm, style in (("post", "s--"), ("pre", "o-")):
    model = language_model(norm)
    loss, count = model.loss(batch)
    (loss / count).backward()
    norms = [block.ffn.outer.weight.grad.norm().item() for block in model.stack.blocks]
    ax.plot(range(1, DEPTH + 1), norms, style, label=f"{norm}-LN")
ax.legend()
ax.set(ylim=(0, None))
mb.show.figure(fig, alt="Gradient norms by block before the first step, for post-LN and for pre-LN.")

# %% [markdown]
r"""
Before anything is learned, the two are already far apart. With post-LN the last block gets a
gradient that does not fall when layers are added, since the last LayerNorm stands right behind its
sublayer. With pre-LN the stream grows from block to block, and the one norm at the end divides by
its size: the gradients get smaller towards the top, and smaller in a deeper model, by about
$1/\sqrt{L}$ for $L$ blocks. Large first steps near the output, in a direction that was drawn at
random, are what warm-up protects from.

*Predict before you run:* four models, post-LN and pre-LN, with a warm-up over half of the steps and
with none, all else equal. Which one fails?
"""

# %%
steps, rate, rise = (6, 0.003, 2) if SMOKE else (160, 0.003, 80)
test = mb.text.BPTTBatches(held_out, 16, 32)
runs, ends = {}, {}
for norm in ("post", "pre"):
    for warm in (0, rise):
        model = language_model(norm)
        name = f"{norm}-LN, {'warm-up' if warm else 'none'}"
        runs[name] = mb.fit(model, mb.text.BPTTBatches(ids, 8, 32), steps=steps, device="cpu",
                            optimizer=mb.optim.adamw(model, rate), progress=False,
                            schedule=mb.optim.linear(steps, warm))
        ends[name] = mb.training.evaluate(model, test)
figure = mb.show.loss_curve({name: run.loss for name, run in runs.items()},
                            title=f"{DEPTH} blocks, rate {rate}", ylabel="loss (nats a letter)")
mb.show.figure(figure)
for name, loss in ends.items():
    print(f"{name:>17}: {loss:.2f} nats a letter, held out")

# %%
share = torch.bincount(torch.tensor(ids), minlength=len(number) + 1) + 1.0
unigram = -(share / share.sum()).log()[torch.tensor(held_out[1:])].mean()
print(f"by the letters' frequencies alone: {unigram:.2f} nats a letter")

# %% [markdown]
r"""
A model that ends near the last figure has learned how frequent the letters are, and hardly anything
else: whatever its blocks found did not reach the output. One rate and one seed prove nothing;
section 10 has several.

## 8. Encoder and decoder

The first Transformer was a translator. Its **encoder**, a stack without a causal mask, reads a
sentence. Its **decoder**, a stack with one, writes another, word by word; each of its blocks has a
second attention between the two sublayers that you know, in which the words written so far look at
what the encoder made of the sentence: **cross-attention**, queries from the decoder, keys and
values from the encoder. BERT is an encoder alone, GPT a decoder alone (without the second
attention). All three are the one `Block`.

Our translation goes from statements to questions: *Timothy has planted the tree* becomes *Has
Timothy planted the tree?* The world's grammar gives us pairs. The auxiliary moves to the front;
where there is none, *do* comes in and takes the ending of the verb with it. The rest must be
copied, in order.
"""

# %%
from minibert.world.asking import pairs

train_pairs = pairs(mb.world.generate(tokens=10_000 if SMOKE else 300_000, seed=0))
known = {tuple(statement) for statement, _ in train_pairs}
words = mb.text.Vocab.train([a + b for a, b in train_pairs],
                            specials=("<pad>", "<unk>", "<s>", "</s>"))
fresh = pairs(mb.world.generate(tokens=5_000 if SMOKE else 40_000, seed=1))
fresh = [(a, b) for a, b in fresh if tuple(a) not in known and all(w in words for w in a + b)]
print(len(train_pairs), "pairs to learn from,", len(fresh), "new statements,", len(words), "words")
for statement, asked in fresh[:4]:
    print(f"{' '.join(statement):45} ->  {' '.join(asked)}")

# %% [markdown]
r"""
In training the decoder reads the right question, shifted by one: at each place it has the words so
far, and must say the next one (**teacher forcing**). So all places are computed at the same time;
an LSTM has to go from one to the next. `<s>` begins what is written, `</s>` ends it.
"""

# %%
def encode(statement, asked):
    """What is read, what the decoder has before it, and what it must say."""
    question = words.encode(asked)
    return {"input_ids": words.encode(statement), "decoder_ids": [words["<s>"], *question],
            "labels": [*question, words["</s>"]]}


mb.seed_everything(0)
model = mb.Transformer(TransformerConfig(len(words), dim=64, layers=2, heads=4, hidden=128,
                                         dropout=0.0, norm="pre", max_length=32))
batches = mb.text.PaddedBatches([encode(*pair) for pair in train_pairs], 64)
steps = 5 if SMOKE else 400
history = mb.fit(model, batches, steps=steps, device="cpu", progress=False,
                 optimizer=mb.optim.adamw(model, 0.005, betas=(0.9, 0.98)),
                 schedule=mb.optim.linear(steps, warmup=steps // 5))
figure = mb.show.loss_curve(history, title="Learning to ask", ylabel="loss (nats a word)")
mb.show.figure(figure)

# %%
def ask(statements):
    """The questions that the model writes: lists of words."""
    batch = mb.text.PaddedBatches([words.encode(s) for s in statements], len(statements),
                                  shuffle=False, by_length=False)
    batch = next(iter(batch))
    written = model.generate(batch["input_ids"], 15, start_id=words["<s>"], end_id=words["</s>"],
                             attention_mask=batch["attention_mask"])
    rows = [[words.tokens[i] for i in row] for row in written.tolist()]
    return [row[: row.index("</s>")] if "</s>" in row else row for row in rows]


asked = ask([statement for statement, _ in fresh])
exact = sum(mine == right for mine, (_, right) in zip(asked, fresh, strict=True)) / len(fresh)
print(f"{exact:.0%} of {len(fresh)} new statements: every word of the question right (one seed)")
for mine, (statement, right) in list(zip(asked, fresh, strict=True))[:12]:
    print("  " if mine == right else "x ", f"{' '.join(statement):45} ->  {' '.join(mine)}")

# %% [markdown]
r"""
Where does the decoder look while it writes? A hook notes what its last cross-attention was given,
and we ask that layer once more, for its weights. *Predict before you run:* where will it look when
it has to write *Did*? And when it has to write the verb?
"""

# %%
def cross_attention(statement, asked):
    """Weights of the last block's cross-attention, mean over the heads: (written, read)."""
    example = encode(statement, asked)
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
Nobody told the model which word of the question comes from where: the weights in this picture are a
by-product of learning to write the right word.

## 9. Touch it

A larger encoder, trained for longer on the same world: the BERT of chapter 05, which comes with the
library. It reads words, rare ones in pieces (`##`), between two marks, `[CLS]` and `[SEP]`. Type a
sentence, touch a token, choose a layer and a head: on the left is all of the head, on the right the
row of the token that you touched. The temperature $T$ divides the scores before the softmax of the
weights shown: cold is the lookup of section 1, hot looks everywhere alike (the dotted line).
"""

# %%
bert = mb.BERT.from_pretrained("minibert-bert")
mb.show.AttentionExplorer(bert, "The windows of the library were empty.", token=6, layer=1, head=3)

# %% [markdown]
r"""
In the first frame the verb looks for its subject: *were* and not *was*, since it is the windows
that were empty, although *library* stands nearer. Things to try: does this head do so in other
sentences? Is there one in which every token looks at the place before it, or after? One that looks
mostly at `[SEP]`, the place to look when there is nothing to say? Move a word to another place: do
the weights follow the word or the place? A head with a plain meaning is rare, and whether weights
*explain* what a model does is disputed (Jain & Wallace 2019, [arXiv:1902.10186](https://arxiv.org/abs/1902.10186)).

## 10. How much of this is luck?

The full experiments ran over {{finding 04 order.letters_none seeds}} seeds (`make findings CH=04`,
settings in `chapters/findings/04.py`). First, order: the letters of section 5, and sentences of the
world, every second of them with its words backwards (but for the first and the last). Which are as
they were written?
"""

# %%
found = mb.course.findings("04")
labels = {"no positions": "none", "causal mask alone": "causal", "sinusoidal": "sinusoidal",
          "learned": "learned"}
for task, title in (("letters", "Does A come before B?"), ("words", "Is the sentence forwards?")):
    figure = mb.show.spread(
        {label: found.values(f"order.{task}_{name}") for label, name in labels.items()},
        title=title, xlabel="share right, new examples", reference=0.5,
    )
    mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 04 order.letters_causal order.letters_none | on the letters, a causal mask alone beats no positions}}
- {{claim 04 order.letters_sinusoidal order.letters_none | on the letters, sinusoidal positions beat none}}
- {{claim 04 order.words_causal order.words_none | on the sentences, a causal mask alone beats no positions}}
- {{claim 04 order.words_sinusoidal order.words_none | on the sentences, sinusoidal positions beat none}}
- {{claim 04 order.words_learned order.words_sinusoidal | on the sentences, learned positions beat sinusoidal ones}}
- {{claim 04 order.words_causal order.words_sinusoidal | on the sentences, a causal mask alone beats sinusoidal positions without a mask}}

Each sentence stands in the test beside its own reversal, and each row of letters beside the same
with A and B exchanged. Without positions the two are one and the same input, so the dashed line is
not where a bad model happens to land; it is where this one *must* be.

Next, the norm: the language models of section 7, at three rates, with and without warm-up.
"""

# %%
settings = found.content["experiments"]["warmup"]["config"]
rates = settings["rates"]
fig, ax = mb.show.new(f"{settings['depth']} blocks, {settings['steps']} steps", "peak rate",
                      "held-out loss (nats a letter)", size=(7.6, 4.6))
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
A loss is the better the lower it is. On the dotted line a model has learned how frequent each
letter is and nothing more; where both kinds of squares lie on it, this warm-up was too short for
the rate.

- {{claim 04 warmup.post_none_d6_r1 warmup.post_warm_d6_r1 | at the lowest rate, post-LN ends higher without warm-up than with it}}
- {{claim 04 warmup.post_none_d6_r2 warmup.post_warm_d6_r2 | at the middle rate, post-LN ends higher without warm-up than with it}}
- {{claim 04 warmup.post_none_d6_r3 warmup.post_warm_d6_r3 | at the highest rate, post-LN ends higher without warm-up than with it}}
- {{claim 04 warmup.post_none_d6_r2 warmup.pre_none_d6_r2 | at the middle rate and without warm-up, post-LN ends higher than pre-LN}}
- {{claim 04 warmup.post_gain_d6_r2 warmup.pre_gain_d6_r2 | at the middle rate, warm-up gains more for post-LN than for pre-LN}}
- {{claim 04 warmup.post_gain_d6_r2 warmup.post_gain_d2_r2 | at the middle rate, warm-up gains post-LN more in six blocks than in two}}
- {{claim 04 warmup.post_none_best warmup.pre_none_best | without warm-up and each at its best rate, post-LN ends higher than pre-LN}}
- {{claim 04 warmup.post_warm_best warmup.pre_warm_best | with warm-up and each at its best rate, post-LN ends higher than pre-LN}}
- {{claim 04 warmup.pre_none_d6_r2 warmup.pre_warm_d6_r2 | at the middle rate, pre-LN too ends higher without warm-up}}

Xiong et al. (2020) trained translators (IWSLT14 and WMT14) and BERT: with Adam and without warm-up
their post-LN translator reached a BLEU of 8.45 where it has about 34 with warm-up, while pre-LN did
as well without. Their models are deeper, wider and trained for far longer than these.
"""

# %%
depths = found.content["experiments"]["gradients"]["config"]["depths"]
fig, (left, right) = mb.show.new("Before the first step: mean and standard deviation", columns=2,
                               size=(7.6, 3.6))
for norm, style in (("post", "s--"), ("pre", "o-")):
    layers = torch.tensor(found.values(f"gradients.{norm}_layers"))  # (seeds, blocks)
    left.errorbar(range(1, depths[-1] + 1), layers.mean(0), layers.std(0), fmt=style, capsize=3,
                  label=f"{norm}-LN")
    top = torch.tensor(found.values(f"gradients.{norm}_top"))  # (seeds, depths)
    right.errorbar(depths, top.mean(0), top.std(0), fmt=style, capsize=3, label=f"{norm}-LN")
left.set(xlabel="block, from the bottom", ylabel="norm of the gradient of $W_2$",
         title=f"{depths[-1]} blocks", ylim=(0, None))
right.set(xlabel="number of blocks", ylabel="norm in the last block", title="by depth", ylim=(0, None))
for ax in (left, right):
    ax.set_xticks([2, 4, 8, 16])
left.legend()
mb.show.figure(fig, alt="Gradient norms by block, and in the last block by depth, for both norms.")

# %% [markdown]
r"""
The paper's theorem 1 says that the gradient in the last block is of the order $d \sqrt{\ln d}$ with
post-LN, however deep the model is, and smaller by $1 / \sqrt{L}$ with pre-LN.

- {{claim 04 gradients.post_top_deep gradients.pre_top_deep | in the last of 16 blocks, post-LN has the larger gradient}}
- {{claim 04 gradients.pre_top_shallow gradients.pre_top_deep | with pre-LN, the last block's gradient is smaller in the deeper model}}
- {{claim 04 gradients.post_slope gradients.pre_slope | from the bottom to the top, gradients grow more with post-LN}}

From 2 to 16 blocks the last block's gradient changes from {{finding 04 gradients.post_top_shallow mean .3f}} to
{{finding 04 gradients.post_top_deep mean .3f}} with post-LN, and from
{{finding 04 gradients.pre_top_shallow mean .3f}} to {{finding 04 gradients.pre_top_deep mean .3f}} with pre-LN.

Last, the questions: whole questions without a mistake, to statements that were not in the training
text (after fewer steps than in section 8).
"""

# %%
labels = {"pre-LN, as in section 8": "full", "post-LN": "post", "without positions": "no_positions"}
figure = mb.show.spread(
    {label: found.values(f"questions.{name}") for label, name in labels.items()},
    title="Questions without a mistake", xlabel="share of new statements",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 04 questions.full questions.no_positions | positions help}}
- {{claim 04 questions.full questions.post | pre-LN beats post-LN (both with warm-up)}}

The model without positions gets the statement as a bag of words, and yet it is not quite blind: its
decoder has the causal mask, knows what it has written, and can often guess in which order such
words stand.

## 11. The real thing

The layer that PyTorch itself ships computes the same, given the same weights. And the same block
learns on real English, when it is at hand (`minibert data list` says where to put it): a small
causal language model on an extract of Wikipedia.
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
    print("torch's encoder layer, the same weights:", torch.allclose(block(x)[0], theirs(x), atol=1e-5))

# %%
try:
    wiki = mb.data.load("wiki_valid")
except FileNotFoundError as missing:
    print(missing)
else:
    lines = [line for line, _ in zip(wiki.paragraphs(), range(20 if SMOKE else 300), strict=False)]
    wiki_vocab = mb.text.Vocab.train(lines, size=2000)
    stream = torch.cat([torch.tensor(wiki_vocab.encode(line)) for line in lines]).numpy()
    real = CausalLM(TransformerConfig(len(wiki_vocab), dim=32, layers=3, heads=4, hidden=128,
                                      dropout=0.0, norm="pre", max_length=32))
    steps = 5 if SMOKE else 150
    history = mb.fit(real, mb.text.BPTTBatches(stream, 16, 32), steps=steps, device="cpu",
                     optimizer=mb.optim.adamw(real, 0.003), progress=False)
    print(f"{len(stream):,} words of Wikipedia, {len(wiki_vocab):,} different ones: the loss falls "
          f"from {history.loss[0]:.2f} to {history.recent():.2f} nats a word in {steps} steps")

# %% [markdown]
r"""
## 12. Summary

- Attention is a soft lookup: compare a query with all keys, turn the scores into weights, mix the
  values. Dividing by $\sqrt{d}$ keeps the softmax where it can learn.
- A mask hides padding and the future. Heads look in parallel, each in its own way.
- Nothing in attention knows about order. Positions tell it, or the nested sets of a causal mask.
- A block is attention and a feed-forward network, each around a residual stream; where the norm
  stands decides how gently the first steps must be taken.
- An encoder reads, a decoder writes and looks at what was read. Chapter 05 trains the encoder alone
  on plain text, and calls it BERT.

{{quiz 04.q1}}

{{quiz 04.q2}}

{{quiz 04.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), and *The
Annotated Transformer* (Rush 2018; Huang et al. 2022), the paper with its code beside it. Bahdanau
et al. (2015), [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): attention before the Transformer. Ba et al. (2016), *Layer
normalization*, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450). Xiong et al. (2020), [arXiv:2002.04745](https://arxiv.org/abs/2002.04745). Haviv et al. (2022),
*Transformer language models without positional encodings still learn positional information*,
[arXiv:2203.16634](https://arxiv.org/abs/2203.16634). D2L, [chapter 11](https://d2l.ai/chapter_attention-mechanisms-and-transformers/index.html).
"""
