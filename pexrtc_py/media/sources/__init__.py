"""Where frames come from: files, devices, generators, speech, programs. Each is a `Source`.

`raw` holds the words of what is not encoded yet, `encoded` makes a `Source` of it, `text` reads sources as people write
them. Most callers need `open_file`, or `parse_source` and `open_source`.
"""

from .encoded import EncodeConfig, EncodedSource
from .file import FileTrack, open_file, open_raw_file, probe_file
from .pushed import PushedSource
from .raw import DEFAULT_ACCEPT, Accept, RawSource
from .sequence import Sequence
from .text import SourceSpec, open_raw_source, open_source, parse_source

__all__ = [
    "DEFAULT_ACCEPT",
    "Accept",
    "EncodeConfig",
    "EncodedSource",
    "FileTrack",
    "PushedSource",
    "RawSource",
    "Sequence",
    "SourceSpec",
    "open_file",
    "open_raw_file",
    "open_raw_source",
    "open_source",
    "parse_source",
    "probe_file",
]
