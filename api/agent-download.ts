/** `GET /downloads/agent/latest/spot-agent`: the agent as one file, with its checksum in a header and beside it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Router } from 'express';
import { route } from './http/route';

const NAME = 'spot-agent';

export function agentDownload(file = path.join(__dirname, '..', 'spot-agent.js')): Router {
  const content = readFileSync(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const router = Router();
  route(router, `/downloads/agent/latest/${NAME}`, {
    GET: (_request, response) => {
      response.set('X-Checksum-SHA256', sha256).attachment(NAME).type('application/javascript').send(content);
    },
  });
  // In the form that `sha256sum --check` reads.
  route(router, `/downloads/agent/latest/${NAME}.sha256`, {
    GET: (_request, response) => {
      response.type('text/plain').send(`${sha256}  ${NAME}\n`);
    },
  });
  return router;
}
