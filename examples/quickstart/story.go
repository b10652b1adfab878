package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
)

// tell runs the steps one after the other. Each leaves notes about what it
// did, in the past tense of a person who was there.
func (d *demo) tell(ctx context.Context) error {
	d.picture()
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{title: "Make a grid CA and a certificate for each host", do: d.makeCertificates},
		{title: "Start a MariaDB server on each host", do: d.startServers},
		{title: "Start gtunnel on each host", do: d.startTunnels},
		{title: fmt.Sprintf("Write %s rows on the master, in a new database", count(batch)), do: d.makeDatabase},
		{title: "Run gtunnel replication setup-master on the master", do: d.setupMaster},
		{title: "Hand its file over; run gtunnel replication setup-slave on the slave", do: d.setupSlave},
		{title: "Run gtunnel replication status on the slave", do: d.showStatus},
		{title: fmt.Sprintf("Write %s more on the master, read them on the slave", count(batch)), do: d.writeRows},
		{title: "Ask the tunnel what it carried", do: d.countBytes},
		{title: fmt.Sprintf("Stop the slave's gtunnel, write %s more: nothing arrives", count(batch)), do: d.stopTunnel},
		{title: "Start it again: the slave catches up", do: d.catchUp},
		{title: "Run gtunnel replication compare on the slave", do: d.compare},
		{title: "Name both hosts in [pair], run both setups again, start the guards", do: d.makePair},
		{title: "Run gtunnel replication switchover on the slave", do: d.switchOver},
		{title: "Run it on the old master: all is as it was", do: d.switchBack},
	} {
		d.report.begin(step.title)
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				// Whatever broke, broke because of the interruption.
				return ctx.Err()
			}
			return fmt.Errorf("step %d failed: %w", d.report.steps, err)
		}
		d.report.end()
	}
	d.report.text("",
		"The slave has what the master has, and every byte of it went through the",
		"tunnel: TLS, each end proven by its grid host certificate. Either host can be",
		"the master, by one command.")
	return nil
}

// picture prints who connects to whom.
func (d *demo) picture() {
	port := func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return ":" + port
	}
	d.report.text(
		"MariaDB replication through gtunnel, on this machine",
		"",
		fmt.Sprintf("    %-41s%s", d.master.name, d.slave.name),
		"    mariadbd <--- gtunnel server <=== TLS === gtunnel client <--- mariadbd",
		fmt.Sprintf("    :%-13d%-28s%-20s:%d", d.master.port, port(d.master.accept), port(d.slave.accept), d.slave.port),
		"")
}

// end tells how the story ends without --keep.
func (d *demo) end() {
	d.report.text("",
		"Now everything is stopped and removed. `make demo KEEP=1` leaves it running and",
		"prints the commands to look around: rows, counters, replication status, logs.")
}

// explain says how to look around while everything runs.
func (d *demo) explain() {
	d.report.text("",
		"Everything still runs. To look around, in another terminal:",
		"",
		"    D="+d.dir,
		"    PATH="+filepath.Dir(d.binary)+":$PATH",
		"",
		"    mariadb -S $D/master/mysql/mysqld.sock quickstart   # write here",
		"    mariadb -S $D/slave/mysql/mysqld.sock quickstart    # read here",
		"    gtunnel replication status --socket $D/slave/mysql/mysqld.sock \\",
		"        --master "+d.slave.accept+" --master-defaults-file $D/slave/master.cnf",
		"    gtunnel status --admin unix:$D/master/gtunnel.sock",
		"    gtunnel status --admin unix:$D/slave/gtunnel.sock",
		"    tail $D/*/gtunnel.log $D/*/mysql/mysqld.log",
		"    cat $D/*/setup-*.log     # the plans: each step, its SQL, how to undo it",
		"    cat $D/commands          # what was started, and how",
		"",
		"Ctrl-C stops everything and removes the directory.")
}
