# ---
# jupyter:
#   minibert:
#     title: ULMFiT
#     question: Can a classifier learn from a hundred examples what others need thousands for?
#     minutes: 90
#     seconds: 90
#     memory_mb: 1200
#     needs: ["chapter 00 (the LSTM, perplexity, the floor)", "chapter 01 (word vectors)"]
#     skip: "section 4 (smaller parts of AWD-LSTM), and 9 (what the papers claim, measured here)"
#     papers:
#       - "Howard & Ruder (2018), Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146"
#       - "Merity et al. (2018), Regularizing and Optimizing LSTM Language Models, arXiv:1708.02182"
# ---

# %% [markdown]
r"""
# 03 · ULMFiT: can a classifier learn from a hundred examples what others need thousands for?

{{head}}

Somebody who has read a thousand novels needs to see only a few film reviews to know what a review
is. Somebody who cannot read needs a great many. In January 2018 Jeremy Howard and Sebastian
Ruder gave a network the novels first (their paper was first called *FitLaM*, fine-tuned language
models). Chapter 01 handed on a first layer, chapter 02 a frozen model for another one to read; this
chapter hands on the whole network, and shows how to tune it without breaking it.
"""

# %%
import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models import baselines
from minibert.training.loop import evaluate

mb.seed_everything(0)
SMOKE = mb.runtime.smoke()  # a very small run, for testing

# %% [markdown]
r"""
## 1. A language model that learns its text by heart

ULMFiT stands on a language model: guess the next word, again and again. In chapter 00 that was a
small LSTM. Here is one with two layers, on a little text, trained for many passes. It is an
*AWD-LSTM* with everything that will make it one turned off.

*Predict before you run:* what happens to the loss on new text, while the loss on the training text
falls?
"""

# %%
text = list(mb.world.generate(tokens=3_000 if SMOKE else 6_000, seed=1).tokens())
other = mb.world.generate(tokens=2_000 if SMOKE else 4_000, seed=2)
vocab = baselines.vocabulary(text)  # cased words, <new> for all others, and <eod>
ids = baselines.encode(text, vocab)
held_out = baselines.encode(list(other.tokens()), vocab)
print(f"{len(ids):,} tokens of {len(vocab):,} words; floor {other.floor:.2f} nats a token")

# %%
OFF = dict.fromkeys([*mb.models.awd_lstm.DROPOUTS, "alpha", "beta"], 0.0)
ON = {"embedding_dropout": 0.02, "input_dropout": 0.1, "weight_dropout": 0.2,
      "hidden_dropout": 0.1, "output_dropout": 0.1, "alpha": 0.5, "beta": 0.2}


def learn(options, epochs=1 if SMOKE else 30):
    """A small language model with some of the regularisers, and its history."""
    mb.seed_everything(0)
    model = mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), dim=64, hidden=128, layers=2, **options))
    batches = model.batches(ids, batch_size=8, bptt=20)
    valid = model.batches(held_out, batch_size=8, bptt=20)
    history = mb.fit(model, batches, epochs=epochs, valid=valid, progress=False,
                     optimizer=mb.optim.adamw(model, 0.01, betas=(0.8, 0.99)))
    return model, history


plain, by_heart = learn(OFF)

# %%
figure = mb.show.loss_curve(by_heart, floor=other.floor, title="No regularisation, little text")
mb.show.figure(figure)

# %% [markdown]
r"""
On the training text the loss falls to the end. On new text it falls, stops and slowly rises again:
the network begins to learn its text by heart. (New text begins with the lower loss because more of
its words are unknown, and `<new>` is easy to predict. Its letters cost nothing here, so the floor
is only a landmark.) Merity, Keskar and Socher (2018) asked how far a plain LSTM gets if
it is kept from doing that, and found a handful of answers. Together they are the AWD-LSTM: *ASGD
weight-dropped LSTM*.

## 2. Dropout for a network with a memory

Dropout sets numbers to zero at random in training, so that no number can be relied on alone. In a
network that reads word after word, the question is how often to draw the mask. A state that is to
be carried over fifty words would meet fifty fresh masks and be gone. So the mask is drawn once for
the whole sequence (**variational**, or *locked*, dropout; Gal & Ghahramani 2016): whatever is
dropped at one position is dropped at all of them.

{{exercise 03.locked}}

Write `locked(x, p)`; `x` has the shape `(batch, length, width)`. Each text of the batch gets a mask
of its own, the same at all positions; what is kept is divided by $1 - p$.
"""

# %%
def locked(x, p):
    """Variational dropout of x (batch, length, width)."""
    result = x
    ### BEGIN SOLUTION
    mask = (torch.rand(len(x), 1, x.shape[-1]) >= p).float() / (1 - p)  # (batch, 1, width)
    result = x * mask
    ### END SOLUTION
    return result


# %%
mb.course.check("03.locked", locked)

# %%
from minibert.models.awd_lstm.model import embedding_dropout, variational_dropout

x = torch.ones(1, 40, 24)
fresh, once = F.dropout(x, 0.3)[0].T, variational_dropout(x, 0.3)[0].T  # (width, length)
fig, axes = mb.show.new("Where numbers are dropped (white)", "place in the text", "number",
                        columns=2)
