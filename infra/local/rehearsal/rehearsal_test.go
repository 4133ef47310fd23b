package rehearsal_test

import (
	"context"
	"testing"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/mail"
)

func TestSample(t *testing.T) {
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	options, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	options.Progress = func(d rehearsal.Day) { t.Log(d.N, d.Date, d.Coverage, d.Said) }
	options.Log = testWriter{t}
	timeline, err := rehearsal.Run(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", timeline)
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	return len(b), nil
}
