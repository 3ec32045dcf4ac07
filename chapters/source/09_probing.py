# ---
# jupyter:
#   minibert:
#     title: Probing
#     question: What does a pre-trained model know about language, and how would we know?
#     minutes: 90
#     seconds: 100
#     memory_mb: 1300
#     needs: ["chapter 02 (ELMo, layers as features)", "chapter 05 (BERT, masked words)", "chapter 07 (GPT, agreement over attractors)"]
#     skip: "the parts marked optional: sections 5, 8 and 9, the end of section 2 (grammar, or words that go together), and the exercises 09.find_the_bug, 09.claim and 09.erase"
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
does it give *The keys to the cabinet are here* a higher score than *... is here*? And we can look
at what its states **hold**: can a small classifier, a **probe**, read the subject off them?

Both kinds of question mislead those who ask carelessly. A model may give the right answer for a
wrong reason, and a probe may find in the states what the probe itself has learned. So this chapter
is half about probes, and half about what their scores have to be compared with.
"""

# %%
import os
import random
from collections import Counter, defaultdict
from itertools import combinations
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


no_marks = [[tag == "PUNCT" for tag in s.pos] for s in test]  # punctuation does not count
gold_arcs = [mb.probe.spanning_tree(mb.probe.tree_distances(heads), out)
             for heads, out in zip(trees["test"], no_marks, strict=True)]


def found_arcs(probe, rows):
    """The arcs that a probe finds in each test sentence, from its states."""
    return [mb.probe.spanning_tree(probe.distances(x), out)
            for x, out in zip(rows, no_marks, strict=True)]


def probed_arcs(rows):
    """The arcs that the library's structural probe finds, by {part: states of its sentences}."""
    probe = mb.probe.StructuralProbe(rank=32)
    probe.fit(rows["train"], trees["train"], (rows["valid"], trees["valid"]))
    return found_arcs(probe, rows["test"])


# %%
lines = [mb.probe.chain(len(s.tokens), out) for s, out in zip(test, no_marks, strict=True)]


def shares_found(arcs):
    """Of the gold arcs, the shares found: of all, of those between neighbours, of the others."""
    hits = [(arc in said, arc in line)
            for gold, said, line in zip(gold_arcs, arcs, lines, strict=True) for arc in gold]
    kept = [hit for hit, _ in hits], *([h for h, beside in hits if beside == k] for k in (1, 0))
    return [sum(some) / len(some) for some in kept]


def arcs_of(model, layer):
    """The arcs found in one layer of a model."""
    return probed_arcs({part: layer_of(model, part, layer) for part in words})


first = {"ELMo, layer 1": arcs_of(elmo, 1), "untrained ELMo": arcs_of(mb.probe.untrained(elmo), 1),
         "word2vec": arcs_of(static, 0), "each word to the next": lines}
print("                       all arcs   neighbours   further apart")
for name, arcs in first.items():
    print(f"{name:>21}" + "".join(f"{share:12.0%}" for share in shares_found(arcs)))

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
def shown(arcs, title, number):
    """A picture of one sentence's two trees."""
    gold, said = gold_arcs[number], arcs[number]
    fig, ax = mb.show.new(title, "word", "gold above, found below", size=(9.4, 3.6))
    draw_tree(ax, words["test"][number], gold, said)
    mb.show.figure(fig, alt=f"Arcs above and below the words of: {test[number].text} Of "
                   f"{len(gold)} arcs, {len(gold & said)} were found.")


# %% tags=["hide-input"]
lengths = [len(s.tokens) for s in test]
typical = min(range(len(test)), key=lambda i: (abs(lengths[i] - 13), i))
shown(first["ELMo, layer 1"], "A dependency tree, read off ELMo's states", typical)

# %% [markdown]
r"""
Blue arcs are right, dashed ones are not in the gold tree. The score is the **unlabelled undirected
attachment score (UUAS)**: the share of the gold arcs that were found, whatever their direction.
Only the lines below the first one show what it is worth. Joining each word to the next one
finds about half of the arcs without any model, and the same probe on an ELMo whose weights are
random finds about as many; word vectors without context find fewer. Now look at the last column.
Of the arcs between words that stand further apart, the chain and the random network find next to
none, word2vec a quarter, and the trained ELMo more than half. (A tree drawn at random has each arc
of a sentence of $n$ words with probability $2/n$: a fifth for ten words. So word2vec is not far
above luck.) Pre-training has put these arcs there.

The rest of the chapter asks such questions one after the other, each beside the cheapest answer
that could explain it.

## 2. Ask by behaviour

A **minimal pair** is two sentences that differ in one place, of which one is wrong:

> The keys to the cabinet **are** here. · *The keys to the cabinet **is** here.

A model passes if it gives the good one the higher score (Linzen et al. 2016, Marvin & Linzen
2018). No new layer is trained, so nothing but the model can have known the answer. Any model that
can score a sentence can be asked, but we can only ask what a pair of sentences can show.

The world's pairs have 0 to 4 nouns between the subject and its verb, the **attractors** (chapter
07). Those of the other number are **misleading**: a reader who looks at the nearest noun is misled
by them.

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

(Optional.) A colleague wrote the second score. "Odd," he says. "Sentences with rare, long names
come out *too likely*: *Featherstonehaugh* costs next to nothing." BERT's tokenizer cuts such a word
into pieces.
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
get right where no noun misleads, and what share where one or more do?
"""

# %%
task = mb.world.task("agreement", seed=0)
pairs = task.test[: 20 if SMOKE else 200]
good, bad = [e.info["good"] for e in pairs], [e.info["bad"] for e in pairs]
misleading = [e.info["misleading"] for e in pairs]
some = ["some" if n else "none" for n in misleading]
scored = {"BERT": mb.probe.minimal_pairs(bert, good, bad),
          "GPT": mb.probe.minimal_pairs(gpt, good, bad),
          "AWD-LSTM": mb.probe.minimal_pairs(awd, good, bad)}
print(f"misleading nouns:  all {len(pairs)}   none: {some.count('none')}   "
      f"one or more: {some.count('some')}")
for name, one in scored.items():
    by_noun = share_right(one.good, one.bad, some)
    print(f"{name:>16}: {one.accuracy:8.0%} {by_noun['none']:9.0%} {by_noun['some']:16.0%}")

