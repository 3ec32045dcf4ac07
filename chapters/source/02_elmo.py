# ---
# jupyter:
#   minibert:
#     title: ELMo
#     question: What does a word mean here, in this sentence?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1400
#     needs: ["chapter 00 (cross-entropy, an LSTM)", "chapter 01 (word vectors)"]
#     skip: "the formulas of section 2 (its code says the same), and 9 (what the paper claims, measured here)"
#     papers:
#       - "Peters et al. (2018), Deep contextualized word representations, arXiv:1802.05365"
# ---

# %% [markdown]
r"""
# 02 · ELMo: what does a word mean here, in this sentence?

{{head}}

Chapter 01 ended with a word that had two meanings and one vector. A reader has no such trouble:
*the bat slept in the barn*, *she swung the bat*, and you know at once. You know because you have
read the rest of the sentence. This chapter builds a model that does the same: it reads the sentence
from both ends, and gives every **occurrence** of a word a vector of its own. In 2018 this one idea
lifted the state of the art on six tasks at once, and the habit of training a language model first
and the task second has never left the field.
"""

# %%
import math
import os
from pathlib import Path

import torch
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. A word is its letters

word2vec looks a word up in a table. ELMo **spells** it: every word becomes 50 symbols, a mark for
its begin, its bytes, a mark for its end, and padding. With 256 bytes, five marks (the other two are
for the ends of a sentence) and a 0 for "no word here" the alphabet has 262 symbols, and no word in
any language is unknown.
"""

# %% tags=["nbval-check-output"]
from minibert.text import characters

print(characters.spell("bat", length=8))
print(characters.spell("bats", length=8))
print([characters.unspell(characters.spell(word)) for word in ("bat", "naïve", "猫")])

# %% [markdown]
r"""
Each symbol has a small vector. A **convolution** slides a filter over them: a filter of width 3
looks at three letters at a time and says how much it likes them. With $x_i$ the vector of symbol
$i$, and $W$, $b$ the weights and bias of a filter of width $w$, its score at place $i$ is

$$
s_i = \sum_{j=0}^{w-1} W_j \cdot x_{i+j} + b, \qquad m = \max_i s_i
$$

and **max-pooling** keeps only the best match $m$: *is there an "-ing" in this word?*, not *where?*

{{exercise 02.convolve}}

Write `best_match(x, weight, bias)` for one filter: `x` is `(symbols, dim)`, `weight`
`(width, dim)`, `bias` a number.
"""

# %%
def best_match(x, weight, bias):
    """The largest score of one filter anywhere in the word: a scalar tensor."""
    best = 0.0
    ### BEGIN SOLUTION
    places = range(len(x) - len(weight) + 1)
    scores = [(x[i : i + len(weight)] * weight).sum() + bias for i in places]
    best = torch.stack(scores).max()
    ### END SOLUTION
    return best


# %%
mb.course.check("02.convolve", best_match)

# %% [markdown]
r"""
Many filters of several widths give a long vector: one number for each pattern that was looked for.
Two **highway** layers mix them. A highway layer computes something new and decides, number by
number, how much of it to let through; the rest passes as it is (Srivastava et al. 2015):

$$
y = t \odot \mathrm{relu}(W x + b) + (1 - t) \odot x, \qquad t = \sigma(V x + c)
$$

A last projection brings the result to the width of a word vector. Here is the whole network by
hand, beside the library's.
"""

# %%
config = mb.ELMoConfig(vocab_size=10, dim=24, projection=12, char_dim=8,
                       filters=((1, 4), (2, 8), (3, 12)), cell_clip=None, proj_clip=None)
small = mb.ELMo(config).encoder
symbols = characters.spell_all(["bat", "bats", "spring"])  # (words, 50)

x = small.embedding.weight[symbols]  # (words, 50, char_dim)
found = []
for filters in small.convolutions:
    width = filters.kernel_size[0]
    windows = x.unfold(1, width, 1)  # (words, places, char_dim, width)
    scores = torch.einsum("npcw,kcw->npk", windows, filters.weight) + filters.bias
    found.append(torch.relu(scores.amax(1)))  # (words, filters): the best place
y = torch.cat(found, -1)  # (words, all filters)
for layer in small.highway:
    t = torch.sigmoid(layer.gate(y))
    y = t * torch.relu(layer.transform(y)) + (1 - t) * y
by_hand = small.projection(y)  # (words, projection)
print("largest difference:", f"{(by_hand - small(symbols)).abs().max():.1e}")

# %%
mb.course.source(type(small).forward)

# %% [markdown]
r"""
## 2. Two language models

