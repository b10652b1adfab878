package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// monitored is a watched pair of servers, and the process that watches them.
type monitored struct {
	*watched

	folder, port string
	process      *program
	systemd      *net.UnixConn
}

func newMonitored(t *testing.T) *monitored {
	t.Helper()
	m := &monitored{watched: newWatched(t, servertest.MariaDB), port: freePort(t)}
	m.folder = filepath.Join(m.dir, "run")
	m.follow()
	if err := os.Mkdir(m.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	notify := filepath.Join(m.dir, "notify")
	var err error
	if m.systemd, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.systemd.Close() })
	m.process = start(t, "monitor", []string{"RUNTIME_DIRECTORY=" + m.folder, "NOTIFY_SOCKET=" + notify},
		"replication", "monitor", "--interval", "1s", "--admin", "127.0.0.1:"+m.port,
		"--defaults-file", filepath.Join(m.dir, "my.cnf"), "--master-defaults-file", filepath.Join(m.dir, "master.cnf"),
		"--state-dir", filepath.Join(m.dir, "state"))
	return m
}

// ask gives what the monitor answers at its socket; nothing where it does not.
func (m *monitored) ask(path string) string {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(m.folder, page.SocketName))
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("http://localhost" + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

// wait waits until the page would show a state, and more.
func (m *monitored) wait(state page.ReplicationState, more func(page.Replication) bool) (shown page.Replication) {
	m.t.Helper()
	pairs.WaitFor(m.t, databasePatience, string(state)+" from the monitor", func() (string, bool) {
		shown = page.Replication{}
		text := m.ask("/replication")
		err := json.Unmarshal([]byte(text), &shown)
		return text, err == nil && shown.State == state && (more == nil || more(shown))
	})
	return shown
}

// metrics gives what Prometheus would read, by name and labels; some must be there, others
// must not.
func (m *monitored) metrics(want map[string]string, absent ...string) {
	m.t.Helper()
	response, err := http.Get("http://127.0.0.1:" + m.port + "/metrics")
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	if problems, err := promlint.New(strings.NewReader(string(text))).Lint(); err != nil || len(problems) > 0 {
		m.t.Errorf("promlint: %v, %v", problems, err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			got[line[:at]] = strings.TrimSpace(line[at+1:])
			for _, name := range absent {
				if strings.HasPrefix(line, name) {
					m.t.Errorf("not known, and there: %s", line)
				}
			}
		}
	}
	for series, value := range want {
		series = strings.ReplaceAll(series, "LABELS",
			`channel_name="",connection_name="",master_host="127.0.0.1",master_uuid=""`)
		if v, ok := got[series]; !ok || value != "" && v != value {
			m.t.Errorf("%s is %q, want %q", series, v, value)
		}
	}
}

// logins counts those at the master.
func (m *monitored) logins() int {
	m.t.Helper()
	var name, n string
	row := m.master.DB.QueryRowContext(m.t.Context(), "SHOW GLOBAL STATUS LIKE 'Connections'")
	if err := row.Scan(&name, &n); err != nil {
		m.t.Fatal(err)
	}
	count, err := strconv.Atoi(n)
	if err != nil {
		m.t.Fatal(err)
	}
	return count
}

// TestMonitor: the service sees what happens to a replication, says nothing that it does not
// know, outlives its servers and its folder, and is no load.
func TestMonitor(t *testing.T) {
	m := newMonitored(t)
	m.getsReady()
	well := func(r page.Replication) bool { return r.LagSeconds != nil && *r.LagSeconds == 0 && len(r.History) > 1 }
	shown := m.wait(page.ReplicationRunning, well)
	if shown.Master != fmt.Sprintf("127.0.0.1:%d", m.master.Port) || shown.Summary == "" || shown.Since.IsZero() {
		t.Errorf("%+v", shown)
	}
	m.metrics(map[string]string{
		"mysql_up": "1", "mysql_slave_status_slave_io_running{LABELS}": "1",
		"mysql_slave_status_slave_sql_running{LABELS}":     "1",
		"mysql_slave_status_seconds_behind_master{LABELS}": "0", "mysql_slave_status_last_errno{LABELS}": "0",
		`gtunnel_replication_state{state="ok"}`: "1", `gtunnel_replication_state{state="unknown"}`: "0",
		"gtunnel_replication_lag_seconds": "0", "gtunnel_replication_lag_bytes": "0",
		`gtunnel_replication_role{role="slave"}`: "1", "gtunnel_replication_master_reachable": "1",
		"gtunnel_replication_caught_up_timestamp_seconds": "",
	}, "gtunnel_replication_compared", "gtunnel_replication_term", "gtunnel_replication_guard")
	m.isNoLoad()
	m.staysInItsFolder()

	m.exec(m.slave, "STOP SLAVE SQL_THREAD")
	m.exec(m.master, "INSERT INTO d.t VALUES (1)")
	behind := func(r page.Replication) bool { return r.LagSeconds != nil && *r.LagSeconds > 0 }
	shown = m.wait(page.ReplicationStopped, behind)
	if len(shown.Findings) == 0 || shown.Hint == "" {
		t.Errorf("%+v", shown)
	}
	m.metrics(map[string]string{
		"mysql_slave_status_slave_sql_running{LABELS}": "0", `gtunnel_replication_state{state="applier-stuck"}`: "1",
		"gtunnel_replication_healthy": "0", "gtunnel_replication_lag_seconds": "",
	}, "mysql_slave_status_seconds_behind_master")
	m.exec(m.slave, "START SLAVE SQL_THREAD")
	m.wait(page.ReplicationRunning, well)

	m.outlivesItsServer(well)
	if got := m.ask("/healthz"); got != "ok\n" {
		t.Errorf("/healthz: %q", got)
	}
	m.process.signal(syscall.SIGTERM)
	if code := m.process.waitExit(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if _, err := os.Lstat(filepath.Join(m.folder, page.SocketName)); !os.IsNotExist(err) {
		t.Errorf("its socket is left behind: %v", err)
	}
	if n := len(m.process.logged()); n > 30 {
		t.Errorf("%d lines in the log", n)
	}
}

// outlivesItsServer: what a server that is down does not tell is not there, and comes back.
func (m *monitored) outlivesItsServer(well func(page.Replication) bool) {
	t := m.t
	t.Helper()
	if err := m.slave.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	down := func(r page.Replication) bool { return strings.HasPrefix(r.Summary, "server-down") }
	shown := m.wait(page.ReplicationUnknown, down)
	if shown.LagSeconds != nil || !strings.Contains(shown.Summary, "does not answer") {
		t.Errorf("%+v", shown)
	}
	m.metrics(map[string]string{"mysql_up": "0", `gtunnel_replication_state{state="server-down"}`: "1"},
		"mysql_slave_status_", "gtunnel_replication_lag", "gtunnel_replication_master_")
	if err := m.slave.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.wait(page.ReplicationRunning, well)
}

// getsReady reads what the monitor says to systemd, until the test ends: whoever writes to a
// full socket waits.
func (m *monitored) getsReady() {
	m.t.Helper()
	m.systemd.SetReadDeadline(time.Now().Add(databasePatience))
	message := make([]byte, 4096)
	if n, err := m.systemd.Read(message); err != nil || !strings.HasPrefix(string(message[:n]), "READY=1\n") {
		m.t.Fatalf("%q, %v", message[:n], err)
	}
	m.systemd.SetReadDeadline(time.Time{})
	go func() {
		for message := make([]byte, 4096); ; {
			if _, err := m.systemd.Read(message); err != nil {
				return
			}
		}
	}()
}

// isNoLoad: looks make no new login, and no line in the log.
func (m *monitored) isNoLoad() {
	m.t.Helper()
	before, lines := m.logins(), len(m.process.logged())
	begun := len(m.wait(page.ReplicationRunning, nil).History)
	m.wait(page.ReplicationRunning, func(r page.Replication) bool { return len(r.History) >= begun+2 })
	// The replication itself may have connected anew.
	if after := m.logins(); after > before+1 {
		m.t.Errorf("%d logins in two looks", after-before)
	}
	if now := len(m.process.logged()); now > lines {
		m.t.Errorf("it logs each look: %v", m.process.logged()[lines:])
	}
}

// staysInItsFolder: the socket is its owner's alone, who is that of the folder, and comes back
// with it.
func (m *monitored) staysInItsFolder() {
	m.t.Helper()
	socket := filepath.Join(m.folder, page.SocketName)
	want := os.Geteuid()
	if want == 0 {
		want = 65534
		if err := os.Chown(m.folder, want, want); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, gone := range []bool{false, true} {
		if gone {
			if err := os.RemoveAll(m.folder); err != nil {
				m.t.Fatal(err)
			}
			want = os.Geteuid()
		}
		pairs.WaitFor(m.t, databasePatience, "socket of the folder's owner", func() (string, bool) {
			info, err := os.Lstat(socket)
			if err != nil {
				return err.Error(), false
			}
			stat := info.Sys().(*syscall.Stat_t)
			return fmt.Sprint(info.Mode(), stat.Uid), int(stat.Uid) == want && info.Mode().Perm() == 0o600
		})
		m.wait(page.ReplicationRunning, nil)
	}
}

// TestNagios runs the plugin on real servers: well, stopped, refused, and silent.
func TestNagios(t *testing.T) {
	w := newWatched(t, servertest.MariaDB)
	plugin := func(code int, words string, args ...string) {
		t.Helper()
		got, out, stderr := w.status(append(args, "--nagios")...)
		if got != code || !strings.Contains(out, words) || strings.Count(out, "\n") != 1 || strings.Count(out, "|") > 1 {
			t.Errorf("%v: exit %d, want %d, with %q:\n%s%s", args, got, code, words, out, stderr)
		}
	}
	plugin(2, "REPLICATION CRITICAL - not-configured: ")
	w.follow()
	w.until("ok: ")
	plugin(1, "whoever writes on a slave breaks it")
	w.exec(w.slave, "SET GLOBAL read_only=1")
	plugin(1, "loses read_only=1") // a warning of status
	plugin(1, " | lag=0s;60;600;0 bytes=0B;;;0 unread=0B;;;0")
	w.exec(w.slave, "STOP SLAVE")
	plugin(2, "REPLICATION CRITICAL - io-stopped: somebody has stopped both threads")
	w.exec(w.slave, "START SLAVE")
	plugin(3, "REPLICATION UNKNOWN - --max-lag: 5s is less than --warn-lag 1m", "--max-lag", "5s")
	plugin(3, "REPLICATION UNKNOWN - unknown flag --warn", "--warn", "5s")
	plugin(3, "goes with no other output", "--json")
	plugin(3, "REPLICATION UNKNOWN - ", "--defaults-file", "HOME/none.cnf")

	// A server that takes the connection and says nothing, as one behind a dead link.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.write("silent.cnf", fmt.Sprintf("[client]\nhost=127.0.0.1\nport=%d\nuser=watch\npassword=x\n",
		silent.Addr().(*net.TCPAddr).Port), 0o600)
	plugin(2, "REPLICATION CRITICAL - no answer within --timeout 1s", "--timeout", "1s",
		"--master-defaults-file", "HOME/silent.cnf")
}

// monitors: on a host of a pair the monitor knows the term, the roles and the guards.
func (h *coupleHost) monitors() {
	t := h.c.t
	t.Helper()
	m := &monitored{watched: &watched{loginHome: &loginHome{t: t.(*testing.T)}}, folder: t.TempDir(), port: freePort(t)}
	args := h.statusInPair("--interval", "1s", "--admin", "127.0.0.1:"+m.port)
	args[slices.Index(args, "status")] = "monitor"
	m.process = start(t, h.name+" monitor", []string{"RUNTIME_DIRECTORY=" + m.folder}, args...)
	// By the second look its logins are those of the first.
	m.wait(page.ReplicationRunning, func(r page.Replication) bool { return len(r.History) > 1 })
	m.metrics(map[string]string{
		"gtunnel_replication_term": "1", `gtunnel_replication_role{role="slave"}`: "1",
		`gtunnel_replication_guard_running{host="this"}`: "1", `gtunnel_replication_guard_running{host="peer"}`: "1",
		`gtunnel_replication_writable{host="this"}`: "0", `gtunnel_replication_writable{host="peer"}`: "1",
		"gtunnel_replication_guard_read_only": "0", "gtunnel_replication_lag_seconds": "0",
	})
	m.process.signal(syscall.SIGTERM)
	m.process.waitExit()
}
