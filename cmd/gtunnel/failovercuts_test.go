package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestPowerCutOfBoth cuts the power of both at once, and boots them in any order: one is the
// master, and no hand is needed.
func TestPowerCutOfBoth(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		for _, order := range [][]*pairHost{{p.a, p.b}, {p.b, p.a}} {
			w := p.Write()
			w.WaitFor(p.A)
			p.a.powerCut()
			p.b.powerCut()
			for _, h := range order {
				h.boot()
			}
			p.settled(p.a, w)
			p.holds(w, 1, "the power of both was cut", "")
		}
	})
}

// TestCutLink cuts the link in every way, for longer than anybody waits: the master's clients
// can write all the time, the slave's never, and nothing is left to do afterwards.
func TestCutLink(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		for name, cut := range map[string]func(){
			"silent": p.a.silence, "silent from the master": p.a.mute, "silent to the master": p.b.mute,
			"unplugged": p.a.unplug,
		} {
			w := p.Write()
			w.WaitFor(p.A)
			cut()
			p.status(p.b, name, "tunnel-down", "stalled", "io-stopped", "connecting")
			for range 200 { // about ten seconds, of which none is without a write
				w.WaitFor(p.A)
			}
			p.a.restore()
			p.settled(p.a, w)
			p.holds(w, p.A.Note().Term.Number, "the link was "+name, "")
			if pause := w.Pause(); pause > 5*time.Second {
				t.Errorf("when the link was %s, clients could not write for %v", name, pause)
			}
		}
		if n := p.A.Note().Term.Number; n != 1 {
			t.Errorf("the term is %d", n)
		}
	})
}

// status waits until the status of a host has one of some states.
func (p *twoHosts) status(h *pairHost, when string, states ...string) {
	p.t.Helper()
	var out string
	waitUntil(p.t, fmt.Sprint(states, " of ", h.Name, " when the link is ", when), func() bool {
		out = h.status(when)
		for _, state := range states {
			if strings.Contains(out, state) {
				return true
			}
		}
		return false
	})
}

// TestRelayDiskFullFailover loses a master while the disk of its slave's relay log is full.
func TestRelayDiskFullFailover(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			folder := relayDisk(t)
			p := newTwoHostsWith(t, kind, []string{"--relay-log=" + filepath.Join(folder, "relay-bin")})
			p.a.startGuard()
			p.b.startGuard()
			p.b.again("switchover", "--dry-run")
			w := p.Write()
			w.WaitFor(p.A)
			free := fillDisk(t, folder)
			p.status(p.b, "whole and the disk of the relay log full", "disk")
			p.a.powerCut()
			received := p.B.ReceivedRowsIn(folder)
			args := []string{"--fenced", p.A.Name, "--lose-at-most", "any", "--yes"}
			limited, cancel := context.WithTimeout(t.Context(), time.Minute)
			cmd := p.b.command(p.b.args("promote", args...)...)
			first := exec.CommandContext(limited, cmd.Path, cmd.Args[1:]...)
			first.Env = cmd.Env
			out, err := first.CombinedOutput()
			cancel()
			t.Logf("promote with a full disk: %v:\n%s", err, out)
			free()
			p.b.again("promote", args...)
			w.WaitFor(p.B)
			if missing := p.B.Missing(received); len(missing) > 0 {
				t.Errorf("%s lacks %v, which it had received", p.B.Name, missing)
			}
			p.a.boot()
			p.a.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
			p.settled(p.b, w)
			p.holds(w, 1, "the disk of the relay log was full", string(out))
		})
	}
}

// relayDisk is a file system of a few megabytes that servers can write to. It goes with
// the test.
func relayDisk(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("only root mounts a small disk")
		}
		t.Skip("only root mounts a small disk")
	}
	folder, err := os.MkdirTemp("", "gtunnel-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=8m,mode=777"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	return folder
}

// fillDisk takes the space of a disk, until free.
func fillDisk(t testing.TB, folder string) (free func()) {
	t.Helper()
	name := filepath.Join(folder, "filler")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 4<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() { os.Remove(name) }
}

// TestFalseFencing promotes while the link is cut and the master lives, which the
// administrator has denied: two can write, until they hear each other, and then one.
func TestFalseFencing(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		w := p.Write()
		w.WaitFor(p.A)
		p.a.silence()
		p.b.must("promote", "--fenced", p.A.Name, "--lose-at-most", "any", "--yes")
		w.WaitFor(p.B)
		w.WaitFor(p.A) // it was not fenced
		p.a.restore()
		mended := time.Now()
		p.A.WaitReadOnly()
		took := time.Since(mended)
		failoverTimes.add(p.Kind, "end of two masters", took)
		if took > falseFencingLimit {
			t.Errorf("two masters for %v after the link was mended", took)
		}
		waitUntil(t, "the new term on both", func() bool {
			n := p.A.Note()
			return n.Term.By == term.ByPromotion && n.Term.Master == p.B.Name && n.Term.Same(p.B.Note().Term)
		})
		p.a.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
		p.settled(p.b, w)
	})
}

// falseFencingLimit is how long two may be masters once they can hear each other.
const falseFencingLimit = 5 * time.Second
