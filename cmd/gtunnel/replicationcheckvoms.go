package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/voms"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// vomsFlags say where a VOMS site has its files.
type vomsFlags struct {
	conf, vomsdir, admin, peer string
	vomses                     []string
}

func (f *vomsFlags) settings() []config.Setting {
	f.vomsdir, f.admin = voms.DefaultVomsdir, voms.DefaultAdmin
	return []config.Setting{
		{
			Name: "voms", Group: config.GroupVOMS, Arg: "DIR", Target: &f.conf, Bare: voms.DefaultConf, Preset: "off",
			File: true, Usage: "check the VOs of DIR/VO/voms.conf; alone: " + voms.DefaultConf,
		},
		{
			Name: "vomses", Group: config.GroupVOMS, Arg: "PATH", Target: &f.vomses,
			Preset: "/etc/vomses and the grid's",
			Usage:  "a file, or a directory of them",
		},
		{Name: "vomsdir", Group: config.GroupVOMS, Arg: "DIR", Target: &f.vomsdir, File: true, Usage: "of the LSC files"},
		{
			Name: "voms-admin", Group: config.GroupVOMS, Arg: "DIR", Target: &f.admin, File: true,
			Usage: "of VO/service.properties of VOMS Admin",
		},
		{
			Name: "voms-peer", Group: config.GroupVOMS, Arg: "NAME", Target: &f.peer, Preset: "as --config says",
			Usage: "the other host",
		},
	}
}

// check refuses flags that have no use.
func (f *vomsFlags) check(role string) error {
	given := &vomsFlags{}
	given.settings()
	given.conf = f.conf
	switch {
	case f.conf != "" && role != "":
		return &usage.Error{
			Where: "--role", Message: "has no use with --voms", Cure: "leave it out: the replication tells what this host is",
		}
	case f.conf == "" && (f.vomsdir != given.vomsdir || f.admin != given.admin || f.peer != "" || len(f.vomses) > 0):
		return &usage.Error{
			Message: "--vomses, --vomsdir, --voms-admin and --voms-peer are for a check of a VOMS site", Cure: "add --voms",
		}
	}
	return nil
}

// vomsSite is a VOMS site as the files of this host have it.
type vomsSite struct {
	flags     *vomsFlags
	own, peer string         // names of the two hosts
	ofPair    bool           // of [pair]
	way       *config.Tunnel // of gtunnel to the other host; nil: no file has it
	file      string         // the configuration of it
	entries   []voms.Entry
	faults    []error // of files that are not of one VO alone
	store     *certs.Store
	now       time.Time
}

// checkVOMS checks a VOMS site.
func (m *Main) checkVOMS(ctx context.Context, c *replicationCheck, found *findings) error {
	servers, faults := voms.ReadServers(c.voms.conf)
	if len(servers) == 0 {
		return errors.Join(faults...)
	}
	site := &vomsSite{flags: &c.voms, faults: faults, file: c.pair.config, now: time.Now()}
	check, err := m.openVOMSHosts(ctx, c, site, servers[0])
	if err != nil {
		return err
	}
	defer func() { _ = check.Own.Close() }() // it was only asked
	if check.PeerServer != nil {
		defer func() { _ = check.PeerServer.Close() }() // it was only asked
	}
	site.readVomses()
	for _, s := range servers {
		check.VOs = append(check.VOs, site.vo(ctx, s))
	}
	ready, err := check.Run(ctx)
	if err != nil {
		return err
	}
	found.addReadiness(ready)
	return nil
}

// openVOMSHosts logs in to the servers of both hosts, of a pair or of a slave, and notes their
// names.
func (m *Main) openVOMSHosts(
	ctx context.Context, c *replicationCheck, site *vomsSite, first voms.Server,
) (*replication.VOMSCheck, error) {
	cfg, note, isPair, err := m.pairOfCheck(ctx, c)
	if err != nil {
		return nil, err
	}
	if !isPair {
		return m.openVOMSSlave(ctx, c, cfg, site, first)
	}
	c.pair.login, m.pairMaster = c.login, note.IsMaster()
	host, err := m.openHost(ctx, &c.pair)
	if err != nil {
		return nil, err
	}
	site.own, site.peer, site.ofPair, site.way = host.Name, host.Peer, true, cfg.TunnelNamed(config.PairClient)
	check := &replication.VOMSCheck{IsMaster: note.IsMaster(), Databases: note.Databases}
	if check.Own, err = host.Own(ctx); err != nil {
		return nil, err
	}
	if check.PeerServer, check.Silent = host.PeerServer(ctx); check.Silent != nil {
		check.PeerServer = nil
	}
	return check, nil
}

