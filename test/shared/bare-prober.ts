import { request } from 'node:http';

/** The least that looks at so many addresses at an interval: a timer each, a request, its status and its body. */
const [port = '', count = '', interval = ''] = process.argv.slice(2);

function look(index: number): void {
  const asked = request({
    ...{ host: '127.0.0.1', port: Number(port), path: `/${index}`, agent: false },
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(5_000),
  });
  asked.on('error', (error) => process.stdout.write(`${index}: ${error.message}\n`));
  asked.on('response', (answer) => {
    const parts: Buffer[] = [];
    answer.on('data', (part: Buffer) => parts.push(part));
    answer.on('end', () => {
      if (answer.statusCode !== 200 || Buffer.concat(parts).toString('utf8') !== 'hello') {
        process.stdout.write(`${index}: wrong\n`);
      }
    });
  });
  asked.end();
}

for (let index = 0; index < Number(count); index += 1) {
  setTimeout(
    () => {
      look(index);
      setInterval(look, Number(interval), index);
    },
    Math.random() * Number(interval),
  );
}
