"""Mutation fuzzers, written by hand and repeatable by their seed.

`mutate` alters bytes and JSON · `target` what a fuzzer is · `run` draws, tries and keeps what failed ·
one file for each target, in the explicit list of `registry`
"""
