// LibreChat's own schema of librechat.yaml, told on stdin as JSON: what it has against it.
import { readFileSync } from "node:fs";
import { configSchema, Constants } from "librechat-data-provider";

const read = configSchema.strict().safeParse(JSON.parse(readFileSync(0, "utf8")));
console.log(JSON.stringify({
  version: Constants.CONFIG_VERSION,
  issues: read.success ? [] : read.error.issues,
  read: read.success ? read.data.endpoints.custom : null,
}));
