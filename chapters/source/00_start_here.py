# ---
# jupyter:
#   minibert:
#     title: Start here
#     question: How much of a text can be predicted, and what is that good for?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1500
#     needs: ["Python", "school mathematics (a logarithm, a probability)"]
#     skip: "what is marked optional, about 65 minutes in all: the rest of the tour in section 3 (6), tensors in 4 (3), the writer's own language in 5 (3), sections 7 and 8 on the LSTM (25; read 7 before chapter 02), section 10 (22) and section 12 (4)"
#     papers:
#       - "Shannon (1951), Prediction and Entropy of Printed English"
#       - "Witten & Bell (1991), The Zero-Frequency Problem"
#       - "Hochreiter & Schmidhuber (1997), Long Short-Term Memory"
# ---

# %% [markdown]
r"""
# 00 · Start here: how much of a text can be predicted, and what is that good for?

{{head}}

Finish this sentence: *She unlocked the door, switched on the light and hung up her ...*

<details><summary>What came next</summary>

*... coat.* You were probably right, or close. You used what you know of grammar, of phrases and of
people who come home.

</details>

A machine that is trained to predict the next word has to find all this out by itself. Then comes
the step that this whole series is about: what the machine has learned can be **transferred** to
other tasks.

After this chapter you can say what transfer learning is and when it pays. You will have built a
language model from counts, and you can judge any language model by its distance from the best
possible one.
"""

# %%
import math
import random
import textwrap

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
## 1. Transfer in five minutes

For a long time every task began from nothing. To sort reviews, people labelled thousands of reviews
and trained a model on them. To find names, they labelled names and trained another model. From its
labels alone, each model had to learn its task *and* what words are.

Text without labels costs almost nothing. So we split the work: we **pre-train** one model on plain
text, where the next word is the label. Then we **adapt** it to each task with few labels.
"""

# %% tags=["hide-input"]
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

# %% tags=["hide-input"]
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
**Does it work?** Here is a task: three sentences are given, and we want to know what kind of text
they come from. There are nine kinds. Suppose that somebody has labelled 50 texts for us: between
four and nine of each kind.
"""

# %%
task = mb.world.task("topic", seed=0)
labelled, tests = task.train[:50], task.test[: 30 if SMOKE else 300]
print(len(task.labels), "kinds:", ", ".join(task.labels), "\n")
for example in labelled[:4]:
    print(f"{example.label:14}{textwrap.shorten(example.text, 100)}")

# %% [markdown]
r"""
**The cheap way: count words.** Each text becomes a vector that says how often each word occurs in
it. Logistic regression, a linear classifier, learns from the 50 labelled vectors and then labels
new texts.
"""

# %%
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

texts, new_texts = [e.text for e in labelled], [e.text for e in tests]
labels, new_labels = [e.label for e in labelled], [e.label for e in tests]


def classify(vectors, new_vectors):
    """Predicted labels of the new texts."""
    return LogisticRegression(C=10, max_iter=300).fit(vectors, labels).predict(new_vectors)


count_words = CountVectorizer(tokenizer=mb.text.tokenise, token_pattern=None, lowercase=False)
by_counts = classify(count_words.fit_transform(texts), count_words.transform(new_texts))
print(f"counting words: {np.mean(by_counts == np.array(new_labels)):.0%} of the new texts are right")

# %% [markdown]
r"""
**The way of this series: pre-trained vectors.** `minibert-gpt` comes with this library. You will
build such a model in chapter 07. It was trained on plain text to predict the next word, and has
never seen one of our labels. It turns each word of a text into a vector, and we take the mean of
these vectors. The classifier on top is the same as before.

To be fair we also try the same network *without* its pre-training, with random weights.

*Predict before you run:* how many of the new texts will be right with pre-trained vectors?
"""

# %%
gpt = mb.GPT.from_pretrained("minibert-gpt").eval()
untrained = mb.GPT(gpt.config).eval()


@torch.no_grad()
def vector(model, text):
    """The mean of a text's vectors, taken from the last layer but one: (dim,)."""
    ids = torch.tensor([gpt.tokenizer.encode(text)])  # (1, length)
    return model(ids).hidden_states[-2][0].mean(0).numpy()  # (1, length, dim) -> (dim,)


def by_vectors(model):
    """Predicted labels of the new texts, from a model's vectors."""
    return classify([vector(model, t) for t in texts], [vector(model, t) for t in new_texts])


# %%
predicted = {
    "no pre-training": by_vectors(untrained),
    "counting words": by_counts,
    "pre-trained": by_vectors(gpt),
}
right = {name: np.mean(given == np.array(new_labels)) for name, given in predicted.items()}
most = max(new_labels.count(label) for label in task.labels) / len(new_labels)
bars = {"always the same answer": most} | right
mb.show.figure(mb.show.bars(bars, "What kind of text is it? 50 labels", "share of new texts right"))

# %% [markdown]
r"""
The pre-trained vectors win. Only the pre-training can be the reason: the untrained network has the
same size, the same classifier and the same labels.

**What do they know?** Counting knows nothing about a word that never came with a label. The
pre-trained model has read such words in plain text. A hard test shows the difference: from the new
texts we delete every word that occurs in the 50 labelled ones. Now counting is blind. All its
counts are zero, so it gives every text the same answer.

*Predict before you run:* from the words that are left, how many texts will the pre-trained vectors
get right?
"""

# %%
known = set(count_words.get_feature_names_out())


def unseen(text):
    """The words of a text that do not occur in the labelled ones."""
    return " ".join(w for w in mb.text.tokenise(text) if w.isalpha() and w not in known)


remains = [(unseen(example.text), example) for example in tests if unseen(example.text)]
old = sum(len(text.split()) for text, _ in remains)
whole = sum(w.isalpha() for _, example in remains for w in mb.text.tokenise(example.text))
print(f"{old / whole:.0%} of the words in new texts never came with a label")

# %%
kinds = np.array([example.label for _, example in remains])
bars = {"counting words": np.mean(classify(count_words.transform(texts),
                                           count_words.transform([t for t, _ in remains])) == kinds)}
for name, model in (("no pre-training", untrained), ("pre-trained", gpt)):
    by_rest = classify([vector(model, t) for t in texts], [vector(model, t) for t, _ in remains])
    bars[name] = np.mean(by_rest == kinds)
mb.show.figure(mb.show.bars(bars, "From words that never came with a label", "share of new texts right"))
print("Some that the pre-trained vectors get right:")
rescued = [(t, e.label) for (t, e), given in zip(remains, by_rest, strict=True) if given == e.label]
for left_over, label in rescued[:6]:
    print(f"  {label:14}{left_over}")

