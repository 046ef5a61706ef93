"""The use cases, and the ports they ask for. Doors call them; pipes implement the ports.

`ports` what the house asks of the world · `record` the one way into the log · `receive` deliveries ·
`follow` projections · `seal` checkpoints · `watch` the live feed · `ask` questions of pages ·
`administer` sources, tokens, links, sessions · `access` who may do what · `disclose` and `erase` sealed
fields · `fsck` the last judge: `fsck_walk` over the log, `fsck_beside` what lies beside it, `fsck_rows`.
"""
