package certstest_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// openssl runs the real tool and returns what it prints.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed, and CI requires it: apt-get install openssl")
		}
		t.Skip("openssl is not installed")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestOpenSSLAcceptsChain(t *testing.T) {
	for _, kind := range []certstest.KeyType{"", certstest.ECDSA, certstest.RSA} {
		t.Run("key="+string(kind), func(t *testing.T) {
			o := certstest.Options{KeyType: kind}
			root := must(certstest.NewCA("Test Root", o))(t)
			sub := must(root.NewSubordinate("Test Subordinate", o))(t)
			host := must(sub.NewHost("master.example.org", o))(t)
			dir := t.TempDir()
			if err := certstest.WriteCApath(dir, root); err != nil {
				t.Fatal(err)
			}
			certFile, keyFile, err := host.Write(filepath.Join(dir, "host"))
			if err != nil {
				t.Fatal(err)
			}
			out, err := openssl(t, "verify", "-x509_strict", "-no-CAfile", "-no-CAstore", "-CApath", dir,
				"-verify_hostname", "master.example.org", "-untrusted", certFile, certFile)
			if err != nil {
				t.Fatalf("openssl verify: %v\n%s", err, out)
			}
			public := must(openssl(t, "x509", "-in", certFile, "-noout", "-pubkey"))(t)
			if got := must(openssl(t, "pkey", "-in", keyFile, "-pubout"))(t); got != public {
				t.Errorf("the key file's public key is\n%s\nthe certificate's is\n%s", got, public)
			}
			if out, err := openssl(t, "verify", "-no-CAfile", "-no-CAstore", "-CApath", t.TempDir(),
				"-untrusted", certFile, certFile); err == nil {
				t.Errorf("openssl verify accepts the chain without its CA:\n%s", out)
			}
		})
	}
}

func TestWriteCApathHashes(t *testing.T) {
	for _, name := range []string{
		"Root", "  Many   Blanks\tand UPPER case  ", "Universität Zürich CA", `O'Brien "CA" \ 1`,
	} {
		t.Run(name, func(t *testing.T) {
			ca := must(certstest.NewCA(name, certstest.Options{}))(t)
			dir := t.TempDir()
			if err := certstest.WriteCApath(dir, ca); err != nil {
				t.Fatal(err)
			}
			files := must(filepath.Glob(filepath.Join(dir, "*.pem")))(t)
			if len(files) != 1 {
				t.Fatalf("%d .pem files, want 1: %q", len(files), files)
			}
			for _, flag := range []string{"-subject_hash", "-subject_hash_old"} {
				hash := must(openssl(t, "x509", "-noout", flag, "-in", files[0]))(t)
				checkLink(t, filepath.Join(dir, hash+".0"), filepath.Base(files[0]))
				policy := strings.TrimSuffix(filepath.Base(files[0]), ".pem") + ".signing_policy"
				checkLink(t, filepath.Join(dir, hash+".signing_policy"), policy)
			}
		})
	}
}

func checkLink(t *testing.T, link, target string) {
	t.Helper()
	got, err := os.Readlink(link)
	if err != nil {
		t.Error(err)
	} else if got != target {
		t.Errorf("%s points to %s, want %s", link, got, target)
	}
}

func TestWriteCApathAgain(t *testing.T) {
	dir := t.TempDir()
	first := must(certstest.NewCA("Same Name", certstest.Options{}))(t)
	second := must(certstest.NewCA("Same Name", certstest.Options{}))(t)
	third := must(certstest.NewCA("Third", certstest.Options{}))(t)
	for _, cas := range [][]*certstest.CA{{first}, {first}, {second, third}, {first, second, third}} {
		if err := certstest.WriteCApath(dir, cas...); err != nil {
			t.Fatal(err)
		}
	}
	var plain, links []string
	for _, entry := range must(os.ReadDir(dir))(t) {
		if entry.Type()&os.ModeSymlink != 0 {
			links = append(links, entry.Name())
			if _, err := os.Stat(filepath.Join(dir, entry.Name())); err != nil {
				t.Errorf("dangling link: %v", err)
			}
			continue
		}
		plain = append(plain, entry.Name())
		info := must(entry.Info())(t)
		if info.Mode().Perm() != 0o644 {
			t.Errorf("%s has mode %v, want 0644", entry.Name(), info.Mode().Perm())
		}
	}
	want := []string{
		"Same-Name-2.pem", "Same-Name-2.signing_policy", "Same-Name.pem", "Same-Name.signing_policy",
		"Third.pem", "Third.signing_policy",
	}
	if !slices.Equal(plain, want) {
		t.Errorf("files %q, want %q", plain, want)
	}
	// Two hashes for each DN; .0 and .1 for the first DN, one policy per DN.
	if len(links) != 2*(2+1)+2*(1+1) {
		t.Errorf("%d links, want 10: %q", len(links), links)
	}
	for _, ca := range []*certstest.CA{first, second, third} {
		host := must(ca.NewHost("a.example.org", certstest.Options{}))(t)
		certFile, _, err := host.Write(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if out, err := openssl(t, "verify", "-no-CAfile", "-no-CAstore", "-CApath", dir, certFile); err != nil {
			t.Errorf("openssl verify: %v\n%s", err, out)
		}
	}
}

func TestSigningPolicy(t *testing.T) {
	ca := must(certstest.NewCA("It's CA", certstest.Options{}))(t)
	dir := t.TempDir()
	if err := certstest.WriteCApath(dir, ca); err != nil {
		t.Fatal(err)
	}
	text := string(must(os.ReadFile(filepath.Join(dir, "It-s-CA.signing_policy")))(t))
	for _, line := range []string{
		`access_id_CA   X509    '/DC=test/DC=gtunnel/CN=It\'s CA'`,
		`pos_rights     globus  CA:sign`,
		`cond_subjects  globus  '"/DC=test/DC=gtunnel/*"'`,
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("the policy has no line %s:\n%s", line, text)
		}
	}
}

