package certs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// The names of the CAs of a changingCApath.
const rootDN, otherDN = "/DC=test/DC=gtunnel/CN=Root", "/DC=test/DC=gtunnel/CN=Other"

// changingCApath is a CApath of one CA, root, to which other is added.
type changingCApath struct {
	root, other         *certstest.CA
	host                *certstest.Host // of root
	dir                 string
	store               *certs.Store
	hash, oldHash       string // of root
	otherHash, otherOld string
	policy, names       string // files of root
}

func newChangingCApath(t *testing.T) *changingCApath {
	t.Helper()
	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	c := &changingCApath{
		root: root, other: other, host: must(root.NewHost("host.test", sound)),
		dir: filepath.Join(t.TempDir(), "certificates"),
	}
	if err := certstest.WriteCApath(c.dir, root); err != nil {
		t.Fatal(err)
	}
	c.store = must(certs.OpenStore(certs.StoreConfig{CApath: c.dir}))
	c.hash, c.oldHash = hashes(root)
	c.otherHash, c.otherOld = hashes(other)
	c.policy, c.names = filepath.Join(c.dir, "Root.signing_policy"), filepath.Join(c.dir, c.hash+".namespaces")
	return c
}

// verify judges the host.
func (c *changingCApath) verify(mode certs.CRLMode) error {
	_, err := certs.Verify(c.store.Snapshot(), c.host.Chain, anyone(certs.PeerClient, now, certs.Policy{CRL: mode}))
	return err
}

// TestReload changes a CApath step by step.
func TestReload(t *testing.T) {
	c := newChangingCApath(t)
	t.Run("nothing", c.nothingChanges)
	t.Run("files touched and written anew", c.filesTouched)
	t.Run("CA added", c.caAdded)
	t.Run("CRLs added, renewed, removed", c.crlsChange)
	t.Run("policy renewed", c.policyRenewed)
	t.Run("policy malformed", c.policyMalformed)
	t.Run("policy malformed from the beginning", c.policyMalformedFromTheBeginning)
	t.Run("CRL damaged, then of a stranger's key", c.crlDamaged)
	t.Run("CA damaged", c.caDamaged)
	t.Run("CA renewed with another key", c.caRenewed)
	t.Run("CA removed", c.caRemoved)
	t.Run("everything removed", c.everythingRemoved)
}

func (c *changingCApath) nothingChanges(t *testing.T) {
	before := c.store.Snapshot()
	wantChange(t, reload(t, c.store))
	wantChange(t, nil)
	if c.store.Snapshot() != before {
		t.Error("another snapshot")
	}
}

func (c *changingCApath) filesTouched(t *testing.T) {
	before := c.store.Snapshot()
	for _, file := range []string{"Root.pem", "Root.signing_policy"} {
		path := filepath.Join(c.dir, file)
		data := must(os.ReadFile(path))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, data, 0o644)
	}
	wantChange(t, reload(t, c.store))
	if c.store.Snapshot() != before {
		t.Error("another snapshot")
	}
}

func (c *changingCApath) caAdded(t *testing.T) {
	if err := certstest.WriteCApath(c.dir, c.other); err != nil {
		t.Fatal(err)
	}
	first := min(c.otherHash, c.otherOld)
	wantChange(t, reload(t, c.store), "1 CA added: "+otherDN,
		"1 policy added: "+filepath.Join(c.dir, first+".signing_policy"))
}

func (c *changingCApath) crlsChange(t *testing.T) {
	if _, err := certstest.WriteCRL(c.dir, c.root, current); err != nil {
		t.Fatal(err)
	}
	files := must(certstest.WriteCRL(c.dir, c.other, current))
	wantChange(t, reload(t, c.store), "2 CRLs added: "+otherDN+", "+rootDN)
	if err := c.verify(certs.CRLRequire); err != nil {
		t.Error(err)
	}
	must(certstest.WriteCRL(c.dir, c.root, naming(current, c.host)))
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	wantChange(t, reload(t, c.store), "1 CRL renewed: "+rootDN,
		"2 files are missing, and count as removed if they are not back in 10s: ")
	wantChange(t, secondLook(t, c.store), "1 CRL removed: "+otherDN, "2 missing files count as removed: ")
	wantRefusal(t, c.verify(certs.CRLIfValid), certs.CodeRevoked)
	must(certstest.WriteCRL(c.dir, c.root, current))
	wantChange(t, reload(t, c.store), "1 CRL renewed")
}

func (c *changingCApath) policyRenewed(t *testing.T) {
	sane := must(os.ReadFile(c.policy))
	writeFile(t, c.policy, []byte(signing("Root", `"/DC=org/*"`)), 0o644)
	wantChange(t, reload(t, c.store), "1 policy renewed: "+filepath.Join(c.dir, min(c.hash, c.oldHash)+".signing_policy"))
	wantRefusal(t, c.verify(certs.CRLIgnore), certs.CodePolicyDenied)
	writeFile(t, c.policy, sane, 0o644)
	wantChange(t, reload(t, c.store), "1 policy renewed")
}

func (c *changingCApath) policyMalformed(t *testing.T) {
	sane := must(os.ReadFile(c.policy))
	writeFile(t, c.policy, sane[:len(sane)-5], 0o644)
	change := reload(t, c.store)
	wantChange(t, change, "1 new problem: ")
	if len(change.Problems) != 1 || !strings.Contains(change.Problems[0].Message, "stays in use)") {
		t.Errorf("problems %v", change.Problems)
	}
	if err := c.verify(certs.CRLIgnore); err != nil {
		t.Error(err)
	}
	wantChange(t, reload(t, c.store))
	if err := os.Remove(c.policy); err != nil { // its links dangle
		t.Fatal(err)
	}
	wantChange(t, reload(t, c.store), "2 new problems", "1 problem solved")
	if err := c.verify(certs.CRLIgnore); err != nil {
		t.Error(err)
	}
	writeFile(t, c.policy, sane, 0o644)
	wantChange(t, reload(t, c.store), "2 problems solved")
}

