package server

import (
	"crypto/rand"
	"fmt"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Password is a secret that no printing, logging or encoding shows: they give
// stars. The zero value is the empty password.
type Password struct{ text string }

// NewPassword makes a Password of its text.
func NewPassword(text string) Password { return Password{text: text} }

// GeneratePassword gives a new random password with 128 bits or more. Its end
// gives it what a server's policy may want: a capital and a small letter, a digit
// and a sign. A slave takes 32 characters and no more.
func GeneratePassword() Password { return Password{text: rand.Text() + "-Aa1"} }

// Reveal gives the text, for those who must hand it on.
func (p Password) Reveal() string { return p.text }

// IsEmpty reports whether there is none.
func (p Password) IsEmpty() bool { return p.text == "" }

// Format prints stars for every verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(finding.Stars)) }

// MarshalText gives stars; encoders of JSON and other formats use it.
func (p Password) MarshalText() ([]byte, error) { return []byte(finding.Stars), nil }
