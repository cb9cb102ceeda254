"""Frozen records and pure functions of the field; numpy and the standard library only."""
