# ---
# jupyter:
#   minibert:
#     title: BERT, fine-tuning
#     question: Can one model answer four kinds of question, with one new layer for each?
#     minutes: 90
#     seconds: 60
#     memory_mb: 1000
#     needs: ["chapter 05 (BERT and its pre-training)", "chapter 02 (frozen layers as features)"]
#     skip: "the parts marked optional: sections 7 and 8, and the exercises 06.rate, 06.names and 06.f1 (about an hour)"
#     papers:
#       - "Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers, arXiv:1810.04805, sections 4 and 5"
#       - "Dodge et al. (2020), Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders, and Early Stopping, arXiv:2002.06305"
# ---

# %% [markdown]
r"""
# 06 · BERT, fine-tuning: can one model answer four kinds of question, with one new layer for each?

{{head}}

Until 2018 most tasks had an architecture of their own: one network for inference, with attention
between the two sentences, another for names, with a layer that preferred plausible sequences of
tags, and a third, very intricate one for questions. ELMo (chapter 02) improved these networks and
left them as they were. GPT (chapter 07) replaced them with one pre-trained Transformer and one new
layer for each task. BERT does the same with a network that uses the context on both sides. What
remains is the model of chapter 05, a new layer that fits on one line, and a few minutes of training
in which *every* weight moves.
"""

# %%
import copy
import re
from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
bert = mb.BERT.from_pretrained("minibert-bert")
tokenizer, config = bert.tokenizer, bert.config
device = next(bert.parameters()).device
print(f"{config.layers} layers of {config.dim}, {len(tokenizer):,} pieces, "
      f"{sum(p.numel() for p in bert.parameters()):,} weights")

# %% [markdown]
r"""
## 1. A model that answers

`minibert-bert-qa` is the BERT of chapter 05 after fine-tuning on eight thousand questions about
short texts of our world. Each question comes with a text. The answer is a few words of that text,
or nothing, if the text does not tell. (About a quarter of the questions have no answer, so a model
cannot simply point at something.) The first text below is a typical one. In the second we have
changed three facts, two of them into what the world never has: in all that the model has read,
nobody's favourite food is a hobby.
"""

# %%
reader = mb.heads.SpanExtractor.from_pretrained("minibert-bert-qa").eval()
portrait = ("A well-known face in Highmoor is the baker Ada Pell. She has a brother called Tom. "
            "She likes nothing better than dumplings. In her free time, she enjoys pottery.")
nonsense = ("A well-known face in Highmoor is the potter Ada Pell. She has a brother called Tom. "
            "She likes nothing better than sailing. In her free time, she enjoys dumplings.")
questions = ["Where does Ada Pell live?", "What is the trade of Ada Pell?",
             "What does Ada Pell like to eat best?", "What is the hobby of Ada Pell?",
             "Where was Ada Pell born?", "What does Clara Jarvis like to eat best?"]
LIMITS = {"no_answer": True, "longest": 12, "max_length": config.max_length, "stride": 64}


def answers(model, pairs):
    """What a reader says to (question, text) pairs, "" for no answer."""
    return [reading.best.text for reading in mb.heads.answer(model, pairs, **LIMITS)]


# %% [markdown]
r"""
*Predict before you run:* which of the six questions have an answer in the texts? And what does a
model say about the favourite food in the second text: the food that it has often read about, or
the word that stands there?
"""

# %%
print(portrait, nonsense, sep="\n\n")
said = answers(reader, [(q, text) for text in (portrait, nonsense) for q in questions])
for number, question in enumerate(questions):
    first, second = said[number], said[number + len(questions)]
    print(f"{question:<42} {first or '(no answer)':<14} {second or '(no answer)'}")

# %% [markdown]
r"""
In the first text the model finds all four facts. From the second it takes the trade and the hobby
that stand there now. The favourite food begins, as it should, at *sailing*, which the model has
never seen as a food. But then the answer runs on to *dumplings*, the only food in sight: the
start and the end of an answer have two separate scores (section 6), and here the score of the end
prefers a food.

The last two questions are traps. The texts do not say where Ada Pell was born, and they say
nothing of anybody else's food. The model falls into both. In the first it takes the only town in
the text, although its training had questions of just this kind. In the second it gives Ada Pell's
food, although the text does not name Clara Jarvis at all. Its training had no such question: there,
a question without an answer was always about somebody or something that the text names. Section 6
counts how often it falls into traps of both kinds.

Three cheap ways to answer stand beside the model, on questions that it has never seen:

- **nothing**: always say "no answer", which is right whenever there is none;
- **nearest phrase**: the phrase that stands nearest to the words of the question;
- **known answers**: a list of all answers to the task's training questions, kind by kind. It says
  the most frequent one that stands in the text. The list is even told which kind of question it is.

The cells print the share of right answers, and a picture then shows it for some kinds of question.
"""

# %%
task = mb.world.task("qa_no_answer", seed=0)
learning, valid, test = ([e for e in part if e.info["kind"] != "story"]
                         for part in (task.train, task.valid, task.test))
if SMOKE:
    learning, valid, test = learning[:60], valid[:20], test[:40]


def truth(example):
    """The right answer, "" where there is none."""
    return example.text[slice(*example.span)] if example.span else ""


known = {}
for example in learning:
    known.setdefault(example.info["relation"], Counter())[truth(example)] += 1


def look_up(example):
    """The most frequent known answer to this kind of question that stands in the text."""
    counts = known.get(example.info["relation"], {})
    there = [(n, words) for words, n in counts.items() if words and words in example.text]
    return max(there, default=(0, ""))[1]


# %%
frequent = Counter(word.lower() for e in learning for word in mb.text.tokenise(e.text))
LITTLE = {word for word, _ in frequent.most_common(60)}  # the, of, was, ...: never an answer


def nearest(question, text):
    """The phrase nearest to the question's words: neither frequent words, nor the question's."""
    asked = {word.lower() for word in mb.text.tokenise(question)} - LITTLE
    words = mb.text.tokenise(text)
    places = [i for i, word in enumerate(words) if word.lower() in asked]
    free = [i for i, word in enumerate(words)
            if word[0].isalnum() and word.lower() not in asked | LITTLE]
    if not places or not free:
        return ""
    start = stop = min(free, key=lambda i: min(abs(i - p) for p in places))
    while start - 1 in free:
        start -= 1
    while stop + 1 in free:
        stop += 1
    return " ".join(words[start : stop + 1])


# %%
ways = {"the reader": answers(reader, [(e.text_b, e.text) for e in test]),
        "known answers": [look_up(e) for e in test],
        "nearest phrase": [nearest(e.text_b, e.text) for e in test],
        "nothing": [""] * len(test)}
kinds = {"trade": "trade", "lives in": "living", "food": "food", "hobby": "hobby", "team": "team",
         "spouse": "spouse", "pet": "pet"}


def right(said, kind=None):
    """Share of the questions answered word for word: all, of a kind, or those without an answer."""
    hits = [words == truth(e) for words, e in zip(said, test, strict=True)
            if kind is None or (e.info["relation"] == kind and e.span)
            or (kind == "none" and not e.span)]
    return sum(hits) / max(1, len(hits))


for name, said in ways.items():
    print(f"{name:>15}: {right(said):5.1%} of {len(test)} questions right; "
          f"{right(said, 'none'):.0%} of those without an answer")
print(f"(The list holds the answers to {len(learning):,} questions.)")

# %%
rows = {**{label: kind for kind, label in kinds.items()}, "no answer": "none", "all": None}
fig, ax = mb.show.new("Questions answered word for word", "", "share right", size=(8.4, 3.6))
looks = {"the reader": ("blue", ""), "known answers": ("orange", "//"),
         "nearest phrase": ("green", ".."), "nothing": ("grey", "xx")}
for number, (name, said) in enumerate(ways.items()):
    shares = [right(said, kind) for kind in rows.values()]
    colour, hatch = looks[name]
    ax.bar([x + 0.2 * number for x in range(len(rows))], shares, 0.2, label=name, hatch=hatch,
           color=mb.show.PALETTE.get(colour, "#7f7f7f"), edgecolor="white")
ax.set_xticks([x + 0.3 for x in range(len(rows))], list(rows))
ax.set_ylim(0, 1.05)
ax.legend(ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12))
mb.show.figure(fig, alt="Bars by kind of question, share answered word for word: the reader, known "
               "answers, nearest phrase, nothing. All questions: " + ", ".join(
                   f"{name} {right(said):.0%}" for name, said in ways.items()) + ".")

