"""What a post is compared with: a handler that decodes a fact, inserts one row, and commits. In Starlette on
uvicorn with the house's own settings (uvloop, httptools), on SQLite with the house's own (WAL, FULL).

python -m tests.bench.bare_app PORT FILE
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploytrail.store.sqlite import open_engine


def app(path: Path) -> Starlette:
    """The application on a new file."""
    connection = open_engine(path, synchronous="FULL").raw_connection()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE bare (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    numbers = count()

    async def tell(request: Request) -> Response:
        body = await request.body()
        fact = msgspec.json.decode(body)
        number = next(numbers)
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("INSERT INTO bare VALUES (?, ?)", (number, body))
        cursor.execute("COMMIT")
        answer = msgspec.json.encode({"index": number, "id": fact["id"]})
        return Response(answer, 201, media_type="application/json")

    return Starlette(routes=[Route("/api/v1/facts", tell, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(
        app(Path(sys.argv[2])),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
    )
