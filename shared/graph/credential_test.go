package graph_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
)

const clientID = "44444444-0000-4000-8000-000000000001"

// authority is a log-in end point that is not Microsoft's.
type authority struct {
	*httptest.Server
	form   atomic.Pointer[url.Values]
	tokens atomic.Int32
}

func newAuthority(t *testing.T, answer http.HandlerFunc) *authority {
	t.Helper()
	a := &authority{}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			base := a.URL + "/contoso.onmicrosoft.com"
			fmt.Fprintf(w, `{"authorization_endpoint":%q,"token_endpoint":%q,"issuer":%q}`, base+"/oauth2/v2.0/authorize", base+"/oauth2/v2.0/token", base+"/v2.0")
		case strings.HasSuffix(r.URL.Path, "/token"):
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			form := r.PostForm
			a.form.Store(&form)
			a.tokens.Add(1)
			answer(w, r)
		default:
			t.Errorf("asked %s", r.URL)
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) app() graph.App {
	return graph.App{Tenant: "contoso.onmicrosoft.com", ClientID: clientID, AuthorityHost: a.URL, Transport: a.Client()}
}

type stsFake struct {
	in    *sts.GetWebIdentityTokenInput
	token *string
	err   error
}

func (f *stsFake) GetWebIdentityToken(_ context.Context, in *sts.GetWebIdentityTokenInput, _ ...func(*sts.Options)) (*sts.GetWebIdentityTokenOutput, error) {
	f.in = in
	return &sts.GetWebIdentityTokenOutput{WebIdentityToken: f.token}, f.err
}

func scopes() policy.TokenRequestOptions {
	return policy.TokenRequestOptions{Scopes: []string{graph.PublicEndpoint + "/.default"}}
}

func TestNewCredentialHandsAWSsTokenToEntra(t *testing.T) {
	aws := &stsFake{token: new("signed-by-aws")}
	a := newAuthority(t, ok(`{"token_type":"Bearer","expires_in":3600,"access_token":"from-entra"}`))
	credential, err := graph.NewCredential(a.app(), graph.STSTokens{Client: aws})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		token, err := credential.GetToken(t.Context(), scopes())
		if err != nil {
			t.Fatal(err)
		}
		if token.Token != "from-entra" {
			t.Errorf("token %q", token.Token)
		}
	}
	if n := a.tokens.Load(); n != 1 {
		t.Errorf("asked for a token %d times, want once: it is good for an hour", n)
	}
	form := *a.form.Load()
	want := map[string]string{
		"client_assertion": "signed-by-aws", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_id": clientID, "grant_type": "client_credentials",
	}
	for key, value := range want {
		if form.Get(key) != value {
			t.Errorf("%s is %q, want %q", key, form.Get(key), value)
		}
	}
	if !strings.Contains(form.Get("scope"), graph.PublicEndpoint+"/.default") {
		t.Errorf("scope is %q", form.Get("scope"))
	}
	// Entra takes RS256 and this one audience, nothing else.
	got := map[string]any{"alg": *aws.in.SigningAlgorithm, "aud": aws.in.Audience, "life": *aws.in.DurationSeconds}
	if diff := cmp.Diff(map[string]any{"alg": "RS256", "aud": []string{"api://AzureADTokenExchange"}, "life": int32(300)}, got); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalOfEntraIsExplained(t *testing.T) {
	for code, says := range map[int]string{70021: "some minutes", 700213: "to the letter", 700016: "does not exist in this tenant", 90002: "no such tenant", 50000: ""} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			a := newAuthority(t, status(400, fmt.Sprintf(`{"error":"invalid_request","error_description":"AADSTS%d: for people","error_codes":[%d]}`, code, code)))
			credential, err := graph.NewCredential(a.app(), graph.STSTokens{Client: &stsFake{token: new("x")}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = credential.GetToken(t.Context(), scopes())
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "contoso.onmicrosoft.com") {
				t.Errorf("error %v, want it to say %q", err, says)
			}
			// The adapter passes it on.
			tn := newTenant(t, ok(`{}`))
			if _, err := tn.client(credential).Policies(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("through the adapter: %v", err)
			}
			if len(tn.calls()) != 0 {
				t.Error("a request went out without a token")
			}
		})
	}
}

func TestSTSTokensFailsClearly(t *testing.T) {
	disabled := errors.New("OutboundWebIdentityFederationDisabledException")
	for name, fake := range map[string]*stsFake{"refused": {err: disabled}, "no token": {}, "an empty token": {token: new("")}} {
		if _, err := (graph.STSTokens{Client: fake}).WebIdentityToken(t.Context()); err == nil || fake.err != nil && !errors.Is(err, disabled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewCredentialRefusesWhatCannotWork(t *testing.T) {
	source := graph.STSTokens{Client: &stsFake{}}
	for name, app := range map[string]graph.App{
		"plain http": {Tenant: "contoso.onmicrosoft.com", ClientID: clientID, AuthorityHost: "http://127.0.0.1:1"},
		"no tenant":  {ClientID: clientID, Tenant: "not a tenant!"},
	} {
		if _, err := graph.NewCredential(app, source); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, err := graph.NewCredential(graph.App{Tenant: "contoso.onmicrosoft.com", ClientID: clientID}, nil); err == nil {
		t.Error("no source passes")
	}
}

func TestACertificateIsTheFallback(t *testing.T) {
	a := newAuthority(t, ok(`{"token_type":"Bearer","expires_in":3600,"access_token":"from-entra"}`))
	pair := certificate(t)
	credential, err := graph.NewCertificateCredential(a.app(), pair)
	if err != nil {
		t.Fatal(err)
	}
	token, err := credential.GetToken(t.Context(), scopes())
	if err != nil || token.Token != "from-entra" {
		t.Fatalf("got %q, %v", token.Token, err)
	}
	if n := strings.Count(a.form.Load().Get("client_assertion"), "."); n != 2 {
		t.Errorf("the assertion is no signed token: %d dots", n)
	}
	half, _, _ := bytes.Cut(pair, []byte("-----BEGIN CERTIFICATE"))
	for name, bad := range map[string][]byte{"nothing": nil, "the key alone": half, "no PEM": []byte("secret-that-must-not-show")} {
		_, err := graph.NewCertificateCredential(a.app(), bad)
		if err == nil || strings.Contains(err.Error(), "must-not-show") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// certificate makes a key and a certificate in PEM, as Secrets Manager would
// hold them.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sallyport"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}
