package webhook

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// keysFresh is how long keys serve before they are read again, and keysStale
	// how long they serve while that fails. Entra publishes a new key well before
	// it signs with it, and takes a stolen one out.
	keysFresh = 12 * time.Hour
	keysStale = 24 * time.Hour
	// keysPause is how long a key id that is unknown stays so before Entra is
	// asked again, and keysRetry how long after it could not be asked: less than
	// the 5 seconds after which Azure Monitor comes again.
	keysPause = time.Minute
	keysRetry = 3 * time.Second
	// maxKeys is the longest list of keys that is read, in bytes. Entra's have
	// about 15,000.
	maxKeys = 1 << 20
	// minKeyBits is the shortest RSA key that is believed.
	minKeyBits = 2048
)

// keySet keeps the public keys of one tenant. However many tokens come, it asks
// Entra at most once in keysPause, and one request at a time.
type keySet struct {
	url, issuer, tenant string
	client              *http.Client

	mu    sync.Mutex
	keys  map[string]*rsa.PublicKey // by key id
	read  time.Time                 // when keys came
	tried time.Time                 // when they were last asked for
	err   error                     // what became of that
}

// key returns the key of that id. It fails with [errUnknownKey] if the tenant
// has none, and with [ErrUndecided] if that cannot be told.
func (k *keySet) key(ctx context.Context, kid string, now time.Time) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.keys[kid]; key != nil && now.Sub(k.read) < keysFresh {
		return key, nil
	}
	pause := keysPause
	if k.err != nil {
		pause = keysRetry
	}
	if k.tried.IsZero() || now.Sub(k.tried) >= pause {
		var keys map[string]*rsa.PublicKey
		k.tried = now
		if keys, k.err = k.fetch(ctx); k.err == nil {
			k.keys, k.read = keys, now
		}
	}
	key := k.keys[kid]
	switch {
	case key != nil && now.Sub(k.read) < keysStale:
		return key, nil
	case k.err != nil:
		return nil, fmt.Errorf("%w: tenant %s: %w", ErrUndecided, k.tenant, k.err)
	}
	return nil, errUnknownKey
}

// fetch reads the tenant's keys. A list without a single key that is good is an
// error: it says nothing about who signed what.
func (k *keySet) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", k.url, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.url, err)
	}
	keys, err := parseKeys(body, k.issuer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.url, err)
	}
	return keys, nil
}

// parseKeys reads a JSON Web Key Set and keeps the RSA keys that sign for
// issuer. Microsoft says in a key which issuer it is for, with {tenantid} where
// that is every tenant; one that is for another proves nothing here.
//
// Sources: https://www.rfc-editor.org/rfc/rfc7517 and
// https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
func parseKeys(body []byte, issuer string) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Type   string `json:"kty"`
			Use    string `json:"use"`
			ID     string `json:"kid"`
			N      string `json:"n"`
			E      string `json:"e"`
			Issuer string `json:"issuer"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("not a list of keys: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		if k.Type != "RSA" || k.Use != "" && k.Use != "sig" || k.Issuer != "" && !signsFor(k.Issuer, issuer) {
			continue
		}
		if key := rsaKey(k.N, k.E); key != nil {
			keys[k.ID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in it that signs for the tenant")
	}
	return keys, nil
}

// signsFor: a key's issuer is that of the tenant, or the pattern of all.
func signsFor(key, issuer string) bool {
	before, after, pattern := strings.Cut(key, "{tenantid}")
	if !pattern {
		return key == issuer
	}
	return len(issuer) > len(before)+len(after) && strings.HasPrefix(issuer, before) && strings.HasSuffix(issuer, after)
}

// rsaKey reads a key's two numbers; nil if they are none, or too weak.
func rsaKey(n, e string) *rsa.PublicKey {
	modulus, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		return nil
	}
	exponent, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil {
		return nil
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus)}
	power := new(big.Int).SetBytes(exponent)
	if key.N.BitLen() < minKeyBits || power.BitLen() > 31 { // crypto/rsa refuses other exponents that are no good
		return nil
	}
	key.E = int(power.Int64())
	return key
}
