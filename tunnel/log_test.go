package tunnel_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/tunnel"
)

// maxLine is more than any line of the log may have, in bytes.
const maxLine = 16 << 10

// paper is a log in memory.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(line)
}

func (p *paper) Sync() error { return nil }

func (p *paper) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(strings.Lines(p.text.String()))
}

// logTo is a logger that writes JSON.
func logTo(to zapcore.WriteSyncer) *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), to, zapcore.DebugLevel))
}

// boaster is a certificate that nobody vouches for, with a name of so many
// bytes.
func boaster(t testing.TB, size int) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: strings.Repeat("a", size)},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestLogOfAHostilePeer: a peer that nobody knows cannot fill the disk with
// its name.
func TestLogOfAHostilePeer(t *testing.T) {
	log := new(paper)
	config := newPKI(t).serverConfig(t, "127.0.0.1:1")
	config.Logger = logTo(log)
	server := start(t, config)
	certificate := boaster(t, 120_000)
	const peers = 30
	for range peers {
		conn := tls.Client(dial(t, server.Addr()), &tls.Config{
			InsecureSkipVerify:   true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
		})
		_ = conn.Handshake()             // the refusal comes with it or after it
		_, _ = io.Copy(io.Discard, conn) // until the server has refused it
		conn.Close()
	}
	eventually(t, "all are refused", func() bool {
		var n uint64
		for _, times := range server.Status().Refused {
			n += times
		}
		return n == peers
	})
	server.stop()
	if err := server.wait(t); err != nil {
		t.Fatal(err)
	}
	refused, total := 0, 0
	for _, line := range log.lines() {
		if strings.Contains(line, `"peer refused"`) {
			refused++
			total += len(line)
		}
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes: %.200s", len(line), line)
		}
	}
	if refused == 0 || total > peers*3<<10 {
		t.Errorf("%d lines of %d bytes", refused, total)
	}
}

// TestLogOfAHostileName: nothing in a peer's certificate or handshake makes
// another line of the log, or does something to the terminal that shows it.
func TestLogOfAHostileName(t *testing.T) {
	const name = "x\n{\"level\":\"error\"}\r\x1b[31m\x00\u0085\u009b2J\u2028\u202e\u200b\xff\xc3"
	log := new(paper)
	config := newPKI(t).serverConfig(t, "127.0.0.1:1")
	config.Logger = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()), log,
		zapcore.DebugLevel))
	server := start(t, config)
	for _, kind := range []int{asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String} {
		certificate := hostile(t, kind, name)
		conn := tls.Client(dial(t, server.Addr()), &tls.Config{
			InsecureSkipVerify: true, ServerName: "sni\n\x1b[2Jlevel=error\u202e.test",
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
		})
		_ = conn.Handshake()
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	eventually(t, "all are refused", func() bool {
		var n uint64
		for _, times := range server.Status().Refused {
			n += times
		}
		return n == 4
	})
	server.stop()
	if err := server.wait(t); err != nil {
		t.Fatal(err)
	}
	for _, refusal := range server.Status().Refusals {
		mustBePrintable(t, refusal.PeerDN+refusal.Reason+refusal.Cure)
	}
	for _, line := range log.lines() {
		mustBePrintable(t, strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " "))
		if !strings.Contains(line, `{"tunnel": "server"`) {
			t.Errorf("no line of ours: %q", line)
		}
	}
	log = new(paper)
	tunnel.WriteLog(zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()), log,
		zapcore.DebugLevel)), "a line", zap.String("text", name), zap.Strings("list", []string{name, "größe"}))
	mustBePrintable(t, strings.ReplaceAll(strings.TrimSuffix(strings.Join(log.lines(), ""), "\n"), "\t", " "))
	if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "größe") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// mustBePrintable wants a text that does nothing but stand there.
func mustBePrintable(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			t.Errorf("%U in %q", r, text)
		}
	}
}

// hostile is a certificate that nobody vouches for, whose common name is of this
// kind of ASN.1 and holds these bytes.
func hostile(t testing.TB, kind int, name string) tls.Certificate {
	t.Helper()
	value := asn1.RawValue{Tag: kind, Bytes: []byte(name)}
	rdn, err := asn1.Marshal([][]struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	// As a sequence of sets.
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(rdn, &sets); err != nil {
		t.Fatal(err)
	}
	for i := range sets {
		sets[i] = asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: sets[i].Bytes}
	}
	subject, err := asn1.Marshal(sets)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: subject,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestLogFieldsAreBounded: whatever kind of field holds too much.
func TestLogFieldsAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	for name, field := range map[string]zap.Field{
		"text":     zap.String("field", long),
		"error":    zap.NamedError("field", errors.New(long)),
		"stringer": zap.Stringer("field", tunnel.Address{Network: "unix", Path: long}),
		"list":     zap.Strings("field", []string{long, "short"}),
		"any":      zap.Any("field", []string{long, "short"}),
		"texts":    zap.Strings("field", slices.Repeat([]string{"a name of a host"}, 10_000)),
	} {
		log := new(paper)
		tunnel.WriteLog(logTo(log), "a line", field)
		lines := log.lines()
		if len(lines) != 1 || len(lines[0]) > maxLine || !strings.Contains(lines[0], " in all)") {
			t.Errorf("%s: %d lines of %d bytes", name, len(lines), len(fmt.Sprint(lines)))
		}
		if strings.Contains(fmt.Sprint(lines), "\ufffd") {
			t.Errorf("%s: a character is cut in two", name)
		}
	}
	log := new(paper)
	tunnel.WriteLog(logTo(log), "a line", zap.Strings("list", []string{"one", "two"}), zap.String("text", "three"),
		zap.Int("number", 4))
	if line := fmt.Sprint(log.lines()); !strings.Contains(line, `"list":["one","two"],"text":"three","number":4}`) {
		t.Errorf("an ordinary line is changed: %s", line)
	}
}