The rest of the sentence comes from two language models. The **forward** one reads from the left and
predicts the next word, the **backward** one reads from the right and predicts the word before:

$$
p(w_1 \dots w_n) = \prod_{k=1}^{n} p(w_k \mid w_1 \dots w_{k-1}), \qquad
p(w_1 \dots w_n) = \prod_{k=1}^{n} p(w_k \mid w_{k+1} \dots w_n)
$$

Training raises the logarithm of both (Peters et al. 2018, section 3.1). The two share the spelling
network and the softmax; each has LSTMs of its own. Nobody has labelled anything: the text is
question and answer at once.

{{exercise 02.both_ways}}

Write `both_ways(words)`: four lists, what the forward model reads and what it must say, then the
same for the backward model. `<S>` and `</S>` mark the begin and the end of the sentence; both
models must say where it stops.
"""

# %%
def both_ways(words):
    """(forward inputs, forward targets, backward inputs, backward targets), lists of words."""
    reads, says, reads_back, says_back = [], [], [], []
    ### BEGIN SOLUTION
    back = words[::-1]
    reads, says = ["<S>", *words], [*words, "</S>"]
    reads_back, says_back = ["</S>", *back], [*back, "<S>"]
    ### END SOLUTION
    return reads, says, reads_back, says_back


# %%
mb.course.check("02.both_ways", both_ways)

# %% [markdown]
r"""
The LSTM is that of chapter 00 with one change: its output is **projected** to fewer numbers, which
are what the next step and the next layer see. So the memory $c$ may be large (4,096 cells in the
published model) while everything that is handed on stays small (512). The published models also
*clip*: no cell and no output may grow beyond 3. Written out for one word:
"""

# %%
def lstm_step(layer, x, h, c):
    """x (batch, width), h (batch, projection), c (batch, dim) -> new h and c."""
    gates = x @ layer.input.weight.T + layer.input.bias + h @ layer.recurrent.weight.T
    i, f, g, o = gates.chunk(4, dim=-1)  # (batch, dim) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = (torch.sigmoid(o) * torch.tanh(c)) @ layer.projection.weight.T  # (batch, projection)
    return h, c


def read(layers, x):
    """(batch, length, width) -> what the last layer says at each word, (batch, length, width)."""
    for number, layer in enumerate(layers):
        h, c = x.new_zeros(len(x), config.projection), x.new_zeros(len(x), config.dim)
        outputs = []
        for t in range(x.shape[1]):
            h, c = lstm_step(layer, x[:, t], h, c)
            outputs.append(h)
        new = torch.stack(outputs, 1)
        x = new + x if number else new  # a skip connection, from the second layer on
    return x

# %% [markdown]
r"""
From the second layer on the input is added to the output, a **skip connection**: the layer has to
say only what is new. Both directions, the shared softmax, and the library's loss on the same batch:
"""

# %%
sentences = [["the", "bat", "flew"], ["she", "swung", "the", "bat"]]
vocab = mb.text.Vocab.train(sentences, specials=("<pad>", "<unk>", "<S>", "</S>"))
config.vocab_size, config.dropout = len(vocab), 0.0
model = mb.ELMo(config, vocab)
batch = next(iter(mb.text.BidirectionalBatches(sentences, vocab, batch_size=1, bptt=20)))

words = model.encoder(batch["characters"])  # (different words, width)
top = read(model.forward_layers, words[batch["input_ids"]])  # (1, length, width)
top_back = read(model.backward_layers, words[batch["backward_ids"]])
nats = F.cross_entropy(model.output(top)[0], batch["targets"][0], reduction="sum")
nats_back = F.cross_entropy(model.output(top_back)[0], batch["backward_targets"][0], reduction="sum")

(forward, n), (backward, m) = model.losses(batch)
print(f"by hand {nats:.4f} and {nats_back:.4f}; library {forward:.4f} and {backward:.4f}")
print(f"{n} and {m} words; log V is {math.log(len(vocab)):.2f} nats a word")

# %% [markdown]
r"""
*Predict before you run the next section:* which of the two directions will have the lower loss on
English, or will they be about equal? (Both factorise the same probability of the same text.)

