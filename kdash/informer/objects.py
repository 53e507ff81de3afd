"""KubeObject: one object from a server, kept as bytes until someone looks inside (architecture.md §4).

Contract:
- A few header fields are decoded when the object is made; everything else decodes on access, and the result
  is not kept: who needs `obj["spec"]` twice keeps it.
- An object never changes for its users. `pack` swaps its private bytes for compressed ones in one assignment,
  so the object in the cache, in a handler and in a resync stay one and the same.
- Equality and hash follow key, uid and resourceVersion: the server gives each content a version of its own.
- Safe in any number of threads. Holds only bytes and scalars, so the garbage collector never visits it.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import datetime
from sys import intern
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from kdash.informer import object_decoding as decoding
from kdash.informer.frozen import FrozenDict, FrozenList, frozen
from kdash.informer.packing import PACKED_MARK, Codec, Packer

__all__ = ["KubeObject", "pack_together", "stored_bytes"]

_LARGE = 1 << 20
_decode_header = decoding.header_decoder.decode


def _decode_header_again(raw: bytes) -> decoding.Header:
    try:
        return _decode_header(raw)
    except decoding.DECODING_ERRORS as error:
        raise decoding.malformed(error) from None


class KubeObject(msgspec.Struct, frozen=True, eq=False, gc=False, repr_omit_defaults=True):
    """One object. Make it with `from_bytes` or `from_dict`; read it like a dict, or through its properties.

    Each access decodes anew and what it gives out refuses to be changed (`frozen`): `to_dict` gives a copy that may be.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    key: str
    """`namespace/name`, or `name` when there is no namespace (client-go `MetaNamespaceKeyFunc`)."""
    size: int
    """Bytes of the object's JSON."""
    _stored: bytes
    _codec: Codec | None = None

    @classmethod
    def from_bytes(cls, raw: bytes | msgspec.Raw, api_version: str = "", kind: str = "") -> KubeObject:
        """From the JSON of one object; `api_version` and `kind` fill in where the JSON has none.

        Text that is not Unicode (bad UTF-8, half a surrogate pair) is replaced, as Go does. Raises `DecodeError` when
        the bytes are no JSON object or its metadata is malformed.
        """
        if len(raw) > _LARGE:
            decoding.check_names(raw)
        try:
            header = _decode_header(raw)
        except decoding.DECODING_ERRORS as error:
            raw = decoding.repaired_text(raw, error)
            header = _decode_header_again(raw)
        meta = header.metadata or decoding.NO_METADATA
        namespace, name = meta.namespace, meta.name or ""
        if namespace:
            namespace = intern(namespace)
            key = f"{namespace}/{name}"
        else:
            namespace, key = "", name
        if (header.kind or not kind) and (header.api_version or not api_version):
            kind, api_version = header.kind or "", header.api_version or ""
        else:
            missing = "" if header.api_version else api_version, "" if header.kind else kind
            raw = decoding.with_type(raw, *missing)
            kind, api_version = header.kind or kind, header.api_version or api_version
        return cls(
            intern(api_version), intern(kind), namespace, name, meta.uid or "", meta.resource_version or "",
            key, len(raw), raw if type(raw) is bytes else bytes(raw),
        )  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> KubeObject:
        """From decoded JSON. Raises `DecodeError` like `from_bytes`, TypeError for values JSON has not."""
        return cls.from_bytes(msgspec.json.encode(data))

    # bytes ---------------------------------------------------------------------------------------------

    def to_json(self) -> bytes:
        """The object's JSON bytes (unpacked)."""
        stored = self._stored  # read before _codec: `pack` writes them in the other order
        if stored[0] != PACKED_MARK:
            return stored
        codec = self._codec
        assert codec is not None
        return codec.unpack(stored)

    @property
    def stored_size(self) -> int:
        """Bytes it takes in the cache: fewer than `size` once packed."""
        return len(self._stored)

    @property
    def is_packed(self) -> bool:
        """Whether the bytes are compressed at present."""
        return self._stored[0] == PACKED_MARK

    def pack(self, packer: Packer) -> bool:
        """Compress the bytes in place; False when they are packed already or would not get smaller.

        Others may read the object meanwhile. Not for two threads at once on one object.
        """
        return pack_together([self], packer) == 1

    def packed(self, packer: Packer) -> KubeObject:
        """An equal object that is packed (where packing pays)."""
        twin = self.__copy__()
        twin.pack(packer)
        return twin

    # content -------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """A fresh decoded copy; the caller may change it."""
        return decoding.decode_object(self.to_json())

    def __getitem__(self, field: str) -> Any:
        value = decoding.decode_fields(self.to_json())[field]
        return frozen(decoding.decode_value(value))

    def get(self, field: str, default: Any = None) -> Any:
        """A top-level field, decoded, or `default`."""
        value = decoding.decode_fields(self.to_json()).get(field)
        return default if value is None else frozen(decoding.decode_value(value))

    def __contains__(self, field: object) -> bool:
        return field in decoding.decode_fields(self.to_json())

    def __iter__(self) -> Iterator[str]:
        return iter(decoding.decode_fields(self.to_json()))

    def __len__(self) -> int:
        return len(decoding.decode_fields(self.to_json()))

    def __bool__(self) -> bool:
        return True

    def keys(self) -> KeysView[str]:
        """The top-level fields."""
        return decoding.decode_fields(self.to_json()).keys()

    def values(self) -> ValuesView[Any]:
        """The top-level values, decoded."""
        return FrozenDict(self.to_dict()).values()  # type: ignore[no-any-return]

    def items(self) -> ItemsView[str, Any]:
        """The top-level fields with their decoded values."""
        return FrozenDict(self.to_dict()).items()  # type: ignore[no-any-return]

    # metadata ------------------------------------------------------------------------------------------

    @property
    def labels(self) -> dict[str, str]:
        """metadata.labels; empty when there are none, or when they are no strings."""
        return FrozenDict(decoding.decode_strings(self.to_json(), decoding.labels_decoder))

    @property
    def annotations(self) -> dict[str, str]:
        """metadata.annotations, like `labels`."""
        return FrozenDict(decoding.decode_strings(self.to_json(), decoding.annotations_decoder))

    @property
    def owner_references(self) -> list[dict[str, Any]]:
        """metadata.ownerReferences, each with apiVersion, kind, name, uid and, where set, controller."""
        return FrozenList(decoding.decode_metadata(self.to_json()).owner_references or [])

    @property
    def creation_timestamp(self) -> datetime | None:
        """metadata.creationTimestamp; None when there is none."""
        return decoding.timestamp(decoding.decode_metadata(self.to_json()).creation_timestamp)

    @property
    def deletion_timestamp(self) -> datetime | None:
        """metadata.deletionTimestamp: set while the object waits for its finalizers; None when it lives."""
        return decoding.timestamp(decoding.decode_metadata(self.to_json()).deletion_timestamp)

    @property
    def generation(self) -> int:
        """metadata.generation, 0 when there is none."""
        return decoding.decode_metadata(self.to_json()).generation or 0

    # identity ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not KubeObject:
            return NotImplemented
        return (self.key, self.uid, self.resource_version) == (other.key, other.uid, other.resource_version)

    def __hash__(self) -> int:
        return hash((self.key, self.uid, self.resource_version))

    def __repr__(self) -> str:
        kind = self.kind or "KubeObject"
        return f"<{kind} {self.key} uid={self.uid} rv={self.resource_version} {self.size} B>"

    def __copy__(self) -> KubeObject:
        return KubeObject(
            self.api_version, self.kind, self.namespace, self.name, self.uid, self.resource_version, self.key,
            self.size, self.to_json(),
        )  # fmt: skip

    def __deepcopy__(self, memo: dict[int, Any]) -> KubeObject:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return KubeObject.from_bytes, (self.to_json(), self.api_version, self.kind)


def pack_together(objects: Iterable[KubeObject], packer: Packer) -> int:
    """Compress objects in place, all in one go; returns how many got smaller.

    Others may read them meanwhile. Not for two threads at once on one object.
    """
    unpacked = [obj for obj in objects if not obj.is_packed]
    smaller = 0
    for obj, packed in zip(unpacked, packer.pack_many([obj._stored for obj in unpacked]), strict=True):
        if packed is not None:
            force_setattr(obj, "_codec", packed[0])
            force_setattr(obj, "_stored", packed[1])
            smaller += 1
    return smaller


def stored_bytes(objects: Iterable[KubeObject]) -> int:
    """Bytes that they take in the cache."""
    return sum([len(obj._stored) for obj in objects])
