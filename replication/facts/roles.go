package facts

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

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
	roles := rolesIn(lines)
	var create, grants []string
	for i := 0; i < len(roles); i++ {
		line := "CREATE ROLE IF NOT EXISTS " + roles[i] + ";"
		if slices.Contains(create, line) {
			continue
		}
		create = append(create, line)
		shown, err := showGrants(ctx, s, on, roles[i])
		if err != nil {
			return nil, err
		}
		roles = append(roles, rolesIn(shown)...)
		for _, grant := range shown {
			if !slices.Contains(grants, grant+";") && !strings.HasPrefix(grant, "GRANT USAGE ON ") {
				grants = append(grants, grant+";")
			}
		}
	}
	return append(create, grants...), nil
}
