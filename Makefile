# Two words from a fresh clone:
#
#   make demo    installs what the notebooks need and investigates a recorded incident
#   make test    installs what the tests need and runs every check
#
# Both start from nothing but Python 3.11 or later and leave the rest of the system alone.

# One install at a time: two pips in one environment undo each other's work, whatever -j says.
.NOTPARALLEL:
.DELETE_ON_ERROR:

VENV := .venv
BIN  := $(VENV)/bin

# The interpreter that makes the environment; `make PYTHON=/path/to/python3.12 demo` chooses another.
PYTHON ?=

# A stamp per extra, inside the environment so that both vanish together, and older than pyproject.toml
# when a dependency changed: repeating a target then costs nothing unless there is something to install.
NOTEBOOKS_INSTALLED := $(VENV)/.installed-notebooks
TEST_INSTALLED      := $(VENV)/.installed-test

# `notebooks` is also a directory: without .PHONY make would call it up to date and do nothing.
.PHONY: demo test notebooks bench mutants clean

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
if found["verdict"] != "broken":
    sys.exit(f"demo: expected the verdict broken, observed {found['verdict']}")
endef
export SHOW_DEMO

# `investigate` exits 1 when a grant is broken, and the recorded incident is one: 1 is the right answer here and 0 a
# wrong one. A crash of Python is 1 as well, so the last run is cleared away and what this one wrote must say "broken".
demo: $(NOTEBOOKS_INSTALLED)
	@rm -rf $(DEMO_OUT)
	@echo "$(BIN)/popkit investigate $(DEMO_CASE) --out $(DEMO_OUT)"
	@code=0; $(BIN)/popkit investigate $(DEMO_CASE) --out $(DEMO_OUT) || code=$$?; \
	if [ $$code -ne 1 ]; then \
	    echo "demo: expected exit code 1 (a broken grant), observed $$code" >&2; exit 1; \
	fi; \
	$(BIN)/python -c "$$SHOW_DEMO" $(DEMO_OUT)

test: $(TEST_INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2

notebooks: $(NOTEBOOKS_INSTALLED)
	$(BIN)/python -m popkit.reporting.regenerate

# Hours on two cores for all rooms; `make mutants ROOMS=protocol` takes minutes, ROOMS='findings --sample 27' a fifth of a room.
mutants: $(TEST_INSTALLED)
	$(BIN)/pip install --quiet -e '.[mutants]'
	$(BIN)/python tests/mutants.py $(ROOMS)

bench: $(TEST_INSTALLED)
	$(BIN)/python tests/bench_claims.py
	$(BIN)/python -m tests.bench_collect

# The environment stays, as it costs a download (`rm -rf .venv` removes it); of out/ only the demo goes, as the
# other reports there are somebody's work.
clean:
	rm -rf $(DEMO_OUT) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . \( -path ./.git -o -path ./$(VENV) -o -path ./data \) -prune -o \
	    -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

$(NOTEBOOKS_INSTALLED): pyproject.toml | $(BIN)/pip
	$(BIN)/pip install -e '.[notebooks]'
	@touch $@

# The test extra contains the notebooks extra: both are up to date afterwards.
$(TEST_INSTALLED): pyproject.toml | $(BIN)/pip
	$(BIN)/pip install -e '.[test]'
	@touch $@ $(NOTEBOOKS_INSTALLED)

# pip is the last thing venv puts in place: without it an environment is half made, and is finished in place. The
# version is asked of the interpreter itself, as a name on PATH may be a shim that starts nothing.
$(BIN)/pip:
	@for python in $(or $(PYTHON),python3.11 python3); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; exec $$python -m venv $(VENV); \
	    fi; \
	done; \
	echo "popkit needs Python 3.11 or later; name one: make PYTHON=/path/to/python3" >&2; exit 1
