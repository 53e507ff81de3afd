"""SKELETON."""
