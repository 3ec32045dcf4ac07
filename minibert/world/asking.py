"""A statement of the world turned into the question that it answers with yes.

English asks by moving its auxiliary before the subject, or by bringing in *do*, which takes the
ending of the verb with it: "Ada walked home." becomes "Did Ada walk home?". So the order changes,
one word may appear and one may change its form, and everything else must be copied.
"""

from minibert.world.document import Corpus, Sentence

END = "."
AUXILIARIES = {"is", "are", "was", "were", "has", "have", "had", "can", "could", "will", "would",
               "must", "should", "may", "might"}  # fmt: skip
UNCLEAR = {"beat", "bet", "burst", "cast", "cost", "cut", "hit", "hurt", "let", "put", "read",
           "set", "shut", "spread", "'s"}  # fmt: skip


def question(sentence: Sentence) -> list[str] | None:
    """The tokens of the yes-no question to a `Sentence`, or None where the rule does not fit.

    It fits a sentence of one clause that begins with its subject, goes on with its verb or
    auxiliary, and ends with a full stop.
    """
    tokens, relation, head = sentence.tokens, sentence.relation, sentence.head
    if len(tokens) < 4 or tokens[-1] != END or not set(tokens[:-1]).isdisjoint({",", ":", '"'}):
        return None
    root = head.index(-1)
    subjects = [i for i, rel in enumerate(relation) if rel == "nsubj" and head[i] == root]
    clauses = {"ccomp", "conj", "advcl", "acl:relcl", "csubj", "parataxis"} & set(relation)
    if len(subjects) != 1 or "you" in tokens or "I" in tokens or clauses:
        return None
    last = max(i for i in range(len(tokens)) if _under(i, subjects[0], head))
    verb = last + 1  # the word after the subject
    if not all(_under(i, subjects[0], head) for i in range(verb)):
        return None
    first = tokens[0] if sentence.pos[0] == "PROPN" else tokens[0].lower()
    subject, rest = [first, *tokens[1:verb]], tokens[verb + 1 : -1]
    if tokens[verb] in AUXILIARIES and sentence.pos[verb] == "AUX":
        return [tokens[verb].capitalize(), *subject, *rest, "?"]
    form, lemma = tokens[verb], sentence.lemma[verb]
    if verb != root or sentence.pos[verb] != "VERB" or form in UNCLEAR:
        return None
    if form == lemma:  # a plural's present, or a mistake of the annotation
        do = None if form.endswith("s") else "Do"
    else:
        do = "Does" if form.endswith("s") else "Did"
    return None if do is None else [do, *subject, lemma, *rest, "?"]


def _under(place, top, head):
    """Whether a word belongs to the phrase of the word at ``top``."""
    while place not in (-1, top):
        place = head[place]
    return place == top


def pairs(corpus: Corpus, longest: int = 12) -> list[tuple[list[str], list[str]]]:
    """[(statement, question), ...], lists of tokens, each statement once; at most ``longest``."""
    found: dict[tuple[str, ...], list[str]] = {}
    for document in corpus.documents:
        for sentence in document.sentences:
            if len(sentence.tokens) <= longest:
                asked = question(sentence)
                if asked is not None:
                    found.setdefault(tuple(sentence.tokens), asked)
    return [(list(statement), asked) for statement, asked in found.items()]
