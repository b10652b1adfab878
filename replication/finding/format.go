package finding

import "fmt"

// FormatBytes gives a number of bytes in words, as in "1.5 GB" (1 GB is 1e9
// bytes).
func FormatBytes(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if value /= 1000; value < 999.95 {
			return fmt.Sprintf("%.1f %s", value, unit)
		}
	}
	return fmt.Sprintf("%.1f PB", value/1000)
}

// Count is a number of things: "1 table", "2 tables".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Stars stand for a password, whatever its length.
const Stars = "********"
