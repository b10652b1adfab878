package main_test

import (
	"os"
	"strings"
)

// givesPasswordInTime changes the passwords on the master while the slave is connected,
// which does not need them before it connects again.
func (p *pair) givesPasswordInTime() {
	p.t.Helper()
	if err := os.Remove(p.handOver()); err != nil {
		p.t.Fatal(err)
	}
	p.must(p.master, p.setupMasterArgs("--databases", "voms", "--new-passwords")...)
	if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "give the slave the password") {
		p.t.Errorf("it does not give the slave the new password:\n%s", out)
	}
	p.loginAgain()
	p.replicates()
	p.noChange(p.slave, p.setupSlaveArgs()...)

	// Somebody has changed the one that the slave uses.
	p.sql(p.master, "ALTER USER db_rep@'127.0.0.1' IDENTIFIED BY 'of somebody'")
	out := p.unchanged(p.slave, 1, "cannot log in as 'db_rep'@'127.0.0.1'", p.setupSlaveArgs()...)
	if !strings.Contains(out, "setup-master --new-passwords") {
		p.t.Errorf("it does not say what to do:\n%s", out)
	}
	p.must(p.master, p.setupMasterArgs("--new-passwords")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.loginAgain()
	p.replicates()
}
