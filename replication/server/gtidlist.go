package server

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// GTID is one of MariaDB's.
type GTID struct {
	Domain, Server uint32
	Number         uint64
}

// String is as MariaDB writes it.
func (g GTID) String() string { return fmt.Sprintf("%d-%d-%d", g.Domain, g.Server, g.Number) }

// GTIDList are the last GTIDs of MariaDB's by their domains.
type GTIDList map[uint32]GTID

// ParseGTIDList reads what MariaDB writes, such as "0-1-100,1-2-3". Of one domain, as of
// a binary log's state, the last number counts. What it does not know is left out.
func ParseGTIDList(text string) GTIDList {
	list := GTIDList{}
	for _, g := range ParseGTIDs(text) {
		if last, known := list[g.Domain]; !known || g.Number > last.Number {
			list[g.Domain] = g
		}
	}
	return list
}

// ParseGTIDs reads a list of MariaDB's GTIDs with all that is in it.
func ParseGTIDs(text string) []GTID {
	var all []GTID
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(strings.TrimSpace(part), "-")
		if len(fields) != 3 {
			continue
		}
		domain, errDomain := strconv.ParseUint(fields[0], 10, 32)
		server, errServer := strconv.ParseUint(fields[1], 10, 32)
		number, errNumber := strconv.ParseUint(fields[2], 10, 64)
		if errDomain == nil && errServer == nil && errNumber == nil {
			all = append(all, GTID{Domain: uint32(domain), Server: uint32(server), Number: number})
		}
	}
	return all
}

// String is as MariaDB takes it, in the order of the domains.
func (l GTIDList) String() string {
	var texts []string
	for _, g := range slices.SortedFunc(maps.Values(l), func(a, b GTID) int { return cmp.Compare(a.Domain, b.Domain) }) {
		texts = append(texts, g.String())
	}
	return strings.Join(texts, ",")
}

// EachGTID gives the GTIDs of a set of MySQL's one by one, at the most so many.
func EachGTID(set string, most int) []string {
	var all []string
	parsed := parseGTIDSet(set)
	sources := make([]string, 0, len(parsed))
	for source := range parsed {
		sources = append(sources, source)
	}
	slices.Sort(sources)
	for _, source := range sources {
		for _, i := range parsed[source] {
			for n := i.first; n <= i.last; n++ {
				if len(all) == most {
					return all
				}
				all = append(all, fmt.Sprintf("%s:%d", source, n))
			}
		}
	}
	return all
}

// CountGTIDs is how many GTIDs a set of MySQL's has.
func CountGTIDs(set string) uint64 {
	var n uint64
	for _, intervals := range parseGTIDSet(set) {
		for _, i := range intervals {
			n += i.last - i.first + 1
		}
	}
	return n
}

// EmptyTransaction are the statements by which MySQL notes a GTID as one of its own
// without changing anything. The session must end with them.
func EmptyTransaction(gtid string) []Statement {
	return []Statement{SQL("SET SESSION gtid_next=%s", QuoteString(gtid)), SQL("BEGIN"), SQL("COMMIT")}
}

// SkipGTID are the statements by which MariaDB's next GTID in a domain comes after a
// number, without changing anything. The session must end with them.
func SkipGTID(g GTID) []Statement {
	return []Statement{
		SQL("SET SESSION gtid_domain_id=%d", g.Domain), SQL("SET SESSION gtid_seq_no=%d", g.Number+1),
		// Something that is logged, whatever there is.
		SQL("DROP TABLE IF EXISTS gtunnel.no_table"),
	}
}

// LogGTID are the statements by which MariaDB's binary log has a GTID, whosever that is,
// without changing anything. The session must end with them.
func LogGTID(g GTID) []Statement {
	return append([]Statement{SQL("SET SESSION server_id=%d", g.Server)},
		SkipGTID(GTID{Domain: g.Domain, Number: g.Number - 1})...)
}
