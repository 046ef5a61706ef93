"""The words of the house: every kind of fact, its canonical bytes, and what of it is sealed.

`canonical`  the bytes of an entry: a subset of RFC 8785 that cannot be written two ways
`kinds`      every kind as a frozen type, and which fields are clear, sealed, or persons
`draft`      a fact before it is sealed
`told`       the direct form, as senders write it
`sealing`    draft to entry and disclosures; commitments, and opening them
`owners`     whose disclosure opens each sealed field, read from an entry
`subjects`   what a fact is about, as keys
`entry`      canonical bytes back to a fact
`times`      RFC 3339 in, UTC milliseconds out
"""
