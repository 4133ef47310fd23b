package acklink_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/functions/breakglass/acklink"
)

const secret = "an-invented-ack-secret"

var (
	now   = time.Date(2026, 11, 21, 3, 9, 0, 0, time.UTC)
	claim = acklink.Claim{Tenant: "contoso.onmicrosoft.com", Alert: "signin-66ea54eb-6301-4ee5-be62-ff5a759b0100", Expires: now.Add(acklink.GoodFor)}
)

func sign(t testing.TB, secret string, c acklink.Claim) string {
	t.Helper()
	token, err := acklink.Sign(secret, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestSignedAndRead(t *testing.T) {
	token := sign(t, secret, claim)
	got, err := acklink.Verify(secret, token, now)
	if err != nil || got != claim {
		t.Errorf("read %+v, %v; want %+v", got, err, claim)
	}
	if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		t.Errorf("%s has to be written otherwise in a path", token)
	}
}

func TestRefused(t *testing.T) {
	good := sign(t, secret, claim)
	parts := strings.Split(good, ".")
	another := claim
	another.Alert = "signin-another"
	other := strings.Split(sign(t, secret, another), ".")
	flip := func(s string, i int) string { // another character in that place
		with := byte('A')
		if s[i] == with {
			with = 'B'
		}
		return s[:i] + string(with) + s[i+1:]
	}
	for name, tt := range map[string]struct {
		secret, token string
		now           time.Time
		want          error
	}{
		"empty":                 {secret, "", now, acklink.ErrForged},
		"no secret is set":      {"", good, now, acklink.ErrForged},
		"another secret":        {"another", good, now, acklink.ErrForged},
		"no signature":          {secret, parts[0] + "." + parts[1] + ".", now, acklink.ErrForged},
		"no signature, no dot":  {secret, parts[0] + "." + parts[1], now, acklink.ErrForged},
		"cut off":               {secret, good[:len(good)-2], now, acklink.ErrForged},
		"another alert":         {secret, "1." + other[1] + "." + parts[2], now, acklink.ErrForged},
		"another version":       {secret, "2." + parts[1] + "." + parts[2], now, acklink.ErrForged},
		"one letter changed":    {secret, flip(good, len(parts[0])+3), now, acklink.ErrForged},
		"signature changed":     {secret, flip(good, len(good)-5), now, acklink.ErrForged},
		"the same bits, spelt":  {secret, good[:len(good)-1] + respelt(good[len(good)-1]), now, acklink.ErrForged},
		"signed with nothing":   {"", unsigned(parts[0] + "." + parts[1]), now, acklink.ErrForged},
		"padded":                {secret, good + "==", now, acklink.ErrForged},
		"endless":               {secret, good + strings.Repeat("A", 5000), now, acklink.ErrForged},
		"the moment it expires": {secret, good, claim.Expires, acklink.ErrExpired},
		"a second before":       {secret, good, claim.Expires.Add(-time.Second), nil},
	} {
		if _, err := acklink.Verify(tt.secret, tt.token, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	for name, c := range map[string]acklink.Claim{
		"two lines":   {Tenant: "contoso.onmicrosoft.com\nsignin-1", Alert: "x", Expires: now},
		"no alert":    {Tenant: "contoso.onmicrosoft.com", Expires: now},
		"no tenant":   {Alert: "x", Expires: now},
		"an epic one": {Tenant: "contoso.onmicrosoft.com", Alert: strings.Repeat("x", 1000), Expires: now},
	} {
		if token, err := acklink.Sign(secret, c); err == nil {
			t.Errorf("%s: signed as %s", name, token)
		}
	}
}

// respelt is another letter of base64 for the two bits that the last one holds.
func respelt(last byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[strings.IndexByte(letters, last)+1])
}

// unsigned is what anybody can sign where no secret is set.
func unsigned(payload string) string {
	h := hmac.New(sha256.New, nil)
	h.Write([]byte("sallyport acknowledgement " + payload))
	return payload + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// FuzzVerify: nothing is good that was not signed with the secret, and what was
// is read as it was written.
func FuzzVerify(f *testing.F) {
	good := sign(f, secret, claim)
	f.Add(good)
	f.Add(sign(f, "another", claim))
	f.Add("1." + base64.RawURLEncoding.EncodeToString([]byte("zzzzzz\ncontoso.onmicrosoft.com\nx")) + ".")
	f.Add("1..")
	f.Add(strings.Repeat(".", 100))
	f.Fuzz(func(t *testing.T, token string) {
		c, err := acklink.Verify(secret, token, now)
		if err != nil {
			if c != (acklink.Claim{}) {
				t.Errorf("%q is refused and says %+v", token, c)
			}
			return
		}
		if again := sign(t, secret, c); again != token {
			t.Errorf("%q is good, and would have been signed as %q", token, again)
		}
	})
}

// FuzzSign: what is signed can be read, and says the same.
func FuzzSign(f *testing.F) {
	f.Add(claim.Tenant, claim.Alert)
	f.Add("a", "azureMonitor-\x00é")
	f.Fuzz(func(t *testing.T, tenant, alert string) {
		c := acklink.Claim{Tenant: tenant, Alert: alert, Expires: claim.Expires}
		token, err := acklink.Sign(secret, c)
		if err != nil {
			return
		}
		if got, err := acklink.Verify(secret, token, now); err != nil || got != c {
			t.Errorf("%+v is read as %+v, %v", c, got, err)
		}
	})
}