# %% [markdown]
r"""
The nearest phrase is almost never right: the answer seldom stands next to the name. The list of
known answers is a serious opponent in a world with so few foods and towns. For teams, and for
where somebody lives, it does as well as the reader in this picture. It can fail where the text
holds two towns or two foods, where the text does not tell, and where the right answer has never
been one before. And it comes from fewer questions than the eight thousand of the reader.

The table shows the same comparison over {{finding 06 reader.exact seeds}} draws of the task, this one
among them. In its third and fourth row the list is made from the reader's own eight thousand
questions. Then it is right in {{finding 06 known_answers.exact mean .0%}} of the questions, where it
was in {{finding 06 reader.looked_up_exact mean .0%}}. It knows more answers, and for the same reason
it says more often something where the text does not tell.

The last row takes texts in which a word that never answered such a question stands in place of the
answer, as in the second text above. A list of known answers cannot give such a word at
all. The reader says exactly that word in {{finding 06 reader.changed mean .0%}} of these texts. It
finds an ordinary food in {{finding 06 reader.right_food mean .0%}} of the texts that have one.

{{findings 06
| the reader answers more questions than the list of known answers | reader.exact - reader.looked_up_exact | percent | not measured |
| ... and tells more often that there is no answer | reader.right_none - reader.looked_up_none | percent | not measured |
| with as many questions: the reader answers more than the list | reader.exact - known_answers.exact | percent | not measured |
| ... and tells more often that there is no answer | reader.right_none - known_answers.none | percent | not measured |
| an ordinary food is found more often than an odd word in place of an answer | reader.right_food - reader.changed | percent | not measured |
}}

So the model does more than recall answers: most of the time it gives the word that stands in this
text, even one that has never answered such a question. (A list of the phrases
around answers can do that, too. In two trials, with the reader's own questions, such a list gave
the odd word at least as often as the reader. But it answered fewer of all questions, fewer even
than the list of known answers.) It began as a network that could only fill gaps, and the new part
of it is one layer. The rest of this chapter builds every step of the way.

## 2. Four tasks, four new layers

Everything a task needs is in the last hidden states, one vector for each token. Tasks differ in
which of these vectors the new layer reads. The picture follows figure 4 of the paper:
"""

# %% tags=["hide-input"]
from matplotlib.patches import Rectangle

box = {"boxstyle": "round,pad=0.3", "edgecolor": "#5f5f5f"}
drawn = {
    "a text: topic, sentiment": (["[CLS]", "she", "saw", "it", "[SEP]"], {0: "label"}, 5),
    "two texts: does one follow?": (["[CLS]", "it", "rains", "[SEP]", "wet", "[SEP]"], {0: "label"},
                                    4),
    "words: names": (["[CLS]", "Ada", "Pell", "##man", "left", "[SEP]"],
                     {1: "B-PER", 2: "I-PER", 4: "O"}, 6),
    "a span: questions (every token has both scores)": (
        ["[CLS]", "who", "?", "[SEP]", "Ada", "Pell", "left", "[SEP]"], {4: "start", 5: "end"}, 4),
}


# %% tags=["hide-input"]
def draw_task(ax, title, tokens, asked, second):
    """The body with its input below, and above it what is asked; second: where the text begins."""
    ax.set_axis_off()
    ax.set_title(title, fontsize=10)
    width = len(tokens) - 1
    ax.add_patch(Rectangle((-0.4, 0.8), width + 0.8, 0.4, facecolor="#eeeeee", edgecolor="#5f5f5f"))
    ax.text(width / 2, 1, "BERT", ha="center", va="center", fontsize=9.5)
    for x, token in enumerate(tokens):
        face = "#f6d9a0" if x >= second else "#9fd0f0"
        ax.text(x, 0, token, ha="center", va="center", fontsize=8.5,
                bbox={**box, "facecolor": face})
        ax.annotate("", (x, 0.8), (x, 0.25), arrowprops={"arrowstyle": "->", "color": "#9f9f9f"})
        if x in asked:
            ax.annotate("", (x, 1.75), (x, 1.2), arrowprops={"arrowstyle": "->"})
            ax.text(x, 2, asked[x], ha="center", va="center", fontsize=8.5,
                    bbox={**box, "facecolor": "#c9e7c9"})
        elif "span" in title:  # the scores that lose
            ax.annotate("", (x, 1.6), (x, 1.2), arrowprops={"arrowstyle": "->", "color": "#9f9f9f"})
    ax.set(xlim=(-0.7, width + 0.7), ylim=(-0.4, 2.4))


# %% tags=["hide-input"]
fig, axes = mb.show.new("One body, four tasks", size=(9.4, 5), rows=2, columns=2)
for ax, (title, parts) in zip(axes.flat, drawn.items(), strict=True):
    draw_task(ax, title, *parts)
mb.show.figure(fig, alt="Four panels with the same body. A text and a pair of texts get a label "
               "from [CLS]; words get labels from their first pieces; of a span, all tokens have "
               "scores, and one of them is the start, another the end.")

# %% [markdown]
r"""
| the task | what BERT reads | what is asked | new weights for width $d$ |
|---|---|---|---|
| a label for a text (topic, sentiment) | `[CLS] text [SEP]` | the state of `[CLS]` | $K d + K$ |
| a label for a pair (inference, paraphrase) | `[CLS] text [SEP] text [SEP]` | the state of `[CLS]` | $K d + K$ |
| a label for each word (names) | `[CLS] words [SEP]` | the state of each word's first piece | $K d + K$ |
| a span of a text (questions) | `[CLS] question [SEP] text [SEP]` | every state, twice: start? end? | $2 d + 2$ |

with $K$ the number of labels. In the library, a model together with its new layer is a *head*. The
model below the new layer is the *body* of the head:
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
## 3. A label for a text, and the loop that learns it

Which kind of text do three sentences come from: a story, a letter, a lesson ...? With $C$ the
vector of `[CLS]` after the pooler (chapter 05: a linear layer and tanh, trained on next sentences),
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


def in_batches(examples, size=16):
    """A list of batches on the model's device."""
    padded = mb.text.PaddedBatches(examples, size, pad_id=tokenizer.pad_id)
    return [{name: x.to(device) for name, x in batch.items()} for batch in padded]


batch = in_batches(read_texts(topics.train[:8], topics.labels))[0]
print({name: tuple(tensor.shape) for name, tensor in batch.items()})

# %% tags=["nbval-check-output"]
head = mb.heads.SequenceClassifier(bert, labels=len(topics.labels)).eval()
out = bert(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
C = torch.tanh(bert.pooler.dense(out.last_hidden_state[:, 0]))  # (batch, dim)
logits = C @ head.output.weight.T + head.output.bias  # (batch, labels)
by_hand = F.cross_entropy(logits, batch["labels"], reduction="sum")
theirs, count = head.loss(batch)
assert torch.allclose(by_hand, theirs, atol=1e-4)
print("the head and the formula agree, on", count, "texts")

# %% [markdown]
r"""
Training is what it was in pre-training, with a fresh optimiser: AdamW, a short warm-up, then down
to zero. The paper's ranges (appendix A.3) are batches of 16 or 32, rates of 2e-5 to 5e-5 and 2 to 4
passes over the examples. Our model is far smaller than BERT-base, and it learns well at a higher
rate: 1e-3 was chosen after a few trials on validation examples of another draw. Training from
scratch has the same rate, which was also the best of three for it (3e-4, 1e-3 and 3e-3). You write
this loop yourself, in two steps.

{{exercise 06.rate}}

(Optional.) Write `rate_at(step, steps, top)`, the learning rate of update `step` (0, 1, ...,
`steps - 1`). The first tenth of the updates, `warmup = steps // 10` of them, is the warm-up. The
rate is `top` times the smallest of three factors: 1;
$(\mathtt{step} + 1) / (\mathtt{warmup} + 1)$, which rises; and
$(\mathtt{steps} - \mathtt{step}) / (\mathtt{steps} - \mathtt{warmup})$, which falls.
"""

# %%
def rate_at(step, steps, top):
    """The learning rate of an update."""
    rate = 0.0
    ### BEGIN SOLUTION
    warmup = steps // 10
    rise = (step + 1) / (warmup + 1)
    fall = (steps - step) / (steps - warmup)
    rate = top * min(1.0, rise, fall)
    ### END SOLUTION
    return rate


# %%
mb.course.check("06.rate", rate_at)

# %%
rate_at = mb.course.use("06.rate", rate_at)

# %% [markdown]
r"""
{{exercise 06.fine_tune}}

Write `fine_tune(weights, loss, batches, top, passes)`. It trains all `weights`, a list of tensors,
and leaves the lists as they are. It returns a list with one number for each update: the mean loss
of its batch, before the update, by `.item()`.

1. Make one `torch.optim.AdamW` with two groups. Weights with two or more dimensions have a weight
   decay of 0.01; biases and LayerNorms, which have one dimension, have none.
2. Go over the list `batches`, in its order, `passes` times. `loss(batch)` gives two things: the sum
   of the losses of a batch, and the number of its examples. Train on their quotient, the mean.
   (Only `loss` needs to know what a batch is.)
3. Before each update, set the rate of every group by `rate_at`, counting all updates of all passes.
4. Limit the length of the whole gradient to 1: `nn.utils.clip_grad_norm_(weights, 1.0)`.
"""

# %%
def fine_tune(weights, loss, batches, top, passes):
    """Train the weights; the mean loss of every update."""
    losses = []
    ### BEGIN SOLUTION
    matrices = [w for w in weights if w.ndim >= 2]
    others = [w for w in weights if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=top)
    steps = passes * len(batches)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, top)
        total, count = loss(batches[step % len(batches)])
        mean = total / count
        optimizer.zero_grad()
        mean.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(mean.item())
    ### END SOLUTION
    return losses


