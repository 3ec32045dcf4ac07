"""Answers judged over a line, in one process here: values, functions, errors, and the examiner."""

import json
import math
import socket
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from minibert.course.learn import answering
from minibert.course.learn.checking import crash_sentence
from minibert.course.learn.line import Gone, Line
from minibert.course.learn.wire import pack, unpack
from minibert.course.teach.examiner import ELSEWHERE, Examiner

VALUES = [
    None,
    True,
    12345678901234567890,
    -0.5,
    math.inf,
    "ÿ'\n\"",
    b"\0\xff",
    ...,
    2 - 3j,
    [1, (2.5, {"a": [None]}), {3, 4}, frozenset({5})],
    {1: "one", (2, 3): ["two"]},
    torch.Size([2, 3]),
    np.float32(0.25),
    np.arange(6.0).reshape(2, 3),
    np.array(["ab", "c"]),
    torch.tensor(3.5, dtype=torch.bfloat16),
    torch.arange(6).reshape(3, 2).T,
    torch.tensor([True, False]),
    torch.zeros(0, 4),
    torch.tensor([1 + 2j]),
    torch.full((2,), math.nan),
]


def there_and_back(value):
    return unpack(json.loads(json.dumps(pack(value, None))), None)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_arrives_as_it_left(value):
    got = there_and_back(value)
    assert type(got) is type(value) or isinstance(value, torch.Size)
    if torch.is_tensor(value):
        assert got.dtype == value.dtype and got.shape == value.shape
        assert torch.equal(got.nan_to_num(7.0), value.nan_to_num(7.0))
    elif isinstance(value, np.ndarray):
        assert got.dtype == value.dtype and np.array_equal(got, value)
    else:
        assert got == value


