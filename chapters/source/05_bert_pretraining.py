# ---
# jupyter:
#   minibert:
#     title: "BERT: pre-training"
#     question: What does a model learn that has to fill in the words we hide from it?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1200
#     needs: ["chapter 04 (attention, the Transformer's block)", "chapter 02 (why both sides matter)"]
#     skip: "sections 9 and 10 (what the paper claims of masks, sentences and size); BERT itself is in 1 to 6"
#     papers:
#       - "Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers, arXiv:1810.04805"
#       - "Wu et al. (2016), Google's Neural Machine Translation System (word pieces), arXiv:1609.08144"
# ---

# %% [markdown]
r"""
# 05 · BERT: what does a model learn that has to fill in the words we hide from it?

{{head}}

*The [...] barked at the postman.* You did not need to read it left to right: *barked* told you, and
that stands on the other side of the gap. The language models so far could not have used it. Those
of chapters 02 and 03 read in one direction; ELMo runs two of them, but they never meet below the
last layer, so no layer ever sees both sides of a word at once.

A network of blocks from chapter 04, without a causal mask, sees both sides in every layer. But what
can it be trained on? Asked for the next word, it would look it up: the next word stands in its
input. The answer of Devlin et al. (2019) is an old exercise from school, the cloze test. Hide some
words, and let the network guess them.
"""

# %%
import textwrap
import time

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. Words in pieces

Before anything is hidden, text must become numbers. Whole words need a huge vocabulary and still
meet unknown ones; letters make sequences long. **WordPiece** lies between: frequent words are one
piece, rare words several. A piece that goes on with a word is written with `##`.

