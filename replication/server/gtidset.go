package server

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// interval is a range of numbers of transactions, both of which are in it.
type interval struct{ first, last uint64 }

// gtidSet is a set of MySQL's GTIDs: of each source, with its tag if it has one,
// intervals in their order.
type gtidSet map[string][]interval

// parseGTIDSet reads what MySQL writes, such as "UUID:1-3:5,UUID:1:tag:2". What it
// does not know is left out.
func parseGTIDSet(text string) gtidSet {
	set := gtidSet{}
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(strings.ToLower(strings.TrimSpace(part)), ":")
		source := fields[0]
		for _, field := range fields[1:] {
			from, to, isRange := strings.Cut(strings.TrimSpace(field), "-")
			first, err := strconv.ParseUint(from, 10, 64)
			if err != nil {
				source = fields[0] + ":" + field // a tag
				continue
			}
			last := first
			if isRange {
				if last, err = strconv.ParseUint(to, 10, 64); err != nil {
					continue
				}
			}
			set[source] = append(set[source], interval{first, last})
		}
	}
	return set
}

// SubtractGTIDs gives those of MySQL's GTIDs that another set has not; empty if it
// has all.
func SubtractGTIDs(text, other string) string {
	set, taken := parseGTIDSet(text), parseGTIDSet(other)
	var rest []string
	for source, intervals := range set {
		for _, i := range intervals {
			for _, left := range i.without(taken[source]) {
				if left.first == left.last {
					rest = append(rest, fmt.Sprintf("%s:%d", source, left.first))
				} else {
					rest = append(rest, fmt.Sprintf("%s:%d-%d", source, left.first, left.last))
				}
			}
		}
	}
	slices.Sort(rest)
	return strings.Join(rest, ",")
}

// without gives what is left of an interval.
func (i interval) without(others []interval) []interval {
	left := []interval{i}
	for _, other := range others {
		var next []interval
		for _, l := range left {
			if other.last < l.first || other.first > l.last {
				next = append(next, l)
				continue
			}
			if l.first < other.first {
				next = append(next, interval{l.first, other.first - 1})
			}
			if l.last > other.last {
				next = append(next, interval{other.last + 1, l.last})
			}
		}
		left = next
	}
	return left
}

// OwnGTIDs are the last GTIDs of a MariaDB server's own, by its gtid_binlog_state,
// that another server has not come to.
func OwnGTIDs(state, other, serverID string) string {
	var beyond []string
	own, others := numbersOf(state, serverID), numbersOf(other, serverID)
	for _, domain := range slices.Sorted(maps.Keys(own)) {
		if own[domain] > others[domain] {
			beyond = append(beyond, fmt.Sprintf("%s-%s-%d", domain, serverID, own[domain]))
		}
	}
	return strings.Join(beyond, ",")
}

// numbersOf are the last sequence numbers of a server's GTIDs by their domains.
func numbersOf(state, serverID string) map[string]uint64 {
	var own []string
	for gtid := range strings.SplitSeq(state, ",") {
		if parts := strings.Split(strings.TrimSpace(gtid), "-"); len(parts) == 3 && parts[1] == serverID {
			own = append(own, gtid)
		}
	}
	return sequenceNumbers(strings.Join(own, ","))
}
