"""Screens that stand over the dashboard for a moment."""
