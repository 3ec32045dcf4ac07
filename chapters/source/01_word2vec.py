# ---
# jupyter:
#   minibert:
#     title: word2vec
#     question: What can be learned about a word from the company it keeps?
#     minutes: 90
#     seconds: 120
#     memory_mb: 1300
#     needs: ["chapter 00 (tensors, cross-entropy, the embedded world)", "a matrix product"]
#     skip: "what is marked optional: sections 13 to 17, frozen or tuned in section 9, and the exercises 01.subsample, 01.ppmi, 01.text_vector and 01.homographs (together about 55 minutes)"
#     papers:
#       - "Mikolov et al. (2013a), Efficient Estimation of Word Representations, arXiv:1301.3781"
#       - "Mikolov et al. (2013b), Distributed Representations of Words and Phrases, arXiv:1310.4546"
# ---

# %% [markdown]
r"""
# 01 · word2vec: what can be learned about a word from the company it keeps?

{{head}}

Imagine a book in a language that you do not know. You cannot look a word up; you can only see
which words stand near which. Could you find out which words are animals, and which are trades?
This chapter builds a model that can. It reads plain text, and it turns every word into a short
list of numbers, its **vector**.

> You shall know a word by the company it keeps. (J. R. Firth, 1957)

Afterwards you will be able to train such vectors with code of your own, to say what they know and
what they do not know, and to compare them with the cheapest method that could do the same.
"""

# %%
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. The answer first

Here are finished vectors: `minibert-word2vec` has read a few million words of our small world, and
nobody told it anything about them. We now tell it **one** word of each of twelve kinds: *cow* is a
farm animal, *oak* is a tree, and so on. Every other word goes to the kind whose example is
nearest.

*Predict before you run:* a blind guess is right once in twelve times. How often is this sorting
right?
"""

# %%
one_of_each = {"farm_animal": "cow", "bird": "robin", "tree": "oak", "weekday": "monday",
               "month": "april", "colour": "red", "trade": "baker", "kin": "mother",
               "clothing": "coat", "furniture": "chair", "woman_name": "ada", "town_name": "ilsey"}
lexicon = mb.world.world(0).lexicon  # the world's own lists: only to see who was right
ready = mb.Word2Vec.from_pretrained("minibert-word2vec")
unit = F.normalize(ready.vectors, dim=1)  # (V, dim), rows of length 1: a product is a cosine
examples = unit[[ready.vocab[word] for word in one_of_each.values()]]  # (12, dim)

right, total, most, mistakes = 0, 0, 0, []
for number, (kind, example) in enumerate(one_of_each.items()):
    words = {word.name.lower() for word in lexicon[kind]} - {example}
    words = sorted(word for word in words if word in ready.vocab)
    nearest = (unit[[ready.vocab[word] for word in words]] @ examples.T).argmax(1)  # (words,)
    right, total = right + (nearest == number).sum().item(), total + len(words)
    most = max(most, len(words))
    names = [list(one_of_each)[i] for i in nearest]
    told = zip(words, names, strict=True)
    mistakes += [f"{word} ({name})" for word, name in told if name != kind]
print(f"{right} of {total} words went to their own kind: {right / total:.0%}")
print(f"chance {1 / 12:.0%}; always the kind with the most words {most / total:.0%}")
print("some that did not:", ", ".join(mistakes[::6]))

# %% [markdown]
r"""
So the answer to the title is: a great deal. One example of a kind is enough to find most of the
rest. About half of the mistakes are names of women, and some of the others are no real mistakes: a
*turkey* is a bird as well. The rest of the chapter builds this from nothing, and then asks three
harder questions. Would something cheaper do the same? What are the vectors good for? And what
can company not teach?

## 2. From a number in a list to a vector

To a computer a word is a number in a list. Written as a vector, that number is a **one-hot**
vector: as long as the vocabulary, with a single one among zeros. Any two one-hot vectors are
equally far apart. They say that *cat* is no closer to *dog* than to *Tuesday*. We want short,
dense vectors in which nearness means something. Our text is the embedded world that you met in
chapter 00.
"""

# %%
corpus = mb.world.generate(tokens=30_000 if SMOKE else 600_000, seed=0)
sentences = [[token.lower() for token in sentence] for sentence in corpus.sentences()]
vocab = mb.text.Vocab.train(sentences, min_count=1 if SMOKE else 5)
counts = torch.tensor(vocab.counts)  # (V,)
counts[:2] = 0  # 0: <pad>, 1: <unk>, which are not words
print(corpus)
print(len(vocab), "words; the most frequent:", " ".join(vocab.tokens[2:14]))
print({word: vocab[word] for word in ("cat", "dog", "tuesday")})

# %% [markdown]
r"""
The picture shows how often each word occurs, from the most frequent word to the rarest. It is
Zipf's law again: a few words occur very often, and most words seldom. Two of the tricks below
exist because of it.
"""

# %%
mb.show.figure(mb.show.zipf(dict(zip(vocab.tokens[2:], vocab.counts[2:].tolist(), strict=True))))

# %% [markdown]
r"""
## 3. The company of a word

We slide a window over each sentence. The word in the middle is the **centre**; the words up to
`window` positions to its left and right are its **context**. The skip-gram model (Mikolov et al.
2013a) turns reading into a guessing game: *given the centre, guess a context word*. The diagram
shows one position of the window, and what happens to one of its pairs.
"""

# %%
fig, ax = mb.show.new("Skip-gram: one centre, window 2", size=(7.6, 3.4))
ax.set_axis_off()
box = {"boxstyle": "round,pad=0.35", "edgecolor": "#5f5f5f"}
colours = {"centre": "#9fd0f0", "context": "#f6d9a0", "": "white"}
for x, word in enumerate("the old cat sat near the river".split()):
    role = "centre" if x == 3 else "context" if 1 <= x <= 5 else ""
    ax.text(x, 2, word, ha="center", va="center", bbox={**box, "facecolor": colours[role]})
    ax.text(x, 1.62, role, ha="center", va="center", fontsize=9)
    if role == "context":
        ax.annotate("", (x, 2.2), (3, 2.2), arrowprops={
            "arrowstyle": "->", "connectionstyle": f"arc3,rad={0.45 if x < 3 else -0.45}"})
steps = [(0.1, "sat\n(centre)"), (1.6, "row of table v\n$v_c$"),
         (3.2, "$u_o^\\top v_c$\none number"), (4.8, "row of table u\n$u_o$"),
         (6.3, "near\n(context)")]
for x, text in steps:
    ax.text(x, 0.7, text, ha="center", va="center", fontsize=10,
            bbox={**box, "facecolor": "#eeeeee"})
for start, end in ((0.5, 1.0), (2.2, 2.6), (4.2, 3.8), (5.8, 5.4)):
    ax.annotate("", (end, 0.7), (start, 0.7), arrowprops={"arrowstyle": "->"})
ax.set(xlim=(-0.6, 6.7), ylim=(0.2, 2.9))
mb.show.figure(fig, alt="The centre 'sat' with arrows to two context words on each side; below, "
               "the centre's row of table v and the context's row of table u meet in one product.")

# %% [markdown]
r"""
{{exercise 01.pairs}}

Write `pairs(tokens, window)`. It returns a list of `(centre, context)` tuples: every token with
each of its neighbours. A token may occur twice in a sentence, so work with positions.
"""

# %%
def pairs(tokens, window):
    """All (centre, context) pairs at most `window` positions apart."""
    result = []
    ### BEGIN SOLUTION
    for i, centre in enumerate(tokens):
        for j in range(max(0, i - window), min(len(tokens), i + window + 1)):
            if j != i:
                result.append((centre, tokens[j]))
    ### END SOLUTION
    return result


# %%
mb.course.check("01.pairs", pairs)

# %%
pairs = mb.course.use("01.pairs", pairs)

# %% [markdown]
r"""
From here on, every exercise ends with such a line. If your function passes its check, the cells
below run **your** function. If it does not, they run the library's version, so that you can read
on. D2L, the textbook, has a function for the same purpose. With a window of 1 both must agree.
"""

# %% tags=["nbval-check-output"]
words = "the old cat sat near the river".split()
theirs = mb.course.d2l().get_centers_and_contexts([words], max_window_size=1)
theirs = [(centre, word) for centre, around in zip(*theirs, strict=True) for word in around]
assert sorted(theirs) == sorted(pairs(words, 1))
print("D2L agrees:", len(theirs), "pairs")

# %% [markdown]
r"""
## 4. From guessing to vectors

