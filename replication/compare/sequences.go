package compare

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Where a sequence of MariaDB's stands is in no snapshot, and the master's server
// goes on. So it is read before the position is taken and after it: a slave at
// the position is between the two. A sequence that moves while a statement runs
// is logged at the end of that statement, and until then the slave is behind
// with good reason.

// sequencePlace is where a sequence stands.
type sequencePlace struct {
	quoted string   // its database and name
	next   *big.Int // the first number that is not reserved yet; of any type of integer
	down   bool     // it counts down
	cycles uint64   // how often it has begun again; a copy does not bring that with it
}

// after reports whether a place is further than another one in the same cycle.
func (p sequencePlace) after(q sequencePlace) bool {
	if p.down {
		return p.next.Cmp(q.next) < 0
	}
	return p.next.Cmp(q.next) > 0
}

// sequencePlaces are those of a server, by "database.name".
type sequencePlaces map[string]sequencePlace

// sequences gives the names of the sequences, of all or of those in the list.
func (s *schema) sequences(only []string) []string {
	if s.objects[sequenceKind] == nil { // they were not looked for
		return nil
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.objects[sequenceKind].byName)), func(name string) bool {
		return len(only) > 0 && !slices.Contains(only, name)
	})
}

// sequencesBefore are where the master's sequences stood before a position was
// taken.
type sequencesBefore struct {
	sequencePlaces

	databases []string // that they may be of
	logged    bool     // all that has moved them is in the binary log before the position
}

// readBefore reads where the master's sequences stand. In a second round it waits
// for the statements that may have moved them.
func (c *Comparison) readBefore(
	ctx context.Context, databases, names []string, second bool,
) (before sequencesBefore, err error) {
	before.databases = databases
	before.sequencePlaces, err = readPlaces(ctx, c.Master, databases, names)
	if err == nil && second && len(names) > 0 {
		before.logged, err = c.Master.StatementsEnd(ctx, time.Now())
	}
	return before, err
}

// compareSequences compares where sequences stand with a slave at the position. A
// difference in the first round is looked at in a second one.
func (c *Comparison) compareSequences(
	ctx context.Context, result *Result, before sequencesBefore, status *server.SlaveStatus, second bool,
) error {
	names := slices.Sorted(maps.Keys(before.sequencePlaces))
	var after, slave sequencePlaces
	err := server.AtOnce(ctx, func(ctx context.Context) (err error) {
		after, err = readPlaces(ctx, c.Master, before.databases, names)
		return err
	}, func(ctx context.Context) (err error) {
		slave, err = readPlaces(ctx, c.Slave, before.databases, names)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		from := before.sequencePlaces[name]
		to, onMaster := after[name]
		at, onSlave := slave[name]
		switch {
		case !onMaster || !onSlave || status.LeavesOut(name) != "" || at.within(from, to):
		case !second:
			result.again = append(result.again, name)
		case !before.logged:
			result.skip("sequence " + name +
				": a statement that runs on the master may be using it, and is logged when it ends;" +
				" compare again then, by a login that has PROCESS")
		case from.cycles == to.cycles && from.after(to):
			result.skip("sequence " + name + ": somebody has set it back on the master meanwhile; compare again")
		default:
			result.Objects = append(result.Objects, at.difference(name, to))
		}
	}
	return nil
}

// readPlaces reads where sequences of databases stand. One that was dropped
// meanwhile is left out.
func readPlaces(ctx context.Context, s *server.Server, databases, names []string) (sequencePlaces, error) {
	list := make([]*sequencePlace, len(names))
	err := server.Each(ctx, s, s.DB, names, func(ctx context.Context, i int, name string) (err error) {
		list[i], err = readPlace(ctx, s, name, databases)
		return err
	})
	places := sequencePlaces{}
	for i, name := range names {
		if list[i] != nil {
			places[name] = *list[i]
		}
	}
	return places, err
}

// readPlace reads where a sequence stands; nil: there is none.
func readPlace(ctx context.Context, s *server.Server, name string, databases []string) (*sequencePlace, error) {
	quoted := server.QuoteTable(server.SplitTable(name, databases))
	rows, err := s.Query(ctx, s.DB,
		"SELECT next_not_cached_value AS next, increment AS step, cycle_count AS cycles FROM "+quoted)
	if server.ErrorNumber(err) == noTable || err == nil && len(rows) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	next, ok := new(big.Int).SetString(rows[0]["next"], 10)
	if !ok {
		return nil, fmt.Errorf("sequence %s: next_not_cached_value %q is no number", name, rows[0]["next"])
	}
	return &sequencePlace{
		quoted: quoted, next: next, down: strings.HasPrefix(rows[0]["step"], "-"), cycles: rows[0].Number("cycles"),
	}, nil
}

// within reports whether a slave that stands there may be right, at a position at
// which its master was between two places.
func (p sequencePlace) within(from, to sequencePlace) bool {
	if from.cycles == to.cycles {
		return !from.after(p) && !p.after(to)
	}
	return !from.after(p) || !p.after(to) // the master has begun again
}

// difference says how the slave's sequence differs from the master's.
func (p sequencePlace) difference(name string, master sequencePlace) string {
	text := fmt.Sprintf("sequence %s stands at %s on the slave and at %s on the master: ", name, p.next, master.next)
	if master.cycles < p.cycles || master.cycles == p.cycles && p.after(master) {
		return text + "it would leave numbers out after a fail-over; " + journal.RepairCommand([]string{name})
	}
	// SETVAL never sets back what the slave has reached meanwhile.
	return text + fmt.Sprintf("it would give numbers twice after a fail-over;"+
		" on the slave: SET sql_log_bin=0; DO SETVAL(%s, %s, 0, %d)", master.quoted, master.next, master.cycles)
}
