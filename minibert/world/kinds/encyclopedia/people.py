"""Entries on people: who they are, what they do, whom and what they love."""

from minibert.world.kinds import read_templates
from minibert.world.trades import does
from minibert.world.writer import Writer, number

TEMPLATES = read_templates(__file__)


def person(w: Writer) -> None:
    """An entry on a grown person."""
    p = w.pick(w.world.adults)
    w.topic = "people"
    dated = w.chance(25)
    facts = {"birth": number(p.birth), "born": p.born, "country": p.town.country}
    w.say("person born" if dated else "person", p=p, trade=p.trade, town=p.town, **facts)
    w.fact(p, "trade", p.trade)
    w.fact(p, "lives in", p.town)
    if not dated and w.chance(60):
        _birth(w, p)
    for aspect in w.each(_aspects(w, p), least=5, stop=20):
        aspect(w, p)
    if w.chance(50):
        w.say("remark", p=p, town=p.town)


def child(w: Writer) -> None:
    """An entry on a child."""
    p = w.pick(w.world.children)
    w.topic = "people"
    w.say("child", p=p, town=p.town, age=number(p.age))
    w.fact(p, "lives in", p.town)
    if w.chance(60):
        _birth(w, p)
    for aspect in w.each(_aspects(w, p), least=3, stop=20):
        aspect(w, p)


def _aspects(w, p):
    """What there is to say about somebody, as functions of the writer and the person."""
    return [
        aspect
        for aspect, there in (
            (_work, p.trade),
            (_mayor, p.town.mayor is p),
            (_family, p.spouse and p.children),
            (_spouse, p.spouse and not p.children),
            (_parents, p.parents),
            (_sibling, p.siblings),
            (_pet, p.pet),
            (_food, True),
            (_hobby, True),
            (_team, p.team),
            (_coach, p.coached),
            (_made, p.works),
            (_star, p.roles),
        )
        if there
    ]


def _birth(w, p):
    where = "birth at home" if p.born is p.town else "birth"
    places = {"born": p.born, "size": p.born.size, "country": p.born.country}
    w.say(where, p=p, birth=number(p.birth), **places)
    w.fact(p, "birth year", p.birth)
    w.fact(p, "born in", p.born)


def _work(w, p):
    w.say("work", p=p, trade=p.trade, does=does(w, p.trade))
    w.fact(p, "trade", p.trade)


def _mayor(w, p):
    w.say("person mayor", p=p, town=p.town)
    w.fact(p.town, "mayor", p)


def _spouse(w, p):
    w.say("spouse", p=p, s=p.spouse, trade=p.spouse.trade)
    w.fact(p, "spouse", p.spouse)


def _family(w, p):
    """Wife or husband and children, in one sentence or in two."""
    w.fact(p, "spouse", p.spouse)
    if w.chance(40):
        many = "couple with one" if len(p.children) == 1 else "couple with more"
        w.say(many, p=p, s=p.spouse, a=p.children[0], n=number(len(p.children)))
        return
    w.say("spouse", p=p, s=p.spouse, trade=p.spouse.trade)
    names = dict(zip("abc", p.children, strict=False))
    w.say(("one child", "two children", "three children")[len(names) - 1], p=p, **names)
    for other in p.children:
        w.fact(p, "child", other)


def _parents(w, p):
    a, b = p.parents
    w.say("parents", p=p, a=a, b=b, trade=a.trade)
    w.fact(a, "child", p)


def _sibling(w, p):
    w.say("sibling", p=p, a=p.siblings[0])


def _pet(w, p):
    w.say("pet", p=p, pet=p.pet, animal=p.pet.animal, town=p.town)
    w.fact(p, "pet", p.pet)


def _food(w, p):
    w.say("food", p=p, food=p.food)
    w.fact(p, "food", p.food)


def _hobby(w, p):
    w.say("hobby", p=p, hobby=p.hobby)
    w.fact(p, "hobby", p.hobby)


def _team(w, p):
    w.say("plays for", p=p, team=p.team, home=p.team.town)
    w.fact(p, "team", p.team)


def _coach(w, p):
    w.say("coaches", p=p, team=p.coached, home=p.coached.town)
    w.fact(p.coached, "coach", p)


def _made(w, p):
    work = w.pick(p.works)
    made = "made film" if work.star else "made book"
    w.say(made, p=p, work=work, kind=work.kind, about=work.about, year=number(work.year))
    w.fact(work, "director" if work.star else "author", p)


def _star(w, p):
    work = w.pick(p.roles)
    w.say("star", p=p, work=work, kind=work.kind, maker=work.maker, year=number(work.year))
    w.fact(work, "star", p)
