package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSetupDefiners: a definer that the slave lacks, or that has fewer rights
// there, is found before the copy, which it would break at the end. The lines
// that are given mend it and leave no trace in the slave's binary log.
func TestSetupDefiners(t *testing.T) {
	t.Parallel()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.sql(p.master, "CREATE USER owner@localhost IDENTIFIED BY 'the owner'",
				"GRANT SELECT, UPDATE ON voms.* TO owner@localhost",
				"CREATE USER app@'%' IDENTIFIED BY 'the application'", "GRANT INSERT ON voms.* TO app@'%'",
				"CREATE DEFINER=owner@localhost VIEW voms.a_below AS SELECT id FROM voms.t", "CREATE VIEW voms.b_above AS SELECT "+
					"id FROM voms.a_below",
				"CREATE USER other@localhost IDENTIFIED BY 'the other'", "GRANT INSERT ON voms.* TO "+
					"other@localhost", "GRANT DELETE ON voms.t TO other@localhost",
				"CREATE DEFINER=other@localhost PROCEDURE voms.p() SQL SECURITY DEFINER INSERT INTO voms.t VALUES (9, 'nine')")
			p.sql(p.slave, "CREATE USER other@localhost IDENTIFIED BY 'the other'")
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			before := p.position(p.slave)
			out := p.unchanged(p.slave, 1, "the account 'owner'@'localhost' is on the master only", p.setupSlaveArgs()...)
			for _, want := range []string{
				"warning: slave: the account 'other'@'localhost' has fewer rights than on the master, and is the definer of " +
					"objects such as routine voms.p",
				"GRANT INSERT ON `voms`.* TO 'other'@'localhost';\n",
				"-- once the copy is done: GRANT DELETE ON `voms`.`t` TO 'other'@'localhost';",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in:\n%s", want, out)
				}
			}
			_, file := p.accountFile(out, "owner@localhost")
			p.session(p.slave, slices.Collect(strings.Lines(file))[:3]...) // without the rights
			command, _ := p.accountFile(out, "app@%25")
			p.paste(command)
			if n := p.value(p.slave, "SELECT COUNT(*) FROM mysql.user WHERE user = 'app'"); n != "1" {
				t.Errorf("%s makes no account", command)
			}
			out = p.unchanged(p.slave, 1, "the account 'owner'@'localhost' has fewer rights than on the master",
				p.setupSlaveArgs()...)
			lines := linesAfter(t, out, "on the slave, and then run this again:")
			p.session(p.slave, lines...)
			if after := p.position(p.slave); after != before {
				t.Errorf("the lines went into the slave's binary log, from %s to %s:\n%s", before, after, strings.Join(lines, ""))
			}
			p.must(p.slave, p.setupSlaveArgs()...)
			if got := p.value(p.slave, "SELECT COUNT(*) FROM voms.b_above"); got != "2" {
				t.Errorf("the view has %s rows on the slave", got)
			}
		})
	}
}

// accountFile gives the command of a cure that makes an account, and what is in its file,
// whose secrets are nowhere else.
func (p *pair) accountFile(out, account string) (command, content string) {
	p.t.Helper()
	path := filepath.Join(p.stateDir(), "account-"+account+".sql")
	client := map[bool]string{true: "mysql", false: "mariadb"}[p.slave.Kind.IsMySQL()]
	command = client + " --socket=" + p.slave.Socket + " --user=" + p.slave.User + " < " + path
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || !strings.Contains(out, ": "+command+"\n") {
		p.t.Fatalf("no %s, or not for the owner alone (%v, %v), in:\n%s", command, info, err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	hash := regexp.MustCompile(`'\*[0-9A-F]{40}'|0x[0-9A-F]{40,}`).FindString(string(text))
	if hash == "" || strings.Contains(p.printed.String(), hash) {
		p.t.Errorf("the hash %q is in %s, or was printed:\n%s", hash, text, out)
	}
	return command, string(text)
}

// paste runs a command of a shell on the slave's host.
func (p *pair) paste(command string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "sh", "-c", command)
	cmd.Env = []string{"PATH=" + p.slave.Kind.Path(), "HOME=" + p.folder}
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v: %s", command, err, out)
	}
}
