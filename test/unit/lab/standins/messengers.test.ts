import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { methodsContract, type MethodsDescription } from '../../../../lab/standins/methods-contract';
import { type SlackStandIn, startSlack } from '../../../../lab/standins/slack';
import { shownText } from '../../../../lab/standins/slack/shown';
import { MarkupMistake, shownOf } from '../../../../lab/standins/telegram/markup';

const description = JSON.parse(
  readFileSync(join(__dirname, '../../../contracts/slack.json'), 'utf8'),
) as MethodsDescription;
const contract = methodsContract(description);

let slack: SlackStandIn;
beforeAll(async () => {
  slack = await startSlack({
    ...{ token: 'xoxb-lab', signingSecret: 'secret', contract, requestUrl: 'https://n8n.lab.test/slack' },
    ...{ deliverTo: () => undefined, channels: ['C1'], people: { U1: 'felipe' } },
  });
});
afterAll(() => slack.close());

async function call(method: string, body: object, token = 'xoxb-lab'): Promise<unknown> {
  const answer = await fetch(`${slack.url}/api/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return await answer.json();
}

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });
const button = (value: string) => ({
  type: 'button',
  action_id: 'a',
  text: { type: 'plain_text', text: 'Do it' },
  value,
});

test('Slack keeps what is posted and changed, with its buttons, and says no as Slack does', async () => {
  const blocks = [section('May it?'), { type: 'actions', elements: [button('one')] }];
  const posted = (await call('chat.postMessage', { channel: 'C1', blocks })) as { ok: boolean; ts: string };
  expect(posted).toMatchObject({ ok: true, channel: 'C1' });
  expect(slack.messages).toEqual([
    {
      ...{ ts: posted.ts, channel: 'C1', text: 'May it?', marks: [] },
      buttons: [{ text: 'Do it', actionId: 'a', value: 'one' }],
    },
  ]);
  expect(await call('chat.update', { channel: 'C1', ts: posted.ts, text: 'Done' })).toMatchObject({ ok: true });
  expect(slack.messages).toMatchObject([{ text: 'Done', buttons: [] }]);
  expect(await call('chat.postMessage', { channel: 'C1', text: 'x' }, 'xoxb-other')).toEqual({
    ok: false,
    error: 'invalid_auth',
  });
  expect(await call('chat.postMessage', { channel: 'C2', text: 'x' })).toMatchObject({ error: 'channel_not_found' });
  expect(await call('chat.postMessage', { channel: 'C1', blocks: [section('x'.repeat(3001))] })).toEqual({
    ok: false,
    error: 'invalid_blocks',
    response_metadata: { messages: ['[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]'] },
  });
  expect(contract.violations).toEqual([]);
});

test('a request that is not as described is noted with its place', () => {
  const strict = methodsContract(description, ['chat.postMessage.older']);
  strict.request('chat.postMessage', {
    ...{ channel: 7, older: true, newer: true },
    blocks: [{ type: 'divider' }, { type: 'image' }],
  });
  strict.request('chat.delete', {});
  expect(strict.violations).toEqual([
    'chat.postMessage.newer is not described',
    'chat.postMessage.channel is no text',
    'chat.postMessage.blocks[1].type is not "section"',
    'chat.delete is not described',
  ]);
});

test('Slack reads marks in mrkdwn only, and takes its escapes back in either kind of text', () => {
  const text = '*big* my_stack _thin_ <!channel> &lt;@U1&gt; @here https://evil.test/x';
  const shown = '*big* my_stack _thin_ <!channel> <@U1> @here https://evil.test/x';
  expect(shownText({ type: 'plain_text', text })).toEqual({ text: shown, marks: [] });
  expect(shownText({ type: 'mrkdwn', text })).toEqual({
    text: shown,
    marks: ['<!channel>', '*big*', '_thin_', 'https://evil.test/x', '@here'],
  });
});

test.each([
  ['plain words', 'plain words', []],
  ['my\\_stack \\*', 'my_stack *', []],
  ['`a_b*c[d\\`\\``e`', 'a_b*c[d\\`e', ['code a_b*c[d\\', 'code e']],
  ['``', '', []],
  ['*bold* _it_ [name](https://evil.test)', 'bold it name', ['bold bold', 'italic it', 'text_link name']],
  [
    'see https://evil.test, @someone /stop',
    'see https://evil.test, @someone /stop',
    ['url https://evil.test,', 'mention @someone', 'bot_command /stop'],
  ],
  ['`https://evil.test @someone #now`', 'https://evil.test @someone #now', ['code https://evil.test @someone #now']],
] as const)('Telegram shows %j as %j', (sent, text, entities) => {
  const shown = shownOf(sent, 'Markdown');
  expect([shown.text, shown.entities.map((one) => `${one.type} ${one.text}`)]).toEqual([text, entities]);
});

test.each(['my_stack', 'a [b', '2 * 2', '`'])('Telegram refuses %j, which opens a mark and never closes it', (sent) => {
  expect(() => shownOf(sent, 'Markdown')).toThrow(MarkupMistake);
});
