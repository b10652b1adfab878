package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// furtherHost is a slave beside a pair: its server, and a client to each host of the pair.
// It is in the network namespace of one of them, at ports of its own.
type furtherHost struct {
	t       testing.TB
	name    string
	space   *space
	server  *servertest.Server
	folder  string
	port    int // of the server; the ends of the tunnels are the next two
	clients *program
}

// newFurther makes it; its server and its tunnels are started by start.
func newFurther(p *twoHosts, name string, space *space, port int) *furtherHost {
	p.t.Helper()
	h := &furtherHost{t: p.t, name: name, space: space, folder: p.t.TempDir(), port: port}
	host, err := p.ca.NewHost(name, certstest.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	cert, key, err := host.Write(h.folder)
	if err != nil {
		p.t.Fatal(err)
	}
	text := fmt.Sprintf("[tls]\ncert = %q\nkey = %q\ncapath = %q\n[log]\nformat = \"json\"\n", cert, key, p.capath)
	for i, of := range pairNames {
		text += fmt.Sprintf("[tunnel.host%d]\nrole = \"client\"\naccept = \"127.0.0.1:%d\"\nconnect = [\"%s:3307\"]\n",
			i+1, port+1+i, of)
	}
	if err := os.WriteFile(h.config(), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return h
}

func (h *furtherHost) config() string { return filepath.Join(h.folder, "gtunnel.toml") }

// start starts the server and the tunnels.
func (h *furtherHost) start(kind servertest.Kind, flags ...string) {
	h.t.Helper()
	h.server = startDatabase(h.t, kind, servertest.Options{
		Name: h.name, ServerID: 1, Port: h.port, Flags: flags, Within: h.space.within,
	})
	h.clients = startIn(h.t, "gtunnel run of "+h.name, h.space.enter(), h.environment(), "run", "--config", h.config())
	for range 2 {
		h.clients.waitMessage("listening")
	}
}

func (h *furtherHost) environment() []string {
	return []string{
		"RUNTIME_DIRECTORY=" + h.folder, "HOME=" + h.folder, "PATH=" + h.server.Kind.Path() + ":/usr/sbin:/sbin",
	}
}

// try runs a command there, with the flags that it has of the places of files.
func (h *furtherHost) try(command string, more ...string) (out string, code int) {
	h.t.Helper()
	args := []string{
		"replication", command, "--socket", h.server.Socket, "--user", h.server.User,
		"--state-dir", filepath.Join(h.folder, "state"),
	}
	file := "--monitor-file"
	if command == "status" || command == "compare" {
		file = "--master-defaults-file"
	}
	args = append(append(args, file, filepath.Join(h.folder, "master.cnf")), more...)
	line := slices.Concat(h.space.enter(), []string{binary(h.t)}, args)
	cmd := exec.CommandContext(h.t.Context(), line[0], line[1:]...)
	cmd.Env = append(os.Environ(), h.environment()...)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		h.t.Error(err)
	}
	return string(text), 0
}

// follow runs the command, whose exit code and words must be so.
func (h *furtherHost) follow(code int, words string, more ...string) string {
	h.t.Helper()
	out, got := h.try("follow", append([]string{"--config", h.config(), "--yes"}, more...)...)
	if got != code {
		h.t.Fatalf("exit code %d of follow on %s, want %d:\n%s", got, h.name, code, out)
	}
	for word := range strings.SplitSeq(words, "|") {
		if !strings.Contains(out, word) {
			h.t.Fatalf("no %q of follow on %s:\n%s", word, h.name, out)
		}
	}
	return out
}

// value is the one value of a query.
func (h *furtherHost) value(query string) string {
	h.t.Helper()
	var value string
	if err := h.server.DB.QueryRowContext(h.t.Context(), query).Scan(&value); err != nil {
		h.t.Errorf("%s: %s: %v", h.name, query, err)
	}
	return value
}

// has waits until a row has arrived.
func (h *furtherHost) has(id int) {
	h.t.Helper()
	pairs.WaitFor(h.t, databasePatience, fmt.Sprintf("row %d on %s", id, h.name), func() (string, bool) {
		return "not there", h.value(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE id = %d", failovertest.Table, id)) == "1"
	})
}

// insert writes a row on a host of the pair.
func insert(on *failovertest.Host, id int) {
	on.Exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, 'x', NOW(6))", failovertest.Table, id))
}

// letIn names the further slaves in the configuration of both hosts of the pair.
func (p *twoHosts) letIn(names ...string) {
	p.t.Helper()
	quoted := `"` + strings.Join(names, `", "`) + `"`
	for _, h := range []*pairHost{p.a, p.b} {
		text, err := os.ReadFile(h.config)
		if err != nil {
			p.t.Fatal(err)
		}
		changed := strings.Replace(string(text), "[pair]\n", "[pair]\nslaves = ["+quoted+"]\n", 1)
		if err := os.WriteFile(h.config, []byte(changed), 0o644); err != nil {
			p.t.Fatal(err)
		}
		kill(h.tunnel)
		h.startTunnel()
	}
}

// statusOn is the status of a host of the pair.
func (h *pairHost) statusOn() watch.Status {
	h.t.Helper()
	out, err := h.command(h.watchArgs("status", "--config", h.config, "--json")...).Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	var status watch.Status
	if err := json.Unmarshal(out, &status); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return status
}

// connected are the ids of the slaves that a status knows to be connected, and how many it
// knows at all.
func connected(s watch.Status) (ids []uint32, known int) {
	for _, k := range s.Known {
		if k.Connected {
			ids = append(ids, k.ServerID)
		}
	}
	return ids, len(s.Known)
}

// logsUpdates are the flags of a slave that logs what it applies.
func logsUpdates(kind servertest.Kind) []string {
	if kind.IsMySQL() {
		return gtids(kind)
	}
	return []string{"--log-slave-updates=ON"}
}

// TestFurtherSlaves: one hand-over makes two more slaves of a pair's master at the same time.
// The master is lost with one of them ahead of the pair's slave, which is promoted; the
// others follow by one command each.
func TestFurtherSlaves(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newTwoHosts(t, kind)
			c := newFurther(p, "server3.domain.three", p.b.space, 3316)
			d := newFurther(p, "server4.domain.four", p.a.space, 3326) // which sees the first after a cut
			p.letIn(c.name, d.name)
			p.a.startGuard()
			p.b.startGuard()
			p.setUpFurther(c, d)
			p.listsSlaves(c, d)
			p.losesMaster(c, d)
			p.refusesStale(c, d)
			p.followsAhead(d)
			insert(p.B, 7)
			c.has(7)
			d.has(7)
			for _, h := range []*furtherHost{c, d} {
				if out, code := h.try("compare"); code != 0 {
					t.Errorf("compare on %s:\n%s", h.name, out)
				}
				if out, code := h.try("status", "--config", h.config()); code != 0 {
					t.Errorf("status on %s:\n%s", h.name, out)
				}
			}
		})
	}
}

