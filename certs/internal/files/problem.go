package files

import "fmt"

// Problem is something wrong in a file of the CApath that does not keep other
// files from being used.
type Problem struct {
	File    string
	Line    int // counted from 1, 0 if the problem has no line
	Message string
}

// String is the problem on one line, with its file and line.
func (p Problem) String() string {
	return fmt.Sprintf("%s: %s", Position(p.File, p.Line), p.Message)
}

// Position is a file and its line, if it has one, as compilers write it.
func Position(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}
