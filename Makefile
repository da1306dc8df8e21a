# One command each; `make help` lists them. `make demo` shows the gateway, `make test e2e` runs everything that is tested, and
# continuous integration runs `make lint test e2e`, with the building side by side. What a command needs is installed first: programs by apt-get, the rest
# into target/.

COMMANDS := build help demo test unit peers control chart image image-contents cluster cluster-parts cluster-down e2e \
  bench bench-cluster bench-report lint advisories fuzz bless clean-demo
.PHONY: $(COMMANDS) static-build
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

# Python leaves no compiled files among the sources.
export PYTHONDONTWRITEBYTECODE := 1

CARGO_DENY_VERSION := 0.20.2
DENY := target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_FUZZ_VERSION := 0.13.2
FUZZ := target/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
VENV := target/peers/venv
E2E_VENV := target/e2e/venv
CHART_VENV := target/chart/venv
NODE := target/peers/node
H2SPEC := target/peers/h2spec
LIBRARIES := tests/peers/libraries
GO_PEER := target/peers/go/peer
JAVA_PEER := target/peers/java/installed
CHROMIUM := /usr/bin/chromium
CLUSTER_BIN := target/cluster/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call install,PACKAGES): for a line of shell. One at a time, also where several commands run side by side.
install = echo installing $(1); mkdir -p target; $(SUDO) flock target/apt.lock sh -c "apt-get update -qq </dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) </dev/null"

