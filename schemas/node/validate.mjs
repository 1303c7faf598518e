// node validate.mjs asyncapi.yaml: what the official parser says of it, with the plug-in that reads protobuf schemas
// (without it any text passes for one). One line of JSON; exit code 1 where there is a fault.
import { readFileSync } from "node:fs";

import { Parser } from "@asyncapi/parser";
import { ProtoBuffSchemaParser } from "@asyncapi/protobuf-schema-parser";

const parser = new Parser();
parser.registerSchemaParser(ProtoBuffSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], "utf8"));
const faults = diagnostics.map((one) => `${one.path.join(".")}: ${one.message.split("\n")[0]}`);
const fields = Object.fromEntries(
  (document?.messages().all() ?? []).map((one) => [one.name(), Object.keys(one.payload()?.properties() ?? {})]),
);
console.log(JSON.stringify({ version: document?.version() ?? "", faults, fields }));
process.exit(document && faults.length === 0 ? 0 : 1);
