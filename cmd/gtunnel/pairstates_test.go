package main_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestPairStates brings the states of a pair about on two hosts with their guards, one after
// the other, and runs each cure as it is printed: then both are well again.
func TestPairStates(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		p.areOK()
		for _, of := range shared(p.Kind, []func(*twoHosts){
			(*twoHosts).bothWritable, (*twoHosts).writableSlave, (*twoHosts).standsAside, (*twoHosts).stopped,
			(*twoHosts).notFollowing, (*twoHosts).authFailed, (*twoHosts).sqlError, (*twoHosts).seedNeeded,
			(*twoHosts).diverged, (*twoHosts).waitsForItsPeer, (*twoHosts).splitTerms,
			(*twoHosts).brokenFiles, (*twoHosts).switchesOver,
		}) {
			of(p)
			p.areOK()
			if t.Failed() {
				return
			}
		}
		p.Equal()
	})
}

// waitTells waits until the status of the host has a state, and problems or warnings with
// codes, and gives it.
func (h *pairHost) waitTells(state string, codes ...string) (s toldStatus) {
	h.t.Helper()
	pairs.WaitFor(h.t, databasePatience, state+" of "+h.Name+" with "+strings.Join(codes, ", "), func() (string, bool) {
		s, _ = h.tells()
		has := func(code string) bool { return s.problem(code) != nil }
		return s.text, s.State == state && !slices.ContainsFunc(codes, func(code string) bool { return !has(code) })
	})
	h.t.Logf("%s is %s: %s", h.Name, s.State, s.Summary)
	for _, f := range slices.Concat(s.Problems, s.Warnings) {
		h.t.Logf("  %s: %s\n    cure: %s", f.Code, f.Text, f.Cure)
	}
	return s
}

// problem is the problem or warning with a code; nil if there is none.
func (s toldStatus) problem(code string) *toldProblem {
	for _, f := range slices.Concat(s.Problems, s.Warnings) {
		if f.Code == code {
			return &f
		}
	}
	return nil
}

// areOK waits until both are well, with the terms of both told on both, and no warning left.
func (p *twoHosts) areOK() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		pairs.WaitFor(p.t, databasePatience, h.Name+" being well", func() (string, bool) {
			s, told := h.tells()
			return s.text, told && s.State == "ok" && s.Healthy && len(s.Warnings) == 0 && s.Pair.Peer_Term != nil &&
				s.Pair.Term.Same(*s.Pair.Peer_Term) && s.Pair.Guard.Runs && s.Pair.Peer_Guard != nil && *s.Pair.Peer_Guard
		})
		h.tellsTruth("all is well")
	}
}

// pastes runs the command of a cure that begins with some words, as it is printed, in a
// shell on the host: it goes on to the next mark between words, or to what it is said to do.
// more agrees to it.
func (h *pairHost) pastes(cure, begins string, more ...string) string {
	h.t.Helper()
	out, err := h.pasted(cure, begins, more...)
	if err != nil {
		h.t.Fatalf("on %s, %s: %v:\n%s", h.Name, begins, err, out)
	}
	return out
}

// pasted is pastes of a command that may refuse.
func (h *pairHost) pasted(cure, begins string, more ...string) (string, error) {
	h.t.Helper()
	command := regexp.MustCompile(regexp.QuoteMeta(begins) + `([^;,:\n]|:\S)*`).FindString(cure)
	command = regexp.MustCompile(` (shows|says|gives|copies|moves)\b.*`).ReplaceAllString(command, "")
	if command == "" {
		h.t.Fatalf("no %q in the cure %q", begins, cure)
	}
	switch {
	case regexp.MustCompile(`^systemctl enable --now gtunnel-guard$`).MatchString(command):
		h.startGuard()
		return "", nil
	case regexp.MustCompile(`^[A-Z]+ `).MatchString(command):
		h.Exec(command)
		return "", nil
	}
	folder := filepath.Join(h.folder, "bin")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(binary(h.t), filepath.Join(folder, "gtunnel")); err != nil && !os.IsExist(err) {
		h.t.Fatal(err)
	}
	if strings.Contains(command, "--monitor-file") { // status does not know this one, which has its place on a host
		more = append(more, "--replication-file "+filepath.Join(h.folder, "replication.cnf"))
	}
	line := strings.Join(append([]string{command}, more...), " ")
	cmd := exec.CommandContext(h.t.Context(), "ip", append(h.space.enter()[1:], "sh", "-c", line)...)
	cmd.Env = append(os.Environ(), h.environment()...)
	cmd.Env = append(cmd.Env, "PATH="+folder+":"+h.path())
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", line, err)
	}
	return string(out), err
}

