package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// VOMSCheck is the check of a VOMS site, on a slave or on a host of a pair: of what VOMS
// needs beyond the replication. It changes nothing.
type VOMSCheck struct {
	IsMaster   bool     // this host's server is the master
	Databases  []string // of a pair; empty: the slave tells
	Own        *server.Server
	PeerServer *server.Server // by the monitor account; nil: see Silent
	Silent     error          // why the other host's server cannot be asked
	VOs        []VOMSCase
}

// VOMSCase is a VO with what its files and certificates say, which Run completes by what the
// servers do.
type VOMSCase struct {
	rules.VOMS

	Login    server.Login // of its VOMS server
	LoginErr error        // why there is none
}

// The bounds of a look at the tables of all VOs.
const (
	vomsMostBytes     = 256 << 20
	vomsTablePatience = 30 * time.Second
	vomsLagPatience   = 10 * time.Second // for a slave that is behind
)

// Run reads both servers and says of each VO what is well and what is not.
func (c *VOMSCheck) Run(ctx context.Context) (Readiness, error) {
	r := Readiness{}
	own, err := facts.Read(server.EachWithin(ctx, 3*server.QuestionLimit), c.Own)
	if err != nil {
		return r, err
	}
	var peer *facts.Facts
	if c.PeerServer != nil {
		if peer, err = facts.ReadVariables(ctx, c.PeerServer, c.PeerServer.DB); err != nil {
			return r, err
		}
	}
	bounded, cancel := context.WithTimeout(ctx, vomsTablePatience)
	defer cancel()
	for i := range c.VOs {
		v := &c.VOs[i]
		v.IsMaster, v.Silent, v.Own.Facts, v.Peer.Facts = c.IsMaster, c.Silent, own, peer
		v.Left = !c.replicates(own, v.Database)
		if v.Account.Elsewhere == "" {
			if v.Account, err = c.readAccount(ctx, v); err != nil {
				return r, err
			}
		}
		if c.PeerServer != nil && !v.Left {
			if v.Tables, err = c.compareTables(ctx, bounded, v.Database); err != nil {
				return r, err
			}
		}
		found := rules.Judge(&rules.Subject{Moment: rules.CheckVOMS, VOMS: &v.VOMS})
		r.vomsWell(&v.VOMS, found)
		r.addNew(found)
	}
	return r, nil
}

// replicates reports whether a database is among those that are replicated, as far as that
// is known.
func (c *VOMSCheck) replicates(own *facts.Facts, database string) bool {
	if len(c.Databases) > 0 {
		return slices.Contains(c.Databases, database)
	}
	m := own.Master()
	return m != nil && m.ReplicatesOf(database)
}

// readAccount logs in as the VOMS server of a VO does.
func (c *VOMSCheck) readAccount(ctx context.Context, v *VOMSCase) (rules.VOMSAccount, error) {
	account := rules.VOMSAccount{Err: v.LoginErr, Make: v.Account.Make}
	if v.LoginErr != nil {
		return account, nil
	}
	opened, err := server.Open(ctx, finding.Own, v.Login)
	if err != nil {
		account.Err = err
		return account, ctx.Err()
	}
	defer func() { _ = opened.Close() }() // it was only asked
	problem := new(finding.Problem)
	switch err := opened.MustDiffer(ctx, c.Own); {
	case err == nil:
		account.Elsewhere = v.Login.Address
		return account, nil
	case !errors.As(err, &problem) || problem.Code != "same-server":
		return account, err
	}
	if account.User, account.Grants, err = facts.ReadGrants(ctx, opened); err != nil {
		return account, err
	}
	for _, table := range []string{"usr", "m", "groups", "roles", "ca"} { // of which a proxy is made
		_, err := opened.Value(ctx, opened.DB, "SELECT COUNT(*) FROM (SELECT 1 FROM "+
			server.QuoteTable(v.Database, table)+" LIMIT 1) AS one")
		if err != nil {
			account.Err = err
			return account, ctx.Err()
		}
	}
	return account, nil
}

