package browsertest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

const week = 7 * 24 * time.Hour

// site is a server and a client with their certificates, and an echo behind the
// server.
type site struct {
	t              *testing.T
	program        string
	folder, capath string
	ca             *certstest.CA
	server, client string // addresses
	page           string // of the server
	serverProcess  *exec.Cmd
}

// startSite builds the program and starts a server and a client.
func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir()}
	s.program = filepath.Join(s.folder, "gtunnel")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "./cmd/gtunnel")
	build.Dir = "../../../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var err error
	if s.ca, err = certstest.NewCA("Test CA", certstest.Options{}); err != nil {
		t.Fatal(err)
	}
	s.capath = filepath.Join(s.folder, "certificates")
	if err := certstest.WriteCApath(s.capath, s.ca); err != nil {
		t.Fatal(err)
	}
	if _, err := certstest.WriteCRL(s.capath, s.ca, certstest.CRLOptions{NextUpdate: time.Now().Add(week)}); err != nil {
		t.Fatal(err)
	}
	cert, key := s.host("server.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	s.server = freeAddress(t)
	admin := freeAddress(t)
	s.page = "http://" + admin + "/"
	s.serverProcess = s.start("server", "--accept", s.server, "--connect", startEcho(t), "--allow-host", "client.test",
		"--admin", admin, "--cert", cert, "--key", key)
	cert, key = s.host("client.test", certstest.Options{})
	s.client = freeAddress(t)
	s.start("client", "--accept", s.client, "--connect", s.server, "--admin", "none", "--cert", cert, "--key", key)
	s.waitServing(s.page + "healthz")
	return s
}

// host makes a host's certificate.
func (s *site) host(name string, o certstest.Options) (cert, key string) {
	s.t.Helper()
	host, err := s.ca.NewHost(name, o)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, key, err = host.Write(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	return cert, key
}

// start runs the program until the end of the test, and shows its log if the
// test fails.
func (s *site) start(args ...string) *exec.Cmd {
	s.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(s.program, append(args, "--capath", s.capath)...)
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+s.folder)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%v:\n%s", args, log.String())
		}
	})
	return cmd
}

// waitServing waits until a URL answers.
func (s *site) waitServing(url string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			s.t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			return
		}
		if ctx.Err() != nil {
			s.t.Fatalf("%s: %v", url, err)
		}
		time.Sleep(pollEvery)
	}
}

// send sends data through the tunnel, and reads it back, until the test ends.
func (s *site) send() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var sending sync.WaitGroup
	s.t.Cleanup(func() {
		cancel()
		sending.Wait()
	})
	var conn net.Conn
	for conn == nil {
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", s.client)
		if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			s.t.Fatal(err)
		}
		if err != nil {
			time.Sleep(pollEvery)
		}
	}
	sending.Go(func() {
		<-ctx.Done()
		conn.Close()
	})
	sending.Go(func() {
		text := bytes.Repeat([]byte("data "), 10000)
		for ctx.Err() == nil {
			if _, err := conn.Write(text); err != nil {
				return
			}
			if _, err := io.ReadFull(conn, text); err != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// knock comes to the server with a certificate that it does not let in.
func (s *site) knock(commonName string) {
	s.t.Helper()
	cert, key := s.host("stranger.test", certstest.Options{CommonName: commonName})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		s.t.Fatal(err)
	}
	dialer := tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, // the server judges here
	}}
	conn, err := dialer.DialContext(s.t.Context(), "tcp", s.server)
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // TLS 1.3 tells a client so late
		conn.Close()
	}
	if err == nil {
		s.t.Fatal("the server lets a stranger in")
	}
}

// startEcho is what stands for MySQL: it sends everything back.
func startEcho(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	return listener.Addr().String()
}

