package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) runCommand() *cobra.Command {
	file, check, example := config.DefaultFile, false, false
	var cert, key string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Every tunnel of a configuration file",
		Long: `Serves every tunnel of a configuration file in one process. The file is TOML:

  [tls]                        # for all tunnels; every key may be left out
  crl = "require"

  [log]
  level = "info"

  [admin]
  address = "unix:/run/gtunnel/admin.sock"

  [pair]                       # either can be the master; same on both
  hosts = ["server1.domain.one", "server2.domain.two"]

  [tunnel.mysql]               # another tunnel, by a name of your own
  role = "server"
  allow_host = ["server2.domain.two"]

[pair] makes a server at :3307 for the other host, and a client at
127.0.0.1:3307 to it; a host knows itself by its certificate. All keys, with
their defaults: gtunnel help configuration.
The keys of [tunnel.NAME] are role ("server" or "client") and the flags of
that command with underscores; those of its certificates may stand in [tls].
Durations are written as "10s". Relative paths begin at the file's folder. A
section with cafile and without capath trusts nothing else. At the top,
include = ["conf.d/*.toml"] names files with more tunnels. gtunnel reload, or
SIGHUP, puts a changed file in force: all of it, or nothing if it has a fault.`,
		Example: `  gtunnel run --check        is all well, the certificates too?
  gtunnel run --config /etc/gtunnel/two-masters.toml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if example {
				_, err := fmt.Fprint(m.Stdout, config.Example())
				return err
			}
			c, err := config.ReadFor(file, cert, key)
			if err != nil {
				return err
			}
			if check {
				return m.check(c)
			}
			return m.serve(cmd.Context(), c)
		},
	}
	config.AddFlags(cmd, "", []config.Setting{
		{Name: "config", Arg: "FILE", Target: &file, File: true, Usage: "the file"},
		{Name: "cert", Arg: "FILE", Target: &cert, File: true, Preset: "as in [tls]", Usage: "unless [tls] names one"},
		{Name: "key", Arg: "FILE", Target: &key, File: true, Preset: "as in [tls]", Usage: "its key"},
		{Name: "check", Target: &check, Usage: "only say what it would do, or what is wrong with it"},
		{Name: "example", Target: &example, Usage: "only print a file with every key and its default"},
	})
	return cmd
}

// checkSources prints from where a tunnel takes connections, if not from everywhere, whom it
// believes that they come from elsewhere, and whether it tells that.
func (m *Main) checkSources(c *config.Tunnel) {
	for _, list := range []struct {
		does     string
		networks []netip.Prefix
	}{{"from   ", c.AllowFrom}, {"proxies", c.AcceptProxyFrom}} {
		if len(list.networks) > 0 {
			fmt.Fprintf(m.Stdout, "  %s  %s\n", list.does, strings.Trim(fmt.Sprint(list.networks), "[]"))
		}
	}
	if c.ProxyProtocol {
		fmt.Fprintln(m.Stdout, "  tells    its target where each peer is, by the PROXY protocol")
	}
}

// check builds every tunnel without listening and prints what each would do,
// and what is doubtful.
func (m *Main) check(c config.Config) error {
	p, err := newProcess(c, nil)
	if err != nil {
		return err
	}
	for _, doubt := range slices.Concat(c.Doubts(), c.ProxyDoubts()) {
		fmt.Fprintf(m.Stderr, "warning: %v\nhint: %s\n", doubt, doubt.Hint())
	}
	now := time.Now()
	for _, t := range p.tunnels {
		credential, snapshot := t.endpoint.Credential, t.endpoint.Store.Snapshot()
		end := credential.Certificate().NotAfter
		fmt.Fprintf(m.Stdout, "tunnel %s: %s: ok\n", t.config.Name, t.config.Summary())
		fmt.Fprintf(m.Stdout, "  is       %s until %s (%d days)\n", certs.ShowDN(credential.Identity().DN),
			end.UTC().Format(time.DateTime+" UTC"), daysLeft(end, now))
		if t.config.Role == tunnel.Server {
			fmt.Fprintf(m.Stdout, "  lets in  %s\n", strings.Join(t.config.AccessRules(), ", "))
		} else {
			fmt.Fprintf(m.Stdout, "  wants    %s\n", strings.Join(t.config.ServerNames(), ", "))
		}
		m.checkSources(&t.config)
		fmt.Fprintf(m.Stdout, "  trusts   %s; %s\n", finding.Count(len(snapshot.CAs()), "CA"),
			certs.NameSettings(snapshot.CRLReport(t.config.Policy(), now).String(), c.SettingName))
	}
	return usage.Join(c.Hooks()) // the tunnels work without them
}
