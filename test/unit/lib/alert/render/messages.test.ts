import fc from 'fast-check';
import { slackMessage } from '../../../../../lib/alert/render/slack';
import { telegramMessage } from '../../../../../lib/alert/render/telegram';
import type { Report } from '../../../../../lib/alert/report';
import type { Spoken } from '../../../../../lib/alert/outbox';
import { MINUTE, host, services, simulate } from '../estate';

function spoken(...reports: readonly Partial<Report>[]): Spoken {
  const { say, pass, messages } = simulate();
  say(...reports);
  pass(MINUTE);
  const [first] = messages.flatMap((message) => (message.kind === 'suppressed' ? [] : [message]));
  if (first === undefined) throw new Error('nothing was told');
  return first;
}

const nasty = { target: '<!channel> & <b>photos</b>', evidence: '<script>alert("1")</script> *bold* _x_' };

test('a message for Slack is a header, a list of literal text, and a line about the incident', () => {
  expect(slackMessage(spoken(nasty))).toEqual({
    text: '&lt;!channel&gt; &amp; &lt;b&gt;photos&lt;/b&gt; is failing',
    blocks: [
      {
        type: 'header',
        text: { type: 'plain_text', text: 'Wrong: <!channel> & <b>photos</b> is failing', emoji: false },
      },
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_list',
            style: 'bullet',
            elements: [
              {
                type: 'rich_text_section',
                elements: [
                  { type: 'text', text: nasty.target, style: { bold: true } },
                  { type: 'text', text: ' is failing' },
                  { type: 'text', text: `: ${nasty.evidence}` },
                ],
              },
            ],
          },
        ],
      },
      {
        type: 'context',
        elements: [{ type: 'plain_text', text: 'Incident 1 · critical · began 30 s ago', emoji: false }],
      },
    ],
  });
});

test('a message for Telegram is HTML in which nothing from outside is markup', () => {
  expect(telegramMessage(spoken(nasty))).toEqual({
    text: [
      '<b>Wrong: &lt;!channel&gt; &amp; &lt;b&gt;photos&lt;/b&gt; is failing</b>',
      'Incident 1, critical, began 30 s ago',
      '• &lt;!channel&gt; &amp; &lt;b&gt;photos&lt;/b&gt; is failing: &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; *bold* _x_',
    ].join('\n'),
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
  });
});

test('a cascade says what it is because of, and lists what follows', () => {
  const message = spoken(host('wrong'), ...services('wrong'));
  expect(telegramMessage(message).text.split('\n').slice(0, 3)).toEqual([
    '<b>Wrong: 15 things wrong because bruno is unreachable</b>',
    'Incident 1, critical, began 30 s ago',
    '• bruno is unreachable: no answer on port 22',
  ]);
  expect(telegramMessage(message).text.split('\n')).toHaveLength(18);
  expect(JSON.stringify(slackMessage(message).blocks)).toContain('and 1 more');
});

test('whatever the words are, the limits of both are kept and no tag is torn', () => {
  const words = fc.string({
    unit: fc.constantFrom('a', '<', '&', '"', '😀', '\n', 'é', ' x'),
    minLength: 1,
    maxLength: 600,
  });
  fc.assert(
    fc.property(fc.array(fc.record({ target: words, evidence: words }), { minLength: 1, maxLength: 40 }), (things) => {
      const message = spoken(
        ...things.map(({ target, evidence }, index) => ({
          target: `${index} ${target}`.slice(0, 200).replace(/\p{Surrogate}/gu, ''),
          evidence,
          labels: { host: 'bruno' },
        })),
      );
      const { text } = telegramMessage(message);
      const shown = text.replace(/<\/?b>/g, '').replace(/&(amp|lt|gt|quot|#39);/g, '.');
      expect(shown).not.toMatch(/[<>&"]|\p{Surrogate}/u);
      expect(shown.length).toBeLessThanOrEqual(4096);
      const { blocks } = slackMessage(message);
      expect(blocks.length).toBeLessThanOrEqual(50);
      const [{ text: head }] = blocks as unknown as [{ text: { text: string } }];
      expect(head.text.length).toBeLessThanOrEqual(150);
    }),
    { numRuns: 60 },
  );
});
