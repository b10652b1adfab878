package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readPassword tries the password of the replication that the hand-over has, as the
// slave will use it: a slave that is connected does not try its own again until it is
// restarted. And it finds out whether the slave has been given that password.
func (s *Setup) readPassword(ctx context.Context) error {
	password := s.Want.HandOver.Passwords[facts.ReplicationUser]
	if password.IsEmpty() {
		return nil
	}
	s.OldPassword = !s.Situation.State.HasPassword(password)
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
