package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Pair is the section [pair]: two hosts that can both be the master. It is the same on
// both, and each knows itself by its certificate.
type Pair struct {
	Hosts []string // the names of the two, as their certificates prove them

	// Host is which of them this host is; Peer is the other. Both are empty if the
	// certificate could not be read: the tunnels say why.
	Host, Peer string

	// Slaves are further slaves, at other sites: by the names that their certificates prove.
	// Each is let in to the server of either host, and cannot become the master.
	Slaves []string

	Guard                          string        // "strict", "lenient" or "cluster": see term.Mode
	Fence, PrePromote, PostPromote string        // programs, by absolute paths; empty: none
	HookTimeout                    time.Duration // 0: the preset of package failover

	// Of set-ups in which the hosts are reached otherwise.
	Congestion string // control of TCP between the hosts; empty: the system's

	Accept    tunnel.Address   // where the peer's connections come
	Connect   tunnel.Address   // the server of this host
	Local     tunnel.Address   // where this host finds the peer's server
	Addresses []tunnel.Address // where the two are dialled, in the order of Hosts
}

// The names of the two tunnels of a pair.
const (
	PairServer = "pair-server"
	PairClient = "pair-client"
)

// guardModes are how much a guard asks; the first is the preset.
var guardModes = []string{"strict", "lenient", "cluster"}

func newPair() *Pair {
	return &Pair{
		Guard: guardModes[0], Accept: DefaultAccept(tunnel.Server),
		Local: DefaultAccept(tunnel.Client), Connect: mustParse(defaultServerConnect),
	}
}

// settings lists the keys of the section.
func (p *Pair) settings() []Setting {
	return []Setting{
		{
			Name: "hosts", Target: &p.Hosts,
			Usage: "the names of the two, as their certificates prove them; it must be given",
		},
		{
			Name: "host", Target: &p.Host,
			Preset: "as the certificate proves", Usage: "which of them this is, where one certificate proves both",
		},
		{
			Name: "slaves", Target: &p.Slaves,
			Usage: "further slaves at other sites, which are let in, too",
		},
		{
			Name: "guard", Target: &p.Guard, Values: guardModes,
			Usage: "what the guard waits for before it makes a master writable",
		},
		{
			Name: "fence", Target: &p.Fence,
			Usage: "a program that cuts the old master off",
		},
		{
			Name: "pre-promote", Target: &p.PrePromote,
			Usage: "a program that may refuse a promotion",
		},
		{
			Name: "post-promote", Target: &p.PostPromote,
			Usage: "a program that is told of a promotion",
		},
		{
			Name: "hook-timeout", Target: &p.HookTimeout,
			Preset: "1m", Usage: "how long each of these may run",
		},
		{
			Name: "congestion", Target: &p.Congestion,
			Preset: "the system's", Usage: "control, of TCP between the two, such as bbr",
		},
		{
			Name: "accept", Target: &p.Accept, Port: DefaultPort,
			Usage: "where the other host's connections come",
		},
		{
			Name: "connect", Target: &p.Connect, Port: MySQLPort,
			Usage: "the MySQL of this host",
		},
		{
			Name: "local", Target: &p.Local, Port: DefaultPort,
			Usage: "where this host finds the other's MySQL",
		},
		{
			Name: "addresses", Target: &p.Addresses, Port: DefaultPort,
			Preset: "port 3307 of hosts", Usage: "where the two are dialled, in the order of hosts",
		},
	}
}

// pair reads the section [pair], and adds its two tunnels. It reads the certificate,
// too, to know which of the hosts this is.
func (r *fileReader) pair(value any, defaults Tunnel) {
	section := place{"pair"}
	if r.asTable(section, value) == nil {
		return
	}
	p, before := newPair(), len(r.found)
	r.section(section, value, p.settings(), nil)
	if len(r.found) == before {
		r.checkPair(p)
	}
	if len(r.found) > before {
		return
	}
	r.config.Pair = p
	if len(p.Addresses) == 0 {
		for _, host := range p.Hosts {
			p.Addresses = append(p.Addresses, tunnel.Address{Network: "tcp", Host: host, Port: DefaultPort})
		}
	}
	r.findHost(p, defaults)
	if i := slices.Index(p.Hosts, p.Host); i >= 0 {
		p.Peer = p.Hosts[1-i]
	}
	r.config.Tunnels = append(r.config.Tunnels, p.tunnels(defaults)...)
}

