package systemd_test

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/examples/systemd/nspawn"
)

// site is a booted host with both ends of a tunnel, at which a client of this host is a
// slave's MySQL, and a service for a configuration file, with socket units.
type site struct {
	*nspawn.Host

	t     *testing.T
	grid  *certstest.CA
	entry string // where visitors of the database connect
}

const configFile = "/etc/gtunnel/gtunnel.toml"

// goodConfig is of a tunnel that has a socket of systemd.
const goodConfig = `[tunnel.other]
role = "server"
accept = "127.0.0.1:3317"
allow_host = ["server2.domain.two"]
drain_timeout = "1s"
`

// TestBoot: what an administrator counts on, on a real host, one after the other. With
// GTUNNEL_SUITE=debian-13, after .ci/install debian13, it is one with systemd 257.
func TestBoot(t *testing.T) {
	t.Parallel() // with TestPackages, which waits as much
	s := newSite(t)
	defer func() {
		if t.Failed() {
			t.Log(s.Run("journalctl", "--no-pager", "-b", "-u", "gtunnel*"))
		}
	}()
	s.Boot()
	for _, stage := range []func(){s.late, s.reload, s.restart, s.sockets, s.badFile, s.watchdog, s.landlock, s.monitor} {
		began := time.Now()
		stage()
		t.Logf("%s", time.Since(began))
	}
}

func newSite(t *testing.T) *site {
	s := &site{Host: nspawn.New(t, cmp.Or(os.Getenv("GTUNNEL_SUITE"), "debian-12")), t: t, entry: "127.0.0.1:3308"}
	s.Copy("/usr/bin/gtunnel", build(t), 0o755)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Copy("/usr/local/bin/site", program, 0o755)
	for _, pattern := range []string{"*.service", "*.socket", "*.path"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			s.Copy("/usr/lib/systemd/system/"+file, file, 0o644)
		}
	}
	s.Copy("/usr/lib/sysusers.d/gtunnel.conf", "gtunnel.sysusers", 0o644)
	s.Write("/etc/systemd/system/mariadb.service", "[Service]\nEnvironment="+roleVariable+"=database\n"+
		"ExecStart=/usr/local/bin/site\n", 0o644)
	s.Write("/etc/gtunnel/server.env", "GTUNNEL_FLAGS=--allow-host server2.domain.two --drain-timeout 1s\n", 0o644)
	s.Write("/etc/gtunnel/client.env",
		"GTUNNEL_FLAGS=--connect server2.domain.two:3307 --drain-timeout 1s --accept "+s.entry+"\n", 0o644)
	s.Write(configFile, goodConfig, 0o644)
	s.Write("/etc/systemd/system/gtunnel.socket.d/own.conf",
		"[Socket]\nListenStream=\nListenStream=127.0.0.1:3318\nListenStream=127.0.0.1:3317\n", 0o644)
	s.Write("/etc/systemd/system/gtunnel.service.d/own.conf", "[Service]\nWatchdogSec=3\nRestartSec=100ms\n", 0o644)

	if s.grid, err = certstest.NewCA("Test CA", certstest.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := certstest.WriteCApath(s.Path("/etc/grid-security/certificates"), s.grid); err != nil {
		t.Fatal(err)
	}
	s.renew()
	for _, command := range [][]string{
		{"systemd-sysusers", "--root=" + s.Root, "gtunnel.conf"},
		{"systemctl", "--root=" + s.Root, "enable", "gtunnel-server.service", "gtunnel-client.service", "gtunnel.socket"},
	} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	return s
}

