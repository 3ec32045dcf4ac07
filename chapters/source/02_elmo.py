# ---
# jupyter:
#   minibert:
#     title: ELMo
#     question: What does a word mean here, in this sentence?
#     minutes: 90
#     seconds: 75
#     memory_mb: 1000
#     needs: ["chapter 00 (cross-entropy, an LSTM)", "chapter 01 (word vectors)"]
#     skip: "what is marked optional: the exercises 02.convolve, 02.step, 02.read, 02.train and 02.bayes (46 minutes), and sections 8 to 10 (half an hour)"
#     papers:
#       - "Peters et al. (2018), Deep contextualized word representations, arXiv:1802.05365"
# ---

# %% [markdown]
r"""
# 02 · ELMo: what does a word mean here, in this sentence?

{{head}}

Chapter 01 gave each word one vector. But *bat* has two meanings, and one vector cannot be both.
You have no such trouble: *the bat slept in the barn*, *she swung the bat*. You know at once,
because you have read the rest of the sentence.

ELMo (Peters et al. 2018) reads the rest of the sentence, too. It gives every **occurrence** of a
word a vector of its own. In 2018 this one idea improved the best results on six tasks at once.
Since then it has been usual to train a language model first and the task second.
"""

# %%
import math
import os
import random
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
**First, what it can do.** The library has a small ELMo, which has read nine million words of the
embedded world. Nobody told it that words have senses. We let it read two sentences, and then every
sentence of a fresh text that has the word *bat*.
"""

# %%
def uses_of(corpus, wanted=None):
    """(words of the sentence, position, sense) for each use of a word with several senses."""
    for document in corpus.documents:
        for sentence in document.sentences:
            for position, sense in enumerate(sentence.sense):
                if sense and wanted in (None, sense.split(".")[0]):
                    yield list(sentence.tokens), position, sense


def vectors_of(uses):
    """Their vectors in every layer of ELMo: (layers, uses, width)."""
    memory, rows = mb.heads.Remembered.of(elmo, [words for words, *_ in uses])
    return memory.table[:, [row[at] for row, (_, at, _) in zip(rows, uses, strict=True)]]


elmo = mb.ELMo.from_pretrained("minibert-elmo")
reading = mb.world.generate(tokens=20_000 if SMOKE else 80_000, seed=2)
bats = [use for use in uses_of(reading, "bat") if use[0][use[1]] == "bat"]  # spelled just so
bats = list({tuple(use[0]): use for use in bats}.values())  # each sentence once
vectors = vectors_of(bats)  # (3, uses, width)
print(len(bats), "sentences with “bat” in", reading)

# %% [markdown]
r"""
For each of the two sentences, which uses of *bat* have the most similar vectors? The measure is the
cosine from chapter 01. The sense that the world itself meant stands in brackets. (Each different
sentence is shown once.)
"""

# %%
questions = [("The bat slept in the barn .".split(), 1, "bat.animal"),
             ("She swung the bat and hit the ball .".split(), 3, "bat.club")]


def show_nearest(question, vector, among):
    """Print the uses of *bat* whose vectors, ``among``, are nearest to the question's vector."""
    words, _, sense = question
    cosines = F.cosine_similarity(among, vector, dim=-1)  # (uses,)
    print(" ".join(words), f"[{sense}]")
    for i in cosines.topk(min(4, len(bats))).indices.tolist():
        mark = "same sense" if bats[i][2] == sense else "OTHER SENSE"
        print(f"  {cosines[i]:.2f} {mark}: {' '.join(bats[i][0])} [{bats[i][2]}]")


for question, vector in zip(questions, vectors_of(questions)[2], strict=True):
    show_nearest(question, vector, vectors[2])
print("uses by sense:", dict(Counter(sense for *_, sense in bats)))

# %% [markdown]
r"""
ELMo puts the animals first, and no label was needed. Only three of these sentences are about the
animal, and these three lead the list, although they say *a bat* and the question says *the bat*.
(So the fourth line has to be a club. Look at its cosine.) The second list proves little: nearly all
uses are clubs, so it would often be right by luck.

word2vec has only one vector for *bat*. But it can offer the mean of its vectors of the words
**around** *bat*. What does that find for the first question? The last line tries other windows: how
many of the four nearest uses are animals?
"""

# %%
def around(use, window=30):
    """The words up to ``window`` positions away, in lower case."""
    words, at, _ = use
    return [word.lower() for word in words[max(0, at - window) : at] + words[at + 1 : at + 1 + window]]


w2v = mb.Word2Vec.from_pretrained("minibert-word2vec")
table = F.normalize(w2v.vectors, dim=1)  # (V, 64)


def static(use, window=10):
    """The mean word2vec vector of the words around a use, (64,)."""
    rows = [w2v.vocab.ids[word] for word in around(use, window) if word in w2v.vocab]
    return table[rows].mean(0) if rows else torch.zeros(table.shape[1])


show_nearest(questions[0], static(questions[0]), torch.stack([static(bat) for bat in bats]))
animals = {}  # window -> animals among the four nearest
for window in (2, 5, 30):
    means = torch.stack([static(bat, window) for bat in bats])  # (uses, 64)
    cosines = F.cosine_similarity(means, static(questions[0], window), dim=-1)
    near = [bats[i][2] for i in cosines.topk(min(4, len(bats))).indices.tolist()]
    animals[window] = near.count("bat.animal")
print("animals among the nearest four, by window:", animals)

# %% [markdown]
r"""
All four are clubs, and no window finds an animal. (This mean counts all words alike. A mean in
which frequent words such as *the* count less is a stronger rival: Arora et al. 2017. Try it.)
Section 5 compares ELMo and the plain mean on many words; the findings at the end have both means.

In this chapter you build this model part by part. Then you measure how many labels its vectors are
worth, and you put them into a tagger.
"""

# %% tags=["hide-input"]
def box(ax, x, y, text, colour):
    """A coloured box with a text, centred on (x, y)."""
    ax.text(x, y, text, ha="center", va="center", fontsize=9.5,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "none"})


def arrow(ax, start, end, bend=0.0):
    ax.annotate("", xy=end, xytext=start, arrowprops={
        "arrowstyle": "->", "color": "#5f5f5f", "connectionstyle": f"arc3,rad={bend}"})


SAND, SKY, LEAF, ROSE = "#f3e3c3", "#cfe6f5", "#cdebdc", "#f5d5c8"
fig, ax = mb.show.new("ELMo, from letters to the mix", size=(7.6, 5.2))
ax.set(xlim=(-1.5, 5.7), ylim=(-0.5, 6.2))
ax.axis("off")
LAYERS = ((1, "letters to\na word"), (2.6, "LSTMs 1"), (4.2, "LSTMs 2"))
for y, name in ((0, "letters"), *LAYERS, (5.7, "mix")):
    ax.text(-1.45, y, name, va="center", fontsize=10)

# %% tags=["hide-input"]
WORDS = ((0.5, "a"), (2.3, "bat"), (4.1, "slept"))
SIDES = ((-0.36, 0.27, "forward", SKY), (0.36, -0.27, "back", ROSE))  # forward stands higher
for x, word in WORDS:
    box(ax, x, 0, " ".join(word), SAND)
    box(ax, x, 1, "CNN, highway", LEAF)
    arrow(ax, (x, 0.2), (x, 0.76))
    for y in (2.6, 4.2):
        for dx, dy, name, colour in SIDES:
            box(ax, x + dx, y + dy, name, colour)
            arrow(ax, (x + dx, 1.24 if y < 3 else y - 1.36 + dy), (x + dx, y - 0.22 + dy))
for y in (2.6, 4.2):
    for x in (0.5, 2.3):  # from word to word
        arrow(ax, (x - 0.02, y + 0.27), (x + 1.1, y + 0.27))
        arrow(ax, (x + 1.88, y - 0.27), (x + 0.64, y - 0.27))
box(ax, 2.3, 5.7, "γ · (s₀ layer 0 + s₁ layer 1 + s₂ layer 2)", SAND)
for start, end, bend in (((1.94, 4.7), 2.1, 0), ((2.66, 4.16), 2.5, 0),
                         ((1.6, 3.0), 1.55, -0.2), ((3.0, 2.5), 3.05, 0.2),
                         ((1.62, 1.15), 1.2, -0.15)):
    arrow(ax, start, (end, 5.45), bend)
mb.show.figure(fig, alt="Letters become a word vector; two layers of LSTMs read it forward and back; "
                        "the mix adds up the three layers of one word.")

