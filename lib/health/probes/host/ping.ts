import { runCommand } from '../../../host/run';
import { Wrong } from '../probe';
import { onHost } from './on-host';

const NO_ANSWER = 1;
const BAD_NAME = 2;

/** An address answers ICMP, seen from a host: n8n itself mostly may not ping. */
export const pingKind = onHost((fields) => {
  const address = fields.needText('host');
  if (!/^[A-Za-z0-9_.:-]+$/.test(address) || address.startsWith('-'))
    throw fields.refuse('host', 'is not a name or address');
  const wait = Math.ceil(fields.number('answersWithin', 1, 60) ?? 3);
  return async (host, task) => {
    const { exitCode, stdout } = await runCommand(
      host,
      { argv: ['ping', '-n', '-c', '1', '-W', String(wait), address], environment: { LC_ALL: 'C' } },
      { timeoutMs: (wait + 5) * 1000, acceptExitCodes: [0, NO_ANSWER, BAD_NAME] },
      task,
    );
    if (exitCode === BAD_NAME) throw new Wrong('its name cannot be looked up, or there is no way to it');
    if (exitCode === NO_ANSWER) throw new Wrong('it does not answer a ping');
    return `it answers a ping in ${/time[=<]([\d.]+) ?ms/.exec(stdout)?.[1] ?? 'some'} ms`;
  };
});
