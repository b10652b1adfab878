package finding

// Findings are what checks found.
type Findings struct {
	Problems []*Problem // must be mended first
	Warnings []*Problem // should be known
}

// Problem adds a problem; the text is formatted by fmt.Sprintf.
func (f *Findings) Problem(on Role, code, cure, format string, args ...any) {
	f.Problems = append(f.Problems, New(on, code, cure, format, args...))
}

// Warn adds a warning; the text is formatted by fmt.Sprintf.
func (f *Findings) Warn(on Role, code, cure, format string, args ...any) {
	f.Warnings = append(f.Warnings, New(on, code, cure, format, args...))
}

// Add appends other findings.
func (f *Findings) Add(other Findings) {
	f.Problems = append(f.Problems, other.Problems...)
	f.Warnings = append(f.Warnings, other.Warnings...)
}

// Err joins the problems; nil if there are none.
func (f *Findings) Err() error { return Join(f.Problems) }
