"""Turns: sentences with their speaker's name in front, and what a conversation remembers.

Templates stand in the TOML files beside this module, one file a scene, as they are said: with a
capital and a full stop. In them ``{me}`` speaks and ``{you}`` listens. A slot that has been drawn
keeps its filler, so that ``{day:weekday}`` is drawn once and taken up by every later ``{day}``;
only slots whose names begin with x are drawn anew each time.
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from minibert.world.people import NOW, Person
from minibert.world.words import Filler, Form, Lexeme
from minibert.world.writer import Slots, Writer, number

FOLDER = Path(__file__).parent
LABEL = "[parataxis {me.first} :] "


def load() -> dict[str, str]:
    """The templates of all scenes: ``scene.group`` goes on a turn, ``scene.group:`` begins one."""
    templates = {}
    for path in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, text in _flat(path.stem, data):
            templates[name] = text
            if ".scene" not in name:
                templates[name + ":"] = "\n".join(_labelled(line) for line in text.splitlines())
    return templates


def _flat(name: str, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(f"{name}.{key}", value)
        else:
            yield f"{name}.{key}", value


def _labelled(line: str) -> str:
    head, bar, rest = line.strip().partition("|")
    if not line.strip():
        return ""
    return f"{head}| {LABEL}{rest}" if bar and head.isdigit() else LABEL + line.strip()


def unnamed(name: str) -> Filler:
    """A speaker known by a trade alone, such as a clerk."""
    form = Form(name, "NOUN", name.lower())
    return Filler(name, {"base": form, "first": form})


class Talk:
    """A conversation of ``a`` and ``b`` while it is written."""

    def __init__(
        self, w: Writer, scene: str, a: Filler, b: Filler, *, opening: str = "scene", **slots: Any
    ) -> None:
        self.w, self.scene, self.a, self.b = w, scene, a, b
        self.turns: list[
            tuple[Filler, int, int]
        ] = []  # speaker, first sentence, one after the last
        self.slots: Slots = {}
        self.reason: tuple[str, Filler] | None = None  # why, and who, of a journey
        self.remember(w.say(f"{scene}.{opening}", a=a, b=b, **slots))

    def say(self, me: Filler, group: str, **slots: Any) -> None:
        """A sentence of one speaker; ``group`` is one of the scene, or has its scene's name."""
        you = self.b if me is self.a else self.a
        group = group if group[0] != "." else self.scene + group
        goes_on = bool(self.turns) and self.turns[-1][0] is me
        at = len(self.w.sentences)
        said = self.w.say(
            group if goes_on else group + ":", **(self.slots | slots | {"me": me, "you": you})
        )
        self.remember({name: filler for name, filler in said.items() if name not in slots})
        start = self.turns.pop()[1] if goes_on else at
        self.turns.append((me, start, at + 1))

    def remember(self, slots: Slots) -> None:
        self.slots |= {name: filler for name, filler in slots.items() if name[0] != "x"}

    def other(self, me: Filler) -> Any:
        return self.b if me is self.a else self.a

    def finish(self) -> None:
        """Leave the turns and the personas on the document."""
        self.w.topic = f"dialogue.{self.scene}"
        speakers = [speaker.forms["first"].text for speaker in (self.a, self.b)]
        self.w.notes = {
            "turns": tuple((me.forms["first"].text, start, end) for me, start, end in self.turns),
            "personas": {
                name: persona(person)
                for name, person in zip(speakers, (self.a, self.b), strict=True)
            },
        }


def persona(person: Filler) -> tuple[str, ...]:
    """What somebody would say about themselves, a sentence each; () for one without a name."""
    if "mr" not in person.forms:
        return ()
    lines = [f"My name is {person}.", f"I live in {person.town}."]
    if person.trade is not None:
        lines.append(f"I am {person.trade.forms['base'].an} {person.trade}.")
    else:
        lines.append(f"I am {person.age} years old.")
    if person.spouse is not None:
        lines.append(f"My {person.spouse.forms['husband'].text} is called {first(person.spouse)}.")
    for child in person.children:
        lines.append(f"My {child.forms['son'].text} is called {first(child)}.")
    if person.pet is not None:
        animal = person.pet.animal
        lines.append(f"I have {animal.forms['base'].an} {animal} called {person.pet}.")
    return (*lines, f"I like {person.hobby}.", f"I love {person.food}.")


def first(person: Person) -> str:
    """Somebody's first name, as text."""
    return person.forms["first"].text


def age(person: Person) -> Filler:
    """Somebody's age as a Filler, in words to twelve."""
    return spelled(NOW - person.birth)


@cache
def spelled(value: int) -> Filler:
    """A whole number as people write it: in words to twenty, else in digits."""
    forms = number(value).forms
    return Filler(str(value), {"base": forms.get("word", forms["base"])})


def letter(filler: Filler) -> Filler:
    """The first letter of something's name, as a Filler."""
    first = str(filler)[0].upper()
    return Filler(first, {"base": Form(first, "NOUN", first.lower())})


def things(lexeme: Lexeme) -> Filler:
    """The plural of a noun as a Filler."""
    return Filler(lexeme.name, {"base": lexeme.forms["plural"]})