# $(call need,COMMAND PACKAGE …): installs the packages of those commands that are missing.
need = @missing=""; set -- $(1); while [ $$\# -gt 0 ]; do \
	  command -v "$$1" >/dev/null || missing="$$missing $$2"; shift 2; done; \
	[ -z "$$missing" ] || { $(call install,$$missing); }

# $(call venv,DIRECTORY,REQUIREMENTS): makes a virtual environment with these packages.
define venv
	$(call need,python3 python3)
	@python3 -c 'import ensurepip' 2>/dev/null || { $(call install,python3-venv); }
	python3 -m venv $(1)
	$(1)/bin/pip install --quiet --disable-pip-version-check -r $(2)
	touch $@
endef

# --- Build and see -----------------------------------------------------------------------------------------------

# Builds the release binary, target/release/steadygate.
build:
	$(call need,cc build-essential)
	cargo build --locked --release
# Lists these commands: the first sentence of the comment above each.
help:
	@awk -v commands=' $(COMMANDS) ' ' \
	  /^# ---/ { gsub(/^# -+ | -+$$/, ""); print "\n" $$0; next } \
	  /^# / { text = text substr($$0, 2); next } \
	  /^[a-z]/ && index(commands, " " substr($$1, 1, length($$1) - 1) " ") { \
	    sub(/\.( .*)?$$/, "", text); printf "  %-14s%s\n", $$1, text } \
	  { text = "" }' $(MAKEFILE_LIST)

# Runs the gateway with two backends on this machine, and a page to try it. Nothing is optimised, and the allocator is the system's: a
# release takes far longer to build.
demo:
	$(call need,cc build-essential)
	cargo build --locked --profile demo --no-default-features --package steadygate --package steadygate-examples --bins
	target/demo/steadygate demo \
	  --backend 'target/demo/chat --listen 127.0.0.1:9101 --name chat' \
	  --backend 'target/demo/hello --listen 127.0.0.1:9102 --name hello'

# --- Test --------------------------------------------------------------------------------------------------------

# Runs all suites that need no cluster.
test: unit peers control chart

# Runs the Rust tests: units, translation, and the gateway in one process.
unit:
	$(call need,cc build-essential)
	cargo test --locked

# The binary that the suites below test.
SUITE_ENVIRONMENT := STEADYGATE=$(CURDIR)/$(or $(STEADYGATE),target/debug/steadygate)

# Tests the gateway as its users meet it, with real clients and servers on loopback. PYTEST='-k NAME' selects tests, here and
# in the suites below.
peers: $(VENV)/installed $(NODE)/installed $(H2SPEC) $(GO_PEER) $(JAVA_PEER)
	$(call need,curl curl openssl openssl chromium chromium ip iproute2 unshare util-linux redis-server redis-server nginx nginx-light)
	cargo build --locked --workspace --bins --examples
	$(SUITE_ENVIRONMENT) H2SPEC=$(CURDIR)/$(H2SPEC) CHROMIUM=$(CHROMIUM) NODE_PATH=$(CURDIR)/$(NODE)/node_modules \
	  $(VENV)/bin/pytest -c tests/peers/pytest.ini tests/peers $(PYTEST)

# Tests the Helm chart, rendered; no cluster is needed.
chart: target/cluster/bin/.helm $(CHART_VENV)/installed
	cargo build --locked --workspace --bins --examples
	$(SUITE_ENVIRONMENT) HELM=$(CURDIR)/target/cluster/bin/helm \
	  $(CHART_VENV)/bin/pytest -c tests/chart/pytest.ini tests/chart $(PYTEST)

$(CHART_VENV)/installed: tests/chart/requirements.txt
	$(call venv,$(CHART_VENV),$<)

# Tests the controller with a real API server, and a proxy between them that fails.
control: $(VENV)/installed $(CLUSTER_BIN)/.etcd $(CLUSTER_BIN)/.kubernetes
	cargo build --locked --workspace --bins --examples
	$(SUITE_ENVIRONMENT) $(VENV)/bin/pytest -c tests/control/pytest.ini tests/control $(PYTEST)

$(VENV)/installed: tests/peers/requirements.txt
	$(call venv,$(VENV),$<)

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

$(GO_PEER): $(wildcard $(LIBRARIES)/go/*) | go
	cd $(LIBRARIES)/go && go build -o $(CURDIR)/$@ .
	touch $@

$(JAVA_PEER): $(wildcard $(LIBRARIES)/java/*)
	$(call need,javac default-jdk-headless mvn maven)
	rm -rf $(@D)
	mvn --quiet --batch-mode --file $(LIBRARIES)/java dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D)/lib
	javac -encoding UTF-8 -d $(@D)/classes -cp '$(@D)/lib/*' $(LIBRARIES)/java/*.java
	touch $@

# --- Image -------------------------------------------------------------------------------------------------------

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p;/^version/q' Cargo.toml)
IMAGE ?= docker.io/library/steadygate:$(VERSION)
IMAGE_LIMIT := 40000000
IMAGES := target/image
BACKEND_IMAGE := docker.io/library/steadygate-e2e-backend:1
PAUSE_IMAGE := registry.k8s.io/pause:3.10.1
STATIC_TARGET := $(shell uname -m)-unknown-linux-gnu

# QUICK=1: an image whose binary is built in less time, to try something out; not as small, not as fast.
ifdef QUICK
  STATIC_PROFILE := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
  IMAGE_LIMIT := 60000000
endif

# $(call archive,NAME,CONTEXT,OPTIONS): builds an image and writes it to $@, a docker archive.
BUILDAH = buildah --root $(CURDIR)/$(IMAGES)/store --runroot $(CURDIR)/$(IMAGES)/store/run --storage-driver vfs
define archive
	$(call need,buildah buildah)
	rm -f $@
	$(BUILDAH) build --isolation chroot --quiet --tag $(1) $(3) $(2)
	$(BUILDAH) push --quiet $(1) docker-archive:$@:$(1)
	@$(BUILDAH) rmi --all --force >/dev/null
endef

# Builds the image as a docker archive, target/image/steadygate.tar: `docker load --input` takes it.
image: $(IMAGES)/steadygate.tar
	@size=$$(stat -c %s $<); echo "$(IMAGE): $$size bytes in $<"; \
	  [ $$size -lt $(IMAGE_LIMIT) ] || { echo "the image must be smaller than $(IMAGE_LIMIT) bytes" >&2; exit 1; }

# Lists what the binary of the image is made of, by crate.
image-contents: static-build
	$(call need,nm binutils python3 python3)
	benches/image-contents target/$(STATIC_TARGET)/release/steadygate

$(IMAGES)/steadygate.tar: $(IMAGES)/steadygate/steadygate Dockerfile
	$(call archive,$(IMAGE),$(IMAGES)/steadygate,--file Dockerfile --target prebuilt --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD))

# Cargo knows whether the binary is up to date; the copy is as new as its contents.
$(IMAGES)/steadygate/steadygate: static-build
	@mkdir -p $(@D)
	@cmp -s target/$(STATIC_TARGET)/release/steadygate $@ || cp target/$(STATIC_TARGET)/release/steadygate $@

static-build:
	$(call need,cc build-essential)
	$(STATIC_PROFILE) RUSTFLAGS='-C target-feature=+crt-static' \
	  cargo build --locked --release --bin steadygate --target $(STATIC_TARGET)

$(IMAGES)/backend.tar: e2e/backend/Dockerfile $(wildcard e2e/backend/*.go) e2e/backend/go.mod e2e/backend/go.sum | go
	cd e2e/backend && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' \
	  -o $(CURDIR)/$(IMAGES)/backend/backend .
	$(call archive,$(BACKEND_IMAGE),$(IMAGES)/backend,--file $<)

$(IMAGES)/pause.tar: e2e/cluster/pause/Dockerfile e2e/cluster/pause/pause.c
	$(call need,cc build-essential)
	mkdir -p $(IMAGES)/pause
	cc -O2 -Wall -static -s -o $(IMAGES)/pause/pause e2e/cluster/pause/pause.c
	$(call archive,$(PAUSE_IMAGE),$(IMAGES)/pause,--file $<)

# --- Cluster -----------------------------------------------------------------------------------------------------

CLUSTER := e2e/cluster/cluster
CLUSTER_TOOLS := $(patsubst e2e/cluster/tools/%/go.mod,$(CLUSTER_BIN)/.%,$(wildcard e2e/cluster/tools/*/go.mod))
E2E_ENVIRONMENT := STEADYGATE_IMAGE=$(IMAGE) BACKEND_IMAGE=$(BACKEND_IMAGE)
cluster_needs := machine $(CLUSTER_TOOLS) $(IMAGES)/pause.tar
e2e_images := $(IMAGES)/steadygate.tar $(IMAGES)/backend.tar

