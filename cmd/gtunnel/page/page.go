package page

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// How often the page looks at what. Who wants to know more often asks the
// process itself.
const (
	sampleEvery  = 10 * time.Second // the traffic, whether anybody looks or not
	checkEvery   = 10 * time.Second // the far ends and the replication, while somebody looks
	freshFor     = 30 * time.Second // how long a check counts where nobody looked since
	checkTime    = 8 * time.Second  // bounds a check of the far ends
	firstCheck   = 2 * time.Second  // how long a request waits for the first one
	renderEvery  = time.Second      // at most, however many look
	streamEvery  = 2 * time.Second  // a stream is told what has changed
	streamsLimit = 16               // open at once
	historyTime  = time.Hour        // that is kept
	historyLimit = int(historyTime/sampleEvery) + 1
)

// Tunnel is what the page asks of a tunnel.
type Tunnel interface {
	Status() tunnel.Status
	Traffic() tunnel.Traffic

	// Unready says what keeps new connections from being carried.
	Unready(ctx context.Context, now time.Time) []string
}

// Reload is how the reloads of the process have gone.
type Reload struct {
	Good, Failed uint64    // that somebody asked for
	LastGood     time.Time // the start counts
	Problems     []Problem // none: what the files say is in force
	Restart      []string  // settings that need one
}

// Problem is something that is wrong, and what to do about it.
type Problem struct{ Text, Cure string }

// Source is where a Page has what it shows. Its functions may be called at any
// time, concurrently.
type Source struct {
	Tunnels func() []Tunnel // those of the moment
	Reload  func() Reload
	Events  *Events
	Words   func(string) string // puts the user's names of settings into a text
	Cure    func(string) string // likewise into a cure
	Socket  string              // at which the process answers that watches the replication
	Host    string              // this host's name
	Version string
	Started time.Time
}

// Page is the page. Its methods may be called concurrently.
type Page struct {
	source  Source
	history history
	looked  chan struct{} // wakes the checks; has room for one
	streams chan struct{} // a place for each that is open

	mu         sync.Mutex
	checks     checks
	checked    chan struct{} // closed, and made anew, when a check has ended
	rendered   *rendering
	renderedAt time.Time
}

// checks are the results of what takes a while to find out.
type checks struct {
	at          time.Time // zero: never
	unready     map[string][]string
	replication watched
}

// New makes the page, which Run keeps up to date.
func New(source Source) *Page {
	return &Page{
		source: source, looked: make(chan struct{}, 1), streams: make(chan struct{}, streamsLimit),
		checked: make(chan struct{}),
	}
}

// Run keeps the history of the traffic, and checks far ends and the replication
// while somebody looks. It ends with ctx.
func (p *Page) Run(ctx context.Context) {
	var checking sync.WaitGroup
	defer checking.Wait()
	checking.Go(func() { p.check(ctx) })
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		p.Sample(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sample notes for the plot what the tunnels have carried since the last sample,
// at the time now. Run does it every ten seconds.
func (p *Page) Sample(now time.Time) { p.history.sample(now, p.source.Tunnels()) }

// check checks far ends and the replication again and again while somebody
// looks, until ctx ends.
func (p *Page) check(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.looked:
		}
		found := p.find(ctx)
		p.mu.Lock()
		p.checks, p.rendered = found, nil
		close(p.checked)
		p.checked = make(chan struct{})
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(checkEvery):
		}
	}
}

// find asks all far ends, and the process that watches the replication, at once.
func (p *Page) find(ctx context.Context) checks {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found := checks{unready: make(map[string][]string)}
	var asking sync.WaitGroup
	asking.Go(func() { found.replication = askReplication(ctx, p.source.Socket) })
	var mu sync.Mutex
	for _, t := range p.source.Tunnels() {
		status := t.Status()
		if status.Retired {
			continue // it takes no new connections
		}
		asking.Go(func() {
			problems := t.Unready(ctx, time.Now())
			mu.Lock()
			defer mu.Unlock()
			found.unready[status.Name] = problems
		})
	}
	asking.Wait()
	found.at = time.Now()
	return found
}

// look notes that somebody looks, and waits a little for the first check after
// some time without.
func (p *Page) look(ctx context.Context) {
	p.mu.Lock()
	fresh := time.Since(p.checks.at) < freshFor
	checked := p.checked
	p.mu.Unlock()
	p.noteLook()
	if fresh {
		return
	}
	timer := time.NewTimer(firstCheck)
	defer timer.Stop()
	select {
	case <-checked:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// noteLook has the far ends checked soon: somebody looks.
func (p *Page) noteLook() {
	select {
	case p.looked <- struct{}{}:
	default: // it is known already
	}
}

// render gives the page of this moment. Those who ask within renderEvery are
// given the same one.
func (p *Page) render() (*rendering, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.rendered != nil && now.Sub(p.renderedAt) < renderEvery {
		return p.rendered, nil
	}
	r, err := newRendering(p.view(now))
	if err != nil {
		return nil, err
	}
	p.rendered, p.renderedAt = r, now
	return r, nil
}

// view is what the page shows at the time now. A check from before a time without anybody
// who looked counts no more: what it found well may not be so.
func (p *Page) view(now time.Time) *view {
	found := p.checks
	if now.Sub(found.at) >= freshFor {
		found = checks{}
	}
	var statuses []tunnel.Status
	for _, t := range p.source.Tunnels() {
		statuses = append(statuses, t.Status())
	}
	return newView(&sight{
		source: &p.source, now: now, statuses: statuses, checks: found,
		reload: p.source.Reload(), events: p.source.Events.list(), points: slices.Clone(p.history.list()),
	})
}
