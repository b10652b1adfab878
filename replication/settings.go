package replication

import (
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
	why     string
}

// settingSteps make a server's settings right: those that are not, and those
// that an earlier run put into the drop-in. What the administrator's own files
// say already is left to them. What MySQL has persisted beats every option file,
// and goes if it says otherwise.
func settingSteps(p *Plan, f *facts.Facts, dropIn *optionfile.DropIn, wanted []wantedSetting) {
	var persist []optionfile.Setting
	var now []server.Statement
	var whys []string
	for _, w := range wanted {
		if w.ok && !w.always && !dropIn.Has(w.name) {
			continue
		}
		if f.IsPersistedOtherwise(w.name, w.value) {
			now = append(now, server.SQL("RESET PERSIST IF EXISTS %s", w.name))
		}
		persist = append(persist, optionfile.Setting{Name: w.name, Value: w.value})
		whys = append(whys, w.why)
		if w.ok {
			continue
		}
		if w.literal != "" {
			now = append(now, server.SQL("SET GLOBAL %s=%s", w.name, w.literal))
		}
	}
	next := dropIn.With(persist...)
	switch {
	case dropIn.Equal(next):
	case next.Path == "" && f.DropIn != nil && f.DropIn.Equal(f.DropIn.With(persist...)):
	case next.Path == "":
		p.Warn(f.Role, "no-config-directory", "put these lines into the server's option files yourself, or name the directory with --config-dir:\n"+next.Content(),
			"no directory is known from which the server reads option files, so its settings would be lost at a restart")
	default:
		p.add(&Step{
			Name: string(f.Role) + "-drop-in", On: f.Role, What: "write the settings to a file that the server reads at its start",
			Why: strings.Join(whys, "; "), Undo: "remove the file",
			File: &File{Path: next.Path, Mode: 0o644, Content: server.Text(next.Content())},
		})
	}
	if len(now) > 0 {
		p.add(&Step{
			Name: string(f.Role) + "-settings", On: f.Role, What: "change the settings of the running server",
			Why: strings.Join(whys, "; "), SQL: now, Undo: undoSettings(f, now),
		})
	}
}

// undoSettings gives the statements with the values that the server has now.
func undoSettings(f *facts.Facts, statements []server.Statement) string {
	var undo []string
	for _, s := range statements {
		verb := "SET GLOBAL "
		name, _, _ := strings.Cut(strings.TrimPrefix(s.Reveal(), verb), "=")
		value := f.Variable(name)
		if persisted, ok := strings.CutPrefix(s.Reveal(), "RESET PERSIST IF EXISTS "); ok {
			verb, name, value = "SET PERSIST_ONLY ", persisted, f.Persisted[persisted]
		}
		if strings.Trim(value, "0123456789") != "" {
			value = server.QuoteString(value)
		}
		undo = append(undo, verb+name+"="+value)
	}
	return strings.Join(undo, "; ")
}
