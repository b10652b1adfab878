package tunnel

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// warnings are the defects of the trust that verdicts tolerated since it has
// changed, or that open sessions still have.
type warnings struct {
	mu    sync.Mutex
	round uint64 // counts the changes of the trust
	seen  map[certs.Warning]uint64
}

// add notes a warning and reports whether it is new.
func (w *warnings) add(warning certs.Warning) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = make(map[certs.Warning]uint64)
	}
	_, known := w.seen[warning]
	w.seen[warning] = w.round
	return !known
}

// renew begins a round, in which every open session adds its warnings anew.
func (w *warnings) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round++
}

// forget ends the round: what was not added in it is over.
func (w *warnings) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for warning, round := range w.seen {
		if round < w.round {
			delete(w.seen, warning)
		}
	}
}

// list gives the warnings in the order of their texts.
func (w *warnings) list() []certs.Warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]certs.Warning, 0, len(w.seen))
	for warning := range w.seen {
		list = append(list, warning)
	}
	slices.SortFunc(list, func(a, b certs.Warning) int {
		return cmp.Or(strings.Compare(a.CA, b.CA), strings.Compare(string(a.Code), string(b.Code)),
			strings.Compare(a.File, b.File), strings.Compare(a.Text, b.Text))
	})
	return list
}

// warn logs the warnings of a verdict that no verdict had before.
func (t *Tunnel) warn(list []certs.Warning) {
	for _, warning := range list {
		if !t.warnings.add(warning) {
			continue
		}
		fields := []zap.Field{zap.String("ca", warning.CA), zap.String("reason", warning.Text)}
		if warning.File != "" {
			fields = append(fields, zap.String("file", warning.File))
		}
		t.log.write(zapcore.WarnLevel, "trust warning", append(fields, zap.String("code", string(warning.Code)))...)
	}
}
