"""django-auditlog on a model that holds a fact: each save writes the row and an entry about its change.

Needs django-auditlog and Django. SQLite in WAL with synchronous=FULL, set by Django's init_command. Single:
one `save`, committed; batch: a hundred in one `atomic` block (a bulk insert would not be audited at all).
"""

from __future__ import annotations

import json
import sqlite3
from importlib.metadata import version

import django
from django.conf import settings
from turns import facts, folder, take_turns

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "auditlog"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder() / "audited.db"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from auditlog.models import LogEntry  # noqa: E402  # Django must be set up before its models are read.
from auditlog.registry import auditlog  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402


class Deployment(models.Model):
    name = models.CharField(max_length=200)
    service = models.CharField(max_length=200)
    environment = models.CharField(max_length=200)
    body = models.TextField()

    class Meta:
        app_label = "auditlog"


auditlog.register(Deployment)
call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Deployment)


def single(line: bytes) -> None:
    told = json.loads(line)
    Deployment(
        name=told["deployment"],
        service=told["service"],
        environment=told["environment"],
        body=line.decode(),
    ).save()


def batch(lines: list[bytes]) -> None:
    with transaction.atomic():
        for line in lines:
            single(line)


def count() -> int:
    found = LogEntry.objects.count()
    assert found == Deployment.objects.count()
    return int(found)


take_turns(
    {
        "django-auditlog": version("django-auditlog"),
        "Django": version("Django"),
        "sqlite": sqlite3.sqlite_version,
    },
    facts(),
    single,
    batch,
    count,
)