// renew gives the host another certificate and key, which is root's alone, one file after the
// other, as programs do that know nothing of gtunnel.
func (s *site) renew() {
	s.t.Helper()
	host, err := s.grid.NewHost("server2.domain.two", certstest.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	cert, key, err := host.Write(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Copy("/etc/grid-security/hostcert.pem", cert, 0o644)
	s.Copy("/etc/grid-security/hostkey.pem", key, 0o400)
}

// show is a property of a unit.
func (s *site) show(unit, property string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Run("systemctl", "show", "--value", "--property="+property, unit))
}

// logs reports whether the log of a unit has a text.
func (s *site) logs(unit, text string) bool {
	return strings.Contains(s.Run("journalctl", "--no-pager", "-o", "cat", "-u", unit), text)
}

// isServed reports whether a visitor gets through.
func (s *site) isServed() bool {
	_, err := s.Try("env", roleVariable+"=visitor", "/usr/local/bin/site", s.entry)
	return err == nil
}

// visitors are a process on the host that connects through the tunnel again and again.
type visitors struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	end    io.Closer
}

// visitors begins it.
func (s *site) visitors() *visitors {
	s.t.Helper()
	v := &visitors{cmd: s.Command(s.t.Context(), "env", roleVariable+"=visitors", "/usr/local/bin/site", s.entry)}
	v.cmd.Stdout, v.cmd.Stderr = &v.output, &v.output
	var err error
	if v.end, err = v.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// report is what visitors have seen.
type report struct {
	served, cut int
	failed      string // how many had another end, and which; empty: none
}

// leave ends it. What it has begun it ends first.
func (v *visitors) leave(t *testing.T) report {
	t.Helper()
	_ = v.end.Close() // fails if it has ended, which Wait says
	if err := v.cmd.Wait(); err != nil {
		t.Fatalf("visitors: %v\n%s", err, v.output.String())
	}
	number := func(what string) int {
		n, err := strconv.Atoi(match(t, v.output.String(), "^"+what+" ([0-9]+)$"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return report{
		served: number("served"), cut: number("cut"),
		failed: strings.Join(regexp.MustCompile("(?m)^failed .*$").FindAllString(v.output.String(), -1), "\n"),
	}
}

// late: at boot there is neither the name of the other host, nor a way to it, nor a
// database; the tunnels are up all the same, nothing has failed, and all heals by itself.
func (s *site) late() {
	t := s.t
	if state := strings.TrimSpace(s.Run("systemctl", "is-system-running")); state != "running" {
		t.Errorf("the host is %s\n%s", state, s.Run("systemctl", "--failed", "--no-pager"))
	}
	was := map[string]string{}
	for _, unit := range flagUnits {
		if state := s.show(unit, "ActiveState"); state != "active" {
			t.Fatalf("%s is %s:\n%s", unit, state, s.Run("journalctl", "--no-pager", "-u", unit))
		}
		was[unit] = s.show(unit, "MainPID")
	}
	for _, missing := range []struct {
		what  string
		comes func()
	}{
		{"name", func() { s.Write("/etc/hosts", "127.0.0.1 localhost\n10.30.7.1 server2.domain.two\n", 0o644) }},
		{"network", func() { s.InNetwork("ip", "address", "add", "10.30.7.1/24", "dev", "lo") }},
		{"database", func() { s.Run("systemctl", "start", "mariadb") }},
	} {
		if s.isServed() {
			t.Errorf("a visitor is served without a %s", missing.what)
		}
		missing.comes()
	}
	s.Wait("a visitor is served", s.isServed)
	// The database goes, and comes back: the tunnels neither go with it nor keep it.
	s.Run("systemctl", "restart", "mariadb")
	s.Wait("a visitor is served again", s.isServed)
	for _, unit := range flagUnits {
		if pid := s.show(unit, "MainPID"); pid != was[unit] {
			t.Errorf("%s was process %s and is %s", unit, was[unit], pid)
		}
	}
}

// reload: reloads refuse and cut nobody, and neither does a renewed key of root's, which
// comes into force by itself.
func (s *site) reload() {
	t := s.t
	v := s.visitors()
	for range 3 {
		s.Run("systemctl", "reload", "gtunnel-server", "gtunnel-client")
	}
	was := s.show("gtunnel-server", "MainPID")
	s.renew()
	for _, unit := range flagUnits {
		s.Wait(unit+" has the renewed certificate", func() bool { return s.logs(unit, "certificate changed") })
	}
	r := v.leave(t)
	t.Logf("%d visitors", r.served)
	if r.served == 0 || r.cut > 0 || r.failed != "" {
		t.Errorf("%+v", r)
	}
	if !s.isServed() {
		t.Error("nobody is served with the renewed certificate")
	}
	if pid := s.show("gtunnel-server", "MainPID"); pid != was {
		t.Errorf("it was process %s and is %s", was, pid)
	}
	if mode := strings.TrimSpace(s.Run("stat", "-c", "%a %U", "/etc/grid-security/hostkey.pem")); mode != "400 root" {
		t.Errorf("the key is %s", mode)
	}
}

// restart: a restart of either end, without socket units, refuses nobody.
func (s *site) restart() {
	t := s.t
	v := s.visitors()
	for _, unit := range flagUnits {
		was := s.show(unit, "MainPID")
		if n := s.show(unit, "NFileDescriptorStore"); n != "1" {
			t.Errorf("systemd keeps %s sockets of %s", n, unit)
		}
		s.Run("systemctl", "restart", unit)
		if pid := s.show(unit, "MainPID"); pid == was {
			t.Errorf("%s is still process %s", unit, pid)
		}
	}
	r := v.leave(t)
	t.Logf("%d visitors", r.served)
	if r.served == 0 || r.failed != "" {
		t.Errorf("%+v", r)
	}
	if r.cut == 0 {
		t.Error("no restart has cut a connection that stays: were there any?")
	}
	// At another address of the same port, which the socket that was kept would be in the way of.
	s.Write("/etc/gtunnel/server.env",
		"GTUNNEL_FLAGS=--allow-host server2.domain.two --drain-timeout 1s --accept 10.30.7.1:3307\n", 0o644)
	s.Run("systemctl", "restart", "gtunnel-server")
	if n := s.show("gtunnel-server", "NFileDescriptorStore"); n != "1" {
		t.Errorf("at another address systemd keeps %s sockets", n)
	}
	s.Wait("a visitor is served there", s.isServed)
}

// sockets: the service is started by who connects to its socket, finds that by its address,
// and says which belongs to no tunnel.
func (s *site) sockets() {
	t := s.t
	if state := s.show("gtunnel.service", "ActiveState"); state != "inactive" {
		t.Errorf("before anybody has connected it is %s", state)
	}
	s.Run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3317")
	s.Wait("the service starts", func() bool { return s.show("gtunnel.service", "ActiveState") == "active" })
	if !s.logs("gtunnel", "gtunnel.socket at 127.0.0.1:3318") {
		t.Error("it does not say which socket belongs to no tunnel")
	}
}

// badFile: a reload of a bad file fails for systemctl, whose status says why; what was in
// force stays, until the file is mended.
func (s *site) badFile() {
	t := s.t
	s.Write(configFile, goodConfig+"max_connections = \"many\"\n", 0o644)
	if out, err := s.Try("systemctl", "reload", "gtunnel"); err == nil {
		t.Errorf("systemctl reload of a bad file: done\n%s", out)
	}
	status := s.Run("systemctl", "status", "--no-pager", "--full", "gtunnel")
	problem := "reload failed: " + configFile + ":6: tunnel.other.max_connections"
	for _, want := range []string{"Active: active (running)", problem} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in:\n%s", want, status)
		}
	}
	s.Run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3317")
	s.Write(configFile, goodConfig+"max_connections = 7\n", 0o644)
	s.Run("systemctl", "reload", "gtunnel")
	if state := s.show("gtunnel", "StatusText"); state != "1 tunnel, 0 connections" {
		t.Errorf("of the mended file it says %q", state)
	}
}

// watchdog: a process that hangs is started anew.
func (s *site) watchdog() {
	t := s.t
	was := s.show("gtunnel", "MainPID")
	s.Run("bash", "-c", "kill -STOP "+was)
	s.Wait("systemd starts it anew", func() bool {
		pid := s.show("gtunnel", "MainPID")
		return pid != was && pid != "0" && s.show("gtunnel", "ActiveState") == "active"
	})
	if !s.logs("gtunnel", "Watchdog timeout") {
		t.Error("it was not the watchdog")
	}
}
