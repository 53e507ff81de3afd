"""kdash: the inside of a Kubernetes informer, live (a different project from the Rust TUI kdash-rs)."""

__version__ = "0.1.0"
