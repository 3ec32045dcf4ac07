"""People who know each other: two neighbours, and two friends with a plan."""

from minibert.world.kinds.dialogues.cast import ROAMERS, Cast
from minibert.world.kinds.dialogues.talk import Talk, age, things
from minibert.world.people import Person
from minibert.world.words import Choice
from minibert.world.writer import Writer

# Planted strengths, in percent.
WEATHER, MERCY, ASK_FOOD, BRING_SPOUSE, WHO, LOOK = 50, 50, 70, 60, 50, 60
SEEN, KIND, STAR, BUSY, FOOD = 50, 60, 60, 55, 50
LEAST, STOP = 1, 50  # matters between neighbours: at least; then the chance to part


def neighbours(w: Writer, cast: Cast) -> None:
    """Two neighbours speak of an animal, a child, a supper, a tool; what was agreed comes again."""
    a = w.pick(cast.friends)
    b = w.pick(cast.near[a])
    talk = Talk(w, "neighbours", a, b)
    talk.say(a, "common.hello")
    talk.say(b, "common.hello_back")
    if w.chance(WEATHER):
        talk.say(b, ".weather.say")
        talk.say(a, ".weather.back")
    else:
        talk.say(b, "common.how")
        talk.say(a, "common.fine")
    matters = ["supper", "borrow", "lost"]
    matters += ["news"] * any(p.last != b.last for p in cast.near[a])
    matters += ["trouble"] * (b.pet is not None and b.pet.animal.name in ROAMERS)
    matters += ["child"] * bool(b.children)
    done = []
    for matter in w.each(matters, LEAST, STOP):
        MATTERS[matter](talk, cast, a, b)
        done.append(matter)
    if "supper" in done:
        talk.say(a, ".supper.until")
    elif "borrow" in done:
        talk.say(a, ".borrow.end")
    talk.say(b, "common.bye")
    talk.finish()


def trouble(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    talk.say(a, ".trouble.say", o=b)
    talk.say(b, ".trouble.oh", o=b)
    talk.say(a, ".trouble.did", o=b)
    talk.say(b, ".trouble.sorry")
    talk.say(b, ".trouble.amends")
    if talk.w.chance(MERCY):
        talk.say(a, ".trouble.mercy", o=b)
    talk.w.fact(b, "pet", b.pet)


def child(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    someone = talk.w.pick(b.children)
    talk.say(a, ".child.ask", child=someone)
    grown = someone.trade is not None
    talk.say(b, f".child.{'grown' if grown else 'young'}", child=someone, age=age(someone))
    talk.say(a, ".child.back", child=someone)
    talk.w.fact(b, "child", someone)


def supper(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    w = talk.w
    talk.say(a, ".supper.ask")
    talk.say(b, ".supper.yes")
    if w.chance(ASK_FOOD):
        talk.say(b, ".supper.what")
        talk.say(a, ".supper.food")
        talk.say(b, ".supper.know")
        w.fact(b, "food", b.food)
    talk.say(b, ".supper.when")
    talk.slots["hour"] = w.number(5, 8)
    talk.say(a, ".supper.time")
    if b.spouse is not None and w.chance(BRING_SPOUSE):
        talk.say(a, ".supper.spouse")
        w.fact(b, "spouse", b.spouse)
    talk.say(b, "common.thanks")


def borrow(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    tool = talk.slots["tool"] = talk.w.pick(cast.tools)
    talk.say(a, ".borrow.ask")
    talk.say(b, ".borrow.why")
    talk.say(a, f".borrow.{tool}")
    talk.say(b, ".borrow.until")
    talk.say(a, ".borrow.back")
    talk.say(b, ".borrow.take")


def news(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    w = talk.w
    p = w.pick(cast.near[a], cast.family[b.last])
    talk.say(a, ".news.ask", p=p)
    talk.say(b, ".news.what", p=p)
    talk.say(a, ".news.tell", p=p)
    if w.chance(WHO):
        talk.say(b, ".news.who", p=p)
        talk.say(a, ".news.gossip", p=p)
    talk.say(b, ".news.back", p=p)


def lost(talk: Talk, cast: Cast, a: Person, b: Person) -> None:
    talk.say(a, ".lost.say")
    talk.say(b, ".lost.when")
    talk.say(a, ".lost.last")
    if talk.w.chance(LOOK):
        idea = talk.w.pick(IDEAS)
        talk.say(b, f".lost.{idea}")
        talk.say(a, f".lost.{idea}_back")
    part = cast.worn.get(talk.slots["lost"].name)
    talk.say(b, ".lost.inside" if part is None else ".lost.on", part=part)
    talk.say(a, ".lost.found")


IDEAS = Choice(["look", "ask", "thief"])  # where a lost thing may be
MATTERS = {
    "trouble": trouble,
    "child": child,
    "supper": supper,
    "borrow": borrow,
    "news": news,
    "lost": lost,
}


def plans(w: Writer, cast: Cast) -> None:
    """Two friends choose a film, a day, an hour and a place, and say them once more."""
    a = w.pick(cast.friends)
    b = w.pick(cast.near[a])
    film = w.pick(w.world.films)
    talk = Talk(w, "plans", a, b, film=film)
    start = ".seen" if w.chance(SEEN) else ".show"
    talk.say(a, start)
    talk.say(b, start + "_back")
    if w.chance(KIND):
        talk.say(b, ".kind")
        talk.say(a, ".kind_back")
        w.fact(film, "director", film.maker)
        w.fact(film, "kind", film.kind)
    star = w.chance(STAR)
    if star:
        talk.say(b, ".star")
        talk.say(a, ".star_back")
        w.fact(film, "star", film.star)
    talk.say(b, ".keen_star" if star else ".keen")
    agree_on_time(talk, a, b)
    talk.say(b, ".where")
    talk.say(a, ".place")
    if w.chance(FOOD):
        talk.say(b, ".bring", food=things(w.pick(cast.snacks)))
        talk.say(a, ".bring_back")
    talk.say(a, ".recap")
    talk.say(b, ".recap_back")
    talk.finish()


def agree_on_time(talk: Talk, a: Person, b: Person) -> None:
    talk.say(a, ".day")
    if talk.w.chance(BUSY):
        talk.say(b, ".busy")
        talk.say(a, ".other")
    else:
        talk.slots["day"] = talk.slots["no"]
    talk.say(b, ".agree")
    talk.slots["hour"] = talk.w.number(5, 9)
    talk.say(a, ".hour")
    talk.say(b, ".hour_back")