for ax, kept, name in zip(axes, (fresh, once), ("a mask a place", "a mask a sequence"), strict=True):
    ax.imshow(kept > 0, cmap="gray_r", aspect="auto", vmin=0, vmax=1.6)
    ax.set_title(name)
    ax.grid(False)
mb.show.figure(fig, alt="Left: zeros at random places. Right: whole rows of zeros through all places.")

# %% [markdown]
r"""
It is used three times: on the word vectors, between layers, and on the last layer's output.
**Embedding dropout** is its sister: it drops whole *words*. A word that is dropped is a vector of
zeros wherever it stands in the window, and the model must do without it.
"""

# %%
table = torch.ones(6, 3)  # six words
sentence = torch.tensor([[1, 2, 3, 1, 2, 5]])
torch.manual_seed(4)
print(embedding_dropout(table, sentence, 0.5)[0])  # (length, dim)

# %% [markdown]
r"""
## 3. Weight drop

The state is still carried from word to word by one matrix, and nothing has been dropped there.
**Weight drop** (DropConnect on the recurrent weights) zeroes entries of the matrix itself, once for
a window. With $m$ a mask of zeros and ones, one step of the LSTM is

$$
\begin{aligned}
\begin{pmatrix} i \\ f \\ g \\ o \end{pmatrix}
  &= W x_t + b + \Big(\tfrac{m}{1 - p} \odot U\Big) h_{t-1} \\
c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g), \qquad h_t = \sigma(o) \odot \tanh(c_t)
\end{aligned}
$$

The mask is the same at all positions, so this works: drop first, and then hand the dropped
matrix to the ordinary, fast LSTM. Here it is by hand, against the library's layer.
"""

# %% tags=["nbval-check-output"]
layer = mb.models.awd_lstm.WeightDropLSTM(inputs=5, outputs=8, weight_dropout=0.5)
x = torch.randn(2, 6, 5)  # (batch, length, inputs)
torch.manual_seed(0)
dropped = mb.models.dropout.dropout(layer.weight_hh, 0.5)  # (4 * outputs, outputs)

h = c = torch.zeros(2, 8)  # (batch, outputs)
by_hand = []
for t in range(6):
    gates = x[:, t] @ layer.weight_ih.T + layer.bias_ih + h @ dropped.T + layer.bias_hh
    i, f, g, o = gates.chunk(4, dim=-1)  # (batch, outputs) each
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    by_hand.append(h)

torch.manual_seed(0)  # the same connections
fused, _ = layer(x)
print(torch.allclose(torch.stack(by_hand, 1), fused, atol=1e-6))

# %%
mb.course.source(mb.models.awd_lstm.WeightDropLSTM.forward)

# %% [markdown]
r"""
{{exercise 03.find_the_bug}}

A colleague has wrapped torch's `nn.LSTM`. "The first batch is fine," she says, "then the loss goes
up, and after a while the network says the same to everything." Find out what happens to the
recurrent matrix, and mend `forward`.
"""

# %%
class WeightDrop(nn.Module):
    """An nn.LSTM of one layer whose recurrent matrix loses weights in training."""

    def __init__(self, lstm, p):
        super().__init__()
        self.lstm, self.p = lstm, p

    def forward(self, x):
        if self.training:
            dropped = F.dropout(self.lstm.weight_hh_l0, self.p)
            self.lstm.weight_hh_l0 = nn.Parameter(dropped)
        return self.lstm(x)

    ### BEGIN SOLUTION
    def forward(self, x):
        dropped = F.dropout(self.lstm.weight_hh_l0, self.p, self.training)
        return torch.func.functional_call(self.lstm, {"weight_hh_l0": dropped}, (x,))
    ### END SOLUTION


# %%
mb.course.check("03.find_the_bug", WeightDrop)

# %% [markdown]
r"""
## 4. Smaller parts

**Tied weights** (Inan et al. 2017; Press & Wolf 2017). The matrix that turns a state into scores of
words is the table of word vectors itself. That saves a second table as large as the first, and says
something true: the words that could stand here have vectors that are alike.

**Activation penalties.** AR (activation regularisation) keeps the last layer's output small, TAR
(the same in time) keeps it from jumping from one position to the next. With $\hat h$ the output
after dropout and $h$ before it, the loss gets

$$
\alpha \,\overline{\hat h_t^2} \;+\; \beta\, \overline{(h_{t+1} - h_t)^2}
$$

(the bars are means; the paper writes norms, and this is what the authors' program computes). Only
in training: what we report is the cross-entropy, whose exponential is the perplexity.

{{exercise 03.penalty}}

`dropped` and `raw` are $\hat h$ and $h$, of shape `(batch, length, width)`.
"""

# %%
def penalty(dropped, raw, alpha, beta):
    """AR and TAR: a scalar tensor."""
    total = torch.tensor(0.0)
    ### BEGIN SOLUTION
    step = raw[:, 1:] - raw[:, :-1]  # (batch, length - 1, width)
    total = alpha * dropped.square().mean() + beta * step.square().mean()
    ### END SOLUTION
    return total


# %%
mb.course.check("03.penalty", penalty)

