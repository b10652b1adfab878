package main_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestPageBesideMonitor: the page of the tunnel's process shows the replication that another
// process watches, through the tunnel and in trouble; where that process ends, it says that
// nobody watches.
func TestPageBesideMonitor(t *testing.T) {
	m := newMonitored(t)
	m.getsReady()
	s := newSite(t)
	_, server := s.startServer("127.0.0.1:" + strconv.Itoa(m.master.Port))
	port := freePort(t)
	client := start(t, "client", []string{"RUNTIME_DIRECTORY=" + m.folder}, append([]string{
		"client", "--accept", "127.0.0.1:0", "--connect", server, "--admin", "127.0.0.1:" + port,
		"--capath", s.capath, "--log-format", "json",
	}, s.client.flags()...)...)
	_, end, _ := strings.Cut(client.waitListening(), ":")
	m.exec(m.slave, "STOP SLAVE", "CHANGE MASTER TO MASTER_PORT="+end, "START SLAVE")
	shows := func(what ...string) {
		t.Helper()
		pairs.WaitFor(t, databasePatience, what[0]+" on the page", func() (string, bool) {
			response, err := http.Get("http://127.0.0.1:" + port + "/")
			if err != nil {
				return err.Error(), false
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			for _, part := range what {
				if err != nil || !strings.Contains(string(text), part) {
					return string(text), false
				}
			}
			return "", true
		})
	}
	shows("Works: 1 connection open", "127.0.0.1:"+end, "The slave has applied all")
	m.exec(m.slave, "STOP SLAVE SQL_THREAD")
	shows("Problem", "somebody has stopped the SQL thread")
	if code, _, _ := m.status("--nagios"); code != 2 {
		t.Errorf("what the page calls a problem is %d to Nagios", code)
	}
	m.process.signal(syscall.SIGTERM)
	m.process.waitExit()
	shows("Not watched on this host")
}
