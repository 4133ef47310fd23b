package setup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"sallyport/infra/sallyport/setup"
)

// A thousand passwords: long enough, of three kinds, readable on paper, and none
// twice.
func TestDrawPassword(t *testing.T) {
	random := rand.NewChaCha8([32]byte{3})
	seen, counts := map[string]bool{}, map[rune]int{}
	const drawn = 1000
	for range drawn {
		p, err := setup.DrawPassword(random)
		if err != nil {
			t.Fatal(err)
		}
		text := p.Reveal()
		if len(text) != 64 || seen[text] || strings.ContainsAny(text, "0Oo1lIi") || strings.ToLower(text) == text || strings.ToUpper(text) == text || !strings.ContainsAny(text, "23456789") {
			t.Fatalf("%q", text)
		}
		seen[text] = true
		for _, r := range text {
			counts[r]++
		}
	}
	// 64,000 characters of 55: each about 1164 times, and a byte taken modulo would
	// favour the first 36 by a quarter.
	if len(counts) != 55 {
		t.Errorf("%d characters, want 55", len(counts))
	}
	for r, n := range counts {
		if n < 950 || n > 1400 {
			t.Errorf("%q was drawn %d times", r, n)
		}
	}
}

// A source that is not random is refused, and so is one that ends.
func TestDrawPasswordNoticesABrokenSource(t *testing.T) {
	for name, source := range map[string]io.Reader{
		"zeros":          zeros{},
		"a short circle": &circle{text: []byte{1, 30, 50, 2, 40}}, // all kinds of characters are in it
		"only high ones": &circle{text: []byte{255}},
		"an end":         strings.NewReader("short"),
		"an error":       iotest.ErrReader(errors.New("no entropy")),
	} {
		if p, err := setup.DrawPassword(source); err == nil || p.Reveal() != "" {
			t.Errorf("%s: a password of %d characters, %v", name, len(p.Reveal()), err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type circle struct {
	text []byte
	at   int
}

func (c *circle) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.text[c.at%len(c.text)]
		c.at++
	}
	return len(b), nil
}

// However a password is printed, it is not.
func TestAPasswordPrintsAsNothing(t *testing.T) {
	p, err := setup.DrawPassword(rand.NewChaCha8([32]byte{4}))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	sealed := setup.Sealed{Slot: 1, Password: p}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&b, format+"\n", p)
		fmt.Fprintf(&b, format+"\n", sealed)
		fmt.Fprintf(&b, format+"\n", &sealed)
	}
	text, err := json.Marshal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	for _, secret := range []string{p.Reveal()[:8], fmt.Sprintf("%x", p.Reveal()[:8])} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("a password is printed:\n%s", b.String())
		}
	}
}

// The names that are drawn are valid ones, and there are many.
func TestDrawName(t *testing.T) {
	random, seen := rand.NewChaCha8([32]byte{5}), map[string]bool{}
	for range 500 {
		name, err := setup.DrawName(random)
		if err == nil {
			err = setup.ValidName(name)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen[name] = true
	}
	if len(seen) < 400 {
		t.Errorf("%d of 500 names differ", len(seen))
	}
	for _, bad := range []string{"", "ab", "Mia.Holt", "mia holt", "mia..holt", ".mia", "mia@x", "it-admin", "emergency.one", strings.Repeat("a", 41)} {
		if setup.ValidName(bad) == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
}
