package pacemaker_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const password = "a-password-of-the-lab"

// TestPacemaker sets the example up as README.md says, and loses one thing after the other,
// while clients write to both servers all the time.
func TestPacemaker(t *testing.T) {
	l := newLab(t)
	l.step(t, "three hosts run: %s, %s, and %s with corosync-qnetd", server1.name, server2.name, quorum.name)
	l.setUpPair(t)
	l.setUpCluster(t)
	s := &story{lab: l, writers: startWriters(t, password)}
	s.whole(t, server1)

	s.event(t, "the master is moved to the other host: crm_resource --move", server2, func() {
		l.mustOn(t, server1, "crm_resource --move --resource pair-clone --promoted --node "+server2.name)
	})
	l.mustOn(t, server1, "crm_resource --clear --resource pair-clone")
	s.whole(t, server2)

	s.event(t, "the master's host is killed", server1, func() { l.mustRun(t, "kill", server2.id) }, server2)
	s.returns(t, server2)
	s.whole(t, server1)

	s.event(t, "the link between the two is cut; both reach the third host", server1, func() {
		l.mute(t, server1, server2)
		l.mute(t, server2, server1)
	}, server2)
	l.restore(t, server1)
	s.returns(t, server2)
	s.whole(t, server1)

	s.event(t, "the master is cut off from both others, and not from its clients", server2, func() {
		for _, h := range []*host{server2, quorum} {
			l.mute(t, server1, h)
			l.mute(t, h, server1)
		}
	}, server1)
	l.restore(t, server2)
	l.restore(t, quorum)
	s.returns(t, server1)
	s.whole(t, server2)

	s.byHand(t, server1)
	s.leftOpen(t, server1)
	s.returns(t, server1)
	s.whole(t, server2)
	l.step(t, "done")
}

// setUpPair makes the two a pair, by the steps of README.md.
func (l *lab) setUpPair(t *testing.T) {
	t.Helper()
	for _, h := range []*host{server1, server2} {
		l.mustOn(t, h, "install -m 0755 /lab/gtunnel /usr/bin/gtunnel && install -d /etc/gtunnel /etc/grid-security && "+
			"install -d -m 0700 /var/lib/gtunnel && "+
			"cp -r /lab/$(hostname)/* /etc/grid-security/ && chmod 0400 /etc/grid-security/hostkey.pem && "+
			"install -m 0644 /lab/gtunnel.toml /etc/gtunnel/")
		l.eventually(t, "the server of "+h.name+" answers", func() error {
			_, err := l.on(h, "mariadb -e 'SELECT 1'")
			return err
		})
	}
	const account = "SET sql_log_bin = 0; CREATE USER app@'%' IDENTIFIED BY '" + password + "'; " +
		"GRANT SELECT, INSERT ON app.* TO app@'%';"
	l.mustOn(t, server1, `mariadb -e "CREATE DATABASE app; CREATE TABLE app.writes (client VARCHAR(20), n INT, `+
		`made TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (client, n)); `+account+`"`)
	l.mustOn(t, server2, `mariadb -e "`+account+`"`)
	l.mustOn(t, server1, "gtunnel replication setup-master --databases app --yes")
	l.mustOn(t, server2, "echo '"+l.mustOn(t, server1, "cat /var/lib/gtunnel/hand-over.json")+
		"' | install -m 0600 /dev/stdin /var/lib/gtunnel/hand-over.json")
	l.mustOn(t, server2, "gtunnel replication setup-slave --semi-sync=40s --yes")
	l.step(t, "they are a pair: setup-master on %s, setup-slave on %s", server1.name, server2.name)
}

// setUpCluster puts the cluster over the pair.
func (l *lab) setUpCluster(t *testing.T) {
	t.Helper()
	for _, h := range []*host{server1, server2} {
		l.mustOn(t, h, "install -D -m 0755 /lab/agent /usr/lib/ocf/resource.d/gtunnel/gtunnel && "+
			"install -m 0644 /lab/corosync.conf /etc/corosync/ && install -m 0400 /lab/authkey /etc/corosync/")
	}
	l.eventually(t, "the cluster has both hosts and the third vote", func() error {
		out, err := l.on(server1, "corosync-quorumtool -s || true; crm_mon -1")
		for _, words := range []string{"Total votes:      3", "Online: [ " + server1.name + " " + server2.name + " ]"} {
			if err == nil && !strings.Contains(out, words) {
				err = errors.New(out)
			}
		}
		return err
	})
	l.step(t, "corosync has three votes of three, and Pacemaker both hosts")
	l.mustOn(t, server1, "crm configure load update /lab/cluster.crm")
	l.saw(t, "cluster.crm is loaded as it stands")
}

