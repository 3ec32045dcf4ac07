# ---
# jupyter:
#   minibert:
#     title: word2vec
#     question: What can be learned about a word from the company it keeps?
#     minutes: 85
#     seconds: 90
#     memory_mb: 1000
#     needs: ["chapter 00 (tensors, cross-entropy, the embedded world)", "a matrix product"]
#     skip: "sections 9, 11 and 12, which are optional, and 14 (what the papers claim, measured here)"
#     papers:
#       - "Mikolov et al. (2013a), Efficient Estimation of Word Representations, arXiv:1301.3781"
#       - "Mikolov et al. (2013b), Distributed Representations of Words and Phrases, arXiv:1310.4546"
# ---

# %% [markdown]
r"""
# 01 · word2vec: what can be learned about a word from the company it keeps?

{{head}}

The LSTM of chapter 00 began with a table, a vector for each word, and nobody has looked into it
yet. What can such a table hold? Open a book in a language you do not know, and look only at which
words stand near which. Could you find out that *puppy* is to *dog* what *kitten* is to *cat*? This
chapter builds a model that does just that: it reads plain text, nobody tells it anything, and
afterwards it can be asked.

> You shall know a word by the company it keeps. (J. R. Firth, 1957)
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
EPOCHS, MIN_COUNT = (1, 1) if SMOKE else (5, 5)

# %% [markdown]
r"""
## 1. The question

To a computer a word is a number in a list: *cat* is word 311, *dog* word 94. Written as a vector,
that is a **one-hot** vector: as long as the vocabulary, all zeros but for a single one. Any two
one-hot vectors are equally far apart, so they say that *cat* is no closer to *dog* than to
*Tuesday*. What we want is a short, dense vector in which nearness means something.

Our text is the embedded world that you met in chapter 00.
"""

# %%
corpus = mb.world.generate(tokens=30_000 if SMOKE else 600_000, seed=0)
print(corpus)
print()
print(corpus.documents[0].text)

# %%
sentences = [[token.lower() for token in sentence] for sentence in corpus.sentences()]
vocab = mb.text.Vocab.train(sentences, min_count=MIN_COUNT)
counts = torch.tensor(vocab.counts)  # (V,)
print(len(vocab), "words; the most frequent:", " ".join(vocab.tokens[2:14]))  # 0: <pad>, 1: <unk>

# %% [markdown]
r"""
Zipf's law again: a few words very often, most words seldom. Keep this picture in mind; two of the
tricks below exist because of it.
"""

# %%
mb.show.figure(mb.show.zipf(dict(zip(vocab.tokens[2:], vocab.counts[2:].tolist(), strict=True))))

# %% [markdown]
r"""
## 2. The company of a word

We slide a window over each sentence. The word in the middle is the **centre**; the words up to
`window` places to its left and right are its **context**. Skip-gram (Mikolov et al. 2013a) turns
reading into a guessing game: *given the centre, guess a context word*.

{{exercise 01.pairs}}

Write `pairs(tokens, window)`. It returns a list of `(centre, context)` tuples: every token with
each of its neighbours.
"""

# %%
def pairs(tokens, window):
    """All (centre, context) pairs at most `window` places apart."""
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

# %% [markdown]
r"""
The library does the same for a whole corpus at once (`mb.text.WindowBatches`), with one refinement
of the original program: each centre draws its own reach from 1 to `window`, so that near neighbours
are met more often than far ones. D2L does it, too; with a window of one nothing is left to chance,
and the three must agree.
"""

# %%
from minibert.text.windows import pairs as pairs_of_places

d2l = mb.course.d2l()
sentence = [vocab[word] for word in "the old cat sat near the river".split()]
theirs = d2l.get_centers_and_contexts([sentence], max_window_size=1)
theirs = [(c, o) for c, around in zip(*theirs, strict=True) for o in around]

ids, _ = vocab.encode_corpus([["the", "old", "cat", "sat", "near", "the", "river"]])
places = pairs_of_places(ids, sentence=ids * 0, reach=ids * 0 + 1)
ours = [(ids[i], ids[j]) for i, j in zip(*places, strict=True)]
print("D2L and the library agree:", sorted(theirs) == sorted(ours), len(ours), "pairs")

# %% [markdown]
r"""
## 3. From guessing to vectors

Every word gets **two** vectors of `dim` numbers: $v_c$ when it is the centre, $u_o$ when it is
the context that has to be guessed. Their product is the score of the pair, and a softmax over all
$V$ words turns scores into probabilities (Mikolov et al. 2013b, eq. 2):

$$
p(o \mid c) = \frac{\exp(u_o^\top v_c)}{\sum_{w=1}^{V} \exp(u_w^\top v_c)}
$$

