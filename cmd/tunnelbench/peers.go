package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// peer is a kind of tunnel: how to find it and how to start an end of it.
type peer struct {
	name    string
	program string   // its command; empty: a pair without processes
	plain   bool     // it does not encrypt
	cure    string   // how to get it
	version []string // arguments that print its version
	// arguments makes the command line of an end, and writes the files that
	// it names into the folder of the end.
	arguments func(end) ([]string, error)
	death     syscall.Signal // ends all its processes when the bench is killed
}

// end is one of the two processes of a pair, as its configuration needs it.
type end struct {
	client   bool   // the plain side accepts; else TLS does
	folder   string // its own
	accept   string // 127.0.0.1:PORT
	connect  string // 127.0.0.1:PORT
	identity        // its certificate
	cafile   string
	capath   string
	most     int // connections at once
}

// What every pair that encrypts is told to use, in OpenSSL's words.
const (
	cipherSuite = "TLS_AES_128_GCM_SHA256"
	tlsVersion  = "TLSv1.3"
)

// installPeers is how to get the peers that Debian has.
const installPeers = ".ci/install bench, or tunnelbench --install"

// allPeers is every pair that can be compared, in the order of the reports.
func allPeers() []peer {
	return []peer{
		{
			name: "gtunnel", program: "gtunnel", cure: "make build, or --gtunnel PATH",
			version: []string{"version"}, arguments: gtunnelArguments, death: syscall.SIGKILL,
		},
		{
			name: "stunnel", program: "stunnel4", cure: installPeers,
			version: []string{"-version"}, arguments: stunnelArguments, death: syscall.SIGKILL,
		},
		{
			name: "ghostunnel", program: "ghostunnel", cure: "make bin/ghostunnel, or --ghostunnel PATH",
			version: []string{"--version"}, arguments: ghostunnelArguments, death: syscall.SIGKILL,
		},
		{
			name: "haproxy", program: "haproxy", cure: installPeers,
			version: []string{"-v"}, arguments: haproxyArguments, death: syscall.SIGKILL,
		},
		{
			// SIGTERM: a master that is killed leaves its workers behind.
			name: "nginx", program: "nginx", cure: installPeers,
			version: []string{"-v"}, arguments: nginxArguments, death: syscall.SIGTERM,
		},
		{
			name: "relay", program: "tunnelbench", plain: true,
			arguments: relayArguments, death: syscall.SIGKILL,
		},
		{name: "none", plain: true},
	}
}

// installed is a peer that is there.
type installed struct {
	peer
	path string // of the program, absolute
	info pairInfo
}

// missingError says which pairs cannot run.
type missingError struct{ name, cure string }

func (e *missingError) Error() string { return e.name + " is missing" }

// find looks for the program: at the place that was named, then in bin/, as
// the Makefile builds there, then in PATH.
func (p peer) find(ctx context.Context, named string) (installed, error) {
	found := installed{peer: p, info: pairInfo{Name: p.name}}
	switch {
	case p.program == "":
		found.info.Version = "no processes: the bench talks to itself"
		return found, nil
	case p.name == "relay":
		self, err := os.Executable()
		if err != nil {
			return found, fmt.Errorf("find this program: %w", err)
		}
		found.path, found.info.Version = self, "this program: copies without TLS, 256 KB at a time"
		return found, nil
	}
	places := []string{filepath.Join("bin", p.program), p.program, filepath.Join("/usr/sbin", p.program)}
	if named != "" {
		places = []string{named}
	}
	for _, place := range places {
		path, err := exec.LookPath(place)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			continue
		}
		if found.path, err = filepath.Abs(path); err != nil {
			return found, fmt.Errorf("find %s: %w", p.name, err)
		}
		found.info.Version, err = found.askVersion(ctx)
		return found, err
	}
	return found, &missingError{name: p.name, cure: p.cure}
}

var versionPattern = regexp.MustCompile(`(?i)(?:version|stunnel|gtunnel|rev|nginx/)\s*v?([0-9a-f][\w.~+-]*)`)

// askVersion is the version that a program of Go's carries, or that another
// prints, or the first line of that.
func (p installed) askVersion(ctx context.Context) (string, error) {
	if info, err := buildinfo.ReadFile(p.path); err == nil && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version + ", " + info.GoVersion, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, p.path, p.version...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", p.path, strings.Join(p.version, " "), err)
	}
	return findVersion(string(text)), nil
}

func findVersion(text string) string {
	if match := versionPattern.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// selectPeers picks the named pairs in the order of allPeers; none named: all.
func selectPeers(names []string) ([]peer, error) {
	all := allPeers()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(p peer) bool { return p.name == name }) {
			return nil, fmt.Errorf("no pair is called %q: there are %s", name, strings.Join(peerNames(all), ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(p peer) bool { return !slices.Contains(names, p.name) }), nil
}

func peerNames(peers []peer) []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}
