#!/usr/bin/env node
// Starts the perfgate of this platform, which the optional dependency of its name holds.
"use strict";

const { spawn } = require("node:child_process");

const name = `@perfgate/cli-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "perfgate.exe" : "perfgate";

let binary;
try {
  binary = require.resolve(`${name}/bin/${file}`);
} catch {
  console.error(`error: the package ${name} is not installed`);
  console.error("help: install perfgate without --omit=optional; if there is no such package, build perfgate from source");
  process.exit(3); // as perfgate itself does for a capability that is not available
}

const child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });
// perfgate cleans up when it is asked to end, so this process waits for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`error: ${binary} cannot be started: ${error.message}`);
  process.exit(1);
});
child.on("exit", (status, signal) => {
  if (signal === null) {
    process.exit(status);
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
