"""The settings of chapter 10's experiments are those that were best on valid, as stored."""

import json
from pathlib import Path

import pytest

FINDINGS = Path(__file__).parents[2] / "chapters" / "findings"
STORED = json.loads((FINDINGS / "10.json").read_text("utf-8"))["experiments"]
SLACK = 0.01  # of the score on the new task: what an anchor may cost


def chosen():
    """(experiment, {way: rate}, the experiment that chose them, what stands before a way)."""
    for name, experiment in STORED.items():
        config = experiment["config"]
        if name.startswith("tradeoff_"):
            yield name, config["rates"], name.replace("tradeoff", "rates"), ""
        elif name == "order":
            for kind, rates in config["rates"].items():
                yield name, rates, "rates_order", f"{kind}_"


def tried(experiment, before):
    """{setting: value} of the measures that are called ``before`` and a number."""
    values = experiment["seeds"]["0"]["values"]
    named = {name.removeprefix(before): x for name, x in values.items() if name.startswith(before)}
    return {float(name): x for name, x in named.items() if name[:1].isdigit()}


@pytest.mark.parametrize(("name", "rates", "by", "before"), list(chosen()))
def test_each_rate_was_the_best_on_valid(name, rates, by, before):
    assert len(rates) >= 6
    for way, rate in rates.items():
        scores = tried(STORED[by], f"{before}{way}_")
        assert len(scores) >= 3
        assert rate == max(sorted(scores), key=scores.get), (name, way)


def test_each_anchor_forgot_least_of_those_that_cost_a_point_on_valid():
    values = STORED["strengths"]["seeds"]["0"]["values"]
    config = STORED["forgetting"]["config"]
    plain = {
        float(name.split("_")[1]): x
        for name, x in values.items()
        if name.startswith("slow") and name.endswith("_new")
    }
    assert config["rate"] == max(sorted(plain), key=plain.get)
    for anchor, strength in config["strengths"].items():
        if anchor == "none":
            continue
        scores = {
            float(name.split("_")[1]): (x, values[name.removesuffix("_new") + "_old"])
            for name, x in values.items()
            if name.startswith(f"{anchor}_") and name.endswith("_new")
        }
        if anchor == "slow":
            scores = {rate: x for rate, x in scores.items() if rate < config["rate"]}
        cheap = {s: old for s, (new, old) in scores.items() if new >= max(plain.values()) - SLACK}
        assert strength == min(cheap, key=cheap.get), anchor