Every word gets **two** vectors of `dim` numbers: $v_c$ for its work as the centre, $u_o$ for its
work as the context that has to be guessed. Their product is the score of the pair, and a softmax
over all $V$ words turns scores into probabilities (Mikolov et al. 2013b, eq. 2):

$$
p(o \mid c) = \frac{\exp(u_o^\top v_c)}{\sum_{w=1}^{V} \exp(u_w^\top v_c)}
$$

Training makes the observed pairs probable: it lowers $-\log p(o \mid c)$, averaged over all pairs.
Two words with the same neighbours must give the same guesses, and equal vectors give equal
guesses. That is why *monday* and *tuesday* end up close together, although they seldom occur in
one sentence.

*Predict before you run:* with all vectors zero, what is the loss, in terms of $V$?
"""

# %%
V, dim = len(vocab), 8
centre_table, context_table = torch.zeros(V, dim), torch.zeros(V, dim)  # v and u, one row per word
centre, context = vocab["good"], vocab["story"]
scores = context_table @ centre_table[centre]  # (V, dim) @ (dim,) -> (V,)
loss = -torch.log_softmax(scores, dim=0)[context]
assert math.isclose(loss, math.log(V), rel_tol=1e-4)
print(f"loss {loss:.4f}   log V {math.log(V):.4f}")

# %% [markdown]
r"""
All scores are zero, so every word is equally probable: $-\log \frac1V = \log V$. Below, the
library computes the same sum on a batch with random vectors, and we compare it with the formula.
"""

# %%
model = mb.Word2Vec(mb.Word2VecConfig(vocab_size=V, dim=dim, loss="full"), vocab)
nn.init.normal_(model.output.weight)
batch = {
    "input_ids": torch.tensor([[3], [4], [5]]),  # (batch, 1): the centres
    "attention_mask": torch.ones(3, 1, dtype=torch.long),
    "targets": torch.tensor([7, 8, 9]),  # (batch,): a context word of each
}
v = model.input.weight[batch["input_ids"][:, 0]]  # (batch, dim)
scores = v @ model.output.weight.T  # (batch, dim) @ (dim, V) -> (batch, V)
by_hand = F.cross_entropy(scores, batch["targets"], reduction="sum")
total, pairs_seen = model.loss(batch)
assert torch.allclose(by_hand, total, rtol=1e-4)
print(f"by hand {by_hand:.5f}   library {total:.5f}   pairs {pairs_seen}")

# %% [markdown]
r"""
## 5. A cheaper game: negative sampling

The sum in the denominator runs over the whole vocabulary, for every pair. With a million words,
one pair costs a million products of two vectors. Mikolov et al. (2013b) therefore play an easier
game. They do not ask *which word is it?* but *is this pair real or made up?* For each real pair
they draw $k$ **noise words** $w_1 \dots w_k$. One sigmoid per word tells the real pair and the
noise apart (eq. 4):

$$
\ell = -\log \sigma(u_o^\top v_c) \;-\; \sum_{i=1}^{k} \log \sigma(-u_{w_i}^\top v_c)
\qquad \sigma(x) = \frac{1}{1 + e^{-x}}
$$

The first term pulls the true pair together, and the others push the noise away.

{{exercise 01.sgns_loss}}

Write the loss of a batch: centres `(batch, dim)`, their contexts `(batch, dim)`, and `k` noise
words for each pair, `(batch, k, dim)`. Sum over the noise words of a pair, then take the mean over
pairs.
"""

# %%
def sgns_loss(centre, context, negatives):
    """Mean negative-sampling loss of a batch of pairs: a scalar tensor, in nats per pair."""
    loss = None
    ### BEGIN SOLUTION
    positive = (centre * context).sum(-1)  # (batch,)
    negative = (negatives * centre[:, None]).sum(-1)  # (batch, k)
    loss = -F.logsigmoid(positive) - F.logsigmoid(-negative).sum(-1)  # (batch,)
    loss = loss.mean()
    ### END SOLUTION
    return loss


# %%
mb.course.check("01.sgns_loss", sgns_loss)

# %%
sgns_loss = mb.course.use("01.sgns_loss", sgns_loss)

# %% [markdown]
r"""
**Its gradient is short enough to read.** With $\sigma'(x) = \sigma(x)(1 - \sigma(x))$, the
gradient of one pair is

$$
\frac{\partial \ell}{\partial v_c}
  = \underbrace{(\sigma(u_o^\top v_c) - 1)}_{\text{how surprised by the true pair}} u_o
  + \sum_i \underbrace{\sigma(u_{w_i}^\top v_c)}_{\text{how fooled by noise } i} u_{w_i}
$$

A true pair that is already well known ($\sigma \approx 1$) adds almost nothing to the gradient,
and a surprising one adds a lot. The original program is a loop over this formula. We check the
formula against automatic differentiation (autograd).
"""

# %% tags=["nbval-check-output"]
v_c = torch.randn(1, 8, requires_grad=True)  # a batch of one pair
u_o, noise = torch.randn(1, 8), torch.randn(1, 5, 8)
sgns_loss(v_c, u_o, noise).backward()
surprised = torch.sigmoid(u_o[0] @ v_c[0]) - 1  # ()
fooled = torch.sigmoid(noise[0] @ v_c[0])  # (5,)
formula = surprised * u_o[0] + fooled @ noise[0]  # (8,)
assert torch.allclose(v_c.grad[0], formula, atol=1e-5)
print("formula and autograd agree to five decimal places")

# %% [markdown]
r"""
## 6. Two tricks with frequencies

**Which words serve as noise?** If noise is drawn uniformly, most noise words are so rare that the
model learns little by rejecting them. If it is drawn by frequency, most of it is *the*. The
authors found that the counts raised to the power of 3/4 beat both:

$$
P(w) = \frac{\text{count}(w)^{3/4}}{\sum_{w'} \text{count}(w')^{3/4}}
$$

{{exercise 01.noise}}

Write it for all words at once, for any `power`. Do not change `counts` itself: later cells need
it.
"""

# %%
def noise_distribution(counts, power=0.75):
    """Probability of each word as noise; ``counts`` and the answer have shape (V,)."""
    probabilities = None
    ### BEGIN SOLUTION
    weights = counts.float() ** power
    probabilities = weights / weights.sum()
    ### END SOLUTION
    return probabilities


# %%
mb.course.check("01.noise", noise_distribution)

# %%
noise_distribution = mb.course.use("01.noise", noise_distribution)

# %% [markdown]
r"""
**Which words are worth reading?** After a hundred thousand occurrences, *the* has nothing more to
say. An occurrence of a word with relative frequency $f(w)$ is **discarded** with probability $1 -
\sqrt{t / f(w)}$ (Mikolov et al. 2013b, eq. 5), before the windows are formed. So frequent words
become rarer, and the window reaches further. Words rarer than the threshold $t$ all stay. The
paper uses $t \approx 10^{-5}$; our text is short, and we use $10^{-3}$.

{{exercise 01.subsample}}

