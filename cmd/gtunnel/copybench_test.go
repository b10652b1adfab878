package main_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// copyBytes is how much BenchmarkCopy copies.
var copyBytes = flag.Int64("copy-bytes", 1e9,
	"how many `bytes` BenchmarkCopy copies; 20000000 shows in a minute that it runs")

// BenchmarkCopy copies a gigabyte (or, after -args, -copy-bytes) from a master to its
// slave, by setup-slave and by the bare tools, in three rounds and through the
// same tunnel, while a program writes on the master, and then compares both
// ends:
//
//	go test -run '^$' -bench Copy -benchtime 1x -timeout 60m ./cmd/gtunnel
//
// It reports medians: the ratio of both times; gtunnel's memory (its peak) and
// its share of all the CPU time of the copy; the longest write of the program
// meanwhile, and beside the bare tools; the rate and memory of the comparison
// of a slave that has caught up; and the time of status.
func BenchmarkCopy(b *testing.B) {
	for _, c := range []struct {
		kind   servertest.Kind
		method string
	}{
		{servertest.MariaDB, "dump"},
		{servertest.MariaDB, "parallel"},
		{servertest.MariaDB118, "dump"},
		{servertest.MySQL97, "dump"},
		{servertest.MySQL97, "parallel"},
		{servertest.MariaDB, "mydumper"},
	} {
		b.Run(string(c.kind)+"_"+c.method, func(b *testing.B) { benchmarkCopy(b, c.kind, c.method) })
	}
}