{{exercise 02.find_the_bug}}

A colleague writes a backward language model in three lines. "Look", she says, "after one epoch my
loss is far below the entropy of the text!" Find out why, and mend it. `ids` is `(batch, length)`;
every word but the last is to be predicted from the words after it.
"""

# %%
def backward_loss(lstm, output, vectors, ids):
    """Mean nats of a backward language model."""
    states, _ = lstm(vectors(ids).flip(1))  # (batch, length, dim), read from the end
    states = states.flip(1)  # in the order of the text again
    logits = output(states[:, :-1])
    ### BEGIN SOLUTION
    logits = output(states[:, 1:])  # state t + 1 has read the words after t, and not t itself
    ### END SOLUTION
    return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())


# %%
mb.course.check("02.find_the_bug", backward_loss)

# %% [markdown]
r"""
## 3. Train it

A small one, from nothing, on a little of the embedded world (`with_ends` gives its sentences, and
`<eod>` as a sentence of its own at the end of each document). The fast parts of the library do
what you have just written: each different word of a batch is spelled once, both directions run as
one batch, the softmax goes in pieces (`minibert/models/elmo/fast.py`; a test holds them equal to
the version that you have read).
"""

# %%
from minibert.commands.pretrain.elmo import directions, with_ends

train = list(with_ends(mb.world.generate(tokens=6_000 if SMOKE else 60_000, seed=0).documents))
held_out = list(with_ends(mb.world.generate(tokens=3_000 if SMOKE else 10_000, seed=1).documents))
vocab = mb.text.Vocab.train(train, min_count=2, specials=("<pad>", "<unk>", "<S>", "</S>"))
config = mb.ELMoConfig(len(vocab), dim=96, projection=48, char_dim=8, cell_clip=None, proj_clip=None,
                       filters=((1, 8), (2, 16), (3, 24), (4, 24)))
mb.seed_everything(0)
model = mb.ELMo(config, vocab)
batches = mb.text.BidirectionalBatches(train, vocab, batch_size=16, bptt=20)
valid = mb.text.BidirectionalBatches(held_out, vocab, batch_size=32, bptt=20)
steps = 5 if SMOKE else 2 * len(batches)
history = mb.fit(model, batches, steps=steps, optimizer=mb.optim.adamw(model, 0.01), valid=valid,
                 schedule=mb.optim.cosine(steps, warmup=steps // 20), progress=False)
mb.show.figure(mb.show.loss_curve(history, title="A biLM learns (both directions)"))

# %%
left, right = directions(model, valid)
print(f"held out: forward {left:.2f}, backward {right:.2f} nats a word")

# %% [markdown]
r"""
The two are close: both estimate the probability of one text, and a text has only one. Half a minute
with a little text is not enough to learn what words mean, though. For the rest of the chapter we
take a larger one that comes with the library, trained for some minutes on more of the same world
(`minibert pretrain elmo --recipe minibert-elmo` makes it again).
"""

# %%
elmo = mb.ELMo.from_pretrained("minibert-elmo")
out = elmo.encode([["The", "bat", "slept", "."], ["She", "swung", "the", "bat", "again", "."]])
print(f"{sum(p.numel() for p in elmo.parameters()):,} weights, {len(elmo.vocab):,} words in the softmax")
print(out)
left, right = directions(elmo, mb.text.BidirectionalBatches(held_out, elmo.vocab, 4, 100))
print(f"held out: forward {left:.2f}, backward {right:.2f} nats a word")

# %% [markdown]
r"""
For every word there are now $L + 1 = 3$ vectors: the spelled word (twice side by side, so that all
have one width), and the forward and backward states of each LSTM layer, put together.

