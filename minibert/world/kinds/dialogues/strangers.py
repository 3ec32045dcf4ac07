"""Two strangers who get to know each other: a topic at a time, asked both ways."""

from minibert.world.kinds.dialogues.cast import Cast
from minibert.world.kinds.dialogues.talk import Talk, age
from minibert.world.people import Person
from minibert.world.words import Choice
from minibert.world.writer import Writer

# Planted strengths, in percent.
DAY = 35  # they speak of the weather first
GUESS, PLACE, RIVER, BORN = 25, 50, 40, 30
TRAVEL, LIKE, DID, DETAIL, TALE = 55, 35, 60, 40, 65
MORE_FAMILY, TRAIT, NEVER, REACT = 45, 40, 40, 30
LEAST, STOP = 2, 40  # topics at least; then the chance to part


def meeting(w: Writer, cast: Cast) -> None:
    """They sit in one train; who is asked first asks next."""
    a = w.pick(w.world.adults)
    b = w.pick(w.world.adults, cast.family[a.last])
    travel = w.chance(TRAVEL)
    talk = Talk(w, "meeting", a, b, opening="scene_travel" if travel else "scene_place")
    greeting = ".day" if w.chance(DAY) else ".start"
    talk.say(a, greeting)
    talk.say(b, greeting + "_back")
    talk.say(a, ".name")
    talk.say(b, ".name_back")
    known: list[str] = []
    asks = b
    topics = [topic for topic in TOPICS if travel or topic != "trip"]
    for topic in w.each(topics, LEAST, STOP):
        if known and known[-1] in TALKABLE and w.chance(REACT):
            talk.say(asks, ".react")
        TOPICS[topic](talk, cast, asks)
        known.append(topic)
        asks = talk.other(asks)
    part(talk, asks, known)
    talk.finish()


