"""Findings: measured seed by seed, resumed, compared in pairs, quoted in prose."""

import json

import numpy as np
import pytest
from scipy import stats

import minibert as mb
from minibert.course.author import macros, measure
from minibert.course.author import real_runs as real
from minibert.course.learn import finding
from minibert.training.history import History

EXPERIMENTS = """
import random

CALLS = []
CONFIG = {"toss": {"size": 3}, "curve": {"steps": 2}}
SMOKE = {"toss": {"size": 1}}


def toss(seed, config):
    CALLS.append(seed)
    base = random.random() * config["size"]
    return {"a": base + 1 + seed / 100, "b": base, "c": base + (-1) ** seed}


def curve(seed, config):
    return {"loss": [3.0 - step for step in range(config["steps"])]}
"""


@pytest.fixture
def chapters(tmp_path):
    folder = tmp_path / "chapters"
    (folder / "findings").mkdir(parents=True)
    (folder / "findings" / "90.py").write_text(EXPERIMENTS)
    return folder


@pytest.fixture
def measured(chapters):
    measure.measure("90", seeds=5, chapters=chapters, say=lambda text: None)
    return finding.findings("90", chapters)


def written(chapters):
    return json.loads((chapters / "findings" / "90.json").read_text())


def test_the_file_says_seeds_configuration_commit_machine_and_time(measured, chapters):
    toss = written(chapters)["experiments"]["toss"]
    assert toss["config"] == {"size": 3}
    assert list(toss["seeds"]) == ["0", "1", "2", "3", "4"]
    run = toss["seeds"]["0"]
    assert set(run) == {"values", "seconds", "date", "commit", "machine"}
    assert set(run["machine"]) == {"processor", "cores", "system", "python", "torch", "device"}
    text = json.dumps(written(chapters))
    assert str(chapters) not in text and measure.platform.node() not in text


def test_a_seed_gives_the_same_values_again(measured, chapters):
    before = written(chapters)
    measure.measure("90", seeds=5, fresh=True, chapters=chapters, say=lambda text: None)
    for name, experiment in before["experiments"].items():
        again = written(chapters)["experiments"][name]["seeds"]
        assert {s: r["values"] for s, r in experiment["seeds"].items()} == {
            s: r["values"] for s, r in again.items()
        }


def test_what_is_measured_is_kept_and_a_new_configuration_starts_again(measured, chapters):
    said = []
    measure.measure("90", seeds=6, only=["toss"], chapters=chapters, say=said.append)
    assert [line.endswith("kept") for line in said] == [True] * 5 + [False]
    path = chapters / "findings" / "90.py"
    path.write_text(EXPERIMENTS.replace('"size": 3', '"size": 4'))
    said.clear()
    measure.measure("90", seeds=2, chapters=chapters, say=said.append)
    assert [line.endswith("kept") for line in said] == [False, False, True, True]
    assert list(written(chapters)["experiments"]["toss"]["seeds"]) == ["0", "1"]
    assert len(written(chapters)["experiments"]["curve"]["seeds"]) == 5


def test_a_stopped_run_keeps_the_seeds_it_had(chapters):
    text = EXPERIMENTS.replace("    CALLS.append(seed)", "    assert seed < 2, 'stopped'")
    (chapters / "findings" / "90.py").write_text(text)
    with pytest.raises(AssertionError, match="stopped"):
        measure.measure("90", chapters=chapters, say=lambda text: None)
    assert list(written(chapters)["experiments"]["toss"]["seeds"]) == ["0", "1"]


def test_a_rehearsal_writes_nothing(chapters):
    said = []
    measure.rehearse("90", chapters, said.append)
    assert len(said) == 2 and not (chapters / "findings" / "90.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"a": base + 1 + seed / 100', '"a": float("nan")', "'a' must be finite numbers"),
        ('"a": base + 1 + seed / 100', '"a": "much"', "'a' must be finite numbers"),
        ("def toss(seed, config)", "def toss(config)", r"no function toss\(seed, config\)"),
        ('CONFIG = {"toss": {"size": 3}, "curve": {"steps": 2}}', "CONFIG = {}", "no experiment"),
    ],
)
def test_a_bad_experiment_is_named(chapters, old, new, message):
    (chapters / "findings" / "90.py").write_text(EXPERIMENTS.replace(old, new))
    with pytest.raises(ValueError, match=message):
        measure.measure("90", seeds=1, chapters=chapters, say=lambda text: None)


def test_no_experiments_and_unknown_names(chapters):
    with pytest.raises(FileNotFoundError, match="No experiments for chapter 12"):
        measure.measure("12", chapters=chapters)
    with pytest.raises(ValueError, match=r"No experiment \['tos'\].*toss, curve"):
        measure.measure("90", only=["tos"], chapters=chapters)