## 4. One vector from all layers

Which layer should a task use? ELMo does not choose: it learns a weighted sum, the **scalar mix**,
anew for every task (Peters et al. 2018, equation 1):

$$
\mathrm{ELMo}_k = \gamma \sum_{j=0}^{L} s_j \, h_{k,j}, \qquad s = \mathrm{softmax}(w)
$$

{{exercise 02.mix}}

Write `mix(layers, weights, gamma)`: `layers` is `(L + 1, length, width)`, `weights` `(L + 1,)`.
"""

# %%
def mix(layers, weights, gamma):
    """One vector a word: (length, width)."""
    mixed = torch.zeros(layers.shape[1:])
    ### BEGIN SOLUTION
    s = torch.softmax(weights, 0)  # (L + 1,), positive, with the sum 1
    mixed = gamma * (s[:, None, None] * layers).sum(0)
    ### END SOLUTION
    return mixed


# %%
mb.course.check("02.mix", mix)

# %%
library = mb.models.elmo.ScalarMix(3)
library.weights.data = torch.tensor([0.0, 1.0, -1.0])
layers = torch.stack([hidden[0] for hidden in out.hidden_states])  # (3, length, width)
s = torch.softmax(library.weights.data, 0)
by_hand = torch.einsum("l,lnd->nd", s, layers)
print("shares:", [round(share, 2) for share in s.tolist()])
print("as in the library:", torch.allclose(by_hand, library(layers)))

# %% [markdown]
r"""
## 5. The same word, elsewhere

Now to the question of the chapter. The world says which sense each homograph has at each place, so
we can collect the uses of one, and colour them by sense. *Predict before you run:* what will you
see in layer 0?
"""

# %%
def uses_of(corpus, wanted=None):
    """(words of the sentence, place, sense) for each use of a homograph."""
    for document in corpus.documents:
        for sentence in document.sentences:
            for place, sense in enumerate(sentence.sense):
                if sense and wanted in (None, sense.split(".")[0]):
                    yield list(sentence.tokens), place, sense


def vectors_of(uses):
    """Their vectors in every layer: (layers, uses, width)."""
    memory, rows = mb.heads.Remembered.of(elmo, [words for words, *_ in uses])
    return memory.table[:, [row[place] for row, (_, place, _) in zip(rows, uses, strict=True)]]


reading = mb.world.generate(tokens=20_000 if SMOKE else 120_000, seed=2)
bats = [use for use in uses_of(reading, "bat") if use[0][use[1]] == "bat"]  # spelled just so
vectors = vectors_of(bats)  # (3, uses, width)
senses = sorted({sense for *_, sense in bats})
print(len(bats), "uses:", {sense: sum(s == sense for *_, s in bats) for sense in senses})

# %%
fig, axes = mb.show.new("Every use of “bat”", columns=3, size=(7.6, 3.4))
for number, ax in enumerate(axes):
    points = mb.show.pca(vectors[number])  # (uses, 2)
    points += 0.1 * torch.randn(points.shape).numpy()  # or they would hide each other
    for sense, marker in zip(senses, "os^v", strict=False):
        at = [i for i, (*_, s) in enumerate(bats) if s == sense]
        ax.plot(*points[at].T, marker, label=sense, alpha=0.6)
    ax.set(title=f"layer {number}", xlabel="first axis (PCA)", ylabel="second axis (PCA)",
           xlim=(-7, 7), ylim=(-7, 7))
axes[0].legend(fontsize=8)
mb.show.figure(fig, alt="The uses of bat in three layers: one point in layer 0, groups by sense above.")

# %% [markdown]
r"""
In layer 0 all uses are one and the same point (a little noise has been added to the picture, or you
would see only the last one): the letters are all it knows. Above, the sentence has come in.

If uses of one sense lie together, we can name the sense of a new use: take the mean vector of each
sense over some text, and look for the nearest. Peters et al. (2018, section 5.3) measured their
layers in this way.

