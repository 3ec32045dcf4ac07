"""Chapter 12: persona, history and reply as one sequence, and how candidates are ranked."""

from collections.abc import Callable
from typing import Any

from minibert.course.learn.compare import array
from minibert.course.learn.exercises.ch12_tried import Tried, like

IGNORE = -100
IDS = {"<bos>": 90, "<eos>": 91, "<speaker1>": 92, "<speaker2>": 93}
WORDS = ("I", "live", "in", "Ilsey", "love", "honey", "hello", "and", "you", "where", "do", "well")
Turns = list[tuple[int, str]]


def encode(text: str) -> list[int]:
    """A number for each word; the first of a text has another, as a GPT's, without a space."""
    return [WORDS.index(word) + (1 if i else 21) for i, word in enumerate(text.split())]


class Layout(Tried):
    id = "12.layout"
    title = "Build: a dialogue as one sequence"
    minutes, difficulty, importance, points = 20, 3, 5, 8
    hints = (
        "Make a list of parts, (speaker, ids), and join them at the end. The persona is a part of "
        '`<speaker1>`, `encode(" ".join(persona))`; so is the reply.',
        "A turn is the token of its speaker, and then its words. `history[-latest:]` are the last "
        "turns.",
        "`token_type_ids` repeats each part's speaker for each of its tokens.",
        "The labels are -100 up to and including the last `<speaker1>`. Then come the reply's own "
        "tokens and `<eos>`, or -100 for a wrong reply.",
    )
    default: Any = {"input_ids": [], "token_type_ids": [], "lm_labels": []}
    right = ("The kinds tell who speaks at each token, and the labels let only the right reply "
             "teach the language model.")  # fmt: skip
    mistakes = (
        ("a wrong reply teaches the language model, too: its labels are -100 throughout.", 5,
         {"gold": True}),
        ("no reply teaches the language model: `gold` ones have labels.", 4, {"gold": False}),
        ("the history has labels, too: only the reply has.", 4, {"labels": "history"}),
        ("the whole sequence has labels: only the reply and its `<eos>` have.", 4,
         {"labels": "all"}),
        ("the `<speaker1>` before the reply has a label, but it is given: the first label is the "
         "reply's first token.", 6, {"labels": "speaker"}),
        ("`<eos>` has no label: a model has to learn where a reply ends.", 6, {"labels": "end"}),
        ("the labels are shifted by one: each stands at its own token. The loss shifts them.", 6,
         {"labels": "shifted"}),
        ("padding of labels is -100, not 0: 0 is a token like any other.", 6, {"ignore": 0}),
        ("`latest` is ignored: only the last turns are read.", 6, {"latest": 99}),
        ("the *first* turns are read: take the last ones.", 5, {"first": True}),
        ("the turns stand in reverse order: the latest comes last.", 5, {"turned": True}),
        ("the two speakers of the history are exchanged: speaker 1 is the one who replies.", 5,
         {"swap": True}),
        ("the kinds of all tokens are `<speaker1>`: a turn of the other is of the kind "
         "`<speaker2>`, its speaker token too.", 4, {"kinds": "one"}),
        ("the token of a turn's speaker has the kind of the turn before: it belongs to its own.",
         5, {"kinds": "before"}),
        ("the kinds are 1 and 2: they are the *ids* of the speakers' tokens, whose vectors are "
         "added.", 5, {"kinds": "numbers"}),
        ("the kinds are 0 and 1, as BERT's: here they are the *ids* of the speakers' tokens.", 5,
         {"kinds": "bert"}),
        ("the persona has a kind of its own: it is the replier's, `<speaker1>`.", 5,
         {"kinds": "persona"}),
        ("the turns have no token of their speaker in front.", 5, {"marks": False}),
        ("`<bos>` is missing.", 6, {"bos": False}),
        ("`<eos>` is missing at the end of the reply.", 6, {"eos": False}),
        ("every turn ends with `<eos>`: only the reply does.", 6, {"ends": True}),
        ("the reply has no `<speaker1>` in front.", 6, {"own": False}),
        ("the persona is missing.", 4, {"persona": "none"}),
        ("only the first sentence of the persona is read.", 5, {"persona": "first"}),
        ("the sentences of the persona are encoded one by one, so no space stands between them: "
         "join them to one text first.", 6, {"persona": "apart"}),
        ("a `<speaker1>` stands in front of the persona, too: there is none.", 6,
         {"persona": "marked"}),
        ("`latest` counts turns, not pairs of turns.", 6, {"pairs": True}),
        ("a turn's token stands behind its words: it comes in front of them.", 5,
         {"marks": "behind"}),
        ("the persona is of the kind `<speaker2>`: it is the replier's, `<speaker1>`.", 5,
         {"kinds": "persona2"}),
        ("the reply is of the kind `<speaker2>`: speaker 1 replies.", 5, {"kinds": "reply2"}),
        ("`<eos>` of a wrong reply has a label: all of its labels are -100.", 5,
         {"labels": "its end"}),
        ("`<bos>` has a kind of its own: it belongs to the persona, `<speaker1>`.", 6,
         {"kinds": "bos"}),
        ("the token in front of the reply is `<speaker2>`: speaker 1 replies.", 6,
         {"own": "other"}),
        ("the marks in front of the turns are exchanged, though not their kinds.", 5,
         {"marks": "exchanged"}),
        ("the speakers are taken in turns: each turn says who speaks, its first part.", 5,
         {"alternate": "read"}),
        ("the speakers are taken in turns: each turn says who speaks, its first part.", 5,
         {"alternate": "all"}),
        ("the history comes before the persona: `<bos>`, persona, history, reply.", 5,
         {"persona": "late"}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        turns: Turns = [(2, "hello"), (1, "hello you"), (2, "where do you live"), (1, "well"),
                        (2, "and you")]  # fmt: skip
        about = ["I live in Ilsey", "I love honey"]
        return [
            (encode, about, turns[:3], "I live in Ilsey", True, 5, IDS),
            (encode, about, turns[:3], "I love honey well", False, 2, IDS),
            (encode, about[:1], turns, "well I love honey", True, 2, IDS),
            (encode, about, turns, "and you", False, 3, IDS),
            (encode, about, [], "hello", True, 3, IDS),
            (encode, about, turns[1:], "well", True, 4, IDS),
            (encode, about[::-1], turns[:4], "do you", True, 3, {n: i + 7 for n, i in IDS.items()}),
        ]

    def form(self, got: Any, case: tuple) -> str:
        names = "input_ids", "token_type_ids", "lm_labels"
        if not isinstance(got, dict) or {*got} != {*names}:
            return f"expected a dictionary with {', '.join(names)}."
        lengths = {name: len(got[name]) for name in names}
        if len({*lengths.values()}) > 1:
            return f"the three lists differ in length: {lengths}."
        if any(label is None for label in got["lm_labels"]):
            return "a token without a label has -100 in `lm_labels`, not None."
        return ""

    def differs(self, got: Any, want: Any) -> str:
        """The first list that differs, and where."""
        name = next(name for name in want if not like(got[name], want[name]))
        if len(got[name]) != len(want[name]):
            return f"`{name}` should have {len(want[name])} numbers, but has {len(got[name])}"
        rows = enumerate(zip(got[name], want[name], strict=True))
        at, (a, b) = next((i, pair) for i, pair in rows if int(pair[0]) != pair[1])
        return f"`{name}` has {int(a)} at position {at}, but should have {b}"

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> dict[str, list[int]]:
        """The three rows of a case."""
        encode, persona, history, reply, gold, latest, ids = case
        one, two = ids["<speaker1>"], ids["<speaker2>"]
        names = {1: two, 2: one} if how.get("swap") else {1: one, 2: two}
        eos = [] if how.get("eos") is False else [ids["<eos>"]]
        about = cls.about(encode, persona, ids, how)
        latest = how.get("latest", 2 * latest if how.get("pairs") else latest)
        turns = history[:latest] if how.get("first") else history[-latest:]
        if how.get("alternate") == "all":
            turns = [(2 - i % 2, text) for i, (_, text) in enumerate(history)][-latest:]
        if how.get("alternate") == "read":
            turns = [(2 - i % 2, text) for i, (_, text) in enumerate(turns)]
        parts = []
        for who, text in turns[::-1] if how.get("turned") else turns:
            speaker = names[who]
            mark = [names[3 - who] if how.get("marks") == "exchanged" else speaker]
            mark = mark if how.get("marks", True) else []
            words = encode(text) + mark if how.get("marks") == "behind" else mark + encode(text)
            parts.append((speaker, words + (eos if how.get("ends") else [])))
        parts.insert(1 if how.get("persona") == "late" and parts else 0, (one, about))
        own = {True: [one], False: [], "other": [two]}
        parts.append((one, own[how.get("own", True)]))
        end = encode(reply) + eos
        row = [i for _, part in parts for i in part]
        found = {"input_ids": row + end, "token_type_ids": cls.kinds(parts, len(end), ids, how)}
        return found | {"lm_labels": cls.labels(row, end, parts, how.get("gold", gold), how=how)}

    @staticmethod
    def about(encode: Callable, persona: list[str], ids: dict, how: dict) -> list[int]:
        way = how.get("persona")
        ways = {"none": [], "first": persona[:1], "apart": persona}
        read = ways.get(way or "", [" ".join(persona)])
        begin = [ids["<bos>"]] if how.get("bos", True) else []
        begin += [ids["<speaker1>"]] if way == "marked" else []
        return begin + [i for text in read for i in encode(text)]

    @staticmethod
    def kinds(parts: list, more: int, ids: dict, how: dict) -> list[int]:
        """The speaker of each token."""
        way, one = how.get("kinds"), parts[-1][0]
        row = [who for who, part in parts for _ in part] + [one] * more
        if way == "before":
            row = row[:1] + row[:-1]
        if way == "bos":
            row[0] = ids["<bos>"]
        if way == "persona":
            row[: len(parts[0][1])] = [ids["<bos>"]] * len(parts[0][1])
        if way in ("persona2", "reply2"):
            count = len(parts[0][1]) if way == "persona2" else more
            part = slice(0, count) if way == "persona2" else slice(len(row) - count, None)
            row[part] = [ids["<speaker2>"]] * count
        numbers = {"one": (one, one), "numbers": (1, 2), "bert": (0, 1)}.get(way or "")
        return row if numbers is None else [numbers[who != one] for who in row]

    @staticmethod
    def labels(row: list, end: list, parts: list, gold: bool, *, how: dict) -> list[int]:
        """-100, and the tokens that the language model learns from."""
        way, none = how.get("labels"), how.get("ignore", IGNORE)
        found = [none] * len(row) + (end if gold else [none] * len(end))
        if way == "all" and gold:
            return row + end
        if way == "history" and gold:
            start = len(parts[0][1])
            return [none] * start + row[start:] + end
        if way == "speaker" and gold:
            found[len(row) - 1] = row[-1]
        if way in ("end", "its end"):
            found[-1] = none if way == "end" else end[-1]
        return [*found[1:], none] if way == "shifted" else found


class Hits(Tried):
    id = "12.hits"
    title = "Which place has the right reply?"
    minutes, difficulty, importance, points = 8, 2, 4, 4
    hints = (
        "The place of the right reply is one plus the number of *other* candidates that are at "
        "least as good.",
        "`max` or `argmax` gives the first of several equal ones. What if that is the right one "
        "by chance?",
        "hits@1 is the share of places that are 1, MRR the mean of 1 / place.",
    )
    default = (0.0, 0.0)
    right = "A model that gives all candidates the same score has not chosen: it gets no hit."
    mistakes = (
        ("a tie counts as a hit: what is equal to the right reply stands before it.", 2,
         {"tie": "kind"}),
        ("a tie counts half: what is equal to the right reply stands before it.", 2,
         {"tie": "half"}),
        ("of equal scores the first wins: the order of the candidates decides.", 2,
         {"tie": "first"}),
        ("of equal scores the last wins: the order of the candidates decides.", 2,
         {"tie": "last"}),
        ("a tie is no hit here, but for MRR it still counts as the better place.", 3,
         {"tie_mrr": "kind"}),
        ("a tie still counts as a hit; only MRR puts it behind.", 3, {"tie_hits": "kind"}),
        ("of equal scores the first is the hit: the order of the candidates decides.", 3,
         {"tie_hits": "first"}),
        ("of equal scores the last is the hit: the order of the candidates decides.", 3,
         {"tie_hits": "last"}),
        ("MRR is a mean: divide the sum by the number of rows.", 3, {"mrr": "sum"}),
        ("a higher score is better: the ranking is turned round.", 2, {"low": True}),
        ("places begin at 1, not at 0.", 2, {"from": 0}),
        ("the right reply is counted among those that stand before it: count the *other* "
         "candidates, and add one.", 2, {"from": 2}),
        ("that is divided by the number of candidates: divide by the number of exchanges.", 3,
         {"by": "candidates"}),
        ("the mean place is no reciprocal rank: take the mean of 1 / place.", 2, {"mrr": "mean"}),
        ("that is one over the mean place: take the mean of 1 / place.", 2, {"mrr": "turned"}),
        ("MRR counts the first place only: a right reply in the second place gives 1/2.", 2,
         {"mrr": "hits"}),
        ("that is the number of hits: divide by the number of rows.", 3, {"hits": "count"}),
        ("a share lies between 0 and 1: no percent.", 3, {"hits": "percent"}),
        ("the right reply is not always the last: its place in the row is in `right`.", 2,
         {"at": -1}),
        ("the right reply is not always the first: its place in the row is in `right`.", 2,
         {"at": 0}),
        ("the two are exchanged: hits@1 first, then MRR.", 3, {"swap": True}),
        ("that is hits@2: only the first place is a hit.", 2, {"hits": "two"}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        return [
            ([[0.2, 0.9, 0.1, 0.4], [0.5, 0.5, 0.1, 0.5], [1.0, 0.3, 0.2, 0.8],
              [0.1, 0.4, 0.6, 0.3], [0.0, 0.7, 0.7, -1.0]], [1, 0, 3, 3, 2]),
            ([[-3.0, -3.0], [-1.0, -2.0], [-5.0, -4.0], [-7.0, -7.0]], [1, 0, 0, 0]),
            ([[1.0, 2.0, 3.0, 4.0, 4.0]], [4]),
            ([[5.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 9.0, 9.5]], [0, 1, 0]),
        ]  # fmt: skip

    def form(self, got: Any, case: tuple) -> str:
        numbers = array(got)
        pair = numbers is not None and numbers.shape == (2,)
        return "" if pair else "expected two numbers: hits@1, and the mean reciprocal rank."

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> tuple[float, float]:
        """(hits@1, mean reciprocal rank)."""
        scores, right = case
        for name, at in (("tie_mrr", 1), ("tie_hits", 0)):
            if name in how:
                kind = cls.solve(*case, tie=how[name])
                return (kind[0], cls.solve(*case)[1]) if at == 0 else (cls.solve(*case)[0], kind[1])
        places = [
            cls.place(row, how.get("at", at), how) for row, at in zip(scores, right, strict=True)
        ]
        count = len(places)
        hits = sum(place <= 1 for place in places) / count
        kind = how.get("hits")
        if kind == "two":
            hits = sum(place <= 2 for place in places) / count
        hits *= {"count": count, "percent": 100}.get(kind or "", 1)
        places = [place - 1 + how.get("from", 1) for place in places]
        mrr = sum(1 / place if place else 0.0 for place in places) / count
        if "from" in how:
            hits = sum(place == 1 for place in places) / count
        mean = sum(places) / count
        turned = 1 / mean if mean else 0.0
        if how.get("by"):
            hits, mrr = hits * count / len(scores[0]), mrr * count / len(scores[0])
        ways = {"sum": mrr * count, "mean": mean, "turned": turned, "hits": hits}
        mrr = ways.get(how.get("mrr", ""), mrr)
        return (mrr, hits) if how.get("swap") else (hits, mrr)

    @staticmethod
    def place(row: list[float], at: int, how: dict) -> float:
        """The place of the right candidate of a row."""
        at = at % len(row)
        row = [-x for x in row] if how.get("low") else row
        above = sum(x > row[at] for x in row)
        equal = [i for i, x in enumerate(row) if x == row[at] and i != at]
        before = {
            "kind": 0,
            "half": len(equal) / 2,
            "first": sum(i < at for i in equal),
            "last": sum(i > at for i in equal),
        }
        return 1 + above + before.get(how.get("tie", ""), len(equal))