Training makes the observed pairs probable: it lowers $-\log p(o \mid c)$, averaged over all pairs.
Two words that are surrounded by the same words must give the same guesses, and the cheapest way to
give the same guesses is to have the same vector. That is the whole trick.

*Predict before you run:* with all vectors zero, what is the loss, in terms of $V$?
"""

# %%
V, dim = len(vocab), 8
centre_table = torch.zeros(V, dim)  # v, one row a word
context_table = torch.zeros(V, dim)  # u, one row a word

centre, context = vocab["good"], vocab["story"]
scores = context_table @ centre_table[centre]  # (V, dim) @ (dim,) -> (V,)
loss = -torch.log_softmax(scores, dim=0)[context]
print(f"loss {loss:.4f}   log V {math.log(V):.4f}")

# %% [markdown]
r"""
Nothing is known yet, so every word is as likely as every other: $-\log \frac1V = \log V$. Here is
the same sum in the library, on a batch and with random vectors.
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
print(f"by hand {by_hand:.5f}   library {total:.5f}   pairs {pairs_seen}")

# %%
mb.course.source(mb.Word2Vec.full_softmax)

# %% [markdown]
r"""
## 4. A cheaper game: negative sampling

The sum in the denominator runs over the whole vocabulary, for every pair. With a million words that
is a million products to learn from one pair. The way out is an easier game: instead of *which word
is it?* ask *is this pair real or made up?* For each real pair draw $k$ **noise words**
$w_1 \dots w_k$, and tell them apart with one sigmoid each (Mikolov et al. 2013b, eq. 4):

$$
\ell = -\log \sigma(u_o^\top v_c) \;-\; \sum_{i=1}^{k} \log \sigma(-u_{w_i}^\top v_c)
\qquad \sigma(x) = \frac{1}{1 + e^{-x}}
$$

The first term pulls the true pair together, the others push noise away.

{{exercise 01.sgns_loss}}

Write the loss of one centre, shape `(dim,)`, its context, `(dim,)`, and the noise, `(k, dim)`.
"""

# %%
def sgns_loss(centre, context, negatives):
    """Negative-sampling loss of one pair: a scalar tensor, in nats."""
    loss = torch.tensor(0.0)
    ### BEGIN SOLUTION
    positive = centre @ context  # ()
    negative = negatives @ centre  # (k, dim) @ (dim,) -> (k,)
    loss = -F.logsigmoid(positive) - F.logsigmoid(-negative).sum()
    ### END SOLUTION
    return loss


# %%
mb.course.check("01.sgns_loss", sgns_loss)

# %% [markdown]
r"""
**Its gradient is short enough to read.** With $\sigma'(x) = \sigma(x)(1 - \sigma(x))$,

$$
\frac{\partial \ell}{\partial v_c}
  = \underbrace{(\sigma(u_o^\top v_c) - 1)}_{\text{how surprised by the true pair}} u_o
  + \sum_i \underbrace{\sigma(u_{w_i}^\top v_c)}_{\text{how fooled by noise } i} u_{w_i}
$$

A well-known pair ($\sigma \approx 1$) moves nothing; a surprising one moves a lot. The textbook
program is a loop over this formula. Let us check the formula against autograd.
"""

# %%
def sgns_step(v, u, centre, context, negatives, rate):
    """One textbook step of SGD on one pair, in place; v and u are (V, dim) tables."""
    rows = torch.tensor([context, *negatives])  # (1 + k,) the true one first
    label = torch.zeros(len(rows))
    label[0] = 1.0
    error = torch.sigmoid(u[rows] @ v[centre]) - label  # (1 + k,)
    step_v = error @ u[rows]  # (dim,)
    u.index_add_(0, rows, -rate * torch.outer(error, v[centre]))
    v[centre] -= rate * step_v


# %%
v = torch.randn(V, dim, requires_grad=True)
u = torch.randn(V, dim, requires_grad=True)
loss = -F.logsigmoid(v[5] @ u[9]) - F.logsigmoid(-u[[2, 2, 7]] @ v[5]).sum()
loss.backward()

v2, u2 = v.detach().clone(), u.detach().clone()
sgns_step(v2, u2, centre=5, context=9, negatives=[2, 2, 7], rate=1.0)
print("v:", torch.allclose(v.detach() - v.grad, v2, atol=1e-6))
print("u:", torch.allclose(u.detach() - u.grad, u2, atol=1e-6))  # noise word 2 counts twice

# %% [markdown]
r"""
## 5. Two tricks with frequencies

**Which words are noise?** Drawn uniformly, noise is mostly words so rare that telling them apart
teaches little; drawn by frequency, it is mostly *the*. The authors found that the counts raised to
the power of 3/4 beat both:

$$
P(w) = \frac{\text{count}(w)^{3/4}}{\sum_{w'} \text{count}(w')^{3/4}}
$$

{{exercise 01.noise}}

Write it for all words at once, for any `power`.
"""

