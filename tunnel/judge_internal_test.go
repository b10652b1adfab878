package tunnel

import (
	"testing"
	"time"
)

// TestAgenda: the next event is the earliest that is expected, whatever comes
// after it; and a session without one takes no other's away.
func TestAgenda(t *testing.T) {
	a := newAgenda()
	if all, due := a.take(epoch); all || due || a.wait(epoch) != judgeWaitMax {
		t.Error("there is something to do at the beginning")
	}
	for _, event := range []time.Time{epoch.Add(time.Minute), epoch.Add(time.Second / 2), {}, epoch.Add(time.Hour)} {
		a.expect(event)
	}
	if wait := a.wait(epoch); wait != time.Second/2 {
		t.Errorf("a wait of %s for the first event", wait)
	}
	if wait := a.wait(epoch.Add(time.Minute)); wait != judgeWaitMin {
		t.Errorf("a wait of %s for one that is over", wait)
	}
	if _, due := a.take(epoch.Add(time.Second/2 - 1)); due {
		t.Error("an event is due before its time")
	}
	if all, due := a.take(epoch.Add(time.Second / 2)); all || !due {
		t.Error("an event is not due at its time")
	}
	if all, due := a.take(epoch.Add(time.Hour)); all || due {
		t.Error("what was taken is still to do")
	}
	a.trustChanged()
	if all, due := a.take(epoch); !all || due {
		t.Error("a change of the trust is not for all")
	}
}
