package page

// level is how something stands. The greater is the worse.
type level int

const (
	good level = iota
	warning
	problem
)

// String is the level's class in the style sheet.
func (l level) String() string { return [...]string{"good", "warning", "problem"}[l] }

// Word is the level for a person, who may not see colours.
func (l level) Word() string { return [...]string{"Good", "Warning", "Problem"}[l] }