# %%
def noise_distribution(counts, power=0.75):
    """Probability of each word as noise; ``counts`` and the answer have shape (V,)."""
    probabilities = torch.zeros(len(counts))
    ### BEGIN SOLUTION
    weights = counts.float() ** power
    probabilities = weights / weights.sum()
    ### END SOLUTION
    return probabilities


# %%
mb.course.check("01.noise", noise_distribution)

# %% [markdown]
r"""
**Which words are worth reading?** After a hundred thousand times, *the* has nothing more to say.
Occurrences of a word with relative frequency $f(w)$ are **discarded** with probability
$1 - \sqrt{t / f(w)}$ (Mikolov et al. 2013b, eq. 5), before the windows are formed: so frequent
words vanish, and the window reaches further. Words rarer than the threshold $t$ all stay; it is
about $10^{-5}$ in the paper, and $10^{-3}$ for our short text.

{{exercise 01.subsample}}

Return the probability of *keeping* an occurrence, for each word.
"""

# %%
def keep_probability(share, t=1e-3):
    """Probability of keeping an occurrence; ``share`` is the relative frequency, shape (V,)."""
    keep = torch.ones(len(share))
    ### BEGIN SOLUTION
    keep = (t / share).sqrt().clamp(max=1.0)
    ### END SOLUTION
    return keep


# %%
mb.course.check("01.subsample", keep_probability)

# %%
share = counts[2:] / counts.sum()  # without <pad> and <unk>
keep = (1e-3 / share).sqrt().clamp(max=1.0)

top = 30
fig, ax = mb.show.new("The 30 most frequent words", "word", "occurrences (thousands)")
ax.bar(vocab.tokens[2 : top + 2], counts[2 : top + 2] / 1e3, label="in the text")
ax.bar(vocab.tokens[2 : top + 2], (counts[2:] * keep)[:top] / 1e3, label="kept for training")
ax.tick_params(axis="x", rotation=90)
ax.legend()
mb.show.figure(fig, alt="Bars: the most frequent words lose most of their occurrences, rarer ones few.")

# %% [markdown]
r"""
## 6. Train it

The library does what you have just written, in blocks: it looks at many centres at once, and lets
neighbouring pairs share their noise words. `minibert/models/word2vec/fast.py` holds these tricks,
and a test holds them equal to the textbook. The rate falls in a straight line to zero, as in the
original program.

*Predict before you run:* which words will be nearest to *puppy*? To *monday*? To *was*?
"""

# %%
settings = mb.Word2VecConfig(vocab_size=len(vocab), dim=64, window=5, negatives=5)
model = mb.Word2Vec(settings, vocab)
snapshots = []
start = time.time()
history = mb.models.word2vec.learn(
    model, sentences, epochs=EPOCHS, rate=0.1, seed=0, snapshots=snapshots, progress=False
)
print(f"{EPOCHS * len(corpus) / (time.time() - start):,.0f} words a second")

# %%
figure = mb.show.loss_curve(history, title="Learning to tell neighbours from noise",
                            ylabel="loss (nats a pair)")
mb.show.figure(figure)

# %%
for word in ["puppy", "monday", "was", "baker", "wonderful"]:
    if word in vocab:
        near = ", ".join(f"{other} {cosine:.2f}" for other, cosine in model.neighbours(word, k=6))
        print(f"{word:>9}: {near}")

# %% [markdown]
r"""
Nobody told the model what a day is, or a trade. It found out from the words around them. Look also
at what it *cannot* tell: words of opposite meaning stand in the same places, so *good* and *bad*
come out close. Nearness here means *used alike*.

## 7. Arithmetic with meanings

If *king* and *queen* are used alike, except that one goes with *he* and the other with *she*, then
their vectors should differ by what *he* and *she* differ by. So a question like *man is to woman as
king is to ?* becomes a sum: start at *king*, walk from *man* to *woman*, and see who lives there.

$$
d^\ast = \arg\max_{d \notin \{a, b, c\}} \cos(v_d,\; v_b - v_a + v_c)
$$

{{exercise 01.analogy}}

`vectors` has the shape `(V, dim)`; a, b, c are row numbers, and so is the answer. Every vector
counts with length one.
"""

# %%
def analogy(vectors, a, b, c):
    """The word d such that a is to b as c is to d: an index into ``vectors``."""
    best = 0
    ### BEGIN SOLUTION
    unit = F.normalize(vectors, dim=1)  # (V, dim)
    scores = unit @ (unit[b] - unit[a] + unit[c])  # (V,)
    scores[[a, b, c]] = -torch.inf
    best = int(scores.argmax())
    ### END SOLUTION
    return best


# %%
mb.course.check("01.analogy", analogy)

# %% [markdown]
r"""
The world has its own questions, since its facts and its grammar are known: capitals, pairs of
gender, plurals, past tenses, comparatives, and the young of animals. Here are three of each kind
that the text has words for.
"""