# Starts a Kubernetes of one node on this machine, in a network of its own: see e2e/README.md. The first time takes ten minutes.
cluster: $(cluster_needs) $(e2e_images)
	$(CLUSTER) up
	$(CLUSTER) load $(e2e_images)
	$(CLUSTER) kubectl apply --server-side -f crds
	@echo; $(CLUSTER) env
	@echo; echo "$(CLUSTER) kubectl …   kubectl in the cluster"; \
	  echo "$(CLUSTER) exec -- …   any command in its network, where alone it can be reached"; \
	  echo "make cluster-down               ends it"

# Ends that cluster.
cluster-down:
	$(CLUSTER) down

# Builds what `make e2e` needs, without running it.
cluster-parts: $(cluster_needs) $(e2e_images) $(E2E_VENV)/installed $(CHART_VENV)/installed

# Tests everything in a cluster of its own, which is removed afterwards, whatever happens.
e2e: $(cluster_needs) $(e2e_images) $(E2E_VENV)/installed
	$(E2E_ENVIRONMENT) $(CLUSTER) --name e2e run $(e2e_images:%=--load %) -- \
	  $(E2E_VENV)/bin/pytest -c e2e/pytest.ini e2e $(PYTEST)

$(E2E_VENV)/installed: e2e/requirements.txt
	$(call venv,$(E2E_VENV),$<)

$(CLUSTER_BIN)/.runc: | seccomp

$(CLUSTER_BIN)/.%: e2e/cluster/tools/%/go.mod e2e/cluster/tools/%/go.sum e2e/cluster/tools/build | go
	$(call need,cc build-essential)
	mkdir -p $(CLUSTER_BIN)
	e2e/cluster/tools/build $* $(CLUSTER_BIN)
	touch $@

.PHONY: go machine seccomp
# From 1.21 on, Go gets the version that a go.mod asks for.
go:
	$(call need,go golang-go)
	@go version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])' || { echo "Go is too old; newer ones: https://go.dev/dl" >&2; exit 1; }

