package tunnel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
)

// How long it counts, where no connection is open, that a client's server proved
// itself, and that it did not, before readiness has it checked again.
const (
	provenFor = 10 * time.Minute
	failedFor = time.Minute
)

// farEnd is how the last attempt at the targets went: of a connection, of Try or
// of a check for readiness.
type farEnd struct {
	checking sync.Mutex // held while a client checks its server

	mu       sync.Mutex
	at       time.Time // zero: none yet
	problem  string    // empty: it worked
	final    bool      // it need not be tried again: what is there speaks no TLS
	listened bool      // the kernel has known a listener at a server's target
}

// note notes how an attempt went; an empty problem is a success.
func (f *farEnd) note(problem string) { f.noteTry(problem, false) }

func (f *farEnd) noteTry(problem string, final bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.problem, f.final = time.Now(), problem, final
}

// last is how the last attempt went, and whether it is too old to count, or there
// was none.
func (f *farEnd) last(now time.Time) (problem string, old bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lasts := provenFor
	if f.problem != "" {
		lasts = failedFor
	}
	switch {
	case f.at.IsZero():
		return "nothing has been tried yet", true
	case f.final:
		return f.problem, false
	}
	return f.problem, now.Sub(f.at) > lasts
}

// listens notes whether the kernel knows a listener, and reports whether it ever
// did.
func (f *farEnd) listens(now bool) (ever bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listened = f.listened || now
	return f.listened
}

// forget forgets all attempts.
func (f *farEnd) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.problem, f.final, f.listened = time.Time{}, "", false, false
}

// forgetFarEnd forgets how attempts went before another configuration, if they say
// nothing of those to come.
func (t *Tunnel) forgetFarEnd(before *Config) {
	now := t.config()
	sameTargets := slices.Equal(before.Connect, now.Connect) && before.ServerName == now.ServerName
	if !sameTargets || now.Role == Client && before.Endpoint != now.Endpoint {
		t.farEnd.forget()
	}
}

// noteTried notes an attempt of Try. One target that fails is no news where
// another has worked.
func (t *Tunnel) noteTried(target Address, result tried) {
	if problem, _ := t.farEnd.last(time.Now()); result.works || problem != "" {
		t.farEnd.noteTry(result.problem(target), result.final)
	}
}

// problem is why an attempt at a target failed and what to do; empty if it worked.
func (r *tried) problem(target Address) string {
	if r.works {
		return ""
	}
	text := fmt.Sprintf("%s: %s", target, r.message)
	if r.reason != "" {
		text += ": " + r.reason
	}
	i := slices.IndexFunc(r.fields, func(f zap.Field) bool { return f.Key == "cure" })
	if i >= 0 && r.fields[i].String != "" {
		text += beforeCure + r.fields[i].String
	}
	return text
}

// Problem is something that is wrong, and what to do about it.
type Problem struct {
	Reason string `json:"reason"`
	Cure   string `json:"cure,omitempty"` // empty: none is known, or the reason has several
}

// beforeCure is what stands between a reason and a cure in one text.
const beforeCure = "; hint: "

// String is the problem as Tunnel.Unready says it.
func (p Problem) String() string {
	if p.Cure == "" {
		return p.Reason
	}
	return p.Reason + beforeCure + p.Cure
}

// ProblemOf takes apart what Tunnel.Unready says: the cure from its end, if it has one. Where
// several targets have one each, they stay where they stand.
func ProblemOf(text string) Problem {
	reason, cure, _ := strings.Cut(text, beforeCure)
	if strings.Contains(cure, beforeCure) {
		return Problem{Reason: text}
	}
	return Problem{Reason: reason, Cure: cure}
}

// Unready says in plain words what keeps new connections from being carried; a
// ready tunnel gives nothing. A tunnel is ready if
//
//   - it listens, its certificate has not ended, and it trusts a CA whose
//     revocation lists do not refuse everybody;
//   - server: the kernel knows a listener at a target on this host; where it
//     cannot tell (another host, a container), the last attempt worked;
//   - client: a connection is open whose far end is verified, or the far end
//     proved itself within provenFor. Where neither is known it is checked now, by
//     certs.CheckProtocol.
//
// No connection to a server's target is opened.
func (t *Tunnel) Unready(ctx context.Context, now time.Time) []string {
	var problems []string
	if !t.accepting.Load() {
		problems = append(problems, "it does not accept connections")
	}
	endpoint := t.config().Endpoint
	if certificate := t.certificateStatus(); now.After(certificate.NotAfter) {
		problems = append(problems, fmt.Sprintf("its certificate %s ended on %s; hint: renew it",
			certificate.File, certificate.NotAfter.UTC().Format(time.RFC3339)))
	}
	snapshot := endpoint.Store.Snapshot()
	report := snapshot.CRLReport(endpoint.Policy, now)
	switch {
	case !slices.ContainsFunc(snapshot.CAs(), func(ca *certs.CA) bool { return now.Before(ca.Certificate.NotAfter) }):
		problems = append(problems, "it trusts no CA; hint: gtunnel certs list shows what is installed")
	case report.CAs > 0 && report.Refused == report.CAs:
		problems = append(problems, "the revocation lists refuse every peer: "+report.String()+"; hint: run fetch-crl")
	}
	farEnd := t.serverProblem
	if t.config().Role == Server {
		farEnd = t.targetProblem
	}
	if problem := farEnd(ctx, now); problem != "" {
		problems = append(problems, problem)
	}
	return problems
}

// targetProblem says what is wrong with a server's targets.
func (t *Tunnel) targetProblem(_ context.Context, now time.Time) string {
	listening := slices.ContainsFunc(t.config().Connect, isListening)
	ever := t.farEnd.listens(listening)
	local := !slices.ContainsFunc(t.config().Connect, func(a Address) bool { return !a.IsLoopback() })
	switch {
	case listening:
		return ""
	case local && ever:
		return "nobody listens at " + addressTexts(t.config().Connect) + " any more; hint: is mysqld running?"
	}
	problem, _ := t.farEnd.last(now) // it cannot be found out anew without a connection
	if problem == "" {
		return ""
	}
	return problem + " (the next connection shows whether it still is so)"
}

// serverProblem says what is wrong with a client's servers.
func (t *Tunnel) serverProblem(ctx context.Context, now time.Time) string {
	for _, s := range t.sessions.list() {
		if s.fromPeer.Load() > 0 {
			return "" // verified, and judged again as long as it is open
		}
	}
	if problem, old := t.farEnd.last(now); !old {
		return problem
	}
	t.farEnd.checking.Lock()
	defer t.farEnd.checking.Unlock()
	if problem, old := t.farEnd.last(now); !old { // another has checked it meanwhile
		return problem
	}
	var problems []string
	final := true
	for _, target := range t.config().Connect {
		result := t.tryServer(ctx, target)
		if ctx.Err() != nil {
			problem := fmt.Sprintf("the check of %s did not end in time%sdoes a firewall drop what is sent there? "+
				"gtunnel certs check --connect %[1]s", target, beforeCure)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) { // otherwise who asked has gone
				t.farEnd.note(problem)
			}
			return problem
		}
		if result.works {
			t.farEnd.note("")
			return ""
		}
		final = final && result.final
		problems = append(problems, result.problem(target))
	}
	problem := strings.Join(problems, "; ")
	t.farEnd.noteTry(problem, final)
	return problem
}

// addressTexts lists addresses.
func addressTexts(addresses []Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, " or ")
}

// inFlags puts what the flags are called into a message.
func inFlags(message string) string {
	return oneLine(certs.NameSettings(message, func(s certs.Setting) string { return "--" + string(s) }))
}