# %%
questions = {}  # section -> list of (a, b, c, d)
for example in mb.world.task("analogies", seed=0).test:
    words = (*example.tokens, example.label)
    if all(word in vocab for word in words):
        questions.setdefault(example.info["section"], []).append(words)

for section, asked in questions.items():
    for a, b, c, d in asked[:3]:
        guess = model.analogy(a, b, c, k=1)[0][0]
        truth = "" if guess == d else f"(truth: {d})"
        print(f"{section:>12}: {a} : {b} = {c} : {guess} {truth}")

# %%
def accuracy_by_section(model):
    """Share of analogies answered correctly, by kind of question."""
    answered = mb.models.word2vec.scores.analogies(model, questions)
    return {section: answered.right[section] / answered.known[section] for section in questions}


scores = accuracy_by_section(model)
mb.show.figure(mb.show.bars(scores, "Analogies answered correctly (one seed)", "share"))

# %% [markdown]
r"""
Read this figure with care. A blind guess is right once in a thousand or more, so every bar is far
above chance, and some are low all the same. A relation becomes a direction only if the text uses it
as one: it must often put the first words into one kind of place, and the second into another.

Is it really a parallelogram? The sum relies on arrows that are parallel, and on the map below they
are, roughly.
"""

# %%
def pairs_of(section):
    """The pairs of words that its questions are made of."""
    return sorted({pair for a, b, c, d in questions[section] for pair in ((a, b), (c, d))})


unit = F.normalize(model.vectors, dim=1).cpu()  # (V, dim)
arrows = pairs_of("capital" if "capital" in questions else next(iter(questions)))[:6]
words = [word for pair in arrows for word in pair]
points = mb.show.pca(unit[[vocab[word] for word in words]])
figure = mb.show.scatter_words(points, words, arrows=arrows, title="From a country to its capital")
mb.show.figure(figure)

# %% [markdown]
r"""
But a right answer proves little if it would have come without the arrow. So ask of each kind: how
parallel are its arrows (their mean cosine: 1 if parallel, 0 if as any two), and how often is the
nearest neighbour of $c$ alone, with no sum at all, the right answer?
"""

# %%
for section, asked in questions.items():
    ends = torch.tensor([[vocab[a], vocab[b]] for a, b in pairs_of(section)])  # (pairs, 2)
    arrows = F.normalize(unit[ends[:, 1]] - unit[ends[:, 0]], dim=1)  # (pairs, dim)
    cosine = (arrows @ arrows.T)[~torch.eye(len(arrows), dtype=torch.bool)].mean()
    ids = torch.tensor([[vocab[word] for word in question] for question in asked])  # (questions, 4)
    near = (unit[ids[:, 2]] @ unit.T).scatter(1, ids[:, :3], -torch.inf)  # (questions, V)
    alone = (near.argmax(1) == ids[:, 3]).float().mean()
    print(f"{section:>12}: arrows {cosine:5.2f}   c alone {alone:5.1%}   the sum {scores[section]:5.1%}")

# %% [markdown]
r"""
Capitals pass both tests: their arrows point much the same way, and $c$ alone is of no use. The
pairs of gender pass neither. Their arrows point anywhere, and *wife* is found because it is the
word nearest to *husband* (Linzen 2016 warned of just this). A score needs a baseline that is as
cheap as it can be.
"""

# %% [markdown]
r"""
## 8. Touch it

A map of the words: search it, ask an analogy (a − b + c), and move the slider to see the meanings
appear while the model trains. Things to try: *spring*, a word with two meanings; two days of the
week; the analogy *woman − man + king* (in the letters of section 7: $b - a + c$).
"""

# %%
kinds = {"animals": "farm_animal", "trades": "trade", "days": "weekday", "months": "month",
         "colours": "colour", "trees": "tree"}
lexicon = mb.world.world(0).lexicon
groups = {
    name: [word.name for word in lexicon[cls] if word.name.lower() in vocab][:12]
    for name, cls in kinds.items()
}
groups = {name: [word.lower() for word in members] for name, members in groups.items() if members}
mb.show.VectorExplorer(snapshots, vocab.tokens, groups=groups, search="spring")

# %% [markdown]
r"""
## 9. Two more ways to the same vectors (optional)

**CBOW** turns the game round: average the context vectors, guess the centre. One guess a position
instead of one a pair, so it is faster, and it smooths over what each neighbour alone would say.

**Hierarchical softmax** replaces the flat softmax by a binary tree with the words as leaves. A word
is a path of turns, each decided by one sigmoid (Mikolov et al. 2013b, eq. 3):

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
*Predict before you run:* with any vectors at all, what do the probabilities of all five words add
up to?
"""

