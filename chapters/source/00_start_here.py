# ---
# jupyter:
#   minibert:
#     title: Start here
#     question: How much of a text can be foreseen, and what is that good for?
#     minutes: 75
#     seconds: 90
#     memory_mb: 1300
#     needs: ["Python", "school mathematics (a logarithm, a probability)"]
#     skip: "the tour in section 3 (run its cells, and come back whenever the world puzzles you), what is marked optional, and section 11"
#     papers:
#       - "Shannon (1951), Prediction and Entropy of Printed English"
#       - "Hochreiter & Schmidhuber (1997), Long Short-Term Memory"
# ---

# %% [markdown]
r"""
# 00 · Start here: how much of a text can be foreseen, and what is that good for?

{{head}}

Cover the rest of this line and guess how it ... *goes on*. You were probably right, and to be right
you used what you know of grammar, of phrases and of the world. A machine that is trained to guess
the next word has to find all this out by itself. Then comes the step which this whole series is
about: what it found out can be **transferred** to other tasks.

Afterwards you will be able to say what transfer learning is, find your way through the chapters and
their small world of text, and judge a language model by its distance from the best possible one.
"""

# %%
import math
import textwrap
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.commands import doctor
from minibert.models import baselines

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. What is transfer learning?

For a long time every task began from nothing. To sort reviews, people labelled thousands of reviews
and trained a model on them; to find names, they labelled names and trained another one. Each model
had to learn from its few labels not only its task, but also what words are.

Text without labels costs nothing. So split the work: **pre-train** one model on plain text, where
the next word is the label, and then **adapt** it to each task with few labels.
"""

# %%
def box(ax, x, y, text, colour):
    """A coloured box with a text, centred on (x, y)."""
    ax.text(x, y, text, ha="center", va="center", fontsize=10.5,
            bbox={"boxstyle": "round,pad=0.5", "facecolor": colour, "edgecolor": "none"})


def arrow(ax, x, y):
    ax.annotate("", xy=(x[1], y[1]), xytext=(x[0], y[0]), arrowprops={"arrowstyle": "->"})


SAND, SKY, LEAF = "#f3e3c3", "#cfe6f5", "#cdebdc"
fig, (left, right) = mb.show.new("From task by task to pre-train and adapt", columns=2, size=(7.6, 3.6))
for ax in (left, right):
    ax.set(xlim=(0, 4), ylim=(0, 4))
    ax.axis("off")
for x, task in ((0.7, "reviews"), (2, "names"), (3.3, "answers")):
    box(left, x, 3.4, f"labelled\n{task}", SAND)
    box(left, x, 1.2, "a model\nof its own", SKY)
    arrow(left, (x, x), (2.95, 1.65))
    box(right, x, 0.4, f"{task}:\nfew labels", SAND)
    arrow(right, (2, x), (1.6, 0.95))
box(right, 2, 3.6, "much plain text", LEAF)
box(right, 2, 2, "one pre-trained model", SKY)
arrow(right, (2, 2), (3.2, 2.4))
mb.show.figure(fig, alt="Left: each task has labels and a model of its own. Right: plain text trains "
                        "one model, which is adapted to three tasks with few labels each.")

# %% [markdown]
r"""
There are two ways to adapt, and you will meet both in nearly every chapter.

| | what happens to the pre-trained weights | what is new | good when |
|---|---|---|---|
| **features** | they stay as they are | a model on top, which reads the vectors | one model serves many tasks; computing is dear |
| **fine-tuning** | they are trained further, gently | one small layer | the last bit of accuracy counts |

What is pre-trained has grown from chapter to chapter: *word vectors* (01), *vectors of words in
their sentence* (02), *a whole language model* (03), and *a Transformer* (04 to 07).

## 2. How the chapters work

Each chapter asks one question and answers it by building something. You read, you predict, you run.
Between the texts stand exercises: a cell with a gap (`# YOUR CODE HERE`), then a cell that checks
it.

| call | what it does |
|---|---|
| `mb.course.check("00.entropy", entropy)` | judges your answer, and names the mistake if it knows it |
| `mb.course.hint("00.entropy")` | gives the next hint, a little more each time |
| `mb.course.solution("00.entropy")` | shows one solution |
| `mb.course.progress()` | what is done, and what comes next |
| `mb.course.source(mb.Word2Vec)` | shows the library's own code, in place |

