package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// Key says where an item stands.
//
// The partition (pk) is "<tenant>#<kind>". No kind has a "#" in it, so no two
// tenants share one, whatever their ids are. The sort key (sk) is what tells the
// items of a kind apart. Two partitions belong to no tenant: the registry of
// tenants, and the pointers from a subscription to its tenant.
type Key struct {
	PK string
	SK string
}

// String names the item by tenant, kind and id, shortened if that is absurd.
func (k Key) String() string { return fmt.Sprintf("%.200s %.200s", k.PK, k.SK) }

var (
	errNoTenant = errors.New("store: no tenant given; every record belongs to one")
	errNoID     = errors.New("store: record without an id")
)

func (k Key) check() error {
	switch {
	case k.PK == "":
		return errNoTenant
	case k.SK == "":
		return fmt.Errorf("%w: %s", errNoID, k.PK)
	}
	return nil
}

// The kinds of item, as they stand in the partition key.
const (
	kindConfig       = "config"
	kindAccount      = "account"
	kindAudit        = "audit"
	kindCoverage     = "coverage"
	kindObservation  = "observation"
	kindWave         = "wave"
	kindPolicy       = "policy"
	kindGroup        = "group"
	kindMessage      = "message"
	kindDayLock      = "dayLock"
	kindUnreachable  = "unreachable"
	kindAlert        = "alert"
	kindDrill        = "drill"
	kindEmergency    = "emergency" // the last proof of all emergency accounts
	kindProof        = "proof"     // that of one of them
	kindProbe        = "probe"
	kindChangeOver   = "changeOver"
	kindChange       = "changes" // the log; "change" held lines that were no chain
	kindChangeHead   = "changeHead"
	kindPause        = "pause"
	kindOrder        = "order"
	kindLockOut      = "lockOut"
	kindSubscription = "subscription"
	kindAcceptance   = "acceptance"
	kindLease        = "lease"
	kindRun          = "run"

	registry             = "#tenants"
	subscriptionPointers = "#subscriptions"
)

// only is the sort key of a kind of which a tenant has one.
const only = "current"

func configKey(t rollout.TenantID) Key             { return key(t, kindConfig, only) }
func accountKey(t rollout.TenantID, id string) Key { return key(t, kindAccount, id) }
func auditKey(t rollout.TenantID) Key              { return key(t, kindAudit, only) }
func waveKey(t rollout.TenantID, name string) Key  { return key(t, kindWave, name) }
func messageKey(t rollout.TenantID, id string) Key { return key(t, kindMessage, id) }
func alertKey(t rollout.TenantID, id string) Key   { return key(t, kindAlert, id) }
func drillKey(t rollout.TenantID, id string) Key   { return key(t, kindDrill, id) }
func emergencyKey(t rollout.TenantID) Key          { return key(t, kindEmergency, only) }
func proofKey(t rollout.TenantID, id string) Key   { return key(t, kindProof, id) }
func probeKey(t rollout.TenantID) Key              { return key(t, kindProbe, only) }
func changeOverKey(t rollout.TenantID) Key         { return key(t, kindChangeOver, only) }
func changeHeadKey(t rollout.TenantID) Key         { return key(t, kindChangeHead, only) }
func pauseKey(t rollout.TenantID) Key              { return key(t, kindPause, only) }
func orderKey(t rollout.TenantID, id string) Key   { return key(t, kindOrder, id) }
func leaseKey(t rollout.TenantID, job string) Key  { return key(t, kindLease, job) }
func runKey(t rollout.TenantID, job string) Key    { return key(t, kindRun, job) }

func coverageKey(t rollout.TenantID, day rollout.Date) Key {
	return key(t, kindCoverage, day.String())
}

// changeKey has a fixed width, so that the order of the keys is that of the
// numbers.
func changeKey(t rollout.TenantID, seq int64) Key {
	return key(t, kindChange, fmt.Sprintf("%012d", seq))
}

func observationKey(t rollout.TenantID, o rollout.Observation) Key {
	return key(t, kindObservation, o.Account, o.Policy)
}

// policyKey goes by the marker: a policy's own id is not known while its
// creation is only intended.
func policyKey(t rollout.TenantID, marker string) Key { return key(t, kindPolicy, marker) }

// groupKey goes by the purpose, so that there is one group for each.
func groupKey(t rollout.TenantID, purpose string) Key { return key(t, kindGroup, purpose) }

// dayLockKey is taken by the one message that a person may get on that day.
func dayLockKey(t rollout.TenantID, account string, day rollout.Date) Key {
	return key(t, kindDayLock, account, day.String())
}

func unreachableKey(t rollout.TenantID, account string) Key {
	return key(t, kindUnreachable, account)
}

// lockOutKey: a person may be locked out more than once. The time has a fixed
// width, so that the order of the keys is that of the times.
func lockOutKey(t rollout.TenantID, account string, opened time.Time) Key {
	return key(t, kindLockOut, account, opened.UTC().Format("2006-01-02T15:04:05.000000000Z"))
}

// acceptanceKey goes by the wave too: an acceptance holds for one switch.
func acceptanceKey(t rollout.TenantID, wave, account string) Key {
	return key(t, kindAcceptance, wave, account)
}

func subscriptionKey(t rollout.TenantID, id string) Key { return key(t, kindSubscription, id) }

func tenantKey(t rollout.TenantID) Key { return Key{PK: registry, SK: string(t)} }

func subscriptionPointerKey(id string) Key { return Key{PK: subscriptionPointers, SK: id} }

// partition is where a tenant's items of one kind stand; empty without a tenant.
func partition(t rollout.TenantID, kind string) string {
	if t == "" {
		return ""
	}
	return string(t) + "#" + kind
}

// key joins the parts of an id. A missing part makes the whole id missing, which
// check refuses.
func key(t rollout.TenantID, kind string, id ...string) Key {
	k := Key{PK: partition(t, kind)}
	for i, part := range id {
		if part == "" {
			return Key{PK: k.PK}
		}
		if i > 0 {
			k.SK += "#"
		}
		k.SK += escape(part)
	}
	return k
}

// escape keeps the separator out of the parts, so that two different ids are
// never written alike.
func escape(part string) string {
	if !strings.ContainsAny(part, "#%") {
		return part
	}
	return strings.NewReplacer("%", "%25", "#", "%23").Replace(part)
}
