package pacemaker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pdu is the power distribution unit: it switches the hosts on and off as fence_pdu asks,
// which runs on them and can do no more than ask.
type pdu struct {
	lab    *lab
	folder string
	mutex  sync.Mutex
	did    []string // what it was asked for, but status and list
}

// newPDU answers until the test ends.
func newPDU(t *testing.T, l *lab) *pdu {
	t.Helper()
	p := &pdu{lab: l, folder: filepath.Join(l.folder, "pdu")}
	var serving sync.WaitGroup
	done := make(chan struct{})
	serving.Go(func() {
		for {
			p.answer()
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		serving.Wait()
	})
	return p
}

// answer answers what was asked.
func (p *pdu) answer() {
	requests, _ := filepath.Glob(filepath.Join(p.folder, "*.request")) // the pattern is right
	for _, path := range requests {
		text, err := os.ReadFile(path)
		if err != nil || os.Remove(path) != nil {
			continue
		}
		word, name, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		answer, err := p.do(word, name)
		if err != nil {
			answer = "error " + err.Error()
		}
		// The name appears at once with all that is in the file.
		whole := strings.TrimSuffix(path, ".request")
		if os.WriteFile(whole, []byte(answer+"\n"), 0o600) == nil {
			_ = os.Rename(whole, whole+".answer") // who has asked gives up
		}
	}
}

// do does what one asks for.
func (p *pdu) do(word, name string) (string, error) {
	if word == "list" {
		return server1.name + ",\n" + server2.name + ",", nil
	}
	i := slices.IndexFunc([]*host{server1, server2}, func(h *host) bool { return h.name == name })
	if i < 0 {
		return "", fmt.Errorf("no socket has %q", name)
	}
	h := []*host{server1, server2}[i]
	running, err := p.lab.run("inspect", "--format", "{{.State.Running}}", h.id)
	if err != nil {
		return "", err
	}
	if word == "status" {
		return map[string]string{"true": "on", "false": "off"}[running], nil
	}
	p.mutex.Lock()
	p.did = append(p.did, word+" "+name)
	p.mutex.Unlock()
	switch {
	case word == "off" && running == "true":
		_, err = p.lab.run("kill", h.id)
	case word == "on" && running == "false":
		_, err = p.lab.run("start", h.id)
	}
	return "done", err
}

// asked gives what was asked for since the last time.
func (p *pdu) asked() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	did := p.did
	p.did = nil
	return did
}
