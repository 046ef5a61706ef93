"""Sorts of columns that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa


class _Utf8(sa.TypeDecorator[str]):
    """Text as its UTF-8 bytes: holds every character, which PostgreSQL's text does not, in byte order."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else bytes(value).decode()


class _Ours(sa.TypeDecorator[str]):
    """Text in byte order. What strangers ask for may hold a NUL, which PostgreSQL refuses to look for: then
    another text is looked for, which no name of ours is.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.replace("\0", "\ufffd")


# Sixty-four bits in both; in SQLite the name that makes a key the row's own number.
BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES: Final = sa.LargeBinary()
# Text of our own making, and text that somebody told.
OURS: Final = sa.Text().with_variant(_Ours(collation="C"), "postgresql")
TOLD: Final = sa.Text().with_variant(_Utf8(), "postgresql")
