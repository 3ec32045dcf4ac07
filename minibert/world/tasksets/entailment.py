"""Premises for a hypothesis: what entails it, what contradicts it, what leaves it open.

Each family draws a hypothesis first and then writes premises of all three kinds for it, so a
hypothesis alone tells nothing about its label. Everybody in them is invented (a first name with
another family's name), so the facts of the world tell nothing either.
"""

from collections.abc import Sequence

from minibert.world.tasksets.base import Source
from minibert.world.tasksets.wording import Somebody, a, sentence, somebody, two
from minibert.world.words import Lexeme

LABELS = ("entailment", "neutral", "contradiction")
Premises = tuple[str, tuple[Sequence[str], ...]]  # a hypothesis; premises for it, by label


# Events with a kind of thing: what holds of herons holds of birds, unless it is denied.

CREATURES = (("saw", "see"), ("drew", "draw"), ("watched", "watch"), ("photographed", "photograph"))
GOODS = (("bought", "buy"), ("sold", "sell"), ("carried home", "carry home"))
PLANTS = (("planted", "plant"), ("watered", "water"), ("painted", "paint"))
THINGS = {  # general word: class of the lexicon, verbs, other general words that share no member
    "bird": ("bird", CREATURES, ("fish", "insect")),
    "fish": ("fish", CREATURES, ("bird", "insect")),
    "insect": ("insect", CREATURES, ("bird", "fish")),
    "fruit": ("fruit", GOODS, ("vegetables", "flowers")),
    "vegetables": ("vegetable", GOODS, ("fruit", "flowers")),
    "flowers": ("flower", PLANTS + GOODS, ()),
    "trees": ("tree", PLANTS, ("flowers",)),
}
SINGLE = ("bird", "fish", "insect")
PLACES = ("near the mill", "in the village", "behind the church", "by the river", "on the hill")
TIMES = ("on Monday", "last week", "in the morning", "before lunch", "on market day")


def event(source: Source) -> Premises:
    """*Ada Pell did not see a bird* entails *Ada Pell did not see a heron*."""
    general = source.one(list(THINGS))
    cls, verbs, others = THINGS[general]
    says = _Event(source, general, source.one(verbs))
    special, sister = two(source, source.world.lexicon[cls].items)
    subject, positive = source.one((general, special)), source.chance(50)
    opens = [says(sister, False)]
    for other in others:  # of another class, with the same verb
        if says.verb in THINGS[other][1]:
            opens.append(says(source.one(source.world.lexicon[THINGS[other][0]].items), True))
    if subject is special:
        opens += [says(general, True), says(sister, True)]
    shown = [
        says(word, True) for word in ((special,) if subject is special else (special, general))
    ]
    hidden = [
        says(word, False) for word in ((general,) if subject is general else (special, general))
    ]
    entails, denies = (shown, hidden) if positive else (hidden, shown)
    return says(subject, positive, premise=False), (entails, opens, denies)


class _Event:
    """Says that somebody did, or did not do, something to things of a kind."""

    def __init__(self, source: Source, general: str, verb: tuple[str, str]) -> None:
        self.source, self.who, self.verb = source, somebody(source).full, verb
        self.single = general in SINGLE
        self.trade = source.one(source.world.lexicon["trade"].items).name

    def __call__(self, thing: Lexeme | str, positive: bool, premise: bool = True) -> str:
        """``thing`` is a lexeme or a general word; only premises have modifiers to drop."""
        source, who, (past, base) = self.source, self.who, self.verb
        if self.single:
            what = a(str(thing))
        elif isinstance(thing, Lexeme):
            what = thing.forms["plural"].text
        else:
            what = thing if positive else f"any {thing}"
        if premise and source.chance(40):
            who += f", {a(self.trade)},"
        said = f"{who} {past} {what}" if positive else f"{who} did not {base} {what}"
        if premise and positive:
            said += f" {source.one(PLACES)}" if source.chance(60) else ""
            said += f" {source.one(TIMES)}" if source.chance(40) else ""
        return sentence(said)


# States: opposites, reports that can be trusted and reports that cannot.

STATES = {  # things: pairs of opposites that exclude each other
    "gate door window shutter": (("open", "closed"),),
    "bucket basket barrel bottle": (("full", "empty"), ("heavy", "light")),
    "coat floor bench rope": (("wet", "dry"), ("clean", "dirty")),
    "kitchen soup oven kettle": (("hot", "cold"),),
    "baker driver postman doctor": (("awake", "asleep"), ("ill", "well"), ("happy", "sad")),
    "train bus ferry": (("full", "empty"), ("clean", "dirty")),
}
SURE = ("{} noticed that {}", "{} remembered that {}", "{} was sorry that {}", "{} knew that {}")
UNSURE = ("{} thought that {}", "{} hoped that {}", "{} asked whether {}", "{} doubted that {}")