# %% [markdown]
r"""
**Windows of changing length.** A long text is read in windows, and gradients stop at their edges.
If all windows are equally long, the same words stand at the edges in every epoch. So the length is
drawn each time, and the rate is scaled with it: a short window's mean has fewer words in it
(`model.batches(..., vary=True)` and `mb.training.callbacks.RateByLength`).

**NT-ASGD** (non-monotonically triggered, averaged SGD). Plain SGD with a high rate, until the loss
on validation text has stopped getting better; from then on the weights are averaged, and the mean
is the model. Its whole memory is one more copy of the weights (`mb.optim.NTASGD`). ULMFiT, and this
chapter, train with Adam.
"""

# %%
mb.course.source(mb.optim.NTASGD.record)

# %%
regularised, history = learn(ON)
figure = mb.show.loss_curve({"plain": by_heart, "AWD-LSTM": history}, floor=other.floor,
                            title="The same network, with and without regularisation")
mb.show.figure(figure)

# %% [markdown]
r"""
(The training curve of the AWD-LSTM is that of a network with holes in it, penalties included;
compare the curves on new text.) On new text the AWD-LSTM falls sooner and ends lower. On so little
text its lowest point is hardly better, and it rises again in the end: mild regularisation only
slows learning by heart. How much does each part contribute? The full experiment takes the parts
away one at a time, on {{finding 03 awd.full seeds}} seeds. Settings: `chapters/findings/03.py`.
"""

# %%
found = mb.course.findings("03")


def values(experiment, names):
    """condition -> one value a seed."""
    return {label: found.values(f"{experiment}.{name}") for label, name in names.items()}


figure = mb.show.spread(
    values("awd", {"AWD-LSTM": "full", "without weight drop": "no_weight_drop",
                   "without variational dropout": "no_variational",
                   "without embedding dropout": "no_embedding", "without AR and TAR": "no_penalty",
                   "without tied weights": "untied", "plain LSTM": "plain"}),
    title="Taking one part away", xlabel="nats a token of new text",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 03 awd.plain awd.full | the plain LSTM pays more nats per token than the AWD-LSTM}}
- {{claim 03 awd.no_weight_drop awd.full | it pays more without weight drop}}
- {{claim 03 awd.no_variational awd.full | it pays more without variational dropout}}
- {{claim 03 awd.no_embedding awd.full | it pays more without embedding dropout}}
- {{claim 03 awd.no_penalty awd.full | it pays more without AR and TAR}}
- {{claim 03 awd.untied awd.full | it pays more without tied weights}}

All parts together help most. Of the single parts, tied weights and the two penalties matter most
here; for weight drop and embedding dropout no gain is shown.

Read the intervals before the words: {{finding 03 awd.full seeds}} seeds, 20,000 tokens, at most twenty passes. Each
network is judged as it was when it was best on other new text. (That stops the plain one early, in
the middle of its falling rate. With a schedule that is allowed to end, the gap narrowed in a trial
of one seed, and did not close.) A word that the training text lacks is paid for letter by letter.
The floor is {{finding 03 awd.floor mean .2f}} nats per token; the AWD-LSTM pays {{finding 03 awd.full mean .2f}}, the plain one {{finding 03 awd.plain mean .2f}}. Merity et al. (2018) report test
perplexities of 57.3 on the Penn Treebank and 65.8 on WikiText-2 (validation 60.0 and 68.6). Such
figures can be compared only over one vocabulary and one training text: another world, another
number.

## 5. Stage 1: a language model of general text

