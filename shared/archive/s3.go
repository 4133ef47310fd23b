package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// S3Client lists all that is used of the SDK's client. A function's policy needs
// s3:PutObject, s3:GetObject and s3:DeleteObject on the bucket's objects, and
// s3:ListBucket on the bucket: without that one S3 answers a missing object with
// "access denied", and nobody could tell.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
type S3Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
}

// bucket keeps objects in Amazon S3. How they are encrypted, and for how long
// they are kept, is the bucket's own matter.
type bucket struct {
	client S3Client
	name   string
}

// NewS3 returns the archive in a bucket. The client's own retries stay in charge
// of network errors, throttled calls and server errors.
func NewS3(client S3Client, bucketName string) Archive { return bucket{client, bucketName} }

// pathStyle puts the bucket into the path and not into the host's name: an end
// point from AWS_ENDPOINT_URL is one host, and no resolver need know one called
// "bucket.localhost". S3 itself takes both.
func pathStyle(o *s3.Options) { o.UsePathStyle = true }

// Put sends the object with its checksum, which S3 compares before it keeps it.
func (b bucket) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if err := checkName(name); err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: &b.name, Key: &name, Body: content}
	if _, err := b.client.PutObject(ctx, in, pathStyle); err != nil {
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	return nil
}

func (b bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &name}, pathStyle)
	if errors.As(err, new(*types.NoSuchKey)) {
		return nil, fmt.Errorf("archive: read %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", name, err)
	}
	if out.ContentLength == nil {
		_ = out.Body.Close() // nothing of it is used
		return nil, fmt.Errorf("archive: read %s: S3 does not say how long it is, so nobody could tell whether it is whole", name)
	}
	return &object{body: out.Body, name: name, size: *out.ContentLength}, nil
}

// object is a body that ends where S3 said it would, or with an error: half a
// page of an audit would be half the accounts.
type object struct {
	body       io.ReadCloser
	name       string
	size, read int64
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.body.Read(p)
	o.read += int64(n)
	switch {
	case errors.Is(err, io.EOF) && o.read == o.size:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
		fallthrough
	case err != nil:
		return n, fmt.Errorf("archive: read %s: %d of %d bytes came: %w", o.name, o.read, o.size, err)
	}
	return n, nil
}

func (o *object) Close() error { return o.body.Close() }

// List follows all pages. It takes an answer only if S3 says whether there is
// more: an empty one, with status 200, would decode as a bucket without objects.
func (b bucket) List(ctx context.Context, prefix string) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	names := []string{}
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}
	for page := 1; ; page++ {
		out, err := b.client.ListObjectsV2(ctx, in, pathStyle)
		if err != nil {
			return nil, fmt.Errorf("archive: list %s: page %d: %w", prefix, page, err)
		}
		for _, o := range out.Contents {
			// What else stands in the bucket (a console's "folder") is not ours.
			if name := aws.ToString(o.Key); checkName(name) == nil {
				names = append(names, name)
			}
		}
		next := aws.ToString(out.NextContinuationToken)
		switch {
		case out.IsTruncated == nil:
			return nil, fmt.Errorf("archive: list %s: page %d does not say whether there is more", prefix, page)
		case !*out.IsTruncated:
			slices.Sort(names)
			return names, nil
		case next == "" || next == aws.ToString(in.ContinuationToken):
			return nil, fmt.Errorf("archive: list %s: page %d says that there is more but not where", prefix, page)
		}
		in.ContinuationToken = &next
	}
}

// maxDelete is how many objects one DeleteObjects takes.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
const maxDelete = 1000

// Delete goes on after a batch that failed: what can go goes.
func (b bucket) Delete(ctx context.Context, names ...string) error {
	if err := checkNames(names); err != nil {
		return err
	}
	var errs []error
	for batch := range slices.Chunk(names, maxDelete) {
		errs = append(errs, b.deleteBatch(ctx, batch))
	}
	return errors.Join(errs...)
}

// deleteBatch believes only what S3 says of each name: one it says nothing of
// may still be there.
func (b bucket) deleteBatch(ctx context.Context, names []string) error {
	in := &s3.DeleteObjectsInput{Bucket: &b.name, Delete: &types.Delete{}}
	left := map[string]bool{}
	for _, name := range names {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: aws.String(name)})
		left[name] = true
	}
	out, err := b.client.DeleteObjects(ctx, in, pathStyle)
	if err != nil {
		return fmt.Errorf("archive: delete %d objects from %s on: %w", len(names), names[0], err)
	}
	var errs []error
	for _, gone := range out.Deleted {
		delete(left, aws.ToString(gone.Key))
	}
	for _, failed := range out.Errors {
		name, code := aws.ToString(failed.Key), aws.ToString(failed.Code)
		if delete(left, name); code != "NoSuchKey" {
			errs = append(errs, fmt.Errorf("archive: delete %s: %s: %s", name, code, aws.ToString(failed.Message)))
		}
	}
	for _, name := range names {
		if left[name] {
			errs = append(errs, fmt.Errorf("archive: delete %s: S3 does not say that it is gone", name))
			delete(left, name)
		}
	}
	return errors.Join(errs...)
}
