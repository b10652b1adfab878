package compare

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Load is a status variable of the master (SHOW GLOBAL STATUS), with the number above
// which a comparison gives way.
type Load struct {
	Name string
	Most uint64
}

// ParseLoad reads NAME=NUMBER, as in Threads_running=50.
func ParseLoad(text string) (Load, error) {
	name, number, _ := strings.Cut(text, "=")
	most, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
	if name = strings.TrimSpace(name); err != nil || name == "" {
		return Load{}, fmt.Errorf("%q is no status variable with a number", text)
	}
	return Load{Name: name, Most: most}, nil
}

// String is NAME=NUMBER.
func (l Load) String() string { return fmt.Sprintf("%s=%d", l.Name, l.Most) }

// loadPause is how often the load is looked at.
const loadPause = time.Second

// maxSnapshot is how long a snapshot may be held on the master.
func (c *Comparison) maxSnapshot() time.Duration {
	if c.MaxSnapshot > 0 {
		return c.MaxSnapshot
	}
	return time.Minute
}

// isOld reports whether the master's snapshot would be held for too long with another
// batch like the last one.
func (c *comparing) isOld() bool { return time.Since(c.ends.began)+c.took > c.maxSnapshot() }

// over reports whether the rest is for the next leg: each compares something.
func (c *comparing) over(ctx context.Context) bool {
	switch {
	case c.ended:
	case !c.compared:
		return false
	case c.isOld():
		c.ended = true
	case time.Since(c.looked) > loadPause:
		c.looked = time.Now()
		why, err := c.load(ctx)
		c.ended = err == nil && why != "" // an error is told by those who wait for the load
	}
	return c.ended
}

// giveWay waits while there is too much load, with no snapshot and a slave that runs.
func (c *Comparison) giveWay(ctx context.Context) error {
	for {
		why, err := c.load(ctx)
		if err != nil || why == "" {
			return err
		}
		c.report(Progress{GivesWay: why})
		if err := server.Pause(ctx, loadPause); err != nil {
			return err
		}
	}
}

// load says what load there is too much of; empty: of none.
func (c *Comparison) load(ctx context.Context) (string, error) {
	if c.MaxLag > 0 {
		status, err := c.Slave.SlaveStatus(ctx, c.Slave.DB)
		if err != nil || status == nil {
			return "", err
		}
		if lag := lagOf(status); lag > c.MaxLag {
			return fmt.Sprintf("the slave is %s behind, more than %s", finding.FormatDuration(lag),
				finding.FormatDuration(c.MaxLag)), nil
		}
	}
	if len(c.PauseWhen) == 0 {
		return "", nil
	}
	values, err := c.loads(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range c.PauseWhen {
		if value, _ := strconv.ParseFloat(values[strings.ToLower(l.Name)], 64); value > float64(l.Most) {
			return fmt.Sprintf("%s of the master is %.0f, more than %d", l.Name, value, l.Most), nil
		}
	}
	return "", nil
}

// lagOf is how far a slave is behind, beyond what it is told to be.
func lagOf(status *server.SlaveStatus) time.Duration {
	if status.SecondsBehind == nil {
		return 0
	}
	return time.Duration(max(*status.SecondsBehind-int64(status.Delay), 0)) * time.Second
}

// loads are the values of the master's status variables that matter, by their names in
// lower case.
func (c *Comparison) loads(ctx context.Context) (map[string]string, error) {
	names := make([]string, len(c.PauseWhen))
	for i, l := range c.PauseWhen {
		names[i] = l.Name
	}
	rows, err := c.Master.Query(ctx, c.Master.DB,
		"SHOW GLOBAL STATUS WHERE variable_name IN ("+server.QuoteList(names)+")")
	values := make(map[string]string, len(rows))
	for _, r := range rows {
		values[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return values, err
}

// UnknownLoadError is a name that is no status variable of the master, or of one that is no
// number.
type UnknownLoadError struct {
	Load  Load
	Known []string // the names of all that are numbers
}

// Error says so.
func (e *UnknownLoadError) Error() string {
	return fmt.Sprintf("the master has no status variable %s that is a number", e.Load.Name)
}

// mustKnowLoads refuses a load that the master does not tell.
func (c *Comparison) mustKnowLoads(ctx context.Context) error {
	if len(c.PauseWhen) == 0 {
		return nil
	}
	rows, err := c.Master.Query(ctx, c.Master.DB, "SHOW GLOBAL STATUS")
	if err != nil {
		return err
	}
	var known []string
	for _, r := range rows {
		if _, err := strconv.ParseFloat(r["value"], 64); err == nil {
			known = append(known, r["variable_name"])
		}
	}
	for _, l := range c.PauseWhen {
		if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, l.Name) }) {
			return &UnknownLoadError{Load: l, Known: known}
		}
	}
	return nil
}
