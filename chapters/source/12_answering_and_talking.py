# ---
# jupyter:
#   minibert:
#     title: Answering and talking
#     question: How does a pre-trained model answer a question about a document longer than it can read, and how does it hold a conversation?
#     minutes: 90
#     seconds: 75
#     memory_mb: 1200
#     needs: ["chapter 06 (spans, no answer, SQuAD's scores)", "chapter 07 (GPT, the nucleus)", "chapter 04 (attention, encoder and decoder)"]
#     skip: "the parts marked optional: sections 4 to 7, and the exercise 12.cross (about an hour)"
#     papers:
#       - "Wolf et al. (2019), TransferTransfo: A Transfer Learning Approach for Neural Network Based Conversational Agents, arXiv:1901.08149"
#       - "Ramachandran, Liu & Le (2017), Unsupervised Pretraining for Sequence to Sequence Learning, arXiv:1611.02683"
#       - "Dozat & Manning (2017), Deep Biaffine Attention for Neural Dependency Parsing, arXiv:1611.01734"
#       - "Devlin et al. (2019), BERT, arXiv:1810.04805, sections 4.2 and 4.3"
# ---

# %% [markdown]
r"""
# 12 · Answering and talking

{{head}}

Chapters 06 and 07 put one new layer on a model and read one short text. Applications are less tidy.
A document is longer than the window of the model. A conversation has two speakers, a past, and
facts about who is talking. A summary has to be written, and a sentence's structure is a tree, not
a label. In this chapter the same two pre-trained models, a BERT and a GPT, do all four. Each
time little is new: how the input is laid out, how scores are compared, and what is trained.
"""

# %%
import copy
import math
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import torch

import minibert as mb
from minibert.data.dialogues import of_documents
from minibert.models.encoder_decoder import EncoderDecoder

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
reader = mb.heads.SpanExtractor.from_pretrained("minibert-bert-qa").eval()
tokenizer, WINDOW = reader.encoder.tokenizer, reader.encoder.config.max_length
print(f"the reader's window: {WINDOW} tokens")

# %% [markdown]
r"""
## 1. A document longer than the window

The reader of chapter 06 finds an answer in a short text. Its window has 128 tokens, and the
question needs some of them. We give it chronicles: news, letters, match reports and school lessons
of our world, six texts in a row. One of them, at a place drawn by chance, is an article that
answers the question. In some chronicles it is missing, and then nothing answers.
"""

# %%
corpus = mb.world.generate(tokens=12_000 if SMOKE else 30_000, seed=21)
FILLERS = [d.text for d in corpus.documents if d.kind in ("news", "match", "lesson", "letter")]


def chronicles(examples, count, seed, without=0.0, fillers=FILLERS):
    """Questions on six texts in a row; a share ``without`` the article that has the answer."""
    rng, found = random.Random(seed), []
    asked = [e for e in examples if e.info["kind"] == "encyclopedia" and e.span]
    for e in rng.sample(asked, len(asked)):
        answer = e.text[slice(*e.span)]
        about = [answer, *(w for w in mb.text.tokenise(e.text_b)[1:] if w[0].isupper())]
        others = [text for text in fillers if not any(word in text for word in about)]
        if len(others) < 6 or len(found) == count:
            continue
        told = rng.random() >= without
        texts, place = rng.sample(others, 6), rng.randrange(6)
        texts[place] = e.text if told else texts[place]
        found.append({"question": e.text_b, "document": "\n\n".join(texts),
                      "answer": answer if told else "", "article": e.text, "place": place})
    return found


# %%
task = mb.world.task("qa_no_answer", seed=0)
learned = chronicles(task.valid, 6 if SMOKE else 40, seed=1, without=0.3)
asked = chronicles(task.test, 8 if SMOKE else 60, seed=2)
doubtful = chronicles(task.test, 8 if SMOKE else 40, seed=3, without=0.3)
lengths = [len(tokenizer.encode(one["document"])) for one in asked]
print(f"{len(asked)} questions on documents of {min(lengths)} to {max(lengths)} tokens")

# %% [markdown]
r"""
A model cannot read what does not fit, so we cut the document into **windows** that overlap. Each
has the question in front: `[CLS] question [SEP] part [SEP]`. From the start of one window to the
start of the next there are 64 tokens, the **stride**. The picture shows the windows of one
document. Each bar is a window. The dark part of a bar holds the tokens for which this window has
the most context on both sides: there the window is *central*.
"""

# %%
STRIDE = 64
one = asked[0]
cut = mb.heads.spans.windows(tokenizer, one["question"], one["document"], WINDOW, stride=STRIDE)
place = {offset: i for i, offset in enumerate(
    tokenizer.encode(one["document"], offsets=True)[1])}  # of each token in the document
print(f"{one['question']}  {len(place)} tokens, {len(cut)} windows")

# %% tags=["hide-input"]
fig, ax = mb.show.new("A document, read in windows", "token of the document", "window",
                      size=(9, 3.2))
begin = one["document"].index(one["article"]) + one["article"].index(one["answer"])
for number, part in enumerate(cut):
    at = [place[offset] for offset in part.offsets]
    central = [p for p, mid in zip(at, part.central, strict=True) if mid]
    ax.barh(number, at[-1] - at[0], left=at[0], height=0.6, color=mb.show.PALETTE["sky"])
    ax.barh(number, central[-1] - central[0], left=central[0], height=0.6,
            color=mb.show.PALETTE["blue"])
answer_at = min(place.values(), key=lambda p: abs([*place][p][0] - begin))
ax.axvline(answer_at, color=mb.show.PALETTE["vermillion"], lw=2, label="the answer")
ax.set(yticks=range(len(cut)), yticklabels=range(1, len(cut) + 1))
ax.invert_yaxis()
ax.legend(loc="lower left")
mb.show.figure(fig, alt=f"{len(cut)} overlapping bars, one a window, over the {len(place)} tokens "
               f"of a document; the answer is at token {answer_at}.")

# %% [markdown]
r"""
Every token is central in exactly one window. A span belongs to the window in which its first token
is central, so no span is found twice, and none is read from the edge of a window. (BERT's program
for SQuAD does the same and calls it *max context*.) Now every window gives two scores to each of
its tokens, for the start and the end of an answer.
"""

# %%
def scored(question, document):
    """The windows of a document, each a dictionary with the reader's scores."""
    parts = mb.heads.spans.windows(tokenizer, question, document, WINDOW, stride=STRIDE)
    scores = mb.heads.run(reader, [part.example for part in parts], 32)
    return [{"starts": starts, "ends": ends, "first": part.first, "offsets": part.offsets,
             "central": part.central}
            for part, (starts, ends) in zip(parts, scores, strict=True)]


read = [scored(one["question"], one["document"]) for one in asked]
print({name: getattr(x, "shape", x) for name, x in read[0][0].items() if name != "offsets"
       and name != "central"})

# %% [markdown]
r"""
`first` is the position of the part's first token in the window, `offsets` are the characters that
each of its tokens has *in the document*, and `central` says for each whether it is central.

Which window is right? A colleague has an idea. "A probability says how sure the model is. So I take
the softmax of the scores in each window, multiply the probabilities of start and end, and believe
the window with the highest product."

*Predict:* "What does she like?" is asked of the two windows below, whose scores we have made up.
Rice and jam are good answers to it, and the second window has none. Which window will he believe?
"""

# %% tags=["nbval-check-output"]
TOY = "She likes rice and jam. Then the rain came."
toy = []
for part, scores in (("She likes rice and jam.", [-5.0, -5.0, 6.0, -5.0, 5.5]),
                     ("Then the rain came.", [-9.0, -9.0, -3.0, -9.0])):
    found = re.finditer(r"\w+", part)
    words = [(TOY.index(part) + m.start(), TOY.index(part) + m.end()) for m in found]
    row = torch.tensor([0.0, *scores])  # [CLS], then the words
    toy.append({"starts": row, "ends": row, "first": 1, "offsets": words})
    sure = row[1:].softmax(0) ** 2
    at = int(sure.argmax())
    print(f"{TOY[slice(*words[at])]}: sum of scores {2 * float(row[1 + at]):.0f}, "
          f"the colleague is {float(sure[at]):.0%} sure")

# %% [markdown]
r"""
{{exercise 12.find_the_bug}}

He is sure of nonsense. Find out why, and correct his reader, so that `surest` gives
`(start, end)`, the characters in the document, of the span of at most `longest` tokens whose *sum
of scores* is the highest of all windows. (Here a span may be read from any window.)
"""