# %% tags=["nbval-check-output"]
centre_vector, node_vectors = torch.randn(8), torch.randn(4, 8)  # V - 1 = 4 inner nodes
total = 0.0
for path, bits in zip(nodes, turns, strict=True):
    signs = 1 - 2 * torch.tensor(bits)  # turn 0: +1, turn 1: -1
    total += torch.sigmoid(signs * (node_vectors[path] @ centre_vector)).prod().item()
print(f"{total:.4f}")

# %%
some = sentences[: 200 if SMOKE else 1000]
for mode in ("skipgram", "cbow"):
    for loss in ("negative", "hierarchical", "full"):
        other = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=32, mode=mode, loss=loss), vocab)
        batches = mb.text.WindowBatches.of(other, some, batch_size=1024)
        mb.fit(other, batches, steps=1, progress=False)  # the first step is slow: not timed
        start = time.time()
        history = mb.fit(other, batches, epochs=1, progress=False)
        seconds = time.time() - start
        print(f"{mode:9} {loss:13} {seconds:5.2f} s   loss {history.recent():.2f} nats a guess")

# %% [markdown]
r"""
The six losses are not comparable with one another: they are answers to different questions. Which
gives the better vectors is measured in section 14.

## 10. One word, one vector, two meanings

*Bat* is an animal and a piece of wood; *spring* is a season and a source of water. The model has
one vector for both. The world knows which is meant at each place, so we can ask an exact question.
In every second document we write the sense into the text (`bat#animal`); the others stay plain.
Then all three, the plain word and both of its senses, live in one space.

*Predict before you run:* where does the plain vector lie? At one of the senses, somewhere else, or
between them? And if one sense is used nine times as often as the other?
"""

# %%
def tagged(corpus):
    """Sentences in lower case; in every second document, homographs carry their sense."""
    for number, document in enumerate(corpus.documents):
        for sentence in document.sentences:
            yield [
                f"{token}#{sense.split('.')[-1]}".lower() if sense and number % 2 else token.lower()
                for token, sense in zip(sentence.tokens, sentence.sense, strict=True)
            ]


tagged_sentences = list(tagged(corpus))
tagged_vocab = mb.text.Vocab.train(tagged_sentences, min_count=MIN_COUNT)
print(sorted(token for token in tagged_vocab.tokens if "#" in token)[:12])

# %%
settings = mb.Word2VecConfig(vocab_size=len(tagged_vocab), dim=64)
senses = mb.Word2Vec(settings, tagged_vocab)
mb.models.word2vec.learn(senses, tagged_sentences, epochs=EPOCHS, rate=0.1, seed=0, progress=False)

# %%
def place(model, word, first, second):
    """Where a word lies along the line from its second sense (0) to its first (1)."""
    unit = F.normalize(model.vectors, dim=1)
    v, one, two = unit[[model.vocab[w] for w in (word, first, second)]]  # (dim,) each
    return float((v - two) @ (one - two) / (one - two).square().sum())


def homographs(vocab, least=20):
    """(word, its two most frequent senses, the share of the first), where both are common."""
    found = {}
    for token, count in zip(vocab.tokens, vocab.counts.tolist(), strict=True):
        if "#" in token and count >= least:
            found.setdefault(token.split("#")[0], []).append((count, token))
    for word, counted in sorted(found.items()):
        if len(counted) > 1 and word in vocab:
            (n1, first), (n2, second) = sorted(counted, reverse=True)[:2]
            if len(word) % 2:  # so that the frequent sense is not always the first
                n1, first, n2, second = n2, second, n1, first
            yield word, first, second, n1 / (n1 + n2)


# %%
least = 1 if SMOKE else 20
rows = [(w, share, place(senses, w, a, b)) for w, a, b, share in homographs(tagged_vocab, least)]
fig, ax = mb.show.new("Homographs lie between their senses", "share of uses in the first sense",
                      "place of the plain vector (0 second, 1 first)")
ax.plot([0, 1], [0, 1], ":", color="grey")
ax.plot([share for _, share, _ in rows], [at for *_, at in rows], "o")
mb.show.name_points(ax, {word: (share, at) for word, share, at in rows})
told = "; ".join(f"{word} {share:.2f} and {at:.2f}" for word, share, at in rows)
mb.show.figure(fig, alt=f"Homographs by share of the first sense and place between the two: {told}.")

# %% [markdown]
r"""
{{exercise 01.homographs}}

Explain in three to five sentences why the plain vector of a homograph lies between its senses, what
happens when one sense is nine times as frequent as the other, and how you would test that.
"""

# %% [markdown] written="01.homographs"
r"""
The loss treats all occurrences of *bat* alike, so its one vector must predict the words of a match
at one place and the words of a cave at the next; the sum of both pulls leaves it in between. Every
occurrence pulls, so at nine to one it lies close to the frequent sense, and the neighbours of the
rare sense are hard to find. To test it: mark the senses in half of the text, train, and compare the
place of the plain vector with the share of the senses, over many homographs and seeds. A remedy
must give the word a vector that depends on its sentence.
"""