func TestHostNames(t *testing.T) {
	ca := must(certstest.NewCA("Root", certstest.Options{}))(t)
	for _, test := range []struct {
		about string
		o     certstest.Options
		cn    string
		dns   []string
		ips   []string
	}{
		{"name", certstest.Options{}, "a.example.org", []string{"a.example.org"}, nil},
		{
			"common name only",
			certstest.Options{CommonName: "host/a.example.org", DNSNames: []string{}},
			"host/a.example.org",
			nil, nil,
		},
		{
			"other names",
			certstest.Options{DNSNames: []string{"b", "*.c"}, IPs: []string{"127.0.0.2", "::1"}},
			"a.example.org",
			[]string{"b", "*.c"},
			[]string{"127.0.0.2", "::1"},
		},
	} {
		t.Run(test.about, func(t *testing.T) {
			host := must(ca.NewHost("a.example.org", test.o))(t)
			c := host.Certificate
			if c.Subject.CommonName != test.cn || !slices.Equal(c.DNSNames, test.dns) {
				t.Errorf("CN %q and dNSName %q, want %q and %q", c.Subject.CommonName, c.DNSNames, test.cn, test.dns)
			}
			if !slices.EqualFunc(c.IPAddresses, test.ips, func(ip net.IP, text string) bool { return ip.String() == text }) {
				t.Errorf("iPAddress %v, want %q", c.IPAddresses, test.ips)
			}
			certFile, _, err := host.Write(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			want := "subject=CN=" + test.cn + ",O=hosts,DC=gtunnel,DC=test"
			if got := must(openssl(t, "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", certFile))(t); got != want {
				t.Errorf("openssl prints %s, want %s", got, want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	from, to := time.Now().Add(-48*time.Hour).Truncate(time.Second), time.Now().Add(-24*time.Hour).Truncate(time.Second)
	ca := must(certstest.NewCA("Root", certstest.Options{KeyType: certstest.RSA}))(t)
	host := must(ca.NewHost("a", certstest.Options{
		NotBefore: from, NotAfter: to,
		Mutate: func(c *x509.Certificate) { c.ExtKeyUsage = nil; c.Subject.CommonName = "mutated" },
	}))(t)
	c := host.Certificate
	if !c.NotBefore.Equal(from) || !c.NotAfter.Equal(to) {
		t.Errorf("valid from %v to %v, want %v to %v", c.NotBefore, c.NotAfter, from, to)
	}
	if len(c.ExtKeyUsage) != 0 || c.Subject.String() != "CN=mutated" {
		t.Errorf("Mutate has no effect: usages %v, subject %v", c.ExtKeyUsage, c.Subject)
	}
	if _, ok := ca.Key.(*rsa.PrivateKey); !ok {
		t.Errorf("the CA's key is a %T, want RSA", ca.Key)
	}
	if _, ok := host.Key.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the host's key is a %T, want ECDSA", host.Key)
	}
	if c.SerialNumber.Sign() != 1 || c.SerialNumber.Cmp(ca.Certificate.SerialNumber) == 0 {
		t.Errorf("serial numbers %v and %v, want positive and different", c.SerialNumber, ca.Certificate.SerialNumber)
	}
	for about, call := range map[string]func() error{
		"key type": func() error { _, err := certstest.NewCA("x", certstest.Options{KeyType: "dsa"}); return err },
		"IP":       func() error { _, err := ca.NewHost("x", certstest.Options{IPs: []string{"1.2.3"}}); return err },
		"no name":  func() error { _, err := ca.NewSubordinate("", certstest.Options{}); return err },
	} {
		if call() == nil {
			t.Errorf("%s: no error", about)
		}
	}
}

func TestWriteHost(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))(t)
	upper := must(root.NewSubordinate("Upper", certstest.Options{}))(t)
	lower := must(upper.NewSubordinate("Lower", certstest.Options{}))(t)
	host := must(lower.NewHost("a.example.org", certstest.Options{}))(t)
	dir := filepath.Join(t.TempDir(), "etc", "grid-security")
	for range 2 { // the second replaces files without write permission
		certFile, keyFile, err := host.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		for file, mode := range map[string]os.FileMode{certFile: 0o644, keyFile: 0o400} {
			if info := must(os.Stat(file))(t); info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v, want %v", file, info.Mode().Perm(), mode)
			}
		}
		var names []string
		for rest := must(os.ReadFile(certFile))(t); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			names = append(names, must(x509.ParseCertificate(block.Bytes))(t).Subject.CommonName)
		}
		if want := []string{"a.example.org", "Lower", "Upper"}; !slices.Equal(names, want) {
			t.Errorf("the chain is %q, want %q", names, want)
		}
	}
	if entries := must(os.ReadDir(dir))(t); len(entries) != 2 {
		t.Errorf("%d files in the directory, want 2: %v", len(entries), entries)
	}
}
