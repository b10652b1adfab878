package main_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// times is how often something is done in a row that `make failover` does so often: twice,
// or as the environment says.
func times(often int) int {
	most, err := strconv.Atoi(cmp.Or(os.Getenv("GTUNNEL_FAILOVER"), "2"))
	if err != nil {
		panic(err)
	}
	return min(often, most)
}

// failoverTimes is the table of what was done by the tests of this process.
var failoverTimes failoverTable

// failoverTable has how long things took, by what was done.
type failoverTable struct {
	mu   sync.Mutex
	what []string
	took map[string][]time.Duration
	lost map[string]int // transactions that had been received
}

// add adds a line's time.
func (f *failoverTable) add(kind servertest.Kind, what string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took == nil {
		f.took, f.lost = map[string][]time.Duration{}, map[string]int{}
	}
	key := string(kind) + "\t" + what
	if f.took[key] == nil {
		f.what = append(f.what, key)
	}
	f.took[key] = append(f.took[key], took)
}

// lose counts what was lost.
func (f *failoverTable) lose(kind servertest.Kind, what string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost[string(kind)+"\t"+what] += n
}

// print prints the table; nothing, if nothing was done.
func (f *failoverTable) print(out io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.what) == 0 {
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "server\twhat\ttimes\tmedian\tlongest\tlost")
	slices.Sort(f.what)
	for _, key := range f.what {
		took := slices.Sorted(slices.Values(f.took[key]))
		lost := "-"
		if n, counted := f.lost[key]; counted {
			lost = fmt.Sprint(n)
		}
		fmt.Fprintf(table, "%s\t%d\t%.2f s\t%.2f s\t%s\n", key, len(took), took[len(took)/2].Seconds(),
			took[len(took)-1].Seconds(), lost)
	}
	_ = table.Flush()
}

// timed is must, with its time in the table.
func (h *pairHost) timed(what, command string, more ...string) string {
	h.t.Helper()
	begun := time.Now()
	out := h.must(command, more...)
	failoverTimes.add(h.Server.Kind, what, time.Since(begun))
	return out
}

// prepareLoad makes the tables of sysbench.
func (p *twoHosts) prepareLoad() {
	p.t.Helper()
	out, err := p.a.sysbench("prepare").CombinedOutput()
	if err != nil {
		p.t.Fatalf("sysbench: %v: %s", err, out)
	}
}

// sysbench is the program with a command, as the application's account.
func (h *pairHost) sysbench(command string) *exec.Cmd {
	return exec.CommandContext(h.t.Context(), "sysbench", "oltp_write_only", "--db-driver=mysql",
		"--mysql-socket="+h.Server.Socket, "--mysql-user="+failovertest.AppUser,
		"--mysql-password="+failovertest.AppPassword, "--mysql-db="+failovertest.Database, "--tables=2",
		"--table-size=1000", "--threads=2", "--rate=100", "--time=0", command)
}

// load writes to the host's server until it ends, or stop is called.
func (h *pairHost) load() (stop func()) {
	h.t.Helper()
	cmd := h.sysbench("run")
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
}

// eachPair runs a test on a pair of each family, with guards.
func eachPair(t *testing.T, test func(t *testing.T, p *twoHosts)) {
	t.Helper()
	eachPairOf(t, failovertest.Kinds, test)
}

// allFamilies is that long stories are told on both families, and each with all of them:
// make families.
func allFamilies() bool { return os.Getenv("GTUNNEL_FAMILIES") == "all" }

// usualKinds are those of a long story whose steps other tests run on both families: MariaDB
// alone, but for allFamilies.
func usualKinds() []servertest.Kind {
	if allFamilies() {
		return failovertest.Kinds
	}
	return failovertest.Kinds[:1]
}

// usualPair is eachPair for the usual kinds.
func usualPair(t *testing.T, test func(t *testing.T, p *twoHosts)) {
	t.Helper()
	eachPairOf(t, usualKinds(), test)
}

// shared are those of many things that a family has: every other one, so that the two have
// them all between them, but for allFamilies.
func shared[T any](kind servertest.Kind, all []T) []T {
	if kind.IsMySQL() {
		return oneOf(2, all, 1)
	}
	return oneOf(2, all, 0)
}

// upTo are the numbers below n.
func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// oneOf is one of every n from the first on, or all for allFamilies.
func oneOf[T any](n int, all []T, first int) (some []T) {
	if allFamilies() {
		return all
	}
	for i := first; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// eachPairOf is eachPair for some kinds of servers.
func eachPairOf(t *testing.T, kinds []servertest.Kind, test func(t *testing.T, p *twoHosts)) {
	t.Helper()
	t.Parallel()
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newTwoHosts(t, kind)
			p.a.startGuard()
			p.b.startGuard()
			p.b.again("switchover", "--dry-run") // the guards have tried the logins
			test(t, p)
		})
	}
}

// lostMaster is what was known of a pair when its master was lost.
type lostMaster struct {
	received []int64 // rows in the relay log of the slave
}

// loseMaster cuts the power of the master.
func (p *twoHosts) loseMaster(master *pairHost) lostMaster {
	p.t.Helper()
	master.powerCut()
	return lostMaster{received: master.peer.ReceivedRows()}
}

