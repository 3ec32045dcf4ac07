"""Probes of sentences, after SentEval (Conneau et al. 2018): what does a vector know about one?"""

from collections.abc import Callable
from functools import cache
from typing import Any

from minibert.world.base import World
from minibert.world.document import Sentence
from minibert.world.tasksets.base import Example, Source, maker

KINDS = ("encyclopedia", "review", "story")
MANY, FEW = (1200, 180, 480), (480, 60, 180)  # sizes, by how rare the rarest label is
LENGTHS = (7, 10, 13, 16)  # last length of each class but the longest
WORDS = "neighbour cake door river week night baker dog mayor evening market house".split()
PAST = {"was", "were", "had", "did"}
LabelOf = Callable[[Source, Sentence], Any]  # the label of a sentence, or None
PRESENT = {"is", "are", "am", "has", "have", "does", "do"}


def probe(
    name: str, about: str, labels: tuple, sizes: tuple[int, int, int] = MANY
) -> Callable[[LabelOf], LabelOf]:
    """Register a probe: ``label_of(source, sentence)`` gives its label, None to leave it out.

    A probe that changes sentences gives (label, tokens), and their text is the tokens with spaces
    between them. Every label is equally frequent.
    """

    def register(label_of: LabelOf) -> LabelOf:
        def make(source: Source, split: str, size: int) -> list[Example]:
            return balanced(source, size, labels, label_of)

        maker(f"probe.{name}", about, "accuracy", labels, sizes=sizes)(make)
        return label_of

    return register


def balanced(source: Source, size: int, labels: tuple, label_of: LabelOf) -> list[Example]:
    """Sentences, none twice, with equally many of each label."""
    left = {label: size // len(labels) for label in labels}
    examples = []
    for document in source.documents(KINDS):
        for sentence in document.sentences:
            text = sentence.text
            if not source.owns(text):
                continue
            label, tokens = label_of(source, sentence), sentence.tokens
            if isinstance(label, tuple):
                label, tokens = label
                text = " ".join(tokens)
            if label is not None and left[label] and source.new(sentence.text):
                left[label] -= 1
                examples.append(Example(text, tokens=tuple(tokens), label=label))
        if not any(left.values()):
            break
    return source.shuffled(examples)


@probe("length", "how many tokens has the sentence? (five classes)", tuple(range(5)))
def length(source: Source, sentence: Sentence) -> int:
    return sum(len(sentence.tokens) > most for most in LENGTHS)


@probe(
    "word_content", "which of these words is in the sentence? It holds just one", tuple(WORDS), FEW
)
def word_content(source: Source, sentence: Sentence) -> str | None:
    found = [word for word in WORDS if word in sentence.tokens]
    return found[0] if len(found) == 1 else None


@probe("depth", "how deep is the dependency tree?", (3, 4, 5))
def depth(source: Source, sentence: Sentence) -> int | None:
    def above(i: int) -> int:
        return 1 if sentence.head[i] < 0 else 1 + above(sentence.head[i])

    deepest = max(above(i) for i in range(len(sentence.tokens)))
    return deepest if 3 <= deepest <= 5 else None


@probe("tense", "is the main verb in the past or the present?", ("past", "present"))
def tense(source: Source, sentence: Sentence) -> str | None:
    root = sentence.head.index(-1)
    helpers = [
        sentence.tokens[i].lower()
        for i, relation in enumerate(sentence.relation)
        if sentence.head[i] == root and relation in ("aux", "aux:pass", "cop")
    ]
    if helpers:
        return "past" if helpers[0] in PAST else "present" if helpers[0] in PRESENT else None
    if sentence.pos[root] != "VERB":
        return None
    verb = verbs(source.world).get(sentence.tokens[root].lower(), ())
    return verb[0] if len(verb) == 1 else None


@cache
def verbs(world: World) -> dict[str, tuple[str, ...]]:
    """Form of a verb -> the tenses that it may be, "past" and "present" (and "other")."""
    found: dict[str, dict[str, bool]] = {}
    names = {"base": "present", "third": "present", "past": "past"}
    for cls in sorted(world.lexicon.classes):
        for lexeme in world.lexicon[cls]:
            for name, form in lexeme.forms.items():
                if lexeme.pos == "VERB" and form.pos[0] == "VERB" and name != "participle":
                    tenses = found.setdefault(form.tokens[0], {})
                    tenses[names.get(name, "other")] = True
    return {form: tuple(tenses) for form, tenses in found.items()}


@cache
def nouns(world: World) -> dict[str, tuple[str, ...]]:
    """Form of a noun -> the numbers that it may be, "one" and "many"."""
    found: dict[str, dict[str, bool]] = {}
    for cls in sorted(world.lexicon.classes):
        for lexeme in world.lexicon[cls]:
            if lexeme.pos == "NOUN" and "plural" in lexeme.forms:
                found.setdefault(lexeme.forms["base"].tokens[-1], {})["one"] = True
                found.setdefault(lexeme.forms["plural"].tokens[-1], {})["many"] = True
    return {form: tuple(numbers) for form, numbers in found.items()}


def number(source: Source, sentence: Sentence, relations: tuple[str, ...]) -> str | None:
    """The number of the only noun of the main clause in one of these relations."""
    root = sentence.head.index(-1)
    found = [
        i
        for i, relation in enumerate(sentence.relation)
        if sentence.head[i] == root and relation in relations
    ]
    if len(found) != 1 or sentence.pos[found[0]] != "NOUN" or joined(sentence, found[0]):
        return None
    numbers = nouns(source.world).get(sentence.tokens[found[0]].lower(), ())
    return numbers[0] if len(numbers) == 1 else None


def joined(sentence: Sentence, i: int) -> bool:
    """Whether something is joined to this word by *and*."""
    pairs = zip(sentence.head, sentence.relation, strict=True)
    return any(head == i and relation == "conj" for head, relation in pairs)


@probe("subject_number", "is the subject of the main clause one or many?", ("one", "many"), FEW)
def subject_number(source: Source, sentence: Sentence) -> str | None:
    return number(source, sentence, ("nsubj", "nsubj:pass"))


@probe("object_number", "is the object of the main clause one or many?", ("one", "many"), FEW)
def object_number(source: Source, sentence: Sentence) -> str | None:
    return number(source, sentence, ("obj",))


@probe("word_order", "have two neighbouring words changed places? (tokens)", ("as said", "changed"))
def word_order(source: Source, sentence: Sentence) -> tuple[str, list[str]] | None:
    tokens = list(sentence.tokens)
    if source.chance(50):
        return "as said", tokens
    places = [
        i for i in range(1, len(tokens) - 2) if tokens[i].isalpha() and tokens[i + 1].isalpha()
    ]
    places = [i for i in places if tokens[i].lower() != tokens[i + 1].lower()]
    if not places:
        return None
    at = source.one(places)
    tokens[at], tokens[at + 1] = tokens[at + 1], tokens[at]
    return "changed", tokens
