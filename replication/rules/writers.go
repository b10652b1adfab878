package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// WarnAboutWriters names those that are not the server's own administrators;
// nil if there are none.
func WarnAboutWriters(writers []string) *finding.Problem {
	others := slices.DeleteFunc(slices.Clone(writers), isAdministrator)
	if len(others) == 0 {
		return nil
	}
	return finding.New(finding.Slave, "writers", "take READ ONLY ADMIN (before MariaDB 10.11 also SUPER, ALL PRIVILEGES) from those that need it not",
		"accounts can write in spite of read_only: %s", finding.List(others))
}

// isAdministrator tells whether an account is one of those of the server's own
// host that its packages make.
func isAdministrator(account string) bool {
	return slices.Contains([]string{"root@localhost", "mysql@localhost", "mariadb.sys@localhost", "debian-sys-maint@localhost"}, account)
}