# %% [markdown]
r"""
A vector that depends on the sentence: that is the subject of chapter 02.

## 11. Words from pieces: fastText (optional)

word2vec has no vector for a word that it has never read, although a reader would guess at
*unkindness* at once. fastText (Bojanowski et al. 2017) makes a word's vector from its pieces: all
character n-grams of `<unkindness>`, the angle brackets marking the ends, hashed into a table $z$.

$$
v_w = \frac{1}{|G_w|} \sum_{g \in G_w} z_g
$$

$G_w$ are the word's n-grams, here of three to five letters. (The paper takes three to six, adds the
whole word as one more piece, and leaves the sum undivided.)
"""

# %%
from minibert.models.word2vec.fasttext import Pieces, pieces

mb.course.source(pieces)
mb.course.source(Pieces.forward)

# %% [markdown]
r"""
The readable model takes any module as its input table, so the pieces go straight in; the noise and
the loop stay as they were. To have something unseen, we hide a few words from it.
"""

# %%
hidden = {"mornings", "kindness", "unkind", "bakery", "slowly", "walked", "colder", "horses"}
seen = [[token for token in sentence if token not in hidden] for sentence in sentences]
seen = seen[: 300 if SMOKE else 5000]
small_vocab = mb.text.Vocab.train(seen, min_count=2)
fasttext = mb.Word2Vec(mb.Word2VecConfig(len(small_vocab), dim=48), small_vocab)
fasttext.input = Pieces(small_vocab.tokens, dim=48)
batches = mb.text.WindowBatches.of(fasttext, seen, batch_size=4096)
optimizer = torch.optim.Adam(fasttext.parameters(), lr=0.01)
mb.fit(fasttext, batches, epochs=2, optimizer=optimizer, progress=False)

# %%
for word in sorted(hidden):
    near = ", ".join(other for other, _ in fasttext.neighbours(fasttext.input.vector(word), k=4))
    print(f"{word:>9} (never seen): {near}")

# %% [markdown]
r"""
## 12. Counting instead of guessing: GloVe (optional)

Skip-gram meets the same pairs again and again. GloVe (Pennington et al. 2014) counts them once, in
a matrix $X$ ($X_{ij}$: how often $j$ stands near $i$; a neighbour at distance $d$ counts $1/d$),
and fits the logarithms:

$$
J = \sum_{X_{ij}>0} f(X_{ij})\,\big(w_i^\top \tilde w_j + b_i + \tilde b_j - \log X_{ij}\big)^2,
\qquad f(x) = \min\!\big(1, (x / x_{\max})^{3/4}\big)
$$

Each word has two vectors again, $w_i$ and $\tilde w_i$, and two numbers $b_i$, $\tilde b_i$ for how
frequent it is; $f$ lets rare pairs count less. Skip-gram with negative sampling fits a matrix of
counts, too, without ever writing it down: pointwise mutual information, shifted by $\log k$ (Levy &
Goldberg 2014). Two roads to one place.
"""

# %%
from minibert.models.word2vec.glove import GloVe, cells, cooccurrences

X = cooccurrences(*vocab.encode_corpus(sentences), len(vocab))  # (V, V)
print(f"{(X > 0).float().mean():.1%} of the {X.numel():,} cells are not empty")
mb.course.source(GloVe.loss)

# %%
glove = GloVe(len(vocab), 64)
optimizer = torch.optim.Adam(glove.parameters(), lr=0.02)
mb.fit(glove, cells(X), epochs=1 if SMOKE else 10, optimizer=optimizer, progress=False)

counted = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=64), vocab)
counted.input.weight.data = glove.vectors.cpu()
mb.show.figure(mb.show.bars(accuracy_by_section(counted), "GloVe: analogies (one seed)", "share"))

# %% [markdown]
r"""
## 13. What are the vectors good for?

A vector is a start for the next task. Take a review and ask: does its writer like the thing? A
small convolutional network (Kim 2014) looks at the text through windows of three, four and five
words. Its **first layer** is a table of word vectors, and there are three ways to fill it:

- **random**: it starts from nothing, and learns from the labelled reviews alone;
- **frozen**: it starts from our vectors, which never change;
- **tuned**: it starts from our vectors, which are trained with the rest.

*Predict before you run:* who wins with 100 labelled reviews? Which of the three can make sense of a
word that is in no labelled review?
"""

# %%
task = mb.world.task("sentiment", seed=0)
print(task)
for example in task.train[:2]:
    print(f"\n{example.label}: {example.text}")

# %%
def encoded(examples):
    """Reviews as dicts of ids and a label, for `PaddedBatches`."""
    return [
        {"input_ids": vocab.encode(example.text.lower()), "labels": task.labels.index(example.label)}
        for example in examples
    ]


