# The commands of this repository; `make help` lists them. All of them work from a fresh clone.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
LOCKED := base registry sender auditor notifier frontend simulator cli run dev
# npm brings its own list of certificate authorities; let it trust those of the system as well, as everything else does.
SYSTEM_AUTHORITIES := $(wildcard /etc/ssl/certs/ca-certificates.crt)
PAGES := $(shell find frontend -path frontend/node_modules -prune -o -path frontend/static/vendor -prune -o \
	\( -name '*.html' -o -name '*.py' -o -name 'package-lock.json' \) -print 2>/dev/null)

.PHONY: help setup run test check format audit bench chaos long-tests simulate compose-test lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

run: .venv/ready-to-run frontend/static/vendor/icons.svg ## everything on this machine: servers, simulator, three senders, pages
	$(BIN)/fencepost dev --demo

setup: .venv/ready-to-test frontend/static/vendor/icons.svg ## the virtual environment and the pages' files, for working on it

# What kills and freezes counts seconds, so it runs alone; the rest mostly waits, so two share the processors.
test: setup check ## every test that a laptop can run: real servers, real browser
	$(BIN)/pytest -m 'not chaos' -n 2 --dist worksteal tests/unit tests/simulation tests/contract tests/integration tests/e2e
	$(BIN)/pytest -m 'not chaos' -n 2 --dist worksteal tests/faults
	$(BIN)/pytest -m 'not chaos' tests/chaos

check: setup ## formatting, lint, types, who imports whom, requirements
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry . --config .ci/deptry.toml

format: setup ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

audit: setup ## known vulnerabilities and licences of what is deployed (needs the network)
	for part in registry sender auditor notifier frontend simulator cli; do $(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements/$$part.txt || exit 1; done
	$(BIN)/pytest tests/unit/test_requirements.py

bench: setup ## sends per second and lateness beside a bare loop; takes minutes
	$(BIN)/python -m tests.bench

SEEDS ?= 20
FIRST_SEED ?= 1

chaos: setup ## random faults on real servers, each run judged: SEEDS=20 FIRST_SEED=1 REPORT=docs/fault-report.md
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --first-seed $(FIRST_SEED) $(if $(REPORT),--report $(REPORT))

long-tests: setup ## the tests that `make test` leaves out because they take many minutes
	$(BIN)/pytest -m chaos

simulate: SEEDS = 100000
simulate: setup ## random runs of the senders' decisions, on simulated servers: SEEDS=100000 FIRST_SEED=1
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first-seed $(FIRST_SEED)

compose-test: setup ## the compose file on a real Docker engine
	$(BIN)/pytest tests/compose

lock: .venv/ready-to-test ## pin requirements/*.txt anew from requirements/*.in
	for part in dev $(filter-out dev,$(LOCKED)); do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --override requirements/overrides.in \
	    $$(test $$part = dev || echo --constraint requirements/dev.txt) --output-file requirements/$$part.txt requirements/$$part.in || exit 1; \
	done

clean: ## remove what the other commands made
	rm -rf .venv frontend/node_modules frontend/static/vendor .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/ready-to-run: requirements/run.txt pyproject.toml .ci/machine.py
	@$(PYTHON) .ci/machine.py
	@echo "Installing packages into .venv; the first time this takes a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/run.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/ready-to-test: requirements/dev.txt .venv/ready-to-run
	@echo "Installing what the tests need."
	@# The list is complete; without --no-deps what requirements/overrides.in overrides would be asked for again.
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/dev.txt
	@touch $@

frontend/static/vendor/icons.svg: .venv/ready-to-run $(PAGES)
	@echo "Fetching what the pages load in the browser."
	@NODE_EXTRA_CA_CERTS=$${NODE_EXTRA_CA_CERTS:-$(SYSTEM_AUTHORITIES)} $(BIN)/python -m frontend.assets >/dev/null
