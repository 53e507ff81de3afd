"""Files of the user's: whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdash.ui.files import write_new, write_whole

FULL = """
import resource, sys
from pathlib import Path
from kdash.ui.files import write_new, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
folder = Path(sys.argv[1])
text = "x" * 5000
for write in (lambda: write_new(folder, "export", "json", text), lambda: write_whole(folder / "a.csv", text)):
    try:
        write()
    except OSError as error:
        print(error.strerror)
"""


def test_what_cannot_be_written_whole_leaves_no_file(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout == "File too large\n" * 2
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_over_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, "mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            write_whole(taken, "theirs")
    assert path.read_text() == "mine" and path.stat().st_mode & 0o777 == 0o600
    names = {write_new(tmp_path, "b", "txt", "c").read_text() for _ in range(3)}
    assert names == {"c"} and len(list(tmp_path.iterdir())) == 5
