package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// tryPassword tries the password of the replication that the hand-over has, as the slave
// will use it: a slave that is connected does not try its own again until it is restarted.
func (s *Setup) tryPassword(ctx context.Context) error {
	if s.Want.HandOver.Passwords[facts.ReplicationUser].IsEmpty() {
		return nil
	}
	opened, err := server.Open(ctx, finding.Master, s.Want.HandOver.login(facts.ReplicationUser, s.Address))
	if err == nil {
		return opened.Close()
	}
	if server.IsAccessDenied(err) {
		account := server.QuoteAccount(facts.ReplicationUser, server.Loopback)
		s.Refused = &finding.Problem{
			On: finding.Master, Code: "account-login", Err: err,
			Text: "the slave cannot log in as " + account + " with the password of the hand-over file",
			Cure: "on the master: gtunnel replication setup-master, and its hand-over file here again; if that is refused, " +
				"because somebody has changed the password: setup-master --new-passwords",
		}
	}
	return ctx.Err()
}

// noteOldPassword finds out whether the slave has been given the password of the hand-over.
func (s *Setup) noteOldPassword() {
	password := s.Want.HandOver.Passwords[facts.ReplicationUser]
	s.OldPassword = !password.IsEmpty() && !s.Situation.State.HasPassword(password)
}
