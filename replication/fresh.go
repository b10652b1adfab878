package replication

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Fresh is what a plan for a master may need and cannot find out: the time, and what
// nobody else can know.
type Fresh struct {
	Now       time.Time
	Nonce     string                     // of a pair's first term
	Mark      string                     // for a server of MariaDB's, which has no UUID
	Passwords map[string]server.Password // by account
}

// NewFresh makes it, for one plan.
func NewFresh() Fresh {
	f := Fresh{Now: time.Now(), Nonce: rand.Text(), Mark: rand.Text(), Passwords: map[string]server.Password{}}
	for _, user := range facts.AccountUsers {
		f.Passwords[user] = server.GeneratePassword()
	}
	return f
}

// newServerID is one that nobody else has chosen, as far as chance goes.
func newServerID() uint32 {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return 1<<16 + binary.BigEndian.Uint32(random[:])%(1<<31-1<<16)
}

// password is that of an account which is made anew. That a caller gives none is a
// mistake in the program: no account is made without.
func (f *Fresh) password(user string) server.Password {
	password := f.Passwords[user]
	if password.IsEmpty() {
		panic("replication: no fresh password for " + user)
	}
	return password
}