# %%
mb.course.check("06.fine_tune", fine_tune)

# %%
fine_tune = mb.course.use("06.fine_tune", fine_tune)

# %% [markdown]
r"""
Now fifty labelled texts, nine kinds of text, and three ways to learn: the pre-trained network, the
same network from random weights with twice as many updates, and a **bag of words**, which is
logistic regression on the counts of words. *Predict before you run:* how many of the new texts
does each of them classify correctly? A blind guess is right once in nine.
"""

# %%
def accuracy(head, examples):
    """The share of examples with the right label."""
    said = [int(logits.argmax()) for logits in mb.heads.run(head, examples)]
    return sum(a == e["labels"] for a, e in zip(said, examples, strict=True)) / len(examples)


few = topics.train[: 20 if SMOKE else 50]
batches, test_texts = (read_texts(some, topics.labels) for some in
                       (few, topics.test[: 40 if SMOKE else 200]))
batches = in_batches(batches)
wide = copy.deepcopy(config)
wide.init_std = 0.6 / config.dim**0.5  # the spread of BERT-base's first weights, for this width
starts = {"pre-trained": (copy.deepcopy(bert), 15), "from scratch": (mb.BERT(wide, tokenizer), 30)}
curves, shares = {}, {}
for name, (start, passes) in starts.items():
    mb.seed_everything(0)
    head = mb.heads.SequenceClassifier(start.to(device), labels=len(topics.labels)).train()
    passes = 1 if SMOKE else passes
    curves[name] = fine_tune(list(head.parameters()), head.loss, batches, 1e-3, passes)
    shares[name] = accuracy(head.eval(), test_texts)
    print(f"{name:>12}: {shares[name]:.1%} right after {len(curves[name])} updates")
words = mb.models.cheap.WordCounts().fit(few, topics.valid[:200])
print(f"bag of words: {words.score(topics.test[:200]):.1%}")

# %%
fig, ax = mb.show.new("Fifty texts, two beginnings", "updates", "loss (nats per text)")
for (name, losses), look in zip(curves.items(), ("-", "--"), strict=True):
    ax.plot(range(1, len(losses) + 1), losses, look, label=name)
ax.set_ylim(0)
ax.legend()
ends = ", ".join(f"{name} ends at {losses[-1]:.2f}" for name, losses in curves.items())
mb.show.figure(fig, alt=f"Loss on the training texts by update: {ends}.")

# %% [markdown]
r"""
Both networks learn the fifty texts by heart: both losses fall almost to zero. They differ on texts
that they have not seen. The same comparison over {{finding 06 labels.topic_tuned seeds}} seeds, each with
other texts to learn from, other first weights and another order:

{{findings 06
| topic, 50 labels: fine-tuned beats from scratch | labels.topic_tuned - labels.topic_scratch | percent | not measured |
| topic, 50 labels: fine-tuned beats a bag of words | labels.topic_tuned - labels.topic_words | percent | not measured |
| fine-tuned on 50 beats a bag of words on 200 | labels.topic_tuned - labels.topic_words_more | percent | not measured |
| topic, 50 labels: fine-tuned beats the same network, frozen (section 7) | labels.topic_tuned - frozen.topic | percent | not measured |
}}

A kind of text shows in its words. A bag of words that has seen four times as many texts comes close
to the network with fifty: the third row does not tell them apart. So pre-training saves many labels
here.

The last row compares two ways to use the pre-trained network. If it is frozen, with one new layer
on the mean of its vectors (four layers side by side; section 7 takes the last), it classifies
{{finding 06 frozen.topic mean .1%}} of the texts correctly on average. If it is fine-tuned, it
classifies {{finding 06 labels.topic_tuned mean .1%}} correctly. On this task, with so few labels,
these draws show no gain from training every weight.
"""

# %% [markdown]
r"""
## 4. A label for each word

Names are marked in the **IOB2** way: `B-PER` begins a person, `I-PER` continues it, and `O` is no
name. The labels belong to words, and BERT reads pieces. The paper's answer (section 5.3): the
label stands at the *first* piece of its word, and the loss leaves the other pieces out. They are
read all the same.
"""

# %% tags=["hide-input"]
fig, ax = mb.show.new("Words, pieces and labels", size=(8.2, 2.7))
ax.set_axis_off()
shown = [("Ada", "B-PER", ["Ada"]), ("Pellman", "I-PER", ["Pell", "##man"]),
         ("left", "O", ["left"]), ("Ulverton", "B-LOC", ["Ul", "##ver", "##ton"]),
         (".", "O", ["."])]
columns = [(piece, "" if i else label) for _, label, pieces in shown
           for i, piece in enumerate(pieces)]
columns = [("[CLS]", ""), *columns, ("[SEP]", "")]
box = {"boxstyle": "round,pad=0.3", "edgecolor": "#5f5f5f"}
x = 1
for word, _, pieces in shown:
    ax.text(x + (len(pieces) - 1) / 2, 2, word, ha="center", va="center", fontsize=10)
    for i in range(len(pieces)):
        ax.plot([x + (len(pieces) - 1) / 2, x + i], [1.8, 1.3], color="#9f9f9f")
    x += len(pieces)
for x, (piece, label) in enumerate(columns):
    ax.text(x, 1, piece, ha="center", va="center", fontsize=9, bbox={**box, "facecolor": "#9fd0f0"})
    ax.text(x, 0, label or "-100", ha="center", va="center", fontsize=9,
            bbox={**box, "facecolor": "#c9e7c9" if label else "#eeeeee"})
for y, name in ((2, "words"), (1, "pieces"), (0, "labels")):
    ax.text(-1.1, y, name, ha="center", va="center", fontsize=10)
ax.set(xlim=(-1.7, len(columns) - 0.4), ylim=(-0.4, 2.4))
mb.show.figure(fig, alt="Five words, their pieces, and below each piece its label: the first piece "
               "of a word has the word's label; further pieces, [CLS] and [SEP] have -100.")

