"""A talk with a model that has a persona of one's own, and how it ranks what it could say."""

from collections.abc import Sequence
from typing import Any

import ipywidgets

from minibert.data.dialogues import Exchange, Turn
from minibert.heads.causal import CausalLM, DoubleHeads
from minibert.heads.dialogue import Ranked, Script, rank_replies, reply
from minibert.heads.head import base_of
from minibert.heads.reading import listed
from minibert.models.gpt.model import GPT
from minibert.show.action import Acting
from minibert.show.figures import text_html, well_formed
from minibert.show.reply_figure import NOTHING, order_of, parts_of, talk_picture
from minibert.show.widget import Frame, text_box, words_html

STEPS = 30  # tokens of a reply at most
ORDER = "display: flex; flex-direction: column-reverse"  # so it is scrolled to its end
MOST = 12  # candidates that are ranked


class PersonaChat(Acting):
    """Talk with a model: its persona can be written, its replies drawn in other ways.

    model: a `minibert.heads.DoubleHeads` or `CausalLM` on a GPT made by `minibert.heads.talking`,
    or that GPT. persona: sentences about who replies. history: what was said before, as texts in
    turns, the last by the other (by you), or as (1 for the model or 2, text). Type something and
    press Enter: the model draws ``candidates`` replies from the nucleus (top-p), and says the one
    that its second head ranks first; a model without one, the one with the highest log-probability
    per token. distractors: texts that are ranked beside them, and never said.

    A changed persona or slider draws the last reply again; what was said before it stays.

    Raises ValueError for another model, and for an empty persona.
    """

    def __init__(
        self,
        model: DoubleHeads | CausalLM | GPT,
        persona: Sequence[str],
        history: Sequence[str | Turn] = (),
        *,
        top_p: float = 0.9,
        temperature: float = 1.0,
        candidates: int = 4,
        seed: int = 0,
        distractors: Sequence[str] = (),
        steps: int = STEPS,
        utterances: int = 5,
    ) -> None:
        self.head = CausalLM(model) if isinstance(model, GPT) else model
        Script(base_of(model), utterances)  # refuses a model that cannot talk
        self.distractors, self.steps, self.utterances = tuple(distractors), steps, utterances
        self.begun = tuple(turns_of(history))
        self.turns, self.last = list(self.begun), ""  # what was said before, and the reply to it
        self._refused = ""  # a text that is being put back into the box
        self._known: dict[Any, tuple[Ranked, int]] = {}
        slow: dict[str, Any] = {"continuous_update": False}
        limits = {"min": 0, "max": 2, "step": 0.1, "description": "temperature"}
        controls = {
            "persona": ipywidgets.Textarea(
                "\n".join(persona), layout={"width": "720px", "height": "140px"}, **slow
            ),
            "top_p": ipywidgets.FloatSlider(
                top_p, min=0.05, max=1, step=0.05, description="top-p", **slow
            ),
            "temperature": ipywidgets.FloatSlider(temperature, **limits, **slow),
            "candidates": ipywidgets.IntSlider(
                candidates, min=1, max=MOST, description="candidates", **slow
            ),
            "seed": ipywidgets.BoundedIntText(
                seed, min=0, max=10**6, description="seed", layout={"width": "140px"}
            ),
        }
        self.box = text_box("", 640)
        self.box.placeholder = self.box.tooltip = "say something, then press Enter"
        self.box.observe(self._typed, names="value")
        buttons = self.button("say it", self.send), self.button("take back", self.back)
        self.log, last = ipywidgets.HTML(), self.button("start again", self.again)
        rows = [
            ["its persona, one sentence a line:"],
            ["persona"],
            ["top_p", "temperature"],
            ["candidates", "seed"],
            [self.log],
            ["you: ", self.box],
            [*buttons, last],
        ]
        super().__init__(self._frame, controls, rows)

    @property
    def history(self) -> list[Turn]:
        """All that was said, the last reply included: (1 for the model or 2, text) each."""
        return [*self.turns, (1, self.last)]

    def say_to_it(self, text: str) -> None:
        """Say something, as if it had been typed; the model replies."""
        self.act(lambda: self._said(text))

    def _typed(self, change):
        """Enter was pressed: the box is emptied at once, so that the next one can be typed."""
        text = change["new"].strip()
        if text and text != self._refused:
            self.box.value = ""
            self.say_to_it(text)

    def send(self) -> None:
        """Say what stands in the box; nothing, if that was said already."""
        if text := self.box.value.strip():
            self._quietly("")
            self._said(text)

    def _quietly(self, text):
        """Put a text into the box that is not to be said."""
        self._refused = text or None
        self.box.value, self._refused = text, ""

    def _said(self, text):
        text = well_formed(text)
        if not text.strip():
            raise ValueError("There is nothing to reply to: say something.")
        before = self.turns
        self.turns = [*self.history, (2, text.strip())]
        self.log.value = log_html([*self.turns, (1, "...")])
        try:
            self._reply(**self.values)
        except BaseException:
            self.turns = before
            self.log.value = log_html(self.history)
            self._quietly(text)  # nothing that was typed is lost
            raise

    def back(self) -> None:
        """Take back what was said last, and the reply to it."""
        if len(self.turns) <= len(self.begun):
            raise ValueError("There is nothing to take back: this is how the talk began.")
        self.turns = self.turns[:-2]

    def again(self) -> None:
        """Forget all but how the talk began."""
        self.turns = list(self.begun)

    def _reply(self, persona, top_p, temperature, candidates, seed):
        """(`Ranked` of the drawn replies and the distractors, how many were drawn)."""
        lines = tuple(line.strip() for line in persona.splitlines() if line.strip())
        if not lines:
            raise ValueError("The persona is empty: write a sentence about who replies.")
        key = lines, tuple(self.turns), top_p, temperature, candidates, seed
        if key not in self._known:
            draws, how = 1 if temperature == 0 else candidates, {"temperature": temperature}
            how["top_p"] = top_p if top_p < 1 else None
            found = [
                reply(self.head, lines, self.turns, self.steps, utterances=self.utterances,
                      seed=seed * MOST + number, **how)
                for number in range(draws)
            ]  # fmt: skip
            drawn = list(dict.fromkeys(text.strip() for text in found))
            drawn = [text for text in drawn if text] or drawn
            self._known[key] = self._ranked(lines, drawn), len(drawn)
        return lines, *self._known[key]

    def _ranked(self, lines, drawn):
        others = [text for text in self.distractors if text not in drawn]
        replies = (*drawn, *others)
        exchange = Exchange(lines, tuple(self.turns), replies[-1], replies[:-1])
        return rank_replies(self.head, [exchange], utterances=self.utterances)[0]

    def _frame(self, **values):
        lines, ranked, drawn = self._reply(**values)
        order = order_of(ranked)
        said = next(place for place in order if place < drawn)
        self.last = ranked.replies[said]
        sizes = {"steps": self.steps, "utterances": self.utterances}
        parts = parts_of(self.head, lines, self.turns, **sizes)
        figure = talk_picture(parts, ranked, said, drawn)
        self.notes = list[str]()
        if parts[1]:
            self.notes.append(f"The model no longer reads the first {parts[1]} tokens of the talk.")
        if order[0] != said:
            self.notes.append("It ranks a sentence higher that it did not write itself.")
        text = "\n".join([*map(told_turn, self.history), *self.notes])
        return Frame(figure, f"{figure.alt} {text}", text, self._table(ranked, said, drawn))

    def _show(self, frame):
        """The talk has a place of its own, above the box."""
        super()._show(frame)
        self.log.value = log_html(self.history)
        self._words.value = words_html("\n".join(self.notes), frame.table)

    def _table(self, ranked, said, drawn):
        two = ranked.choice is not None
        head = ["rank", "candidate", *["second head"] * two, "log p per token", "tokens"]
        table = [head]
        for rank, place in enumerate(order_of(ranked), 1):
            mark = " (said)" if place == said else "" if place < drawn else " (given)"
            choice = [f"{float(ranked.choice[place]):.2f}"] if two else []
            numbers = f"{float(ranked.words[place]):.2f}", f"{int(ranked.tokens[place])}"
            table.append([rank, (ranked.replies[place] or NOTHING) + mark, *choice, *numbers])
        return table


def turns_of(history: Sequence[str | Turn]) -> list[Turn]:
    """Texts as turns, the last by the other; what is a turn stays as it is."""
    found = list[Turn]()
    for back, turn in enumerate(reversed(listed(history))):
        found.insert(0, (1 if back % 2 else 2, turn) if isinstance(turn, str) else turn)
    return found


def told_turn(turn: Turn) -> str:
    """Who said what, in words."""
    return f"{'It' if turn[0] == 1 else 'You'}: {turn[1] or NOTHING}"


def log_html(turns: Sequence[Turn]) -> str:
    """The talk as it is shown live: of a long one the end is in sight, the rest can be scrolled."""
    lines = "".join(f"<div>{text_html(told_turn(turn))}</div>" for turn in turns)
    style = "max-width: 720px; max-height: 11em; overflow: auto; line-height: 1.5"
    about = 'role="log" aria-label="the talk" tabindex="0"'
    return f'<div {about} style="{style}; {ORDER}"><div class="mb-turns">{lines}</div></div>'
