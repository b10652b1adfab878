package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/term"
)

// hooks are programs in the [pair] of a host, which note what they are told.
type hooks struct {
	h      *pairHost
	folder string
}

// Names of hooks.
const (
	fence       = "fence"
	prePromote  = "pre-promote"
	postPromote = "post-promote"
)

// hookLimit is the hook_timeout of these tests.
const hookLimit = 2 * time.Second

// addHooks gives the host all three hooks: each writes its environment to a file, and then
// does what its own file says; see does.
func (h *pairHost) addHooks() *hooks {
	h.t.Helper()
	k := &hooks{h: h, folder: filepath.Join(h.folder, "hooks")}
	if err := os.Mkdir(k.folder, 0o755); err != nil {
		h.t.Fatal(err)
	}
	lines := "hook_timeout = " + strconv.Quote(hookLimit.String()) + "\n"
	for _, name := range []string{fence, prePromote, postPromote} {
		file := filepath.Join(k.folder, name)
		script := "#!/bin/sh\nenv | sort >" + file + ".env\necho run >>" + file + ".runs\n. " + file + ".does\n"
		if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
			h.t.Fatal(err)
		}
		k.does(name, "exit 0")
		lines += strings.ReplaceAll(name, "-", "_") + " = " + strconv.Quote(file) + "\n"
	}
	config, err := os.ReadFile(h.config)
	if err == nil {
		text := strings.Replace(string(config), "[pair]\n", "[pair]\n"+lines, 1)
		err = os.WriteFile(h.config, []byte(text), 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

// does lets a hook do something from now on.
func (k *hooks) does(name, script string) {
	k.h.t.Helper()
	if err := os.WriteFile(filepath.Join(k.folder, name+".does"), []byte(script+"\n"), 0o644); err != nil {
		k.h.t.Fatal(err)
	}
}

// read reads a file of a hook: what it was told (env), how often it has run (runs).
func (k *hooks) read(file string) string {
	k.h.t.Helper()
	text, err := os.ReadFile(filepath.Join(k.folder, file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.h.t.Fatal(err)
	}
	return string(text)
}

// refuses promotes, which a hook must keep from happening: with words, nothing changed, and
// the run in the note and in the log of the guard.
func (k *hooks) refuses(name, words string) {
	t, h := k.h.t, k.h
	t.Helper()
	before := h.Note()
	out, code := h.try("promote", "--lose-at-most", "any", "--yes")
	if code != 1 || !strings.Contains(out, words) {
		t.Fatalf("promote with a hook %s that refuses: exit code %d, want %q:\n%s", name, code, words, out)
	}
	for _, wrong := range []string{"relay log cannot be read", runningEvent + ","} { // which nobody knows
		if strings.Contains(out, wrong) {
			t.Errorf("promote says %q:\n%s", wrong, out)
		}
	}
	n := h.Note()
	if !n.Term.Same(before.Term) || n.Request != nil {
		t.Errorf("after %s: the term %+v, the request %+v", name, n.Term, n.Request)
	}
	if h.Value("SELECT @@GLOBAL.read_only") != "1" {
		t.Errorf("after %s: clients can write", name)
	}
	k.noted(name, before.Term.Number+1, true)
}

// noted wants the last run of a hook in the note and in the log of the guard.
func (k *hooks) noted(name string, number uint64, failed bool) {
	t := k.h.t
	t.Helper()
	runs := k.h.Note().Hooks
	for _, run := range slices.Backward(runs) {
		if run.Name == name {
			if run.Term != number || (run.Error != "") != failed || run.Path != filepath.Join(k.folder, name) ||
				run.At.IsZero() {
				t.Errorf("noted of %s is %+v", name, run)
			}
			k.h.guard.waitLine("the run of "+name, 0, func(l logLine) bool {
				return l.field("message") == "hook has run" && l.field("hook") == name && (l.field("error") != "") == failed
			})
			return
		}
	}
	t.Errorf("nothing is noted of %s: %+v", name, runs)
}

// told wants the environment of the last run of a hook to be as documented, and no more.
func (k *hooks) told(name string, number uint64) {
	t, h := k.h.t, k.h
	t.Helper()
	env := map[string]string{}
	for line := range strings.Lines(k.read(name + ".env")) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[key] = value
	}
	want := map[string]string{
		"GTUNNEL_HOOK": name, "GTUNNEL_HOST": h.Name, "GTUNNEL_PEER": h.peer.Name,
		"GTUNNEL_TERM": strconv.FormatUint(number, 10), "GTUNNEL_SOCKET": h.Server.Socket,
		"GTUNNEL_DATABASES": failovertest.Database, "LC_ALL": "C",
	}
	for key, value := range want {
		if env[key] != value {
			t.Errorf("%s is told %s=%q, want %q", name, key, env[key], value)
		}
		delete(env, key)
	}
	since, err := time.Parse(time.RFC3339, env["GTUNNEL_UNKNOWN_SINCE"])
	if err != nil || time.Since(since) > 2*databasePatience {
		t.Errorf("%s is told that what was committed may be lost since %q: %v", name, env["GTUNNEL_UNKNOWN_SINCE"], err)
	}
	file, offset, _ := strings.Cut(env["GTUNNEL_APPLIED"], ":")
	at, err := strconv.Atoi(offset)
	if (name != fence) != (err == nil && file != "" && at > 4 && env["GTUNNEL_GTID"] != "") {
		t.Errorf("%s is told that %q and %q are applied", name, env["GTUNNEL_APPLIED"], env["GTUNNEL_GTID"])
	}
	for _, key := range []string{
		"GTUNNEL_UNKNOWN_SINCE", "GTUNNEL_APPLIED", "GTUNNEL_GTID", "PATH", "PWD", "SHLVL", "_", "OLDPWD", // of the shell's
	} {
		delete(env, key)
	}
	if len(env) > 0 {
		t.Errorf("%s has in its environment besides: %v", name, env)
	}
}

// hangs is a script that ends by no signal but the last one, with children that do the same;
// their numbers stand in the file NAME.pids.
func (k *hooks) hangs(name string) string {
	pids := filepath.Join(k.folder, name+".pids")
	return "trap '' TERM INT HUP\n(echo $(exec sh -c 'echo $PPID') >>" + pids + "; sleep 600) &\n" +
		"echo $$ >>" + pids + "\necho hanging\nsleep 600"
}

// ended wants all processes of a hook that hung to have ended.
func (k *hooks) ended(name string) {
	k.h.t.Helper()
	pids := strings.Fields(k.read(name + ".pids"))
	if len(pids) != 2 {
		k.h.t.Fatalf("the processes of %s were %v", name, pids)
	}
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err != nil {
			k.h.t.Fatal(err)
		}
		waitUntil(k.h.t, "the end of process "+text+" of "+name, func() bool {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		})
	}
}

// TestHooks promotes with hooks, each of which refuses once, hangs, or fails, until all let
// the promotion be; with events and sequences, which a switchover there and back has brought
// to where they are.
func TestHooks(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newTwoHosts(t, kind)
			o := p.makeObjects()
			p.a.startGuard()
			p.b.startGuard()
			p.b.again("switchover", "--yes")
			o.are(p.b)
			p.a.again("switchover", "--yes")
			o.are(p.a)
			// The guard asks for these once in a minute, and sooner when it has a new master.
			pairs.WaitFor(t, 30*time.Second, "the events in the note", func() (string, bool) {
				seen := p.B.Note().Seen
				return fmt.Sprintf("%+v", seen), seen != nil && slices.Equal(seen.Events, []string{runningEvent})
			})
			k := p.b.addHooks()
			o.give(p.a)
			p.a.powerCut()

			k.refuse()
			k.letBe(o)
			p.a.boot()
			o.standStill(p.a)
			p.a.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
			o.are(p.b)
			p.A.Wait("SELECT @@GLOBAL.event_scheduler", "ON")
		})
	}
}