# %% [markdown]
r"""
{{exercise 06.align}}

Write `align(words, labels, encode, cls_id, sep_id)`, which returns two lists: the ids of `[CLS]`,
all pieces and `[SEP]`, and a label for each of them. `encode(word)` gives the list of a word's
pieces, `labels` are numbers, and -100 (`IGNORE`) is "no label here", which `F.cross_entropy`
leaves out.
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
align = mb.course.use("06.align", align)

# %% [markdown]
r"""
Your function now reads the sentences of the task, and your loop learns from two hundred of them.
"""

# %%
named = mb.world.task("ner", seed=0)


def read_words(examples):
    """Tagged sentences as BERT reads them."""
    found = []
    for e in examples:
        numbers = [named.labels.index(label) for label in e.labels]
        ids, marks = align(e.tokens, numbers, tokenizer.encode, tokenizer.cls_id, tokenizer.sep_id)
        found.append({"input_ids": ids[: config.max_length], "labels": marks[: config.max_length]})
    return found


tagged, untagged = named.train[: 40 if SMOKE else 200], named.test[: 40 if SMOKE else 200]
mb.seed_everything(0)
tagger = mb.heads.TokenClassifier(copy.deepcopy(bert), labels=len(named.labels)).train()
losses = fine_tune(list(tagger.parameters()), tagger.loss, in_batches(read_words(tagged)), 1e-3,
                   1 if SMOKE else 5)
print(f"loss {losses[0]:.2f} at the first update, {losses[-1]:.2f} at the last of {len(losses)}")

# %% [markdown]
r"""
Most words are no name, so the share of words with the right label says little. The usual score
counts whole names: a name is right only if its kind and both of its ends are. For that, labels must
become names.

{{exercise 06.names}}

(Optional.) Write `names(labels)` for the labels of one sentence. It returns a set of triples
`(first, behind, kind)`: the number of the first word, the number of the word *behind* the last (so
that `words[first:behind]` is the name), and the kind, which is all that stands behind the first
`-`: `"PER"`, or in some data sets `"creative-work"`. An `I-` that continues nothing, at the
beginning, after `O` or after another kind, begins a new name.
"""

# %%
def names(labels):
    """{(first word, the one behind the last, kind), ...} of a sentence."""
    found = set()
    ### BEGIN SOLUTION
    start, kind = 0, None
    for place, label in enumerate([*labels, "O"]):
        mark, _, here = label.partition("-")
        if kind is not None and (mark != "I" or here != kind):
            found.add((start, place, kind))
            kind = None
        if kind is None and mark != "O":
            start, kind = place, here
    ### END SOLUTION
    return found


# %%
mb.course.check("06.names", names)

# %%
names = mb.course.use("06.names", names)

# %% [markdown]
r"""
With $\mathrm{TP}$ the names that were said and are true, **precision** is $\mathrm{TP}$ over all
names that were said, **recall** is $\mathrm{TP}$ over all that are there, and $F_1$ is their
harmonic mean, which is $2\,\mathrm{TP}$ over the sum of both numbers. The baseline gives each word
the label that it had most often in the same two hundred sentences, and `O` to words that it has
never seen.
"""

# %%
def name_f1(said, true):
    """F1 of whole names; both are lists of sentences, lists of labels."""
    pairs = [(names(a), names(b)) for a, b in zip(said, true, strict=True)]
    return 2 * sum(len(a & b) for a, b in pairs) / sum(len(a) + len(b) for a, b in pairs)


read = read_words(untagged)
said = []
for one, logits in zip(read, mb.heads.run(tagger.eval(), read), strict=True):
    firsts = [i for i, mark in enumerate(one["labels"]) if mark != IGNORE]
    said.append([named.labels[i] for i in logits[firsts].argmax(-1).tolist()])
true = [list(e.labels) for e in untagged]
list_of_words = mb.models.cheap.MostFrequentTag().fit(tagged).predict(untagged)
always_o = sum(label == "O" for row in true for label in row) / sum(map(len, true))
assert all(names(row) == mb.heads.tagger.spans(row) for row in true)
print(f"F1 of names: {name_f1(said, true):.3f} fine-tuned, {name_f1(list_of_words, true):.3f} by a "
      f"list of words")
print(f"words right: {mb.heads.share_right(said, true):.3f}, and {always_o:.3f} for always O")

# %% [markdown]
r"""
{{findings 06
| names, 200 labels: fine-tuned beats from scratch | labels.ner_tuned - labels.ner_scratch | percent | not measured |
| names, 200 labels: fine-tuned beats a list of words | labels.ner_tuned - labels.ner_words | percent | not measured |
| names, 200 labels: fine-tuned beats the frozen network below an LSTM (section 7) | labels.ner_tuned - frozen.ner | percent | +0.3 points (CoNLL-2003) |
}}

## 5. Two texts in one sequence

Does the second sentence follow from the first (**entailment**), does it contradict the first, or
neither? Is the second text the answer to the first? Before BERT, models often had two encoders and
a special attention between them. Here both texts go into one sequence, and the self-attention that
is there anyway lets every word of one text look at every word of the other, in every layer.

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
pair = mb.course.use("06.pair", pair)

# %% [markdown]
r"""
With a label at `[CLS]` this is all that inference and paraphrase need, and section 9 has results
for inference. With a span it is the reader of section 1. `read_question` lays out a question and
its text by your function. Texts that do not fit into the window of the model are cut into windows
that overlap, each with the question in front (`mb.heads.answer` does that); the texts here all
fit.
"""

# %%
def read_question(e):
    """A question and its text: ids, segments, where the text begins, and the answer's tokens."""
    question = tokenizer.encode(e.text_b)
    text, offsets = tokenizer.encode(e.text, offsets=True)  # offsets: characters of each token
    ids, segments = pair(question, text, tokenizer.cls_id, tokenizer.sep_id)
    passage, first, last = len(question) + 2, 0, 0  # no answer: both at [CLS]
    if e.span:
        start, end = e.span
        tokens = [i for i, (a, b) in enumerate(offsets) if a < end and b > start]
        first, last = passage + tokens[0], passage + tokens[-1]
    return {"input_ids": ids, "token_type_ids": segments, "offsets": offsets, "passage": passage,
            "first": first, "last": last}


def read_all(examples):
    found = map(read_question, examples)
    return [one for one in found if len(one["input_ids"]) <= config.max_length]


one = read_question(learning[0])
print("Q:", learning[0].text_b, "| A:", truth(learning[0]) or "(no answer)")
found = one["input_ids"][one["first"] : one["last"] + 1]
print("the answer's tokens:", [tokenizer.tokens[i] for i in found])

# %% [markdown]
r"""
## 6. A span that answers

Two new vectors of width $d$, $S$ and $E$, are all that is learned beside BERT itself. Token $i$
with the state $T_i$, as wide, starts the answer with the score $S \cdot T_i$ and ends it with
$E \cdot T_i$. Training is two softmaxes over the tokens of the sequence,

$$
\ell = -\tfrac{1}{2} \log \mathrm{softmax}(S \cdot T)_{\text{first}}
       -\tfrac{1}{2} \log \mathrm{softmax}(E \cdot T)_{\text{last}}
$$

(section 4.2 of the paper has the sum of both; the released program takes their mean).

{{exercise 06.span_loss}}

Write `span_loss(states, mask, S, E, first, last)`, the mean over the batch. `states` is (batch,
length, dim); `mask` (batch, length) has 1 for real tokens and 0 for padding, which must not get any
probability; `S` and `E` are (dim,), `first` and `last` (batch,). Gradients must flow back.
"""

# %%
def span_loss(states, mask, S, E, first, last):
    """The mean loss of a batch of spans, a scalar tensor in nats."""
    loss = torch.tensor(0.0)
    ### BEGIN SOLUTION
    padding = mask == 0  # (batch, length)
    starts = (states @ S).masked_fill(padding, -torch.inf)
    ends = (states @ E).masked_fill(padding, -torch.inf)
    loss = (F.cross_entropy(starts, first) + F.cross_entropy(ends, last)) / 2
    ### END SOLUTION
    return loss


# %%
mb.course.check("06.span_loss", span_loss)

# %%
span_loss = mb.course.use("06.span_loss", span_loss)

# %% [markdown]
r"""
To fine-tune a reader takes longer than a cell should run. So we take the body of
`minibert-bert-qa` as it is, throw its new layer away, and learn $S$ and $E$ again with your loss
and your loop: 384 numbers. The states of the body are computed once and kept. (This shortcut shows
the new layer alone. The body was trained together with a layer like it, and on these very
questions, so a low loss is no surprise. The score comes later, on test questions that neither this
body nor the new layer has seen. For comparison, the cell also learns two vectors on the body of
chapter 05, frozen as it is. The picture shows both losses.)
"""

# %%
def states_of(body, read):
    """(states, mask): what a frozen body says of some questions, padded to one length."""
    longest = max(len(one["input_ids"]) for one in read)
    rows = [[one[name] + [0] * (longest - len(one[name])) for one in read]
            for name in ("input_ids", "token_type_ids")]
    ids, segments = (torch.tensor(row, device=device) for row in rows)
    lengths = torch.tensor([len(one["input_ids"]) for one in read], device=device)
    mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
    with torch.no_grad():
        parts = [body(i, m, s).last_hidden_state for i, m, s in
                 zip(ids.split(32), mask.split(32), segments.split(32), strict=True)]
    return torch.cat(parts), mask