# %%
def surest(windows, longest):
    """(start, end) in the document, of the best span of at most ``longest`` tokens."""
    best, found = -math.inf, None
    for one in windows:
        inside = slice(one["first"], one["first"] + len(one["offsets"]))
        starts = one["starts"][inside].softmax(0)
        ends = one["ends"][inside].softmax(0)
        scores = starts[:, None] * ends[None, :]
        ### BEGIN SOLUTION
        starts, ends = one["starts"][inside], one["ends"][inside]
        scores = starts[:, None] + ends[None, :]  # one layer made them all: they compare
        ### END SOLUTION
        allowed = torch.ones_like(scores).triu().tril(longest - 1) > 0
        scores = scores.masked_fill(~allowed, -torch.inf)
        if scores.max() > best:
            best = scores.max()
            i, j = divmod(int(scores.argmax()), len(ends))
            found = one["offsets"][i][0], one["offsets"][j][1]
    return found


# %%
mb.course.check("12.find_the_bug", surest)

# %%
surest = mb.course.use("12.find_the_bug", surest)

# %% tags=["nbval-check-output"]
TOY[slice(*surest(toy, 1))]

# %% [markdown]
r"""
A softmax over the words of a window answers the question "*if* the answer is here, where is it?".
It says nothing on whether it is here. A window without the answer has only poor candidates, and the
least poor one may get a probability near 1. A window with two good candidates has to share. (With a
real reader, how often does that do harm? We shall count.)

Now the whole search. Besides the best span we want the next ones (the **n-best** list of BERT's
program), and we want the model to say that there is no answer. Each window has a score for that:
start plus end at position 0, `[CLS]`. *Which of these scores counts for the document?* Nearly every
window is right to say "not here". If the answer is in one window, the score of "no answer" is low
**there**. So the lowest one counts.

{{exercise 12.read_long}}

Write `read_long(windows, longest, n_best, threshold)`. Return two things:

- `answers`: the `n_best` spans of all windows with the highest sums of scores, best first, each as
  `(score, start, end)` with characters of the document. A span has at most `longest` tokens, and
  its first token is central in its window. Leave out a span whose score is minus infinity.
- `said`: the `(start, end)` of the best span, or `None`. Say `None` if the lowest score of "no
  answer" exceeds that of the best span by more than `threshold`, and where no span is possible.
"""

# %%
def read_long(windows, longest, n_best, threshold):
    """(the best spans of a document, what is said)."""
    answers, said = [], None
    ### BEGIN SOLUTION
    nothing = math.inf
    for one in windows:
        first, offsets = one["first"], one["offsets"]
        nothing = min(nothing, float(one["starts"][0] + one["ends"][0]))
        inside = slice(first, first + len(offsets))
        starts, ends = one["starts"][inside].tolist(), one["ends"][inside].tolist()
        for i in range(len(offsets)):
            if not one["central"][i]:
                continue
            for j in range(i, min(i + longest, len(offsets))):
                score = starts[i] + ends[j]
                if score > -math.inf:
                    answers.append((score, offsets[i][0], offsets[j][1]))
    answers = sorted(answers, reverse=True)[:n_best]
    if answers and nothing - answers[0][0] <= threshold:
        said = answers[0][1:]
    ### END SOLUTION
    return answers, said


# %%
mb.course.check("12.read_long", read_long)

# %%
read_long = mb.course.use("12.read_long", read_long)

# %% [markdown]
r"""
Your function and the library's `mb.heads.answer`, on the same questions:
"""

# %%
LIMITS = {"longest": 12, "max_length": WINDOW, "stride": STRIDE}
pairs = [(one["question"], one["document"]) for one in asked[:20]]
readings = mb.heads.answer(reader, pairs, n_best=5, no_answer=True, **LIMITS)
for windows, reading in zip(read[:20], readings, strict=True):
    answers, _ = read_long(windows, 12, 5, 0.0)
    theirs = [(a.score, a.start, a.end) for a in reading.answers if a.start is not None]
    assert torch.allclose(torch.tensor(answers), torch.tensor(theirs), atol=1e-3)
print(f"the five best spans of {len(readings)} documents are the same")

# %% [markdown]
r"""
**It works.** Here is one question whose answer is far behind the first window (we take the first
such question that all windows answer and the first window does not). The table has what every
window says for itself. *Predict before you run:* how high will windows score that do not hold the
answer?
"""

# %%
def text_of(one, span):
    """The characters of a span, "" for none."""
    return one["document"][slice(*span)] if span else ""


def says(one, windows, threshold=math.inf):
    """What `read_long` answers; a threshold of infinity: always something."""
    return text_of(one, read_long(windows, 12, 1, threshold)[1])


late = [i for i, one in enumerate(asked[:20]) if one["place"] >= 3
        and says(one, read[i]) == one["answer"] != says(one, read[i][:1])]
shown = late[0] if late else 0
one = asked[shown]
print(one["question"], "| the first window alone:", says(one, read[shown][:1]) or "-",
      "| all windows:", says(one, read[shown]))
for number, part in enumerate(readings[shown].parts, 1):
    span = text_of(one, part.best)
    print(f"window {number:2}: {part.score:7.1f}  no answer {part.nowhere:6.1f}   {span:.50}")

# %% [markdown]
r"""
The first window has to say something, and it does. The window with the answer gives it a score far
above the best that the others can offer. (A neighbour may show the answer, too, at its edge. But
each window speaks only for spans that begin where it is central.)

Is it worth the trouble? Two cheaper readers stand beside yours: the first window alone; and a rule
without any learning, the sentence that shares most words with the question. So do two rivals: your
colleague's, with a softmax over the words of each window; and one that he proposes now, in which
"no answer" (`[CLS]`) takes part in that softmax, so that a window can put its probability there.
The row "the article alone" is the ceiling: the same reader with that one text. The rule never says
exactly the answer, so we are kind to it, below the table, and count the answer as found if it is
*in* the sentence.
"""

# %%
def words_of(text):
    return {word.lower() for word in mb.text.tokenise(text)}


def likeliest_sentence(one):
    """The sentence of a document that shares most words with the question."""
    sentences = re.split(r"(?<=[.!?\"])\s+", one["document"])
    return max(sentences, key=lambda s: len(words_of(s) & words_of(one["question"])))


def each_for_itself(windows, silent=False):
    """Each window's own log-probabilities; ``silent``: "no answer" takes part in the softmax."""
    found = []
    for one in windows:
        inside = slice(one["first"], one["first"] + len(one["offsets"]))
        changed = {n: one[n].clone() for n in ("starts", "ends")}
        for scores in changed.values():
            among = torch.cat((scores[:1], scores[inside])) if silent else scores[inside]
            scores[inside] = scores[inside] - among.logsumexp(0)
        found.append(one | changed)
    return found


# %%
alone = mb.heads.answer(reader, [(one["question"], one["article"]) for one in asked], **LIMITS)
ways = {
    "all windows": [says(one, windows) for one, windows in zip(asked, read, strict=True)],
    "first window": [says(one, windows[:1]) for one, windows in zip(asked, read, strict=True)],
    "softmax per window": [says(one, each_for_itself(windows))
                           for one, windows in zip(asked, read, strict=True)],
    "... with no answer": [says(one, each_for_itself(windows, silent=True))
                           for one, windows in zip(asked, read, strict=True)],
    "the article alone": [reading.best.text for reading in alone],
}
truths = [[one["answer"]] for one in asked]
print("                     exact match    F1")
for name, said in ways.items():
    scores = mb.heads.squad_scores(said, truths)
    print(f"{name:>20} {scores['exact match']:9.0f} % {scores['f1']:6.0f}")
inside = [one["answer"] in likeliest_sentence(one) for one in asked]
print(f"in the sentence with most shared words: {sum(inside) / len(inside):.0%}")
five = [any(text_of(one, a[1:]) == one["answer"] for a in read_long(windows, 12, 5, 0.0)[0])
        for one, windows in zip(asked, read, strict=True)]
print(f"among the five best spans: {sum(five) / len(five):.0%}")

# %% [markdown]
r"""
Reading all windows finds most of what can be found in the article alone; the first window finds
what happens to stand there. (Exact match and F1 are those of chapter 06: `mb.heads.squad_scores`.)
How sure is the colleague in a window that holds the answer, and in one that lacks it?
"""

