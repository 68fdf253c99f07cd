/** Where this program is installed. Compiled, this file is dist/cli/checkout.js. */
import path from 'node:path';

export const DIST = path.resolve(__dirname, '..');
export const CHECKOUT = path.resolve(DIST, '..');
