# `make` alone lists what can be done. The work is in .ci/ and in the `payloom` command; this file only names it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install install-dev browser run test test-one check format-check lint types contracts house coverage \
        fmt lock migration lives audit audit-packages bench soak screenshots clean

# A suite of a hundred processes that may not keep their bytecode compiles itself a hundred times.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 8080
DATA ?= var
BIN := .venv/bin
# The rooms that have Python in them (all of them in a finished tree).
ROOMS := $(patsubst %/__init__.py,%,$(wildcard $(addsuffix /__init__.py,\
           payloom bot web jobs usecases domain storage gateways templates town tests)))
# Which tests cover domain/ and usecases/ whole. The others run without the tracer, which costs them two fifths of their time. The rules of the
# house (tests/house) are for `make check`.
COVERED := $(wildcard tests/domain tests/usecases tests/properties tests/cli)
# What a race or a row decides is never run again: that it failed once is the finding.
STRICT := $(wildcard tests/audit tests/races tests/storage)
LIVELY := tests/crash $(filter-out tests/crash tests/house $(COVERED) $(STRICT),$(patsubst %/,%,$(sort $(dir $(wildcard tests/*/test_*.py)))))
# A process for each core, each with its own PostgreSQL and browser; four are as many as the memory of a small machine carries.
SIDE_BY_SIDE := --numprocesses=auto --maxprocesses=4 --dist=worksteal
# The lively ones talk to processes, sockets and browsers, and can lose to a busy machine: what failed is run once more, by itself, and named.
AGAIN := --last-failed --last-failed-no-failures=none -v
MEASURED := --cov --cov-config=pyproject.toml --cov-report= --cov-fail-under=0

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PORT=9000 make run moves it; PYTHON=python3.12 make install picks another Python."

install: ## make .venv and install what the product needs
	@sh .ci/packages run

install-dev:
	@sh .ci/packages dev

browser:
	@sh .ci/browser

run: install ## start everything, with imitated providers, and print one address to open
	@exec $(BIN)/payloom town --port $(PORT) --data $(DATA)

test: install-dev browser ## run the whole suite, on SQLite, a real PostgreSQL and a real browser
	$(BIN)/coverage erase
	$(BIN)/pytest $(SIDE_BY_SIDE) $(MEASURED) $(COVERED)
	$(BIN)/pytest $(SIDE_BY_SIDE) $(STRICT)
	$(BIN)/pytest $(SIDE_BY_SIDE) $(LIVELY) || $(BIN)/pytest $(AGAIN) $(LIVELY)

test-one: install-dev ## run one file, folder or name: make test-one T=tests/domain/test_money.py
	@test -n "$(T)" || { echo 'payloom: say which, for example: make test-one T=tests/domain'; exit 2; }
	@if test -e "$(firstword $(subst ::, ,$(T)))"; then $(BIN)/pytest $(T); else $(BIN)/pytest -k "$(T)"; fi

check: install-dev format-check lint types contracts house coverage ## format, lint, types, who may import whom, house rules, coverage

format-check:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy $(ROOMS)

contracts:
	$(BIN)/lint-imports --no-logo

house:
	$(BIN)/pytest -q $(SIDE_BY_SIDE) tests/house

# Reads what `make test` measured; measures again where that is missing or older than a source.
coverage:
	@if ! test -s .coverage || test -n "$$(find domain usecases tests -name '*.py' -newer .coverage 2>/dev/null | head -n 1)"; then \
	  echo "measuring coverage: $(COVERED)"; $(BIN)/coverage erase; $(BIN)/pytest -q $(SIDE_BY_SIDE) $(MEASURED) $(COVERED); fi
	$(BIN)/coverage report

fmt: install-dev ## put every file into the house format
	$(BIN)/ruff check --fix-only --quiet . || true
	$(BIN)/ruff format .

lock: install-dev ## resolve the dependencies again; UPGRADE=1 takes the newest ones
	sh .ci/packages lock $(if $(UPGRADE),--upgrade)

migration: install-dev ## write a migration from the tables: make migration m="add refunds"
	@test -n "$(m)" || { echo 'payloom: say what it does, for example: make migration m="add refunds"'; exit 2; }
	$(BIN)/alembic revision --autogenerate -m "$(m)"

lives: install ## draw docs/lives.md from the tables of domain/life.py
	$(BIN)/payloom lives

audit: install ## prove every promise over the database of `make run`
	$(BIN)/payloom audit

audit-packages: install-dev ## ask whether a locked package has a known hole (needs the network)
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

bench: install-dev ## run the benchmarks
	$(BIN)/payloom bench

soak: install-dev ## sell for ten minutes (M=10) while processes are killed and gateways misbehave, then audit
	$(BIN)/pytest -m soak --soak-minutes $(or $(M),10)

screenshots: install-dev browser ## take the pictures of the README again (docs/pictures)
	$(BIN)/pytest -q tests/screenshots -m screenshots

clean: ## remove what can be made again; var/ (your data) stays
	rm -rf .venv build dist *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
