package term

import "time"

// HookRun is one run of a program of the administrator's by a promotion.
type HookRun struct {
	Name   string        `json:"name"` // fence, pre-promote, post-promote
	Path   string        `json:"path"`
	Term   uint64        `json:"term"` // the number that is, or was to be, raised
	At     time.Time     `json:"at"`   // when it ended
	Took   time.Duration `json:"took_ns"`
	Error  string        `json:"error,omitempty"` // empty: it has ended with 0
	Output string        `json:"output,omitempty"`
}

// mostHooks is how many runs a note keeps.
const mostHooks = 10

// RanHook notes the run of a hook.
func (n *Note) RanHook(run HookRun) {
	run.At = moment(run.At)
	n.Hooks = append(n.Hooks, run)
	if over := len(n.Hooks) - mostHooks; over > 0 {
		n.Hooks = append([]HookRun(nil), n.Hooks[over:]...)
	}
}

// HasRun reports whether a hook has run for a term, whatever its end.
func (n *Note) HasRun(name string, number uint64) bool {
	for _, run := range n.Hooks {
		if run.Name == name && run.Term == number {
			return true
		}
	}
	return false
}
