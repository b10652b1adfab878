package server_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/server"
)

func TestParseVersion(t *testing.T) {
	for _, c := range []struct{ version, comment, want string }{
		{"10.11.19-MariaDB-0+deb12u1-log", "Debian 12", "MariaDB 10.11.19"},
		{"5.5.5-10.0.38-MariaDB", "", "MariaDB 10.0.38"},
		{"11.8.6-MariaDB-5 from Debian", "", "MariaDB 11.8.6"},
		{"11.4.2", "mariadb.org binary distribution (MariaDB)", "MariaDB 11.4.2"},
		{"5.7.42-log", "MySQL Community Server (GPL)", "MySQL 5.7.42"},
		{"8.0.36-28", "Percona Server (GPL), Release 28", "MySQL 8.0.36"},
		{"9.7.0", "(Debian)", "MySQL 9.7.0"},
		{"8.4", "", "MySQL 8.4.0"},
	} {
		v, err := server.ParseVersion(c.version, c.comment)
		if err != nil || v.String() != c.want {
			t.Errorf("%q, %q: %v, %v, want %s", c.version, c.comment, v, err, c.want)
		}
	}
	for _, bad := range []string{"", "MariaDB", "x.1.2", "99999999999999999999.1.1"} {
		if v, err := server.ParseVersion(bad, ""); err == nil {
			t.Errorf("%q was read as %v", bad, v)
		}
	}
}
