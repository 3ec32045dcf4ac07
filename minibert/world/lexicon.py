"""The lexicon: classes of words, read from the ``lexicon/*.toml`` files beside this module.

``lexicon/README.md`` tells how to write one. A class looks like this:

    [animal]
    pos = "NOUN"
    forms = ["young"]              # extra forms that entries may list (a noun gets its plural too)
    tags = ["sound"]               # extra facts about a word, free text
    zipf = 0.7                     # how steeply frequency falls with rank; 0 is flat (the default)
    words = \"\"\"
    dog     young=puppy
    sheep   plural=sheep young=lamb
    bat     sense=bat.animal
    polar bear
    \"\"\"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

from minibert.world import morphology
from minibert.world.reading import BY_RELATION, Readings, by_place
from minibert.world.template import Template
from minibert.world.words import Choice, Filler, Form, Lexeme, zipf

FOLDER = Path(__file__).parent / "lexicon"
CLASS_KEYS = ("pos entity forms tags required regular without zipf hypernym words").split()
OF_WORLD = (  # what a template may draw from besides classes: the Choices of a World
    "people adults children couples parents owners players strangers "
    "towns countries rivers teams films books numbers"
).split()
LISTS = "forms tags required regular without".split()
STEEPEST = 10  # of zipf
LONGEST = 600  # characters of a message, whatever it quotes
KINDS_OF_TEXT = "encyclopedia story news match review letter dialogue questions lesson".split()
POS = "NOUN PROPN VERB ADJ ADV PRON DET ADP AUX NUM PART SCONJ CCONJ PUNCT INTJ".split()


class LexiconError(ValueError):
    """An entry of the lexicon that cannot be used; the message names the file, class and line."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= LONGEST else f"{message[:LONGEST]}...")


class Lexicon:
    """All classes by name; ``lexicon["animal"]`` is a Choice of Lexemes.

    A later folder adds classes, and adds words to the classes of an earlier one.
    """

    def __init__(self, folders: Iterable[str | Path] = (FOLDER,)) -> None:
        self.classes: dict[str, Choice] = {}
        self.hypernyms: dict[str, str] = {}
        self.readings = Readings()
        self._own: dict[str, list[Form]] = {}  # kind of text -> forms of its own file
        self._scopes: dict[str, Lexicon] = {}  # kind of text -> the lexicon as it is read there
        entries: dict[str, tuple] = {}
        for folder in folders:
            paths = sorted(Path(folder).glob("*.toml"))
            if not paths:
                raise FileNotFoundError(f"no .toml file of a lexicon in {folder}")
            seen: dict[str, str] = {}
            for path in paths:
                self._read(path, entries, seen)
        for cls, (entry, lines) in entries.items():
            self._build(cls, entry, lines)
        self._templates: dict[str, Template] = {}
        self._found: dict[tuple[str, str], list[Lexeme]] = {}
        self._nouns: dict[str, Filler] = {}

    def __getitem__(self, name: str) -> Choice:
        try:
            return self.classes[name]
        except KeyError:
            raise LexiconError(
                f"the lexicon has no class {name!r}{_hint(name, self.classes)}"
            ) from None

    def word(self, cls: str, word: str) -> Lexeme:
        """The lexeme of one class with this base form."""
        for lexeme in self[cls]:
            if lexeme.name == word:
                return lexeme
        names = [lexeme.name for lexeme in self[cls]]
        raise LexiconError(f"the class {cls!r} has no word {word!r}{_hint(word, names)}")

    def find(self, word: str, pos: str = "NOUN", form: str = "base") -> Lexeme:
        """The first lexeme of any class with this base form and part of speech, and with a form.

        ``ball/ball.toy`` asks for one sense of several.
        """
        word, _, sense = word.partition("/")
        if not self._found:
            for choice in self.classes.values():
                for lexeme in choice:
                    self._found.setdefault((lexeme.name, lexeme.pos), []).append(lexeme)
        for lexeme in self._found.get((word, pos), ()):
            if form in lexeme.forms and sense in ("", lexeme.sense):
                return lexeme
        raise LexiconError(
            f"no class of the lexicon has the word {word!r} as {pos} with its {form}"
        )

    def scoped(self, kind: str) -> Lexicon:
        """This lexicon as the templates of one kind of text read it.

        Words of ``story.toml`` are literals of stories alone, so that they make no word of
        another kind ambiguous. Their classes can be drawn from everywhere.
        """
        if kind not in self._scopes:
            scope = self._scopes[kind] = copy(self)
            scope.readings, scope._templates = Readings(self.readings), {}
            for form in self._own.get(kind, ()):
                scope.readings.add(form)
        return self._scopes[kind]

    def noun(self, text: str) -> Filler:
        """A noun as a tag names it, to fill a slot: ``worms``, ``letters/letter.mail``."""
        if text not in self._nouns:
            form = self.literal(text if "/" in text else f"{text}/NOUN")
            self._nouns[text] = Filler(form.text, {"base": form})
        return self._nouns[text]

    def literal(
        self, word: str, relation: str | None = None, alone: bool = False, head: bool = False
    ) -> Form:
        """The Form of a word that stands in a template as itself."""
        form = by_place(word, relation, alone, head)
        if alone and "/" not in word and len(self.readings.of.get(word, ())) > 1:
            word += BY_RELATION.get(relation or "", "")  # [advmod well]
        try:
            return form or self.readings.read(word)
        except ValueError as error:
            raise LexiconError(str(error)) from None

    def template(self, source: str) -> Template:
        """The compiled template; its classes and forms are checked against the lexicon."""
        if source not in self._templates:
            template = Template(source, self.literal)
            for slot in template.draws:
                if slot.cls in OF_WORLD:
                    continue
                for lexeme in self[slot.cls]:
                    if slot.form not in lexeme.forms:
                        raise LexiconError(
                            f"template {source!r}: {lexeme.name!r} of the class {slot.cls!r} "
                            f"has no form {slot.form!r}{_hint(slot.form, lexeme.forms)}"
                        )
            self._templates[source] = template
        return self._templates[source]

    def _read(self, path, entries, seen):
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LexiconError(f"{path.name} is not valid TOML: {error}") from None
        except RecursionError:
            raise LexiconError(f"{path.name} is not valid TOML: it is nested too deeply") from None
        for cls, entry in data.items():
            where = f"{path.name} [{cls}]"
            if cls in seen:
                raise LexiconError(f"{where}: the class is defined twice, first in {seen[cls]}")
            seen[cls] = path.name
            _check_keys(entry, where, extends=cls in entries)
            lines = [line for line in entry["words"].splitlines() if line.split("#")[0].strip()]
            if not lines:
                raise LexiconError(f"{where}: the class has no words")
            if cls in entries:
                entries[cls][1].extend((where, line) for line in lines)
            else:
                entries[cls] = entry, [(where, line) for line in lines]

    def _build(self, cls: str, entry: dict[str, Any], lines: list[tuple[str, str]]) -> None:
        lexemes, seen = [], {}
        for where, line in lines:
            lexeme = _entry(line, cls, entry, where)
            if lexeme.name in seen:
                raise LexiconError(f"{where}: {lexeme.name!r} is listed twice")
            seen[lexeme.name] = True
            lexemes.append(lexeme)
        ranks = zipf(len(lexemes), entry.get("zipf", 0.0))
        weights = [
            lexeme.tags.pop("weight", rank) for lexeme, rank in zip(lexemes, ranks, strict=True)
        ]
        self.classes[cls] = Choice(lexemes, weights)
        if "hypernym" in entry:
            self.hypernyms[cls] = entry["hypernym"]
        kind = lines[0][0].partition(".toml")[0]
        own = self._own.setdefault(kind, []) if kind in KINDS_OF_TEXT else None
        for lexeme in lexemes:
            for form in lexeme.forms.values():
                if form.n == 1:
                    self.readings.add(form) if own is None else own.append(form)


