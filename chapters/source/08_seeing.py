# ---
# jupyter:
#   minibert:
#     title: Seeing
#     question: What can we see inside a pre-trained model, and which pictures can we trust?
#     minutes: 90
#     seconds: 75
#     memory_mb: 1300
#     needs: ["chapter 02 (an LSTM, words in context)", "chapter 04 (attention)", "chapter 05 (BERT)", "chapter 07 (GPT)"]
#     skip: "what is marked optional, which takes about 70 minutes more: the ends of section 1 (how t-SNE works) and of section 3 (erasing, counting), section 6 (alignment), section 7 (is attention an explanation?) and section 11 (the real thing)"
#     papers:
#       - "Radford et al. (2017), Learning to Generate Reviews and Discovering Sentiment, arXiv:1704.01444"
#       - "Clark et al. (2019), What Does BERT Look At?, arXiv:1906.04341"
#       - "Jain & Wallace (2019), Attention is not Explanation, arXiv:1902.10186"
#       - "Vig et al. (2020), Causal Mediation Analysis for Interpreting Neural NLP, arXiv:2004.12265"
# ---

# %% [markdown]
r"""
# 08 · Seeing: what is inside a pre-trained model, and which pictures can we trust?

{{head}}

So far a model was judged by what it says. This chapter opens it. You look at three things: its
vectors, its single units, and its attention. Pictures of them are easy to make and easy to
believe. So each picture comes with a number that could have proved it wrong, and often with a much
simpler method that gives the same picture.

Looking alone never shows what a model *uses*. For that you change something inside, and see what
happens to the answer. In section 3 you set one single unit by hand, and a writer of bad reviews
begins to praise. In section 8 you build **activation patching**, which lets you watch an answer
travel through the layers.
"""

# %%
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.data.sources import Source
from minibert.data.tagged_words import universal
from minibert.models.transformer import TransformerConfig
from minibert.probe.places import state_of, with_state
from minibert.world.tasksets.base import Example

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. A map of words

A word vector has 64 numbers, and paper has two dimensions. **PCA**, principal component analysis,
turns the cloud of vectors so that its two widest directions lie in the plane. Everything else is
thrown away. Here are vectors of chapter 01, of four kinds of words.
"""

# %%
word2vec = mb.Word2Vec.from_pretrained("minibert-word2vec")
GROUPS = {
    "animals": "dog cat cow horse goat duck hen fox owl sheep".split(),
    "food": "bread soup cheese cake butter honey tea apples ham jam".split(),
    "months": "january march april june july august october november december february".split(),
    "trades": "baker weaver painter carpenter doctor teacher tailor potter farmer miller".split(),
}
GROUPS = {kind: [w for w in some if w in word2vec.vocab] for kind, some in GROUPS.items()}
words = [word for some in GROUPS.values() for word in some]
table = word2vec.input.weight.detach()
vectors = F.normalize(table[[word2vec.vocab[word] for word in words]], dim=1)  # (words, 64)
figure = mb.show.scatter_words(mb.show.pca(vectors), words, GROUPS, title="PCA of forty words")
mb.show.figure(figure)

# %%
def kept(vectors, points, k=5):
    """Share of each point's k nearest neighbours on the map that are nearest in all dimensions."""
    there, here = (torch.cdist(x, x).fill_diagonal_(torch.inf).topk(k, largest=False).indices
                   for x in (vectors, torch.as_tensor(points, dtype=torch.float32)))
    pairs = zip(there.tolist(), here.tolist(), strict=True)
    return sum(len({*a} & {*b}) for a, b in pairs) / (k * len(here))


centred = vectors - vectors.mean(0)
share = torch.linalg.svdvals(centred).square()
print(f"the two directions hold {share[:2].sum() / share.sum():.0%} of the spread")
print(f"of a word's 5 nearest neighbours, the map keeps {kept(vectors, mb.show.pca(vectors)):.0%}; "
      f"by chance it would be {5 / (len(words) - 1):.0%}")

# %% [markdown]
r"""
You see the groups, but most of the spread is out of sight: the two numbers say how much the picture
leaves out. Two words that lie together on the map may be far apart in a direction that you do not
see.

### Which clumps can you trust?

**t-SNE** (van der Maaten & Hinton 2008) gives up distances and tries to keep *neighbours*. You
choose roughly how many neighbours of each point count: the **perplexity**. Two points that are
near in all dimensions attract each other on the map, all others repel. (The optional end of this
section shows how.)

*Predict before you run:* the lower row shows pure noise, as many vectors of random numbers as there
are words. Which of the four maps would you trust?
"""

# %%
from sklearn.manifold import TSNE

noise = torch.randn(len(words), 64, generator=torch.Generator().manual_seed(2))
sizes = {"words": {kind: len(some) for kind, some in GROUPS.items()}, "noise": {"": len(noise)}}
fig, axes = mb.show.new("Words above, noise below", rows=2, columns=2, size=(7.6, 6.2))
for row, (name, cloud) in zip(axes, {"words": vectors, "noise": noise}.items(), strict=True):
    for ax, perplexity in zip(row, (3, 15), strict=True):
        tsne = TSNE(perplexity=perplexity, init="random", random_state=0, max_iter=500)
        points = tsne.fit_transform(cloud.numpy())
        parts = torch.tensor(points).split([*sizes[name].values()])
        for kind, some, marker in zip(sizes[name], parts, "os^D", strict=False):
            ax.plot(*some.T, marker, markersize=5, label=kind)
        told = f"{name}, perplexity {perplexity}: keeps {kept(cloud, points):.0%}"
        ax.set_title(told, fontsize=10)
        ax.set_axis_off()  # the axes of t-SNE mean nothing
axes[0][0].legend(fontsize="small")
mb.show.figure(fig, alt="Four maps by t-SNE: words and noise, at perplexity 3 and 15. At 15 the words "
                        "lie in their groups; at 3 the noise has small clumps and strings, too.")

# %%
kinds = [kind for kind, some in GROUPS.items() for _ in some]
nearest = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf).argmin(1).tolist()
same = sum(kinds[i] == kinds[j] for i, j in enumerate(nearest))
chance = sum(kinds.count(kind) - 1 for kind in kinds) / (len(kinds) - 1)
print(f"in all 64 dimensions, {same} of {len(words)} words have a nearest neighbour of their group; "
      f"by chance {chance:.0f}")
print(f"by chance a map keeps {5 / (len(words) - 1):.0%} of the neighbours")

# %% [markdown]
r"""
At perplexity 3 the noise has small clumps and strings, which are groups of nothing: every point
must have a few neighbours, so it gets some. Of the words, the months lie in several places there.
At 15 the noise is spread evenly, and the words lie in their four groups. "Keeps" is the share of
neighbours that the map keeps, as above: of the words, t-SNE keeps more of them than PCA at both
settings. But even of noise it keeps far more than chance would: keeping neighbours does not make
them a group. And it keeps nothing else. The size of a clump, the distance between two clumps and
what lies above or left mean nothing, and another seed gives another map (Wattenberg et al. 2016
have many examples). So: believe a clump if it is there at several perplexities and seeds, not in
noise, and if a number in the *full* space confirms it. The last cell printed such a number, and
section 2 uses it again.

### How t-SNE works (optional)

t-SNE turns distances into probabilities, twice. In the space of the vectors, $p_{ij}$ is large if
$i$ and $j$ are near. On the map, where point $i$ lies at $y_i$,

$$
q_{ij} = \frac{(1 + \lVert y_i - y_j \rVert^2)^{-1}}
{\sum_{k \neq l} (1 + \lVert y_k - y_l \rVert^2)^{-1}}, \qquad
C = \sum_{i \neq j} p_{ij} \log \frac{p_{ij}}{q_{ij}}.
$$

The points begin anywhere and move downhill on the cost $C$. The gradient has a simple form
(equation 5 of the paper): a pair whose $p$ is larger than its $q$ attracts, a pair whose $p$ is
smaller repels.

$$
\frac{\partial C}{\partial y_i} = 4 \sum_j (p_{ij} - q_{ij})\,
(1 + \lVert y_i - y_j \rVert^2)^{-1}\,(y_i - y_j)
$$

{{exercise 08.tsne}}

Write `gradient(p, y)`: `p` is `(n, n)`, with zeros on its diagonal; `y` is `(n, 2)`. The result is
`(n, 2)`, one row per point. No autograd: write the formula.
"""

# %%
def gradient(p, y):
    """The gradient of t-SNE's cost by the points of the map: (n, 2)."""
    found = torch.zeros_like(y)
    ### BEGIN SOLUTION
    difference = y[:, None] - y[None]  # (n, n, 2): y_i - y_j
    near = 1 / (1 + difference.square().sum(-1))  # (n, n)
    near = near * (1 - torch.eye(len(y)))  # no point is its own neighbour
    q = near / near.sum()
    found = 4 * (((p - q) * near)[..., None] * difference).sum(1)
    ### END SOLUTION
    return found


# %%
mb.course.check("08.tsne", gradient)