// refuse has the hooks refuse the promotion, each in its way.
func (k *hooks) refuse() {
	t := k.h.t
	t.Helper()
	k.does(fence, "echo the switch does not answer; exit 3")
	k.refuses(fence, "and says: the switch does not answer")
	k.told(fence, 4)
	k.does(fence, "echo it is off")
	k.does(prePromote, "echo 'not before the backup' >&2; exit 1")
	k.refuses(prePromote, "and says: not before the backup")
	k.told(prePromote, 4)
	k.noted(fence, 4, false)
	k.does(prePromote, k.hangs(prePromote))
	begun := time.Now()
	k.refuses(prePromote, "it has not ended within 2s")
	if took := time.Since(begun); took > databasePatience {
		t.Errorf("promote with a hook that hangs took %v", took)
	}
	k.ended(prePromote)
	if k.read("post-promote.runs") != "" {
		t.Error("post-promote has run before the promotion")
	}
}

// letBe has the hooks let the promotion be, and the last one fail.
func (k *hooks) letBe(o *pairObjects) {
	t, h := k.h.t, k.h
	t.Helper()
	k.does(prePromote, "exit 0")
	k.does(postPromote, "echo the name server does not answer; exit 5")
	out := h.must("promote", "--lose-at-most", "any", "--yes")
	if !strings.Contains(out, "exit status 5") || !strings.Contains(out, "the name server does not answer") {
		t.Errorf("promote does not say that post-promote has failed:\n%s", out)
	}
	h.WaitWritable()
	k.told(postPromote, 4)
	k.noted(postPromote, 4, true)
	if n := h.Note(); n.Term.Number != 4 || n.Term.By != term.ByPromotion {
		t.Errorf("the term is %+v", n.Term)
	}
	o.are(h)
	h.must("promote", "--yes")
	if runs := strings.Count(k.read("post-promote.runs"), "run"); runs != 1 {
		t.Errorf("post-promote has run %d times", runs)
	}
}
