"""The writer: every random choice of a document passes through it, with its log-probability.

The floor is exact because of one rule: **every choice shows in the text**. No two sequences of
choices give the same document, so the probability of a text is the product of the probabilities
of its choices. ``minibert.world.exact`` holds the kinds of text to that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from minibert.world.template import Slot, Template
from minibert.world.words import Choice, Filler, Form, Lexeme

if TYPE_CHECKING:
    from minibert.world.base import World
    from minibert.world.lexicon import Lexicon

Slots = dict[str, Any]  # what fills the slots of a template, by name


class Group:
    """Templates to choose among; written one a line, a weight in front if not 1: ``3| ...``."""

    def __init__(self, lexicon: Lexicon, text: str) -> None:
        templates, weights, errors = [], [], []
        for line in text.strip().splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            head, bar, rest = line.partition("|")
            weighted = bar and head.strip().isdigit()
            weights.append(int(head) if weighted else 1)
            try:
                templates.append(lexicon.template(rest.strip() if weighted else line))
            except ValueError as error:
                errors.append(str(error))
        if errors:
            raise ValueError("; ".join(errors))
        self.choice = Choice(templates, weights)


class Phrase:
    """A template filled inside a larger sentence; it is its own only form."""

    def __init__(self, template: Template, forms: list, fillers: Slots) -> None:
        self.template, self.filled, self.fillers = template, forms, fillers
        self.text = template.text(forms, capital=False)
        self.n = template.n + sum(form.n for form in forms)
        self.forms = {"base": self}
        self._gold: dict[str, tuple] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "an":
            return Form(self.text.split()[0], "DET").an
        if name not in ("tokens", "pos", "lemma", "heads", "relation", "sense", "entity"):
            raise AttributeError(name)
        if name == "tokens" and not self._gold:
            return tuple(self.template.tokens(self.filled, capital=False))
        if not self._gold:
            gold = self.template.gold(self.filled, capital=False)
            gold["heads"] = gold.pop("head")
            gold["relation"] = [
                "" if head < 0 else relation
                for head, relation in zip(gold["heads"], gold["relation"], strict=True)
            ]
            self._gold = {key: tuple(value) for key, value in gold.items()}
        return self._gold[name]


class Number(Filler):
    """A whole number: in digits (``base``), to twenty in words (``word``), 1st, 12th (``th``)."""

    WORDS = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty"
    ).split()

    def __init__(self, value: int, text: str | None = None) -> None:
        text = text or str(value)
        teen = value // 10 % 10 == 1
        ending = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
        forms = {"base": Form(text, "NUM"), "th": Form(f"{value}{ending}", "ADJ")}
        if 0 <= value < len(self.WORDS):
            forms["word"] = Form(self.WORDS[value], "NUM")
        super().__init__(text, forms)
        self.value = value


class Writer:
    """Writes one document: draws, says sentences, and adds up the log-probability."""

    def __init__(self, world: World, random: Callable[[], float]) -> None:
        """``random()`` gives uniform floats in [0, 1); nothing else is ever drawn from it."""
        self.world, self.random = world, random
        self.lexicon = world.lexicon
        self.log_prob, self.tokens = 0.0, 0
        self.topic = self.kind = ""
        self.sentences: list[tuple[Template, list, Slots]] = []
        self.facts: list[tuple[str, str, str]] = []
        self.groups: dict[str, Group] = {}  # the kind's own, by name
        self.notes: dict[str, Any] = {}  # what a kind leaves for tasks, such as a label

    # Choices. Each adds its log-probability; each must show in the text.

    def pick(self, choice: Choice | Sequence, without: Iterable = ()) -> Any:
        """One item of a Choice or of a list (uniform); ``without`` are items left out."""
        if not isinstance(choice, Choice):
            choice = Choice(choice)
        if without:
            places = sorted({choice.index[id(x)] for x in without if id(x) in choice.index})
            if places:
                return choice.items[self.choose_without(choice, places)]
        return choice.items[self.choose(choice)]

    def word(self, cls: str, without: Iterable = ()) -> Lexeme:
        """A lexeme of a class of the lexicon."""
        return self.pick(self.lexicon[cls], without)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of 100 cases."""
        return self.pick(_percent(percent))

    def number(self, low: int, high: int) -> Number:
        """A whole number from low to high, all equally likely, as something that fills a slot."""
        return self.pick(_numbers(low, high))

    def choose(self, choice: Choice) -> int:
        """The index of a draw from a Choice."""
        if len(choice.items) == 1:
            return 0
        i = choice.find(self.random())
        self.log_prob += choice.logs[i]
        return i

    def choose_without(self, choice: Choice, places: Sequence[int]) -> int:
        i, logp = choice.find_without(self.random(), places)
        self.log_prob += logp
        return i

    def each(self, items: Iterable, least: int = 1, stop: int = 25) -> Iterator[Any]:
        """Items in random order, none twice; after ``least`` it stops in ``stop`` % of cases."""
        left = list(items)
        while left:
            if least <= 0 and self.chance(stop):
                return
            least -= 1
            yield left.pop(self.choose(_even(len(left))))

    # Sentences.

    def say(self, templates: Group | str, **slots: Any) -> Slots:
        """Write a sentence from a Group or its name (one template is drawn); returns its slots."""
        template, forms, fillers = self._fill(templates, slots)
        self.sentences.append((template, forms, fillers))
        self.tokens += template.n + sum([form.n for form in forms]) + 1
        return fillers

    def phrase(self, templates: Group | str, but: Phrase | None = None, **slots: Any) -> Phrase:
        """A phrase from a Group, to fill a slot of a sentence or of another phrase.

        ``but`` is an earlier phrase whose template is left out.
        """
        return Phrase(*self._fill(templates, slots, but))

    def fact(self, subject: object, relation: str, value: object) -> None:
        """Note that the document states this fact."""
        self.facts.append((str(subject), relation, str(value)))

    def group(self, name: str) -> Group:
        """The kind's group of templates of this name."""
        try:
            return self.groups[name]
        except KeyError:
            close = get_close_matches(name, self.groups, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"the kind {self.kind!r} has no templates {name!r}{hint}") from None

    def _fill(self, templates, slots, but=None):
        if templates.__class__ is str:
            templates = self.group(templates)
        if but is None:
            template = self.pick_template(templates.choice)
        else:
            template = self.pick(templates.choice, [but.template])
        for slot in template.draws:
            if slot.name not in slots:
                slots[slot.name] = self.pick_slot(slot, slots)
        try:
            forms = [slot.form_of(slots[slot.name]) for slot in template.slots]
        except (KeyError, AttributeError) as error:
            raise ValueError(
                f"template {template.source!r} lacks something among {sorted(slots)}: {error}"
            ) from None
        return template, forms, slots

    def pick_template(self, choice: Choice) -> Template:
        return choice.items[self.choose(choice)]

    def pick_slot(self, slot: Slot, slots: Slots) -> Any:
        return self.pick(self.world.drawn[slot.cls], [slots[name] for name in slot.unlike])


@cache
def _percent(percent: int) -> Choice:
    return Choice([True, False], [percent, 100 - percent])


@cache
def _even(count: int) -> Choice:
    return Choice(range(count))


@cache
def _numbers(low: int, high: int) -> Choice:
    return Choice([number(value) for value in range(low, high + 1)])


@cache
def number(value: int) -> Number:
    """The Number of a whole number, always the same object."""
    return Number(value)


@cache
def thousands(value: int) -> Number:
    """The Number of a large whole number, written with commas (``17,000``)."""
    return Number(value, f"{value:,}")
