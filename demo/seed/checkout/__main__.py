"""Starts the service: python -m checkout --environment NAME --port PORT."""

import argparse
from pathlib import Path

from . import server, settings


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(prog="checkout")
    parser.add_argument("--environment", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    chosen = settings.load(Path("config"), given.environment)
    server.listen(chosen, given.port, version=server.read_version(Path())).serve_forever()


main()
