package rehearsal_test

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/mail"
)

func TestSample(t *testing.T) {
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	options, err := rehearsal.Sample(max(seed, 1), renderer)
	if err != nil {
		t.Fatal(err)
	}
	options.Faults, _ = strconv.ParseFloat(os.Getenv("FAULTS"), 64)
	options.Progress = func(d rehearsal.Day) { t.Log(d.N, d.Date, d.Coverage, d.Said) }
	options.Failed = func(at time.Time, f string, err error) { t.Log("FAILED", at, f, err) }
	timeline, err := rehearsal.Run(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.MarshalIndent(timeline, "", " ")
	t.Logf("%s", b)
}
