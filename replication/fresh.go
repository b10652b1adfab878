package replication

import (
	"crypto/rand"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Fresh is what a plan for a master may need and cannot find out: the time, and what
// nobody else can know.
type Fresh struct {
	Now       time.Time
	Mark      string                     // for a server of MariaDB's, which has no UUID
	Passwords map[string]server.Password // by account
}

// NewFresh makes it, for one plan.
func NewFresh() Fresh {
	f := Fresh{Now: time.Now(), Mark: rand.Text(), Passwords: map[string]server.Password{}}
	for _, user := range facts.AccountUsers {
		f.Passwords[user] = server.GeneratePassword()
	}
	return f
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
