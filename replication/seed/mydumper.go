package seed

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

var (
	mydumperTool = toolKind{names: []string{"mydumper"}, debian: "mydumper", el: "mydumper (of its own project)"}
	myloaderTool = toolKind{names: []string{"myloader"}, debian: "mydumper", el: "mydumper (of its own project)"}
)

// mydumperRun is one copy by mydumper. The rows go by mydumper and myloader, several tables at a time, through a
// folder on the slave. All else goes by the server's own dump tool, in files of
// the same folder: mydumper forgets the sql_mode and the time zone of routines
// and events. The schema is dumped before the rows, and once more after them: no lock
// keeps it as it is meanwhile. Triggers are made last, so that they do not fire.
type mydumperRun struct {
	*copying
	mydumper, myloader *tool
	folder             string
}

// mydumper seeds by mydumper and myloader.
func (s *Seed) mydumper(ctx context.Context, c *copying) (server.Position, error) {
	r := &mydumperRun{copying: c}
	var err error
	if r.mydumper, err = findTool(ctx, mydumperTool); err != nil {
		return server.Position{}, err
	}
	if r.myloader, err = findTool(ctx, myloaderTool); err != nil {
		return server.Position{}, err
	}
	r.mydumper.session = "SET SESSION sql_mode=''" // by which it quotes, and pads
	r.myloader.session = "SET SESSION foreign_key_checks=0"
	if s.SlaveFacts.On(checkConstraints) {
		r.myloader.session += ", " + checkConstraints + "=0"
	}
	if err := s.probeMydumper(ctx, r.mydumper); err != nil {
		return server.Position{}, err
	}
	folder, remove, err := newSeedFolder("gtunnel-seed-*")
	if err != nil {
		return server.Position{}, err
	}
	defer remove()
	r.folder = folder
	if p := s.roomFor(r.folder); p != nil {
		return server.Position{}, p
	}
	position, err := r.retryBegin(ctx, func() (server.Position, error) { return r.dumpRows(ctx) })
	if err != nil {
		return server.Position{}, err
	}
	if position, err = r.started(ctx, position); err != nil {
		return server.Position{}, err
	}
	r.meter.enter(PhaseLoad)
	for _, load := range []func(context.Context) error{r.loadSchema, r.loadRows, r.loadTriggers} {
		if err := load(ctx); err != nil {
			return server.Position{}, err
		}
	}
	return position, nil
}

// roomFor reports whether a folder's file system has room for the copy, which first
// removes what copies have left that were killed.
func (s *Seed) roomFor(folder string) *finding.Problem {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return &finding.Problem{
			On: finding.Slave, Code: "no-room", Text: "cannot ask for the free space of " + folder, Err: err,
		}
	}
	free, needed := stat.Bavail*uint64(stat.Bsize)+abandonedBytes(), s.extent().bytes //nolint:gosec // a block has a size
	if free > needed+needed/4 {
		return nil
	}
	return finding.New(finding.Slave, "no-room",
		"set TMPDIR to a folder with more room, or use the method dump, which needs none",
		"%s has %s free, and the copy needs about %s there",
		folder, finding.FormatBytes(free), finding.FormatBytes(needed+needed/4))
}

// path is a file or folder in the folder of the copy.
func (r *mydumperRun) path(name string) string { return filepath.Join(r.folder, name) }

