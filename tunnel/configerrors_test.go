package tunnel_test

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// configError is a change of a sound configuration, and what New says of it.
type configError struct {
	change        func(*tunnel.Config)
	setting, text string
	hint          string
}

// named is a client of a server of this name.
func named(name string) func(*tunnel.Config) {
	return func(c *tunnel.Config) {
		c.Role, c.ServerName = tunnel.Client, name
	}
}

// expectConfigErrors wants New to refuse each.
func expectConfigErrors(t *testing.T, tests map[string]configError) {
	t.Helper()
	p := newPKI(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := p.serverConfig(t, "127.0.0.1:3306")
			test.change(&config)
			_, err := tunnel.New(config)
			problem, ok := errors.AsType[*tunnel.ConfigError](err)
			if !ok {
				t.Fatalf("New gives %v", err)
			}
			if problem.Setting != test.setting || !strings.Contains(err.Error(), test.text) ||
				!strings.Contains(problem.Hint(), test.hint) {
				t.Errorf("New gives %q with the hint %q, want %s, %q and %q", err, problem.Hint(), test.setting, test.text,
					test.hint)
			}
		})
	}
}

// settingErrors are errors in settings other than addresses.
var settingErrors = map[string]configError{
	"no role": {
		change: func(c *tunnel.Config) { c.Role = "both" }, setting: "role", text: `"both" is no role`,
		hint: "server or client",
	},
	"server-name": {
		change: func(c *tunnel.Config) { c.ServerName = "a" }, setting: "server-name", text: "only a client",
		hint: "allow-host",
	},
	"negative time": {
		change: func(c *tunnel.Config) { c.Timeouts.Dial = -1 }, setting: "dial-timeout", text: "negative", hint: "default",
	},
	"negative limit": {
		change: func(c *tunnel.Config) { c.Limits.Handshakes = -1 }, setting: "max-handshakes", text: "negative",
		hint: "default",
	},
	"one takes all": {
		change: func(c *tunnel.Config) {
			c.Limits = tunnel.Limits{Handshakes: 20, HandshakesPerSource: 30}
		}, setting: "max-handshakes-per-source", text: "30 from one source are more than all, 20",
		hint: "write less than 20",
	},
	"one peer takes all": {
		change: func(c *tunnel.Config) {
			c.Limits = tunnel.Limits{Connections: 20, ConnectionsPerPeer: 30}
		}, setting: "max-connections-per-peer", text: "30 from one peer are more than all, 20",
		hint: "raise max-connections",
	},
	"networks of a unix socket": {
		change: func(c *tunnel.Config) {
			c.Accept = tunnel.Address{Network: "unix", Path: "/run/a.sock"}
			c.AllowFrom = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, setting: "allow-from", text: "no address", hint: "remove allow-from",
	},
	"no store": {
		change: func(c *tunnel.Config) { c.Endpoint.Store = nil }, setting: "capath", text: "no CAs", hint: "cafile",
	},
	"no endpoint": {
		change: func(c *tunnel.Config) { c.Endpoint = nil }, setting: "capath", text: "no CAs", hint: "cafile",
	},
	"no credential": {
		change: func(c *tunnel.Config) { c.Endpoint.Credential = nil }, setting: "cert", text: "no certificate", hint: "key",
	},
	"no access rule": {
		change: func(c *tunnel.Config) { c.Endpoint.Policy.Access = nil }, setting: "allow-host", text: "no rule",
		hint: "allow-all",
	},
}

// addressErrors are errors in the addresses that a tunnel listens at and connects to.
func addressErrors(t *testing.T) map[string]configError {
	t.Helper()
	return map[string]configError{
		"no accept": {
			change: func(c *tunnel.Config) { c.Accept = tunnel.Address{} }, setting: "accept", text: "no address",
			hint: "host:port",
		},
		"no connect": {
			change: func(c *tunnel.Config) { c.Connect = nil }, setting: "connect", text: "no target", hint: "host:port",
		},
		"port 0": {
			change: func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "127.0.0.1:0")} }, setting: "connect",
			text: "port 0", hint: "write the port",
		},
		"a target twice": {
			change: func(c *tunnel.Config) { c.Connect = append(c.Connect, c.Connect[0]) }, setting: "connect",
			text: "listed twice", hint: "each target once",
		},
		"a distant target": {
			change:  func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "master-db:3306")} },
			setting: "connect", text: "master-db:3306 is not on loopback", hint: "unsafe-plaintext",
		},
		"a distant IP": {
			change:  func(c *tunnel.Config) { c.Connect = append(c.Connect, address(t, "192.0.2.1:3306")) },
			setting: "connect", text: "192.0.2.1:3306 is not on loopback", hint: "127.0.0.1",
		},
		"no port": {change: func(c *tunnel.Config) {
			c.Connect = []tunnel.Address{{Network: "tcp", Host: "127.0.0.1"}}
		}, setting: "connect", text: "port 0", hint: "write the port"},
		"client everywhere": {
			change: func(c *tunnel.Config) { c.Role, c.Accept = tunnel.Client, address(t, "3307") }, setting: "accept",
			text: "every address", hint: "127.0.0.1:3307",
		},
		"client outside": {
			change:  func(c *tunnel.Config) { c.Role, c.Accept = tunnel.Client, address(t, "192.0.2.1:3307") },
			setting: "accept", text: "192.0.2.1:3307", hint: "unsafe-plaintext",
		},
		"itself": {change: func(c *tunnel.Config) {
			c.Accept, c.Connect = address(t, "3306"), []tunnel.Address{address(t, "localhost:3306")}
		}, setting: "connect", text: "localhost:3306 is where this tunnel itself listens", hint: "another address"},
		"client of a socket": {change: func(c *tunnel.Config) {
			c.Role, c.Connect = tunnel.Client, []tunnel.Address{address(t, "unix:/run/a.sock")}
		}, setting: "server-name", text: "unix:/run/a.sock has no host name", hint: "server-name"},
	}
}

