"""Findings: measured seed by seed, resumed, compared in pairs, quoted in prose."""

import json
import re
import signal

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
def chapters(tmp_path, monkeypatch):
    """The folder ``chapters`` of a small repository, with all of it committed."""
    folder = tmp_path / "chapters"
    (folder / "findings").mkdir(parents=True)
    (folder / "findings" / "90.py").write_text(EXPERIMENTS)
    (tmp_path / "minibert").mkdir()
    (tmp_path / "minibert" / "model.py").write_text("WIDTH = 3\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(measure, "REPOSITORY", tmp_path)
    monkeypatch.setattr(measure, "CODE", [tmp_path / "minibert", tmp_path / "pyproject.toml"])
    measure.git("init", "-q")
    commit()
    return folder


def commit():
    """Commit all that there is in the small repository."""
    measure.git("add", "-A")
    who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    measure.git(*who, "commit", "-q", "-m", "a change")


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
    stored = written(chapters)
    stored["experiments"]["toss"]["config"]["size"] = 4
    (chapters / "findings" / "90.json").write_text(json.dumps(stored))
    said.clear()
    measure.measure("90", seeds=2, chapters=chapters, say=said.append)
    assert [line.endswith("kept") for line in said] == [False, False, True, True]
    assert list(written(chapters)["experiments"]["toss"]["seeds"]) == ["0", "1"]
    assert len(written(chapters)["experiments"]["curve"]["seeds"]) == 5


def commits(chapters, name):
    """The commits of an experiment's seeds."""
    runs = written(chapters)["experiments"][name]["seeds"].values()
    return [run["commit"] for run in runs]


def test_all_seeds_of_an_experiment_are_of_one_commit(measured, chapters):
    """At another commit it is measured again, and the others stay as they are."""
    (first,) = {*commits(chapters, "toss"), *commits(chapters, "curve")}
    (chapters / "source.md").write_text("prose")
    commit()
    second = measure.git("rev-parse", "--short=12", "HEAD").strip()
    said = []
    measure.measure("90", seeds=6, only=["toss"], chapters=chapters, say=said.append)
    assert said[0] == f"toss: all of it is measured again, at {second}; stored is {first}"
    assert len(said) == 7 and not any(line.endswith("kept") for line in said)
    assert commits(chapters, "toss") == [second] * 6 and first != second
    assert commits(chapters, "curve") == [first] * 5
    said.clear()
    measure.measure("90", seeds=6, only=["toss"], chapters=chapters, say=said.append)
    assert [line.endswith("kept") for line in said] == [True] * 6


@pytest.mark.parametrize(
    "file", ["minibert/model.py", "minibert/new.py", "pyproject.toml", "chapters/findings/90.py"]
)
def test_nothing_is_measured_from_changed_files(chapters, file):
    path = chapters.parent / file
    path.write_text((path.read_text() if path.exists() else "") + "# changed\n")
    with pytest.raises(ValueError, match=f"differ from .*{file}; commit them first") as told:
        measure.measure("90", chapters=chapters, say=lambda text: None)
    assert "\n" not in str(told.value) and not (chapters / "findings" / "90.json").exists()
    measure.rehearse("90", chapters, lambda text: None)


def test_what_no_result_depends_on_may_change(chapters):
    (chapters / "prose.md").write_text("not committed")
    measure.measure("90", seeds=1, chapters=chapters, say=lambda text: None)
    assert set(commits(chapters, "toss")) == {
        measure.git("rev-parse", "--short=12", "HEAD").strip()
    }


def test_files_that_change_meanwhile_stop_the_run(chapters):
    """The seeds before are kept, and what is committed meanwhile and matters not does not count."""

    def say(text):
        if "toss seed 0" in text:
            (chapters / "prose.md").write_text("prose")
            commit()
        if "toss seed 1" in text:
            (chapters.parent / "minibert" / "model.py").write_text("WIDTH = 4\n")
            commit()

    first = measure.git("rev-parse", "--short=12", "HEAD").strip()
    with pytest.raises(ValueError, match="differ from .*minibert/model.py"):
        measure.measure("90", chapters=chapters, say=say)
    assert commits(chapters, "toss") == [first] * 2


def test_without_a_repository_nothing_is_written(chapters, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(measure, "REPOSITORY", tmp_path_factory.mktemp("no_repository"))
    with pytest.raises(ValueError, match="measured in a git repository: fatal: not a git"):
        measure.measure("90", chapters=chapters, say=lambda text: None)


def test_a_stopped_run_keeps_the_seeds_it_had(chapters):
    text = EXPERIMENTS.replace("    CALLS.append(seed)", "    assert seed < 2, 'stopped'")
    (chapters / "findings" / "90.py").write_text(text)
    commit()
    with pytest.raises(AssertionError, match="stopped"):
        measure.measure("90", chapters=chapters, say=lambda text: None)
    assert list(written(chapters)["experiments"]["toss"]["seeds"]) == ["0", "1"]


def test_a_training_that_ctrl_c_ended_early_is_no_measurement():
    def half_trained(seed, config):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:  # as `mb.fit` and `word2vec.learn` do
            return {"loss": 9.9}
        return {"loss": 1.0}

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        measure.one_run(half_trained, 0, {})
    assert signal.getsignal(signal.SIGINT) is before


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
    commit()
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
    told = measured.says("a beats b", "toss.a", "toss.b")
    assert told.startswith("A beats b: +1.02 (95 % interval ")
    told = measured.says("c beats b", "toss.c", "toss.b", "percent")
    assert told.startswith(
        "Not shown at this scale: c beats b: +20.0 points (95 % interval \N{MINUS SIGN}"
    )
    told = measured.says("b beats a", "toss.b", "toss.a")
    assert told.startswith(
        "The reverse is shown at this scale, not that b beats a: \N{MINUS SIGN}1.02"
    )


def test_one_seed_gives_no_interval():
    with pytest.raises(ValueError, match="at least two seeds"):
        finding.t_interval([1.0])


def test_prose_quotes_the_file(measured, chapters):
    text = macros.expand(
        "{{finding 90 toss.a mean .2f}} of {{finding 90 toss.a seeds}}; "
        "{{claim 90 toss.a toss.b | a beats b | nats}}",
        {},
        chapters,
    )
    mean = measured.mean("toss.a")
    assert text.startswith(f"{mean:.2f} of 5; A beats b: +1.02 nats (95 % interval ")
    low = macros.expand("{{finding 90 toss.a low .4f}}", {}, chapters)
    assert float(low) == pytest.approx(measured.interval("toss.a")[0], abs=1e-4)


@pytest.mark.parametrize(
    "macro", ["{{finding 90 toss.a}}", "{{finding 90 toss.a middle}}", "{{claim 90 toss.a | x}}"]
)
def test_a_wrong_quotation_is_an_error(measured, chapters, macro):
    with pytest.raises(ValueError, match="quoted as|unknown summary|written as"):
        macros.expand(macro, {}, chapters)


TABLE = r"""
Before.

{{findings 90
| $a$ beats b | toss.a - toss.b | nats | 2.3 nats |
| c beats b   | toss.c - toss.b | percent .0f | not measured |
| b beats a | toss.b - toss.a | runs | - |

  | a is above 0.5 | toss.a - 0.5 | nats .1f | - |
}}

After.
"""


def test_a_table_of_claims(measured, chapters):
    """Worked by hand: a - b is 1.00, 1.01 ... 1.04; c - b is 1, -1, 1, -1, 1; t(4) is 2.776."""
    before, table, after = macros.expand(TABLE, {}, chapters).strip().split("\n\n")
    assert (before, after) == ("Before.", "After.")
    assert table.splitlines()[:5] == [
        "| claim | effect, with its 95 % interval | shown | in the paper |",
        "|:---|:---|:---|:---|",
        "| $a$ beats b | +1.02 nats (1.00 to 1.04; 5 seeds) | yes | 2.3 nats |",
        "| c beats b | +20 points (−116 to 156; 5 seeds) | no | not measured |",
        "| b beats a | −1.02 runs (−1.04 to −1; 5 seeds) | the reverse | - |",
    ]
    above = finding.Findings("90", written(chapters)).paired("toss.a", 0.5)
    assert above.mean == pytest.approx(measured.mean("toss.a") - 0.5)
    assert table.splitlines()[5].startswith(f"| a is above 0.5 | {above.mean:+.1f} nats (")


@pytest.mark.parametrize(
    "line",
    ["| a | toss.a - toss.b | nats |", "| a | toss.a | nats | - |", "a", "| a | b - c | | - |"],
)
def test_a_wrong_line_of_a_table_is_named(measured, chapters, line):
    with pytest.raises(ValueError, match="is written as .*, not as " + re.escape(line)):
        macros.expand("{{findings 90\n" + line + "\n}}", {}, chapters)


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


def test_a_difference_of_rounding_has_no_sign():
    paired = finding.Paired(-4e-9, -2e-8, 1e-8, 5)
    assert finding.effect(paired, "percent") == "+0.0 points (0.0 to 0.0; 5 seeds)"
    told = finding.effect(finding.Paired(-0.02, -0.04, -0.004, 5), "nats")
    assert told.replace("\N{MINUS SIGN}", "-") == "-0.02 nats (-0.04 to -0.00; 5 seeds)"
