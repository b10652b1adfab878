package replication

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// definerRights finds the definers that the slave has, but with fewer rights on
// the databases than on the master: what runs as them would fail (1356, 1370).
func (c *seedCheck) definerRights(ctx context.Context) error {
	s := c.seed
	if s.SlaveFacts.Accounts == nil || len(s.Databases) == 0 {
		return nil
	}
	objects, err := definedObjects(ctx, s.Master, s.Databases)
	if err != nil {
		return err
	}
	barred, err := barredViews(ctx, s.Master, s.Databases)
	if err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, o := range objects {
		account := quoteAccount(o.user, o.host)
		if !o.asDefiner || asked[account] || s.SlaveFacts.account(o.user, o.host) == nil {
			continue
		}
		asked[account] = true
		lines, err := lackingGrants(ctx, s.Master, s.Slave, account, s.Databases)
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			bars := barred[o.user+"@"+o.host]
			if !slices.ContainsFunc(lines, opensViews.MatchString) {
				bars = nil
			}
			c.found(lackingRights(account, o.name, lines, bars), len(bars) > 0)
		}
	}
	return nil
}

// opensViews is a line that gives what it takes to open a view.
var opensViews = regexp.MustCompile("GRANT [^;]*(SELECT|EXECUTE|ALL PRIVILEGES)[^;]* ON ")

// lackingRights says which rights an account lacks, and which views it keeps
// from being made.
func lackingRights(account, object string, lines, bars []string) *Problem {
	give := logNothing + "\n" + strings.Join(lines, "\n")
	if len(bars) > 0 {
		return problem(Slave, "definer-rights", "on the slave, and then run this again:\n"+give,
			"the account %s has fewer rights than on the master, and without them these views cannot be made, which use views of which it is the definer: %s", account, listed(bars))
	}
	return problem(Slave, "definer-rights", "on the slave, if what runs as it is wanted there:\n"+give,
		"the account %s has fewer rights than on the master, and is the definer of objects such as %s", account, object)
}

// lackingGrants gives the GRANT lines that give an account on the slave what it
// may do with databases on the master.
func lackingGrants(ctx context.Context, master, slave *Server, account string, databases []string) ([]string, error) {
	var both [2]rights
	for i, server := range []*Server{master, slave} {
		grants, err := server.grantsFor(ctx, server.db, account)
		const noSuchGrant = 1141
		if isDenied(err) || serverError(err) == noSuchGrant {
			return nil, nil // it cannot be compared
		}
		if err != nil {
			return nil, err
		}
		both[i] = rightsOn(grants, databases)
	}
	return lacking(account, both[0], both[1]), nil
}

// lacking gives the lines that give an account the rights that it has on the
// master and not on the slave.
func lacking(account string, master, slave rights) []string {
	var lines []string
	for _, on := range slices.Sorted(maps.Keys(master)) {
		lacking := slices.DeleteFunc(master[on], func(privilege string) bool { return slave.covers(on, privilege) })
		switch {
		case len(lacking) == 0:
		case len(lacking) == len(databaseRights):
			lines = append(lines, fmt.Sprintf("GRANT ALL PRIVILEGES ON %s TO %s;", escapePattern(on), account))
		case strings.HasSuffix(on, ".*"):
			lines = append(lines, fmt.Sprintf("GRANT %s ON %s TO %s;", strings.Join(lacking, ", "), escapePattern(on), account))
		default: // which the slave refuses until the object is there
			later := fmt.Sprintf("-- once the copy is done: GRANT %s ON %s TO %s;", strings.Join(lacking, ", "), on, account)
			if opensViews.MatchString(later) {
				later = fmt.Sprintf("GRANT SELECT, EXECUTE ON %s.* TO %s; %s", escapePattern(databaseOf(on)), account, later)
			}
			lines = append(lines, later)
		}
	}
	return lines
}

// databaseRights are the privileges that can be given on a database.
var databaseRights = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES", "LOCK TABLES",
	"CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT", "TRIGGER",
}

// rights are the privileges of an account by what they are on: `database`.*, or
// an object of a database as SHOW GRANTS names it.
type rights map[string][]string

// rightsOn reads what lines of SHOW GRANTS give on databases.
func rightsOn(grants, databases []string) rights {
	r := rights{}
	for _, grant := range grants {
		list, rest, _ := strings.Cut(strings.TrimPrefix(grant, "GRANT "), " ON ")
		on, _, found := strings.Cut(rest, " TO ")
		if !found { // a role
			continue
		}
		for _, database := range databases {
			switch {
			case isOn(on, database):
				whole := quoteName(database) + ".*"
				for _, privilege := range privileges(list) {
					if slices.Contains(databaseRights, privilege) && !slices.Contains(r[whole], privilege) {
						r[whole] = append(r[whole], privilege)
					}
					if privilege == "ALL PRIVILEGES" {
						r[whole] = slices.Clone(databaseRights)
					}
				}
			case databaseOf(on) == quoteName(database) && !strings.HasSuffix(on, ".*"):
				r[on] = append(r[on], privileges(list)...)
			}
		}
	}
	return r
}

// isOn tells whether what a grant is on is a whole database: all of them, or a
// pattern.
func isOn(on, database string) bool {
	pattern, found := strings.CutSuffix(on, ".*")
	if !found {
		return false
	}
	if pattern == "*" {
		return true
	}
	pattern = regexp.QuoteMeta(strings.ReplaceAll(strings.Trim(pattern, "`"), "``", "`"))
	// Of a pattern's own backslashes QuoteMeta makes two.
	pattern = strings.NewReplacer(`\\_`, "_", `\\%`, "%", `\\\\`, `\\`, "_", ".", "%", ".*").Replace(pattern)
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(database)
}

// databaseOf is the quoted database of an object: of `d`.`t`, PROCEDURE `d`.`p`.
func databaseOf(on string) string {
	if i := strings.IndexByte(on, '`'); i >= 0 {
		on = on[i:]
	}
	if i := strings.Index(on, "`."); i >= 0 {
		on = on[:i+1]
	}
	return on
}

// privileges splits the list of a grant. Columns in parentheses belong to their
// privilege.
func privileges(list string) []string {
	var all []string
	depth, begin := 0, 0
	for i, char := range list + "," {
		switch {
		case char == '(':
			depth++
		case char == ')':
			depth--
		case char == ',' && depth == 0:
			if privilege := strings.TrimSpace(list[begin:i]); privilege != "USAGE" {
				all = append(all, privilege)
			}
			begin = i + 1
		}
	}
	return all
}

// covers tells whether rights hold a privilege on something.
func (r rights) covers(on, privilege string) bool {
	name, _, _ := strings.Cut(privilege, " (")
	whole := r[databaseOf(on)+".*"]
	if slices.Contains(r[on], privilege) || slices.Contains(r[on], name) || slices.Contains(r[on], "ALL PRIVILEGES") || slices.Contains(whole, name) {
		return true
	}
	return name == "ALL PRIVILEGES" && len(whole) == len(databaseRights)
}
