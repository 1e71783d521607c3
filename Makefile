# Each target does the set-up it needs: Python 3.11 or newer and make are enough. `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# Another Python:             make test PYTHON=/opt/python3.13/bin/python3
# More for the program:       CDS_PORT=9000 make run, make test ARGS="-k laterality -x"
PYTHON ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

# On every core, each file of tests on one. With a debugger: make test ARGS="-n 0 --pdb -k laterality"
PYTEST = $(BIN)/python -m pytest -q -n auto --dist loadfile

# Errors only: pip's notices about itself are no news here. The hashes are what is trusted, wherever a file came from.
PIP_INSTALL = $(BIN)/python -m pip --disable-pip-version-check --no-input -qq install
COMPILE = .venv-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-header --no-annotate

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "  %-16s %s\n", $$1, $$2 }'

.PHONY: run
run: $(VENV)/run.stamp ## start the service on this machine
	@CDS_DEVELOPMENT=$${CDS_DEVELOPMENT:-$$([ "$$CDS_CLIENTS_FILE$$CDS_ALLOW_OPEN$$CDS_HOST" ] && echo false || echo true)} \
		$(BIN)/cds-service serve $(ARGS)

.PHONY: test
test: $(VENV)/dev.stamp ## the tests
	@$(PYTEST) $(ARGS)

.PHONY: demo
demo: $(VENV)/run.stamp ## start the service, fire real hook calls at it, compare the cards, stop it
	@$(BIN)/python -m fhir_examples.demo $(ARGS)

.PHONY: golden
golden: $(VENV)/run.stamp ## make the golden answers of fhir_examples anew, and tell what changed
	@$(BIN)/python -m fhir_examples.demo --update $(ARGS)

.PHONY: patients
patients: $(VENV)/run.stamp ## the example patients on a FHIR server of this machine, for the CDS Hooks Sandbox
	@$(BIN)/python -m fhir_examples.server $(ARGS)

.PHONY: check
check: $(VENV)/dev.stamp $(VENV)/docs.stamp ## what CI runs: format, lint, types, arrows, knowledge, documentation, tests
	@echo "== format" && $(BIN)/ruff format --check --quiet .
	@echo "== lint" && $(BIN)/ruff check --quiet .
	@echo "== types" && $(BIN)/mypy --no-error-summary
	@echo "== arrows" && $(BIN)/lint-imports --no-logo
	@echo "== knowledge" && $(BIN)/cds-service check
	@echo "== documentation" && $(BIN)/python -m docs.site
	@echo "== tests" && $(PYTEST) $(ARGS)

.PHONY: docs
docs: $(VENV)/docs.stamp ## the documentation as a site in build/site; ARGS=--links asks for the external links too
	@$(BIN)/python -m docs.site $(ARGS)

.PHONY: references
references: $(VENV)/run.stamp ## write anew what docs/ has from the code: settings, commands, API, conformance
	@$(BIN)/python -m docs.references $(ARGS)

.PHONY: audit
audit: $(BIN)/python ## known faults in what is pinned, and secrets in what git knows
	@$(BIN)/python .ci/audit.py $(ARGS)

.PHONY: soak
soak: $(VENV)/dev.stamp ## the long tests
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

.PHONY: lock
lock: .venv-lock/$(UV_VERSION).stamp ## newest versions of everything into requirements/
	@$(COMPILE) --group build -o requirements/run.txt
	@$(COMPILE) --group dev -c requirements/run.txt -o requirements/dev.txt
	@$(COMPILE) --group docs -c requirements/run.txt -c requirements/dev.txt -o requirements/docs.txt
	@if grep -n '://' requirements/run.txt requirements/dev.txt requirements/docs.txt; then echo "an address does not belong there" >&2; exit 1; fi
	@echo "requirements/run.txt, dev.txt and docs.txt are new; run make check before they are committed"

.PHONY: clean
clean: ## remove what the other targets made, not the service's own data
	@rm -rf $(VENV) .venv-lock build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------------------------------

# Prints the first Python that runs and is new enough. Trying is the only test: a name on the PATH may be an empty shim.
define FIND_PYTHON
for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
done; \
if [ -z "$$found" ]; then \
	echo "This needs Python 3.11 or newer, and found none$(if $(PYTHON), at $(PYTHON))." >&2; \
	echo "Install one, or name it: make $(or $(firstword $(MAKECMDGOALS)),test) PYTHON=/path/to/python3" >&2; \
	exit 1; \
fi; \
if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$$found cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	exit 1; \
fi
endef

$(BIN)/python:
	@$(FIND_PYTHON); \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing requirements/run.txt"
	@$(PIP_INSTALL) --require-hashes -r requirements/run.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "Installing requirements/dev.txt"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/docs.stamp: requirements/docs.txt $(VENV)/run.stamp
	@echo "Installing requirements/docs.txt"
	@$(PIP_INSTALL) --require-hashes -r requirements/docs.txt
	@touch $@

.venv-lock/$(UV_VERSION).stamp:
	@$(FIND_PYTHON); rm -rf .venv-lock && "$$found" -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check -qq install uv==$(UV_VERSION)
	@touch $@
