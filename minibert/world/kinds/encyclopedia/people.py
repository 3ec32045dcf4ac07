"""Entries on people: who they are, what they do, whom and what they love."""

from minibert.world.writer import number

TEMPLATES = {
    "person": """
        8| [nsubj {p.full}] is a *{trade} [nmod in {town}] .
        3| [nsubj {p.full}] *works/VERB [obl as a {trade}] [obl in {town}] .
        2| [nsubj {p.full}] , a [appos {trade}] , *lives/VERB [obl in {town}] , [nmod {country}] .
        2| [nsubj A well-known/ADJ *face/face.body [nmod in {town}]] is the *{trade} [appos {p.full}] .
        1| [nsubj Everybody [nmod in {town}]] *knows [obj the {trade} [appos {p.full}]] .
        """,
    "person born": """
        4| [nsubj {p.full} [acl ( *born [obl in {birth}] )]] is a *{trade} [nmod in {town}] .
        2| [nsubj {p.full} , [acl *born [obl in {born}] [obl in {birth}]] ,] is a *{trade} [nmod in {town}] .
        """,
    "child": """
        4| [nsubj {p.full}] is a *{p.boy} [nmod of {age.word}] [acl:relcl [nsubj who] lives/VERB [obl in {town}]] .
        3| [nsubj {p.full}] *goes [obl to school] [obl in {town}] .
        2| [nsubj {p.full}] is [obl:npmod {age.word} *years] *old/ADJ [conj and *lives/VERB [obl in {town}]] .
        2| [nsubj {p.full} , [appos a {p.boy} [nmod of {age.word}]] ,] *lives/VERB [obl in {town}] .
        """,
    "birth": """
        4| [nsubj:pass {p.he}] was *born [obl in {born}] [obl in {birth}] .
        3| [nsubj:pass {p.first}] was *born [obl in {birth}] [obl in {born}] .
        2| [obl In {birth}] , [nsubj:pass {p.he}] was *born [obl in {born}] , a [appos {size} [nmod in {country}]] .
        2| [nsubj {p.he}] comes [obl from {born}] [conj and was *born [obl in {birth}]] .
        """,
    "birth at home": """
        4| [nsubj:pass {p.he}] was *born there [obl in {birth}] .
        3| [nsubj:pass {p.first}] was *born [obl in the same {size}] [obl in {birth}] .
        2| [nsubj {p.he}] has *lived there [obl since {birth}] .
        """,
    "work": """
        6| [nsubj {p.he}] *{does} .
        3| [nsubj {p.first}] *{does} .
        2| [obl As/ADP a {trade}] , [nsubj {p.he}] *{does} .
        2| [nsubj People] *know/VERB [obj {p.him}] [obl as the *{trade} [acl:relcl [nsubj who] *{does}]] .
        2| [obl At work/NOUN] [nsubj {p.he}] *{does} .
        1| [nsubj {p.he}] says [ccomp that [nsubj a *{trade} [acl:relcl [nsubj who] *{does}]] *sleeps [advmod well/ADV]] .
        """,
    "person mayor": """
        3| [nsubj {p.he}] is also the *mayor [nmod of {town}] .
        2| [nsubj {p.first}] has [obj another job/NOUN] : [parataxis [nsubj {p.he}] is *mayor [nmod of {town}]] .
        """,
    "spouse": """
        4| [nsubj {p.he}] is *married/ADJ [obl to {s.full}] .
        3| [nsubj {p.his} *{s.husband}] is {s.full} .
        2| [nsubj {p.his} *{s.husband} [appos {s.first}]] is a *{trade} .
        2| [nsubj {p.first}] lives/VERB [obl with {p.his} *{s.husband} [appos {s.full}]] .
        """,
    "couple with one": """
        3| [nsubj {p.he} [conj and {p.his} *{s.husband} [appos {s.first}]]] *have/VERB [obj one/NUM {a.son} , [appos {a.first}]] .
        2| [nsubj {p.he}] lives/VERB [obl with {p.his} *{s.husband} [appos {s.full}] [conj and their *{a.son} [appos {a.first}]]] .
        """,
    "couple with more": """
        3| [nsubj {p.he} [conj and {p.his} *{s.husband} [appos {s.first}]]] *have/VERB [obj {n.word} children] .
        2| [obl With {p.his} *{s.husband} [appos {s.full}]] [nsubj {p.he}] has *brought [compound:prt up] [obj {n.word} children] .
        """,
    "one child": """
        3| [nsubj {p.he}] has [obj one/NUM {a.son} , [appos {a.first}]] .
        2| [nsubj {p.his} only/ADJ *child] is {a.full} .
        """,
    "two children": """
        3| [nsubj {p.he}] has [obj two/NUM children , [appos {a.first} [conj and {b.first}]]] .
        2| [nsubj {p.his} *children] are {a.full} [conj and {b.full}] .
        """,
    "three children": """
        3| [nsubj {p.he}] has [obj three/NUM children , [appos {a.first} , [conj {b.first}] [conj and {c.first}]]] .
        2| [nsubj {p.his} three/NUM *children] are *called/VERB [xcomp {a.first} , [conj {b.first}] [conj and {c.first}]] .
        """,
    "parents": """
        3| [nsubj {p.he}] is the *{p.son} [nmod of {a.full} [conj and {b.full}]] .
        2| [nsubj {p.his} *parents] are {a.full} [conj and {b.full}] .
        2| [nsubj {p.his} *{a.father}] is {a.full} , a [appos {trade}] .
        """,
    "sibling": """
        3| [nsubj {p.he}] has [obj a {a.brother} *called/VERB] [xcomp {a.first}] .
        2| [nsubj {p.his} *{a.brother}] is {a.full} .
        2| [nsubj {p.first}] is the *{p.brother} [nmod of {a.full}] .
        """,
    "pet": """
        4| [nsubj {p.he}] has [obj a {animal} [acl called/VERB [xcomp {pet}]]] .
        2| [nsubj {p.his} *{animal} [appos {pet}]] is *famous [obl in {town}] .
        2| [nsubj {p.his} *{animal}] is *called/VERB [xcomp {pet}] .
        1| [nsubj {pet} , [appos {p.his} *{animal}] ,] *sleeps [obl under {p.his} *bed/bed.furniture] .
        """,
    "food": """
        3| [nsubj {p.his} [amod favourite/ADJ] *food] is {food} .
        3| [nsubj {p.he}] *likes [obj nothing [amod better [obl than {food}]]] .
        2| [nsubj {p.he}] *could eat/VERB [obj {food}] [obl:tmod every day] .
        1| [nsubj Nothing] makes [obj {p.him}] [xcomp happier/ADJ] [obl than {food}] .
        1| [obl On {p.his} *birthday] [nsubj {p.he}] asks [obl for {food}] .
        2| [nsubj {p.first}] never says [obj no/INTJ] [obl to {food}] .
        """,
    "hobby": """
        3| [obl In {p.his} free/free.costless *time] , [nsubj {p.he}] *enjoys [obj {hobby}] .
        3| [nsubj {p.his} *hobby/NOUN] is {hobby} .
        2| [nsubj {p.he}] *spends [obj every {d:weekday}] [obl on {hobby}] .
        1| [nsubj {p.first}] *learned [obj {hobby}] [obl as a {p.boy}] .
        1| [nsubj Nobody [nmod in {p.his} *family]] *likes [obj {hobby}] [advmod more/ADV] .
        1| [nsubj {p.his} [amod great/ADJ] *love/NOUN] is {hobby} .
        2| [nsubj {p.he}] *loves/VERB [obj {hobby}] [advmod more/ADV [obl than anything]] .
        1| [obl On {d:weekday} *evenings] [nsubj {p.first}] *has [obj time [nmod for {hobby}]] .
        """,
    "plays for": """
        3| [nsubj {p.he}] *plays/VERB [obj football] [obl for {team}] .
        2| [obl On Saturdays] [nsubj {p.he}] *plays/VERB [obl for {team}] .
        2| [nsubj {p.first}] is a *player [nmod for the {team.short}] , [appos a football *team [nmod in {home}]] .
        """,
    "coaches": """
        2| [nsubj {p.he}] is the *coach/coach.trainer [nmod of {team}] .
        1| [nsubj The [amod best/ADJ/good] *players [nmod in {home}]] *listen [obl to {p.him}] : [parataxis [nsubj {p.he}] is the *coach/coach.trainer [nmod of {team}]] .
        """,
    "made film": """
        3| [nsubj {p.he}] *made [obj the *film [appos {work}]] [obl in {year}] .
        2| [nsubj {p.he}] is the *director [nmod of {work}] , [appos a {kind}] .
        1| [obl In {year}] [nsubj {p.he}] *made [obj {work} , [appos a {kind}]] .
        """,
    "made book": """
        3| [nsubj {p.he}] *wrote [obj the *book/book.work [appos {work}]] [obl in {year}] .
        2| [nsubj {p.he}] is the *author [nmod of {work}] .
        1| [obl In {year}] [nsubj {p.he}] *finished [obj {work}] .
        """,
    "star": """
        3| [nsubj {p.he}] is the *star/star.film [nmod of {work}] , [appos a {kind} [nmod by {maker.full}]] .
        2| [obl In {year}] [nsubj {p.he}] *played [obj a part/part.role [nmod in {work}]] .
        """,
    "remark": """
        3| [nsubj People] *talk/VERB [obl about {p.his} *{v.ness:virtue}] .
        3| [nsubj {p.he}] is {a:merit} [conj but {b:fault}] .
        2| [nsubj {p.his} *neighbours] *call/VERB [obj {p.him}] [xcomp {a:merit} [conj and {b:merit!a}]] .
        2| [nsubj Nobody] has *seen [obj {p.him}] [obl without a {x:clothing}] .
        2| [nsubj Nobody [nmod in {town}]] is *as/ADV [amod {v:virtue}] .
        1| [nsubj {p.first}] *owns/VERB [obj [nummod three/NUM] {x.plural:instrument} [conj and a [amod {c:colour}] {y:clothing}]] .
        1| [nsubj {p.his} *house] is *full [obl of {x.plural:treasure} [conj and {y.plural:kitchen_thing}]] .
        1| [nsubj {p.he}] never leaves/leave.go [obj the house] [obl without a {x:treasure}] .
        """,
}


