package failover

import (
	"errors"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// told is what the guard has told last: only what is new is told.
type told struct {
	code, reason, failure string
	own, peer             string // why it does not answer; empty: it does
	hook                  time.Time
	begun                 bool
}

// The names of the acts in the log.
var names = map[term.Act]string{
	term.NewNote:    "note made",
	term.Adopt:      "term taken from the peer",
	term.Withdraw:   "request withdrawn",
	term.Close:      "made read-only",
	term.Open:       "made writable",
	term.Demote:     "demoted",
	term.TakeBack:   "demotion taken back",
	term.Follow:     "follows the new master",
	term.StartSlave: "slave started",
}

// tellAct tells of an act that is done.
func (g *Guard) tellAct(act term.Act, s *Sighting, reason string) {
	name := names[act]
	if name == "" || act == term.Demote && g.demotion.session == nil {
		return
	}
	fields := map[string]any{"term": s.Note.Term.Number, "master": s.Note.Term.Master, "reason": reason}
	if act == term.Demote {
		fields["position"] = s.OwnServer.Log.String()
	}
	g.tell(Event{Name: name, Fields: fields})
}

// round tells what of a look is new. What was decided by a note that was changed since is
// of the past: the next look follows at once.
func (t *told) round(tell func(Event), r Round, changed bool) {
	failure := ""
	if r.Err != nil {
		failure = r.Err.Error()
	}
	if s := r.Sighting; s != nil {
		t.answers(tell, s)
		t.hooks(tell, s.Note.Hooks)
		if s.OwnServer == nil {
			failure = ""
		} else if code := string(r.Decision.Code); !changed && (code != t.code || r.Decision.Reason != t.reason) {
			t.code, t.reason = code, r.Decision.Reason
			fields := map[string]any{"term": s.Note.Term.Number, "reason": t.reason}
			if code != "" {
				fields["code"] = code
			}
			if r.Decision.Cure != "" {
				fields["cure"] = r.Decision.Cure
			}
			tell(Event{Name: "state", Trouble: code != "", Fields: fields})
		}
	}
	if failure != t.failure {
		t.failure = failure
		if failure != "" {
			tell(Event{Name: "not done", Trouble: true, Fields: fieldsOf(r.Err)})
		}
	}
	t.begun = true
}

// answers tells when a server begins to answer, or ends to.
func (t *told) answers(tell func(Event), s *Sighting) {
	for _, of := range []struct {
		name string
		err  error
		last *string
	}{{"own server", s.OwnErr, &t.own}, {"peer", s.PeerErr, &t.peer}} {
		text := ""
		if of.err != nil {
			text = of.err.Error()
		}
		switch {
		case text != "" && *of.last == "":
			tell(Event{Name: of.name + " does not answer", Trouble: true, Fields: fieldsOf(of.err)})
		case text == "" && (*of.last != "" || !t.begun):
			tell(Event{Name: of.name + " answers"})
		}
		*of.last = text
	}
}

// hooks tells of the hooks that commands have run, which have no log of their own.
func (t *told) hooks(tell func(Event), runs []term.HookRun) {
	for _, run := range runs {
		if !run.At.After(t.hook) {
			continue
		}
		if t.hook = run.At; t.begun {
			tell(hookEvent(&run))
		}
	}
}

// hookEvent is the run of a hook for the log.
func hookEvent(run *term.HookRun) Event {
	fields := map[string]any{
		"hook": run.Name, "path": run.Path, "term": run.Term, "took": run.Took.String(), "output": run.Output,
	}
	if run.Error != "" {
		fields["error"] = run.Error
	}
	return Event{Name: "hook has run", Trouble: run.Error != "", Fields: fields}
}

// fieldsOf are an error with its cure.
func fieldsOf(err error) map[string]any {
	fields := map[string]any{"error": err.Error()}
	if p, ok := errors.AsType[*finding.Problem](err); ok && p.Cure != "" {
		fields["cure"] = p.Cure
	}
	return fields
}