// setUpFurther makes both slaves by one hand-over, at the same time.
func (p *twoHosts) setUpFurther(c, d *furtherHost) {
	p.t.Helper()
	handOver := filepath.Join(p.t.TempDir(), "hand-over.json")
	p.a.must("setup-master", "--hand-over", handOver, "--databases", failovertest.Database, "--seed-again",
		"--slaves", "3", "--yes")
	c.start(p.Kind, gtids(p.Kind)...)
	d.start(p.Kind, logsUpdates(p.Kind)...)
	var working sync.WaitGroup
	for _, h := range []*furtherHost{c, d} {
		working.Go(func() {
			args := []string{
				"--config", h.config(), "--hand-over", handOver, "--master", fmt.Sprintf("127.0.0.1:%d", h.port+1), "--yes",
			}
			if out, code := h.try("setup-slave", args...); code != 0 {
				p.t.Errorf("exit code %d of setup-slave on %s:\n%s", code, h.name, out)
			}
		})
	}
	working.Wait()
	if p.t.Failed() {
		p.t.FailNow()
	}
	if n := p.A.Value("SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
		p.t.Errorf("the account of copies is still there")
	}
	ids := []string{
		p.A.Value("SELECT @@GLOBAL.server_id"), p.B.Value("SELECT @@GLOBAL.server_id"), c.value("SELECT @@GLOBAL.server_id"),
		d.value("SELECT @@GLOBAL.server_id"),
	}
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != 4 {
		p.t.Errorf("server ids: %q", ids)
	}
	for _, h := range []*furtherHost{c, d} {
		out, code := h.try("setup-slave", "--config", h.config(), "--hand-over", handOver,
			"--master", fmt.Sprintf("127.0.0.1:%d", h.port+1), "--yes")
		if code != 0 || !strings.Contains(out, "no change") {
			p.t.Errorf("the second setup-slave on %s: %d:\n%s", h.name, code, out)
		}
		h.follow(0, "no change")
	}
}

// listsSlaves looks at the status of the master while all are there, and while one is gone.
func (p *twoHosts) listsSlaves(c, d *furtherHost) {
	p.t.Helper()
	insert(p.A, 1)
	c.has(1)
	d.has(1)
	p.Sync(p.A) // the pair's slave tries again every 10 s since the tunnels were started anew
	status := p.a.statusOn()
	if ids, known := connected(status); len(ids) != 3 || known != 3 || len(status.Slaves) != 3 || !status.Healthy {
		p.t.Fatalf("status on the master: %+v, %+v", status.Known, status.Slaves)
	}
	d.server.DB.ExecContext(p.t.Context(), "STOP "+kindWord(p.Kind))
	waitUntil(p.t, "a slave that is gone", func() bool {
		status = p.a.statusOn()
		ids, known := connected(status)
		return len(ids) == 2 && known == 3
	})
	if len(status.Warnings) != 1 || status.Warnings[0].Code != "slave-gone" ||
		!strings.Contains(status.Summary, "further slaves 1 are not connected") {
		p.t.Errorf("status on the master, without one slave: %s: %v", status.Summary, status.Warnings)
	}
	d.server.DB.ExecContext(p.t.Context(), "START "+kindWord(p.Kind))
	waitUntil(p.t, "all slaves", func() bool { ids, _ := connected(p.a.statusOn()); return len(ids) == 3 })
}