# %% [markdown]
r"""
These words tell the pre-trained model a good deal, and tell the others nothing. No label has said
that *teams* and *goal* belong to a match. But the model has read in plain text which words keep
company, so its vector for them lies near the vectors of other matches, which did have a label.

**Is it luck, and does it last?** The full experiment draws other texts and labels for each of {{finding 00 transfer.chance seeds}}
seeds. The settings of each method are chosen on 300 more labelled texts, so "20 labels" means 20 to
train on. For counting, naive Bayes is tried, too.
"""

# %% tags=["hide-input"]
found = mb.course.findings("00")
amounts = found.content["experiments"]["transfer"]["config"]["labels"]
fig, ax = mb.show.new("Pre-training pays most where labels are few", "labelled texts", "share of new texts right")
ways = {"pre_trained": ("pre-trained", "o-"), "counts": ("counting words", "s--"),
        "untrained": ("no pre-training", "^-.")}  # fmt: skip
for way, (name, marker) in ways.items():
    runs = np.array(found.values(f"transfer.{way}"))  # (seeds, amounts)
    ax.errorbar(amounts, runs.mean(0), runs.std(0, ddof=1), fmt=marker, capsize=4, label=name)
ax.axhline(found.mean("transfer.chance"), color="grey", ls=":", label="always the same answer")
ax.set(xscale="log", ylim=(0, 1))
ax.set_xticks(amounts, [f"{n:,}" for n in amounts])
ax.minorticks_off()
ax.legend(title="mean and standard deviation", loc="lower right")
mb.show.figure(fig, alt="Accuracy by number of labels. Pre-trained vectors lie above counting words, and "
                        "both above the untrained network; the lead shrinks as labels grow.")

# %% [markdown]
r"""
Partly luck: the draw above is a lucky one. On average over the draws, with 50 labels the
pre-trained vectors get {{finding 00 transfer.pre_trained_50 mean .0%}} right and counting {{finding 00 transfer.counts_50 mean .0%}}. That lead is smaller, but still large. With 500 labels
it is {{finding 00 transfer.pre_trained_500 mean .0%}} against {{finding 00 transfer.counts_500 mean .0%}}: enough labels teach what words mean, too. Keep this picture in mind. It is why
every chapter compares its model with counting and with no pre-training.

**Two ways to adapt.** What you just saw is the first; you will meet both in nearly every chapter.

| | what happens to the pre-trained weights | what is new | good when |
|---|---|---|---|
| **features** | they stay as they are | a model on top, which reads the vectors | one model serves many tasks; computing is expensive |
| **fine-tuning** | they are trained further, gently | one small layer | the last bit of accuracy counts |

What is pre-trained grows from chapter to chapter: *word vectors* (01), *vectors of words in their
sentence* (02), *a whole language model* (03), and *a Transformer* (04 to 07).

## 2. How the chapters work

Each chapter asks one question and answers it by building something. You read, you predict, you run.
An exercise is a cell with a gap (`# YOUR CODE HERE`), followed by a cell that checks it.

| call | what it does |
|---|---|
| `mb.course.check("00.entropy", entropy)` | judges your answer, and names the mistake if it knows it |
| `mb.course.hint("00.entropy")` | gives the next hint, a little more each time |
| `mb.course.solution("00.entropy")` | shows one solution |
| `mb.course.use("00.entropy", entropy)` | gives *your* function to the cells below if it is right, else the library's |
| `mb.course.progress()` | what is done, and what comes next |
| `mb.course.source(mb.Word2Vec)` | shows the library's own code, in place |

Nothing breaks while an exercise is unsolved: its check says *not yet*, and the library's version
steps in. This computer remembers what you have solved, in the folder `.minibert` of your home
folder (`MINIBERT_HOME` moves it). `chapters/` holds the notebooks to work in, `chapters/solutions/`
the same notebooks solved. To start a chapter again, take a new copy of its notebook from the
repository. Some drawing code is folded away; a click on the bar beside it opens it.

**Where you are.** Run this cell whenever you come back: it says what is done, what is next, and how
many minutes of exercises are left.
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
Is everything in place? This is what `minibert doctor` prints on the command line, in short: `ok` is
fine, `note` can wait, and `FIX` says what to do.
"""

# %%
for name, finding in doctor.examine():
    print(f"{finding.status:4}  {name:12}", "" if finding.status == "ok" else finding.text)

# %% [markdown]
r"""
## 3. A tour of the embedded world

The models of these chapters train on a laptop in about a minute, so they need a small language.
Ours is written by a program: plain English prose about a little country of its own, with people,
trades, rivers, films and football. The program knows the truth about every word that it writes, so
we can check what a model has understood.

`generate` needs no network, and the same seed gives the same text. It counts in **tokens**: words,
punctuation marks, and the ends of sentences (`<eos>`) and documents (`<eod>`).
"""

# %%
train = mb.world.generate(tokens=20_000 if SMOKE else 100_000, seed=0)
test = mb.world.generate(tokens=5_000 if SMOKE else 30_000, seed=1)  # the same world, other documents
print(train)

# %%
first = {}  # kind -> its first document
for document in train.documents:
    first.setdefault(document.kind, document)
for kind in ("story", "news", "review", "match"):
    print(f"[{kind}: {first[kind].topic}]")
    print(textwrap.fill(first[kind].text, 100), "\n")

# %% [markdown]
r"""
The people and places are the same in all documents: the baker of one story is also the baker in the
news. A model sees such a text as one long list of tokens:
"""

# %%
tokens, test_tokens = list(train.tokens()), list(test.tokens())
print(tokens[:24])

# %% [markdown]
r"""
### The rest of the tour (optional)

Come back here whenever the world puzzles you. Each document lists the facts that it states.
"""

# %%
entry = next(d for d in train.documents if (d.kind, d.topic) == ("encyclopedia", "people"))
print(textwrap.fill(entry.text, 100), "\n")
for fact in dict.fromkeys(entry.facts):
    print(fact)

# %% [markdown]
r"""
**Every word is annotated** with its part of speech, its dictionary form (lemma), the word that it
depends on, and the relation between the two. Some words also have a sense, or belong to a name
(`B-PER` begins a person's name, `I-PER` continues it, `O` is no name). A question to keep in mind:
which of these could a model find out without being told?
"""

