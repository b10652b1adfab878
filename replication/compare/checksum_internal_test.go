package compare

import (
	"testing"
)

func TestRowText(t *testing.T) {
	columns := []column{
		{name: "id", kind: "int"},
		{name: "na`me", kind: "varchar", charset: "latin1", octets: 80, nullable: true},
		{name: "on", kind: "bit", nullable: true},
		{name: "code", kind: "char", charset: "utf8mb4", octets: 4},
		{name: "long", kind: "varchar", octets: 4000},
		{name: "picture", kind: "longblob"},
		{name: "document", kind: "json", columnType: "json"},
		{name: "since", kind: "timestamp", generated: "ROW START"},
		{name: "rest", kind: "varbinary", octets: 10},
		{name: "part", kind: "float"},
	}
	for name, test := range map[string]struct {
		across, exactly bool
		want            string
	}{
		"one family": {false, false, "CONCAT_WS(CAST(X'FF' AS BINARY), CONCAT(ISNULL(`na``me`), ISNULL(`on`)), `id`, " +
			"`on`+0, CRC32(`long`), CRC32(`picture`), CRC32(`document`), `part`," +
			" LENGTH(`na``me`), `na``me`, `code`, LENGTH(`rest`), `rest`)"},
		"two families": {true, false, "CONCAT_WS(CAST(X'FF' AS BINARY), CONCAT(ISNULL(`na``me`), ISNULL(`on`)), `id`, " +
			"`on`+0, CRC32(`long`), CRC32(`picture`), JSON_LENGTH(`document`), JSON_DEPTH(`document`), `part`," +
			" LENGTH(`na``me`), `na``me`, `code`, LENGTH(`rest`), `rest`)"},
		"floats exactly": {false, true, "CONCAT_WS(CAST(X'FF' AS BINARY), CONCAT(ISNULL(`na``me`), ISNULL(`on`)), `id`, " +
			"`on`+0, CRC32(`long`), CRC32(`picture`), CRC32(`document`), `part`+0e0," +
			" LENGTH(`na``me`), `na``me`, `code`, LENGTH(`rest`), `rest`)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rowText(columns, test.across, test.exactly); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Tables of TestKeyRanges, and keys of them.
var (
	rangedTable = &tableShape{database: "d`b", name: "t", engine: "InnoDB"}
	rangedAria  = &tableShape{database: "d", name: "t", engine: "Aria"}
	byNumber    = &key{name: "PRIMARY", unique: true, columns: []column{{name: "id", kind: "bigint"}}}
	byTwo       = &key{name: "PRIMARY", unique: true, columns: []column{
		{name: "w", kind: "int"}, {name: "id", kind: "int"},
	}}
	byThree = &key{name: "by`all", unique: true, columns: []column{
		{name: "a", kind: "varchar", serverCharset: "latin1"},
		{name: "b", kind: "datetime"},
		{name: "c", kind: "binary"},
	}}
)

func TestKeyRanges(t *testing.T) {
	for _, test := range []struct {
		name, got, want string
	}{
		{"everything", byNumber.clause(keyRange{}), " FORCE INDEX (`PRIMARY`)"},
		{"the first", byNumber.clause(keyRange{upto: keyValue{"-5"}}), " FORCE INDEX (`PRIMARY`) WHERE `id` <= -5"},
		{
			"the last", byNumber.clause(keyRange{after: keyValue{"18446744073709551615"}}),
			" FORCE INDEX (`PRIMARY`) WHERE `id` > 18446744073709551615",
		},
		{
			"between", byNumber.clause(keyRange{after: keyValue{"1"}, upto: keyValue{"9"}}),
			" FORCE INDEX (`PRIMARY`) WHERE `id` > 1 AND `id` <= 9",
		},
		{
			"two columns between", byTwo.clause(keyRange{after: keyValue{"1", "1990"}, upto: keyValue{"2", "2009"}}),
			" FORCE INDEX (`PRIMARY`) WHERE (`w` > 1 OR (`w` = 1 AND `id` > 1990)) AND (`w` < 2 OR (`w` = 2 AND `id` <= 2009))",
		},
		{
			"three columns after", byThree.clause(keyRange{after: keyValue{"61", "2026-01-02 03:04:05", "0027"}}),
			" FORCE INDEX (`by``all`) WHERE" +
				" (`a` > _latin1 X'61' OR (`a` = _latin1 X'61' AND (`b` > '2026-01-02 03:04:05' OR (`b` = '2026-01-02 03:04:05' " +
				"AND `c` > X'0027'))))",
		},
		{
			"three columns up to", byThree.clause(keyRange{upto: keyValue{"61", "2026-01-02 03:04:05", "0027"}}),
			" FORCE INDEX (`by``all`) WHERE" +
				" (`a` < _latin1 X'61' OR (`a` = _latin1 X'61' AND (`b` < '2026-01-02 03:04:05' OR (`b` = '2026-01-02 03:04:05' " +
				"AND `c` <= X'0027'))))",
		},
		{
			"a boundary", byThree.boundaryQuery(rangedTable, keyRange{}, 99),
			"SELECT HEX(`a`) AS k0, `b` AS k1, HEX(`c`) AS k2 FROM `d``b`.`t` FORCE INDEX (`by``all`)" +
				" ORDER BY `d``b`.`t`.`a`, `d``b`.`t`.`b`, `d``b`.`t`.`c` LIMIT 1 OFFSET 99",
		},
		{
			"a checksum", checksumQuery(rangedTable, byNumber, keyRange{upto: keyValue{"7"}}, "CRC32(`id`)"),
			"SELECT COUNT(*) AS n, BIT_XOR(CRC32(`id`)) AS s FROM `d``b`.`t` FORCE INDEX (`PRIMARY`) WHERE `id` <= 7",
		},
		{
			"without row locks", checksumQuery(rangedAria, nil, keyRange{}, "CRC32(`id`)"),
			"SELECT HIGH_PRIORITY COUNT(*) AS n, SUM(CRC32(`id`)) AS s FROM `d`.`t`",
		},
		{
			"no key", checksumQuery(rangedTable, nil, keyRange{}, "CRC32(`id`)"),
			"SELECT COUNT(*) AS n, SUM(CRC32(`id`)) AS s FROM `d``b`.`t`",
		},
		{
			"a key in words", byThree.names() + " " + byThree.shown(keyValue{"61C3", "2026-01-02 03:04:05", "27"}),
			`(a, b, c) (0x61C3, 2026-01-02 03:04:05, "'")`,
		},
	} {
		if test.got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, test.got, test.want)
		}
	}
}
