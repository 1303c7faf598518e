// A subscriber in Go, from the schema package: go run . -nats nats://… -subject 'assessment.v1.>' -durable my-app
//
// Prints each fact as a line of JSON, acknowledges it then, and goes on where it was when it is started again.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// Each import makes the facts of a service known.
	_ "livinglab.local/protos/livinglab/assessment/v1"
	_ "livinglab.local/protos/livinglab/benchmark/v1"
	_ "livinglab.local/protos/livinglab/coaching/v1"
	_ "livinglab.local/protos/livinglab/notify/v1"
	_ "livinglab.local/protos/livinglab/program/v1"
)

type line struct {
	Type    string          `json:"type"`
	Subject string          `json:"subject"`
	Version int             `json:"version"`
	Data    json.RawMessage `json:"data"`
}

// A durable for each filter: a position never moves back, so a subject that is added later has one of its own.
func durable(name, subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return name + "_" + hex.EncodeToString(sum[:])[:8]
}

func decode(msg jetstream.Msg) (line, error) {
	headers := msg.Headers()
	// Header names are read as they were written; Get would look for Ce-Type.
	get := func(name string) string { return strings.Join(headers.Values(name), "") }
	kind := get("ce-type")
	version, _ := strconv.Atoi(get("ce-sequence"))
	message, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(kind))
	if err != nil {
		return line{}, err
	}
	fact := message.New().Interface()
	if err := proto.Unmarshal(msg.Data(), fact); err != nil {
		return line{}, err
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(fact)
	return line{kind, get("ce-subject"), version, data}, err
}

func main() {
	url := flag.String("nats", nats.DefaultURL, "the broker")
	subject := flag.String("subject", "assessment.v1.>", "a filter")
	name := flag.String("durable", "example-go", "the application")
	count := flag.Int("count", 0, "end after so many; 0 never ends")
	flag.Parse()

	nc, err := nats.Connect(*url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	stream := strings.ToUpper(strings.SplitN(*subject, ".", 2)[0])
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable:       durable(*name, *subject),
		FilterSubject: *subject,
		AckPolicy:     jetstream.AckExplicitPolicy,
		// One at a time: whatever fails, the facts of one thing come in order.
		MaxAckPending: 1,
		MaxDeliver:    -1,
	})
	if err != nil {
		log.Fatal(err)
	}
	out := json.NewEncoder(os.Stdout)
	for n := 0; *count == 0 || n < *count; {
		batch, err := consumer.Fetch(1)
		if err != nil {
			log.Fatal(err)
		}
		for msg := range batch.Messages() {
			fact, err := decode(msg)
			if err != nil {
				// Of a newer contract than this program knows.
				log.Print(err)
			} else if err := out.Encode(fact); err != nil {
				log.Fatal(err)
			}
			if err := msg.DoubleAck(ctx); err != nil {
				log.Fatal(err)
			}
			n++
		}
	}
}