def learn_span(body, read, passes):
    """Two vectors, learned by `span_loss` on the states of a frozen body; and the losses."""
    states, mask = states_of(body.eval(), read)
    first, last = (torch.tensor([one[name] for one in read], device=device)
                   for name in ("first", "last"))
    mb.seed_everything(0)
    S, E = ((0.02 * torch.randn(config.dim, device=device)).requires_grad_() for _ in range(2))
    batches = list(torch.arange(len(read), device=device).split(32))
    losses = fine_tune([S, E], lambda rows: (len(rows) * span_loss(
        states[rows], mask[rows], S, E, first[rows], last[rows]), len(rows)), batches, 0.03, passes)
    return S.detach(), E.detach(), losses


# %%
read = read_all(learning[:20 if SMOKE else 400])
passes = 2 if SMOKE else 20
S, E, losses = learn_span(reader.encoder, read, passes)
_, _, plain = learn_span(bert, read, passes)
fig, ax = mb.show.new("Two vectors on two frozen bodies", "updates", "loss (nats per question)")
ax.plot(losses, "-", label="body of the fine-tuned reader")
ax.plot(plain, "--", label="body of chapter 05")
ax.set_ylim(0)
ax.legend()
mb.show.figure(fig, alt=f"Loss by update: on the body of the reader it ends at {losses[-1]:.2f}, "
               f"on the body of chapter 05 at {plain[-1]:.2f}.")

# %% [markdown]
r"""
On the body of the reader the loss is almost zero after a few updates. On the body of chapter 05 it
falls at first, and then stays high: two vectors are not enough where the states have not been
trained for questions.

**From scores to a span.** A span from $i$ to $j$ scores $s_{ij} = S \cdot T_i + E \cdot T_j$, with
$j \geq i$. The best start and the best end, each taken alone, may be no span at all.

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

# %%
best_span = mb.course.use("06.best_span", best_span)

# %% [markdown]
r"""
The picture shows all spans of one text at once: a row is a start, a column an end, and the colour
the score. The grey cells are no spans. The cross is what your function finds.
"""

# %%
def scores_of(one):
    """(starts, ends) of one question by S and E, each (length,)."""
    states, _ = states_of(reader.encoder, [one])
    return (states[0] @ S).cpu(), (states[0] @ E).cpu()


both = [(e, read_question(e)) for e in test if e.info["relation"] in ("food", "spouse", "hobby")]
fits = [(e, one) for e, one in both if e.span and one["last"] < one["passage"] + 24]
example, one = max(fits[:40], key=lambda pair: pair[1]["last"] - pair[1]["first"])  # a long answer
inside = slice(one["passage"], min(one["passage"] + 24, len(one["input_ids"]) - 1))
starts, ends = (x[inside] for x in scores_of(one))
words = [tokenizer.tokens[i] for i in one["input_ids"][inside]]
below = torch.ones(len(words), len(words)).tril(-1).bool()
spans = (starts[:, None] + ends).masked_fill(below, torch.nan)
fig, ax = mb.show.new(example.text_b, "last token", "first token", size=(7, 6))
ax.grid(False)
ax.set_facecolor("#d9d9d9")
picture = ax.imshow(spans, cmap="viridis")
i, j = best_span(starts, ends, 12)
ax.plot(j, i, "x", color="#d55e00", ms=12, mew=3)
ax.set_xticks(range(len(words)), words, rotation=90, fontsize=7)
ax.set_yticks(range(len(words)), words, fontsize=7)
fig.colorbar(picture, label="score of the span", shrink=0.8)
mb.show.figure(fig, alt=f"Scores of all spans of the first {len(words)} tokens; the best one is "
               f"from {words[i]} to {words[j]}.")

# %% [markdown]
r"""
The best span stands out. Its row and its column are brighter than the rest: these spans have the
right start or the right end, but not both. The answer is a first name and a surname. The two bright
cells that touch the best one are the spans of each name alone.

**No answer.** The paper lets "no answer" be the span that starts and ends at `[CLS]`, with the
score $s_\text{null} = S \cdot C + E \cdot C$, where $C$ is the state of `[CLS]`. The model answers
only where the best span of the text is better by more than a threshold (section 4.3):

$$
\max_{j \geq i} s_{ij} > s_\text{null} + \tau
$$

{{exercise 06.no_answer}}

Write `answer_or_none(starts, ends, passage, longest, tau)` for the scores of a whole sequence,
`[CLS] question [SEP] text [SEP]`. The text begins at position `passage` and ends before the last
`[SEP]`. Return the best span `(i, j)` of the text, in positions of the sequence, or `None`.
"""

# %%
def answer_or_none(starts, ends, passage, longest, tau):
    """(first, last) in the sequence, or None."""
    found = (0, 0)
    ### BEGIN SOLUTION
    i, j = best_span(starts[passage:-1], ends[passage:-1], longest)
    i, j = i + passage, j + passage
    nothing = starts[0] + ends[0]
    found = (i, j) if starts[i] + ends[j] > nothing + tau else None
    ### END SOLUTION
    return found


# %%
mb.course.check("06.no_answer", answer_or_none)

# %%
answer_or_none = mb.course.use("06.no_answer", answer_or_none)

# %% [markdown]
r"""
**How right is an answer?** An answer may be right in part. SQuAD's official script counts the
**exact match**, and an **F1** of the words that two answers share, both after lower-casing, and
without punctuation and articles.

{{exercise 06.f1}}

(Optional.) Write `f1(said, true)` for two texts. `normalise` gives the words that count; `Counter`
has an `&`. Two answers without any word that counts are equal ("no answer" was right, and was
said): 1.
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
    score = 2 * same / (len(said) + len(true)) if said or true else 1.0
    ### END SOLUTION
    return score


# %%
mb.course.check("06.f1", f1)

# %%
f1 = mb.course.use("06.f1", f1)

# %% [markdown]
r"""
Now the whole reader is yours: the input, the loss, the loop, the search and the score. $\tau$ is
chosen on validation questions. *Why not on the test questions?* A quiz at the end asks.

The best span of a text does not depend on $\tau$. So the model reads each question once. We keep
how far its best span lies above "no answer", and from these numbers we get the F1 of every
threshold. *Predict before you run:* what happens to the questions with an answer, and to those
without, as $\tau$ grows from -90 to 90?
"""

# %%
def prepared(examples):
    """[(example, what was read, starts, ends)] of the questions that fit."""
    fits = [(e, one) for e in examples for one in read_all([e])]
    states, _ = states_of(reader.encoder, [one for _, one in fits])
    starts, ends = ((states @ x).cpu() for x in (S, E))
    return [(e, one, a[: len(one["input_ids"])], b[: len(one["input_ids"])])
            for (e, one), a, b in zip(fits, starts, ends, strict=True)]


# %%
def margins(examples):
    """[(the best span's score above that of no answer, its F1, whether there is an answer)]."""
    found = []
    for e, one, starts, ends in prepared(examples):
        i, j = answer_or_none(starts, ends, one["passage"], 12, -1e9)  # always a span
        above = float(starts[i] + ends[j] - starts[0] - ends[0])
        first, last = (one["offsets"][k - one["passage"]] for k in (i, j))
        found.append((above, f1(e.text[first[0] : last[1]], truth(e)), e.span is not None))
    return found


def mean_f1(found, tau, kinds=(True, False)):
    """Mean F1 with a threshold; silence is right, 1, where there is no answer."""
    hits = [score if above > tau else float(not there)
            for above, score, there in found if there in kinds]
    return sum(hits) / max(1, len(hits))


on_valid, on_test = margins(valid[:150]), margins(test[:200])
taus = torch.arange(-90, 91, 3.0).tolist()
tau = max(taus, key=lambda t: (mean_f1(on_valid, t), -abs(t)))  # of several, the one nearest to 0
for name, value in (("always a span", -1e9), (f"tau = {tau:g}", tau), ("never a span", 1e9)):
    print(f"{name:>13}: F1 {mean_f1(on_test, value):.3f} on all questions, "
          f"{mean_f1(on_test, value, [True]):.3f} on those with an answer")