Nothing breaks while an exercise is unsolved: its check says *not yet*, and all that follows uses
the library. What you have solved is remembered on this computer, in the folder `.minibert` of your
home (`MINIBERT_HOME` moves it). `chapters/` holds the notebooks to work in, `chapters/solutions/`
the same ones solved. To begin a chapter anew, copy its notebook afresh from the repository.

**Where you are.** Run this cell whenever you come back: it says what is done, what is next, and how
many minutes of exercises are left.
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
Is everything in place? This is what `minibert doctor` prints on the command line, in short.
"""

# %%
for name, finding in doctor.examine():
    print(f"{finding.status:4}  {name:12}", "" if finding.status == "ok" else finding.text)

# %% [markdown]
r"""
`ok` is well; `note` can wait; `FIX` says what to do.

## 3. A tour of the embedded world

The models of these chapters train on a laptop in about a minute, so they need a small language.
Ours is written by a program: plain English prose about a little country of its own, with people,
trades, rivers, films and football. The program knows the truth about every word that it writes, so
we can check what a model has understood. `generate` needs no network, and gives the same text for
the same seed. It counts in **tokens**: words, punctuation marks, and the ends of sentences and
documents.
"""

# %%
train = mb.world.generate(tokens=20_000 if SMOKE else 100_000, seed=0)
test = mb.world.generate(tokens=5_000 if SMOKE else 30_000, seed=1)  # the same world, other documents
print(train)

# %%
by_kind = {}
for document in train.documents:
    by_kind.setdefault(document.kind, []).append(document)
rounds = [document for several in zip(*by_kind.values(), strict=False) for document in several]
for document in rounds[:10]:
    print(f"[{document.kind}: {document.topic}]")
    print(textwrap.fill(document.text, 100), "\n")

# %% [markdown]
r"""
The people and places are the same in all documents: whoever is a baker in one story is a baker in
the news. Each document lists the facts that it states.
"""

# %%
entry = next(document for document in by_kind["encyclopedia"] if document.topic == "people")
print(textwrap.fill(entry.text, 100), "\n")
for fact in dict.fromkeys(entry.facts):
    print(fact)

# %% [markdown]
r"""
**Every word is annotated**: its part of speech, its dictionary form, the word that it depends on
and how, and, where it has them, its sense and the kind of name it belongs to (`B-PER` begins a
person's name, `I-PER` goes on with it, `O` is no name). A question to keep in mind: which of these
could a model find out without being told?
"""

# %%
sentence = next(
    sentence for document in by_kind["story"] for sentence in document.sentences
    if 8 <= len(sentence.tokens) <= 11 and any(sentence.sense) and "B-PER" in sentence.entity
)
heads = [sentence.tokens[head] if head >= 0 else "-" for head in sentence.head]
columns = ("token", "part of speech", "lemma", "depends on", "relation", "sense", "entity")
rows = zip(sentence.tokens, sentence.pos, sentence.lemma, heads, sentence.relation,
           sentence.sense, sentence.entity, strict=True)
for row in [columns, *rows]:
    print("".join(f"{cell:15}" for cell in row))

# %%
def draw_arcs(sentence):
    """The dependency tree as arcs from each head to its dependents."""
    fig, ax = mb.show.new(f"Who depends on whom: “{sentence.text}”", size=(7.6, 3.4))
    spans = [abs(i - head) for i, head in enumerate(sentence.head) if head >= 0]
    for i, head in enumerate(sentence.head):
        if head < 0:
            ax.text(i, -1.1, "root", ha="center", fontsize=9, color="grey")
            continue
        angle = np.linspace(0, np.pi, 40)
        centre, half = (i + head) / 2, abs(i - head) / 2
        ax.plot(centre + half * np.cos(angle), half**0.7 * np.sin(angle), lw=1.2, color="#0072B2")
        ax.plot(i, 0.05, "v", color="#0072B2", markersize=5)
        ax.text(centre, half**0.7 + 0.06, sentence.relation[i], ha="center", fontsize=8.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    for i, (token, pos) in enumerate(zip(sentence.tokens, sentence.pos, strict=True)):
        ax.text(i, -0.25, token, ha="center", va="center", fontsize=10)
        ax.text(i, -0.65, pos, ha="center", va="center", fontsize=8, color="grey")
    ax.set(ylim=(-1.3, (max(spans) / 2) ** 0.7 + 0.5), xlim=(-0.6, len(sentence.tokens) - 0.4))
    ax.axis("off")
    return fig


pairs = zip(sentence.tokens, heads, strict=True)
alt = "; ".join(f"{token} depends on {head}" for token, head in pairs)
mb.show.figure(draw_arcs(sentence), alt=f"Dependency arcs: {alt}.")

# %% [markdown]
r"""
**Homographs**: one spelling, several senses. The world has some on purpose, because chapters 01 and
02 differ in what they can do with them.
"""

# %%
senses = {}  # word -> sense -> one sentence
for document in train.documents:
    for one in document.sentences:
        for token, sense in zip(one.tokens, one.sense, strict=True):
            if sense:
                senses.setdefault(token, {}).setdefault(sense, one.text)
several = sorted((word, uses) for word, uses in senses.items() if len(uses) > 1)
for word, uses in several[:: max(1, len(several) // 5)][:5]:
    for sense, text in uses.items():
        print(f"{word:8} {sense:18} {text[:85]}")

# %% [markdown]
r"""
**A few words make up most of the text.** In any natural text the frequency of a word falls roughly
as one over its rank: Zipf's law. (`<eos>` ends a sentence, `<eod>` a document.)
"""

# %%
tokens, test_tokens = list(train.tokens()), list(test.tokens())
words, how_often = np.unique(tokens, return_counts=True)
counts = dict(zip(words.tolist(), how_often.tolist(), strict=True))
mb.show.figure(mb.show.zipf(counts))

# %% [markdown]
r"""
## 4. Surprise, entropy, perplexity

How well does somebody foresee a text? Ask for a probability of each next word, and look at the
probability $p$ that was given to the word which came. The **surprise** is $-\log p$: nothing for a
word that was certain, much for one thought unlikely. With the natural logarithm its unit is the
**nat**. Surprises add up: two words with probabilities $p$ and $q$ surprise by
$-\log pq = -\log p - \log q$.

The **entropy** is the mean surprise of somebody who knows the true distribution $p$; the
**cross-entropy**, of somebody who believes in $q$ instead:

$$
H(p) = -\sum_w p(w) \log p(w) \qquad H(p, q) = -\sum_w p(w) \log q(w) \;\ge\; H(p)
$$

A wrong belief always costs: the difference is the Kullback-Leibler divergence, and it is never
negative.

*Predict before you run:* a coin shows heads with probability $p$. At which $p$ is it hardest to
foresee? Somebody believes that it is fair: what does that cost where $p = 0.9$? (The plot is made
by D2L's library; D2L is the book *Dive into Deep Learning*, which runs along with these chapters.)
"""

# %%
d2l = mb.course.d2l()
p = torch.linspace(0.001, 0.999, 200)
entropy_of_coin = -(p * p.log() + (1 - p) * (1 - p).log())
believes_fair = torch.full_like(p, math.log(2))
d2l.plot(p, [entropy_of_coin, believes_fair], "probability of heads", "nats a throw",
         legend=["knows the coin", "believes it is fair"], figsize=(6, 3))
d2l.plt.title("Mean surprise at a coin")
d2l.plt.tight_layout()
mb.show.figure(d2l.plt.gcf(), alt="The entropy of a coin is a hill: zero at both ends, log 2 at one "
               "half, where it touches the straight line of the one who believes that it is fair.")

# %% [markdown]
r"""
{{exercise 00.entropy}}

Write the entropy of a distribution over $V$ outcomes, in nats. `p` has the shape `(V,)`; some of
its entries may be 0, and an outcome that never happens adds nothing.
"""

# %%
def entropy(p):
    """The entropy of the distribution ``p``, shape (V,), in nats: a scalar tensor."""
    result = torch.tensor(0.0)
    ### BEGIN SOLUTION
    result = torch.special.entr(p).sum()  # -p log p, and 0 where p is 0
    ### END SOLUTION
    return result


# %%
mb.course.check("00.entropy", entropy)

# %% [markdown]
r"""
The **perplexity** says the same in another way: $\exp$ of the mean surprise. Perplexity 20 means:
as unsure as when choosing blindly among 20 words.

{{exercise 00.perplexity}}

`logs` is a list: the natural logarithm of the probability that a model gave to each token of a
text. Write the perplexity of the model on that text.
"""

# %%
def perplexity(logs):
    """The perplexity of a text from the log-probabilities of its tokens."""
    result = 1.0
    ### BEGIN SOLUTION
    result = math.exp(-sum(logs) / len(logs))
    ### END SOLUTION
    return result


# %%
mb.course.check("00.perplexity", perplexity)

# %% [markdown]
r"""
**Tensors and shapes, for who has not met them (optional).** A tensor is a block of numbers; its
*shape* says how many there are along each side. Language models turn ids `(batch, length)` into
*logits* `(batch, length, V)`, one number for each possible next word, and a softmax turns these
into probabilities. Torch's `cross_entropy` does softmax, logarithm and look-up at once.
"""

# %% tags=["nbval-check-output"]
logits = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]])  # (batch 1, length 2, V 3)
targets = torch.tensor([[0, 1]])  # (batch 1, length 2): the words that came
p = logits.softmax(-1)  # (1, 2, 3), each row sums to one
by_hand = -p.gather(-1, targets[..., None]).log().mean()  # picks p of the word that came
library = F.cross_entropy(logits.flatten(0, 1), targets.flatten())  # (2, 3) and (2,)
print(tuple(logits.shape), [round(total, 4) for total in p.sum(-1)[0].tolist()], f"{by_hand:.4f} {library:.4f}")

# %% [markdown]
r"""
## 5. The floor: the best that anybody can do

With real text nobody knows how much of it can be foreseen. Shannon (1951) let people guess letters
to find out. Here we know it exactly, since the text is drawn by a program whose every draw has a
known probability. Look at a grammar so small that all of its texts fit on the screen. It makes two
choices:

1. the cat (3 in 4) or the dog (1 in 4) sleeps;
2. the text ends here (1 in 2), or it says of the weather that it was warm or cold (1 in 4 each).
"""

# %% tags=["nbval-check-output"]
first = {"The cat sleeps.": 3 / 4, "The dog sleeps.": 1 / 4}
second = {"": 1 / 2, " It was warm.": 1 / 4, " It was cold.": 1 / 4}
texts = {a + b: first[a] * second[b] for a in first for b in second}
for text, probability in texts.items():
    print(f"{probability:.4f}  {text}")
print(f"{math.fsum(texts.values()):.4f}  altogether")

# %% [markdown]
r"""
No two ways lead to the same text: **every choice shows**. So the probability of a text is the
product of its choices' probabilities, its logarithm is the sum of theirs, and the six add up to
one. The world's own writer keeps to this rule, and adds up the logarithms as it draws. Here is the
same grammar in its language: a number before a bar is a weight, `[nsubj ...]` and `*` mark subject
and head, and `chance(50)` says yes in half of the cases.
"""

# %% tags=["nbval-check-output"]
from minibert.world.exact import enumerate_texts
from minibert.world.writer import Group

lexicon = mb.world.world(0).lexicon
animal = Group(lexicon, "3| [nsubj the cat] *sleeps .\n1| [nsubj the dog] *sleeps .")
weather = Group(lexicon, "it was *warm .\nit was *cold .")


def write(writer):
    writer.say(animal)
    if writer.chance(50):
        writer.say(weather)


written = {" ".join(text.split("\n")): math.exp(log_p)
           for text, log_p in enumerate_texts(write, mb.world.world(0))}
print(len(written), "texts, together", f"{math.fsum(written.values()):.4f}")
print("as by hand:", all(math.isclose(written[text], texts[text]) for text in texts))

# %% [markdown]
r"""
The full world has far too many texts to list, but each one that it writes carries its
log-probability. The sum over a corpus, divided by the number of tokens, is the corpus's **floor**.

*Predict before you run:* there are a few thousand different words, so a blind guess costs about
$\log 3000 \approx 8$ nats a token. How much does a token cost somebody who knows everything?
"""

# %%
document = min(test.documents, key=lambda document: abs(document.n - 60))
print(textwrap.fill(document.text, 100))
print(f"{-document.log_prob:.1f} nats for {document.n} tokens")

by_hand = -math.fsum(document.log_prob for document in test.documents) / len(test_tokens)
print(f"floor of the test text: {test.floor:.4f}, by hand {by_hand:.4f} nats a token")

# %% [markdown]
r"""
Less than a nat: once a sentence has begun, most of it follows. A model that reads from left to
right gives each text a probability, too, the product over its tokens:
$\log q(\text{text}) = \sum_t \log q(w_t \mid w_{<t})$. What it pays above the floor is its
Kullback-Leibler divergence from the world, so over enough new text **no such model can get below
the floor**, however large it is. Nowhere else in language modelling do you know how far there is
still to go.

For a fair comparison all models must be charged for *the same text*: with its capitals, with the
ends of sentences and documents, and without an `<unk>` that hides a rare word. Ours write `<new>`
for a word that they do not know, and then pay for its letters, at a price that is the same for all
of them.
"""

# %%
vocab = baselines.vocabulary(tokens)  # words seen at least twice, <new> and <eod>
V = len(vocab)
ids, test_ids = baselines.encode(tokens, vocab), baselines.encode(test_tokens, vocab)
new = sorted({token for token in test_tokens if token not in vocab and token.isalpha()})
letters = baselines.Spelling(vocab)
print(f"{V:,} words; {sum(test_ids == vocab.ids['<new>'])} of {len(test_ids):,} test tokens are new")
for token in new[:3]:
    print(f"{token:12} costs <new> and {letters(token):.1f} nats for its letters")

# %% [markdown]
r"""
## 6. Counting: unigram and trigram

The **unigram** model ignores the past: $p(w)$ is how often $w$ came. The **trigram** model looks
two words back, and counts what came after them. But most groups of three words were never seen in
training, and a probability of zero costs infinitely much. So it mixes in what the shorter histories
say. Let $h$ be the words before, $h'$ the same without the first of them, $c(\cdot)$ a count, and
$T(h)$ the number of *different* words that have followed $h$. Then (Witten & Bell 1991)

$$
p(w \mid h) = \frac{c(h\,w) + T(h)\; p(w \mid h')}{c(h) + T(h)}
$$

After *New* or *once upon* nearly always the same word comes: $T$ is small, and the counts are
trusted. After *the* anything may come: $T$ is large. At the bottom stands $1/V$ for each word.

{{exercise 00.trigram}}

Write the formula. `together` is $c(h\,w)$, `total` is $c(h)$, `different` is $T(h)$, `shorter` is
$p(w \mid h')$. A history that was never seen has nothing to say: then the answer is `shorter`.
"""

# %%
def interpolate(together, total, different, shorter):
    """p(w | h) from counts and the probability with the shorter history."""
    p = 0.0
    ### BEGIN SOLUTION
    p = shorter if total == 0 else (together + different * shorter) / (total + different)
    ### END SOLUTION
    return p


# %%
mb.course.check("00.trigram", interpolate)

# %% [markdown]
r"""
The library does it for all words at once. Is it a distribution? And what does it say after *She
lives*?
"""

# %%
unigram = baselines.NGram(ids, V, order=1)
trigram = baselines.NGram(ids, V, order=3)
context = baselines.encode(["<eos>", "She", "lives"], vocab)
for model in (unigram, trigram):
    p = model.distribution(context)
    best = ", ".join(f"{vocab.tokens[i]} {p[i]:.2f}" for i in np.argsort(-p)[:6])
    print(f"sums to {p.sum():.6f}: {best}")
mb.course.source(baselines.NGram._step)

# %% [markdown]
r"""
## 7. Remembering: an LSTM

A trigram forgets what stood three words ago. A **recurrent network** reads the words one by one and
keeps a vector of notes; an LSTM has learned gates that say what to forget, what to write down and
what to show (Hochreiter & Schmidhuber 1997; the gate that forgets came with Gers et al. 2000). With
$x_t$ the vector of the word, $h_{t-1}$ what it showed before, $W$, $U$ and $b$ learned,
$\sigma(z) = 1 / (1 + e^{-z})$, which lies between 0 and 1, and $\odot$ a product number by number:

$$
\begin{aligned}
(i, f, g, o) &= W x_t + U h_{t-1} + b && \text{four vectors at once} \\
c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) && \text{forget, then write} \\
h_t &= \sigma(o) \odot \tanh(c_t) && \text{show}
\end{aligned}
$$

**In ten lines (optional).** Torch's `nn.LSTM` does the same; so does D2L's recurrent module, if we
hand it torch's. On the same weights all three must agree.
"""

# %%
def lstm(x, layer):
    """x (length, batch, dim) -> every h, (length, batch, hidden), with the weights of ``layer``."""
    W, U = layer.weight_ih_l0, layer.weight_hh_l0  # (4 hidden, dim), (4 hidden, hidden)
    b = layer.bias_ih_l0 + layer.bias_hh_l0  # (4 hidden,)
    h = c = torch.zeros(x.shape[1], layer.hidden_size)  # (batch, hidden)
    shown = []
    for x_t in x:  # (batch, dim)
        i, f, g, o = (x_t @ W.T + h @ U.T + b).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        shown.append(h)
    return torch.stack(shown)


layer = nn.LSTM(5, 7)
theirs = d2l.RNN(5, 7)  # a plain RNN ...
theirs.rnn = layer  # ... made an LSTM, as in D2L 10.1
x = torch.randn(6, 2, 5)  # (length 6, batch 2, dim 5)
ours = lstm(x, layer)
print(tuple(ours.shape), torch.allclose(ours, layer(x)[0], atol=1e-6),
      torch.allclose(ours, theirs(x)[0], atol=1e-6))

# %% [markdown]
r"""
A language model is that layer between two tables: word vectors go in, and its $h_t$ is held against
every word's vector to score it as the next one. Here is the library's, and how it is trained: long
stretches of text, read side by side, with one call of `mb.fit`, which serves every model of this
series.

*Predict before you run:* order the three models by their loss. How much of the way from the unigram
to the floor will the LSTM make?
"""

# %%
mb.course.source(baselines.LSTMLanguageModel.forward)
mb.course.source(baselines.LSTMLanguageModel.loss)

# %%
start = time.time()
lstm_model, history = baselines.train_lstm(ids, V, dim=32 if SMOKE else 128, epochs=1 if SMOKE else 3)
print(f"{len(history) * 8 * 16 / (time.time() - start):,.0f} tokens a second")

# %%
figure = mb.show.loss_curve(history, floor=test.floor, title="An LSTM learns to foresee the text",
                            perplexity=True)
mb.show.figure(figure)

# %% [markdown]
r"""
This is the loss on training text, which it reads several times. What counts is text that it has not
seen:
"""

# %%
models = {"unigram": unigram, "trigram": trigram, "LSTM": lstm_model}
costs = {name: baselines.costs(model, test_tokens, vocab) for name, model in models.items()}
bars = {name: cost.sum() / len(test_tokens) for name, cost in costs.items()}
bars["the floor"] = test.floor
mb.show.figure(mb.show.bars(bars, "What a token of new text costs (one seed)", "nats a token"))

# %% [markdown]
r"""
All stay above the floor. Did the longer memory win? It has more to learn than counting has, and
takes far longer over it; section 10 asks the same with less text, and with other seeds. Does any
model beat the floor on single documents? It may by luck, just as a gambler may win an evening; but
not on the mean. So we take the difference for each document: what the model pays, minus what the
world's own probability costs.
"""

# %%
ends = np.cumsum([document.n for document in test.documents])  # where each document ends
floors = np.array([-document.log_prob for document in test.documents])
for name, cost in costs.items():
    paid = np.diff(np.cumsum(cost)[ends - 1], prepend=0)  # (documents,)
    more = paid - floors
    error = more.std() / len(more) ** 0.5
    print(f"{name:8} pays {more.mean():6.1f} ± {2 * error:.1f} nats a document above the floor; "
          f"below it in {np.sum(more < 0)} of {len(more)} documents")

# %% [markdown]
r"""
## 8. Touch it: guess the next word

Move the slider along a document. The bars show what each model thinks comes next, with the word
that came in orange; the lines below add up what each has paid, and the dotted line is the floor of
the whole document. It begins where the LSTM is furthest ahead of the trigram. Try the place right
after a name, the start of a sentence, and the middle of a phrase. Where does the LSTM know
something that the trigram has forgotten? Where is nobody able to know?
"""

# %%
import ipywidgets

line = [*[t for s in document.sentences for t in [*s.tokens, "<eos>"]], "<eod>"]
shown = baselines.encode(line, vocab)
views = {
    name: [model.distribution(shown[:place]) for place in range(len(shown))]
    for name, model in models.items()
}  # name -> (V,) at each place
paid = {name: np.cumsum([0.0, *baselines.costs(model, line, vocab)]) for name, model in models.items()}
ahead = [float(views["LSTM"][i][w] - views["trigram"][i][w]) for i, w in enumerate(shown)]


def candidates(ax, name, place):
    """Bars of the five likeliest next words and of the one that came."""
    p, came = views[name][place], shown[place]
    best = [*[i for i in np.argsort(-p)[:6] if i != came][:5], came]
    best.sort(key=lambda i: p[i])
    colours = ["#E69F00" if i == came else "#0072B2" for i in best]
    ax.barh([vocab.tokens[i] for i in best], p[best], color=colours)
    ax.set(title=f"{name}: p = {p[came]:.3f}", xlim=(0, 1), xlabel="probability")
    ax.grid(False, axis="y")


# %%
def look(place):
    """The frame of the widget for one place of the document."""
    fig, axes = mb.show.new("", rows=2, columns=3, size=(7.6, 5.6))
    for ax in axes[1]:
        ax.remove()
    for ax, name in zip(axes[0], models, strict=True):
        candidates(ax, name, place)
    with mb.show.style():
        below = fig.add_subplot(axes[0, 0].get_gridspec()[1, :])
    for name, marker in zip(models, ("-", "--", "-."), strict=True):
        below.plot(paid[name][: place + 2], marker, label=f"{name} {paid[name][place + 1]:.0f}")
    below.axhline(-document.log_prob, color="grey", ls=":", label=f"floor {-document.log_prob:.0f}")
    below.set(xlim=(0, len(shown)), ylim=(0, paid["trigram"][-1] * 1.1),
              xlabel="tokens read", ylabel="nats paid", title="Paid so far")
    below.legend()
    read = " ".join(vocab.tokens[i] for i in shown[:place])
    came = vocab.tokens[shown[place]]
    said = ", ".join(f"{name} {views[name][place][shown[place]]:.3f}" for name in models)
    return mb.show.Frame(fig, f"After “{read[-80:]}” comes {came}: {said}.",
                         text=f"... {read[-150:]} [ {came} ]")


slider = ipywidgets.IntSlider(int(np.argmax(ahead)), 0, len(shown) - 1, description="place", continuous_update=False)
mb.show.Interactive(look, {"place": slider})

# %% [markdown]
r"""
## 9. Two traps of counting

{{exercise 00.find_the_bug}}

A colleague computes perplexity batch by batch: "Strange. With larger batches my model gets better,
although I have not trained it any further." Each batch is a pair: the *sum* of its tokens' losses,
and their number. Find out why the answer depends on how the tokens fall into batches, and mend it.
"""

# %%
def evaluate(batches):
    """The perplexity over all tokens of ``batches``, a list of (sum of losses, number of tokens)."""
    each = [math.exp(loss / count) for loss, count in batches]
    result = sum(each) / len(each)
    ### BEGIN SOLUTION
    losses = math.fsum(loss for loss, _ in batches)
    result = math.exp(losses / sum(count for _, count in batches))
    ### END SOLUTION
    return result


# %%
mb.course.check("00.find_the_bug", evaluate)

# %% [markdown]
r"""
{{exercise 00.below}}

A friend reports that her language model reaches a loss *below* the floor of this world's text.
Nobody can. Write down three different things that you would look at first, and how each could make
a loss too small.
"""

# %% [markdown] written="00.below"
r"""
First the text: was the model tested on documents that it had read in training, or on other ones
than the floor was computed on? Was the text made easier, in lower case, or with `<unk>` in place of
the rare words? Then the counting: dividing by subwords or letters instead of the world's tokens
gives smaller numbers, and so does leaving the ends of sentences out of the sum. Last the model: if
it can see the word that it predicts, because a mask is missing or because it reads both sides, then
its numbers are no probability of the text at all. And if the test text is a page long, it may just
have been lucky: look at the spread over documents.
"""

# %% [markdown]
r"""
## 10. How much of this is luck?

The full experiment trains all three on two amounts of text, over {{finding 00 models.floor seeds}} seeds
(`make findings CH=00`, settings in `chapters/findings/00.py`); each seed draws other texts. First
the means, then every run on the larger amount as a dot.
"""

# %%
found = mb.course.findings("00")
amounts = found.content["experiments"]["models"]["config"]["tokens"]
fig, ax = mb.show.new("More text, closer to the floor", "tokens of training text", "nats a token")
for name, marker in (("unigram", "o-"), ("trigram", "s--"), ("LSTM", "^-.")):
    runs = np.array(found.values(f"models.{name.lower()}"))  # (seeds, amounts)
    ax.errorbar(amounts, runs.mean(0), runs.std(0), fmt=marker, capsize=4, label=name)
ax.axhline(found.mean("models.floor"), color="grey", ls=":", label="floor")
ax.set(xscale="log", ylim=(0, None))
ax.set_xticks(amounts, [f"{n:,}" for n in amounts])
ax.minorticks_off()
ax.legend(title="mean and standard deviation", loc="lower left", bbox_to_anchor=(0.05, 0.09))
mb.show.figure(fig, alt="Loss by amount of training text for unigram, trigram and LSTM, above the floor.")

# %%
names = {"unigram": "unigram_most", "trigram": "trigram_most", "LSTM": "lstm_most", "floor": "floor"}
spread = {label: found.values(f"models.{name}") for label, name in names.items()}
mb.show.figure(mb.show.spread(spread, title=f"After {amounts[-1]:,} tokens", xlabel="nats a token"))

# %% [markdown]
r"""
- {{claim 00 models.unigram_least models.trigram_least | on the least text the trigram pays less than the unigram}}
- {{claim 00 models.trigram_least models.lstm_least | on the least text the LSTM pays less than the trigram}}
- {{claim 00 models.trigram_most models.lstm_most | on the most text the LSTM pays less than the trigram}}
- {{claim 00 models.lstm_least models.lstm_most | the LSTM pays less when it has more text}}
- {{claim 00 models.best_above models.zero | the best of the three stays above the floor, document by document}}

The floor of the test texts is {{finding 00 models.floor mean .3f}} nats a token. On the most text the LSTM comes
to {{finding 00 models.lstm_most mean .2f}}, the trigram to {{finding 00 models.trigram_most mean .2f}} and the
unigram to {{finding 00 models.unigram_most mean .2f}}. What is left is what the coming chapters are for: words
far back, facts about people, sense and topic.

## 11. The real thing

The same trigram on real English, when it is at hand (`minibert data list` says where to put it):
British novels. Here nobody knows the floor.
"""

# %%
try:
    books = mb.data.load("books_train")
except FileNotFoundError as missing:
    print(missing)
else:
    pages = [page for page, _ in zip(books.paragraphs(), range(300 if SMOKE else 6000), strict=False)]
    stream = [t for page in pages for t in [*mb.text.tokenise(page), "<eod>"]]
    cut = len(stream) * 9 // 10
    real = baselines.vocabulary(stream[:cut])
    for order in (1, 3):
        model = baselines.NGram(baselines.encode(stream[:cut], real), len(real), order)
        loss = baselines.costs(model, stream[cut:], real).mean()
        print(f"order {order}: {loss:.2f} nats a token, perplexity {math.exp(loss):,.0f}")

# %% [markdown]
r"""
Real English is harder by far: there are more words, more that they can mean, and more to say.

## 12. Summary

- **Transfer learning**: pre-train on plain text, adapt with few labels; as features, or by
  fine-tuning.
- A language model is judged by its surprise at new text: nats a token, or perplexity, its
  exponential.
- The embedded world writes text whose exact probability is known. Its **floor** is the least that
  any model reading from left to right can pay, and models are compared by what they pay above it.
- A unigram knows the words, a trigram the phrases; an LSTM can remember further back, given the
  text to learn it from.
- Totals first, one division last: only then do numbers not depend on how the text is cut.

{{quiz 00.q1}}

{{quiz 00.q2}}

{{quiz 00.q3}}
"""

# %%
mb.course.progress("00")

# %% [markdown]
r"""
Next: [chapter 01](01_word2vec.ipynb), where a word gets a vector from the company it keeps.

**Further reading.** Shannon (1951), *Prediction and entropy of printed English*. Witten & Bell
(1991), *The zero-frequency problem*. Chen & Goodman (1999), *An empirical study of smoothing
techniques for language modeling*. Hochreiter & Schmidhuber (1997), *Long short-term memory*. Gers
et al. (2000), *Learning to forget*. Ruder (2019), *Neural transfer learning for natural language
processing* (thesis). D2L, chapters [9](https://d2l.ai/chapter_recurrent-neural-networks/index.html) and [10](https://d2l.ai/chapter_recurrent-modern/index.html).
"""
