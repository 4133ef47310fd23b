package mail_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sallyport/shared/mail"
)

func TestNewAddress(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "megan.bowen@contoso.com", "megan.bowen@contoso.com"},
		{"white space around it", " megan@contoso.com\n", "megan@contoso.com"},
		{"apostrophe and plus", "o'neill+it@contoso.com", "o'neill+it@contoso.com"},
		{"upper case stays before the @", "Megan@CONTOSO.com", "Megan@contoso.com"},
		{"international domain", "megan@bücher.example", "megan@xn--bcher-kva.example"},
		{"international domain, decomposed", "megan@bu\u0308cher.example", "megan@xn--bcher-kva.example"},
		{"already in Punycode", "megan@xn--bcher-kva.example", "megan@xn--bcher-kva.example"},
		{"Japanese domain and its full stop", "megan@例え。example", "megan@xn--r8jz45g.example"},
	} {
		got, err := mail.NewAddress("", test.in)
		if err != nil || got.Email != test.want {
			t.Errorf("%s: %q, error %v, want %q", test.name, got.Email, err, test.want)
		}
	}
}

func TestNewAddressRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                   "",
		"no @":                    "megan.contoso.com",
		"nothing before":          "@contoso.com",
		"nothing after":           "megan@",
		"two":                     "megan@contoso.com, adele@contoso.com",
		"two @":                   "megan@adele@contoso.com",
		"a name with it":          "Megan <megan@contoso.com>",
		"a space":                 "megan bowen@contoso.com",
		"a line break":            "megan@contoso.com\r\nBcc: adele@contoso.com",
		"a line break before":     "megan\r\nBcc:adele@contoso.com",
		"dots in a row":           "megan..bowen@contoso.com",
		"dot at the end":          "megan.@contoso.com",
		"quoted":                  `"megan bowen"@contoso.com`,
		"no SMTPUTF8 in SES":      "zoë@contoso.com",
		"no full domain":          "megan@contoso",
		"dot at the domain's end": "megan@contoso.com.",
		"empty label":             "megan@contoso..com",
		"hyphen at the end":       "megan@contoso-.com",
		"underscore":              "megan@con_toso.com",
		"an IP address":           "megan@[203.0.113.7]",
		"bidirectional trick":     "megan@contoso\u202e.com",
		"local part too long":     strings.Repeat("m", 65) + "@contoso.com",
		"too long":                "megan@" + strings.Repeat(strings.Repeat("c", 60)+".", 5) + "com",
	} {
		got, err := mail.NewAddress("", in)
		if !errors.Is(err, mail.ErrRejected) {
			t.Errorf("%s: %q, error %v, want ErrRejected", name, got.Email, err)
			continue
		}
		if in != "" && strings.Contains(err.Error(), in) {
			t.Errorf("%s: the error names the address: %v", name, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	got, err := mail.ParseAddress("Contoso IT <it@contoso.com>")
	if err != nil || got.Name != "Contoso IT" || got.Email != "it@contoso.com" {
		t.Errorf("%+v, error %v", got, err)
	}
	if _, err := mail.ParseAddress("Contoso IT"); !errors.Is(err, mail.ErrRejected) {
		t.Errorf("a name alone: error %v, want ErrRejected", err)
	}
}

func TestAddressForHeader(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "Megan Bowen", `"Megan Bowen" <megan@contoso.com>`},
		{"quotes", `Megan "Meg" Bowen`, `"Megan \"Meg\" Bowen" <megan@contoso.com>`},
		{"a second address", "x> <adele@contoso.com", `"x> <adele@contoso.com" <megan@contoso.com>`},
		{"a header", "x\r\nBcc: adele@contoso.com", `"x Bcc: adele@contoso.com" <megan@contoso.com>`},
		{"accents", "Zoë", `=?utf-8?q?Zo=C3=AB?= <megan@contoso.com>`},
		{"a backslash", `CONTOSO\megan`, `"CONTOSO/megan" <megan@contoso.com>`},
		{"a backslash in an encoded name", `CONTOSO\zoë`, `=?utf-8?q?CONTOSO/zo=C3=AB?= <megan@contoso.com>`},
		{"none", "", `<megan@contoso.com>`},
	} {
		a, err := mail.NewAddress(mail.Name(test.in), "megan@contoso.com")
		if err != nil {
			t.Fatal(err)
		}
		if got := a.String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestRecipients(t *testing.T) {
	a, _ := mail.NewAddress("Megan", "megan@contoso.com")
	b, _ := mail.NewAddress("", "adele@contoso.com")
	if got := mail.Recipients([]mail.Address{a, b}); !slices.Equal(got, []string{"megan@contoso.com", "adele@contoso.com"}) {
		t.Errorf("%q", got)
	}
}