# %% [markdown]
r"""
Over all pairs this looks like a coin. But BERT and GPT are right in more than six pairs of ten
where no noun misleads, and in about 45 of a hundred where one or more do. (There are about a
hundred pairs in each of the last two columns, so a share may be off by ten points; section 8 has
five draws.) The nouns between sway them at least as much as the subject does. A model that fills
gaps well in ordinary sentences need not have learned this rule. Is the rule too hard for such
networks, or have they seen too little of it?

### A small reader of its own

Let us give the rule a fair try. A single LSTM layer of 64 units reads four thousand sentences
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
total, percents = 400 if SMOKE else 4000, mb.world.phrases.ATTRACTORS  # {attractors: percent}
lessons = [s for n, percent in percents.items() for s in pool[n][: total * percent // 100]]
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
                 schedule=mb.optim.linear(steps, steps // 20), progress=False)
reader.eval()
print(f"loss per token: {history.loss[0]:.2f}, then {history.loss[-1]:.2f}")

# %%
few = mb.models.baselines.vocabulary([word for s in lessons for word in ["</s>", *s]])
run = mb.models.baselines.encode([w for s in lessons for w in ["</s>", "</s>", *s]], few)
its_trigram = mb.models.baselines.NGram(run, len(few), 3)
lower = [[cut_up(text) for text in texts] for texts in (good, bad)]
scored |= {"small reader": mb.probe.minimal_pairs(reader, *lower),
           "its trigram": mb.probe.minimal_pairs(its_trigram, *lower, words=few)}
for name in ("small reader", "its trigram"):
    by_noun = share_right(scored[name].good, scored[name].bad, some)
    print(f"{name:>12}: {scored[name].accuracy:.0%}, without a misleading noun "
          f"{by_noun['none']:.0%}, with one or more {by_noun['some']:.0%}")

# %% [markdown]
r"""
The figure has one more line, that of a rule: *the verb agrees with the nearest noun*. A model that
looks back to the last noun, and no further, follows this rule.
"""

# %%
number_of = mb.world.tasksets.probes.nouns(mb.world.world())  # {"keys": ("many",), ...}


def by_nearest(example):
    """1 if the nearest noun has the number of the verb, 0 if not; half where it does not show."""
    number = number_of.get(cut_up(example.info["prefix"])[-1], ())
    return float((number == ("many",)) == bool(example.label)) if len(number) == 1 else 0.5


up_to_3 = [min(n, 3) for n in misleading]
counts = Counter(up_to_3)
by_rule = {n: sum(by_nearest(e) for e, k in zip(pairs, up_to_3, strict=True) if k == n) / counts[n]
           for n in sorted(counts)}

# %% tags=["hide-input"]
fig, ax = mb.show.new("The verb agrees with its subject", "misleading nouns between",
                      "share of pairs right")
looks = {"small reader": ("o-", "blue"), "BERT": ("s--", "vermillion"), "GPT": ("^--", "green"),
         "its trigram": ("x:", "grey"), "the nearest noun": ("D-.", "black")}
alt = []
for name, (look, colour) in looks.items():
    line = by_rule if name not in scored else share_right(scored[name].good, scored[name].bad,
                                                          up_to_3)
    ax.plot(sorted(line), [line[n] for n in sorted(line)], look, label=name,
            color=mb.show.PALETTE.get(colour, "#7f7f7f"))
    alt.append(f"{name} " + ", ".join(f"{line[n]:.0%}" for n in sorted(line)))
ax.axhline(0.5, color="black", ls=":", lw=0.9, label="a coin")
ax.set_xticks(sorted(counts), [f"{'3 or 4' if n == 3 else n}\n{counts[n]} pairs"
                               for n in sorted(counts)])
ax.set_ylim(0, 1.05)
ax.legend(loc="lower left", fontsize=9)
mb.show.figure(fig, alt="Share of pairs right with no, one, two, and more misleading nouns: "
               + "; ".join(alt) + ".")

# %% [markdown]
r"""
Most of the time the small reader finds the right verb, with misleading nouns too, though less
often. The rule of the nearest noun falls far below it with the first misleading noun. The trigram
of the same sentences cannot see past two words. Where a noun misleads, no amount of text would help
it, and it stays at about one half or below. Even without a misleading noun it gains
little: it counts whole words and has rarely seen just this noun before just this verb. The rule of
the nearest noun knows the number of every noun. (The last group has few pairs, and may be off by
twenty points.)

So even a small LSTM can choose the verb well. Our pre-trained AWD-LSTM is an LSTM, too. It most
likely lacks practice: in ordinary text such sentences are rare. (BERT and GPT are other networks;
for them we have not tried. And this is one draw of the lessons. Over {{finding 09 agreement.reader
seeds}} draws the reader is right in {{finding 09 agreement.reader min .0%}} to {{finding 09
agreement.reader max .0%}} of all pairs. Some runs may not have finished learning when they end.)

A **baseline that cannot know** the answer, as the trigram with misleading nouns, is the cheapest
way to see whether a question is a fair one.

### Grammar, or words that go together? (optional)