# %% [markdown]
r"""
The picture shows the whole model for three words. Letters become a vector for the word (section
1). Two layers of LSTMs read the sentence in both directions (section 2). For each word, the
**mix** adds up the word vector and the states of the two layers (section 7).

## 1. A word is its letters

word2vec looks a word up in a table. ELMo **spells** it: every word becomes 50 symbols, namely a
mark for its start, its bytes, a mark for its end, and padding. There are 256 bytes, five marks
(two of them for the ends of a sentence) and a 0 for "no word here". So the alphabet has 262
symbols, and no word in any language is unknown.
"""

# %% tags=["nbval-check-output"]
from minibert.text import characters

print(characters.spell("bat", length=8))
print(characters.spell("bats", length=8))
print([characters.unspell(characters.spell(word)) for word in ("bat", "naïve", "猫")])

# %% [markdown]
r"""
Each symbol has a small vector. A **convolution** moves a filter over them. A filter of width 3
looks at three symbols at a time and gives a score for how well they match. With $x_i$ the vector
of symbol $i$, and $W$, $b$ the weights and bias of a filter of width $w$, its score at position
$i$ is

$$
s_i = \sum_{j=0}^{w-1} W_j \cdot x_{i+j} + b, \qquad m = \max_i s_i
$$

**Max-pooling** keeps only the best match $m$. It answers *is there an "-ing" in this word?*, and
not *where?*

{{exercise 02.convolve}}

(Optional.) Write `best_match(x, weight, bias)` for one filter: `x` is `(symbols, dim)`, `weight` is
`(width, dim)`, and `bias` is a tensor without dimensions.
"""

# %%
def best_match(x, weight, bias):
    """The largest score of one filter anywhere in the word: a scalar tensor."""
    best = 0.0
    ### BEGIN SOLUTION
    positions = range(len(x) - len(weight) + 1)
    scores = [(x[i : i + len(weight)] * weight).sum() + bias for i in positions]
    best = torch.stack(scores).max()
    ### END SOLUTION
    return best


# %%
mb.course.check("02.convolve", best_match)

# %%
best_match = mb.course.use("02.convolve", best_match)

# %% [markdown]
r"""
Many filters of several widths give a long vector, with one number for each pattern. Two **highway**
layers mix these numbers. A highway layer computes something new and decides, for each number, how
much of it to let through. The rest passes unchanged (Srivastava et al. 2015):

$$
y = t \odot \mathrm{relu}(W x + b) + (1 - t) \odot x, \qquad t = \sigma(V x + c)
$$

A last projection makes the result as wide as a word vector. Here is the whole network, with your
`best_match` in it, and beside it the library's.
"""

# %%
config = mb.ELMoConfig(vocab_size=10, dim=24, projection=12, char_dim=8,
                       filters=((1, 4), (2, 8), (3, 12)), cell_clip=None, proj_clip=None)
small = mb.ELMo(config).encoder


def spelled(word):
    """A word's vector, (projection,), from its letters."""
    x = small.embedding.weight[torch.tensor(characters.spell(word))]  # (50, char_dim)
    found = [best_match(x, weight.T, bias)  # weight (char_dim, width)
             for filters in small.convolutions
             for weight, bias in zip(filters.weight, filters.bias, strict=True)]
    y = torch.relu(torch.stack(found))  # (all filters,)
    for layer in small.highway:
        t = torch.sigmoid(layer.gate(y))
        y = t * torch.relu(layer.transform(y)) + (1 - t) * y
    return small.projection(y)


words = ["bat", "bats", "spring"]
by_hand = torch.stack([spelled(word) for word in words])  # (words, projection)
assert torch.allclose(by_hand, small(characters.spell_all(words)), atol=1e-5)
print("equal to the library's")

# %%
mb.course.source(type(small).forward)

# %% [markdown]
r"""
## 2. Two language models

The rest of the sentence comes in through two language models. The **forward** one reads from the
left and predicts the next word. The **backward** one reads from the right and predicts the word
before:

$$
p(w_1 \dots w_n) = \prod_{k=1}^{n} p(w_k \mid w_1 \dots w_{k-1}), \qquad
p(w_1 \dots w_n) = \prod_{k=1}^{n} p(w_k \mid w_{k+1} \dots w_n)
$$

Training raises the logarithm of both (Peters et al. 2018, section 3.1). The two models share the
spelling network and the softmax; each has LSTMs of its own. Together they are called a **biLM**.
Nobody has labelled anything: the text itself holds the right answers.

{{exercise 02.both_ways}}

Write `both_ways(words)`. It returns four lists: what the forward model reads, what it must predict,
and then the same for the backward model. `<S>` and `</S>` mark the start and the end of the
sentence. Each model must also predict the mark at which the sentence stops for it.
"""

# %%
def both_ways(words):
    """(forward inputs, forward targets, backward inputs, backward targets), lists of words."""
    reads, targets, reads_back, targets_back = [], [], [], []
    ### BEGIN SOLUTION
    back = words[::-1]
    reads, targets = ["<S>", *words], [*words, "</S>"]
    reads_back, targets_back = ["</S>", *back], [*back, "<S>"]
    ### END SOLUTION
    return reads, targets, reads_back, targets_back


# %%
mb.course.check("02.both_ways", both_ways)

# %%
both_ways = mb.course.use("02.both_ways", both_ways)

# %% [markdown]
r"""
The LSTM is that of chapter 00 with one change: its output is **projected** to fewer numbers. The
next step and the next layer see only these. So the memory $c$ may be large (4,096 cells in the
published model), while everything that is handed on stays small (512):

$$
i, f, g, o = W x + b + U h, \qquad
c' = \sigma(f) \odot c + \sigma(i) \odot \tanh(g), \qquad
h' = P \, (\sigma(o) \odot \tanh(c'))
$$

{{exercise 02.step}}

(Optional, as is the next one: the library's versions run if you leave them out.) Write one step.
`to_gates` computes $Wx + b$, `from_h` computes $Uh$, and `project` multiplies by $P$. Each of the
two sums has `4 * dim` numbers: the gates in the order i, f, g, o.
"""

# %%
def lstm_step(x, h, c, to_gates, from_h, project):
    """x (batch, width), h (batch, projection), c (batch, dim) -> the new h and the new c."""
    new_h, new_c = None, None
    ### BEGIN SOLUTION
    i, f, g, o = (to_gates(x) + from_h(h)).chunk(4, dim=-1)  # (batch, dim) each
    new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    new_h = project(torch.sigmoid(o) * torch.tanh(new_c))  # (batch, projection)
    ### END SOLUTION
    return new_h, new_c


# %%
mb.course.check("02.step", lstm_step)

# %%
lstm_step = mb.course.use("02.step", lstm_step)

# %% [markdown]
r"""
ELMo has two layers of LSTMs, and the second reads what the first gives out. From the second layer
on, the input is added to the output: a **skip connection**. So the layer has to compute only what
is new.

{{exercise 02.read}}

(Optional.) Write `read(x, layers, dim)`. `x` is `(batch, length, width)`. Each layer is a function
`step(x, h, c)` that returns the new `h`, `(batch, width)`, and the new `c`, `(batch, dim)`. Each
layer begins with `h` and `c` of zeros. Return the top layer's `h` at every position.
"""

# %%
def read(x, layers, dim):
    """(batch, length, width) -> the top layer's state at each word, (batch, length, width)."""
    ### BEGIN SOLUTION
    for number, step in enumerate(layers):
        h, c = torch.zeros_like(x[:, 0]), x.new_zeros(len(x), dim)
        outputs = []
        for t in range(x.shape[1]):
            h, c = step(x[:, t], h, c)
            outputs.append(h)
        new = torch.stack(outputs, 1)
        x = new + x if number else new
    ### END SOLUTION
    return x


# %%
mb.course.check("02.read", read)

# %%
read = mb.course.use("02.read", read)

# %% [markdown]
r"""
Now all the parts come together. Your `both_ways`, your `lstm_step` and your `read` compute the loss
of both directions. It must equal the library's loss on the same two sentences.
"""

# %%
sentences = [["the", "bat", "flew"], ["she", "swung", "the", "bat"]]
vocab = mb.text.Vocab.train(sentences, specials=("<pad>", "<unk>", "<S>", "</S>"))
config.vocab_size, config.dropout = len(vocab), 0.0
model = mb.ELMo(config, vocab)