// mute lets what a host sends to another get lost without a word.
func (l *lab) mute(t *testing.T, from, to *host) {
	t.Helper()
	device := "ip -o -4 address show to " + from.ip + "/32 | awk '{print $2; exit}'"
	if from == quorum {
		device = "echo eth0"
	}
	l.mustOn(t, from, "ip neigh replace "+to.ip+" lladdr 02:00:00:00:00:99 nud permanent dev $("+device+")")
}

// restore makes the links of a host whole.
func (l *lab) restore(t *testing.T, h *host) {
	t.Helper()
	l.mustOn(t, h, "ip neigh flush nud permanent dev eth0")
}

// story is what the events have in common.
type story struct {
	*lab

	writers *writers
	begun   time.Time // the last event
}

// event does something, and waits until the service is written to on the host that is then
// to be the master.
func (s *story) event(t *testing.T, what string, master *host, do func(), off ...*host) {
	t.Helper()
	s.step(t, "%s", what)
	s.begun = time.Now()
	do()
	from := s.begun
	if len(off) > 0 {
		s.eventually(t, "the cluster fences", func() error { return s.isOff(off) })
		from = time.Now()
	}
	s.eventually(t, master.name+" serves", func() error {
		first := s.writers.taken(master.ip, from)
		if first.IsZero() || s.writers.since(address, first) < 3 {
			return errors.New("clients cannot write")
		}
		if turns, err := s.writers.oneMaster(); err != nil || turns[len(turns)-1] != master.ip {
			return fmt.Errorf("%v (%w)", turns, err)
		}
		return nil
	})
	s.step(t, "%s serves", master.name)
	s.saw(t, "a client of the service could not write for %.1f s", s.writers.pause(s.begun).Seconds())
	s.fenced(t, off)
	s.kept(t, master)
}

// isOff fails unless hosts are switched off.
func (s *story) isOff(hosts []*host) error {
	for _, h := range hosts {
		if running, err := s.run("inspect", "--format", "{{.State.Running}}", h.id); err != nil || running != "false" {
			return fmt.Errorf("%s is not switched off (%w)", h.name, err)
		}
	}
	return nil
}

// kept checks that there was one master, and that a host has all that was acknowledged.
func (s *story) kept(t *testing.T, h *host) {
	t.Helper()
	turns, err := s.writers.oneMaster()
	if err != nil {
		t.Error(err)
	}
	acks := s.writers.all()
	lost := missing(acks, s.rows(t, h))
	for _, a := range lost {
		t.Errorf("%s does not have the row %d of the client of %s, acknowledged at %s", h.name, a.row, a.client, a.end)
	}
	s.saw(t, "%d rows were acknowledged, %s lacks %d; no two servers took writes at one time: %s", len(acks), h.name,
		len(lost), strings.Join(turns, ", "))
}