// freeAddress is an address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestLive looks at the page of a server that carries data: it changes without
// being loaded again, shows a stranger's name as text, and says when its server
// has gone.
func TestLive(t *testing.T) {
	b := startBrowser(t)
	s := startSite(t)
	s.send()
	b.look(1280, "light")
	b.open(s.page)
	eval[int](b, `window.sameDocument = 1`)
	b.wait(`document.body.dataset.live === "on"`)
	b.wait(`document.querySelector("#tunnel-list .line").textContent.includes("1 connection open")`)
	const carried = `Array.from(document.querySelectorAll("#tunnel-list dd"), (e) => e.textContent).join()`
	before := eval[string](b, carried)
	b.wait(carried + ` !== ` + quote(before))
	b.wait(`document.querySelector("#throughput-plot .stroke.line1")?.getAttribute("d").startsWith("M")`)

	const name = `host/<script>window.hacked=1</script><img src=x onerror=window.hacked=1>`
	s.knock(name)
	b.wait(`document.querySelector("#event-list").textContent.includes(` + quote(name) + `)`)
	b.wait(`document.querySelector(".headline").textContent === "1 thing needs attention"`)
	cure := eval[string](b, `Array.from(document.querySelectorAll("#event-list li")).`+
		`find((e) => e.textContent.includes("<script>"))`+
		`.querySelector(".cure").textContent`)
	if !strings.Contains(cure, "--allow-host") && !strings.Contains(cure, "--allow-dn") {
		t.Errorf("the cure of a refusal is %q", cure)
	}
	if n := eval[int](b, `document.querySelectorAll("main script, main img").length + (window.hacked ? 1 : 0)`); n > 0 {
		t.Error("a peer's name has become a part of the page")
	}
	b.checkRules("live")
	b.checkNames()
	b.keepPicture("live")
	b.keyboard()
	if eval[int](b, `window.sameDocument || 0`) != 1 {
		t.Error("the page was loaded again")
	}
	b.checkFaults(s.page)

	_ = s.serverProcess.Process.Signal(syscall.SIGKILL)
	b.wait(`document.getElementById("live").textContent.startsWith("Connection lost at ")`)
	b.wait(`document.title.startsWith("Connection lost: ")`)
	if eval[string](b, `getComputedStyle(document.querySelector(".headline")).borderStyle`) != "dashed" {
		t.Error("what was well when the connection was lost still looks so")
	}
	b.checkRules("lost")
	b.keepPicture("lost")
}

// keyboard uses the page without a mouse.
func (b *browser) keyboard() {
	b.t.Helper()
	const focused = `(document.activeElement.id || document.activeElement.className || document.activeElement.textContent)`
	eval[int](b, `document.activeElement.blur(), window.scrollTo(0, 0), 0`)
	b.key(kb.Tab)
	if at := eval[string](b, focused); at != "skip" {
		b.t.Errorf("the first stop is %q", at)
	}
	if style := eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`); style == "none" {
		b.t.Error("the focus is not seen")
	}
	b.key(kb.Enter)
	b.wait(focused + ` === "main"`)
	eval[int](b, `document.getElementById("pause").focus(), 0`)
	b.key(" ")
	b.wait(`document.getElementById("live").textContent === "Paused"`)
	b.key(" ")
	b.wait(`document.getElementById("live").textContent === "Live"`)
	// What is unfolded, and where the focus is, outlive what is new.
	b.key(kb.Tab)
	eval[int](b, `document.querySelector("#throughput-plot summary").focus(), 0`)
	b.key(kb.Enter)
	const carried = `document.querySelector("#session-list td.number").textContent`
	before := eval[string](b, carried)
	b.wait(carried + ` !== ` + quote(before))
	const unfolded = `document.querySelector("#throughput-plot details").open`
	if !eval[bool](b, unfolded+` && document.activeElement.tagName === "SUMMARY"`) {
		b.t.Error("an update folds what was unfolded, or takes the focus away")
	}
}

// TestWithoutScript looks at the page in a browser that runs no script: it says
// the same.
func TestWithoutScript(t *testing.T) {
	b := startBrowser(t)
	server := sample(t, false)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.look(phone, "dark")
	b.open(server.URL)
	said := eval[string](b, `document.body.innerText`)
	for _, want := range []string{
		"6 things need attention", "As of ", "Reload the page", "Carries no connections.", "<script>alert(1)</script>",
		"9 days left", "MB/s", "did you mean connect?",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(said, "Pause") {
		t.Error("there is a button that does nothing")
	}
	b.checkFaults(server.URL)
}

// quote is a text in JavaScript.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