// losesMaster cuts the link, so that one slave alone receives what the master writes, loses
// the master, and promotes the other host. The other slave follows.
func (p *twoHosts) losesMaster(c, d *furtherHost) {
	p.t.Helper()
	insert(p.A, 2)
	c.has(2)
	d.has(2)
	p.Sync(p.A)
	p.a.silence()
	insert(p.A, 3)
	d.has(3)
	p.a.powerCut()
	out := p.b.must("promote", "--fenced", p.A.Name, "--lose-at-most", "any", "--yes")
	for _, want := range []string{c.name + ", " + d.name, "gtunnel replication follow"} {
		if !strings.Contains(out, want) {
			p.t.Errorf("promote does not say %q:\n%s", want, out)
		}
	}
	insert(p.B, 4)
	before := c.value("SELECT @@GLOBAL.server_id")
	c.follow(0, "make "+p.B.Name+" the master", "--dry-run")
	c.follow(0, "This slave follows "+p.B.Name+"|does not answer")
	c.has(4)
	c.follow(0, "no change")
	if c.value("SELECT @@GLOBAL.server_id") != before {
		p.t.Errorf("the server_id of %s has changed", c.name)
	}
	d.follow(1, "no host of a pair says who is the master|"+p.B.Name+" at 127.0.0.1:3328 does not answer")
}

// refusesStale lets the old master come back without its guard, writable, while the new one
// cannot be reached: it is not followed.
func (p *twoHosts) refusesStale(c, d *furtherHost) {
	p.t.Helper()
	p.a.guarded = false
	kill(p.b.tunnel)
	p.a.boot()
	p.A.Exec("SET GLOBAL read_only=0")
	c.follow(1, "this slave has seen the term 2|"+p.A.Name+" says that "+p.A.Name+" is the master, by the term 1")
	c.server.DB.ExecContext(p.t.Context(), "STOP "+kindWord(p.Kind))
	c.follow(1, "this slave has seen the term 2")
	c.server.DB.ExecContext(p.t.Context(), "START "+kindWord(p.Kind))
	if end := fmt.Sprint(c.port + 2); !strings.Contains(c.connection(), end) {
		p.t.Errorf("%s does not follow the new master any more: %s", c.name, c.connection())
	}
	// One that follows it since before stays as it is, and says what it does not know.
	d.follow(0, "no change|"+p.B.Name+" at 127.0.0.1:3328 does not answer|whether it was made the master")
	p.b.startTunnel()
}

// connection is whom the server follows.
func (h *furtherHost) connection() string {
	out, _ := h.try("status", "--config", h.config(), "--json")
	var status watch.Status
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&status); err != nil || status.Connection == nil {
		h.t.Fatalf("%v: %s", err, out) // what is behind it is the error
	}
	return fmt.Sprintf("%s:%d", status.Connection.MasterHost, status.Connection.MasterPort)
}

// followsAhead has the slave follow that was ahead: what only it has is saved, and it is
// copied anew once that is agreed to.
func (p *twoHosts) followsAhead(d *furtherHost) {
	p.t.Helper()
	d.follow(1, "only this slave has 1 transaction|voms.acts: 1 row|setup-master --seed-again|--replace-databases voms|"+
		p.A.Name+" can be written to, and is not the master")
	d.follow(1, "the hand-over file of "+p.B.Name+" is needed", "--replace-databases", "voms")
	d.has(3)
	handOver := filepath.Join(p.t.TempDir(), "hand-over.json")
	p.b.must("setup-master", "--hand-over", handOver, "--databases", failovertest.Database, "--seed-again", "--yes")
	d.follow(0, "This slave follows "+p.B.Name, "--replace-databases", "voms", "--hand-over", handOver)
	saved, err := filepath.Glob(filepath.Join(d.folder, "state", "errant-*.sql"))
	if err != nil || len(saved) != 1 {
		p.t.Fatalf("saved: %q, %v", saved, err)
	}
	text, err := os.ReadFile(saved[0])
	if err != nil || !strings.Contains(string(text), "@1=3") {
		p.t.Errorf("what was saved: %v\n%s", err, text)
	}
	d.follow(0, "no change")
	if rows := d.value("SELECT COUNT(*) FROM " + failovertest.Table + " WHERE id = 3"); rows != "0" {
		p.t.Errorf("%s still has what the master has not", d.name)
	}
}
