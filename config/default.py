"""Every setting of Rollcall with its default. Each is overridden by an environment variable of the same name.

Durations are seconds, sizes are bytes. docs/settings.md describes each; a test holds the two together.
"""

from __future__ import annotations

# Where registrations, health and the lease live. Empty: a SQLite file `rollcall.db` under ROLLCALL_VAR.
DATABASE_URL = ""
# Folder for what the server keeps beside the database. Empty: `var/` in the checkout.
ROLLCALL_VAR = ""

# Address and port to listen on. Anything but loopback is refused until there is an API key.
ROLLCALL_HOST = "127.0.0.1"
ROLLCALL_PORT = 8007
# A key with the scope admin that needs no database, for containers; what the hashes of stored keys are keyed with.
ROLLCALL_ADMIN_KEY = ""
ROLLCALL_KEY_PEPPER = ""
# The key that `manage.py ask` and `manage.py attach` send.
ROLLCALL_API_KEY = ""
# Web pages of these origins may call (comma separated, `*` for any). Empty: none.
ROLLCALL_CORS_ORIGINS = ""
# Host names that requests may carry (comma separated, `*` for any), so that no web page can reach a loopback server.
ROLLCALL_ALLOWED_HOSTS = "localhost,127.0.0.1,[::1]"

# Serving processes (0: one per core, at most 4), their kind (gevent or gthread) and threads each (gthread only).
ROLLCALL_PROCESSES = 0
ROLLCALL_WORKER_CLASS = "gevent"
ROLLCALL_THREADS = 64
# After SIGTERM: how long the server goes on while it says that it is not ready, then how long open requests may take.
ROLLCALL_DRAIN_DELAY = 0.0
ROLLCALL_GRACE_S = 30.0
ROLLCALL_LOG_LEVEL = "info"

# What is kept outside of the database is encrypted with the first of these keys, and read with any (comma separated).
# Empty: a key of its own in ROLLCALL_VAR, made on first use.
ROLLCALL_SECRET_KEY = ""

# Environment variables that registrations may read as ${env:NAME}: comma separated patterns such as OPENAI_*.
ROLLCALL_SECRET_ENV = ""

# Where workers may be, comma separated networks (10.0.0.0/8) and host names (*.example). Private networks and this
# machine itself may be called without being named only by a server that listens on loopback.
ROLLCALL_OUTGOING_ALLOW = ""
ROLLCALL_OUTGOING_DENY = ""

# Caps on a caller's body and on a worker's reply.
ROLLCALL_MAX_BODY_BYTES = 2_000_000
ROLLCALL_MAX_REPLY_BYTES = 32_000_000
# Connecting to a worker; the whole request with every attempt; silence within one stream.
ROLLCALL_CONNECT_TIMEOUT_S = 3.0
ROLLCALL_TIMEOUT_S = 600.0
ROLLCALL_STREAM_IDLE_S = 300.0
# A caller of a stream that hears nothing for so long is sent a sign of life. 0: never.
ROLLCALL_KEEP_ALIVE_S = 15.0
# Workers tried for one request; calls made again in ten seconds, of a hundred requests, and how many are always
# allowed; how long an idle connection to one may be used again.
ROLLCALL_MAX_ATTEMPTS = 3
ROLLCALL_RETRY_PERCENT = 20.0
ROLLCALL_RETRY_FLOOR = 3
ROLLCALL_IDLE_CONNECTION_S = 4.0

# Health checks: on or off, from start to start, patience, consecutive failures and successes that flip the verdict.
ROLLCALL_HEALTH_CHECKS = True
ROLLCALL_PROBE_INTERVAL_S = 2.0
ROLLCALL_PROBE_TIMEOUT_S = 1.0
ROLLCALL_PROBE_FALL = 3
ROLLCALL_PROBE_RISE = 2
ROLLCALL_PROBE_PARALLEL = 32
# A prober that has not been heard of for this long is replaced.
ROLLCALL_LEASE_S = 4.0
# How often each process asks the database whether the fleet has changed.
ROLLCALL_FLEET_POLL_S = 0.1

# What each process learns from its own calls: failures in a row that take a worker out, for how long (times the number
# of times it happened) and at most; how long a worker that refused a connection is left alone; the slow start of one
# that recovered.
ROLLCALL_EJECT_AFTER = 3
ROLLCALL_EJECT_S = 30.0
ROLLCALL_EJECT_MAX_S = 300.0
ROLLCALL_BENCH_S = 2.0
ROLLCALL_SLOW_START_S = 30.0

# Jobs (images and videos that take minutes): polls in flight at once in each process.
ROLLCALL_JOB_PARALLEL = 32
# Where the images and videos of finished jobs are kept (empty: `media/` under ROLLCALL_VAR), how large one may be,
# and for how long they and their jobs are kept.
ROLLCALL_MEDIA_DIR = ""
ROLLCALL_MEDIA_MAX_BYTES = 200_000_000
ROLLCALL_MEDIA_KEEP_S = 604_800.0
