# Needs Rust with a C compiler, and Python 3 for tools that are installed on first use, into .local/ (git-ignored); fuzz
# needs a C++ compiler as well, test-dynamodb-local Java and npm.

# An installed cargo-lambda is used as it is. The redirection makes old versions of make use a shell.
CARGO_LAMBDA := $(if $(shell command -v cargo-lambda 2>/dev/null),,.local/cargo-lambda/installed)
PATH_LAMBDA := PATH="$$PATH:$(CURDIR)/.local/cargo-lambda/bin"

# Built alone: beside other packages, cargo gives it the features that those require.
RELEASE := cargo build --locked --release

# What a suite writes lies in a folder of its target.
PYTEST = .local/test/bin/python -B -m pytest --basetemp .local/$@

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

.PHONY: local
local: $(CARGO_LAMBDA) ## Run the whole service on this machine, compiled and started again on every change (flags: make local ARGS="--help")
	@$(PATH_LAMBDA) exec cargo run --locked --package testing --features local --bin local -- $(ARGS)

EVENT := events/fuzzy-add.json
PORT := 9000

.PHONY: invoke
invoke: $(CARGO_LAMBDA) ## Send an event to the function of make local (make invoke EVENT=events/delete.json)
	@$(PATH_LAMBDA) cargo lambda invoke --invoke-address 127.0.0.1 --invoke-port $(PORT) --data-file $(EVENT) || \
	  { echo "if nothing responded: make invoke needs make local at port $(PORT), and the file $(EVENT)" >&2; exit 1; }

.PHONY: test
test: ## Check form, lints and docs, and run every test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	@# Read in the source only.
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --workspace --all-features --exclude customer-group-import --no-deps
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
fuzz: $(FUZZ)/bin/cargo-fuzz ## Fuzz the processing from event to response (longer: make fuzz SECONDS=3600)
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	@# With its lock file as it is, which cargo-fuzz would update.
	@# In the folder of the workspace, where the same packages were checked already.
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings
	@mkdir -p $(FUZZ)/corpus
	$< build --sanitizer none --codegen-units 16 --target-dir target/fuzz event
	@scripts/fuzz $< $(FUZZ)/corpus $(SECONDS) $(ARGS)

$(FUZZ)/bin/cargo-fuzz:
	cargo install --quiet --locked --debug --root $(FUZZ) cargo-fuzz --version 0.13.1

MUTANTS := .local/cargo-mutants-27.0.0
# An installed cargo-nextest is used as it is.
NEXTEST := $(if $(shell command -v cargo-nextest 2>/dev/null),,.local/cargo-nextest-0.9.143)
SHARD := 0/1

.PHONY: mutants
mutants: $(MUTANTS)/bin/cargo-mutants $(NEXTEST) ## Change src/ in hundreds of places and see whether a test fails (a part: make mutants SHARD=0/8)
	@# The tests talk to servers on this machine, whatever proxy the environment names.
	NO_PROXY=127.0.0.1 PATH="$(CURDIR)/$(NEXTEST)/bin:$$PATH" $< mutants --copy-target true --shard $(SHARD) --output $(MUTANTS) $(ARGS)

$(MUTANTS)/bin/cargo-mutants:
	cargo install --quiet --locked --root $(MUTANTS) cargo-mutants --version 27.0.0

.local/cargo-nextest-0.9.143:
	cargo install --quiet --locked --root $@ cargo-nextest --version 0.9.143

DENY := .local/cargo-deny-0.20.2

.PHONY: deny
deny: $(DENY)/bin/cargo-deny ## Check licences, origins and versions of all packages, and known advisories
	@exec scripts/deny $<

$(DENY)/bin/cargo-deny:
	cargo install --quiet --locked --debug --root $(DENY) cargo-deny --version 0.20.2

.PHONY: soak
soak: ## Run the release binary under mixed requests and faults (longer: make soak ARGS="--minutes 30")
	$(RELEASE)
	@NO_PROXY=127.0.0.1 cargo run --quiet --locked --package testing --features stage --bin soak -- $(ARGS)

# Several at a time, as most tests wait. One of them is run sooner alone: make test-python ARGS="-k pages".
.PHONY: test-python
test-python: $(CARGO_LAMBDA) .local/test/installed .local/emulator/installed ## Test client/, docs/ and make admin on the running service and an emulated AWS
	@$(PATH_LAMBDA) exec $(PYTEST) scripts/tests/api scripts/tests/aws $(or $(ARGS),--numprocesses 4 --dist loadgroup)

