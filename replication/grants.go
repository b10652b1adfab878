package replication

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// grant is a GRANT of privileges ON something, or what MySQL shows as REVOKE: that
// they are not given on a database by what is given everywhere. A privilege on
// columns is one for each column, as "SELECT (`a`)".
type grant struct {
	privileges []string
	on         target
	revoked    bool
}

// target is what privileges are on, with its names in quotes: *.*, `database`.*,
// `database`.`table`, PROCEDURE `database`.`name`. The name of a whole database
// is a pattern.
type target struct{ kind, database, object string }

// everywhere is all that a server has.
var everywhere = target{kind: "", database: "*", object: "*"}

// objectOf is a database's table, or its object of a kind such as "PROCEDURE ".
func objectOf(kind, database, object string) target {
	return target{kind: kind, database: quoteName(database), object: quoteName(object)}
}

// wholeOf is all of the databases of a pattern.
func wholeOf(database string) target {
	return target{kind: "", database: quoteName(database), object: "*"}
}

// patterns are what GRANT names databases by, and no others. With MySQL's
// partial_revokes its names are no patterns, and a backslash is a part of them.
func (f *Facts) patterns(databases []string) []string {
	patterns := slices.Clone(databases)
	for i, name := range patterns {
		if !f.on("partial_revokes") {
			patterns[i] = escapePattern(name)
		}
	}
	return patterns
}

// String is the target as a GRANT names it.
func (t target) String() string { return t.kind + t.database + "." + t.object }

// whole is all of the target's database.
func (t target) whole() target { return target{kind: "", database: t.database, object: "*"} }

// matches tells whether the target is a whole database: all of them, or a
// pattern.
func (t target) matches(database string) bool {
	if t.object != "*" || t.database == "*" {
		return t == everywhere
	}
	pattern := regexp.QuoteMeta(unquoteName(t.database))
	// Of a pattern's own backslashes QuoteMeta makes two.
	pattern = strings.NewReplacer(`\\_`, "_", `\\%`, "%", `\\\\`, `\\`, "_", ".", "%", ".*").Replace(pattern)
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(database)
}

// The parts of a line of SHOW GRANTS. Names are in backquotes, as the sessions of
// this package have no sql_mode; but not all of them where the server's
// sql_quote_show_create is off.
const (
	shownName    = "(?:`(?:[^`]|``)*`|[^`'\"@.,()\\s]+)"
	shownColumns = `\((?:` + shownName + `|[, ])*\)`
)

var (
	shownGrant     = regexp.MustCompile("^(GRANT|REVOKE) ((?:[A-Z_, ]|" + shownColumns + ")+) ON ((?:[A-Z]+ )*)(" + shownName + `)\.(` + shownName + ") (?:TO|FROM) ")
	shownPrivilege = regexp.MustCompile("([A-Z_][A-Z_ ]*[A-Z])(?: (" + shownColumns + "))?")
	shownColumn    = regexp.MustCompile(shownName)
)

// parseGrants reads lines of SHOW GRANTS. What they say of roles, of PROXY and
// of passwords is left out.
func parseGrants(lines []string) []grant {
	var grants []grant
	for _, line := range lines {
		parts := shownGrant.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		g := grant{on: target{kind: parts[3], database: quoteShown(parts[4]), object: quoteShown(parts[5])}, revoked: parts[1] == "REVOKE"}
		for _, privilege := range shownPrivilege.FindAllStringSubmatch(parts[2], -1) {
			name, columns := privilege[1], privilege[2]
			if columns == "" && name != "USAGE" {
				g.privileges = append(g.privileges, name)
			}
			for _, column := range shownColumn.FindAllString(columns, -1) {
				g.privileges = append(g.privileges, name+" ("+quoteShown(column)+")")
			}
		}
		grants = append(grants, g)
	}
	return grants
}

// quoteShown puts a name of SHOW GRANTS in quotes, if it has none.
func quoteShown(name string) string {
	if name == "*" {
		return name
	}
	return quoteName(unquoteName(name))
}

// given tells whether grants give a privilege on just that target.
func given(grants []grant, on target, privilege string) bool {
	return slices.ContainsFunc(grants, func(g grant) bool {
		return !g.revoked && g.on == on && (slices.Contains(g.privileges, privilege) || slices.Contains(g.privileges, "ALL PRIVILEGES"))
	})
}

// givenEverywhere tells whether lines of SHOW GRANTS give one of the privileges
// on all databases.
func givenEverywhere(lines, privileges []string) bool {
	grants := parseGrants(lines)
	return slices.ContainsFunc(privileges, func(privilege string) bool { return given(grants, everywhere, privilege) })
}

// showGrants gives the lines of SHOW GRANTS of an account or role, which is
// quoted; without one those of the session, with its active roles.
func showGrants(ctx context.Context, s *Server, on execer, whose string) ([]string, error) {
	query := "SHOW GRANTS"
	if whose != "" {
		query += " FOR " + whose
	}
	rows, err := s.query(ctx, on, query)
	var lines []string
	for _, r := range rows {
		for _, line := range r { // the only column
			lines = append(lines, line)
		}
	}
	return lines, err
}

// grantsOfDefiner gives what counts for that which runs as an account, its
// definer. On MySQL its default roles do, whatever activate_all_roles_on_login
// says; on MariaDB no role does, and all that PUBLIC has.
func grantsOfDefiner(ctx context.Context, s *Server, f *Facts, user, host string) ([]grant, error) {
	whose := []string{quoteAccount(user, host)}
	switch {
	case s.Version.atLeast(MariaDB, 10, 11, 0):
		whose = append(whose, public)
	case s.Version.atLeast(MySQL, 8, 0, 0):
		roles, err := s.query(ctx, s.db, "SELECT default_role_user AS u, default_role_host AS h FROM mysql.default_roles WHERE user = ? AND host = ?", user, host)
		if err != nil {
			return nil, err
		}
		word := " USING "
		for _, r := range roles {
			whose[0] += word + quoteAccount(r["u"], r["h"])
			word = ", "
		}
	}
	var lines []string
	for _, one := range whose {
		more, err := showGrants(ctx, s, s.db, one)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	grants := parseGrants(lines)
	for i, g := range grants { // to patterns
		if f.on("partial_revokes") && !g.revoked && g.on.object == "*" && g.on != everywhere {
			grants[i].on = wholeOf(escapePattern(unquoteName(g.on.database)))
		}
	}
	return grants, nil
}

// public is the role that all accounts of MariaDB have since 10.11, as if its
// rights were their own.
const public = "PUBLIC"
