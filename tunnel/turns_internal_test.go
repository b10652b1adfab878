package tunnel

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestTurns: known sources first, the newest first, and no more than there are
// processors.
func TestTurns(t *testing.T) {
	for name, test := range map[string]struct {
		seats []seat
		want  int
	}{
		"the newest": {
			[]seat{
				{source: "192.0.2.1/32", known: false, stage: begun, waited: 0},
				{source: "198.51.100.1/32", known: false, stage: begun, waited: 0},
			}, 1,
		},
		"known": {
			[]seat{
				{source: "192.0.2.1/32", known: true, stage: begun, waited: 0},
				{source: "198.51.100.1/32", known: false, stage: begun, waited: 0},
			}, 0,
		},
		"known, though later": {[]seat{
			{source: "192.0.2.1/32", known: false, stage: begun, waited: 0},
			{source: "198.51.100.1/32", known: true, stage: begun, waited: 0},
			{source: "198.51.100.2/32", known: false, stage: begun, waited: 0},
		}, 1},
		"the less crowded, amid others": {slices.Concat(
			slices.Repeat([]seat{{source: "198.51.100.1/32", known: false, stage: begun, waited: 0}}, 5),
			[]seat{{source: "192.0.2.1/32", known: false, stage: begun, waited: 0}},
			slices.Repeat([]seat{{source: "198.51.100.1/32", known: false, stage: begun, waited: 0}}, 5)), 5},
		"the less crowded": {
			crowd(seat{source: "192.0.2.1/32", known: false, stage: begun, waited: 0},
				seat{source: "198.51.100.1/32", known: false, stage: answered, waited: 0}), 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h handshakes
			places := seated(&h, epoch, test.seats...)
			for _, p := range places {
				p.turn.granted = make(chan struct{})
			}
			if got := h.mostDeserving(); got != places[test.want] {
				t.Errorf("seat %d goes first, want %d", got.number-1, test.want)
			}
		})
	}
}

// TestTurnsOfThoseWhoWant: who wants no turn keeps no others from theirs; and
// known sources have no more turns than there are processors.
func TestTurnsOfThoseWhoWant(t *testing.T) {
	var h handshakes
	places := seated(&h, epoch,
		crowd(seat{source: "192.0.2.1/32", known: false, stage: begun, waited: 0},
			seat{source: "198.51.100.1/32", known: false, stage: begun, waited: 0})...)
	for _, p := range places[1:] {
		p.turn.granted = make(chan struct{})
	}
	if got := h.mostDeserving(); got != places[len(places)-1] {
		t.Errorf("%+v goes first", got)
	}
	for _, p := range places {
		p.known = true
	}
	h.turns.known = runtime.GOMAXPROCS(0)
	if got := h.mostDeserving(); got != nil {
		t.Errorf("%+v has one turn too many", got)
	}
}

// TestTurnsOfABurst: neither who came before a burst nor who came after it is
// buried by it.
func TestTurnsOfABurst(t *testing.T) {
	h := handshakes{total: 1000, evict: true}
	want := func() *place {
		p, _, _ := h.enter(prefix(fmt.Sprintf("10.0.0.%d/32", len(h.held)%250)), epoch)
		p.want(epoch)
		return p
	}
	before := want()
	for range 500 {
		want()
	}
	after := want()
	for n := range 8 {
		for _, p := range h.held {
			if p.turn.lane != nil {
				h.remove(p, epoch)
				break
			}
		}
		if n == 7 && (before.index >= 0 && before.turn.lane == nil || after.index >= 0 && after.turn.lane == nil) {
			t.Error("one of them has had no turn after eight")
		}
	}
}

// TestLoris: whoever sends ever another byte is overdue all the same.
func TestLoris(t *testing.T) {
	h := handshakes{total: 1000}
	p, _, _ := h.enter(prefix("192.0.2.1/32"), epoch)
	now := epoch.Add(patienceTime - 1)
	if p.begin(now) != true || p.isOverdue(now.Add(1)) {
		t.Error("the first byte is no step")
	}
	for range 10 {
		now = now.Add(patienceTime / 10)
		if p.begin(now) {
			t.Error("another byte is the first")
		}
		p.await(now)
	}
	if !p.isOverdue(now) {
		t.Error("bytes are steps")
	}
	if err := p.resume(nil, false); err != nil || p.turn.lane != nil {
		t.Error("bytes of a record take a turn")
	}
	p.want(now)
	if !p.isOverdue(now) || p.turn.lane == nil {
		t.Error("a record that is no answer is a step")
	}
	p.answers()
	if p.isOverdue(now) {
		t.Error("an answer is no step")
	}
	p.await(now)
	if !p.isOverdue(now.Add(patienceTime)) {
		t.Error("a peer that was answered may stall for ever")
	}
}

