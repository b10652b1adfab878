package failover_test

import (
	"os"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// programs are what tests of this package run as processes of their own: see
// failovertest.Start.
var programs = failovertest.Programs{"switchover": switchoverUntil, "promote": promoteProgram}

func TestMain(m *testing.M) {
	// The programs of both families, each of which is told by its version.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":"+servertest.MySQL97.Path()); err != nil {
		panic(err)
	}
	os.Exit(failovertest.Main(m, programs))
}

// onBothFamilies runs a test on a pair of each family.
func onBothFamilies(t *testing.T, test func(t *testing.T, p *failovertest.Pair)) {
	t.Helper()
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, failovertest.New(t, kind))
		})
	}
}
