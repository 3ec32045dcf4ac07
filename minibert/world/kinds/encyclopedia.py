"""Encyclopedia entries."""

from minibert.world import phrases

WEIGHT = 18

TEMPLATES = {
    "person is": """
        3| [nsubj {p.full}] is a *{trade} [acl:relcl [nsubj who] lives/VERB [obl in {town}]] .
        2| [nsubj {p.full}] , a [appos {trade}] , *lives/VERB [obl in {town}] .
        """,
    "person likes": """
        2| In his spare time , [nsubj {p.he}] likes [obj {hobby}] .
        """,
}
TEMPLATES["person likes"] = "[nsubj {p.he}] likes [obj {hobby}] ."


def write(w):
    person = w.pick(w.world.adults)
    w.topic = "people"
    w.say("person is", p=person, trade=person.trade, town=person.town)
    w.fact(person, "lives in", person.town)
    w.say("person likes", p=person, hobby=person.hobby)
    phrases.say_agreeing(w, "mail")