def _hint(word, words):
    close = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_keys(entry: dict[str, Any], where: str, extends: bool) -> None:
    if not isinstance(entry, dict) or "words" not in entry or not (extends or "pos" in entry):
        raise LexiconError(f'{where}: a class needs pos = "..." and words = """..."""')
    for key in entry:
        if key not in CLASS_KEYS:
            raise LexiconError(f"{where}: unknown key {key!r}{_hint(key, CLASS_KEYS)}")
        if extends and key != "words":
            raise LexiconError(f"{where}: the class exists already; only its words can be added to")
    for key, value in entry.items():
        if not _fits(key, value):
            raise LexiconError(f"{where}: {key} cannot be {repr(value)[:60]}")
    if not extends and entry["pos"] not in POS:
        raise LexiconError(f"{where}: pos {entry['pos']!r} is none of {', '.join(POS)}")


def _fits(key, value):
    """Whether a key of a class has the type that it should have."""
    if key == "zipf":
        return type(value) in (int, float) and 0 <= value <= STEEPEST
    if key in LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, str)


def _entry(line, cls, entry, where):
    """One line of a class: the word, then key=value pairs."""
    parts = line.split("#")[0].split()
    word = " ".join(part for part in parts if "=" not in part)
    pairs = dict(part.split("=", 1) for part in parts if "=" in part)
    if not word:
        raise LexiconError(f"{where}: the line {line.strip()!r} has no word")
    pos, extra = entry["pos"], tuple(entry.get("forms", ()))
    rules = [form for form in morphology.FORMS.get(pos, {}) if form not in entry.get("without", ())]
    known = ("sense", "weight", "lemma", *rules, *extra, *entry.get("tags", ()))
    for key in entry.get("required", ()):
        if key not in pairs:
            raise LexiconError(f"{where}: {word!r} needs {key}=..., as every word of this class")
    irregular = dict.fromkeys(entry.get("regular", ()), "+")
    tags = {}
    for key, value in pairs.items():
        value = value.replace("_", " ")
        if key not in known:
            raise LexiconError(f"{where}: {word!r} has an unknown key {key!r}{_hint(key, known)}")
        if key in rules:
            irregular[key] = value
        elif key == "weight":
            if not value.isdigit() or value == "0":
                raise LexiconError(f"{where}: the weight of {word!r} must be a whole number > 0")
            tags[key] = int(value)
        elif key not in ("sense", "lemma"):
            tags[key] = value
    told = {"lemma": pairs.get("lemma", word), "sense": pairs.get("sense", "")}
    told |= {"entity": entry.get("entity", ""), "extra": extra}
    try:
        return Lexeme(word, cls, pos, rules, irregular=irregular, **told, **tags)
    except (IndexError, TypeError) as error:  # too short to be inflected; a tag with its own name
        raise LexiconError(f"{where}: {word!r} cannot be read: {error}") from None


@lru_cache(maxsize=8)
def load(folder: str | Path | None = None) -> Lexicon:
    """The lexicon of the embedded world, extended by the words and classes of ``folder``."""
    return Lexicon((FOLDER,) if folder is None else (FOLDER, Path(folder)))