// checkPair says what is wrong with the values.
func (r *fileReader) checkPair(p *Pair) {
	section := place{"pair"}
	add := func(key, message, hint string) { r.add(section.key(key), message, hint) }
	const form = "write the names of both as their certificates prove them: " +
		`hosts = ["server1.domain.one", "server2.domain.two"]`
	if len(p.Hosts) == 0 {
		add("hosts", "hosts is missing", form)
		return
	}
	for i := range p.Hosts {
		p.Hosts[i] = strings.ToLower(strings.TrimSuffix(p.Hosts[i], "."))
		if _, err := certs.NewAccess(p.Hosts[i:i+1], nil, false); err != nil || strings.Trim(p.Hosts[i], "[]") != p.Hosts[i] {
			add("hosts", fmt.Sprintf("%q is no name of a host", p.Hosts[i]), form)
			return
		}
	}
	for i, name := range p.Slaves {
		p.Slaves[i] = strings.ToLower(strings.TrimSuffix(name, "."))
		switch _, err := certs.NewAccess(p.Slaves[i:i+1], nil, false); {
		case err != nil || strings.Trim(p.Slaves[i], "[]") != p.Slaves[i]:
			add("slaves", fmt.Sprintf("%q is no name of a host", name),
				`write the names as their certificates prove them: slaves = ["server3.domain.three"]`)
			return
		case slices.Contains(p.Hosts, p.Slaves[i]), slices.Contains(p.Slaves[:i], p.Slaves[i]):
			add("slaves", name+" is named twice", "write each host once: the two of the pair in hosts, further slaves in slaves")
			return
		}
	}
	p.Host = strings.ToLower(strings.TrimSuffix(p.Host, "."))
	switch {
	case len(p.Hosts) != 2 || p.Hosts[0] == p.Hosts[1]:
		add("hosts", "a pair is two hosts", form)
	case p.Host != "" && !slices.Contains(p.Hosts, p.Host):
		add("host", p.Host+" is neither of the hosts", "write one of them, or remove the key: the certificate tells")
	case len(p.Addresses) > 0 && len(p.Addresses) != 2:
		add("addresses", "must be two, in the order of hosts",
			`such as ["server1.domain.one:3307", "server2.domain.two:3307"]`)
	case p.Local.Network != "tcp" || !p.Local.IsLoopback():
		add("local", fmt.Sprintf("%s is no address of this host alone: a slave connects to it without encryption", p.Local),
			"write a port of 127.0.0.1, such as "+DefaultClientAccept)
	}
	for key, path := range map[string]string{
		"fence": p.Fence, "pre_promote": p.PrePromote, "post_promote": p.PostPromote,
	} {
		if path != "" && !filepath.IsAbs(path) {
			add(key, fmt.Sprintf("%q is no absolute path of a program", path),
				"write the whole path; what needs arguments goes into a script")
		}
	}
}

