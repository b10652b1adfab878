package browsertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

// sampleTunnel is a tunnel as it looks after weeks.
type sampleTunnel struct {
	status  tunnel.Status
	unready []string
}

func (s *sampleTunnel) Status() tunnel.Status { return s.status }

func (s *sampleTunnel) Traffic() tunnel.Traffic {
	return tunnel.Traffic{BytesFromPeer: s.status.BytesFromPeer, BytesToPeer: s.status.BytesToPeer}
}

func (s *sampleTunnel) Unready(context.Context, time.Time) []string { return s.unready }

// sample is a page as it looks after weeks: all is well, or it is not.
func sample(t *testing.T, well bool) *httptest.Server {
	t.Helper()
	now := time.Now()
	slave := sampleClient(now)
	master := sampleServer(now)
	tunnels := []page.Tunnel{slave, master}
	events := new(page.Events)
	logger := zap.New(events.Core())
	logger.Info("trust changed", zap.String("capath", "/etc/grid-security/certificates"),
		zap.String("change", "revocation lists of 3 CAs are newer"))
	reload := page.Reload{Good: 4, LastGood: now.Add(-26 * time.Hour)}
	if !well {
		spoil(slave, master, &reload, now)
		logger.Error("reload failed: the configuration stays as it was", zap.String("reason", reload.Problems[0].Text),
			zap.String("cure", reload.Problems[0].Cure))
	}
	p := page.New(page.Source{
		Tunnels: func() []page.Tunnel { return tunnels }, Reload: func() page.Reload { return reload }, Events: events,
		Words: inFile, Cure: inFile,
		Socket: watchReplication(t, sampleReplication(now, well)), Host: "db2.site.example", Version: "1.4.0",
		Started: now.Add(-19 * 24 * time.Hour),
	})
	for i := range 361 {
		p.Sample(now.Add(time.Duration(i-361) * 10 * time.Second))
		wave := math.Sin(float64(i)/23) + 0.5*math.Sin(float64(i)/7) + 1.8
		if i > 250 && i < 290 {
			wave *= 3
		}
		slave.status.BytesFromPeer += uint64(wave * 4e6)
		slave.status.BytesToPeer += uint64(wave * 2.5e5)
	}
	mux := http.NewServeMux()
	p.Routes(mux)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		<-ended
	})
	return server
}

// inFile names settings as a file does.
func inFile(text string) string {
	return certs.NameSettings(text, func(s certs.Setting) string { return string(s) })
}

func sampleClient(now time.Time) *sampleTunnel {
	return &sampleTunnel{status: tunnel.Status{
		Name: "replication", Role: tunnel.Client, Accept: "127.0.0.1:3307", Connect: []string{"db1.site.example:3307"},
		Accepting: true, Accepted: 218, BytesFromPeer: 48_200_000_000, BytesToPeer: 91_400_000,
		Refused: map[string]uint64{"target-unreachable": 3},
		Certificate: tunnel.CertificateStatus{
			DN: "/DC=org/DC=example-grid/O=Site Two/CN=db2.site.example", File: "/etc/grid-security/hostcert.pem",
			NotAfter: now.Add(212 * 24 * time.Hour),
		},
		CRLs: certs.CRLReport{Mode: certs.CRLRequire, CAs: 83, Current: 83},
		CRLEnds: []tunnel.CRLEnd{
			{CA: "/DC=org/DC=example-grid/CN=Example Grid CA 3", NextUpdate: now.Add(3*24*time.Hour + time.Hour)},
			{CA: "/C=XX/O=Other Grid/CN=Other Grid Root CA", NextUpdate: now.Add(9 * 24 * time.Hour)},
			{CA: "/C=YY/O=Third Grid/CN=Third Grid CA G2", NextUpdate: now.Add(28 * 24 * time.Hour)},
		},
		Sessions: []tunnel.SessionStatus{
			{
				ID: "1207", PeerAddress: "192.0.2.10:3307", PeerDN: "/DC=org/DC=example-grid/O=Site One/CN=db1.site.example",
				Target: "db1.site.example:3307", Opened: now.Add(-19 * 24 * time.Hour), LastActivity: now,
				BytesFromPeer: 48_100_000_000, BytesToPeer: 88_000_000,
			},
			{
				ID: "1391", PeerAddress: "192.0.2.10:3307", PeerDN: "/DC=org/DC=example-grid/O=Site One/CN=db1.site.example",
				Target: "db1.site.example:3307", Opened: now.Add(-12 * time.Minute), LastActivity: now.Add(-8 * time.Second),
				BytesFromPeer: 1_400_000, BytesToPeer: 52_000,
			},
		},
		Refusals: []tunnel.Refusal{{
			Time: now.Add(-31 * time.Hour), Code: "target-unreachable", Times: 3,
			Reason: "dial tcp 192.0.2.10:3307: connect: connection refused",
			Cure:   "is gtunnel running there? systemctl status gtunnel-server",
		}},
	}}
}

