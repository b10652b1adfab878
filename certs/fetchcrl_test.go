package certs_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// crlServer serves CRLs as CAs do.
type crlServer struct {
	mu    sync.Mutex
	lists map[string][]byte // by path, DER
}

func (s *crlServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, ok := s.lists[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(list) // the client sees a cut answer itself
}

func (s *crlServer) publish(path string, list []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[path] = list
}

// TestFetchCRL has fetch-crl itself write the lists, under both hash names,
// beside leftovers that it never removes.
func TestFetchCRL(t *testing.T) {
	t.Attr("needs", "fetch-crl")
	if testing.Short() {
		t.Skip("left out by -short: needs fetch-crl")
	}
	tool, err := exec.LookPath("fetch-crl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("fetch-crl is not installed: ", err)
	}
	publisher := &crlServer{lists: make(map[string][]byte)}
	web := httptest.NewServer(publisher)
	defer web.Close()

	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root, other); err != nil {
		t.Fatal(err)
	}
	// What a CA's package says of where its list is.
	for name, ca := range map[string]*certstest.CA{"Root": root, "Other": other} {
		info := "alias = " + name + "\ncrl_url = " + web.URL + "/" + name +
			".crl\nstatus = accredited:classic\nversion = 1.0\n"
		writeFile(t, filepath.Join(dir, name+".info"), []byte(info), 0o644)
		newHash, oldHash := hashes(ca)
		for _, hash := range []string{newHash, oldHash} {
			if err := os.Symlink(name+".info", filepath.Join(dir, hash+".info")); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := writeFile(t, filepath.Join(t.TempDir(), "fetch-crl.conf"),
		[]byte("infodir = "+dir+"\noutput = "+dir+"\nstatepath = "+t.TempDir()+"\nformats = openssl\nnosymlinks\n"), 0o644)
	fetch := func() {
		t.Helper()
		command := exec.CommandContext(t.Context(), tool, "-c", config, "-v", "-r", "0")
		command.Env = append(os.Environ(), "http_proxy=", "no_proxy=*")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("fetch-crl: %v\n%s", err, out)
		}
	}
	revokes := func(hosts ...*certstest.Host) []byte {
		o := current
		for _, h := range hosts {
			o = naming(o, h)
		}
		return must(root.NewCRL(o))
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func() error {
		_, err := certs.Verify(store.Snapshot(), host.Chain,
			anyone(certs.RoleClient, time.Now(), certs.Policy{CRL: certs.CRLRequire}))
		return err
	}
	wantRefusal(t, verify(), certs.CodeCRLMissing)

	publisher.publish("/Root.crl", revokes())
	publisher.publish("/Other.crl", must(other.NewCRL(current)))
	fetch()
	const dn = "/DC=test/DC=gtunnel/CN=Root"
	wantChange(t, reload(t, store), "2 CRLs added: /DC=test/DC=gtunnel/CN=Other, "+dn)
	if err := verify(); err != nil {
		t.Error(err)
	}
	newHash, oldHash := hashes(root)
	lists := findCA(t, store, dn).CRLs
	if len(lists) != 1 || len(lists[0].Files) == 0 {
		t.Fatalf("the lists %+v, want one", lists)
	}
	t.Logf("fetch-crl wrote %v", lists[0].Files)
	for _, file := range lists[0].Files {
		if base := filepath.Base(file); base != newHash+".r0" && base != oldHash+".r0" {
			t.Errorf("the list is %s", file)
		}
	}

	// Nothing new to fetch changes nothing.
	before := store.Snapshot()
	fetch()
	wantChange(t, reload(t, store))
	if store.Snapshot() != before {
		t.Error("another snapshot")
	}

	// What an earlier fetch left under another number stays there.
	for _, hash := range []string{newHash, oldHash} {
		writeFile(t, filepath.Join(dir, hash+".r1"), pemOf("X509 CRL", must(root.NewCRL(stale))), 0o644)
	}
	reload(t, store)
	if err := verify(); err != nil {
		t.Errorf("beside a stale leftover: %v", err)
	}

	publisher.publish("/Root.crl", revokes(host))
	fetch()
	wantChange(t, reload(t, store), "1 CRL renewed: "+dn)
	refusal := wantRefusal(t, verify(), certs.CodeRevoked)
	if !strings.HasSuffix(refusal.File, ".r0") {
		t.Errorf("decided by %s", refusal.File)
	}

	// What is no list never takes the place of one: fetch-crl sees to it, or
	// the store.
	publisher.publish("/Root.crl", []byte("<html>Under construction</html>"))
	command := exec.CommandContext(t.Context(), tool, "-c", config, "-r", "0")
	out, _ := command.CombinedOutput() // it may complain
	t.Logf("fetch-crl on a page that is no list: %s", out)
	reload(t, store)
	wantRefusal(t, verify(), certs.CodeRevoked)
}
