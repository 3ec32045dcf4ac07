# ---
# jupyter:
#   minibert:
#     title: Probing
#     question: What does a pre-trained model know about language, and how would we know?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1300
#     needs: ["chapter 02 (ELMo, layers as features)", "chapter 05 (BERT, masked words)", "chapter 07 (GPT, agreement over attractors)"]
#     skip: "the parts marked optional: sections 8 and 9, and the exercise 09.erase"
#     papers:
#       - "Hewitt & Liang (2019), Designing and Interpreting Probes with Control Tasks, arXiv:1909.03368"
#       - "Hewitt & Manning (2019), A Structural Probe for Finding Syntax in Word Representations, NAACL"
#       - "Liu et al. (2019), Linguistic Knowledge and Transferability of Contextual Representations, arXiv:1903.08855"
#       - "Linzen, Dupoux & Goldberg (2016), Assessing the Ability of LSTMs to Learn Syntax-Sensitive Dependencies, arXiv:1611.01368"
# ---

# %% [markdown]
r"""
# 09 · Probing: what does a pre-trained model know about language, and how would we know?

{{head}}

Nobody told our models what a subject is. They have filled gaps and guessed next words. Do they
know grammar all the same? Two kinds of question are possible. We can watch what a model **does**:
does it find *The keys to the cabinet are here* likelier than *... is here*? And we can look at what
its states **hold**: can a small classifier, a **probe**, read the subject off them?

Both kinds of question mislead those who ask carelessly. A model may give the right answer for a
wrong reason, and a probe may find in the states what the probe itself has learned. So this chapter
is half about probes, and half about what their scores have to be compared with.
"""

# %%
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import torch
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
bert = mb.heads.Pretraining.from_pretrained("minibert-bert").eval()  # with its masked-word output
gpt = mb.GPT.from_pretrained("minibert-gpt")
elmo = mb.ELMo.from_pretrained("minibert-elmo")
awd = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward")
static = mb.Word2Vec.from_pretrained("minibert-word2vec")

# %% [markdown]
r"""
## 1. A tree that nobody drew

The sentences of our world come with their **dependency tree**: each word but one has a **head**,
the word that it belongs to. In *the old keys*, the head of *old* and of *the* is *keys*. We take
sentences that no model has read. The first part is for training, the next for choosing settings,
and the last for the scores.
"""

