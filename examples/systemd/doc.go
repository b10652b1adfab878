// Package systemd holds the units for the two ends of a tunnel, and the test
// that they are sound. README.md says how to install them.
package systemd