def home(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    if w.chance(GUESS):
        guess = w.pick(w.world.towns)
        talk.say(x, ".home.guess", guess=guess)
        talk.say(y, ".home.yes" if y.town is guess else ".home.no")
    else:
        talk.say(x, ".home.ask")
        talk.say(y, ".home.tell")
    w.fact(y, "lives in", y.town)
    tell_place(talk, y)
    if w.chance(BORN):
        talk.say(x, ".home.born_ask")
        talk.say(y, f".home.born_{'there' if y.born is y.town else 'elsewhere'}")
        w.fact(y, "born in", y.born)
    talk.say(y, ".and_you")
    talk.say(x, ".home.same" if x.town is y.town else ".home.tell")
    w.fact(x, "lives in", x.town)


def tell_place(talk: Talk, y: Person) -> None:
    if talk.w.chance(PLACE):
        river = y.town.river is not None and talk.w.chance(RIVER)
        talk.say(y, ".home.river" if river else ".home.land")


def trade(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    talk.say(x, ".trade.ask")
    talk.say(y, ".trade.tell")
    tell_work(talk, y)
    if w.chance(LIKE):
        manner = w.pick(MANNERS)
        talk.say(x, f".trade.{manner}_ask")
        talk.say(y, f".trade.{manner}")
    talk.say(y, ".and_you")
    talk.say(x, ".trade.same" if x.trade is y.trade else ".trade.tell")
    if x.trade is not y.trade:
        tell_work(talk, x)
    for person in (y, x):
        w.fact(person, "trade", person.trade)


def tell_work(talk: Talk, y: Person) -> None:
    line = talk.w.pick(LINES)
    if line:
        talk.say(y, f"trades.{y.trade if line == 'own' else 'any'}")


def family(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    talk.say(x, ".family.ask")
    tell_family(talk, y)
    if y.spouse is not None and w.chance(MORE_FAMILY):
        if y.children and w.chance(50):
            child = w.pick(y.children)
            talk.say(x, ".family.child_ask", child=child)
            talk.say(y, ".family.child_age", child=child, age=age(child))
        else:
            talk.say(y, ".family.spouse_trade")
    talk.say(y, ".and_you")
    tell_family(talk, x)


def tell_family(talk: Talk, y: Person) -> None:
    children = dict(zip(("c1", "c2", "c3"), y.children, strict=False))
    if y.spouse is not None:
        group = ("pair", "one", "two", "three")[len(y.children)]
        talk.say(y, f".family.{group}", **children)
        talk.w.fact(y, "spouse", y.spouse)
    elif y.siblings:
        talk.say(y, ".family.sibling", s=y.siblings[0])
    else:
        talk.say(y, ".family.single")
    for child in y.children:
        talk.w.fact(y, "child", child)


def pet(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    talk.say(x, ".pet.ask")
    tell_pet(talk, y)
    if y.pet is not None:
        tale = f".tale.{y.pet.animal}"  # none of an animal that a teacher has added
        if talk.scene + tale in w.groups and w.chance(TALE):
            talk.say(y, tale)
        if w.chance(TRAIT):
            talk.say(x, ".pet.trait", trait=cast.traits[y.pet.animal])
            talk.say(y, ".pet.trait_back")
    talk.say(y, ".and_you")
    tell_pet(talk, x)


def tell_pet(talk: Talk, y: Person) -> None:
    talk.slots.pop("wish", None)
    talk.say(y, ".pet.none" if y.pet is None else ".pet.tell")
    if y.pet is not None:
        talk.w.fact(y, "pet", y.pet)


def trip(talk: Talk, cast: Cast, x: Person) -> None:
    """Where the other is going, and why; the reason comes up again when they part."""
    y = talk.other(x)
    talk.say(x, ".trip.ask")
    talk.say(y, ".trip.tell")
    why = talk.w.pick(REASONS)
    talk.say(y, f".trip.{why}")
    talk.reason = why, y
    talk.say(y, ".and_you")
    talk.say(x, ".trip.home_bound")


def hobby(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    talk.say(x, ".hobby.ask")
    talk.say(y, ".hobby.tell")
    if w.chance(DID):
        talk.say(y, f".did.{y.hobby}")
    talk.say(y, ".and_you")
    if x.hobby is y.hobby:
        talk.say(x, ".hobby.same")
    else:
        if w.chance(NEVER):
            talk.say(x, ".hobby.never")
        talk.say(x, ".hobby.tell")
        if w.chance(DID):
            talk.say(x, f".did.{x.hobby}")
    for person in (y, x):
        w.fact(person, "hobby", person.hobby)


def food(talk: Talk, cast: Cast, x: Person) -> None:
    w, y = talk.w, talk.other(x)
    talk.say(x, ".food.ask")
    talk.say(y, ".food.tell")
    if w.chance(REACT):
        cooked = y.food.lexeme.cls in ("dish", "sweet") and w.chance(40)
        talk.say(x, ".food.made" if cooked else ".food.react")
    elif w.chance(DETAIL):
        talk.say(y, ".food.detail")
    talk.say(y, ".and_you")
    talk.say(x, ".food.same" if str(x.food) == str(y.food) else ".food.tell")
    if w.chance(DETAIL):
        talk.say(x, ".food.detail")
    for person in (y, x):
        w.fact(person, "food", person.food)


MANNERS = Choice(["like", "hard"])
TALKABLE = ("home", "trade", "hobby")  # what one may find nice
LINES = Choice(["own", "any", ""], [40, 30, 30])  # about one's work
REASONS = Choice(["kin", "thing", "event"])  # for a journey
TOPICS = {
    "trip": trip,
    "home": home,
    "trade": trade,
    "family": family,
    "pet": pet,
    "hobby": hobby,
    "food": food,
}


def part(talk: Talk, x: Person, known: list[str]) -> None:
    """They part; what they remember of each other comes up once more."""
    w, y = talk.w, talk.other(x)
    talk.say(x, ".end.go")
    talk.say(y, ".end.good")
    wishes: list[str] = [topic for topic in ("hobby", "food") if topic in known]
    wishes += ["town"] * ("home" in known and x.town is not y.town)
    wishes += ["pet"] * ("pet" in known and x.pet is not None)
    wishes += ["spouse"] * ("family" in known and x.spouse is not None)
    if talk.reason and talk.reason[1] is x:
        wishes.append(f"trip_{talk.reason[0]}")
    if wishes:
        talk.say(y, f".end.{w.pick(wishes)}")
    talk.say(x, "common.bye")
