# `make` lists what there is. Every word starts from nothing but Python 3.11 or later, installs what it needs into
# .venv and leaves the rest of the system alone.

# One install at a time: two pips in one environment undo each other's work, whatever -j says.
.NOTPARALLEL:
.DELETE_ON_ERROR:

VENV := .venv
BIN  := $(VENV)/bin

# The interpreter that makes the environment; `make PYTHON=/path/to/python3.12 demo` chooses another.
PYTHON ?=

# A stamp per extra, inside the environment so that all vanish together, and older than pyproject.toml
# when a dependency changed: repeating a target then costs nothing unless there is something to install.
INSTALLED      := $(VENV)/.installed
LAB_INSTALLED  := $(VENV)/.installed-lab
TEST_INSTALLED := $(VENV)/.installed-test

# pip is quiet while it works: whoever waits is to know how long.
INSTALLING := Installing into $(VENV): it takes 2 to 5 minutes, and says nothing meanwhile.

# `notebooks` is also a directory: without .PHONY make would call it up to date and do nothing.
.PHONY: help demo install lab test notebooks bench mutants clean

help: ## list these words
	@awk -F ' *## ' '/^[a-z]+:.* ## / { sub(/:.*/, "", $$1); printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

DEMO_CASE := data/cases/cutover
DEMO_OUT  := out/demo

define SHOW_DEMO
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
if not (out / "findings.json").is_file():
    sys.exit(f"demo: expected {out}/findings.json, observed none: popkit did not get to an answer")
found = json.loads((out / "findings.json").read_text("utf-8"))
print("\nThe recorded incident was found to be:", found["verdict"])
for grant in found["grants"]:
    print(f"  grant {grant['grant']}:", grant["verdict"], *(f"({cause})" for cause in grant["causes"]))
print("The report:", *(sorted(map(str, out.rglob("*.html"))) or [str(out)]), sep="\n  ")
print(f"The command is {sys.argv[2]}; after `source {sys.argv[3]}` it is `popkit` in this shell.")
if found["verdict"] != "broken":
    sys.exit(f"demo: expected the verdict broken, observed {found['verdict']}")
endef
export SHOW_DEMO

# `investigate` exits 1 when a grant is broken, and the recorded incident is one: 1 is the right answer here and 0 a
# wrong one. A crash of Python is 1 as well, so the last run is cleared away and what this one wrote must say "broken".
demo: $(INSTALLED) ## install popkit and investigate a recorded incident: 2 to 5 minutes the first time, then 15 seconds
	@rm -rf $(DEMO_OUT)
	@echo "$(BIN)/popkit investigate $(DEMO_CASE) --out $(DEMO_OUT)"
	@code=0; $(BIN)/popkit investigate $(DEMO_CASE) --out $(DEMO_OUT) || code=$$?; \
	if [ $$code -ne 1 ]; then \
	    echo "demo: expected exit code 1 (a broken grant), observed $$code" >&2; exit 1; \
	fi; \
	$(BIN)/python -c "$$SHOW_DEMO" $(DEMO_OUT) $(BIN)/popkit $(BIN)/activate

install: $(INSTALLED) ## install popkit with every verb into .venv, and run nothing

lab: $(LAB_INSTALLED) ## install JupyterLab as well and open the notebooks in a browser
	$(BIN)/jupyter lab notebooks

test: $(TEST_INSTALLED) ## install the tests' libraries and run ruff, mypy and every test: 15 minutes on two cores
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal

notebooks: $(INSTALLED) ## run the notebooks in notebooks/ again on the bundled case, outputs and all
	$(BIN)/python -m popkit.reporting.regenerate

# `make mutants ROOMS=protocol` takes minutes, ROOMS='findings --sample 27' a fifth of a room.
mutants: $(TEST_INSTALLED) ## change one thing at a time and ask whether a test notices: hours for all rooms
	$(BIN)/pip install --quiet -e '.[mutants]'
	$(BIN)/python tests/mutants.py $(ROOMS)

bench: $(TEST_INSTALLED) ## measure the claims path and the collector
	$(BIN)/python tests/bench_claims.py
	$(BIN)/python -m tests.bench_collect

# The environment stays, as it costs a download (`rm -rf .venv` removes it); of out/ only the demo goes, as the
# other reports there are somebody's work.
clean: ## remove what was built and cached; .venv and reports other than the demo's stay
	rm -rf $(DEMO_OUT) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . \( -path ./.git -o -path ./$(VENV) -o -path ./data \) -prune -o \
	    -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml | $(BIN)/pip
	@echo "$(INSTALLING)"
	$(BIN)/pip install --quiet -e .
	@touch $@

# The other installs contain the default one: it is up to date afterwards.
$(LAB_INSTALLED): pyproject.toml | $(BIN)/pip
	@echo "$(INSTALLING)"
	$(BIN)/pip install --quiet -e '.[lab]'
	@touch $@ $(INSTALLED)

$(TEST_INSTALLED): pyproject.toml | $(BIN)/pip
	@echo "$(INSTALLING)"
	$(BIN)/pip install --quiet -e '.[test]'
	@touch $@ $(INSTALLED)

# pip is the last thing venv puts in place: without it an environment is half made, and is finished in place. The
# version is asked of the interpreter itself, as a name on PATH may be a shim that starts nothing.
$(BIN)/pip:
	@for python in $(or $(PYTHON),python3.11 python3); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; exec $$python -m venv $(VENV); \
	    fi; \
	done; \
	echo "popkit needs Python 3.11 or later; name one: make PYTHON=/path/to/python3" >&2; exit 1
