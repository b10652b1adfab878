package seed

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// SetLockPatience lets the short lock of a copy keep writers waiting for a time;
// 0: as a program's copy does.
func (s *Seed) SetLockPatience(d time.Duration) { s.lockPatience = d }

// SetHangPatience lets a tool do nothing for a time; 0: as a program's copy does.
func (s *Seed) SetHangPatience(d time.Duration) { s.hangPatience = d }

// Passed is how many bytes have come from the master by a Run with a MaxRate.
func (s *Seed) Passed() uint64 { return s.passed }

// SetDumps is how many dumps the method parallel makes at once; 0: by the round trip.
func (s *Seed) SetDumps(n int) { s.atOnce = n }

// MissingAccount is an account that the slave lacks.
type MissingAccount struct {
	User              string
	DefinerOf, Create []string
}

// MissingAccounts gives what Check warns of, in parts.
func MissingAccounts(
	ctx context.Context, master *server.Server, masterFacts, slaveFacts *facts.Facts, databases []string,
) ([]MissingAccount, error) {
	d, err := readDefined(ctx, master, databases)
	if err != nil {
		return nil, err
	}
	missing, err := missingAccounts(ctx, master, masterFacts, slaveFacts, d)
	list := make([]MissingAccount, len(missing))
	for i, m := range missing {
		list[i] = MissingAccount{User: m.user, DefinerOf: m.definerOf, Create: m.create}
	}
	return list, err
}
