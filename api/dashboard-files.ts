/** The web page, as built into dist/dashboard; without one, `/` says where the API is. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import express, { Router } from 'express';
import { route } from './http/route';

export function dashboardFiles(folder = path.join(__dirname, '..', 'dashboard')): Router {
  const router = Router();
  router.use(express.static(folder, { index: 'index.html', redirect: false, dotfiles: 'ignore' }));
  if (!existsSync(path.join(folder, 'index.html'))) {
    route(router, '/', {
      GET: (_request, response) => {
        response.json({ name: 'spotkeeper', health: '/health', ready: '/ready', events: '/api/events' });
      },
    });
  }
  return router;
}
