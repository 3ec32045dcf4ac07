"""English inflection by rule; the lexicon lists what is irregular."""

from collections.abc import Callable, Mapping

VOWELS = "aeiou"


def _doubles(word: str) -> bool:
    """True when the last consonant doubles before a vowel suffix (``stop`` -> ``stopp-``)."""
    if len(word) < 3 or word[-1] in VOWELS + "wxy" or word[-2] not in VOWELS:
        return False
    syllables = sum(c in VOWELS and p not in VOWELS for p, c in zip(" " + word, word, strict=False))
    return word[-3] not in VOWELS and syllables == 1


def plural(noun: str) -> str:
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWELS:
        return noun[:-1] + "ies"
    if noun.endswith("lf"):  # calf, shelf, wolf
        return noun[:-1] + "ves"
    return noun + "s"


def third(verb: str) -> str:
    """Third person singular present: ``carries``, ``goes``."""
    return verb + "es" if verb.endswith("o") else plural(verb)


def past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    return (verb + verb[-1] if _doubles(verb) else verb) + "ed"


def ing(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return (verb + verb[-1] if _doubles(verb) else verb) + "ing"


def _syllables(word: str) -> int:
    """Vowel groups but for a silent final e: enough to tell ``big`` from ``beautiful``."""
    sounds = VOWELS + "y"
    groups = sum(c in sounds and p not in sounds for p, c in zip("b" + word, word, strict=False))
    return groups - (word.endswith("e") and not word.endswith("le") and groups > 1)


def _graded(adjective: str, suffix: str) -> str:
    if adjective.endswith("e"):
        return adjective + suffix[1:]
    if adjective.endswith("y") and adjective[-2] not in VOWELS:
        return adjective[:-1] + "i" + suffix
    return (adjective + adjective[-1] if _doubles(adjective) else adjective) + suffix


def _short(adjective: str) -> bool:
    """Compares by suffix: one syllable, or two that end in y or le (``bigger``, ``happier``)."""
    return _syllables(adjective) <= (2 if adjective.endswith(("y", "le")) else 1)


def comparative(adjective: str) -> str | None:
    return _graded(adjective, "er") if _short(adjective) else None


def superlative(adjective: str) -> str | None:
    return _graded(adjective, "est") if _short(adjective) else None


def adverb(adjective: str) -> str:
    if adjective.endswith("y") and adjective[-2] not in VOWELS:
        return adjective[:-1] + "ily"
    if adjective.endswith("le") and adjective[-3] not in VOWELS:
        return adjective[:-1] + "y"
    return adjective + "ly"


def ness(adjective: str) -> str:
    """The quality as a noun: ``kindness``, ``happiness``."""
    if adjective.endswith("y") and adjective[-2] not in VOWELS:
        return adjective[:-1] + "iness"
    return adjective + "ness"


def agent(verb: str) -> str:
    """Who does it: ``baker``, ``runner``."""
    return _graded(verb, "er") if not verb.endswith("y") else verb + "er"


def article(word: str) -> str:
    """``an`` before a vowel sound; the few exceptions by sound are listed here."""
    word = word.lower()
    if word.startswith(("hour", "honest", "honour", "heir")):
        return "an"
    if word.startswith(("uni", "use", "euro", "one", "once", "ewe", "ukulele")):
        return "a"
    if word[0].isdigit():
        return "an" if word.startswith(("8", "11", "18")) and not word.startswith("110") else "a"
    return "an" if word[0] in VOWELS else "a"


# Which forms a word of each part of speech has, and the rule for each (no rule: None).
FORMS: Mapping[str, Mapping[str, Callable[[str], str | None]]] = {
    "NOUN": {"plural": plural},
    "PROPN": {"plural": plural},
    "VERB": {"third": third, "past": past, "participle": lambda verb: None, "ing": ing}
    | {"agent": agent},
    "ADJ": {
        "comparative": comparative,
        "superlative": superlative,
        "adverb": adverb,
        "ness": ness,
        "un": lambda adjective: "un" + adjective,
    },
}
FORM_POS = {"agent": "NOUN", "adverb": "ADV", "ness": "NOUN"}  # where a form changes its class
LISTED = ("agent", "adverb", "ness", "un")  # made only for the words that ask: ``ness=+``
