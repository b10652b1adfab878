package systemd_test

import (
	"os"
	"strings"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// logFile is the log of gtunnel.service where that does not write into the journal.
const logFile = "/var/log/gtunnel/gtunnel.log"

// writingConfig has a log file, a page and more files of tunnels, of which none is there yet.
const writingConfig = `include = ["conf.d/*.toml"]

[log]
file = "` + logFile + `"

[admin]
address = "127.0.0.1:9307"

` + goodConfig

// landlock: the units let gtunnel restrict itself, and what changes below their files in the life
// of a process still reaches it: a rotated log, a new file of tunnels, a list that fetch-crl has
// renamed into its place, a renewed key.
func (s *site) landlock() {
	t := s.t
	for _, unit := range flagUnits {
		s.wantRestricted(unit, s.Run("journalctl", "--no-pager", "-o", "cat", "-u", unit))
	}
	s.Write(configFile, writingConfig, 0o644)
	s.Run("systemctl", "restart", "gtunnel")
	was := s.show("gtunnel", "MainPID")
	s.wantRestricted("gtunnel", s.log())

	s.Run("mv", logFile, logFile+".1") // and what logrotate does then
	s.Run("systemctl", "kill", "--kill-who=main", "--signal=HUP", "gtunnel.service")
	s.Wait("the log is made anew", func() bool { _, err := os.Stat(s.Path(logFile)); return err == nil })

	more := strings.NewReplacer("other", "more", "3317", "3319").Replace(goodConfig)
	s.Write("/etc/gtunnel/conf.d/more.toml", more, 0o644)
	s.crl()
	s.Run("systemctl", "reload", "gtunnel")
	if state := s.show("gtunnel", "StatusText"); !strings.HasPrefix(state, "2 tunnels") {
		t.Errorf("with a new file of tunnels it says %q", state)
	}
	s.Run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3319")
	if !strings.Contains(s.log(), "trust changed") {
		t.Errorf("it has no new list:\n%s", s.log())
	}
	s.renew()
	s.Wait("gtunnel has the renewed certificate", func() bool { return strings.Contains(s.log(), "certificate changed") })
	if pid := s.show("gtunnel", "MainPID"); pid != was {
		t.Errorf("it was process %s and is %s", was, pid)
	}
}

// log is what gtunnel.service has written into its file.
func (s *site) log() string { return read(s.t, s.Path(logFile)) }

// wantRestricted: the log of a unit says that Landlock is in force, where this kernel has it.
func (s *site) wantRestricted(unit, log string) {
	s.t.Helper()
	want := `landlock is in force {"abi": `
	if out := s.Run("gtunnel", "version", "-v"); strings.Contains(out, "no Landlock") {
		want = "landlock is not in force"
	}
	if !strings.Contains(log, want) {
		s.t.Errorf("the log of %s does not have %s:\n%s", unit, want, log)
	}
}

// crl puts a list of the CA into its place, as fetch-crl does.
func (s *site) crl() {
	s.t.Helper()
	capath := s.Path("/etc/grid-security/certificates")
	if _, err := certstest.WriteCRL(capath, s.grid, certstest.CRLOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// monitor: what watches the replication tells it to the process of the page, which is another
// user's and knows no login, also where that starts later and gets the folder of both.
func (s *site) monitor() {
	t := s.t
	s.Run("systemctl", "stop", "gtunnel.socket", "gtunnel", "gtunnel-server", "gtunnel-client")
	s.Run("rm", "-r", "/run/gtunnel")
	s.Run("systemctl", "start", "gtunnel-monitor")
	s.Run("systemctl", "start", "gtunnel")
	s.Wait("the page has it from the monitor that there is no MySQL", func() bool {
		return strings.Contains(s.page(), "The server of this host does not answer")
	})
	if owner := strings.TrimSpace(s.Run("stat", "-c", "%U %a", "/run/gtunnel/replication.sock")); owner != "gtunnel 600" {
		t.Errorf("its socket is %s", owner)
	}
}

// page is the page of gtunnel.service.
func (s *site) page() string {
	return s.Run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9307; "+
		`printf 'GET / HTTP/1.0\r\nHost: 127.0.0.1:9307\r\n\r\n' >&3; cat <&3`)
}
