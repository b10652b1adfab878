package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// vomsPair is two hosts that serve a VO: each with a VOMS server and all of its files.
type vomsPair struct {
	*twoHosts

	stopPeer func() // the VOMS server of b
}

// The VO, its files and the account of its VOMS servers.
const (
	vomsSchema = "/usr/share/voms/voms-mysql.data"
	vomsVO     = "ict.vo.ibergrid.eu"
	vomsPort   = "15001"
	vomsUser   = "voms_reader"
)

// needVOMS skips a test where there is no VOMS server.
func needVOMS(t *testing.T) {
	t.Helper()
	t.Attr("needs", "voms")
	if testing.Short() {
		t.Skip("left out by -short: needs a VOMS server")
	}
	_, err := exec.LookPath("voms")
	if _, missing := os.Stat(vomsSchema); err == nil {
		err = missing
	}
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("VOMS is missing (%v): .ci/install voms", err)
	} else if err != nil {
		t.Skipf("VOMS is not installed (%v): .ci/install voms", err)
	}
}

// TestVOMSPair checks a VO that is served from both hosts of a pair, and finds nothing. Then it
// takes one thing after the other away, finds it named, runs what the check says as it stands
// there, and nothing is found again.
func TestVOMSPair(t *testing.T) {
	needVOMS(t)
	t.Parallel()
	p := &vomsPair{twoHosts: newTwoHosts(t, servertest.MariaDB)}
	p.a.startGuard()
	p.b.startGuard()
	p.serve()
	p.isWell()
	for _, of := range []func(*vomsPair){
		(*vomsPair).lackVomses, (*vomsPair).lackLSC, (*vomsPair).lackNames, (*vomsPair).lackAdmin, (*vomsPair).lackRights,
		(*vomsPair).lackFiles, (*vomsPair).lackTables, (*vomsPair).lackServers,
	} {
		of(p)
		p.isWell()
		if t.Failed() {
			return
		}
	}
	p.changeRoles()
}

// in is a path below the folder of VOMS on the host.
func (h *pairHost) in(path ...string) string {
	return filepath.Join(append([]string{h.folder, "voms"}, path...)...)
}

// serve puts the VO into the database, and VOMS on both hosts.
func (p *vomsPair) serve() {
	p.t.Helper()
	schema, err := os.Open(vomsSchema)
	if err != nil {
		p.t.Fatal(err)
	}
	defer schema.Close()
	load := exec.CommandContext(p.t.Context(), "mariadb", "--socket", p.a.Server.Socket, "--user", p.a.Server.User,
		failovertest.Database)
	load.Stdin = schema
	if out, err := load.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v: %s", vomsSchema, err, out)
	}
	p.a.Exec("USE "+failovertest.Database, "INSERT INTO version VALUES (2)", "INSERT INTO seqnumber VALUES ('00')",
		"INSERT INTO ca (cid, ca) VALUES (1, '/DC=test/DC=gtunnel/CN=Test CA')",
		"INSERT INTO usr (userid, dn, ca) VALUES (1, '/DC=test/CN=user', 1)",
		"INSERT INTO `groups` (gid, dn) VALUES (1, '/"+vomsVO+"')", "INSERT INTO m (userid, gid) VALUES (1, 1)")
	for _, h := range []*pairHost{p.a, p.b} {
		h.alters("CREATE USER '"+vomsUser+"'@'localhost' IDENTIFIED BY 'reader-Pw1'",
			"GRANT SELECT ON "+failovertest.Database+".* TO '"+vomsUser+"'@'localhost'")
		h.writeVOMS()
	}
	p.B.Wait("SELECT COUNT(*) FROM "+failovertest.Database+".m", "1")
	p.startVOMS(p.a)
	p.stopPeer = p.startVOMS(p.b)
}

