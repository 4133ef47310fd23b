package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Granted returns the application permissions in the app's access token, sorted:
// what was granted and consented to when the token was issued, up to an hour
// and a half ago. Graph checks the token; here it is only read.
// Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
func (c *Client) Granted(ctx context.Context) ([]string, error) {
	token, err := c.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope}, EnableCAE: true})
	if err != nil {
		return nil, fmt.Errorf("read the granted permissions: %w", err)
	}
	roles, err := rolesIn(token.Token)
	if err != nil {
		return nil, fmt.Errorf("read the granted permissions: %w", err)
	}
	return roles, nil
}

func rolesIn(token string) ([]string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the access token is no JSON web token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, errors.New("the access token's claims are not base64")
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, errors.New("the access token's claims are not what Entra documents")
	}
	slices.Sort(claims.Roles)
	return claims.Roles, nil
}
