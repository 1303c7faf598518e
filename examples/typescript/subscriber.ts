// A subscriber in TypeScript, from the schema package: node subscriber.js nats://… 'assessment.v1.>' my-app [count]
//
// Prints each fact as a line of JSON, acknowledges it then, and goes on where it was when it is started again.
import { createHash } from "node:crypto";

import { createRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { AckPolicy, jetstream, jetstreamManager, JetStreamApiError } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import * as assessment from "livinglab-protos/livinglab/assessment/v1/events_pb.js";
import * as results from "livinglab-protos/livinglab/assessment/v1/results_events_pb.js";
import * as coaching from "livinglab-protos/livinglab/coaching/v1/events_pb.js";

const [url = "nats://127.0.0.1:4222", subject = "assessment.v1.>", name = "example-ts", count = "0"] =
  process.argv.slice(2);
const kinds = createRegistry(
  assessment.file_livinglab_assessment_v1_events,
  results.file_livinglab_assessment_v1_results_events,
  coaching.file_livinglab_coaching_v1_events,
);
// A durable for each filter: a position never moves back, so a subject that is added later has one of its own.
const durable = `${name}_${createHash("sha256").update(subject).digest("hex").slice(0, 8)}`;
const stream = subject.split(".", 1)[0]!.toUpperCase();

const nc = await connect({ servers: url });
const manager = await jetstreamManager(nc);
try {
  await manager.consumers.info(stream, durable);
} catch (error) {
  if (!(error instanceof JetStreamApiError)) throw error;
  await manager.consumers.add(stream, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    // One at a time: whatever fails, the facts of one thing come in order.
    max_ack_pending: 1,
  });
}
const consumer = await jetstream(nc).consumers.get(stream, durable);
for (let n = 0; count === "0" || n < Number(count); ) {
  const msg = await consumer.next();
  if (msg === null) continue;
  const type = msg.headers?.get("ce-type") ?? "";
  const kind = kinds.getMessage(type);
  if (kind) {
    const data = toJson(kind, fromBinary(kind, msg.data), { useProtoFieldName: true, registry: kinds });
    const version = Number(msg.headers?.get("ce-sequence"));
    console.log(JSON.stringify({ type, subject: msg.headers?.get("ce-subject"), version, data }));
  }
  await msg.ackAck();
  n += 1;
}
await nc.close();