{{exercise 02.sense}}

Write `nearest_sense(vector, means)`: `means` maps a sense to its mean vector; the answer is the
sense with the largest cosine.
"""

# %%
def nearest_sense(vector, means):
    """The key of the mean that points most nearly the same way as ``vector``."""
    best = ""
    ### BEGIN SOLUTION
    best = max(means, key=lambda sense: F.cosine_similarity(vector, means[sense], dim=0))
    ### END SOLUTION
    return best


# %%
mb.course.check("02.sense", nearest_sense)

# %%
known = list(uses_of(reading))
known_vectors = vectors_of(known)
members = {}
for number, (*_, sense) in enumerate(known):
    members.setdefault(sense, []).append(number)
often = [sense for sense, numbers in members.items() if len(numbers) >= (2 if SMOKE else 5)]
options = {}  # word -> its senses, where there are two or more
for sense in often:
    options.setdefault(sense.split(".")[0], []).append(sense)
options = {word: found for word, found in options.items() if len(found) > 1}

fresh = mb.world.generate(tokens=10_000 if SMOKE else 40_000, seed=3)
seen = {tuple(words) for words, *_ in known}
asked = [use for use in uses_of(fresh) if tuple(use[0]) not in seen]
asked = [use for use in asked if use[2] in options.get(use[2].split(".")[0], ())]
print(len(options), "words with several senses;", len(asked), "uses in new sentences")

# %%
def sense_accuracy(layer):
    """Share of the new uses whose nearest mean, in one layer, has the right sense."""
    right = 0
    for vector, (*_, sense) in zip(asked_vectors[layer], asked, strict=True):
        names = options[sense.split(".")[0]]
        cosines = [F.cosine_similarity(vector, means[layer][name], dim=0) for name in names]
        right += names[int(torch.stack(cosines).argmax())] == sense
    return right / len(asked)


asked_vectors = vectors_of(asked)
means = [{s: layer[members[s]].mean(0) for s in often} for layer in known_vectors]
frequent = sum(max(options[s.split(".")[0]], key=lambda n: len(members[n])) == s for *_, s in asked)
scores = {"always the frequent sense": frequent / len(asked)}
scores |= {f"layer {layer}": sense_accuracy(layer) for layer in range(3)}
mb.show.figure(mb.show.bars(scores, "Word senses named rightly (one model)", "share"))

# %% [markdown]
r"""
Layer 0 gives one answer for all uses of one form: it can tell *bats* from *bat*, and nothing else.
And it knows no frequencies: the nearest mean may be that of the rare sense, so it falls behind the
bar that always names the frequent one. The other layers have read the sentence.

## 6. Touch it

Two sentences; click a word in each. The strips are the two vectors, layer by layer, with their
cosine; below stand the nearest uses in the corpus. The sliders weigh the layers of the mix (here
each vector has been brought to length one first, since layer 0 has larger numbers than the others).
Things to try: give all weight to the word vector, then to layer 2, and watch the uses change;
change the end of a sentence, and see that a word at its begin moves (which half of the vector?);
ask for a word that no text has ever had, such as *batlike*.
"""

# %%
some = [list(s) for s in dict.fromkeys(tuple(words) for words, *_ in known) if len(s) < 25]
mb.show.LayerExplorer(elmo, some[: 40 if SMOKE else 1500], shares=(0.0, 0.5, 1.0),
                      first=("The bat flew over the old barn.", "bat"),
                      second=("He hit the ball with his bat.", "bat"))

# %% [markdown]
r"""
## 7. ELMo in another model

A tagger finds the names in a text: people, places, organisations. Ours is word vectors, an LSTM in
both directions, and one linear layer. To add ELMo, nothing of this changes: the mix is put beside
the word vector, $[x_k; \mathrm{ELMo}_k]$, and, where it helps, beside the output of the LSTM,
$[h_k; \mathrm{ELMo}_k]$. ELMo itself is **frozen**. So its vectors can be computed once for every
sentence and remembered; the tagger learns its own weights and, for each place, the mix.