The pre-trained model came with the package: `minibert pretrain awd-lstm --recipe
minibert-awd-lstm-forward` made it from every kind of text in our world except one.
**It has not seen a single review**, and reviews are what we want to judge. That is the situation of
the paper: Wikipedia first, and then films.
"""

# %%
general = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward")
shape = general.config
print(f"{shape.layers} layers of {shape.hidden}, {shape.dim} numbers a word, {len(general.vocab):,} words")

# %%
from minibert.commands.pretrain.awd_lstm import stream
from minibert.world.kinds import KINDS

tokens = 3_000 if SMOKE else 40_000
unlabelled = [d.text for d in mb.world.generate(tokens, seed=11, kinds=["review"]).documents]
new_reviews = [d.text for d in mb.world.generate(tokens // 8, seed=12, kinds=["review"]).documents]
others = [kind for kind in KINDS if kind != "review"]
new_general = [d.text for d in mb.world.generate(tokens // 8, seed=13, kinds=others).documents]
print(unlabelled[0])

# %% [markdown]
r"""
Reviews have words that the model has never met. The vocabulary grows by them; a new word starts as
the mean of all the vectors (as in the authors' program), which is the best guess about a word of
which nothing is known.
"""

# %%
words = mb.text.Vocab.train(unlabelled, min_count=2)
known = general.vocab
added = [word for word in words.tokens if word not in known]
both = mb.text.Vocab([*known.tokens, *added], specials=known.specials)
language_model = mb.transfer.with_vocabulary(general, both)
print(len(added), "new words:", " ".join(added[:12]))

# %%
def perplexity(model, texts):
    """How many words the model hesitates between, on average."""
    ids = stream(texts, model.vocab)  # each text is ended by <eod>
    return math.exp(evaluate(model, model.batches(ids, batch_size=16, bptt=40)))


for name, texts in (("general text", new_general), ("reviews", new_reviews)):
    print(f"{name:>12}: perplexity {perplexity(language_model, texts):6.1f}")

# %% [markdown]
r"""
## 6. Stage 2: the same model reads reviews

Now the model reads reviews, without labels, for a few passes. Tuning a trained network is not
training: there is something to lose. Two ideas protect it.

**Discriminative rates.** Lower layers hold what is general, upper ones what is special. So each
layer learns more slowly than the one above it: $\eta^{l-1} = \eta^{l} / 2.6$.

{{exercise 03.rates}}

`rate` is that of the highest layer; the answer is a list of `layers` numbers, the lowest layer
first.
"""

# %%
def layer_rates(layers, rate, factor=2.6):
    """The rate of each layer, the lowest first; the highest has ``rate``."""
    result = []
    ### BEGIN SOLUTION
    result = [rate / factor ** (layers - 1 - height) for height in range(layers)]
    ### END SOLUTION
    return result


# %%
mb.course.check("03.rates", layer_rates)

# %% [markdown]
r"""
**A slanted triangle.** First find a good region quickly, then refine for long: the rate rises for a
tenth of the $T$ updates (`cut`), and then falls to $1/32$ of its height (`ratio`). With
$\text{top} = \lfloor T \cdot \text{cut} \rfloor$,

$$
p = \begin{cases} t / \text{top} & t < \text{top} \\
1 - \dfrac{t - \text{top}}{\text{top}\,(1/\text{cut} - 1)} & \text{otherwise} \end{cases}
\qquad
\eta_t = \eta_{\max} \frac{1 + p\,(\text{ratio} - 1)}{\text{ratio}}
$$

{{exercise 03.triangle}}

Write $\eta_t$; `steps` is $T$ and `highest` is $\eta_{\max}$.
"""

# %%
def triangle(t, steps, highest, cut=0.1, ratio=32):
    """The rate at update t of ``steps``."""
    rate = 0.0
    ### BEGIN SOLUTION
    top = math.floor(steps * cut)
    p = t / top if t < top else 1 - (t - top) / (top * (1 / cut - 1))
    rate = highest * (1 + p * (ratio - 1)) / ratio
    ### END SOLUTION
    return rate


# %%
mb.course.check("03.triangle", triangle)

# %% [markdown]
r"""
Touch it: what does a cut of 0.5 look like, and what a ratio of 1? How much "learning" is spent, in
all, in each?
"""

# %%
import ipywidgets

from minibert.training.optim import slanted_triangular


def draw_triangle(cut, ratio, steps=200, highest=0.01):
    """The library's triangle, and how much of the highest rate is spent on average."""
    factor = slanted_triangular(steps, cut, ratio)
    rates = highest * np.array([factor(step) for step in range(steps)])
    fig, ax = mb.show.new("The slanted triangle", "update", "learning rate")
    ax.plot(rates)
    ax.axhline(highest / ratio, color="gray", linestyle=":")
    ax.set_ylim(0, 1.08 * highest)
    words = (f"The rate rises to {highest:g} at update {rates.argmax()} of {steps}, and falls to "
             f"{rates[-1]:.2g}. Mean rate: {rates.mean() / highest:.0%} of the highest.")
    return mb.show.Frame(fig, words, words)


mb.show.Interactive(draw_triangle, {
    "cut": ipywidgets.FloatSlider(0.1, min=0.02, max=0.9, step=0.02, description="cut"),
    "ratio": ipywidgets.IntSlider(32, min=1, max=100, description="ratio")})

# %%
from minibert.transfer.stages import ULMFiTConfig, document, learn_text

settings = ULMFiTConfig(streams=16, bptt=40, target_rate=0.008, target_epochs=1 if SMOKE else 3,
                        classifier_rate=0.02, classifier_epochs=1 if SMOKE else 15,
                        batch_size=20, max_len=140)


def read_reviews(model):
    """Stage 2, in place: reviews without labels, lower layers slowly."""
    groups = mb.transfer.discriminative_groups(model, settings.target_rate, factor=settings.factor)
    ids = stream(unlabelled, model.vocab)
    learn_text(model, ids, settings.target_epochs, mb.optim.adamw(groups, betas=(0.8, 0.99)),
               config=settings, progress=False)


tuned = copy.deepcopy(language_model)
read_reviews(tuned)
for name, texts in (("general text", new_general), ("reviews", new_reviews)):
    before, after = perplexity(language_model, texts), perplexity(tuned, texts)
    print(f"{name:>12}: perplexity {before:6.1f} before, {after:6.1f} after")

# %% [markdown]
r"""
Reviews are now predicted far better. The price is high: the perplexity on general text has become
several times what it was, even though the lower layers learned more slowly.

## 7. Stage 3: a classifier on top

A review's verdict may hang on a few words anywhere in it. So the head gets more than the last
state: the largest value that each number had anywhere, and its mean. **Concat pooling**:

$$
h_c = [\,h_T;\; \max_t h_t;\; \tfrac1T \textstyle\sum_t h_t\,]
$$

{{exercise 03.pool}}

`hidden` is `(batch, length, width)`, `mask` `(batch, length)` with 1 for a token and 0 for padding,
which stands at the end. Padding must have no say in any of the three.
"""

# %%
def concat_pool(hidden, mask):
    """[last, maximum, mean] over the tokens of each row: (batch, 3 * width)."""
    pooled = torch.zeros(len(hidden), 3 * hidden.shape[-1])
    ### BEGIN SOLUTION
    lengths, padding = mask.sum(1).long(), mask[..., None] == 0  # (batch,), (batch, length, 1)
    last = hidden[torch.arange(len(hidden)), lengths - 1]  # (batch, width)
    most = hidden.masked_fill(padding, -torch.inf).amax(1)
    mean = hidden.masked_fill(padding, 0).sum(1) / lengths[:, None]
    pooled = torch.cat([last, most, mean], 1)
    ### END SOLUTION
    return pooled


# %%
mb.course.check("03.pool", concat_pool)

# %% [markdown]
r"""
Two small blocks follow (batch norm, dropout, linear; 50 hidden, a ReLU between). Documents may be
long: **BPT3C** (back-propagation through time for text classification) reads all but the end in
windows, keeping only the state, the running maximum and the running sum, and sends gradients
through the last tokens alone. So memory does not grow with the document. The library's head, on a
very long "review":
"""

# %% tags=["nbval-check-output"]
classifier = mb.heads.PoolingClassifier(copy.deepcopy(tuned), labels=2, bptt=40, max_len=140).eval()
long = torch.randint(5, 500, (1, 400 if SMOKE else 4000))
long = long.to(tuned.embedding.weight.device)
mask = torch.ones_like(long)
with torch.no_grad():
    at_once = classifier.encoder(long).last_hidden_state  # (1, length, width)
    last, most, mean = at_once[:, -1], at_once.amax(1), at_once.mean(1)
    streamed = classifier.pooled(long, mask)
print(torch.allclose(torch.cat([last, most, mean], 1), streamed, atol=1e-5))

# %% [markdown]
r"""
**Gradual unfreezing.** The head starts from random numbers. Its first gradients say little about
the task and much about its own confusion; sent down, they would stir up what the language model
knows. So at first the head learns alone; then the layer below it is unfrozen, then the next. On the
map, hatched means frozen.

Our task has nine classes: three sentences are given, and the question is which kind of text they
come from, a story, a letter, a lesson ... The language model has read such texts, though not the
labels (of one kind, reviews, it has read nothing). The target's text is general text here, so stage
2 can be left out.
"""

# %%
topics = mb.world.task("topic", seed=0)
print(topics)
print(", ".join(topics.labels))
print(topics.train[0].label, "|", topics.train[0].text)


def encoded(task, model):
    """(100 labelled texts, test texts) as ids, beginning where the model begins to read."""
    parts = task.train[: 20 if SMOKE else 100], task.test[: 40 if SMOKE else 300]
    return [[{"input_ids": document(model.vocab.encode(example.text), model),
              "labels": task.labels.index(example.label)} for example in part] for part in parts]


labelled, test = encoded(topics, language_model)

# %%
from dataclasses import replace


def try_schedule(unfreezing, rate, factor, cut):
    """Train a classifier with a schedule; what to show of it."""
    options = replace(settings, unfreezing=unfreezing, classifier_rate=rate, factor=factor, cut=cut,
                      classifier_epochs=8)  # 40 updates, five batches an epoch
    mb.seed_everything(0)
    adapted = mb.transfer.ulmfit(copy.deepcopy(language_model), labelled, len(topics.labels),
                                 valid=test[:200], config=options, progress=False)
    kept = perplexity(adapted.classifier.encoder, new_general)
    return {"error": f"{adapted.error:.1%}", "perplexity afterwards": f"{kept:.1f}"}


layers = ["words", "layer 1", "layer 2", "layer 3", "head"]
mb.show.UnfreezingExplorer(try_schedule, layers, steps=40)

# %% [markdown]
r"""
Change the schedule, and press the button: a classifier is trained on a hundred labels (some
seconds). You see its error on new texts, and the perplexity that the language model inside it has
*afterwards*. It was trained for something else, and this is how one sees what it has forgotten.

*Predict before you press:* which order of unfreezing forgets most? Does that one also err most?

{{exercise 03.forgetting}}

In four to six sentences: why does a language model forget when a classifier on top of it is
trained, what holds that back, and how would you show it?
"""

# %% [markdown] written="03.forgetting"
r"""
At first the head is random, so what it sends down is no message about the task, but it is large.
With no layer frozen these gradients change the vectors and matrices that hold what the model knows
of language, and nothing in the loss asks to keep it. Gradual unfreezing waits until the head has
something to say; low rates for low layers keep what is general nearly as it is; the triangle starts
slowly. To show it, take the language model out of the classifier and measure its perplexity on
held-out text before and after, for several orders of unfreezing and several seeds.
"""

# %% [markdown]
r"""
## 8. All three stages, against training from scratch

One function holds the stages. Each of the lines below is a part that you have met.
"""

# %%
mb.course.source(mb.transfer.ulmfit)

# %% [markdown]
r"""
*Predict before you run:* a hundred labelled texts, nine classes. What is the error of a blind
guess? And of the same network from random weights?
"""

# %%
def classify(model, task, seed=0, **options):
    """Stage 3 on a hundred labels; returns what `ulmfit` gives. The model itself is not changed."""
    labelled, test = encoded(task, model)
    mb.seed_everything(seed)
    return mb.transfer.ulmfit(copy.deepcopy(model), labelled, len(task.labels), valid=test, seed=seed,
                              config=replace(settings, **options), progress=False)


mb.seed_everything(1)
random_weights = mb.AWDLSTM(language_model.config, both)
plainly = {"factor": 1.0, "unfreezing": "all", "classifier_rate": 0.01}  # nothing there to protect
on_topics = {"from scratch": classify(random_weights, topics, **plainly),
             "ULMFiT": classify(language_model, topics)}
errors = {name: adapted.error for name, adapted in on_topics.items()}
mb.show.figure(mb.show.bars(errors, "Topic: errors after 100 labels (one seed)", "share judged wrongly"))

# %% [markdown]
r"""
Now the paper's own case: does the reviewer like it? Chapter 01 found that word vectors do not help
here. All three stages, with the model that has just read reviews. In the third, all layers learn at
one rate and from the start, whichever weights they begin with: in a trial with an earlier model, on
the validation texts of one seed, the gentle schedule was far too gentle for this task.
"""

# %%
opinions = mb.world.task("sentiment", seed=0)
errors = {"from scratch": classify(random_weights, opinions, **plainly).error,
          "stages 1 and 3": classify(language_model, opinions, **plainly).error,
          "all three stages": classify(tuned, opinions, **plainly).error}
mb.show.figure(mb.show.bars(errors, "Sentiment: errors after 100 labels (one seed)",
                            "share judged wrongly"))

# %% [markdown]
r"""
All three bars are close to one half, which is chance for two classes: a hundred labels are too few
here for each of the three. Section 9 shows what more labels change.

**Both directions.** A second model reads from the end of the text to its beginning (`direction=
"backward"`); it goes through the same stages, and the two probabilities are averaged.
"""

# %%
backward = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-backward")
other_way = classify(backward, topics)


def probabilities(classifier):
    """p of each class for the test texts, (examples, classes), and the right classes."""
    _, test = encoded(topics, classifier.encoder)
    batches = mb.text.PaddedBatches(test, 50, shuffle=False, by_length=False)
    device = mb.device()
    with torch.no_grad():
        logits = [classifier(b["input_ids"].to(device), b["attention_mask"].to(device)) for b in batches]
    return torch.cat(logits).softmax(-1).cpu(), torch.tensor([e["labels"] for e in test])


p, truth = probabilities(on_topics["ULMFiT"].classifier)
q, _ = probabilities(other_way.classifier)
for name, found_p in (("forward", p), ("backward", q), ("both", (p + q) / 2)):
    print(f"{name:>8}: error {(found_p.argmax(1) != truth).float().mean():.1%}")

# %% [markdown]
r"""
## 9. How much of this is luck?

One seed proves nothing. The full experiment draws the labelled texts, the head and the order of the
batches again for each of {{finding 03 topic.ulmfit seeds}} seeds (`make findings CH=03`). The language
models are the same in all of them: general ones, and for sentiment one that has read many more
reviews than yours (`minibert pretrain awd-lstm --recipe minibert-awd-lstm-reviews-forward`). So the
spread is that of stage 3, not of the stages before it. These runs used earlier checkpoints, trained
in the same way on an earlier version of our text. Compare their differences with the cells above,
not their heights.
"""

# %%
def budget_curves(experiment, ways, title):
    """Errors by number of labels, mean and standard deviation over the seeds."""
    budgets = found.content["experiments"][experiment]["config"]["labels"]
    fig, ax = mb.show.new(title, "labelled texts", "share judged wrongly")
    for (name, label), look in zip(ways.items(), ("o-", "^-", "s--"), strict=False):
        runs = torch.tensor(found.values(f"{experiment}.{name}"))  # (seeds, budgets)
        ax.errorbar(budgets, runs.mean(0), runs.std(0), fmt=look, capsize=4, label=label)
    ax.set_xscale("log")
    ax.set_xticks(budgets, [str(n) for n in budgets])
    ax.minorticks_off()
    ax.legend(title="mean and standard deviation")
    mb.show.figure(fig, alt=f"{title}: error by number of labels for {', '.join(ways.values())}.")


budget_curves("topic", {"scratch": "from scratch", "ulmfit": "ULMFiT, stages 1 and 3"},
              "Topic: which of nine kinds of text?")

# %%
def labels_from_scratch(seed):
    """How many labels the network from scratch needs to err as rarely as ULMFiT on 100."""
    curve, error = found.values("topic.scratch")[seed], found.values("topic.ulmfit_100")[seed]
    budgets = found.content["experiments"]["topic"]["config"]["labels"]
    return math.exp(np.interp(-error, [-e for e in curve], np.log(budgets)))  # a line between points


needed = [labels_from_scratch(seed) for seed in range(len(found.values("topic.ulmfit_100")))]
print("as good as ULMFiT with 100 labels:", ", ".join(f"{n:,.0f}" for n in needed), "from scratch")

# %% [markdown]
r"""
- {{claim 03 topic.scratch_100 topic.ulmfit_100 | with 100 labels, training from scratch errs more than ULMFiT}}
- {{claim 03 topic.scratch_most topic.ulmfit_100 | from scratch on ten times as many labels, it still errs more than ULMFiT on 100}}
- {{claim 03 topic.scratch_most topic.ulmfit_most | with the most labels, it errs more than ULMFiT on as many}}

With 100 labels ULMFiT errs on {{finding 03 topic.ulmfit_100 mean .1%}}, training from scratch on
{{finding 03 topic.scratch_100 mean .1%}}; from scratch on 1,000 it is
{{finding 03 topic.scratch_most mean .1%}}. The cell above prints, seed by seed, how many labels from
scratch are as good as ULMFiT's hundred: several hundred. So the answer to this chapter's question
is smaller than the question: a hundred examples do the work of several hundred, and not yet of
thousands. Howard and Ruder (2018, figure 3) found that 100
labels did as well as training from scratch on 10 to 20 times more, and with unlabelled text of the
target on 50 (IMDb) to 100 (AG News) times more.

Such a gap is as wide as the baseline is weak, so the baseline was given its chance: from scratch
the network got 500 updates, or 25 passes where that is more, at a rate between the two that were
best on validation texts of one seed. (With fewer passes it looked far worse there: that is the
first thing to ask about a weak baseline.) What would a plain count of words give?
"""

# %%
budget_curves("sentiment", {"scratch": "from scratch", "ulmfit": "all three stages",
                            "general": "stages 1 and 3"}, "Sentiment: does the reviewer like it?")

# %% [markdown]
r"""
- {{claim 03 sentiment.scratch_100 sentiment.ulmfit_100 | with 100 labels, training from scratch errs more than ULMFiT}}
- {{claim 03 sentiment.general_100 sentiment.ulmfit_100 | with 100 labels, leaving stage 2 out errs more than all three stages}}
- {{claim 03 sentiment.scratch_most sentiment.ulmfit_most | with the most labels, training from scratch errs more than ULMFiT}}
- {{claim 03 sentiment.general_most sentiment.ulmfit_most | with the most labels, leaving stage 2 out errs more than all three stages}}

None of the four differences is shown on {{finding 03 sentiment.ulmfit seeds}} seeds. With 100 labels
the three curves lie together. With the most labels the pre-trained ones lie lower, but training
from scratch varies too much from seed to seed. So on this task neither pre-training nor stage 2 has
proved its worth here.

Two tasks, one language model. Which kind of text this is decides what comes next in it at every
word, so the model knows it already, and the head has only to ask. An opinion is spread over a few
words of judgement, denied and contrasted; to predict the text, there was much else to learn first.
A task decides how much of what was learned is worth keeping. That reading is a guess: how would
you test it?
"""

# %%
names = {"all of it": "ulmfit", "one rate for all layers": "no_discriminative",
         "a constant rate": "no_triangle", "all layers from the start": "no_unfreezing",
         "the head alone": "head_only", "none of the three": "none"}
figure = mb.show.spread(values("parts", names), title="Topic after 100 labels, one part taken away",
                        xlabel="share judged wrongly")
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 03 parts.no_discriminative parts.ulmfit | with one rate for all layers it errs more}}
- {{claim 03 parts.no_triangle parts.ulmfit | at a constant rate it errs more}}
- {{claim 03 parts.no_unfreezing parts.ulmfit | with all layers unfrozen from the start it errs more}}
- {{claim 03 parts.head_only parts.ulmfit | with the head alone it errs more}}
- {{claim 03 parts.none parts.ulmfit | with none of the three it errs more}}

