"""Whatever is typed into a widget, or comes back in a message, is shown as text."""

from html.parser import HTMLParser

import ipywidgets
import numpy as np
import pytest
import torch

import minibert as mb
from minibert import show
from minibert.course.learn import checking, helping, overview
from minibert.course.learn import messages as present
from minibert.course.learn import progress_file as record
from minibert.heads.spans import Answer, Part, Reading
from minibert.show.answer import AnswerExplorer
from minibert.show.attention import AttentionExplorer
from minibert.show.layers import LayerExplorer
from minibert.text import BPE, WordPiece

TYPED = {
    "script": '<script>alert("x")</script> the cat',
    "quotes": "'\"><img src=x onerror=alert(1)> the cat",
    "entities": "&lt;b&gt; &amp; &#60;i&#62; &nbsp; the",
    "closing tags": "</bdi></div></style></textarea><svg onload=alert(1)> the cat",
    "comments": "<!-- --> <![CDATA[ <b> ]]> <?php ?> the cat",
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd <b> \u0645\u0631\u062d\u0628\u0627 the",
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f600<b> the cat",
    "control": "\x00\x07\x1b[31m <b>\u2028\u2029 the cat",
    "half a pair": "\ud83d <b> the cat",
    "mathematics": r"$x^2$ \frac{<b>} $ _a_ the cat",
    "script in mathematics": r"$\href{javascript:alert(1)}{x}$ the",
    "markdown": "[a](javascript:alert(1)) `<b>` **the** cat",
    "very long": "<b>" * 3_000 + " the cat sat",
    "a long word": "x" * 10_000,
}
IN_SHORT = ("quotes", "right to left", "half a pair", "very long")
ELEMENTS = set("div bdi br table thead tbody tr th td img b style code p".split())
ATTRIBUTES = set("style class role aria-live aria-label tabindex alt width height src".split())
OWN_STYLES = (
    "overflow-wrap", "max-width", "border-left", "border-collapse", "text-align", "direction",
)  # fmt: skip


