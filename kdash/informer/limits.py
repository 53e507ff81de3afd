"""How much of what a server sends is taken: every limit in one place.

Contract: an honest server stays far below each of them, and how large an honest list is does not matter: it is split
into its objects as it arrives. Bytes are counted unpacked. Together with the working copies that decoding makes, a
hostile answer raises resident memory by less than 128 MB.
"""

from __future__ import annotations

__all__ = [
    "LARGEST_DOCUMENT",
    "LARGEST_ERROR_BODY",
    "LARGEST_KUBECONFIG",
    "LARGEST_OBJECT",
    "LONGEST_NAME",
    "LONGEST_RETRY_AFTER_S",
    "MOST_EMPTY_PAGES",
    "MOST_VALUES",
]

LARGEST_ERROR_BODY = 64 << 10
"""Of an answer that is no success: what comes after that is not read."""

LARGEST_DOCUMENT = 64 << 20
"""A discovery document."""

LARGEST_OBJECT = 32 << 20
"""One object: a line of a watch, an item of a list; also all of a list that is no item."""

LONGEST_NAME = 64 << 10
"""A kind, name, namespace, uid or version: what is kept of each object as text."""

MOST_VALUES = 1_000_000
"""JSON values in what is decoded as a whole: one takes some 60 to 100 bytes, however short its text is."""

LARGEST_KUBECONFIG = 16 << 20

MOST_EMPTY_PAGES = 2
"""Pages without items that may follow one another in a list; one more is an error."""

LONGEST_RETRY_AFTER_S = 24 * 3600
"""A server that names a longer pause, or no number, has named none."""
