package main_test

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions are what the shell is told for the last of the words, without descriptions, and
// the directive.
func completions(t *testing.T, words ...string) (found []string, directive string) {
	t.Helper()
	code, stdout, stderr := runMain(t, append([]string{"__complete"}, words...)...)
	if code != 0 {
		t.Fatalf("%q: exit code %d: %s", words, code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		name, _, _ := strings.Cut(line, "\t")
		found = append(found, name)
	}
	return found, lines[len(lines)-1]
}

// TestCompletionOfTunnels: the shell knows the tunnels and the connections of running processes.
func TestCompletionOfTunnels(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	folder := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", folder)
	_, address := s.startServer(b.address())
	_, client := s.startClient(address)
	echo(t, dial(t, client), "a connection")
	both := "unix:" + filepath.Join(folder, "*.sock")
	names, _ := completions(t, "status", "--admin", both, "--tunnel", "")
	if !slices.Equal(names, []string{"client", "server"}) {
		t.Errorf("the tunnels are %q", names)
	}
	if names, _ := completions(t, "status", "--admin", both, "--tunnel", "s"); !slices.Equal(names, []string{"server"}) {
		t.Errorf("the tunnels that begin with s are %q", names)
	}
	server := "unix:" + filepath.Join(folder, "server.sock")
	ids, directive := completions(t, "close", "--admin", server, "")
	if len(ids) != 1 || directive != ":4" {
		t.Fatalf("the connections are %q, %s", ids, directive)
	}
	if again, _ := completions(t, "close", "--admin", server, ids[0], ""); len(again) != 0 {
		t.Errorf("beside %s there is %q", ids[0], again)
	}
	wantRun(t, 0, []string{"closed connection " + ids[0]}, "close", "--admin", server, ids[0])
}

// TestCompletionOfDatabases: the shell knows the databases of a server that lets this user in by
// its socket, and is never kept waiting.
func TestCompletionOfDatabases(t *testing.T) {
	db := startMariaDB(t, "completion", 1)
	db.do("CREATE DATABASE voms", "CREATE DATABASE iam", "CREATE DATABASE vault")
	socket := []string{"--user", "root", "--socket", db.Socket}
	of := func(command string, words ...string) []string {
		t.Helper()
		names, directive := completions(t, slices.Concat([]string{"replication", command}, socket, words)...)
		if directive != ":6" {
			t.Errorf("the directive is %s", directive)
		}
		return names
	}
	if names := of("compare", "--databases", ""); !slices.Equal(names, []string{"iam", "vault", "voms"}) {
		t.Errorf("the databases are %q", names)
	}
	if names := of("setup-slave", "--replace-databases", "voms,v"); !slices.Equal(names, []string{"voms,vault"}) {
		t.Errorf("after voms, there is %q", names)
	}
	silent := filepath.Join(t.TempDir(), "silent.sock") // it accepts, and says nothing
	listener, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, path := range []string{silent, "/nonexistent.sock"} {
		socket = []string{"--user", "root", "--socket", path}
		if names := of("compare", "--databases", ""); len(names) > 0 {
			t.Errorf("at %s there is %q", path, names)
		}
	}
}
