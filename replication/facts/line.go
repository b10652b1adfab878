package facts

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
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

// How a line is measured: by answers that double. TCP begins slowly, and as long as it is
// not at the line's rate, so does the rate of the next one. Each is read whole, so that
// nothing of the measurement is left on a line that is slow.
const (
	rowBytes  = 16 * 64               // what SHA2 makes no compression on the way makes smaller
	firstRows = 64                    // of the first answer
	lastRows  = 4096                  // of the last one
	lineTime  = 3 * time.Second       // for all of them, at the most
	leastTime = 40 * time.Millisecond // that an answer takes at least for its rate to be taken for the line's
	growth    = 1.5                   // from an answer to the next, by which TCP has not come to its rate
)

// lineQuery makes rows that cannot be compressed, by what every server knows.
var lineQuery = fmt.Sprintf("SELECT CONCAT(''%s) FROM information_schema.collations a, information_schema.collations b"+
	" LIMIT ", strings.Repeat(", UNHEX(SHA2(RAND(), 512))", rowBytes/64))

// MeasureLine has a server send what it takes to know what the line carries, or that it carries
// enough, in bits a second: up to 8 MB, for 3 seconds at most.
func MeasureLine(ctx context.Context, s *server.Server, enough uint64) (Line, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := s.Session(ctx)
	if err != nil {
		return Line{}, err
	}
	whole := false
	defer func() {
		if whole {
			_ = conn.Close() // back to the pool
		} else {
			server.Discard(conn) // what is still on its way is not waited for
		}
	}()
	meter := lineMeter{enough: enough, trip: s.RoundTrip(), begun: time.Now()}
	for rows := firstRows; rows <= lastRows; rows *= 2 {
		done, err := meter.answer(ctx, conn, rows)
		if err != nil {
			return Line{}, s.Explain("measure the line", err)
		}
		whole = time.Since(meter.begun) < lineTime
		if done {
			break
		}
	}
	return meter.line(), nil
}

// answer asks for so many rows, and reports whether it is known what the line carries.
func (m *lineMeter) answer(ctx context.Context, conn *sql.Conn, n int) (done bool, err error) {
	asked := time.Now()
	rows, err := conn.QueryContext(ctx, lineQuery+strconv.Itoa(n))
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }() // rows.Err says it all
	var row sql.RawBytes
	bytes := 0
	for rows.Next() {
		if err := rows.Scan(&row); err != nil {
			return false, err
		}
		bytes += len(row)
		if now := time.Now(); now.Sub(m.begun) >= lineTime {
			m.came(bytes, now.Sub(asked))
			return true, nil // the rest is given up
		}
	}
	return m.came(bytes, time.Since(asked)), rows.Err()
}

// lineMeter tells the rate of what comes.
type lineMeter struct {
	enough uint64 // bits a second
	trip   time.Duration
	begun  time.Time
	rates  []float64 // of the answers, in bits a second
}

// came counts an answer, with the time since it was asked for, and reports whether the rate is
// known.
func (m *lineMeter) came(bytes int, took time.Duration) (known bool) {
	took = max(took-m.trip, time.Millisecond)
	m.rates = append(m.rates, float64(bytes)*8/took.Seconds())
	line := m.line()
	return len(m.rates) > 1 && (line.Bits >= m.enough || !line.Grows && took >= leastTime)
}

// line is the rate of the last answer.
func (m *lineMeter) line() Line {
	n := len(m.rates)
	if n == 0 {
		return Line{}
	}
	last := m.rates[n-1]
	return Line{Bits: uint64(last), Grows: n > 1 && last > growth*m.rates[n-2]}
}
