import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { until } from '../../lab/hosts/waiting';
import type { Execution } from '../../lab/n8n/api';
import type { SentMessage } from '../../lab/standins/telegram';
import type { JsonObject } from '../../lib/json';
import { editInventory, type Estate, pinnedOnly, SLACK, startEstate } from './estate';
import { webhookWorkflow } from './harness';
import { owner } from '../shared/people';

const deputy = { id: 100000002, firstName: 'Dana' };
const stranger = { id: 999, firstName: 'Mallory' };

const bruno = { name: 'bruno', address: '203.0.113.7' };
const inventory: JsonObject = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ ...bruno, provider: 'hetzner' }],
  services: [{ name: 'docs', host: 'bruno' }],
  sender: 'n8n@example.test',
  recipients: {
    critical: [
      { by: 'telegram', chat: '100000001' },
      { by: 'email', address: 'owner@example.test' },
    ],
    warning: [{ by: 'telegram', chat: '666' }],
    info: [{ by: 'telegram', chat: '100000001' }],
    security: [{ by: 'slack', channel: SLACK.channel }],
  },
  approvers: [
    { name: 'owner', by: 'telegram', id: String(owner.id), minutes: 0.05 },
    { name: 'deputy', by: 'telegram', id: String(deputy.id), minutes: 30 },
  ],
  automatic: { deploy: ['docs'] },
};