func sampleServer(now time.Time) *sampleTunnel {
	s := &sampleTunnel{status: sampleClient(now).status}
	s.status.Name, s.status.Role, s.status.Accept = "way-back", tunnel.Server, ":3307"
	s.status.Connect, s.status.Sessions, s.status.Refusals = []string{"127.0.0.1:3306"}, nil, nil
	s.status.Accepted, s.status.Refused, s.status.BytesFromPeer, s.status.BytesToPeer = 41, nil, 120_400, 2_300_000
	return s
}

// spoil lets happen what happens in bad weeks.
func spoil(slave, master *sampleTunnel, reload *page.Reload, now time.Time) {
	slave.unready = []string{"nobody listens at db1.site.example:3307: connect: connection refused; " +
		"hint: is gtunnel running there? systemctl status gtunnel-server"}
	slave.status.Sessions = nil
	for _, s := range []*sampleTunnel{slave, master} {
		s.status.Certificate.NotAfter = now.Add(9*24*time.Hour + time.Hour)
		s.status.CRLs = certs.CRLReport{Mode: certs.CRLRequire, CAs: 83, Current: 80, Stale: 3, Refused: 3}
		s.status.CRLEnds[0].NextUpdate = now.Add(-5 * time.Hour)
	}
	master.status.Refusals = []tunnel.Refusal{{
		Time: now.Add(-4 * time.Minute), Code: "access-denied", Peer: "198.51.100.7:40112", Times: 12,
		PeerDN: "/DC=org/DC=example-grid/O=Site Three/CN=<script>alert(1)</script>",
		Reason: "no rule lets this host in", Cure: "if it shall come in: --allow-host db3.site.example",
	}}
	master.status.Refused = map[string]uint64{"access-denied": 12}
	reload.Failed, reload.Problems = 1, []page.Problem{{
		Text: `/etc/gtunnel/gtunnel.toml:14: tunnel.replication.conect: there is no such key`,
		Cure: "did you mean connect?",
	}}
}

func sampleReplication(now time.Time, well bool) *page.Replication {
	r := &page.Replication{
		State: page.ReplicationRunning, Summary: "ok: the slave has applied all that the master has",
		Master:     "127.0.0.1:3307",
		LagSeconds: new(float64), Since: now.Add(-19 * 24 * time.Hour),
		Compared: &page.Comparison{At: now.Add(-6 * time.Hour), Equal: true, Summary: "all 214 tables are equal"},
	}
	for i := range page.HistoryLimit {
		lag := max(0, 14*math.Sin(float64(i-240)/30)) * math.Abs(math.Sin(float64(i)/5))
		if i < 200 {
			lag = math.Abs(math.Sin(float64(i) / 9))
		}
		at := now.Add(time.Duration(i-page.HistoryLimit) * 10 * time.Second)
		r.History = append(r.History, page.LagPoint{At: at, LagSeconds: &lag})
	}
	if well {
		return r
	}
	for i := page.HistoryLimit - 40; i < page.HistoryLimit; i++ {
		r.History[i].LagSeconds = nil
	}
	r.State, r.LagSeconds, r.Since = page.ReplicationBroken, nil, now.Add(-7*time.Minute)
	r.Summary = "unreachable: the slave has not reached its master for 7 minutes"
	r.Findings = []page.ReplicationFinding{{
		Level: "problem", Code: "io-thread", Text: "the slave cannot reach its master at 127.0.0.1:3307: error 2003",
		Cure: "gtunnel status shows whether the tunnel carries connections",
	}}
	return r
}

// watchReplication answers as the process does that watches the replication.
func watchReplication(t *testing.T, r *page.Replication) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "page") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, page.SocketName)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(r) }),
	}}
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// TestLooks holds the page against the rules in each size and colour, when all is
// well and when it is not.
func TestLooks(t *testing.T) {
	b := startBrowser(t)
	for _, well := range []bool{true, false} {
		server := sample(t, well)
		state := map[bool]string{true: "well", false: "problem"}[well]
		for _, width := range []int64{phone, 768, 1280} {
			for _, colours := range []string{"light", "dark"} {
				as := fmt.Sprintf("%s-%s-%d", state, colours, width)
				b.look(width, colours)
				b.open(server.URL)
				b.wait(`document.body.dataset.live === "on"`)
				headline := eval[string](b, `document.querySelector(".headline").textContent`)
				if well != (headline == "All is well") {
					t.Errorf("%s: the headline is %q", as, headline)
				}
				b.checkRules(as)
				b.keepPicture(as)
				eval[int](b, `document.querySelectorAll("details").forEach((d) => { d.open = true }), 0`)
				b.checkRules(as + ", unfolded")
			}
		}
		if well {
			b.checkNames()
		}
		b.checkFaults(server.URL)
		b.forget()
	}
}

// keepPicture keeps a picture of the whole page where it is wanted.
func (b *browser) keepPicture(name string) {
	b.t.Helper()
	folder := os.Getenv("GTUNNEL_PAGE_SHOTS")
	if folder == "" {
		return
	}
	picture := do(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, "page-"+name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
