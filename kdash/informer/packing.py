"""Compresses cached objects with a dictionary learnt from their own collection (architecture.md §4).

Contract:
- A `Packer` serves one collection. Until `learn` was called it packs nothing; afterwards `pack` compresses
  against the learnt dictionary, and what does not get clearly smaller stays as it is.
- Packed bytes are one zstd frame; they never look like JSON, so a reader can tell both from the first byte.
- Every packed object keeps the `Codec` it was packed with: objects packed before a new `learn` stay readable.
- Thread-safe: `learn` publishes a finished codec in one assignment, and a compressor locks itself. zstd lets
  go of the interpreter lock while it works: callers keep packing away from the path of events.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["PACKED_MARK", "Codec", "Packer"]

PACKED_MARK = 0x28
"""First byte of a zstd frame; no JSON text starts with it."""

_LEVEL = 1
_SMALLEST_WORTH_PACKING = 128
_LARGEST_SAMPLE = 16 * 1024
_FLUSH: Literal[2] = zstd.ZstdCompressor.FLUSH_FRAME


class Codec:
    """One dictionary with its compressor; without a dictionary, plain zstd."""

    __slots__ = ("_compress", "dictionary")

    def __init__(self, dictionary: zstd.ZstdDict | None = None) -> None:
        self.dictionary = dictionary
        compressor = zstd.ZstdCompressor(
            level=_LEVEL, zstd_dict=None if dictionary is None else dictionary.as_digested_dict
        )
        self._compress = compressor.compress

    def pack(self, raw: bytes) -> bytes:
        """One zstd frame holding `raw`."""
        return self._compress(raw, _FLUSH)

    def unpack(self, packed: bytes) -> bytes:
        """What `pack` was given."""
        return zstd.decompress(packed, self.dictionary)

    @property
    def dictionary_size(self) -> int:
        """Bytes of the dictionary, 0 without one."""
        return 0 if self.dictionary is None else len(self.dictionary.dict_content)


class Packer:
    """Learns a dictionary from samples and packs with it."""

    def __init__(self, dictionary_size: int = 64 * 1024) -> None:
        self._dictionary_size = dictionary_size
        self._codec: Codec | None = None

    @property
    def codec(self) -> Codec | None:
        """What `pack` uses now; None before `learn`."""
        return self._codec

    def learn(self, samples: Sequence[bytes]) -> None:
        """Build a dictionary from the JSON of some objects; a few hundred spread over the collection do.

        Takes a few milliseconds. Samples that zstd can make no dictionary of lead to packing without one.
        """
        self._codec = Codec(self._dictionary_from(samples))

    def pack(self, raw: bytes) -> tuple[Codec, bytes] | None:
        """`raw` compressed, and the codec that reads it; None when that saves less than an eighth."""
        codec = self._codec
        size = len(raw)
        if codec is None or size < _SMALLEST_WORTH_PACKING:
            return None
        packed = codec.pack(raw)
        return (codec, packed) if len(packed) < size - size // 8 else None

    def _dictionary_from(self, samples: Sequence[bytes]) -> zstd.ZstdDict | None:
        """The samples' own text as content, with entropy tables fitted to them.

        Takes a thirtieth of `train_dict`'s time and is as good on objects that repeat each other's structure.
        """
        cut = [sample[:_LARGEST_SAMPLE] for sample in samples if len(sample) >= _SMALLEST_WORTH_PACKING]
        content = b"".join(cut)[-(self._dictionary_size - 2048) :]
        try:
            return zstd.finalize_dict(zstd.ZstdDict(content, is_raw=True), cut, self._dictionary_size, _LEVEL)
        except (zstd.ZstdError, ValueError):
            return None
