# ---
# jupyter:
#   minibert:
#     title: BERT, fine-tuning
#     question: Can one model answer four kinds of question, with one new layer for each?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1200
#     needs: ["chapter 05 (BERT and its pre-training)", "chapter 02 (frozen layers as features)"]
#     skip: 'section 4 or 5 (names, answers), since one of them is enough to see the idea; and 8 to 11, where the paper is measured'
#     papers:
#       - "Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers, arXiv:1810.04805, sections 4 and 5"
#       - "Dodge et al. (2020), Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders, and Early Stopping, arXiv:2002.06305"
# ---

# %% [markdown]
r"""
# 06 · BERT, fine-tuning: can one model answer four kinds of question, with one new layer for each?

{{head}}

Until 2018 every task had an architecture of its own: one network for inference, with attention
between the two sentences, another for names, with a layer that liked sensible sequences of tags, a
third and very intricate one for questions. ELMo made all of them better and left them as they were.
BERT threw them away. What remains is the model of chapter 05, one new layer so small that it fits
on a line, and a few minutes of training, in which *every* weight moves.
"""

# %%
import copy
import math
import textwrap
from collections import Counter

import torch
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
bert = mb.BERT.from_pretrained("minibert-bert")
tokenizer, config = bert.tokenizer, bert.config
print(f"{config.layers} layers of {config.dim}, {len(tokenizer):,} pieces, "
      f"{sum(p.numel() for p in bert.parameters()):,} weights")

# %% [markdown]
r"""
## 1. Four tasks, four new layers

Everything a task needs is in the last hidden states, one vector for each token. The only question
is which of them to ask (the paper's figure 4):

| the task | what BERT reads | what is asked | new weights for width $d$ |
|---|---|---|---|
| a label for a text (topic, sentiment) | `[CLS] text [SEP]` | the state of `[CLS]` | $K d + K$ |
| a label for a pair (inference, paraphrase) | `[CLS] text [SEP] text [SEP]` | the state of `[CLS]` | $K d + K$ |
| a label for each word (names) | `[CLS] words [SEP]` | the state of each word's first piece | $K d + K$ |
| a span of a text (questions) | `[CLS] question [SEP] passage [SEP]` | every state, twice: start? end? | $2 d + 2$ |

with $K$ the number of labels. In the library each of the four is a *head* on a model:
"""

# %%
heads = {
    "text or pair": mb.heads.SequenceClassifier(bert, labels=3),
    "words": mb.heads.TokenClassifier(bert, labels=11),
    "span": mb.heads.SpanExtractor(bert),
}
below = sum(p.numel() for p in bert.parameters())
for name, head in heads.items():
    new = sum(p.numel() for p in head.parameters()) - below
    print(f"{name:>12}: {new:,} new weights on {below:,}")

# %% [markdown]
r"""
## 2. A label for a text

Which kind of text do three sentences come from: a story, a letter, a lesson ...? With $C$ the
vector of `[CLS]` after the pooler (chapter 05: a dense layer and tanh, trained on next sentences),
and $W$ the new matrix of $K$ rows,

$$
p(k \mid \text{text}) = \mathrm{softmax}(W C + b)_k, \qquad
\text{loss} = -\log p(\text{right label} \mid \text{text})
$$

By hand, and as the library has it:
"""

# %%
topics = mb.world.task("topic", seed=0)
print(topics)
print(topics.train[0].label, "|", topics.train[0].text)


def read_texts(examples, labels):
    """Labelled texts, or pairs, as BERT reads them: a list of dicts."""
    return [{**tokenizer.pair(e.text, e.text_b, max_length=config.max_length),
             "labels": labels.index(e.label)} for e in examples]


batch = next(iter(mb.text.PaddedBatches(read_texts(topics.train[:8], topics.labels), 8)))
print({name: tuple(tensor.shape) for name, tensor in batch.items()})