// writeVOMS writes the files of VOMS on the host: those of clients without the check's help.
func (h *pairHost) writeVOMS() {
	h.t.Helper()
	h.writeFile(h.in("etc", vomsVO, "voms.pass"), "reader-Pw1\n")
	if err := os.Chmod(h.in("etc", vomsVO, "voms.pass"), 0o640); err != nil {
		h.t.Fatal(err)
	}
	h.writeFile(h.in("etc", vomsVO, "voms.conf"), strings.Join([]string{
		"--vo=" + vomsVO, "--dbname=" + failovertest.Database, "--username=" + vomsUser, "--port=" + vomsPort,
		"--passfile=" + h.in("etc", vomsVO, "voms.pass"), "--mysql-socket=" + h.Server.Socket,
		"--sqlloc=/usr/lib/voms/libvomsmysql.so", "--newformat", "--logfile=" + h.in("voms.log"),
		"--x509_cert_dir=" + h.capath(), "--x509_user_cert=" + h.cert(), "--x509_user_key=" + h.key(),
	}, "\n")+"\n")
	h.writeFile(h.in("admin", vomsVO, "service.properties"), fmt.Sprintf(
		"# VOMS Admin\nvoms.hostname = %s\nvoms.registration.enabled = %t\nvoms.readonly = %[3]t\n",
		h.Name, h == h.pairOf.a, h != h.pairOf.a))
	lines := ""
	for _, of := range []*pairHost{h.pairOf.a, h.pairOf.b} {
		dn, issuer := of.names()
		lines += fmt.Sprintf("\"%s\" \"%s\" \"%s\" \"%s\" \"%[1]s\"\n", vomsVO, of.Name, vomsPort, dn)
		h.writeFile(h.in("vomsdir", vomsVO, of.Name+".lsc"), dn+"\n"+issuer+"\n")
	}
	h.writeFile(h.in("vomses"), lines)
}

// writeFile writes a file and the folders above it.
func (h *pairHost) writeFile(path, text string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// changeFile replaces a text in a file, which must have it.
func (h *pairHost) changeFile(path, from, to string) {
	h.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(content), from) {
		h.t.Fatalf("%s: no %q in %s (%v)", path, from, content, err)
	}
	h.writeFile(path, strings.Replace(string(content), from, to, 1))
}

// The host's certificate, as writeConfig has made it.
func (h *pairHost) cert() string   { return h.configured("cert") }
func (h *pairHost) key() string    { return h.configured("key") }
func (h *pairHost) capath() string { return h.configured("capath") }

// configured is a value of the configuration file.
func (h *pairHost) configured(key string) string {
	h.t.Helper()
	content, err := os.ReadFile(h.config)
	_, value, _ := strings.Cut(string(content), "\n"+key+" = \"")
	value, _, _ = strings.Cut(value, `"`)
	if err != nil || value == "" {
		h.t.Fatalf("no %s in %s: %v", key, content, err)
	}
	return value
}

// names are the DNs of the host's certificate and of its CA.
func (h *pairHost) names() (dn, issuer string) {
	h.t.Helper()
	chain, err := certs.ReadCertificates(h.cert())
	if err != nil {
		h.t.Fatal(err)
	}
	described, err := certs.Describe(chain, 0, certs.HostModeGrid)
	if err != nil {
		h.t.Fatal(err)
	}
	return described.DN, described.Issuer
}