func TestConfigErrors(t *testing.T) {
	tests := addressErrors(t)
	maps.Copy(tests, settingErrors)
	expectConfigErrors(t, tests)
}

// TestServerNameErrors: what no certificate can prove is no name of a server.
func TestServerNameErrors(t *testing.T) {
	expectConfigErrors(t, map[string]configError{
		"a URL": {
			change: named("https://server1.domain.one/x"), setting: "server-name",
			text: `is neither a host name nor an IP address`, hint: "write the host name alone: server1.domain.one",
		},
		"a name and port": {
			change: named("server1.domain.one:3307"), setting: "server-name",
			text: `"server1.domain.one:3307" is neither a host name nor an IP address`,
			hint: "leave the port away: server1.domain.one",
		},
		"an IP and port": {
			change: named("192.0.2.1:3307"), setting: "server-name", text: "", hint: "leave the port away: 192.0.2.1",
		},
		"a port": {
			change: named(":3307"), setting: "server-name", text: `":3307" is neither a host name nor an IP address`,
			hint: "the name in the server's certificate",
		},
		"IPv6 in brackets": {
			change: named("[2001:db8::1]:3307"), setting: "server-name", text: "", hint: "leave the port away: 2001:db8::1",
		},
		"a wildcard": {
			change: named("*.domain.one"), setting: "server-name",
			text: `"*.domain.one" is neither a host name nor an IP address`,
			hint: "write the whole name of the one server",
		},
		"a star": {change: named("*"), setting: "server-name", text: "", hint: "write the whole name of the one server"},
		"two words": {
			change: named("server 1"), setting: "server-name", text: `"server 1" is neither a host name nor an IP address`,
			hint: "the name in the server's certificate",
		},
		"a DN": {
			change: named("/DC=one/CN=server1"), setting: "server-name", text: "is neither a host name",
			hint: "the name in the server's certificate",
		},
	})
}

// TestSoundConfigs: these are no errors.
func TestSoundConfigs(t *testing.T) {
	p := newPKI(t)
	for name, change := range map[string]func(*tunnel.Config){
		"loopback":      func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "127.0.0.1:3306")} },
		"localhost":     func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "localhost:3306")} },
		"only a port":   func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "3306")} },
		"a unix socket": func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, "unix:/run/mysqld/mysqld.sock")} },
		"with a consent": func(c *tunnel.Config) {
			c.UnsafePlaintext, c.Connect = true, []tunnel.Address{address(t, "master-db:3306")}
		},
		"a server's name": named("server1.domain.one"),
		"a short name":    named("server1."),
		"an IPv4 address": named("192.0.2.1"),
		"an IPv6 address": named("2001:db8::1"),
		"a client with a consent": func(c *tunnel.Config) {
			c.Role, c.UnsafePlaintext, c.Accept = tunnel.Client, true, address(t, "3307")
		},
	} {
		config := p.serverConfig(t, "127.0.0.1:1")
		change(&config)
		if _, err := tunnel.New(config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConfigCheck finds everything at once, and needs no Endpoint for it.
func TestConfigCheck(t *testing.T) {
	config := tunnel.Config{
		Role: tunnel.Client, Accept: address(t, "0.0.0.0:3307"), ServerName: "server1:3307",
		Connect:  []tunnel.Address{address(t, "127.0.0.1:3307"), address(t, "server1:0")},
		Timeouts: tunnel.Timeouts{Dial: -1}, Limits: tunnel.Limits{Connections: -1},
	}
	var settings []string
	for _, problem := range config.Check() {
		settings = append(settings, problem.Setting)
	}
	if got := strings.Join(settings, " "); got != "connect connect server-name accept dial-timeout max-connections" {
		t.Errorf("Check finds %s", got)
	}

	client := tunnel.Config{Role: tunnel.Client, Connect: []tunnel.Address{address(t, "server1:3307")}}
	if found := client.Check(); len(found) != 1 || found[0].Setting != "accept" ||
		found[0].Reason != "no address to listen at" {
		t.Errorf("without accept, Check finds %v", found)
	}
	server := tunnel.Config{Role: tunnel.Server, Accept: address(t, "3307"), Connect: []tunnel.Address{address(t, "3306")}}
	server.Limits = tunnel.DefaultLimits()
	server.Limits.Handshakes = 20 // less than the preset for one source, which follows
	if found := server.Check(); len(found) > 0 {
		t.Errorf("with the preset for one source, Check finds %v", found)
	}
	server.Limits = tunnel.Limits{HandshakesPerSource: 300} // of all, the preset
	if found := server.Check(); len(found) > 0 {
		t.Errorf("with a limit for one source alone, Check finds %v", found)
	}
}
