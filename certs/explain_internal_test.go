package certs

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
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
		"refusal":                  {live, fmt.Errorf("tls: %w", refuse(nil, 0, CodeExpired, "it ended")), hello, "expired: it ended"},
		"deadline of the socket":   {live, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, hello, "timeout: "},
		"deadline of a context":    {live, context.DeadlineExceeded, hello, "timeout: "},
		"closed at the deadline":   {ended, &net.OpError{Op: "read", Err: net.ErrClosed}, hello, "timeout: "},
		"deadline without a word":  {live, context.DeadlineExceeded, nil, "silent: "},
		"stopped":                  {live, context.Canceled, hello, "disconnected: this end stopped"},
		"closed by this end":       {live, &net.OpError{Op: "read", Err: net.ErrClosed}, hello, "disconnected: this end stopped"},
		"unsupported curve":        {live, errors.New("tls: failed to parse certificate from server: x509: unsupported elliptic curve"), hello, "unsupported-algorithm: a key that the peer sent is of an elliptic curve"},
		"another that fails":       {live, errors.New("tls: failed to parse certificate from server: x509: malformed"), hello, "tls-protocol: "},
		"curve of something else":  {live, errors.New("tls: unsupported elliptic curve"), hello, "tls-protocol: "},
		"alert of another program": {live, &net.OpError{Op: "remote error", Err: errors.New("no number")}, hello, "tls-protocol: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := explainHandshake(test.ctx, test.err, test.first, RoleServer); !strings.HasPrefix(got.Error(), test.want) {
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
}

// TestTicketsOfAClient: a ticket is used once, while its proof is good, and by
// connections that show the certificate of the one that it comes from.
func TestTicketsOfAClient(t *testing.T) {
	t.Parallel()
	own, other := &tls.Certificate{Certificate: [][]byte{{1}}}, &tls.Certificate{Certificate: [][]byte{{2}}}
	scope := ticketScope{"server.test", "192.0.2.1:3307"}
	for name, test := range map[string]struct {
		proved time.Time
		own    *tls.Certificate
		want   bool
	}{
		"fresh":                  {wallClock(), own, true},
		"too old":                {wallClock().Add(-ticketLifetime), own, false},
		"of the future":          {wallClock().Add(time.Hour), own, false},
		"by another certificate": {wallClock(), other, false},
	} {
		var tickets clientTickets
		tickets.knows(own, scope)
		tickets.learn(own, scope, tls.VersionTLS13)
		tickets.add(own, scope, clientTicket{new(tls.ClientSessionState), test.proved})
		judge := &judge{own: test.own}
		session := &clientSession{tickets: &tickets, scope: scope, judge: judge}
		state, ok := session.Get("")
		if ok != test.want || (state != nil) != test.want || judge.proved.IsZero() == test.want {
			t.Errorf("%s: %v, %t, proved %s", name, state, ok, judge.proved)
		}
		if _, ok := session.Get(""); ok {
			t.Errorf("%s: a second time", name)
		}
	}
	var tickets clientTickets
	tickets.learn(other, scope, tls.VersionTLS13) // by a connection from before the first
	if tickets.knows(other, scope) {
		t.Error("a certificate that is not shown has learnt")
	}
}

// TestNoTicketWithoutProof: a server gives no ticket to whom it has not seen
// prove a key.
func TestNoTicketWithoutProof(t *testing.T) {
	t.Parallel()
	tickets := &serverTickets{keys: []cipher.AEAD{newTicketKey()}, judge: new(judge)}
	if ticket, err := tickets.wrap(tls.ConnectionState{}, new(tls.SessionState)); err == nil {
		t.Errorf("the ticket %x", ticket)
	}
}

// TestWhatIsSentIsRemembered: a chain is made anew for another key pair, by
// another snapshot, after a minute, and when the clock was set back.
func TestWhatIsSentIsRemembered(t *testing.T) {
	t.Parallel()
	pair, snapshot, made := new(keyPair), new(Snapshot), testThisUpdate
	wire := &wireChain{pair: pair, snapshot: snapshot, made: made}
	for name, test := range map[string]struct {
		pair     *keyPair
		snapshot *Snapshot
		now      time.Time
		want     bool
	}{
		"at once":          {pair, snapshot, made, true},
		"soon":             {pair, snapshot, made.Add(wireChainAge - 1), true},
		"later":            {pair, snapshot, made.Add(wireChainAge), false},
		"before":           {pair, snapshot, made.Add(-1), false},
		"another pair":     {&keyPair{settled: true}, snapshot, made, false},
		"another snapshot": {pair, &Snapshot{cas: []*CA{}}, made, false},
	} {
		if got := wire.holds(test.pair, test.snapshot, test.now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