func (c *changingCApath) policyMalformedFromTheBeginning(t *testing.T) {
	writeFile(t, c.names, []byte("TO"), 0o644)
	wantChange(t, reload(t, c.store), "1 policy added: "+c.names, "1 new problem: "+c.names)
	wantRefusal(t, c.verify(certs.CRLIgnore), certs.CodePolicyMalformed)
	if err := os.Remove(c.names); err != nil {
		t.Fatal(err)
	}
	wantChange(t, reload(t, c.store), "1 file is missing, and counts as removed if it is not back in 10s: "+c.names)
	wantChange(t, secondLook(t, c.store), "1 policy removed", "1 missing file counts as removed", "1 problem solved")
	if err := c.verify(certs.CRLIgnore); err != nil {
		t.Error(err)
	}
}

func (c *changingCApath) crlDamaged(t *testing.T) {
	file := filepath.Join(c.dir, c.hash+".r0")
	good := must(os.ReadFile(file))
	stranger := must(certstest.NewCA("Root", sound))
	if err := os.Remove(filepath.Join(c.dir, c.oldHash+".r0")); err != nil {
		t.Fatal(err)
	}
	reload(t, c.store)
	secondLook(t, c.store)
	for _, bad := range [][]byte{good[:100], nil, pemOf("X509 CRL", must(stranger.NewCRL(current)))} {
		writeFile(t, file, bad, 0o644)
		change := reload(t, c.store)
		if len(change.Problems) != 1 || change.Problems[0].File != file ||
			!strings.HasSuffix(change.Problems[0].Message, "stays in use)") {
			t.Errorf("problems %v", change.Problems)
		}
		if err := c.verify(certs.CRLRequire); err != nil {
			t.Error(err)
		}
		ca := findCA(t, c.store, rootDN)
		if !slices.ContainsFunc(ca.CRLs, func(list certs.CRL) bool { return list.LastGood && list.Unverified == "" }) ||
			len(ca.Problems) != 1 {
			t.Errorf("the CA shows the lists %+v and the problems %v", ca.CRLs, ca.Problems)
		}
	}
	writeFile(t, file, pemOf("X509 CRL", must(c.root.NewCRL(naming(current, c.host)))), 0o644)
	wantChange(t, reload(t, c.store), "1 CRL renewed", "1 problem solved")
	wantRefusal(t, c.verify(certs.CRLRequire), certs.CodeRevoked)
	writeFile(t, file, good, 0o644)
	reload(t, c.store)
}

func (c *changingCApath) caDamaged(t *testing.T) {
	file := filepath.Join(c.dir, "Root.pem")
	good := must(os.ReadFile(file))
	for _, bad := range [][]byte{
		good[:100], pemOf("CERTIFICATE", c.other.Certificate.Raw), pemOf("CERTIFICATE", c.host.Certificate.Raw),
	} {
		writeFile(t, file, bad, 0o644)
		if change := reload(t, c.store); len(change.Problems) == 0 || len(change.CAs.Removed)+len(change.CAs.Renewed) > 0 {
			t.Errorf("the change %v", change)
		}
		if err := c.verify(certs.CRLRequire); err != nil {
			t.Error(err)
		}
	}
	writeFile(t, file, good, 0o644)
	if change := reload(t, c.store); len(change.Problems) > 0 || len(change.Solved) == 0 {
		t.Errorf("the change %v", change)
	}
	if problems := c.store.Snapshot().Problems(); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
}

func (c *changingCApath) caRenewed(t *testing.T) {
	file := filepath.Join(c.dir, "Other.pem")
	renewed := must(certstest.NewCA("Other", sound))
	writeFile(t, file, pemOf("CERTIFICATE", renewed.Certificate.Raw), 0o644)
	wantChange(t, reload(t, c.store), "1 CA renewed: "+otherDN)
}

func (c *changingCApath) caRemoved(t *testing.T) {
	for _, pattern := range []string{"Root.*", c.hash + ".*", c.oldHash + ".*"} {
		for _, file := range must(filepath.Glob(filepath.Join(c.dir, pattern))) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	reload(t, c.store)
	wantChange(t, secondLook(t, c.store), "1 CA removed: "+rootDN, "1 CRL removed: "+rootDN, "1 policy removed",
		"5 missing files count as removed")
	wantRefusal(t, c.verify(certs.CRLIgnore), certs.CodeUnknownCA)
}

func (c *changingCApath) everythingRemoved(t *testing.T) {
	before := c.store.Snapshot()
	for _, empty := range []bool{true, false} {
		if err := os.RemoveAll(c.dir); err != nil {
			t.Fatal(err)
		}
		if empty {
			if err := os.Mkdir(c.dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.store.Reload()
		wantHint(t, err, c.dir, "‹capath›")
		if c.store.Snapshot() != before {
			t.Error("the old trust is gone")
		}
	}
	if err := certstest.WriteCApath(c.dir, c.root); err != nil {
		t.Fatal(err)
	}
	wantChange(t, reload(t, c.store), "1 CA added: "+rootDN, "1 policy added", "4 files are missing")
	wantChange(t, secondLook(t, c.store), "1 CA removed: "+otherDN, "1 policy removed", "4 missing files count as removed")
}