# Programs that the components call.
machine:
	$(call need,nft nftables iptables iptables conntrack conntrack ip iproute2 unshare util-linux)

# What runc is linked to.
seccomp:
	$(call need,pkg-config pkg-config)
	@pkg-config --exists libseccomp || { $(call install,libseccomp-dev); }

# --- Measure -----------------------------------------------------------------------------------------------------

BENCH := target/bench
BENCH_PYTHON := $(BENCH)/venv/bin/python
# What users run: the binary of the image.
OURS := $(or $(STEADYGATE),target/$(STATIC_TARGET)/release/steadygate)

# Measures the gateway beside the proxies that people would pick instead, in half an hour. ITEM="http memory" measures these
# alone, QUICK=1 shows no more than that all of it works, and STEADYGATE measures another binary.
bench: $(BENCH)/venv/installed $(BENCH)/haproxy/haproxy $(BENCH)/nginx/nginx
	$(call need,cc build-essential openssl openssl wrk wrk h2load nghttp2-client setpriv util-linux)
	CARGO_TARGET_DIR=target/load cargo build --locked --release --manifest-path benches/load/Cargo.toml
	$(if $(STEADYGATE),,$(MAKE) static-build)
	$(if $(filter frames,$(or $(ITEM),frames)),cargo bench --locked --bench frames --no-run,)
	STEADYGATE=$(OURS) $(BENCH_PYTHON) benches/run $(ITEM)

# Measures the controller beside Traefik's, in a real cluster of its own, which is removed afterwards.
bench-cluster: machine $(CLUSTER_TOOLS) $(IMAGES)/pause.tar $(BENCH)/venv/installed
	CARGO_TARGET_DIR=target/load cargo build --locked --release --manifest-path benches/load/Cargo.toml
	$(if $(STEADYGATE),,$(MAKE) static-build)
	STEADYGATE=$(OURS) $(CLUSTER) --name bench run -- $(BENCH_PYTHON) benches/run cluster

# Writes the figures of benches/README.md from the last measurement.
bench-report: $(BENCH)/venv/installed
	$(BENCH_PYTHON) benches/run report

$(BENCH)/venv/installed: benches/requirements.txt
	$(call venv,$(BENCH)/venv,$<)

# haproxy's newest, and of nginx what Debian's stable release has.
$(BENCH)/haproxy/haproxy: benches/debs
	benches/debs sid haproxy $(@D)

$(BENCH)/nginx/nginx: benches/debs
	benches/debs trixie nginx $(@D)

# --- Check -------------------------------------------------------------------------------------------------------

# Checks the format, clippy, and the licences and sources of dependencies.
lint: $(DENY)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(DENY) --locked check bans licenses sources

# Checks dependencies for known vulnerabilities; fetches the advisory database from the network.
advisories: $(DENY)
	$(DENY) --locked check advisories

$(DENY):
	$(call need,cc build-essential)
	cargo install cargo-deny --locked --version $(CARGO_DENY_VERSION) --no-default-features --debug \
	  --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) --target-dir target/tools/build
	rm -rf target/tools/build

# Searches for frames and for HTTP/1.1 that are read otherwise than others read them, for a minute each or SECONDS.
fuzz: $(FUZZ)
	$(call need,c++ build-essential)
	for target in frames http1; do \
	  (cd fuzz && PATH="$(CURDIR)/$(dir $(FUZZ)):$$PATH" cargo fuzz run --sanitizer none --target-dir $(CURDIR)/target/fuzz $$target -- \
	  -max_total_time=$(or $(SECONDS),60) -max_len=4096) || exit 1; done

$(FUZZ):
	$(call need,cc build-essential)
	cargo install cargo-fuzz --locked --version $(CARGO_FUZZ_VERSION) --root target/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION) \
	  --target-dir target/tools/build
	rm -rf target/tools/build

# Rewrites the expected output of the golden tests, and what is generated, from what the code does now.
bless:
	BLESS=1 cargo test --locked
	BLESS=1 $(MAKE) chart

# Removes the files of the demo: the next one starts from its first files.
clean-demo:
	rm -rf demo