// agreesToLoss agrees to a new copy, which nothing but this does.
const agreesToLoss = "--replace-databases " + failovertest.Database

// inWords is a statement about replication in the words of the servers.
func (p *twoHosts) inWords(statement string) string { return inWordsOf(p.Kind, statement) }

// open lets clients write on the host, as somebody does by hand.
func (h *pairHost) open() {
	h.t.Helper()
	if h.Server.Kind.IsMySQL() {
		h.Exec("SET GLOBAL super_read_only=0")
	}
	h.Exec("SET GLOBAL read_only=0")
}

// write writes a row on the host by a client.
func (h *pairHost) write() {
	h.t.Helper()
	h.Exec("INSERT INTO " + failovertest.Table + " SELECT COALESCE(MAX(id), 0) + 1, 'by hand', NOW(6) FROM " +
		failovertest.Table)
}

func (p *twoHosts) bothWritable() {
	p.t.Helper()
	kill(p.b.guard)
	p.b.open()
	told := p.b.waitTells("split-brain", "split-brain", "no-guard")
	p.b.tellsTruth("both can be written to")
	there := p.a.waitTells("split-brain", "split-brain", "no-guard").problem("split-brain").Cure
	if want := "on " + p.b.Name + ": systemctl enable --now gtunnel-guard"; !strings.Contains(there, want) {
		p.t.Errorf("no %q in %q", want, there)
	}
	cure := told.problem("split-brain").Cure
	p.b.pastes(cure, "systemctl enable --now gtunnel-guard")
	p.b.WaitReadOnly()
	p.b.pastes(cure, "gtunnel replication rejoin", "--yes")
}

func (p *twoHosts) writableSlave() {
	p.t.Helper()
	kill(p.b.guard)
	kill(p.b.tunnel)
	p.b.open()
	told := p.b.waitTells("writable-slave", "writable-slave", "master-silent")
	p.a.waitTells("tunnel-down", "no-slave")
	p.b.tellsTruth("its tunnel was killed, and somebody has made it writable")
	p.b.pastes(told.problem("writable-slave").Cure, "systemctl enable --now gtunnel-guard")
	p.b.WaitReadOnly()
	p.b.waitTells("tunnel-down", "master-silent")
	p.b.startTunnel() // which is the cure
}

func (p *twoHosts) standsAside() {
	p.t.Helper()
	p.b.must("guard", "--stand-aside")
	told := p.b.waitTells("ok", "stands-aside")
	there := p.a.waitTells("ok", "stands-aside").problem("stands-aside").Cure
	const command = "gtunnel replication guard --stand-by"
	if want := "on " + p.b.Name + ": " + command; there != want {
		p.t.Errorf("the cure is %q, want %q", there, want)
	}
	if out, code := p.b.try("switchover", "--yes"); code != 1 || !strings.Contains(out, command) {
		p.t.Errorf("switchover to a host that stands aside ends with %d:\n%s", code, out)
	}
	p.b.pastes(told.problem("stands-aside").Cure, command)
}

// stopped stops each thread, as somebody does by hand.
func (p *twoHosts) stopped() {
	p.t.Helper()
	p.B.Exec(p.inWords("STOP SLAVE IO_THREAD"))
	told := p.b.waitTells("io-stopped", "stopped")
	p.b.tellsTruth("its I/O thread is stopped")
	p.b.pastes(told.problem("stopped").Cure, p.inWords("START SLAVE"))
	p.B.Exec(p.inWords("STOP SLAVE SQL_THREAD"))
	told = p.b.waitTells("applier-stuck", "stopped")
	p.b.pastes(told.problem("stopped").Cure, p.inWords("START SLAVE"))
}

