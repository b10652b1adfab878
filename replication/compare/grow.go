package compare

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/server"
)

// endAt sets, when the first leg of a table ends, where the table ends: after the last key
// that either end has at this position. What is added beyond is replicated and is for the
// next comparison: otherwise a table that grows as fast as it is compared would never end.
func (w *tableWork) endAt(ctx context.Context) error {
	begun := w.begun[w.String()]
	if begun == nil || begun.Upto != nil {
		return nil
	}
	last := begun.After
	for _, s := range []*session{w.ends.master, w.ends.slave} {
		beyond, err := w.lastKey(ctx, s, last)
		if server.ErrorNumber(err) != 0 {
			return nil // it was altered, or is gone: the next leg says so
		}
		if err != nil {
			return err
		}
		if beyond != nil {
			last = beyond
		}
	}
	begun.Upto = last
	return nil
}

// noteGrown notes rows beyond the end that a table has been given.
func (w *tableWork) noteGrown(ctx context.Context) error {
	if w.rest.upto == nil {
		return nil
	}
	_, k := w.at(w.ends.master)
	beyond, err := w.lastKey(ctx, w.ends.master, w.rest.upto)
	if beyond != nil {
		w.addNote("rows after " + k.keyed(w.rest.upto) + " were added meanwhile, and are for the next comparison")
	}
	return err
}

// lastKey is the last key of an end after another one; nil: there is none.
func (w *tableWork) lastKey(ctx context.Context, s *session, after keyValue) (keyValue, error) {
	t, k := w.at(s)
	return s.findKey(ctx, k, freeTables+k.endQuery(t, keyRange{after: after}, true))
}
