package server

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Together runs functions at once that ask a server by the same pool or connection. What
// they ask goes to it in one round trip, as soon as every one of them waits for an answer
// or has ended: so many round trips are needed as the longest of them needs alone. Each
// is written as if it were alone, asks by Query, Value, ReadRecords and what is made of
// these, with the context that it is given, and must not wait for another one. They may
// be as many as there are tables or accounts, and be in a function that is run by
// Together itself. The server answers the questions of one round trip in the order of the
// functions.
//
// The error is that of the first of them, in their order, that has failed.
func (s *Server) Together(ctx context.Context, on Execer, asks ...func(context.Context) error) error {
	if len(asks) == 0 {
		return nil
	}
	own, within := ctx.Value(placeKey{on}).(place)
	if !within {
		outer := ctx
		var lost error // with the session, by an answer that did not come
		own.gathering = &gathering{busy: 1, answer: func(questions []*question) {
			lost = s.answerAll(outer, on, questions, lost)
		}}
	}
	g := own.gathering
	g.begin(len(asks) - 1) // beside the caller, which waits for them
	errs := make([]error, len(asks))
	var left atomic.Int64
	left.Store(int64(len(asks)))
	var running sync.WaitGroup
	for i, ask := range asks {
		running.Go(func() {
			errs[i] = ask(context.WithValue(ctx, placeKey{on}, own.below(i)))
			if left.Add(-1) > 0 {
				g.pause(nil)
			} // after the last one the caller goes on
		})
	}
	running.Wait()
	return firstOf(errs)
}

// AtOnce runs functions at once that ask different servers, or by different logins. The
// error is that of the first of them, in their order, that has failed.
func AtOnce(ctx context.Context, asks ...func(context.Context) error) error {
	errs := make([]error, len(asks))
	var running sync.WaitGroup
	for i, ask := range asks {
		running.Go(func() { errs[i] = ask(ctx) })
	}
	running.Wait()
	return firstOf(errs)
}

// firstOf is the first error of a list.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Each runs a function for every item of a list, all of them at once: see Together.
func Each[T any](
	ctx context.Context, s *Server, on Execer, list []T, ask func(ctx context.Context, i int, item T) error,
) error {
	asks := make([]func(context.Context) error, len(list))
	for i, item := range list {
		asks[i] = func(ctx context.Context) error { return ask(ctx, i, item) }
	}
	return s.Together(ctx, on, asks...)
}

// placeKey is the key of a place in a context, by whom its gathering asks.
type placeKey struct{ on Execer }

// place is that of a function among those that run together: its number, after those of
// the functions in which it is.
type place struct {
	*gathering

	numbers []int
}

// below is the place of a function within another.
func (p place) below(i int) place {
	return place{gathering: p.gathering, numbers: append(slices.Clone(p.numbers), i)}
}

// gathering gathers the questions of functions that run together.
type gathering struct {
	answer func([]*question) // answers all of them

	mu      sync.Mutex
	busy    int // how many functions do something else than to wait for an answer
	waiting []*question

	line sync.Mutex // one round trip after the other
}

// question is one query, and what has come of it.
type question struct {
	place   []int
	query   string
	limit   time.Duration // of the wait for its answer; 0: none
	records []Record
	err     error
	done    chan struct{} // closed when it is answered
}

// begin counts functions that are about to run.
func (g *gathering) begin(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy += n
}

// ask waits for the answer to a question.
func (p place) ask(query string, limit time.Duration) ([]Record, error) {
	q := &question{place: p.numbers, query: query, limit: limit, done: make(chan struct{})}
	p.pause(q)
	<-q.done
	return q.records, q.err
}

// pause notes that a function waits for an answer, or has ended, with no question. The one
// by which nobody is busy any more has the questions answered.
func (g *gathering) pause(q *question) {
	g.mu.Lock()
	g.busy--
	if q != nil {
		g.waiting = append(g.waiting, q)
	}
	if g.busy > 0 || len(g.waiting) == 0 {
		g.mu.Unlock()
		return
	}
	questions := g.waiting
	g.waiting, g.busy = nil, g.busy+len(questions)
	g.mu.Unlock()
	slices.SortStableFunc(questions, func(a, b *question) int { return slices.Compare(a.place, b.place) })
	g.line.Lock()
	defer g.line.Unlock()
	g.answer(questions)
	for _, q := range questions {
		close(q.done)
	}
}

// mostText is how many bytes of statements are sent in one packet, if the server takes that:
// those of thousands of tables.
const mostText = 512 << 10

// answerAll answers questions in as few round trips as can be. A server passes over the
// statements after one that fails: they are sent again. A session is lost with an answer that
// does not come in time: that is the error of whatever else is asked by it, and is given.
func (s *Server) answerAll(ctx context.Context, on Execer, questions []*question, lost error) error {
	_, session := on.(*sql.Conn)
	most := min(mostText, s.packet/2)
	for len(questions) > 0 && lost == nil {
		n, text := 0, strings.Builder{}
		for n == 0 || n < len(questions) && text.Len()+len(questions[n].query) < most {
			if n > 0 {
				text.WriteString("; ")
			}
			text.WriteString(questions[n].query)
			n++
		}
		n = s.exchange(ctx, on, text.String(), questions[:n])
		if late, ok := errors.AsType[*NoAnswerError](questions[n-1].err); ok && session {
			lost = late
		}
		questions = questions[n:]
	}
	for _, q := range questions {
		q.err = lost
	}
	return lost
}

// errNoRows is that of a statement which has no rows, not even none.
var errNoRows = errors.New("gtunnel asks by a statement that answers nothing")

// exchange sends the questions, which text joins, and reads the answers. It gives how many
// are answered: all, or as many as come before what the server passed over.
func (s *Server) exchange(ctx context.Context, on Execer, text string, questions []*question) int {
	within, watch := newWatch(ctx, questions[0].limit)
	defer watch.end()
	began := time.Now()
	rows, err := on.QueryContext(within, text)
	answered := 0
	if err == nil {
		s.took(time.Since(began))
		defer func() { _ = rows.Close() }() // rows.Err says it all
		answered, err = readAnswers(rows, watch, questions)
	}
	if err == nil {
		return answered
	}
	err = watch.explain(ctx, within, err)
	_, late := errors.AsType[*NoAnswerError](err)
	if late || ErrorNumber(err) != 0 { // of this one alone
		questions[answered].err = err
		return answered + 1
	}
	for _, q := range questions[answered:] {
		q.err = err
	}
	return len(questions)
}

// readAnswers reads the answers to questions, one after the other, and gives how many there
// are before an error.
func readAnswers(rows *sql.Rows, watch *watch, questions []*question) (answered int, err error) {
	for {
		if questions[answered].records, err = scanRecords(rows); err != nil {
			return answered, err
		}
		if answered++; answered == len(questions) {
			return answered, nil
		}
		watch.again(questions[answered].limit)
		if !rows.NextResultSet() {
			return answered, cmp.Or(rows.Err(), errNoRows)
		}
	}
}
