"""Two sentences: does one follow from the other, do they say the same?"""

import tomllib
from functools import cache
from pathlib import Path

from minibert.world.tasksets.base import Example, Source, maker
from minibert.world.tasksets.entailment import FAMILIES, LABELS
from minibert.world.tasksets.wording import a, sentence, somebody, two
from minibert.world.writer import Slots

FRAMES = Path(__file__).with_name("paraphrases.toml")
SYNONYMS = (("big", "large"), ("small", "little"))
SKILLS = ("swim", "read", "sew", "ride", "dance", "play the violin", "bake bread", "sail a boat")
WAYS = ("home", "to the mill", "across the field", "to the station", "down the hill")
DEEDS = ("arrived", "left", "woke up", "went home", "sat down", "reached the inn")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "nine", "ten")


@maker(
    "nli",
    "does the second sentence follow from the first, contradict it, or neither?",
    "accuracy",
    LABELS,
    sizes=(3000, 600, 1500),
)
def nli(source: Source, split: str, size: int) -> list[Example]:
    """``text`` the premise, ``text_b`` the hypothesis; ``info["family"]`` names the inference.

    The hypothesis is drawn before the label, and the premise to fit both; a third each.
    """
    examples: list[Example] = []
    label = 0
    while len(examples) < size:
        family = source.one(FAMILIES)
        hypothesis, premises = family(source)
        premise = source.one(premises[label])
        if premise != hypothesis and source.new(premise, hypothesis):
            info = {"family": family.__name__}
            examples.append(
                Example(text=premise, text_b=hypothesis, label=LABELS[label], info=info)
            )
            label = (label + 1) % len(LABELS)
    return source.shuffled(examples)


@maker(
    "paraphrase",
    "do the two sentences say the same? The others differ in who did what, with the same words",
    "accuracy",
    ("different", "same"),
)
def paraphrase(source: Source, split: str, size: int) -> list[Example]:
    """``info["frame"]`` names the meaning; two ways of saying it are never the same way."""
    examples: list[Example] = []
    label = 0
    while len(examples) < size:
        name = source.one(list(frames()))
        sides, turned = frames()[name]
        slots = _slots(source)
        side = source.one((0, 1)) if len(sides) == 2 else 0
        other = side if label or turned else 1 - side
        way, way_b = two(source, range(len(sides[side])))
        text = _say(source, sides[side][way], slots)
        if turned and not label:
            slots = _turn(slots, *("XY" if "{X}" in sides[0][0] else "AB"))
        text_b = _say(source, sides[other][way_b], slots)
        if source.new(text, text_b):
            found = Example(
                text=text, text_b=text_b, label=("different", "same")[label], info={"frame": name}
            )
            examples.append(found)
            label = 1 - label
    return source.shuffled(examples)


@cache
def frames() -> dict[str, tuple[tuple[tuple[str, ...], ...], bool]]:
    """name -> (one or two tuples of format strings, whether "different" means turned round)."""
    read = tomllib.loads(FRAMES.read_text(encoding="utf-8"))
    found = {}
    for name, frame in read.items():
        sides = tuple(tuple(frame[k].strip().splitlines()) for k in ("same", "other") if k in frame)
        found[name] = sides, len(sides) == 1
    return found


def _slots(source: Source) -> Slots:
    """What fills the frames: people, things and places, drawn for one pair of sentences."""
    lexicon, first = source.world.lexicon, somebody(source)
    second = somebody(source, first)
    things = lexicon[source.one(("tool", "treasure", "clothing"))].items
    thing = source.one([x for x in things if x.name != "scissors"])
    x, xs = thing.forms["base"].text, thing.forms["plural"].text
    foods = two(source, [str(food) for food in source.world.fans])
    trades = [a(trade.name) for trade in two(source, lexicon["trade"].items)]
    towns = [str(town) for town in two(source, source.world.towns.items)]
    return {
        "A": first,
        "B": second,
        "X": foods[0],
        "Y": foods[1],
        "thing": x,
        "xs": xs,
        "size": source.one((None, *SYNONYMS)),
        "big": source.one(SYNONYMS),
        "skill": source.one(SKILLS),
        "way": source.one(WAYS),
        "past": source.one(DEEDS),
        "n": source.one(NUMBERS),
        "a_trade": trades[0],
        "a_trade2": trades[1],
        "town": towns[0],
        "town2": towns[1],
    }


def _turn(slots: Slots, one: str, other: str) -> Slots:
    """The slots the other way about: the two people, or the two things of a frame with {X}."""
    return {**slots, one: slots[other], other: slots[one]}


def _say(source: Source, form: str, slots: Slots) -> str:
    """One sentence; each may use either of two synonyms."""
    thing, size = slots["thing"], slots["size"]
    if size:
        thing = f"{source.one(size)} {thing}"
    filled = {**slots, "x": a(thing), "the_x": f"the {thing}", "big": source.one(slots["big"])}
    return sentence(form.format(**filled).replace(" ,", ","))
