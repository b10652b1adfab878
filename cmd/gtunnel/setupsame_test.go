package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// refusesMasterItself runs the commands of the slave on the host of the master, whose
// tunnel leads to that very server. Nothing is planned, by whatever address.
func (p *pair) refusesMasterItself() {
	p.t.Helper()
	const said = "the master itself: both logins reach one server"
	if err := os.Remove(filepath.Join(p.folder, "password")); err != nil { // of another account
		p.t.Fatal(err)
	}
	boss := p.administrator()
	here := func(args []string, addressed ...string) []string {
		args = append(slices.Clone(args), addressed...)
		args[slices.Index(args, "--socket")+1] = p.master.Socket
		args[slices.Index(args, "--user")+1] = p.master.User
		return args
	}
	check := []string{"replication", "check", "--socket", "", "--user", "", "--hand-over", p.handOver()}
	status := []string{"replication", "status", "--socket", "", "--user", ""}
	compare := []string{"replication", "compare", "--socket", "", "--user", "", "--state-dir", p.stateDir()}
	repair := append(slices.Clone(compare), "--repair-table", "voms.t", "--yes")
	for _, address := range []string{p.end, p.master.Address()} {
		for _, args := range [][]string{
			here(p.setupSlaveArgs("--replace-databases", "voms"), "--master", address),
			here(p.setupSlaveArgs(append(boss, "--databases", "voms", "--replace-databases", "voms")...), "--master", address),
			here(check, "--master", address),
			here(compare, append(boss, "--master", address)...),
			here(repair, append(boss, "--master", address)...),
		} {
			out := p.unchanged(p.master, 1, said, args...)
			if !strings.Contains(out, "run it on the host of the slave") || strings.Contains(out, "DROP") {
				p.t.Errorf("it does not say what to do, or plans:\n%s", out)
			}
		}
	}
	out, _ := p.run(p.master, here(status, append(boss, "--master", p.end)...)...) // which knows a master
	if !strings.Contains(out, "this server is a master") || strings.Contains(out, "setup-slave") {
		p.t.Errorf("status on the master says:\n%s", out)
	}
	for _, other := range [][]string{check, append(status, boss...)} {
		other = append(slices.Clone(other), "--master", p.end)
		other[slices.Index(other, "--socket")+1] = p.slave.Socket
		other[slices.Index(other, "--user")+1] = p.slave.User
		if out, _ := p.run(p.slave, other...); strings.Contains(out, "the master itself") {
			p.t.Errorf("the slave is taken for the master:\n%s", out)
		}
	}
	p.sql(p.master, "DROP USER boss@'127.0.0.1'")
}
