package main_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
)

// dumpArgs is dump on the master.
func (p *pair) dumpArgs(more ...string) []string {
	return append([]string{
		"replication", "dump", "--socket", p.master.Socket, "--user", p.master.User, "--hand-over", p.handOver(),
	}, more...)
}

// dumpTo dumps to a file of a name, and gives its path.
func (p *pair) dumpTo(name string, more ...string) string {
	p.t.Helper()
	path := filepath.Join(p.folder, name)
	p.must(p.master, p.dumpArgs(append(more, "--output", path, "--force")...)...)
	return path
}

// fed runs a command on the slave's host with something on its standard input.
func (p *pair) fed(stdin *exec.Cmd, args ...string) (out string, code int) {
	p.t.Helper()
	from, err := stdin.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := p.command(p.slave, args...)
	var both bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = from, &both, &both
	if err := stdin.Start(); err != nil {
		p.t.Fatal(err)
	}
	_ = cmd.Run() // its exit code tells
	if err := stdin.Wait(); err != nil && cmd.ProcessState.Success() {
		p.t.Errorf("what was piped has failed: %v", err)
	}
	p.printed.Write(both.Bytes())
	return both.String(), cmd.ProcessState.ExitCode()
}

// TestSetupByDump makes a slave of a dump that is piped to it, and again of a file.
func TestSetupByDump(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, slices.Concat(twoDatabases, []string{
			"CREATE VIEW voms.v AS SELECT id FROM voms.t", "CREATE PROCEDURE voms.p() SELECT 1",
			"CREATE TRIGGER voms.tr BEFORE INSERT ON voms.t FOR EACH ROW SET NEW.words = CONCAT(NEW.words, '!')",
			"CREATE EVENT voms.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM voms.t WHERE id < 0",
			"CREATE TABLE voms.`odd ``name` (id INT PRIMARY KEY, `ü` TEXT)", "INSERT INTO voms.`odd ``name` VALUES (1, 'ä')",
		})...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		var told bytes.Buffer
		dump := p.command(p.master, p.dumpArgs()...)
		dump.Stderr = &told
		out, code := p.fed(dump, p.setupSlaveArgs("--seed", "-", "--compress", "on")...)
		for _, words := range []string{
			"load voms, iam, about ", "from the dump of the standard input (a dump of ", "equal at ",
		} {
			if code != 0 || !strings.Contains(out, words) {
				t.Fatalf("exit code %d without %q of setup-slave:\n%s\nand of dump:\n%s", code, words, out, &told)
			}
		}
		if !strings.Contains(told.String(), "dumped voms, iam: 3 tables, ") {
			t.Errorf("dump says:\n%s", &told)
		}
		p.replicates()
		p.must(p.slave, p.compareArgs()...)
		if left, _ := filepath.Glob(filepath.Join(p.stateDir(), "dump-*")); len(left) > 0 {
			t.Errorf("%v were left", left)
		}

		p.compresses("on")
		p.noChange(p.slave, p.setupSlaveArgs("--compress", "on")...)
		p.must(p.slave, p.setupSlaveArgs("--compress", "off")...)
		p.compresses("off")

		// Once more, of a file: no change, unless that is asked for.
		path := p.dumpTo("voms.dump")
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("the file is %v, %v", info, err)
		}
		p.noChange(p.slave, p.setupSlaveArgs("--seed", path)...)
		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		p.sql(p.master, "INSERT INTO iam.t VALUES (77)") // behind the dump
		again := p.setupSlaveArgs("--seed", path, "--reseed", "--replace-databases", "voms,iam")
		p.refusesBehind(again)
		shown := p.must(p.slave, append(slices.Clone(again), "--dry-run")...)
		if !strings.Contains(shown, "from "+path+" (a dump of ") {
			t.Errorf("the plan says:\n%s", shown)
		}
		p.must(p.slave, again...)
		p.waitSlave("SELECT COUNT(*) FROM iam.t WHERE id = 77")
		p.must(p.slave, p.compareArgs()...)
		p.noSecrets()
	})
}

