"""A parent asks about the world, a child answers, right or wrong; every correction is true."""

from collections.abc import Callable

from minibert.world.kinds.dialogues.cast import Cast
from minibert.world.kinds.dialogues.talk import Talk, letter, spelled
from minibert.world.people import Person
from minibert.world.words import Choice, Filler, Lexeme
from minibert.world.writer import Slots, Writer

# Planted strengths, in percent.
KNOWS, WRONG, HINT = 60, 60, 60
LEAST, STOP = 2, 40  # questions at least; then the chance to stop
ENDS = ("food", "bed")

Mistake = Callable[[], tuple[Filler, Filler]]  # draws a wrong answer and what it would fit
Question = tuple[Slots, Filler, Mistake | None]  # slots, the right answer, the draw of a mistake


def homework(w: Writer, cast: Cast) -> None:
    """Questions and answers, then a score; at the end food, an animal or bed."""
    b = w.pick(cast.pupils)
    a = w.pick(b.parents)
    talk = Talk(w, "home", a, b)
    talk.say(a, ".begin")
    talk.say(b, ".begin_back")
    total = score = 0
    for topic in w.each(QUESTIONS, LEAST, STOP):
        total += 1
        score += ask(talk, topic, QUESTIONS[topic](w, cast))
    group = "all" if score == total else ("none", "one", "some")[min(score, 2)]
    talk.say(a, f".end.{group}", score=spelled(score), total=spelled(total))
    close(talk, a, b)
    talk.finish()


def ask(talk: Talk, topic: str, question: Question) -> bool:
    """One question until the answer is found; True if the first answer was right."""
    slots, answer, mistake = question
    w, a, b = talk.w, talk.a, talk.b
    reply = REPLIES.get(topic, ".answer.name")
    talk.say(a, f".ask.{topic}", **slots)
    if w.chance(KNOWS):
        talk.say(b, reply, ans=answer)
        talk.say(a, ".right")
        return True
    if mistake is not None and w.chance(WRONG):
        wrong, of = mistake()
        talk.say(b, reply, ans=wrong)
        talk.say(a, f".wrong.{topic}", wrong=wrong, of=of)
        talk.say(a, ".try")
    else:
        talk.say(b, ".unknown")
        if topic in SUMS or not w.chance(HINT):
            talk.say(a, reply.replace("answer", "tell"), ans=answer)
            return False
        talk.say(a, ".letter", first=letter(answer))
    talk.say(b, reply, ans=answer)
    talk.say(a, ".right")
    return False


def close(talk: Talk, a: Person, b: Person) -> None:
    pet = a.pet or b.pet or (a.spouse and a.spouse.pet)
    end = talk.w.pick([*ENDS, "pet"] if pet else ENDS)
    if end == "food":
        talk.say(b, ".end.food")
        talk.say(a, ".end.food_back")
        talk.w.fact(b, "food", b.food)
    else:
        talk.say(a, f".end.{end}", pet=pet)
        talk.say(b, f".end.{end}_back", pet=pet)


# The questions. Each gives its slots, the right answer, and a draw of a mistake.


def capital(w: Writer, cast: Cast) -> Question:
    q = w.pick(w.world.countries)
    w.fact(q, "capital", q.capital)

    def mistake():
        other = w.pick(w.world.countries, [q])
        w.fact(other, "capital", other.capital)
        return other.capital, other

    return {"q": q}, q.capital, mistake


def river(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.river_towns)
    w.fact(q, "river", q.river)

    def mistake():
        other = w.pick(w.world.rivers, [q.river])
        town = other.towns.items[0]
        w.fact(town, "river", other)
        return other, town

    return {"q": q}, q.river, mistake


def _maker(w: Writer, works: Choice, relation: str) -> Question:
    q = w.pick(works)
    w.fact(q, relation, q.maker)

    def mistake():
        other = w.pick(works, [work for work in works if work.maker is q.maker])
        w.fact(other, relation, other.maker)
        return other.maker, other

    return {"q": q}, q.maker, mistake


def author(w: Writer, cast: Cast) -> Question:
    return _maker(w, w.world.books, "author")


def director(w: Writer, cast: Cast) -> Question:
    return _maker(w, w.world.films, "director")


def young(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.parents)

    def mistake():
        other = w.pick(cast.parents, [q])
        return cast.young[other], other

    return {"q": q}, cast.young[q], mistake


def form(lexeme: Lexeme, name: str) -> Filler:
    """One form of a word as a Filler."""
    return Filler(lexeme.forms[name].text, {"base": lexeme.forms[name]})


def plural(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.irregular)
    return {"q": q}, form(q, "plural"), None


def past(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.verbs)
    return {"q": q}, form(q, "past"), None


def top(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.compared)
    return {"q": q}, form(q, "superlative"), None


def opposite(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.opposites)

    def mistake():
        other = w.pick(cast.opposites, [q])
        return cast.opposite[other], other

    return {"q": q}, cast.opposite[q], mistake


def eats(w: Writer, cast: Cast) -> Question:
    q = w.pick(cast.eaters)

    def mistake():
        other = w.pick(cast.eaters, [x for x in cast.eaters if x.eats == q.eats])
        return cast.eaten[other], other

    return {"q": q}, cast.eaten[q], mistake


def country(w: Writer, cast: Cast) -> Question:
    q = w.pick(w.world.towns)
    w.fact(q, "country", q.country)

    def mistake():
        other = w.pick(w.world.countries, [q.country])
        w.fact(other.capital, "country", other)
        return other, other.capital

    return {"q": q}, q.country, mistake


def product(w: Writer, cast: Cast) -> Question:
    q = w.pick(w.world.towns)
    w.fact(q, "product", q.product)
    return {"q": q}, q.product, None


def times(w: Writer, cast: Cast) -> Question:
    q, r = w.number(2, 12), w.number(2, 9)
    return {"q": q, "r": r}, spelled(q.value * r.value), None


def minus(w: Writer, cast: Cast) -> Question:
    q, r = w.number(11, 20), w.number(2, 9)
    return {"q": q, "r": r}, spelled(q.value - r.value), None


QUESTIONS = {
    "capital": capital,
    "river": river,
    "country": country,
    "product": product,
    "author": author,
    "director": director,
    "young": young,
    "eats": eats,
    "plural": plural,
    "past": past,
    "top": top,
    "opposite": opposite,
    "sum": times,
    "minus": minus,
}
SUMS = ("sum", "minus")
REPLIES = {topic: f".answer.{topic}" for topic in ("river", "young", "plural", "past", "country")}