# %%
def sureness(silent):
    """The probability of each window's best span: (where the answer is, elsewhere)."""
    holds, lacks = [], []
    for one, windows in zip(asked, read, strict=True):
        at = one["document"].index(one["article"]) + one["article"].index(one["answer"])
        for part in each_for_itself(windows, silent):
            part["central"] = [True] * len(part["offsets"])  # all of its words
            best = read_long([part], 12, 1, math.inf)[0]
            inside = part["offsets"][0][0] <= at < part["offsets"][-1][1]
            (holds if inside else lacks).append(math.exp(best[0][0]) if best else 0.0)
    return holds, lacks


print("the median window is sure:     with the answer   without it")
for name, silent in (("softmax over the words", False), ("with no answer", True)):
    medians = [torch.tensor(row).median().item() for row in sureness(silent)]
    print("{:>27} {:16.0%} {:12.0%}".format(name, *medians))

# %% [markdown]
r"""
In the windows without an answer, "no answer" takes nearly all of the probability if it may. If it
may not, the softmax has to spend everything on words, however bad all of them are.

So there are two ways to make windows compare: the sums of the scores, and a softmax with "no
answer" in it. A softmax over the words alone compares what does not compare. In our world it costs
a few questions at most, for the right window often has the sharpest scores, too: section 6 counts
more documents, and a loss is still not shown. "No answer" inside the softmax is even better than
the sums, and that is shown there. A likely reason: one layer gives all of the scores, but the
reader was never trained on two windows at once, so nothing has made their *sums* agree.
Clark & Gardner (2018) saw the same on English texts: a reader that was trained on one paragraph at
a time gets worse, the more paragraphs it reads, and a choice of "no answer" in training is one of
their cures.

**No answer.** The threshold is chosen on other documents, those of the validation split, by the
highest F1, as SQuAD 2.0's script does (`mb.heads.best_threshold`). Three chronicles of ten lack the
article. `HasAns` are the questions with an answer, `NoAns` those without.
"""

# %%
def readings_of(some):
    pairs = [(one["question"], one["document"]) for one in some]
    return mb.heads.answer(reader, pairs, no_answer=True, **LIMITS)


tuning, trial = readings_of(learned), readings_of(doubtful)
threshold = mb.heads.best_threshold(tuning, [[one["answer"]] for one in learned])
truths = [[one["answer"]] for one in doubtful]
print("                     all   HasAns   NoAns  (exact match)")
for name, limit in (("never silent", math.inf), ("threshold 0", 0.0),
                    (f"tuned: {threshold:.1f}", threshold), ("always silent", -math.inf)):
    scores = mb.heads.squad2_scores([r.said(limit) for r in trial], truths)
    row = [scores.get(f"{kind}exact match", math.nan) for kind in ("", "HasAns ", "NoAns ")]
    print(f"{name:>15}" + "".join(f"{x:8.0f}" for x in row))

# %% [markdown]
r"""
(`HasAns` has some thirty questions: other questions than in the table above, and few.) A long
document gives a reader more chances to find something that looks like an answer. So a threshold
that was tuned on short texts may be too generous: tune it on documents as long as those that will
be read.

**Where it breaks.** The texts around our article were of other kinds: few of them tell anybody's
favourite food. Now we put the article among five *articles*, about other people, towns and
animals.
"""

# %%
articles = sorted({e.text for e in task.test if e.info["kind"] == "encyclopedia"})
crowd = chronicles(task.test, 6 if SMOKE else 40, seed=2, fillers=articles)
said = [reading.said(math.inf) for reading in readings_of(crowd)]
scores = mb.heads.squad_scores(said, [[one["answer"]] for one in crowd])
print(f"among articles: exact match {scores['exact match']:.0f} %")
wrong = [(one["question"], text, one["answer"]) for one, text in zip(crowd, said, strict=True)
         if text != one["answer"]]
for question, text, answer in wrong[:4]:
    print(f"{question}  said: {text:.40}  right: {answer}")

# %% [markdown]
r"""
The reader falls for the right *kind* of answer about somebody else. Jia & Liang (2017) showed the
same of the readers of their time: one added sentence that resembles the question was enough. In
training (chapter 06), each question was about a short text on one or two people, so the reader
seldom had to check whose food it is. (In such a crowd, all windows together are not shown to beat
the one window that shares most words with the question: section 6.)

**Touch it.** The explorer shows every window as a bar over the document, with its best span and
its score. Make the window smaller. Make the stride as large as the window, so that windows no
longer overlap, and watch what is lost at their edges.
"""

# %%
mb.show.LongReader(reader, one["document"], one["question"], window=WINDOW, stride=STRIDE,
                   no_answer=True, examples=[(o["document"], o["question"]) for o in asked[1:5]])

# %% [markdown]
r"""
## 2. Who am I, and what was said?

A language model continues a text. A conversation partner has to know more: who it is, what was
said and by whom. **TransferTransfo** (Wolf et al. 2019) gives a pre-trained GPT all that as *one*
sequence:

`<bos>` persona `<speaker2>` the other's words `<speaker1>` own words ... `<speaker1>` reply `<eos>`

The **persona** is a few sentences about the one who replies. Four tokens are new. Besides, every
token is of a **kind**: `<speaker1>` for the persona and what the replier says, `<speaker2>` for the
other. The vector of that token is *added* to the embedding, as BERT adds its segments. Two heads
read the states: the language model, which learns the words of the reply, and a **next-utterance**
head at `<eos>`, which learns to tell the right reply from wrong ones.

Our world has dialogues, and each speaker has a persona. The copy that `mb.heads.talking` makes of
the GPT of chapter 07 knows the four tokens.
"""

# %%
spoken = mb.world.generate(tokens=60_000 if SMOKE else 500_000, seed=31)
dialogues = of_documents(spoken.documents)
gpt = mb.heads.talking(mb.GPT.from_pretrained("minibert-gpt"))
later = [one for dialogue in dialogues for one in dialogue.exchanges()[2:]]
example = next((one for one in later if any(
    fact.rstrip(".").split()[-1].lower() in words_of(one.reply) for fact in one.persona[1:]
    if not fact.endswith("old."))), later[0])
print(dialogues)
print("persona of the replier:", *example.persona)
for who, text in example.history:
    print(f"  <speaker{who}> {text}")
print("  reply:", example.reply)

# %% [markdown]
r"""
{{exercise 12.layout}}

Write `layout(encode, persona, history, reply, gold, latest, ids)`. `encode` gives the token ids of
a text; `persona` is a list of sentences, which are encoded as *one* text, with spaces between them
(a GPT has other tokens for a word behind a space); `history` is a list of `(speaker, text)` with
speaker 1 or 2 (1 is the one who replies now), and `ids` holds the ids of `<bos>`, `<eos>`,
`<speaker1>` and `<speaker2>`. Only the `latest` turns are read. Give a dictionary with three lists
of one length:

- `input_ids`: the sequence above. Each turn begins with the token of its speaker, and so does the
  reply. The persona has none, and only the reply ends with `<eos>`.
- `token_type_ids`: for each token the *id* of its speaker's token. `<bos>` belongs to the persona.
- `lm_labels`: what the language model learns from. That is the reply's own tokens and `<eos>`, each
  at its place, and only if `gold` is true; everywhere else -100. A wrong reply must not teach it
  anything.
"""

# %%
def layout(encode, persona, history, reply, gold, latest, ids):
    """input_ids, token_type_ids and lm_labels of one candidate."""
    found = {"input_ids": [], "token_type_ids": [], "lm_labels": []}
    ### BEGIN SOLUTION
    speakers = {1: ids["<speaker1>"], 2: ids["<speaker2>"]}
    about = encode(" ".join(persona))
    parts = [(1, [ids["<bos>"], *about])]
    parts += [(who, [speakers[who], *encode(text)]) for who, text in history[-latest:]]
    parts.append((1, [speakers[1]]))
    end = [*encode(reply), ids["<eos>"]]
    before = [i for _, part in parts for i in part]
    kinds = [speakers[who] for who, part in parts for _ in part]
    found["input_ids"] = before + end
    found["token_type_ids"] = kinds + [speakers[1]] * len(end)
    found["lm_labels"] = [-100] * len(before) + (end if gold else [-100] * len(end))
    ### END SOLUTION
    return found


# %%
mb.course.check("12.layout", layout)

# %%
layout = mb.course.use("12.layout", layout)

# %% [markdown]
r"""
One exchange by your function. The second column is the kind of each token; a dot in the third
means that the language model learns nothing there. The library's `Script` gives the same.
"""

