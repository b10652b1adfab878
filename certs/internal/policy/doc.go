// Package policy says what a CA may sign, by the files signing_policy and
// namespaces of a CApath.
//
// It promises to read both languages as Globus and the EUGridPMA define them,
// to take what is doubtful for what permits the least, to name the file and
// the line that decided, and to combine the files in every mode of canl. What
// cannot be read denies.
//
// It looks for no file, and knows no certificate: which files are asked about
// which certificate of a path is for package certs to say.
package policy
