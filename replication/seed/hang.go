package seed

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

const (
	// hangTime is how long all threads of a tool may wait for one another before
	// it is stopped. One that works reads from a server or writes a file: the
	// others wait for that one then.
	hangTime = time.Minute
	// silentTime is how long a tool may do nothing at all while something is due from
	// it, and its server works on nothing for it.
	silentTime = 10 * time.Minute
	// silentTicks is less than a tool computes that does something, in hundredths of a
	// second.
	silentTicks = 10
)

// toolHangs is the code of such a tool's problem.
const toolHangs = "tool-hangs"

// hangWatch watches a tool, which mydumper 0.10 gave the reason for: it has been seen
// to wait for itself without end when one of its threads had ended.
type hangWatch struct {
	process *process
	end     *server.Server // that the tool works with
	owes    func() bool    // something is due from it; nil: always
	silent  time.Duration  // see silentTime

	waiting, still time.Time // since when all threads wait, and when it did something last
	ticks          uint64    // what it had computed then
}

// hangWait is how long a tool may do nothing.
func (s *Seed) hangWait() time.Duration { return cmp.Or(s.hangPatience, silentTime) }

// watchHang stops the tool if it hangs; its failure says so then.
func (s *Seed) watchHang(ctx context.Context, p *process, end *server.Server, owes func() bool) {
	w := &hangWatch{process: p, end: end, owes: owes, silent: s.hangWait(), still: time.Now()}
	go w.run(ctx) // until the tool has ended
}

// run looks until the tool has ended.
func (w *hangWatch) run(ctx context.Context) {
	ticker := time.NewTicker(w.silent / 100)
	defer ticker.Stop()
	for {
		select {
		case <-w.process.ended:
			return
		case <-ticker.C:
		}
		if reason := w.look(ctx); reason != "" {
			w.process.hung.Store(&reason)
			w.process.stop()
			return
		}
	}
}

// look gives the reason to stop the tool; empty if there is none.
func (w *hangWatch) look(ctx context.Context) string {
	now := time.Now()
	if w.owes != nil && !w.owes() {
		w.waiting, w.still = time.Time{}, now
		return ""
	}
	pid := w.process.cmd.Process.Pid
	switch {
	case !allWait(fmt.Sprintf("/proc/%d/task", pid)):
		w.waiting = time.Time{}
	case w.waiting.IsZero():
		w.waiting = now
	case now.Sub(w.waiting) >= min(hangTime, w.silent):
		return fmt.Sprintf("for %v all of its threads waited for one another", min(hangTime, w.silent))
	}
	if ticks := groupTicks(pid); ticks < w.ticks || ticks-w.ticks >= silentTicks {
		w.ticks, w.still = ticks, now
	}
	if now.Sub(w.still) < w.silent {
		return ""
	}
	if w.serverWorks(ctx) {
		w.still = now
		return ""
	}
	return fmt.Sprintf("for %v it did nothing, and the server had nothing to do for it", w.silent)
}

// serverWorks reports whether the server works on a statement of the tool's login. To
// send what the tool does not take is no work.
func (w *hangWatch) serverWorks(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	running, err := w.end.Processes(ctx, w.end.DB)
	if err != nil {
		return false
	}
	for _, t := range running {
		sends := t.State == "Writing to net" || t.State == "Sending to client"
		ours := strings.HasSuffix(t.Statement, "PROCESSLIST")
		if t.User == w.end.Login.User && t.Statement != "" && !sends && !ours && !t.IsServers() {
			return true
		}
	}
	return false
}

// hangs is the problem of the tool if it was stopped because it hung; nil otherwise.
func (p *process) hangs(on finding.Role) error {
	reason := p.hung.Load()
	if reason == nil {
		return nil
	}
	return finding.New(on, toolHangs, "run this again, or copy by another method",
		"%s was stopped: %s, which is a fault of its own", p.tool.name(), *reason)
}

// allWait reports whether every thread of a process, whose folder of proc(5)
// this is, waits for another: where the kernel shows it, in a futex(2).
func allWait(threads string) bool {
	list, err := os.ReadDir(threads)
	if err != nil {
		return false
	}
	for _, thread := range list {
		where, err := os.ReadFile(filepath.Join(threads, thread.Name(), "wchan"))
		if err != nil || !strings.HasPrefix(string(where), "futex_") {
			return false
		}
	}
	return len(list) > 0
}

// groupTicks is what the processes of a group have computed, in hundredths of a second,
// with children that have ended.
func groupTicks(group int) (ticks uint64) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// See proc(5): what follows the name are the state, the parent, the group, ...
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		const inGroup, computed, computedEnd = 2, 11, 15
		if len(fields) < computedEnd || fields[inGroup] != strconv.Itoa(group) {
			continue
		}
		for _, field := range fields[computed:computedEnd] {
			n, _ := strconv.ParseUint(field, 10, 64) // digits
			ticks += n
		}
	}
	return ticks
}
