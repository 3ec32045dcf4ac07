"""``hint``, ``solution`` and ``quiz``: help on request, a little at a time."""

from collections import Counter

from minibert.course.learn.exercise import Choice, Exercise, Quiz, Written, find, solution_text
from minibert.course.learn.messages import fenced, say, say_markdown, show

_GIVEN: Counter[str] = Counter()  # exercise id -> hints given so far in this kernel


def hint(exercise_id: str, number: int | None = None) -> None:
    """Show the next hint of an exercise, or hint ``number`` (from 1). Never raises."""
    exercise = _look_up(exercise_id, Exercise)
    if exercise is None:
        return
    asked = number or _GIVEN[exercise_id] + 1
    if not 1 <= asked <= len(exercise.hints):
        end = f"There are {len(exercise.hints)} hints; "
        say("note", exercise.title, f'{end}`mb.course.solution("{exercise_id}")` shows an answer.')
        return
    _GIVEN[exercise_id] = max(_GIVEN[exercise_id], asked)
    heading = f"Hint {asked} of {len(exercise.hints)} · {exercise.title}"
    say_markdown(heading, exercise.hints[asked - 1])


def solution(exercise_id: str) -> None:
    """Show one solution of an exercise. Never raises."""
    exercise = _look_up(exercise_id, Exercise)
    if exercise is None:
        return
    try:
        text = solution_text(exercise_id)
    except FileNotFoundError as error:
        say("note", exercise.title, str(error))
        return
    written = isinstance(exercise, Written)
    say_markdown(f"Solution · {exercise.title}", text if written else fenced(text))


def quiz(quiz_id: str) -> None:
    """Ask a quiz with buttons; each choice, when clicked, says why it is right or wrong.

    Without ipywidgets the question and its choices are printed.
    """
    item = _look_up(quiz_id, Quiz)
    if item is None:
        return
    try:
        buttons = _buttons(item)
    except ImportError:
        buttons = None
    show(_plain(item), buttons and {**buttons._repr_mimebundle_(), "text/html": _still(item)})


def lettered(item: Quiz) -> list[tuple[str, Choice]]:
    """Pairs of ("A", choice), ("B", choice) ..."""
    return [(chr(ord("A") + i), choice) for i, choice in enumerate(item.choices)]


def verdict(choice: Choice) -> str:
    """The word before an explanation."""
    return "✓ Right." if choice.right else "✗ No."


def _plain(item):
    return "\n".join([item.question, *(f"{x}. {choice.text}" for x, choice in lettered(item))])


def _still(item):
    """The quiz without its buttons, for a page without a kernel."""
    rows = "".join(f"<br><b>{x}.</b> {_html(choice.text)}" for x, choice in lettered(item))
    return f"<p><b>{_html(item.question)}</b>{rows}</p>"


def _html(markdown):
    """One paragraph of an author's Markdown as HTML."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    html = markdown2html_mistune(markdown).strip()
    return html.removeprefix("<p>").removesuffix("</p>")


def _buttons(item):
    import ipywidgets as widgets

    answer = widgets.HTMLMath()
    rows = [widgets.HTMLMath(f"<b>{_html(item.question)}</b>")]
    for letter, choice in lettered(item):
        button = widgets.Button(description=letter, layout=widgets.Layout(width="3em"))
        button.on_click(lambda _, letter=letter, choice=choice: _explain(answer, letter, choice))
        rows.append(widgets.HBox([button, widgets.HTMLMath(_html(choice.text))]))
    return widgets.VBox([*rows, answer])


def _explain(answer, letter, choice):
    answer.value = f"<b>{letter}. {verdict(choice)}</b> {_html(choice.why)}"


def _look_up(item_id, kind):
    try:
        return find(item_id, kind)
    except ValueError as error:
        say("note", str(item_id), str(error))
        return None
