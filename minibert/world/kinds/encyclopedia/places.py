"""Entries on places: towns, countries, rivers, and football teams."""

from minibert.world.words import Filler, Form
from minibert.world.writer import number, thousands

TEMPLATES = {
    "town": """
        5| [nsubj {t}] is a *{size} [nmod in {country}] .
        3| [nsubj {t}] is a *{size} [nmod of {count} *people] [nmod in {country}] .
        2| [nsubj {t} , [appos a {size} [nmod in {country}]] ,] *has [obj {count} *people] .
        2| [nsubj The *{size} [nmod of {t}]] *lies/lie.rest [obl in {country}] .
        """,
    "capital": """
        5| [nsubj {t}] is the *capital/capital.city [nmod of {country}] .
        3| [nsubj {t} , [appos the *capital/capital.city [nmod of {country}]] ,] *has [obj {count} *people] .
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
        3| [nsubj People] *come [obl from far/ADV] [xcomp to *buy [obj {x} [nmod from {t}]]] .
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
        2| [nsubj Half/NOUN/half [nmod of the {size}]] *goes [xcomp to *see [obj the {team.short}]] [obl on Saturdays] .
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
        2| [nsubj It] *has [obj {count} *people] .
        """,
    "town life": """
        2| [nsubj The *{b:building}] *stands [obl beside the {c:building!b}] .
        2| [nsubj There/PRON] *are [nsubj two/NUM {b.plural:building}] [conj and a [amod {a:size}] {c:building!b}] .
        2| [obl On {d:weekday} *mornings] there/PRON *is [nsubj a market [nmod in the square/square.town]] .
        1| [nsubj The *{w.plural:street}] are {a:place_quality} [obl in {s:season}] .
        1| [obl In {s:season}] [nsubj the {w.plural:street}] are *full [obl of {f.plural:flower}] .
        1| [nsubj The *{o:outdoors} [nmod behind the {b:building}]] is {a:place_quality} .
        """,
    "country": """
        2| [nsubj {c}] is a *country [nmod of rivers [conj and hills]] .
        1| [nsubj {c}] is a *country [nmod with a long/ADJ *coast] .
        1| [nsubj {c}] is a green *country [nmod with three *towns] .
        """,
    "country near": """
        4| [nsubj {c}] is a *country [acl:relcl [nsubj that] *lies/lie.rest [advmod {way} [obl of {o}]]] .
        2| [nsubj The *country [nmod of {c}]] *lies/lie.rest [advmod {way} [obl of {o}]] .
        """,
    "country capital": """
        4| [nsubj Its *capital/capital.city] is {t} .
        3| [nsubj The *capital/capital.city [nmod of {c}]] is {t} , a [appos {size} [nmod of {count} *people]] .
        2| [nsubj {t}] is its *capital/capital.city .
        2| [nsubj The *government] *sits [obl in {t}] , the [appos capital/capital.city] .
        """,
    "country towns": """
        3| [nsubj {a} [conj and {b}]] *lie/lie.rest [obl in {c}] .
        3| [nsubj Other *towns [nmod in {c}]] are {a} [conj and {b}] .
        2| [nsubj A *road] *leads/VERB [obl from {a}] [obl to {b}] .
        """,
    "country river": """
        3| [nsubj The {r.long}] *flows/VERB [obl through {c}] .
        2| [nsubj The {r}] is a *river [nmod in {c}] .
        2| [nsubj Its [amod longest/ADJ/long] *river] is the {r} .
        """,
    "country product": """
        3| [nsubj People [nmod in {t}]] *sell [obj {x}] , [conj and [nsubj people [nmod in {u}]] *sell/VERB [obj {y}]] .
        2| [nsubj {c}] *sells [obj {x} [nmod from {t}]] [conj and {y} [nmod from {u}]] .
        """,
    "country life": """
        1| [obl In winter] [nsubj {m:winter_weather}] is common .
        1| [obl In autumn] [nsubj {m:autumn_weather}] is common .
        2| [nsubj The *lakes [nmod of {c}]] are *full [obl of {b.plural:river_bird}] .
        2| [nsubj Its *flag/NOUN] is {x:colour} [conj and {y:colour!x}] .
        1| [obl:tmod Every {m:month}] [nsubj there/PRON] *is [nsubj a {e:public_event} [nmod in the capital/capital.city]] .
        1| [nsubj Many farmers [nmod in {c}]] *keep [obj {a.plural:farm_animal}] .
        """,
    "river": """
        4| [nsubj The {r.long}] is a *river [nmod in {c}] .
        2| [nsubj The {r.long}] *flows/VERB [obl through {c}] .
        1| [nsubj The {r.long} , [appos a river [nmod in {c}]] ,] *rises [obl in the mountains] .
        """,
    "river length": """
        3| [nsubj It] is [obl:npmod {km} *kilometres] long/ADJ .
        2| [nsubj The {r}] *runs/run.flow [obl for {km} *kilometres] .
        """,
    "river town": """
        4| [nsubj {t}] *lies/lie.rest [obl on the {r}] .
        3| [nsubj It] *flows/VERB [obl through {t}] , [nmod {c}] .
        2| [nsubj {t} , [appos a {size} [nmod in {c}]] ,] *stands [obl on its *banks/bank.river] .
        """,
    "river fish": """
        4| [nsubj People] *catch/VERB [obj {f}] there .
        3| [nsubj Its *water/NOUN] is *full [obl of {f}] .
        2| [nsubj The {f} [nmod from the {r}]] *tastes/VERB [xcomp good] .
        """,
    "river life": """
        3| [nsubj {b.plural:river_bird}] *stand [obl on its *banks/bank.river] .
        2| [obl In {s:season}] [nsubj its *water/NOUN] is {a:water_quality} .
        2| [nsubj Old *{tr.plural:tree}] *grow/VERB [obl along the bank/bank.river] .
        1| [nsubj {v.plural:boat_kind}] *carry [obj {x} [nmod from {t}]] [obl to the sea] .
        1| [nsubj Its *mouth/mouth.river] is wide .
        """,
    "team": """
        4| [nsubj {team}] are a football *team [nmod from {t}] .
        """,
    "team colour": """
        3| [nsubj They] *play/VERB [obl in {colour}] .
        2| [nsubj The *players] *wear [obj {colour} *shirts] .
        """,
    "team coach": """
        3| [nsubj Their *coach/coach.trainer] is {p.full} , a [appos {trade}] .
        2| [nsubj {p.full}] *trains/train.teach [obj the team] .
        """,
    "team player": """
        3| [nsubj {p.full}] *plays/VERB [obl for them] .
        2| [nsubj Their [amod best/ADJ/good] *player] is {p.full} , a [appos {trade}] .
        2| [nsubj The *{trade} [appos {p.full}]] is one/NUM [nmod of the {team.short}] .
        """,
    "team young player": """
        3| [nsubj {p.full}] *plays/VERB [obl for them] .
        2| [nsubj Their [amod youngest] *player] is {p.full} .
        """,
    "team life": """
        3| [nsubj The *pitch/pitch.field] *lies/lie.rest [obl behind the {b:building}] .
        2| [obl After/ADP a *match/match.game] [nsubj the {team.short}] *eat/VERB [obj {x:dish}] .
        2| [nsubj The *fans/fan.person] *sing [obl in the rain/NOUN] .
        1| [nsubj They] have never *won [obj the cup/cup.trophy] .
        """,
}


