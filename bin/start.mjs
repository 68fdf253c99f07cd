// `npm start`: gets everything ready that `spotkeeper start` needs, then runs it in this process.
import { run } from './run.mjs';

await run(['start', ...process.argv.slice(2)]);
