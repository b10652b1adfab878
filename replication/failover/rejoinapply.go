package failover

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// do carries a step out.
func (r *Rejoin) do(ctx context.Context, f *rejoinFacts, step *replication.Step) error {
	switch step.Action.(type) {
	case compareBoth: // tables take their time
		return r.compareBoth(ctx)
	case copyAnew:
		return r.copyAnew(ctx, f)
	}
	ctx = server.EachWithin(ctx, rejoinLimit)
	switch action := step.Action.(type) {
	case nil, closeServer:
		return r.own.Run(ctx, step.SQL)
	case whileReadOnly:
		return r.runWhileReadOnly(ctx, f, step.SQL)
	case setStrict:
		return r.setStrict(ctx, step, action.off)
	case takeTerm:
		return r.note(ctx, func(n *term.Note) error {
			if n.Term.Conflicts(action.term) {
				return n.GiveUp(action.term)
			}
			return n.Adopt(action.term)
		})
	case saveErrant:
		return r.saveErrant(ctx, f)
	case judgeErrant:
		return r.judgeErrant(ctx, action)
	case notGrown:
		if err := r.mustNotHaveGrown(ctx, f); err != nil {
			return err
		}
		return r.own.Run(ctx, step.SQL)
	case catchUpWithMaster:
		return r.catchUp(ctx)
	case noteJoined:
		return r.note(ctx, func(n *term.Note) error {
			if action.copied {
				n.Judge("")
			}
			return n.Join(f.Record.Term)
		})
	default:
		panic(fmt.Sprintf("failover: no step of a rejoin does %T", action))
	}
}

// note changes the note, and publishes it: the guard does that as well, if it runs.
func (r *Rejoin) note(ctx context.Context, change func(*term.Note) error) error {
	note, err := r.Store.Update(ctx, change)
	if err != nil {
		return err
	}
	row, err := term.ReadRecord(ctx, r.own, r.own.DB)
	if err != nil {
		return err
	}
	record := note.Record()
	if row != nil && row.HostID == record.HostID {
		record.LoggedIn, record.LoginErr = row.LoggedIn, row.LoginErr
	}
	if row.Says(record) {
		return nil
	}
	variables, err := r.own.Variables(ctx, r.own.DB, "super_read_only")
	if err != nil {
		return err
	}
	return term.PublishRecord(ctx, r.own, record, variables["super_read_only"] == "ON")
}

// setStrict turns gtid_strict_mode off or on. That it is off is noted before, and that it is
// on afterwards, so that the same command again turns it on.
func (r *Rejoin) setStrict(ctx context.Context, step *replication.Step, off bool) error {
	noting := func() error {
		return r.note(ctx, func(n *term.Note) error { n.StrictIs(off); return nil })
	}
	if off {
		if err := noting(); err != nil {
			return err
		}
	}
	if err := r.own.Run(ctx, step.SQL); err != nil || off {
		return err
	}
	return noting()
}

// runWhileReadOnly runs SQL that lifts MySQL's super_read_only for a moment, and leaves
// it on, whatever happens.
func (r *Rejoin) runWhileReadOnly(ctx context.Context, f *rejoinFacts, statements []server.Statement) error {
	err := r.own.Run(ctx, statements)
	if err != nil {
		within, cancel := server.CleanUp(ctx)
		defer cancel()
		_ = r.own.Run(within, []server.Statement{f.Own.Version.SetReadOnly()}) // the guard does it again
	}
	return err
}

// saveErrant saves what only this server has, as SQL.
func (r *Rejoin) saveErrant(ctx context.Context, f *rejoinFacts) error {
	wanted, gtids := r.wanted(f)
	return r.Shelf.Put(f.SavedName, func(to io.Writer) error {
		if _, err := io.WriteString(to, f.savedHead()); err != nil {
			return err
		}
		saved, err := r.readErrant(ctx, f, wanted, gtids, to)
		if err == nil && saved.Transactions != f.Errant.Transactions {
			return f.grown()
		}
		return err
	})
}

