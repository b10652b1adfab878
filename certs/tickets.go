package certs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"
)

// A session of TLS 1.3 can be resumed with a ticket: the peer then proves that
// it took part in the earlier connection, in which it has proved that it holds
// the key of its certificate. The ticket stands for that proof, and for
// nothing else. The chain of the earlier connection is judged as it would be
// in a full handshake, by the trust and the rules of the moment, and the keys
// of the connection are as fresh as those of any other.
//
// Sessions of TLS 1.2 are not resumed, since their tickets hold the keys of
// the connections that they come from, and cross the network in the clear.

// ticketLifetime is how long a proof of a key is good for further connections.
// Resuming does not renew it: all sessions that descend from one full
// handshake end together.
const ticketLifetime = time.Hour

// maxTicketBytes is the longest ticket that a server gives and a client keeps.
// It is enough for a chain of three certificates.
const maxTicketBytes = 8 << 10

// fresh reports whether a proof is still good. One of the future is not: the
// clock was set.
func fresh(proved, now time.Time) bool {
	age := now.Sub(proved)
	return age >= 0 && age < ticketLifetime
}

// wallClock is the time without the monotonic clock, which stands still while
// the host sleeps.
func wallClock() time.Time { return time.Now().Round(0) }

// sameChain reports whether two certificates show the peer the same.
func sameChain(a, b *tls.Certificate) bool {
	return a == b || a != nil && b != nil && slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// ticketKeys encrypt the tickets of a server. They belong to one Endpoint and
// never leave the process, so that a ticket is good nowhere else. A new key
// takes over when the last one is as old as a ticket can be, and at once when
// the server shows another certificate: no ticket outlives the certificate
// that its holder saw. The zero value is ready.
type ticketKeys struct {
	mu   sync.Mutex
	own  *tls.Certificate
	made time.Time     // of the newest key
	keys []cipher.AEAD // never changed in place; the newest, which encrypts, comes first
}

// current gives the keys for a connection in which the server shows own.
func (k *ticketKeys) current(own *tls.Certificate, now time.Time) []cipher.AEAD {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case !sameChain(k.own, own):
		k.keys = []cipher.AEAD{newTicketKey()}
	case !fresh(k.made, now):
		k.keys = []cipher.AEAD{newTicketKey(), k.keys[0]}
	default:
		return k.keys
	}
	k.own, k.made = own, now
	return k.keys
}

// newTicketKey makes a key of AES-256-GCM. Its random nonces are good for
// billions of tickets.
func newTicketKey() cipher.AEAD {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // not with a key of this length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // not with AES
	}
	return aead
}

// serverTickets gives and takes the tickets of one connection.
type serverTickets struct {
	keys  []cipher.AEAD
	judge *judge
}

// unreadable is given instead of a ticket that would be too long. It buys
// nothing but a full handshake.
var unreadable = []byte{0}

// wrap makes a ticket of a session: when the peer has proved its key, and what
// crypto/tls needs, the peer's chain above all. crypto/tls calls it for peers
// that are accepted, and for those that resume a session before they are
// judged: these had a ticket with the same proof and the same chain already.
func (t *serverTickets) wrap(_ tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	if t.judge.proved.IsZero() {
		return nil, errors.New("tls: a ticket for a peer that has proved nothing")
	}
	state, err := session.Bytes()
	if err != nil {
		return nil, err
	}
	proved := binary.BigEndian.AppendUint64(nil, uint64(t.judge.proved.Unix())) // #nosec G115 -- there and back
	// #nosec G407 -- the key adds a random nonce
	ticket := t.keys[0].Seal(nil, nil, append(proved, state...), nil)
	if len(ticket) > maxTicketBytes {
		return unreadable, nil
	}
	return ticket, nil
}

// unwrap opens a ticket. Without a session there is a full handshake, which is
// the answer to whatever is not as it should be.
func (t *serverTickets) unwrap(ticket []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
	for _, key := range t.keys {
		if plain, err := key.Open(nil, nil, ticket, nil); err == nil {
			return t.session(plain), nil
		}
	}
	return nil, nil
}

// session reads what wrap has written. It gives nil if the proof is too old.
func (t *serverTickets) session(plain []byte) *tls.SessionState {
	if len(plain) < 8 {
		return nil
	}
	proved := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0) // #nosec G115 -- there and back
	session, err := tls.ParseSessionState(plain[8:])
	if err != nil || !fresh(proved, wallClock()) {
		return nil
	}
	t.judge.proved = proved
	return session
}
