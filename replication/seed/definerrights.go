package seed

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// definerRights finds the definers that the slave has, but with fewer rights on
// the databases than on the master: what runs as them would fail (1356, 1370).
func (c *seedCheck) definerRights(ctx context.Context, d *defined) error {
	s := c.seed
	if s.SlaveFacts.Accounts == nil || len(s.Databases) == 0 {
		return nil
	}
	asked := map[string]bool{}
	var definers []definedObject
	for _, o := range d.objects {
		account := server.QuoteAccount(o.user, o.host)
		if o.asDefiner && !asked[account] && s.SlaveFacts.Account(o.user, o.host) != nil {
			asked[account] = true
			definers = append(definers, o)
		}
	}
	onMaster, err := grantsOf(ctx, s.Master, s.MasterFacts, definers)
	if err != nil {
		return err
	}
	onSlave, err := grantsOf(ctx, s.Slave, s.SlaveFacts, definers)
	if err != nil {
		return err
	}
	for i, o := range definers {
		if onMaster[i] == nil || onSlave[i] == nil {
			continue // it cannot be compared
		}
		account := server.QuoteAccount(o.user, o.host)
		if lines := lacking(account, *onMaster[i], *onSlave[i], s.SlaveFacts, s.Databases); len(lines) > 0 {
			bars := d.barred[o.user+"@"+o.host]
			if !slices.ContainsFunc(lines, opensViews.MatchString) {
				bars = nil
			}
			lines = s.SlaveFacts.WhileWritable(append([]string{server.LogNothing}, lines...)...)
			c.found(lackingRights(account, o.name, strings.Join(lines, "\n"), bars), len(bars) > 0)
		}
	}
	return nil
}

// opensViews is a line that gives what it takes to open a view.
var opensViews = regexp.MustCompile("GRANT [^;]*(SELECT|EXECUTE|ALL PRIVILEGES)[^;]* ON ")

// lackingRights says that an account lacks rights, which some lines give, and which views
// it keeps from being made.
func lackingRights(account, object, give string, bars []string) *finding.Problem {
	if len(bars) > 0 {
		return finding.New(finding.Slave, "definer-rights", "on the slave, and then run this again:\n"+give,
			"the account %s has fewer rights than on the master, and without them these views cannot be made,"+
				" which use views of which it is the definer: %s", account, finding.Items(bars))
	}
	return finding.New(finding.Slave, "definer-rights", "on the slave, if what runs as it is wanted there:\n"+give,
		"the account %s has fewer rights than on the master, and is the definer of objects such as %s", account, object)
}

// grantsOf gives what counts on a server for that which runs as accounts; nil where that
// cannot be seen.
func grantsOf(
	ctx context.Context, s *server.Server, f *facts.Facts, accounts []definedObject,
) ([]*[]facts.Grant, error) {
	list := make([]*[]facts.Grant, len(accounts))
	if f.Accounts == nil {
		return list, nil
	}
	err := server.Each(ctx, s, s.DB, accounts, func(ctx context.Context, i int, o definedObject) error {
		grants, err := facts.GrantsOfDefiner(ctx, s, f, o.user, o.host)
		const noSuchGrant, noSuchRole = 1141, 3530
		if number := server.ErrorNumber(err); server.IsDenied(err) || number == noSuchGrant || number == noSuchRole {
			return nil
		}
		list[i] = &grants
		return err
	})
	return list, err
}

// lacking gives the lines that give an account the rights on databases that it
// has on the master and not on the slave.
func lacking(account string, masterGrants, slaveGrants []facts.Grant, f *facts.Facts, databases []string) []string {
	master, slave := rightsOn(masterGrants, databases), rightsOn(slaveGrants, databases)
	var lines []string
	byName := func(a, b facts.Target) int { return strings.Compare(a.String(), b.String()) }
	for _, on := range slices.SortedFunc(maps.Keys(master), byName) {
		lacking := slices.DeleteFunc(master[on], func(privilege string) bool { return slave.covers(on, privilege) })
		switch {
		case len(lacking) == 0:
		case on == on.Whole():
			lines = append(lines, grantOn(on, lacking, account, slaveGrants, f))
		default: // which the slave refuses until the object is there
			later := fmt.Sprintf("-- once the copy is done: GRANT %s ON %s TO %s;",
				strings.Join(lacking, ", "), on, account)
			if opensViews.MatchString(later) {
				later = grantOn(on.Whole(), []string{"SELECT", "EXECUTE"}, account, slaveGrants, f) + " " + later
			}
			lines = append(lines, later)
		}
	}
	return lines
}

// grantOn is the line that gives an account privileges on a database. Of an
// account's patterns that match a database, servers heed the most exact one
// alone, which this is: it gives what the others gave as well.
func grantOn(database facts.Target, privileges []string, account string, had []facts.Grant, f *facts.Facts) string {
	name := server.UnquoteName(database.Database)
	exact := facts.WholeOf(f.Patterns([]string{name})[0])
	all := slices.DeleteFunc(slices.Clone(databaseRights), func(privilege string) bool {
		return !slices.Contains(privileges, privilege) && !slices.ContainsFunc(had, func(g facts.Grant) bool {
			return g.On != facts.Everywhere && g.On != exact && g.On.Matches(name) && g.Gives(privilege)
		})
	})
	if len(all) == len(databaseRights) {
		all = []string{"ALL PRIVILEGES"}
	}
	return fmt.Sprintf("GRANT %s ON %s TO %s;", strings.Join(all, ", "), exact, account)
}

// databaseRights are the privileges that can be given on a database.
var databaseRights = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER",
	"CREATE TEMPORARY TABLES", "LOCK TABLES",
	"CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT", "TRIGGER",
}

// rights are the privileges of an account by what they are on: whole databases,
// by their names, and objects.
type rights map[facts.Target][]string

// rightsOn gathers what grants give on databases.
func rightsOn(grants []facts.Grant, databases []string) rights {
	r := rights{}
	for _, g := range grants {
		for _, database := range databases {
			whole := facts.WholeOf(database)
			switch {
			case g.Revoked: // the server shows it behind what it takes from
				if g.On == whole {
					r[whole] = slices.DeleteFunc(r[whole],
						func(privilege string) bool { return slices.Contains(g.Privileges, privilege) })
				}
			case g.On.Matches(database):
				for _, privilege := range databaseRights {
					if g.Gives(privilege) && !slices.Contains(r[whole], privilege) {
						r[whole] = append(r[whole], privilege)
					}
				}
			case g.On.Database == server.QuoteName(database) && g.On.Object != "*":
				r[g.On] = append(r[g.On], g.Privileges...)
			}
		}
	}
	return r
}

// covers reports whether rights hold a privilege on something.
func (r rights) covers(on facts.Target, privilege string) bool {
	name, _, _ := strings.Cut(privilege, " (")
	whole := r[on.Whole()]
	if slices.Contains(r[on], privilege) || slices.Contains(r[on], name) || slices.Contains(r[on], "ALL PRIVILEGES") ||
		slices.Contains(whole, name) {
		return true
	}
	return name == "ALL PRIVILEGES" && len(whole) == len(databaseRights)
}