// refusesBehind refuses a dump for a slave that has come further by GTIDs, running or not. The
// dump is such that it can be loaded then.
func (p *pair) refusesBehind(again []string) {
	p.t.Helper()
	strict := func(on string) {
		if !p.slave.Kind.IsMySQL() {
			p.sql(p.slave, "SET GLOBAL gtid_strict_mode="+on)
		}
	}
	strict("ON") // it would not take the row behind the dump, and MySQL would pass over it
	p.unchanged(p.slave, 1, "it replicates, and so comes to have transactions", again...)
	p.waitSlave("SELECT COUNT(*) FROM iam.t WHERE id = 77")
	p.onSlave("STOP SLAVE")
	p.unchanged(p.slave, 1, "it has had transactions", again...)
	strict("OFF")
	if p.slave.Kind.IsMySQL() {
		p.dumpTo("voms.dump")
	}
}

// compresses fails unless what the slave gets is compressed, on or off, by what its server says.
func (p *pair) compresses(want string) {
	p.t.Helper()
	query := "SELECT IF(@@GLOBAL.slave_compressed_protocol, 'on', 'off')"
	if p.slave.Kind.IsMySQL() {
		query = "SELECT IF(compression_algorithm = 'uncompressed', 'off', 'on')" +
			" FROM performance_schema.replication_connection_configuration WHERE channel_name = ''"
	}
	if got := p.value(p.slave, query); got != want {
		p.t.Errorf("the compression is %s, want %s", got, want)
	}
}

// TestCorpusByDump takes the schemas of services through a dump.
func TestCorpusByDump(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		schemas, err := corpus.Schemas(kind, 20)
		if err != nil {
			t.Fatal(err)
		}
		c := &corpusRun{pair: newDirectPair(t, kind), schemas: schemas, random: rand.New(rand.NewPCG(16, 2))}
		c.setUpMaster()
		c.untilDone(c.slave, c.setupSlaveArgs("--seed", c.dumpTo("corpus.dump", "--lock-tables"), "--skip-compare"))
		c.write(50)
		c.stopWriting()
		c.agree(c.databases)
	})
}

// TestSetupRefusesDumps: what is no dump for this slave, and that nothing has changed.
func TestSetupRefusesDumps(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		whole, err := os.ReadFile(p.dumpTo("whole.dump"))
		if err != nil {
			t.Fatal(err)
		}
		file := func(name string, content []byte) string {
			path := filepath.Join(p.folder, name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, _ = zip.Write(whole) // into memory
		_ = zip.Close()
		changed := bytes.Clone(whole)
		changed[len(changed)/2] ^= 1
		of := func(code int, words string, path string, more ...string) {
			t.Helper()
			p.unchanged(p.slave, code, words, p.setupSlaveArgs(append(more, "--seed", path)...)...)
		}
		of(1, "is cut short", file("cut", whole[:len(whole)-1]))
		of(1, "is cut short", file("head", whole[:200]))
		of(1, "its checksum is another one", file("changed", changed))
		of(1, "compressed by gzip", file("zipped", zipped.Bytes()))
		of(1, "it is the SQL of a dump tool", file("sql", []byte("-- MySQL dump 10.13\n\nCREATE DATABASE voms;\n")))
		of(1, "is of a newer format (2)", file("newer", bytes.Replace(whole, []byte(`_dump":1`), []byte(`_dump":2`), 1)))
		of(1, "is empty", file("empty", nil))
		of(2, "no such file", filepath.Join(p.folder, "none"))
		of(2, "is a directory", p.folder)
		of(1, "has the databases voms, and voms,iam are to be replicated", p.dumpTo("voms.dump", "--databases", "voms"))
		of(2, "is not for --seed", file("whole", whole), "--method", "mydumper")
		of(2, "is not for --seed", file("whole", whole), "--max-rate", "1M")
		of(1, "there is a database voms already", p.dataOnSlave(file("whole", whole)))
		p.sql(p.slave, "DROP DATABASE voms")

		// Of another master, with the same server_id and the same databases.
		other := startDatabase(t, kind, servertest.Options{Name: "other", ServerID: 1})
		p.sql(other, twoDatabases...)
		of(1, "is of another master", p.dumpOf(other))

		out, code := p.fed(exec.CommandContext(t.Context(), "false"), p.setupSlaveArgs("--seed", "-")...)
		const empty = "the dump of the standard input is empty"
		if code != 1 || !strings.Contains(out, empty) || !strings.Contains(out, "hint: ") {
			t.Errorf("exit code %d of an empty standard input:\n%s", code, out)
		}

		if kind.IsMySQL() {
			p.changeGTIDs("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")
			before := p.dumpTo("before.dump")
			p.changeGTIDs("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")
			of(1, "has no GTIDs, which the master has turned on since", before)
		}

		// Older than the binary log.
		p.sql(p.master, "FLUSH BINARY LOGS")
		p.purgeLogs()
		of(1, "older than the master's binary log", file("whole", whole))
		p.must(p.slave, p.setupSlaveArgs("--seed", p.dumpTo("anew.dump"))...)
	})
}