// openVOMSSlave does it on a slave that is of no pair.
func (m *Main) openVOMSSlave(
	ctx context.Context, c *replicationCheck, cfg config.Config, site *vomsSite, first voms.Server,
) (*replication.VOMSCheck, error) {
	if err := site.nameSlave(c, cfg, first); err != nil {
		return nil, err
	}
	handOver, err := replication.ReadHandOver(c.handOver)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || c.handOver != defaultHandOver) {
		return nil, err
	}
	check := &replication.VOMSCheck{}
	if check.Own, err = m.openLocal(ctx, finding.Slave, &c.login); err != nil {
		return nil, err
	}
	check.PeerServer, check.Silent = m.openMasterForCheck(ctx, c, handOver)
	if usage.Is(check.Silent) {
		_ = check.Own.Close() // the first error says more
		return nil, check.Silent
	}
	if check.Silent != nil {
		check.PeerServer = nil
	}
	return check, nil
}

// nameSlave finds the names of a slave and its master: that of the certificate, and the one to
// which the tunnel goes.
func (s *vomsSite) nameSlave(c *replicationCheck, cfg config.Config, first voms.Server) error {
	s.own, _ = os.Hostname() // the certificate says more
	if chain, err := certs.ReadCertificates(first.Cert); err == nil {
		if id, err := certs.Identify(chain[0], certs.HostModeGrid); err == nil && len(id.Hosts) > 0 &&
			!slices.Contains(id.Hosts, s.own) {
			s.own = id.Hosts[0]
		}
	}
	_, end, err := c.master.plainEnd(nil)
	if err != nil {
		return err
	}
	for i := range cfg.Tunnels {
		if t := &cfg.Tunnels[i]; t.Role == tunnel.Client && t.Accept.String() == end && len(t.Connect) > 0 {
			s.way, s.peer = t, t.Connect[0].Host
			if t.ServerName != "" {
				s.peer = t.ServerName
			}
		}
	}
	if s.flags.peer != "" {
		s.peer = s.flags.peer
	}
	if s.peer == "" {
		return &usage.Error{
			Where: "--voms-peer", Message: "is needed: " + c.pair.config + " has no tunnel from " + end + " to the master",
			Cure: "give the name of the master's host, such as --voms-peer server1.domain.one",
		}
	}
	return nil
}

// vo is what the files say of a VO.
func (s *vomsSite) vo(ctx context.Context, conf voms.Server) replication.VOMSCase {
	v := replication.VOMSCase{VOMS: rules.VOMS{
		VO: conf.VO, Database: conf.Database, Conf: conf.File, OfPair: s.ofPair, Faults: slices.Clone(s.faults),
		Own: rules.VOMSHost{Name: s.own}, Peer: rules.VOMSHost{Name: s.peer},
	}}
	v.Own.Certificate = s.ownCertificate(conf)
	v.Peer.Certificate, v.Peer.Silent = s.peerCertificate(ctx, conf)
	for _, h := range []*rules.VOMSHost{&v.Own, &v.Peer} {
		s.vomses(conf, h)
		v.Faults = append(v.Faults, s.lsc(conf, h)...)
	}
	admin, faults := voms.ReadAdmin(s.flags.admin, voms.DefaultDeploy, conf.VO)
	v.Faults = append(v.Faults, faults...)
	if admin != nil {
		v.Admin = &rules.VOMSAdmin{
			File: admin.File, Registers: admin.Registers, ReadOnly: admin.ReadOnly,
			SetRegistration: setProperty(admin.File, admin.RegisterLine, admin.Registration, !admin.Registers),
			SetReadOnly:     setProperty(admin.File, admin.ReadOnlyLine, voms.ReadOnlyProperty, !admin.ReadOnly),
		}
	}
	v.Login, v.Account.Elsewhere, v.LoginErr = s.login(conf)
	v.Account.Make = makeAccount(conf, v.Login)
	v.Faults = append(v.Faults, passwordFaults(conf)...)
	return v
}

// login is that of the VOMS server. One at another host is named and not tried: its way would
// not be encrypted.
func (s *vomsSite) login(conf voms.Server) (login server.Login, elsewhere string, err error) {
	login = server.Login{Network: "unix", Address: conf.Socket, User: conf.User}
	switch {
	case conf.Socket != "":
	case conf.Host == "" || conf.Host == "localhost":
		login.Address = findSocket()
	default:
		login.Network = "tcp"
		login.Address = addressOf(conf)
		if a := (tunnel.Address{Network: "tcp", Host: conf.Host}); !a.IsLoopback() && conf.Host != s.own {
			return login, login.Address, nil
		}
	}
	if conf.PasswordFile != "" {
		password, err := firstLine(conf.PasswordFile)
		if err != nil {
			return login, "", err
		}
		login.Password = server.NewPassword(password)
	}
	return login, "", nil
}
