"""The lexicon: classes of words, read from the ``lexicon/*.toml`` files beside this module.

A class looks like this; the most frequent word stands first:

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

A value with a space in it is written with an underscore. Every key but ``pos`` and ``words`` may be
left out. ``sense`` names the sense of a word that has several.
"""

import difflib
import tomllib
from functools import lru_cache
from pathlib import Path

from minibert.world import morphology
from minibert.world.template import Template
from minibert.world.words import Choice, Form, Lexeme, zipf

FOLDER = Path(__file__).parent / "lexicon"
CLASS_KEYS = ("pos", "entity", "forms", "tags", "zipf", "hypernym", "words")
POS = "NOUN PROPN VERB ADJ ADV PRON DET ADP AUX NUM PART SCONJ CCONJ PUNCT INTJ".split()


class LexiconError(ValueError):
    """An entry of the lexicon that cannot be used; the message names the file, class and line."""


class Lexicon:
    """All classes by name; ``lexicon["animal"]`` is a Choice of Lexemes."""

    def __init__(self, folders=(FOLDER,)):
        self.classes, self.hypernyms, self.literals = {}, {}, {}
        for folder in folders:
            for path in sorted(Path(folder).glob("*.toml")):
                self._read(path)
        self._templates = {}

    def __getitem__(self, name):
        try:
            return self.classes[name]
        except KeyError:
            close = difflib.get_close_matches(name, self.classes, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise LexiconError(f"the lexicon has no class {name!r}{hint}") from None

    def word(self, cls, word):
        """The lexeme of one class with this base form."""
        for lexeme in self[cls]:
            if lexeme.name == word:
                return lexeme
        raise LexiconError(f"the class {cls!r} has no word {word!r}")

    def literal(self, word):
        """The Form of a word that stands in a template as itself."""
        form = self.literals.get(word) or self.literals.get(word.lower())
        if form is None:
            raise LexiconError(
                f"the word {word!r} is in no class of the lexicon: write word/POS, or add it"
            )
        if isinstance(form, set):
            readings = ", ".join(sorted(form))
            raise LexiconError(f"the word {word!r} may be {readings}: write word/POS/lemma")
        return form if form.text == word else Form(word, form.pos[-1], " ".join(form.lemma))

    def template(self, source):
        if source not in self._templates:
            self._templates[source] = Template(source, self.literal)
        return self._templates[source]

    def _read(self, path):
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LexiconError(f"{path.name} is not valid TOML: {error}") from None
        for cls, entry in data.items():
            where = f"{path.name} [{cls}]"
            if cls in self.classes:
                raise LexiconError(f"{where}: the class is defined twice")
            _check_keys(entry, where)
            lexemes = []
            for line in entry["words"].splitlines():
                if line.strip() and not line.strip().startswith("#"):
                    lexemes.append(_entry(line, cls, entry, where))
            if not lexemes:
                raise LexiconError(f"{where}: the class has no words")
            seen = {}
            for lexeme in lexemes:
                if lexeme.name in seen:
                    raise LexiconError(f"{where}: {lexeme.name!r} is listed twice")
                seen[lexeme.name] = True
            weights = [
                lexeme.tags.pop("weight", None) or rank_weight
                for lexeme, rank_weight in zip(
                    lexemes, zipf(len(lexemes), entry.get("zipf", 0.0)), strict=True
                )
            ]
            self.classes[cls] = Choice(lexemes, weights)
            if "hypernym" in entry:
                self.hypernyms[cls] = entry["hypernym"]
            for lexeme in lexemes:
                self._add_literals(lexeme)

    def _add_literals(self, lexeme):
        for form in lexeme.forms.values():
            if form.n != 1:
                continue
            known = self.literals.get(form.text)
            reading = "/".join((form.text, form.pos[0], form.lemma[0])) + (
                "/" + form.sense[0] if form.sense[0] else ""
            )
            if known is None:
                self.literals[form.text] = form
            elif isinstance(known, set):
                known.add(reading)
            elif (known.pos, known.lemma, known.sense) != (form.pos, form.lemma, form.sense):
                if known.pos[0] == form.pos[0] == "VERB" and known.lemma == form.lemma:
                    continue  # past and participle of one verb
                first = "/".join((known.text, known.pos[0], known.lemma[0]))
                self.literals[form.text] = {first, reading}


def _check_keys(entry, where):
    if not isinstance(entry, dict) or "pos" not in entry or "words" not in entry:
        raise LexiconError(f'{where}: a class needs pos = "..." and words = """..."""')
    if entry["pos"] not in POS:
        raise LexiconError(f"{where}: pos {entry['pos']!r} is none of {', '.join(POS)}")
    for key in entry:
        if key not in CLASS_KEYS:
            close = difflib.get_close_matches(key, CLASS_KEYS, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise LexiconError(f"{where}: unknown key {key!r}{hint}")


def _entry(line, cls, entry, where):
    """One line of a class: the word, then key=value pairs."""
    parts = line.split()
    word = " ".join(part for part in parts if "=" not in part)
    pairs = dict(part.split("=", 1) for part in parts if "=" in part)
    if not word:
        raise LexiconError(f"{where}: the line {line.strip()!r} has no word")
    pos = entry["pos"]
    extra = tuple(entry.get("forms", ()))
    known = (
        "sense",
        "weight",
        "lemma",
        *morphology.FORMS.get(pos, {}),
        *extra,
        *entry.get("tags", ()),
    )
    irregular, tags = {}, {}
    for key, value in pairs.items():
        value = value.replace("_", " ")
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise LexiconError(f"{where}: {word!r} has an unknown key {key!r}{hint}")
        if key in morphology.FORMS.get(pos, {}):
            irregular[key] = value
        elif key == "weight":
            if not value.isdigit() or value == "0":
                raise LexiconError(f"{where}: the weight of {word!r} must be a whole number > 0")
            tags[key] = int(value)
        elif key not in ("sense", "lemma"):
            tags[key] = value
    return Lexeme(
        word,
        cls,
        pos,
        irregular,
        lemma=pairs.get("lemma", word),
        sense=pairs.get("sense", ""),
        entity=entry.get("entity", ""),
        extra=extra,
        **tags,
    )


@lru_cache(maxsize=4)
def load(*folders):
    """The lexicon of the embedded world; ``folders`` replace the built-in one when given."""
    return Lexicon(folders or (FOLDER,))
