"""Faults aimed at every state of a turn, and a checker of what each client saw."""