// TestRecords: a record that has come as a whole is work, whatever comes with
// it, and nothing else is.
func TestRecords(t *testing.T) {
	for name, test := range map[string]struct {
		chunks []string
		work   []bool
	}{
		"whole":  {[]string{"\x16\x03\x01\x00\x02ab"}, []bool{true}},
		"in two": {[]string{"\x16\x03\x01\x00\x02a", "b"}, []bool{false, true}},
		"by bytes": {
			[]string{"\x16", "\x03", "\x01", "\x00", "\x01", "a", "\x16"},
			[]bool{false, false, false, false, false, true, false},
		},
		"and a beginning": {[]string{"\x16\x03\x01\x00\x01a\x16\x03", "\x01\x00\x01"}, []bool{true, false}},
		"empty":           {[]string{"\x16\x03\x01\x00", "\x00"}, []bool{false, true}},
	} {
		var f frame
		for i, chunk := range test.chunks {
			if got := f.pass([]byte(chunk)); got != test.work[i] {
				t.Errorf("%s: chunk %d is work: %t", name, i, got)
			}
		}
	}
}

// TestRest: small rests add up, and end when there is a processor to spare.
func TestRest(t *testing.T) {
	idle := time.Duration(0)
	var carried uint64
	var h turns
	h.scarce.carried = func() uint64 { carried += 1e9; return carried }
	h.scarce.idle = func() (time.Duration, bool) { return idle, true }
	now := epoch
	h.rest(0, now)
	step := func(cost time.Duration) time.Duration {
		now = now.Add(time.Second)
		return h.rest(cost, now)
	}
	for i, want := range []time.Duration{
		0, 0, restFactor * 600 * time.Microsecond, 0, 0,
		restFactor * 600 * time.Microsecond,
	} {
		if got := step(200 * time.Microsecond); got != want {
			t.Errorf("step %d: a rest of %s, want %s", i, got, want)
		}
	}
	if got := step(2 * time.Millisecond); got != restFactor*2*time.Millisecond {
		t.Errorf("a rest of %s", got)
	}
	if got := step(time.Hour); got != restMost {
		t.Errorf("a rest of %s", got)
	}
	step(200 * time.Microsecond)
	idle += time.Minute
	if got := step(time.Hour); got != 0 {
		t.Errorf("a rest of %s beside an idle processor", got)
	}
	if got := step(400 * time.Microsecond); got != 0 {
		t.Errorf("a rest of %s after one, for what was before", got)
	}
}

// TestStopwatch: what is waited for costs nothing.
func TestStopwatch(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	watch := startWatch(time.Now())
	time.Sleep(50 * time.Millisecond)
	if cost := watch.cost(time.Now()); cost >= 50*time.Millisecond {
		t.Errorf("a wait costs %s", cost)
	}
	for cost := watch.cost(time.Now()); cost < 2*time.Millisecond; cost = watch.cost(time.Now()) {
		if time.Since(watch.began) > time.Minute {
			t.Fatalf("work for a minute costs %s", cost)
		}
	}
	watch.thread = 0
	if cost := watch.cost(watch.began.Add(time.Hour)); cost != time.Hour {
		t.Errorf("work that has moved costs %s", cost)
	}
}