// dumpRows dumps the schema and the rows, and gives the coordinates.
func (r *mydumperRun) dumpRows(ctx context.Context) (server.Position, error) {
	r.meter.enter(PhaseCopy)
	if err := r.guard.holdTables(ctx); err != nil {
		return server.Position{}, err
	}
	before, err := r.dumpSchema(ctx, "")
	if err != nil {
		return server.Position{}, err
	}
	rows := r.path("rows")
	if err := os.RemoveAll(rows); err != nil { // of an attempt before
		return server.Position{}, err
	}
	args := []string{
		"--outputdir=" + rows, "--no-schemas", "--no-views", "--regex=" + onlyDatabases(r.databases()),
		"--threads=" + strconv.Itoa(copyThreads()), "--long-query-guard=" + strconv.Itoa(int(longStatement.Seconds())),
	}
	if !r.LockTables && r.mydumper.knows("trx-consistency-only") != "" {
		args = append(args, "--trx-consistency-only") // the lock ends as soon as all threads see the same
	}
	if r.mydumper.knows("complete-insert") != "" {
		args = append(args, "--complete-insert")
	}
	args = append(args, r.compression(r.mydumper)...)
	watch, err := r.guard.watchLock(ctx, !r.LockTables)
	if err != nil {
		return server.Position{}, err
	}
	defer watch.stop()
	end := r.countFolder(ctx, rows)
	err = r.runTool(ctx, r.mydumper, r.Master, args)
	end()
	if watch.stop() {
		return server.Position{}, r.lockWaited()
	}
	after, schemaErr := r.dumpSchema(ctx, "after-")
	switch {
	case schemaErr == nil && after != before: // which may be why the tool has failed
		return server.Position{}, finding.New(finding.Master, schemaChanged,
			"run this again while no table, view, routine, trigger or event is changed; or use the method dump",
			"what is in the databases was changed while the rows were copied, which may be of before or after that")
	case err != nil:
		return server.Position{}, err
	case schemaErr != nil:
		return server.Position{}, schemaErr
	}
	return readMetadata(rows)
}

// copyThreads is how many tables are copied at a time.
func copyThreads() int { return min(max(runtime.NumCPU(), 2), 8) }

