// Package files reads the files of a CApath and of a host's credentials.
//
// It promises never to wait for a pipe, never to read more than it is told to,
// to find every block of a PEM file, with its line and with what is wrong with
// it, and one way to write a place in a file. What a block holds it does not
// know.
package files
