# ---
# jupyter:
#   minibert:
#     title: GPT
#     question: What can a model do that has learned nothing but to go on with a text?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1200
#     needs: ["chapter 04 (attention, the causal mask)", "chapter 06 (fine-tuning)"]
#     skip: "sections 8 to 11, where the paper is measured; and 1, if pieces of words are familiar from chapter 05"
#     papers:
#       - "Radford et al. (2018), Improving Language Understanding by Generative Pre-Training"
#       - "Sennrich et al. (2016), Neural Machine Translation of Rare Words with Subword Units, arXiv:1508.07909"
#       - "Holtzman et al. (2020), The Curious Case of Neural Text Degeneration, arXiv:1904.09751"
# ---

# %% [markdown]
r"""
# 07 · GPT: what can a model do that has learned nothing but to go on with a text?

{{head}}

*The baker had heard of the inn before, and when he came home he said that ...* Somebody who can
continue this, and anything else, knows a great deal: that a *he* is wanted, what inns are like,
what people say of them. Four months before BERT, Radford et al. (2018) built a model on this idea
alone. It reads from the left, as chapters 02 and 03 did, but with the blocks of chapter 04. It is
fine-tuned for nearly any task by writing the task down as one text. And because it has a
probability for every text, it can be *asked* before it is taught, and it can write.
"""

# %%
import copy
import lzma
import math
import os
import textwrap
import time
from collections import Counter
from pathlib import Path

import torch
from torch.nn import functional as F

import minibert as mb
from minibert.text.merges import merge

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing
gpt = mb.GPT.from_pretrained("minibert-gpt")
tokenizer, config = gpt.tokenizer, gpt.config
print(f"{config.layers} layers of {config.dim}, {tokenizer}, "
      f"{sum(p.numel() for p in gpt.parameters()):,} weights")

# %% [markdown]
r"""
## 1. Byte pairs

BERT's pieces (chapter 05) were learned by merging and cut by the longest match. **Byte-pair
encoding** (Sennrich et al. 2016, from an old method of data compression) merges both times. To
learn: write each word as letters, the last one marked as the end of a word; merge the pair of
neighbours that is most frequent; do it again. What is learned is the *list of merges*, in order.
"""

# %%
counts = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
spelled = {word: [*word[:-1], word[-1] + "</w>"] for word in counts}
age = {s: i for i, s in enumerate(sorted({s for letters in spelled.values() for s in letters}))}
letters, merges = len(age), []
for _ in range(8):
    pairs = Counter()
    for word, symbols in spelled.items():
        for pair in zip(symbols, symbols[1:], strict=False):
            pairs[pair] += counts[word]
    # the most frequent pair; of equals the one with the older symbols
    best = min(pairs, key=lambda pair: (-pairs[pair], age[pair[0]], age[pair[1]]))
    joined = "".join(best)
    merges.append(best)
    age[joined] = len(age)
    spelled = {word: merge(symbols, best, joined) for word, symbols in spelled.items()}
    print(f"{best[0]} + {best[1]} -> {joined}   ({pairs[best]} times)")

# %% tags=["nbval-check-output"]
text = " ".join(" ".join([word] * times) for word, times in counts.items())
learned = mb.text.BPE.train([text], size=1 + letters + 8, kind="words")  # <unk>, letters, merges
print("the library learns the same merges:", learned.merges == merges)
print([learned.tokens[i] for i in learned.encode("newest lowest")])

# %% [markdown]
r"""
To cut a word: spell it, and make the merges in the order in which they were learned.

{{exercise 07.bpe}}

Write `bpe(symbols, merges)`. `symbols` is a list such as `["l", "o", "w</w>"]`, `merges` a list of
pairs, the first that was learned in front. Return the list of pieces.
`merge(symbols, pair, joined)` is at hand: it joins a pair wherever it stands in a list.
"""

# %%
def bpe(symbols, merges):
    """The pieces of one word."""
    pieces = list(symbols)
    ### BEGIN SOLUTION
    for pair in merges:
        pieces = merge(pieces, pair, "".join(pair))
    ### END SOLUTION
    return pieces


# %%
mb.course.check("07.bpe", bpe)

# %% [markdown]
r"""
GPT had 40,000 merges over letters, in lower case. GPT-2 spelled words in the 256 **bytes** of their
UTF-8 instead, and so does our model: there is no unknown word, no capital is lost, and what is
decoded is what was encoded, whatever it was. A word keeps the space before it (written as `␣`
below, with a `·` where a word is cut), so that the pieces tell where words begin.
"""

# %% tags=["nbval-check-output"]
strange = "Zoë's naïve café ☕, 北京\n  and two  spaces"
print("given back exactly:", tokenizer.decode(tokenizer.encode(strange)) == strange)
print("a letter that is rare is its bytes:", len(tokenizer.encode("北")) == len("北".encode()))

# %% [markdown]
r"""
Type a sentence of your own, and move the slider: it makes the merges one after the other. *Predict
first:* which words of yours are one piece in the end, and after how many merges is half of the gain
made? A vocabulary is a bargain. More pieces make the text shorter, and each of them rarer.
"""

# %%
mb.show.MergeExplorer(tokenizer, "The goalkeeper of Alder Vale was unkind to my grandmother's parrot.")

