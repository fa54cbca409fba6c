/** The entry of `dist/index.js`. */
import { start } from './start.js';
import { openUseCases } from './use-cases.js';

await start(process.env, openUseCases);
