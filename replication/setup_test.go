package replication_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// site is a master and a slave of a test's own, with what setups keep of them.
type site struct {
	master, slave *pairs.Server
	directory     string // of the state and of the files with logins
	stopBefore    string // a step at which the setup of the slave is cut off
	through       string // where the slave finds its master; empty: at its own address
	onlyPlan      bool   // the plan of the slave is not agreed to
}

// errStopped is what cuts a setup off.
var errStopped = errors.New("cut off by the test")

// handOver is where the master's setup leaves what the slave's must know.
func (s *site) handOver() string { return filepath.Join(s.directory, "hand-over.json") }

// setUpMaster sets the master up, and names the steps of its plan.
func (s *site) setUpMaster(t *testing.T, want replication.MasterWant) (steps []string) {
	t.Helper()
	want.HandOverPath, want.Databases = s.handOver(), []string{"vo"}
	setup := &replication.MasterSetup{Master: s.master.AsRoot(t, finding.Master), Want: want}
	setup.Agree = func(plan *replication.Plan) (bool, error) {
		steps = stepNames(plan)
		return true, plan.Err()
	}
	if _, err := setup.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return steps
}

// setUpSlave sets the slave up, and names the steps that were begun.
func (s *site) setUpSlave(t *testing.T, want replication.SlaveWant) (steps []string, err error) {
	t.Helper()
	if want.HandOver, err = replication.ReadHandOver(s.handOver()); err != nil {
		t.Fatal(err)
	}
	address := cmp.Or(s.through, s.master.Address())
	master, err := want.HandOver.OpenMaster(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	state, err := journal.OpenState(t.Context(), s.directory)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if _, want.Port, err = splitPort(address); err != nil {
		t.Fatal(err)
	}
	setup := &replication.Setup{
		Master: master, Slave: s.slave.AsRoot(t, finding.Slave), Want: want, State: state,
		Address: address, MonitorPath: filepath.Join(s.directory, "master.cnf"),
	}
	if s.onlyPlan {
		setup.Agree = func(plan *replication.Plan) (bool, error) { return false, plan.Err() }
	}
	setup.Begin = func(step *replication.Step) error {
		if step.Name == s.stopBefore {
			return errStopped
		}
		if readOnly := s.slave.Values(t, "SELECT @@GLOBAL.read_only")[0]; step.Name == "start-slave" && readOnly != "1" {
			t.Errorf("the replication starts with read_only=%s", readOnly)
		}
		steps = append(steps, step.Name)
		return nil
	}
	setup.Compared = func(r *compare.Result) {
		if !r.Equal() {
			t.Errorf("the slave differs: %+v", r)
		}
	}
	applied, err := setup.Run(t.Context())
	if setup.Line.Bits > 0 {
		t.Error("the line was measured for a small database")
	}
	if err == nil && applied != (len(steps) > 0) {
		t.Errorf("applied is %t after the steps %s", applied, steps)
	}
	if err == nil && state.Stage != journal.StageDone && len(steps) > 0 {
		t.Errorf("the state is %s", state.Stage)
	}
	return steps, err
}

// splitPort splits an address.
func splitPort(address string) (host string, port int, err error) {
	host, text := server.SplitAddress(address)
	port, err = strconv.Atoi(text)
	return host, port, err
}

// stepNames are the names of a plan's steps.
func stepNames(plan *replication.Plan) (names []string) {
	for _, step := range plan.Steps {
		names = append(names, step.Name)
	}
	return names
}

// onSlave runs statements on the slave in spite of read_only, and none of them
// is logged.
func (s *site) onSlave(t *testing.T, statements ...string) {
	t.Helper()
	s.slave.Exec(t, "SET GLOBAL read_only=0")
	s.slave.ExecTogether(t, append([]string{"SET sql_log_bin=0"}, statements...)...)
}

// mustFollow writes on the master until the slave has it.
func (s *site) mustFollow(t *testing.T) {
	t.Helper()
	s.master.Exec(t, "INSERT INTO vo.t (word) VALUES ('later')")
	pairs.WaitUntil(t, "row that was written on the master", func() (string, bool) {
		m, s := s.master.Values(t, "SELECT MAX(id) FROM vo.t"), s.slave.Values(t, "SELECT MAX(id) FROM vo.t")
		return fmt.Sprint(m, s), slices.Equal(m, s)
	})
}

// TestSetUp makes a master and its slave of two servers, and mends what happens
// to them afterwards.
func TestSetUp(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			pairs.MarkTools(t)
			t.Setenv("PATH", pair.Slave.Path())
			s := &site{
				master:    pairs.OwnServer(t, pair.Master, "setup master", 1),
				slave:     pairs.OwnServer(t, pair.Slave, "setup slave", 2),
				directory: t.TempDir(),
			}
			s.anew(t)
			s.mended(t)
			s.withPackets(t)
			s.withOtherPassword(t)
			s.copiedAgain(t)
			s.withoutCopy(t)
		})
	}
}

