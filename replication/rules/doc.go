// Package rules judges: what keeps a server from being a master or a slave, what
// two servers cannot be to each other, what is wrong with a replication at work,
// and what should be known of it.
//
// Every judgement stands here once, as a Rule of Table: data with the code of what
// it finds, the server that it is about, the moments at which that is a problem
// or only a warning, its meaning, and its cure. Judge holds a Subject, which is
// the facts of its servers and what is wanted of them, against the rules of its
// moment. So `gtunnel replication check`, the setups and `status` cannot disagree
// but where the table says that they do.
//
// A new rule is an entry in the list of the file of its matter (such as pairRules in
// pair.go, which Table names), with a function that calls say; what no Subject has yet
// becomes a fact, or a field of Subject that the caller of Judge fills. A code that
// is found elsewhere has its line in asked.go.
//
// A rule is a pure function of its Subject: it asks no server, reads no file, and
// knows no clock. What only a question to a server tells is found where it is
// asked, by seed, compare and others; Codes lists these codes too.
package rules
