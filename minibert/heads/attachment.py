"""How the arcs of sentences are compared with the right ones: the rules of CoNLL 2018."""

from collections.abc import Iterable, Sequence

from minibert.heads.tree_decoding import check_tree

Arc = tuple[int, str]  # the position of a word's head, -1 for the root, and the relation to it


def attachment_scores(
    said: Iterable[Sequence[Arc]], true: Iterable[Sequence[Arc]]
) -> dict[str, float]:
    """{"uas": ..., "las": ...}: the shares of words with the right head, and relation too.

    Both are lists of sentences, lists with the arc of each word. Every word counts, punctuation as
    well, and relations are compared without their subtypes, "nsubj:pass" as "nsubj" (Zeman et al.
    2018, "CoNLL 2018 Shared Task"; the words are given). Raises ValueError for arcs that form no
    tree, or do not fit their sentence.
    """
    said, true = list(said), list(true)
    if len(said) != len(true) or not true:
        raise ValueError(f"expected arcs for each sentence, got {len(said)} for {len(true)}")
    words = heads = both = 0
    for number, (ours, theirs) in enumerate(zip(said, true, strict=True)):
        if len(ours) != len(theirs):
            raise ValueError(f"sentence {number} has {len(theirs)} words, got {len(ours)} arcs")
        for arcs in (ours, theirs):
            check_tree([head for head, _ in arcs], f"sentence {number}")
        for (head, relation), (right, name) in zip(ours, theirs, strict=True):
            words += 1
            heads += head == right
            both += head == right and universal(relation) == universal(name)
    return {"uas": heads / words, "las": both / words}


def universal(relation: str | int) -> str:
    """A relation without its subtype.

    >>> universal("nsubj:pass")
    'nsubj'
    """
    return str(relation).partition(":")[0]
