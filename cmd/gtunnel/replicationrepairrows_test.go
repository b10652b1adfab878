package main_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// spoilBy runs SQL on the slave, which is read-only again afterwards.
func (p *pair) spoilBy(statements ...string) {
	p.t.Helper()
	if p.slave.Kind.IsMySQL() {
		p.sql(p.slave, "SET GLOBAL super_read_only=OFF")
		defer p.sql(p.slave, "SET GLOBAL super_read_only=ON")
	}
	for _, statement := range statements {
		if _, err := p.slave.DB.ExecContext(p.t.Context(), statement); err != nil {
			p.t.Fatal(err)
		}
	}
}

// repairsByRows puts rows of voms.usr right, of which the second differs, by the command
// that a comparison says.
func (p *pair) repairsByRows() {
	p.t.Helper()
	p.spoilBy("INSERT INTO voms.usr VALUES (3, '/CN=Three')", "DELETE FROM voms.usr WHERE id = 1")
	out := p.refused(p.slave, 1, "puts the differing rows right", p.compareArgs()...)
	_, said, _ := strings.Cut(out, "gtunnel replication compare --repair-rows")
	said, _, found := strings.Cut(said, " puts the differing rows right")
	repair := append([]string{"replication", "compare", "--repair-rows"}, strings.Fields(said)...)
	if !found || !strings.Contains(said, "--table voms.usr ") {
		p.t.Fatalf("compare says:\n%s", out)
	}
	out = p.must(p.slave, append(repair, "--dry-run")...)
	for _, words := range []string{
		"put 3 rows of voms.usr right: 1 inserted, 1 changed, 1 DELETED", "voms.usr id 1: inserted",
		"voms.usr id 2: changed: dn", "voms.usr id 3: DELETED: only the slave has it",
		"1 row of its own, and values in 1 other row", "sql_log_bin=0",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), words) {
			p.t.Errorf("the plan does not say %q:\n%s", words, out)
		}
	}
	var plan struct {
		Steps []struct {
			Tables []struct {
				Rows []struct{ Lost map[string]string }
			}
		}
	}
	if err := json.Unmarshal(p.output(append(repair, "--dry-run", "--json")...), &plan); err != nil {
		p.t.Fatal(err)
	}
	var lost []string
	for _, row := range plan.Steps[0].Tables[0].Rows {
		lost = append(lost, row.Lost["id"]+row.Lost["dn"])
	}
	if len(lost) != 3 || lost[1] != "/CN=Two" || lost[2] != "3/CN=Three" {
		p.t.Errorf("lost are %q", lost)
	}
	if out := p.must(p.slave, append(repair, "--yes")...); !strings.Contains(out, "1 of 1 table equal at") {
		p.t.Errorf("the repair says:\n%s", out)
	}
	if out := p.must(p.slave, append(repair, "--yes")...); !strings.Contains(out, "no change") {
		p.t.Errorf("a repair of nothing says:\n%s", out)
	}
	if left := p.traces(); left != "" {
		p.t.Errorf("the repair has left %s", left)
	}
	p.refused(p.slave, 2, "give one of them", append(repair, "--repair-table", "voms.usr")...)
	p.spoilBy("UPDATE voms.usr SET dn = '/CN=Two' WHERE id = 2")
}

// output is the standard output of a command.
func (p *pair) output(args ...string) []byte {
	p.t.Helper()
	out, err := p.command(p.slave, args...).Output()
	if err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return out
}

// killRepairRows kills a repair of rows in its middle, while it waits for a row that
// somebody has locked on the slave.
func (p *pair) killRepairRows() {
	p.t.Helper()
	p.spoilBy("UPDATE voms.usr SET dn = 'mine' WHERE id > 20000 ORDER BY id LIMIT 2",
		"DELETE FROM voms.usr ORDER BY id DESC LIMIT 1")
	lock, err := p.slave.DB.BeginTx(p.t.Context(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }() // of what was only read
	var id int
	if err := lock.QueryRowContext(p.t.Context(), // one that the writer leaves alone
		"SELECT id FROM voms.usr WHERE dn = 'mine' ORDER BY id DESC LIMIT 1 LOCK IN SHARE MODE").Scan(&id); err != nil {
		p.t.Fatal(err)
	}
	repair := p.compareArgs("--repair-rows", "--table", "voms.usr", "--yes")
	cmd := p.command(p.slave, repair...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	pairs.WaitFor(p.t, databasePatience, "repair that waits for the row", func() (string, bool) {
		waits := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%FROM `voms`.`usr`"+
			"%FOR UPDATE' AND id <> CONNECTION_ID()")
		return fmt.Sprint(p.slaveStatus()), waits != "0"
	})
	_ = cmd.Process.Kill() // it waits
	_ = cmd.Wait()         // it was killed
	if !p.saysCutOff("a repair of rows") {
		p.t.Errorf("the status says nothing of a repair of rows that was killed")
	}
	if err := lock.Rollback(); err != nil {
		p.t.Error(err)
	}
	if out, code := p.run(p.slave, repair...); code != 0 || !strings.Contains(out, "1 of 1 table equal at") ||
		!strings.Contains(out, "3 rows") {
		p.t.Errorf("and then exit code %d:\n%s", code, out)
	}
	if left := p.traces(); left != "" {
		p.t.Errorf("a repair of rows has left %s", left)
	}
}
