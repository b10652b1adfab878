package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Hook is a program of the administrator's that a promotion runs.
type Hook string

// The hooks.
const (
	// FenceHook makes sure that the old master cannot serve. That it ends with 0 is the
	// statement that the old master is fenced.
	FenceHook Hook = "fence"
	// PrePromoteHook may refuse the promotion, before anything is raised: by any other
	// end than 0.
	PrePromoteHook Hook = "pre-promote"
	// PostPromoteHook is told that this host is the master and writable. Its failure
	// changes nothing of that.
	PostPromoteHook Hook = "post-promote"
)

// HookTimeout is how long a hook may run unless Hooks says otherwise.
const HookTimeout = time.Minute

// HookCode is the code of a hook that has failed, or could not be run.
const HookCode = "hook-failed"

// path is the program of a hook; empty if there is none.
func (h *Hooks) path(hook Hook) string {
	switch hook {
	case FenceHook:
		return h.Fence
	case PrePromoteHook:
		return h.PrePromote
	case PostPromoteHook:
		return h.PostPromote
	}
	return ""
}

// HookRun is one run of a hook.
type HookRun struct {
	Hook   Hook
	Path   string
	Env    []string // the GTUNNEL_* variables: see Hooks
	Output string   // the end of what it has printed
	Took   time.Duration
	Err    error // nil: it has ended with 0
}

// String is the run in a line.
func (r *HookRun) String() string {
	text := fmt.Sprintf("hook %s (%s): ", r.Hook, r.Path)
	if r.Err != nil {
		text += r.Err.Error()
	} else {
		text += "ok"
	}
	text += ", after " + finding.FormatDuration(r.Took.Round(10*time.Millisecond))
	if r.Output != "" {
		text += ": " + r.Output
	}
	return text
}

// note is what is kept of the run.
func (r *HookRun) note(number uint64) term.HookRun {
	run := term.HookRun{
		Name: string(r.Hook), Path: r.Path, Term: number, At: time.Now(), Took: r.Took, Output: r.Output,
	}
	if r.Err != nil {
		run.Error = r.Err.Error()
	}
	return run
}

// run runs a hook, if there is one. The run is nil if there is none.
func (h *Hooks) run(ctx context.Context, hook Hook, env []string) *HookRun {
	path := h.path(hook)
	if path == "" {
		return nil
	}
	run := &HookRun{Hook: hook, Path: path, Env: append([]string{"GTUNNEL_HOOK=" + string(hook)}, env...)}
	execute := h.Run
	if execute == nil {
		execute = Exec
	}
	limited, cancel := context.WithTimeout(ctx, cmp.Or(h.Timeout, HookTimeout))
	defer cancel()
	began := time.Now()
	output, err := execute(limited, path, run.Env)
	run.Took, run.Output = time.Since(began), output
	switch {
	case err != nil && ctx.Err() != nil:
		run.Err = context.Cause(ctx)
	case err != nil && limited.Err() != nil:
		run.Err = fmt.Errorf("it has not ended within %s", finding.FormatDuration(cmp.Or(h.Timeout, HookTimeout)))
	default:
		run.Err = err
	}
	return run
}

// hookOutput is how many bytes of a hook's output are kept, from its end.
const hookOutput = 2000

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	kept []byte
	cut  bool
}

// Write keeps the end of p.
func (b *lastBytes) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p...)
	if over := len(b.kept) - hookOutput; over > 0 {
		b.kept, b.cut = slices.Clone(b.kept[over:]), true
	}
	return len(p), nil
}

// String is what was kept.
func (b *lastBytes) String() string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(b.kept), "?"))
	if b.cut {
		text = "..." + text
	}
	return text
}

// Exec runs a program by its absolute path, without arguments, with some environment and
// nothing of this process's but PATH, and gives what it has printed. When ctx ends, it and
// all that it has started are killed, as far as they are in its process group.
func Exec(ctx context.Context, path string, env []string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%s is no absolute path", path)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, env...)
	cmd.Dir = "/"
	var output lastBytes
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // of what has left the group and holds the output
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil { // it has ended well, and left something behind
		err = nil
	}
	return output.String(), err
}