func (p *twoHosts) notFollowing() {
	p.t.Helper()
	p.B.Exec(p.inWords("STOP SLAVE"), p.inWords("RESET SLAVE ALL"))
	told := p.b.waitTells("guard-read-only", "guard-read-only")
	p.b.tellsTruth("it follows nobody")
	p.a.waitTells("connecting", "no-slave")
	p.a.tellsTruth("nobody follows it")
	p.b.pastes(told.problem("guard-read-only").Cure, "gtunnel replication rejoin", "--yes", agreesToLoss)
}

func (p *twoHosts) authFailed() {
	p.t.Helper()
	p.A.Exec("SET SESSION sql_log_bin=0", "ALTER USER 'db_rep'@'127.0.0.1' IDENTIFIED BY 'another-Pw1'")
	p.B.Exec(p.inWords("STOP SLAVE IO_THREAD"), p.inWords("START SLAVE IO_THREAD"))
	told := p.b.waitTells("auth-failed", "access-denied")
	p.b.tellsTruth("its password is wrong")
	p.newPasswords(told.problem("access-denied").Cure)
}

func (p *twoHosts) sqlError() {
	p.t.Helper()
	p.Sync(p.A)
	allow := []string{"SET SESSION sql_log_bin=0"}
	insert := "INSERT INTO " + failovertest.Table + " VALUES (0, 'errant', NOW(6))"
	if p.Kind.IsMySQL() { // at once: the guard closes it again
		allow = append(allow, "SET GLOBAL super_read_only=0")
	}
	p.B.Exec(append(allow, insert)...)
	p.A.Exec(insert)
	told := p.b.waitTells("sql-error")
	p.b.tellsTruth("it could not apply a row")
	p.b.pastes(told.Problems[0].Cure, "gtunnel replication compare --repair-table", "--yes")
	p.b.pastes(strings.SplitN(told.Problems[0].Cure, "; then ", 2)[1], "gtunnel replication compare")
}

// seedNeeded purges what the slave has not received; the copy that mends it is cut off, and
// that is a state, too.
func (p *twoHosts) seedNeeded() {
	p.t.Helper()
	p.B.Exec(p.inWords("STOP SLAVE IO_THREAD"))
	p.a.write()
	if !p.Kind.IsMySQL() { // which keeps a slave's connection for a minute after that has gone
		p.A.Exec("KILL " + p.A.Value("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"))
	}
	p.a.waitTells("connecting", "no-slave") // a log that is being sent would be kept
	p.A.Exec("FLUSH BINARY LOGS")
	waitUntil(p.t, "end of the binary log that is still to be sent", func() bool {
		p.A.Exec("PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 SECOND") // not as long as a thread that was killed has it
		own := p.A.Own()
		logs, err := own.BinaryLogs(p.t.Context(), own.DB)
		return err == nil && len(logs) == 1
	})
	p.B.Exec(p.inWords("START SLAVE IO_THREAD"))
	told := p.b.waitTells("seed-needed", "purged")
	p.b.tellsTruth("what it needs was purged")
	p.cutsOff(told.problem("purged").Cure)
}

// cutsOff begins the new copy of a cure, slowly, and kills it.
func (p *twoHosts) cutsOff(cure string) {
	p.t.Helper()
	var much strings.Builder // which compression makes little smaller
	for range 20000 {
		much.WriteString(rand.Text())
	}
	p.A.Exec("CREATE TABLE "+failovertest.Database+".bulk (id INT PRIMARY KEY, words LONGTEXT)",
		"INSERT INTO "+failovertest.Database+".bulk VALUES (1, '"+much.String()+"')")
	if want := "gtunnel replication rejoin --new-copy " + agreesToLoss; !strings.HasPrefix(cure, want) {
		p.t.Fatalf("the cure is %q, want %q", cure, want)
	}
	copying := p.b.command(p.b.args("rejoin", "--new-copy", "--yes", "--replace-databases", failovertest.Database,
		"--max-rate", "10K")...)
	copying.Stdout, copying.Stderr = &p.b.printed, &p.b.printed
	if err := copying.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("the copy printed:\n%s", &p.b.printed)
		}
	})
	p.b.waitTells("copying")
	p.b.tellsTruth("it copies")
	if err := copying.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = copying.Wait() // it was killed
	told := p.b.waitTells("cut-off-work")
	p.b.tellsTruth("a copy was cut off")
	p.b.pastes(told.problem("copy-cut-off").Cure, "gtunnel replication rejoin", "--yes")
}

