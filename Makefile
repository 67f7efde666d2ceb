# Needs Rust with a C compiler, and Python 3 for tools that are installed on first use, into .local/ (git-ignored); fuzz
# needs a C++ compiler as well, test-dynamodb-local Java and npm.

VENV := .local/venv
DEPLOY := .local/deploy
EMULATOR := .local/emulator
BENCH_VENV := .local/bench-venv

# A cargo-lambda that is installed already is taken as it is. The redirection makes old versions of make use a shell.
CARGO_LAMBDA := $(if $(shell command -v cargo-lambda 2>/dev/null),,$(VENV)/bin/cargo-lambda)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

.PHONY: local
local: $(CARGO_LAMBDA) ## Run the whole service on this machine (flags: make local ARGS="--help")
	@PATH="$$PATH:$(CURDIR)/$(VENV)/bin" exec cargo run --locked --package local -- $(ARGS)

.PHONY: test
test: ## Check form, lints and docs, and run every test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	@# The tests talk to servers on this machine, whatever proxy the environment names.
	NO_PROXY=127.0.0.1 cargo test --locked --workspace --all-targets

DYNAMODB_LOCAL := .local/dynamodb-local-2.9.30

.PHONY: test-dynamodb-local
test-dynamodb-local: $(DYNAMODB_LOCAL)/installed ## Run the integration tests on Amazon's DynamoDB Local (Java, npm)
	@exec scripts/test-dynamodb-local $(DYNAMODB_LOCAL) $(ARGS)

# The package wraps Amazon's program for Node; only the program is taken.
$(DYNAMODB_LOCAL)/installed:
	@mkdir -p $(DYNAMODB_LOCAL)
	@cd $(DYNAMODB_LOCAL) && npm pack --silent amplify-dynamodb-simulator@2.9.30 >/dev/null
	@cd $(DYNAMODB_LOCAL) && tar -xzf *.tgz --strip-components=2 package/emulator && rm *.tgz
	@touch $@

FUZZ := .local/cargo-fuzz-0.13.1
SECONDS := 60

# No sanitizer: the crate forbids unsafe code, so there is nothing in it for one to find; and without one a stable
# compiler will do. The events are seeds as they are; what is found to be interesting is kept beside the tool.
.PHONY: fuzz
fuzz: $(FUZZ)/bin/cargo-fuzz ## Fuzz the way from event to answer (longer: make fuzz SECONDS=3600)
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	@# cargo-fuzz would write down what does not fit.
	cargo metadata --quiet --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	@mkdir -p $(FUZZ)/corpus
	$< build --sanitizer none --codegen-units 16 --target-dir target/fuzz event
	@scripts/fuzz $< $(FUZZ)/corpus $(SECONDS) $(ARGS)

$(FUZZ)/bin/cargo-fuzz:
	cargo install --quiet --locked --root $(FUZZ) cargo-fuzz --version 0.13.1

DENY := .local/cargo-deny-0.20.2

.PHONY: deny
deny: $(DENY)/bin/cargo-deny ## Check licences, origins and versions of all packages, and known advisories
	@exec scripts/deny $<

$(DENY)/bin/cargo-deny:
	cargo install --quiet --locked --root $(DENY) cargo-deny --version 0.20.2

.PHONY: soak
soak: release ## Run the release binary under mixed requests and faults (longer: make soak ARGS="--minutes 30")
	@NO_PROXY=127.0.0.1 cargo run --quiet --locked --package soak -- $(ARGS)

API_VENV := .local/api-venv

.PHONY: test-api
test-api: $(CARGO_LAMBDA) $(API_VENV)/installed ## Check docs/ (OpenAPI, pages, examples) against the running service
	@PATH="$$PATH:$(CURDIR)/$(VENV)/bin" exec $(API_VENV)/bin/python -B scripts/api_test

$(API_VENV)/installed: scripts/requirements-api.txt
	python3 -m venv $(API_VENV)
	$(API_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

AWS_VENV := .local/aws-venv

.PHONY: verify-aws
verify-aws: $(AWS_VENV)/installed ## Measure how DynamoDB treats IN, advise IDENTITY_LOOKUP (make verify-aws ARGS="--help")
	@exec $(AWS_VENV)/bin/python scripts/verify-aws $(ARGS)

.PHONY: token
token: $(AWS_VENV)/installed ## Make, list, disable or withdraw a tenant's token (make token ARGS="--help")
	@exec $(AWS_VENV)/bin/python scripts/make-token $(ARGS)

.PHONY: test-verify-aws
test-verify-aws: $(AWS_VENV)/test-installed ## Test verify-aws and make-token on an emulated AWS
	@exec $(AWS_VENV)/bin/python scripts/tests

# Silent: what these targets print on standard output may be piped on.
$(AWS_VENV)/installed: scripts/requirements-aws.txt
	@python3 -m venv $(AWS_VENV)
	@$(AWS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(AWS_VENV)/test-installed: scripts/requirements-aws-test.txt $(AWS_VENV)/installed
	@$(AWS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: bench
bench: release $(BENCH_VENV)/installed ## Measure the function beside other ways to write it (flags: make bench ARGS="--seconds 1")
	cargo run --locked --package bench --profile driver -- --python $(BENCH_VENV)/bin/python $(ARGS)

.PHONY: bench-ci
bench-ci: release ## Check the calls and instructions of an import against their limits
	cargo run --locked --package bench -- --limits $(ARGS)

.PHONY: bench-update
bench-update: ## Write down the instructions as they are now, in benches/instructions.json
	@$(MAKE) bench-ci ARGS=--update

# Built alone: beside other packages, cargo gives it the features that those ask for.
.PHONY: release
release:
	cargo build --locked --release

$(BENCH_VENV)/installed: benches/python/requirements.txt
	python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Without dependencies: the only one, a C compiler of 450 MB, is for cross-compiling, not for a local run.
$(VENV)/bin/cargo-lambda: scripts/requirements-local.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.PHONY: tools
tools: $(DEPLOY)/installed ## Install what deploys to AWS (sam, cargo-lambda) into .local/deploy/bin

.PHONY: validate
validate: $(DEPLOY)/installed ## Check template.yaml as a deployment would
	@# sam asks for a region although it checks against none.
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(DEPLOY)/bin/sam validate --lint --template template.yaml
	$(DEPLOY)/bin/cfn-lint --include-checks I -- template.yaml

.PHONY: deploy-test
deploy-test: $(DEPLOY)/installed $(EMULATOR)/installed ## Deploy to an emulated AWS and use the function there
	@exec $(DEPLOY)/bin/python -B scripts/deploy_test

# Marked when all of it is there: an installation that was cut short is taken up again.
$(DEPLOY)/installed $(EMULATOR)/installed: .local/%/installed: scripts/requirements-%.txt scripts/requirements-local.txt
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