# %%
corpus = mb.world.generate(tokens=8_000 if SMOKE else 30_000, seed=11)
every = {s.text: s for d in corpus.documents for s in d.sentences if 6 <= len(s.tokens) <= 24}
sentences = list(every.values())  # none twice
random.Random(0).shuffle(sentences)
sizes = (60, 20, 30) if SMOKE else (360, 40, 140)
train, valid, test = (sentences[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(3))
parts = {"train": train, "valid": valid, "test": test}
words = {name: [s.tokens for s in part] for name, part in parts.items()}
trees = {name: [s.head for s in part] for name, part in parts.items()}
print({name: f"{len(part)} sentences, {sum(map(len, part)):,} words"
       for name, part in words.items()})

# %% [markdown]
r"""
ELMo (chapter 02) has never seen a tree. `mb.probe.states` gives the hidden states of its layers,
one row per word. We look for *one linear map* after which words that are neighbours in the tree
are close to each other. From the distances we then read a tree for sentences that the map has not
seen. Section 6 derives the method. Here is what comes out:
"""

# %%
def layer_of(model, part, layer):
    """One layer's states of each sentence, a list of tensors (length, dim)."""
    return mb.probe.states(model, words[part]).split(layer)


def fitted(model, layer):
    """The library's structural probe on one layer of a model."""
    rows = {part: layer_of(model, part, layer) for part in words}
    probe = mb.probe.StructuralProbe(rank=32)
    return probe.fit(rows["train"], trees["train"], (rows["valid"], trees["valid"])), rows["test"]


no_marks = [[tag == "PUNCT" for tag in s.pos] for s in test]  # punctuation does not count
first_probe, first_rows = fitted(elmo, 1)
blank_probe, blank_rows = fitted(mb.probe.untrained(elmo), 1)
lines = [mb.probe.chain(len(s.tokens), out) for s, out in zip(test, no_marks, strict=True)]
print(f"ELMo, layer 1        {first_probe.uuas(first_rows, trees['test'], no_marks):.0%} of the arcs")
print(f"untrained ELMo       {blank_probe.uuas(blank_rows, trees['test'], no_marks):.0%}")
print(f"each word to the next {mb.probe.uuas(lines, trees['test'], no_marks):.0%}")

# %% tags=["hide-input"]
def draw_tree(ax, words, gold, found):
    """Gold arcs above the words; those that were found below, dashed where they are wrong."""
    for side, edges in ((1, gold), (-1, found)):
        for a, b in edges:
            x = torch.linspace(0, 1, 30)
            height = side * (0.5 + 0.32 * (b - a)) * 4 * x * (1 - x) + side * 0.35
            right = (a, b) in gold
            ax.plot(a + (b - a) * x, height, "-" if right else "--", lw=1.8,
                    color=mb.show.PALETTE["blue" if right else "vermillion"])
    for place, word in enumerate(words):
        ax.text(place, 0, word, ha="center", va="center", fontsize=10)
    ax.set(xlim=(-0.6, len(words) - 0.4), xticks=[], yticks=[])
    ax.grid(False)


# %% tags=["hide-input"]
def edges_of(probe, rows, number):
    """(gold, found) arcs of a test sentence, punctuation left out."""
    gold = mb.probe.spanning_tree(mb.probe.tree_distances(trees["test"][number]), no_marks[number])
    return gold, mb.probe.spanning_tree(probe.distances(rows[number]), no_marks[number])


def shown(probe, rows, title, number):
    """A picture of one sentence's two trees."""
    gold, said = edges_of(probe, rows, number)
    fig, ax = mb.show.new(title, "word", "gold above, found below", size=(9.4, 3.6))
    draw_tree(ax, words["test"][number], gold, said)
    mb.show.figure(fig, alt=f"Arcs above and below the words of: {test[number].text} Of "
                   f"{len(gold)} arcs, {len(gold & said)} were found.")


# %% tags=["hide-input"]
lengths = [len(s.tokens) for s in test]
typical = min(range(len(test)), key=lambda i: (abs(lengths[i] - 13), i))
shown(first_probe, first_rows, "A dependency tree, read off ELMo's states", typical)

# %% [markdown]
r"""
Blue arcs are right, dashed ones are not in the gold tree. The score is the **unlabelled undirected
attachment score (UUAS)**: the share of the gold arcs that were found, whatever their direction. The
two lines below it are what makes the first one worth something. Joining each word to the next one
finds about half of the arcs without any model. And the same probe on an ELMo whose weights are
random gets no further than that. Pre-training has put the rest there.

The rest of the chapter asks such questions one after the other, each beside the cheapest answer
that could explain it.

## 2. Ask by behaviour

A **minimal pair** is two sentences that differ in one place, of which one is wrong:

> The keys to the cabinet **are** here. · *The keys to the cabinet **is** here.

A model passes if it holds the good one for likelier (Linzen et al. 2016, Marvin & Linzen 2018). No
new layer is trained, so nothing but the model can have known the answer. Any model that can score a
sentence can be asked, and a model can only be asked what two sentences can say.

The world's pairs have 0 to 4 nouns between the subject and its verb. Nouns of the other number are
**attractors** (chapter 07): a reader who looks at the nearest noun is misled by them.

{{exercise 09.pairs}}

Write `share_right(good, bad, groups)`: `good` and `bad` are the scores of the two sentences of
each pair, `groups` has a label for each pair. Give a dictionary from each label to the share of its
pairs that are right. A model that gives both sentences the same score has not passed.
"""

# %%
def share_right(good, bad, groups):
    """{label: share of its pairs in which the good sentence has the higher score}."""
    shares = {}
    ### BEGIN SOLUTION
    right = defaultdict(list)
    for a, b, group in zip(good, bad, groups, strict=True):
        right[group].append(float(a > b))
    shares = {group: sum(hits) / len(hits) for group, hits in right.items()}
    ### END SOLUTION
    return shares


# %%
mb.course.check("09.pairs", share_right)

# %%
share_right = mb.course.use("09.pairs", share_right)

# %% [markdown]
r"""
How does each kind of model score a sentence $w_1 \ldots w_n$?

- A model that **reads to the right** (GPT, AWD-LSTM, an n-gram model) gives
  $\log p = \sum_i \log p(w_i \mid w_1 \ldots w_{i-1})$. The first word counts too, after a token
  that starts each text.
- **BERT** sees both sides and gives no probability of a sentence. We hide one piece at a time and
  add up $\sum_i \log p(w_i \mid \text{all others})$, the **pseudo-log-likelihood** (Salazar et al.
  2020). It is no probability, but it can be compared within a pair.

{{exercise 09.find_the_bug}}

A colleague wrote the second score. "Odd," he says. "Sentences with rare, long names come out *too
likely*: *Featherstonehaugh* costs next to nothing." BERT's tokenizer cuts such a word into pieces.
Find out why the pieces cost so little, and correct it as Kauf & Ivanova (2023) did.

`ids` are the pieces of a sentence, `starts` the positions in `ids` at which a word begins, and
`log_p(read, place, piece)` what the model gives for `piece` at `place` after it has read `read`.
"""

# %%
def pseudo_log_p(log_p, ids, starts, mask_id):
    """The sum over all pieces of log p(piece | what is left to read)."""
    total = 0.0
    for place, piece in enumerate(ids):
        hidden = [place]
        ### BEGIN SOLUTION
        end = next((start for start in starts if start > place), len(ids))
        hidden = range(place, end)  # the later pieces of the same word, too
        ### END SOLUTION
        read = [mask_id if i in hidden else one for i, one in enumerate(ids)]
        total += log_p(read, place, piece)
    return total


# %%
mb.course.check("09.find_the_bug", pseudo_log_p)

# %%
pseudo_log_p = mb.course.use("09.find_the_bug", pseudo_log_p)

# %%
tokenizer = bert.encoder.tokenizer


def bert_log_p(read, place, piece):
    """log p of a piece at a place of a sentence that BERT reads, with [CLS] and [SEP] around it."""
    ids = torch.tensor([[tokenizer.cls_id, *read, tokenizer.sep_id]], device=mb.runtime.device())
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    wanted[0, place + 1] = True
    with torch.no_grad():
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return float(bert.output(bert.states_at(batch, wanted)).log_softmax(-1)[0, piece])


asked = ["the", "keys", "of", "the", "Captain", "are", "old", "."]
cut = [tokenizer.encode(word) for word in asked]
starts = [sum(map(len, cut[:i])) for i in range(len(cut))]
ids = [piece for word in cut for piece in word]
mine = pseudo_log_p(bert_log_p, ids, starts, tokenizer.mask_id)
given_away = pseudo_log_p(bert_log_p, ids, [*range(len(ids))], tokenizer.mask_id)
print([tokenizer.tokens[i] for i in ids], round(mine, 2),
      round(float(mb.probe.sentence_scores(bert, [asked])[0]), 2), round(given_away, 2))

# %% [markdown]
r"""
The second number is the library's: `mb.probe.sentence_scores`. The third is your colleague's, where
each piece counts as a word: *Captain*, in three pieces, is far too cheap. With the library we ask
three pre-trained models of the world. *Predict before you run:* what share of the pairs will they
get right with no noun between subject and verb, and what share with four?
"""

# %%
task = mb.world.task("agreement", seed=0)
pairs = task.test[: 20 if SMOKE else 200]
good, bad = [e.info["good"] for e in pairs], [e.info["bad"] for e in pairs]
between = [e.info["attractors"] for e in pairs]
scored = {"BERT": mb.probe.minimal_pairs(bert, good, bad),
          "GPT": mb.probe.minimal_pairs(gpt, good, bad),
          "AWD-LSTM": mb.probe.minimal_pairs(awd, good, bad)}
print("nouns between:      " + "     ".join(map(str, sorted({*between}))) + "    all")
for name, one in scored.items():
    shares = share_right(one.good, one.bad, between)
    print(f"{name:>10}      " + "  ".join(f"{shares[n]:4.0%}" for n in sorted(shares))
          + f"   {one.accuracy:4.0%}")

# %% [markdown]
r"""
This is hardly better than a coin. (There are about forty pairs for each number of nouns, so a share
may be off by fifteen points. The last column has all 200, and may be off by seven.) A model that
fills gaps well in ordinary sentences need not have learned this rule. Is the rule too hard for such
networks, or have they seen too little of it?

### A small reader of its own

Let us give the rule a fair try. A single LSTM layer of 64 numbers reads four thousand sentences
like these as a language model. It gets no label: all it does is to predict the next word. The
number of nouns between is as in the world's documents: two sentences of five have none, one of
twenty has four. No sentence of the test is among them.
"""

# %%
def cut_up(text):
    """The words of a sentence in lower case."""
    return [word.lower() for word in mb.text.tokenise(text)]


pool = defaultdict(list)
for draw in range(1 if SMOKE else 8):
    for e in mb.world.task("agreement", seed=100 + draw).train:
        pool[e.info["attractors"]].append(cut_up(e.info["good"]))
total, shares = 400 if SMOKE else 4000, mb.world.phrases.ATTRACTORS  # {attractors: percent}
lessons = [s for n, percent in shares.items() for s in pool[n][: total * percent // 100]]
random.Random(0).shuffle(lessons)

# %%
names = mb.text.Vocab.train(lessons)
sizes = {"dim": 64, "hidden": 64, "layers": 1, "alpha": 0.0, "beta": 0.0}
off = dict.fromkeys(["embedding_dropout", "input_dropout", "weight_dropout", "hidden_dropout",
                     "output_dropout"], 0.0)
config = mb.models.awd_lstm.AWDLSTMConfig(len(names), **sizes, **off)
mb.seed_everything(0)
reader = mb.AWDLSTM(config, names)
stream = [i for s in lessons for i in [config.start_id, *names.encode(s)]]
steps = 20 if SMOKE else 1600
history = mb.fit(reader, reader.batches(stream, 32, 20), steps=steps,
                 optimizer=mb.optim.adamw(reader, 0.01, weight_decay=0.0),
                 schedule=mb.optim.linear(steps, steps // 20))
reader.eval()
print(f"loss per token: {history.loss[0]:.2f}, then {history.loss[-1]:.2f}")

# %%
few = mb.models.baselines.vocabulary([word for s in lessons for word in ["</s>", *s]])
run = mb.models.baselines.encode([w for s in lessons for w in ["</s>", "</s>", *s]], few)
its_trigram = mb.models.baselines.NGram(run, len(few), 3)
misleading = [e.info["misleading"] for e in pairs]
lower = [[cut_up(text) for text in texts] for texts in (good, bad)]
scored |= {"small reader": mb.probe.minimal_pairs(reader, *lower),
           "its trigram": mb.probe.minimal_pairs(its_trigram, *lower, words=few)}
for name in ("small reader", "its trigram"):
    shares = share_right(scored[name].good, scored[name].bad, misleading)
    print(f"{name:>12}, by misleading nouns: "
          + "  ".join(f"{n}: {shares[n]:.0%}" for n in sorted(shares)))

# %% tags=["hide-input"]
fig, ax = mb.show.new("The verb agrees with its subject", "nouns of the other number between",
                      "share of pairs right")
looks = {"small reader": ("o-", "blue"), "BERT": ("s--", "vermillion"), "GPT": ("^--", "green"),
         "its trigram": ("x:", "grey")}
for name, (look, colour) in looks.items():
    shares = share_right(scored[name].good, scored[name].bad, [min(n, 3) for n in misleading])
    ax.plot(sorted(shares), [shares[n] for n in sorted(shares)], look, label=name,
            color=mb.show.PALETTE.get(colour, "#7f7f7f"))
ax.axhline(0.5, color="black", ls=":", lw=0.9)
ax.set_xticks(range(4), ["0", "1", "2", "3 or 4"])
ax.set_ylim(0, 1.05)
ax.legend(loc="lower left", fontsize=9)
mb.show.figure(fig, alt="Share of pairs right by the number of misleading nouns: the small reader "
               "stays high and falls a little, BERT and GPT fall below one half, a trigram too.")

# %% [markdown]
r"""
Most of the time the small reader finds the right verb, with misleading nouns too. The trigram of
the same sentences cannot see past two words. With a misleading noun there no amount of text would
help it, and it stays at about one half or below. An LSTM is able, then, and a small one. What our
pre-trained AWD-LSTM, an LSTM too, lacks is most likely practice: in ordinary text such sentences
are rare. (BERT and GPT are other networks; for them we have not tried. And this is one draw of the
lessons. Over {{finding 09 agreement.reader seeds}} draws the reader is right in {{finding 09 agreement.reader min .0%}} to {{finding 09 agreement.reader max .0%}} of all pairs. Some runs have not finished
learning when they end.)

A **baseline that cannot know** the answer, as the trigram here, is the cheapest way to see
whether a question is a fair one.

### Grammar, or words that go together?

There is another way to be right. Perhaps *keys* and *were* have often stood in one sentence. A
model that has learned this would prefer the good sentence without any grammar. Gulordava et al.
(2018) therefore asked about sentences that make no sense: each noun is replaced by another noun of
the same number, so that words that usually go together no longer do. Only the grammar is left. The
control costs five lines. Our comparison is a model that *only* knows which words go together: for
each noun it counts which verbs it was seen with.
"""

# %%
number_of = mb.world.tasksets.probes.nouns(mb.world.world())  # {"keys": ("many",), ...}
verbs = {verb for e in task.train + task.test for verb in e.choices}


def parted(words):
    """(nouns before the verb that show their number, with their places; the verb's place)."""
    end = next((i for i, word in enumerate(words) if word in verbs), 0)
    nouns = [i for i in range(end) if len(number_of.get(words[i], ())) == 1 and words[i] in names]
    return nouns, end


subjects = defaultdict(set)  # number -> the nouns that have been subjects
for s in lessons:
    nouns, _ = parted(s)
    if nouns:
        subjects[number_of[s[nouns[0]]]].add(s[nouns[0]])
subjects = {number: sorted(nouns) for number, nouns in subjects.items()}


def nonsense(words, draw):
    """The sentence with each noun before the verb replaced by one of the same number."""
    nouns, _ = parted(words)
    return [draw.choice(subjects[number_of[w]]) if i in nouns else w for i, w in enumerate(words)]


# %%
odd = [[nonsense(text, random.Random(i)) for i, text in enumerate(texts)] for texts in lower]
print(" ".join(lower[0][0]), "->", " ".join(odd[0][0]))
print(*lower[1][0], "->", *odd[1][0])

# %%
together = Counter()
for s in lessons:
    nouns, end = parted(s)
    together.update((s[i], s[end]) for i in nouns)


def company(words):
    """How usual is the verb with the nouns before it? A sum of logarithms of counts."""
    nouns, end = parted(words)
    counts = [together[words[i], words[end]] + 0.5 for i in nouns]
    return float(torch.tensor(counts).log().sum())


for title, (one, other) in (("natural", lower), ("nonsense", odd)):
    mine = mb.probe.minimal_pairs(reader, one, other).accuracy
    usual = [company(a) > company(b) for a, b in zip(one, other, strict=True)]
    print(f"{title:>9}: small reader {mine:.0%}, "
          f"words that go together {sum(usual) / len(usual):.0%}")

# %% [markdown]
r"""
On natural sentences the list of words that go together is right far more often than a coin,
though it knows nothing of order. Where *keys* is the subject, the verb is a plural; where it is an
attractor, the verb may be either. So *keys* has stood before more plural verbs than others. From
natural sentences alone we could not say how much of the
reader's score is grammar. On nonsense the list has little left to go by. The reader also loses
some: a part of what looked like grammar was the company of words. But it stays far above the
list, and *that* part is hard to explain without something like the rule. Over all draws:

{{findings 09
| natural sentences: the reader beats words that go together | agreement.reader - agreement.company | percent | - |
| nonsense: the reader beats words that go together | agreement.reader_nonsense - agreement.company_nonsense | percent | - |
| nonsense costs the reader something | agreement.reader - agreement.reader_nonsense | percent | moderate (Gulordava et al.) |
}}

**Three kinds of sentence.** The loss per token itself tells natural sentences from nonsense and
nonsense from what is ungrammatical. Below, the AWD-LSTM reads sentences as they are, with their
nouns, verbs and adjectives replaced by others of the same form, and with their words in random
order. """

# %%
def form_of(s, i):
    """Words of one form may replace each other: part of speech and ending."""
    word = s.tokens[i].lower()
    ending = next((end for end in ("ing", "ed", "s") if word.endswith(end)), "")
    return s.pos[i], ending, word == s.lemma[i].lower()


forms = defaultdict(list)
for s in train:
    for i, word in enumerate(s.tokens):
        if s.pos[i] in ("NOUN", "VERB", "ADJ"):
            forms[form_of(s, i)].append(word)
draw = random.Random(0)
kinds = {"natural": [s.tokens for s in test], "nonsense": [], "ungrammatical": []}
for s in test:
    kinds["nonsense"].append([draw.choice(forms.get(form_of(s, i), [word]))
                              for i, word in enumerate(s.tokens)])
    middle = s.tokens[:-1]
    kinds["ungrammatical"].append([*draw.sample(middle, len(middle)), s.tokens[-1]])
for kind, texts in kinds.items():
    spent = -mb.probe.sentence_scores(awd, texts).sum()
    print(f"{kind:>13}: {spent / sum(map(len, texts)):.2f} nats per token   "
          + " ".join(texts[typical]))

# %% [markdown]
r"""
The order is the one that a speaker of English would give. But the difference between natural and
nonsense shows that a score mixes grammar with meaning and frequency. That is why minimal pairs keep
all the words but one.

**What behaviour cannot tell.** A pair asks one thing, and needs a pair of sentences for it. It
cannot say in which layer something is known, and a failure may come from the question (a rare word,
an odd frame) as well as from the model.
"""

# %% [markdown]
r"""
## 3. Ask the states: a probe

The second kind of question is put to the states. Take the vectors of one layer, one per word, and a
property of the words whose truth we know. A **probe** is a small classifier from vectors to labels,
trained while the model stays as it is:

$$
p(k \mid h) = \mathrm{softmax}(W \tilde h + b)_k, \qquad
\text{loss} = -\frac{1}{n}\sum_{i=1}^{n} \log p(y_i \mid h_i) + \frac{\lambda}{2n} \lVert W \rVert^2
$$

If it is right on sentences that it has not seen, the vectors held what it needed. The model's
layers have numbers of very different size, so each column is standardised first: $\tilde h = (h -
\mu) / \sigma$, with mean and deviation *of the training rows*. The penalty $\lambda$ is chosen on
validation rows.

Our property is what a word does in its sentence: its **relation** to its head. It may be the
subject (`nsubj`), the object (`obj`), the determiner of a noun (`det`), and so on. A word of one
form may be a subject here and an object there, so that the word alone cannot tell. """

# %%
def relations(part):
    """The relation of each word, without subtypes ("nsubj:pass" is "nsubj")."""
    return [[name.split(":")[0] if head >= 0 else "root"
             for name, head in zip(s.relation, s.head, strict=True)] for s in part]


gold = {"train": relations(train), "valid": relations(valid), "test": relations(test)}
kinds = sorted({name for row in gold["train"] for name in row})
example = test[typical]
print(" ".join(f"{w}/{r}" for w, r in zip(example.tokens, gold["test"][typical], strict=True)))


def rows(model, part, layer, labels):
    """(x, y): states (words, dim) and numbers of labels; words with labels unknown to training
    are left out."""
    x = mb.probe.states(model, words[part]).layer(layer)
    names = [name for row in labels[part] for name in row]
    kept = [i for i, name in enumerate(names) if name in kinds]
    return x[kept], torch.tensor([kinds.index(names[i]) for i in kept])


# %% [markdown]
r"""
{{exercise 09.linear_probe}}

Build a probe that can be trusted, in four steps. The check tries one after the other.

1. `standard(x)`: the rows, standardised by `self.mean` and `self.scale`, which `fit` sets.
2. `train(x, y, penalty)`: `W` (dim, labels) and `b` (labels,) with the smallest loss above, from
   zeros, on rows that are standardised already. The bias is free of the penalty. Train **to
   convergence**: a probe that stops early says more about its optimiser than about the states.
   All rows fit into memory, so `torch.optim.LBFGS` with a line search is at the goal after some
   fifty steps.
3. `fit(x, y, valid_x, valid_y)`: mean and scale of the training rows, one training for each of
   `self.penalties`, and the `W`, `b` and `penalty` with the smallest validation loss (without the
   penalty).
4. `score(x, y)`: the share of rows whose likeliest label is right. """

# %%
class Softmax:
    """A softmax on standardised rows; labels are numbers below ``labels``."""

    def __init__(self, labels, penalties=(100.0, 10.0)):
        self.labels, self.penalties, self.penalty = labels, penalties, None
        self.mean, self.scale, self.W, self.b = 0.0, 1.0, None, None  # which `fit` sets

    def standard(self, x):
        """(rows, dim), standardised as the training rows were."""
        ### BEGIN SOLUTION
        x = (x - self.mean) / self.scale
        ### END SOLUTION
        return x

    def score(self, x, y):
        """The share of rows (rows, dim) whose likeliest label is that of y (rows,)."""
        share = 0.0
        ### BEGIN SOLUTION
        logits = self.standard(x) @ self.W + self.b  # (rows, labels)
        share = (logits.argmax(1) == y).float().mean().item()
        ### END SOLUTION
        return share


# %%
class Trained(Softmax):
    """A `Softmax` that can be trained with one penalty."""

    def train(self, x, y, penalty):
        """(W, b) with the smallest penalised loss on standardised rows."""
        W = torch.zeros(x.shape[1], self.labels, requires_grad=True)
        b = torch.zeros(self.labels, requires_grad=True)
        ### BEGIN SOLUTION
        optimizer = torch.optim.LBFGS([W, b], max_iter=100, tolerance_change=1e-5,
                                      line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(x @ W + b, y) + penalty / (2 * len(x)) * W.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        ### END SOLUTION
        return W.detach(), b.detach()


# %%
class LinearProbe(Trained):
    """The whole probe."""

    def fit(self, x, y, valid_x, valid_y):
        """Learn from x and y; the penalty is chosen on the validation rows."""
        ### BEGIN SOLUTION
        self.mean, self.scale = x.mean(0), x.std(0).clamp(min=1e-6)
        trained = [(one, *self.train(self.standard(x), y, one)) for one in self.penalties]
        losses = [F.cross_entropy(self.standard(valid_x) @ W + b, valid_y) for _, W, b in trained]
        self.penalty, self.W, self.b = trained[losses.index(min(losses))]
        ### END SOLUTION
        return self


# %%
mb.course.check("09.linear_probe", LinearProbe)

# %%
LinearProbe = mb.course.use("09.linear_probe", LinearProbe)

# %%
def probed(model, layer, labels=gold):
    """The share of test words that your probe gets right, from one layer."""
    parts = [rows(model, part, layer, labels) for part in ("train", "valid", "test")]
    probe = LinearProbe(len(kinds)).fit(*parts[0], *parts[1])
    return probe.score(*parts[2])


body = bert.encoder  # BERT without its output
real = {layer: probed(body, layer) for layer in range(body.config.layers + 1)}
print("relations from BERT's states, by layer: "
      + "  ".join(f"{layer}: {share:.1%}" for layer, share in real.items()))

# %% [markdown]
r"""
About four of five words are right. Is that good? Before we can say, we have to know what a probe
gets that has *not* found what we are looking for.

## 4. What a score has to be compared with

**Always the same label**, and **each word's most frequent label**. *the* is a determiner wherever
it stands. The second baseline knows each word's most frequent relation in training, and nothing
of the sentence.

**Static vectors.** word2vec has one vector for a form, whatever the sentence. The context
adds what a probe gains over these vectors.

**Random weights.** A network of the same shape with the weights that training starts from still
passes words on, so a probe finds something in it.

**A control task** (Hewitt & Liang 2019). The probe learns too. With enough training rows it can
learn by heart which label goes with which word. How much of the score is that? Give each *word
form* a label that means nothing, drawn at random once. A probe that gets these labels right has
learned them by heart, because there is nothing else to learn. The difference between the score of
the real task and that of the control task is the probe's **selectivity**.

{{exercise 09.control}}

Write `control_task(words, labels, draw)`. `words` are sentences, lists of words, and `labels` the
real labels of a training set. Give a dictionary from each word form in `words` to a random label.
The labels should be about as frequent as in `labels`, which is a list of lists, too. `draw` is a
`random.Random`: `draw.choice(items)` picks one of several.
"""

# %%
def control_task(words, labels, draw):
    """{word form: a random label, drawn as often as it occurs in labels}."""
    drawn = {word: labels[0][0] for row in words for word in row}
    ### BEGIN SOLUTION
    every = [label for row in labels for label in row]
    forms = sorted({word for row in words for word in row})
    drawn = {word: draw.choice(every) for word in forms}
    ### END SOLUTION
    return drawn


# %%
mb.course.check("09.control", control_task)

# %%
control_task = mb.course.use("09.control", control_task)

# %% [markdown]
r"""
*Predict before you run:* on the control task, is the probe better on the embeddings (layer 0),
which hold little more than the word, or on the last layer? On which layer is the selectivity
largest? """

# %%
by_form = control_task([row for part in words.values() for row in part], gold["train"],
                       random.Random(0))
meaningless = {part: [[by_form[word] for word in row] for row in words[part]] for part in words}
control = {layer: probed(body, layer, meaningless) for layer in real}
blank = mb.probe.untrained(body)
states = {part: mb.probe.states(static, words[part]) for part in words}
usual = mb.probe.baselines((states["train"], gold["train"]), (states["test"], gold["test"]))
floors = {"each word's usual relation": usual["most frequent tag"],
          "word2vec": probed(static, 0), "random weights, layer 2": probed(blank, 2),
          "always the same": usual["majority"]}
for name, share in floors.items():
    print(f"{name:>27}: {share:.1%}")
for layer in real:
    print(f"layer {layer}: relations {real[layer]:.1%}, control task {control[layer]:.1%}, "
          f"selectivity {real[layer] - control[layer]:.1%}")

# %% tags=["hide-input"]
fig, ax = mb.show.new("Relations from BERT's layers, and what to compare with", "layer",
                      "share of test words right")
ax.plot(list(real), list(real.values()), "o-", label="relations")
ax.plot(list(control), list(control.values()), "s--", label="control task",
        color=mb.show.PALETTE["vermillion"])
looks = {"each word's usual relation": "-.", "word2vec": "--", "random weights, layer 2": ":"}
for name, look in looks.items():
    ax.axhline(floors[name], ls=look, color="#5f5f5f", lw=1.2)
    side = -9 if look == ":" else 3  # below its line, or above
    ax.annotate(name, (4, floors[name]), xytext=(0, side), textcoords="offset points", ha="right",
                fontsize=8, color="#3f3f3f")
ax.set_xticks(list(real))
ax.set_ylim(0, 1)
ax.legend(loc="lower left")
mb.show.figure(fig, alt="By layer: relations " + ", ".join(f"{v:.0%}" for v in real.values())
               + "; control task " + ", ".join(f"{v:.0%}" for v in control.values()) + ".")

# %% [markdown]
r"""
Much of the first impression is gone: each word's usual relation alone gets most of the way, random
weights nearly as far, and word2vec further. But something stays. The layers above the embeddings
are six to ten points above word2vec, the best of these baselines. Above the model's own embeddings,
a stricter one, they are two to six. The control task, which the probe learns well from the
embeddings, falls in the first layer, where the relations rise, and stays low. From the layers above
the embeddings the probe reads *less* of which word it is and *more* of what it does. A high score
on the embeddings with a high score on the control task says the
opposite: there, the probe remembers words.

{{exercise 09.claim}}

A paper writes: "A probe with one hidden layer of 1,000 units predicts semantic roles from the last
layer of our model with an accuracy of 94 %. So the model represents semantic roles, and uses them
to understand the sentence." What do you ask the authors for, and what could they claim at best?
Four to six sentences.
"""

# %% [markdown] written="09.claim"
r"""
94 % means nothing without the cheap answers beside it: always the most frequent role, each word's
usual role, static vectors, and a model of the same shape with random weights. A probe with a
thousand hidden units can learn much by itself, so I ask for its score on a control task, for the
result of a linear probe, or for the length of an online code. The test sentences must be others
than the training ones, and the settings chosen on a third part, with several seeds. If the score
stays well above all of these, the authors may claim that roles can be *read off* the last layer
(linearly, if the linear probe does it). That the model *uses* them does not follow: a probe only
finds what is there. For that they would have to take the roles out of the states, or change them,
and show that the model's own predictions change accordingly, more than after a random change of the
same size.
"""

# %% [markdown]
r"""
## 5. Which layer, which model, which property?

The library's `mb.probe.probe` does what your probe does, for every layer at once and for their
**mix**, a weighted sum of the layers whose weights are learned with the probe (chapter 02). It
reads ELMo and GPT for the same relations, and all three models for parts of speech. GPT sees only
what stands to the left, so from GPT we take a word's last piece, which has seen all of the word.
*Predict before you run:* which of the three is last on relations? And which of the two properties
gains more from context? """

# %%
def by_layer(model, labels_of, pool="first"):
    """The library's probe on every layer, and the share right of each word's usual label."""
    labels = {name: labels_of(part) for name, part in parts.items()}
    known = {label for row in labels["train"] for label in row}
    given = [(mb.probe.states(model, words[name], pool),
              [[label if label in known else None for label in row] for row in labels[name]])
             for name in parts]
    scores = mb.probe.probe(*given[0], *given[1:],
                            make=lambda: mb.probe.Linear(penalty=(100.0, 10.0)))
    return scores, mb.probe.baselines(given[0], given[2])


def tags_of(part):
    """The universal parts of speech."""
    return [list(s.pos) for s in part]


bench = {"BERT": {"relation": real, "part of speech": by_layer(body, tags_of)[0]},
         "ELMo": {"relation": by_layer(elmo, relations)[0]},
         "GPT": {"relation": by_layer(gpt, relations, "last")[0],
                 "part of speech": by_layer(gpt, tags_of, "last")[0]}}
bench["ELMo"]["part of speech"], usual_tag = by_layer(elmo, tags_of)

# %%
low = {"relation": floors,
       "part of speech": {"each word's usual tag": usual_tag["most frequent tag"],
                          "always the same": usual_tag["majority"]}}
mb.show.ProbeBench(bench, low, {"BERT": {"relation": control}})

# %% [markdown]
r"""
Choose a property and see the models side by side, or a model and see all that was asked of it.
"what is left" subtracts the best baseline. In all three models some layer above the embeddings
tells more of the relations than the embeddings do. In BERT and GPT the last layer tells less than
the best one. A likely reason: there the states are busy with the word that is to be predicted. The
models that read both sides are ahead of GPT at their best layers. Choose *part of speech* as well:
the word itself tells nearly all of it, so that context adds less than to the relations.

Over five draws of the sentences, with more models and properties:

{{findings 09
| relations: BERT's best layer beats each word's usual relation | layers.relation_bert_best - layers.relation_usual | percent | - |
| ... and word2vec | layers.relation_bert_best - layers.relation_word2vec_0 | percent | contextual > static |
| ... and random weights of the same shape | layers.relation_bert_best - layers.relation_random_2 | percent | - |
| BERT: the best layer beats the last one | layers.relation_bert_best - layers.relation_bert_last | percent | middle layers best |
| BERT: the mix beats the best single layer | layers.relation_bert_mix - layers.relation_bert_best | percent | yes |
| ELMo: the first LSTM layer beats the second | layers.relation_elmo_1 - layers.relation_elmo_2 | percent | yes |
| parts of speech: BERT's mix beats ELMo's | layers.pos_bert_mix - layers.pos_elmo_mix | percent | yes |
| parts of speech: ELMo's mix beats GPT's best layer | layers.pos_elmo_mix - layers.pos_gpt_best | percent | yes |
| the constituent around a word: BERT's best layer beats its usual one | layers.parent_bert_best - layers.parent_usual | percent | - |
| the one above that: BERT's best layer beats the usual one | layers.grandparent_bert_best - layers.grandparent_usual | percent | - |
}}

(The papers' column: Liu et al. 2019. "Best" is the best layer above the embeddings on the test
itself, which favours it a little.) Most of the order is the published one. ELMo is the exception:
here it is at least as good as BERT. Both have read the same text.

"""

# %% [markdown]
r"""
## 6. Trees in distances

A label belongs to one word, a tree to all of them together. Hewitt & Manning (2019) look for
a matrix $B$ (dim, rank) after which the *squared distance* of two words is the number of arcs
between them, $d(i, j)$:

$$
\hat d(i, j) = \lVert (h_i - h_j) B \rVert^2, \qquad
\text{loss} = \frac{1}{n^2} \sum_{i, j} \bigl\lvert \hat d(i, j) - d(i, j) \bigr\rvert
$$

for a sentence of $n$ words. Nothing in it knows what a tree is. A **minimum spanning tree** joins
all words by $n - 1$ arcs, with the smallest possible sum of distances. If the distances come out
right, it *is* the tree.

The distances of a tree are easily counted. In *the old key*, both *the* and *old* hang on *key*, so
there are two arcs between them:
"""

# %% tags=["nbval-check-output"]
for row in mb.probe.tree_distances([2, 2, -1]).tolist():  # the head of each word; -1: the root
    print(*(int(arcs) for arcs in row))

# %% [markdown]
r"""
{{exercise 09.structural_loss}}

Write `tree_loss(h, B, gold)` for one sentence: `h` (n, dim), `B` (dim, rank), `gold` (n, n), the
distances in the tree.
"""

# %%
def tree_loss(h, B, gold):
    """The mean over all pairs of | squared distance after B - distance in the tree |."""
    loss = torch.tensor(0.0)
    ### BEGIN SOLUTION
    z = h @ B  # (n, rank)
    squared = (z[:, None] - z[None, :]).square().sum(-1)  # (n, n)
    loss = (squared - gold).abs().mean()
    ### END SOLUTION
    return loss


# %%
mb.course.check("09.structural_loss", tree_loss)

# %%
tree_loss = mb.course.use("09.structural_loss", tree_loss)

# %% [markdown]
r"""
With your loss, the probe is a loop of ten lines. Training ends after a fixed number of passes here;
the library's `mb.probe.StructuralProbe` watches the validation loss.
"""

# %%
distances = [torch.from_numpy(mb.probe.tree_distances(one)) for one in trees["train"]]
h = layer_of(elmo, "train", 1)
mb.seed_everything(0)
B = (0.1 * (torch.rand(h[0].shape[1], 32) - 0.5)).requires_grad_()
optimizer = torch.optim.Adam([B], lr=2e-3)
order, told = list(range(len(h))), []
for _ in range(1 if SMOKE else 12):
    random.Random(0).shuffle(order)
    for start in range(0, len(order), 16):
        some = order[start : start + 16]
        loss = sum(tree_loss(h[i], B, distances[i]) for i in some) / len(some)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told.append(loss.item())
print(f"loss: {told[0]:.2f}, then {told[-1]:.2f} arcs per pair of words")

# %%
class Mine:
    """What draws trees from your B, as `StructuralProbe` does."""

    @staticmethod
    def distances(x):
        z = x @ B.detach()
        return (z[:, None] - z[None, :]).square().sum(-1).numpy()


spanned = [mb.probe.spanning_tree(Mine.distances(x), out)
           for x, out in zip(layer_of(elmo, "test", 1), no_marks, strict=True)]
print(f"your probe finds {mb.probe.uuas(spanned, trees['test'], no_marks):.0%} of the arcs")
longer = min(range(len(test)), key=lambda i: (abs(lengths[i] - 17), i))
shown(Mine, layer_of(elmo, "test", 1), "A longer sentence, read by your probe", longer)

# %% [markdown]
r"""
Which arcs are wrong? In this picture and in the first one, some join two words of one kind from
different clauses: *the* and *the*, *was* and *was*, *ring* and *bread*. Words that do the same work
are close to each other, whether they belong together or not. And in which layer are the trees?
"""

# %%
asked_of = {"ELMo": (elmo, [0, 1, 2]), "BERT": (body, [0, 1, 2, 4]), "word2vec": (static, [0])}
tree_shares = {}
for name, (model, numbers) in asked_of.items():
    found = [(first_probe, first_rows) if (name, n) == ("ELMo", 1) else fitted(model, n)
             for n in numbers]
    tree_shares[name] = [probe.uuas(x, trees["test"], no_marks) for probe, x in found]
    print(f"{name:>9}  " + "  ".join(f"layer {n}: {x:.0%}" for n, x in
                                    zip(numbers, tree_shares[name], strict=True)))
floor_shares = {"each word to the next": mb.probe.uuas(lines, trees["test"], no_marks),
                "untrained ELMo, layer 1": blank_probe.uuas(blank_rows, trees["test"], no_marks)}

# %% tags=["hide-input"]
fig, ax = mb.show.new("Arcs found by the structural probe", "layer", "UUAS")
for (name, shares), look in zip(tree_shares.items(), ("o-", "s--", "D"), strict=True):
    ax.plot(asked_of[name][1], shares, look, label=name)
for (name, share), look in zip(floor_shares.items(), (":", "-."), strict=True):
    ax.axhline(share, ls=look, color="#5f5f5f", lw=1.2, label=name)
ax.set_xticks(range(5))
ax.set_ylim(0, 1)
ax.legend(fontsize=9, ncols=2)
mb.show.figure(fig, alt="UUAS by layer: " + "; ".join(
    name + " " + ", ".join(f"{x:.0%}" for x in shares) for name, shares in tree_shares.items()))

# %% [markdown]
r"""
word2vec is *below* the chain (each word to the next), since a static vector does not even know
where its word stands. The embeddings of BERT do, since they hold the word and its place, and that
is enough to beat the chain. BERT's first layer adds next to nothing to them, and towards the last
layer the trees fade. So with this probe we see no tree that BERT's *layers* have built. ELMo's
embeddings know no places, and its first LSTM layer holds the trees best of all.

{{findings 09
| trees: ELMo's first layer beats joining each word to the next | trees.elmo_1 - trees.chain | percent | +28.1 points (ELMo, newspapers) |
| ... and an untrained ELMo | trees.elmo_1 - trees.random_1 | percent | +17.2 points |
| ... and ELMo's letters alone | trees.elmo_1 - trees.elmo_0 | percent | +50.2 points |
| BERT: the first layer beats the last | trees.bert_1 - trees.bert_4 | percent | middle layers best |
}}

## 7. Does the model use it?

A probe finds what *can* be read. Whether the model *does* read it is another question. To answer
it we have to change the states and watch the model's own predictions. We go back to the small
reader, whose behaviour we know. When it has read the subject and is about to predict the verb,
its state holds several things:

- the number of the **subject**, which the verb depends on;
- the number of the **nearest** noun, which it should not depend on;
- whether there is **any noun between** them.

*Predict before you run:* a probe will find all three more often than always the same answer would:
that is right in about 50%, 50% and 80% (four sentences of five have a noun between). We erase one
of them at a time. Which erasure hurts the reader's choice of the verb?
"""

# %%
rows_of = []
for e in task.train[: 60 if SMOKE else 800] + task.test[: 20 if SMOKE else 400]:
    right, wrong = cut_up(e.info["good"]), cut_up(e.info["bad"])
    nouns, end = parted(right)
    if end and right[end] != wrong[end] and nouns and nouns[-1] == end - 1:
        near = int(number_of[right[end - 1]] == ("many",))
        rows_of.append((right, wrong[end], end, e.label, near, int(e.info["attractors"] > 0)))
states = mb.probe.states(reader, [right[:end] for right, _, end, *_ in rows_of])
last = torch.tensor(states.lengths).cumsum(0) - 1
H = states.layer(1)[last]  # (sentences, dim): the state that predicts the verb
choice = torch.tensor([[names.encode([right[end]])[0], names.encode([wrong])[0]]
                       for right, wrong, end, *_ in rows_of])
cut_at = len(H) * 2 // 3
facts = {name: [row[3 + i] for row in rows_of]
         for i, name in enumerate(("subject", "nearest", "any between"))}


def verbs_right(H):
    """The share of test sentences whose right verb the reader prefers, from these states."""
    with torch.no_grad():
        logits = reader.decoder(H.to(reader.decoder.weight.device)).cpu().gather(1, choice)
    return (logits[cut_at:, 0] > logits[cut_at:, 1]).float().mean().item()


# %% [markdown]
r"""
A linear probe of two labels looks along one **direction**: the difference of its two columns of
weights. Taking this direction out of all states blinds the probe. But a second probe, trained on
what is left, may find the property again along another direction. So one goes on, direction by
direction (Ravfogel et al. 2020). The directions need not be at right angles.

{{exercise 09.erase}}

(Optional.) Write `erase(H, directions)`: the states `H` (rows, dim), less their mean, without
anything that lies in the space that the `directions` (k, dim) span, and with the mean put back.
Each row moves no further than it must. """

# %%
def erase(H, directions):
    """H (rows, dim) without what lies along the directions (k, dim), but for the mean."""
    result = H
    ### BEGIN SOLUTION
    Q, _ = torch.linalg.qr(directions.T)  # (dim, k), at right angles
    mean = H.mean(0)
    result = H - (H - mean) @ Q @ Q.T
    ### END SOLUTION
    return result


# %%
mb.course.check("09.erase", erase)

# %%
erase = mb.course.use("09.erase", erase)

# %%
def blinded(labels, times):
    """(Probe's share right, verbs right) after 0, 1, ... erased directions of one property."""
    y, found, directions, left = list(labels), [], [], H
    for _ in range(times + 1):
        probe = mb.probe.Linear().fit(left[:cut_at], y[:cut_at])
        found.append((probe.score(left[cut_at:], y[cut_at:]), verbs_right(left)))
        directions.append((probe.weights[:-1, 1] - probe.weights[:-1, 0]) / probe.standard.scale)
        left = erase(H, torch.stack(directions))
    return found


times = 1 if SMOKE else 6
erased = {name: blinded(labels, times) for name, labels in facts.items()}
chance = torch.Generator().manual_seed(0)
at_random = [verbs_right(erase(H, torch.randn(k, H.shape[1], generator=chance))) if k else
             verbs_right(H) for k in range(times + 1)]
for name, found in erased.items():
    print(f"{name:>12}: probe {found[0][0]:.0%} -> {found[-1][0]:.0%}, "
          f"verbs {found[0][1]:.0%} -> {found[-1][1]:.0%}")

# %% tags=["hide-input"]
fig, axes = mb.show.new("A property is erased: the probe and the reader", "directions erased",
                        "share right", size=(9.4, 3.6), columns=2)
for name, look in zip(erased, ("o-", "s--", "^:"), strict=True):
    for ax, place in zip(axes, (0, 1), strict=True):
        ax.plot([one[place] for one in erased[name]], look, label=name)
axes[1].plot(at_random, "x-.", color="#7f7f7f", label="random directions")
for ax, name in zip(axes, ("a new probe", "the reader's own verbs"), strict=True):
    ax.set_title(name, fontsize=10)
    ax.set_ylim(0.4, 1.02)
    ax.axhline(0.5, color="black", ls=":", lw=0.9)
axes[1].legend(fontsize=8)
mb.show.figure(fig, alt="Two panels by erased directions. Left, what a new probe finds: falls for "
               "all three. Right, the reader's verbs: they fall only when the subject's "
               "number goes.")

# %% [markdown]
r"""
All three properties can be read off the same vector. One of them is clearly used: the more
directions of the subject's number are gone, the more verbs the reader gets wrong. Six directions
of the other two, or six at random, cost it next to nothing. A probe alone could not have told
these cases apart.

But look at the left panel before you say "not used". After six directions a new probe still finds
much of each property: what is not yet erased may still be used. *Try it:* set `times` to 16 and run
the cell again. By then the probe should be close to always the same answer in all three. If the
verbs stay right without *any between*, the reader does not need it. With the nearest noun take
care: it has the number of the subject in six sentences of ten, so many directions of the one take
away some of the other. Past the point where its probe is at 60%, the verbs suffer too.

Here the changed state goes straight to the output. Within a deep model the same is done by
`mb.probe.changed(model, layer, tokens=..., value=...)`: while the context lasts, the layers above
read what you have put in (chapter 08).
"""

# %% [markdown]
r"""
## 8. The papers' claims, measured here (optional)

**Error rises with attractors.** Linzen et al. found it on Wikipedia. Here it is seen in readers
that have had little practice, and in the words that go together. A reader that has learned the
rule is hardly misled any more. "Brackets" is a reader of the same sentences in which the subject
stands in brackets, so that its end is marked: Kuncoro et al. (2018) found that models which are
given the syntax of a sentence agree better. Our readers show nothing of the kind. After as many
updates four of the five with brackets had not found the rule, and the last is right in {{finding 09 agreement.bracketed max .0%}}: that
speaks of how long they learned, not of what syntax is worth.

{{findings 09
| the reader beats the trigram of its lessons | agreement.reader - agreement.trigram | percent | - |
| ... and the rule of the nearest noun | agreement.reader - agreement.nearest | percent | - |
| little practice: no misleading noun is easier than two | agreement.few_0 - agreement.few_2 | percent | yes (Linzen et al.) |
| much practice: no misleading noun is easier than two | agreement.reader_0 - agreement.reader_2 | percent | yes (Linzen et al.) |
| words that go together: none is easier than two | agreement.company_0 - agreement.company_2 | percent | - |
| four times the text helps | agreement.reader - agreement.few | percent | yes |
| brackets around the subject help | agreement.bracketed - agreement.reader | percent | yes (Kuncoro et al.) |
}}

**Control tasks deflate.** The experiment `control` has a linear probe and one with a hidden layer
of 256 units on BERT's layers, for relations and for random labels of words. Beside it stands
another answer to the same worry, the **minimum description length** (Voita & Titov 2020): how
many bits does it take to send the labels to somebody who has the states? The probe is trained on
ever more of the rows, and each time it codes the next ones. A property that is hard to learn
costs bits, even if the probe learns it in the end. On BERT's embeddings the code is
{{finding 09 control.compression_0 mean .2f}} times shorter than a code that
knows nothing, on the first layer {{finding 09 control.compression_1 mean .2f}} times (`mb.probe.online_code`).

{{findings 09
| first layer: the linear probe is more selective than the MLP | control.linear_selectivity_1 - control.mlp_selectivity_1 | percent | yes (Hewitt & Liang) |
| the first layer is more selective than the embeddings (linear) | control.linear_selectivity_1 - control.linear_selectivity_0 | percent | - |
| relations: the MLP beats the linear probe on the first layer | control.mlp_1 - control.linear_1 | percent | little (Hewitt & Liang) |
| the first layer's code is shorter than the embeddings' | control.compression_1 - control.compression_0 | times .2f | - |
}}

**Pairs of words.** Is there an arc between two words? Which role has a phrase for its verb? Is a
pronoun the same person as a name before it? A probe of pairs gets $[a; b; a \odot b]$ (Tenney et
al. 2019).

{{findings 09
| arcs: ELMo's best layer beats random weights | pairs.arcs_elmo_best - pairs.arcs_random_2 | percent | - |
| roles: ELMo's best layer beats word2vec | pairs.roles_elmo_best - pairs.roles_word2vec_0 | percent | - |
| roles: BERT's best layer beats word2vec | pairs.roles_bert_best - pairs.roles_word2vec_0 | percent | - |
| coreference: BERT's best layer beats random weights | pairs.coreference_pairs_bert_best - pairs.coreference_pairs_random_2 | percent | - |
| coreference: BERT's best layer is above chance | pairs.coreference_pairs_bert_best - 0.5 | percent | - |
}}

**Whole sentences.** The mean of the word states of a layer, asked seven questions after Conneau
et al. (2018):

{{findings 09
| length: BERT's best layer beats word2vec | sentences.length_bert_best - sentences.length_word2vec_0 | percent | - |
| word content: word2vec beats BERT's last layer | sentences.word_content_word2vec_0 - sentences.word_content_bert_last | percent | - |
| tense: BERT's best layer beats word2vec | sentences.tense_bert_best - sentences.tense_word2vec_0 | percent | - |
| subject's number: BERT's best layer beats word2vec | sentences.subject_number_bert_best - sentences.subject_number_word2vec_0 | percent | - |
| two words changed places: BERT's best layer is above chance | sentences.word_order_bert_best - 0.5 | percent | - |
| two words changed places: word2vec is above chance (it cannot be) | sentences.word_order_word2vec_0 - 0.5 | percent | - |
}}

**What should a network be trained to do?** Zhang & Bowman (2018) trained LSTMs to translate, to
predict the next word, to predict the next sentence (skip-thought) and to repeat their input, and
probed each for syntax. Language modelling was best, with much text and with little. Ours read
10,000 or 80,000 words of the world's text, 400 updates each, and are probed for parts of speech.
Translation is not among them; "relations" is trained on gold relations, a kind of parsing.

{{findings 09
| 80,000 words: language model beats skip-thought | objectives.language_model_80000 - objectives.skip_thought_80000 | percent | yes |
| 80,000 words: language model beats the autoencoder | objectives.language_model_80000 - objectives.autoencoder_80000 | percent | yes |
| 80,000 words: language model beats random weights | objectives.language_model_80000 - objectives.random_80000 | percent | yes |
| 80,000 words: language model beats gold relations | objectives.language_model_80000 - objectives.relations_80000 | percent | - |
| 10,000 words: language model beats random weights | objectives.language_model_10000 - objectives.random_10000 | percent | - |
| more text is better for the language model | objectives.language_model_80000 - objectives.language_model_10000 | percent | yes |
}}

## 9. The real thing (optional)

Everything so far was measured in a small world, where the truth is known. The same functions read
English newsgroups, letters and reviews: the treebank UD EWT with gold parts of speech and trees.
The model is MiniLM (6 layers of 384, distilled from BERT and then trained on pairs of sentences).

{{findings 09
| parts of speech: MiniLM's best layer beats GloVe | real_words.pos_minilm_best - real_words.pos_glove_0 | percent | contextual > static |
| ... and each word's usual tag | real_words.pos_minilm_best - real_words.pos_usual | percent | - |
| ... and random weights of the same shape | real_words.pos_minilm_best - real_words.pos_random_3 | percent | - |
| ... and the last layer | real_words.pos_minilm_best - real_words.pos_minilm_last | percent | middle layers best |
| relations: MiniLM's best layer beats its embeddings | real_words.relation_minilm_best - real_words.relation_minilm_0 | percent | most on syntax |
| parts of speech: MiniLM's best layer beats its embeddings | real_words.pos_minilm_best - real_words.pos_minilm_0 | percent | - |
}}

{{findings 09
| trees: MiniLM's second layer beats the chain | real_trees.minilm_2 - real_trees.chain | percent | +30.9 points (BERT-base, layer 7) |
| ... and random weights | real_trees.minilm_2 - real_trees.random_2 | percent | - |
| ... and GloVe | real_trees.minilm_2 - real_trees.glove_0 | percent | - |
| ... and the last layer | real_trees.minilm_2 - real_trees.minilm_6 | percent | middle layers best |
}}

{{findings 09
| names (WikiANN): MiniLM's best layer beats each word's usual tag | real_names.minilm_best - real_names.usual | percent | - |
| ... and GloVe | real_names.minilm_best - real_names.glove_0 | percent | - |
| ... and random weights | real_names.minilm_best - real_names.random_3 | percent | - |
}}

Here is one draw of sentences, if the data and the weights are at hand:
"""

# %%
folder = Path(os.environ.get("MINIBERT_DATA", ""))
try:
    minilm = mb.BERT.from_pretrained("all-minilm-l6-v2")
    real_data = [mb.data.load(folder / f"en_ewt-ud-{name}.conllu.xz") for name in ("train", "dev")]
except (FileNotFoundError, ValueError) as error:
    minilm, real_data = None, []
    print(f"left out: {error}")


def readable(data, count):
    """Sentences of 6 to 30 words of which each has a piece, spread over the whole file."""
    kept = [e for e in data if 6 <= len(e.tokens) <= 30
            and all(minilm.tokenizer.encode(word) for word in e.tokens)]
    return kept[:: max(1, len(kept) // count)][:count]


# %%
if minilm is not None:
    english = [readable(one, n) for one, n in zip(real_data, (50, 30) if SMOKE else (400, 150),
                                                  strict=True)]
    read = [mb.probe.states(minilm, [list(e.tokens) for e in part]) for part in english]
    tags = [[list(e.labels) for e in part] for part in english]
    known = {tag for row in tags[0] for tag in row}
    tags[1] = [[tag if tag in known else None for tag in row] for row in tags[1]]
    scores = mb.probe.probe(read[0], tags[0], test=(read[1], tags[1]), mix=False,
                            make=lambda: mb.probe.Linear(penalty=(300.0, 100.0)))
    usual = mb.probe.baselines((read[0], tags[0]), (read[1], tags[1]))
    print("parts of speech, MiniLM by layer: "
          + "  ".join(f"{n}: {share:.1%}" for n, share in scores.scores.items()))
    print(f"each word's usual tag: {usual['most frequent tag']:.1%}")

# %%
if minilm is not None:
    heads = [[list(e.info["heads"]) for e in part] for part in english]
    out = [[tag == "PUNCT" for tag in e.labels] for e in english[1]]
    rows_of_layer = [one.split(2) for one in read]
    english_probe = mb.probe.StructuralProbe(64).fit(rows_of_layer[0], heads[0])
    line = [mb.probe.chain(len(e.tokens), o) for e, o in zip(english[1], out, strict=True)]
    print(f"arcs found: {english_probe.uuas(rows_of_layer[1], heads[1], out):.0%}, "
          f"each word to the next {mb.probe.uuas(line, heads[1], out):.0%}")
    one = min(range(len(out)), key=lambda i: (abs(len(out[i]) - 12), i))
    gold_arcs = mb.probe.spanning_tree(mb.probe.tree_distances(heads[1][one]), out[one])
    said = mb.probe.spanning_tree(english_probe.distances(rows_of_layer[1][one]), out[one])
    fig, ax = mb.show.new("A sentence of UD EWT, read off MiniLM's second layer",
                          "word", "gold above, found below", size=(9.4, 3.6))
    draw_tree(ax, english[1][one].tokens, gold_arcs, said)
    mb.show.figure(fig, alt=f"Arcs above and below the words of: {english[1][one].text} Of "
                   f"{len(gold_arcs)} arcs, {len(gold_arcs & said)} were found.")

# %% [markdown]
r"""
The published shape: parts of speech are read best from layers in the middle, here 2 and 3 of 6. The
embeddings know the word, and the last layer has been trained for something else, the meaning of
whole sentences. And the second layer holds more of the tree than the order of the words tells.
(Where the data are
missing, one line above says so, and nothing was computed.)

**BLiMP.** Twenty pairs of each of its 67 sets (Warstadt et al. 2020), scored as in section 2.
This is one run, since nothing is drawn: no seed, no interval. The n-gram models have counted
{{finding 09 blimp.tokens mean ,.0f}} tokens of Wikipedia; the 5-gram knows the 6,000 most
frequent words only, because five of them have to fit into 64 bits. MiniLM is missing because its
language-model head was thrown away when it was
trained on sentence pairs.

| phenomenon | trigram | 5-gram | GPT (English) | BERT (English) | SmolLM2 |
|:---|---:|---:|---:|---:|---:|
| island effects | {{finding 09 blimp.trigram_island_effects mean .0%}} | {{finding 09 blimp.fivegram_island_effects mean .0%}} | {{finding 09 blimp.gpt_island_effects mean .0%}} | {{finding 09 blimp.bert_island_effects mean .0%}} | {{finding 09 blimp.smollm2_island_effects mean .0%}} |
| anaphor agreement | {{finding 09 blimp.trigram_anaphor_agreement mean .0%}} | {{finding 09 blimp.fivegram_anaphor_agreement mean .0%}} | {{finding 09 blimp.gpt_anaphor_agreement mean .0%}} | {{finding 09 blimp.bert_anaphor_agreement mean .0%}} | {{finding 09 blimp.smollm2_anaphor_agreement mean .0%}} |
| s-selection | {{finding 09 blimp.trigram_s-selection mean .0%}} | {{finding 09 blimp.fivegram_s-selection mean .0%}} | {{finding 09 blimp.gpt_s-selection mean .0%}} | {{finding 09 blimp.bert_s-selection mean .0%}} | {{finding 09 blimp.smollm2_s-selection mean .0%}} |
| argument structure | {{finding 09 blimp.trigram_argument_structure mean .0%}} | {{finding 09 blimp.fivegram_argument_structure mean .0%}} | {{finding 09 blimp.gpt_argument_structure mean .0%}} | {{finding 09 blimp.bert_argument_structure mean .0%}} | {{finding 09 blimp.smollm2_argument_structure mean .0%}} |
| determiner noun agreement | {{finding 09 blimp.trigram_determiner_noun_agreement mean .0%}} | {{finding 09 blimp.fivegram_determiner_noun_agreement mean .0%}} | {{finding 09 blimp.gpt_determiner_noun_agreement mean .0%}} | {{finding 09 blimp.bert_determiner_noun_agreement mean .0%}} | {{finding 09 blimp.smollm2_determiner_noun_agreement mean .0%}} |
| subject verb agreement | {{finding 09 blimp.trigram_subject_verb_agreement mean .0%}} | {{finding 09 blimp.fivegram_subject_verb_agreement mean .0%}} | {{finding 09 blimp.gpt_subject_verb_agreement mean .0%}} | {{finding 09 blimp.bert_subject_verb_agreement mean .0%}} | {{finding 09 blimp.smollm2_subject_verb_agreement mean .0%}} |
| ellipsis | {{finding 09 blimp.trigram_ellipsis mean .0%}} | {{finding 09 blimp.fivegram_ellipsis mean .0%}} | {{finding 09 blimp.gpt_ellipsis mean .0%}} | {{finding 09 blimp.bert_ellipsis mean .0%}} | {{finding 09 blimp.smollm2_ellipsis mean .0%}} |
| control raising | {{finding 09 blimp.trigram_control_raising mean .0%}} | {{finding 09 blimp.fivegram_control_raising mean .0%}} | {{finding 09 blimp.gpt_control_raising mean .0%}} | {{finding 09 blimp.bert_control_raising mean .0%}} | {{finding 09 blimp.smollm2_control_raising mean .0%}} |
| quantifiers | {{finding 09 blimp.trigram_quantifiers mean .0%}} | {{finding 09 blimp.fivegram_quantifiers mean .0%}} | {{finding 09 blimp.gpt_quantifiers mean .0%}} | {{finding 09 blimp.bert_quantifiers mean .0%}} | {{finding 09 blimp.smollm2_quantifiers mean .0%}} |
| irregular forms | {{finding 09 blimp.trigram_irregular_forms mean .0%}} | {{finding 09 blimp.fivegram_irregular_forms mean .0%}} | {{finding 09 blimp.gpt_irregular_forms mean .0%}} | {{finding 09 blimp.bert_irregular_forms mean .0%}} | {{finding 09 blimp.smollm2_irregular_forms mean .0%}} |
| npi licensing | {{finding 09 blimp.trigram_npi_licensing mean .0%}} | {{finding 09 blimp.fivegram_npi_licensing mean .0%}} | {{finding 09 blimp.gpt_npi_licensing mean .0%}} | {{finding 09 blimp.bert_npi_licensing mean .0%}} | {{finding 09 blimp.smollm2_npi_licensing mean .0%}} |
| binding | {{finding 09 blimp.trigram_binding mean .0%}} | {{finding 09 blimp.fivegram_binding mean .0%}} | {{finding 09 blimp.gpt_binding mean .0%}} | {{finding 09 blimp.bert_binding mean .0%}} | {{finding 09 blimp.smollm2_binding mean .0%}} |
| filler gap dependency | {{finding 09 blimp.trigram_filler_gap_dependency mean .0%}} | {{finding 09 blimp.fivegram_filler_gap_dependency mean .0%}} | {{finding 09 blimp.gpt_filler_gap_dependency mean .0%}} | {{finding 09 blimp.bert_filler_gap_dependency mean .0%}} | {{finding 09 blimp.smollm2_filler_gap_dependency mean .0%}} |
| **all** | {{finding 09 blimp.trigram mean .0%}} | {{finding 09 blimp.fivegram mean .0%}} | {{finding 09 blimp.gpt mean .0%}} | {{finding 09 blimp.bert mean .0%}} | {{finding 09 blimp.smollm2 mean .0%}} |

"""

# %% [markdown]
r"""
## 10. Summary

- Ask by **behaviour** (minimal pairs) what a model does, and ask the **states** (probes) what can
  be read off them. Each answers another question.
- A score of sentences must give nothing away: score the first token too, hide the later pieces of
  the same word, and count no ties.
- The controls of behaviour: attractors, nonsense in which words no longer go together, and a
  model that cannot know (a trigram, a list of words).
- The controls of probes: each word's usual label, static vectors, random weights, and labels that
  mean nothing. Only a score above all of them is a finding.
- {{claim 09 agreement.reader_nonsense agreement.company_nonsense | On nonsense, a small LSTM that has practised agreement beats a list of words that go together}}
- {{claim 09 trees.elmo_1 trees.random_1 | Dependency trees can be read off ELMo's distances, better than off random weights}}
- To be read off is not to be used. Erase the property, and watch the model.

{{quiz 09.q1}}

{{quiz 09.q2}}

{{quiz 09.q3}}

**A project.** Choose a property of words that this chapter has not asked for (a word's gender, the
tense of its sentence, whether it was mentioned before). Write down your guess: in which layer of
which model is it best? Then probe it, with all baselines of section 4 and five draws of the
sentences, and erase it in one place where the model's predictions can show whether it is used. (A
good report states the guess first, shows the baselines in the same figure as the scores, keeps
settings and test apart, and ends with what the result does *not* show.)
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Belinkov (2022), *Probing Classifiers: Promises, Shortcomings, and Advances*,
[arXiv:2102.12452](https://arxiv.org/abs/2102.12452), the best overview. Hewitt & Liang (2019),
[arXiv:1909.03368](https://arxiv.org/abs/1909.03368). Hewitt & Manning (2019), *A Structural Probe for
Finding Syntax in Word Representations*, [NAACL](https://aclanthology.org/N19-1419/). Liu et al. (2019),
[arXiv:1903.08855](https://arxiv.org/abs/1903.08855). Tenney et al. (2019), *What do you learn from
context?*, [arXiv:1905.06316](https://arxiv.org/abs/1905.06316). Linzen, Dupoux & Goldberg (2016),
[arXiv:1611.01368](https://arxiv.org/abs/1611.01368). Gulordava et al. (2018), *Colorless green recurrent
networks dream hierarchically*, [arXiv:1803.11138](https://arxiv.org/abs/1803.11138). Marvin & Linzen
(2018), [arXiv:1808.09031](https://arxiv.org/abs/1808.09031). Kuncoro et al. (2018), *LSTMs Can Learn
Syntax-Sensitive Dependencies Well, But Modeling Structure Makes Them Better*,
[ACL](https://aclanthology.org/P18-1132/). Warstadt et al. (2020), *BLiMP*,
[arXiv:1912.00582](https://arxiv.org/abs/1912.00582). Salazar et al. (2020), *Masked Language Model
Scoring*, [arXiv:1910.14659](https://arxiv.org/abs/1910.14659). Kauf & Ivanova (2023), *A Better Way to Do
Masked Language Model Scoring*, [arXiv:2305.10588](https://arxiv.org/abs/2305.10588). Zhang & Bowman
(2018), *Language Modeling Teaches You More than Translation Does*,
[arXiv:1809.10040](https://arxiv.org/abs/1809.10040). Voita & Titov (2020),
[arXiv:2003.12298](https://arxiv.org/abs/2003.12298). Ravfogel et al. (2020), *Null It Out*,
[arXiv:2004.07667](https://arxiv.org/abs/2004.07667).
"""