// promote promotes a host whose peer is lost, and holds that nothing received is.
func (p *twoHosts) promote(h *pairHost, lost lostMaster, w *failovertest.Writer) {
	p.t.Helper()
	const what = "promote"
	out := h.timed(what, "promote", "--fenced", h.peer.Name, "--lose-at-most", "any", "--yes")
	w.WaitFor(h.Host)
	missing := h.Missing(lost.received)
	failoverTimes.lose(p.Kind, what, len(missing))
	if len(missing) > 0 {
		p.t.Errorf("%s lacks %v, which it had received", h.Name, missing)
	}
	own := besideWaits(p.t, out)
	failoverTimes.add(p.Kind, "promote beside the waits", own)
	if own > promoteLimit && inEarnest() {
		p.t.Errorf("promote took %v beside the waits:\n%s", own, out)
	}
}

// promoteLimit is how long a promotion may take beside the wait for signs of life, the relay
// log, and the time in which its term is published.
const promoteLimit = 3 * time.Second

// inEarnest is that the machine is there for this alone, so that times can be held.
func inEarnest() bool { return times(50) == 50 }

// promoteTook is what promote prints at its end.
var promoteTook = regexp.MustCompile(`It took (\S+): (\S+) until .* for long enough, (\S+) to apply .*, ` +
	`(\S+) of hooks, (\S+) to publish the new term, (\S+) for the rest`)

// besideWaits is how long a promotion took itself, by what it prints.
func besideWaits(t testing.TB, out string) time.Duration {
	t.Helper()
	found := promoteTook.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("promote does not say how long it took:\n%s", out)
	}
	var took [6]time.Duration
	for i := range took {
		var err error
		if took[i], err = time.ParseDuration(found[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return took[4] + took[5] - min(took[4], term.Announce)
}

// rejoin lets the old master follow again, and holds that both are equal.
func (p *twoHosts) rejoin(h *pairHost, what string, more ...string) string {
	p.t.Helper()
	out := h.timed(what, "rejoin", append([]string{"--yes"}, more...)...)
	p.compare(h)
	return out
}

// compare compares both, as the slave's host does it.
func (p *twoHosts) compare(slave *pairHost) {
	p.t.Helper()
	if out, err := slave.command(slave.watchArgs("compare")...).CombinedOutput(); err != nil {
		p.t.Fatalf("compare on %s: %v: %s", slave.Name, err, out)
	}
}

// TestFailovers loses the master, again and again, while it is written to.
func TestFailovers(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		p.prepareLoad()
		w := p.Write()
		master, slave := p.a, p.b
		n := times(50)
		for range n {
			stop := master.load()
			w.WaitFor(master.Host)
			w.WaitFor(master.Host)
			lost := p.loseMaster(master)
			stop()
			p.promote(slave, lost, w)
			master.boot()
			p.rejoin(master, "rejoin after a failover", "--replace-databases", failovertest.Database)
			master, slave = slave, master
		}
		w.Stop()
		if turns := w.Turns(); turns > n {
			t.Errorf("%d turns of %d promotions: %v", turns, n, w)
		}
	})
}

// TestSwitchovers switches over and back, again and again, while clients write.
func TestSwitchovers(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		p.prepareLoad()
		w := p.Write()
		master, slave := p.a, p.b
		n := times(20)
		for range n {
			stop := master.load()
			w.WaitFor(master.Host)
			out := slave.timed("switchover", "switchover", "--yes")
			w.WaitFor(slave.Host)
			p.holdPause(out, w)
			stop()
			master, slave = slave, master
		}
		w.Stop()
		if turns := w.Turns(); turns != n {
			t.Errorf("%d turns of %d switchovers: %v", turns, n, w)
		}
		p.Sync(master.Host)
		for _, h := range []*pairHost{master, slave} {
			lacking := w.Lacking(h.Host)
			failoverTimes.lose(p.Kind, "switchover", len(lacking))
			if len(lacking) > 0 {
				t.Errorf("%s lacks %d acknowledged rows", h.Name, len(lacking))
			}
		}
		p.compare(slave)
	})
}

// pauseTold is what switchover prints of the time in which nobody could write.
var pauseTold = regexp.MustCompile(`Nobody could write for at most (\S+)\.\n`)

// holdPause holds what a switchover tells of its write pause against what its clients have seen.
func (p *twoHosts) holdPause(out string, w *failovertest.Writer) {
	p.t.Helper()
	found := pauseTold.FindStringSubmatch(out)
	if found == nil {
		p.t.Fatalf("switchover does not say for how long nobody could write:\n%s", out)
	}
	told, err := time.ParseDuration(found[1])
	if err != nil {
		p.t.Fatal(err)
	}
	seen, proven := w.LastTurn()
	if told+time.Millisecond < proven { // it is rounded
		p.t.Errorf("switchover says that nobody could write for at most %v, and clients were refused for %v", told, proven)
	}
	failoverTimes.add(p.Kind, "write pause", seen)
	failoverTimes.add(p.Kind, "write pause as told", told)
}

// TestRejoins lets the old master follow again, by its history, and by a new copy if it
// had written what its slave has not received.
func TestRejoins(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		master, slave := p.a, p.b
		n := times(20)
		for i := range 2 * n {
			w := p.Write()
			w.WaitFor(master.Host)
			w.Stop()
			p.Sync(master.Host)
			what, more := "rejoin by history", []string(nil)
			if i%2 == 1 {
				what, more = "rejoin by a new copy", []string{"--replace-databases", failovertest.Database}
				master.mute()
				master.Exec("INSERT INTO " + failovertest.Table + fmt.Sprintf(" VALUES (-%d, 'lost', NOW(6))", i+1))
			}
			master.powerCut()
			slave.must("promote", "--fenced", master.Name, "--lose-at-most", "any", "--yes")
			master.boot()
			out := p.rejoin(master, what, more...)
			if strings.Contains(out, "new copy") != (i%2 == 1) {
				t.Errorf("%s went otherwise:\n%s", what, out)
			}
			master, slave = slave, master
		}
	})
}
