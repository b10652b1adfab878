package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestExplainHandshake: each failure of a handshake has its own code, however
// the error is wrapped.
func TestExplainHandshake(t *testing.T) {
	t.Parallel()
	live := t.Context()
	ended, cancel := context.WithTimeout(live, 0)
	defer cancel()
	hello := []byte{22, 3, 1, 2, 0}
	for name, test := range map[string]struct {
		ctx   context.Context
		err   error
		first []byte
		want  string // the beginning of the error
	}{
		"refusal": {
			live, fmt.Errorf("tls: %w", refuse(nil, 0, CodeExpired, "it ended")), hello, "expired: it ended",
		},
		"deadline of the socket":  {live, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, hello, "timeout: "},
		"deadline of a context":   {live, context.DeadlineExceeded, hello, "timeout: "},
		"closed at the deadline":  {ended, &net.OpError{Op: "read", Err: net.ErrClosed}, hello, "timeout: "},
		"deadline without a word": {live, context.DeadlineExceeded, nil, "silent: "},
		"stopped":                 {live, context.Canceled, hello, "disconnected: this end stopped"},
		"closed by this end": {
			live, &net.OpError{Op: "read", Err: net.ErrClosed}, hello, "disconnected: this end stopped",
		},
		"unsupported curve": {
			live, errors.New("tls: failed to parse certificate from server: x509: unsupported elliptic curve"), hello,
			"unsupported-algorithm: a key that the peer sent is of an elliptic curve",
		},
		"another that fails": {
			live, errors.New("tls: failed to parse certificate from server: x509: malformed"), hello, "tls-protocol: ",
		},
		"curve of something else": {live, errors.New("tls: unsupported elliptic curve"), hello, "tls-protocol: "},
		"alert of another " +
			"program": {live, &net.OpError{Op: "remote error", Err: errors.New("no number")}, hello, "tls-protocol: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := explainHandshake(test.ctx, test.err, test.first, PeerServer); !strings.HasPrefix(got.Error(), test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestRemoteAlerts: only what crypto/tls reports of the other end is an alert.
func TestRemoteAlerts(t *testing.T) {
	t.Parallel()
	alert := tls.AlertError(48) // as crypto/tls has it, though of another name
	for _, test := range []struct {
		err error
		ok  bool
	}{
		{&net.OpError{Op: "remote error", Err: alert}, true},
		{&net.OpError{Op: "local error", Err: alert}, false},
		{&net.OpError{Op: "remote error", Err: errors.New("no number")}, false},
		{&net.OpError{Op: "remote error"}, false},
		{alert, false},
	} {
		if number, _, ok := remoteAlert(test.err); ok != test.ok || ok && number != 48 {
			t.Errorf("%+v: %d, %t", test.err, number, ok)
		}
	}
}

// TestCuresOfTheProtocol: what this end found wrong has a cure of its own.
func TestCuresOfTheProtocol(t *testing.T) {
	t.Parallel()
	for text, cure := range map[string]string{
		"tls: client offered only unsupported versions: [302 301]": "Update the other end to TLS 1.2",
		"tls: server selected unsupported protocol version 302":    "Update the other end to TLS 1.2",
		"tls: unsupported SSLv2 handshake received":                "Update the other end to TLS 1.2",
		"tls: no cipher suite supported by both client and server": "Let the other end offer ECDHE " +
			"ciphers",
		"tls: failed to parse certificate from server: x509: " +
			"malformed": "The other end's certificate is malformed",
		"tls: failed to parse certificate: x509: invalid CRL distribution point":       "The CRL distribution point",
		"tls: invalid signature by the server certificate: ECDSA verification failure": "Look in the other end's log",
	} {
		if got := explainProtocol(errors.New(text)); !strings.HasPrefix(got.Cure, cure) || got.Code != CodeProtocol {
			t.Errorf("%s: %s", text, got.Cure)
		}
	}
}

// TestExplainOnce: what has an explanation keeps it, whatever its cause.
func TestExplainOnce(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&HandshakeError{Code: CodeTimeout, Err: syscall.ECONNRESET},
		errors.Join(refuse(nil, 0, CodeExpired, "it ended"), syscall.ECONNRESET),
	} {
		if got := Explain(err); got != err { //nolint:errorlint // the very same error
			t.Errorf("%v became %v", err, got)
		}
	}
}

// TestFirstOctets: what the other end may be by how it begins.
func TestFirstOctets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first            string
		tls, mysql, busy bool
	}{
		{"\x16", true, false, false},
		{"\x16\x03", true, false, false},
		{"\x16\x02", false, false, false},
		{"\x15\x03\x03\x00\x02\x02\x50", true, false, true},
		{"\x15\x03\x00\x00\x02\x02\x50", true, false, true},
		{"\x16\x03\x03\x00\x02\x02\x50", true, false, false},
		{"\x15\x02\x03\x00\x02\x02\x50", false, false, false},
		{"\x15\x03\x03\x00\x02\x02\x28", true, false, false},
		{"\x15\x03\x03\x00\x02\x02\x50\x00", true, false, false},
		{"\x80\x2e\x01", true, false, false},
		{"\x80\x2e", false, false, false},
		{"\x80\x2e\x04", false, false, false},
		{"\x00\x2e\x01", false, false, false},
		{"\x4a\x00\x00\x00\x0a", false, true, false},
		{"\x4a\x00\x00\x00\x09", false, true, false},
		{"\x4a\x00\x00\x00\xff", false, true, false},
		{"\x4a\x00\x00\x00", false, false, false},
		{"\x4a\x00\x01\x00\x0a", false, false, false},
		{"\x4a\x00\x00\x01\x0a", false, false, false},
		{"\x4a\x00\x00\x00\x0b", false, false, false},
	} {
		first := []byte(test.first)
		if looksLikeTLS(first) != test.tls || isMySQLGreeting(first) != test.mysql || isBusyAlert(first) != test.busy {
			t.Errorf("%q: TLS %t, MySQL %t, busy %t", first, looksLikeTLS(first), isMySQLGreeting(first), isBusyAlert(first))
		}
	}
	for first, want := range map[string]string{
		"\x0c\x00\x00\x00\x0a8.0.36\x00xxxx":  "",
		"\x03\x00\x00\x00\xff\x6a\x04":        "",
		"\x07\x00\x00\x00\xff\x6a\x04No\x07!": `No\x07!`,
	} {
		if got := mysqlError([]byte(first)); got != want {
			t.Errorf("%q says %q, want %q", first, got, want)
		}
	}
}
