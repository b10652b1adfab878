package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// writeNotReady prints what keeps tunnels from carrying new connections, if anything.
func writeNotReady(w io.Writer, tunnels []tunnel.Status) {
	for _, t := range tunnels {
		for _, problem := range t.NotReady {
			fmt.Fprintf(w, "\nNOT READY: %s: %s\n", t.Name, terminal.Printable(inFlags(problem.Reason)))
			if problem.Cure != "" {
				fmt.Fprintf(w, "hint: %s\n", terminal.Printable(inFlags(problem.Cure)))
			}
		}
	}
}

// readyChanges says what keeps a tunnel from carrying new connections that did not before, and
// that nothing does any more. What is nil is not known.
func readyChanges(before, now []tunnel.Problem) []string {
	var changes []string
	for _, problem := range now {
		if !slices.Contains(before, problem) {
			changes = append(changes, "NOT READY: "+inFlags(problem.String()))
		}
	}
	if len(before) > 0 && now != nil && len(now) == 0 {
		changes = append(changes, "ready again")
	}
	return changes
}

// How often a watch asks whether tunnels are ready, since a client may check its server for
// that, and how long an answer counts.
const (
	readyPause = 10 * time.Second
	readyFor   = 3 * readyPause
)

// readiness is whether tunnels are ready, as far as processes have said lately. An answer may
// take as long as a far end does, and a watch does not wait for it. Its methods may be called
// concurrently.
type readiness struct {
	answered chan struct{} // closed after the first answers

	mu    sync.Mutex
	at    time.Time                   // of the last answers
	known map[string][]tunnel.Problem // by readyKey
}

func newReadiness() *readiness { return &readiness{answered: make(chan struct{})} }

// readyKey tells a tunnel from those of all processes.
func readyKey(p *answered, t *tunnel.Status) string { return p.admin.String() + " " + shownName(t) }

// keep asks the processes at an admin address, or pattern of some, again and again until ctx
// ends. One that fails says nothing: who watches sees that.
func (r *readiness) keep(ctx context.Context, admin tunnel.Address) {
	first := sync.OnceFunc(func() { close(r.answered) })
	defer first()
	for {
		processes, _, _ := askAll(ctx, admin, askedReady)
		known := make(map[string][]tunnel.Problem)
		for i := range processes {
			for j := range processes[i].tunnels {
				t := &processes[i].tunnels[j]
				known[readyKey(&processes[i], t)] = t.NotReady
			}
		}
		r.mu.Lock()
		r.at, r.known = time.Now(), known
		r.mu.Unlock()
		first()
		if server.Pause(ctx, readyPause) != nil {
			return
		}
	}
}

// await waits for the first answers, but no longer than a time, nor than ctx.
func (r *readiness) await(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.answered:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// fill puts what is known at a time into what processes have answered.
func (r *readiness) fill(processes []answered, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.at) > readyFor {
		return
	}
	for i := range processes {
		for j := range processes[i].tunnels {
			t := &processes[i].tunnels[j]
			t.NotReady = r.known[readyKey(&processes[i], t)]
		}
	}
}
