import fc from 'fast-check';
import { shownText } from '../../../lab/standins/slack/shown';
import { shownOf } from '../../../lab/standins/telegram/markup';
import { evaluated, nodeOf } from '../../shared/flow-expressions';

/** What others wrote, and what a question or an offer shows of it. */
interface Asked {
  readonly what: string;
  readonly evidence: string;
}

type Messenger = 'telegram' | 'slack';

/** What n8n 2.41 makes of the message of a Send and Wait before it goes out. */
function sent(message: unknown): string {
  const back: Readonly<Record<string, string>> = {
    ...{ '&amp;': '&', '&lt;': '<', '&gt;': '>', '&#39;': "'", '&quot;': '"' },
  };
  return String(message)
    .trim()
    .replace(/&(?:amp|lt|gt|#39|quot);/g, (one) => back[one] ?? one)
    .replace(/\\n/g, '\n')
    .replace(/<br>/g, '\n');
}

interface Read {
  readonly text: string;
  /** What is formatted, names somebody, or can be clicked; code is what keeps it from that. */
  readonly marks: readonly string[];
  readonly size: number;
}

function readBy(messenger: Messenger, typeVersion: number, message: unknown): Read {
  const text = sent(message);
  if (messenger === 'slack') {
    // As the node does: newer versions send marks.
    const shown = shownText({ type: typeVersion > 2.2 ? 'mrkdwn' : 'plain_text', text });
    return { text: shown.text.replaceAll('\u2060', ''), marks: shown.marks, size: text.length };
  }
  const shown = shownOf(text, 'Markdown');
  const marks = shown.entities.filter(({ type }) => type !== 'code').map((one) => one.text);
  return { text: shown.text, marks, size: shown.text.length };
}

function question(messenger: Messenger, { what, evidence }: Asked): Read {
  const called = { change: 'deploy', what, evidence, consequence: 'it restarts', undo: 'one tap', planHash: 'hash' };
  const { assignments } = nodeOf('approve.json', 'Question').parameters['assignments'] as {
    assignments: readonly { name: string; value: unknown }[];
  };
  const json = { parts: evaluated(assignments.find(({ name }) => name === 'parts')?.value, { $: () => node(called) }) };
  const asking = nodeOf('approve.json', messenger === 'slack' ? 'Ask in Slack' : 'Ask by Telegram');
  return readBy(messenger, asking.typeVersion, evaluated(asking.parameters['message'], { $: () => node(json) }));
}

const node = (json: object) => ({ isExecuted: true, first: () => ({ json }) });

function offer(messenger: Messenger, text: string): Read {
  const asking = nodeOf('rollback.json', messenger === 'slack' ? 'Offer in Slack' : 'Offer by Telegram');
  const message = evaluated(asking.parameters['message'], { $json: { text, way: 'This leads back.' } });
  return readBy(messenger, asking.typeVersion, message);
}

const NASTY = [
  'my_stack',
  '_thin_ *big* ~gone~ `now` ```all```',
  '[home](https://evil.test) <https://evil.test|home> https://evil.test',
  '<!channel> <@U1> @here @everyone @bruno_admin #now /stop',
  'C:\\new \\_x\\` <br> &lt;b&gt; &amp;amp; & < > " \'',
  'ends in \\',
  '`',
];

const foreign = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: fc.constantFrom(...Array.from('`\\_*[]()<>&;|~@#/:. \nnbramplt')), maxLength: 60 }),
  fc.string({ maxLength: 60 }),
);

describe.each(['telegram', 'slack'] as const)('what others wrote, asked about by %s', (messenger) => {
  test.each(NASTY)('%j is shown as it is, and formats, names and links nothing', (evidence) => {
    expect(question(messenger, { what: 'my_stack', evidence })).toMatchObject({
      text: `May this be done?\ndeploy: my_stack\n\nWhy: ${evidence}\nWhat it does: it restarts\nUndo: one tap\nPlan: hash`,
      marks: [],
    });
  });

  test('so is any text, in questions and in offers of a way back', () => {
    fc.assert(
      fc.property(foreign, foreign, (what, evidence) => {
        expect(question(messenger, { what, evidence })).toMatchObject({
          text: `May this be done?\ndeploy: ${what}\n\nWhy: ${evidence}\nWhat it does: it restarts\nUndo: one tap\nPlan: hash`,
          marks: [],
        });
        expect(offer(messenger, `x ${what}`)).toMatchObject({ text: `x ${what}\nThis leads back.`, marks: [] });
      }),
    );
  });

  test('of a long text the end is cut, which is said, and what decides never is', () => {
    fc.assert(
      fc.property(
        foreign.filter((one) => one.trim() !== ''),
        (one) => {
          const { text, marks, size } = question(messenger, { what: one.repeat(2000), evidence: one.repeat(5000) });
          expect(text).toMatch(/\n\(and more\)\n\nWhy: /);
          expect(text).toMatch(/\n\(and more\)\nWhat it does: it restarts\nUndo: one tap\nPlan: hash$/);
          expect(marks).toEqual([]);
          expect(size).toBeLessThanOrEqual(3000);
        },
      ),
      { numRuns: 30 },
    );
  });
});
