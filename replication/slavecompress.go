package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Compression is whether what the slave gets from its master is compressed on its way.
type Compression string

// What is wanted.
const (
	CompressAuto Compression = "auto" // if the line is measured to be slow; what was decided stays
	CompressOn   Compression = "on"
	CompressOff  Compression = "off"
)

const (
	// slowLine is what a line carries at most, in bits a second, for which compression pays:
	// beyond, one core of the master's that compresses by zlib would be slower than the line.
	slowLine = 100e6
	// worthMeasuring is how many bytes are copied at least for the line to be measured.
	worthMeasuring = 8 << 20
)

// begins reports whether a slave begins, as far as that is known without the servers.
func (s *Setup) begins() bool { return s.State.Stage != journal.StageDone || s.Want.Reseed }

// readLineEarly begins to measure the line, within another context, while the servers are
// read, where a slave begins and the files of the databases are worth it. readLine takes what
// comes of it.
func (s *Setup) readLineEarly(ctx, within context.Context) {
	if !s.begins() || s.Want.Compress != CompressAuto || s.Want.MaxRate > 0 || s.Want.Method == journal.SeedNone {
		return
	}
	bytes, err := facts.FileBytes(ctx, s.Master, s.Want.Databases)
	if s.small = err == nil && bytes < worthMeasuring; err == nil && !s.small {
		s.early.Go(func() {
			s.earlyLine, _ = facts.MeasureLine(within, s.Master, slowLine) // what is wrong with the line others say
			s.Master.Warm(within, 2)                                       // for the copy, which asks by two sessions at once
		})
	}
}

// readLine measures the line for a copy that is worth it, unless that was done.
func (s *Setup) readLine(ctx context.Context) {
	s.early.Wait()
	if s.Line = s.earlyLine; s.Line.Bits > 0 || s.Want.Compress != CompressAuto || s.Want.MaxRate > 0 {
		return
	}
	if sizeOf(s.MasterFacts, s.Want.Databases) < worthMeasuring { // or so the server believes
		if !s.small {
			bytes, err := facts.FileBytes(ctx, s.Master, s.Want.Databases)
			s.small = err == nil && bytes < worthMeasuring // what cannot be seen may be large
		}
		if s.small {
			return
		}
	}
	s.Line, _ = facts.MeasureLine(ctx, s.Master, slowLine) // what is wrong with the line others say
}

// readAlgorithms reads how a slave compresses what it gets, if that is to become another way.
func (s *Setup) readAlgorithms(ctx context.Context) (err error) {
	if s.Want.Compress == CompressOn || s.Want.Compress == CompressOff {
		s.Algorithms, err = s.Slave.Algorithms(ctx, s.Slave.DB)
	}
	return err
}

// sizeOf is the size of databases in bytes, by the server's estimate.
func sizeOf(f *facts.Facts, databases []string) (bytes uint64) {
	for _, name := range databases {
		if d := f.Database(name); d != nil {
			bytes += d.Bytes
		}
	}
	return bytes
}

// compresses reports whether what a slave gets that begins is to be compressed, and why.
func (s *slavePlan) compresses() (compressed bool, why string) {
	const bits = 8
	limit := facts.Line{Bits: s.want.MaxRate * bits}
	switch line := s.Line; {
	case s.want.Compress == CompressOn:
		return true, "--compress=on"
	case s.want.Compress != CompressAuto:
		return false, ""
	case s.want.MaxRate > 0 && limit.Bits < slowLine:
		return true, "--max-rate lets " + limit.String() + " pass"
	case line.Bits == 0:
		return false, ""
	case line.Bits < slowLine && !line.Grows:
		return true, "the line carries " + line.String()
	default:
		return false, "the line carries " + line.String()
	}
}

// compressionSetting adds the variable by which a slave compresses. A slave that follows is
// left as it is, unless somebody says so.
func (s *slavePlan) compressionSetting() []wantedSetting {
	name := server.CompressionVariable
	if s.slave.Version.CompressesBySource() || s.slave.VariableName(name) == "" {
		return nil
	}
	on, why := s.compresses()
	begins := s.connects(s.needsSeed())
	if on && (s.want.Compress == CompressOn || begins) {
		return []wantedSetting{{
			name: name, value: "ON", literal: "1", ok: s.slave.On(name), always: true,
			why: "what the slave gets is compressed on its way, from its next connection on: " + why,
		}}
	}
	if s.want.Compress == CompressOff || begins && why != "" && s.DropIn.Has(name) {
		return []wantedSetting{{
			name: name, value: "OFF", literal: "0", ok: !s.slave.On(name), why: "what the slave gets is not compressed",
		}}
	}
	return nil
}

// algorithms are those of the compression of a slave that begins; empty: as they are.
func (s *slavePlan) algorithms() string {
	if on, _ := s.compresses(); on {
		return server.Compressed
	} else if s.want.Compress == "" {
		return ""
	}
	return server.Uncompressed
}

// otherAlgorithms are those that a slave which follows is to have from now on; empty: it has
// them.
func (s *slavePlan) otherAlgorithms() string {
	if s.want.Compress != CompressOn && s.want.Compress != CompressOff || s.Algorithms == "" ||
		s.Algorithms == s.algorithms() {
		return ""
	}
	return s.algorithms()
}
