package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/examples/systemd/nspawn"
)

// newDebian is a host that unpacks documentation, too, and has what the packages are tried with.
func newDebian(t *testing.T, suite, first, next string) *site {
	t.Helper()
	s := &site{Host: nspawn.New(t, suite), t: t, entry: "127.0.0.1:3308"}
	excludes, err := filepath.Glob(s.Path("/etc/dpkg/dpkg.cfg.d/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range excludes {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	s.Copy("/root/first.deb", first, 0o644)
	s.Copy("/root/next.deb", next, 0o644)
	return s
}

// files are those of the host that programs install; not those of its running.
func (s *site) files() map[string]bool {
	s.t.Helper()
	found := map[string]bool{}
	for name := range strings.Lines(s.Run("find", "/etc", "/opt", "/root", "/srv", "/usr", "/var",
		"(", "-path", "/var/lib/dpkg", "-o", "-path", "/var/log", "-o", "-path", "/var/lib/systemd", "-o",
		"-path", "/var/tmp", "-o", "-path", "/usr/local", ")", "-prune", "-o", "-print")) {
		found[strings.TrimSpace(name)] = true
	}
	return found
}

// installDebian: installed, nothing runs; set up, both ends do; an upgrade refuses nobody and
// keeps what the administrator wrote; removed and purged, nothing is left but what was noted.
func installDebian(t *testing.T, suite, first, next string) {
	s := newDebian(t, suite, first, next)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Copy("/usr/local/bin/site", program, 0o755)
	s.Write("/etc/systemd/system/mariadb.service", "[Service]\nEnvironment="+roleVariable+"=database\n"+
		"ExecStart=/usr/local/bin/site\n", 0o644)
	s.Write("/etc/hosts", "127.0.0.1 localhost server2.domain.two\n", 0o644)
	if s.grid, err = certstest.NewCA("Test CA", certstest.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := certstest.WriteCApath(s.Path("/etc/grid-security/certificates"), s.grid); err != nil {
		t.Fatal(err)
	}
	s.renew()
	defer func() {
		if t.Failed() {
			t.Log(s.Run("journalctl", "--no-pager", "-b", "-u", "gtunnel*"))
		}
	}()
	s.Boot()
	before := s.files()
	s.freshPackage()
	s.upgradePackage()
	s.removePackage()
	var left []string
	for name := range s.files() {
		if !before[name] {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	want := []string{
		"/etc/.pwd.lock", "/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-", // of its user, who stays
		"/var/lib/gtunnel", "/var/lib/gtunnel/hand-over.json",
	}
	want = slices.DeleteFunc(want, func(name string) bool { return before[name] })
	if !slices.Equal(left, want) {
		t.Errorf("left after the purge: %q, want %q", left, want)
	}
}

// freshPackage: the installation starts and enables nothing; what is to be filled in, gtunnel says.
func (s *site) freshPackage() {
	t := s.t
	s.Run("dpkg", "--install", "/root/first.deb")
	if running := s.Run("systemctl", "list-units", "--no-legend", "gtunnel*"); running != "" {
		t.Errorf("after the installation there are\n%s", running)
	}
	for _, unit := range slices.Concat(tunnels, []string{"gtunnel-guard.service", "gtunnel-compare.timer"}) {
		if state, _ := s.Try("systemctl", "is-enabled", unit); strings.TrimSpace(state) != "disabled" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	out, err := s.Try("gtunnel", "run", "--check")
	if err == nil || !strings.Contains(out, "no tunnel is configured\nhint: add [pair] with hosts, or a section") {
		t.Errorf("gtunnel run --check: %v: %s", err, out)
	}
	if out := s.Run("gtunnel", "version"); !strings.HasPrefix(out, "gtunnel v1.0.0-rc.1\n") {
		t.Errorf("it is %s", out)
	}
	s.Run("dpkg", "--verify", "gtunnel")
	s.Write("/etc/gtunnel/server.env", "GTUNNEL_FLAGS=--allow-host server2.domain.two\n", 0o644)
	s.Write("/etc/gtunnel/client.env", "GTUNNEL_FLAGS=--connect server2.domain.two:3307 --accept "+s.entry+"\n", 0o644)
	s.Write("/var/lib/gtunnel/hand-over.json", "{}\n", 0o600)
	s.Run("systemctl", "enable", "--now", "mariadb", "gtunnel-server", "gtunnel-client")
	s.Wait("a visitor is served", s.isServed)
}

// upgradePackage: under traffic, to a version that dpkg knows to be newer; and once more to the
// same.
func (s *site) upgradePackage() {
	t := s.t
	v := s.visitors()
	was := map[string]string{}
	for _, unit := range flagUnits {
		was[unit] = s.show(unit, "MainPID")
	}
	out := s.Run("dpkg", "--refuse-downgrade", "--force-confold", "--install", "/root/next.deb")
	if strings.Contains(out, "does not run") {
		t.Errorf("dpkg: %s", out)
	}
	r := v.leave(t)
	t.Logf("during the upgrade %d visitors; one that stays was cut off %d times", r.served, r.cut)
	if r.served == 0 || r.failed != "" {
		t.Errorf("%+v", r)
	}
	for _, unit := range flagUnits {
		if pid := s.show(unit, "MainPID"); pid == was[unit] || pid == "0" {
			t.Errorf("%s was process %s and is %s", unit, was[unit], pid)
		}
	}
	if state, _ := s.Try("systemctl", "is-active", "gtunnel", "gtunnel-guard"); state != "inactive\ninactive\n" {
		t.Errorf("what did not run before is %s", state)
	}
	if out := s.Run("gtunnel", "version"); !strings.HasPrefix(out, "gtunnel v1.0.0\n") {
		t.Errorf("it is %s", out)
	}
	if text := read(t, s.Path("/etc/gtunnel/server.env")); !strings.HasPrefix(text, "GTUNNEL_FLAGS=") {
		t.Errorf("server.env is now %s", text)
	}
	s.Run("dpkg", "--install", "/root/next.deb")
	s.Wait("a visitor is served", s.isServed)
}

// removePackage: what runs is stopped and disabled; what the administrator wrote goes with a
// purge only, and what gtunnel noted stays.
func (s *site) removePackage() {
	t := s.t
	s.Run("dpkg", "--remove", "gtunnel")
	if running := s.Run("systemctl", "list-units", "--no-legend", "--state=active", "gtunnel*"); running != "" {
		t.Errorf("after the removal there are\n%s", running)
	}
	if links := s.Run("find", "/etc/systemd", "-name", "gtunnel*"); links != "" {
		t.Errorf("after the removal there are\n%s", links)
	}
	s.Run("test", "-e", "/etc/gtunnel/server.env")
	s.Run("test", "!", "-e", "/run/gtunnel-credentials")
	s.Run("dpkg", "--install", "/root/next.deb") // with what is left of it
	if state, _ := s.Try("systemctl", "is-active", "gtunnel-server"); state != "inactive\n" {
		t.Errorf("installed again it is %s", state)
	}
	s.Run("dpkg", "--remove", "gtunnel")
	out := s.Run("dpkg", "--purge", "gtunnel")
	if !strings.Contains(out, "gtunnel: kept: /var/lib/gtunnel\n") || !strings.Contains(out, "rm -r /var/lib/gtunnel\n") {
		t.Errorf("the purge does not say what it keeps: %s", out)
	}
	s.Run("test", "!", "-e", "/etc/gtunnel")
}

// chrootDebian: all of it in a system that does not run, as an image is made.
func chrootDebian(t *testing.T, suite, first, next string) {
	s := newDebian(t, suite, first, next)
	dpkg := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "chroot", append([]string{s.Root, "dpkg"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("dpkg %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	dpkg("--install", "/root/first.deb")
	if !strings.Contains(read(t, s.Path("/etc/passwd")), "\ngtunnel:") {
		t.Error("the services have no user")
	}
	link := s.Path("/etc/systemd/system/multi-user.target.wants/gtunnel-server.service")
	if err := os.Symlink("/usr/lib/systemd/system/gtunnel-server.service", link); err != nil {
		t.Fatal(err)
	}
	dpkg("--install", "/root/next.deb")
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("after an upgrade: %v", err)
	}
	dpkg("--remove", "gtunnel")
	if _, err := os.Lstat(link); err == nil {
		t.Error("it is still enabled after the removal")
	}
	if out := dpkg("--purge", "gtunnel"); strings.Contains(out, "kept") {
		t.Errorf("nothing was noted, and the purge says: %s", out)
	}
}

// installRPM: in a root of its own, with its scripts, which find no systemd running.
func installRPM(t *testing.T, first, next string) {
	host := nspawn.New(t, "debian-12")
	rpm := func(args ...string) string {
		t.Helper()
		args = append([]string{"--root=" + host.Root, "--nodeps"}, args...)
		out, err := exec.CommandContext(t.Context(), "rpm", args...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "scriptlet failed") {
			t.Fatalf("rpm %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	rpm("--install", first)
	if !strings.Contains(read(t, host.Path("/etc/passwd")), "\ngtunnel:") {
		t.Error("the services have no user: the script has not run")
	}
	own := "GTUNNEL_FLAGS=--allow-host mine.domain.two\n"
	host.Write("/etc/gtunnel/server.env", own, 0o644)
	host.Write("/var/lib/gtunnel/hand-over.json", "{}\n", 0o600)
	link := host.Path("/etc/systemd/system/multi-user.target.wants/gtunnel-server.service")
	if err := os.Symlink("/usr/lib/systemd/system/gtunnel-server.service", link); err != nil {
		t.Fatal(err)
	}
	rpm("--upgrade", next) // rpm knows it to be newer
	if out := lines(t, "rpm", "--root="+host.Root, "-q", "gtunnel"); !strings.HasPrefix(out[0], "gtunnel-1.0.0-1.") {
		t.Errorf("it is %s", out[0])
	}
	if text := read(t, host.Path("/etc/gtunnel/server.env")); text != own {
		t.Errorf("server.env is now %s", text)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("after an upgrade: %v", err)
	}
	rpm("--erase", "gtunnel")
	if _, err := os.Lstat(link); err == nil {
		t.Error("it is still enabled after it was erased")
	}
	if text := read(t, host.Path("/etc/gtunnel/server.env.rpmsave")); text != own {
		t.Errorf("what was saved of server.env is %s", text)
	}
	if _, err := os.Stat(host.Path("/usr/bin/gtunnel")); err == nil {
		t.Error("the program is still there")
	}
	read(t, host.Path("/var/lib/gtunnel/hand-over.json"))
}