// rows are those that a server has.
func (s *story) rows(t *testing.T, h *host) map[ack]bool {
	t.Helper()
	rows := map[ack]bool{}
	for line := range strings.Lines(s.mustOn(t, h, "mariadb -BNe 'SELECT client, n FROM app.writes'")) {
		var a ack
		if _, err := fmt.Sscan(line, &a.client, &a.row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows[a] = true
	}
	return rows
}

// fenced checks whom the cluster has switched off since the last event. One that is off
// already is asked for, too: that it is, is what the cluster wants to know.
func (s *story) fenced(t *testing.T, want []*host) {
	t.Helper()
	var names []string
	for _, h := range want {
		names = append(names, "off "+h.name)
	}
	if did := slices.Compact(s.pdu.asked()); !slices.Equal(did, names) {
		t.Errorf("the power distribution unit did %v, want %v", did, names)
	}
	if len(names) > 0 {
		s.saw(t, "the power distribution unit was asked to: %s", strings.Join(names, ", "))
	}
}

// returns switches a host on again.
func (s *story) returns(t *testing.T, h *host) {
	t.Helper()
	s.step(t, "%s is switched on again", h.name)
	s.mustRun(t, "start", h.id)
	s.eventually(t, h.name+" rejoins, or says why not", func() error {
		if s.healthy(h, h.peer()) == nil {
			s.saw(t, "it rejoined by its history")
			return nil
		}
		words := s.words(h.peer())
		if !strings.Contains(words, "rejoin: only a new copy makes this server a slave again") {
			return errors.New(words)
		}
		// What an administrator does, who has read that.
		s.saw(t, "crm_mon: start of pair has failed: rejoin: only a new copy makes this server a slave again ...")
		s.saw(t, "by hand: gtunnel replication rejoin --replace-databases app, and crm_resource --cleanup")
		s.eventually(t, "a new copy", func() error {
			_, err := s.on(h, "gtunnel replication rejoin --replace-databases app --skip-compare --yes")
			return err
		})
		s.mustOn(t, h, "ls /var/lib/gtunnel/errant-*.sql && crm_resource --cleanup --resource pair")
		return nil
	})
}

// mon is what crm_mon says.
type mon struct {
	Nodes []struct {
		Name    string `xml:"name,attr"`
		Online  bool   `xml:"online,attr"`
		Unclean bool   `xml:"unclean,attr"`
	} `xml:"nodes>node"`
	Pair []struct {
		Role   string `xml:"role,attr"`
		Failed bool   `xml:"failed,attr"`
		Node   struct {
			Name string `xml:"name,attr"`
		} `xml:"node"`
	} `xml:"resources>clone>resource"`
	History []struct {
		Name      string `xml:"name,attr"`
		Resources []struct {
			ID      string `xml:"id,attr"`
			Actions []struct {
				Task string `xml:"task,attr"`
			} `xml:"operation_history"`
		} `xml:"resource_history"`
	} `xml:"node_history>node"`
}

// mon asks a host's crm_mon.
func (l *lab) mon(h *host) (m mon, out string, err error) {
	out, err = l.on(h, "crm_mon --one-shot --output-as=xml")
	if err == nil {
		err = xml.Unmarshal([]byte(out), &m)
	}
	return m, out, err
}

// whole waits until a host is the master, the other its slave, and the cluster says so.
func (s *story) whole(t *testing.T, master *host) {
	t.Helper()
	s.eventually(t, master.name+" is the master, and "+master.peer().name+" its slave", func() error {
		m, out, err := s.mon(master)
		if err != nil {
			return err
		}
		roles := map[string]string{}
		for _, r := range m.Pair {
			roles[r.Node.Name] = r.Role
			if r.Failed {
				return fmt.Errorf("%s has failed:\n%s", r.Node.Name, out)
			}
		}
		if roles[master.name] != "Promoted" || roles[master.peer().name] != "Unpromoted" {
			return fmt.Errorf("the cluster has %v:\n%s", roles, s.words(master))
		}
		for _, h := range []*host{master, master.peer()} {
			if err := s.healthy(h, master); err != nil {
				return err
			}
		}
		return nil
	})
	s.step(t, "%s is the master and %s its slave, by the cluster and by gtunnel on both", master.name, master.peer().name)
	s.eventually(t, master.peer().name+" has what was acknowledged", func() error {
		acks := s.writers.all()
		if lost := missing(acks, s.rows(t, master.peer())); len(lost) > 0 {
			return fmt.Errorf("%d rows of %d are missing", len(lost), len(acks))
		}
		return nil
	})
	s.kept(t, master)
}

// words is what an administrator looks at.
func (s *story) words(h *host) string {
	out, _ := s.on(h, "crm_mon -1rf")
	return out
}

// healthy asks gtunnel on a host.
func (s *story) healthy(h, master *host) error {
	out, err := s.on(h, "gtunnel replication status --json || true")
	if err != nil {
		return err
	}
	var status struct {
		State   string
		Healthy bool
		Summary string
		Pair    struct {
			Term     struct{ Master string }
			Writable bool
		}
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if !status.Healthy || status.Pair.Term.Master != master.name || status.Pair.Writable != (h == master) {
		return fmt.Errorf("gtunnel on %s says %+v", h.name, status)
	}
	return nil
}
