package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	abstractions "github.com/microsoft/kiota-abstractions-go"
)

// request is what the SDK's builders return: a request, or why there is none.
type request = abstractions.RequestInformation

// send lets the SDK's adapter send the request and returns the answer's body.
// Everything that is no success comes back as a typed error.
func (c *Client) send(ctx context.Context, about call, req *request) ([]byte, error) {
	// Without this header Graph writes "unknownFutureValue" where it means a
	// member that was added later: the report-only results of a sign-in, or the
	// control riskRemediation of a policy.
	// Source: https://learn.microsoft.com/graph/best-practices-concept
	req.Headers.TryAdd("Prefer", "include-unknown-enum-members")

	var body []byte
	native := abstractions.NewRequestHandlerOption()
	native.SetResponseHandler(func(response any, _ abstractions.ErrorMappings) (any, error) {
		res, ok := response.(*http.Response)
		if !ok {
			return nil, fmt.Errorf("the SDK handed over a %T instead of an HTTP response", response)
		}
		whole, ok := res.Body.(*wholeBody)
		if !ok {
			return nil, fmt.Errorf("the answer for %s did not come through the transport", about.api.name)
		}
		body = whole.all
		// A redirect is no success either: it would be followed with the token.
		if res.StatusCode < 200 || res.StatusCode > 299 {
			return nil, answerError(about.api, res.StatusCode, res.Header.Get("request-id"), errorIn(body))
		}
		return nil, nil
	})
	req.AddRequestOptions([]abstractions.RequestOption{native})
	if err := c.adapter.SendNoContent(withCall(ctx, about), req, nil); err != nil {
		return nil, withoutURL(err)
	}
	return body, nil
}

// fetch reads one object into v.
func (c *Client) fetch(ctx context.Context, about call, req *request, v any) error {
	body, err := c.send(ctx, about, req)
	if err != nil {
		return err
	}
	return decode(about.api, body, v)
}

// decode reads the body of a success, which may still hold an error.
func decode(a api, body []byte, v any) error {
	if e := errorIn(body); e != nil {
		return answerError(a, http.StatusOK, "", e)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the answer for %s is not what Graph documents: %w", a.name, err)
	}
	return nil
}

// withoutURL drops the address that net/http puts around an error: it holds
// filters and skip tokens, and says nothing that the API's name does not.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// at makes a GET of a whole address.
func at(u *url.URL) *request {
	req := abstractions.NewRequestInformation()
	req.Method = abstractions.GET
	req.SetUri(*u)
	req.Headers.TryAdd("Accept", "application/json")
	return req
}