def test_values_in_the_order_of_the_seeds(measured):
    assert measured.names() == ["toss.a", "toss.b", "toss.c", "curve.loss"]
    assert measured.seeds("toss.a") == [0, 1, 2, 3, 4]
    differences = np.subtract(measured.values("toss.a"), measured.values("toss.b"))
    assert differences == pytest.approx([1.00, 1.01, 1.02, 1.03, 1.04])
    assert measured.values("curve.loss")[0] == [3.0, 2.0]
    with pytest.raises(ValueError, match=r"has no 'toss\.z'"):
        measured.values("toss.z")
    with pytest.raises(ValueError, match=r"has no 'tos\.a'"):
        measured.mean("tos.a")


def test_the_paired_interval_is_scipys(measured):
    a, b = measured.values("toss.a"), measured.values("toss.b")
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    pair = measured.paired("toss.a", "toss.b")
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    assert pair.shown and pair.seeds == 5
    with pytest.raises(ValueError, match="has the seeds"):
        measured.content["experiments"]["curve"]["seeds"].pop("4")
        measured.paired("toss.a", "curve.loss")


def test_a_direction_is_claimed_only_where_the_interval_shows_it(measured):
    assert measured.says("a beats b", "toss.a", "toss.b").startswith("A beats b (mean difference 1")
    told = measured.says("c beats b", "toss.c", "toss.b")
    assert told.startswith("Not shown at this scale: c beats b (mean difference 0.2")
    told = measured.says("b beats a", "toss.b", "toss.a")
    assert told.startswith("The reverse is shown at this scale, not that b beats a (mean diff")


def test_one_seed_gives_no_interval():
    with pytest.raises(ValueError, match="at least two seeds"):
        finding.t_interval([1.0])


def test_prose_quotes_the_file(measured, chapters):
    text = macros.expand(
        "{{finding 90 toss.a mean .2f}} of {{finding 90 toss.a seeds}}; "
        "{{claim 90 toss.a toss.b | a beats b}}",
        {},
        chapters,
    )
    mean = measured.mean("toss.a")
    assert text.startswith(f"{mean:.2f} of 5; A beats b (mean difference 1.02, 95 % interval")
    low = macros.expand("{{finding 90 toss.a low .4f}}", {}, chapters)
    assert float(low) == pytest.approx(measured.interval("toss.a")[0], abs=1e-4)


@pytest.mark.parametrize(
    "macro", ["{{finding 90 toss.a}}", "{{finding 90 toss.a middle}}", "{{claim 90 toss.a | x}}"]
)
def test_a_wrong_quotation_is_an_error(measured, chapters, macro):
    with pytest.raises(ValueError, match="quoted as|unknown summary|written as"):
        macros.expand(macro, {}, chapters)


def test_they_are_found_from_any_copy_and_missed_clearly(measured, chapters, monkeypatch):
    for folder in (chapters, chapters / "solutions", chapters / "x" / "y"):
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        assert mb.course.findings("90").seeds("toss.a") == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError, match="make findings CH=33"):
        mb.course.findings("33")
    (chapters / "findings" / "90.json").write_text("{}")
    with pytest.raises(ValueError, match="not a findings file"):
        mb.course.findings("90")


def test_a_run_on_real_data_is_quoted_like_a_finding(chapters, tmp_path, capsys):
    scores = {
        "pre-trained": [{"seed": 0, "test": {"error": 0.2}}, {"seed": 1, "test": {"error": 0.3}}],
        "from scratch": [{"seed": 0, "test": {"error": 0.5}}, {"seed": 1, "test": {"error": 0.4}}],
    }
    results = {"options": {"labels": 500}, "once": {"curve loss": [3.0, 2.5]}, "scores": scores}
    run = tmp_path / "run"
    (run / "language_model").mkdir(parents=True)
    (run / "results.json").write_text(json.dumps(results))
    history = History([1, 2], [5.0, 4.0], [0.1, 0.1], [9.0, 9.0])
    (run / "language_model" / "history.json").write_text(history.to_json())
    for _ in range(2):  # a second time replaces the first
        real.add_run("imdb", run, chapters)
    found = finding.findings("real", chapters)
    assert found.values("imdb.pre_trained_error") == [0.2, 0.3]
    assert found.paired("imdb.from_scratch_error", "imdb.pre_trained_error").mean == 0.2
    assert found.values("imdb_once.curve_loss") == [[3.0, 2.5]]
    assert found.values("imdb_once.language_model_loss") == [[5.0, 4.0]]
    with pytest.raises(FileNotFoundError, match="no results.json"):
        real.add_run("imdb", tmp_path, chapters)
    (run / "results.json").write_text('{"options": {}, "scores": {}}')
    with pytest.raises(ValueError, match="holds no scores"):
        real.add_run("imdb", run, chapters)
    assert found.names() == finding.findings("real", chapters).names()
