"""Benchmarks: figures and ratios, never a timed assertion.

`figure` what is told · `measure` taking times · `fact` the bench fact · `facts_told`, `house` what else is
measured on · one file for each benchmark, in the explicit list of `registry`
"""
