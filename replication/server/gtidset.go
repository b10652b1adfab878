package server

import (
	"fmt"
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
