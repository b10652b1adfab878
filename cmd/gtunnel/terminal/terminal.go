// Package terminal is what a person sees and types: questions and passwords
// ([Keyboard]), how far something is ([Progress]), tables ([NewTable]), and the
// words for numbers and times. It knows nothing of tunnels, certificates and
// databases.
package terminal