There is another way to be right. Perhaps *keys* and *were* have often stood in one sentence. A
model that has learned this would prefer the good sentence without any grammar. Gulordava et al.
(2018) therefore asked about sentences that make no sense: each noun is replaced by another noun of
the same number, so that words that usually go together no longer do. The control costs about twenty
lines. Our comparison is a model that *only* knows which words go together: for each noun it counts
which verbs it was seen with.
"""

# %%
verbs = {verb for e in task.train + task.test for verb in e.choices}


def parted(words):
    """(places of the nouns before the verb that show their number; the verb's place)."""
    end = next((i for i, word in enumerate(words) if word in verbs), 0)
    nouns = [i for i in range(end) if len(number_of.get(words[i], ())) == 1
             and words[i] in names and words[i] != "front"]  # the one of "in front of" is no noun
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


def by_company(good, bad):
    """The share of pairs that the list gets right; a tie is half a point."""
    points = [(company(a) > company(b)) + 0.5 * (company(a) == company(b))
              for a, b in zip(good, bad, strict=True)]
    return sum(points) / len(points)


for title, (one, other) in (("natural", lower), ("nonsense", odd)):
    mine = mb.probe.minimal_pairs(reader, one, other).accuracy
    print(f"{title:>9}: small reader {mine:.0%}, "
          f"words that go together {by_company(one, other):.0%}")

# %% [markdown]
r"""
On natural sentences the list of words that go together is right far more often than a coin, though
it knows nothing of order. Where *keys* is the subject, the verb is a plural; where it is an
attractor, the verb may be either. So *keys* has stood before plural verbs more often than before
singular ones. From natural sentences alone we could not say how much of the reader's score is
grammar.

On nonsense the list still knows that plural nouns stood before plural verbs. It is right in most
pairs without a misleading noun and in about half of those with two; with three or more it is
mostly wrong ({{finding 09 agreement.company_nonsense_3 mean .0%}} right, over all draws). The
reader also loses some: a part of what looked like grammar was the company of words. But it stays
above the list. Over all draws:

{{findings 09
| natural sentences: the reader beats the list of words that go together | agreement.reader - agreement.company | percent | - |
| nonsense: the reader beats the list of words that go together | agreement.reader_nonsense - agreement.company_nonsense | percent | - |
| nonsense costs the reader something | agreement.reader - agreement.reader_nonsense | percent | moderate (Gulordava et al.) |
}}

Has the reader learned the rule, then? In nearly all of these sentences the subject is also the
**first noun**. To find out which of the two it follows, we move what stands between to the front:
*the goat beside the oxen was asleep* becomes *beside the oxen the goat was asleep*. *Predict before
you run:* will it still be right?
"""

# %%
def rule_right(texts, which):
    """Share of sentences whose right verb has the number of the first (0) or nearest (-1) noun."""
    found = []
    for text, e in zip(texts, (e for e, _ in movable), strict=True):
        nouns, _ = parted(text)
        found += [(number_of[text[nouns[which]]] == ("many",)) == bool(e.label)] if nouns else []
    return sum(found) / len(found)


movable = [(e, prefix) for e in task.test if (prefix := cut_up(e.info["prefix"]))[0] == "the"
           and prefix[2:3] and prefix[2] in ("near", "beside", "behind", "in")]
for title, moved in (("as written", False), ("nouns between moved to the front", True)):
    texts = [[(prefix[2:] + prefix[:2] if moved else prefix) + cut_up(e.info[which])[len(prefix) :]
              for e, prefix in movable] for which in ("good", "bad")]
    print(f"{title}: {mb.probe.minimal_pairs(reader, *texts).accuracy:.0%} of {len(movable)}, "
          f"such as: {' '.join(texts[0][0])}")
    print(f"    by rule: the first noun {rule_right(texts[0], 0):.0%}, "
          f"the nearest {rule_right(texts[0], -1):.0%}")

# %% [markdown]
r"""
The reader depends on this order of the words. After the move the first noun tells the verb in only
about half of the sentences, and the noun right before the verb tells it in nearly all. The reader
falls most of the way to the rule of the first noun. So it is more than a list of words, and less
than the rule of a grammar. Minimal pairs can only show what their authors thought of. Over all
draws:

{{findings 09
| the order as written is easier than with the nouns between at the front | agreement.written - agreement.fronted | percent | - |
}}

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
labels_known = sorted({name for row in gold["train"] for name in row})
example = test[typical]
print(" ".join(f"{w}/{r}" for w, r in zip(example.tokens, gold["test"][typical], strict=True)))


def rows(x, labels):
    """(x, y): vectors (words, dim) and numbers of labels; words with labels unknown to training
    are left out."""
    flat = [name for row in labels for name in row]
    kept = [i for i, name in enumerate(flat) if name in labels_known]
    return x[kept], torch.tensor([labels_known.index(flat[i]) for i in kept])


# %% [markdown]
r"""
{{exercise 09.linear_probe}}

Build a probe that can be trusted, in four steps. The check tries one after the other.

1. `standard(x)`: the rows, standardised by `self.mean` and `self.scale`, which `fit` sets.
2. `train(x, y, penalty)`: `W` (dim, labels) and `b` (labels,) with the smallest loss above, from
   zeros, on rows that are standardised already. The bias is free of the penalty. Train **to
   convergence**: a probe that stops early says more about its optimiser than about the states.
   All rows fit into memory, so `torch.optim.LBFGS` is at the goal after some fifty steps. (With
   `line_search_fn="strong_wolfe"` it tries several lengths for each step: no rate to choose.)
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
def score_of(vectors, labels=gold):
    """The share of test words that your probe gets right, from {part: vectors (words, dim)}."""
    given = [rows(vectors[part], labels[part]) for part in ("train", "valid", "test")]
    return LinearProbe(len(labels_known)).fit(*given[0], *given[1]).score(*given[2])


def probed(model, layer, labels=gold):
    """The same, from one layer of a model."""
    return score_of({p: mb.probe.states(model, words[p]).layer(layer) for p in words}, labels)


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

**Static vectors of the neighbours.** But how much context does it take? Give the probe the static
vectors of three words side by side: the one before, the word itself, and the one after. No model
has put anything together there.

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
blank_control = {layer: probed(blank, layer, meaningless) for layer in real}
for layer in real:
    print(f"layer {layer}: relations {real[layer]:.1%}, control task {control[layer]:.1%}, "
          f"selectivity {real[layer] - control[layer]:5.1%}; "
          f"random weights: control task {blank_control[layer]:.1%}")
narrow = torch.randn(192, 64, generator=torch.Generator().manual_seed(0)) / 8
few_columns = {p: mb.probe.states(body, words[p]).layer(0) @ narrow for p in words}
print(f"layer 0, mixed down to 64 columns: control task {score_of(few_columns, meaningless):.1%}")

# %%
table = body.embeddings.word.weight.detach().cpu()  # BERT's own static vectors
pieces = {p: [[tokenizer.encode(word)[0] for word in row] for row in words[p]] for p in words}


def with_neighbours(sentences):
    """The vectors of each word, of the one before it and of the one after: (words, 3 dim)."""
    padded = [F.pad(x, (0, 0, 1, 1)) for x in sentences]  # zeros at both ends
    return torch.cat([torch.cat([x[:-2], x[1:-1], x[2:]], 1) for x in padded])


given = [(mb.probe.states(static, words[p]), gold[p]) for p in ("train", "test")]
usual = mb.probe.baselines(*given)
floors = {"each word's usual relation": usual["most frequent tag"],
          "word2vec": probed(static, 0), "random weights, layer 2": probed(blank, 2),
          "always the same": usual["majority"],
          "neighbours, word2vec":
          score_of({p: with_neighbours(layer_of(static, p, 0)) for p in words}),
          "neighbours, BERT static":
          score_of({p: with_neighbours([table[row] for row in pieces[p]]) for p in words})}
for name, share in floors.items():
    print(f"{name:>27}: {share:.1%}")
print("for comparison, ELMo's layers: "
      + "  ".join(f"{layer}: {probed(elmo, layer):.1%}" for layer in (1, 2)))

# %% tags=["hide-input"]
fig, ax = mb.show.new("Relations from BERT's layers, and what to compare with", "layer",
                      "share of test words right")
ax.plot(list(real), list(real.values()), "o-", label="relations")
ax.plot(list(control), list(control.values()), "s--", label="control task",
        color=mb.show.PALETTE["vermillion"])
ax.plot(list(real), list(blank_control.values()), "^:", color=mb.show.PALETTE["orange"],
        label="control task, random weights")
looks = {"each word's usual relation": ("-.", -3), "word2vec": ("--", -3),
         "neighbours, word2vec": (":", -7), "neighbours, BERT static": ("-", 1)}
for name, (look, lift) in looks.items():
    ax.axhline(floors[name], ls=look, color="#5f5f5f", lw=1.1)
    ax.annotate(f"{name}, {floors[name]:.0%}", (4.1, floors[name]), xytext=(0, lift), fontsize=8,
                textcoords="offset points", color="#3f3f3f", annotation_clip=False)
ax.set_xticks(list(real))
ax.set_xlim(-0.1, 4.05)
ax.set_ylim(0, 1)
ax.legend(loc="lower left", fontsize=9)
mb.show.figure(fig, alt="By layer: " + "; ".join(
    name + " " + ", ".join(f"{v:.0%}" for v in line.values()) for name, line in
    (("relations", real), ("control task", control), ("with random weights", blank_control)))
    + ". Lines: " + ", ".join(f"{name} {floors[name]:.0%}" for name in looks) + ".")

# %% [markdown]
r"""
Much of the first impression is gone: each word's usual relation alone gets most of the way, random
weights nearly as far, and word2vec further. BERT's layers are above all of these. The neighbours
take most of the rest. With word2vec's vectors, which have as many columns together as one state of
BERT, they come close to BERT's best layer. With BERT's own static vectors, three times as many
columns, they are level with it here and slightly above it over five draws (section 5). ELMo is one
to three points above them. So the layers add little to a word and its neighbours. (It may be more
on harder text; this score does not show it.)

And the control task? The probe learns it well from the embeddings. It falls in the first layer,
where the relations rise, and stays low. The selectivity is largest in layer 2, though layer 1 is
best at relations. Is that what any layer does? In a network with random weights the control task
stays near 70 % in all layers, so it is training that made it fall. From BERT's layers the probe
reads *less* of which word it is and *more* of what it does. A high score on the embeddings with a
high score on the control task says the opposite: there, the probe remembers words. (Compare only
vectors of one width. With fewer columns a probe can learn less by heart: the control task falls by
many points when layer 0 is mixed down to 64 columns, though nothing was trained.)

{{exercise 09.claim}}

(Optional.) A paper writes: "A probe with one hidden layer of 1,000 units predicts semantic roles
from the last layer of our model with an accuracy of 94 %. So the model represents semantic roles,
and uses them to understand the sentence." What do you ask the authors for, and what could they
claim at best? Four to six sentences.
"""

# %% [markdown] written="09.claim"
r"""
94 % means nothing without the cheap answers beside it: always the most frequent role, each word's
usual role, static vectors, and a model of the same shape with random weights. A probe with a
thousand hidden units can learn much by itself, so I ask for its score on a control task, for the
result of a linear probe, or for a description length (section 8). The test sentences must be others
than the training ones, and the settings chosen on a third part, with several seeds. If the score
stays well above all of these, the authors may claim that roles can be *read off* the last layer
(linearly, if the linear probe does it). That the model *uses* them does not follow: a probe only
finds what is there. For that they would have to take the roles out of the states, or change them,
and show that the model's own predictions change accordingly, more than after a random change of the
same size.
"""

# %% [markdown]
r"""
## 5. Which layer, which model, which property? (optional)

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
                          "always the same": usual_tag["majority"],
                          "word2vec": by_layer(static, tags_of)[0][0]}}
mb.show.ProbeBench(bench, low, {"BERT": {"relation": control}})

# %% [markdown]
r"""
Choose a property and see the models side by side, or a model and see all that was asked of it.
(The axis runs from the embeddings, 0, to the last layer, 1, whatever a model's depth; the table
counts the layers.) "what is left" subtracts the best baseline. In all three models some layer above
the embeddings tells more of the relations than the embeddings do. In BERT and GPT the last layer
tells less than the best one. A likely reason: there the states are busy with the word that is to be
predicted. The models that read both sides are ahead of GPT at their best layers. Choose *part of
speech* as well: the word itself tells nearly all of it. In BERT and GPT every layer is *below* the
model's own embeddings. Only ELMo gains, a few points.

Over five draws of the sentences, with more models and properties:

{{findings 09
| relations: BERT's best layer beats each word's usual relation | layers.relation_bert_best - layers.relation_usual | percent | - |
| ... and word2vec | layers.relation_bert_best - layers.relation_word2vec_0 | percent | contextual > static |
| ... and random weights of the same shape | layers.relation_bert_best - layers.relation_random_2 | percent | - |
| ... and static vectors of the word and its neighbours | layers.relation_bert_best - layers.relation_near_bert | percent | - |
| ... and word2vec's vectors of the word and its neighbours | layers.relation_bert_best - layers.relation_near_word2vec | percent | - |
| ELMo's best layer beats static vectors of the word and its neighbours | layers.relation_elmo_best - layers.relation_near_bert | percent | - |
| BERT: the best layer beats the last one | layers.relation_bert_best - layers.relation_bert_last | percent | middle layers best |
| BERT: the mix beats the best single layer | layers.relation_bert_mix - layers.relation_bert_best | percent | yes |
| ELMo: the first LSTM layer beats the second | layers.relation_elmo_1 - layers.relation_elmo_2 | percent | yes |
| parts of speech: BERT's mix beats ELMo's | layers.pos_bert_mix - layers.pos_elmo_mix | percent | yes |
| parts of speech: ELMo's mix beats GPT's best layer | layers.pos_elmo_mix - layers.pos_gpt_best | percent | yes |
| parts of speech: BERT's best layer beats its embeddings | layers.pos_bert_best - layers.pos_bert_0 | percent | - |
| parts of speech: ELMo's best layer beats its embeddings | layers.pos_elmo_best - layers.pos_elmo_0 | percent | - |
| the phrase that the word is in (noun phrase, verb phrase, ...): BERT's best layer beats each word's usual phrase | layers.parent_bert_best - layers.parent_usual | percent | - |
| ... and static vectors of the word and its neighbours | layers.parent_bert_best - layers.parent_near_bert | percent | - |
| the phrase around that one: BERT's best layer beats the usual one | layers.grandparent_bert_best - layers.grandparent_usual | percent | - |
| training makes the control task harder in BERT's first layer | control.random_control_1 - control.linear_control_1 | percent | - |
}}

(The papers' column: Liu et al. 2019. "Best" is the best layer above the embeddings on the test
itself, which favours it a little.) Most of the order is the published one. The main exceptions:
ELMo is at least as good as BERT, and for parts of speech BERT's embeddings are better than its
layers. Both models have read the same text.

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
{{exercise 09.tree_probe}}

Section 1 read its tree by one call of the library. Build the probe by hand now: the search finds
$n - 1$ arcs whatever the distances are, and $B$ is the best of many matrices, so you have to know
each step before you can say how much of a score the states have earned.

A sentence is a pair `(h, gold)`: states (n, dim) and distances in the tree (n, n). The probe begins
with the matrix `self.B` (dim, rank). The check tries one step after the other.

1. `distances(x)`: the squared distances after `self.B` between the words of `x` (n, dim), a tensor
   (n, n).
2. `arcs(x, ignored)`: the minimum spanning tree of the words at which `ignored` (a list of n
   booleans) is false. Prim's algorithm begins with one word. Of all pairs of a word inside the tree
   and a word outside, it takes the closest, and goes on until no word is outside. Give a set of
   pairs (smaller position, larger position) in the sentence. Where fewer than two words count, it
   is empty.
3. `fit(batches, valid)`: one `torch.optim.Adam` with the rate `self.rate`, for at most
   `self.epochs` epochs. In each epoch, each batch (a list of sentences) makes one update, on the
   mean of `tree_loss` over its sentences. At the end of the epoch, note the mean of `tree_loss`
   over the sentences of `valid`. Give the list of these validation losses, one for each epoch.
4. `fit` sets `self.B` to the matrix after the epoch with the smallest validation loss. An epoch is
   *better* if its loss is below all losses before it. After each epoch that is not better, halve
   the rate. After `self.patience` such epochs in a row, end.
"""

# %%
class TreeReader:
    """Reads squared distances off the states of a sentence, after B (dim, rank)."""

    def __init__(self, B, rate=1e-3, epochs=40, patience=4):
        self.B, self.rate, self.epochs, self.patience = B.clone(), rate, epochs, patience

    def distances(self, x):
        """Between all words of a sentence (n, dim): (n, n)."""
        found = torch.zeros(len(x), len(x))
        ### BEGIN SOLUTION
        z = x @ self.B
        found = (z[:, None] - z[None, :]).square().sum(-1)
        ### END SOLUTION
        return found


# %%
class SpanningReader(TreeReader):
    """A `TreeReader` that joins the words to a tree."""

    def arcs(self, x, ignored):
        """The minimum spanning tree of the words that are not ignored, a set of pairs."""
        found = set()
        ### BEGIN SOLUTION
        far = self.distances(x).tolist()
        words = [i for i, out in enumerate(ignored) if not out]
        inside, outside = words[:1], words[1:]
        while outside:
            _, i, j = min((far[i][j], i, j) for i in inside for j in outside)
            found.add((min(i, j), max(i, j)))
            inside.append(j)
            outside.remove(j)
        ### END SOLUTION
        return found


# %%
class TreeProbe(SpanningReader):
    """The whole probe."""

    def fit(self, batches, valid):
        """Learn B from batches of sentences (h, gold); gives the validation losses."""
        losses = []
        ### BEGIN SOLUTION
        B = self.B.clone().requires_grad_()
        optimizer = torch.optim.Adam([B], lr=self.rate)
        worse = 0  # epochs in a row
        while len(losses) < self.epochs and worse < self.patience:
            for batch in batches:
                optimizer.zero_grad()
                (sum(tree_loss(h, B, gold) for h, gold in batch) / len(batch)).backward()
                optimizer.step()
            with torch.no_grad():
                losses.append(sum(tree_loss(h, B, gold).item() for h, gold in valid) / len(valid))
            if losses[-1] == min(losses):
                self.B, worse = B.detach().clone(), 0
            else:
                worse += 1
                optimizer.param_groups[0]["lr"] /= 2
        ### END SOLUTION
        return losses


# %%
mb.course.check("09.tree_probe", TreeProbe)

# %%
TreeProbe = mb.course.use("09.tree_probe", TreeProbe)

# %% [markdown]
r"""
Now your probe reads ELMo's first layer, and the same layer of an ELMo with random weights. For
both, the same code finds the arcs, and the same sentences choose the best epoch. *Predict before
you run:* will the random network find more arcs than the chain (each word to the next)?
"""

# %%
far_apart = {part: [torch.from_numpy(mb.probe.tree_distances(one)) for one in trees[part]]
             for part in ("train", "valid")}


def your_arcs(rows):
    """(the arcs that your probe finds in each test sentence, its validation losses)."""
    known = {part: list(zip(rows[part], gold, strict=True)) for part, gold in far_apart.items()}
    random.Random(0).shuffle(known["train"])
    batches = [known["train"][i : i + 16] for i in range(0, len(known["train"]), 16)]
    draw = torch.Generator().manual_seed(0)
    B = 0.1 * (torch.rand(rows["train"][0].shape[1], 32, generator=draw) - 0.5)
    probe = TreeProbe(B, rate=2e-3, epochs=1 if SMOKE else 40)
    losses = probe.fit(batches, known["valid"])
    return [probe.arcs(x, out) for x, out in zip(rows["test"], no_marks, strict=True)], losses


def your_share(rows):
    """The share of the gold arcs that your probe finds."""
    return shares_found(your_arcs(rows)[0])[0]


# %%
yours = {}
for name, model in (("ELMo", elmo), ("untrained ELMo", mb.probe.untrained(elmo))):
    yours[name], told = your_arcs({part: layer_of(model, part, 1) for part in words})
    print(f"{name:>14}: loss {told[0]:.2f}, at best {min(told):.2f} arcs per pair of words "
          f"(epoch {told.index(min(told)) + 1} of {len(told)}); "
          f"arcs found {shares_found(yours[name])[0]:.0%}")
print(f"         chain: arcs found {shares_found(lines)[0]:.0%}")
longer = min(range(len(test)), key=lambda i: (abs(lengths[i] - 17), i))
shown(yours["ELMo"], "A longer sentence, read by your probe", longer)

# %% [markdown]
r"""
The random network finds no more arcs than the chain, the trained one many more. (Look at the
epochs: the random one may not have been trained to the end. But the library's probe does not lift
it above the chain either, over five draws: see the table below.)

Which arcs does your probe get wrong? Some join two words of one part of speech from different
clauses. Is that more than chance? We count the parts of speech of all arcs that your probe found
and the gold tree does not have, and of all other pairs of words without an arc.
"""

# %%
wrong, others = [], []
for i, (gold_one, said) in enumerate(zip(gold_arcs, yours["ELMo"], strict=True)):
    places = [k for k, out in enumerate(no_marks[i]) if not out]
    for a, b in combinations(places, 2):
        if (a, b) not in gold_one:
            (wrong if (a, b) in said else others).append(test[i].pos[a] == test[i].pos[b])
print(f"of one part of speech: {sum(wrong) / len(wrong):.0%} of {len(wrong)} wrong arcs, "
      f"{sum(others) / len(others):.0%} of {len(others):,} other pairs")

# %% [markdown]
r"""
About one wrong arc in five joins words of one part of speech, more than twice the share among the
other pairs. So words that do the same work tend to be close to each other, even where they do not
belong together. And in which layer are
the trees? BERT's embeddings are the sum of a vector for the word and one for its place, so we ask
these two by themselves as well, and a BERT whose weights are random. Your probe reads them all.
"""

# %%
asked_of = {"ELMo": (elmo, [0, 1, 2]), "BERT": (body, [0, 1, 2, 4]),
            "untrained BERT": (blank, [0, 1, 2]), "word2vec": (static, [0])}
tree_shares = {}
for name, (model, numbers) in asked_of.items():
    tree_shares[name] = [your_share({part: layer_of(model, part, n) for part in words})
                         for n in numbers]
    print(f"{name:>15}  " + "  ".join(f"layer {n}: {x:.0%}" for n, x in
                                     zip(numbers, tree_shares[name], strict=True)))
floor_shares = {"each word to the next": shares_found(lines)[0],
                "untrained ELMo": shares_found(yours["untrained ELMo"])[0]}
by_place = body.embeddings.position.weight.detach().cpu()
begins = {p: [torch.tensor([0, *(len(tokenizer.encode(w)) for w in row[:-1])]).cumsum(0) + 1
              for row in words[p]] for p in words}  # where a word's first piece stands
alone = {"BERT's words alone": {p: [table[row] for row in pieces[p]] for p in words},
         "BERT's places alone": {p: [by_place[row] for row in begins[p]] for p in words}}
for name, vectors in alone.items():
    print(f"{name}: {your_share(vectors):.0%}")

# %% tags=["hide-input"]
fig, ax = mb.show.new("Arcs found by the structural probe", "layer", "UUAS")
for (name, by_number), look in zip(tree_shares.items(), ("o-", "s--", "^:", "D"), strict=True):
    ax.plot(asked_of[name][1], by_number, look, label=name)
for (name, share), look in zip(floor_shares.items(), (":", "-."), strict=True):
    ax.axhline(share, ls=look, color="#5f5f5f", lw=1.2, label=name)
ax.set_xticks(range(5))
ax.set_ylim(0, 1)
ax.legend(fontsize=9, ncols=2)
mb.show.figure(fig, alt="UUAS by layer: " + "; ".join(
    name + " " + ", ".join(f"{x:.0%}" for x in some) for name, some in tree_shares.items()))

# %% [markdown]
r"""
word2vec is *below* the chain (each word to the next), since a static vector does not even know
where its word stands. The embeddings of BERT beat the chain, but neither their words nor their
places do it alone, nor do the embeddings of an untrained BERT, which are words and places, too. It
takes both, trained. BERT's first layer adds next to nothing to them, and towards the last layer
the trees fade. So with this probe we see no tree that BERT's *layers* have built. ELMo's
embeddings know no positions, and its first LSTM layer holds the trees best of all. Over five draws,
with the library's probe and 250 sentences to learn from (above: 360):

{{findings 09
| trees: ELMo's first layer beats joining each word to the next | trees.elmo_1 - trees.chain | percent | +28.1 points (ELMo, newspapers) |
| ... and an untrained ELMo | trees.elmo_1 - trees.random_1 | percent | +17.2 points |
| ... and ELMo's letters alone | trees.elmo_1 - trees.elmo_0 | percent | +50.2 points |
| an untrained ELMo beats joining each word to the next | trees.random_1 - trees.chain | percent | - |
| BERT's embeddings beat joining each word to the next | trees.bert_0 - trees.chain | percent | - |
| BERT: the first layer beats the embeddings | trees.bert_1 - trees.bert_0 | percent | - |
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

A probe finds all three more often than always the same answer would, which is right in about 50%,
50% and 80% (here, unlike in the lessons, 0 to 4 nouns between are equally frequent). *Predict
before you run:* we erase one of them at a time. Which erasure hurts the reader's choice of the
verb?
"""

# %%
rows_of = []
for e in task.train[: 60 if SMOKE else 800] + task.test[: 20 if SMOKE else 400]:
    right, wrong = cut_up(e.info["good"]), cut_up(e.info["bad"])
    nouns, end = parted(right)
    if end and right[end] != wrong[end] and nouns and nouns[-1] == end - 1:
        near = int(number_of[right[end - 1]] == ("many",))
        rows_of.append((right, wrong[end], end, e.label, near, int(e.info["attractors"] > 0)))
begun = mb.probe.states(reader, [right[:end] for right, _, end, *_ in rows_of])
last = torch.tensor(begun.lengths).cumsum(0) - 1
H = begun.layer(1)[last]  # (sentences, dim): the state that predicts the verb
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
Which **direction** of the states holds a property? A linear probe of two labels looks along one,
the difference of its two columns of weights. But when that is taken out, a second probe finds the
property again along another, and so on for many directions (Ravfogel et al. 2020). A better one is
the **difference of the class means**, from the mean state of one class to that of the other. Where
the means are equal, no linear probe does better than always the same answer (Belrose et al. 2023).

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

# %% [markdown]
r"""
The nearest noun has the number of the subject in six sentences of ten. So the difference between
its two classes holds some of the subject's number. To leave that alone, we take the difference
among the sentences of each number of the subject, and then the mean of both.
"""

# %%
def between(labels, within=None):
    """The difference of the class means in training (1, dim), the mean over the groups within."""
    y, X = torch.tensor(labels[:cut_at]), H[:cut_at]
    group = torch.tensor((within or [0] * len(labels))[:cut_at])
    apart = [X[(y == 1) & (group == k)].mean(0) - X[(y == 0) & (group == k)].mean(0)
             for k in group.unique()]
    return torch.stack(apart).mean(0, keepdim=True)


def told(labels, states):
    """The share of test sentences of which a new linear probe tells the label."""
    probe = mb.probe.Linear().fit(states[:cut_at], list(labels[:cut_at]))
    return probe.score(states[cut_at:], list(labels[cut_at:]))


# %%
ways = {"subject": between(facts["subject"]),
        "nearest": between(facts["nearest"], within=facts["subject"]),
        "any between": between(facts["any between"])}
erased = {}
for name, direction in ways.items():
    left, labels = erase(H, direction), facts[name]
    free = [max(Counter(labels[cut_at:]).values())]  # right without the property itself
    if name == "nearest":  # by the subject's number, which stays
        free.append(sum(a == b for a, b in zip(labels[cut_at:], facts["subject"][cut_at:],
                                               strict=True)))
    erased[name] = (told(labels, H), told(labels, left), max(free) / len(labels[cut_at:]),
                    verbs_right(left))
    print(f"{name:>12}: probe {erased[name][0]:.0%} -> {erased[name][1]:.0%} (without it "
          f"{erased[name][2]:.0%}), verbs {verbs_right(H):.0%} -> {erased[name][3]:.0%}")

# %%
meaningless_verbs = []
for k in range(10):
    coin = random.Random(k)
    direction = between([coin.randrange(2) for _ in facts["subject"]])
    meaningless_verbs.append(verbs_right(erase(H, direction)))
print(f"ten directions of labels that mean nothing: verbs {min(meaningless_verbs):.0%} "
      f"to {max(meaningless_verbs):.0%}")
careless = erase(H, between(facts["nearest"]))
print(f"nearest noun, not within the subject's number: verbs {verbs_right(careless):.0%}")

# %% tags=["hide-input"]
fig, axes = mb.show.new("A property is erased: the probe and the reader", "erased property",
                        "share right", size=(9.4, 3.6), columns=2)
at = torch.arange(len(erased))
before, after, floor, verbs_after = zip(*erased.values(), strict=True)
for ax, pair in zip(axes, ((before, after), ([verbs_right(H)] * len(erased), verbs_after)),
                    strict=True):
    for shift, values, name in zip((-0.18, 0.18), pair, ("before", "after"), strict=True):
        ax.bar(at + shift, values, 0.34, label=name)
    ax.set_xticks(at, list(erased))
    ax.set_ylim(0, 1.25)
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
axes[0].hlines(floor, at - 0.4, at + 0.4, color="black", ls=":", label="without it")
axes[1].axhspan(min(meaningless_verbs), max(meaningless_verbs), color="#7f7f7f", alpha=0.35,
                label="ten random labels")
for ax, name in zip(axes, ("a new probe of the property", "the reader's own verbs"), strict=True):
    ax.set_title(name, fontsize=10)
    ax.legend(fontsize=8, loc="upper center", ncols=3)
mb.show.figure(fig, alt="Bars before and after an erasure, probe and verbs: " + "; ".join(
    f"{name}: probe {a:.0%} to {b:.0%}, verbs {verbs_right(H):.0%} to {d:.0%}"
    for name, (a, b, _, d) in erased.items()) + ".")

# %% [markdown]
r"""
All three properties can be read off the same vector. Each is gone after *one* direction: a new
probe does no better than one can without the property, by always the same answer, or for the
nearest noun by the subject's number (the dotted lines). (For the nearest noun the new probe is
even below the dotted line. The subject's number is still there as a weak hint, but this probe does
not make use of it.) But only one of the three is clearly used. Without the subject's number,
the reader's verbs are a coin. Without the other two, it chooses as before, and so it does after
ten directions that mean nothing. A probe alone could not have told these cases apart.

The last printed line shows how easily this goes wrong. Take the difference for the nearest noun
over all sentences, and the verbs suffer, because the direction holds some of the subject's number
too. Over all draws of lessons and reader:

{{findings 09
| without the subject's number the verbs are worse | agreement.erased_verbs_whole - agreement.erased_verbs_subject | percent | - |
| ... worse than without a direction that means nothing | agreement.erased_verbs_random - agreement.erased_verbs_subject | percent | - |
| without the nearest noun's number the verbs are worse | agreement.erased_verbs_whole - agreement.erased_verbs_nearest | percent | - |
| without "any noun between" the verbs are worse | agreement.erased_verbs_whole - agreement.erased_verbs_any_between | percent | - |
}}

Here the changed state goes straight to the output. Within a deep model the same is done by
`mb.probe.changed(model, layer, tokens=..., value=...)`: while the context lasts, the layers above
read what you have put in (chapter 08).
"""

# %% [markdown]
r"""
## 8. The papers' claims, measured here (optional)

**Error rises with attractors.** Linzen et al. found it on Wikipedia. Here it is seen in readers
that have had little practice, and in the words that go together. With much practice the difference
is about half as large. "Brackets" is a reader of the same sentences in which the subject stands in
brackets, so that its end is marked: Kuncoro et al. (2018) found that models which are given the
syntax of a sentence agree better. Our readers show the reverse. After as many updates half of
those with brackets are right in {{finding 09 agreement.bracketed median .0%}} or less, and the
best in {{finding 09 agreement.bracketed max .0%}}. Perhaps they have not learned long enough: the
sentences are longer, and the updates as many.

{{findings 09
| the reader beats the trigram of its lessons | agreement.reader - agreement.trigram | percent | - |
| ... and the rule of the nearest noun | agreement.reader - agreement.nearest | percent | - |
| little practice: no misleading noun is easier than two | agreement.few_0 - agreement.few_2 | percent | yes (Linzen et al.) |
| much practice: no misleading noun is easier than two | agreement.reader_0 - agreement.reader_2 | percent | yes (Linzen et al.) |
| words that go together: none is easier than two | agreement.company_0 - agreement.company_2 | percent | - |
| four times the text helps | agreement.reader - agreement.few | percent | yes |
| pre-trained BERT: no misleading noun is easier than one | asked.bert_0 - asked.bert_1 | percent | - |
| pre-trained GPT: no misleading noun is easier than one | asked.gpt_0 - asked.gpt_1 | percent | - |
| brackets around the subject help | agreement.bracketed - agreement.reader | percent | yes (Kuncoro et al.) |
}}

**Control tasks deflate.** The experiment `control` has a linear probe and one with a hidden layer
of 256 units (an MLP, a multilayer perceptron) on BERT's layers, for relations and for random
labels of words. Beside it stands another answer to the same worry, the **minimum description
length** (Voita & Titov 2020): how many bits does it take to send the labels to somebody who has
the states? The probe is trained on ever more of the rows, and each time it codes the next ones. A
property that is hard to learn costs bits, even if the probe learns it in the end. On BERT's
embeddings the code is
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
| ... and BERT's embeddings | pairs.arcs_elmo_best - pairs.arcs_bert_0 | percent | - |
| roles: ELMo's best layer beats word2vec | pairs.roles_elmo_best - pairs.roles_word2vec_0 | percent | - |
| roles: BERT's best layer beats word2vec | pairs.roles_bert_best - pairs.roles_word2vec_0 | percent | - |
| ... and BERT's embeddings | pairs.roles_bert_best - pairs.roles_bert_0 | percent | - |
| coreference: BERT's best layer beats random weights | pairs.coreference_pairs_bert_best - pairs.coreference_pairs_random_2 | percent | - |
| coreference: BERT's best layer is above chance | pairs.coreference_pairs_bert_best - 0.5 | percent | - |
}}

