package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestPairReady checks a pair that is ready on both hosts. Then it takes one thing after the
// other away, finds it named, runs what the check says as it stands there, and the pair is
// ready again.
func TestPairReady(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		p.sameSalt()
		p.areReady()
		for _, of := range shared(p.Kind, []func(*twoHosts){
			(*twoHosts).lackGuard, (*twoHosts).lackTunnel, (*twoHosts).lackLogins, (*twoHosts).lackSettings,
			(*twoHosts).lackAccounts, (*twoHosts).lackSequences, (*twoHosts).lackEvents, (*twoHosts).lackOptions,
		}) {
			of(p)
			p.areReady()
			if t.Failed() {
				return
			}
		}
	})
}

// sameSalt carries the login of the application's account, which was made on each of MySQL's
// hosts, and so has a salt on each: nobody can tell that the password is the same.
func (p *twoHosts) sameSalt() {
	p.t.Helper()
	if p.Kind.IsMySQL() {
		p.carry(p.a.checkSays("another password on " + p.a.Name + " than on " + p.b.Name + ", or the same with another salt"))
	}
}

// areReady waits until the check on both hosts finds nothing.
func (p *twoHosts) areReady() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		pairs.WaitFor(p.t, databasePatience, "readiness on "+h.Name, func() (string, bool) {
			out, code := h.try("check")
			return out, code == 0 && strings.Contains(out, "ready: no problems, 0 warnings") &&
				!slices.ContainsFunc([]string{"promote", "switchover", "rejoin"}, func(command string) bool {
					return !strings.Contains(out, command+": ready")
				})
		})
	}
}

// checkSays waits until the check on the host says words, and gives the cure below the last
// of them.
func (h *pairHost) checkSays(words ...string) (cure string) {
	h.t.Helper()
	out := ""
	pairs.WaitFor(h.t, databasePatience, "check on "+h.Name+" with "+strings.Join(words, ", "), func() (string, bool) {
		out, _ = h.try("check")
		out = strings.Join(strings.Fields(out), " ")
		return out, !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(out, word) })
	})
	_, cure, _ = strings.Cut(out, words[len(words)-1])
	_, cure, _ = strings.Cut(cure, "hint: ")
	for _, next := range []string{" ok ", " warning ", " problem ", " gtunnel: not ready"} {
		cure, _, _ = strings.Cut(cure, next)
	}
	h.t.Logf("%s: %s: %s", h.Name, strings.Join(words, ", "), cure)
	return cure
}

func (p *twoHosts) lackGuard() {
	p.t.Helper()
	kill(p.b.guard)
	if cure := p.a.checkSays("the other host: no guard runs", "promote: not ready"); cure != "" {
		p.t.Errorf("after the verdict comes %q", cure)
	}
	p.b.pastes(p.b.checkSays("this host: no guard runs"), "systemctl enable --now gtunnel-guard")
}

// lackTunnel takes the gtunnel of the slave away: the master does not reach it, and a
// promotion, which would be there, is none of its matter.
func (p *twoHosts) lackTunnel() {
	p.t.Helper()
	kill(p.b.tunnel)
	p.a.checkSays("switchover: not ready: peer-silent", "promote: ready")
	cure := p.a.checkSays("its server cannot be asked through the tunnel")
	if !strings.HasPrefix(cure, "gtunnel replication status") {
		p.t.Errorf("the cure is %q", cure)
	}
	p.a.waitTells("tunnel-down", "no-slave")
	p.b.startTunnel()
}

// setsUp runs the setup of a cure.
func (h *pairHost) setsUp(cure, command string) {
	h.t.Helper()
	if !strings.Contains(cure, "gtunnel replication "+command) {
		h.t.Fatalf("no %s in %q", command, cure)
	}
	h.setUp(command, "--hand-over", h.pairOf.handOver)
}

// lackLogins takes each account of either host away, or its password.
func (p *twoHosts) lackLogins() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		command := map[*pairHost]string{p.a: "setup-master", p.b: "setup-slave"}[h]
		h.alters("DROP USER 'gtunnel_monitor'@'127.0.0.1'")
		cure := h.peer.checkSays("switchover: not ready: peer-silent", "its server cannot be asked through the tunnel")
		h.setsUp(cure, command)
		p.areReady()
		h.alters("ALTER USER 'db_rep'@'127.0.0.1' IDENTIFIED BY 'another-Pw1'")
		cure = h.peer.checkSays("rejoin: not ready: replication-login", "it cannot log in to the other host as the account")
		if h == p.a {
			p.newPasswords(cure)
		} else {
			h.setsUp(cure, command)
		}
		p.areReady()
	}
}

