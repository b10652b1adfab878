package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// handed is a socket that listens, as systemd hands it to a service.
func handed(t *testing.T) (file *os.File, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // the file stays
	file, err = listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, listener.Addr().String()
}

// TestSockets: tunnels find the sockets of systemd by their addresses, in whatever order they
// come; what fits nothing is said; and a tunnel that goes and comes back has its socket still,
// with who has connected meanwhile.
func TestSockets(t *testing.T) {
	s := newSite(t)
	idle, idleAddress := handed(t)
	mine, address := handed(t)
	in := func(name string) string { return filepath.Join(s.folder, name) }
	r := &reloaded{site: s, file: in("gtunnel.toml"), admin: "unix:" + in("a.sock")}
	alone := serverSection("alone", "127.0.0.1:0", "127.0.0.1:1", "")
	both := serverSection("db", address, "127.0.0.1:1", "") + alone
	r.put(r.file, r.whole(both))
	r.program = startWith(t, "run", []*os.File{idle, mine},
		[]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=idle.socket:mine.socket exec "$@"`, "sh"}, nil,
		"run", "--config", r.file)
	const warning = "sockets of systemd that belong to no tunnel: who connects to them waits in vain"
	if got := r.waitMessage(warning).field("sockets"); got != `["idle.socket at `+idleAddress+`"]` {
		t.Errorf("no tunnel has the sockets %s", got)
	}
	without := r.waitMessage("tunnels without a socket of systemd: they listen by themselves").field("tunnels")
	if without != `["alone at 127.0.0.1:0"]` {
		t.Errorf("no socket have the tunnels %s", without)
	}
	r.waitLine("listening on the socket", 0, func(l logLine) bool { return l.field("accept") == address })
	before := len(r.logged())
	r.put(r.file, r.whole(alone))
	r.ask(t, 0)
	r.waitLine("the idle sockets", before, func(l logLine) bool {
		return l.field("message") == warning && strings.Contains(l.field("sockets"), "mine.socket at "+address)
	})
	visitor, err := net.Dial("tcp", address) // the kernel takes it
	if err != nil {
		t.Fatal(err)
	}
	defer visitor.Close()
	before = len(r.logged())
	r.put(r.file, r.whole(both))
	r.ask(t, 0)
	r.waitLine("listening on the socket again", before, func(l logLine) bool { return l.field("accept") == address })
	if _, err := visitor.Write([]byte("no TLS at all\n")); err != nil {
		t.Fatal(err)
	}
	if err := visitor.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := visitor.Read(make([]byte, 1)); n == 0 && os.IsTimeout(err) {
		t.Error("who has connected meanwhile is not served")
	}
}

// TestKeptElsewhere: a socket that systemd has kept from an earlier run is not in the way of a
// tunnel that is now at another address of its port, though systemd has not let go of it yet.
func TestKeptElsewhere(t *testing.T) {
	s := newSite(t)
	kept, address := handed(t)
	port := address[strings.LastIndex(address, ":"):]
	in := func(name string) string { return filepath.Join(s.folder, name) }
	r := &reloaded{site: s, file: in("gtunnel.toml"), admin: "unix:" + in("a.sock")}
	r.put(r.file, r.whole(serverSection("db", port, "127.0.0.1:1", "")))
	r.program = startWith(t, "run", []*os.File{kept}, []string{
		"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="$0" exec "$@"`,
		"gtunnel-kept " + strings.ReplaceAll(address, ":", " "),
	}, nil, "run", "--config", r.file)
	r.waitLine("listening at the other address", 0, func(l logLine) bool {
		return l.field("message") == "listening" && strings.HasSuffix(l.field("accept"), port)
	})
}
