package seed

import (
	"io"
	"sync/atomic"
	"testing"
)

// asking is a tool that asks for its snapshot as soon as it has the answer to what it
// asked before.
type asking struct {
	asked *atomic.Bool
	got   []byte
}

func (a *asking) Write(b []byte) (int, error) {
	a.got = append(a.got, b...)
	a.asked.Store(true)
	return len(b), nil
}

// answers gives one answer for each read.
type answers []string

func (a *answers) Read(b []byte) (int, error) {
	if len(*a) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*a)[0])
	*a = (*a)[1:]
	return n, nil
}

// TestGateCountsTheAnswer: a snapshot is taken when its own answer comes, and no other one,
// however soon the tool asks for it.
func TestGateCountsTheAnswer(t *testing.T) {
	g := &gate{taken: make(chan struct{}, 2)}
	tool, master := &asking{asked: new(atomic.Bool)}, &answers{"before", "snapshot", "after"}
	if err := g.watchReply(tool, master, tool.asked); err != nil {
		t.Fatal(err)
	}
	if got := string(tool.got); got != "beforesnapshot" || len(g.taken) != 1 || len(*master) != 1 {
		t.Errorf("the tool got %q, %d snapshots were counted, %q is left", got, len(g.taken), *master)
	}
}
