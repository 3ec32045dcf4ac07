"""Entries on places: towns, countries, rivers, and football teams."""

from minibert.world.kinds import read_templates
from minibert.world.places import Country, River, Team, Town
from minibert.world.words import Filler, Form
from minibert.world.writer import Writer, number, thousands

TEMPLATES = read_templates(__file__)


def _direction(name: str) -> Filler:
    return Filler(name, {"base": Form(name, "ADV", name)})


WAYS = {name: _direction(name) for name in ("north", "south", "east", "west")}


def town(w: Writer) -> None:
    """An entry on a town."""
    t = w.pick(w.world.towns)
    w.topic = "places"
    capital = t.country.capital is t
    count = thousands(t.count)
    w.say("capital" if capital else "town", t=t, size=t.size, country=t.country, count=count)
    w.fact(t.country, "capital", t) if capital else w.fact(t, "country", t.country)
    aspects = [_town_product, _town_landmark, _town_mayor, _town_near, _town_life]
    aspects += [_town_river] if t.river else []
    aspects += [_town_team] if t.team else []
    aspects += [_town_native] if t.natives else []
    aspects += [_town_person] if t.people else []
    for aspect in w.each(aspects, least=5, stop=20):
        aspect(w, t)


def _town_product(w: Writer, t: Town) -> None:
    w.say("town product", t=t, x=t.product, size=t.size)
    w.fact(t, "product", t.product)


def _town_landmark(w: Writer, t: Town) -> None:
    w.say("town landmark", t=t, l=t.landmark, size=t.size)
    w.fact(t, "landmark", t.landmark)


def _town_river(w: Writer, t: Town) -> None:
    w.say("town river", t=t, r=t.river, size=t.size)
    w.fact(t, "river", t.river)


def _town_team(w: Writer, t: Town) -> None:
    w.say("town team", t=t, team=t.team, size=t.size)
    w.fact(t, "team", t.team)


def _town_mayor(w: Writer, t: Town) -> None:
    w.say("town mayor", t=t, m=t.mayor, trade=t.mayor.trade)
    w.fact(t, "mayor", t.mayor)


def _town_near(w: Writer, t: Town) -> None:
    other = w.pick(t.near)
    km, way = other.way_to(t)
    w.say("town near", t=t, o=other, km=number(km), way=WAYS[way])


def _town_native(w: Writer, t: Town) -> None:
    p = w.pick(t.natives)
    w.say("town native", t=t, p=p, trade=p.trade, birth=number(p.birth))
    w.fact(p, "born in", t)


def _town_person(w: Writer, t: Town) -> None:
    p = w.pick(t.adults, without=[t.mayor])
    w.say("town person", p=p, trade=p.trade)
    w.fact(p, "lives in", t)


def _town_life(w: Writer, t: Town) -> None:
    w.say("town life", t=t, size=t.size)


def country(w: Writer) -> None:
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


def _capital(w: Writer, c: Country) -> None:
    t = c.capital
    w.say("country capital", c=c, t=t, size=t.size, count=thousands(t.count))
    w.fact(c, "capital", t)


def _towns(w: Writer, c: Country) -> None:
    a, b = c.capital.near
    w.say("country towns", c=c, a=a, b=b)
    w.fact(a, "country", c)
    w.fact(b, "country", c)


def _river(w: Writer, c: Country) -> None:
    w.say("country river", c=c, r=c.capital.river)


def _products(w: Writer, c: Country) -> None:
    t, u = c.capital.near
    w.say("country product", c=c, t=t, u=u, x=t.product, y=u.product)
    w.fact(t, "product", t.product)
    w.fact(u, "product", u.product)


def _land(w: Writer, c: Country) -> None:
    w.say("country life", c=c)


def river(w: Writer) -> None:
    """An entry on a river."""
    r = w.pick(w.world.rivers)
    w.topic = "places"
    t = r.towns.items[0]
    w.say("river", r=r, c=t.country, km=number(r.length), t=t)
    towns = [lambda w, r, t=t: _river_town(w, r, t) for t in r.towns]
    for aspect in w.each([_length, _fish, _river_life, *towns], least=3):
        aspect(w, r)


def _length(w: Writer, r: River) -> None:
    w.say("river length", r=r, km=number(r.length))


def _fish(w: Writer, r: River) -> None:
    w.say("river fish", r=r, f=r.fish)


def _river_town(w: Writer, r: River, t: Town) -> None:
    w.say("river town", r=r, t=t, size=t.size, c=t.country)
    w.fact(t, "river", r)


def _river_life(w: Writer, r: River) -> None:
    t = r.towns.items[0]
    w.say("river life", r=r, t=t, x=t.product)


def team(w: Writer) -> None:
    """An entry on a football team."""
    team = w.pick(w.world.teams)
    w.topic = "sport"
    w.say("team", team=team, t=team.town)
    for aspect in w.each([_colour, _coach, _player, _team_life], least=3):
        aspect(w, team)


def _colour(w: Writer, team: Team) -> None:
    w.say("team colour", team=team, colour=team.colour)
    w.fact(team, "colour", team.colour)


def _coach(w: Writer, team: Team) -> None:
    w.say("team coach", team=team, p=team.coach, trade=team.coach.trade)
    w.fact(team, "coach", team.coach)


def _player(w: Writer, team: Team) -> None:
    p = w.pick(team.players)
    w.say("team player" if p.trade else "team young player", team=team, p=p, trade=p.trade)
    w.fact(p, "team", team)


def _team_life(w: Writer, team: Team) -> None:
    w.say("team life", team=team)
