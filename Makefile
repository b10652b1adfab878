# gtunnel: `make demo` shows the main job on real servers, `make test` runs
# every test. Both install what they lack on Debian (as root).
#
#   make            the binary, bin/gtunnel
#   make demo       replication through the tunnel on this machine (KEEP=1 stays)
#   make test       everything, with the race detector
#   make fuzz       every fuzz target for FUZZTIME (20s)
#   make bench      gtunnel and its peers side by side (BENCH="--scale quick")
#   make mutate     the checks of PACKAGE (./certs) that no test of it holds
#                   (MUTATE="--files access --kind all")
#   make hostile    floods against gtunnel and stunnel (HOSTILE="--attack four")
#   make lint       the linters, built on first use
#   make install    the binary, the man pages and the systemd units below PREFIX,
#                   and in /etc/gtunnel the files with their flags, where they are
#                   missing

PREFIX  ?= /usr
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BINARY   = bin/gtunnel
TEST     = ./...
FUZZTIME = 20s
PACKAGE  = ./certs
TOPICS   = $(notdir $(basename $(wildcard cmd/gtunnel/help/topics/*.md)))

export CGO_ENABLED ?= 0

.PHONY: build demo test fuzz mutate bench hostile lint install clean

build:
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/gtunnel

demo: build
	.ci/install mariadb
	go build -o bin/quickstart ./examples/quickstart
	bin/quickstart --gtunnel $(BINARY) $(if $(KEEP),--keep)

# The race detector needs cgo, and is too slow for a gigabyte each way: that
# runs before, without it. gotestsum closes with a count of what ran and of
# what was skipped, and says why.
test: export CGO_ENABLED = 1
test:
	.ci/install race mariadb mysql mariadb118 mariadb105 mydumper galera stunnel systemd docker igtf
	go vet ./...
	go test -count=1 -run TestBothWaysAtOnce ./tunnel
	go tool -modfile=.ci/tools.mod gotestsum --format pkgname-and-test-fails --hide-summary output -- \
		-race -count=1 -timeout 30m $(TEST)

bench: build
	go build -trimpath -o bin/tunnelbench ./cmd/tunnelbench
	bin/tunnelbench --install --json=bin/bench.json --markdown bin/bench.md --plot bin/bench.svg $(BENCH)

hostile: build
	.ci/install stunnel
	go build -trimpath -o bin/tunnelbench ./cmd/tunnelbench
	bin/tunnelbench hostile $(HOSTILE)

fuzz:
	.ci/fuzz $(FUZZTIME)

mutate:
	go run ./.ci/mutate $(MUTATE) $(PACKAGE)

bin/golangci-lint: .ci/lint.mod
	go build -modfile=.ci/lint.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: bin/golangci-lint
	bin/golangci-lint run ./...

install: build
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/gtunnel
	install -d $(DESTDIR)$(PREFIX)/share/man/man7
	for topic in $(TOPICS); do \
		$(BINARY) man $$topic >$(DESTDIR)$(PREFIX)/share/man/man7/gtunnel-$$topic.7 || exit 1; \
	done
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system examples/systemd/*.service
	sed -i 's|/usr/bin/gtunnel|$(PREFIX)/bin/gtunnel|' $(DESTDIR)$(PREFIX)/lib/systemd/system/gtunnel-*.service
	for role in server client; do \
		test -e $(DESTDIR)/etc/gtunnel/$$role.env || \
		install -D -m 0644 examples/systemd/$$role.env $(DESTDIR)/etc/gtunnel/$$role.env || exit 1; \
	done

clean:
	rm -rf bin examples/replication/build