Each of the three protections can be left out alone without a difference that these seeds show.
Without all three, the error is more than twice as high.
"""

# %%
figure = mb.show.spread(
    values("parts", {"before the classifier": "nats_before", "gradual unfreezing": "nats_ulmfit",
                     "all layers from the start": "nats_no_unfreezing",
                     "one rate for all layers": "nats_no_discriminative",
                     "none of the three": "nats_none"}),
    title="What the language model has forgotten", xlabel="nats a token of new general text",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 03 parts.nats_ulmfit parts.nats_before | the language model forgets while the classifier is tuned}}
- {{claim 03 parts.nats_no_unfreezing parts.nats_ulmfit | it forgets more when all layers are unfrozen from the start}}
- {{claim 03 parts.nats_no_discriminative parts.nats_ulmfit | it forgets more with one rate for all layers}}
- {{claim 03 parts.nats_none parts.nats_ulmfit | it forgets more with none of the three}}

The lower rates of the lower layers protect the language model far more than gradual unfreezing
does. The way that forgets most also errs most.
"""

# %%
figure = mb.show.spread(
    values("parts", {"forward": "ulmfit", "backward": "backward", "both": "both"}),
    title="Topic: two directions", xlabel="share judged wrongly after 100 labels",
)
mb.show.figure(figure)

