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
)

// TestPackages builds the packages of two versions, and does with them what an administrator
// does in years. GTUNNEL_PACKAGES=all (make packages-test) does it on a Debian 13, too, and
// builds the SBOM.
func TestPackages(t *testing.T) {
	requirePackages(t)
	t.Parallel() // it waits much: for systemd, and for connections that drain
	first, next := buildPackages(t, "v1.0.0-rc.1"), buildPackages(t, "v1.0.0")
	t.Run("again", func(t *testing.T) {
		again := buildPackages(t, "v1.0.0", "TMPDIR="+t.TempDir(), "TZ=Asia/Tokyo")
		if got, want := read(t, filepath.Join(again, "SHA256SUMS")), read(t, filepath.Join(next, "SHA256SUMS")); got != want {
			t.Errorf("built again:\n%swas\n%s", got, want)
		}
	})
	t.Run("files", func(t *testing.T) { packageFiles(t, next) })
	for _, suite := range []string{"debian-12", "debian-13"} {
		if suite == "debian-13" && !everything() {
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

// everything reports whether the long form of the test is wanted.
func everything() bool { return os.Getenv("GTUNNEL_PACKAGES") == "all" }

// TestPackagesRestart: an upgrade restarts every service that stays.
func TestPackagesRestart(t *testing.T) {
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) == 0 {
		t.Fatal(units, err)
	}
	script := strings.Fields(strings.ReplaceAll(read(t, "../../.ci/packages/postinstall"), ";", " "))
	for _, unit := range units {
		if strings.Contains(read(t, unit), "\nType=notify\n") != slices.Contains(script, unit) {
			t.Errorf("%s: does it stay, and is it restarted?", unit)
		}
	}
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

// buildPackages gives the folder with the packages of a version for this machine, built with an
// environment that is another, perhaps.
func buildPackages(t *testing.T, version string, environment ...string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "../../.ci/packages/build", folder, runtime.GOARCH)
	cmd.Env = append(append(os.Environ(), "VERSION="+version), environment...)
	if !everything() {
		cmd.Env = append(cmd.Env, "SBOM=no")
	}
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
// /etc are the administrator's.
func packageFiles(t *testing.T, folder string) {
	want := installedFiles(t, packageOf(t, folder, "deb"))
	deb := debFiles(t, packageOf(t, folder, "deb"))
	if !slices.Equal(deb, want) {
		t.Errorf(".deb has\n%s\nwant\n%s", strings.Join(deb, "\n"), strings.Join(want, "\n"))
	}
	rpm := rpmFiles(t, packageOf(t, folder, "rpm"))
	if !slices.Equal(rpm, want) {
		t.Errorf(".rpm has\n%s\nwant\n%s", strings.Join(rpm, "\n"), strings.Join(want, "\n"))
	}
	packageList(t, folder)
}

// packageList: the checksums fit, and the SBOM names the modules.
func packageList(t *testing.T, folder string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = folder
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") < 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if !everything() {
		return
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

// installedFiles are those of make install, with the program of a package.
func installedFiles(t *testing.T, deb string) []string {
	t.Helper()
	unpacked, root := t.TempDir(), t.TempDir()
	lines(t, "dpkg-deb", "--extract", deb, unpacked)
	out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "-o", "build", "install",
		"DESTDIR="+root, "BINARY="+filepath.Join(unpacked, "usr/bin/gtunnel")).CombinedOutput()
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

// ofDebian has what Debian has at a place of its own; without a name, besides.
var ofDebian = map[string]string{
	"/usr/share/zsh/vendor-completions/_gtunnel": "/usr/share/zsh/site-functions/_gtunnel",
	"/usr/share/doc/gtunnel/changelog":           "/usr/share/doc/gtunnel/CHANGELOG.md",
	"/usr/share/doc/gtunnel/copyright":           "/usr/share/doc/gtunnel/LICENSE",
	"/usr/share/doc/gtunnel/changelog.Debian":    "",
	"/usr/share/lintian/overrides/gtunnel":       "",
}

// debFiles are those of a package, by the names that make install has for them.
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
		name = strings.TrimSuffix(name, ".gz")
		if own, ok := ofDebian[name]; ok {
			name = own
		}
		if name != "" {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

// rpmFiles are those of a package, by the names that make install has for them.
func rpmFiles(t *testing.T, rpm string) []string {
	t.Helper()
	const form = "[%{FILENAMES} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILEMODES:perms} %{FILEFLAGS:fflags}\n]"
	var files []string
	for _, line := range lines(t, "rpm", "-qp", "--qf", form, rpm) {
		fields := append(strings.Fields(line), "")
		if fields[1] != "root/root" {
			t.Errorf(".rpm: not root's: %s", line)
		}
		if strings.HasPrefix(fields[0], "/etc/") != (fields[3] == "cn") {
			t.Errorf(".rpm: a file of the administrator's, or none? %s", line)
		}
		if strings.HasPrefix(fields[2], "-") {
			name := strings.Replace(fields[0], "/share/licenses/", "/share/doc/", 1)
			files = append(files, strings.TrimSuffix(name, ".gz"))
		}
	}
	slices.Sort(files)
	return files
}
