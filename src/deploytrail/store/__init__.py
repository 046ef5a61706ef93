"""Pipes to databases: the log and what lies beside it, derived rows, the keyring.

`schema` tables with their classes · `sqlite` opening files safely · `log_sql` the log · `keyring_sql` keys ·
`made_again` files that can be made anew · `derived_sql` rows of projections · `search_sql` what entries are
found by · `appending` what one append writes, shared by all logs ·
`log_memory`, `keyring_memory`, `derived_memory`, `search_memory` real adapters without a disk, for tests
"""
