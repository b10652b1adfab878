package facts

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Line is what the way to a server carries of what the server sends.
type Line struct {
	Bits  uint64 // a second; 0: it was not measured
	Grows bool   // it still became more when the measurement ended: the line carries at least this
}

// String is the rate in words: "about 20 Mbit/s".
func (l Line) String() string {
	about := "about "
	if l.Grows {
		about = "at least "
	}
	switch mega := float64(l.Bits) / 1e6; {
	case mega >= 10:
		return fmt.Sprintf("%s%.0f Mbit/s", about, mega)
	default:
		return fmt.Sprintf("%s%.1f Mbit/s", about, mega)
	}
}

// How a line is measured. TCP begins slowly, the more so the longer the way: what counts is
// the end of one transfer, which is cut off when it has told enough.
const (
	lineRows   = 4096                   // that are asked for at most, of rowBytes
	rowBytes   = 16 * 64                // what SHA2 makes no compression on the way makes smaller
	lineWindow = 150 * time.Millisecond // over which the rate is taken at least: what comes, comes in pieces
	lineTrips  = 2                      // round trips of a window: TCP at its beginning makes the rate a multiple within them
	growth     = 1.5                    // of a rate from a window to the next, by which TCP has not come to the line's
)

// lineQuery makes rows that cannot be compressed, by what every server knows.
var lineQuery = fmt.Sprintf("SELECT CONCAT(''%s) FROM information_schema.collations a, information_schema.collations b"+
	" LIMIT %d", strings.Repeat(", UNHEX(SHA2(RAND(), 512))", rowBytes/64), lineRows)

// newLineMeter makes the meter of a line with a round trip.
func newLineMeter(trip time.Duration, enough uint64) *lineMeter {
	window := max(lineWindow, lineTrips*trip)
	return &lineMeter{window: window, enough: enough, limit: min(max(4*window, time.Second), 2*time.Second)}
}

// MeasureLine has a server send up to 4 MB, for half a second or so (2 seconds at most), until
// it is known what the line carries, or that it carries enough, in bits a second.
func MeasureLine(ctx context.Context, s *server.Server, enough uint64) (Line, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := s.Session(ctx)
	if err != nil {
		return Line{}, err
	}
	defer server.Discard(conn) // what is still on its way is not waited for
	rows, err := conn.QueryContext(ctx, lineQuery)
	if err != nil {
		return Line{}, s.Explain("measure the line", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says it all
	meter := newLineMeter(s.RoundTrip(), enough)
	var row sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&row); err != nil {
			return Line{}, err
		}
		if meter.came(len(row), time.Now()) {
			cancel()
			return meter.line(), nil
		}
	}
	if err := rows.Err(); err != nil {
		return Line{}, s.Explain("measure the line", err)
	}
	meter.end(time.Now())
	return meter.line(), nil
}

// lineMeter tells the rate of what comes.
type lineMeter struct {
	window, limit time.Duration
	enough        uint64 // bits a second

	begun, since time.Time // of all, and of the window
	bytes        int       // of the window
	rates        []float64 // of the windows that are over, in bits a second
}

// came counts, and reports whether that is enough.
func (m *lineMeter) came(bytes int, now time.Time) (done bool) {
	if m.begun.IsZero() { // how long the first was on its way is not known
		m.begun, m.since = now, now
		return false
	}
	m.bytes += bytes
	late := now.Sub(m.begun) >= m.limit
	if now.Sub(m.since) < m.window && !late {
		return false
	}
	m.end(now)
	line := m.line()
	return late || len(m.rates) > 1 && (line.Bits >= m.enough || !line.Grows)
}

// end ends a window.
func (m *lineMeter) end(now time.Time) {
	if took := now.Sub(m.since); took > 0 && (took >= m.window/2 || len(m.rates) == 0) {
		m.rates = append(m.rates, float64(m.bytes)*8/took.Seconds())
	}
	m.since, m.bytes = now, 0
}

// line is the rate of the last window.
func (m *lineMeter) line() Line {
	n := len(m.rates)
	if n == 0 {
		return Line{}
	}
	last := m.rates[n-1]
	return Line{Bits: uint64(last), Grows: n > 1 && last > growth*m.rates[n-2]}
}
