package replication_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// The image that has MariaDB's client and a shell's tools.
const image = "gtunnel-example/database"

// TestReplication starts the example, restarts each of its programs, and looks at
// what the hosts can reach of each other.
func TestReplication(t *testing.T) {
	s := start(t)
	s.rowsArrive(t, "at the start")

	t.Run("the tunnel carries it", s.tunnelCarries)
	t.Run("gtunnel says so", s.healthy)
	t.Run("gtunnel is locked in", s.locked)
	t.Run("the hosts are apart", s.apart)
	t.Run("secrets stay where they belong", s.secrets)

	// A slave waits ten seconds before it tries again, so what it has to wait for is one.
	for _, services := range [][]string{{"master-gtunnel", "slave-gtunnel", "master-db"}, {"slave-db"}} {
		names := strings.Join(services, " and ")
		t.Run(names+" restart", func(t *testing.T) {
			command := []string{"restart"}
			for _, service := range services {
				command = append(command, s.container(t, service))
			}
			s.mustRun(t, command...)
			s.rowsArrive(t, "after the restart of "+names)
		})
	}
	t.Run("everything stops, and up starts it again", func(t *testing.T) {
		before := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image,
			"/c/hostcert.pem")
		ids, err := s.list("ps", "-q")
		if err != nil || len(ids) != 6 {
			t.Fatalf("%d containers run, error %v; want 6", len(ids), err)
		}
		s.mustRun(t, append([]string{"stop"}, ids...)...)
		s.up(t)
		s.rowsArrive(t, "after a second up")
		if after := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image,
			"/c/hostcert.pem"); after != before {
			t.Error("the second up made new certificates; the old ones were sound")
		}
	})
}

// rowsArrive writes rows on the master and waits until the slave has all that
// the master has.
func (s *stack) rowsArrive(t *testing.T, text string) {
	t.Helper()
	const (
		insert = `INSERT INTO example.entries (text) SELECT '%s' FROM seq_1_to_100`
		all    = `SELECT COUNT(*), SUM(text = '%s'), BIT_XOR(CRC32(CONCAT_WS('#', id, made, text))) FROM example.entries`
	)
	s.eventually(t, "write on the master "+text, func() error {
		_, err := s.sql(t, "master-db", "USE example; "+fmt.Sprintf(insert, text))
		return err
	})
	want, err := s.sql(t, "master-db", fmt.Sprintf(all, text))
	if err != nil {
		t.Fatal(err)
	}
	var total, fresh int
	if _, err := fmt.Sscan(want, &total, &fresh); err != nil || fresh < 100 {
		t.Fatalf("the master has %q (%v), want 100 rows or more with the text %q", want, err, text)
	}
	s.eventually(t, "read on the slave "+text, func() error {
		got, err := s.sql(t, "slave-db", fmt.Sprintf(all, text))
		if err == nil && got != want {
			err = fmt.Errorf("it has %q, the master has %q", got, want)
		}
		return err
	})
}

// locked looks at the gtunnel processes from inside their containers' process
// name spaces: what they may do, not what the compose file asks for.
func (s *stack) locked(t *testing.T) {
	for _, service := range []string{"master-gtunnel", "slave-gtunnel"} {
		out := s.mustRun(t, "run", "--rm", "--network", "none", "--pid", "container:"+s.container(t, service),
			"--user", "65532", "--entrypoint", "cat", image, "/proc/1/comm", "/proc/1/status", "/proc/1/mountinfo")
		lines := strings.Split(out, "\n")
		if lines[0] != "gtunnel" {
			t.Fatalf("%s: the process is %q, want gtunnel", service, lines[0])
		}
		found := map[string]string{}
		for _, line := range lines {
			if key, value, ok := strings.Cut(line, ":\t"); ok {
				found[key] = value
			} else if fields := strings.Fields(line); len(fields) > 6 && fields[4] == "/" {
				found["root"] = fields[5]
			}
		}
		const none = "0000000000000000"
		for key, want := range map[string]string{
			"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
			"NoNewPrivs": "1",
			"Uid":        "65532\t65532\t65532\t65532",
			"Gid":        "65532\t65532\t65532\t65532",
		} {
			if found[key] != want {
				t.Errorf("%s: %s is %q, want %q", service, key, found[key], want)
			}
		}
		if !slices.Contains(strings.Split(found["root"], ","), "ro") {
			t.Errorf("%s: the root file system is mounted %q, want ro", service, found["root"])
		}
	}
}

// healthy asks gtunnel how the replication stands, and has it compare the data.
func (s *stack) healthy(t *testing.T) {
	for command, want := range map[string]string{
		"status":  "ok: the slave has applied all that the master has",
		"compare": "1 of 1 table equal",
	} {
		s.eventually(t, "gtunnel replication "+command, func() error {
			out, err := s.run("exec", s.container(t, "slave-db"), "gtunnel", "replication", command)
			if err == nil && !strings.Contains(out, want) {
				err = errors.New("it says " + out)
			}
			return err
		})
	}
}

