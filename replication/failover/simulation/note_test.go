package simulation

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// noteFile is what is on the disk of a host: a Note as JSON, as term.File has it.
type noteFile []byte

// note reads it.
func (f noteFile) note() (n term.Note, err error) {
	if len(f) > 0 {
		err = json.Unmarshal(f, &n)
	}
	return n, err
}

// encode is a note as it is in the file.
func encode(n term.Note) noteFile {
	text, err := json.Marshal(&n)
	if err != nil {
		panic(err)
	}
	return text
}

// store is the term.Store of a process.
type store struct{ p *process }

var errDisk = errors.New("simulation: input/output error")

// Load reads the note. One that has not changed since this process has last read it is not
// an operation: a guard looks ten times a second.
func (s store) Load(ctx context.Context) (term.Note, error) {
	s.p.w.mu.Lock()
	now := string(s.p.host.note)
	s.p.w.mu.Unlock()
	if s.p.read == now && !s.p.isKilled() && ctx.Err() == nil {
		return s.p.noted, nil
	}
	value, err := s.p.do(ctx, &operation{
		text: "read the note", note: true, broken: func() error { return errDisk },
		run: func() (any, error) {
			n, err := s.p.host.note.note()
			return noteValue{n, string(s.p.host.note)}, err
		},
	})
	if err != nil {
		return term.Note{}, err
	}
	s.p.read, s.p.noted = value.(noteValue).text, value.(noteValue).Note
	return value.(noteValue).Note, nil
}

// noteValue is a note with what is in the file.
type noteValue struct {
	term.Note
	text string
}

// String is the file.
func (n noteValue) String() string { return n.text }

// Update changes the note.
func (s store) Update(ctx context.Context, change func(*term.Note) error) (term.Note, error) {
	value, err := s.p.do(ctx, &operation{
		text: "change the note", note: true, effect: true, broken: func() error { return errDisk },
		run: func() (any, error) {
			h := s.p.host
			n, err := h.note.note()
			if err != nil {
				return nil, err
			}
			before := n
			if err := change(&n); err != nil {
				return nil, err
			}
			text, err := json.Marshal(&n)
			if err != nil {
				return nil, err
			}
			s.p.w.mu.Lock()
			h.note = text
			s.p.w.mu.Unlock()
			s.p.w.checker.noted(s.p.w, h, before, n)
			return noteValue{n, string(text)}, nil
		},
	})
	if err != nil {
		return term.Note{}, err
	}
	return value.(noteValue).Note, nil
}

// Work takes the right to change who is the master.
func (s store) Work(ctx context.Context) (func(), error) {
	_, err := s.p.do(ctx, &operation{
		text: "take the right to work", note: true, broken: func() error { return errDisk },
		run: func() (any, error) {
			if h := s.p.host; h.working.alive() && h.working != s.p {
				return nil, finding.New("", "busy", "wait for its end", "another process works")
			}
			s.p.host.working = s.p
			return nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	return func() {
		s.p.w.mu.Lock()
		defer s.p.w.mu.Unlock()
		s.p.w.rested = append(s.p.w.rested, s.p)
	}, nil
}

// Working reports whether a process has it.
func (s store) Working(ctx context.Context) bool {
	value, err := s.p.do(ctx, &operation{
		text: "does anybody work", note: true, broken: func() error { return errDisk },
		run: func() (any, error) { return truth(s.p.host.working.alive()), nil },
	})
	return err == nil && bool(value.(truth))
}

// truth is a boolean that tells itself.
type truth bool

// String is yes or no.
func (t truth) String() string {
	if t {
		return "yes"
	}
	return "no"
}
