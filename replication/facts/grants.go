package facts

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Grant is a GRANT of privileges ON something, or what MySQL shows as REVOKE: that
// they are not given on a database by what is given everywhere. A privilege on
// columns is one for each column, as "SELECT (`a`)".
type Grant struct {
	Privileges []string
	On         Target
	Revoked    bool
}

// Target is what privileges are on, with its names in quotes: *.*, `database`.*,
// `database`.`table`, PROCEDURE `database`.`name`. The name of a whole database
// is a pattern.
type Target struct{ kind, Database, Object string }

// Everywhere is all that a server has.
var Everywhere = Target{kind: "", Database: "*", Object: "*"}

// ObjectOf is a database's table, or its object of a kind such as "PROCEDURE ".
func ObjectOf(kind, database, object string) Target {
	return Target{kind: kind, Database: server.QuoteName(database), Object: server.QuoteName(object)}
}

// WholeOf is all of the databases of a pattern.
func WholeOf(database string) Target {
	return Target{kind: "", Database: server.QuoteName(database), Object: "*"}
}

// Patterns are what GRANT names databases by, and no others. With MySQL's
// partial_revokes its names are no patterns, and a backslash is a part of them.
func (f *Facts) Patterns(databases []string) []string {
	patterns := slices.Clone(databases)
	for i, name := range patterns {
		if !f.On("partial_revokes") {
			patterns[i] = server.EscapePattern(name)
		}
	}
	return patterns
}

// String is the target as a GRANT names it.
func (t Target) String() string { return t.kind + t.Database + "." + t.Object }

// Whole is all of the target's database.
func (t Target) Whole() Target { return Target{kind: "", Database: t.Database, Object: "*"} }

// Matches reports whether the target is a whole database: all of them, or a
// pattern.
func (t Target) Matches(database string) bool {
	if t.Object != "*" || t.Database == "*" {
		return t == Everywhere
	}
	pattern := regexp.QuoteMeta(server.UnquoteName(t.Database))
	// Of a pattern's own backslashes QuoteMeta makes two.
	pattern = strings.NewReplacer(`\\_`, "_", `\\%`, "%", `\\\\`, `\\`, "_", ".", "%", ".*").Replace(pattern)
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(database)
}

// The parts of a line of SHOW GRANTS. Names are in backquotes, as our sessions have
// no sql_mode; but not all of them where the server's sql_quote_show_create is
// off.
const (
	shownName    = "(?:`(?:[^`]|``)*`|[^`'\"@.,()\\s]+)"
	shownColumns = `\((?:` + shownName + `|[, ])*\)`
)

var (
	shownGrant = regexp.MustCompile("^(GRANT|REVOKE) ((?:[A-Z_, ]|" + shownColumns + ")+) ON" +
		" ((?:[A-Z]+ )*)(" + shownName + `)\.(` + shownName + ") (?:TO|FROM) ")
	shownPrivilege = regexp.MustCompile("([A-Z_][A-Z_ ]*[A-Z])(?: (" + shownColumns + "))?")
	shownColumn    = regexp.MustCompile(shownName)
)