// findHost tells by the certificate which of the hosts this is, and refuses a key host that
// names the other one. What is wrong with the certificate itself, the checks of the tunnels
// say.
func (r *fileReader) findHost(p *Pair, defaults Tunnel) {
	credential, err := certs.LoadCredential(defaults.Cert, defaults.Key)
	if err != nil {
		return
	}
	identity, err := certs.Identify(credential.Certificate(), defaults.HostMode)
	if err != nil {
		return
	}
	var proven []string
	for _, host := range p.Hosts {
		if identity.Proves(host) {
			proven = append(proven, host)
		}
	}
	names := strings.Join(slices.Concat(identity.Hosts, identity.IPs), ", ")
	if names == "" {
		names = "no name of a host"
	}
	hosts := place{"pair", "hosts"}
	if p.Host != "" { // it decides, where the certificate does not
		if len(proven) == 1 && proven[0] != p.Host {
			r.add(place{"pair", "host"}, fmt.Sprintf("the certificate %s proves %s, not %s", defaults.Cert, proven[0], p.Host),
				"remove the key: a host knows itself by its certificate")
		}
		return
	}
	switch len(proven) {
	case 1:
		p.Host = proven[0]
	case 0:
		r.add(hosts, fmt.Sprintf("this host is neither of the two: its certificate %s proves %s", defaults.Cert, names),
			"write the names that the certificates of the two hosts prove: gtunnel certs show "+defaults.Cert+" prints them")
	default:
		r.add(hosts, fmt.Sprintf("which of the two is this host? Its certificate %s proves both: %s", defaults.Cert, names),
			fmt.Sprintf("say so with the key host, which then differs between the two: host = %q", p.Hosts[0]))
	}
}

// tunnels are those of a pair: the peer's way to the server of this host, and this host's
// way to the peer's server.
func (p *Pair) tunnels(defaults Tunnel) []Tunnel {
	defaults.Congestion = p.Congestion
	in, out := defaults, defaults
	in.Name, in.Role, in.ofPair, in.SharePort = PairServer, tunnel.Server, true, true
	in.Accept, in.Connect, in.AllowHost = p.Accept, []tunnel.Address{p.Connect}, slices.Concat([]string{p.Peer}, p.Slaves)
	out.Name, out.Role, out.ofPair, out.SharePort = PairClient, tunnel.Client, true, true
	out.Accept, out.ServerName = p.Local, p.Peer
	if p.Peer == "" { // and so they are never served: see Host
		in.AllowHost, out.Connect = slices.Concat(p.Hosts, p.Slaves), p.Addresses
		out.ServerName = ""
		return []Tunnel{in, out}
	}
	out.Connect = []tunnel.Address{p.Addresses[slices.Index(p.Hosts, p.Peer)]}
	return []Tunnel{in, out}
}

// PairOf is the section [pair] of a configuration file, and the tunnel of it to the
// peer. The error says what is wrong with it, or that it has none.
func PairOf(file string) (*Pair, *Tunnel, error) {
	c, err := Read(file)
	if err != nil {
		return nil, nil, err
	}
	if err := usage.Join(c.Faults()); err != nil {
		return nil, nil, err
	}
	if c.Pair == nil {
		return nil, nil, &usage.Error{
			Where: file, Message: "has no section [pair]: this host is not of a pair",
			Cure: `write the two hosts into it: [pair], and below it hosts = ["server1.domain.one", "server2.domain.two"]`,
		}
	}
	return c.Pair, c.TunnelNamed(PairClient), nil
}

// Hooks is what is wrong with the programs that the section [pair] names. The tunnels do
// without them, and so they are no [Config.Faults].
func (c *Config) Hooks() []*usage.Error {
	if c.Pair == nil {
		return nil
	}
	var found []*usage.Error
	for _, hook := range []struct{ key, path string }{
		{"fence", c.Pair.Fence}, {"pre_promote", c.Pair.PrePromote}, {"post_promote", c.Pair.PostPromote},
	} {
		if hook.path == "" {
			continue
		}
		if message, hint := hookFault(hook.path); message != "" {
			found = append(found, c.origin.errorAt(place{"pair", hook.key}, hook.path+": "+message, hint))
		}
	}
	return found
}

// hookFault says why a program cannot be run, and what to do; an empty message if it can.
func hookFault(path string) (message, hint string) {
	const install = "install the program there, or remove the key: promote would fail at it"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file", install
	case err != nil:
		return errors.Unwrap(err).Error(), install // the path is said
	case !info.Mode().IsRegular():
		return "is no file", install
	case info.Mode().Perm()&0o111 == 0:
		return "is not executable", "chmod 0755 " + path
	}
	return "", ""
}
