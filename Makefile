# The doors of the project. Each installs what it needs first; see CONTRIBUTING.md.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Compiled files are kept: each of the suite's processes would compile the package, and each worker all tests, anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test slow check format peers interop soak bench lock clips clean

help: ## list the doors
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml locks/python.txt
	$(PYTHON) -c 'import sys; sys.exit("pexrtc_py needs Python 3.11 or later, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --only-binary :all: -r locks/python.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/.installed ## make the virtual environment from the hashed lock

demo: install ## a node, an announcer and a recorder in one room: prints what was measured and the recording's path
	$(BIN)/pexrtc demo

test: install ## the test suite, with what pip alone installs; under three minutes
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not slow" $(ARGS)

slow: install ## the tests that take some seconds each
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m slow $(ARGS)

check: install ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

peers: ## install the clients that are not ours: Debian packages and npm
	tests/interop/install-peers

interop: install ## our node and endpoint with clients that are not ours
	$(BIN)/python -m pytest -q tests/interop $(ARGS)

soak: install ## the long and the hundredfold runs; each prints its figures
	$(BIN)/python -m pytest -q -s tests/soak --timeout 7200 $(ARGS)

# `make bench` lists the benchmarks, `make bench NAME` runs one.
ifeq (bench,$(firstword $(MAKECMDGOALS)))
BENCH := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
$(foreach name,$(BENCH),$(eval .PHONY: bench-$(name))$(eval $(name):;@:))
endif
bench: install ## one table: us beside what one would use instead
	$(BIN)/python -m benchmarks $(BENCH)

lock: install ## renew the hashed lock after a change of dependencies
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file locks/python.txt

clips: install ## make the clips of media/ again (needs espeak-ng)
	$(BIN)/python media/make_clips.py

clean: ## remove what the doors have made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .peers recordings
