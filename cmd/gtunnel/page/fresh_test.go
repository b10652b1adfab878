package page_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
)

// mute is a tunnel whose far end is well at first, and then does not answer.
type mute struct {
	*fake

	silent atomic.Bool
}

func (m *mute) Unready(ctx context.Context, _ time.Time) []string {
	if !m.silent.Load() {
		return nil
	}
	<-ctx.Done()
	return []string{"the far end does not answer"}
}

// TestOldChecks: what was found before a long time without anybody who looked is not said to
// be so now.
func TestOldChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &mute{fake: sound("main")}
		handler := running(t, page.New(source(far)))
		look := func() string { return words(request(t, handler, http.MethodGet, "/").Body.String()) }
		if got := look(); !strings.Contains(got, "All is well") {
			t.Fatalf("at first it says %s", got)
		}
		time.Sleep(3 * time.Hour)
		far.silent.Store(true)
		got := look()
		if strings.Contains(got, "All is well") || !strings.Contains(got, "The far ends are being checked") ||
			!strings.Contains(got, "whether it can carry them is being checked") ||
			!strings.Contains(got, "It is being looked for.") {
			t.Errorf("before the check has ended it says %s", got)
		}
		time.Sleep(10 * time.Second)
		if got = look(); !strings.Contains(got, "The far end does not answer") {
			t.Errorf("after it, it says %s", got)
		}
	})
}