def loss_of(reads, targets, layers):
    """Sum of the losses of one direction, in nats."""
    steps = [lambda x, h, c, one=one: lstm_step(x, h, c, one.input, one.recurrent, one.projection)
             for one in layers]
    words = model.encoder(characters.spell_all(reads))[None]  # (1, length, projection)
    logits = model.output(read(words, steps, config.dim))[0]  # (length, V)
    return F.cross_entropy(logits, torch.tensor(vocab.encode(targets)), reduction="sum")


reads, targets, reads_back, targets_back = (
    sum(parts, []) for parts in zip(*map(both_ways, sentences), strict=True))
forward = loss_of(reads, targets, model.forward_layers)
backward = loss_of(reads_back, targets_back, model.backward_layers)
batch = next(iter(mb.text.BidirectionalBatches(sentences, vocab, batch_size=1, bptt=20)))
(theirs, n), (theirs_back, _) = model.losses(batch)
assert torch.allclose(forward, theirs, rtol=1e-4)
assert torch.allclose(backward, theirs_back, rtol=1e-4)
print("equal to the library's, forward and backward")
print(f"loss per word {forward / n:.2f} and {backward / n:.2f}; log V is {math.log(len(vocab)):.2f}")

# %% [markdown]
r"""
An untrained model knows nothing, so its loss per word is near $\log V$. The published models also
*clip*: no cell and no output may grow beyond 3.

## 3. A loss that is too good to be true

A colleague has written a backward language model in three lines. `ids` is `(batch, length)`. Every
word except the last is to be predicted from the words after it.
"""

