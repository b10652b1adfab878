package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// QuestionLimit is how long those who look wait for the answer to one question.
const QuestionLimit = 10 * time.Second

// ReadLimit is the same of those who read all that is true of a server, where the
// sizes of many tables take their time.
const ReadLimit = 5 * time.Minute

// statusLimit is how long SHOW SLAVE STATUS may take: it waits for a STOP SLAVE, which
// waits for the end of what is being applied.
const statusLimit = 3 * QuestionLimit

// limitKey is the key of a limit in a context.
type limitKey struct{}

// EachWithin gives a context in which no question to a server waits for its answer
// for longer than a limit, of several the shortest. The connection is lost with the
// answer.
func EachWithin(ctx context.Context, limit time.Duration) context.Context {
	if outer, ok := ctx.Value(limitKey{}).(time.Duration); ok {
		limit = min(limit, outer)
	}
	return context.WithValue(ctx, limitKey{}, limit)
}

// limited gives the context of one question.
func limited(ctx context.Context) (_ context.Context, limit time.Duration, cancel context.CancelFunc) {
	limit, ok := ctx.Value(limitKey{}).(time.Duration)
	if !ok {
		return ctx, 0, func() {}
	}
	ctx, cancel = context.WithTimeout(ctx, limit)
	return ctx, limit, cancel
}

// SelectWithin is the SELECT of a query that the server ends by itself a moment after the
// end of its context, since it does not notice that nobody waits for it any more. It is
// a plain one where the context has no end, or the server is too old to know one.
func (v Version) SelectWithin(ctx context.Context) string {
	end, ok := ctx.Deadline()
	limit := time.Until(end) + time.Second
	switch {
	case !ok || limit <= 0:
		return "SELECT"
	case v.AtLeast(MariaDB, 10, 1, 2):
		return fmt.Sprintf("SET STATEMENT max_statement_time=%.3f FOR SELECT", limit.Seconds())
	case v.AtLeast(MySQL, 5, 7, 8):
		return fmt.Sprintf("SELECT /*+ MAX_EXECUTION_TIME(%d) */", limit.Milliseconds())
	default:
		return "SELECT"
	}
}

// NoAnswerError is that a server has not answered a question in time.
type NoAnswerError struct{ Limit time.Duration }

// Error says for how long it was waited for.
func (e *NoAnswerError) Error() string {
	return fmt.Sprintf("no answer within %s", finding.FormatDuration(e.Limit))
}

// NoAnswer is the code of a server that does not answer.
const NoAnswer = "no-answer"

// RelayDiskFull is the code of a slave whose relay log has no room.
const RelayDiskFull = "relay-disk-full"

// HasRoom refuses a slave whose I/O thread waits for room on the disk of its relay
// log, as far as the login may see that: the Problem relay-disk-full. Such a server
// does not tell how it replicates until there is room again.
func (s *Server) HasRoom(ctx context.Context, on Execer) error {
	processes, err := s.Processes(ctx, on)
	if err != nil {
		return err
	}
	for _, p := range processes {
		state := strings.ToLower(p.State)
		if p.User == "system user" && (strings.Contains(state, "free space") || strings.Contains(state, "disk space")) {
			return finding.New(finding.Slave, RelayDiskFull,
				"free space there (SELECT @@relay_log, @@datadir); within a minute the slave goes on by itself",
				"the disk of the relay log is full: the I/O thread waits for room (%q), "+
					"and until then the server does not tell how it replicates", p.State)
		}
	}
	return nil
}

// whySilent gives the reason for which a slave does not answer, if another
// connection tells; else the error.
func (s *Server) whySilent(ctx context.Context, err *finding.Problem) *finding.Problem {
	if err.Code == NoAnswer {
		if full := s.HasRoom(ctx, s.DB); finding.HasCode(full, RelayDiskFull) {
			return s.Explain("", full)
		}
	}
	return err
}
