"""The command `kdash`. `--version` answers without importing anything else."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from kdash import __version__

        try:
            if sys.stdout is not None:
                sys.stdout.write(f"kdash {__version__} (not kdash-rs)\n")
                sys.stdout.flush()
                return
        except OSError:  # the command line says why
            pass
    gc.disable()  # nothing that is imported goes away again; whoever goes on enables it
    from kdash.cli.app import run

    gc.enable()
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
