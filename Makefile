# Each target makes the environment first; that costs nothing while requirements.txt is unchanged.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/made-from
FIRST := $(firstword $(sort $(wildcard notebooks/*.ipynb)))
# The sources of the chapters stay out of the file browser, where each would be listed twice.
HIDE := $(patsubst %,'--ContentsManager.hide_globs=%',[0-9][0-9]_*.py __pycache__ *.pyc .DS_Store *~)
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

SIZE ?= tiny
TRAIN = --size $(SIZE) $(if $(MODEL),--model $(MODEL)) $(if $(DATA),--data "$(DATA)") \
	$(if $(RUN),--run "$(RUN)") $(if $(filter 1,$(COMPARE)),--compare)

.DEFAULT_GOAL := help
.PHONY: help lab test train book bench clean environment new-environment install extras browser

help:  ## show this list
	@echo "Nested Learning, hands on. Usage: make TARGET"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; \
		do printf '  %-7s %s\n' "$$name" "$$what"; done
	@echo "PYTHON=python3.12 chooses the Python that the first set-up uses (3.11 or newer)."

lab: environment  ## open JupyterLab on the first notebook (this machine only, token kept)
	@echo "Opening $(FIRST) in JupyterLab. Stop it with Ctrl-C, twice."
	@$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 $(HIDE) $(AS_ROOT) $(FIRST)

# Files in their order: those of tests/browser, which are long, come first, and the short ones of tests/viz last.
test: environment extras browser  ## run all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

train: environment  ## train a model: SIZE=tiny COMPARE=1 MODEL=transformer DATA=folder RUN=runs/name
	@$(BIN)/python -m nlcore.train $(TRAIN)

book: environment  ## run the notebooks and build the HTML book; NB=11 for one
	@$(BIN)/python -m book.build $(NB)

bench: environment  ## measure speed here: tables, and JSON in build/
	@$(BIN)/python -m bench.speed
	@$(BIN)/python -m bench.layer $(if $(shell command -v nvidia-smi),--compile)
	@$(BIN)/python -m bench.generation
	@$(BIN)/python -m bench.optimizers
	@$(BIN)/python -m bench.launches
	@$(BIN)/python -m bench.data

clean:  ## remove what was built (keeps .venv, runs and notebooks)
	@rm -rf build .pytest_cache *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamp is written last and holds all that the environment depends on, the folder included
# (an environment does not survive a move), so one half made never counts as made.
STAMP_TEXT = { pwd; cat requirements.txt; }

environment:
	@$(STAMP_TEXT) | cmp -s - $(STAMP) || $(MAKE) --no-print-directory new-environment
	@cmp -s pyproject.toml $(VENV)/installed-from || $(MAKE) --no-print-directory install

install:
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@cp pyproject.toml $(VENV)/installed-from

new-environment:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer," \
		"or name yours: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is" \
		"$$($(PYTHON) --version 2>&1), and Python 3.11 or newer is needed: name one, make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks its venv module:" \
		"install it (Debian and Ubuntu: apt-get install python3-venv) and try again"; exit 1; }
	@[ ! -L $(VENV:%/=%) ] || { echo "$(VENV) is a link, and making an environment there would clear the folder it" \
		"points to: remove the link, or make one elsewhere with VENV=other-folder"; exit 1; }
	@echo "Making $(VENV), once: a few minutes and some gigabytes, most of it torch."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.txt)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(STAMP_TEXT) > $(STAMP)
	@echo "Made $(VENV)."

# What only some tests need; where it cannot be installed they are skipped.
extras:
	@cmp -s requirements-extras.txt $(VENV)/extras-from || { echo "Installing what requirements-extras.txt lists." \
		&& $(BIN)/pip install --quiet --disable-pip-version-check -c requirements.txt -r requirements-extras.txt \
		&& cp requirements-extras.txt $(VENV)/extras-from; } \
		|| echo "It cannot be installed here: the tests that need it will be skipped."

# The tests in a real browser need Chromium; without it they are skipped and say so.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing Chromium for the browser tests." && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "Chromium is missing and cannot be installed here: the browser tests will be skipped."