# %% tags=["nbval-check-output"]
head = mb.heads.SequenceClassifier(bert, labels=len(topics.labels)).eval()
out = bert(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
C = torch.tanh(bert.pooler.dense(out.last_hidden_state[:, 0]))  # (batch, dim)
logits = C @ head.output.weight.T + head.output.bias  # (batch, labels)
by_hand = F.cross_entropy(logits, batch["labels"], reduction="sum")
theirs, count = head.loss(batch)
print(torch.allclose(by_hand, theirs, atol=1e-4), count)

# %% [markdown]
r"""
Training is what it was in pre-training, with a fresh optimiser: AdamW, a short warm-up, then down
to zero. The paper's ranges (appendix A.3) are batches of 16 or 32, rates of 2e-5 to 5e-5 and 2 to 4
passes. Our model is far smaller than BERT-base, and small models want higher rates.

*Predict before you run:* two hundred labelled texts, nine classes. How many of the new texts will
be told right after four passes? And how many if the same network starts from random weights?
"""

# %%
def learn(head, examples, passes=4, rate=1e-3):
    """Fine-tune: every weight of the model below, and the new layer."""
    batches = mb.text.PaddedBatches(examples, 32, pad_id=tokenizer.pad_id)
    steps = 2 if SMOKE else passes * len(batches)
    return mb.fit(head, batches, steps=steps, optimizer=mb.optim.adamw(head, rate), progress=False,
                  schedule=mb.optim.linear(steps, warmup=steps // 10))


def accuracy(head, examples):
    """The share of examples with the right label; batches are sorted by length inside `run`."""
    said = [int(logits.argmax()) for logits in mb.heads.run(head, examples)]
    return sum(a == e["labels"] for a, e in zip(said, examples, strict=True)) / len(examples)


train = read_texts(topics.train[: 20 if SMOKE else 200], topics.labels)
test = read_texts(topics.test[: 40 if SMOKE else 400], topics.labels)
for name, start in (("pre-trained", copy.deepcopy(bert)), ("from scratch", mb.BERT(config, tokenizer))):
    mb.seed_everything(0)
    head = mb.heads.SequenceClassifier(start, labels=len(topics.labels))
    learn(head, train)
    print(f"{name:>12}: {accuracy(head, test):.1%} right")

# %% [markdown]
r"""
The pre-trained model is nearly always right. From random weights, so few updates leave the network
close to a blind guess. Section 8 gives it more of them.

## 3. A label for two texts

Does the second sentence follow from the first? Before BERT one built two encoders and a clever way
for them to look at each other. Here both texts go into one sequence, and the self-attention that is
there anyway lets every word of one look at every word of the other, in every layer.

{{exercise 06.pair}}

Write `pair(first, second, cls_id, sep_id)` for two lists of ids. It returns two lists: the ids as
BERT reads them, and the segment (0 or 1) of each.
"""

# %%
def pair(first, second, cls_id, sep_id):
    """(input_ids, token_type_ids) of two texts."""
    input_ids, token_type_ids = [], []
    ### BEGIN SOLUTION
    input_ids = [cls_id, *first, sep_id, *second, sep_id]
    token_type_ids = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    ### END SOLUTION
    return input_ids, token_type_ids


# %%
mb.course.check("06.pair", pair)

# %%
inference = mb.world.task("nli", seed=0)
for example in inference.train[:3]:
    print(f"{example.label:>13} | {example.text} | {example.text_b}")

train = read_texts(inference.train[: 40 if SMOKE else 1500], inference.labels)
test = read_texts(inference.test[: 40 if SMOKE else 400], inference.labels)
mb.seed_everything(0)
reader = mb.heads.SequenceClassifier(copy.deepcopy(bert), labels=len(inference.labels))
history = learn(reader, train)
print(f"{accuracy(reader, test):.1%} right; a third would be chance")

# %% [markdown]
r"""
Ask it something of your own. Does the order matter, as it should? (*A saw a heron* entails *A saw a
bird*, but not the other way round.)
"""

# %%
def relation(first, second):
    """The probability of each label for a pair of sentences."""
    (logits,) = mb.heads.run(reader, [tokenizer.pair(first, second)])
    shares = zip(inference.labels, logits.softmax(-1).tolist(), strict=True)
    return ", ".join(f"{label} {share:.2f}" for label, share in shares)


print(relation("Ada Pell saw a heron.", "Ada Pell saw a bird."))
print(relation("Ada Pell saw a bird.", "Ada Pell saw a heron."))

# %% [markdown]
r"""
It calls both entailment, and only the first one is. Its accuracy above is better than chance and
far from reliable: to tell what follows from what, 1,500 examples are few for so small a model.
Section 8 sets it beside the other tasks.

## 4. A label for each word

Names are marked in the **IOB2** way: `B-PER` begins a person, `I-PER` goes on with it, `O` is no
name. The labels belong to words and BERT reads pieces. The paper's answer (section 5.3): the label
stands at the *first* piece of its word, and the loss leaves the other pieces out. They are read all
the same.

{{exercise 06.align}}

Write `align(words, labels, encode, cls_id, sep_id)`: `encode(word)` gives a list of pieces,
`labels` are numbers, and -100 (`IGNORE`) is "no label here", which `F.cross_entropy` leaves out.
"""

# %%
IGNORE = -100


def align(words, labels, encode, cls_id, sep_id):
    """(input_ids, labels) with a label at the first piece of each word."""
    input_ids, marks = [], []
    ### BEGIN SOLUTION
    input_ids, marks = [cls_id], [IGNORE]
    for word, label in zip(words, labels, strict=True):
        pieces = encode(word)
        input_ids += pieces
        marks += [label] + [IGNORE] * (len(pieces) - 1)
    input_ids.append(sep_id)
    marks.append(IGNORE)
    ### END SOLUTION
    return input_ids, marks


# %%
mb.course.check("06.align", align)

# %%
names = mb.world.task("ner", seed=0)


def read_words(examples):
    """Tagged sentences as BERT reads them (`mb.heads.word_examples` is `align` with a limit)."""
    numbers = [[names.labels.index(label) for label in e.labels] for e in examples]
    return mb.heads.word_examples(tokenizer, [e.tokens for e in examples], numbers, config.max_length)


example = next(e for e in names.train if "I-PER" in e.labels)
read = read_words([example])[0]
for i, mark in list(zip(read["input_ids"], read["labels"], strict=True))[:14]:
    print(f"{tokenizer.tokens[i]:>10}  {names.labels[mark] if mark != IGNORE else ''}")

# %% [markdown]
r"""
The score counts whole names: right only if the kind and both ends are right. With $\mathrm{TP}$ the
names that were found and are true, precision is $\mathrm{TP}$ over all that were said, recall
$\mathrm{TP}$ over all that are there, and $F_1$ their harmonic mean. Most words are no name, so the
accuracy of words says little: a tagger that always says `O` is right most of the time (the cell
prints how often), and has found nothing.
"""

# %%
def name_f1(head, examples):
    """F1 of whole names, and the share of words that are right."""
    read = read_words(examples)
    said = [[names.labels[i] for i in logits[one["words"]].argmax(-1).tolist()]
            for one, logits in zip(read, mb.heads.run(head, read), strict=True)]
    true = [list(e.labels[: len(row)]) for e, row in zip(examples, said, strict=True)]
    return mb.heads.span_f1(said, true), mb.heads.share_right(said, true)


tagged, untagged = names.train[: 40 if SMOKE else 400], names.test[: 40 if SMOKE else 400]
mb.seed_everything(0)
tagger = mb.heads.TokenClassifier(copy.deepcopy(bert), labels=len(names.labels))
learn(tagger, read_words(tagged))
f1, right = name_f1(tagger, untagged)
_, always_o = 0.0, sum(label == "O" for e in untagged for label in e.labels)
always_o /= sum(len(e.labels) for e in untagged)
print(f"F1 of names {f1:.3f}; words right {right:.3f}, and {always_o:.3f} for always O")

# %% [markdown]
r"""
## 5. A span that answers

A question and a passage stand in one sequence. Two new vectors of width $d$, $S$ and $E$, are all
that is learned beside BERT itself: token $i$ with the state $T_i$, as wide, starts the answer with
the score $S \cdot T_i$ and ends it with $E \cdot T_i$. A span from $i$ to $j$ scores

$$
s_{ij} = S \cdot T_i + E \cdot T_j, \qquad j \geq i,
$$

and training is two softmaxes over the positions: the loss is the mean of $-\log p(\text{start})$
and $-\log p(\text{end})$ (section 4.2 has their sum).

{{exercise 06.best_span}}

Write `best_span(starts, ends, longest)`: the pair `(i, j)` with the highest score, where $i \leq j$
and the span has at most `longest` tokens. Both scores are tensors of shape `(length,)`.
"""

# %%
def best_span(starts, ends, longest):
    """The first and the last token of the best span."""
    first, last = 0, 0
    ### BEGIN SOLUTION
    scores = starts[:, None] + ends[None, :]  # (length, length)
    allowed = torch.ones_like(scores, dtype=torch.bool).triu().tril(longest - 1)
    place = int(scores.masked_fill(~allowed, -torch.inf).argmax())
    first, last = divmod(place, len(ends))
    ### END SOLUTION
    return first, last


# %%
mb.course.check("06.best_span", best_span)

# %% [markdown]
r"""
An answer may be right in part. SQuAD's official script counts the **exact match**, and an **F1** of
the words that two answers share, both after lower case, and without punctuation and articles; where
several answers count as right, the best of them is taken.

{{exercise 06.f1}}

Write `f1(said, true)` for two texts. `normalise` gives the words that count; `Counter` has an `&`.
"""

# %%
def normalise(text):
    """The words of an answer, as the official script compares them."""
    return mb.heads.spans.normalise_answer(text).split()


def f1(said, true):
    """F1 of the words of two answers."""
    score = 0.0
    ### BEGIN SOLUTION
    said, true = normalise(said), normalise(true)
    same = sum((Counter(said) & Counter(true)).values())
    score = 2 * same / (len(said) + len(true))
    ### END SOLUTION
    return score


# %%
mb.course.check("06.f1", f1)

# %% [markdown]
r"""
**Long passages.** A model reads no more than its positions allow, here as in BERT-base with
its 512. A longer passage is cut into windows that overlap (a new one begins every `stride` tokens),
each with the question in front; a token's scores come from the window in which it has most context
on both sides. `mb.heads.answer` does that, and gives back positions in the original text, in
characters. To save your time we learn from passages that fit into one window, which leaves the
stories out.

**No answer.** In SQuAD 2.0 the passage may not tell. The paper lets "no answer" be the span that
starts and ends at `[CLS]`, and says it where its score exceeds that of the best span by more than a
threshold $\tau$ (section 4.3). Our questions are of that kind; about one in four has no answer.
"""

# %%
questions = mb.world.task("qa_no_answer", seed=0)
learning, valid, test = ([e for e in part if e.info["kind"] != "story"][:count] for part, count in (
    (questions.train, 20 if SMOKE else 1000), (questions.valid, 20 if SMOKE else 200),
    (questions.test, 20 if SMOKE else 300)))
example = learning[0]
print(textwrap.fill(example.text, 100))
print("Q:", example.text_b, "| A:", example.text[slice(*example.span)] if example.span else None)

asked = [(e.text_b, e.text, e.span) for e in learning]
windows = mb.heads.span_examples(tokenizer, asked, max_length=config.max_length, stride=64)
print(f"{len(asked):,} questions in {len(windows):,} windows")

# %%
mb.seed_everything(0)
finder = mb.heads.SpanExtractor(copy.deepcopy(bert))
history = learn(finder, windows, passes=4)
mb.show.figure(mb.show.loss_curve(history, title="Learning to point at an answer",
                                  ylabel="loss (nats a window)"))

# %%
def readings(examples):
    """What the model thinks of each question: a list of `Reading`."""
    return mb.heads.answer(finder, [(e.text_b, e.text) for e in examples], tokenizer, no_answer=True,
                           max_length=config.max_length, stride=64, longest=12)


def truth(examples):
    """The answers that count as right: a list of texts, empty where there is none."""
    return [[e.text[slice(*e.span)]] if e.span else [] for e in examples]


on_valid, on_test = readings(valid), readings(test)
threshold = mb.heads.best_threshold(on_valid, truth(valid))
for name, tau in (("always an answer", math.inf), ("threshold 0", 0.0), ("tuned", threshold)):
    scores = mb.heads.squad_scores([one.said(tau) for one in on_test], truth(test))
    print(f"{name:>16}: exact match {scores['exact match']:.1f}, F1 {scores['f1']:.1f}")

# %% [markdown]
r"""
*Why not choose the threshold on the test questions?* A quiz at the end asks. Here is how F1 moves
with it, on the questions that it was tuned on and on the others:
"""

# %%
taus = torch.linspace(-8, 8, 65).tolist()
fig, ax = mb.show.new("F1 by the threshold for “no answer”", "threshold", "F1 (%)")
for name, found, examples in (("valid", on_valid, valid), ("test", on_test, test)):
    true = truth(examples)
    ax.plot(taus, [mb.heads.squad_scores([one.said(t) for one in found], true)["f1"] for t in taus],
            "-" if name == "test" else "--", label=name)
ax.axvline(threshold, color="grey", linestyle=":", label="chosen on valid")
ax.legend()
mb.show.figure(fig, alt="F1 on valid and on test by the threshold, and the one that was chosen.")

# %% [markdown]
r"""
The two curves are not highest at the same threshold: what is best on a few hundred questions is
partly luck.

## 6. Ask about a paragraph of your own

The bars are the model's two softmaxes over the tokens: how likely each is to start the answer, and
how likely to end it. Change the question by a word and watch both move. Ask something that the
paragraph does not tell, and look at the threshold. (This model knows nothing but its small world.
Names it has never seen are pieces to it.)
"""

# %%
portrait = ("A well-known face in Highmoor is the baker Ada Pell. She has a brother called Tom. "
            "She likes nothing better than dumplings, and in her free time she enjoys pottery.")
mb.show.AnswerExplorer(finder, portrait, "In which town does Ada Pell live?", no_answer=True,
                       threshold=max(-10.0, min(10.0, round(4 * threshold) / 4)),
                       examples=[(e.text, e.text_b) for e in test[:6]])

# %% [markdown]
r"""
*Predict before you try:* "In which town does Tom live?" Should that be answered, and will it be?
What if you say *Ada* in place of *Ada Pell*, or ask for a trade instead of a town?

## 7. Features or fine-tuning?

The other way, ELMo's, leaves the model as it is and learns something on top of its layers. It has
its merits: one run of the model serves many tasks, and the vectors can be computed once and kept.
The paper compares both on names (table 7): frozen layers below a bidirectional LSTM of two layers,
against one new layer and every weight learned.
"""

# %%
mb.course.source(mb.heads.LayerMix.forward)

# %%
mb.seed_everything(0)
frozen = mb.heads.LayerMix(copy.deepcopy(bert), layers=range(-config.layers, 0), how="concat")
on_features = mb.heads.TokenClassifier(frozen, labels=len(names.labels), lstm=96)
learn(on_features, read_words(tagged), passes=8, rate=3e-3)
f1_frozen, _ = name_f1(on_features, untagged)
print(f"F1 of names: {f1_frozen:.3f} on frozen features, {name_f1(tagger, untagged)[0]:.3f} fine-tuned")

# %% [markdown]
r"""
{{exercise 06.find_the_bug}}

A colleague classifies texts by the mean of their frozen vectors. "It is odd," he says. "The same
review is positive in one batch and negative in the next." Find out why, and mend it. `hidden` is
`(batch, length, dim)`, `mask` `(batch, length)` has 1 for a real token, `weight` is
`(dim, labels)`.
"""

# %%
def classify(hidden, mask, weight):
    """Logits (batch, labels) from the mean vector of each text."""
    pooled = hidden.mean(1)  # (batch, dim)
    ### BEGIN SOLUTION
    real = mask[..., None].to(hidden.dtype)  # (batch, length, 1)
    pooled = (hidden * real).sum(1) / real.sum(1)
    ### END SOLUTION
    return pooled @ weight


# %%
mb.course.check("06.find_the_bug", classify)

# %% [markdown]
r"""
## 8. Findings: how many labels does each task need?

One seed proves nothing. The full experiments (`make findings CH=06`) draw the examples, the new
layer and the order of the batches again for each of {{finding 06 labels.nli_tuned seeds}} seeds. From
scratch the same network learned for as long, and on few examples for longer (100 updates at least,
fine-tuning 60). Sections 8 to 10 used an earlier checkpoint, smaller than the model above and
trained on an earlier version of our text. Do not compare their heights with the cells above.
"""

# %%
found = mb.course.findings("06")
budgets = found.content["experiments"]["labels"]["config"]["budgets"]
titles = {"topic": "topic", "ner": "names", "nli": "inference", "qa": "questions"}
fig, axes = mb.show.new("Scores by the number of labelled examples", columns=4, size=(7.8, 3.9),
                        sharey=True)
for ax, (name, title) in zip(axes, titles.items(), strict=True):
    for way, label, look in (("tuned", "fine-tuned", "o-"), ("scratch", "from scratch", "s--")):
        runs = torch.tensor(found.values(f"labels.{name}_{way}"))  # (seeds, budgets)
        ax.errorbar([str(n) for n in budgets[name]], runs.mean(0), runs.std(0), fmt=look, capsize=4,
                    label=label)
    ax.axhline(found.mean(f"labels.{name}_baseline"), color="grey", ls=":", label="baseline")
    score = "F1" if name in ("ner", "qa") else "accuracy"
    ax.set(title=f"{title} ({score})", xlabel="examples", ylim=(0, 1))
    ax.title.set_fontsize(10)
    ax.margins(x=0.4)
axes[0].set_ylabel("score on the test")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9,
           title="mean and standard deviation")
mb.show.figure(fig, alt="Four tasks: scores by examples, fine-tuned, from scratch, and a baseline.")

# %% [markdown]
r"""
- {{claim 06 labels.topic_tuned_50 labels.topic_scratch_50 | topic: with 50 examples, fine-tuning beats training from scratch}}
- {{claim 06 labels.topic_tuned_50 labels.topic_scratch_400 | topic: with 50 examples it beats training from scratch on 400}}
- {{claim 06 labels.ner_tuned_100 labels.ner_scratch_100 | names: with 100 examples, fine-tuning beats training from scratch}}
- {{claim 06 labels.ner_tuned_100 labels.ner_scratch_400 | names: with 100 examples it beats training from scratch on 400}}
- {{claim 06 labels.ner_tuned_400 labels.ner_baseline | names: with 400 examples it beats a list of the words that were seen}}
- {{claim 06 labels.nli_tuned_1500 labels.nli_scratch_1500 | inference: with 1,500 examples, fine-tuning beats training from scratch}}
- {{claim 06 labels.nli_tuned_1500 labels.nli_baseline | inference: with 1,500 examples it beats the most frequent label}}
- {{claim 06 labels.qa_tuned_600 labels.qa_scratch_600 | questions: with 600 examples, fine-tuning beats training from scratch}}
- {{claim 06 labels.qa_tuned_600 labels.qa_baseline | questions: it beats the sentence that shares most words with the question}}

The tasks differ in what they ask of the model. What a text is about lies open in its words, and a
few examples are enough to say what is wanted. To tell entailment from contradiction, or to point at
an answer, two parts of the input must be compared, and no masked word ever asked for that in this
form. A better start helps here as well: with more examples, the newer model of section 5 points at
the right answer far more often. Inference remains the hardest of the four.

## 9. Findings: which layers, and is fine-tuning worth it?

The names again, with {{finding 06 layers.tuned seeds}} seeds and few examples, in the ways of the paper's
table 7. (BERT-base has twelve layers and the paper mixes the last four. The earlier checkpoint of
these runs has three, and all of them are mixed.)
"""

# %%
rows = {"embeddings": "embeddings", "last layer": "last", "sum of all layers": "sum_last",
        "all layers side by side": "concat_last", "weighted, as in ELMo": "weighted",
        "fine-tuned": "tuned"}
figure = mb.show.spread({row: found.values(f"layers.{name}") for row, name in rows.items()},
                        title="Names: frozen layers below an LSTM, and fine-tuning", xlabel="F1 of names")
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 06 layers.last layers.embeddings | the last layer is a better feature than the embeddings}}
- {{claim 06 layers.concat_last layers.last | all layers side by side are better than the last one}}
- {{claim 06 layers.concat_last layers.sum_last | side by side they are better than their sum}}
- {{claim 06 layers.tuned layers.last | fine-tuning beats the last layer as a feature}}
- {{claim 06 layers.tuned layers.concat_last | fine-tuning beats all layers as features}}

