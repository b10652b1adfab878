package seed

import "testing"

// TestUpdate: a statement that mends a value leaves the time of the row's last change.
func TestUpdate(t *testing.T) {
	t.Parallel()
	c := valueColumn{database: "d", table: "t", name: "e", stamps: []string{"changed", "o`dd"}}
	const want = "UPDATE `d`.`t` SET `e` = 0, `changed` = `changed`, `o``dd` = `o``dd` WHERE x;"
	if got := c.update("0", "x"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