# %% [markdown]
r"""
## 2. The model

Nothing is new here. The vectors of a token and of its position are added, blocks follow, and the
table of vectors serves once more as the softmax (the paper's equation 2):

$$
h_0 = U W_e + W_p, \qquad h_l = \mathrm{block}(h_{l-1}), \qquad
P(u) = \mathrm{softmax}(h_n W_e^\top)
$$

$U$ is the tokens as one-hot rows, `(length, V)`, $W_e$ `(V, dim)` their table, $W_p$
`(length, dim)` the vectors of the positions, and $n$ the number of blocks. The paper's blocks are
post-LN. Ours are pre-LN (chapter 04), as in GPT-2, with one more norm after the last block.

By hand, with the weights of the model that comes with the library:
"""

# %% tags=["nbval-check-output"]
ids = torch.tensor([tokenizer.encode("The dogs near the house")])  # (1, length)
length = ids.shape[1]
with torch.no_grad():
    x = gpt.embeddings.word.weight[ids] + gpt.embeddings.position.weight[:length]  # (1, length, dim)
    mask = torch.ones(length, length, dtype=torch.bool).tril()  # a place sees itself and what is before
    for block in gpt.stack.blocks:
        found, _, _ = block.attention(block.attention_norm(x), mask=mask)
        x = x + found
        x = x + block.ffn(block.ffn_norm(x))
    x = gpt.stack.norm(x)  # one more norm, after the last block
    library = gpt(ids).last_hidden_state
print("by hand and library agree:", torch.allclose(x, library, atol=1e-4))

# %% [markdown]
r"""
The one difference to chapter 05 that matters is `tril`. The test of chapter 04 once more: change
what must not be seen, and see that nothing changes.
"""

# %% tags=["nbval-check-output"]
other = ids.clone()
other[0, -1] = tokenizer.encode(" spoon")[0]
with torch.no_grad():
    a, b = gpt(ids).last_hidden_state, gpt(other).last_hidden_state
print("all states but the last are the same:", torch.allclose(a[:, :-1], b[:, :-1], atol=1e-5))
print("the last is not:", not torch.allclose(a[:, -1], b[:, -1], atol=1e-2))

# %%
with torch.no_grad():
    p = gpt.logits(gpt(ids).last_hidden_state[0, -1]).softmax(-1)  # (V,)
for share, i in zip(*p.topk(5), strict=True):
    print(f"{share:6.1%}  The dogs near the house{tokenizer.decode([i])}")

# %% [markdown]
r"""
## 3. What is learned: every next token

By the chain rule, the probability of a text is the product of those of its tokens, each given what
came before:

$$
\log P(u_1, \dots, u_n) = \sum_{i} \log P(u_i \mid u_1, \dots, u_{i-1})
$$

The state at position $i$ has seen $u_1$ to $u_i$, so it predicts $u_{i+1}$: the targets are the
text itself, **shifted by one**. A single pass gives the losses of all positions at once. That is
what the mask is for.

{{exercise 07.lm_loss}}

`logits` is (batch, length, V), `ids` and `mask` (batch, length), 1 for a token and 0 for padding.
Return the mean cross-entropy over all tokens that are to be predicted.
"""

# %%
def lm_loss(logits, ids, mask):
    """The mean loss of the next token, a scalar tensor in nats."""
    loss = torch.tensor(0.0)
    ### BEGIN SOLUTION
    wanted = mask[:, 1:].bool()  # (batch, length - 1)
    loss = F.cross_entropy(logits[:, :-1][wanted], ids[:, 1:][wanted])
    ### END SOLUTION
    return loss


# %%
mb.course.check("07.lm_loss", lm_loss)

# %%
texts = ["The cat sat near the river.", "It was late."]
(batch,) = mb.text.PaddedBatches([tokenizer.encode(text) for text in texts], 2, shuffle=False)
with torch.no_grad():
    logits = gpt.logits(gpt(**batch).last_hidden_state)  # (batch, length, V)
    targets = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)[:, 1:]
    by_hand = F.cross_entropy(logits[:, :-1].mT, targets)
    total, count = gpt.loss(batch)
print(f"by hand {by_hand:.5f}   library {total / count:.5f}   targets {count}")

# %% [markdown]
r"""
## 4. How far from the limit?

A small GPT from nothing, on the match reports that chapter 05 used. One long stream of text is cut
into blocks, at other positions in each epoch. Every token is a target: compare the curve with that
of chapter 05's BERT from random weights, which falls far more slowly.
"""

# %%
corpus = mb.world.generate(tokens=10_000 if SMOKE else 200_000, seed=0, kinds=["match"])
end = tokenizer.end_id  # <|endoftext|>, between any two texts


def stream(corpus):
    """All texts of a corpus one after the other, as ids."""
    ids = [end]
    for document in corpus.documents:
        ids += [*tokenizer.encode(document.text), end]
    return ids


