package mail

import (
	"fmt"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Address is a mailbox that can be written to. Make one with [NewAddress] or
// [ParseAddress]: they refuse what no provider takes, before anything is sent.
type Address struct {
	Name  Name
	Email string // ASCII: an international domain is in its xn-- form
}

// The lengths that RFC 5321 allows, in octets.
const (
	longestLocalPart = 64
	longestAddress   = 254
)

// localPart is what may stand before the @: RFC 5322's dot-atom. Quoted local
// parts are legal and unknown in a tenant; many mail servers refuse them.
var localPart = regexp.MustCompile("^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*$")

// NewAddress makes an address of a display name and an address as the directory
// holds them. An address that cannot be written to is an [ErrRejected] with the
// reason; it names no address, since errors end up in logs.
//
// SES has no SMTPUTF8: the part before the @ must be ASCII, and a domain is
// turned into Punycode.
// Source: https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html
func NewAddress(name Name, email string) (Address, error) {
	local, domain, found := cutLast(strings.TrimSpace(email), "@")
	if !found {
		return Address{}, fmt.Errorf("%w: the address has no @", ErrRejected)
	}
	if !localPart.MatchString(local) {
		return Address{}, fmt.Errorf("%w: the part before the @ has characters that mail servers refuse", ErrRejected)
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return Address{}, fmt.Errorf("%w: the part after the @ is no domain name", ErrRejected)
	}
	if labels := strings.Split(ascii, "."); len(labels) < 2 || slices.Contains(labels, "") {
		return Address{}, fmt.Errorf("%w: the part after the @ is no full domain name", ErrRejected)
	}
	if len(local) > longestLocalPart || len(local)+1+len(ascii) > longestAddress {
		return Address{}, fmt.Errorf("%w: the address is too long", ErrRejected)
	}
	return Address{Name: name, Email: local + "@" + ascii}, nil
}

// ParseAddress reads an address with or without a name: "it@contoso.com",
// "Contoso IT <it@contoso.com>". It refuses what [NewAddress] refuses.
func ParseAddress(s string) (Address, error) {
	parsed, err := netmail.ParseAddress(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: not an address: expected for example %q", ErrRejected, "Contoso IT <it@contoso.com>")
	}
	return NewAddress(Name(parsed.Name), parsed.Address)
}

// Recipients are the bare addresses for an [Envelope].
func Recipients(to []Address) []string {
	bare := make([]string, len(to))
	for i, a := range to {
		bare[i] = a.Email
	}
	return bare
}

// String writes the address for a header.
func (a Address) String() string { return a.forHeader().String() }

// forHeader is the address as net/mail and go-mail write it. net/mail leaves a
// backslash bare inside an encoded name, which RFC 2047 (5.3) forbids and
// readers, net/mail among them, refuse: with it the address would be lost.
func (a Address) forHeader() *netmail.Address {
	return &netmail.Address{Name: strings.ReplaceAll(a.Name.String(), `\`, "/"), Address: a.Email}
}

// domain is the part after the @.
func (a Address) domain() string {
	_, domain, _ := cutLast(a.Email, "@")
	return domain
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}
