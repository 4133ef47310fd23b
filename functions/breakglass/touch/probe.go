package touch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// ProbeParameter is the name under which a probe stands in the query of a
// notificationUrl.
const ProbeParameter = "probe"

// probeLife is how long a probe is taken: Graph calls within seconds of being
// asked. Who saw the address in a log later can do nothing with it.
const probeLife = 10 * time.Minute

// NewProbe makes the probe of a tenant. A handshake carries no clientState, and
// anybody can send one: so the probe proves itself by a code that only those can
// make who know the clientState. The id tells it from every other; nothing in it is
// secret.
func NewProbe(tenant, id, clientState string, at time.Time) string {
	body := strings.Join([]string{tenant, id, strconv.FormatInt(at.Unix(), 10)}, "~")
	return body + "~" + probeCode(body, clientState)
}

// ProvenProbe reads a probe that was made with the same clientState, not long ago.
// An empty clientState proves nothing.
func ProvenProbe(probe, clientState string, now time.Time) (Event, bool) {
	parts := strings.Split(probe, "~")
	if len(parts) != 4 || clientState == "" {
		return Event{}, false
	}
	code := probeCode(strings.Join(parts[:3], "~"), clientState)
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	if !hmac.Equal([]byte(code), []byte(parts[3])) || err != nil || age > probeLife || age < -probeLife {
		return Event{}, false
	}
	return Event{Source: SourceProbe, ReceivedAt: now, Tenant: parts[0], Probe: parts[1]}, true
}

func probeCode(body, clientState string) string {
	mac := hmac.New(sha256.New, []byte(clientState))
	mac.Write([]byte("sallyport probe\n" + body)) // it never fails
	return hex.EncodeToString(mac.Sum(nil))
}