# %%
sentence = next(
    s for d in train.documents if d.kind == "story" for s in d.sentences
    if 8 <= len(s.tokens) <= 11 and any(s.sense) and "B-PER" in s.entity
)
heads = [sentence.tokens[head] if head >= 0 else "-" for head in sentence.head]
columns = ("token", "part of speech", "lemma", "depends on", "relation", "sense", "entity")
rows = zip(sentence.tokens, sentence.pos, sentence.lemma, heads, sentence.relation,
           sentence.sense, sentence.entity, strict=True)
for row in [columns, *rows]:
    print("".join(f"{cell:15}" for cell in row))

# %% tags=["hide-input"]
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

# %% tags=["hide-input"]
alt = "; ".join(f"{token} depends on {head}" for token, head in zip(sentence.tokens, heads, strict=True))
mb.show.figure(draw_arcs(sentence), alt=f"Dependency arcs: {alt}.")

# %% [markdown]
r"""
**Homographs**: one spelling, several senses. The world has some on purpose. In chapter 01 a word
has one vector, whatever its sense; in chapter 02 it has one for each sentence.
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
as one over its rank: Zipf's law. Ours is no exception.
"""

# %%
words, how_often = np.unique(tokens, return_counts=True)
mb.show.figure(mb.show.zipf(dict(zip(words.tolist(), how_often.tolist(), strict=True))))

# %% [markdown]
r"""
## 4. Surprise, entropy, perplexity

How well does somebody predict a text? Ask them for the probability of each possible next word, and
look at the probability $p$ that they gave to the word that came. The **surprise** is $-\log p$:
zero for a word that was certain, large for a word thought unlikely. With the natural logarithm its
unit is the **nat**. Surprises add up: two words with probabilities $p$ and $q$ surprise by
$-\log pq = -\log p - \log q$.

The **entropy** is the mean surprise of somebody who knows the true distribution $p$. The
**cross-entropy** is the mean surprise of somebody who believes in $q$ instead:

$$
H(p) = -\sum_w p(w) \log p(w) \qquad H(p, q) = -\sum_w p(w) \log q(w) \;\ge\; H(p)
$$

A wrong belief always costs something: the difference $H(p, q) - H(p)$ is the Kullback-Leibler
divergence, and it is never negative.

*Predict before you run:* a coin shows heads with probability $p$. At which $p$ is it hardest to
predict? And what does it cost to believe that the coin is fair when $p = 0.9$?
"""

# %%
d2l = mb.course.d2l()  # the library of "Dive into Deep Learning", a book that runs along
p = torch.linspace(0.001, 0.999, 200)
entropy_of_coin = -(p * p.log() + (1 - p) * (1 - p).log())
believes_fair = torch.full_like(p, math.log(2))
d2l.plot(p, [entropy_of_coin, believes_fair], "probability of heads", "nats per throw",
         legend=["knows the coin", "believes it is fair"], figsize=(6, 3))
d2l.plt.title("Mean surprise at a coin")
d2l.plt.tight_layout()
mb.show.figure(d2l.plt.gcf(), alt="The entropy of a coin is a hill: zero at both ends, log 2 at one "
               "half, where it touches the straight line of the one who believes that it is fair.")

# %% tags=["nbval-check-output"]
knows = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
print(f"at p = 0.9: knows the coin {knows:.3f}, believes it is fair {math.log(2):.3f} nats per throw")

# %% [markdown]
r"""
A fair coin is hardest to predict. At $p = 0.9$ the wrong belief costs the distance between the two
lines. It more than doubles the surprise.

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

# %%
entropy = mb.course.use("00.entropy", entropy)

# %%
print(f"a fair die: {entropy(torch.full((6,), 1 / 6)):.3f} nats")

# %% [markdown]
r"""
The **perplexity** says the same in another way: it is $\exp$ of the mean surprise. A perplexity of
20 means being as unsure as in a blind choice among 20 words.

{{exercise 00.perplexity}}

`surprises` is a list: the surprise of each token of a text, in nats. Write the perplexity.
"""

# %%
def perplexity(surprises):
    """The perplexity of a text from the surprises of its tokens, a list of numbers in nats."""
    result = 1.0
    ### BEGIN SOLUTION
    result = math.exp(sum(surprises) / len(surprises))
    ### END SOLUTION
    return result


# %%
mb.course.check("00.perplexity", perplexity)

# %%
perplexity = mb.course.use("00.perplexity", perplexity)

# %% [markdown]
r"""
### Tensors and shapes (optional)

If you have not met them: a tensor is a block of numbers, and its *shape* says how many there are
along each side. Language models turn ids `(batch, length)` into *logits* `(batch, length, V)`, one
number for each possible next word, and a softmax turns these into probabilities. Torch's
`cross_entropy` does softmax, logarithm and look-up at once.
"""

# %% tags=["nbval-check-output"]
logits = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]])  # (batch 1, length 2, V 3)
targets = torch.tensor([[0, 1]])  # (batch 1, length 2): the words that came
p = logits.softmax(-1)  # (1, 2, 3), each row sums to one
by_hand = -p.gather(-1, targets[..., None]).log().mean()  # picks p of the word that came
library = F.cross_entropy(logits.flatten(0, 1), targets.flatten())  # (2, 3) and (2,)
assert torch.allclose(by_hand, library)
print(tuple(logits.shape), [round(total, 4) for total in p.sum(-1)[0].tolist()], f"{by_hand:.4f} {library:.4f}")

# %% [markdown]
r"""
## 5. The floor: the best that anybody can do

With real text nobody knows how much of it can be predicted. Shannon (1951) let people guess letters
to find out. Here we know it exactly, because a program draws the text, and every draw has a known
probability. Take a grammar so small that all of its texts fit on the screen. It makes two choices:

1. the cat (3 in 4) or the dog (1 in 4) sleeps;
2. the text ends here (1 in 2), or it says of the weather that it was warm or cold (1 in 4 each).
"""

# %% tags=["nbval-check-output"]
first = {"The cat sleeps.": 3 / 4, "The dog sleeps.": 1 / 4}
second = {"": 1 / 2, " It was warm.": 1 / 4, " It was cold.": 1 / 4}
possible = {a + b: first[a] * second[b] for a in first for b in second}
for text, p in possible.items():
    print(f"{p:.4f}  {text}")
print(f"{math.fsum(possible.values()):.4f}  altogether")

# %% [markdown]
r"""
No two ways lead to the same text: **every choice shows**. So the probability of a text is the
product of the probabilities of its choices, and the six add up to one. The entropy of this
distribution is the floor of our tiny language. Nobody who predicts its texts can be less surprised
on average, because nobody knows more than the true probabilities.
"""

# %% tags=["nbval-check-output"]
print(f"{entropy(torch.tensor(list(possible.values()))):.4f} nats per text")

# %% [markdown]
r"""
### The same grammar in the writer's own language (optional)

