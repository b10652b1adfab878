//go:build race

package simulation

// raced is that the race detector is on, which makes all ten times as slow.
const raced = true
