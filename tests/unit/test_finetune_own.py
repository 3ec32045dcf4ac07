"""`minibert finetune` and `minibert predict` on files of one's own."""

import io
import json

import pytest

import minibert as mb
from minibert.commands import main as cli
from minibert.transfer import ULMFiTConfig

pytestmark = pytest.mark.long

KINDS = ("good", "bad")
TEXTS = [f"the {kind} film {i} was seen by the cat" for i in range(60) for kind in KINDS]
LABELS = list(KINDS) * 60
LEARN = {
    "bert": "--epochs 6 --batch-size 16 --rate 1e-2",
    "gpt": "--epochs 6 --batch-size 16 --rate 1e-2",
    "awd-lstm": "--target-epochs 1 --classifier-epochs 20 --batch-size 16 --unfreezing all "
    "--classifier-factor 1 --classifier-rate 0.05",
}


@pytest.fixture(scope="module")
def starts(tmp_path_factory):
    """Folders with tiny models that know the words."""
    mb.seed_everything(0)
    folder = tmp_path_factory.mktemp("starts")
    shape = {"dim": 32, "layers": 1, "heads": 2, "hidden": 128, "dropout": 0.0, "max_length": 24}
    shape |= {"attention_dropout": 0.0, "init_std": 0.15, "norm": "pre"}
    pieces = mb.text.WordPiece.train(TEXTS, 120)
    config = mb.BERTConfig(len(pieces), **shape)
    mb.BERT(config, pieces).save_pretrained(folder / "bert")
    pairs = mb.text.BPE.train(TEXTS, 300)
    config = mb.GPTConfig(len(pairs), **shape)
    mb.GPT(config, pairs).save_pretrained(folder / "gpt")
    vocab = mb.text.Vocab.train(TEXTS, specials=("<pad>", "<unk>", "<eod>"))
    config = mb.AWDLSTMConfig(len(vocab), 8, 8, 2, start_id=vocab["<eod>"])
    mb.AWDLSTM(config, vocab).save_pretrained(folder / "awd-lstm")
    return folder


