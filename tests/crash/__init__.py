"""Killing the house at any moment, and failing its disk: what was acknowledged must be there, once.

`items`                 what is told
`victim`                a house in a process of its own
`small`, `small_child`  the writing half of a house alone
`served`                the real server
`ledger`                what was acknowledged and seen
`loop`                  the cycles of kill -9
`judge`                 the last word on a data folder
`faults`                failing single calls to the system
`sweeps`                such faults, one after another
"""
