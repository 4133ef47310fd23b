package setup

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Password is a password that prints as nothing: it gets out by Reveal alone, and
// neither an error nor a log nor JSON (the field is not exported) can carry it by
// mistake.
type Password struct{ text string }

// Format implements [fmt.Formatter], for every verb: %d of a string prints it.
func (Password) Format(to fmt.State, _ rune) {
	_, _ = io.WriteString(to, "(a password)") // fmt has no way to hear of an error
}

// Reveal is the password itself.
func (p Password) Reveal() string { return p.text }

// The shape of a password. The letters and digits are those that nobody mistakes
// for another on paper (no 0 and O, no 1, l and I), and no signs, which lie
// elsewhere on every keyboard.
const (
	alphabet       = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	passwordLength = 64
	// leastBits of Shannon's measure over the characters that were drawn: 64 of 55
	// give 5.1 bits each on average, and under 4.4 once in more years than the
	// world has.
	leastBits = 4.4
)

// DrawPassword draws a password: 64 characters of 55, which is 370 bits. A source
// that is not random is noticed and refused.
func DrawPassword(random io.Reader) (Password, error) {
	for range 100 {
		text, err := draw(random, passwordLength)
		if err != nil {
			return Password{}, err
		}
		if bits := bitsPerCharacter(text); bits < leastBits {
			return Password{}, fmt.Errorf("draw a password: the source of random numbers gave %.1f bits for each character, which is no chance: it is broken, and nothing was made with it", bits)
		}
		// Entra asks for three kinds of characters.
		if strings.ContainsAny(text, "abcdefghjkmnpqrstuvwxyz") && strings.ContainsAny(text, "ABCDEFGHJKLMNPQRSTUVWXYZ") && strings.ContainsAny(text, "23456789") {
			return Password{text}, nil
		}
	}
	return Password{}, errors.New("draw a password: the source of random numbers never gives all kinds of characters: it is broken")
}

// draw takes each character with the same chance: a byte that would favour the
// first ones is thrown away.
func draw(random io.Reader, length int) (string, error) {
	fair := byte(256 / len(alphabet) * len(alphabet))
	text, b := make([]byte, 0, length), make([]byte, 1)
	for tries := 0; len(text) < length; tries++ {
		if tries > 100*length {
			return "", errors.New("draw a password: the source of random numbers gives nothing that can be used: it is broken")
		}
		if _, err := io.ReadFull(random, b); err != nil {
			return "", fmt.Errorf("draw a password: %w", err)
		}
		if b[0] < fair {
			text = append(text, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(text), nil
}

// bitsPerCharacter is Shannon's entropy of the characters in a text.
func bitsPerCharacter(text string) float64 {
	counts := map[rune]float64{}
	for _, r := range text {
		counts[r]++
	}
	bits := 0.0
	for _, n := range counts {
		share := n / float64(len(text))
		bits -= share * math.Log2(share)
	}
	return bits
}

// drawName draws a first name and a surname, as they stand in any directory. An
// account called after what it is for is the first that an attacker tries.
func drawName(random io.Reader) (string, error) {
	first := strings.Fields("alice anna ben carla clare daniel david elena emma eric fiona george grace hannah helen ian james jane julia karen laura leo linda lucy maria mark martin mia nadia nina oliver paul peter rachel rita robert ruth sarah simon sofia stella susan thomas tina tom vera victor wendy")
	last := strings.Fields("adams barker bell bennett brooks carter clarke collins cooper davies dixon ellis evans fisher foster graham grant gray hall harper harris hill holt hughes hunt jenkins kelly lane lewis marsh mason miller moore morgan morris newman palmer parker perry porter price reed rogers shaw stone turner walker ward watson webb west wood young")
	i, err := index(random, len(first))
	if err != nil {
		return "", err
	}
	j, err := index(random, len(last))
	if err != nil {
		return "", err
	}
	return first[i] + "." + last[j], nil
}

// index draws a number below n, which is at most 256.
func index(random io.Reader, n int) (int, error) {
	b := make([]byte, 1)
	for range 1000 {
		if _, err := io.ReadFull(random, b); err != nil {
			return 0, fmt.Errorf("draw a name: %w", err)
		}
		if int(b[0]) < 256/n*n {
			return int(b[0]) % n, nil
		}
	}
	return 0, errors.New("draw a name: the source of random numbers gives nothing that can be used: it is broken")
}

// displayName is what a directory shows for a local part: "mia.holt" is Mia Holt.
func displayName(local string) string {
	words := strings.FieldsFunc(local, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// ValidName reports whether a local part may be the name of an account, and what is
// wrong with it. A name that says what the account is for is refused.
func ValidName(local string) error {
	if len(local) < 3 || len(local) > 40 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || strings.Trim(local, ".-") != local || strings.Contains(local, "..") {
		return errors.New("expected 3 to 40 small letters, digits, dots and hyphens, as mia.holt")
	}
	for _, word := range []string{"admin", "breakglass", "break-glass", "break.glass", "emergency", "sallyport", "root", "safe", "global"} {
		if strings.Contains(local, word) {
			return fmt.Errorf("%q says what the account is for, and is the first that an attacker tries: choose a plain name, as mia.holt", word)
		}
	}
	return nil
}