# %% [markdown]
r"""
How near is near? For each point $i$ the width of a bell curve is chosen so that $i$ has, in effect,
a given number of neighbours: the **perplexity**. (It is the exponential of the entropy of $i$'s
probabilities, as for a language model.) The next cell finds the width by halving an interval. Then
ten words move, by your gradient, from random places.
"""

# %%
gradient = mb.course.use("08.tsne", gradient)


def neighbours(vectors, perplexity):
    """The probabilities p of t-SNE, (n, n), symmetric, with the sum 1."""
    far = torch.cdist(vectors, vectors).square()
    far.fill_diagonal_(torch.inf)
    low, high = torch.full((len(far), 1), 1e-4), torch.full((len(far), 1), 1e4)  # 1 / (2 sigma^2)
    for _ in range(60):
        middle = (low * high).sqrt()
        p = (-far * middle).softmax(1)
        wide = torch.special.entr(p).sum(1, keepdim=True).exp() > perplexity
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return (p + p.T) / (2 * len(p))


ten = [*GROUPS["animals"][:3], *GROUPS["food"][:4], *GROUPS["months"][:3]]
p = neighbours(vectors[[words.index(word) for word in ten]], perplexity=3)
start = torch.randn(10, 2, generator=torch.Generator().manual_seed(1))
y, speed = start.clone(), torch.zeros(10, 2)
for _ in range(500):
    speed = 0.8 * speed - 5 * gradient(p, y)  # downhill, with some momentum
    y = y + speed

# %%
fig, axes = mb.show.new("Ten words, 500 steps down the gradient", columns=2, size=(7.6, 3.8))
titles = ("start: random", "end")
for ax, points, title in zip(axes, (start, y), titles, strict=True):
    for number, some in enumerate((ten[:3], ten[3:7], ten[7:])):
        at = [ten.index(word) for word in some]
        ax.plot(*points[at].T, "os^"[number])
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
    ax.margins(0.25)
    mb.show.name_points(ax, dict(zip(ten, map(tuple, points.tolist()), strict=True)))
mb.show.figure(fig, alt="Ten words at random places, and after 500 steps: animals, food and months "
                        "have come together.")

# %% [markdown]
r"""
## 2. The same word, in two senses

A *crane* lifts stones, or wades in a pond. word2vec has one vector for both. BERT's vector of a
word depends on its sentence. The world tells the meaning of each word, so we can ask in which
layer the meanings separate.
"""

# %%
def uses_of(seed, tokens):
    """(words, position, sense) of each use of a word with senses, no sentence twice."""
    found = {}
    for document in mb.world.generate(tokens=tokens, seed=seed).documents:
        for sentence in document.sentences:
            for i, sense in enumerate(sentence.sense):
                if sense:
                    found.setdefault((tuple(sentence.tokens), i), sense)
    return [(list(tokens), i, sense) for (tokens, i), sense in found.items()]


# %%
uses, new = uses_of(21, 30_000 if SMOKE else 250_000), uses_of(22, 30_000 if SMOKE else 120_000)
read = {tuple(tokens) for tokens, *_ in uses}
new = [use for use in new if tuple(use[0]) not in read]
pool = defaultdict(lambda: defaultdict(list))  # written word -> sense -> uses
for use in uses:
    pool[use[0][use[1]].lower()][use[2]].append(use)
LABELLED = 1 if SMOKE else 4  # labelled uses of each sense
rng = random.Random(0)
labelled = {}  # word -> labelled uses
for word, senses in pool.items():
    often = [some for some in senses.values() if len(some) >= 2 * LABELLED]
    if len(often) > 1:
        labelled[word] = [use for some in often for use in rng.sample(some, LABELLED)]
asked = [u for u in new if u[2] in {v[2] for v in labelled.get(u[0][u[1]].lower(), [])}]
print(len(labelled), "written words with several senses;", len(asked), "uses in new sentences")

# %% [markdown]
r"""
First a picture. It shows uses of *crane* in BERT; the slider goes from layer to layer. The number
below the map needs no map: for how many points does the nearest neighbour, in all 192 dimensions,
have the same sense? (Of several that are equally near, each counts for its share.) The cell prints
it for all layers.
"""

# %%
bert = mb.BERT.from_pretrained("minibert-bert").eval()
picture = [use for some in pool["crane"].values() for use in some[:12]]
view = mb.show.ContextMap(bert, [tokens for tokens, *_ in picture], [i for _, i, _ in picture],
                          [sense for *_, sense in picture], layer=0)
print("nearest neighbour of the same sense:",
      "".join(f"layer {n} {view.alike(n):.0%}, " for n in range(5)) + f"chance {view.chance():.0%}")
view

# %% [markdown]
r"""
Move the slider from 0 to 1. Layer 0 knows the word and its position, nothing else, so all uses in
one position are one point (drawn side by side). Even that gives something away: a *crane* that is
the second word of its sentence is more often a machine. In layer 1 the two senses come apart, but
not fully: about one point in five still lies among the others. From layer 2 on there are slightly
fewer.

Now the number, over all such words: each new use gets the sense of the labelled use whose vector
has the largest cosine. Two rivals read no vector at all. One takes the labelled use that shares
most of its *neighbouring words* (two on either side), the other the one whose *position* in its
sentence is nearest. Ties count for their share.
"""

# %%
def by_counting(use, one):
    """How many words two uses share nearby."""
    def near(one):
        tokens, i, _ = one
        return {w.lower() for w in tokens[max(0, i - 2) : i] + tokens[i + 1 : i + 3]}
    return len(near(use) & near(one))


def by_position(use, one):
    """How near two uses stand to each other in their sentences."""
    return -abs(use[1] - one[1])


def told_by(likeness):
    """Share of senses that the labelled use most like the new one tells rightly."""
    right = 0.0
    for use in asked:
        some = labelled[use[0][use[1]].lower()]
        alike = [likeness(use, one) for one in some]
        best = [one[2] == use[2] for one, n in zip(some, alike, strict=True) if n == max(alike)]
        right += sum(best) / len(best)  # of several that are equal, each counts for its share
    return right / len(asked)


# %%
def vectors_of(model, some):
    """The vectors of the used words: one tensor (uses, dim) a layer."""
    states = mb.probe.states(model, [tokens for tokens, *_ in some])
    starts = torch.tensor([0, *states.lengths[:-1]]).cumsum(0)
    return [layer[starts + torch.tensor([i for _, i, _ in some])] for layer in states.layers]


def by_vectors(model):
    """For each layer: share of senses that the nearest labelled use tells rightly."""
    known = [use for some in labelled.values() for use in some]
    same = torch.tensor([[a[0][a[1]].lower() == b[0][b[1]].lower() for b in known] for a in asked])
    sense = torch.tensor([[a[2] == b[2] for b in known] for a in asked]).float()
    right = []
    for x, y in zip(vectors_of(model, known), vectors_of(model, asked), strict=True):
        near = (F.normalize(y, dim=1) @ F.normalize(x, dim=1).T).masked_fill(~same, -2)
        best = (near > near.amax(1, keepdim=True) - 1e-4).float()  # the nearest, and its equals
        right.append(float(((best * sense).sum(1) / best.sum(1)).mean()))
    return right


# %%
chance = sum(LABELLED / len(labelled[t[i].lower()]) for t, i, _ in asked) / len(asked)
rivals = {"word2vec": by_vectors(word2vec)[0], "the position": told_by(by_position),
          "words nearby": told_by(by_counting)}
print(f"guessing {chance:.2f};", "; ".join(f"{name} {value:.2f}" for name, value in rivals.items()))
fig, ax = mb.show.new("Senses told by the nearest labelled use", "layer", "share right")
models = {"BERT": bert, "ELMo": mb.ELMo.from_pretrained("minibert-elmo").eval()}
for (name, model), style in zip(models.items(), ("o-", "s--"), strict=True):
    shares = by_vectors(model)
    print(f"{name}, by layer:", ", ".join(f"{share:.2f}" for share in shares))
    ax.plot(shares, style, label=name)
for (name, value), style in zip(rivals.items(), (":", "--", "-."), strict=True):
    ax.axhline(value, color="#5f5f5f", linestyle=style, label=name)
ax.set(ylim=(0, 1.03), xticks=range(5))
ax.legend(loc="lower right")
mb.show.figure(fig, alt="Share of senses told rightly by layer: BERT and ELMo rise above the words "
                        "nearby in layer 1; word2vec stays at chance, the position lies between.")

# %% [markdown]
r"""
word2vec can only guess, by construction: all labelled uses of a word have the same vector. BERT's
layer 0 is far above guessing, without having read a single other word: it knows the position, and
the position alone tells about as much. So measure a layer from there, and not from guessing. The
words nearby are a strong rival, and yet the contextual vectors do better. Section 10 repeats this
over seeds.

"""
# %% [markdown]
r"""
## 3. It works: one unit that tells whether a review is positive

Radford et al. (2017) trained an LSTM on Amazon reviews, to predict the next letter and nothing
else. Inside they found *one* unit whose value told whether the review was positive. Nobody had told
the model what a positive review is. It became known as the **sentiment neuron**.

We repeat it on reviews of inns and restaurants of our world. Each consists of five sentences that
judge, all on one side; one fifth of the sentences is kept for testing. The reader is an LSTM with
one layer of 64 units. It learns to predict the next *word*. It never sees the side of a review.
"""