# %%
fig, ax = mb.show.new("F1 on the test by the threshold for “no answer”", "tau", "mean F1")
groups = {"all": ("-", (True, False)), "with an answer": ("--", [True]), "without": (":", [False])}
for name, (look, kinds) in groups.items():
    ax.plot(taus, [mean_f1(on_test, t, kinds) for t in taus], look, label=name)
ax.axvline(tau, color="grey", linewidth=0.8, label="chosen on valid")
ax.legend()
mb.show.figure(fig, alt="F1 by the threshold: high on questions with an answer and low on the "
               f"others at {taus[0]:g}, the other way round at {taus[-1]:g}; chosen: {tau:g}.")

# %% [markdown]
r"""
The lower $\tau$ is, the more often the reader answers. A reader that always answers is wrong on
every question without an answer; -90 is not low enough for that. The higher $\tau$ is, the more
often the reader stays silent, and the questions with an answer are lost. In between, the curve of
all questions has a broad plateau. There many thresholds are about equally good, and differences as
small as these may be luck. The library's own `threshold` is $-\tau$, as in the authors' program.

**Ask about a paragraph of your own.** The bars are the softmaxes over the tokens: how likely each
is to start the answer, and how likely to end it. The first question is the one that went wrong in
section 1. The model is sure of the start. For the end it wavers between two words, *sailing* (two
pieces) and *dumplings*. Change the question by a word and watch both rows of bars move. Then ask
something that the paragraph does not tell. (The model knows nothing but its small world. Names that
it has never seen are pieces to it.)
"""

# %%
mb.show.AnswerExplorer(reader, nonsense, "What does Ada Pell like to eat best?", no_answer=True,
                       examples=[(portrait, questions[0]), *((e.text, e.text_b) for e in test[:5])])

# %% [markdown]
r"""
*Predict before you try:* "Who is the brother of Ada Pell?" The reader has never been asked about
brothers. And what does it say about the favourite food of Tom?
"""

# %%
for question in ("Who is the brother of Ada Pell?", "What does Tom like to eat best?"):
    print(f"{question:<34} {answers(reader, [(question, portrait)])[0] or '(no answer)'}")

# %% [markdown]
r"""
The text does say who the brother is. The reader stays silent: it has learned to find the facts that
it was asked about, and no others. On Tom's food the text says nothing, and the reader gives his
sister's.

Does it ever check whose fact it is? Two counts on the test questions of section 1 tell more than
single trials. The first takes questions without an answer whose text holds a known answer of the
kind, mostly somebody else's: a child's food where the question is about the mother. The second
takes questions that have an answer, and asks them about a stranger, whom no text names.
*Predict before you run:* how often is the reader silent, as it should be, in each of them?
"""

# %%
beside = [n for n, e in enumerate(test) if not e.span and look_up(e)]
silent = sum(not ways["the reader"][n] for n in beside)
print(f"an answer of the kind is there, but not the right one: silent in {silent} of {len(beside)}")
asked = [(e, re.search(r" ([A-Z]\w+ [A-Z]\w+)", e.text_b)) for e in test  # first name, surname
         if e.span and e.info["relation"] in ("trade", "lives in", "food", "hobby")]
asked = [(e, name[1]) for e, name in asked if name and "Clara" not in e.text]
said = answers(reader, [(e.text_b.replace(name, "Clara Jarvis"), e.text) for e, name in asked])
same = sum(words == truth(e) for words, (e, _) in zip(said, asked, strict=True))
print(f"a stranger: silent in {said.count('')} of {len(asked)}; in {same} it gives the answer of "
      f"the person in the text")

# %% [markdown]
r"""
The reader does check whose fact it is, as far as its training asked for that. There, questions
without an answer were about people of the text, and among these it seldom takes one for another. A
name that is not in the text at all hardly changes its answer. Nothing in its training showed that
such a question has none. The project at the end of the chapter is about strangers.
"""

# %% [markdown]
r"""
## 7. Features or fine-tuning? (optional)

The other way, ELMo's, leaves the model as it is and learns something on top of its layers. One run
of the model then serves many tasks, and the vectors can be computed once and kept. The simplest
feature of a text is the mean of its vectors. A colleague has written it.

{{exercise 06.find_the_bug}}

"It is odd," he says. "The same review is positive in one batch and negative in the next." Find out
why, and correct it. `hidden` is `(batch, length, dim)`, `mask` `(batch, length)` has 1 for a real
token, `weight` is `(dim, labels)`.
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

# %%
classify = mb.course.use("06.find_the_bug", classify)

# %% [markdown]
r"""
The same fifty texts as in section 3, the model frozen, and one matrix learned on the mean vectors
by your function:
"""

# %%
def frozen_states(examples):
    """[(states, mask, labels)] of batches of texts."""
    with torch.no_grad():
        return [(bert(b["input_ids"], b["attention_mask"], b["token_type_ids"]).last_hidden_state,
                 b["attention_mask"], b["labels"]) for b in in_batches(examples)]


def summed(batch):
    """The sum of the losses of a batch, and how many there are."""
    states, mask, labels = batch
    return F.cross_entropy(classify(states, mask, W), labels, reduction="sum"), len(labels)


mb.seed_everything(0)
W = (0.02 * torch.randn(config.dim, len(topics.labels), device=device)).requires_grad_()
fine_tune([W], summed, frozen_states(read_texts(few, topics.labels)), 0.02, 2 if SMOKE else 30)
hits = [(classify(states, mask, W).argmax(-1) == labels).float()
        for states, mask, labels in frozen_states(test_texts)]
print(f"frozen, mean vectors: {torch.cat(hits).mean():.1%} right; "
      f"fine-tuned in section 3: {shares['pre-trained']:.1%}")

# %% [markdown]
r"""
Here the frozen vectors do better than fine-tuning in section 3. That is one draw. The last rows of
the tables in sections 3 and 4 have {{finding 06 frozen.topic seeds}} draws: for topics and for
names, neither way is shown to be better. Peters, Ruder and Smith (2019) compared both ways on seven
tasks. On most of them the two were close. The more a task resembled pre-training, the more
fine-tuning helped.

**Names by frozen layers.** The paper compares both ways on names (table 7): frozen layers below a
bidirectional LSTM of two layers, against one new layer and every weight trained. F1 on the
development set of CoNLL-2003, with BERT-base:

| the paper's table 7 | F1 |
|---|---|
| frozen embeddings (they know no context) | 91.0 |
| frozen last layer | 94.9 |
| frozen last four layers, side by side | 96.1 |
| fine-tuned | 96.4 |

Both ways work, and the layers above the embeddings know more about names than the embeddings do.
In our small world both ways stand in the last row of the table in section 4, and section 9 compares
them on real names.

**Size.** One might think that a large model needs much data. The paper found the contrary (table
6, average of five restarts): from 3 layers of 768 to 24 of 1,024, accuracy rises on MNLI (392,000
pairs) from 77.9 to 86.6, and on MRPC (3,600 pairs) from 79.8 to 87.8. Section 9 has two models of
different size on inference. But the larger one was also trained on pairs of inference, so they do
not show what size does.

## 8. How much of it is luck? (optional)

Devlin et al. found that fine-tuning their large model was sometimes unstable on small data sets.
They restarted it several times and took the run that was best on the development set (section 4.1).
Dodge et al. (2020) looked closer. Two things differ between seeds, the first weights of the new
layer and the order of the examples; in their runs both mattered about equally. Here each of {{finding 06 restarts.mean seeds}}
draws of a hundred texts is learned seven times: four new layers with one order, four orders with
one new layer. A dot is a run (equal ones stand side by side), and a line the mean of the seven.
"""

# %%
found = mb.course.findings("06")
runs = found.values("restarts.runs")  # a list for each draw of the examples
fig, ax = mb.show.new("Topic from 100 texts: seven runs on the same examples",
                      "draw of the examples", "accuracy on the test")
for number, values in enumerate(runs):
    equal = Counter()  # runs with the same accuracy stand side by side
    for value in sorted(values):
        ax.plot(number + 0.07 * equal[value], value, "o", alpha=0.6, color=mb.show.PALETTE["blue"],
                label=None if ax.lines else "a run")
        equal[value] += 1
    ax.plot(number, sum(values) / len(values), "_", ms=26, color=mb.show.PALETTE["vermillion"],
            label=None if number else "mean of the seven")
ax.set_xticks(range(len(runs)))
ax.legend()
mb.show.figure(fig, alt="For each draw of examples, seven runs as dots, and their mean as a line.")

# %%
means = torch.tensor(found.values("restarts.mean"))
mean = means.mean()
print("standard deviation of")
print(f"  the dots of one draw, on average {found.mean('restarts.spread'):.3f}")
print(f"  the lines of {len(means)} draws       {means.std():.3f}")
print(f"  a share of {mean:.0%} of 300 texts  {(mean * (1 - mean) / 300) ** 0.5:.3f}")

# %% [markdown]
r"""
Which differ more: the dots of one draw, or the lines of different draws? The lines differ somewhat
more, {{finding 06 restarts.mean sd .3f}} against {{finding 06 restarts.spread mean .3f}}. But each
draw also has its own test, and the choice of 300 texts alone would move a share of this size by
about as much as the lines differ (last line). So the picture does not show that the examples to
learn from matter more than the seed.

