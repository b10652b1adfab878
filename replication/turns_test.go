package replication_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// How often the master may be waited for at most, logins included: of these there are two
// or three, most of them at the same time.
const (
	mostOfPlan    = 19
	mostOfAgain   = 19
	mostOfStatus  = 7
	mostOfCompare = 27
)

// TestTurns: how often the slave waits for its master does not grow with the number of
// tables and accounts.
func TestTurns(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			pairs.MarkTools(t)
			t.Setenv("PATH", pair.Slave.Path())
			s := &site{
				master:    pairs.OwnServer(t, pair.Master, "far master", 1),
				slave:     pairs.OwnServer(t, pair.Slave, "far slave", 2),
				directory: t.TempDir(),
			}
			turns, err := servertest.CountTurns(s.master.Address())
			if err != nil {
				t.Fatal(err)
			}
			defer turns.Close()
			s.through = turns.Address
			const few, many = 10, 60
			s.master.Exec(t, "CREATE DATABASE vo",
				"CREATE TABLE vo.t (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(20))")
			s.more(t, 0, few)
			s.setUpMaster(t, replication.MasterWant{})
			s.planned(t) // MySQL keeps what makes the next login shorter
			s.mustBeAlike(t, turns, func() { s.more(t, few, many) }, act{"the plan", mostOfPlan, s.planned})
			if _, err := s.setUpSlave(t, byDump); err != nil {
				t.Fatal(err)
			}
			s.mustFollow(t)
			s.again(t)
			s.look(t)
			s.mustBeAlike(t, turns, func() { s.fewer(t, few, many) },
				act{"the setup again", mostOfAgain, s.again}, act{"status", mostOfStatus, s.look},
				act{"the comparison", mostOfCompare, s.compared})
		})
	}
}

// act is what waits for the master, as often as it may at most.
type act struct {
	what string
	most int
	do   func(*testing.T)
}

// ofLogin reports whether a turn is one of a login: whether one more is made, or a session
// that is free is used, is a matter of moments.
func ofLogin(turn string) bool {
	return strings.HasPrefix(turn, "(") || strings.HasPrefix(turn, "SET sql_mode='', ")
}

// mustBeAlike wants as many turns of each act after a change as before it, beside those of
// logins.
func (s *site) mustBeAlike(t *testing.T, turns *servertest.Turns, change func(), acts ...act) {
	t.Helper()
	count := func(a act) (n, all int, shown string) {
		turns.Take()
		a.do(t)
		asked, logins := turns.Take()
		for i, text := range asked {
			asked[i] = text[:min(len(text), 300)]
			if !ofLogin(text) {
				n++
			}
		}
		return n, len(asked), fmt.Sprintf("%d logins\n%s", logins, strings.Join(asked, "\n"))
	}
	before, first := make([]int, len(acts)), make([]string, len(acts))
	for i, a := range acts {
		before[i], _, first[i] = count(a)
	}
	change()
	for i, a := range acts {
		after, all, second := count(a)
		if before[i] != after || all > a.most {
			t.Errorf("%s takes %d turns beside logins, then %d, and with them %d, of which %d at most are wanted:\n%s\nthen\n%s",
				a.what, before[i], after, all, a.most, first[i], second)
		}
	}
}

// again sets up the slave that is set up.
func (s *site) again(t *testing.T) {
	t.Helper()
	if steps, err := s.setUpSlave(t, byDump); err != nil || len(steps) > 0 {
		t.Fatalf("the setup again: %s, %v", steps, err)
	}
}

// more makes tables, views, routines, events and accounts, numbered.
func (s *site) more(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		name := fmt.Sprintf("`vo`.`t``%d`", i)
		account := fmt.Sprintf("'us''er %d'@'127.0.0.1'", i)
		s.master.Exec(t,
			fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, f FLOAT, w VARCHAR(9) CHARACTER SET latin1,"+
				" e ENUM('', 'a'), moment TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP)", name),
			fmt.Sprintf("INSERT INTO %s VALUES (1, 1.5, 'w', 'a', NULL)", name),
			"CREATE USER "+account+" IDENTIFIED BY 'Of-Nobody1'", "GRANT SELECT, INSERT ON vo.* TO "+account,
			fmt.Sprintf("CREATE DEFINER=%s VIEW vo.v%d AS SELECT id FROM %s", account, i, name),
			fmt.Sprintf("CREATE DEFINER=%s PROCEDURE vo.p%d() SELECT 1", account, i))
		// The account of every other definer is on the slave, too, and may do nothing there.
		if i%2 == 0 {
			s.slave.ExecTogether(t, "SET sql_log_bin=0", "CREATE USER "+account+" IDENTIFIED BY 'Of-Nobody1'")
		}
	}
}

// fewer drops the tables, and what is on them, from a number on.
func (s *site) fewer(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		s.master.Exec(t, fmt.Sprintf("DROP PROCEDURE vo.p%d", i), fmt.Sprintf("DROP VIEW vo.v%d", i),
			fmt.Sprintf("DROP TABLE `vo`.`t``%d`", i), fmt.Sprintf("DROP USER 'us''er %d'@'127.0.0.1'", i))
	}
	s.mustFollow(t)
}

// planned makes the plan of the slave.
func (s *site) planned(t *testing.T) {
	t.Helper()
	s.onlyPlan = true
	want := byDump
	want.Compress = replication.CompressAuto // as the command presets it
	if _, err := s.setUpSlave(t, want); err != nil {
		t.Fatal(err)
	}
	s.onlyPlan = false
}

// monitor logs in to the master. The caller closes it.
func (s *site) monitor(t *testing.T) *server.Server {
	t.Helper()
	h, err := replication.ReadHandOver(s.handOver())
	if err != nil {
		t.Fatal(err)
	}
	master, err := h.OpenMonitor(t.Context(), s.through)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// compared compares as the command does.
func (s *site) compared(t *testing.T) {
	t.Helper()
	master := s.monitor(t)
	defer master.Close()
	comparison := &compare.Comparison{
		Master: master, Slave: s.slave.AsRoot(t, finding.Slave), MaxLag: time.Minute, StateDir: s.directory, Keep: true,
	}
	result, err := comparison.Run(t.Context())
	if err != nil || !result.Equal() || result.Rows == 0 || result.ObjectsEqual == 0 {
		t.Fatalf("the comparison gives %+v, %v", result, err)
	}
}

// look looks at the slave as status does.
func (s *site) look(t *testing.T) {
	t.Helper()
	master := s.monitor(t)
	defer master.Close()
	status, err := watch.Read(t.Context(), s.slave.AsRoot(t, finding.Slave), master,
		watch.Options{Through: s.through, StateDir: s.directory})
	if err != nil || !status.Healthy {
		t.Fatalf("the status is %v, %v", status, err)
	}
}