# %%
def judging(seed, tokens):
    """(kind of place, side) -> short sentences of reviews that judge, in small letters."""
    found = {}
    for review in mb.world.generate(tokens=tokens, seed=seed, kinds="review").documents:
        sides = defaultdict(set)
        for i, _, side, how in review.notes["aspects"]:
            sides[i] |= {side, how}
        for i, (said, *more) in ((i, sorted(s)) for i, s in sides.items()):
            tokens = review.sentences[i].tokens
            if more == ["says"] and tokens[0] == "The" and len(tokens) < 7:
                found[" ".join(tokens).lower()] = (review.topic, said)
    kinds = ("review.inn", "review.restaurant")
    return {(kind, side): sorted(s for s, key in found.items() if key == (kind, side))
            for kind in kinds for side in ("bad", "good")}


# %%
def reviews(pools, count, rng):
    """``count`` reviews: (words, side)."""
    drawn = [rng.choice(sorted(pools)) for _ in range(count)]
    return [(" ".join(rng.sample(pools[key], 5)).split(), key[1]) for key in drawn]


rng, old, held = random.Random(0), {}, {}
for key, some in judging(11, 100_000 if SMOKE else 200_000).items():
    rng.shuffle(some)
    held[key], old[key] = some[: max(5, len(some) // 5)], some[max(5, len(some) // 5) :] or some
train, test = reviews(old, 6_000, rng), reviews(held, 400, rng)
print({f"{kind}, {side}": len(some) for (kind, side), some in old.items()})
for said, side in test[:2]:
    print(f"{side}: {' '.join(said)}")

# %%
mb.seed_everything(0)  # whatever ran before
vocab = mb.text.Vocab.train([said for said, _ in train], specials=("<unk>", "<s>"))
off = dict.fromkeys([*mb.models.awd_lstm.DROPOUTS, "alpha", "beta"], 0.0)  # no regularisation
reader = mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), dim=64, layers=1, tied=False, **off), vocab)
nn.init.normal_(reader.embedding.weight)
with torch.no_grad():
    reader.layers[0].bias_hh[64:128] += 1.0  # forget gates begin open: it should remember

# %% [markdown]
r"""
While it learns, we watch the loss on one kind of word: the last one of each sentence, which judges
(*tasty*, *rude*). In the first sentence of a review nothing tells the side. In later ones the
sentences before do.
"""

# %%
texts = [torch.tensor([1, *vocab.encode(said)]) for said, _ in train]  # 1 is <s>
optimizer = torch.optim.Adam(reader.parameters())
steps, every = (5, 5) if SMOKE else (1_200, 20)
first, later, dot = [], [], vocab.encode(["."])[0]
for step in range(steps):
    optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / steps)
    ids = nn.utils.rnn.pad_sequence(random.choices(texts, k=32), batch_first=True)
    logits = reader.decoder(reader.read(ids[:, :-1])[0][-1])  # (32, length - 1, V)
    loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
    optimizer.step()
    each = F.cross_entropy(logits.detach().transpose(1, 2), ids[:, 1:], reduction="none")
    judging_word, number = ids[:, 2:] == dot, (ids[:, :-2] == dot).cumsum(1)
    first.append(each[:, :-1][judging_word & (number == 0)].mean().item())
    later.append(each[:, :-1][judging_word & (number > 0)].mean().item())
reader.eval()
fig, ax = mb.show.new("The loss on the word that judges", f"step (means of {every})", "nats")
for rows, name, style in ((first, "first sentence", "--"), (later, "later sentences", "-")):
    ax.plot(range(0, steps, every), torch.tensor(rows).view(-1, every).mean(1), style, label=name)
ax.legend()
mb.show.figure(fig, alt="Two falling curves, first together; after some hundred steps the loss on "
                        "judging words falls on in later sentences, and hardly in the first.")

# %% [markdown]
r"""
At first both lines fall together: the reader learns what a sentence looks like. Then they part.
After *the bed was lumpy*, the soup will hardly be *tasty*, and in later sentences the reader begins
to expect that. To do so, it has to carry the side along.

Which unit does? Take the state after the last word of each review, `(reviews, 64)`. For each unit
compare its mean $\bar{x}_+$ over positive reviews with its mean $\bar{x}_-$ over negative ones, in
units of its standard deviation *within* the two groups (Cohen's $d$):

$$
d = \frac{\bar{x}_+ - \bar{x}_-}{s}, \qquad
s^2 = \frac{\sum_{i \in +} (x_i - \bar{x}_+)^2 + \sum_{i \in -} (x_i - \bar{x}_-)^2}{n_+ + n_- - 2}
$$

{{exercise 08.unit}}

Write `differences(x, positive)`: `x` is `(n, units)`, `positive` is a tensor of `n` booleans. Give
$d$ for each unit, `(units,)`.
"""

# %%
def differences(x, positive):
    """Cohen's d of each unit between positive rows and the others: (units,)."""
    d = torch.zeros(x.shape[1])
    ### BEGIN SOLUTION
    a, b = x[positive], x[~positive]
    squares = (a - a.mean(0)).square().sum(0) + (b - b.mean(0)).square().sum(0)
    d = (a.mean(0) - b.mean(0)) / (squares / (len(x) - 2)).sqrt()
    ### END SOLUTION
    return d


# %%
mb.course.check("08.unit", differences)

# %%
differences = mb.course.use("08.unit", differences)


def last_states(some):
    """The reader's state after each review, and whether the review is positive."""
    states = mb.probe.states(reader, [["<s>", *said] for said, _ in some], cache=False)
    return mb.probe.pooled(states, "last").layers[1], torch.tensor([y == "good" for _, y in some])


