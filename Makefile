# One command each. `make demo` to see it, `make test` for everything that is tested; continuous integration runs
# `make lint test`. What these need is installed on the way: programs by apt-get, the rest into target/.

.PHONY: build demo test unit peers lint advisories bless clean-demo
.DELETE_ON_ERROR:

CARGO_DENY_VERSION := 0.20.2
DENY := target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
VENV := target/peers/venv
NODE := target/peers/node
H2SPEC := target/peers/h2spec
CHROMIUM := /usr/bin/chromium
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call need,COMMAND PACKAGE,…): installs the packages of those commands that are missing.
need = @missing=""; set -- $(1); while [ $$\# -gt 0 ]; do \
	  command -v "$$1" >/dev/null || missing="$$missing $$2"; shift 2; done; \
	[ -z "$$missing" ] || { echo "installing$$missing"; $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; } </dev/null

# --- Build and see -----------------------------------------------------------------------------------------------

build:
	$(call need,cc build-essential)
	cargo build --locked --release

demo:
	$(call need,cc build-essential)
	cargo build --locked --release --bin steadygate --example chat --example hello
	target/release/steadygate demo \
	  --backend 'target/release/examples/chat --listen 127.0.0.1:9101 --name chat' \
	  --backend 'target/release/examples/hello --listen 127.0.0.1:9102 --name hello'

# --- Test --------------------------------------------------------------------------------------------------------

test: unit peers

unit:
	$(call need,cc build-essential)
	cargo test --locked

# The gateway as its users meet it: real clients and servers on loopback.
peers: $(VENV)/installed $(NODE)/installed $(H2SPEC)
	$(call need,curl curl openssl openssl chromium chromium)
	cargo build --locked --bins --examples
	STEADYGATE=$(CURDIR)/$(or $(STEADYGATE),target/debug/steadygate) H2SPEC=$(CURDIR)/$(H2SPEC) \
	  CHROMIUM=$(CHROMIUM) NODE_PATH=$(CURDIR)/$(NODE)/node_modules PYTHONDONTWRITEBYTECODE=1 \
	  $(VENV)/bin/pytest -c tests/peers/pytest.ini tests/peers $(PYTEST)

$(VENV)/installed: tests/peers/requirements.txt
	$(call need,python3 python3)
	@python3 -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends python3-venv; } </dev/null
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(NODE)/installed: tests/peers/node/package.json tests/peers/node/package-lock.json
	$(call need,node nodejs npm npm)
	mkdir -p $(NODE)
	cp $^ $(NODE)
	cd $(NODE) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(H2SPEC): tests/peers/h2spec/go.mod tests/peers/h2spec/go.sum
	$(call need,go golang-go)
	cd tests/peers/h2spec && go build -o $(CURDIR)/$@ github.com/summerwind/h2spec/cmd/h2spec
	touch $@

# --- Check -------------------------------------------------------------------------------------------------------

lint: $(DENY)
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	$(DENY) --locked check bans licenses sources

# Known vulnerabilities: fetches the advisory database from the network.
advisories: $(DENY)
	$(DENY) --locked check advisories

$(DENY):
	$(call need,cc build-essential)
	cargo install cargo-deny --locked --version $(CARGO_DENY_VERSION) --no-default-features \
	  --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) --target-dir target/tools/build
	rm -rf target/tools/build

# Rewrites the expected output of the golden tests, and what is generated, from what the code does now.
bless:
	BLESS=1 cargo test --locked

# The next demo starts from its first files.
clean-demo:
	rm -rf demo
