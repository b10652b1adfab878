package seed

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// aside is a dump that is kept in memory until it is its turn.
type aside struct {
	dump *process
	file *os.File
}

// startAsides starts the dumps of what is loaded before and after the tables. One that
// fails ends the run.
func (r *parallelRun) startAsides(ctx context.Context) error {
	for i, p := range []*part{r.first, r.last} {
		fd, err := unix.MemfdCreate("gtunnel-dump", unix.MFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("make a file in memory: %w", err)
		}
		file := os.NewFile(uintptr(fd), "a dump in memory")
		r.ends = append(r.ends, func() { closeFiles(file) })
		duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("make a file in memory: %w", err)
		}
		dump, err := r.start(ctx, p, false, os.NewFile(uintptr(duplicate), "a dump in memory"))
		if err != nil {
			return err
		}
		r.watchHang(ctx, dump, r.Master, nil)
		r.ends = append(r.ends, afterEnd(dump, func() { r.cancel(dump.failure(finding.Master)) }))
		r.asides[i] = aside{dump: dump, file: file}
	}
	return nil
}

// loadAside loads such a dump.
func (r *parallelRun) loadAside(ctx context.Context, a aside) error {
	if err := a.dump.failure(finding.Master); err != nil {
		return err
	}
	if _, err := a.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	stream := r.newStream(a.file)
	_, head, _, err := stream.readHead()
	if err != nil {
		return err
	}
	own := *r.copying
	own.meter = newMeter(nil)
	stream.meter = own.meter
	return own.load(ctx, stream, head, nil)
}
