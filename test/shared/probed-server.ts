import { createServer } from 'node:http';

/** Many services behind one port, in a process of their own so that their work is not counted as anybody else's. */
let asked = 0;
const server = createServer((request, response) => {
  if (request.url === '/asked') {
    response.end(String(asked));
    return;
  }
  asked += 1;
  response.end('hello');
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify(server.address())}\n`);
});
