package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// replicationCheck is the command line of check.
type replicationCheck struct {
	login     loginFlags
	master    masterFlags
	role      string
	databases []string
	handOver  string
	asJSON    bool
	pair      pairFlags
	configDir string
	voms      vomsFlags
}

func (m *Main) replicationCheckCommand() *cobra.Command {
	c := &replicationCheck{handOver: defaultHandOver}
	c.login.unsafePlaintext = &c.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Can this host's server be a master or slave; or the pair",
		Long: `On a host of a pair ([pair] in the configuration file) that is set up: says of
promote, switchover and rejoin each whether they are ready, or what is missing
and the command that mends it, and compares what both hosts must have alike and
replication does not carry.

Otherwise it checks before the setup, and changes nothing. With --role, this
host's server alone: can it be a master, or a slave? Without, on the slave:
both, with the master asked through the tunnel, by the login of the hand-over
file of setup-master unless --master-user or an option file gives another. Exit
1 if there is a problem.

--voms is for a pair or a slave at work, and checks what a VOMS server on each
host needs beyond that, for every DIR/VO/voms.conf of this host: an account that
may only read, registration that is off on the backup, a read-only slave, both
hosts in vomses and the LSC files with the DNs of their certificates, valid
certificates, and the same tables on both. Run it on both hosts.`,
		Example: `  gtunnel replication check --role master --databases voms
  gtunnel replication check
  gtunnel replication check --voms`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found findings
			if err := m.runCheck(cmd.Context(), c, &found); err != nil {
				return err
			}
			return m.tellReplicationReadiness(found, c.asJSON)
		},
	}
	settings := []config.Setting{
		{
			Name: "role", Arg: "ROLE", Target: &c.role, Values: []string{string(finding.Master), string(finding.Slave)},
			Preset: "the pair", Usage: "master or slave: only this host",
		},
		{
			Name: "databases", Arg: "NAME", Target: &c.databases, Preset: "all",
			Usage: "to replicate; separated by commas, or repeated",
		},
		{Name: "hand-over", Arg: "FILE", Target: &c.handOver, File: true, Usage: "of setup-master"},
		{Name: "json", Target: &c.asJSON, Usage: "print JSON"},
	}
	c.pair.presets()
	settings = append(settings, c.voms.settings()...)
	settings = append(settings, pairFileSettings(&c.pair)...)
	settings = append(settings, config.Setting{
		Name: "config-dir", Group: config.GroupPair, Arg: "DIR", Target: &c.configDir, File: true, Preset: "found",
		Usage: "where the server reads option files",
	})
	settings = append(settings, c.login.settings()...)
	config.AddFlags(cmd, "", append(settings, c.master.settings()...))
	return cmd
}

// runCheck finds out what the flags ask for.
func (m *Main) runCheck(ctx context.Context, c *replicationCheck, found *findings) error {
	if err := c.voms.check(c.role); err != nil {
		return err
	}
	if c.voms.conf != "" {
		return m.checkVOMS(ctx, c, found)
	}
	isPair, err := m.checkPair(ctx, c, found)
	if err != nil || isPair {
		return err
	}
	return m.checkReplication(ctx, c, found)
}

// checkReplication finds out about the server of this host, or the pair.
func (m *Main) checkReplication(ctx context.Context, c *replicationCheck, found *findings) error {
	handOver, err := replication.ReadHandOver(c.handOver)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || c.handOver != defaultHandOver) {
		return err
	}
	tunnelPort, err := c.port()
	if err != nil {
		return err
	}
	check := &replication.Check{
		Role: finding.Slave, Port: tunnelPort, Databases: splitNames(c.databases), HandOver: handOver,
	}
	if c.role == string(finding.Master) {
		check.Role = finding.Master
	}
	if check.Local, err = m.openLocal(ctx, check.Role, &c.login); err != nil {
		return err
	}
	defer func() { _ = check.Local.Close() }() // it was only asked
	var noMaster error
	if c.role == "" {
		check.Master, noMaster = m.openMasterForCheck(ctx, c, handOver)
		if usage.Is(noMaster) {
			return noMaster
		}
	}
	if check.Master != nil {
		defer func() { _ = check.Master.Close() }() // it was only asked
	}
	ready, err := check.Run(ctx)
	if err != nil {
		return err
	}
	found.addReadiness(ready)
	if noMaster != nil {
		found.problem(string(finding.Master), noMaster)
	}
	return nil
}

// port is where the slave finds the tunnel.
func (c *replicationCheck) port() (int, error) {
	_, address, err := c.master.plainEnd(nil)
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, &usage.Error{Where: "--master", Err: err, Cure: "a slave reaches its master at a port of 127.0.0.1"}
	}
	return strconv.Atoi(port)
}

// openMasterForCheck logs in to the master as the flags say, or as the hand-over
// does.
func (m *Main) openMasterForCheck(
	ctx context.Context, c *replicationCheck, h *replication.HandOver,
) (*server.Server, error) {
	if h == nil || c.master.user != "" || c.master.defaultsFile != "" {
		opened, err := m.openMaster(ctx, &c.master)
		if h == nil && c.master == (masterFlags{}) && usage.Is(err) {
			return nil, &usage.Error{
				Where: "--hand-over", Message: "there is no " + c.handOver + ", by which to ask the master",
				Cure: "on the master run gtunnel replication setup-master, and copy its hand-over file here; " +
					"or log in there with --master-user; or check this host alone: --role slave",
			}
		}
		return opened, err
	}
	_, end, err := c.master.plainEnd(nil)
	if err != nil {
		return nil, err
	}
	return h.OpenMonitor(ctx, end)
}