Each word gets a tag, as in chapter 00 (`B-PER`, `I-PER`, `O`). A name counts only if all of it is
right, and the score is **F1**, the harmonic mean of *precision* (how many of the names found are
right) and *recall* (how many of the right ones were found).
"""

# %%
mb.course.source(mb.heads.ContextEncoder)

# %%
task = mb.world.task("ner", seed=0)
labelled, tests = (20, 20) if SMOKE else (100, 400)
examples = task.train[:labelled] + task.test[:tests]
memory, rows = mb.heads.Remembered.of(elmo, [list(e.tokens) for e in examples])
words = mb.text.Vocab.train(train, min_count=2)
encoded = [
    {"input_ids": words.encode(list(e.tokens)), "contextual_ids": row,
     "labels": [task.labels.index(tag) for tag in e.labels]}
    for e, row in zip(examples, rows, strict=True)
]
print(task)
pairs = zip(examples[1].tokens, examples[1].labels, strict=True)
print(" ".join(word if tag == "O" else f"{word}/{tag}" for word, tag in pairs))

# %%
def tagger_error(at):
    """1 - F1 of whole names after training on the labelled sentences."""
    mb.seed_everything(0)
    start = F.normalize(torch.randn(len(words), 64), dim=1)
    tagger = mb.heads.Tagger(start, len(task.labels), contextual=memory if at else None, at=at)
    batches = mb.text.PaddedBatches(encoded[:labelled], batch_size=25)
    steps = 5 if SMOKE else 150
    mb.fit(tagger, batches, steps=steps, optimizer=mb.optim.adamw(tagger, 0.005),
           schedule=mb.optim.linear(steps), progress=False)
    said, true = mb.heads.tagged(tagger, mb.text.PaddedBatches(encoded[labelled:], 100))
    said, true = ([[task.labels[i] for i in row] for row in part] for part in (said, true))
    return 1 - mb.heads.span_f1(said, true), tagger


places = {"word vectors alone": (), "ELMo at the input": ("input",),
          "ELMo at input and output": ("input", "output")}
results = {name: tagger_error(at) for name, at in places.items()}
errors = {name: error for name, (error, _) in results.items()}
mb.show.figure(mb.show.bars(errors, f"Names: error after {labelled} sentences (one seed)", "1 - F1"))

# %% [markdown]
r"""
The word vectors of this tagger start at random; in section 9 the comparison is made fairer, and its
vectors come from word2vec on the same text. What did the mixes learn to use?
"""

# %%
tagger = results["ELMo at input and output"][1]
for place, learned in tagger.encoder.mixes.items():
    shares = ", ".join(f"layer {j} {share:.2f}" for j, share in enumerate(learned.shares.tolist()))
    print(f"{place:>6}: {shares}; gamma {float(learned.gamma.detach()):.2f}")

# %% [markdown]
r"""
In so few steps the shares have hardly left their beginning, a third each. After long training, the
paper found more weight on the first LSTM layer at the input (figure 2).

{{exercise 02.layers}}

The mix costs four numbers. Explain in three to five sentences why one should not simply take the
top layer, and how you would find out whether the mix is worth it.
"""

# %% [markdown] written="02.layers"
r"""
The top layer serves the two language models: it has to be good at guessing the next and the
previous word, and whatever does not help there may be lost on the way up. Lower layers are nearer
to the form of the word and to its grammar, higher ones nearer to what the sentence is about, so a
tagger of word classes and a model of meaning want different layers, and the mix lets each have its
own for the price of four numbers. To find out: train the task model with the mix, with the top
layer alone and with the lowest alone, on several seeds, and compare the errors pairwise. If the
interval of the difference holds zero, the mix has not shown its worth on this task.
"""

# %% [markdown]
r"""
## 8. Words that nobody has seen