Among the seven runs on the same examples, those with different new layers have a standard deviation
of {{finding 06 restarts.spread_first_weights mean .3f}}, and those with different orders one of
{{finding 06 restarts.spread_order mean .3f}}. (A standard deviation of four runs is a rough number.
Our network has no dropout, which would add a third source.)

{{findings 06
| the restart that is best on validation beats the mean restart on the test | restarts.best - restarts.mean | percent | not measured |
| the order of the data matters more than the first weights | restarts.spread_order - restarts.spread_first_weights | percent | "comparable" |
}}

Dodge et al. (2020) fine-tuned BERT hundreds of times on each of four tasks of GLUE, three of them
small. The best of their runs was well above what had been published for the same model, with
nothing changed but the seed. Keep that in mind when a table shows one number per model.

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
## 9. The real thing

The published weights load into the same class, and every head works on them. Fine-tuning on real
data is one command per task. Where the data are missing, the command says how to get them. We use
two models. `minibert-bert-english`, "the small model", is a BERT of 4 layers of 256 that comes
with the course and has read Wikipedia and novels for more than an hour. `all-minilm-l6-v2`, "the
published model" (`minibert data get all-minilm-l6-v2`), has BERT's form with 6 layers of 384. It
was distilled from a larger one and then trained on a billion pairs of sentences. Among these were
pairs of inference and of questions with their answers, so its scores on such tasks say little
about pre-training alone. It has not been taught names, so WikiANN and WNUT are the clean tests.
Both models read lower case only.

```bash
minibert finetune bert --recipe wikiann-cpu --start all-minilm-l6-v2 --rate 3e-4 --batch-size 16 \
    --labels 300 --test 500 --out wikiann
minibert finetune bert --recipe wnut17-cpu --start all-minilm-l6-v2 --rate 3e-4 --batch-size 16 \
    --labels 1000 --test 500 --epochs 3 --max-length 64 --out wnut
minibert finetune bert --recipe wikiann-cpu --start minibert-bert-english --out wikiann_small
minibert finetune bert --recipe snli-cpu --start all-minilm-l6-v2 --rate 1e-4 --scratch-rate 1e-4 \
    --batch-size 16 --test 500 --out snli_minilm
minibert finetune bert --recipe snli-cpu --start minibert-bert-english --out snli
```

Each prints, and writes to `results.json`: fine-tuned, features (the model frozen, and a small
network that learns on its states), from scratch, and a baseline that hardly learns (each word's
most frequent label; the most frequent answer). Names are those in Wikipedia (WikiANN), or new and
unusual ones in posts and comments (WNUT 2017; Derczynski et al.), and inference is SNLI. The table
has means and standard deviations over
{{finding real wikiann.baseline_entity_f1 seeds}} seeds. Its last column is a rule that learns nothing: "every run of words with capitals is a
person".

| | fine-tuned | features | from scratch | baseline | capitals |
|:---|---:|---:|---:|---:|---:|
| names, published model, 300 sentences: F1 | {{finding 06 real_names.fine_tuned_entity_f1 mean .1%}} ± {{finding 06 real_names.fine_tuned_entity_f1 sd .1%}} | {{finding 06 real_names.features_entity_f1 mean .1%}} ± {{finding 06 real_names.features_entity_f1 sd .1%}} | {{finding 06 real_names.from_scratch_entity_f1 mean .1%}} ± {{finding 06 real_names.from_scratch_entity_f1 sd .1%}} | {{finding 06 real_names.baseline_entity_f1 mean .1%}} ± {{finding 06 real_names.baseline_entity_f1 sd .1%}} | {{finding 06 name_rules.real_names_capitals mean .1%}} |
| rare names (WNUT), published model, 1,000 sentences: F1 | {{finding 06 rare_names.fine_tuned_entity_f1 mean .1%}} ± {{finding 06 rare_names.fine_tuned_entity_f1 sd .1%}} | {{finding 06 rare_names.features_entity_f1 mean .1%}} ± {{finding 06 rare_names.features_entity_f1 sd .1%}} | {{finding 06 rare_names.from_scratch_entity_f1 mean .1%}} ± {{finding 06 rare_names.from_scratch_entity_f1 sd .1%}} | {{finding 06 rare_names.baseline_entity_f1 mean .1%}} ± {{finding 06 rare_names.baseline_entity_f1 sd .1%}} | {{finding 06 name_rules.rare_names_capitals mean .1%}} |
| names, small model, 2,000 sentences: F1 | {{finding real wikiann.fine_tuned_entity_f1 mean .1%}} ± {{finding real wikiann.fine_tuned_entity_f1 sd .1%}} | {{finding real wikiann.features_entity_f1 mean .1%}} ± {{finding real wikiann.features_entity_f1 sd .1%}} | {{finding real wikiann.from_scratch_entity_f1 mean .1%}} ± {{finding real wikiann.from_scratch_entity_f1 sd .1%}} | {{finding real wikiann.baseline_entity_f1 mean .1%}} ± {{finding real wikiann.baseline_entity_f1 sd .1%}} | {{finding 06 name_rules.small_names_capitals mean .1%}} |
| inference, published model, 2,000 pairs: accuracy | {{finding 06 real_pairs.fine_tuned_accuracy mean .1%}} ± {{finding 06 real_pairs.fine_tuned_accuracy sd .1%}} | {{finding 06 real_pairs.features_accuracy mean .1%}} ± {{finding 06 real_pairs.features_accuracy sd .1%}} | {{finding 06 real_pairs.from_scratch_accuracy mean .1%}} ± {{finding 06 real_pairs.from_scratch_accuracy sd .1%}} | {{finding 06 real_pairs.baseline_accuracy mean .1%}} ± {{finding 06 real_pairs.baseline_accuracy sd .1%}} | - |
| inference, small model, 2,000 pairs: accuracy | {{finding real snli.fine_tuned_accuracy mean .1%}} ± {{finding real snli.fine_tuned_accuracy sd .1%}} | {{finding real snli.features_accuracy mean .1%}} ± {{finding real snli.features_accuracy sd .1%}} | {{finding real snli.from_scratch_accuracy mean .1%}} ± {{finding real snli.from_scratch_accuracy sd .1%}} | {{finding real snli.baseline_accuracy mean .1%}} ± {{finding real snli.baseline_accuracy sd .1%}} | - |

{{findings real
| names, our small model: fine-tuned beats from scratch | wikiann.fine_tuned_entity_f1 - wikiann.from_scratch_entity_f1 | percent | - |
| names, our small model: fine-tuned beats frozen features | wikiann.fine_tuned_entity_f1 - wikiann.features_entity_f1 | percent | +0.3 points (CoNLL-2003) |
| inference, our small model: fine-tuned beats from scratch | snli.fine_tuned_accuracy - snli.from_scratch_accuracy | percent | - |
| inference, our small model: fine-tuned beats frozen features | snli.fine_tuned_accuracy - snli.features_accuracy | percent | - |
}}

