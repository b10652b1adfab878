package usage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

func ExampleError() {
	err := usage.Join([]*usage.Error{
		{
			Where: "gtunnel.toml:9: tunnel.one.crl", Line: 9, Message: `"requir" is none of require, ignore`,
			Cure: "did you mean require?",
		},
		{Where: "gtunnel.toml:2: tls.cert", Line: 2, Err: fs.ErrNotExist},
	})
	for _, err := range usage.Split(err) {
		fmt.Println(err)
		if hint := usage.HintOf(err); hint != "" {
			fmt.Println("hint:", hint)
		}
	}
	// Output:
	// gtunnel.toml:2: tls.cert: file does not exist
	// gtunnel.toml:9: tunnel.one.crl: "requir" is none of require, ignore
	// hint: did you mean require?
}

func ExampleClosest() {
	fmt.Println(usage.Closest("requir", []string{"require", "ignore"}))
	fmt.Println(usage.Closest("nothing", []string{"require", "ignore"}))
	// Output:
	// require
	//
}

func ExampleWithHint() {
	err := usage.WithHint(errors.New("no answer"), "is it running?")
	fmt.Printf("%v; hint: %s\n", err, usage.HintOf(fmt.Errorf("status: %w", err)))
	// Output: no answer; hint: is it running?
}

// TestError: an error without words of its own has those of its cause, and
// wrong usage is told from a failure wherever it stands.
func TestError(t *testing.T) {
	cause := usage.WithHint(errors.New("cannot be read"), "chmod")
	for _, test := range []struct {
		err        usage.Error
		text, hint string
	}{
		{usage.Error{Message: "is empty"}, "is empty", ""},
		{usage.Error{Where: "--key", Message: "is empty", Cure: "fill it"}, "--key: is empty", "fill it"},
		{usage.Error{Where: "--key", Err: cause}, "--key: cannot be read", "chmod"},
		{
			usage.Error{Where: "--key", Message: "is bad", Err: cause, Cure: "mend it"},
			"--key: is bad: cannot be read",
			"mend it",
		},
	} {
		if test.err.Error() != test.text || test.err.Hint() != test.hint ||
			test.err.Err != nil && !errors.Is(&test.err, test.err.Err) {
			t.Errorf("%#v: %q, hint %q", test.err, test.err.Error(), test.err.Hint())
		}
		if err := fmt.Errorf("tunnel: %w", errors.Join(errors.New("a"), &test.err)); !usage.Is(err) {
			t.Errorf("%v is no wrong usage", err)
		}
	}
	if usage.Is(cause) || usage.Is(nil) || usage.Join(nil) != nil {
		t.Error("a failure, or nothing, is wrong usage")
	}
}
