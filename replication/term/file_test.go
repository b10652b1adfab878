package term_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// establish is the change that a setup makes.
func establish(n *term.Note) error { return n.Establish("n1", now) }

// TestFile: a note is kept, with its mode; one that is lost comes back with another id and
// without a term, and is not made by reading.
func TestFile(t *testing.T) {
	t.Parallel()
	f := term.NewFile(filepath.Join(t.TempDir(), "state"), here, there)
	if n, err := f.Load(t.Context()); err != nil || n.HostID != "" || n.Name != here || n.Peer != there {
		t.Fatalf("nothing is there, and it reads %+v, %v", n, err)
	}
	if _, err := os.Stat(f.Path()); err == nil {
		t.Fatal("reading has made it")
	}
	made, err := f.Update(t.Context(), establish)
	if err != nil || made.HostID == "" || made.Changed.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	if info, err := os.Stat(f.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	read, err := term.NewFile(filepath.Dir(f.Path()), here, there).Load(t.Context())
	if err != nil || read.HostID != made.HostID || read.Term != made.Term || !read.IsMaster() {
		t.Errorf("%+v, %v", read, err)
	}
	before, _ := os.Stat(f.Path())
	if _, err := f.Update(t.Context(), establish); err != nil {
		t.Error(err)
	}
	if after, _ := os.Stat(f.Path()); !os.SameFile(before, after) {
		t.Error("it was written, and nothing has changed")
	}
	failed := errors.New("no")
	fails := func(n *term.Note) error { n.Alone = term.Fenced; return failed }
	if n, err := f.Update(t.Context(), fails); !errors.Is(err, failed) || n.Alone != term.NotAlone {
		t.Errorf("%+v, %v", n, err)
	}
	must(t, os.Remove(f.Path()))
	lost, err := f.Update(t.Context(), func(*term.Note) error { return nil })
	if err != nil || lost.HostID == "" || lost.HostID == made.HostID || !lost.Term.IsZero() {
		t.Errorf("%+v, %v", lost, err)
	}
}

// TestDamagedFile: a file that does not say what it should is an error with a cure, and
// stays as it is; it is never taken for an empty note.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, code, says string }{
		"empty":        {"", "pair-note", "mv "},
		"half":         {`{"version": 1, "host_id": "x", "na`, "pair-note", "mv "},
		"no id":        {`{"version": 1}`, "pair-note", "mv "},
		"later":        {`{"version": 2, "host_id": "x"}`, "pair-note", "later gtunnel"},
		"of another":   {`{"host_id": "x", "name": "` + there + `", "peer": "` + here + `"}`, "pair-changed", "mv "},
		"of strangers": {`{"version": 1, "host_id": "x", "name": "a", "peer": "b"}`, "pair-changed", "[pair] hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := term.NewFile(t.TempDir(), here, there)
			must(t, os.WriteFile(f.Path(), []byte(c.content), 0o600))
			_, loaded := f.Load(t.Context())
			_, updated := f.Update(t.Context(), establish)
			for _, err := range []error{loaded, updated} {
				p, ok := errors.AsType[*finding.Problem](err)
				if !ok || p.Code != c.code || !strings.Contains(p.Cure, c.says) {
					t.Errorf("%v, %+v", err, p)
				}
			}
			if content, err := os.ReadFile(f.Path()); err != nil || string(content) != c.content {
				t.Errorf("it has %q, %v", content, err)
			}
		})
	}
}

// TestFileOfMany: changes of many at once are made one after the other; and while a
// command works, no other does, and everybody can see it.
func TestFileOfMany(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f := term.NewFile(directory, here, there)
			for range 5 {
				if _, err := f.Update(context.Background(), func(n *term.Note) error { n.Term.Number++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	f := term.NewFile(directory, here, there)
	if n, err := f.Load(t.Context()); err != nil || n.Term.Number != 40 {
		t.Errorf("%d changes are left of 40, %v", n.Term.Number, err)
	}
	if f.Working(t.Context()) {
		t.Error("nobody works")
	}
	done, err := f.Work(t.Context())
	if err != nil || !f.Working(t.Context()) {
		t.Fatalf("who works is not seen: %v", err)
	}
	if _, err := term.NewFile(directory, here, there).Work(t.Context()); !finding.HasCode(err, "busy") {
		t.Errorf("two work at once: %v", err)
	}
	done()
	if done, err = f.Work(t.Context()); err != nil || !f.Working(t.Context()) {
		t.Fatal(err)
	}
	done()
	if f.Working(t.Context()) {
		t.Error("nobody works any more")
	}
}
