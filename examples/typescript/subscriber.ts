// A subscriber in TypeScript, from the schema package: node subscriber.js nats://… 'assessment.v1.>' my-app [count]
//
// Prints each fact as a line of JSON, acknowledges it then, and goes on where it was when it is started again.
import { createHash } from "node:crypto";

import { createRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { AckPolicy, jetstream, jetstreamManager, JetStreamApiError } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { file_livinglab_assessment_v1_events } from "livinglab-protos/livinglab/assessment/v1/events_pb.js";
import { file_livinglab_assessment_v1_comment_events } from "livinglab-protos/livinglab/assessment/v1/comment_events_pb.js";
import { file_livinglab_assessment_v1_evidence_events } from "livinglab-protos/livinglab/assessment/v1/evidence_events_pb.js";
import { file_livinglab_assessment_v1_results_events } from "livinglab-protos/livinglab/assessment/v1/results_events_pb.js";
import { file_livinglab_benchmark_v1_events } from "livinglab-protos/livinglab/benchmark/v1/events_pb.js";
import { file_livinglab_coaching_v1_coach_events } from "livinglab-protos/livinglab/coaching/v1/coach_events_pb.js";
import { file_livinglab_coaching_v1_events } from "livinglab-protos/livinglab/coaching/v1/events_pb.js";
import { file_livinglab_coaching_v1_follow_up_events } from "livinglab-protos/livinglab/coaching/v1/follow_up_events_pb.js";
import { file_livinglab_coaching_v1_memorandum_events } from "livinglab-protos/livinglab/coaching/v1/memorandum_events_pb.js";
import { file_livinglab_coaching_v1_minutes_events } from "livinglab-protos/livinglab/coaching/v1/minutes_events_pb.js";
import { file_livinglab_coaching_v1_plan_events } from "livinglab-protos/livinglab/coaching/v1/plan_events_pb.js";
import { file_livinglab_coaching_v1_practice_events } from "livinglab-protos/livinglab/coaching/v1/practice_events_pb.js";
import { file_livinglab_notify_v1_events } from "livinglab-protos/livinglab/notify/v1/events_pb.js";
import { file_livinglab_notify_v1_webhook_events } from "livinglab-protos/livinglab/notify/v1/webhook_events_pb.js";
import { file_livinglab_program_v1_directory_events } from "livinglab-protos/livinglab/program/v1/directory_events_pb.js";
import { file_livinglab_program_v1_events } from "livinglab-protos/livinglab/program/v1/events_pb.js";

const [url = "nats://127.0.0.1:4222", subject = "assessment.v1.>", name = "example-ts", count = "0"] =
  process.argv.slice(2);
// Each file makes its facts known.
const kinds = createRegistry(
  file_livinglab_assessment_v1_events,
  file_livinglab_assessment_v1_comment_events,
  file_livinglab_assessment_v1_evidence_events,
  file_livinglab_assessment_v1_results_events,
  file_livinglab_benchmark_v1_events,
  file_livinglab_coaching_v1_coach_events,
  file_livinglab_coaching_v1_events,
  file_livinglab_coaching_v1_follow_up_events,
  file_livinglab_coaching_v1_memorandum_events,
  file_livinglab_coaching_v1_minutes_events,
  file_livinglab_coaching_v1_plan_events,
  file_livinglab_coaching_v1_practice_events,
  file_livinglab_notify_v1_events,
  file_livinglab_notify_v1_webhook_events,
  file_livinglab_program_v1_directory_events,
  file_livinglab_program_v1_events,
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
  } else {
    // Of a newer contract than this program knows.
    console.error(`${type || "a message without ce-type"}: not known`);
  }
  await msg.ackAck();
  n += 1;
}
await nc.close();