def state(source: Source) -> Premises:
    """*Ada Pell noticed that the gate was closed* contradicts *The gate was open*."""
    kinds = source.one(list(STATES))
    (thing, other), opposites = two(source, kinds.split()), source.one(STATES[kinds])
    adjective, opposite = two(source, opposites)
    who, denied = somebody(source).full, source.chance(40)

    def says(word: str, about: str = thing) -> str:
        clause = f"the {about} was {word}"
        if source.chance(50):
            return sentence(source.one(SURE).format(who, clause))
        more = (" all day", " that night", f", and {who} knew it", " when the rain began")
        return sentence(f"the {about} was {word}{source.one(more)}")

    entails = [says(adjective), says(f"still {adjective}"), says(f"already {adjective}")]
    denies = [says(opposite), says(f"still {opposite}"), says(f"not {adjective}")]
    if adjective in ("open", "closed", "awake", "asleep"):
        entails[2], denies[1] = says(f"not {opposite}"), says(opposite)
    opens = [says(adjective, other), says(opposite, other), says(f"not {adjective}", other)]
    for word in (adjective, opposite):
        opens.append(sentence(source.one(UNSURE).format(who, f"the {thing} was {word}")))
    if denied:
        return sentence(f"the {thing} was not {adjective}"), (
            [says(opposite), says(f"not {adjective}"), says(f"still {opposite}")],
            opens,
            [says(adjective), says(f"still {adjective}")],
        )
    return sentence(f"the {thing} was {adjective}"), (entails, opens, denies)


# Facts about people: restated, wrong, or simply not said.

RESTATED = {
    "lives": ("{p} lives in {v}", "{p}'s house is in {v}", "the home of {p} is in {v}"),
    "born": ("{p} was born in {v}", "{v} is the birthplace of {p}", "{p} comes from {v}"),
    "trade": ("{p} is {a_v}", "{p} works as {a_v}", "{p} has worked as {a_v} for years"),
    "partner": (
        "{p} is married to {a_v}",
        "{a_v} is married to {p}",
        "the person whom {p} married is {a_v}",
    ),
    "food": (
        "{p} likes {v} best",
        "{p}'s favourite food is {v}",
        "{p} likes nothing better than {v}",
    ),
    "sells": ("{p} sells {v} at the market", "on market days {p} sells {v}"),
    "children": ("{p} has {v} children", "{p} is the parent of {v} children"),
    "brothers": ("{p} has {v} brothers", "{p} is the sibling of {v} boys"),
}
ALIKE = (("lives", "born"), ("trade", "partner"), ("food", "sells"), ("children", "brothers"))
COUNTS = ("two", "three", "four", "five", "six")


def fact(source: Source) -> Premises:
    """*Ada Pell's house is in Alder* entails *Ada Pell lives in Alder*."""
    who, pair = somebody(source).full, source.one(ALIKE)
    relation, decoy = two(source, pair)
    rest = [name for other in ALIKE if other is not pair for name in other]
    world = source.world
    values = {
        "lives": [str(town) for town in world.towns],
        "trade": [trade.name for trade in world.lexicon["trade"]],
        "food": [str(food) for food in world.fans],
        "children": list(COUNTS),
    }
    values = {name: values[two[0]] for two in ALIKE for name in two}

    def says(name: str, value: str, but: str | None = None) -> str:
        forms = [form for form in RESTATED[name] if form != but]
        return sentence(source.one(forms).format(p=who, v=value, a_v=a(value)))

    value, wrong = two(source, values[relation])
    more, form = source.one(rest), source.one(RESTATED[relation])
    extra = says(more, source.one(values[more]))

    def premise(first: str) -> str:
        return f"{first} {extra}" if source.chance(50) else f"{extra} {first}"

    entails = [premise(says(relation, value, form))]
    denies = [premise(says(relation, wrong)), f"{says(relation, wrong)} {says(decoy, value)}"]
    opens = [premise(says(decoy, value)), premise(says(decoy, wrong))]
    return sentence(form.format(p=who, v=value, a_v=a(value))), (entails, opens, denies)


# Two people compared, or one before the other.

GRADES = (("taller", "shorter"), ("older", "younger"), ("richer", "poorer"), ("faster", "slower"))
DEEDS = ("arrived", "left", "woke up", "sat down", "went home", "spoke")


def comparison(source: Source) -> Premises:
    """*Ada is taller than Ben* contradicts *Ben is taller than Ada*."""
    x = somebody(source)
    y = somebody(source, x)
    z = somebody(source, x, y)
    (more, less), (other, _) = two(source, GRADES)
    if source.chance(50):
        more, less = less, more

    def says(first: Somebody, word: str, second: Somebody) -> str:
        if source.chance(30):
            return sentence(f"{first.first} is {word} than {second.first}, as everybody can see")
        return sentence(f"{first.first} is {word} than {second.first}")

    hypothesis = sentence(f"{x.first} is {more} than {y.first}")
    chain = f"{says(x, more, z)} {says(z, more, y)}"
    back = f"{says(y, more, z)} {says(z, more, x)}"
    fork = f"{says(x, more, z)} {says(y, more, z)}"
    return hypothesis, (
        [says(y, less, x), chain],
        [says(x, other, y), says(y, other, x), fork],
        [says(x, less, y), says(y, more, x), back],
    )


