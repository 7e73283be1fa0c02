# Everything but interop and couchdb runs with Go alone; GO picks another toolchain.
GO       ?= go
# A number of executions: with a time, a target that is busy when it is up may fail for no other reason.
FUZZTIME ?= 20000x
PKG      ?= ./...
# Packages with golden files; the README comes last, since it shows what others print.
GOLDEN   := ./analysis ./analysis/report ./replay ./replay/pipeline ./traces ./cmd/blockreel

.PHONY: all build test race fuzz bench lint golden proto interop couchdb demo clean

all: lint test

build:
	$(GO) build -o blockreel ./cmd/blockreel

test:
	$(GO) test $(PKG)

race:
	$(GO) test -race -short $(PKG)

# Every fuzz target of the module, FUZZTIME each.
fuzz:
	@set -e; for pkg in $$($(GO) list $(PKG)); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "fuzz $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg; \
		done; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

# Vet, staticcheck, gofmt and the others of .golangci.yml; then a build for systems that no test runs on.
SYSTEMS := windows/amd64 darwin/arm64 linux/arm64 linux/386
lint:
	$(GO) tool -modfile=.ci/tools.mod golangci-lint run
	@set -e; for system in $(SYSTEMS); do \
		echo "build and vet for $$system"; \
		export GOOS=$${system%/*} GOARCH=$${system#*/}; \
		$(GO) build ./...; $(GO) vet ./...; \
	done

# Write the golden files and transcripts anew; look at the difference before you commit it.
golden:
	$(GO) test $(GOLDEN) -count=1 -args -rewrite

# Our wire against Fabric's own clients and decoders, in Node.js: needs node and npm.
INTEROP := internal/fabric/interop
interop: $(INTEROP)/.npm/installed
	BLOCKREEL_INTEROP=$(CURDIR)/$(INTEROP)/.npm $(GO) test -count=1 ./$(INTEROP)

# The couchdb ledger against a server that others wrote, in Node.js: with -short, which leaves out
# the processes that are killed or open damaged directories, and takes fewer keys than the 100,000 of our own.
COUCHTEST := replay/ledger/couch/couchtest
couchdb: $(COUCHTEST)/.npm/installed
	BLOCKREEL_COUCHDB=$(CURDIR)/$(COUCHTEST)/.npm $(GO) test -count=1 -short -run '/pouchdb' ./replay/ledger/couch ./replay/ledger

%/.npm/installed: %/package.json %/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || \
		{ echo "this needs node and npm (Debian, Ubuntu: apt-get install nodejs npm)" >&2; exit 1; }
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --omit=optional --ignore-scripts --no-audit --no-fund
	touch $@

demo:
	$(GO) run ./cmd/blockreel demo

clean:
	rm -rf blockreel blockreel-demo
