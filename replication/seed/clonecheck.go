package seed

import (
	"context"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// clone finds what keeps the plugin from copying.
func (c *seedCheck) clone(context.Context) error {
	master, slave := c.seed.MasterFacts, c.seed.SlaveFacts
	const instead = "use the method dump"
	for _, f := range []*facts.Facts{master, slave} {
		if !f.Version.AtLeast(server.MySQL, 8, 0, 17) {
			c.Problem(f.Role, "no-clone", instead, "%s has no clone plugin", f.Version)
		}
	}
	if len(c.Problems) > 0 {
		return nil
	}
	for _, f := range []*facts.Facts{master, slave} {
		if !f.Plugins["clone"] && !f.HasPrivilege("INSERT") { // into mysql.plugin
			c.Problem(f.Role, "no-clone-plugin",
				"as an administrator of the "+string(f.Role)+": "+installPlugin.String(),
				"the clone plugin is not installed, and this login may not install it")
		}
	}
	switch {
	case master.Version.Series() != slave.Version.Series(),
		master.Version != slave.Version &&
			(!master.Version.AtLeast(server.MySQL, 8, 0, 37) || !slave.Version.AtLeast(server.MySQL, 8, 0, 37)):
		c.Problem("", "no-clone", instead,
			"the clone plugin copies between servers of the same series, before 8.0.37 of the same release, only:"+
				" these are %s and %s", master.Version, slave.Version)
	}
	if len(c.seed.Tables) > 0 {
		c.Problem("", "seed-method", instead, "a clone is of the whole server")
	}
	var lost []string
	for _, d := range master.Databases {
		lost = append(lost, d.Locked...)
	}
	if len(lost) > 0 {
		c.Problem(finding.Master, "not-transactional", "make them InnoDB: ALTER TABLE ... ENGINE=InnoDB; or "+instead,
			"the clone plugin copies the rows of InnoDB tables only, and not those of %s", finding.Items(lost))
	}
	if len(master.Masters) > 0 {
		c.Problem(finding.Master, "is-slave", instead,
			"it is itself a slave: its clone would begin to follow the same master")
	}
	if user, host, _ := server.SplitAccount(slave.User); master.Accounts != nil && master.Account(user, host) == nil {
		c.Problem(finding.Slave, "clone-login",
			"log in as an account that is on both, with the same password; or "+instead,
			"a clone has the accounts of the master, and %s is not among them: this login would end",
			server.QuoteAccount(user, host))
	}
	c.Warn(finding.Slave, "clone-erases", "", "the slave loses: %s", strings.Join(cloneErases(slave), "; "))
	return nil
}

// cloneErases says what a seed by journal.SeedClone takes from a slave, to be agreed to.
func cloneErases(slave *facts.Facts) []string {
	var erased []string
	for _, d := range slave.Databases {
		erased = append(erased, "database "+d.Name+", "+finding.FormatBytes(d.Bytes))
	}
	return append(erased, "all accounts with their passwords: those of the master take their place",
		"its binary log and GTIDs", "what it knows of its own masters")
}
