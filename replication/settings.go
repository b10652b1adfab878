package replication

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// wantedSetting is a variable of a server that should have a value.
type wantedSetting struct {
	name    string
	value   string // of the option file
	literal string // of SET GLOBAL; empty: only a restart changes it
	ok      bool   // the server has it
	always  bool   // it must be in the drop-in also if the server has it: it may be set for now only
	judged  bool   // a rule has something to say of it, though it is left as it is
	gone    bool   // it must not be in the drop-in, nor be persisted as anything else than value
	why     string
}

// settingSteps make a server's settings right: those that are not, and those
// that an earlier run put into the drop-in, perhaps in another role. What the administrator's own files
// say already is left to them. What MySQL has persisted beats every option file,
// and goes if it says otherwise.
// It gives the drop-in as it is then.
func settingSteps(
	p *Plan, f *facts.Facts, dropIn *optionfile.DropIn, wanted []wantedSetting,
) (next *optionfile.DropIn) {
	var persist []optionfile.Setting
	var gone []string
	var now []server.Statement
	var undo Undo
	var whys []string
	for _, w := range wanted {
		persisted := f.IsPersistedOtherwise(w.name, w.value)
		if !dropIn.Has(w.name) && (w.gone && !persisted || w.ok && !w.gone && !w.always) {
			continue
		}
		if persisted {
			now = append(now, server.SQL("RESET PERSIST IF EXISTS %s", w.name))
			undo = append(undo, server.SQL("SET PERSIST_ONLY %s=%s", w.name, literal(f.Persisted[w.name])))
		}
		if !slices.Contains(whys, w.why) {
			whys = append(whys, w.why)
		}
		if w.gone {
			gone = append(gone, w.name)
			continue
		}
		persist = append(persist, optionfile.Setting{Name: w.name, Value: w.value})
		if !w.ok && w.literal != "" {
			now = append(now, server.SQL("SET GLOBAL %s=%s", w.name, w.literal))
			undo = append(undo, server.SQL("SET GLOBAL %s=%s", w.name, literal(f.Variable(w.name))))
		}
	}
	next = dropIn.Without(gone...).With(persist...)
	switch {
	case dropIn.Equal(next):
	case next.Path == "" && f.DropIn != nil && f.DropIn.Equal(f.DropIn.With(persist...)):
	case next.Path == "":
		p.Warn(f.Role, "no-config-directory",
			"put these lines into the server's option files yourself, or name the directory with --config-dir:\n"+next.Content(),
			"no directory is known from which the server reads option files, so its settings would be lost at a restart")
	default:
		p.add(&Step{
			Name: string(f.Role) + "-drop-in", On: f.Role,
			What: "write the settings to a file that the server reads at its start",
			Why:  strings.Join(whys, "; "), UndoByHand: undoDropIn(dropIn),
			File: &File{Path: next.Path, Mode: 0o644, Content: server.Text(next.Content())},
		})
	}
	if len(now) > 0 {
		p.add(&Step{
			Name: string(f.Role) + "-settings", On: f.Role, What: "change the settings of the running server",
			Why: strings.Join(whys, "; "), SQL: now, Undo: undo,
		})
	}
	if dropIn == nil {
		return nil
	}
	return next
}

// literal is a variable's value as SET takes it: a number is none in quotes.
func literal(value string) string {
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		return server.QuoteString(value)
	}
	return value
}

// undoDropIn says how the file becomes what it was.
func undoDropIn(before *optionfile.DropIn) string {
	if before == nil || len(before.Settings) == 0 {
		return "remove the file"
	}
	return "give the file what it had:\n" + before.Content()
}
