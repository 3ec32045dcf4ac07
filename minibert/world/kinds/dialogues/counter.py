"""Conversations with somebody whose work it is: in a shop, at a station, at a doctor's."""

from minibert.world.kinds.dialogues.cast import Cast
from minibert.world.kinds.dialogues.talk import Talk, spelled, unnamed
from minibert.world.people import Person
from minibert.world.places import Town
from minibert.world.words import Choice, Filler
from minibert.world.works import Work
from minibert.world.writer import Writer, number

# Planted strengths, in percent.
FRESH, GONE, SMALL_TALK, PRICE, WISH = 35, 35, 55, 45, 35
CHANGE, RETURN, WHY, RECAP, WARN = 45, 60, 55, 65, 40
LOOK, TASTE, BAN, FOOD, FORBIDDEN, TIP, GREET = 50, 40, 60, 50, 40, 60, 40
WORRY, SMALL, BARK = 60, 55, 50
AUTHOR, YEAR, LENT, RULE, ABOUT, KEEP, WHOM = 60, 55, 45, 50, 60, 50, 45
SHILLING = 12  # pence
FARE = 2  # shillings for an hour; one less for a return than for two singles


def shop(w: Writer, cast: Cast) -> None:
    """A customer buys two kinds of things; sum and change are right."""
    b = w.pick(cast.sellers)
    a = w.pick(cast.near[b] or w.world.adults, cast.family[b.last])
    talk = Talk(w, "shop", a, b)
    talk.say(a, ".hello")
    talk.say(b, ".serve")
    wares = cast.wares[b.trade.name]
    one = w.pick(wares)
    many = w.number(2, 6)
    if w.chance(PRICE):
        talk.say(a, ".price", item=one)
        talk.say(
            b, ".price_one" if one.price == "1" else ".price_back", price=spelled(int(one.price))
        )
    talk.say(a, ".first", item1=one, n1=many)
    if w.chance(FRESH):
        talk.say(a, ".fresh", item1=one)
        talk.say(b, ".fresh_back")
    talk.say(b, ".else")
    two = w.pick(wares, [one])
    more = w.number(2, 6)
    talk.say(a, ".second", item2=two, n2=more)
    if w.chance(GONE):
        three = w.pick(wares, [one, two])
        talk.say(a, ".gone", item3=three)
        talk.say(b, ".gone_back", item3=three)
    if more.value >= 4 and w.chance(WISH):
        talk.say(b, ".wish", item=two)
        talk.say(a, ".wish_back")
    if (a.pet or a.spouse) and w.chance(SMALL_TALK):
        ask_after(talk, b, a)
    settle(talk, a, b, many.value * int(one.price) + more.value * int(two.price))
    talk.say(a, ".bye")
    w.fact(b, "trade", b.trade)
    talk.finish()


def ask_after(talk: Talk, b: Person, a: Person) -> None:
    """Small talk about the customer's animal, husband or wife."""
    about = "spouse" if a.pet is None else "pet"
    talk.say(b, f".ask_{about}")
    talk.say(a, f".{about}")
    talk.w.fact(a, about, getattr(a, about))


