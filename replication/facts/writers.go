package facts

import (
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readWriters reads who can write on a slave in spite of read_only.
func (f *Facts) readWriters(ctx context.Context, s *server.Server, conn server.Execer) (err error) {
	if s.Role == finding.Slave {
		f.Writers, err = ListWriters(ctx, s, conn)
	}
	return err
}

// ListWriters lists the accounts that can write in spite of read_only, by a
// privilege or by a role with one; PUBLIC stands for every account; nil if the
// login may not see them. Since MariaDB 10.11 SUPER does not help there.
func ListWriters(ctx context.Context, s *server.Server, on server.Execer) ([]string, error) {
	if _, err := server.ReadRecords(ctx, on, "SELECT 1 FROM mysql.user LIMIT 1"); server.IsDenied(err) {
		return nil, nil // the login would see no account but its own
	}
	privileges := []string{"READ_ONLY ADMIN", "READ ONLY ADMIN"}
	if s.Version.Family == server.MySQL {
		privileges = []string{"SUPER", "CONNECTION_ADMIN"}
	} else if !s.Version.AtLeast(server.MariaDB, 10, 11, 0) {
		privileges = append(privileges, "SUPER")
	}
	rows, err := s.Query(ctx, on, "SELECT DISTINCT grantee AS g FROM information_schema.user_privileges"+
		" WHERE privilege_type IN ("+server.QuoteList(privileges)+") ORDER BY grantee")
	if err != nil {
		return nil, err
	}
	writers := []string{}
	for _, row := range rows {
		writers = append(writers, strings.ReplaceAll(row["g"], "'", ""))
	}
	return roleWriters(ctx, s, on, privileges, writers)
}

// roleWriters adds the accounts that may take a role with one of the privileges.
// A role of MySQL is an account, and among the writers already.
func roleWriters(
	ctx context.Context, s *server.Server, on server.Execer, privileges, writers []string,
) (_ []string, err error) {
	roles, query := slices.Clone(writers), "SELECT CONCAT(from_user, '@', from_host) AS role,"+
		" CONCAT(to_user, '@', to_host) AS holder FROM mysql.role_edges ORDER BY holder, role"
	switch {
	case s.Version.AtLeast(server.MariaDB, 10, 0, 5):
		query = "SELECT role, IF(host = '', user, CONCAT(user, '@', host)) AS holder" +
			" FROM mysql.roles_mapping ORDER BY user, host, role"
		if roles, err = writingRoles(ctx, s, on, privileges); err != nil {
			return nil, err
		}
		if slices.Contains(roles, public) {
			writers = append(writers, "PUBLIC (every account)")
		}
	case !s.Version.AtLeast(server.MySQL, 8, 0, 0):
		return writers, nil
	}
	granted, err := server.ReadRecords(ctx, on, query)
	if server.IsDenied(err) {
		return writers, nil
	}
	if err != nil {
		return nil, s.Explain("read who has which roles", err)
	}
	known := slices.Concat(writers, roles)
	for i := 0; i < len(roles); i++ { // a role may have others
		for _, g := range granted {
			if g["role"] == roles[i] && !slices.Contains(known, g["holder"]) {
				known, roles = append(known, g["holder"]), append(roles, g["holder"])
				writers = append(writers, g["holder"]+" (role "+g["role"]+")")
			}
		}
	}
	return writers, nil
}

// writingRoles gives the roles of MariaDB with one of the privileges, of
// themselves or by another role: no table of the privileges of accounts has them.
func writingRoles(ctx context.Context, s *server.Server, on server.Execer, privileges []string) ([]string, error) {
	rows, err := s.Query(ctx, on, "SELECT user FROM mysql.user WHERE is_role = 'Y' ORDER BY user")
	if err != nil {
		return nil, err
	}
	lines := make([][]string, len(rows))
	err = server.Each(ctx, s, on, rows, func(ctx context.Context, i int, r server.Record) (err error) {
		lines[i], err = showGrants(ctx, s, on, server.QuoteName(r["user"]))
		return err
	})
	var roles []string
	for i, r := range rows {
		if givenEverywhere(lines[i], privileges) {
			roles = append(roles, r["user"])
		}
	}
	return roles, err
}