def order(source: Source) -> Premises:
    """*Ben arrived after Ada* entails *Ada arrived before Ben*."""
    x = somebody(source)
    y = somebody(source, x)
    z = somebody(source, x, y)
    did, other = two(source, DEEDS)

    def says(first: Somebody, when: str, second: Somebody, deed: str = did) -> str:
        if source.chance(30):
            return sentence(f"{first.first} {deed} a little {when} {second.first}")
        return sentence(f"{first.first} {deed} {when} {second.first}")

    before, after = two(source, ("before", "after"))
    return sentence(f"{x.first} {did} {before} {y.first}"), (
        [says(y, after, x), f"{says(x, before, z)} {says(z, before, y)}"],
        [says(x, before, y, other), says(y, after, x, other), says(x, before, z)],
        [says(y, before, x), says(x, after, y), f"{says(y, before, z)} {says(z, before, x)}"],
    )


# All, some, none.

STATE_OF_MANY = (("asleep", "awake"), ("wet", "dry"), ("thin", "fat"), ("clean", "dirty"))


def quantity(source: Source) -> Premises:
    """*Three of the hens were wet* entails *Some of the hens were wet*, and not *all*."""
    herd = [x.forms["plural"].text for x in source.world.lexicon["farm_animal"].items]
    (many, strange), (word, opposite) = two(source, herd), two(source, source.one(STATE_OF_MANY))
    count, more = (
        source.one(("two", "three", "four")),
        source.one(("", " that evening", " at noon")),
    )

    def says(who: str, what: str = word, about: str = many) -> str:
        return sentence(f"{who} the {about} were {what}{more}")

    everything = says("all"), says("none of", opposite)
    some = says(f"{count} of"), says("most of")
    nothing = says("none of"), says("all", opposite)
    rest = says(f"{count} of", opposite), says("most of", opposite)
    outside = says("all", about=strange), says("none of", about=strange)
    hypothesis, sides = source.one(
        (
            ("all", (everything[1:], some + outside, nothing + rest)),
            ("some of", (everything + some, rest + outside, nothing)),
            ("none of", (nothing[1:], rest + outside, everything + some)),
        )
    )
    return sentence(f"{hypothesis} the {many} were {word}{more}"), sides


# What somebody managed, failed or only wanted to do.

TRIES = (
    ("opened the old box", "open the old box", "opening the old box"),
    ("caught the goose", "catch the goose", "catching the goose"),
    ("found the key", "find the key", "finding the key"),
    ("crossed the river", "cross the river", "crossing the river"),
    ("sold the house", "sell the house", "selling the house"),
    ("won the race", "win the race", "winning the race"),
    ("mended the clock", "mend the clock", "mending the clock"),
    ("learned the song", "learn the song", "learning the song"),
    ("paid the bill", "pay the bill", "paying the bill"),
    ("lit the lamp", "light the lamp", "lighting the lamp"),
    ("wrote the letter", "write the letter", "writing the letter"),
    ("fed the pigs", "feed the pigs", "feeding the pigs"),
)
DONE = (
    "{p} managed to {base}",
    "{p} remembered to {base}",
    "{p} succeeded in {ing}",
    "in the end {p} {past}",
)
UNDONE = (
    "{p} failed to {base}",
    "{p} forgot to {base}",
    "{p} never {past}",
    "{p} refused to {base}",
)
WANTED = (
    "{p} wanted to {base}",
    "{p} planned to {base}",
    "{p} promised to {base}",
    "{p} was told to {base}",
    "{p} talked about {ing}",
)


def attempt(source: Source) -> Premises:
    """*Ada Pell failed to catch the goose* contradicts *Ada Pell caught the goose*."""
    who = somebody(source).full
    (past, base, ing), denied = source.one(TRIES), source.chance(50)
    more = source.one(("", " on Monday", " before lunch", " this time"))

    def says(forms: tuple[str, ...]) -> str:
        return sentence(source.one(forms).format(p=who, past=past, base=base, ing=ing) + more)

    done, undone = [says(DONE)], [says(UNDONE)]
    hypothesis = f"{who} did not {base}{more}" if denied else f"{who} {past}{more}"
    sides = (undone, [says(WANTED)], done) if denied else (done, [says(WANTED)], undone)
    return sentence(hypothesis), sides


FAMILIES = (event, state, fact, comparison, order, quantity, attempt)
