"""The mathematics of a transparency log: bytes in, bytes out. No disk, network, clock or chance.

Hashes are those of RFC 6962; the formats are those of C2SP (tlog-tiles, tlog-checkpoint, signed-note,
tlog-cosignature, tlog-proof). Read in this order:

`hashes`           leaf, node and root hashes
`frontier`         what must be kept of a tree so that it can grow; the hot path of every append
`tiles`            the cut of a tree into files: paths, widths, entry bundles
`proofs`           inclusion and consistency, built from tiles and verified
`spelling`         decimals, base64 and names that can be written in one way only
`verifier`         a public key by name and key ID; one signature line
`cosignature`      signatures with a time, by witnesses (or by the log itself, with ML-DSA)
`note`             signed notes: parse, check, assemble; the log's signing key
`checkpoint_text`  origin, size and root as text
`checkpoint`       that text, signed and opened
`receipt`          one entry's inclusion proof and the checkpoint it leads to, as one file

Malformed input from outside is Refused("bad-input"), a path that no tile has Refused("not-found"), and
a proof or signature that does not hold Refused("untrue").
"""