# %% [markdown]
r"""
- {{claim 03 parts.ulmfit parts.both | the forward model alone errs more than both directions together}}
- {{claim 03 parts.backward parts.both | the backward model alone errs more than both together}}

The paper's own figures, from 100 million words of Wikipedia and whole data sets: IMDb 4.6 % error
with both directions and 5.30 with one, TREC-6 3.6, AG News 5.01, DBpedia 0.80, Yelp-bi 2.16,
Yelp-full 29.98; 18 to 24 % lower errors than the state of the art of the day. Compare directions,
not heights.

## 10. The real thing

fastai's weights, trained on WikiText-103, load into the same class: put `lstm_fwd.pth` and its
`lstm_fwd_itos.pkl` into a folder and call `mb.AWDLSTM.from_pretrained(folder)`. The words are read
by an unpickler that knows lists and strings and nothing else.

All three stages on real film reviews are one command:
`minibert finetune awd-lstm --recipe imdb-cpu --out imdb`. Its settings stand in
`minibert/commands/finetune/recipes/imdb-cpu.toml`: a small AWD-LSTM (2 layers of 256 cells) reads
12 million words of Wikipedia once, then {{finding real imdb_once.texts_read mean ,.0f}} reviews without their labels, then learns from 500 labels.
It takes hours on one core, so it was run once, and what it printed is kept:
"""