The world's writer adds up the logarithms of its choices as it draws. Here is the tiny grammar in
the writer's language: a number before a bar is a weight, `[nsubj ...]` and `*` mark subject and
head, and `chance(50)` says yes in half of the cases.
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
assert all(math.isclose(written[text], possible[text]) for text in possible)  # as by hand

# %% [markdown]
r"""
### The floor of the whole world

The world's writer keeps to the same rule: every choice shows. It can write far too many texts to
list, but each one carries its log-probability. The sum over a corpus, divided by the number of
tokens, is the corpus's **floor**.

*Predict before you run:* there are a few thousand different words, so a blind guess costs about
$\log 3000 \approx 8$ nats per token. How much does a token cost somebody who knows everything?
"""

# %%
document = min(test.documents, key=lambda document: abs(document.n - 60))
print(textwrap.fill(document.text, 100))
print(f"{-document.log_prob:.1f} nats for {document.n} tokens")

by_hand = -math.fsum(document.log_prob for document in test.documents) / len(test_tokens)
print(f"floor of the test text: {test.floor:.4f}, by hand {by_hand:.4f} nats per token")
assert math.isclose(test.floor, by_hand)

# %% [markdown]
r"""
It costs less than a nat: once a sentence has begun, most of it follows. (Real English is less
regular, so nobody can predict it as well.)

A model that reads from left to right gives each text a probability, too: the product over its
tokens, $\log q(\text{text}) = \sum_t \log q(w_t \mid w_{<t})$. On average, it pays
the floor plus its Kullback-Leibler divergence from the world. (For a corpus, the floor is the price
of these very texts, so it differs a little from one corpus to the next.) So over enough new text
**no such model can get below the floor**, however large it is. With real text you never know how
far there is still to go; here you do.

For a fair comparison, all models must pay for *the same text*: with its capitals, with the ends of
sentences and documents, and without an `<unk>` that hides a rare word. Our models read `<new>` for
a word that they do not know, and then pay for its letters, at a price that is the same for all.
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
## 6. Build it: a language model from counts

An **n-gram model** looks $n - 1$ words back and counts what came after them. With $n = 1$ (a
*unigram*) it ignores the past; $n = 3$ is a *trigram*. You build it in four steps: the table, one
mixture, the probability, and a class that prices texts and writes some.

In this picture the text is *the cat saw the cat and the dog*, and $n = 3$. Two
end marks stand before it, so that the first token has a history, too. The second and the third
window share one history, but different tokens follow it:
"""

# %% tags=["hide-input"]
fig, ax = mb.show.new("A window of three tokens slides over the text", size=(7.6, 2.6))
ax.set(xlim=(-0.6, 9.6), ylim=(-2.7, 0.6))
ax.axis("off")
window = "<eod> <eod> the cat saw the cat and the dog".split()
for x, word in enumerate(window):
    ax.text(x, 0, word, ha="center", va="center", fontsize=11, color="grey" if x < 2 else "black")
for row, at in enumerate((0, 2, 5)):
    y = -0.75 - 0.7 * row
    ax.barh(y, 1.9, 0.5, left=at - 0.45, color=SKY)
    ax.barh(y, 0.9, 0.5, left=at + 1.55, color=SAND)
    for x in range(at, at + 3):
        ax.text(x, y, window[x], ha="center", va="center", fontsize=11)
ax.text(9.5, -0.75, "blue: the history\nsand: the token that followed", ha="right", va="center", fontsize=10)
mb.show.figure(fig, alt="The text with two end marks before it. Three windows of three tokens: the first two "
                        "are the history, the third is counted. Twice the history is: the cat.")

# %% [markdown]
r"""
{{exercise 00.count}}

Write the table of an n-gram model, a dictionary of dictionaries: for each history (a tuple of the
$n - 1$ tokens before) how often each token followed it. Before the first token of the text, imagine
as many `"<eod>"` as are needed. An `"<eod>"` inside the text is a token like any other. For
example, `count(["a", "b", "a"], 2)` is
`{("<eod>",): {"a": 1}, ("a",): {"b": 1}, ("b",): {"a": 1}}`; with $n = 1$ the only history is `()`.
"""

# %%
def count(tokens, n):
    """{history, a tuple of n - 1 tokens: {token: how often it followed}}."""
    table = {}
    ### BEGIN SOLUTION
    padded = ["<eod>"] * (n - 1) + list(tokens)
    for i in range(n - 1, len(padded)):
        history, token = tuple(padded[i - n + 1 : i]), padded[i]
        after = table.setdefault(history, {})
        after[token] = after.get(token, 0) + 1
    ### END SOLUTION
    return table


# %%
mb.course.check("00.count", count)

# %%
count = mb.course.use("00.count", count)

# %%
read = [token if token in vocab else "<new>" for token in tokens]
tables = [count(read, n) for n in range(1, 6)]  # histories of 0, 1, 2, 3 and 4 tokens
for history in (("At", "half"), ("The",)):
    after = tables[len(history)].get(history, {})
    best = sorted(after.items(), key=lambda pair: -pair[1])[:5]
    print(f"{' '.join(history):10} {sum(after.values()):5} times, {len(after):4} followers: {best}")

# %% [markdown]
r"""
Such a table can already write: look at the last $n - 1$ tokens, draw one of their followers in
proportion to its count, and repeat.

*Predict before you run:* from which $n$ on could the text pass for the world's?
"""

# %%
def write_text(table, n, length=40, seed=3):
    """A text drawn from a table of n-grams."""
    draw, text = random.Random(seed), ["<eod>"] * (n - 1)
    for _ in range(length):
        after = table[tuple(text[len(text) - n + 1 :])]
        text += draw.choices(list(after), list(after.values()))
    return " ".join(token for token in text if token not in ("<eos>", "<eod>"))


for n in (1, 2, 3, 5):
    print(textwrap.fill(f"n = {n}: {write_text(tables[n - 1], n)}", 100), "\n")

