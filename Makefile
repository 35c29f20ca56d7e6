# make demo · run · test · bench · chaos · soak · test-live. Each builds .venv from its lock file when needed.
PYTHON ?= python3
BIN := .venv/bin

.DELETE_ON_ERROR:
.PHONY: help demo run test bench chaos soak test-live

help:
	@echo "make demo [PORT=8007]   the whole story on one terminal: a server and two toy model services"
	@echo "make run  [PORT=8007]   the server alone"
	@echo "make test               everything that CI runs: tests, lint, types"
	@echo "make bench              the figures of docs/performance.md"
	@echo "make chaos [MINUTES=10] [KILLS=1000] [RESTARTS=100] [ONLY=part,part]   everything breaks, for an hour"
	@echo "make soak               4,000 completions, kills and restarts on both databases, in a minute"
	@echo "make test-live          real model servers, asked through Rollcall: a minute, and 7 to build llama-server the first"
	@echo "                        time (needs a C++ compiler and curl; WRITE=1 writes docs/live.md; MORE=1 brings more servers)"

demo: .venv/.run
	@$(BIN)/python manage.py demo $(if $(PORT),--port $(PORT))

run: .venv/.run
	@$(if $(PORT),ROLLCALL_PORT=$(PORT)) exec $(BIN)/python manage.py serve --migrate

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadscope
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/.dev
	@$(BIN)/python -m bench.run

chaos: .venv/.dev
	@$(if $(MINUTES),MINUTES=$(MINUTES)) $(if $(KILLS),KILLS=$(KILLS)) $(if $(RESTARTS),RESTARTS=$(RESTARTS)) \
	    $(if $(ONLY),ONLY=$(ONLY)) $(BIN)/python -m tests.faults.run

soak: .venv/.dev
	@$(BIN)/python -m tests.acceptance.soak

test-live: .venv/.dev
	@$(BIN)/python tests/live/run.py $(if $(WRITE),--write) $(if $(MORE),--more)

.venv/.run: requirements.lock | .venv/bin/python
	@$(call install,requirements.lock)

.venv/.dev: requirements-dev.lock | .venv/bin/python
	@$(call install,requirements-dev.lock)

# The stamp is written last, so that an interrupted installation is taken up again.
define install
echo "Installing $(1) into .venv (the first time takes a minute) ..." && \
$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) && touch $@
endef

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || \
	    { echo "Rollcall needs Python 3.11 or newer, and $(PYTHON) was not found: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Rollcall needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) -V 2>&1`: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
