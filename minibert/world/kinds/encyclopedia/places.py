"""Entries on places: towns, countries, rivers, and football teams."""

from minibert.world.words import Filler, Form
from minibert.world.writer import number

TEMPLATES = {
    "town": """
        5| [nsubj {t}] is a *{size} [nmod in {country}] .
        3| [nsubj {t}] is a *{size} [nmod of {count} people] [nmod in {country}] .
        2| [nsubj {t} , [appos a {size} [nmod in {country}]] ,] *has [obj {count} people] .
        2| [nsubj The *{size} [nmod of {t}]] *lies/lie.rest [obl in {country}] .
        """,
    "capital": """
        5| [nsubj {t}] is the *capital/capital.city [nmod of {country}] .
        3| [nsubj {t} , [appos the *capital/capital.city [nmod of {country}]] ,] *has [obj {count} people] .
        2| [nsubj The *capital/capital.city [nmod of {country}]] is {t} .
        1| [nsubj The [amod largest] *city [nmod in {country}]] is its *capital/capital.city [appos {t}] .
        """,
    "town river": """
        4| [nsubj It] *lies/lie.rest [obl on the {r.long}] .
        3| [nsubj The {r}] *flows/VERB [obl through the {size}] .
        2| [nsubj The {r.long}] *divides/VERB [obj the {size}] [obl into two halves/NOUN] .
        2| [nsubj Its *houses] *stand [obl on both banks/bank.river [nmod of the {r}]] .
        1| [nsubj Children] *swim [obl in the {r}] [obl in summer] .
        1| [nsubj The *bank/bank.river [nmod of the {r}]] is a good *place/NOUN [nmod for a picnic] .
        """,
    "town product": """
        4| [nsubj:pass It] is *known [obl for its {x}] .
        3| [nsubj People] *come [obl from far] [xcomp to *buy [obj {x} [nmod from {t}]]] .
        2| [nsubj The {size}] is *famous [obl for {x}] .
        2| [nsubj Every *family [nmod in {t}]] *knows [obj something [nmod about {x}]] .
        """,
    "town landmark": """
        4| [nsubj The [amod old] *{l}] is its [amod best-known/ADJ] *landmark/NOUN .
        3| [nsubj Visitors] *like/VERB [xcomp to see [obj the {l}]] .
        2| [nsubj A {l}] *stands [obl in the middle/NOUN [nmod of the {size}]] .
        2| [obl From the {l}] [nsubj one] *can see [obj the whole/ADJ *{size}] .
        """,
    "town team": """
        3| [nsubj Its [amod football/NOUN] *team] is *called/VERB [xcomp {team}] .
        2| [nsubj Half/half.part [nmod of the {size}]] *goes [xcomp to *see [obj the {team.short}]] [obl on Saturdays] .
        2| [obl On the playing/ADJ field] [obl near the {w:building}] [nsubj {team}] *play/VERB [obj their matches/match.game] .
        """,
    "town mayor": """
        3| [nsubj Its *mayor] is {m.full} .
        2| [nsubj The *mayor [appos {m.full}]] *works/VERB [obl as a {trade}] .
        2| [nsubj {m.full} , [appos a {trade}] ,] is *mayor [nmod of {t}] .
        """,
    "town near": """
        4| [nsubj It] *lies/lie.rest [obl:npmod {km} *kilometres] [advmod {way} [obl of {o}]] .
        3| [nsubj {o}] is [obl:npmod {km} *kilometres] away .
        2| [nsubj A *road] *leads/VERB [obl to {o}] , [parataxis [obl:npmod {km} *kilometres] *away] .
        1| [nsubj A *bus] *goes [obl from {t}] [obl to {o}] [obl:tmod every {d:day_part}] .
        """,
    "town native": """
        3| [nsubj:pass {p.full} , [appos the {trade}] ,] was *born there .
        2| [nsubj:pass The *{trade} [appos {p.full}]] was *born [obl in {t}] [obl in {birth}] .
        """,
    "town person": """
        3| [nsubj One [nmod of its people]] is {p.full} , a [appos {trade}] .
        2| [nsubj The *{trade} [appos {p.full}]] *lives/VERB there .
        """,
    "town people": """
        3| [nsubj {count} *people] *live/VERB there .
        2| [nsubj It] *has [obj {count} people] .
        """,
    "town life": """
        2| [nsubj The *{b:building}] *stands [obl beside the {c:building!b}] .
        2| [nsubj There/PRON] *are [nsubj two/NUM {b.plural:building}] [conj and a [amod {a:size}] {c:building!b}] .
        2| [obl On {d:weekday} *mornings] there/PRON *is [nsubj a market [nmod in the {w:way}]] .
        1| [nsubj Its {w.plural:way}] are {a:place_quality} [conj and its {o.plural:outdoors} {z:place_quality!a}] .
        1| [obl In {s:season}] [nsubj the {w.plural:way}] are *full [obl of {f.plural:flower}] .
        1| [nsubj The *{o:outdoors} [nmod behind the {b:building}]] is {a:place_quality} .
        """,
    "country": """
        4| [nsubj {c}] is a *country [nmod [amod {e}] of the sea] .
        """,
}


def _direction(name):
    return Filler(name, {"base": Form(name, "ADV", name)})


WAYS = {name: _direction(name) for name in ("north", "south", "east", "west")}
