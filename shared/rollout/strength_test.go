package rollout_test

import (
	"testing"

	"sallyport/shared/rollout"
)

func TestStrength(t *testing.T) {
	tests := []struct {
		methods []string
		want    rollout.Strength
	}{
		{nil, rollout.StrengthNone},
		{[]string{"password", "email", "temporaryAccessPass", ""}, rollout.StrengthNone},
		{[]string{"password", "mobilePhone"}, rollout.StrengthWeak},
		{[]string{"officePhone", "microsoftAuthenticatorPush"}, rollout.StrengthStrong},
		{[]string{"PASSKEYDEVICEBOUND", "mobilePhone"}, rollout.StrengthPhishingResistant},
		{[]string{"fido2AuthenticationMethod"}, rollout.StrengthPhishingResistant},
		{[]string{"telepathy"}, rollout.StrengthUnknown},
		{[]string{"telepathy", "sms"}, rollout.StrengthWeak},
	}
	for _, tt := range tests {
		if got := rollout.StrengthOf(tt.methods); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.methods, got, tt.want)
		}
	}
}

// TestRegistrationFromMethods: without a report a method that nobody knows
// proves nothing, in either direction.
func TestRegistrationFromMethods(t *testing.T) {
	for method, want := range map[string]struct{ registered, capable rollout.Fact }{
		"passwordAuthenticationMethod":               {rollout.No, rollout.No},
		"phoneAuthenticationMethod":                  {rollout.Yes, rollout.No}, // Security Defaults take no phone number
		"microsoftAuthenticatorAuthenticationMethod": {rollout.Yes, rollout.Yes},
		"telepathyAuthenticationMethod":              {rollout.Unknown, rollout.Unknown},
	} {
		if got := rollout.RegistrationFromMethods("u1", []string{method}); got.MFACapable != want.capable || got.MFARegistered != want.registered {
			t.Errorf("%s: registered %s, capable %s, want %s, %s", method, got.MFARegistered, got.MFACapable, want.registered, want.capable)
		}
	}
}
