package graph

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/auditlogs"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// ErrorCodeMissing stands in SignIn.ErrorCode where the row does not say how the
// sign-in ended. Zero would be a success, and close a lock-out.
const ErrorCodeMissing = -1

// signInRestarts bounds how often one query is taken up again after its skip
// token expired.
const signInRestarts = 20

// SignInQuery says which sign-ins are asked for. Rows arrive late, and more than
// once: let windows overlap by two hours at least and key by id.
type SignInQuery struct {
	From, To time.Time // either may be zero: not limited
	UserID   string    // empty: everybody
	// ErrorCode asks for one code; zero: all, successes included. Graph filters
	// for one at a time.
	ErrorCode int
	// NonInteractive asks for the sign-ins that clients make on a person's
	// behalf. Graph offers them in its beta alone.
	NonInteractive bool
	// Detailed asks for the interactive ones as Graph's beta tells them: with what
	// was demanded, and by which methods it was met.
	Detailed bool
}

func (q SignInQuery) filter() string {
	var parts []string
	if !q.From.IsZero() {
		parts = append(parts, "createdDateTime ge "+odataTime(q.From))
	}
	if !q.To.IsZero() {
		parts = append(parts, "createdDateTime le "+odataTime(q.To))
	}
	if q.UserID != "" {
		parts = append(parts, "userId eq "+quote(q.UserID))
	}
	if q.ErrorCode != 0 {
		parts = append(parts, "status/errorCode eq "+strconv.Itoa(q.ErrorCode))
	}
	switch {
	case q.NonInteractive:
		parts = append(parts, "signInEventTypes/any(t: t eq 'nonInteractiveUser')")
	case q.Detailed:
		parts = append(parts, "signInEventTypes/any(t: t eq 'interactiveUser')")
	}
	return strings.Join(parts, " and ")
}

// odataTime writes as many decimals as Graph keeps, seven, and no idle zeros.
func odataTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

type signInRow struct {
	ID                string   `json:"id"`
	UserID            string   `json:"userId"`
	UserPrincipalName string   `json:"userPrincipalName"`
	CreatedDateTime   raw.Time `json:"createdDateTime"`
	AppDisplayName    string   `json:"appDisplayName"`
	ClientAppUsed     string   `json:"clientAppUsed"`
	IPAddress         string   `json:"ipAddress"`
	IsInteractive     bool     `json:"isInteractive"`
	CAStatus          string   `json:"conditionalAccessStatus"`
	Location          struct {
		City    string `json:"city"`
		Country string `json:"countryOrRegion"`
	} `json:"location"`
	Status struct {
		ErrorCode     *int   `json:"errorCode"`
		FailureReason string `json:"failureReason"`
	} `json:"status"`
	Applied []rollout.AppliedPolicy `json:"appliedConditionalAccessPolicies"`
	// Of beta alone.
	// Source: https://learn.microsoft.com/graph/api/resources/authenticationdetail
	Requirement string `json:"authenticationRequirement"`
	Details     []struct {
		Method    string `json:"authenticationMethod"`
		Succeeded bool   `json:"succeeded"`
	} `json:"authenticationDetails"`
}

func (r signInRow) rowID() string { return r.ID }

// dated refuses a row without a time: no window could hold it.
func (r signInRow) dated() error {
	if r.CreatedDateTime.IsZero() {
		return fmt.Errorf("sign-in %s has no time", r.ID)
	}
	return nil
}

func (r signInRow) signIn() rollout.SignIn {
	code := ErrorCodeMissing
	if r.Status.ErrorCode != nil {
		code = *r.Status.ErrorCode
	}
	var methods []string
	for _, d := range r.Details {
		if d.Succeeded && d.Method != "" {
			methods = append(methods, d.Method)
		}
	}
	return rollout.SignIn{
		ID: r.ID, UserID: r.UserID, UserPrincipalName: r.UserPrincipalName, CreatedAt: r.CreatedDateTime.Time,
		AppDisplayName: r.AppDisplayName, ClientAppUsed: r.ClientAppUsed, IPAddress: r.IPAddress,
		City: r.Location.City, Country: r.Location.Country,
		ErrorCode: code, FailureReason: r.Status.FailureReason,
		Interactive: r.IsInteractive, CAStatus: r.CAStatus, Applied: r.Applied,
		Requirement: r.Requirement, Methods: methods,
	}
}

