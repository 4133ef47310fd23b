package graph

import (
	"context"
	"log/slog"
	"sync"

	"sallyport/shared/rollout"
)

// Clients keeps one client for each tenant, for the life of a process: a client
// holds the tenant's access token and its pace.
type Clients struct {
	App      App // of every tenant; its Tenant is filled in
	Source   TokenSource
	Endpoint string
	Clock    Clock
	Log      *slog.Logger

	mu       sync.Mutex
	byTenant map[rollout.TenantID]*Client
}

// NewClients makes the clients of one app registration. The app's Tenant is
// filled in for each.
func NewClients(app App, endpoint string, source TokenSource, clock Clock, log *slog.Logger) *Clients {
	return &Clients{App: app, Source: source, Endpoint: endpoint, Clock: clock, Log: log, byTenant: map[rollout.TenantID]*Client{}}
}

// For returns the tenant's client.
func (c *Clients) For(_ context.Context, t rollout.TenantID) (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, made := c.byTenant[t]; made {
		return client, nil
	}
	app := c.App
	app.Tenant = string(t)
	credential, err := NewCredential(app, c.Source)
	if err != nil {
		return nil, err
	}
	client, err := New(Options{Endpoint: c.Endpoint, Credential: credential, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, err
	}
	if c.byTenant == nil {
		c.byTenant = map[rollout.TenantID]*Client{}
	}
	c.byTenant[t] = client
	return client, nil
}
