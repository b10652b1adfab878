package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestFunctionCreators: a setup that turns the binary log on names the accounts that can
// create no functions and triggers from then on, and lets them if it is told to. The log
// that it turns on is not kept for ever.
func TestFunctionCreators(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := &pair{t: t, folder: t.TempDir()}
		p.master = startDatabase(t, kind, servertest.Options{Name: "master", ServerID: 1, NoLog: true})
		p.sql(p.master, twoDatabases...)
		p.sql(p.master, "CREATE USER service@'127.0.0.1' IDENTIFIED BY 'a service'",
			"GRANT ALL ON voms.* TO service@'127.0.0.1'")
		service, err := p.master.Open("service", "a service")
		if err != nil {
			t.Fatal(err)
		}
		defer service.Close()
		creates := func() error {
			for _, statement := range []string{
				"DROP FUNCTION IF EXISTS voms.one_more", "CREATE FUNCTION voms.one_more() RETURNS INT DETERMINISTIC RETURN 1",
				"DROP TRIGGER IF EXISTS voms.tr",
				"CREATE TRIGGER voms.tr BEFORE INSERT ON voms.t FOR EACH ROW SET NEW.id = NEW.id",
			} {
				if _, err := service.ExecContext(t.Context(), statement); err != nil {
					return err
				}
			}
			return nil
		}
		if err := creates(); err != nil {
			t.Fatal(err)
		}
		args := p.setupMasterArgs("--databases", "voms")
		p.refused(p.master, 1, "(error 1419), once it writes a binary log, as it does not yet: service@127.0.0.1", args...)
		p.restart(p.master)
		if err := creates(); err == nil {
			t.Error("it needs no --trust-function-creators")
		}
		out := p.must(p.master, args...)
		if !strings.Contains(out, "setup-master --trust-function-creators") ||
			strings.Contains(out, "removes no binary log") {
			t.Errorf("it says:\n%s", out)
		}
		trust := append(args, "--trust-function-creators")
		p.must(p.master, trust...)
		for range 2 {
			if err := creates(); err != nil {
				t.Error(err)
			}
			for _, again := range [][]string{args, trust} {
				if out := p.must(p.master, again...); !strings.Contains(out, "no change") || strings.Contains(out, "1419") {
					t.Errorf("the second run says:\n%s", out)
				}
			}
			p.restart(p.master)
		}
		p.sql(p.master, map[bool]string{
			true: "SET GLOBAL binlog_expire_logs_seconds=0", false: "SET GLOBAL expire_logs_days=0",
		}[kind.IsMySQL()])
		out = p.must(p.master, "replication", "check", "--role", "master", "--socket", p.master.Socket,
			"--user", p.master.User, "--databases", "voms")
		if !strings.Contains(out, "it removes no binary log by itself: ") || !strings.Contains(out, " are free on") ||
			strings.Contains(out, "is right: 0") {
			t.Errorf("of a log that is kept for ever check says:\n%s", out)
		}
	})
}