**Learning the pieces.** Start with single characters. Count how often two pieces stand side by side
in the words, merge the most frequent pair into a new piece, and do it again. (The first word
pieces, of Schuster & Nakajima 2012, took the pair that made the text likeliest. The program that
learned BERT's own was never published; counting is the simplest rule.) By hand, on five words:
"""

# %%
from collections import Counter

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
print("new" in learned, "##est" in learned, [learned.tokens[i] for i in learned.encode("newest lower")])

# %% [markdown]
r"""
The library finds the same pieces (`min_count`: it stops at pairs seen less than four times); it
keeps the counts up to date instead of counting anew, so that a million words take seconds.

**Cutting a word.** The merges are not needed any more. A word is cut from the left: take the
longest piece in the vocabulary that fits, then go on behind it.

{{exercise 05.wordpiece}}

Write `wordpiece(word, pieces)`: `pieces` is a set of strings, and the answer is a list of them.
"""

# %%
def wordpiece(word, pieces):
    """The pieces of one word, the longest first, or ['[UNK]'] if at some place none fits."""
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

# %% [markdown]
r"""
Now the world of our chapters; for this model only its match reports, because a minute of training
is short, and they speak of few things. Nine hundred pieces hold their words whole, and cut what
they have never met. Capitals become small letters first: the vocabulary is *uncased*.
"""

# %%
corpus = mb.world.generate(tokens=20_000 if SMOKE else 200_000, seed=0, kinds=["match"])
texts = [document.lines() for document in corpus.documents]  # documents, lists of sentences
start = time.time()
tokenizer = mb.text.WordPiece.train((line for lines in texts for line in lines), 900)
print(f"{tokenizer} learned in {time.time() - start:.1f} s")
for word in ["goal", "Thursday", "postman", "unkindness", "xylophonist"]:
    print(f"{word:>12}: {' '.join(tokenizer.tokens[i] for i in tokenizer.encode(word))}")

# %% [markdown]
r"""
## 2. What BERT reads

One text, or two: `[CLS] a [SEP] b [SEP]`. The state of `[CLS]` will stand for the whole input;
`[SEP]` ends a text. Each token becomes the **sum of three vectors** (figure 2 of the paper): what
it is, where it stands, and which of the two texts it belongs to (its **segment**,
`token_type_ids`). A LayerNorm follows.
"""

# %% tags=["nbval-check-output"]
pair = learned.pair("low newest", "wider")
for name, ids in pair.items():
    print(f"{name:>15}: {ids}")
print(f"{'tokens':>15}: {' '.join(learned.tokens[i] for i in pair['input_ids'])}")

# %%
config = mb.BERTConfig(len(tokenizer), dim=32, layers=2, heads=2, hidden=128, max_length=64)
small = mb.BERT(config, tokenizer).eval()
pair = tokenizer.pair("The goalkeeper fell.", "It was late.")
ids, segments = torch.tensor([pair["input_ids"]]), torch.tensor([pair["token_type_ids"]])

tables = small.embeddings
places = torch.arange(ids.shape[1])  # (length,)
x = tables.word.weight[ids] + tables.position(places) + tables.segment.weight[segments]
x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-12).sqrt()
library = small(ids, token_type_ids=segments).hidden_states[0]  # (1, length, dim)
print("by hand and library agree:", torch.allclose(x, library, atol=1e-5))

# %% [markdown]
r"""
Everything above these vectors is chapter 04: blocks of attention and feed-forward layers, no causal
mask, the norm after the residual sum.

## 3. The first task: masked words

15 % of the tokens are chosen. A model that always found `[MASK]` at these places would learn that
every *other* token is to be trusted and needs no thought, and it would meet a strange text when it
is used, one without any `[MASK]`. So, of the chosen tokens,

- 80 % become `[MASK]`,
- 10 % become a random word,
- 10 % stay as they are,

and all of them are to be guessed. At no place can the model know whether it will be asked.

{{exercise 05.mask}}

`ids`, `chosen` (bool), `fate` (uniform in [0, 1)) and `drawn` (random words) all have the shape
`(batch, length)`. Return what the model sees, and the labels: the word that stood there where it
was chosen, and -100 elsewhere. `fate` below 0.8 means `[MASK]`, from there to below 0.9 a random
word.
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

# %% [markdown]
r"""
The library's batches do this anew at every epoch (the paper masked ten copies of the text
beforehand; Liu et al. 2019 found that drawing anew is as good or better). Special tokens are never
chosen.
"""

# %%
documents = mb.text.Documents(texts, tokenizer)
batches = mb.text.PretrainingBatches(documents, tokenizer, batch_size=32, max_length=64, seed=0)
batch = next(iter(batches.of_epoch(0)))
seen, labels = batch["input_ids"][0], batch["labels"][0]
for place in range(18):
    asked = "" if labels[place] < 0 else f"<- {tokenizer.tokens[labels[place]]}"
    print(f"{place:>3} {tokenizer.tokens[seen[place]]:>12} {asked}")

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
**Whole words.** If `##ness` is hidden and *unkind* stands before it, the guess is too easy. With
`whole_words=True` all pieces of a word are chosen or none (the authors did so in later models). How
many of the chosen tokens belong to a word of which another piece can be read?
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
(What is left are texts that begin within a word: the count joins their first piece to the `[SEP]`
before it.)

**The loss** is the cross-entropy at the chosen places, and at no other. The head on top is small: a
linear layer, GELU (a smoother $\max(0, x)$) and LayerNorm, and then the table of word vectors once
more, turned round:

$$
\ell = -\frac{1}{|M|} \sum_{i \in M} \log \mathrm{softmax}\big(E\, h_i + b\big)_{w_i}
$$

$M$ are the chosen places, $h_i$ `(dim,)` is the head's state at place $i$, $E$ `(V, dim)` the
table, $b$ `(V,)` a bias, and $w_i$ the word that stood there.

Where nothing is asked, nothing need be computed: with 15 % chosen, six of seven rows of the largest
matrix product of the model are spared.

{{exercise 05.mlm_loss}}

`hidden` (batch, length, dim), `table` (V, dim), `bias` (V,), `labels` (batch, length) with -100
where nothing is asked. Return the mean over the places that are.
"""

# %%
def mlm_loss(hidden, table, bias, labels):
    """The mean cross-entropy at the chosen places, a scalar tensor in nats."""
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
head = mb.heads.MaskedLM(small)
given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
with torch.no_grad():
    hidden = head.output.transform(small(**given).last_hidden_state)  # (batch, length, dim)
    wanted = batch["labels"] != -100
    logits = hidden[wanted] @ small.embeddings.word.weight.T + head.output.decoder.bias
    by_hand = F.cross_entropy(logits, batch["labels"][wanted])
    total, count = head.loss(batch)
print(f"by hand {by_hand:.5f}   library {total / count:.5f}   places {count}")

# %% [markdown]
r"""
## 4. Find the bug

The number of chosen tokens differs from text to text, so books and tutorials store them in rows of
one length, and pad: word 0 at weight 0. Here is a loss as it stands in a popular book (rewritten,
with the same mistake). A reader reports: "My loss depends on what I pad with." Find out why, and
mend it.

{{exercise 05.find_the_bug}}
"""

# %%
def pretraining_loss(words, labels, weights, pairs, follows):
    """Both tasks. words (batch, places, V), labels and weights (batch, places): 0 is padding;
    pairs (batch, 2), follows (batch,)."""
    loss = nn.CrossEntropyLoss()
    mlm = loss(words.flatten(0, 1), labels.flatten()) * weights.flatten()
    mlm = mlm.sum() / (weights.sum() + 1e-8)
    nsp = loss(pairs, follows)
    result = mlm + nsp
    ### BEGIN SOLUTION
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    mlm = (each * weights.flatten()).sum() / weights.sum()  # over the real places alone
    result = mlm + nsp
    ### END SOLUTION
    return result


# %%
mb.course.check("05.find_the_bug", pretraining_loss)

# %% [markdown]
r"""
The function in D2L's package behaves so; the cell asks it, with a network that answers at random.
The second and third number should be the same: only a label of weight 0 has changed.
"""

# %%
d2l = mb.course.d2l()
torch.manual_seed(0)
answers = torch.randn(1, 3, 20), torch.randn(1, 2)
asked = torch.tensor([[4, 7, 0]]), torch.tensor([[4, 7, 11]])  # the last one is padding
weights = torch.tensor([[1.0, 1.0, 0.0]])
for labels in asked:
    mlm, _, _ = d2l._get_batch_loss_bert(
        lambda *_: (None, *answers), nn.CrossEntropyLoss(), 20, None, None, torch.tensor([3]),
        None, weights, labels, torch.tensor([1]),
    )
    print(f"padded with word {labels[0, 2]}: {mlm:.4f}")

# %% [markdown]
r"""
## 5. The second task: next sentences

Many tasks ask about two texts: does this answer that, does one follow from the other? So half of
the pairs are a text and what follows it, the others a text and one from another document. (A text
is any stretch of a document, and may begin or end within a sentence.) The state of `[CLS]`, through
the **pooler** (a linear layer and tanh) and a layer of two outputs, must tell which. The loss of a
batch is the sum of both means.
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

# %%
mb.course.source(mb.heads.Pretraining.losses)

# %% [markdown]
r"""
## 6. Pre-train it

A BERT of two layers, from nothing. Watch the shape of the curve: the network first learns how
frequent each word is, which needs no context, and stays there for a while.

*Predict before you run:* what is the loss of the masked words at the first step, with nine hundred
pieces? And that of the next sentence?
"""

# %%
from minibert.commands.pretrain.start import know_frequencies, look_beside

shape = {"dim": 64, "layers": 2, "heads": 4, "hidden": 256, "dropout": 0.0, "attention_dropout": 0.0}
steps, rate = (5, 3e-3) if SMOKE else (400, 3e-3)
config = mb.BERTConfig(len(tokenizer), max_length=64, init_std=0.07, **shape)
batches = mb.text.PretrainingBatches(documents, tokenizer, 48, max_length=32, seed=0)


def pretrain(head_start):
    """A model and its history."""
    mb.seed_everything(0)
    model = mb.heads.Pretraining(mb.BERT(config, tokenizer))
    if head_start:
        know_frequencies(model, documents.ids)
        look_beside(model.encoder)
    schedule = mb.optim.linear(steps, warmup=steps // 10)
    optimizer = mb.optim.adamw(model, rate)
    return model, mb.fit(model, batches, steps=steps, optimizer=optimizer, schedule=schedule, progress=False)


start = time.time()
_, plain = pretrain(head_start=False)
print(f"{plain}, {time.time() - start:.0f} s")

# %%
figure = mb.show.loss_curve(plain, title="Masked words and next sentences, from random weights",
                            ylabel="sum of both losses (nats)")
mb.show.figure(figure)

# %% [markdown]
r"""
The loss begins near $\log 900 + \log 2$, a blind guess at both. It falls, then it only creeps: a
**plateau**. To guess a word from its neighbours, some head must look at the places beside. At the
start every head looks at all places alike, so the neighbour is one word in thirty, and what it says
drowns in the rest. No head is told to look there because nothing is gained by looking there yet,
and nothing is gained because no head looks there. A long training finds the way out by itself;
Devlin et al. trained for a million steps. We have four hundred.

So give it what it needs to begin: a few of the dimensions hold the place alone, as sines and
cosines, and two heads of the first layer start as "one place back" and "one place ahead" (a wave
shifted by one place is the wave, turned). The softmax starts at the words' frequencies, too. The
model is the same; these are only its first weights, and training may change them all.
"""

# %%
model, helped = pretrain(head_start=True)
fresh = mb.BERT(config, tokenizer).eval()
look_beside(fresh)
seen = fresh(batch["input_ids"], batch["attention_mask"], output_attentions=True).attentions[0]
for head in range(2):  # of the first layer
    back, ahead = (seen[:, head].diagonal(k, -2, -1).mean().item() for k in (-1, 1))
    print(f"head {head + 1} begins with {back:.0%} on the place before, {ahead:.0%} on the one after")

# %%
runs = {"random weights": plain, "two heads look beside": helped}
figure = mb.show.loss_curve(runs, title="The plateau, and a way around it",
                            ylabel="sum of both losses (nats)")
mb.show.figure(figure)

# %% [markdown]
r"""
Was it luck? Over {{finding 05 start.beside seeds}} seeds, each with its own text and first weights (`make findings CH=05`), a masked
piece of new text costs {{finding 05 start.random mean .2f}} nats after a start from random weights, {{finding 05 start.frequencies mean .2f}}
where the softmax began at the frequencies, and {{finding 05 start.beside mean .2f}} with both:

- {{claim 05 start.random start.frequencies | beginning at the frequencies alone is a gain}}
- {{claim 05 start.frequencies start.beside | looking beside is a gain on top of that}}
"""

# %%
mb.course.source(look_beside)

# %%
from minibert.commands.pretrain.bert import measure

held_out = mb.world.generate(tokens=2_000 if SMOKE else 20_000, seed=10_000, kinds=["match"])
held_out = [document.lines() for document in held_out.documents]
scores = measure(model, mb.text.PretrainingBatches(held_out, tokenizer, 32, max_length=32))
print(f"held out: {scores.loss:.2f} nats a masked piece, {scores.right:.0%} right; "
      f"next sentence {scores.next_right:.0%} right")

# %% [markdown]
r"""
## 7. The cloze playground

The model `minibert-bert` comes with the library: the same class, three layers, trained for longer
on all kinds of texts of the world (its card says how). Click a word to hide it. Where the sentence
states a fact of the world, the truth is known, and the playground says how much of its probability
the model gives to it.

Try: the verb against its subject (hide *were* in *The dogs near the house were hungry.*: does it
follow *dogs*, or the nearer *house*?), a fact about somebody whom the texts mention often, and one
about somebody whom they hardly mention.
"""

# %%
bert = mb.heads.Pretraining.from_pretrained("minibert-bert")
truths, fits = mb.show.world_truths()
country, capital = next((s, v) for s, r, v in mb.world.base.world(0).facts if r == "capital")
mb.show.ClozePlayground(bert, f"The capital of {country} is {capital}.", capital, truths, fits=fits)

# %% [markdown]
r"""
{{exercise 05.why_mask}}

Why is a deep network that reads to both sides not simply trained on the next word? What does
masking cost, and what are the random and the unchanged 10 % for? Three to five sentences.
"""

# %% [markdown] written="05.why_mask"
r"""
In a network that looks to both sides the next word is part of the input, so it would be copied,
through other places after two layers even if a place cannot see itself. Hiding the word makes the
question honest. The price is that only 15 % of the tokens teach something in a pass, so more passes
are needed, and that the model reads `[MASK]`, which no later task will show it. As some of the
chosen words are left or swapped, it never knows which word it will be asked for, and has to keep a
useful state for each: that matters most where the states are used as they are, without fine-tuning.
"""

# %% [markdown]
r"""
## 8. Both sides against one

Is it worth the trouble? The fair opponent is the same network with a causal mask, trained on the
next word, on the same text, for as many steps. It is one mask away:
"""

# %%
from minibert.models.bert.left_to_right import LeftToRight

mb.course.source(LeftToRight.forward)

# %% [markdown]
r"""
Left to right every token is a target, not one in seven: more to learn from in each step. Both
sides: each guess may use everything. Neither has next sentences here. The full experiment
(`make findings CH=05`, settings in `chapters/findings/05.py`) trains both on match reports, stories
and letters, each with two heads that begin by looking beside (back and ahead, or both back), over {{finding 05 ways.mlm_ner seeds}}
seeds. The curves show what each can do with a word's state as training goes on: tell the **sense**
of a homograph by the nearest mean vector (chapter 02), and find **names** after fine-tuning on two
hundred sentences.

*Predict before you look:* who is ahead at the first measurement, a quarter of the way? And at the
end?
"""

# %%
found = mb.course.findings("05")
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
- {{claim 05 ways.mlm_senses ways.ltr_senses | both sides tell word senses better than one}}
- {{claim 05 ways.mlm_ner ways.ltr_ner | both sides find names better than one}}
- {{claim 05 ways.mlm_ner_early ways.ltr_ner_early | already after a quarter of the training, both sides find names better}}
- {{claim 05 ways.ltr_ner_share ways.mlm_ner_share | left to right converges faster: after a quarter of the training it has more of its final score in names}}

In the paper (table 5, both without next sentences) both sides have 87.9 against 77.8 F1 on SQuAD,
83.9 against 82.1 on MNLI and 86.5 against 77.5 on MRPC. Appendix C.1 finds that masked words
converge marginally slower, and that they are ahead almost at once.

Hold that against the lines above with one difference in mind. Their race was a million steps on
three billion words; ours ends when the masked model guesses {{finding 05 ways.mlm_right mean .0%}} of the hidden words of unseen texts.
In a race so short it counts how many targets a step has: each token on one side, one in seven on
the other. Look at the curves from left to right: who learns faster, and who has learned more when
it ends?

## 9. What to put in the gaps, and whether to ask for the next sentence

Table 8 of the paper: always `[MASK]` costs little when the model is fine-tuned (names: 94.9 against
95.4), and more when its states are used as they are (94.0 against 94.9).
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
- {{claim 05 ways.mlm_features ways.all_mask_features | for frozen states, 80 / 10 / 10 is better than always [MASK]}}
- {{claim 05 ways.mlm_ner ways.all_mask_ner | after fine-tuning, 80 / 10 / 10 is better than always [MASK]}}
- {{claim 05 ways.nsp_nli ways.mlm_nli | with next sentences, inference is better than without}}

The model with both tasks tells {{finding 05 ways.nsp_next_right mean .0%}} of the held-out pairs right. In the
paper QNLI falls from 88.4 to 84.9 without next sentences, MNLI from 84.4 to 83.9. Later work
(RoBERTa, Liu et al.
2019) found that the task can be dropped when the text is cut differently: compare what was measured
here, and mind that the text of our world is simple, so that a wrong second text is often told by
its names alone.

## 10. How big, and what it costs

{{exercise 05.parameters}}

Count the parameters of a BERT with three tables (words, positions, two segments) and their
LayerNorm, `layers` blocks, and the pooler.
"""

# %%
def parameters(V, dim, layers, hidden, places=512):
    """How many numbers a BERT learns."""
    count = 0
    ### BEGIN SOLUTION
    linear = dim * dim + dim
    embeddings = (V + places + 2) * dim + 2 * dim
    block = 4 * linear + (dim * hidden + hidden) + (hidden * dim + dim) + 2 * 2 * dim
    count = embeddings + layers * block + linear
    ### END SOLUTION
    return count


# %%
mb.course.check("05.parameters", parameters)

# %% tags=["nbval-check-output"]
with torch.device("meta"):  # shapes without numbers: nothing is stored
    for size in (mb.BERTConfig.base(), mb.BERTConfig.large()):
        count = sum(p.numel() for p in mb.BERT(size).parameters())
        print(f"{size.layers} layers of {size.dim}: {count:,} parameters")

# %% [markdown]
r"""
The paper rounds to 110 and 340 million.

**Work.** A linear layer of $n \times m$ costs $2nm$ operations a token. A block has four of
$d \times d$ and two of $d \times 4d$; attention multiplies each query with all $L$ keys, and its
weights with all $L$ values. So one token costs, forward,

$$
\underbrace{8 d^2 + 16 d^2}_{\text{linear layers}} + \underbrace{4 L d}_{\text{attention}}
\quad\text{operations a layer}
$$

The backward pass costs twice as much again. Attention costs as much as the rest only where
$L = 6d$, which for BERT-base would be 4,608 tokens. PyTorch can count what it really multiplies.
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
And the clock? A step of training on about the same number of tokens each time, as sequences get
longer, and as layers are added. *Predict before you run:* is the line by layers straight? Does it
go through zero?
"""

# %%
def seconds_a_step(layers, length, tokens=1024, repeats=3):
    """The fastest of some training steps on random tokens."""
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
def fastest(step, sizes):
    """Milliseconds by size: the fastest of some rounds through all sizes, so that a pause of the machine hits none alone."""
    rounds = [{n: 1e3 * step(n) for n in sizes} for _ in range(1 if SMOKE else 4)]
    return {n: min(times[n] for times in rounds) for n in sizes}


by_layers = fastest(lambda layers: seconds_a_step(layers, 64), (1, 2, 4, 6))
by_length = fastest(lambda length: seconds_a_step(2, length), (32, 64, 128, 256, 512))
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
Layers cost alike, so the line on the left is nearly straight. What it would have at no layer at all
is paid once, whatever the depth: embeddings, and the softmax over the words (little, with a
thousand; thirty thousand cost more). On the right only attention's share grows; at width 96 it
should have reached that of the rest at a length of $6d = 576$.

**Short, then long.** The position vectors of far places can only be learned on long sequences, but
most of the learning does not need them. So BERT was trained on sequences of 128 for 90 % of the
steps, and of 512 for the rest: `mb.text.ShortThenLong`, or `--short-share 0.9` on the command line.

## 11. The real thing

The published vocabulary on real text, when both are at hand (`minibert data list` says where to put
them): ids equal to those of the published tokenizer, which a test holds over millions of lines.
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
`minibert pretrain bert --recipe minibert-bert-english --out my_bert`; it learns its pieces from
Wikipedia first, and says at the end how many hidden words it guesses in text that it has never
read. The weights that Google published load into the same class:
`mb.BERT.from_pretrained("bert-base-uncased")`, given the folder. Chapter 06 fine-tunes such models.

## 12. Summary

- Word pieces spell any text with a fixed vocabulary: frequent words whole, rare ones in parts.
- A network that sees both sides cannot be asked for the next word; hide 15 % of the words, and ask
  for those.
- The loss counts the chosen places and nothing else. A mean that is multiplied by weights
  afterwards is still that mean.
- 80 / 10 / 10 keeps the model from knowing where it will be asked.
- `[CLS]` and segments make one input of two texts; next sentences train them.
- A layer costs $24 d^2 + 4 L d$ operations a token: short sequences first.

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
