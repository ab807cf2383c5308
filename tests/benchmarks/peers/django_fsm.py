"""django-fsm-2 on Django: an object a row, loaded, moved, saved with its check for others, its history written."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from tests.benchmarks.peers.common import SINGLE, Asked, answer, asked


def measure(it: Asked) -> None:
    settings.configure(
        DATABASES={"default": _database(it)},
        INSTALLED_APPS=[],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    from django.db import connection, models, transaction
    from django.utils import timezone
    from django_fsm import ConcurrentTransitionMixin, FSMField
    from django_fsm import transition as moves

    class History(models.Model):
        code_id = models.BigIntegerField(db_index=True)
        source = models.CharField(max_length=16)
        target = models.CharField(max_length=16)
        actor = models.CharField(max_length=32)
        at = models.DateTimeField(auto_now_add=True)

        class Meta:
            app_label = "bench"

    class Code(ConcurrentTransitionMixin, models.Model):
        state = FSMField(default="pending", protected=True)
        expires_at = models.DateTimeField(db_index=True)

        class Meta:
            app_label = "bench"

        def ready(self) -> bool:
            return True

        @moves(field=state, source="pending", target="authorized", conditions=[ready])
        def authorize(self) -> None: ...

        @moves(field=state, source="authorized", target="expired", conditions=[ready])
        def expire(self) -> None: ...

    def fire(key: int, event: str) -> None:
        with transaction.atomic():
            code = Code.objects.get(pk=key)
            source = code.state
            getattr(code, event)()
            code.save()
            History.objects.create(code_id=key, source=source, target=code.state, actor="bench")

    with connection.schema_editor() as editor:
        editor.create_model(Code)
        editor.create_model(History)
    past = timezone.now() - timedelta(days=1)
    state, event = ("pending", "authorize") if it.scenario == SINGLE else ("authorized", "expire")
    Code.objects.bulk_create([Code(state=state, expires_at=past) for _ in range(it.count)], batch_size=500)
    began = time.perf_counter()
    due = Code.objects.filter(state=state, expires_at__lte=timezone.now())
    for key in list(due.values_list("pk", flat=True)):
        fire(key, event)
    seconds = time.perf_counter() - began
    answer(it, History.objects.count(), seconds)


def _database(it: Asked) -> dict[str, Any]:
    if it.on_sqlite:
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        options = {"init_command": pragmas, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": it.path, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": it.database,
        "USER": "postgres",
        "HOST": it.folder,
    }


if __name__ == "__main__":
    measure(asked())