train, test = encoded(task.train), encoded(task.test[: 50 if SMOKE else 1000])
test_batches = mb.text.PaddedBatches(test, 100, shuffle=False, by_length=False)
truth = torch.tensor([example["labels"] for example in test])

# %%
def accuracy(vectors, freeze, labelled, seed=0):
    """Test accuracy of a small CNN trained on the first ``labelled`` reviews."""
    mb.seed_everything(seed)
    classifier = mb.heads.CNNClassifier(vectors, labels=2, freeze=freeze)
    batches = mb.text.PaddedBatches(train[:labelled], batch_size=20, seed=seed)
    mb.fit(classifier, batches, steps=5 if SMOKE else 100, progress=False)
    return (mb.heads.predict(classifier, test_batches) == truth).float().mean().item()


ours = F.normalize(model.vectors, dim=1).cpu()
random_start = F.normalize(torch.randn(ours.shape), dim=1)
starts = {"random": (random_start, False), "frozen": (ours, True), "tuned": (ours, False)}
results = {name: accuracy(*start, labelled=100) for name, start in starts.items()}
mb.show.figure(mb.show.bars(results, "Reviews judged rightly after 100 labels (one seed)", "share"))

# %% [markdown]
r"""
A blind guess would be right half the time: a hundred labels are few, whatever the first layer.
Section 14 has more labels and more seeds.

{{exercise 01.find_the_bug}}

A colleague reports: "With my classifier, tuned and frozen vectors give exactly the same result. And
`sum(p.numel() ...)` says that my model is tiny." Here is the class. Run it, find out why, and mend
it so that the vectors are trained with the rest.
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

# %% [markdown]
r"""
## 14. How much of this is luck?

One seed proves nothing: another draw of the text, of the first vectors and of the noise gives other
bars. So the full experiments were run over {{finding 01 methods.negative seeds}} seeds
(`make findings CH=01`, settings in `chapters/findings/01.py`), and the dots below are those runs.
The diamonds are the papers' own figures, from a billion words and three hundred dimensions: compare
directions, not heights.
"""

# %%
found = mb.course.findings("01")


def values(experiment, names):
    """condition -> one value a seed."""
    return {label: found.values(f"{experiment}.{name}") for label, name in names.items()}


figure = mb.show.spread(
    values("methods", {"skip-gram, negative sampling": "negative",
                       "skip-gram, hierarchical": "hierarchical", "CBOW, negative": "cbow",
                       "GloVe": "glove", "untrained": "untrained"}),
    paper={"skip-gram, negative sampling": 0.59, "skip-gram, hierarchical": 0.47},
    title="Analogies by training method",
    xlabel="share correct, mean over the kinds of question",
)
mb.show.figure(figure)

# %% [markdown]
r"""
The papers' figures are those of Mikolov et al. (2013b), table 1: NEG-5 59 %, HS-Huffman 47 %.

- {{claim 01 methods.negative methods.untrained | training makes analogies by offset possible}}
- {{claim 01 methods.negative methods.hierarchical | negative sampling beats the hierarchical softmax}}
- {{claim 01 methods.negative methods.cbow | skip-gram beats CBOW}}
"""

# %%
names = {f"k = {k}": f"k{k}" for k in (1, 2, 5, 10, 20)}
figure = mb.show.spread(values("negatives", names), title="How many noise words?",
                        xlabel="share of analogies correct")
mb.show.figure(figure)

# %% [markdown]
r"""
The paper advises 5 to 20 noise words on small data, 2 to 5 on large.

- {{claim 01 negatives.k5 negatives.k1 | five noise words beat one}}
- {{claim 01 negatives.k20 negatives.k5 | twenty beat five}}
- {{claim 01 frequencies.three_quarters frequencies.uniform | noise by the power of 3/4 beats uniform noise}}
- {{claim 01 frequencies.three_quarters frequencies.unigram | noise by the power of 3/4 beats noise by plain frequency}}
- {{claim 01 frequencies.three_quarters frequencies.all_words | subsampling beats reading every word}}
"""

# %%
figure = mb.show.spread(
    values("homographs", {"plain to each sense": "to_senses", "sense to sense": "between_senses"}),
    title="Homographs: how near to their two senses?",
    xlabel="cosine, mean over the homographs",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 01 homographs.to_senses homographs.between_senses | a plain vector is nearer to its senses than these are to each other}}
- Between 0 (second sense) and 1 (first), {{finding 01 homographs.inside mean .0%}} of the homographs lie
  inside; the correlation of place with share is {{finding 01 homographs.correlation mean .2f}}
  (95 % interval {{finding 01 homographs.correlation low .2f}} to
  {{finding 01 homographs.correlation high .2f}}).
- Of words that were hidden in training, {{finding 01 subwords.pieces mean .0%}} find a nearest
  neighbour of their own part of speech through their pieces; a word drawn blindly does in
  {{finding 01 subwords.chance mean .0%}} of the cases.
"""

