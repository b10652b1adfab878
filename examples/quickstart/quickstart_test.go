package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// binaries is where TestMain builds gtunnel and quickstart.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "quickstart-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	build := exec.Command("go", "build", "-o", binaries+"/", "../../cmd/gtunnel", ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// workspace makes a directory that MariaDB's user can enter, for the program's
// own directory. At the end of the test it must be empty, and no process may
// have to do with it.
func workspace(t *testing.T) string {
	t.Helper()
	t.Attr("needs", string(servertest.MariaDB))
	if testing.Short() {
		t.Skip("left out by -short: needs a database server")
	}
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := servertest.MariaDB.Find(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("CI requires MariaDB (.ci/install mariadb): %v", err)
			}
			t.Skipf("MariaDB is not installed (.ci/install mariadb): %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := processesOf(t, dir); len(left) > 0 {
			t.Errorf("processes are left: %q", left)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("files are left: %v %v", entries, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// processesOf lists the living processes that run in dir or name it in their
// command line.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(procs) == 0 {
		t.Fatalf("/proc is not readable: %v", err)
	}
	for _, proc := range procs {
		// A process may end between the listing and here.
		args, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		if bytes.Contains(args, []byte(dir)) || strings.HasPrefix(cwd, dir) {
			found = append(found, filepath.Base(proc)+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found
}

// program starts the built quickstart in dir.
func program(t *testing.T, dir string, args ...string) (cmd *exec.Cmd, stdout io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(filepath.Join(binaries, "quickstart"),
		append([]string{"--gtunnel", filepath.Join(binaries, "gtunnel")}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	// If the test fails half-way, the program still cleans up after itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	})
	return cmd, stdout, stderr
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	cmd, stdout, stderr := program(t, dir)
	out, err := io.ReadAll(stdout)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr)
	}
	t.Logf("\n%s", out)
	if stderr.Len() > 0 {
		t.Errorf("stderr is not empty:\n%s", stderr)
	}
	for _, want := range []string{
		`(?m)^     1\. master: write the hand-over file for the slave$`,
		`(?m)^    11\. slave: compare the data of both at one position$`,
		`(?m)^    ok: the slave has applied all that the master has$`,
		`(?m)^    replicates  quickstart\.%$`,
		`(?m)^    Rows on the master: 3,000; on the slave: still 2,000\.`,
		`(?m)^    problem  slave: nothing listens at the local end of the tunnel$`,
		`(?m)^    rows on the master: 3000$`,
		`(?m)^    rows on the slave:  3000$`,
		`(?m)^    equal  quickstart\.messages  3000 rows`,
		`(?m)^    1 of 1 table equal at `,
		`(?m)^    The master's end had sent [0-9,]+ bytes, and now [0-9,]+:`,
		`The new process has received\s+[0-9,]+ bytes`,
		`(?m)^    slave\.example\.org is the master, by the term 2\.$`,
		`(?m)^    Nobody could write for at most [0-9.]+m?s\.$`,
		`(?m)^    master\.example\.org is the master, by the term 3\.$`,
		`(?m)^    slave\.example\.org follows it\.$`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("the output does not match %s:\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if columns := len([]rune(strings.TrimSuffix(line, "\n"))); columns > 80 {
			t.Errorf("a line of %d columns: %s", columns, line)
		}
	}
}

// TestInterrupt sends signals at different moments.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		about  string
		moment string // the start of the output's line after which the signal comes
		signal syscall.Signal
		args   []string
		exit   int
	}{
		{"while the servers are made", " 1. ", syscall.SIGINT, nil, 130},
		{"while the slave is set up", " 5. ", syscall.SIGTERM, nil, 130},
		{"while the tunnel is stopped", " 9. ", syscall.SIGINT, nil, 130},
		{"after the end, with --keep", "Ctrl-C", syscall.SIGINT, []string{"--keep"}, 0},
	} {
		t.Run(test.about, func(t *testing.T) {
			t.Parallel()
			dir := workspace(t)
			cmd, stdout, stderr := program(t, dir, test.args...)
			out := readUntil(t, stdout, test.moment)
			if running := processesOf(t, dir); test.exit == 0 && len(running) != 6 {
				t.Errorf("%d processes, want two servers, tunnels and guards: %q", len(running), running)
			}
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(stdout)
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != test.exit {
				t.Errorf("%v, want exit status %d\n%s%s\n%s", cmd.ProcessState, test.exit, out, rest, stderr)
			}
			if said := strings.Contains(stderr.String(), "interrupted"); said != (test.exit != 0) {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}

// TestKilled kills the program where it cannot clean up: its children must not
// outlive it.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	cmd, stdout, stderr := program(t, dir, "--keep")
	out := readUntil(t, stdout, "Ctrl-C")
	before := processesOf(t, dir)
	if len(before) != 6 {
		t.Errorf("%d processes, want two servers, tunnels and guards: %q\n%s%s", len(before), before, out, stderr)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.After(time.Minute)
	for len(processesOf(t, dir)) > 0 {
		select {
		case <-deadline:
			t.Fatalf("processes outlive the program: %q", processesOf(t, dir))
		case <-time.After(50 * time.Millisecond):
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "gtunnel-quickstart-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("directories %q, want one: %v", left, err)
	}
	if err := os.RemoveAll(left[0]); err != nil {
		t.Fatal(err)
	}
}

// readUntil reads lines until one starts with prefix, and returns them.
func readUntil(t *testing.T, r io.Reader, prefix string) string {
	t.Helper()
	var out strings.Builder
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		out.WriteString(line)
		if err != nil {
			t.Fatalf("no line starts with %q: %v\n%s", prefix, err, out.String())
		}
		if strings.HasPrefix(line, prefix) {
			return out.String()
		}
	}
}

// TestFailure lets a step fail: the step, the log and the next step are shown,
// and nothing remains.
func TestFailure(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := workspace(t)
	broken := filepath.Join(dir, "gtunnel")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no luck today >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	m := &Main{Gtunnel: broken, TempDir: dir, Stdout: &stdout, Stderr: &stderr}
	if err := m.Run(t.Context()); err == nil {
		t.Errorf("no error:\n%s", stdout.String())
	}
	for _, want := range []string{
		"quickstart: step 3 failed: ", "the master's gtunnel ended: exit status 3",
		"\n    no luck today\n",
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, stderr.String())
		}
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
}

// TestLyingCounters proves that the counters are looked at: a stand-in that
// carries the bytes and does not count them must not pass.
func TestLyingCounters(t *testing.T) {
	dir := workspace(t)
	lying := filepath.Join(dir, "gtunnel")
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = status ]; then echo '{\"tunnels\":[{}]}'; else exec %s/gtunnel "+
		"\"$@\"; fi\n", binaries)
	if err := os.WriteFile(lying, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	m := &Main{Gtunnel: lying, TempDir: dir, Stdout: &stdout, Stderr: &stderr}
	err := m.Run(t.Context())
	if err == nil {
		t.Error("no error")
	}
	for _, want := range []string{"quickstart: step 9 failed: ", "the tunnel carried less than the rows"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr does not say %q:\n%s%s", want, stdout.String(), stderr.String())
		}
	}
	if err := os.Remove(lying); err != nil {
		t.Fatal(err)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, test := range []struct {
		about string
		args  []string
		want  []string
	}{
		{"unknown flag", []string{"--fast"}, []string{"-fast"}},
		{"argument", []string{"bin/gtunnel"}, []string{`unexpected argument "bin/gtunnel"`, "hint: "}},
		{
			"no such binary",
			[]string{"--gtunnel", "/no/such/gtunnel"},
			[]string{"/no/such/gtunnel is no program", "hint: run `make build`"},
		},
	} {
		t.Run(test.about, func(t *testing.T) {
			var stderr bytes.Buffer
			m := &Main{TempDir: t.TempDir(), Stdout: io.Discard, Stderr: &stderr}
			err := m.ParseFlags(test.args)
			if err == nil {
				err = m.Run(t.Context())
			}
			if err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr does not say %q: %s", want, stderr.String())
				}
			}
		})
	}
}
