/** Listens at once on the port it is given last and passes all connections on to the port before: `relay.mjs TO PORT`. */
import { connect, createServer } from 'node:net';

const [to, port] = process.argv.slice(2).map(Number);

createServer((socket) => {
  const other = connect(to, '127.0.0.1');
  socket.pipe(other).pipe(socket);
  for (const [one, two] of [
    [socket, other],
    [other, socket],
  ]) {
    one.setNoDelay(true);
    one.on('error', () => two.destroy());
    one.on('close', () => two.destroy());
  }
}).listen(port, '127.0.0.1');