# %% [markdown]
r"""
With $n = 1$ the words come in any order; with $n = 2$ each fits the one before. With $n = 5$ whole
sentences come out right, but mostly because they are copied: most histories of four words have a
single follower. Is that good prediction? We must test the model on *new* text.

**A history never seen.** About such a history the table says nothing, and a probability of zero
costs infinitely much. So we mix in what shorter histories say. Let $h$ be the words before, $h'$
the same words without the first, $c(\cdot)$ a count, and $T(h)$ the number of *different* words
that have followed $h$. Then (Witten & Bell 1991)

$$
p(w \mid h) = \frac{c(h\,w) + T(h)\; p(w \mid h')}{c(h) + T(h)}
$$

After *At half* the same word has always come: $T$ is small, and the counts are trusted. After *The*
hundreds of words may come: $T$ is large, and the shorter history has more say. Even the empty
history is mixed with something: with $1/V$ for each of the $V$ words of the vocabulary.

{{exercise 00.interpolate}}

Write the formula. `together` is $c(h\,w)$, `total` is $c(h)$, `different` is $T(h)$, `shorter` is
$p(w \mid h')$. A history that was never seen has nothing to say: then the answer is `shorter`.
"""

# %%
def interpolate(together, total, different, shorter):
    """p(w | h) from counts and the probability with the shorter history."""
    p = 0.0
    ### BEGIN SOLUTION
    if total == 0:
        return shorter
    p = (together + different * shorter) / (total + different)
    ### END SOLUTION
    return p


# %%
mb.course.check("00.interpolate", interpolate)

# %%
interpolate = mb.course.use("00.interpolate", interpolate)

# %% [markdown]
r"""
{{exercise 00.probability}}

Now all histories together. `tables[k]` holds the histories of `k` tokens, as `count` made them.
Begin with $1/V$, the guess of somebody who knows nothing. Then go from the shortest history to the
longest; each round makes a better `p` out of the one before, by `interpolate`. `history` is a tuple
of at least as many tokens as the longest history has.
"""

# %%
def probability(token, history, tables, V):
    """p(token | history) by a model of tables, among V words."""
    p = 0.0
    ### BEGIN SOLUTION
    p = 1 / V
    for k, table in enumerate(tables):
        after = table.get(tuple(history[len(history) - k :]), {})
        p = interpolate(after.get(token, 0), sum(after.values()), len(after), p)
    ### END SOLUTION
    return p


# %%
mb.course.check("00.probability", probability)

# %%
probability = mb.course.use("00.probability", probability)

# %%
history = ("<eos>", "She", "lives", "in")
p = {token: probability(token, history, tables, V) for token in vocab.tokens}
assert math.isclose(math.fsum(p.values()), 1)  # all V probabilities together
print(sorted(((round(x, 3), token) for token, x in p.items()), reverse=True)[:6])

# %% [markdown]
r"""
It is a distribution: the cell stops unless all $V$ probabilities add up to one.

{{exercise 00.model}}

Now put the parts together. This is the chapter's build: a whole language model, about twenty lines,
many of which call functions that you have. Write the methods of two classes: steps 1 to 3 for
`NGram`, and steps 4 and 5 for `Writer`. A `Writer` is also an `NGram`, so it has the first three
methods as well. The check looks at the steps in this order, so you can run it after each of them.

1. `__init__(self, tokens, n, words)`: `words` is the list of all $V$ words. Keep it as
   `self.words`, and `n` as `self.n`. `self.tables` is the list of the tables for
   1, 2, ... up to `n`, by `count`.
2. `probability(self, token, history)`: $p(w \mid h)$, by your function of the same name.
3. `price(self, tokens)`: the list of the surprises of all tokens, in nats. The history of a token
   is the tuple of the $n - 1$ tokens before it, with `"<eod>"` in place of what is missing at the
   start, as in `count`.
4. `likeliest(self, history, k)`: the list of the `k` words that are most probable after `history`,
   best first.
5. `write(self, length, draw)`: a list of `length` words. Before the first one, imagine `"<eod>"`
   again, but leave it out of the list. (If an `"<eod>"` is drawn, keep it and go on.) `draw` is a
   `random.Random`: `draw.choices(self.words, weights)` draws one word, in a list of its own, where
   `weights` holds the probability of each of `self.words` after the history.
"""

# %%
class NGram:
    """A language model that counts: p(token | the n - 1 tokens before it)."""

    ### BEGIN SOLUTION
    def __init__(self, tokens, n, words):
        self.n, self.words = n, words
        self.tables = [count(tokens, length) for length in range(1, n + 1)]

    def probability(self, token, history):
        return probability(token, history, self.tables, len(self.words))

    def price(self, tokens):
        padded, surprises = ["<eod>"] * (self.n - 1) + list(tokens), []
        for i in range(self.n - 1, len(padded)):
            p = self.probability(padded[i], tuple(padded[i - self.n + 1 : i]))
            surprises.append(-math.log(p))
        return surprises
    ### END SOLUTION


# %%
class Writer(NGram):
    """The same model, which also says what comes next."""

    ### BEGIN SOLUTION
    def likeliest(self, history, k):
        p = {word: self.probability(word, history) for word in self.words}
        return sorted(p, key=p.get, reverse=True)[:k]

    def write(self, length, draw):
        text = ["<eod>"] * (self.n - 1)
        for _ in range(length):
            history = tuple(text[len(text) - self.n + 1 :])
            weights = [self.probability(word, history) for word in self.words]
            text += draw.choices(self.words, weights)
        return text[self.n - 1 :]
    ### END SOLUTION


# %%
mb.course.check("00.model", Writer)

# %%
Writer = mb.course.use("00.model", Writer)

# %%
model = Writer(read, 5, vocab.tokens)
print("She lives in ...", model.likeliest(("<eos>", "She", "lives", "in"), k=6))
some = [token if token in vocab else "<new>" for token in test_tokens[:2000]]
mine = model.price(some)
library = -baselines.NGram(ids, V, order=5).log_probs(test_ids[:2000])
assert np.allclose(mine, library)  # token by token
print(f"perplexity {perplexity(mine):.1f}; largest difference {np.abs(np.array(mine) - library).max():.0e}")

# %% [markdown]
r"""
Your class *is* the library's n-gram model; the library only counts faster. And it writes. Unlike a
single table, it may always leave the text that it has read, because every word has some
probability:
"""

# %%
for n in (2, 3, 5):
    text = Writer(read, n, vocab.tokens).write(10 if SMOKE else 30, random.Random(3))
    text = " ".join(token for token in text if token not in ("<eos>", "<eod>"))
    print(textwrap.fill(f"n = {n}: {text}", 100), "\n")

# %% [markdown]
r"""
The perplexity above is for the first 2,000 tokens, without the letters of the new words. So we let
the library price the whole test text for $n = 1$ to $5$, and add these letters.

*Predict before you run:* which $n$ pays least?
"""