# %% tags=["nbval-check-output"]
ids = {name: gpt.tokenizer.ids[name] for name in ("<bos>", "<eos>", "<speaker1>", "<speaker2>")}
toy = (["I live in Kestle.", "I love figs."], [(2, "Where do you live?")], "In Kestle.")
encode = gpt.tokenizer.encode
row = layout(encode, *toy, True, 5, ids)
for token, kind, label in zip(*row.values(), strict=True):
    names = [gpt.tokenizer.decode([token]), 1 if kind == ids["<speaker1>"] else 2,
             "." if label == -100 else "learned"]
    print("{:<12} speaker {}  {}".format(*names))
assert [row] == mb.heads.dialogue.Script(gpt).rows(*toy[:2], [toy[2]])

# %% [markdown]
r"""
**How good is a reply?** There are many good ones, so PersonaChat's score gives a model several
candidates, one of them the reply that was really given, the others from other dialogues. **hits@1**
is the share of exchanges in which the right one comes first. The **mean reciprocal rank (MRR)** is
the mean of 1 / place.

{{exercise 12.hits}}

Write `hits_and_mrr(scores, right)`. `scores` has one list per exchange, the scores of its
candidates; `right` has the position of the right one in each. A wrong candidate with the *same*
score stands before the right one. (A model that says 0 to everything must not get a hit because
the right one happens to stand first.)
"""

# %%
def hits_and_mrr(scores, right):
    """(hits@1, mean reciprocal rank)."""
    hits, mrr = 0.0, 0.0
    ### BEGIN SOLUTION
    places = []
    for row, at in zip(scores, right, strict=True):
        places.append(sum(score >= row[at] for score in row))  # itself counts once
    hits = sum(place == 1 for place in places) / len(places)
    mrr = sum(1 / place for place in places) / len(places)
    ### END SOLUTION
    return hits, mrr


# %%
mb.course.check("12.hits", hits_and_mrr)

# %%
hits_and_mrr = mb.course.use("12.hits", hits_and_mrr)

# %% [markdown]
r"""
Which replies can be told apart at all? *At six?* fits many dialogues. We take the replies that tell
a fact of the persona which nobody has mentioned before: a food, a hobby, a trade or a town.

Besides, each person of our world has *one* persona, and speakers of the test talk in the training
dialogues, too: a model could learn them by heart. So `another` exchanges the fact: it draws a new
food, hobby, trade or town for persona and reply alike. A model can then find the fact only in the
persona that it is given.
"""

# %%
def last_word(sentence):
    return sentence.rstrip(".").split()[-1]


KINDS = "I live in", "I like", "I love", "I am"


def told(one):
    """The facts of the persona, a word each, that the reply says and that nobody said before."""
    new = words_of(one.reply) - words_of(" ".join(text for _, text in one.history))
    facts = [s for s in one.persona if s.startswith(KINDS) and not s.endswith("old.")]
    return [w for w in map(last_word, facts) if w.lower() in new]


values = {kind: sorted({last_word(s) for d in dialogues for p in d.personas for s in p
                        if s.startswith(kind) and not s.endswith("old.")}) for kind in KINDS}


def another(one, rng):
    """The same exchange about somebody with other facts."""
    persona, reply = list(one.persona), one.reply
    for i, sentence in enumerate(persona):
        kind = next((kind for kind in KINDS if sentence.startswith(kind)), None)
        word = last_word(sentence)
        if kind and word in told(one):
            new = rng.choice(values[kind])
            persona[i], reply = sentence.replace(word, new), reply.replace(word, new)
    return replace(one, persona=tuple(persona), reply=reply)


