package systemd_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/examples/systemd/nspawn"
)

// TestPackages builds the packages of two versions, and does with them what an administrator
// does in years. GTUNNEL_PACKAGES=all (make packages-test) does it on a Debian 13, too.
func TestPackages(t *testing.T) {
	requirePackages(t)
	first, next := buildPackages(t, "v1.0.0-rc.1"), buildPackages(t, "v1.0.0")
	t.Run("again", func(t *testing.T) {
		t.Setenv("TMPDIR", t.TempDir())
		t.Setenv("TZ", "Asia/Tokyo")
		if got, want := read(t, filepath.Join(buildPackages(t, "v1.0.0"), "SHA256SUMS")),
			read(t, filepath.Join(next, "SHA256SUMS")); got != want {
			t.Errorf("built again:\n%swas\n%s", got, want)
		}
	})
	t.Run("files", func(t *testing.T) { packageFiles(t, next) })
	for _, suite := range []string{"debian-12", "debian-13"} {
		if suite == "debian-13" && os.Getenv("GTUNNEL_PACKAGES") != "all" {
			continue
		}
		t.Run(suite, func(t *testing.T) {
			installDebian(t, suite, packageOf(t, first, "deb"), packageOf(t, next, "deb"))
		})
		t.Run(suite+" not booted", func(t *testing.T) {
			chrootDebian(t, suite, packageOf(t, first, "deb"), packageOf(t, next, "deb"))
		})
	}
	t.Run("rpm", func(t *testing.T) { installRPM(t, packageOf(t, first, "rpm"), packageOf(t, next, "rpm")) })
}

// requirePackages skips the test where a program is missing that it needs, except in
// continuous integration.
func requirePackages(t *testing.T) {
	t.Helper()
	t.Attr("needs", "packages")
	if testing.Short() {
		t.Skip("left out by -short: builds packages")
	}
	for _, program := range []string{"dpkg-deb", "rpm", "gzip"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatal(program + " is missing: run as root: .ci/install packages")
		}
		t.Skip(program + " is missing: run as root: .ci/install packages")
	}
}

// buildPackages gives the folder with the packages of a version for this machine.
func buildPackages(t *testing.T, version string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "../../.ci/packages/build", folder, runtime.GOARCH)
	cmd.Env = append(os.Environ(), "VERSION="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// packageOf is the only file with an extension in a folder.
func packageOf(t *testing.T, folder, extension string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*."+extension))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v", extension, files, err)
	}
	return files[0]
}

// lines are those that a program prints.
func lines(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// packageFiles: the packages have the files of make install, all of them root's, and those in
// /etc are the administrator's; the checksums fit; and the SBOM names the modules.
func packageFiles(t *testing.T, folder string) {
	want := installedFiles(t)
	deb := debFiles(t, packageOf(t, folder, "deb"))
	// What Debian has at another place, or besides.
	for name, own := range map[string]string{
		"/usr/share/zsh/site-functions/_gtunnel":  "/usr/share/zsh/vendor-completions/_gtunnel",
		"/usr/share/doc/gtunnel/CHANGELOG.md":     "/usr/share/doc/gtunnel/changelog",
		"/usr/share/doc/gtunnel/LICENSE":          "/usr/share/doc/gtunnel/copyright",
		"/usr/share/doc/gtunnel/changelog.Debian": "/usr/share/lintian/overrides/gtunnel",
	} {
		if !slices.Contains(deb, own) {
			t.Errorf(".deb lacks %s", own)
		}
		deb = slices.DeleteFunc(deb, func(file string) bool { return file == own || file == "/usr/share/doc/gtunnel/changelog.Debian" })
		if name != "/usr/share/doc/gtunnel/changelog.Debian" {
			deb = append(deb, name)
		}
	}
	slices.Sort(deb)
	if !slices.Equal(deb, want) {
		t.Errorf(".deb has\n%s\nwant\n%s", strings.Join(deb, "\n"), strings.Join(want, "\n"))
	}
	var rpm []string
	for _, line := range lines(t, "rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMODES:perms} %{FILEFLAGS:fflags}\n]",
		packageOf(t, folder, "rpm")) {
		fields := strings.Fields(line)
		if fields[1] != "root" || fields[2] != "root" {
			t.Errorf(".rpm: not root's: %s", line)
		}
		if isConfig := len(fields) > 4 && fields[4] == "cn"; isConfig != strings.HasPrefix(fields[0], "/etc/") {
			t.Errorf(".rpm: a file of the administrator's, or none? %s", line)
		}
		if strings.HasPrefix(fields[3], "-") {
			rpm = append(rpm, strings.TrimSuffix(strings.Replace(fields[0], "/share/licenses/", "/share/doc/", 1), ".gz"))
		}
	}
	slices.Sort(rpm)
	if !slices.Equal(rpm, want) {
		t.Errorf(".rpm has\n%s\nwant\n%s", strings.Join(rpm, "\n"), strings.Join(want, "\n"))
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = folder
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	var bom struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, packageOf(t, folder, "cdx.json"))), &bom); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, c := range bom.Components {
		names[c.Name] = c.Version
	}
	for _, name := range []string{"std", "go.uber.org/zap", "github.com/go-sql-driver/mysql"} {
		if names[name] == "" {
			t.Errorf("the SBOM lacks %s: %v", name, slices.Sorted(maps.Keys(names)))
		}
	}
}

// installedFiles are those of make install.
func installedFiles(t *testing.T) []string {
	t.Helper()
	root := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "-o", "build", "install",
		"DESTDIR="+root, "BINARY="+build(t)).CombinedOutput()
	if err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	var files []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// debFiles are those of a package, by their names before they were compressed.
func debFiles(t *testing.T, deb string) []string {
	t.Helper()
	config := lines(t, "dpkg-deb", "--info", deb, "conffiles")
	var files []string
	for _, line := range lines(t, "dpkg-deb", "--contents", deb) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[5], ".")
		if fields[1] != "root/root" {
			t.Errorf(".deb: not root's: %s", line)
		}
		if !strings.HasPrefix(line, "-") {
			continue
		}
		if strings.HasPrefix(name, "/etc/") != slices.Contains(config, name) {
			t.Errorf(".deb: a file of the administrator's, or none? %s", line)
		}
		files = append(files, strings.TrimSuffix(name, ".gz"))
	}
	return files
}

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
		"(", "-path", "/var/lib/dpkg", "-o", "-path", "/var/log/journal", "-o", "-path", "/var/lib/systemd", "-o",
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
	want := []string{"/etc/.pwd.lock", "/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-", "/var/lib/gtunnel", "/var/lib/gtunnel/hand-over.json"}
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
	if out := s.Run("dpkg", "--refuse-downgrade", "--force-confold", "--install", "/root/next.deb"); strings.Contains(out, "do not run") {
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
		out, err := exec.CommandContext(t.Context(), "rpm", append([]string{"--root=" + host.Root, "--nodeps"}, args...)...).CombinedOutput()
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
	if out := strings.TrimSpace(lines(t, "rpm", "--root="+host.Root, "-q", "gtunnel")[0]); !strings.HasPrefix(out, "gtunnel-1.0.0-1.") {
		t.Errorf("it is %s", out)
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