// SignIns reads the sign-in log, newest first, page by page. The same sign-in
// may come more than once. What each policy said of a sign-in is there only if
// the app may also read policies; a tenant without Entra ID P1 has no log at
// all: [ErrNoLicence].
// Source: https://learn.microsoft.com/graph/api/signin-list
func (c *Client) SignIns(ctx context.Context, q SignInQuery, page func([]rollout.SignIn) error) error {
	about := call{api: apiSignIns()}
	reading := &signInReading{deliver: page, ordered: true, to: q.To}
	for range signInRestarts {
		req, err := c.signInsRequest(ctx, q)
		if err != nil {
			return err
		}
		l := &listing[signInRow]{client: c, call: about, repeats: true}
		err = l.read(ctx, req, reading.take)
		if err == nil {
			return nil
		}
		// After some twenty minutes Graph forgets where a reading was. The log comes newest first, so it goes on at the oldest row seen.
		if !expired(err) || l.rows == 0 || !reading.ordered || !reading.progress(&q) {
			return reading.ended(about.api, err)
		}
	}
	return reading.ended(about.api, errors.New("it had to be taken up again too often"))
}

// SignInsPage reads one page of what [Client.SignIns] reads. After
// [ErrCursorExpired], go on with a query that ends (To) at the oldest row seen:
// the log comes newest first. Where rows came out of that order, start again.
func (c *Client) SignInsPage(ctx context.Context, q SignInQuery, cursor string) (Page[rollout.SignIn], error) {
	req, err := c.signInsRequest(ctx, q)
	if err != nil {
		return Page[rollout.SignIn]{}, err
	}
	l := &listing[signInRow]{client: c, call: call{api: apiSignIns()}, repeats: true}
	return pageOf(ctx, l, req, cursor, func(r signInRow) (rollout.SignIn, error) { return r.signIn(), r.dated() })
}

func (c *Client) signInsRequest(ctx context.Context, q SignInQuery) (*request, error) {
	var query auditlogs.SignInsRequestBuilderGetQueryParameters
	if f := q.filter(); f != "" {
		query.Filter = &f
	}
	req, err := auditlogs.NewAuditLogsRequestBuilderInternal(c.path(), c.adapter).SignIns().ToGetRequestInformation(ctx,
		&auditlogs.SignInsRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil || !q.NonInteractive && !q.Detailed {
		return req, err
	}
	u, err := req.GetUri()
	if err != nil {
		return nil, fmt.Errorf("prepare the sign-in query: %w", err)
	}
	beta := *u
	beta.Path = strings.Replace(u.Path, c.endpoint.Path+"/v1.0/", c.endpoint.Path+"/beta/", 1)
	return at(&beta), nil
}

// signInReading remembers how far a reading came, to take it up there again.
type signInReading struct {
	deliver func([]rollout.SignIn) error
	rows    int
	ordered bool            // so far newest first
	oldest  time.Time       // of the rows handed over
	edge    map[string]bool // ids of the rows that are exactly that old
	to      time.Time       // where the present query begins
}

func (s *signInReading) take(rows []signInRow) error {
	out := make([]rollout.SignIn, 0, len(rows))
	for _, r := range rows {
		at := r.CreatedDateTime.Time
		if err := r.dated(); err != nil {
			return err
		}
		if at.Equal(s.oldest) && s.edge[r.ID] {
			continue // handed over before the restart
		}
		switch {
		case s.oldest.IsZero() || at.Before(s.oldest):
			s.oldest, s.edge = at, map[string]bool{r.ID: true}
		case at.Equal(s.oldest):
			s.edge[r.ID] = true
		default:
			s.ordered = false
		}
		out = append(out, r.signIn())
	}
	if len(out) == 0 {
		return nil
	}
	s.rows += len(out)
	return s.deliver(out)
}

// ended makes one error of a reading that had more than one listing.
func (s *signInReading) ended(a api, err error) error {
	var partial *PartialError
	if s.rows == 0 || errors.As(err, &partial) {
		return err
	}
	return &PartialError{Listing: a.name, Rows: s.rows, Err: err}
}

// progress moves the query's end to the oldest row; false if that is where it
// already is, which would go round in circles.
func (s *signInReading) progress(q *SignInQuery) bool {
	if s.oldest.IsZero() || (!s.to.IsZero() && !s.oldest.Before(s.to)) {
		return false
	}
	s.to, q.To = s.oldest, s.oldest
	return true
}
