"""Sentences whose slots are phrases: a group of templates can draw from other groups.

``tell(w, "goal", p=player)`` draws a template of the kind's group ``goal``. A slot of it that is
not given and draws from no class is written as a phrase of the group of its name (``{where}``, or
``{where2}`` for a second one), whose slots may be phrases again. A slot may be given as a function:
it is called once, and only if a template that was drawn has the slot, so that what it draws shows.
"""

from types import FunctionType, MethodType
from typing import Any

from minibert.world.template import Template
from minibert.world.words import Choice
from minibert.world.writer import Phrase, Writer

FUNCTIONS = (FunctionType, MethodType)


class Drawn:
    """A group of one template, which has been drawn."""

    __slots__ = ("choice",)

    def __init__(self, template: Template) -> None:
        self.choice = Choice([template])


def tell(w: Writer, name: str, **slots: Any) -> dict[str, Any]:
    """Say a sentence of the group; returns its slots."""
    drawn, filled = _draw(w, name, slots)
    return w.say(drawn, **filled)


def phrase(w: Writer, name: str, **slots: Any) -> Phrase:
    """A phrase of the group, to fill a slot."""
    return _phrase(w, name, slots)


def _phrase(w, name, slots):
    drawn, filled = _draw(w, name, slots)
    return w.phrase(drawn, **filled)


def _draw(w, name, slots):
    """A template of the group, as a group of its own, and what fills its slots.

    Functions among ``slots`` are replaced there by what they give, so that all phrases of a
    sentence share it; a phrase is drawn anew for each template that has it.
    """
    template = w.pick_template(w.group(name).choice)
    filled = {}
    for slot in template.slots:
        given = slots.get(slot.name)
        if isinstance(given, FUNCTIONS):
            slots[slot.name] = given()
        elif given is None and not slot.cls and slot.name not in filled:
            filled[slot.name] = _phrase(w, slot.name.rstrip("0123456789"), slots)
    given = {name: x for name, x in slots.items() if not isinstance(x, FUNCTIONS)}
    return _drawn(template), given | filled


def _drawn(template: Template) -> Drawn:
    if template not in _DRAWN:
        _DRAWN[template] = Drawn(template)
    return _DRAWN[template]


_DRAWN: dict[Template, Drawn] = {}  # template -> Drawn; templates live as long as their lexicon
