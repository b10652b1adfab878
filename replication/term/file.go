package term

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// FileName is the note's file in the state directory. Beside it are FileName.lock, which
// whoever changes the note has for that moment, and FileName.work, which a command has as
// long as it works.
const FileName = "pair.json"

// fileVersion is the format of the file.
const fileVersion = 1

// lockPatience is how long a lock is waited for that is held for moments only: while the
// note is changed, or by one who only looks whether a command works.
const lockPatience = 5 * time.Second

// File is the Store of a host: a file of mode 0600, which is written whole or not at all,
// and on the disk before a change has been made. Its methods may be called concurrently,
// by several processes as well.
type File struct {
	directory  string
	name, peer string
}

var _ Store = (*File)(nil)

// NewFile is the Store in a directory, which the first change makes, of the host with
// this name and its peer's, as in [pair] hosts.
func NewFile(directory, name, peer string) *File {
	return &File{directory: directory, name: name, peer: peer}
}

// Path is the file's.
func (f *File) Path() string { return filepath.Join(f.directory, FileName) }

// Load reads the note; without a HostID if there is none. One that is damaged, or of
// another host, is a *finding.Problem, and so is one that may not be read.
func (f *File) Load(context.Context) (Note, error) { return f.read() }

func (f *File) read() (Note, error) {
	content, err := os.ReadFile(f.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return Note{Name: f.name, Peer: f.peer}, nil
	}
	if err != nil {
		return Note{}, &finding.Problem{
			Code: "pair-note", Text: "the note of who is the master of the pair cannot be read", Err: err,
			Cure: "run it as root",
		}
	}
	var note struct {
		Version int `json:"version"`
		Note
	}
	err = json.Unmarshal(content, &note)
	switch {
	case err == nil && note.Version > fileVersion:
		return Note{}, finding.New("", "pair-note", "use the later gtunnel on this host",
			"%s was written by a later gtunnel: it has the version %d, and this one knows up to %d",
			f.Path(), note.Version, fileVersion)
	case err == nil && note.HostID == "":
		err = errors.New("it has no host_id")
	case err == nil && (note.Name != f.name || note.Peer != f.peer):
		return Note{}, f.ofOthers(note.Note)
	}
	if err != nil {
		return Note{}, &finding.Problem{
			Code: "pair-note", Text: "the note of who is the master of the pair is damaged: " + f.Path(), Err: err,
			Cure: f.away() + "; this host then asks the other who is the master, and does not become writable before it knows",
		}
	}
	return note.Note, nil
}

// away is the command that moves the file away.
func (f *File) away() string {
	return "mv " + finding.ShellWord(f.Path()) + " " + finding.ShellWord(f.Path()+".old")
}

// ofOthers is that the note is of other hosts than [pair] hosts names.
func (f *File) ofOthers(n Note) error {
	return finding.New("", "pair-changed", "if this host is a copy of that one, or the pair is a new one: "+f.away()+
		"; else put these names in [pair] hosts again",
		"the note of who is the master of the pair, %s, is that of %s, whose peer is %s; [pair] hosts and the certificate "+
			"say that this host is %s, and its peer %s", f.Path(), n.Name, n.Peer, f.name, f.peer)
}

// Update changes the note: see Store. If there is none, it makes one. The note is only
// written if it was changed.
func (f *File) Update(ctx context.Context, change func(*Note) error) (Note, error) {
	lock, err := f.lock(ctx, ".lock", syscall.LOCK_EX)
	if err != nil {
		return Note{}, err
	}
	defer func() { _ = lock.Close() }() // and what it holds with it
	before, err := f.read()
	if err != nil {
		return Note{}, err
	}
	after := before.clone()
	if after.HostID == "" {
		after.HostID = rand.Text()
	}
	if err := change(&after); err != nil {
		return before, err
	}
	if reflect.DeepEqual(before, after) {
		return after, nil
	}
	after.Changed = moment(time.Now())
	if err := f.write(after); err != nil {
		return before, &finding.Problem{
			Code: "pair-note", Text: "the note of who is the master of the pair cannot be written", Err: err,
			Cure: "df -h " + finding.ShellWord(f.directory) + "; ls -ld " + finding.ShellWord(f.directory) + "; as root",
		}
	}
	return after, nil
}

// write writes the note, so that it survives a crash.
func (f *File) write(n Note) error {
	content, err := json.MarshalIndent(struct {
		Version int `json:"version"`
		Note
	}{fileVersion, n}, "", "  ")
	if err != nil {
		return err
	}
	return optionfile.WriteFile(f.Path(), append(content, '\n'), 0o600)
}

// Work takes the right to change who is the master: see Store. A process that dies gives
// it back.
func (f *File) Work(ctx context.Context) (done func(), err error) {
	lock, err := f.lock(ctx, ".work", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	if err := lock.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(lock, os.Getpid()) // for the sentence of another alone
	}
	return func() { _ = lock.Close() }, nil
}

// Working reports whether a process has that right. If it cannot tell, none has.
func (f *File) Working(context.Context) bool {
	lock, err := os.Open(f.Path() + ".work")
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }() // and what it holds with it
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// lock opens and locks one of the files beside the note's.
func (f *File) lock(ctx context.Context, suffix string, how int) (*os.File, error) {
	fail := func(err error) error {
		return &finding.Problem{
			Code: "pair-note", Text: "the note of who is the master of the pair cannot be locked", Err: err,
			Cure: "run it as root",
		}
	}
	if err := os.MkdirAll(f.directory, 0o700); err != nil {
		return nil, fail(err)
	}
	lock, err := os.OpenFile(f.Path()+suffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fail(err)
	}
	for patience := time.Now().Add(lockPatience); ; {
		err := syscall.Flock(int(lock.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		held := errors.Is(err, syscall.EWOULDBLOCK)
		if held && time.Now().Before(patience) {
			if err = server.Pause(ctx, lockPatience/500); err == nil {
				continue
			}
			held = false
		}
		pid := 0
		_, _ = fmt.Fscan(lock, &pid)
		_ = lock.Close() // it is not ours
		if !held {
			return nil, fail(err)
		}
		busy := finding.New("", "busy", "wait for its end", "another gtunnel works on the pair on this host")
		if pid != 0 {
			busy.Text += fmt.Sprintf(" (process %d)", pid)
		}
		return nil, busy
	}
}

// clone is a note that shares nothing with n.
func (n *Note) clone() Note {
	content, err := json.Marshal(n)
	var c Note
	if err == nil {
		err = json.Unmarshal(content, &c)
	}
	if err != nil {
		panic("term: a note that is no JSON: " + err.Error()) // it has only strings, numbers and times
	}
	return c
}
