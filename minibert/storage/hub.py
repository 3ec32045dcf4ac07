"""Models by their name at the Hugging Face hub, where `huggingface_hub` is installed.

Only the files that are needed are fetched, safetensors rather than a pickle, of a model in several
files all that its index names; they are verified and kept by `huggingface_hub` in its own cache, so
that the second time needs no network.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minibert.storage.bundled import find
from minibert.storage.layout import CONFIG, FILES, INDEX, PICKLE, WEIGHTS, shards

NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def find_or_fetch(source: str | Path, optional: Iterable[str] = ()) -> Path:
    """The folder that ``source`` stands for: as `minibert.storage.bundled.find`, or a hub id.

    optional: files beside configuration and weights. Raises FileNotFoundError, saying which files
    to fetch by hand.
    """
    try:
        return find(source)
    except FileNotFoundError as error:
        if isinstance(source, Path) or not NAME.fullmatch(str(source)):
            raise
        not_here = error
    try:
        import huggingface_hub
    except ImportError:
        raise FileNotFoundError(f"{not_here}; {_by_hand(source, optional)}") from not_here
    try:
        options: dict[str, Any] = {"local_files_only": not _answers(huggingface_hub, source)}
        folder = Path(huggingface_hub.hf_hub_download(source, CONFIG, **options)).parent
        found = _first(huggingface_hub, source, FILES, options)
        if not found:
            raise FileNotFoundError(f"it has no {WEIGHTS} or {PICKLE}")
        for name in shards(found) if str(found).endswith(INDEX) else ():
            huggingface_hub.hf_hub_download(source, name, **options)
        for name in optional:
            _first(huggingface_hub, source, [name], options)
    except Exception as error:  # of the hub, of the disk
        silent = isinstance(error, huggingface_hub.errors.LocalEntryNotFoundError)
        why = str(error).strip().split("\n")[0]
        why = ", which does not answer" if silent else f" ({why})"
        raise FileNotFoundError(
            f"{not_here}; nor could it be fetched from the hub{why}; {_by_hand(source, optional)}"
        ) from error
    return folder


def _answers(hub, source):
    """Whether the hub can be reached: asked once, where a download would try for half a minute."""
    try:
        hub.get_hf_file_metadata(hub.hf_hub_url(source, CONFIG))
    except hub.errors.HfHubHTTPError:
        return True  # it says no; why, the download tells better
    except Exception:  # whatever the network's library raises, and being told to stay offline
        return False
    return True


def _first(hub, source, names, options):
    """Fetch the first of these files that there is; its path, or None."""
    for name in names:
        try:
            return hub.hf_hub_download(source, name, **options)
        except hub.errors.EntryNotFoundError:
            continue
    return None


def _by_hand(source, optional):
    files = ", ".join([CONFIG, f"{WEIGHTS} or {PICKLE}", *optional])
    return f"to fetch it by hand, put {files} from https://huggingface.co/{source} into a folder"
