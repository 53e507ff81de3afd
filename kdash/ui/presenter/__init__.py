"""Pure functions from a snapshot to lines: one module a pane. They know no widget, no clock and no thread."""