{{findings 06
| names, published model: fine-tuned beats from scratch | real_names.fine_tuned_entity_f1 - real_names.from_scratch_entity_f1 | percent | - |
| names, published model: fine-tuned beats frozen features | real_names.fine_tuned_entity_f1 - real_names.features_entity_f1 | percent | +0.3 points (CoNLL-2003) |
| rare names: fine-tuned beats from scratch | rare_names.fine_tuned_entity_f1 - rare_names.from_scratch_entity_f1 | percent | - |
| ... and frozen features | rare_names.fine_tuned_entity_f1 - rare_names.features_entity_f1 | percent | - |
| names, published model: fine-tuned beats the capitals | real_names.fine_tuned_entity_f1 - name_rules.real_names_capitals | percent | - |
| rare names: fine-tuned beats the capitals | rare_names.fine_tuned_entity_f1 - name_rules.rare_names_capitals | percent | - |
| rare names: frozen features beat the capitals | rare_names.features_entity_f1 - name_rules.rare_names_capitals | percent | - |
}}

**Names.** The published model, which is larger and has read far more, does as well from three
hundred sentences as ours from two thousand, or better. A network of its shape, from random
weights, learns next to nothing in as many updates (fewer than sixty on WikiANN, at a rate that we
did not tune for names), so that it is a weak rival. Fine-tuning and frozen layers below an LSTM
are about equally good with the published model on WikiANN. On WNUT fine-tuning is better in each
of the three seeds, but by amounts so different that three seeds do not show it. With our model the
frozen layers do better. That is no law, for we did not tune the rate of its fine-tuning. We did
tune that of the published model, in a few trials on validation sentences.

In both sets hardly a name of the test stands among the sentences that the published model was
fine-tuned on ({{finding 06 name_rules.real_names_known mean .1%}} on WikiANN and {{finding 06
name_rules.rare_names_known mean .1%}} on WNUT), so a list of known names is of no use. The rule
about capitals is more useful: it has an F1 of {{finding 06 name_rules.real_names_capitals mean
.0%}} and {{finding 06 name_rules.rare_names_capitals mean .0%}}. Both models read lower case only,
so they cannot use that rule. They have to find names by the words themselves and those around
them. The published model beats the rule on WikiANN, and on WNUT its frozen layers do. Fine-tuned,
it is better than the rule on WNUT in each seed, but again by very different amounts.

**Inference, and its caveat.** Fine-tuning is clearly better than the frozen features, which are
one mean over both sentences. But our small model is not shown to be better than the same network
from random weights. And what has it learned? A bag of words that reads the *second* sentence
alone, and so cannot know what follows from what, is right on {{finding 06 pair_words.second_alone
mean .1%}} of our small model's test after the same number of pairs, about as often as our
fine-tuned model. (On the published model's test, which is smaller, it is right on {{finding 06
pair_overlap.second_alone mean .1%}}.) The people who wrote the second sentences left traces in
them. Gururangan et al. (2018) found that "nobody" and "sleeping" are frequent in contradictions,
and "outdoors" in sentences that follow. On all of SNLI they had 67.0 % from the second sentence
alone, where the most frequent answer has 34.3 %. A score on SNLI means little without that
baseline beside it.

The published model has {{finding 06 real_pairs.fine_tuned_accuracy mean .1%}} after the same number
of pairs. A network of its shape, from random weights, is worse than the bag of words. Does the
published model compare the two sentences? We fine-tuned it once more, on the second sentences
without the first: {{finding 06 real_pairs.second_alone mean .1%}}. So it reads the traces better
than a bag of words does, and the first sentence still adds a good deal.

Part of what the first sentence adds is cheap. A bag of words of the second sentence, with a few
numbers (how many of its words the first sentence has and lacks, and both lengths), is right on
{{finding 06 pair_overlap.words_overlap mean .1%}} of the published model's test. The published
model is clearly above that. And if each second sentence gets another pair's first sentence, the
model falls from {{finding 06 other_first.own_first mean .1%}} to {{finding 06
other_first.other_first mean .1%}} (one seed). So it does compare. (With a wrong first sentence
many labels are no longer true, so it may well fall below what the second sentence alone gives.)
How much of that came from pre-training on plain text, we cannot say: pairs of inference were among
the billion pairs that this model was trained on.

{{findings 06
| inference, words of the second text alone beat one label for all | pair_words.second_alone - pair_words.one_label | percent | +32.7 points |
| ... and the words of both texts beat those of the second alone | pair_words.both - pair_words.second_alone | percent | - |
| words and overlap beat the words of the second text alone | pair_overlap.words_overlap - pair_overlap.second_alone | percent | - |
| the published model: fine-tuned beats from scratch | real_pairs.fine_tuned_accuracy - real_pairs.from_scratch_accuracy | percent | - |
| ... and frozen features | real_pairs.fine_tuned_accuracy - real_pairs.features_accuracy | percent | - |
| ... and itself on the second text alone | real_pairs.fine_tuned_accuracy - real_pairs.second_alone | percent | - |
| ... and words and overlap | real_pairs.fine_tuned_accuracy - pair_overlap.words_overlap | percent | - |
}}

**Questions** (SQuAD 1.1) need more examples. From five hundred, our small model does not learn to
read (one seed): in F1 it is worse than a rule that says the whole sentence that shares most words
with the question. From two thousand, the published model reads far better than that rule. (The
exact match of the rule says little: hardly any answer is a whole sentence. And questions with their
answers were among the pairs that this model was trained on.)

| | exact match | F1 |
|:---|---:|---:|
| BERT-base, 88,000 questions (table 2 of the paper) | 80.8% | 88.5% |
| small model, fine-tuned on 500 questions | {{finding real squad.fine_tuned_exact_match mean .1%}} | {{finding real squad.fine_tuned_f1 mean .1%}} |
| small model, from random weights | {{finding real squad.from_scratch_exact_match mean .1%}} | {{finding real squad.from_scratch_f1 mean .1%}} |
| the sentence that shares most words, on the small model's test | {{finding real squad.baseline_exact_match mean .1%}} | {{finding real squad.baseline_f1 mean .1%}} |
| published model, fine-tuned on 2,000 questions, {{finding 06 real_questions.fine_tuned_f1 seeds}} seeds | {{finding 06 real_questions.fine_tuned_exact_match mean .1%}} ± {{finding 06 real_questions.fine_tuned_exact_match sd .1%}} | {{finding 06 real_questions.fine_tuned_f1 mean .1%}} ± {{finding 06 real_questions.fine_tuned_f1 sd .1%}} |
| the sentence that shares most words, on its test | {{finding 06 real_questions.baseline_exact_match mean .1%}} | {{finding 06 real_questions.baseline_f1 mean .1%}} |
"""

# %% [markdown]
r"""
## 10. Summary

- One model and one small new layer for each task: `[CLS]` for texts and pairs, first pieces for
  words, two vectors for spans. Everything is trained, gently and for a few passes.
- {{claim 06 reader.exact known_answers.exact | On new questions the reader beats a list of the answers that it learned from | percent}}
- The reader does more than recall: it says what stands in the text, in {{finding 06 reader.changed mean .0%}} of the
  cases even where that word never answered such a question. It seldom confuses two people whom its
  text names, but it does not notice that somebody is not named there (section 6).
- {{claim 06 labels.topic_tuned labels.topic_words | With 50 labelled texts, fine-tuning beats a bag of words | percent}}
- Labels belong to words, characters or texts, and the model reads pieces. Most bugs live in
  between.
- "No answer" is a score like others, and its threshold is chosen on validation questions.
- With few labels pre-training helps much, and single runs differ. Say how many runs you made.
- Frozen vectors with a small network on them may do as well as fine-tuning. Try and tune both.
- Ask what the cheapest reader would score: on SNLI, one that reads the second sentence alone.

{{quiz 06.q1}}

{{quiz 06.q2}}

{{quiz 06.q3}}

**A project.** Teach the reader to stay silent about strangers. Make questions without an answer by
putting the name of somebody else into questions that have one, add them to the training questions,
and train `minibert-bert-qa` further with your loop. (A good report says how often both kinds of "no
answer" in section 6 are right before and after, what happened to the questions that have an answer,
and shows three mistakes.)
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
Smith (2019), *To Tune or Not to Tune?*, [arXiv:1903.05987](https://arxiv.org/abs/1903.05987). Gururangan
et al. (2018), *Annotation Artifacts in Natural Language Inference Data*,
[arXiv:1803.02324](https://arxiv.org/abs/1803.02324). Mosbach et
al. (2021), *On the Stability of Fine-tuning BERT*, [arXiv:2006.04884](https://arxiv.org/abs/2006.04884).
D2L, [chapter 16](https://d2l.ai/chapter_natural-language-processing-applications/index.html), fine-tunes
BERT on SNLI.
"""
