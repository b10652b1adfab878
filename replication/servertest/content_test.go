package servertest_test

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestContent makes the same content on two servers of each kind, and has the
// same Writer change both.
func TestContent(t *testing.T) {
	for _, kind := range servertest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			lab := newLab(t)
			var both [2]map[string]string
			for i := range both {
				s := start(t, lab, kind, servertest.Options{ServerID: 1 + i})
				content, err := servertest.Fill(ctx, s.DB, kind)
				if err != nil {
					t.Fatal(err)
				}
				lookAtContent(ctx, t, s, content)
				before := snapshot(ctx, t, s.DB, content.Databases)
				writer := &servertest.Writer{Database: content.Databases[2], Seed: 7}
				for range 2 {
					if err := writer.Run(ctx, s.DB, 150); err != nil {
						t.Fatal(err)
					}
				}
				both[i] = snapshot(ctx, t, s.DB, content.Databases)
				if len(both[i]) <= len(before) {
					t.Errorf("%d objects after the writer, %d before", len(both[i]), len(before))
				}
			}
			if !maps.Equal(both[0], both[1]) {
				for _, object := range slices.Sorted(maps.Keys(both[0])) {
					if both[0][object] != both[1][object] {
						t.Errorf("%s: on one server\n%s\non the other\n%s", object, both[0][object], both[1][object])
					}
				}
			}
		})
	}
}

// lookAtContent looks whether the content is what it should be.
func lookAtContent(ctx context.Context, t *testing.T, s *servertest.Server, content *servertest.Content) {
	t.Helper()
	kinds := map[string]int{}
	for object, text := range snapshot(ctx, t, s.DB, content.Databases) {
		kind, _, _ := strings.Cut(object, " ")
		kinds[kind]++
		if kind == "TABLE" && !strings.Contains(text, "Checksum: ") {
			t.Errorf("%s has no checksum: %s", object, text)
		}
	}
	for kind, least := range map[string]int{
		"DATABASE": 3, "TABLE": 30, "VIEW": 6, "TRIGGER": 4, "PROCEDURE": 3, "FUNCTION": 1, "EVENT": 4,
	} {
		if kinds[kind] < least {
			t.Errorf("%d of %s, want at least %d", kinds[kind], kind, least)
		}
	}
	db, err := s.Open(content.App, servertest.AppPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"SELECT COUNT(*) FROM content_1.types":                                                    "4",
		"SELECT HEX(vc) FROM content_1.types WHERE id > 1000":                                     "71756F7465202720222060205C200A200D2000201A2025205F20F09F9880",
		"SELECT LENGTH(lb) FROM content_1.types WHERE id > 1000":                                  "800000",
		"SELECT COUNT(*) FROM `groups`.across":                                                    "2",
		"SELECT GROUP_CONCAT(t ORDER BY id) FROM content_1.log":                                   "é10,second,across",
		"SELECT content_1.`f é`(1)":                                                               "2",
		"SELECT COUNT(*) FROM information_schema.events WHERE status = 'ENABLED'":                 "3",
		"SELECT COUNT(*) FROM information_schema.columns WHERE extra LIKE '%INVISIBLE%'":          "1",
		"SELECT COUNT(*) FROM information_schema.views WHERE definer = 'content_owner@localhost'": "1",
	} {
		var got sql.NullString
		if err := db.QueryRowContext(ctx, query).Scan(&got); err != nil || got.String != want {
			t.Errorf("%s: %q, %v, want %q", query, got.String, err, want)
		}
	}
}

func snapshot(ctx context.Context, t *testing.T, db *sql.DB, databases []string) map[string]string {
	t.Helper()
	found, err := servertest.Snapshot(ctx, db, databases)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBulk makes tables of a size.
func TestBulk(t *testing.T) {
	const size = 20e6
	for _, kind := range servertest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := start(t, newLab(t), kind, servertest.Options{})
			if err := servertest.Bulk(ctx, s.DB, "bulk", size); err != nil {
				t.Fatal(err)
			}
			var bytes int64
			if err := s.DB.QueryRowContext(ctx, "ANALYZE TABLE bulk.sbtest1, bulk.sbtest2, bulk.sbtest3, "+
				"bulk.sbtest4").Err(); err != nil {
				t.Fatal(err)
			}
			if err := s.DB.QueryRowContext(ctx,
				"SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = 'bulk'").Scan(&bytes); err != nil {
				t.Fatal(err)
			}
			if bytes < size/2 || bytes > size*2 {
				t.Errorf("%d bytes, want about %.0f", bytes, size)
			}
		})
	}
}
