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

// fetching is a CApath whose lists fetch-crl fetches from a publisher.
type fetching struct {
	publisher    *crlServer
	root, other  *certstest.CA
	host         *certstest.Host // of root
	dir          string          // the CApath
	tool, config string          // of fetch-crl
	store        *certs.Store
}

func newFetching(t *testing.T) *fetching {
	t.Helper()
	tool, err := exec.LookPath("fetch-crl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("fetch-crl is not installed: ", err)
	}
	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	f := &fetching{
		publisher: &crlServer{lists: make(map[string][]byte)}, root: root, other: other,
		host: must(root.NewHost("host.test", sound)), dir: filepath.Join(t.TempDir(), "certificates"), tool: tool,
	}
	web := httptest.NewServer(f.publisher)
	t.Cleanup(web.Close)
	if err := certstest.WriteCApath(f.dir, root, other); err != nil {
		t.Fatal(err)
	}
	// What a CA's package says of where its list is.
	for name, ca := range map[string]*certstest.CA{"Root": root, "Other": other} {
		info := "alias = " + name + "\ncrl_url = " + web.URL + "/" + name +
			".crl\nstatus = accredited:classic\nversion = 1.0\n"
		writeFile(t, filepath.Join(f.dir, name+".info"), []byte(info), 0o644)
		newHash, oldHash := hashes(ca)
		for _, hash := range []string{newHash, oldHash} {
			if err := os.Symlink(name+".info", filepath.Join(f.dir, hash+".info")); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.config = writeFile(t, filepath.Join(t.TempDir(), "fetch-crl.conf"),
		[]byte("infodir = "+f.dir+"\noutput = "+f.dir+"\nstatepath = "+t.TempDir()+"\nformats = openssl\nnosymlinks\n"),
		0o644)
	f.store = must(certs.OpenStore(certs.StoreConfig{CApath: f.dir}))
	return f
}

func (f *fetching) fetch(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), f.tool, "-c", f.config, "-v", "-r", "0")
	command.Env = append(os.Environ(), "http_proxy=", "no_proxy=*")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("fetch-crl: %v\n%s", err, out)
	}
}

// revokes is a list of the root that names the hosts.
func (f *fetching) revokes(hosts ...*certstest.Host) []byte {
	o := current
	for _, h := range hosts {
		o = naming(o, h)
	}
	return must(f.root.NewCRL(o))
}

// verify judges the host, now.
func (f *fetching) verify() error {
	_, err := certs.Verify(f.store.Snapshot(), f.host.Chain,
		anyone(certs.PeerClient, time.Now(), certs.Policy{CRL: certs.CRLRequire}))
	return err
}

// TestFetchCRL has fetch-crl itself write the lists, under both hash names,
// beside leftovers that it never removes.
func TestFetchCRL(t *testing.T) {
	t.Attr("needs", "fetch-crl")
	if testing.Short() {
		t.Skip("left out by -short: needs fetch-crl")
	}
	f := newFetching(t)
	wantRefusal(t, f.verify(), certs.CodeCRLMissing)

	f.publisher.publish("/Root.crl", f.revokes())
	f.publisher.publish("/Other.crl", must(f.other.NewCRL(current)))
	f.fetch(t)
	wantChange(t, reload(t, f.store), "2 CRLs added: "+otherDN+", "+rootDN)
	if err := f.verify(); err != nil {
		t.Error(err)
	}
	f.checkLists(t)

	// Nothing new to fetch changes nothing.
	before := f.store.Snapshot()
	f.fetch(t)
	wantChange(t, reload(t, f.store))
	if f.store.Snapshot() != before {
		t.Error("another snapshot")
	}

	// What an earlier fetch left under another number stays there.
	newHash, oldHash := hashes(f.root)
	for _, hash := range []string{newHash, oldHash} {
		writeFile(t, filepath.Join(f.dir, hash+".r1"), pemOf("X509 CRL", must(f.root.NewCRL(stale))), 0o644)
	}
	reload(t, f.store)
	if err := f.verify(); err != nil {
		t.Errorf("beside a stale leftover: %v", err)
	}

	f.publisher.publish("/Root.crl", f.revokes(f.host))
	f.fetch(t)
	wantChange(t, reload(t, f.store), "1 CRL renewed: "+rootDN)
	refusal := wantRefusal(t, f.verify(), certs.CodeRevoked)
	if !strings.HasSuffix(refusal.File, ".r0") {
		t.Errorf("decided by %s", refusal.File)
	}

	// What is no list never takes the place of one: fetch-crl sees to it, or
	// the store.
	f.publisher.publish("/Root.crl", []byte("<html>Under construction</html>"))
	command := exec.CommandContext(t.Context(), f.tool, "-c", f.config, "-r", "0")
	out, _ := command.CombinedOutput() // it may complain
	t.Logf("fetch-crl on a page that is no list: %s", out)
	reload(t, f.store)
	wantRefusal(t, f.verify(), certs.CodeRevoked)
}

// checkLists checks that the root has one list, of the names that fetch-crl
// gives.
func (f *fetching) checkLists(t *testing.T) {
	t.Helper()
	newHash, oldHash := hashes(f.root)
	lists := findCA(t, f.store, rootDN).CRLs
	if len(lists) != 1 || len(lists[0].Files) == 0 {
		t.Fatalf("the lists %+v, want one", lists)
	}
	t.Logf("fetch-crl wrote %v", lists[0].Files)
	for _, file := range lists[0].Files {
		if base := filepath.Base(file); base != newHash+".r0" && base != oldHash+".r0" {
			t.Errorf("the list is %s", file)
		}
	}
}