let estate: Estate;
beforeAll(async () => {
  estate = await startEstate();
  await estate.install({
    files: ['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
    inventory,
    credentials: { 'Estate hosts': pinnedOnly([bruno]) },
  });
});
afterAll(() => estate.stop());
afterEach(() => expect(estate.violations()).toEqual([]));

/** n8n looks only once a minute which waits have ended, so this question is put first and looked at last. */
let unanswered: Promise<Asked>;
beforeAll(() => {
  unanswered = ask('infisical');
});

const say = async (lane: string, title: string, text: string) =>
  estate.own.api.callWebhook(await estate.caller('say', 'selfhostNotify', { lane, title, text }), {});

test('a message reaches its lane, with everything in it escaped', async () => {
  expect(await say('info', 'disk < 5 % & falling', 'on <bruno>')).toMatchObject({ status: 200 });
  expect(estate.telegram.messages.filter(({ text }) => text.includes('falling'))).toMatchObject([
    { chat: '100000001', text: '🔵 <b>disk &lt; 5 % &amp; falling</b>\non &lt;bruno&gt;' },
  ]);
});

test('a message to Slack pings nobody and fakes no link, whatever stands in it', async () => {
  expect(await say('security', 'Login of <!channel>', 'from <https://evil.test|home> & elsewhere')).toMatchObject({
    status: 200,
  });
  expect(estate.slack.messages.map(({ channel, text }) => [channel, text])).toEqual([
    [SLACK.channel, '🛡️ *Login of &lt;!channel&gt;*\nfrom &lt;https://evil.test|home&gt; &amp; elsewhere'],
  ]);
});

test('what cannot be delivered goes by e-mail, which says so', async () => {
  estate.telegram.block('666');
  expect(await say('warning', 'backup late', 'by 3 h')).toMatchObject({ status: 200 });
  const letter = await estate.letterWith('by 3 h');
  expect(letter).toContain('From: n8n@example.test');
  expect(letter).toContain('To: owner@example.test');
  expect(letter).toContain('could not be sent to 1 of 1 recipients: telegram 666');
});

interface Asked {
  readonly message: SentMessage;
  readonly execution: () => Promise<Execution>;
}

/** Asks through a flow of its own, and waits until the question stands in the chat. */
async function ask(what: string, change = 'deploy'): Promise<Asked> {
  const begun = estate.telegram.messages.length;
  const path = await estate.caller(`ask ${what}`.replaceAll(' ', '-'), 'selfhostApprove', {
    change,
    what,
    evidence: 'a push to main_branch',
    consequence: 'forgejo restarts',
    undo: 'one tap',
    planHash: `hash-of-${what}`,
  });
  const answered = estate.own.api.callWebhook(path, {});
  // Only asked for when the test ends it; until then nobody listens to a failure.
  answered.catch(() => undefined);
  const message = await until(`the question about ${what} stands in the chat`, 20_000, () =>
    Promise.resolve(estate.telegram.messages.slice(begun).find(({ text }) => text.includes(what))),
  );
  await untilItWaits(what);
  return { message, execution: () => outcomeOf(what) };
}

/** A question stands in the chat a moment before n8n has stored that it waits; until then a tap is answered 409. */
async function untilItWaits(what: string): Promise<void> {
  await until(`the execution about ${what} waits`, 20_000, async () => {
    const all = await estate.own.api.executionsOf('selfhostApprove');
    return all.find(({ status, stored }) => status === 'waiting' && stored.includes(`hash-of-${what}`));
  });
}

/** The execution of Approve that was about this. */
async function outcomeOf(what: string): Promise<Execution> {
  return until(`the question about ${what} is answered`, 90_000, async () => {
    const all = await estate.own.api.executionsOf('selfhostApprove');
    return all.find(({ status, stored }) => status === 'success' && stored.includes(`hash-of-${what}`));
  });
}

const result = (execution: Execution, node: string) => execution.runs[node]?.at(-1)?.outputs[0]?.[0];

test('a question says what, why, what it does and how to undo it; the tap of the right person goes on with its plan', async () => {
  const { message, execution } = await ask('forgejo');
  expect(message.text).toBe(
    'May this be done?\ndeploy: forgejo\n\nWhy: a push to main_branch\nWhat it does: forgejo restarts\nUndo: one tap\nPlan: hash-of-forgejo',
  );
  expect(message.entities.filter(({ type }) => type !== 'code')).toEqual([]);
  expect(message.buttons.map(({ text, url }) => [text, url])).toEqual([
    ['No', undefined],
    ['Do it', undefined],
  ]);
  expect(await estate.telegram.press(message, 'Do it', owner)).toBe(200);
  expect(result(await execution(), 'Approved')).toEqual({
    approved: true,
    by: 'owner',
    at: expect.any(String),
    reason: 'answered',
    planHash: 'hash-of-forgejo',
  });
});

test('a stranger is told that the question is not for them, and a second tap changes nothing', async () => {
  const { message, execution } = await ask('traefik');
  await estate.telegram.press(message, 'Do it', stranger);
  expect(estate.telegram.popups.at(-1)).toBe('This question is not for you.');
  expect(await estate.telegram.press(message, 'No', owner)).toBe(200);
  const ended = await execution();
  expect(result(ended, 'Denied')).toMatchObject({ approved: false, by: 'owner', planHash: 'hash-of-traefik' });
  const again = { ...message, buttons: [{ text: 'Do it', callbackData: 'hitl:nothing' }] };
  expect(await estate.telegram.press(again, 'Do it', owner)).not.toBe(200);
  expect((await estate.own.api.execution(ended.id)).runs['Approved']).toBeUndefined();
});

test('what the inventory lists as automatic goes on without a question', async () => {
  const path = await estate.caller('auto', 'selfhostApprove', {
    change: 'deploy',
    what: 'docs',
    planHash: 'hash-of-docs',
  });
  expect(await estate.own.api.callWebhook(path, {})).toMatchObject({
    status: 200,
    body: { approved: true, by: 'inventory', reason: 'automatic', planHash: 'hash-of-docs' },
  });
  expect(estate.telegram.messages.filter(({ text }) => text.includes('hash-of-docs'))).toEqual([]);
});

test('who does not answer in time is passed over for the next', async () => {
  const { execution } = await unanswered;
  const second = await until('the deputy is asked', 90_000, () =>
    Promise.resolve(
      estate.telegram.messages.find(({ chat, text }) => chat === '100000002' && text.includes('infisical')),
    ),
  );
  await untilItWaits('infisical');
  expect(await estate.telegram.press(second, 'Do it', owner)).toBe(200);
  expect(estate.telegram.popups.at(-1)).toBe('This question is not for you.');
  expect(await estate.telegram.press(second, 'Do it', deputy)).toBe(200);
  expect(result(await execution(), 'Approved')).toMatchObject({ approved: true, by: 'deputy' });
}, 150_000);

test('a failing flow is told on the critical lane, with where it failed, and the same failure once an hour', async () => {
  const path = `fails-${randomUUID()}`;
  const failing = webhookWorkflow('Nightly thing', path, {
    type: 'n8n-nodes-base.stopAndError',
    name: 'Dump',
    parameters: { errorMessage: '=the disk is <full>, {{ $json.body.left }} bytes left{{ $json.body.more }}' },
  });
  const id = await estate.own.api.createWorkflow({ ...failing, settings: { errorWorkflow: 'selfhostOnError' } });
  await estate.own.api.publish(id);
  const told = () => estate.telegram.messages.filter(({ text }) => text.includes('Nightly thing failed'));
  const fail = async (left: number, more: string) => {
    const handled = async () =>
      (await estate.own.api.executionsOf('selfhostOnError')).filter(
        ({ status, stored }) => status === 'success' && stored.includes('Nightly thing'),
      ).length;
    const before = await handled();
    await estate.own.api.callWebhook(path, { left, more });
    await until('it was handled', 20_000, async () => ((await handled()) > before ? true : undefined));
  };
  // Around the turn of an hour it may be told twice, and rightly.
  const hour = () => new Date().getHours();
  const begun = hour();
  await fail(17, '');
  expect(told().map(({ text }) => text)).toEqual([
    expect.stringContaining('🔴 <b>Nightly thing failed</b>\nAt "Dump": the disk is &lt;full&gt;, 17 bytes left'),
  ]);
  expect(await estate.letterWith('the disk is <full>')).toContain('To: owner@example.test');
  await fail(4, '');
  expect(told().length).toBeLessThanOrEqual(hour() === begun ? 1 : 2);
  await fail(4, ', and it is read-only');
  expect(told().at(-1)?.text).toContain('and it is read-only');
});

test('while the inventory is broken, the people whom it named last are told that it is, and everything else', async () => {
  const named = (text: string) => estate.telegram.messages.filter((message) => message.text.includes(text));
  await say('info', 'before', 'all is well');
  await editInventory(estate, { ...inventory, services: [{ name: 'docs', host: 'nowhere' }] });
  try {
    expect(await say('info', 'still heard', 'as before')).toMatchObject({ status: 200 });
    expect(named('still heard')).toMatchObject([
      {
        chat: '100000001',
        text: '🔵 <b>still heard</b>\nas before\n\n⚠ The inventory cannot be read; this goes to whom it named last.',
      },
    ]);
    const [told] = await until('its failure is told', 20_000, () =>
      Promise.resolve(named('Inventory failed').length > 0 ? named('Inventory failed') : undefined),
    );
    expect(told).toMatchObject({ chat: '100000001', text: expect.stringContaining('nowhere') });
    await say('info', 'heard again', 'as before');
    expect(named('heard again')).toHaveLength(1);
  } finally {
    await editInventory(estate, inventory);
  }
  const handled = async () =>
    (await estate.own.api.executionsOf('selfhostOnError')).filter(({ stored }) => stored.includes('Inventory failed'));
  await until('all of it was handled', 20_000, async () =>
    (await handled()).length >= 3 && (await handled()).every(({ status }) => status === 'success') ? true : undefined,
  );
  expect(named('Inventory failed').length).toBeLessThanOrEqual(2);
  await say('info', 'mended', 'all is well');
  expect(named('mended').map(({ text }) => text)).toEqual(['🔵 <b>mended</b>\nall is well']);
});

test('when nobody can be told, Notify itself fails, and its failure does not call it again', async () => {
  await estate.mail.stop();
  await say('warning', 'unheard', 'by anyone');
  const failed = await until('Notify has failed', 20_000, async () =>
    (await estate.own.api.executionsOf('selfhostNotify')).find(
      ({ status, stored }) => status === 'error' && stored.includes('unheard'),
    ),
  );
  expect(failed.error?.message).toBe('Nobody could be told: unheard');
  await until('the error handler has kept it', 20_000, async () =>
    (await estate.own.api.executionsOf('selfhostOnError')).find(({ runs }) => runs['Kept here'] !== undefined),
  );
  const told = (await estate.own.api.executionsOf('selfhostNotify')).filter(({ stored }) =>
    stored.includes('Notify failed'),
  );
  expect(told).toEqual([]);
});

test('an upgrade shows what it would do, does exactly that, keeps what was edited, and publishes it again', async () => {
  const { own } = estate;
  const newer = mkdtempSync(join(tmpdir(), 'selfhost-flows-'));
  try {
    // What a next release could bring: another time limit, another sentence, and a note.
    const release = (file: string, change: (flow: Changeable) => Changeable) => {
      const shipped = JSON.parse(readFileSync(join(__dirname, '../../workflows', file), 'utf8')) as Changeable;
      writeFileSync(join(newer, file), JSON.stringify(change(shipped)));
    };
    release('inventory.json', (flow) => ({
      ...flow,
      settings: { ...flow.settings, executionTimeout: 240 },
      nodes: flow.nodes.map((node) =>
        node['name'] === 'Estate' ? { ...node, parameters: { mode: 'raw', jsonOutput: '{}', options: {} } } : node,
      ),
    }));
    release('notify.json', (flow) => ({ ...flow, nodes: [...flow.nodes, noteAt(flow)] }));
    release('status-page.json', (flow) => flow);

    const before = await own.api.request('GET', '/api/v1/workflows/selfhostInventory');
    const shown = await upgrade(newer);
    expect(shown).toMatchObject({ code: 0, errors: '' });
    expect(shown.output).toContain('Inventory (from 0.1.0; published again when it is written)');
    expect(shown.output).toContain('~ the setting executionTimeout\n      120 -> 240');
    expect(shown.output).toContain('= "Estate": what it does: stays as you have it');
    expect(shown.output).toContain('+ the node "A new note"');
    const file = join(newer, 'status-page.json');
    expect(shown.output).toContain(`status-page.json: new. Import it: n8n import:workflow --input=${file}`);
    const hash = /--apply ([0-9a-f]{16})/.exec(shown.output)?.[1] ?? '';
    expect((await own.api.request('GET', '/api/v1/workflows/selfhostInventory')).body).toEqual(before.body);

    expect(await upgrade(newer, '--apply', 'f'.repeat(16))).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no longer what was shown') as unknown,
    });
    const done = await upgrade(newer, '--apply', hash);
    expect(done).toMatchObject({ code: 0, errors: '' });
    expect(done.output).toContain('Inventory: published\nNotify: published\n');

    const after = (await own.api.request('GET', '/api/v1/workflows/selfhostInventory')).body as unknown as Changeable;
    expect(after).toMatchObject({
      active: true,
      activeVersionId: after.versionId,
      settings: { executionTimeout: 240 },
    });
    expect(after.nodes.find(({ name }) => name === 'Estate')).toEqual(
      (before.body as unknown as Changeable).nodes.find(({ name }) => name === 'Estate'),
    );
    expect(after.nodes.find(({ name }) => name === 'Check')?.['credentials']).toMatchObject({
      selfhostHost: { name: 'Estate hosts' },
    });
    // It still works, with the inventory that was written here.
    expect(await estate.own.api.callWebhook(await estate.caller('still', 'selfhostInventory', {}), {})).toMatchObject({
      status: 200,
      body: { estate: 'lab' },
    });
    expect((await upgrade(newer)).output).toContain('2 flows, nothing to upgrade.');
    const kept = /before is kept in (\S+)/.exec(done.output)?.[1] ?? '';
    expect(JSON.parse(readFileSync(join(kept, 'selfhostInventory.json'), 'utf8'))).toMatchObject({
      settings: { executionTimeout: 120 },
    });
    rmSync(kept, { recursive: true });
  } finally {
    rmSync(newer, { recursive: true });
  }

  async function upgrade(flows: string, ...more: readonly string[]) {
    const command = join(own.n8n.folder, '.n8n/nodes/node_modules/.bin/n8n-selfhost-flows');
    const child = spawn(command, ['--url', own.n8n.url, '--flows', flows, ...more]);
    child.stdin.end(`${own.api.session.apiKey}\n`);
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { output, errors, code: code as unknown };
  }
}, 90_000);

interface Changeable {
  readonly nodes: readonly (JsonObject & { readonly name: string })[];
  readonly settings: JsonObject;
  readonly versionId?: string;
}

function noteAt({ nodes }: Changeable) {
  const note = nodes.find(({ type }) => type === 'n8n-nodes-base.stickyNote');
  return { ...note, id: randomUUID(), name: 'A new note' };
}