The paper (table 7, F1 on the development set of CoNLL-2003, BERT-base): embeddings 91.0,
second-to-last layer 95.6, last layer 94.9, weighted sum of the last four 95.9, the last four side
by side 96.1, weighted sum of all twelve 95.5, fine-tuned 96.4. Both ways work; the best features
come within half a point.

Before you read our figures as a verdict on features, ask what the task is. In this small world most
names are told by their words alone: a list of the words that were seen in 400 sentences reaches an
F1 of {{finding 06 labels.ner_baseline mean .3f}}. So the embeddings already knew much of what this task
asks, and in these runs fine-tuning was not shown to be better. The newer and larger model of
section 7 differs: there, on one seed, fine-tuning is clearly ahead of the frozen layers. The wide
interval of the last layer is one failed run among five: section 10.

## 10. Findings: how much of it is luck?

Devlin et al. met runs of their large model that failed on small data sets, restarted them several
times, and took the best on the development set (section 4.1). Dodge et al. (2020) looked closer.
Two things differ between seeds, the first weights of the new layer and the order of the examples;
in their runs both mattered about equally. Here the same {{finding 06 restarts.mean seeds}} draws of
a hundred texts are each learned seven times: four new layers with one order, four orders with one
new layer. A line is the mean of the seven.
"""

# %%
runs = found.values("restarts.runs")  # a list for each draw of the examples
fig, ax = mb.show.new("Topic from 100 texts: seven runs on the same examples", "draw of the examples",
                      "accuracy on the test")
for number, values in enumerate(runs):
    ax.plot([number] * len(values), values, "o", alpha=0.6, color=mb.show.PALETTE["blue"])
    ax.plot(number, sum(values) / len(values), "_", ms=26, color=mb.show.PALETTE["vermillion"])
ax.set_xticks(range(len(runs)))
mb.show.figure(fig, alt="For each draw of examples, seven runs as dots, and their mean as a line.")

# %% [markdown]
r"""
The standard deviation of seven runs on the same examples is {{finding 06 restarts.spread mean .3f}} on
average; over the new layers alone it is {{finding 06 restarts.spread_first_weights mean .3f}}, over the
orders alone {{finding 06 restarts.spread_order mean .3f}}.

