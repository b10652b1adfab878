package journal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// GavePassword notes which password the slave was given, but not the password itself: a
// hash of it, with salt.
func (s *State) GavePassword(p server.Password) {
	salt := rand.Text()
	s.PasswordMark = salt + ":" + passwordHash(salt, p)
}

// HasPassword reports whether the slave is known to have been given this password last.
func (s *State) HasPassword(p server.Password) bool {
	salt, hash, found := strings.Cut(s.PasswordMark, ":")
	return found && passwordHash(salt, p) == hash
}

func passwordHash(salt string, p server.Password) string {
	sum := sha256.Sum256([]byte(salt + p.Reveal()))
	return hex.EncodeToString(sum[:])
}
