# Everything that a new clone needs: `make run`, `make test`. The plain commands are in the README.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?=
WORKERS ?= 2
# A file's tests stay together, since they share runs; files go out in order, so that the last to
# be handed out are not the longest.
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help install run test test-fast viz viz-build docs lint format lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		echo "Installing with uv"; \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
	else \
		echo "Installing with pip"; \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	fi
	@touch $(STAMP)

install: $(STAMP) ## Create the environment from the lock

run: $(STAMP) ## Run the default pipeline (RUN="--env test" adds options)
	$(BIN)/kedro run $(RUN)

test: $(STAMP) ## Run the whole suite, on WORKERS processes (2)
	$(BIN)/python -m pytest $(SPREAD)

test-fast: $(STAMP) ## Run the suite without the end-to-end tests
	$(BIN)/python -m pytest $(SPREAD) -m "not end_to_end"

viz: $(STAMP) ## Open the lineage in a browser
	$(BIN)/kedro viz run

viz-build: $(STAMP) ## Build the lineage as a static site in build/
	$(BIN)/kedro viz build

docs: $(STAMP) ## Build the documentation as a site in build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(STAMP) ## Check style, types and layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Resolve requirements.lock anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --group dev pyproject.toml \
		--no-header --no-annotate --no-emit-index-url --output-file requirements.lock

clean: ## Remove the environment and caches; results in data/ stay
	rm -rf $(VENV) build .viz .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