# %%
models = {f"{n}-gram": baselines.NGram(ids, V, order=n) for n in range(1, 6)}
costs = {name: baselines.costs(model, test_tokens, vocab) for name, model in models.items()}
bars = {name: cost.mean() for name, cost in costs.items()} | {"the floor": test.floor}
mb.show.figure(mb.show.bars(bars, f"New text, after reading {len(tokens):,} tokens", "nats per token"))

# %% [markdown]
r"""
How many of the histories in new text occur in the text that was read?
"""

# %%
def seen(read, new, length):
    """The share of the histories of ``length`` tokens in ``new`` that occur in ``read``."""
    known = {tuple(read[i - length : i]) for i in range(length, len(read))}
    return np.mean([tuple(new[i - length : i]) in known for i in range(length, len(new))])


for length in (1, 2, 3, 4):
    print(f"histories of {length}: {seen(ids.tolist(), test_ids.tolist(), length):.0%} were seen in training")

# %% [markdown]
r"""
Longer histories help, but less and less; where a history was never seen, the 5-gram falls back on
shorter ones. All models are still far above the floor.

Does any model beat the floor on single documents? That can happen by luck, just as a gambler may
win for an evening, but not on average. So we take the difference for each document: what the model
pays, minus what the world's own probability costs. These models are so far above the floor that no
luck helps.
"""

# %%
ends = np.cumsum([document.n for document in test.documents])  # where each document ends
floors = np.array([-document.log_prob for document in test.documents])


def by_document(cost):
    """What each document costs, from what each token costs: (tokens,) -> (documents,)."""
    return np.diff(np.cumsum(cost)[ends - 1], prepend=0)


paid = {name: by_document(cost) for name, cost in costs.items()}
for name, each in paid.items():  # each: (documents,)
    more = each - floors
    error = more.std() / len(more) ** 0.5
    print(f"{name:8} pays {more.mean():6.1f} ± {2 * error:.1f} nats per document above the floor; "
          f"below it in {np.sum(more < 0)} of {len(more)} documents")

# %% [markdown]
r"""
## 7. Remembering: an LSTM (optional)

Chapters 02 and 03 build on this section; the rest of this chapter does not. An n-gram model forgets
what stood $n$ words ago. A **recurrent network** reads the words one by one and keeps a vector of
notes. An LSTM has learned gates that say what to forget, what to write down and what to show
(Hochreiter & Schmidhuber 1997; Gers et al. 2000 added the gate that forgets). Let $x_t$ be the
vector of the word and $h_{t-1}$ what the LSTM showed before. $W$, $U$ and $b$ are learned,
$\sigma(z) = 1 / (1 + e^{-z})$ lies between 0 and 1, and $\odot$ multiplies number by number:

$$
\begin{aligned}
(i, f, g, o) &= W x_t + U h_{t-1} + b && \text{four vectors at once} \\
c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) && \text{forget, then write} \\
h_t &= \sigma(o) \odot \tanh(c_t) && \text{show}
\end{aligned}
$$

**In ten lines.** Torch's `nn.LSTM` does the same, and so does D2L's recurrent module
when it holds torch's. On the same weights all three must agree.
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


# %%
layer = nn.LSTM(5, 7)
theirs = d2l.RNN(5, 7)  # a plain RNN ...
theirs.rnn = layer  # ... made an LSTM, as in D2L 10.1
x = torch.randn(6, 2, 5)  # (length 6, batch 2, dim 5)
ours = lstm(x, layer)
assert torch.allclose(ours, layer(x)[0], atol=1e-6) and torch.allclose(ours, theirs(x)[0], atol=1e-6)
print(tuple(ours.shape), "three times the same")

# %% [markdown]
r"""
A language model is that layer between two tables. Word vectors go in; at the other end, each $h_t$
is compared with every word's vector, and the products are the scores of the next word. Here is the
library's model. One call of `mb.fit`, which serves every model of this series, trains it on long
stretches of text that are read side by side.

*Predict before you run:* will the LSTM, with its longer memory, beat the 5-gram on the same text?
"""

# %%
mb.course.source(baselines.LSTMLanguageModel.forward)

# %%
lstm_model, history = baselines.train_lstm(ids, V, dim=32 if SMOKE else 128, epochs=1 if SMOKE else 3)
mb.show.figure(mb.show.loss_curve(history, floor=test.floor, title="An LSTM learns to predict the text",
                                  perplexity=True))

# %% [markdown]
r"""
This is the loss on training text, which the LSTM reads several times. What counts is text that it
has not seen:
"""

# %%
models["LSTM"] = lstm_model
costs["LSTM"] = baselines.costs(lstm_model, test_tokens, vocab)
paid["LSTM"] = by_document(costs["LSTM"])
bars = {name: cost.mean() for name, cost in costs.items()} | {"the floor": test.floor}
mb.show.figure(mb.show.bars(bars, "What a token of new text costs (one seed)", "nats per token"))

# %% [markdown]
r"""
The longer memory does not win here: the 5-gram pays less. The LSTM has far more to learn than
counting has, and this text is short. Section 11 has the result for other seeds.

## 8. Touch it: guess the next word (optional)

This needs the LSTM of section 7. Move the slider along a document. The bars show what each model
thinks comes next, with the word that came in orange. The lines below add up what each model has
paid, and the dotted line is the floor of the whole document. Where the LSTM beats the 5-gram, it
need not remember more: it may only make better use of the same four tokens. So we also show it
these four tokens alone. The slider starts where the LSTM with its full memory is furthest ahead of
both. Then try a name, the start of a sentence and the middle of a phrase. Where does the LSTM know
something from further back? Where can nobody know?
"""

# %% tags=["hide-input"]
import ipywidgets

compared = {name: models[name] for name in ("1-gram", "5-gram", "LSTM")}


def remembered(document):
    """Positions of names and pronouns that stood earlier in the document, five tokens back or more."""
    line = [t for s in document.sentences for t in [*s.tokens, "<eos>"]]
    names = [e for s in document.sentences for e in [*s.entity, "O"]]
    return [i for i, t in enumerate(line) if t in line[: max(0, i - 5)] and t not in line[max(0, i - 5) : i]
            and (names[i] == "I-PER" or t in ("He", "She", "he", "she", "his", "her"))]


def forgetful(ids, place):
    """The probability of the token at ``place`` by the LSTM that is given only the four before it."""
    return lstm_model.distribution(ids[max(0, place - 4) : place])[ids[place]]


def leads(document):
    """How far the LSTM's full memory is ahead of both the 5-gram and `forgetful`, at each token."""
    line = [*[t for s in document.sentences for t in [*s.tokens, "<eos>"]], "<eod>"]
    here = baselines.encode(line, vocab)
    full, five = (np.exp(compared[name].log_probs(here)) for name in ("LSTM", "5-gram"))
    return full - np.maximum(five, [forgetful(here, place) for place in range(len(here))])

