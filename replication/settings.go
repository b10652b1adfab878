package replication

import "strings"

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
func settingSteps(p *Plan, f *Facts, dropIn *DropIn, wanted []wantedSetting) {
	var persist []Setting
	var now []Statement
	var whys []string
	for _, w := range wanted {
		if w.ok && !w.always && !dropIn.has(w.name) {
			continue
		}
		if persisted, ok := f.Persisted[w.name]; ok && !sameValue(persisted, w.value) {
			now = append(now, statement("RESET PERSIST IF EXISTS %s", w.name))
		}
		persist = append(persist, Setting{Name: w.name, Value: w.value})
		whys = append(whys, w.why)
		if w.ok {
			continue
		}
		if w.literal != "" {
			now = append(now, statement("SET GLOBAL %s=%s", w.name, w.literal))
		}
	}
	next := dropIn.with(persist...)
	switch {
	case dropIn.equal(next):
	case next.Path == "" && f.dropIn != nil && f.dropIn.equal(f.dropIn.with(persist...)):
	case next.Path == "":
		p.warn(f.Role, "no-config-directory", "put these lines into the server's option files yourself, or name the directory with --config-dir:\n"+next.content(),
			"no directory is known from which the server reads option files, so its settings would be lost at a restart")
	default:
		p.add(&Step{
			Name: string(f.Role) + "-drop-in", On: f.Role, What: "write the settings to a file that the server reads at its start",
			Why: strings.Join(whys, "; "), Undo: "remove the file",
			File: &File{Path: next.Path, Mode: 0o644, Content: secretText(next.content())},
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
func undoSettings(f *Facts, statements []Statement) string {
	var undo []string
	for _, s := range statements {
		verb := "SET GLOBAL "
		name, _, _ := strings.Cut(strings.TrimPrefix(s.Reveal(), verb), "=")
		value := f.variable(name)
		if persisted, ok := strings.CutPrefix(s.Reveal(), "RESET PERSIST IF EXISTS "); ok {
			verb, name, value = "SET PERSIST_ONLY ", persisted, f.Persisted[persisted]
		}
		if strings.Trim(value, "0123456789") != "" {
			value = quoteString(value)
		}
		undo = append(undo, verb+name+"="+value)
	}
	return strings.Join(undo, "; ")
}

// sameValue tells whether two texts are the same value of a variable.
func sameValue(a, b string) bool {
	number := strings.NewReplacer("ON", "1", "OFF", "0")
	return number.Replace(strings.ToUpper(a)) == number.Replace(strings.ToUpper(b))
}
