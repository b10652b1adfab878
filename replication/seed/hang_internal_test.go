package seed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestAllWait reads the threads of processes as the kernel shows them.
func TestAllWait(t *testing.T) {
	for about, test := range map[string]struct {
		threads []string
		want    bool
	}{
		"all in a futex":          {[]string{"futex_do_wait", "futex_wait_queue_me"}, true},
		"one reads from a server": {[]string{"futex_do_wait", "poll_schedule_timeout.constprop.0"}, false},
		"one computes":            {[]string{"futex_do_wait", "0"}, false},
		"the kernel does not say": {[]string{"", ""}, false},
		"it has ended":            {nil, false},
	} {
		threads := t.TempDir()
		for i, where := range test.threads {
			folder := filepath.Join(threads, strconv.Itoa(i))
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "wchan"), []byte(where), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := allWait(threads); got != test.want {
			t.Errorf("%s: %v, want %v", about, got, test.want)
		}
	}
	if allWait(filepath.Join(t.TempDir(), "none")) {
		t.Error("a process that is gone waits")
	}
}

// TestWatchHangLeavesOthers: a tool from which nothing is due is not stopped, however
// long it waits.
func TestWatchHangLeavesOthers(t *testing.T) {
	p := &process{ended: make(chan struct{}), cmd: exec.CommandContext(t.Context(), "sleep", "0.5")}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &Seed{hangPatience: 60 * time.Millisecond}
	s.watchHang(t.Context(), p, nil, func() bool { return false })
	p.wait()
	if p.err != nil || p.hung.Load() != nil {
		t.Errorf("it ended with %v, hung: %v", p.err, p.hung.Load())
	}
}

// TestGroupTicks: what a process and its children compute is seen, of its own group
// alone.
func TestGroupTicks(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c 'while :; do :; done'")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
	}()
	for begun := time.Now(); groupTicks(cmd.Process.Pid) < silentTicks; {
		if time.Since(begun) > time.Minute {
			t.Fatal("it computes nothing")
		}
	}
	if ticks := groupTicks(1 << 30); ticks != 0 {
		t.Errorf("nobody has computed for %d", ticks)
	}
}
