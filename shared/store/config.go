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

// Config returns the tenant's config, or ErrNotFound. It says Paused if the
// file does or if the operator paused by hand ([Store.PutPause]): whoever goes by
// the config goes by both.
func (s *Store) Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error) {
	c, err := get[rollout.Config](ctx, s, configKey(t))
	if err != nil {
		return c, err
	}
	pause, err := s.Pause(ctx, t)
	if err != nil {
		return rollout.Config{}, err // not known to be free to go on
	}
	c.Paused = c.Paused || pause.Paused
	return c, nil
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
