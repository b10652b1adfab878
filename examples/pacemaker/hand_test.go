package pacemaker_test

import (
	"errors"
	"path/filepath"
	"regexp"
	"testing"
)

// maintained does something in the maintenance mode, as README.md says.
func (s *story) maintained(t *testing.T, h *host, do func()) {
	t.Helper()
	s.mustOn(t, h, "crm configure property maintenance-mode=true")
	do()
	s.mustOn(t, h.peer(), "crm configure property maintenance-mode=false")
}

// byHand switches over in the maintenance mode, and leaves the rest to the cluster.
func (s *story) byHand(t *testing.T, master *host) {
	t.Helper()
	s.event(t, "in the maintenance mode, gtunnel replication switchover --cluster by hand", master, func() {
		s.maintained(t, master, func() {
			s.mustOn(t, master, "gtunnel replication switchover --cluster --yes && crm resource refresh pair-clone")
		})
	})
	s.whole(t, master)
	// Since refresh Pacemaker has nothing in its history but what it has done after it.
	m, out, err := s.mon(master)
	if err != nil || len(m.History) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, node := range m.History {
		for _, r := range node.Resources {
			for _, a := range r.Actions {
				if r.ID == "pair" && a.Task != "probe" && a.Task != "monitor" {
					t.Errorf("the cluster did %s on %s, though all was well", a.Task, node.Name)
				}
			}
		}
	}
	s.saw(t, "the cluster has found the roles as they were, and closed and opened nothing")
}

// cures are the commands in the agent's words, when it does not know that a server is closed.
var cures = regexp.MustCompile(
	`may be open: start Pacemaker on it, or (stonith_admin --fence \S+); then (crm_resource --cleanup)`)

// leftOpen stops Pacemaker in the maintenance mode on the master, whose host then hangs. When the
// mode ends, Pacemaker would fence it, since the resource is active there to its knowledge; it is
// made to forget that. Then the node has left in order, to Pacemaker.
func (s *story) leftOpen(t *testing.T, master *host) {
	t.Helper()
	const what = "in the maintenance mode, Pacemaker is stopped on the master, and forgets it; its host hangs"
	s.event(t, what, master.peer(), func() {
		s.maintained(t, master, func() {
			// Without corosync's key boot does not start it again.
			s.mustOn(t, master, "mv /etc/corosync/authkey /root/ && pkill -x pacemakerd && "+
				"while pgrep -x pacemakerd >/dev/null; do sleep 0.2; done")
			s.mustRun(t, "pause", master.id)
			s.mustOn(t, master.peer(), "cibadmin --delete --xpath \"//node_state[@uname='"+master.name+"']/lrm\"")
		})
		var cure []string
		s.eventually(t, "the agent refuses to promote", func() error {
			words := s.words(master.peer())
			if cure = cures.FindStringSubmatch(words); cure == nil {
				return errors.New(words)
			}
			return nil
		})
		s.saw(t, "crm_mon: promote of pair has failed: %s", cure[0])
		s.fenced(t, nil)
		s.mustOn(t, master.peer(), cure[1]+" && "+cure[2])
	}, master)
	s.mustRun(t, "cp", filepath.Join(s.folder, "authkey"), master.id+":/etc/corosync/authkey")
}
