"""Files with a word and its label on every line: CoNLL 2003 and its kind, and CoNLL-U."""

import re
from collections.abc import Iterator

from minibert.data.examples import Example
from minibert.data.sources import Member, Source, refusal

_TAG = re.compile("O|[BI]-.+")
_ID = re.compile(r"(\d+)(-\d+|\.\d+)?")  # of a word, of a token of several words, of an empty node
FORM, UPOS, HEAD, RELATION, COLUMNS = 1, 3, 6, 7, 10  # of CoNLL-U


def sentences(source: Source | Member) -> Iterator[Example]:
    """Examples of the sentences in a file of words and tags, in as many columns on every line.

    Columns are parted by tabs, or by spaces in a line without them: a no-break space belongs to its
    word. A ``-DOCSTART-`` line ends a sentence and is none; so are comments, lines that begin
    with ``# `` and have no columns. An ``I-`` that continues nothing begins a name, as in IOB1 and
    in conlleval; it is read as ``B-``. ``info["line"]``: where the sentence begins.

    Raises ValueError naming file and line for anything else.
    """
    words, lines, columns = [], [*source.lines(), ""], None
    tabs = any("\t" in line for line in lines)
    for number, line in enumerate(lines, 1):
        bare = line.strip(" \t")
        if bare and not bare.startswith("-DOCSTART-"):
            if _is_comment(bare, tabs, columns):
                continue
            fields = re.split("\t" if "\t" in bare else " +", line.rstrip(" \t"))
            columns = columns or len(fields)
            if len(fields) < 2 or not fields[0].strip(" ") or not _TAG.fullmatch(fields[-1]):
                raise refusal(source, number, "a word and its tag (O, B-... or I-...)", line)
            if len(fields) != columns:
                raise refusal(source, number, f"{columns} columns, as in the lines before", line)
            words.append((fields[0].strip(" "), fields[-1]))
        elif words:
            yield _sentence(words, number)
            words = []


def universal(source: Source | Member) -> Iterator[Example]:
    """Examples of the sentences in a CoNLL-U file: words, and their universal parts of speech.

    Where all words of a sentence have a head, ``info["heads"]`` has its position, -1 for the root,
    as `minibert.world` counts, and ``info["relations"]`` the relation to it ("nsubj:pass").

    A token of several words (``3-4 du``) is passed over, since its words (``3 de``, ``4 le``)
    follow, and so are empty nodes (``3.1``), which are not in the text. See
    universaldependencies.org/format.html. Raises ValueError naming file and line for anything else.
    """
    words: list[tuple[str, str]] = []
    arcs: list[tuple[str, str]] = []
    for number, line in enumerate([*source.lines(), ""], 1):
        if line.strip() and not line.startswith("#"):
            fields = line.split("\t")
            found = _ID.fullmatch(fields[0])
            if len(fields) != COLUMNS or not found or not all(field.strip() for field in fields):
                raise refusal(source, number, f"{COLUMNS} columns with tabs between them", line)
            if found[2]:
                continue
            if int(found[1]) != len(words) + 1 or fields[UPOS] == "_":
                expected = f"word {len(words) + 1} of its sentence with its part of speech (UPOS)"
                raise refusal(source, number, expected, line)
            words.append((fields[FORM], fields[UPOS]))
            arcs.append((fields[HEAD], fields[RELATION]))
        elif words and not line.strip():
            example = _sentence(words, number)
            example.info.update(_tree(arcs))
            yield example
            words, arcs = [], []


def _tree(arcs):
    """``heads`` and ``relations`` of a sentence, or nothing where a word has no head in it."""
    heads, relations = zip(*arcs, strict=True)
    if not all(head.isdecimal() and int(head) <= len(arcs) for head in heads):
        return {}
    return {"heads": tuple(int(head) - 1 for head in heads), "relations": relations}


def _sentence(words, end):
    """The example of a sentence that the line ``end`` ends."""
    tokens, tags = zip(*words, strict=True)
    info = {"line": end - len(words)}
    return Example(text=" ".join(tokens), tokens=tokens, labels=iob2(tags), info=info)


def _is_comment(line, tabs, columns):
    """Whether a line that begins with ``# `` is no word: it has not the columns of the others."""
    if not line.startswith("# ") or "\t" in line:
        return False
    fields = line.split()
    return tabs or (len(fields) != columns if columns else not _TAG.fullmatch(fields[-1]))


def iob2(tags: tuple) -> tuple:
    """Tags in which every name begins with ``B-``: an ``I-`` that continues nothing becomes one."""
    before = ("O", *tags)
    return tuple(
        f"B-{tag[2:]}" if tag[:2] == "I-" and last[2:] != tag[2:] else tag
        for last, tag in zip(before, tags, strict=False)
    )
