package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// starter starts every process from one thread that lives as long as itself:
// the kernel ends a process with its death signal when the thread that started
// it ends, so that nothing outlives the bench, however that ends.
type starter struct {
	requests chan func()
	done     chan struct{}
}

func newStarter() *starter {
	s := &starter{requests: make(chan func()), done: make(chan struct{})}
	go s.serve()
	return s
}

// do runs a function in that thread.
func (s *starter) do(run func() error) error {
	done := make(chan error)
	s.requests <- func() { done <- run() }
	return <-done
}

func (s *starter) serve() {
	defer close(s.done)
	runtime.LockOSThread() // and never unlock: the thread ends with this goroutine
	if unix.Gettid() == os.Getpid() {
		// It would not end, and its network is what /proc shows as that of the process.
		defer runtime.UnlockOSThread()
		other := &starter{requests: s.requests, done: make(chan struct{})}
		go other.serve() // not in this thread, which is this goroutine's
		<-other.done
		return
	}
	for request := range s.requests {
		request()
	}
}

// close ends the thread, and with it whatever it started and nobody stopped.
func (s *starter) close() {
	close(s.requests)
	<-s.done
}

// process is a running program with all that it started: they share a process
// group of their own.
type process struct {
	name   string
	pid    int
	output string        // file with what it printed
	done   chan struct{} // closed when the program itself has ended
}

// start runs a command line. What it prints goes to the file output.
func (s *starter) start(name, output string, death syscall.Signal, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the output of %s: %w", name, err)
	}
	defer log.Close()                     //nolint:errcheck // the process has its own
	cmd := exec.Command(program, args...) //nolint:noctx // stop ends the whole group
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(output)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
	if err := s.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, pid: cmd.Process.Pid, output: output, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended does not matter: its output says why
		close(p.done)
	}()
	return p, nil
}

// failed makes an error with the end of what the process printed.
func (p *process) failed(what string) error {
	text, _ := os.ReadFile(p.output)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%s: %s; it printed: %s", p.name, what, strings.Join(lines[max(0, len(lines)-5):], " | "))
}

// stop ends the process and what it started, and waits for that.
func (p *process) stop() error {
	if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	<-p.done
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		left, err := p.group()
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s left processes behind: %v", p.name, left)
		}
	}
}

// group lists the live members of the process group.
func (p *process) group() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := readStat(pid)
		if err == nil && stat.group == p.pid && stat.state != 'Z' && stat.state != 'X' {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// processStat is what /proc/PID/stat says, as far as it matters here.
type processStat struct {
	state    byte
	group    int
	children time.Duration // CPU time of the children that ended
}

func readStat(pid int) (processStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, err
	}
	return parseStat(string(text))
}

// tick is the unit of times in /proc/PID/stat: Linux shows user space 100 a
// second on every architecture.
const tick = time.Second / 100

// parseStat reads the line of proc(5). The name of the command, in
// parentheses, may hold anything.
func parseStat(line string) (processStat, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 || len(fields[0]) != 1 {
		return processStat{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return processStat{}, fmt.Errorf("the process group in /proc/PID/stat: %w", err)
	}
	s := processStat{state: fields[0][0], group: group}
	for _, field := range fields[13:15] { // cutime and cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return processStat{}, fmt.Errorf("a time in /proc/PID/stat: %w", err)
		}
		s.children += time.Duration(n) * tick
	}
	return s, nil
}

// cpu is the CPU time that the process and all that it started have used.
func (p *process) cpu() (time.Duration, error) {
	pids, err := p.group()
	if err != nil {
		return 0, err
	}
	if len(pids) == 0 {
		return 0, p.failed("ended")
	}
	var sum time.Duration
	for _, pid := range pids {
		// The CPU clock of another process counts nanoseconds and includes
		// its threads that ended; its number is made as clock_getcpuclockid(3)
		// makes it, with the bits for "scheduler time of the whole process".
		var now unix.Timespec
		clock := int32(^pid)<<3 | 2 //nolint:gosec // process numbers have 22 bits
		if err := unix.ClockGettime(clock, &now); err != nil {
			return 0, fmt.Errorf("CPU time of %s: %w", p.name, err)
		}
		stat, err := readStat(pid)
		if err != nil {
			return 0, fmt.Errorf("CPU time of %s: %w", p.name, err)
		}
		sum += time.Duration(now.Nano()) + stat.children
	}
	return sum, nil
}

// memory is the proportional set size of the process and all that it started,
// in bytes: what they share counts once.
func (p *process) memory() (int64, error) {
	pids, err := p.group()
	if err != nil {
		return 0, err
	}
	if len(pids) == 0 {
		return 0, p.failed("ended")
	}
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, fmt.Errorf("memory of %s: %w", p.name, err)
		}
		pss, err := parsePss(text)
		if err != nil {
			return 0, fmt.Errorf("memory of %s: %w", p.name, err)
		}
		sum += pss
	}
	return sum, nil
}

// parsePss finds the line "Pss: 12 kB" of /proc/PID/smaps_rollup.
func parsePss(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 3 && fields[0] == "Pss:" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("the Pss in smaps_rollup: %w", err)
			}
			return kb * 1024, nil
		}
	}
	return 0, errors.New("smaps_rollup has no Pss")
}

// loaded is the size of the files that the process runs: the program and its
// shared libraries.
func (p *process) loaded() (int64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		return 0, fmt.Errorf("what %s has loaded: %w", p.name, err)
	}
	var sum int64
	seen := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.Contains(fields[1], "x") || !strings.HasPrefix(fields[5], "/") || seen[fields[5]] {
			continue
		}
		seen[fields[5]] = true
		info, err := os.Stat(fields[5])
		if err != nil {
			return 0, fmt.Errorf("what %s has loaded: %w", p.name, err)
		}
		sum += info.Size()
	}
	return sum, nil
}

// isListening reports whether a port is open by the table in /proc/net/tcp,
// without connecting to it. It reads no further than the listening sockets,
// which come before the thousands that may follow.
func isListening(table io.Reader, port int) (bool, error) {
	want := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(table)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 {
			return false, fmt.Errorf("not a line of /proc/net/tcp: %q", lines.Text())
		}
		if fields[3] != "0A" {
			return false, nil
		}
		if strings.HasSuffix(fields[1], want) {
			return true, nil
		}
	}
	return false, lines.Err()
}
