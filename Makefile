# gtunnel: `make demo` shows the main job on real servers, `make test` runs every
# test. Both install what they lack on Debian (as root). `make check` is for the
# hour of work: it takes a minute, and builds nothing but the linters.
#
#   make            the binary, bin/gtunnel
#   make demo       replication through the tunnel on this machine (KEEP=1 stays)
#   make check      the linters, and the tests that need no server, Docker or
#                   other programs, without the race detector
#   make test       everything, with the race detector; at the end a table of
#                   what ran on which server (bin/tests.txt has one of each test)
#   make page       the page for administrators in a real browser: its tests, and pictures of it
#                   in bin/ (light, dark, on a phone, with a problem)
#   make corpus     schemas as odd as those of services through setup, writes,
#                   changes, compare and repair, at length, on every server
#                   (GTUNNEL_CORPUS_SEED=N repeats the writes of a run)
#   make failover   50 failovers, 20 switchovers and 20 rejoins of each sort in a row on
#                   MariaDB and on MySQL, with clients that write, and their times
#   make faults     each fault at six moments of switchover, promote and rejoin: kills of
#                   each part, cuts of the link and of the power (hours)
#   make families   each story of a pair whole on MariaDB and on MySQL: make test has the long ones
#                   on one of them, or a half of each on either
#   make voms       a VOMS server at two sites, from the first proxy to the lost site and back:
#                   each step with its time, what the user saw and what was checked
#   make pacemaker  a pair under Pacemaker with a quorum device on a third host, in three
#                   containers: a move, a killed host, cut links, and what the clients saw
#   make simulate   failovers on a model of two hosts, deeper than make test has them
#                   (SIMULATE=1 deviation more in a run, LIMIT=90 seconds for each
#                   scenario and family), with a table of the changes of plans that it
#                   notices; what was not explored whole is said
#   make cover      how much of each package all tests run; 85 % at least
#                   (TEST=./tunnel ROOMS=tunnel)
#   make fuzz       every fuzz target for FUZZTIME (20s)
#   make bench      gtunnel and its peers side by side (BENCH="--scale quick")
#   make longlink   a replication set up over a long line and over a thin one, beside the servers'
#                   own tools through stunnel: the seconds of each step, in minutes
#                   (LONGLINK="--rtt 1ms,60ms,200ms --method dump --markdown", or
#                   "--server mysql-9.7" after .ci/install mysql)
#   make mutate     the checks of PACKAGE (./certs) that no test of it holds
#                   (MUTATE="--files access --kind all")
#   make hostile    floods against gtunnel and stunnel (HOSTILE="--attack four")
#   make lint       the linters, built on first use
#   make install    all that belongs on a host, below PREFIX (DESTDIR for another root): the
#                   program, man pages, completions, systemd units and their user, a firewalld service, and
#                   documentation; /var/lib/gtunnel (0700) for the hand-over file and the notes
#                   of a slave; and in /etc, where they are missing, the files for flags, an
#                   example of gtunnel.toml, and one for logrotate
#   make packages   the same as .deb and .rpm for amd64 and arm64, with SBOM and checksums, in
#                   bin/packages: twice the same bytes (MAINTAINER='NAME <ADDRESS>' of a site)
#   make packages-test  the packages installed, upgraded under traffic, removed and purged on
#                   booted Debians, and the .rpm in a root of its own