func (p *twoHosts) diverged() {
	p.t.Helper()
	p.Sync(p.A)
	p.A.Exec(p.inWords("RESET MASTER"))
	p.B.Exec(p.inWords("STOP SLAVE IO_THREAD"), p.inWords("START SLAVE IO_THREAD"))
	told := p.b.waitTells("diverged")
	p.b.tellsTruth("the master has begun its binary log anew")
	out, err := p.b.pasted(told.Problems[0].Cure, "gtunnel replication rejoin --new-copy", "--yes")
	if err != nil { // what the slave alone has came by a copy: nobody can save it, and who says so goes on
		p.b.pastes(out, "gtunnel replication rejoin --unsaved", "--yes")
	}
}

func (p *twoHosts) waitsForItsPeer() {
	p.t.Helper()
	p.b.powerCut()
	if err := p.A.Server.Restart(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	told := p.a.waitTells("guard-read-only", "guard-read-only")
	p.a.tellsTruth("the other's power is cut, and it has started")
	p.a.pastes(told.problem("guard-read-only").Cure, "gtunnel replication guard --i-am-master", "--fenced "+p.b.Name)
	p.A.WaitWritable()
	p.a.waitTells("tunnel-down", "no-slave")
	p.a.tellsTruth("it goes on alone")
	p.b.boot()
}

// splitTerms gives the hosts two terms of one number, as two promotions do.
func (p *twoHosts) splitTerms() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		kill(h.guard)
	}
	for _, h := range []*pairHost{p.a, p.b} {
		h.Update(func(n *term.Note) error {
			n.Term.Number, n.Term.Nonce, n.Term.Master = n.Term.Number+1, "of "+h.Name, h.Name
			return nil
		})
		h.startGuard()
	}
	p.a.waitTells("split-brain", "split-brain")
	told := p.b.waitTells("split-brain", "split-brain")
	p.b.tellsTruth("each is the master by its term")
	p.b.pastes(told.problem("split-brain").Cure, "gtunnel replication rejoin --give-up "+p.b.Name, "--yes")
	p.A.WaitWritable()
}

// brokenFiles has status read a gtunnel.toml with mistakes, and a note that is damaged: it
// names them, and tells the rest.
func (p *twoHosts) brokenFiles() {
	p.t.Helper()
	folder := p.t.TempDir()
	text, err := os.ReadFile(p.b.config)
	if err != nil {
		p.t.Fatal(err)
	}
	broken := filepath.Join(folder, "broken.toml")
	for path, content := range map[string]string{
		broken: string(text) + "\n[pair.more]\nhost = 1\n", filepath.Join(folder, term.FileName): "{\"host_id\": ",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	damaged := p.b.watchArgs("status", "--config", p.b.config, "--state-dir", folder)
	for words, args := range map[string][]string{
		broken: p.b.watchArgs("status", "--config", broken), term.FileName: damaged,
	} {
		out, err := p.b.command(args...).CombinedOutput()
		if err == nil {
			p.t.Errorf("with %s broken, status ends with 0", words)
		}
		for _, word := range []string{words, "what it knows of its pair cannot be read", "receives", "applies", "lag"} {
			if !strings.Contains(string(out), word) {
				p.t.Errorf("with %s broken, status does not say %q:\n%s", words, word, out)
			}
		}
	}
	check := p.b.command("run", "--check", "--config", broken)
	if out, err := check.CombinedOutput(); err == nil || !strings.Contains(string(out), broken) {
		p.t.Errorf("run --check ends with %v:\n%s", err, out)
	}
}

// switchesOver has the roles change, and change back. The log has it.
func (p *twoHosts) switchesOver() {
	p.t.Helper()
	for _, h := range []*pairHost{p.b, p.a} {
		if out := h.must("switchover", "--yes"); !strings.Contains(out, `"message":"promoted"`) {
			p.t.Errorf("the log of a switchover lacks it:\n%s", out)
		}
		p.areOK()
	}
}