def person(w):
    """An entry on a grown person."""
    p = w.pick(w.world.adults)
    w.topic = "people"
    dated = w.chance(25)
    facts = {"birth": number(p.birth), "born": p.born, "country": p.town.country}
    w.say("person born" if dated else "person", p=p, trade=p.trade, town=p.town, **facts)
    w.fact(p, "trade", p.trade)
    w.fact(p, "lives in", p.town)
    if not dated and w.chance(60):
        _birth(w, p)
    for aspect in w.each(_aspects(w, p), least=4):
        aspect(w, p)
    if w.chance(50):
        w.say("remark", p=p, town=p.town)


def child(w):
    """An entry on a child."""
    p = w.pick(w.world.children)
    w.topic = "people"
    w.say("child", p=p, town=p.town, age=number(p.age))
    w.fact(p, "lives in", p.town)
    if w.chance(60):
        _birth(w, p)
    for aspect in w.each(_aspects(w, p), least=2):
        aspect(w, p)


def _aspects(w, p):
    """What there is to say about somebody, as functions of the writer and the person."""
    return [
        aspect
        for aspect, there in (
            (_work, p.trade),
            (_mayor, p.town.mayor is p),
            (_family, p.spouse and p.children),
            (_spouse, p.spouse and not p.children),
            (_parents, p.parents),
            (_sibling, p.siblings),
            (_pet, p.pet),
            (_food, True),
            (_hobby, True),
            (_team, p.team),
            (_coach, p.coached),
            (_made, p.works),
            (_star, p.roles),
        )
        if there
    ]


