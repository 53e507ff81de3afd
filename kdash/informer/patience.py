"""How long the core waits for what may never come, unless it is told otherwise (kdash extensions; seconds)."""

from __future__ import annotations

__all__ = ["STALL_AFTER_S", "SYNC_PATIENCE_S"]

STALL_AFTER_S = 75.0
"""The shortest silence of a watch after which a second one is opened beside it (see `watch_silence`)."""
SYNC_PATIENCE_S = 60.0
"""Without a further initial object or the end marker, a watch-list is given up for a list."""