def settle(talk: Talk, a: Person, b: Person, total: int) -> None:
    """The sum in pence; the customer pays in shillings and gets the rest back."""
    shillings = -(-total // SHILLING)
    rest = shillings * SHILLING - total
    talk.say(b, ".sum", total=spelled(total))
    talk.say(a, ".pay" if shillings > 1 else ".pay_one", paid=spelled(shillings))
    group = ".right" if rest == 0 else ".one_back" if rest == 1 else ".change"
    talk.say(b, group, rest=spelled(rest))


def station(w: Writer, cast: Cast) -> None:
    """A traveller asks for a train; platform and time come up once more."""
    a = w.pick(w.world.adults)
    start = w.pick(w.world.towns)
    to = w.pick(w.world.towns, [start])
    talk = Talk(w, "station", a, unnamed("Clerk"), **{"from": start})
    b = talk.b
    talk.slots["to"] = to
    talk.say(a, ".when")
    talk.slots["hour"] = w.number(6, 11)
    talk.say(b, ".leaves")
    talk.slots["track"] = w.number(1, 6)
    talk.say(b, ".track")
    hours = w.number(2, 6)
    if w.chance(CHANGE):
        talk.say(a, ".change")
        if w.chance(50):
            talk.say(b, ".change_yes", via=w.pick(w.world.towns, [start, to]))
        else:
            talk.say(b, ".change_no")
    talk.say(a, ".long")
    talk.say(b, ".hours", hours=hours)
    talk.say(a, ".ticket")
    talk.say(b, ".kind")
    back = w.chance(RETURN)
    talk.say(a, ".return" if back else ".single")
    if w.chance(WHY):
        tell_why(talk, a, b, to)
    fare = FARE * hours.value
    talk.say(b, ".price", price=spelled(2 * fare - 1 if back else fare))
    if w.chance(RECAP):
        talk.say(a, ".recap")
        talk.say(b, ".yes")
        if w.chance(WARN):
            talk.say(b, ".warn")
    else:
        talk.say(a, "common.thanks")
    talk.say(b, ".nice")
    talk.finish()


LOOKS = Choice([".see", ".press", ".breathe"])
WHYS = Choice(["landmark", "product"])
WHYS_FRIEND = Choice(["landmark", "product", "friend"])


def tell_why(talk: Talk, a: Person, b: Filler, to: Town) -> None:
    w = talk.w
    talk.say(b, ".why")
    friends = [p for p in to.adults if p.last != a.last]
    why = w.pick(WHYS_FRIEND if friends else WHYS)
    if why == "friend":
        friend = w.pick(friends)
        talk.say(a, ".friend", friend=friend)
        w.fact(friend, "lives in", to)
    else:
        talk.say(a, f".{why}")
        w.fact(to, why, getattr(to, why))


def doctor(w: Writer, cast: Cast) -> None:
    """A patient tells what hurts; the dose comes up once more."""
    a = w.pick(w.world.adults)
    talk = Talk(w, "doctor", a, unnamed("Doctor"))
    b = talk.b
    talk.say(b, ".ask")
    talk.say(a, ".hurts")
    talk.say(b, ".since")
    talk.say(a, ".day")
    talk.say(b, ".did")
    hobby = w.chance(BAN)
    talk.say(a, ".hobby" if hobby else ".trade")
    w.fact(a, "hobby" if hobby else "trade", a.hobby if hobby else a.trade)
    if w.chance(LOOK):
        look = w.pick(LOOKS)
        talk.say(b, look)
        talk.say(a, look + "_back")
    talk.slots["weeks"] = w.number(2, 5)
    talk.say(b, ".ban" if hobby else ".rest")
    talk.say(a, ".sad" if hobby else ".long")
    talk.say(b, ".firm")
    talk.slots |= {"spoons": w.number(2, 4), "times": w.number(2, 5)}
    talk.say(b, ".take")
    if w.chance(TASTE):
        talk.say(a, ".taste")
        talk.say(b, ".taste_back")
    if w.chance(FOOD):
        talk.say(a, ".food")
        talk.say(b, ".food_no" if w.chance(FORBIDDEN) else ".food_yes")
        w.fact(a, "food", a.food)
    talk.say(a, ".recap")
    talk.say(b, ".recap_yes")
    if w.chance(TIP):
        talk.say(b, ".tip")
    if a.spouse is not None and w.chance(GREET):
        talk.say(b, ".greet")
        w.fact(a, "spouse", a.spouse)
    talk.say(a, "common.thanks")
    talk.finish()


def vet(w: Writer, cast: Cast) -> None:
    """Somebody brings an animal that has eaten what it should not."""
    b = w.pick(cast.vets)
    a = w.pick(cast.owners, cast.family[b.last])
    talk = Talk(w, "vet", a, b)
    talk.say(b, ".ask")
    talk.say(a, ".sick")
    talk.say(b, ".since")
    talk.say(a, ".day")
    talk.say(b, ".ate")
    talk.say(a, ".thing")
    talk.say(b, ".aha")
    talk.slots["days"] = w.number(2, 5)
    talk.say(b, ".advice")
    if w.chance(WORRY):
        talk.say(a, ".worry")
        talk.say(b, ".calm")
    talk.say(a, ".recap")
    talk.say(b, ".recap_back")
    talk.say(b, ".no_more")
    if w.chance(SMALL):
        talk.say(b, ".small")
    talk.say(a, "common.thanks")
    if w.chance(BARK):
        talk.say(a, ".come")
    for fact in ((a, "pet", a.pet), (a.pet, "animal", a.pet.animal), (b, "trade", b.trade)):
        w.fact(*fact)
    talk.finish()


def library(w: Writer, cast: Cast) -> None:
    """A reader asks for a book, and takes it, or another if it is lent out."""
    b = w.pick(cast.librarians)
    a = w.pick(w.world.adults, cast.family[b.last])
    book = w.pick(w.world.books)
    talk = Talk(w, "library", a, b)
    talk.slots["book"] = book
    talk.say(a, "common.hello")
    talk.say(a, ".ask")
    if w.chance(AUTHOR):
        talk.say(b, ".author", genre=cast.genre(book))
        talk.say(a, ".author_yes")
        w.fact(book, "author", book.maker)
        if w.chance(YEAR):
            talk.say(a, ".year", year=number(book.year))
            w.fact(book, "year", book.year)
    lent = w.chance(LENT)
    talk.say(b, ".lent" if lent else ".have")
    if lent:
        offer_another(talk, cast, book)
    if w.chance(WHOM):
        talk.say(b, ".for")
        talk.say(a, ".for_back")
    keep = w.chance(KEEP)
    talk.say(a, ".keep" if keep else ".back")
    talk.say(b, ".keep_weeks" if keep else ".weeks", weeks=w.number(2, 6))
    if lent:
        talk.say(b, ".recap")
    if w.chance(RULE):
        talk.say(b, ".rule")
        talk.say(a, ".rule_back")
    else:
        talk.say(a, "common.thanks")
    talk.say(b, "common.bye")
    talk.finish()


def offer_another(talk: Talk, cast: Cast, book: Work) -> None:
    w, a, b = talk.w, talk.a, talk.b
    other = w.pick(w.world.books, [book])
    talk.say(a, ".pity")
    talk.say(b, ".instead", other=other)
    w.fact(other, "author", other.maker)
    if w.chance(ABOUT):
        talk.say(a, ".what")
        talk.say(b, ".kind", genre2=cast.genre(other), year2=number(other.year))
        w.fact(other, "year", other.year)
    talk.say(a, ".take")
