package seed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// TestWatchHangLeavesOthers: a tool that waits for something else than itself
// is not stopped, however long it does.
func TestWatchHangLeavesOthers(t *testing.T) {
	p := &process{ended: make(chan struct{}), cmd: exec.CommandContext(t.Context(), "sleep", "0.5")}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := p.watchHang(60 * time.Millisecond)
	p.wait()
	if p.err != nil || hung.Load() {
		t.Errorf("it ended with %v, hung: %v", p.err, hung.Load())
	}
}