// newPasswords does what a cure says of a password of the master's that was changed.
func (p *twoHosts) newPasswords(cure string) {
	p.t.Helper()
	out, code := p.a.try("setup-master", "--hand-over", p.handOver, "--yes")
	if code == 0 || !strings.Contains(out, "refuses the password") || !strings.Contains(cure, "--new-passwords") {
		p.t.Errorf("setup-master ends with %d, and the cure is %q:\n%s", code, cure, out)
	}
	p.a.setUp("setup-master", "--hand-over", p.handOver, "--new-passwords")
	p.b.setsUp(cure, "setup-slave")
}

// alters runs a statement on the host that is not replicated, whoever may write there.
func (h *pairHost) alters(statements ...string) {
	h.t.Helper()
	all := []string{"SET SESSION sql_log_bin=0"}
	if h.Server.Kind.IsMySQL() && h.Value("SELECT @@GLOBAL.super_read_only") == "1" {
		all = append(all, "SET GLOBAL super_read_only=0")
		statements = append(slices.Clone(statements), "SET GLOBAL super_read_only=1")
	}
	h.Exec(append(all, statements...)...)
}

// lackSettings starts the slave's server without what a host of a pair needs, and takes from
// the master what can be taken while it runs.
func (p *twoHosts) lackSettings() {
	p.t.Helper()
	mysql := p.Kind.IsMySQL()
	p.b.dropIn(func(text string) string {
		var kept []string
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "-", "_"), "=")
			switch strings.TrimSpace(name) {
			case "sync_binlog", "innodb_flush_log_at_trx_commit", "log_slave_updates", "log_replica_updates", "skip_slave_start",
				"skip_replica_start", "relay_log_recovery", "read_only", "super_read_only":
			default:
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "") + "sync_binlog=0\ninnodb_flush_log_at_trx_commit=2\nrelay_log_recovery=ON\n" +
			"skip_" + map[bool]string{true: "replica", false: "slave"}[mysql] + "_start=OFF\n" +
			"log_" + map[bool]string{true: "replica", false: "slave"}[mysql] + "_updates=OFF\n"
	})
	if err := p.B.Server.Restart(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	cure := p.b.checkSays("_updates=ON (it is OFF)", "sync_binlog=1 (it is 0)",
		"innodb_flush_log_at_trx_commit=1 (it is 2)", "_start in the option files", "relay_log_recovery in the option files",
		"read_only in the option files", "it lacks settings of a pair")
	p.b.setsUp(cure, "setup-slave")
	p.areReady()
	p.A.Exec("SET GLOBAL sync_binlog=0")
	p.a.dropIn(func(text string) string { return strings.ReplaceAll(text, "read_only", "# read_only") })
	if cure := p.b.checkSays("the other host: it lacks settings of a pair: sync_binlog=1"); !strings.Contains(cure,
		"on "+p.a.Name+": gtunnel replication setup-master") {
		p.t.Errorf("the cure is %q", cure)
	}
	cure = p.a.checkSays("sync_binlog=1 (it is 0)", "read_only in the option files",
		"this host: it lacks settings of a pair")
	p.a.setsUp(cure, "setup-master")
}