@pytest.fixture
def run(starts, tmp_path, monkeypatch):
    """A function: model, options -> exit status of ``finetune``, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def finetune(model, *options, out="out"):
        start = ["--start", str(starts / model), "--out", out]
        return cli.main(["finetune", model, *start, *LEARN[model].split(), *map(str, options)])

    return finetune


def write(name, header, *columns):
    rows = (",".join(row) for row in zip(*columns, strict=True))
    with open(name, "w", encoding="utf-8") as file:
        file.write("\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("model", LEARN)
def test_a_table_becomes_a_model_that_predicts_its_labels(model, run, capsys, monkeypatch):
    write("my.csv", "text,label", TEXTS, LABELS)
    assert run(model, "--task", "my.csv") == 0
    said = capsys.readouterr().out
    with open("out/results.json", encoding="utf-8") as file:
        results = json.load(file)
    way = "pre-trained" if model == "awd-lstm" else "fine-tuned"
    assert list(results["scores"]) == ["baseline", way]  # one way, one seed
    (nothing,), (learned,) = results["scores"].values()
    score = "error" if model == "awd-lstm" else "accuracy"
    assert 0.2 < nothing["test"][score] < 0.8
    assert abs(learned["test"][score] - (score == "accuracy")) < 0.1
    assert f"baseline: {score}" in said and f"{way}: {score}" in said
    assert "`minibert predict out TEXT`" in said

    assert cli.main(["predict", "out", "the bad film", "a good film"]) == 0
    told = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _ in told] == ["bad", "good"]
    assert all(0.5 < float(share) <= 1 for _, share in told)
    monkeypatch.setattr("sys.stdin", io.StringIO("the bad film\na good film\n"))
    assert cli.main(["predict", "out/model"]) == 0  # the same from standard input
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == told
    assert mb.heads.load("out/model").columns == ["bad", "good"]


def test_all_of_a_file_is_learned_from_where_another_is_held_out(run, capsys):
    write("my.csv", "about,message", LABELS, TEXTS)
    write("other.csv", "about,message", LABELS[:10], [f"now {text}" for text in TEXTS[:10]])
    options = ["--task", "my.csv", "--columns", "text=message,label=about", "--save"]
    assert run("bert", *options, "--held-out", "other.csv", "--seeds", 2) == 0
    said = capsys.readouterr().out
    assert "108 of 108 examples to learn from, 12 to validate and 10 to test on" in said
    write("other.csv", "about,message", ["good", "odd"], TEXTS[:2])
    assert run("bert", *options, "--held-out", "other.csv", out="two") == 1
    told = capsys.readouterr().err
    assert told == "minibert: other.csv, line 3: expected one of the labels bad, good, got 'odd'\n"
    assert run("bert", *options, "--held-out", "my.csv", out="two") == 1
    assert capsys.readouterr().err == "minibert: all of my.csv is in my.csv, too\n"


def test_several_labels(run, capsys):
    several = [f"{one};long" if i % 3 else one for i, one in enumerate(LABELS)]
    texts = [f"long {text}" if i % 3 else text for i, text in enumerate(TEXTS)]
    write("my.csv", "text,label", texts, several)
    assert run("bert", "--task", "my.csv", "--separator", ";", "--epochs", 20) == 0
    with open("out/results.json", encoding="utf-8") as file:
        scores = json.load(file)["scores"]
    assert scores["fine-tuned"][0]["test"]["f1"] > 0.95 > scores["baseline"][0]["test"]["f1"]
    capsys.readouterr()
    assert cli.main(["predict", "out", f"long {TEXTS[1]}", TEXTS[0]]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[0] == "bad;long" and second.split("\t")[0] == "good"
    assert first.split("\t")[1].count(";") == 1
    assert run("awd-lstm", "--task", "my.csv", "--separator", ";", out="lstm") == 1
    assert "learns one label for a text, which my.csv does not have" in capsys.readouterr().err


def test_pairs_and_words(run, capsys):
    write("my.csv", "text,other,label", TEXTS, ["the cat"] * 120, LABELS)
    assert run("bert", "--task", "my.csv") == 0
    capsys.readouterr()
    assert cli.main(["predict", "out", "the bad film\tthe cat"]) == 0
    assert capsys.readouterr().out.startswith("bad\t")
    tagged = "\n\n".join(f"the O\nfilm B-F\nwas O\ncat B-{'CD'[i % 2]}" for i in range(40))
    with open("my.txt", "w", encoding="utf-8") as file:
        file.write(tagged)
    assert run("gpt", "--task", "my.txt", "--kind", "words", out="words") == 1
    assert "expected at least 3 groups" in capsys.readouterr().err  # one sentence, 40 times
    with open("my.txt", "w", encoding="utf-8") as file:
        file.write("\n\n".join(f"the O\nfilm B-F\n{i} O\nwas O\ncat B-C" for i in range(60)))
    assert run("gpt", "--task", "my.txt", "--kind", "words", out="words") == 0
    capsys.readouterr()
    assert cli.main(["predict", "words", "the film 7 was cat"]) == 0
    assert capsys.readouterr().out == "the/O film/B-F 7/O was/O cat/B-C\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "texts=a"], "--columns says which columns are text, label and other"),
        (["--columns", "label=class"], "my.csv, line 1: expected one column 'class'"),
        (["--kind", "words"], "my.csv, line 1: expected a word and its tag"),
        (["--held-out", "no.csv"], "there is no data set or file called 'no.csv'"),
        (["--ways", "tuned"], "--ways must be some of fine-tuned,features,from scratch"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_no_folder(options, message, run, capsys, tmp_path):
    write("my.csv", "text,label", TEXTS[:9], LABELS[:9])
    assert run("bert", "--task", "my.csv", *options) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["my.csv"]


def test_predict_says_what_is_wrong(starts, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for folder, texts, message in (
        ("no-such", ["a"], "no-such"),
        (starts / "bert", ["a"], "holds no head"),
    ):
        assert cli.main(["predict", str(folder), *texts]) == 1
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
    head = mb.heads.SequenceClassifier(mb.BERT.from_pretrained(starts / "bert"), KINDS)
    head.save_pretrained("head")
    assert cli.main(["predict", "head", "a", " "]) == 1
    assert "expected texts that are not empty" in capsys.readouterr().err
    assert cli.main(["predict", "head", "a\tb\tc"]) == 1
    assert "expected a text, or a pair" in capsys.readouterr().err


def test_stages_in_python_give_the_names_back(starts, tmp_path):
    """As docs/your-data.md has it, with a model that can learn the words."""
    model = mb.AWDLSTM.from_pretrained(starts / "awd-lstm")
    head = mb.heads.PoolingClassifier(model, KINDS)
    examples = head.examples(TEXTS, LABELS)
    stream = [token for example in examples for token in example["input_ids"]]
    config = ULMFiTConfig(1, target_epochs=1, classifier_rate=0.05, unfreezing="all", factor=1)
    found = mb.transfer.ulmfit(
        model, examples, KINDS, target=stream, config=config, progress=False
    ).classifier
    found.save_pretrained(tmp_path)
    assert mb.heads.load(tmp_path).predict(["a bad film", "the good film"]).labels == [
        "bad",
        "good",
    ]


def test_a_long_text_loses_words_and_not_the_token_where_the_model_begins(starts):
    for direction in ("forward", "backward"):
        model = mb.AWDLSTM.from_pretrained(starts / "awd-lstm")
        model.config.direction = direction
        start = model.config.start_id
        with pytest.warns(UserWarning, match="longer than the 4 tokens"):
            head = mb.heads.PoolingClassifier(model, KINDS)
            (one,) = head.examples(["the film was seen by the cat"], max_length=4)
        words = model.vocab.encode(["the", "film", "was"])
        assert one["input_ids"] == ([*words, start] if direction == "backward" else [start, *words])
