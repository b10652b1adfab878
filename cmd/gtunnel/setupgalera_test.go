package main_test

import (
	"context"
	"os"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// galeraProvider is where Debian's package galera-4 has it.
const galeraProvider = "/usr/lib/galera/libgalera_smm.so"

// TestSetupGalera: a member of a real cluster, of one node, is neither made a
// master nor a slave.
func TestSetupGalera(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(galeraProvider); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("galera-4 is missing: .ci/install galera")
		}
		t.Skip("galera-4 is not installed (.ci/install galera)")
	}
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.slave = startDatabase(t, servertest.MariaDB, servertest.Options{Name: "member", ServerID: 2, Flags: []string{
		"--wsrep-on=ON", "--wsrep-provider=" + galeraProvider, "--wsrep-cluster-address=gcomm://",
		"--wsrep-node-address=" + freeAddress(t),
		"--wsrep-sst-method=rsync", "--innodb-autoinc-lock-mode=2", "--wsrep-provider-options=gmcast.listen_addr=tcp://" +
			freeAddress(t),
	}})
	ctx, cancel := context.WithTimeout(t.Context(), databasePatience)
	defer cancel()
	for { // the server answers before it is ready as a member
		_, err := p.slave.DB.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS mine")
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	p.unchanged(p.slave, 1, "it is a member of a cluster (Galera)", p.setupSlaveArgs()...)
	p.master = p.slave
	p.unchanged(p.master, 1, "it is a member of a cluster (Galera)", p.setupMasterArgs("--databases", "mine")...)
}
