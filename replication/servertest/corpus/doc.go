// Package corpus has schemas as odd as those that services of grids and their
// monitoring keep, the cases that setups have stumbled over, and a judge of whether
// two servers hold the same which shares nothing with package compare: it takes
// dumps of both and compares these.
//
// The schemas and cases are SQL for the command line client. A schema has a
// procedure write_some in each of its databases, which makes one change, drawn by
// a number; some have events that call it.
package corpus
