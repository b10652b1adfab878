package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestSetupMasterAccounts: what would keep a slave out is found, or mended, on
// the master already, and not only after a copy.
func TestSetupMasterAccounts(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := &pair{t: t, folder: t.TempDir()}
		p.master = startDatabase(t, kind,
			servertest.Options{Name: "master", ServerID: 1, Flags: []string{"--skip-name-resolve=0"}})
		p.sql(p.master, twoDatabases...)
		setup := func(more ...string) []string {
			return p.setupMasterArgs(append([]string{"--databases", "voms"}, more...)...)
		}
		if kind.IsMySQL() {
			p.sql(p.master, "SET GLOBAL super_read_only=1")
			p.refused(p.master, 1, "it is read-only", setup()...)
			p.sql(p.master, "SET GLOBAL read_only=0", "INSTALL COMPONENT 'file://component_validate_password'")
			p.sql(p.master, "SET GLOBAL validate_password.length=100")
			p.refused(p.master, 1, "loosen the policy", setup()...)
			p.sql(p.master, "SET GLOBAL validate_password.length=8", "SET GLOBAL password_history=1")
		} else {
			p.sql(p.master, "CREATE USER db_rep@localhost IDENTIFIED BY 'x'")
			p.refused(p.master, 1, "DROP USER 'db_rep'@'localhost'", setup()...)
			p.sql(p.master, "DROP USER db_rep@localhost")
		}
		p.must(p.master, setup()...)
		p.noChange(p.master, setup()...)

		for _, bound := range []string{"REQUIRE SSL", "WITH MAX_QUERIES_PER_HOUR 1", "ACCOUNT LOCK"} {
			p.sql(p.master, "ALTER USER db_rep@'127.0.0.1' "+bound)
			if out := p.must(p.master, setup()...); !strings.Contains(out,
				"complete the account 'db_rep'@'127.0.0.1', which is locked") || !strings.Contains(out, "log in by these "+
				"accounts") {
				t.Errorf("with %s it says:\n%s", bound, out)
			}
			p.noChange(p.master, setup()...)
		}
		// A policy of ages does not reach the accounts, and what was ended by hand is
		// made good.
		p.sql(p.master, "SET GLOBAL default_password_lifetime=90")
		p.noChange(p.master, setup()...)
		if kind.IsMySQL() {
			p.sql(p.master, "SET GLOBAL password_history=0")
		}
		p.sql(p.master, "ALTER USER db_rep@'127.0.0.1' PASSWORD EXPIRE")
		if out := p.must(p.master, setup()...); !strings.Contains(out,
			"complete the account 'db_rep'@'127.0.0.1', which is locked, limited") {
			t.Errorf("with an expired password it says:\n%s", out)
		}
		p.noChange(p.master, setup()...)
		if kind.IsMySQL() {
			p.sql(p.master, "SET GLOBAL offline_mode=1")
			p.refused(p.master, 1, "a slave cannot log in as 'gtunnel_monitor'@'127.0.0.1'", setup("--databases", "iam")...)
			p.sql(p.master, "SET GLOBAL offline_mode=0")
		}
	})
}
