"""docs/your-data.md and the README's "Your own data": every block of code runs as it stands."""

import json
import re
import shlex
import warnings
from pathlib import Path

import pytest

from minibert.commands import main as cli

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name, section=""):
    """(language, code) of each block of a document, or of one of its sections."""
    text = (ROOT / name).read_text("utf-8")
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return BLOCK.findall(text)


GUIDE = blocks("docs/your-data.md")
SHORT = blocks("README.md", "Your own data")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that we are in: small files of each kind, under the names of the documents."""
    folder = tmp_path
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MINIBERT_SMOKE", "1")
    kinds = [("good", "glad"), ("bad", "sad")]
    texts = [f"The film {i} was {kinds[i % 2][0]}, and I am {kinds[i % 2][1]}." for i in range(40)]
    labels = [kinds[i % 2][0] for i in range(40)]
    names = [("Ada", "Rome"), ("Ben", "Paris"), ("Cleo", "Oslo")]

    def write(name, lines):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")

    def table(name, header, *columns):
        rows = (",".join(f'"{cell}"' for cell in row) for row in zip(*columns, strict=True))
        write(name, [header, *rows])

    table("reviews.csv", "text,label", texts, labels)
    table("tickets.csv", "topic,id,message", labels, range(40), texts)
    table(
        "new_tickets.csv",
        "topic,id,message",
        labels[:9],
        range(9),
        [f"New: {t}" for t in texts[:9]],
    )
    table(
        "tags.csv",
        "text,label",
        texts,
        [f"{one};short" if i % 3 else one for i, one in enumerate(labels)],
    )
    table("pairs.csv", "text,other,label", texts, reversed(texts), labels)
    tagged, tree, paragraphs = [], [], []
    for i in range(30):
        (who, place), year = names[i % 3], 1900 + i
        words = [who, "met", "us", "in", place, str(year)]
        tags = ["B-PER", "O", "O", "O", "B-LOC", "O"]
        upos = ["PROPN", "VERB", "PRON", "ADP", "PROPN", "NUM"]
        tagged += [f"{w} {t}" for w, t in zip(words, tags, strict=True)] + [""]
        tree += [
            f"{n}\t{w}\t_\t{t}" + "\t_" * 6
            for n, (w, t) in enumerate(zip(words, upos, strict=True), 1)
        ]
        tree.append("")
        answer = {"text": who, "answer_start": 0}
        asked = {"id": str(i), "question": "Who met us?", "answers": [answer]}
        paragraphs.append({"context": " ".join(words), "qas": [asked]})
    write("names.conll", tagged)
    write("treebank.conllu", tree)
    write("questions.json", [json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]})])
    for number in range(2):
        write(f"my_texts/{number}.txt", texts * 5)
    return folder


def run(language, code):
    """Run a block in this process; the lines of a shell's are `minibert` commands."""
    if language == "python":
        exec(compile(code, "block", "exec"), {"__name__": "__main__"})
        return
    for line in code.splitlines():
        if words := shlex.split(line, comments=True):
            assert words[0] == "minibert"
            assert cli.main(words[1:]) == 0, line


def test_blocks_run_in_their_order(here, capsys):
    """Each block is short, prints something, and warns of nothing; models come back from files."""
    assert len(GUIDE) > 8
    for language, code in GUIDE:
        assert len(code.splitlines()) <= 30
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            run(language, code)
        said = capsys.readouterr().out
        assert said.strip(), code
        if language == "bash" and "finetune" in code:
            assert "baseline: " in said and "saved in" in said
        for line in filter(None, re.findall(r"^minibert predict .*$", code, re.MULTILINE)):
            found = [
                one for one in said.splitlines() if re.fullmatch(r"(good|bad)\t[01]\.\d{3}", one)
            ]
            assert len(found) == line.count('"') // 2 or "names" in line


def test_the_readmes_blocks_run(here, capsys):
    assert SHORT
    for language, code in SHORT:
        run(language, code)
        assert capsys.readouterr().out.strip()


def test_readme_and_guide_say_the_same():
    assert "docs/your-data.md" in (ROOT / "README.md").read_text("utf-8")
    first = next(code for language, code in SHORT if language == "bash")
    assert first.splitlines()[0] in [line for _, code in GUIDE for line in code.splitlines()]
