package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// requireRoot skips what only root can do, except in continuous integration.
func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needs root")
	}
	t.Skip("needs root: nobody else can become another user")
}

// nobody is the user and the group of those who own nothing.
const nobody = 65534

// letIn lets every user look into a folder of the test, as into /etc/grid-security.
func letIn(t *testing.T, folder string) {
	t.Helper()
	for ; folder != os.TempDir(); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeaveRoot: a process that root has started becomes its user, with every thread and
// without root's groups, once it has read the key of root's and listens; root and the user
// reach it, and it reloads; of a renewed key it says that it cannot read it, and goes on.
func TestLeaveRoot(t *testing.T) {
	requireRoot(t)
	s := newSite(t)
	for _, folder := range []string{s.folder, filepath.Dir(s.server.key), filepath.Dir(binary(t))} {
		letIn(t, folder)
	}
	own := filepath.Join(s.folder, "own")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	r := &reloaded{site: s, file: filepath.Join(s.folder, "gtunnel.toml"), admin: "unix:" + filepath.Join(own, "a.sock")}
	pid := filepath.Join(own, "gtunnel.pid")
	text := r.whole("[process]\nuser = \"nobody\"\ngroup = \"nogroup\"\npid_file = \"own/gtunnel.pid\"\n" +
		serverSection("db", "127.0.0.1:0", "127.0.0.1:1", ""))
	r.put(r.file, text)
	if err := os.Chmod(r.file, 0o644); err != nil {
		t.Fatal(err)
	}
	r.program = start(t, "run", nil, "run", "--config", r.file)
	r.waitMessage("this process is no longer root")
	warning := r.waitMessage("its user cannot read a file again: only a restart puts a renewed one in force")
	if warning.field("file") != s.server.key {
		t.Errorf("it says that of %s", warning.field("file"))
	}
	r.waitMessage("listening")
	expectUser(t, r.cmd.Process.Pid, nobody)
	if number, err := os.ReadFile(pid); err != nil || string(number) != fmt.Sprintln(r.cmd.Process.Pid) {
		t.Errorf("the pid file: %q, %v", number, err)
	}
	if stdout, _ := r.ask(t, 0); stdout != "nothing has changed\n" {
		t.Errorf("a reload that root asks for: %s", stdout)
	}
	asUser := exec.CommandContext(t.Context(), binary(t), "reload", "--admin", r.admin)
	asUser.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := asUser.CombinedOutput(); err != nil {
		t.Errorf("a reload that the user asks for: %v: %s", err, out)
	}

	renewed, err := s.ca.NewHost("server.test", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := renewed.Write(filepath.Dir(s.server.key)); err != nil { // as root, 0600
		t.Fatal(err)
	}
	_, stderr := r.ask(t, 1)
	if !strings.Contains(stderr, "permission denied") || !strings.Contains(stderr, "hint: restart gtunnel: ") {
		t.Errorf("of a renewed key it says:\n%s", stderr)
	}
	r.signal(syscall.SIGTERM)
	if code := r.waitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(pid); err == nil {
		t.Error("the pid file is still there")
	}
}

// expectUser wants every thread of a process to be a user's, in all ways, and in no other group.
func expectUser(t *testing.T, pid, user int) {
	t.Helper()
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/status"))
	if err != nil || len(threads) < 2 {
		t.Fatalf("its threads: %v, %v", threads, err)
	}
	number := strconv.Itoa(user)
	four := strings.Join([]string{number, number, number, number}, "\t")
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // the thread has ended
		}
		for _, want := range []string{
			"Uid:\t" + four, "Gid:\t" + four, "Groups:\t" + number + " ", "CapPrm:\t0+", "CapEff:\t0+",
		} {
			if !regexp.MustCompile("(?m)^" + want + "$").Match(status) {
				t.Errorf("no line %q in %s:\n%s", want, file, status)
			}
		}
	}
}

// TestUnknownUser: what cannot be is said before anything is opened.
func TestUnknownUser(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ flags, want string }{
		{"--user nosuchuser", "--user: there is no user nosuchuser in /etc/passwd"},
		{"--user nobody --group nosuchgroup", "--group: there is no group nosuchgroup in /etc/group"},
		{"--user root", "--user: is root, who may do everything"},
		{"--group nogroup", "--group: is of no use without a user"},
	} {
		args := append(strings.Fields("client --connect 127.0.0.1:1 --accept 127.0.0.1:0 "+c.flags), s.client.flags()...)
		code, _, stderr := runMain(t, append(args, "--capath", s.capath)...)
		if code != 2 || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "\nhint: ") {
			t.Errorf("%s: exit code %d:\n%s", c.flags, code, stderr)
		}
	}
}