// compareTables looks at the tables of a VO on both hosts, and once more while they differ:
// the slave may be a moment behind.
func (c *VOMSCheck) compareTables(ctx, bounded context.Context, database string) (*rules.VOMSTables, error) {
	for begun := time.Now(); ; {
		var glances [2]*compare.Glance
		for i, s := range []*server.Server{c.Own, c.PeerServer} {
			glance, err := compare.TakeGlance(bounded, s, []string{database}, vomsMostBytes)
			if err != nil && bounded.Err() != nil && ctx.Err() == nil {
				return &rules.VOMSTables{Left: []string{fmt.Sprintf("those of %s (beyond %s)", database, vomsTablePatience)}}, nil
			}
			if err != nil {
				return nil, err
			}
			glances[i] = glance
		}
		tables := diffGlances(glances[0], glances[1])
		if len(tables.Differ) == 0 || time.Since(begun) > vomsLagPatience {
			return tables, nil
		}
		if err := server.Pause(ctx, alikeLook); err != nil {
			return nil, err
		}
	}
}

// diffGlances says which tables are not the same.
func diffGlances(own, peer *compare.Glance) *rules.VOMSTables {
	t := &rules.VOMSTables{Left: slices.Compact(slices.Sorted(slices.Values(slices.Concat(own.Left, peer.Left))))}
	names := []string{}
	for _, glance := range []*compare.Glance{own, peer} {
		for name := range glance.Tables {
			names = append(names, name)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		here, isHere := own.Tables[name]
		there, isThere := peer.Tables[name]
		switch {
		case slices.Contains(t.Left, name):
		case here == there && isHere && isThere:
			t.Alike++
		case !isHere:
			t.Differ = append(t.Differ, name+" (not on this host)")
		case !isThere:
			t.Differ = append(t.Differ, name+" (not on the other host)")
		case here.Rows != there.Rows:
			t.Differ = append(t.Differ, fmt.Sprintf("%s (%d rows here, %d there)", name, here.Rows, there.Rows))
		case here.Kind != there.Kind:
			t.Differ = append(t.Differ, name+" (other columns)")
		default:
			t.Differ = append(t.Differ, name+" (other rows)")
		}
	}
	return t
}

// vomsWell says what is as it should be, in the order of the rules.
func (r *Readiness) vomsWell(v *rules.VOMS, found finding.Findings) {
	has := func(codes ...string) bool {
		return slices.ContainsFunc(slices.Concat(found.Problems, found.Warnings), func(p *finding.Problem) bool {
			return slices.Contains(codes, p.Code)
		})
	}
	backup := v.Own.Name
	if v.IsMaster {
		backup = v.Peer.Name
	}
	if v.Account.User != "" && v.Account.Err == nil && !has("voms-account") {
		may := "reads"
		if !v.IsMaster || v.OfPair {
			may = "may only read"
		}
		r.well(finding.Own, "VO %s: its VOMS server %s %s as %s", v.VO, may, v.Database, v.Account.User)
	}
	switch {
	case v.Admin == nil:
		r.well(finding.Own, "VO %s: no VOMS Admin serves it here", v.VO)
	case !has("voms-registration", "voms-no-registration", "voms-admin-writes") && v.IsMaster:
		r.well(finding.Own, "VO %s: VOMS Admin takes requests for memberships, on the master", v.VO)
	case !has("voms-registration", "voms-no-registration", "voms-admin-writes"):
		r.well(finding.Own, "VO %s: VOMS Admin is read-only and takes no requests, on the backup", v.VO)
	}
	if v.Own.Facts != nil && v.Peer.Facts != nil && !has("voms-writable") {
		r.well("", "VO %s: the server of the backup, %s, is read-only", v.VO, backup)
	}
	switch known := v.Own.Certificate.DN != "" && v.Peer.Certificate.DN != ""; {
	case has("voms-vomses", "voms-vomses-dn"):
	case known:
		r.well("", "VO %s: both hosts are in vomses with the DNs of their certificates", v.VO)
	default:
		r.well("", "VO %s: both hosts are in vomses; the DNs could not be checked on both", v.VO)
	}
	if !has("voms-lsc") {
		r.well("", "VO %s: both hosts have their LSC files", v.VO)
	}
	for _, h := range []*rules.VOMSHost{&v.Own, &v.Peer} {
		if h.Certificate.Err == nil && h.Certificate.DN != "" {
			r.well("", "VO %s: the certificate of %s is good until %s (%s)", v.VO, h.Name,
				h.Certificate.NotAfter.UTC().Format(time.DateOnly), h.Certificate.From)
		}
	}
	if v.Tables != nil && len(v.Tables.Differ) == 0 && v.Tables.Alike > 0 {
		r.well("", "VO %s: %s of %s the same on both hosts", v.VO, finding.Count(v.Tables.Alike, "table"), v.Database)
	}
}
