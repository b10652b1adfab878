package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestStatusNotReady: a tunnel that /readyz calls not ready is so for status too, with the
// cure, as a table, as JSON and in a watch; the exit code stays that of a process that answers.
func TestStatusNotReady(t *testing.T) {
	t.Parallel() // it waits
	s := newSite(t)
	admin := "unix:" + filepath.Join(t.TempDir(), "client.sock")
	place, err := net.Listen("tcp", "127.0.0.1:0") // nobody else gets it meanwhile
	if err != nil {
		t.Fatal(err)
	}
	address := place.Addr().String()
	place.Close()
	client, _ := s.startClient(address, "--admin", admin)
	client.waitMessage("server not reached")
	if code, _ := sendAdmin(t, strings.TrimPrefix(admin, "unix:"), http.MethodGet, "/readyz", ""); code != 503 {
		t.Fatalf("/readyz: %d", code)
	}
	reason := "NOT READY: client: " + address + ": server not reached: connection refused\nhint: "
	wantRun(t, 0, []string{reason}, "status", "--admin", admin)
	list := wantRun(t, 0, nil, "status", "--json", "--admin", admin)
	var answer tunnel.AdminStatus
	if err := json.Unmarshal([]byte(list), &answer); err != nil || len(answer.Tunnels) != 1 ||
		len(answer.Tunnels[0].NotReady) != 1 || answer.Tunnels[0].NotReady[0].Cure == "" {
		t.Errorf("as JSON, %v: %s", err, list)
	}

	out := new(screen)
	ctx, stop := context.WithCancel(t.Context())
	m := gtunnel.Main{
		Args: []string{"status", "--watch", "--admin", admin}, Stdin: strings.NewReader(""), Stdout: out,
		Stderr: out, Getenv: environment(nil),
	}
	ended := make(chan int, 1)
	go func() { ended <- m.Run(ctx) }()
	wait := func(word string) {
		t.Helper()
		pairs.WaitFor(t, patience, word, func() (string, bool) { return out.String(), strings.Contains(out.String(), word) })
	}
	wait("client: NOT READY: " + address + ": server not reached: connection refused; hint: ")
	s.startServer(startBackend(t).address(), "--accept", address, "--admin", "none")
	client.waitMessage("server reached and proven, and it accepts this host")
	wait("client: ready again\n")
	stop()
	if code := waitCode(t, ended); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if text := wantRun(t, 0, nil, "status", "--admin", admin); strings.Contains(text, "NOT READY") {
		t.Errorf("it is ready:\n%s", text)
	}
}

// TestStatusOfAnOlderProcess: of a process that does not say whether its tunnels are ready,
// nothing is said.
func TestStatusOfAnOlderProcess(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "old.sock")
	serveAt(t, socket, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"tunnels":[{"name":"old","accepting":true}]}`)
	})
	for _, more := range [][]string{nil, {"--json"}} {
		text := wantRun(t, 0, []string{"old"}, append([]string{"status", "--admin", "unix:" + socket}, more...)...)
		if strings.Contains(text, "READY") || strings.Contains(text, "not_ready") {
			t.Errorf("%v:\n%s", more, text)
		}
	}
}

// TestStatusInWords: what status says of settings is in the words by which the process was
// started, and it names the proxy of a refused connection.
func TestStatusInWords(t *testing.T) {
	s, folder := newSite(t), t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", folder)
	target := startBackend(t).address()
	flags := "unix:" + filepath.Join(t.TempDir(), "flags.sock")
	_, address := s.startServer(target, "--admin", flags, "--allow-from", "192.0.2.0/24",
		"--accept-proxy-from", "127.0.0.1/32")
	conn := dial(t, address)
	io.WriteString(conn, "PROXY TCP4 198.51.100.9 198.51.100.1 40001 3307\r\n")
	wantEnd(t, conn)
	text := wantRun(t, 0, []string{
		"source-not-allowed, 1 times, last from 198.51.100.9:40001 by " + conn.LocalAddr().String() + "\n",
		"that --allow-from names", "add it: --allow-from 198.51.100.9",
	}, "status", "--admin", flags)
	if strings.Contains(text, "allow_from") {
		t.Errorf("started by flags:\n%s", text)
	}

	f, address := s.startFileServer(target, "allow_all = true", `allow_from = ["192.0.2.0/24"]`)
	if conn, err := net.Dial("tcp", address); err == nil { // it may be reset before that
		defer conn.Close()
	}
	f.waitMessage("connection refused")
	text = wantRun(t, 0, []string{"that allow_from names", "add it: allow_from 127.0.0.1"}, "status", "--admin",
		"unix:"+filepath.Join(folder, "run.sock"))
	if strings.Contains(text, "--allow") {
		t.Errorf("started from a file:\n%s", text)
	}
}