// apart proves that a host reaches the other through the tunnel only.
func (s *stack) apart(t *testing.T) {
	members, err := s.run("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", s.project+"_internet")
	got := strings.Fields(members)
	slices.Sort(got)
	want := []string{s.project + "_master-host_1", s.project + "_slave-host_1"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("on the internet there are %v (%v), want %v", got, err, want)
	}

	// Each tries to log in as somebody whom no database knows.
	const (
		answered = "Access denied"   // by a database
		silent   = "Lost connection" // by what speaks TLS, and no word to who does not
		nobody   = "Can't connect"
	)
	internet := []string{"run", "--rm", "--network", s.project + "_internet", "--entrypoint", "mariadb", image}
	slave := []string{"exec", s.container(t, "slave-db"), "mariadb"}
	for name, test := range map[string]struct {
		client     []string
		host, port string
		want       string
	}{
		"the slave, through the tunnel":          {slave, "127.0.0.1", "3307", answered},
		"the slave, around its tunnel":           {slave, "master.example.org", "3307", silent},
		"the slave, directly":                    {slave, "master.example.org", "3306", nobody},
		"the internet, by the tunnel":            {internet, "master.example.org", "3307", silent},
		"the internet, directly":                 {internet, "master.example.org", "3306", nobody},
		"the internet, to the slave":             {internet, "slave.example.org", "3306", nobody},
		"the internet, by the slave's plain end": {internet, "slave.example.org", "3307", nobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.run(append(test.client, "--host", test.host, "--port", test.port, "--user", "nobody",
				"--connect-timeout", "10", "-e", "SELECT 1")...)
			if err == nil {
				t.Fatal("the login succeeded")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %s", err, test.want)
			}
		})
	}
}

// secrets looks for the keys and the password where they should not be.
func (s *stack) secrets(t *testing.T) {
	for volume, want := range map[string][]string{
		"master-credentials": {"certificates", "master-gtunnel"},
		"slave-credentials":  {"certificates", "slave-gtunnel"},
		"hand-over":          {"master-setup", "slave-setup"},
	} {
		got, err := s.list("ps", "-a", "--filter", "volume="+s.project+"_"+volume, "--format",
			`{{.Label "com.docker.compose.service"}}`)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is mounted by %v (%v), want %v", volume, got, err, want)
		}
	}

	handOver := s.mustRun(t, "run", "--rm", "-v", s.project+"_hand-over:/h:ro", "--entrypoint", "cat", image,
		"/h/hand-over.json")
	var passwords struct{ Passwords map[string]string }
	if err := json.Unmarshal([]byte(handOver), &passwords); err != nil || len(passwords.Passwords) != 3 {
		t.Fatalf("the hand-over file has %d passwords (%v), want 3", len(passwords.Passwords), err)
	}
	ids, err := s.list("ps", "-a", "-q")
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"the description of a container": s.mustRun(t, append([]string{"inspect"}, ids...)...)}
	for _, id := range ids {
		logs, err := exec.CommandContext(s.ctx, s.docker, "logs", id).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		places["the log of "+id] = string(logs)
	}
	for account, password := range passwords.Passwords {
		if len(password) < 20 {
			t.Errorf("the password of %s has %d characters, want 20 or more", account, len(password))
		}
		for place, text := range places {
			if strings.Contains(text, password) {
				t.Errorf("the password of %s is in %s", account, place)
			}
		}
	}
}

// tunnelCarries asks the gtunnel processes what they carry: the replication's
// session, and nothing else.
func (s *stack) tunnelCarries(t *testing.T) {
	for service, peer := range map[string]string{
		"master-gtunnel": "/DC=test/DC=gtunnel/O=hosts/CN=slave.example.org",
		"slave-gtunnel":  "/DC=test/DC=gtunnel/O=hosts/CN=master.example.org",
	} {
		s.eventually(t, "gtunnel status of "+service, func() error {
			out, err := s.run("exec", s.container(t, service), "gtunnel", "status", "--json")
			if err != nil {
				return err
			}
			var status tunnel.AdminStatus
			if err := json.Unmarshal([]byte(out), &status); err != nil {
				return err
			}
			if len(status.Tunnels) != 1 || len(status.Tunnels[0].Sessions) != 1 {
				return fmt.Errorf("want one tunnel with one session, have %s", out)
			}
			session := status.Tunnels[0].Sessions[0]
			if session.PeerDN != peer || session.BytesFromPeer == 0 || session.BytesToPeer == 0 {
				return fmt.Errorf("session is %+v, want bytes both ways with %s", session, peer)
			}
			return nil
		})
	}
}
