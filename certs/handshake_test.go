package certs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// greeting is a MySQL packet with the sequence number 0.
func greeting(payload string) string {
	n := len(payload)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0}) + payload
}

// TestStrangersAtTheServer: what is no TLS at the TLS port has its own
// message.
func TestStrangersAtTheServer(t *testing.T) {
	tests := []struct {
		name, sends string
		end         bool // the other end closes after it has sent
		code        certs.Code
		words, cure string
	}{
		{"browser", "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n", false, certs.CodeNotTLS, "plain HTTP", "HTTP"},
		{"POST", "POST /x HTTP/1.1\r\n\r\n", false, certs.CodeNotTLS, "plain HTTP", "HTTP"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false, certs.CodeNotTLS, "plain HTTP", "HTTP"},
		{
			"MySQL client that begins", greeting("\x85\xa6\xff\x01\x00\x00\x00\x01"), false, certs.CodeNotTLS,
			"does not speak TLS", "gtunnel client",
		},
		{
			"PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", false, certs.CodeNotTLS, "PROXY protocol",
			"load balancer",
		},
		{
			"PROXY protocol 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", false, certs.CodeNotTLS, "PROXY protocol",
			"load balancer",
		},
		{"text", "hello, is this MySQL?\n", false, certs.CodeNotTLS, `began with "hello, is this M"`, "gtunnel client"},
		{"few octets", "hi", true, certs.CodeNotTLS, `began with "hi"`, "gtunnel client"},
		{"control characters", "\x1b[31m\nred\n", false, certs.CodeNotTLS, `\x1b[31m\n`, "gtunnel client"},
		{"port check", "", true, certs.CodeDisconnected, "without a word", "log"},
		{"half a hello", "\x16\x03\x01\x02\x00\x01", true, certs.CodeDisconnected, "without ending TLS", "log"},
		{
			"SSL 2", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", false, certs.CodeProtocol, "no TLS version in common",
			"TLS 1.2",
		},
		{"nonsense in TLS", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", false, certs.CodeProtocol, "handshake failed", "log"},
	}
	s := newSite(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			if _, err := io.WriteString(dialled, test.sends); err != nil {
				t.Fatal(err)
			}
			if test.end {
				if err := dialled.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			conn, result, err := s.server.Server(t.Context(), accepted)
			if conn != nil || result != nil {
				t.Error("a connection")
			}
			checkWords(t, wantHandshakeError(t, err, test.code), test.words, test.cure)
		})
	}
}

// answersOfStrangers are what else may answer at the server's port.
var answersOfStrangers = []struct {
	name, sends string
	end         bool
	code        certs.Code
	words, cure string
}{
	{
		"MySQL", greeting("\x0a8.0.36\x00" + strings.Repeat("x", 60)), false, certs.CodeNotTLS, "plain MySQL",
		"usually 3307",
	},
	{
		"MariaDB, with a length that looks like TLS", greeting("\x0a" + strings.Repeat("5", 21)), false, certs.CodeNotTLS,
		"plain MySQL", "usually 3307",
	},
	{
		"MySQL that refuses", greeting("\xff\x6a\x04Host '192.0.2.1' is not allowed"), false, certs.CodeNotTLS,
		"Host '192.0.2.1' is not allowed", "usually 3307",
	},
	{
		"MySQL that refuses without a word", greeting("\xff\x6a"), false, certs.CodeNotTLS,
		"speaks plain MySQL on this port", "usually 3307",
	},
	{"web server", "HTTP/1.1 400 Bad Request\r\n\r\n", false, certs.CodeNotTLS, "web server", "usually 3307"},
	{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", false, certs.CodeNotTLS, "speaks SSH", "usually 3307"},
	{"SMTP", "220 mail.site.test ESMTP\r\n", false, certs.CodeNotTLS, "does not speak TLS", "usually 3307"},
	{"closes at once", "", true, certs.CodeDisconnected, "without a word", "log"},
	{
		"old version", "\x15\x03\x01\x00\x02\x02\x46", false, certs.CodeProtocol, "protocol version",
		"no TLS version in common",
	},
	{"no cipher", "\x15\x03\x03\x00\x02\x02\x28", false, certs.CodeProtocol, "handshake failure", "no cipher"},
	{"other name", "\x15\x03\x03\x00\x02\x02\x70", false, certs.CodeProtocol, "unrecognized name", "‹server-name›"},
	{"busy", string(certs.BusyAlert()), false, certs.CodePeerBusy, "internal error", "max-handshakes-per-source"},
	{
		"busy, of an old version", "\x15\x03\x01\x00\x02\x02\x50", false, certs.CodePeerBusy, "takes no connection now",
		"Its log says why",
	},
	{"another alert", "\x15\x03\x03\x00\x02\x02\x32", false, certs.CodeProtocol, "error decoding message", "log"},
}

// TestStrangersAtTheClient: what answers at the server's port and is no
// gtunnel server.
func TestStrangersAtTheClient(t *testing.T) {
	answers := slices.Clone(answersOfStrangers)
	for alert, words := range map[byte]string{
		41: "no certificate", 42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked",
		45: "certificate expired",
		46: "certificate unknown", 48: "unknown CA", 49: "access denied", 116: "certificate required",
	} {
		answers = append(answers, struct {
			name, sends string
			end         bool
			code        certs.Code
			words, cure string
		}{
			fmt.Sprintf("alert %d", alert), "\x15\x03\x03\x00\x02\x02" + string([]byte{alert}), false, certs.CodePeerRefusedUs,
			words, "",
		})
	}
	s := newSite(t)
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			done := make(chan error, 1)
			go func() {
				// As a server that reads before it answers, so that no reset
				// overtakes the answer.
				hello := make([]byte, 1)
				_, err := io.ReadFull(accepted, hello)
				if err == nil {
					_, err = io.WriteString(accepted, test.sends)
				}
				if test.end {
					err = errors.Join(err, accepted.(*net.TCPConn).CloseWrite())
				}
				done <- err
			}()
			_, _, err := s.client.Client(t.Context(), dialled, "server.test")
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			checkWords(t, wantHandshakeError(t, err, test.code), test.words, test.cure)
		})
	}
}