// dataOnSlave makes a database on the slave that is somebody's.
func (p *pair) dataOnSlave(path string) string {
	p.t.Helper()
	p.sql(p.slave, "CREATE DATABASE voms", "CREATE TABLE voms.mine (id INT PRIMARY KEY)")
	return path
}

// changeGTIDs takes the master's gtid_mode through some values.
func (p *pair) changeGTIDs(modes ...string) {
	p.t.Helper()
	for _, mode := range modes {
		p.sql(p.master, "SET GLOBAL gtid_mode="+mode)
	}
}

// dumpOf dumps another server than the master.
func (p *pair) dumpOf(s *servertest.Server) string {
	p.t.Helper()
	path := filepath.Join(p.folder, "other.dump")
	p.must(s, "replication", "dump", "--socket", s.Socket, "--user", s.User, "--databases", "voms,iam", "--output", path,
		"--hand-over", filepath.Join(p.folder, "no hand-over"))
	return path
}

// TestDumpRefusals: when no dump is made, and that no file is left then.
func TestDumpRefusals(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		path := filepath.Join(p.folder, "voms.dump")
		none := func(code int, words string, args ...string) {
			t.Helper()
			if out := p.refused(p.master, code, words, args...); !strings.Contains(out, "hint: ") {
				t.Errorf("no hint:\n%s", out)
			}
			if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
				t.Errorf("%v were left", left)
			}
		}
		none(2, "the hand-over file cannot be read", p.dumpArgs("--output", path)...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		none(1, "there is no database vmos", p.dumpArgs("--databases", "vmos", "--output", path)...)
		none(2, "is no folder", p.dumpArgs("--output", filepath.Join(path, "none", "at all"))...)

		p.sql(p.master, "CREATE TABLE voms.m (id INT PRIMARY KEY) ENGINE=MyISAM")
		none(1, "tables without transactions can change while they are copied", p.dumpArgs("--output", path)...)
		p.must(p.master, p.dumpArgs("--output", path, "--lock-tables")...)
		out := p.refused(p.master, 2, "is there already", p.dumpArgs("--output", path, "--lock-tables")...)
		if !strings.Contains(out, "--force") {
			t.Errorf("no way out:\n%s", out)
		}
		p.must(p.master, p.dumpArgs("--output", path, "--lock-tables", "--force")...)
		p.sql(p.master, "DROP TABLE voms.m")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}

		p.sql(p.master, "CREATE USER few@localhost IDENTIFIED BY ''", "GRANT SELECT, RELOAD ON *.* TO few@localhost")
		none(1, "lacks privileges: SHOW VIEW, TRIGGER, EVENT, PROCESS, REPLICATION CLIENT",
			p.dumpArgs("--output", path, "--user", "few")...)

		// A tool that is killed, and one that ends early and well.
		for name, end := range map[string]string{"killed": "kill -9 $$", "cut off": "exit 0"} {
			cmd := p.command(p.master, p.dumpArgs("--output", path)...)
			cmd.Env = append(cmd.Env, "PATH="+p.brokenTools(end)+":"+kind.Path())
			out, err := cmd.CombinedOutput()
			if left, _ := filepath.Glob(path + "*"); err == nil || cmd.ProcessState.ExitCode() != 1 || len(left) > 0 {
				t.Errorf("%s: %v, %v are left:\n%s", name, err, left, out)
			}
		}
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		cmd := p.command(p.master, p.dumpArgs()...)
		var told bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &told
		if err := cmd.Run(); err == nil || !strings.Contains(told.String(), "write the dump: ") {
			t.Errorf("on a full device: %v:\n%s", err, &told)
		}
	})
}

