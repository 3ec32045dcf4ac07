"""Entries on trades, tools, instruments and food."""

from minibert.world.kinds import read_templates
from minibert.world.kinds.encyclopedia.tags import openings, without_told
from minibert.world.places import things
from minibert.world.trades import does
from minibert.world.words import Choice
from minibert.world.writer import Writer

TEMPLATES = read_templates(__file__)

_FOOD = Choice(("dish", "sweet"))
_OPENINGS = {cls: openings(TEMPLATES, cls) for cls in ("tool", "instrument", "dish", "sweet")}


def trade(w: Writer) -> None:
    """An entry on a trade."""
    x = w.word("trade")
    w.topic = "trades"
    first = does(w, x)
    w.say("trade", x=x, does=first)
    place = "trade place on" if x.works in ("farm", "hill") else "trade place"
    facts = {"place": w.lexicon.find(x.works, form="plural")}
    names = ["trade more", place, "trade virtue", "trade pay", "trade tale"]
    names += ["trade person"] if x in w.world.by_trade else []
    for name in w.each(names, least=3):
        if name == "trade more":
            w.say(name, x=x, does=does(w, x, but=first))
        elif name == "trade tale":  # a woman as often as the lexicon plants it
            w.say(name, s=w.pick(w.world.strangers_of[x]))
        elif name == "trade person":
            p = w.pick(w.world.by_trade[x])
            w.say(name, x=x, p=p)
            w.fact(p, "trade", x)
        else:
            w.say(name, x=x, **facts)


def tool(w: Writer) -> None:
    """An entry on a tool."""
    x = w.word("tool_of_trade")
    w.topic = "things"
    facts = {"x": x, "user": w.lexicon.word("trade", x.user), "stuff": w.lexicon.noun(x.of)}
    first = w.pick(_OPENINGS["tool"])
    w.say(first, **facts)
    names = ["tool user", "tool stuff", "tool price", "tool care"]
    for name in w.each(without_told(names, first), least=3):
        w.say(name, **facts)


def instrument(w: Writer) -> None:
    """An entry on a musical instrument."""
    x = w.word("instrument")
    w.topic = "things"
    facts = {"x": x, "stuff": w.lexicon.noun(x.of)}
    first = w.pick(_OPENINGS["instrument"])
    w.say(first, **facts)
    names = [f"instrument {name}" for name in ("use", "sound", "player", "stuff", "years")]
    for name in w.each(without_told(names, first), least=3):
        if name == "instrument player":
            w.say(name, p=w.pick(w.world.by_trade[w.lexicon.word("trade", "musician")]), **facts)
        else:
            w.say(name, **facts)


def food(w: Writer) -> None:
    """An entry on something to eat."""
    cls = w.pick(_FOOD)
    x = w.word(cls)
    w.topic = "food"
    facts = {"x": x, "xs": things(x), "of": w.lexicon.noun(x.of)}
    facts["meal"] = w.lexicon.word("meal", x.meal)
    first = w.pick(_OPENINGS[cls])
    w.say(first, **facts)
    names = without_told([f"{cls} of", f"{cls} meal"], first) + ["food shop", "food price"]
    names += ["food fan"] if str(facts["xs"]) in w.world.fans else []
    for name in w.each(names, least=3):
        if name == "food fan":
            p = w.pick(w.world.fans[str(facts["xs"])])
            w.say(name, p=p, **facts)
            w.fact(p, "food", p.food)
        else:
            w.say(name, **facts)
