package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// behindTurns logs in through a relay that counts.
func behindTurns(t *testing.T, kind servertest.Kind) (*server.Server, *servertest.Turns) {
	t.Helper()
	at := pairs.SharedServer(t, kind, string(kind)+" master", 11)
	turns, err := servertest.CountTurns(at.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = turns.Close() })
	at.Exec(t, "CREATE USER IF NOT EXISTS 'turns'@'127.0.0.1' IDENTIFIED BY 'turns'",
		"GRANT ALL ON *.* TO 'turns'@'127.0.0.1'")
	login := server.Login{
		Network: "tcp", Address: turns.Address, User: "turns", Password: server.NewPassword("turns"),
	}
	s, err := server.Open(t.Context(), finding.Master, login)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, turns
}

// TestTogether: what functions ask that run together takes as many round trips as the
// longest of them needs, however many they are, and an error is that of its own question.
func TestTogether(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			s, turns := behindTurns(t, kind)
			if asked, logins := turns.Take(); logins != 1 || len(asked) > 5 {
				t.Errorf("the login took %d turns on %d connections: %q", len(asked), logins, asked)
			}
			const odd = "; ?'\\` -- \n\x00\u00e4"
			for _, n := range []int{1, 10, 500} {
				numbers := make([]int, n)
				sums := make([]string, n)
				err := server.Each(t.Context(), s, s.DB, numbers, func(ctx context.Context, i int, _ int) error {
					first, err := s.Value(ctx, s.DB, "SELECT ? + 1", i)
					if err != nil || i%2 == 0 {
						return err
					}
					return s.Together(ctx, s.DB, func(ctx context.Context) (err error) {
						sums[i], err = s.Value(ctx, s.DB, "SELECT CONCAT(?, ?)", first, odd)
						return err
					}, func(ctx context.Context) error {
						_, err := s.Value(ctx, s.DB, "SELECT 1 FROM mysql.user WHERE 1 = 0")
						return err
					})
				})
				asked, logins := turns.Take()
				if err != nil || len(asked) != min(n, 2) || logins != 0 {
					t.Errorf("%d: %v, in %d turns on %d new connections", n, err, len(asked), logins)
				}
				for i, sum := range sums {
					if want := fmt.Sprint(i+1) + odd; i%2 == 1 && sum != want {
						t.Errorf("%d: %q, want %q", i, sum, want)
					}
				}
			}
			togetherFails(t, s)
		})
	}
}

// togetherFails looks at errors.
func togetherFails(t *testing.T, s *server.Server) {
	t.Helper()
	ctx := t.Context()
	lists := make([]string, 5)
	err := server.Each(ctx, s, s.DB, []string{"1", "nothing", "3", "SELECT", "5"},
		func(ctx context.Context, i int, what string) (err error) {
			lists[i], err = s.Value(ctx, s.DB, "SELECT "+what)
			return err
		})
	if server.ErrorNumber(err) != 1054 || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("the error is %v", err)
	}
	if want := []string{"1", "", "3", "", "5"}; !slices.Equal(lists, want) {
		t.Errorf("the answers are %q, want %q", lists, want)
	}
	within := server.EachWithin(ctx, 400*time.Millisecond)
	answers := make([]error, 3)
	_ = server.Each(within, s, s.DB, []string{"SLEEP(0.3)", "SLEEP(3)", "SLEEP(0.2)"},
		func(ctx context.Context, i int, what string) error {
			_, answers[i] = server.ReadRecords(ctx, s.DB, "SELECT "+what)
			return nil
		})
	if _, late := errors.AsType[*server.NoAnswerError](answers[1]); !late || answers[0] != nil || answers[2] != nil {
		t.Errorf("each within a limit: %v", answers)
	}
	conn, err := s.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Whose session is lost, says so, and not that it is closed.
	answers = make([]error, 2)
	_ = server.Each(within, s, conn, []string{"1", "SLEEP(3)"}, func(ctx context.Context, i int, what string) error {
		if _, answers[i] = server.ReadRecords(ctx, conn, "SELECT "+what); answers[i] == nil {
			_, answers[i] = server.ReadRecords(ctx, conn, "SELECT 2")
		}
		return nil
	})
	for i, err := range answers {
		if _, late := errors.AsType[*server.NoAnswerError](err); !late {
			t.Errorf("in a session, the error of %d is %v", i, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Together(ended, s.DB, func(ctx context.Context) error {
		_, err := s.Value(ctx, s.DB, "SELECT 1")
		return err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: %v", err)
	}
}