// ParseGrants reads lines of SHOW GRANTS. What they say of roles, of PROXY and
// of passwords is left out.
func ParseGrants(lines []string) []Grant {
	var grants []Grant
	for _, line := range lines {
		parts := shownGrant.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		g := Grant{
			On:      Target{kind: parts[3], Database: quoteShown(parts[4]), Object: quoteShown(parts[5])},
			Revoked: parts[1] == "REVOKE",
		}
		for _, privilege := range shownPrivilege.FindAllStringSubmatch(parts[2], -1) {
			name, columns := privilege[1], privilege[2]
			if columns == "" && name != "USAGE" {
				g.Privileges = append(g.Privileges, name)
			}
			for _, column := range shownColumn.FindAllString(columns, -1) {
				g.Privileges = append(g.Privileges, name+" ("+quoteShown(column)+")")
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
	return server.QuoteName(server.UnquoteName(name))
}

// Given reports whether one of the grants gives a privilege on just that target.
func Given(grants []Grant, on Target, privilege string) bool {
	return slices.ContainsFunc(grants, func(g Grant) bool { return g.On == on && g.Gives(privilege) })
}

// Gives reports whether the grant gives a privilege on its target.
func (g Grant) Gives(privilege string) bool {
	return !g.Revoked &&
		(slices.Contains(g.Privileges, privilege) || slices.Contains(g.Privileges, "ALL PRIVILEGES"))
}

// givenEverywhere reports whether lines of SHOW GRANTS give one of the privileges
// on all databases.
func givenEverywhere(lines, privileges []string) bool {
	grants := ParseGrants(lines)
	return slices.ContainsFunc(privileges, func(privilege string) bool { return Given(grants, Everywhere, privilege) })
}

// showGrants gives the lines of SHOW GRANTS of an account or role, which is
// quoted; without one those of the session, with its active roles.
func showGrants(ctx context.Context, s *server.Server, on server.Execer, whose string) ([]string, error) {
	query := "SHOW GRANTS"
	if whose != "" {
		query += " FOR " + whose
	}
	rows, err := s.Query(ctx, on, query)
	var lines []string
	for _, r := range rows {
		for _, line := range r { // the only column
			lines = append(lines, line)
		}
	}
	return lines, err
}

// ReadGrants gives as whom a server knows its login, and what that may do, by its active
// roles too.
func ReadGrants(ctx context.Context, s *server.Server) (user string, grants []Grant, err error) {
	f := &Facts{}
	err = f.readLogin(ctx, s, s.DB)
	return f.User, ParseGrants(f.Grants), err
}

// GrantsOfDefiner gives what counts for that which runs as an account, its
// definer. On MySQL its default roles do, whatever activate_all_roles_on_login
// says; on MariaDB no role does, and all that PUBLIC has.
func GrantsOfDefiner(ctx context.Context, s *server.Server, f *Facts, user, host string) ([]Grant, error) {
	whose := []string{server.QuoteAccount(user, host)}
	switch {
	case s.Version.AtLeast(server.MariaDB, 10, 11, 0):
		whose = append(whose, public)
	case s.Version.AtLeast(server.MySQL, 8, 0, 0):
		roles, err := s.Query(ctx, s.DB, "SELECT default_role_user AS u, default_role_host AS h"+
			" FROM mysql.default_roles WHERE user = ? AND host = ?", user, host)
		if err != nil {
			return nil, err
		}
		word := " USING "
		for _, r := range roles {
			whose[0] += word + server.QuoteAccount(r["u"], r["h"])
			word = ", "
		}
	}
	lines := make([][]string, len(whose))
	err := server.Each(ctx, s, s.DB, whose, func(ctx context.Context, i int, one string) (err error) {
		lines[i], err = showGrants(ctx, s, s.DB, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	grants := ParseGrants(slices.Concat(lines...))
	for i, g := range grants { // to patterns
		if f.On("partial_revokes") && !g.Revoked && g.On.Object == "*" && g.On != Everywhere {
			grants[i].On = WholeOf(server.EscapePattern(server.UnquoteName(g.On.Database)))
		}
	}
	return grants, nil
}

// public is the role that all accounts of MariaDB have since 10.11, as if its
// rights were their own.
const public = "PUBLIC"

// A line of SHOW GRANTS that gives roles. MySQL's have a host.
var (
	shownRole     = shownName + "(?:@" + shownName + ")?"
	shownRoles    = regexp.MustCompile("^GRANT (" + shownRole + "(?:, ?" + shownRole + ")*) TO ")
	shownRoleName = regexp.MustCompile(shownRole)
)

// rolesIn gives the roles that lines of SHOW GRANTS give, as they name them.
func rolesIn(lines []string) []string {
	var roles []string
	for _, line := range lines {
		if parts := shownRoles.FindStringSubmatch(line); parts != nil {
			roles = append(roles, shownRoleName.FindAllString(parts[1], -1)...)
		}
	}
	return roles
}

// RoleLines makes the lines that make the roles which lines of SHOW GRANTS give,
// and the roles of those: a server gives none that it does not have.
func RoleLines(ctx context.Context, s *server.Server, on server.Execer, lines []string) ([]string, error) {
	var create, grants []string
	for roles := rolesIn(lines); len(roles) > 0; { // then those that these have
		roles = slices.DeleteFunc(roles, func(role string) bool {
			line := "CREATE ROLE IF NOT EXISTS " + role + ";"
			known := slices.Contains(create, line)
			if !known {
				create = append(create, line)
			}
			return known
		})
		shown := make([][]string, len(roles))
		err := server.Each(ctx, s, on, roles, func(ctx context.Context, i int, role string) (err error) {
			shown[i], err = showGrants(ctx, s, on, role)
			return err
		})
		if err != nil {
			return nil, err
		}
		all := slices.Concat(shown...)
		for _, grant := range all {
			if !slices.Contains(grants, grant+";") && !strings.HasPrefix(grant, "GRANT USAGE ON ") {
				grants = append(grants, grant+";")
			}
		}
		roles = rolesIn(all)
	}
	return append(create, grants...), nil
}
