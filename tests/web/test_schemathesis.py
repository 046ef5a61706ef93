"""The API, asked everything that its description allows and much that it does not, over real HTTP.

    DEPLOYTRAIL_EXAMPLES=500 .venv/bin/python -m pytest tests/web/test_schemathesis.py

Nothing may break, every answer must be one that the description names and fit its schema, and what the
description forbids must be refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from deploytrail.app.keyset import written
from deploytrail.client import House
from tests.cli.test_asking import HISTORY
from tests.main.running import Running, serving

pytestmark = pytest.mark.slow

# Examples for each operation and way of making them; a longer run by hand takes more.
EXAMPLES = int(os.environ.get("DEPLOYTRAIL_EXAMPLES", "6"))
_CURSORS = [written(place) for place in ((10**13, 5), 7, "checkout", (3, "s_x"))]
_TIMES = st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"))

# A cursor of another list, and a body that no kind can mean, are refused though a schema cannot say so.
_CONFIG: dict[str, Any] = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403, 404, 409, 413, 429, 503]}
    }
}


@pytest.fixture(scope="module")
def house() -> Iterator[Running]:
    with serving("--limit-requests", "100000", "--limit-facts", "100000") as running:
        with House(running.url, running.token("reporter", "teller")) as teller:
            list(teller.tell_many(HISTORY))
        yield running


def test_nothing_that_is_asked_breaks_the_description(house: Running) -> None:
    schemathesis.openapi.format("cursor", st.sampled_from(_CURSORS))
    schemathesis.openapi.format("date-time", _TIMES)
    token = house.token("administrator")
    shown = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(
        f"{house.url}/api/openapi.json", headers=shown, config=SchemathesisConfig.from_dict(_CONFIG)
    )
    faults: list[str] = []
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/api/v1/live":
            # A stream has no end; tests/web/test_live.py reads it.
            continue
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                nonlocal asked
                asked += 1
                try:
                    case.call_and_validate(headers=shown)
                except (AssertionError, BaseExceptionGroup) as fault:
                    faults.append(f"{case.method} {case.path}\n{fault}")

            try:
                ask()
            except Exception as fault:
                if "Unsatisfiable" not in type(fault).__name__:
                    faults.append(f"{operation.label} {type(fault).__name__}: {fault}")
    assert not faults, "\n\n".join(faults[:5]) + f"\n\n{len(faults)} in all"
    assert asked > 100
