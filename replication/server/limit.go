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

// watch ends a context in which an answer has not come in time.
type watch struct {
	limit  time.Duration // of the answer that is waited for; 0: none
	timer  *time.Timer   // nil: there was none yet
	cancel context.CancelFunc
}

// limitOf is how long a question of a context may wait for its answer; 0: without end.
func limitOf(ctx context.Context) time.Duration {
	limit, _ := ctx.Value(limitKey{}).(time.Duration)
	return limit
}

// newWatch gives the context of a question, or of several that are asked at once, whose
// answers come one after the other; limit is that of the first one.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	within, cancel := context.WithCancel(ctx)
	w := &watch{cancel: cancel}
	w.again(limit)
	return within, w
}

// again begins the time of the next answer.
func (w *watch) again(limit time.Duration) {
	w.stop()
	w.limit = limit
	if limit > 0 {
		w.timer = time.AfterFunc(limit, w.cancel)
	}
}

// stop ends the time.
func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// end ends the watch and its context.
func (w *watch) end() {
	w.stop()
	w.cancel()
}

// explain gives the error of a question: NoAnswerError if the watch has ended its context.
func (w *watch) explain(ctx, within context.Context, err error) error {
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return &NoAnswerError{Limit: w.limit}
	}
	return err
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
