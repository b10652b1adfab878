package failover

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// A new copy needs an account on the master that may read all of the pair's databases, and
// no administrator's account crosses the tunnel. So the host that copies publishes a nonce,
// and the master's guard makes the account with a password that both can derive; the
// copy drops the account at its end, and the guard does if that was cut off.

// seedPassword is that of the account of a copy.
func seedPassword(replication server.Password, nonce string) server.Password {
	mac := hmac.New(sha256.New, []byte(replication.Reveal()))
	mac.Write([]byte("gtunnel copy " + nonce))
	// Of every kind of characters that a policy may want.
	return server.NewPassword("Gt1-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:40]))
}

// letCopy makes the account of a copy on the master, whose guard calls it, for the nonce
// that the peer publishes, and drops it when that has ended. It is noted before it is made,
// so that the next guard drops it if this one is killed.
func (g *Guard) letCopy(ctx context.Context, s *Sighting) error {
	nonce, own := s.Peer.Record.Copying, s.OwnServer.Server
	if nonce == g.copying && nonce == s.Note.LetsCopy {
		return nil
	}
	let := func() error {
		return g.observer.update(ctx, s, func(n *term.Note) error { n.LetCopy(nonce); return nil })
	}
	if nonce != "" && nonce != s.Note.LetsCopy {
		if err := let(); err != nil {
			return err
		}
	}
	f, err := facts.Read(ctx, own)
	if err != nil {
		return err
	}
	if nonce != "" {
		err = own.Run(ctx, replication.SeedAccount(f, seedPassword(g.ReplicationPassword, nonce), g.Databases))
	} else {
		if f.Account(facts.SeedUser, server.Loopback) != nil { // the copy was cut off, or somebody else has made it
			err = own.Run(ctx, []server.Statement{
				server.SQL("SET SESSION sql_log_bin=0"), own.Version.DropAccount(facts.SeedUser, server.Loopback),
			})
		}
		if err == nil {
			err = let()
		}
	}
	if err == nil {
		g.copying = nonce
	}
	return err
}

// CopyWant is what a new copy is made by.
type CopyWant struct {
	Master    *server.Server // the peer's, by the monitor account
	Databases []string
	Replace   []string        // those of them whose data here may be lost
	Password  server.Password // of the account of copies on the master, once its guard has made it
	Unlock    func()          // gives the lock of the own server back, which the copy takes
}

// copyAnew makes the server a slave by a new copy.
func (r *Rejoin) copyAnew(ctx context.Context, f *rejoinFacts) error {
	if r.Copy == nil {
		return finding.New(finding.Own, "no-copy", "gtunnel replication setup-slave --reseed",
			"no new copy can be made here")
	}
	nonce := ""
	err := r.note(ctx, func(n *term.Note) error {
		err := n.Copy(r.Nonce)
		nonce = n.Copying
		return err
	})
	if err != nil {
		return err
	}
	return r.Copy(ctx, CopyWant{
		Master: r.peer, Databases: f.Databases, Replace: f.Present, Unlock: r.unlock,
		Password: seedPassword(r.ReplicationPassword, nonce),
	}, r.Dialogue)
}