**Whole sentences.** The mean of the word states of a layer, asked seven questions after Conneau et
al. (2018), of which five are shown:

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
The model is MiniLM (6 layers of 384, distilled from a model of BERT's size and then trained on
pairs of sentences).

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
    true = mb.probe.spanning_tree(mb.probe.tree_distances(heads[1][one]), out[one])
    said = mb.probe.spanning_tree(english_probe.distances(rows_of_layer[1][one]), out[one])
    fig, ax = mb.show.new("A sentence of UD EWT, read off MiniLM's second layer",
                          "word", "gold above, found below", size=(9.4, 3.6))
    draw_tree(ax, english[1][one].tokens, true, said)
    mb.show.figure(fig, alt=f"Arcs above and below the words of: {english[1][one].text} Of "
                   f"{len(true)} arcs, {len(true & said)} were found.")

# %% [markdown]
r"""
The published shape: parts of speech are read best from layers in the middle, here 2 and 3 of 6. The
embeddings know the word, and the last layer has been trained for something else, the meaning of
whole sentences. And the second layer holds more of the tree than the order of the words tells.
(Where the data are
missing, one line above says so, and nothing was computed.)

**BLiMP.** Twenty pairs of each of its 67 sets (Warstadt et al. 2020), scored as in section 2. This
is one run, since nothing is drawn: no seed, no interval. The n-gram models have counted {{finding
09 blimp.tokens mean ,.0f}} tokens of Wikipedia; the 5-gram knows the 6,000 most frequent words
only, because five of them have to fit into 64 bits. MiniLM is missing because it has no
language-model head. The columns "English" are the bundled `minibert-gpt-english` and
`minibert-bert-english`. A coin gets 50 %. A row has 20 pairs for each of its sets, so a row of 40
pairs may be off by fifteen points and the last row (1,340 pairs) by three. (*s-selection*: what a
verb demands of the meaning of its nouns, as *eat* does of the eater. *npi licensing*: negative
polarity items, words such as *any* and *ever*, need a negation or a question.)

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

Over all, the small English GPT is a few points above the n-gram models, and SmolLM2 far above. But
on islands, *s-selection* and *npi licensing* even SmolLM2 is no better than the better one of them.
"""

