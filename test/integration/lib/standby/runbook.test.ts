import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readHold } from '../../../../lib/host/hold';
import { runCommand } from '../../../../lib/host/run';
import { silence } from '../../../../lib/standby/steps';
import { readTurn, takeTurn } from '../../../../lib/standby/turn';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { type Machine, startMachine } from '../host/machine';

const runbook = readFileSync(join(__dirname, '../../../../docs/runbooks/service-standby.md'), 'utf8');

/** The commands of a step, as they stand there. */
function commandsOf(step: number): string {
  const commands = new RegExp(`^## ${step}\\. [^]*?^\`\`\`sh\\n([^]*?)^\`\`\`$`, 'm').exec(runbook)?.[1];
  if (commands === undefined) throw new Error(`The runbook has no commands in step ${step}`);
  return commands;
}

describeAsRoot('the runbook of a service with a standby, followed to the letter', () => {
  const task = quietTask();
  let machine: Machine;
  beforeAll(async () => {
    machine = await startMachine('eva');
  });
  afterAll(() => machine.stop());

  const byHand = (commands: string) =>
    runCommand(machine.host, { script: commands, environment: { USER: 'dana' } }, { timeoutMs: 30_000 }, task);
  const service = () => ({ name: 'shop', directory: '/srv/shop', home: machine.host, standby: machine.host });

  test('its hold keeps every n8n out, and is lifted by its last step', async () => {
    await byHand(commandsOf(1));
    expect(await readHold(machine.host, task)).toMatchObject({ kind: 'held', who: 'dana', why: 'moving shop by hand' });
    await expect(
      takeTurn(service(), { to: 'standby', by: 'n8n-eva', how: 'carry', automatic: true }, task),
    ).rejects.toMatchObject({
      code: 'held',
    });
    await byHand(commandsOf(7));
    expect(await readHold(machine.host, task)).toEqual({ kind: 'none' });
  });

  test('the turn that it writes down is one that every n8n reads and heeds', async () => {
    await byHand(commandsOf(3));
    expect(await readTurn(service(), task)).toMatchObject({ number: 1, at: 'standby', by: 'dana' });
    await expect(
      takeTurn(service(), { to: 'standby', by: 'n8n-eva', how: 'carry', automatic: true }, task),
    ).rejects.toMatchObject({
      code: 'turn_taken',
    });
    await byHand(commandsOf(3).replace('to=standby', 'to=home'));
    expect(await readTurn(service(), task)).toMatchObject({ number: 2, at: 'home', by: 'dana' });
    expect(
      await takeTurn(service(), { to: 'standby', by: 'n8n-eva', how: 'carry', automatic: true }, task),
    ).toMatchObject({
      number: 3,
      changed: true,
    });
  });

  test('what a run of an earlier turn still wants is refused before anything is touched', async () => {
    await expect(silence(service(), { number: 2, at: 'home' }, 'standby', {}, task)).rejects.toMatchObject({
      code: 'turn_over',
    });
  });
});
