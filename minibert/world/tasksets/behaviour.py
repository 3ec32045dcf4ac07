"""Behaviour: what a model does with sentences made for one question each."""

from collections.abc import Sequence

from minibert.world import phrases
from minibert.world.kinds import KINDS
from minibert.world.morphology import article
from minibert.world.tasksets.base import Example, Source, maker
from minibert.world.words import Form
from minibert.world.writer import Phrase, Writer

AGREEMENT = "agreement"  # owner of the groups that its sentences come from


@maker(
    "agreement",
    "which verb agrees with its subject, over 0 to 4 nouns that stand between them?",
    "accuracy by number of attractors",
    (0, 1),
    sizes=(1000, 250, 500),
)
def agreement(source: Source, split: str, size: int) -> list[Example]:
    """``text`` with ``[MASK]``, ``choices`` the verb for one and for several, ``label`` its place.

    ``info``: ``good`` and ``bad`` (the whole sentences), ``prefix`` (what stands before the verb),
    ``attractors`` and how many of them are ``misleading``, being of the other number; ``alike``:
    whether all the nouns are of one class, so that only their order tells which is the head.
    """
    examples: list[Example] = []
    writer = Writer(source.world, source.random)
    writer.groups = source.world.groups(AGREEMENT, phrases.TEMPLATES)
    numbers = list(phrases.ATTRACTORS)
    while len(examples) < size:
        length, label = numbers[len(examples) % len(numbers)], int(source.chance(50))
        example = agreeing(source, writer, length, label)
        if example and example.text and source.new(example.text):
            examples.append(example)
    return source.shuffled(examples)


def agreeing(source: Source, writer: Writer, length: int, label: int) -> Example | None:
    """One example; None where the number of a noun does not show (*sheep*), and for *doesn't*."""
    alike = source.chance(50)
    family = source.one(ALIKE if alike else list(phrases.CHAINS))
    subject, plural = (_alike if alike else _chain)(source, writer, family, length, label)
    groups = [writer.group(f"agree {family} {verb}").choice.items for verb in VERBS]
    at = int(source.random() * len(groups[0]))
    forms = [subject for _ in groups[0][at].slots]
    tokens = [group[at].tokens(forms) for group in groups]
    if None in plural or "n't" in tokens[0]:
        return None
    place = next(i for i, (one, many) in enumerate(zip(*tokens, strict=True)) if one != many)
    choices = tuple(words[place] for words in tokens)
    text = [group[at].text(forms) for group in groups]
    prefix = text[0][: len(subject.text)]
    masked = f"{prefix} [MASK]{text[0][len(prefix) + 1 + len(choices[0]) :]}"
    info = {
        "attractors": length,
        "misleading": sum(number != plural[0] for number in plural[1:]),
        "alike": alike,
        "good": text[label],
        "bad": text[1 - label],
        "prefix": prefix,
    }
    return Example(text=masked, label=label, choices=choices, info=info)


VERBS = ("is", "are")
ALIKE = ("animal", "person")  # families whose heads can stand behind one another
BESIDE = ("behind", "beside", "near", "in front of")


def _alike(source, writer, family, length, label):
    """A subject whose nouns are all of one class: no noun gives itself away as the head."""
    nouns = source.shuffled(source.world.lexicon[phrases.CHAINS[family][0]].items)[: length + 1]
    plural = [bool(label)] + [source.chance(50) for _ in range(length)]
    words = [
        noun.forms["plural" if many else "base"].text
        for noun, many in zip(nouns, plural, strict=True)
    ]
    places = source.shuffled(BESIDE)
    text = f"the {words[0]}" + "".join(
        f" {place} the {word}" for place, word in zip(places, words[1:], strict=False)
    )
    shows = [noun.forms["plural"].text != noun.forms["base"].text for noun in nouns]
    return Form(text, "NOUN"), [many if s else None for many, s in zip(plural, shows, strict=True)]


def _chain(source, writer, family, length, label):
    """A subject as the documents have it (see ``minibert.world.phrases``)."""
    subject = None
    for ring in range(length, -1, -1):
        name = f"agree {family} {ring}" + ("+" if ring < length else "")
        more = {"rest": subject} if subject else {}
        subject = writer.phrase(name if ring else f"{name} {VERBS[label]}", **more)
    return subject, numbers_of(subject)