- {{claim 06 restarts.best restarts.mean | the restart that is best on validation is better on the test than the mean restart}}
- {{claim 06 restarts.spread_order restarts.spread_first_weights | the order of the data matters more than the first weights}}

Here the first weights matter more, and choosing the best restart on validation texts is
not shown to help. In the figure, the draw of the examples matters more than either.

Dodge et al. (2020) fine-tuned BERT hundreds of times on each of four small tasks. The best of their
runs was well above what had been published for it, with nothing changed but the seed. Keep that in
mind when a table shows one number a model.

{{exercise 06.luck}}

A paper shows a table: on a data set of 500 examples, the old model 71.2, the new one 72.6. "We took
the best of ten restarts of our model on the development set." In four to six sentences: what do you
believe, what differs between two runs of one program, and what would you ask for?
"""

# %% [markdown] written="06.luck"
r"""
Two runs of one program differ in the first weights of the new layer, in the order of the examples
and in what dropout takes away; if the examples were drawn, in those too. On 500 examples that alone
moves the score by more than the difference in the table. The new model had ten tries and the old
one perhaps one, and the best of ten is high by construction, whatever the model. So I believe
nothing yet. I would ask for the same number of runs on both sides, chosen (if at all) by the same
rule on the development set, with mean and spread or all the values shown, on the same draws so that
differences can be paired, and for a test that was looked at once.
"""

# %% [markdown]
r"""
## 11. Findings: do larger models help on small tasks?

