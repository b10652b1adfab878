package systemd_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// copies is where the units find the certificate and the key.
const copies = "/run/gtunnel-credentials"

// machine is what systemd gives a service on a host.
type machine struct {
	program, capath, credentials, runtime string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{program: build(t)}
	ca, err := certstest.NewCA("Test CA", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	m.capath, m.credentials = filepath.Join(folder, "certificates"), filepath.Join(folder, "credentials")
	m.runtime = filepath.Join(folder, "run")
	if err := certstest.WriteCApath(m.capath, ca); err != nil {
		t.Fatal(err)
	}
	host, err := ca.NewHost("server1.domain.one", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := host.Write(m.credentials)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o400); err != nil { // as gtunnel-credentials.service leaves it
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.runtime, "gtunnel"), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

// command is the command line of a unit, with flags for $GTUNNEL_FLAGS.
func (m machine) command(t *testing.T, unit, flags string) *exec.Cmd {
	t.Helper()
	line := match(t, read(t, unit), "^ExecStart=/usr/bin/gtunnel (.*)$")
	args := strings.Fields(strings.NewReplacer(copies, m.credentials, "$GTUNNEL_FLAGS", flags).Replace(line))
	// What a test must not use of the real host.
	args = append(args, "--capath", m.capath, "--accept", "127.0.0.1:0")
	cmd := exec.CommandContext(t.Context(), m.program, args...)
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+filepath.Join(m.runtime, "gtunnel"),
		"GTUNNEL_FLAGS_FILE="+match(t, read(t, unit), "^Environment=.* GTUNNEL_FLAGS_FILE=(.*)$"))
	return cmd
}

// TestExecStart: the command lines of the units, with the flags of their .env
// files and a credentials folder as systemd makes it, come up and say so.
func TestExecStart(t *testing.T) {
	m := newMachine(t)
	for _, unit := range flagUnits {
		name := strings.TrimSuffix(strings.TrimPrefix(unit, "gtunnel-"), ".service")
		flags := match(t, read(t, name+".env"), "^#GTUNNEL_FLAGS=(.*)$")
		t.Run(name, func(t *testing.T) {
			expectReady(t, m.command(t, unit, flags), filepath.Join(m.runtime, "gtunnel", name+".sock"))
		})
		t.Run(name+" without flags", func(t *testing.T) {
			cmd := m.command(t, unit, "")
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 2 {
				t.Errorf("%v, want exit code 2", err)
			}
			for _, want := range []string{"\nhint: ", strings.Fields(flags)[0], "GTUNNEL_FLAGS in /etc/gtunnel/" + name +
				".env"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

// TestExecStartPair: the command line of the unit for a pair, with a configuration file
// of nothing but the two hosts, comes up.
func TestExecStartPair(t *testing.T) {
	m := newMachine(t)
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	write(t, file, "[tls]\ncapath = \""+m.capath+"\"\n[pair]\nhosts = [\"server1.domain.one\", \"server2.domain.two\"]\n"+
		// What a test must not use of the real host.
		"accept = \"127.0.0.1:0\"\nlocal = \"127.0.0.1:0\"\n", 0o644)
	line := match(t, read(t, "gtunnel.service"), "^ExecStart=/usr/bin/gtunnel (.*)$")
	args := strings.Fields(strings.NewReplacer(copies, m.credentials, configFile, file).Replace(line))
	cmd := exec.CommandContext(t.Context(), m.program, args...)
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+filepath.Join(m.runtime, "gtunnel"))
	expectReady(t, cmd, filepath.Join(m.runtime, "gtunnel", "run.sock"))
}

// expectReady starts a service, which must say that it is ready, have its admin
// socket where gtunnel status looks, and end at SIGTERM.
func expectReady(t *testing.T, cmd *exec.Cmd, admin string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		systemd.SetReadDeadline(time.Now()) // whoever waits for a message waits in vain
	}()
	systemd.SetReadDeadline(time.Now().Add(30 * time.Second))
	message := make([]byte, 4096)
	n, err := systemd.Read(message)
	if err != nil {
		cmd.Process.Kill()
		t.Fatalf("the service does not get ready: %v, %v\n%s", err, <-ended, stderr.String())
	}
	if got := string(message[:n]); !strings.HasPrefix(got, "READY=1\n") {
		t.Errorf("the service says %q, not that it is ready", got)
	}
	if _, err := os.Stat(admin); err != nil {
		t.Error(err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, stderr.String())
	}
}

// TestInstall: make install puts everything where the units look for it, also
// below another prefix, and leaves an administrator's flags alone.
func TestInstall(t *testing.T) {
	program, root := build(t), t.TempDir()
	install := func() {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "-o", "build", "install",
			"DESTDIR="+root, "PREFIX=/usr/local", "BINARY="+program).CombinedOutput()
		if err != nil {
			t.Fatalf("make install: %v\n%s", err, out)
		}
	}
	install()
	own := "GTUNNEL_FLAGS=--allow-host mine.domain.two\n"
	write(t, filepath.Join(root, "etc/gtunnel/server.env"), own, 0o600)
	install()
	if got := read(t, filepath.Join(root, "etc/gtunnel/server.env")); got != own {
		t.Errorf("server.env is now %q", got)
	}
	if got := read(t, filepath.Join(root, "etc/gtunnel/client.env")); got != read(t, "client.env") {
		t.Errorf("client.env is %q", got)
	}
	for _, unit := range slices.Concat(units, others) {
		text := read(t, filepath.Join(root, "usr/local/lib/systemd/system", unit))
		if !slices.Contains(tunnels, unit) {
			continue
		}
		if started := match(t, text, "^ExecStart=([^ ]*) "); started != "/usr/local/bin/gtunnel" {
			t.Errorf("%s starts %s", unit, started)
		}
		if !slices.Contains(flagUnits, unit) {
			continue
		}
		file := match(t, text, "^EnvironmentFile=-(.*)$")
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "usr/local/bin/gtunnel")); err != nil {
		t.Error(err)
	}
	// Of the hand-over file, on a host that has no systemd running, too.
	if info, err := os.Stat(filepath.Join(root, "var/lib/gtunnel")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("/var/lib/gtunnel: %v, %v", info, err)
	}
	if got := read(t, filepath.Join(root, "usr/local/lib/tmpfiles.d/gtunnel.conf")); got != read(t, "gtunnel.conf") {
		t.Errorf("gtunnel.conf is %q", got)
	}
	if got := read(t, filepath.Join(root, "usr/local/lib/sysusers.d/gtunnel.conf")); got != read(t, "gtunnel.sysusers") {
		t.Errorf("the user's file is %q", got)
	}
	page := read(t, filepath.Join(root, "usr/local/share/man/man7/gtunnel-findings.7"))
	if !strings.HasPrefix(page, ".TH GTUNNEL-FINDINGS 7 ") {
		t.Errorf("the man page begins with %.80q", page)
	}
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "gtunnel")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/gtunnel/gtunnel/cmd/gtunnel")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// match is what the pattern's group matches in text.
func match(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return found[1]
}
