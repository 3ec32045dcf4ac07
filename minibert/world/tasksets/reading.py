"""Reading: questions on a passage, the end of a story, facts about the world to be filled in."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from minibert.world.base import World
from minibert.world.document import Document
from minibert.world.kinds.story import stage_of
from minibert.world.plots import Plot, Say
from minibert.world.tasksets.base import Example, Source, maker
from minibert.world.writer import Slots

QUESTIONS = Path(__file__).with_name("questions.toml")
KINDS = ("encyclopedia", "review", "story")  # whose documents note the facts that they state
ANSWERED = 2  # questions with an answer to each without, in every relation
OF_ANIMALS = ("eats", "young")
PEOPLE = ("spouse", "mayor", "coach", "director", "author", "star")  # who may go by a first name
DEED = re.compile(r"\[nsubj \{([hf])\.(first|full)\}\] (.*)")  # a sentence about one person alone
Fact = tuple[str, str, str]  # subject, relation, value
Asked = tuple[str, str, tuple[int, int] | None]  # relation, question, span of the answer
NAMED = re.compile(r'\{([hf]\.(first|full)|f|t|u|intro|d)[.}]|"')  # what a question may not name


@maker(
    "qa",
    "where in the passage is the answer to the question? It is always there, and once",
    "exact match and f1",
    sizes=(2000, 400, 800),
)
def qa(source: Source, split: str, size: int) -> list[Example]:
    """``text`` the passage, ``text_b`` the question, ``span`` the characters of the answer."""
    return answered(source, size, unanswerable=False)


@maker(
    "qa_no_answer",
    "where in the passage is the answer, if it is there? Of ten questions, three have none",
    "exact match and f1",
    ("answer", "no answer"),
    sizes=(2000, 400, 800),
)
def qa_no_answer(source: Source, split: str, size: int) -> list[Example]:
    """Like ``qa``, but ``span`` is None where the passage does not tell."""
    return answered(source, size, unanswerable=True)


def answered(source: Source, size: int, unanswerable: bool) -> list[Example]:
    """Examples, some a passage; ``info["relation"]`` is that of a fact, or "who" in stories.

    Questions without an answer are as frequent in one relation as in another, so that a question
    alone does not tell whether it has one.
    """
    examples: list[Example] = []
    owed: Counter[str] = Counter()
    deeds: dict[str, dict[str, str]] = {}
    for document in source.documents(KINDS):
        passage = document.text
        asked = told(source, document, passage)
        if unanswerable and document.kind == "story":
            asked += undone(source, document, deeds)
        elif unanswerable:
            asked += untold(source, document, passage)
        for relation, question, span in asked:
            if span is None and owed[relation] < ANSWERED or not source.new(passage, question):
                continue
            owed[relation] += 1 if span else -ANSWERED
            label = None if not unanswerable else "answer" if span else "no answer"
            info = {"relation": relation, "kind": document.kind}
            examples.append(
                Example(text=passage, text_b=question, label=label, span=span, info=info)
            )
            if len(examples) == size:
                return examples
    return examples


@cache
def forms() -> dict[str, dict[str, list[str]]]:
    """relation -> {"ask": questions, "cloze": sentences with a gap} (see questions.toml)."""
    read = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    return {relation: found for about in read.values() for relation, found in about.items()}


def gapped_facts(world: World) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """(sentence with ``[MASK]``, the hidden word, the fact) of all facts that can be told so."""
    for fact in world.facts:
        subject, relation, value = fact
        word, _, last = value.partition(" ")
        for form in forms().get(relation, {}).get("cloze", ()):
            if not last or "{last}" in form:
                yield form.format(s=subject, last=last), word, fact


def question(source: Source, relation: str, subject: str) -> str:
    return source.one(forms()[relation]["ask"]).format(s=subject)


def told(source: Source, document: Document, passage: str) -> list[Asked]:
    """What the passage tells once: facts, and who did what."""
    found: list[Asked] = []
    for subject, relation, value in dict.fromkeys(document.facts):
        if relation in forms() and subject[0].isupper() == (relation not in OF_ANIMALS):
            span = only_place(passage, value)
            if span is None and relation in PEOPLE:
                span = only_place(passage, value.split()[0])
            plain = document.kind != "story" or f"{subject} of {value}" in passage
            if span and plain:
                found.append((relation, question(source, relation, subject), span))
    for start, name, asked, _ in who_did(document):
        found.append(("who", asked, (start, start + len(name))))
    return found


def only_place(passage: str, words: str) -> tuple[int, int] | None:
    """First and last character of the words where they stand once in the passage, else None."""
    places = list(re.finditer(rf"(?<![\w-]){re.escape(words)}(?![\w-])", passage))
    return places[0].span() if len(places) == 1 else None


def untold(source: Source, document: Document, passage: str) -> list[Asked]:
    """(relation, question, None) of facts about the same people and places, told nowhere here.

    First those for which the passage offers another value that would fit.
    """
    near: list[Asked] = []
    far: list[Asked] = []
    stated = set(document.facts)
    known, values = knowledge(source.world)
    for subject in dict.fromkeys(subject for subject, _, _ in document.facts):
        for fact in known.get(subject, ()):
            relation, value = fact[1:]
            parts = value.split()[: 1 if relation == "spouse" else None]
            if fact in stated or relation not in forms() or any(p in passage for p in parts):
                continue
            fits = any(other in passage for other in values[relation])
            (near if fits else far).append((relation, question(source, relation, subject), None))
    return source.shuffled(near) + source.shuffled(far)


@cache
def knowledge(world: World) -> tuple[dict[str, list[Fact]], dict[str, dict[str, bool]]]:
    """subject -> facts about it; relation -> its values, in a fixed order."""
    known: dict[str, list[Fact]] = {}
    values: dict[str, dict[str, bool]] = {}
    for fact in world.facts:
        known.setdefault(fact[0], []).append(fact)
        values.setdefault(fact[1], {})[fact[2]] = True
    return known, values


def who_did(document: Document) -> Iterator[tuple[int, str, str, str]]:
    """(start, name, question, template) of each sentence that tells what one person did."""
    start = 0
    for sentence in document.sentences if document.kind == "story" else ():
        match = DEED.match(sentence.template)
        if match and not NAMED.search(match[3]):
            name = sentence.slots[match[1]].forms[match[2]].text
            yield start, name, f"Who{sentence.text[len(name) : -1]}?", sentence.template
        start += len(sentence.text) + 1


def undone(source: Source, document: Document, deeds: dict[str, dict[str, str]]) -> list[Asked]:
    """("who", question, None) of deeds in other tellings of a plot, of steps not taken in this one.

    ``deeds`` collects them: plot -> {question: step}.
    """
    steps = steps_of(source.world, document.topic)
    taken = {steps[sentence.template] for sentence in document.sentences}
    known = deeds.setdefault(document.topic, {})
    new = [asked for asked, step in known.items() if step not in taken]
    known.update((asked, steps[template]) for _, _, asked, template in who_did(document))
    return [("who", asked, None) for asked in source.shuffled(new)[:3]]


@cache
def steps_of(world: World, plot: str) -> dict[str, str]:
    """template -> the step of the plot (the name of its group) that it tells."""
    groups = plot_of(world, plot).groups
    return {template.source: name for name, group in groups.items() for template in group.choice}


def plot_of(world: World, name: str) -> Plot:
    return next(plot for plot in stage_of(world).plots if plot.name == name)


@maker(
    "story_cloze",
    "which sentence ends the story? The other one ends it where its events go another way",
    "accuracy",
    (0, 1),
    sizes=(1500, 300, 700),
)
def story_cloze(source: Source, split: str, size: int) -> list[Example]:
    """``text`` the story, ``choices`` two ends, ``label`` the place of the right one.

    Every two branches of a plot stand against each other as often one way as the other.
    """
    examples: list[Example] = []
    faced: Counter[tuple[str, str]] = Counter()
    for story in source.documents("story"):
        plot, branch = plot_of(source.world, story.topic), story.notes["branch"]
        last = [step for step in plot.steps if isinstance(step, Say)][-1]
        right = last.group(branch)
        others = dict.fromkeys(
            last.group(other)
            for other in plot.branches()
            if all(other[key] == branch[key] for key in plot.given) and last.group(other) != right
        )
        if not others or story.notes["ending"] != len(story.sentences) - 1:
            continue
        wrong = min(source.shuffled(others), key=lambda o: faced[right, o] - faced[o, right])
        if faced[right, wrong] - faced[wrong, right] > 2:  # the other way round is due
            continue
        *before, end = story.lines()
        other_end = ending(source, plot, wrong, story.sentences[-1].slots)
        label = int(source.chance(50))
        if source.new(" ".join(before), end):
            faced[right, wrong] += 1
            choices = (other_end, end) if label else (end, other_end)
            info = {"plot": plot.name, "right": right, "wrong": wrong}
            examples.append(Example(text=" ".join(before), label=label, choices=choices, info=info))
        if len(examples) == size:
            break
    return examples


def ending(source: Source, plot: Plot, group: str, slots: Slots) -> str:
    """A sentence of the group about the same people; what the story has not named is drawn."""
    template = source.one(plot.groups[group].choice.items)
    classes = {
        slot.name: slot.cls
        for other in plot.groups.values()
        for each in other.choice
        for slot in each.draws
    }
    filled = dict(slots)
    for slot in template.slots:
        if slot.name not in filled:
            filled[slot.name] = source.one(source.world.drawn[classes[slot.name]].items)
    return template.text([slot.form_of(filled[slot.name]) for slot in template.slots])


@maker(
    "cloze_facts",
    "which word fills the gap? Facts of the world, each in one split, told never or many times",
    "accuracy among the choices, by how often a text tells the fact",
    sizes=(1000, 250, 500),
)
def cloze_facts(source: Source, split: str, size: int) -> list[Example]:
    """``text`` with ``[MASK]``, ``label`` the word, ``choices`` all words that fit the relation.

    ``info["fact"]`` is the (subject, relation, value) that documents note where they tell it; count
    it with ``Counter(fact for document in corpus.documents for fact in document.facts)``.
    """
    choices: dict[str, dict[str, bool]] = {}
    gaps = []
    for text, word, fact in gapped_facts(source.world):
        choices.setdefault(fact[1], {})[word] = True
        if source.owns(*fact):
            gaps.append((text, word, fact))
    return [
        Example(text=text, label=word, choices=tuple(choices[fact[1]]), info={"fact": fact})
        for text, word, fact in source.shuffled(gaps)[:size]
    ]