A table has one row for all words that it does not know. The letters say more: an ending, a capital,
a part that is known from elsewhere. These words are in no text of the world; the nearest words of
the vocabulary, by the spelled vector (layer 0):
"""

# %%
names = [word for word in elmo.vocab.tokens[4:] if len(word) > 2]
with torch.no_grad():
    table = F.normalize(elmo.encoder(characters.spell_all(names)), dim=1)  # (words, width)
for word in ["Wednesdays", "Marlowton", "replanted", "unhappily", "gardened", "horseless"]:
    with torch.no_grad():
        vector = F.normalize(elmo.encoder(characters.spell_all([word])), dim=1)[0]
    near = (table @ vector).topk(5).indices.tolist()
    known_word = "known" if word in elmo.vocab else "never seen"
    print(f"{word:>11} ({known_word}): {', '.join(names[i] for i in near)}")

# %% [markdown]
r"""
Nearness of letters is not nearness of meaning, and some of these neighbours are only lookalikes.
But the vector need not do everything: the LSTMs above it read the sentence, too.

## 9. How much of this is luck?

The full experiments draw a text, train two models on it, one that spells and one that looks its
words up in a table, and ask both, over {{finding 02 layers.forward seeds}} seeds (`make findings CH=02`, settings in
`chapters/findings/02.py`). The diamonds are the paper's figures, from a billion words, 4,096 cells
and other test sets: compare directions, not heights.
"""

# %%
found = mb.course.findings("02")


def values(names):
    """condition -> one value a seed."""
    return {label: found.values(f"layers.{name}") for label, name in names.items()}


figure = mb.show.spread(
    values({"layer 0": "senses_0", "layer 1": "senses_1", "layer 2": "senses_2",
            "frequent sense": "senses_frequent"}),
    paper={"layer 1": 0.674, "layer 2": 0.690},
    title="Word senses by layer", xlabel="share named rightly",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 02 layers.senses_1 layers.senses_0 | layer 1 tells senses apart better than the spelled word}}
- {{claim 02 layers.senses_2 layers.senses_1 | layer 2 is better than layer 1 for word senses}}
"""

# %%
figure = mb.show.spread(
    values({"layer 0": "pos_0", "layer 1": "pos_1", "layer 2": "pos_2"}),
    paper={"layer 1": 0.973, "layer 2": 0.968},
    title="Part of speech by layer", xlabel="share of words right, linear classifier",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 02 layers.pos_1 layers.pos_0 | layer 1 is better than the spelled word for the part of speech}}
- {{claim 02 layers.pos_1 layers.pos_2 | layer 1 is better than layer 2 for the part of speech}}

Peters et al. (2018, tables 5 and 6): part of speech 97.3 % from layer 1 and 96.8 % from layer 2,
word senses 67.4 and 69.0 (F1).

The language models themselves: forward {{finding 02 layers.forward mean .3f}}, backward
{{finding 02 layers.backward mean .3f}} nats a word on held-out text. Counted as in chapter 00, letters of
unknown words included, the forward model pays {{finding 02 layers.nats_a_token mean .3f}} nats a token;
the exact floor is {{finding 02 layers.floor mean .3f}}.

Two tasks with and without ELMo: the names of section 7, and **inference**, where two sentences are
given: does the second follow from the first, contradict it, or neither?
"""

# %%
settings = found.content["experiments"]["tasks"]["config"]
fig, axes = mb.show.new("Task error by number of labels", "labelled examples", "error", columns=2,
                        size=(7.6, 3.8))
for ax, (key, title) in zip(axes, (("ner", "names (1 - F1)"), ("nli", "inference")), strict=True):
    for way, label, style in (("plain", "word2vec alone", "o-"), ("input", "ELMo at input", "s--"),
                              ("input_and_output", "ELMo at both", "^:")):
        runs = torch.tensor(found.values(f"tasks.{key}_{way}_curve"))  # (seeds, budgets)
        ax.errorbar(settings[key]["labels"], runs.mean(0), runs.std(0), fmt=style, capsize=4, label=label)
    budgets = settings[key]["labels"]
    ax.set(title=title, xscale="log")
    ax.set_xticks(budgets, [str(n) for n in budgets])
    ax.minorticks_off()
axes[0].legend(title="mean and deviation", fontsize=9)
mb.show.figure(fig, alt="Error of two task models by labels, with and without ELMo.")

# %% [markdown]
r"""
- {{claim 02 tasks.ner_plain_fewest tasks.ner_input_fewest | with the fewest labels, ELMo at the input lowers the error on names}}
- {{claim 02 tasks.ner_plain_most tasks.ner_input_most | with the most labels, ELMo at the input lowers the error on names}}
- {{claim 02 tasks.nli_plain_fewest tasks.nli_input_fewest | with the fewest labels, ELMo at the input lowers the error on inference}}
- {{claim 02 tasks.nli_plain_most tasks.nli_input_most | with the most labels, ELMo at the input lowers the error on inference}}
- {{claim 02 tasks.ner_input_most tasks.ner_input_and_output_most | on names, input and output together beat the input alone}}
- {{claim 02 tasks.nli_input_most tasks.nli_input_and_output_most | on inference, input and output together beat the input alone}}

