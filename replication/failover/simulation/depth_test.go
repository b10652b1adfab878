package simulation

import (
	"os"
	"strconv"
)

// depth is how many deviations a run has, unless GTUNNEL_SIMULATE says how many more.
func depth(usual int) int {
	more, _ := strconv.Atoi(os.Getenv("GTUNNEL_SIMULATE"))
	return usual + more
}

// limit is for how many seconds each scenario is explored: GTUNNEL_SIMULATE_LIMIT; 0: to its end.
func limit() int {
	if seconds, err := strconv.Atoi(os.Getenv("GTUNNEL_SIMULATE_LIMIT")); err == nil {
		return seconds
	}
	return 0
}
