"""The picture of the README: what each system of the series does, by its own bundled checkpoint.

``python -m book.picture`` computes it and writes ``chapters/images/arc.png`` (half a minute).
"""

import json
from functools import cache
from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("agg")

import torch
from matplotlib import pyplot as plt
from torch.nn.functional import normalize

import minibert as mb
from minibert.show.cloze import guesses
from minibert.show.figures import PALETTE

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "chapters" / "images" / "arc.png"
EACH = 12  # uses of each sense of a homograph
COLOURS = [PALETTE[name] for name in ("blue", "green", "orange", "vermillion", "purple")]
GAP, PROMPT = "The capital of the country is [MASK].", "The baker opened the"
STEPS = (  # name, year, what it gave, the question below, the function that answers it
    ("word2vec", "2013", "one vector per word", "closest to “oak”\n(cosine)", "neighbours"),
    ("ELMo", "2018", "a vector in context", "a word used twice\n(cosine, 32 homographs)", "senses"),
    ("ULMFiT", "2018", "tune the whole model", "topic from 100 labels\n(accuracy)", "labels"),
    ("BERT", "2018", "read both sides", "“The capital of the\ncountry is ___.”", "gap"),
    ("GPT", "2018", "guess the next word", "“The baker\nopened the ___”", "continued"),
)


def neighbours():
    """word2vec: the words whose vectors are closest to one word's."""
    return mb.Word2Vec.from_pretrained("minibert-word2vec").neighbours("oak", 3)


def senses():
    """ELMo: mean cosines between uses of a word in one sense and in two, over all homographs."""
    uses = {}  # word -> sense -> its first uses, (sentence, position) each
    for document in mb.world.generate(tokens=300_000, seed=3).documents:
        for sentence in document.sentences:
            for at, (word, sense) in enumerate(zip(sentence.tokens, sentence.sense, strict=True)):
                if sense:
                    found = uses.setdefault(word.lower(), {}).setdefault(sense, [])
                    found += [(sentence.tokens, at)] if len(found) < EACH else []
    pairs = [[u for u in found.values() if len(u) == EACH][:2] for found in uses.values()]
    cosines = torch.tensor([same_and_other(*pair) for pair in pairs if len(pair) == 2])
    same, other = cosines.mean(0).tolist()
    return [("same sense", same), ("other sense", other)]


def same_and_other(*senses):
    """Mean cosines within the senses of one word, and between them; each a list of uses."""
    one, two = (normalize(torch.stack([vector(*use) for use in uses]), dim=-1) for uses in senses)
    others = ~torch.eye(EACH, dtype=bool)
    same = (one @ one.T)[others].mean() + (two @ two.T)[others].mean()
    return same / 2, (one @ two.T).mean()


@torch.no_grad()
def vector(tokens, at):
    """The vector of a word in its sentence, in ELMo's upper layer: (dim,)."""
    return elmo().encode([tokens]).hidden_states[-1][0, at]


@cache
def elmo():
    return mb.ELMo.from_pretrained("minibert-elmo").eval()


def labels():
    """ULMFiT: accuracy on a topic from 100 labels, the means of chapter 03's experiments."""
    findings = json.loads((ROOT / "chapters" / "findings" / "03.json").read_text("utf-8"))
    rows = {"pre-trained": ("rates", "gentle"), "counting words": ("topic", "counts_100")}
    seeds = {name: findings["experiments"][name]["seeds"].values() for name, _ in rows.values()}
    return [(label, 1 - fmean(s["values"][key] for s in seeds[name]))
            for label, (name, key) in rows.items()]  # fmt: skip


def gap():
    """BERT: the likeliest words for a gap."""
    return guesses(mb.heads.MaskedLM.from_pretrained("minibert-bert").eval(), GAP).best(3)


def continued():
    """GPT: the likeliest next tokens."""
    model = mb.GPT.from_pretrained("minibert-gpt").eval()
    ids = torch.tensor([model.tokenizer.encode(PROMPT)])
    with torch.no_grad():
        shares, best = model.logits(model(ids).last_hidden_state[0, -1]).softmax(-1).topk(3)
    words = [model.tokenizer.decode([i]).strip() for i in best.tolist()]
    return list(zip(words, shares.tolist(), strict=True))


def draw(answers):
    """Five columns, one a system, with the bars of its answer; ``answers``: (word, value) lists."""
    fig, axes = plt.subplots(1, 5, figsize=(10, 2.9), dpi=100)
    fig.subplots_adjust(left=0.01, right=0.99, top=0.52, bottom=0.03, wspace=0.12)
    for ax, (name, year, gave, asked, _), answer, colour in zip(
        axes, STEPS, answers, COLOURS, strict=True
    ):
        middle = {"ha": "center", "transform": ax.transAxes}
        ax.text(0.5, 1.78, name, size=15, weight="bold", color=colour, **middle)
        ax.text(0.5, 1.62, f"{year}: {gave}", size=9, color="#333333", **middle)
        ax.text(0.5, 1.16, asked, size=10, va="bottom", style="italic", **middle)
        for row, (word, value) in enumerate(answer):
            ax.barh(-row, value, 0.8, color=colour, alpha=0.35)
            ax.text(0.02, -row, f"{word}  {value:.2f}", size=10, va="center")
        ax.set(xlim=(0, 1), ylim=(-2.5, 0.5))
        ax.axis("off")
    return fig


def main():
    """Compute the five answers, draw and save them."""
    answers = [globals()[step[-1]]() for step in STEPS]
    for (name, *_), answer in zip(STEPS, answers, strict=True):
        print(name, answer)
    draw(answers).savefig(TARGET, metadata={"Software": None})


if __name__ == "__main__":
    main()
