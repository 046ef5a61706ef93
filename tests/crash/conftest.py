"""The same folder as for `main`."""

from tests.main.conftest import folder

__all__ = ["folder"]
