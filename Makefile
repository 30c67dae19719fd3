# The two commands of a newcomer are `make demo` and `make test`; everything happens in .venv beside this file.
# One environment serves both, because the packages take 5.5 GB: the development lock is layered on the
# production lock, so what they share has one version (docs/decisions/0001-house.md).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# The interpreter that makes the environment: PYTHON=python3.12 make demo
PYTHON ?= python3
# Whether somebody chose it: then an environment of another version is made again.
CHOSEN := $(if $(filter environment command,$(firstword $(origin PYTHON))),--chosen)

# Which runs `make ui` shows, and where.
EXPERIMENTS ?= experiments
PORT ?= 5000

# Relative, so that a space in the clone's path never meets make.
VENV := .venv
BIN := $(VENV)/bin
CREATED := $(VENV)/.created
PROD := $(VENV)/.prod-installed
DEV := $(VENV)/.dev-installed

.PHONY: help demo ui test test-unit lint hooks format lock wheel clean preflight

help: ## List the targets
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name about; do printf '  make %-9s %s\n' "$$name" "$$about"; done

demo: preflight $(PROD) ## Set up, train on the digits that come with scikit-learn, show the metrics
	@$(BIN)/image_classifier_trainer --experiment_name demo --run_name digits --dataset_folder digits --resume

ui: preflight $(PROD) ## Look at the runs in MLflow, at http://127.0.0.1:5000; PORT=, EXPERIMENTS= choose another port, another folder
	@test -f "$(EXPERIMENTS)/mlflow.db" || { \
	    printf 'error: there is no %s/mlflow.db, so no run was tracked there yet\n hint: make demo trains one\n' "$(EXPERIMENTS)" >&2; \
	    exit 2; }
	@MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --host 127.0.0.1 --port "$(PORT)" --workers 1 \
	    --backend-store-uri "sqlite:///$(EXPERIMENTS)/mlflow.db" --artifacts-destination "$(EXPERIMENTS)/mlartifacts"

test: lint ## Set up for development, then every linter and every test
	$(BIN)/python -m pytest --numprocesses 2 --durations 10

test-unit: preflight $(DEV) ## Run the quick tests, those of single modules, in less than two minutes
	$(BIN)/python -m pytest tests/unit --numprocesses 2 --durations 10

lint: preflight $(DEV) ## Read the code without running it
	PATH="$(CURDIR)/$(BIN):$$PATH" SKIP=no-commit-to-main,dvc-status $(BIN)/pre-commit run --all-files --show-diff-on-failure
	$(BIN)/mypy
	$(BIN)/pylint image_classifier

hooks: preflight $(DEV) ## Have git run the quick linters before each commit, and DVC with commit, push and checkout
	$(BIN)/pre-commit install

format: preflight $(DEV) ## Lay out the code and repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: preflight $(DEV) ## Compile requirements/*.in again, keeping the pins that still fit; UPGRADE=1 takes the newest
	$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

wheel: preflight $(DEV) ## Build dist/*.whl and dist/*.tar.gz
	$(BIN)/python -m build --no-isolation

clean: ## Remove what building, linting and testing leave behind; .venv and experiments stay
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache ./*.egg-info docker/sbom.cdx.json
	rm -rf tests/integration/workflows/rehearsal/node_modules
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

# Explains what is missing before anything is downloaded, and clears away an environment that cannot run.
preflight:
	@command -v "$(PYTHON)" >/dev/null || { \
	    printf 'error: there is no %s on this machine\n hint: apt install python3 python3-venv, or PYTHON=/path/to/python3 make …\n' "$(PYTHON)" >&2; \
	    exit 2; }
	@"$(PYTHON)" requirements/preflight.py --environment $(VENV) --done $(PROD) $(CHOSEN)

# The marks below are written last: a set-up that was interrupted has none and is done again.
$(CREATED):
	"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(PROD): $(CREATED) requirements/requirements-build.txt requirements/requirements-prod.txt pyproject.toml
	PYTHON=$(BIN)/python bash requirements/install.sh build prod package
	@touch $@

$(DEV): $(PROD) $(foreach layer,pipelines kubeflow spark cq dev,requirements/requirements-$(layer).txt)
	PYTHON=$(BIN)/python bash requirements/requirements-dev.sh
	@touch $@