func benchmarkCopy(b *testing.B, kind servertest.Kind, method string) {
	b.Helper()
	p := newPair(b, kind, kind, "CREATE USER bare@'127.0.0.1' IDENTIFIED BY 'bare'",
		"GRANT ALL PRIVILEGES ON *.* TO bare@'127.0.0.1'")
	for _, server := range []*servertest.Server{p.master, p.slave} { // as a site has them: those of tests are very small
		redoLog := "innodb_log_file_size"
		if kind.IsMySQL() {
			redoLog = "innodb_redo_log_capacity"
		}
		p.sql(server, "SET GLOBAL innodb_buffer_pool_size=2147483648", "SET GLOBAL "+redoLog+"=1073741824")
	}
	if err := servertest.Bulk(b.Context(), p.master.DB, "bulk", *copyBytes); err != nil {
		b.Fatal(err)
	}
	p.sql(p.master, "CREATE TABLE bulk.written (id INT PRIMARY KEY, n INT)", "INSERT INTO bulk.written VALUES (1, 0)")
	p.must(p.master, p.setupMasterArgs("--databases", "bulk")...)
	var bare, ours, ratio, memory, share, stall, bareStall, rate, compareMemory, status []float64
	const rounds = 3
	for i := range rounds * b.N {
		p.clearSlave()
		tools := p.bareCopy(method)
		p.clearSlave()
		if i > 0 {
			p.must(p.master, p.setupMasterArgs("--databases", "bulk", "--seed-again")...)
		}
		copied := p.ownCopy(method)
		bare, ours = append(bare, tools.time.Seconds()), append(ours, copied.time.Seconds())
		ratio = append(ratio, copied.time.Seconds()/tools.time.Seconds())
		memory, share = append(memory, copied.memory), append(share, copied.share)
		stall, bareStall = append(stall, copied.stall.Seconds()*1e3), append(bareStall, tools.stall.Seconds()*1e3)
		p.waitSlave("SELECT n FROM bulk.written")
		compared := p.timed(p.compareArgs())
		rate, compareMemory = append(rate, p.bulkBytes()/1e6/compared.time.Seconds()), append(compareMemory, compared.memory)
		status = append(status, p.timed(p.statusArgs()).time.Seconds()*1e3)
	}
	for unit, values := range map[string][]float64{
		"bare-s": bare, "own-s": ours, "own/bare": ratio, "own-MB": memory, "own-CPU-%": share, "stall-ms": stall,
		"bare-stall-ms": bareStall,
		"compare-MB/s":  rate, "compare-MB": compareMemory, "status-ms": status,
	} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// copyCost is what a copy has cost.
type copyCost struct {
	time   time.Duration
	memory float64       // MB, the peak of gtunnel alone
	share  float64       // percent of all CPU time that gtunnel itself took
	stall  time.Duration // the longest write meanwhile
}

// clearSlave makes the slave an empty server that is nobody's slave.
func (p *pair) clearSlave() {
	p.t.Helper()
	p.sql(p.slave, "SET GLOBAL read_only=OFF")
	if p.slave.Kind.IsMySQL() {
		p.sql(p.slave, "STOP REPLICA", "RESET REPLICA ALL", "DROP DATABASE IF EXISTS bulk", "RESET BINARY LOGS AND GTIDS")
	} else {
		p.sql(p.slave, "STOP SLAVE", "RESET SLAVE ALL", "DROP DATABASE IF EXISTS bulk", "RESET MASTER",
			"SET GLOBAL gtid_slave_pos=''")
	}
}

// bareCopy copies as an administrator would without gtunnel, through the
// tunnel: by a pipe of the servers' tools, or by mydumper and myloader.
func (p *pair) bareCopy(method string) copyCost {
	p.t.Helper()
	host, port, _ := strings.Cut(p.end, ":")
	from, to := filepath.Join(p.folder, "from.cnf"), filepath.Join(p.folder, "to.cnf")
	login := fmt.Sprintf("[client]\nhost=%s\nport=%s\nuser=bare\npassword=bare\n", host, port)
	for path, text := range map[string]string{
		from: login, to: fmt.Sprintf("[client]\nsocket=%s\nuser=%s\n", p.slave.Socket, p.slave.User),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	const same = "--quick --hex-blob --single-transaction --routines --events --triggers --databases bulk"
	line := "mariadb-dump --defaults-file=" + from + " --master-data=2 " + same + " | mariadb --defaults-file=" + to +
		" --binary-mode --init-command='SET SESSION sql_log_bin=0'"
	switch {
	case method == "mydumper":
		folder := filepath.Join(p.folder, "bare")
		line = "mydumper --defaults-file=" + from + " --outputdir=" + folder +
			" --database=bulk --threads=2 --trx-consistency-only && " +
			"myloader --defaults-file=" + to + " --directory=" + folder + " --threads=2; e=$?; rm -r " + folder + "; exit $e"
	case p.slave.Kind.IsMySQL():
		line = "mysqldump --defaults-file=" + from + " --get-server-public-key --source-data=2 --set-gtid-purged=COMMENTED " +
			same + " | mysql --defaults-file=" + to + " --binary-mode --init-command='SET SESSION sql_log_bin=0'"
	}
	cmd := exec.CommandContext(p.t.Context(), "bash", "-o", "pipefail", "-c", line)
	cmd.Env = []string{"PATH=" + p.slave.Kind.Path(), "HOME=" + p.folder, "TMPDIR=" + p.folder}
	stopWriting := p.keepUpdating()
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return copyCost{time: time.Since(begun), stall: stopWriting()}
}

// ownCopy copies by setup-slave.
func (p *pair) ownCopy(method string) (cost copyCost) {
	p.t.Helper()
	cmd := p.command(p.slave, p.setupSlaveArgs("--skip-compare", "--method", method)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var failed strings.Builder
	cmd.Stderr = &failed
	others := []int{p.master.PID(), p.slave.PID(), p.server.cmd.Process.Pid, p.client.cmd.Process.Pid}
	before := cpuOf(others...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	watch := watchProcess(cmd.Process.Pid)
	stopWriting := p.keepUpdating()
	var begun time.Time
	lines := bufio.NewScanner(out)
	for lines.Scan() { // of the steps, at last: "9. slave: copy bulk, ..."
		switch {
		case strings.Contains(lines.Text(), "slave: copy"):
			begun, cost.time = time.Now(), 0
		case !begun.IsZero() && cost.time == 0:
			cost.time = time.Since(begun)
		}
	}
	own, peak := watch()
	err = cmd.Wait()
	cost.stall = stopWriting()
	if err != nil || cost.time == 0 {
		p.t.Fatalf("setup-slave: %v\n%s", err, failed.String())
	}
	all := cpuOf(others...) - before + (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	cost.memory, cost.share = peak, 100*own/all
	return cost
}

// keepUpdating updates a row on the master about each millisecond until it is
// stopped, which gives the longest time that this has taken.
func (p *pair) keepUpdating() (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(p.t.Context())
	longest := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		defer func() { longest <- most }()
		for ctx.Err() == nil {
			begun := time.Now()
			if _, err := p.master.DB.ExecContext(p.t.Context(), "UPDATE bulk.written SET n = n + 1"); err != nil {
				p.t.Error(err)
				return
			}
			most = max(most, time.Since(begun))
			time.Sleep(time.Millisecond)
		}
	}()
	return func() time.Duration {
		cancel()
		return <-longest
	}
}

// timed runs gtunnel on the slave.
func (p *pair) timed(args []string) (cost copyCost) {
	p.t.Helper()
	cmd := p.command(p.slave, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	watch := watchProcess(cmd.Process.Pid)
	err := cmd.Wait()
	cost.time = time.Since(begun)
	if _, cost.memory = watch(); err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return cost
}

// bulkBytes is how much data the tables have.
func (p *pair) bulkBytes() float64 {
	p.t.Helper()
	// MySQL keeps its figures for a day
	p.sql(p.master, "ANALYZE LOCAL TABLE bulk.sbtest1, bulk.sbtest2, bulk.sbtest3, bulk.sbtest4")
	n, err := strconv.ParseFloat(p.value(p.master,
		"SELECT SUM(data_length) FROM information_schema.tables WHERE table_schema = 'bulk'"), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// watchProcess looks at a process until the function that it gives is called,
// which says how many seconds of CPU it took, without its children, and how
// many megabytes at its peak.
func watchProcess(pid int) func() (cpu, peak float64) {
	var cpu, peak float64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			cpu, peak = max(cpu, cpuOf(pid)), max(peak, peakOf(pid))
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	return func() (float64, float64) {
		close(end)
		<-ended
		return cpu, peak
	}
}

// cpuOf is the CPU time of processes so far, in seconds, without that of their
// children; 0 for those that have ended (proc(5): utime and stime, in
// hundredths).
func cpuOf(pids ...int) (seconds float64) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 12 {
			user, _ := strconv.ParseFloat(fields[11], 64)
			system, _ := strconv.ParseFloat(fields[12], 64)
			seconds += (user + system) / 100
		}
	}
	return seconds
}

// peakOf is the most memory that a process has had, in megabytes; 0 if it has
// ended (proc(5): VmHWM).
func peakOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	if fields := strings.Fields(after); len(fields) > 0 {
		n, _ := strconv.ParseFloat(fields[0], 64)
		return n * 1024 / 1e6
	}
	return 0
}
