"""word2vec models in files: this project's folders, files of word vectors, published vectors.

What the files of vectors hold stands in `minibert.models.word2vec.vectors`.
"""

from pathlib import Path

import numpy as np
import torch

from minibert.data.published import located
from minibert.models.word2vec.model import Word2Vec, Word2VecConfig
from minibert.models.word2vec.vectors import check_limit, read
from minibert.storage.bundled import find
from minibert.storage.checked import config_from, filled
from minibert.storage.checkpoint import load_folder, save_folder
from minibert.text.vocab import Vocab

VOCAB = "vocab.tsv"
ARRAY, INDEX = "glove_6B_50d_emb.npy", "glove_6B_index.parquet"


def load(source, limit: int | None = None, errors: str = "strict") -> Word2Vec:
    """A `minibert.Word2Vec` from a folder, a file of vectors, or a bundled or published name.

    A folder is what `save` writes. From a file or published vectors come the input vectors and the
    words alone: their counts and the output table are not in it, so it is there to be asked, not to
    be trained on. ``limit`` and ``errors``: see `minibert.models.word2vec.vectors.read`.
    """
    path = find(located(source, "Word2Vec"))
    if path.is_dir() and not (path / ARRAY).is_file():
        if limit is not None:
            raise ValueError(f"limit is for files of vectors; {path} is a model with its counts")
        return _load_folder(path)
    words, vectors = read_array(path, limit) if path.is_dir() else read(path, limit, errors)
    model = Word2Vec(Word2VecConfig(len(words), vectors.shape[1]), Vocab(words, specials=()))
    with torch.no_grad():
        model.input.weight.copy_(torch.from_numpy(vectors))
    return model.eval()


def read_array(folder: Path, limit: int | None = None) -> tuple[list[str], np.ndarray]:
    """Words and vectors of the published folder of GloVe: an array of NumPy's and a parquet index.

    Raises ImportError without `pyarrow`, which reads the index, and ValueError where the two do not
    belong together.
    """
    check_limit(limit)
    try:
        from pyarrow.parquet import read_table
    except ImportError:
        raise ImportError(
            f"the words of {folder} are in {INDEX}, which pyarrow reads: "
            'pip install -c constraints.txt -e ".[weights]", or pip install pyarrow'
        ) from None
    try:
        words = read_table(folder / INDEX, columns=["index"])["index"][:limit].to_pylist()
        vectors = np.load(folder / ARRAY, mmap_mode="r", allow_pickle=False)[:limit]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no words and vectors of GloVe: {error}") from error
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(f"{folder}: {len(words):,} words and vectors of shape {vectors.shape}")
    return words, np.array(vectors, np.float32)


def _load_folder(path):
    config, tensors = load_folder(path)
    if not (path / VOCAB).is_file():
        raise FileNotFoundError(f"{path} has no {VOCAB}; expected a folder of Word2Vec")
    config, vocab = config_from(Word2VecConfig, config, path), Vocab.load(path / VOCAB)
    return filled(lambda: Word2Vec(config, vocab), tensors, path)


def save(model, folder):
    """Write a model to a folder: config.json, model.safetensors and vocab.tsv.

    An input module other than a plain table is saved as the table of the vectors that it gives.
    """
    if model.vocab is None:
        raise ValueError("this model has no vocabulary to save: give one, Word2Vec(config, vocab)")
    tensors = {"input.weight": model.vectors, "output.weight": model.output.weight}
    save_folder(folder, model.config, tensors)
    model.vocab.save(Path(folder) / VOCAB)
