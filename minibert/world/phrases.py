"""Groups of templates that every kind can use, and the planted agreement over attractors.

*The key to the old cabinets in the kitchen is missing*: the verb agrees with the head of its
subject, and up to four nouns of either number stand between them. Each ring of a chain has its own
preposition and nouns, so that every draw shows.
"""

from typing import Any

from minibert.world.words import Choice
from minibert.world.writer import Phrase, Writer

ATTRACTORS = {0: 40, 1: 30, 2: 16, 3: 9, 4: 5}  # percentage of subjects with so many attractors
PLURAL = 50  # percentage of plurals, among heads and among attractors
OLD = 20  # percentage of attractors with an adjective

# Family: the class of the head, then four rings, preposition and class of noun.
CHAINS = {
    "key": ("key_word", "to closed", "in room", "of home", "near way"),
    "fitting": ("fitting", "of closed", "in room", "of home", "near way"),
    "animal": ("farm_animal", "in enclosure", "behind home", "beside way", "near landform"),
    "person": ("trade", "from building", "beside way", "behind home", "near landform"),
    "mail": ("mail", "from trade", "in building", "beside way", "near landform"),
}

SINGULAR = {
    "key": """
        3| [nsubj {np}] is missing/ADJ .
        2| [nsubj {np}] has *gone [xcomp missing/ADJ] .
        2| [nsubj {np}] is under the *mat/NOUN .
        1| [nsubj {np}] does not *fit/VERB any more .
        1| [nsubj {np}] hangs [obl on a nail/nail.metal] .
        1| [nsubj:pass {np}] was *found [obl [amod last] week] .
        """,
    "fitting": """
        3| [nsubj {np}] is *loose again .
        2| [nsubj {np}] was broken/ADJ .
        2| [nsubj {np}] needs [obj a drop/NOUN [nmod of oil]] .
        1| [nsubj:pass {np}] was *mended yesterday .
        1| [nsubj {np}] has *come [advmod off/ADV] .
        """,
    "animal": """
        3| [nsubj {np}] is hungry .
        2| [nsubj {np}] was *asleep/ADJ [obl at noon] .
        2| [nsubj {np}] belongs [obl to the mayor] .
        1| [nsubj {np}] needs [obj fresh water/NOUN] .
        1| [nsubj {np}] looks [xcomp happy] .
        1| [nsubj {np}] has *got out/ADV again .
        """,
    "person": """
        3| [nsubj {np}] knows [obj the way/NOUN] .
        2| [nsubj {np}] is *late/ADJ again .
        2| [nsubj {np}] was [case at] the *fair/NOUN/fair.market .
        1| [nsubj {np}] has *seen [obj everything] .
        1| [nsubj {np}] does n't *like/VERB [obj the rain/NOUN] .
        """,
    "mail": """
        3| [nsubj {np}] was late/ADJ .
        2| [nsubj {np}] has arrived .
        2| [nsubj {np}] is [case on] the *table/table.furniture .
        1| [nsubj {np}] makes [ccomp [nsubj everybody] *laugh] .
        1| [nsubj:pass {np}] was *read/VERB/read [advmod aloud/ADV] .
        """,
}
AGREE = {
    "is": "are",
    "was": "were",
    "has": "have",
    "does": "do",
    "hangs": "hang",
    "needs": "need",
    "belongs": "belong",
    "looks": "look/VERB",
    "knows": "know",
    "makes": "make",
}


def plural(lines: str) -> str:
    """The same sentences about several: the first verb changes."""
    out = []
    for line in lines.strip().splitlines():
        words = line.split()
        at = next(i for i, word in enumerate(words) if word in AGREE)
        out.append(" ".join([*words[:at], AGREE[words[at]], *words[at + 1 :]]))
    return "\n".join(out)


def _groups() -> dict[str, str]:
    """``agree key is``, ``agree key are``: predicates. ``agree key 0`` ... ``agree key 4``: head
    and rings; with ``+`` there is more of the chain behind them (``{rest}``)."""
    groups = {}
    for family, (head, *rings) in CHAINS.items():
        groups[f"agree {family} is"] = SINGULAR[family]
        groups[f"agree {family} are"] = plural(SINGULAR[family])
        classes = [head] + [ring.split()[1] for ring in rings]
        for k, cls in enumerate(classes):
            more = f" [nmod {rings[k].split()[0]} {{rest}}]" if k < len(rings) else None
            for mark, rest in (("", ""), ("+", more)):
                if rest is None:
                    continue
                one, many = f"{{x:{cls}}}{rest}", f"{{x.plural:{cls}}}{rest}"
                if k == 0:
                    groups[f"agree {family} 0{mark} is"] = f"the {one}"
                    groups[f"agree {family} 0{mark} are"] = f"the {many}"
                else:
                    shares = (
                        ((100 - PLURAL) * (100 - OLD), f"the {one}"),
                        (PLURAL * (100 - OLD), f"the {many}"),
                        ((100 - PLURAL) * OLD, f"the {{a:old_or_new}} *{one}"),
                        (PLURAL * OLD, f"the {{a:old_or_new}} *{many}"),
                    )
                    groups[f"agree {family} {k}{mark}"] = "\n".join(f"{s}| {t}" for s, t in shares)
    return groups


TEMPLATES = _groups()
_LENGTH = Choice(list(ATTRACTORS), list(ATTRACTORS.values()))
_VERB = Choice(["are", "is"], [PLURAL, 100 - PLURAL])


def subject(w: Writer, family: str) -> tuple[Phrase, str]:
    """A subject with 0 to 4 attractors: (Phrase, "is" or "are")."""
    length, verb = w.pick(_LENGTH), w.pick(_VERB)
    rest = None
    for k in range(length, 0, -1):
        more: dict[str, Phrase] = {} if rest is None else {"rest": rest}
        rest = w.phrase(f"agree {family} {k}" + ("+" if more else ""), **more)
    if rest is None:
        return w.phrase(f"agree {family} 0 {verb}"), verb
    return w.phrase(f"agree {family} 0+ {verb}", rest=rest), verb


def say_agreeing(w: Writer, family: str) -> dict[str, Any]:
    """A sentence whose verb agrees with a subject of a CHAINS family over 0 to 4 attractors."""
    phrase, verb = subject(w, family)
    return w.say(f"agree {family} {verb}", np=phrase)
