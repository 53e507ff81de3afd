"""Where kdash keeps files of the user's, and how it writes new ones: whole or not at all, never over another,
readable by nobody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
import time
from pathlib import Path

__all__ = ["config_folder", "state_folder", "write_new", "write_whole"]

_TRIES = 1000
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # of file systems without hard links


def config_folder() -> Path:
    """The platform's folder for kdash's configuration: `config.toml` and `themes/`."""
    from platformdirs import user_config_path

    return user_config_path("kdash", appauthor=False)


def state_folder() -> Path:
    """The platform's folder for reports and copies."""
    from platformdirs import user_state_path

    return user_state_path("kdash", appauthor=False)


def write_new(folder: Path, stem: str, suffix: str, content: str | bytes) -> Path:
    """Write `stem-TIME.suffix` in `folder`, which is made when missing; returns its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", stem)[:80] or "kdash"
    name = f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(_TRIES):
        path = folder / f"{name}{f'-{number}' if number else ''}.{suffix}"
        try:
            write_whole(path, content)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder} is full of files named {name}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write the file `path`, which is there with all of its content, or not at all. Raises OSError, and
    FileExistsError when the name is taken."""
    if path.is_symlink() or path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    handle, temporary = tempfile.mkstemp(prefix=".kdash-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        try:
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
