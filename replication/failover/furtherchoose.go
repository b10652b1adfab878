package failover

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// viewed is what a host that may be the master says of itself, as data.
type viewed struct {
	End     End
	Silence error // why it does not answer, or not all; nil: it does

	Record   *term.Record // nil: it is no host of a pair
	Writable bool
	Server   historyEnd
}

// ask reads it.
func (v *viewed) ask(ctx context.Context, s *server.Server) (err error) {
	if v.Record, err = term.ReadRecord(ctx, s, s.DB); err != nil {
		return err
	}
	if v.Server, err = readEnd(ctx, s); err != nil {
		return err
	}
	v.Writable = !v.Server.readOnly()
	return nil
}

// name is the host as it calls itself.
func (v *viewed) name() string {
	if v.Record != nil && v.Record.Name != "" {
		return v.Record.Name
	}
	return v.End.Host
}

// said is what an end has shown, for a sentence.
func (v *viewed) said() string {
	switch {
	case v.Silence != nil:
		return fmt.Sprintf("%s at 127.0.0.1:%d does not answer: %v", v.End.Host, v.End.Port, v.Silence)
	case v.Record == nil || v.Record.Term.IsZero():
		return fmt.Sprintf("%s at 127.0.0.1:%d says nothing of a pair", v.End.Host, v.End.Port)
	}
	t, can := v.Record.Term, "is read-only"
	if v.Writable {
		can = "can be written to"
	}
	return fmt.Sprintf("%s says that %s is the master, by the term %d, and %s", v.name(), t.Master, t.Number, can)
}

// choice is the master, as it was chosen.
type choice struct {
	Master string // its name
	End    End
	Term   term.Term
	Others []viewed // the other ends
}

// seenTerm is the highest term that this slave has seen before; zero: none.
type seenTerm struct {
	Number uint64
	Nonce  string
}

// choose finds the master of the pair among those that answer, by the highest term alone: a
// host that came back with an older one is none, whatever it says of itself. It is a
// function of its arguments.
func choose(views []viewed, seen seenTerm) (*choice, *finding.Problem) {
	var highest term.Term
	var told []string
	byHost := map[string]string{}
	for i := range views {
		v := &views[i]
		told = append(told, v.said())
		if v.Silence != nil || v.Record == nil || v.Record.Term.IsZero() {
			continue
		}
		if other, twice := byHost[v.Record.HostID]; twice {
			return nil, finding.New(finding.Master, "one-host", "each tunnel must lead to another host of the pair; if they "+
				"do, on the later of the two: systemctl restart gtunnel-guard",
				"what is read at %s and at %s is of one host", other, v.End.Host)
		}
		byHost[v.Record.HostID] = v.End.Host
		if t := v.Record.Term; t.Number > highest.Number {
			highest = t
		}
	}
	all := strings.Join(told, "; ")
	known := term.Term{Number: seen.Number, Nonce: seen.Nonce}
	switch {
	case highest.IsZero():
		return nil, finding.New(finding.Master, "no-master", "bring the tunnels up: gtunnel status; a slave of a master "+
			"that is of no pair has nobody else to follow", "no host of a pair says who is the master: %s", all)
	case conflicting(views, highest), known.Conflicts(highest):
		return nil, finding.New(finding.Master, "split-brain", "gtunnel replication status on both hosts of the pair says "+
			"how to choose; then the same command again; this slave stays as it is",
			"there are two terms %d, which exclude each other: %s", highest.Number, all)
	case known.Number > highest.Number:
		return nil, finding.New(finding.Master, "stale-term", "bring the host up that is the master by the term that was "+
			"seen, or the tunnel to it; this slave stays as it is",
			"this slave has seen the term %d of the pair, and no host that answers knows it: %s", known.Number, all)
	}
	for i := range views {
		v := &views[i]
		if v.Silence != nil || v.Record == nil || v.Record.Name != highest.Master {
			continue
		}
		c := &choice{Master: highest.Master, End: v.End, Term: highest}
		for j := range views {
			if j != i {
				c.Others = append(c.Others, views[j])
			}
		}
		return c, v.serves(highest)
	}
	return nil, finding.New(finding.Master, "master-silent", "bring "+highest.Master+" up, or the tunnel to it, which "+
		"gtunnel.toml of this host must have; this slave stays as it is",
		"%s is the master, by the term %d, and cannot be asked: %s", highest.Master, highest.Number, all)
}

// conflicting reports whether terms of a number exclude each other.
func conflicting(views []viewed, t term.Term) bool {
	for i := range views {
		if r := views[i].Record; views[i].Silence == nil && r != nil && r.Term.Conflicts(t) {
			return true
		}
	}
	return false
}

// serves refuses a host that is to be the master by a term, and is not it yet.
func (v *viewed) serves(t term.Term) *finding.Problem {
	switch {
	case !v.Record.Term.Same(t):
		return finding.New(finding.Master, "term-behind", "on "+v.name()+": systemctl enable --now gtunnel-guard; then the "+
			"same command again", "%s is the master by the term %d, and its own row says %d", v.name(), t.Number,
			v.Record.Term.Number)
	case !v.Writable:
		return finding.New(finding.Master, "master-read-only", "gtunnel replication status there says what its guard "+
			"waits for; then the same command again", "%s is the master, by the term %d, and does not take writes yet",
			v.name(), t.Number)
	case v.Server.Variables["log_bin"] != "ON":
		return finding.New(finding.Master, "not-ready", "gtunnel replication check there", "%s is the master, and writes no "+
			"binary log", v.name())
	}
	return nil
}
