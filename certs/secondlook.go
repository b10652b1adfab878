package certs

import (
	"bytes"
	"maps"
	"slices"
	"time"
)

// SecondLook is how long a file of the CApath that has vanished stays in use.
// Tools such as openssl rehash and rsync remove names and make them again a
// moment later: a look in between says nothing about what the host trusts.
const SecondLook = 10 * time.Second

// trustGroup is what the files of one kind and hash have in common. They tell
// themselves apart by numbers, which may be dealt anew.
type trustGroup struct {
	kind fileKind
	hash string
}

func (n trustName) group() trustGroup { return trustGroup{kind: n.kind, hash: n.hash} }

// keepMissing puts together what a load uses: the files that it found, and
// for a while those that the load before used and this one misses.
func (l *loaded) keepMissing(before *loaded, now time.Time) {
	incomplete := make(map[trustGroup]bool)
	for key, was := range before.files {
		if f := l.files[key]; !was.useful() || f != nil && f.present() {
			continue
		}
		if f := was.keep(now); f != nil {
			l.files[key] = f
			incomplete[f.group()] = true
		}
	}
	byName := func(a, b *trustFile) int { return compareNames(a.trustName, b.trustName) }
	l.used = slices.SortedFunc(maps.Values(l.files), byName)
	for _, was := range before.used {
		// What another content has taken the name of may be what the missing
		// file will hold.
		if !incomplete[was.group()] || was.content == nil || !was.useful() || l.uses(was) {
			continue
		}
		if f := was.keep(now); f != nil {
			l.used = append(l.used, f)
		}
	}
	slices.SortStableFunc(l.used, byName)
}

// useful reports whether anything depends on the file. A list that cannot be
// used is none; a policy that cannot be used still forbids.
func (f *trustFile) useful() bool {
	if f.kind == kindCRL {
		return len(f.lists())+len(f.held) > 0
	}
	return f.content != nil
}

// present reports whether the file is there: it holds something, or did before
// it became bad.
func (f *trustFile) present() bool { return f.content != nil || len(f.held) > 0 }

// uses reports whether a file of the same group holds the same.
func (l *loaded) uses(was *trustFile) bool {
	return slices.ContainsFunc(l.used, func(f *trustFile) bool {
		return f.content != nil && f.group() == was.group() && bytes.Equal(f.content.digest[:], was.content.digest[:])
	})
}

// keep gives the file as one that is missing; nil if it has been missing for
// too long.
func (f *trustFile) keep(now time.Time) *trustFile {
	kept := *f
	if kept.missing.IsZero() {
		kept.missing = now
	}
	if now.Sub(kept.missing) >= SecondLook {
		return nil
	}
	return &kept
}

// nextLook is when the first file that is missing counts as removed; zero if
// none is missing.
func (l *loaded) nextLook() time.Time {
	var next time.Time
	for _, f := range l.used {
		if at := f.missing.Add(SecondLook); !f.missing.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// compareMissing says which files a load misses that the one before did not,
// which are back, and which have been missing for too long.
func (l *loaded) compareMissing(before *loaded) (missing, back, removed []string) {
	for key, was := range before.files {
		f := l.files[key]
		switch {
		case was.missing.IsZero() && f != nil && !f.missing.IsZero():
			missing = append(missing, key.path)
		case was.missing.IsZero():
		case f == nil || !f.present():
			removed = append(removed, key.path)
		case f.missing.IsZero():
			back = append(back, key.path)
		}
	}
	for _, names := range [][]string{missing, back, removed} {
		slices.Sort(names)
	}
	return missing, back, removed
}
