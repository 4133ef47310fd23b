// Package acklink makes and checks the links by which an alert is acknowledged.
// Breakglass signs them into mails and messages; webhook, which has neither the
// table nor Graph, checks them. It depends on nothing, so that webhook links
// nothing of breakglass.
//
// A link is a right to acknowledge one alert, for whoever holds it: nothing can
// be read or changed by it, it is good for a week, and using it again changes
// nothing.
package acklink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// GoodFor is how long a link is: longer than anybody is away from all mail, and
// each repetition carries a new one.
const GoodFor = 7 * 24 * time.Hour

// Why a link is refused.
var (
	ErrForged  = errors.New("the link is none of ours, or cut off")
	ErrExpired = errors.New("the link is too old")
)

// Claim is what a link says.
type Claim struct {
	Tenant  string
	Alert   string // its id
	Expires time.Time
}

// version begins every token and what is signed: another form gets another
// one, and no signature is good for anything but a link.
const version = "1"

// macBytes is how much of the HMAC a token carries: 128 bits, which nobody can
// guess, so that a link fits a text message.
const macBytes = 16

// longest is how long a token can be. A tenant's domain has up to 255
// characters, an alert's id fewer.
const longest = 1024

// Sign makes a token. A tenant or an id with a line break is none of ours: it
// could pretend to be another.
func Sign(secret string, c Claim) (string, error) {
	if secret == "" || c.Tenant == "" || c.Alert == "" || strings.Contains(c.Tenant+c.Alert, "\n") {
		return "", errors.New("a link needs a secret, a tenant and an alert, each on one line")
	}
	payload := version + "." + base64.RawURLEncoding.EncodeToString(
		[]byte(strconv.FormatInt(c.Expires.Unix(), 36)+"\n"+c.Tenant+"\n"+c.Alert))
	token := payload + "." + base64.RawURLEncoding.EncodeToString(mac(secret, payload))
	if len(token) > longest {
		return "", errors.New("the alert's id is too long for a link")
	}
	return token, nil
}

// Verify reads a token: the signature first, in constant time, and only then
// what it says. It fails with [ErrForged] or [ErrExpired]; an empty secret
// proves nothing.
func Verify(secret, token string, now time.Time) (Claim, error) {
	at := strings.LastIndexByte(token, '.')
	if secret == "" || len(token) > longest || at < 0 || !strings.HasPrefix(token, version+".") {
		return Claim{}, ErrForged
	}
	payload := token[:at]
	given, err := base64.RawURLEncoding.Strict().DecodeString(token[at+1:])
	if err != nil || !hmac.Equal(given, mac(secret, payload)) {
		return Claim{}, ErrForged
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(payload[len(version)+1:])
	if err != nil {
		return Claim{}, ErrForged
	}
	parts := strings.Split(string(text), "\n")
	if len(parts) != 3 {
		return Claim{}, ErrForged
	}
	seconds, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil {
		return Claim{}, ErrForged
	}
	c := Claim{Tenant: parts[1], Alert: parts[2], Expires: time.Unix(seconds, 0).UTC()}
	if !now.Before(c.Expires) {
		return Claim{}, ErrExpired
	}
	return c, nil
}

func mac(secret, payload string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte("sallyport acknowledgement " + payload))
	return h.Sum(nil)[:macBytes]
}
