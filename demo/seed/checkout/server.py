"""The service over HTTP: /health and /quote."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from . import prices, vouchers
from .settings import Settings


def read_version(folder: Path) -> str:
    """The version that the build wrote, or "unbuilt"."""
    file = folder / "VERSION"
    return file.read_text().strip() if file.exists() else "unbuilt"


def quote(items: str, country: str, voucher: str, settings: Settings) -> dict[str, object]:
    """The price of a basket, line by line."""
    amount = prices.subtotal(prices.lines(items))
    off = prices.percentage(amount, vouchers.percent(voucher))
    fee = prices.delivery(amount - off, country)
    return {
        "currency": settings.currency,
        "subtotal": amount,
        "discount": off,
        "delivery": fee,
        "total": amount - off + fee,
    }


def tell(line: str) -> None:
    """One line of the access log, at once."""
    print(line, flush=True)


def listen(
    settings: Settings, port: int, version: str, log: Callable[[str], None] = tell
) -> ThreadingHTTPServer:
    """A server on the loopback interface that is ready to serve."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/health":
                self.reply(200, {"status": "ok", "version": version})
            elif parts.path == "/quote":
                self.reply(*self.priced(asked))
            else:
                self.reply(404, {"error": "unknown path"})

        def priced(self, asked: dict[str, str]) -> tuple[int, dict[str, object]]:
            try:
                country, voucher = asked.get("country", "GB"), asked.get("voucher", "")
                return 200, quote(asked["items"], country, voucher, settings)
            except (KeyError, ValueError) as error:
                return 400, {"error": str(error)}

        def reply(self, status: int, body: dict[str, object]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            log(f"{settings.environment} {format % args}")

    return ThreadingHTTPServer(("127.0.0.1", port), Answer)
