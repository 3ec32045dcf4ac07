"""A submission's side of grading: the answers are handed over, and called from outside.

The kernel of a submission knows neither what is wanted nor what the verdict was; it answers calls.
``MINIBERT_GRADER`` holds the port and the password of the grader
(`minibert.course.teach.examiner`).
"""

import os
import socket
from collections.abc import Callable

from minibert.course.learn.exercise import find, lent
from minibert.course.learn.line import Gone, Line
from minibert.course.learn.messages import say

GRADER = "MINIBERT_GRADER"


def answer(exercise_id: str, answers: tuple, tell: Callable[[Exception | SystemExit], str]) -> None:
    """Hand ``answers`` over and answer the grader's calls until it has judged them.

    ``tell`` makes one sentence of what an answer raises.
    """
    if lent(answers):
        say("note", exercise_id, "The library's version is no answer.")
        return
    port, _, password = os.environ[GRADER].partition(":")
    try:
        line = Line(socket.create_connection(("127.0.0.1", int(port)), timeout=30), tell)
    except OSError as error:
        say("note", str(exercise_id), f"The grader cannot be reached: {error}.")
        return
    line.connection.settimeout(None)
    try:
        ready = find(exercise_id).as_functions(*answers)
        packed = [line.pack(value) for value in ready]
        line.send({"password": password, "exercise": exercise_id, "answers": packed})
        while "call" in (message := line.receive()):
            line.serve(message)
        if "note" in message:
            say("note", exercise_id, message["note"])
    except Gone:
        return
    finally:
        line.close()