(x, positive), (x_test, positive_test) = last_states(train[:800]), last_states(test)
d = differences(x, positive)
order = d.abs().argsort(descending=True).tolist()
unit, other = order[0], order[len(order) // 2]
fig, ax = mb.show.new("How far apart the two sides are, for each of the 64 units",
                      "unit, sorted", "size of d (log scale)")
ax.bar(range(len(d)), d.abs().sort(descending=True).values)
ax.set(yscale="log")
mb.show.figure(fig, alt="Bars of the size of d for 64 units, from the largest to the smallest, on "
                        "a logarithmic axis: the first stands far above the others.")
for name, one in (("first", unit), ("second", order[1]), ("middle", other)):
    means = x[positive][:, one].mean(), x[~positive][:, one].mean()
    print(f"{name:6} of the order, unit {one:2}: d = {d[one]:+8.2f}; mean "
          f"{means[0]:+.2f} after good reviews, {means[1]:+.2f} after bad ones")

# %% [markdown]
r"""
One unit stands far above the rest, and no label was used to make it so. (That depends on the start
of the training: from another seed, or on another processor, the side may be spread over several
units. Section 10 has five seeds.) But do not read the size of its $d$ as "so much better". The
outputs of an LSTM lie between -1 and 1, and this unit stands close to one end after good reviews
and close to the other after bad ones. So its spread *within* a group is nearly 0, and $d$ divides
by it. Which end means praise is luck, too: look at the two means.

How well does this one unit tell the side of a *new* review, of sentences that the reader has not
seen? A **probe** is a small classifier that is trained on what a model has inside. Here it has one
input and is just a threshold. It is compared with all 64 units, with a unit from the middle of the
order, and with the strongest cheap rival: counted words, learned from the same labels. *Predict
before you run:* what share does one unit get? And the second one in the order?
"""

# %%
def examples(some):
    return [Example(text=" ".join(said), label=side) for said, side in some]


labels, test_labels = [y for _, y in train[:800]], [y for _, y in test]
scores = mb.probe.with_units((x, labels), (x_test, test_labels), order, [1, 4, 64])
middle = mb.probe.with_units((x, labels), (x_test, test_labels), [other], [1])[1]
counts = mb.models.cheap.WordCounts().fit(examples(train[:700]), examples(train[700:800]))
majority = max(Counter(test_labels).values()) / len(test)
shares = {"always the same answer": majority, "a unit from the middle": middle,
          "the one best unit": scores[1], "four units": scores[4], "all 64 units": scores[64],
          "counted words (800 labels)": counts.score(examples(test))}
for name, share in shares.items():
    print(f"{name:28} {share:.3f}")
each = [mb.probe.with_units((x, labels), (x_test, test_labels), [one], [1])[1] for one in order[:4]]
print("the first four, each alone: ", "  ".join(f"{share:.3f}" for share in each))

# %% [markdown]
r"""
One number of 64 tells the side of nearly every new review, and tells it as well as all of them
together. That is remarkable for a model that never saw a label. But it is not alone: as a
threshold, the second unit of the order does as well, with a far smaller $d$. And we needed labels
to find the unit and its threshold. With the same labels, counted words come close here; over five
seeds it is not clear which of the two is better (section 10). So as a way to *classify* reviews the
unit is nothing new.

The next widget colours a text by this unit. Type another review, choose another unit, and watch for
the word at which the value turns. Mind the sign: here a value near +1 says that the review is *bad*
(see the means above; on another processor it may be the other way round). The slider sets the unit
by hand: it is held there at each word, in the state that the LSTM goes on from, while the model
reads and writes on. Which end makes it praise?
"""

# %%
text = "the bed was lumpy . the soup was salty . the landlord was rude ."
mb.show.NeuronExplorer(reader, text, layer=1, unit=unit)

# %% [markdown]
r"""
At each *the* after a full stop the value falls to 0, and it comes back with the next word, before
anything new is judged. So the side is not lost there. This unit does not show it in $h$, but its
cell state $c$ and other units of $h$ can keep it. (Choose another unit in the widget to look for
one.)

### Set it by hand

A unit that *tells* the side need not be *used* by the model. So we set it, at each word, and let
the model write. We set it in the state $h$ itself: the next word is predicted from it, and the
LSTM goes on from it. Who judges what is written? Not the unit: an independent classifier that
counts words and was trained on single sentences with gold labels. Two other units are set in the
same way, as controls: the unit from the middle, and the second unit of the order, which tells the
side equally well.
*Predict before you run:* does the second unit also *move* as much?
"""

# %%
gold = [Example(text=s, label=key[1]) for some in (old, held) for key in some for s in some[key]]
random.Random(1).shuffle(gold)
judge = mb.models.cheap.WordCounts().fit(gold[60:], gold[:60])
print(f"the judge is right about {judge.score(gold[:60]):.0%} of 60 sentences it was not trained on")


def write(unit=None, value=0.0, begin="", count=100, length=24):
    """What is drawn after a beginning, ``count`` times, with one unit of the state set."""
    generator = torch.Generator().manual_seed(5)
    ids, state, written = torch.tensor([vocab.encode(["<s>", *begin.split()])] * count), None, []
    with torch.no_grad():
        for _ in range(length):
            _, [(h, c)] = reader.read(ids, state)  # h, c: (1, count, 64)
            if unit is not None:
                h[..., unit] = value
            p = reader.decoder(h[0]).softmax(-1)
            ids, state = torch.multinomial(p, 1, generator=generator), [(h, c)]
            written.append(ids)
    return [" ".join(vocab.tokens[i] for i in row) for row in torch.cat(written, 1).tolist()]


def positive_share(texts):
    verdicts = judge.predict([Example(text=one, label="good") for one in texts])
    return sum(verdict == "good" for verdict in verdicts) / len(texts)


# %%
sign = dict(enumerate(d.sign().tolist()))  # by unit: +1 where a large value goes with praise
values = (-1.0, -0.5, 0.0, 0.5, 1.0)
fig, ax = mb.show.new("What is written when one unit is set", "value of the unit (times its sign)",
                      "share judged positive")
for chosen, label, style in ((unit, "the unit with the largest d", "o-"),
                             (order[1], "the second", "^-."), (other, "from the middle", "s--")):
    shares = [positive_share(write(chosen, sign[chosen] * value)) for value in values]
    ax.plot(values, shares, style, label=label)
    print(f"{label}, {chosen}:", ", ".join(f"{share:.2f}" for share in shares))
ax.axhline(positive_share(write()), color="#5f5f5f", linestyle=":", label="nothing set")
ax.set(ylim=(0, 1.03))
ax.legend()
mb.show.figure(fig, alt="Share of texts judged positive by the value of the unit: it rises from nearly "
                        "0 to nearly 1 with the first unit, less with the second, hardly with the "
                        "third.")

# %%
BEGINNINGS = {"bad": "the bed was lumpy . the soup was salty . the landlord was rude .",
              "good": "the bed was soft . the soup was tasty . the landlord was honest ."}
for (side, begin), goal in zip(BEGINNINGS.items(), (1.0, -1.0), strict=True):
    ways = {"nothing set": (None, 0.0), f"the unit set to {'praise' if goal > 0 else 'blame'}":
            (unit, goal * sign[unit]), "the unit from the middle, too": (other, goal * sign[other])}
    print(f"after a {side} beginning, judged positive:",
          "; ".join(f"{name} {positive_share(write(*way, begin)):.0%}" for name, way in ways.items()))
print(f"{BEGINNINGS['bad']} ... {write(unit, sign[unit], BEGINNINGS['bad'], count=1)[0]}")

# %% [markdown]
r"""
This is the moment for which the chapter was written. In the middle of a bad review the writer
begins to praise, because one unit was held by hand. The unit was found by looking; setting it
shows that the model *uses* it. It works the other way round, too.

The controls matter. A unit from the middle moves the share only a little; a hundred texts vary by
as much from draw to draw. (In the last lines it is set *instead* of the first unit, not with it.)
Here the second unit tells the side of as many reviews, and yet it moves
the texts far less, although ±1 is further from its usual values (see the means above) than from
those of the first. How well a unit tells does not say how much it does. Nor does the largest $d$
always find the unit that works: in some seeds of section 10 the second unit of the order moves the
texts more than the first.

Do not expect such a unit everywhere. In this text little is worth carrying from sentence to
sentence: the side, and whether it is an inn or a restaurant. The library's larger reader saw
natural reviews, in which praise and blame are mixed. Asked about single sentences, no one unit of
it tells the side much better than chance, while counted words do (section 10). The question is not
quite the same, so the cause is open.

### Erase it (optional)

The opposite of setting is **erasing**: hold each of the 64 units at 0, one after the other, and
see how much the loss per word of the test reviews rises.
"""

# %%
ids = nn.utils.rnn.pad_sequence([torch.tensor([1, *vocab.encode(said)]) for said, _ in test[:60]],
                                batch_first=True)


def word_losses(erased=None, divided_by=1.0):
    """Nats of each word of sixty test reviews, (60, length), with one unit of the state at 0."""
    state, logits = None, []
    with torch.no_grad():
        for column in ids[:, :-1].split(1, dim=1):
            _, [(h, c)] = reader.read(column, state)
            if erased is not None:
                h[..., erased] = 0.0
            logits.append(reader.decoder(h[0]) / divided_by)
            state = [(h, c)]
    return F.cross_entropy(torch.stack(logits, 2), ids[:, 1:], reduction="none")


# %%
whole, without = word_losses(), torch.stack([word_losses(number) for number in range(64)])
known_word, later_on = ids[:, 1:] != 0, (ids[:, :-1] == dot).cumsum(1) > 0
judges = F.pad(ids[:, 2:] == dot, (0, 1)) & later_on & known_word
for name, mask in (("all words", known_word), ("judging words after the first sentence", judges)):
    rises = without[:, mask].mean(1) - whole[mask].mean()  # (64,)
    others = rises[torch.arange(64) != unit]
    print(f"{name}: without unit {unit} {rises[unit]:+.3f} nats per word, "
          f"place {int((others > rises[unit]).sum()) + 1} of 64; "
          f"median of the others {others.median():+.3f}, largest {others.max():+.3f}")
print(f"the loss of all words is {whole[known_word].mean():.2f}; "
      f"with all logits divided by 2 it is {word_losses(divided_by=2)[known_word].mean():.2f}")

# %% [markdown]
r"""
When it is erased, the loss rises more than for nearly all other units, and yet only a little. About
one word in five judges, and only that one depends on the side. In a mean over all words its effect
is small. On the judging words alone it is large, and no other unit comes near. So measure an effect
on the question that you ask.

Without most other units the loss even falls a little: on new sentences the reader is too sure of
itself, and any damage makes it less so. (Dividing its logits by 2 does the same, and better.)

### Cells that count (optional)

Karpathy et al. (2016) found units that count: the position in a line, the depth of brackets. Does
one of ours count words since the last full stop?
"""

# %%
states = mb.probe.states(reader, [["<s>", *said] for said, _ in test], cache=False)
place, at = [], []
for said, _ in test:
    row = [0]
    for word in said:
        row.append(0 if word == "." else row[-1] + 1)
    place += row
    at += range(len(row))
h = states.layers[1]


def correlation(h, numbers):
    """Of each unit with these numbers."""
    centred = torch.tensor(numbers, dtype=torch.float32)
    centred = (centred - centred.mean()) / centred.std()
    return ((h - h.mean(0)) / h.std(0)).T @ centred / len(h)


# %%
spoken = [word for said, _ in test for word in ("<s>", *said)]
seen = defaultdict(list)
for word, number in zip(spoken, place, strict=True):
    seen[word].append(number)
means = torch.tensor([[sum(seen[word]) / len(seen[word])] for word in spoken])  # (words, 1)
print(f"words since the full stop: the mean place of each word has r = "
      f"{correlation(means, place).item():+.2f}")
for name, numbers in (("words since the full stop", place), ("words since the beginning", at)):
    r = correlation(h, numbers)
    best = int(r.abs().argmax())
    print(f"{name}: unit {best} has r = {r[best]:+.2f}; the median |r| of all is {r.abs().median():.2f}")

# %% [markdown]
r"""
One unit rises or falls with the place in the sentence; none follows the place in the whole review.
Before you call the first a counter, think of the cheapest rival. In these short sentences the word
itself gives its place away: *the* comes first, *was* near the middle, the judgement last. The mean
place of each word correlates with the place more closely than this unit does. To tell a counter
from a reader of words, one needs sentences in which the same word stands at many places.

## 4. Attention: which head follows grammar?

BERT of the world has 4 layers of 4 heads. Here is what all sixteen do with one sentence. Choose a
layer and a head for a closer look; the table says how much that head looks at fixed places, such as
the word before.
"""

# %%
mb.show.HeadsExplorer(bert, "The old baker sold a warm loaf to the girl from the mill.", layer=1, head=1)

# %% [markdown]
r"""
It is tempting to see grammar in such lines: here they go from *the* to *girl*, as a determiner
belongs to its noun, and from *old* to *baker*. Clark et al. (2019) asked with numbers. Take
sentences whose **dependencies** are known: each word has a head, the word it belongs to. (So "head"
has two meanings: an attention head looks, a syntactic head is looked for.) It is a hit if, of all
*other* words, the syntactic head gets the largest weight.

{{exercise 08.heads}}

Write `hits(weights, heads)` for one attention head and one sentence. `weights` is `(n, n)`, row $i$
says where word $i$ looks. `heads` lists the position of each word's syntactic head, and -1 for the
root, which has none and is left out. Give a list with `True` or `False` for each other word, in
order. The weight of a word on itself does not count.
"""

# %%
def hits(weights, heads):
    """For each word but the root: is the other word that it looks at most its head?"""
    found = []
    ### BEGIN SOLUTION
    others = weights.clone().fill_diagonal_(-1.0)
    for word, head in enumerate(heads):
        if head >= 0:
            found.append(int(others[word].argmax()) == head)
    ### END SOLUTION
    return found


# %%
mb.course.check("08.heads", hits)

# %% [markdown]
r"""
And the rival: a **fixed offset**, such as "always the next word". For each relation the best
offset is taken. The heads, too, are chosen by relation, and there are sixteen of them: the best of
many looks good by luck alone. So head and offset are chosen on one half of the sentences, and both
are judged on the other half.
"""

# %%
hits = mb.course.use("08.heads", hits)
count = 20 if SMOKE else 300
known = [s for d in mb.world.generate(tokens=count * 40, seed=7).documents for s in d.sentences
         if 4 < len(s.tokens) < 25][: 2 * count]
looks = mb.probe.word_attention(bert, [s.tokens for s in known])  # each (layers, heads, n, n)


def by_relation(numbers):
    """relation -> hits (arcs, attention heads), and relation -> offsets to the head, one an arc."""
    found, offsets = defaultdict(list), defaultdict(list)
    for n in numbers:
        heads = known[n].head
        arcs = [(known[n].relation[i], head - i) for i, head in enumerate(heads) if head >= 0]
        each = [hits(one, heads) for one in looks[n].flatten(0, 1)]  # (16, arcs)
        for (relation, offset), right in zip(arcs, zip(*each, strict=True), strict=True):
            found[relation].append(right)
            offsets[relation].append(offset)
    return {name: torch.tensor(some).float() for name, some in found.items()}, offsets


(choose, choose_offsets), (judge_by, judge_offsets) = by_relation(range(count)), by_relation(
    range(count, len(known)))

# %%
print("relation    arcs   head (layer.number)   share   best fixed offset   share")
rows = sorted(choose, key=lambda name: -len(judge_by.get(name, [])))
for name in [row for row in rows if row in judge_by and row != "punct"][:10]:
    best = int(choose[name].mean(0).argmax())
    offset = Counter(choose_offsets[name]).most_common(1)[0][0]
    share = judge_by[name][:, best].mean()
    rival = judge_offsets[name].count(offset) / len(judge_offsets[name])
    mark = "*" if share > rival + 0.03 else " "
    print(f"{name:10} {len(judge_by[name]):5}   {best // 4 + 1}.{best % 4:<20} {share:.2f}   "
          f"{offset:+4}                {rival:.2f} {mark}")

# %% [markdown]
r"""
(*nsubj* subject, *det* determiner, *case* preposition, *obl* phrase with a preposition, *obj*
object, *advmod* adverb, *cc* the word *and*, *amod* adjective, *conj* second part of an *and*,
*cop* the verb *be*.)

Compare the two columns "share". For *det*, the best head gets exactly what the offset gets: it
looks at the next word, and in about four of five cases that is the noun. Such a head follows
places, not grammar. A star marks the relations for which the head is more than 3 points better than
the offset, such as the object of a verb. With a hundred arcs a few points may be luck, so section
10 repeats some of them over seeds. There *case*, *obj* and *obl* keep their star. *conj* does not:
the next sample may turn it round. The picture alone would not have told the two kinds of heads
apart. In a larger model of real English there are more that do better: see section 11.

## 5. Cut a head, and find the bug

To learn whether a head is *used*, cut it, and see how much worse the model gets. A popular way is
a **hook**: a function that PyTorch calls whenever a layer has run, and whose result takes the
place of the layer's output. That is easily done wrongly, in two ways. The next function has both
bugs.

In multi-head attention, the heads' findings stand side by side in one vector of `dim` numbers, head
0 first. Then `attention.output`, a linear layer from `dim` to `dim`, mixes them.

{{exercise 08.find_the_bug}}

`without_head(attention, head, run)` should give what `run()` gives while one head is cut: what the
head has found becomes 0 before anything is mixed. Afterwards the model must be as it was, also if
`run()` raises an error. PyTorch has `register_forward_hook(f)`, with `f(module, inputs, output)`,
and `register_forward_pre_hook(f)`, with `f(module, inputs)`, which may return new inputs. Mend the
function where it stands, or write it again below.
"""

# %%
def without_head(attention, head, run):
    """What run() gives while what one head has found is set to 0."""
    size = attention.output.in_features // attention.heads
    def cut(module, inputs, output):
        output = output.clone()
        output[..., head * size : (head + 1) * size] = 0.0
        return output
    handle = attention.output.register_forward_hook(cut)
    result = run()
    handle.remove()
    return result


### BEGIN SOLUTION
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads
    def cut(module, inputs):
        found = inputs[0].clone()
        found[..., head * size : (head + 1) * size] = 0.0  # behind the output all heads are mixed
        return (found, *inputs[1:])
    handle = attention.output.register_forward_pre_hook(cut)
    try:
        return run()
    finally:
        handle.remove()
### END SOLUTION


# %%
mb.course.check("08.find_the_bug", without_head)

# %% [markdown]
r"""
Now cut each head of BERT in turn, and let it fill gaps. How much does the loss on the masked words
rise? *Predict before you run:* will the heads that follow grammar matter most?
"""

# %%
without_head = mb.course.use("08.find_the_bug", without_head)
filler = mb.heads.MaskedLM.from_pretrained("minibert-bert").eval()
pieces = filler.encoder.tokenizer
rng, rows, gaps = random.Random(0), [], []
for sentence in known[:10] if SMOKE else known[:120]:
    ids = pieces.pair(" ".join(sentence.tokens))["input_ids"]
    at = rng.randrange(1, len(ids) - 1)
    gaps.append((len(rows), at, ids[at]))
    rows.append(torch.tensor([pieces.mask_id if i == at else one for i, one in enumerate(ids)]))
masked = nn.utils.rnn.pad_sequence(rows, batch_first=True)
row, at, answer = torch.tensor(gaps).T


def gap_loss():
    """Nats per gap."""
    with torch.no_grad():
        states = filler.encoder(masked, attention_mask=(masked != 0).long()).last_hidden_state
        return F.cross_entropy(filler.output(states[row, at]), answer).item()


# %%
blocks = filler.encoder.stack.blocks
whole = gap_loss()
print(f"loss on {len(gaps)} gaps, nothing cut: {whole:.2f} nats")
rise = torch.tensor([[without_head(block.attention, head, gap_loss) - whole for head in range(4)]
                     for block in blocks])
names = [f"layer {i + 1}" for i in range(4)], [f"head {i}" for i in range(4)]
mb.show.figure(mb.show.heatmap(rise, *names, title="How much the loss on a gap rises without a head",
                               xlabel="head", ylabel="layer", unit="nats", diverging=True))

# %% [markdown]
r"""
Most heads can be cut at hardly any cost: the others, and the residual stream, go on. (With 120
gaps, differences of a few hundredths mean nothing.) The two that matter most stand in layer 1. The
widget of section 4 shows where they look: at fixed places, head 0 at the word before and head 1 at
the word after, whatever these are. Of the three heads with a star in the table above, two come
next, but far behind (1.3 for objects, 2.0 for *case*), and the third (4.2) can be cut at no cost.
Where a head *looks* is one question, and how much it *matters* is another. Only an intervention
answers the second.

"""
# %% [markdown]
r"""
## 6. Attention as alignment (optional)

There is one place where attention came with an explanation from the start: translation. Bahdanau
et al. (2015) drew, for each word that is written, where the decoder looked. Here the right answer
is known, too. Our foreign language spells each word backwards, puts the adjective behind its noun,
and the verb at the end.
"""

# %%
NOUNS, ADJECTIVES = "dog cat baker tree king boat girl horse".split(), "old red big kind wet".split()
VERBS, DETERMINERS = "sees hears finds paints likes".split(), "the a this".split()


def phrase(rng, start):
    """Words of a phrase, and the order in which the foreign language has them."""
    found = [rng.choice(DETERMINERS)] + [rng.choice(ADJECTIVES) for _ in range(rng.randrange(3))]
    order = [start, start + len(found), *range(start + len(found) - 1, start, -1)]
    return [*found, rng.choice(NOUNS)], order


def sentence_pair(rng):
    """(words, foreign words, for each foreign word the position of its own word)."""
    subject, first = phrase(rng, 0)
    object_, second = phrase(rng, len(subject) + 1)
    words = [*subject, rng.choice(VERBS), *object_]
    gold = [*first, *second, len(subject)]
    return words, [words[i][::-1] for i in gold], gold


# %%
rng = random.Random(0)
pairs = [sentence_pair(rng) for _ in range(200 if SMOKE else 6_000)]
print("  ->  ".join(" ".join(part) for part in pairs[3][:2]), " gold:", pairs[3][2])
both = mb.text.Vocab.train([a + b for a, b, _ in pairs], specials=("<pad>", "<s>", "</s>"))
mb.seed_everything(1)
translator = mb.Transformer(TransformerConfig(len(both), dim=32, layers=1, heads=1, hidden=64,
                                              dropout=0.0, norm="pre", max_length=16))
rows = [{"input_ids": both.encode(a), "decoder_ids": [1, *both.encode(b)],
         "labels": [*both.encode(b), 2]} for a, b, _ in pairs]
steps = 5 if SMOKE else 700
history = mb.fit(translator, mb.text.PaddedBatches(rows, 32), steps=steps, device="cpu",
                 progress=False, optimizer=mb.optim.adamw(translator, 0.01, betas=(0.9, 0.98)),
                 schedule=mb.optim.linear(steps, warmup=steps // 10))
print(f"loss per word at the end: {sum(history.loss[-20:]) / len(history.loss[-20:]):.3f} nats")

# %%
def looked(words, foreign):
    """Cross-attention while the foreign words are written: (foreign, words)."""
    layer, seen = translator.decoder.blocks[-1].cross, []
    handle = layer.register_forward_pre_hook(lambda module, given: seen.append(given))
    try:
        with torch.no_grad():
            translator(torch.tensor([both.encode(words)]), torch.tensor([[1, *both.encode(foreign)]]))
    finally:
        handle.remove()
    with torch.no_grad():
        return layer(*seen[0], output_attentions=True)[1][0, 0][:-1]


# %%
translator.eval()
fresh = [sentence_pair(rng) for _ in range(200)]
right = diagonal = total = 0
for words, foreign, gold in fresh:
    best = looked(words, foreign).argmax(1).tolist()
    right += sum(a == b for a, b in zip(best, gold, strict=True))
    diagonal += sum(i == b for i, b in enumerate(gold))
    total += len(gold)
print(f"largest weight at the right word: {right / total:.0%}; the same position: {diagonal / total:.0%}")
words, foreign, gold = max(fresh, key=lambda pair: len(pair[0]))
weights = looked(words, foreign)
figure = mb.show.heatmap(weights, foreign, words, title="Where the translator looks, with the gold marked",
                         xlabel="what was read", ylabel="what is written", unit="weight", numbers="")
figure.axes[0].plot(gold, range(len(gold)), "s", markersize=13, fillstyle="none", color="#d55e00",
                    markeredgewidth=2)
mb.show.figure(figure)

# %% [markdown]
r"""
The squares mark the gold alignment. Here, where the model *cannot* do its work without fetching
the right word, attention mostly shows what it does. Mostly: for about one word in six the largest
weight lies elsewhere, although the loss is nearly 0. And where a task can be done in other ways?

## 7. Is attention an explanation? (optional)

A classifier reads the reviews of section 3. It weighs the words by attention, with one weight each,
and judges the weighted mean:

$$
\alpha = \mathrm{softmax}(v^\top \tanh(W h_i)), \qquad
p = \sigma\!\left(u^\top \sum_i \alpha_i h_i + b\right)
$$

May we read $\alpha$ as "these words were the reason"? Jain & Wallace (2019) proposed three tests.
**Permute** the weights: does the answer change? Search for an **adversarial** attention: weights as
different as possible with the same answer. **Compare** with other measures of importance. If other
weights give the same answer, these weights were not its reason.

We train the classifier twice. Once $h_i$ is the state of an LSTM that reads in both directions,
trained with the rest, as in the paper; and once it is the bare vector of word $i$.
"""

# %%
class Pooled(nn.Module):
    """Words weighed by attention, then one logit; the words in context, or bare."""

    def __init__(self, context):
        super().__init__()
        self.words = nn.Embedding(len(vocab), 64)
        self.lstm = nn.LSTM(64, 32, batch_first=True, bidirectional=True) if context else None
        self.inner, self.v, self.output = nn.Linear(64, 32), nn.Linear(32, 1), nn.Linear(64, 1)

    def states(self, ids):
        x = self.words(ids)
        return x if self.lstm is None else self.lstm(x)[0]  # (batch, words, 64)

    def weights(self, h):
        return self.v(self.inner(h).tanh())[..., 0].softmax(-1)  # (batch, words)

    def answer(self, h, weights):
        return self.output((weights[..., None] * h).sum(-2))[..., 0].sigmoid()


# %%
def of_one_length(some):
    """(ids, labels) of the reviews of the most frequent length."""
    length = Counter(len(said) for said, _ in some).most_common(1)[0][0]
    some = [one for one in some if len(one[0]) == length]
    return (torch.tensor([vocab.encode(said) for said, _ in some]),
            torch.tensor([float(side == "good") for _, side in some]))


# %%
pooled, (ids, y) = {}, of_one_length(train)
ids_test, y_test = of_one_length(reviews(held, 1_000, random.Random(3)))
for name in ("in context", "bare words"):
    mb.seed_everything(0)
    model = Pooled(name == "in context")
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for _ in range(3 if SMOKE else 150):
        some = torch.randperm(len(ids))[:64]
        h = model.states(ids[some])
        loss = F.binary_cross_entropy(model.answer(h, model.weights(h)), y[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.requires_grad_(False)
    pooled[name] = model, model.states(ids_test), y_test

# %% [markdown]
r"""
*Predict before you run:* in which of the two does a random permutation of the weights change more
answers? (The Jensen-Shannon divergence says how far the adversarial weights are from the model's
own. It is 0 for equal weights, and $\log 2 = 0.69$ where no word has weight in both.)
"""

# %%
def adversarial(model, h, weights, steps=100):
    """Weights as far as possible from these (Jensen-Shannon), with the same answers (to 0.01)."""
    z = weights.log().clone() + 0.1 * torch.randn_like(weights)
    z.requires_grad_()
    optimizer, target = torch.optim.Adam([z], 0.1), model.answer(h, weights)
    for _ in range(3 if SMOKE else steps):
        other = z.softmax(-1)
        moved = (model.answer(h, other) - target).abs()
        loss = (100 * (moved - 0.005).clamp(min=0) - far(other, weights)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return z.softmax(-1).detach()


def far(a, b):
    """Jensen-Shannon divergence of each row, in nats: 0 to log 2 = 0.69."""
    middle = ((a + b) / 2).log()
    return (torch.special.entr(a).neg().sum(-1) + torch.special.entr(b).neg().sum(-1)) / 2 - (
        (a + b) / 2 * middle).sum(-1)


# %%
for name, (model, h, y) in pooled.items():
    weights = model.weights(h)
    p, orders = model.answer(h, weights), torch.rand(20, *weights.shape).argsort(-1)
    mixed = torch.stack([model.answer(h, weights.gather(1, order)) for order in orders])
    even = model.answer(h, torch.full_like(weights, 1 / weights.shape[1]))
    other = adversarial(model, h, weights)
    same = ((mixed > 0.5) == (p > 0.5)).float().mean()
    moved = (model.answer(h, other) - p).abs()
    far_off = far(other, weights)[moved < 0.01]
    print(f"{name}: {((p > 0.5) == (y > 0.5)).float().mean():.0%} right; permuted, {same:.0%} of "
          f"the answers stay; all weights equal, {((even > 0.5) == (p > 0.5)).float().mean():.0%}")
    print(f"    adversarial weights for {(moved < 0.01).float().mean():.0%} of the texts: "
          f"distance {far_off.median() if len(far_off) else float('nan'):.2f} of at most 0.69")

# %% [markdown]
r"""
In context nearly all answers stay, whatever the weights: each state has read the whole review and
knows its side, so it does not matter which of them is read. On bare words the weights have work to
do. In both cases there are other weights that give the same answer, and in context they can be very
different ones.

"Attention is not *not* explanation", answered Wiegreffe & Pinter (2019): weights that an optimiser
finds for one text are not weights that a trained model would produce, and where a task *needs*
attention, breaking it breaks the answer. Section 6 was such a task. One rule follows from both
papers: test whether the answer depends on the weights before you read them.

The third test: does attention order the words as other measures do? The **gradient times the
input** says how the answer would move if a word's vector grew a little; **erasure** takes the word
out and looks. The numbers are rank correlations, from -1 to 1.
"""

# %%
for name, (model, h, _) in pooled.items():
    weights, x = model.weights(h), h.clone().requires_grad_()
    p = model.answer(x, model.weights(x))
    slope = (torch.autograd.grad(p.sum(), x)[0] * h).sum(-1)
    erased = []
    for word in range(h.shape[1]):
        without = weights.clone()
        without[:, word] = 0
        erased.append(p.detach() - model.answer(h, without / without.sum(-1, keepdim=True)))
    measures = {"attention": weights, "gradient": slope.abs(), "erasure": torch.stack(erased, 1).abs()}
    agreement = mb.probe.rank_agreement({key: list(rows) for key, rows in measures.items()})
    print(f"{name}: " + "; ".join(f"{a} with {b} {r:+.2f}" for (a, b), r in agreement.items()))

# %% [markdown]
r"""
Here the three agree well, unlike in Jain & Wallace's experiments. That is no proof either: the
weight $\alpha_i$ is a factor of all three, and where one weight is near 1 they must agree on it.
Only permuting showed whether the answer depends on the weights.

## 8. Patch a state, and watch an answer travel

What does a whole model use? Here GPT of the world has read two beginnings that differ in one word:

> *In the church the king talked with a weaver about ...* and *In the church the queen talked with a
> weaver about ...*

Next comes *his* or *her*. The score of an answer is one number: the logit of *his* minus that of
*her*.
"""

# %%
gpt = mb.GPT.from_pretrained("minibert-gpt").eval()
his, her = (gpt.tokenizer.encode(word)[0] for word in (" his", " her"))


def read_ids(text):
    return torch.tensor([gpt.tokenizer.encode(text)])


def score(output):
    """The logit of *his* minus that of *her*, after the last token."""
    logits = gpt.logits(output.last_hidden_state[0, -1])
    return float(logits[his] - logits[her])


TEXT = "In the {} the {} talked with a {} about"
SCENES = [("church", "weaver"), ("school", "baker"), ("library", "doctor"), ("mill", "tailor")]
PAIRS = [[TEXT.format(place, person, trade) for person in ("king", "queen")]
         for place, trade in SCENES]
with torch.no_grad():
    for text in (text for pair in PAIRS for text in pair):
        output = gpt(read_ids(text))
        p = gpt.logits(output.last_hidden_state[0, -1]).softmax(-1)
        print(f"{text:52} his {p[his]:4.0%}, her {p[her]:4.0%}; score {score(output):+.2f}")

# %% [markdown]
r"""
The model is nearly certain each time, although the other person, the weaver or the baker, stands
nearer to the gap. So the answer depends on that one word, five tokens back.

But *where* is the answer inside? It begins in the vector of *king*, and must arrive at the last
token, where the next word is predicted. **Activation patching** follows it on its way. Run the
model on the *clean* text and keep all states. Run it on the *corrupted* text, but put *one* clean
state in: one layer, one position. If the clean answer comes back, that state carries it.

$$
\text{share that comes back} =
\frac{s_{\text{patched}} - s_{\text{corrupted}}}{s_{\text{clean}} - s_{\text{corrupted}}}
$$

It is 0 where the state changes nothing and 1 where it alone brings the whole answer back. It can
also be negative, or larger than 1.

{{exercise 08.patch}}

Build `patch_map(model, parts, clean, corrupted, score)`. `parts` lists the modules whose outputs
are the states: the embeddings, then each block. `clean` and `corrupted` are ids `(1, length)`, and
`score(model(ids))` is a number. Give a tensor `(parts, length)` with the share that comes back for
each state. A block's output may be a tuple whose first item is the state: `state_of(output)` gives
the state, `(1, length, dim)`, and `with_state(output, state)` the same output with another state in
it. Leave no hook behind, not even if `score` raises an error.
"""

# %%
def patch_map(model, parts, clean, corrupted, score):
    """How much of the clean answer each single state brings back: (parts, length)."""
    found = torch.zeros(len(parts), clean.shape[1])
    ### BEGIN SOLUTION
    def run(ids, part=model, hook=lambda *given: None):
        handle = part.register_forward_hook(hook)
        try:
            with torch.no_grad():
                return score(model(ids))
        finally:
            handle.remove()

    best, worst = run(clean), run(corrupted)
    for row, part in enumerate(parts):
        kept = []
        run(clean, part, lambda *given, kept=kept: kept.append(state_of(given[2]).clone()))
        for at in range(clean.shape[1]):
            def put(module, given, output, at=at, kept=kept):
                state = state_of(output).clone()
                state[:, at] = kept[0][:, at]
                return with_state(output, state)
            found[row, at] = (run(corrupted, part, put) - worst) / (best - worst)
    ### END SOLUTION
    return found


# %%
mb.course.check("08.patch", patch_map)

# %%
patch_map = mb.course.use("08.patch", patch_map)
parts = [gpt.embeddings, *gpt.stack.blocks]
maps = [patch_map(gpt, parts, *map(read_ids, pair), score) for pair in PAIRS]
mean = torch.stack(maps).mean(0)
rows = ["embeddings", *(f"block {n}" for n in range(1, len(parts)))]
columns = "In the church/... the king/queen talked with a weaver/... about".split()
mb.show.figure(mb.show.heatmap(mean, rows, columns, title="Where the answer is, mean of four pairs",
                               xlabel="position", ylabel="state after", unit="share that comes back",
                               diverging=True))

# %% [markdown]
r"""
Read it from top to bottom. The first row must have its 1 at the word itself, the only one that
differs, and the last row must have it at the last position, the only one that is read. The
question is how the answer gets from one to the other. It does not walk from word to word: the
words in between carry little (the most is at *talked*). Attention takes it straight from the word
to the last position, a part of it in block 1 and the rest in later blocks. All positions before
the word stay at 0: they are the same in both texts, and in a model that reads from the left
nothing later can reach them. They are the built-in control.

In between no single state brings the whole answer back, since each patch leaves the other state as
it was. What do the two bring back together? And what if the texts change places, the *queen* clean
and the *king* corrupted?
"""

# %%
def share_of(pair, layer, places):
    """Share that comes back with the clean states of these places put in after one block."""
    clean, corrupted = map(read_ids, pair)
    with torch.no_grad():
        output = gpt(clean)
        best, worst, states = score(output), score(gpt(corrupted)), output.hidden_states[layer]
        with mb.probe.changed(gpt, layer, tokens=places, value=states[:, places]):
            return (score(gpt(corrupted)) - worst) / (best - worst)


word, end = 4, len(columns) - 1  # king/queen, about
for name, turned in (("king clean", PAIRS), ("queen clean", [pair[::-1] for pair in PAIRS])):
    means = [sum(share_of(pair, 1, places) for pair in turned) / len(turned)
             for places in ([word], [end], [word, end])]
    print(f"{name}, after block 1: the word {means[0]:.2f}, the last position {means[1]:.2f}, "
          f"both {means[2]:.2f}")

# %% [markdown]
r"""
After block 1 both the word and the last position carry part of it: each alone brings back less than
half, together they bring back nearly all. Do not read these shares as amounts. Exchange the clean
and the corrupted text, and each of them is much larger, so that they add up to more than 1. *Where*
the answer is stays the same.

The library's function, `mb.probe.patched`, does the same for all its models. Its last state is
taken behind GPT's last norm, so the last row is left out here.
"""

# %% tags=["nbval-check-output"]
clean, corrupted = map(read_ids, PAIRS[0])
with torch.no_grad():
    ends = [score(gpt(ids)) for ids in (clean, corrupted)]
    library = mb.probe.patched(gpt, {"input_ids": clean}, {"input_ids": corrupted},
                               lambda: score(gpt(corrupted)))
shares = (library - ends[1]) / (ends[0] - ends[1])
assert torch.allclose(shares[:-1], maps[0][:-1], atol=1e-3)
print("the library's map is the same")

# %% [markdown]
r"""
## 9. Touch it: inside a model

The last widget shows a whole model on a text of your own: tokens, what each head and each
feed-forward part adds, and the prediction. Switch a head, a layer or a position off, or set it to
what the other text has there: the widget puts states of the *other* text into this one. A whole
layer from the other text moves the bars as much as the whole other text, of course. Which single
*position* does, and in which layer? (There are two. The map above says where to look.)
"""

# %%
mb.show.inside(gpt, PAIRS[0][0], other=PAIRS[0][1])

# %% [markdown]
r"""
The two are *king* in the embeddings and *about* after the last layer: the first must hold all of
the difference, and the last is all that is read. `.save("inside.html")` writes the widget as a page
that needs neither Python nor a network.

## 10. How much of this is luck?

The experiments ran over {{finding 08 unit.best seeds}} seeds (settings in
`chapters/findings/08.py`). Each line is a claim with its **paired difference**: the two measures
are subtracted within each seed, and the differences averaged. (Five seeds that differ much give a
wide interval, which may even reach beyond 100 points.) The first table is about senses and
sentiment.

{{findings 08
| the sense of a word: BERT's best layer beats word2vec | senses.bert - senses.word2vec | percent | none: our own measure |
| BERT's best layer beats counting the words nearby | senses.bert - senses.nearby | percent | none |
| BERT's best layer beats the mean vector of the words nearby | senses.bert - senses.bag | percent | none |
| one unit of the reader tells the side better than always the same answer | unit.best - unit.majority | percent | none |
| counted words, with labels, tell it better than one unit | unit.words - unit.best | percent | none |
| the best unit tells it better than one from the middle | unit.best - unit.middle | percent | none |
| all units tell it better than the best one | unit.all - unit.best | percent | +0.6: 92.9 against 92.3 on IMDb (Radford et al. 2017) |
| set high, it writes more that is judged positive than set low | unit.high - unit.low | percent | shown by examples |
| the second unit does so, too | unit.second_high - unit.second_low | percent | none |
| a unit from the middle does so, too | unit.other_high - unit.other_low | percent | none |
| of the first eight, the unit that moves most (chosen by another draw) does so | unit.top_high - unit.top_low | percent | none |
| set to praise after three bad sentences, the unit that moves most makes what follows more positive | unit.begun_high - unit.begun_free | percent | none |
| a larger model of natural reviews: its best unit tells the side of a sentence better than chance | natural.best - natural.chance | percent | none |
| counted words tell the side of the same sentences better than that unit | natural.words - natural.best | percent | none |
}}

The order by $d$ does not tell which unit does the work: in some seeds it is the first, in others
the second. In one no unit clearly moves the texts. There the best unit, and all 64 together, also
tell the side least well; we have not measured why. (These readers had 900 steps and texts from
150,000 tokens; the one above had 1,200 and 200,000.)

The second table is about attention.

{{findings 08
| objects: BERT's best head beats the best fixed offset | heads.obj - heads.obj_offset | percent | 86.8 against 40.0 (Clark et al. 2019) |
| determiners: the best head beats the best fixed offset | heads.det - heads.det_offset | percent | 94.3 against 51.7 |
| prepositions (*case*): the best head beats the best fixed offset | heads.case - heads.case_offset | percent | none of that name |
| second parts of an *and* (*conj*): the best head beats the best fixed offset | heads.conj - heads.conj_offset | percent | none of that name |
| phrases with a preposition (*obl*): the best head beats the best fixed offset | heads.obl - heads.obl_offset | percent | none of that name |
| all relations: the best head beats the best fixed offset | heads.all - heads.all_offset | percent | 34.5 against 26.3 |
| words in context: permuted attention leaves more than 90 % of the answers | attention.context_permuted - 0.9 | percent | often the same (Jain & Wallace 2019) |
| permuting changes more on bare word vectors | attention.context_permuted - attention.bare_permuted | percent | none |
}}

"""
# %% [markdown]
r"""
## 11. The real thing (optional)

Real English, and published weights. First Clark's question for **MiniLM** (a BERT of 6 layers with
12 heads each, trained on a billion pairs of sentences) on the English Web Treebank, whose trees
people drew. `minibert data get all-minilm-l6-v2` fetches the weights; the treebank is the file
`en_ewt-ud-dev.conllu` of [Universal Dependencies](https://universaldependencies.org), packed by
`xz`, in the folder that the environment variable `MINIBERT_DATA` names. The heads are again chosen
on one half and judged on the other.
"""

# %%
treebank = Path(os.environ.get("MINIBERT_DATA", "."), "en_ewt-ud-dev.conllu.xz")
try:
    minilm = mb.BERT.from_pretrained("all-minilm-l6-v2").eval()
    trees = [one for one in universal(Source(treebank)) if 5 <= len(one.tokens) <= 30]
except FileNotFoundError:
    print("MiniLM or the treebank is not here. The chapter goes on without them.")
else:
    halves = []
    count = 20 if SMOKE else 120
    for half in (trees[:count], trees[count : 2 * count]):
        looks = mb.probe.word_attention(minilm, [list(one.tokens) for one in half])
        named = [[r.split(":")[0] for r in one.info["relations"]] for one in half]
        halves.append(mb.probe.head_arcs(looks, [one.info["heads"] for one in half], named))
    first, second = halves
    for name in [name for name in first if name in second and name != "punct"][:12]:
        layer, head, _ = first[name].best
        told = second[name]
        print(f"{name:9} {told.count:4} arcs: head {layer}.{head:<2} {told.scores[layer - 1, head]:.2f}; "
              f"offset {told.offset:+}, {told.baseline:.2f}")

# %% [markdown]
r"""
Here heads follow objects, prepositions (*case*) and auxiliaries well beyond any fixed place. That
holds although the offset was chosen on the very sentences of the test, which favours it. MiniLM has
72 heads to choose from; the world's BERT has 16, and simpler sentences.

Then **GloVe** (Pennington et al. 2014). Word vectors became famous for *king - man + woman =
queen* (Mikolov et al. 2013). Do the arrows from man to woman words really point the same way? The
picture shows a few; the number compares the cosine between two such arrows with that between
arrows that join random words of the same lists, shuffled two hundred times.
"""

# %%
MEN = "man king uncle brother father son actor prince husband nephew".split()
WOMEN = "woman queen aunt sister mother daughter actress princess wife niece".split()
try:
    minilm = looks = None  # room for 400,000 vectors
    glove = mb.Word2Vec.from_pretrained("glove-6b-50d")
except FileNotFoundError:
    print("GloVe is not here: `minibert data get glove-6b-50d` fetches it. The chapter goes on.")
else:
    def glove_of(some):
        return glove.input.weight.detach()[[glove.vocab[word] for word in some]]

    figure = mb.show.scatter_words(mb.show.pca(glove_of(MEN + WOMEN)), MEN + WOMEN,
                                   {"men": MEN, "women": WOMEN}, title="GloVe, by PCA",
                                   arrows=list(zip(MEN[:6], WOMEN[:6], strict=True)))
    mb.show.figure(figure)
    rng, off_diagonal = random.Random(0), ~torch.eye(len(MEN), dtype=torch.bool)
    cosines = []  # the mean cosine of two arrows: of the right pairs, then of shuffled ones
    for women in (WOMEN, *(rng.sample(WOMEN, len(WOMEN)) for _ in range(200))):
        arrows = F.normalize(glove_of(women) - glove_of(MEN), dim=1)
        cosines.append((arrows @ arrows.T)[off_diagonal].mean().item())
    right, *shuffled = cosines
    print(f"right pairs {right:+.2f}; 200 shuffles: mean {sum(shuffled) / len(shuffled):+.2f}, "
          f"largest {max(shuffled):+.2f}")

# %% [markdown]
r"""
Even shuffled pairs point roughly the same way, since each arrow leads from a man to a woman. That
is the baseline, not 0. The right pairs agree clearly better than the best of the shuffles.

## 12. Summary

- A map is a projection. PCA keeps the widest directions; t-SNE keeps neighbours and nothing else,
  and depends on its settings. Put a number from the full space beside it, and the same map of
  noise.
- The vectors of contextual models separate the senses of a word; a static vector cannot.
- A single unit can tell whether a text praises or blames, if that is worth carrying along. Others
  may tell it as well and do less when they are set. Setting a unit by hand, in the state that the
  model goes on from, shows whether the model uses it. Not every model has one.
- A head that follows a relation must be compared with a fixed offset, and must be chosen on other
  sentences than those on which it is judged.
- Attention weights explain an answer only where the answer depends on them. Permute them first.
- Looking finds candidates. Cutting, setting and patching tests them. A hook must come off again,
  and a head is cut *before* its output is mixed.

{{quiz 08.q1}}

{{quiz 08.q2}}

{{quiz 08.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**A project.** Choose another property that a reader of reviews may carry: whether it is about an
inn or a restaurant, or the tense. Find the unit that tells it best, over five seeds, and set it by
hand. A good report judges what is written by something that has not seen the unit (3 points), sets
other units in the same way (2), gives a cheap baseline for telling the property (2), and says in
how many seeds a single unit was enough (3).

**Further reading.** van der Maaten & Hinton (2008), *Visualizing Data using t-SNE*, JMLR 9.
Wattenberg, Viégas & Johnson (2016), [*How to Use t-SNE
Effectively*](https://distill.pub/2016/misread-tsne/), Distill. Radford, Józefowicz & Sutskever
(2017), [arXiv:1704.01444](https://arxiv.org/abs/1704.01444). Karpathy, Johnson & Fei-Fei (2016),
[arXiv:1506.02078](https://arxiv.org/abs/1506.02078). Bahdanau, Cho & Bengio (2015),
[arXiv:1409.0473](https://arxiv.org/abs/1409.0473). Clark et al. (2019),
[arXiv:1906.04341](https://arxiv.org/abs/1906.04341). Jain & Wallace (2019),
[arXiv:1902.10186](https://arxiv.org/abs/1902.10186), and the answer by Wiegreffe & Pinter (2019),
[arXiv:1908.04626](https://arxiv.org/abs/1908.04626). Li, Monroe & Jurafsky (2016), *Understanding
Neural Networks through Representation Erasure*,
[arXiv:1612.08220](https://arxiv.org/abs/1612.08220). Vig et al. (2020),
[arXiv:2004.12265](https://arxiv.org/abs/2004.12265); Meng et al. (2022),
[arXiv:2202.05262](https://arxiv.org/abs/2202.05262): patching.
"""