stream_ids = torch.tensor(stream(corpus)).numpy()
batches = mb.text.BlockBatches(stream_ids, batch_size=16, length=64, seed=0)
shape = {"dim": 64, "layers": 2, "heads": 4, "hidden": 256, "max_length": 64, "init_std": 0.07}
small = mb.GPT(mb.GPTConfig(len(tokenizer), dropout=0.0, attention_dropout=0.0, **shape), tokenizer)
steps = 3 if SMOKE else 200
start = time.time()
history = mb.fit(small, batches, steps=steps, optimizer=mb.optim.adamw(small, 3e-3),
                 schedule=mb.optim.cosine(steps, warmup=steps // 20), progress=False)
print(f"{len(stream_ids):,} pieces, {steps} updates in {time.time() - start:.0f} s")

# %%
mb.show.figure(mb.show.loss_curve(history, title="The next token", ylabel="loss (nats a piece)"))

# %% [markdown]
r"""
Perplexities of models with different pieces cannot be compared: a model that cuts text into more
pieces pays less for each. What can be compared is the price of the *whole* text, divided by
something that does not depend on the model: here, the tokens of the world. That price has an exact
lower limit (chapter 00), and a causal model is the kind that it limits: BERT's guesses from both
sides are no probability of the text.
"""

# %%
held_out = mb.world.generate(tokens=1_000 if SMOKE else 10_000, seed=10_000, kinds=["match"])


def nats_a_token(model, corpus):
    """What a model pays for a corpus, in nats a token of the world."""
    return float(-model.log_probs(stream(corpus)).sum()) / len(corpus)


pieces = Counter(stream_ids.tolist())
guess = {i: math.log((pieces[i] + 1) / (len(stream_ids) + len(tokenizer))) for i in range(len(tokenizer))}
paid = {
    "any piece is as likely": math.log(len(tokenizer)) * len(stream(held_out)) / len(held_out),
    "pieces by their frequency": -sum(guess[i] for i in stream(held_out)) / len(held_out),
    "the small GPT, just now": nats_a_token(small, held_out),
    "minibert-gpt, all kinds of text": nats_a_token(gpt, held_out),
    "the exact floor": held_out.floor,
}
mb.show.figure(mb.show.bars(paid, "New match reports", "nats a token of the world (one seed)"))

# %% [markdown]
r"""
## 5. Writing

A distribution over the next token is all that is needed to write: choose one, append it, and ask
again. How to choose?

- **Greedy**: the likeliest. The same text every time, and it tends to repeat itself.
- **Sampling**: as likely as the model says. Most of the 3,000 pieces are unlikely, but there are
  many of them, and one slip is enough to spoil a text.
- **Temperature** $T$: divide the logits by $T$ first. Below 1 the likely get likelier; towards 0 it
  is greedy.
- **Top-k** (Fan et al. 2018): draw among the $k$ likeliest.
- **Nucleus**, or top-p (Holtzman et al. 2020): draw among the fewest tokens whose probabilities add
  up to at least $p$. They are few where the model is sure, and many where it is not.

{{exercise 07.nucleus}}

Write `nucleus(p, top_p)`: `p` is a distribution of shape `(V,)`, in any order. The result has the
same shape: 0 for what is outside, and the rest adds up to 1.
"""

# %%
def nucleus(p, top_p):
    """The distribution that is drawn from, (V,)."""
    result = p.clone()
    ### BEGIN SOLUTION
    ordered, order = p.sort(descending=True)
    spare = ordered.cumsum(0) - ordered >= top_p  # enough stood before this one
    result[order[spare]] = 0.0
    result = result / result.sum()
    ### END SOLUTION
    return result


# %%
mb.course.check("07.nucleus", nucleus)

# %% [markdown]
r"""
The library has all of them in one function, and the loop around it:
"""

# %%
from minibert.models.gpt.generation import distribution

mb.course.source(distribution)

# %% tags=["nbval-check-output"]
ids = tokenizer.encode("The old baker")
with torch.no_grad():
    while len(ids) < 20:
        states = gpt(torch.tensor([ids])).last_hidden_state  # (1, length, dim)
        ids.append(int(gpt.logits(states[0, -1]).argmax()))
print("greedy by hand and library agree:", ids == gpt.generate(ids[:3], 17, temperature=0, stop=[]))

# %% [markdown]
r"""
**The cache.** This loop is wasteful. For each new token it reads the whole text again, although the
keys and values of all earlier positions are what they were: under the causal mask nothing that
comes later can change them. So keep them, and compute one position per step. With $n$ tokens, that
makes $n$ positions instead of $n(n+1)/2$.
"""

# %% tags=["nbval-check-output"]
text = torch.tensor([ids])
with torch.no_grad():
    before = gpt(text[:, :-1])
    new = gpt(text[:, -1:], past=before.past).last_hidden_state  # (1, 1, dim)
    whole = gpt(text).last_hidden_state[:, -1:]
print("one new place with a cache equals the whole text:", torch.allclose(new, whole, atol=1e-4))
keys, values = before.past[0]
print("keys of a layer:", tuple(keys.shape) == (1, config.heads, len(ids) - 1, config.dim // config.heads))

# %%
prompts, seconds = ["The"] * 16, {}
for cache in (True, False):
    start = time.perf_counter()
    written = gpt.generate(prompts, 5 if SMOKE else 100, seed=1, cache=cache)
    seconds[cache] = time.perf_counter() - start
print(f"16 texts: {seconds[True]:.2f} s with the cache, {seconds[False]:.2f} s without")

# %% [markdown]
r"""
Now touch it. The figure shows the distribution of one token, as the model gives it and as your
limits leave it; the table lists every token that was drawn, and what could have stood there
instead. Try: a temperature of 0; a temperature of 2 without limits, then with top-p 0.9; and look
for a place where the model was sure, and one where it was not.
"""

# %%
mb.show.GenerationExplorer(gpt, "The old baker", steps=24, top_p=0.9)

# %% [markdown]
r"""
Here are three texts as `minibert-gpt` writes them, top-p 0.9, seeds 0 to 2, unedited.
"""

# %%
for seed, prompt in enumerate(["The inn at", "Dear", "When the storm came,"]):
    print(gpt.generate(prompt, 10 if SMOKE else 90, top_p=0.9, seed=seed), end="\n\n")

# %% [markdown]
r"""
**The likeliest text is not the best one.** *Predict before you run:* which texts does the model
itself find likelier, its own greedy ones or those that really stand in the world? And which repeat
themselves?
"""

# %%
def repeated(ids, n=4):
    """The share of runs of n tokens that stood in the text before."""
    runs = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(runs)) / len(runs)


true = mb.world.generate(tokens=500 if SMOKE else 8_000, seed=20_000).documents
true = [[end, *tokenizer.encode(d.text)] for d in true]
true = [ids[:80] for ids in true if len(ids) >= 80][:24]
ways = {"greedy": {"temperature": 0}, "top-k, 10": {"top_k": 10}, "nucleus, 0.9": {"top_p": 0.9},
        "sampling": {}}
written = {way: gpt.generate([ids[:20] for ids in true], 60, seed=0, **options, stop=[])
           for way, options in ways.items()}
written["the world's own"] = true
print(f"{'':>16}  nats a piece   repeated")
for way, texts in written.items():
    nats = -sum(gpt.log_probs(ids)[19:].mean() for ids in texts) / len(texts)
    print(f"{way:>16}: {nats:12.2f} {sum(map(repeated, texts)) / len(texts):10.1%}")

# %% [markdown]
r"""
Compare the first row with the last: the greedy texts are likelier than the world's own, and they
repeat themselves more. A writer says what is not quite predictable; otherwise it would not be worth
saying (Holtzman et al. 2020, figure 2). Plain sampling errs to the other side: a model gives too
much to the many tokens that it knows little of, and these are what the limits cut off. Which row is
nearest to the world's own, by each of the two columns?

## 6. Any task as a text

Now to the tasks. A task comes as a text, as two, or as a question with answers; a language model
reads one sequence. So the task is *written* as a sequence, with three new tokens: start, delimiter
and extract (figure 1 of the paper). The state of the **extract** token has read everything, and one
new linear layer reads that.

| the task | what GPT reads | what is done with the state at `⟨e⟩` |
|---|---|---|
| classification | `⟨s⟩ text ⟨e⟩` | linear layer |
| entailment | `⟨s⟩ premise ⟨$⟩ hypothesis ⟨e⟩` | linear layer |
| similarity | `⟨s⟩ one ⟨$⟩ other ⟨e⟩` and `⟨s⟩ other ⟨$⟩ one ⟨e⟩` | both are added, then the linear layer |
| multiple choice | `⟨s⟩ context ⟨$⟩ answer ⟨e⟩`, for each answer | one number each, softmax over the answers |

*Think first:* BERT reads `[CLS]`, which stands in front. Why would that be useless here?

{{exercise 07.choices}}

Write `choices(context, answers, start, delimiter, extract)`, the last row of the table: `context`
is a list of ids, `answers` a list of lists, the other three are ids.
"""

# %%
def choices(context, answers, start, delimiter, extract):
    """One sequence for each answer: a list of lists of ids."""
    sequences = []
    ### BEGIN SOLUTION
    sequences = [[start, *context, delimiter, *answer, extract] for answer in answers]
    ### END SOLUTION
    return sequences


# %%
mb.course.check("07.choices", choices)

# %% [markdown]
r"""
`mb.heads.framed` gives a copy of a model with three more rows in its table, and `mb.text.Framing`
writes the sequences.
"""

# %%
model, first_new = mb.heads.framed(gpt)
framing = mb.text.Framing(tokenizer, first_new, config.max_length)
marks = dict(zip((framing.start, framing.delimiter, framing.extract), "⟨s⟩ ⟨$⟩ ⟨e⟩".split(), strict=True))


def shown(ids):
    """A sequence with its marks, to be read."""
    return "".join(f" {marks[i]} " if i in marks else tokenizer.decode([i]) for i in ids).strip()


stories = mb.world.task("story_cloze", seed=0)
example = stories.train[0]
for ids in framing.choices(example.text, [" " + one for one in example.choices])["input_ids"]:
    print(textwrap.fill(shown(ids), 100), end="\n\n")
print("right:", example.label)

# %% [markdown]
r"""
**Two losses.** While it learns the task (loss $L_2$), the model goes on predicting the tokens of
the task's own texts (loss $L_1$), which is to help it to generalise and to learn faster; the paper
has $\lambda = 0.5$ (equation 5):

$$
L_3 = L_2 + \lambda L_1
$$
"""

# %% tags=["nbval-check-output"]
head = mb.heads.LastToken(model, labels=2, auxiliary=0.5, dropout=0.0).train()
examples = [framing.text("The inn was warm.", 1), framing.text("The soup was cold, and so was I.", 0)]
(batch,) = mb.text.PaddedBatches(examples, 2, shuffle=False)
ids, mask = batch["input_ids"], batch["attention_mask"]
hidden = model(ids, mask).last_hidden_state  # (batch, length, dim)
last = hidden[torch.arange(2), mask.sum(1) - 1]  # (batch, dim): the extract tokens
task = F.cross_entropy(head.output(last), batch["labels"])
targets = ids.masked_fill(mask == 0, -100)[:, 1:]
words = F.cross_entropy(model.logits(hidden)[:, :-1].mT, targets)
total, count = head.loss(batch)
print("by hand and library agree:", torch.allclose(task + 0.5 * words, total / count, atol=1e-3))

# %% [markdown]
r"""
{{exercise 07.find_the_bug}}

A colleague wrote the two losses herself. "It trains, and the loss falls," she says. "But on my
balanced test the model says *positive* every single time." Positive is class 1. Find out why, and
mend it. `scores` (batch, labels) and `labels` (batch,) are the task's; `words` (batch, length, V)
are the logits, `ids` and `mask` (batch, length) as above, padded with 0. Both losses are means:
over the examples, and over the tokens to be predicted.
"""

# %%
def joint_loss(scores, labels, words, ids, mask, auxiliary=0.5):
    """The task's loss and `auxiliary` times that of the next tokens."""
    loss = torch.nn.CrossEntropyLoss(ignore_index=0)  # 0 is padding
    result = loss(scores, labels) + auxiliary * loss(words[:, :-1].mT, ids[:, 1:])
    ### BEGIN SOLUTION
    targets = ids.masked_fill(mask == 0, -100)[:, 1:]  # -100 is what cross-entropy leaves out
    result = F.cross_entropy(scores, labels) + auxiliary * F.cross_entropy(words[:, :-1].mT, targets)
    ### END SOLUTION
    return result


# %%
mb.course.check("07.find_the_bug", joint_loss)

# %% [markdown]
r"""
All four kinds of task, each learned for some seconds from 150 to 1,500 examples. One model and one
way of writing tasks as text serve all four. The figure shows the share of new examples that each
gets right; its chance stands beside it.
"""

# %%
def read(name, examples, labels):
    """Examples of a task as GPT reads them."""
    if name == "story_cloze":
        return [framing.choices(e.text, [" " + c for c in e.choices], e.label) for e in examples]
    if name == "paraphrase":
        return [framing.similar(e.text, e.text_b, labels.index(e.label)) for e in examples]
    if name == "nli":
        return [framing.pair(e.text, e.text_b, labels.index(e.label)) for e in examples]
    return [framing.text(e.text, labels.index(e.label)) for e in examples]


def accuracy(head, batches):
    """The share of examples with the right label."""
    batches = mb.training.to_device(list(batches), next(head.parameters()).device)
    said = [head(b["input_ids"], b["attention_mask"]).argmax(-1) == b["labels"] for b in batches]
    return torch.cat(said).float().mean().item()


def learn(head, batches, steps, rate=1e-3):
    """Fine-tune everything: up in a tenth of the updates, then down to zero."""
    steps = 2 if SMOKE else steps
    return mb.fit(head, batches, steps=steps, optimizer=mb.optim.adamw(head, rate), progress=False,
                  schedule=mb.optim.linear(steps, warmup=steps // 10))


# %%
plans = {  # name: labelled examples, updates, size of a batch
    "topic": (200, 30, 16), "nli": (1500, 200, 16), "paraphrase": (600, 40, 16), "story_cloze": (150, 15, 8),
}
titles = {"topic": "which kind of text?", "nli": "entailment", "paraphrase": "the same?",
          "story_cloze": "a story's end"}
scores = {}
for name, (labelled, steps, size) in plans.items():
    mb.seed_everything(0)
    data, new = mb.world.task(name, seed=0), copy.deepcopy(model)
    new_head = {"story_cloze": mb.heads.MultipleChoice, "paraphrase": mb.heads.Similarity}
    head = new_head.get(name, mb.heads.LastToken)(new, len(data.labels))
    kind = mb.text.FramedBatches if head.sequences else mb.text.PaddedBatches
    learn(head, kind(read(name, data.train[:labelled], data.labels), size), steps)
    test = read(name, data.test[: 20 if SMOKE else 200], data.labels)
    with torch.no_grad():
        right = accuracy(head, kind(test, 50, shuffle=False))
    scores[f"{titles[name]} (chance {1 / len(data.labels):.2f})"] = right
mb.show.figure(mb.show.bars(scores, "One model, four kinds of task (one seed)", "share right"))

# %% [markdown]
r"""
The model learns from few examples which kind of text it reads. Entailment is above its chance. The
other two tasks are not learned from so few examples: their bars are at chance.

## 7. Asked, not taught

A model that knows how texts go on can be asked without a single label: put the question so that the
answer is a way to go on. That is **zero-shot** behaviour. The paper compared *positive* with
*negative* after a review and the word *very*, and of several answers to a question took the one
whose tokens were the likeliest on average. In our world:

- **story**: which of the two ends is likelier, for each token of it?
- **review**: is *I can recommend it.* likelier than *I cannot recommend it.*? (The task has left
  the verdict out.)
- **agreement**: after *The key to the cabinets*, is it *is* or *are*?
"""

# %%
def log_p(context, ending):
    """log p of each token of an ending, given what stands before it: (tokens,)."""
    before, after = [end, *tokenizer.encode(context)], tokenizer.encode(ending)
    return gpt.log_probs([*before, *after])[-len(after) :]


story = stories.test[0]
print(textwrap.fill(story.text, 100))
for number, choice in enumerate(story.choices):
    mark = "right" if number == story.label else "wrong"
    print(f"{log_p(story.text, ' ' + choice).mean():7.2f} nats a piece ({mark}): {choice}")

# %%
def zero_shot(examples, options, mean=False):
    """The share of examples whose likeliest option is the right one."""
    right = 0
    for e in examples:
        found = [log_p(before, ending) for before, ending in options(e)]
        found = [scores.mean() if mean else scores.sum() for scores in found]
        right += found.index(max(found)) == (e.label if isinstance(e.label, int) else e.label == "positive")
    return right / len(examples)


verdicts = " I cannot recommend it.", " I can recommend it."
some = 10 if SMOKE else 60
reviews, verbs = (mb.world.task(name, seed=0).test[:some] for name in ("sentiment", "agreement"))
asked = {
    "story": zero_shot(stories.test[:some], lambda e: [(e.text, " " + c) for c in e.choices], mean=True),
    "review": zero_shot(reviews, lambda e: [(e.text, verdict) for verdict in verdicts]),
    "agreement": zero_shot(verbs, lambda e: [(e.info["prefix"], " " + verb) for verb in e.choices]),
}
figure = mb.show.bars(asked, "Zero-shot: share right, where chance is 0.5 (one seed)", "share right")
mb.show.figure(figure)

# %% [markdown]
r"""
Stories are answered nearly always. Reviews are not clearly better than a coin on so few questions,
and agreement is at chance: a model can be asked anything, but it answers only what predicting text
has taught it. Hold *story* against its bar in section 6: there 150 labels and a new layer, here no
label and nothing new. Why might asking do better?

## 8. Findings: what it knows before it is taught

An earlier checkpoint of the bundled model, over {{finding 07 asked.story_cloze seeds}} draws of the
questions. It had read an earlier version of our text, so its scores differ from those above:

- {{claim 07 asked.sentiment asked.chance | reviews: asked and not taught, GPT tells better than a coin}}
- {{claim 07 asked.story_cloze asked.chance | stories: asked and not taught, GPT tells better than a coin}}
- {{claim 07 asked.agreement asked.chance | agreement: asked and not taught, GPT tells better than a coin}}

(It is a single model: what another would answer, after another pre-training, this cannot say.)

When does a model begin to know? The full experiments (`make findings CH=07`, settings in
`chapters/findings/07.py`) pre-train such a model once more, and put the same questions to snapshots
of it (the paper's figure 2, right).
"""

# %%
found = mb.course.findings("07")
shares = found.content["experiments"]["growth"]["config"]["pretraining"]["snapshots"]
curves = {"story_cloze": ("stories", "o-"), "agreement": ("agreement", "s--"), "sentiment": ("reviews", "^:")}
fig, axes = mb.show.new("Asked, not taught, over the pre-training", columns=2, size=(7.8, 3.5))
for name, (label, look) in curves.items():
    runs = torch.tensor(found.values(f"growth.{name}"))  # (draws of the questions, snapshots)
    axes[0].errorbar(shares, runs.mean(0), runs.std(0), fmt=look, capsize=4, label=label)
runs = torch.tensor(found.values("growth.nats"))
axes[1].errorbar(shares, runs.mean(0), runs.std(0), fmt="o-", capsize=4)
axes[0].axhline(0.5, color="grey", ls=":")
axes[1].axhline(found.mean("growth.floor"), color="grey", ls=":")
axes[0].set(title="questions", xlabel="share of the training", ylabel="share right")
axes[1].set(title="new text", xlabel="share of the training", ylabel="nats a token", ylim=(0, None))
axes[0].legend(fontsize=9)
mb.show.figure(fig, alt="Two charts over the pre-training: the share of questions right, for stories, agreement "
                        "and reviews; and the price of new text, which falls towards the floor.")

# %% [markdown]
r"""
(Dotted: chance, and the exact floor of {{finding 07 growth.floor mean .2f}} nats. It is one training; bars and intervals are over
{{finding 07 growth.floor seeds}} draws of the questions.)

- {{claim 07 growth.story_cloze_last growth.story_cloze_first | stories: it answers better in the end than before the training}}
- {{claim 07 growth.story_cloze_last growth.story_cloze_early | stories: it goes on getting better after the first tenth of the training}}
- {{claim 07 growth.agreement_last growth.agreement_early | agreement: it goes on getting better after the first tenth}}

In the left chart stories rise to the end, agreement rises early and then hardly moves, and reviews
stay at chance.

A narrow GPT of three layers and an LSTM with about as many weights, pre-trained for half a minute
over {{finding 07 zero_shot.floor seeds}} seeds, stop at {{finding 07 zero_shot.gpt_nats_last mean .2f}} and {{finding 07 zero_shot.lstm_nats_last mean .2f}} nats; the large one paid {{finding 07 growth.nats_early mean .2f}} after a tenth of its training:

- {{claim 07 zero_shot.gpt_agreement_last zero_shot.gpt_agreement_first | agreement: this pre-trained GPT answers better than an untrained one}}
- {{claim 07 zero_shot.gpt_agreement_last zero_shot.lstm_agreement_last | agreement: it answers better than the LSTM}}
- {{claim 07 zero_shot.lstm_nats_last zero_shot.gpt_nats_last | the LSTM pays more for new text than GPT}}

So the small GPT predicts text better than the LSTM, and neither is shown to know agreement.

The authors saw such answers get better steadily over the whole pre-training, on all four of their
tasks; those of the LSTM did so less, with more ups and downs. Their explanation: to predict text
well, the model has to learn to do much of what the tasks ask.

## 9. Findings: what each layer is worth

Now fine-tune these small models, but keep only a part of what was pre-trained: nothing, the
vectors, the vectors and the first block, and so on; the rest starts again at random (the paper's
figure 2, left). Two tasks, with a few dozen examples each: which of nine kinds of text do some
sentences come from? And what is a review about, a film, an inn, a tool ...?
"""

# %%
layers = range(len(found.values("transfer.topic_layers")[0]))
names = ["nothing", "vectors", *(f"+ {n}" for n in layers[1:-1])]
fig, axes = mb.show.new("Kept of the pre-trained model", columns=2, size=(7.8, 3.5), sharey=True)
for ax, (name, title) in zip(axes, {"topic": "which kind of text?", "subject": "about what?"}.items(), strict=True):
    runs = torch.tensor(found.values(f"transfer.{name}_layers"))  # (seeds, parts)
    ax.plot(layers, runs.T, "o", color="grey", alpha=0.35, markersize=4)
    ax.errorbar(layers, runs.mean(0), runs.std(0), fmt="o-", capsize=4)
    ax.set(title=title, xlabel="what is kept (+ n: n blocks)")
    ax.set_xticks(layers, names)
axes[0].set_ylabel("share right")
mb.show.figure(fig, alt="Accuracy on two tasks by how much of the pre-trained model is kept.")

# %% [markdown]
r"""
- {{claim 07 transfer.0 transfer.scratch | pre-trained vectors alone are better than nothing}}
- {{claim 07 transfer.1 transfer.0 | with the first block it is better than with the vectors alone}}
- {{claim 07 transfer.full transfer.1 | with all blocks it is better than with the first}}
- {{claim 07 transfer.topic_full transfer.topic_0 | kind of text: all blocks are better than the vectors alone}}
- {{claim 07 transfer.subject_full transfer.subject_0 | about what: all blocks are better than the vectors alone}}

(The first three: the mean of both tasks.) In the figure the means rise with every part that is
kept. For the vectors alone the gain is not shown; for the blocks it is. In the paper each of the
twelve layers adds something, on MultiNLI up to nine points for all of them.

## 10. Findings: what matters

Table 5 of the paper takes parts away: the auxiliary loss, the Transformer (an LSTM of 2,048 cells
in its place), the pre-training. Here the score is the mean of both tasks.
"""

# %%
rows = {"all of it": "full", "no auxiliary loss": "no_auxiliary", "an LSTM": "lstm",
        "no pre-training": "scratch"}
paper = dict(zip(rows, (0.747, 0.750, 0.691, 0.599), strict=True))
figure = mb.show.spread({row: found.values(f"transfer.{name}") for row, name in rows.items()},
                        paper=paper, title="Without this or that", xlabel="mean score of the tasks")
mb.show.figure(figure)

# %% [markdown]
r"""
The paper's diamonds are the mean of eight tasks: 74.7, 75.0, 69.1 and 59.9. Compare directions, not
heights.

- {{claim 07 transfer.full transfer.scratch | pre-training is better than none}}
- {{claim 07 transfer.full transfer.lstm | the Transformer is better than the LSTM}}
- {{claim 07 transfer.no_auxiliary transfer.full | without the auxiliary loss the mean is higher}}

With a few dozen examples the auxiliary loss costs a little here. In the paper it helped on the
larger data sets, and not on the smaller ones. The pre-trained LSTM scores no better than a
Transformer without pre-training.

## 11. Findings: GPT beside BERT and ELMo

Earlier checkpoints of three models of the library, on the same examples and for as many updates,
each in its own way: GPT with framed texts; BERT from `[CLS]`, with segments (chapter 06); ELMo
frozen, beside word vectors, in an LSTM that is trained for the task (chapter 02).
"""

# %%
fig, axes = mb.show.new("The same examples, three models", columns=2, size=(7.8, 3.2), sharey=True)
kinds = {"elmo": "ELMo", "gpt": "GPT", "bert": "BERT"}
tasks = {"topic": "topic (one text)", "paraphrase": "the same? (two texts)"}
for ax, (name, title) in zip(axes, tasks.items(), strict=True):
    for place, kind in enumerate(kinds):
        values = found.values(f"beside.{name}_{kind}")
        ax.plot([place] * len(values), values, "o", alpha=0.45)
        ax.plot(place, sum(values) / len(values), "k_", markersize=22)
    ax.axhline(1 / 9 if name == "topic" else 0.5, color="grey", ls=":")
    ax.set(title=title, ylim=(0, 1), xlim=(-0.6, 2.6))
    ax.set_xticks(range(3), kinds.values())
axes[0].set_ylabel("share right (a dot a seed)")
mb.show.figure(fig, alt="Accuracy of ELMo, GPT and BERT on topic and on paraphrase, a dot for each seed.")

# %% [markdown]
r"""
- {{claim 07 beside.topic_gpt beside.topic_elmo | topic: GPT is better than ELMo}}
- {{claim 07 beside.topic_bert beside.topic_gpt | topic: BERT is better than GPT}}
- {{claim 07 beside.paraphrase_gpt beside.paraphrase_elmo | paraphrase: GPT is better than ELMo}}
- {{claim 07 beside.paraphrase_bert beside.paraphrase_gpt | paraphrase: BERT is better than GPT}}

Devlin et al. (2019, table 1) give, as the mean over GLUE, 71.0 for ELMo below a BiLSTM with
attention, 75.1 for GPT and 79.6 for BERT-base, which was given GPT's size on purpose. Here GPT and
BERT are level on topic, far above ELMo. On paraphrase all three are at chance, so that this task
says nothing about them. The models also differ in vocabulary, updates and the amount of text that
they read, as their cards say, and so few updates are hard on an LSTM that starts at random. The
comparison is one of three models, not of three ideas.

{{exercise 07.one_side}}

You are to choose between a model that reads to the left only and one that reads both sides. What
does the one pay, what does it get for it? Name a task of your own, and say which you would take.
Four to six sentences.
"""

# %% [markdown] written="07.one_side"
r"""
A model that reads from the left knows nothing of what follows a word, so a name or a span is judged
before its sentence is over, and of two texts only the second is read in the light of the first; the
label has to wait for the last token, and similarity wants both orders. What it gets: every token is
a target, not one in seven, and it learns on texts as they are, without a `[MASK]` that no task will
show. Above all it has a probability for any text: it can write, rank ends of a story, and answer
before it has seen a label. For marking the names of medicines in doctors' letters I would take both
sides: there are labels, and the word after a name often tells what it is. For finishing those
letters, or with no labels at all, the left side.
"""

# %% [markdown]
r"""
## 12. The real thing

`minibert-gpt-english` is the same class, wider, and it has read Wikipedia and novels on a single
processor core; its card, `minibert/pretrained/minibert-gpt-english/README.md`, says for how long
and what it pays for new text. *Predict first:* after so little reading, what will be right in its
sentences: the spelling, the grammar, the style, the thread, the facts? Seeds 0 to 2, unedited.
"""

# %%
english = mb.GPT.from_pretrained("minibert-gpt-english")
print(f"{sum(p.numel() for p in english.parameters()):,} weights, {english.tokenizer}")
prompts = "The city of", "In the spring of 1912 he", '"I do not believe it," said'
for seed, prompt in enumerate(prompts):
    words = english.generate(prompt, 5 if SMOKE else 70, top_p=0.9, temperature=0.8, seed=seed)
    print(textwrap.fill(words, 100), end="\n\n")

# %% [markdown]
r"""
How sure is it of the grammar alone? Pairs that differ in one word, of which one is wrong; the
likelier text of each pair counts as its answer. (Warstadt et al. 2020 ask 67,000 such questions;
these eight only show how it is done.)
"""

# %%
pairs = [("The keys to the cabinet", "are", "is"), ("The author of the books", "is", "are"),
         ("She hurt", "herself", "himself"), ("He had", "gone", "went"), ("There were many", "people", "person"),
         ("I have never", "seen", "saw"), ("He wanted to", "go", "goes"), ("These", "men", "man")]
for before, right, wrong in pairs:
    good, bad = (-english.log_probs([english.tokenizer.end_id, *english.tokenizer.encode(f"{before} {word}")]).sum()
                 for word in (right, wrong))
    print(f"{'yes' if good < bad else 'NO':4} {before} {right} ({good:.1f} nats) / {wrong} ({bad:.1f})")

# %% [markdown]
r"""
OpenAI's published merges on real text, when they are at hand (`minibert data list` says where to
put them); the library's ids are those of the published tokenizers, which tests hold.
"""

# %%
import json

folder = Path(os.environ.get("MINIBERT_DATA", "")) / "tokenizers"
files = folder / "gpt2_encoder.json.xz", folder / "gpt2_vocab.bpe.xz"
if not all(file.is_file() for file in files):
    print("The published merges are not here; the folder that MINIBERT_DATA names would hold them.")
else:
    ids, lines = (lzma.open(file, "rt", encoding="utf-8").read() for file in files)
    real = mb.text.BPE(json.loads(ids), [line.split(" ") for line in lines.strip().split("\n")[1:]])
    line = "Unaffable as ever, the bibliographer re-catalogued Aberystwyth's manuscripts."
    print(f"{real}:", "|".join(real.decode([i]) for i in real.encode(line)))

# %% [markdown]
r"""
The weights load into the same class: `mb.GPT.from_pretrained("openai-gpt")` or `"gpt2"`, given the
folder, or with `huggingface_hub`; everything above then works on them. On real text of yours the
same training is one command, `minibert pretrain gpt --corpus my_text.txt --out my_gpt`.

## 13. Summary

- Byte pairs: what is learned is an ordered list of merges. Over bytes no text is unknown, and every
  text comes back.
- A causal model predicts every token from those before it, all in one pass. The targets are the
  text, shifted by one.
- The price of a whole text can be compared between models, and with the exact floor.
- Writing is drawing: temperature sharpens, top-k and top-p cut off the tail. A cache makes each
  token cost one position.
- Tasks are written as one text; the state of the last token is read. Two losses at once need two
  ways to ignore.
- A model that can continue texts can be asked without labels. Ours knows the ends of stories; on
  reviews and agreement it is close to chance.

This is the end of the path. You have built word2vec, ELMo, ULMFiT, BERT and GPT, each from plain
text, and handed each to tasks with few labels. Now take one to a text of your own:
`minibert pretrain` and `minibert finetune` say with `--help` what they need.

{{quiz 07.q1}}

{{quiz 07.q2}}

{{quiz 07.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Radford et al. (2018), [Improving Language Understanding by Generative
Pre-Training](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf): the paper. Radford et al. (2019),
*Language Models are Unsupervised Multitask Learners*: GPT-2, where asking replaces teaching.
Sennrich et al. (2016), [arXiv:1508.07909](https://arxiv.org/abs/1508.07909): byte pairs. Fan, Lewis & Dauphin (2018),
[arXiv:1805.04833](https://arxiv.org/abs/1805.04833): top-k. Warstadt et al. (2020), *BLiMP*, [arXiv:1912.00582](https://arxiv.org/abs/1912.00582): 67 kinds of such
pairs. Holtzman et al. (2020), [arXiv:1904.09751](https://arxiv.org/abs/1904.09751): the nucleus. Liu et al. (2018), [arXiv:1801.10198](https://arxiv.org/abs/1801.10198):
a Transformer decoder alone as a language model. D2L, [section 11.9](https://d2l.ai/chapter_attention-mechanisms-and-transformers/large-pretraining-transformers.html).
"""
