# Two commands do all the set-up: `make run` and `make test`. The README has the same as plain pip lines.

PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
EXPERIMENT ?= experiments/quickstart.toml
# How many tests go on at a time, more than two cores as most of them wait for a program to start; 0 runs them in one process.
TESTERS ?= 3
TESTS := $(BIN)/pytest -n $(TESTERS) --dist worksteal

.PHONY: run wheel test long fuzz check format lock clean reference bench twins soak peers bench-peers

run: .venv/run.stamp
	$(BIN)/hpsearch run $(EXPERIMENT)

# For those who have no clone: dist/hpsearch-*.whl.
wheel: .venv/bin/pip
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

test: .venv/dev.stamp
	$(TESTS)

# Some minutes of strange input, other every time, for every reader of bytes from outside; EXAMPLES a reader.
fuzz: .venv/dev.stamp
	HPSEARCH_FUZZ=$(or $(EXAMPLES),2000) $(BIN)/pytest tests/test_fuzz.py --timeout 3600

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTS)

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Some minutes: the reference experiments on MNIST, and their tables in docs/experiments; DATA is a folder with MNIST.
reference: .venv/dev.stamp
	$(BIN)/python benchmarks/reference.py $(if $(DATA),--data $(DATA))

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/loops.py

# The tests that take too long for every run.
long: .venv/dev.stamp
	$(BIN)/pytest -m long

# Studies under random kills until so many have passed: make soak KILLS=2000 SEED=3
KILLS ?= 200
SEED ?= 1
soak: .venv/dev.stamp
	$(BIN)/python tests/chaos.py --kills $(KILLS) --seed $(SEED)

# A hundred trials, each trained twice, once interrupted at random moments: both have to end bit for bit alike.
twins: .venv/dev.stamp
	$(BIN)/python tests/twins.py --trials 100

peers: .venv/peers.stamp

# Hours on a quiet machine; what is in benchmarks/results already is not measured again. DATA is a folder with MNIST; on
# another machine than that of benchmarks/results, OUT is a folder for what is found, such as benchmarks/results/mine.
bench-peers: .venv/peers.stamp
	$(BIN)/python benchmarks/same_work.py $(if $(DATA),--data $(DATA)) $(if $(OUT),--out $(OUT))
	$(BIN)/python benchmarks/time_to_accuracy.py --task mnist-mlp $(if $(DATA),--data $(DATA)) $(if $(OUT),--out $(OUT))
	$(BIN)/python benchmarks/time_to_accuracy.py --task mnist-cnn $(if $(DATA),--data $(DATA)) $(if $(OUT),--out $(OUT))
	$(BIN)/python benchmarks/results.py

# The packages of pyproject.toml, pinned with hashes for every platform and Python; needs uv.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --extra dashboard --extra export --extra play \
		--constraints requirements.lock --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "hpsearch needs Python 3.11, 3.12 or 3.13, and none of them is installed"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module (on Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv

# A .venv that uv made has no pip, nor one that was left half made.
.venv/bin/pip: | .venv/pyvenv.cfg
	@test -x $@ || $(BIN)/python -m ensurepip --default-pip

.venv/run.stamp: .venv/pyvenv.cfg requirements.lock pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

.venv/dev.stamp: .venv/pyvenv.cfg requirements-dev.lock pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

# --group is known to pip from 25.1 on.
.venv/peers.stamp: .venv/dev.stamp pyproject.toml
	$(BIN)/pip install --quiet "pip>=25.1"
	$(BIN)/pip install --quiet --group peers
	touch $@
