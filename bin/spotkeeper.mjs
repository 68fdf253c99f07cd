#!/usr/bin/env node
// `npx spotkeeper <command>`, from the checkout or wherever it is linked.
import { run } from './run.mjs';

await run(process.argv.slice(2));
