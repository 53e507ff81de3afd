"""SKELETON. One observation, live or replayed: the door between the screen and the informer.

The public surface (see `door.py`): `Observation`, `Outcome`, `open_demo`, `open_cluster`.
"""
