"""Deploytrail: the system of record that makes continuous deployment accountable."""
