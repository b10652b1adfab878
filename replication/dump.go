package replication

import (
	"cmp"
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MasterDump is the making of a dump on the master's host, of which a slave is made
// elsewhere.
type MasterDump struct {
	Master     *server.Server // an administrator's login
	Databases  []string       // empty: those of the hand-over
	HandOver   *HandOver      // of setup-master; nil if there is none
	LockTables bool           // see seed.Seed
	MaxRate    uint64         // bytes a second, of what is written; 0: no limit
	Program    string         // the version of gtunnel, to note

	Progress func(seed.Progress) // may be nil

	seed *seed.Seed
	head seed.DumpHead
}

// Prepare reads the server and finds what is wrong, before anything is written.
func (d *MasterDump) Prepare(ctx context.Context) (finding.Findings, error) {
	f, err := facts.Read(ctx, d.Master)
	if err != nil {
		return finding.Findings{}, err
	}
	d.seed = &seed.Seed{
		Master: d.Master, MasterFacts: f, Databases: d.Databases, LockTables: d.LockTables, MaxRate: d.MaxRate,
		Progress: d.Progress,
	}
	if len(d.Databases) == 0 {
		d.seed.Databases = d.HandOver.Databases
	}
	host, err := os.Hostname()
	if err != nil {
		return finding.Findings{}, err
	}
	d.head = d.seed.NewDumpHead(host, d.Program)
	if h := d.HandOver; h != nil && h.ServerID == d.head.ServerID && h.UUID == d.head.UUID {
		d.head.Mark = cmp.Or(d.head.Mark, h.Mark)
	}
	found, err := d.seed.CheckDump(ctx)
	d.head.Warn(found.Warnings)
	return found, err
}

// Write writes the dump, after Prepare has found no problems. After an error what was
// written is no dump.
func (d *MasterDump) Write(ctx context.Context, to io.Writer) (*seed.Dumped, error) {
	return d.seed.WriteDump(ctx, to, d.head)
}

// openDump reads the dump that the slave is to be made of, and checks that it is whole.
func (s *Setup) openDump(ctx context.Context) (err error) {
	if s.Dump == nil {
		return nil
	}
	if s.dump, err = s.Dump.Open(ctx, s.acceptDump, s.Progress); err != nil {
		return err
	}
	s.Want.Dump = &WantedDump{Name: s.dump.Name, Head: s.dump.Head, Tail: s.dump.Tail}
	return nil
}

// WantedDump is the dump that a slave is to be made of.
type WantedDump struct {
	Name string // to show
	Head seed.DumpHead
	Tail seed.DumpTail
}

// acceptDump refuses a dump that is not of the databases of the hand-over's master.
func (s *Setup) acceptDump(head *seed.DumpHead) error {
	h := s.Want.HandOver
	same := h.ServerID == head.ServerID
	switch {
	case h.UUID != "" || head.UUID != "":
		same = h.UUID == head.UUID
	case h.Mark != "":
		same = h.Mark == head.Mark
	}
	if !same || h.Version.Family != head.Family {
		return finding.New(finding.Master, "dump-of-another",
			"make it on the master whose hand-over file this is: gtunnel replication dump; or bring that master's file here",
			"%s is of another master: of %s, %s with server_id %d; the hand-over file is of %s, %s with server_id %d",
			s.Dump.Name, head.Host, head.Version, head.ServerID, h.Host, h.Version, h.ServerID)
	}
	want, has := slices.Sorted(slices.Values(s.Want.Databases)), slices.Sorted(slices.Values(head.Databases))
	if !slices.Equal(slices.Compact(want), slices.Compact(has)) {
		names := strings.Join(s.Want.Databases, ",")
		return finding.New(finding.Master, "dump-databases",
			"make it on the master of these: gtunnel replication dump --databases "+names,
			"%s has the databases %s, and %s are to be replicated", s.Dump.Name, strings.Join(has, ","), names)
	}
	return nil
}
