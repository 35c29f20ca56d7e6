"""The process model: how `manage.py serve` runs gunicorn, with the settings of config/default.py.

Nothing here may import `requests`, `urllib3` or the application: the gevent serving processes patch the standard
library first and load the application themselves, and what was imported before the patch breaks TLS.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import resource
import signal
import sys
import time
from typing import Any

from gunicorn.glogging import Logger

from app.settings import SettingsError, load_settings
from config.draining import delay_stops, is_draining

try:
    _settings = load_settings()
except SettingsError as _error:
    sys.exit(str(_error))

_host = _settings.host.strip("[]")
_OPEN_FILES = 65_536
_SHARED_MEMORY = "/dev/shm"
_LAST_WORDS_S = 5
# gevent would run those who sleep for nothing again, up to fifty times, before it looks who else has got bytes. It
# does look before the shortest sleep is over, and sleeps no longer than that takes.
_TURN_S = 1e-9 if _settings.worker_class == "gevent" else 0.0

wsgi_app = "app:create_app(migrations=False)"
preload_app = False
bind = f"[{_host}]:{_settings.port}" if ":" in _host else f"{_host}:{_settings.port}"
workers = _settings.processes or min(len(os.sched_getaffinity(0)), 4)
worker_class = _settings.worker_class
threads = _settings.threads
# Calls open at once in one process; each is a greenlet (or, with gthread, a place in the queue for a thread).
worker_connections = 10_000
timeout = 30
# Open requests end by themselves when the grace time is over; gunicorn would cut them off without a word.
graceful_timeout = math.ceil(_settings.grace_s) + _LAST_WORDS_S
# Long enough for a client that asks again and again, short enough that idle ones do not hold up a stop.
keepalive = 5
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
# gunicorn's own default is one control socket under the home directory, shared by all instances.
control_socket_disable = True
# The heartbeat file must not wait for a disk.
worker_tmp_dir = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None


class ErrorsOnly(Logger):  # type: ignore[misc]
    """Because of `logconfig_dict` gunicorn would gather every request's line for an access log that nobody reads."""

    access_log_enabled = False


logger_class = ErrorsOnly
accesslog = None
errorlog = "-"
loglevel = _settings.log_level
logconfig_dict = {
    "root": {"level": "WARNING", "handlers": ["error_console"]},
    "loggers": {"app": {"level": _settings.log_level.upper()}, "urllib3": {"level": "ERROR"}},
}


def on_starting(server: Any) -> None:
    """Each open call takes two files; shells often allow only 1,024 of the many that the system would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def when_ready(server: Any) -> None:
    """Say where to reach it, also when the system chose the port (ROLLCALL_PORT=0)."""
    delay_stops(server, _settings.drain_delay)
    for listener in server.LISTENERS:
        server.log.info("Rollcall listens at %s", listener)


def post_worker_init(worker: Any) -> None:
    from app import start
    from config.replies import refuse_in_json

    refuse_in_json(worker)
    _end_in_time(worker)
    start(worker.wsgi, [listener.getsockname()[1] for listener in worker.sockets], is_draining)
    # What is loaded by now stays as long as the process: no collection shall stop the world to look at it again.
    gc.collect()
    gc.freeze()


def _end_in_time(worker: Any) -> None:
    from app import end

    def handle_term(number: int, frame: Any) -> None:
        end(worker.wsgi)
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, handle_term)
    signal.siginterrupt(signal.SIGTERM, False)


def pre_request(worker: Any, request: Any) -> None:
    """Let the others run first: where bytes are always there already, a greenlet would never have to wait for any."""
    time.sleep(_TURN_S)


def worker_exit(server: Any, worker: Any) -> None:
    # gunicorn also calls this in the master, for a process that vanished: there is no application there.
    application = getattr(worker, "wsgi", None)
    if application is None:
        return
    from app import stop

    # Ctrl-C comes twice, from the terminal and from the master: the second must not cut the first short.
    for _ in range(3):
        with contextlib.suppress(SystemExit):
            stop(application)
            break
