package systemd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// units are all; those of the flags have them in files of their own.
var (
	flagUnits = []string{"gtunnel-server.service", "gtunnel-client.service"}
	tunnels   = append([]string{"gtunnel.service"}, flagUnits...)
	roots     = []string{
		"gtunnel-credentials.service", "gtunnel-guard.service", "gtunnel-compare.service", "gtunnel-monitor.service",
	}
	units  = append(roots, tunnels...)
	others = []string{
		"gtunnel-compare.timer", "gtunnel-credentials.path",
		"gtunnel.socket", "gtunnel-server.socket", "gtunnel-client.socket",
	}
)

// exposure is ten times what `systemd-analyze security` may say at most, of
// 100. What is left is the network itself; and of the others, that they are root: as whom the
// server knows them, or who may read a key and give it away.
var exposure = map[string]string{
	"gtunnel.service": "12", "gtunnel-server.service": "12", "gtunnel-client.service": "12",
	"gtunnel-credentials.service": "15", "gtunnel-guard.service": "19", "gtunnel-compare.service": "19",
	// It may give the socket of the page to the tunnel's user.
	"gtunnel-monitor.service": "22",
}

// requireSystemd skips the test where systemd-analyze is missing, except in
// continuous integration.
func requireSystemd(t *testing.T) {
	t.Helper()
	t.Attr("needs", "systemd")
	if testing.Short() {
		t.Skip("left out by -short: needs systemd")
	}
	if _, err := exec.LookPath("systemd-analyze"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("systemd-analyze is missing: install the package systemd")
	}
	t.Skip("systemd-analyze is missing: install the package systemd")
}

// TestVerify: systemd reads the units without a word, in a root where the
// program is installed.
func TestVerify(t *testing.T) {
	requireSystemd(t)
	root := newRoot(t)
	for _, unit := range slices.Concat(units, others) {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, "etc/systemd/system", unit), string(text), 0o644)
	}
	if out := verify(t, root, slices.Concat(units, others)...); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	// The check sees what is wrong.
	write(t, filepath.Join(root, "etc/systemd/system/wrong.service"),
		"[Service]\nExecStart=/usr/bin/missing\nProtectSytem=strict\n", 0o644)
	if out := verify(t, root, "wrong.service"); !strings.Contains(out, "ProtectSytem") ||
		!strings.Contains(out, "/usr/bin/missing") {
		t.Errorf("systemd-analyze verify does not see a wrong unit: %q", out)
	}
}

// TestSecurity: the units give the service little.
func TestSecurity(t *testing.T) {
	requireSystemd(t)
	for _, unit := range units {
		file, err := filepath.Abs(unit)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--no-pager", "--offline=true",
			"--threshold="+exposure[unit], file).CombinedOutput()
		if err != nil {
			t.Errorf("%s is more exposed than %s of 100: %v\n%s", unit, exposure[unit], err, out)
		}
		if !strings.Contains(string(out), "Overall exposure level for "+unit) {
			t.Errorf("systemd-analyze security %s: %s", unit, out)
		}
	}
}

// TestFolder: systemd-tmpfiles makes the folder of the hand-over file, for root alone.
func TestFolder(t *testing.T) {
	requireSystemd(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: the folder is root's")
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n", 0o644)
	write(t, filepath.Join(root, "etc/group"), "root:x:0:\n", 0o644)
	write(t, filepath.Join(root, "usr/lib/tmpfiles.d/gtunnel.conf"), read(t, "gtunnel.conf"), 0o644)
	out, err := exec.CommandContext(t.Context(),
		"systemd-tmpfiles", "--root="+root, "--create", "gtunnel.conf").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-tmpfiles: %v: %s", err, out)
	}
	if info, err := os.Stat(filepath.Join(root, "var/lib/gtunnel")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("/var/lib/gtunnel: %v, %v", info, err)
	}
}

// TestUser: systemd-sysusers makes the user of the services, who owns nothing and logs in
// nowhere.
func TestUser(t *testing.T) {
	requireSystemd(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: users are root's")
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "usr/lib/sysusers.d/gtunnel.conf"), read(t, "gtunnel.sysusers"), 0o644)
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-sysusers", "--root="+root, "gtunnel.conf").CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-sysusers: %v: %s", err, out)
	}
	match(t, read(t, filepath.Join(root, "etc/passwd")), "^gtunnel:x:([0-9]+):[0-9]+:[^:]*:/:/.*nologin$")
}

// verify gives what systemd-analyze has to say.
func verify(t *testing.T, root string, units ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze",
		append([]string{"verify", "--man=no", "--root=" + root}, units...)...).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("systemd-analyze verify: %v", err)
	}
	return string(out)
}

// newRoot is a folder with the system's own units and the programs that ours
// name.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "usr/bin/gtunnel"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(root, "bin/sh"), "#!/bin/sh\n", 0o755)
	// The names of units that ours ask for; none is started.
	for _, folder := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || filepath.Ext(path) != ".target" {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil {
				write(t, filepath.Join(root, "usr/lib/systemd/system", entry.Name()), string(text), 0o644)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return root
}

func write(t *testing.T, file, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
