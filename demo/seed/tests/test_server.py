# mypy: disable-error-code="import-not-found"
import json
import threading
import unittest
from pathlib import Path
from urllib.request import urlopen

from checkout import server, settings


class Server(unittest.TestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        chosen = settings.load(Path("config"), "staging")
        self.server = server.listen(chosen, 0, version="test", log=self.log.append)
        serving = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(self.server.shutdown)

    def ask(self, path: str) -> dict[str, object]:
        with urlopen(f"http://127.0.0.1:{self.server.server_port}{path}", timeout=5) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    def test_health(self) -> None:
        self.assertEqual(self.ask("/health"), {"status": "ok", "version": "test"})

    def test_each_answer_is_logged(self) -> None:
        self.ask("/health")
        self.assertIn("GET /health", self.log[0])

    def test_a_quote_adds_up(self) -> None:
        asked = self.ask("/quote?items=2x1000&voucher=WELCOME10")
        self.assertEqual(asked["discount"], 200)
        self.assertEqual(asked["total"], 2000 - 200 + int(str(asked["delivery"])))
