"""Links between chapters, where only some of them were handed on."""

import nbformat
import pytest

from minibert.course.learn.links import keep_only, only_to

HERE = ["01_word2vec.ipynb"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("after it [02 ELMo](02_elmo.ipynb).", "after it 02 ELMo."),
        ("[00](00_start_here.ipynb#floor), [01](01_word2vec.ipynb)", "00, [01](01_word2vec.ipynb)"),
        ("| a | [05](05_bert_pretraining.ipynb), [07](07_gpt.ipynb) |", "| a | 05, 07 |"),
        ("[glossary](glossary.md)", "[glossary](glossary.md)"),
        ("![arc](images/arc.png) [paper](https://arxiv.org)", None),
        ("[a list] and (02_elmo.ipynb)", None),
    ],
)
def test_only_links_to_what_is_there_are_left(text, left):
    assert only_to(HERE, text) == (text if left is None else left)


def test_code_is_left_as_it_is():
    link = "[02](02_elmo.ipynb)"
    cells = [nbformat.v4.new_code_cell(link), nbformat.v4.new_markdown_cell(link)]
    notebook = keep_only(HERE, nbformat.v4.new_notebook(cells=cells))
    assert [cell.source for cell in notebook.cells] == [link, "02"]
