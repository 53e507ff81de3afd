"""Compresses cached objects with a dictionary learnt from their own collection (architecture.md §4).

Contract:
- A `Packer` serves one collection. Until `learn` was called it packs nothing; afterwards `pack` compresses
  against the learnt dictionary, and what does not get clearly smaller stays as it is.
- Packed bytes are one zstd frame; they never look like JSON, so a reader can tell both from the first byte.
- Every packed object keeps the `Codec` it was packed with: objects packed before a new `learn` stay readable.
- Thread-safe: `learn` publishes a finished codec in one assignment, and a codec locks its two contexts. zstd
  lets go of the interpreter lock while it works: callers keep packing away from the path of events.
- A codec keeps one decompressor with the dictionary in it: to set one up anew costs ten times the unpacking.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import zstandard

__all__ = ["PACKED_MARK", "Codec", "Packer"]

PACKED_MARK = 0x28
"""First byte of a zstd frame; no JSON text starts with it."""

_LEVEL = 1
_SMALLEST_WORTH_PACKING = 128
_LARGEST_SAMPLE = 16 * 1024


class Codec:
    """One dictionary with its compressor; without a dictionary, plain zstd."""

    __slots__ = ("_compress", "_compress_many", "_decompress", "_packing", "_unpacking", "dictionary")

    def __init__(self, dictionary: zstandard.ZstdCompressionDict | None = None) -> None:
        self.dictionary = dictionary
        if dictionary is not None:
            dictionary.precompute_compress(level=_LEVEL)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary)
        self._compress = compressor.compress
        self._compress_many = getattr(compressor, "multi_compress_to_buffer", None)  # zstandard's C backend has it
        self._decompress = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        self._packing = threading.Lock()  # guards the compressor
        self._unpacking = threading.Lock()  # guards the decompressor

    def pack(self, raw: bytes) -> bytes:
        """One zstd frame holding `raw`."""
        with self._packing:
            packed = self._compress(raw)
        return bytes(memoryview(packed))  # a copy of its size: the other was cut from a block for the worst case

    def pack_many(self, raws: Sequence[bytes]) -> list[bytes]:
        """A frame for each, letting go of the interpreter lock once for all."""
        if self._compress_many is None or len(raws) == 1:
            return [self.pack(raw) for raw in raws]
        with self._packing:
            return [frame.tobytes() for frame in self._compress_many(list(raws))]

    def unpack(self, packed: bytes) -> bytes:
        """What `pack` was given."""
        with self._unpacking:
            return self._decompress(packed)

    @property
    def dictionary_size(self) -> int:
        """Bytes of the dictionary, 0 without one."""
        return 0 if self.dictionary is None else len(self.dictionary)


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

        Without a sample that is large enough, packing goes on without a dictionary.
        """
        self._codec = Codec(self._dictionary_from(samples))

    def pack(self, raw: bytes) -> tuple[Codec, bytes] | None:
        """`raw` compressed, and the codec that reads it; None when that saves less than an eighth."""
        return self.pack_many([raw])[0]

    def pack_many(self, raws: Sequence[bytes]) -> list[tuple[Codec, bytes] | None]:
        """Each of `raws` as `pack` would give it, in much less time."""
        codec = self._codec
        if codec is None:
            return [None] * len(raws)
        large = [raw for raw in raws if len(raw) >= _SMALLEST_WORTH_PACKING]
        frames = iter(codec.pack_many(large) if large else ())
        packed = [next(frames) if len(raw) >= _SMALLEST_WORTH_PACKING else raw for raw in raws]
        return [
            (codec, frame) if len(frame) < len(raw) - len(raw) // 8 else None
            for raw, frame in zip(raws, packed, strict=True)
        ]

    def _dictionary_from(self, samples: Sequence[bytes]) -> zstandard.ZstdCompressionDict | None:
        """The samples' own text; None when there is none.

        Made in no time, and better than a trained one on objects that repeat each other's structure.
        """
        cut = [sample[:_LARGEST_SAMPLE] for sample in samples if len(sample) >= _SMALLEST_WORTH_PACKING]
        content = b"".join(cut)[-self._dictionary_size :]
        if not content:
            return None
        return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