# %%
labelled = found.content["experiments"]["first_layer"]["config"]["labels"]
fig, ax = mb.show.new("A first layer of word vectors", "labelled reviews", "share judged rightly")
for name, marker in (("random", "o-"), ("frozen", "s--"), ("tuned", "^:")):
    runs = torch.tensor(found.values(f"first_layer.{name}"))  # (seeds, budgets)
    ax.errorbar(labelled, runs.mean(0), runs.std(0), fmt=marker, capsize=4, label=name)
ax.set_xscale("log")
ax.set_xticks(labelled, [str(n) for n in labelled])
ax.minorticks_off()
ax.legend(title="mean and standard deviation")
mb.show.figure(fig, alt="Accuracy by number of labels for random, frozen and tuned word vectors.")

# %% [markdown]
r"""
- {{claim 01 first_layer.frozen_fewest first_layer.random_fewest | with the fewest labels, frozen vectors beat random ones}}
- {{claim 01 first_layer.frozen_most first_layer.random_most | with the most labels, frozen vectors beat random ones}}
- {{claim 01 first_layer.tuned_most first_layer.frozen_most | with the most labels, tuned vectors beat frozen ones}}

Kim (2014) found tuned vectors from Google News 100 billion words a little better than frozen ones,
and both far better than random ones (SST-2: 87.2, 86.8 and 82.7 % right). Compare with what was
measured here, and ask what our vectors cannot know: sentiment is just what *good* and *bad* do not
share.

## 15. The real thing

The same class, on real English: some pages of British novels, when they are at hand
(`minibert data list` says where to put them). It takes a few seconds; the whole collection, with
the scores of the standard benchmarks, is one command:
`minibert pretrain word2vec --corpus books_train`.
"""

# %%
try:
    books = mb.data.load("books_train")
except FileNotFoundError as missing:
    books = None
    print(missing)
else:
    novels = [line.lower() for line, _ in zip(books.paragraphs(), range(300 if SMOKE else 3000), strict=False)]
    book_vocab = mb.text.Vocab.train(novels, min_count=5)
    real = mb.Word2Vec(mb.Word2VecConfig(len(book_vocab), dim=64), book_vocab)
    mb.models.word2vec.learn(real, novels, epochs=EPOCHS, seed=0, progress=False)
    for word in ["brother", "london", "horse", "happy"]:
        if word in book_vocab:
            print(f"{word:>8}:", ", ".join(other for other, _ in real.neighbours(word, k=6)))

# %% [markdown]
r"""
Vectors that others have trained on billions of words load into the same class: GoogleNews word2vec
(binary), GloVe and fastText (`.vec`), with `mb.Word2Vec.from_pretrained("file")`.

## 16. Summary

- A word's meaning, as far as a text shows it, is the company that it keeps. Skip-gram turns this
  into a guessing game, and the vectors are what it learns in order to win.
- Negative sampling makes the game cheap; the 3/4 power and subsampling deal with Zipf's law.
- Differences between vectors can carry relations, so that analogies become sums.
- Vectors from plain text can be the first layer of a classifier. Whether they help depends on the
  task: they know which words are *used alike*, and *good* is used like *bad*.
- A word has one vector: homographs lie between their senses. Chapter 02 gives each *occurrence* its
  own.

{{quiz 01.q1}}

{{quiz 01.q2}}

{{quiz 01.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Mikolov et al. (2013a), [arXiv:1301.3781](https://arxiv.org/abs/1301.3781), and
(2013b), [arXiv:1310.4546](https://arxiv.org/abs/1310.4546): the two papers of this chapter. Goldberg &
Levy (2014), *word2vec explained*, [arXiv:1402.3722](https://arxiv.org/abs/1402.3722): the derivation in
full. Levy & Goldberg (2014), *Neural word embedding as implicit matrix factorization*. Pennington
et al. (2014), *GloVe*. Bojanowski et al. (2017), *Enriching word vectors with subword information*,
[arXiv:1607.04606](https://arxiv.org/abs/1607.04606). Linzen (2016), *Issues in evaluating semantic spaces using word analogies*,
[arXiv:1606.07736](https://arxiv.org/abs/1606.07736). Kim (2014), *Convolutional neural networks for sentence classification*,
[arXiv:1408.5882](https://arxiv.org/abs/1408.5882). Arora et al. (2018), *Linear algebraic structure of word senses*,
[arXiv:1601.03764](https://arxiv.org/abs/1601.03764). D2L, [sections 15.1 to 15.7](https://d2l.ai/chapter_natural-language-processing-pretraining/index.html).
"""
