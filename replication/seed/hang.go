package seed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// hangTime is how long all threads of a tool may wait for one another before
// it is stopped. One that works reads from a server or writes a file: the
// others wait for that one then.
const hangTime = time.Minute

// toolHangs is the code of such a tool's problem.
const toolHangs = "tool-hangs"

// watchHang stops a tool whose threads wait for one another, which mydumper
// 0.10 has been seen to do now and then when one of them had ended. What it
// returns says, once the tool has ended, whether that was why.
func (p *process) watchHang(patience time.Duration) (hung *atomic.Bool) {
	hung = new(atomic.Bool)
	threads := fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid)
	go func() {
		ticker := time.NewTicker(patience / 60)
		defer ticker.Stop()
		var since time.Time // they wait; zero: they do not
		for {
			select {
			case <-p.ended:
				return
			case <-ticker.C:
			}
			switch {
			case !allWait(threads):
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			case time.Since(since) >= patience:
				hung.Store(true)
				p.stop()
				return
			}
		}
	}()
	return hung
}

// allWait reports whether every thread of a process, whose folder of proc(5)
// this is, waits for another: where the kernel shows it, in a futex(2).
func allWait(threads string) bool {
	list, err := os.ReadDir(threads)
	if err != nil {
		return false
	}
	for _, thread := range list {
		where, err := os.ReadFile(filepath.Join(threads, thread.Name(), "wchan"))
		if err != nil || !strings.HasPrefix(string(where), "futex_") {
			return false
		}
	}
	return len(list) > 0
}
