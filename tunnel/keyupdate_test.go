package tunnel_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestKeyUpdates is a peer that changes its keys (K: and has the other end
// change its own) between small messages, and while much data comes.
// crypto/tls never begins that itself; openssl s_client does when it is told.
func TestKeyUpdates(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		missing(t, "no openssl")
	}
	const begin, size = "\nnow much data\n", 64 << 20
	p := newPKI(t)
	server := start(t, p.serverConfig(t, backend(t, func(conn *net.TCPConn) { answerLines(conn, begin, size) })))
	s := startSClient(t, openssl, p, server.Addr().String())

	// s_client takes a letter for a command only at the beginning of what it
	// reads at once: each one waits for what it does.
	for i := range 10 {
		line := fmt.Sprintf("line %d", i)
		s.say(t, line)
		s.find(t, "echo "+line+"\n")
		s.say(t, []string{"K", "k"}[i%2])
		receive(t, "a key update", s.updates)
	}
	s.say(t, "last")
	s.find(t, "echo last\n")
	s.say(t, "K")
	receive(t, "a key update", s.updates)
	noBuffers(t) // the message is no data that something could wait for

	s.say(t, "much")
	s.find(t, begin)
	over, stop := s.updateKeys()
	gotSize, gotSum, err := sum(io.LimitReader(s.out, size))
	stop()
	n := receive(t, "the end of the key updates", over)
	if _, want, _ := sum(newPattern(1, size)); err != nil || gotSize != size || gotSum != want {
		t.Errorf("got %d bytes with sum %x, %v, want %d with %x", gotSize, gotSum, err, size, want)
	}
	if n == 0 {
		t.Error("no key was changed while data came")
	}
	t.Logf("%d key updates while data came", n)
}

// answerLines echoes lines until one says "much", then sends so much data after
// begin, and echoes the rest.
func answerLines(conn *net.TCPConn, begin string, size int64) {
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if line == "much\n" {
			break
		}
		_, _ = io.WriteString(conn, "echo "+line)
	}
	_, _ = io.WriteString(conn, begin)
	_ = send(conn, newPattern(1, size))
	_, _ = io.Copy(conn, lines)
}

// sClient is openssl s_client, until the test ends.
type sClient struct {
	stdin   io.WriteCloser
	out     *bufio.Reader
	updates chan struct{} // its key updates
}

// startSClient connects openssl as clientHost to a server.
func startSClient(t *testing.T, openssl string, p *pki, address string) *sClient {
	t.Helper()
	host, err := p.ca.NewHost(clientHost, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := host.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), openssl, "s_client", "-tls1_3", "-connect", address,
		"-cert", certFile, "-key", keyFile, "-CApath", p.capath, "-verify_return_error", "-servername", serverHost)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	updates := make(chan struct{}, 1000)
	noticed := make(chan struct{})
	go func() {
		defer close(noticed)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.Contains(lines.Text(), "KEYUPDATE") {
				updates <- struct{}{}
			}
		}
	}()
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		stuck.Stop()
		stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		<-noticed
		_ = cmd.Wait() // it complains about the end of its input
	})
	return &sClient{stdin: stdin, out: bufio.NewReaderSize(stdout, 1<<20), updates: updates}
}

// say writes a line.
func (s *sClient) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// find reads as far as a text.
func (s *sClient) find(t *testing.T, text string) {
	t.Helper()
	for seen := ""; !strings.HasSuffix(seen, text); {
		b, err := s.out.ReadByte()
		if err != nil {
			t.Fatalf("waiting for %q: %v", text, err)
		}
		seen = (seen + string(b))[max(0, len(seen)+1-len(text)):]
	}
}

// updateKeys changes keys until stop is called; over says how often.
func (s *sClient) updateKeys() (over <-chan int, stop func()) {
	done, stopped := make(chan int), make(chan struct{})
	go func() {
		n := 0
		defer func() { done <- n }()
		for n < 12 { // crypto/tls takes 16 in a row without data for an attack
			if _, err := io.WriteString(s.stdin, "K\n"); err != nil {
				return
			}
			select {
			case <-s.updates:
				n++
			case <-stopped:
				return
			}
		}
	}()
	return done, func() { close(stopped) }
}