# %% [markdown]
r"""
## 10. Summary

- **Behaviour** (minimal pairs) shows what a model does, **states** (probes) show what can be read
  off them. These are two different questions.
- A score of sentences must give nothing away: score the first token too, hide the later pieces of
  the same word, and count no ties.
- The controls of behaviour: misleading nouns, nonsense in which words no longer go together,
  another order of the words, and a model that cannot know (a trigram, a list of words).
- The controls of probes: each word's usual label, static vectors of the word and of its neighbours,
  random weights, and labels that mean nothing. Only a score above all of them is a finding.
- {{claim 09 agreement.reader_nonsense agreement.company_nonsense | On nonsense, a small LSTM that has practised agreement beats a list of words that go together | percent}}
- {{claim 09 trees.elmo_1 trees.random_1 | Dependency trees can be read off ELMo's distances, better than off random weights | percent}}
- A model need not use what a probe can read. Erase the property, and watch the model:
  {{claim 09 agreement.erased_verbs_random agreement.erased_verbs_subject | the reader needs the subject's number for its verbs | percent}}

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
[arXiv:2004.07667](https://arxiv.org/abs/2004.07667). Belrose et al. (2023), *LEACE: Perfect linear
concept erasure in closed form*, [arXiv:2306.03819](https://arxiv.org/abs/2306.03819).
"""