// savedHead is what stands at the beginning of the file.
func (f *rejoinFacts) savedHead() string {
	client := "mysql"
	if f.Own.Version.Family == server.MariaDB {
		client = "mariadb"
	}
	lines := []string{
		fmt.Sprintf("Saved by gtunnel replication rejoin on %s, %s.", f.Name, f.Own.Version),
		fmt.Sprintf("It is what only this server had when %s was the master by the term %d:", f.Peer, f.Record.Term.Number),
		f.Errant.String() + ".",
		"GTIDs: " + strings.Join(f.Errant.GTIDs, " "),
		"",
		"Nothing of it is on the master. Look it through: the changed rows stand as comments, with ### before them.",
		"What is still wanted can be applied on the master, by an administrator there:",
		"  " + client + " --force=0 < THIS FILE",
		"It stops at the first row that is not there any more as it was.",
		"It may hold passwords, of CREATE USER: keep it as closed as it is.",
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	return b.String() + "\n"
}

// grown is that somebody has written to this server since it was read.
func (f *rejoinFacts) grown() *finding.Problem {
	return finding.New(finding.Own, "changed", "run the command again; if that comes once more: SHOW PROCESSLIST here "+
		"says who writes",
		"this server was written to while it was made a slave")
}

// mustNotHaveGrown refuses that the server has more alone than what was judged.
func (r *Rejoin) mustNotHaveGrown(ctx context.Context, f *rejoinFacts) (err error) {
	now := *f.Parting
	if now.own, err = readEnd(ctx, r.own); err != nil {
		return err
	}
	if now.peer, err = readEnd(ctx, r.peer); err != nil {
		return err
	}
	h := now.judgeHistory()
	switch {
	case !h.ByGTID && len(now.own.Logs) > 0 && len(f.Own.Logs) > 0:
		last, before := now.own.Logs[len(now.own.Logs)-1], f.Own.Logs[len(f.Own.Logs)-1]
		if last != before {
			return f.grown()
		}
	case f.Own.Version.Family == server.MySQL:
		if server.SubtractGTIDs(h.Alone, f.History.Alone) != "" {
			return f.grown()
		}
	case h.Alone != f.History.Alone && h.Alone != "":
		return f.grown()
	}
	return nil
}

// How long is waited for the guard of the peer, and how often it is looked.
const (
	judgePatience = 30 * time.Second
	rejoinLook    = 100 * time.Millisecond
)

// judgeErrant tells the peer's guard which GTIDs it is to go on beyond, and waits for it.
// That a new copy follows is noted with it: afterwards the histories agree, and the data
// does not.
func (r *Rejoin) judgeErrant(ctx context.Context, judge judgeErrant) error {
	gtids := judge.gtids
	err := r.note(ctx, func(n *term.Note) error {
		n.Judge(gtids)
		if judge.copies {
			return n.Copy(r.Nonce)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for began := time.Now(); ; {
		lacking, err := lacksJudged(ctx, r.peer, gtids)
		if err != nil || lacking == "" {
			return err
		}
		if time.Since(began) > judgePatience {
			return finding.New(finding.Peer, "not-judged", "on "+r.Peer+": systemctl restart gtunnel-guard; then the same "+
				"command again",
				"the guard of %s has not gone on beyond %s for %s", r.Peer, lacking, judgePatience)
		}
		if r.Waiting != nil {
			r.Waiting("wait for the guard of " + r.Peer)
		}
		if err := server.Pause(ctx, rejoinLook); err != nil {
			return err
		}
	}
}

// startPatience is how long a slave may be refused by what may pass, before its error counts.
const startPatience = 30 * time.Second

// catchUp waits until the server has applied all that the master has now.
func (r *Rejoin) catchUp(ctx context.Context) error {
	target, err := r.peer.Position(ctx, r.peer.DB)
	if err != nil {
		return err
	}
	explain := func(number int, text string) error {
		p := *finding.ExplainSlaveError(number, text)
		p.On = finding.Own
		p.Cure = "what it says; or a new copy: " + cmp.Or(r.copyCommand, "gtunnel replication rejoin --new-copy") +
			" --replace-databases " + strings.Join(r.Databases, ",")
		return &p
	}
	return r.own.WatchSlave(ctx, func(status *server.SlaveStatus, standing time.Duration) (bool, error) {
		switch {
		case status == nil:
			return true, finding.New(finding.Own, "not-set-up", "run the command again", "its replication was taken away")
		case status.SQLErrno != 0:
			return true, explain(status.SQLErrno, status.SQLError)
		case status.IORunning == "Yes" && !status.Executed.Before(target):
			return true, nil
		case status.IOErrno != 0 && (status.IOErrno == 1236 || standing > startPatience):
			return true, explain(status.IOErrno, status.IOError)
		case status.SQLRunning != "Yes" && standing > startPatience:
			return true, finding.New(finding.Own, "stopped", "run the command again", "its SQL thread was stopped")
		}
		if r.Waiting != nil {
			r.Waiting(fmt.Sprintf("at %s of %s", status.Executed, target))
		}
		return false, nil
	})
}

// compareBoth compares the data.
func (r *Rejoin) compareBoth(ctx context.Context) error {
	if r.Compare == nil {
		return nil
	}
	equal, err := r.Compare(ctx, r.own, r.peer, r.Dialogue)
	if err != nil || equal {
		return err
	}
	return finding.New(finding.Own, "different",
		"gtunnel replication compare shows where; then: gtunnel replication rejoin --new-copy --replace-databases "+
			strings.Join(r.Databases, ","), "the data differs from the master's, although the histories agree")
}