(Optional: if you leave it out, the library's version runs.) Return the probability of **keeping**
an occurrence, for each word.
"""

# %%
def keep_probability(share, t=1e-3):
    """Probability of keeping an occurrence; ``share`` is the relative frequency, shape (V,)."""
    keep = None
    ### BEGIN SOLUTION
    keep = (t / share).sqrt().clamp(max=1.0)
    ### END SOLUTION
    return keep


# %%
mb.course.check("01.subsample", keep_probability)

# %%
keep_probability = mb.course.use("01.subsample", keep_probability)

# %% [markdown]
r"""
The figure shows the thirty most frequent words: how often they occur, and how many of these
occurrences are kept. The most frequent words lose most of theirs.
"""

# %%
share = counts / counts.sum()  # (V,)
keep = keep_probability(share.clamp(min=1e-9))  # (V,)
top = slice(2, 32)
fig, ax = mb.show.new("The 30 most frequent words", "word", "occurrences (thousands)")
ax.bar(vocab.tokens[top], counts[top] / 1e3, label="in the text")
ax.bar(vocab.tokens[top], (counts * keep)[top] / 1e3, label="kept for training")
ax.tick_params(axis="x", rotation=90)
ax.legend()
mb.show.figure(fig, alt="Bars: the most frequent words lose most of their uses, rarer ones few.")

# %% [markdown]
r"""
## 7. Train it yourself

You now have all the parts. The next cell reads the whole text once: it thins out the frequent
words with your `keep_probability` and collects your `pairs`. Each word is written as its row
number in the vocabulary.
"""

# %%
generator = torch.Generator().manual_seed(0)


def thinned(ids):
    """The ids that are left after frequent words have been thinned out."""
    survives = torch.rand(len(ids), generator=generator) < keep[ids]
    return [word for word, stays in zip(ids, survives.tolist(), strict=True) if stays]


known = [[vocab[word] for word in sentence if word in vocab] for sentence in sentences]
training_pairs = torch.tensor([pair for ids in known for pair in pairs(thinned(ids), window=5)])
print(f"{len(training_pairs):,} pairs; the first three:")
print([tuple(vocab.tokens[i] for i in pair) for pair in training_pairs[:3].tolist()])

# %% [markdown]
r"""
{{exercise 01.train}}

This is the chapter's build: the whole training, about twenty lines in two functions. Write it in
three steps. The check looks at them in this order, so you can run it after each step.

1. **The tables.** Write `tables(words, dim)`. It makes two `nn.Embedding` with a row of `dim`
   numbers for each word: $v$ for the centres and $u$ for the contexts. Begin as the original
   program does, with $v$ uniform between $-0.5 / d$ and $0.5 / d$ (where $d$ is `dim`), and with
   $u$ at zero (`nn.init.uniform_`, `nn.init.zeros_`). In `train`, call it with `len(noise)` words,
   and set `vectors`.
2. **The loop.** One `torch.optim.Adam` with the rate `rate` trains both tables. In each epoch, go
   through all pairs in a new random order, `batch` pairs at a time (the last batch may be smaller).
   For each batch: look up the vectors, draw `k` noise words for each pair from `noise`
   (`torch.multinomial`, with replacement), compute your `sgns_loss`, and let the optimiser take one
   step. Append each loss to `losses`, as a plain number.
3. **The snapshots.** Section 11 shows how the words move while they learn. So `snapshots` is a list
   of pairs `(updates so far, table v at that moment)`. It begins with `(0, v)`, and after every
   `every` updates one more pair is appended. A snapshot must not change when training goes on.

Return `vectors`, `losses` and `snapshots`. `vectors` is the trained table $v$, `(V, dim)`, as a
plain tensor (without its graph).
"""

# %%
def tables(words, dim):
    """Two embeddings before the training: v for the centres, u for the contexts."""
    v, u = None, None
    ### BEGIN SOLUTION
    v = nn.Embedding(words, dim)
    u = nn.Embedding(words, dim)
    nn.init.uniform_(v.weight, -0.5 / dim, 0.5 / dim)
    nn.init.zeros_(u.weight)
    ### END SOLUTION
    return v, u


# %%
def train(pairs, noise, dim=64, k=5, *, epochs=3, batch=4096, rate=0.01, every=50):
    """Skip-gram on ``pairs`` (n, 2), noise drawn from ``noise`` (V,): vectors, losses, snapshots."""
    vectors, losses, snapshots = torch.zeros(len(noise), dim), [], []
    ### BEGIN SOLUTION
    v, u = tables(len(noise), dim)
    optimizer = torch.optim.Adam([v.weight, u.weight], lr=rate)
    snapshots.append((0, v.weight.detach().clone()))
    for _ in range(epochs):
        for rows in torch.randperm(len(pairs)).split(batch):
            centre, context = pairs[rows].T  # (batch,) each
            drawn = torch.multinomial(noise, len(rows) * k, replacement=True)
            negatives = drawn.view(-1, k)  # (batch, k)
            loss = sgns_loss(v(centre), u(context), u(negatives))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) % every == 0:
                table = v.weight.detach().clone()
                snapshots.append((len(losses), table))
    vectors = v.weight.detach()
    ### END SOLUTION
    return vectors, losses, snapshots


# %%
mb.course.check("01.train", train)

# %%
train = mb.course.use("01.train", train)

# %% [markdown]
r"""
*Predict before you run:* what is the first loss, when the context vectors are still zero and $k =
5$? And which words will be nearest to *puppy*, to *monday*, and to *was*?
"""

# %%
start = time.time()
epochs, every = (1, 5) if SMOKE else (3, 50)
noise = noise_distribution(counts)  # (V,)
vectors, losses, snapshots = train(training_pairs, noise, epochs=epochs, every=every)
print(f"{len(losses)} steps in {time.time() - start:.0f} s; the first loss was {losses[0]:.3f}")
assert math.isclose(losses[0], 6 * math.log(2), rel_tol=1e-4)
print(f"6 log 2 = {6 * math.log(2):.3f}")

# %%
fig, ax = mb.show.new("Learning to tell neighbours from noise", "step", "loss (nats per pair)")
ax.plot(losses, alpha=0.35, label="each batch")
smooth = torch.tensor(losses).unfold(0, 20, 1).mean(1) if len(losses) > 20 else torch.tensor(losses)
ax.plot(range(len(losses) - len(smooth), len(losses)), smooth, label="mean of 20 batches")
ax.legend()
mb.show.figure(fig, alt=f"The loss falls from {losses[0]:.2f} to {smooth[-1]:.2f} nats per pair.")

# %% [markdown]
r"""
The first loss is $6 \log 2$: six yes-or-no questions, each answered with probability one half.

{{exercise 01.neighbours}}

Write the search for the nearest words: the row numbers of the `k` rows with the largest **cosine**
to row `query`, best first, without `query` itself.
"""

# %%
def neighbours(vectors, query, k=6):
    """The k rows of ``vectors`` (V, dim) nearest to row ``query``: a list of row numbers."""
    best = None
    ### BEGIN SOLUTION
    unit = F.normalize(vectors, dim=1)  # (V, dim)
    cosines = unit @ unit[query]  # (V,)
    cosines[query] = -torch.inf
    best = cosines.topk(k).indices.tolist()
    ### END SOLUTION
    return best


# %%
mb.course.check("01.neighbours", neighbours)

# %%
neighbours = mb.course.use("01.neighbours", neighbours)

# %%
for word in ["puppy", "monday", "baker", "wonderful", "was"]:
    if word in vocab:
        near = [vocab.tokens[i] for i in neighbours(vectors, vocab[word])]
        print(f"{word:>9}: {', '.join(near)}")

# %% [markdown]
r"""
Nobody told the model what a day is, or a trade. Your own code found it out from the words around
them. Two things deserve a second look. The neighbours of *was* are not *is* and *were*, but words
that follow it: a window collects the words that stand **beside** a word as well as those that
could **replace** it. And *puppy* finds the young of other animals, not *dog*.

The library's version works in blocks, and neighbouring pairs share their noise words
(`minibert/models/word2vec/fast.py`; a test holds it equal to the formula). Compare its speed.
"""

# %%
library = mb.Word2Vec(mb.Word2VecConfig(vocab_size=V, dim=64, window=5, negatives=5), vocab)
epochs = 1 if SMOKE else 5
start = time.time()
mb.models.word2vec.learn(library, sentences, epochs=epochs, rate=0.1, seed=0, progress=False)
print(f"{epochs} epochs in {time.time() - start:.1f} s")

# %% [markdown]
r"""
## 8. What did it learn? One example of each kind

Now repeat section 1 with your own vectors, with more kinds, and beside cheaper methods. A claim
about vectors is worth little until something cheap has failed at the same task.

{{exercise 01.kinds}}

`examples` holds a list of row numbers for each kind, and `words` holds row numbers to be sorted.
The mean of the examples' unit vectors stands for a kind. Give each word the number of the kind
whose mean has the largest cosine with it.
"""

# %%
def nearest_kind(vectors, examples, words):
    """Number of the nearest kind for each of ``words``: a LongTensor (len(words),)."""
    kinds = None
    ### BEGIN SOLUTION
    unit = F.normalize(vectors, dim=1)  # (V, dim)
    means = torch.stack([unit[rows].mean(0) for rows in examples])  # (kinds, dim)
    cosines = unit[words] @ F.normalize(means, dim=1).T  # (words, kinds)
    kinds = cosines.argmax(1)
    ### END SOLUTION
    return kinds


# %%
mb.course.check("01.kinds", nearest_kind)

# %%
nearest_kind = mb.course.use("01.kinds", nearest_kind)

# %% [markdown]
r"""
**Three cheaper methods.** *Random* vectors know nothing: they show what chance is. *Spelling*
describes a word by its letters, in runs of one to three. *Counting* is the serious one: it uses
the same company, and it trains nothing. Let $X_{ij}$ say how often word $j$ stands near word $i$.
The positive pointwise mutual information (PPMI) says how much more often that is than chance would
have it:

$$
\text{PPMI}_{ij} = \max\Big(0,\; \log \frac{X_{ij} \, \sum_{ab} X_{ab}}
{\sum_b X_{ib} \; \sum_a X_{aj}}\Big)
$$

{{exercise 01.ppmi}}

(Optional: if you leave it out, the library's version runs.) Write it for the whole matrix. A pair
that never occurs, $X_{ij} = 0$, gets 0, and so does a word without any neighbours; no entry may be
infinite or NaN.
"""

# %%
def ppmi(X):
    """Positive pointwise mutual information of counts ``X`` (V, V): (V, V), nats."""
    information = None
    ### BEGIN SOLUTION
    information = torch.zeros_like(X)
    expected = X.sum(1, keepdim=True) * X.sum(0, keepdim=True) / X.sum()  # (V, V)
    seen = X > 0
    information[seen] = (X[seen] / expected[seen]).log().clamp(min=0)
    ### END SOLUTION
    return information


# %%
mb.course.check("01.ppmi", ppmi)

# %%
ppmi = mb.course.use("01.ppmi", ppmi)

# %%
from minibert.models.word2vec.glove import cooccurrences

X = cooccurrences(*vocab.encode_corpus(sentences), len(vocab))  # (V, V); at distance d: 1 / d
X[:2] = X[:, :2] = 0  # <pad> and <unk> are not words
print(f"{(X > 0).float().mean():.1%} of the {X.numel():,} counts are not zero")

runs = [
    [f"<{word}>"[i : i + n] for n in (1, 2, 3) for i in range(len(word) + 3 - n)]
    for word in vocab.tokens
]
column = {run: i for i, run in enumerate(dict.fromkeys(run for some in runs for run in some))}
letters = torch.zeros(V, len(column))  # (V, runs of letters)
for row, some in enumerate(runs):
    letters[row, [column[run] for run in some]] = 1.0
P = ppmi(X)
U, S, _ = torch.svd_lowrank(P, q=64, niter=8)  # the 64 directions in which P varies most
rivals = {"word2vec (yours)": vectors, "counting (PPMI)": P, "PPMI, 64 numbers": U * S,
          "spelling": letters, "random": torch.randn(V, 64)}
print({name: tuple(table.shape) for name, table in rivals.items()})

# %% [markdown]
r"""
*Predict before you run:* we ask for 27 kinds, with one example of each, and average over ten draws
of the examples. Besides the whole matrix there is a squeezed one, with 64 numbers for each word
(a singular value decomposition). Put the five methods in order.
"""

# %%
KINDS = ("farm_animal wild_animal bird tree landform material body clothing furniture building "
         "tool vehicle instrument dish fruit drink colour weekday month trade kin woman_name "
         "man_name last_name pet_name town_name country_name").split()
listed = {kind: {word.name.lower() for word in lexicon[kind]} for kind in KINDS}
every = [word for words in listed.values() for word in words]
members = [  # row numbers; a word of two kinds, such as the turkey, is left out
    sorted(vocab[w] for w in words if w in vocab and every.count(w) == 1)
    for words in listed.values()
]
members = [rows for rows in members if len(rows) > 3]


def share_right(table, examples=1, draws=10):
    """Share of words that go to their own kind, given so many examples of each."""
    draw = torch.Generator().manual_seed(0)
    shares = []
    for _ in range(draws):
        mixed = [torch.tensor(rows)[torch.randperm(len(rows), generator=draw)] for rows in members]
        kind = torch.cat([torch.full((len(rows) - examples,), i) for i, rows in enumerate(mixed)])
        told = nearest_kind(table, [rows[:examples] for rows in mixed],
                            torch.cat([rows[examples:] for rows in mixed]))
        shares.append((torch.as_tensor(told) == kind).float().mean().item())
    return sum(shares) / draws


# %%
one_example = {name: share_right(table) for name, table in rivals.items()}
title = f"{len(members)} kinds of words, one example of each"
mb.show.figure(mb.show.bars(one_example, title, "share right"))
print({name: f"{share:.0%}" for name, share in one_example.items()})

# %% [markdown]
r"""
Chance is about 4 %, and spelling is right twice as often. Company says much more: from one
example, word2vec sorts two words in five correctly. (Section 1 did better because it had fewer
kinds, and vectors that had read more text.) But **counting the same company is even better**
here. Section 16 repeats both over five seeds. So the knowledge comes from the company, and not
from the training: negative sampling squeezes a matrix much like PPMI into a few numbers per word
(Levy & Goldberg 2014). Can counting be as small? Yes: the same matrix squeezed into 64 numbers
does at least as well. But word2vec does without the matrix: it reads the text as a
stream and never stores $V \times V$ numbers. The next section uses its short vectors.

## 9. What are the vectors good for? A task with few labels

Transfer is the subject of this whole series, and here is its simplest form. Three sentences are
given. Which of nine kinds of text do they come from: a letter, the news, a match report, ...?
Labels are expensive, so we have only a few. A text becomes one vector, the mean of its words'
vectors, and a linear layer learns the rest.
"""

# %%
task = mb.world.task("topic", seed=0)
print(task)
for example in task.train[:2]:
    print(f"\n{example.label}: {example.text}")

# %% [markdown]
r"""
{{exercise 01.text_vector}}

(Optional: if you leave it out, the library's version runs.) Write the mean of the vectors of a
text's words. `ids` is a list of row numbers. Rows 0 and 1 belong to padding and unknown words:
leave them out. A text without any known word gets zeros.
"""

# %%
def text_vector(vectors, ids):
    """The mean vector of the known words of a text: (dim,)."""
    mean = None
    ### BEGIN SOLUTION
    known = [i for i in ids if i > 1]
    mean = vectors[known].mean(0) if known else torch.zeros(vectors.shape[1])
    ### END SOLUTION
    return mean


# %%
mb.course.check("01.text_vector", text_vector)

# %%
text_vector = mb.course.use("01.text_vector", text_vector)

# %% [markdown]
r"""
The competitor counts words: a text is a vector as long as the vocabulary, with a 1 for each word
in it. The same linear layer is trained on both. Random vectors show what the averaging alone can
do.

*Predict before you run:* who wins with 20 labels, and who wins with 1,000?
"""

# %%
def encoded(examples):
    """The row numbers of each text's words, and the number of its label."""
    ids = [vocab.encode(example.text.lower()) for example in examples]
    return ids, torch.tensor([task.labels.index(example.label) for example in examples])


def words_present(ids):
    """(V,): 1 for each known word that is in the text."""
    row = torch.zeros(V)
    row[[i for i in ids if i > 1]] = 1.0
    return row


def linear_accuracy(train_x, train_y, test_x, test_y):
    """Test accuracy of one linear layer, trained with some weight decay."""
    layer = nn.Linear(train_x.shape[1], len(task.labels))
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.03)
    for _ in range(5 if SMOKE else 150):
        loss = F.cross_entropy(layer(train_x), train_y) + 0.005 * layer.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (layer(test_x).argmax(1) == test_y).float().mean().item()


# %%
train_ids, train_labels = encoded(task.train)
test_ids, test_labels = encoded(task.test[: 100 if SMOKE else 1000])
unit = F.normalize(vectors, dim=1) * 8  # (V, dim): each number about as large as 1
chance = F.normalize(torch.randn(V, 64), dim=1) * 8
ways = {"mean of your vectors": lambda ids: text_vector(unit, ids), "counted words": words_present,
        "mean of random vectors": lambda ids: text_vector(chance, ids)}
budgets = [20, 50] if SMOKE else [20, 50, 100, 300, 1000]
fig, ax = mb.show.new("Which kind of text is it?", "labelled texts", "share right (test)")
for (name, way), marker in zip(ways.items(), ("o-", "s--", "^:"), strict=True):
    train_x, test_x = (torch.stack([way(ids) for ids in texts]) for texts in (train_ids, test_ids))
    curve = [linear_accuracy(train_x[:n], train_labels[:n], test_x, test_labels) for n in budgets]
    ax.plot(budgets, curve, marker, label=name)
    print(f"{name:>22}: " + "  ".join(f"{n}: {y:.0%}" for n, y in zip(budgets, curve, strict=True)))
one_answer = (test_labels.bincount().max() / len(test_labels)).item()
ax.axhline(one_answer, color="grey", linestyle="-.", label="always the same answer")
ax.set_xscale("log")
ax.set_xticks(budgets, [f"{n:,}" for n in budgets])
ax.minorticks_off()
ax.legend()
mb.show.figure(fig, alt="Share right by number of labels: your vectors lead with few labels, "
               "counted words catch up with many.")

# %% [markdown]
r"""
With few labels your vectors win clearly: the plain text that they have read replaces labels
that we do not have. A word that no labelled text contains is unknown to the counter, but its
vector lies near words that do occur there. With many labels this help is no longer needed, and
counting **overtakes** the mean of vectors, which no longer shows exactly which words were there.

**Not every task profits.** Does a reviewer like the thing? In section 16 counted words win that
comparison, with few labels and with many. A likely reason is that words of opposite verdict, such
as *excellent* and *horrible*, are used alike. The next cell says how near some of them are.
"""

# %%
for a, b in [("good", "bad"), ("excellent", "horrible"), ("happy", "sad")]:
    if a in vocab and b in vocab:
        order = [int(row) for row in neighbours(vectors, vocab[a], k=V - 1)]
        cosine = F.cosine_similarity(vectors[vocab[a]], vectors[vocab[b]], dim=0)
        rank = order.index(vocab[b]) + 1
        print(f"{b} is neighbour {rank} of {a}, out of {V - 1} (cosine {cosine:.2f})")

# %% [markdown]
r"""
**Frozen or tuned? (optional)** So far the vectors stayed as they were (*frozen*). They can also be
trained with the rest (*tuned*), as the first layer of a network. Kim (2014) compares the two.

{{exercise 01.find_the_bug}}

A colleague reports: "With my classifier, tuned and frozen vectors give the same result. And
`sum(p.numel() ...)` says that my model is tiny." Here is the class. Find out why, and repair it so
that the vectors are trained with the rest.
"""

# %%
class TunedClassifier(nn.Module):
    """The mean of the word vectors, then one linear layer; the vectors should be tuned."""

    def __init__(self, vectors, labels):
        super().__init__()
        self.vectors = vectors  # (V, dim)
        self.output = nn.Linear(vectors.shape[1], labels)

    def forward(self, input_ids):
        embedding = nn.Embedding.from_pretrained(self.vectors.clone(), freeze=False)
        return self.output(embedding(input_ids).mean(1))  # (batch, labels)

    ### BEGIN SOLUTION
    def __init__(self, vectors, labels):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors.clone(), freeze=False)
        self.output = nn.Linear(vectors.shape[1], labels)

    def forward(self, input_ids):
        return self.output(self.embedding(input_ids).mean(1))  # (batch, labels)
    ### END SOLUTION


# %%
mb.course.check("01.find_the_bug", TunedClassifier)

# %%
TunedClassifier = mb.course.use("01.find_the_bug", TunedClassifier)

# %% [markdown]
r"""
*Predict before you run:* 100 labelled texts, cut or padded to 30 words. Does tuning help?
"""

# %%
def square(texts, length=30):
    """(texts, length): each text cut to ``length`` words, or filled up with row 0."""
    return torch.tensor([(ids + [0] * length)[:length] for ids in texts])


few, test_square = slice(0, 100), square(test_ids)
for name, start in {"random": chance, "your": unit}.items():
    for tuned in (False, True):
        mb.seed_everything(0)
        classifier = TunedClassifier(start.index_fill(0, torch.tensor([0]), 0.0), len(task.labels))
        learns = [p for p in classifier.parameters() if tuned or p.shape != start.shape]
        optimizer = torch.optim.Adam(learns, lr=0.01)
        for _ in range(5 if SMOKE else 80):
            loss = F.cross_entropy(classifier(square(train_ids[few])), train_labels[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        hits = (classifier(test_square).argmax(1) == test_labels).float().mean()
        print(f"{name:>6} vectors, {'tuned ' if tuned else 'frozen'}: {hits:.1%} right")

# %% [markdown]
r"""
In this one run, tuning helps the random vectors a lot and yours hardly, and even after tuning the
random ones do not catch up. A likely reason: your vectors already know most of what a hundred
labels can teach. Kim (2014) puts a convolutional network on top instead of a mean; the library has
it as `mb.heads.CNNClassifier`.

## 10. Arithmetic with meanings

Suppose *king* and *queen* are used alike, except that one goes with *he* and the other with *she*.
Then their vectors should differ by what *man* and *woman* differ by. The question *man is to woman
as king is to ?* becomes a sum: start at *king*, and go the way from *man* to *woman*.

$$
d^\ast = \arg\max_{d \notin \{a, b, c\}} \cos(v_d,\; v_b - v_a + v_c)
$$

{{exercise 01.analogy}}

`vectors` has the shape `(V, dim)`; a, b, c are row numbers, and so is the answer. Divide every
vector by its length first.
"""

# %%
def analogy(vectors, a, b, c):
    """The word d such that a is to b as c is to d: an index into ``vectors``."""
    best = None
    ### BEGIN SOLUTION
    unit = F.normalize(vectors, dim=1)  # (V, dim)
    scores = unit @ (unit[b] - unit[a] + unit[c])  # (V,)
    scores[[a, b, c]] = -torch.inf
    best = int(scores.argmax())
    ### END SOLUTION
    return best


# %%
mb.course.check("01.analogy", analogy)

# %%
analogy = mb.course.use("01.analogy", analogy)

# %% [markdown]
r"""
The world has its own questions, because its facts and its grammar are known: capitals, pairs of
gender, plurals, past tenses, comparatives, and the young of animals.

A right answer proves little if it would have come without the sum. So we ask each question again
with **c alone**, whose nearest neighbour is the cheapest possible answer. Between the two is
**b + c**, the sum without its $- v_a$: a word near both.

*Predict before you run:* for which kinds of question is c alone enough?
"""

# %%
questions = {}  # section -> list of (a, b, c, d)
for example in mb.world.task("analogies", seed=0).test:
    words = (*example.tokens, example.label)
    if all(word in vocab for word in words):
        questions.setdefault(example.info["section"], []).append(words)

unit = F.normalize(vectors, dim=1)


def near_both(a, b, c):
    """The word nearest to b and c together, without a, b and c themselves."""
    scores = unit @ (unit[b] + unit[c])
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


# %%
by_sum, both, alone = {}, {}, {}
for section, asked in questions.items():
    rows = [[vocab[word] for word in question] for question in asked[:100]]
    by_sum[section] = sum(analogy(vectors, a, b, c) == d for a, b, c, d in rows) / len(rows)
    both[section] = sum(near_both(a, b, c) == d for a, b, c, d in rows) / len(rows)
    near = ([i for i in neighbours(vectors, c, k=3) if i not in (a, b)] for a, b, c, _ in rows)
    alone[section] = sum(i == d for (i, *_), (*_, d) in zip(near, rows, strict=True)) / len(rows)
    a, b, c, d = asked[0]
    said = vocab.tokens[analogy(vectors, *(vocab[w] for w in (a, b, c)))]
    print(f"{section:>12}: sum {by_sum[section]:4.0%}   b + c {both[section]:4.0%}   "
          f"c alone {alone[section]:4.0%}"
          f"   {a} : {b} = {c} : {said} {'' if said == d else f'(truth: {d})'}")

# %% [markdown]
r"""
A blind guess is right once in about three thousand tries, so every sum is above chance. But look
at the other columns. Where *c alone* does as well as the sum, the sum has proved nothing: *wife*
is found because it is near *husband*. Linzen (2016) warned of just this. And a word near both b
and c may be right without any direction. The young of animals are found almost as often without
$- v_a$; only the capitals clearly need the whole sum.

A relation becomes a direction only if the text uses it as one: the first words must often have
one kind of neighbour, and the second words another kind. The map shows the kind of question whose
arrows should be parallel.
"""

# %%
pairs_of = sorted({pair for a, b, c, d in questions.get("capital", next(iter(questions.values())))
                   for pair in ((a, b), (c, d))})
unit = F.normalize(vectors, dim=1)
arrows = pairs_of[:6]
words = list(dict.fromkeys(word for pair in arrows for word in pair))
points = mb.show.pca(unit[[vocab[word] for word in words]])
figure = mb.show.scatter_words(points, words, arrows=arrows, title="From a country to its capital")
mb.show.figure(figure)
ends = torch.tensor([[vocab[a], vocab[b]] for a, b in pairs_of])  # (pairs, 2)
steps = F.normalize(unit[ends[:, 1]] - unit[ends[:, 0]], dim=1)  # (pairs, dim)
cosine = (steps @ steps.T)[~torch.eye(len(steps), dtype=torch.bool)].mean()
print(f"mean cosine of two arrows: {cosine:.2f} (1: parallel, 0: no common direction)")
mixed = ends[torch.randperm(len(ends)), 1]  # the same towns, each given to some country
steps = F.normalize(unit[mixed] - unit[ends[:, 0]], dim=1)
cosine = (steps @ steps.T)[~torch.eye(len(steps), dtype=torch.bool)].mean()
print(f"with the capitals exchanged at random: {cosine:.2f}")

# %% [markdown]
r"""
The arrows share a direction, but they are not parallel: some fall into one bundle, some into
another. Much of this is only the way from countries to towns: with the capitals exchanged, more
than half of the common direction is left. Section 17 asks the famous question about the king of
vectors that have read six billion words of real English.

## 11. Touch it

A map of the words, drawn from the snapshots of your own training. Search for a word, ask an analogy
(a − b + c), and move the slider to see kinds of words come together. Try three things:

- Move the slider to the first step: all words lie in one heap. Which kinds leave it first?
- Search *march*, which is a month and something that people do. Which neighbours do you get?
- Ask *woman − man + king* (in the letters of section 10: $b - a + c$). Then search *king*: is
  *queen* its neighbour already?
"""

# %%
kinds = {"animals": "farm_animal", "trades": "trade", "days": "weekday", "months": "month",
         "colours": "colour", "trees": "tree"}
groups = {
    name: [word.name.lower() for word in lexicon[cls] if word.name.lower() in vocab][:12]
    for name, cls in kinds.items()
}
groups = {name: members for name, members in groups.items() if members}
search = "monday" if "monday" in vocab else vocab.tokens[2]
mb.show.VectorExplorer(snapshots, vocab.tokens, groups=groups, search=search)

# %% [markdown]
r"""
## 12. One word, one vector, two meanings

*Bat* is an animal and a piece of wood. The model has one vector for both. The world knows which is
meant each time, so we can ask an exact question. In every second document we write the sense into
the text (`bat#animal`), and the other documents stay plain. Then the plain word and both of its
senses have vectors in one space. We look at all words with two senses that are both seen at least
twenty times. For comparison we mark a few ordinary words, too, as if they had two senses: 84 of a
hundred uses, drawn at random, get a #1, and the others a #2.

*Predict before you run:* where does the plain vector lie? At one of the senses, near both, or near
neither? And what does it depend on?
"""

# %%
ordinary = {"garden", "road", "letter", "door", "table", "bread"}  # one sense each
generator = torch.Generator().manual_seed(0)


def tag(token, sense):
    """A homograph with its sense, and an ordinary word with #1 or #2, drawn 84 to 16."""
    word = token.lower()
    if word in ordinary:
        return f"{word}#{1 if torch.rand((), generator=generator) < 0.84 else 2}"
    return f"{token}#{sense.split('.')[-1]}".lower() if sense else word


def tagged(corpus):
    """Sentences in lower case; in every second document, some words carry a mark."""
    for number, document in enumerate(corpus.documents):
        for sentence in document.sentences:
            marks = zip(sentence.tokens, sentence.sense, strict=True)
            yield [tag(*pair) if number % 2 else pair[0].lower() for pair in marks]


tagged_sentences = list(tagged(corpus))
tagged_vocab = mb.text.Vocab.train(tagged_sentences, min_count=1 if SMOKE else 5)
senses = mb.Word2Vec(mb.Word2VecConfig(vocab_size=len(tagged_vocab), dim=64), tagged_vocab)
mb.models.word2vec.learn(
    senses, tagged_sentences, epochs=epochs, rate=0.1, seed=0, progress=False
)

# %%
uses = {}  # word -> [(how often, tagged word), ...]
for token, count in zip(tagged_vocab.tokens, tagged_vocab.counts.tolist(), strict=True):
    if "#" in token and count >= (1 if SMOKE else 20):
        uses.setdefault(token.split("#")[0], []).append((count, token))
unit = F.normalize(senses.vectors, dim=1)
plain = [i for i, token in enumerate(tagged_vocab.tokens) if i > 1 and "#" not in token]
homographs, gaps = {}, []  # word -> (share of the frequent sense, cosines to both senses)
for word, counted in sorted(uses.items()):
    if len(counted) > 1 and word in tagged_vocab:
        (n1, first), (n2, second) = sorted(counted, reverse=True)[:2]
        both = unit[[tagged_vocab[first], tagged_vocab[second]]]  # (2, dim)
        at = (both @ unit[tagged_vocab[word]]).tolist()
        print(f"{word:>8}: {first} {n1}, {second} {n2}; cosines {at[0]:.2f} and {at[1]:.2f}")
        if word in ordinary:
            gaps.append(at[0] - at[1])
            continue
        rows = torch.tensor(plain)[torch.randint(len(plain), (20,))]
        homographs[word] = n1 / (n1 + n2), at, unit[rows] @ both.T  # (20, 2): random words
print(f"{len(gaps)} ordinary words marked at random: mean gap {sum(gaps) / max(1, len(gaps)):.2f}")

# %% [markdown]
r"""
In the figure, each homograph lies at its two cosines: to its more frequent sense along the
horizontal axis, and to its rarer sense along the vertical one. The grey dots are the comparison
that we need: random words, measured against the same pairs of senses.
"""

# %%
fig, ax = mb.show.new("A homograph is near to both of its senses",
                      "cosine to the more frequent sense", "cosine to the rarer sense")
grey = torch.cat([others for *_, others in homographs.values()])
ax.plot(*grey.T, ".", color="#a8a8a8", label="random words")
ax.plot(*zip(*(at for _, at, _ in homographs.values()), strict=True), "o", label="homographs")
mb.show.name_points(ax, {word: tuple(at) for word, (_, at, _) in homographs.items()})
ax.legend(loc="upper left")
means = torch.tensor([at for _, at, _ in homographs.values()]).mean(0)
mb.show.figure(fig, alt=f"{len(homographs)} homographs, with mean cosines of {means[0]:.2f} and "
               f"{means[1]:.2f} to their senses; random words gather around {grey.mean():.2f}.")

# %%
word, (share, *_) = max(homographs.items(), key=lambda item: item[1][0])
for token in [word, *sorted(token for _, token in uses[word])]:
    near = ", ".join(other for other, _ in senses.neighbours(token, k=5))
    print(f"{token:>15}: {near}")
print(f"{share:.0%} of the marked uses of {word!r} have its frequent sense")

# %% [markdown]
r"""
The plain vector is near to both senses, much nearer than random words are, and mostly nearer to
the sense that is used more. Much of that gap is only rarity: an ordinary word whose uses are
marked at random, 84 to 16, already shows a gap of about 0.1, and on average the homographs' gap is
not much larger. Only a few words, such as *fair*, go clearly beyond it. The neighbours show the
price: those of the plain word are mostly those of its frequent sense, and the rarer sense hardly
appears among them.

{{exercise 01.homographs}}

(Optional.) Explain in three to five sentences why the plain vector of a homograph is near to both
senses, what happens when one sense is nine times as frequent as the other, and how you would test
that.
"""

# %% [markdown] written="01.homographs"
r"""
The loss treats all occurrences of *bat* alike, so its one vector must predict the words of a match
in one sentence and the words of a cave in the next; the sum of both pulls leaves it near to both.
Every occurrence pulls, so at nine to one it lies close to the frequent sense, and the neighbours
of the rare sense are hard to find. To test it: mark the senses in half of the text, train, and
compare the two cosines of the plain vector with the share of the senses, over many homographs and
seeds, beside random words. A remedy must give the word a vector that depends on its sentence.
"""

# %% [markdown]
r"""
A vector that depends on the sentence: that is the subject of chapter 02.

## 13. Two more ways to the same vectors (optional)

**CBOW** (continuous bag of words) turns the game round: average the context vectors, guess the
centre. It makes one guess per position instead of one per pair. So it is faster, and it smooths
over what each neighbour alone would say.

**Hierarchical softmax** replaces the flat softmax by a binary tree with the words as leaves. A
word is a path of turns, each decided by one sigmoid (Mikolov et al. 2013b, eq. 3):

$$
p(o \mid c) = \prod_{j} \sigma\big(\pm\, u_{n(o,j)}^\top v_c\big)
$$

$n(o,j)$ is the $j$-th node on the way to $o$, and the sign says which way to turn there. A Huffman
tree gives frequent words short paths, so a pair costs about $\log_2 V$ sigmoids instead of $V$.
"""

# %%
nodes, turns = mb.models.word2vec.huffman([50, 20, 15, 10, 5])
for word, (path, bits) in enumerate(zip(nodes, turns, strict=True)):
    print(f"word {word}: nodes {path}, turns {bits}")

# %% [markdown]
r"""
*Predict before you run:* with any vectors at all, how large is the sum of the probabilities of all
five words?
"""

# %% tags=["nbval-check-output"]
centre_vector, node_vectors = torch.randn(8), torch.randn(4, 8)  # V - 1 = 4 inner nodes
total = 0.0
for path, bits in zip(nodes, turns, strict=True):
    signs = 1 - 2 * torch.tensor(bits)  # turn 0: +1, turn 1: -1
    total += torch.sigmoid(signs * (node_vectors[path] @ centre_vector)).prod().item()
assert math.isclose(total, 1.0, rel_tol=1e-4)
print(f"{total:.4f}")

# %% [markdown]
r"""
It is 1, because the two turns at each node have probabilities that add up to 1: no sum over the
vocabulary is needed. The next cell times one pass over a little text for all six combinations.
"""

# %%
some = sentences[:300]
for mode in ("skipgram", "cbow"):
    for loss in ("negative", "hierarchical", "full"):
        other = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=32, mode=mode, loss=loss), vocab)
        batches = mb.text.WindowBatches.of(other, some, batch_size=1024)
        mb.fit(other, batches, steps=1, progress=False)  # the first step is slow: not timed
        start = time.time()
        mb.fit(other, batches, epochs=1, progress=False)
        print(f"{mode:9} {loss:13} {1000 * (time.time() - start):5.0f} ms")

# %% [markdown]
r"""
The losses are not printed. Only those of the hierarchical and the full softmax can be compared
with each other: both ask which word it is. Negative sampling asks whether a pair is real.

## 14. Words from pieces: fastText (optional)

word2vec has no vector for a word that it has never read, although a reader would guess at
*unkindness* at once. fastText (Bojanowski et al. 2017) makes a word's vector from its pieces: all
character n-grams of `<unkindness>`, the angle brackets marking the ends, hashed into a table $z$.

$$
v_w = \frac{1}{|G_w|} \sum_{g \in G_w} z_g
$$

$G_w$ are the word's n-grams, here of three to five letters. (The paper takes three to six, adds
the whole word as one more piece, and leaves the sum undivided.)
"""

# %%
from minibert.models.word2vec.fasttext import Pieces, pieces

mb.course.source(pieces)
mb.course.source(Pieces.forward)

# %% [markdown]
r"""
The library's model takes any module as its input table, so the pieces go straight in. We hide a
few words from it, and ask for their neighbours afterwards. Beside them stand the words that are
**spelt** most alike (section 8), which is the cheapest method.
"""

# %%
hidden = {"mornings", "kindness", "unkind", "bakery", "slowly", "walked", "colder", "horses"}
seen = [[token for token in sentence if token not in hidden] for sentence in sentences]
seen = seen[: 300 if SMOKE else 6000]
small_vocab = mb.text.Vocab.train(seen, min_count=2)
fasttext = mb.Word2Vec(mb.Word2VecConfig(len(small_vocab), dim=48), small_vocab)
fasttext.input = Pieces(small_vocab.tokens, dim=48)
batches = mb.text.WindowBatches.of(fasttext, seen, batch_size=4096)
optimizer = torch.optim.Adam(fasttext.parameters(), lr=0.01)
mb.fit(fasttext, batches, epochs=1 if SMOKE else 6, optimizer=optimizer, progress=False)

# %%
for word in sorted(hidden & set(vocab.tokens)):
    near = ", ".join(other for other, _ in fasttext.neighbours(fasttext.input.vector(word), k=4))
    spelt = [vocab.tokens[i] for i in neighbours(letters, vocab[word], k=2)]
    print(f"{word:>9} (never seen): {near}   | spelt alike: {', '.join(spelt)}")

# %% [markdown]
r"""
Most of the hidden words get a relative among their neighbours, as *horses* gets *horse*. But plain
spelling finds these relatives, too, and on so little text other neighbours have nothing to do with
the word. In the paper, with much more text, pieces help most in languages with rich endings.

## 15. Counting instead of guessing: GloVe (optional)

Skip-gram meets the same pairs again and again. GloVe (Pennington et al. 2014) counts them once, in
the matrix $X$ of section 8, and fits the logarithms:

$$
J = \sum_{X_{ij}>0} f(X_{ij})\,\big(w_i^\top \tilde w_j + b_i + \tilde b_j - \log X_{ij}\big)^2,
\qquad f(x) = \min\!\big(1, (x / x_{\max})^{3/4}\big)
$$

Each word has two vectors again, $w_i$ and $\tilde w_i$, and two numbers $b_i$, $\tilde b_i$ for
how frequent it is; $f$ lets rare pairs count less.
"""

# %%
from minibert.models.word2vec.glove import GloVe, cells

mb.course.source(GloVe.loss)

# %%
counted = GloVe(len(vocab), 64)
optimizer = torch.optim.Adam(counted.parameters(), lr=0.02)
mb.fit(counted, cells(X), epochs=1 if SMOKE else 8, optimizer=optimizer, progress=False)
fitted = counted.vectors.cpu()
both = {"GloVe": share_right(fitted), "word2vec": share_right(vectors)}
print("27 kinds, one example:", {name: f"{share:.0%}" for name, share in both.items()})

# %% [markdown]
r"""
On so little text and with these settings, GloVe sorts fewer words correctly than word2vec. Section
17 uses vectors that GloVe's authors have published.

## 16. How much of this is luck? (optional)

One seed proves nothing: another draw of the text, of the first vectors and of the noise gives
other results. So the full experiments were run over {{finding 01 kinds.vectors_one seeds}} seeds
(`make findings CH=01`; the settings are in `chapters/findings/01.py`). A row is *shown* when the
95 % interval of the paired differences excludes zero. The papers trained 300 numbers per word on a
billion words: compare the direction of an effect with theirs, not its size.

**What the vectors know, and where they help**

{{findings 01
| one example of each kind: word2vec beats random vectors | kinds.vectors_one - kinds.random_one | percent | not measured |
| ... beats spelling | kinds.vectors_one - kinds.letters_one | percent | not measured |
| ... beats counting (PPMI) | kinds.vectors_one - kinds.counts_one | percent | not measured |
| topic, fewest labels: vectors beat counted words | topic.vectors_fewest - topic.words_fewest | percent | not measured |
| topic, most labels: counted words beat vectors | topic.words_most - topic.vectors_most | percent | not measured |
| sentiment, fewest labels: vectors beat counted words | sentiment.vectors_fewest - sentiment.words_fewest | percent | not measured |
| homographs are nearer to their senses than random words | homographs.near - homographs.random_near | cosine | not measured |
}}

Three things to take from the table. The company of a word says what kind of thing it is, and its
letters say little. Vectors pay with few labels; counted words win with many, and on sentiment they
win throughout. A homograph's vector is near to both senses, and the difference of its two cosines
follows their shares (correlation {{finding 01 homographs.correlation mean .2f}}, 95 % interval
{{finding 01 homographs.correlation low .2f}} to {{finding 01 homographs.correlation high .2f}}).
A part of this is rarity alone, as section 12 has shown.

The figure shows the whole curve for the topic task. The line of the PPMI matrix, squeezed into 64
numbers per word, lies on that of word2vec: the company helps, kept in few numbers.
"""

# %%
found = mb.course.findings("01")
labelled = found.content["experiments"]["topic"]["config"]["labels"]
fig, ax = mb.show.new("Which kind of text is it?", "labelled texts", "share right (test)")
ways = {"vectors": "word2vec", "counted": "PPMI, 64 numbers", "words": "counted words",
        "random": "random vectors"}
for (way, label), marker in zip(ways.items(), ("o-", "D--", "s--", "^:"), strict=True):
    values = torch.tensor(found.values(f"topic.{way}"))  # (seeds, budgets)
    ax.errorbar(labelled, values.mean(0), values.std(0), fmt=marker, capsize=4, label=label)
ax.axhline(found.mean("topic.one_answer"), color="grey", linestyle="-.", label="always one answer")
ax.set_xscale("log")
ax.set_xticks(labelled, [f"{n:,}" for n in labelled])
ax.minorticks_off()
ax.legend(title="mean and standard deviation")
mb.show.figure(fig, alt="Topic by number of labels over five seeds: vectors lead with few labels, "
               "counted words overtake them with many.")

# %% [markdown]
r"""
**What the papers say about training** (analogies: mean over the kinds of question)

The models of the first five rows are trained for twelve passes over the text. Those of the last
two rows are trained for three only, after which negative sampling still gains from more.

{{findings 01
| five noise words beat one | negatives.k5 - negatives.k1 | percent | 5 to 20 advised on small data |
| twenty beat five | negatives.k20 - negatives.k5 | percent | +1 point for 15 (2013b, table 1) |
| noise by the power of 3/4 beats uniform noise | frequencies.three_quarters - frequencies.uniform | percent | "significantly" |
| ... beats noise by plain frequency | frequencies.three_quarters - frequencies.unigram | percent | "significantly" |
| subsampling beats reading every word | frequencies.three_quarters - frequencies.all_words | percent | +1 point (2013b, table 1) |
| five noise words beat hierarchical softmax | methods.negative - methods.hierarchical | percent | +5 points (2013b, table 1) |
| skip-gram beats CBOW | methods.negative - methods.cbow | percent | +31 points on meaning, −5 on form (2013a, table 3) |
}}

The numbers of 2013b are differences of total accuracy: with subsampling, 5 noise words 60 % and 15
noise words 61 %; without subsampling, 5 noise words 59 %. Every number of noise words had its own
learning rate here, chosen on the validation questions. The power of 3/4 clearly beats plain
frequency, but on so little text it is no better than uniform noise. After three passes,
hierarchical softmax does better than five noise words, and CBOW about as well as skip-gram.
"""

# %%
names = {f"k = {k}": f"k{k}" for k in (1, 5, 20)}
figure = mb.show.effects(
    {label: found.values(f"negatives.{name}") for label, name in names.items()}, "k = 1",
    title="Noise words: difference from one", xlabel="difference in the share of analogies right")
mb.show.figure(figure)

# %% [markdown]
r"""
A dot is the mean paired difference, and a line is its 95 % interval. Five noise words are better
than one here, and twenty are about as good as five. The paper advises 5 to 20 for small data and 2
to 5 for large data; in its table 1 fifteen are a little better than five.

## 17. The real thing (optional)

**Published vectors.** `glove-6b-50d` has read six billion words of news and Wikipedia; every word
has 50 numbers. They load into the same class, and your functions take them as they are. (They are
optional: `minibert data get glove-6b-50d` fetches 84 MB.)

*Predict before you run:* the nearest neighbour of *king* alone, and of *king − man + woman*?
"""

# %%
try:
    glove = mb.Word2Vec.from_pretrained("glove-6b-50d", limit=5_000 if SMOKE else 30_000)
except FileNotFoundError as missing:
    glove = None
    print(missing)
else:
    table, ids, names = glove.vectors, glove.vocab, glove.vocab.tokens
    for a, b, c in [("man", "woman", "king"), ("france", "paris", "japan"), ("he", "she", "actor"),
                    ("walk", "walked", "play"), ("man", "woman", "doctor")]:
        if all(word in ids for word in (a, b, c)):
            near = [names[i] for i in neighbours(table, ids[c], k=3)]
            answer = names[analogy(table, ids[a], ids[b], ids[c])]
            print(f"{a} : {b} = {c} : {answer:8}   {c} alone: {', '.join(near)}")

# %% [markdown]
r"""
If you have the vectors: *king* alone gives *prince*, and the sum gives *queen*. *Japan* alone
gives *japanese*, and the sum gives the capital. Here the sum does the work. The last line is a
warning: *doctor* alone gives *nurse* as well, so the sum has shown nothing about men and women.
Habits of the text do get into vectors, but one analogy is no measure of them. A later chapter comes
back to that.

How often is the sum right? Google's questions (Mikolov et al. 2013a) ask for 14 relations. We
count only those whose four words are all among the vectors that we loaded.
"""

# %%
try:
    google = mb.data.load("google-analogies") if glove is not None else None
except FileNotFoundError as missing:
    google = None
    print(missing)
if google is not None:
    answered = mb.models.word2vec.scores.analogies(glove, google)
    sections = google.sections.items()
    without = {name: [(a, a, c, d) for a, _, c, d in asked] for name, asked in sections}
    alone = mb.models.word2vec.scores.analogies(glove, without).by_section
    for name, share in answered.by_section.items():
        known = answered.known[name]
        print(f"{name:>28}: sum {share:4.0%}   c alone {alone[name]:4.0%}   of {known:,}")
    print(answered)

# %% [markdown]
r"""
**Your own code on real English.** The text is pages of British novels, if you have them (`minibert
data list` says where to put them). The whole collection, with the scores of the standard
benchmarks, is one command: `minibert pretrain word2vec --corpus books_train`.
"""

# %%
try:
    books = mb.data.load("books_train")
except FileNotFoundError as missing:
    books = None
    print(missing)
else:
    limit = 300 if SMOKE else 3000
    novels = [line.lower() for line, _ in zip(books.paragraphs(), range(limit), strict=False)]
    book_vocab = mb.text.Vocab.train(novels, min_count=5)
    real = mb.Word2Vec(mb.Word2VecConfig(len(book_vocab), dim=64), book_vocab)
    mb.models.word2vec.learn(real, novels, epochs=epochs, seed=0, progress=False)
    for word in ["brother", "london", "horse", "happy"]:
        if word in book_vocab:
            near = neighbours(real.vectors, book_vocab[word])
            print(f"{word:>8}:", ", ".join(book_vocab.tokens[i] for i in near))

# %% [markdown]
r"""
A few thousand paragraphs are too little: compare with the neighbours that GloVe finds after six
billion words. GoogleNews word2vec (binary) and fastText (`.vec`) files load into the same class,
too, with `mb.Word2Vec.from_pretrained("file")`.

## 18. Summary

- A word's company says what kind of word it is. Skip-gram turns this into a guessing game, and the
  vectors are what it learns in order to win.
- Negative sampling makes the game cheap; noise that is not drawn by plain frequency, and
  subsampling, deal with Zipf's law.
- The knowledge is in the company: counting finds it as well. Training keeps it in few numbers
  without ever building the table of counts.
- Vectors from plain text help a task with few labels. With many labels, counting words does better,
  and for sentiment, where *good* is used like *bad*, it does better throughout.
- Differences between vectors can carry relations. Ask first what *c alone* would have answered.
- A word has one vector: homographs are near to both of their senses. Chapter 02 gives each
  *occurrence* its own vector.

{{quiz 01.q1}}

{{quiz 01.q2}}

{{quiz 01.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**A project.** Take a text of your own, of at least a million words, and answer one question with
its vectors: which words have changed their company between two halves of it, or which two authors
use a word differently? *Rubric, 10 points:* a question that vectors can answer (2), a baseline
without any training (2), at least three seeds with their spread (2), twenty examples read by eye,
failures among them (2), and a claim no larger than the evidence (2).

**Further reading.** Mikolov et al. (2013a), [arXiv:1301.3781](https://arxiv.org/abs/1301.3781), and
(2013b), [arXiv:1310.4546](https://arxiv.org/abs/1310.4546): the two papers of this chapter. Goldberg &
Levy (2014), *word2vec explained*, [arXiv:1402.3722](https://arxiv.org/abs/1402.3722): the derivation in
full. Levy & Goldberg (2014), *Neural word embedding as implicit matrix factorization*. Levy et al.
(2015), *Improving distributional similarity with lessons learned from word embeddings*. Pennington
et al. (2014), *GloVe*. Bojanowski et al. (2017), *Enriching word vectors with subword information*,
[arXiv:1607.04606](https://arxiv.org/abs/1607.04606). Linzen (2016), *Issues in evaluating semantic spaces using word analogies*,
[arXiv:1606.07736](https://arxiv.org/abs/1606.07736). Kim (2014), *Convolutional neural networks for sentence classification*,
[arXiv:1408.5882](https://arxiv.org/abs/1408.5882). Arora et al. (2018), *Linear algebraic structure of word senses*,
[arXiv:1601.03764](https://arxiv.org/abs/1601.03764). D2L, [sections 15.1 to 15.7](https://d2l.ai/chapter_natural-language-processing-pretraining/index.html).
"""
