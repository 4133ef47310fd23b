package config

import (
	"math"
	"strings"
	"unicode"
)

// LooksSecret reports whether a text that should say where something lies, or
// who keeps it, holds what may be a password: it says so itself, or one of its
// words has the shape or the entropy of one. Whoever asks names the field and
// never shows the text. It is a net, not a proof.
func LooksSecret(s string) bool {
	if looksSecret(s) {
		return true
	}
	for _, word := range strings.Fields(s) {
		word = strings.Trim(word, `"'.,;:()[]`)
		if strings.Contains(word, "://") || objectID.MatchString(strings.ToLower(word)) || isAddress(word) {
			continue
		}
		if generated(word) || phrase(word) {
			return true
		}
	}
	return false
}

// The least of a word that no place or person has: as long as a generated
// password, and its letters and digits as little repeated.
const (
	generatedLength  = 12
	generatedEntropy = 3.0 // bits a character; "a1a1a1a1a1a1" has 1
)

// generated reports whether a word mixes letters and digits as only a generator
// does: long, and changing between them, with no sign between as in
// "building12-floor3-room4".
func generated(word string) bool {
	for _, run := range strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if changes(run) >= 3 && len([]rune(run)) >= generatedLength && entropy(run) >= generatedEntropy {
			return true
		}
	}
	return false
}

// entropy is Shannon's, in bits a character.
func entropy(s string) float64 {
	counts, n := map[rune]int{}, 0
	for _, r := range s {
		counts[r]++
		n++
	}
	bits := 0.0
	for _, c := range counts {
		p := float64(c) / float64(n)
		bits -= p * math.Log2(p)
	}
	return bits
}

// phrase reports whether a word is a passphrase: four words or more, each of
// three small letters or more, tied by signs.
func phrase(word string) bool {
	parts := strings.FieldsFunc(word, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '+' })
	for _, part := range parts {
		if len(part) < 3 || strings.IndexFunc(part, func(r rune) bool { return !unicode.IsLower(r) }) >= 0 {
			return false
		}
	}
	return len(parts) >= 4
}