# %%
real = mb.course.findings("real")


def curve(name, wanted=("step", "loss")):
    """A stored history of the run."""
    return {part: real.values(f"imdb_once.{name}_{part}")[0] for part in wanted}


runs = {"Wikipedia": curve("language_model", ("step", "loss", "valid_step", "valid_loss")),
        "then reviews": curve("curve")}
mb.show.figure(mb.show.loss_curve(runs, title="IMDb: stages 1 and 2", ylabel="loss (nats a word)"))

# %%
names = {"pre-trained": "pre_trained", "from scratch": "from_scratch"}
mb.show.figure(mb.show.spread(
    {name: real.values(f"imdb.{way}_error") for name, way in names.items()},
    title="IMDb after 500 labels", xlabel="share of reviews judged wrongly",
))

# %% [markdown]
r"""
- {{claim real imdb.from_scratch_error imdb.pre_trained_error | on IMDb with 500 labels, training from scratch errs more than ULMFiT}}

Reading the reviews takes the perplexity on reviews that were held out from
{{finding real imdb_once.perplexity_before mean .0f}} to {{finding real imdb_once.perplexity_after mean .0f}}; a classifier on
that model errs on {{finding real imdb.pre_trained_error mean .1%}} of a test of
{{finding real imdb_once.texts_to_test_on mean ,.0f}} reviews (of which it reads the first 300 words), the same network from
random weights on {{finding real imdb.from_scratch_error mean .1%}}, which is no difference that three
seeds can show. The paper errs on 4.6 %, with all 25,000 labels and a
far larger model that has read 100 million words. On WikiText-2's validation text the small model's
perplexity is {{finding real imdb_once.wikitext_2_perplexity mean .0f}}, but over its own 8,000 words, so that {{finding real imdb_once.wikitext_2_unknown mean .0%}} of the text is one and the same unknown word:
that makes it easy, and it must not be held against AWD-LSTM's 68.6 on the same text.
"""