func checkWords(t *testing.T, e *certs.HandshakeError, words, cure string) {
	t.Helper()
	if !strings.Contains(e.Reason, words) {
		t.Errorf("reason %q does not say %q", e.Reason, words)
	}
	if !strings.Contains(e.Cure, cure) {
		t.Errorf("cure %q does not say %q", e.Cure, cure)
	}
	if strings.ContainsAny(e.Error(), "\x1b\n\r") {
		t.Errorf("control characters in %q", e.Error())
	}
}

// TestSilence: an end that says nothing, or not enough, before the deadline.
// That is how a MySQL client looks that waits for the server's greeting.
func TestSilence(t *testing.T) {
	s := newSite(t)
	deadlines := map[string]func(net.Conn) (context.Context, context.CancelFunc){
		"context": func(net.Conn) (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		},
		"connection": func(conn net.Conn) (context.Context, context.CancelFunc) {
			if err := conn.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			return context.WithCancel(t.Context())
		},
	}
	for name, deadline := range deadlines {
		t.Run(name+", nothing to the server", func(t *testing.T) {
			accepted, _ := tcpPair(t)
			ctx, cancel := deadline(accepted)
			defer cancel()
			_, _, err := s.server.Server(ctx, accepted)
			checkWords(t, wantHandshakeError(t, err, certs.CodeSilent), "a MySQL client", "local port of the gtunnel client")
		})
		t.Run(name+", nothing to the client", func(t *testing.T) {
			_, dialled := tcpPair(t)
			ctx, cancel := deadline(dialled)
			defer cancel()
			_, _, err := s.client.Client(ctx, dialled, "server.test")
			checkWords(t, wantHandshakeError(t, err, certs.CodeSilent), "sent nothing", "gtunnel server")
		})
		t.Run(name+", half a hello", func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			if _, err := io.WriteString(dialled, "\x16\x03\x01\x02\x00"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := deadline(accepted)
			defer cancel()
			_, _, err := s.server.Server(ctx, accepted)
			checkWords(t, wantHandshakeError(t, err, certs.CodeTimeout), "in time", "network")
		})
	}
	t.Run("stopped", func(t *testing.T) {
		accepted, _ := tcpPair(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := s.server.Server(ctx, accepted)
		e, ok := errors.AsType[*certs.HandshakeError](err)
		if !ok || e.Code != certs.CodeDisconnected || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestResetDuringHandshake(t *testing.T) {
	s := newSite(t)
	accepted, dialled := tcpPair(t)
	if err := dialled.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	dialled.Close()
	_, _, err := s.server.Server(t.Context(), accepted)
	checkWords(t, wantHandshakeError(t, err, certs.CodeDisconnected), "reset", "log")
}

func TestExplainLeavesOthers(t *testing.T) {
	for _, err := range []error{
		nil, io.EOF, net.ErrClosed, errors.New("other"), context.Canceled,
		&certs.Refusal{Code: certs.CodeExpired}, &certs.HandshakeError{Code: certs.CodeSilent},
	} {
		if got := certs.Explain(err); got != err { //nolint:errorlint // the very same error
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, err := range []error{
		io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, &net.OpError{Op: "read", Err: syscall.ECONNRESET},
	} {
		wantHandshakeError(t, certs.Explain(err), certs.CodeDisconnected)
	}
	header := tls.RecordHeaderError{
		Msg: "first record does not look like a TLS handshake", RecordHeader: [5]byte{'G', 'E', 'T', ' ', '/'},
	}
	checkWords(t, wantHandshakeError(t, certs.Explain(header), certs.CodeNotTLS), "plain HTTP", "HTTP")
}