def _birth(w, p):
    where = "birth at home" if p.born is p.town else "birth"
    places = {"born": p.born, "size": p.born.size, "country": p.born.country}
    w.say(where, p=p, birth=number(p.birth), **places)
    w.fact(p, "birth year", p.birth)
    w.fact(p, "born in", p.born)


def _work(w, p):
    w.say("work", p=p, trade=p.trade, does=w.phrase(f"does {p.trade.name}"))
    w.fact(p, "trade", p.trade)


def _mayor(w, p):
    w.say("person mayor", p=p, town=p.town)
    w.fact(p.town, "mayor", p)


def _spouse(w, p):
    w.say("spouse", p=p, s=p.spouse, trade=p.spouse.trade)
    w.fact(p, "spouse", p.spouse)


def _family(w, p):
    """Wife or husband and children, in one sentence or in two."""
    w.fact(p, "spouse", p.spouse)
    if w.chance(40):
        many = "couple with one" if len(p.children) == 1 else "couple with more"
        w.say(many, p=p, s=p.spouse, a=p.children[0], n=number(len(p.children)))
        return
    w.say("spouse", p=p, s=p.spouse, trade=p.spouse.trade)
    names = dict(zip("abc", p.children, strict=False))
    w.say(("one child", "two children", "three children")[len(names) - 1], p=p, **names)
    for other in p.children:
        w.fact(p, "child", other)


def _parents(w, p):
    a, b = p.parents
    w.say("parents", p=p, a=a, b=b, trade=a.trade)
    w.fact(a, "child", p)


def _sibling(w, p):
    w.say("sibling", p=p, a=p.siblings[0])


def _pet(w, p):
    w.say("pet", p=p, pet=p.pet, animal=p.pet.animal, town=p.town)
    w.fact(p, "pet", p.pet)


def _food(w, p):
    w.say("food", p=p, food=p.food)
    w.fact(p, "food", p.food)


def _hobby(w, p):
    w.say("hobby", p=p, hobby=p.hobby)
    w.fact(p, "hobby", p.hobby)


def _team(w, p):
    w.say("plays for", p=p, team=p.team, home=p.team.town)
    w.fact(p, "team", p.team)


def _coach(w, p):
    w.say("coaches", p=p, team=p.coached, home=p.coached.town)
    w.fact(p.coached, "coach", p)


def _made(w, p):
    work = w.pick(p.works)
    made = "made film" if work.star else "made book"
    w.say(made, p=p, work=work, kind=work.kind, about=work.about, year=number(work.year))
    w.fact(work, "director" if work.star else "author", p)


def _star(w, p):
    work = w.pick(p.roles)
    w.say("star", p=p, work=work, kind=work.kind, maker=work.maker, year=number(work.year))
    w.fact(work, "star", p)
