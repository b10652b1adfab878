package pairs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// toolMark is in the environment of the tools that a test starts.
const toolMark = "SEED_OF_TEST"

// MarkTools makes NoTools know the tools that a test starts.
func MarkTools(t *testing.T) {
	t.Helper()
	t.Setenv(toolMark, t.Name()+" of "+strconv.Itoa(os.Getpid()))
}

// NoTools fails if a tool of the test still runs.
func NoTools(t *testing.T) {
	t.Helper()
	for pid, args := range processes(t) {
		environment, _ := os.ReadFile(filepath.Join("/proc", pid, "environ")) // it may have ended
		if slices.Contains(strings.Split(string(environment), "\x00"), toolMark+"="+os.Getenv(toolMark)) {
			t.Errorf("process %s is still there: %q", pid, args)
		}
	}
}

// NoSecrets fails if any process of this host shows OddPassword among its
// arguments or in its environment.
func NoSecrets(t *testing.T) {
	t.Helper()
	for pid, args := range processes(t) {
		environment, _ := os.ReadFile(filepath.Join("/proc", pid, "environ")) // it may have ended
		if strings.Contains(args+string(environment), OddPassword) {
			t.Errorf("process %s shows the password", pid)
		}
	}
}

// processes gives the arguments of all processes of this host by their ids.
func processes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		args, err := os.ReadFile(file)
		if err == nil && len(args) > 0 { // else it has ended
			all[filepath.Base(filepath.Dir(file))] = string(args)
		}
	}
	return all
}

// WrapTools puts a shell script before tools in PATH, until the test ends. In it
// $tool is the tool itself. What asks for a tool's version or help gets the
// tool's own.
func WrapTools(t *testing.T, script string, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		text := "#!/bin/sh\ntool=" + path + "\ncase \"$1\" in --version | --help) exec $tool \"$@\" ;; esac\n" + script
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}
