package seed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/time/rate"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Dumped is what has been written of a dump.
type Dumped struct {
	Head    DumpHead
	Tail    DumpTail
	Written uint64 // bytes, compressed
}

// WriteDump writes a dump of the databases, for a slave that is made of it elsewhere. Of
// the head it completes what a dump alone tells. The seed has no slave; its MaxRate is
// that of what is written. After an error what was written is no dump: it lacks its tail.
func (s *Seed) WriteDump(ctx context.Context, to io.Writer, head DumpHead) (*Dumped, error) {
	out := &dumpWriter{to: to, sum: sha256.New(), limiter: newLimiter(s.MaxRate)}
	head.Format, head.Bytes = dumpFormat, s.extent().bytes
	done := &Dumped{Head: head}
	c := &copying{Seed: s}
	c.deliver = func(ctx context.Context, stream *dumpStream, begin []byte, dump *process) error {
		done.Head.Start, out.ctx = c.start, ctx
		return c.writeDump(ctx, out, stream, begin, dump, done)
	}
	var err error
	if done.Head.Collations, err = readCollations(ctx, s.Master); err != nil {
		return nil, err
	}
	if err := c.readyDumper(ctx); err != nil {
		return nil, err
	}
	_, err = c.beside(ctx, func(ctx context.Context) (server.Position, error) { return s.dump(ctx, c) })
	done.Written = out.written
	return done, err
}

// writeDump writes the dump that a tool makes.
func (c *copying) writeDump(
	ctx context.Context, out *dumpWriter, stream *dumpStream, begin []byte, dump *process, done *Dumped,
) (err error) {
	line, err := done.Head.encode()
	if err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return inWriting(err)
	}
	compressed, err := zstd.NewWriter(out)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, compressed.Close()) }() // for the second time, unless it has failed
	whole, err := stream.copy(ctx, begin, compressed)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return inWriting(err)
	}
	if err := dump.failure(finding.Master); err != nil {
		return err
	}
	if !whole {
		return finding.New(finding.Master, "dump-cut", "run this again",
			"the dump ended in its middle, without its last line")
	}
	if err := compressed.Close(); err != nil {
		return inWriting(err)
	}
	done.Tail = DumpTail{
		Bytes: c.meter.bytes.Load(), Tables: stream.tables, SHA256: hex.EncodeToString(out.sum.Sum(nil)),
	}
	tail, err := done.Tail.encode()
	if err == nil {
		_, err = out.Write(tail)
	}
	return inWriting(err)
}

// inWriting says of an error that it came from where the dump is written to.
func inWriting(err error) error {
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		return p
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the dump: %w", err)
}

// dumpWriter counts what is written, sums it up, and holds it to a rate.
type dumpWriter struct {
	ctx     context.Context //nolint:containedctx // of the one dump
	to      io.Writer
	sum     hash.Hash
	written uint64
	limiter *rate.Limiter
}

// Write writes on, unless the dump has ended.
func (w *dumpWriter) Write(b []byte) (int, error) {
	if err := mayPass(w.ctx, w.limiter, len(b)); err != nil {
		return 0, err
	}
	n, err := w.to.Write(b)
	_, _ = w.sum.Write(b[:n]) // it never fails
	w.written += uint64(n)    //nolint:gosec // not negative
	return n, err
}

// CheckDump finds what is wrong before a dump is made. The error is that of a server
// which could not be asked.
func (s *Seed) CheckDump(ctx context.Context) (finding.Findings, error) {
	c := &seedCheck{seed: s, extent: s.extent()}
	c.databases()
	c.mayDump()
	if len(c.Problems) > 0 {
		return c.Findings, nil
	}
	for _, check := range []func(context.Context) error{
		c.locked, c.dumpTool, c.statements, c.history, c.encoding, c.values, c.codeNames,
	} {
		if err := check(ctx); err != nil {
			return finding.Findings{}, err
		}
	}
	return c.Findings, nil
}

// mayDump finds what the login lacks for a whole dump with its coordinates: the tools
// leave out what they may not see.
func (c *seedCheck) mayDump() {
	f := c.seed.MasterFacts
	var missing []string
	for _, any := range [][]string{
		{"SELECT"},
		{"SHOW VIEW"},
		{"TRIGGER"},
		{"EVENT"},
		{"RELOAD"},
		{"PROCESS"},
		{"REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"},
	} {
		if !f.HasPrivilege(any...) {
			missing = append(missing, any[0])
		}
	}
	if len(missing) > 0 {
		c.Problem(finding.Master, "privileges", "log in as an administrator: --user, --password-file",
			"%s lacks privileges: %s", f.User, finding.List(missing))
		return
	}
	if !f.HasBinaryLog() {
		c.Problem(finding.Master, "no-binary-log", "gtunnel replication setup-master", "its binary log is off")
	}
}

// Warn notes in the head what was found when the dump is made.
func (h *DumpHead) Warn(warnings []*finding.Problem) {
	for _, w := range warnings {
		if ofMaking[w.Code] {
			continue
		}
		h.Warnings = append(h.Warnings, dumpWarning{On: w.On, Code: w.Code, Text: w.Whole(), Cure: w.Cure})
	}
}

// ofMaking are warnings of what is over once the dump is made.
var ofMaking = map[string]bool{"lock-tables": true, "wait-timeout": true}

// NewDumpHead is what is known of a dump before it is made.
func (s *Seed) NewDumpHead(host, program string) DumpHead {
	f := s.MasterFacts
	return DumpHead{
		Program: program, Begun: time.Now().UTC().Truncate(time.Second), Host: host,
		Family: f.Version.Family, Version: f.Version.String(), ServerID: max(f.ServerID(), 1), UUID: f.UUID(), Mark: f.Mark,
		Databases: s.Databases,
	}
}