# %%
def her_loss(lstm, output, vectors, ids):
    """Mean loss of a backward language model, in nats per word."""
    states, _ = lstm(vectors(ids).flip(1))  # (batch, length, dim), read from the end
    states = states.flip(1)  # in the order of the text again
    logits = output(states[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())

# %% [markdown]
r"""
She needs a training loop, and so will you.

{{exercise 02.train}}

(Optional.) Write `train(parameters, loss, batches, rate)`: one update of `torch.optim.Adam` for
each batch. `loss(batch)` gives a scalar tensor. Return the list of all losses as numbers, each
measured before its update.
"""

# %%
def train(parameters, loss, batches, rate):
    """Train ``parameters`` with one update per batch; returns the losses, a list of floats."""
    losses = []
    ### BEGIN SOLUTION
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for batch in batches:
        value = loss(batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    ### END SOLUTION
    return losses


# %%
mb.course.check("02.train", train)

# %%
train = mb.course.use("02.train", train)

# %%
from minibert.commands.pretrain.elmo import directions, nats_a_world_token, with_ends
from minibert.models import baselines

corpus = mb.world.generate(tokens=6_000 if SMOKE else 25_000, seed=0)
text, new_text = ([word for sentence in with_ends(one.documents) for word in sentence][:12_000]
                  for one in (corpus, mb.world.generate(tokens=6_000, seed=1)))
known = mb.text.Vocab.train([text])
rows, new_rows = (torch.tensor(known.encode(words[: len(words) // 256 * 256])).view(16, -1)
                  for words in (text, new_text))
batches = list(rows.split(16, dim=1))  # each (16, 16)


def curve(loss, epochs=4):
    """(the losses of a small backward model while it is trained, its loss on new text)."""
    torch.manual_seed(0)
    vectors, output = nn.Embedding(len(known), 48), nn.Linear(48, len(known))
    lstm = nn.LSTM(48, 48, batch_first=True)
    parameters = [p for part in (vectors, lstm, output) for p in part.parameters()]
    losses = train(parameters, lambda ids: loss(lstm, output, vectors, ids), batches * epochs, 0.02)
    with torch.no_grad():
        return losses, loss(lstm, output, vectors, new_rows).item()


hers, hers_new = curve(her_loss)
print(f"her model: last losses {sum(hers[-20:]) / 20:.2f}, on new text {hers_new:.2f}; "
      f"exact floor {corpus.floor:.2f}")

# %% [markdown]
r"""
The **floor** is the entropy of the text (chapter 00). On text that it has read several times, any
model may fall below the floor, by learning it by heart. So we also ask on new text. There hers is
above the floor, but far too low for a small model that has read 12,000 words: in section 4, a
table of word pairs from twice as much text pays more than three times as much per word.

{{exercise 02.find_the_bug}}

Find out why, and fix it.
"""

# %%
def backward_loss(lstm, output, vectors, ids):
    """Mean loss of a backward language model, in nats per word."""
    states, _ = lstm(vectors(ids).flip(1))  # (batch, length, dim), read from the end
    states = states.flip(1)  # in the order of the text again
    logits = output(states[:, :-1])
    ### BEGIN SOLUTION
    logits = output(states[:, 1:])  # state t + 1 has read the words after t, and not t itself
    ### END SOLUTION
    return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())


# %%
mb.course.check("02.find_the_bug", backward_loss)

# %%
backward_loss = mb.course.use("02.find_the_bug", backward_loss)
honest, honest_new = curve(backward_loss)
print(f"on new text: hers {hers_new:.2f}, fixed {honest_new:.2f}")
figure = mb.show.loss_curve({"hers": hers, "fixed": honest}, floor=corpus.floor,
                            floor_label="exact floor",
                            title="A model that sees its answer, and one that does not",
                            ylabel="loss (nats per word)")
mb.show.figure(figure)

# %% [markdown]
r"""
Her curve falls through the floor: her model has learned to copy the word that it reads. This helps
on new text, too. The fixed curve stays far above the floor, and its loss on new text is higher
still.

Her bug is one step wide. In a stack of layers it would be there by design: if layer 1 read both
sides, layer 2 would find each word in its neighbours' states. So ELMo keeps the two directions
apart. (BERT, in chapter 05, hides the word instead.)

## 4. Build a biLM, and train it

Now you build a biLM of your own. It looks its words up in a table, as in chapter 01, and it has two
layers of ordinary LSTMs in each direction. Everything else is as in the picture above section 1.

Each model knows one side of a gap, and together they know both. Suppose that, once the word $w$ in
the gap is known, the left side says nothing more about the right side. Then Bayes' rule gives

$$
\log p(w \mid \text{left}, \text{right}) = \log p(w \mid \text{left}) + \log p(w \mid \text{right})
- \log p(w) + \text{const}
$$

We subtract $\log p(w)$ because both models have counted how frequent the word is.

{{exercise 02.bilm}}

This is the chapter's build: two classes, about 25 lines. You write whole methods, with the names
and arguments below. `ids` is always `(batch, length)`. The check looks at the steps in this order,
so you can run it after each of them.

1. `Reader.__init__(self, words, width, dim)` begins with `super().__init__()`. It makes
   `self.vectors`, an `nn.Embedding` of `words` rows with `width` numbers, which both directions
   read. It also makes two `nn.LSTM` with `num_layers=2` and `dim` cells, one for each direction
   (`batch_first=True`). Their names are up to you.
2. `Reader.states(self, ids)` returns two tensors, `(batch, length, dim)`, both in the order of the
   text. Forward state `t` has read the words from the start up to word `t`. Backward state `t` has
   read the words from the end down to word `t`.
3. `BiLM.__init__(self, words, width, dim)` begins with `super().__init__(words, width, dim)`, which
   is step 1. It adds `self.output`, the `nn.Linear` from `dim` to `words` that both directions
   share.
4. `BiLM.losses(self, ids)` returns two mean cross-entropies as tensors, forward and backward. The
   forward model predicts every word but the first, and the backward model every word but the last.
5. `BiLM.guess(self, ids, share)` fills gaps: it returns the sum above, without the constant, for
   every word that has a neighbour on both sides, `(batch, length - 2, words)`. `share` is $p(w)$,
   `(words,)`.
"""

# %%
class Reader(nn.Module):
    """Reads ``ids`` (batch, length) from both ends."""

    ### BEGIN SOLUTION
    def __init__(self, words, width, dim):
        super().__init__()
        self.vectors = nn.Embedding(words, width)
        self.ahead = nn.LSTM(width, dim, num_layers=2, batch_first=True)
        self.back = nn.LSTM(width, dim, num_layers=2, batch_first=True)

    def states(self, ids):
        x = self.vectors(ids)  # (batch, length, width)
        forward, _ = self.ahead(x)
        backward, _ = self.back(x.flip(1))
        return forward, backward.flip(1)
    ### END SOLUTION


# %%
class BiLM(Reader):
    """A language model in each direction."""

    ### BEGIN SOLUTION
    def __init__(self, words, width, dim):
        super().__init__(words, width, dim)
        self.output = nn.Linear(dim, words)

    def losses(self, ids):
        forward, backward = self.states(ids)
        logits = self.output(forward[:, :-1])  # (batch, length - 1, words)
        ahead = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        logits = self.output(backward[:, 1:])
        back = F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())
        return ahead, back

    def guess(self, ids, share):
        forward, backward = self.states(ids)
        left = self.output(forward[:, :-2]).log_softmax(-1)  # (batch, length - 2, words)
        right = self.output(backward[:, 2:]).log_softmax(-1)
        return left + right - share.log()
    ### END SOLUTION


# %%
mb.course.check("02.bilm", BiLM)

# %%
BiLM = mb.course.use("02.bilm", BiLM)

# %% [markdown]
r"""
*Predict before you run:* which direction will have the lower loss on English, forward or backward,
or will they be about equal? And how often does each find a word that is hidden, and how often do
both together? The loop `train` of section 3 trains your class. We measure on new text.
"""

# %%
whole = [word for sentence in with_ends(corpus.documents) for word in sentence]
words = mb.text.Vocab.train([whole])  # the whole text, not the first 12,000 words
reads, asks = (torch.tensor(words.encode(part[: len(part) // 256 * 256])).view(16, -1)
               for part in (whole, new_text))  # each (16, length)
share = reads.flatten().bincount(minlength=len(words)) + 1.0  # (V,); no word has the share 0
share = share / share.sum()
mb.seed_everything(0)
bilm = BiLM(len(words), 48, 96)
pieces = list(reads.split(16, dim=1)) * (1 if SMOKE else 4)  # four epochs
losses = train(list(bilm.parameters()), lambda ids: sum(bilm.losses(ids)), pieces, 0.02)

# %%
with torch.no_grad():
    forward, backward = bilm.losses(asks)
    learned, _ = bilm.losses(reads[:, : asks.shape[1]])
    ahead, back = bilm.states(asks)
    scores = {"biLM, left side": bilm.output(ahead[:, :-2]),
              "biLM, right side": bilm.output(back[:, 2:]),
              "biLM, both sides": bilm.guess(asks, share)}  # each (16, length - 2, V)
frequency = -share.log()[asks].mean()
print(f"new text: forward {forward:.2f}, backward {backward:.2f} nats per word; "
      f"by frequency alone {frequency:.2f}; text to learn from: forward {learned:.2f}")
gaps = asks[:, 1:-1]  # (16, length - 2)
unknown = gaps == words.ids["<unk>"]
costs = -scores["biLM, left side"].log_softmax(-1).gather(-1, gaps[..., None])[..., 0]
print(f"{unknown.float().mean():.1%} of the new words are unknown; each costs the forward model "
      f"{costs[unknown].mean():.1f} nats, and a known word {costs[~unknown].mean():.2f}")

# %% [markdown]
r"""
A cheap opponent: count which word follows which in the same text, and, for the other direction,
which precedes which (the interpolated bigram of chapter 00). The tables have a loss too, and they
fill gaps by the same formula.
"""

# %%
def after(table, ids):
    """log p of every word beside each of the ids, by a table of word pairs: (*ids.shape, V)."""
    known, where = ids.unique(return_inverse=True)
    rows = [torch.tensor(table.distribution([word]), dtype=torch.float32) for word in known.tolist()]
    return torch.stack(rows).log()[where]


follows, precedes = (baselines.NGram(ids.tolist(), len(words), order=2, start=0)
                     for ids in (reads.flatten(), reads.flatten().flip(0)))
paid = [-table.log_probs(ids.tolist()).mean() for table, ids in
        ((follows, asks.flatten()), (precedes, asks.flatten().flip(0)))]
left, right = after(follows, asks[:, :-2]), after(precedes, asks[:, 2:])
by_table = {"left side": left, "right side": right, "both sides": left + right - share.log()}
costs = -left.gather(-1, gaps[..., None])[..., 0]
print(f"a table of word pairs: forward {paid[0]:.2f}, backward {paid[1]:.2f} nats per word; an "
      f"unknown word costs {costs[unknown].mean():.1f}, a known one {costs[~unknown].mean():.2f}")

# %%
scores |= {f"word pairs, {name}": score for name, score in by_table.items()}
found = {name: (score.argmax(-1) == gaps).float().mean().item() for name, score in scores.items()}
found["always the most frequent"] = (gaps == share.argmax()).float().mean().item()
mb.show.figure(mb.show.bars(found, "Which word stands in the gap?", "share right (new text)"))

# %% [markdown]
r"""
The two losses are close, and that is no accident: both models factor the same probability of the
same text, so two perfect models would have exactly the same loss. Each side alone finds a hidden
word about equally often, and **both sides together find it clearly more often**. That is why ELMo
reads in both directions.

Both directions beat frequency alone by almost a nat. A table of word pairs, counted on the same
text, is better still, both in its loss and in the gap. Two tables together also find more words
than one. (One new word in eighteen is unknown to the models and to the tables. It never stood in
the text to learn from, so it costs this model about 13 nats. On known words alone, its loss on new
text is close to that on the text to learn from.)

The library's ELMo has the same two directions. It also spells its words, and it has your
`lstm_step` with its projection and your `read` with its skip connection. Here is a small one,
trained on the same kind of text. Its fast parts spell each different word of a batch once, and run
both directions as one batch (`minibert/models/elmo/fast.py`; a test holds the two equal).
"""

# %%
train_text = list(with_ends(corpus.documents))
held_out = mb.world.generate(tokens=3_000 if SMOKE else 6_000, seed=1)
vocab = mb.text.Vocab.train(train_text, min_count=2, specials=("<pad>", "<unk>", "<S>", "</S>"))
config = mb.ELMoConfig(len(vocab), dim=96, projection=48, char_dim=8, cell_clip=None, proj_clip=None,
                       filters=((1, 8), (2, 16), (3, 24), (4, 24)))
mb.seed_everything(0)
model = mb.ELMo(config, vocab)
batches = mb.text.BidirectionalBatches(train_text, vocab, batch_size=16, bptt=20)
valid = mb.text.BidirectionalBatches(list(with_ends(held_out.documents)), vocab, 32, 20)
steps = 5 if SMOKE else len(batches)
history = mb.fit(model, batches, steps=steps, optimizer=mb.optim.adamw(model, 0.01), valid=valid,
                 schedule=mb.optim.cosine(steps, warmup=steps // 20), progress=False)
mb.show.figure(mb.show.loss_curve(history, title="A biLM learns (both directions)"))

# %%
left, right = directions(model, valid)
print(f"held out: forward {left:.2f}, backward {right:.2f} nats per word")
new_sentences = list(with_ends(held_out.documents))
counted, test = (vocab.encode([word for sentence in part for word in (*sentence, "</S>")])
                 for part in (train_text, new_sentences))
spelling, in_world = baselines.Spelling(vocab), {}
letters = sum(spelling(word) for sentence in new_sentences for word in sentence if word not in vocab)
for name, order in (("single words", 1), ("word pairs", 2)):
    ngram = baselines.NGram(counted, len(vocab), order, start=vocab.ids["</S>"])
    price = -ngram.log_probs(test).sum()
    print(f"a table of {name}, the same text: {price / len(test):.2f} nats per word")
    in_world[f"a table of {name}"] = (price + letters) / len(held_out)

# %%
in_world |= {"this model": nats_a_world_token(model, held_out),
             "the bundled ELMo": nats_a_world_token(elmo, held_out), "the floor": held_out.floor}
print("Forward, in nats per token of the world:")
for name, price in in_world.items():
    print(f"{name:>23} {price:.2f}")

# %% [markdown]
r"""
The two directions are close again. (In the figure the point on valid text lies a little below the
curve. Dropout is off when it is measured, and the curve itself goes up and down by as much.)

The tables are the unigram and the interpolated bigram of chapter 00, counted on the same text.
(All losses per word are lower than in the cells above. Here a word that stands only once counts as
unknown, which makes unknown words cheap, and the end of each sentence is one more word, easy to
predict.) The biLM does not even reach the table of word pairs: it has had too few updates. It shows
how training goes, not what a biLM can do.

The last cell says all of this in one more unit, together with the bundled ELMo and the floor. (An
unknown word also pays for its letters there, so that models with different vocabularies can be
compared.) The order is the same: this model lies between the two tables, far above the floor. The
bundled ELMo has read more than three hundred times as much. It is far better than a table of the
small text, and much closer to the floor. The rest of the chapter uses the bundled one. (`minibert
pretrain elmo --recipe minibert-elmo` trains it again.)
"""

# %%
out = elmo.encode([["The", "bat", "slept", "."], ["She", "swung", "the", "bat", "again", "."]])
print(f"{sum(p.numel() for p in elmo.parameters()):,} weights, {len(elmo.vocab):,} words in the softmax")
print(out)

# %% [markdown]
r"""
For every word there are now $L + 1 = 3$ vectors. Layer 0 is the spelled word, repeated once, so
that all layers have the same width. Layers 1 and 2 are the forward state and the backward state of
each LSTM layer, side by side.
"""

# %% [markdown]
r"""
## 5. The same word, elsewhere

Back to the question of the chapter. How good are these vectors at telling senses apart, and would
something much cheaper do as well? The figure shows all uses of *bat* in each layer, one dot for
each different sentence. The axes are the two directions in which the dots differ most (PCA).

*Predict before you run:* what will you see in layer 0?
"""

# %%
senses = sorted({sense for *_, sense in bats})
fig, axes = mb.show.new("Every use of “bat”", columns=3, size=(7.6, 3.4))
for number, ax in enumerate(axes):
    points = mb.show.pca(vectors[number])  # (uses, 2)
    points = points + 0.1 * torch.randn(points.shape).numpy()  # or equal ones would hide each other
    for sense, marker in zip(senses, "os^v", strict=False):
        at = [i for i, (*_, s) in enumerate(bats) if s == sense]
        ax.plot(*points[at].T, marker, label=sense, markerfacecolor="none", alpha=0.8)
    most = 1.1 * abs(points).max() + 0.5
    ax.set(title=f"layer {number}", xlabel="first axis", ylabel="second axis",
           xlim=(-most, most), ylim=(-most, most))
axes[0].legend(fontsize=8)
mb.show.figure(fig, alt="The uses of bat in three layers: one point in layer 0, groups by sense above.")

# %% [markdown]
r"""
In layer 0 all uses are one and the same point. (A little noise has been added to the picture, or
you would see only one dot.) The letters are all that this layer knows. In the layers above, the
sentence has come in: the animals lie apart from the clubs. But the clubs do not lie together. They
fall into several groups, one for each kind of sentence. So these vectors hold more than the sense.

One suspect is grammar: all three animals are the subjects of their sentences, as in our question,
and most clubs are objects. Let us ask for an animal that is an object.

*Predict before you run:* will the three animals come first again?
"""

# %%
question = ("We saw a bat in the barn .".split(), 3, "bat.animal")
show_nearest(question, vectors_of([question])[2][0], vectors[2])

# %% [markdown]
r"""
Now all four are clubs. The states hold whatever helps to guess the next and the previous word: the
role in the sentence as well as the sense. A few labelled uses can say which of these we want. Take
the mean vector of the uses of each sense, where the rest averages out, and look for the nearest.
Peters et al. (2018, section 5.3) measured their layers in this way.

{{exercise 02.sense}}

Write `by_vectors(vector, labelled)`. `labelled` maps each sense to the vectors of its labelled
uses, `(n, width)`. Return the sense whose mean vector has the largest cosine with `vector`.
"""

# %%
def by_vectors(vector, labelled):
    """The sense whose mean vector points most nearly the same way as ``vector``."""
    best = ""
    ### BEGIN SOLUTION
    means = {sense: uses.mean(0) for sense, uses in labelled.items()}
    best = max(means, key=lambda sense: F.cosine_similarity(vector, means[sense], dim=0))
    ### END SOLUTION
    return best


# %%
mb.course.check("02.sense", by_vectors)

# %%
by_vectors = mb.course.use("02.sense", by_vectors)

# %% [markdown]
r"""
Now the cheap rival. It knows only the words that stand around the labelled uses, and it counts
them. This is **naive Bayes**: how probable would sense $s$ make the words $w_1 \dots w_m$
around the new use?

$$
\hat{s} = \arg\max_s \sum_{i=1}^{m} \log \frac{\mathrm{count}_s(w_i) + a}{N_s + a V}
$$

$\mathrm{count}_s(w)$ says how often $w$ stands around the labelled uses of $s$, and $N_s$ is the
sum of these counts. $V$ is the number of different words around all labelled uses, and $a$ keeps a
word that was not counted from getting probability 0.

{{exercise 02.bayes}}

(Optional.) Write `by_counting(words, labelled, a)`. `labelled` maps each sense to a list of its
labelled uses. Each use is the list of words around it.
"""

# %%
def by_counting(words, labelled, a=0.1):
    """The sense under which the ``words`` around a use are most probable."""
    best = ""
    ### BEGIN SOLUTION
    size = len({word for uses in labelled.values() for use in uses for word in use})
    scores = {}
    for sense, uses in labelled.items():
        counts = Counter(word for use in uses for word in use)
        total = counts.total() + a * size
        scores[sense] = sum(math.log((counts[word] + a) / total) for word in words)
    best = max(scores, key=scores.get)
    ### END SOLUTION
    return best


# %%
mb.course.check("02.bayes", by_counting)

# %%
by_counting = mb.course.use("02.bayes", by_counting)

# %% [markdown]
r"""
A second rival is static: the mean of the **word2vec** vectors of the words around the use, as at
the start of the chapter. (The vector of the word itself would be the same for every sense.)

And ELMo has more than one vector to offer. The state *at* a word has to predict its neighbours.
The states *next door* have to predict the word itself, as in your `guess`: the forward state just
before it, and the backward state just after it. They have read what stands around the word, but
not the word itself.
So there are five views of the same uses, and your two functions name the senses.
"""

# %%
def views_of(uses):
    """What each way sees of each use."""
    memory, rows = mb.heads.Remembered.of(elmo, [words for words, *_ in uses])
    padded = [([0, *row, 0], at + 1) for row, (_, at, _) in zip(rows, uses, strict=True)]
    before, here, after = ([row[at + step] for row, at in padded] for step in (-1, 0, 1))
    half, (low, _, top) = memory.width // 2, memory.table  # each (1 + words, width)
    return {"ELMo, next door": torch.cat((top[before, :half], top[after, half:]), -1),
            "ELMo, layer 2": top[here], "ELMo, layer 0": low[here],
            "word2vec around": torch.stack([static(use) for use in uses]),
            "counting": [around(use) for use in uses]}

# %% [markdown]
r"""
The next cell collects the labelled uses from one text and the questions from another. It asks only
about sentences that the first text does not have. It keeps the words with at least two senses that
occur twenty times or more.
"""

# %%
most = 2 if SMOKE else 20
library = mb.world.generate(tokens=40_000 if SMOKE else 150_000, seed=4)
unlike = {tuple(use[0]): use for use in uses_of(library)}  # one use per sentence
pool = {}  # sense -> uses that may be labelled
for use in unlike.values():
    pool.setdefault(use[2], []).append(use)
often = {sense: uses for sense, uses in pool.items() if len(uses) >= most}
words_of = Counter(sense.split(".")[0] for sense in often)
pool = {sense: uses for sense, uses in often.items() if words_of[sense.split(".")[0]] > 1}
fresh = mb.world.generate(tokens=10_000 if SMOKE else 40_000, seed=3)
asked = [use for use in uses_of(fresh) if use[2] in pool and tuple(use[0]) not in unlike]
pool_views = {sense: views_of(uses) for sense, uses in pool.items()}
asked_views = views_of(asked)
print(len(pool), "senses;", len(asked), "uses in new sentences, for instance:")
for words, at, sense in asked[:4]:
    print(f"  {sense:>12}: {' '.join(words[:at])} [{words[at]}] {' '.join(words[at + 1:])}")

# %% [markdown]
r"""
*Predict before you run:* with how many labelled uses per sense will counting catch up with ELMo?
"""

# %%
def accuracy(way, labelled, draws=2):
    """The share of senses named correctly with so many labelled uses per sense."""
    name, right = by_counting if way == "counting" else by_vectors, 0
    for draw in range(draws):
        rng = random.Random(f"{labelled} {draw}")
        chosen = {sense: rng.sample(range(len(uses)), labelled) for sense, uses in pool.items()}
        options = {}  # word -> sense -> what its labelled uses look like
        for sense, rows in chosen.items():
            view = pool_views[sense][way]
            seen = [view[row] for row in rows] if way == "counting" else view[rows]
            options.setdefault(sense.split(".")[0], {})[sense] = seen
        for use, seen in zip(asked, asked_views[way], strict=True):
            right += name(seen, options[use[2].split(".")[0]]) == use[2]
    return right / (draws * len(asked))


budgets = [1, 2] if SMOKE else [1, 2, 5, 20]
curves = {way: [accuracy(way, n) for n in budgets] for way in asked_views}
chance = sum(1 / words_of[sense.split(".")[0]] for *_, sense in asked) / len(asked)
common = {sense.split(".")[0]: sense for sense in sorted(pool, key=lambda one: len(pool[one]))}
always = sum(common[sense.split(".")[0]] == sense for *_, sense in asked) / len(asked)

# %%
fig, ax = mb.show.new("Senses named correctly", "labelled uses per sense", "share of new uses")
for (way, shares), style in zip(curves.items(), ("o-", "s-", "v:", "^--", "D-."), strict=True):
    ax.plot(budgets, shares, style, label=way)
ax.axhline(always, color="#5f5f5f", linestyle=":", label="always the more frequent sense")
ax.axhline(chance, color="#5f5f5f", linestyle=(0, (6, 3)), label="guessing")
ax.set(xscale="log", ylim=(0.2, 1.0))
ax.set_xticks(budgets, [str(n) for n in budgets])
ax.minorticks_off()
ax.legend(fontsize=9, loc="lower right", ncols=2)
mb.show.figure(fig, alt="Share of senses named correctly by labelled uses per sense: ELMo's states "
                        "next door lead; layer 2 is near word2vec around the word; counting "
                        "has caught up with twenty; layer 0 stays flat.")
print(f"always the more frequent sense: {always:.2f}; guessing: {chance:.2f}")
for way, shares in curves.items():
    print(f"{way:>16}: " + "  ".join(f"{share:.2f}" for share in shares))

# %% [markdown]
r"""
Layer 0 has read nothing around the word. It is better than guessing only because it sees the form
of the word: *played* or *plays*, *Light* or *light*. More labels do not help it. Layer 2 has read
the sentence. With one label it is no better than layer 0; with more labels it is, and its lead
grows. With two or five labels it is about as good as the mean of the static vectors around the
word: in our small world these words often give away the sense, in whatever order they stand. With
twenty labels, counting and word2vec are both ahead of layer 2. The states *next door*, which are
all about the surroundings, do best with few labels; with twenty, word2vec is level with them.

The grey dotted line always names the more frequent sense, and with one label nothing is much
better. But it needs to know how frequent the senses are. Here every sense has the same number of
labels, so the labels do not tell.

The curves come from one pair of texts and two draws of the labels. With about a hundred uses, they
also cross by chance. Section 10 repeats them.

The paper's own margin is narrow as well: ELMo names 69.0 % of the senses (F1), where always naming
the most frequent sense gives 65.9 %.

## 6. Touch it

Type two sentences, and click a word in each. The strips are the two vectors, layer by layer, with
their cosine. Below them are the nearest uses in the text. The sliders weight the layers of the mix.
(Here each vector has been scaled to length one first, because the layers have different sizes.)
Try this:

- give all weight to the word vector, then to layer 2, and watch the nearest uses change;
- change the end of a sentence: the vector of a word at its start moves, too (which half of it?);
- ask for a word that no text contains, such as *batlike*.
"""

# %%
mb.show.LayerExplorer(elmo, [words for words, *_ in bats if len(words) < 25], shares=(0.3, 0.0, 1.0),
                      first=("A bat slept in the barn.", "bat"),
                      second=("She swung the bat and hit the ball.", "bat"))

# %% [markdown]
r"""
## 7. ELMo in another model

A tagger finds the names in a text: people, places, organisations. Ours has word vectors, an LSTM
in both directions, and one linear layer. Adding ELMo changes none of this: one vector from ELMo is
put beside the word vector, $[x_k; \mathrm{ELMo}_k]$. ELMo itself is **frozen**. So its vectors can
be computed once for every sentence and remembered.

Which layer should the tagger use? ELMo does not choose. Every task learns a weighted sum of its
own, the **scalar mix** (Peters et al. 2018, equation 1):

$$
\mathrm{ELMo}_k = \gamma \sum_{j=0}^{L} s_j \, h_{k,j}, \qquad s = \mathrm{softmax}(w)
$$

{{exercise 02.mix}}

Write `mix(layers, weights, gamma)`: `layers` is `(L + 1, length, width)`, or with more dimensions
between the first and the last, such as a batch; `weights` is $w$, `(L + 1,)`.
"""

# %%
def mix(layers, weights, gamma):
    """One vector per word: (length, width)."""
    mixed = torch.zeros(layers.shape[1:])
    ### BEGIN SOLUTION
    s = torch.softmax(weights, 0)  # (L + 1,), positive, with the sum 1
    mixed = gamma * torch.einsum("l,l...->...", s, layers)
    ### END SOLUTION
    return mixed


# %%
mb.course.check("02.mix", mix)

# %%
mix = mb.course.use("02.mix", mix)
library = mb.models.elmo.ScalarMix(3)
library.weights.data = torch.tensor([0.0, 1.0, -1.0])
layers = torch.stack([hidden[0] for hidden in out.hidden_states])  # (3, length, width)
ours = mix(layers, library.weights.data, 1.0)
assert torch.allclose(ours, library(layers), atol=1e-5)
print("equal to the library's")

# %% [markdown]
r"""
Each word gets a tag, as in chapter 00 (`B-PER`, `I-PER`, `O`). A name counts only if all of it is
correct. The score is **F1**, the harmonic mean of *precision* (how many of the names found are
correct) and *recall* (how many of the correct ones were found). The error is 1 - F1.
"""

# %%
task = mb.world.task("ner", seed=0)
labelled, tests = (20, 20) if SMOKE else (100, 200)
examples = task.train[:labelled] + task.test[:tests]
memory, rows = mb.heads.Remembered.of(elmo, [list(e.tokens) for e in examples])
names = mb.text.Vocab.train(train_text, min_count=2)
mb.seed_everything(0)
start = mb.Word2Vec(mb.Word2VecConfig(len(names), dim=64), names)
mb.models.word2vec.learn(start, train_text, epochs=3, rate=0.1, seed=0, progress=False)
encoded = [
    {"input_ids": names.encode(list(e.tokens)), "contextual_ids": row,
     "labels": [task.labels.index(tag) for tag in e.labels]}
    for e, row in zip(examples, rows, strict=True)
]
print(task)
pairs = zip(examples[1].tokens, examples[1].labels, strict=True)
print(" ".join(word if tag == "O" else f"{word}/{tag}" for word, tag in pairs))

# %%
class Mix(nn.Module):
    """Your ``mix`` with weights that are learned; ``change``: what is done to the layers first."""

    def __init__(self, layers, change):
        super().__init__()
        self.weights, self.gamma = nn.Parameter(torch.zeros(layers)), nn.Parameter(torch.ones(()))
        self.change = change

    def forward(self, layers):
        return mix(self.change(layers), self.weights, self.gamma)

# %%
def trained(layers=(), change=lambda layers: layers, groups=None):
    """(1 - F1, the tagger) with some of ELMo's layers beside word2vec, or none."""
    mb.seed_everything(0)
    kept = mb.heads.Remembered(memory.table[list(layers)]) if layers else None
    tagger = mb.heads.Tagger(F.normalize(start.vectors, dim=1), len(task.labels), contextual=kept)
    if layers:
        tagger.encoder.mixes["input"] = Mix(len(layers), change)
    parameters = groups(list(tagger.named_parameters()), 0.01, 0.03) if groups else tagger
    steps = 5 if SMOKE else 100
    mb.fit(tagger, mb.text.PaddedBatches(encoded[:labelled], 25), steps=steps, progress=False,
           optimizer=mb.optim.adamw(parameters, 0.01), schedule=mb.optim.linear(steps))
    found, true = mb.heads.tagged(tagger, mb.text.PaddedBatches(encoded[labelled:], 100))
    found, true = ([[task.labels[i] for i in row] for row in part] for part in (found, true))
    return 1 - mb.heads.span_f1(found, true), tagger


def shares_of(tagger):
    """What the mix has learned, as text."""
    shares = tagger.encoder.mixes["input"].weights.detach().cpu().softmax(0)
    return ", ".join(f"layer {j} {share:.2f}" for j, share in enumerate(shares.tolist()))

# %% [markdown]
r"""
A cheap rival has no model at all. It gives each word the tag that the word had most often in the
labelled sentences, as a list does. A new word with a capital within a sentence it takes for a part
of a person's name.

*Predict before you run:* the mix may use all layers. Will it beat layer 1 alone and layer 2 alone?
And how good is layer 0, which has read no neighbours?
"""

# %%
def by_rules(train, test):
    """A list of tags for each sentence, by the words of ``train`` and by capitals."""
    known = {word for e in train for word in e.tokens}
    said = [list(row) for row in mb.models.cheap.MostFrequentTag().fit(train).predict(test)]
    for e, tags in zip(test, said, strict=True):
        high = [at > 0 and word[:1].isupper() for at, word in enumerate(e.tokens)]
        for at, word in enumerate(e.tokens):
            if high[at] and word not in known:
                tags[at] = "I-PER" if high[at - 1] else "B-PER"
    return said


# %%
runs = {"word2vec alone": trained(), "with layer 0": trained((0,)), "with layer 1": trained((1,)),
        "with layer 2": trained((2,)), "with the mix": trained((0, 1, 2))}
print("shares of the mix:", shares_of(runs["with the mix"][1]))
ruled = by_rules(examples[:labelled], examples[labelled:])
errors = {"the rules": 1 - mb.heads.span_f1(ruled, [list(e.labels) for e in examples[labelled:]])}
errors |= {way: error for way, (error, _) in runs.items()}
mb.show.figure(mb.show.bars(errors, f"Names: error after {labelled} sentences (one seed)", "1 - F1"))

# %% [markdown]
r"""
Without ELMo the tagger is worse than the rules in this run: our word vectors know no letters and
have read little. So the rules are the rival to beat. ELMo makes far fewer errors than they do. But
layer 0 alone, which has read no neighbours, does the greater part of it: the letters and the
capitals say a lot about names, and ELMo has read far more text than our word vectors. The LSTM
layers remove a part of what is left.

The mix may use all layers, and yet it is no better than one of them. Its shares have hardly left
their start, a third each. With one seed and so few sentences to test on, a difference of two points
may be luck. Section 8 tries to help the mix; section 10 repeats the comparison.

## 8. Help for the mix (optional)

Why is the mix no better? One possible reason is that the layers have different sizes.
"""

# %%
lengths = memory.table[:, 1:].norm(dim=-1).mean(1)  # (layers,)
print("mean length of a vector:", [round(length, 1) for length in lengths.tolist()])

# %% [markdown]
r"""
The vectors of layer 0 are the longest. So a share of a third for layer 0 is more than a third of
the sum.

{{exercise 02.normalise}}

Write `normalise(layers)`: bring every vector to mean 0 and variance 1 over its own numbers, the
last dimension. (Peters et al. 2018, section 3.2, call it layer normalisation, and found that it
sometimes helps.) Vectors of zeros must stay zeros: they stand for padding.
"""

# %%
def normalise(layers):
    """The same shape; each vector with mean 0 and variance 1."""
    normal = torch.zeros(layers.shape)
    ### BEGIN SOLUTION
    centred = layers - layers.mean(-1, keepdim=True)
    normal = centred / (centred.square().mean(-1, keepdim=True) + 1e-10).sqrt()
    ### END SOLUTION
    return normal


# %%
mb.course.check("02.normalise", normalise)

# %%
normalise = mb.course.use("02.normalise", normalise)
runs["normalised mix"] = trained((0, 1, 2), normalise)
print(f"error {runs['normalised mix'][0]:.3f}; shares: {shares_of(runs['normalised mix'][1])}")

# %% [markdown]
r"""
The error has not fallen, so the lengths were not the reason, or the test is too small to tell. The
shares are still near a third each: in so few updates, a rate of 0.01 cannot carry them far. The mix
has only four parameters; they can be trained at a higher rate.

{{exercise 02.rates}}

Write `groups(named, rate, mix_rate)` for the optimiser. `named` is a list of (name, parameter). The
parameters of the mix have `.mixes.` in their names. Return two groups in PyTorch's form, a list of
dictionaries with `"params"` and `"lr"`.
"""

# %%
def groups(named, rate, mix_rate):
    """Two parameter groups: the mix with a rate of its own, and everything else."""
    result = []
    ### BEGIN SOLUTION
    mixes = [parameter for name, parameter in named if ".mixes." in name]
    others = [parameter for name, parameter in named if ".mixes." not in name]
    result = [{"params": others, "lr": rate}, {"params": mixes, "lr": mix_rate}]
    ### END SOLUTION
    return result


# %%
mb.course.check("02.rates", groups)

# %%
groups = mb.course.use("02.rates", groups)
runs["with its own rate"] = trained((0, 1, 2), normalise, groups)
print("shares:", shares_of(runs["with its own rate"][1]))
for way, (error, _) in runs.items():
    print(f"{way:>17}: error {error:.3f}")

# %% [markdown]
r"""
Now the shares have moved a little: away from layer 0, and towards layer 2. (In the paper, too, the
mix at the input of a task model leans on the LSTM layers, there mostly on the first: figure 2.) The
errors tell us less. All ways with ELMo lie close together, and in this run both normalised mixes
are behind layer 2.

{{exercise 02.layers}}

The mix costs four parameters. Explain in three to five sentences why one should not simply take the
top layer, and how you would find out whether the mix is worth it.
"""

# %% [markdown] written="02.layers"
r"""
The top layer serves the two language models: it has to be good at guessing the next and the
previous word, and whatever does not help there may be lost on the way up. Lower layers are nearer
to the form of the word and to its grammar, higher ones nearer to what the sentence is about. So a
tagger of word classes and a model of meaning want different layers, and the mix lets each have its
own for the price of four parameters. To find out, train the task model with the mix, with the top
layer alone and with the lowest alone, on several seeds, and compare the errors pairwise. If the
interval of the difference holds zero, the mix has not shown its worth on this task.
"""

# %% [markdown]
r"""
## 9. Words that nobody has seen (optional)

A table has one row for all words that it does not know. The letters say more: an ending, a capital,
a part that is known from elsewhere. These words are in no text of the world. The list shows the
nearest words of the vocabulary, by the spelled vector (layer 0).
"""

# %%
known = [word for word in elmo.vocab.tokens[4:] if len(word) > 2]
with torch.no_grad():
    table = F.normalize(elmo.encoder(characters.spell_all(known)), dim=1)  # (words, width)
for word in ["replanted", "unhappily", "gardened", "horseless", "Marlowton"]:
    with torch.no_grad():
        vector = F.normalize(elmo.encoder(characters.spell_all([word])), dim=1)[0]
    near = (table @ vector).topk(5).indices.tolist()
    seen = "in the vocabulary" if word in elmo.vocab else "never seen"
    print(f"{word:>10} ({seen}): {', '.join(known[i] for i in near)}")

# %% [markdown]
r"""
Similar letters are not similar meanings, and some of these neighbours only look alike. But the
endings help: past tenses come with past tenses.

## 10. How much of this is luck? (optional)

The experiments above are one draw each. Here are similar ones over {{finding 02 senses.chance
seeds}} seeds, each with its own texts, labels and first weights (`make findings CH=02`; the
settings are in `chapters/findings/02.py`). Some settings differ. The counts are smoothed with
$a = 0.03$, not 0.1. ELMo's vectors are scaled to unit length before the means are taken. The
tagger's word vectors have read 60,000 words, not 25,000, and layer 2 is normalised when it stands
alone, too. All rivals were tuned on another seed: the window and
the smoothing of the counts, the window of word2vec, the rates of the taggers.
"""

# %%
found = mb.course.findings("02")
counts = found.content["experiments"]["senses"]["config"]["labelled"]
fig, ax = mb.show.new("Senses named correctly (mean and 95 % interval)", "labelled uses per sense",
                      "share of new uses")
for way, label, style in (("beside", "ELMo, next door", "o-"), ("layer_2", "ELMo, layer 2", "s-"),
                          ("layer_0", "ELMo, layer 0", "v:"), ("word2vec", "word2vec around", "^--"),
                          ("counts", "counting", "D-.")):
    spread = [mb.show.interval(found.values(f"senses.{way}_{n}")) for n in counts]
    means, halves = zip(*spread, strict=True)
    ax.errorbar(counts, means, halves, fmt=style, capsize=4, label=label)
ax.axhline(found.mean("senses.chance"), color="#5f5f5f", linestyle=(0, (6, 3)), label="guessing")
ax.set(xscale="log", ylim=(0.4, 1.0))
ax.set_xticks(counts, [str(n) for n in counts])
ax.minorticks_off()
ax.legend(fontsize=9, loc="lower right", ncols=2)
mb.show.figure(fig, alt="Senses named correctly by labelled uses, over seeds: ELMo, "
                        "word2vec and counting, with intervals.")

# %% [markdown]
r"""
{{findings 02
| senses, 1 labelled use: layer 2 beats the word's own vector | senses.layer_2_1 - senses.layer_0_1 | percent | - |
| senses, 20 labelled uses: layer 2 beats the word's own vector | senses.layer_2_20 - senses.layer_0_20 | percent | - |
| senses, 20 labelled uses: layer 2 beats layer 1 | senses.layer_2_20 - senses.layer_1_20 | percent | +1.6 points (F1) |
| senses, 1 labelled use: layer 2 beats counting | senses.layer_2_1 - senses.counts_1 | percent | - |
| senses, 2 labelled uses: layer 2 beats counting | senses.layer_2_2 - senses.counts_2 | percent | - |
| senses, 5 labelled uses: layer 2 beats counting | senses.layer_2_5 - senses.counts_5 | percent | - |
| senses, 20 labelled uses: layer 2 beats counting | senses.layer_2_20 - senses.counts_20 | percent | - |
| senses, 1 labelled use: layer 2 beats word2vec around | senses.layer_2_1 - senses.word2vec_1 | percent | - |
| senses, 2 labelled uses: layer 2 beats word2vec around | senses.layer_2_2 - senses.word2vec_2 | percent | - |
| senses, 5 labelled uses: layer 2 beats word2vec around | senses.layer_2_5 - senses.word2vec_5 | percent | - |
| senses, 20 labelled uses: layer 2 beats word2vec around | senses.layer_2_20 - senses.word2vec_20 | percent | - |
| senses, 1 labelled use: ELMo next door beats word2vec around | senses.beside_1 - senses.word2vec_1 | percent | - |
| senses, 2 labelled uses: ELMo next door beats word2vec around | senses.beside_2 - senses.word2vec_2 | percent | - |
| senses, 5 labelled uses: ELMo next door beats word2vec around | senses.beside_5 - senses.word2vec_5 | percent | - |
| senses, 20 labelled uses: ELMo next door beats word2vec around | senses.beside_20 - senses.word2vec_20 | percent | - |
| senses, 1 labelled use: ... with frequent words weighted down | senses.beside_1 - senses.weighted_1 | percent | - |
| senses, 2 labelled uses: ... with frequent words weighted down | senses.beside_2 - senses.weighted_2 | percent | - |
| senses, 5 labelled uses: ... with frequent words weighted down | senses.beside_5 - senses.weighted_5 | percent | - |
| senses, 20 labelled uses: ... with frequent words weighted down | senses.beside_20 - senses.weighted_20 | percent | - |
| part of speech: layer 1 beats the spelled word | words.layer_1 - words.layer_0 | percent | - |
| part of speech: layer 1 beats each word's most frequent tag | words.layer_1 - words.table | percent | - |
| part of speech: layer 1 beats layer 2 | words.layer_1 - words.layer_2 | percent | +0.5 points |
| part of speech of invented words: layer 1 beats a table's best guess | words.invented_1 - words.invented_table | percent | - |
}}

The last lines come from a linear classifier on each layer. For the invented words, the stem of one
word in each sentence is replaced (*walked* becomes something like *blompked*). A table knows one
vector for all words that it has not seen, so its best guess is their most frequent tag. Peters et
al. (2018, tables 5 and 6) report 97.3 % for the part of speech from layer 1 and 96.8 % from layer
2, and 67.4 and 69.0 for word senses (F1).

The tagger of section 7, again with 100 labelled sentences (the differences are those of the error):

{{findings 02
| names: layer 2 lowers the error of word2vec alone | names.plain - names.layer_2 | percent | +2.1 points (F1) |
| names: layer 0 alone, which reads no neighbours, lowers it as well | names.plain - names.layer_0 | percent | - |
| names: the rules (a list of words, and capitals) have a lower error than word2vec alone | names.plain - name_rules.both | percent | - |
| names: layer 2 lowers the error of the rules | name_rules.both - names.layer_2 | percent | - |
| names: layer 2 lowers the error of layer 0 | names.layer_0 - names.layer_2 | percent | - |
| names: the plain mix lowers the error of layer 2 alone | names.layer_2 - names.mix | percent | - |
| names: normalising and a rate of its own improve the mix | names.mix - names.mix_own_rate | percent | - |
| names: that mix lowers the error of layer 2 alone | names.layer_2 - names.mix_own_rate | percent | - |
}}

The first line is the main result of the paper, where ELMo cuts the errors of six tasks by 5.8 to
24.9 % of what they were (names in news: F1 from 90.15 to 92.22, with far more labelled sentences).
Our word vectors have read only 60,000 words and know no letters, so the cut is far larger here.
They are a weak rival: the rules of section 7, which need no model, have an error of {{finding 02 name_rules.both mean .2f}},
and word vectors alone are not shown to be better or worse. Against the rules, too, the cut is large
(fourth line).
The second line says where most of it comes from: layer 0, which spells each word and reads no
neighbours, takes the error from {{finding 02 names.plain mean .2f}} to {{finding 02 names.layer_0 mean .2f}}.
What layer 2 adds to that is small and not shown: names are easy to see in a word's own letters,
word senses are not. Nor is a difference between layer 2 and the mixes shown.

## 11. The real thing

The class reads the published format, AllenNLP's `options.json` and `weights.hdf5`. Its smallest
example is a random model together with the activations that must come out. It is among the real
data sets. The published models with 13 to 94 million weights load by the same line.
"""

# %%
folder = Path(os.environ.get("MINIBERT_DATA", "")) / "elmo_fixture"
if os.environ.get("MINIBERT_DATA") and folder.is_dir():
    published = mb.ELMo.from_pretrained(folder)
    print(f"{published.config.layers} layers of {published.config.dim} cells, read from AllenNLP's files")
    print(published.encode([["The", "same", "class"], ["reads", "them"]]))
else:
    print("No published weights here: put a folder with *options.json and *weights.hdf5 anywhere,")
    print("and read it with mb.ELMo.from_pretrained(folder).")

# %% [markdown]
r"""
To train on real text: `minibert pretrain elmo --corpus wiki_train --out my_elmo`.

## 12. Summary

- A vector for each *occurrence* of a word says what the word means here. One vector per word
  cannot.
- The vectors come from two language models, one in each direction. They need no labels. Neither
  may see the word that it predicts.
- Together, the two find a hidden word more often than either of them. (So do two tables of word
  pairs, and those found more than our small model.)
- The words are spelled, so that none is unknown.
- The vectors hold more than the sense. A few labelled uses pick the sense out: with two or five,
  ELMo named more senses than counting did; with twenty, counting had caught up. The mean of the
  word2vec vectors around the word is a close rival. Section 10 says which differences are shown.
- The layers hold different things. A scalar mix lets every task weigh them for itself. On our task
  the mix was no better than one layer alone.
- Frozen, ELMo made a much better input for a tagger than word2vec, and the tagger then beat a list
  of words with capitals by far. Most of the gain came from the spelled words. Chapter 03 asks what
  happens when the language
  model itself is trained further.

{{quiz 02.q1}}

{{quiz 02.q2}}

{{quiz 02.q3}}

**A project.** Choose a homograph of real English (*bank*, *bass*, *seal*). Collect 40 sentences
for it from texts that you may use, and label the senses yourself. Train `minibert pretrain elmo`
on real text, and compare layer 2 with counting for 1, 2, 5 and 10 labelled uses. *Good work* asks
in sentences that were not used for labelling, repeats the draw of the labels, tunes the counting
as carefully as ELMo, and shows the spread. *Very good work* reads the errors and finds out which
words around the homograph mislead each method.
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Peters et al. (2018), [arXiv:1802.05365](https://arxiv.org/abs/1802.05365), the
paper of this chapter; Peters et al. (2017), [arXiv:1705.00108](https://arxiv.org/abs/1705.00108), its
forerunner with the top layer alone. Kim et al. (2016), *Character-aware neural language models*,
[arXiv:1508.06615](https://arxiv.org/abs/1508.06615). Srivastava et al. (2015), *Highway networks*. Arora et al. (2017), *A simple but
tough-to-beat baseline for sentence embeddings*. Jozefowicz et al.
(2016), *Exploring the limits of language modeling*, [arXiv:1602.02410](https://arxiv.org/abs/1602.02410). Tenney et al.
(2019), [arXiv:1905.06316](https://arxiv.org/abs/1905.06316), and Liu et al. (2019),
[arXiv:1903.08855](https://arxiv.org/abs/1903.08855): what such vectors know. D2L,
[section 15.8](https://d2l.ai/chapter_natural-language-processing-pretraining/bert.html) (from
context-independent to context-sensitive) and [10.4](https://d2l.ai/chapter_recurrent-modern/bi-rnn.html).
"""