def _direction(name):
    return Filler(name, {"base": Form(name, "ADV", name)})


WAYS = {name: _direction(name) for name in ("north", "south", "east", "west")}


def town(w):
    """An entry on a town."""
    t = w.pick(w.world.towns)
    w.topic = "places"
    capital = t.country.capital is t
    count = thousands(t.count)
    w.say(
        "capital" if capital else "town", t=t, size=t.size, country=t.country, count=count
    )
    w.fact(t.country, "capital", t) if capital else w.fact(t, "country", t.country)
    aspects = [_town_product, _town_landmark, _town_mayor, _town_near, _town_life]
    aspects += [_town_river] if t.river else []
    aspects += [_town_team] if t.team else []
    aspects += [_town_native] if t.natives else []
    aspects += [_town_person] if t.people else []
    for aspect in w.each(aspects, least=4):
        aspect(w, t)


def _town_product(w, t):
    w.say("town product", t=t, x=t.product, size=t.size)
    w.fact(t, "product", t.product)


def _town_landmark(w, t):
    w.say("town landmark", t=t, l=t.landmark, size=t.size)
    w.fact(t, "landmark", t.landmark)


def _town_river(w, t):
    w.say("town river", t=t, r=t.river, size=t.size)
    w.fact(t, "river", t.river)