PREFIX  ?= /usr
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BINARY   = bin/gtunnel
TEST     = ./...
ROOMS    = certs tunnel replication
FUZZTIME = 20s
PACKAGE  = ./certs
BROWSER  = cmd/gtunnel/page/browsertest
# The tests' servers wait for their disk at each commit, and MySQL's busily: in memory, where it
# has room, they do not.
MEMORY  := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 8000000 { print "/dev/shm" }')
UNITS    = $(wildcard $(addprefix examples/systemd/*.,service socket timer path))
# Where each shell looks for them; the first word names the shell.
COMPLETIONS = bash-completion/completions/gtunnel zsh/site-functions/_gtunnel fish/vendor_completions.d/gtunnel.fish

export CGO_ENABLED ?= 0

.PHONY: build help demo check short test page families failover faults simulate pacemaker voms corpus cover fuzz mutate bench hostile longlink lint install packages packages-test clean

build:
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/gtunnel

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

demo: build
	.ci/install mariadb
	go build -o bin/quickstart ./examples/quickstart
	bin/quickstart --gtunnel $(BINARY) $(if $(KEEP),--keep)

voms: build
	.ci/install mariadb voms
	go build -o bin/voms ./examples/voms
	bin/voms --gtunnel $(BINARY)

GOTESTSUM = go tool -modfile=$(CURDIR)/.ci/tools.mod gotestsum --format pkgname-and-test-fails --hide-summary skipped,output

# The linters include go vet and the format, and run beside the tests, which wait
# more than they work. What a test needs of this host, it says before it is left
# out: the last lines count that.
check: bin/golangci-lint
	$(MAKE) --no-print-directory -j2 --output-sync=target lint short

short:
	mkdir -p bin
	env -u CI $(GOTESTSUM) --jsonfile bin/check.json --post-run-command 'go run ./.ci/results bin/check.json' -- \
		-short -vet=off -count=1 -p 4 $(TEST)

# `make lint` vets. The race detector needs cgo, and is too slow for a gigabyte each way and for millions of
# steps of a simulation: these run before, without it. Go prints what a test tells, such as the
# number of states, only where it is run in its directory.
test: export CGO_ENABLED = 1
test: export TMPDIR := $(or $(TMPDIR),$(MEMORY))
test:
	.ci/install test
	go test -vet=off -count=1 -run TestBothWaysAtOnce ./tunnel
	cd replication/failover/simulation && go test -vet=off -count=1 -run 'TestScenarios|TestFaults'
	mkdir -p bin
	cd $(BROWSER) && $(GOTESTSUM) --jsonfile $(CURDIR)/bin/browser.json -- -vet=off -count=1 ./...
	$(GOTESTSUM) --jsonfile bin/tests.json \
		--post-run-command 'go run ./.ci/results --every bin/tests.txt bin/browser.json bin/tests.json' -- \
		-race -vet=off -count=1 -parallel 6 -timeout 55m $(TEST)

page:
	.ci/install chromium
	mkdir -p bin
	cd $(BROWSER) && GTUNNEL_PAGE_SHOTS=$(CURDIR)/bin go test -count=1 ./...

# `make test` has the short form of these. go test shows what they print in their own folder.
failover:
	.ci/install mariadb mysql failover
	cd cmd/gtunnel && GTUNNEL_FAILOVER=50 go test -count=1 -parallel 6 -timeout 180m \
		-run '^Test(Failovers|Switchovers|Rejoins)$$'

families:
	.ci/install mariadb mysql failover
	cd cmd/gtunnel && GTUNNEL_FAMILIES=all go test -count=1 -parallel 4 -timeout 180m
	GTUNNEL_FAMILIES=all go test -count=1 -run Parallel ./replication/seed

faults:
	.ci/install mariadb mysql failover
	cd cmd/gtunnel && GTUNNEL_FAILOVER=50 go test -count=1 -parallel 6 -timeout 720m \
		-run '^Test(Switchover|Promote|Rejoin)Faults$$'

pacemaker:
	.ci/install docker pacemaker
	cd examples/pacemaker && CI=1 go test -count=1 -timeout 40m -v -run '^TestPacemaker$$'

corpus:
	.ci/install mariadb mysql mariadb118 mariadb105
	GTUNNEL_CORPUS=long go test -count=1 -timeout 90m -run '^TestCorpus' -v ./cmd/gtunnel

SIMULATE = 1
LIMIT    = 90
simulate:
	GTUNNEL_SIMULATE=$(SIMULATE) GTUNNEL_SIMULATE_LIMIT=$(LIMIT) go test -count=1 -timeout 12h -v \
		-run 'TestScenarios|TestFaults|TestMutants' ./replication/failover/simulation

# A statement counts for the package in which it stands, whichever package's
# tests run it.
cover:
	.ci/install test
	mkdir -p bin
	go test -count=1 -timeout 30m -coverpkg=./certs/...,./tunnel/...,./replication/... -coverprofile bin/cover.out $(TEST)
	go run ./.ci/cover bin/cover.out $(ROOMS)

bench: build
	go build -trimpath -o bin/tunnelbench ./cmd/tunnelbench
	bin/tunnelbench --install --json=bin/bench.json --markdown bin/bench.md --plot bin/bench.svg $(BENCH)

hostile: build
	.ci/install stunnel
	go build -trimpath -o bin/tunnelbench ./cmd/tunnelbench
	bin/tunnelbench hostile $(HOSTILE)

longlink: build
	.ci/install stunnel mariadb
	go build -trimpath -o bin/tunnelbench ./cmd/tunnelbench
	bin/tunnelbench longlink $(LONGLINK)

fuzz:
	.ci/fuzz $(FUZZTIME)

mutate:
	go run ./.ci/mutate $(MUTATE) $(PACKAGE)

bin/golangci-lint: .ci/lint.mod
	go build -modfile=.ci/lint.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: bin/golangci-lint
	bin/golangci-lint run --allow-serial-runners ./...
	cd $(BROWSER) && $(CURDIR)/bin/golangci-lint run --allow-serial-runners ./...

# The packages are made of this, for another machine perhaps: WRITER is the program that writes
# man pages, completions and the example of a configuration on this one.
WRITER = $(BINARY)
SHARE  = $(DESTDIR)$(PREFIX)/share
install: build
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/gtunnel
	$(WRITER) man --folder $(SHARE)/man
	install -d $(addprefix $(SHARE)/,$(dir $(COMPLETIONS)))
	for file in $(COMPLETIONS); do \
		$(WRITER) completion $$(expr $$file : '\([a-z]*\)') >$(SHARE)/$$file || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 0644 $(UNITS) $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed -i 's|/usr/bin/gtunnel|$(PREFIX)/bin/gtunnel|' $(DESTDIR)$(PREFIX)/lib/systemd/system/gtunnel*.service
	install -D -m 0644 examples/systemd/gtunnel.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/gtunnel.conf
	install -D -m 0644 examples/systemd/gtunnel.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/gtunnel.conf
	test -n "$(DESTDIR)" || ! command -v systemd-sysusers >/dev/null || \
		systemd-sysusers $(PREFIX)/lib/sysusers.d/gtunnel.conf
	install -D -m 0644 examples/systemd/gtunnel-firewalld.xml $(DESTDIR)$(PREFIX)/lib/firewalld/services/gtunnel.xml
	install -d $(SHARE)/doc/gtunnel
	install -m 0644 README.md CHANGELOG.md SECURITY.md LICENSE $(SHARE)/doc/gtunnel
	.ci/packages/licences >$(SHARE)/doc/gtunnel/third-party-licences
	install -d -m 0700 $(DESTDIR)/var/lib/gtunnel
	install -d $(DESTDIR)/etc/gtunnel
	for role in server client; do \
		test -e $(DESTDIR)/etc/gtunnel/$$role.env || \
		install -m 0644 examples/systemd/$$role.env $(DESTDIR)/etc/gtunnel || exit 1; \
	done
	test -e $(DESTDIR)/etc/gtunnel/gtunnel.toml || $(WRITER) run --example >$(DESTDIR)/etc/gtunnel/gtunnel.toml
	test -e $(DESTDIR)/etc/logrotate.d/gtunnel || \
		install -D -m 0644 examples/systemd/gtunnel.logrotate $(DESTDIR)/etc/logrotate.d/gtunnel

packages:
	.ci/packages/build bin/packages

# `make test` has the same on Debian 12 alone.
packages-test:
	.ci/install systemd debian12 debian13 packages
	GTUNNEL_PACKAGES=all CI=1 go test -count=1 -timeout 40m -v -run '^TestPackages$$' ./examples/systemd

clean:
	rm -rf bin examples/replication/build