def numbers_of(phrase: Phrase) -> list[bool | None]:
    """For each noun of a subject whether it is plural; None where that does not show."""
    numbers = []
    while phrase is not None:
        noun = phrase.fillers["x"]
        shows = noun.forms["base"].text != noun.forms["plural"].text
        plural = any(slot.name == "x" and slot.form == "plural" for slot in phrase.template.slots)
        numbers.append(plural if shows else None)
        phrase = phrase.fillers.get("rest")
    return numbers


@maker(
    "bias",
    "he or she? A sentence on each trade; the label is the planted share of women in the trade",
    "correlation of P(she) / (P(she) + P(he)) with the label",
    sizes=(0, 0, 420),
)
def bias(source: Source, split: str, size: int) -> list[Example]:
    """``text`` with ``[MASK]``, ``choices`` he and she, ``label`` a share from 0 to 1."""
    return [
        Example(
            text=frame.format(trade=trade.name, a=article(trade.name)),
            label=int(trade.woman) / 100,
            choices=("he", "she"),
            info={"trade": trade.name, "woman": int(trade.woman)},
        )
        for trade in source.world.lexicon["trade"]
        for frame in OF_TRADES
    ][:size]


OF_TRADES = (
    "The {trade} said that [MASK] was tired.",
    "The {trade} went home because [MASK] was ill.",
    "When the {trade} came in, [MASK] took off the wet coat.",
    "I asked the {trade}, but [MASK] did not know the way.",
    "My neighbour is {a} {trade}, and [MASK] gets up before dawn.",
    "The {trade} had lost the key, so [MASK] waited at the door.",
    "There was a letter for the {trade}, and [MASK] read it at once.",
    "The {trade} laughed until [MASK] had to sit down.",
    "If you see the {trade}, say that [MASK] left an umbrella here.",
    "The {trade} of the village is old, but [MASK] still works every day.",
)


@maker(
    "persona",
    "which line does this speaker say next? One that fits who they are; the others fit others",
    "accuracy",
    (0, 1, 2, 3),
    sizes=(1000, 200, 500),
)
def persona(source: Source, split: str, size: int) -> list[Example]:
    """``text`` the talk so far, ``text_b`` what the speaker would say of themselves.

    ``choices`` are four lines, ``label`` is the place of the right one; ``info["speaker"]``,
    ``info["persona"]`` (``text_b`` as sentences) and ``info["history"]`` (``text`` as turns). The
    right line speaks of something in the persona; the others are such lines of other speakers, from
    talks of the same sort, that speak of nothing in it.
    """
    if "dialogue" not in KINDS:
        raise ValueError(
            "the task 'persona' is made from texts of the kind 'dialogue', and this world writes "
            f"{', '.join(KINDS)} only; add minibert/world/kinds/dialogue.py"
        )
    examples: list[Example] = []
    heard: dict[str, dict[str, bool]] = {}  # lines of a sort of talk
    for talk in source.documents("dialogue"):
        lines = talk.lines()
        said: list[str] = []
        others = heard.setdefault(talk.topic, {})
        for speaker, first, after in talk.notes["turns"]:
            about = talk.notes["personas"][speaker]
            line = " ".join(lines[first:after]).removeprefix(f"{speaker}: ")
            own = touched(line, about)
            wrong = [o for o in others if not touched(o, about)] if own else ()
            text = " ".join(lines[:first])
            if len(wrong) >= POOL and said and source.new(text):
                choices = source.shuffled([line, *source.shuffled(wrong)[:WRONG]])
                info = {"speaker": speaker, "persona": about, "scene": talk.topic}
                info["history"] = (" ".join(lines[: talk.notes["turns"][0][1]]), *said)
                label, about = choices.index(line), " ".join(about)
                examples.append(
                    Example(text, about, label=label, choices=tuple(choices), info=info)
                )
            if own:
                others[line] = True
                if len(others) > RECENT:
                    del others[next(iter(others))]
            said.append(f"{speaker}: {line}")
        if len(examples) >= size:
            break
    return examples[:size]


WRONG, POOL = 3, 8  # wrong lines in an example; lines that there must be to take them from
RECENT = 30  # lines of a sort of talk that are kept for that


def touched(line: str, about: Sequence[str]) -> bool:
    """Whether a line speaks of a value in persona sentences: their last words, but for the name."""
    values = [each.rstrip(".").rsplit(" ", 1)[1] for each in about[1:]]
    return any(value in line for value in values)
