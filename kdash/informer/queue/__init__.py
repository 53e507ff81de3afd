"""Queue engines behind one protocol: `delta`, `real`, `real-atomic`."""