# %% tags=["hide-input"]
short = [d for d in test.documents if 60 <= d.n <= 160][:60]
led = [leads(document) for document in short]  # for each document, (tokens,)
best = max(range(len(short)), key=lambda i: led[i].max())
document, start = short[best], int(led[best].argmax())
of_names = [led[i][place] for i in range(len(short)) for place in remembered(short[i])]
print(f"largest lead of the full memory in {len(short)} documents: {led[best].max():.2f}; "
      f"at a name or pronoun from further back: {max(of_names, default=0):.2f}")

# %% tags=["hide-input"]
line = [*[t for s in document.sentences for t in [*s.tokens, "<eos>"]], "<eod>"]
read_ids = baselines.encode(line, vocab)
views = {name: [model.distribution(read_ids[:place]) for place in range(len(line))]
         for name, model in compared.items()}  # name -> (V,) at each position
so_far = {name: np.cumsum([0.0, *baselines.costs(model, line, vocab)]) for name, model in compared.items()}


def candidates(ax, name, place):
    """Bars of the five likeliest next words and of the one that came."""
    p, came = views[name][place], read_ids[place]
    best = [*[i for i in np.argsort(-p)[:6] if i != came][:5], came]
    best.sort(key=lambda i: p[i])
    colours = ["#E69F00" if i == came else "#0072B2" for i in best]
    ax.barh([vocab.tokens[i] for i in best], p[best], color=colours)
    ax.set(title=f"{name}: p = {p[came]:.3f}", xlim=(0, 1), xticks=(0, 0.5, 1), xlabel="probability")
    ax.grid(False, axis="y")

# %% tags=["hide-input"]
def look(place):
    """The frame of the widget for one position of the document."""
    fig, axes = mb.show.new("", rows=2, columns=3, size=(7.6, 5.6))
    for ax in axes[1]:
        ax.remove()
    for ax, name in zip(axes[0], compared, strict=True):
        candidates(ax, name, place)
    with mb.show.style():
        below = fig.add_subplot(axes[0, 0].get_gridspec()[1, :])
    for name, marker in zip(compared, ("-", "--", "-."), strict=True):
        below.plot(so_far[name][: place + 2], marker, label=f"{name} {so_far[name][place + 1]:.0f}")
    below.axhline(-document.log_prob, color="grey", ls=":", label=f"floor {-document.log_prob:.0f}")
    below.set(xlim=(0, len(line)), ylim=(0, so_far["5-gram"][-1] * 1.6),
              xlabel="tokens read", ylabel="nats paid", title="Paid so far")
    below.legend()
    came = line[place]
    said = ", ".join(f"{name} {views[name][place][read_ids[place]]:.3f}" for name in compared)
    alone = f"the LSTM with the last four tokens only: p = {forgetful(read_ids, place):.3f}"
    return mb.show.Frame(fig, f"After “{' '.join(line[:place])[-80:]}” comes {came}: {said}; {alone}.",
                         text=f"... {' '.join(line[:place])[-300:]} [ {came} ]  ({alone})")


slider = ipywidgets.IntSlider(start, 0, len(line) - 1, description="position", continuous_update=False)
mb.show.Interactive(look, {"place": slider})

# %% [markdown]
r"""
The LSTM remembers simple things: where a quotation was opened long before, it often knows that the
closing mark must come, and the last four tokens do not say so. It does not remember whom the text
is about. The line above the figure gives its largest lead at a name or a pronoun, and that shows no
clear gain from what stands further back. At the start of a sentence nobody knows much, not even the
world itself: there the writer chooses what to say next.

## 9. How much text?

So far the models have read one small text. Text costs nothing here, so let us take more of it. The
lines show n-gram models after five amounts of text, over {{finding 00 ngrams.floor seeds}} seeds. The star is the LSTM of section 7,
a small network that can remember more than four tokens.

*Predict before you look:* a 5-gram model reads ten times as much text, a million tokens. Will that
take it halfway to the floor, or not even that?
"""

# %% tags=["hide-input"]
amounts = found.content["experiments"]["ngrams"]["config"]["tokens"]
fig, ax = mb.show.new("More text, closer to the floor", "tokens of training text", "nats per token of new text")
for n, marker in zip(range(1, 6), ("o-", "s--", "^-.", "D:", "v-"), strict=True):
    runs = np.array(found.values(f"ngrams.order{n}"))  # (seeds, amounts)
    ax.errorbar(amounts, runs.mean(0), runs.std(0, ddof=1), fmt=marker, capsize=4, label=f"{n}-gram")
ax.axhline(found.mean("ngrams.floor"), color="grey", ls=":", label="floor")
ax.plot(100_000, found.mean("lstm.lstm"), "*", color="black", markersize=13, ls="", label="LSTM")
ax.set(xscale="log", ylim=(0, None))
ax.set_xticks(amounts, [f"{n:,}" for n in amounts])
ax.minorticks_off()
ax.legend(ncols=2, title="mean and standard deviation")
mb.show.figure(fig, alt="Loss by amount of training text. The unigram stays high; the longer the history, "
                        "the further the loss falls, but only with enough text. A star, the LSTM at 100,000 "
                        "tokens, lies near the 5-gram. The floor is far below.")

# %% [markdown]
r"""
Three things to see:

- With little text, long histories are worth nothing: at 10,000 tokens the 2-, 3-, 4- and 5-gram pay
  almost the same.
- From 100,000 tokens to a million, the 5-gram falls from {{finding 00 lstm.order5 mean .2f}} to
  {{finding 00 ngrams.order5_most mean .2f}} nats per token: more than halfway to the floor of
  {{finding 00 ngrams.floor mean .2f}}. **Most of the distance was lack of text**, not lack of cleverness.
- Still more text would take away some of the rest. But a model that looks only four tokens back
  never learns whom the text is about.

How far does a better model get? `minibert-gpt` from section 1 looks back up to 192 pieces of words
and has read about 18 million of them. (Its card, `minibert/pretrained/minibert-gpt/README.md`, says
6,000 updates of 16 sequences of 192.) On the same new documents we compare it with 5-grams that
have read 100,000 tokens and a million.
"""

