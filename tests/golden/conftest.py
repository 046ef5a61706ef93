"""The same houses as for `main`."""

from tests.main.conftest import folder, house, unset

__all__ = ["folder", "house", "unset"]