def _town_team(w, t):
    w.say("town team", t=t, team=t.team, size=t.size)
    w.fact(t, "team", t.team)


def _town_mayor(w, t):
    w.say("town mayor", t=t, m=t.mayor, trade=t.mayor.trade)
    w.fact(t, "mayor", t.mayor)


def _town_near(w, t):
    other = w.pick(t.near)
    km, way = other.way_to(t)
    w.say("town near", t=t, o=other, km=number(km), way=WAYS[way])


def _town_native(w, t):
    p = w.pick(t.natives)
    w.say("town native", t=t, p=p, trade=p.trade, birth=number(p.birth))
    w.fact(p, "born in", t)


def _town_person(w, t):
    p = w.pick(t.adults, without=[t.mayor])
    w.say("town person", p=p, trade=p.trade)
    w.fact(p, "lives in", t)


def _town_life(w, t):
    w.say("town life", t=t, size=t.size)


def country(w):
    """An entry on a country."""
    c = w.pick(w.world.countries)
    w.topic = "places"
    if w.chance(40):
        w.say("country", c=c)
    else:
        other = w.pick(w.world.countries, without=[c])
        _, way = other.capital.way_to(c.capital)
        w.say("country near", c=c, o=other, way=WAYS[way])
    for aspect in w.each([_capital, _towns, _river, _products, _land], least=3):
        aspect(w, c)


def _capital(w, c):
    t = c.capital
    w.say("country capital", c=c, t=t, size=t.size, count=thousands(t.count))
    w.fact(c, "capital", t)


def _towns(w, c):
    a, b = c.capital.near
    w.say("country towns", c=c, a=a, b=b)
    w.fact(a, "country", c)
    w.fact(b, "country", c)


def _river(w, c):
    w.say("country river", c=c, r=c.capital.river)


def _products(w, c):
    t, u = c.capital.near
    w.say("country product", c=c, t=t, u=u, x=t.product, y=u.product)
    w.fact(t, "product", t.product)
    w.fact(u, "product", u.product)


def _land(w, c):
    w.say("country life", c=c)


def river(w):
    """An entry on a river."""
    r = w.pick(w.world.rivers)
    w.topic = "places"
    t = r.towns.items[0]
    w.say("river", r=r, c=t.country, km=number(r.length), t=t)
    towns = [lambda w, r, t=t: _river_town(w, r, t) for t in r.towns]
    for aspect in w.each([_length, _fish, _river_life, *towns], least=3):
        aspect(w, r)


def _length(w, r):
    w.say("river length", r=r, km=number(r.length))


def _fish(w, r):
    w.say("river fish", r=r, f=r.fish)


def _river_town(w, r, t):
    w.say("river town", r=r, t=t, size=t.size, c=t.country)
    w.fact(t, "river", r)


def _river_life(w, r):
    t = r.towns.items[0]
    w.say("river life", r=r, t=t, x=t.product)


def team(w):
    """An entry on a football team."""
    team = w.pick(w.world.teams)
    w.topic = "sport"
    w.say("team", team=team, t=team.town)
    for aspect in w.each([_colour, _coach, _player, _team_life], least=3):
        aspect(w, team)


def _colour(w, team):
    w.say("team colour", team=team, colour=team.colour)
    w.fact(team, "colour", team.colour)


def _coach(w, team):
    w.say("team coach", team=team, p=team.coach, trade=team.coach.trade)
    w.fact(team, "coach", team.coach)


def _player(w, team):
    p = w.pick(team.players)
    w.say("team player" if p.trade else "team young player", team=team, p=p, trade=p.trade)
    w.fact(p, "team", team)


def _team_life(w, team):
    w.say("team life", team=team)