var byDump = replication.SlaveWant{Method: journal.SeedDump}

// anew sets both up for the first time, and once more.
func (s *site) anew(t *testing.T) {
	s.master.Exec(t, "CREATE DATABASE vo",
		"CREATE TABLE vo.t (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(20))", "INSERT INTO vo.t (word) VALUES ('first')")
	wantSteps(t, "a fresh master", s.setUpMaster(t, replication.MasterWant{}),
		"hand-over", "account-gtunnel-seed", "logins")
	wantSteps(t, "a master that is set up", s.setUpMaster(t, replication.MasterWant{}))
	s.mustBeReady(t, "it follows no master yet")
	s.stopBefore = "change-master"
	steps, err := s.setUpSlave(t, byDump)
	if s.stopBefore = ""; !errors.Is(err, errStopped) || !slices.Contains(steps, "seed") {
		t.Fatalf("a setup that is cut off after %s: %v", steps, err)
	}
	steps = s.wantSlave(t, "a slave with a whole copy", byDump, "change-master", "filter", "start-slave", "note-done")
	if slices.Contains(steps, "seed") {
		t.Error("a whole copy was made again")
	}
	s.wantSlave(t, "a slave that is set up", byDump)
	s.mustBeReady(t, "it follows a master through the tunnel already")
	if port := s.status(t).MasterPort; port != s.master.Port {
		t.Errorf("it follows the port %d", port)
	}
}

// mended ends what keeps the slave from following.
func (s *site) mended(t *testing.T) {
	if err := os.Remove(filepath.Join(s.directory, "replication.json")); err != nil {
		t.Fatal(err)
	}
	s.wantSlave(t, "a slave of which nothing is noted", byDump, "catch-up", "compare", "note-done")
	s.slave.Exec(t, s.words("STOP SLAVE", "STOP REPLICA"))
	s.wantSlave(t, "a slave that was stopped", byDump, "start-slave")
	s.slave.Exec(t, s.words("STOP SLAVE", "STOP REPLICA"),
		s.words("SET GLOBAL replicate_wild_do_table=''", "CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=()"))
	s.wantSlave(t, "a slave without its filter", byDump, "filter", "start-slave")
}