class Shown(HTMLParser):
    """What a browser makes of HTML: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.odd = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, attributes))
        self.text += "\n" * (tag == "br")

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.odd.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def only_text(html):
    """No element and no attribute but those that the package itself writes; the text in it."""
    shown = Shown(html)
    assert shown.odd == []
    for tag, attributes in shown.elements:
        assert tag in ELEMENTS, f"the text made an element: <{tag}>"
        for name, value in attributes:
            assert name in ATTRIBUTES, f"the text made an attribute: {name}"
            if name == "src":
                assert value.startswith("data:image/png;base64,")
            if name == "style":
                assert value.startswith(OWN_STYLES)
    return shown.text


# Every widget


def attention():
    def look(text):
        tokens = text.split()
        return tokens, torch.full((1, 1, len(tokens), len(tokens)), 1 / len(tokens))

    return AttentionExplorer(look, "the cat sat"), ["sentence"]


def answer():
    def ask(question, paragraph, longest, no_answer):
        words = paragraph.split()[:50]
        places = [(paragraph.find(word), paragraph.find(word) + len(word)) for word in words]
        scores = list(np.arange(len(words), dtype=float))
        best = Answer(paragraph[slice(*places[-1])], *places[-1], 1.0, 0.5)
        return Reading(best, [best], scores, scores, places, 0.0)

    return AnswerExplorer(ask, "The cat sat.", "Who sat?"), ["paragraph", "question"]


def cloze():
    tokenizer = WordPiece.train(["the cat sat on the mat .", "<b> & $ a dog"] * 3, 60)
    config = mb.BERTConfig(len(tokenizer), dim=12, layers=1, heads=2, hidden=16, max_length=64)
    model = mb.heads.MaskedLM(mb.BERT(config, tokenizer))
    return show.ClozePlayground(model, "the cat sat.", "cat"), ["text"]


def layers():
    class Toy:
        def encode(self, sentences):
            torch.manual_seed(0)
            found = torch.randn(2, len(sentences), max(map(len, sentences)), 8)
            return mb.models.outputs.ModelOutput(found[-1], tuple(found))

    made = LayerExplorer(Toy(), [["a", "bat"], ["<b>", "bat"]], ("a bat", "bat"), ("bat", "bat"))
    return made, ["text_a", "text_b"]


def generation():
    tokenizer = BPE.train(["the cat sat on <b> the & mat."] * 9, 280)
    config = mb.GPTConfig(len(tokenizer), dim=8, layers=1, heads=2, hidden=8, max_length=64)
    return show.GenerationExplorer(mb.GPT(config, tokenizer), "the cat", steps=3), ["prompt"]


def merges():
    return show.MergeExplorer(BPE.train(["the cat sat on <b> the mat."] * 9, 280), "the"), ["text"]


def vectors():
    words = ["the", "cat", "sat", "<b>", "&lt;", *(f"w{i}" for i in range(20))]
    matrix = np.random.default_rng(0).normal(size=(len(words), 6))
    return show.VectorExplorer([(1, matrix)], words, {"<i>": words[:3]}), ["search", "a", "b", "c"]


def plain():
    def draw(name):
        return show.Frame(text=name, table=[[name, "b"], [name, name]])

    return show.Interactive(draw, {"name": ipywidgets.Text("a")}), ["name"]


def small(kind):
    """A BERT or a GPT that can read and write a few words."""
    texts = ["the cat sat on <b> the & mat ."] * 9
    mb.seed_everything(0)
    sizes = {"dim": 8, "layers": 1, "heads": 2, "hidden": 8, "max_length": 64}
    if kind == "GPT":
        tokenizer = BPE.train(texts, 280)
        return mb.GPT(mb.GPTConfig(len(tokenizer), **sizes), tokenizer).eval()
    tokenizer = WordPiece.train(texts, 60)
    return mb.BERT(mb.BERTConfig(len(tokenizer), **sizes), tokenizer).eval()


def heads():
    return show.HeadsExplorer(small("BERT"), "the cat sat"), ["text"]


def neuron():
    return show.NeuronExplorer(small("GPT"), "the cat sat", 1, 0), ["text"]


def inside():
    return show.inside(small("GPT"), "the cat sat", other="the mat sat"), ["text", "other"]


def context():
    texts = [["the", "cat"], ["a", "cat", "sat"], ["<b>", "cat"]]
    return show.ContextMap(small("BERT"), texts, "cat", labels=["<b>", "&", "&lt;"]), []


def bench():
    return show.ProbeBench({"<b>": {"&lt;": [0.1, 0.2]}}, {"&lt;": {"<i>": 0.1}}), []


def trade_off():
    scores = {"score": [0.1, 0.2], "share": [0.1, 0.1], "seconds": [1, 2], "bytes": [1e6, 2e6]}
    stored = show.TradeOffs({"<b>": {"<i>": scores}}, {"<b>": {"&lt;": 0.1}})
    return show.TradeOffExplorer(stored), []


def mixer():
    class Task:
        labels = ("<b>", "&lt;")
        train = valid = [mb.world.example.Example(text="the cat", label="<b>")] * 3

    return show.TaskMixer(small("BERT"), {"<b>": Task, "&lt;": Task}, {"<b>": 2, "&lt;": 3}), []


def chat():
    talker = mb.heads.DoubleHeads(mb.heads.talking(small("GPT")), 2)
    said = ["the <b>"]
    return show.PersonaChat(talker, ["the cat"], said, steps=3, distractors=["<b>"]), ["persona"]


def reader():
    def ask(question, document, window, stride):
        end = min(3, len(document))
        best = Answer(document[:end], 0, end, 1.0, 0.5)
        part = Part(0, len(document), (0, end), 1.0, 0.0)
        return Reading(best, [best], [], [], [], 0.0, [part])

    return show.LongReader(ask, "The cat sat.", "Who sat?"), ["document", "question"]


WIDGETS = (
    attention, answer, cloze, layers, generation, merges, vectors, plain,
    heads, neuron, inside, context, bench, trade_off, mixer, chat, reader,
)  # fmt: skip


def test_every_widget_of_the_package_is_here():
    made = {type(make()[0]) for make in WIDGETS}
    known = {value for name in show.__all__ if isinstance(value := getattr(show, name), type)}
    assert made >= {kind for kind in known if issubclass(kind, show.Interactive)}


def check_widget(make, kinds):
    widget, boxes = make()
    only_text(widget._still[0]["text/html"])
    only_text(live_html(widget))
    for box in boxes:
        before = widget.controls[box].value
        for kind in kinds:
            widget.controls[box].value = TYPED[kind]
            only_text(live_html(widget))
            assert "Error" not in widget.message, widget.message
        widget.controls[box].value = before
    for control in widget.controls.values():  # ipywidgets would read these as HTML if told to
        assert not getattr(control, "description_allow_html", False)


def live_html(widget):
    """All that a live widget shows as HTML."""
    log = getattr(widget, "log", None)  # of a talk
    return widget._words.value + widget._picture.value + (log.value if log else "")


@pytest.mark.parametrize("make", WIDGETS)
def test_typed_text_makes_no_element(make):
    check_widget(make, IN_SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("make", WIDGETS)
def test_all_kinds_of_typed_text_make_no_element(make):
    check_widget(make, TYPED)


@pytest.mark.parametrize("kind", IN_SHORT)
def test_what_is_said_in_a_talk_makes_no_element(kind):
    widget, _ = chat()
    widget.box.value = TYPED[kind]
    assert "Error" not in widget.message and len(widget.history) == 4
    only_text(live_html(widget))


@pytest.mark.parametrize("kind", TYPED)
def test_all_of_it_is_shown(kind):
    widget, _ = plain()
    widget.set(name=TYPED[kind])
    typed = TYPED[kind].encode("utf-8", "replace").decode()
    assert only_text(widget._words.value).count(typed.replace("\x00", "\x00")) == 4


@pytest.mark.parametrize("kind", TYPED)
def test_messages_of_the_course(kind, monkeypatch, tmp_path):
    """What a learner's code raises, an exercise's name, and what stands in the progress file."""
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path))
    said, typed = [], TYPED[kind]
    for module in (present, overview, helping):
        monkeypatch.setattr(module, "show", lambda text, rich=None: said.append(rich))
    present.say("crashed", typed, checking.crash_sentence(ValueError(typed)))
    helping.hint(typed)
    checking.check(typed, typed)
    entry = {"status": typed, "best": 1, "of": 1, "tries": 1}
    monkeypatch.setattr(record, "read", lambda: dict.fromkeys(("01.nearest", "01.window"), entry))
    overview.progress("01")
    assert len(said) >= 4
    for rich in said:
        assert "text/markdown" not in rich
        only_text(rich["text/html"])