func TestScarce(t *testing.T) {
	var carried uint64
	var idle time.Duration
	known := true
	s := scarce{carried: func() uint64 { return carried }, idle: func() (time.Duration, bool) { return idle, known }}
	now := epoch
	s.now(now) // the first look has nothing to compare with
	for name, test := range map[string]struct {
		carried uint64
		idle    time.Duration
		known   bool
		want    bool
	}{
		"nothing carried":   {0, 0, true, false},
		"replication":       {1e6, 0, true, false},
		"a copy":            {100e6, 0, true, true},
		"a copy, some idle": {100e6, time.Second, true, false},
		"a copy, unknown":   {100e6, time.Second, false, true},
	} {
		now = now.Add(time.Second)
		carried, idle, known = carried+test.carried, idle+test.idle, test.known
		if got := s.now(now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
		if s.now(now.Add(scarceEvery/2)) != test.want {
			t.Errorf("%s: it changes within an interval", name)
		}
	}
	if (&scarce{}).now(now) {
		t.Error("a tunnel that carries nothing is short of processors")
	}
}

func TestIdleTime(t *testing.T) {
	const stat = "cpu  9 9 9 9 9 9 9 0 0 0\ncpu0 1 2 3 400 50 6 7 0 0 0\ncpu1 1 2 3 100 0 6 7 0 0 0\ncpu12 1 2 3 1000 " +
		"0 6 7 0 0 0\nintr 1 2 3 4 5 6 7\n"
	for name, test := range map[string]struct {
		cpus []int
		want time.Duration
		ok   bool
	}{
		"one":   {[]int{0}, 4500 * time.Millisecond, true},
		"two":   {[]int{1, 12}, 11 * time.Second, true},
		"other": {[]int{7}, 0, false},
	} {
		got, ok := parseIdle([]byte(stat), func(cpu int) bool { return slices.Contains(test.cpus, cpu) })
		if got != test.want || ok != test.ok {
			t.Errorf("%s: %s, %t", name, got, ok)
		}
	}
	for _, line := range []string{"cpu0 1 2 3 ? 50 6", "cpu0 1 2 3 400 ?", "cpu0 1 2 3 400", "intr 1 2 3 4 5 6"} {
		if idle, ok := parseIdle([]byte(line+"\n"), func(int) bool { return true }); ok {
			t.Errorf("%q: %s", line, idle)
		}
	}
	if _, ok := idleTime(); !ok {
		t.Error("this system does not tell")
	}
}

// turnsHeld is how many places have a turn.
func (h *handshakes) turnsHeld() (n int) {
	for _, p := range h.held {
		if p.turn.lane != nil {
			n++
		}
	}
	return n
}

// awaitTurns waits until so many places have a turn.
func (h *handshakes) awaitTurns(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		n := h.turnsHeld()
		h.mu.Unlock()
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d turns are given out after their rest, want %d", n, want)
		}
	}
}

// TestTurnsAreBounded: whoever waits gets a turn when one is given back, and a
// stranger's rests while sessions carry data.
func TestTurnsAreBounded(t *testing.T) {
	h := handshakes{total: 1000, evict: true}
	var carried uint64
	h.turns.scarce.carried = func() uint64 { return carried }
	h.turns.scarce.idle = func() (time.Duration, bool) { return 0, true }
	now := epoch
	holds := h.turnsHeld
	var places []*place
	for range 200 {
		p, _, _ := h.enter(prefix("192.0.2.1/32"), now)
		p.handshakes = &h
		p.want(now)
		places = append(places, p)
	}
	most := holds()
	if most < 1 || most > 64 {
		t.Fatalf("%d strangers have turns at once", most)
	}
	served := map[*place]bool{}
	for range places {
		for _, p := range places {
			if p.turn.lane != nil {
				served[p] = true
				p.await(now)
				break
			}
		}
		if holds() > most {
			t.Fatalf("%d strangers have turns at once", holds())
		}
	}
	if len(served) != len(places) {
		t.Errorf("%d of %d had a turn", len(served), len(places))
	}

	// While sessions carry data, turns rest.
	now = now.Add(time.Second)
	carried = 1e9
	for _, p := range places {
		p.want(now)
	}
	for _, p := range places {
		if p.turn.lane != nil {
			p.await(now.Add(time.Second)) // and rests for restMost, by the real clock
		}
	}
	if n := holds(); n >= most {
		t.Errorf("%d turns are given out again at once", n)
	}
	h.awaitTurns(t, most)

	// A source that is verified goes on at once, past all that.
	h.verified(prefix("192.0.2.1/32"), now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.turns.known == 0 {
		t.Error("a verified source waits among the strangers")
	}
}