// dropIn changes the drop-in file of the host.
func (h *pairHost) dropIn(change func(string) string) {
	h.t.Helper()
	path := filepath.Join(h.Server.ConfigDir, "zz-gtunnel.cnf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(change(string(text))), 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// carry runs the statements of a cure: what they show on the one host, on the other one.
func (p *twoHosts) carry(cure string) {
	p.t.Helper()
	show, run, both := strings.Cut(cure, "; then on ")
	from, to := p.a, p.b
	if strings.HasPrefix(show, "on "+p.b.Name) {
		from, to = p.b, p.a
	}
	_, show, _ = strings.Cut(show, ": ")
	_, run, _ = strings.Cut(run, ", in one session: ")
	if !both || run == "" {
		p.t.Fatalf("the cure is %q", cure)
	}
	run, _, _ = strings.Cut(run, " (all at once")
	var statements []string
	for statement := range strings.SplitSeq(run, "; ") {
		what, alter := strings.CutSuffix(statement, ", with ALTER USER in place of CREATE USER")
		if what != "what was shown" {
			statements = append(statements, statement)
			continue
		}
		for _, shown := range from.shows(strings.Split(show, "; ")...) {
			if alter {
				shown = strings.Replace(shown, "CREATE USER", "ALTER USER", 1)
			}
			statements = append(statements, shown)
		}
	}
	to.Exec(statements...)
}

// shows is what statements of one session show, in the last column of each row.
func (h *pairHost) shows(statements ...string) (shown []string) {
	h.t.Helper()
	conn, err := h.Server.DB.Conn(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range statements {
		records, err := server.ReadRecords(h.t.Context(), conn, statement)
		if err != nil {
			h.t.Fatalf("%s: %v", statement, err)
		}
		for _, r := range records {
			for _, text := range r { // there is one column
				shown = append(shown, text)
			}
		}
	}
	return shown
}

// lackAccounts makes an account on the master alone, changes its rights there, and its
// password.
func (p *twoHosts) lackAccounts() {
	p.t.Helper()
	const grant = "GRANT SELECT ON " + failovertest.Database + ".* TO 'reads'@'%'"
	p.a.alters("CREATE USER 'reads'@'%' IDENTIFIED BY 'reads-Pw1'", grant)
	p.carry(p.b.checkSays("only " + p.a.Name + " has these accounts: 'reads'@'%'"))
	p.areReady()
	p.a.alters("GRANT INSERT ON " + failovertest.Database + ".* TO 'reads'@'%'")
	p.b.alters("GRANT DELETE ON " + failovertest.Database + ".* TO 'reads'@'%'")
	p.carry(p.a.checkSays("these accounts have other rights on " + p.a.Name + " than on " + p.b.Name + ": 'reads'@'%'"))
	p.areReady()
	p.a.alters("ALTER USER 'reads'@'%' IDENTIFIED BY 'reads-Pw2'")
	p.b.alters("ALTER USER 'reads'@'%' IDENTIFIED BY 'reads-Pw2'")
	if !p.Kind.IsMySQL() { // a hash without salt: the same
		p.areReady()
		p.b.alters("ALTER USER 'reads'@'%' IDENTIFIED BY 'reads-Pw3'")
	}
	words := "these accounts have another password on " + p.a.Name + " than on " + p.b.Name
	if p.Kind.IsMySQL() {
		words += ", or the same with another salt"
	}
	p.carry(p.b.checkSays(words))
}

// lackSequences has the slave's sequences differ: MySQL has none.
func (p *twoHosts) lackSequences() {
	p.t.Helper()
	if p.Kind.IsMySQL() {
		return
	}
	const name = failovertest.Database + ".numbers"
	p.A.Exec("CREATE SEQUENCE "+name+" INCREMENT BY 3 CACHE 10", "DO NEXTVAL("+name+")")
	p.areReady()
	for _, lack := range []struct{ statement, words string }{
		{"DROP SEQUENCE " + name, "lacks the sequence " + name},
		{"ALTER SEQUENCE " + name + " INCREMENT BY 7", "counts otherwise on " + p.b.Name},
		{"ALTER SEQUENCE " + name + " RESTART WITH 1", "it would give numbers twice"},
	} {
		p.b.alters(lack.statement)
		for _, h := range []*pairHost{p.a, p.b} {
			cure := h.checkSays(lack.words)
			if h == p.b {
				_, cure, _ = strings.Cut(cure, ", in one session: ")
				p.B.Exec(strings.Split(cure, "; ")...)
			}
		}
		p.areReady()
	}
	if a, b := p.A.Value("SELECT NEXTVAL("+name+")"), p.A.Value("SELECT NEXTVAL("+name+")"); a == b {
		p.t.Errorf("the sequence gives %s, and %s", a, b)
	}
}

// lackEvents takes an event from the slave, and changes it there.
func (p *twoHosts) lackEvents() {
	p.t.Helper()
	const name = failovertest.Database + ".cleans"
	p.A.Exec("CREATE EVENT " + name + " ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO DELETE FROM " +
		failovertest.Table + " WHERE id = -7")
	p.areReady()
	for _, lack := range []struct{ statement, words string }{
		{"DROP EVENT " + name, "lacks the event " + name},
		{"ALTER EVENT " + name + " ON SCHEDULE EVERY 2 YEAR DISABLE", "has another event " + name},
	} {
		p.b.alters(lack.statement)
		cure := p.b.checkSays(lack.words)
		if !strings.HasPrefix(cure, "on "+p.a.Name+": SHOW CREATE EVENT") {
			p.t.Fatalf("the cure is %q", cure)
		}
		create := p.A.Value("SELECT CONCAT('CREATE EVENT ', event_schema, '.', event_name, ' ON SCHEDULE EVERY '," +
			" interval_value, ' ', interval_field, ' STARTS ''', starts, ''' DO ', event_definition)" +
			" FROM information_schema.events WHERE event_name = 'cleans'")
		p.A.Exec("DROP EVENT IF EXISTS "+name, create)
		p.areReady()
	}
}

// lackOptions has settings differ that programs notice.
func (p *twoHosts) lackOptions() {
	p.t.Helper()
	before := p.B.Value("SELECT @@GLOBAL.group_concat_max_len")
	p.B.Exec("SET GLOBAL group_concat_max_len=4242")
	cure := p.a.checkSays(`group_concat_max_len: "` + before + `" here, "4242" there`)
	if !strings.Contains(cure, "option files") {
		p.t.Errorf("the cure is %q", cure)
	}
	p.B.Exec("SET GLOBAL group_concat_max_len=" + before)
}