// onlyDatabases is a pattern (PCRE) for all tables of databases.
func onlyDatabases(databases []string) string {
	quoted := make([]string, len(databases))
	for i, name := range databases {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return `^(` + strings.Join(quoted, "|") + `)\.`
}

// runTool runs a tool to its end, by a server's login.
func (r *mydumperRun) runTool(ctx context.Context, t *tool, end *server.Server, args []string) error {
	p, err := startTool(t, r.login(end), args, nil, nil)
	if err != nil {
		return err
	}
	defer p.stop()
	defer context.AfterFunc(ctx, p.stop)()
	r.watchHang(ctx, p, end, nil)
	err = p.failure(end.Role)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// countFolder follows how much is in a folder. What it returns ends that.
func (r *mydumperRun) countFolder(ctx context.Context, folder string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			r.meter.bytes.Store(folderBytes(folder))
			if server.Pause(ctx, progressEvery) != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		r.meter.bytes.Store(folderBytes(folder))
	}
}

// folderBytes is the size of all files in a folder. Those that come and go
// meanwhile do not matter.
func folderBytes(folder string) uint64 {
	var sum uint64
	files, _ := os.ReadDir(folder)
	for _, file := range files {
		if info, err := file.Info(); err == nil {
			sum += uint64(info.Size()) //nolint:gosec // a file has a size
		}
	}
	return sum
}

var (
	metadataFile   = regexp.MustCompile(`(?m)^\s*(?:Log: |File\s*=\s*|SOURCE_LOG_FILE\s*=\s*)"?([^"\s]+)"?\s*$`)
	metadataOffset = regexp.MustCompile(`(?m)^\s*(?:Pos: |Position\s*=\s*|SOURCE_LOG_POS\s*=\s*)"?(\d+)"?\s*$`)
	metadataGTID   = regexp.MustCompile(`(?m)^\s*(?:GTID: ?|Executed_Gtid_Set\s*=\s*)` +
		`"?((?:,\s*\n\s*|[0-9a-zA-Z_:, -])*)"?\s*$`)
	metadataSlave = regexp.MustCompile(`(?m)^(?:SHOW SLAVE STATUS|\[replication|\[slave)`)
)

// readMetadata reads mydumper's coordinates; none if it has not written any.
func readMetadata(folder string) (server.Position, error) {
	text, err := os.ReadFile(filepath.Join(folder, "metadata"))
	if errors.Is(err, fs.ErrNotExist) {
		return server.Position{}, finding.New(finding.Master, "dump-cut", "run this again",
			"mydumper has left no metadata: its dump is not whole")
	}
	if err != nil {
		return server.Position{}, err
	}
	if at := metadataSlave.FindIndex(text); at != nil { // what the master itself follows
		text = text[:at[0]]
	}
	var p server.Position
	if found := metadataFile.FindSubmatch(text); found != nil {
		p.File = string(found[1])
	}
	if found := metadataOffset.FindSubmatch(text); found != nil {
		p.Offset, _ = strconv.ParseUint(string(found[1]), 10, 64) // digits; 0 if they are too many
	}
	if found := metadataGTID.FindSubmatch(text); found != nil {
		p.GTID = strings.Join(strings.Fields(string(found[1])), "")
	}
	return p, nil
}

// probeMydumper makes mydumper dump nothing, without a lock, to see whether it
// can tell coordinates of this master: some versions leave them out and say
// nothing, hours later.
func (s *Seed) probeMydumper(ctx context.Context, mydumper *tool) error {
	folder, remove, err := newSeedFolder("gtunnel-probe-*")
	if err != nil {
		return err
	}
	defer remove()
	rows := filepath.Join(folder, "rows")
	r := &mydumperRun{copying: &copying{Seed: s}}
	args := []string{"--outputdir=" + rows, "--no-schemas", "--no-data", "--no-locks", "--regex=^$", "--threads=1"}
	_, err = r.retryBegin(ctx, func() (server.Position, error) {
		if err := os.RemoveAll(rows); err != nil { // of an attempt before
			return server.Position{}, err
		}
		return server.Position{}, r.runTool(ctx, mydumper, s.Master, args)
	})
	if err != nil {
		return err
	}
	p, err := readMetadata(rows)
	if err == nil && (p.IsZero() || s.Master.Version.Family == server.MySQL && s.MasterFacts.GTIDs() && p.GTID == "") {
		err = finding.New(finding.Master, "no-coordinates",
			"use the method dump, or a newer mydumper: MySQL 8.2 and later want 0.16",
			"mydumper %d.%d.%d does not tell where the binary log of %s stands",
			mydumper.version.Major, mydumper.version.Minor, mydumper.version.Patch, s.Master.Version)
	}
	return err
}

// loadRows loads what mydumper has dumped. myloader logs nothing to the binary
// log, unless told to.
func (r *mydumperRun) loadRows(ctx context.Context) error {
	if err := takeAnyDate(r.path("rows")); err != nil {
		return err
	}
	return r.runTool(ctx, r.myloader, r.Slave, []string{
		"--directory=" + r.path("rows"), "--threads=" + strconv.Itoa(copyThreads()),
	})
}

// mydumper finds what keeps mydumper from copying.
func (c *seedCheck) mydumper(ctx context.Context) error {
	s := c.seed
	if s.Method != journal.SeedMydumper {
		return nil
	}
	if len(s.Tables) > 0 {
		c.Problem("", "seed-method", "use the method dump", "mydumper copies whole databases only")
	}
	for _, name := range s.databases() {
		if strings.ContainsRune(name, '`') {
			c.Problem(finding.Master, "seed-method", "use the method dump", "mydumper stumbles over the name %s", name)
		}
	}
	binary, err := c.seed.Master.Query(ctx, s.Master.DB,
		"SELECT CONCAT(table_schema, '.', table_name, '.', column_name) AS c FROM information_schema.columns"+
			" WHERE data_type IN ('uuid', 'inet4', 'inet6') AND table_schema IN ("+server.QuoteExactly(s.databases())+
			") ORDER BY 1")
	if err != nil {
		return err
	}
	if len(binary) > 0 {
		names := make([]string, len(binary))
		for i, r := range binary {
			names[i] = r["c"]
		}
		c.Problem(finding.Master, "seed-method", "use the method dump",
			"mydumper loses the values of UUID and INET columns, whose text it calls bytes: %s", finding.Items(names))
	}
	c.Warn(finding.Slave, "needs-room", "", "mydumper writes the rows, about %s, to files below %s first",
		finding.FormatBytes(s.extent().bytes), seedParent())
	if p := s.roomFor(seedParent()); p != nil {
		c.Problems = append(c.Problems, p)
	}
	mydumper, err := findTool(ctx, mydumperTool)
	if err != nil {
		return ctx.Err() // tools has said so
	}
	return c.take(s.probeMydumper(ctx, mydumper))
}