# %%
rng = random.Random(0)
train, test = dialogues.split(0.8, 0.2)
lessons = [one for one in train.exchanges(2, seed=1) if told(one)]
rng.shuffle(lessons)
total = 32 if SMOKE else 800
lessons = [another(one, rng) for one in (lessons * (1 + total // len(lessons)))[:total]]
trials = [another(one, rng) for one in test.exchanges(10, seed=2) if told(one)]
trials = trials[: 6 if SMOKE else 40]
print(f"{len(lessons)} replies to learn from, {len(trials)} to be ranked among 10")
print(trials[0].history[-1][1], "->", trials[0].reply, "|", *trials[0].persona)

# %% [markdown]
r"""
First the language model alone: one pass over these replies, nothing but their words as labels.
Then a copy of it gets the second head, and learns both with one wrong reply beside each right one,
on a part of the replies (each costs twice the reading).
"""

# %%
TURNS = 2  # of the history
talker = mb.heads.CausalLM(gpt)
history = mb.fit(talker, talker.batches(mb.heads.dialogue_examples(talker, lessons, TURNS), 16),
                 epochs=1, optimizer=mb.optim.adamw(talker, 1e-3), progress=False)

# %%
two = mb.heads.DoubleHeads(copy.deepcopy(gpt), 2, auxiliary=1.0)
part = lessons[: 16 if SMOKE else 240]
both = mb.fit(two, two.batches(mb.heads.dialogue_examples(two, part, TURNS), 16),
              epochs=1, optimizer=mb.optim.adamw(two, 5e-4), progress=False)
print(f"{len(history.loss)} updates of the language model, then {len(both.loss)} of both heads")

# %% [markdown]
r"""
Four cheap rankings stand beside them: a coin; the words that a reply shares with persona and
history; the language model's score per token for *the reply alone*, without persona and history;
and the GPT before it had read a dialogue as we lay it out.
"""

# %%
def shared(one):
    """Words that each candidate shares with persona and history, the right one last."""
    known = words_of(" ".join([*one.persona, *(text for _, text in one.history)]))
    return [len(words_of(reply) & known) for reply in (*one.others, one.reply)]


def by_words(head, exchanges):
    """The language model's mean log-probability per token of each candidate."""
    ranked = mb.heads.rank_replies(head, exchanges, utterances=TURNS)
    return [one.words.tolist() for one in ranked]


bare = [replace(one, persona=(), history=()) for one in trials]
fresh = mb.heads.CausalLM(mb.heads.talking(mb.GPT.from_pretrained("minibert-gpt")))
second = mb.heads.rank_replies(two, trials, utterances=TURNS)
rankings = {
    "shared words": [shared(one) for one in trials],
    "the reply alone": by_words(talker, bare),
    "before training": by_words(fresh, trials),
    "language model": by_words(talker, trials),
    "second head": [one.choice.tolist() for one in second],
    "both heads' language model": [one.words.tolist() for one in second],
}
print("                             hits@1    MRR    (chance: 10 %, 0.29)")
for name, scores in rankings.items():
    hits, mrr = hits_and_mrr(scores, [9] * len(scores))
    print(f"{name:>27} {hits:8.0%} {mrr:7.2f}")

# %% [markdown]
r"""
Look at the cheap rankings first. They go a long way: the right reply tells a fact, shares its word
with the persona, and most of the wrong replies do neither. Any claim for a model begins above the
best of them. The language model is above it: it knows which fact the question asks for. The paper
ranks replies by its second head. Here that head lags far behind the language model after one short
pass, and with forty exchanges its lead over the cheap rankings is uncertain by some twenty points.
It has to find out from one bit per exchange what the language model learns from every word.
(TransferTransfo makes some 200,000 updates with a GPT of twelve layers; compare the number of ours
above. "Both heads' language model" has had more updates than "language model". Section 6
compares the heads with as many updates each, and far more exchanges.)

**It talks.** Now a persona of nobody in this world. Each line is asked by itself; the first reply
takes the likeliest token each time, the second is drawn from the nucleus (chapter 07).
"""

# %%
persona = ["My name is Ada Pell.", "I live in Kestle.", "I am a gardener.", "I like sailing.",
           "I love grapes.", "I have a cat called Pixel."]
for question in ("Where do you live?", "What do you do for a living?",
                 "What is your favourite food?", "What do you do on Sundays?"):
    said = mb.heads.reply(talker, persona, [question], 24, top_p=None, temperature=0)
    drawn = mb.heads.reply(talker, persona, [question], 24, top_p=0.9, seed=0)
    print(f"{question}\n    {said}\n    {drawn}")

# %%
def says_it(persona_of):
    """How often the likeliest reply has the fact that the right one tells."""
    hits = []
    for one in trials[: 3 if SMOKE else 20]:
        text = mb.heads.reply(talker, persona_of(one), one.history, 16, utterances=TURNS,
                              top_p=None, temperature=0)
        hits.append(any(word in text for word in told(one)))
    return sum(hits) / len(hits)


chance = [sum(any(w in s for w in told(one)) for s in one.persona) / len(one.persona)
          for one in trials]
print(f"the persona's fact is in the reply: {says_it(lambda one: one.persona):.0%}; with the name "
      f"of the persona alone: {says_it(lambda one: one.persona[:1]):.0%}")
print(f"... in a sentence of the persona that is drawn by chance: {sum(chance) / len(chance):.0%}")

# %% [markdown]
r"""
It often answers from the persona that it was given, and it could know these facts from nowhere
else: with the name alone it hits next to none. To say any sentence of the persona is not enough
either: the model picks the one that the question asks for. It also makes things up, as a model of
this size does that has read so few dialogues. (The four replies above are examples; the shares
come from twenty exchanges.)

**Touch it.** Give it a persona of your own, and talk. The strip shows what the model reads, in the
colours of its kinds. The bars are the candidates that it drew, with the scores by which one was
chosen.
"""

# %%
mb.show.PersonaChat(talker, persona, ["Where do you live?"], top_p=0.9, temperature=0.8, seed=0)

# %% [markdown]
r"""
## 3. One model reads, another writes

A summary, a translation or a headline is neither a label nor a continuation: something is read,
and something else is written. The Transformer of chapter 04 has an encoder for the one and a
decoder for the other. Ramachandran et al. (2017) take both **from language models that exist**. We
join our BERT, which reads, to our GPT, which writes. Each block of the GPT gets one new attention
between its own two parts: its queries come from what is being written, its keys and values from
what BERT has read. That is **cross-attention**, and nothing else in the two has to start from
random weights.

{{exercise 12.cross}}

(Optional.) Write `cross_attention(states, memory, seen, query, key, value, output, heads)`.
`states` is (batch, steps, dim), what the decoder has so far; `memory` is (batch, read, dim), the
encoder's last states; `seen` (batch, read) is True where a token was read and False at padding. The
four layers are `nn.Linear`. Give (batch, steps, dim), what the decoder adds to its stream. *Which
mask is needed here, and which is not?*
"""

# %%
def cross_attention(states, memory, seen, query, key, value, output, heads):
    """What each step of the decoder finds in the memory."""
    found = states
    ### BEGIN SOLUTION
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2)
               for x in (query(states), key(memory), value(memory)))
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (batch, heads, steps, read)
    scores = scores.masked_fill(~seen[:, None, None, :], -torch.inf)
    found = output((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    ### END SOLUTION
    return found


# %%
mb.course.check("12.cross", cross_attention)

# %%
cross_attention = mb.course.use("12.cross", cross_attention)

# %% [markdown]
r"""
Your function with the layers of a joined model, against the model itself. In a joined model the new
output layer starts at zero, so that at first the GPT writes what it would write alone. For this
comparison it gets random weights.
"""

# %%
joined = EncoderDecoder(mb.BERT.from_pretrained("minibert-bert"),
                        mb.GPT.from_pretrained("minibert-gpt")).eval()
new = sum(p.numel() for p in joined.new_layers.parameters())
print(f"new: {new / sum(p.numel() for p in joined.parameters()):.0%} of the weights")
cross = copy.deepcopy(joined.decoder.stack.blocks[0].cross)
torch.nn.init.normal_(cross.output.weight, std=0.1)
device = cross.output.weight.device
states, memory = (torch.randn(2, n, joined.width, device=device) for n in (3, 5))
seen = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], device=device) > 0
with torch.no_grad():
    mine = cross_attention(states, memory, seen, cross.query, cross.key, cross.value,
                           cross.output, cross.heads)
    theirs, _, _ = cross(states, memory, seen[:, None, None, :])
assert torch.allclose(mine, theirs, atol=1e-4)

# %% [markdown]
r"""
**A headline for a report.** The world's newspapers report on storms, lost animals and fairs. From
the first three sentences of a report the model has to write a headline, for example *A storm in
Marsham.* The words of the headline need not occur in the report, and the town has to be the right
one. A model of the same shape that starts from random weights gets the same updates.
"""

# %%
HEADLINES = {
    "election": "A vote", "weather": "The weather", "wedding": "A long marriage",
    "dog": "A lost animal", "theft": "Thieves", "escape": "An escape", "storm": "A storm",
    "lost": "Something found", "contest": "A contest", "train": "A late train",
    "price": "High prices", "school": "A day at school", "concert": "A concert",
    "flood": "High water", "premiere": "A new film", "opening": "A new house", "fair": "A fair",
    "fish": "A large fish", "royal": "A royal visit", "crane": "A new bridge",
    "lights": "A dark night", "birthday": "A birthday", "rule": "A new rule"}
towns = "|".join(s for s, relation, _ in mb.world.world().facts if relation == "country")
reports = []
for document in spoken.documents:
    text = " ".join(s.text for s in document.sentences[:3])
    town = re.search(rf"\b({towns})\b", text)
    if document.kind == "news" and town:
        reports.append((text, f"{HEADLINES[document.topic]} in {town[1]}.", document.topic))
random.Random(0).shuffle(reports)
unread, reports = reports[:60], reports[60 : 80 if SMOKE else 480]
print(f"{len(reports)} reports; for example:", *reports[0][:2], sep="\n  ")

# %%
def pair_of(trained):
    """An encoder-decoder of BERT's and GPT's shape, with their weights or with random ones."""
    encoder, decoder = (mb.BERT.from_pretrained("minibert-bert"),
                        mb.GPT.from_pretrained("minibert-gpt"))
    if not trained:
        words = encoder.tokenizer, decoder.tokenizer
        encoder, decoder = mb.BERT(encoder.config), mb.GPT(decoder.config)
        encoder.tokenizer, decoder.tokenizer = words
    return EncoderDecoder(encoder, decoder).to(mb.runtime.device())


writers, curves = {"pre-trained": pair_of(True), "random": pair_of(False)}, {}
for name, model in writers.items():
    examples = model.examples([r[0] for r in reports], [r[1] for r in reports])
    curves[name] = mb.fit(model, mb.text.PaddedBatches(examples, 16), epochs=2, progress=False,
                          optimizer=mb.optim.adamw(model, 1e-3)).loss

# %%
fig, ax = mb.show.new("Learning to write headlines", "update", "loss, nats per token")
for name, look in (("pre-trained", "-"), ("random", "--")):
    ax.plot(curves[name], look, label=f"both {name}" if name == "random" else "both pre-trained")
ax.legend()
mb.show.figure(fig, alt="The loss by update: with pre-trained models it falls from "
               f"{curves['pre-trained'][0]:.1f} to {curves['pre-trained'][-1]:.1f}, from random "
               f"weights from {curves['random'][0]:.1f} to {curves['random'][-1]:.1f}.")

# %% [markdown]
r"""
Is the right thing written? We take a headline apart: *what* happened, before "in", and *where*.
Rules stand beside it, without any writing: always the most frequent; word counts that choose one of
the 23 kinds of headline (chapter 06's baseline); and the first town that the report names. (The
last is how the right headline was made, so it is always right. That is the point: copying is
trivial for a rule.)

And there is a rival, in the manner of section 2: the **GPT alone**. Report and headline are one
text, the headline's tokens have labels, and no layer is new. It gets as many updates. *Predict:*
does it do better than BERT and GPT together, or worse?
"""

# %%
def as_one_text(report, headline=None):
    """A report and perhaps its headline as one text; only the headline has labels."""
    words = lone.encoder.tokenizer
    read = [*words.encode(report), words.end_id]
    said = [] if headline is None else [*words.encode(headline), words.end_id]
    return {"input_ids": read + said, "labels": [-100] * len(read) + said}


def continued(report):
    """The headline with which the GPT alone goes on."""
    read, words = as_one_text(report)["input_ids"], lone.encoder.tokenizer
    written = lone.encoder.generate(read, 12, temperature=0)[len(read):]
    return words.decode([i for i in written if i != words.end_id])


lone = mb.heads.CausalLM(mb.GPT.from_pretrained("minibert-gpt"))
examples = [as_one_text(report, headline) for report, headline, _ in reports]
history = mb.fit(lone, lone.batches(examples, 16), epochs=2, progress=False,
                 optimizer=mb.optim.adamw(lone, 1e-3))

# %%
def labelled(part):
    return [mb.data.examples.Example(text=text, label=kind) for text, _, kind in part]


def halves(headline):
    """(what, where)."""
    return headline.rstrip(".").rpartition(" in ")[::2]


written = {name: model.write([r[0] for r in unread], 12) for name, model in writers.items()}
written["GPT alone"] = [continued(r[0]) for r in unread]
usual = [max(part, key=part.count) for part in zip(*(halves(r[1]) for r in reports), strict=True)]
told_of = {"most frequent": [usual] * len(unread)}
told_of |= {name: [halves(text) for text in texts] for name, texts in written.items()}

# %%
tenth = len(reports) // 10
counts = mb.models.cheap.WordCounts().fit(labelled(reports[tenth:]), labelled(reports[:tenth]))
print(f"  two rules: what {counts.score(labelled(unread)):.0%} (word counts), "
      "where 100% (the first town)")
right = [halves(headline) for _, headline, _ in unread]
for name, said in told_of.items():
    what, where = (sum(a[k] == b[k] for a, b in zip(said, right, strict=True)) / len(right)
                   for k in (0, 1))
    print(f"{name:>13}: what {what:.0%}, where {where:.0%}")
for i in range(3):
    print(f"{unread[i][0][:70]}...")
    for name, texts in written.items():
        print(f"{name:>13}: {texts[i]}")

# %% [markdown]
r"""
Rules can do this: in this small world, each kind of report has its own words. Compare the writers.
After the same few updates the pre-trained pair mostly knows what happened; the random pair writes
headlines that might stand over anything. Neither copies the town: the rule that always names the
same town is about as good. (Three reports say little; the shares above them count sixty.) The GPT
alone does both.

Why is the town hard for a pair? What happened can be read off the whole report, and every report of
that kind teaches it. A name has to be carried, unchanged, from BERT's states to GPT's words,
through layers that began at random. A few dozen updates do not teach that. In the GPT alone, report
and headline go through the same layers and are made of the same tokens. Its pre-training helps, but
it is not the whole reason: even from random weights a GPT alone copies more towns than the
pre-trained pair (section 6). So a second model and a new attention have to earn their place:
published encoder-decoders learn from millions of examples, and some add a *pointer* that copies a
word (See et al. 2017).

{{quiz 12.q3}}

## 4. A tree for a sentence (optional)

A tree is not one label, and not one label per word either: each word chooses its **head** among all
words, and the choices must form a tree. Dozat & Manning (2017) give each word two small views of
its state, one as a **dependent**, $x_i$, and one as a **head**, $y_j$. The score of the arc from
dependent $i$ to head $j$ is **biaffine**: a product of the two through a matrix, and a term for
the head alone, which says how good a head it is for anybody:

$$
s_{ij} = \begin{bmatrix} x_i \\ 1 \end{bmatrix}^\top U \, y_j = x_i^\top U' y_j + u^\top y_j
$$

$U$ has the shape $(d + 1, d)$, and its last row is $u$.

{{exercise 12.biaffine}}

(Optional.) Write `arc_scores(x, y, U)`: $x$ is $(n, d)$, $y$ is $(m, d)$; the result is $(n, m)$.
(In a parser, $m = n + 1$: a word's head may be the **root**, which is no word.)
"""

# %%
def arc_scores(x, y, U):
    """The score of every arc, (dependents, heads)."""
    scores = torch.zeros(len(x), len(y))
    ### BEGIN SOLUTION
    x1 = torch.cat((x, torch.ones(len(x), 1)), 1)
    scores = torch.einsum("ia,ab,jb->ij", x1, U, y)
    ### END SOLUTION
    return scores


# %%
mb.course.check("12.biaffine", arc_scores)

# %%
arc_scores = mb.course.use("12.biaffine", arc_scores)

# %% tags=["nbval-check-output"]
biaffine = mb.heads.parser.Biaffine(3, 1, both=False)
x, y = torch.arange(12.0).reshape(4, 3), torch.ones(5, 3)
torch.nn.init.constant_(biaffine.weight, 0.5)
theirs = biaffine(x[None], y[None])[0, ..., 0]
assert torch.allclose(arc_scores(x, y, biaffine.weight[0]), theirs)
theirs[:, 0].tolist()

# %% [markdown]
r"""
A parser is our BERT with these views, one biaffine score for arcs and one for the relation of an
arc. It learns from four hundred sentences of the world, whose trees are known, and is compared with
the same network from random weights and with the rule that a word depends on the next one.
The scores are shares of words: **UAS** (unlabelled attachment score) counts those with the right
head, **LAS** those with the right relation, too.
"""

# %%
sentences = {s.text: s for d in corpus.documents for s in d.sentences if 6 <= len(s.tokens) <= 24}
sentences = list(sentences.values())
random.Random(1).shuffle(sentences)
treebank, untold = sentences[: 40 if SMOKE else 400], sentences[-30 if SMOKE else -120 :]
relations = sorted({relation for s in sentences for relation in s.relation})
gold = [list(zip(s.head, s.relation, strict=True)) for s in untold]


def parser_on(encoder):
    """A parser trained on the treebank."""
    parser = mb.heads.Parser(encoder, labels=relations, arc=100, relation=50)
    parser.to(mb.runtime.device())
    arcs = [list(zip(s.head, s.relation, strict=True)) for s in treebank]
    batches = parser.batches(parser.examples([s.tokens for s in treebank], arcs), 16)
    mb.fit(parser, batches, epochs=3, optimizer=mb.optim.adamw(parser, 1e-3), progress=False)
    return parser


# %%
blank = mb.BERT(reader.encoder.config)
blank.tokenizer = tokenizer
parsers = {"pre-trained": parser_on(mb.BERT.from_pretrained("minibert-bert")),
           "random": parser_on(blank)}
found = {name: p.predict([s.tokens for s in untold]) for name, p in parsers.items()}
for name, said in found.items():
    scores = mb.heads.attachment_scores(said.labels, gold)
    print(f"{name:>12}: UAS {scores['uas']:.0%}, LAS {scores['las']:.0%}")
following = [h == i + 1 for s in untold for i, h in enumerate(s.head)]
print(f"    the next: UAS {sum(following) / len(following):.0%}")

# %% tags=["hide-input"]
def draw_arcs(ax, words, gold, said):
    """Gold arcs above the words, those said below, dashed where they are wrong."""
    for side, heads in ((1, gold), (-1, said)):
        for i, head in enumerate(heads):
            t = torch.linspace(0, 1, 30)
            height = side * ((0.5 + 0.32 * abs(head - i)) * 4 * t * (1 - t) + 0.35)
            across = i + (head - i) * t
            if head < 0:  # from the root, which is no word
                across, height = torch.full((30,), float(i)), side * (0.35 + 2 * t)
            color = mb.show.PALETTE["blue" if gold[i] == head else "vermillion"]
            ax.plot(across, height, "-" if gold[i] == head else "--", lw=1.8, color=color)
            ax.plot(i, side * 0.42, "v" if side > 0 else "^", ms=7, color=color)
    for i, word in enumerate(words):
        ax.text(i, 0, word, ha="center", va="center", fontsize=10)
    ax.set(xlim=(-0.6, len(words) - 0.4), xticks=[], yticks=[])
    ax.grid(False)


middle = min(range(len(untold)), key=lambda i: (abs(len(untold[i].tokens) - 11), i))
said = [head for head, _ in found["pre-trained"].labels[middle]]
fig, ax = mb.show.new("A sentence's tree", "word", "gold above, the parser below", size=(9.4, 3.8))
draw_arcs(ax, untold[middle].tokens, untold[middle].head, said)
same = sum(a == b for a, b in zip(said, untold[middle].head, strict=True))
mb.show.figure(fig, alt=f"Arcs above and below the words of: {untold[middle].text} Of "
               f"{len(said)} words, {same} have the right head.")

# %% [markdown]
r"""
In the picture an arrow points from a head to its dependent, and an upright one marks the word whose
head is the root. Dashed arrows are wrong. (The sentence was chosen by its length alone, and comes
out far worse than the average above. In these trees, as in Universal Dependencies, *is* depends on
the noun or adjective behind it.)

**Choices that form no tree.** Each word could simply take its best head. But two words may choose
each other, and then nothing connects them with the rest; or several words may choose the root.
`mb.heads.highest_tree` finds the tree with the highest sum of scores (Chu & Liu 1965, Edmonds
1967). *Predict:* in how many of a hundred sentences do the best heads form no tree?
"""

# %%
def greedy(probabilities):
    """Each word's likeliest head, -1 for the root."""
    return [int(row.argmax()) - 1 for row in probabilities]


def no_tree(heads):
    """Why these heads form no tree; "" where they do."""
    try:
        mb.heads.check_tree(heads, "it")
    except ValueError as error:
        return str(error)
    return ""


for name, said in found.items():
    broken = [i for i, p in enumerate(said.probabilities) if no_tree(greedy(p))]
    print(f"{name:>12}: {len(broken) / len(untold):.0%} of the sentences")
loops = [(i, p) for i, p in enumerate(said.probabilities) if "cycle" in no_tree(greedy(p))]
for i, probabilities in loops[:1]:
    words = untold[i].tokens
    print(f"{name}: " + " ".join(words), no_tree(greedy(probabilities)), sep="\n")
    for word, one, (tree, _) in zip(words, greedy(probabilities), said.labels[i], strict=True):
        if one != tree:
            print(f"  {word}: its best head {words[one] if one >= 0 else 'the root'!r}, "
                  f"in the tree {words[tree] if tree >= 0 else 'the root'!r}")

# %% [markdown]
r"""
The better the scores, the rarer the loops. A good parser needs the search for few sentences, and
it changes few heads (section 6). But a program that reads a tree, to find the subject of a verb,
say, must be able to rely on it.

## 5. One language model, several kinds of context (optional)

Chapter 07's GPT read one stream of text. In section 2 it had to tell apart a persona, two speakers
and a reply. Nothing in its blocks was changed for that. It got four new tokens, and a vector for
the kind of each token. That is the general recipe for *adapting one language model to several
kinds of context*: mark each kind in the input, start the marks at random, and let fine-tuning give
them a meaning. Do the marks matter? We exchange them on the test: what the other said is marked as
said by oneself, and the reverse (persona and reply count as one's own). The words stay the same.
"""

# %%
def mean_loss(change):
    """Nats per token of the right replies, with changed rows."""
    rows = []
    for row in mb.heads.dialogue_examples(talker, trials, TURNS):
        rows.append(row | {"token_type_ids": change(row["token_type_ids"])})
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in talker.batches(rows, 16).of_epoch(0):
            batch = {name: x.to(mb.runtime.device()) for name, x in batch.items()}
            loss, number = talker.loss(batch)
            total, count = total + float(loss), count + number
    return total / count


own, other = ids["<speaker1>"], ids["<speaker2>"]
exchanged = {own: other, other: own}
talker.eval()
for name, change in (("as they are", lambda row: row),
                     ("exchanged", lambda row: [exchanged[i] for i in row]),
                     ("all of the other", lambda row: [other] * len(row))):
    print(f"kinds {name:>16}: {mean_loss(change):.2f} nats per token")

# %% [markdown]
r"""
The same words with other marks, and the loss rises: the model reads the marks. That does not show
that it needs them. A model that has learned without them might do as well; we have not tried. (Its
word for a
speaker, `<speaker1>` or `<speaker2>`, still stands before each turn, so some of what the kinds say
is said twice.)
"""

# %% [markdown]
r"""
## 6. The papers' claims, measured here (optional)

**Long documents.** Seven texts in a row, about {{finding 12 long_documents.pieces mean .0f}} tokens,
and the reader of section 1; each of the {{finding 12 long_documents.best_exact seeds}} seeds has
documents and questions of its own. "The nearest window" is the window that shares most words with
the question, read alone. In the last row the documents are ten articles and reviews.

{{findings 12
| all windows find more than the first | long_documents.best_exact - long_documents.first_exact | percent | - |
| ... and more than the nearest window | long_documents.best_exact - long_documents.shared_exact | percent | - |
| sums of scores beat a softmax over the words of a window | long_documents.best_exact - long_documents.own_exact | percent | - |
| sums of scores beat a softmax with "no answer" in it | long_documents.best_exact - long_documents.own_null_exact | percent | - |
| the article alone is easier than the document | long_documents.passage_exact - long_documents.best_exact | percent | - |
| a tuned threshold beats the threshold 0 (with unanswered questions) | long_documents.tuned_exact - long_documents.zero_exact | percent | - |
| among other articles, all windows beat the nearest window | long_documents.crowd_best_exact - long_documents.crowd_shared_exact | percent | - |
}}

**Dialogue.** All kinds of replies this time, with the world's own facts: not only those that tell a
fact, as in section 2. Up to 4,000 exchanges to learn from, 1,000 updates of eight exchanges for
each head ({{finding 12 dialogue.lm_hits seeds}} seeds). The speakers of the test are in
no dialogue to learn from. All numbers are hits@1 among ten replies. "A scorer of words" is no
language model: it learns which words of a reply go with which words of the persona and the last
turns, from the same right and wrong replies (600 updates of 32). A reply is "about the persona" if
it has a word of the persona that nobody has said before.

{{findings 12
| the language model beats shared words | dialogue.lm_hits - dialogue.overlap_hits | percent | - |
| the language model beats the scorer of words | dialogue.lm_hits - dialogue.bag_hits | percent | - |
| the second head beats the scorer of words | dialogue.two_hits - dialogue.bag_hits | percent | - |
| the second head beats the language model alone | dialogue.two_hits - dialogue.lm_hits | percent | - |
| the language model beside a second head beats the one alone | dialogue.two_lm_hits - dialogue.lm_hits | percent | - |
| replies about the persona: with another's, the language model loses | dialogue.lm_about_hits - dialogue.lm_swapped_about_hits | percent | - |
| replies about the persona: with another's, the second head loses | dialogue.two_about_hits - dialogue.swapped_about_hits | percent | - |
}}

The language model alone ranks {{finding 12 dialogue.lm_hits mean .0%}} of the right replies first, the
second head {{finding 12 dialogue.two_hits mean .0%}}, the scorer of words {{finding 12 dialogue.bag_hits mean .0%}}, shared
words {{finding 12 dialogue.overlap_hits mean .0%}}. The last two rows hint at the reason. Exchange the
personas, and the language model loses; that the second head loses anything is not shown. From one
wrong reply beside each right one it has learned which replies fit a question, but hardly whose
facts they tell. So try the language model first, before you train a second head.

**Headlines.** The task of section 3 with more reports, and as many updates for each start. (The
rates were tried in a few runs, not tuned for each start.) "What" is the part of the headline
before *in*.

{{findings 12
| both pre-trained beat neither (*what*) | headlines.both_what - headlines.neither_what | percent | yes (Ramachandran et al. 2017) |
| both pre-trained beat neither (loss) | headlines.neither_loss - headlines.both_loss | nats .2f | yes |
| both beat the encoder alone (loss) | headlines.encoder_loss - headlines.both_loss | nats .2f | yes |
| the encoder alone beats the decoder alone (loss) | headlines.decoder_loss - headlines.encoder_loss | nats .2f | - |
| it reads: another report costs | headlines.both_unread_loss - headlines.both_loss | nats .2f | - |
| both pre-trained beat neither (*where*) | headlines.both_where - headlines.neither_where | percent | - |
| both pre-trained beat counted words (*what*) | headlines.both_what - headlines.words_what | percent | - |
| the GPT alone beats the pre-trained pair (*what*) | headlines.alone_what - headlines.both_what | percent | - |
| the GPT alone beats the pre-trained pair (*where*) | headlines.alone_where - headlines.both_where | percent | - |
| the GPT alone needs its pre-training (*where*) | headlines.alone_where - headlines.alone_random_where | percent | - |
}}

Started from random weights, the pair learns which words headlines have, and reads nothing: another
report costs it nothing at all (its loss is {{finding 12 headlines.neither_loss mean .2f}} nats with
the right report and {{finding 12 headlines.neither_unread_loss mean .2f}} with another). The
pre-trained encoder is what matters most. But at *what* happened the pair is not shown to beat
counted words. The town is rarely right in any of these pairs. The
GPT alone writes {{finding 12 headlines.alone_where mean .0%}} of the towns. Even the GPT alone from
random weights, with {{finding 12 headlines.alone_random_where mean .0%}}, is ahead of the pre-trained
pair, with {{finding 12 headlines.both_where mean .0%}}. So the paper's claim holds here for what it
compares, pairs with pairs. But on this task the pair is the wrong tool.

**Trees.** Two hundred sentences to learn from, half as many as in section 4. The rates were tried
on another draw. "By tag" gives each word the most frequent distance and relation of its gold part
of speech.

{{findings 12
| a pre-trained parser beats one from scratch (LAS) | parser.fine_tuned_las - parser.from_scratch_las | percent | - |
| fine-tuning beats frozen features (LAS) | parser.fine_tuned_las - parser.features_las | percent | - |
| the pre-trained parser beats the rule by tag (UAS) | parser.fine_tuned_uas - parser.tag_uas | percent | - |
| the best tree beats each word's best head (UAS) | parser.fine_tuned_uas - parser.fine_tuned_greedy | percent | - |
| from scratch, more sentences are no tree | parser.from_scratch_broken - parser.fine_tuned_broken | percent | - |
}}

## 7. The real thing (optional)

**Questions about Wikipedia (SQuAD 1.1).** Chapter 06 fine-tuned MiniLM, a BERT of 22.7 million
weights, on 2,000 of SQuAD's questions. DistilBERT (Sanh et al. 2019) is three times as large, was
distilled from BERT as well, and has learned from all of SQuAD's 88,000 questions.

| | exact match | F1 |
|:---|---:|---:|
| DistilBERT, 88,000 questions, the official development set | 77.7% | 85.8% |
| MiniLM, 2,000 questions, other articles held out ({{finding 06 real_questions.fine_tuned_f1 seeds}} seeds) | {{finding 06 real_questions.fine_tuned_exact_match mean .1%}} | {{finding 06 real_questions.fine_tuned_f1 mean .1%}} |
| the sentence with most shared words | {{finding 06 real_questions.baseline_exact_match mean .1%}} | {{finding 06 real_questions.baseline_f1 mean .1%}} |

What differs, then: the size of the model, forty times as many questions, the articles that are
tested on, and the pre-training (MiniLM was made for the meaning of whole sentences).

The same reader on longer texts, as in section 1 ({{finding 12 squad_windows.article_exact seeds}} seeds). A
paragraph is cut into windows of 256 pieces, or of 128. Then five paragraphs of the article stand in
a row, with the question's own among them, and are read in windows of 256.

| | windows | exact match | F1 |
|:---|---:|---:|---:|
| a paragraph, all windows of 256 | {{finding 12 squad_windows.paragraph_windows mean .1f}} | {{finding 12 squad_windows.paragraph_exact mean .1%}} | {{finding 12 squad_windows.paragraph_f1 mean .1%}} |
| a paragraph, all windows of 128 | {{finding 12 squad_windows.short_windows mean .1f}} | {{finding 12 squad_windows.short_exact mean .1%}} | {{finding 12 squad_windows.short_f1 mean .1%}} |
| ... the first of them | 1 | {{finding 12 squad_windows.short_first_exact mean .1%}} | {{finding 12 squad_windows.short_first_f1 mean .1%}} |
| five paragraphs, all windows | {{finding 12 squad_windows.article_windows mean .1f}} | {{finding 12 squad_windows.article_exact mean .1%}} | {{finding 12 squad_windows.article_f1 mean .1%}} |
| ... the first window | 1 | {{finding 12 squad_windows.article_first_exact mean .1%}} | {{finding 12 squad_windows.article_first_f1 mean .1%}} |
| ... the window with most shared words | 1 | {{finding 12 squad_windows.article_shared_exact mean .1%}} | {{finding 12 squad_windows.article_shared_f1 mean .1%}} |
| ... the sentence with most shared words | - | {{finding 12 squad_windows.article_sentence_exact mean .1%}} | {{finding 12 squad_windows.article_sentence_f1 mean .1%}} |

(500 questions for the paragraphs, the first 200 of them for the five in a row, and too few seeds
for an interval.) So what section 1 found is seen on real text, too: cutting a paragraph costs
nothing that we can see, the other paragraphs cost more, and the search over all windows finds more
than either shortcut. Among the reader's five best spans of the
five paragraphs, the exact answer stands in {{finding 12 squad_windows.article_five_best mean .0%}}.

Here is this kind of work with your own function, if the data are at hand: twelve passages
of one article of Wikipedia as one document. The bundled reader knows only our small world. So what
it says here is mostly wrong; what the cell shows is the search, over far more windows than before.
"""

# %%
folder = Path(os.environ.get("MINIBERT_DATA", ""))
try:
    squad = mb.data.load(folder / "squad11_dev_36articles.json.xz")
except (FileNotFoundError, ValueError) as error:
    squad = None
    print(f"left out: {error}")
if squad is not None:
    passages = list(dict.fromkeys(e.text for e in squad[:400]))[: 2 if SMOKE else 12]
    article = "\n\n".join(passages)
    question = next(e for e in squad if e.text == passages[-1])
    windows = scored(question.text_b, article)
    answers, _ = read_long(windows, 12, 3, 0.0)
    print(f"{question.text_b}  ({len(windows)} windows)")
    for score, start, end in answers:
        print(f"{score:7.1f}  {article[start:end]!r:.60}")

# %% [markdown]
r"""
**Trees of English (UD EWT).** The parser of section 4 on MiniLM, with 3,000 sentences of web text
to learn from (up to 30 words, {{finding 12 parser_ewt.fine_tuned_las seeds}} seeds), tested on 600 of the
development file. The rates were tried on other sentences of the training file.

| | UAS | LAS |
|:---|---:|---:|
| MiniLM fine-tuned | {{finding 12 parser_ewt.fine_tuned_uas mean .1%}} | {{finding 12 parser_ewt.fine_tuned_las mean .1%}} |
| MiniLM frozen, its last four layers mixed | {{finding 12 parser_ewt.features_uas mean .1%}} | {{finding 12 parser_ewt.features_las mean .1%}} |
| the usual head and relation of the word's tag (gold) | {{finding 12 parser_ewt.tag_uas mean .1%}} | {{finding 12 parser_ewt.tag_las mean .1%}} |
| ... of the word | {{finding 12 parser_ewt.word_uas mean .1%}} | {{finding 12 parser_ewt.word_las mean .1%}} |

(These count every word, with gold words and sentence borders. Published parsers learn from four
times as many sentences of all lengths, so do not set these scores beside theirs.)

## 8. Summary

- A document longer than the window is read in **windows** that overlap. Spans compare by the *sum
  of their scores*, or by a softmax in which "no answer" takes part; a softmax over the words of one
  window alone has to share out all of its probability, even where there is no answer.
- **"No answer"**: the lowest score that any window gives it counts. Its threshold is tuned on
  documents as long as those that will be read. A reader that has seldom met a second candidate of
  the right kind falls for it.
- A **conversation** is one sequence: persona, turns, reply, with a kind for each token. Only the
  right reply teaches the language model. A tie is no hit.
- Two pre-trained models, joined by **cross-attention**, soon write *what* a report is about. Their
  new layers do not copy its town after so few updates; the GPT alone, which has none, does.
- A **parser** scores every arc by a biaffine form and searches for the best *tree*.

{{quiz 12.q1}}

{{quiz 12.q2}}

**A project.** Teach the reader to check whose food it is. Make documents of several articles from
the training split, cut them with `mb.heads.span_examples` (a window without the whole answer is an
example of "no answer"), and train `minibert-bert-qa` further. Report the exact match among articles
and among other texts, before and after, with the threshold tuned for each. (A good report trains on
other articles than it tests on, shows the questions of the old kind too, has at least three seeds,
and compares with training as long on short texts.)
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Wolf et al. (2019), [arXiv:1901.08149](https://arxiv.org/abs/1901.08149). Zhang
et al. (2018), *Personalizing Dialogue Agents*, [arXiv:1801.07243](https://arxiv.org/abs/1801.07243).
Rajpurkar et al. (2018), *Know What You Don't Know* (SQuAD 2.0),
[arXiv:1806.03822](https://arxiv.org/abs/1806.03822). Clark & Gardner (2018), *Simple and Effective
Multi-Paragraph Reading Comprehension*, [arXiv:1710.10723](https://arxiv.org/abs/1710.10723): how
scores of several texts are made to compare. Jia & Liang (2017), *Adversarial Examples for
Evaluating Reading Comprehension Systems*, [arXiv:1707.07328](https://arxiv.org/abs/1707.07328). Ramachandran et
al. (2017), [arXiv:1611.02683](https://arxiv.org/abs/1611.02683). Rothe et al. (2020),
[arXiv:1907.12461](https://arxiv.org/abs/1907.12461). See et al. (2017), *Get To The Point*,
[arXiv:1704.04368](https://arxiv.org/abs/1704.04368): a pointer that copies. Dozat & Manning (2017),
[arXiv:1611.01734](https://arxiv.org/abs/1611.01734). Zmigrod et al. (2020), *Please Mind the Root*,
[arXiv:2008.12988](https://arxiv.org/abs/2008.12988). Sanh et al. (2019), *DistilBERT*,
[arXiv:1910.01108](https://arxiv.org/abs/1910.01108).
"""
