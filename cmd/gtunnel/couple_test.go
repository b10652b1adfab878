package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// couple is two hosts of a pair, each with its configuration file, and gtunnel run of it.
type couple struct {
	*pair

	hosts [2]*coupleHost
}

// coupleHost is one of them.
type coupleHost struct {
	c        *couple
	name     string
	server   *servertest.Server
	folder   string
	identity identity
	port     string // of the tunnel's server at every address, and of its client at 127.0.0.1
	tunnels  *program
}

// newCouple starts two servers and the tunnels between them: all that is there before the
// setups.
func newCouple(t testing.TB, kind servertest.Kind, content ...string) *couple {
	t.Helper()
	return newCoupleWith(t, kind, nil, content...)
}

// newCoupleWith is newCouple with flags of both servers.
func newCoupleWith(t testing.TB, kind servertest.Kind, flags []string, content ...string) *couple {
	t.Helper()
	c := &couple{pair: &pair{t: t, site: newSite(t), folder: t.TempDir()}}
	c.master = startDatabase(t, kind, servertest.Options{Name: "master", ServerID: 1, Flags: flags})
	c.slave = startDatabase(t, kind, servertest.Options{Name: "slave", ServerID: 1, Flags: flags})
	for i, s := range []*servertest.Server{c.master, c.slave} {
		name := []string{"server1.domain.one", "server2.domain.two"}[i]
		c.hosts[i] = &coupleHost{
			c: c, name: name, server: s, folder: t.TempDir(), port: freePort(t),
			identity: c.site.host(c.site.ca, name, certstest.Options{}),
		}
	}
	for _, h := range c.hosts {
		h.configure("")
		h.tunnels = start(t, h.name, nil, "run", "--config", h.config())
		for range 2 {
			h.tunnels.waitMessage("listening")
		}
	}
	c.sql(c.master, content...)
	return c
}

func (h *coupleHost) config() string { return filepath.Join(h.folder, "gtunnel.toml") }

// configure writes the configuration file of the host, with more keys of [pair].
func (h *coupleHost) configure(more string) {
	t := h.c.t
	t.Helper()
	text := fmt.Sprintf(`[tls]
cert = %q
key = %q
capath = %q
[log]
format = "json"
[admin]
address = "none"
[pair]
hosts = ["server1.domain.one", "server2.domain.two"]
accept = ":%[4]s"
local = "127.0.0.1:%[4]s"
connect = %[5]q
addresses = ["127.0.0.2:%[6]s", "127.0.0.2:%[7]s"]
%[8]s`, h.identity.cert, h.identity.key, h.c.site.capath, h.port, h.server.Address(),
		h.c.hosts[0].port, h.c.hosts[1].port, more)
	if err := os.WriteFile(h.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files are the flags that say where this host of the test has what is in /etc and /var
// on a host of its own.
func (h *coupleHost) files() []string {
	return []string{
		"--socket", h.server.Socket, "--user", h.server.User, "--config", h.config(),
		"--state-dir", filepath.Join(h.folder, "state"), "--monitor-file", filepath.Join(h.folder, "master.cnf"),
		"--replication-file", filepath.Join(h.folder, "replication.cnf"),
	}
}

// setupMaster and setupSlave are the two commands of a site.
func (c *couple) setupMaster(more ...string) []string {
	args := append([]string{"replication", "setup-master", "--hand-over", c.handOver(), "--yes"}, c.hosts[0].files()...)
	return append(args, more...)
}

func (c *couple) setupSlave(more ...string) []string {
	args := append([]string{"replication", "setup-slave", "--hand-over", c.handOver(), "--yes"}, c.hosts[1].files()...)
	return append(args, more...)
}