// startVOMS runs the VOMS server of a host, which goes into the background. It ends by the
// function, or with the test.
func (p *vomsPair) startVOMS(h *pairHost) (stop func()) {
	p.t.Helper()
	conf := h.in("etc", vomsVO, "voms.conf")
	line := append(h.space.enter(), "voms", "--conf", conf)
	if out, err := exec.CommandContext(p.t.Context(), line[0], line[1:]...).CombinedOutput(); err != nil {
		p.t.Fatalf("voms on %s: %v: %s", h.Name, err, out)
	}
	stop = func() {
		for _, pid := range vomsProcesses(conf) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	p.t.Cleanup(stop)
	waitUntil(p.t, "a VOMS server on "+h.Name, func() bool {
		log, _ := os.ReadFile(h.in("voms.log"))
		return len(vomsProcesses(conf)) > 0 && !strings.Contains(string(log), "LOG_ERROR")
	})
	return stop
}

// vomsProcesses are the processes with an argument.
func vomsProcesses(argument string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil &&
			slices.Contains(strings.Split(string(line), "\x00"), argument) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// vomsFinding is one of a check.
type vomsFinding struct{ Level, About, Text, Cure string }

// checkVOMS runs the check on the host.
func (h *pairHost) checkVOMS(more ...string) (found []vomsFinding, out string, code int) {
	h.t.Helper()
	args := append([]string{
		"--voms=" + h.in("etc"), "--vomses", h.in("vomses"), "--vomsdir", h.in("vomsdir"), "--voms-admin", h.in("admin"),
		"--json",
	}, more...)
	out, code = h.try("check", args...)
	var result struct{ Findings []vomsFinding }
	text, _, _ := strings.Cut(out, "\n}\n")
	if err := json.Unmarshal([]byte(text+"\n}"), &result); err != nil {
		h.t.Fatalf("%s: %v:\n%s", h.Name, err, out)
	}
	return result.Findings, out, code
}

// isWell waits until the check of either host finds nothing, and has looked at everything.
func (p *vomsPair) isWell() {
	p.t.Helper()
	want := []string{
		"its VOMS server may only read", "VOMS Admin", "is read-only", "both hosts are in vomses", "their LSC files",
		"certificate of " + p.a.Name, "certificate of " + p.b.Name, "tables of voms the same",
	}
	for _, h := range []*pairHost{p.a, p.b} {
		pairs.WaitFor(p.t, databasePatience, "nothing to find on "+h.Name, func() (string, bool) {
			found, out, code := h.checkVOMS()
			bad := slices.ContainsFunc(found, func(f vomsFinding) bool { return f.Level != "ok" })
			lacks := slices.ContainsFunc(want, func(word string) bool { return !strings.Contains(out, word) })
			return out, code == 0 && !bad && !lacks
		})
	}
}

// vomsSays waits until the check on the host finds words at a level, and gives the cure.
func (h *pairHost) vomsSays(level, words string) (cure string) {
	h.t.Helper()
	pairs.WaitFor(h.t, databasePatience, "check on "+h.Name+" with "+words, func() (string, bool) {
		found, out, code := h.checkVOMS()
		i := slices.IndexFunc(found, func(f vomsFinding) bool { return f.Level == level && strings.Contains(f.Text, words) })
		if i >= 0 {
			cure = found[i].Cure
		}
		problem := slices.ContainsFunc(found, func(f vomsFinding) bool { return f.Level == "problem" })
		return out, i >= 0 && (code == 1) == problem
	})
	h.t.Logf("%s: %s: %s", h.Name, words, cure)
	return cure
}

// runsCure runs a cure in a shell, as it stands.
func (h *pairHost) runsCure(cure string) {
	h.t.Helper()
	h.writeFile(filepath.Join(h.folder, "bin", "systemctl"), "#!/bin/sh\n[ \"$*\" = \"restart voms-admin\" ]\n")
	if err := os.Chmod(filepath.Join(h.folder, "bin", "systemctl"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.CommandContext(h.t.Context(), "sh", "-ec", cure)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(h.folder, "bin")+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v: %s", cure, err, out)
	}
}

func (p *vomsPair) lackVomses() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		for _, of := range []*pairHost{p.a, p.b} {
			dn, _ := of.names()
			line := fmt.Sprintf("\"%s\" \"%s\" \"%s\" \"%s\" \"%[1]s\"\n", vomsVO, of.Name, vomsPort, dn)
			h.changeFile(h.in("vomses"), line, "")
			h.runsCure(h.vomsSays("problem", "vomses has no line of "+of.Name))
			h.changeFile(h.in("vomses"), dn, "/DC=test/CN=host/"+of.Name)
			h.runsCure(h.vomsSays("problem", "has the DN /DC=test/CN=host/"+of.Name+" of "+of.Name))
		}
	}
	if err := os.Remove(p.a.in("vomses")); err != nil {
		p.t.Fatal(err)
	}
	for _, of := range []*pairHost{p.a, p.b} { // into a directory, which is made
		p.a.runsCure(p.a.vomsSays("problem", "vomses has no line of "+of.Name))
	}
}

func (p *vomsPair) lackLSC() {
	p.t.Helper()
	for _, of := range []*pairHost{p.a, p.b} {
		file := p.b.in("vomsdir", vomsVO, of.Name+".lsc")
		if err := os.Remove(file); err != nil {
			p.t.Fatal(err)
		}
		p.b.runsCure(p.b.vomsSays("problem", "there is no "+file))
		p.b.isWellNow()
		dn, _ := of.names()
		p.b.changeFile(file, dn, "/DC=test/CN=old")
		p.b.runsCure(p.b.vomsSays("problem", file+" has other names than the certificate"))
		p.b.isWellNow()
	}
}

// isWellNow is isWell of one host, once.
func (h *pairHost) isWellNow() {
	h.t.Helper()
	if _, out, code := h.checkVOMS(); code != 0 {
		h.t.Errorf("%s: %s", h.Name, out)
	}
}

// lackNames gives the files of a VO names that they cannot have.
func (p *vomsPair) lackNames() {
	p.t.Helper()
	p.a.changeFile(p.a.in("etc", vomsVO, "voms.conf"), "--dbname="+failovertest.Database, "--dbname=elsewhere")
	p.a.vomsSays("problem", "the database elsewhere of the VO "+vomsVO)
	p.a.vomsSays("problem", "the VOMS server of "+vomsVO+" cannot use its database")
	p.a.changeFile(p.a.in("etc", vomsVO, "voms.conf"), "--dbname=elsewhere", "--dbname="+failovertest.Database)
	conf, own := p.b.in("etc", vomsVO, "voms.conf"), "--mysql-socket="+p.b.Server.Socket
	other, elsewhere := "--mysql-socket="+p.a.Server.Socket, "--contactstring=db.domain.one"
	p.b.changeFile(conf, own, other)
	p.b.vomsSays("problem", "which is not the server that is checked")
	p.b.changeFile(conf, other, elsewhere)
	p.b.vomsSays("problem", "has its database at db.domain.one:3306")
	p.b.changeFile(conf, elsewhere, own)
}

func (p *vomsPair) lackAdmin() {
	p.t.Helper()
	file := p.b.in("admin", vomsVO, "service.properties")
	p.b.changeFile(file, "voms.registration.enabled = false", "voms.registration.enabled = true")
	p.b.runsCure(p.b.vomsSays("problem", "takes requests for memberships"))
	p.b.changeFile(file, "\nvoms.registration.enabled = false", "")
	p.b.runsCure(p.b.vomsSays("problem", "takes requests for memberships"))
	p.b.changeFile(file, "voms.readonly = true", "voms.readonly=no")
	p.b.runsCure(p.b.vomsSays("warning", "takes its database for one that can be written to"))
	file = p.a.in("admin", vomsVO, "service.properties")
	p.a.changeFile(file, "voms.registration.enabled = true", "voms.registration.enabled: false")
	p.a.runsCure(p.a.vomsSays("warning", "takes no requests for memberships"))
	p.a.changeFile(file, "voms.readonly = false", "voms.readonly = yes")
	p.a.runsCure(p.a.vomsSays("warning", "is read-only"))
}

func (p *vomsPair) lackRights() {
	p.t.Helper()
	account := "'" + vomsUser + "'@'localhost'"
	for h, level := range map[*pairHost]string{p.a: "warning", p.b: "problem"} {
		h.alters("GRANT INSERT, UPDATE ON " + failovertest.Database + ".* TO " + account)
		cure, _, _ := strings.Cut(h.vomsSays(level, "INSERT on `voms`.*, UPDATE on `voms`.*"), "; and the same on")
		h.Exec(strings.Split(cure, "; ")...)
	}
	p.b.alters("REVOKE SELECT ON " + failovertest.Database + ".* FROM " + account)
	p.b.runsCure(p.b.vomsSays("problem", "cannot use its database"))
	p.b.isWellNow()
	p.b.alters("DROP USER " + account)
	p.b.runsCure(p.b.vomsSays("problem", "cannot use its database"))
	p.b.isWellNow()
	p.b.writeFile(p.b.in("etc", vomsVO, "voms.pass"), "reader-Pw1")
	p.b.runsCure(p.b.vomsSays("problem", "does not end in a newline"))
	if err := os.Chmod(p.b.in("etc", vomsVO, "voms.pass"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.b.runsCure(p.b.vomsSays("problem", "VOMS takes a file of mode 0640 only"))
	p.b.writeFile(p.b.in("etc", vomsVO, "voms.pass"), `an'other\-"Pw"$1`+"\n")
	p.b.runsCure(p.b.vomsSays("problem", "cannot use its database"))
	p.b.isWellNow()
}

// lackFiles damages files: each is named with the line.
func (p *vomsPair) lackFiles() {
	p.t.Helper()
	dn, _ := p.a.names()
	for _, f := range []struct{ path, from, to, words string }{
		{p.b.in("etc", vomsVO, "voms.conf"), "--newformat", "newformat", "voms.conf:8: "},
		{p.b.in("vomses"), "\"\n", "\n", "vomses:1: "},
		{p.b.in("vomsdir", vomsVO, p.a.Name+".lsc"), dn, "CN=server1", ".lsc:4: "},
		{
			p.b.in("admin", vomsVO, "service.properties"), "voms.readonly = true", "voms.readonly = perhaps",
			"neither true nor false",
		},
	} {
		content, err := os.ReadFile(f.path)
		if err != nil {
			p.t.Fatal(err)
		}
		p.b.changeFile(f.path, f.from, f.to)
		p.b.vomsSays("problem", f.words)
		p.b.writeFile(f.path, string(content))
	}
}

func (p *vomsPair) lackTables() {
	p.t.Helper()
	p.b.alters("INSERT INTO voms.usr (userid, dn, ca) VALUES (9, '/CN=nobody', 1)", "UPDATE voms.ca SET cadescr = 'x'")
	for _, h := range []*pairHost{p.a, p.b} {
		want := "gtunnel replication compare --databases voms"
		if h == p.a {
			want = "on " + p.b.Name + ": " + want
		}
		if cure := h.vomsSays("problem", "voms.ca (other rows), voms.usr ("); !strings.HasPrefix(cure, want) {
			p.t.Errorf("%s: %s", h.Name, cure)
		}
	}
	p.b.alters("DELETE FROM voms.usr WHERE userid = 9", "UPDATE voms.ca SET cadescr = NULL")
	kill(p.b.guard)
	p.b.open()
	p.a.vomsSays("problem", p.b.Name+" is the backup, and its server is not read-only")
	p.b.pastes(p.b.vomsSays("problem", "its server is not read-only"), "systemctl enable --now gtunnel-guard")
}

// lackServers takes the servers away that the check asks.
func (p *vomsPair) lackServers() {
	p.t.Helper()
	kill(p.b.tunnel)
	p.a.vomsSays("problem", "its server cannot be asked through the tunnel")
	p.b.startTunnel()
	p.stopPeer()
	p.a.vomsSays("ok", "the certificate of "+p.b.Name+" is good until")
	p.a.vomsSays("warning", "the VOMS server of "+vomsVO+" on "+p.b.Name+" does not answer")
	p.stopPeer = p.startVOMS(p.b)
}

// changeRoles changes who is the master: what VOMS Admin has to be on either host is told.
func (p *vomsPair) changeRoles() {
	p.t.Helper()
	p.b.again("switchover", "--yes")
	p.a.runsCure(p.a.vomsSays("problem", "takes requests for memberships"))
	p.a.runsCure(p.a.vomsSays("warning", "takes its database for one that can be written to"))
	for range 2 { // the registration, and the work
		p.b.runsCure(p.b.vomsSays("warning", "this host is the master, and VOMS Admin"))
	}
	p.isWell()
}