# %%
if not any(data.name == "imdb" and data.state == "here" for data in mb.data.datasets()):
    print("IMDb is not here; `minibert data get imdb` fetches it (84 MB).")
else:
    reviews = mb.data.load("imdb").train
    unknown = [word for word in mb.text.tokenise(reviews[0][0]) if word not in both]
    print(f"{len(reviews):,} reviews. Words of the first one that our small world lacks:")
    print(" ".join(dict.fromkeys(unknown)))

# %% [markdown]
r"""
## 11. Summary

- A language model that is kept from learning by heart predicts new text better. AWD-LSTM drops
  words, states and recurrent weights, each with one mask for a whole window, and ties its vectors.
- ULMFiT hands on the whole network in three stages: general text, the target's text, labels.
- Tuning can destroy what it builds on. Lower rates for lower layers, the slanted triangle and
  gradual unfreezing are three ways of going gently; what is lost can be measured as perplexity.
- Concat pooling and BPT3C make a classifier of a language model, whatever the document's length.
- On topic, a hundred labels did as well as several hundred without pre-training. On opinions and on
  IMDb no gain was shown at this size.
- Which of the parts matter is a question to measure; the answers above hold for this world and this
  size.
- Every network so far reads word after word and carries what it knows in one vector.
  Chapter 04 lets each word look straight at any other.

{{quiz 03.q1}}

{{quiz 03.q2}}

{{quiz 03.q3}}
"""

# %%
mb.course.progress()

# %% [markdown]
r"""
**Further reading.** Howard & Ruder (2018), [arXiv:1801.06146](https://arxiv.org/abs/1801.06146). Merity,
Keskar & Socher (2018), [arXiv:1708.02182](https://arxiv.org/abs/1708.02182). Gal & Ghahramani (2016), *A
theoretically grounded application of dropout in recurrent neural networks*,
[arXiv:1512.05287](https://arxiv.org/abs/1512.05287). Wan et al. (2013), *Regularization of neural networks
using DropConnect*. Inan et al. (2017), *Tying word vectors and word classifiers*,
[arXiv:1611.01462](https://arxiv.org/abs/1611.01462). Press & Wolf (2017), *Using the output embedding to
improve language models*, [arXiv:1608.05859](https://arxiv.org/abs/1608.05859). Dai & Le (2015),
*Semi-supervised sequence learning*, [arXiv:1511.01432](https://arxiv.org/abs/1511.01432): the idea, three
years before. D2L, [sections 9 and 10](https://d2l.ai/chapter_recurrent-modern/index.html), on recurrent
networks.
"""