One might think that a large model needs much data. The paper found the contrary (table 6): larger
models were better on all four tasks that were tried, one of them with 3,600 examples. Here three
models, each pre-trained for equally many updates on the same text, are fine-tuned on two hundred
examples.
"""

# %%
shapes = found.content["experiments"]["sizes"]["config"]["sizes"]
counts = found.values("sizes.parameters")[0]
fig, ax = mb.show.new("Two hundred examples, three sizes", "weights in the blocks (layers x width)",
                      "score on the test")
for name, label, look in (("ner", "names (F1)", "o-"), ("topic", "topic (accuracy)", "^--")):
    scores = torch.tensor(found.values(f"sizes.{name}"))  # (seeds, sizes)
    ax.errorbar(counts, scores.mean(0), scores.std(0), fmt=look, capsize=4, label=label)
ax.set(xscale="log", ylim=(0, 1))
ax.set_xticks(counts, [f"{n:,.0f}\n({depth} x {dim})" for n, (dim, depth) in
                       zip(counts, shapes, strict=True)])
ax.minorticks_off()
ax.legend(title="mean and standard deviation")
mb.show.figure(fig, alt="Scores on names and topic by the number of weights of three models.")

# %% [markdown]
r"""
- {{claim 06 sizes.ner_2 sizes.ner_0 | names: the largest of the three beats the smallest}}
- {{claim 06 sizes.ner_2 sizes.ner_1 | names: the largest beats the second largest}}
- {{claim 06 sizes.topic_2 sizes.topic_0 | topic: the largest of the three beats the smallest}}
- {{claim 06 sizes.topic_2 sizes.topic_1 | topic: the largest beats the second largest}}

