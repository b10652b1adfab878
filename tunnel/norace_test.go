//go:build !race

package tunnel_test

// raceDetector says that the race detector slows everything down.
const raceDetector = false
