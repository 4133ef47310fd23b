package graph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/subscriptions"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

type subscriptionRow struct {
	ID          string   `json:"id"`
	Resource    string   `json:"resource"`
	ChangeType  string   `json:"changeType"`
	ClientState string   `json:"clientState"`
	Expires     raw.Time `json:"expirationDateTime"`
}

func (r subscriptionRow) rowID() string { return r.ID }

func (r subscriptionRow) subscription() rollout.Subscription {
	return rollout.Subscription{ID: r.ID, Resource: r.Resource, ChangeType: r.ChangeType, ClientState: r.ClientState, ExpiresAt: r.Expires.Time}
}

// Subscriptions reads the app's change notifications. Graph does not tell the
// client state again.
// Source: https://learn.microsoft.com/graph/api/subscription-list
func (c *Client) Subscriptions(ctx context.Context) ([]rollout.Subscription, error) {
	req, err := subscriptions.NewSubscriptionsRequestBuilderInternal(c.path(), c.adapter).ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	l := &listing[subscriptionRow]{client: c, call: call{api: apiSubscriptions()}}
	return all(ctx, l, req, func(r subscriptionRow) (rollout.Subscription, error) { return r.subscription(), nil })
}

// CreateSubscription asks Graph to notify the address of changes to a resource
// (for example /users) until it expires: for users and groups in less than 29
// days. Lifecycle notifications go to the same address, since that cannot be
// added later. Graph calls the address before it answers. It is sent once.
// Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
func (c *Client) CreateSubscription(ctx context.Context, resource, changeType, notificationURL, clientState string, expires time.Time) (rollout.Subscription, error) {
	if clientState == "" {
		return rollout.Subscription{}, fmt.Errorf("create a subscription on %s: without a client state anybody could notify", resource)
	}
	body := models.NewSubscription()
	body.SetResource(&resource)
	body.SetChangeType(&changeType)
	body.SetNotificationUrl(&notificationURL)
	body.SetLifecycleNotificationUrl(&notificationURL)
	body.SetClientState(&clientState)
	body.SetExpirationDateTime(new(expires.UTC()))
	req, err := subscriptions.NewSubscriptionsRequestBuilderInternal(c.path(), c.adapter).ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return rollout.Subscription{}, err
	}
	var r subscriptionRow
	about := apiSubscriptions()
	if strings.HasPrefix(strings.TrimPrefix(resource, "/"), "groups") {
		about = apiGroupSubscriptions()
	}
	if err := c.fetch(ctx, call{api: about}, req, &r); err != nil {
		return rollout.Subscription{}, fmt.Errorf("create a subscription on %s: %w", resource, err)
	}
	if r.ID == "" {
		return rollout.Subscription{}, fmt.Errorf("create a subscription on %s: the answer has no id", resource)
	}
	made := r.subscription()
	made.ClientState = clientState
	return made, nil
}

// RenewSubscription moves the end of a subscription, which also answers Graph's
// demand to reauthorize it. [ErrNotFound] where it has lapsed: create it again.
// Source: https://learn.microsoft.com/graph/api/subscription-update
func (c *Client) RenewSubscription(ctx context.Context, id string, expires time.Time) (rollout.Subscription, error) {
	if id == "" {
		return rollout.Subscription{}, errors.New("renew a subscription: no id")
	}
	body := models.NewSubscription()
	body.SetExpirationDateTime(new(expires.UTC()))
	req, err := subscriptions.NewSubscriptionsRequestBuilderInternal(c.path(), c.adapter).BySubscriptionId(id).
		ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return rollout.Subscription{}, err
	}
	var r subscriptionRow
	if err := c.fetch(ctx, call{api: apiSubscriptions()}, req, &r); err != nil {
		return rollout.Subscription{}, fmt.Errorf("renew subscription %s: %w", id, err)
	}
	return r.subscription(), nil
}
