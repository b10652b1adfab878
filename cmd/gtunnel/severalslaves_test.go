package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// TestSeveralSlaves: three slaves of a master that is of no pair are set up by one hand-over
// at the same time. They get ids of their own, the last drops the account of copies, and the
// master's status knows each, also when it is gone.
func TestSeveralSlaves(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, "CREATE DATABASE voms", "CREATE TABLE voms.t (id INT PRIMARY KEY)",
				"INSERT INTO voms.t VALUES (1), (2), (3)")
			all := []*severalSlave{{pair: p, server: p.slave, end: p.end, folder: t.TempDir()}}
			for i := range 2 {
				s := &severalSlave{pair: p, folder: t.TempDir()}
				s.server = startDatabase(t, kind, servertest.Options{Name: fmt.Sprintf("slave%d", i+2), ServerID: 1})
				_, s.end = p.site.startClient(p.serverAddress)
				all = append(all, s)
			}
			out := p.must(p.master, p.setupMasterArgs("--databases", "voms", "--slaves", "3")...)
			if !strings.Contains(out, "for 3 slaves") {
				t.Errorf("setup-master:\n%s", out)
			}
			setUpAll(t, all)
			if n := p.value(p.master, "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
				t.Error("the account of copies is still there")
			}
			var ids []string
			for _, s := range all {
				ids = append(ids, p.value(s.server, "SELECT @@GLOBAL.server_id"))
			}
			slices.Sort(ids)
			if len(slices.Compact(slices.Clone(ids))) != 3 {
				t.Errorf("server ids: %q", ids)
			}
			p.sql(p.master, "INSERT INTO voms.t VALUES (4)")
			for _, s := range all {
				p.waitValue(s.server, "SELECT COUNT(*) FROM voms.t", "4")
				if out, code := p.command(s.server, s.args()...).CombinedOutput(); code != nil ||
					!strings.Contains(string(out), "no change") {
					t.Errorf("the second setup-slave on %s: %v\n%s", s.server.Name, code, out)
				}
			}
			p.knowsSlaves(all)
			if out := p.must(p.master, p.setupMasterArgs("--databases", "voms")...); !strings.Contains(out, "no change") {
				t.Errorf("the second setup-master:\n%s", out)
			}
		})
	}
}

// severalSlave is one of several.
type severalSlave struct {
	pair        *pair
	server      *servertest.Server
	end, folder string
}

// args are those of its setup-slave.
func (s *severalSlave) args() []string {
	return []string{
		"replication", "setup-slave", "--socket", s.server.Socket, "--user", s.server.User, "--hand-over", s.pair.handOver(),
		"--master", s.end, "--state-dir", filepath.Join(s.folder, "state"),
		"--monitor-file", filepath.Join(s.folder, "master.cnf"), "--yes",
	}
}

// setUpAll runs their setup-slave, all at once.
func setUpAll(t *testing.T, all []*severalSlave) {
	t.Helper()
	var working sync.WaitGroup
	for _, s := range all {
		working.Go(func() {
			cmd := s.pair.command(s.server, s.args()...)
			cmd.Env = append(cmd.Env, "TMPDIR="+s.folder)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("setup-slave on %s: %v\n%s", s.server.Name, err, out)
			}
		})
	}
	working.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// knowsSlaves looks at the master's status while all of them are there, and once one is gone
// and forgotten.
func (p *pair) knowsSlaves(all []*severalSlave) {
	p.t.Helper()
	args := []string{
		"replication", "status", "--socket", p.master.Socket, "--user", p.master.User, "--state-dir", p.stateDir(),
	}
	look := func() (s watch.Status) {
		out, _ := p.run(p.master, append(args, "--json")...)
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			p.t.Fatalf("%v: %s", err, out)
		}
		return s
	}
	if err := os.MkdirAll(p.stateDir(), 0o700); err != nil {
		p.t.Fatal(err)
	}
	status := look()
	if ids, known := connected(status); len(ids) != 3 || known != 3 || len(status.Slaves) != 3 ||
		len(status.Warnings) > 0 {
		p.t.Fatalf("status: %+v, %+v, %v", status.Known, status.Slaves, status.Warnings)
	}
	if p.master.Kind.IsMySQL() && (status.Slaves[0].ServerID == nil || status.Slaves[2].ServerID == nil) {
		p.t.Errorf("status does not tell which connection is whose: %+v", status.Slaves)
	}
	gone := p.value(all[2].server, "SELECT @@GLOBAL.server_id")
	p.sql(all[2].server, "STOP "+kindWord(p.master.Kind))
	waitUntil(p.t, "a slave that is gone", func() bool { ids, _ := connected(look()); return len(ids) == 2 })
	text := p.must(p.master, args...)
	for _, want := range []string{
		"connected: 2 slaves; not connected: 1 that it had", "server_id " + gone + ": not connected, seen last at",
		"--forget " + gone,
	} {
		if !strings.Contains(text, want) {
			p.t.Errorf("status lacks %q:\n%s", want, text)
		}
	}
	if text := p.must(p.master, append(args, "--forget", gone)...); strings.Contains(text, "not connected") {
		p.t.Errorf("status of a forgotten slave:\n%s", text)
	}
	p.refused(p.master, 2, "no slave with the server_id "+gone, append(args, "--forget", gone)...)
}
