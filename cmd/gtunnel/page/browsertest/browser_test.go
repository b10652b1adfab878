package browsertest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what must come, on a busy machine too.
const patience = 2 * time.Minute

// pollEvery is how often the browser looks whether it has come.
const pollEvery = 100 * time.Millisecond

// blank is the empty page.
const blank = "about:blank"

// phone is the width of a small one, in CSS pixels.
const phone = 360

// browser is a tab of Chromium, and what went wrong in it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
	asked  []string // URLs
}

// startBrowser opens an empty tab.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	t.Attr("needs", "chromium")
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is missing: .ci/install chromium")
		}
		t.Skip("chromium is missing: .ci/install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the end of the browser
		cancel()
		stop()
	})
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

// note notes what must not happen, and what is asked for.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console: %s %v", e.Type, e.Args))
	case *log.EventEntryAdded: // violations of the policy and files that are missing too
		b.faults = append(b.faults, "browser: "+e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		if e.Request.URL != blank {
			b.asked = append(b.asked, e.Request.URL)
		}
	}
}

// checkFaults fails if anything went wrong, or anything was asked for elsewhere.
func (b *browser) checkFaults(origin string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("%s", fault)
	}
	for _, url := range b.asked {
		if !strings.HasPrefix(url, origin) {
			b.t.Errorf("the page asks for %s", url)
		}
	}
	if len(b.asked) == 0 {
		b.t.Error("nothing was asked for: is anybody listening?")
	}
}

// call calls a command of the browser's protocol, which must succeed.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// do runs an action that must succeed, and gives its value.
func do[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// open opens a page.
func (b *browser) open(url string) {
	b.t.Helper()
	do(b, chromedp.Navigate(url))
}

// eval gives the value of an expression of JavaScript.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	return do(b, chromedp.Evaluate[T](expression))
}

// wait waits until an expression is true.
func (b *browser) wait(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](expression,
		chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(pollEvery)))
	if err != nil {
		b.t.Fatalf("%s: %v; the page says: %s", expression, err, eval[string](b, "document.body.innerText"))
	}
}

// key presses a key.
func (b *browser) key(key string) {
	b.t.Helper()
	do(b, chromedp.KeyEvent(key))
}

// look sets the width of the window and the colours that the user prefers.
func (b *browser) look(width int64, colours string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width == phone,
	})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: colours}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// forget forgets what went wrong, and was asked for, so far.
func (b *browser) forget() {
	b.open(blank)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.asked = nil, nil
}