.PHONY: admin
admin: .local/aws/installed ## Tokens, tenants, erasures, the customers table (make admin ARGS="token new --tenant acme --stack NAME")
	@exec .local/aws/bin/python scripts/admin $(or $(ARGS),--help)

.PHONY: bulk
bulk: .local/aws/installed ## Import files of up to 100 million rows by the bulk stack (make bulk ARGS="--help")
	@exec .local/aws/bin/python scripts/bulk $(ARGS)

.PHONY: bench
bench: .local/aws/installed ## Measure an import; ARGS=--check: compare calls and instructions with their limits, --update: set them
	$(RELEASE)
	cargo run --locked --profile driver --package bench -- $(ARGS)

ASL_VALIDATOR := .local/asl-validator

.PHONY: validate
validate: .local/deploy/installed $(ASL_VALIDATOR)/installed ## Check both templates and the state machine as a deployment would (npm)
	@# sam requires a region although it checks against none.
	for template in template.yaml bulk/template.yaml; do \
	  SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .local/deploy/bin/sam validate --lint --template $$template || exit; \
	done
	@# Also where fewer types of resources exist.
	.local/deploy/bin/cfn-lint --include-checks I --regions us-east-1 cn-north-1 cn-northwest-1 -- template.yaml bulk/template.yaml
	@# Neither looks inside a definition, which is read as sam does. The partition is filled in as a deployment does.
	@.local/deploy/bin/python -c 'import json, sys; from samcli.yamlhelper import yaml_parse; \
	  print(json.dumps(yaml_parse(sys.stdin.read())["Resources"]["BulkImport"]["Properties"]["Definition"]))' \
	  <bulk/template.yaml | sed 's/$${Partition}/aws/g' >$(ASL_VALIDATOR)/definition.json
	$(ASL_VALIDATOR)/node_modules/.bin/asl-validator --json-path $(ASL_VALIDATOR)/definition.json

$(ASL_VALIDATOR)/installed: $(wildcard scripts/requirements/asl-validator/*)
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && npm ci --silent --ignore-scripts
	@touch $@

.PHONY: deploy-test
deploy-test: .local/deploy/installed .local/emulator/installed .local/test/installed ## Deploy to an emulated AWS and use the function there
	$(RELEASE)
	@exec $(PYTEST) scripts/tests/deploy $(or $(ARGS),--numprocesses 3 --dist loadgroup)

.PHONY: sandbox
sandbox: .local/deploy/installed .local/emulator/installed .local/test/installed .local/aws/installed ## Practise operating without an account: both stacks on an emulated AWS, and commands to paste
	$(RELEASE)
	@PYTHONPATH=scripts/tests exec .local/test/bin/python -B scripts/sandbox

.PHONY: lint
lint: .local/dev/installed ## Check the form of all Python, and Python and shell for errors
	.local/dev/bin/ruff format --check
	.local/dev/bin/ruff check
	@# What callers copy uses nothing that is newer than Python 3.9.
	.local/dev/bin/vermin --quiet --no-tips --target=3.9- --violations client docs/examples
	.local/dev/bin/shellcheck $$(grep --files-with-matches --no-messages '^#!.* bash$$' .ci/* docs/examples/* scripts/*)

# Versions that still fit stay; ARGS=--upgrade takes the newest. cargo-lambda without dependencies: the only one, a C
# compiler of 450 MB, is for cross-compiling, not for a local run.
.PHONY: lock
lock: .local/dev/installed ## Regenerate the lock files in scripts/requirements (make lock ARGS=--upgrade)
	@for file in $(basename $(wildcard scripts/requirements/*.in)); do \
	  case $$file in */cargo-lambda) alone=--no-deps ;; *) alone= ;; esac; \
	  .local/dev/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	    --no-header $$alone $(ARGS) --output-file $$file.txt $$file.in || exit; \
	done

# A virtual environment of exactly the packages in a lock file. Silent, as what some targets print may be piped on; the
# marker comes last, so that an interrupted installation is repeated.
.local/%/installed: scripts/requirements/%.txt
	@echo "installing $(@D)" >&2
	@python3 -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement $<
	@touch $@