The paper's own (table 6, development sets, average of five restarts): from 3 layers of 768 to 24 of
1,024, MNLI rises from 77.9 to 86.6, MRPC (3,600 examples) from 79.8 to 87.8, SST-2 from 88.4 to
93.7. Equal updates are not equal cost: the larger model has also computed more. Chapter 05 asks
about that.

## 12. The real thing

The published weights load into the same class (`mb.BERT.from_pretrained(folder)`, chapter 05), and
every head works on them. Fine-tuning on real data is one command a task; data that are not here are
named with what to do. `minibert-bert-english` is a small BERT (4 layers of 256) that has read
Wikipedia and novels for a good hour on one core; any folder with a BERT will do in its place:

```bash
minibert finetune bert --recipe snli-cpu    --start minibert-bert-english --out snli
minibert finetune bert --recipe wikiann-cpu --start minibert-bert-english --out wikiann
minibert finetune bert --recipe squad-cpu   --start minibert-bert-english --out squad
```

Each prints, and writes to `results.json`: fine-tuned, features, from scratch, and a baseline that
hardly learns (the most frequent label; each word's most frequent label; the sentence that shares
most words with the question). What they found here, once:
"""

# %%
real = mb.course.findings("real")
for task, score in (("snli", "accuracy"), ("wikiann", "entity_f1"), ("squad", "f1")):
    names = {way: f"{task}.{way.replace(' ', '_').replace('-', '_')}_{score}"
             for way in ("fine-tuned", "features", "from scratch", "baseline")}
    runs = {way: real.values(name) for way, name in names.items()}
    seeds = len(runs["baseline"])
    print(f"{task}, {score} on the test over {seeds} seed{'s' * (seeds > 1)}:")
    for way, values in runs.items():
        print(f"  {way:>12}: " + ", ".join(f"{value:.1%}" for value in values))

# %% [markdown]
r"""
- {{claim real snli.fine_tuned_accuracy snli.from_scratch_accuracy | SNLI: fine-tuned beats from scratch}}
- {{claim real snli.fine_tuned_accuracy snli.features_accuracy | SNLI: fine-tuned beats frozen features}}
- {{claim real wikiann.fine_tuned_entity_f1 wikiann.from_scratch_entity_f1 | names in Wikipedia: fine-tuned beats from scratch}}
- {{claim real wikiann.fine_tuned_entity_f1 wikiann.features_entity_f1 | names in Wikipedia: fine-tuned beats frozen features}}

