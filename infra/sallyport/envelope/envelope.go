// Package envelope prints the cards that lie in the safes: one self-contained page
// with a sheet for each emergency account, which is folded twice and sealed. The
// password stands on the inner third, and a pattern on the outer thirds keeps it
// from being read through the paper. There is no QR code: it would put the password
// into the phone that looks at it.
package envelope

import (
	"html/template"
	"io"
	"strings"
	"time"

	_ "embed"
)

// Page is what is printed.
type Page struct {
	Tenant string    // the initial domain
	Made   time.Time // the day stands on the cards
	SignIn string    // where the accounts sign in
	Cards  []Card
}

// Card is one account's sheet.
type Card struct {
	Slot     int // 1 or 2
	Of       int // how many accounts the tenant has
	Name     string
	SignInAs string // userPrincipalName
	ID       string // object id
	Password string
}

//go:embed cards.html
var page string

// Write writes the page. It is the password in clear: write it only to where the
// operator asked for it.
func Write(to io.Writer, p Page) error {
	parsed, err := template.New("cards").Funcs(template.FuncMap{"rows": Rows, "next": func(i int) int { return i + 1 }, "day": func(t time.Time) string { return t.Format("2 January 2006") }}).Parse(page)
	if err != nil {
		return err
	}
	return parsed.Execute(to, p)
}

// Rows cuts a password into rows of four groups of four characters, so that whoever
// types it finds the place again. The gaps are no part of it.
func Rows(password string) [][]string {
	var rows [][]string
	for len(password) > 0 {
		var row []string
		for len(row) < 4 && len(password) > 0 {
			n := min(4, len(password))
			row, password = append(row, password[:n]), password[n:]
		}
		rows = append(rows, row)
	}
	return rows
}

// Text is a card for a terminal.
func Text(c Card) string {
	var b strings.Builder
	b.WriteString("  " + c.SignInAs + "\n\n")
	for i, row := range Rows(c.Password) {
		b.WriteString("    " + string(rune('1'+i)) + "   " + strings.Join(row, "  ") + "\n")
	}
	return b.String()
}
