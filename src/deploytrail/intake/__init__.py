"""Sources as plug-ins: one file or folder each, bytes in and facts out, in one explicit list.

A source never opens a socket, never reads a clock, and knows no other source. Adding one: a file or folder
here, a line in `registry.SOURCES`, a folder of samples, a page of documentation.
"""
