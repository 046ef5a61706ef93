"""Others that keep a history, told the same bench facts in turn with the house: run by hand, by `run.sh`.

`turns` what a peer and its caller say to each other · `__main__` the caller, in the project's own
environment · `merkle` pymerkle's proofs · one file for each peer, which needs nothing but the standard
library and what it names at its top; run.sh puts that into an environment of its own. Peers are no
dependencies of the project.
"""
