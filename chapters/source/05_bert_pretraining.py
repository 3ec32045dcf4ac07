# ---
# jupyter:
#   minibert:
#     title: "BERT: pre-training"
#     question: What does a model learn from filling in the words we hide from it?
#     minutes: 90
#     seconds: 150
#     memory_mb: 1200
#     needs: ["chapter 04 (attention, the Transformer's block)", "chapter 02 (why both sides matter)"]
#     skip: "what is marked optional: sections 5 and 9 to 11, the exercises 05.wordpiece, 05.embed and 05.choose, whole words in section 4, and facts in section 8 (together about 75 minutes)"
#     papers:
#       - "Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers, arXiv:1810.04805"
#       - "Wu et al. (2016), Google's Neural Machine Translation System (word pieces), arXiv:1609.08144"
# ---

# %% [markdown]
r"""
# 05 · BERT: what does a model learn from filling in the words we hide from it?

{{head}}

*The [...] barked at the postman.* You filled the gap at once, and the word that helped you,
*barked*, stands to the **right** of the gap. The language models of the earlier chapters could not
have used it. Those of chapters 02 and 03 read in one direction. ELMo runs two of them, but they
never meet below the last layer, so no layer sees both sides of a word at once.

A network of blocks from chapter 04, without a causal mask, sees both sides in every layer. But it
cannot be trained to predict the next word, because the next word is in its input. Devlin et al.
(2019) took up an old exercise from school, the cloze test: hide some words, and let the network
guess them.

You will learn how BERT reads text, hide words as it does, write its loss, pre-train a small BERT
by a loop of your own, and see what reading both sides is worth.
"""

# %%
import itertools
import math
import random
import textwrap
import time
from collections import Counter, defaultdict

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. The answer first

We take sentences that are not in the counters' text (the networks have read more text, and may
know some), hide one word in each, and ask who can name it. All are asked for the **same word**, and
they read the same sentence up to one difference: some may use both sides of the gap, and some only
what comes before it.

- `minibert-bert` is this chapter's model, already trained, on twelve million words. It reads both
  sides.
- `minibert-gpt` (chapter 07) was trained on the same kind of text to predict the next word. It
  reads the left side only.
- Counting, on three hundred thousand words, is the cheapest baseline. It names the word that most
  often stood between the two words before and the two words after the gap (both sides), or after
  the three words before it (left). If its text never has these words together, it **backs off**: it
  asks again with fewer words.

We ask twice: with the sentence alone, and with the sentence before it as well.
"""

# %%
from minibert.show.cloze import gapped, guesses
from minibert.text.tokens import detokenise

bert = mb.heads.Pretraining.from_pretrained("minibert-bert").eval()
gpt = mb.GPT.from_pretrained("minibert-gpt").eval()


def pieces_after(left, word):
    """The pieces that the left-to-right model needs for a word after a text."""
    before = gpt.tokenizer.encode(left)
    whole = gpt.tokenizer.encode(f"{left} {word}")
    return whole[len(before) :] if whole[: len(before)] == before else []


# %%
def gaps(corpus, count):
    """(first sentence, second sentence, position of a gap in the second), sentences as words.

    The hidden word is a single piece for both models, and it is not the first of its sentence.
    """
    draw, found = random.Random(0), []
    for document in corpus.documents:
        for first, second in zip(document.sentences, document.sentences[1:], strict=False):
            first, second = list(first.tokens), list(second.tokens)
            if len(second) < 5:
                continue
            position = draw.randrange(1, len(second) - 1)
            word, left = second[position], second[:position]
            lefts = detokenise(left), detokenise(first + left)
            pieces = [len(bert.encoder.tokenizer.encode(word))]
            pieces += [len(pieces_after(text, word)) for text in lefts]
            if word.isalpha() and pieces == [1, 1, 1]:
                found.append((first, second, position))
    return draw.sample(found, min(count, len(found)))


# %%
unread = mb.world.generate(tokens=4_000 if SMOKE else 30_000, seed=10_000)
read = mb.world.generate(tokens=10_000 if SMOKE else 300_000, seed=1)  # the counters' text
heard = {" ".join(sentence).lower() for sentence in read.sentences()}
asked = [gap for gap in gaps(unread, 600) if " ".join(gap[1]).lower() not in heard]
asked = asked[: 20 if SMOKE else 300]
stream = [token.lower() for sentence in read.sentences() for token in sentence]
WIDTHS = {"both": ((2, 2), (2, 1), (1, 2), (1, 1), (2, 0), (1, 0)), "left": ((3, 0), (2, 0), (1, 0))}


def around(text, i, left, right):
    """The words before and after a position, so many of each."""
    return (*text[max(i - left, 0) : i], "[...]", *text[i + 1 : i + 1 + right])


def most_frequent(left, right):
    """For all words that stood around a position: the word that stood there most often."""
    seen = defaultdict(Counter)
    for i in range(left, len(stream) - right):
        seen[around(stream, i, left, right)][stream[i]] += 1
    return {words: there.most_common(1)[0][0] for words, there in seen.items()}


# %%
counted = {width: most_frequent(*width) for widths in WIDTHS.values() for width in widths}


def by_counting(text, i, side):
    """The most frequent word at a position, by the widest context that the counters have seen."""
    found = (counted[width].get(around(text, i, *width)) for width in WIDTHS[side])
    return next(filter(None, found), "the")


print(f"{len(asked)} gaps; the first: {gapped(*asked[0][1:])}")

# %%
@torch.no_grad()
def answers(words, position):
    """What each of the four says, in lower case."""
    low = [".", *(word.lower() for word in words)]  # one position more on the left
    left = detokenise(words[:position])
    ids = torch.tensor([gpt.tokenizer.encode(left)], device=next(gpt.parameters()).device)
    piece = int(gpt.logits(gpt(ids).last_hidden_state[0, -1]).argmax())
    return {
        "BERT, both sides": guesses(bert, gapped(words, position)).best(1)[0][0].lower(),
        "GPT, left only": gpt.tokenizer.decode([piece]).strip().lower(),
        "counting, both sides": by_counting(low, position + 1, "both"),
        "counting, left only": by_counting(low, position + 1, "left"),
    }


alone = [answers(second, position) for _, second, position in asked]
longer = [answers(first + second, len(first) + position) for first, second, position in asked]
truth = [second[position].lower() for _, second, position in asked]


def named(said):
    """Share of the words that each of the four names right."""
    pairs = list(zip(said, truth, strict=True))
    return {name: sum(row[name] == word for row, word in pairs) / len(pairs) for name in said[0]}


# %% [markdown]
r"""
*Predict before you run:* in how many of a hundred gaps is each of the four right? And which helps
more: a network instead of counting, or two sides instead of one?
"""

# %%
right = {"the sentence alone": named(alone), "with the sentence before": named(longer)}
fig, axes = mb.show.new("The same hidden word, four ways to guess it", size=(8.4, 3), columns=2)
for ax, (title, shares) in zip(axes, right.items(), strict=True):
    names = list(shares)[::-1]
    colours = [mb.show.PALETTE["blue" if "both" in name else "orange"] for name in names]
    ax.barh(names, [shares[name] for name in names], color=colours,
            hatch=["//" if "left" in name else "" for name in names], edgecolor="white")
    for row, name in enumerate(names):
        ax.annotate(f"{shares[name]:.0%}", (shares[name], row), xytext=(4, -4),
                    textcoords="offset points")
    ax.set(xlim=(0, 1), title=title, xlabel="share named right")
told = [f"{title}: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        for title, shares in right.items()]
mb.show.figure(fig, alt="Bars, share of hidden words named. " + ". ".join(told) + ".")

# %%
for (_, words, position), row in list(zip(asked, alone, strict=True))[:5]:
    left, both = row["GPT, left only"], row["BERT, both sides"]
    print(f"{textwrap.shorten(gapped(words, position), 88)}\n   {words[position]}: BERT {both}, GPT {left}")

# %% [markdown]
r"""
Begin with the left panel. The second side helps the counter and the network alike. In the right
panel the left side is longer, and GPT makes up for what it does not see; the counters look no
further than before.

