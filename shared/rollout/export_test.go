package rollout

// CountryZones is countryZones, for tests.
func CountryZones() map[string]string { return countryZones() }
