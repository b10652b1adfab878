package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the test binary reads from its environment.
const (
	goneVariable = "MUTATE_GONE" // the number of the check that is taken away
	metVariable  = "MUTATE_MET"  // the file that gets the numbers of those that said no
)

// stands is added to the package. standing is called where a check has said
// no, and reports whether it is to be heard.
const stands = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutateGone, _ = strconv.Atoi(os.Getenv("` + goneVariable + `"))
	mutateMet     = os.Getenv("` + metVariable + `")
	mutateSeen    [%d]atomic.Bool
)

func mutateStanding(number int) bool {
	if mutateMet != "" && !mutateSeen[number].Swap(true) {
		file, err := os.OpenFile(mutateMet, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = file.WriteString(strconv.Itoa(number) + "\n")
			file.Close()
		}
		if err != nil {
			panic(err)
		}
	}
	return number != mutateGone
}
`

// binary is the tests of a package in which checks can be taken away.
type binary struct {
	path   string
	folder string // in which the tests run
}

// build compiles the tests with checks that can be taken away. They are
// numbered from 1, in their order.
func (m mutation) build(
	ctx context.Context, scratch string, checks []check, sources map[string][]byte,
) (binary, error) {
	insertions := map[string][]insertion{}
	for i, c := range checks {
		head, tail := "((", fmt.Sprintf(") && mutateStanding(%d))", i+1)
		if c.needed {
			tail = fmt.Sprintf(") || !mutateStanding(%d))", i+1)
		}
		insertions[c.file] = append(insertions[c.file], insertion{at: c.start, text: head}, insertion{at: c.end, text: tail})
	}
	first := slices.Min(slices.Collect(maps.Keys(sources)))
	tree, err := parser.ParseFile(token.NewFileSet(), first, sources[first], parser.PackageClauseOnly)
	if err != nil {
		return binary{}, err
	}
	replace := map[string]string{filepath.Join(m.folder, "mutate_standing.go"): filepath.Join(scratch, "standing.go")}
	err = os.WriteFile(filepath.Join(scratch, "standing.go"), fmt.Appendf(nil, stands, tree.Name.Name, len(checks)+1),
		0o600)
	for path, source := range sources {
		replace[path] = filepath.Join(scratch, filepath.Base(path))
		err = errors.Join(err, os.WriteFile(replace[path], insert(source, insertions[path]), 0o600))
	}
	overlay := filepath.Join(scratch, "overlay.json")
	mapping, err2 := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err := errors.Join(err, err2, os.WriteFile(overlay, mapping, 0o600)); err != nil {
		return binary{}, err
	}

	b := binary{path: filepath.Join(scratch, "tests"), folder: m.folder}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", b.path, ".")
	cmd.Dir = m.folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return binary{}, fmt.Errorf("with checks that can be taken away, the package does not compile: %w\n%s", err, out)
	}
	return b, nil
}

// insertion is text that goes before the byte at an offset.
type insertion struct {
	at   int
	text string
}

// insert puts insertions into a source.
func insert(source []byte, insertions []insertion) []byte {
	slices.SortStableFunc(insertions, func(a, b insertion) int { return cmp.Compare(a.at, b.at) })
	var changed []byte
	done := 0
	for _, i := range insertions {
		changed = append(append(changed, source[done:i.at]...), i.text...)
		done = i.at
	}
	return append(changed, source[done:]...)
}

// tests names the tests, fuzz targets and examples.
func (b binary) tests(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, b.path, "-test.list", "^(Test|Fuzz|Example)")
	cmd.Dir = b.folder
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}

// met runs a test with every check in place and gives the numbers of those
// that said no in it.
func (b binary) met(ctx context.Context, test string) ([]int, error) {
	// Some tests go on as a user without rights, who must reach it too.
	file := b.path + "." + test
	err := errors.Join(os.Chmod(filepath.Dir(file), 0o711), os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o622))
	if err != nil {
		return nil, err
	}
	out, passed, err := b.run(ctx, metVariable+"="+file, test)
	if err != nil {
		return nil, err
	}
	if !passed {
		return nil, fmt.Errorf("%s fails as it is, run alone:\n%s", test, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for line := range strings.Lines(string(content)) {
		number, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil // a process that the test started says it again
}

// run runs tests with one more variable in their environment, and reports
// whether they pass.
func (b binary) run(ctx context.Context, variable string, tests ...string) (out []byte, passed bool, err error) {
	names := make([]string, len(tests))
	for i, name := range tests {
		names[i] = regexp.QuoteMeta(name)
	}
	// Without a check a loop may never end, and take memory all the while.
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v 8388608 && exec "$0" "$@"`,
		b.path, "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env = b.folder, append(os.Environ(), variable)
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed && ctx.Err() == nil {
		return all.Bytes(), false, nil
	}
	return all.Bytes(), err == nil, err
}
