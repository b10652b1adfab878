package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// pairSetupFlags are those of the setups that matter where the configuration file has
// a section [pair].
type pairSetupFlags struct {
	config, replicationLogin string
	others                   []string
	gtids                    bool
}

// settings are the flags.
func (f *pairSetupFlags) settings() []config.Setting {
	f.config, f.replicationLogin = config.DefaultFile, defaultReplicationFile
	return []config.Setting{
		{
			Name: "config", Group: config.GroupPair, Arg: "FILE", Target: &f.config, File: true,
			Usage: "its section [pair]",
		},
		{
			Name: "replication-file", Group: config.GroupPair, Arg: "FILE", Target: &f.replicationLogin, File: true,
			Usage: "a login to keep",
		},
		{
			Name: "other-databases", Group: config.GroupPair, Arg: "NAME", Target: &f.others, Preset: "none",
			Usage: "that may be on this server beside the pair's",
		},
		{
			Name: "turn-gtids-on", Group: config.GroupPair, Target: &f.gtids,
			Usage: "of MySQL, while it runs, for rejoin",
		},
	}
}

// pair is the pair that this host is of, by the configuration file; nil if it is of none.
func (f *pairSetupFlags) pair(stateDir, monitor string) (*replication.Pair, error) {
	_, missing := os.Stat(f.config)
	if errors.Is(missing, fs.ErrNotExist) && f.config == config.DefaultFile {
		return nil, f.needNone()
	}
	c, err := config.Read(f.config)
	if err == nil {
		err = usage.Join(c.PairFaults())
	}
	if err != nil {
		return nil, err
	}
	if c.Pair == nil {
		return nil, f.needNone()
	}
	if c.Pair.Host == "" {
		_, err := pairEndpoint(f.config, c.TunnelNamed(config.PairClient)) // says why the certificate cannot be read
		return nil, err
	}
	_, text, err := net.SplitHostPort(c.Pair.Local.String())
	if err != nil {
		return nil, &usage.Error{Where: f.config, Err: err}
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, &usage.Error{Where: f.config, Err: err}
	}
	return &replication.Pair{
		Name: c.Pair.Host, Peer: c.Pair.Peer, Store: term.NewFile(stateDir, c.Pair.Host, c.Pair.Peer), Port: port,
		MonitorPath: monitor, ReplicationPath: f.replicationLogin, Others: splitNames(f.others), GTIDs: f.gtids,
	}, nil
}

// needNone refuses flags that mean nothing without a pair.
func (f *pairSetupFlags) needNone() error {
	var flag string
	switch {
	case len(f.others) > 0:
		flag = "--other-databases"
	case f.gtids:
		flag = "--turn-gtids-on"
	default:
		return nil
	}
	return &usage.Error{
		Where: flag, Message: "is for a host of a pair, and " + f.config + " has no section [pair]",
		Cure: "leave it out; or write the section, on both hosts alike",
	}
}

// tellPair says what is left to do once this host is set up as one of a pair.
func (m *Main) tellPair(pair *replication.Pair, role finding.Role) {
	if pair == nil {
		return
	}
	fmt.Fprintf(m.Stdout, "\nThis host, %s, is the %s of the pair. After a restart its server is read-only until "+
		"the guard has found out\nwho is the master, so start both services, and have them started with the host:\n"+
		"  systemctl enable --now gtunnel gtunnel-guard\n", pair.Name, role)
}