BERT-base reaches 88.5 F1 on SQuAD 1.1 (Devlin et al. 2019, table 2), with 88,000 questions to learn
from: it is twenty times as large, and has read a hundred times as much text, forty times over.
Here, on a single seed, every trained model stays below the baseline on SQuAD: from so few questions
it has not learned the task. On SNLI fine-tuning beats the frozen features, and its lead over
training from scratch is not shown. On the names in Wikipedia pre-training helps, but the frozen
features are better than fine-tuning.
"""

# %% [markdown]
r"""
## 13. Summary

- One model and one small new layer for each task: `[CLS]` for texts and pairs, first pieces for
  words, two vectors for spans. Everything is trained, gently and for a few passes.
- Labels belong to words, characters or texts, and the model reads pieces. Most bugs live in
  between.
- "No answer" is a score like others, and its threshold is chosen on validation questions.
- Frozen layers are good features, and cheap where one text serves many tasks.
- Few labels: much is won by pre-training, and much is luck. Say how often you tried.

{{quiz 06.q1}}

{{quiz 06.q2}}

{{quiz 06.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Devlin et al. (2019), [arXiv:1810.04805](https://arxiv.org/abs/1810.04805). Dodge et
al. (2020), [arXiv:2002.06305](https://arxiv.org/abs/2002.06305). Rajpurkar et al. (2016), *SQuAD*,
[arXiv:1606.05250](https://arxiv.org/abs/1606.05250), and (2018), *Know What You Don't Know*,
[arXiv:1806.03822](https://arxiv.org/abs/1806.03822). Bowman et al. (2015), *A large annotated corpus for
learning natural language inference*, [arXiv:1508.05326](https://arxiv.org/abs/1508.05326). Peters, Ruder &
Smith (2019), *To Tune or Not to Tune?*, [arXiv:1903.05987](https://arxiv.org/abs/1903.05987). Mosbach et
al. (2021), *On the Stability of Fine-tuning BERT*, [arXiv:2006.04884](https://arxiv.org/abs/2006.04884).
D2L, [chapter 16](https://d2l.ai/chapter_natural-language-processing-applications/index.html), fine-tunes
BERT on SNLI.
"""
