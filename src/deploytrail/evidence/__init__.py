"""What outsiders need to check the house without trusting it: files and keys in, numbered checks out.

`check`           one numbered answer, and faults gathered for it
`verify_log`      a whole log, from its checkpoint down to every entry
`verify_receipt`  one receipt

Nothing here opens a file or a socket: the caller brings a function that fetches.
"""