// withPackets ends what a copy that was killed has left.
func (s *site) withPackets(t *testing.T) {
	before, err := strconv.ParseUint(s.slave.Values(t, "SELECT @@GLOBAL.max_allowed_packet")[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	note := journal.PacketNote{Began: time.Now(), MaxAllowedPacket: before}
	if err := journal.PacketFile(s.directory, 2).Write(note); err != nil {
		t.Fatal(err)
	}
	s.slave.Exec(t, "SET GLOBAL max_allowed_packet="+strconv.Itoa(1<<30))
	s.wantSlave(t, "a slave whose packets a copy has left large", byDump, "packets")
	if got := s.slave.Values(t, "SELECT @@GLOBAL.max_allowed_packet")[0]; got != strconv.FormatUint(before, 10) {
		t.Errorf("max_allowed_packet is %s, and was %d", got, before)
	}
}

// withOtherPassword changes the password of the replication.
func (s *site) withOtherPassword(t *testing.T) {
	s.master.Exec(t, "ALTER USER "+facts.ReplicationUser+"@'127.0.0.1' IDENTIFIED BY 'Another-Pw1'")
	wantSteps(t, "a master with another password", s.setUpMaster(t, replication.MasterWant{NewPasswords: true}),
		"account-db-rep", "hand-over")
	s.slave.Exec(t, s.words("STOP SLAVE", "STOP REPLICA"), s.words("START SLAVE", "START REPLICA"))
	s.wantSlave(t, "a slave with the old password", byDump, "password")
}

// copiedAgain breaks the slave, and has it copied anew.
func (s *site) copiedAgain(t *testing.T) {
	s.onSlave(t, "INSERT INTO vo.t VALUES (1000, 'of the slave')")
	s.master.Exec(t, "INSERT INTO vo.t VALUES (1000, 'of the master')")
	pairs.WaitUntil(t, "end of the replication", func() (string, bool) {
		status := s.status(t)
		return fmt.Sprintf("%+v", *status), status.SQLErrno != 0
	})
	if _, err := s.setUpSlave(t, byDump); !finding.HasCode(err, "broken") {
		t.Errorf("a slave that has stopped: %v", err)
	}
	anew := replication.SlaveWant{Method: journal.SeedDump, Reseed: true}
	_, err := s.setUpSlave(t, anew)
	if !finding.HasCode(err, "no-seed-account") || !finding.HasCode(err, "data-on-slave") {
		t.Errorf("a copy over the slave's data by the wrong account: %v", err)
	}
	wantSteps(t, "a master that is copied again", s.setUpMaster(t, replication.MasterWant{SeedAgain: true}),
		"account-gtunnel-seed")
	anew.Replace = []string{"vo"}
	s.wantSlave(t, "a slave that differs", anew, "seed", "change-master")
}

// withoutCopy sets the slave up with the data that it has.
func (s *site) withoutCopy(t *testing.T) {
	s.slave.Exec(t, s.words("STOP SLAVE", "STOP REPLICA"), s.words("RESET SLAVE ALL", "RESET REPLICA ALL"))
	at := s.master.Rows(t, s.words("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"))[0]
	offset, err := strconv.ParseUint(at[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	start := server.Position{File: at[0], Offset: offset}
	there := replication.SlaveWant{Method: journal.SeedNone, Start: start}
	s.wantSlave(t, "a slave that has the data", there, "change-master")
	if status := s.status(t); !status.ByGTID && !s.slave.Kind.IsMySQL() {
		t.Errorf("a slave of MariaDB's that has the data does not follow by GTID: %+v", status)
	}
}

// wantSlave sets the slave up, wants steps of the plan, and that the slave follows.
func (s *site) wantSlave(t *testing.T, what string, want replication.SlaveWant, steps ...string) (all []string) {
	t.Helper()
	got, err := s.setUpSlave(t, want)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	wantSteps(t, what, got, steps...)
	s.mustFollow(t)
	return got
}

// wantSteps fails if a plan lacks some steps, or has any where none are wanted.
func wantSteps(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	for _, step := range want {
		if !slices.Contains(got, step) {
			t.Errorf("%s: no step %s in %s", what, step, strings.Join(got, ", "))
		}
	}
	if len(want) == 0 && len(got) > 0 {
		t.Errorf("%s: the steps are %s", what, strings.Join(got, ", "))
	}
}

// status is what the slave says of its master.
func (s *site) status(t *testing.T) *server.SlaveStatus {
	t.Helper()
	slave := s.slave.AsRoot(t, finding.Slave)
	status, err := slave.SlaveStatus(t.Context(), slave.DB)
	if err != nil || status == nil {
		t.Fatalf("the slave has the status %v, %v", status, err)
	}
	return status
}

// mustBeReady checks the pair as `gtunnel replication check` does, and wants that
// something is said of the slave.
func (s *site) mustBeReady(t *testing.T, slaveIs string) {
	t.Helper()
	check := &replication.Check{
		Role: finding.Slave, Local: s.slave.AsRoot(t, finding.Slave), Master: s.master.AsRoot(t, finding.Master),
		Port: s.master.Port, Databases: []string{"vo"},
	}
	ready, err := check.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(ready.Problems) > 0 {
		t.Errorf("it has problems:\n%s", pairs.Texts(ready.Problems))
	}
	well := pairs.Texts(ready.Well)
	for _, said := range []string{"server_id 1", "accounts of a slave", "vo has 1 table", "can follow a master", slaveIs} {
		if !strings.Contains(well, said) {
			t.Errorf("nothing is said of %s:\n%s", said, well)
		}
	}
}

// words gives a statement in the words of the slave's family.
func (s *site) words(mariadb, mysql string) string {
	if s.slave.Kind.IsMySQL() {
		return mysql
	}
	return mariadb
}