def test_what_leads_elsewhere_arrives_as_plain_values():
    assert list(there_and_back(n * n for n in range(4))) == [0, 1, 4, 9]
    assert there_and_back(Counter("aab")) == {"a": 2, "b": 1}
    parameter = there_and_back(nn.Parameter(torch.ones(2)))
    assert type(parameter) is torch.Tensor and not parameter.requires_grad
    lock = there_and_back(threading.Lock())
    assert type(lock).__name__ == "lock" and repr(lock).startswith("<unlocked _thread.lock")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 2),
        nn.Linear(3, 2, bias=False),
        nn.Embedding(5, 2, padding_idx=0),
        nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True).eval(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_arrives_with_its_weights(layer):
    got = there_and_back(layer)
    assert repr(got) == repr(layer) and got.training == layer.training
    assert all(map(torch.equal, got.state_dict().values(), layer.state_dict().values()))


@pytest.mark.parametrize(
    "packed",
    [
        {"tensor": ["float32", [3], "AAAA"]},
        {"tensor": ["load", [0], ""]},
        {"array": ["|O", [1], "AAAAAAAAAAA="]},
        {"module": ["Sequential", {}, True, {"dict": []}]},
        {"pickle": "gASVAAA="},
        {"list": [], "tuple": []},
        [1, 2],
    ],
)
def test_what_is_never_packed_is_refused(packed):
    with pytest.raises(ValueError):
        unpack(packed, None)


@pytest.fixture
def call():
    """Calls a function over a line: ``call(function, *arguments)``."""
    ends = []

    def calling(function, *arguments, **keywords):
        here, there = socket.socketpair()
        mine, theirs = Line(here, seeds=True), Line(there, crash_sentence)
        ends.extend((mine, theirs))

        def answer():
            try:
                while True:
                    theirs.serve(theirs.receive())
            except Gone:
                return

        threading.Thread(target=answer, daemon=True).start()
        return mine.unpack(theirs.pack(function))(*arguments, **keywords)

    yield calling
    for line in ends:
        line.close()


def test_an_argument_may_be_a_function_and_call_back(call):
    assert call(lambda encode, words: [encode(word) for word in words], len, ["a", "bcd"]) == [1, 3]
    assert call(lambda x, power=2: x**power, 3, power=3) == 27


def test_what_a_call_alters_is_altered_here(call):
    numbers, words, table = torch.zeros(3), ["a"], {"x": 1}

    def alter(numbers, words, table, plain):
        numbers[1] = 5
        words.append("b")
        table["y"] = 2
        return plain

    assert call(alter, numbers, words, table, 7) == 7
    assert numbers.tolist() == [0, 5, 0] and words == ["a", "b"] and table == {"x": 1, "y": 2}


def test_an_error_arrives_with_its_name_and_the_learners_line(call):
    def divide(n):
        return 1 / n

    with pytest.raises(ZeroDivisionError) as told:
        call(divide, 0)
    assert type(told.value).__name__ == "ZeroDivisionError"
    sentence = crash_sentence(told.value)
    assert (
        sentence.startswith("ZeroDivisionError: division by zero") and "`return 1 / n`" in sentence
    )


def test_a_call_draws_what_the_seed_before_it_decides(call):
    torch.manual_seed(5)
    first = call(lambda: torch.rand(3))
    torch.manual_seed(5)
    assert torch.equal(call(lambda: torch.rand(3)), first)


@pytest.fixture
def examiner(monkeypatch, demo_course):
    found = Examiner("a seed")
    monkeypatch.setenv(answering.GRADER, found.address)
    yield found
    found.close()


def mean(values):
    return sum(values) / len(values)


def listed(values):
    return 3.0


def judged(examiner, exercise_id, *answers, claimed=None):
    examiner.begin(exercise_id)
    answering.answer(claimed or exercise_id, answers, crash_sentence)
    return examiner.end()


def test_the_examiner_judges_a_function_and_a_value(examiner, capsys):
    assert judged(examiner, "90.mean", mean).points == 4
    assert judged(examiner, "90.shift", 12).points == 2
    assert judged(examiner, "90.mean", lambda values: values / 0).status == "crashed"
    assert judged(examiner, "90.mean", lambda values: 0.0).status == "not yet"
    assert capsys.readouterr().out == ""  # no verdict and no expected value for the submission


def test_a_listed_result_fails_the_hidden_test(examiner):
    assert judged(examiner, "90.mean", listed).points == 0
    assert judged(examiner, "90.mean", listed).message.startswith("Right for what the notebook's")


def test_only_the_check_that_is_asked_for_is_judged_and_once(examiner, capsys):
    answering.answer("90.mean", (mean,), crash_sentence)
    assert ELSEWHERE in capsys.readouterr().out
    assert judged(examiner, "90.mean", mean, claimed="90.shift") is None
    examiner.begin("90.mean")
    answering.answer("90.mean", (listed,), crash_sentence)
    answering.answer("90.mean", (mean,), crash_sentence)
    assert examiner.end().points == 0


@pytest.mark.parametrize(
    "hello",
    [
        b'{"password": "guessed", "exercise": "90.mean", "answers": [{"call": 0}]}\n',
        b'{"exercise": "90.mean"}\n',
        b"not json\n",
        b"",
    ],
)
def test_a_caller_without_the_password_is_not_heard(examiner, hello):
    examiner.begin("90.mean")
    with socket.create_connection(("127.0.0.1", int(examiner.address.split(":")[0]))) as line:
        line.sendall(hello)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(100) == b""
    assert examiner.end() is None


def test_an_answer_that_never_ends_is_ended(examiner):
    begun, over = threading.Event(), threading.Event()

    def endless(values):
        begun.set()
        over.wait(30)

    examiner.begin("90.mean")
    arguments = "90.mean", (endless,), crash_sentence
    thread = threading.Thread(target=answering.answer, args=arguments, daemon=True)
    thread.start()
    assert begun.wait(30)
    told = examiner.end()
    over.set()
    thread.join(30)
    assert (told.status, told.points) == ("crashed", 0)
    assert told.message == "The answer was stopped, or ended its own program."


def test_no_layer_is_taken_from_a_submission(call):
    """A few numbers could make one that fills the memory."""
    with pytest.raises(Gone):
        call(lambda: nn.Linear(2, 2))
