"""What `main` tells the web door."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`public_url` is where people reach the house. `allowed_hosts` are the Host headers that are answered,
    each a name (any port) or name:port. `public_log` opens entry bundles to all. `upload_room`: bytes of
    bodies that may be on their way in together.
    """

    public_url: str = "http://localhost:8420"
    allowed_hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"})
    public_log: bool = True
    upload_room: int = 512 * 2**20

    @property
    def https(self) -> bool:
        """Whether people come over https, so that cookies can be bound to it."""
        return urlsplit(self.public_url).scheme == "https"