# %%
some = test.documents[: 3 if SMOKE else 30]
end = gpt.tokenizer.end_id
pieces = [end] + [i for d in some for i in [*gpt.tokenizer.encode(d.text), end]]
n_tokens = sum(d.n for d in some)
more = [token for d in mb.world.stream(tokens=20_000 if SMOKE else 1_000_000, seed=0)
        for token in [*[t for s in d.sentences for t in [*s.tokens, "<eos>"]], "<eod>"]]
larger = baselines.vocabulary(more)
five = baselines.NGram(baselines.encode(more, larger), len(larger), order=5)
bars = {
    "5-gram, 100,000 tokens": costs["5-gram"][:n_tokens].mean(),
    "5-gram, 1,000,000 tokens": baselines.costs(five, test_tokens[:n_tokens], larger).mean(),
    "minibert-gpt": -gpt.log_probs(pieces).sum() / n_tokens,
    "the floor": -sum(d.log_prob for d in some) / n_tokens,
}
mb.show.figure(mb.show.bars(bars, "The same new documents", "nats per token of the world"))

# %% [markdown]
r"""
The GPT comes much closer. It has read far more than either 5-gram, so this is no fair race, and it
does not say how much of the gain comes from looking further back. But a 5-gram cannot look further
back, however much it reads. The coming chapters are about models that can. And section 1 has
shown what such a model is good for: it learned nothing but to predict the next word, and it sorts
texts from 50 labels.

## 10. Two traps of counting (optional)

{{exercise 00.find_the_bug}}

A colleague computes perplexity batch by batch: "Strange. With larger batches my model gets better,
although I have not trained it any further." Each batch is a pair: the *sum* of its tokens' losses,
and their number. Find out why the answer depends on how the tokens fall into batches, and repair
it.
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
With it, the perplexity of every model over the test documents, each of which is one "batch":
"""

# %%
evaluate = mb.course.use("00.find_the_bug", evaluate)

# %%
sizes = [document.n for document in test.documents]
for name, each in (paid | {"the floor": floors}).items():
    print(f"{name:10} perplexity {evaluate(list(zip(each, sizes, strict=True))):8.2f}")

# %% [markdown]
r"""
{{exercise 00.below}}

A friend reports that her language model reaches a loss *below* the floor of this world's text.
No model can, over enough new text. Write down three different things that you would check first,
and how each could make a loss too small.
"""

# %% [markdown] written="00.below"
r"""
First the text: was the model tested on documents that it had read in training, or on other ones
than the floor was computed on? Was the text made easier, in lower case, or with `<unk>` in place of
the rare words? Then the counting: dividing by subwords or letters instead of the world's tokens
gives smaller numbers, and so does leaving the ends of sentences out of the sum. Last the model: if
it can see the word that it predicts, because a mask is missing or because it reads both sides, then
its numbers are not a probability of the text at all. And if the test text is a page long, it may
just have been lucky: look at the spread over documents.
"""

# %% [markdown]
r"""
## 11. Findings

The experiments stand in `chapters/findings/00.py`; `make findings CH=00` runs them again. Each seed
draws its own texts. An effect counts as shown where its 95 % interval does not contain zero.

{{findings 00
| with 20 labels, pre-trained vectors beat counting | transfer.pre_trained_20 - transfer.counts_20 | percent | - |
| with 50 labels, too | transfer.pre_trained_50 - transfer.counts_50 | percent | - |
| with 500 labels, too | transfer.pre_trained_500 - transfer.counts_500 | percent | - |
| with 50 labels, they beat the untrained network | transfer.pre_trained_50 - transfer.untrained_50 | percent | - |
| on 10,000 tokens, a 5-gram pays less than a trigram | ngrams.order3_least - ngrams.order5_least | nats | - |
| on 1,000,000 tokens, a 5-gram pays less than a trigram | ngrams.order3_most - ngrams.order5_most | nats | - |
| on 100,000 tokens, the LSTM pays less than a trigram | lstm.order3 - lstm.lstm | nats | - |
| on 100,000 tokens, the LSTM pays less than a 5-gram | lstm.order5 - lstm.lstm | nats | - |
| the best n-gram stays above the floor of a document | ngrams.above - 0 | nats | - |
}}

With few labels, pre-training is worth a lot, compared both with counting words and with the same
network untrained. With 500 labels its lead over counting is much smaller, but it has not gone. On
little text a long history is no help: there the 5-gram pays more than the trigram. On a million
tokens it pays far less. On 100,000 tokens this LSTM, which was not tuned, lies between the two.

## 12. The real thing (optional)

The same n-gram models on real English, when it is at hand (`minibert data list` says where to put
it): British novels. Here nobody knows the floor.
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
    print(f"{cut:,} tokens to read, {len(real):,} words")
    for order in (1, 2, 3, 4, 5):
        try:
            model = baselines.NGram(baselines.encode(stream[:cut], real), len(real), order)
        except ValueError as limit:
            print(limit)
            break
        loss = baselines.costs(model, stream[cut:], real).mean()
        print(f"order {order}: {loss:.2f} nats per token, perplexity {math.exp(loss):,.0f}")
    for length in (1, 2, 3, 4):
        share = seen(stream[:cut], stream[cut:], length)
        print(f"histories of {length}: {share:.0%} were seen in the text that was read")

# %% [markdown]
r"""
Real English is harder by far: there are more words, more things to say, and more ways to say each.
One word of history helps. With this little text and this way of mixing, longer histories do not:
the longer a history, the more rarely new text repeats one that was seen. (Far more text and better
mixing, as in Chen & Goodman 1999, make a trigram worth its while.) Counting also cannot see that
two different histories mean the same, and that is what the vectors of chapter 01 are for.

## 13. Summary

- **Transfer learning**: pre-train on plain text, adapt with few labels; as features, or by
  fine-tuning. It pays most where labels are few. Counting words is the baseline to beat.
- A language model is judged by its surprise at new text: by the mean, in nats per token, or by its
  exponential, the perplexity.
- The embedded world writes text whose exact probability is known. Its **floor** is the least that
  any model reading from left to right can pay, and models are compared by what they pay above it.
- An n-gram model counts what follows a history, and falls back on shorter histories. Longer
  histories need more text. An LSTM can remember further back, given the text to learn it from.
- Add up first and divide once, at the end: then the result does not depend on how the text is cut.

{{quiz 00.q1}}

{{quiz 00.q2}}

{{quiz 00.q3}}

**A project.** Which kinds of text are hardest to predict, and is it the same for all models? Price
the test documents by kind (`document.kind`), above the floor of each kind, for the trigram, the
5-gram and the LSTM. *What a good answer has:* the difference to the floor and not the raw price (2
points), the spread over documents (1), other seeds (1), and a reason that you have tested on single
documents (2).
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