Do not read too much into BERT's lead over counting: it has read forty times as much text. A counter
with both sides and ten times the text comes close to BERT (put 3,000,000 in place of 300,000; it
takes a few minutes). Nor were the two networks trained in quite the same way. Section 9 makes both
comparisons fair: there, networks and counters read the same text.

So what does a model learn from filling in the words we hide? Whatever helps to name them: which
words go together, which verb form a noun wants, what kind of word fits in a gap, and,
weakly, some facts of the world (section 8). The rest of the chapter builds such a model.

## 2. Words in pieces

Before anything is hidden, text must become numbers. A vocabulary of whole words is huge and still
lacks some; single letters make sequences long. **WordPiece** lies between: a frequent word is one
piece, a rare word is several. A piece that continues a word is written with `##`.

**Learning the pieces.** Start with single characters. Count how often two pieces occur side by side
in the words, merge the most frequent pair into a new piece, and repeat. (The first word pieces, of
Schuster & Nakajima 2012, took the pair that made the text most probable. The program that learned
BERT's own was never published; counting is the simplest rule.) By hand, on five words:
"""

# %%
counts = {"low": 5, "lower": 2, "newest": 6, "widest": 3, "new": 4}
spelled = {word: [word[0], *("##" + letter for letter in word[1:])] for word in counts}
for _ in range(5):
    pairs = Counter()
    for word, pieces in spelled.items():
        for pair in zip(pieces, pieces[1:], strict=False):
            pairs[pair] += counts[word]
    (left, right), times = max(pairs.items(), key=lambda item: item[1])
    joined = left + right.removeprefix("##")
    print(f"{left} + {right} -> {joined}   ({times} times)")
    for pieces in spelled.values():
        for i in range(len(pieces) - 1, 0, -1):
            if pieces[i - 1 : i + 1] == [left, right]:
                pieces[i - 1 : i + 1] = [joined]

# %% tags=["nbval-check-output"]
text = " ".join(" ".join([word] * times) for word, times in counts.items())
learned = mb.text.WordPiece.train([text], size=100, min_count=4)
assert "new" in learned and "##est" in learned
print("new" in learned, "##est" in learned, [learned.tokens[i] for i in learned.encode("newest lower")])

# %% [markdown]
r"""
The library finds the same pieces (`min_count`: it stops at pairs seen fewer than four times). It
updates the counts after each merge instead of counting again, so a million words take seconds.

**Cutting a word.** The merges are not needed any more. A word is cut from the left: take the
longest piece in the vocabulary that fits, then continue after it. WordPiece never goes back: if
nothing fits at some position, the whole word becomes `[UNK]`.

Now to our own text. A minute of training is short, so this chapter's model reads match reports
only, which are about few things. Nine hundred pieces hold most words of the reports whole. Words
that are rare or missing there are cut. Capitals become lower case first: the vocabulary is
*uncased*.
"""

# %%
corpus = mb.world.generate(tokens=20_000 if SMOKE else 200_000, seed=0, kinds=["match"])
texts = [document.lines() for document in corpus.documents]  # documents, lists of sentences
start = time.time()
tokenizer = mb.text.WordPiece.train((line for lines in texts for line in lines), 900)
print(f"{tokenizer} learned in {time.time() - start:.1f} s")
examples = ["goal", "Thursday", "postman", "unkindness", "xylophonist"]
for word in examples:
    print(f"{word:>12}: {' '.join(tokenizer.tokens[i] for i in tokenizer.encode(word))}")

# %% [markdown]
r"""
{{exercise 05.wordpiece}}

(Optional.) Write `wordpiece(word, pieces)`: `pieces` is a set of strings, and the answer is a list
of them.
"""

# %%
def wordpiece(word, pieces):
    """The pieces of one word, the longest first, or ['[UNK]'] if at some position none fits."""
    found = []
    ### BEGIN SOLUTION
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            if mark + word[start:end] in pieces:
                found.append(mark + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    ### END SOLUTION
    return found


# %%
mb.course.check("05.wordpiece", wordpiece)

# %%
wordpiece = mb.course.use("05.wordpiece", wordpiece)

# %%
for word in examples:
    mine = wordpiece(word.lower(), set(tokenizer.tokens))
    assert mine == [tokenizer.tokens[i] for i in tokenizer.encode(word)], (word, mine)
print("this function cuts all five words as the library does")

# %% [markdown]
r"""
## 3. What BERT reads

One text, or two: `[CLS] a [SEP] b [SEP]`. The state of `[CLS]` will stand for the whole input, and
`[SEP]` ends a text. Each token becomes the **sum of three vectors** (figure 2 of the paper): which
token it is, at which position it stands, and which of the two texts it belongs to (its **segment**,
`token_type_ids`). A LayerNorm follows. The picture shows the input of one pair.
"""

# %%
fig, ax = mb.show.new("The input of BERT is a sum of three vectors", size=(7.6, 3.4))
ax.set_axis_off()
tokens = "[CLS] the dog bark ##ed [SEP] it slept [SEP]".split()
rows = {"token": tokens, "position": range(9), "segment": ["A"] * 6 + ["B"] * 3}
colours = {"token": "#9fd0f0", "position": "#f6d9a0", "segment": "#c9e7c9"}
box = {"boxstyle": "round,pad=0.35", "edgecolor": "#5f5f5f"}
for y, (name, values) in zip((2, 1, 0), rows.items(), strict=True):
    ax.text(-1.1, y, f"{name}\nvector", ha="center", va="center", fontsize=10)
    for x, value in enumerate(values):
        label = str(value) if name == "token" else f"${name[0]}_{{{value}}}$"
        ax.text(x, y, label, ha="center", va="center", fontsize=9.5,
                bbox={**box, "facecolor": colours[name]})
        if y:
            ax.text(x, y - 0.5, "+", ha="center", va="center")
        else:
            ax.annotate("", (x, -0.85), (x, -0.35), arrowprops={"arrowstyle": "->"})
ax.text(4, -1.15, "LayerNorm, then blocks of attention without a causal mask", ha="center",
        bbox={**box, "facecolor": "#eeeeee"})
ax.set(xlim=(-1.7, 8.6), ylim=(-1.5, 2.5))
mb.show.figure(fig, alt="Nine tokens of a pair of texts; below each token vector stand its position "
               "vector and its segment vector, A or B, with plus signs; arrows lead to a LayerNorm.")

# %% [markdown]
r"""
As ids, a pair looks like this:
"""

# %% tags=["nbval-check-output"]
pair = learned.pair("low newest", "wider")
for name, ids in pair.items():
    print(f"{name:>15}: {ids}")
print(f"{'tokens':>15}: {' '.join(learned.tokens[i] for i in pair['input_ids'])}")

# %%
config = mb.BERTConfig(len(tokenizer), dim=32, layers=2, heads=2, hidden=128, max_length=64)
small = mb.BERT(config, tokenizer).eval()
for name in ("word", "position", "segment"):
    print(f"{name:>8}: {tuple(getattr(small.embeddings, name).weight.shape)}  (rows, dim)")

# %% [markdown]
r"""
A small BERT has one row for each of its pieces, one for each of 64 positions, and two for the
segments.

{{exercise 05.embed}}

(Optional.) Write the sum. `ids` and `segments` have the shape (batch, length). `words` (V, dim),
`positions` (longest, dim) and `kinds` (2, dim) are the three tables. The LayerNorm has no weights
here: it makes mean 0 and variance 1 for every token (`eps` is `1e-12`).
"""

# %%
def embed(ids, segments, words, positions, kinds):
    """What the first block reads, (batch, length, dim)."""
    x = None
    ### BEGIN SOLUTION
    length = ids.shape[1]
    x = words[ids] + positions[:length] + kinds[segments]  # (batch, length, dim)
    x = F.layer_norm(x, x.shape[-1:], eps=1e-12)
    ### END SOLUTION
    return x


# %%
mb.course.check("05.embed", embed)

# %%
embed = mb.course.use("05.embed", embed)

# %%
pair = tokenizer.pair("The goalkeeper fell.", "It was late.")
ids, segments = torch.tensor([pair["input_ids"]]), torch.tensor([pair["token_type_ids"]])
tables = small.embeddings
positions = tables.position(torch.arange(64))  # (longest, dim)
x = embed(ids, segments, tables.word.weight, positions, tables.segment.weight)
library = small(ids, token_type_ids=segments).hidden_states[0]  # (1, length, dim)
assert torch.allclose(x, library, atol=1e-5)
print("this function and the library agree on all", x.numel(), "numbers")

# %% [markdown]
r"""
Everything above these vectors comes from chapter 04: blocks of attention and feed-forward layers,
without a causal mask, and with the norm after the residual sum.

## 4. The first task: masked words

15 % of the tokens are **chosen**: the model will be asked for them. It would be simplest to replace
all of them by `[MASK]`. But then the model would learn that every *other* token needs no thought.
And later, in use, it would meet texts of a kind that it has never seen: texts without any `[MASK]`.
So, of the chosen tokens,

- 80 % become `[MASK]`,
- 10 % become a random word,
- 10 % stay as they are,

and the model has to predict all of them. Where it reads `[MASK]` it knows that it will be asked.
Where it reads a word, it cannot know: the word may be one that was not chosen, one that was chosen
and kept, or a random one. So it has to keep a useful state for every word.
"""

# %%
fig, ax = mb.show.new("Chosen, hidden, and asked for", size=(7.6, 3.2))
ax.set_axis_off()
text = "the keeper saved a late shot from the left".split()
seen = "the [MASK] saved a late goal from the left".split()
fates = {1: "80 %: [MASK]", 5: "10 %: a random word", 8: "10 %: kept"}
box = {"boxstyle": "round,pad=0.35", "edgecolor": "#5f5f5f"}
rows = {"text": (2, text), "the model\nsees": (1, seen),
        "labels": (0, [text[x] if x in fates else "-100" for x in range(9)])}
for name, (y, words) in rows.items():
    ax.text(-1.1, y, name, ha="center", va="center", fontsize=10)
    for x, word in enumerate(words):
        face = "white" if x not in fates else "#f6d9a0" if y != 1 or x == 8 else "#9fd0f0"
        ax.text(x, y, word, ha="center", va="center", fontsize=9.5, bbox={**box, "facecolor": face})
for x, fate in fates.items():
    ax.annotate("", (x, 1.25), (x, 1.75), arrowprops={"arrowstyle": "->"})
    ax.text(x, 2.5, fate, ha="center", fontsize=9.5)
ax.set(xlim=(-1.7, 8.8), ylim=(-0.5, 2.9))
mb.show.figure(fig, alt="Three rows: a text, what the model sees, and the labels. Of three chosen "
               "words one becomes [MASK], one a random word, one stays; all three have a label.")

# %% [markdown]
r"""
In the picture *keeper*, *shot* and the last *left* are chosen. The third row holds the labels: the
words to predict, and -100 wherever the model is not asked.

{{exercise 05.choose}}

(Optional.) First choose the positions. (As in earlier chapters, the cell after a check binds your
function by `mb.course.use` if it passes, and the library's version if it does not.)

`maskable` (batch, length) is True where a word may be chosen: not at `[CLS]`, `[SEP]` and padding.
`noise` (batch, length) is uniform in [0, 1). In each row with $n$ maskable positions, choose the
$\max(1, \mathrm{round}(\mathtt{share} \cdot n))$ positions with the lowest noise, and none in a row
without any. Return a tensor of bool, as `maskable` is.
"""

# %%
def choose(maskable, noise, share=0.15):
    """True where a word is chosen, (batch, length)."""
    chosen = None
    ### BEGIN SOLUTION
    number = maskable.sum(1, keepdim=True)  # (batch, 1)
    quota = (share * number).round().clamp(min=1)
    noise = noise.masked_fill(~maskable, 2.0)  # a copy: what cannot be chosen comes last
    rank = noise.argsort(1).argsort(1)  # 0 for the lowest noise of a row
    chosen = (rank < quota) & maskable
    ### END SOLUTION
    return chosen


# %%
mb.course.check("05.choose", choose)

# %%
choose = mb.course.use("05.choose", choose)

# %% [markdown]
r"""
{{exercise 05.mask}}

`ids`, `chosen` (bool), `fate` (uniform in [0, 1)) and `drawn` (random words) all have the shape
`(batch, length)`. Return what the model sees, and the labels: the word that stood there where it
was chosen, and -100 elsewhere. Where a word was chosen, `fate` below 0.8 means `[MASK]`, and from
there to below 0.9 a random word.
"""

# %%
def hide(ids, chosen, fate, drawn, mask_id):
    """(what the model sees, labels), both (batch, length)."""
    seen, labels = ids.clone(), torch.full_like(ids, -100)
    ### BEGIN SOLUTION
    labels = torch.where(chosen, ids, -100)
    seen = torch.where(chosen & (fate < 0.8), mask_id, ids)
    seen = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), drawn, seen)
    ### END SOLUTION
    return seen, labels


# %%
mb.course.check("05.mask", hide)

# %%
hide = mb.course.use("05.mask", hide)

# %% [markdown]
r"""
Now your two functions make the batches of this chapter. `WholeTexts` takes the library's batches
and puts the hidden words back. `MyBatches` hides words again, with `choose` and `hide`. Each epoch
draws new positions. (Liu et al. 2019 report that BERT's own program masked ten copies of the text
in advance, and find that drawing new positions is as good or slightly better.)
"""

# %%
special = torch.tensor(sorted(tokenizer.special_ids))
first_word = len(special)  # the special tokens come first in this vocabulary


class WholeTexts(mb.text.PretrainingBatches):
    """The library's batches with no word hidden, and where a word may be hidden."""

    def collate(self, entry, rng):
        batch = super().collate(entry, rng)
        labels = batch.pop("labels")
        batch["input_ids"] = torch.where(labels >= 0, labels, batch["input_ids"])  # the text
        batch["maskable"] = ~torch.isin(batch["input_ids"], special)
        return batch


class MyBatches(WholeTexts):
    """The same, masked by the functions above."""

    def collate(self, entry, rng):
        batch = super().collate(entry, rng)
        ids = batch["input_ids"]  # (batch, length)
        noise, fate = torch.from_numpy(rng.random((2, *ids.shape)))
        drawn = torch.from_numpy(rng.integers(first_word, len(tokenizer), ids.shape))
        chosen = choose(batch["maskable"], noise)
        batch["input_ids"], batch["labels"] = hide(ids, chosen, fate, drawn, tokenizer.mask_id)
        return batch


# %%
documents = mb.text.Documents(texts, tokenizer)
batches = MyBatches(documents, tokenizer, batch_size=32, max_length=64, seed=0)
batch = next(iter(batches.of_epoch(0)))
seen, labels = batch["input_ids"][0], batch["labels"][0]
for position in range(18):
    answer = "" if labels[position] < 0 else f"<- {tokenizer.tokens[labels[position]]}"
    print(f"{position:>3} {tokenizer.tokens[seen[position]]:>12} {answer}")

# %%
def rates(batches, count):
    """Shares of what happens to the chosen tokens, over some batches."""
    fate = Counter()
    for batch, _ in zip(batches.of_epoch(0), range(count), strict=False):
        wanted = batch["labels"] >= 0
        seen, was = batch["input_ids"][wanted], batch["labels"][wanted]
        fate["tokens"] += int(batch["attention_mask"].sum())
        fate["chosen"] += len(was)
        fate["[MASK]"] += int((seen == tokenizer.mask_id).sum())
        fate["kept"] += int((seen == was).sum())
    return fate


fate = rates(batches, 50)
print(f"chosen: {fate['chosen'] / fate['tokens']:.1%} of all tokens ([CLS] and [SEP] among them)")
for kind in ("[MASK]", "kept"):
    print(f"{kind}: {fate[kind] / fate['chosen']:.1%} of the chosen")

# %% [markdown]
r"""
**Whole words (optional).** If `##ness` is hidden and *unkind* is before it, the guess is too
easy. With `whole_words=True` the library chooses all pieces of a word or none (the authors did so
in later models). How many of the chosen tokens belong to a word that has another, readable piece?
"""

# %%
def half_read(batches, count=30):
    """Share of the chosen tokens whose word has another piece that was not chosen."""
    halves = total = 0
    continues = torch.from_numpy(tokenizer.continues)
    for batch, _ in zip(batches.of_epoch(0), range(count), strict=False):
        chosen = batch["labels"] >= 0
        was = torch.where(chosen, batch["labels"], batch["input_ids"])
        word = (~continues[was]).cumsum(1)  # (batch, length): number of the word
        for row, some in zip(word, chosen, strict=True):
            shown = set(row[~some].tolist())
            halves += sum(number in shown for number in row[some].tolist())
            total += int(some.sum())
    return halves / total


whole = mb.text.PretrainingBatches(documents, tokenizer, 32, 64, whole_words=True)
print(f"pieces: {half_read(batches):.1%}   whole words: {half_read(whole):.1%}")

# %% [markdown]
r"""
(The few that remain come from texts that begin within a word: the count joins their first piece to
the `[SEP]` before it.)
"""

# %% [markdown]
r"""
**The loss** is the cross-entropy at the chosen positions, and at no other. Small **output layers**
on top of the network turn states into scores: a linear layer, GELU (a smoother $\max(0, x)$) and
LayerNorm, and then the table of word vectors once more, transposed:

$$
\ell = -\frac{1}{|M|} \sum_{i \in M} \log \mathrm{softmax}\big(E\, h_i + b\big)_{w_i}
$$

$M$ are the chosen positions, $h_i$ `(dim,)` is the state before the last layer at position $i$, $E$
`(V, dim)` the table, $b$ `(V,)` a bias, and $w_i$ the word that stood there. Where the model is not
asked, the product with $E$ is not needed: with 15 % chosen, that saves six of seven rows of the
largest matrix product of the model.

{{exercise 05.mlm_loss}}

`hidden` is (batch, length, dim), `table` (V, dim), `bias` (V,), and `labels` (batch, length), with
-100 where the model is not asked. Return the mean over all positions where it is asked. The network
will be trained with it, so gradients must be able to flow back.
"""

# %%
def mlm_loss(hidden, table, bias, labels):
    """The mean cross-entropy at the chosen positions, a scalar tensor in nats."""
    loss = torch.tensor(0.0)
    ### BEGIN SOLUTION
    wanted = labels != -100  # (batch, length)
    logits = hidden[wanted] @ table.T + bias  # (n, dim) @ (dim, V) -> (n, V)
    loss = F.cross_entropy(logits, labels[wanted])
    ### END SOLUTION
    return loss


# %%
mb.course.check("05.mlm_loss", mlm_loss)

# %%
mlm_loss = mb.course.use("05.mlm_loss", mlm_loss)

# %%
masked_lm = mb.heads.MaskedLM(small)
given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
with torch.no_grad():
    hidden = masked_lm.output.transform(small(**given).last_hidden_state)  # (batch, length, dim)
    bias = masked_lm.output.decoder.bias
    mine = mlm_loss(hidden, small.embeddings.word.weight, bias, batch["labels"])
    total, count = masked_lm.loss(batch)
print(f"this function {mine:.5f}   library {total / count:.5f}   positions {count}")
assert abs(float(mine) - float(total) / count) < 1e-4

# %% [markdown]
r"""
## 5. Find the bug (optional)

The number of chosen tokens differs from text to text. Some programs therefore store the chosen
tokens of each text in a row of fixed length, and fill the row up with word 0 at weight 0. Here is a
loss as a popular book has it (rewritten, with the same mistake). A reader reports: "My loss
depends on what I pad with." Find out why, and correct it.

{{exercise 05.find_the_bug}}
"""

# %%
def pretraining_loss(words, labels, weights, pairs, follows):
    """Both tasks. words (batch, positions, V), labels and weights (batch, positions): 0 is padding;
    pairs (batch, 2), follows (batch,)."""
    loss = nn.CrossEntropyLoss()
    mlm = loss(words.flatten(0, 1), labels.flatten()) * weights.flatten()
    mlm = mlm.sum() / (weights.sum() + 1e-8)
    nsp = loss(pairs, follows)
    result = mlm + nsp
    ### BEGIN SOLUTION
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    mlm = (each * weights.flatten()).sum() / weights.sum()  # over the real positions alone
    result = mlm + nsp
    ### END SOLUTION
    return result


# %%
mb.course.check("05.find_the_bug", pretraining_loss)

# %%
pretraining_loss = mb.course.use("05.find_the_bug", pretraining_loss)

# %% [markdown]
r"""
The book is D2L, and the function in its package has this bug. The cell calls it with a network that
answers at random. Its two numbers should be equal, because only a label of weight 0 has changed.
Those of the function above are.
"""

# %%
d2l = mb.course.d2l()
torch.manual_seed(0)
random_scores = torch.randn(1, 3, 20), torch.randn(1, 2)
padded = torch.tensor([[4, 7, 0]]), torch.tensor([[4, 7, 11]])  # the last one is padding
weights, fixed = torch.tensor([[1.0, 1.0, 0.0]]), []
for labels in padded:
    mlm, _, _ = d2l._get_batch_loss_bert(
        lambda *_: (None, *random_scores), nn.CrossEntropyLoss(), 20, None, None, torch.tensor([3]),
        None, weights, labels, torch.tensor([1]),
    )
    zero = torch.zeros(1, 2), torch.tensor([1])  # a pair at even odds costs log 2
    fixed.append(pretraining_loss(random_scores[0], labels, weights, *zero) - math.log(2))
    print(f"padded with word {labels[0, 2]}: D2L {mlm:.4f}, the function above {fixed[-1]:.4f}")
assert torch.isclose(*fixed)

# %% [markdown]
r"""
## 6. The second task: next sentences

Many tasks ask about two texts: does this answer that, does one follow from the other? So in half of
the pairs the second text is what follows the first, and in the other half it comes from another
document. (A text is any stretch of a document, and may begin or end within a sentence.) The state
of `[CLS]` goes through the **pooler** (a linear layer and tanh) and a layer with two outputs, which
must tell the two cases apart. The loss of a batch is the sum of both means.
"""

# %%
for row in range(3):
    length = int(batch["attention_mask"][row].sum())
    where = batch["token_type_ids"][row, :length].bool()
    was = torch.where(batch["labels"][row] >= 0, batch["labels"][row], batch["input_ids"][row])[:length]
    label = "drawn from elsewhere" if batch["next_sentence_label"][row] else "follows"
    for name, part in (("A", ~where), ("B", where)):
        print(textwrap.fill(f"{name}: {tokenizer.decode(was[part], True)}", 100))
    print(f"   {label}\n")

# %% [markdown]
r"""
A single word can give the answer away: a team that is named in both texts, for example. So the
cheap baseline for this task counts no sentences. It adds up how rare the pieces are that both texts
share, and says "follows" above a threshold. A piece that makes up a share $p$ of the text counts
$\max(0, -\log p - c)$, so frequent pieces count nothing. Threshold and $c$ are tuned on training
pairs.
"""

# %%
def shared(batches, rare):
    """For each pair: how rare its shared pieces are, summed; and whether its second text follows."""
    special_ids, found = set(batches.tokenizer.special_ids), []
    for batch in batches.of_epoch(0):
        rows = (batch[name].tolist() for name in ("input_ids", "token_type_ids", "next_sentence_label"))
        for ids, sides, label in zip(*rows, strict=True):
            first, second = ({i for i, side in zip(ids, sides, strict=True) if side == number}
                             for number in (0, 1))
            score = sum(rare.get(i, 0.0) for i in first & second - special_ids)
            found.append((score, label == 0))
    return found

# %%
def told_by_shared_words(train, test):
    """Share of test pairs told right by shared words alone, tuned on the training pairs."""
    share = {i: n / len(train.documents.ids) for i, n in Counter(train.documents.ids.tolist()).items()}
    tuned = []
    for c in (0, 3, 5):
        rare, limits = {i: max(0.0, -math.log(p) - c) for i, p in share.items()}, range(1, 100)
        scores = shared(train, rare)
        tuned += [(sum((s >= limit / 4) == follows for s, follows in scores), limit / 4, c, rare)
                  for limit in limits]
    _, least, _, rare = max(tuned, key=lambda row: row[0])
    pairs = shared(test, rare)
    return sum((score >= least) == follows for score, follows in pairs) / len(pairs)


# %% [markdown]
r"""
`minibert-bert` is asked about texts that it has never read; the baseline may read the same masked
text. *Predict before you run:* how far above 50 % is each of them?
"""

# %%
from minibert.commands.pretrain.bert import measure

known, unknown = (
    mb.text.PretrainingBatches(
        [document.lines() for document in some], bert.encoder.tokenizer, 32, max_length=64
    )
    for some in (read.documents[: len(read.documents) // 2], unread.documents)
)
pairs = measure(bert, unknown)
print(f"minibert-bert tells {pairs.next_right:.0%} of {pairs.pairs} pairs right")
print(f"shared rare words tell {told_by_shared_words(known, unknown):.0%} right; chance is 50 %")

# %% [markdown]
r"""
## 7. Pre-train it yourself

Now a BERT of two layers learns from random weights, by a loop of your own. The model is the
library's, `mb.heads.Pretraining`; its blocks are those of chapter 04. These are its parts:

| call | gives |
|---|---|
| `model.read(ids, attention_mask, token_type_ids)` | the states, `(batch, length, dim)` |
| `model.output.transform(states)` | what `mlm_loss` calls `hidden` |
| `model.encoder.embeddings.word.weight` | the table of words |
| `model.output.decoder.bias` | the bias |
| `model.next(model.pool(states[:, 0]))` | the scores of the next sentence, `(batch, 2)` |

{{exercise 05.pretrain}}

Write `pretrain(model, batches, top, draw, mask_id)`. `batches` is a list of dicts with the tensors
`input_ids` (no word is hidden in them), `maskable`, `attention_mask`, `token_type_ids` and
`next_sentence_label`. `top` is the highest rate, and `mask_id` is the id of `[MASK]`. Make one
update for each batch. Return a list with the two losses of each batch, `(masked words, next
sentences)`. Both are plain numbers, from before the update.

Each step has three parts.

1. **Hide words.** `draw(ids)` gives new random numbers `noise, fate, drawn` for your `choose` and
   `hide`. Draw again in each step. Leave the batch itself as it is.
2. **Both losses.** The model reads the text that `hide` gives. Take your `mlm_loss` for the hidden
   words, and the mean cross-entropy for the next sentences.
3. **Update.** One `torch.optim.AdamW` over all weights, with its usual weight decay, lowers the sum
   of both losses. The rate of step $s = 0, 1, \dots$ is `top * schedule(s)`. Here `schedule` is
   `mb.optim.linear(steps, warmup=steps // 10)` with `steps = len(batches)`: a rise, then a fall
   towards zero. Before each update, cut the whole gradient to a length of at most 1
   (`nn.utils.clip_grad_norm_`).

The check goes through these parts in order, on a very small model.
"""

# %%
def pretrain(model, batches, top, draw, mask_id):
    """Train a model on both tasks: the pair of losses of each step, a list."""
    losses = []
    ### BEGIN SOLUTION
    optimizer = torch.optim.AdamW(model.parameters(), lr=top)
    schedule = mb.optim.linear(len(batches), warmup=len(batches) // 10)
    table, bias = model.encoder.embeddings.word.weight, model.output.decoder.bias
    for step, batch in enumerate(batches):
        ids, (noise, fate, drawn) = batch["input_ids"], draw(batch["input_ids"])
        seen, labels = hide(ids, choose(batch["maskable"], noise), fate, drawn, mask_id)

        states = model.read(seen, batch["attention_mask"], batch["token_type_ids"])
        words = mlm_loss(model.output.transform(states), table, bias, labels)
        follows = model.next(model.pool(states[:, 0]))  # (batch, 2), from [CLS]
        pairs = F.cross_entropy(follows, batch["next_sentence_label"])

        for group in optimizer.param_groups:
            group["lr"] = top * schedule(step)
        optimizer.zero_grad()
        (words + pairs).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append((words.item(), pairs.item()))
    ### END SOLUTION
    return losses


# %%
mb.course.check("05.pretrain", pretrain)

# %%
pretrain = mb.course.use("05.pretrain", pretrain)

# %% [markdown]
r"""
*Predict before you run:* what is the loss of the masked words at the first step, with nine hundred
pieces? And the loss of the next sentence?
"""

# %%
from minibert.commands.pretrain.start import know_frequencies, look_beside

shape = {"dim": 64, "layers": 2, "heads": 4, "hidden": 256, "dropout": 0.0, "attention_dropout": 0.0}
steps, rate = (5, 3e-3) if SMOKE else (400, 3e-3)
config = mb.BERTConfig(len(tokenizer), max_length=64, init_std=0.07, **shape)
whole = WholeTexts(documents, tokenizer, 48, max_length=32, seed=0)
endless = (batch for epoch in itertools.count() for batch in whole.of_epoch(epoch))
training = list(itertools.islice(endless, steps))


def draw_numbers(ids):
    """Noise and fate, uniform in [0, 1), and random words: all as large as ``ids``."""
    noise, fate = torch.rand(2, *ids.shape)
    return noise, fate, torch.randint(first_word, len(tokenizer), ids.shape)


# %%
def begin(head_start):
    """A model, trained from one of two beginnings, and its losses."""
    mb.seed_everything(0)
    model = mb.heads.Pretraining(mb.BERT(config, tokenizer))
    if head_start:
        know_frequencies(model, documents.ids)
        look_beside(model.encoder)
    return model, pretrain(model, training, rate, draw_numbers, tokenizer.mask_id)


def told(losses):
    """Both losses at the first step, and their means over the last twenty."""
    last = torch.tensor(losses[-20:]).mean(0)
    return (f"masked words {losses[0][0]:.2f}, then {last[0]:.2f}; "
            f"next sentences {losses[0][1]:.2f}, then {last[1]:.2f}")


start = time.time()
_, plain = begin(head_start=False)
print(f"{told(plain)} ({time.time() - start:.0f} s)")

# %% [markdown]
r"""
The first losses are near $\log 900$ and $\log 2$, those of a blind guess. Then the network
learns how frequent each word is, which needs no context, and only then to use the neighbours of a
gap. That second part is slow. To guess a word from its neighbours, some attention head must look at
the positions beside the gap. At the start every attention head looks at all positions alike, so a
neighbour is one word in thirty, and is lost among the others. Devlin et al. trained for a million
steps. We have four hundred.

So we give the network a head start. A few of the dimensions hold the position alone, as sines and
cosines, and two attention heads of the first layer begin as "one position back" and "one position
ahead" (a wave shifted by one position is the wave, turned). The output layers begin at the words'
frequencies. The model is the same; only its first weights differ, and training may change all of
them.
"""

# %%
model, helped = begin(head_start=True)
print(told(helped))
fresh = mb.BERT(config, tokenizer).eval()
look_beside(fresh)
looks = fresh(batch["input_ids"], batch["attention_mask"], output_attentions=True).attentions[0]
for number in range(2):  # attention heads of the first layer
    back, ahead = (looks[:, number].diagonal(k, -2, -1).mean().item() for k in (-1, 1))
    print(f"head {number + 1} begins with {back:.0%} on the position before, {ahead:.0%} after")

# %%
runs = {name: [words for words, _ in losses] for name, losses in
        (("random weights", plain), ("two heads look beside", helped))}
figure = mb.show.loss_curve(runs, title="Masked words, from two beginnings",
                            ylabel="loss (nats per chosen token)")
mb.show.figure(figure)

# %% [markdown]
r"""
Was it luck? Here is the loss per masked piece of unseen text after the same training, over
{{finding 05 start.beside seeds}} seeds, each with its own text and first weights:

{{findings 05
| starting at the word frequencies gives a lower loss than random weights | start.random - start.frequencies | nats | not measured |
| attention heads that look beside give a lower loss than the frequencies alone | start.frequencies - start.beside | nats | not measured |
}}

This helps a small budget. A longer training finds the neighbours by itself. (`look_beside` is in
`minibert/commands/pretrain/start.py`; `mb.course.source(look_beside)` shows it.)
"""

# %%
held_out = mb.world.generate(tokens=2_000 if SMOKE else 20_000, seed=10_000, kinds=["match"])
held_out = [document.lines() for document in held_out.documents]
unknown = mb.text.PretrainingBatches(held_out, tokenizer, 32, max_length=32)
batches = MyBatches(documents, tokenizer, 48, max_length=32, seed=0)
scores, by_words = measure(model, unknown), told_by_shared_words(batches, unknown)
print(f"held out: {scores.loss:.2f} nats per masked piece, {scores.right:.0%} right")
print(f"next sentence: {scores.next_right:.0%} right; by shared rare words {by_words:.0%}")

# %% [markdown]
r"""
Your model is only a little ahead of shared words at the second task: four hundred steps are few.

**Your model fills gaps.** A percentage is abstract, so let us read what the model says.

{{exercise 05.fill_in}}

Write `fill_in(logits, ids, tokens, k)`. `ids` (length,) is a text in which some tokens are
`[MASK]`, `logits` (length, V) are the model's scores at every position, and `tokens` lists the
names of the pieces. For each `[MASK]`, in the order of the text, return a list of the `k` most
probable tokens as pairs `(name, probability)`, the most probable first: a list of lists.
"""

# %%
def fill_in(logits, ids, tokens, k):
    """For every [MASK] its k most probable tokens, [(name, probability), ...]."""
    mask_id = tokens.index("[MASK]")
    answers = []
    ### BEGIN SOLUTION
    for position in (ids == mask_id).nonzero()[:, 0].tolist():
        best = logits[position].softmax(-1).topk(k)
        named = [tokens[i] for i in best.indices.tolist()]
        answers.append(list(zip(named, best.values.tolist(), strict=True)))
    ### END SOLUTION
    return answers


# %%
mb.course.check("05.fill_in", fill_in)

# %%
fill_in = mb.course.use("05.fill_in", fill_in)

# %% [markdown]
r"""
Here are ten sentences of match reports that are not in your model's training text, with one piece
hidden in each. A star marks the gaps in which the first of the three pieces is right.
"""

# %%
@torch.no_grad()
def top_three(sentence, position):
    """A sentence with one piece hidden, that piece, and the three most probable ones there."""
    ids = torch.tensor(tokenizer.pair(sentence, max_length=64)["input_ids"])  # (length,)
    hidden_id, ids[position] = int(ids[position]), tokenizer.mask_id
    scores, _ = model.eval()(ids[None].to(next(model.parameters()).device))
    names = list(tokenizer.tokens)
    text = tokenizer.decode(ids[1:-1])
    return text, names[hidden_id], fill_in(scores[0].cpu(), ids, names, 3)[0]


draw = random.Random(0)
trained_on = {line for lines in texts for line in lines}
new = [line for lines in held_out for line in lines if line not in trained_on]
for line in draw.sample(new, min(10, len(new))):
    length = len(tokenizer.encode(line))
    text, word, best = top_three(line, draw.randint(1, min(length, 61)))
    star = "*" if best[0][0] == word else " "
    print(textwrap.shorten(text, 95))
    print(f" {star} {word}:", ", ".join(f"{name} {share:.0%}" for name, share in best))

# %% [markdown]
r"""
Look at the misses, too. Is the wrong word of the right kind: a team for a team, a number for a
number, a verb for a verb? Often a sentence does not say which name it was, and then nobody could
know.
"""

# %% [markdown]
r"""
## 8. The cloze playground

`minibert-bert` is the same class, with more layers, trained for longer on all kinds of texts of the
world (its card says how). Click a word to hide it.

Try the verb against its subject: hide *is* in *The dog is hungry.*, then *are* in *The dogs are
hungry.* Now put words between: *The dog in the garden is hungry.* Does the model still follow
*dog*?
"""

# %%
truths, fits = mb.show.world_truths()
mb.show.ClozePlayground(bert, "The dog is hungry.", "is", truths, fits=fits)

# %%
for where in ("", "in the garden "):
    for noun in ("dog", "dogs"):
        gap = f"The {noun} {where}[MASK] hungry."
        says = guesses(bert, gap)
        print(f"{gap:<38} is {says.share('is'):5.1%}, are {says.share('are'):5.1%}")

# %%
after = defaultdict(Counter)  # which of the two followed a word, in the counters' text
for before, word in zip(stream, stream[1:], strict=False):
    if word in ("is", "are"):
        after[before][word] += 1
        after["any word"][word] += 1
tested = [(words, i) for words in unread.sentences()
          for i in [i for i, word in enumerate(words) if i and word in ("is", "are")][:1]][:200]
right = Counter()
for words, i in tested:
    says = guesses(bert, gapped(words, i))
    right["minibert-bert"] += ("is" if says.share("is") > says.share("are") else "are") == words[i]
    usual = after.get(words[i - 1].lower(), after["any word"])
    right["counting after the word before"] += usual.most_common(1)[0][0] == words[i]
    right["always the more frequent one"] += after["any word"].most_common(1)[0][0] == words[i]
for name, number in right.items():
    print(f"is or are, in texts that it has not read: {name} {number} of {len(tested)}")

# %% [markdown]
r"""
In unread texts of the world, the model prefers the right form in nearly all sentences. Most of them
are easy, as counting shows: the word before the gap decides. Our own sentences ask for more. Beside
the noun the model is right; with *in the garden* between them it says *are* for one dog as well. It
has learned the sentences of its world, and not a rule that holds in every sentence.
"""

# %% [markdown]
r"""
**Facts (optional)** are harder than grammar. The texts of the world mention the capital of each
country, some often and some hardly ever. How probable does the model find the true capital, and
which town comes first? A model that knows only which towns are capitals would name one town for all
countries, and be right once in twelve. So we also compare: is a capital more probable for its own
country than, on average, for the others? Without knowledge, that would hold for about half of them.
"""

# %%
facts = [(s, v) for s, r, v in mb.world.base.world(0).facts if r == "capital"]
said = {country: guesses(bert, f"The capital of {country} is [MASK].") for country, _ in facts}
first = above = 0
for country, capital in facts:
    (best, share), *_ = said[country].best(1)
    own = said[country].share(capital)
    others = [guess.share(capital) for name, guess in said.items() if name != country]
    first, above = first + (best.lower() == capital.lower()), above + (own > sum(others) / len(others))
    print(f"{country:>12}: {capital} {own:.1%}, for the others {sum(others) / len(others):.1%}; "
          f"first choice {best} {share:.1%}")
print(f"the true capital comes first {first} times of {len(facts)}; "
      f"it is more probable than for the others {above} times")

# %% [markdown]
r"""
Compare the first choices: one town comes first for many countries. Above all, the model has learned
*what kind of word* belongs there, and which towns are capitals. The other column shows the rest: a
capital tends to be more probable for its own country than for the others, but seldom by enough to
come first. So the model knows the facts weakly.

{{exercise 05.why_mask}}

Why is a deep network that reads both sides not simply trained on the next word? What does masking
cost, and what are the random and the unchanged 10 % for? Write three to five sentences.
"""

# %% [markdown] written="05.why_mask"
r"""
In a network that reads both sides the next word is part of the input, so the network would copy it
(over two layers, even if a position cannot see itself). So the word must be hidden. The price: only
15 % of the tokens teach something in a pass, so more passes are needed, and the model reads
`[MASK]`, which no later task contains. Some of the chosen words are kept or replaced by others, so
the model cannot tell which of the words it reads it will be asked for, and has to keep a useful
state for each. That matters most where the states are used without fine-tuning.
"""

# %% [markdown]
r"""
## 9. Both sides against one, over the training (optional)

In section 1, BERT and GPT differed in more than the side that they see. The fair opponent is the
same network with a causal mask, trained to predict the next word on the same text, for as many
steps. It is one mask away:
"""

# %%
from minibert.models.bert.left_to_right import LeftToRight

mb.course.source(LeftToRight.seen)

# %% [markdown]
r"""
From left to right, every token is a target; with masking, only one in seven is. So a step gives the
left-to-right network more targets, while the network that reads both sides sees more of the context
of each target. Which of the two matters more, and when? The experiment `same_word`
(`make findings CH=05`, settings in `chapters/findings/05.py`) trains both networks on match reports
and stops several times on the way. Each time both are asked for the same hidden words of unseen
reports, one in each text. Two counters answer, too, simpler than those of section 1: one looks at
the neighbour on each side, and the other at the two pieces before.

*Predict before you look:* who is ahead at the first stop? And at the end?
"""

# %%
found = mb.course.findings("05")
has_race = any(name.startswith("same_word.") for name in found.names())
if has_race:
    stops = found.content["experiments"]["same_word"]["config"]["stops"]
    fig, ax = mb.show.new("The same hidden word, over the training", "updates", "share named right")
    for way, label, style in (("both", "both sides", "o-"), ("left", "left to right", "s--")):
        runs = torch.tensor(found.values(f"same_word.{way}_curve"))  # (seeds, stops)
        ax.errorbar(stops, runs.mean(0), runs.std(0, correction=0), fmt=style, capsize=4, label=label)
    for way, style in (("both", ":"), ("left", "-.")):
        level = found.mean(f"same_word.{way}_counted")
        ax.axhline(level, color="#5f5f5f", linestyle=style, label=f"counting, {way}")
    ax.legend(title="mean and standard deviation over seeds", ncols=2, loc="upper center",
              bbox_to_anchor=(0.5, -0.18))
    mb.show.figure(fig, alt="Lines: share of hidden words named right by number of updates, for both "
                   "sides and left to right, with two levels for counting.")
    for a, b, claim in (("left_early", "both_early", "left to right is ahead at the first stop"),
                        ("both_end", "left_end", "both sides are ahead at the end"),
                        ("both_end", "both_counted", "the network beats counting at the end")):
        print(found.says(claim, f"same_word.{a}", f"same_word.{b}"))
else:
    print("This copy has no measurement of it yet: make findings CH=05")

# %% [markdown]
r"""
Now the other use of such a network, its **states**. A second experiment, `ways`, trains the same
two networks on match reports, stories and letters and then tests what they are good for: telling
the **sense** of a homograph by the nearest mean vector (chapter 02), and finding **names** after
fine-tuning on two hundred sentences. Both begin with two attention heads that look beside (one back
and one ahead, or both back).
"""

# %%
shares = found.content["experiments"]["ways"]["config"]["snapshots"]
fig, axes = mb.show.new("Both sides and one, over the training", size=(8.4, 3.6), columns=2)
titles = {"senses": "word senses, frozen", "ner": "names, fine-tuned"}
for ax, (measured, title) in zip(axes, titles.items(), strict=True):
    for way, label, style in (("mlm", "both sides (MLM)", "o-"), ("ltr", "left to right", "s--")):
        runs = torch.tensor(found.values(f"ways.{way}_{measured}_curve"))  # (seeds, snapshots)
        ax.errorbar(shares, runs.mean(0), runs.std(0), fmt=style, capsize=4, label=label)
    ax.set_title(title)
    ax.set_xlabel("share of the training")
    ax.set_ylabel("share right" if measured == "senses" else "span F1")
axes[0].legend(title="mean and standard deviation")
mb.show.figure(fig, alt="Two charts: word senses and names by share of the training, for both models.")

# %% [markdown]
r"""
{{findings 05
| both sides tell word senses better than one | ways.mlm_senses - ways.ltr_senses | percent | not measured |
| both sides find names better than one | ways.mlm_ner - ways.ltr_ner | percent | SQuAD +10.1, MNLI +1.8, MRPC +9.0 |
| ... already after a quarter of the training | ways.mlm_ner_early - ways.ltr_ner_early | percent | "almost immediately" (MNLI accuracy, appendix C.1) |
| left to right has more of its final score after a quarter | ways.ltr_ner_share - ways.mlm_ner_share | percent | "slightly slower" (appendix C.1) |
}}

The paper's figures are from table 5, both networks without next sentences. SQuAD asks for the
answer to a question in a paragraph, MNLI whether one sentence follows from another, and MRPC
whether two sentences say the same.

One difference matters here. The paper's networks trained for a million steps on three billion
words. Ours stop when the masked network names {{finding 05 ways.mlm_right mean .0%}} of the hidden pieces of unseen
texts. In so short a training, the larger number of targets per step favours left to right.

## 10. What to put in the gaps (optional)

Table 8 of the paper finds names (entities, F1) with networks whose chosen words were replaced in
different ways. With `[MASK]` alone, fine-tuning loses little (94.9 against 95.4). Where the states
are used as they are, the loss is larger (94.0 against 94.9). The picture shows the same for our
networks, one dot for each seed. The table below it says which difference is larger than chance.
"""

# %%
names = {"80 / 10 / 10": "mlm", "always [MASK]": "all_mask"}
figure = mb.show.spread(
    {f"{label}, {use}": found.values(f"ways.{way}_{measured}")
     for measured, use in (("ner", "fine-tuned"), ("features", "frozen"))
     for label, way in names.items()},
    title="What stands in the gaps: names", xlabel="span F1",
)
mb.show.figure(figure)

# %% [markdown]
r"""
{{findings 05
| frozen states: 80 / 10 / 10 is better than always [MASK] | ways.mlm_features - ways.all_mask_features | percent | +0.9 points |
| after fine-tuning: 80 / 10 / 10 is better | ways.mlm_ner - ways.all_mask_ner | percent | +0.5 points |
}}

**And the next sentence?** In the paper, QNLI (does this sentence answer the question?) falls from
88.4 to 84.9 without that task, and MNLI from 84.4 to 83.9. Later work (RoBERTa, Liu et al. 2019)
found that the task can be dropped when the text is cut differently. Networks as small as those of
our experiment stay near chance on inference with or without the task, so they cannot decide.

## 11. How big, and what it costs (optional)

{{exercise 05.parameters}}

Count the parameters of a BERT: three tables (`V` words, `positions` positions, two segments) and
their LayerNorm, `layers` blocks, and the pooler.
"""

# %%
def parameters(V, dim, layers, hidden, positions=512):
    """How many parameters a BERT has."""
    count = 0
    ### BEGIN SOLUTION
    linear = dim * dim + dim
    embeddings = (V + positions + 2) * dim + 2 * dim
    block = 4 * linear + (dim * hidden + hidden) + (hidden * dim + dim) + 2 * 2 * dim
    count = embeddings + layers * block + linear
    ### END SOLUTION
    return count


# %%
mb.course.check("05.parameters", parameters)

# %%
parameters = mb.course.use("05.parameters", parameters)

# %% tags=["nbval-check-output"]
with torch.device("meta"):  # shapes without numbers: nothing is stored
    for size in (mb.BERTConfig.base(), mb.BERTConfig.large()):
        count = sum(p.numel() for p in mb.BERT(size).parameters())
        mine = parameters(size.vocab_size, size.dim, size.layers, size.hidden, size.max_length)
        print(f"{size.layers} layers of {size.dim}: {count:,} parameters; counted {mine:,}")
        assert mine == count

# %% [markdown]
r"""
The paper rounds to 110 and 340 million.

**Work.** A linear layer of $n \times m$ costs $2nm$ operations per token. A block has four of
$d \times d$ and two of $d \times 4d$; attention multiplies each query with all $L$ keys, and its
weights with all $L$ values. So one token costs, forward,

$$
\underbrace{8 d^2 + 16 d^2}_{\text{linear layers}} + \underbrace{4 L d}_{\text{attention}}
\quad\text{operations per layer}
$$

The backward pass costs twice as much as that. Attention costs as much as the rest only where
$L = 6d$, which for BERT-base would be 4,608 tokens. PyTorch can count its own multiplications.
"""

# %%
from torch.utils.flop_counter import FlopCounterMode


def formula(config, length):
    """Operations of the blocks on one sequence, forward."""
    d = config.dim
    return config.layers * length * (8 * d * d + 4 * d * config.hidden + 4 * length * d)


for length in (16, 32, 64):
    ids = torch.randint(5, len(tokenizer), (1, length)).to(next(model.parameters()).device)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model.encoder.stack(model.encoder.embeddings(ids))
    print(f"length {length}: formula {formula(config, length):,}, counted {counted.get_total_flops():,}")

# %% [markdown]
r"""
And the clock? We time the forward and backward pass on the same number of tokens each time, with
more layers, and with longer sequences. *Predict before you run:* what does twice the number of
layers cost? What does twice the length of a sequence cost?
"""

# %%
def seconds_a_step(layers, length, tokens=1024, repeats=3):
    """The fastest of some forward and backward passes on random tokens."""
    shape = {"dim": 96, "heads": 4, "hidden": 384, "dropout": 0.0, "attention_dropout": 0.0}
    config = mb.BERTConfig(1000, layers=layers, max_length=512, **shape)
    model = mb.heads.MaskedLM(mb.BERT(config))
    ids = torch.randint(5, 1000, (tokens // length, length))
    labels = torch.where(torch.rand(ids.shape) < 0.15, ids, -100)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.loss({"input_ids": ids, "labels": labels})[0].backward()
        times.append(time.perf_counter() - start)
    return min(times)


# %%
more_layers = [(layers, 64) for layers in (1, 2, 4, 6)]
longer_texts = [(2, length) for length in (32, 64, 128, 256, 512)]
sizes = dict.fromkeys(more_layers + longer_texts)
# rounds through all sizes, so that a pause of the machine hits none alone
rounds = [{size: 1e3 * seconds_a_step(*size) for size in sizes} for _ in range(1 if SMOKE else 4)]
fastest = {size: min(times[size] for times in rounds) for size in sizes}
by_layers = {size[0]: fastest[size] for size in more_layers}
by_length = {size[1]: fastest[size] for size in longer_texts}
fig, axes = mb.show.new("A step on 1,024 tokens", size=(8.4, 3.4), columns=2)
drawn = (by_layers, "layers"), (by_length, "length of a sequence")
for ax, (times, label) in zip(axes, drawn, strict=True):
    ax.plot(list(times), list(times.values()), "o-")
    ax.set_xlabel(label)
    ax.set_ylabel("milliseconds")
    ax.set_ylim(0)
mb.show.figure(fig, alt="Two charts: time of a step by the number of layers, and by sequence length.")

# %% [markdown]
r"""
By the formula, each layer costs the same, so twice the layers should cost twice the time. On the
clock it is more than that. The library computes the last layer only at the chosen positions, as
nothing else is asked for; so a single layer is cheap, and each layer added to it costs the full
price. On the right only attention's share grows: by the formula it reaches that of the linear
layers at a length of $6d = 576$ for this width of 96. The clock also counts memory traffic and
whatever else the machine does, so neither line need be smooth.

**Short, then long.** The vectors of the last positions can only be learned from long sequences, but
most of the learning does not need them. So BERT was trained on sequences of 128 for 90 % of the
steps, and of 512 for the rest: `mb.text.ShortThenLong`, or `--short-share 0.9` on the command line.

## 12. The real thing

Here is the published vocabulary on a real sentence, if you have its file (`minibert data list` says
where to put it). The library's ids are those of the published tokenizer; a test compares them over
millions of lines.
"""

# %%
import lzma
import os
from pathlib import Path

file = Path(os.environ.get("MINIBERT_DATA", "")) / "tokenizers" / "bert_uncased_vocab.txt.xz"
if not file.is_file():
    print("The published vocabulary is not here; the folder that MINIBERT_DATA names would hold it.")
else:
    real = mb.text.WordPiece(lzma.open(file, "rt", encoding="utf-8").read().splitlines())
    line = "Unaffable as ever, the bibliographer re-catalogued Aberystwyth's manuscripts."
    print(f"{len(real):,} pieces:", " ".join(real.tokens[i] for i in real.encode(line)))

# %% [markdown]
r"""
On real text the same training is one command,
`minibert pretrain bert --recipe minibert-bert-english --out my_bert`. It first learns its
pieces from Wikipedia, and reports at the end how many hidden words it names in unread text.
The weights that Google published load into the same class:
`mb.BERT.from_pretrained("bert-base-uncased")`, given the folder. Chapter 06 fine-tunes such models.

## 13. Summary

- {{claim 05 same_word.both_end same_word.left_end | After the same training, the network that sees both sides names more hidden words than the one that sees only the left | percent}}
  It names {{finding 05 same_word.both_end mean .0%}} of them, and the other
  {{finding 05 same_word.left_end mean .0%}}. Simple counting names
  {{finding 05 same_word.both_counted mean .0%}} from both sides and
  {{finding 05 same_word.left_counted mean .0%}} from the left.
- Word pieces spell nearly any text with a fixed vocabulary: frequent words whole, rare ones in
  parts.
- A network that reads both sides cannot be trained on the next word. So hide 15 % of the words, and
  ask for them.
- The loss counts the chosen positions and nothing else.
- 80 / 10 / 10: where the model reads a word, it cannot know whether it will be asked for it.
- `[CLS]`, `[SEP]` and segments make one input of two texts; the second task trains the
  state of `[CLS]`.
- A layer costs $24 d^2 + 4 L d$ operations per token: short sequences first.

{{quiz 05.q1}}

{{quiz 05.q2}}

{{quiz 05.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Devlin et al. (2019), [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): the paper; appendices A
and C answer most questions about the details. Taylor (1953), *Cloze procedure*: the exercise. Wu et
al. (2016), [arXiv:1609.08144](https://arxiv.org/abs/1609.08144), and Sennrich et al. (2016), [arXiv:1508.07909](https://arxiv.org/abs/1508.07909): words in pieces. Liu
et al. (2019), *RoBERTa*, [arXiv:1907.11692](https://arxiv.org/abs/1907.11692): what of BERT's recipe matters. Wettig et al. (2023),
*Should you mask 15 % in masked language modeling?*, [arXiv:2202.08005](https://arxiv.org/abs/2202.08005). D2L, [sections 15.8 to
15.10](https://d2l.ai/chapter_natural-language-processing-pretraining/bert.html).
"""
