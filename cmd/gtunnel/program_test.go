package main_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
)

func TestMain(m *testing.M) {
	testscript.Main(cleaningMain{M: m}, map[string]func(){
		"gtunnel": func() {
			m := gtunnel.Main{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
			os.Exit(m.Run(context.Background()))
		},
		"without-ipv6": withoutIPv6,
	})
}

// cleaningMain removes what the tests share, at their end.
type cleaningMain struct{ *testing.M }

func (m cleaningMain) Run() int {
	// The admin sockets of the tests are not beside those of this host.
	folder, err := os.MkdirTemp("", "gtunnel-run-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	os.Setenv("RUNTIME_DIRECTORY", folder)
	defer removeBinary()
	defer closeLab()
	defer failoverTimes.print(os.Stdout)
	return m.M.Run()
}

// TestScript runs the command lines of testdata/script. Beside testscript's
// own commands they have:
//
//   - exits CODE PROGRAM ARG...: runs a program that must end with this code.
//   - ca NAME [DIR]: makes the CA NAME and, if DIR is given, a CApath there.
//   - host CA NAME DIR [expired|expiring|rsa|loopback|commonname|serveronly]:
//     makes a host's certificate and key in DIR.
//   - crl CA DIR [stale] [CERT]: makes the CA's revocation list in the CApath
//     DIR; it revokes the first certificate of the file CERT.
//   - encrypt DIR: encrypts DIR/hostkey.pem as openssl does.
//   - lines FILE N: FILE has at most N lines, of at most 80 characters each.
//   - busyport VARIABLE: listens at a port of 127.0.0.1 until the end.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Values["cas"] = map[string]*certstest.CA{}
			env.Setenv("RUNTIME_DIRECTORY", filepath.Join(env.WorkDir, "run"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"ca":       scriptCA,
			"host":     scriptHost,
			"crl":      scriptCRL,
			"encrypt":  scriptEncrypt,
			"lines":    scriptLines,
			"busyport": scriptBusyPort,
		},
	})
}

func scriptExits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptCA(ts *testscript.TestScript, _ bool, args []string) {
	ca, err := certstest.NewCA(args[0], certstest.Options{})
	ts.Check(err)
	ts.Value("cas").(map[string]*certstest.CA)[args[0]] = ca
	if len(args) > 1 {
		ts.Check(certstest.WriteCApath(ts.MkAbs(args[1]), ca))
	}
}

func scriptHost(ts *testscript.TestScript, _ bool, args []string) {
	ca := ts.Value("cas").(map[string]*certstest.CA)[args[0]]
	if ca == nil {
		ts.Fatalf("no CA %s was made", args[0])
	}
	var o certstest.Options
	for _, kind := range args[3:] {
		switch kind {
		case "expired":
			o.NotBefore, o.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		case "expiring":
			o.NotAfter = time.Now().Add(72 * time.Hour)
		case "rsa":
			o.KeyType = certstest.RSA
		case "loopback":
			o.IPs = []string{"127.0.0.1"}
		case "commonname":
			o.DNSNames = []string{}
		case "serveronly":
			o.Mutate = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
		default:
			ts.Fatalf("unknown kind of host %s", kind)
		}
	}
	host, err := ca.NewHost(args[1], o)
	ts.Check(err)
	_, _, err = host.Write(ts.MkAbs(args[2]))
	ts.Check(err)
}

func scriptCRL(ts *testscript.TestScript, _ bool, args []string) {
	ca := ts.Value("cas").(map[string]*certstest.CA)[args[0]]
	if ca == nil {
		ts.Fatalf("no CA %s was made", args[0])
	}
	var o certstest.CRLOptions
	for _, word := range args[2:] {
		if word == "stale" {
			o.ThisUpdate, o.NextUpdate = time.Now().Add(-72*time.Hour), time.Now().Add(-25*time.Hour)
			continue
		}
		chain, err := certs.ReadCertificates(ts.MkAbs(word))
		ts.Check(err)
		o.Revoked = chain[:1]
	}
	_, err := certstest.WriteCRL(ts.MkAbs(args[1]), ca, o)
	ts.Check(err)
}

func scriptEncrypt(ts *testscript.TestScript, _ bool, args []string) {
	// Only the label matters: nothing can be read below it without the
	// password.
	key := "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI\n-----END ENCRYPTED " +
		"PRIVATE KEY-----\n"
	file := filepath.Join(ts.MkAbs(args[0]), "hostkey.pem")
	ts.Check(os.Remove(file))
	ts.Check(os.WriteFile(file, []byte(key), 0o400))
}

func scriptLines(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	if len(lines) > most {
		ts.Fatalf("%d lines, more than %d", len(lines), most)
	}
	for _, line := range lines {
		if len(line) > 80 {
			ts.Fatalf("longer than 80 characters: %s", line)
		}
	}
}

func scriptBusyPort(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}
