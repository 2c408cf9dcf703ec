# Shorthands; each line here is a command that the docs name too. Nothing is built by it.
.PHONY: check test long sweep simulation bench demo live_port_replay live_port_ws lock

BIN = .venv/bin

check:                ## format, lint, types, import contracts, tests: what CI runs
	./check

test:                 ## the tests alone
	$(BIN)/python -m pytest -n 2

long:                 ## the tests that take minutes: a fresh clone, many histories, two kills, power cuts, 2,000 seeds
	$(BIN)/python -m pytest -m long

sweep:                ## SIGKILL at every failpoint, and a table of what held
	$(BIN)/python -m tests.crash.sweep

simulation:           ## the daemon on a virtual clock: ARGS="--seeds 1000 --first 1"
	$(BIN)/python -m tests.simulation $(ARGS)

bench:                ## speed and memory of a replay, with their ratio to a plain loop
	$(BIN)/python -m benchmarks.replay

demo:                 ## the demo again, over a configuration that is here
	$(BIN)/foliod replay --demo

live_port_replay:     ## a paper run over history: ARGS="EURUSD=eurusd-1m.csv --price bid --zone UTC"
	$(BIN)/foliod replay $(ARGS)

live_port_ws:         ## a paper run on the live feed of a configuration: ARGS="-c crypto.toml"
	$(BIN)/foliod $(ARGS) run

LOCK = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --build-deps-for wheel --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links

lock:                 ## both locks anew from pyproject.toml; UPGRADE=--upgrade takes newer versions
	$(BIN)/python -m pip install --quiet 'pip-tools>=7.4'
	$(LOCK) $(UPGRADE) -o requirements.lock pyproject.toml
	$(LOCK) $(UPGRADE) --extra dev --extra apprise -c requirements.lock -o requirements-dev.lock pyproject.toml