With the most labels and ELMo at both places, the error falls by {{finding 02 tasks.ner_cut mean .0%}} of
what it was on names (95 % interval {{finding 02 tasks.ner_cut low .0%}} to
{{finding 02 tasks.ner_cut high .0%}}), and by {{finding 02 tasks.nli_cut mean .0%}} on inference
({{finding 02 tasks.nli_cut low .0%}} to {{finding 02 tasks.nli_cut high .0%}}). In the paper ELMo cuts the
error by 5.8 to 24.9 % of what it was: SQuAD 81.1 to 85.8 (F1), SNLI 88.0 to
88.7, names in news 90.15 to 92.22, SST-5 51.4 to 54.7.

Words that were in no training text, and the part of speech that each model's layers give them:
"""

# %%
figure = mb.show.spread(
    values({"spelled, layer 0": "pos_unseen_0", "spelled, layer 1": "pos_unseen_1",
            "table, layer 0": "pos_unseen_0_words", "table, layer 1": "pos_unseen_1_words"}),
    title="Words never seen: part of speech", xlabel="share right, linear classifier",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 02 layers.pos_unseen_0 layers.pos_unseen_0_words | on unseen words, the letters beat the table's one vector for all of them}}
- {{claim 02 layers.pos_unseen_1 layers.pos_unseen_1_words | on unseen words, letters and context beat the table with context}}

## 10. The real thing

The class reads the published format, AllenNLP's `options.json` and `weights.hdf5`. Its smallest
example, a random model with the activations that must come out, is among the real data sets; the
published models with 13 to 94 million weights load by the same line.
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
Real text is one command away: `minibert pretrain elmo --corpus wiki_train --out my_elmo`.

## 11. Summary

- A vector for each *occurrence* of a word answers what one vector a word cannot: what is meant
  here.
- It comes from two language models, one in each direction, that no label was needed to train.
  Neither may see the word that it predicts.
- The words are spelled, so that none is unknown.
- The layers hold different things. A scalar mix lets every task take what it needs.
- Frozen, ELMo is a better input for a task model. Chapter 03 asks what happens when the
  language model itself is trained further.

{{quiz 02.q1}}

{{quiz 02.q2}}

{{quiz 02.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Peters et al. (2018), [arXiv:1802.05365](https://arxiv.org/abs/1802.05365), the
paper of this chapter; Peters et al. (2017), [arXiv:1705.00108](https://arxiv.org/abs/1705.00108), its
forerunner with the top layer alone. Kim et al. (2016), *Character-aware neural language models*,
[arXiv:1508.06615](https://arxiv.org/abs/1508.06615). Srivastava et al. (2015), *Highway networks*. Jozefowicz et al.
(2016), *Exploring the limits of language modeling*, [arXiv:1602.02410](https://arxiv.org/abs/1602.02410). Tenney et al.
(2019), [arXiv:1905.06316](https://arxiv.org/abs/1905.06316), and Liu et al. (2019),
[arXiv:1903.08855](https://arxiv.org/abs/1903.08855): what such vectors know. D2L,
[section 15.8](https://d2l.ai/chapter_natural-language-processing-pretraining/bert.html) (from
context-independent to context-sensitive) and [10.4](https://d2l.ai/chapter_recurrent-modern/bi-rnn.html).
"""
