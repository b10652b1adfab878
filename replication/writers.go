package replication

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// readWriters reads who can write on a slave in spite of read_only.
func (f *Facts) readWriters(ctx context.Context, s *Server, conn *sql.Conn) (err error) {
	if s.Role == Slave {
		f.Writers, err = s.writers(ctx, conn)
	}
	return err
}

// writers lists the accounts that can write in spite of read_only, by a
// privilege or by a role with one; nil if the login may not see them. Since
// MariaDB 10.11 SUPER does not help there.
func (s *Server) writers(ctx context.Context, on execer) ([]string, error) {
	if _, err := readRecords(ctx, on, "SELECT 1 FROM mysql.user LIMIT 1"); isDenied(err) {
		return nil, nil // the login would see no account but its own
	}
	privileges := []string{"READ_ONLY ADMIN", "READ ONLY ADMIN"}
	if s.Version.Family == MySQL {
		privileges = []string{"SUPER", "CONNECTION_ADMIN"}
	} else if !s.Version.atLeast(MariaDB, 10, 11, 0) {
		privileges = append(privileges, "SUPER")
	}
	rows, err := s.query(ctx, on, "SELECT DISTINCT grantee AS g FROM information_schema.user_privileges"+
		" WHERE privilege_type IN ("+quoteList(privileges)+") ORDER BY grantee")
	if err != nil {
		return nil, err
	}
	writers := []string{}
	for _, row := range rows {
		writers = append(writers, strings.ReplaceAll(row["g"], "'", ""))
	}
	if !s.Version.atLeast(MariaDB, 10, 0, 5) {
		return writers, nil // MySQL's roles are accounts
	}
	return s.roleWriters(ctx, on, privileges, writers)
}

// roleWriters adds the accounts that may take a role of MariaDB with one of the
// privileges, which is in no table of the privileges of accounts.
func (s *Server) roleWriters(ctx context.Context, on execer, privileges, writers []string) ([]string, error) {
	mapping, err := readRecords(ctx, on, "SELECT user, host, role FROM mysql.roles_mapping ORDER BY user, host, role")
	if isDenied(err) {
		return writers, nil
	}
	if err != nil {
		return nil, s.explain("read mysql.roles_mapping", err)
	}
	writes := map[string]bool{}
	for _, r := range mapping {
		if _, asked := writes[r["role"]]; asked {
			continue
		}
		grants, err := s.showGrants(ctx, on, quoteName(r["role"]))
		if err != nil {
			return nil, err
		}
		writes[r["role"]] = givenEverywhere(grants, privileges)
	}
	// A role that has another role has its privileges too.
	for range mapping {
		for _, r := range mapping {
			writes[r["user"]] = writes[r["user"]] || r["host"] == "" && writes[r["role"]]
		}
	}
	for _, r := range mapping {
		account := r["user"] + "@" + r["host"]
		if r["host"] != "" && writes[r["role"]] && !slices.Contains(writers, account) {
			writers = append(writers, account+" (role "+r["role"]+")")
		}
	}
	return writers, nil
}

// warnAboutWriters names those that are not the server's own administrators;
// nil if there are none.
func warnAboutWriters(writers []string) *Problem {
	others := slices.DeleteFunc(slices.Clone(writers), isAdministrator)
	if len(others) == 0 {
		return nil
	}
	return problem(Slave, "writers", "take READ ONLY ADMIN (before MariaDB 10.11 also SUPER, ALL PRIVILEGES) from those that need it not",
		"accounts can write in spite of read_only: %s", listed(others))
}

// isAdministrator tells whether an account is one of those of the server's own
// host that its packages make.
func isAdministrator(account string) bool {
	return slices.Contains([]string{"root@localhost", "mysql@localhost", "mariadb.sys@localhost", "debian-sys-maint@localhost"}, account)
}
