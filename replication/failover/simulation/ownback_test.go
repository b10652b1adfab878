package simulation

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// TestOwnBack restores a backup of a master, and makes it the slave of its slave, which has
// what it lacks: the model has to know whether a server takes back what it has written itself.
func TestOwnBack(t *testing.T) {
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := failovertest.New(t, kind)
			p.Sync(p.A)
			restart := func(from, to string) {
				ctx, cancel := context.WithTimeout(t.Context(), failovertest.Patience)
				defer cancel()
				if err := p.A.Server.Stop(ctx); err != nil {
					t.Fatal(err)
				}
				for _, command := range [][]string{{"rm", "-rf", to}, {"cp", "-a", from, to}} {
					if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
						t.Fatalf("%v: %v: %s", command, err, out)
					}
				}
				p.A.StartServer()
			}
			data := p.A.Server.DataDir()
			restart(data, data+".old")
			p.A.Exec("SET GLOBAL read_only=0", "INSERT INTO "+failovertest.Table+" VALUES (1, 'own', NOW())")
			p.B.Exec(inWords(familyOf(kind), "START SLAVE"))
			p.Sync(p.A)
			restart(data+".old", data)
			p.B.Exec(inWords(familyOf(kind), "STOP SLAVE"), inWords(familyOf(kind), "RESET SLAVE ALL"), "SET GLOBAL read_only=0")
			p.A.Follow()
			p.B.Exec("INSERT INTO " + failovertest.Table + " VALUES (2, 'the other', NOW())")
			const count = "SELECT COUNT(*) FROM " + failovertest.Table
			for end := time.Now().Add(30 * time.Second); p.A.Value(count) == "0" && time.Now().Before(end); {
				time.Sleep(100 * time.Millisecond)
			}
			if got := p.A.Value(count); got != "1" {
				t.Errorf("%s: the old master has %s rows: the model says that it passes over what it has written itself", kind, got)
			}
		})
	}
}
