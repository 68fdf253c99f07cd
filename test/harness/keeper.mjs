// Ends the test servers when the run that started them ends, however it ends: a kill -9 of the run closes the IPC
// channel. It hears `{pid, signal}` for each server and removes the folder named as its argument.
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const folder = process.argv[2];
const servers = [];

process.on('message', (server) => servers.push(server));
process.on('SIGINT', () => undefined); // A terminal's Ctrl-C also reaches the run; its end is what counts.
process.on('disconnect', async () => {
  for (const { pid, signal } of servers) send(pid, signal);
  const end = Date.now() + 10_000;
  while (Date.now() < end && servers.some(({ pid }) => send(pid, 0))) await delay(50);
  for (const { pid } of servers) send(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function send(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}
