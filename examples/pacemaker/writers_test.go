package pacemaker_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// writers are clients that write all the time: one to each server, whatever it is, and one
// to the address of the service.
type writers struct {
	mutex sync.Mutex
	acks  []ack
}

// ack is a row that a client was told is committed.
type ack struct {
	client     string // as whom it was written: to which address
	row        int
	begin, end time.Time
}

// quiet keeps the driver from printing each connection that breaks.
type quiet struct{}

func (quiet) Print(...any) {}

// startWriters lets them write until the test ends.
func startWriters(t *testing.T, password string) *writers {
	t.Helper()
	w := &writers{}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for _, to := range []string{server1.ip, server2.ip, address} {
		writing.Go(func() { w.write(ctx, to, password) })
	}
	t.Cleanup(func() {
		cancel()
		writing.Wait()
	})
	return w
}

// write writes to one address, each row over a connection of its own.
func (w *writers) write(ctx context.Context, to, password string) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = "app", password, "tcp", to+":3306", "app"
	config.Timeout, config.Logger = time.Second, quiet{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		panic(err) // it is all written here
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }() // nothing is left to fail
	db.SetMaxIdleConns(0)
	for row := 1; ctx.Err() == nil; row++ {
		begin := time.Now()
		within, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := db.ExecContext(within, "INSERT INTO writes (client, n) VALUES (?, ?)", to, row)
		cancel()
		if err == nil {
			w.mutex.Lock()
			w.acks = append(w.acks, ack{client: to, row: row, begin: begin, end: time.Now()})
			w.mutex.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// all gives what was acknowledged, by the time.
func (w *writers) all() []ack {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	acks := slices.Clone(w.acks)
	slices.SortFunc(acks, func(a, b ack) int { return a.begin.Compare(b.begin) })
	return acks
}

// since gives how many rows a client has written since a moment.
func (w *writers) since(client string, moment time.Time) (count int) {
	for _, a := range w.all() {
		if a.client == client && a.begin.After(moment) {
			count++
		}
	}
	return count
}

// taken is when a server took its first write since a moment; zero: it has taken none.
func (w *writers) taken(server string, moment time.Time) time.Time {
	for _, a := range w.all() {
		if a.client == server && a.begin.After(moment) {
			return a.begin
		}
	}
	return time.Time{}
}

// pause is the longest time since a moment in which no client of the service could write.
func (w *writers) pause(moment time.Time) time.Duration {
	var longest time.Duration
	last := moment
	for _, a := range w.all() {
		if a.client == address && a.end.After(moment) {
			longest = max(longest, a.end.Sub(last))
			last = a.end
		}
	}
	return longest
}

// oneMaster checks that never two servers took writes: whenever the one that took the last
// write changes, the former's last had ended before the latter's first began. It gives which
// server it was, one after the other.
func (w *writers) oneMaster() (turns []string, err error) {
	var end time.Time // of what the former has taken
	for _, a := range w.all() {
		if a.client == address {
			continue
		}
		if len(turns) == 0 || turns[len(turns)-1] != a.client {
			if a.begin.Before(end) {
				err = errors.Join(err, fmt.Errorf("%s took a write from %s to %s, and %s one that ended at %s",
					a.client, a.begin, a.end, turns[len(turns)-1], end))
			}
			turns = append(turns, a.client)
		}
		if end.Before(a.end) {
			end = a.end
		}
	}
	return turns, err
}

// missing gives the rows of acknowledgements that a server does not have.
func missing(acks []ack, has map[ack]bool) []ack {
	return slices.DeleteFunc(slices.Clone(acks), func(a ack) bool { return has[ack{client: a.client, row: a.row}] })
}
