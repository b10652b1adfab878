// Package pairs has what tests with real servers need in common: servers that
// all tests of a package share, masters and slaves of kinds that belong
// together, couples of which the slave follows, and looks at the tools that
// run between them.
//
// A package that uses it has a TestMain which calls Main. What a test makes in
// a shared server has a name of its own.
package pairs
