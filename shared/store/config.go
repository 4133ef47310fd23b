package store

import (
	"context"

	"sallyport/shared/rollout"
)

// tenant is a line of the registry.
type tenant struct {
	Tenant rollout.TenantID `json:"tenant"`
}

// PutConfig keeps what the operator wants, in place of what was there, and
// enters the tenant in the registry: both or neither.
func (s *Store) PutConfig(ctx context.Context, c rollout.Config) error {
	return s.write(ctx,
		Write{Item: Item{Key: configKey(c.Tenant), Data: c}},
		Write{Item: Item{Key: tenantKey(c.Tenant), Data: tenant{c.Tenant}}},
	)
}

// Config returns the tenant's config, or ErrNotFound.
func (s *Store) Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error) {
	return get[rollout.Config](ctx, s, configKey(t))
}

// Tenants lists every tenant that has a config, in the order of their ids.
func (s *Store) Tenants(ctx context.Context) ([]rollout.TenantID, error) {
	var tenants []rollout.TenantID
	for line, err := range each[tenant](ctx, s, registry) {
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, line.Tenant)
	}
	return tenants, nil
}