// brokenTools is a folder with a dump tool that leaves its last line out and ends in its own way.
func (p *pair) brokenTools(end string) string {
	p.t.Helper()
	folder := p.t.TempDir()
	for _, name := range []string{"mariadb-dump", "mysqldump"} {
		find := "PATH=" + p.master.Kind.Path() + " command -v " + name
		found, err := exec.CommandContext(p.t.Context(), "sh", "-c", find).Output()
		if err != nil {
			continue
		}
		script := fmt.Sprintf(`#!/bin/sh
case "$*" in --version|--help) exec %[1]s "$@";; esac
%[1]s "$@" | sed '$d'
%[2]s
`, strings.TrimSpace(string(found)), end)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	return folder
}

// TestKillByDump kills setup-slave at moments of its work with a dump, which the families
// share. The next run
// completes what it left, and nothing of the dump stays behind.
func TestKillByDump(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		path := p.dumpTo("voms.dump")
		begun := time.Now()
		p.must(p.slave, p.setupSlaveArgs("--seed", path)...)
		whole := time.Since(begun)
		const moments = 8
		for _, i := range shared(kind, upTo(moments)) {
			p.must(p.master, p.setupMasterArgs("--databases", "voms,iam", "--seed-again")...)
			p.sql(p.master, "REPLACE INTO voms.t SELECT id + 7, REPEAT('x', 90) FROM voms.t")
			p.onSlave("STOP SLAVE")
			path := p.dumpTo("voms.dump")
			after := time.Duration((float64(i) + 0.5) / moments * float64(whole))
			next := p.setupSlaveArgs("--seed", path, "--replace-databases", "voms,iam")
			killed := p.killAfter(after, p.slave, append(slices.Clone(next), "--reseed")...)
			if out, code := p.run(p.slave, next...); code != 0 {
				t.Fatalf("killed after %v (%v), and then exit code %d:\n%s", after, killed, code, out)
			}
			p.sql(p.master, "INSERT INTO iam.t (id) SELECT COALESCE(MAX(id), 0) + 1 FROM iam.t")
			p.waitSlave("SELECT COUNT(*) FROM iam.t")
			p.must(p.slave, p.compareArgs()...)
		}
		if left, _ := filepath.Glob(filepath.Join(p.stateDir(), "dump-*")); len(left) > 0 {
			t.Errorf("%v were left", left)
		}
		p.noSecrets()
	})
}

// TestSetupByDumpAsks: with the dump on the standard input the questions are asked at the
// terminal of the command; and a dump is not written to one.
func TestSetupByDumpAsks(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	onTerminal := func(cmd *exec.Cmd) *os.File {
		t.Helper()
		far, near := terminaltest.Open(t, 200)
		cmd.Stdout, cmd.Stderr = near, near
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return far
	}
	dump := p.command(p.master, p.dumpArgs()...)
	far := onTerminal(dump)
	terminaltest.Shown(t, far, "a dump is not for a terminal")
	if _ = dump.Wait(); dump.ProcessState.ExitCode() != 2 { // it tells more than the error
		t.Errorf("the exit code is %d", dump.ProcessState.ExitCode())
	}

	file, err := os.Open(p.dumpTo("voms.dump"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	args := slices.DeleteFunc(p.setupSlaveArgs("--seed", "-"), func(arg string) bool { return arg == "--yes" })
	setup := p.command(p.slave, args...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	go func() {
		_, _ = io.Copy(write, file) // the setup tells what it lacks
		_ = write.Close()
	}()
	setup.Stdin = read
	far = onTerminal(setup)
	terminaltest.Shown(t, far, "[n]o: ")
	if _, err := far.WriteString("a\n"); err != nil {
		t.Fatal(err)
	}
	terminaltest.Shown(t, far, "Remove it on this host now?")
	if _, err := far.WriteString("n\n"); err != nil {
		t.Fatal(err)
	}
	if err := setup.Wait(); err != nil {
		t.Error(err)
	}
}
