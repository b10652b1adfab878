package certs

import (
	"crypto/cipher"
	"crypto/tls"
	"testing"
	"time"
)

// TestTicketsOfAClient: a ticket is used once, while its proof is good, and by
// connections that show the certificate of the one that it comes from.
func TestTicketsOfAClient(t *testing.T) {
	t.Parallel()
	own, other := &tls.Certificate{Certificate: [][]byte{{1}}}, &tls.Certificate{Certificate: [][]byte{{2}}}
	scope := ticketScope{host: "server.test", address: "192.0.2.1:3307"}
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
		tickets.add(own, scope, clientTicket{session: new(tls.ClientSessionState), proved: test.proved})
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
